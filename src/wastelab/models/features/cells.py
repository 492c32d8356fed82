"""Cells of a table of mixes: columns of text and their levels, and columns that say what another says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..design import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd


def is_text(features: pd.DataFrame, column: str) -> bool:
    """Whether a column holds no numbers."""
    import pandas as pd

    return not pd.api.types.is_numeric_dtype(features[column].dtype)


def levels_of(texts: pd.Series[Any]) -> list[str]:
    """Different texts of a column, sorted; without the empty one."""
    return sorted({str(v) for v in texts.dropna().unique()} - {""})


def codes_of(texts: pd.Series[Any], levels: list[str]) -> IntArray:
    """Number of the level of each cell; -1 of what is empty or was not seen."""
    import pandas as pd

    number = {level: k for k, level in enumerate(levels)}
    codes, different = pd.factorize(texts)
    of = np.array([*(number.get(str(v), -1) for v in different), -1], dtype=np.int64)
    return of[codes]


def twin(column: FloatArray, kept: FloatArray) -> int | None:
    """An earlier column that says the same (correlation 1 or -1, missing in the same rows), or None."""
    if not kept.shape[1]:
        return None
    there = ~np.isnan(column)
    alike = np.flatnonzero((np.isnan(kept) == ~there[:, None]).all(axis=0))
    if there.sum() < 3 or not alike.size:
        return None
    x, others = column[there] - column[there].mean(), kept[np.ix_(there, alike)]
    others = others - others.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.abs(x @ others) / np.sqrt((x @ x) * np.einsum("ij,ij->j", others, others))
    same = np.flatnonzero(r > 1.0 - 1e-9)
    return int(alike[same[0]]) if same.size else None
