"""Micromeritics report workbooks (TriStar, ASAP, 3Flex … .xls): reports side by side, divided by a column of bars.

The isotherm is taken from the report "Isotherm Tabular Report"; the BET surface only where the file states it. The
workbook does not mark the branches, so they follow from the turning point of pressure.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from ...i18n import say
from ..base import Reader, Reading, Source, Value
from .sorption_points import isotherm
from .sorption_workbooks import holds, is_xls, is_xlsx, sheets
from .thermal_columns import day_time, leading_number

Grid = list[list[Any]]
_HEAD = re.compile(r"^(.*?)\s*\(([^()]*)\)\s*$")


def _sniff(source: Source) -> int:
    if not (is_xls(source) or is_xlsx(source)):
        return 0
    return 100 if holds(source, "Isotherm Tabular Report", "Quantity Adsorbed", "Relative Pressure") else 0


def _reports(grid: Grid) -> list[tuple[int, int]]:
    """Column ranges between the bars."""
    width = max((len(row) for row in grid), default=0)
    bars = [k for k in range(width) if sum(1 for row in grid if k < len(row) and row[k] == "|") >= 0.5 * len(grid[:40])]
    edges = [-1, *bars, width]
    return [(a + 1, b) for a, b in pairwise(edges) if b > a + 1]


def _cell(grid: Grid, row: int, column: int) -> Any:
    return grid[row][column] if column < len(grid[row]) else ""


def _header(grid: Grid, columns: tuple[int, int], stop: int) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for row in range(stop):
        cells = [str(_cell(grid, row, c)).strip() for c in range(*columns)]
        if row < 3:
            meta.setdefault("title", []).extend(
                c for c in cells if c and not c.startswith("Page") and c not in meta.get("title", [])
            )
            continue
        for k in range(0, len(cells), 2):
            key, value = cells[k], cells[k + 1] if k + 1 < len(cells) else ""
            if key.endswith(":"):
                meta[key.rstrip(":")] = value
            elif ":" in key:
                name, _, rest = key.partition(":")
                meta[name.strip()] = rest.strip()
    return meta


def _stated(grid: Grid, label: str) -> tuple[str, str]:
    """First text beside a label anywhere in the sheet, and where."""
    for r, row in enumerate(grid):
        for c, cell in enumerate(row[:-1]):
            if isinstance(cell, str) and cell.strip() == label and isinstance(row[c + 1], str) and row[c + 1].strip():
                return row[c + 1].strip(), f"row {r + 1}, column {c + 2}"
    return "", ""


def _surface(grid: Grid) -> list[Value]:
    text, where = _stated(grid, "BET Surface Area:")
    match = re.fullmatch(r"([\d.,]+)(?:\s*±\s*([\d.,]+))?\s*m²/g", text)
    if not match:
        return []
    number = match[1].replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})*\.\d+", match[1]) else match[1]
    try:
        return [Value("bet", float(number), "m2/g", text=text, where=where)]
    except ValueError:
        return []


def _sheet(source: Source, name: str, grid: Grid) -> Reading | None:
    found = [
        (r, span)
        for span in _reports(grid)
        for r in range(len(grid))
        if str(_cell(grid, r, span[0])).strip().startswith("Isotherm Tabular Report")
    ]
    if not found:
        return None
    if len(found) > 1:
        raise source.fail(f"holds {len(found)} isotherm reports; export one sample per file.", f"sheet {name!r}")
    at, span = found[0]
    head = next(
        (r for r in range(at + 1, len(grid)) if any("ressure" in str(_cell(grid, r, c)) for c in range(*span))), None
    )
    if head is None:
        raise source.fail("has an isotherm report without column headings.", f"sheet {name!r}")
    titles = {c: str(_cell(grid, head, c)).strip() for c in range(*span)}
    columns: dict[str, tuple[int, str]] = {}
    for c, title in titles.items():
        match = _HEAD.match(title)
        kind = (
            {
                "relative pressure": "relative",
                "absolute pressure": "pressure",
                "quantity adsorbed": "loading",
                "saturation pressure": "saturation",
                "elapsed time": "elapsed",
            }.get(match[1].lower())
            if match
            else None
        )
        if match and kind:
            columns[kind] = (c, match[2])
    missing = {"relative", "loading"} - columns.keys()
    if missing:
        raise source.fail(
            f"has no column of {' and '.join(sorted(missing))} in {list(titles.values())}.",
            f"sheet {name!r}, row {head + 1}",
        )
    printed = columns["loading"][1]
    if printed not in ("cm³/g STP", "cm3/g STP"):
        raise source.fail(
            f"gives the quantity adsorbed in {printed!r}; expected cm³/g STP.", f"sheet {name!r}, row {head + 1}"
        )
    wanted = [k for k in ("relative", "pressure", "loading", "saturation") if k in columns]
    series: dict[str, list[float]] = {k: [] for k in wanted}
    for r in range(head + 1, len(grid)):
        cells = {k: _cell(grid, r, columns[k][0]) for k in wanted}
        if cells["relative"] == "" and cells["loading"] == "":
            continue  # a measurement of the saturation pressure, or the end
        for k, cell in cells.items():
            if k == "saturation" and cell == "":
                series[k].append(float("nan"))
            elif isinstance(cell, bool) or not isinstance(cell, int | float):
                raise source.fail(
                    say("sheet.not_number", cell=str(cell)[:40]),
                    f"sheet {name!r}, row {r + 1}, column {titles[columns[k][0]]!r}",
                )
            else:
                series[k].append(float(cell))
    meta = _header(grid, (0, _reports(grid)[0][1]), at)
    warnings: list[str] = []
    if any(x != x for x in series.get("saturation", [])):
        meta["saturation pressure"] = "not printed at every point"
        series.pop("saturation", None)
    pressure_units = columns["pressure"][1] if "pressure" in columns else columns.get("saturation", (0, "mmHg"))[1]
    variables = isotherm(
        source,
        relative=series["relative"],
        pressure=series.get("pressure"),
        saturation=series.get("saturation"),
        pressure_units=pressure_units,
        loading=series["loading"],
        loading_units="cm3/g",
        warnings=warnings,
        meta=meta,
    )
    mass_text = next((str(v) for k, v in meta.items() if k.lower() == "sample mass"), "")
    mass = leading_number(mass_text)
    values = (
        [Value("sample_mass", mass[0], mass[1], text=mass_text, where="header 'Sample Mass'")] if mass else []
    ) + _surface(grid)
    measured, problem = day_time(next((str(v) for k, v in meta.items() if k.lower() == "started"), ""))
    if problem:
        warnings.append(problem)
    if measured.startswith("1970-01-01"):
        measured = ""
        warnings.append("the start is printed as 1970-01-01, which the software writes where none is known")
    for row in grid:
        for cell in row:
            if isinstance(cell, str) and "At least 2 Points must be supplied" in cell and cell.strip() not in warnings:
                warnings.append(cell.strip())
    get = {k.lower(): str(v) for k, v in meta.items()}
    return Reading(
        "BET",
        variables,
        values,
        sample=get.get("sample", ""),
        measured_at=measured,
        operator=get.get("operator", ""),
        instrument=" ".join(
            ["Micromeritics", *(t for t in meta.get("title", []) if not t.startswith("Micromeritics"))][:2]
        ),
        metadata=meta,
        warnings=warnings,
        completeness="declared",
        where=f"sheet {name!r}",
    )


def _read(source: Source) -> list[Reading]:
    found = [r for r in (_sheet(source, name, grid) for name, grid in sheets(source).items()) if r is not None]
    if not found:
        raise source.fail(
            "is a Micromeritics workbook without an 'Isotherm Tabular Report'; export it with that report."
        )
    return found


READER = Reader("micromeritics_sorption", "Micromeritics report workbook", (".xls", ".xlsx"), _sniff, _read, ("BET",))
