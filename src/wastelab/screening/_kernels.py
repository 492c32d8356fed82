"""Kernels of the lattice search: exact, integer, order-free.

A candidate is a vector of `d` non-negative integers that sum to `m` (fractions n/m). Requirements are
integer rows ``G @ n <= thr``; objectives are ratios of integer forms, quantised to int64. Every sum is exact
in int64/float64 (|sum| < 2**52), so the answer does not depend on the order of evaluation or on threads.
Arrays in, arrays out; no Python objects.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def lower_bounds(g, lo, hi, m):
    """Exact minimum of every row over the boxed simplex that remains at a level.

    g : int64 (d, R) row coefficients; lo, hi : int64 (d,) bounds [lattice units]; m : int, lattice size.
    Returns table int64 (d + 1, m + 1, R); entry [l, r, k] is the minimum of row k over n[l:] with sum r,
    and a very large number where no such n exists. The minimum of a linear form over a boxed simplex is
    reached by filling the cheapest materials first.
    """
    d, n_rows = g.shape
    big = np.int64(4611686018427387904)
    table = np.full((d + 1, m + 1, n_rows), big, dtype=np.int64)
    for k in range(n_rows):
        table[d, 0, k] = 0
    for level in range(d):
        least = np.int64(0)
        for i in range(level, d):
            least += lo[i]
        if least > m:
            continue
        for k in range(n_rows):
            value = np.int64(0)
            for i in range(level, d):
                value += g[i, k] * lo[i]
            table[level, least, k] = value
            rest = least
            cheapest = np.argsort(g[level:, k], kind="mergesort")
            for j in cheapest:
                i = level + j
                for _ in range(hi[i] - lo[i]):
                    if rest == m:
                        break
                    rest += 1
                    value += g[i, k]
                    table[level, rest, k] = value
    return table


@njit(cache=True, nogil=True)
def lattice_counts(lo, hi, m):
    """Number of lattice points of the boxed simplex that remains: int64 (d + 1, m + 1)."""
    d = lo.shape[0]
    count = np.zeros((d + 1, m + 1), dtype=np.int64)
    count[d, 0] = 1
    running = np.zeros(m + 2, dtype=np.int64)
    for level in range(d - 1, -1, -1):
        for rest in range(m + 1):
            running[rest + 1] = running[rest] + count[level + 1, rest]
        for rest in range(lo[level], m + 1):
            count[level, rest] = running[rest - lo[level] + 1] - running[max(rest - hi[level], 0)]
    return count


@njit(cache=True, nogil=True, inline="never")
def _quantise(num, den, factor):
    """Objective value on its integer grid: floor(factor * num / den + 1/2)."""
    return np.int64(np.floor(factor * (np.float64(num) / np.float64(den)) + 0.5))


@njit(cache=True, nogil=True)
def _dominated(v, arch, count, n_obj, hint, ordered):
    """Index of an archive member that strictly dominates v, or -1; `hint` is tried first.

    ordered : True if the archive ascends in its first objective: nothing behind v in it can dominate v.
    """
    if hint >= 0 and hint < count:
        worse = False
        strict = False
        for j in range(n_obj):
            if arch[hint, j] > v[j]:
                worse = True
                break
            if arch[hint, j] < v[j]:
                strict = True
        if not worse and strict:
            return hint
    for i in range(count):
        if ordered and arch[i, 0] > v[0]:
            return -1
        worse = False
        strict = False
        for j in range(n_obj):
            if arch[i, j] > v[j]:
                worse = True
                break
            if arch[i, j] < v[j]:
                strict = True
        if not worse and strict:
            return i
    return -1


@njit(cache=True, nogil=True)
def _insert(v, n, arch, pts, count, n_obj):
    """Insert a point known not to be dominated; drop those it dominates. Returns arrays and new count."""
    d = n.shape[0]
    keep = 0
    for i in range(count):
        dominated = True
        strict = False
        for j in range(n_obj):
            if v[j] > arch[i, j]:
                dominated = False
                break
            if v[j] < arch[i, j]:
                strict = True
        if not (dominated and strict):
            if keep != i:
                for j in range(n_obj):
                    arch[keep, j] = arch[i, j]
                for j in range(d):
                    pts[keep, j] = pts[i, j]
            keep += 1
    count = keep
    if count == arch.shape[0]:
        arch2 = np.empty((2 * count, n_obj), dtype=np.int64)
        pts2 = np.empty((2 * count, d), dtype=np.int32)
        arch2[:count] = arch[:count]
        pts2[:count] = pts[:count]
        arch = arch2
        pts = pts2
    for j in range(n_obj):
        arch[count, j] = v[j]
    for j in range(d):
        pts[count, j] = n[j]
    return arch, pts, count + 1


@njit(cache=True, nogil=True)
def _less(va, a, vb, b):
    """Total order of the top list: value first, then the point, smaller first."""
    if va != vb:
        return va < vb
    for j in range(a.shape[0]):
        if a[j] != b[j]:
            return a[j] < b[j]
    return False


@njit(cache=True, nogil=True)
def _offer_top(value, n, top_v, top_n, n_top):
    """Offer a point to the bounded best list (kept sorted). Returns the new length."""
    k = top_v.shape[0]
    if k == 0:
        return n_top
    if n_top == k and not _less(value, n, top_v[k - 1], top_n[k - 1]):
        return n_top
    at = n_top if n_top < k else k - 1
    while at > 0 and _less(value, n, top_v[at - 1], top_n[at - 1]):
        if at < k:
            top_v[at] = top_v[at - 1]
            for j in range(n.shape[0]):
                top_n[at, j] = top_n[at - 1, j]
        at -= 1
    top_v[at] = value
    for j in range(n.shape[0]):
        top_n[at, j] = n[j]
    return min(n_top + 1, k)


@njit(cache=True, nogil=True)
def search(prefixes, lo, hi, m, g, thr, table, count, num, den, factor, n_obj, order, seed, top_k, sample_cap, stop):
    """Search the sub-lattices below the given prefixes for one process point.

    prefixes : int64 (t, k) values of the first k materials (search order), k <= d - 2.
    lo, hi : int64 (d,) bounds; m : lattice size; all arrays in search order of the materials.
    g : int64 (d, R), thr : int64 (R,) requirement rows, ``sum_i n_i g[i] <= thr``.
    table, count : from `lower_bounds` and `lattice_counts`.
    num, den : int64 (d, n_val) objective forms; value j is factor[j] * N/D, smaller is better; the first
    n_obj are the Pareto objectives, one more (if present) ranks the top list.
    order : int64 (d,) original index of each material (points are reported in original order).
    seed : int64 (s, n_obj) objective vectors of feasible candidates, ascending in the first; they only filter.
    top_k : length of the top list (0: none). sample_cap : how many feasible points to return as a sample.
    stop : int64 (1,) set to 1 by another thread to give up; what was done so far is not returned as complete.

    Returns
    -------
    arch int64 (a, n_obj), pts int32 (a, d), top_v int64 (k,), top_n int32 (k, d), sample int32 (s, d),
    pruned int64 (R,), feasible int64, evaluated int64, done int64 (1 if it ran to the end).
    """
    d = lo.shape[0]
    n_rows = thr.shape[0]
    n_val = num.shape[1]
    k0 = prefixes.shape[1]
    last = d - 1
    pen = d - 2
    arch = np.empty((64, n_obj), dtype=np.int64)
    pts = np.empty((64, d), dtype=np.int32)
    n_arch = 0
    top_v = np.empty(top_k, dtype=np.int64)
    top_n = np.empty((top_k, d), dtype=np.int32)
    n_top = 0
    sample = np.empty((sample_cap, d), dtype=np.int32)
    n_sample = 0
    pruned = np.zeros(n_rows, dtype=np.int64)
    feasible = np.int64(0)
    evaluated = np.int64(0)
    hint = -1
    hint_seed = -1
    n_seed = seed.shape[0]

    n = np.zeros(d, dtype=np.int64)
    rest = np.zeros(d + 1, dtype=np.int64)
    end = np.zeros(d, dtype=np.int64)
    sums = np.zeros((d, n_rows), dtype=np.int64)
    point = np.zeros(d, dtype=np.int32)
    base_n = np.zeros(n_val, dtype=np.int64)
    base_d = np.zeros(n_val, dtype=np.int64)
    v_lo = np.zeros(n_val, dtype=np.int64)
    v_hi = np.zeros(n_val, dtype=np.int64)
    ideal = np.zeros(n_val, dtype=np.int64)
    stack = np.zeros((130, 2), dtype=np.int64)

    for ip in range(prefixes.shape[0]):
        if stop[0] != 0:
            return (arch[:n_arch], pts[:n_arch], top_v[:n_top], top_n[:n_top], sample[:n_sample], pruned,
                    feasible, evaluated, np.int64(0))  # fmt: skip
        # place the prefix, checking the rows on the way
        rest[0] = m
        alive = True
        for k in range(n_rows):
            sums[0, k] = 0
        for level in range(k0):
            n[level] = prefixes[ip, level]
            rest[level + 1] = rest[level] - n[level]
            bad = -1
            for k in range(n_rows):
                s = sums[level, k] + g[level, k] * n[level]
                sums[level + 1, k] = s
                if bad < 0 and s + table[level + 1, rest[level + 1], k] > thr[k]:
                    bad = k
            if bad >= 0:
                # credit all that lies below this whole prefix (its siblings are listed on their own)
                left_over = m
                for l2 in range(k0):
                    left_over -= prefixes[ip, l2]
                pruned[bad] += count[k0, left_over]
                alive = False
                break
        if not alive:
            continue
        level = k0
        if level < pen:
            n[level] = max(lo[level], np.int64(0))
            while n[level] <= min(hi[level], rest[level]) and count[level + 1, rest[level] - n[level]] == 0:
                n[level] += 1
            end[level] = min(hi[level], rest[level])
        while level >= k0:
            if level < pen:
                if n[level] > end[level]:
                    level -= 1
                    if level >= k0:
                        n[level] += 1
                    continue
                r = rest[level] - n[level]
                c = count[level + 1, r]
                if c == 0:
                    n[level] += 1
                    continue
                bad = -1
                for k in range(n_rows):
                    s = sums[level, k] + g[level, k] * n[level]
                    sums[level + 1, k] = s
                    if s + table[level + 1, r, k] > thr[k]:
                        bad = k
                        break
                if bad >= 0:
                    pruned[bad] += c
                    n[level] += 1
                    continue
                rest[level + 1] = r
                level += 1
                if level < pen:
                    n[level] = lo[level]
                    end[level] = min(hi[level], rest[level])
                continue
            # level == pen: a line n[pen] = t, n[last] = rest - t
            if stop[0] != 0:
                return (arch[:n_arch], pts[:n_arch], top_v[:n_top], top_n[:n_top], sample[:n_sample], pruned,
                        feasible, evaluated, np.int64(0))  # fmt: skip
            r = rest[pen]
            t0 = max(lo[pen], r - hi[last])
            t1 = min(hi[pen], r - lo[last])
            for k in range(n_rows):
                if t0 > t1:
                    break
                base = sums[pen, k] + g[last, k] * r
                slope = g[pen, k] - g[last, k]
                room = thr[k] - base
                if slope > 0:
                    limit = room // slope
                    if limit < t1:
                        new = max(limit, t0 - 1)
                        pruned[k] += t1 - new
                        t1 = new
                elif slope < 0:
                    limit = -(room // (-slope))
                    if limit > t0:
                        new = min(limit, t1 + 1)
                        pruned[k] += new - t0
                        t0 = new
                elif room < 0:
                    pruned[k] += t1 - t0 + 1
                    t1 = t0 - 1
            if t0 <= t1:
                feasible += t1 - t0 + 1
                for j in range(pen):
                    point[order[j]] = n[j]
                for j in range(n_val):
                    bn = num[last, j] * r
                    bd = den[last, j] * r
                    for i in range(pen):
                        bn += num[i, j] * n[i]
                        bd += den[i, j] * n[i]
                    base_n[j] = bn
                    base_d[j] = bd
                t = t0
                while n_sample < sample_cap and t <= t1:
                    point[order[pen]] = t
                    point[order[last]] = r - t
                    for j in range(d):
                        sample[n_sample, j] = point[j]
                    n_sample += 1
                    t += 1
                # top list: values are monotone along the line, walk from the better end
                if top_k > 0:
                    j = n_val - 1
                    sn = num[pen, j] - num[last, j]
                    sd = den[pen, j] - den[last, j]
                    a = _quantise(base_n[j] + sn * t0, base_d[j] + sd * t0, factor[j])
                    b = _quantise(base_n[j] + sn * t1, base_d[j] + sd * t1, factor[j])
                    t = t0 if a <= b else t1
                    step = np.int64(1) if a <= b else np.int64(-1)
                    while t >= t0 and t <= t1:
                        a = _quantise(base_n[j] + sn * t, base_d[j] + sd * t, factor[j])
                        if n_top == top_k and a > top_v[top_k - 1]:
                            break
                        point[order[pen]] = t
                        point[order[last]] = r - t
                        n_top = _offer_top(a, point, top_v, top_n, n_top)
                        t += step
                # Pareto: branch and bound on segments of the line
                stack[0, 0] = t0
                stack[0, 1] = t1
                depth = 1
                while depth > 0:
                    depth -= 1
                    a0 = stack[depth, 0]
                    a1 = stack[depth, 1]
                    up = True
                    down = True
                    for j in range(n_obj):
                        sn = num[pen, j] - num[last, j]
                        sd = den[pen, j] - den[last, j]
                        v_lo[j] = _quantise(base_n[j] + sn * a0, base_d[j] + sd * a0, factor[j])
                        v_hi[j] = _quantise(base_n[j] + sn * a1, base_d[j] + sd * a1, factor[j])
                        if v_lo[j] > v_hi[j]:
                            up = False
                            ideal[j] = v_hi[j]
                        else:
                            ideal[j] = v_lo[j]
                            if v_lo[j] < v_hi[j]:
                                down = False
                    evaluated += 1
                    hit = _dominated(ideal, seed, n_seed, n_obj, hint_seed, True)
                    if hit >= 0:
                        hint_seed = hit
                        continue
                    hit = _dominated(ideal, arch, n_arch, n_obj, hint, False)
                    if hit >= 0:
                        # a killer is likely to kill again: bring it forward
                        front = hit // 4
                        for j in range(n_obj):
                            keep_v = arch[front, j]
                            arch[front, j] = arch[hit, j]
                            arch[hit, j] = keep_v
                        for j in range(d):
                            keep_n = pts[front, j]
                            pts[front, j] = pts[hit, j]
                            pts[hit, j] = keep_n
                        hint = front
                        continue
                    if a0 == a1 or (up and down):
                        # one point, or all points of the segment tie
                        for t in range(a0, a1 + 1):
                            point[order[pen]] = t
                            point[order[last]] = r - t
                            arch, pts, n_arch = _insert(v_lo, point, arch, pts, n_arch, n_obj)
                        hint = -1
                        continue
                    if a1 - a0 == 1:
                        stack[depth, 0] = a1
                        stack[depth, 1] = a1
                        stack[depth + 1, 0] = a0
                        stack[depth + 1, 1] = a0
                        depth += 2
                        continue
                    mid = (a0 + a1) // 2
                    if down:
                        stack[depth, 0] = a0
                        stack[depth, 1] = mid
                        stack[depth + 1, 0] = mid + 1
                        stack[depth + 1, 1] = a1
                    else:
                        stack[depth, 0] = mid + 1
                        stack[depth, 1] = a1
                        stack[depth + 1, 0] = a0
                        stack[depth + 1, 1] = mid
                    depth += 2
            level -= 1
            if level >= k0:
                n[level] += 1
    return (arch[:n_arch], pts[:n_arch], top_v[:n_top], top_n[:n_top], sample[:n_sample], pruned, feasible,
            evaluated, np.int64(1))  # fmt: skip


@njit(cache=True, nogil=True)
def list_feasible(prefixes, lo, hi, m, g, thr, table, count, order, pruned, out):
    """Feasible points below the given prefixes, in search order; counts only where `out` is too short.

    Arguments as in `search`; pruned : int64 (R,), added to; out : int32 (k, d), points in original order of the
    materials. Returns the number of feasible points: if it is more than k, `out` holds the first k.
    """
    d = lo.shape[0]
    n_rows = thr.shape[0]
    k0 = prefixes.shape[1]
    last = d - 1
    pen = d - 2
    room_out = out.shape[0]
    found = np.int64(0)
    n = np.zeros(d, dtype=np.int64)
    rest = np.zeros(d + 1, dtype=np.int64)
    end = np.zeros(d, dtype=np.int64)
    sums = np.zeros((d, n_rows), dtype=np.int64)
    for ip in range(prefixes.shape[0]):
        rest[0] = m
        level = 0
        for k in range(n_rows):
            sums[0, k] = 0
        for i in range(k0):
            n[i] = prefixes[ip, i]
            end[i] = n[i]
        if pen > 0 and k0 == 0:
            n[0] = lo[0]
            end[0] = min(hi[0], m)
        while level >= 0:
            if level < pen:
                if n[level] > end[level]:
                    level -= 1
                    if level >= 0:
                        n[level] += 1
                    continue
                r = rest[level] - n[level]
                c = count[level + 1, r] if r >= 0 else np.int64(0)
                if level < k0:  # only this prefix, not its siblings
                    left = m
                    for i in range(k0):
                        left -= prefixes[ip, i]
                    c = count[k0, left]
                if c == 0:
                    n[level] += 1
                    continue
                bad = -1
                for k in range(n_rows):
                    s = sums[level, k] + g[level, k] * n[level]
                    sums[level + 1, k] = s
                    if s + table[level + 1, r, k] > thr[k]:
                        bad = k
                        break
                if bad >= 0:
                    pruned[bad] += c
                    n[level] += 1
                    continue
                rest[level + 1] = r
                level += 1
                if level < pen and level >= k0:
                    n[level] = lo[level]
                    end[level] = min(hi[level], rest[level])
                elif level < k0:
                    n[level] = prefixes[ip, level]
                continue
            r = rest[pen]
            t0 = max(lo[pen], r - hi[last])
            t1 = min(hi[pen], r - lo[last])
            for k in range(n_rows):
                if t0 > t1:
                    break
                slope = g[pen, k] - g[last, k]
                room = thr[k] - sums[pen, k] - g[last, k] * r
                if slope > 0:
                    limit = room // slope
                    if limit < t1:
                        new = max(limit, t0 - 1)
                        pruned[k] += t1 - new
                        t1 = new
                elif slope < 0:
                    limit = -(room // (-slope))
                    if limit > t0:
                        new = min(limit, t1 + 1)
                        pruned[k] += new - t0
                        t0 = new
                elif room < 0:
                    pruned[k] += t1 - t0 + 1
                    t1 = t0 - 1
            for t in range(t0, t1 + 1):
                if found < room_out:
                    for i in range(pen):
                        out[found, order[i]] = n[i]
                    out[found, order[pen]] = t
                    out[found, order[last]] = r - t
                found += 1
            level -= 1
            if level >= 0:
                n[level] += 1
    return found
