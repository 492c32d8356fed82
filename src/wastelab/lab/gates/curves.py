"""Is a curve one: axis that runs one way, finite numbers, temperatures and angles that exist, a signal that moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...instruments.base import Array, Variable
from ..drafts import Context, Draft, Finding, Gate
from .facts import technique

#: Axes that must rise or fall from point to point.
STRICT = frozenset({"two_theta", "theta", "omega", "wavenumber", "wavelength", "energy", "channel", "band", "point"})
#: Axes that may stand still but never run back.
RISING = frozenset({"time"})
ANGLES = (-10.0, 170.0)
#: Temperatures that a laboratory has [degC].
TEMPERATURES = (-200.0, 2000.0)
FEWEST = 5
#: Gain of mass over the start that buoyancy and drift explain [kg/kg].
GAIN = 0.02
#: Signals that cannot be constant over a whole measurement.
_SIGNALS = (
    "intensity", "counts", "mass", "heat_flow", "absorbance", "transmittance", "loading", "dsc", "signal",
)  # fmt: skip
_COUNTS = frozenset({"counts", "counts/s", "cps"})


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Look at every variable of a curve."""
    variables = draft.variables
    if draft.reading.completeness == "partial":
        yield draft.finding("partial", "refuse", "gate.partial", "gate.remedy_partial",
                            reason="; ".join(str(w) for w in draft.reading.warnings[:3]) or "?")  # fmt: skip
    if not variables:
        return
    kind = technique(draft.record["technique"])
    for dim in {v.dims[0] for v in variables.values() if len(v.dims) == 1}:
        axis = variables.get(dim)
        if axis is not None and axis.dims == (dim,) and axis.data.dtype.kind in "iuf":
            yield from _axis(draft, dim, axis.data)
    curve = kind.curve if kind is not None else ""
    main = max((v.data.shape[0] for v in variables.values() if len(v.dims) == 1), default=0)
    if curve and 0 < main < FEWEST:
        yield draft.finding("few_points", "warn", "gate.few_points", "gate.remedy_export", count=main, least=FEWEST)
    for name, v in variables.items():
        if v.data.dtype.kind in "iuf" and v.data.size and name not in v.dims:
            yield from _signal(draft, name, v, curve)
    yield from _gaps(draft, variables)
    if curve == "band":
        yield from _volumes(draft, variables)
    elif draft.record["technique"] == "TG":
        yield from _mass(draft, variables)


def _axis(draft: Draft, name: str, data: Array) -> Iterator[Finding]:
    finite = np.isfinite(data)
    if not finite.all():
        at = int(np.argmin(finite))
        yield draft.finding("not_finite", "refuse", "gate.curve_not_finite", "gate.remedy_export", quantity=name,
                            name=name, point=at + 1, count=int((~finite).sum()))  # fmt: skip
        return
    if len(data) > 1 and (name in STRICT or name in RISING):
        steps = np.diff(data)
        low, high = steps.min(), steps.max()
        bad = low < 0.0 if name in RISING else not (low > 0.0 or high < 0.0)
        if bad:
            # of a strict axis: the first step against the way most of them go
            sign = -1.0 if name in STRICT and np.median(steps) < 0.0 else 1.0
            wrong = steps * sign < 0.0 if name in RISING else steps * sign <= 0.0
            at = int(np.argmax(wrong))
            yield draft.finding(
                "axis", "refuse", "gate.axis", "gate.remedy_axis", quantity=name, name=name, point=at + 1,
                next=at + 2, before=float(data[at]), after=float(data[at + 1]), count=int(wrong.sum()),
            )  # fmt: skip
    if name == "two_theta":
        low, high = float(data.min()), float(data.max())
        if low < ANGLES[0] or high > ANGLES[1]:
            yield draft.finding("axis", "refuse", "gate.angle", "gate.remedy_axis", quantity=name,
                                value=low if low < ANGLES[0] else high, low=ANGLES[0], high=ANGLES[1])  # fmt: skip


def _signal(draft: Draft, name: str, v: Variable, curve: str) -> Iterator[Finding]:
    data = v.data
    low, high = data.min(), data.max()
    if data.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        if np.isinf(data).any():
            at = int(np.argmax(np.isinf(data).ravel()))
            yield draft.finding("not_finite", "refuse", "gate.curve_not_finite", "gate.remedy_export", quantity=name,
                                name=name, point=at + 1, count=int(np.isinf(data).sum()))  # fmt: skip
            return
        if np.isnan(data).all():
            return
        low, high = np.nanmin(data), np.nanmax(data)
    if low < 0 and v.units in _COUNTS:
        yield draft.finding("negative_counts", "warn", "gate.negative_counts", "gate.remedy_counts", quantity=name,
                            name=name, count=int((data < 0).sum()), lowest=float(low))  # fmt: skip
    if "temperature" in name and v.units in ("degC", "K"):
        shift = 273.15 if v.units == "K" else 0.0
        if low - shift < TEMPERATURES[0] or high - shift > TEMPERATURES[1]:
            yield draft.finding(
                "temperature", "refuse", "gate.temperature", "gate.remedy_export", quantity=name, name=name,
                units=v.units, value=float(low if low - shift < TEMPERATURES[0] else high),
                low=TEMPERATURES[0] + shift, high=TEMPERATURES[1] + shift,
            )  # fmt: skip
    if low == high and data.size >= FEWEST and curve and name.startswith(_SIGNALS):
        yield draft.finding("flat", "warn", "gate.flat", "gate.remedy_flat", quantity=name, name=name, value=float(low),
                            units=v.units, count=int(data.size))  # fmt: skip


def _gaps(draft: Draft, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    """Variables beside the axis that lack numbers, in one finding."""
    count: dict[str, int] = {}
    for name, v in variables.items():
        if v.data.dtype.kind == "f" and name not in v.dims and v.data.size and np.isnan(v.data.min()):
            count[name] = int(np.isnan(v.data).sum())
    if not count:
        return
    empty = [n for n, k in count.items() if k == variables[n].data.size]
    if empty:
        yield draft.finding("gaps", "warn", "gate.curve_empty", "gate.remedy_export", quantity=empty[0],
                            name=", ".join(empty))  # fmt: skip
    most = max((n for n in count if n not in empty), key=lambda n: count[n], default="")
    if most:
        names = ", ".join(n for n in count if n not in empty)
        yield draft.finding("gaps", "warn", "gate.curve_gaps", "gate.remedy_gaps", quantity=most, name=names,
                            count=count[most], total=int(variables[most].data.size))  # fmt: skip


def _volumes(draft: Draft, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    volume = variables.get("volume")
    if volume is None or volume.units != "%":
        return
    total = float(np.nansum(volume.data))
    if not 98.0 <= total <= 102.0:
        yield draft.finding("psd_sum", "refuse", "gate.psd_sum", "gate.remedy_psd", quantity="volume", total=total)


def _mass(draft: Draft, variables: Mapping[str, Variable]) -> Iterator[Finding]:
    """Mass at the start against the rest: a gain, or less than nothing."""
    percent = variables.get("mass_percent")
    if percent is not None and percent.data.size:
        yield from _course(draft, "mass_percent", percent.data, 0.0, "%")
        return
    change = variables.get("mass_change")
    weighed = next((v.value for v in draft.values if v.quantity == "sample_mass" and v.value), 0.0)
    if change is not None and change.data.size and weighed:
        yield from _course(draft, "mass_change", change.data, float(weighed), change.units)
        return
    mass = variables.get("mass")
    if mass is not None and mass.data.size:
        yield from _course(draft, "mass", mass.data, 0.0, mass.units)


def _course(draft: Draft, name: str, data: Array, offset: float, units: str) -> Iterator[Finding]:
    finite: Any = data[np.isfinite(data)]
    if not finite.size:
        return
    start, end, high = float(finite[0]) + offset, float(finite[-1]) + offset, float(finite.max()) + offset
    said: dict[str, object] = {"name": name, "start": start, "end": end, "high": high, "units": units}
    if units == "%" and (high > 110.0 or end < 0.0):
        yield draft.finding(
            "mass_gain", "warn", "gate.mass_percent", "gate.remedy_mass", quantity=name, where="", **said
        )
    elif start <= 0.0 or end < -GAIN * start:
        yield draft.finding(
            "mass_gain", "warn", "gate.mass_negative", "gate.remedy_mass", quantity=name, where="", **said
        )
    elif high > (1.0 + GAIN) * start:
        yield draft.finding("mass_gain", "warn", "gate.mass_gain", "gate.remedy_mass", quantity=name, where="", **said,
                            gain=100.0 * (high / start - 1.0))  # fmt: skip


GATES = (
    Gate("partial", check, True, "The file is known to be cut short", "文件不完整"),
    Gate(
        "axis", check, True, "Axis of a curve runs back, stands still or leaves its range", "曲线横轴不单调或超出范围"
    ),
    Gate("not_finite", check, False, "Infinite or missing numbers on an axis", "曲线含无穷大或横轴缺数"),
    Gate("gaps", check, True, "Gaps in a curve", "曲线有缺口"),
    Gate("few_points", check, True, "Fewer than five points", "曲线少于五个点"),
    Gate("negative_counts", check, True, "Negative counts", "计数为负"),
    Gate("temperature", check, True, "Temperature outside -200 to 2000 degC", "温度不在 -200 至 2000 ℃"),
    Gate("flat", check, True, "Signal constant: detector off?", "信号恒定(探测器未开?)"),
    Gate("psd_sum", check, True, "Particle size classes do not add up to 100 %", "粒度各级之和不为 100 %"),
    Gate("mass_gain", check, True, "Mass rises or ends below zero", "质量增加或终值为负"),
)
