"""Plausibility gates: analyses that cannot be what they claim, and the usual mistake behind them.

Each gate looks for one known mistake of tables and uploads. A finding is "error" where the data cannot be
right, "warning" where they can but deserve a look. Nothing is corrected. Texts are under ``[plausibility]`` in the
locale files; phases against oxides are in `mineral_balance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from ..i18n import DEFAULT, tr
from .composition import CLOSURE, NOT_IN_SUM
from .formulas import mineral_oxides
from .material import Material
from .moduli import components_of

#: Al2O3 of kaolinite without its water [wt%]: nothing in a gangue holds more.
KAOLINITE_AL2O3 = 100.0 * mineral_oxides("kaolinite")["Al2O3"] / (100.0 - mineral_oxides("kaolinite")["H2O"])
#: Water of kaolinite per Al2O3 by mass.
_KAOLINITE_WATER = mineral_oxides("kaolinite")["H2O"] / mineral_oxides("kaolinite")["Al2O3"]
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
#: Classes that are powders as they arise.
POWDERS = frozenset({"red_mud", "fly_ash"})
#: Classes that may gain mass on ignition by oxidation of iron and sulfide.
GAINING = frozenset({"smelting_slag", "tailings", "raw", ""})
#: Quantities in % of a reference: what is below this was typed as a fraction.
FRACTION_BELOW = {"activity_index": 10.0, "water_requirement_ratio": 10.0, "flow_ratio": 10.0, "consistency_water": 1.0}
#: Activity of K-40 per potassium oxide [Bq/kg per wt%]: 31.2 Bq per g of natural potassium.
K40_PER_K2O = 259.0
_BULK = ("bulk_density", "dry_density", "specimen_density")
_OXIDES = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "SO3", "Na2O", "K2O", "TiO2", "P2O5", "MnO", "LOI")
_OXIDE_SET = frozenset(_OXIDES)


@dataclass(frozen=True)
class Finding:
    """One doubt about an analysis.

    Attributes
    ----------
    severity : {"error", "warning"}
    gate : str
        Name of the gate.
    key : str
        Text under ``[plausibility]`` in the locale files.
    values : mapping
        For the placeholders of the text.
    """

    severity: str
    gate: str
    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, lang: str = DEFAULT) -> str:
        """What was found and what probably happened."""
        return tr(f"plausibility.{self.key}", lang, **self.values)

    @property
    def message(self) -> str:
        """The text in English."""
        return self.text(DEFAULT)

    @property
    def quantity(self) -> str:
        """The quantity it is about, or an empty string."""
        return str(self.values.get("name", ""))


def check(analysis: Material | Mapping[str, Any], waste_class: str = "", *, subtype: str = "") -> list[Finding]:
    """Run every gate on an analysis.

    Parameters
    ----------
    analysis : Material or mapping of str to float
        Contents [wt%], ``density`` [g/cm3], ``d50``/``d80``/``d90`` [um], ``Ra226`` … [Bq/kg], strengths [MPa] and
        whatever else the vocabulary of the laboratory has, in its units.
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
    return check_values(values, waste_class, subtype)


def check_values(values: Mapping[str, float], waste_class: str, subtype: str = "") -> list[Finding]:
    """As `check`, for a mapping that holds finite numbers only."""
    found = [f for gate in _GATES if (f := gate(values, waste_class, subtype)) is not None]
    if len(found) > 1:
        found.sort(key=lambda f: f.severity != "error")
    return found


def _error(gate: str, key: str, **values: object) -> Finding:
    return Finding("error", gate, key, values)


def _warning(gate: str, key: str, **values: object) -> Finding:
    return Finding("warning", gate, key, values)


@cache
def _class_zh(cls: str) -> str:
    try:
        return tr(f"plausibility.class_{cls}", "zh")
    except KeyError:
        return cls


def _get(values: Mapping[str, float], name: str) -> float:
    return values.get(name, 0.0)


@cache
def _is_oxide(name: str) -> bool:
    return name in _OXIDE_SET or (
        name[:1].isupper() and name not in NOT_IN_SUM and "O" in name and name != "Na2O_plus_K2O"
    )


def oxides_of(values: Mapping[str, float]) -> dict[str, float]:
    """The oxides and the loss on ignition among the values [wt%]."""
    return {k: x for k, x in values.items() if _is_oxide(k)}


def _negative(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    for name, value in v.items():
        if value < 0 and name not in ("LOI", "price"):
            return _error("negative", "negative", name=name, value=value)
    return None


def _closure(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    oxides = oxides_of(v)
    if len(oxides) < 4:
        return None
    total = sum(oxides.values())
    loss = oxides.get("LOI", 0.0)
    if 0.9 <= total <= 1.06:
        return _error("unit_scale", "fractions", total=total)
    if total > 5_000:
        return _error("unit_scale", "ppm", total=total)
    if loss >= 2.5 and 98.5 <= total - loss <= 101.5:
        return _error("basis", "ignited", total=total, oxides=total - loss, loss=loss)
    if total > CLOSURE[1]:
        severity = "error" if total > 106 else "warning"
        return Finding(severity, "oxide_sum", "oxide_sum_high", {"total": total, "high": CLOSURE[1]})
    if total < CLOSURE[0]:
        key = "oxide_sum_low" if "LOI" in v else "oxide_sum_no_loss"
        return _warning("oxide_sum", key, total=total, low=CLOSURE[0])
    return None


def _swapped_gangue(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls != "coal_gangue" or "metakaolin" in sub.lower():
        return None
    al, si = _get(v, "Al2O3"), _get(v, "SiO2")
    left = 1.0 - _get(v, "LOI") / 100.0
    if al > si and left > 0 and al / left > KAOLINITE_AL2O3:
        return _error("swapped_columns", "swapped_columns", name="Al2O3", al=al, si=si, limit=KAOLINITE_AL2O3)
    return None


def _shifted_red_mud(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls == "red_mud" and "Fe2O3" not in v and "FeO" not in v and "Fe" not in v and _get(v, "Al2O3") > 35.0:
        return _error("shifted_column", "shifted_column", name="Al2O3", value=v["Al2O3"], empty="Fe2O3")
    return None


#: Al2O3/SiO2 by mass above which even a high-alumina ash is doubted (those have about 1.2; from memory).
HIGH_ALUMINA = 1.5
#: Without these an analysis of the class is not what it says; reported together they are never empty.
MAIN_OXIDES = {
    "coal_gangue": ("SiO2", "Al2O3"),
    "fly_ash": ("SiO2", "Al2O3"),
    "fgd_gypsum": ("CaO", "SO3"),
    "smelting_slag": ("SiO2", "CaO"),
    "tailings": ("SiO2",),
    "red_mud": ("SiO2", "Al2O3"),
}


def _empty_main(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    given = [k for k in v if k in _OXIDE_SET and k != "LOI"]
    if len(given) < 4 or cls not in MAIN_OXIDES:
        return None
    empty = [name for name in MAIN_OXIDES[cls] if name not in v]
    if not empty:
        return None
    return _warning(
        "shifted_column", "empty_main", empty=", ".join(empty), cls=cls.replace("_", " "), cls_zh=_class_zh(cls)
    )


def _swapped_ash(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls == "fly_ash" and _get(v, "Al2O3") > HIGH_ALUMINA * _get(v, "SiO2") > 0:
        return _warning("swapped_columns", "swapped_ash", al=v["Al2O3"], si=v["SiO2"])
    return None


def _swapped_steel_slag(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    text = sub.lower()
    if cls == "smelting_slag" and ("steel" in text or "钢渣" in text) and _get(v, "SiO2") > _get(v, "CaO") > 0:
        return _warning("swapped_columns", "swapped_steel", si=v["SiO2"], ca=v["CaO"])
    return None


def _binder_shares(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    oxides = [x for k, x in v.items() if k in _OXIDE_SET and x > 0]
    if (
        2 <= len(oxides) <= 5
        and abs(sum(oxides) - 100.0) < 1e-6
        and all(abs(x / 5 - round(x / 5)) < 1e-9 for x in oxides)
    ):
        return _error("mix_shares", "mix_shares")
    return None


def _particle_size(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls not in POWDERS:
        return None
    for name in ("d50", "d80", "d90"):
        if v.get(name, 0.0) >= 500.0:
            return _error(
                "particle_size", "particle_size", name=name, value=v[name], cls=cls.replace("_", " "),
                cls_zh=_class_zh(cls),
            )  # fmt: skip
    return None


def _size_order(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    sizes = [(n, v[n]) for n in ("d10", "d50", "d80", "d90") if n in v]
    for (small, a), (large, b) in pairwise(sizes):
        if a > b:
            return _error("size_order", "size_order", name=small, value=a, other=large, limit=b)
    return None


def _density(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if "density" not in v or cls not in DENSITY:
        return None
    low, high = DENSITY[cls]
    value = v["density"]
    if low <= value <= high:
        return None
    key = "density_kg" if low * 1000 <= value <= high * 1000 else "density_other"
    return _error("density", key, name="density", value=value, low=low, high=high, cls=cls, cls_zh=_class_zh(cls))


def _bulk_density(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    for name in _BULK:
        if 0.0 < v.get(name, 1e3) < 10.0:
            return _error("unit_scale", "bulk_density", name=name, value=v[name])
    return None


def _blaine(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    value = v.get("blaine", 0.0)
    if value >= 2000.0:
        return _error("unit_scale", "blaine", name="blaine", value=value, likely=value / 10.0)
    return None


def _fraction(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    for name, low in FRACTION_BELOW.items():
        if 0.0 < v.get(name, low) < low:
            return _error("unit_scale", "fraction", name=name, value=v[name], likely=100.0 * v[name])
    return None


def _strength(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    pressed, bent = v.get("compressive_strength"), v.get("flexural_strength")
    if pressed is not None and pressed > 200.0:
        return _warning("unit_scale", "strength", name="compressive_strength", value=pressed)
    if pressed is not None and bent is not None and bent > pressed > 0.0:
        return _warning("strength_order", "strength_order", name="flexural_strength", value=bent, limit=pressed)
    return None


def _setting(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    start, end = v.get("initial_setting"), v.get("final_setting")
    if start is not None and end is not None and start > end:
        return _error("setting_order", "setting_order", name="initial_setting", value=start, limit=end)
    return None


def _free_lime(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    lime = v.get("free_CaO")
    if lime is None:
        return None
    if "CaO" in v and lime > v["CaO"]:
        return _error("free_lime", "free_lime_total", name="free_CaO", value=lime, limit=v["CaO"])
    if cls == "smelting_slag" and lime > 4.0:
        return _warning("free_lime", "free_lime_slag", name="free_CaO", value=lime)
    return None


def _gypsum(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls != "fgd_gypsum" or "CaO" not in v or v.get("SO3", 0.0) <= 0.0:
        return None
    ratio = v["CaO"] / v["SO3"]
    if ratio < 0.9 * GYPSUM_RATIO:
        return _error("gypsum_ratio", "gypsum_low", name="SO3", ratio=ratio, expected=GYPSUM_RATIO)
    if ratio > 1.25 * GYPSUM_RATIO:
        return _warning("gypsum_ratio", "gypsum_high", name="CaO", ratio=ratio, expected=GYPSUM_RATIO)
    return None


def _ash_class(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls == "fly_ash" and v.get("CaO", 0.0) > 18.0 and "class f" in sub.lower():
        return _warning("ash_class", "ash_class", name="CaO", value=v["CaO"])
    return None


def _ash_limits(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls == "fly_ash" and v.get("LOI", 0.0) > 10.0:
        return _warning("ash_loss", "ash_loss", name="LOI", value=v["LOI"])
    if cls == "fly_ash" and v.get("CaO", 0.0) > 45.0:
        return _warning("ash_lime", "ash_lime", name="CaO", value=v["CaO"])
    return None


def _raw_gangue_loss(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    if cls != "coal_gangue" or "LOI" not in v or "Al2O3" not in v:
        return None
    if "calcined" in sub.lower() or "spontaneous" in sub.lower() or "metakaolin" in sub.lower():
        return None
    water = v["Al2O3"] * _KAOLINITE_WATER
    if v["Al2O3"] > 15 and v["LOI"] < 0.5 * water:
        return _warning("gangue_loss", "gangue_loss", name="LOI", value=v["LOI"], al=v["Al2O3"], water=water)
    return None


def _negative_loss(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    value = v.get("LOI", 0.0)
    if value < -0.2 and cls not in GAINING:
        severity = "error" if value < -0.5 else "warning"
        return Finding(severity, "negative_loss", "negative_loss", {
            "name": "LOI", "value": value, "cls": cls.replace("_", " "), "cls_zh": _class_zh(cls),
        })  # fmt: skip
    return None


def _indices(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    """Indices of GB 6566 against the activities they are computed from."""
    for name, parts in (("I_Ra", {"Ra226": 200.0}), ("I_gamma", {"Ra226": 370.0, "Th232": 260.0, "K40": 4200.0})):
        if name in v and all(p in v for p in parts):
            expected = sum(v[p] / scale for p, scale in parts.items())
            # indices are reported with one decimal: half a unit of it is no contradiction
            if abs(v[name] - expected) > max(0.05 * expected, 0.051):
                return _warning("radionuclide_index", "radionuclide_index", name=name, value=v[name], expected=expected)
    return None


def _potassium(v: Mapping[str, float], cls: str, sub: str) -> Finding | None:
    """K-40 is a fixed share of all potassium."""
    if "K40" not in v or "K2O" not in v:
        return None
    expected = K40_PER_K2O * v["K2O"]
    if abs(v["K40"] - expected) > 150.0 and not 0.5 * expected <= v["K40"] <= 2.0 * expected:
        return _warning("potassium", "potassium", name="K40", value=v["K40"], expected=expected, oxide=v["K2O"])
    return None


_Gate = Callable[[Mapping[str, float], str, str], Finding | None]
_GATES: tuple[_Gate, ...] = (
    _negative, _closure, _swapped_gangue, _swapped_ash, _swapped_steel_slag,
    _shifted_red_mud, _empty_main, _binder_shares, _particle_size, _size_order, _density,
    _bulk_density, _blaine, _fraction, _strength, _setting, _free_lime, _gypsum, _ash_class, _ash_limits,
    _raw_gangue_loss, _negative_loss, _indices, _potassium,
)  # fmt: skip
