"""Cells of a table column as numbers: plain, with a unit ("5%", "20 ℃", "28 d"), or with a decimal comma ("0,237").

Nothing is guessed: a cell that does not fit the others is an error that names row, column and value.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError, UnitError
from ..units import parse
from .columns import CELL_UNITS, UNIT_ALIASES, is_unit, split_unit
from .design import FloatArray

if TYPE_CHECKING:
    import pandas as pd

_CELL = re.compile(r"^(?P<number>[-+]?(?:\d[\d.,]*|\.\d+)(?:e[-+]?\d+)?)\s*(?P<unit>\D.*)?$", re.IGNORECASE)
#: Commas that may separate thousands: 1,108 or 12,500,000.
_THOUSANDS = re.compile(r"^[-+]?[1-9]\d{0,2}(,\d{3})+$")
_DECIMAL = re.compile(r"^[-+]?\d+,\d+$")
_HINT = " (write thousands without a separator, decimals with a point)"


def row_of(frame: pd.DataFrame, at: int) -> int:
    """Number of a data row as a person counts: 1 is the first under the heading."""
    return int(frame["__row__"].iloc[at]) + 1 if "__row__" in frame.columns else int(at) + 1


def numbers(frame: pd.DataFrame, column: str, place: str) -> FloatArray:
    """A column as numbers in the unit of its heading; empty cells are NaN.

    Parameters
    ----------
    frame : pandas.DataFrame
    column : str
    place : str
        What to call the table in messages.

    Returns
    -------
    ndarray, shape (n_rows,)

    Raises
    ------
    ModelError
        If a cell is no number, infinite, in a unit that its heading is not convertible to, or in a unit that the
        heading does not name.
    """
    values, unit = measured(frame, column, place)
    if unit and not split_unit(column)[1]:
        raise ModelError(
            f"{place}, column '{column}': its cells are in {unit}, which the heading does not say. Write the unit in "
            f"the heading: '{column}({unit})'."
        )
    return values


def measured(frame: pd.DataFrame, column: str, place: str, unit: str = "") -> tuple[FloatArray, str]:
    """A column as numbers and their unit.

    Parameters
    ----------
    frame, column, place
        As in `numbers`.
    unit : str, optional
        Of the column; by default the one at the end of its heading, and where there is none the one in its cells.

    Returns
    -------
    values : ndarray, shape (n_rows,)
    unit : str
        Empty where neither heading nor cells name one.

    Raises
    ------
    ModelError
        As `numbers`; also where only some cells name a unit and the heading names none.
    """
    import pandas as pd

    raw = frame[column]
    unit = unit or split_unit(column)[1]
    if pd.api.types.is_numeric_dtype(raw.dtype):
        values = raw.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values, unit = _of_text(frame, column, place, unit)
    wild = np.flatnonzero(np.isinf(values))
    if len(wild):
        raise ModelError(
            f"{place}, row {row_of(frame, wild[0])}, column '{column}': infinite value. Write a finite number, or "
            f"leave the cell empty where nothing was measured."
        )
    return values, unit


def reads_as_numbers(raw: pd.Series) -> bool:
    """Whether most of a text column are numbers, bare or with a unit: then a word among them is an error."""
    filled = [t for t in _texts(raw) if t]
    return bool(filled) and sum(_split(t) is not None for t in filled) > 0.5 * len(filled)


def _of_text(frame: pd.DataFrame, column: str, place: str, unit: str) -> tuple[FloatArray, str]:
    raw = frame[column]
    typed = [isinstance(v, str) for v in raw]
    texts = _texts(raw)
    parts = [_split(t) if t else ("", "") for t in texts]
    bad = next((i for i, part in enumerate(parts) if part is None), None)
    if bad is not None:
        said = str(raw.iloc[bad])
        hint = _HINT if re.search(r"\d,\d", said) else ""
        asked = f" in {unit}" if unit else ""
        raise ModelError(
            f"{place}, row {row_of(frame, bad)}, column '{column}': {said!r} is not a number{hint}. "
            f"Write a number{asked}, or leave the cell empty where nothing was measured."
        )
    cells = [part for part in parts if part is not None]
    _check_commas(frame, column, place, [c[0] if t else "" for c, t in zip(cells, typed, strict=True)])
    named = [i for i, c in enumerate(cells) if c[1]]
    if named and not unit:
        bare = next((i for i, c in enumerate(cells) if c[0] and not c[1]), None)
        if bare is not None:
            raise ModelError(
                f"{place}, row {row_of(frame, bare)}, column '{column}': '{texts[bare]}' has no unit, but "
                f"'{texts[named[0]]}' in row {row_of(frame, named[0])} has one. Write the unit in the heading."
            )
        unit = cells[named[0]][1]
    values = np.full(len(cells), np.nan)
    for i, (number, of_cell) in enumerate(cells):
        if not number:
            continue
        try:
            value = float(number.replace(",", "."))
            values[i] = parse(f"{value!r} {of_cell}", unit, what="cell") if of_cell and of_cell != unit else value
        except (ValueError, UnitError):
            raise ModelError(
                f"{place}, row {row_of(frame, i)}, column '{column}': {texts[i]!r} cannot be read as a number"
                f"{f' in {unit}' if unit else ''}. Write it in the unit of the heading, or correct the heading."
            ) from None
    return values, unit


def _texts(raw: pd.Series) -> list[str]:
    """Cells as texts of usual width; empty where there is nothing."""
    empty = raw.isna().to_numpy()
    texts = (unicodedata.normalize("NFKC", str(v)).strip() for v in raw)
    return ["" if e or t.lower() in ("nan", "none", "<na>") else t for t, e in zip(texts, empty, strict=True)]


def _split(text: str) -> tuple[str, str] | None:
    """Number and unit of a cell, as written; None where it is neither."""
    if text.lower() in ("inf", "-inf", "+inf", "infinity", "-infinity"):
        return text, ""
    found = _CELL.match(text)
    if found is None or found["number"].count(".") > 1:
        return None
    said = (found["unit"] or "").strip()
    said = CELL_UNITS.get(said, UNIT_ALIASES.get(said, said))
    if said and not is_unit(said):
        return None
    return found["number"], said


def _check_commas(frame: pd.DataFrame, column: str, place: str, texts: list[str]) -> None:
    """Commas are decimal where one of them cannot be anything else and nothing in the column speaks against it."""
    at = [i for i, t in enumerate(texts) if "," in t]
    if not at:
        return
    wrong = next((i for i in at if not _DECIMAL.match(texts[i])), None)
    pointed = next((i for i, t in enumerate(texts) if "." in t), None)
    unclear = wrong is None and all(_THOUSANDS.match(texts[i]) for i in at)
    if wrong is None and pointed is None and not unclear:
        return
    i = at[0] if wrong is None else wrong
    beside = ""
    if wrong is None and pointed is not None:
        beside = f", but row {row_of(frame, pointed)} has a decimal point ('{texts[pointed]}')"
    raise ModelError(
        f"{place}, row {row_of(frame, i)}, column '{column}': '{texts[i]}' is not a number that can be read in one way"
        f"{beside}{_HINT}. Write 1108 or 1.108, the whole column in one way."
    )
