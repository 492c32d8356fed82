"""Tree ensembles as plain arrays: boosting, random forests, extra-trees and single trees in one format.

Made from a fitted scikit-learn estimator, predicted without it, and equal to it bit for bit. Neither loading nor
predicting imports scikit-learn or pandas. With leaf values on a binary grid (`Trees.rounded`) every sum is exact, so
that results do not depend on the order of evaluation; grids and lattices are evaluated in that arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from . import _tree_kernels as kernels

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

#: Leaves a tree may have to be kept as a mask, and bytes the table of masks of an ensemble may take.
MASK_LEAVES = 64
MASK_BYTES = 1 << 26
_FIELDS = ("feature", "threshold", "left", "right", "missing_left", "value", "roots", "base", "divisor", "n_features")


@dataclass(frozen=True, eq=False)
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
            float(np.ravel(model._baseline_prediction)[0]),
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
        estimators = list(np.ravel(estimators)) if mean else [model]
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
        unit = self._unit(bits)
        return Trees(
            self.feature, self.threshold, self.left, self.right, self.missing_left,
            np.round(self.value / unit) * unit, self.roots, round(self.base / unit) * unit, self.divisor,
            self.n_features,
        )  # fmt: skip

    def _unit(self, bits: int = 30) -> float:
        """Largest grid of at most 2^-bits on which no sum of leaves exceeds 52 bits."""
        largest = (
            float(np.sum(np.maximum.reduceat(np.abs(self.value), self.roots))) + abs(self.base) if len(self) else 0.0
        )
        room = 51 - int(np.ceil(np.log2(max(largest, 1e-300)))) if largest > 0 else bits
        return float(2.0 ** -min(bits, room))

    # -- used --------------------------------------------------------------------------------------------------------

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
        n = len(x)
        out = np.empty(n)
        kernel, arguments = self._kernel
        if threads <= 1 or n < 2 * kernels.CHUNK:
            kernel(x, 0, *arguments, out)
            return out
        edges = np.linspace(0, n, threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            jobs = [
                pool.submit(kernel, x, int(a), *arguments, out[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)
            ]
            for job in jobs:
                job.result()
        return out

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
        rank = np.empty((len(x), self.n_features), dtype=np.int32)
        kernels.rank_rows(x, 0, packed.thresholds, packed.start, rank)
        at = np.empty((len(x), len(self)), dtype=np.int32)
        kernels.walk_leaves(rank, packed.node, self.roots, packed.depth, at)
        return np.asarray(packed.old[at] - self.roots, dtype=np.int32)

    def _rows(self, X: ArrayLike) -> FloatArray:
        x = np.ascontiguousarray(X, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.n_features:
            raise ModelError(
                f"features of shape {x.shape}; expected (rows, {self.n_features}): one column for each feature the "
                f"trees were fitted to, in the same order."
            )
        return x

    # -- derived arrays, made at first use ---------------------------------------------------------------------------

    @cached_property
    def _packed(self) -> _Packed:
        return _pack(self)

    @cached_property
    def _masks(self) -> tuple[NDArray[Any], FloatArray] | None:
        """Table of masks and leaf values by group, or None where the trees are too large for it."""
        return _mask_table(self, self._packed)

    @cached_property
    def _kernel(self) -> tuple[Any, tuple[Any, ...]]:
        """Fastest kernel for these trees, with its arguments after the rows."""
        packed = self._packed
        masks = self._masks
        if masks is not None:
            return kernels.predict_masks, (
                packed.thresholds, packed.start, masks[0], masks[1], self.base, float(self.divisor),
            )  # fmt: skip
        return kernels.predict_walk, (
            packed.thresholds, packed.start, packed.node, self.roots, packed.depth, packed.leaf, self.base,
            float(self.divisor),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Packed:
    """Trees over ranks: see `_tree_kernels.rank_rows` and `walk_rows` for the arrays.

    `new` and `old` number the nodes: new[node of Trees] is its place here, old[place] the way back.
    """

    thresholds: FloatArray
    start: NDArray[np.int64]
    node: NDArray[np.int32]
    leaf: FloatArray
    depth: IntArray
    new: NDArray[np.int64]
    old: NDArray[np.int64]


def _pack(trees: Trees) -> _Packed:
    inner = np.flatnonzero(trees.feature >= 0)
    n = len(trees.feature)
    sizes = np.diff(np.append(trees.roots, n))
    tree = np.repeat(np.arange(len(trees)), sizes)
    # The children of the k-th inner node of a tree stand at 1 + 2 k and 2 + 2 k behind its root.
    of = tree[inner]
    order = np.arange(len(inner)) - np.searchsorted(of, np.arange(len(trees)))[of] if len(inner) else inner
    new = np.zeros(n, dtype=np.int64)
    new[trees.roots] = trees.roots
    new[trees.left[inner]] = trees.roots[of] + 1 + 2 * order
    new[trees.right[inner]] = trees.roots[of] + 2 + 2 * order
    old = np.empty(n, dtype=np.int64)
    old[new] = np.arange(n)
    start = np.zeros(trees.n_features + 1, dtype=np.int64)
    lists = []
    low = np.zeros(n, dtype=np.int64)
    for f in range(trees.n_features):
        mine = inner[trees.feature[inner] == f]
        values, at = np.unique(trees.threshold[mine], return_inverse=True)
        lists.append(values)
        start[f + 1] = start[f] + len(values)
        low[mine] = at + 1
    feature = trees.feature[inner]
    number = np.diff(start)[feature]
    offset = start[feature] + 2 * feature
    node = np.zeros((n, 4), dtype=np.int32)
    node[:, 2] = np.arange(n)
    at = new[inner]
    node[at, 0] = offset + low[inner]
    node[at, 1] = number + 2 - trees.missing_left[inner] - low[inner]
    node[at, 2] = new[trees.left[inner]]
    node[at, 3] = feature
    leaf = np.empty(n)
    leaf[new] = trees.value
    depth = np.zeros(len(trees), dtype=np.int32)
    level = 0
    front = inner[np.isin(inner, trees.roots)]
    while len(front):
        level += 1
        depth[tree[front]] = level
        below = np.concatenate([trees.left[front], trees.right[front]])
        front = below[trees.feature[below] >= 0]
    thresholds = np.concatenate(lists) if lists else np.empty(0)
    return _Packed(thresholds, start, node, leaf, depth, new, old)


def _leaf_ranges(trees: Trees, packed: _Packed, features: Sequence[int]) -> tuple[Any, Any, Any]:
    """Ranks that each node allows: first, end (both (n_nodes, n)), counted within the feature, and if missing too."""
    n = len(trees.feature)
    first = np.zeros((n, len(features)), dtype=np.int32)
    end = np.zeros((n, len(features)), dtype=np.int32)
    missing = np.ones((n, len(features)), dtype=np.bool_)
    column = np.full(trees.n_features, -1)
    column[list(features)] = np.arange(len(features))
    end[trees.roots] = np.diff(packed.start)[list(features)] + 1
    front = trees.roots[trees.feature[trees.roots] >= 0]
    while len(front):
        f = trees.feature[front]
        low = packed.node[packed.new[front], 0] - (packed.start[f] + 2 * f)
        for child, is_left in ((trees.left[front], True), (trees.right[front], False)):
            first[child], end[child], missing[child] = first[front], end[front], missing[front]
            mine = np.flatnonzero(column[f] >= 0)
            c, k = child[mine], column[f][mine]
            if is_left:
                end[c, k] = np.minimum(end[c, k], low[mine])
            else:
                first[c, k] = np.maximum(first[c, k], low[mine])
            missing[c, k] &= trees.missing_left[front[mine]] == is_left
        below = np.concatenate([trees.left[front], trees.right[front]])
        front = below[trees.feature[below] >= 0]
    return first, end, missing


def _mask_table(trees: Trees, packed: _Packed) -> tuple[NDArray[Any], FloatArray] | None:
    n = len(trees.feature)
    sizes = np.diff(np.append(trees.roots, n))
    most = int(((sizes + 1) // 2).max()) if len(trees) else 1
    if most > MASK_LEAVES:
        return None
    width: Any = np.uint16 if most <= 16 else np.uint32 if most <= 32 else np.uint64
    n_groups = -(-len(trees) // kernels.GROUP)
    n_ranks = int(packed.start[-1]) + 2 * trees.n_features
    if n_groups * n_ranks * kernels.GROUP * np.dtype(width).itemsize > MASK_BYTES:
        return None
    slots = n_groups * kernels.GROUP
    leaves = np.flatnonzero(trees.feature < 0)
    tree = np.repeat(np.arange(len(trees)), sizes)[leaves]
    bit = np.arange(len(leaves)) - np.searchsorted(tree, np.arange(len(trees)))[tree]
    weight = np.left_shift(np.ones(len(leaves), dtype=width), bit.astype(width))
    table = np.zeros((n_ranks, slots), dtype=width)
    first, end, missing = _leaf_ranges(trees, packed, range(trees.n_features))
    for f in range(trees.n_features):
        offset = int(packed.start[f]) + 2 * f
        number = int(packed.start[f + 1] - packed.start[f])
        a, b = first[leaves, f], end[leaves, f]
        some = np.flatnonzero(a < b)
        part = np.zeros((number + 2, slots), dtype=width)
        np.add.at(part, (a[some], tree[some]), weight[some])
        np.subtract.at(part, (b[some], tree[some]), weight[some])
        np.cumsum(part, axis=0, dtype=width, out=part)
        part[number + 1] = 0
        gone = np.flatnonzero(missing[leaves, f])
        np.add.at(part[number + 1], tree[gone], weight[gone])
        part[:, len(trees) :] = 1
        table[offset : offset + number + 2] = part
    grouped = np.ascontiguousarray(table.reshape(n_ranks, n_groups, kernels.GROUP).transpose(1, 0, 2))
    value = np.zeros((slots, max(most, 1)))
    value[tree, bit] = trees.value[leaves]
    return grouped, value.reshape(n_groups, kernels.GROUP, -1)


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
        f"tree ensemble, field '{field}'{at}: {found}; expected {expected}. The file is damaged or was changed by hand; "
        f"export it again from the fitted model."
    )


def _check(t: Trees) -> None:
    """Refuse what is not a set of trees: every index in range, every node below exactly one other, all finite."""
    n = len(t.feature)
    for field in ("threshold", "left", "right", "missing_left", "value"):
        if getattr(t, field).shape != (n,):
            raise _damaged(field, "", f"shape {getattr(t, field).shape}", f"({n},), one for each node")
    if t.n_features < 0 or t.divisor < 1 or not np.isfinite(t.base):
        raise _damaged("base, divisor, n_features", "", f"{t.base}, {t.divisor}, {t.n_features}", "finite, >= 1, >= 0")
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
