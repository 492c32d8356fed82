"""Kernels of the kiln models: solids that react and heat up, and the counter-current kiln by Newton's method.

Everything is per kg of dry feed (J/kg, mol/kg; of flows per kg/s). A solid state is temperature `t`, extents `xi`
(n_r,) and amounts `n` (n_s,) = n_init + xi . nu_s. Enthalpies stand in tables over a uniform grid of temperature,
``grid = (first, step)``. Gases are in the order of `chemistry.GASES` (8). Columns of `rp` (reactions): 0 A, 1 Ea,
2 code, 3 n, 4 m, 5 p, 6 n0 [mol/kg], 7 kind (0 free, 1 equilibrium, 2 oxygen, 3 towards an amount that grows with
temperature), 8 gas index or temperature where that amount starts [K], 9 order or where it is all [K], 10 mol gas.
Columns of `coef` (transfer of a cell, frozen): 0 gas-solid [W/K], 1 the same by radiation [W/K4], 2 and 3 gas-wall,
4 wall-solid radiation, 5 wall-solid contact, 6 wall-ambient, 7 centring (0.5 mean of in and out, 1 out), 8 resistance
of the way of oxygen to the solid, 9 of gas away from it [bar s kg/mol].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..kinetics._kernels import conversion, f_alpha, g_alpha

R_GAS = 8.31446261815324
NG = 8


@njit(cache=True, error_model="numpy")
def mix_enthalpy(n, table, t, first, step):
    """Enthalpy [J] of amounts n at temperature t; table (n_grid, n_species) [J/mol]."""
    x = (t - first) / step
    i = min(max(int(x), 0), table.shape[0] - 2)
    f = x - i
    total = 0.0
    for j in range(n.size):
        total += n[j] * (table[i, j] + f * (table[i + 1, j] - table[i, j]))
    return total


@njit(cache=True, error_model="numpy")
def advance(t, tau, xi_in, p, film, supply, n_init, nu_s, nu_g, rp, lnp, first, step, xi, n, gas):
    """React for tau seconds at constant temperature t; fills xi, n and the gas released [mol/kg].

    Reactions follow one another in their order; each is integrated exactly where its model has a closed form.
    xi_in (n_r,); p (8,) partial pressures [bar]; film, supply resistance of gas leaving and of oxygen coming
    [bar s kg/mol], in series with the reaction (exact for first order); lnp (n_grid, n_r) ln of the equilibrium
    pressure [bar].
    """
    n_r, n_s = nu_s.shape
    for j in range(n_s):
        n[j] = n_init[j]
    for k in range(NG):
        gas[k] = 0.0
    for r in range(n_r):
        xi[r] = xi_in[r]
        if xi_in[r] != 0.0:
            for j in range(n_s):
                n[j] += xi_in[r] * nu_s[r, j]
    x = (t - first) / step
    i = min(max(int(x), 0), lnp.shape[0] - 2)
    f = x - i
    for r in range(n_r):
        k = rp[r, 0] * math.exp(-rp[r, 1] / (R_GAS * t))
        if k * tau < 1e-15:
            continue
        n0 = rp[r, 6]
        left = n0 - xi[r]
        have = left
        for j in range(n_s):
            if nu_s[r, j] < 0.0:
                have = min(have, n[j] / -nu_s[r, j])
        if have <= 0.0 or left <= 0.0:
            continue
        if rp[r, 7] == 3.0:
            have = min(have, n0 * min(max((t - rp[r, 8]) / (rp[r, 9] - rp[r, 8]), 0.0), 1.0) - xi[r])
            if have <= 0.0:
                continue
        elif rp[r, 7] == 1.0:
            peq = math.exp(lnp[i, r] + f * (lnp[i + 1, r] - lnp[i, r]))
            drive = 1.0 - p[int(rp[r, 8])] / peq
            if drive <= 0.0:
                continue
            k = k * drive / (1.0 + k * have * film * rp[r, 10] / peq)
        elif rp[r, 7] == 2.0:
            there = p[int(rp[r, 8])]
            if there <= 0.0:
                continue
            k = k * (there / 0.21) ** rp[r, 9]
            if supply > 0.0:
                demand = k * n0 * f_alpha(int(rp[r, 2]), xi[r] / n0, rp[r, 3], rp[r, 4], rp[r, 5])
                k = k / (1.0 + demand * rp[r, 10] * supply / there)
        code = int(rp[r, 2])
        if code == 0 and rp[r, 3] == 1.0:
            d = have * -math.expm1(-k * tau)
        else:
            a = xi[r] / n0
            if code < 8:
                b = conversion(
                    code, g_alpha(code, a, rp[r, 3], rp[r, 4], rp[r, 5]) + k * tau, rp[r, 3], rp[r, 4], rp[r, 5]
                )
            else:
                low, high = a, 1.0
                for _ in range(60):
                    b = 0.5 * (low + high)
                    if b - a - tau * k * f_alpha(code, b, rp[r, 3], rp[r, 4], rp[r, 5]) > 0.0:
                        high = b
                    else:
                        low = b
            d = max(b - a, 0.0) * n0 * (have / left)
        d = min(d, have)
        xi[r] += d
        for j in range(n_s):
            n[j] += d * nu_s[r, j]
        for g in range(NG):
            gas[g] += d * nu_g[r, g]


@njit(cache=True, error_model="numpy")
def wall_temperature(tg, tb, ambient, c, guess):
    """Temperature of the inner wall at which it gains nothing [K], by safeguarded Newton."""
    if c[2] == 0.0 and c[3] == 0.0 and c[4] == 0.0 and c[5] == 0.0:
        return ambient
    low, high = min(tg, tb, ambient), max(tg, tb, ambient)
    gain = c[2] * tg + c[3] * tg**4 + c[4] * tb**4 + c[5] * tb + c[6] * ambient
    lin, quart = c[2] + c[5] + c[6], c[3] + c[4]
    t = min(max(guess, low), high)
    for _ in range(50):
        new = t - (lin * t + quart * t**4 - gain) / (lin + 4.0 * quart * t**3)
        new = min(max(new, low), high)
        if abs(new - t) < 1e-10 * t:
            return new
        t = new
    return t


@njit(cache=True, error_model="numpy")
def residual(t_out, t_in, h_in, xi_in, tg_left, tg_right, c, tau, p, ambient, chem, xi, n, gas, out):
    """Energy residual of the solid over one cell [J/kg]; fills xi, n, gas and
    out = (heat gas->solid, gas->wall, wall->solid, loss, wall temperature, enthalpy out, enthalpy of gas released).
    """
    n_init, nu_s, nu_g, rp, lnp, hs, hg, first, step = chem
    advance(t_out, tau, xi_in, p, c[9], c[8], n_init, nu_s, nu_g, rp, lnp, first, step, xi, n, gas)
    theta = c[7]
    tb = theta * t_out + (1.0 - theta) * t_in
    tg = theta * tg_left + (1.0 - theta) * tg_right
    tw = wall_temperature(tg, tb, ambient, c, out[4])
    out[0] = c[0] * (tg - tb) + c[1] * (tg**4 - tb**4)
    out[1] = c[2] * (tg - tw) + c[3] * (tg**4 - tw**4)
    out[3] = c[6] * (tw - ambient)
    out[2] = out[1] - out[3]
    out[4] = tw
    out[5] = mix_enthalpy(n, hs, t_out, first, step)
    out[6] = mix_enthalpy(gas, hg, t_out, first, step)
    return out[5] - h_in - out[0] - out[2] + out[6]


@njit(cache=True, error_model="numpy")
def solve_cell(guess, t_in, h_in, xi_in, tg_left, tg_right, c, tau, p, ambient, chem, xi, n, gas, out):
    """Temperature of the solid leaving a cell [K]; NaN where none was found in 200 to 3200 K."""
    low, high = 200.0, 3200.0
    a, fa = math.nan, 0.0
    b = min(max(guess, low + 1.0), high - 1.0)
    for it in range(200):
        fb = residual(b, t_in, h_in, xi_in, tg_left, tg_right, c, tau, p, ambient, chem, xi, n, gas, out)
        if abs(fb) < 1e-7 or high - low < 1e-12 * high:
            return b
        if fb > 0.0:
            high = min(high, b)
        else:
            low = max(low, b)
        if it == 0:
            new = b - 1.0 if fb > 0.0 else b + 1.0
        else:
            slope = (fb - fa) / (b - a) if b != a else 0.0
            new = b - fb / slope if slope > 0.0 else 0.5 * (low + high)
        if not (low < new < high) or (it > 12 and it % 3 == 0):
            new = 0.5 * (low + high)
        if abs(new - b) < 1e-13 * b:
            return b
        a, fa, b = b, fb, new
    return math.nan


@njit(cache=True, error_model="numpy")
def heat_program(times, gas_t, coef, p, t_start, ambient, chem, t, xi, n, gas, heat):
    """A lumped solid in a gas of given temperature: steps from times[i] to times[i+1].

    times (m,) [s]; gas_t (m,) [K]; coef (m, 10) per second; fills t (m,), xi (m, n_r), n (m, n_s), gas (m, 8) released
    up to each time, heat (m,) taken up [J/kg]. Returns 0, or 1 + the step that failed.
    """
    n_init, hs, first, step = chem[0], chem[5], chem[7], chem[8]
    c = np.zeros(10)
    out = np.zeros(7)
    rel = np.zeros(NG)
    t[0] = t_start
    for j in range(n_init.size):
        n[0, j] = n_init[j]
    h = mix_enthalpy(n[0], hs, t_start, first, step)
    for i in range(times.size - 1):
        dt = times[i + 1] - times[i]
        for k in range(7):
            c[k] = coef[i + 1, k] * dt
        c[7] = 1.0
        c[8] = coef[i + 1, 8]
        c[9] = coef[i + 1, 9]
        value = solve_cell(
            t[i],
            t[i],
            h,
            xi[i],
            gas_t[i + 1],
            gas_t[i + 1],
            c,
            dt,
            p,
            ambient,
            chem,
            xi[i + 1],
            n[i + 1],
            rel,
            out,
        )
        if not math.isfinite(value):
            return 1 + i
        t[i + 1] = value
        h = out[5]
        heat[i + 1] = heat[i] + out[0] + out[2]
        for k in range(NG):
            gas[i + 1, k] = gas[i, k] + rel[k]
    return 0


@njit(cache=True, error_model="numpy")
def entrain(
    times, area, rad, film_k, share, load, feed_gas, tg0, loss, ambient, t_start, pressure, chem, t, xi, tg, g, lost
):
    """Particles of several classes carried by one gas, plug flow.

    times (m,) [s]; area (nc,) convective [W/(K kg)]; rad (nc,) [W/(K4 kg)]; film_k (nc,) [bar s kg/mol];
    share (nc,) mass fraction; load kg solid per unit of gas flow `feed_gas` (8,) [mol]; loss [W/K]; fills t (m, nc),
    xi (m, nc, n_r), tg (m,), g (m, 8), lost (m,) [J]. Returns 0, or 1 + the step that failed.
    """
    n_init, nu_s, hs, hg, first, step = chem[0], chem[1], chem[5], chem[6], chem[7], chem[8]
    nc, n_r, n_s = share.size, nu_s.shape[0], nu_s.shape[1]
    c = np.zeros(10)
    c[7] = 1.0
    out = np.zeros(7)
    rel = np.zeros(NG)
    total = np.zeros(NG)
    p = np.zeros(NG)
    n = np.zeros(n_s)
    h = np.zeros(nc)
    x_new = np.zeros((nc, n_r))
    h_new = np.zeros(nc)
    t_new = np.zeros(nc)
    tg[0] = tg0
    for k in range(NG):
        g[0, k] = feed_gas[k]
    for q in range(nc):
        t[0, q] = t_start
        h[q] = mix_enthalpy(n_init, hs, t_start, first, step)
    for i in range(times.size - 1):
        dt = times[i + 1] - times[i]
        moles = 0.0
        for k in range(NG):
            moles += g[i, k]
        for k in range(NG):
            p[k] = pressure * g[i, k] / moles
        h_gas = mix_enthalpy(g[i], hg, tg[i], first, step)
        low, high = 200.0, 3200.0
        a, fa, b = 0.0, 0.0, tg[i]
        done = False
        for it in range(100):
            for k in range(NG):
                total[k] = g[i, k]
            drop = 0.0
            for q in range(nc):
                c[0] = area[q] * dt
                c[1] = rad[q] * dt
                c[8] = film_k[q]
                c[9] = film_k[q]
                t_new[q] = solve_cell(
                    t[i, q], t[i, q], h[q], xi[i, q], b, b, c, dt, p, ambient, chem, x_new[q], n, rel, out
                )
                if not math.isfinite(t_new[q]):
                    return 1 + i
                h_new[q] = out[5]
                w = share[q] * load
                drop += w * (out[5] - h[q])
                for k in range(NG):
                    total[k] += w * rel[k]
            fb = mix_enthalpy(total, hg, b, first, step) - h_gas + drop + loss * dt * (b - ambient)
            if abs(fb) < 1e-6 * max(load, 1e-3) or high - low < 1e-10:
                done = True
                break
            if fb > 0.0:
                high = min(high, b)
            else:
                low = max(low, b)
            slope = (fb - fa) / (b - a) if it > 0 and b != a else 0.0
            new = b - fb / slope if slope > 0.0 else (b - 1.0 if fb > 0.0 else b + 1.0)
            if not (low < new < high) or (it > 10 and it % 3 == 0):
                new = 0.5 * (low + high)
            a, fa, b = b, fb, new
        if not done:
            return 1 + i
        tg[i + 1] = b
        lost[i + 1] = lost[i] + loss * dt * (b - ambient)
        for k in range(NG):
            g[i + 1, k] = total[k]
        for q in range(nc):
            t[i + 1, q] = t_new[q]
            h[q] = h_new[q]
            for r in range(n_r):
                xi[i + 1, q, r] = x_new[q, r]
    return 0


@njit(cache=True, error_model="numpy")
def march(t, xi, n, tg, coef, tau, p, ambient, chem, flux, rel):
    """Solid through all cells for a given gas temperature; fills t, xi, n at faces, flux (N, 7), rel (N, 8).

    Returns 0, or 1 + the cell without a solution.
    """
    hs, first, step = chem[5], chem[7], chem[8]
    h = mix_enthalpy(n[0], hs, t[0], first, step)
    for c in range(tau.size):
        guess = t[c + 1] if t[c + 1] > 0.0 else t[c]
        value = solve_cell(
            guess,
            t[c],
            h,
            xi[c],
            tg[c],
            tg[c + 1],
            coef[c],
            tau[c],
            p[c],
            ambient,
            chem,
            xi[c + 1],
            n[c + 1],
            rel[c],
            flux[c],
        )
        if not math.isfinite(value):
            return 1 + c
        t[c + 1] = value
        h = flux[c, 5]
    return 0


@njit(cache=True, error_model="numpy")
def gas_flows(m, gm, base, rel, g):
    """Gas at every face (N+1, 8) [mol/kg feed]: fuel with its air (gm per kg fuel), air for what burns in the feed
    (base (8,)), and what the solid released."""
    n_cell = rel.shape[0]
    for k in range(NG):
        total = base[k]
        g[n_cell, k] = m * gm[n_cell, k] + total
        for c in range(n_cell - 1, -1, -1):
            total += rel[c, k]
            g[c, k] = m * gm[c, k] + total


@njit(cache=True, error_model="numpy")
def _cell(
    c, t_out, t_in, xi_in, tg_l, tg_r, m, g_r, gm, burnt, h_fuel, coef, tau, p, ambient, chem, xi, n, rel, out, gl
):
    """Residuals (solid, gas) of one kiln cell [J/kg]; g_r (8,) released downstream of it."""
    n_init, nu_s, hs, hg, first, step = chem[0], chem[1], chem[5], chem[6], chem[7], chem[8]
    for j in range(n.size):
        n[j] = n_init[j]
    for r in range(xi_in.size):
        for j in range(n.size):
            n[j] += xi_in[r] * nu_s[r, j]
    h_in = mix_enthalpy(n, hs, t_in, first, step)
    rb = residual(t_out, t_in, h_in, xi_in, tg_l, tg_r, coef[c], tau[c], p[c], ambient, chem, xi, n, rel, out)
    for k in range(NG):
        gl[k] = m * gm[c + 1, k] + g_r[k]
    rg = -mix_enthalpy(gl, hg, tg_r, first, step)
    for k in range(NG):
        gl[k] = m * gm[c, k] + g_r[k] + rel[k]
    rg += mix_enthalpy(gl, hg, tg_l, first, step) - m * burnt[c] * h_fuel - out[6] + out[0] + out[1]
    return rb, rg


@njit(cache=True, error_model="numpy")
def newton_step(t, xi, tg, m, g, gm, burnt, h_fuel, coef, tau, p, ambient, chem, flux, border, goal, want, d_tg, info):
    """One linearised counter-current solve about a marched state.

    border : face whose solid temperature shall be `want` by changing the fuel, -1 for given fuel, -2 for the extent
    of reaction `goal` at the outlet. Fills d_tg (N+1,); info = (largest gas residual [J/kg], change of fuel).
    """
    n_cell, n_r, n_s = tau.size, xi.shape[1], chem[0].size
    beta = np.zeros((n_cell, 6))  # d t_out and d tg_left: constant, by tg_right, by fuel
    a_t = v_t = w_t = 0.0
    a_x, v_x, w_x = np.zeros(n_r), np.zeros(n_r), np.zeros(n_r)
    x0, x1, work = np.zeros(n_r), np.zeros(n_r), np.zeros(n_r)
    dx = np.zeros((5, n_r))
    n, rel, gl, g_r = np.zeros(n_s), np.zeros(NG), np.zeros(NG), np.zeros(NG)
    out = np.zeros(7)
    db, dg = np.zeros(5), np.zeros(5)
    worst = 0.0
    for c in range(n_cell):
        out[4] = flux[c, 4]
        for k in range(NG):
            g_r[k] = g[c + 1, k] - m * gm[c + 1, k]
        b0 = r0 = 0.0
        for k in range(-1, 5):  # the state itself, then along each direction
            e_t, e_l, e_r, e_m, i_t = 0.0, 0.0, 0.0, 0.0, 0.0
            scale = 1e-2
            for r in range(n_r):
                work[r] = 0.0
            if k == 0:
                e_t = 1.0
            elif k == 1:
                e_l, i_t = 1.0, v_t
                for r in range(n_r):
                    work[r] = v_x[r]
            elif k == 2:
                e_r = 1.0
            elif k == 3:
                e_m, i_t = 1.0, w_t
                for r in range(n_r):
                    work[r] = w_x[r]
                scale = 1e-5 * max(m, 1e-6)
            elif k == 4:
                i_t = a_t
                for r in range(n_r):
                    work[r] = a_x[r]
            size = abs(i_t)
            for r in range(n_r):
                size = max(size, 200.0 * abs(work[r]))
            if size > 0.0:
                scale = min(scale, 1e-2 / size)
            for r in range(n_r):
                work[r] = xi[c, r] + scale * work[r]
            bk, rk = _cell(
                c,
                t[c + 1] + scale * e_t,
                t[c] + scale * i_t,
                work,
                tg[c] + scale * e_l,
                tg[c + 1] + scale * e_r,
                m + scale * e_m,
                g_r,
                gm,
                burnt,
                h_fuel,
                coef,
                tau,
                p,
                ambient,
                chem,
                x1,
                n,
                rel,
                out,
                gl,
            )
            if k < 0:
                b0, r0 = bk, rk
                worst = max(worst, abs(r0))
                for r in range(n_r):
                    x0[r] = x1[r]
            else:
                db[k], dg[k] = (bk - b0) / scale, (rk - r0) / scale
                for r in range(n_r):
                    dx[k, r] = (x1[r] - x0[r]) / scale
        det = db[0] * dg[1] - db[1] * dg[0]
        for k in range(3):
            if k == 0:
                y1, y2 = -db[4], -r0 - dg[4]
            elif k == 1:
                y1, y2 = -db[2], -dg[2]
            else:
                y1, y2 = -db[3], -dg[3]
            beta[c, k] = (y1 * dg[1] - db[1] * y2) / det
            beta[c, 3 + k] = (db[0] * y2 - y1 * dg[0]) / det
        a_t, v_t, w_t = beta[c, 0], beta[c, 1], beta[c, 2]
        for r in range(n_r):
            a_x[r] = dx[0, r] * beta[c, 0] + dx[1, r] * beta[c, 3] + dx[4, r]
            v_x[r] = dx[0, r] * beta[c, 1] + dx[1, r] * beta[c, 4] + dx[2, r]
            w_x[r] = dx[0, r] * beta[c, 2] + dx[1, r] * beta[c, 5] + dx[3, r]
    # back substitution: d tg at each face = base + slope * d fuel
    base, slope = np.zeros(n_cell + 1), np.zeros(n_cell + 1)
    for c in range(n_cell - 1, -1, -1):
        base[c] = beta[c, 3] + beta[c, 4] * base[c + 1]
        slope[c] = beta[c, 4] * slope[c + 1] + beta[c, 5]
    dm = 0.0
    if border > 0:
        c = border - 1
        fixed = beta[c, 0] + beta[c, 1] * base[c + 1]
        per = beta[c, 2] + beta[c, 1] * slope[c + 1]
        dm = (want - t[border] - fixed) / per if per > 0.0 else 0.02 * m * (1.0 if want > t[border] else -1.0)
    elif border == -2:
        per, gap = w_x[goal], want - xi[n_cell, goal] - a_x[goal]
        dm = gap / per if per > 1e-9 else math.copysign(0.1 * m, gap)
    for c in range(n_cell + 1):
        d_tg[c] = base[c] + slope[c] * dm
    info[0] = worst
    info[1] = dm
    return math.isfinite(dm)
