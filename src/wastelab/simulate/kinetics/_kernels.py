"""Kernels of the solid-state models: f, g and its inverse by model code.

Codes are those of `models.CODES`: 0 F(n), 1 A(n), 2 R(n), 3 P(n), 4-7 D1-D4, 8 SB(n, m, p), 9 Bna(n, k = m).
"""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True)
def f_alpha(code, alpha, n, m, p):
    """f(alpha) of a model; alpha is clamped to [0, 1], and the limit values at the ends are finite.

    code : int; alpha : conversion [-]; n, m, p : parameters of the model [-].
    """
    a = min(max(alpha, 0.0), 1.0)
    left = 1.0 - a
    if code == 0:
        if n == 1.0:
            return left
        return left**n if left > 0.0 else (1.0 if n == 0.0 else 0.0)
    if code == 1:
        if n == 1.0:
            return left
        if left <= 0.0:
            return 0.0
        a = max(a, 1e-12)  # nuclei are there: the law has a dead start at exactly zero
        left = 1.0 - a
        return n * left * (-math.log1p(-a)) ** (1.0 - 1.0 / n)
    if code == 2:
        if left <= 0.0:
            return 0.0
        return n * left ** (1.0 - 1.0 / n)
    if code == 3:
        if left <= 0.0:
            return 0.0
        return n * max(a, 1e-12) ** (1.0 - 1.0 / n)
    if code == 4:
        return 0.5 / max(a, 1e-12) if left > 0.0 else 0.0
    if code == 5:
        if left <= 0.0:
            return 0.0
        return 1.0 / -math.log1p(-max(a, 1e-12))
    if code == 6:
        if left <= 0.0:
            return 0.0
        third = left ** (1.0 / 3.0)
        return 1.5 * third * third / max(1.0 - third, 1e-13)
    if code == 7:
        if left <= 0.0:
            return 0.0
        return 1.5 / max(left ** (-1.0 / 3.0) - 1.0, 1e-13)
    if code == 8:
        if left <= 0.0:
            return 0.0
        a = max(a, 1e-12)
        value = a**m * left**n
        if p != 0.0:
            value *= (-math.log1p(-a)) ** p
        return value
    if code == 9:
        return (left**n if left > 0.0 else 0.0) * (1.0 + m * a)
    return math.nan


@njit(cache=True)
def g_alpha(code, alpha, n, m, p):
    """g(alpha), the integral of 1/f from 0; +inf where completion takes for ever; NaN without a closed form."""
    a = min(max(alpha, 0.0), 1.0)
    left = 1.0 - a
    if code == 0:
        if n == 1.0:
            return -math.log1p(-a) if left > 0.0 else math.inf
        if left <= 0.0:
            return 1.0 / (1.0 - n) if n < 1.0 else math.inf
        return -math.expm1((1.0 - n) * math.log1p(-a)) / (1.0 - n)
    if code == 1:
        return (-math.log1p(-a)) ** (1.0 / n) if left > 0.0 else math.inf
    if code == 2:
        return -math.expm1(math.log1p(-a) / n) if left > 0.0 else 1.0
    if code == 3:
        return a ** (1.0 / n)
    if code == 4:
        return a * a
    if code == 5:
        return left * math.log(left) + a if left > 0.0 else 1.0
    if code == 6:
        return (1.0 - left ** (1.0 / 3.0)) ** 2
    if code == 7:
        return 1.0 - 2.0 * a / 3.0 - left ** (2.0 / 3.0)
    return math.nan


@njit(cache=True)
def conversion(code, g, n, m, p):
    """alpha at which the integral form reaches g; 1 beyond completion; NaN without a closed form."""
    if g <= 0.0:
        return 0.0
    if code == 0:
        if n == 1.0:
            return -math.expm1(-g)
        base = 1.0 - (1.0 - n) * g
        if base <= 0.0:
            return 1.0
        return -math.expm1(math.log(base) / (1.0 - n))
    if code == 1:
        return -math.expm1(-(g**n))
    if code == 2:
        return 1.0 if g >= 1.0 else -math.expm1(n * math.log1p(-g))
    if code == 3:
        return 1.0 if g >= 1.0 else g**n
    if code == 4:
        return 1.0 if g >= 1.0 else math.sqrt(g)
    if code == 5:
        if g >= 1.0:
            return 1.0
        low, high = 0.0, 1.0
        a = min(math.sqrt(2.0 * g), 0.999)
        for _ in range(100):
            value = (1.0 - a) * math.log1p(-a) + a - g
            if value > 0.0:
                high = a
            else:
                low = a
            slope = -math.log1p(-a)
            step = a - value / slope if slope > 0.0 else 0.5 * (low + high)
            new = step if low < step < high else 0.5 * (low + high)
            if abs(new - a) <= 1e-16:
                return new
            a = new
        return a
    if code == 6:
        if g >= 1.0:
            return 1.0
        third = 1.0 - math.sqrt(g)
        return 1.0 - third * third * third
    if code == 7:
        if g >= 1.0 / 3.0:
            return 1.0
        # with x = (1 - alpha)^(1/3): 2 x^3 - 3 x^2 + 1 = 3 g, one root in (0, 1)
        x = 0.5 + math.cos((math.acos(min(max(6.0 * g - 1.0, -1.0), 1.0)) + 4.0 * math.pi) / 3.0)
        return 1.0 - x * x * x
    return math.nan
