"""Arrays that the kernels of tree ensembles work on, derived from the plain arrays of `trees.Trees`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ._tree_kernels import CHILD_MASK, COLUMN_MASK, COLUMN_SHIFT, GROUP, NEVER, RANK_SHIFT

if TYPE_CHECKING:
    from .trees import Trees

FloatArray = NDArray[np.float64]
#: Leaves a tree may have to be kept as a mask, and bytes the table of masks of an ensemble may take.
MASK_LEAVES = 64
MASK_BYTES = 3 << 23


@dataclass(frozen=True, eq=False)
class Packed:
    """Trees over ranks: see `_tree_kernels.rank_rows` and `walk_rows` for the arrays.

    `new` and `old` number the nodes: new[node of Trees] is its place here, old[place] the way back; `low` is the rank
    (within the feature) from which a node of Trees sends right.
    """

    columns: NDArray[np.int64]
    thresholds: FloatArray
    start: NDArray[np.int64]
    node: NDArray[np.uint64]
    leaf: FloatArray
    depth: NDArray[np.int32]
    tree: NDArray[np.int64]
    new: NDArray[np.int64]
    old: NDArray[np.int64]
    low: NDArray[np.int64]


def pack(trees: Trees) -> Packed:
    """Nodes with thresholds replaced by ranks and children side by side."""
    inner = np.flatnonzero(trees.feature >= 0)
    n = len(trees.feature)
    tree = np.repeat(np.arange(len(trees)), np.diff(np.append(trees.roots, n)))
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
    lists = [np.empty(0)]
    low = np.zeros(n, dtype=np.int64)
    for f in range(trees.n_features):
        mine = inner[trees.feature[inner] == f]
        values, at = np.unique(trees.threshold[mine], return_inverse=True)
        lists.append(values)
        start[f + 1] = start[f] + len(values)
        low[mine] = at + 1
    columns = np.flatnonzero(np.diff(start))
    if not len(columns):
        columns = np.zeros(1, dtype=np.int64)
    position = np.zeros(trees.n_features, dtype=np.int64)
    position[columns] = np.arange(len(columns))
    feature = trees.feature[inner].astype(np.int64)
    child, column, rank = np.arange(n) - trees.roots[tree], np.zeros(n, dtype=np.int64), np.full(n, int(NEVER))
    at = new[inner]
    child[at] = new[trees.left[inner]] - trees.roots[of]
    column[at] = 2 * position[feature] + np.where(trees.missing_left[inner], 0, 1)
    rank[at] = start[feature] + 2 * feature + low[inner]
    if n and (child.max() >= CHILD_MASK or column.max() > COLUMN_MASK or start[-1] + 2 * trees.n_features >= NEVER - 1):
        raise ModelError(
            f"{len(trees)} trees of {n} nodes over {trees.n_features} features are too large to be compiled: expected "
            f"less than 16 million nodes a tree, 2000 features and 200 million thresholds. Fit fewer or smaller trees."
        )
    node = child.astype(np.uint64) | column.astype(np.uint64) << COLUMN_SHIFT | rank.astype(np.uint64) << RANK_SHIFT
    leaf = np.empty(n)
    leaf[new] = trees.value
    depth = np.zeros(len(trees), dtype=np.int32)
    for level, front in enumerate(_levels(trees)):
        depth[tree[front]] = level + 1
    return Packed(
        columns.astype(np.int64), np.concatenate(lists), start, node, leaf, depth,
        tree, new, old, low,
    )  # fmt: skip


def _levels(trees: Trees) -> list[NDArray[np.int64]]:
    """Inner nodes of all trees, level by level."""
    levels = []
    front = trees.roots[trees.feature[trees.roots] >= 0].astype(np.int64)
    while len(front):
        levels.append(front)
        below = np.concatenate([trees.left[front], trees.right[front]]).astype(np.int64)
        front = below[trees.feature[below] >= 0]
    return levels


def leaf_ranges(trees: Trees, packed: Packed, features: Sequence[int]) -> tuple[Any, Any, Any]:
    """Ranks (within each feature) that every node allows: first, end, and whether "missing" too; (n_nodes, n) each."""
    n = len(trees.feature)
    chosen = list(features)
    first = np.zeros((n, len(chosen)), dtype=np.int32)
    end = np.zeros((n, len(chosen)), dtype=np.int32)
    missing = np.ones((n, len(chosen)), dtype=np.bool_)
    column = np.full(trees.n_features, -1)
    column[chosen] = np.arange(len(chosen))
    end[trees.roots] = np.diff(packed.start)[chosen] + 1
    for front in _levels(trees):
        column_of = column[trees.feature[front]]
        mine = np.flatnonzero(column_of >= 0)
        k, low, goes_left = column_of[mine], packed.low[front[mine]], trees.missing_left[front[mine]]
        for child, is_left in ((trees.left[front], True), (trees.right[front], False)):
            first[child], end[child], missing[child] = first[front], end[front], missing[front]
            c = child[mine]
            if is_left:
                end[c, k] = np.minimum(end[c, k], low)
            else:
                first[c, k] = np.maximum(first[c, k], low)
            missing[c, k] &= goes_left == is_left
    return first, end, missing


@dataclass(frozen=True, eq=False)
class Masks:
    """Leaves as bits: see `_tree_kernels.predict_masks`.

    `table` and `leaf` as there; `leaves` are the nodes of Trees that are leaves, `slot` and `bit` their tree and bit.
    """

    table: NDArray[Any]
    leaf: FloatArray
    leaves: NDArray[np.int64]
    slot: NDArray[np.int64]
    bit: NDArray[np.int64]

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """What belongs to the leaves, shape (n_leaves, ...), by group, tree and bit."""
        groups, _, most = self.leaf.shape
        out = np.zeros((groups * GROUP, most, *values.shape[1:]), dtype=values.dtype)
        out[self.slot, self.bit] = values
        return out.reshape(groups, GROUP, most, *values.shape[1:])

    def live(self, which: NDArray[np.bool_]) -> NDArray[Any]:
        """Masks of the leaves that are chosen, shape (n_groups, GROUP)."""
        kind = self.table.dtype.type
        out = np.zeros(self.leaf.shape[0] * GROUP, dtype=kind)
        np.add.at(out, self.slot[which], np.left_shift(kind(1), self.bit[which].astype(kind)))
        return out.reshape(-1, GROUP)


def mask_table(trees: Trees, packed: Packed) -> Masks | None:
    """Leaves that each rank of each feature allows, or None where the trees or the table are too large."""
    n = len(trees.feature)
    most = int(((np.diff(np.append(trees.roots, n)) + 1) // 2).max()) if len(trees) else 1
    if most > MASK_LEAVES:
        return None
    width: Any = np.uint16 if most <= 16 else np.uint32 if most <= 32 else np.uint64
    n_groups = -(-len(trees) // GROUP)
    n_ranks = int(packed.start[-1]) + 2 * trees.n_features
    slots = n_groups * GROUP
    if slots * n_ranks * np.dtype(width).itemsize > MASK_BYTES:
        return None
    leaves = np.flatnonzero(trees.feature < 0)
    slot = packed.tree[leaves]
    bit = np.arange(len(leaves)) - np.searchsorted(slot, np.arange(len(trees)))[slot] if len(leaves) else leaves
    weight = np.left_shift(np.ones(len(leaves), dtype=width), bit.astype(width))
    table = np.zeros((n_ranks, slots), dtype=width)
    first, end, missing = leaf_ranges(trees, packed, range(trees.n_features))
    for f in packed.columns:
        offset = int(packed.start[f]) + 2 * int(f)
        number = int(packed.start[f + 1] - packed.start[f])
        a, b = first[leaves, f], end[leaves, f]
        some = np.flatnonzero(a < b)
        # A leaf's bit comes at its first rank and goes at its end: running sums carry it in between.
        part = np.zeros((number + 2, slots), dtype=width)
        np.add.at(part, (a[some], slot[some]), weight[some])
        np.subtract.at(part, (b[some], slot[some]), weight[some])
        np.cumsum(part, axis=0, dtype=width, out=part)
        part[number + 1] = 0
        gone = np.flatnonzero(missing[leaves, f])
        np.add.at(part[number + 1], slot[gone], weight[gone])
        part[:, len(trees) :] = 1
        table[offset : offset + number + 2] = part
    grouped = np.ascontiguousarray(table.reshape(n_ranks, n_groups, GROUP).transpose(1, 0, 2))
    masks = Masks(grouped, np.zeros((n_groups, GROUP, most)), leaves, slot, bit)
    masks.leaf[...] = masks.spread(trees.value[leaves])
    return masks
