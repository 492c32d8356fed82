"""MicrotracBEL BELSORP exports, English or Japanese (Shift-JIS): .DAT (sections between rules) and .csv.

A .DAT block ends with a row of zeros, a .csv states the number of points of each branch; both are checked.
"""

from __future__ import annotations

import csv
import re
from typing import Any

from ..base import Completeness, Reader, Reading, Source, Value
from .sorption_points import isotherm
from .thermal_columns import Lines, decode, finish, leading_number, number_table

_ADSORPTION = ("adsorption data", "吸着データ")
_DESORPTION = ("desorption data", "脱着データ")
_PRESSURE = re.compile(r"^pe/(\w+)$", re.I)
_SATURATION = re.compile(r"^p0/(\w+)$", re.I)
_LOADING = re.compile(r"^V[ad]?/(?:cm\^?3|ml)\s*\(STP\)\s*g\^?-1$", re.I)


def _sniff(source: Source) -> int:
    head = source.head
    marks = ("吸着データ".encode("cp932"), "吸着データ".encode(), b"Adsorption data", b"Number of adsorption")
    columns = re.search(rb'^"?No\.?"?[\t,]\s*"?(?:pi/|pe/)[kKMm]?[Pp]a', head, re.M | re.I)
    return 100 if columns and any(m in head for m in marks) else (75 if columns and b"(STP)" in head else 0)


def _columns(source: Source, headings: list[str], line: int) -> tuple[int, int, int, str]:
    def find(pattern: re.Pattern[str], what: str) -> tuple[int, re.Match[str]]:
        for k, h in enumerate(headings):
            match = pattern.match(h.strip())
            if match:
                return k, match
        raise source.fail(f"has no column of {what} in {headings}.", f"line {line}")

    (p, match), (p0, second), (v, _) = (
        find(_PRESSURE, "pressure (Pe)"),
        find(_SATURATION, "P0"),
        find(_LOADING, "loading (V per gram)"),
    )
    if match[1] != second[1]:
        raise source.fail(f"gives Pe in {match[1]} and P0 in {second[1]}; expected one unit.", f"line {line}")
    return p, p0, v, match[1]


def _date(text: str) -> str:
    match = re.fullmatch(r"(\d{2}|\d{4})[/-](\d{2})[/-](\d{2})", text.strip())
    if not match or not 1 <= int(match[2]) <= 12 or not 1 <= int(match[3]) <= 31:
        return ""
    return f"{match[1] if len(match[1]) == 4 else '20' + match[1]}-{match[2]}-{match[3]}"


def _pick(meta: dict[str, Any], *keys: str) -> tuple[str, str]:
    for name, value in meta.items():
        if any(name.lower().startswith(k.lower()) for k in keys):
            return name, str(value)
    return "", ""


def _reading(
    source: Source,
    points: list[tuple[int, Any]],
    columns: tuple[int, int, int, str],
    meta: dict[str, Any],
    warnings: list[str],
    completeness: Completeness,
) -> Reading:
    p, p0, v, unit = columns
    branch = [b for b, _ in points]
    rows = [row for _, row in points]
    variables = isotherm(
        source,
        pressure=[r[p] for r in rows],
        saturation=[r[p0] for r in rows],
        pressure_units=unit,
        loading=[r[v] for r in rows],
        loading_units="cm3/g",
        branch=branch,
        warnings=warnings,
        meta=meta,
    )
    name, mass = _pick(meta, "Sample weight", "試料重量", "サンプル質量")
    found = leading_number(mass + (" g" if re.search(r"[/／]\s*g$", name) else ""))
    values = [Value("sample_mass", found[0], found[1], text=mass, where=f"header {name!r}")] if found else []
    serial = _pick(meta, "Instrument S/N", "装置Ｓ／Ｎ", "シリアルナンバー", "Serial")[1]
    return Reading(
        "BET",
        variables,
        values,
        sample=_pick(meta, "Comment1", "コメント１")[1],
        measured_at=_date(_pick(meta, "Date of measurement", "測定開始日", "測定日")[1]),
        instrument=f"MicrotracBEL {serial}".strip(),
        metadata=meta,
        warnings=warnings,
        completeness=completeness,
    )


def _dat(source: Source, lines: Lines) -> list[Reading]:
    meta: dict[str, Any] = {}
    points: list[tuple[int, Any]] = []
    columns: tuple[int, int, int, str] | None = None
    ends: list[bool] = []
    cut, section = "", ""
    warnings: list[str] = []
    index = 0
    split = re.compile(r"\t")
    while index < len(lines.lines):
        line = lines.lines[index]
        cells = [c.strip().strip('"') for c in split.split(line)]
        if line.startswith("===="):
            index += 1
            section = lines.lines[index].strip() if index < len(lines.lines) else ""
            index += 2
            continue
        if cells[0] == "No.":
            if lines.is_cut(index):
                raise source.fail("is cut within its column headings.", f"line {index + 1}")
            columns = _columns(source, cells, index + 1)
            low = section.lower()
            desorption = any(low.startswith(w) for w in _DESORPTION)
            if not desorption and not any(low.startswith(w) for w in _ADSORPTION):
                raise source.fail(f"has a table under the unknown section {section!r}.", f"line {index + 1}")
            start = index + 1
            stop = next(
                (i for i in range(start, len(lines.lines)) if not re.match(r"\d", lines.lines[i])), len(lines.lines)
            )
            table = number_table(source, lines, list(range(start, stop)), cells, split.split)
            cut = cut or table.cut
            data = table.data
            closed = len(data) > 0 and not data[-1].any()
            ends.append(closed)
            body = data[:-1] if closed else data
            for n, row in enumerate(body):
                if row[0] != n + 1:
                    raise source.fail(f"point {row[0]:g} follows point {n}; rows are missing.", f"line {start + n + 1}")
                points.append((int(desorption), row))
            index = stop
            continue
        if len(cells) >= 2:
            meta[cells[0].rstrip(":：")] = ", ".join(c for c in cells[1:] if c)
        index += 1
    if columns is None:
        raise source.fail("has no table of adsorption data: it is cut within its header. Export it again.")
    declared = len(ends) == 2 and all(ends)
    completeness = finish(cut, declared, warnings)
    if not declared and completeness != "partial":
        completeness = "partial"
        warnings.append("the row of zeros that ends a branch is missing, or the desorption block is: the file is cut")
    return [_reading(source, points, columns, meta, warnings, completeness)]


def _csv(source: Source, lines: Lines) -> list[Reading]:
    at = next((i for i, line in enumerate(lines.lines) if re.match(r'"?No\.?"?,', line)), None)
    if at is None or lines.is_cut(at):
        raise source.fail("has no line of column headings (No, pi, pe …): it is cut. Export it again.")
    meta: dict[str, Any] = {}
    for line in lines.lines[:at]:
        cells = next(csv.reader([line]), [])
        if len(cells) >= 2:
            unit = f" {cells[2].strip('[]')}" if len(cells) > 2 and cells[2] else ""
            meta[cells[0]] = f"{cells[1]}{unit}" if cells[1] else ""
    headings = [h.strip() for h in next(csv.reader([lines.lines[at]]))]
    columns = _columns(source, headings, at + 1)
    points: list[tuple[int, Any]] = []
    warnings: list[str] = []
    cut, index, seen = "", at + 1, []
    while index < len(lines.lines):
        mark = lines.lines[index].strip().rstrip(",")
        if mark in ("ADS", "DES"):
            seen.append(mark)
            start = index + 1
            index = next(
                (i for i in range(start, len(lines.lines)) if not re.match(r"\s*\d", lines.lines[i])), len(lines.lines)
            )
            table = number_table(source, lines, list(range(start, index)), headings, lambda line: line.split(","))
            cut = cut or table.cut
            for n, row in enumerate(table.data):
                if row[0] != n + 1:
                    raise source.fail(f"point {row[0]:g} follows point {n}; rows are missing.", f"line {start + n + 1}")
                points.append((int(mark == "DES"), row))
        elif not mark:
            index += 1
        elif lines.is_cut(index):
            cut = cut or f"line {index + 1} is cut"
            index += 1
        else:
            raise source.fail(f"{mark[:40]!r} is neither a point nor ADS or DES.", f"line {index + 1}")
    if "ADS" not in seen:
        raise source.fail("has no ADS block: it is cut. Export it again.")
    stated = [
        _pick(meta, *keys)[1].strip()
        for keys in (("吸着データ数", "Number of adsorption"), ("脱着データ数", "Number of desorption"))
    ]
    found = [sum(b == k for b, _ in points) for k in (0, 1)]
    known = all(s.isdigit() for s in stated)
    declared = known and [int(s) for s in stated] == found
    completeness = finish(cut, declared, warnings)
    if known and not declared:
        if any(n > int(s) for n, s in zip(found, stated, strict=True)):
            raise source.fail(f"states {stated} points but holds {found}; it is damaged.")
        completeness = "partial"
        warnings.append(f"the header states {stated[0]} + {stated[1]} points; {found[0]} + {found[1]} are there")
    return [_reading(source, points, columns, meta, warnings, completeness)]


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, "吸着データ", "Adsorption data", "Number of adsorption", "pe/kPa"))
    return _dat(source, lines) if any(line.startswith("====") for line in lines.lines[:3]) else _csv(source, lines)


READER = Reader("bel_sorption", "MicrotracBEL BELSORP isotherm", (".dat", ".csv"), _sniff, _read, ("BET",))
