"""Closed system at constant pressure: solids with an ideal gas whose amount and composition are part of the answer.

The gas is one more ideal mixture in the least-Gibbs problem (`solutions.minimise`): it forms where the pressures that
the solids exert sum to the total pressure, and then its composition follows. Every element stays in the system, so
that carbonate CO2, carbon and bound water of the mix must be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDataError, WastelabError
from ...reference.thermochemistry import GAS_CONSTANT
from ..charge import ELEMENTS, LOSS, Charge
from .gas import SPECIES
from .solutions import FEW_INTERVALS, Minimum, Mixture, Solution, minimise
from .system import TRACE, PhaseTable, System

FloatArray = NDArray[np.float64]

#: Violation of balance (relative) and of optimality (over RT) above which a result is not given.
ACCEPT = 1e-8
_MEASURE = {
    "carbonate_CO2": "carbonate CO2 (evolved-gas or TG-MS, GB/T 12960 calcimetry)",
    "organic_C": "organic carbon (combustion after acid treatment)",
    "bound_water": "bound water (Karl Fischer oven or TG below 600 degC)",
}


@dataclass(frozen=True)
class Point:
    """Equilibrium of one mix at one temperature.

    Attributes
    ----------
    amount : ndarray, shape (n_phases of the system,)
        Of each reported phase [mol/kg]; of a solution, per formula of its mean composition.
    parts : ndarray, shape (n_phases of the set,)
        The same as phases of the thermochemical set [mol/kg]; hypothetical end members resolved.
    share : dict of str to float
        Composition of each solution that is present (share of its second end member).
    pi : ndarray, shape (n_row,)
        Element potentials of the rows [J/mol].
    gas : ndarray, shape (n_species,)
        Amount of each gas species of a closed system [mol/kg]; empty for an open one.
    active : tuple of int
        Columns of the system that take part, solutions apart.
    minimum : Minimum or None
        None where the linear programme was exact already.
    """

    amount: FloatArray
    parts: FloatArray
    share: dict[str, float]
    pi: FloatArray
    gas: FloatArray
    active: tuple[int, ...]
    minimum: Minimum | None


def require_split(charge: Charge) -> None:
    """Refuse a mix whose loss on ignition is not known by species.

    Raises
    ------
    MissingDataError
        Names what to measure.
    """
    ignited = not np.isfinite(charge.loss).any() or bool(np.nanmax(np.abs(charge.loss)) == 0)
    none_given = not any(k in charge.oxides for k in LOSS) and "CO2" not in charge.oxides
    if charge.loss_split or (ignited and none_given):
        return
    if not np.isfinite(charge.loss).any():
        return  # what was given of CO2, C and water is all there is
    missing = [text for key, text in _MEASURE.items() if key not in charge.oxides]
    raise MissingDataError(
        "A closed system keeps its gases, so the loss on ignition must be known by species: measure "
        f"{', '.join(missing)}, or give them as 0 where there is none, or choose an atmosphere (open system)."
    )


def solve_closed(table: PhaseTable, b: FloatArray, pressure: float, label: Any) -> Point:
    """Equilibrium of a closed system at one temperature and pressure.

    Parameters
    ----------
    table : PhaseTable
        Of a closed `System`.
    b : ndarray, shape (12,)
        Elements [mol/kg].
    pressure : float
        [bar]
    label : any
        Name of the mix, for errors.

    Raises
    ------
    WastelabError
        If it did not converge.
    """
    system = table.system
    rt = GAS_CONSTANT * table.temperature_K
    species = gas_species(system)
    a = np.array([[system.thermo[s].elements.get(e, 0.0) for e in ELEMENTS] for s in species])
    g = np.array([float(system.thermo[s].gibbs(table.temperature_K)) for s in species]) / rt
    return solve_point(table, b, label, Mixture(a, g, 1.0, float(np.log(pressure))))


def gas_species(system: System) -> tuple[str, ...]:
    """Gases made of the elements of a mix."""
    return tuple(s for s in SPECIES if s in system.thermo and set(system.thermo[s].elements) <= set(ELEMENTS))


def solve_point(table: PhaseTable, b: FloatArray, label: Any, gas: Mixture | None = None) -> Point:
    """Least Gibbs energy with continuous solid solutions and, in a closed system, the gas.

    Parameters
    ----------
    table : PhaseTable
    b : ndarray, shape (n_row,)
        [mol/kg]
    label : any
        Name of the mix, for errors.
    gas : Mixture, optional

    Raises
    ------
    MissingDataError, WastelabError
    """
    system = table.system
    rt = GAS_CONSTANT * table.temperature_K
    b = np.where(b > TRACE * float(np.max(b)), b, 0.0)
    pure = [j for j in table.usable if system.columns[j].kind != "solution"]
    position = {j: i for i, j in enumerate(pure)}
    mixtures, nodes, solids = mixtures_of(table, rt)
    if gas is not None:
        mixtures, nodes = [*mixtures, gas], [*nodes, []]
    start = np.array([position[j] for j in system.start], dtype=np.int64)
    found = minimise(
        np.ascontiguousarray(system.A[pure]), table.cost[pure] / rt, b, mixtures, start,
        nodes=nodes,
    )  # fmt: skip
    for j in pure:
        if system.columns[j].kind == "none" and found.x[position[j]] > 1e-9 * max(1.0, float(np.max(b))):
            raise MissingDataError(
                f"mix {label!r}: no phase is left that can hold all of its {system.columns[j].name} at "
                f"{table.temperature_K:g} K; suppress fewer phases, or add data for a phase with "
                f"{system.columns[j].name}."
            )
    if not found.residual < ACCEPT:
        raise WastelabError(
            f"mix {label!r} at {table.temperature_K:g} K: the equilibrium did not converge (violation "
            f"{found.residual:.2g} after {found.iterations} linear programmes). Please report the composition; "
            "solutions=False avoids solid solutions."
        )
    amount, index = np.zeros(len(system.phases)), {p: i for i, p in enumerate(system.phases)}
    parts, names = np.zeros(len(system.thermo)), {n: i for i, n in enumerate(system.thermo.names)}
    for j in pure:
        column = system.columns[j]
        if column.kind == "phase":
            amount[index[column.name]] += found.x[position[j]]
            parts[names[column.name]] += found.x[position[j]]
    share: dict[str, float] = {}
    for s, solution in enumerate(solids):
        n = float(found.amount[s])
        amount[index[solution.name]] += n
        if n > 0:
            share[solution.name] = float(found.share[s][-1])
            for end, y in zip(solution.ends, found.share[s], strict=True):
                for phase, k in end.parts.items():
                    parts[names[phase]] += n * y * k
    active = tuple(int(pure[i]) for i in np.flatnonzero(found.x > 0))
    moles = found.amount[-1] * found.share[-1] if gas is not None else np.zeros(0)
    return Point(amount, parts, share, found.pi * rt, np.asarray(moles), active, found)


def mixtures_of(
    table: PhaseTable, rt: float
) -> tuple[list[Mixture], Sequence[Sequence[FloatArray]], list[Solution]]:  # fmt: skip
    """Solid solutions of a table as numbers, their node compositions, and which they are."""
    if table.mixtures is None:
        table.mixtures = _make_mixtures(table, rt)
    made: tuple[list[Mixture], Sequence[Sequence[FloatArray]], list[Solution]] = table.mixtures
    return made


def _make_mixtures(
    table: PhaseTable, rt: float
) -> tuple[list[Mixture], Sequence[Sequence[FloatArray]], list[Solution]]:  # fmt: skip
    system = table.system
    g = system.gibbs(table.temperature_K)
    names = {n: i for i, n in enumerate(system.thermo.names)}
    mixtures, nodes, solids = [], [], []
    for solution in system.solutions:
        if not all(np.isfinite(g[names[p]]) for p in solution.phases):
            continue
        full = np.array([
            sum(n * np.array([system.thermo[p].elements.get(e, 0.0) for e in ELEMENTS]) for p, n in end.parts.items())
            for end in solution.ends
        ])  # fmt: skip
        energy = np.array([
            sum(n * g[names[p]] for p, n in end.parts.items()) / rt + end.mixing for end in solution.ends
        ])  # fmt: skip
        if system.atmosphere is not None:
            for element, mu in system.gas(table.temperature_K).potential.items():
                if element not in system.rows:
                    energy = energy - full[:, ELEMENTS.index(element)] * float(mu[0]) / rt
        full[np.abs(full) < 1e-12] = 0.0
        a = full[:, [ELEMENTS.index(e) for e in system.rows]]
        mixtures.append(Mixture(np.ascontiguousarray(a), energy, solution.sites, 0.0, solution.x_max))
        nodes.append([np.array([1 - x, x]) for x in solution.nodes(FEW_INTERVALS)])
        solids.append(solution)
    return mixtures, nodes, solids
