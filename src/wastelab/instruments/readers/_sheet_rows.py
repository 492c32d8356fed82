"""Rows of a table to readings: one per sample and technique, with the fields that describe the sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import vocabulary
from ..base import Completeness, Reading, Value
from ..sheets import Cell
from ..text import parse_date
from ..units import looks_like_unit, normalise
from ._sheet_headings import Column, _about, clean, in_technique, nearest, parse, technique_of
from ._sheet_tables import NAMING, Table, has_result, is_units
from ._sheet_values import Cellwork, Faults, age_of, is_analysis, is_oxide, read_cell, text_of

_EXAMPLE = re.compile(r"^\W*(?:示例|样例|例如|填写示例|example|e\.g\.)", re.I)
_STATISTIC = re.compile(
    r"^(?:平均值?|均值|算术平均值?|mean|average|avg\.?|标准差|标准偏差|std\.?|stdev|sd|rsd|变异系数|极差|最大值?|最小值?|max\.?|min\.?|"
    r"合计|总计|total|sum)(?:\s*\(.*\))?$",
    re.I,
)
_STANDARD = re.compile(
    r"(?<![A-Za-z])(?:GB(?:\s?[/-]\s?T)?|HJ(?:\s?[/-]?\s?T)?|JGJ|JG(?:/T)?|JC(?:/T)?|DL(?:/T)?|YB(?:/T)?|EN|ISO|ASTM|EPA|DIN|BS)[\s_-]*"
    r"[A-Z]?\s?\d{2,5}(?:\.\d+)?(?:-\d{1,4})*"
)
_OWN_COLUMN = frozenset(
    ("sample", "operator", "method", "instrument", "measured_at", "basis", "technique", "unit", "coverage", "quantity",
     "value", "uncertainty", "lod", "row_number")
)  # fmt: skip
_DATES = ("collected_at", "cast_at")
_COVERAGE = re.compile(r"(?<![A-Za-z])k\s*=\s*(\d+(?:\.\d+)?)")


@dataclass
class _Context:
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


@dataclass
class _Row:
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


def read_table(table: Table, decimal: str, faults: Faults, complete: tuple[Completeness, str]) -> list[Reading]:
    """The readings of one table; faults are noted in `faults`."""
    context = _context(table, decimal, faults, complete)
    readings = _read_long(context) if table.layout == "long" else _read_wide(context)
    warnings = [complete[1]] if complete[1] else []
    if context.not_read:
        context.metadata["not_read"] = context.not_read
    if table.grid.hidden:
        warnings.append(f"sheet '{table.grid.name}' is hidden; it was read all the same")
    return [
        replace(
            r, warnings=(*r.warnings, *warnings), completeness=complete[0], metadata={**context.metadata, **r.metadata}
        )
        for r in readings
    ]


def _context(table: Table, decimal: str, faults: Faults, complete: tuple[Completeness, str]) -> _Context:
    title = " | ".join(table.title)
    given = table.given
    technique = technique_of([text_of(given["technique"])]) if "technique" in given else ""
    if "technique" in given and not technique:
        faults.add(
            table.given_at["technique"],
            f"{text_of(given['technique'])!r} is no technique; write one of {', '.join(vocabulary.techniques())}.",
        )
    technique = technique or technique_of([table.grid.name]) or technique_of(table.title)
    unit = clean(text_of(given["unit"])) if "unit" in given else ""
    if unit and not looks_like_unit(unit):
        faults.add(table.given_at["unit"], f"{unit!r} is no unit; write wt%, mg/kg, MPa, …")
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
    match = _COVERAGE.search(title)
    k = float(match[1]) if match else None
    if "coverage" in given:
        k = _number(given["coverage"], decimal, table.given_at["coverage"], faults)
    methods = list(dict.fromkeys(_tidy(m) for m in _STANDARD.findall(f"{table.grid.name} | {title}")))
    method = text_of(given["method"]) if "method" in given else (methods[0] if len(methods) == 1 else "")
    heads = [parse(h) for h in table.headings]
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
    bases = {vocabulary.basis(p) for p in (*parts, *table.title)} - {""}
    basis = bases.pop() if len(bases) == 1 else ""
    return _Context(table, faults, work, complete, technique, method, k, title, basis, [], metadata)


def _tidy(standard: str) -> str:
    text = re.sub(r"\s+", " ", standard.replace("_", " ")).strip()
    return re.sub(r"^HJ\s?[/-]?\s?T[\s-]*", "HJ/T ", re.sub(r"^GB\s?[/-]\s?T[\s-]*", "GB/T ", text))


def _number(cell: Cell, decimal: str, where: str, faults: Faults) -> float | None:
    try:
        raw = read_cell(cell, decimal)
    except ValueError as exc:
        faults.add(where, f"{exc}; expected a number.")
        return None
    return raw.value


def _describe(context: _Context, columns: Sequence[Column], index: int, row: Sequence[Cell]) -> _Row:
    """The fields of a row, from its own cells or from what is said above the table."""
    table, faults = context.table, context.faults
    out = _Row(index, technique=context.technique, method=context.method, k=context.k)
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
        if name in ("measured_at", *_DATES):
            try:
                text = parse_date(cell)
            except ValueError as exc:
                faults.add(where, f"{exc}.")
                continue
        if name == "basis":
            text = vocabulary.basis(text)
            if not text:
                faults.add(
                    where, f"{text_of(cell)!r} is no basis; write 收到基, 干基, 灼烧基 (as_received, dry, ignited)."
                )
                continue
            out.basis = text
        elif name == "age":
            try:
                out.fields["age"] = age_of(cell, column.unit)
            except ValueError as exc:
                faults.add(where, f"{exc}.")
        elif name == "technique":
            found = technique_of([text])
            if not found:
                faults.add(where, f"{text!r} is no technique; write one of {', '.join(vocabulary.techniques())}.")
            out.technique = found or out.technique
        elif name == "waste_class":
            out.fields["waste_class"] = vocabulary.waste_class(text) or text
        elif name == "coverage":
            out.k = _number(cell, context.work.decimal, where, faults)
        elif name == "unit":
            if column.heading and looks_like_unit(text):
                out.unit = normalise(text)
            elif column.heading:
                faults.add(where, f"{text!r} is no unit; write wt%, mg/kg, MPa, …")
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
    if not out.sample:
        out.sample = out.fields.get("specimen", "") or out.fields.get("mix", "") or out.fields.pop("sample_name", "")
    out.basis = out.basis or context.basis
    if out.index in table.grid.hidden_rows and table.layout != "transposed":
        out.metadata["hidden_row"] = True
    return out


# --- one row (or column) per sample ----------------------------------------------------------------------------------


def _read_wide(context: _Context) -> list[Reading]:
    table = context.table
    columns = [parse(h) for h in table.headings]
    if table.layout == "transposed":
        columns[0] = Column("field", table.headings[0], "sample")
    columns, limits, spreads, data = _special_rows(context, columns)
    _refuse_unknown(context, columns, data)
    oxides = any(is_oxide(c.name) for c in columns if c.role == "quantity")
    variants: dict[str, list[Column]] = {}
    readings: list[Reading] = []
    for index, row in data:
        about = _describe(context, columns, index, row)
        mine = variants.get(about.technique)
        if mine is None:
            mine = variants[about.technique] = _meant(columns, about.technique, oxides)
            _refuse_doubles(context, mine)
            _refuse_unknown_in(context, mine, about.technique)
        found = _values_of_row(context, mine, about, row, limits, spreads)
        if not about.sample and found:
            context.faults.add(
                table.where(index),
                f"this {table.sample_name} has results but no sample; write its code in each {table.sample_name} "
                "(merged cells hold it only once).",
            )
            continue
        if not found:
            if any(has_result(c) for j, c in enumerate(row) if j < len(mine) and mine[j].role == "quantity"):
                continue
            if about.sample:
                context.not_read.append(f"{table.where(index)}: sample {about.sample!r} has no result")
            continue
        readings += _split(context, about, mine, row, found)
    return readings


def _label(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    """What stands in the sample column of a row, or in its first filled cell if that is all there is."""
    for j, column in enumerate(columns):
        if column.role == "field" and column.name in NAMING and j < len(row) and row[j] is not None:
            return clean(row[j])
    return ""


def _special_rows(
    context: _Context, columns: list[Column]
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
        about = _about(re.sub(r"\(?k\s*=\s*[\d.]+\)?", "", label).strip()) if label else None
        extra = [j for j in range(len(columns), len(row)) if row[j] is not None]
        if extra:
            context.faults.add(
                table.grid.place(*table.at(index, extra[0])),
                f"{text_of(row[extra[0]])!r} stands beyond the last heading: this {table.sample_name} has "
                f"{len(row)} cells, the headings are {len(columns)}. A decimal comma in a "
                "comma-separated file does this.",
            )
            continue
        if not data and is_units(row, label):
            columns = [_with_unit(context, c, row[j], table.where(index, j)) for j, c in enumerate(columns)]
        elif _EXAMPLE.match(label) or _EXAMPLE.match(first):
            context.not_read.append(f"{table.where(index)}: marked as an example and not read")
        elif about and not about[1] and about[0] == "lod":
            limits = {
                j: (Column("lod", unit=""), row[j], table.where(index, j))
                for j in range(len(columns))
                if row[j] is not None
            }
        elif about and not about[1] and not (about[0] == "standard" and _STATISTIC.match(label)):
            match = _COVERAGE.search(label)
            kind = Column(
                "relative_sigma" if about[0] == "relative" else "sigma", k=float(match[1]) if match else None,
                expanded=about[0] == "expanded",
            )  # fmt: skip
            spreads = {j: (kind, row[j], table.where(index, j)) for j in range(len(columns)) if row[j] is not None}
        elif _STATISTIC.match(label):
            context.not_read.append(f"{table.where(index)}: {label!r} is calculated from other rows and was not read")
        else:
            if table.grid.kind == "csv" and table.layout == "wide":
                _check_width(context, index, columns)
            data.append((index, row))
    return columns, limits, spreads, data


def _check_width(context: _Context, index: int, columns: Sequence[Column]) -> None:
    """A line of text with fewer cells than headings lost a separator; the last one may be cut, which is `partial`."""
    table = context.table
    cells = len(table.grid.rows[index])
    last = index == len(table.grid.rows) - 1 and not table.grid.ends
    if cells < len(columns) and not last:
        context.faults.add(
            table.where(index),
            f"has {cells} cells where the heading has {len(columns)}; a separator is missing. Leave a cell empty where "
            "nothing was measured.",
        )


def _with_unit(context: _Context, column: Column, cell: Cell, where: str) -> Column:
    text = clean(cell)
    if not text or text in ("/",) or not looks_like_unit(text):
        return column
    unit = normalise(text)
    if column.unit and column.unit != unit and {column.unit, unit} != {"%", "wt%"}:
        context.faults.add(where, f"unit {unit!r} here, but {column.unit!r} in the heading; keep one.")
    return column if column.unit else replace(column, unit=unit)


def _refuse_unknown(context: _Context, columns: Sequence[Column], data: Sequence[tuple[int, list[Cell]]]) -> None:
    """Note columns without any heading that hold something."""
    for j, column in enumerate(columns):
        if column.role != "empty":
            continue
        for index, row in data:
            if row[j] is not None:
                context.faults.add(
                    context.table.where(index, j),
                    f"{text_of(row[j])!r} stands in a column without a heading; give it one, or empty it.",
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


def _refuse_doubles(context: _Context, columns: Sequence[Column]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for j, column in enumerate(columns):
        if column.role in ("empty", "unknown", "meta") or not column.name:
            continue
        if column.role == "field" and column.name in ("note", "row_number"):
            continue
        key = (column.role, column.name, column.age, column.basis)
        if key in seen:
            first = context.table.headings[seen[key]]
            context.faults.add(
                _place_of_heading(context.table, j),
                f"{clean(column.heading)!r} means {column.name}, as column {first!r} does; keep one, or "
                "head them apart.",
            )
        seen.setdefault(key, j)


def _place_of_heading(table: Table, j: int) -> str:
    if table.layout == "transposed":
        return table.grid.place(table.first + j, table.origin, table.headings[j])
    return table.grid.place(table.origin, j, table.headings[j])


def _refuse_unknown_in(context: _Context, columns: Sequence[Column], technique: str) -> None:
    table = context.table
    for j, column in enumerate(columns):
        if column.role != "unknown":
            continue
        for index, row in table.rows:
            cell = row[j] if j < len(row) else None
            if has_result(cell) and not looks_like_unit(clean(cell)):
                context.faults.add(
                    table.where(index, j),
                    f"the heading {clean(column.heading)!r} is not known, and its cells hold numbers "
                    f"({text_of(cell)!r})."
                    f"{nearest(column.heading)} Use a name that is known, or begin the heading with "
                    "备注 / note to keep it as text.",
                )
                break


def _values_of_row(
    context: _Context,
    columns: Sequence[Column],
    about: _Row,
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
            context.faults.add(where, f"{text_of(cell)!r}: an uncertainty of {name} without a value beside it.")
    return out


def _closes(context: _Context, columns: Sequence[Column], row: Sequence[Cell]) -> bool:
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


def _split(
    context: _Context,
    about: _Row,
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
            context.faults.add(
                value.where,
                f"{column.name} comes from several techniques; name the sheet after it, or add a column 'technique'.",
            )
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
            sums.setdefault(main, {})[column.name] = _plain(row[j], context.work.decimal)
        elif column.role == "unknown":
            fields[clean(column.heading)] = text_of(row[j])
    return [
        _reading(
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


def _plain(cell: Cell, decimal: str) -> float | str:
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


def _reading(
    context: _Context,
    about: _Row,
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


# --- one row per result ----------------------------------------------------------------------------------------------


def _read_long(context: _Context) -> list[Reading]:
    table = context.table
    columns = [parse(h) for h in table.headings]
    at = {c.name: j for j, c in reversed(list(enumerate(columns))) if c.role == "field"}
    shown = at["quantity"], at["value"]
    _refuse_doubles(context, columns)
    _refuse_unknown_in(context, columns, context.technique)
    rows: list[tuple[_Row, list[Cell], Column]] = []
    for index, row in table.rows:
        row = [*row, *[None] * (len(columns) - len(row))]
        if not any(c is not None for c in row):
            continue
        extra = next((j for j in range(len(columns), len(row)) if row[j] is not None), None)
        if extra is not None:
            context.faults.add(
                table.grid.place(index, extra), f"{text_of(row[extra])!r} stands beyond the last heading."
            )
            continue
        first = next(clean(c) for c in row if c is not None)
        if _EXAMPLE.match(first):
            context.not_read.append(f"{table.where(index)}: marked as an example and not read")
            continue
        label = clean(row[shown[0]])
        if _STATISTIC.match(first) and _STATISTIC.match(label) is None:
            context.not_read.append(f"{table.where(index)}: {first!r} is calculated from other rows and was not read")
            continue
        if table.grid.kind == "csv":
            _check_width(context, index, columns)
        about = _describe(context, columns, index, row)
        if not label:
            if any(has_result(c) for c in row):
                context.faults.add(table.where(index, shown[0]), "is empty; name the quantity of this result.")
            continue
        rows.append((about, row, parse(label)))
    oxides = {about.sample for about, _, c in rows if is_oxide(c.name)}
    groups: dict[tuple[str, ...], tuple[_Row, list[Value], dict[str, Any]]] = {}
    turn: dict[tuple[str, ...], int] = {}
    for about, row, column in rows:
        where = table.where(about.index, shown[1])
        if column.role == "meta":
            for key, (_, _, metadata) in groups.items():
                if key[0] == about.sample:
                    metadata[column.name] = _plain(row[shown[1]], context.work.decimal)
            continue
        meant = in_technique(column, about.technique, oxides=about.sample in oxides)
        if meant.term is None or meant.role != "quantity":
            if has_result(row[shown[1]]):
                context.faults.add(
                    table.where(about.index, shown[0]),
                    f"{clean(column.heading)!r} is no quantity that is known.{nearest(column.heading)}",
                )
            continue
        if not meant.unit:
            meant = replace(meant, unit=about.unit or columns[shown[1]].unit)
        elif about.unit and about.unit != meant.unit and {about.unit, meant.unit} != {"%", "wt%"}:
            context.faults.add(
                where, f"unit {about.unit!r} in its column, but {meant.unit!r} beside the quantity; keep one."
            )
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
            context.faults.add(where, f"{meant.name} comes from several techniques; add a column 'technique'.")
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
            context.faults.add(
                table.where(about.index), "this row has a result but no sample; write its code in each row."
            )
            continue
        fields = dict(about.fields)
        for j, column in enumerate(columns):
            if column.role == "unknown":
                texts = next((r[j] for a, r, _ in rows if a is about), None)
                if texts is not None:
                    fields[clean(column.heading)] = text_of(texts)
        out.append(_reading(context, about, key[1], values, fields, metadata))
    return out
