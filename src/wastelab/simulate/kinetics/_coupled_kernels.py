"""Kernels of coupled reactions: closed forms where a reaction stands alone, Rosenbrock RODAS for those that do not.

A reaction whose reactants nobody makes and nobody else takes goes as g(alpha) = integral of k dt: no corner, no
stiffness, completion exact. A reaction that others feed goes as extent [mol/kg] by RODAS (order 4(3), L-stable) until
they are done, then alone; completion is an event. With a flow of gas those that its pressures hold back are integrated
together, and those that do not heed it but give gas off are a known inflow.
Coefficients: E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, 2nd ed. (1996), section VI.4.
Integral of Arrhenius: rational approximation of degree 8, L. A. Perez-Maqueda, J. M. Criado, J. Therm. Anal. Calorim.
60 (2000) 909-915.

Packed arguments, the same in every function:
 w (N_W + n_g, n)  numbers by reaction, or by gas in rows P_IN, P, VENT; n is the larger of their numbers. Rows LN_A to
                 ORDER are the law, LIMIT the largest extent [mol/kg], from G on mol of each gas released per extent
 li (N_L + n_r, n)  integers by reaction: CODE of the model, KIND of dependence on gas (0 none, 1 equilibrium, 2
                 oxygen), OF which gas, 1 if g is CLOSED; N_Q reactants; WAY it is carried; lists ACT (running), ODE
                 (integrated), FEED (closed ones that feed or dilute those), NEED (gases to solve for); DONE; SOLE
                 (nobody else takes its reactants, and g is closed); HEEDS the gas; from N_L on li[N_L + r, s] is 1
                 where s makes what r consumes
 net (n_r, 4, 1 + 2 n_r)  by reactant, per mol consumed: start [mol/kg], supply and consumption by each reaction
 tab (n_r, n_u)  ln of the equilibrium pressure [bar] at u_0 + i du [1/K]
Rows K, Q, F, YS, RS of w hold rate constants [1/s], equilibrium pressures [bar], and of closed reactions extents
[mol/kg], g and integrals of Arrhenius [K/s], VENT by gas what those give off [mol/(kg s)]: at the start of a step (0),
at its stages (1-4, 4 being the end) and just after its start (5).
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from ._kernels import conversion, f_alpha, g_alpha

OUTER: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
INNER: dict[str, Any] = {**OUTER, "no_cpython_wrapper": True}  # called from kernels only

_A = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [1.544000000000000, 0.0, 0.0, 0.0],
        [0.9466785280815826, 0.2557011698983284, 0.0, 0.0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0.0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950],
    ]
)
_C = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [-5.668800000000000, 0.0, 0.0, 0.0, 0.0],
        [-2.430093356833875, -0.2063599157091915, 0.0, 0.0, 0.0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0.0, 0.0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160, 0.0],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ]
)
_D = np.array([0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0])
#: Parts of the step of the stages, and of the derivative with time; their order in time.
_TIME = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1e-4])
_ORDER = np.array([5, 2, 1, 3, 4])
_H2 = np.array([10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662])
_H3 = np.array([-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872])
_GAMMA = 0.25
#: Nodes and weights of Gauss-Legendre, four points on (0, 1).
_GL_X = np.array([0.06943184420297371, 0.33000947820757187, 0.6699905217924281, 0.9305681557970263])
_GL_W = np.array([0.17392742256872692, 0.32607257743127307, 0.32607257743127307, 0.17392742256872692])
#: Status codes.
OK, TOO_MANY_STEPS, STEP_TOO_SMALL = 0, 1, 2
#: How a reaction is carried: extent by RODAS, g by RODAS, alone.
EXTENT, INTEGRAL, ALONE = 0, 1, 2
LN_A, E, N, M, P_OF, ORDER, LIMIT, X, NEW, XI, XI0, DX, DX0, DXT, MOLE, B, P_IN, P, GSUM = range(19)
K, Q, F, VENT, YS, RS, U = (GSUM + 1 + 6 * _i for _i in range(7))
G = U + 6
N_W = G
CODE, KIND, OF, CLOSED, N_Q, WAY, ACT, ODE, FEED, NEED, DONE, SOLE, HEEDS, N_L = range(14)
#: What counts as nothing left of a supply, over all of it; k h, and the rise of k, that make a step too long for a
#: reaction at rest.
SPENT, WAKE, WAKE_RISE = 1e-11, 0.05, 5.0


@njit(**OUTER)
def _psi(x):
    """Integral of exp(-E/RT) dT from 0, over T exp(-x); x = E/RT [-]."""
    if x < 16.0:  # the rational form loses digits: continued fraction of exp(x) E2(x)
        value = x
        for i in range(40 + int(150.0 / x), 0, -1):
            value = x + (i + 1.0) / (1.0 + i / value)
        return 1.0 / value
    top = ((((((x + 70.0) * x + 1886.0) * x + 24920.0) * x + 170136.0) * x + 577584.0) * x + 844560.0) * x + 357120.0
    low = ((((((((x + 72.0) * x + 2024.0) * x + 28560.0) * x + 216720.0) * x + 880320.0) * x + 1794240.0) * x
            + 1572480.0) * x + 403200.0)  # fmt: skip
    return top / low


@njit(**INNER)
def _arrhenius(r, w, temperature):
    """Integral of A exp(-E/RT) of reaction r over T from 0 [K/s]."""
    x = w[E, r] / temperature
    return math.exp(w[LN_A, r] - x) * temperature * _psi(x) if w[LN_A, r] - x > -80.0 else 0.0


@njit(**INNER)
def _pressure(tab, r, u0, du, temperature):
    """Equilibrium pressure of reaction r [bar] at a temperature [K]."""
    x = (1.0 / temperature - u0) / du
    i = min(max(int(x), 0), tab.shape[1] - 2)
    c = x - i
    return math.exp(min((1.0 - c) * tab[r, i] + c * tab[r, i + 1], 700.0))


@njit(**INNER)
def _factor(kind, order, p, peq):
    """Share of the rate that the gas leaves: 1 - p/p_eq, or (p/0.21)^order."""
    if kind == 1:
        return 1.0 - p / peq if p < peq else 0.0
    if p <= 0.0:
        return 0.0
    return p / 0.21 if order == 1.0 else (p / 0.21) ** order


@njit(**INNER)
def _extent(r, y, li, w):
    """Extent [mol/kg] of reaction r at a value y of g."""
    return w[LIMIT, r] * conversion(li[CODE, r], y, w[N, r], w[M, r], w[P_OF, r])


@njit(**INNER)
def _quadrature(r, w, tab, u0, du, p, t_a, T_a, t_b, T_b):
    """Integral of k (1 - p/p_eq) dt over a stretch of linear temperature, from (t_a, T_a) to (t_b, T_b)."""
    ln_a, e = w[LN_A, r], w[E, r]
    high, low = max(T_a, T_b), min(T_a, T_b)
    if math.exp(ln_a - e / high) * (t_b - t_a) < 1e-13:
        return 0.0
    if _pressure(tab, r, u0, du, high) <= p:
        return 0.0
    start = low
    if _pressure(tab, r, u0, du, low) < p:  # it sets in within the stretch: bisect for where
        x, y = low, high
        for _ in range(48):
            mid = 0.5 * (x + y)
            if _pressure(tab, r, u0, du, mid) < p:
                x = mid
            else:
                y = mid
        start = x
    pieces = 1 + int(e * (high - start) / (start * high) / 1.2)
    width = (high - start) / pieces
    total = 0.0
    for i in range(pieces):
        for q in range(4):
            temperature = start + (i + _GL_X[q]) * width
            peq = _pressure(tab, r, u0, du, temperature)
            total += _GL_W[q] * math.exp(ln_a - e / temperature) * max(0.0, 1.0 - p / peq)
    share = (high - start) / (high - low) if high > low else 1.0
    return total / pieces * share * (t_b - t_a)


@njit(**INNER)
def _gas_pressure(s, na, n_need, li, w, flow, total):
    """Row P of w: pressures [bar] of a well-mixed gas, P_IN at `flow` [mol/(kg s)] and what the reactions give.

    Row MOLE of w holds the rates before the factor of the gas [mol/(kg s)]; row P holds a first guess.
    """
    for _sweep in range(30):
        change = 0.0
        for i in range(n_need):
            g = li[NEED, i]
            every, this = flow, w[VENT + s, g]
            for a in range(w.shape[0] - G):
                every += w[VENT + s, a]
            for a in range(na):
                r = li[ACT, a]
                kind = li[KIND, r]
                if kind > 0 and li[OF, r] == g:
                    continue
                rate = w[MOLE, r]
                if kind > 0:
                    rate *= _factor(kind, w[ORDER, r], w[P, li[OF, r]], w[Q + s, r])
                every += w[GSUM, r] * rate
                this += w[G + g, r] * rate
            low, high = 0.0, total
            x = w[P, g]
            for _ in range(80):
                # value(x) = x (flow + all gas) - p_in flow - total (this gas) rises with x
                every_x, this_x, slope_every, slope_this = every, this, 0.0, 0.0
                for a in range(na):
                    r = li[ACT, a]
                    kind = li[KIND, r]
                    if kind == 0 or li[OF, r] != g:
                        continue
                    rate, slope = w[MOLE, r] * _factor(kind, w[ORDER, r], x, w[Q + s, r]), 0.0
                    if rate > 0.0:
                        slope = -w[MOLE, r] / w[Q + s, r] if kind == 1 else rate * w[ORDER, r] / x
                    every_x += w[GSUM, r] * rate
                    this_x += w[G + g, r] * rate
                    slope_every += w[GSUM, r] * slope
                    slope_this += w[G + g, r] * slope
                value = x * every_x - w[P_IN, g] * flow - total * this_x
                if value > 0.0:
                    high = x
                else:
                    low = x
                slope = every_x + x * slope_every - total * slope_this
                new = x - value / slope if slope > 0.0 else 0.5 * (low + high)
                if not low <= new <= high:
                    new = 0.5 * (low + high)
                moved = abs(new - x)
                x = new
                if moved <= 1e-7 * x or high - low <= 1e-15 * total:
                    break
            change = max(change, abs(x - w[P, g]))
            w[P, g] = x
        if n_need == 1 or change <= 1e-11 * total:
            break


@njit(**INNER)
def _supply(r, li, net, w):
    """Extent still possible and extent possible from all that was ever there [mol/kg], at the extents in row XI."""
    n_r = net.shape[0]
    left, whole = math.inf, math.inf
    for q in range(li[N_Q, r]):
        given, gone = net[r, q, 0], 0.0
        for s in range(n_r):
            given += net[r, q, 1 + s] * w[XI, s]
            gone += net[r, q, 1 + n_r + s] * w[XI, s]
        left = min(left, given - gone)
        whole = min(whole, given)
    return max(left, 0.0), max(whole, 0.0)


@njit(**INNER)
def _rates(s, na, n_f, n_need, li, net, w, flow, total):
    """Row DX of w: time derivative of the states in NEW, at stage s."""
    for a in range(n_f):
        w[XI, li[FEED, a]] = w[F + s, li[FEED, a]]
    for a in range(na):
        r = li[ACT, a]
        w[XI, r] = w[NEW, r] if li[WAY, r] == EXTENT else _extent(r, w[NEW, r], li, w)
    for a in range(na):
        r = li[ACT, a]
        w[DX, r] = w[K + s, r]
        if li[WAY, r] == EXTENT or n_need > 0:
            left, whole = w[LIMIT, r] - w[XI, r], w[LIMIT, r]
            if li[WAY, r] == EXTENT:
                left, whole = _supply(r, li, net, w)
            w[MOLE, r] = 0.0
            if left > 0.0:
                f = f_alpha(li[CODE, r], 1.0 - left / whole, w[N, r], w[M, r], w[P_OF, r])
                w[MOLE, r] = w[K + s, r] * whole * f
            if li[WAY, r] == EXTENT:
                w[DX, r] = w[MOLE, r]
    if n_need > 0:
        _gas_pressure(s, na, n_need, li, w, flow, total)
    for a in range(na):
        r = li[ACT, a]
        if li[KIND, r] > 0:
            w[DX, r] *= _factor(li[KIND, r], w[ORDER, r], w[P, li[OF, r]], w[Q + s, r])


@njit(**INNER)
def _factorise(m, na):
    """LU in place without pivoting (the matrix is heavy on its diagonal); False if a pivot vanishes."""
    for c in range(na):
        if not abs(m[1, c, c]) > 1e-300:
            return False
        for i in range(c + 1, na):
            if m[1, i, c] != 0.0:
                m[1, i, c] /= m[1, c, c]
                for j in range(c + 1, na):
                    m[1, i, j] -= m[1, i, c] * m[1, c, j]
    return True


@njit(**INNER)
def _stage(stage, step, na, li, w, m, row):
    """Solve for one stage with the factors m; `row` holds its derivative, the result goes to row U + stage."""
    by, along = 1.0 / step, step * _D[stage]
    for a in range(na):
        r = li[ACT, a]
        value = w[row, r] + along * w[DXT, r]
        for i in range(stage):
            value += _C[stage, i] * by * w[U + i, r]
        for j in range(a):
            value -= m[1, a, j] * w[B, j]
        w[B, a] = value
    for a in range(na - 1, -1, -1):
        value = w[B, a]
        for j in range(a + 1, na):
            value -= m[1, a, j] * w[B, j]
        w[B, a] = value / m[1, a, a]
        w[U + stage, li[ACT, a]] = w[B, a]


@njit(**INNER)
def _network(n0, cons, made, flow, li, net, w):
    """What follows from stoichiometry: row LIMIT of w, N_Q, WAY, SOLE, HEEDS and the feeding matrix of li, and net."""
    n_r, n_p = cons.shape
    for _ in range(n_r + 1):
        for r in range(n_r):
            limit = math.inf
            for j in range(n_p):
                if cons[r, j] > 0.0:
                    most = n0[j]
                    for s in range(n_r):
                        most += made[s, j] * w[LIMIT, s]
                    limit = min(limit, most / cons[r, j])
            w[NEW, r] = limit if limit < math.inf else 0.0
        for r in range(n_r):
            w[LIMIT, r] = w[NEW, r]
    for r in range(n_r):
        li[DONE, r] = int(w[LIMIT, r] <= 0.0)
        li[SOLE, r] = li[CLOSED, r]
        li[HEEDS, r] = int(flow > 0.0 and li[KIND, r] > 0)
        for j in range(n_p):
            nu = cons[r, j]
            if nu <= 0.0:
                continue
            q = li[N_Q, r]
            li[N_Q, r] = q + 1
            net[r, q, 0] = n0[j] / nu
            for s in range(n_r):
                if w[LIMIT, s] > 0.0:
                    net[r, q, 1 + s] = made[s, j] / nu
                    net[r, q, 1 + n_r + s] = cons[s, j] / nu
                    if made[s, j] > 0.0:
                        li[N_L + r, s] = 1
                    if cons[s, j] > 0.0 and s != r:
                        li[SOLE, r] = 0
    for _ in range(n_r):  # what depends on one that heeds the gas heeds it
        for r in range(n_r):
            for q in range(li[N_Q, r]):
                for s in range(n_r):
                    if net[r, q, 1 + s] + net[r, q, 1 + n_r + s] > 0.0 and li[HEEDS, s] == 1:
                        li[HEEDS, r] = 1
    for r in range(n_r):
        fed = 0
        for s in range(n_r):
            fed += li[N_L + r, s]
        if fed > 0 or li[SOLE, r] == 0:
            li[WAY, r] = EXTENT
        else:
            li[WAY, r] = INTEGRAL if li[HEEDS, r] == 1 else ALONE


@njit(**INNER)
def _alone(r, first, t_0, y, at_out, prog_t, prog_T, li, tab, u0, du, w, out_t, out):
    """Extents out (n_out, n_r) [mol/kg] of a reaction that stands alone from a time on.

    first, t_0 [s], y : segment, time and g it starts from; at_out : first output due
    """
    lone = li[KIND, r] == 1
    p = w[P_IN, li[OF, r]]
    share = _factor(2, w[ORDER, r], p, 1.0) if li[KIND, r] == 2 else 1.0
    before = -1.0  # integral of Arrhenius where the stretch starts, kept from stretch to stretch
    for segment in range(first, len(prog_t) - 1):
        T_a, T_b, t_a, t_b = prog_T[segment], prog_T[segment + 1], prog_t[segment], prog_t[segment + 1]
        slope = (T_b - T_a) / (t_b - t_a)
        flat = abs(T_b - T_a) < 1e-6
        t_left = max(t_a, t_0)
        T_left = T_a + slope * (t_left - t_a)
        if not lone and before < 0.0 and not flat:
            before = _arrhenius(r, w, T_left)
        t_start, T_start, y_left, at_corner = t_left, T_left, y, False
        while not at_corner:
            at_corner = at_out >= len(out_t) or out_t[at_out] > t_b
            time = t_b if at_corner else out_t[at_out]
            temperature = T_b if at_corner else T_a + slope * (time - t_a)
            if lone:
                if time > t_left:
                    y_left += _quadrature(r, w, tab, u0, du, p, t_left, T_left, time, temperature)
            elif flat:
                y_left = y + share * math.exp(w[LN_A, r] - w[E, r] / T_start) * (time - t_start)
            else:
                here = _arrhenius(r, w, temperature)
                y_left = y + share * (here - before) / slope
                if at_corner:
                    before = here
            t_left, T_left = time, temperature
            if not at_corner:
                xi = _extent(r, y_left, li, w)
                out[at_out, r] = xi
                at_out += 1
                if xi >= w[LIMIT, r]:  # complete
                    for i in range(at_out, len(out_t)):
                        out[i, r] = xi
                    return
        y = y_left
        if flat and T_b != T_a:
            before = -1.0


@njit(**INNER)
def _constants(s, temperature, row, n, li, tab, u0, du, w):
    """Rows K + s and Q + s of w at a temperature [K], of the first n reactions of a row of li that are not done."""
    for a in range(n):
        r = li[row, a]
        if li[DONE, r] == 0:
            w[K + s, r] = math.exp(w[LN_A, r] - w[E, r] / temperature)
            if li[KIND, r] == 1:
                w[Q + s, r] = _pressure(tab, r, u0, du, temperature)


@njit(**INNER)
def _feed(s, since, gap, temperature, n_f, flow, slope, step, li, tab, u0, du, w):
    """Rows YS, RS, F and VENT + s of w: closed reactions that feed or dilute others, a part of a step on.

    since : stage that lies `gap` [s] before s; temperature [K] at s; slope [K/s]; step : time since stage 0 [s]
    """
    for g in range(w.shape[0] - G):
        w[VENT + s, g] = 0.0
    for a in range(n_f):
        r = li[FEED, a]
        if li[DONE, r] == 1:
            w[F + s, r] = w[LIMIT, r]
            continue
        y, k = w[YS, r], 0.0
        p = w[P_IN, li[OF, r]]
        if li[KIND, r] == 1:  # never in a stream
            y = w[YS + since, r]
            w[Q + s, r] = _pressure(tab, r, u0, du, temperature)
            if gap == step or (w[Q + since, r] <= p) != (w[Q + s, r] <= p):
                y += _quadrature(r, w, tab, u0, du, p, 0.0, temperature - slope * gap, gap, temperature)
            else:
                for i in range(2):
                    at = temperature - slope * gap * (0.7886751345948129 if i == 0 else 0.2113248654051871)
                    peq = _pressure(tab, r, u0, du, at)
                    y += 0.5 * gap * math.exp(w[LN_A, r] - w[E, r] / at) * _factor(1, 0.0, p, peq)
        else:
            x = w[E, r] / temperature
            k = math.exp(w[LN_A, r] - x)
            share = _factor(2, w[ORDER, r], p, 1.0) if li[KIND, r] == 2 else 1.0
            if slope == 0.0:
                y += share * k * step
            else:
                w[RS + s, r] = k * temperature * _psi(x)  # integral of Arrhenius
                if step > 0.0:
                    y += share * (w[RS + s, r] - w[RS, r]) / slope
        w[YS + s, r] = y
        w[F + s, r] = _extent(r, y, li, w)
        if flow > 0.0:
            f = f_alpha(li[CODE, r], w[F + s, r] / w[LIMIT, r], w[N, r], w[M, r], w[P_OF, r])
            for g in range(w.shape[0] - G):
                w[VENT + s, g] += w[G + g, r] * k * w[LIMIT, r] * f


@njit(**INNER)
def _error(na, li, w, tol):
    """Largest error of a step from X to NEW over its tolerance, by row U + 5; inf where a state is no number."""
    error = 0.0
    for a in range(na):
        r = li[ACT, a]
        w[NEW, r] += w[U + 5, r]
        off = abs(w[U + 5, r])
        if not math.isfinite(w[NEW, r]):
            return math.inf
        back = max(w[X, r] - w[NEW, r], 0.0)  # nothing runs backwards
        w[NEW, r] += back
        if li[WAY, r] == EXTENT:
            scale = 1.0
            n = w[N, r]
            if n > 1.0 and (li[CODE, r] == 1 or li[CODE, r] == 3):  # nuclei: what is wrong early grows
                scale = max(w[NEW, r] / w[LIMIT, r], 1e-2 * tol) ** (1.0 - 1.0 / n)
            error = max(error, max(off, back) / (tol * scale * w[LIMIT, r]))
            w[XI, r] = w[NEW, r]
        else:
            if back > 1e-3 * (1.0 + w[X, r]):
                error = max(error, 10.0)
            w[XI, r] = _extent(r, w[NEW, r], li, w)
            # what it means in conversion, at both ends
            moved = max(w[XI, r] - _extent(r, w[NEW, r] - off, li, w), _extent(r, w[X, r] + off, li, w) - w[XI0, r])
            error = max(error, moved / (tol * w[LIMIT, r]))
    return error


@njit(**INNER)
def _clamp(na, li, net, tol, w):
    """Cut extents in NEW and XI that passed what was there; returns what was cut over ten tolerances."""
    n_r, error = net.shape[0], 0.0
    for a in range(na):
        r = li[ACT, a]
        for q in range(li[N_Q, r] if li[WAY, r] == EXTENT else 0):
            left, grown = net[r, q, 0], 0.0
            for s in range(n_r):
                left += (net[r, q, 1 + s] - net[r, q, 1 + n_r + s]) * w[XI, s]
            if left >= 0.0:
                continue
            for b in range(na):
                s = li[ACT, b]
                if li[WAY, s] == EXTENT:
                    grown += net[r, q, 1 + n_r + s] * (w[NEW, s] - w[X, s])
            for b in range(na):
                s = li[ACT, b]
                if grown > 0.0 and li[WAY, s] == EXTENT and net[r, q, 1 + n_r + s] > 0.0:
                    cut = min(1.0, -left / grown) * (w[NEW, s] - w[X, s])
                    error = max(error, 0.1 * cut / (tol * w[LIMIT, s]))
                    w[NEW, s] -= cut
                    w[XI, s] = w[NEW, s]
    return error


@njit(**INNER)
def _choose(step, tol, n_ode, n_f, li, net, w):
    """Row ACT of li: reactions that run in a step; returns their number, or -1 where one at rest would run far."""
    na = 0
    for i in range(n_ode):
        r = li[ODE, i]
        if li[DONE, r] == 1:
            continue
        if w[K + 4, r] * step > WAKE and w[K + 4, r] > WAKE_RISE * w[K, r]:
            return -1  # the step would be refused
        bound = 1e-3 * tol
        if 4 <= li[CODE, r] <= 7:
            bound *= bound
        if max(w[K, r], w[K + 4, r]) * step < bound:
            continue
        if li[WAY, r] == EXTENT and w[X, r] <= 0.0 and _supply(r, li, net, w)[1] <= 0.0:
            waits = True
            for a in range(na):
                waits = waits and li[N_L + r, li[ACT, a]] == 0
            for a in range(n_f):
                waits = waits and li[N_L + r, li[FEED, a]] == 0
            if waits:
                continue
        li[ACT, na] = r
        na += 1
    return na


@njit(**INNER)
def _onset(step, here, slope, n_ode, li, tab, u0, du, w):
    """Part of a step after which the first reaction not begun passes its equilibrium: the rate has a corner there."""
    first = 1.0
    for a in range(n_ode):
        r = li[ODE, a]
        p = w[P, li[OF, r]]
        if li[KIND, r] != 1 or w[X, r] > 0.0 or li[DONE, r] == 1 or w[Q, r] > p or w[Q + 4, r] <= p:
            continue
        low, high = 0.0, first
        for _ in range(40):
            mid = 0.5 * (low + high)
            if _pressure(tab, r, u0, du, here + slope * step * mid) <= p:
                low = mid
            else:
                high = mid
        first = high
    return first


@njit(**INNER)
def _gases(na, li, w):
    """Row NEED of li: gases whose pressure the running reactions depend on; returns their number."""
    n = 0
    for g in range(w.shape[0] - G):
        for a in range(na):
            if li[KIND, li[ACT, a]] > 0 and li[OF, li[ACT, a]] == g:
                li[NEED, n] = g
                n += 1
                break
    return n


@njit(**INNER)
def _feeds(r, li):
    """Whether reaction r makes what another consumes."""
    count = 0
    for s in range(li.shape[0] - N_L):
        count += li[N_L + s, r]
    return count > 0


@njit(**INNER)
def _fed(r, share, li, w):
    """Whether all that feeds reaction r is complete but for a share of it."""
    for s in range(li.shape[0] - N_L):
        if li[N_L + r, s] == 1 and w[LIMIT, s] - w[XI, s] > share * w[LIMIT, s]:
            return False
    return True


@njit(**INNER)
def _complete(na, n_f, li, net, w):
    """Take over NEW into X; completion is an event: what is left below rounding goes, and the reaction stops."""
    for a in range(n_f):
        r = li[FEED, a]
        li[DONE, r] = int(w[F + 4, r] >= w[LIMIT, r])
        w[YS, r], w[RS, r], w[F, r] = w[YS + 4, r], w[RS + 4, r], w[F + 4, r]
        w[XI, r] = w[F, r]
    for a in range(na):
        r = li[ACT, a]
        w[X, r] = w[NEW, r]
        if li[WAY, r] != EXTENT:
            li[DONE, r] = int(w[LIMIT, r] - w[XI, r] <= 1e-15 * w[LIMIT, r])
            continue
        left = _supply(r, li, net, w)[0]
        if left <= 1e-12 * w[LIMIT, r] and _fed(r, 1e-15, li, w):
            w[X, r] += left
            w[XI, r] = w[X, r]
            li[DONE, r] = 1
    for r in range(li.shape[0] - N_L):
        w[XI0, r], w[K, r], w[Q, r] = w[XI, r], w[K + 4, r], w[Q + 4, r]
    for g in range(w.shape[0] - G):
        w[VENT, g] = w[VENT + 4, g]


@njit(**INNER)
def _write(out, at, theta, na, n_ode, li, w):
    """Row `at` of out: extents of the integrated reactions at a part theta of the step (dense output of order 3)."""
    for a in range(n_ode):
        out[at, li[ODE, a]] = w[XI, li[ODE, a]]
    for a in range(na if theta < 1.0 else 0):
        r = li[ACT, a]
        second, third = 0.0, 0.0
        for i in range(5):
            second += _H2[i] * w[U + i, r]
            third += _H3[i] * w[U + i, r]
        value = w[X, r] * (1.0 - theta) + theta * (w[NEW, r] + (1.0 - theta) * (second + theta * third))
        value = min(max(value, w[X, r]), w[NEW, r])
        value = value if li[WAY, r] == EXTENT else _extent(r, value, li, w)
        out[at, r] = max(value, out[at - 1, r]) if at > 0 else value


@njit(**INNER)
def _step(step, again, na, n_f, n_need, slope, here, flow, total, li, net, tab, u0, du, w, m, tol):
    """One step of RODAS from X to NEW, by `step` [s] from a temperature `here` [K]; returns error over tolerance.

    m : (2, n_r, n_r) Jacobian, which holds for another try of the same step (again), and the factors
    """
    since = na - na
    for i in range(5):  # in the order of time: 1e-4, 0.21, 0.386, 0.63, 1
        s = _ORDER[i]
        at = here + slope * step * _TIME[s]
        if s != 4:  # those are there already
            _constants(s, at, na - na + ACT, na, li, tab, u0, du, w)
        _feed(s, since, (_TIME[s] - _TIME[since]) * step, at, n_f, flow, slope, _TIME[s] * step, li, tab, u0, du, w)
        since = s
    for a in range(na if again else 0):
        for c in range(na):
            m[1, a, c] = m[0, a, c]
        m[1, a, a] += 1.0 / (_GAMMA * step)
    if again:
        if not _factorise(m, na):
            return math.inf
        _stage(na - na, step, na, li, w, m, na - na + DX0)
    for e in range(na + 2 if again else 0, na + 7):
        # 0: derivative; 1: with time; then one column of the Jacobian each; then stages 1 to 5
        stage = e - na - 1
        s, delta, c, dx = na - na, 0.0, na - na, na - na + DX
        if e < 2:
            s += 5 * e
            for a in range(na):
                w[NEW, li[ACT, a]] = w[X, li[ACT, a]]
        elif stage < 1:
            c = li[ACT, e - 2]
            delta = 1e-7 * w[LIMIT, c] if li[WAY, c] == EXTENT else 1e-4 * max(w[X, c], 1e-5)
            if li[WAY, c] == EXTENT and w[X, c] > delta:
                delta = -delta
            w[NEW, c] = w[X, c] + delta
        else:
            s = min(stage, 4)
            for a in range(na):
                r = li[ACT, a]
                if stage == 5:
                    w[NEW, r] += w[U + 4, r]
                else:
                    value = w[X, r]
                    for q in range(stage):
                        value += _A[stage, q] * w[U + q, r]
                    w[NEW, r] = value
        _rates(s, na, n_f, n_need, li, net, w, flow, total)
        if stage >= 1:
            _stage(stage, step, na, li, w, m, dx)
            continue
        for a in range(na):
            r = li[ACT, a]
            if e == 0:
                w[DX0, r] = w[DX, r]
            elif e == 1:
                w[DXT, r] = (w[DX, r] - w[DX0, r]) / (1e-4 * step)
            else:
                m[0, a, e - 2] = -(w[DX, r] - w[DX0, r]) / delta
                m[1, a, e - 2] = m[0, a, e - 2]
        if e >= 2:
            w[NEW, c] = w[X, c]
            m[1, e - 2, e - 2] += 1.0 / (_GAMMA * step)
        if stage == 0:
            if not _factorise(m, na):
                return math.inf
            _stage(stage, step, na, li, w, m, dx - DX + DX0)
    error = _error(na, li, w, tol)
    return max(error, _clamp(na, li, net, tol, w)) if error <= 1.0 else error


@njit(**OUTER)
def integrate(
    prog_t, prog_T, n0, ints, nums, cons, made, gas, tab, grid, p_in, flows, out_t, tol, most_steps, out, status, steps,
    hand,
):  # fmt: skip
    """Reactions that do not stand alone, for many recipes and programs of one network.

    prog_t, prog_T : (n_prog, n_corner) corners [s], [K]; n_prog is 1 (the same for all) or n
    n0 : (n, n_p) solids at the start [mol/kg]; cons, made (n_r, n_p) mol of each solid consumed and produced, gas
    (n_r, n_g) released, per extent of 1 mol; tab: see the module; grid : u_0, du of it [1/K], total pressure [bar]
    ints : (n_r, 4) model code, kind, gas, closed; nums : (1 or n, n_r, 6) ln A [1/s], Ea/R [K], n, m, p, order in O2
    p_in : (n_a, n_g) [bar], n_a 1 or n; flows : (n_a,) [mol/(kg s)], 0 = pressures held
    out_t : (n_prog, n_out) [s], rising; tol : error of a conversion per step
    out : (n, n_out, n_r) extents [mol/kg]; status : (n,) int8; steps : (n,) int64
    hand : (n, n_r, 5) for `alone`: segment (-1: not alone), time [s], g, output due, largest extent [mol/kg]
    """
    n_r, n_g, n_out, corners = len(ints), gas.shape[1], out_t.shape[1], prog_t.shape[1]
    u0, du, total = grid[0], grid[1], grid[2]
    wide = max(n_r, n_g)
    m = np.zeros((2, n_r, n_r))
    for i in range(len(n0)):
        w, li = np.zeros((N_W + n_g, wide)), np.zeros((N_L + n_r, wide), np.int64)
        net = np.zeros((n_r, 4, 1 + 2 * n_r))
        prog = i if len(prog_t) > 1 else 0
        of, law = i if len(flows) > 1 else 0, i if len(nums) > 1 else 0
        flow = flows[of]
        for r in range(n_r):
            for c in range(6):
                w[c, r] = nums[law, r, c]
            for c in range(4):
                li[c, r] = ints[r, c]
            for g in range(n_g):
                w[G + g, r] = gas[r, g]
                w[GSUM, r] += gas[r, g]
        for g in range(n_g):
            w[P_IN, g], w[P, g] = p_in[of, g], p_in[of, g]
        _network(n0[i], cons, made, flow, li, net, w)
        none = i - i  # of the type of an index: functions are compiled anew for every literal number
        n_ode, n_f, at_out = none, none, none
        while at_out < n_out and out_t[prog, at_out] <= 0.0:
            at_out += 1  # nothing has happened yet: it is zero there
        for r in range(n_r):
            hand[i, r, 0], hand[i, r, 3], hand[i, r, 4] = -1.0, at_out, w[LIMIT, r]
            if li[DONE, r] == 1:
                continue
            if li[WAY, r] < ALONE:
                li[ODE, n_ode] = r
                n_ode += 1
                continue
            hand[i, r, 0] = 0.0
            if _feeds(r, li) or (flow > 0.0 and w[GSUM, r] != 0.0):
                li[FEED, n_f] = r
                n_f += 1
        t, h, slope, fresh = 0.0, 0.02 * (prog_t[prog, 1] - prog_t[prog, 0]), 0.0, True
        taken, segment, code = 0, 0, OK
        refused = 0  # reactions of a step that was refused, one bit each
        before, step_before = 0.0, h  # error and length of the step before
        while n_ode > 0 and at_out < n_out and segment < corners - 1:
            T_a, t_a = prog_T[prog, segment], prog_t[prog, segment]
            T_b, t_b = prog_T[prog, segment + 1], prog_t[prog, segment + 1]
            if fresh:
                slope = (T_b - T_a) / (t_b - t_a) if abs(T_b - T_a) >= 1e-6 else 0.0
                if segment == 0:
                    _constants(none, T_a, none + ODE, n_ode, li, tab, u0, du, w)
                _feed(none, none, 0.0, T_a, n_f, flow, slope, 0.0, li, tab, u0, du, w)
                fresh = False
            taken += 1
            if taken > most_steps:
                code = TOO_MANY_STEPS
                break
            live = 0
            for a in range(n_ode):
                r = li[ODE, a]
                live += 1 - li[DONE, r]
                if li[DONE, r] == 1 or li[SOLE, r] == 0 or li[WAY, r] != EXTENT or li[HEEDS, r] == 1:
                    continue
                if not _fed(r, SPENT, li, w):
                    continue
                # it goes alone from here
                whole = max(_supply(r, li, net, w)[1], w[X, r])
                w[YS, r] = g_alpha(li[CODE, r], w[X, r] / whole, w[N, r], w[M, r], w[P_OF, r])
                hand[i, r, 0], hand[i, r, 1], hand[i, r, 2], hand[i, r, 3] = segment, t, w[YS, r], at_out
                li[WAY, r] = ALONE
                n_ode -= 1
                li[ODE, a] = li[ODE, n_ode]
                live = n_ode
                if _feeds(r, li) or (flow > 0.0 and w[GSUM, r] != 0.0):
                    li[FEED, n_f] = r
                    n_f += 1
                    _feed(none, none, 0.0, T_a + slope * (t - t_a), n_f, flow, slope, 0.0, li, tab, u0, du, w)
                break
            if live == 0:
                break
            rest = t_b - t
            last = h >= rest * (1.0 - 1e-9)
            step = rest if last else min(h, 0.6 * rest)
            here = T_a + slope * (t - t_a)
            _constants(none + 4, here + slope * step, none + ODE, n_ode, li, tab, u0, du, w)
            part = _onset(step, here, slope, n_ode, li, tab, u0, du, w)
            if 1e-6 < part < 1.0:
                step, last = part * step, False
                _constants(none + 4, here + slope * step, none + ODE, n_ode, li, tab, u0, du, w)
            na = _choose(step, tol, n_ode, n_f, li, net, w)
            if na < 0:
                h = 0.5 * step
                continue
            error = 0.0
            if na > 0:
                n_need = _gases(na, li, w) if flow > 0.0 else none
                running = 0
                for a in range(na):
                    running |= 1 << li[ACT, a]
                error = _step(
                    step, refused == running, na, n_f, n_need, slope, here, flow, total, li, net, tab, u0, du, w, m, tol
                )  # fmt: skip
                if not error <= 1.0:
                    h = step * max(0.15, 0.9 * error**-0.25)
                    refused = running
                    for r in range(n_r):
                        w[XI, r] = w[XI0, r]
                    if h < 1e-13 * prog_t[prog, corners - 1]:
                        code = STEP_TOO_SMALL
                        break
                    continue
            else:
                _feed(none + 4, none, step, here + slope * step, n_f, flow, slope, step, li, tab, u0, du, w)
            refused = 0
            later = t_b if last else t + step
            while at_out < n_out and out_t[prog, at_out] <= later:
                _write(out[i], at_out, (out_t[prog, at_out] - t) / step, na, n_ode, li, w)
                at_out += 1
            _complete(na, n_f, li, net, w)
            t = later
            if last:
                segment += 1
                fresh = True
            grow = 5.0
            if na > 0 and error > 1e-4:
                grow = 0.9 * error**-0.25
                if before > 0.0:  # the error rises or falls from step to step (Gustafsson)
                    grow = min(grow, 0.9 * step / step_before * (before / (error * error)) ** 0.25)
                grow = min(max(grow, 0.3), 5.0)
            before, step_before = (max(error, 1e-2), step) if na > 0 else (0.0, step)
            h = max(h, step * grow) if na == 0 else step * grow
        while at_out < n_out:
            _write(out[i], at_out, 1.0, none, n_ode, li, w)
            at_out += 1
        status[i], steps[i] = code, taken


@njit(**OUTER)
def alone(prog_t, prog_T, ints, nums, tab, grid, p_in, out_t, hand, out):
    """Reactions that stand alone, from where `integrate` handed them over; arguments as there."""
    n_r = len(ints)
    w, li = np.zeros((P_IN + 1, max(n_r, p_in.shape[1]))), np.zeros((4, n_r), np.int64)
    for i in range(len(hand)):
        prog, of, law = i if len(prog_t) > 1 else 0, i if len(p_in) > 1 else 0, i if len(nums) > 1 else 0
        for g in range(p_in.shape[1]):
            w[P_IN, g] = p_in[of, g]
        for r in range(n_r):
            if hand[i, r, 0] < 0.0:
                continue
            for c in range(6):
                w[c, r] = nums[law, r, c]
            for c in range(4):
                li[c, r] = ints[r, c]
            w[LIMIT, r] = hand[i, r, 4]
            _alone(
                r, int(hand[i, r, 0]), hand[i, r, 1], hand[i, r, 2], int(hand[i, r, 3]), prog_t[prog], prog_T[prog],
                li, tab, grid[0], grid[1], w, out_t[prog], out[i],
            )  # fmt: skip
