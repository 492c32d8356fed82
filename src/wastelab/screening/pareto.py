"""Non-dominated filtering: which rows of a table no other row beats in everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def nondominated(values: ArrayLike, directions: list[str] | None = None) -> NDArray[np.bool_]:
    """Mask of the rows that no other row dominates.

    Row a dominates row b when a is at least as good in every column and better in one. Equal rows do not
    dominate each other: all of them are kept.

    Parameters
    ----------
    values : array_like, shape (n, k)
        One row per candidate, one column per objective. No NaN.
    directions : list of {"min", "max"}, length k, optional
        Sense of each column; all "min" by default.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If the array is not two-dimensional, holds NaN, or `directions` does not fit.
    """
    array = np.array(values, dtype=np.float64, ndmin=2)
    if array.ndim != 2:
        raise ValueError(f"values must have two dimensions (candidates, objectives), got {array.ndim}")
    if np.isnan(array).any():
        raise ValueError("values hold NaN; a candidate with an unknown objective cannot be compared")
    if directions is not None:
        if len(directions) != array.shape[1] or set(directions) - {"min", "max"}:
            raise ValueError(f"directions must be {array.shape[1]} times 'min' or 'max', got {directions}")
        array = array * np.where(np.array(directions) == "max", -1.0, 1.0)
    if array.shape[0] == 0:
        return np.zeros(0, dtype=bool)
    import moocore

    return np.asarray(moocore.is_nondominated(array, keep_weakly=True), dtype=bool)
