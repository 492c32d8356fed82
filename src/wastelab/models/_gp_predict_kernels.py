"""Kernels of the mean of a Gaussian process whose covariance is a sum of products of functions of single columns.

Of a mix at many ages, what depends on the mix is computed once: the course over ages is then a few sums of products
with vectors that are kept. Arrays in, arrays out; no Python objects.
"""
# mypy: ignore-errors

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from ._gp_kernels import pool_course

#: As in `_gp_kernels`: a product of Matern-3/2 functions of single columns; Matern-3/2 or -5/2 of the joint distance.
PRODUCT_32, JOINT_32, JOINT_52 = 0, 1, 2
#: Scale on which the process was fitted.
IDENTITY, SQRT, LOG = 0, 1, 2
_SHIFT = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer that stands in the low bits
_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@intrinsic
def _times_two_to(context, value, shifted):
    """value * 2^k where `shifted` is k + 1.5 * 2^52."""
    if value != types.float64 or shifted != types.float64:
        return None

    def code(context, builder, signature, arguments):
        word = ir.IntType(64)
        bits = builder.shl(builder.bitcast(arguments[1], word), ir.Constant(word, 52))
        return builder.bitcast(builder.add(builder.bitcast(arguments[0], word), bits), ir.DoubleType())

    return types.float64(value, shifted), code


@njit(cache=True, nogil=True, fastmath={"contract"}, inline="always")
def exp_minus(a):
    """exp(-a), relative error below 1e-15 for |a| <= 700, and that of 700 or -700 beyond; vectorises."""
    x = -max(min(a, 700.0), -700.0)
    shifted = x * _LOG2E + _SHIFT
    k = shifted - _SHIFT
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return _times_two_to(p, shifted)


@njit(cache=True, nogil=True)
def standardise(x, i, skip, columns, median, gaps, mean, sd, out):
    """Row i of a design as the process sees it: gaps filled, indicators of gaps behind, on its own scale.

    x : (n, d); skip : bool (d,) features whose gaps do not count (axes of a grid); columns : int64 (k,) features used;
    median : (k,); gaps : int64 (g,) columns with an indicator; mean, sd : (k + g,); out : (k + g,)
    """
    k = columns.shape[0]
    for c in range(k):
        value = x[i, columns[c]]
        out[c] = ((median[c] if value != value else value) - mean[c]) / sd[c]
    for g in range(gaps.shape[0]):
        value = x[i, columns[gaps[g]]]
        empty = 1.0 if value != value and not skip[columns[gaps[g]]] else 0.0
        out[k + g] = (empty - mean[k + g]) / sd[k + g]


@njit(cache=True, nogil=True, fastmath={"contract"})
def distances(x, column, inverse, z, first, end, total, factor):
    """Sum of the scaled distances to all tests, and product of 1 + distance, over the columns first to end.

    x : (k,) standardised; column : int64, inverse : (m,) of the rows of z; z : (m, n) scaled tests; total, factor :
    (n,), out
    """
    n = total.shape[0]
    for j in range(n):
        total[j] = 0.0
        factor[j] = 1.0
    r = first
    while r + 2 < end:  # three at a time: with more, pointers are too many for the compiler to tell them apart
        u, v, w = x[column[r]] * inverse[r], x[column[r + 1]] * inverse[r + 1], x[column[r + 2]] * inverse[r + 2]
        p, q, s = z[r], z[r + 1], z[r + 2]
        for j in range(n):
            a, b, c = abs(p[j] - u), abs(q[j] - v), abs(s[j] - w)
            total[j] += a + b + c
            f = factor[j]
            f = f * a + f
            f = f * b + f
            factor[j] = f * c + f
        r += 3
    while r < end:
        u = x[column[r]] * inverse[r]
        p = z[r]
        for j in range(n):
            a = abs(p[j] - u)
            total[j] += a
            factor[j] = factor[j] * a + factor[j]
        r += 1


@njit(cache=True, nogil=True, fastmath={"contract"})
def squares(x, column, inverse, z, first, end, total):
    """Sum of the squared scaled distances to all tests. Arguments as of `distances`."""
    n = total.shape[0]
    for j in range(n):
        total[j] = 0.0
    for r in range(first, end):
        v = x[column[r]] * inverse[r]
        p = z[r]
        for j in range(n):
            a = p[j] - v
            total[j] += a * a


@njit(cache=True, nogil=True, fastmath={"contract"})
def finish_product(total, factor):
    """factor * exp(-total), in place."""
    for j in range(total.shape[0]):
        factor[j] *= exp_minus(total[j])


@njit(cache=True, nogil=True, fastmath={"contract"})
def finish_joint(total, more, five_halves, factor):
    """Matern function of the joint distance. total, more : (n,) squares of distance to add up; factor : (n,), out."""
    third = 1.0 / 3.0 if five_halves else 0.0
    for j in range(total.shape[0]):
        s = total[j] + more[j]
        r = math.sqrt(s)
        factor[j] = (1.0 + r + s * third) * exp_minus(r)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def dot(a, b):
    """Sum of products."""
    total = 0.0
    for j in range(a.shape[0]):
        total += a[j] * b[j]
    return total


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def add_products(factor, weight, first, scale, out):
    """out[g] += scale * (weight[first + g] . factor), four at a time. weight : (m, n); out : (n_points,)"""
    n = factor.shape[0]
    n_points = out.shape[0]
    g = 0
    while g + 3 < n_points:
        p, q, r, s = weight[first + g], weight[first + g + 1], weight[first + g + 2], weight[first + g + 3]
        a = b = c = d = 0.0
        for j in range(n):
            f = factor[j]
            a += f * p[j]
            b += f * q[j]
            c += f * r[j]
            d += f * s[j]
        out[g] += scale * a
        out[g + 1] += scale * b
        out[g + 2] += scale * c
        out[g + 3] += scale * d
        g += 4
    while g < n_points:
        out[g] += scale * dot(factor, weight[first + g])
        g += 1


@njit(cache=True, nogil=True)
def points(x, form, column, inverse, start, z, weight, begin, variance, alpha, total, factor, out):
    """Standardised mean of one mix at all points that are kept.

    x : (k,) standardised; form : code; column : int64, inverse : (m,), z : (m, n) columns of all parts that are no
    axis; start : int64 (n_parts + 1,) where those of a part begin; weight : (w, n) of a product: covariance over the
    axes times alpha, of a joint form: squared distance over the axes; begin : int64 (n_parts + 1,) its rows of each
    part: one for each point, or a single one where the part has no axis; variance : (n_parts,); alpha : (n,); total,
    factor : (n,), work; out : (n_points,), added to
    """
    for part in range(variance.shape[0]):
        single = begin[part + 1] - begin[part] == 1
        if form == PRODUCT_32:
            distances(x, column, inverse, z, start[part], start[part + 1], total, factor)
            finish_product(total, factor)
            if single:
                value = variance[part] * dot(factor, weight[begin[part]])
                for g in range(out.shape[0]):
                    out[g] += value
            else:
                add_products(factor, weight, begin[part], variance[part], out)
        else:
            squares(x, column, inverse, z, start[part], start[part + 1], total)
            for g in range(1 if single else out.shape[0]):
                finish_joint(total, weight[begin[part] + g], form == JOINT_52, factor)
                value = variance[part] * dot(factor, alpha)
                if single:
                    for other in range(out.shape[0]):
                        out[other] += value
                else:
                    out[g] += value


@njit(cache=True, nogil=True)
def place_of(at, knots):
    """Where an age lies among the knots: (number of the knot before it, share of the way to the next)."""
    last = knots.shape[0] - 1
    if last == 0 or not at > knots[0]:
        return 0, 0.0
    if at >= knots[last]:
        return last - 1, 1.0
    right = 1
    while knots[right] < at:
        right += 1
    return right - 1, (at - knots[right - 1]) / (knots[right] - knots[right - 1])


@njit(cache=True, nogil=True)
def read_line(values, before, share, out):
    """Values at places of `place_of`, linear between the knots. values : (k,); before, share, out : (n_ages,)"""
    if values.shape[0] == 1:
        out[:] = values[0]
        return
    for k in range(out.shape[0]):
        low, high = values[before[k]], values[before[k] + 1]
        out[k] = high if share[k] >= 1.0 else low + share[k] * (high - low)


@njit(cache=True, nogil=True, fastmath={"contract"})
def back(z, transform):
    """The target from the scale that was fitted, in place."""
    if transform == SQRT:
        for i in range(z.shape[0]):
            z[i] = max(z[i], 0.0) ** 2
    elif transform == LOG:
        for i in range(z.shape[0]):
            z[i] = exp_minus(-z[i])


@njit(cache=True, nogil=True)
def predict_gp(x, first, seen, shape, kept, course, target, out):
    """Predictions of rows first to first + len(out) at all points of a grid (one point where there is none).

    x : (n, d)
    seen : (skip, columns, median, gaps, mean, sd) of `standardise`
    shape : (form, column, inverse, start) and kept : (z, weight, begin, variance, alpha) of `points`
    course : (knots, knot weights, age, before, share); where there are knots [ln d], the points of `points` are
        (n_other, n_knots), and before, share : (n_ages,) of `place_of` say where the course is read; empty: at the age
        of the row, which is number `age` of `columns`
    target : (mean, sd, shift of the standardised mean, transform code)
    out : (n, n_points)
    """
    skip, columns, median, gaps, mean, sd = seen
    form, column, inverse, start = shape
    z, weight, begin, variance, alpha = kept
    knots, knot_weights, age, before, share = course
    y_mean, y_sd, shift, transform = target
    n_knots = knots.shape[0]
    row = np.empty(mean.shape[0])
    total, factor = np.empty(alpha.shape[0]), np.empty(alpha.shape[0])
    level, mass, count = np.empty(n_knots), np.empty(n_knots), np.empty(n_knots, dtype=np.int64)
    n_ages = max(before.shape[0], 1)
    n_other = out.shape[1] // n_ages if n_knots else out.shape[1]
    values = np.empty(n_other * max(n_knots, 1))
    own_before, own_share = np.zeros(1, dtype=np.int64), np.zeros(1)
    for i in range(out.shape[0]):
        standardise(x, first + i, skip, columns, median, gaps, mean, sd, row)
        values[:] = shift
        points(row, form, column, inverse, start, z, weight, begin, variance, alpha, total, factor, values)
        if n_knots == 0:
            out[i] = values
        elif before.shape[0] == 0:
            own = x[first + i, columns[age]]
            own_before[0], own_share[0] = place_of(median[age] if own != own else own, knots)
        for g in range(n_other if n_knots else 0):
            line = values[g * n_knots : (g + 1) * n_knots]
            pool_course(line, knot_weights, level, mass, count)
            if before.shape[0]:
                read_line(line, before, share, out[i, g * n_ages : (g + 1) * n_ages])
            else:
                read_line(line, own_before, own_share, out[i, g : g + 1])
        for k in range(out.shape[1]):
            out[i, k] = out[i, k] * y_sd + y_mean
        back(out[i], transform)


@njit(cache=True, nogil=True)
def along(table, knots, knot_weights, before, share, own, out):
    """Courses that do not fall, read at some ages.

    table : (n, n_knots), overwritten; knots, knot_weights : (n_knots,); before, share : (n_ages,) of `place_of`; empty:
    each row at its `own` age, (n,); out : (n, n_ages or 1)
    """
    n_knots = knots.shape[0]
    level, mass, count = np.empty(n_knots), np.empty(n_knots), np.empty(n_knots, dtype=np.int64)
    own_before, own_share = np.zeros(1, dtype=np.int64), np.zeros(1)
    for i in range(table.shape[0]):
        pool_course(table[i], knot_weights, level, mass, count)
        if before.shape[0]:
            read_line(table[i], before, share, out[i])
        else:
            own_before[0], own_share[0] = place_of(own[i], knots)
            read_line(table[i], own_before, own_share, out[i])
            if own[i] != own[i]:
                out[i] = np.nan
