"""Files of tables: separators by comma, semicolon or tab, UTF-8 or GB18030, Excel, OpenDocument, Parquet.

A title line above the headings is not read as headings: the error says which line to delete.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = (",", ";", "\t")


def read_file(path: Path) -> pd.DataFrame:
    """A table of one heading line and one row a test.

    Raises
    ------
    ModelError
        If a title stands above the headings, or Parquet cannot be read here. Other faults are those of the readers.
    """
    kind = path.suffix.lower()
    if kind in (".xlsx", ".xls", ".ods"):
        frame = _sheet(path)
        first = frame.iloc[0].tolist() if len(frame) else []
        unnamed = [str(c).startswith("Unnamed:") for c in frame.columns]
        names = sum(isinstance(v, str) for v in first)
        if sum(unnamed) >= 2 and sum(unnamed) > 0.5 * len(unnamed) and names > 0.5 * len(first):
            raise _title(path, next((str(c) for c, u in zip(frame.columns, unnamed, strict=True) if not u), ""), first)
        return frame
    return _parquet(path) if kind == ".parquet" else _csv(path)


def _sheet(path: Path) -> pd.DataFrame:
    """The first sheet that is a table of at least two columns; the names of the others are in ``attrs["sheets"]``."""
    import pandas as pd

    sheets = pd.read_excel(path, engine="calamine", sheet_name=None)
    names = list(sheets)
    chosen = next((n for n in names if sheets[n].shape[1] > 1 and len(sheets[n])), names[0])
    frame = sheets[chosen]
    frame.attrs["sheets"] = [n for n in names if n != chosen and sheets[n].shape[1] > 1]
    return frame


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    separator = max(_SEPARATORS, key=lambda s: _likely(_rows(text, s, 20)))
    rows = _rows(text, separator)
    if len(rows) > 1 and _filled(rows[0][1]) == 1 and _filled(rows[1][1]) > 1:
        raise _title(path, next(c for c in rows[0][1] if c.strip()), rows[1][1])
    width = len(rows[0][1]) if rows else 0
    for line, cells in rows[1:]:
        if _filled(cells[width:]):
            raise ModelError(
                f"{path}, line {line}: {len(cells)} cells, but there are {width} headings. Give every column a "
                f"heading, and put cells that hold a '{separator}' in quotes."
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # separators at the end of lines, as checked above
        return pd.read_csv(io.StringIO(text), sep=separator, low_memory=False, index_col=False)


def _rows(text: str, separator: str, most: int | None = None) -> list[tuple[int, list[str]]]:
    """The first rows that are not empty, with the line that each ends in; none where the quotes do not fit."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return list(islice(((reader.line_num, cells) for cells in reader if _filled(cells)), most))
    except csv.Error:
        return []


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(c.strip()) for c in cells)


def _likely(rows: Sequence[tuple[int, list[str]]]) -> tuple[int, int]:
    """How many rows have equally many cells, and how many cells."""
    counts = Counter(len(cells) for _, cells in rows)
    counts.pop(1, None)
    return max(((n, cells) for cells, n in counts.items()), default=(0, 0))


def _title(path: Path, title: str, headings: Sequence[object]) -> ModelError:
    said = ", ".join(str(h) for h in headings[:6] if str(h).strip())
    return ModelError(
        f"{path}: the first line ('{title}') seems to be a title, with the headings below it ({said} ...). Delete the "
        f"lines above the headings."
    )


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        raise ModelError(f"{path}: Parquet needs the extra 'parquet': pip install 'wastelab[parquet]'.") from None
