"""Files of tables: separators by comma, semicolon or tab, UTF-8 or GB18030, Excel, OpenDocument, Parquet.

A title line above the headings is not read as headings: the error says which line to delete.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
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
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    separator = max(_SEPARATORS, key=lambda s: _likely(lines, s))
    if len(lines) > 1:
        filled = [sum(bool(c.strip()) for c in next(csv.reader([line], delimiter=separator))) for line in lines[:2]]
        if filled[0] == 1 and filled[1] > 1:
            raise _title(path, lines[0].strip(separator + " "), next(csv.reader([lines[1]], delimiter=separator)))
    return pd.read_csv(io.StringIO(text), sep=separator, low_memory=False)


def _likely(lines: list[str], separator: str) -> tuple[int, int]:
    """How many lines a separator cuts into equally many fields, and into how many."""
    fields = Counter(len(next(csv.reader([line], delimiter=separator))) for line in lines)
    fields.pop(1, None)
    return max(((lines_, n) for n, lines_ in fields.items()), default=(0, 0))


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
