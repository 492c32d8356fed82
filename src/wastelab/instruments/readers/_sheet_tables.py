"""Where the tables of a sheet are and how they lie: one row per sample or result, or one column per sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .. import vocabulary
from ..sheets import Cell, Grid
from ..text import parse_cell
from ..units import looks_like_unit
from ._sheet_headings import Column, clean, parse, technique_of

#: Fields that say which sample a row is of.
NAMING = frozenset(("sample", "sample_name", "specimen", "mix"))
#: A heading row is looked for in this many rows.
SEARCH = 40
_NUMBER = re.compile(r"[<>≤≥~≈=\s]*[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?(?:\s*(?:±|\+/-).*)?\s*%?")
_PREAMBLE = frozenset((
    "sample", "waste_class", "source", "parent", "process", "operator", "checked_by", "measured_at",
    "collected_at", "cast_at", "method", "instrument", "basis", "age", "mix", "specimen", "unit", "coverage",
    "technique", "note",
))  # fmt: skip
_PAIR = re.compile(r"^([^:：]{1,40})[:：]\s*(.*)$", re.S)


@dataclass
class Table:
    """One table: its headings and its rows, and what is said about it around.

    Attributes
    ----------
    grid : Grid
    layout : {"wide", "long", "transposed"}
    headings : list of str
    rows : list of (index, cells)
        The index counts rows of the sheet, or columns of a transposed table.
    title : list of str
        Texts above and below the table that are no pairs.
    given : dict
        Fields said for the whole table.
    origin : int
        Index of the heading row (of the first column in a transposed table).
    first : int
        Index of the first column (of the first row in a transposed table).
    unexplained : list of (row, column)
        Of a transposed table: cells of the sheet to the left of its quantities whose column is not known.
    """

    grid: Grid
    layout: Literal["wide", "long", "transposed"]
    headings: list[str]
    rows: list[tuple[int, list[Cell]]]
    title: list[str] = field(default_factory=list)
    given: dict[str, Cell] = field(default_factory=dict)
    given_at: dict[str, str] = field(default_factory=dict)
    origin: int = 0
    first: int = 0
    unexplained: list[tuple[int, int]] = field(default_factory=list)

    @property
    def sample_name(self) -> str:
        """How the samples run: ``"row"`` or ``"column"``."""
        return "column" if self.layout == "transposed" else "row"

    def where(self, index: int, column: int | None = None) -> str:
        """Place of a cell by index of its row (sample) and its column in the table (heading)."""
        if self.layout == "transposed":
            if column is None:
                parts = [f"sheet '{self.grid.name}'"] if self.grid.name else []
                return ", ".join([*parts, self.grid.place(0, index).rsplit(", ", 1)[-1]])
            return self.grid.place(self.first + column, index, self.headings[column])
        return self.grid.place(
            index, None if column is None else self.first + column, "" if column is None else self.headings[column]
        )

    def at(self, index: int, column: int) -> tuple[int, int]:
        """Row and column of the sheet, from 0."""
        return (self.first + column, index) if self.layout == "transposed" else (index, self.first + column)


def is_number(cell: Cell) -> bool:
    """True for a number, or a text that is one."""
    if isinstance(cell, int | float):
        return True
    return isinstance(cell, str) and len(cell) < 40 and _NUMBER.fullmatch(cell) is not None


def has_result(cell: Cell) -> bool:
    """True for a number, perhaps with a unit, a limit or an uncertainty."""
    if is_number(cell):
        return True
    if not isinstance(cell, str) or not any(c.isdigit() for c in cell):
        return False
    for decimal in (".", ","):
        try:
            found = parse_cell(cell, decimal)
        except ValueError:
            continue
        return found.value is not None or found.lod is not None
    return False


def _heads(row: Sequence[Cell]) -> list[Column]:
    return [parse(c) if isinstance(c, str) and len(c) < 80 and not is_result(c) else Column("empty") for c in row]


def is_result(cell: Cell) -> bool:
    """True for a number, a limit, ``ND`` or a dash: what stands in the cells of a table, not over them."""
    if is_number(cell):
        return True
    if not isinstance(cell, str):
        return False
    try:
        unit = parse_cell(cell).unit
    except ValueError:
        return False
    return not unit or looks_like_unit(unit)


def header_kind(row: Sequence[Cell], technique: str = "") -> str:
    """``"wide"``, ``"long"``, ``"transposed"`` or ``""``: whether a row is the heading of a table."""
    if sum(isinstance(c, str | datetime) for c in row) < 2:
        return ""
    found = _heads(row)
    fields = {c.name for c in found if c.role == "field"}
    quantities = sum(c.role == "quantity" for c in found)
    numbers = sum(is_number(c) for c in row)
    if {"quantity", "value"} <= fields and numbers == 0:
        return "long"
    named = bool(fields & NAMING)
    others = sum(c.role == "unknown" for c in found)
    if quantities and numbers <= 1 and (named or (quantities >= 3 and quantities > others)):
        return "wide"
    if technique == "QPA" and named and others and not numbers and "quantity" not in fields:
        return "wide"
    filled = [c for c, cell in zip(found, row, strict=True) if cell is not None]
    first = next((c for c in filled if c.name != "row_number"), None)
    if first is not None and first.name == "quantity" and not quantities and not fields & {"value", "sample"}:
        return "transposed"
    return ""


def find_tables(grid: Grid) -> list[Table]:
    """Every table of a sheet; none where no heading is known."""
    rows = grid.rows
    technique = technique_of([grid.name]) or technique_of(
        clean(next(c for c in row if c is not None)) for row in rows[:8] if sum(c is not None for c in row) in (1, 2)
    )
    starts: list[tuple[int, str]] = []
    turned: list[int] = []
    for i, row in enumerate(rows):
        if i >= SEARCH and not starts:
            break
        kind = header_kind(row, technique)
        if kind == "transposed":
            if i < SEARCH:
                turned.append(i)
            continue
        if kind and not (
            starts and starts[-1][1] == "long" and kind == "wide" and _is_data_of_long(rows[starts[-1][0]], row)
        ):
            if starts and starts[-1][0] == i - 1:
                starts.pop()  # headings over two rows
            starts.append((i, kind))
    if not starts:
        for start in (*turned, None):
            flipped = _transposed(grid, start, technique)
            if flipped is not None:
                return [flipped]
        return []
    tables: list[Table] = []
    begin = 0
    for number, (start, kind) in enumerate(starts):
        if tables and [clean(c) for c in rows[start]] == [clean(c) for c in rows[tables[-1].origin]]:
            continue
        end = starts[number + 1][0] if number + 1 < len(starts) else len(rows)
        for later, (other, _) in enumerate(starts[number + 1 :], number + 1):
            if [clean(c) for c in rows[other]] == [clean(c) for c in rows[start]]:
                end = starts[later + 1][0] if later + 1 < len(starts) else len(rows)
            else:
                end = other
                break
        headings, above = _headings(rows, start, begin)
        table = Table(grid, "long" if kind == "long" else "wide", headings, [], origin=start)
        _read_around(table, [*enumerate(rows[begin : start - 1], begin), *above] if start > begin else [])
        body = list(enumerate(rows[start + 1 : end], start + 1))
        if number + 1 < len(starts):  # texts just above the next heading belong to the next table
            while body and not any(is_number(c) for c in body[-1][1]) and sum(c is not None for c in body[-1][1]) <= 2:
                body.pop()
        begin = body[-1][0] + 1 if body else start + 1
        repeated = [clean(c) for c in rows[start]]
        table.rows = [(i, row) for i, row in body if [clean(c) for c in row] != repeated]
        if tables:
            for name, value in tables[0].given.items():
                table.given.setdefault(name, value)
                table.given_at.setdefault(name, tables[0].given_at[name])
        _take_notes(table)
        tables.append(table)
    return tables


def table_at(grid: Grid, start: int) -> Table:
    """The table whose headings stand in a row, to the end of the sheet."""
    rows = grid.rows
    headings, above = _headings(rows, start, 0)
    table = Table(grid, "wide", headings, [], origin=start)
    _read_around(table, [*enumerate(rows[: max(start - 1, 0)]), *above])
    repeated = [clean(c) for c in rows[start]]
    for i, row in enumerate(rows[start + 1 :], start + 1):
        first = next((clean(c) for c in row if c is not None), "")
        pair = _PAIR.match(first)
        if _NOTE.match(first) or (pair and _preamble_field(pair[1])):
            _read_around(table, [(i, row)])
        elif [clean(c) for c in row] != repeated:
            table.rows.append((i, row))
    return table


def _headings(rows: Sequence[list[Cell]], start: int, begin: int) -> tuple[list[str], list[tuple[int, list[Cell]]]]:
    """The headings of a row, completed from the row above where a heading is merged over both; what is left of that."""
    headings = [clean(c) for c in rows[start]]
    if start <= begin:
        return headings, []
    above: list[Cell] = list(rows[start - 1])
    taken = False
    for j, cell in enumerate(above):
        if not isinstance(cell, str) or is_number(cell) or parse(cell).role not in ("field", "quantity"):
            continue
        if j >= len(headings):
            headings.extend([""] * (j + 1 - len(headings)))
        if not headings[j] and any(j < len(r) and r[j] is not None for r in rows[start + 1 :]):
            headings[j], above[j], taken = clean(cell), None, True
    return headings, [(start - 1, above if taken else rows[start - 1])]


def _is_data_of_long(header: Sequence[Cell], row: Sequence[Cell]) -> bool:
    columns = _heads(header)
    value = next((i for i, c in enumerate(columns) if c.name == "value"), -1)
    return 0 <= value < len(row) and (is_result(row[value]) or has_result(row[value]))


def _transposed(grid: Grid, header: int | None, technique: str) -> Table | None:
    """The table of a sheet whose first column holds quantities and whose heading row holds samples."""
    rows = grid.rows
    width = max((len(r) for r in rows), default=0)
    for column in range(min(3, width)):
        cells = [(i, r[column] if column < len(r) else None) for i, r in enumerate(rows)]
        found = [
            i
            for i, c in cells
            if isinstance(c, str) and not is_number(c) and len(c) < 80 and parse(c).role == "quantity"
        ]
        if header is not None:
            at = (
                parse(str(rows[header][column]))
                if column < len(rows[header]) and rows[header][column]
                else Column("empty")
            )
            if at.role != "field" or at.name != "quantity":
                continue
            start = header
            if not found and technique != "QPA":
                continue
        else:
            if len(found) < 3:
                continue
            above = [i for i in range(found[0]) if sum(c is not None for c in rows[i]) > 1 or (i == found[0] - 1)]
            if not above:
                continue
            start = above[-1]
        end = len(rows)
        labels = [clean(cells[i][1]) for i in range(start, end)]
        table = Table(grid, "transposed", ["sample", *labels[1:]], [], origin=column, first=start)
        _read_around(table, list(enumerate(rows[:start])))
        for j in range(column + 1, width):
            table.rows.append((j, [rows[i][j] if j < len(rows[i]) else None for i in range(start, end)]))
        while len(table.headings) > 1 and not table.headings[-1] and all(r[-1] is None for _, r in table.rows):
            table.headings.pop()
            for _, r in table.rows:
                r.pop()
        _footer_of_transposed(table)
        table.unexplained = _left_of(rows, column, start, end)
        table.rows = [(j, r) for j, r in table.rows if any(c is not None for c in r)]
        return table
    return None


def _left_of(rows: Sequence[list[Cell]], column: int, start: int, end: int) -> list[tuple[int, int]]:
    """The first cell of each column left of the quantities that neither numbers the rows nor is a remark."""
    out = []
    for j in range(column):
        head = parse(clean(rows[start][j])) if j < len(rows[start]) else Column("empty")
        cells = [(i, rows[i][j]) for i in range(start + 1, end) if j < len(rows[i]) and rows[i][j] is not None]
        numbered = head.role == "empty" and [text for _, c in cells if (text := clean(c))] == [
            str(n) for n in range(1, len(cells) + 1)
        ]
        if cells and not numbered and head.name not in ("row_number", "note", "remark"):
            out.append((cells[0][0], j))
    return out


_NOTE = re.compile(r"^(?:注|备注|说明|附注|note|notes|remark|remarks)\s*\d*\s*[:：.、]|^\*", re.I)


def _footer_of_transposed(table: Table) -> None:
    """Rows below a transposed table that are notes or pairs, not quantities."""
    for k in range(len(table.headings) - 1, 0, -1):
        label = table.headings[k]
        cells = [r[k] for _, r in table.rows]
        if not label or any(c is not None for c in cells):
            continue
        if _NOTE.match(label) or _PAIR.match(label):
            _read_around(table, [(table.first + k, [label])])
            table.headings.pop(k)
            for _, r in table.rows:
                r.pop(k)


def _read_around(table: Table, lines: Sequence[tuple[int, list[Cell]]]) -> None:
    """Take pairs (``检测人: 李伟``) and texts of lines outside of the table."""
    for index, row in lines:
        cells = [(j, c) for j, c in enumerate(row) if c is not None]
        k = 0
        rest: list[str] = []
        while k < len(cells):
            j, cell = cells[k]
            text = clean(cell)
            match = _PAIR.match(text) if isinstance(cell, str) else None
            name = _preamble_field(match[1] if match else text) if isinstance(cell, str) else ""
            if match and name and match[2].strip():
                _give(table, name, match[2].strip(), index, j)
            elif name and k + 1 < len(cells) and (match is None or not match[2].strip()):
                _give(table, name, cells[k + 1][1], index, cells[k + 1][0])
                k += 1
            elif text:
                rest.append(text)
            k += 1
        if rest:
            table.title.append(" | ".join(rest))


def _preamble_field(text: str) -> str:
    name = vocabulary.field(clean(text))
    return name if name in _PREAMBLE else ""


def _give(table: Table, name: str, value: Cell, row: int, column: int) -> None:
    if name == "note":
        table.title.append(f"note: {clean(value)}")
        return
    table.given[name] = value
    table.given_at[name] = table.grid.place(row, column)


def _take_notes(table: Table) -> None:
    """Rows below a table that hold notes or pairs and no numbers."""
    kept = []
    for index, row in table.rows:
        filled = [c for c in row if c is not None]
        if not filled:
            continue
        first = filled[0]
        alone = len(filled) == 1 and isinstance(first, str) and len(row) > 1
        note = isinstance(first, str) and bool(_NOTE.match(first)) and not any(is_number(c) for c in filled)
        pairs = (
            all(isinstance(c, str) for c in filled)
            and isinstance(first, str)
            and _PAIR.match(first) is not None
            and _preamble_field(_PAIR.match(first)[1]) != ""  # type: ignore[index]
        )
        if note or pairs or (alone and (_PAIR.match(str(first)) or len(str(first)) > 40)):
            _read_around(table, [(index, row)])
        else:
            kept.append((index, row))
    table.rows = kept


def is_units(row: Sequence[Cell], label: str) -> bool:
    """True for the row of units under the headings."""
    filled = [c for c in row if c is not None and clean(c) != label]
    if not filled or (label and vocabulary.field(label) != "unit" and not looks_like_unit(label)):
        return False
    return all(isinstance(c, str) and (looks_like_unit(c) or clean(c) in ("-", "/", "")) for c in filled)
