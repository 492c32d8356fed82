"""Names of table columns: what stands in front, and the unit at the end (``cement_kg_m3``, ``age_d``, ``LOI_pct``).

A lab's own training table names units in its catalogue and carries none in its columns; those names are known here too.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from ..errors import UnitError
from ..units import parse
from .design import FloatArray

#: Endings of column names and the unit they stand for; longer ones first where one ends in another.
UNIT_ENDINGS = {
    "kgCO2e_m3": "kg/m3", "kgCO2e_t": "kg/t", "co2_kg_per_t": "kg/t", "kg_per_t": "kg/t", "kg_m3": "kg/m3",
    "g_cm3": "g/cm3", "g_L": "g/L", "mg_kg": "mg/kg", "mg_L": "mg/L", "Bq_kg": "Bq/kg", "m2_kg": "m2/kg",
    "m2_g": "m2/g", "W_mK": "W/(m*K)", "kJ_mol": "kJ/mol", "kJ_kg": "kJ/kg", "J_g": "J/g", "kg_kg": "kg/kg",
    "mol_mol": "mol/mol", "MPa": "MPa", "GPa": "GPa", "kPa": "kPa", "kN": "kN", "degC": "degC", "wt_pct": "%",
    "pct": "%", "percent": "%", "mm": "mm", "cm": "cm", "um": "um", "nm": "nm", "min": "min", "psi": "psi",
    "ksi": "ksi", "kgf_cm2": "kgf/cm2", "kg_cm2": "kgf/cm2", "N_mm2": "N/mm2", "days": "d",
    "hours": "h", "d": "d", "h": "h", "kg": "kg", "t": "t", "K": "K",
}  # fmt: skip
_BRACKET = re.compile(r"^(?P<stem>.+?)\s*[\(\[](?P<unit>[^()\[\]]+)[\)\]]\s*(?P<rest>of binder|of the binder)?$")
#: Units of headings in Chinese.
CHINESE_UNITS = {
    "天": "d", "日": "d", "小时": "h", "时": "h", "分钟": "min", "千克": "kg", "公斤": "kg", "克": "g", "吨": "t",
    "度": "degC", "摄氏度": "degC", "公斤/立方米": "kg/m3", "千克/立方米": "kg/m3", "微米": "um",
    "周": "week", "兆帕": "MPa", "毫米": "mm", "厘米": "cm",
}  # fmt: skip
#: Units as some write them, and what they mean: a kilogram on an area is its weight.
UNIT_ALIASES = {
    "kg/cm2": "kgf/cm2", "kg/cm^2": "kgf/cm2", "公斤/平方厘米": "kgf/cm2", "kgf/cm^2": "kgf/cm2", "Mpa": "MPa",
    "mpa": "MPa", "MPA": "MPa", "Psi": "psi", "PSI": "psi",
}  # fmt: skip
#: Units in cells, which may say ``28 days`` where a heading says ``(d)``.
CELL_UNITS = {**CHINESE_UNITS, "day": "d", "days": "d", "hour": "h", "hours": "h", "hrs": "h", "weeks": "week"}


def split_unit(name: str) -> tuple[str, str]:
    """A column name as what it names and the unit it ends in.

    Parameters
    ----------
    name : str

    Returns
    -------
    stem, unit : str
        ``("cement", "kg/m3")`` of ``"cement_kg_m3"``, ``("水泥", "kg/m3")`` of ``"水泥(kg/m3)"``; the unit is empty
        where the name ends in none.
    """
    for ending, unit in UNIT_ENDINGS.items():
        if name.endswith("_" + ending):
            return name[: -len(ending) - 1], unit
    bracket = _BRACKET.match(unicodedata.normalize("NFKC", name).strip())
    if bracket and is_unit(bracket["unit"].strip()):
        said = bracket["unit"].strip()
        unit = CHINESE_UNITS.get(said, UNIT_ALIASES.get(said, said))
        return bracket["stem"] + (f" {bracket['rest']}" if bracket["rest"] else ""), unit
    return name, ""


@cache
def is_unit(text: str) -> bool:
    """Whether a text is a unit of a heading: ``kg/m3``, ``℃``, ``天``."""
    if text in CHINESE_UNITS or text in UNIT_ALIASES or text in ("%", "wt%"):
        return True
    for wanted in ("kg/m3", "kg", "degC", "h", "MPa", "m2/kg", "um", "g/cm3", "%", "kg/kg"):
        try:
            parse(f"1 {text}", wanted, what="unit")
        except UnitError:
            continue
        return True
    return False


def factor(unit: str, wanted: str, *, what: str) -> float:
    """What numbers in `unit` are multiplied by to be in `wanted` (units without offset).

    Raises
    ------
    UnitError
        If one is not convertible into the other; names the column.
    """
    if unit == wanted:
        return 1.0
    try:
        return parse(f"1 {unit}", wanted, what=what)
    except UnitError as exc:
        raise UnitError(f"column '{what}' is in {unit}, which is not convertible to {wanted}: {exc}") from None


def convert(values: FloatArray, unit: str, wanted: str, *, what: str) -> FloatArray:
    """Numbers of one unit in another, temperatures too.

    Raises
    ------
    UnitError
        If one is not convertible into the other; names the column.
    """
    if unit == wanted:
        return values
    try:
        offset = parse(f"0 {unit}", wanted, what=what)
    except UnitError as exc:
        raise UnitError(f"column '{what}' is in {unit}, which is not convertible to {wanted}: {exc}") from None
    if offset == 0.0:
        return values * factor(unit, wanted, what=what)
    return values * float(f"{(parse(f'1000 {unit}', wanted, what=what) - offset) / 1000.0:.14g}") + offset
