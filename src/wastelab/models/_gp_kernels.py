"""Covariances of Gaussian processes and the derivatives of their likelihood: lower triangles, columns contiguous."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

#: Forms of a covariance over several columns.
PRODUCT_32, JOINT_32, JOINT_52 = 0, 1, 2


@njit(cache=True, nogil=True, fastmath=True)
def covariance(xt, inverse, form, out):
    """Lower triangle of a covariance of unit variance among rows.

    xt : (d, n) coordinates, columns in rows; inverse : (d,) sqrt(3) or sqrt(5) over length; form : code
    out : (n, n) lower triangle with diagonal is written
    """
    d, n = xt.shape
    total = np.empty(n)
    factor = np.empty(n)
    for i in range(n):
        total[: i + 1] = 0.0
        factor[: i + 1] = 1.0
        for k in range(d):
            x = xt[k, i]
            scale = inverse[k]
            if form == PRODUCT_32:
                for j in range(i + 1):
                    a = abs(xt[k, j] - x) * scale
                    total[j] += a
                    factor[j] *= 1.0 + a
            else:
                for j in range(i + 1):
                    a = (xt[k, j] - x) * scale
                    total[j] += a * a
        if form == PRODUCT_32:
            for j in range(i + 1):
                out[i, j] = factor[j] * math.exp(-total[j])
        elif form == JOINT_32:
            for j in range(i + 1):
                r = math.sqrt(total[j])
                out[i, j] = (1.0 + r) * math.exp(-r)
        else:
            for j in range(i + 1):
                r = math.sqrt(total[j])
                out[i, j] = (1.0 + r + r * r / 3.0) * math.exp(-r)


@njit(cache=True, nogil=True, fastmath=True)
def cross_covariance(xt, zt, inverse, form, out):
    """Covariance of unit variance between rows of two sets.

    xt : (d, m); zt : (d, n); inverse : (d,); form : code; out : (m, n)
    """
    d, m = xt.shape
    n = zt.shape[1]
    total = np.empty(n)
    factor = np.empty(n)
    for i in range(m):
        total[:] = 0.0
        factor[:] = 1.0
        for k in range(d):
            x = xt[k, i]
            scale = inverse[k]
            if form == PRODUCT_32:
                for j in range(n):
                    a = abs(zt[k, j] - x) * scale
                    total[j] += a
                    factor[j] *= 1.0 + a
            else:
                for j in range(n):
                    a = (zt[k, j] - x) * scale
                    total[j] += a * a
        for j in range(n):
            if form == PRODUCT_32:
                out[i, j] = factor[j] * math.exp(-total[j])
            else:
                r = math.sqrt(total[j])
                out[i, j] = (1.0 + r + (r * r / 3.0 if form == JOINT_52 else 0.0)) * math.exp(-r)


@njit(cache=True, nogil=True, fastmath=True)
def length_gradient(xt, inverse, form, weighted, kernel, out):
    """Derivatives of the negative log likelihood by the logarithms of the lengths.

    xt : (d, n); inverse : (d,); form : code
    weighted : (n, n) lower triangle of K^-1 - alpha alpha'; kernel : (n, n) this covariance with its variance
    out : (d,)
    """
    d, n = xt.shape
    row = np.empty(n)
    out[:] = 0.0
    for i in range(n):
        if form == PRODUCT_32:
            for j in range(i):
                row[j] = weighted[i, j] * kernel[i, j]
        else:
            for j in range(i):
                row[j] = 0.0
            for k in range(d):
                x = xt[k, i]
                scale = inverse[k]
                for j in range(i):
                    a = (xt[k, j] - x) * scale
                    row[j] += a * a
            for j in range(i):
                r = math.sqrt(row[j])
                share = 1.0 / (1.0 + r) if form == JOINT_32 else (1.0 + r) / (3.0 + 3.0 * r + r * r)
                row[j] = weighted[i, j] * kernel[i, j] * share
        for k in range(d):
            x = xt[k, i]
            scale = inverse[k]
            g = 0.0
            if form == PRODUCT_32:
                for j in range(i):
                    a = abs(xt[k, j] - x) * scale
                    g += row[j] * (a * a / (1.0 + a))
            else:
                for j in range(i):
                    a = (xt[k, j] - x) * scale
                    g += row[j] * a * a
            out[k] += g


@njit(cache=True, nogil=True, fastmath=True)
def weights_of(inverse, alpha, out):
    """Lower triangle of K^-1 - alpha alpha', and the trace products that variances need.

    inverse : (n, n) K^-1, lower triangle; alpha : (n,); out : (n, n) lower triangle
    """
    n = len(alpha)
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = inverse[i, j] - alpha[i] * alpha[j]


@njit(cache=True, nogil=True, fastmath=True)
def triangle_product(weighted, kernel):
    """Half the sum over all pairs of two symmetric matrices given by their lower triangles."""
    n = len(kernel)
    total = 0.0
    for i in range(n):
        line = 0.0
        for j in range(i):
            line += weighted[i, j] * kernel[i, j]
        total += line + 0.5 * weighted[i, i] * kernel[i, i]
    return total


@njit(cache=True, nogil=True)
def group_product(weighted, group):
    """Half the sum of a symmetric matrix (lower triangle) over all pairs of one group."""
    n = len(group)
    total = 0.0
    for i in range(n):
        for j in range(i):
            if group[i] == group[j]:
                total += weighted[i, j]
        total += 0.5 * weighted[i, i]
    return total


@njit(cache=True, nogil=True)
def add_group(kernel, group, variance):
    """Add a variance to all pairs of one group. kernel : (n, n) lower triangle; group : (n,) int"""
    n = len(group)
    for i in range(n):
        for j in range(i + 1):
            if group[i] == group[j]:
                kernel[i, j] += variance


@njit(cache=True, nogil=True)
def keep_group(kernel, group):
    """Set to 0 all pairs that are not of one group. kernel : (n, n) lower triangle; group : (n,) int"""
    n = len(group)
    for i in range(n):
        for j in range(i):
            if group[i] != group[j]:
                kernel[i, j] = 0.0


@njit(cache=True, nogil=True)
def pool_course(values, weights, level, mass, count):
    """Nearest values that do not fall (pool adjacent violators), in place; all (k,), the last three for work."""
    blocks = 0
    for j in range(values.shape[0]):
        level[blocks] = values[j]
        mass[blocks] = weights[j]
        count[blocks] = 1
        blocks += 1
        while blocks > 1 and level[blocks - 2] > level[blocks - 1]:
            both = mass[blocks - 2] + mass[blocks - 1]
            level[blocks - 2] = (mass[blocks - 2] * level[blocks - 2] + mass[blocks - 1] * level[blocks - 1]) / both
            mass[blocks - 2] = both
            count[blocks - 2] += count[blocks - 1]
            blocks -= 1
    at = 0
    for b in range(blocks):
        for _ in range(count[b]):
            values[at] = level[b]
            at += 1


@njit(cache=True, nogil=True)
def not_falling(values, weights):
    """`pool_course` of each row, in place. values : (n, k); weights : (k,)"""
    n, k = values.shape
    level, mass, count = np.empty(k), np.empty(k), np.empty(k, dtype=np.int64)
    for i in range(n):
        pool_course(values[i], weights, level, mass, count)
