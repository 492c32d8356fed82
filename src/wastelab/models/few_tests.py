"""A Gaussian process for a handful of tests, scaled by all candidates rather than by the few that were tested.

Two processes of one form share the belief equally: one with a length of its own for every column, one with the same
length for all. A few tests cannot tell which is right; where the two disagree, the disagreement is part of the
uncertainty. For hundreds of tests and for courses over age use `wastelab.models.gp`.

References
----------
C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian Optimization Performs Great in High Dimensions", ICML (2024),
arXiv:2402.02229: prior of the lengths, growing with the square root of the number of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError, UnknownNameError
from .design import filled, medians
from .scales import TRANSFORMS, backward, forward, slope

FloatArray = NDArray[np.float64]
Encode = Callable[[pd.DataFrame], ArrayLike]

MAX_TESTS = 400
#: Mean and standard deviation of the logarithm: variance, length (plus half the logarithm of the columns), noise.
_VARIANCE, _LENGTH, _NOISE = (0.0, 0.7), (np.sqrt(2.0), np.sqrt(3.0)), (-4.0, 1.0)
_MEAN_VARIANCE = 1.0


class FewTests:
    """Belief about a property from few tests.

    Parameters
    ----------
    transform : {"identity", "sqrt", "log"}
        Scale on which the property is thought to vary evenly; strengths over a wide range do so as their logarithm.
    encode : callable (DataFrame) -> array of shape (n, d), optional
        Numbers that describe mixes, such as ``lambda t: builder.design(t).values`` with a fitted `MixFeatures`. By
        default the numeric columns, and a column of 0 and 1 for each value of a text column.

    Notes
    -----
    The object is the posterior that `wastelab.models.suggest.suggest` asks for. Missing numbers take the median of the
    candidates and switch a column of their own. Lengths, variance and noise maximise the posterior density from a
    fixed start: no random numbers.
    """

    def __init__(self, transform: str = "identity", encode: Encode | None = None) -> None:
        self.transform = transform
        self.encode = encode

    def fit(
        self, tests: pd.DataFrame, y: ArrayLike, *, pool: pd.DataFrame | None = None, noise: ArrayLike | None = None
    ) -> FewTests:
        """Learn from tests.

        Parameters
        ----------
        tests : pandas.DataFrame
        y : array_like
            Results [unit of the property]; several tests of one mix may stand in several rows.
        pool : pandas.DataFrame, optional
            The candidates: their spread sets the scale of every column. By default the tests themselves.
        noise : array_like, optional
            Variance of each result as its replicates show it (sd^2 / number of specimens), NaN where unknown. It is
            added to the scatter between batches, which is fitted.

        Raises
        ------
        ModelError
            If there are no tests, too many, or results that are missing, infinite, or not above 0 for sqrt and log.
        """
        target = np.atleast_1d(np.asarray(y, dtype=np.float64))
        if self.transform not in TRANSFORMS:
            raise UnknownNameError(f"transform {self.transform!r} is none of {', '.join(TRANSFORMS)}")
        if not 1 <= len(tests) <= MAX_TESTS or target.shape != (len(tests),):
            raise ModelError(
                f"{len(tests)} tests with {target.size} results; expected 1 to {MAX_TESTS} of each. For more tests use "
                "PropertyModel"
            )
        if not np.isfinite(target).all():
            raise ModelError(
                f"result {int(np.argmin(np.isfinite(target)))} is missing or infinite; leave that test out"
            )
        if self.transform != "identity" and target.min() <= 0.0:
            raise ModelError(f"transform {self.transform!r} needs results above 0, found {target.min():g}")
        every = tests if pool is None else pd.concat([pool[list(tests.columns)], tests])
        self._scale(every)
        z = forward(target, self.transform)
        self.centre_ = float(z.mean())
        self.spread_ = float(z.std()) or 0.1 * abs(self.centre_) or 1.0
        known = np.zeros(len(z))
        if noise is not None:
            given = np.broadcast_to(np.asarray(noise, dtype=np.float64), z.shape)
            if (given < 0.0).any():
                raise ModelError("noise holds a negative variance; give the square of a standard deviation")
            known = (
                np.where(np.isnan(given), 0.0, given)
                / np.maximum(slope(z, self.transform), 1e-9) ** 2
                / self.spread_**2
            )
        x = self._standard(tests)
        self.processes_ = [_fit(x, (z - self.centre_) / self.spread_, known, shared) for shared in (False, True)]
        return self

    @property
    def noise_variance(self) -> float:
        """Fitted variance of the scatter between tests, on the scale of the posterior."""
        return float(np.mean([p.noise for p in self.processes_])) * self.spread_**2

    @property
    def inverse(self) -> Callable[[FloatArray], FloatArray] | None:
        """From the scale of the posterior to the property; None where they are the same."""
        return None if self.transform == "identity" else partial(backward, transform=self.transform)

    def __call__(self, candidates: pd.DataFrame, /) -> tuple[FloatArray, FloatArray]:
        """Joint mean and covariance of the property without the scatter of tests, on the scale of `transform`."""
        x = self._standard(candidates)
        parts = [p.posterior(x) for p in self.processes_]
        mean = np.mean([m for m, _ in parts], axis=0)
        cov = np.mean([c + np.outer(m - mean, m - mean) for m, c in parts], axis=0)
        return mean * self.spread_ + self.centre_, cov * self.spread_**2

    def predict(self, mixes: pd.DataFrame) -> FloatArray:
        """Median of the property at mixes [unit of the property]."""
        return backward(self(mixes)[0], self.transform)

    def _scale(self, every: pd.DataFrame) -> None:
        self.levels_: dict[str, list[object]] = {}
        if self.encode is None:
            for c in every.columns:
                if not pd.api.types.is_numeric_dtype(every[c].dtype):
                    self.levels_[c] = sorted(every[c].dropna().unique().tolist(), key=str)
        self.columns_ = list(every.columns)
        raw = self._encoded(every)
        if np.isinf(raw).any():
            raise ModelError("a column of the mixes holds an infinite number; correct the table")
        self.median_, gaps = medians(raw)
        self.gaps_ = [j for j in gaps if not np.isnan(raw[:, j]).all()]
        self.keep_ = np.arange(raw.shape[1] + len(self.gaps_))
        self.mean_, self.sd_ = np.zeros(len(self.keep_)), np.ones(len(self.keep_))
        values = self._filled(raw)
        self.mean_, self.sd_ = values.mean(axis=0), values.std(axis=0)
        standard = (values - self.mean_) / np.where(self.sd_ > 0.0, self.sd_, 1.0)
        keep: list[int] = []
        for j in range(values.shape[1]):
            # a column that says the same as an earlier one (three oxides of one blend) would count several times
            twins = any(abs(float(np.mean(standard[:, j] * standard[:, k]))) > 0.9999 for k in keep)
            if self.sd_[j] > 1e-12 * max(1.0, abs(self.mean_[j])) and not twins:
                keep.append(j)
        if not keep:
            raise ModelError("the candidates do not differ in any column; give the quantities by which they differ")
        self.keep_ = np.array(keep)
        self.mean_, self.sd_ = self.mean_[keep], self.sd_[keep]

    def _encoded(self, table: pd.DataFrame) -> FloatArray:
        if self.encode is not None:
            return np.atleast_2d(np.asarray(self.encode(table), dtype=np.float64))
        missing = [c for c in self.columns_ if c not in table.columns]
        if missing:
            raise ModelError(f"the mixes lack columns of the tests: {', '.join(map(str, missing))}")
        parts = []
        for c in self.columns_:
            if c not in self.levels_:
                parts.append(table[c].to_numpy(dtype=np.float64, na_value=np.nan))
                continue
            unknown = set(table[c].dropna().unique().tolist()) - set(self.levels_[c])
            if unknown:
                names = ", ".join(sorted(map(str, unknown)))
                raise UnknownNameError(f"column '{c}' holds {names}: no test and no candidate of the fit has it")
            gap = table[c].isna().to_numpy()
            equal = [(table[c] == level).to_numpy().astype(np.float64) for level in self.levels_[c]]
            parts.extend(np.where(gap, np.nan, e) for e in equal)
        return np.column_stack(parts)

    def _filled(self, raw: FloatArray) -> FloatArray:
        return filled(raw, self.median_, self.gaps_)[:, self.keep_]

    def _standard(self, table: pd.DataFrame) -> FloatArray:
        return np.ascontiguousarray((self._filled(self._encoded(table)) - self.mean_) / self.sd_)


@dataclass(frozen=True)
class _Process:
    """Zero-mean Matern-5/2 process with an uncertain constant, fitted."""

    x: FloatArray
    variance: float
    inverse_length: FloatArray
    noise: float
    cholesky: FloatArray
    alpha: FloatArray

    def posterior(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        from scipy.linalg import solve_triangular

        cross = self.covariance(self.x, x)
        half = solve_triangular(self.cholesky, cross, lower=True)
        return cross.T @ self.alpha, self.covariance(x, x) - half.T @ half

    def covariance(self, a: FloatArray, b: FloatArray) -> FloatArray:
        from scipy.spatial.distance import cdist

        r = np.sqrt(5.0) * cdist(a * self.inverse_length, b * self.inverse_length)
        return np.asarray(self.variance * (1.0 + r + r * r / 3.0) * np.exp(-r) + _MEAN_VARIANCE, dtype=np.float64)


def _fit(x: FloatArray, y: FloatArray, known: FloatArray, shared: bool) -> _Process:
    """Most probable variance, lengths (one for all columns if `shared`) and noise."""
    from scipy.linalg import cho_solve
    from scipy.optimize import minimize

    n, d = x.shape
    n_lengths = 1 if shared else d
    length = (_LENGTH[0] + 0.5 * np.log(d), _LENGTH[1])
    centre = np.array([_VARIANCE[0], *[length[0]] * n_lengths, _NOISE[0]])
    width = np.array([_VARIANCE[1], *[length[1]] * n_lengths, _NOISE[1]])
    apart = (x[:, None, :] - x[None, :, :]) ** 2
    if shared:
        apart = apart.sum(axis=2, keepdims=True)

    def value(theta: FloatArray) -> tuple[float, FloatArray]:
        variance, noise = np.exp(theta[0]), np.exp(theta[-1])
        scaled = apart * np.exp(-2.0 * theta[1:-1])
        r = np.sqrt(5.0 * scaled.sum(axis=2))
        decay = np.exp(-r)
        smooth = variance * (1.0 + r + r * r / 3.0) * decay
        total = smooth + _MEAN_VARIANCE
        total[np.diag_indices(n)] += noise + known + 1e-8
        try:
            lower = np.linalg.cholesky(total)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse = cho_solve((lower, True), np.eye(n))
        alpha = inverse @ y
        weight = inverse - np.outer(alpha, alpha)
        slope = weight * (variance * 5.0 / 3.0) * (1.0 + r) * decay
        gradient = np.empty_like(theta)
        gradient[0] = 0.5 * np.sum(weight * smooth)
        gradient[1:-1] = 0.5 * np.einsum("ij,ijk->k", slope, scaled)
        gradient[-1] = 0.5 * noise * np.trace(weight)
        away = (theta - centre) / width
        density = 0.5 * float(y @ alpha) + float(np.log(np.diag(lower)).sum()) + 0.5 * float(away @ away)
        return density, gradient + away / width

    bounds = [(c - 6.0 * w, c + 6.0 * w) for c, w in zip(centre, width, strict=True)]
    theta = minimize(value, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}).x
    inverse_length = np.broadcast_to(np.exp(-theta[1:-1]), (d,)).copy()
    start = _Process(x, float(np.exp(theta[0])), inverse_length, float(np.exp(theta[-1])), np.eye(1), np.zeros(1))
    total = start.covariance(x, x)
    total[np.diag_indices(n)] += start.noise + known + 1e-8
    lower = np.asarray(np.linalg.cholesky(total), dtype=np.float64)
    return _Process(x, start.variance, inverse_length, start.noise, lower, cho_solve((lower, True), y))
