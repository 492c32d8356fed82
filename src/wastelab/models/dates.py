"""Times of tests as something that sorts: numbers as they are, dates as ISO texts, other texts as they are.

A date that does not exist, or whose order of day and month nobody can know, is an error that names the row.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .cells import row_of

if TYPE_CHECKING:
    import pandas as pd

_YEAR_FIRST = re.compile(
    r"^(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})(?:\s*月)?(?:\s*[-/.]?\s*(?P<day>\d{1,2})\s*日?)?"
    r"(?P<clock>[T\s]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?$"
)
_YEAR_LAST = re.compile(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})$")
_COMPACT = (19000101, 21001231)


def times_of(values: Any, frame: pd.DataFrame, column: str, place: str) -> Any:
    """Sortable times.

    Parameters
    ----------
    values : array_like, shape (n_rows,)
        Numbers (a year, 20250301), timestamps, or texts: ``2025-03-01``, ``2025/3``, ``2025年3月1日``; ``28/03/2025``
        where the column shows whether day or month stands first.
    frame : pandas.DataFrame
        The table, for the numbers of rows in messages.
    column, place : str
        For messages.

    Returns
    -------
    ndarray, shape (n_rows,)
        Numbers, or texts of which dates are written as ``2025-03-01``.

    Raises
    ------
    ModelError
        Where most are dates: if one is none, does not exist, or begins with day or month.
    """
    import pandas as pd

    series = pd.Series(np.asarray(values))
    if pd.api.types.is_numeric_dtype(series.dtype):
        numbers = series.to_numpy()
        if np.all((numbers >= _COMPACT[0]) & (numbers <= _COMPACT[1])):
            for i, number in enumerate(numbers.astype(np.int64).tolist()):
                if _exists(number // 10000, number // 100 % 100, number % 100) is None:
                    raise _no_date(str(number), frame, i, column, place)
        return numbers
    texts = [unicodedata.normalize("NFKC", str(v)).strip() for v in series]
    texts = _year_first(texts)
    found = [_YEAR_FIRST.match(t) for t in texts]
    last = [i for i, t in enumerate(texts) if _YEAR_LAST.match(t)]
    if sum(f is not None for f in found) + len(last) <= 0.5 * len(texts):
        return np.asarray(texts, dtype=str)
    if last:
        raise ModelError(
            f"{place}, row {row_of(frame, last[0])}, column '{column}': '{texts[last[0]]}' may be read with the day "
            f"or the month first. Write 2025-03-01, or leave the time out of the table (or time='')."
        )
    out = []
    for i, (text, parts) in enumerate(zip(texts, found, strict=True)):
        iso = None if parts is None else _exists(int(parts["year"]), int(parts["month"]), parts["day"])
        if parts is None or iso is None:
            raise _no_date(text, frame, i, column, place)
        clock = (parts["clock"] or "").strip("T ")
        out.append(f"{iso} {clock.zfill(len(clock) + (clock.find(':') == 1))}" if clock.strip("0:.") else iso)
    return np.asarray(out, dtype=str)


def _year_first(texts: list[str]) -> list[str]:
    """Dates that end in the year the other way round, where days above 12 show which number is the day."""
    found = [_YEAR_LAST.match(t) for t in texts]
    whole = [f for f in found if f is not None and len(f[3]) == 4]
    first, second = (max((int(f[k]) for f in whole), default=0) for k in (1, 2))
    if (first > 12) == (second > 12):
        return texts
    day, month = (1, 2) if first > 12 else (2, 1)
    return [
        t if f is None or len(f[3]) == 2 else f"{f[3]}-{f[month]}-{f[day]}" for t, f in zip(texts, found, strict=True)
    ]


def _exists(year: int, month: int, day: Any) -> str | None:
    try:
        there = date(year, month, 1 if day is None else int(day))
    except ValueError:
        return None
    return there.isoformat() if day is not None else there.isoformat()[:7]


def _no_date(text: str, frame: pd.DataFrame, at: int, column: str, place: str) -> ModelError:
    return ModelError(
        f"{place}, row {row_of(frame, at)}, column '{column}': '{text}' is no date that exists. Write year, month "
        f"and day (2025-03-01)."
    )
