"""What a table says about all of its rows, and the cells of a row that describe the sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...i18n import said_by, say
from .. import vocabulary
from ..base import Completeness
from ..sheets import Cell
from ..text import parse_date
from ..units import looks_like_unit, normalise
from ._sheet_headings import AIR_DRIED, Column, clean, nearest, parse, technique_of
from ._sheet_tables import Table, has_result
from ._sheet_values import Cellwork, Faults, age_of, is_analysis, read_cell, text_of

STATISTIC = re.compile(
    r"^(?:平均值?|均值|算术平均值?|mean|average|avg\.?|标准差|标准偏差|std\.?|stdev|sd|rsd|变异系数|极差|最大值?|最小值?|max\.?|min\.?|"
    r"合计|总计|total|sum)(?:\s*\(.*\))?$",
    re.I,
)
_STANDARD = re.compile(
    r"(?<![A-Za-z])(?:GB(?:\s?[/-]\s?T)?|HJ(?:\s?[/-]?\s?T)?|JGJ|JG(?:/T)?|JC(?:/T)?|DL(?:/T)?|YB(?:/T)?|EN|ISO|ASTM|EPA|DIN|BS)[\s_-]*"
    r"[A-Z]?\s?\d{2,5}(?:\.\d+)?(?:-\d{1,4})*"
)
CODES = frozenset(("sample", "sample_name", "specimen", "mix", "parent"))
_SHORT_DATE = re.compile(r"\d{1,2}-(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.I)
_OWN_COLUMN = frozenset(
    ("sample", "operator", "method", "instrument", "measured_at", "basis", "technique", "unit", "coverage", "quantity",
     "value", "uncertainty", "lod", "row_number")
)  # fmt: skip
_DATES = ("collected_at", "cast_at")
COVERAGE = re.compile(r"(?<![A-Za-z])k\s*=\s*(\d+(?:\.\d+)?)")


@dataclass
class Context:
    """What one table says about all of its rows."""

    table: Table
    faults: Faults
    work: Cellwork
    complete: tuple[Completeness, str]
    technique: str
    method: str
    k: float | None
    title: str
    basis: str
    not_read: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    calculated: list[str] = field(default_factory=list)


@dataclass
class Row:
    """The descriptive cells of one row."""

    index: int
    sample: str = ""
    technique: str = ""
    method: str = ""
    operator: str = ""
    instrument: str = ""
    measured_at: str = ""
    basis: str = ""
    unit: str = ""
    k: float | None = None
    fields: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def context_of(table: Table, decimal: str, faults: Faults, complete: tuple[Completeness, str]) -> Context:
    title = " | ".join(table.title)
    given = table.given
    technique = technique_of([text_of(given["technique"])]) if "technique" in given else ""
    if "technique" in given and not technique:
        faults.add(
            table.given_at["technique"],
            say("sheet.no_technique", cell=text_of(given["technique"]), known=", ".join(vocabulary.techniques())),
        )
    technique = technique or technique_of([table.grid.name]) or technique_of(table.title)
    unit = clean(text_of(given["unit"])) if "unit" in given else ""
    if unit and not looks_like_unit(unit):
        faults.add(table.given_at["unit"], say("sheet.no_such_unit", cell=unit))
        unit = ""
    if not unit:
        said = {
            normalise(m)
            for found in re.findall(r"[(\[]\s*([^()\[\]]{1,30})\s*[)\]]", f"{title} ({clean(table.grid.name)})")
            for m in re.split(r"[,;，、]", found)
            if looks_like_unit(m)
        } | {
            normalise(m)
            for m in re.findall(r"(?:^|[\s/])(wt\.?%|%|mg/kg|mg/L|MPa)(?=$|[\s|,;)])", f"{title} {table.grid.name}")
        }
        unit = said.pop() if len(said) == 1 else ""
    if technique in ("", "metals") and any(is_leaching(m) for m in _STANDARD.findall(f"{table.grid.name} | {title}")):
        technique = "leaching"
    match = COVERAGE.search(title)
    k = float(match[1]) if match else None
    if "coverage" in given:
        k = _number(given["coverage"], decimal, table.given_at["coverage"], faults)
    methods = list(dict.fromkeys(_tidy(m) for m in _STANDARD.findall(f"{table.grid.name} | {title}")))
    method = text_of(given["method"]) if "method" in given else (methods[0] if len(methods) == 1 else "")
    heads = [parse(h) for h in table.headings]
    for j, head in enumerate(heads):
        if head.basis == "air_dried":
            faults.add(table.grid.place(*table.at(table.origin, j)), say("sheet.air_dried", cell=clean(head.heading)))
    share = (
        "%" in title
        or "%" in table.grid.name
        or any(
            c.unit in ("%", "wt%") and (technique == "QPA" or (c.term is not None and is_analysis(c.name)))
            for c in heads
        )
    )
    work = Cellwork(faults, decimal, share, normalise(unit) if unit else "")
    metadata: dict[str, Any] = {}
    if table.grid.name:
        metadata["sheet"] = table.grid.name
    if table.title:
        metadata["title"] = list(table.title)
    parts = [p.strip() for m in re.findall(r"[(\[]([^()\[\]]{1,30})[)\]]", title) for p in re.split(r"[,;，、]", m)]
    if AIR_DRIED.search(title):
        faults.add(table.grid.place(table.origin), say("sheet.air_dried", cell=AIR_DRIED.findall(title)[0]))
    bases = {vocabulary.basis(p) for p in (*parts, *table.title)} - {""}
    basis = bases.pop() if len(bases) == 1 else ""
    return Context(table, faults, work, complete, technique, method, k, title, basis, [], metadata)


def _tidy(standard: str) -> str:
    text = re.sub(r"\s+", " ", standard.replace("_", " ")).strip()
    return re.sub(r"^HJ\s?[/-]?\s?T[\s-]*", "HJ/T ", re.sub(r"^GB\s?[/-]\s?T[\s-]*", "GB/T ", text))


def is_leaching(method: str) -> bool:
    """True for the number of a leaching test: it says that a result is of the leachate, not of the solid."""
    body = vocabulary.fold(_tidy(method))
    for known in vocabulary.techniques()["leaching"].methods:
        rest = body.removeprefix(vocabulary.fold(known))
        if rest != body and not rest[:1].isdigit():
            return True
        if rest != body and re.fullmatch(r"(?:19|20)\d\d.*", rest):
            return True
    return False


def _number(cell: Cell, decimal: str, where: str, faults: Faults) -> float | None:
    try:
        raw = read_cell(cell, decimal)
    except ValueError as exc:
        faults.add(where, said_by(exc) + say("sheet.expect_plain_number"))
        return None
    return raw.value


def describe(context: Context, columns: Sequence[Column], index: int, row: Sequence[Cell]) -> Row:
    """The fields of a row, from its own cells or from what is said above the table."""
    table, faults = context.table, context.faults
    out = Row(index, technique=context.technique, method=context.method, k=context.k)
    cells: list[tuple[str, Cell, str, Column]] = []
    for j, column in enumerate(columns):
        if column.role == "field" and j < len(row) and row[j] is not None and clean(row[j]):
            if clean(row[j]) in ("-", "--", "—", "/", "\\") and column.name != "sample":
                continue
            cells.append((column.name, row[j], table.where(index, j), column))
    own = {name for name, *_ in cells}
    cells = [
        *((n, value, table.given_at[n], Column("field", name=n)) for n, value in table.given.items() if n not in own),
        *cells,
    ]
    for name, cell, where, column in cells:
        text = text_of(cell)
        if name in CODES and is_spoiled(cell):
            faults.add(where, say("sheet.code_date", cell=text) + say("sheet.stop"))
            continue
        if name in ("measured_at", *_DATES):
            try:
                text = parse_date(cell)
            except ValueError as exc:
                faults.add(where, said_by(exc) + say("sheet.stop"))
                continue
        if name == "basis":
            text = vocabulary.basis(text)
            if not text:
                shown = text_of(cell)
                airy = AIR_DRIED.search(shown) or shown.lower() in ("ad", "a.d.")
                faults.add(where, say("sheet.air_dried" if airy else "sheet.no_basis", cell=shown))
                continue
            out.basis = text
        elif name == "age":
            try:
                out.fields["age"] = age_of(cell, column.unit)
            except ValueError as exc:
                faults.add(where, said_by(exc) + say("sheet.stop"))
        elif name == "technique":
            found = technique_of([text])
            if not found:
                faults.add(where, say("sheet.no_technique", cell=text, known=", ".join(vocabulary.techniques())))
            out.technique = found or out.technique
        elif name == "waste_class":
            out.fields["waste_class"] = vocabulary.waste_class(text) or text
        elif name == "coverage":
            out.k = _number(cell, context.work.decimal, where, faults)
        elif name == "unit":
            if column.heading and looks_like_unit(text):
                out.unit = normalise(text)
            elif column.heading:
                faults.add(where, say("sheet.no_such_unit", cell=text))
        elif name in ("sample", "operator", "method", "instrument", "measured_at"):
            setattr(out, name, text)
        elif name == "row_number":
            out.metadata["row_number"] = text
        elif name == "note" and name in out.fields:
            out.fields[name] += f"; {text}"
        elif name not in _OWN_COLUMN:
            out.fields[name] = (
                f"{text} {column.unit}" if column.unit and has_result(cell) and not text.endswith(column.unit) else text
            )
    if out.technique in ("", "metals") and is_leaching(out.method):
        out.technique = "leaching"
    if not out.sample:
        out.sample = out.fields.get("specimen", "") or out.fields.get("mix", "") or out.fields.pop("sample_name", "")
    out.basis = out.basis or context.basis
    if out.index in table.grid.hidden_rows and table.layout != "transposed":
        out.metadata["hidden_row"] = True
    return out


def note_calculated(context: Context, index: int, label: str) -> None:
    """Note a row that is calculated from others."""
    where = context.table.where(index)
    context.not_read.append(f"{where}: {label!r} is calculated from other rows and was not read")
    context.calculated.append(f"{label} ({where.rsplit(', ', 1)[-1]})")


def is_spoiled(cell: Cell) -> bool:
    """True for a code that a spreadsheet program turned into a date: ``3-2`` into 2 March."""
    return isinstance(cell, datetime) or (isinstance(cell, str) and _SHORT_DATE.fullmatch(cell.strip()) is not None)


def check_width(context: Context, index: int, columns: Sequence[Column]) -> None:
    """A line of text with fewer cells than headings lost a separator; the last one may be cut, which is `partial`."""
    table = context.table
    cells = len(table.grid.rows[index])
    last = index == len(table.grid.rows) - 1 and not table.grid.ends
    if cells < len(columns) and not last:
        context.faults.add(table.where(index), say("sheet.few_cells", cells=cells, headings=len(columns)))


def refuse_doubles(context: Context, columns: Sequence[Column]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for j, column in enumerate(columns):
        if column.role in ("empty", "unknown", "meta", "beside") or not column.name:
            continue
        if column.role == "field" and column.name in ("note", "row_number"):
            continue
        key = (column.role, column.name, column.age, column.basis)
        if key in seen:
            first = context.table.headings[seen[key]]
            context.faults.add(
                _place_of_heading(context.table, j),
                say("sheet.heading_twice", heading=clean(column.heading), name=column.name, first=first),
            )
        seen.setdefault(key, j)


def note_beside(context: Context, columns: Sequence[Column]) -> None:
    """Say which columns of limits and verdicts were not read."""
    for j, column in enumerate(columns):
        if column.role == "beside":
            context.not_read.append(f"{_place_of_heading(context.table, j)}: {BESIDE[column.name]}, not read")


#: What stands beside results, in a report of what was not read.
BESIDE = {"limit": "what a standard asks for", "verdict": "a verdict", "remark": "a remark"}


def _place_of_heading(table: Table, j: int) -> str:
    if table.layout == "transposed":
        return table.grid.place(table.first + j, table.origin, table.headings[j])
    return table.grid.place(table.origin, j, table.headings[j])


def refuse_unknown_in(context: Context, columns: Sequence[Column], technique: str) -> None:
    table = context.table
    for j, column in enumerate(columns):
        if column.role != "unknown":
            continue
        for index, row in table.rows:
            cell = row[j] if j < len(row) else None
            if has_result(cell) and not looks_like_unit(clean(cell)):
                context.faults.add(
                    table.where(index, j),
                    say("sheet.heading_unknown", heading=clean(column.heading), cell=text_of(cell))
                    + nearest(column.heading)
                    + say("sheet.heading_use"),
                )
                break
