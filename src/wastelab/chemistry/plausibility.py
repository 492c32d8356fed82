"""Plausibility gates: analyses that cannot be what they claim, and the usual mistake behind them.

Each gate looks for one known mistake of tables and uploads. A finding is "error" where the data cannot be
right, "warning" where they can but deserve a look. Nothing is corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .composition import CLOSURE, NOT_IN_SUM
from .formulas import mineral_oxides
from .material import Material
from .moduli import components_of

#: Al2O3 of kaolinite without its water [wt%]: nothing in a gangue holds more.
KAOLINITE_AL2O3 = 100.0 * mineral_oxides("kaolinite")["Al2O3"] / (100.0 - mineral_oxides("kaolinite")["H2O"])
#: CaO/SO3 by mass in calcium sulfate.
GYPSUM_RATIO = mineral_oxides("gypsum")["CaO"] / mineral_oxides("gypsum")["SO3"]
#: Particle density that each class can have [g/cm3] (wide; typical values from memory).
DENSITY = {
    "red_mud": (2.3, 3.8),
    "fly_ash": (1.7, 3.1),
    "coal_gangue": (1.8, 3.0),
    "fgd_gypsum": (2.1, 3.0),
    "smelting_slag": (2.5, 4.2),
    "tailings": (2.4, 4.8),
}
_OXIDES = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "SO3", "Na2O", "K2O", "TiO2", "P2O5", "MnO", "LOI")


@dataclass(frozen=True)
class Finding:
    """One doubt about an analysis.

    Attributes
    ----------
    severity : {"error", "warning"}
    gate : str
        Name of the gate.
    message : str
        What was found and what probably happened.
    """

    severity: str
    gate: str
    message: str


def check(analysis: Material | Mapping[str, Any], waste_class: str = "", *, subtype: str = "") -> list[Finding]:
    """Run every gate on an analysis.

    Parameters
    ----------
    analysis : Material or mapping of str to float
        Contents [wt%], ``density`` [g/cm3], ``d50``/``d80``/``d90`` [um], ``Ra226`` … [Bq/kg].
    waste_class : str, optional
        Taken from the material if it is one.
    subtype : str, optional
        What the table calls it (``"class F"``).

    Returns
    -------
    list of Finding
        Errors first; empty if nothing looks wrong.
    """
    if isinstance(analysis, Material):
        waste_class = waste_class or analysis.waste_class
        subtype = subtype or analysis.name
    values = {k: float(v) for k, v in components_of(analysis).items() if v is not None and v == v and k != "mass"}
    found = [f for gate in _GATES if (f := gate(values, waste_class, subtype)) is not None]
    return sorted(found, key=lambda f: f.severity != "error")


def _get(values: Mapping[str, float], name: str) -> float:
    return values.get(name, 0.0)


def _negative(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    bad = {k: x for k, x in v.items() if x < 0 and k not in ("LOI", "price")}
    if bad:
        name, value = next(iter(bad.items()))
        return Finding("error", "negative", f"{name} = {value:g} is negative; a content cannot be.")
    return None


def _closure(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    oxides = {k: x for k, x in v.items() if k in _OXIDES or (k[:1].isupper() and k not in NOT_IN_SUM and "O" in k)}
    oxides = {k: x for k, x in oxides.items() if k not in ("Na2O_plus_K2O",)}
    if len(oxides) < 4:
        return None
    total = sum(oxides.values())
    if total > CLOSURE[1]:
        return Finding(
            "error" if total > 106 else "warning", "oxide_sum",
            f"oxide sum {total:.1f} wt% is above {CLOSURE[1]:g}: a column counted twice, or another basis?",
        )  # fmt: skip
    if total < CLOSURE[0]:
        hint = "LOI is missing" if "LOI" not in v else "a component is missing"
        return Finding("warning", "oxide_sum", f"oxide sum {total:.1f} wt% is below {CLOSURE[0]:g}: {hint}?")
    return None


def _swapped_gangue(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls != "coal_gangue" or "metakaolin" in sub.lower():
        return None
    al, si = _get(v, "Al2O3"), _get(v, "SiO2")
    left = 1.0 - _get(v, "LOI") / 100.0
    if al > si and al / left > KAOLINITE_AL2O3:
        return Finding(
            "error", "swapped_columns",
            f"Al2O3 = {al:g} wt% is above SiO2 = {si:g} wt% and above that of pure kaolinite without water "
            f"({KAOLINITE_AL2O3:.1f} wt%): the SiO2 and Al2O3 columns are probably swapped.",
        )  # fmt: skip
    return None


def _binder_shares(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    oxides = [x for k, x in v.items() if k in _OXIDES and x > 0]
    if (
        2 <= len(oxides) <= 5
        and abs(sum(oxides) - 100.0) < 1e-6
        and all(abs(x / 5 - round(x / 5)) < 1e-9 for x in oxides)
    ):
        return Finding(
            "error", "mix_shares",
            "the contents are all multiples of 5 and sum to exactly 100: these look like shares of a mix typed into "
            "oxide columns, not an analysis.",
        )  # fmt: skip
    return None


def _particle_size(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls not in ("red_mud", "fly_ash"):
        return None
    for name in ("d50", "d80", "d90"):
        if v.get(name, 0.0) >= 500.0:
            return Finding(
                "error", "particle_size",
                f"{name} = {v[name]:g} um: {cls.replace('_', ' ')} is a powder; the table probably gives um, not mm.",
            )  # fmt: skip
    return None


def _density(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if "density" not in v or cls not in DENSITY:
        return None
    low, high = DENSITY[cls]
    value = v["density"]
    if low <= value <= high:
        return None
    hint = "; it looks like kg/m3" if low * 1000 <= value <= high * 1000 else "; bulk density, or a wrong column?"
    return Finding("error", "density", f"density = {value:g} g/cm3 is outside {low:g}-{high:g} for {cls}{hint}.")


def _free_lime(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    lime = v.get("free_CaO")
    if lime is None:
        return None
    if "CaO" in v and lime > v["CaO"]:
        return Finding("error", "free_lime", f"free CaO = {lime:g} wt% is more than all CaO = {v['CaO']:g} wt%.")
    if cls == "smelting_slag" and lime > 4.0:
        return Finding(
            "warning", "free_lime",
            f"free CaO = {lime:g} wt% is above 4.0 (GB/T 20491-2017, from memory): unsound unless aged.",
        )  # fmt: skip
    return None


def _gypsum(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls != "fgd_gypsum" or "CaO" not in v or not v.get("SO3"):
        return None
    ratio = v["CaO"] / v["SO3"]
    if ratio < 0.9 * GYPSUM_RATIO:
        return Finding(
            "error", "gypsum_ratio",
            f"CaO/SO3 = {ratio:.2f}, calcium sulfate has {GYPSUM_RATIO:.2f}: SO3 too high or columns mixed up.",
        )  # fmt: skip
    if ratio > 1.25 * GYPSUM_RATIO:
        return Finding(
            "warning", "gypsum_ratio",
            f"CaO/SO3 = {ratio:.2f}, calcium sulfate has {GYPSUM_RATIO:.2f}: much limestone left, or sulfite?",
        )  # fmt: skip
    return None


def _ash_class(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    text = sub.lower()
    if cls == "fly_ash" and "class f" in text and v.get("CaO", 0.0) > 18.0:
        return Finding(
            "warning",
            "ash_class",
            f"CaO = {v['CaO']:g} wt%: above 18 it is class C by ASTM C618-19, not class F.",
        )
    return None


def _ash_limits(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls == "fly_ash" and v.get("LOI", 0.0) > 10.0:
        return Finding(
            "warning", "ash_loss",
            f"LOI = {v['LOI']:g} wt% is above every grade of GB/T 1596-2017 (10 %, from memory): unburnt carbon.",
        )  # fmt: skip
    if cls == "fly_ash" and v.get("CaO", 0.0) > 45.0:
        return Finding("warning", "ash_lime", f"CaO = {v['CaO']:g} wt% in a fly ash: desulfurisation ash or lime?")
    return None


def _raw_gangue_loss(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls != "coal_gangue" or "LOI" not in v or "Al2O3" not in v:
        return None
    if "calcined" in sub.lower() or "spontaneous" in sub.lower() or "metakaolin" in sub.lower():
        return None
    share = mineral_oxides("kaolinite")
    water = v["Al2O3"] / share["Al2O3"] * share["H2O"]
    if v["Al2O3"] > 15 and v["LOI"] < 0.5 * water:
        return Finding(
            "warning", "gangue_loss",
            f"LOI = {v['LOI']:g} wt%, but kaolinite for {v['Al2O3']:g} wt% Al2O3 alone loses {water:.1f} wt%: "
            "calcined or burnt gangue, or an LOI-free basis?",
        )  # fmt: skip
    return None


_Gate = Callable[[Mapping[str, float], str, str], Finding | None]
_GATES: tuple[_Gate, ...] = (
    _negative, _closure, _swapped_gangue, _binder_shares, _particle_size, _density, _free_lime, _gypsum, _ash_class,
    _ash_limits, _raw_gangue_loss,
)  # fmt: skip
