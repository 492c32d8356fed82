"""Intervals of a fitted model other than Student's t: profile of Ea, block bootstrap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from .integrals import R
from .model_fit import ModelFit, Problem, fit_model

FloatArray = NDArray[np.float64]


def profile_interval(problem: Problem, fit: ModelFit, *, confidence: float = 0.95) -> ModelFit:
    """Replace the interval of Ea by that of its profile: where the other parameters, refitted, raise the sum of squares
    by what the F distribution allows. The levels of 0 and 1 are taken as exact here."""
    from scipy.optimize import brentq, least_squares
    from scipy.stats import f as f_distribution

    k = len(fit.parameters)
    freedom = max(fit.effective_points - k, 1.0)
    limit = fit.rss * (1.0 + float(f_distribution.ppf(confidence, 1, freedom)) / freedom)
    scale = R * problem.reference_K / 1e3
    best = np.array(fit.starts)

    def excess(Ea: float) -> float:
        e = Ea / scale

        def residual(y: FloatArray) -> FloatArray:
            return np.asarray(problem.predict(problem.model(fit.family, y[1:]), y[0], e) - problem.measured)

        found = least_squares(residual, np.delete(best, 1), xtol=1e-10, ftol=1e-10)
        return float(2.0 * found.cost - limit)

    Ea = fit["Ea"]
    ends = []
    for sign in (-1.0, 1.0):
        reach = max(Ea.se, 1e-9 * Ea.value)
        for _ in range(30):
            if excess(Ea.value + sign * reach) > 0:
                break
            reach *= 1.6
        else:
            raise ValidityError(f"{fit.model.name}: the profile of Ea does not close; the data do not fix it.")
        ends.append(float(brentq(excess, Ea.value, Ea.value + sign * reach, rtol=1e-6)))
    new = replace(Ea, low=min(ends), high=max(ends))
    return replace(fit, parameters=(new, *fit.parameters[1:]), interval="profile")


def bootstrap_interval(
    problem: Problem, fit: ModelFit, *, confidence: float = 0.95, draws: int = 200, seed: int = 0
) -> ModelFit:
    """Replace errors and intervals by those of a bootstrap: blocks of residuals within each run, levels of 0 and 1.

    Parameters
    ----------
    draws : int
    seed : int
        The same seed gives the same numbers.
    """
    rng = np.random.default_rng(seed)
    length = max(int(np.ceil(fit.points / fit.effective_points)), 1)
    fitted = problem.measured - np.concatenate(fit.residuals)
    found: list[list[float]] = []
    twin = _Copy(problem)
    for _ in range(draws):
        noise = np.concatenate([_blocks(r, length, rng) for r in fit.residuals])
        for part, c in zip(problem.slices, problem.conversions, strict=True):
            low_end, high_end = rng.normal(0.0, 1.0, 2) * c.end_se
            noise[part] += low_end * (1.0 - fitted[part]) + high_end * fitted[part]
        twin.measured = fitted + noise
        again = fit_model(twin, fit.family, confidence=confidence, start=np.array(fit.starts))
        found.append([p.value for p in again.parameters])
    table = np.array(found)
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(table, [tail, 100.0 - tail], axis=0)
    parameters = tuple(
        replace(p, se=float(table[:, j].std(ddof=1)), low=float(low[j]), high=float(high[j]))
        for j, p in enumerate(fit.parameters)
    )
    return replace(fit, parameters=parameters, interval="bootstrap", correlation=np.corrcoef(table.T))


class _Copy(Problem):
    """The same points, with other conversions."""

    def __init__(self, other: Problem) -> None:
        self.__dict__.update(other.__dict__)


def _blocks(values: FloatArray, length: int, rng: Any) -> FloatArray:
    """Residuals, centred, drawn in blocks with replacement."""
    centred = values - values.mean()
    starts = rng.integers(0, max(values.size - length + 1, 1), size=-(-values.size // length))
    return np.concatenate([centred[s : s + length] for s in starts])[: values.size]
