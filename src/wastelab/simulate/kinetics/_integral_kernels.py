# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls
"""Kernels of the temperature integral and of conversions where the rate law separates.

The integral of exp(-E/RT) dT from 0 to T is T E2(x), x = E/RT. The smooth part x exp(x) E2(x) is a table of quintics in
w = 8 / (8 + x); a hold is exact; a segment over which the rate hardly changes is taken by Gauss-Legendre instead of by
a difference of nearly equal numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ._kernels import conversion, f_alpha

GAS_CONSTANT = 8.31446261815324
SCALE = 8.0  #: of w = SCALE / (SCALE + x)
_N4 = np.array([0.06943184420297371, 0.33000947820757187, 0.6699905217924281, 0.9305681557970262])
_W4 = np.array([0.17392742256872692, 0.32607257743127307, 0.32607257743127307, 0.17392742256872692])
_N8 = np.array([
    0.01985507175123188, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
    0.5917173212478249, 0.7627662049581645, 0.8983332387068134, 0.9801449282487681,
])  # fmt: skip
_W8 = np.array([
    0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.1813418916891810,
    0.1813418916891810, 0.15685332293894363, 0.11119051722668724, 0.05061426814518813,
])  # fmt: skip


@njit(cache=True, nogil=True)
def smooth_part(x, table, low, inverse_step):
    """x exp(x) E2(x) from the table.

    x : Ea/RT [-]; table : (n_cells, 6) quintics in the place within a cell; low : w of the first cell;
    inverse_step : cells per unit of w.
    """
    place = (SCALE / (SCALE + x) - low) * inverse_step
    cell = np.uint64(place)  # x is in range: the caller has checked it
    s = place - cell
    return table[cell, 0] + s * (
        table[cell, 1] + s * (table[cell, 2] + s * (table[cell, 3] + s * (table[cell, 4] + s * table[cell, 5])))
    )


@njit(cache=True, nogil=True)
def integral_to(temperature, energy, table, low, inverse_step):
    """Integral of exp(-E/RT) dT from 0 to a temperature [K].

    temperature : [K]; energy : Ea/R [K]; table, low, inverse_step : see `smooth_part`.
    """
    x = energy / temperature
    return temperature / x * math.exp(-x) * smooth_part(x, table, low, inverse_step)


@njit(cache=True, nogil=True)
def segment(energy, first, last, length, table, low, inverse_step):
    """Integral of exp(-E/RT) dt over a segment linear in time [s].

    energy : Ea/R [K]; first, last : temperatures at its ends [K]; length : [s]; the rest as in `smooth_part`.
    """
    if first == last:
        return length * math.exp(-energy / first)
    change = energy * (1.0 / first - 1.0 / last)
    if abs(change) < 0.25 and abs(last - first) < 0.02 * first:
        total = 0.0
        for i in range(4):
            total += _W4[i] * math.exp(-energy / (first + _N4[i] * (last - first)))
        return length * total
    value = 0.0
    if change > -40.0:
        value += integral_to(last, energy, table, low, inverse_step)
    if change < 40.0:
        value -= integral_to(first, energy, table, low, inverse_step)
    return length * value / (last - first)


@njit(cache=True, nogil=True)
def integrals(energy, lower, upper, from_zero, table, low, inverse_step, out):
    """Temperature integrals.

    energy : (n,) Ea/R [K]; lower, upper : (n,) [K]; from_zero : whether the lower limit is 0 K instead
    table, low, inverse_step : see `smooth_part`; out : (n,) [K]
    """
    for i in range(out.shape[0]):
        if from_zero:
            out[i] = integral_to(upper[i], energy[i], table, low, inverse_step)
        else:
            out[i] = segment(energy[i], lower[i], upper[i], upper[i] - lower[i], table, low, inverse_step)


@njit(cache=True, nogil=True)
def open_conversion(code, theta, n, m, p, alpha_knots, g_knots):
    """Conversion at a value of g for a model without closed form.

    code, n, m, p : model; theta : g [-]; alpha_knots, g_knots : (n_knots,) of `models.ReactionModel.knots`.
    """
    if theta <= 0.0:
        return 0.0
    if theta >= g_knots[-1]:
        return 1.0
    j = np.searchsorted(g_knots, theta) - 1
    low, high = alpha_knots[j], alpha_knots[j + 1]
    if high >= 1.0:  # one rounding step from complete
        return low
    start, base = low, g_knots[j]
    if j == 0:  # below the first knot g is a power of alpha
        return high * (theta / g_knots[1]) ** (1.0 / max(1.0 - m - p if code == 8 else 1.0, 1e-3))
    a = low + (high - low) * min((theta - base) / (g_knots[j + 1] - base), 1.0)
    for _ in range(60):
        total = 0.0
        for i in range(8):
            total += _W8[i] / f_alpha(code, start + _N8[i] * (a - start), n, m, p)
        value = base + total * (a - start) - theta
        if value > 0.0:
            high = a
        else:
            low = a
        new = a - value * f_alpha(code, a, n, m, p)
        if abs(new - a) <= 3e-16:
            return min(max(new, 0.0), 1.0)
        if not low < new < high:
            new = 0.5 * (low + high)
        a = new
    return a


@njit(cache=True, nogil=True)
def place_outputs(times, temps, out_times, inverse_t, index, inside, out_t, out_inverse_t, stretch):
    """Where each output lies in one program.

    times, temps : (n_corners,) [s], [K]; out_times : (n_times,) ascending [s]
    inverse_t : (n_corners,) filled with 1/T; index : (n_times,) full segments before the output
    inside : (n_times,) time since the corner before it [s]; out_t, out_inverse_t : (n_times,) T and 1/T there
    stretch : (n_corners,) seconds per K of each segment, 0 for a hold
    """
    last = times.shape[0] - 1
    for c in range(last + 1):
        inverse_t[c] = 1.0 / temps[c]
        stretch[c] = 0.0
        if c < last and temps[c + 1] != temps[c]:
            stretch[c] = (times[c + 1] - times[c]) / (temps[c + 1] - temps[c])
    s = 0
    for j in range(out_times.shape[0]):
        t = out_times[j]
        while s < last and t >= times[s + 1]:
            s += 1
        index[j], inside[j], out_t[j] = s, 0.0, temps[s]
        if s < last and t > times[s]:
            inside[j] = t - times[s]
            if stretch[s] != 0.0:
                out_t[j] = temps[s] + inside[j] / stretch[s]
        out_inverse_t[j] = 1.0 / out_t[j]


@njit(cache=True, nogil=True)
def _upto(inverse_t, energy, table, low, inverse_step):
    """`integral_to` from 1/T."""
    x = energy * inverse_t
    return smooth_part(x, table, low, inverse_step) * math.exp(-x) / (x * inverse_t)


@njit(cache=True, nogil=True)
def conversions(
    times, temps, a_factor, energy, codes, params, alpha_knots, g_knots, out_times, table, low, inverse, out
):
    """Conversions of independent reactions of many recipes along temperature programs.

    times, temps : (n_programs, n_corners) [s], [K]; one program serves all recipes, or each has its own
    a_factor, energy : (n_recipes or 1, n_reactions) A [1/s], Ea/R [K], in the range of the table
    codes, params : (n_reactions,), (n_reactions, 3) models
    alpha_knots, g_knots : (n_reactions, n_knots) for models without closed form, else one column
    out_times : (n_programs, n_times) ascending [s]
    table, low, inverse : see `smooth_part`
    out : (n_recipes, n_times, n_reactions) conversion [-]
    """
    n_corners, n_times = times.shape[1], out.shape[1]
    inv_t, stretch = np.empty(n_corners), np.empty(n_corners)
    index = np.empty(n_times, np.int64)
    inside, out_t, out_inv = np.empty(n_times), np.empty(n_times), np.empty(n_times)
    for i in range(out.shape[0]):
        prog = i if times.shape[0] > 1 else 0
        own = i if a_factor.shape[0] > 1 else 0
        if i == 0 or prog > 0:
            place_outputs(times[prog], temps[prog], out_times[prog], inv_t, index, inside, out_t, out_inv, stretch)
        for r in range(codes.shape[0]):
            e, factor, code = energy[own, r], a_factor[own, r], codes[r]
            n, m, p = params[r, 0], params[r, 1], params[r, 2]
            whole, s, corner = 0.0, 0, -1.0  # corner: integral up to its temperature, once needed
            for j in range(n_times):
                at, here = whole, index[j]
                while s <= here:  # the segments behind, then the part of the one it lies in
                    full = s < here
                    length = times[prog, s + 1] - times[prog, s] if full else inside[j]
                    if length > 0.0:
                        first, last, last_inv = temps[prog, s], out_t[j], out_inv[j]
                        if full:
                            last, last_inv = temps[prog, s + 1], inv_t[s + 1]
                        change = e * (inv_t[s] - last_inv)
                        if abs(change) < 0.25 and abs(last - first) < 0.02 * first:
                            at += segment(e, first, last, length, table, low, inverse)
                            end = -1.0
                        else:
                            if corner < 0.0 and change < 40.0:
                                corner = _upto(inv_t[s], e, table, low, inverse)
                            end = _upto(last_inv, e, table, low, inverse) if change > -40.0 else 0.0
                            at += stretch[s] * (end - corner if change < 40.0 else end)
                        if full:
                            corner = end if change > -40.0 else -1.0
                    if not full:
                        break
                    whole = at
                    s += 1
                g = factor * at
                if code >= 8:
                    a = open_conversion(code, g, n, m, p, alpha_knots[r], g_knots[r])
                else:
                    a = conversion(code, g, n, m, p)
                out[i, j, r] = a
                if a >= 1.0:  # complete, and so it stays
                    for rest in range(j + 1, n_times):
                        out[i, rest, r] = 1.0
                    break
