"""Coupled reactions of many mixes: consecutive, competing, and meeting in the gas around them.

Each reaction of a `Network` goes as d(extent)/dt = k(T) N f(alpha), times 1 - p/p_eq or (p_O2/0.21 bar)^order; N is the
extent that all of its reactants ever supplied would allow, alpha the part of it that is gone. Reactions that stand
alone are evaluated in closed form, the rest by an L-stable Rosenbrock method; completion is an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import MissingDataError, ValidityError
from ...reference.thermochemistry import GAS_CONSTANT, Phase, Thermochemistry, thermochemistry
from ..heating import HIGHEST_K, LOWEST_K, TemperatureProgram
from . import _coupled_kernels as kernels
from .network import Network

FloatArray = NDArray[np.float64]

#: Error of a conversion that a step may make.
TOLERANCE = 1.5e-5
MOST_STEPS = 200_000
#: Amount [mol/kg] below which a phase counts as absent: conversions of less have no digits.
TRACE = 1e-14
_NODES = 1024
_MESSAGES = {
    kernels.TOO_MANY_STEPS: f"more than {MOST_STEPS} steps",
    kernels.STEP_TOO_SMALL: "the step became too small",
}


@dataclass(frozen=True)
class Packed:
    """A network as kernels take it, for one gas at the inlet; see `_coupled_kernels`.

    Attributes
    ----------
    network : Network
    ints, nums, tab : ndarray
    u0, du : float
        Grid of `tab` in 1/T [1/K].
    gas : ndarray
        Of the network, with one column more where it has none.
    p_in : ndarray, shape (n_gases,)
        [bar]
    total : float
        Pressure [bar].
    """

    network: Network
    ints: NDArray[np.int64]
    nums: FloatArray
    tab: FloatArray
    u0: float
    du: float
    gas: FloatArray
    p_in: FloatArray
    total: float


def enthalpy(phase: Phase, temperature_K: ArrayLike) -> FloatArray:
    """Enthalpy [J/mol]; outside the range of the data with the heat capacity of its end."""
    t = np.asarray(temperature_K, dtype=np.float64)
    at = np.clip(t, phase.T_min, phase.T_max)
    return np.asarray(phase.enthalpy(at) + phase.heat_capacity(at) * (t - at))


def gibbs(phase: Phase, temperature_K: ArrayLike) -> FloatArray:
    """Gibbs energy [J/mol]; outside the range of the data with the heat capacity of its end."""
    t = np.asarray(temperature_K, dtype=np.float64)
    at = np.clip(t, phase.T_min, phase.T_max)
    entropy = phase.entropy(at) + phase.heat_capacity(at) * np.log(t / at)
    return np.asarray(enthalpy(phase, t) - t * entropy)


def equilibrium_pressure(
    network: Network, index: int, temperature_K: ArrayLike, thermo: Thermochemistry, p_others: Sequence[float]
) -> FloatArray:
    """ln of the pressure [bar] of the gas of a reaction at which it stands still.

    Parameters
    ----------
    network : Network
    index : int
        Of the reaction.
    temperature_K : array_like
    thermo : Thermochemistry
    p_others : sequence of float
        Pressures of the gases of the network [bar]: those of other gases of the reaction are taken from here.

    Raises
    ------
    MissingDataError
        If a phase of the reaction has no thermochemical data.
    """
    r = network.reactions[index]
    t = np.asarray(temperature_K, dtype=np.float64)
    if r.approach is None or r.approach.get("kind") != "equilibrium":
        raise ValidityError(f"reaction {r.id} has no approach to equilibrium.")
    own = f"{r.approach['gas']}(g)"
    missing = [p for p in r.stoichiometry if p not in thermo]
    if missing:
        raise MissingDataError(
            f"reaction {r.id}: its approach to equilibrium needs thermochemical data of {', '.join(missing)}; add a "
            "table of your own, or a reaction without approach."
        )
    total = np.asarray(sum(n * gibbs(thermo[p], t) for p, n in r.stoichiometry.items()))
    value = -total / (GAS_CONSTANT * t)
    for gas, n in r.gas.items():
        if gas != own:
            value = value - n * np.log(max(p_others[network.gases.index(gas)], 1e-30))
    return np.asarray(value / r.gas[own])


def pack(
    network: Network, pressures: dict[str, float], *, total: float = 1.0, thermo: Thermochemistry | None = None
) -> Packed:
    """Arrays of a network for a gas of partial pressures [bar] (``{"CO2": 0.2}``) at the inlet."""
    table = thermo or thermochemistry()
    n_r, n_g = len(network.reactions), max(len(network.gases), 1)
    p_in = np.zeros(n_g)
    for i, g in enumerate(network.gases):
        p_in[i] = pressures.get(g[:-3], 0.0)
    u0 = 1.0 / (HIGHEST_K + 50.0)
    du = (1.0 / (LOWEST_K - 3.0) - u0) / (_NODES - 1)
    t = 1.0 / (u0 + du * np.arange(_NODES))
    ints, nums, tab = np.zeros((n_r, 4), np.int64), np.zeros((n_r, 6)), np.zeros((n_r, _NODES))
    for i, (r, m) in enumerate(zip(network.reactions, network.models, strict=True)):
        if r.triplet is None:
            raise MissingDataError(f"reaction {r.id} has no rate law; give one by triplets={{'{r.id}': ...}}.")
        nums[i] = np.log(r.triplet.A), r.triplet.Ea / GAS_CONSTANT, m.n, m.m, m.p, 1.0
        ints[i] = m.code, 0, 0, int(m.closed)
        if r.approach is not None:
            ints[i, 2] = network.gases.index(f"{r.approach['gas']}(g)")
            if r.approach["kind"] == "equilibrium":
                ints[i, 1] = 1
                tab[i] = equilibrium_pressure(network, i, t, table, p_in.tolist())
            else:
                ints[i, 1] = 2
                nums[i, 5] = float(r.approach["order"])
    gas = network.gas if network.gases else np.zeros((n_r, 1))
    return Packed(network, ints, nums, tab, u0, du, np.ascontiguousarray(gas), p_in, total)


def solve_batch(
    packed: Packed,
    start: ArrayLike,
    programs: TemperatureProgram | Sequence[TemperatureProgram],
    times: ArrayLike,
    *,
    p_in: ArrayLike | None = None,
    flow: ArrayLike = 0.0,
    ln_A: ArrayLike | None = None,
    Ea: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
) -> FloatArray:
    """Extents of the reactions of many mixes.

    Parameters
    ----------
    packed : Packed
    start : array_like, shape (n, n_phases)
        Solids at the start [mol/kg].
    programs : TemperatureProgram or sequence of n of them
        With equally many corners.
    times : array_like, shape (n_out,) or (n, n_out)
        Rising [s].
    p_in : array_like, shape (n_gases,) or (n, n_gases), optional
        Partial pressures at the inlet [bar]; those it was packed for by default. Equilibria of reactions with several
        gases are those it was packed for.
    flow : array_like, shape () or (n,)
        Gas through the sample [mol/(kg s)]; 0 holds the pressures at `p_in` whatever the solid gives off.
    ln_A, Ea : array_like, shape (n, n_reactions), optional
        ln of A in 1/s and Ea [J/mol] of each mix, in place of those of the triplets.
    tolerance : float
        Error of a conversion per step.

    Returns
    -------
    ndarray, shape (n, n_out, n_reactions)
        Extents [mol/kg]: moles of reactant gone.

    Raises
    ------
    ValidityError
        If shapes do not fit, or the integration fails; names the first mix.
    """
    n0 = np.ascontiguousarray(np.atleast_2d(np.asarray(start, dtype=np.float64)))
    n, n_r = len(n0), len(packed.network.reactions)
    if n0.shape[1] != len(packed.network.phases):
        raise ValidityError(f"start {n0.shape} does not fit {len(packed.network.phases)} phases.")
    if not np.isfinite(n0).all() or (n0 < 0).any():
        raise ValidityError("start holds an amount that is negative or no number.")
    if not 1e-12 <= tolerance <= 1e-2:
        raise ValidityError(f"tolerance = {tolerance:g}; expected 1e-12 to 1e-2.")
    each = [programs] if isinstance(programs, TemperatureProgram) else list(programs)
    if len(each) not in (1, n) or len({len(p.time_s) for p in each}) != 1:
        raise ValidityError(f"{len(each)} programs for {n} mixes; expected one, or one each with equally many corners.")
    prog_t, prog_T = np.array([p.time_s for p in each]), np.array([p.temperature_K for p in each])
    out_t = np.atleast_2d(np.asarray(times, dtype=np.float64))
    if len(out_t) not in (1, len(each)):
        if len(out_t) != n:
            raise ValidityError(f"times {out_t.shape} do not fit {n} mixes.")
        prog_t, prog_T = np.repeat(prog_t, n, axis=0), np.repeat(prog_T, n, axis=0)
    out_t = np.ascontiguousarray(np.broadcast_to(out_t, (len(prog_t), out_t.shape[1])))
    if not np.isfinite(out_t).all() or (np.diff(out_t, axis=1) < 0).any() or (out_t < 0).any():
        raise ValidityError("times must be rising, from 0 upward.")
    pressure = np.atleast_2d(packed.p_in if p_in is None else np.asarray(p_in, dtype=np.float64))
    through = np.atleast_1d(np.asarray(flow, dtype=np.float64))
    if not np.isfinite(through).all() or (through < 0).any():
        raise ValidityError("a flow of gas cannot be negative.")
    rows = max(len(pressure), len(through))
    if rows not in (1, n):
        raise ValidityError(f"{rows} gases or flows for {n} mixes.")
    pressure = np.ascontiguousarray(np.broadcast_to(pressure, (rows, len(packed.p_in))))
    through = np.ascontiguousarray(np.broadcast_to(through, rows))
    nums = packed.nums[None]
    if ln_A is not None or Ea is not None:
        nums = np.repeat(nums, n, axis=0)
        if ln_A is not None:
            nums[:, :, 0] = ln_A
        if Ea is not None:
            nums[:, :, 1] = np.asarray(Ea) / GAS_CONSTANT
    out = np.zeros((n, out_t.shape[1], n_r))
    if n_r == 0 or out_t.shape[1] == 0:
        return out
    status, steps, hand = np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros((n, n_r, 5))
    grid = np.array([packed.u0, packed.du, packed.total])
    kernels.integrate(
        prog_t, prog_T, np.where(n0 < TRACE, 0.0, n0), packed.ints, nums,
        packed.network.consumed, packed.network.produced, packed.gas, packed.tab,
        grid, pressure, through, out_t, tolerance, MOST_STEPS, out, status, steps, hand,
    )  # fmt: skip
    kernels.alone(prog_t, prog_T, packed.ints, nums, packed.tab, grid, pressure, out_t, hand, out)
    if (status != kernels.OK).any():
        bad = int(np.argmax(status != kernels.OK))
        raise ValidityError(
            f"mix {bad}: the reactions could not be integrated ({_MESSAGES[int(status[bad])]} after {steps[bad]} "
            "steps); check A and Ea of the triplets, or relax the tolerance."
        )
    return out
