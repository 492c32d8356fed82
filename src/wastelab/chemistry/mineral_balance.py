"""Quantitative phases against the oxides of the same sample: what the oxides cannot hold.

A Rietveld result is a share of what was modelled. Where the sum is impossible, or minerals of fixed formula need more
of an oxide than the chemical analysis has, one of the two is wrong. Solid solutions are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ..errors import CompositionError
from .formulas import MINERALS, mineral_oxides
from .plausibility import Finding

#: Minerals of fixed composition beside `formulas.MINERALS`, as laboratories name them.
_MORE = {
    "cristobalite": "SiO2",
    "tridymite": "SiO2",
    "lime": "CaO",
    "periclase": "MgO",
    "rutile": "TiO2",
    "anatase": "TiO2",
    "corundum": "Al2O3",
    "albite": "NaAlSi3O8",
    "anorthite": "CaAl2Si2O8",
    "microcline": "KAlSi3O8",
    "orthoclase": "KAlSi3O8",
    "gehlenite": "Ca2Al2SiO7",
    "akermanite": "Ca2MgSi2O7",
    "merwinite": "Ca3MgSi2O8",
    "muscovite": "KAl3Si3O10(OH)2",
    "ettringite": "Ca6Al2S3O18(H2O)32",
    "ye'elimite": "Ca4Al6O12SO4",
}
#: Oxides that are compared; the rest is volatile, or spread over too many phases.
COMPARED = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "SO3", "TiO2")
#: What the two methods may differ by [wt%].
MARGIN = 3.0
_FEO_TO_FE2O3 = 1.1113
_GLASS = ("amorphous", "glass")


@cache
def oxides_of_mineral(mineral: str) -> Mapping[str, float]:
    """Oxides of a mineral [wt%], iron as Fe2O3; empty if its composition is not fixed or not known."""
    name = mineral.lower()
    formula = MINERALS.get(name) or _MORE.get(name)
    if formula is None:
        return {}
    try:
        out = mineral_oxides(formula)
    except CompositionError:
        return {}
    if "FeO" in out:
        out["Fe2O3"] = out.get("Fe2O3", 0.0) + _FEO_TO_FE2O3 * out.pop("FeO")
    return out


def check_phases(
    phases: Mapping[str, float], oxides: Mapping[str, float] | None = None, waste_class: str = ""
) -> list[Finding]:
    """Doubts about a quantitative phase analysis.

    Parameters
    ----------
    phases : mapping of str to float
        Mineral (``"quartz"``, ``"amorphous"``) to share [wt%].
    oxides : mapping of str to float, optional
        Chemical analysis of the same sample, dry basis [wt%].
    waste_class : str, optional

    Returns
    -------
    list of Finding
    """
    found: list[Finding] = []
    if not phases:
        return found
    total = sum(phases.values())
    glassy = any(g in phases for g in _GLASS)
    if total > 103.0:
        found.append(Finding("error", "phase_sum", "phases_high", {"total": total}))
    elif total < 80.0 and not glassy:
        found.append(Finding("warning", "phase_sum", "phases_low", {"total": total}))
    elif total < 95.0 and glassy and len(phases) > 1:
        found.append(Finding("warning", "phase_sum", "phases_short", {"total": total}))
    elif waste_class == "fly_ash" and not glassy and len(phases) > 1:
        found.append(Finding("warning", "phase_sum", "no_glass", {"total": total}))
    if not oxides:
        return found
    need: dict[str, float] = {}
    largest: dict[str, tuple[float, str]] = {}
    for mineral, share in phases.items():
        for oxide, content in oxides_of_mineral(mineral).items():
            part = share * content / 100.0
            need[oxide] = need.get(oxide, 0.0) + part
            largest[oxide] = max(largest.get(oxide, (0.0, "")), (part, mineral))
    for oxide in COMPARED:
        if oxide not in need or oxide not in oxides:
            continue
        has = oxides[oxide] + (_FEO_TO_FE2O3 * oxides.get("FeO", 0.0) if oxide == "Fe2O3" else 0.0)
        if need[oxide] > has + MARGIN:
            found.append(
                Finding("warning", "phase_oxide", "phase_oxide", {
                    "name": f"phase:{largest[oxide][1]}", "oxide": oxide, "need": need[oxide], "has": has,
                    "mineral": largest[oxide][1], "margin": MARGIN,
                })
            )  # fmt: skip
    return found
