"""PerkinElmer Winlab32 results (.csv), long form: one line per sample and element, dates day first, 12-hour clock."""

from __future__ import annotations

import re
from datetime import datetime

from ...errors import UnitError
from ...i18n import said_by, say
from .. import vocabulary
from ..base import Reader, Reading, Source, Value
from ..text import parse_cell
from ._csv import rows_of
from ._sheet_values import convert

_HEAD = ("Sample ID", "Analyte Name", "Reported Conc", "Units")


def _sniff(source: Source) -> int:
    line = source.head[:600].split(b"\n", 1)[0]
    return 95 if b"Sample ID" in line and b"Analyte Name" in line and b"Reported Conc" in line else 0


def _read(source: Source) -> list[Reading]:
    rows, ends = rows_of(source, _HEAD)
    heading = rows[0]
    at: dict[str, int] = {}
    for i, name in enumerate(heading):
        for word in ("Sample ID", "Analyte Name", "Date", "Time", "Reported Conc", "Units"):
            if name.startswith(word):
                at.setdefault(word, i)
    missing = [w for w in ("Sample ID", "Analyte Name", "Reported Conc", "Units") if w not in at]
    if missing:
        raise source.fail(say("sheet.heading_lacks", names=", ".join(missing)), "row 1")
    body = [(i, row) for i, row in enumerate(rows[1:], 2) if any(row)]
    partial = False
    if body and len(body[-1][1]) < len(heading) and not ends:
        body.pop()
        partial = True
    order_known = any(_day_first(row, at) for _, row in body)
    groups: dict[str, list[tuple[int, list[str]]]] = {}
    for i, row in body:
        if len(row) < len(heading):
            raise source.fail(say("sheet.cells_headings", cells=len(row), headings=len(heading)), f"row {i}")
        groups.setdefault(row[at["Sample ID"]], []).append((i, row))
    shared = []
    if partial:
        shared.append("the last line ends early and was left out: the file was cut")
    elif not ends:
        shared.append("the last line has no line end: if the file was cut there, its last cell may be short")
    readings = []
    for sample, lines in groups.items():
        values = [_value(source, row, at, i) for i, row in lines]
        dates = [_date(source, row, at, i) for i, row in lines]
        warnings = list(shared)
        if any(dates) and not order_known:
            warnings.append("dates were read as day-month-year, which no date of the file proves")
        if len({d[:10] for d in dates if d}) > 1:
            warnings.append(f"measured on several days; the first is {min(d for d in dates if d)[:10]}")
        names = [v.quantity for v in values]
        doubles = sorted({n for n in names if names.count(n) > 1})
        if doubles:
            warnings.append(f"several lines or runs of {', '.join(doubles)}; all are kept")
        metadata = {
            "lines": [dict(zip(heading, row, strict=False)) for _, row in lines],
            "concentration": heading[at["Reported Conc"]],
        }
        first, last = lines[0][0], lines[-1][0]
        readings.append(
            Reading(
                "metals", values=tuple(values), sample=sample, measured_at=min((d for d in dates if d), default=""),
                instrument="PerkinElmer ICP (Winlab32)", metadata=metadata, warnings=tuple(warnings),
                completeness="partial" if partial else "unverified",
                where=f"rows {first}-{last}" if last > first else f"row {first}",
            )
        )  # fmt: skip
    if not readings:
        raise source.fail(say("sheet.no_result_cut"))
    return readings


def _value(source: Source, row: list[str], at: dict[str, int], number: int) -> Value:
    analyte = row[at["Analyte Name"]]
    where = f"row {number}, {analyte}"
    symbol = vocabulary.element(analyte)
    if not symbol:
        raise source.fail(say("sheet.no_element", cell=analyte), where)
    unit = row[at["Units"]]
    try:
        cell = parse_cell(row[at["Reported Conc"]])
    except ValueError as exc:
        raise source.fail(said_by(exc) + say("sheet.expect_concentration"), where) from None
    term = vocabulary.term(f"metal:{symbol}")
    if not unit:
        raise source.fail(say("sheet.result_no_unit", unit="mg/kg"), where)
    try:
        content = None if cell.value is None else convert(cell.value, unit, term)
        limit = None if cell.lod is None else convert(cell.lod, unit, term)
    except UnitError as exc:
        raise source.fail(said_by(exc) + say("sheet.leachate"), where) from None
    return Value(
        term.name,
        content,
        term.unit,
        lod=limit,
        flag=cell.flag,
        text=f"{analyte}: {row[at['Reported Conc']]} {unit}",
        where=where,
    )


def _day_first(row: list[str], at: dict[str, int]) -> bool:
    """True for a date whose first number can only be a day."""
    match = re.match(r"(\d{1,2})-", row[at["Date"]]) if "Date" in at and at["Date"] < len(row) else None
    return match is not None and int(match[1]) > 12


def _date(source: Source, row: list[str], at: dict[str, int], number: int) -> str:
    if "Date" not in at or not row[at["Date"]]:
        return ""
    date, time = row[at["Date"]], row[at["Time"]] if "Time" in at else ""
    for form in (
        ("%d-%m-%y %I:%M:%S %p", "%d-%m-%y %H:%M:%S", "%d-%m-%Y %I:%M:%S %p", "%d-%m-%Y %H:%M:%S")
        if time
        else ("%d-%m-%y", "%d-%m-%Y")
    ):
        try:
            found = datetime.strptime(f"{date} {time}".strip(), form)
        except ValueError:
            continue
        return found.isoformat("T", "seconds") if time else found.date().isoformat()
    raise source.fail(say("sheet.day_month_year", cell=f"{date} {time}"), f"row {number}")


READER = Reader("icp_perkinelmer", "PerkinElmer Winlab32 results", (".csv",), _sniff, _read, ("metals",))
