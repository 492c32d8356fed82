"""The equations of the rotary kiln once more, written for scipy.integrate.solve_bvp: point by point, in NumPy.

For feeds whose only reaction is calcite and a given fuel rate, without preheater and cooler. Used by the benchmark
beside it and by the tests as the slow, obvious twin.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_bvp

from wastelab.simulate.kiln.combustion import ASH_CP
from wastelab.simulate.kiln.heat_transfer import (
    PRANDTL,
    STEFAN_BOLTZMANN,
    bed_angle,
    smith_emissivity,
    sutherland_viscosity,
    tscheng_watkinson_covered,
    tscheng_watkinson_gas,
)
from wastelab.simulate.kiln.rotary_model import CO2, H2O
from wastelab.simulate.kiln.tables import GAS_MASS, GASES, GRID, T0, T_STEP


def _table(values, t):
    """Rows of a table over GRID at temperatures, and their slopes."""
    x = np.clip((t - GRID[0]) / T_STEP, 0, len(GRID) - 2.001)
    i = x.astype(int)
    slope = (values[i + 1] - values[i]) / T_STEP
    return values[i] + (x - i)[:, None] * (values[i + 1] - values[i]), slope


class Twin:
    """Right-hand side and boundary conditions of one kiln."""

    def __init__(self, chem, layout, m, tg_in, ash_K):
        self.chem, self.w, self.m, self.tg_in = chem, layout, m, tg_in
        self.step = chem.steps[0] if chem.steps else None
        self.nu = chem.nu[0] if chem.steps else np.zeros(len(chem.species))
        self.nug = chem.nu_gas[0] if chem.steps else np.zeros(len(GASES))
        ash = layout.fuel.parts.get("ash", 0.0) * ASH_CP * (ash_K - T0)
        self.h_fuel = layout.fuel.enthalpy(layout.k["ambient"]) - ash

    def exchange(self, z, tb, tg, n, g):
        """Heat per metre and kg/s of feed: gas to bed, gas to wall, wall to bed [J/m]."""
        k = self.w.k
        radius, feed = k["diameter"] / 2, k["feed"]
        velocity = k["length"] / self.w.residence
        fill = (n @ self.chem.mass) * feed / (k["bed_density"] * velocity) / (np.pi * radius**2)
        angle = bed_angle(fill)
        chord, exposed, covered = 2 * radius * np.sin(angle / 2), (2 * np.pi - angle) * radius, angle * radius
        d_h = radius * (2 * np.pi - angle + np.sin(angle)) / (np.pi - angle / 2 + np.sin(angle / 2))
        moles, mass = g.sum(axis=1), g @ GAS_MASS
        mu = sutherland_viscosity(tg)
        cp = (g * _table(self.chem.gas_enthalpy, tg)[1]).sum(axis=1) / mass
        re = mass * feed * d_h / (np.pi * radius**2 * (1 - fill) * mu)
        omega = 2 * np.pi * k["speed"] / 60
        rw = d_h**2 * omega * 1e5 * mass / moles / (8.314 * tg) / mu
        nu_b, nu_w = tscheng_watkinson_gas(re, rw, fill)
        lam = mu * cp / PRANDTL
        a_b = k["bed_conductivity"] / (k["bed_density"] * 1000.0)
        h_cw = tscheng_watkinson_covered(k["bed_conductivity"], a_b, radius, angle, omega)
        eps = smith_emissivity(tg, g[:, CO2] / moles, g[:, H2O] / moles, 0.95 * d_h)
        eps = 1 - (1 - eps) * (1 - k["dust_emissivity"])
        e_b, e_w, s = k["bed_emissivity"], k["wall_emissivity"], STEFAN_BOLTZMANN
        c0, c1 = nu_b * lam / d_h * chord, s * chord * 0.5 * (1 + e_b) * eps
        c2, c3 = nu_w * lam / d_h * exposed, s * exposed * 0.5 * (1 + e_w) * eps
        c4 = s * chord * (1 - eps) / (1 / e_b + chord / exposed * (1 / e_w - 1))
        c5 = h_cw * covered
        outer = radius + k["refractory_thickness"]
        inside, skin, ta = (
            2 * np.pi * k["refractory_conductivity"] / np.log(outer / radius),
            2 * np.pi * outer,
            k["ambient"],
        )
        tw, sh = 0.5 * (tb + tg), np.full_like(tb, ta + 200.0)
        for _ in range(60):  # wall and shell together, Newton in two unknowns
            f1 = c2 * (tg - tw) + c3 * (tg**4 - tw**4) - c4 * (tw**4 - tb**4) - c5 * (tw - tb) - inside * (tw - sh)
            f2 = inside * (tw - sh) - skin * (
                k["shell_coefficient"] * (sh - ta) + k["shell_emissivity"] * s * (sh**4 - ta**4)
            )
            a = -c2 - c5 - inside - 4 * (c3 + c4) * tw**3
            d = -inside - skin * (k["shell_coefficient"] + 4 * k["shell_emissivity"] * s * sh**3)
            det = a * d - inside**2
            tw, sh = tw - (f1 * d - inside * f2) / det, sh - (a * f2 - inside * f1) / det
        gb = c0 * (tg - tb) + c1 * (tg**4 - tb**4)
        gw = c2 * (tg - tw) + c3 * (tg**4 - tw**4)
        wb = c4 * (tw**4 - tb**4) + c5 * (tw - tb)
        return gb / feed, gw / feed, wb / feed

    def gas(self, z, y):
        """Gas per kg of feed at z, and the share of fuel burnt per metre."""
        k = self.w.k
        x = np.clip((k["length"] - z) / k["flame_length"], 0, 1)
        blown = self.w.primary + self.w.secondary
        g = self.m * (blown + (2 * x - x**2)[:, None] * self.w.fuel.change) + y[3][:, None] * self.nug
        return g, (2 - 2 * x) / k["flame_length"] * (x < 1)

    def rhs(self, z, y):
        tb, tg, xi = np.clip(y[0], 220, 3000), np.clip(y[1], 220, 3200), y[2]
        n = self.chem.initial + xi[:, None] * self.nu
        g, burn = self.gas(z, y)
        rate = np.zeros_like(tb)
        if self.step is not None:
            s = self.step
            alpha = np.clip(xi / s.total, 0, 1)
            f = 2 * np.sqrt(1 - alpha) if s.model.name == "R2" else s.model.f(alpha)
            drive = 1 - g[:, CO2] / g.sum(axis=1) / np.exp(np.interp(tb, GRID, self.chem.lnp[:, 0]))
            rate = s.A * np.exp(-s.Ea / (8.31446261815324 * tb)) * s.total * f * np.maximum(drive, 0)
        dxi = rate * self.w.residence / self.w.k["length"]
        gb, gw, wb = self.exchange(z, tb, tg, n, g)
        hs, cs = _table(self.chem.enthalpy, tb)
        hg_b = _table(self.chem.gas_enthalpy, tb)[0] @ self.nug
        hg, cg = _table(self.chem.gas_enthalpy, tg)
        dtb = (gb + wb - dxi * (hs @ self.nu + hg_b)) / (n * cs).sum(axis=1)
        dg = -self.m * burn[:, None] * self.w.fuel.change - dxi[:, None] * self.nug
        dtg = (gb + gw - self.h_fuel * self.m * burn - dxi * hg_b - (dg * hg).sum(axis=1)) / (g * cg).sum(axis=1)
        return np.array([dtb, dtg, dxi, -dxi])

    def bc(self, a, b):
        return np.array([a[0] - self.w.k["feed_temperature"], a[2], b[1] - self.tg_in, b[3]])


def solve(chem, layout, m, tg_in, ash_K, z, guess, tol=1e-3, max_nodes=20000):
    """solve_bvp from a guess (4, n) on z."""
    twin = Twin(chem, layout, m, tg_in, ash_K)
    return solve_bvp(twin.rhs, twin.bc, z, guess, tol=tol, max_nodes=max_nodes)
