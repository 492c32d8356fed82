"""What a model believes about mixes: joint mean and covariance, on the scale of the property or of a function of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import MissingDataError, ModelError
from . import acquisition

FloatArray = NDArray[np.float64]
Centre = Callable[[pd.DataFrame], ArrayLike]
Limits = tuple[float | None, float | None]

CHUNK = 500
"""Mixes asked for at once where only their own variances count."""


class Posterior(Protocol):
    """What a model believes: joint mean and covariance of the true property (without the scatter of tests) at mixes.

    An attribute ``inverse`` (increasing function), where there is one, turns the scale of the posterior into the
    property (for a model of the logarithm: the exponential).
    """

    def __call__(self, candidates: pd.DataFrame, /) -> tuple[FloatArray, FloatArray]: ...


class Rescaled:
    """The centre and spread of one model with the correlations of another: a blend's belief about many mixes at once.

    Parameters
    ----------
    correlated : Posterior
        Gives the correlations, such as the Gaussian process of a blend.
    centre, sd : callable (DataFrame) -> array
        Predicted property, and its standard deviation as calibrated intervals show it (half width / 1.645 for 90 %).
    """

    def __init__(self, correlated: Posterior, centre: Centre, sd: Centre) -> None:
        self.correlated, self.centre, self.sd = correlated, centre, sd

    def __call__(self, candidates: pd.DataFrame, /) -> tuple[FloatArray, FloatArray]:
        """Joint mean and covariance."""
        _, covariance = self.correlated(candidates)
        own = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        spread = np.asarray(self.sd(candidates), dtype=np.float64)
        return np.asarray(self.centre(candidates), dtype=np.float64), covariance * np.outer(spread / own, spread / own)


def ask(posterior: Posterior, table: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Joint mean and covariance, checked."""
    mean, covariance = posterior(table)
    mu, cov = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if mu.shape != (len(table),) or cov.shape != (len(table), len(table)):
        raise ModelError(
            f"the posterior gave a mean of shape {mu.shape} and a covariance of shape {cov.shape} "
            f"for {len(table)} mixes"
        )
    bad = ~(np.isfinite(mu) & np.isfinite(np.diag(cov)))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        empty = [str(c) for c in table.columns if pd.isna(table[c].iloc[i])]
        more = f"; its {', '.join(empty)} is missing" if empty else ""
        raise MissingDataError(
            f"the model has no prediction for mix {table.index[i]}{more}: complete it or leave it out"
        )
    return mu, cov


def marginal(posterior: Posterior, table: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation at each of any number of mixes, asked for in blocks."""
    mean, sd = np.empty(len(table)), np.empty(len(table))
    for start in range(0, len(table), CHUNK):
        block = slice(start, start + CHUNK)
        mu, cov = ask(posterior, table.iloc[block])
        mean[block], sd[block] = mu, np.sqrt(np.maximum(np.diag(cov), 0.0))
    return mean, sd


def inverse(posterior: Posterior, values: FloatArray) -> FloatArray:
    """From the scale of the posterior to the property."""
    back = getattr(posterior, "inverse", None)
    return values if back is None else np.asarray(back(values), dtype=np.float64)


def expected(posterior: Posterior, mean: FloatArray, sd: FloatArray) -> FloatArray:
    """Expected property."""
    if getattr(posterior, "inverse", None) is None:
        return mean
    return np.concatenate([q.mean(axis=1) for q in _quantiles(posterior, mean, sd)])


def property_sd(posterior: Posterior, mean: FloatArray, sd: FloatArray) -> FloatArray:
    """Standard deviation of the property."""
    if getattr(posterior, "inverse", None) is None:
        return sd
    return np.concatenate([q.std(axis=1) for q in _quantiles(posterior, mean, sd)])


def within(posterior: Posterior, mean: FloatArray, sd: FloatArray, limits: Limits | None) -> FloatArray:
    """Probability that the property keeps its limits."""
    low, high = _open(limits)
    if getattr(posterior, "inverse", None) is None:
        return acquisition.probability_of_feasibility(mean, sd, low, high)
    return np.concatenate([((q >= low) & (q <= high)).mean(axis=1) for q in _quantiles(posterior, mean, sd)])


def complete(name: str, table: pd.DataFrame) -> FloatArray:
    """A column that must be known in every row."""
    if name not in table.columns:
        raise MissingDataError(f"the tested mixes have no column '{name}', which is needed to compare with them")
    values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(values).any():
        where = table.index[int(np.flatnonzero(np.isnan(values))[0])]
        raise MissingDataError(f"'{name}' is missing for mix {where}; fill it in, or leave the mix out")
    return values


def _quantiles(posterior: Posterior, mean: FloatArray, sd: FloatArray) -> Iterator[FloatArray]:
    """200 equally probable values of the property at each mix, in blocks."""
    from scipy.special import ndtri

    z = ndtri((np.arange(200) + 0.5) / 200.0)
    for start in range(0, max(len(mean), 1), 5000):
        block = slice(start, start + 5000)
        yield inverse(posterior, mean[block, None] + sd[block, None] * z)


def _open(limits: Limits | None) -> tuple[float, float]:
    lower, upper = limits if limits is not None else (None, None)
    return (-np.inf if lower is None else float(lower)), (np.inf if upper is None else float(upper))


def keeps(values: FloatArray, limits: Limits | None) -> NDArray[np.bool_]:
    """Whether values are within limits."""
    low, high = _open(limits)
    return np.asarray((values >= low) & (values <= high))


def quantile(interval: float) -> float:
    """Standard deviations on either side of the mean that hold this probability."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + interval / 2.0))
