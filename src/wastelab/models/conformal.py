"""Split-conformal half-widths for rows of groups that a model has not seen: scores, margin for few groups, age bands.

Every group counts alike: eight ages of one mix are not eight tests of a new mix, and a control mix that was tested
sixty times is one mix.
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
from .interval_warp import Warp

#: Groups that an age band needs to be calibrated by itself.
BAND_GROUPS = 40.0


class GroupConformal:
    """Intervals for rows of groups that the model has not seen.

    Parameters
    ----------
    random_state : int
    n_trees, n_folds : int
        Of the expected error, see `wastelab.models.interval_scale.ResidualScale`.
    warp : Warp
        On which scale errors are taken, by default that of the unit.

    Attributes
    ----------
    scale : ResidualScale
    edges : tuple of float
        Ages [d] between bands that are calibrated by themselves.
    scores : tuple of ndarray
        Of each band, largest first: absolute error / expected error.
    weights : tuple of ndarray
        Of each band: what each score weighs, 1 / (groups + 1) / (scores of its group).
    n_groups : float
        Number of groups; `band_groups` that of each band.
    residual : ndarray, shape (n_rows,)
        Observed - centre, on the scale of `warp`.
    centre, observed, age, groups : ndarray, shape (n_rows,)
        Of the rows it was fitted to; the age [d], NaN where there is none.

    Notes
    -----
    With K groups the interval is the score at which the weights, from the least score on, reach the level: infinite
    where they never do, that is for ``K < level / (1 - level)``. With every row its own group it is the usual rank
    ``ceil(level (n + 1))``. Sizes of groups do not matter: 9 groups allow a 90 % interval, however many rows one has.

    What is covered is a row of a new group, drawn by group and then by row: the mean over new groups of the share of
    their rows that lie inside.

    `assumed` is for levels that the groups are too few for: it takes errors of groups as draws of a normal
    distribution (Student's, with K - 1 degrees of freedom), an assumption that few groups cannot test.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, Springer 2005. Y. Lee, R. F. Barber,
    R. Willett, Distribution-free inference with hierarchical data, arXiv:2306.06342. Scores are held by crepes:
    H. Bostroem, crepes: a Python package for generating conformal regressors and predictive systems, PMLR 179 (2022).
    """

    def __init__(
        self, random_state: int = 0, *, n_trees: int = 100, n_folds: int = 8, warp: Warp | None = None
    ) -> None:
        self.random_state = random_state
        self.n_trees = n_trees
        self.n_folds = n_folds
        self.warp = warp or Warp()

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
        self.residual = self.warp.forward(observed) - self.warp.forward(middle)
        own, among = self._on_scale(middle, own, among)
        self.scale = ResidualScale(self.random_state, n_trees=self.n_trees, n_folds=self.n_folds).fit(
            design, middle, np.abs(self.residual), group, own, among
        )
        self.centre, self.observed, self.age = middle, observed, _ages(design)
        self.edges = _edges(self.age, group)
        self.scores = _scores(self.residual, self.scale.own, self._band(self.age), len(self.edges) + 1)
        self.groups = group
        self._weigh()
        return self

    def _weigh(self) -> None:
        """What each score weighs, and how many groups each band has."""
        band, score, each = self._band(self.age), self.score, range(len(self.edges) + 1)
        at = [np.flatnonzero(band == k) for k in each]
        at = [rows[np.argsort(-score[rows], kind="stable")] for rows in at]
        self.weights = tuple(group_weights(self.groups[rows]) for rows in at)
        self.band_groups = tuple(float(len(np.unique(self.groups[rows]))) for rows in at)
        self.n_groups = float(len(np.unique(self.groups)))

    def _on_scale(self, middle: FloatArray, own: FloatArray, among: FloatArray) -> tuple[FloatArray, FloatArray]:
        slope = self.warp.slope(middle)
        return own * slope, among * slope

    def half_width(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
        level: float = 0.9,
    ) -> FloatArray:
        """Half of the interval of new rows on the scale of `warp`, infinite where there are too few groups for it."""
        return self._times(
            self.expected(design, centre, spread, disagreement),
            self._multipliers(check_level(level)), self._band(_ages(design)),
        )  # fmt: skip

    def assumed(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
        level: float = 0.9,
        *,
        between: bool = False,
    ) -> tuple[FloatArray, FloatArray]:
        """Half-width under the assumption of normal errors, and the least it must be: the largest score.

        Parameters
        ----------
        design : Design
        centre, spread, disagreement, level
            As in `half_width`.
        between : bool
            Only of what the rows of a group have in common; else of a whole row.
        """
        scale, band = self.expected(design, centre, spread, disagreement), self._band(_ages(design))
        own, score = self._band(self.age), self.residual / self.scale.own
        factors = []
        for k in range(len(self.edges) + 1):
            at = own == k
            factors.append(student_multiplier(score[at], self.groups[at], check_level(level), between=between))
        largest = [float(s[0]) if len(s) else np.inf for s in self.scores]
        return self._times(scale, factors, band), self._times(scale, largest, band)

    def expected(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
    ) -> FloatArray:
        """Expected size of the error of new rows on the scale of `warp`."""
        middle = vector(centre, len(design), "centre")
        own = _optional(spread, len(design), "spread")
        among = _optional(disagreement, len(design), "disagreement")
        return self.scale.predict(design, middle, *self._on_scale(middle, own, among))

    def in_unit(self, centre: FloatArray, scale: FloatArray) -> FloatArray:
        """Expected errors on the scale of `warp`, in the unit of the property."""
        return np.asarray(scale / self.warp.slope(centre))

    def ends(self, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Ends [unit of the property] of intervals with these half-widths on the scale of `warp`."""
        return self.warp.ends(middle, half)

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
                multipliers.append(group_multiplier(score[others], self.groups[others], level))
            out[test] = self._times(own[test], multipliers, band[test])
        return out

    @property
    def score(self) -> FloatArray:
        """Absolute error / expected error of each row it was fitted to."""
        return np.asarray(np.abs(self.residual) / self.scale.own)

    @property
    def lean(self) -> float:
        """By how many standard errors the largest fifth of the scores lies more above than below, groups alike."""
        score = self.residual / self.scale.own
        edge = group_multiplier(np.abs(score), self.groups, 0.8)
        size = np.bincount(self.groups)
        each = np.bincount(self.groups, (score > edge) * 1.0 - (score < -edge)) / np.maximum(size, 1)
        return float(each.sum() / max(float(np.sqrt((each**2).sum())), 1e-12))

    def _multipliers(self, level: float) -> list[float]:
        return [_reached(s, w, level) for s, w in zip(self.scores, self.weights, strict=True)]

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
            "edges": list(self.edges), "warp": self.warp.name, "floor": self.warp.floor,
            "random_state": self.random_state, "n_trees": self.n_trees, "n_folds": self.n_folds,
        }  # fmt: skip
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> GroupConformal:
        """What `to_arrays` took apart."""
        meta = arrays["meta"]
        made = cls(int(meta["random_state"]), n_trees=int(meta["n_trees"]), n_folds=int(meta["n_folds"]))
        made.warp = Warp(meta.get("warp", "identity"), float(meta.get("floor", 0.0)))
        made.scale = ResidualScale.from_arrays(
            {k.removeprefix("scale_"): v for k, v in arrays.items() if k.startswith("scale_")}
        )
        made.edges = tuple(float(v) for v in meta["edges"])
        made.scores = tuple(np.asarray(arrays[f"scores_{k}"]) for k in range(len(made.edges) + 1))
        made.centre, made.observed = np.asarray(arrays["centre"]), np.asarray(arrays["observed"])
        made.age, made.groups = np.asarray(arrays["age"]), np.asarray(arrays["group"])
        made.residual = made.warp.forward(made.observed) - made.warp.forward(made.centre)
        made._weigh()
        return made


# -- the conformal step
def group_weights(groups: ArrayLike) -> FloatArray:
    """What each score weighs where every group counts alike: 1 / (groups + 1) / (size of its group)."""
    size, code = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)[1:][::-1]
    return np.asarray(1.0 / (len(size) + 1.0) / size[code])


def group_multiplier(scores: ArrayLike, groups: ArrayLike, level: float) -> float:
    """Score that a row of a new group exceeds with a probability of at most ``1 - level``; infinite for too few groups.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Not below 0, in any order.
    groups : array_like, shape (n,)
    level : float
    """
    found = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-found, kind="stable")
    return _reached(found[order], group_weights(groups)[order], level)


def student_multiplier(scores: FloatArray, groups: IntArray, level: float, *, between: bool = False) -> float:
    """The same for normal errors: Student's quantile with K - 1 degrees of freedom times their size.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        With their signs.
    groups : ndarray, shape (n,)
    level : float
    between : bool
        Size of the groups' mean scores; else of the scores themselves, groups counting alike.
    """
    from scipy.stats import t

    size, code = np.unique(groups, return_inverse=True, return_counts=True)[1:][::-1]
    if len(size) < 2:
        return math.inf
    of_group = (np.bincount(code, scores) / size) ** 2 if between else np.bincount(code, scores**2) / size
    return float(t.ppf((1.0 + level) / 2.0, len(size) - 1) * math.sqrt(of_group.mean() * (1.0 + 1.0 / len(size))))


def _reached(scores: FloatArray, weights: FloatArray, level: float) -> float:
    """Least score with which the weights of all that are not above it reach the level; scores are largest first."""
    total = np.cumsum(weights[::-1])
    at = int(np.searchsorted(total, level - 1e-9))
    return math.inf if at >= len(scores) else float(scores[::-1][at])


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
        if all(len(np.unique(group[band == k])) >= BAND_GROUPS for k in range(len(edges) + 1)):
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
