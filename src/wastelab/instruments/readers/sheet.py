"""The sheet a technician fills in (.xlsx, .xls, .ods, .csv), Chinese or English: one row per sample or result.

Nothing is guessed and nothing is dropped: an unknown column with numbers, a number without a unit, an ambiguous
date or an error of the spreadsheet is refused, all faults of a file at once. One column per sample is read too.
"""

from __future__ import annotations

import re

from ...errors import InstrumentError
from ...i18n import say
from .. import vocabulary
from ..base import Completeness, Reader, Reading, Source
from ..sheets import Grid, SheetError, container, decimal_of, open_grids
from ._sheet_headings import known
from ._sheet_register import find_register, read_register
from ._sheet_rows import read_table
from ._sheet_tables import SEARCH, Table, find_tables, has_result
from ._sheet_values import Faults, text_of

_AUXILIARY = re.compile(r"说明|选项|下拉|instruction|readme|option|lists?$|drop-?down|help|帮助|字典", re.I)
_SNIFFED_TEXT = 1 << 16


def _words() -> tuple[str, ...]:
    return vocabulary.words()


def _grids(source: Source) -> list[Grid]:
    return open_grids(source, known, _words())


def _sniff(source: Source) -> int:
    kind = container(source.data)
    try:
        if kind in ("xlsx", "ods", "xls"):
            return _sniff_workbook(source, kind)
        if kind or (b"\x00" in source.head[2:64] and not source.data.startswith((b"\xff\xfe", b"\xfe\xff"))):
            return 0
        return _sniff_text(source)
    except InstrumentError:
        return 0


def _sniff_workbook(source: Source, kind: str) -> int:
    try:
        grids = _grids(source)
    except InstrumentError:
        # a damaged workbook is reported as such where no other reader claims it
        return 5 if kind != "xls" or "Workbook".encode("utf-16-le") in source.data else 0
    return 50 if _has_table(grids) else 5


def _has_table(grids: list[Grid]) -> bool:
    for g in grids:
        head = Grid(g.name, g.rows[:200], g.kind)
        if len(g.rows) > 1 and (find_tables(head) or find_register(head, ())):
            return True
    return False


def _sniff_text(source: Source) -> int:
    head = source.data[:_SNIFFED_TEXT]
    if len(source.data) > len(head):
        head = head[: head.rfind(b"\n") + 1]
    if not head:
        return 0
    grids = open_grids(Source(head, source.name), known, _words())
    rows = grids[0].rows[:SEARCH]
    if _has_table(grids):
        return 50
    return 2 if source.suffix in (".csv", ".tsv") and max((len(r) for r in rows), default=0) > 1 else 0


def _read(source: Source) -> list[Reading]:
    grids = _grids(source)
    faults = Faults()
    readings: list[Reading] = []
    skipped: list[str] = []
    tables: list[tuple[Grid, list[Table]]] = []
    kinds: dict[int, str] = {}
    registered: list[Reading] = []
    for grid in grids:
        numbers = next(((i, j) for i, row in enumerate(grid.rows) for j, c in enumerate(row) if has_result(c)), None)
        found = [] if _AUXILIARY.search(grid.name) else find_tables(grid)
        register = None if _AUXILIARY.search(grid.name) else find_register(grid, found)
        if register is not None:
            found = [register[1]]
            kinds[id(grid)] = register[0]
        if numbers is None and not grid.faults and not any(t.rows for t in found):
            if any(c is not None for row in grid.rows for c in row):
                skipped.append(f"sheet '{grid.name}' holds no numbers and was not read" if grid.name else "")
            continue
        for (row, column), problem in sorted(grid.faults.items()):
            faults.add(grid.place(row, column, _heading_above(grid, row, column)), problem)
        if not found and numbers is not None:
            faults.add(
                grid.place(*numbers),
                say("sheet.no_headings", cell=text_of(grid.rows[numbers[0]][numbers[1]]), rows=SEARCH),
            )
        tables.append((grid, found))
    for grid, found in tables:
        decimal = decimal_of(source, grid)
        complete = _completeness(grid)
        for table in found:
            if id(grid) in kinds:
                registered += read_register(kinds[id(grid)], table, decimal, faults, complete)
            else:
                readings += read_table(table, decimal, faults, complete)
    if faults.found:
        raise SheetError(source.name, faults.found)
    if not any(c is not None for grid in grids for row in grid.rows for c in row):
        raise source.fail(say("sheet.blank"))
    if not readings and not registered:
        raise source.fail(say("sheet.no_result"))
    return [*registered, *_number_replicates(readings, [s for s in skipped if s])]


def _heading_above(grid: Grid, row: int, column: int) -> str:
    for above in range(row - 1, -1, -1):
        cells = grid.rows[above]
        if column < len(cells) and isinstance(cells[column], str) and known(str(cells[column])):
            return str(cells[column])
    return ""


def _completeness(grid: Grid) -> tuple[Completeness, str]:
    """What the container says about the end of the table."""
    if grid.kind != "csv":
        return "declared", ""
    if grid.ends or not grid.rows:
        return "unverified", ""
    widths = [len(r) for r in grid.rows[:-1] if sum(c is not None for c in r) > 1]
    if widths and len(grid.rows[-1]) < max(widths):
        return "partial", "the last line ends early and without a line end: the file was cut"
    return "unverified", "the last line has no line end: if the file was cut there, its last number may be short"


def _number_replicates(readings: list[Reading], skipped: list[str]) -> list[Reading]:
    """Number the results of a sample that stands in the file more than once without a replicate column."""
    from dataclasses import replace

    def key(reading: Reading) -> tuple[str, ...]:
        names = ("age", "specimen", "mix", "process", "replicate")
        return (reading.sample, reading.technique, reading.method, *(reading.fields.get(n, "") for n in names))

    groups: dict[tuple[str, ...], list[int]] = {}
    for i, reading in enumerate(readings):
        groups.setdefault(key(reading), []).append(i)
    out = list(readings)
    for where in groups.values():
        for number, i in enumerate(where, 1):
            extra: list[str] = []
            fields = dict(readings[i].fields)
            if len(where) > 1:
                places = ", ".join(readings[j].where.removeprefix(f"sheet '{readings[i].where}', ") for j in where[:6])
                name = readings[i].sample or "(no name)"
                if "replicate" not in fields:
                    fields["replicate"] = str(number)
                    extra.append(
                        f"sample {name!r} stands {len(where)} times in the file ({places}); numbered as replicates"
                    )
                else:
                    extra.append(
                        f"sample {name!r}, replicate {fields['replicate']!r} stands {len(where)} times ({places})"
                    )
            metadata = dict(readings[i].metadata)
            if skipped:
                metadata["not_read"] = [*metadata.get("not_read", []), *skipped]
            out[i] = replace(readings[i], warnings=(*readings[i].warnings, *extra), fields=fields, metadata=metadata)
    return out


READER = Reader(
    "sheet",
    "Laboratory sheet (Excel, OpenDocument, CSV)",
    (".xlsx", ".xls", ".ods", ".csv", ".tsv", ".xlsm"),
    _sniff,
    _read,
    (
        "XRF", "QPA", "LOI", "PSD", "Blaine", "BET", "density", "moisture", "free_lime", "glass", "leaching", "metals",
        "radionuclides", "pH", "fineness", "fresh", "setting", "strength", "activity", "absorption", "bulk_density",
        "thermal_conductivity", "cylinder_strength", "calorific_value", "durability",
    ),
)  # fmt: skip
