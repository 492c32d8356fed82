"""Which tests tell a new laboratory most about its own effect: greedy, in closed form, without any result.

The posterior variance of a Gaussian effect depends on where is tested, not on what comes out: a plan can be made before
the first mix is cast. Testing where the sum of squared covariances with all candidates is largest is exact
variance reduction for one more test; done in turn it comes close to the best set.

References
----------
A. Krause, A. Singh, C. Guestrin, *Journal of Machine Learning Research* 9 (2008) 235-284: greedy placement of
measurements under a Gaussian process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .design import Design, FloatArray
from .source_covariance import Components, Coordinates, effect, effect_variance, same_mix
from .suggest_texts import Said, keep, said

if TYPE_CHECKING:
    import pandas as pd

    from .local_effect import EffectModel

#: Candidates that the mean variance is taken over where there are more (evenly spaced rows), and pairs kept in memory.
MOST_REFERENCE, MOST_PAIRS = 1500, 2e7
#: Standardised distance from the mean candidate beyond which a column is named.
_NOTABLE = 0.8


def choose(
    x: FloatArray, given: FloatArray, parts: Components, coordinates: Coordinates, weight: FloatArray, n: int
) -> tuple[list[int], list[float]]:
    """Candidates in the order of testing.

    Parameters
    ----------
    x : ndarray, shape (n_candidates, n_columns)
    given : ndarray, shape (n_tested, n_columns)
        Tested already.
    parts : Components
    coordinates : Coordinates
    weight : ndarray, shape (n_candidates,)
        What one unit of the effect is in the unit of the target.
    n : int

    Returns
    -------
    order : list of int
    effects : list of float
        Root mean square of weight times the sd of the effect: before, and after each test.
    """
    slopes = coordinates.slopes
    noise = parts.noise + 1e-9
    reference = np.arange(len(x))
    most = min(MOST_REFERENCE, max(int(MOST_PAIRS / len(x)), 100))
    if len(x) > most:
        reference = np.unique(np.linspace(0, len(x) - 1, most).round().astype(np.int64))
    at, scale = x[reference], weight[reference] ** 2
    cross = effect(at, x, parts, slopes)
    variance = effect_variance(at, parts, slopes)
    own = effect_variance(x, parts, slopes) + parts.mix + noise
    mixes = coordinates.mixes
    if len(given):
        between = effect(given, given, parts, slopes) + parts.mix * same_mix(mixes(given), mixes(given))
        lower = np.linalg.cholesky(between + noise * np.eye(len(given)))
        shared = effect(given, x, parts, slopes)
        half = np.linalg.solve(lower, shared + parts.mix * same_mix(mixes(given), mixes(x)))
        half_reference = np.linalg.solve(lower, effect(given, at, parts, slopes))
        cross = cross - half_reference.T @ half
        variance = variance - np.sum(half_reference**2, axis=0)
        own = own - np.sum(half**2, axis=0)
        known = [*half]
    else:
        known = []
    effects = [float(np.sqrt(np.mean(scale * np.maximum(variance, 0.0))))]
    order: list[int] = []
    for _ in range(n):
        gain = (scale @ cross**2) / np.maximum(own, noise)
        gain[order] = -1.0
        best = int(np.flatnonzero(gain >= gain.max() * (1.0 - 1e-9))[0])
        order.append(best)
        one = x[best : best + 1]
        column = (effect(one, x, parts, slopes) + parts.mix * same_mix(mixes(one), mixes(x)))[0]
        for row in known:
            column = column - row[best] * row
        root = float(np.sqrt(max(own[best], noise)))
        column /= root
        told = cross[:, best] / root
        known.append(column)
        cross = cross - np.multiply.outer(told, column)
        variance = variance - told**2
        own = own - column**2
        effects.append(float(np.sqrt(np.mean(scale * np.maximum(variance, 0.0)))))
    return order, effects


def describe(
    x: FloatArray, given: FloatArray, order: list[int], coordinates: Coordinates, design: Design
) -> list[Said]:
    """Why each was chosen: near the middle of the candidates, or where the tests before it say least."""
    x, given = x[:, : len(coordinates.names)], given[:, : len(coordinates.names)]
    spread = np.where(x.std(axis=0) > 1e-9, x.std(axis=0), np.inf)
    names = coordinates.names
    values = {name: design.values[:, j] for j, name in enumerate(design.names)}
    out = []
    for place, row in enumerate(order):
        before = np.vstack([given, x[order[:place]]])
        centre = before.mean(axis=0) if len(before) else x.mean(axis=0)
        away = (x[row] - centre) / spread
        notable = [j for j in np.argsort(-np.abs(away)) if abs(away[j]) > _NOTABLE][:3]
        reasons: list[Said] = []
        for j in notable:
            shown = values[names[j]][row]
            if names[j] == coordinates.age:
                reasons.append(said("later" if away[j] > 0 else "earlier", value=f"{np.exp(shown):.3g}"))
            else:
                reasons.append(said("more" if away[j] > 0 else "less", name=names[j], value=f"{shown:.3g}"))
        reason = reasons[0] if reasons else said("near_middle")
        for another in reasons[1:]:
            reason += said("and") + another
        out.append(reason + said("than_tests" if len(before) else "than_most") if reasons else reason)
    return out


def plan(
    model: EffectModel,
    design: Design,
    n: int,
    *,
    predicted: ArrayLike | None = None,
    given: FloatArray | None = None,
    heap: ArrayLike | None = None,
    rows: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Candidates in the order of testing as a table. See `SourceEffect.first_tests`."""
    import pandas as pd

    if not 1 <= n <= len(design):
        raise ModelError(f"n = {n}: expected 1 to {len(design)}, the number of candidates.")
    x = model.coordinates(design, heap)
    weight = np.full(len(x), model.unit) if predicted is None else model.weight(predicted)
    known = np.zeros((0, x.shape[1])) if given is None else given
    order, effects = choose(x, known, model.components, model.coordinates, weight, n)
    scatter = float(np.mean(weight**2)) * (model.components.mix + model.components.noise)
    total = np.sqrt(np.asarray(effects) ** 2 + scatter)
    table = pd.DataFrame({
        "order": np.arange(1, n + 1),
        "row": order,
        "name": [str(j) if rows is None else str(rows[j]) for j in order],
        "sd_before": total[:-1],
        "sd_after": total[1:],
    })  # fmt: skip
    keep(table, why=describe(x, known, order, model.coordinates, design))
    table.attrs["effect_sd"] = effects
    table.attrs["scale"] = model.scale if predicted is None else "identity"
    return table
