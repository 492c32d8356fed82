"""Equilibria of many mixes at once: assemblages kept by the table, everything else sums over them.

Solid solutions stand at the compositions of their pseudo-phases (`solutions.INTERVALS`), not refined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...reference.thermochemistry import T0
from ..charge import ELEMENTS, Charge
from ._gather import weighted
from .result import Solved, potentials
from .system import PhaseTable

FloatArray = NDArray[np.float64]

#: Mixes summed at a time.
BLOCK = 8192


def solve_many(charge: Charge, tables: Sequence[PhaseTable]) -> Solved:
    """Equilibria of an open system at all temperatures.

    Parameters
    ----------
    charge : Charge
    tables : sequence of PhaseTable
        Of one system.

    Returns
    -------
    Solved
        Only phases that are present somewhere.

    Raises
    ------
    MissingDataError
        If phases that are left cannot hold an element.
    """
    system = tables[0].system
    thermo = system.thermo
    n, m = charge.n, len(tables)
    results = [table.solve(charge.amount, charge.labels) for table in tables]
    used = np.unique(np.concatenate([t.usable[r.basis[r.amount > 0]] for t, r in zip(tables, results, strict=True)]))
    kept = {system.columns[j].name for j in used if system.columns[j].kind in ("phase", "solution")}
    phases = tuple(p for p in system.phases if p in kept)
    solid = np.array([c.kind in ("phase", "solution") for c in system.columns])
    combination = np.where(solid[:, None], system.combination, 0.0)
    which = np.flatnonzero(combination[used].any(axis=0))
    names = [thermo.names[k] for k in which]
    is_phase = np.array([[c.name == p and s for p in phases] for c, s in zip(system.columns, solid, strict=True)])
    is_phase = is_phase.reshape(len(system.columns), len(phases)).astype(np.float64)
    x = np.array([c.x if c.kind == "solution" else 0.0 for c in system.columns])
    of = [phases.index(s.name) if s.name in phases else -1 for s in system.solutions]
    h0 = np.nan_to_num(system.enthalpy(T0))
    groups = {
        "amount": is_phase,
        "fraction": is_phase * system.molar_mass[:, None],
        "members": tables[0].to_set[:, which],
        "held": np.where(solid[:, None], system.full, 0.0),
        "cold": (combination @ h0)[:, None],
        "x": np.array([is_phase[:, j] * x if j >= 0 else np.zeros(len(x)) for j in of]).reshape(len(of), len(x)).T,
    }
    out = {name: np.empty((n, m, w.shape[1])) for name, w in groups.items()}
    out["hot"] = np.empty((n, m, 1))
    potential, pi = np.empty((n, m, len(ELEMENTS))), np.empty((n, m, len(system.rows)))
    for k, (table, result) in enumerate(zip(tables, results, strict=True)):
        hot = (combination @ np.nan_to_num(system.enthalpy(table.temperature_K)))[:, None]
        every = {**groups, "hot": hot}
        weight = np.ascontiguousarray(np.hstack(list(every.values()))[table.usable])
        ends = np.cumsum([w.shape[1] for w in every.values()])
        for i in range(0, n, BLOCK):
            rows = slice(i, min(i + BLOCK, n))
            sums = np.empty((rows.stop - i, weight.shape[1]))
            weighted(result.basis[rows], result.amount[rows], weight, sums)
            for name, part in zip(every, np.split(sums, ends[:-1], axis=1), strict=True):
                out[name][rows, k] = part
        pi[:, k] = result.dual
        potential[:, k] = potentials(table, result.dual, charge.amount)
    share = np.full((n, m, len(of)), np.nan)
    for s, j in enumerate(of):
        if j >= 0:
            there = out["amount"][..., j] > 0
            share[..., s] = np.where(there, out["x"][..., s] / np.where(there, out["amount"][..., j], 1.0), np.nan)
    return Solved(
        phases, out["amount"], out["fraction"], {p: out["members"][..., k] for k, p in enumerate(names)}, out["held"],
        out["hot"][..., 0], out["cold"][..., 0], potential, pi, share, not system.solutions,
    )  # fmt: skip
