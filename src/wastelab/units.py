"""Units: one pint registry, and the parsing of what a person types.

Knows the units of the field that pint does not: wt%, Blaine (m2/kg), CNY/RMB, degC typed as `℃`.
A bare number where a unit is needed is an error, not a guess.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from .errors import UnitError

_ALIASES = (
    ("℃", " degC"),
    ("°C", " degC"),
    ("％", "%"),
    ("wt.%", "%"),
    ("wt%", "%"),
    ("mass%", "%"),
    ("µ", "u"),
    ("μ", "u"),
    ("²", "**2"),
    ("³", "**3"),
    ("·", "*"),
    ("RMB", "CNY"),
    ("元", "CNY"),
)
_NUMBER = re.compile(r"^\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")
_POWER = re.compile(r"(?<=[a-zA-Z])([23])(?=$|[^\w])")


@cache
def registry() -> Any:
    """The pint registry used everywhere (built on first use: it takes a while to import)."""
    import pint

    ureg: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    ureg.define("CNY = [currency]")
    ureg.define("kgce = 29.3076 * megajoule")
    return ureg


def parse_number(text: str) -> tuple[float, str]:
    """Split ``"1250 degC"`` into ``(1250.0, "degC")``.

    Raises
    ------
    UnitError
        If the text does not begin with a number.
    """
    match = _NUMBER.match(text)
    if match is None:
        raise UnitError(f"{text!r} is not a number with a unit; write for example '12.5 %' or '30 min'.")
    return float(match[1]), match[2]


def parse(value: str | float | int, unit: str, *, what: str = "value") -> float:
    """Parse what a person typed and return it in `unit`.

    Parameters
    ----------
    value : str or number
        For example ``"0.5 %"``, ``"1250 degC"``, ``"30 min"``. A number without unit is accepted only
        where `unit` is empty (dimensionless).
    unit : str
        Unit of the result; ``"%"`` for a percentage (``"5 %"`` gives 5.0), ``"kg/kg"`` for a fraction
        (``"5 %"`` gives 0.05), ``""`` for a pure number.
    what : str
        Name used in the error message.

    Returns
    -------
    float
        The value in `unit`.

    Raises
    ------
    UnitError
        If the unit is missing, unknown, or of another kind.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f"{what}: {value!r} is not a number with a unit; expected something in {unit or '1'}.")
    if not isinstance(value, str):
        if unit == "":
            return float(value)
        raise UnitError(f'{what} = {value!r} has no unit; write it as text with one, e.g. "{value:g} {unit}".')
    number, typed = parse_number(value)
    for old, new in _ALIASES:
        typed = typed.replace(old, new)
    typed = typed.strip()
    wanted = unit
    for old, new in _ALIASES:
        wanted = wanted.replace(old, new)
    wanted = wanted.strip()
    if typed == wanted:
        return number
    if typed == "":
        if unit == "":
            return number
        raise UnitError(f'{what} = {value!r} has no unit; expected {unit}, e.g. "{number:g} {unit}".')
    if typed == "%":
        if wanted in ("kg/kg", ""):
            return number / 100.0
        raise UnitError(f"{what} = {value!r} is a percentage; expected {unit or 'a pure number'}.")
    if wanted == "%":
        if typed in ("kg/kg",):
            return number * 100.0
        raise UnitError(f'{what} = {value!r}: expected a percentage, e.g. "{number:g} %".')
    ureg = registry()
    try:
        quantity = ureg.Quantity(number, _POWER.sub(r"**\1", typed))
        return float(quantity.to(_POWER.sub(r"**\1", wanted) or "dimensionless").magnitude)
    except Exception as exc:  # pint raises many unrelated classes
        raise UnitError(f"{what} = {value!r} cannot be read as {unit or 'a pure number'} ({exc}).") from None
