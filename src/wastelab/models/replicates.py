"""Scatter of tests that were repeated: the noise no model can be better than, with and without what looks wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .design import FloatArray, IntArray
from .table import TrainingData

#: A repeated test whose largest deviation is more than this many standard deviations of all others is set aside.
OUTLYING = 5.0


@dataclass(frozen=True)
class PureError:
    """Scatter within rows that are equal in mix and in every feature.

    Attributes
    ----------
    sd : float
        Pooled standard deviation [unit of the target]; NaN where nothing was repeated.
    df : int
        Degrees of freedom.
    robust_sd, robust_df
        Without the sets that are set aside.
    aside : tuple of tuple of int
        Rows of each set that deviates more than `OUTLYING` standard deviations of all others.
    specimen_sd : float
        Pooled standard deviation of single specimens, where the table states them (``y_sd``); NaN else.
    mean_sd : float
        Root-mean-square standard deviation of a row's mean from its specimens; NaN where not stated.
    sets : int
        Number of sets of two and more equal rows.
    """

    sd: float
    df: int
    robust_sd: float
    robust_df: int
    aside: tuple[tuple[int, ...], ...]
    specimen_sd: float
    mean_sd: float
    sets: int

    @property
    def noise(self) -> float:
        """The best estimate of the standard deviation of one row: repeated rows, else its specimens; NaN if neither."""
        return self.robust_sd if self.robust_df > 0 and self.robust_sd > 0 else self.mean_sd

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""
        values = {k: getattr(self, k) for k in ("sd", "df", "robust_sd", "robust_df", "specimen_sd", "mean_sd", "sets")}
        out: dict[str, Any] = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in values.items()}
        return out | {"aside": [list(rows) for rows in self.aside]}


def replicate_sets(data: TrainingData) -> IntArray:
    """Number of the set of equal rows that each row is in: same mix and equal features (numbers to six digits)."""
    import pandas as pd

    keys = [
        "|".join([str(m), *(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row)])
        for m, row in zip(data.mix, data.features.itertuples(index=False), strict=True)
    ]
    return np.asarray(pd.factorize(pd.Series(keys, dtype="str"))[0], dtype=np.int64)


def pure_error(data: TrainingData) -> PureError:
    """Scatter of repeated tests.

    Parameters
    ----------
    data : TrainingData

    Returns
    -------
    PureError

    Notes
    -----
    Exact copies of a row count as repeated tests here; whether they are, an audit of the table has to say. They make
    the scatter look smaller than it is.
    """
    sets = replicate_sets(data)
    count = np.bincount(sets).astype(np.int64)
    mean = np.bincount(sets, data.target) / count
    deviation = data.target - mean[sets]
    squares = np.asarray(np.bincount(sets, deviation**2), dtype=np.float64)
    repeated = np.flatnonzero(count > 1)
    kept = list(repeated)
    aside: list[int] = []
    for _ in range(max(1, len(repeated) // 10)):
        if len(kept) < 4:
            break
        worst = max(kept, key=lambda k: (squares[k] / (count[k] - 1), -k))
        rest = [k for k in kept if k != worst]
        if squares[worst] / (count[worst] - 1) <= (OUTLYING**2) * _pooled(squares, count, rest)[0] ** 2:
            break
        kept, aside = rest, [*aside, int(worst)]
    sd, df = _pooled(squares, count, repeated)
    robust, robust_df = _pooled(squares, count, kept)
    known = np.isfinite(data.y_sd) & (data.y_n > 1)
    weight = data.y_n[known] - 1.0
    specimen = float(np.sqrt(np.average(data.y_sd[known] ** 2, weights=weight))) if known.any() else float("nan")
    of_mean = float(np.sqrt(np.mean(data.y_sd[known] ** 2 / data.y_n[known]))) if known.any() else float("nan")
    return PureError(
        sd, df, robust, robust_df, tuple(tuple(np.flatnonzero(sets == k).tolist()) for k in aside), specimen, of_mean,
        len(repeated),
    )  # fmt: skip


def _pooled(squares: FloatArray, count: IntArray, sets: Any) -> tuple[float, int]:
    at = np.asarray(sets, dtype=np.int64)
    df = int(np.sum(count[at] - 1))
    return (float(np.sqrt(np.sum(squares[at]) / df)), df) if df else (float("nan"), 0)


def test_noise(data: TrainingData) -> FloatArray | None:
    """Variance of each row's mean as its specimens show it; None where nothing was repeated.

    A deviation of three specimens is itself uncertain: it is drawn to the pooled one as if that had four more.
    """
    if not np.any((data.y_n > 1) & np.isfinite(data.y_sd)):
        return None
    return mean_variance(data.y_sd, data.y_n)


def mean_variance(sd: FloatArray, n: FloatArray) -> FloatArray:
    """Variance of means of `n` specimens with standard deviation `sd`; NaN where neither is known."""
    known = (n > 1) & np.isfinite(sd)
    if not known.any():
        return np.full(len(np.atleast_1d(sd)), np.nan)
    df = np.where(known, n - 1.0, 0.0)
    pooled = float(np.sum(df * np.nan_to_num(sd) ** 2) / df.sum())
    variance: FloatArray = np.where(known, (4.0 * pooled + df * np.nan_to_num(sd) ** 2) / (4.0 + df) / n, np.nan)
    return variance
