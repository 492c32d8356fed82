"""Typed readers of the shipped CSV tables: factors, literature analyses, published recipes.

Every row has an id, a source, an evidence level and a licence; a row that lacks one, or holds a value that
is no number, is an error that names file, line and field.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chemistry.quantity import Quantity
from ..errors import DatasetError, UnknownNameError, suggest
from ..provenance import Evidence, Source
from .files import find_files, read_text

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the literature table that hold wt% of the analysis as printed.
OXIDE_COLUMNS = (
    "SiO2", "Al2O3", "Fe2O3", "FeO", "CaO", "MgO", "SO3", "Na2O", "K2O", "TiO2", "P2O5", "MnO", "Cr2O3",
    "V2O5", "Cl", "LOI", "free_CaO",
)  # fmt: skip
OTHER_COLUMNS = ("density", "blaine", "bet", "Ra226", "Th232", "K40", "activity_index_28d")


@dataclass(frozen=True)
class Row:
    """One row of a table with where it stands."""

    file: Path
    line: int
    values: dict[str, str]
    source: Source

    def number(self, column: str) -> float | None:
        """A numeric field, None where empty."""
        text = self.values.get(column, "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise DatasetError(
                f"{self.file}, line {self.line}, column {column}: {text!r} is not a number; "
                "expected a plain decimal without unit."
            ) from None
        if not math.isfinite(value):
            raise DatasetError(f"{self.file}, line {self.line}, column {column}: {text!r} is not finite.")
        return value


def read_rows(file: Path, required: tuple[str, ...]) -> list[Row]:
    """Rows of a CSV table, checked for the columns every table has.

    Raises
    ------
    DatasetError
        For a missing column, a row of another length, a missing id, source, evidence or licence, or an id
        that occurs twice; names file, line, column and value.
    """
    reader = csv.reader(io.StringIO(read_text(file), newline=""))
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as exc:
        raise DatasetError(f"{file}, line {reader.line_num}: not a CSV table ({exc}).") from None
    header = lines[0][1] if lines else None
    if not header:
        raise DatasetError(f"{file}: is empty; expected a header line.")
    for column in ("id", "source", "evidence", "licence", *required):
        if column not in header:
            raise DatasetError(f"{file}, line 1: column '{column}' is missing.{suggest(column, header)}")
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, cells in lines[1:]:
        if not cells:
            continue
        if len(cells) != len(header):
            raise DatasetError(f"{file}, line {line}: {len(cells)} fields, expected {len(header)} as in the header.")
        values = dict(zip(header, cells, strict=True))
        for column in ("id", "source", "evidence", "licence"):
            if not values[column].strip():
                raise DatasetError(f"{file}, line {line}, column {column}: is empty; every row needs it.")
        if values["id"] in seen:
            raise DatasetError(
                f"{file}, line {line}, column id: {values['id']!r} already stands in line {seen[values['id']]}."
            )
        seen[values["id"]] = line
        try:
            level = Evidence(values["evidence"])
        except ValueError:
            raise DatasetError(
                f"{file}, line {line}, column evidence: {values['evidence']!r} is not one of {', '.join(Evidence)}."
            ) from None
        source = Source(
            values["source"], level, values.get("year", ""), values.get("doi", ""), values["licence"],
            values.get("note", ""),
        )  # fmt: skip
        rows.append(Row(file, line, values, source))
    return rows


# ------------------------------------------------------------------------------------------ factors


@cache
def factor_rows() -> dict[str, Row]:
    """Rows of the factor tables by id, the user's own first."""
    rows: dict[str, Row] = {}
    for file in find_files("datasets", "factors/*.csv"):
        for row in read_rows(file, ("category", "item", "quantity", "value", "unit")):
            rows.setdefault(row.values["id"], row)
    return rows


@cache
def factor(name: str) -> Quantity:
    """A factor by id: emission, energy, transport, price, stoichiometry.

    Parameters
    ----------
    name : str
        For example ``"F041"`` (CO2 of bituminous coal). ``wastelab datasets show factors`` lists them.

    Returns
    -------
    Quantity
        In the table's unit, with range and source.

    Raises
    ------
    UnknownNameError
    """
    rows = factor_rows()
    if name not in rows:
        raise UnknownNameError(f"There is no factor {name!r}.{suggest(name, rows)}")
    row = rows[name]
    value = row.number("value")
    if value is None:
        raise DatasetError(f"{row.file}, line {row.line}, column value: is empty.")
    low, high = row.number("low"), row.number("high")
    sigma = (high - low) / 4.0 if low is not None and high is not None else None
    item = f"{row.values['item']}, {row.values['quantity']}"
    source = Source(
        f"{name} {item}: {row.source.text}", row.source.evidence, row.source.edition, row.source.doi,
        row.source.licence, row.source.note,
    )  # fmt: skip
    return Quantity(value, row.values["unit"], source, sigma, low, high)


def factors(category: str | None = None) -> pd.DataFrame:
    """The factor table, of one category or all."""
    table = _frame(list(factor_rows().values()), ("value", "low", "high"))
    if category is None:
        return table
    known = sorted(set(table["category"]))
    if category not in known:
        raise UnknownNameError(
            f"There is no factor category {category!r}.{suggest(category, known)} Categories: {', '.join(known)}."
        )
    return table[table["category"] == category]


# ---------------------------------------------------------------------------------------- literature


def composition_rows() -> list[Row]:
    """Rows of the literature analyses; ``use`` says whether a row may be used or is a known-bad example."""
    return [r for f in find_files("datasets", "compositions/*.csv") for r in read_rows(f, ("waste_class", "use"))]


def compositions(*, usable_only: bool = True) -> pd.DataFrame:
    """Literature analyses as a table, wt% as printed.

    Parameters
    ----------
    usable_only : bool
        Leave out the known-bad rows that are kept as tests of the plausibility gates.
    """
    rows = composition_rows()
    if usable_only:
        rows = [r for r in rows if r.values["use"] == "ok"]
    return _frame(rows, (*OXIDE_COLUMNS, *OTHER_COLUMNS))


def published_recipes() -> pd.DataFrame:
    """Recipes and results from the literature; ``mix`` is a dict as published."""
    import pandas as pd

    rows = [r for f in find_files("datasets", "published_recipes/*.csv") for r in read_rows(f, ("family", "mix_json"))]
    table = _frame(
        rows,
        (
            "process_T_C",
            "process_h",
            "w_b",
            "age_d",
            "compressive_MPa",
            "compressive_low",
            "compressive_high",
        ),
    )
    mixes: list[Any] = [_mix(r) for r in rows]
    table["mix"] = pd.Series(mixes, index=table.index, dtype=object)
    return table


def _mix(row: Row) -> dict[str, Any]:
    try:
        mix = json.loads(row.values["mix_json"])
    except json.JSONDecodeError as exc:
        raise DatasetError(f"{row.file}, line {row.line}, column mix_json: not valid JSON ({exc}).") from None
    return dict(mix)


def _frame(rows: list[Row], numeric: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    records = []
    for row in rows:
        record: dict[str, Any] = dict(row.values)
        for column in numeric:
            if column in record:
                record[column] = row.number(column)
        records.append(record)
    table = pd.DataFrame(records)
    for column in numeric:
        if column in table:
            table[column] = pd.to_numeric(table[column])
    return table.set_index("id") if len(table) else table
