"""How much a test is worth: published criteria, one plain function each, arrays in and arrays out.

Every criterion is written for a property that should be large; turn the sign of mean and best for one that should be
small. Standard deviations may be zero (a cost or a footprint that is known exactly). How several tests are chosen
together is in `wastelab.models.batches`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError

FloatArray = NDArray[np.float64]

MAX_CELLS = 2_000_000
"""Cells of the grid spanned by a front above which the exact expected hypervolume improvement is refused."""


def expected_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> FloatArray:
    """Expected excess of a normal variable over the best value so far.

    Parameters
    ----------
    mean, sd : array_like, broadcastable
        Of the property at each candidate [unit of the property].
    best : array_like
        Best value so far [unit of the property].

    Returns
    -------
    ndarray
        E[max(0, Y - best)] [unit of the property].

    Notes
    -----
    With u = (mean - best) / sd it is sd * (u Phi(u) + phi(u)); max(0, mean - best) where sd is zero. Below about 37
    standard deviations it underflows to zero: rank by `log_expected_improvement` there.

    References
    ----------
    D. R. Jones, M. Schonlau, W. J. Welch, "Efficient Global Optimization of Expensive Black-Box Functions", Journal of
    Global Optimization 13, 455-492 (1998), doi:10.1023/A:1008306431147.
    """
    from scipy.special import ndtr

    mu, s, target = _broadcast(mean, sd, best)
    gap = mu - target
    certain = s <= 0.0
    u = gap / np.where(certain, 1.0, s)
    smooth = s * (u * ndtr(u) + np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi))
    return np.where(certain, np.maximum(gap, 0.0), np.maximum(smooth, 0.0))


def log_expected_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> FloatArray:
    """Natural logarithm of `expected_improvement`, exact where the improvement itself underflows.

    Notes
    -----
    For u < -1, log(phi(u) + u Phi(u)) = -u^2/2 - log(2 pi)/2 + log(1 + u sqrt(pi/2) erfcx(-u / sqrt 2)); below
    u = -1e3, where that cancels, the last term is -2 log|u| - 3 / u^2, off by less than 2e-11.

    References
    ----------
    S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, "Unexpected Improvements to Expected Improvement for
    Bayesian Optimization", NeurIPS 36 (2023), arXiv:2310.20708.
    """
    from scipy.special import erfcx

    mu, s, target = _broadcast(mean, sd, best)
    certain = s <= 0.0
    u = (mu - target) / np.where(certain, 1.0, s)
    with np.errstate(divide="ignore"):
        direct = np.log(expected_improvement(mu, s, target))
        low = np.clip(u, -1e3, -1.0)
        series = np.log1p(low * np.sqrt(np.pi / 2.0) * erfcx(-low / np.sqrt(2.0)))
        large = np.maximum(np.abs(u), 1.0)
        far = -2.0 * np.log(large) - 3.0 / large**2
        tail = (
            -0.5 * u * u - 0.5 * np.log(2.0 * np.pi) + np.where(u < -1e3, far, series) + np.log(np.maximum(s, 1e-300))
        )
    return np.where(certain | (u >= -1.0), direct, tail)


def augmented_expected_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike, noise_sd: ArrayLike) -> FloatArray:
    """Expected improvement where tests scatter: less for a candidate whose test would tell little new.

    Parameters
    ----------
    mean, sd : array_like
        Of the true property (without the scatter of a test) at each candidate.
    best : array_like
        The predicted property at the effective best of what was tested: where mean - sd is largest.
    noise_sd : array_like
        Standard deviation of one test at each candidate.

    Returns
    -------
    ndarray
        EI(mean, sd, best) * (1 - noise_sd / sqrt(sd^2 + noise_sd^2)) [unit of the property].

    References
    ----------
    D. Huang, T. T. Allen, W. I. Notz, N. Zeng, "Global Optimization of Stochastic Black-Box Systems via Sequential
    Kriging Meta-Models", Journal of Global Optimization 34, 441-466 (2006), doi:10.1007/s10898-005-2454-3.
    """
    mu, s, target, noise = _broadcast(mean, sd, best, noise_sd)
    total = np.hypot(s, noise)
    share = np.divide(noise, total, out=np.ones_like(total), where=total > 0.0)
    return np.where(noise > 0.0, 1.0 - share, 1.0) * expected_improvement(mu, s, target)


def noisy_expected_improvement(samples: ArrayLike, tested: ArrayLike) -> FloatArray:
    """Expected improvement over a best that is itself not known exactly, because tests scatter.

    Parameters
    ----------
    samples : array_like, shape (n_samples, n_candidates)
        Joint draws of the true property at the candidates.
    tested : array_like, shape (n_samples, n_tested)
        The same draws at what was tested.

    Returns
    -------
    ndarray, shape (n_candidates,)
        Mean of max(0, f(candidate) - max f(tested)) [unit of the property].

    References
    ----------
    B. Letham, B. Karrer, G. Ottoni, E. Bakshy, "Constrained Bayesian Optimization with Noisy Experiments", Bayesian
    Analysis 14, 495-519 (2019), doi:10.1214/18-BA1110.
    """
    draws = np.asarray(samples, dtype=np.float64)
    best = np.asarray(tested, dtype=np.float64).max(axis=1)
    return np.asarray(np.maximum(draws - best[:, None], 0.0).mean(axis=0), dtype=np.float64)


def expected_approach(mean: ArrayLike, sd: ArrayLike, lower: float, upper: float, distance: ArrayLike) -> FloatArray:
    """Expected improvement towards a window: how much nearer than the nearest test so far.

    Parameters
    ----------
    mean, sd : array_like
    lower, upper : float
        The window wanted; either may be infinite.
    distance : array_like
        Distance of the best test so far from the window, 0 inside it [unit of the property].

    Returns
    -------
    ndarray
        E[max(0, distance - dist(Y, window))] [unit of the property]; zero once a test lies inside.

    Notes
    -----
    The improvement is piecewise linear in Y, so its expectation is a sum of four expected improvements. For a window
    that is open upwards it is the expected improvement cut off at the limit.
    """
    mu, s, reach = _broadcast(mean, sd, distance)
    gain = reach.copy()
    if np.isfinite(lower):
        gain = expected_improvement(mu, s, lower - reach) - expected_improvement(mu, s, np.full_like(reach, lower))
    if np.isfinite(upper):
        loss = expected_improvement(mu, s, np.full_like(reach, upper)) - expected_improvement(mu, s, upper + reach)
        gain = gain - loss
    return np.maximum(gain, 0.0)


def probability_of_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> FloatArray:
    """Probability that a normal variable exceeds the best value so far; 0, or 1 where it does, if sd is zero.

    References
    ----------
    H. J. Kushner, "A New Method of Locating the Maximum Point of an Arbitrary Multipeak Curve in the Presence of
    Noise", Journal of Basic Engineering 86, 97-106 (1964), doi:10.1115/1.3653121.
    """
    mu, s, target = _broadcast(mean, sd, best)
    return _above(mu, s, target, strict=True)


def probability_of_feasibility(
    mean: ArrayLike, sd: ArrayLike, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf
) -> FloatArray:
    """Probability that a normal variable lies within limits (both included).

    References
    ----------
    M. Schonlau, W. J. Welch, D. R. Jones, "Global versus Local Search in Constrained Optimization of Computer Models",
    IMS Lecture Notes 34, 11-25 (1998), doi:10.1214/lnms/1215456182.
    """
    mu, s, low, high = _broadcast(mean, sd, lower, upper)
    return np.clip(_above(mu, s, low, strict=False) - _above(mu, s, high, strict=True), 0.0, 1.0)


def upper_confidence_bound(mean: ArrayLike, sd: ArrayLike, kappa: float = 2.0) -> FloatArray:
    """Mean plus `kappa` standard deviations.

    References
    ----------
    D. D. Cox, S. John, "A Statistical Method for Global Optimization", IEEE International Conference on Systems, Man
    and Cybernetics, 1241-1246 (1992), doi:10.1109/ICSMC.1992.271617.
    """
    mu, s = _broadcast(mean, sd)
    return mu + kappa * s


def integrated_variance_reduction(
    covariance: ArrayLike, noise_variance: ArrayLike = 0.0, variance: ArrayLike | None = None
) -> FloatArray:
    """How much one test of each candidate lowers the mean variance over a set of points (active learning, Cohn).

    Parameters
    ----------
    covariance : array_like, shape (n_candidates, n_points)
        Covariance of the true property between candidates and the points to be known.
    noise_variance : array_like
        Variance of one test, of all or of each candidate.
    variance : array_like, shape (n_candidates,), optional
        Variance at the candidates; by default the diagonal of a square `covariance`.

    Returns
    -------
    ndarray, shape (n_candidates,)
        Mean over points of cov^2 / (variance + noise variance) [square of the unit of the property].

    References
    ----------
    D. A. Cohn, "Neural Network Exploration Using Optimal Experiment Design", Neural Networks 9, 1071-1083 (1996),
    doi:10.1016/0893-6080(95)00137-9.
    """
    cov = np.asarray(covariance, dtype=np.float64)
    own = np.diag(cov) if variance is None else np.asarray(variance, dtype=np.float64)
    total = own + np.asarray(noise_variance, dtype=np.float64)
    reduction = np.mean(cov * cov, axis=1)
    share = np.divide(reduction, total, out=np.zeros_like(reduction), where=total > 1e-300)
    return np.asarray(share, dtype=np.float64)


def hypervolume(front: ArrayLike, reference: ArrayLike) -> float:
    """Volume between a set of results (all objectives to be large) and a reference that each should exceed.

    Results that do not exceed the reference count for nothing.
    """
    import moocore

    points, ref = _front(front, reference)
    points = points[np.all(points > ref, axis=1)]
    return float(moocore.hypervolume(points, ref=ref, maximise=True)) if len(points) else 0.0


def expected_hypervolume_improvement(
    mean: ArrayLike, sd: ArrayLike, front: ArrayLike, reference: ArrayLike
) -> FloatArray:
    """Expected growth of the hypervolume by one test, exact, for independent normal objectives.

    Parameters
    ----------
    mean, sd : array_like, shape (n_candidates, n_objectives)
        All objectives to be large; sd 0 where an objective is known exactly.
    front : array_like, shape (n_results, n_objectives)
        Results so far; those beaten by another change nothing. May be empty.
    reference : array_like, shape (n_objectives,)
        Least acceptable value of each objective.

    Returns
    -------
    ndarray, shape (n_candidates,)
        Product of the units of the objectives.

    Raises
    ------
    ModelError
        If the front spans more than `MAX_CELLS` cells: use `expected_hypervolume_improvement_sampled`.

    Notes
    -----
    The values on the front cut the space above the reference into a grid of boxes. A result y gains, of each box that
    no earlier result dominates, the part below y, whose expected volume is a product of differences of expected
    improvements, one for each objective. With two objectives this is the closed form of Emmerich and others, in strips.

    References
    ----------
    M. T. M. Emmerich, K. C. Giannakoglou, B. Naujoks, "Single- and Multiobjective Evolutionary Optimization Assisted by
    Gaussian Random Field Metamodels", IEEE Transactions on Evolutionary Computation 10, 421-439 (2006),
    doi:10.1109/TEVC.2005.859463; K. Yang, M. Emmerich, A. Deutz, T. Baeck, "Efficient computation of expected
    hypervolume improvement using box decomposition algorithms", Journal of Global Optimization 75, 3-34 (2019),
    doi:10.1007/s10898-019-00798-7.
    """
    points, ref = _front(front, reference)
    points = points[np.all(points > ref, axis=1)]
    mu = np.atleast_2d(np.asarray(mean, dtype=np.float64))
    s = np.broadcast_to(np.asarray(sd, dtype=np.float64), mu.shape)
    if mu.shape[1] != len(ref):
        raise ModelError(f"mean has {mu.shape[1]} objectives and the reference {len(ref)}; they must agree")
    if len(points):
        import moocore

        points = points[moocore.is_nondominated(points, maximise=True)]
    edges = [np.unique(np.append(points[:, j], ref[j])) for j in range(len(ref))]
    if np.prod([float(len(e)) for e in edges]) > MAX_CELLS:
        raise ModelError(
            f"a front of {len(points)} results in {len(ref)} objectives spans more than {MAX_CELLS} boxes; "
            "use expected_hypervolume_improvement_sampled"
        )
    free: Any = np.ones([len(e) for e in edges], dtype=np.float64)
    for point in points:
        # a box with lower corner e is dominated if the point lies beyond it in every objective
        free[tuple(slice(0, int(np.searchsorted(e, v))) for e, v in zip(edges, point, strict=True))] = 0.0
    out = np.empty(len(mu))
    step = max(1, int(4_000_000 // free.size))
    for start in range(0, len(mu), step):
        block = slice(start, start + step)
        volume: Any = None
        for j, e in enumerate(edges):
            beyond = expected_improvement(mu[block, j, None], s[block, j, None], e[None, :])
            length = beyond - np.concatenate([beyond[:, 1:], np.zeros((len(beyond), 1))], axis=1)
            volume = (
                np.tensordot(length, free, axes=(1, 0))
                if volume is None
                else np.einsum("nk,nk...->n...", length, volume)
            )
        out[block] = volume
    return np.maximum(out, 0.0)


def expected_hypervolume_improvement_sampled(samples: ArrayLike, front: ArrayLike, reference: ArrayLike) -> FloatArray:
    """Expected growth of the hypervolume from draws: any number of objectives, correlated or not normal.

    Parameters
    ----------
    samples : array_like, shape (n_samples, n_candidates, n_objectives)
        All objectives to be large; draw them with a seed of your own.
    front, reference : array_like
        As in `expected_hypervolume_improvement`.

    Returns
    -------
    ndarray, shape (n_candidates,)
    """
    draws = np.asarray(samples, dtype=np.float64)
    points, ref = _front(front, reference)
    before = hypervolume(points, ref)
    out = np.zeros(draws.shape[1])
    for i in range(draws.shape[1]):
        for y in draws[:, i]:
            if np.all(y > ref) and not np.any(np.all(points >= y, axis=1)):
                out[i] += hypervolume(np.vstack([points, y]), ref) - before
    return out / len(draws)


def _front(front: ArrayLike, reference: ArrayLike) -> tuple[FloatArray, FloatArray]:
    ref = np.atleast_1d(np.asarray(reference, dtype=np.float64))
    points = np.asarray(front, dtype=np.float64).reshape(-1, len(ref))
    if not (np.isfinite(points).all() and np.isfinite(ref).all()):
        raise ModelError("front and reference must be finite numbers; leave out results that are not complete")
    return points, ref


def _above(mu: FloatArray, s: FloatArray, limit: FloatArray, *, strict: bool) -> FloatArray:
    from scipy.special import ndtr

    certain = s <= 0.0
    with np.errstate(invalid="ignore"):
        smooth = ndtr((mu - limit) / np.where(certain, 1.0, s))
    step = ((mu > limit) if strict else (mu >= limit)).astype(np.float64)
    return np.asarray(np.where(certain, step, smooth), dtype=np.float64)


def _broadcast(*values: ArrayLike) -> list[FloatArray]:
    return [np.array(a, dtype=np.float64) for a in np.broadcast_arrays(*(np.asarray(v, np.float64) for v in values))]
