"""Rotary kiln, 1-D counter-current steady state: bed, gas, wall and shell, with preheater stages and cooler.

Finite volumes; the bed is marched exactly for a given gas temperature, the gas temperature and the fuel are found by
Newton's method on the counter-current system. Transverse gradients in the bed, the melt and coating are not modelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import molar_mass
from ...errors import MissingDataError, UnknownNameError, ValidityError, suggest
from ...reference.thermochemistry import Thermochemistry, thermochemistry
from ..heating import kelvin
from . import _kernels as kernels
from .chemistry import GASES, T0, T_STEP, BedChemistry, at, build
from .clinker import stages
from .combustion import ASH_CP, Fuel, air
from .combustion import fuel as read_fuel
from .equipment import Preset, preset
from .heat_transfer import (
    PRANDTL,
    STEFAN_BOLTZMANN,
    bed_angle,
    smith_emissivity,
    sullivan_residence,
    sutherland_viscosity,
    tscheng_watkinson_covered,
    tscheng_watkinson_gas,
)
from .result import ConvergenceError, minerals

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]
GAS_MASS = np.array([molar_mass(g) / 1000.0 for g in GASES])
CO2, H2O, O2 = GASES.index("CO2"), GASES.index("H2O"), GASES.index("O2")
MAX_ITERATIONS = (60, 100)  #: at full and at shrinking steps
TOLERANCE_K = 1e-5
#: What is accepted where that is not reached: change [K] and residual of a cell as a share of the fuel's heat.
ROUND_K, ROUND_SHARE = 1.0, 2e-6
MEMORY = 4


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


@dataclass(frozen=True)
class Layout:
    """Cells of a kiln and its preheater, and the gas per kg of fuel."""

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
    residence: float


def rotary(
    mix: Any = None,
    equipment: str = "rotary_kiln_dry_preheater",
    *,
    phases: Mapping[str, float] | None = None,
    fuel: Fuel | str | Mapping[str, Any] = "bituminous coal",
    target: str | None = None,
    fuel_rate: float | None = None,
    conversion: tuple[str, float] | None = None,
    clinker: bool | None = None,
    suppress: Iterable[str] = ("portland", "no_hydrates"),
    reactions: Iterable[Any] | None = None,
    thermo: Thermochemistry | None = None,
    cells: int = 120,
    **changes: Any,
) -> xr.Dataset:
    """Steady state of a rotary kiln fired against the flow of the solids.

    Parameters
    ----------
    mix : Material or other mix, optional
        The feed; its minerals are used where `phases` does not name them.
    equipment : str
        A preset; see `wastelab.simulate.kiln.equipment`.
    phases : mapping of str to float, optional
        Minerals of the dry feed [wt%].
    fuel : str, mapping or Fuel
        See `wastelab.simulate.kiln.combustion.fuel`.
    target : str, optional
        Highest bed temperature, which the fuel is found for: ``"1450 degC"``.
    fuel_rate : float, optional
        Fuel given instead [kg/kg dry feed].
    conversion : tuple of str and float, optional
        Or a reaction and its conversion at the discharge, ``("calcite", 0.95)``.
    clinker : bool, optional
        Whether clinker forms; by default where calcite is fed and the target is above 1200 degC.
    suppress : iterable of str
        Phases that clinker shall not form; see `wastelab.simulate.equilibrium`.
    reactions : iterable of Reaction, optional
        A network of your own.
    thermo : Thermochemistry, optional
    cells : int
        Along the kiln.
    **changes : str or number
        Values of the preset changed, with unit: ``feed="3 t/h"``, ``length="45 m"``, ``excess_air=0.15``.

    Returns
    -------
    xarray.Dataset
        Over z, phase, reaction, gas and item of the heat balance; see docs/kiln.md.

    Raises
    ------
    MissingDataError, UnknownNameError, ValidityError, UnitError
        For a feed, fuel or value that cannot be.
    ConvergenceError
        Where no steady state was found.
    BalanceError
        If heat does not close within 0.5 % or an element within 1e-9.

    References
    ----------
    Sullivan et al. (1927), Tscheng & Watkinson (1979), Smith et al. (1982): see `heat_transfer`. Radiation between gas
    and surface with (1 + emissivity)/2 as in Hottel & Sarofim, Radiative Transfer (1967) [from memory]; the equations
    of a kiln as in Hanein, Glasser, Bannerman, Adv. Appl. Ceram. 116 (2017) 207-215, doi:10.1080/17436753.2017.1303261
    (abstract read).
    """
    k = preset(equipment, "rotary", **changes)
    goals = [x is not None for x in (target, fuel_rate, conversion)]
    if sum(goals) != 1:
        raise MissingDataError(
            "Give one of target='1450 degC' (highest bed temperature), fuel_rate=0.12 (kg fuel per kg dry feed) or "
            "conversion=('calcite', 0.95)."
        )
    if fuel_rate is not None and not (np.isfinite(fuel_rate) and 0 < fuel_rate < 2):
        raise ValidityError(f"fuel_rate = {fuel_rate!r} is not between 0 and 2 kg/kg dry feed.")
    if cells < 10:
        raise ValidityError(f"cells = {cells} is too coarse; use at least 10.")
    want = kelvin(target, "target") if target is not None else 0.0
    found = minerals(mix, phases)
    named = found.phases
    if clinker is None:
        clinker = want > 1473.15 and "calcite" in named
    if clinker and target is None:
        raise MissingDataError("clinker=True needs target=..., the burning temperature whose phases form.")
    data = thermo or thermochemistry()
    chem = build(
        found, reactions=reactions, moisture=k["moisture"], thermo=data,
        pressures={"O2": 0.03, "CO2": 0.25, "H2O": 0.1},
        clinker=stages(want, k["belite_temperature"], k.atmosphere, tuple(suppress)) if clinker else None,
    )  # fmt: skip
    burnt = read_fuel(fuel)
    layout = lay_out(k, burnt, cells)
    goal = -1
    if conversion is not None:
        ids = [s.id for s in chem.steps]
        if conversion[0] not in ids:
            raise UnknownNameError(
                f"conversion: there is no reaction {conversion[0]!r} in this feed.{suggest(conversion[0], ids)} "
                f"Reactions: {', '.join(ids)}."
            )
        if not 0 < conversion[1] < 1:
            raise ValidityError(f"conversion = {conversion[1]!r} is not between 0 and 1.")
        goal = ids.index(conversion[0])
        want = conversion[1] * chem.steps[goal].total
    state = solve(chem, layout, want, goal, fuel_rate)
    from .rotary_report import report

    return report(chem, layout, state, {
        "equipment": k.id, "phases": named, "fuel": dict(burnt.parts), "lhv": burnt.lhv, "target": target,
        "fuel_rate": fuel_rate, "conversion": conversion, "clinker": clinker, "suppress": list(suppress),
        "cells": cells, "values": dict(k.values),
    })  # fmt: skip


def lay_out(k: Preset, burnt: Fuel, cells: int) -> Layout:
    """Cells, residence times, burn-out and gas per kg of fuel."""
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
    need = burnt.oxygen * (1.0 + k["excess_air"])
    primary = air(need * k["primary_air"] + burnt.oxygen * k["false_air"])
    secondary = air(need * (1.0 - k["primary_air"]))
    gm = np.ascontiguousarray(primary + secondary + share[:, None] * burnt.change)
    return Layout(
        k,
        burnt,
        cells,
        n_stage,
        tau,
        z,
        np.ascontiguousarray(share[:-1] - share[1:]),
        gm,
        primary,
        secondary,
        residence,
    )


def _accelerated(past: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Anderson's mixing of the last states and their moves (what the linearisation leaves out converges linearly)."""
    x, f = (np.array([p[i] for p in past]).T for i in (0, 1))
    dx, df = np.diff(x, axis=1), np.diff(f, axis=1)
    gamma = np.linalg.lstsq(df, f[:, -1], rcond=1e-10)[0]
    return np.asarray(x[:, -1] + f[:, -1] - (dx + df) @ gamma)


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
    return State(
        t, np.zeros((total + 1, len(chem.steps))), n, tg, m * w.gm, np.zeros((total, len(GASES))), np.zeros((total, 7)),
        np.zeros((total, 8)), np.zeros((total, len(GASES))), np.full(total, w.k["ambient"] + 150.0),
        np.full(total, 0.1), np.zeros(total), m,
    )  # fmt: skip


def coefficients(chem: BedChemistry, w: Layout, s: State) -> None:
    """Heat transfer of every cell and partial pressures at the state, written into it."""
    k, a = w.k, w.stages
    feed = k["feed"]
    g = np.maximum(0.5 * (s.g[1:] + s.g[:-1]), 0.0)
    moles = g.sum(axis=1)
    s.p[:] = g / moles[:, None]
    s.coef[:a] = (k["stage_conductance"], 0, 0, 0, 0, 0, 0, 1.0)
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


def inlet(chem: BedChemistry, w: Layout, s: State) -> tuple[float, float]:
    """Temperature of secondary air and of all the air entering at the burner end [K]."""
    table = chem.gas_enthalpy
    hot = chem.heat(s.n[-1], float(s.t[-1])) - chem.heat(s.n[-1], T0)
    gain = w.k["cooler_efficiency"] * hot / max(s.m, 1e-9)
    cold = w.k["ambient"]
    sec = (
        cold
        if not w.secondary.any()
        else temperature_of(table @ w.secondary, float(w.secondary @ at(table, cold)) + gain)
    )
    mixed = float(w.secondary @ at(table, cold)) + gain + float(w.primary @ at(table, cold))
    return sec, temperature_of(table @ (w.secondary + w.primary), mixed)


def temperature_of(values: FloatArray, heat: float) -> float:
    """Temperature at which an enthalpy over the grid of temperature [J] has a value [K]."""
    return float(np.interp(heat, values, 200.0 + T_STEP * np.arange(len(values))))


def solve(chem: BedChemistry, w: Layout, want: float, goal: int, fuel_rate: float | None) -> State:
    """Steady state by Newton's method on gas temperatures and fuel.

    Full steps first; where they run in circles, again with steps that shrink, from hotter and colder guesses.

    Raises
    ------
    ConvergenceError, ValidityError
    """
    spent, done = 0, False
    for shrink, scale in ((False, 1.0), (True, 1.0), (False, 0.45), (True, 0.45), (True, 1.5)):
        state = start(chem, w, want, 0.12 * scale if fuel_rate is None else fuel_rate, scale)
        done = _iterate(chem, w, state, want, goal, fuel_rate, shrink)
        spent += state.iterations
        if done:
            break
    state.iterations = spent
    if not done:
        what = "target, conversion" if fuel_rate is None else "fuel_rate"
        raise ConvergenceError(
            f"the kiln found no steady state in {spent} iterations: the largest heat residual is {state.residual:.3g} "
            f"J/kg, fuel {state.m:.4g} kg/kg, bed at most {float(state.t.max()) - 273.15:.0f} degC. Check {what}, feed "
            "and excess_air against the size of the kiln, or use more cells; a feed that burns "
            "(carbon) may be hotter than "
            "the target without any fuel."
        )
    over = float(state.filling.max())
    if over > 0.5:
        raise ValidityError(
            f"the bed would fill {100 * over:.0f} % of the kiln; at most about 15 % is usual. Feed less, or raise "
            "speed, slope or diameter."
        )
    return state


def _iterate(
    chem: BedChemistry, w: Layout, s: State, want: float, goal: int, fuel_rate: float | None, shrink: bool
) -> bool:
    """Iterate a state; whether it converged."""
    arrays = chem.kernel()
    d_tg, info = np.zeros_like(s.tg), np.zeros(2)
    ambient = w.k["ambient"]
    limit, before, change = 150.0, np.inf, np.inf
    past: list[tuple[FloatArray, FloatArray]] = []
    for s.iterations in range(1, MAX_ITERATIONS[shrink] + 1):
        coefficients(chem, w, s)
        if kernels.march(s.t, s.xi, s.n, s.tg, s.coef, w.tau, s.p, ambient, arrays, s.flux, s.rel):
            return False
        kernels.gas_flows(s.m, w.gm, s.rel, s.g)
        tg_in = inlet(chem, w, s)[1] - s.tg[-1]
        s.tg[-1] += tg_in
        border = -1
        if fuel_rate is None:
            border = -2 if goal >= 0 else int(np.argmax(s.t)) or len(s.t) - 1
        ash = w.fuel.parts.get("ash", 0.0) * ASH_CP * (float(s.t[-1]) - T0)
        ok = kernels.newton_step(
            s.t, s.xi, s.tg, s.m, s.g, w.gm, w.burnt, w.fuel.enthalpy(ambient) - ash, s.coef, w.tau, s.p, ambient,
            arrays, s.flux, border, max(goal, 0), want, d_tg, info,
        )  # fmt: skip
        s.residual = float(info[0])
        if not ok or not np.isfinite(d_tg).all():
            return False
        dm = float(np.clip(info[1], -0.2 * s.m, 0.2 * s.m))
        change = max(float(np.abs(d_tg).max()), abs(tg_in), abs(float(info[1])) / s.m * 1000.0)
        if shrink:
            limit = max(0.5 * limit, 1e-3) if s.residual > 0.98 * before else min(1.7 * limit, 150.0)
            before = s.residual
        step = min(1.0, limit / max(float(np.abs(d_tg).max()), 1e-12))
        here = np.append(s.tg, s.m * 1e4)
        move = np.append(step * d_tg, dm * (step if abs(info[1]) < 0.2 * s.m else 1.0) * 1e4)
        move[-2] = 0.0
        past = [*past[-MEMORY:], (here, move)] if change < 100.0 else []
        new = _accelerated(past) if len(past) > 1 else here + move
        s.tg[:] = np.clip(new[:-1], ambient - 30.0, 3100.0)
        s.m = float(np.clip(new[-1] / 1e4, 0.7 * s.m, 1.3 * s.m))
        if change < TOLERANCE_K:
            return True
    # a jump of enthalpy (quartz at 574 degC) in one cell can keep the last digits going round
    return change < ROUND_K and s.residual < ROUND_SHARE * s.m * w.fuel.lhv
