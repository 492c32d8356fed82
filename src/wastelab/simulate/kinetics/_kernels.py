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
        if n == 2.0:
            return 2.0 * left * math.sqrt(-math.log1p(-a))
        return n * left * (-math.log1p(-a)) ** (1.0 - 1.0 / n)
    if code == 2:
        if left <= 0.0:
            return 0.0
        if n == 2.0:
            return 2.0 * math.sqrt(left)
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
        third = math.log1p(-a) / 3.0
        return 1.5 * math.exp(2.0 * third) / max(-math.expm1(third), 1e-13)
    if code == 7:
        if left <= 0.0:
            return 0.0
        return 1.5 / max(math.expm1(-math.log1p(-a) / 3.0), 1e-13)
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
        return _cylinder(a)
    if code == 6 or code == 7:
        u = -math.expm1(math.log1p(-a) / 3.0) if left > 0.0 else 1.0
        return u * u if code == 6 else u * u * (1.0 - 2.0 * u / 3.0)
    return math.nan


@njit(cache=True)
def _cylinder(a):
    """(1 - a) ln(1 - a) + a, by its series where the terms cancel."""
    if a >= 1.0:
        return 1.0
    if a > 0.15:
        return (1.0 - a) * math.log1p(-a) + a
    total = 0.0
    for k in range(20, 1, -1):
        total = total * a + 1.0 / (k * (k - 1))
    return total * a * a


@njit(cache=True)
def conversion(code, g, n, m, p):
    """alpha at which the integral form reaches g; 1 beyond completion; NaN without a closed form."""
    if g <= 0.0:
        return 0.0
    if code == 0:
        if n == 1.0:
            return -math.expm1(-g)
        if n == 2.0:
            return g / (1.0 + g)
        loss = (1.0 - n) * g
        if loss >= 1.0:
            return 1.0
        return -math.expm1(math.log1p(-loss) / (1.0 - n))
    if code == 1:
        if n == 2.0:
            return -math.expm1(-g * g)
        if n == 3.0:
            return -math.expm1(-g * g * g)
        return -math.expm1(-(g**n))
    if code == 2:
        if g >= 1.0:
            return 1.0
        if n == 2.0:
            return g * (2.0 - g)  # 1 - (1 - g)^2
        if n == 3.0:
            return g * (3.0 - g * (3.0 - g))  # 1 - (1 - g)^3
        return -math.expm1(n * math.log1p(-g))
    if code == 3:
        return 1.0 if g >= 1.0 else g**n
    if code == 4:
        return 1.0 if g >= 1.0 else math.sqrt(g)
    if code == 5:
        if g >= 1.0:
            return 1.0
        root = math.sqrt(2.0 * g)
        low, high = 0.0, 1.0
        a = min(root * (1.0 - root / 6.0 - root * root / 72.0), 0.999)
        for _ in range(60):
            value = _cylinder(a) - g
            if value > 0.0:
                high = a
            else:
                low = a
            new = a + value / math.log1p(-a)
            if abs(new - a) <= 3e-16 * a:
                return new
            if not low < new < high:
                new = 0.5 * (low + high)
            a = new
        return a
    if code == 6:
        if g >= 1.0:
            return 1.0
        u = math.sqrt(g)
        return u * (3.0 - u * (3.0 - u))  # 1 - (1 - u)^3
    if code == 7:
        if g >= 1.0 / 3.0:
            return 1.0
        # with u = 1 - (1 - alpha)^(1/3): u^2 - 2 u^3 / 3 = g, one root in (0, 1)
        if g > 0.01:
            u = 0.5 - math.cos((math.acos(min(max(6.0 * g - 1.0, -1.0), 1.0)) + 4.0 * math.pi) / 3.0)
        else:
            root = math.sqrt(g)
            u = root * (1.0 + root * (1.0 / 3.0 + root * 5.0 / 18.0))
        if u < 0.99:  # polish: the start loses digits where u is small
            for _ in range(3 if g <= 0.01 else 1):
                u -= (u * u * (1.0 - 2.0 * u / 3.0) - g) / (2.0 * u * (1.0 - u))
        return u * (3.0 - u * (3.0 - u))
    return math.nan
