"""Kernels of the fits: one reaction model over an array."""

from __future__ import annotations

from numba import njit

from ..kinetics._kernels import conversion, f_alpha, g_alpha


@njit(cache=True, nogil=True)
def alpha_of_g(code, g, n, m, p, out):
    """Conversion of each value of the integral form.

    code : int; g : (k,) [-]; n, m, p : parameters of the model [-]; out : (k,) alpha [-].
    """
    for i in range(g.size):
        out[i] = conversion(code, g[i], n, m, p)


@njit(cache=True, nogil=True)
def f_of_alpha(code, alpha, n, m, p, out):
    """Differential form of each conversion.

    code : int; alpha : (k,) [-]; n, m, p : parameters of the model [-]; out : (k,) f [-].
    """
    for i in range(alpha.size):
        out[i] = f_alpha(code, alpha[i], n, m, p)


@njit(cache=True, nogil=True)
def g_of_alpha(code, alpha, n, m, p, out):
    """Integral form of each conversion.

    code : int; alpha : (k,) [-]; n, m, p : parameters of the model [-]; out : (k,) g [-].
    """
    for i in range(alpha.size):
        out[i] = g_alpha(code, alpha[i], n, m, p)
