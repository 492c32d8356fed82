"""Thermal curves as a person has them, read into runs: time [s], temperature [K] and one signal.

Datasets of `wastelab.read` and of a laboratory carry their units; tables and mappings name them in the column
(``temperature_degC``, ``mass [mg]``), in ``attrs["units"]`` or in the argument `units`. A column without a unit is
refused, and so is a unit that cannot be right for its numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDataError, UnitError, ValidityError

FloatArray = NDArray[np.float64]
Kind = Literal["mass", "dsc", "alpha"]

#: Names under which a column is found, best first.
_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("time", "t"),
    "temperature": ("temperature", "sample_temperature", "temp", "T"),
    "program": ("program_temperature",),
    "mass": ("mass", "mass_percent", "mass_change", "weight", "tg"),
    "dsc": ("heat_flow_specific", "heat_flow", "dsc", "dsc_signal", "dta"),
    "alpha": ("alpha", "conversion"),
}
_TIME = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "hour": 3600.0}
_TEMPERATURE = {"K": 0.0, "kelvin": 0.0, "degC": 273.15, "°C": 273.15, "℃": 273.15, "C": 273.15, "celsius": 273.15}
_MASS = {"mg": 1.0, "g": 1e3, "ug": 1e-3, "kg": 1e6, "%": 0.01, "wt%": 0.01, "percent": 0.01, "1": 1.0,
         "kg/kg": 1.0, "g/g": 1.0, "mg/mg": 1.0, "fraction": 1.0}  # fmt: skip
_RELATIVE = frozenset({"%", "wt%", "percent", "1", "kg/kg", "g/g", "mg/mg", "fraction"})
_HEAT = {"mW": 1.0, "W": 1e3, "mW/mg": 1.0, "W/g": 1.0, "W_g": 1.0, "uV": 1.0, "uV/mg": 1.0, "mV": 1.0}
_ALPHA = {"1": 1.0, "%": 0.01, "percent": 0.01, "-": 1.0, "fraction": 1.0}
_UNITS: dict[str, Mapping[str, float]] = {
    "time": _TIME, "temperature": _TEMPERATURE, "program": _TEMPERATURE, "mass": _MASS, "dsc": _HEAT, "alpha": _ALPHA,
}  # fmt: skip
_IN_BRACKETS = re.compile(r"^(.*?)\s*[\[(/]\s*([^\])]+?)\s*[\])]?$")
#: Points that a curve needs at least.
FEWEST_POINTS = 20


@dataclass(frozen=True)
class Run:
    """One curve in SI units.

    Attributes
    ----------
    name : str
    time_s, temperature_K, signal : ndarray, shape (n,)
        Signal: mass relative to the start [kg/kg] (or the change in mg where the mass at the start is unknown), heat
        flow as measured, or conversion [-].
    kind : {"mass", "dsc", "alpha"}
    initial_mass_mg : float or None
    program_K : ndarray or None
        Temperature that the programme asked for, where recorded.
    sha256 : str
        Of the numbers.
    notes : tuple of str
    """

    name: str
    time_s: FloatArray
    temperature_K: FloatArray
    signal: FloatArray
    kind: Kind
    initial_mass_mg: float | None = None
    program_K: FloatArray | None = None
    relative: bool = True
    sha256: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class _Table:
    """Columns by their full name, unit of each ("" unknown), and what else is known."""

    columns: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    name: str = ""
    initial_mass_mg: float | None = None


def as_list(curves: Any) -> list[Any]:
    """The runs of `fit_kinetics` as a list; one curve counts as a list of one.

    Raises
    ------
    ValidityError
        For what holds no curves, and for paths: files are read first.
    """
    wanted = (
        "give a list of runs at three or more heating rates: Datasets of wastelab.read, "
        "DataFrames, mappings of columns or (time, temperature, mass) with units=."
    )
    lone = isinstance(curves, Mapping | str | Path | Run)
    if lone or any(hasattr(curves, name) for name in ("data_vars", "columns", "raw_alpha")):
        curves = [curves]
    try:
        found = list(curves)
    except TypeError:
        what = "None" if curves is None else f"{type(curves).__name__} {curves!r:.40}"
        raise ValidityError(f"curves is {what}; {wanted}") from None
    if not found:
        raise ValidityError(f"There are no curves; {wanted}")
    for number, curve in enumerate(found, 1):
        if isinstance(curve, str | Path):
            there = Path(curve).is_file()
            advice = f"read it first: wastelab.read({str(curve)!r})" if there else "and there is no such file"
            raise ValidityError(f"Curve {number} is the path {str(curve)!r}, {advice}; {wanted}")
    return found


def read_run(
    curve: Any,
    number: int = 0,
    *,
    signal: str = "auto",
    units: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Run:
    """One curve of any accepted form.

    Parameters
    ----------
    curve : xarray.Dataset, pandas.DataFrame, mapping, (time, temperature, signal) or Run
    number : int
        Position in the list, for messages and for a name.
    signal : {"auto", "mass", "dsc", "alpha"}
        What to read. ``"auto"`` takes the mass if there is one, else the conversion, else the heat flow.
    units : mapping, optional
        Of columns that do not carry theirs, e.g. ``{"time": "min", "temperature": "degC", "mass": "mg"}``.
    name : str, optional

    Raises
    ------
    UnitError
        For a missing or impossible unit.
    MissingDataError
        If a column is not there.
    ValidityError
        For numbers that are not finite, times that do not increase, too few points.
    """
    if signal not in ("auto", "mass", "dsc", "alpha"):
        raise ValidityError(f"signal = {signal!r} is unknown; give 'auto', 'mass', 'dsc' or 'alpha'.")
    if isinstance(curve, Run):
        return curve
    table = _table(curve, number, dict(units or {}), signal)
    label = name or table.name or f"curve {number + 1}"
    where = f"Curve {number + 1} ({label})"
    found = {kind: _find(table, kind) for kind in _NAMES}
    kind = _kind(found, signal, table, where)
    for needed in ("time", "temperature", kind):
        if found[needed] is None:
            raise MissingDataError(
                f"{where} has no {needed}; it has {', '.join(table.columns) or 'no column'}. A fit needs time, sample "
                "temperature and the mass, heat flow or conversion."
            )
    arrays, notes = {}, []
    for what in ("time", "temperature", kind):
        arrays[what] = _numbers(table, str(found[what]), what, where)
    if len({a.size for a in arrays.values()}) != 1:
        sizes = ", ".join(f"{k} {a.size}" for k, a in arrays.items())
        raise ValidityError(f"{where}: the columns differ in length ({sizes}).")
    time, temperature, values = arrays["time"], arrays["temperature"], arrays[kind]
    if time.size < FEWEST_POINTS:
        raise ValidityError(f"{where} has {time.size} points; a fit needs at least {FEWEST_POINTS}.")
    program = _numbers(table, found["program"], "program", where, strict=False) if found["program"] else None
    again = np.diff(time) == 0
    if bool((np.diff(time) < 0).any()):
        k = int(np.argmax(np.diff(time) < 0)) + 1
        raise ValidityError(f"{where}: the time goes back from {time[k - 1]:g} to {time[k]:g} s at point {k + 1}.")
    if bool(again.any()):
        keep = np.concatenate([[True], ~again])
        notes.append(f"{int(again.sum())} points at a time that had been were left out")
        time, temperature, values = time[keep], temperature[keep], values[keep]
        program = program[keep] if program is not None else None
    unit = _unit(table, str(found[kind]), kind, where)
    _plausible(time, temperature, values, kind, unit, where)
    mass, relative = table.initial_mass_mg, True
    if kind == "mass":
        values, mass, relative = _relative_mass(values, str(found[kind]), unit, mass, where)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in (time, temperature, values)))
    return Run(label, time, temperature, values, kind, mass, program, relative, digest.hexdigest(), tuple(notes))


def _table(curve: Any, number: int, units: dict[str, str], signal: str) -> _Table:
    if hasattr(curve, "data_vars"):
        return _dataset(curve, units)
    if hasattr(curve, "columns") and hasattr(curve, "iloc"):
        known = {**dict(curve.attrs.get("units") or {}), **units}
        table = _Table({str(c): curve[c].to_numpy() for c in curve.columns}, known, str(curve.attrs.get("name", "")))
        mass = curve.attrs.get("initial_mass_mg")
        table.initial_mass_mg = float(mass) if mass else None
        return table
    if isinstance(curve, Mapping):
        columns = {str(k): v for k, v in curve.items() if k not in ("name", "units", "initial_mass_mg")}
        table = _Table(columns, {**dict(curve.get("units") or {}), **units}, str(curve.get("name", "")))
        mass = curve.get("initial_mass_mg")
        table.initial_mass_mg = float(mass) if mass else None
        return table
    if isinstance(curve, list | tuple) and len(curve) == 3:
        third = "mass" if signal == "auto" else signal
        for candidate in ("mass", "dsc", "alpha"):
            if signal == "auto" and candidate in units:
                third = candidate
        return _Table(dict(zip(("time", "temperature", third), curve, strict=True)), units)
    raise ValidityError(
        f"Curve {number + 1} is a {type(curve).__name__}; expected an xarray.Dataset as wastelab.read or "
        f"lab.curve give "
        "it, a DataFrame, a mapping of columns, or (time, temperature, mass) with units=."
    )


def _dataset(ds: Any, units: dict[str, str]) -> _Table:
    """Columns along the dimension of the temperature."""
    table = _Table(name=str(ds.attrs.get("sample") or ds.attrs.get("name") or ""))
    main = next((ds[n].dims for n in _NAMES["temperature"] if n in ds.variables), None)
    for key, variable in ds.variables.items():
        if variable.dims == main and variable.dtype.kind in "fiu":
            table.columns[str(key)] = variable.values
            if unit := str(variable.attrs.get("units", "")):
                table.units[str(key)] = unit
    table.units.update(units)
    if "analyte" in ds.variables and "sample_mass" in ds["analyte"].values:
        k = list(ds["analyte"].values).index("sample_mass")
        unit = str(ds["unit"].values[k]) if "unit" in ds.variables else ""
        if unit in _MASS and unit not in _RELATIVE:
            table.initial_mass_mg = float(ds["value"].values[k]) * _MASS[unit]
    elif isinstance(ds.attrs.get("initial_mass_mg"), int | float):
        table.initial_mass_mg = float(ds.attrs["initial_mass_mg"])
    return table


def _base(column: str) -> tuple[str, str]:
    """``"mass [mg]"`` and ``"mass_mg"`` give ("mass", "mg"); a plain name gives itself and an empty unit."""
    if match := _IN_BRACKETS.match(column):
        return match[1].strip(), match[2]
    for base in (n for names in _NAMES.values() for n in names):
        if column.startswith(base + "_"):
            tail = column[len(base) + 1 :]
            if any(tail in known for known in _UNITS.values()):
                return base, tail
    return column, ""


def _find(table: _Table, kind: str) -> str | None:
    for wanted in _NAMES[kind]:
        for column in table.columns:
            if column == wanted or _base(column)[0].lower() == wanted.lower():
                return column
    return None


def _kind(found: Mapping[str, str | None], signal: str, table: _Table, where: str) -> Kind:
    order: tuple[Kind, ...] = ("mass", "alpha", "dsc")
    for kind in order:
        if signal == kind or (signal == "auto" and found[kind] is not None):
            return kind
    raise MissingDataError(
        f"{where} has neither mass, conversion nor heat flow; it has {', '.join(table.columns) or 'no column'}."
    )


def _unit(table: _Table, column: str, what: str, where: str) -> str:
    base, unit = _base(column)
    unit = table.units.get(column) or unit or table.units.get(base) or table.units.get(what) or ""
    if not unit and column == "mass_percent":
        unit = "%"
    if not unit and what == "alpha":
        unit = "1"
    known = _UNITS[what]
    if not unit:
        raise UnitError(
            f"{where}: column {column!r} has no unit; name it in the column ('{base} [{next(iter(known))}]') or give "
            f"units={{{what!r}: ...}}. Known: {', '.join(known)}."
        )
    plain = unit.strip().replace("µ", "u").replace("μ", "u")
    if plain not in known:
        raise UnitError(
            f"{where}: column {column!r} is in {unit!r}, which is no unit of {what}; known: {', '.join(known)}."
        )
    return plain


def _numbers(table: _Table, column: str, what: str, where: str, *, strict: bool = True) -> FloatArray:
    unit = _unit(table, column, what, where)
    try:
        raw = np.array(table.columns[column], dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise ValidityError(f"{where}: column {column!r} holds something that is no number.") from None
    bad = ~np.isfinite(raw)
    if strict and bool(bad.any()):
        raise ValidityError(
            f"{where}: column {column!r} is not a number at {int(bad.sum())} of {raw.size} points, first at point "
            f"{int(np.argmax(bad)) + 1}. Take those points out, or read the file again."
        )
    if what in ("temperature", "program"):
        return raw + _TEMPERATURE[unit]
    return raw * _UNITS[what][unit]


def _plausible(t: FloatArray, temp: FloatArray, values: FloatArray, kind: str, unit: str, where: str) -> None:
    """Refuse numbers that their unit makes impossible."""
    low, high = float(temp.min()), float(temp.max())
    if low < 150.0 or high > 2700.0:
        hint = "degC given as K" if low < 150.0 else "K given as degC, or degF"
        raise UnitError(f"{where}: temperatures of {low:.0f} to {high:.0f} K cannot be; is it {hint}?")
    if kind == "mass":
        top = float(np.max(np.abs(values)))
        if unit in ("%", "wt%", "percent") and 0.0 < top < 0.015:
            raise UnitError(f"{where}: a mass of at most {100 * top:g} % looks like a fraction; its unit is '1'.")
        if unit in ("1", "kg/kg", "g/g", "mg/mg", "fraction") and top > 2.0:
            raise UnitError(f"{where}: a relative mass of {top:g} looks like a percentage; its unit is '%'.")
    if kind == "alpha" and (float(values.min()) < -0.2 or float(values.max()) > 1.2):
        raise UnitError(
            f"{where}: conversions of {values.min():.3g} to {values.max():.3g} are outside 0 to 1; give '%' or "
            f"the mass."
        )
    if t[-1] <= t[0]:
        raise ValidityError(f"{where}: the time does not run.")


def _relative_mass(
    values: FloatArray, column: str, unit: str, initial: float | None, where: str
) -> tuple[FloatArray, float | None, bool]:
    """Mass over the mass at the start, that mass in mg where known, and whether it is relative."""
    change = column.startswith("mass_change")
    if unit in _RELATIVE:
        return (values + 1.0 if change else values), initial, True
    if change:
        if initial is None:
            return values, None, False
        return 1.0 + values / initial, initial, True
    start = float(values[0])
    if start <= 0:
        raise ValidityError(f"{where}: the mass at the start is {start:g} mg; give the mass itself, or 'mass_change'.")
    return values / start, initial if initial is not None else start, True
