"""Kernel of coupled reactions: closed forms where a reaction stands alone, Rosenbrock RODAS for those that do not.

A reaction whose reactants nobody makes and nobody else takes goes as g(alpha) = integral of k dt: no corner, no
stiffness, completion exact. Other reactions go as extents [mol/kg] by RODAS (order 4(3), L-stable) and stop at
completion, an event. With a flow of gas all reactions meet in its pressures and are integrated together.
Coefficients: E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, 2nd ed. (1996), section VI.4. Integral of
Arrhenius: rational approximation of degree 8, L. A. Perez-Maqueda, J. M. Criado, J. Therm. Anal. Calorim. 60 (2000) 909.

Packed arguments, the same in every function:
 ints (n_r, 4)   model code; kind of approach (0 none, 1 equilibrium, 2 oxygen); gas it depends on; 1 if g has a closed form
 nums (n_r, 6)   ln A [1/s]; Ea/R [K]; n, m, p of the model; order in oxygen
 cons (n_r, n_p) mol of each solid consumed, made (n_r, n_p) produced, gas (n_r, n_g) released, per extent of 1 mol
 tab (n_r, n_u)  ln of the equilibrium pressure [bar] at u_0 + i du [1/K]
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ._kernels import conversion, f_alpha

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
_TIME = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0])
_H2 = np.array([10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662])
_H3 = np.array([-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872])
_GAMMA = 0.25
#: Nodes and weights of Gauss-Legendre, four points on (0, 1).
_GL_X = np.array([0.06943184420297371, 0.33000947820757187, 0.6699905217924281, 0.9305681557970263])
_GL_W = np.array([0.17392742256872692, 0.32607257743127307, 0.32607257743127307, 0.17392742256872692])
#: Status codes.
OK, TOO_MANY_STEPS, STEP_TOO_SMALL = 0, 1, 2
#: How a reaction is carried: extent by RODAS, g by RODAS, g in closed form, g by quadrature.
EXTENT, INTEGRAL, CLOSED, QUADRATURE = 0, 1, 2, 3


@njit(cache=True, nogil=True, error_model="numpy")
def _psi(x):
    """Integral of exp(-E/RT) dT from 0, over T exp(-x); x = E/RT [-]."""
    top = (((((((x + 70.0) * x + 1886.0) * x + 24920.0) * x + 170136.0) * x + 577584.0) * x + 844560.0) * x + 357120.0)
    low = ((((((((x + 72.0) * x + 2024.0) * x + 28560.0) * x + 216720.0) * x + 880320.0) * x + 1794240.0) * x
            + 1572480.0) * x + 403200.0)  # fmt: skip
    return top / low


@njit(cache=True, nogil=True, error_model="numpy")
def _arrhenius(ln_a, e, temperature):
    """Integral of A exp(-e/T) over T from 0 [K/s]; ln_a [ln 1/s], e = Ea/R [K]."""
    return math.exp(ln_a - e / temperature) * temperature * _psi(e / temperature)


@njit(cache=True, nogil=True, error_model="numpy")
def _pressure(tab, r, u0, du, temperature):
    """Equilibrium pressure of reaction r [bar] at a temperature [K]."""
    x = (1.0 / temperature - u0) / du
    i = min(max(int(x), 0), tab.shape[1] - 2)
    w = x - i
    return math.exp(min((1.0 - w) * tab[r, i] + w * tab[r, i + 1], 700.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _factor(kind, order, p, peq):
    """Share of the rate that the gas leaves: 1 - p/p_eq, or (p/0.21)^order."""
    if kind == 1:
        return max(0.0, 1.0 - p / peq) if peq > 0.0 else 0.0
    if p <= 0.0:
        return 0.0
    return p / 0.21 if order == 1.0 else (p / 0.21) ** order


@njit(cache=True, nogil=True, error_model="numpy")
def _quadrature(r, ints, nums, tab, u0, du, p, t_a, T_a, t_b, T_b):
    """Integral of k (1 - p/p_eq) dt over a stretch of linear temperature, from (t_a, T_a) to (t_b, T_b)."""
    ln_a, e = nums[r, 0], nums[r, 1]
    high, low = max(T_a, T_b), min(T_a, T_b)
    if math.exp(ln_a - e / high) * (t_b - t_a) < 1e-13:
        return 0.0
    if _pressure(tab, r, u0, du, high) <= p:
        return 0.0
    if high == low:
        return math.exp(ln_a - e / high) * (1.0 - p / _pressure(tab, r, u0, du, high)) * (t_b - t_a)
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
    return total * width * (t_b - t_a) / (high - low)


@njit(cache=True, nogil=True, error_model="numpy")
def _gas_pressure(act, na, ints, nums, gas, mole, peq, p_in, flow, total, p):
    """Pressures p (n_g) [bar] of a well-mixed gas: inlet p_in at `flow` [mol/(kg s)] and what the reactions give.

    mole (n_r) : rates before the factor of the gas [mol/(kg s)]; p holds a first guess.
    """
    n_g = len(p_in)
    for sweep in range(30):
        change = 0.0
        for g in range(n_g):
            low, high = 0.0, total
            x = p[g]
            for _ in range(80):
                # value(x) = x (flow + all gas) - p_in flow - total (this gas) rises with x
                every, this, slope_every, slope_this = 0.0, 0.0, 0.0, 0.0
                for a in range(na):
                    r = act[a]
                    kind, slope, rate = ints[r, 1], 0.0, mole[r]
                    if kind > 0:
                        own = ints[r, 2] == g
                        at = x if own else p[ints[r, 2]]
                        rate *= _factor(kind, nums[r, 5], at, peq[r])
                        if own and rate > 0.0:
                            slope = -mole[r] / peq[r] if kind == 1 else rate * nums[r, 5] / at
                    for q in range(n_g):
                        every += gas[r, q] * rate
                        slope_every += gas[r, q] * slope
                    this += gas[r, g] * rate
                    slope_this += gas[r, g] * slope
                value = x * (flow + every) - p_in[g] * flow - total * this
                if value > 0.0:
                    high = x
                else:
                    low = x
                slope = flow + every + x * slope_every - total * slope_this
                new = x - value / slope if slope > 0.0 else 0.5 * (low + high)
                if not low <= new <= high:
                    new = 0.5 * (low + high)
                moved = abs(new - x)
                x = new
                if moved <= 1e-10 * (x + 1e-6 * total) or high - low <= 1e-15 * total:
                    break
            change = max(change, abs(x - p[g]))
            p[g] = x
        if change <= 1e-11 * total:
            break


@njit(cache=True, nogil=True, error_model="numpy")
def _supply(r, n_q, base, up, down, xi, out):
    """out[0] = extent still possible, out[1] = extent possible from all that was ever there [mol/kg].

    base (n_r, 4), up and down (n_r, 4, n_r): start, supply and consumption of the reactants, per mol consumed.
    """
    left, whole = math.inf, math.inf
    for q in range(n_q[r]):
        given, gone = base[r, q], 0.0
        for s in range(len(xi)):
            given += up[r, q, s] * xi[s]
            gone += down[r, q, s] * xi[s]
        left = min(left, given - gone)
        whole = min(whole, given)
    out[0] = max(left, 0.0)
    out[1] = max(whole, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _extents(x, act, na, way, ints, nums, limit, xi):
    """Fill xi (n_r) [mol/kg] of the reactions `act` from their states x."""
    for a in range(na):
        r = act[a]
        if way[r] == 0:
            xi[r] = x[r]
        else:
            xi[r] = limit[r] * conversion(ints[r, 0], x[r], nums[r, 2], nums[r, 3], nums[r, 4])


@njit(cache=True, nogil=True, error_model="numpy")
def _rates(act, na, way, ints, nums, limit, n_q, base, up, down, gas, k, peq, p_in, flow, total, xi, mole, p, pair, dx):
    """Time derivative dx (n_r) of the states of the running reactions at extents xi; with a flow fills mole and p."""
    for a in range(na):
        r = act[a]
        if way[r] == 0:
            _supply(r, n_q, base, up, down, xi, pair)
            value = 0.0
            if pair[0] > 0.0:
                value = k[r] * pair[1] * f_alpha(ints[r, 0], 1.0 - pair[0] / pair[1], nums[r, 2], nums[r, 3], nums[r, 4])
            dx[r] = value
            mole[r] = value
        else:
            dx[r] = k[r]
            if flow > 0.0:
                mole[r] = k[r] * limit[r] * f_alpha(ints[r, 0], xi[r] / limit[r], nums[r, 2], nums[r, 3], nums[r, 4])
    if flow > 0.0:
        _gas_pressure(act, na, ints, nums, gas, mole, peq, p_in, flow, total, p)
    for a in range(na):
        r = act[a]
        if ints[r, 1] > 0:
            dx[r] *= _factor(ints[r, 1], nums[r, 5], p[ints[r, 2]], peq[r])


@njit(cache=True, nogil=True, error_model="numpy")
def _factorise(m, na):
    """LU in place without pivoting (the matrix is heavy on its diagonal); False if a pivot vanishes."""
    for c in range(na):
        if not abs(m[c, c]) > 1e-300:
            return False
        for i in range(c + 1, na):
            if m[i, c] != 0.0:
                m[i, c] /= m[c, c]
                for j in range(c + 1, na):
                    m[i, j] -= m[i, c] * m[c, j]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _network(n0, ints, cons, made, flow, limit, fed, way, n_q, base, up, down):
    """What follows from stoichiometry: largest extents, who feeds whom, how each reaction is carried; see `_supply`."""
    n_r, n_p = cons.shape
    most = n0.copy()
    for _ in range(n_r + 1):
        for r in range(n_r):
            limit[r] = math.inf
            for j in range(n_p):
                if cons[r, j] > 0.0:
                    limit[r] = min(limit[r], most[j] / cons[r, j])
            if limit[r] == math.inf:
                limit[r] = 0.0
        for j in range(n_p):
            most[j] = n0[j]
            for r in range(n_r):
                most[j] += made[r, j] * limit[r]
    for r in range(n_r):
        alone = ints[r, 3] == 1
        feeds = False
        for j in range(n_p):
            nu = cons[r, j]
            for s in range(n_r):
                if limit[s] <= 0.0:
                    continue
                if nu > 0.0 and made[s, j] > 0.0:
                    fed[r, s] = True
                    alone = False
                if nu > 0.0 and cons[s, j] > 0.0 and s != r:
                    alone = False
                if made[r, j] > 0.0 and cons[s, j] > 0.0:
                    feeds = True
            if nu > 0.0:
                q = n_q[r]
                base[r, q] = n0[j] / nu
                for s in range(n_r):
                    up[r, q, s] = made[s, j] / nu
                    down[r, q, s] = cons[s, j] / nu
                n_q[r] = q + 1
        if not alone:
            way[r] = 0
        elif flow > 0.0:
            way[r] = 1
        elif ints[r, 1] == 1:
            way[r] = 1 if feeds else 3
        else:
            way[r] = 2


@njit(cache=True, nogil=True, error_model="numpy")
def _alone(prog_t, prog_T, way, done, ints, nums, tab, u0, du, p_in, limit, out_t, corner, out):
    """Reactions that stand alone: g at the corners (n_corner, n_r) and extents out (n_out, n_r) [mol/kg]."""
    for r in range(len(way)):
        if done[r] or way[r] < 2:
            continue
        code, n, m, p = ints[r, 0], nums[r, 2], nums[r, 3], nums[r, 4]
        g_index, at_out, y = ints[r, 2], 0, 0.0
        share = _factor(2, nums[r, 5], p_in[g_index], 1.0) if ints[r, 1] == 2 else 1.0
        before = -1.0  # integral at the start of the segment, kept from corner to corner
        for segment in range(len(prog_t) - 1):
            T_a, T_b, t_a, t_b = prog_T[segment], prog_T[segment + 1], prog_t[segment], prog_t[segment + 1]
            slope = (T_b - T_a) / (t_b - t_a)
            flat = abs(T_b - T_a) < 1e-6
            corner[segment, r] = y
            if way[r] == 2 and before < 0.0 and not flat:
                before = _arrhenius(nums[r, 0], nums[r, 1], T_a)
            t_left, T_left, y_left = t_a, T_a, y
            while True:
                at_corner = at_out >= len(out_t) or out_t[at_out] > t_b
                time = t_b if at_corner else out_t[at_out]
                temperature = T_b if at_corner else T_a + slope * (time - t_a)
                if way[r] == 3:
                    if time > t_left:
                        y_left += _quadrature(r, ints, nums, tab, u0, du, p_in[g_index], t_left, T_left, time, temperature)
                elif flat:
                    y_left = y + share * math.exp(nums[r, 0] - nums[r, 1] / T_a) * (time - t_a)
                else:
                    here = _arrhenius(nums[r, 0], nums[r, 1], temperature)
                    y_left = y + share * (here - before) / slope
                    if at_corner:
                        before = here
                t_left, T_left = time, temperature
                if at_corner:
                    break
                out[at_out, r] = limit[r] * conversion(code, y_left, n, m, p)
                at_out += 1
            y = y_left
        corner[len(prog_t) - 1, r] = y


@njit(cache=True, nogil=True, error_model="numpy")
def _constants(temperature, ode, n_ode, done, ints, nums, tab, u0, du, k, peq):
    """Rate constants [1/s] and equilibrium pressures [bar] of the reactions integrated and not done."""
    for a in range(n_ode):
        r = ode[a]
        if not done[r]:
            k[r] = math.exp(nums[r, 0] - nums[r, 1] / temperature)
            if ints[r, 1] == 1:
                peq[r] = _pressure(tab, r, u0, du, temperature)


@njit(cache=True, nogil=True, error_model="numpy")
def _feed(time, temperature, feeders, n_f, ints, nums, p_in, limit, start, root, t_a, T_a, slope, xi):
    """Extents xi (n_r) of the closed reactions that feed others, at a time within a segment; see `_alone`."""
    for a in range(n_f):
        r = feeders[a]
        if slope == 0.0:
            step = math.exp(nums[r, 0] - nums[r, 1] / T_a) * (time - t_a)
        else:
            step = (_arrhenius(nums[r, 0], nums[r, 1], temperature) - root[r]) / slope
        if ints[r, 1] == 2:
            step *= _factor(2, nums[r, 5], p_in[ints[r, 2]], 1.0)
        xi[r] = limit[r] * conversion(ints[r, 0], start[r] + step, nums[r, 2], nums[r, 3], nums[r, 4])


@njit(cache=True, nogil=True, error_model="numpy")
def _error(act, na, way, ints, nums, limit, x, new, e, tol):
    """Largest error of a step over its tolerance; e (n_r) is the error of the states. inf where a state is no number."""
    error = 0.0
    for a in range(na):
        r = act[a]
        off = abs(e[r])
        if not math.isfinite(new[r]):
            return math.inf
        back = max(x[r] - new[r], 0.0)  # nothing runs backwards
        new[r] += back
        if way[r] == 0:
            error = max(error, max(off, back) / (tol * limit[r]))
        else:
            if back > 1e-3 * (1.0 + x[r]):
                error = max(error, 10.0)
            code, n, m, p = ints[r, 0], nums[r, 2], nums[r, 3], nums[r, 4]
            for i in range(2):  # what it means in conversion, at both ends
                y = new[r] - off if i == 0 else x[r]
                error = max(error, (conversion(code, y + off, n, m, p) - conversion(code, y, n, m, p)) / tol)
    return error


@njit(cache=True, nogil=True, error_model="numpy")
def _clamp(act, na, way, limit, n0, cons, made, tol, x, new, xi):
    """Cut extents that passed what was there; returns what was cut over ten tolerances."""
    n_r, error = len(xi), 0.0
    for j in range(len(n0)):
        amount, grown = n0[j], 0.0
        for s in range(n_r):
            amount += (made[s, j] - cons[s, j]) * xi[s]
        if amount >= 0.0:
            continue
        for a in range(na):
            r = act[a]
            if way[r] == 0:
                grown += cons[r, j] * (new[r] - x[r])
        if grown <= 0.0:
            continue
        for a in range(na):
            r = act[a]
            if way[r] == 0 and cons[r, j] > 0.0:
                cut = min(1.0, -amount / grown) * (new[r] - x[r])
                error = max(error, 0.1 * cut / (tol * limit[r]))
                new[r] -= cut
                xi[r] = new[r]
    return error


@njit(cache=True, nogil=True, error_model="numpy")
def _one(prog_t, prog_T, n0, ints, nums, cons, made, gas, tab, u0, du, p_in, flow, total, out_t, tol, most_steps, out):
    """One recipe: extents out (n_out, n_r) [mol/kg] at out_t [s]; returns status and the number of steps."""
    n_r, n_out = len(ints), len(out_t)
    whole, lists = np.zeros((19, n_r)), np.zeros((5, n_r), np.int64)
    limit, x, new, xi, dx, dx0, dxt = whole[0], whole[1], whole[2], whole[3], whole[4], whole[5], whole[6]
    k0, k1, ks, q0, q1, qs = whole[7], whole[8], whole[9], whole[10], whole[11], whole[12]
    mole, b, root, xi0 = whole[13], whole[14], whole[15], whole[16]
    n_q, way, act, ode, feeders = lists[0], lists[1], lists[2], lists[3], lists[4]
    fed, done = np.zeros((n_r, n_r), np.bool_), np.zeros(n_r, np.bool_)
    base, up, down = np.zeros((n_r, 4)), np.zeros((n_r, 4, n_r)), np.zeros((n_r, 4, n_r))
    _network(n0, ints, cons, made, flow, limit, fed, way, n_q, base, up, down)
    n_ode, n_f, corners = 0, 0, len(prog_t)
    for r in range(n_r):
        done[r] = limit[r] <= 0.0
    corner = np.zeros((corners, n_r))
    _alone(prog_t, prog_T, way, done, ints, nums, tab, u0, du, p_in, limit, out_t, corner, out)
    for r in range(n_r):
        if done[r]:
            continue
        if way[r] <= 1:
            ode[n_ode] = r
            n_ode += 1
        elif way[r] == 2:
            for s in range(n_r):
                if fed[s, r]:
                    feeders[n_f] = r
                    n_f += 1
                    break
    if n_ode == 0:
        return OK, 0
    p, pair, u, m = p_in.copy(), np.zeros(2), np.zeros((6, n_r)), np.zeros((n_r, n_r))
    t, end = 0.0, prog_t[-1]
    steps, at_out, segment = 0, 0, 0
    while at_out < n_out and out_t[at_out] <= 0.0:
        at_out += 1  # nothing has happened yet: out is zero there
    h = 0.02 * (prog_t[1] - prog_t[0])
    _constants(prog_T[0], ode, n_ode, done, ints, nums, tab, u0, du, k0, q0)
    fresh, slope = True, 0.0
    while at_out < n_out and segment < corners - 1:
        T_a, t_a = prog_T[segment], prog_t[segment]
        if fresh:
            slope = (prog_T[segment + 1] - T_a) / (prog_t[segment + 1] - t_a)
            if abs(prog_T[segment + 1] - T_a) < 1e-6:
                slope = 0.0
            for a in range(n_f):
                root[feeders[a]] = _arrhenius(nums[feeders[a], 0], nums[feeders[a], 1], T_a)
            _feed(t, T_a, feeders, n_f, ints, nums, p_in, limit, corner[segment], root, t_a, T_a, slope, xi)
            xi0[:] = xi
            fresh = False
        steps += 1
        if steps > most_steps:
            return TOO_MANY_STEPS, steps
        rest = prog_t[segment + 1] - t
        last = h >= rest * (1.0 - 1e-9)
        step = rest if last else min(h, 0.6 * rest)
        here = T_a + slope * (t - t_a)
        there = prog_T[segment + 1] if last else here + slope * step
        _constants(there, ode, n_ode, done, ints, nums, tab, u0, du, k1, q1)
        na = 0  # reactions that run in this step
        for i in range(n_ode):
            r = ode[i]
            bound = 1e-3 * tol
            if 4 <= ints[r, 0] <= 7:
                bound *= bound
            if done[r] or max(k0[r], k1[r]) * step < bound:
                continue
            if way[r] == 0 and x[r] <= 0.0:
                _supply(r, n_q, base, up, down, xi, pair)
                if pair[1] <= 0.0:
                    waits = True
                    for a in range(na):
                        waits = waits and not fed[r, act[a]]
                    for a in range(n_f):
                        waits = waits and not fed[r, feeders[a]]
                    if waits:
                        continue
            act[na] = r
            na += 1
        error = 0.0
        for e in range(na + 7 if na > 0 else 0):
            # 0: derivative; 1: with time; then one column of the Jacobian each; then stages 1 to 5
            stage = max(e - na - 1, 0)
            if e == 1 or 1 <= stage <= 3:
                w = 1e-4 if e == 1 else _TIME[stage]
                at = here + slope * step * w
                _constants(at, ode, n_ode, done, ints, nums, tab, u0, du, ks, qs)
                _feed(t + w * step, at, feeders, n_f, ints, nums, p_in, limit, corner[segment], root, t_a, T_a, slope, xi)
            elif e == 0 or e == 2:
                xi[:] = xi0
                ks[:] = k0
                qs[:] = q0
            elif stage == 4:
                ks[:] = k1
                qs[:] = q1
                _feed(t + step, there, feeders, n_f, ints, nums, p_in, limit, corner[segment], root, t_a, T_a, slope, xi)
            delta, c = 0.0, e - 2
            if stage == 0:
                new[:] = x
                if e >= 2:
                    s = act[c]
                    delta = 1e-4 * max(x[s], 1e-5) if way[s] == 1 else 1e-7 * limit[s]
                    if way[s] == 0 and x[s] > delta:
                        delta = -delta
                    new[s] += delta
            else:
                for a in range(na):
                    r = act[a]
                    if stage == 5:
                        new[r] += u[4, r]
                    else:
                        new[r] = x[r]
                        for i in range(stage):
                            new[r] += _A[stage, i] * u[i, r]
            _extents(new, act, na, way, ints, nums, limit, xi)
            _rates(
                act, na, way, ints, nums, limit, n_q, base, up, down, gas, ks, qs, p_in, flow, total, xi, mole, p, pair, dx
            )
            if e == 0:
                dx0[:] = dx
                continue
            if e == 1:
                for a in range(na):
                    dxt[act[a]] = (dx[act[a]] - dx0[act[a]]) / (1e-4 * step)
                continue
            if stage == 0:
                for a in range(na):
                    m[a, c] = -(dx[act[a]] - dx0[act[a]]) / delta
                m[c, c] += 1.0 / (_GAMMA * step)
                if c < na - 1:
                    continue
                if not _factorise(m, na):
                    error = math.inf
                    break
            for a in range(na):
                r = act[a]
                b[a] = (dx0[r] if stage == 0 else dx[r]) + step * _D[stage] * dxt[r]
                for i in range(stage):
                    b[a] += _C[stage, i] * u[i, r] / step
            for i in range(na):
                for j in range(i):
                    b[i] -= m[i, j] * b[j]
            for i in range(na - 1, -1, -1):
                for j in range(i + 1, na):
                    b[i] -= m[i, j] * b[j]
                b[i] /= m[i, i]
            for a in range(na):
                u[stage, act[a]] = b[a]
        if na > 0:
            if error == 0.0:
                for a in range(na):
                    new[act[a]] += u[5, act[a]]
                error = _error(act, na, way, ints, nums, limit, x, new, u[5], tol)
            if error <= 1.0:
                _extents(new, act, na, way, ints, nums, limit, xi)
                error = max(error, _clamp(act, na, way, limit, n0, cons, made, tol, x, new, xi))
            if not error <= 1.0:
                h = step * max(0.15, 0.9 * error**-0.25)
                xi[:] = xi0
                if h < 1e-13 * end:
                    return STEP_TOO_SMALL, steps
                continue
        else:
            _feed(t + step, there, feeders, n_f, ints, nums, p_in, limit, corner[segment], root, t_a, T_a, slope, xi)
        later = prog_t[segment + 1] if last else t + step
        while at_out < n_out and out_t[at_out] <= later:
            w = (out_t[at_out] - t) / step
            for a in range(n_ode):
                out[at_out, ode[a]] = xi[ode[a]]
            for a in range(na if w < 1.0 else 0):
                r = act[a]
                second, third = 0.0, 0.0
                for i in range(5):
                    second += _H2[i] * u[i, r]
                    third += _H3[i] * u[i, r]
                value = x[r] * (1.0 - w) + w * (new[r] + (1.0 - w) * (second + w * third))
                value = min(max(value, x[r]), new[r])
                if way[r] == 1:
                    value = limit[r] * conversion(ints[r, 0], value, nums[r, 2], nums[r, 3], nums[r, 4])
                out[at_out, r] = value
            at_out += 1
        for a in range(na):  # completion is an event
            r = act[a]
            x[r] = new[r]
            if way[r] == 1:
                done[r] = limit[r] - xi[r] <= 1e-15 * limit[r]
                continue
            _supply(r, n_q, base, up, down, xi, pair)
            if pair[0] <= 1e-12 * limit[r]:
                over = True
                for s in range(n_r):
                    if fed[r, s]:
                        full = limit[s] - xi[s] <= 1e-15 * limit[s]
                        over = over and (done[s] or (way[s] == 2 and full))
                if over:
                    x[r] += pair[0]
                    xi[r] = x[r]
                    done[r] = True
        k0[:] = k1
        q0[:] = q1
        xi0[:] = xi
        t = later
        if last:
            segment += 1
            fresh = True
        grow = 5.0 if error <= 1e-4 else min(5.0, 0.9 * error**-0.25)
        h = max(h, step * grow) if step < h and na == 0 else step * grow
    while at_out < n_out:
        for a in range(n_ode):
            out[at_out, ode[a]] = xi[ode[a]]
        at_out += 1
    return OK, steps


@njit(cache=True, nogil=True, error_model="numpy")
def solve(
    prog_t, prog_T, n0, ints, nums, cons, made, gas, tab, u0, du, p_in, flow, total, out_t, tol, most_steps, out, status,
    steps,
):  # fmt: skip
    """Many recipes and programs of one network.

    prog_t, prog_T : (n_prog, n_corner) corners [s], [K]; n_prog is 1 (the same for all) or n
    n0 : (n, n_p) solids at the start [mol/kg]; ints, nums, cons, made, gas, tab: see the module; nums is (n_k, n_r, 6)
    with n_k 1 or n
    p_in : (n_a, n_g) [bar], n_a 1 or n; flow : (n_a,) [mol/(kg s)], 0 = pressures held; total : pressure [bar]
    out_t : (n_prog, n_out) [s], rising; tol : error of a conversion per step
    out : (n, n_out, n_r) extents [mol/kg]; status : (n,) int8; steps : (n,) int64
    """
    for i in range(len(n0)):
        g = i if len(prog_t) > 1 else 0
        a = i if len(p_in) > 1 else 0
        q = i if len(nums) > 1 else 0
        status[i], steps[i] = _one(
            prog_t[g], prog_T[g], n0[i], ints, nums[q], cons, made, gas, tab, u0, du, p_in[a], flow[a], total, out_t[g],
            tol, most_steps, out[i],
        )  # fmt: skip
