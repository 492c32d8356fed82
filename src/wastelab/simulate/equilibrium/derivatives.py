"""Exact derivatives of an assemblage: by the oxides of the mix and by temperature, while the same phases are there.

The optimality conditions are differentiated as they stand (implicit function theorem). Amounts of pure phases do not
change with temperature between two assemblages; those of solid solutions do, because their composition does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...errors import CompositionError
from ...reference.thermochemistry import GAS_CONSTANT
from ..charge import ELEMENTS, Charge
from .closed import Point, mixtures_of
from .solutions import Minimum, Mixture, Solution
from .system import T_HIGH, T_LOW, PhaseTable

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Half step of the derivative of Gibbs energies by temperature [K]; they are smooth, amounts are not differenced.
STEP_K = 0.05


def add_derivatives(
    data: xr.Dataset, charge: Charge, tables: Sequence[PhaseTable], points: Sequence[Sequence[Point]]
) -> None:
    """Add `d_phase_d_oxide` and `d_phase_dT` to an equilibrium of an open system."""
    oxides = tuple(o for o in charge.oxides if o not in charge.set_aside and _is_oxide(o, tables[0]))
    if not oxides:
        raise CompositionError("derivatives need oxides in the mix; found none with an element balance of its own.")
    shape = (charge.n, len(tables), len(tables[0].phases))
    by_oxide, by_t = np.zeros((*shape, len(oxides))), np.zeros(shape)
    for k, (table, row) in enumerate(zip(tables, points, strict=True)):
        basis = table.solve(charge.amount, charge.labels).basis
        for i, point in enumerate(row):
            by_oxide[i, k], by_t[i, k] = derivatives(table, point, basis[i], oxides)
    keep = tuple(d for d in ("mix", "temperature") if d in data.dims)
    at = tuple(slice(None) if d in data.dims else 0 for d in ("mix", "temperature"))
    data.coords["oxide"] = list(oxides)
    data["d_phase_d_oxide"] = ((*keep, "phase", "oxide"), by_oxide[at])
    data["d_phase_d_oxide"].attrs.update(
        units="kg/kg per wt%",
        long_name="exact derivative of phase_fraction by an oxide added to the dry mix, in the same assemblage",
    )
    data["d_phase_dT"] = ((*keep, "phase"), by_t[at])
    data["d_phase_dT"].attrs.update(
        units="kg/kg/K",
        long_name="exact derivative of phase_fraction by temperature in the same assemblage; 0 for pure phases alone",
    )


def _is_oxide(name: str, table: PhaseTable) -> bool:
    if name in ("LOI", "carbonate_CO2", "organic_C", "bound_water", "free_CaO", "moisture", "glass"):
        return False
    parts = set(atoms(name))
    return parts <= set(ELEMENTS) and bool(parts & set(table.system.rows))


def derivatives(
    table: PhaseTable, point: Point, basis: NDArray[np.int32], oxides: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of the phase masses of one mix.

    Parameters
    ----------
    table : PhaseTable
    point : Point
    basis : ndarray, shape (n_row,)
        Columns of the assemblage, among `table.usable`.
    oxides : sequence of str

    Returns
    -------
    (ndarray of shape (n_phases, n_oxides), ndarray of shape (n_phases,))
        [kg/kg per wt%] and [kg/kg per K].
    """
    system = table.system
    columns = [int(j) for j in table.usable[basis]]
    db = np.array([[10.0 / molar_mass(o) * atoms(o).get(e, 0.0) for e in system.rows] for o in oxides]).T
    if not point.share or point.minimum is None:
        dx = np.linalg.solve(system.A[columns].T, db)
        return np.asarray(table.to_phase[columns].T @ dx), np.zeros(len(system.phases))
    here = _Active.of(table, point, list(point.active), point.minimum)
    rest = [j for j in columns if system.columns[j].kind != "solution" and j not in here.keep]
    by_oxide, misfit = here.by_amounts(db)
    if misfit > 1e-8 and rest:  # an element that only a phase not yet there can take up
        by_oxide, _ = _Active.of(table, point, [*here.keep, *rest], point.minimum).by_amounts(db)
    return by_oxide, here.by_temperature()


@dataclass(frozen=True)
class _Active:
    """An assemblage with solutions: pure columns, solutions at a bound, free solutions."""

    table: PhaseTable
    mixtures: list[Mixture]
    solids: list[Solution]
    keep: list[int]
    held: list[tuple[int, FloatArray]]
    free: list[int]
    share: list[FloatArray]
    amount: list[float]

    @classmethod
    def of(cls, table: PhaseTable, point: Point, keep: list[int], minimum: Minimum) -> _Active:
        mixtures, _, solids = mixtures_of(table, GAS_CONSTANT * table.temperature_K)
        bounded = {s: y for s, y, _ in minimum.bounded}
        free = [s for s, solid in enumerate(solids) if solid.name in point.share and s not in bounded]
        return cls(
            table, mixtures, solids, keep, list(bounded.items()), free, [minimum.share[s] for s in free],
            [float(minimum.amount[s]) for s in free],
        )  # fmt: skip

    def matrix(self) -> FloatArray:
        """Derivative of the optimality conditions by element potentials and amounts."""
        A = self.table.system.A
        fixed = np.vstack([A[self.keep], *[(y @ self.mixtures[s].a)[None, :] for s, y in self.held]])
        m, f, k = A.shape[1], len(fixed), len(self.free)
        jac = np.zeros((f + k + m, m + f + k))
        jac[:f, :m], jac[f + k :, m : m + f] = fixed, fixed.T
        for i, (s, y) in enumerate(zip(self.free, self.share, strict=True)):
            a, sites = self.mixtures[s].a, self.mixtures[s].sites
            mean = y @ a
            jac[f + i, :m] = mean / sites
            jac[f + k :, :m] += self.amount[i] / sites * ((a.T * y) @ a - np.outer(mean, mean))
            jac[f + k :, m + f + i] = mean
        return jac

    def masses(self, dz: FloatArray, dy: list[FloatArray]) -> FloatArray:
        """Phase masses [kg] that changes of amounts and compositions make, shape (n_phases, n)."""
        system = self.table.system
        index = {p: i for i, p in enumerate(system.phases)}
        out = np.zeros((len(system.phases), dz.shape[1]))
        for i, j in enumerate(self.keep):
            if system.columns[j].name in index:
                out[index[system.columns[j].name]] += system.molar_mass[j] * dz[i]
        for i, (s, y) in enumerate(self.held):
            out[index[self.solids[s].name]] += (y @ self._ends(s)) * dz[len(self.keep) + i]
        first = len(self.keep) + len(self.held)
        for i, s in enumerate(self.free):
            ends = self._ends(s)
            out[index[self.solids[s].name]] += (self.share[i] @ ends) * dz[first + i] + self.amount[i] * (ends @ dy[i])
        return out

    def _ends(self, s: int) -> FloatArray:
        """Molar mass of the end members [kg/mol]."""
        thermo = self.table.system.thermo
        return np.array(
            [sum(n * thermo[p].molar_mass for p, n in end.parts.items()) / 1e3 for end in self.solids[s].ends]
        )

    def by_amounts(self, db: FloatArray) -> tuple[FloatArray, float]:
        """Derivative by amounts of elements, shape (n_row, n), and how far the assemblage cannot follow."""
        jac = self.matrix()
        m = len(db)
        rhs = np.vstack([np.zeros((len(jac) - m, db.shape[1])), db])
        sol = np.asarray(np.linalg.lstsq(jac, rhs, rcond=1e-12)[0], dtype=np.float64)
        dy = [
            (y / self.mixtures[s].sites)[:, None] * ((self.mixtures[s].a - y @ self.mixtures[s].a) @ sol[:m])
            for s, y in zip(self.free, self.share, strict=True)
        ]
        return self.masses(sol[m:], dy), float(np.abs(jac @ sol - rhs).max())

    def by_temperature(self) -> FloatArray:
        """Derivative by temperature."""
        system, t = self.table.system, self.table.temperature_K
        low, high = max(T_LOW, t - STEP_K), min(T_HIGH, t + STEP_K)
        rt_low, rt_high = GAS_CONSTANT * low, GAS_CONSTANT * high
        below, above = system.table(low), system.table(high)
        dc = (above.cost[self.keep] / rt_high - below.cost[self.keep] / rt_low) / (high - low)
        dg = [
            (h.g - l.g) / (high - low)
            for l, h in zip(mixtures_of(below, rt_low)[0], mixtures_of(above, rt_high)[0], strict=True)
        ]
        jac = self.matrix()
        m, f, k = len(system.rows), len(self.keep) + len(self.held), len(self.free)
        rhs = np.zeros(len(jac))
        rhs[:f] = [*dc, *[float(y @ dg[s]) for s, y in self.held]]
        own = []  # change of composition at constant potentials
        for i, (s, y) in enumerate(zip(self.free, self.share, strict=True)):
            mix = self.mixtures[s]
            rhs[f + i] = float(y @ dg[s]) / mix.sites
            own.append(-(y / mix.sites) * (dg[s] - float(y @ dg[s])))
            rhs[f + k :] -= self.amount[i] * (own[i] @ mix.a)
        sol = np.asarray(np.linalg.lstsq(jac, rhs, rcond=1e-12)[0], dtype=np.float64)
        dy = [
            ((y / self.mixtures[s].sites) * ((self.mixtures[s].a - y @ self.mixtures[s].a) @ sol[:m]) + own[i])[:, None]
            for i, (s, y) in enumerate(zip(self.free, self.share, strict=True))
        ]
        return self.masses(sol[m:][:, None], dy)[:, 0]
