"""How well intervals hold and how wide they are: over all rows, for weak, middle and strong, and by age.

An interval that holds on average can fail on every weak mix or at every early age; the table shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .design import FloatArray

if TYPE_CHECKING:
    import pandas as pd

#: Ages [d] up to which tests count as early, and as usual.
AGE_EDGES = (3.0, 28.0)


def interval_score(observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float) -> FloatArray:
    """Width plus the penalty of a miss, of each row: smaller is better, and honest intervals make it smallest.

    Parameters
    ----------
    observed, lower, upper : array_like, shape (n_rows,)
        In one unit.
    level : float
        Share that the interval is meant to hold.

    Returns
    -------
    ndarray, shape (n_rows,)
        ``upper - lower + 2 / (1 - level) * (distance outside)``, in that unit.

    References
    ----------
    T. Gneiting, A. E. Raftery, Strictly proper scoring rules, prediction, and estimation, Journal of the American
    Statistical Association 102 (2007) 359-378, doi:10.1198/016214506000001437.
    """
    level = check_level(level)
    y, low, high = (np.asarray(v, dtype=np.float64) for v in (observed, lower, upper))
    return np.asarray(high - low + 2.0 / (1.0 - level) * (np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)))


def coverage_table(
    observed: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    level: float,
    centre: ArrayLike,
    age: ArrayLike | None = None,
) -> pd.DataFrame:
    """Coverage, sharpness and interval score, over all rows and over parts of them.

    Parameters
    ----------
    observed, lower, upper, centre : array_like, shape (n_rows,)
        In the unit of the property. Rows where any is NaN are left out.
    level : float
        What the intervals are meant to cover.
    age : array_like, shape (n_rows,), optional
        [d]

    Returns
    -------
    pandas.DataFrame
        Indexed by ``all``; ``weak``, ``middle``, ``strong`` (terciles of the prediction); ``age <= 3 d``, ``age 3-28
        d``, ``age > 28 d`` where there are tests. Columns ``rows``, ``coverage``, ``mean_width``, ``median_width``,
        ``interval_score``; ``attrs["level"]``.
    """
    import pandas as pd

    level = check_level(level)
    y, low, high, mid = (np.asarray(v, dtype=np.float64) for v in (observed, lower, upper, centre))
    there = np.isfinite(y) & ~np.isnan(low) & ~np.isnan(high) & np.isfinite(mid)
    if not there.any():
        raise ModelError("no row has an observed value and an interval: nothing to compare.")
    cuts = np.quantile(mid[there], [1 / 3, 2 / 3])
    third = np.digitize(mid, cuts)
    parts = {"all": there}
    parts |= {name: there & (third == k) for k, name in enumerate(("weak", "middle", "strong"))}
    if age is not None:
        days = np.asarray(age, dtype=np.float64)
        band = age_band(days, AGE_EDGES)
        parts |= {
            name: there & (band == k) & np.isfinite(days)
            for k, name in enumerate(("age <= 3 d", "age 3-28 d", "age > 28 d"))
        }
    held = (y >= low) & (y <= high)
    width = high - low
    score = interval_score(y, low, high, level)
    rows = {
        name: (
            int(at.sum()), float(held[at].mean()), float(width[at].mean()), float(np.median(width[at])),
            float(score[at].mean()),
        )
        for name, at in parts.items() if at.any()
    }  # fmt: skip
    columns = ["rows", "coverage", "mean_width", "median_width", "interval_score"]
    out = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    out.attrs["level"] = level
    return out


def age_band(days: FloatArray, edges: tuple[float, ...]) -> FloatArray:
    """Number of the band of each age [d]; an age equal to an edge counts below it."""
    return np.digitize(days, np.asarray(edges) * (1 + 1e-9), right=True).astype(np.float64)


def check_level(level: float) -> float:
    """A level strictly between 0 and 1.

    Raises
    ------
    ModelError
        If it is not one.
    """
    if isinstance(level, bool) or not isinstance(level, int | float | np.floating) or not 0.0 < float(level) < 1.0:
        raise ModelError(f"level = {level!r}: expected a share between 0 and 1, for example 0.9.")
    return float(level)
