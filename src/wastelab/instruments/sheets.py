"""Tables of spreadsheets and delimited text as plain grids of cells, with limits and without silent losses.

Workbooks are inspected (`workbooks`, `biff`) before they are opened: error cells, formulas that were never calculated,
percent formats and hidden rows are invisible afterwards. Formulas are never evaluated.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ..errors import InstrumentError
from ..i18n import DEFAULT, Message, said_by, say
from .base import Source
from .disguises import disguise
from .text import decimal_mark
from .workbooks import MAX_CELLS, MAX_COLUMNS, MAX_ROWS

Cell = str | int | float | datetime | None
#: How many faulty cells one error lists.
MAX_LISTED = 20
SEPARATORS = ("\t", ";", ",", "|")
#: The first cell of a row that shows how to fill in a sheet.
EXAMPLE = re.compile(r"^\W*(?:示例|样例|例如|填写示例|example|e\.g\.)", re.I)


@dataclass(frozen=True, slots=True)
class Problem:
    """One faulty cell: where it is, what it holds, what was expected and what to do.

    Attributes
    ----------
    where : str
        As `Grid.place` gives it; `places.where_text` says it in another language.
    said : Message
    """

    where: str
    said: Message

    @property
    def key(self) -> str:
        """Of the texts in the locale files; several are joined by ``+``."""
        return self.said.key

    @property
    def values(self) -> Mapping[str, str | int | float]:
        """What the placeholders of the text hold."""
        return self.said.values

    @property
    def problem(self) -> str:
        """What is wrong, in English."""
        return self.said.text()

    def text(self, lang: str = DEFAULT) -> str:
        """What is wrong."""
        return self.said.text(lang)

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


class SheetError(InstrumentError):
    """A table with faulty cells; `problems` holds every one of them, the message the first twenty.

    Parameters
    ----------
    file : str
        Name of the file.
    problems : sequence of Problem
    """

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        shown = [str(p) for p in self.problems[:MAX_LISTED]]
        more = len(self.problems) - len(shown)
        if len(shown) == 1:
            text = f"{file}, {shown[0]}"
        else:
            text = f"{file}: {len(self.problems)} faults; nothing was read.\n  " + "\n  ".join(shown)
        super().__init__(text + (f"\n  … and {more} more." if more else ""), file=file)


@dataclass(frozen=True)
class Grid:
    """One sheet, or one delimited text, from cell A1 on.

    Attributes
    ----------
    name : str
        Name of the sheet; empty for text.
    rows : list of list
        Cells as str, int, float, datetime or None; a percent-formatted number is its text (``"45.2 %"``).
    kind : {"csv", "xlsx", "xls", "ods"}
    hidden : bool
        The sheet is hidden.
    hidden_rows : frozenset of int
        Indices (from 0) of hidden rows.
    faults : mapping of (row, column) to Message
        Cells that must not be read: errors of the spreadsheet, formulas never calculated.
    separator : str
        Of delimited text.
    ends : bool
        False for text whose last line has no line end: it may have been cut.
    """

    name: str
    rows: list[list[Cell]]
    kind: Literal["csv", "xlsx", "xls", "ods"]
    hidden: bool = False
    hidden_rows: frozenset[int] = frozenset()
    faults: Mapping[tuple[int, int], Message] = field(default_factory=dict)
    separator: str = ""
    ends: bool = True

    def place(self, row: int, column: int | None = None, heading: str = "") -> str:
        """``"sheet 'XRF', row 14, column C 'Al2O3'"``; rows count from 1 as the spreadsheet shows them."""
        parts = [f"sheet '{self.name}'"] if self.name else []
        parts.append(f"row {row + 1}")
        if column is not None:
            title = " ".join(heading.split())
            parts.append(f"column {letter(column)}" + (f" '{title}'" if title else ""))
        return ", ".join(parts)


def only_sheet(source: Source, known: Callable[[str], bool]) -> tuple[Grid, list[str]]:
    """The first sheet of a vendor's workbook without faults, and a warning for each other sheet that holds something.

    Raises
    ------
    InstrumentError
        If a cell of it is an error of the spreadsheet, or the workbook is damaged.
    """
    grids = open_grids(source, known)
    if not grids:
        raise source.fail(say("sheet.book_no_cells"))
    for (row, column), fault in sorted(grids[0].faults.items()):
        raise source.fail(fault, grids[0].place(row, column))
    others = [g.name for g in grids[1:] if any(c is not None for row in g.rows for c in row)]
    return grids[0], [f"sheet '{name}' was not read" for name in others]


def letter(column: int) -> str:
    """Letters of a column index from 0: 0 is A, 26 is AA."""
    out = ""
    number = column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        out = chr(65 + rest) + out
    return out


def container(data: bytes) -> str:
    """``"xlsx"``, ``"ods"``, ``"xls"``, ``"zip"`` for another archive, or ``""`` for what may be text."""
    if data.startswith(b"PK\x03\x04"):
        if b"xl/workbook" in data:
            return "xlsx"
        return "ods" if b"opendocument.spreadsheet" in data[:512] else "zip"
    return "xls" if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") else ""


_opened: WeakKeyDictionary[Source, list[Grid]] = WeakKeyDictionary()


def open_grids(source: Source, known: Callable[[str], bool], words: Sequence[str] = ()) -> list[Grid]:
    """Every sheet of a workbook, or the one grid of a delimited text.

    Parameters
    ----------
    source : Source
    known : callable
        Tells whether a cell is a heading of the laboratory; decides the separator of text.
    words : sequence of str
        Header words that confirm the encoding of text.

    Raises
    ------
    InstrumentError
        If it is damaged, encrypted, larger than the limits, or no table.
    """
    found = _opened.get(source)
    if found is None:
        kind = container(source.data)
        if kind in ("xlsx", "ods", "xls") and (said := disguise(source)):
            raise source.fail(said)
        if kind == "xls":
            found = _old_workbook(source)
        elif kind in ("xlsx", "ods"):
            found = _workbook(source, kind)
        elif kind or disguise(source):
            raise source.fail(disguise(source) or say("sheet.book_archive"))
        else:
            found = [_text_grid(source, known, words)]
        _opened[source] = found
    return found


def _old_workbook(source: Source) -> list[Grid]:
    from .biff import read_old_workbook

    grids = []
    for sheet in read_old_workbook(source):
        rows: list[list[Cell]] = [[_cell(value) for value in row] for row in sheet.rows()]
        grids.append(Grid(sheet.name, rows, "xls", sheet.hidden, frozenset(sheet.hidden_rows), sheet.faults))
    return grids


def _workbook(source: Source, kind: str) -> list[Grid]:
    from . import workbooks

    sheets = workbooks.inspect(source, kind)
    grids = []
    book = _calamine(source, lambda pc: pc.CalamineWorkbook.from_filelike(io.BytesIO(source.data)))
    names = list(book.sheet_names)
    for index, meta in enumerate(book.sheets_metadata):
        if "WorkSheet" not in str(meta.typ):
            continue
        seen = sheets.get(meta.name)
        if seen is None:
            raise source.fail(say("sheet.book_sheet_missing", name=meta.name))
        raw = _calamine(source, partial(_all_rows, book, index))
        rows = [[_cell(value) for value in row] for row in raw]
        for (row, column), shown in seen.percent.items():
            if row < len(rows) and column < len(rows[row]) and isinstance(rows[row][column], float):
                number = rows[row][column]
                rows[row][column] = f"{float(f'{number * 100.0:.12g}'):.12g} %" if shown else number  # type: ignore[operator]
        grids.append(
            Grid(
                meta.name, rows, kind, seen.hidden or "Visible" not in str(meta.visible), frozenset(seen.hidden_rows),  # type: ignore[arg-type]
                seen.faults,
            )
        )  # fmt: skip
    if not names:
        raise source.fail(say("sheet.book_no_sheet"))
    return grids


def _all_rows(book: Any, index: int, _: Any) -> Any:
    return book.get_sheet_by_index(index).to_python(skip_empty_area=False)


def _calamine(source: Source, action: Callable[[Any], Any]) -> Any:
    import python_calamine as pc

    try:
        return action(pc)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except pc.PasswordError:
        raise source.fail(say("sheet.book_password")) from None
    except BaseException as exc:  # a panic of the parser is no Exception
        raise source.fail(say("sheet.book_damaged", detail=str(exc)[:160])) from None


def _cell(value: object) -> Cell:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float | datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, time | timedelta):
        return str(value)
    text = str(value).strip()
    return text or None


_NUMBERLIKE = re.compile(
    r"[<>≤≥~≈=\s]*[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?(?:\s*(?:±|\+/-)\s*[\d.,]+)?\s*(?:%|‰|[A-Za-zµμ°]{1,5}(?:/[A-Za-z]{1,3})?)?"
)
_GROUPED = re.compile(
    r"[+-]?\d{1,3}(?:,\d{3}){2,}|[+-]?\d{1,3}(?:,\d{3})+\.\d*|[+-]?\d{1,3}(?:\.\d{3}){2,}|[+-]?\d{1,3}(?:\.\d{3})+,\d*"
)


def decimal_of(source: Source, grid: Grid) -> str:
    """The decimal mark of the numbers written as text; one for the whole sheet, rows of examples not counted.

    Raises
    ------
    InstrumentError
        If marks are mixed, if there are marks between thousands, or if ``"1,234"`` could be either.
    """
    bodies: dict[str, str] = {}
    for i, row in enumerate(grid.rows):
        if EXAMPLE.match(str(next((c for c in row if c is not None), ""))):
            continue
        for j, cell in enumerate(row):
            if not isinstance(cell, str) or len(cell) >= 40 or cell[0] not in "<>≤≥~≈=+-0123456789 ":
                continue
            if _NUMBERLIKE.fullmatch(cell):
                match = re.match(r"[+-]?[\d.,]+", re.sub(r"^[<>≤≥~≈=\s]+", "", cell))
                if match:
                    bodies.setdefault(match[0], grid.place(i, j))
    for body, place in bodies.items():
        if _GROUPED.fullmatch(body):
            plain = re.sub("[.,](?=[0-9]{3}(?:[.,]|$))", "", body)
            raise source.fail(say("sheet.marks_thousands", cell=body, likely=plain), place)
    try:
        mark = decimal_mark(list(bodies))
    except ValueError as exc:
        comma = next(b for b in bodies if re.fullmatch(r"[+-]?\d*,\d+", b))
        point = next(b for b in bodies if re.fullmatch(r"[+-]?\d*\.\d+", b))
        said = say("sheet.marks_examples", comma=comma, place=bodies[comma], point=point, first=bodies[point])
        raise source.fail(said_by(exc) + said) from None
    if mark == ",":
        with_comma = [b for b in bodies if "," in b]
        if all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", b) for b in with_comma):
            body = with_comma[0]
            point, whole = body.replace(",", "."), body.replace(",", "")
            raise source.fail(say("sheet.marks_unclear", cell=body, decimal=point, whole=whole), bodies[body])
    return mark


def _text_grid(source: Source, known: Callable[[str], bool], words: Sequence[str]) -> Grid:
    text = source.text(*words)
    separator = _separator(text, known)
    rows: list[list[Cell]] = []
    cells = 0
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            cells += len(record)
            if len(rows) >= MAX_ROWS or len(record) > MAX_COLUMNS or cells > MAX_CELLS:
                raise source.fail(
                    say("sheet.text_size", rows=MAX_ROWS, columns=MAX_COLUMNS, cells=MAX_CELLS), f"row {len(rows) + 1}"
                )
            rows.append([value.strip() or None for value in record])
    except csv.Error as exc:
        raise source.fail(say("sheet.text_quotes", detail=str(exc)), f"row {len(rows) + 1}") from None
    while rows and not any(cell is not None for cell in rows[-1]):
        rows.pop()
    return Grid("", rows, "csv", separator=separator, ends=text.endswith(("\n", "\r")))


def _separator(text: str, known: Callable[[str], bool]) -> str:
    """The mark that makes most headings of the first lines known."""
    head = "\n".join(text.splitlines()[:40]) + "\n"
    best, score = ",", (-1, -1)
    for separator in SEPARATORS:
        if separator not in head:
            continue
        try:
            records = list(csv.reader(io.StringIO(head, newline=""), delimiter=separator))
        except csv.Error:
            continue
        headings = max((sum(known(c) for c in r if c.strip() and len(c) < 80) for r in records), default=0)
        wide = max((len(r) for r in records), default=0)
        if (headings, wide) > score:
            best, score = separator, (headings, wide)
    return best
