"""Sheets that register samples, mixes and specimens: one row per sample, component or specimen, and no results.

Each row becomes a `Reading` of the technique ``"sample"``, ``"mix"`` or ``"specimen"`` without values; its `fields` are
named as the columns of the catalogue. What a cell says and is not understood is a fault with row and column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...i18n import Message, said_by, say
from .. import vocabulary
from ..base import Completeness, Reading
from ..sheets import EXAMPLE, Cell, Grid
from ..text import parse_date
from ..units import split_heading
from ._sheet_context import CODES, STATISTIC, is_spoiled
from ._sheet_headings import clean, parse
from ._sheet_register_cells import curing_of, dimensions_of, mass_of, ratio_of, share_of
from ._sheet_tables import SEARCH, Table, is_number, table_at
from ._sheet_values import Faults, text_of

_EMPTY = frozenset(("", "-", "--", "—", "–", "/", "\\"))
_NAMES = {"sample_name": "name", "mix_name": "name", "name_en": "name", "name_zh": "name_zh"}


@dataclass(frozen=True)
class Kind:
    """What a sheet may register.

    Attributes
    ----------
    name : {"sample", "mix", "specimen"}
    columns : mapping of str to str
        Field of a heading to the key in `Reading.fields`.
    also : mapping of str to str
        Fields that stand for another one here.
    needed : tuple of str
        Columns that every row must fill in, the code apart.
    """

    name: str
    columns: dict[str, str]
    also: dict[str, str]
    needed: tuple[str, ...] = ()


_SAMPLE_ONLY = ("waste_class", "source", "parent", "process", "collected_at", "received_at", "collected_by")
KINDS = {
    "sample": Kind(
        "sample",
        {n: n for n in ("sample", *_SAMPLE_ONLY, "location", "note")} | {"mass": "mass_kg", **_NAMES},
        {},
    ),
    "mix": Kind(
        "mix",
        {n: n for n in ("mix", "component", "role", "water_binder", "operator", "note")}
        | {"share": "fraction", "cast_at": "made_at", **_NAMES},
        {"quantity": "component", "sample": "component"},
        ("component", "share"),
    ),
    "specimen": Kind(
        "specimen",
        {n: n for n in ("specimen", "mix", "dimensions", "cast_at", "curing", "note")},
        {"sample": "specimen"},
        ("mix",),
    ),
}
_DATES = frozenset(("collected_at", "received_at", "cast_at"))


def _heading(cell: Cell) -> tuple[str, str]:
    """Field and unit of a heading; empty texts where it is none."""
    text = clean(cell)
    body, unit = split_heading(text)
    if unit == "1" and not text.endswith((")", "]")):  # "heap 1" is a name, not a heading
        unit = ""
    name = vocabulary.register_field(body) if unit else ""
    return (name, unit) if name else (vocabulary.register_field(text), "")


def kind_of(row: Sequence[Cell]) -> str:
    """What a sheet with these headings registers: ``"sample"``, ``"mix"``, ``"specimen"``, or ``""`` for nothing."""
    texts = [clean(c) for c in row if isinstance(c, str)]
    if len(texts) < 2 or any(len(t) > 80 for t in texts) or any(is_number(c) for c in row):
        return ""
    names = [_heading(t)[0] for t in texts]
    found = {n for n in names if n}
    if 2 * len([n for n in names if n]) <= len(texts):
        return ""
    if any(not n and parse(t).role in ("quantity", "sigma", "lod") for n, t in zip(names, texts, strict=True)):
        return ""
    if "value" in found:
        return ""
    if {"mix", "share"} <= found and found & {"component", "quantity", "sample"}:
        return "mix"
    if found & {"quantity", "component", "unit", "technique"}:
        return ""
    if found & {"specimen", "sample"} and (found & {"dimensions", "curing"} or {"specimen", "mix", "cast_at"} <= found):
        return "specimen"
    return "sample" if "sample" in found and found & set(_SAMPLE_ONLY) else ""


def find_register(grid: Grid, tables: Sequence[Table]) -> tuple[str, Table] | None:
    """The register that a sheet holds, with its kind; None where its headings are those of results.

    Parameters
    ----------
    grid : Grid
    tables : sequence of Table
        Tables of results found in the sheet.
    """
    for start, row in enumerate(grid.rows[:SEARCH]):
        kind = kind_of(row)
        if kind and (kind != "sample" or all(t.layout == "transposed" for t in tables)):
            return kind, table_at(grid, start)
    return None


def read_register(
    kind: str, table: Table, decimal: str, faults: Faults, complete: tuple[Completeness, str]
) -> list[Reading]:
    """One reading a row; faults are noted in `faults`."""
    what = KINDS[kind]
    heads = _columns(what, table, faults)
    at = {name: j for j, (name, _) in heads.items()}
    for name in (kind, *what.needed):
        if name not in at and name not in table.given:
            faults.add(table.grid.place(table.origin), say(f"register.no_column_{name}"))
            return []
    out: list[Reading] = []
    not_read: list[str] = []
    for index, row in table.rows:
        row = [*row, *[None] * (len(table.headings) - len(row))]
        first = next((clean(c) for c in row if c is not None), "")
        if not first:
            continue
        beyond = next((j for j in range(len(table.headings), len(row)) if row[j] is not None), None)
        if beyond is not None:
            faults.add(table.grid.place(index, beyond), say("sheet.beyond", cell=text_of(row[beyond])))
        elif EXAMPLE.match(first):
            not_read.append(f"{table.where(index)}: marked as an example and not read")
        elif STATISTIC.match(first):
            not_read.append(f"{table.where(index)}: {first!r} is calculated from other rows and was not read")
        else:
            out += _row(what, table, heads, index, row, decimal, faults, complete, not_read)
    return out


def _columns(what: Kind, table: Table, faults: Faults) -> dict[int, tuple[str, str]]:
    """Field and unit of each column; columns that do not belong here and hold something are faults."""
    out: dict[int, tuple[str, str]] = {}
    named = [_heading(h) for h in table.headings]
    plain = {name for name, _ in named}
    for j, (field, unit) in enumerate(named):
        name = field
        if name in what.also and what.also[name] not in plain:
            name = what.also[name]
        heading = clean(table.headings[j])
        if name == "row_number":
            continue
        if name not in what.columns:
            cell = next(((i, r[j]) for i, r in table.rows if j < len(r) and clean(r[j])), None)
            if cell is not None:
                said = say("register.unknown_column", heading=heading) + say(f"register.columns_{what.name}")
                if not heading:
                    said = say("sheet.no_heading", cell=text_of(cell[1]))
                faults.add(table.where(cell[0], j), said)
            continue
        twin = next((k for k, (n, _) in out.items() if n == name), None)
        if twin is not None:
            said = say("sheet.heading_twice", heading=heading, name=name, first=clean(table.headings[twin]))
            faults.add(table.grid.place(table.origin, j, table.headings[j]), said)
            continue
        out[j] = (name, unit)
    return out


def _row(
    what: Kind,
    table: Table,
    heads: dict[int, tuple[str, str]],
    index: int,
    row: Sequence[Cell],
    decimal: str,
    faults: Faults,
    complete: tuple[Completeness, str],
    not_read: list[str],
) -> list[Reading]:
    """The reading of one row, or none where a fault was noted."""
    grid = table.grid
    width = len(grid.rows[index])
    if grid.kind == "csv" and width < len(table.headings) and (grid.ends or index < len(grid.rows) - 1):
        faults.add(table.where(index), say("sheet.few_cells", cells=width, headings=len(table.headings)))
        return []
    cells: dict[str, tuple[Cell, str, str]] = {}
    for name, cell in table.given.items():
        if name in what.columns and name != what.name:
            cells[name] = (cell, "", table.given_at[name])
    for j, (name, unit) in heads.items():
        if clean(row[j]) not in _EMPTY:
            cells[name] = (row[j], unit, table.where(index, j))
    sound = True
    at = {name: j for j, (name, _) in heads.items()}
    for name in (what.name, *what.needed):
        if name not in cells:
            faults.add(table.where(index, at.get(name)), say(f"register.needs_{name}"))
            sound = False
    fields: dict[str, str] = {}
    places: dict[str, str] = {}
    for name, (cell, unit, where) in cells.items():
        key = what.columns[name]
        try:
            said = _cell(name, cell, unit, decimal)
        except ValueError as exc:
            message = said_by(exc)
            faults.add(where, message + (say("sheet.stop") if message.key.startswith("sheet.") else Message()))
            sound = False
            continue
        if key == "name" and name != "name_en" and any("\u3400" <= c <= "\u9fff" for c in said):
            key = "name_zh"
        if key in fields and fields[key] != said:
            faults.add(where, say("register.two_names", first=fields[key], second=said))
            sound = False
        fields[key], places[key] = said, where
    if not sound:
        return []
    metadata: dict[str, Any] = {"places": places, "not_read": not_read}
    if grid.name:
        metadata["sheet"] = grid.name
    other = {name: where for name, where in table.given_at.items() if name not in what.columns or name == what.name}
    if other:
        metadata["not_taken"] = other
    if grid.hidden or index in grid.hidden_rows:
        metadata["hidden"] = True
    code = fields.pop(what.name)
    return [
        Reading(
            what.name, sample=code, metadata=metadata, completeness=complete[0], fields=fields,
            warnings=(complete[1],) if complete[1] else (), where=table.where(index),
        )
    ]  # fmt: skip


def _cell(name: str, cell: Cell, unit: str, decimal: str) -> str:
    """What a cell says, in the form of the catalogue.

    Raises
    ------
    ValueError
        If it cannot be understood; holds a `Message`.
    """
    if name in _DATES:
        return parse_date(cell)
    if name in CODES and is_spoiled(cell):
        raise ValueError(say("sheet.code_date", cell=text_of(cell)))
    if name == "mass":
        return mass_of(cell, unit, decimal)
    if name == "share":
        return share_of(cell, unit, decimal)
    if name == "water_binder":
        return ratio_of(cell, unit, decimal)
    if name == "dimensions":
        return dimensions_of(cell, unit, decimal)
    if name == "curing":
        return curing_of(cell)
    text = text_of(cell)
    if name == "role":
        role = vocabulary.component_role(text)
        if not role:
            raise ValueError(say("register.role", cell=text))
        return role
    if name == "waste_class":
        return vocabulary.waste_class(text) or text
    return text
