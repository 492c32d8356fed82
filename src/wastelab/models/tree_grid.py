"""Tree ensembles on mixes x process points (ages, temperatures, times), the mix looked up once for all points.

Evaluated in the exact arithmetic of `Trees.rounded`, so that the result is bit for bit that of the rounded trees on
every combination, whatever the order of the mixes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from . import _tree_grid_kernels as kernels
from ._tree_tables import leaf_ranges

if TYPE_CHECKING:
    from ._tree_tables import Masks
    from .trees import Trees

FloatArray = NDArray[np.float64]
#: Axes a grid may have.
MAX_AXES = 4


class TreeGrid:
    """An ensemble prepared for one grid of process points.

    Parameters
    ----------
    trees : Trees
    axes : mapping of int to array_like
        Values of each feature that is an axis, ascending; the grid is their product, in this order.

    Raises
    ------
    ModelError
        If an axis is no feature, is empty, not finite or not ascending, or if there are none or too many.

    Notes
    -----
    No other feature may depend on an axis: a derived column such as an equivalent age must be an axis itself. Mixes in
    the order of a lattice are fastest, as only the leaves that change from one to the next are exchanged.
    """

    def __init__(self, trees: Trees, axes: Mapping[int, ArrayLike]) -> None:
        if not 1 <= len(axes) <= MAX_AXES:
            raise ModelError(f"grid of {len(axes)} axes; expected 1 to {MAX_AXES}.")
        self.trees = trees
        self.axes = {int(f): check_axis(f, values, trees.n_features) for f, values in axes.items()}
        self.shape = tuple(len(v) for v in self.axes.values())
        self._kernel: Any
        self._arguments: tuple[Any, ...]
        self._kernel, self._arguments = self._by_walk() if trees._masks is None else self._by_masks(trees._masks)

    def _by_walk(self) -> tuple[Any, tuple[Any, ...]]:
        """Kernel and arguments for deep trees."""
        trees = self.trees
        packed, fixed = trees._packed, trees.rounded()
        points = np.zeros((int(np.prod(self.shape)), trees.n_features))
        points[:, list(self.axes)] = np.stack(np.meshgrid(*self.axes.values(), indexing="ij"), -1).reshape(
            len(points), -1
        )
        axis = np.repeat(np.isin(packed.columns, list(self.axes)), 2)
        return kernels.grid_walk, (
            packed.columns, packed.thresholds, packed.start, trees._ranks(points), axis, packed.node, trees.roots,
            packed.depth, fixed.value[packed.old], fixed.base, float(trees.divisor),
        )  # fmt: skip

    def _by_masks(self, masks: Masks) -> tuple[Any, tuple[Any, ...]]:
        """Kernel and arguments for trees whose leaves are bits."""
        trees, packed = self.trees, self.trees._packed
        leaves = masks.leaves
        first, end, _ = leaf_ranges(trees, packed, list(self.axes))
        sides = []
        for k, (f, values) in enumerate(self.axes.items()):
            rank = np.searchsorted(packed.thresholds[packed.start[f] : packed.start[f + 1]], values, side="left")
            sides.append((np.searchsorted(rank, first[leaves, k]), np.searchsorted(rank, end[leaves, k])))
        answers = np.logical_and.reduce([a < b for a, b in sides])
        extent = np.array([size + 1 for size in self.shape], dtype=np.int64)
        step = np.append(np.cumprod(extent[::-1])[::-1][1:], 1)
        # Corners of each leaf's box, twice the place and 1 more where its value is taken away; those in the grid first.
        corners, inside = [], []
        for choice in itertools.product((0, 1), repeat=len(sides)):
            at = sum(side[c] * s for side, c, s in zip(sides, choice, step, strict=True))
            corners.append(2 * at + sum(choice) % 2)
            ends = [sides[k][1] < self.shape[k] for k, c in enumerate(choice) if c]
            inside.append(np.logical_and.reduce(ends) if ends else np.ones(len(leaves), dtype=np.bool_))
        within = np.stack(inside, axis=1)
        order = np.argsort(~within, axis=1, kind="stable")
        corner = np.take_along_axis(np.stack(corners, axis=1), order, axis=1).astype(np.int32)
        n_corners = within.sum(axis=1).astype(np.uint8)
        if len(corners) <= 4:  # a loop of fixed length over all is faster than one over those that matter
            n_corners[:] = len(corners)
        place = np.ravel_multi_index(tuple(np.indices(self.shape).reshape(len(self.shape), -1)), tuple(extent))
        unit = trees.unit()
        value = np.round(trees.value[leaves] / unit).astype(np.int64)
        columns = np.array([f for f in packed.columns if f not in self.axes], dtype=np.int64)
        return kernels.grid_masks, (
            columns, packed.thresholds, packed.start, masks.table, masks.live(answers), masks.spread(value).ravel(),
            masks.spread(corner).ravel(), masks.spread(n_corners).ravel(), round(trees.base / unit), extent,
            place.astype(np.int64), unit, float(trees.divisor),
        )  # fmt: skip

    def predict(self, X: ArrayLike, *, threads: int = 1) -> FloatArray:
        """Predictions of mixes at all process points.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            One row for each mix; what stands in the columns of the axes is not looked at.
        threads : int, default 1
            The result is the same for any number.

        Returns
        -------
        ndarray, shape (n_rows, *shape)
        """
        x = self.trees._rows(X)
        out = np.empty((len(x), int(np.prod(self.shape))))
        run_parts(lambda a, b: self._kernel(x, a, *self._arguments, out[a:b]), len(x), threads)
        return out.reshape(len(x), *self.shape)


def check_rows(X: ArrayLike, n_features: int) -> FloatArray:
    """A table of features as kernels want it, or a `ModelError` that says what is wrong with it."""
    try:
        x = np.ascontiguousarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError(
            f"features are a {type(X).__name__} that does not read as numbers; expected an array of numbers of shape "
            f"(rows, {n_features}), NaN where something is missing."
        ) from None
    if x.ndim != 2 or x.shape[1] != n_features:
        raise ModelError(
            f"features of shape {x.shape}; expected (rows, {n_features}): one column for each feature the model was "
            f"fitted to, in the same order."
        )
    return x


def check_axis(feature: Any, values: ArrayLike, n_features: int) -> FloatArray:
    """Values of an axis, or a `ModelError` that says what is wrong with them."""
    if not 0 <= int(feature) < n_features:
        raise ModelError(f"axis of feature {feature}: there are features 0 to {n_features - 1}.")
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all() or np.any(np.diff(array) <= 0):
        raise ModelError(f"axis of feature {feature}: {array!r}; expected finite numbers, each above the one before.")
    return array


def run_parts(job: Any, n: int, threads: int) -> None:
    """Run ``job(first, end)`` on parts of `n` rows, in threads where there is enough to do."""
    parts = max(1, min(int(threads), n // 256))
    if parts == 1:
        job(0, n)
        return
    edges = np.linspace(0, n, parts + 1).astype(int).tolist()
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(job, a, b) for a, b in itertools.pairwise(edges)]:
            done.result()
