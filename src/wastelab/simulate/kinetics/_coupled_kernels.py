"""Kernel of coupled reactions: closed forms where a reaction stands alone, Rosenbrock RODAS for those that do not.

A reaction whose reactants nobody makes and nobody else takes goes as g(alpha) = integral of k dt: no corner, no
stiffness, completion exact. A reaction that others feed goes as extent [mol/kg] by RODAS (order 4(3), L-stable) until
they are done, then alone; completion is an event. With a flow of gas all reactions meet in its pressures and are
integrated together.
Coefficients: E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, 2nd ed. (1996), section VI.4.
Integral of Arrhenius: rational approximation of degree 8, L. A. Perez-Maqueda, J. M. Criado, J. Therm. Anal. Calorim.
60 (2000) 909-915.

Packed arguments, the same in every function:
 ints (n_r, 4)   model code; approach (0 none, 1 equilibrium, 2 oxygen); gas it depends on; 1 if g has a closed form
 nums (n_r, 6)   ln A [1/s]; Ea/R [K]; n, m, p of the model; order in oxygen
 cons (n_r, n_p) mol of each solid consumed, made (n_r, n_p) produced, gas (n_r, n_g) released, per extent of 1 mol
 tab (n_r, n_u)  ln of the equilibrium pressure [bar] at u_0 + i du [1/K]
 w (N_W, n_r)    work by reaction, rows LIMIT (largest extent [mol/kg]) to U (six stages)
 li (N_L + n_r, n_r)  lists, rows N_Q (reactants), WAY (how carried), ACT (running), ODE (integrated), FEED (closed ones
                 that feed those), DONE, SOLE (nobody else takes its reactants, and g is closed); from N_L on
                 li[N_L + r, s] is 1 where s makes what r consumes
 net (n_r, 4, 1 + 2 n_r)  by reactant, per mol consumed: start [mol/kg], supply and consumption by each reaction
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ._kernels import conversion, f_alpha, g_alpha

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
LIMIT, X, NEW, XI, XI0, DX, DX0, DXT, K0, K1, KS, Q0, Q1, QS, MOLE, B, ROOT, Y, Y_NEW, U = range(20)
N_W = U + 6
N_Q, WAY, ACT, ODE, FEED, DONE, SOLE, N_L = range(8)
#: What counts as nothing left of a supply, over all of it; k h, and the rise of k, that make a step too long for a
#: reaction at rest.
SPENT, WAKE, WAKE_RISE = 1e-11, 0.05, 5.0


@njit(cache=True, nogil=True, error_model="numpy")
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
def _quadrature(r, nums, tab, u0, du, p, t_a, T_a, t_b, T_b):
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
def _extent(r, y, ints, nums, w):
    """Extent [mol/kg] of reaction r at a value y of g."""
    return w[LIMIT, r] * conversion(ints[r, 0], y, nums[r, 2], nums[r, 3], nums[r, 4])


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(w, to, of):
    """Copy row `of` of w onto row `to`."""
    for r in range(w.shape[1]):
        w[to, r] = w[of, r]


@njit(cache=True, nogil=True, error_model="numpy")
def _gas_pressure(na, li, ints, nums, gas, w, q_row, p_in, flow, total, p):
    """Pressures p (n_g) [bar] of a well-mixed gas: inlet p_in at `flow` [mol/(kg s)] and what the reactions give.

    Row MOLE of w holds the rates before the factor of the gas [mol/(kg s)]; p holds a first guess.
    """
    n_g = len(p_in)
    for _sweep in range(30):
        change = 0.0
        for g in range(n_g):
            low, high = 0.0, total
            x = p[g]
            for _ in range(80):
                # value(x) = x (flow + all gas) - p_in flow - total (this gas) rises with x
                every, this, slope_every, slope_this = 0.0, 0.0, 0.0, 0.0
                for a in range(na):
                    r = li[ACT, a]
                    kind, slope, rate = ints[r, 1], 0.0, w[MOLE, r]
                    if kind > 0:
                        own = ints[r, 2] == g
                        at = x if own else p[ints[r, 2]]
                        rate *= _factor(kind, nums[r, 5], at, w[q_row, r])
                        if own and rate > 0.0:
                            slope = -w[MOLE, r] / w[q_row, r] if kind == 1 else rate * nums[r, 5] / at
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
def _supply(r, li, net, w):
    """Extent still possible and extent possible from all that was ever there [mol/kg], at the extents in row XI."""
    n_r = w.shape[1]
    left, whole = math.inf, math.inf
    for q in range(li[N_Q, r]):
        given, gone = net[r, q, 0], 0.0
        for s in range(n_r):
            given += net[r, q, 1 + s] * w[XI, s]
            gone += net[r, q, 1 + n_r + s] * w[XI, s]
        left = min(left, given - gone)
        whole = min(whole, given)
    return max(left, 0.0), max(whole, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _rates(row, na, li, ints, nums, net, gas, w, k_row, q_row, p_in, flow, total, p):
    """Row DX of w: time derivative of the states in `row`, with constants in k_row and pressures in q_row."""
    for a in range(na):
        r = li[ACT, a]
        w[XI, r] = w[row, r] if li[WAY, r] == EXTENT else _extent(r, w[row, r], ints, nums, w)
    for a in range(na):
        r = li[ACT, a]
        if li[WAY, r] == EXTENT or flow > 0.0:
            left, whole = w[LIMIT, r] - w[XI, r], w[LIMIT, r]
            if li[WAY, r] == EXTENT:
                left, whole = _supply(r, li, net, w)
            value = 0.0
            if left > 0.0:
                part = 1.0 - left / whole
                value = w[k_row, r] * whole * f_alpha(ints[r, 0], part, nums[r, 2], nums[r, 3], nums[r, 4])
            w[MOLE, r] = value
        w[DX, r] = w[MOLE, r] if li[WAY, r] == EXTENT else w[k_row, r]
    if flow > 0.0:
        _gas_pressure(na, li, ints, nums, gas, w, q_row, p_in, flow, total, p)
    for a in range(na):
        r = li[ACT, a]
        if ints[r, 1] > 0:
            w[DX, r] *= _factor(ints[r, 1], nums[r, 5], p[ints[r, 2]], w[q_row, r])


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
def _stage(stage, step, na, li, w, m, row):
    """Solve for one stage with the factors m; `row` holds its derivative, the result goes to row U + stage."""
    for a in range(na):
        r = li[ACT, a]
        value = w[row, r] + step * _D[stage] * w[DXT, r]
        for i in range(stage):
            value += _C[stage, i] * w[U + i, r] / step
        for j in range(a):
            value -= m[a, j] * w[B, j]
        w[B, a] = value
    for a in range(na - 1, -1, -1):
        value = w[B, a]
        for j in range(a + 1, na):
            value -= m[a, j] * w[B, j]
        w[B, a] = value / m[a, a]
        w[U + stage, li[ACT, a]] = w[B, a]


@njit(cache=True, nogil=True, error_model="numpy")
def _network(n0, ints, cons, made, flow, li, net, w):
    """What follows from stoichiometry: rows LIMIT of w, N_Q, WAY and the feeding matrix of li, and net."""
    n_r, n_p = cons.shape
    most = n0.copy()
    for _ in range(n_r + 1):
        for r in range(n_r):
            limit = math.inf
            for j in range(n_p):
                if cons[r, j] > 0.0:
                    limit = min(limit, most[j] / cons[r, j])
            w[LIMIT, r] = limit if limit < math.inf else 0.0
        for j in range(n_p):
            most[j] = n0[j]
            for r in range(n_r):
                most[j] += made[r, j] * w[LIMIT, r]
    for r in range(n_r):
        if w[LIMIT, r] <= 0.0:
            li[DONE, r] = 1
        alone, sole = True, ints[r, 3] == 1
        for j in range(n_p):
            nu = cons[r, j]
            if nu <= 0.0:
                continue
            for s in range(n_r):
                if w[LIMIT, s] <= 0.0:
                    continue
                if made[s, j] > 0.0:
                    li[N_L + r, s] = 1
                    alone = False
                if cons[s, j] > 0.0 and s != r:
                    sole = False
            q = li[N_Q, r]
            net[r, q, 0] = n0[j] / nu
            for s in range(n_r):
                net[r, q, 1 + s] = made[s, j] / nu
                net[r, q, 1 + n_r + s] = cons[s, j] / nu
            li[N_Q, r] = q + 1
        li[SOLE, r] = int(sole)
        if not (alone and sole):
            li[WAY, r] = EXTENT
        elif flow > 0.0:
            li[WAY, r] = INTEGRAL
        else:
            li[WAY, r] = QUADRATURE if ints[r, 1] == 1 else CLOSED


@njit(cache=True, nogil=True, error_model="numpy")
def _alone(
    r, first, t_0, T_0, y, at_out, prog_t, prog_T, li, ints, nums, tab, u0, du, p_in, w, out_t, corner, out
):  # fmt: skip
    """A reaction that stands alone from a time on: g at the corners (n_corner, n_r), extents out (n_out, n_r) [mol/kg].

    first, t_0 [s], T_0 [K], y : segment, time, temperature and g it starts from; at_out : first output due
    """
    lone = li[WAY, r] == QUADRATURE
    p = p_in[ints[r, 2]]
    share = _factor(ints[r, 1], nums[r, 5], p, 1.0) if ints[r, 1] == 2 else 1.0
    before = -1.0  # integral of Arrhenius where the segment starts, kept from corner to corner
    for segment in range(first, len(prog_t) - 1):
        T_a, T_b, t_a, t_b = prog_T[segment], prog_T[segment + 1], prog_t[segment], prog_t[segment + 1]
        slope = (T_b - T_a) / (t_b - t_a)
        flat = abs(T_b - T_a) < 1e-6
        t_left, T_left = max(t_a, t_0), T_0 if segment == first else T_a
        if not lone and before < 0.0 and not flat:
            before = _arrhenius(nums[r, 0], nums[r, 1], T_left)
        corner[segment, r] = y
        if segment == first and t_0 > t_a and not lone:  # as if it had run from the corner
            if flat:
                corner[segment, r] = y - share * math.exp(nums[r, 0] - nums[r, 1] / T_a) * (t_0 - t_a)
            else:
                corner[segment, r] = y - share * (before - _arrhenius(nums[r, 0], nums[r, 1], T_a)) / slope
        t_start, y_left, at_corner = t_left, y, False
        while not at_corner:
            at_corner = at_out >= len(out_t) or out_t[at_out] > t_b
            time = t_b if at_corner else out_t[at_out]
            temperature = T_b if at_corner else T_a + slope * (time - t_a)
            if lone:
                if time > t_left:
                    y_left += _quadrature(r, nums, tab, u0, du, p, t_left, T_left, time, temperature)
            elif flat:
                y_left = y + share * math.exp(nums[r, 0] - nums[r, 1] / T_a) * (time - t_start)
            else:
                here = _arrhenius(nums[r, 0], nums[r, 1], temperature)
                y_left = y + share * (here - before) / slope
                if at_corner:
                    before = here
            t_left, T_left = time, temperature
            if not at_corner:
                out[at_out, r] = _extent(r, y_left, ints, nums, w)
                at_out += 1
        y = y_left
        if flat and T_b != T_a:
            before = -1.0
    corner[len(prog_t) - 1, r] = y


@njit(cache=True, nogil=True, error_model="numpy")
def _wakes(step, n_ode, li, w):
    """Whether a reaction at rest would run far within a step: the step would be refused."""
    for i in range(n_ode):
        r = li[ODE, i]
        if li[DONE, r] == 0 and w[X, r] <= 0.0 and w[K1, r] * step > WAKE and w[K1, r] > WAKE_RISE * w[K0, r]:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _fed_out(n_ode, li, ints, net, w):
    """A reaction in ODE that can stand alone from here on, because what feeds it is done; -1 if there is none."""
    n_r = w.shape[1]
    for i in range(n_ode):
        r = li[ODE, i]
        if li[DONE, r] == 1 or li[SOLE, r] == 0 or li[WAY, r] != EXTENT:
            continue
        over = True
        for s in range(n_r):
            if li[N_L + r, s] == 1:
                over = over and w[LIMIT, s] - w[XI, s] <= SPENT * w[LIMIT, s]
        if over:
            return r
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _constants(temperature, n_ode, li, ints, nums, tab, u0, du, w, k_row, q_row):
    """Rate constants [1/s] and equilibrium pressures [bar] of the reactions integrated and not done."""
    for a in range(n_ode):
        r = li[ODE, a]
        if li[DONE, r] == 0:
            w[k_row, r] = math.exp(nums[r, 0] - nums[r, 1] / temperature)
            if ints[r, 1] == 1:
                w[q_row, r] = _pressure(tab, r, u0, du, temperature)


@njit(cache=True, nogil=True, error_model="numpy")
def _feed(time, temperature, n_f, li, ints, nums, tab, u0, du, p_in, w, corner, segment, t_a, T_a, slope, t, here):
    """Row XI of w for the closed reactions that feed others, at a time within a segment; ROOT as in `_alone`.

    t, here : time and temperature of the start of the step, where row Y holds g of those by quadrature
    """
    for a in range(n_f):
        r = li[FEED, a]
        if li[WAY, r] == QUADRATURE:
            y = w[Y, r]
            if time > t:
                y += _quadrature(r, nums, tab, u0, du, p_in[ints[r, 2]], t, here, time, temperature)
            w[Y_NEW, r] = y
            w[XI, r] = _extent(r, y, ints, nums, w)
            continue
        if slope == 0.0:
            step = math.exp(nums[r, 0] - nums[r, 1] / T_a) * (time - t_a)
        else:
            step = (_arrhenius(nums[r, 0], nums[r, 1], temperature) - w[ROOT, r]) / slope
        if ints[r, 1] == 2:
            step *= _factor(ints[r, 1], nums[r, 5], p_in[ints[r, 2]], 1.0)
        w[XI, r] = _extent(r, corner[segment, r] + step, ints, nums, w)


@njit(cache=True, nogil=True, error_model="numpy")
def _error(na, li, ints, nums, w, tol):
    """Largest error of a step from X to NEW over its tolerance, by row U + 5; inf where a state is no number."""
    error = 0.0
    for a in range(na):
        r = li[ACT, a]
        off = abs(w[U + 5, r])
        if not math.isfinite(w[NEW, r]):
            return math.inf
        back = max(w[X, r] - w[NEW, r], 0.0)  # nothing runs backwards
        w[NEW, r] += back
        if li[WAY, r] == EXTENT:
            scale = 1.0
            n = nums[r, 2]
            if n > 1.0 and (ints[r, 0] == 1 or ints[r, 0] == 3):  # nuclei: what is wrong early grows
                scale = max(w[NEW, r] / w[LIMIT, r], 1e-2 * tol) ** (1.0 - 1.0 / n)
            error = max(error, max(off, back) / (tol * scale * w[LIMIT, r]))
        else:
            if back > 1e-3 * (1.0 + w[X, r]):
                error = max(error, 10.0)
            for i in range(2):  # what it means in conversion, at both ends
                y = w[NEW, r] - off if i == 0 else w[X, r]
                moved = _extent(r, y + off, ints, nums, w) - _extent(r, y, ints, nums, w)
                error = max(error, moved / (tol * w[LIMIT, r]))
    return error


@njit(cache=True, nogil=True, error_model="numpy")
def _clamp(na, li, n0, cons, made, tol, w):
    """Cut extents in NEW and XI that passed what was there; returns what was cut over ten tolerances."""
    n_r, error = w.shape[1], 0.0
    for j in range(len(n0)):
        amount, grown = n0[j], 0.0
        for s in range(n_r):
            amount += (made[s, j] - cons[s, j]) * w[XI, s]
        if amount >= 0.0:
            continue
        for a in range(na):
            r = li[ACT, a]
            if li[WAY, r] == EXTENT:
                grown += cons[r, j] * (w[NEW, r] - w[X, r])
        if grown <= 0.0:
            continue
        for a in range(na):
            r = li[ACT, a]
            if li[WAY, r] == EXTENT and cons[r, j] > 0.0:
                cut = min(1.0, -amount / grown) * (w[NEW, r] - w[X, r])
                error = max(error, 0.1 * cut / (tol * w[LIMIT, r]))
                w[NEW, r] -= cut
                w[XI, r] = w[NEW, r]
    return error


@njit(cache=True, nogil=True, error_model="numpy")
def _choose(step, tol, n_ode, n_f, li, ints, net, w):
    """Row ACT of li: reactions that run in a step; returns their number."""
    na = 0
    for i in range(n_ode):
        r = li[ODE, i]
        bound = 1e-3 * tol
        if 4 <= ints[r, 0] <= 7:
            bound *= bound
        if li[DONE, r] == 1 or max(w[K0, r], w[K1, r]) * step < bound:
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


@njit(cache=True, nogil=True, error_model="numpy")
def _complete(na, n_r, li, net, w):
    """Take over NEW into X; completion is an event: what is left below rounding goes, and the reaction stops."""
    for a in range(na):
        r = li[ACT, a]
        w[X, r] = w[NEW, r]
        if li[WAY, r] != EXTENT:
            li[DONE, r] = int(w[LIMIT, r] - w[XI, r] <= 1e-15 * w[LIMIT, r])
            continue
        left = _supply(r, li, net, w)[0]
        if left <= 1e-12 * w[LIMIT, r]:
            over = True
            for s in range(n_r):
                if li[N_L + r, s] == 1:
                    over = over and w[LIMIT, s] - w[XI, s] <= 1e-15 * w[LIMIT, s]
            if over:
                w[X, r] += left
                w[XI, r] = w[X, r]
                li[DONE, r] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def _write(out_row, theta, na, n_ode, li, ints, nums, w):
    """Extents of the integrated reactions at a part theta of the step (dense output of order 3)."""
    for a in range(n_ode):
        out_row[li[ODE, a]] = w[XI, li[ODE, a]]
    for a in range(na if theta < 1.0 else 0):
        r = li[ACT, a]
        second, third = 0.0, 0.0
        for i in range(5):
            second += _H2[i] * w[U + i, r]
            third += _H3[i] * w[U + i, r]
        value = w[X, r] * (1.0 - theta) + theta * (w[NEW, r] + (1.0 - theta) * (second + theta * third))
        value = min(max(value, w[X, r]), w[NEW, r])
        out_row[r] = value if li[WAY, r] == EXTENT else _extent(r, value, ints, nums, w)


@njit(cache=True, nogil=True, error_model="numpy")
def solve(
    prog_t, prog_T, n0, ints, nums, cons, made, gas, tab, u0, du, p_in, flows, total, out_t, tol, most_steps, out,
    status, steps,
):  # fmt: skip
    """Many recipes and programs of one network.

    prog_t, prog_T : (n_prog, n_corner) corners [s], [K]; n_prog is 1 (the same for all) or n
    n0 : (n, n_p) solids at the start [mol/kg]; ints, nums, cons, made, gas, tab: see the module; nums is (n_k, n_r, 6)
    with n_k 1 or n
    p_in : (n_a, n_g) [bar], n_a 1 or n; flows : (n_a,) [mol/(kg s)], 0 = pressures held; total : pressure [bar]
    out_t : (n_prog, n_out) [s], rising; tol : error of a conversion per step
    out : (n, n_out, n_r) extents [mol/kg]; status : (n,) int8; steps : (n,) int64
    """
    n, n_r, n_out, corners = len(n0), len(ints), out_t.shape[1], prog_t.shape[1]
    zero = n_r - len(ints)  # of the type of an index: functions are compiled anew for every literal number
    for i in range(n):
        prog = i if len(prog_t) > 1 else 0
        times, temps, wanted = prog_t[prog], prog_T[prog], out_t[prog]
        flow = flows[i if len(flows) > 1 else 0]
        p_0, laws, start, result = p_in[i if len(p_in) > 1 else 0], nums[i if len(nums) > 1 else 0], n0[i], out[i]
        w, li = np.zeros((N_W, n_r)), np.zeros((N_L + n_r, n_r), np.int64)
        net, corner = np.zeros((n_r, 4, 1 + 2 * n_r)), np.zeros((corners, n_r))
        _network(start, ints, cons, made, flow, li, net, w)
        n_ode, n_f = zero, zero
        for r in range(n_r):
            if li[DONE, r] == 1:
                continue
            if li[WAY, r] < CLOSED:
                li[ODE, n_ode] = r
                n_ode += 1
                continue
            _alone(
                r, zero, times[0], temps[0], 0.0, zero, times, temps, li, ints, laws, tab, u0, du, p_0, w, wanted,
                corner, result,
            )  # fmt: skip
            feeds = 0
            for s in range(n_r):
                feeds += li[N_L + s, r]
            if feeds > 0:
                li[FEED, n_f] = r
                n_f += 1
        p, m = p_0.copy(), np.zeros((n_r, n_r))
        t, h, slope, fresh = 0.0, 0.02 * (times[1] - times[0]), 0.0, True
        taken, at_out, segment, code = 0, zero, zero, OK
        before, step_before = 0.0, h  # error and length of the step before
        while at_out < n_out and wanted[at_out] <= 0.0:
            at_out += 1  # nothing has happened yet: result is zero there
        _constants(temps[0], n_ode, li, ints, laws, tab, u0, du, w, K0 + zero, Q0 + zero)
        while n_ode > 0 and at_out < n_out and segment < corners - 1:
            T_a, t_a = temps[segment], times[segment]
            if fresh:
                slope = (temps[segment + 1] - T_a) / (times[segment + 1] - t_a)
                if abs(temps[segment + 1] - T_a) < 1e-6:
                    slope = 0.0
                for a in range(n_f):
                    r = li[FEED, a]
                    w[ROOT, r] = _arrhenius(laws[r, 0], laws[r, 1], T_a)
                _feed(
                    t, T_a, n_f, li, ints, laws, tab, u0, du, p_0, w, corner, segment, t_a, T_a, slope, t, T_a
                )  # fmt: skip
                _copy(w, XI0 + zero, XI + zero)
                fresh = False
            taken += 1
            if taken > most_steps:
                code = TOO_MANY_STEPS
                break
            here = T_a + slope * (t - t_a)
            r = _fed_out(n_ode, li, ints, net, w) if flow == 0.0 else -1
            if r >= 0:  # it goes alone from here
                whole = _supply(r, li, net, w)[1]
                w[Y, r] = g_alpha(ints[r, 0], w[X, r] / max(whole, w[X, r]), laws[r, 2], laws[r, 3], laws[r, 4])
                li[WAY, r] = QUADRATURE if ints[r, 1] == 1 else CLOSED
                _alone(
                    r, segment, t, here, w[Y, r], at_out, times, temps, li, ints, laws, tab, u0, du, p_0, w, wanted,
                    corner, result,
                )  # fmt: skip
                w[ROOT, r] = _arrhenius(laws[r, 0], laws[r, 1], T_a)
                last_ode, feeds = n_ode - 1, 0
                for a in range(n_ode):
                    if li[ODE, a] == r:
                        li[ODE, a] = li[ODE, last_ode]
                n_ode = last_ode
                for s in range(n_r):
                    feeds += li[N_L + s, r]
                if feeds > 0:
                    li[FEED, n_f] = r
                    n_f += 1
                continue
            rest = times[segment + 1] - t
            last = h >= rest * (1.0 - 1e-9)
            step = rest if last else min(h, 0.6 * rest)
            there = temps[segment + 1] if last else here + slope * step
            _constants(there, n_ode, li, ints, laws, tab, u0, du, w, K1 + zero, Q1 + zero)
            if _wakes(step, n_ode, li, w):
                h = 0.5 * step
                continue
            na = _choose(step, tol, n_ode, n_f, li, ints, net, w)
            error = 0.0
            for e in range(na + 7 if na > 0 else 1):
                # 0: derivative; 1: with time; then one column of the Jacobian each; then stages 1 to 5
                stage = max(e - na - 1, 0)
                part, k_row, q_row, row, delta = -1.0, K0, Q0, NEW, 0.0
                if na == 0:
                    part = 1.0
                elif e == 1:
                    part, k_row, q_row, row = 1e-4, KS, QS, X
                elif stage == 0:
                    if e <= 2:
                        _copy(w, XI + zero, XI0 + zero)
                        _copy(w, NEW + zero, X + zero)
                    if e >= 2:
                        s = li[ACT, e - 2]
                        if e > 2:
                            w[NEW, li[ACT, e - 3]] = w[X, li[ACT, e - 3]]
                        delta = 1e-7 * w[LIMIT, s] if li[WAY, s] == EXTENT else 1e-4 * max(w[X, s], 1e-5)
                        if li[WAY, s] == EXTENT and w[X, s] > delta:
                            delta = -delta
                        w[NEW, s] += delta
                else:
                    if stage <= 3:
                        part, k_row, q_row = _TIME[stage], KS, QS
                    else:
                        part, k_row, q_row = (1.0 if stage == 4 else -1.0), K1, Q1
                    for a in range(na):
                        r = li[ACT, a]
                        value = w[X, r]
                        if stage == 5:
                            value = w[NEW, r] + w[U + 4, r]
                        else:
                            for q in range(stage):
                                value += _A[stage, q] * w[U + q, r]
                        w[NEW, r] = value
                if part > 0.0:
                    at = there if part == 1.0 else here + slope * step * part
                    if part < 1.0:
                        _constants(at, n_ode, li, ints, laws, tab, u0, du, w, KS + zero, QS + zero)
                    _feed(
                        t + part * step, at, n_f, li, ints, laws, tab, u0, du, p_0, w, corner, segment, t_a, T_a, slope,
                        t, here,
                    )  # fmt: skip
                if na == 0:
                    break
                _rates(row, na, li, ints, laws, net, gas, w, k_row, q_row, p_0, flow, total, p)
                for a in range(na):
                    r = li[ACT, a]
                    if e == 0:
                        w[DX0, r] = w[DX, r]
                    elif e == 1:
                        w[DXT, r] = (w[DX, r] - w[DX0, r]) / (1e-4 * step)
                    elif stage == 0:
                        m[a, e - 2] = -(w[DX, r] - w[DX0, r]) / delta
                if e < 2:
                    continue
                if stage == 0:
                    m[e - 2, e - 2] += 1.0 / (_GAMMA * step)
                    if e < na + 1:
                        continue
                    if not _factorise(m, na):
                        error = math.inf
                        break
                _stage(stage, step, na, li, w, m, DX0 if stage == 0 else DX)
            if na > 0:
                if error == 0.0:
                    for a in range(na):
                        w[NEW, li[ACT, a]] += w[U + 5, li[ACT, a]]
                    error = _error(na, li, ints, laws, w, tol)
                if error <= 1.0:
                    for a in range(na):
                        r = li[ACT, a]
                        w[XI, r] = w[NEW, r] if li[WAY, r] == EXTENT else _extent(r, w[NEW, r], ints, laws, w)
                    error = max(error, _clamp(na, li, start, cons, made, tol, w))
                if not error <= 1.0:
                    h = step * max(0.15, 0.9 * error**-0.25)
                    _copy(w, XI + zero, XI0 + zero)
                    if h < 1e-13 * times[-1]:
                        code = STEP_TOO_SMALL
                        break
                    continue
            later = times[segment + 1] if last else t + step
            while at_out < n_out and wanted[at_out] <= later:
                _write(result[at_out], (wanted[at_out] - t) / step, na, n_ode, li, ints, laws, w)
                at_out += 1
            _complete(na, n_r, li, net, w)
            _copy(w, K0 + zero, K1 + zero)
            _copy(w, Q0 + zero, Q1 + zero)
            _copy(w, XI0 + zero, XI + zero)
            _copy(w, Y + zero, Y_NEW + zero)
            t = later
            if last:
                segment += 1
                fresh = True
            grow = 5.0
            if na > 0 and error > 1e-4:
                grow = 0.9 * error**-0.25
                if before > 0.0:  # the error rises or falls from step to step (Gustafsson)
                    grow = min(grow, 0.9 * step / step_before * (before / (error * error)) ** 0.25)
                grow = min(grow, 5.0)
            before, step_before = (max(error, 1e-2), step) if na > 0 else (0.0, step)
            h = max(h, step * grow) if na == 0 else step * grow
        while at_out < n_out:
            _write(result[at_out], 1.0, zero, n_ode, li, ints, laws, w)
            at_out += 1
        status[i], steps[i] = code, taken
