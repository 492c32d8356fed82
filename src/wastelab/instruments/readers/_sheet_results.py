"""Values of a row to readings: one per technique and age, each with the method and metadata that are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...i18n import say
from .. import vocabulary
from ..base import Reading, Value
from ..sheets import Cell
from ._sheet_context import (
    Context,
    Row,
)
from ._sheet_headings import Column, clean
from ._sheet_values import is_oxide, read_cell, text_of


def split_row(
    context: Context,
    about: Row,
    columns: Sequence[Column],
    row: Sequence[Cell],
    found: Sequence[tuple[Column, Value]],
) -> list[Reading]:
    """One reading per technique and age of the values of a row."""
    oxides = any(is_oxide(c.name) for c, _ in found)
    groups: dict[tuple[str, str], list[Value]] = {}
    sums: dict[str, dict[str, Any]] = {}
    for column, value in found:
        technique = technique_of_value(column.name, about.technique, oxides)
        if not technique:
            context.faults.add(value.where, say("sheet.several_techniques", name=column.name))
            continue
        groups.setdefault((technique, column.age), []).append(value)
        if column.name == "oxide_sum" and value.value is not None:
            name = "oxide_sum_printed" if technique == "XRF" else "sum_printed"
            sums.setdefault(technique, {})[name] = value.value
    main = _main_technique({technique for technique, _ in groups}, about.technique)
    fields = dict(about.fields)
    for j, column in enumerate(columns):
        if j >= len(row) or row[j] is None:
            continue
        if column.role == "meta":
            sums.setdefault(main, {})[column.name] = plain(row[j], context.work.decimal)
        elif column.role == "unknown":
            fields[clean(column.heading)] = text_of(row[j])
    return [
        reading_of(
            context,
            about if technique == main or not main else replace(about, method="", instrument=""),
            technique,
            values,
            fields | ({"age": age} if age else {}),
            about.metadata | sums.get(technique, {}),
        )
        for (technique, age), values in groups.items()
    ]


def _main_technique(found: set[str], table: str) -> str:
    """The technique that the method and instrument of a row belong to; empty where they belong to all of it."""
    if len(found) < 2:
        return next(iter(found), "")
    return table if table in found else "XRF" if "XRF" in found else ""


def plain(cell: Cell, decimal: str) -> float | str:
    """A number where the cell is a plain one, else its text."""
    try:
        raw = read_cell(cell, decimal)
    except ValueError:
        return text_of(cell)
    return raw.value if raw.value is not None and not raw.flag and not raw.unit else text_of(cell)


def technique_of_value(name: str, table: str, oxides: bool) -> str:
    """Technique of a quantity in a table of the technique `table` (empty if it says none)."""
    if name in ("LOI", "oxide_sum", "moisture", "density") and table == "QPA" and name == "oxide_sum":
        return "QPA"
    if name == "LOI":
        return "XRF" if oxides else "LOI"
    own = vocabulary.term(name).technique
    if own == "XRF" and table == "metals" and not is_oxide(name):
        return "metals"
    return own or table


def reading_of(
    context: Context,
    about: Row,
    technique: str,
    values: Sequence[Value],
    fields: Mapping[str, str],
    metadata: Mapping[str, Any],
) -> Reading:
    table = context.table
    warnings = []
    if about.metadata.get("hidden_row"):
        warnings.append(f"{table.where(about.index)} is hidden; it was read all the same")
    assumed = sorted({v.text.rsplit("; ", 1)[-1] for v in values if "taken as" in v.text})
    if assumed:
        warnings.append("uncertainties: " + "; ".join(assumed))
    method = about.method
    if method and about.technique not in ("", technique) and context.method == method:
        method = ""  # the method of the sheet is that of its own technique
    return Reading(
        technique, values=tuple(values), sample=about.sample, measured_at=about.measured_at, operator=about.operator,
        instrument=about.instrument, method=method, metadata=dict(metadata), warnings=tuple(warnings),
        fields=dict(fields), where=table.where(about.index),
    )  # fmt: skip
