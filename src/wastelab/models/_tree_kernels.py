"""Kernels of tree ensembles: numbers become ranks among the thresholds, trees become masks of leaves or packed nodes.

A rank says how many thresholds of its feature lie below a number; "missing" is one rank more. Every question of a tree
is then a comparison of integers in which missing numbers need no case of their own. Small trees are answered without
any walk: a table holds, for every rank of every feature, the leaves of all trees that this rank still allows, and the
bitwise "and" of one row for each feature leaves one bit for each tree. Large trees are walked, eight rows (or eight
trees of one row) at a time. Arrays in, arrays out; no Python objects.
"""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

#: Trees of one group of the mask table; a constant, so that the loops over it are unrolled.
GROUP = 64
#: Rows whose ranks are held at a time; few enough that they stay in the cache of one core.
CHUNK = 512
#: The same where trees are walked: a tree is fetched once for so many rows.
WALK_CHUNK = 4096
#: A packed node holds, from its low bits on: left child (24 bits), column (12), rank from which it goes right (28).
COLUMN_SHIFT, RANK_SHIFT = np.uint64(24), np.uint64(36)
CHILD_MASK, COLUMN_MASK = np.uint64(2**24 - 1), np.uint64(2**12 - 1)
#: Rank of what always goes right, and that which none reaches.
RIGHT, NEVER = np.uint32(2**28 - 2), np.uint32(2**28 - 1)
_NIL, _ONE = np.uint64(0), np.uint64(1)


@intrinsic
def lowest_bit(context, mask):
    """Number of the lowest set bit of an unsigned integer (undefined at 0)."""
    if not isinstance(mask, types.Integer):
        return None

    def code(context, builder, signature, arguments):
        count = builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.zext(count, ir.IntType(64)) if mask.bitwidth < 64 else count

    return types.uint64(mask), code


@njit(cache=True, nogil=True)
def rank_of(value, threshold, low, number):
    """Number of the thresholds from `low` on, `number` of them and ascending, that are below `value`; uint64s."""
    at = low
    left = number
    while left > _ONE:
        half = left >> _ONE
        at += half if threshold[at + half - _ONE] < value else np.uint64(0)
        left -= half
    if left == _ONE:
        at += np.uint64(threshold[at] < value)
    return at - low


@njit(cache=True, nogil=True)
def rank_rows(x, first, columns, threshold, start, rank):
    """Rank of every number, counted through all features.

    x : (n, d); first : int, row of `x` to begin with; columns : int64 (k,) features that matter; threshold :
    (n_thresholds,) ascending within each feature; start : int64 (d + 1,) where those of a feature begin;
    rank : uint32 (n_chunk, k), out. Feature f owns the ranks from start[f] + 2 f on: one for each gap between its
    thresholds, and a last one for "missing".
    """
    n = rank.shape[0]
    for k in range(columns.shape[0]):
        f = columns[k]
        low = np.uint64(start[f])
        number = np.uint64(start[f + 1] - start[f])
        offset = np.uint64(start[f] + 2 * f)
        whole = n - n % 4
        for i in range(0, whole, 4):
            va, vb, vc, vd = x[first + i, f], x[first + i + 1, f], x[first + i + 2, f], x[first + i + 3, f]
            a, b, c, d = low, low, low, low
            left = number
            while left > _ONE:
                half = left >> _ONE
                last = half - _ONE
                a += half if threshold[a + last] < va else np.uint64(0)
                b += half if threshold[b + last] < vb else np.uint64(0)
                c += half if threshold[c + last] < vc else np.uint64(0)
                d += half if threshold[d + last] < vd else np.uint64(0)
                left -= half
            if left == _ONE:
                a += np.uint64(threshold[a] < va)
                b += np.uint64(threshold[b] < vb)
                c += np.uint64(threshold[c] < vc)
                d += np.uint64(threshold[d] < vd)
            rank[i, k] = offset + (number + _ONE if va != va else a - low)
            rank[i + 1, k] = offset + (number + _ONE if vb != vb else b - low)
            rank[i + 2, k] = offset + (number + _ONE if vc != vc else c - low)
            rank[i + 3, k] = offset + (number + _ONE if vd != vd else d - low)
        for i in range(whole, n):
            value = x[first + i, f]
            rank[i, k] = offset + (number + _ONE if value != value else rank_of(value, threshold, low, number))


@njit(cache=True, nogil=True)
def walking_ranks(x, first, columns, threshold, start, rank):
    """Ranks for walking: two for each feature, in one of which "missing" is always left and in the other always right.

    rank : uint32 (n_chunk, 2 k), out. Other arguments as of `rank_rows`.
    """
    n, k = rank.shape[0], columns.shape[0]
    single = np.empty((n, k), dtype=np.uint32)
    rank_rows(x, first, columns, threshold, start, single)
    for c in range(k):
        f = columns[c]
        missing = np.uint32(start[f + 1] + 2 * f + 1)
        for i in range(n):
            place = single[i, c]
            rank[i, 2 * c] = np.uint32(0) if place == missing else place
            rank[i, 2 * c + 1] = RIGHT if place == missing else place


@njit(cache=True, nogil=True, inline="always")
def _next(node, rank, row, root, at):
    """One step down: to the right child where the rank is at least that of the node. All uint64."""
    word = node[root + at]
    place = np.uint64(rank[row + ((word >> COLUMN_SHIFT) & COLUMN_MASK)])
    return (word & CHILD_MASK) + np.uint64(place >= (word >> RANK_SHIFT))


@njit(cache=True, nogil=True)
def walk_one(rank, row, node, root, depth, leaf, total):
    """Sum of `total` and the leaves of all trees, in their order, for one row; eight trees at a time.

    rank : uint32, flat; row : uint64, place of the row in it; other arguments as of `walk_rows`.
    """
    n = root.shape[0]
    whole = n - n % 8
    for t in range(0, whole, 8):
        ra, rb, rc, rd = np.uint64(root[t]), np.uint64(root[t + 1]), np.uint64(root[t + 2]), np.uint64(root[t + 3])
        re, rf, rg, rh = np.uint64(root[t + 4]), np.uint64(root[t + 5]), np.uint64(root[t + 6]), np.uint64(root[t + 7])
        a, b, c, d, e, f, g, h = _NIL, _NIL, _NIL, _NIL, _NIL, _NIL, _NIL, _NIL
        moved = _ONE
        while moved != 0:
            a1, b1 = _next(node, rank, row, ra, a), _next(node, rank, row, rb, b)
            c1, d1 = _next(node, rank, row, rc, c), _next(node, rank, row, rd, d)
            e1, f1 = _next(node, rank, row, re, e), _next(node, rank, row, rf, f)
            g1, h1 = _next(node, rank, row, rg, g), _next(node, rank, row, rh, h)
            moved = (a ^ a1) | (b ^ b1) | (c ^ c1) | (d ^ d1) | (e ^ e1) | (f ^ f1) | (g ^ g1) | (h ^ h1)
            a, b, c, d, e, f, g, h = a1, b1, c1, d1, e1, f1, g1, h1
        total += leaf[ra + a]
        total += leaf[rb + b]
        total += leaf[rc + c]
        total += leaf[rd + d]
        total += leaf[re + e]
        total += leaf[rf + f]
        total += leaf[rg + g]
        total += leaf[rh + h]
    for t in range(whole, n):
        ra, a = np.uint64(root[t]), _NIL
        for _ in range(depth[t]):
            a = _next(node, rank, row, ra, a)
        total += leaf[ra + a]
    return total


@njit(cache=True, nogil=True)
def walk_rows(rank, width, node, root, depth, leaf, total):
    """Add the leaves of all trees to `total`, tree after tree, eight rows at a time.

    rank : uint32 (n * width,), rows of `walking_ranks` one after another; node : uint64 (n_nodes,): rank that goes
    right, column of `rank`, and left child (the right one follows it) counted from the root; a leaf is its own child
    and no rank reaches it; root, depth : int32 (n_trees,); leaf : (n_nodes,) value; total : (n,), in and out.
    """
    n = total.shape[0]
    whole = n - n % 8
    w = np.uint64(width)
    for t in range(root.shape[0]):
        r = np.uint64(root[t])
        for i in range(0, whole, 8):
            ra = np.uint64(i) * w
            rb, rc, rd = ra + w, ra + np.uint64(2) * w, ra + np.uint64(3) * w
            re, rf, rg, rh = ra + np.uint64(4) * w, rb + np.uint64(4) * w, rc + np.uint64(4) * w, rd + np.uint64(4) * w
            a, b, c, d, e, f, g, h = _NIL, _NIL, _NIL, _NIL, _NIL, _NIL, _NIL, _NIL
            for _ in range(depth[t]):
                a1, b1 = _next(node, rank, ra, r, a), _next(node, rank, rb, r, b)
                c1, d1 = _next(node, rank, rc, r, c), _next(node, rank, rd, r, d)
                e1, f1 = _next(node, rank, re, r, e), _next(node, rank, rf, r, f)
                g1, h1 = _next(node, rank, rg, r, g), _next(node, rank, rh, r, h)
                moved = (a ^ a1) | (b ^ b1) | (c ^ c1) | (d ^ d1) | (e ^ e1) | (f ^ f1) | (g ^ g1) | (h ^ h1)
                a, b, c, d, e, f, g, h = a1, b1, c1, d1, e1, f1, g1, h1
                if moved == 0:
                    break
            total[i] += leaf[r + a]
            total[i + 1] += leaf[r + b]
            total[i + 2] += leaf[r + c]
            total[i + 3] += leaf[r + d]
            total[i + 4] += leaf[r + e]
            total[i + 5] += leaf[r + f]
            total[i + 6] += leaf[r + g]
            total[i + 7] += leaf[r + h]
    for i in range(whole, n):
        total[i] = walk_one(rank, np.uint64(i) * w, node, root, depth, leaf, total[i])


@njit(cache=True, nogil=True)
def walk_leaves(rank, width, node, root, depth, out):
    """Number of the node in which each row ends: out int64 (n, n_trees). Arguments as of `walk_rows`."""
    for i in range(out.shape[0]):
        row = np.uint64(i) * np.uint64(width)
        for t in range(root.shape[0]):
            r, at = np.uint64(root[t]), _NIL
            for _ in range(depth[t]):
                at = _next(node, rank, row, r, at)
            out[i, t] = r + at


@njit(cache=True, nogil=True)
def predict_walk(x, first, columns, threshold, start, node, root, depth, leaf, base, divisor, out):
    """Predictions of rows first to first + len(out) by walking. Arguments as above; out (n,)."""
    n = out.shape[0]
    width = 2 * columns.shape[0]
    rank = np.empty((min(n, WALK_CHUNK), width), dtype=np.uint32)
    for i in range(0, n, WALK_CHUNK):
        m = min(WALK_CHUNK, n - i)
        walking_ranks(x, first + i, columns, threshold, start, rank[:m])
        out[i : i + m] = base
        walk_rows(rank.reshape(rank.size), width, node, root, depth, leaf, out[i : i + m])
    if divisor != 1.0:
        for i in range(n):
            out[i] /= divisor


@njit(cache=True, nogil=True)
def allowed_leaves(rank, i, table, g, mask):
    """Leaves of one group of trees that row i still allows: the "and" of one row of the table for each feature.

    rank : uint32 (n, k); table : unsigned (n_groups, n_ranks, GROUP); g : int; mask : unsigned (GROUP,), in: leaves
    that may be allowed, out: those that are.
    """
    d = rank.shape[1]
    f = d & 3
    if f == 1:
        a = np.uint64(rank[i, 0])
        for t in range(GROUP):
            mask[t] &= table[g, a, t]
    elif f == 2:
        a, b = np.uint64(rank[i, 0]), np.uint64(rank[i, 1])
        for t in range(GROUP):
            mask[t] &= table[g, a, t] & table[g, b, t]
    elif f == 3:
        a, b, c = np.uint64(rank[i, 0]), np.uint64(rank[i, 1]), np.uint64(rank[i, 2])
        for t in range(GROUP):
            mask[t] &= table[g, a, t] & table[g, b, t] & table[g, c, t]
    while f < d:
        a, b = np.uint64(rank[i, f]), np.uint64(rank[i, f + 1])
        c, e = np.uint64(rank[i, f + 2]), np.uint64(rank[i, f + 3])
        for t in range(GROUP):
            mask[t] &= table[g, a, t] & table[g, b, t] & table[g, c, t] & table[g, e, t]
        f += 4


@njit(cache=True, nogil=True)
def predict_masks(x, first, columns, threshold, start, table, leaf, base, divisor, out):
    """Predictions of rows first to first + len(out) by masks: trees in order, four rows at a time.

    table : unsigned (n_groups, n_ranks, GROUP), bit b of an entry: leaf b is allowed; leaf : (n_groups, GROUP,
    n_leaves) values, 0 for trees that only fill a group. Other arguments as of `predict_walk`.
    """
    n = out.shape[0]
    rank = np.empty((min(n, CHUNK), columns.shape[0]), dtype=np.uint32)
    mask = np.empty((4, GROUP), dtype=table.dtype)
    every = ~table.dtype.type(0)
    for i in range(0, n, CHUNK):
        m = min(CHUNK, n - i)
        rank_rows(x, first + i, columns, threshold, start, rank[:m])
        out[i : i + m] = base
        for g in range(table.shape[0]):
            value = leaf[g]
            for j in range(0, m - m % 4, 4):
                mask[:] = every
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
                mask[0] = every
                allowed_leaves(rank, j, table, g, mask[0])
                a = out[i + j]
                for t in range(GROUP):
                    a += value[t, lowest_bit(mask[0, t])]
                out[i + j] = a
    if divisor != 1.0:
        for i in range(n):
            out[i] /= divisor


@njit(cache=True, nogil=True)
def one_by_masks(x, columns, threshold, start, table, leaf, base, divisor):
    """Prediction of one row, x (d,), for use inside other kernels. Arguments as of `predict_masks`."""
    out = np.empty(1)
    predict_masks(x.reshape((1, x.size)), 0, columns, threshold, start, table, leaf, base, divisor, out)
    return out[0]


@njit(cache=True, nogil=True)
def one_by_walk(x, columns, threshold, start, node, root, depth, leaf, base, divisor):
    """Prediction of one row, x (d,), for use inside other kernels. Arguments as of `predict_walk`."""
    out = np.empty(1)
    predict_walk(x.reshape((1, x.size)), 0, columns, threshold, start, node, root, depth, leaf, base, divisor, out)
    return out[0]


@njit(cache=True, nogil=True)
def bounds(low, high, node, root, leaf, base, divisor, least, most):
    """Least and greatest sums of the leaves that boxes reach, tree by tree.

    low, high : uint32 (n, width) `walking_ranks` of the corners; node, root, leaf, base, divisor : as of
    `predict_walk`; least, most : (n,), out.
    """
    stack = np.empty(node.shape[0] + 1, dtype=np.uint64)
    for i in range(low.shape[0]):
        lower, upper = base, base
        for t in range(root.shape[0]):
            r = np.uint64(root[t])
            smallest, largest = np.inf, -np.inf
            stack[0] = _NIL
            size = 1
            while size > 0:
                size -= 1
                at = stack[size]
                word = node[r + at]
                child = word & CHILD_MASK
                if child == at:
                    smallest = min(smallest, leaf[r + at])
                    largest = max(largest, leaf[r + at])
                    continue
                c = (word >> COLUMN_SHIFT) & COLUMN_MASK
                from_ = word >> RANK_SHIFT
                if np.uint64(low[i, c]) < from_:
                    stack[size] = child
                    size += 1
                if np.uint64(high[i, c]) >= from_:
                    stack[size] = child + _ONE
                    size += 1
            lower += smallest
            upper += largest
        least[i] = lower / divisor
        most[i] = upper / divisor
