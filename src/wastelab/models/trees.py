"""Tree ensembles as plain arrays: boosting, random forests, extra-trees and single trees in one format.

Made from a fitted scikit-learn estimator, predicted without it, and equal to it bit for bit. Neither loading nor
predicting imports scikit-learn or pandas. With leaf values on a binary grid (`Trees.rounded`) every sum is exact, so
that results do not depend on the order of evaluation; grids and lattices are evaluated in that arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from . import _tree_kernels as kernels
from ._tree_tables import Masks, Packed, mask_table, pack
from .tree_grid import TreeGrid, check_rows, run_parts

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

_FIELDS = ("feature", "threshold", "left", "right", "missing_left", "value", "roots", "base", "divisor", "n_features")


@dataclass(frozen=True, eq=False, repr=False)
class Trees:
    """An ensemble of regression trees: ``(base + sum of one leaf of each tree) / divisor``.

    Attributes
    ----------
    feature : ndarray of int32, shape (n_nodes,)
        Feature a node asks about; -1 at a leaf.
    threshold : ndarray of float64, shape (n_nodes,)
        To the left goes what is at most this; infinity where a node only parts what is missing; 0 at a leaf.
    left, right : ndarray of int32, shape (n_nodes,)
        Nodes below, both further on in the arrays; -1 at a leaf.
    missing_left : ndarray of bool, shape (n_nodes,)
        Whether a missing number (NaN) goes left.
    value : ndarray of float64, shape (n_nodes,)
        Of a leaf, learning rate included; 0 elsewhere.
    roots : ndarray of int32, shape (n_trees,)
        First node of each tree; the nodes of a tree stand together, in the order of the trees.
    base : float
        What the sum begins with.
    divisor : int
        1 of a sum (boosting), the number of trees of a mean (forests).
    n_features : int
        Columns that `predict` expects.

    Notes
    -----
    scikit-learn's forests round features to single precision before they compare. Here the thresholds are moved to
    where double precision gives the same answer for every number, so that features need no rounding.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    missing_left: BoolArray
    value: FloatArray
    roots: IntArray
    base: float
    divisor: int
    n_features: int

    # -- made from ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_boosting(cls, model: Any) -> Trees:
        """Of a fitted `sklearn.ensemble.HistGradientBoostingRegressor` with identity link and numeric features.

        Parameters
        ----------
        model : HistGradientBoostingRegressor
            Fitted. Categories must stand in columns of 0 and 1.

        Returns
        -------
        Trees
            Predicts the same bits.

        Raises
        ------
        ModelError
            If it is not fitted, splits natively on categories, or predicts through a logarithm (Poisson, gamma).
        """
        predictors = getattr(model, "_predictors", None)
        if not predictors:
            raise ModelError(f"{type(model).__name__}: not a fitted HistGradientBoostingRegressor. Fit it first.")
        if type(model._loss.link).__name__ != "IdentityLink" or len(predictors[0]) != 1:
            raise ModelError(
                f"{type(model).__name__} with loss '{model.loss}': its trees sum to a logarithm or to several outputs; "
                f"expected one output on its own scale. Fit it with loss='squared_error' (or absolute_error, quantile)."
            )
        parts = [p[0].nodes for p in predictors]
        nodes = np.concatenate(parts)
        if np.any(nodes["is_categorical"]):
            raise ModelError(
                f"{type(model).__name__}: splits on native categories. Encode each level as a column of 0 and 1."
            )
        sizes = np.array([len(p) for p in parts])
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        shift = np.repeat(roots, sizes)
        leaf = nodes["is_leaf"].astype(bool)
        return cls._build(
            np.where(leaf, -1, nodes["feature_idx"]),
            np.where(leaf, 0.0, nodes["num_threshold"]),
            np.where(leaf, -1, nodes["left"].astype(np.int64) + shift),
            np.where(leaf, -1, nodes["right"].astype(np.int64) + shift),
            nodes["missing_go_to_left"].astype(bool) & ~leaf,
            np.where(leaf, nodes["value"], 0.0),
            roots,
            float(np.asarray(model._baseline_prediction).ravel()[0]),
            1,
            int(model.n_features_in_),
        )

    @classmethod
    def from_forest(cls, model: Any) -> Trees:
        """Of a fitted scikit-learn forest or tree: RandomForest-, ExtraTrees-, DecisionTree- or ExtraTreeRegressor.

        Parameters
        ----------
        model : estimator
            Fitted to one target.

        Returns
        -------
        Trees
            Predicts the same bits as the estimator with ``n_jobs=1`` (with more jobs its order of summation is that
            in which its threads end).

        Raises
        ------
        ModelError
            If it is not fitted or has several targets.
        """
        estimators = getattr(model, "estimators_", None)
        mean = estimators is not None
        estimators = list(np.asarray(estimators).ravel()) if mean else [model]
        if not all(hasattr(e, "tree_") for e in estimators):
            raise ModelError(f"{type(model).__name__}: not a fitted forest or tree of scikit-learn. Fit it first.")
        if getattr(model, "n_outputs_", 1) != 1 or hasattr(model, "classes_"):
            raise ModelError(f"{type(model).__name__}: classes or several outputs; expected one number per row.")
        states = [e.tree_.__getstate__() for e in estimators]
        nodes = np.concatenate([s["nodes"] for s in states])
        sizes = np.array([len(s["nodes"]) for s in states])
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        shift = np.repeat(roots, sizes)
        leaf = nodes["left_child"] < 0
        value = np.concatenate([s["values"][:, 0, 0] for s in states])
        return cls._build(
            np.where(leaf, -1, nodes["feature"]),
            np.where(leaf, 0.0, _double_threshold(nodes["threshold"])),
            np.where(leaf, -1, nodes["left_child"] + shift),
            np.where(leaf, -1, nodes["right_child"] + shift),
            nodes["missing_go_to_left"].astype(bool) & ~leaf,
            np.where(leaf, value, 0.0),
            roots,
            0.0,
            len(estimators) if mean else 1,
            int(model.n_features_in_),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Trees:
        """From what `arrays` gave, checked through and through.

        Parameters
        ----------
        arrays : mapping of str to array_like

        Returns
        -------
        Trees

        Raises
        ------
        ModelError
            If anything is missing, of the wrong kind or size, not finite, or is not a set of trees; names the field
            and the node.
        """
        missing = [f for f in _FIELDS if f not in arrays]
        if missing:
            raise ModelError(f"tree ensemble: field '{missing[0]}' is missing. The file is damaged; export it again.")
        given = {f: np.asarray(arrays[f]) for f in _FIELDS}
        for field, array in given.items():
            scalar = field in ("base", "divisor", "n_features")
            if array.ndim != (0 if scalar else 1) or array.dtype.kind not in "iufb":
                raise _damaged(field, "", f"an array of {array.dtype} of shape {array.shape}", "plain numbers")
            if field not in ("threshold", "value", "base", "missing_left") and array.dtype.kind not in "iu":
                raise _damaged(field, "", f"of type {array.dtype}", "integers")
            if array.dtype.kind in "iu" and array.size and (array.min() < -1 or array.max() > 2**31 - 1):
                raise _damaged(field, "", f"{array.min()} to {array.max()}", "-1 to 2147483647")
        return cls._build(*(given[f] for f in _FIELDS))

    @classmethod
    def _build(cls, *fields: Any) -> Trees:
        feature, threshold, left, right, missing_left, value, roots, base, divisor, n_features = fields
        trees = cls(
            np.ascontiguousarray(feature, dtype=np.int32),
            np.ascontiguousarray(threshold, dtype=np.float64),
            np.ascontiguousarray(left, dtype=np.int32),
            np.ascontiguousarray(right, dtype=np.int32),
            np.ascontiguousarray(missing_left, dtype=np.bool_),
            np.ascontiguousarray(value, dtype=np.float64),
            np.ascontiguousarray(roots, dtype=np.int32),
            float(base),
            int(divisor),
            int(n_features),
        )
        _check(trees)
        return trees

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays of plain numbers, for a file; `from_arrays` is the way back."""
        return {f: np.asarray(getattr(self, f)) for f in _FIELDS}

    def rounded(self, bits: int = 30) -> Trees:
        """The same trees with leaf values on a binary grid, so that every sum is exact and free of order.

        Parameters
        ----------
        bits : int, default 30
            Values are rounded to the nearest multiple of 2^-bits; fewer where the sum would not fit 52 bits.

        Returns
        -------
        Trees
            Differs from this one by at most (n_trees + 1) / divisor times 2^-(bits + 1).
        """
        unit = self.unit(bits)
        return replace(self, value=np.round(self.value / unit) * unit, base=round(self.base / unit) * unit)

    def filled(self, median: ArrayLike, gaps: Sequence[int]) -> Trees:
        """The same trees for features with gaps, where these were fitted to filled ones.

        Parameters
        ----------
        median : array_like, shape (n,)
            What took the place of a missing number in each of the first n features.
        gaps : sequence of int
            Features whose gaps are told by a column of 0 and 1 each, in this order behind the first n.

        Returns
        -------
        Trees
            Over n features; its prediction with gaps is, bit for bit, that of these trees with gaps filled.

        Raises
        ------
        ModelError
            If the trees have another number of features.
        """
        middle = np.asarray(median, dtype=np.float64)
        n = len(middle)
        if self.n_features != n + len(gaps):
            raise ModelError(f"trees over {self.n_features} features, but {n} medians and {len(gaps)} columns of gaps.")
        source = np.append(np.arange(n), np.asarray(gaps, dtype=np.int64)).astype(np.int32)
        inner = self.feature >= 0
        column, at = self.feature[inner], self.threshold[inner]
        tells = column >= n
        feature, threshold, missing_left = self.feature.copy(), self.threshold.copy(), self.missing_left.copy()
        feature[inner] = source[column]
        threshold[inner] = np.where(tells, np.where(at >= 0.0, np.inf, -np.inf), at)
        missing_left[inner] = np.where(tells, at >= 1.0, middle[np.minimum(column, n - 1)] <= at)
        return replace(self, feature=feature, threshold=threshold, missing_left=missing_left, n_features=n)

    def over(self, columns: Sequence[int], n_features: int) -> Trees:
        """The same trees for a wider table: feature j becomes column ``columns[j]`` of `n_features`."""
        place = np.append(np.asarray(columns, dtype=np.int32), np.int32(-1))
        if len(columns) != self.n_features or np.any(place[:-1] < 0) or np.any(place >= n_features):
            raise ModelError(
                f"trees over {self.n_features} features: columns {list(columns)} of {n_features} do not fit."
            )
        return replace(self, feature=place[self.feature], n_features=n_features)

    def unit(self, bits: int = 30) -> float:
        """Grid on which `rounded` puts the leaf values: 2^-bits, or coarser where the sum would not fit 52 bits."""
        largest = abs(self.base)
        if len(self):
            largest += float(np.sum(np.maximum.reduceat(np.abs(self.value), self.roots)))
        return float(2.0 ** -min(bits, 51 - int(np.frexp(largest)[1])))

    # -- used --------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Trees({len(self)} trees, {len(self.feature)} nodes, {self.n_features} features)"

    def __len__(self) -> int:
        return len(self.roots)

    def predict(self, X: ArrayLike, *, threads: int = 1) -> FloatArray:
        """Predictions.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            NaN where something is missing.
        threads : int, default 1
            The result is the same for any number.

        Returns
        -------
        ndarray, shape (n_rows,)

        Raises
        ------
        ModelError
            If `X` is no table of `n_features` columns.
        """
        x = self._rows(X)
        kernel, arguments = self._kernel
        out = np.empty(len(x))
        if threads <= 1:
            kernel(x, 0, *arguments, out)
        else:
            run_parts(lambda a, b: kernel(x, a, *arguments, out[a:b]), len(x), threads)
        return out

    def predict_grid(self, X: ArrayLike, axes: Mapping[int, ArrayLike], *, threads: int = 1) -> FloatArray:
        """Predictions of mixes at all combinations of the values of some features.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            One row for each mix; what stands in the columns of the axes is not looked at.
        axes : mapping of int to array_like
            Values of each feature that is an axis, ascending. No other feature may depend on them.
        threads : int, default 1

        Returns
        -------
        ndarray, shape (n_rows, *lengths of the axes)
            Bit for bit what ``self.rounded().predict`` gives on the combinations.
        """
        key = tuple((int(f), np.asarray(v, dtype=np.float64).tobytes()) for f, v in axes.items())
        kept = self.__dict__.get("_grid")
        if kept is None or kept[0] != key:
            kept = self.__dict__["_grid"] = (key, TreeGrid(self, axes))
        grid: TreeGrid = kept[1]
        return grid.predict(X, threads=threads)

    def leaves(self, X: ArrayLike) -> IntArray:
        """Leaf in which each row ends, as the number of its node within its tree (as scikit-learn's ``apply``).

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)

        Returns
        -------
        ndarray of int32, shape (n_rows, n_trees)
        """
        x = self._rows(X)
        packed = self._packed
        rank = self._ranks(x)
        at = np.empty((len(x), len(self)), dtype=np.int64)
        kernels.walk_leaves(rank.ravel(), rank.shape[1], packed.node, self.roots, packed.depth, at)
        return np.asarray(packed.old[at] - self.roots, dtype=np.int32)

    def bounds(self, lower: ArrayLike, upper: ArrayLike) -> tuple[Any, Any]:
        """Interval that holds every prediction in a box of features.

        Parameters
        ----------
        lower, upper : array_like, shape (n_features,) or (n_boxes, n_features)
            Corners, both included; infinite where a feature may be anything. NaN in both: the feature is missing.

        Returns
        -------
        least, most : float or ndarray, shape (n_boxes,)
            Each tree contributes the least and the greatest of its leaves that the box reaches, exactly; the sum holds
            every prediction in the box, to the last bit, and is met if the trees agree on where they are extreme. The
            smaller the box, the tighter; on a single point both are the prediction.

        Raises
        ------
        ModelError
            If a lower corner is above the upper one, or only one of them is NaN.
        """
        low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        single = low.ndim == 1
        low, high = self._rows(np.atleast_2d(low)), self._rows(np.atleast_2d(high))
        bad = ~((low <= high) | (np.isnan(low) & np.isnan(high))) if low.shape == high.shape else np.ones((1, 1), bool)
        if bad.any():
            i, f = (int(v[0]) for v in np.nonzero(bad))
            raise ModelError(
                f"box {i}, feature {f}: from {low[i, f]} to {high[i, f]}; expected a lower corner at most the upper "
                f"one (both NaN where the feature is missing), and as many of one as of the other."
            )
        packed = self._packed
        least, most = np.empty(len(low)), np.empty(len(low))
        kernels.bounds(
            self._ranks(low), self._ranks(high), packed.node, self.roots, packed.leaf, self.base, float(self.divisor),
            least, most,
        )  # fmt: skip
        return (float(least[0]), float(most[0])) if single else (least, most)

    @property
    def kernel(self) -> tuple[Any, tuple[Any, ...]]:
        """An `@njit` function and its arguments after the row: ``function(x, *arguments)``, x (n_features,), float out.

        For use inside other kernels; `predict` runs the same code.
        """
        _, arguments = self._kernel
        return (kernels.one_by_walk if self._masks is None else kernels.one_by_masks), arguments

    def _rows(self, X: ArrayLike) -> FloatArray:
        return check_rows(X, self.n_features)

    def _ranks(self, x: FloatArray) -> NDArray[np.uint32]:
        packed = self._packed
        rank = np.empty((len(x), 2 * len(packed.columns)), dtype=np.uint32)
        kernels.walking_ranks(x, 0, packed.columns, packed.thresholds, packed.start, rank)
        return rank

    # -- derived arrays, made at first use ---------------------------------------------------------------------------

    @cached_property
    def _packed(self) -> Packed:
        return pack(self)

    @cached_property
    def _masks(self) -> Masks | None:
        return mask_table(self, self._packed)

    @cached_property
    def _kernel(self) -> tuple[Any, tuple[Any, ...]]:
        """Fastest kernel for these trees, with its arguments after the rows."""
        packed, masks = self._packed, self._masks
        before = (packed.columns, packed.thresholds, packed.start)
        after = (self.base, float(self.divisor))
        if masks is not None:
            return kernels.predict_masks, (*before, masks.table, masks.leaf, *after)
        return kernels.predict_walk, (*before, packed.node, self.roots, packed.depth, packed.leaf, *after)


def _double_threshold(threshold: ArrayLike) -> FloatArray:
    """Largest double that single precision rounds to at most `threshold`: x <= it where float32(x) <= threshold."""
    t = np.asarray(threshold, dtype=np.float64)
    below = t.astype(np.float32)
    below = np.where(below.astype(np.float64) > t, np.nextafter(below, np.float32(-np.inf)), below)
    above = np.nextafter(below, np.float32(np.inf))
    middle = (below.astype(np.float64) + above.astype(np.float64)) / 2.0
    even = below.view(np.int32) & 1 == 0
    return np.asarray(np.where(even, middle, np.nextafter(middle, -np.inf)))


def _damaged(field: str, where: str, found: str, expected: str) -> ModelError:
    at = f", {where}" if where else ""
    return ModelError(
        f"tree ensemble, field '{field}'{at}: {found}; expected {expected}. The file is damaged or was changed by "
        f"hand; export it again from the fitted model."
    )


def _check(t: Trees) -> None:
    """Refuse what is not a set of trees: every index in range, every node below exactly one other, all finite."""
    n = len(t.feature)
    for field in ("threshold", "left", "right", "missing_left", "value"):
        if getattr(t, field).shape != (n,):
            raise _damaged(field, "", f"shape {getattr(t, field).shape}", f"({n},), one for each node")
    if t.n_features < 1 or t.divisor < 1 or not np.isfinite(t.base):
        raise _damaged("base, divisor, n_features", "", f"{t.base}, {t.divisor}, {t.n_features}", "finite, >= 1, >= 1")
    roots = t.roots.astype(np.int64)
    if (len(roots) == 0) != (n == 0) or (n and (roots[0] != 0 or np.any(np.diff(roots) <= 0) or roots[-1] >= n)):
        raise _damaged("roots", "", "not ascending from 0 below the number of nodes", "the first node of each tree")
    if not n:
        return
    nodes = np.arange(n)
    ends = np.append(roots[1:], n)[np.searchsorted(roots, nodes, side="right") - 1]
    leaf = t.feature == -1

    def at(bad: BoolArray) -> str:
        return f"node {int(np.flatnonzero(bad)[0])}"

    bad = (t.feature < -1) | (t.feature >= t.n_features)
    if bad.any():
        raise _damaged("feature", at(bad), str(t.feature[bad][0]), f"-1 to {t.n_features - 1}")
    bad = np.isnan(t.threshold) & ~leaf
    if bad.any():
        raise _damaged("threshold", at(bad), "NaN", "a number")
    bad = ~np.isfinite(t.value)
    if bad.any():
        raise _damaged("value", at(bad), str(t.value[bad][0]), "a finite number")
    for field in ("left", "right"):
        child = getattr(t, field)
        bad = np.where(leaf, child != -1, (child <= nodes) | (child >= ends))
        if bad.any():
            raise _damaged(field, at(bad), str(child[bad][0]), "a later node of the same tree (-1 at a leaf)")
    parents = np.bincount(np.concatenate([t.left[~leaf], t.right[~leaf]]), minlength=n)
    expected = np.ones(n, dtype=np.int64)
    expected[roots] = 0
    bad = parents != expected
    if bad.any():
        raise _damaged("left, right", at(bad), f"{parents[bad][0]} nodes lead to it", f"{expected[bad][0]}")
