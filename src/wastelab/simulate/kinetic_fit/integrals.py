"""Integrals that the fits need: of the Arrhenius factor over temperature or time, and of a reaction model.

The temperature integral from 0 K is exact, I(E, T) = T E2(E/RT) with the exponential integral E2 (DLMF 8.19); it is
given as a logarithm so that it cannot underflow. Over a measured T(t) it is a Gauss-Legendre sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kinetics.models import CODES, ReactionModel
from ._kernels import alpha_of_g, f_of_alpha, g_of_alpha

FloatArray = NDArray[np.float64]

#: Gas constant [J/(mol K)] (exact, SI 2019).
R = 8.31446261815324
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
# Grid of u = ln(alpha/(1 - alpha)) on which a model without a closed form is integrated.
_U = np.linspace(-25.0, 25.0, 5001)
_ALPHA, _LEFT = 1.0 / (1.0 + np.exp(-_U)), 1.0 / (1.0 + np.exp(_U))


def _scaled(x: FloatArray, order: int) -> FloatArray:
    """exp(x) E_order(x) for x >= 15 by its continued fraction, evaluated backwards (DLMF 8.19.17)."""
    tail = np.zeros_like(x)
    for k in range(40, 0, -1):
        tail = k * (order + k - 1.0) / (x + order + 2.0 * k - tail)
    return np.asarray(1.0 / (x + order - tail))


def log_temperature_integral(Ea: ArrayLike, temperature_K: ArrayLike) -> FloatArray:
    """Natural logarithm of the integral of exp(-Ea/RT) from 0 K to T.

    Parameters
    ----------
    Ea : array_like
        Activation energy, above zero [J/mol].
    temperature_K : array_like
        [K]

    Returns
    -------
    ndarray
        ln(I / K).
    """
    from scipy.special import expn

    t = np.asarray(temperature_K, dtype=np.float64)
    x = np.asarray(Ea, dtype=np.float64) / (R * t)
    large = np.maximum(x, 15.0)
    near = np.log(expn(2, np.minimum(x, 15.0)))
    return np.asarray(np.log(t) + np.where(x > 15.0, np.log(_scaled(large, 2)) - x, near))


def slope_factor(Ea: ArrayLike, temperature_K: ArrayLike, power: float) -> FloatArray:
    """What -R d ln(beta/T^power)/d(1/T) is in units of Ea, exactly, at constant conversion.

    Ozawa, Flynn and Wall take 1.052 (power 0), Kissinger, Akahira and Sunose 1 (power 2), Starink 1.0008 (power
    1.92); the exact value is E1(x)/E2(x) + (1 - power)/x with x = Ea/RT.
    """
    from scipy.special import expn

    x = np.asarray(Ea, dtype=np.float64) / (R * np.asarray(temperature_K, dtype=np.float64))
    large = np.maximum(x, 15.0)
    small = np.minimum(x, 15.0)
    ratio = np.where(x > 15.0, _scaled(large, 1) / _scaled(large, 2), expn(1, small) / expn(2, small))
    return np.asarray(ratio + (1.0 - power) / x)


def gauss_times(edges_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Times [s] and weights [s], shape (edges - 1, 4), to integrate over each interval."""
    half = 0.5 * np.diff(edges_s)[:, None]
    middle = 0.5 * (edges_s[1:] + edges_s[:-1])[:, None]
    return middle + half * _NODES, half * _WEIGHTS


def model_f(model: ReactionModel, alpha: ArrayLike) -> FloatArray:
    """f(alpha) over an array."""
    a = np.ascontiguousarray(np.ravel(np.asarray(alpha, dtype=np.float64)))
    out = np.empty_like(a)
    f_of_alpha(model.code, a, model.n, model.m, model.p, out)
    return out.reshape(np.shape(alpha))


def model_g(model: ReactionModel, alpha: ArrayLike) -> FloatArray:
    """g(alpha) over an array, of a model with a closed form."""
    a = np.ascontiguousarray(np.ravel(np.asarray(alpha, dtype=np.float64)))
    out = np.empty_like(a)
    g_of_alpha(model.code, a, model.n, model.m, model.p, out)
    return out.reshape(np.shape(alpha))


def model_alpha(model: ReactionModel, g: FloatArray, start: float = 0.0) -> FloatArray:
    """Conversion where the integral of 1/f from `start` is g.

    Parameters
    ----------
    model : ReactionModel
    g : ndarray, shape (k,)
        [-]
    start : float
        Conversion at g = 0 [-]. Used by the truncated Sestak-Berggren model alone, which (for m >= 1) never leaves
        zero by itself; 0 means 1e-6 there. Closed models start at 0.
    """
    if model.closed:
        out = np.empty(g.size)
        alpha_of_g(model.code, np.ascontiguousarray(g), model.n, model.m, model.p, out)
        return out
    return _tabulated(model, g, max(start, 1e-6))


def _tabulated(model: ReactionModel, g: FloatArray, start: float) -> FloatArray:
    """SB by quadrature in u, where d(alpha) = alpha (1 - alpha) du; third order between the knots."""
    f = model_f(model, _ALPHA)
    if model.code == CODES["SB"] and model.p == 0.0:
        h = _ALPHA ** (1.0 - model.m) * _LEFT ** (1.0 - model.n)
        slope = h * ((1.0 - model.m) * _LEFT - (1.0 - model.n) * _ALPHA)
    else:
        h = _ALPHA * _LEFT / np.maximum(f, 1e-300)
        slope = np.gradient(h, _U)
    step = _U[1] - _U[0]
    total = np.concatenate([[0.0], np.cumsum(0.5 * step * (h[1:] + h[:-1]) - step * step / 12.0 * np.diff(slope))])
    u0 = np.log(start / (1.0 - start))
    k = int(np.clip((u0 - _U[0]) / step, 0, len(_U) - 2))
    origin = total[k] + h[k] * (u0 - _U[k]) + 0.5 * slope[k] * (u0 - _U[k]) ** 2
    wanted = origin + g
    k_at = np.clip(np.searchsorted(total, wanted) - 1, 0, len(_U) - 2)
    away = (wanted - total[k_at]) / h[k_at]
    u = _U[k_at] + np.clip(away - 0.5 * slope[k_at] / h[k_at] * away * away, 0.0, step)
    return np.asarray(1.0 / (1.0 + np.exp(-u)))
