"""Uncertainties and detection limits that contradict their values."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...instruments.base import Value
from ..drafts import Context, Draft, Finding, Gate

#: Units of quantities that are measured down to their noise.
_TRACE = frozenset({"Bq/kg", "mg/kg", "mg/L", "ug/L"})
#: Below this a content is a trace [wt%].
_TRACE_SHARE = 0.1


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Sigma, detection limit and flag of each value."""
    for v in draft.values:
        if v.sigma is not None:
            yield from _sigma(draft, v, v.sigma)
        if v.lod is not None and (v.lod < 0.0 or not math.isfinite(v.lod)):
            yield _found(draft, v, "uncertainty", "refuse", "gate.lod_negative", "gate.remedy_sigma", lod=v.lod)
        elif v.flag == "below_detection" and v.lod is None:
            yield _found(draft, v, "no_lod", "warn", "gate.no_lod", "gate.remedy_no_lod")
        elif v.value is not None and v.lod is not None and v.value < v.lod and not v.flag:
            yield _found(
                draft, v, "below_lod", "warn", "gate.below_lod", "gate.remedy_below_lod", value=v.value, lod=v.lod
            )


def _sigma(draft: Draft, v: Value, sigma: float) -> Iterator[Finding]:
    if sigma < 0.0 or not math.isfinite(sigma):
        yield _found(draft, v, "uncertainty", "refuse", "gate.sigma_negative", "gate.remedy_sigma", sigma=sigma)
    elif v.value is not None and sigma > abs(v.value):
        noise = v.unit in _TRACE or v.value == 0.0 or (v.unit == "wt%" and abs(v.value) < _TRACE_SHARE)
        noise = noise or (v.lod is not None and v.value <= 3.0 * v.lod)
        severity = "warn" if noise else "refuse"
        remedy = "gate.remedy_sigma_large" if noise else "gate.remedy_sigma"
        yield _found(draft, v, "uncertainty", severity, "gate.sigma_large", remedy, sigma=sigma, value=v.value)


def _found(draft: Draft, v: Value, gate: str, severity: str, key: str, remedy: str, **values: object) -> Finding:
    return draft.finding(
        gate, "refuse" if severity == "refuse" else "warn", key, remedy, quantity=v.quantity, where=v.where,
        name=v.quantity, unit=v.unit, **values,
    )  # fmt: skip


GATES = (
    Gate("uncertainty", check, True, "Uncertainty negative or larger than its value", "不确定度为负或大于数值"),
    Gate("no_lod", check, True, "Not detected, but no detection limit given", "未检出但未给检出限"),
    Gate("below_lod", check, True, "Value below its own detection limit", "数值低于其检出限"),
)
