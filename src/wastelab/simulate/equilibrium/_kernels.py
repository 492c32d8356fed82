"""Kernels of the linear programme min c.x, A^T x = b, x >= 0 with few rows and many cases.

Primal simplex on a dense tableau. The tableau of the start basis does not depend on the case, so a cold start is a copy;
all that a pivot does runs along the columns and is vectorised. Amounts are shifted by 1e-9 of their sum during the
search, which rules out stalling; the answer is computed anew from the true b and the final basis, with one step of
iterative refinement, and if the shift mattered, dual steps repair it.

Names: m rows, K columns (those of one composition count once; padded to a multiple of 8 with empty ones).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

R_GAS = 8.31446261815324
SHIFT = 1e-9  # of the sum of the start amounts
FLOOR = 1e-12  # least shifted amount, of the same sum
FEASIBLE = 1e-13  # amounts above minus this share of the sum count as zero
OPTIMAL = 1e-12  # reduced costs above minus this share of the largest cost count as zero
PIVOT = 1e-9  # least pivot element
NOISE = 1e-13  # tableau elements below this are rounding
ROUNDS = 20
# rows of the work array after the m rows of the tableau
_D, _C, _S, _Q = 0, 1, 2, 3
# rows of the vector array
_X, _XS, _INV, _Y, _R, _Z, _CB = 0, 1, 2, 3, 4, 5, 6
N_WORK, N_VECTORS = 4, 7

OK, LIMIT, OUTSIDE, NOT_A_NUMBER, UNBOUNDED, NOT_ALLOWED = 0, 1, 2, 3, 4, 5


@njit(cache=True, nogil=True, error_model="numpy")
def pivot(work, basis, vec, r, q, m, floor):
    """One change of basis: column q enters at row r; the shifted amounts follow.

    work : (m + 4, K), tableau, then reduced costs; basis : (m,) columns; vec : (7, m); floor : least shifted amount.
    """
    n_col = work.shape[1]
    p = 1.0 / work[r, q]
    for k in range(n_col):
        work[r, k] *= p
    work[r, q] = 1.0
    theta = vec[_XS, r] * p
    for i in range(m + 1):
        if i != r:
            f = work[i, q]
            if abs(f) > NOISE:
                for k in range(n_col):
                    work[i, k] -= f * work[r, k]
                if i < m:
                    vec[_XS, i] = max(vec[_XS, i] - theta * f, floor)
            work[i, q] = 0.0
    vec[_XS, r] = max(theta, floor)
    basis[r] = q


@njit(cache=True, nogil=True, error_model="numpy")
def primal(work, basis, vec, m, tol, floor, limit):
    """Pivot until no reduced cost is below -tol; the column that gains most enters.

    tol : [cost]; floor : [mol]; limit : most pivots. Returns status, pivots.
    """
    n_col = work.shape[1]
    d = m + _D
    s = m + _S
    for n in range(limit):
        for i in range(m):
            vec[_INV, i] = 1.0 / vec[_XS, i]
        f = vec[_INV, 0]
        for k in range(n_col):
            v = work[0, k] * f
            work[s, k] = v if v > 1e-30 else 1e-30
        for i in range(1, m):
            f = vec[_INV, i]
            for k in range(n_col):
                v = work[i, k] * f
                o = work[s, k]
                work[s, k] = v if v > o else o
        for k in range(n_col):
            v = work[d, k]
            work[s, k] = v / work[s, k] if v < -tol else 0.0
        q = -1
        best = 0.0
        for k in range(n_col):
            if work[s, k] < best:
                best = work[s, k]
                q = k
        if q < 0:
            return OK, n
        r = -1
        least = np.inf
        for i in range(m):
            f = work[i, q]
            if f > PIVOT:
                ratio = vec[_XS, i] / f
                if ratio < least:
                    least = ratio
                    r = i
        if r < 0:
            return UNBOUNDED, n
        pivot(work, basis, vec, r, q, m, floor)
    return LIMIT, limit


@njit(cache=True, nogil=True, error_model="numpy")
def dual(work, basis, vec, m, tol, floor, limit):
    """Dual steps from a basis without negative reduced costs until no amount is below -tol. Returns status, pivots.

    Works on the true amounts, which it takes as the shifted ones.
    """
    n_col = work.shape[1]
    d = m + _D
    for n in range(limit):
        r = -1
        least = -tol
        for i in range(m):
            if vec[_X, i] < least:
                least = vec[_X, i]
                r = i
        if r < 0:
            return OK, n
        q = -1
        best = np.inf
        for k in range(n_col):
            f = work[r, k]
            if f < -PIVOT:
                ratio = max(work[d, k], 0.0) / -f
                if ratio < best:
                    best = ratio
                    q = k
        if q < 0:
            return OUTSIDE, n
        theta = vec[_X, r] / work[r, q]
        for i in range(m):
            if i != r:
                vec[_X, i] -= theta * work[i, q]
        vec[_X, r] = theta
        pivot(work, basis, vec, r, q, m, floor)
    return LIMIT, limit


@njit(cache=True, nogil=True, error_model="numpy")
def begin(static, inverse, start, b, work, basis, vec):
    """Put the start basis; returns status and the sum of its amounts [mol].

    static : (2 m, K), tableau of the start basis, then A^T; inverse : (m, m) of the start basis; start : (m,);
    b : (m,) [mol].
    """
    m = start.shape[0]
    n_col = static.shape[1]
    scale = 0.0
    size = 0.0
    for i in range(m):
        size += abs(b[i])
    if not size < np.inf:
        return NOT_A_NUMBER, 0.0
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
        basis[i] = start[i]
        for k in range(n_col):
            work[i, k] = static[i, k]
    return OK, scale


@njit(cache=True, nogil=True, error_model="numpy")
def price(work, basis, m):
    """Reduced costs from the costs and the tableau."""
    n_col = work.shape[1]
    d = m + _D
    c = m + _C
    for k in range(n_col):
        work[d, k] = work[c, k]
    for i in range(m):
        f = work[c, basis[i]]
        for k in range(n_col):
            work[d, k] -= f * work[i, k]
    for i in range(m):
        work[d, basis[i]] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def answer(static, inverse, start, b, work, basis, vec, fresh):
    """True amounts and duals of the basis, refined, and the reduced costs from them; returns the least of these.

    fresh : whether the basis has changed since the amounts were last computed.
    """
    m = start.shape[0]
    n_col = work.shape[1]
    d = m + _D
    c = m + _C
    if fresh:
        for i in range(m):
            vec[_X, i] = 0.0
        for turn in range(2):
            for j in range(m):
                vec[_R, j] = b[j]
            if turn > 0:
                for i in range(m):
                    f = vec[_X, i]
                    q = basis[i]
                    for j in range(m):
                        vec[_R, j] -= f * static[m + j, q]
            for i in range(m):
                v = 0.0
                for j in range(m):
                    v += inverse[i, j] * vec[_R, j]
                vec[_Z, i] = v
            for i in range(m):
                v = 0.0
                for j in range(m):
                    v += work[i, start[j]] * vec[_Z, j]
                vec[_X, i] += v
    for j in range(m):
        vec[_Y, j] = 0.0
    for turn in range(2):
        for i in range(m):
            q = basis[i]
            v = work[c, q]
            if turn > 0:
                for j in range(m):
                    v -= vec[_Y, j] * static[m + j, q]
            vec[_CB, i] = v
        for j in range(m):
            v = 0.0
            q = start[j]
            for i in range(m):
                v += vec[_CB, i] * work[i, q]
            vec[_Z, j] = v
        for j in range(m):
            v = 0.0
            for i in range(m):
                v += vec[_Z, i] * inverse[i, j]
            vec[_Y, j] += v
    for k in range(n_col):
        work[d, k] = work[c, k]
    for j in range(m):
        f = vec[_Y, j]
        for k in range(n_col):
            work[d, k] -= f * static[m + j, k]
    least = 0.0
    for i in range(m):
        work[d, basis[i]] = 0.0
    for k in range(n_col):
        if work[d, k] < least:
            least = work[d, k]
    return least


@njit(cache=True, nogil=True, error_model="numpy")
def finish(static, inverse, start, b, work, basis, vec, scale, big, limit):
    """From a feasible basis and its reduced costs to the optimum. Returns status, pivots.

    scale : [mol]; big : largest cost.
    """
    m = start.shape[0]
    tol = OPTIMAL * big
    floor = FLOOR * scale
    pivots = 0
    fresh = True
    for turn in range(ROUNDS):
        status, n = primal(work, basis, vec, m, tol, floor, limit - pivots)
        pivots += n
        if status != OK:
            return status, pivots
        fresh = fresh or n > 0
        least = answer(static, inverse, start, b, work, basis, vec, fresh)
        fresh = False
        if least < -tol:
            continue
        status, n = dual(work, basis, vec, m, FEASIBLE * scale, floor, limit - pivots)
        pivots += n
        if status != OK:
            return status, pivots
        if n == 0:
            return OK, pivots
        for i in range(m):
            vec[_XS, i] = max(vec[_X, i], floor)
        fresh = True
    return LIMIT, pivots


@njit(cache=True, nogil=True, error_model="numpy")
def store(work, basis, vec, member, scale, forbidden, out_basis, out_amount, out_dual):
    """Write one answer; returns status and objective.

    member : (K,) original column of each; forbidden : cost from which a column is not allowed.
    """
    m = basis.shape[0]
    c = m + _C
    total = 0.0
    status = OK
    for i in range(m):
        q = basis[i]
        x = vec[_X, i]
        if x < FEASIBLE * scale:
            x = 0.0
        if x > 0.0:
            if work[c, q] >= forbidden:
                status = NOT_ALLOWED
            total += x * work[c, q]
        out_basis[i] = member[q]
        out_amount[i] = x
        out_dual[i] = vec[_Y, i]
    return status, total


@njit(cache=True, nogil=True, error_model="numpy")
def reduce_costs(cost, first, twin, twin_of, work, m, member):
    """Costs of distinct columns: the cheapest of each composition; columns not allowed (+inf) get a cost that loses.

    cost : (n_col,); first : (n_distinct,) column; twin, twin_of : further columns and the distinct one they belong to;
    member : (K,), set. Returns largest finite cost and the cost given to what is not allowed (inf if nothing is), or
    -1, 0 for a NaN.
    """
    c = m + _C
    n = first.shape[0]
    for k in range(n):
        work[c, k] = cost[first[k]]
        member[k] = first[k]
    for t in range(twin.shape[0]):
        k = twin_of[t]
        v = cost[twin[t]]
        if v < work[c, k] or v != v:
            work[c, k] = v
            member[k] = twin[t]
    big = 0.0
    total = 0.0
    for k in range(n):
        v = abs(work[c, k])
        total += v
        big = v if v > big else big
    if total < np.inf:
        return big, np.inf
    big = 0.0
    for k in range(n):
        v = work[c, k]
        if v != v or v == -np.inf:
            return -1.0, 0.0
        if v < np.inf:
            big = max(big, abs(v))
    forbidden = 1e4 * big + 1.0
    for k in range(n):
        if work[c, k] == np.inf:
            work[c, k] = forbidden
    return big, forbidden


@njit(cache=True, nogil=True, error_model="numpy")
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
        cost[j] = (
            g[0, 0, j] + T * g[0, 1, j] + log * g[0, 2, j] + square * g[0, 3, j] + inv * g[0, 4, j]
            + root * g[0, 5, j] + cube * g[0, 6, j] + fourth * g[0, 7, j] + rt * extra[j]
        )  # fmt: skip
    for n in range(later.shape[0]):
        j = later[n]
        s = 0
        while s + 1 < t_low.shape[0] and t_low[s + 1, j] <= T:
            s += 1
        if s > 0:
            cost[j] = (
                g[s, 0, j] + T * g[s, 1, j] + log * g[s, 2, j] + square * g[s, 3, j] + inv * g[s, 4, j]
                + root * g[s, 5, j] + cube * g[s, 6, j] + fourth * g[s, 7, j] + rt * extra[j]
            )  # fmt: skip
    for j in range(n_col):
        if T > t_max[j] + 1e-6 or T < t_low[0, j] - 1e-6:
            cost[j] = np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def solve_costs(
    static, inverse, start, first, twin, twin_of, b, cost, limit, basis_out, amount, dual_out, objective, status, pivots
):
    """Cold solves, costs given.

    static, inverse, start, first, twin, twin_of : see `begin`, `reduce_costs`; b : (n, m) [mol]; cost : (n or 1, n_col);
    limit : most pivots; then outputs, (n, m) and (n,).
    """
    m = start.shape[0]
    work = np.zeros((m + N_WORK, static.shape[1]))
    vec = np.zeros((N_VECTORS, m))
    basis = np.zeros(m, dtype=np.int64)
    member = np.zeros(static.shape[1], dtype=np.int64)
    big = 0.0
    forbidden = np.inf
    for n in range(b.shape[0]):
        if n == 0 or cost.shape[0] > 1:
            big, forbidden = reduce_costs(cost[n], first, twin, twin_of, work, m, member)
        pivots[n] = 0
        if big < 0.0:
            status[n] = NOT_A_NUMBER
            continue
        code, scale = begin(static, inverse, start, b[n], work, basis, vec)
        if code == OK:
            price(work, basis, m)
            code, pivots[n] = finish(static, inverse, start, b[n], work, basis, vec, scale, big, limit)
            if code == OK:
                code, objective[n] = store(
                    work, basis, vec, member, scale, forbidden, basis_out[n], amount[n], dual_out[n]
                )
        status[n] = code


@njit(cache=True, nogil=True, error_model="numpy")
def solve_temperatures(
    static, inverse, start, first, twin, twin_of, b, g, t_low, t_max, extra, later, temperature, limit,
    basis_out, amount, dual_out, objective, status, pivots,
):  # fmt: skip
    """Cold solves, costs from Gibbs energies at the temperature of each case; arguments as in `gibbs`, `solve_costs`."""
    m = start.shape[0]
    work = np.zeros((m + N_WORK, static.shape[1]))
    vec = np.zeros((N_VECTORS, m))
    basis = np.zeros(m, dtype=np.int64)
    member = np.zeros(static.shape[1], dtype=np.int64)
    cost = np.zeros(extra.shape[0])
    for n in range(b.shape[0]):
        pivots[n] = 0
        if not 0.0 < temperature[n] < np.inf:
            status[n] = NOT_A_NUMBER
            continue
        gibbs(g, t_low, t_max, extra, later, temperature[n], cost)
        big, forbidden = reduce_costs(cost, first, twin, twin_of, work, m, member)
        if big < 0.0:
            status[n] = NOT_A_NUMBER
            continue
        code, scale = begin(static, inverse, start, b[n], work, basis, vec)
        if code == OK:
            price(work, basis, m)
            code, pivots[n] = finish(static, inverse, start, b[n], work, basis, vec, scale, big, limit)
            if code == OK:
                code, objective[n] = store(
                    work, basis, vec, member, scale, forbidden, basis_out[n], amount[n], dual_out[n]
                )
        status[n] = code
