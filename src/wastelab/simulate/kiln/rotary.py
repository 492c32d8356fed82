"""Rotary kiln, 1-D counter-current steady state: bed, gas, wall and shell, with preheater stages and cooler.

Finite volumes; the bed is marched exactly for a given gas temperature, the gas temperature and the fuel are found by
Newton's method on the counter-current system. Transverse gradients in the bed, the melt and coating are not modelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import MissingDataError, ValidityError
from ...reference.thermochemistry import Thermochemistry, thermochemistry
from ..heating import kelvin
from . import _kernels as kernels
from .chemistry import BedChemistry, build
from .clinker import stages
from .combustion import ASH_CP, Fuel
from .combustion import fuel as read_fuel
from .equipment import preset
from .result import ConvergenceError, minerals, wanted, whole
from .rotary_model import Layout, State, coefficients, inlet, lay_out, start
from .tables import T0, FloatArray

if TYPE_CHECKING:
    import xarray as xr

MAX_ITERATIONS = (60, 100)  #: at full and at shrinking steps
TOLERANCE_K = 1e-5
#: What is accepted where that is not reached: change [K] and residual of a cell as a share of the fuel's heat.
ROUND_K, ROUND_SHARE = 1.0, 2e-6
MEMORY = 4
#: Bed temperature above which a feed with lime makes clinker, and highest target [K].
CLINKERING, HIGHEST_TARGET = 1473.15, 2273.15
#: Minerals that bring lime.
LIMY = ("calcite", "lime", "dolomite", "portlandite", "aragonite")


def rotary(
    mix: Any = None,
    equipment: str = "rotary_kiln_dry_preheater",
    *,
    phases: Mapping[str, float] | None = None,
    fuel: Fuel | str | Mapping[str, Any] = "bituminous coal",
    target: str | None = None,
    fuel_rate: float | None = None,
    conversion: tuple[str, float] | None = None,
    clinker: bool | str | None = None,
    suppress: Iterable[str] | None = None,
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
    clinker : bool or str, optional
        Whether clinker forms; by default where a feed with lime has a target above 1200 degC. Without a target, the
        temperature whose equilibrium phases form: ``"1450 degC"``.
    suppress : iterable of str, optional
        Phases that clinker shall not form; see `wastelab.simulate.equilibrium`. By default ``portland`` and
        ``no_hydrates`` where alite forms, ``no_hydrates`` elsewhere.
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
    cells = whole(cells, "cells", 10, 5000)
    want = kelvin(target, "target") if target is not None else 0.0
    if target is not None and not max(473.15, k["feed_temperature"] + 50.0) <= want <= HIGHEST_TARGET:
        raise ValidityError(
            f"target = {target!r} is outside of {max(200.0, k['feed_temperature'] - 223.15):.0f} to "
            f"{HIGHEST_TARGET - 273.15:.0f} degC that the kiln can be asked for."
        )
    found = minerals(mix, phases)
    named = found.phases
    limy = any(named.get(p, 0.0) > 0 for p in LIMY)
    burning = kelvin(clinker, "clinker") if isinstance(clinker, str) else want
    forms = (want > CLINKERING and limy) if clinker is None else bool(clinker)
    if forms and not burning > 0:
        raise MissingDataError(
            "clinker=True needs the burning temperature whose phases form: target=..., or clinker='1450 degC'."
        )
    data = thermo or thermochemistry()
    listed = None if suppress is None else tuple(suppress)
    wet = k["moisture"] / (1.0 - k["moisture"])
    chem = build(
        found, reactions=reactions, moisture=wet, thermo=data, pressures={"O2": 0.03, "CO2": 0.25, "H2O": 0.1},
        clinker=stages(burning, k["belite_temperature"], k.atmosphere, listed) if forms else None,
    )  # fmt: skip
    burnt = read_fuel(fuel)
    layout = lay_out(k, burnt, cells, chem.oxygen_need)
    if fuel_rate is not None:
        fuel_rate = _fuel_rate(fuel_rate, chem)
        chem.assumptions.append(
            "with fuel given a kiln may have a cold and a hot state; the hot one is looked for first"
        )
    goal = -1
    if conversion is not None:
        goal, share = wanted(conversion, [s.id for s in chem.steps])
        want = share * chem.steps[goal].total
    state = solve(chem, layout, burning if fuel_rate is not None else want, goal, fuel_rate)
    peak = float(state.t.max())
    if clinker is None and not forms and limy and peak > CLINKERING + 50.0:
        raise ValidityError(
            f"the bed reaches {peak - 273.15:.0f} degC, where clinker forms, and without a target it is not known "
            "which: give its burning temperature, clinker='1450 degC', or clinker=False to leave the lime as it is."
        )
    from .rotary_report import report

    return report(chem, layout, state, {
        "equipment": k.id, "phases": named, "fuel": dict(burnt.parts), "lhv": burnt.lhv, "target": target,
        "fuel_rate": fuel_rate, "conversion": conversion, "clinker": clinker, "suppress": listed,
        "cells": cells, "values": dict(k.values),
    })  # fmt: skip


def _fuel_rate(value: Any, chem: BedChemistry) -> float:
    """Fuel given by a person [kg/kg dry feed]; none at all is possible for a feed that burns."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise ValidityError(f"fuel_rate = {value!r}; expected a number, kg fuel per kg dry feed.")
    least = 0.0 if chem.oxygen_need > 0 else 1e-4
    if not least <= value < 2:
        raise ValidityError(f"fuel_rate = {value!r} is not between {least:g} and 2 kg/kg dry feed.")
    return float(value)


def _accelerated(past: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Anderson's mixing of the last states and their moves (what the linearisation leaves out converges linearly)."""
    x, f = (np.array([p[i] for p in past]).T for i in (0, 1))
    dx, df = np.diff(x, axis=1), np.diff(f, axis=1)
    gamma = np.linalg.lstsq(df, f[:, -1], rcond=1e-10)[0]
    return np.asarray(x[:, -1] + f[:, -1] - (dx + df) @ gamma)


def solve(chem: BedChemistry, w: Layout, want: float, goal: int, fuel_rate: float | None) -> State:
    """Steady state by Newton's method on gas temperatures and fuel.

    Full steps first; where they run in circles, again with steps that shrink, from hotter and colder guesses. A feed
    that burns is first tried without fuel: if it reaches what is wanted, that is the answer.

    Raises
    ------
    ConvergenceError, ValidityError
    """
    if fuel_rate is None and w.feed_primary.any() | w.feed_secondary.any():
        for scale in (1.0, 0.45, 1.5):
            state = start(chem, w, want if goal < 0 else 0.0, 0.0, scale)
            if _iterate(chem, w, state, want, goal, 0.0, False):
                if (float(state.t.max()) if goal < 0 else float(state.xi[-1, goal])) >= want:
                    state.autothermal = True
                    return _filled(state)
                break
    spent, best = 0, None
    # with fuel given there may be a cold and a hot state: the hot one is looked for first
    first = (0.45, 1.0) if fuel_rate is None else (1.0, 0.45)
    for shrink, scale in ((False, first[0]), (False, first[1]), (True, 1.0), (True, 0.45), (True, 1.5)):
        state = start(chem, w, want if goal < 0 else 0.0, 0.12 * scale if fuel_rate is None else fuel_rate, scale)
        done = _iterate(chem, w, state, want, goal, fuel_rate, shrink)
        spent += state.iterations
        if done:
            state.iterations = spent
            return _filled(state)
        if best is None or state.residual < best.residual:
            best = state
    if fuel_rate is None:
        found = _bisect(chem, w, want, goal)
        if found is not None:
            found.iterations += spent
            return _filled(found)
    assert best is not None
    what = "target, conversion" if fuel_rate is None else "fuel_rate"
    raise ConvergenceError(
        f"the kiln found no steady state in {spent} iterations. The nearest state: {best.failure}; fuel {best.m:.4g} "
        f"kg/kg, bed at most {float(best.t.max()) - 273.15:.0f} degC, gas {float(best.tg.min()) - 273.15:.0f} to "
        f"{float(best.tg.max()) - 273.15:.0f} degC. Check {what}, feed and excess_air against the size of the kiln, or "
        "use more cells."
    )


def _bisect(chem: BedChemistry, w: Layout, want: float, goal: int) -> State | None:
    """Fuel for a goal by halving an interval of fuel rates, then Newton's method; None where no state is found.

    Raises
    ------
    ConvergenceError
        Where the kiln jumps past the goal: a bed that burns or forms clinker lights up or goes out.
    """

    def at_rate(m: float) -> tuple[float, State] | None:
        near = [deepcopy(x[1]) for x in sorted(known, key=lambda x: abs(x[1].m - m))[:2]]
        hot = want if goal < 0 else 0.0
        for state in (*near, start(chem, w, hot, m, 1.0), start(chem, w, 0.6 * hot, m, 0.3)):
            state.m = m
            if _iterate(chem, w, state, want, goal, m, all(state is not x for x in near)):
                known.append((float(state.t.max()) if goal < 0 else float(state.xi[-1, goal]), state))
                return known[-1]
        return None

    known: list[tuple[float, State]] = []
    high = 0.02
    while (top := at_rate(high)) is None or top[0] < want:
        high *= 2.0
        if high > 1.0:
            return None
    low: tuple[float, State] | None = None
    bottom = 0.0
    for _ in range(30):
        middle = 0.5 * (bottom + top[1].m)
        state = at_rate(middle)
        if state is None or state[0] < want:
            bottom, low = middle, state or low
        else:
            top = state
        if top[0] - want < (5.0 if goal < 0 else 0.02 * want):
            state = (top[0], deepcopy(top[1]))
            if _iterate(chem, w, state[1], want, goal, None, True):
                return state[1]
        if top[1].m - bottom < 1e-4 * top[1].m:
            break
    what = "its hottest bed" if goal < 0 else f"the conversion of {chem.steps[goal].id}"

    def shown(value: float) -> str:
        return f"{value - 273.15:.0f} degC" if goal < 0 else f"{value / chem.steps[goal].total:.3f}"

    seen = f"with {top[1].m:.5g} kg fuel per kg dry feed {what} is {shown(top[0])}"
    if low is None:
        reason = f"{seen}, and with less no steady state is found, because what burns in the bed lights up and goes out"
    else:
        reason = f"with {low[1].m:.5g} kg/kg it is {shown(low[0])}, {seen}: the bed lights up in between"
    raise ConvergenceError(
        f"no steady state has what is wanted: {reason}. Give fuel_rate, another target, or change excess_air. Check "
        "feed and fuel against the size of the kiln."
    )


def _filled(state: State) -> State:
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
    """Iterate a state; whether it converged, else why not in `State.failure`."""
    arrays = chem.kernel()
    d_tg, info = np.zeros_like(s.tg), np.zeros(2)
    ambient = w.k["ambient"]
    base = w.feed_primary + w.feed_secondary
    limit, before, change = 150.0, np.inf, np.inf
    past: list[tuple[FloatArray, FloatArray]] = []
    for s.iterations in range(1, MAX_ITERATIONS[shrink] + 1):
        coefficients(chem, w, s)
        cell = kernels.march(s.t, s.xi, s.n, s.tg, s.coef, w.tau, s.p, ambient, arrays, s.flux, s.rel)
        if cell:
            s.failure, s.residual = f"no bed temperature fits in cell {cell} of {len(w.tau)}", np.inf
            return False
        kernels.gas_flows(s.m, w.gm, base, s.rel, s.g)
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
            s.failure, s.residual = "the equations of heat are singular", np.inf
            return False
        share = abs(float(info[1])) / s.m if s.m > 0 else 0.0
        dm = float(np.clip(info[1], -0.2 * s.m, 0.2 * s.m))
        change = max(float(np.abs(d_tg).max()), abs(tg_in), share * 1000.0)
        if shrink:
            limit = max(0.5 * limit, 1e-3) if s.residual > 0.98 * before else min(1.7 * limit, 150.0)
            before = s.residual
        step = min(1.0, limit / max(float(np.abs(d_tg).max()), 1e-12))
        here = np.append(s.tg, s.m * 1e4)
        move = np.append(step * d_tg, dm * (step if share < 0.2 else 1.0) * 1e4)
        move[-2] = 0.0
        past = [*past[-MEMORY:], (here, move)] if change < 100.0 else []
        new = _accelerated(past) if len(past) > 1 else here + move
        s.tg[:] = np.clip(new[:-1], ambient - 30.0, 3100.0)
        s.m = float(np.clip(new[-1] / 1e4, 0.7 * s.m, 1.3 * s.m))
        if change < TOLERANCE_K:
            return True
    s.failure = f"gas temperatures and fuel still change by {change:.2g} K a step, heat open by {s.residual:.2g} J/kg"
    # a jump of enthalpy (quartz at 574 degC) in one cell can keep the last digits going round
    return change < ROUND_K and s.residual < ROUND_SHARE * max(s.m * w.fuel.lhv, 1e5)
