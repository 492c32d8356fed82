"""Concrete press with German headings (.txt, latin-1): several cubes in one file, each with its curve.

Area, strength and density are computed again from the printed dimensions and must agree; the printed mean and
standard deviation tell whether a cube is missing.
"""

from __future__ import annotations

import re
import statistics
from datetime import datetime
from typing import Any

import numpy as np

from ...i18n import say
from ..base import Completeness, Reader, Reading, Source, Value, Variable, axis

_WORDS = ("Markierung", "Kraft")
_AGE = re.compile(r"\((\d+)\s*d\)")
_NAMES = {"Zeit": ("time", "time"), "Kraft": ("load", "load"), "Extern": ("displacement", "external displacement")}
_UNITS = {"s": "s", "kN": "kN", "mm": "mm", "": "1", "N": "N", "MPa": "MPa"}


def _sniff(source: Source) -> int:
    head = source.head[:2048]
    return 95 if b"Markierung;Zeit;Kraft" in head and b"strength" in head.lower() else 0


def _read(source: Source) -> list[Reading]:
    text = source.text(*_WORDS).replace("\r\n", "\n")
    lines = text.split("\n")
    about = _header(source, lines)
    starts = [i for i, line in enumerate(lines) if line.startswith("Index;") and "Markierung" in line]
    if not starts:
        raise source.fail(say("sheet.heading_lacks", names="Index;Element;Markierung"))
    if starts[0] < 4:
        raise source.fail(say("sheet.press_head"), f"line {starts[0] + 1}")
    readings = []
    for number, start in enumerate(starts):
        end = starts[number + 1] - 1 if number + 1 < len(starts) else len(lines)
        readings.append(_cube(source, lines, start, end, about, last=number + 1 == len(starts)))
    return _complete(source, readings, about)


def _header(source: Source, lines: list[str]) -> dict[str, Any]:
    if len(lines) < 4:
        raise source.fail(say("sheet.cut"))
    test = lines[1].split(";")
    age = _AGE.search(test[0])
    if len(test) < 7 or age is None:
        raise source.fail(say("sheet.press_test", cell=lines[1]), "line 2")
    dates = []
    for k in (1, 3):  # of casting, of test
        try:
            dates.append(datetime.strptime(f"{test[k]} {test[k + 1]}", "%d.%m.%Y %H:%M"))
        except ValueError:
            raise source.fail(say("sheet.press_date", cell=f"{test[k]};{test[k + 1]}"), "line 2") from None
    days = (dates[1] - dates[0]).days
    if days != int(age[1]):
        raise source.fail(say("sheet.press_age", age=age[1], first=test[1], second=test[3], days=days), "line 2")
    summary = lines[3].split(";")
    numbers = [_float(source, c, "line 4") for c in summary[:4]]
    if len(numbers) < 4:
        raise source.fail(say("sheet.press_summary", cell=lines[3]), "line 4")
    return {
        "title": lines[0].strip(), "test": test[0], "age": f"{age[1]} d", "cast": dates[0], "tested": dates[1],
        "line 3": lines[2], "density_mean": numbers[0], "strength_mean": numbers[2], "strength_sd": numbers[3],
    }  # fmt: skip


def _float(source: Source, text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise source.fail(say("sheet.not_number", cell=text), where) from None
    if not np.isfinite(number):
        raise source.fail(say("sheet.not_number", cell=text), where)
    return number


def _cube(source: Source, lines: list[str], start: int, end: int, about: dict[str, Any], *, last: bool) -> Reading:
    where = f"line {start}"
    cells = lines[start - 1].split(";")
    if len(cells) != 9:
        raise source.fail(
            say("sheet.press_cube", cell=lines[start - 1]),
            where,
        )
    length, width, height, mass, density, load, strength, factor = (_float(source, c, where) for c in cells[1:])
    if min(length, width, height, mass, density, load) <= 0:
        raise source.fail(say("sheet.press_positive"), where)
    heading = lines[start].split(";")
    units = lines[start + 1].split(";") if start + 1 < len(lines) else []
    if len(units) != len(heading):
        raise source.fail(say("sheet.press_units", headings=len(heading), units=len(units)), f"line {start + 2}")
    rows: list[list[float]] = []
    closed = False
    short = False
    for i in range(start + 2, end):
        line = lines[i]
        if not line.strip():
            closed = closed or i < len(lines) - 1  # what follows the last line end is no empty line
            continue
        if closed:
            raise source.fail(say("sheet.after_curve", cell=line[:60]), f"line {i + 1}")
        found = line.split(";")
        final = last and i == len(lines) - 1
        if len(found) != len(heading) or final:
            if final:
                short = True
                break
            raise source.fail(say("sheet.cells_headings", cells=len(found), headings=len(heading)), f"line {i + 1}")
        rows.append([_float(source, c, f"line {i + 1}") for c in found])
        if int(rows[-1][0]) != len(rows):
            raise source.fail(say("sheet.line_missing"), f"line {i + 1}")
    if not rows:
        raise source.fail(say("sheet.no_point"), where)
    warnings: list[str] = []
    data = np.asarray(rows, dtype=np.float64)
    area = length * width
    recomputed = load * 1000.0 / area
    if abs(recomputed - strength) > 0.06 + 0.001 * strength:
        warnings.append(f"strength is printed as {strength:g} MPa, but load / (length x width) is {recomputed:.2f} MPa")
    weighed = mass / (area * height) * 1e6
    if abs(weighed - density) > 1.0 + 0.001 * density:
        warnings.append(f"density is printed as {density:g} kg/m3, but mass / volume is {weighed:.0f} kg/m3")
    variables = _curve(heading, units, data, source, start)
    peak = float(variables["load"].data.max()) if "load" in variables and variables["load"].units == "kN" else None
    if peak is not None and abs(peak - load) > 0.005 * load + 0.1:
        warnings.append(f"failure load is printed as {load:g} kN, but the curve reaches {peak:g} kN")
    complete: Completeness = "declared" if closed and not short else "partial"
    if complete == "partial":
        warnings.append("the curve is not closed by an empty line: the file was cut")
    place = f"line {start}, cube {cells[0]}"
    values = [
        Value(name, value, unit, where=place)
        for name, value, unit in (
            ("compressive_strength", strength, "MPa"), ("failure_load", load, "kN"), ("specimen_length", length, "mm"),
            ("specimen_width", width, "mm"), ("specimen_height", height, "mm"), ("specimen_mass", mass, "g"),
            ("specimen_density", density, "kg/m3"),
        )
    ]  # fmt: skip
    metadata = {
        "test": about["test"], "line 3": about["line 3"], "last number of the cube": factor,
        "strength_mean": about["strength_mean"], "strength_sd": about["strength_sd"],
        "density_mean": about["density_mean"],
    }  # fmt: skip
    return Reading(
        "strength", variables, tuple(values), about["title"], about["tested"].isoformat("T", "seconds"),
        metadata=metadata, warnings=tuple(warnings), completeness=complete, where=f"cube {cells[0]}",
        fields={"specimen": cells[0], "age": about["age"], "cast_at": about["cast"].isoformat("T", "seconds")},
    )  # fmt: skip


def _curve(heading: list[str], units: list[str], data: Any, source: Source, start: int) -> dict[str, Variable]:
    variables = axis("point", data[:, 0].astype(np.int32), "1", "number of the point")
    for j, (name, unit) in enumerate(zip(heading, units, strict=True)):
        if j == 0:
            continue
        if unit not in _UNITS:
            raise source.fail(say("sheet.column_unit", unit=unit, name=name), f"line {start + 2}")
        key, title = _NAMES.get(name, (re.sub(r"\W+", "_", name.lower()).strip("_"), name))
        column = data[:, j]
        if unit == "" and np.all(column == np.round(column)) and np.all(np.abs(column) < 2**31):
            column = column.astype(np.int32)
        variables[key] = Variable(("point",), column, _UNITS[unit], title)
    return variables


def _complete(source: Source, readings: list[Reading], about: dict[str, Any]) -> list[Reading]:
    """Mark every cube as partial where the printed mean or deviation is that of more cubes than the file holds."""
    from dataclasses import replace

    strengths = [next(v.value for v in r.values if v.quantity == "compressive_strength") for r in readings]
    numbers = [s for s in strengths if s is not None]
    mean = statistics.fmean(numbers)
    agrees = abs(mean - about["strength_mean"]) <= 0.101
    if len(numbers) > 1:
        agrees = agrees and abs(statistics.stdev(numbers) - about["strength_sd"]) <= 0.101
    cubes = [r.fields["specimen"] for r in readings]
    if len(set(cubes)) != len(cubes):
        raise source.fail(say("sheet.cubes_twice", cubes=", ".join(cubes)))
    if agrees and about["strength_sd"] > 0 and len(numbers) > 1:
        return readings
    if agrees:  # cubes of one strength: the mean does not tell their number
        return [replace(r, completeness="unverified") if r.completeness == "declared" else r for r in readings]
    text = (
        f"the mean is printed as {about['strength_mean']:g} MPa (s = {about['strength_sd']:g}), but the "
        f"{len(numbers)} cubes of the file give {mean:.2f} MPa: a cube is missing"
    )
    return [replace(r, completeness="partial", warnings=(*r.warnings, text)) for r in readings]


READER = Reader("strength_press", "Compression press, text with curves", (".txt",), _sniff, _read, ("strength",))
