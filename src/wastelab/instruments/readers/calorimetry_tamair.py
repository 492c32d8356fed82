"""TAM Air isothermal calorimeters: csv of the first generation (one column per channel), csv and xls of the third.

Heat flow is given in mW or mW/g and heat in J or J/g; whether it is normalised stands in the metadata. Third-generation
csv prints no units: the software writes s, °C, W, J, W/g and J/g, which the reading says.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...i18n import say
from ..base import Completeness, Reader, Reading, Source, Value, Variable
from .sorption_workbooks import holds, is_xls, is_xlsx, sheets
from .thermal_columns import (
    Lines,
    add,
    day_time,
    decode,
    finish,
    head_text,
    leading_number,
    need_rows,
    number_table,
    slug,
    units_of,
)

#: Heading without what stands in brackets: variable, unit of the reading, SI unit, factor from SI.
_KNOWN = {
    "heat flow": ("heat_flow", "mW", "W", 1e3),
    "normalized heat flow": ("heat_flow_specific", "mW/g", "W/g", 1e3),
    "heat": ("heat", "J", "J", 1.0),
    "normalized heat": ("heat_specific", "J/g", "J/g", 1.0),
}
_FACTORS = {
    ("W", "mW"): 1e3,
    ("mW", "mW"): 1.0,
    ("uW", "mW"): 1e-3,
    ("W/g", "mW/g"): 1e3,
    ("mW/g", "mW/g"): 1.0,
    ("J", "J"): 1.0,
    ("J/g", "J/g"): 1.0,
    ("mJ", "J"): 1e-3,
    ("kJ", "J"): 1e3,
}
_GEN1 = re.compile(r"^Time[\t;,]\s*\"?Channel \d", re.I)


def _sniff(source: Source) -> int:
    if is_xls(source) or is_xlsx(source):
        return 90 if holds(source, "Heat flow", "Normalized heat flow", "Time markers") else 0
    text = head_text(source)
    first = text.partition("\n")[0]
    if _GEN1.match(first) and re.search(r"^\"?Seconds\"?[\t;,]", text, re.M):
        return 95
    heading = re.search(r"^\"?Time\"?[,;\t].*Heat flow.*Time markers", text, re.M)
    return 95 if heading else (60 if text.startswith("Summary") and "Results file path" in text else 0)


def _curve(
    source: Source,
    headings: Sequence[str],
    units: Sequence[str] | None,
    data: NDArray[np.float64],
    warnings: list[str],
) -> dict[str, Variable]:
    """Variables of one sample from its columns; the first is time."""
    time_units = units_of(units[0]) if units else "s"
    scale = {"s": 1.0, "min": 60.0, "h": 3600.0}.get(time_units)
    if scale is None:
        raise source.fail(f"time has the unit {time_units!r}; expected s, min or h.")
    time = data[:, 0] * scale
    if not np.isfinite(time).all():
        raise source.fail(
            "has a row without time.", f"row {int(np.flatnonzero(~np.isfinite(time))[0]) + 1} of the data"
        )
    if (np.diff(time) < 0).any():
        warnings.append("time runs backwards in places")
    variables = {"time": Variable(("time",), time, "s", "time")}
    for k in range(1, len(headings)):
        heading = headings[k]
        bare = re.sub(r"\s*\[.*\]\s*$", "", heading).strip().lower()
        column = data[:, k]
        if bare == "time markers":
            continue
        if bare == "temperature":
            inner = re.search(r"\[(.*)\]", heading)
            name = "ambient_temperature" if inner and inner[1].lower().startswith("ambient") else "temperature"
            printed = units_of(units[k]) if units else "degC"
            if printed != "degC":
                raise source.fail(f"column {heading!r} has the unit {printed!r}; expected °C.")
            add(variables, name, ("time",), column, "degC", heading)
        elif bare in _KNOWN:
            name, target, si, factor = _KNOWN[bare]
            printed = units_of(units[k]) if units else si
            if (printed, target) not in _FACTORS:
                raise source.fail(f"column {heading!r} has the unit {printed!r}; expected {si}.")
            factor = _FACTORS[(printed, target)]
            add(variables, name, ("time",), column * factor if factor != 1.0 else column, target, heading)
        elif np.isfinite(column).any():
            printed = units_of(units[k]) if units else ""
            if not printed:
                warnings.append(f"column {heading!r} has no unit that is known")
            add(variables, slug(heading), ("time",), column, printed or "unknown", heading)
    if not {"heat_flow", "heat_flow_specific"} & variables.keys():
        raise source.fail(f"has no column of heat flow; found {', '.join(headings)}.")
    return variables


def _normalised(variables: dict[str, Variable]) -> str:
    both = [n for n in ("heat_flow", "heat_flow_specific") if n in variables]
    return {1: "no: per channel" if both == ["heat_flow"] else "yes: per gram, by the software"}.get(
        len(both), "both: heat_flow per channel, heat_flow_specific per gram as the software normalised it"
    )


def _markers(lines: Lines, rows: Sequence[int], column: int, separator: str) -> list[list[Any]]:
    out: list[list[Any]] = []
    for index in rows:
        cells = next(csv.reader([lines.lines[index]], delimiter=separator), [])
        if len(cells) > column and cells[column].strip() not in ("", "NaN"):
            out.append([cells[0], cells[column].strip()])
    return out


def _cells(separator: str) -> Any:
    def split(line: str) -> list[str]:
        return next(csv.reader([line], delimiter=separator), []) if '"' in line else line.split(separator)

    return split


def _first_generation(source: Source, lines: Lines) -> list[Reading]:
    title = lines.lines[0]
    separator = max("\t;,", key=title.count)
    headings = [h.strip().strip('"') for h in title.split(separator)]
    units_line = next(
        (i for i in range(1, min(4, len(lines.lines))) if lines.lines[i].lower().strip('"').startswith("seconds")), None
    )
    if units_line is None or lines.is_cut(units_line):
        raise source.fail("is cut within its header. Export it again.", "line 2")
    units = [u.strip().strip('"') for u in lines.lines[units_line].split(separator)]
    units += [""] * (len(headings) - len(units))
    channels = [k for k, h in enumerate(headings) if re.match(r"Channel \d+", h, re.I)]
    text = [k for k in range(1, len(headings)) if k not in channels]
    rows = [i for i in range(units_line + 1, len(lines.lines)) if lines.lines[i].strip(" \t;,")]
    sample = "".join(lines.lines[i] for i in rows[:2000])
    decimal = "," if separator != "," and re.search(r"\d,\d", sample) else "."
    split = _cells(separator)
    table = number_table(source, lines, rows, headings, split, decimal=decimal, blanks=channels, skip=text)
    need_rows(source, len(table.data), "TAM Air")
    readings = []
    for k in channels:
        if k >= len(units) or not units[k]:
            raise source.fail(f"column {headings[k]!r} has no unit.", f"line {units_line + 1}")
        warnings = list(table.warnings)
        completeness: Completeness = finish(table.cut, False, warnings)
        variables = _curve(source, ["Time", "heat flow"], [units[0], units[k]], table.data[:, [0, k]], warnings)
        meta: dict[str, Any] = {"channel": headings[k], "normalised": _normalised(variables)}
        for column in text:
            found = _markers(lines, rows[: len(table.data)], column, separator)
            if found:
                meta[headings[column]] = found
        readings.append(
            Reading(
                "calorimetry",
                variables,
                instrument="TAM Air",
                metadata=meta,
                warnings=warnings,
                completeness=completeness,
                where=headings[k] if len(channels) > 1 else "",
            )
        )
    if not readings:
        raise source.fail(f"names no channel in {headings}.", "line 1")
    return readings


def _third_generation(source: Source, lines: Lines) -> list[Reading]:
    at = next((i for i, line in enumerate(lines.lines) if re.match(r"\"?Time\"?[,;\t]", line) and "eat" in line), None)
    if at is None or lines.is_cut(at):
        raise source.fail(
            "has no line of column headings (Time, Heat flow …): it is cut within its header. Export it again."
        )
    separator = max(",;\t", key=lines.lines[at].count)
    split = _cells(separator)
    headings = [h.strip() for h in split(lines.lines[at])]
    end = next((i for i in range(at + 1, len(lines.lines)) if not lines.lines[i].strip()), len(lines.lines))
    rows = list(range(at + 1, end))
    text = [k for k, h in enumerate(headings) if h.lower() == "time markers"]
    decimal = "," if separator != "," and any(re.search(r"\d,\d", lines.lines[i]) for i in rows[:50]) else "."
    table = number_table(
        source, lines, rows, headings, split, decimal=decimal, blanks=range(1, len(headings)), skip=text
    )
    need_rows(source, len(table.data), "TAM Air")
    meta: dict[str, Any] = {}
    for line in lines.lines[:at]:
        cells = [c for c in split(line) if c.strip()]
        if len(cells) >= 2:
            key = cells[0]
            while key in meta:
                key += "'"
            meta[key] = ", ".join(cells[1:])
        elif len(cells) == 1:
            meta.setdefault("sections", []).append(cells[0])
    warnings = list(table.warnings)
    warnings.append("the file prints no units; read as s, °C, W, J, W/g and J/g, which this software writes")
    variables = _curve(source, headings, None, table.data, warnings)
    sections, agree = _sections(source, lines, end, variables["time"].data, warnings)
    completeness: Completeness = finish(table.cut, agree, warnings)
    if sections:
        meta["sections of the data"] = sections
    if agree is False and sections:
        completeness = "partial"
    meta["normalised"] = _normalised(variables)
    for k in text:
        found = _markers(lines, rows[: len(table.data)], k, separator)
        if found:
            meta["time markers"] = found
    measured = _start(str(meta.get("Start time", "")))
    mass = next((leading_number(str(v)) for k, v in meta.items() if re.fullmatch(r"(?:Sample )?[Mm]ass'*", k)), None)
    values = [Value("sample_mass", mass[0], mass[1], where="header 'Mass'")] if mass and mass[1] in ("g", "mg") else []
    sample = str(meta.get("Name'") or meta.get("Name") or "")
    return [
        Reading(
            "calorimetry",
            variables,
            values,
            sample=sample,
            measured_at=measured,
            operator=str(meta.get("Operator", "")),
            instrument="TAM Air",
            metadata=meta,
            warnings=warnings,
            completeness=completeness,
        )
    ]


def _start(text: str) -> str:
    match = re.fullmatch(r"(\d{4}) ([A-Z][a-z]{2}) (\d{1,2}) - (\d{1,2}):(\d{2})", text.strip())
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    if not match or match[2] not in months:
        return day_time(text)[0] if text else ""
    try:
        return datetime(
            int(match[1]), months.index(match[2]) + 1, int(match[3]), int(match[4]), int(match[5])
        ).isoformat()
    except ValueError:
        return ""


def _sections(
    source: Source, lines: Lines, end: int, time: NDArray[np.float64], warnings: list[str]
) -> tuple[list[list[Any]], bool]:
    """The statistics after the data: sections with their number of points, and whether the points agree."""
    found: dict[str, list[Any]] = {}
    for index in range(end, len(lines.lines)):
        cells = next(csv.reader([lines.lines[index]]), [])
        if len(cells) >= 5 and not cells[0] and cells[2].isdigit() and not lines.is_cut(index):
            try:
                found.setdefault(cells[1], [cells[1], int(cells[2]), float(cells[3]), float(cells[4])])
            except ValueError:
                raise source.fail(f"section {cells[1]!r} has no readable times.", f"line {index + 1}") from None
    agree = bool(found)
    for name, count, start, stop in found.values():
        eps = 1e-9 * max(abs(start), abs(stop), 1.0)
        inside = int(np.count_nonzero((time >= start - eps) & (time <= stop + eps)))
        if inside < count:
            warnings.append(f"section {name!r} states {count} points; {inside} are there")
            agree = False
    if found and agree and max(s[3] for s in found.values()) > time.max() + 1e-6:
        agree = False
    return list(found.values()), agree


def _workbook(source: Source) -> list[Reading]:
    readings = []
    for name, grid in sheets(source).items():
        at = next((i for i, row in enumerate(grid[:60]) if "Heat flow" in row), None)
        if at is None or at + 2 >= len(grid):
            continue
        width = max(k for k, c in enumerate(grid[at]) if c != "") + 1
        heads = grid[at][:width]
        headings = ["Time", *(str(h).strip() for h in heads[1:])]
        units = [str(u).strip() for u in grid[at + 1][:width]]
        if units[0] not in ("s", "min", "h"):
            raise source.fail(f"time has the unit {units[0]!r}; expected s.", f"sheet {name!r}, row {at + 2}")
        body = grid[at + 2 :]
        data = np.full((len(body), width), np.nan)
        marks: list[list[Any]] = []
        for i, row in enumerate(body):
            for k, cell in enumerate(row[:width]):
                if isinstance(cell, int | float) and not isinstance(cell, bool):
                    data[i, k] = cell
                elif headings[k] == "Time markers":
                    if cell != "":
                        marks.append([row[0], str(cell)])
                elif cell != "":
                    raise source.fail(
                        say("sheet.not_number", cell=str(cell)[:40]),
                        f"sheet {name!r}, row {at + 3 + i}, column {headings[k]!r}",
                    )
        if np.isinf(data).any():
            raise source.fail(say("sheet.no_finite_numbers"), f"sheet {name!r}")
        need_rows(source, len(data), "TAM Air")
        warnings = [
            f"column {headings[k]!r}: {int(np.isnan(data[:, k]).sum())} of {len(data)} cells are empty (nan)"
            for k in range(1, width)
            if headings[k] != "Time markers" and np.isnan(data[:, k]).any()
        ]
        variables = _curve(source, headings, units, data, warnings)
        meta: dict[str, Any] = {"normalised": _normalised(variables), "sheet": name}
        if marks:
            meta["time markers"] = marks
        measured = ""
        if isinstance(heads[0], datetime):
            measured = heads[0].replace(microsecond=0).isoformat()
            meta["heading of the time column"] = heads[0].isoformat()
        header = [" ".join(str(c) for c in row if c != "") for row in grid[:at]]
        if any(header):
            meta["header"] = [h for h in header if h]
        readings.append(
            Reading(
                "calorimetry",
                variables,
                measured_at=measured,
                instrument="TAM Air",
                metadata=meta,
                warnings=warnings,
                completeness="declared",
                where=f"sheet {name!r}",
            )
        )
    if not readings:
        raise source.fail("has no sheet with a 'Heat flow' column and its units below.")
    return readings


def _read(source: Source) -> list[Reading]:
    if is_xls(source) or is_xlsx(source):
        return _workbook(source)
    lines = Lines.of(decode(source, "Time"))
    if _GEN1.match(lines.lines[0]):
        return _first_generation(source, lines)
    return _third_generation(source, lines)


READER = Reader("tam_air", "TAM Air calorimeter export", (".csv", ".xls", ".xlsx"), _sniff, _read, ("calorimetry",))
