"""Which tests to make together: batches whose members account for each other, and designs before any test.

Functions work on a joint mean and covariance of the candidates, or on distances; they return row numbers in the order
of choice and are deterministic.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from .design import medians

FloatArray = NDArray[np.float64]
Criterion = Callable[[FloatArray, FloatArray, float], FloatArray]


def joint_samples(mean: ArrayLike, covariance: ArrayLike, n_samples: int = 512, seed: int = 0) -> FloatArray:
    """Draws of a multivariate normal from a scrambled Sobol sequence.

    Parameters
    ----------
    mean : array_like, shape (n,)
    covariance : array_like, shape (n, n)
        May be singular: its root is taken by eigenvalues, of which those below 1e-12 of the largest are dropped.
    n_samples : int
        A power of 2 keeps the sequence balanced.
    seed : int
        Of the scrambling.

    Returns
    -------
    ndarray, shape (n_samples, n)

    Notes
    -----
    The sequence covers the first 16 directions of largest variance; what remains is drawn at random.
    """
    from scipy.linalg import eigh
    from scipy.special import ndtri
    from scipy.stats import qmc

    mu = np.asarray(mean, dtype=np.float64)
    cov = np.asarray(covariance, dtype=np.float64)
    values, vectors = eigh(0.5 * (cov + cov.T))
    order = np.argsort(-values, kind="stable")
    keep = order[values[order] > 1e-12 * max(float(values.max(initial=0.0)), 1e-300)]
    if not len(keep):
        return np.tile(mu, (n_samples, 1))
    root = vectors[:, keep] * np.sqrt(values[keep])
    # an eigenvector has no sign of its own: fix it, so that draws do not depend on the library's choice
    signs = np.sign(root[np.argmax(np.abs(root), axis=0), np.arange(len(keep))])
    root = root * np.where(signs == 0.0, 1.0, signs)
    leading = min(16, len(keep))
    sobol = qmc.Sobol(leading, scramble=True, rng=np.random.default_rng(seed))
    uniform = sobol.random_base2(int(np.ceil(np.log2(max(n_samples, 2)))))[:n_samples]
    z = ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    rest = np.random.default_rng([seed, 1]).standard_normal((n_samples, len(keep) - leading))
    return np.asarray(mu + np.hstack([z, rest]) @ root.T, dtype=np.float64)


def greedy_expected_improvement(
    samples: ArrayLike,
    n: int,
    best: ArrayLike,
    weight: ArrayLike | None = None,
    alone: ArrayLike | None = None,
) -> tuple[list[int], FloatArray]:
    """Multi-point expected improvement (q-EI) from joint draws, one member after the other.

    Parameters
    ----------
    samples : array_like, shape (n_samples, n_candidates)
        Joint draws of the property, to be large.
    n : int
    best : array_like, shape () or (n_samples,)
        Best so far, or in each draw the best of what was tested.
    weight : array_like, shape (n_candidates,), optional
        Factor on the gain of each candidate: probability of meeting limits, 1 / cost.
    alone : array_like, shape (n_candidates,), optional
        Exact gain of each candidate by itself, weighed, where there is a formula: chooses the first, and the next where
        no draw improves.

    Returns
    -------
    rows : list of int
    gains : ndarray, shape (n,)
        What each member adds to the expected improvement of the batch.

    Notes
    -----
    The expected improvement of a set is submodular, so the greedy set reaches at least 63 % of the best possible.

    References
    ----------
    D. Ginsbourger, R. Le Riche, L. Carraro, "Kriging Is Well-Suited to Parallelize Optimization", in Computational
    Intelligence in Expensive Optimization Problems, 131-162 (2010), doi:10.1007/978-3-642-10701-6_6; J. T. Wilson,
    F. Hutter, M. P. Deisenroth, "Maximizing acquisition functions for Bayesian optimization", NeurIPS 31 (2018),
    arXiv:1805.10196.
    """
    draws = np.asarray(samples, dtype=np.float64)
    current = np.broadcast_to(np.asarray(best, dtype=np.float64), (len(draws),)).copy()
    factor = np.ones(draws.shape[1]) if weight is None else np.asarray(weight, dtype=np.float64)
    rows: list[int] = []
    gains: list[float] = []
    for _ in range(min(n, draws.shape[1])):
        gain = np.maximum(draws - current[:, None], 0.0).mean(axis=0) * factor
        if alone is not None and not rows:
            gain = np.array(alone, dtype=np.float64)
        gain[rows] = -np.inf
        i = _first_largest(gain)
        if alone is not None and gain[i] <= 0.0:  # no draw improves: what is best by itself, however little
            single = np.array(alone, dtype=np.float64)
            single[rows] = -np.inf
            i = _first_largest(single)
        rows.append(i)
        gains.append(float(gain[i]))
        current = np.maximum(current, draws[:, i])
    return rows, np.array(gains)


def kriging_believer(
    mean: ArrayLike, covariance: ArrayLike, n: int, best: float, criterion: Criterion, noise_variance: ArrayLike = 0.0
) -> tuple[list[int], FloatArray]:
    """Choose one after the other, each time believing that the test will give what is predicted.

    Parameters
    ----------
    mean, covariance : array_like
        Joint, of the property, to be large.
    n : int
    best : float
    criterion : callable (mean, sd, best) -> gain of each candidate
    noise_variance : array_like
        Of one test.

    Returns
    -------
    rows : list of int
    gains : ndarray

    References
    ----------
    D. Ginsbourger, R. Le Riche, L. Carraro (2010), doi:10.1007/978-3-642-10701-6_6.
    """
    mu = np.asarray(mean, dtype=np.float64)
    cov = np.array(covariance, dtype=np.float64)
    noise = np.broadcast_to(np.asarray(noise_variance, dtype=np.float64), mu.shape)
    rows: list[int] = []
    gains: list[float] = []
    for _ in range(min(n, len(mu))):
        gain = np.array(criterion(mu, np.sqrt(np.maximum(np.diag(cov), 0.0)), best), dtype=np.float64)
        gain[rows] = -np.inf
        i = _first_largest(gain)
        rows.append(i)
        gains.append(float(gain[i]))
        best = max(best, float(mu[i]))
        cov = condition(cov, i, float(noise[i]))
    return rows, np.array(gains)


def greedy_variance_reduction(
    covariance: ArrayLike, n: int, noise_variance: ArrayLike = 0.0, weight: ArrayLike | None = None
) -> tuple[list[int], FloatArray]:
    """The batch that leaves the least mean variance over all candidates, one member after the other.

    Gains are those of `acquisition.integrated_variance_reduction`, given what was chosen before.
    """
    from .acquisition import integrated_variance_reduction

    cov = np.array(covariance, dtype=np.float64)
    noise = np.broadcast_to(np.asarray(noise_variance, dtype=np.float64), (len(cov),))
    factor = np.ones(len(cov)) if weight is None else np.asarray(weight, dtype=np.float64)
    rows: list[int] = []
    gains: list[float] = []
    for _ in range(min(n, len(cov))):
        gain = integrated_variance_reduction(cov, noise) * factor
        gain[rows] = -np.inf
        i = _first_largest(gain)
        rows.append(i)
        gains.append(float(gain[i]))
        cov = condition(cov, i, float(noise[i]))
    return rows, np.array(gains)


def determinantal(covariance: ArrayLike, n: int, quality: ArrayLike | None = None) -> list[int]:
    """A batch that is good and varied: greedy largest determinant of quality_i * correlation_ij * quality_j.

    Parameters
    ----------
    covariance : array_like, shape (n_candidates, n_candidates)
        Candidates that vary together are alike.
    n : int
        Fewer are returned where the rest adds nothing.
    quality : array_like, optional
        Not negative; 1 by default.

    Returns
    -------
    list of int

    References
    ----------
    A. Kulesza, B. Taskar, "Determinantal Point Processes for Machine Learning", Foundations and Trends in Machine
    Learning 5, 123-286 (2012), doi:10.1561/2200000044; the greedy search is an incomplete Cholesky factorisation.
    """
    cov = np.asarray(covariance, dtype=np.float64)
    sd = np.sqrt(np.maximum(np.diag(cov), 0.0))
    scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0.0)
    q = np.ones(len(cov)) if quality is None else np.asarray(quality, dtype=np.float64)
    kernel = cov * np.outer(q * scale, q * scale)
    rest = np.diag(kernel).copy()
    first = float(rest.max(initial=0.0))
    factors = np.zeros((0, len(cov)))
    rows: list[int] = []
    for _ in range(min(n, len(cov))):
        rest[rows] = -np.inf
        i = _first_largest(rest)
        if rest[i] <= 1e-12 * first:
            break
        row = (kernel[i] - factors[:, i] @ factors) / np.sqrt(rest[i])
        factors = np.vstack([factors, row])
        rest = rest - row * row
        rows.append(i)
    return rows


def condition(covariance: ArrayLike, row: int, noise_variance: float = 0.0) -> FloatArray:
    """Covariance once candidate `row` will have been tested."""
    cov = np.asarray(covariance, dtype=np.float64)
    total = float(cov[row, row]) + noise_variance
    if total <= 1e-300:
        return cov.copy()
    column = cov[:, row]
    return cov - np.outer(column, column) / total


def gower_distance(row: int, table: pd.DataFrame, scale: pd.Series | None = None) -> FloatArray:
    """Distance of every row of a table to one of them, whatever the columns hold.

    Parameters
    ----------
    row : int
        Position of the row.
    table : pandas.DataFrame
        Numbers, texts, categories or truth values.
    scale : pandas.Series, optional
        Range of each numeric column; by default that of the table.

    Returns
    -------
    ndarray, shape (n_rows,)
        Root mean square over the columns known in both rows of difference / range, or 0 and 1 for equal and unequal
        texts; 1 where no column is known in both.

    References
    ----------
    J. C. Gower, "A General Coefficient of Similarity and Some of Its Properties", Biometrics 27, 857-871 (1971),
    doi:10.2307/2528823 (with squared instead of absolute differences).
    """
    numbers, texts, ranges = _columns(table, scale)
    return _gower(numbers, texts, ranges, row)


def space_filling(candidates: pd.DataFrame, n: int, tested: pd.DataFrame | None = None) -> tuple[list[int], FloatArray]:
    """Candidates that cover the table evenly: each is the one farthest from all chosen or tested before (maximin).

    Parameters
    ----------
    candidates : pandas.DataFrame
    n : int
    tested : pandas.DataFrame, optional
        With the same columns. Without any, the first is the candidate nearest to the middle.

    Returns
    -------
    rows : list of int
    distances : ndarray
        `gower_distance` of each to the nearest before it (of the first without tests: to the middle).

    References
    ----------
    R. W. Kennard, L. A. Stone, "Computer Aided Design of Experiments", Technometrics 11, 137-148 (1969),
    doi:10.1080/00401706.1969.10490666.
    """
    if n < 1 or not len(candidates):
        return [], np.zeros(0)
    n_tested = 0 if tested is None else len(tested)
    table = candidates if tested is None else pd.concat([candidates, tested[list(candidates.columns)]])
    numbers, texts, ranges = _columns(table, None)
    size = len(candidates)
    rows: list[int] = []
    distances: list[float] = []
    nearest = np.full(size, np.inf)
    for k in range(n_tested):
        nearest = np.minimum(nearest, _gower(numbers, texts, ranges, size + k)[:size])
    if not n_tested:
        centre = np.zeros(size)
        if numbers.shape[1]:
            known = ~np.isnan(numbers)
            middle, _ = medians(numbers)
            off = np.where(known, (numbers - middle) / ranges, 0.5)
            centre = np.sqrt(np.mean(off * off, axis=1))
        first = int(np.argmin(centre))
        rows.append(first)
        distances.append(float(centre[first]))
        nearest = np.minimum(nearest, _gower(numbers, texts, ranges, first)[:size])
    while len(rows) < min(n, size):
        masked = nearest.copy()
        masked[rows] = -np.inf
        i = _first_largest(masked)
        rows.append(i)
        distances.append(float(nearest[i]))
        nearest = np.minimum(nearest, _gower(numbers, texts, ranges, i)[:size])
    return rows, np.array(distances)


def _columns(table: pd.DataFrame, scale: pd.Series | None) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Numbers, codes of texts (-1 where missing), and the range of each numeric column."""
    if not table.shape[1]:
        raise ModelError("a table without columns: there is nothing by which candidates could differ")
    is_number = [pd.api.types.is_numeric_dtype(t) for t in table.dtypes]
    numeric = [c for c, number in zip(table.columns, is_number, strict=True) if number]
    numbers = table[numeric].to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.zeros((len(table), 0))
    codes = [pd.factorize(table[c])[0] for c, number in zip(table.columns, is_number, strict=True) if not number]
    texts = np.column_stack(codes).astype(np.int64) if codes else np.zeros((len(table), 0), dtype=np.int64)
    if scale is not None:
        ranges = np.array([float(scale[c]) for c in numeric])
    else:
        ranges = np.array([float(np.ptp(c[~np.isnan(c)])) if (~np.isnan(c)).any() else 0.0 for c in numbers.T])
    return numbers, texts, np.where(ranges > 0.0, ranges, 1.0)


def _gower(numbers: FloatArray, texts: NDArray[np.int64], ranges: FloatArray, row: int) -> FloatArray:
    off = ((numbers - numbers[row]) / ranges) ** 2
    known = ~np.isnan(off)
    both = (texts >= 0) & (texts[row] >= 0)
    total = np.where(known, off, 0.0).sum(axis=1) + (both & (texts != texts[row])).sum(axis=1)
    count = known.sum(axis=1) + both.sum(axis=1)
    return np.asarray(np.sqrt(np.divide(total, count, out=np.ones(len(total)), where=count > 0)), dtype=np.float64)


def _first_largest(values: FloatArray) -> int:
    """The largest; of those equal to 1e-12 the first, so that rounding does not decide."""
    top = float(values.max())
    return int(np.argmax(values >= top - 1e-12 * abs(top)))
