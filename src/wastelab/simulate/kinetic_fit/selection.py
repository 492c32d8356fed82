"""Which of the fitted models to prefer: AICc over what the data can tell, fewer parameters where they cannot.

The levels that stand for conversions of 0 and 1 are means of noisy points. An error of them bends all conversions of a
run together, which many correlated points would report as evidence for one more exponent. Residuals are therefore
weighed with the covariance of noise and levels, and counted by their effective number. AICc: Burnham & Anderson, Model
Selection and Multimodel Inference (2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .model_fit import ModelFit, Problem, aicc, effective_points

FloatArray = NDArray[np.float64]

#: AICc within which two models describe the data alike.
ALIKE = 4.0
#: AICc within which a model with fewer parameters is kept when its residuals are no more than noise and levels explain.
WITHIN_NOISE = 10.0
#: Where no model fits, residuals say nothing about the number of independent points.
FEWEST = 50.0


def rank(problem: Problem, fits: Sequence[ModelFit]) -> list[ModelFit]:
    """Fits with their AICc on one yardstick: the preferred first, the others by AICc.

    Preferred is the lowest AICc, unless a model with fewer parameters is within `ALIKE` of it, or explains the runs to
    within their noise and is within `WITHIN_NOISE`.
    """
    best = min(fits, key=lambda f: f.rss)
    sigma = [max(c.noise, best.rmse) for c in problem.conversions]
    weighed = [_weigh(problem, f, sigma) for f in fits]
    rest = min(weighed, key=lambda r: float(r @ r))
    count = max(effective_points(np.split(rest, problem.splits), rest.size), FEWEST)
    made = [
        replace(f, aicc=aicc(float(r @ r), r.size, count, len(f.parameters)))
        for f, r in zip(fits, weighed, strict=True)
    ]
    lowest = min(f.aicc for f in made)
    enough = [
        f for f in made
        if f.aicc - lowest < ALIKE or (f.aicc - lowest < WITHIN_NOISE and within_noise(problem, f))
    ]  # fmt: skip
    first = min(enough, key=lambda f: (len(f.parameters), f.aicc))
    return [first, *sorted((f for f in made if f is not first), key=lambda f: (f.aicc, len(f.parameters)))]


def within_noise(problem: Problem, fit: ModelFit) -> bool:
    """Whether noise and the uncertain levels of 0 and 1 explain the residuals, by chi-square."""
    if min(c.noise for c in problem.conversions) <= 0:
        return False
    rest = _weigh(problem, fit, [c.noise for c in problem.conversions])
    scaled = [r / c.noise for r, c in zip(np.split(rest, problem.splits), problem.conversions, strict=True)]
    total = sum(float(r @ r) for r in scaled)
    return bool(total <= rest.size + 3.0 * np.sqrt(2.0 * rest.size))


def _weigh(problem: Problem, fit: ModelFit, sigma: Sequence[float]) -> FloatArray:
    """Residuals whitened by the covariance of noise and levels, least over the parameters (linearised)."""
    rest, jac = np.concatenate(fit.residuals).copy(), fit.jacobian.copy()
    for part, c, s in zip(problem.slices, problem.conversions, sigma, strict=True):
        if s <= 0 or max(c.end_se) <= 0:
            continue
        alpha = problem.measured[part]
        shapes = np.column_stack([(1.0 - alpha) * c.end_se[0], alpha * c.end_se[1]]) / s
        u, d, _ = np.linalg.svd(shapes, full_matrices=False)
        shrink = (1.0 / np.sqrt(1.0 + d * d) - 1.0)[:, None]
        both = np.column_stack([rest[part], jac[part]])
        both = both + u @ (shrink * (u.T @ both))
        rest[part], jac[part] = both[:, 0], both[:, 1:]
    step = np.linalg.lstsq(jac, rest, rcond=None)[0]
    return np.asarray(rest - jac @ step)
