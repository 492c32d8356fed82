"""Temperature programs: ramps and holds as a person writes them, piecewise linear in time.

``"10 K/min to 1250 degC, hold 30 min"`` starts at 25 degC unless another start is named first:
``"from 105 degC, 5 K/min to 600 degC, hold 2 h, 20 K/min to 950 degC"``. A step to a temperature in a given time is
``"in 30 min to 800 degC"``. Chinese punctuation, 保温 (hold), 升至 (to) and units as typed in China are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnitError, ValidityError
from ..units import parse

FloatArray = NDArray[np.float64]

#: What a furnace program may span [K].
AMBIENT_K = 298.15
LOWEST_K, HIGHEST_K = 273.15, 2273.15
EXAMPLE = "'10 K/min to 1250 degC, hold 30 min'"

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_FROM = re.compile(rf"^(?:from|start(?:ing)?(?: at)?|从|自)\s*({_NUMBER}\s*[^\s\d]\S*)$", re.IGNORECASE)
_RAMP = re.compile(
    rf"^(?:heat(?:ing)?|cool(?:ing)?|ramp|以)?\s*(?:at\s*)?({_NUMBER})\s*(\S+?\s*/\s*\S+?)\s*(?:to|升温至|升至|降温至|降至|加热至|冷却至|至|到)\s*({_NUMBER}\s*[^\s\d]\S*)$",
    re.IGNORECASE,
)
_IN = re.compile(rf"^(?:in|within)\s*({_NUMBER}\s*[^\s\d]+)\s*to\s*({_NUMBER}\s*[^\s\d]\S*)$", re.IGNORECASE)
_HOLD = re.compile(rf"^(?:hold(?: for)?|保温|恒温)\s*({_NUMBER}\s*[^\s\d]\S*)$", re.IGNORECASE)
_WORDS = {"分钟": "min", "小时": "h", "时": "h", "分": "min", "秒": "s"}


@dataclass(frozen=True)
class TemperatureProgram:
    """Temperature over time, linear between its corners.

    Attributes
    ----------
    time_s : tuple of float
        Times of the corners, from 0 upward [s].
    temperature_K : tuple of float
        Temperature at each [K].
    text : str
        As typed.
    """

    time_s: tuple[float, ...]
    temperature_K: tuple[float, ...]
    text: str = ""

    def __post_init__(self) -> None:
        t, temp = np.array(self.time_s, dtype=float), np.array(self.temperature_K, dtype=float)
        if t.ndim != 1 or t.shape != temp.shape:
            raise ValidityError(
                f"A temperature program needs as many temperatures as times, each in one row; got times {t.shape} and "
                f"temperatures {temp.shape}."
            )
        if len(t) < 2:
            raise ValidityError(f"A temperature program needs at least two corners, got {len(t)}; write {EXAMPLE}.")
        if not (np.isfinite(t).all() and np.isfinite(temp).all()):
            raise ValidityError("A temperature program holds a time or temperature that is not a number.")
        if t[0] != 0 or bool(np.any(np.diff(t) <= 0)):
            bad = int(np.argmax(np.diff(t) <= 0)) + 1
            raise ValidityError(
                f"Temperature program, corner {bad}: {t[bad]:g} s does not come after {t[bad - 1]:g} s; every ramp "
                "and hold needs a length above zero, and the first time is 0."
            )
        out = (temp < LOWEST_K) | (temp > HIGHEST_K)
        if bool(out.any()):
            value = float(temp[int(np.argmax(out))])
            raise ValidityError(
                f"Temperature program: {value - 273.15:g} degC is outside {LOWEST_K - 273.15:g} to "
                f"{HIGHEST_K - 273.15:g} degC."
            )

    @classmethod
    def parse(cls, text: str, *, start_K: float = AMBIENT_K) -> TemperatureProgram:
        """Read a program as typed.

        Parameters
        ----------
        text : str
            Steps separated by commas or semicolons: a start, ramps, holds; see the module.
        start_K : float
            Start where the text names none [K].

        Raises
        ------
        UnitError
            If a step cannot be read or a unit is missing.
        ValidityError
            For a hold of no length, a rate of zero or in the wrong direction, a temperature out of range.
        """
        if not isinstance(text, str) or not text.strip():
            raise UnitError(f"The temperature program is empty; write for example {EXAMPLE}.")
        times, temps = [0.0], [start_K]
        steps = [s.strip() for s in re.split(r"[,;，；、。]|\bthen\b|然后", text) if s.strip()]
        for number, step in enumerate(steps, 1):
            for word, unit in _WORDS.items():
                step = step.replace(word, unit)
            where = f"temperature program, step {number} ({step!r})"
            if match := _FROM.match(step):
                if number > 1:
                    raise UnitError(f"{where}: a start stands first, as in 'from 105 degC, 10 K/min to 600 degC'.")
                temps[0] = _kelvin(match[1], where)
            elif match := _RAMP.match(step):
                rate, target = _rate(match[1], match[2], where), _kelvin(match[3], where)
                _ramp(times, temps, target, rate, where)
            elif match := _IN.match(step):
                length, target = parse(match[1], "s", what=where), _kelvin(match[2], where)
                if length <= 0:
                    raise ValidityError(f"{where}: takes no time; give a length above zero.")
                times.append(times[-1] + length)
                temps.append(target)
            elif match := _HOLD.match(step):
                length = parse(match[1], "s", what=where)
                if length <= 0:
                    raise ValidityError(f"{where}: a hold needs a length above zero; leave the step out instead.")
                times.append(times[-1] + length)
                temps.append(temps[-1])
            else:
                raise UnitError(
                    f"{where}: not understood; expected a ramp '10 K/min to 1250 degC', 'in 30 min to 800 degC', "
                    "'hold 30 min', or first 'from 105 degC'."
                )
        return cls(tuple(times), tuple(temps), text.strip())

    @classmethod
    def isothermal(cls, temperature_K: float, length_s: float) -> TemperatureProgram:
        """A sample put into a hot furnace and held there."""
        return cls((0.0, length_s), (temperature_K, temperature_K), "")

    @property
    def duration_s(self) -> float:
        """[s]"""
        return self.time_s[-1]

    @property
    def peak_K(self) -> float:
        """Highest temperature [K]."""
        return max(self.temperature_K)

    def at(self, time_s: ArrayLike) -> FloatArray:
        """Temperature [K] at times [s]; constant before the start and after the end."""
        return np.interp(np.asarray(time_s, dtype=np.float64), self.time_s, self.temperature_K)

    def rates(self) -> FloatArray:
        """Heating rate of each segment [K/s]."""
        return np.diff(self.temperature_K) / np.diff(self.time_s)

    def __str__(self) -> str:
        if self.text:
            return self.text
        corners = ", ".join(
            f"{t / 60:g} min {temp - 273.15:g} degC" for t, temp in zip(self.time_s, self.temperature_K, strict=True)
        )
        return f"corners at {corners}"


def as_program(program: TemperatureProgram | str | tuple[ArrayLike, ArrayLike]) -> TemperatureProgram:
    """A program from what a person gave: text, a program, or measured (time [s], temperature [K])."""
    if isinstance(program, TemperatureProgram):
        return program
    if isinstance(program, str):
        return TemperatureProgram.parse(program)
    try:
        time_s, temperature_K = program
        t, temp = np.asarray(time_s, dtype=float), np.asarray(temperature_K, dtype=float)
    except (TypeError, ValueError):
        raise ValidityError(
            f"program = {program!r}; expected text such as {EXAMPLE}, or (times [s], temperatures [K]) as measured."
        ) from None
    if t.size == 0:
        raise ValidityError("The temperature program is empty: no times were given.")
    t, temp = np.atleast_1d(t), np.atleast_1d(temp)
    if t.ndim != 1 or t.shape != temp.shape:
        raise ValidityError(
            f"program: {t.shape} times and {temp.shape} temperatures; expected one row of each, equally long."
        )
    return TemperatureProgram(tuple(map(float, t - t[0])), tuple(map(float, temp)))


def kelvin(value: str | float, what: str = "temperature") -> float:
    """A temperature in K from text with a unit (``"1250 degC"``); a bare number is refused.

    Raises
    ------
    UnitError, ValidityError
    """
    bare = str(value).strip()
    if re.fullmatch(_NUMBER, bare):
        raise UnitError(f'{what} = {value!r} has no unit; write "{bare} degC" or "{bare} K".')
    t = parse(_spaced(value) if isinstance(value, str) else value, "kelvin", what=what)
    if not LOWEST_K <= t <= HIGHEST_K:
        raise ValidityError(
            f"{what} = {value!r}: {t - 273.15:g} degC is outside {LOWEST_K - 273.15:g} to {HIGHEST_K - 273.15:g} degC."
        )
    return t


def _kelvin(text: str, where: str) -> float:
    return kelvin(text, where)


def _spaced(text: str) -> str:
    match = re.match(rf"^({_NUMBER})\s*(\S+)$", text.strip())
    if match is None:
        return text
    unit = {"C": "degC", "K": "kelvin", "F": "degF"}.get(match[2], match[2])
    return f"{match[1]} {unit}"


def _rate(number: str, unit: str, where: str) -> float:
    unit = unit.replace("℃", "K").replace("°C", "K").replace("degC", "K").replace(" ", "")
    if unit.startswith("C/"):
        unit = "K" + unit[1:]
    return parse(f"{number} {unit.replace('K/', 'kelvin/', 1)}", "kelvin/s", what=where)


def _ramp(times: list[float], temps: list[float], target: float, rate: float, where: str) -> None:
    change = target - temps[-1]
    if rate == 0:
        raise ValidityError(f"{where}: a rate of zero never arrives; write a hold.")
    if change == 0:
        raise ValidityError(f"{where}: the ramp has no length, it starts at {target - 273.15:g} degC already.")
    if rate < 0 and change > 0:
        raise ValidityError(f"{where}: a negative rate cannot heat from {temps[-1] - 273.15:g} degC.")
    times.append(times[-1] + abs(change / rate))
    temps.append(target)
