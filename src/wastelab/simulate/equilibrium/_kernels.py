"""Kernels of the linear programme min c.x, A^T x = b, x >= 0 with few rows and many cases.

Primal simplex on a dense tableau. The tableau of the start basis does not depend on the case, so a cold start is a
copy; all that a pivot does runs along the columns and is vectorised. Amounts are shifted by 1e-9 of their sum during
the search, which rules out stalling; the answer is taken from the true b and the final basis, with a step of iterative
refinement, every reduced cost is computed anew from the duals, and if the shift mattered, dual steps repair it.

Names: m rows, K columns (those of one composition count once; padded with empty ones to a multiple of 16).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

OUTER: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
INNER: dict[str, Any] = {**OUTER, "no_cpython_wrapper": True}  # called from kernels only

R_GAS = 8.31446261815324
SHIFT = 1e-9  # of the sum of the start amounts
FLOOR = 1e-12  # least shifted amount, of the same sum
FEASIBLE = 1e-14  # amounts above minus this share of the sum count as zero
OPTIMAL = 1e-12  # reduced costs above minus this share of the largest cost count as zero
PIVOT = 1e-9  # least pivot element
NOISE = 1e-13  # tableau elements below this are rounding
ROUNDS = 20
FRESH = 60  # pivots after which a carried tableau is begun anew
WALK = 200  # bases to look at in the cache
WIDTH = 16  # most rows
KEYS = 4096  # hints of where to begin
FORBIDDEN = 1e3  # cost of a column that is not allowed, in units of the largest cost
# rows of the work array after the m rows of the tableau: reduced costs, costs, scores, two of zeros
_D, _C, _S, _Q = 0, 1, 2, 3
# rows of the vector array: true and shifted amounts, duals, residual, its image, start costs
_X, _XS, _Y, _R, _Z = 0, 1, 2, 3, 4
N_WORK, N_VECTORS = 5, 5

OK, LIMIT, OUTSIDE, NOT_A_NUMBER, UNBOUNDED, NOT_ALLOWED = 0, 1, 2, 3, 4, 5


@njit(**INNER)
def pivot(work, index, vec, r, q, m, floor):
    """One change of basis: column q enters at row r; true and shifted amounts follow.

    work : (m + 5, K), tableau, then reduced costs; index : (2, m + 4), basis, then scratch; vec : (5, m); floor : least
    shifted amount.
    """
    n_col = work.shape[1]
    p = 1.0 / work[r, q]
    for k in range(n_col):
        work[r, k] *= p
    theta = vec[_X, r] * p
    shifted = vec[_XS, r] * p
    n = 0
    for i in range(m):
        f = work[i, q]
        if abs(f) > NOISE and i != r:
            vec[_X, i] -= theta * f
            vec[_XS, i] = max(vec[_XS, i] - shifted * f, floor)
            index[1, n] = i
            n += 1
    index[1, n] = m + _D
    index[1, n + 1] = m + _Q
    index[1, n + 2] = m + _Q + 1
    for t in range(0, n + 1, 3):  # three rows at a time; rows of zeros fill up
        h = index[1, t]
        i = index[1, t + 1]
        j = index[1, t + 2]
        e = work[h, q]
        f = work[i, q]
        g = work[j, q]
        for k in range(n_col):
            v = work[r, k]
            work[h, k] -= e * v
            work[i, k] -= f * v
            work[j, k] -= g * v
    for i in range(m + 1):
        work[i, q] = 0.0
    work[r, q] = 1.0
    vec[_X, r] = theta
    vec[_XS, r] = max(shifted, floor)
    index[0, r] = q


@njit(**INNER)
def enter(work, vec, weight, m, tol):
    """The pivot of a primal step: the column with the lowest reduced cost per atom, and the row it empties first.

    weight : (K,) 1 / atoms; tol : reduced costs above -tol [cost] count as zero. Returns row, column; column -1 if
    none improves, row -1 if nothing limits it.
    """
    n_col = work.shape[1]
    d = m + _D
    s = m + _S
    for k in range(n_col):
        v = work[d, k]
        work[s, k] = v * weight[k] if v < -tol else 0.0
    q = -1
    r = -1
    best = 0.0
    for k in range(n_col):
        if work[s, k] < best:
            best = work[s, k]
            q = k
    if q >= 0:
        least = np.inf
        for i in range(m):
            f = work[i, q]
            if f > PIVOT:
                ratio = vec[_XS, i] / f
                if ratio < least:
                    least = ratio
                    r = i
    return r, q


@njit(**INNER)
def leave(work, vec, m, tol):
    """The pivot of a dual step: the row with the most negative amount, and the column that costs least.

    tol : amounts above -tol [mol] count as zero. Returns row, column; row -1 if no amount is negative, column -1 if
    there is no way to make it positive.
    """
    n_col = work.shape[1]
    r = -1
    q = -1
    least = -tol
    for i in range(m):
        if vec[_X, i] < least:
            least = vec[_X, i]
            r = i
    if r >= 0:
        best = np.inf
        for k in range(n_col):
            f = work[r, k]
            if f < -PIVOT:
                ratio = max(work[m + _D, k], 0.0) / -f
                if ratio < best:
                    best = ratio
                    q = k
    return r, q


@njit(**INNER)
def subtract(work, row, matrix, first, factor, m):
    """work[row] -= sum over i of factor[i] matrix[first + i]."""
    n_col = work.shape[1]
    for i in range(m):
        f = factor[i]
        if f != 0.0:
            for k in range(n_col):
                work[row, k] -= f * matrix[first + i, k]


@njit(**INNER)
def begin(static, inverse, start, b, work, index, vec):
    """Put the start basis and its reduced costs; returns status and the sum of its amounts [mol].

    static : (2 m, K), tableau of the start basis, then A^T; inverse : (m, m) of the start basis; start : (m,);
    b : (m,) [mol].
    """
    m = start.shape[0]
    n_col = static.shape[1]
    size = 0.0
    for i in range(m):
        size += abs(b[i])
    if not size < np.inf:
        return NOT_A_NUMBER, 0.0
    scale = 0.0
    for i in range(m):
        v = 0.0
        for j in range(m):
            v += inverse[i, j] * b[j]
        if v < -1e-12 * size:
            return OUTSIDE, 0.0
        vec[_X, i] = v
        scale += abs(v)
    if scale == 0.0:
        scale = 1.0
    for i in range(m):
        vec[_XS, i] = max(vec[_X, i], 0.0) + SHIFT * scale * (1.0 + (0.6180339887498949 * (i + 1)) % 1.0)
        index[0, i] = start[i]
        vec[_R, i] = work[m + _C, start[i]]
    for i in range(m):
        for k in range(n_col):
            work[i, k] = static[i, k]
    for k in range(n_col):
        work[m + _D, k] = work[m + _C, k]
    subtract(work, m + _D, static, np.int64(0), vec[_R], m)
    for i in range(m):
        work[m + _D, start[i]] = 0.0
    return OK, scale


@njit(**INNER)
def resume(work, index, vec, m):
    """Reduced costs of the basis for new costs."""
    for k in range(work.shape[1]):
        work[m + _D, k] = work[m + _C, k]
    for i in range(m):
        vec[_R, i] = work[m + _C, index[0, i]]
    subtract(work, m + _D, work, np.int64(0), vec[_R], m)
    for i in range(m):
        work[m + _D, index[0, i]] = 0.0


@njit(**INNER)
def answer(static, inverse, start, b, work, index, vec, big):
    """Refine the amounts and duals of the basis, and compute the reduced costs anew; returns the least of these."""
    m = start.shape[0]
    n_col = work.shape[1]
    d = m + _D
    c = m + _C
    for j in range(m):
        vec[_R, j] = b[j]
        vec[_Y, j] = 0.0
    for i in range(m):
        f = vec[_X, i]
        q = index[0, i]
        for j in range(m):
            vec[_R, j] -= f * static[m + j, q]
    for i in range(m):
        v = 0.0
        for j in range(m):
            v += inverse[i, j] * vec[_R, j]
        if v != 0.0:
            q = start[i]
            for j in range(m):
                vec[_X, j] += work[j, q] * v
    for i in range(m):
        q = start[i]
        v = work[c, q] - work[d, q]
        for j in range(m):
            vec[_Y, j] += v * inverse[i, j]
    worst = 0.0
    for i in range(m):
        q = index[0, i]
        v = work[c, q]
        for j in range(m):
            v -= vec[_Y, j] * static[m + j, q]
        vec[_R, i] = v
        worst = max(worst, abs(v))
    if worst > 1e-15 * big:
        for i in range(m):
            q = start[i]
            v = 0.0
            for j in range(m):
                v += vec[_R, j] * work[j, q]
            for j in range(m):
                vec[_Y, j] += v * inverse[i, j]
    for k in range(n_col):
        work[d, k] = work[c, k]
    subtract(work, d, static, m, vec[_Y], m)
    for i in range(m):
        work[d, index[0, i]] = 0.0
    least = 0.0
    for k in range(n_col):
        if work[d, k] < least:
            least = work[d, k]
    return least


@njit(**INNER, inline="always")
def finish(static, inverse, start, weight, b, work, index, vec, scale, big, limit):
    """From a feasible basis and its reduced costs to the optimum. Returns status, pivots.

    scale : [mol]; big : largest cost; limit : most pivots.
    """
    m = start.shape[0]
    tol = OPTIMAL * big
    floor = FLOOR * scale
    pivots = 0
    rounds = 0
    while pivots < limit and rounds < ROUNDS:
        r, q = enter(work, vec, weight, m, tol)
        repair = q < 0
        if repair:
            rounds += 1
            if answer(static, inverse, start, b, work, index, vec, big) < -tol:
                continue
            r, q = leave(work, vec, m, FEASIBLE * scale)
            if r < 0:
                return OK, pivots
            if q < 0:
                return OUTSIDE, pivots
        elif r < 0:
            return UNBOUNDED, pivots
        pivot(work, index, vec, r, q, m, floor)
        pivots += 1
        if repair:
            for i in range(m):
                vec[_XS, i] = max(vec[_X, i], floor)
    return LIMIT, pivots


@njit(**INNER, inline="always")
def store(work, index, vec, member, scale, forbidden, n, basis, amount, dual, objective):
    """Write one answer; returns its status.

    member : (K,) original column of each; forbidden : cost from which a column is not allowed; n : row of the outputs.
    """
    m = vec.shape[1]
    c = m + _C
    total = 0.0
    status = OK
    for i in range(m):
        q = index[0, i]
        x = vec[_X, i]
        if x < FEASIBLE * scale:
            x = 0.0
        elif work[c, q] >= forbidden:
            status = NOT_ALLOWED
        total += x * work[c, q]
        basis[n, i] = member[q]
        amount[n, i] = x
        dual[n, i] = vec[_Y, i]
    objective[n] = total
    return status


@njit(**INNER)
def reduce_costs(cost, first, twin, twin_of, work, m, member, forbidden):
    """Costs of distinct columns: the cheapest of each composition; what is not allowed (+inf) costs `forbidden`.

    cost : (n_col,); first : (n_distinct,) column; twin, twin_of : further columns and the distinct one they belong to;
    member : (K,), set.
    """
    c = m + _C
    for k in range(first.shape[0]):
        work[c, k] = cost[first[k]]
    for t in range(twin.shape[0]):
        k = twin_of[t]
        member[k] = first[k]
    for t in range(twin.shape[0]):
        k = twin_of[t]
        if cost[twin[t]] < work[c, k]:
            work[c, k] = cost[twin[t]]
            member[k] = twin[t]
    for k in range(first.shape[0]):
        v = work[c, k]
        work[c, k] = v if v < forbidden else forbidden


@njit(**INNER)
def gibbs(g, t_low, t_max, extra, later, T, cost):
    """Cost of every column at one temperature; +inf outside its range.

    g : (n_segments, 8, n_col) [J/mol]; t_low : (n_segments, n_col) [K]; t_max : (n_col,) [K]; extra : (n_col,) [-];
    later : columns that have more than one segment; T : [K]; cost : (n_col,) [J/mol], set.
    """
    n_col = cost.shape[0]
    rt = R_GAS * T
    log = T * math.log(T)
    square = T * T
    inv = 1.0 / T
    root = math.sqrt(T)
    cube = square * T
    fourth = cube * T
    for j in range(n_col):
        v = (
            g[0, 0, j] + T * g[0, 1, j] + log * g[0, 2, j] + square * g[0, 3, j] + inv * g[0, 4, j]
            + root * g[0, 5, j] + cube * g[0, 6, j] + fourth * g[0, 7, j] + rt * extra[j]
        )  # fmt: skip
        v = v if t_max[j] + 1e-6 >= T else np.inf
        cost[j] = v if t_low[0, j] - 1e-6 <= T else np.inf
    for n in range(later.shape[0]):
        j = later[n]
        s = 0
        while s + 1 < t_low.shape[0] and t_low[s + 1, j] <= T:
            s += 1
        if s > 0 and cost[j] < np.inf:
            cost[j] = (
                g[s, 0, j] + T * g[s, 1, j] + log * g[s, 2, j] + square * g[s, 3, j] + inv * g[s, 4, j]
                + root * g[s, 5, j] + cube * g[s, 6, j] + fourth * g[s, 7, j] + rt * extra[j]
            )  # fmt: skip


@njit(**OUTER)
def solve(
    static, inverse, start, weight, first, twin, twin_of, b, cost, g, t_low, t_max, extra, later, temperature, big,
    limit, period, work, vec, index, member, own, basis, amount, dual, objective, status, pivots,
):  # fmt: skip
    """Many cases; costs are given, or come from Gibbs energies at the temperature of each case.

    static, inverse, start, weight, first, twin, twin_of : see `begin`, `enter`, `reduce_costs`; b : (n / period, m)
    [mol], each serves `period` cases, of which all but the first begin at the basis of the one before; cost :
    (1, period or n, n_col), or (0, n_col) if they are to come from g (arguments as in `gibbs`); temperature : (n,) [K];
    big : (1, period or n,) largest finite cost; limit : most pivots of a case; work, vec, index, member, own : scratch
    (member holds the column each distinct one stands for); then outputs, (n, m) and (n,).
    """
    m = start.shape[0]
    carried = 0
    code = LIMIT
    scale = 0.0
    for n in range(status.shape[0]):
        pivots[n] = 0
        top = big[n % big.shape[0]]
        forbidden = FORBIDDEN * top + 1.0
        if cost.shape[0] == 0:
            if not 0.0 < temperature[n] < np.inf:
                code = NOT_A_NUMBER
                status[n] = code
                continue
            gibbs(g, t_low, t_max, extra, later, temperature[n], own)
            reduce_costs(own, first, twin, twin_of, work, m, member, forbidden)
        elif n == 0 or cost.shape[0] > 1:
            reduce_costs(cost[n % cost.shape[0]], first, twin, twin_of, work, m, member, forbidden)
        row = n // period
        if n % period == 0 or code != OK or carried > FRESH:
            carried = 0
            code, scale = begin(static, inverse, start, b[row], work, index, vec)
        else:
            resume(work, index, vec, m)
        if code == OK:
            code, pivots[n] = finish(static, inverse, start, weight, b[row], work, index, vec, scale, top, limit)
            carried += pivots[n]
            if code == OK:
                code = store(work, index, vec, member, scale, forbidden, n, basis, amount, dual, objective)
        status[n] = code


@njit(**OUTER)
def evaluate(b, inverses, neighbours, hint, out):
    """Amounts of the optimal assemblage of one composition, from assemblages already known; see `cache`.

    Goes from basis to basis: while an amount is negative, to the neighbour that the dual simplex would go to.

    b : (m,) [mol]; inverses : (n, m, 16) [basis, element, phase]; neighbours : (n, m), -1 where not known; hint : basis
    to begin with; out : (16,) amounts [mol], set (0 past m). Returns the basis, or -1 if it was not found: none is
    known, or none exists.
    """
    size = 0.0
    for e in range(b.shape[0]):
        size += abs(b[e])
    tol = -FEASIBLE * size
    if not size < np.inf:
        return -1
    h = hint
    for _ in range(WALK):
        r = amounts(b, inverses, h, tol, out)
        if r < 0:
            for p in range(WIDTH):
                out[p] = out[p] if out[p] > -tol else 0.0
            return h
        h = neighbours[h, r]
        if h < 0:
            return -1
    return -1


@njit(**INNER)
def amounts(b, inverses, h, tol, out):
    """Amounts of basis h, into out; returns the row of the most negative one below tol, or -1."""
    m = b.shape[0]
    for p in range(WIDTH):
        out[p] = 0.0
    e = 0
    while e + 3 < m:
        t, u, v, w = b[e], b[e + 1], b[e + 2], b[e + 3]
        for p in range(WIDTH):
            out[p] += (t * inverses[h, e, p] + u * inverses[h, e + 1, p]) + (
                v * inverses[h, e + 2, p] + w * inverses[h, e + 3, p]
            )
        e += 4
    while e < m:
        t = b[e]
        for p in range(WIDTH):
            out[p] += t * inverses[h, e, p]
        e += 1
    r = -1
    least = tol
    for p in range(m):
        if out[p] < least:
            least = out[p]
            r = p
    return r


@njit(**INNER)
def signs(out, r, m, tol, keys):
    """A key below `keys`, a power of 2, of which amounts are negative and which most (r)."""
    key = r
    for p in range(m):
        if out[p] < tol:
            key += 16 << p
    return (key ^ (key >> 11)) & (keys - 1)


@njit(**OUTER)
def look_up(b, inverses, neighbours, jump, out, which, amount):
    """`evaluate` for many compositions, finding where to begin by itself.

    Looks at the basis of the composition before, if that has served lately; else at basis 0, and by which amounts are
    negative there, at the basis that served the first composition with the same ones.

    b : (n, m); jump : (2^k,) basis to begin with, by key; which : (n,) basis, or -3 less the basis from which the walk
    met an unknown neighbour, or -1 if b is not finite; amount : (n, m), all three set. Returns the number below 0.
    """
    m = b.shape[1]
    missing = 0
    last = 0
    near = False
    for n in range(b.shape[0]):
        size = 0.0
        for e in range(m):
            size += abs(b[n, e])
        which[n] = -1
        if not size < np.inf:
            missing += 1
            continue
        tol = -FEASIBLE * size
        h = last
        if not near or amounts(b[n], inverses, h, tol, out) >= 0:
            h = 0
            r = amounts(b[n], inverses, np.int64(0), tol, out)
            if r >= 0:
                key = signs(out, r, m, tol, jump.shape[0])
                begin_at = jump[key]
                h = begin_at
                for _ in range(WALK):
                    r = amounts(b[n], inverses, h, tol, out)
                    if r < 0:
                        break
                    h = neighbours[h, r]
                    if h < 0:
                        break
                if r >= 0:
                    which[n] = -3 - begin_at
                    missing += 1
                    near = False
                    continue
                if begin_at == 0:
                    jump[key] = h
        near = h == last
        last = h
        which[n] = h
        for p in range(m):
            amount[n, p] = out[p] if out[p] > -tol else 0.0
    return missing


@njit(**OUTER)
def grow(b, columns, cost, bases, inverses, neighbours, duals, table, square, out, jump, which, amount):
    """Go on where `look_up` met an unknown neighbour: bases that are met for the first time are added.

    columns : (m, K) A^T of the distinct columns; cost : (K,); bases : (capacity, m) columns, ascending; duals :
    (capacity, m); table : (4 capacity + 1,) hash table of bases, -1 where empty, the last element their number;
    square : (m, 2 m) scratch; jump, which : as `look_up` left them. Stops where the capacity is used up. Returns
    the number of compositions done; `which` is set to -2 if no amounts >= 0 exist, -1 if the walk was too long.
    """
    m = b.shape[1]
    for n in range(b.shape[0]):
        size = 0.0
        for e in range(m):
            size += abs(b[n, e])
        tol = -FEASIBLE * size
        begin_at = which[n]
        h = -3 - begin_at
        which[n] = -1
        key = -1
        for _ in range(WALK):
            r = amounts(b[n], inverses, h, tol, out)
            if h == 0 and r >= 0:
                key = signs(out, r, m, tol, jump.shape[0])
            if r < 0:
                which[n] = h
                if key >= 0 and jump[key] == 0:
                    jump[key] = h
                for p in range(m):
                    amount[n, p] = out[p] if out[p] > -tol else 0.0
                break
            k = neighbours[h, r]
            if k == -1:
                if table[-1] == bases.shape[0]:
                    which[n] = begin_at
                    return n
                k = step(h, r, columns, cost, bases, inverses, neighbours, duals, table, square)
            if k < 0:
                which[n] = k
                break
            h = k
    return b.shape[0]


@njit(**INNER)
def step(h, r, columns, cost, bases, inverses, neighbours, duals, table, square):
    """The basis that follows h when row r leaves it; added if new. Returns it, or -2 if there is none."""
    m, n_col = columns.shape
    q = -1
    best = np.inf
    for k in range(n_col):
        alpha = 0.0
        d = cost[k]
        for e in range(m):
            alpha += inverses[h, e, r] * columns[e, k]
            d -= duals[h, e] * columns[e, k]
        if alpha < -PIVOT:
            ratio = max(d, 0.0) / -alpha
            if ratio < best:
                best = ratio
                q = k
    if q < 0:
        neighbours[h, r] = -2
        return -2
    new = table[-1]
    for p in range(m):
        bases[new, p] = bases[h, p]
    p = r
    while p + 1 < m and bases[new, p + 1] < q:
        bases[new, p] = bases[new, p + 1]
        p += 1
    while p > 0 and bases[new, p - 1] > q:
        bases[new, p] = bases[new, p - 1]
        p -= 1
    bases[new, p] = q
    k = add(columns, cost, bases, inverses, neighbours, duals, table, square)
    neighbours[h, r] = k
    return k


@njit(**OUTER)
def add(columns, cost, bases, inverses, neighbours, duals, table, square):
    """Make the basis standing in the first free row a member; returns its number, or that of its equal."""
    m = bases.shape[1]
    new = table[-1]
    slots = table.shape[0] - 1
    key = 0
    for p in range(m):
        key = (key * 1000003 + bases[new, p]) & 0x3FFFFFFFFFFF
    slot = key % slots
    while table[slot] >= 0:
        k = table[slot]
        same = True
        for p in range(m):
            if bases[k, p] != bases[new, p]:
                same = False
                break
        if same:
            return k
        slot = (slot + 1) % slots
    for p in range(m):
        for e in range(m):
            square[e, p] = columns[e, bases[new, p]]
            square[e, m + p] = 1.0 if e == p else 0.0
    for i in range(m):  # Gauss-Jordan with row exchange
        t = i
        for e in range(i + 1, m):
            if abs(square[e, i]) > abs(square[t, i]):
                t = e
        if t != i:
            for k in range(2 * m):
                v = square[i, k]
                square[i, k] = square[t, k]
                square[t, k] = v
        v = 1.0 / square[i, i]
        for k in range(2 * m):
            square[i, k] *= v
        for e in range(m):
            f = square[e, i]
            if e != i and f != 0.0:
                for k in range(2 * m):
                    square[e, k] -= f * square[i, k]
    for e in range(m):
        y = 0.0
        for p in range(m):
            inverses[new, e, p] = square[p, m + e]
            neighbours[new, p] = -1
            y += cost[bases[new, p]] * square[p, m + e]
        duals[new, e] = y
    table[slot] = new
    table[-1] = new + 1
    return new
