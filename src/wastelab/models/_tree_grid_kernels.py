"""Kernels of mixes x process points: what does not depend on the process is looked up once for each mix.

A leaf answers for a box of process points. Its value is added at one corner of that box and taken away at the others,
so that running sums along the axes give all process points of a mix at once. Values are integers on a binary grid:
sums are exact, and from one mix to the next only the leaves that changed are exchanged. Deep trees are walked for every
point, the mix being ranked once.
"""
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from ._tree_kernels import CHUNK, GROUP, WALK_CHUNK, allowed_leaves, lowest_bit, rank_rows, walk_rows, walking_ranks

_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def sum_up(corner, extent, place, unit, divisor, work, out):
    """Running sums along all axes, read at the process points.

    corner : int64 (n_padded,) what leaves have left there; extent : int64 (n_axes,) of the padded grid; place : int64
    (n_points,) of the points in it; unit : float, of the integers; work : int64 (n_padded,); out : (n_points,)
    """
    size = corner.shape[0]
    for i in range(size):
        work[i] = corner[i]
    inner = 1
    for k in range(extent.shape[0] - 1, -1, -1):
        line = extent[k] * inner
        for begin in range(0, size, line):
            if inner == 1:
                total = np.int64(0)
                for i in range(begin, begin + line):
                    total += work[i]
                    work[i] = total
            else:
                for i in range(begin + inner, begin + line):
                    work[i] += work[i - inner]
        inner = line
    for i in range(place.shape[0]):
        out[i] = np.float64(work[place[i]]) * unit / divisor


@njit(cache=True, nogil=True)
def grid_masks(
    x, first, columns, threshold, start, table, live, value, corner, n_corners, base, extent, place, unit, divisor, out
):
    """Predictions of rows first to first + len(out) at all process points, by masks.

    columns : int64 (k,) features that are no axes; live : unsigned (n_groups, GROUP) leaves that answer for a process
    point at all; value : int64 (n_groups * GROUP * n_leaves,); corner : int32 (len(value) * 2^n_axes,), twice the
    places of the corners of a leaf's box, 1 more where it is taken away; n_corners : uint8 (len(value),) of them that
    are looked at; base : int; unit : float, of the integers; out : (n, n_points). Other arguments as of
    `predict_masks` and `sum_up`.
    """
    n = out.shape[0]
    n_groups = table.shape[0]
    size = 1
    for k in range(extent.shape[0]):
        size *= extent[k]
    rank = np.empty((min(n, CHUNK), columns.shape[0]), dtype=np.uint32)
    mask = np.empty((n_groups, GROUP), dtype=table.dtype)
    held = np.zeros((n_groups, GROUP), dtype=table.dtype)
    left = np.zeros(size, dtype=np.int64)
    work = np.empty(size, dtype=np.int64)
    left[0] = base
    n_leaves = np.uint64(value.shape[0] // max(n_groups * GROUP, 1))
    all_corners = np.uint64(corner.shape[0] // max(value.shape[0], 1))
    for i in range(0, n, CHUNK):
        m = min(CHUNK, n - i)
        rank_rows(x, first + i, columns, threshold, start, rank[:m])
        for j in range(m):
            changed = 0
            for g in range(n_groups):
                mask[g] = live[g]
                allowed_leaves(rank, j, table, g, mask[g])
                count = 0
                for t in range(GROUP):
                    count += mask[g, t] != held[g, t]
                changed += count
            if 2 * changed > n_groups * GROUP:  # most trees answer otherwise: begin anew
                left[:] = 0
                left[0] = base
                held[:] = table.dtype.type(0)
            for g in range(n_groups if changed else 0):
                for block in range(0, GROUP, 8):
                    differ = table.dtype.type(0)
                    for t in range(block, block + 8):
                        differ |= mask[g, t] ^ held[g, t]
                    if not differ:
                        continue
                    for t in range(block, block + 8):
                        now, before = np.uint64(mask[g, t]), np.uint64(held[g, t])
                        held[g, t] = mask[g, t]
                        differ_now = now ^ before
                        here = np.uint64(g * GROUP + t) * n_leaves
                        while differ_now != 0:
                            b = lowest_bit(differ_now)
                            differ_now &= differ_now - _ONE
                            leaf = here + b
                            gone = np.int64(((now >> b) & _ONE) ^ _ONE)
                            amount = value[leaf]
                            for c in range(n_corners[leaf]):
                                code = np.int64(corner[leaf * all_corners + np.uint64(c)])
                                negative = (code ^ gone) & 1
                                left[np.uint64(code >> 1)] += (amount ^ -negative) + negative
            sum_up(left, extent, place, unit, divisor, work, out[i + j])


@njit(cache=True, nogil=True)
def grid_walk(x, first, columns, threshold, start, at, axis, node, root, depth, leaf, base, divisor, out):
    """Predictions of rows first to first + len(out) at all process points, by walking: the mix is ranked once.

    columns : int64 (k,) features used; at : uint32 (n_points, 2 k) `walking_ranks` of the process points; axis : bool
    (2 k,) whether a column is one of them; leaf : (n_nodes,) and base, on a binary grid; out : (n, n_points). Other
    arguments as of `predict_walk`.
    """
    n, n_points = out.shape
    width = axis.shape[0]
    block = max(WALK_CHUNK // n_points, 1)
    single = np.empty((min(n, block), width), dtype=np.uint32)
    rank = np.empty((single.shape[0] * n_points, width), dtype=np.uint32)
    flat = rank.reshape(rank.size)
    for i in range(0, n, block):
        m = min(block, n - i)
        walking_ranks(x, first + i, columns, threshold, start, single[:m])
        for j in range(m):
            for p in range(n_points):
                for c in range(width):
                    rank[j * n_points + p, c] = at[p, c] if axis[c] else single[j, c]
        total = out[i : i + m].reshape(m * n_points)
        total[:] = base
        walk_rows(flat, width, node, root, depth, leaf, total)
        for j in range(total.shape[0]):
            total[j] /= divisor
