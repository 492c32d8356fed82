"""Is one model really better than another? Difference of root mean square errors, with mixes drawn anew.

Rows of one mix err together, so that rows are not drawn but whole groups (bootstrap of groups).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .design import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Difference:
    """Difference of the errors of two models on the same tests.

    Attributes
    ----------
    rmse_a, rmse_b : float
        Root mean square errors.
    difference : float
        ``rmse_a - rmse_b``: negative where A is better.
    lower, upper : float
        Its interval, from groups drawn anew.
    level : float
        Of that interval.
    share_a_better : float
        Share of draws in which A has the smaller error.
    n_rows, n_groups : int
    """

    rmse_a: float
    rmse_b: float
    difference: float
    lower: float
    upper: float
    level: float
    share_a_better: float
    n_rows: int
    n_groups: int

    @property
    def better(self) -> str:
        """``"a"``, ``"b"``, or ``""`` where the tests do not tell them apart."""
        return "a" if self.upper < 0 else "b" if self.lower > 0 else ""

    def report(self) -> str:
        """What a person reads."""
        verdict = {"a": "A is better", "b": "B is better", "": "these tests do not tell A and B apart"}[self.better]
        return (
            f"RMSE {self.rmse_a:.3g} (A) and {self.rmse_b:.3g} (B): difference {self.difference:+.3g}, "
            f"{self.level:.0%} interval {self.lower:+.3g} to {self.upper:+.3g} over {self.n_groups} groups of "
            f"{self.n_rows} tests: {verdict}."
        )

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "better": self.better}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Difference:
        """What `to_dict` gave."""
        return cls(**{k: v for k, v in values.items() if k != "better"})


def paired_difference(
    a: pd.DataFrame | ArrayLike,
    b: pd.DataFrame | ArrayLike,
    groups: ArrayLike,
    *,
    level: float = 0.9,
    n_draws: int = 2000,
    seed: int = 0,
) -> Difference:
    """Difference of the root mean square errors of two models on the same tests.

    Parameters
    ----------
    a, b : pandas.DataFrame or array_like, shape (n_rows,)
        Of each model what `cross_predict` gave, or its residuals. Rows that one of them was not tested on are left out.
    groups : array_like, shape (n_rows,)
        Mix (or source) of each row.
    level : float
        Of the interval.
    n_draws, seed : int

    Returns
    -------
    Difference

    Raises
    ------
    ModelError
        Lengths that differ, other observed values in the two frames, or fewer than 5 groups.
    """
    first, second = _residuals(a), _residuals(b)
    code = np.unique(np.asarray(groups), return_inverse=True)[1]
    if not len(first) == len(second) == len(code):
        raise ModelError(
            f"The models were tested on {len(first)} and {len(second)} rows and there are {len(code)} groups. Give "
            f"predictions of the same rows in the same order."
        )
    if hasattr(a, "columns") and hasattr(b, "columns"):
        differs = ~np.isclose(np.asarray(a["observed"]), np.asarray(b["observed"]), equal_nan=True)  # type: ignore[index,unused-ignore]
        if differs.any():
            raise ModelError(
                f"Row {int(np.flatnonzero(differs)[0]) + 1} has another observed value in the two tables: the models "
                f"were not tested on the same rows in the same order."
            )
    there = ~np.isnan(first) & ~np.isnan(second)
    first, second = first[there], second[there]
    code = np.unique(code[there], return_inverse=True)[1]
    n_groups = int(code.max()) + 1 if len(code) else 0
    if n_groups < 5:
        raise ModelError(
            f"Only {n_groups} groups were tested with both models: a difference cannot be judged with fewer than 5. "
            f"Test {5 - n_groups} more."
        )
    draws = draw_rmse(np.column_stack([first, second]), code, n_draws, seed)
    delta = draws[:, 0] - draws[:, 1]
    low, high = np.quantile(delta, [(1 - level) / 2, (1 + level) / 2])
    rmse = np.sqrt([np.mean(first**2), np.mean(second**2)])
    return Difference(
        rmse_a=float(rmse[0]), rmse_b=float(rmse[1]), difference=float(rmse[0] - rmse[1]), lower=float(low),
        upper=float(high), level=level, share_a_better=float(np.mean(delta < 0)), n_rows=len(code), n_groups=n_groups,
    )  # fmt: skip


def draw_rmse(residuals: FloatArray, groups: IntArray, n_draws: int, seed: int) -> FloatArray:
    """Root mean square errors of draws of whole groups with replacement.

    Parameters
    ----------
    residuals : ndarray, shape (n_rows, n_models)
    groups : ndarray of int, shape (n_rows,)
        0 to n_groups - 1.
    n_draws, seed : int

    Returns
    -------
    ndarray, shape (n_draws, n_models)
    """
    n_groups = int(groups.max()) + 1
    rows = np.bincount(groups, minlength=n_groups).astype(np.float64)
    squares = np.column_stack([np.bincount(groups, r**2, n_groups) for r in residuals.T])
    random = np.random.default_rng(seed)
    out = np.empty((n_draws, residuals.shape[1]))
    for start in range(0, n_draws, 250):
        stop = min(start + 250, n_draws)
        times = random.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=stop - start)
        out[start:stop] = np.sqrt((times @ squares) / (times @ rows)[:, None])
    return out


def _residuals(model: pd.DataFrame | ArrayLike) -> FloatArray:
    if hasattr(model, "columns"):
        frame: Any = model
        return np.asarray(frame["mean"] - frame["observed"], dtype=np.float64)
    return np.asarray(model, dtype=np.float64).ravel()
