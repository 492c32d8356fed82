"""Prediction intervals that hold for a new mix, and for a new source, because they were calibrated on such.

Split-conformal over out-of-fold predictions: errors of rows whose mix (whose source) the model had not seen, divided
by an expected error that is learned the same way. The finite-sample margin counts groups, not rows: eight ages of one
mix are not eight tests of a new mix.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError
from .coverage import AGE_EDGES, age_band, check_level, coverage_table
from .design import Design, FloatArray, IntArray
from .interval_scale import ResidualScale

if TYPE_CHECKING:
    import pandas as pd

#: What a new row may be new in, and the words for it.
KINDS = ("mix", "source")
#: Effective groups that an age band needs to be calibrated by itself.
BAND_GROUPS = 40.0


class Labelled(Protocol):
    """What is needed of a `TrainingData`."""

    @property
    def target(self) -> FloatArray: ...
    @property
    def mix(self) -> IntArray: ...
    @property
    def source(self) -> IntArray | None: ...


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
        Effective number of groups, ``(sum of sizes)^2 / sum of sizes^2``.

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
        self._centre, self._observed, self._age = middle, observed, _ages(design)
        self.edges = _edges(self._age, group)
        band = self._band(self._age)
        self.scores = _scores(observed - middle, self.scale.own, band, len(self.edges) + 1)
        self._counts = tuple(effective_groups(group[band == k]) for k in range(len(self.edges) + 1))
        self.n_groups = effective_groups(group)
        self._group = group
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
        middle = _vector(centre, len(design), "centre")
        own = _optional(spread, len(design), "spread")
        among = _optional(disagreement, len(design), "disagreement")
        scale = self.scale.predict(design, middle, own, among)
        return self._times(scale, self._multipliers(level), self._band(_ages(design)))

    def cross_half_width(self, level: float = 0.9) -> FloatArray:
        """Half-width of the rows it was fitted to, each calibrated by the other folds' groups alone."""
        level = check_level(level)
        fold, own, band = self.scale.fold, self.scale.own, self._band(self._age)
        score = np.abs(self._observed - self._centre) / own
        out = np.empty(len(own))
        for k in np.unique(fold):
            test = fold == k
            multipliers = []
            for b in range(len(self.edges) + 1):
                others = ~test & (band == b)
                held = np.sort(score[others])[::-1]
                multipliers.append(conformal_multiplier(held, effective_groups(self._group[others]), level))
            out[test] = self._times(own[test], multipliers, band[test])
        return out

    def _multipliers(self, level: float) -> list[float]:
        return [conformal_multiplier(s, k, level) for s, k in zip(self.scores, self._counts, strict=True)]

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
        out |= {"centre": self._centre, "observed": self._observed, "age": self._age, "group": self._group}
        out["meta"] = {
            "edges": list(self.edges), "counts": list(self._counts), "n_groups": self.n_groups,
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
        made._counts, made.n_groups = tuple(float(v) for v in meta["counts"]), float(meta["n_groups"])
        made.scores = tuple(np.asarray(arrays[f"scores_{k}"]) for k in range(len(made.edges) + 1))
        made._centre, made._observed = np.asarray(arrays["centre"]), np.asarray(arrays["observed"])
        made._age, made._group = np.asarray(arrays["age"]), np.asarray(arrays["group"])
        return made


class ConformalIntervals:
    """Intervals of a property model: of a new mix, and of a new source where the table had several.

    Parameters
    ----------
    random_state : int
    lower_bound : float or None
        Below which the property cannot be (0 for a strength), or None.
    few_groups : {"widen", "refuse"}
        Where there are too few groups for a level: an infinite interval, or `MissingDataError`.
    n_trees, n_folds : int
        Of the expected error.

    Attributes
    ----------
    kinds : dict of str to GroupConformal
        ``"mix"``, and ``"source"`` where it could be calibrated.
    """

    def __init__(
        self,
        random_state: int = 0,
        *,
        lower_bound: float | None = None,
        few_groups: str = "widen",
        n_trees: int = 100,
        n_folds: int = 8,
    ) -> None:
        if few_groups not in ("widen", "refuse"):
            raise ModelError(f"few_groups = {few_groups!r}: expected 'widen' or 'refuse'.")
        self.random_state = random_state
        self.lower_bound = lower_bound
        self.few_groups = few_groups
        self.n_trees = n_trees
        self.n_folds = n_folds

    def fit(
        self,
        design: Design,
        data: Labelled,
        predictions: Mapping[str, tuple[ArrayLike, ArrayLike | None, ArrayLike | None]],
    ) -> ConformalIntervals:
        """Calibrate on out-of-fold predictions.

        Parameters
        ----------
        design : Design
        data : TrainingData
            For the results, and the mix and source of each row.
        predictions : mapping of str to (centre, spread, disagreement)
            By what the folds keep whole: ``"mix"`` and, where there are sources, ``"source"``. Rows without a centre
            (NaN) are left out.

        Raises
        ------
        ModelError
            If ``"mix"`` is not among them, or a kind has fewer than 2 groups.
        """
        if "mix" not in predictions or set(predictions) - set(KINDS):
            raise ModelError(
                f"predictions are of {sorted(predictions)}; expected 'mix', and 'source' where there are sources."
            )
        self.kinds: dict[str, GroupConformal] = {}
        self._rows: dict[str, IntArray] = {}
        self._n_rows = len(design)
        for kind, (centre, spread, disagreement) in predictions.items():
            groups = data.mix if kind == "mix" else data.source
            if groups is None:
                raise ModelError("there are predictions by source, but the table names no sources.")
            middle = np.asarray(centre, dtype=np.float64)
            at = np.flatnonzero(np.isfinite(middle))
            own, among = (None if v is None else np.asarray(v, dtype=np.float64)[at] for v in (spread, disagreement))
            self.kinds[kind] = GroupConformal(self.random_state, n_trees=self.n_trees, n_folds=self.n_folds).fit(
                design.rows(at), middle[at], data.target[at], groups[at], spread=own, disagreement=among
            )
            self._rows[kind] = at
        return self

    def interval(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
        level: float = 0.9,
        *,
        new_source: ArrayLike = False,
        widen: ArrayLike = 1.0,
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of each row.

        Parameters
        ----------
        design : Design
        centre, spread, disagreement : array_like, shape (n_rows,)
            Of the model fitted to all tests.
        level : float
            Share of new rows that lie inside: 0.9 for 90 %. Intervals of a higher level contain those of a lower one.
        new_source : array_like of bool, shape (n_rows,) or scalar
            Rows of a source (laboratory, heap, supplier) that was not in the table: the wider of the intervals of a
            new mix and of a new source.
        widen : array_like, shape (n_rows,) or scalar
            At least 1: what the width is multiplied by, see `wastelab.models.domain.Domain.widening`.

        Returns
        -------
        lower, upper : ndarray, shape (n_rows,)
            Infinite where there are too few groups for the level.

        Raises
        ------
        MissingDataError
            If a row is of a new source and the model was fitted to one source only; with ``few_groups="refuse"`` also
            if there are too few groups for the level.
        """
        middle = _vector(centre, len(design), "centre")
        fresh = np.broadcast_to(np.asarray(new_source, dtype=bool), len(middle))
        factor = np.broadcast_to(np.asarray(widen, dtype=np.float64), len(middle))
        if np.any(~(factor >= 1.0)):
            raise ModelError(
                f"widen = {factor[~(factor >= 1.0)][0]:g}: an interval outside the domain is not narrower."
            )
        half = self.kinds["mix"].half_width(design, middle, spread, disagreement, level)
        if fresh.any():
            half = np.where(fresh, np.maximum(half, self.of("source").half_width(
                design, middle, spread, disagreement, level)), half)  # fmt: skip
        if self.few_groups == "refuse" and np.isinf(half).any():
            self._refuse("source" if math.isfinite(self.widest_level("mix")) and level <= self.widest_level("mix")
                         else "mix", level)  # fmt: skip
        return self._ends(middle, half * factor)

    def of(self, kind: str) -> GroupConformal:
        """What was calibrated on new mixes (``"mix"``) or new sources (``"source"``).

        Raises
        ------
        MissingDataError
            If the table did not allow it; says what to measure.
        """
        if kind not in KINDS:
            raise ModelError(f"kind = {kind!r}: expected 'mix' or 'source'.")
        if kind not in self.kinds:
            raise MissingDataError(
                "how wrong the model is at a new source is not known: its table names no sources, or too few. Give "
                "tests of at least two sources (laboratories, heaps, suppliers) with a column 'source'; 9 are needed "
                "for a 90 % interval."
            )
        return self.kinds[kind]

    def widest_level(self, kind: str = "mix") -> float:
        """The highest level with a finite interval at every age: ``K / (K + 1)`` with K effective groups."""
        return min(k / (k + 1.0) for k in self.of(kind)._counts)

    def cross_interval(self, kind: str, level: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """Intervals of the rows of the table, none calibrated by a row of its own group; NaN where not predicted."""
        held = self.of(kind)
        lower, upper = self._ends(held._centre, held.cross_half_width(level))
        out = np.full((2, self._n_rows), np.nan)
        out[:, self._rows[kind]] = lower, upper
        return out[0], out[1]

    def coverage_report(self, kind: str = "mix", level: float = 0.9) -> pd.DataFrame:
        """`coverage_table` of the table's own rows, by `cross_interval`."""
        held = self.of(kind)
        lower, upper = (v[self._rows[kind]] for v in self.cross_interval(kind, level))
        age = held._age if np.isfinite(held._age).any() else None
        return coverage_table(held._observed, lower, upper, level=level, centre=held._centre, age=age)

    def to_dict(self) -> dict[str, Any]:
        """What a card says: by kind, groups, scale, highest level, and the coverage table at 90 %."""
        out: dict[str, Any] = {}
        for kind, held in self.kinds.items():
            table = self.coverage_report(kind, 0.9) if self.widest_level(kind) >= 0.9 else None
            out[kind] = {
                "groups": len(np.unique(held._group)), "effective_groups": round(held.n_groups, 1),
                "scale": held.scale.kind, "age_bands_d": list(held.edges),
                "highest_level": round(self.widest_level(kind), 4),
                "coverage_90": None if table is None else json.loads(table.to_json(orient="index")),
            }  # fmt: skip
        return out

    def to_arrays(self) -> dict[str, Any]:
        """Arrays, and JSON text under ``meta``: enough to predict without the table and without scikit-learn."""
        out: dict[str, Any] = {}
        metas: dict[str, Any] = {}
        for kind, held in self.kinds.items():
            parts = held.to_arrays()
            scale_meta, meta = parts.pop("scale_meta"), parts.pop("meta")
            metas[kind] = {"scale": scale_meta, "own": meta}
            out |= {f"{kind}.{k}": np.asarray(v) for k, v in parts.items()}
            out[f"{kind}.rows"] = self._rows[kind]
        out["meta"] = json.dumps({
            "kinds": metas, "n_rows": self._n_rows, "random_state": self.random_state,
            "lower_bound": self.lower_bound, "few_groups": self.few_groups, "n_trees": self.n_trees,
            "n_folds": self.n_folds,
        })  # fmt: skip
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> ConformalIntervals:
        """The intervals that `to_arrays` took apart.

        Raises
        ------
        ModelError
            If something is missing or damaged.
        """
        try:
            meta = json.loads(str(arrays["meta"]))
            made = cls(
                meta["random_state"], lower_bound=meta["lower_bound"], few_groups=meta["few_groups"],
                n_trees=meta["n_trees"], n_folds=meta["n_folds"],
            )  # fmt: skip
            made.kinds, made._rows, made._n_rows = {}, {}, int(meta["n_rows"])
            for kind, both in meta["kinds"].items():
                parts = {k.removeprefix(f"{kind}."): v for k, v in arrays.items() if k.startswith(f"{kind}.")}
                made._rows[kind] = np.asarray(parts.pop("rows"))
                made.kinds[kind] = GroupConformal.from_arrays(
                    {**parts, "scale_meta": both["scale"], "meta": both["own"]}
                )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            if isinstance(exc, ModelError):
                raise
            raise ModelError(
                f"saved intervals are damaged: {type(exc).__name__} {exc}. Fit or fetch them again."
            ) from exc
        return made

    def _ends(self, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
        lower, upper = middle - half, middle + half
        if self.lower_bound is None:
            return lower, upper
        return np.maximum(lower, self.lower_bound), np.maximum(upper, self.lower_bound)

    def _refuse(self, kind: str, level: float) -> None:
        needed = math.ceil(level / (1.0 - level) - 1e-9)
        what = {"mix": "mixes", "source": "sources"}[kind]
        raise MissingDataError(
            f"a {100 * level:g} % interval for a new {kind} needs tests of at least {needed} {what}; there are "
            f"{len(np.unique(self.of(kind)._group))} (worth {self.of(kind).n_groups:.1f} equal ones). Test more "
            f"{what}, or ask for at most {100 * self.widest_level(kind):.0f} %."
        )


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
def _vector(values: ArrayLike, rows: int, name: str) -> FloatArray:
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
    middle, observed = _vector(centre, rows, "centre"), _vector(y, rows, "y")
    labels = np.asarray(groups)
    if labels.shape != (rows,):
        raise ModelError(f"groups has shape {labels.shape}; expected one label for each of {rows} rows.")
    code = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    if rows == 0 or code.max() == 0:
        raise ModelError("intervals need predictions of at least 2 groups (mixes, or sources); there are fewer.")
    return middle, observed, code, _optional(spread, rows, "spread"), _optional(disagreement, rows, "disagreement")
