"""Rigaku ZSX quantitative reports (.txt): fixed columns, several results in one file, mass % or thin-film units.

Units are kept as printed: atomic per cent of a film cannot be turned into mass per cent without its composition.
"""

from __future__ import annotations

import re
from typing import Any

from ...i18n import said_by, say
from .. import vocabulary
from ..base import Reader, Reading, Source, Value
from ..text import parse_cell
from ..units import normalise
from ._sheet_values import converted

_WORDS = ("Analyzed value", "Component", "Application")
_DATE = re.compile(r"(\d{4})-\s*(\d{1,2})-\s*(\d{1,2})\s+(\d{1,2}):(\d{2})")


def _sniff(source: Source) -> int:
    head = source.head[:4096]
    return 95 if head.lstrip().startswith(b"PositionType") and b"Component" in head and b"Analyzed value" in head else 0


def _read(source: Source) -> list[Reading]:
    lines = source.text(*_WORDS).replace("\r\n", "\n").split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("PositionType")]
    readings = []
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(lines)
        readings.append(_result(source, lines, start, end, number + 1))
    samples = [r.sample for r in readings]
    if not readings:
        raise source.fail(say("sheet.no_result_cut"))
    from dataclasses import replace

    for i, reading in enumerate(readings):
        if samples.count(reading.sample) > 1:
            turn = samples[: i + 1].count(reading.sample)
            readings[i] = replace(
                reading, fields={"replicate": str(turn)},
                warnings=(*reading.warnings, f"sample {reading.sample!r} stands "
                          f"{samples.count(reading.sample)} times in the "
                          "file; numbered as replicates"),
            )  # fmt: skip
    return readings


def _columns(line: str, starts: list[int]) -> list[str]:
    return [line[a:b].strip() for a, b in zip(starts, [*starts[1:], len(line) + 1], strict=True)]


def _result(source: Source, lines: list[str], start: int, end: int, number: int) -> Reading:
    where = f"line {start + 1}"
    header = lines[start]
    names = ["Type", "Application", "Sample name", "Date"]
    found = [header.find(n) for n in names]
    if min(found) < 0 or start + 1 >= end:
        raise source.fail(say("sheet.heading_lacks", names="PositionType, Application, Sample name, Date"), where)
    about = lines[start + 1]
    position, kind, application, sample, date = _columns(about, [0, *found])
    match = _DATE.match(date)
    measured = ""
    if match:
        year, month, day, hour, minute = (int(g) for g in match.groups())
        if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
            raise source.fail(say("sheet.impossible_date", cell=date), f"line {start + 2}")
        measured = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00"
    block = {
        line[:16].strip(): (i, line)
        for i, line in reversed(list(enumerate(lines[start:end], start)))
        if line[:16].strip()
    }
    rows = {}
    for name in ("Component", "Analyzed value", "Unit"):
        if name not in block:
            raise source.fail(say("sheet.heading_lacks", names=name), where)
        rows[name] = [c.strip() for c in re.split(r"\s+", block[name][1][16:].strip()) if c.strip()]
    count = len(rows["Component"])
    if not count or len(rows["Analyzed value"]) != count or len(rows["Unit"]) != count:
        raise source.fail(
            say("sheet.columns_missing", components=count, values=len(rows["Analyzed value"]), units=len(rows["Unit"])),
            f"line {block['Analyzed value'][0] + 1}",
        )
    metadata: dict[str, Any] = {"position": position, "type": kind, "application": application, "result": number}
    intensities: dict[str, list[str]] = {}
    for i in range(start + 2, end):
        label, rest = lines[i][:16].strip(), lines[i][16:].split()
        if label and rest and label not in ("Component", "Analyzed value", "Unit") and not label.startswith("_"):
            intensities.setdefault(label if label not in intensities else f"{label} (2)", rest)
    metadata["intensities"] = intensities
    values, warnings = [], []
    place = f"line {block['Analyzed value'][0] + 1}"
    for name, text, unit in zip(rows["Component"], rows["Analyzed value"], rows["Unit"], strict=True):
        values.append(_value(source, name, text, unit, f"{place}, {name}", metadata))
    if any(v.unit == "at%" for v in values):
        warnings.append("atomic per cent of a thin film, kept as printed; not a content in mass per cent")
    closing = [line for line in lines[start:end] if line.startswith("____")]
    complete = bool(closing) and len(closing[-1].rstrip()) >= len(lines[starts_width(lines)].rstrip("\n"))
    if not complete:
        warnings.append("the closing rule of the result is missing: the file was cut")
    return Reading(
        "XRF", values=tuple(values), sample=sample, measured_at=measured, instrument="Rigaku", method=application,
        metadata=metadata, warnings=tuple(warnings), completeness="unverified" if complete else "partial",
        where=f"result {number}",
    )  # fmt: skip


def starts_width(lines: list[str]) -> int:
    """Index of the first heading line, whose width is that of the rule that closes a result."""
    return next(i for i, line in enumerate(lines) if line.startswith("PositionType"))


def _value(source: Source, name: str, text: str, unit: str, where: str, metadata: dict[str, Any]) -> Value:
    try:
        cell = parse_cell(text)
    except ValueError as exc:
        raise source.fail(said_by(exc) + say("sheet.stop"), where) from None
    printed = normalise(unit)
    if re.fullmatch(r"Film\d+|Layer\d+", name):
        metadata.setdefault("layers", {})[name] = f"{text} {unit}"
        return Value(
            "film_thickness",
            cell.value,
            printed,
            flag=cell.flag,
            lod=cell.lod,
            text=f"{name}: {text} {unit}",
            where=where,
        )
    term = vocabulary.find(name)
    if term is None:
        raise source.fail(say("sheet.no_element", cell=name), where)
    if printed in ("at%", "mol%"):
        return Value(term.name, cell.value, printed, flag=cell.flag, lod=cell.lod, text=f"{text} {unit}", where=where)
    number = converted(source, cell.value, printed, term, where)
    limit = converted(source, cell.lod, printed, term, where)
    return Value(term.name, number, term.unit, flag=cell.flag, lod=limit, text=f"{text} {unit}", where=where)


READER = Reader("xrf_rigaku", "Rigaku quantitative report", (".txt",), _sniff, _read, ("XRF",))
