"""From rows of the catalogue to columns of fixed types, the same whether there are rows or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, select

from . import filters as f

if TYPE_CHECKING:
    import pandas as pd

#: Internal keys that are asked for at once.
CHUNK = 5000


def columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Rows turned into columns by name."""
    if not rows:
        return dict.fromkeys(names, ())
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def texts(items: Iterable[Any]) -> Any:
    """Texts; what is not known is empty."""
    import pandas as pd

    return pd.Series(["" if x is None else x for x in items], dtype="str").array


def numbers(items: Iterable[Any]) -> Any:
    """Floats; what is not known is NaN."""
    return np.array(list(items), dtype=np.float64)


def integers(items: Iterable[Any]) -> Any:
    """Whole numbers, none of them missing."""
    return np.array(list(items), dtype=np.int64)


def index(items: Iterable[Any], name: str) -> pd.Index[Any]:
    """Texts as an index."""
    import pandas as pd

    found: pd.Index[Any] = pd.Index(texts(items), name=name)
    return found


def codes(conn: Connection, table: Any, keys: Iterable[int], label: str = "code") -> dict[int, str]:
    """Codes or names of records by internal key."""
    wanted = sorted(keys)
    out: dict[int, str] = {}
    for start in range(0, len(wanted), CHUNK):
        query = select(table.c.id, table.c[label]).where(f.is_one_of(table.c.id, wanted[start : start + CHUNK]))
        out.update((row[0], row[1]) for row in conn.execute(query))
    return out
