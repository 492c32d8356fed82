"""Tables of one row per result: rows are gathered by sample, technique and replicate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...i18n import say
from ..base import Reading, Value
from ..sheets import EXAMPLE, Cell
from ._sheet_context import (
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
from ._sheet_headings import Column, beside, clean, in_technique, nearest, parse
from ._sheet_results import plain, reading_of, technique_of_value
from ._sheet_tables import has_result
from ._sheet_values import is_oxide, text_of


def read_long(context: Context) -> list[Reading]:
    table = context.table
    columns = [parse(h) for h in table.headings]
    if sum(c.role == "field" and c.name == "quantity" for c in columns) > 1:  # 项目 | 指标 | 结果
        columns = [
            Column("beside", c.heading, beside(c.heading)) if c.name == "quantity" and beside(c.heading) else c
            for c in columns
        ]
    note_beside(context, columns)
    at = {c.name: j for j, c in reversed(list(enumerate(columns))) if c.role == "field"}
    shown = at["quantity"], at["value"]
    refuse_doubles(context, columns)
    refuse_unknown_in(context, columns, context.technique)
    rows: list[tuple[Row, list[Cell], Column]] = []
    for index, row in table.rows:
        row = [*row, *[None] * (len(columns) - len(row))]
        if not any(c is not None for c in row):
            continue
        extra = next((j for j in range(len(columns), len(row)) if row[j] is not None), None)
        if extra is not None:
            context.faults.add(table.grid.place(index, extra), say("sheet.beyond", cell=text_of(row[extra])))
            continue
        first = next(clean(c) for c in row if c is not None)
        if EXAMPLE.match(first):
            context.not_read.append(f"{table.where(index)}: marked as an example and not read")
            continue
        label = clean(row[shown[0]])
        if STATISTIC.match(first) and STATISTIC.match(label) is None:
            note_calculated(context, index, first)
            continue
        if table.grid.kind == "csv":
            check_width(context, index, columns)
        about = describe(context, columns, index, row)
        if not label:
            if any(has_result(c) for c in row):
                context.faults.add(table.where(index, shown[0]), say("sheet.no_quantity_name"))
            continue
        rows.append((about, row, parse(label)))
    oxides = {about.sample for about, _, c in rows if is_oxide(c.name)}
    groups: dict[tuple[str, ...], tuple[Row, list[Value], dict[str, Any]]] = {}
    turn: dict[tuple[str, ...], int] = {}
    for about, row, column in rows:
        where = table.where(about.index, shown[1])
        if column.role == "meta":
            for key, (_, _, metadata) in groups.items():
                if key[0] == about.sample:
                    metadata[column.name] = plain(row[shown[1]], context.work.decimal)
            continue
        meant = in_technique(column, about.technique, oxides=about.sample in oxides)
        if meant.term is None or meant.role != "quantity":
            if has_result(row[shown[1]]):
                context.faults.add(
                    table.where(about.index, shown[0]),
                    say("sheet.no_quantity", cell=clean(column.heading)) + nearest(column.heading),
                )
            continue
        if not meant.unit:
            meant = replace(meant, unit=about.unit or columns[shown[1]].unit)
        elif about.unit and about.unit != meant.unit and {about.unit, meant.unit} != {"%", "wt%"}:
            context.faults.add(where, say("sheet.unit_column", unit=about.unit, other=meant.unit))
            continue
        meant = in_technique(meant, about.technique, oxides=about.sample in oxides)
        sides = {}
        for name, role in (("uncertainty", "sigma"), ("lod", "lod")):
            j = at.get(name)
            if j is not None and row[j] is not None:
                sides[name] = (replace(columns[j], role=role), row[j], table.where(about.index, j))
        value = context.work.value(
            meant, row[shown[1]], where, closes=False, basis=about.basis, k=about.k,
            sigma=sides.get("uncertainty"), lod=sides.get("lod"),
        )  # fmt: skip
        if value is None:
            continue
        technique = technique_of_value(meant.name, about.technique, about.sample in oxides)
        if not technique:
            context.faults.add(where, say("sheet.several_techniques", name=meant.name))
            continue
        if meant.age:
            about.fields.setdefault("age", meant.age)
        base = (about.sample, technique, *(about.fields.get(n, "") for n in ("replicate", "age", "specimen", "mix")),
                about.method, about.measured_at)  # fmt: skip
        number = turn.get((*base, meant.name), 0)
        turn[*base, meant.name] = number + 1
        key = (*base, str(number))
        if key not in groups:
            groups[key] = (about, [], {})
        groups[key][1].append(value)
        if meant.name == "oxide_sum" and value.value is not None:
            groups[key][2]["oxide_sum_printed"] = value.value
    out = []
    for key, (about, values, metadata) in groups.items():
        if not about.sample and "sample" in at:
            context.faults.add(table.where(about.index), say("sheet.row_no_sample"))
            continue
        fields = dict(about.fields)
        for j, column in enumerate(columns):
            if column.role == "unknown":
                texts = next((r[j] for a, r, _ in rows if a is about), None)
                if texts is not None:
                    fields[clean(column.heading)] = text_of(texts)
        out.append(reading_of(context, about, key[1], values, fields, metadata))
    return out
