"""Does a chemical analysis add up: sum of the oxides, printed sum, normalised analyses, basis, scale.

Elements in a table without oxides are not summed: their oxygen was not measured. Components inside the loss on
ignition (CO2, H2O, carbon) count only where no loss is given. An analysis of wet material adds up with its moisture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from ...chemistry.composition import CLOSURE, NOT_IN_SUM
from ...instruments.vocabulary import element
from ..drafts import Context, Draft, Finding, Gate
from .facts import basis_of, facts, numbers, technique

#: Outside of these a sum is refused [wt%].
REFUSED = (90.0, 106.0)
#: What the printed and the computed sum may differ by (twelve rounded numbers) [wt%].
PRINTED = 0.15
#: Loss on ignition a class can have [wt%]: how much of a sum may be missing where it was not given (from memory).
LOSS = {
    "red_mud": 25.0,
    "fly_ash": 25.0,
    "coal_gangue": 50.0,
    "fgd_gypsum": 30.0,
    "smelting_slag": 20.0,
    "tailings": 47.0,
    "raw": 100.0,
}
#: Content of the main oxides that a class can have [wt%], wide (from memory): only used to name a suspect.
TYPICAL: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "red_mud": {"SiO2": (2, 45), "Al2O3": (5, 35), "Fe2O3": (3, 65), "CaO": (0.3, 48), "Na2O": (0.5, 20)},
    "fly_ash": {"SiO2": (15, 75), "Al2O3": (5, 50), "Fe2O3": (0.5, 30), "CaO": (0.2, 50)},
    "coal_gangue": {"SiO2": (20, 75), "Al2O3": (5, 46), "Fe2O3": (0.2, 20)},
    "fgd_gypsum": {"CaO": (22, 45), "SO3": (20, 58)},
    "smelting_slag": {},
    "tailings": {},
}
_INSIDE_LOSS = frozenset({"CO2", "H2O", "C"})
_NO_PART = NOT_IN_SUM | {"oxide_sum", "insoluble_residue", "Na2O_plus_K2O"}


@cache
def _kind(name: str) -> str:
    """``"oxide"``, ``"element"``, ``"loss"`` or an empty string for what is no part of a sum."""
    if name == "LOI":
        return "loss"
    if name in _NO_PART or not name[:1].isupper():
        return ""
    if element(name) == name:
        return "element"
    return "oxide" if "O" in name else ""


@cache
def _metal(oxide: str) -> str:
    """Element whose oxide this is: ``"Fe2O3"`` gives ``"Fe"``."""
    match = re.match(r"([A-Z][a-z]?)\d*O", oxide)
    return match[1] if match else ""


def parts_of(values: Mapping[str, float], basis: str = "") -> dict[str, float]:
    """What of an analysis adds up to a whole [wt%]: oxides, elements without their oxide, loss on ignition.

    On the ignited basis the loss is no part of the sum. Empty where there is no oxide.
    """
    oxides = {k: x for k, x in values.items() if _kind(k) == "oxide"}
    if not oxides:
        return {}
    ignited = basis == "ignited"
    if "LOI" in values or ignited:
        oxides = {k: x for k, x in oxides.items() if k not in _INSIDE_LOSS}
    if "LOI" in values and not ignited:
        oxides["LOI"] = values["LOI"]
    elements = [k for k in values if _kind(k) == "element" and k not in _INSIDE_LOSS]
    if elements:
        covered = {_metal(k) for k in oxides}
        oxides |= {k: values[k] for k in elements if k not in covered}
    return oxides


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Sum, printed sum, basis and scale of a chemical analysis."""
    kind = technique(draft.record["technique"])
    if kind is None or kind.group != "composition" or not draft.values:
        return
    values = numbers(draft)
    values = {v.quantity: values[v.quantity] for v in draft.values if v.unit == "wt%" and v.quantity in values}
    bases = {v.basis for v in draft.values if v.basis and v.unit == "wt%" and _kind(v.quantity) in ("oxide", "element")}
    if len(bases) > 1:
        found = ", ".join(sorted(bases))
        yield draft.finding("basis", "refuse", "gate.mixed_basis", "gate.remedy_mixed_basis", found=found)
        return
    basis = basis_of(draft)
    if any(x > 100.0 for x in values.values()):
        return  # the schema gate says so
    parts = parts_of(values, basis)
    total = sum(parts.values())
    meta = draft.reading.metadata
    measured, target = meta.get("measured_sum"), meta.get("normalised_to")
    if isinstance(measured, int | float) or isinstance(target, int | float):
        yield from _normalised(draft, total, measured, target)
        return
    if sum(_kind(k) == "oxide" for k in parts) < 4:
        return
    yield from _printed(draft, values, parts, total)
    if any(v.flag == "above_range" and v.value is None for v in draft.values):
        return
    loss = parts.get("LOI", 0.0)
    if basis == "as_received" and not 0.9 <= total <= 1.06:
        water = _moisture(draft, context)
        if water is None and total < CLOSURE[0]:
            yield draft.finding(
                "oxide_sum", "warn", "gate.no_moisture", "gate.remedy_no_moisture", quantity="moisture", total=total,
                low=CLOSURE[0],
            )  # fmt: skip
            return
        if water and total < CLOSURE[0]:
            parts["moisture"] = water
            total += water
        elif water and total <= CLOSURE[1] < total + water and loss < water:
            yield draft.finding(
                "basis", "warn", "gate.closes_dry", "gate.remedy_closes_dry", quantity="moisture", total=total,
                moisture=water, wet=total + water,
            )  # fmt: skip
            return
    if CLOSURE[0] <= total <= CLOSURE[1]:
        return
    if 0.9 <= total <= 1.06:
        yield draft.finding("unit_scale", "refuse", "gate.fractions", "gate.remedy_unit", total=total)
    elif loss >= 2.5 and 98.5 <= total - loss <= 101.5:
        yield draft.finding(
            "basis", "refuse", "gate.ignited_with_loss", "gate.remedy_ignited", quantity="LOI", total=total,
            oxides=total - loss, loss=loss, factor=1.0 - loss / 100.0,
        )  # fmt: skip
    elif total > CLOSURE[1]:
        yield _sum(draft, values, parts, total, "refuse" if total > REFUSED[1] else "warn", "high")
    elif "LOI" not in values and basis != "ignited" and not {"CO2", "H2O"} & values.keys():
        possible = total + LOSS.get(draft.waste_class, 30.0) >= REFUSED[0]
        if possible:
            yield draft.finding(
                "oxide_sum", "warn", "gate.no_loss", "gate.remedy_no_loss", total=total, low=CLOSURE[0], high=CLOSURE[1]
            )
        else:
            yield _sum(draft, values, parts, total, "refuse", "low")
    else:
        yield _sum(draft, values, parts, total, "refuse" if total < REFUSED[0] else "warn", "low")


def _moisture(draft: Draft, context: Context) -> float | None:
    """Moisture of the material as it was received [wt%]: of this analysis, else of the sample; None if not known."""
    for v in draft.values:
        if v.quantity == "moisture" and v.value is not None:
            return _of_wet(v.value, v.basis)
    known = facts(context)
    found = known.analysis(draft, "moisture").get("moisture")
    return None if found is None else _of_wet(found, known.analysis_basis(draft, "moisture"))


def _of_wet(moisture: float, basis: str) -> float:
    """A moisture as a share of the wet mass."""
    return 100.0 * moisture / (100.0 + moisture) if basis == "dry" else moisture


def _sum(
    draft: Draft, values: Mapping[str, float], parts: Mapping[str, float], total: float, severity: str, side: str
) -> Finding:
    """A sum outside its bounds, with the component that probably is to blame."""
    name, hint, empty, likely = _suspect(draft.waste_class, values, parts, total)
    key = f"gate.oxide_sum_{side}" + (f"_{hint}" if hint else "")
    return draft.finding(
        "oxide_sum", "refuse" if severity == "refuse" else "warn", key,
        "gate.remedy_columns" if hint else "gate.remedy_sum", quantity=name, total=total, low=CLOSURE[0],
        high=CLOSURE[1], name=name, value=values.get(name, 0.0), empty=empty, likely=likely,
    )  # fmt: skip


def _suspect(
    cls: str, values: Mapping[str, float], parts: Mapping[str, float], total: float
) -> tuple[str, str, str, float]:
    """Component, hint (``"shifted"``, ``"digit"``, ``"odd"`` or empty), empty column and likely value."""
    ranges = TYPICAL.get(cls, {})
    odd = [k for k in parts if k in ranges and not ranges[k][0] <= parts[k] <= ranges[k][1]]
    empty = next((k for k in ranges if k not in values), "")
    for name in odd:
        for scale in (0.1, 10.0):
            likely = parts[name] * scale
            closes = CLOSURE[0] <= total - parts[name] + likely <= CLOSURE[1]
            if closes and ranges[name][0] <= likely <= ranges[name][1]:
                return name, "digit", "", likely
    if odd and empty:
        return odd[0], "shifted", empty, 0.0
    return (odd[0], "odd", "", 0.0) if odd else ("", "", "", 0.0)


def _normalised(draft: Draft, total: float, measured: object, target: object) -> Iterator[Finding]:
    """An analysis scaled to a whole is judged by what was seen before it was scaled."""
    goal = float(target) if isinstance(target, int | float) else 100.0
    if isinstance(measured, int | float) and abs(measured - goal) > 0.05 and measured < CLOSURE[0]:
        yield draft.finding(
            "normalised", "warn", "gate.normalised", "gate.remedy_normalised", measured=float(measured), target=goal
        )
    elif isinstance(measured, int | float) and measured > CLOSURE[1]:
        yield draft.finding(
            "normalised", "warn", "gate.normalised_high", "gate.remedy_sum", measured=float(measured), target=goal,
            high=CLOSURE[1],
        )  # fmt: skip


def _printed(draft: Draft, values: Mapping[str, float], parts: Mapping[str, float], total: float) -> Iterator[Finding]:
    """The sum that the sheet prints against the sum of what was read."""
    printed = draft.reading.metadata.get("oxide_sum_printed")
    if printed is None:
        sums = (v.value for v in draft.reading.values if v.quantity == "oxide_sum" and v.unit in ("wt%", "%"))
        printed = next(sums, None)
    if not isinstance(printed, int | float):
        return
    oxides = sum(x for k, x in parts.items() if _kind(k) == "oxide")
    loss = values.get("LOI", 0.0)
    everything = sum(x for k, x in values.items() if _kind(k))
    unseen = sum(v.lod or 0.0 for v in draft.values if v.value is None)
    ways = {total, oxides, oxides + loss, total - parts.get("LOI", 0.0), total + loss, everything}
    ways |= {total + values.get("moisture", 0.0)}
    if min(abs(printed - w) for w in ways) <= PRINTED or any(0 < printed - w <= unseen + PRINTED for w in ways):
        return
    yield draft.finding(
        "printed_sum", "warn", "gate.printed_sum", "gate.remedy_printed_sum", quantity="oxide_sum",
        printed=float(printed), total=total, difference=float(printed) - total,
    )  # fmt: skip


GATES = (
    Gate("oxide_sum", check, True, "Sum of a chemical analysis outside 95-103 wt%", "化学成分合计不在 95-103 wt%"),
    Gate("printed_sum", check, True, "Printed sum differs from the computed one", "表中合计与计算合计不符"),
    Gate("normalised", check, True, "Analysis normalised from a small measured sum", "由较小实测总量归一化的分析"),
    Gate("basis", check, True, "Contents on different bases mixed up", "基准混用(干基、灼烧基)"),
    Gate("unit_scale", check, True, "Values that look like another unit (fraction, ppm, cm2/g, psi …)",
         "疑似单位错误(小数、ppm、cm2/g、psi 等)"),
)  # fmt: skip
