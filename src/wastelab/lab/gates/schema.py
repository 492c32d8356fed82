"""What no laboratory result can be: twice the same quantity, no number, a share above 100 %, nothing at all.

The one gate that nobody can let pass: data of a broken schema or unit would be wrong in every table they enter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...instruments.base import Value
from ..drafts import Context, Draft, Finding, Gate
from .facts import term

#: Shares that may be below zero [wt%].
_LOWEST = {"LOI": -5.0}
#: Percentages that are part of a whole.
_PARTS = frozenset({"residue_45um", "residue_80um", "porosity"})
#: Units of quantities that have no negative side.
_POSITIVE = frozenset({"um", "nm", "m2/kg", "m2/g", "g/cm3", "kg/m3", "MPa", "kN", "min", "W/(m*K)", "mg", "g"})
_UNSEEN = frozenset({"below_detection", "above_range", "trace"})


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Refuse what cannot be a result."""
    if not draft.values and not draft.variables and not draft.reading.values:
        yield draft.finding("schema", "refuse", "gate.empty", "gate.remedy_empty")
        return
    seen: set[str] = set()
    too_much: list[Value] = []
    for v in draft.values:
        name, number = v.quantity, v.value
        if name in seen:
            yield _found(draft, v, "gate.duplicate_quantity", "gate.remedy_row")
            continue
        seen.add(name)
        if number is None:
            if v.flag not in _UNSEEN and v.lod is None:
                yield _found(draft, v, "gate.no_number", "gate.remedy_missing")
            continue
        if not math.isfinite(number):
            yield _found(draft, v, "gate.not_finite", "gate.remedy_missing", value=number)
            continue
        unit = v.unit
        if unit == "wt%" or name in _PARTS:
            if number > 100.0:
                too_much.append(v)
            elif number < 0.0 and number < _LOWEST.get(name, 0.0):
                yield _found(
                    draft, v, "gate.negative", "gate.remedy_negative", value=number, low=_LOWEST.get(name, 0.0)
                )
            continue
        if number < 0.0 and unit in _POSITIVE:
            yield _found(draft, v, "gate.negative", "gate.remedy_negative", value=number, low=0.0)
            continue
        if unit == "mg/kg" and number > 1e6:
            yield _found(draft, v, "gate.more_than_all", "gate.remedy_unit", value=number)
            continue
        known = term(name)
        if known is not None and (
            (known.low is not None and number < known.low) or (known.high is not None and number > known.high)
        ):
            low = known.low if known.low is not None else -math.inf
            high = known.high if known.high is not None else math.inf
            yield _found(draft, v, _range_key(name, number), "gate.remedy_unit", value=number, low=low, high=high)
    if too_much:
        yield _over_hundred(draft, too_much)


def _found(draft: Draft, v: Value, key: str, remedy: str, **values: object) -> Finding:
    return draft.finding("schema", "refuse", key, remedy, quantity=v.quantity, where=v.where, name=v.quantity,
                         unit=v.unit, **values)  # fmt: skip


def _range_key(name: str, number: float) -> str:
    """Text for a number outside what can be true, with the likely unit where there is one."""
    if name == "blaine" and number <= 30_000.0:
        return "gate.range_blaine"
    if name in ("compressive_strength", "flexural_strength"):
        return "gate.range_strength"
    if name == "density" and 500.0 <= number <= 10_000.0:
        return "gate.range_density"
    return "gate.range"


def _over_hundred(draft: Draft, values: list[Value]) -> Finding:
    """One finding for all shares above 100 %."""
    first = values[0]
    number = first.value or 0.0
    share = number / 1e4
    if first.quantity == "moisture":
        key = "gate.moisture_high"
    elif number >= 1_000.0 and share <= 100.0:
        key = "gate.percent_ppm"
    else:
        key = "gate.percent_high"
    return _found(draft, first, key, "gate.remedy_columns", value=number, likely=share, count=len(values))


GATES = (
    Gate(
        "schema", check, False, "Numbers that cannot be: doubled, not finite, above 100 %, out of range, none at all",
        "不可能的数据:重复、非数、超过 100 %、超出范围或空白",
    ),
)  # fmt: skip
