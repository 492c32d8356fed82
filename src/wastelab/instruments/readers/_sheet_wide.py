"""Tables of one row (or column) per sample: rows of units, limits and uncertainties, and the values of each sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...i18n import say
from .. import vocabulary
from ..base import Reading, Value
from ..sheets import EXAMPLE, Cell
from ..units import looks_like_unit, normalise
from ._sheet_context import (
    BESIDE,
    COVERAGE,
    STATISTIC,
    Context,
    Row,
    check_width,
    describe,
    note_beside,
    note_calculated,
    refuse_doubles,
    refuse_unknown_in,
)
from ._sheet_headings import Column, about_what, beside, clean, in_technique, parse
from ._sheet_results import split_row
from ._sheet_tables import NAMING, has_result, is_units
from ._sheet_values import is_analysis, is_oxide, read_cell, text_of


def read_wide(context: Context) -> list[Reading]:
    table = context.table
    columns = [parse(h) for h in table.headings]
    if table.layout == "transposed":
        columns[0] = Column("field", table.headings[0], "sample")
        for row_at, column_at in table.unexplained:
            cell = text_of(table.grid.rows[row_at][column_at])
            context.faults.add(table.grid.place(row_at, column_at), say("sheet.left_unexplained", cell=cell))
    note_beside(context, columns)
    columns, limits, spreads, data = _special_rows(context, columns)
    _refuse_unknown(context, columns, data)
    oxides = any(is_oxide(c.name) for c in columns if c.role == "quantity")
    variants: dict[str, list[Column]] = {}
    readings: list[Reading] = []
    for index, row in data:
        about = describe(context, columns, index, row)
        mine = variants.get(about.technique)
        if mine is None:
            mine = variants[about.technique] = _meant(columns, about.technique, oxides)
            refuse_doubles(context, mine)
            refuse_unknown_in(context, mine, about.technique)
        found = _values_of_row(context, mine, about, row, limits, spreads)
        if not about.sample and found:
            context.faults.add(
                table.where(index),
                say(f"sheet.{table.sample_name}_no_sample"),
            )
            continue
        if not found:
            if any(has_result(c) for j, c in enumerate(row) if j < len(mine) and mine[j].role == "quantity"):
                continue
            if about.sample:
                context.not_read.append(f"{table.where(index)}: sample {about.sample!r} has no result")
            continue
        readings += split_row(context, about, mine, row, found)
    return readings


def _label(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    """What stands in the sample column of a row, or in its first filled cell if that is all there is."""
    for j, column in enumerate(columns):
        if column.role == "field" and column.name in NAMING and j < len(row) and row[j] is not None:
            return clean(row[j])
    return ""


def _special_rows(
    context: Context, columns: list[Column]
) -> tuple[
    list[Column], dict[int, tuple[Column, Cell, str]], dict[int, tuple[Column, Cell, str]], list[tuple[int, list[Cell]]]
]:
    """Take the rows of units, detection limits and uncertainties, examples and statistics out of the data."""
    table = context.table
    limits: dict[int, tuple[Column, Cell, str]] = {}
    spreads: dict[int, tuple[Column, Cell, str]] = {}
    data: list[tuple[int, list[Cell]]] = []
    columns = list(columns)
    for index, row in table.rows:
        row = [*row, *[None] * (len(columns) - len(row))]
        first = next((clean(c) for c in row if c is not None), "")
        label = _label(row, columns) or (first if len([c for c in row if c is not None]) == 1 else "")
        about = about_what(re.sub(r"\(?k\s*=\s*[\d.]+\)?", "", label).strip()) if label else None
        extra = [j for j in range(len(columns), len(row)) if row[j] is not None]
        if extra:
            context.faults.add(
                table.grid.place(*table.at(index, extra[0])),
                say("sheet.beyond", cell=text_of(row[extra[0]]))
                + say("sheet.beyond_count", cells=len(row), headings=len(columns)),
            )
            continue
        if label and _beside_results(context, index, label, row):
            continue
        turned = table.layout == "transposed" and vocabulary.field(label) == "unit"
        if (turned or not data) and is_units(row, label):
            columns = [_with_unit(context, c, row[j], table.where(index, j)) for j, c in enumerate(columns)]
        elif EXAMPLE.match(label) or EXAMPLE.match(first):
            context.not_read.append(f"{table.where(index)}: marked as an example and not read")
        elif about and not about[1] and about[0] == "lod":
            limits = {
                j: (Column("lod", unit=""), row[j], table.where(index, j))
                for j in range(len(columns))
                if row[j] is not None
            }
        elif about and not about[1] and not (about[0] == "standard" and STATISTIC.match(label)):
            match = COVERAGE.search(label)
            kind = Column(
                "relative_sigma" if about[0] == "relative" else "sigma", k=float(match[1]) if match else None,
                expanded=about[0] == "expanded",
            )  # fmt: skip
            spreads = {j: (kind, row[j], table.where(index, j)) for j in range(len(columns)) if row[j] is not None}
        elif STATISTIC.match(label):
            note_calculated(context, index, label)
        else:
            if table.grid.kind == "csv" and table.layout == "wide":
                check_width(context, index, columns)
            data.append((index, row))
    return columns, limits, spreads, data


def _beside_results(context: Context, index: int, label: str, row: Sequence[Cell]) -> bool:
    """Whether a row (a column of a transposed table) holds limits, verdicts, remarks or methods, not a sample."""
    table = context.table
    kind = beside(label)
    if kind and not (kind == "remark" and table.layout == "wide"):
        context.not_read.append(f"{table.where(index)} {label!r}: {BESIDE[kind]}, not read")
        return True
    name = vocabulary.field(label)
    if table.layout != "transposed" or name in ("", "unit", "lod", "uncertainty", "coverage"):
        return False
    cells = [c for c in row[1:] if c is not None and clean(c)]
    if name in ("method", "instrument", "operator") and cells:
        texts = list(dict.fromkeys(text_of(c) for c in cells))
        if name == "method" and len(texts) == 1 and not context.method:
            context.method = texts[0]
        else:
            context.not_read.append(f"{table.where(index)} {label!r}: {', '.join(texts)}")
    elif any(has_result(c) for c in cells):
        context.faults.add(table.where(index), say("sheet.head_no_sample", cell=label))
    elif cells:
        context.not_read.append(f"{table.where(index)} {label!r}: no numbers, not read")
    return True


def _with_unit(context: Context, column: Column, cell: Cell, where: str) -> Column:
    text = clean(cell)
    if not text or text in ("/",) or not looks_like_unit(text):
        return column
    unit = normalise(text)
    if column.unit and column.unit != unit and {column.unit, unit} != {"%", "wt%"}:
        context.faults.add(where, say("sheet.unit_heading", unit=unit, other=column.unit))
    return column if column.unit else replace(column, unit=unit)


def _refuse_unknown(context: Context, columns: Sequence[Column], data: Sequence[tuple[int, list[Cell]]]) -> None:
    """Note columns without any heading that hold something."""
    for j, column in enumerate(columns):
        if column.role != "empty":
            continue
        for index, row in data:
            if row[j] is not None:
                context.faults.add(
                    context.table.where(index, j),
                    say("sheet.no_heading", cell=text_of(row[j])),
                )
                break


def _meant(columns: Sequence[Column], technique: str, oxides: bool) -> list[Column]:
    """Columns as meant in a technique; uncertainties without a name belong to the quantity before them."""
    out: list[Column] = []
    before: Column | None = None
    for column in columns:
        found = in_technique(column, technique, oxides=oxides)
        bare = found.role in ("sigma", "relative_sigma", "lod") and not found.name
        if found.role == "field" and found.name in ("uncertainty", "lod"):
            found = replace(found, role="lod" if found.name == "lod" else "sigma", name="")
            bare = True
        if bare:
            found = (
                replace(found, name=before.name, term=before.term, age=before.age)
                if before
                else replace(found, role="unknown")
            )
        if found.role == "quantity":
            before = found
        out.append(found)
    metals = {c.name.removeprefix("metal:"): c for c in out if c.role == "quantity" and c.name.startswith("metal:")}
    return [
        replace(c, name=metals[c.name].name, term=metals[c.name].term)
        if c.role in ("sigma", "relative_sigma", "lod") and c.name in metals
        else c
        for c in out
    ]


def _values_of_row(
    context: Context,
    columns: Sequence[Column],
    about: Row,
    row: Sequence[Cell],
    limits: Mapping[int, tuple[Column, Cell, str]],
    spreads: Mapping[int, tuple[Column, Cell, str]],
) -> list[tuple[Column, Value]]:
    table = context.table
    beside: dict[tuple[str, str, str], tuple[Column, Cell, str]] = {}
    for j, column in enumerate(columns):
        if column.role in ("sigma", "relative_sigma", "lod") and row[j] is not None:
            kind = "lod" if column.role == "lod" else "sigma"
            beside[kind, column.name, column.age] = (column, row[j], table.where(about.index, j))
    closes = False
    if not context.work.share_said:
        closes = _closes(context, columns, row)
    out = []
    for j, column in enumerate(columns):
        if column.role != "quantity" or row[j] is None:
            continue
        value = context.work.value(
            column, row[j], table.where(about.index, j), row_unit=about.unit, closes=closes, basis=about.basis,
            k=about.k, sigma=beside.get(("sigma", column.name, column.age)) or spreads.get(j),
            lod=beside.get(("lod", column.name, column.age)) or limits.get(j),
        )  # fmt: skip
        if value is not None:
            out.append((column, value))
    measured = {(c.name, c.age) for c, _ in out}
    for (kind, name, age), (_, cell, where) in beside.items():
        if kind == "sigma" and (name, age) not in measured and has_result(cell) and not context.faults.found:
            context.faults.add(where, say("sheet.sigma_alone", cell=text_of(cell), name=name))
    return out


def _closes(context: Context, columns: Sequence[Column], row: Sequence[Cell]) -> bool:
    """True where the numbers without unit add up to a whole analysis in wt%."""
    total, count = 0.0, 0
    for j, column in enumerate(columns):
        if column.role == "quantity" and not column.unit and is_analysis(column.name) and column.name != "oxide_sum":
            try:
                raw = read_cell(row[j], context.work.decimal)
            except ValueError:
                return False
            if raw.value is not None and not raw.unit:
                total += raw.value
                count += 1
    return count >= 3 and 90.0 <= total <= 106.0
