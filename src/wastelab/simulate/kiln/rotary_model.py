"""Cells of a rotary kiln, its state, heat transfer of every cell and the air that enters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ValidityError
from .chemistry import BedChemistry
from .combustion import Fuel, air
from .equipment import Preset
from .heat_transfer import (
    PRANDTL,
    STEFAN_BOLTZMANN,
    bed_angle,
    oxygen_diffusivity,
    smith_emissivity,
    sullivan_residence,
    sutherland_viscosity,
    tscheng_watkinson_covered,
    tscheng_watkinson_gas,
)
from .tables import GAS_MASS, GASES, T0, T_FIRST, T_LAST, T_STEP, FloatArray, at

CO2, H2O = GASES.index("CO2"), GASES.index("H2O")


@dataclass
class State:
    """A kiln being solved; arrays at faces (N+1) and in cells (N), everything per kg/s of dry feed."""

    t: FloatArray
    xi: FloatArray
    n: FloatArray
    tg: FloatArray
    g: FloatArray
    rel: FloatArray
    flux: FloatArray
    coef: FloatArray
    p: FloatArray
    shell: FloatArray
    filling: FloatArray
    reynolds: FloatArray
    m: float
    iterations: int = 0
    residual: float = 0.0
    failure: str = ""
    autothermal: bool = False


@dataclass(frozen=True)
class Layout:
    """Cells of a kiln and its preheater, and the gas per kg of fuel and (`feed_primary`, `feed_secondary`: air for what
    burns in it) per kg of dry feed."""

    k: Preset
    fuel: Fuel
    cells: int
    stages: int
    tau: FloatArray
    z: FloatArray
    burnt: FloatArray
    gm: FloatArray
    primary: FloatArray
    secondary: FloatArray
    feed_primary: FloatArray
    feed_secondary: FloatArray
    residence: float

    def air(self, m: float) -> tuple[FloatArray, FloatArray]:
        """Primary (with false) and secondary air at a fuel rate [mol/kg dry feed]."""
        return m * self.primary + self.feed_primary, m * self.secondary + self.feed_secondary


def lay_out(k: Preset, burnt: Fuel, cells: int, feed_oxygen: float = 0.0) -> Layout:
    """Cells, residence times, burn-out and gas per kg of fuel; air for `feed_oxygen` [mol O2/kg dry feed] beside."""
    n_stage = int(k["stages"])
    residence = sullivan_residence(k["length"], k["diameter"], k["speed"], k["slope"])
    z = np.linspace(0.0, k["length"], cells + 1)
    tau = np.concatenate([np.full(n_stage, k["stage_time"]), np.full(cells, residence / cells)])
    x = np.clip((k["length"] - z) / k["flame_length"], 0.0, 1.0)
    if k["flame_length"] > k["length"]:
        raise ValidityError(
            f"flame_length = {k['flame_length']:g} m is longer than the kiln ({k['length']:g} m): the fuel would not "
            "burn out. Shorten the flame or lengthen the kiln."
        )
    done = 2.0 * x - x**2  # share burnt downstream of each face, seen from the burner
    share = np.concatenate([np.ones(n_stage), done])
    own = 1.0 + k["excess_air"]
    first = own * k["primary_air"] + k["false_air"]  # per mol of O2 needed
    second = own * (1.0 - k["primary_air"])
    primary, secondary = air(burnt.oxygen * first), air(burnt.oxygen * second)
    gm = np.ascontiguousarray(primary + secondary + share[:, None] * burnt.change)
    return Layout(
        k, burnt, cells, n_stage, tau, z, np.ascontiguousarray(share[:-1] - share[1:]), gm, primary, secondary,
        air(feed_oxygen * first), air(feed_oxygen * second), residence,
    )  # fmt: skip


def start(chem: BedChemistry, w: Layout, want: float, m: float, hot: float = 1.0) -> State:
    """A first guess of every profile; `hot` scales how much warmer than the bed the flame is."""
    total = w.stages + w.cells
    peak = max(want, 1100.0) + 250.0 * hot if want > 250.0 else 1000.0 + 500.0 * hot
    kiln_in = 1300.0 if w.stages else 0.45 * peak
    flame = 1.0 - 0.5 * w.k["flame_length"] / w.k["length"]
    s = w.z / w.k["length"]
    tg = np.interp(s, [0.0, flame, 1.0], [min(kiln_in, peak - 100.0), peak, 0.7 * peak])
    tg = np.concatenate([np.linspace(620.0, tg[0], w.stages + 1)[:-1], tg])
    t = np.zeros(total + 1)
    t[0] = w.k["feed_temperature"]
    n = np.zeros((total + 1, len(chem.species)))
    n[:] = chem.initial
    gas = m * w.gm + w.feed_primary + w.feed_secondary
    return State(
        t, np.zeros((total + 1, len(chem.steps))), n, tg, gas, np.zeros((total, len(GASES))), np.zeros((total, 7)),
        np.zeros((total, 10)), np.zeros((total, len(GASES))), np.full(total, w.k["ambient"] + 150.0),
        np.full(total, 0.1), np.zeros(total), m,
    )  # fmt: skip


def coefficients(chem: BedChemistry, w: Layout, s: State) -> None:
    """Heat transfer of every cell and partial pressures at the state, written into it."""
    k, a = w.k, w.stages
    feed = k["feed"]
    g = np.maximum(0.5 * (s.g[1:] + s.g[:-1]), 0.0)
    moles = g.sum(axis=1)
    s.p[:] = g / moles[:, None]
    s.coef[:a] = (k["stage_conductance"], 0, 0, 0, 0, 0, 0, 1.0, 0, 0)
    if a:
        s.coef[:a, 2] = 1e3 * k["stage_conductance"]
        s.coef[:a, 6] = k["stage_loss"]
    tg = 0.5 * (s.tg[1:] + s.tg[:-1])[a:]
    tw = s.flux[a:, 4]
    if not tw.any():
        tw = tg - 50.0
    radius, length = k["diameter"] / 2, k["length"] / w.cells
    solid = 0.5 * (s.n[1:] + s.n[:-1])[a:] @ chem.mass
    velocity = k["length"] / w.residence
    fill = np.maximum(solid * feed / (k["bed_density"] * velocity) / (np.pi * radius**2), 1e-5)
    s.filling[a:] = fill
    angle = bed_angle(np.minimum(fill, 0.9))
    chord, exposed, covered = 2 * radius * np.sin(angle / 2), (2 * np.pi - angle) * radius, angle * radius
    free = np.pi * radius**2 * (1.0 - np.minimum(fill, 0.9))
    d_h = k["diameter"] * 0.5 * (2 * np.pi - angle + np.sin(angle)) / (np.pi - angle / 2 + np.sin(angle / 2))
    mu = sutherland_viscosity(tg)
    mass_flow = g[a:] @ GAS_MASS * feed
    x = (tg - 200.0) / T_STEP
    i = np.clip(x.astype(int), 0, len(chem.gas_enthalpy) - 2)
    cp = (g[a:] * (chem.gas_enthalpy[i + 1] - chem.gas_enthalpy[i]) / T_STEP).sum(axis=1) / (g[a:] @ GAS_MASS)
    conductivity = mu * cp / PRANDTL
    density = 1e5 * (g[a:] @ GAS_MASS / moles[a:]) / (8.314 * tg)
    omega = 2 * np.pi * k["speed"] / 60.0
    re, rw = mass_flow * d_h / (free * mu), d_h**2 * omega * density / mu
    s.reynolds[a:] = re
    nu_bed, nu_wall = tscheng_watkinson_gas(re, rw, fill)
    bed_cp = 1000.0
    contact = tscheng_watkinson_covered(
        k["bed_conductivity"], k["bed_conductivity"] / (k["bed_density"] * bed_cp), radius, angle, omega
    )
    eps = smith_emissivity(tg, s.p[a:, CO2], s.p[a:, H2O], 0.95 * d_h)
    eps = 1.0 - (1.0 - eps) * (1.0 - k["dust_emissivity"])
    e_b, e_w = k["bed_emissivity"], k["wall_emissivity"]
    per = length / feed
    chain = k["chain_coefficient"] * k["chain_area"] * (0.5 * (w.z[1:] + w.z[:-1]) < k["chain_length"])
    c = s.coef[a:]
    c[:, 0] = (nu_bed * conductivity / d_h * chord + chain) * per
    c[:, 1] = STEFAN_BOLTZMANN * chord * 0.5 * (1 + e_b) * eps * per
    c[:, 2] = nu_wall * conductivity / d_h * exposed * per
    c[:, 3] = STEFAN_BOLTZMANN * exposed * 0.5 * (1 + e_w) * eps * per
    c[:, 4] = STEFAN_BOLTZMANN * chord * (1 - eps) / (1 / e_b + chord / exposed * (1 / e_w - 1)) * per
    c[:, 5] = contact * covered * per
    c[:, 7] = 0.5
    # oxygen reaches a rolling bed through the film above it: Sherwood as Nusselt, area of the cell's share of the feed
    transfer = nu_bed * oxygen_diffusivity(tg) / d_h
    c[:, 8] = 8.314e-5 * tg / (transfer * chord * length / (feed * w.tau[a:]))
    outer = radius + k["refractory_thickness"]
    inside = 2 * np.pi * k["refractory_conductivity"] / np.log(outer / radius) * length
    ta = k["ambient"]
    sh = s.shell[a:]
    skin = 2 * np.pi * outer * length
    for _ in range(30):
        out = skin * (k["shell_coefficient"] * (sh - ta) + k["shell_emissivity"] * STEFAN_BOLTZMANN * (sh**4 - ta**4))
        d = skin * (k["shell_coefficient"] + 4 * k["shell_emissivity"] * STEFAN_BOLTZMANN * sh**3)
        change = (inside * (tw - sh) - out) / (inside + d)
        sh = np.clip(sh + change, ta - 5.0, 2000.0)
        if np.abs(change).max() < 1e-9:
            break
    s.shell[a:] = sh
    c[:, 6] = inside * (tw - sh) / np.where(np.abs(tw - ta) > 1e-9, tw - ta, 1.0) / feed


def inlet(chem: BedChemistry, w: Layout, s: State) -> tuple[float, float, float]:
    """Temperature of secondary air, of all the air entering at the burner end [K], heat brought back [J/kg feed].

    Secondary air gets no hotter than the product that heats it.
    """
    table, cold = chem.gas_enthalpy, w.k["ambient"]
    first, second = w.air(s.m)
    entering = float(second @ at(table, cold))
    gain = 0.0
    if second.any():
        hot = float(s.t[-1])
        most = float(second @ at(table, max(hot, cold))) - entering
        gain = min(w.k["cooler_efficiency"] * max(chem.heat(s.n[-1], hot) - chem.heat(s.n[-1], T0), 0.0), most)
    sec = temperature_of(table @ second, entering + gain) if second.any() else cold
    total = first + second
    if not total.any():
        return sec, cold, gain
    return sec, temperature_of(table @ total, entering + gain + float(first @ at(table, cold))), gain


def temperature_of(values: FloatArray, heat: float) -> float:
    """Temperature at which an enthalpy over the grid of temperature [J] has a value [K].

    Raises
    ------
    ValidityError
        Outside of the grid.
    """
    if not values[0] <= heat <= values[-1]:
        raise ValidityError(
            f"a gas would be {'hotter' if heat > values[-1] else 'colder'} than the data reach ({T_FIRST:g} to "
            f"{T_LAST:g} K). Check fuel, air and the temperatures that enter."
        )
    return float(np.interp(heat, values, T_FIRST + T_STEP * np.arange(len(values))))
