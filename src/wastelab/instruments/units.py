"""Units as instruments and sheets print them, and their exact conversion to the unit of the vocabulary.

A unit is parsed once per column, never per value. What cannot be converted is an error, not a guess.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from ..errors import UnitError

#: Mass-fraction units by their size in wt%.
_SHARES = {"%": 1.0, "wt%": 1.0, "mass%": 1.0, "m%": 1.0, "w%": 1.0, "%(m/m)": 1.0, "g/100g": 1.0, "质量%": 1.0, "质量分数%": 1.0,
           "ppm": 1e-4, "mg/kg": 1e-4, "ug/g": 1e-4, "ppb": 1e-7, "ug/kg": 1e-7, "g/kg": 0.1, "kg/kg": 100.0, "g/t": 1e-4}  # fmt: skip


def normalise(unit: str) -> str:
    """A unit in plain letters: full-width, Greek, superscripts and blanks resolved (``"㎡／kg"`` gives ``"m2/kg"``)."""
    text = unicodedata.normalize("NFKC", unit).strip().strip("[]()")
    for old, new in (
        ("μ", "u"), ("µ", "u"), ("℃", "degC"), ("°C", "degC"), ("^", ""), ("²", "2"), ("³", "3"), ("⁻¹", "-1"),
        ("·", "*"), ("千克", "kg"), ("公斤", "kg"), ("毫克", "mg"), ("克", "g"), ("升", "L"), ("兆帕", "MPa"),
        ("微米", "um"), ("毫米", "mm"), ("分钟", "min"), ("贝可", "Bq"),
    ):  # fmt: skip
        text = text.replace(old, new)
    text = re.sub(r"\s+", "", text)
    low = text.lower()
    if low in ("ppm", "ppb", "wt%", "wt.%", "mass%", "m%", "w%", "wt-%", "mass-%"):
        return {"wt.%": "wt%", "wt-%": "wt%", "mass-%": "wt%", "mass%": "wt%", "m%": "wt%", "w%": "wt%"}.get(low, low)
    return text


@cache
def factor(unit: str, target: str) -> float:
    """What a value in `unit` is multiplied by to be in `target`.

    Raises
    ------
    UnitError
        If the unit is unknown, of another kind, or needs more than a factor.
    """
    found, wanted = normalise(unit), normalise(target)
    if found == wanted:
        return 1.0
    if found in _SHARES and wanted in _SHARES:
        ratio = _SHARES[found] / _SHARES[wanted]
        return float(f"{ratio:.12g}")
    if found in ("", "1") and wanted in ("", "1"):
        return 1.0
    from ..units import registry

    def prepare(text: str) -> str:
        text = re.sub(r"(?<=[a-zA-Z])(-?[123])(?![0-9])", r"**\1", text)
        return text.replace("/L", "/liter")

    try:
        ureg = registry()
        number = float(ureg.Quantity(1.0, prepare(found)).to(prepare(wanted)).magnitude)
        zero = float(ureg.Quantity(0.0, prepare(found)).to(prepare(wanted)).magnitude)
    except Exception as exc:  # pint raises many unrelated classes
        raise UnitError(f"unit {unit!r} cannot be converted to {target!r} ({exc}).") from None
    if zero != 0.0:
        raise UnitError(f"unit {unit!r} has another zero than {target!r}; convert the numbers first.")
    return float(f"{number:.12g}")


def split_heading(heading: str) -> tuple[str, str]:
    """Split ``"SiO2 (wt%)"``, ``"CaO/%"``, ``"Pb [mg/kg]"``, ``"抗压强度(MPa)"`` into name and unit (empty if none)."""
    text = unicodedata.normalize("NFKC", heading).strip()
    match = re.fullmatch(r"(.+?)\s*[\[(]\s*([^\[\]()]*(?:\([^()]*\))?[^\[\]()]*)\s*[\])]\s*", text)
    if match and _looks_like_unit(match[2]):
        return match[1].strip(), normalise(match[2])
    match = re.fullmatch(r"(.+?)\s*[/,]\s*(%|wt\.?%|ppm|ppb|mg/kg|mg/L|MPa|kN|mm|[uµμ]m|m2/kg|m²/kg|g/cm3|Bq/kg|min|h|d|kg)",
                         text, re.IGNORECASE)  # fmt: skip
    if match:
        return match[1].strip(), normalise(match[2])
    match = re.fullmatch(r"(.+?)\s+(wt\.?%|%|ppm|mg/kg|mg/L|MPa)", text, re.IGNORECASE)
    if match:
        return match[1].strip(), normalise(match[2])
    return text, ""


def _looks_like_unit(text: str) -> bool:
    body = normalise(text)
    if body in _SHARES or body in ("1", "-", ""):
        return True
    return bool(re.fullmatch(r"(?:[a-zA-Z%]{1,5}-?[0-9]?)(?:[/*](?:\(?[a-zA-Z]{1,4}-?[0-9]?(?:\*[a-zA-Z]{1,2})?\)?))*", body)) and body.lower() not in (
        "xrf", "total", "sum", "dry", "ar", "db", "loi", "nd",
    )  # fmt: skip
