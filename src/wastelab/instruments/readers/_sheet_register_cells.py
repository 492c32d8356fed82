"""Cells of a sheet that registers things: masses, shares, sizes of specimens, curing; as texts of the catalogue.

Every function raises `ValueError` with a `Message` where a cell cannot be understood.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from ...errors import UnitError
from ...i18n import say
from ..sheets import Cell
from ..text import parse_number
from ..units import factor, normalise
from ._sheet_headings import clean
from ._sheet_values import read_cell, text_of

_N = r"(\d+(?:[.,]\d+)?)"
_BOX = re.compile(rf"{_N}\s*[x×*]\s*{_N}\s*[x×*]\s*{_N}\s*(mm|cm|m)?", re.I)
_ROUND = re.compile(rf"(?:[Φφøϕ]|dia\.?|d|直径)\s*{_N}\s*[x×*]\s*(?:h|高)?\s*{_N}\s*(mm|cm|m)?", re.I)
_TEMPERATURE = re.compile(
    r"(?:温度\s*)?([+-]?\d+(?:\.\d+)?)\s*(?:±\s*(\d+(?:\.\d+)?)\s*)?(?:°\s*C|℃|degC|deg C|摄氏度|C)", re.I
)
_HUMIDITY = re.compile(
    r"(?:RH|相对湿度|湿度)?\s*(≥|>=|>|大于)?\s*(\d+(?:\.\d+)?)\s*(?:±\s*(\d+(?:\.\d+)?)\s*)?%\s*(?:RH|相对湿度)?(?:以上)?",
    re.I,
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(d|days?|天|日|h|hours?|小时|min|分钟|w|weeks?|周)", re.I)
_TIMES = {"d": "d", "天": "d", "日": "d", "h": "h", "小": "h", "m": "min", "分": "min", "w": "w", "周": "w"}


def _number(cell: Cell, decimal: str) -> tuple[float, str]:
    """A plain number that is not negative, and its unit."""
    raw = read_cell(cell, decimal)
    if raw.value is None or raw.flag or raw.sigma is not None or raw.value < 0:
        raise ValueError(say("register.number", cell=text_of(cell)))
    return raw.value, raw.unit


def _scaled(number: float, unit: str, target: str, cell: Cell) -> str:
    try:
        scale = factor(unit, target)
    except UnitError:
        raise ValueError(say("register.unit", cell=text_of(cell), unit=unit, wanted=target)) from None
    return repr(float(Decimal(repr(number)) * Decimal(repr(scale))))


def mass_of(cell: Cell, unit: str, decimal: str) -> str:
    """A mass [kg]."""
    number, own = _number(cell, decimal)
    if not (own or unit):
        raise ValueError(say("register.no_unit_mass", cell=text_of(cell)))
    return _scaled(number, own or unit, "kg", cell)


def share_of(cell: Cell, unit: str, decimal: str) -> str:
    """A share of the dry binder [kg/kg]."""
    number, own = _number(cell, decimal)
    unit = own or unit
    if not unit:
        raise ValueError(say("register.no_unit_share", cell=text_of(cell)))
    return repr(number) if unit == "1" else _scaled(number, unit, "kg/kg", cell)


def ratio_of(cell: Cell, unit: str, decimal: str) -> str:
    """A ratio of water to binder [kg/kg]."""
    number, own = _number(cell, decimal)
    unit = own or unit
    text = repr(number) if unit in ("", "1") else _scaled(number, unit, "kg/kg", cell)
    if float(text) > 5.0:
        raise ValueError(say("register.water_binder", cell=text_of(cell)))
    return text


def dimensions_of(cell: Cell, unit: str, decimal: str) -> str:
    """Edges of a prism or cube, or diameter and height of a cylinder [mm], as JSON."""
    text = clean(text_of(cell))
    box, cylinder = _BOX.fullmatch(text), _ROUND.fullmatch(text)
    found = box or cylinder
    if found is None:
        raise ValueError(say("register.dimensions", cell=text))
    own = normalise(found.groups()[-1] or unit)
    if not own:
        raise ValueError(say("register.no_unit_size", cell=text))
    sizes = [float(_scaled(parse_number(n, decimal), own, "mm", cell)) for n in found.groups()[:-1]]
    if not all(0.0 < x < 1e5 for x in sizes):
        raise ValueError(say("register.dimensions", cell=text))
    body = {"edges_mm": sizes} if box else {"diameter_mm": sizes[0], "height_mm": sizes[1]}
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def curing_of(cell: Cell) -> str:
    """Stages of curing (``"20 degC, 95 %, 27 d; 60 degC, 1 d"``) as JSON; words without numbers name the medium."""
    text = clean(text_of(cell))
    stages = []
    for part in re.split(r"[;；]", text):
        if not part.strip():
            continue
        stage: dict[str, str] = {}
        for token in (t.strip() for t in re.split(r"[,，、]", part)):
            if not token:
                continue
            found = _token(token)
            if not found or found.keys() & stage.keys():
                raise ValueError(say("register.curing", cell=text, token=token))
            stage |= found
        stages.append(stage)
    if not stages:
        raise ValueError(say("register.curing", cell=text, token=text))
    return json.dumps(stages, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _token(token: str) -> dict[str, str]:
    """One entry of a stage of curing; empty where it is not understood."""
    if match := _TEMPERATURE.fullmatch(token):
        out = {"temperature": f"{float(match[1]):g} degC"}
        return out | ({"temperature_tolerance": f"{float(match[2]):g} K"} if match[2] else {})
    if match := _HUMIDITY.fullmatch(token):
        if not 0.0 <= float(match[2]) <= 100.0:
            return {}
        out = {"humidity": f"{float(match[2]):g} %"}
        if match[1] or token.endswith("以上"):
            out["humidity_bound"] = "at least"
        return out | ({"humidity_tolerance": f"{float(match[3]):g} %"} if match[3] else {})
    if match := _DURATION.fullmatch(token):
        unit, number = _TIMES[match[2][0].lower()], float(match[1])
        return {"duration": f"{number * 7:g} d" if unit == "w" else f"{number:g} {unit}"}
    return {} if any(c.isdigit() for c in token) else {"medium": token}
