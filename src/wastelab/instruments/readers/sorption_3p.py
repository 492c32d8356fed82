"""3P Instruments (and JW-BK) sorption workbooks: sheets ``Summary``, ``Isotherm``, ``BET Surface Area`` …

The branches of the sheet ``Isotherm`` are divided by a row of dashes. Texts may have decimal commas.
"""

from __future__ import annotations

import re
from typing import Any

from ...i18n import say
from ..base import Reader, Reading, Source, Value
from .sorption_points import isotherm
from .sorption_workbooks import holds, is_xls, is_xlsx, sheets
from .thermal_columns import day_time, leading_number


def _sniff(source: Source) -> int:
    if not (is_xls(source) or is_xlsx(source)):
        return 0
    return 100 if holds(source, "Sample Weight", "Adsorbate", "p (kPa)", "p/p0") else 0


def _summary(grid: list[list[Any]]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    part = ""
    for row in grid:
        cells = [str(c).strip() for c in row if str(c).strip()]
        if len(cells) == 1:
            part = cells[0]
        elif len(cells) > 1:
            key = cells[0].rstrip(":")
            meta[key if key not in meta else f"{part}: {key}"] = " ".join(cells[1:])
    return meta


def _points(source: Source, grid: list[list[Any]]) -> tuple[list[list[float]], list[int], list[str]]:
    head = next((i for i, row in enumerate(grid) if row and str(row[0]).strip() == "ID"), None)
    if head is None:
        raise source.fail("has no line of column headings (ID, p, p/p0 …).", "sheet 'Isotherm'")
    titles = [str(c).strip() for c in grid[head]]
    rows: list[list[float]] = []
    branch: list[int] = []
    now, count = 0, 0
    for r in range(head + 1, len(grid)):
        cells = grid[r]
        if all(c == "" for c in cells):
            continue
        if str(cells[0]).strip().startswith("--"):
            now, count = now + 1, 0
            if now > 1:
                raise source.fail("has more than two branches.", f"sheet 'Isotherm', row {r + 1}")
            continue
        numbers: list[float] = []
        for c in range(5):
            cell = cells[c] if c < len(cells) else ""
            if isinstance(cell, str):
                found = re.fullmatch(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?", cell.strip())
                cell = float(cell.strip().replace(",", ".")) if found else cell
            if isinstance(cell, bool) or not isinstance(cell, int | float):
                raise source.fail(
                    say("sheet.not_number", cell=str(cell)[:40]),
                    f"sheet 'Isotherm', row {r + 1}, column {titles[c : c + 1]}",
                )
            numbers.append(float(cell))
        count += 1
        if numbers[0] != count:
            raise source.fail(
                f"point {numbers[0]:g} follows point {count - 1}; rows are missing.", f"sheet 'Isotherm', row {r + 1}"
            )
        rows.append(numbers)
        branch.append(now)
    return rows, branch, titles


def _read(source: Source) -> list[Reading]:
    book = sheets(source)
    if "Isotherm" not in book:
        raise source.fail(f"has no sheet 'Isotherm' (sheets: {', '.join(book)}).")
    rows, branch, titles = _points(source, book["Isotherm"])
    wanted = ["ID", "p (kPa)", "p/p0", "V (cm³/g STP)", "p0 (kPa)"]
    if [t.replace("cm3", "cm³") for t in titles[:5]] != wanted:
        raise source.fail(f"has the columns {titles[:5]}; expected {wanted}.", "sheet 'Isotherm'")
    meta = _summary(book.get("Summary", []))
    warnings: list[str] = []
    variables = isotherm(
        source,
        pressure=[r[1] for r in rows],
        relative=[r[2] for r in rows],
        loading=[r[3] for r in rows],
        saturation=[r[4] for r in rows],
        pressure_units="kPa",
        loading_units="cm3/g",
        branch=branch,
        warnings=warnings,
        meta=meta,
    )
    values = []
    mass = leading_number(str(meta.get("Sample Weight", "")))
    if mass:
        values.append(Value("sample_mass", mass[0], mass[1], text=str(meta["Sample Weight"]), where="sheet 'Summary'"))
    surface = str(meta.get("BET: BET Surface Area") or meta.get("BET Surface Area") or "")
    match = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*\(?m²/g\)?", surface)
    if match:
        values.append(Value("bet", float(match[1].replace(",", ".")), "m2/g", text=surface, where="sheet 'Summary'"))
    measured, problem = day_time(str(meta.get("Started Time", "")))
    if problem:
        warnings.append(problem)
    return [
        Reading(
            "BET",
            variables,
            values,
            sample=str(meta.get("Sample", "")),
            measured_at=measured,
            instrument="3P Instruments",
            metadata=meta,
            warnings=warnings,
            completeness="declared",
        )
    ]


READER = Reader("3p_sorption", "3P Instruments sorption workbook", (".xlsx", ".xls"), _sniff, _read, ("BET",))
