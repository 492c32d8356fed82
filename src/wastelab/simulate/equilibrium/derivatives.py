"""Exact derivatives of an assemblage: by the oxides of the mix and by temperature, while the same phases are there.

The optimality conditions are differentiated as they stand (implicit function theorem). Amounts of pure phases do not
change with temperature between two assemblages; those of solid solutions do, because their composition does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...reference.thermochemistry import GAS_CONSTANT
from ..charge import ELEMENTS
from .closed import Point, mixtures_of
from .solutions import Mixture, Solution
from .system import T_HIGH, T_LOW, PhaseTable

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Half step of the derivative of Gibbs energies by temperature [K]; they are smooth, the amounts are not differenced.
STEP_K = 0.05


def derivatives(
    table: PhaseTable, point: Point, basis: NDArray[np.int32], oxides: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of the phase masses of one mix.

    Parameters
    ----------
    table : PhaseTable
    point : Point
    basis : ndarray, shape (n_row,)
        Columns of the assemblage, among `table.usable`.
    oxides : tuple of str

    Returns
    -------
    (ndarray of shape (n_phases, n_oxides), ndarray of shape (n_phases,))
        [kg/kg per wt%] and [kg/kg per K].
    """
    system = table.system
    columns = [int(j) for j in table.usable[basis]]
    mixtures, _, solids = mixtures_of(table, GAS_CONSTANT * table.temperature_K)
    present = [s for s, solution in enumerate(solids) if solution.name in point.share]
    db = np.array([[10.0 / molar_mass(o) * atoms(o).get(e, 0.0) for e in system.rows] for o in oxides]).T
    out_t = np.zeros(len(system.phases))
    if not present:
        dx = np.linalg.solve(system.A[columns].T, db)
        return np.asarray(table.to_phase[columns].T @ dx), out_t
    bounded = {s for s, _, _ in point.minimum.bounded}
    free = [s for s in present if s not in bounded]
    keep = list(point.active)
    rest = [j for j in columns if system.columns[j].kind != "solution" and j not in keep]
    held = [(s, np.array([1 - mixtures[s].x_max, mixtures[s].x_max])) for s in present if s in bounded]
    dmass, misfit = _oxides(table, mixtures, keep, held, free, solids, point, db)
    if misfit > 1e-8 and rest:  # an element that only a phase not yet there can take up
        dmass, misfit = _oxides(table, mixtures, [*keep, *rest], held, free, solids, point, db)
    low = max(T_LOW, table.temperature_K - STEP_K)
    high = min(T_HIGH, table.temperature_K + STEP_K)
    out_t = _temperature(table, mixtures, keep, held, free, solids, point, low, high)
    return dmass, out_t


def _matrix(
    table: PhaseTable, mixtures: list[Mixture], keep: list[int], held: list[tuple[int, FloatArray]], free: list[int],
    solids: list[Solution], point: Point,
) -> tuple[FloatArray, list[FloatArray], list[FloatArray]]:  # fmt: skip
    system = table.system
    fixed = np.vstack([system.A[keep], *[(y @ mixtures[s].a)[None, :] for s, y in held]])
    m, f, k = len(system.rows), len(fixed), len(free)
    jac = np.zeros((f + k + m, m + f + k))
    jac[:f, :m], jac[f + k :, m : m + f] = fixed, fixed.T
    means, shares = [], []
    for i, s in enumerate(free):
        mix, y = mixtures[s], point.minimum.share[s]
        mean = y @ mix.a
        jac[f + i, :m] = mean / mix.sites
        jac[f + k :, :m] += point.minimum.amount[s] / mix.sites * ((mix.a.T * y) @ mix.a - np.outer(mean, mean))
        jac[f + k :, m + f + i] = mean
        means.append(mean)
        shares.append(y)
    return jac, means, shares


def _masses(
    table: PhaseTable, mixtures: list[Mixture], keep: list[int], held: list[tuple[int, FloatArray]], free: list[int],
    solids: list[Solution], point: Point, dz: FloatArray, dy: list[FloatArray],
) -> FloatArray:  # fmt: skip
    """Phase masses [kg] that changes of amounts and compositions make, shape (n_phases, n)."""
    system = table.system
    index = {p: i for i, p in enumerate(system.phases)}
    out = np.zeros((len(system.phases), dz.shape[1]))
    for i, j in enumerate(keep):
        if system.columns[j].name in index:
            out[index[system.columns[j].name]] += system.molar_mass[j] * dz[i]
    mass = np.array([molar_mass(e) / 1e3 for e in ELEMENTS])
    for i, (s, y) in enumerate(held):
        ends = _ends(table, solids[s]) @ mass
        out[index[solids[s].name]] += (y @ ends) * dz[len(keep) + i]
    for i, s in enumerate(free):
        ends = _ends(table, solids[s]) @ mass
        y = point.minimum.share[s]
        row = index[solids[s].name]
        out[row] += (y @ ends) * dz[len(keep) + len(held) + i] + point.minimum.amount[s] * (ends @ dy[i])
    return out


def _ends(table: PhaseTable, solution: Solution) -> FloatArray:
    thermo = table.system.thermo
    return np.array([
        sum(n * np.array([thermo[p].elements.get(e, 0.0) for e in ELEMENTS]) for p, n in end.parts.items())
        for end in solution.ends
    ])  # fmt: skip


def _oxides(
    table: PhaseTable, mixtures: list[Mixture], keep: list[int], held: list[tuple[int, FloatArray]], free: list[int],
    solids: list[Solution], point: Point, db: FloatArray,
) -> tuple[FloatArray, float]:  # fmt: skip
    jac, means, shares = _matrix(table, mixtures, keep, held, free, solids, point)
    m = len(table.system.rows)
    rhs = np.vstack([np.zeros((len(jac) - m, db.shape[1])), db])
    sol = np.linalg.lstsq(jac, rhs, rcond=1e-12)[0]
    dp = sol[:m]
    dy = [
        (y / mixtures[s].sites)[:, None] * ((mixtures[s].a - mean) @ dp)
        for s, y, mean in zip(free, shares, means, strict=True)
    ]
    mass = _masses(table, mixtures, keep, held, free, solids, point, sol[m:], dy)
    return mass, float(np.abs(jac @ sol - rhs).max())


def _temperature(
    table: PhaseTable, mixtures: list[Mixture], keep: list[int], held: list[tuple[int, FloatArray]], free: list[int],
    solids: list[Solution], point: Point, low: float, high: float,
) -> FloatArray:  # fmt: skip
    system = table.system
    below, above = system.table(low), system.table(high)
    rt_low, rt_high = GAS_CONSTANT * low, GAS_CONSTANT * high
    mix_low, mix_high = mixtures_of(below, rt_low)[0], mixtures_of(above, rt_high)[0]
    dc = (above.cost[keep] / rt_high - below.cost[keep] / rt_low) / (high - low)
    dg = [(h.g - l.g) / (high - low) for l, h in zip(mix_low, mix_high, strict=True)]
    jac, means, shares = _matrix(table, mixtures, keep, held, free, solids, point)
    m = len(system.rows)
    rhs = np.zeros(len(jac))
    f, k = len(keep) + len(held), len(free)
    rhs[:f] = [*dc, *[float(y @ dg[s]) for s, y in held]]
    for i, (s, y) in enumerate(zip(free, shares, strict=True)):
        mix = mixtures[s]
        rhs[f + i] = float(y @ dg[s]) / mix.sites
        # balance: N sum_k dy_k a_k, the part that comes from dg alone, goes to the right
        change = -(y / mix.sites) * (dg[s] - float(y @ dg[s]))
        rhs[f + k :] -= point.minimum.amount[s] * (change @ mix.a)
    sol = np.linalg.lstsq(jac, rhs, rcond=1e-12)[0]
    dp = sol[:m]
    dy = [
        ((y / mixtures[s].sites) * ((mixtures[s].a - mean) @ dp - (dg[s] - float(y @ dg[s]))))[:, None]
        for s, y, mean in zip(free, shares, means, strict=True)
    ]
    return _masses(table, mixtures, keep, held, free, solids, point, sol[m:][:, None], dy)[:, 0]
