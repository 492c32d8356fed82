"""Bruker S8 Tiger result tables (.csv): one line per formula with its detection limit and statistical error.

"%" and "PPM" are mixed in one column; "0.0 PPM" beside "Not detected" is a censored value, not a zero; a number
below its own detection limit is not reported as one.
"""

from __future__ import annotations

import re

from ...errors import InstrumentError
from ...i18n import say
from .. import vocabulary
from ..base import Reader, Reading, Source, Value
from ..sheets import container, only_sheet
from ..text import Cell, parse_cell
from ._csv import rows_of
from ._sheet_headings import known
from ._sheet_values import convert, converted

_HEAD = ("Formula", "Concentration", "Status", "LLD")


def _sniff(source: Source) -> int:
    if container(source.data) in ("xlsx", "xls"):
        try:
            rows, _ = _rows(source)
        except InstrumentError:
            return 0
        return 95 if rows and {*_HEAD, "Stat. error"} <= set(rows[0]) else 0
    line = source.head[:600].split(b"\n", 1)[0]
    return 95 if all(w.encode() in line for w in _HEAD) and b"Stat. error" in line else 0


def _rows(source: Source) -> tuple[list[list[str]], bool]:
    """Rows as text; in a workbook a bare statistical error is a fraction, which the text table prints as per cent."""
    if not container(source.data):
        return rows_of(source, _HEAD)
    grid, _ = only_sheet(source, known)
    rows = [
        ["" if c is None else c if isinstance(c, str) else f"{c:.12g}" if isinstance(c, float) else str(c) for c in r]
        for r in grid.rows
    ]
    if rows and "Stat. error" in rows[0]:
        error = rows[0].index("Stat. error")
        for given, line in zip(grid.rows[1:], rows[1:], strict=True):
            cell = given[error]
            if isinstance(cell, int | float):
                line[error] = f"{cell * 100:.12g} %"
    return rows, True


def _read(source: Source) -> list[Reading]:
    rows, ends = _rows(source)
    heading = rows[0]
    at = {name: i for i, name in enumerate(heading)}
    missing = [n for n in (*_HEAD, "Stat. error") if n not in at]
    if missing:
        raise source.fail(say("sheet.heading_lacks", names=", ".join(missing)), "row 1")
    values: list[Value] = []
    warnings: list[str] = ["the file names no sample"]
    if container(source.data):
        warnings += only_sheet(source, known)[1]
    lines = []
    partial = False
    for i, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) < len(heading):
            if i == len(rows) and not ends:
                partial = True
                warnings.append("the last line ends early: the file was cut")
                break
            raise source.fail(say("sheet.cells_headings", cells=len(row), headings=len(heading)), f"row {i}")
        value, warning = _value(source, row, at, i)
        values.append(value)
        lines.append(dict(zip(heading, row, strict=False)))
        if warning:
            warnings.append(warning)
    if not values:
        raise source.fail(say("sheet.no_result_cut"))
    doubles = {v.quantity for v in values if sum(o.quantity == v.quantity for o in values) > 1}
    if doubles:
        warnings.append(f"reported more than once: {', '.join(sorted(doubles))}")
    if not ends and not partial:
        warnings.append("the last line has no line end: if the file was cut there, its last cell may be short")
    return [
        Reading(
            "XRF", values=tuple(values), instrument="Bruker S8 Tiger", metadata={"lines": lines},
            warnings=tuple(warnings),
            completeness="partial" if partial else "declared" if container(source.data) else "unverified",
        )
    ]  # fmt: skip


def _cell(source: Source, text: str, what: str, where: str) -> Cell:
    try:
        return parse_cell(re.sub(r"\s*[+-]$", "", text))
    except ValueError:
        raise source.fail(say("sheet.no_share", name=what, cell=text), where) from None


def _value(source: Source, row: list[str], at: dict[str, int], number: int) -> tuple[Value, str]:
    name = row[at["Formula"]]
    where = f"row {number}, {name}"
    term = vocabulary.find(name)
    if term is None:
        raise source.fail(say("sheet.no_element", cell=name), where)
    printed = row[at["Concentration"]]
    found = _cell(source, printed, "concentration", where)
    limit_cell = _cell(source, row[at["LLD"]], "LLD", where)
    error_cell = _cell(source, row[at["Stat. error"]], "statistical error", where)
    limit = converted(source, limit_cell.value, limit_cell.unit, term, where)
    undetected = "not detected" in row[at["Status"]].lower() or found.flag == "below_detection"
    if found.missing or found.value is None:
        return Value(
            term.name,
            None,
            term.unit,
            lod=limit,
            flag="below_detection" if undetected else "",
            text=printed,
            where=where,
        ), ""
    if found.unit not in ("%", "ppm", "ppb"):
        raise source.fail(say("sheet.no_share_unit", cell=printed), where)
    content = convert(found.value, found.unit, term)
    if undetected or (content == 0.0 and limit is not None):
        return Value(
            term.name,
            None,
            term.unit,
            lod=limit,
            flag="below_detection",
            text=f"{printed}; {row[at['Status']]}",
            where=where,
        ), ""
    if limit is not None and content < limit:
        text = f"{printed}, below its LLD of {row[at['LLD']]}"
        return (
            Value(term.name, None, term.unit, lod=limit, flag="below_detection", text=text, where=where),
            f"{name} was reported as {printed}, below its detection limit of {row[at['LLD']]}",
        )
    sigma = None
    if error_cell.value is not None:
        if error_cell.unit != "%":
            raise source.fail(say("sheet.no_percentage", cell=row[at["Stat. error"]]), where)
        sigma = float(f"{content * error_cell.value / 100.0:.12g}")
    warning = f"{name}: {printed} is more than the whole sample" if content > 100.0 else ""
    return Value(term.name, content, term.unit, sigma, lod=limit, text=printed, where=where), warning


READER = Reader("xrf_bruker_s8", "Bruker S8 Tiger results", (".csv", ".xlsx"), _sniff, _read, ("XRF",))
