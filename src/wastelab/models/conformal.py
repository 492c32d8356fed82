"""Split-conformal half-widths for rows of groups that a model has not seen: scores, margin for few groups, age bands.

The finite-sample margin counts groups, not rows: eight ages of one mix are not eight tests of a new mix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .coverage import AGE_EDGES, age_band, check_level
from .design import Design, FloatArray, IntArray
from .interval_scale import ResidualScale

#: Effective groups that an age band needs to be calibrated by itself.
BAND_GROUPS = 40.0


class GroupConformal:
    """Intervals for rows of groups that the model has not seen.

    Parameters
    ----------
    random_state : int
    n_trees, n_folds : int
        Of the expected error, see `wastelab.models.interval_scale.ResidualScale`.

    Attributes
    ----------
    scale : ResidualScale
    edges : tuple of float
        Ages [d] between bands that are calibrated by themselves.
    scores : tuple of ndarray
        Of each band, largest first: absolute error / expected error.
    n_groups : float
        Effective number of groups, ``(sum of sizes)^2 / sum of sizes^2``; `band_groups` the same of each band.
    centre, observed, age, groups : ndarray, shape (n_rows,)
        Of the rows it was fitted to; the age [d], NaN where there is none.

    Notes
    -----
    With n scores of K effective groups the interval is the score of rank ``ceil(level (1 + 1/K) n)``: infinite where
    that is beyond n, that is for ``K < level / (1 - level)``. With every row its own group it is the usual rank
    ``ceil(level (n + 1))``; with equal groups of rows that fail together it is the usual rank among groups. K is
    Kish's effective number, smaller than the number of groups where some have many rows.

    What is covered is the average over rows of new groups, as a table of tests would count them.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, Springer 2005. Y. Lee, R. F. Barber,
    R. Willett, Distribution-free inference with hierarchical data, arXiv:2306.06342. Scores are held by crepes:
    H. Bostroem, crepes: a Python package for generating conformal regressors and predictive systems, PMLR 179 (2022).
    """

    def __init__(self, random_state: int = 0, *, n_trees: int = 100, n_folds: int = 8) -> None:
        self.random_state = random_state
        self.n_trees = n_trees
        self.n_folds = n_folds

    def fit(
        self,
        design: Design,
        centre: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike,
        *,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
    ) -> GroupConformal:
        """Learn the expected error and keep the scores.

        Parameters
        ----------
        design : Design
        centre : array_like, shape (n_rows,)
            Out-of-fold predictions, by folds that keep `groups` whole.
        y : array_like, shape (n_rows,)
            What was measured.
        groups : array_like of int, shape (n_rows,)
            Mix, or source, of each row.
        spread, disagreement : array_like, shape (n_rows,), optional
            Standard deviation stated by the model, and that among its members, for the same predictions.

        Raises
        ------
        ModelError
            If lengths differ, numbers are not finite, or there are fewer than 2 groups.
        """
        middle, observed, group, own, among = _checked(design, centre, y, groups, spread, disagreement)
        error = np.abs(observed - middle)
        self.scale = ResidualScale(self.random_state, n_trees=self.n_trees, n_folds=self.n_folds).fit(
            design, middle, error, group, own, among
        )
        self.centre, self.observed, self.age = middle, observed, _ages(design)
        self.edges = _edges(self.age, group)
        band = self._band(self.age)
        self.scores = _scores(observed - middle, self.scale.own, band, len(self.edges) + 1)
        self.band_groups = tuple(effective_groups(group[band == k]) for k in range(len(self.edges) + 1))
        self.n_groups = effective_groups(group)
        self.groups = group
        return self

    def half_width(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
        level: float = 0.9,
    ) -> FloatArray:
        """Half of the interval of new rows [unit of the property], infinite where there are too few groups for it."""
        level = check_level(level)
        middle = vector(centre, len(design), "centre")
        own = _optional(spread, len(design), "spread")
        among = _optional(disagreement, len(design), "disagreement")
        scale = self.scale.predict(design, middle, own, among)
        return self._times(scale, self._multipliers(level), self._band(_ages(design)))

    def cross_half_width(self, level: float = 0.9) -> FloatArray:
        """Half-width of the rows it was fitted to, each calibrated by the other folds' groups alone."""
        level = check_level(level)
        fold, own, band = self.scale.fold, self.scale.own, self._band(self.age)
        score = self.score
        out = np.empty(len(own))
        for k in np.unique(fold):
            test = fold == k
            multipliers = []
            for b in range(len(self.edges) + 1):
                others = ~test & (band == b)
                held = np.sort(score[others])[::-1]
                multipliers.append(conformal_multiplier(held, effective_groups(self.groups[others]), level))
            out[test] = self._times(own[test], multipliers, band[test])
        return out

    @property
    def score(self) -> FloatArray:
        """Absolute error / expected error of each row it was fitted to."""
        return np.asarray(np.abs(self.observed - self.centre) / self.scale.own)

    def _multipliers(self, level: float) -> list[float]:
        return [conformal_multiplier(s, k, level) for s, k in zip(self.scores, self.band_groups, strict=True)]

    @staticmethod
    def _times(scale: FloatArray, multipliers: Sequence[float], band: FloatArray) -> FloatArray:
        of_band = np.append(np.asarray(multipliers), max(multipliers))
        return np.asarray(scale * of_band[np.where(band < 0, len(multipliers), band).astype(np.int64)])

    def _band(self, days: FloatArray) -> FloatArray:
        """Number of the band, -1 where the age is missing and there are several."""
        if not self.edges:
            return np.zeros(len(days))
        return np.where(np.isfinite(days), age_band(days, self.edges), -1.0)

    def to_arrays(self) -> dict[str, Any]:
        """Arrays, and plain values under ``meta``."""
        out = {f"scale_{k}": v for k, v in self.scale.to_arrays().items()}
        out |= {f"scores_{k}": v for k, v in enumerate(self.scores)}
        out |= {"centre": self.centre, "observed": self.observed, "age": self.age, "group": self.groups}
        out["meta"] = {
            "edges": list(self.edges), "counts": list(self.band_groups), "n_groups": self.n_groups,
            "random_state": self.random_state, "n_trees": self.n_trees, "n_folds": self.n_folds,
        }  # fmt: skip
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> GroupConformal:
        """What `to_arrays` took apart."""
        meta = arrays["meta"]
        made = cls(int(meta["random_state"]), n_trees=int(meta["n_trees"]), n_folds=int(meta["n_folds"]))
        made.scale = ResidualScale.from_arrays(
            {k.removeprefix("scale_"): v for k, v in arrays.items() if k.startswith("scale_")}
        )
        made.edges = tuple(float(v) for v in meta["edges"])
        made.band_groups, made.n_groups = tuple(float(v) for v in meta["counts"]), float(meta["n_groups"])
        made.scores = tuple(np.asarray(arrays[f"scores_{k}"]) for k in range(len(made.edges) + 1))
        made.centre, made.observed = np.asarray(arrays["centre"]), np.asarray(arrays["observed"])
        made.age, made.groups = np.asarray(arrays["age"]), np.asarray(arrays["group"])
        return made


# -- the conformal step
def effective_groups(groups: ArrayLike) -> float:
    """Kish's effective number of groups: ``(sum of sizes)^2 / sum of sizes^2``; 0 of none."""
    sizes = np.unique(np.asarray(groups), return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def conformal_multiplier(scores: FloatArray, n_groups: float, level: float) -> float:
    """Score of rank ``ceil(level (1 + 1/K) n)`` from below; infinite where that is beyond n.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Largest first.
    n_groups : float
        K, effective groups.
    level : float
    """
    n = len(scores)
    if n == 0 or n_groups <= 0:
        return math.inf
    rank = max(math.ceil(level * (1.0 + 1.0 / n_groups) * n - 1e-9), 1)
    return math.inf if rank > n else float(scores[n - rank])


def _scores(residual: FloatArray, scale: FloatArray, band: FloatArray, n_bands: int) -> tuple[FloatArray, ...]:
    """Scores of each band, largest first, as crepes keeps them."""
    from crepes import ConformalRegressor

    there = band >= 0
    regressor = ConformalRegressor().fit(residual[there], sigmas=scale[there], bins=band[there])
    of = dict(zip(regressor.binned_alphas[0].astype(int).tolist(), regressor.binned_alphas[1], strict=True))
    return tuple(np.ascontiguousarray(of.get(k, np.empty(0)), dtype=np.float64) for k in range(n_bands))


def _edges(days: FloatArray, group: IntArray) -> tuple[float, ...]:
    """Ages between bands that have groups enough to be calibrated by themselves."""
    for edges in (AGE_EDGES, AGE_EDGES[:1], AGE_EDGES[1:]):
        band = np.where(np.isfinite(days), age_band(days, edges), -1.0)
        if all(effective_groups(group[band == k]) >= BAND_GROUPS for k in range(len(edges) + 1)):
            return edges
    return ()


def _ages(design: Design) -> FloatArray:
    """[d], NaN where there is none."""
    return np.full(len(design), np.nan) if design.age is None else np.exp(design.values[:, design.age])


# -- what is given
def vector(values: ArrayLike, rows: int, name: str) -> FloatArray:
    out = np.asarray(values, dtype=np.float64)
    if out.shape != (rows,):
        raise ModelError(f"{name} has shape {out.shape}; expected one number for each of {rows} rows.")
    if not np.isfinite(out).all():
        at = int(np.flatnonzero(~np.isfinite(out))[0])
        raise ModelError(f"{name}, row {at}: {out[at]:g} is not a finite number.")
    return out


def _optional(values: ArrayLike | None, rows: int, name: str) -> FloatArray:
    """Non-negative numbers, NaN where not known."""
    if values is None:
        return np.full(rows, np.nan)
    out = np.asarray(values, dtype=np.float64)
    if out.shape != (rows,):
        raise ModelError(f"{name} has shape {out.shape}; expected one number for each of {rows} rows.")
    bad = np.flatnonzero((out < 0) | np.isinf(out))
    if len(bad):
        raise ModelError(f"{name}, row {bad[0]}: {out[bad[0]]:g} is not a standard deviation.")
    return out


def _checked(
    design: Design, centre: ArrayLike, y: ArrayLike, groups: ArrayLike, spread: ArrayLike | None,
    disagreement: ArrayLike | None,
) -> tuple[FloatArray, FloatArray, IntArray, FloatArray, FloatArray]:  # fmt: skip
    rows = len(design)
    middle, observed = vector(centre, rows, "centre"), vector(y, rows, "y")
    labels = np.asarray(groups)
    if labels.shape != (rows,):
        raise ModelError(f"groups has shape {labels.shape}; expected one label for each of {rows} rows.")
    code = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    if rows == 0 or code.max() == 0:
        raise ModelError("intervals need predictions of at least 2 groups (mixes, or sources); there are fewer.")
    return middle, observed, code, _optional(spread, rows, "spread"), _optional(disagreement, rows, "disagreement")
