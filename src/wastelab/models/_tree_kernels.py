"""Kernels of tree ensembles: numbers become ranks among the thresholds, trees become masks of leaves or packed nodes.

A rank says how many thresholds of its feature lie below a number; "missing" is one rank more. Every question of a tree
is then a comparison of integers in which missing numbers need no case of their own. Small trees are answered without
any walk: a table holds, for every rank of every feature, the leaves of all trees that this rank still allows, and the
bitwise "and" of one row for each feature leaves one bit for each tree. Large trees are walked by eight rows at a time.
Arrays in, arrays out; no Python objects.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, allow-incomplete-defs

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

#: Trees of one group of the mask table; a constant, so that the loops over it are unrolled.
GROUP = 64
#: Rows whose ranks are held at a time; few enough that they stay in the cache of one core.
CHUNK = 512


@intrinsic
def lowest_bit(context, mask):
    """Number of the lowest set bit of an unsigned integer (undefined at 0)."""
    if not isinstance(mask, types.Integer):
        return None

    def code(context, builder, signature, arguments):
        count = builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.zext(count, ir.IntType(64)) if mask.bitwidth < 64 else count

    return types.int64(mask), code


@njit(cache=True, nogil=True)
def rank_rows(x, first, threshold, start, rank):
    """Rank of every number, counted through all features.

    x : (n, d); first : int, row of `x` to begin with; threshold : (n_thresholds,) ascending within each feature;
    start : int64 (d + 1,) where those of a feature begin; rank : int32 (n_chunk, d), out. Feature f owns the ranks from
    start[f] + 2 f on: one for each gap between its thresholds, and a last one for "missing".
    """
    n, d = rank.shape
    for f in range(d):
        low = start[f]
        number = start[f + 1] - low
        offset = low + 2 * f
        for i in range(n):
            value = x[first + i, f]
            at = low
            left = number
            while left > 1:
                half = left >> 1
                at += half * (threshold[at + half - 1] < value)
                left -= half
            if left == 1:
                at += np.int64(threshold[at] < value)
            rank[i, f] = offset + (number + 1 if value != value else at - low)


@njit(cache=True, nogil=True, inline="always")
def _next(node, rank, i, at):
    """One step down: the right child where lo <= rank < lo + span."""
    return node[at, 2] + (np.uint32(rank[i, node[at, 3]] - node[at, 0]) < np.uint32(node[at, 1]))


@njit(cache=True, nogil=True)
def walk_rows(rank, node, root, depth, leaf, total):
    """Add the leaves of all trees to `total`, tree after tree, eight rows at a time.

    rank : int32 (n, d); node : int32 (n_nodes, 4) as lo, span, left child (the right one follows it), feature; a leaf
    is its own child; root, depth : int32 (n_trees,); leaf : (n_nodes,) value; total : (n,), in and out.
    """
    n = rank.shape[0]
    whole = n - n % 8
    for t in range(root.shape[0]):
        first = np.int64(root[t])
        steps = depth[t]
        for i in range(0, whole, 8):
            a, b, c, d = first, first, first, first
            e, f, g, h = first, first, first, first
            for _ in range(steps):
                a1 = np.int64(_next(node, rank, i, a))
                b1 = np.int64(_next(node, rank, i + 1, b))
                c1 = np.int64(_next(node, rank, i + 2, c))
                d1 = np.int64(_next(node, rank, i + 3, d))
                e1 = np.int64(_next(node, rank, i + 4, e))
                f1 = np.int64(_next(node, rank, i + 5, f))
                g1 = np.int64(_next(node, rank, i + 6, g))
                h1 = np.int64(_next(node, rank, i + 7, h))
                moved = (a ^ a1) | (b ^ b1) | (c ^ c1) | (d ^ d1) | (e ^ e1) | (f ^ f1) | (g ^ g1) | (h ^ h1)
                a, b, c, d, e, f, g, h = a1, b1, c1, d1, e1, f1, g1, h1
                if moved == 0:
                    break
            total[i] += leaf[a]
            total[i + 1] += leaf[b]
            total[i + 2] += leaf[c]
            total[i + 3] += leaf[d]
            total[i + 4] += leaf[e]
            total[i + 5] += leaf[f]
            total[i + 6] += leaf[g]
            total[i + 7] += leaf[h]
        for i in range(whole, n):
            a = first
            for _ in range(steps):
                a = np.int64(_next(node, rank, i, a))
            total[i] += leaf[a]


@njit(cache=True, nogil=True)
def walk_leaves(rank, node, root, depth, out):
    """Number of the node in which each row ends: out int32 (n, n_trees). Arguments as of `walk_rows`."""
    for i in range(rank.shape[0]):
        for t in range(root.shape[0]):
            at = np.int64(root[t])
            for _ in range(depth[t]):
                at = np.int64(_next(node, rank, i, at))
            out[i, t] = at


@njit(cache=True, nogil=True)
def predict_walk(x, first, threshold, start, node, root, depth, leaf, base, divisor, out):
    """Predictions of rows first to first + len(out) by walking. Arguments as above; out (n,)."""
    n = out.shape[0]
    rank = np.empty((min(n, CHUNK), x.shape[1]), dtype=np.int32)
    for i in range(0, n, CHUNK):
        m = min(CHUNK, n - i)
        rank_rows(x, first + i, threshold, start, rank[:m])
        out[i : i + m] = base
        walk_rows(rank[:m], node, root, depth, leaf, out[i : i + m])
    if divisor != 1.0:
        for i in range(n):
            out[i] /= divisor


@njit(cache=True, nogil=True)
def allowed_leaves(rank, i, table, g, mask):
    """Leaves of one group of trees that row i still allows: the "and" of one row of the table for each feature.

    rank : int32 (n, d); table : unsigned (n_groups, n_ranks, GROUP); g : int; mask : unsigned (GROUP,), out.
    """
    d = rank.shape[1]
    f = d & 3
    if f == 0:
        for t in range(GROUP):
            mask[t] = ~table.dtype.type(0)
    elif f == 1:
        a = rank[i, 0]
        for t in range(GROUP):
            mask[t] = table[g, a, t]
    elif f == 2:
        a, b = rank[i, 0], rank[i, 1]
        for t in range(GROUP):
            mask[t] = table[g, a, t] & table[g, b, t]
    else:
        a, b, c = rank[i, 0], rank[i, 1], rank[i, 2]
        for t in range(GROUP):
            mask[t] = table[g, a, t] & table[g, b, t] & table[g, c, t]
    while f < d:
        a, b, c, e = rank[i, f], rank[i, f + 1], rank[i, f + 2], rank[i, f + 3]
        for t in range(GROUP):
            mask[t] &= table[g, a, t] & table[g, b, t] & table[g, c, t] & table[g, e, t]
        f += 4


@njit(cache=True, nogil=True)
def predict_masks(x, first, threshold, start, table, leaf, base, divisor, out):
    """Predictions of rows first to first + len(out) by masks: trees in order, four rows at a time.

    table : unsigned (n_groups, n_ranks, GROUP), bit b of an entry: leaf b is allowed; leaf : (n_groups, GROUP,
    n_leaves) values, 0 for trees that only fill a group. Other arguments as of `predict_walk`.
    """
    n = out.shape[0]
    rank = np.empty((min(n, CHUNK), x.shape[1]), dtype=np.int32)
    mask = np.empty((4, GROUP), dtype=table.dtype)
    for i in range(0, n, CHUNK):
        m = min(CHUNK, n - i)
        rank_rows(x, first + i, threshold, start, rank[:m])
        out[i : i + m] = base
        for g in range(table.shape[0]):
            value = leaf[g]
            for j in range(0, m - m % 4, 4):
                for r in range(4):
                    allowed_leaves(rank, j + r, table, g, mask[r])
                a, b, c, d = out[i + j], out[i + j + 1], out[i + j + 2], out[i + j + 3]
                for t in range(GROUP):
                    a += value[t, lowest_bit(mask[0, t])]
                    b += value[t, lowest_bit(mask[1, t])]
                    c += value[t, lowest_bit(mask[2, t])]
                    d += value[t, lowest_bit(mask[3, t])]
                out[i + j], out[i + j + 1], out[i + j + 2], out[i + j + 3] = a, b, c, d
            for j in range(m - m % 4, m):
                allowed_leaves(rank, j, table, g, mask[0])
                a = out[i + j]
                for t in range(GROUP):
                    a += value[t, lowest_bit(mask[0, t])]
                out[i + j] = a
    if divisor != 1.0:
        for i in range(n):
            out[i] /= divisor
