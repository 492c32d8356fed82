"""How large the error of a prediction is expected to be, row by row: what a conformal score is divided by.

Learned from absolute out-of-fold errors, by folds that keep groups whole, because a row whose mix the scale has seen
would look easier than a new mix is. Little data get a simple scale: constant, in proportion to the property, or the
model's own spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ModelError
from .design import Design, FloatArray, IntArray
from .folds import assign_groups, splits
from .trees import Trees

#: Rows below which the width is constant, and below which it follows the property or the model's spread alone.
FEW_ROWS, SOME_ROWS = 30, 100
#: By name: what errors are taken to be in proportion to. Simple ones first: they win ties.
KINDS = ("constant", "property", "spread", "learned")


class ResidualScale:
    """Expected size of an error.

    Parameters
    ----------
    random_state : int
    n_trees : int
    n_folds : int
        By group, for the scale of the rows it is fitted to.

    Attributes
    ----------
    kind : str
        One of `KINDS`, the one with the best interval score at 90 % over the folds.
    tried : dict of str to float
        Interval score of each kind that there was data enough for [unit of the property].
    own : ndarray
        Scale of each row it was fitted to, by folds without its group.
    fold : ndarray of int
    """

    def __init__(self, random_state: int = 0, *, n_trees: int = 100, n_folds: int = 8) -> None:
        self.random_state = random_state
        self.n_trees = n_trees
        self.n_folds = n_folds

    def fit(
        self, design: Design, centre: FloatArray, error: FloatArray, groups: IntArray, spread: FloatArray,
        disagreement: FloatArray,
    ) -> ResidualScale:  # fmt: skip
        """Choose a kind of scale and fit it.

        Parameters
        ----------
        design : Design
        centre : ndarray, shape (n_rows,)
            Out-of-fold predictions.
        error : ndarray, shape (n_rows,)
            Their absolute errors.
        groups : ndarray of int, shape (n_rows,)
        spread, disagreement : ndarray, shape (n_rows,)
            Standard deviation that the model states itself, and that among its members; NaN where there is none.
        """
        rows = len(error)
        self._size = max(float(np.mean(error)), 1e-12 * max(float(np.max(np.abs(centre))), 1.0), 1e-300)
        self._span = float(np.quantile(np.abs(centre), 0.9))
        self._has_spread = bool(np.isfinite(spread).all() and np.median(spread) > 0)
        self._least = 1e-3 * float(np.median(spread)) if self._has_spread else 0.0
        self._line = (self._size, 0.0)
        self.trees: Trees | None = None
        self.fold = assign_groups(groups, self.n_folds, self.random_state)
        names = ["constant"]
        if rows >= FEW_ROWS:
            names += ["property"] + ["spread"] * self._has_spread
        if rows >= SOME_ROWS:
            names += ["learned"]
        own: dict[str, FloatArray] = {}
        for name in names:
            own[name] = np.empty(rows)
            for train, test in splits(self.fold):
                if len(train) == 0:
                    train = test
                state = self._fitted(name, design.rows(train), centre[train], error[train], spread[train],
                                     disagreement[train])  # fmt: skip
                own[name][test] = self._applied(
                    name, state, design.rows(test), centre[test], spread[test], disagreement[test]
                )
        self.tried = {name: _interval_score(error, own[name], self.fold) for name in names}
        self.kind = min(names, key=lambda name: (self.tried[name], KINDS.index(name)))
        self.own = own[self.kind]
        state = self._fitted(self.kind, design, centre, error, spread, disagreement)
        if self.kind == "learned":
            self.trees = state
        elif self.kind == "property":
            self._line = state
        return self

    def predict(
        self, design: Design, centre: FloatArray, spread: FloatArray, disagreement: FloatArray
    ) -> FloatArray:  # fmt: skip
        """Scale of new rows, shape (n_rows,), above 0.

        Raises
        ------
        ModelError
            If the scale needs the model's spread and a row has none.
        """
        state = self.trees if self.kind == "learned" else self._line
        return self._applied(self.kind, state, design, centre, spread, disagreement)

    # -- each kind
    def _fitted(
        self, name: str, design: Design, centre: FloatArray, error: FloatArray, spread: FloatArray,
        disagreement: FloatArray,
    ) -> Any:  # fmt: skip
        if name == "property":
            return _line(np.abs(centre), error, self._size)
        if name != "learned":
            return None
        from sklearn.ensemble import ExtraTreesRegressor

        forest = ExtraTreesRegressor(
            self.n_trees, min_samples_leaf=6, max_features=0.3, random_state=self.random_state
        ).fit(_columns(design, centre, spread, disagreement), error / self._base(spread))
        return Trees.from_forest(forest)

    def _applied(
        self, name: str, state: Any, design: Design, centre: FloatArray, spread: FloatArray, disagreement: FloatArray
    ) -> FloatArray:  # fmt: skip
        if name == "constant":
            return np.full(len(centre), self._size)
        if name == "property":
            return np.asarray(np.maximum(state[0] + state[1] * np.abs(centre), 0.05 * self._size))
        base = self._base(spread)
        if name == "spread":
            return base
        ratio = state.predict(_columns(design, centre, spread, disagreement))
        least = 0.05 if self._has_spread else 0.05 * self._size
        return np.asarray(np.maximum(ratio, least) * base)

    def _base(self, spread: FloatArray) -> FloatArray:
        if not self._has_spread:
            return np.ones(len(spread))
        if not np.isfinite(spread).all():
            raise ModelError(
                f"row {int(np.flatnonzero(~np.isfinite(spread))[0])}: the model states no spread here, and the "
                f"intervals were calibrated with one. Give the spread of the same learner as in fitting."
            )
        return np.maximum(spread, self._least)

    # -- stored
    def to_arrays(self) -> dict[str, Any]:
        """Arrays, and plain values under ``meta``."""
        out: dict[str, Any] = {"own": self.own, "fold": self.fold}
        if self.trees is not None:
            out |= {f"trees_{name}": np.asarray(value) for name, value in self.trees.arrays().items()}
        out["meta"] = {
            "kind": self.kind, "tried": self.tried, "size": self._size, "least": self._least, "line": list(self._line),
            "has_spread": self._has_spread, "random_state": self.random_state, "n_trees": self.n_trees,
            "n_folds": self.n_folds,
        }  # fmt: skip
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> ResidualScale:
        """The scale that `to_arrays` took apart."""
        meta = arrays["meta"]
        made = cls(int(meta["random_state"]), n_trees=int(meta["n_trees"]), n_folds=int(meta["n_folds"]))
        if meta["kind"] not in KINDS:
            raise ModelError(f"a saved scale of intervals is of kind {meta['kind']!r}; expected one of {KINDS}.")
        made.kind, made.tried = meta["kind"], {k: float(v) for k, v in meta["tried"].items()}
        made._size, made._least = float(meta["size"]), float(meta["least"])
        made._line, made._has_spread = (float(meta["line"][0]), float(meta["line"][1])), bool(meta["has_spread"])
        made.own, made.fold = np.asarray(arrays["own"]), np.asarray(arrays["fold"])
        trees = {name.removeprefix("trees_"): value for name, value in arrays.items() if name.startswith("trees_")}
        made.trees = Trees.from_arrays(trees) if trees else None
        if (made.kind == "learned") != (made.trees is not None):
            raise ModelError(f"a saved scale of intervals of kind {made.kind!r} does not match its trees.")
        return made


def _columns(design: Design, centre: FloatArray, spread: FloatArray, disagreement: FloatArray) -> FloatArray:
    """What a learned scale looks at; what there is none of is 0 throughout."""
    extra = np.column_stack([centre, spread, disagreement])
    return np.ascontiguousarray(np.column_stack([design.values, np.where(np.isfinite(extra), extra, 0.0)]))


def _line(size: FloatArray, error: FloatArray, mean: float) -> tuple[float, float]:
    """Errors as a line in the size of the property that neither falls nor starts below a tenth of their mean."""
    centred = size - size.mean()
    slope = max(float(centred @ error) / max(float(centred @ centred), 1e-300), 0.0)
    start = float(error.mean()) - slope * float(size.mean())
    if start < 0.1 * mean:
        start = 0.1 * mean
        slope = max(float(size @ (error - start)) / max(float(size @ size), 1e-300), 0.0)
    return start, slope


def _interval_score(error: FloatArray, scale: FloatArray, fold: IntArray, level: float = 0.9) -> float:
    """Mean interval score when each fold's intervals are calibrated by the others."""
    half = np.empty(len(error))
    for train, test in splits(fold):
        there = train if len(train) else test
        half[test] = scale[test] * float(np.quantile(error[there] / scale[there], level))
    return float(np.mean(2 * half + 2 / (1 - level) * np.maximum(error - half, 0.0)))
