"""Units as instruments and sheets print them, and their exact conversion to the unit of the vocabulary.

A unit is parsed once per column, never per value. What cannot be converted is an error, not a guess.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import cache

from ..errors import UnitError
from ..i18n import say

#: Mass-fraction units by their size in wt%.
_SHARES = {"%": 1.0, "wt%": 1.0, "mass%": 1.0, "m%": 1.0, "w%": 1.0, "%(m/m)": 1.0, "g/100g": 1.0, "质量%": 1.0,
           "质量分数%": 1.0, "ppm": 1e-4, "mg/kg": 1e-4, "ug/g": 1e-4, "ppb": 1e-7, "ug/kg": 1e-7, "g/kg": 0.1,
           "kg/kg": 100.0, "g/t": 1e-4}  # fmt: skip


#: What unit texts are made of. Letters that are also elements (K, N, S, V, W, C) count only inside a compound unit.
_ATOMS = frozenset((
    "%", "g", "kg", "mg", "ug", "ng", "t", "mm", "cm", "m", "um", "nm", "dm", "km", "L", "l", "mL", "ml", "uL",
    "dL", "MPa", "kPa", "GPa", "Pa", "hPa", "bar", "kN", "MN", "J", "kJ", "MJ", "GJ", "kcal", "cal", "mW", "kW",
    "s", "min", "h", "d", "a", "Bq", "kBq", "mBq", "mS", "uS", "cm3", "mol", "mmol", "umol", "mV", "eV", "keV",
    "Hz", "degC", "rpm", "kgf", "tf", "cps", "kcps", "100g", "1", "ppm", "ppb", "ppt",
))  # fmt: skip
_IN_COMPOUNDS = _ATOMS | frozenset(("N", "K", "S", "V", "W", "A", "C"))


def normalise(unit: str) -> str:
    """A unit in plain letters: full-width, Greek, superscripts and blanks resolved (``"㎡／kg"`` gives ``"m2/kg"``)."""
    text = unicodedata.normalize("NFKC", unit).strip()
    while len(text) > 1 and text[0] in "[(" and _closing(text, 0) == len(text) - 1:
        text = text[1:-1].strip()
    if text in ("-", "--", "—", "–", "1", "无量纲"):
        return "1"
    for old, new in (
        ("μ", "u"), ("µ", "u"), ("℃", "degC"), ("°C", "degC"), ("^", ""), ("²", "2"), ("³", "3"), ("\u2212", "-"),
        ("·", "*"), ("⋅", "*"), ("•", "*"), ("千克", "kg"), ("公斤", "kg"), ("毫克", "mg"), ("微克", "ug"), ("克", "g"),
        ("毫升", "mL"), ("升", "L"), ("兆帕", "MPa"), ("千牛", "kN"), ("微米", "um"), ("毫米", "mm"), ("厘米", "cm"),
        ("分钟", "min"), ("小时", "h"), ("天", "d"), ("贝可", "Bq"), ("立方米", "m3"), ("平方米", "m2"),
        ("每", "/"), ("质量分数", "wt"), ("wt.", "wt"),
    ):  # fmt: skip
        text = text.replace(old, new)
    text = re.sub(r"(?<=[a-zA-Z0-9])\s+(?=[a-zA-Z])", "*", text) if not text.endswith("%") else text
    text = re.sub(r"\s+", "", text)
    low = text.lower()
    if low in ("ppm", "ppb", "ppmw", "ppbw"):
        return low[:3]
    if low in ("wt%", "wt-%", "mass%", "mass-%", "m%", "m-%", "w%", "%(m/m)", "%m/m", "wt", "%wt", "%(w/w)"):
        return "wt%"
    if low in ("mpa", "kn", "mm", "um", "mg/l", "ug/l", "mg/kg", "ug/kg", "bq/kg", "g/kg"):
        return {"mpa": "MPa", "kn": "kN", "mg/l": "mg/L", "ug/l": "ug/L", "bq/kg": "Bq/kg"}.get(low, low)
    match = re.fullmatch(r"([a-zA-Z0-9%]+)\*([a-zA-Z]+)-([1-3])", text)
    if match:
        return f"{match[1]}/{match[2]}{'' if match[3] == '1' else match[3]}"
    match = re.fullmatch(r"([a-zA-Z]+)\*([a-zA-Z]+)-1\*([a-zA-Z]+)-1", text)
    return f"{match[1]}/({match[2]}*{match[3]})" if match else text


def _closing(text: str, start: int) -> int:
    """Index of the bracket that closes the one at `start`, or -1."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "[(") - (text[i] in ")]")
        if depth == 0:
            return i
    return -1


#: Units that are given to the registry: names with small powers, one division, one bracket; never an expression.
_SOUND = re.compile(
    r"(?:1|100)?[A-Za-z%Ω°]{0,12}-?[1-4]?(?:[/*]\(?[A-Za-z%Ω°]{1,12}-?[1-4]?(?:[*/][A-Za-z]{1,12}-?[1-4]?)*\)?)*"
)


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
    for shown, text in ((unit, found), (target, wanted)):
        if not _SOUND.fullmatch(text):
            raise UnitError(say("sheet.unit_unknown", unit=shown, like=target or "wt%"))
    from ..units import registry

    def prepare(text: str) -> str:
        text = re.sub(r"(?<=[a-zA-Z])(-?[123])(?![0-9])", r"**\1", text)
        return text.replace("/L", "/liter")

    try:
        ureg = registry()
        number = float(ureg.Quantity(1.0, prepare(found)).to(prepare(wanted)).magnitude)
        zero = float(ureg.Quantity(0.0, prepare(found)).to(prepare(wanted)).magnitude)
    except Exception as exc:  # pint raises many unrelated classes
        raise UnitError(say("sheet.unit_kind", unit=unit, target=target, detail=str(exc))) from None
    if zero != 0.0:
        raise UnitError(say("sheet.unit_zero", unit=unit, target=target))
    return float(f"{number:.12g}")


def times(number: float, scale: float) -> float:
    """A product, rounded once: 0.21 times 100 is 21, not 20.999999999999996."""
    if scale == 1.0:
        return number
    return float(Decimal(repr(float(number))) * Decimal(repr(scale)))


def split_heading(heading: str) -> tuple[str, str]:
    """Split a heading into name and unit (empty if it holds none).

    Examples
    --------
    >>> split_heading("SiO2 (wt%)"), split_heading("CaO/%"), split_heading("导热系数 W/(m·K)")
    (('SiO2', 'wt%'), ('CaO', '%'), ('导热系数', 'W/(m*K)'))
    """
    text = unicodedata.normalize("NFKC", heading).strip()
    for name, unit in _splits(text):
        if name and looks_like_unit(unit):
            return name, normalise(unit)
    return text, ""


def _splits(text: str) -> list[tuple[str, str]]:
    """Ways to cut a heading, the surest first: bracket at the end, last word, after a slash or comma."""
    found = []
    if text.endswith((")", "]")):
        start = next((i for i in range(len(text)) if text[i] in "[(" and _closing(text, i) == len(text) - 1), -1)
        if start > 0:
            before = text[:start].rstrip()
            if not re.search(r"(?:^|[\s/,;:])(?:W|mW|J|kJ|g|kg|mg|N|kN)\s*[/*·]$", before):
                found.append((before.rstrip("/,;:： ").rstrip(), text[start + 1 : -1]))
    for mark in (" ", "/", ",", ";", ":", "_"):
        found.extend(
            (text[:i].rstrip("/,;:_ ").rstrip(), text[i + 1 :].strip())
            for i, c in enumerate(text)
            if c == mark and i > 0
        )
    return found


def looks_like_unit(text: str) -> bool:
    """True for what can only be a unit: ``"wt%"``, ``"W/(m·K)"``, ``"Bq kg-1"``; not for ``"SiO2"`` or ``"K"``."""
    body = normalise(text)
    if not body:
        return False
    if body in _SHARES or body == "1":
        return True
    if re.fullmatch(r"(?:at|vol|v|mol)%", body):
        return True
    tokens = [t for t in re.split(r"[/*()]", body) if t]
    known = _ATOMS if len(tokens) == 1 else _IN_COMPOUNDS
    if not tokens or body.count("(") != body.count(")") or not re.fullmatch(r"[^/*()]+(?:[/*]\(?[^/*()]+\)?)*", body):
        return False
    return all(t in known or re.sub(r"-?[1-3]$", "", t) in known for t in tokens)
