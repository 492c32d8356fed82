"""Criteria that come from equilibrium: evaluated per surviving candidate, with cached assemblages.

The linear rows of a recipe discard first, as everywhere; every candidate they leave is given its phases at the process
point's temperature and gas, exactly, and then meets the windows on phases. Phases enter as components ``eq:…`` of the
mix, so that a phase criterion is evaluated like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..chemistry.criterion import MASS, Criterion
from ..chemistry.formulas import atoms, molar_mass
from ..errors import WastelabError
from ..routes.base import EQUILIBRIUM, Assemblage
from .recipe import Window

if TYPE_CHECKING:
    from ..simulate.equilibrium.system import PhaseTable

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Oxides whose content must be known of every material before phases can be calculated.
OXIDES = ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "TiO2", "Na2O", "K2O", "SO3")
#: Oxides that count if they are known.
OPTIONAL = ("FeO",)
#: Oxides without thermochemical data: inert mass of the product.
INERT = ("P2O5", "MnO", "Cr2O3", "V2O5", "SrO", "BaO", "ZnO", "ZrO2")
#: Candidates given their phases at a time.
BLOCK = 16_384


def is_phase(criterion: Criterion) -> bool:
    """Whether a criterion needs an equilibrium."""
    return any(c.startswith(EQUILIBRIUM) for c in criterion.components)


@dataclass
class Phases:
    """Gives mixes their phases at the process points of a program; tables are made once per temperature and gas."""

    assemblage: Assemblage
    points: tuple[Mapping[str, float], ...]
    _tables: dict[tuple[float, ...], PhaseTable] = field(default_factory=dict)

    def table(self, p: int, shift: float = 0.0) -> PhaseTable:
        """The cached assemblages of process point `p`, `shift` [K] hotter."""
        from ..simulate.atmosphere import ATMOSPHERES
        from ..simulate.equilibrium.system import System

        point, setup = self.points[p], self.assemblage
        pressures = {gas: float(point[name]) for gas, name in setup.pressures.items() if name in point}
        key = (float(point[setup.temperature]) + shift, *pressures.values())
        if key not in self._tables:
            gas = ATMOSPHERES[setup.atmosphere].having(**pressures)
            system = System.build(atmosphere=gas, suppress=setup.suppress)
            self._tables[key] = system.table(key[0] + 273.15)
        return self._tables[key]

    @property
    def minerals(self) -> tuple[str, ...]:
        """Minerals asked of the tables, in the order of the assemblage's components."""
        return tuple(self.assemblage.minerals.values())

    def extend(self, mixes: Mapping[str, FloatArray], p: int, shift: float = 0.0) -> dict[str, FloatArray]:
        """Mixes with ``eq:<mineral>``, ``eq:mass``, ``eq:SO3``, ``eq:SO3_loss``, ``eq:SO3_fed`` [g per 100 g dry mix].

        ``eq:mass`` is the solid product: the ignited mass, less the sulfur that leaves, with the oxygen that iron takes
        or gives. NaN where a mix lacks an oxide.
        """
        table = self.table(p, shift)
        known, oxides, amount = self._amounts(mixes, table)
        return self._with_phases(mixes, known, oxides, *table.mineral_mass(amount, self.minerals))

    def spread(self, mixes: Mapping[str, FloatArray], p: int, draws: int, seed: int) -> list[dict[str, FloatArray]]:
        """`extend` for each mix over draws of the thermochemical data: one mapping per mix, arrays (draws,)."""
        table = self.table(p)
        known, oxides, amount = self._amounts(mixes, table)
        mass, solid, so3 = table.mineral_mass_draws(amount, self.minerals, draws=draws, seed=seed)
        out = []
        for i in range(known.size):
            one = {k: np.repeat(np.ravel(v)[i], draws) for k, v in mixes.items()}
            own, total = np.repeat(known.ravel()[i], draws), np.repeat(oxides.ravel()[i], draws)
            out.append(self._with_phases(one, own, total, mass[:, i], solid[:, i], so3[:, i]))
        return out

    def warnings(self, mixes: Mapping[str, FloatArray], p: int) -> list[list[str]]:
        """What to know of the assemblage of each mix: melt, weak data, phases whose data end below."""
        table = self.table(p)
        return table.warnings(self._amounts(mixes, table)[2])

    @staticmethod
    def _amounts(
        mixes: Mapping[str, FloatArray], table: PhaseTable
    ) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
        """Whether all oxides are known, their sum [g per 100 g dry mix], elements [mol/kg dry mix] of each mix."""
        shape = np.broadcast_shapes(*(np.shape(mixes[o]) for o in OXIDES))
        known = np.ones(shape, dtype=bool)
        amount = np.zeros((*shape, len(table.elements)))
        oxides = np.zeros(shape)
        for oxide in (*OXIDES, *OPTIONAL):
            if oxide not in mixes:
                continue
            content = np.asarray(mixes[oxide], dtype=np.float64)
            if oxide in OXIDES:
                known &= ~np.isnan(content)
            oxides = oxides + np.nan_to_num(content)
            moles = np.nan_to_num(content) * 10.0 / molar_mass(oxide)
            for element, k in atoms(oxide).items():
                if element in table.elements:
                    amount[..., table.elements.index(element)] += k * moles
        return known, oxides, amount.reshape(-1, len(table.elements))

    def _with_phases(
        self, mixes: Mapping[str, FloatArray], known: NDArray[np.bool_], oxides: FloatArray, mass: FloatArray,
        solid: FloatArray, so3: FloatArray,
    ) -> dict[str, FloatArray]:  # fmt: skip
        """Mixes with the components of the equilibrium, from masses of minerals, of all solids, of SO3 [kg/kg]."""
        shape = known.shape
        out = dict(mixes)
        for j, name in enumerate(self.assemblage.minerals):
            out[f"{EQUILIBRIUM}{name}"] = np.where(known, 100.0 * mass[:, j].reshape(shape), np.nan)
        change = 100.0 * solid.reshape(shape) - oxides
        out[f"{EQUILIBRIUM}{MASS}"] = np.where(known, np.asarray(mixes[MASS], dtype=np.float64) + change, np.nan)
        fed = np.asarray(mixes["SO3"], dtype=np.float64)
        out[f"{EQUILIBRIUM}SO3"] = np.where(known, 100.0 * so3.reshape(shape), np.nan)
        out[f"{EQUILIBRIUM}SO3_fed"] = fed
        out[f"{EQUILIBRIUM}SO3_loss"] = np.where(known, np.clip(fed - 100.0 * so3.reshape(shape), 0.0, None), np.nan)
        return out


@dataclass(frozen=True)
class PhaseWindow:
    """A requirement on a phase criterion; `row` is its place among the program's requirements."""

    criterion: Criterion
    window: Window
    row: int


@dataclass(frozen=True)
class PhaseSearch:
    """What a chunk of the search needs beside the linear rows.

    Attributes
    ----------
    phases : Phases
    windows : tuple of PhaseWindow
    values : tuple of (Criterion, sign, resolution) or None
        Objectives (and the ranking one) that come from equilibrium, None where the value is linear.
    tolerance : float
        Windows must also hold this much hotter and colder [K].
    """

    phases: Phases
    windows: tuple[PhaseWindow, ...]
    values: tuple[tuple[Criterion, float, float] | None, ...]
    tolerance: float = 0.0

    def _inside(self, mixes: Mapping[str, FloatArray], pruned: IntArray) -> NDArray[np.bool_]:
        """Which mixes meet every window; what does not is counted at the first it misses."""
        alive = np.ones(len(mixes["CaO"]), dtype=bool)
        for w in self.windows:
            inside = inside_window(w.window, np.asarray(w.criterion.evaluate(mixes)))
            pruned[w.row] += int((alive & ~inside).sum())
            alive &= inside
        return alive

    def chunk(
        self, points: IntArray, p: int, m: int, components: Mapping[str, FloatArray], num: IntArray, den: IntArray,
        factor: FloatArray, pruned: IntArray, stop: IntArray,
    ) -> tuple[IntArray, IntArray] | None:  # fmt: skip
        """Points of a chunk that meet every phase window, and their objective values on the integer grid.

        Parameters
        ----------
        points : ndarray, shape (n, d)
            Feasible by the linear rows [1/m], materials in recipe order.
        p : int
            Process point.
        components : mapping
            Of the materials at this point (product, per 100 g dry mix).
        num, den, factor
            Linear objectives, as in the search kernel.
        pruned : ndarray, shape (R,)
            Added to.
        stop : ndarray, shape (1,)

        Returns
        -------
        (points, values) or None if it was stopped
        """
        from .study import mix_components

        forms = [w.criterion.components for w in self.windows]
        forms += [item[0].components for item in self.values if item is not None]
        needed = {*OXIDES, *OPTIONAL, MASS, *(name for form in forms for name in form)}
        components = {name: v for name, v in components.items() if name in needed}
        kept, values = [], []
        for start in range(0, len(points), BLOCK):
            if stop[0]:
                return None
            block = points[start : start + BLOCK]
            mixed = mix_components(block / m, components)
            mixes = self.phases.extend(mixed, p)
            alive = self._inside(mixes, pruned)
            if self.tolerance and self.windows:
                for shift in (-self.tolerance, self.tolerance):
                    rows = np.flatnonzero(alive)
                    moved = self.phases.extend({k: v[rows] for k, v in mixed.items()}, p, shift)
                    alive[rows] = self._inside(moved, pruned)
            block = block[alive]
            columns = []
            for j, item in enumerate(self.values):
                if item is None:
                    ratio = (block @ num[:, j]).astype(np.float64) / (block @ den[:, j]).astype(np.float64)
                    columns.append(np.floor(factor[j] * ratio + 0.5).astype(np.int64))
                else:
                    criterion, sign, resolution = item
                    value = np.asarray(criterion.evaluate(mixes))[alive]
                    if np.isnan(value).any():
                        raise WastelabError(
                            f"{criterion.symbol} has no value for {int(np.isnan(value).sum())} candidates (its "
                            "denominator is zero); require something of it that excludes them, or drop the objective."
                        )
                    columns.append(np.floor(sign * value / resolution + 0.5).astype(np.int64))
            kept.append(block)
            values.append(np.stack(columns, axis=1) if columns else np.empty((len(block), 0), dtype=np.int64))
        if not kept:
            return points[:0], np.empty((0, len(self.values)), dtype=np.int64)
        return np.concatenate(kept), np.concatenate(values)


def inside_window(window: Window, value: FloatArray) -> NDArray[np.bool_]:
    """Which values lie in a window; an unknown value does not. Inclusive ends have a tolerance of 1e-9."""
    ok = ~np.isnan(value)
    with np.errstate(invalid="ignore"):
        if window.low is not None:
            tolerance = 1e-9 * max(1.0, abs(window.low))
            ok &= value >= window.low - tolerance if window.low_inclusive else value > window.low + tolerance
        if window.high is not None:
            tolerance = 1e-9 * max(1.0, abs(window.high))
            ok &= value <= window.high + tolerance if window.high_inclusive else value < window.high - tolerance
    return ok


def search_chunk(
    program: Any, p: int, points: IntArray, scale: int, num: IntArray, den: IntArray, pruned: IntArray, top_k: int,
    sample_cap: int, stop: IntArray,
) -> tuple[Any, ...]:  # fmt: skip
    """The result of a chunk in the form of the search kernel, for points listed as feasible by the linear rows."""
    from .pareto import nondominated

    search: PhaseSearch = program.phase_search
    n_obj, d = program.n_objectives, points.shape[1]
    answer = search.chunk(
        points * scale, p, program.space.m, program.points[p].components, num, den, program.points[p].factor, pruned,
        stop,
    )  # fmt: skip
    none = np.empty((0, d), dtype=np.int64)
    if answer is None:
        return np.empty((0, n_obj), dtype=np.int64), none, np.empty(0, dtype=np.int64), none, none, pruned, 0, 0, 0
    blends, values = answer[0] // scale, answer[1]
    keep = nondominated(values[:, :n_obj]) if len(values) else np.zeros(0, dtype=bool)
    front_values, front = values[keep, :n_obj], blends[keep]
    order = np.lexsort((*front.T[::-1], *front_values.T[::-1])) if len(front) else np.zeros(0, dtype=np.int64)
    top_v, top_n = np.empty(0, dtype=np.int64), none
    if top_k and len(values):
        rank = np.lexsort((*blends.T[::-1], values[:, -1]))[:top_k]
        top_v, top_n = values[rank, -1], blends[rank]
    return (
        front_values[order], front[order], top_v, top_n, blends[:sample_cap], pruned, len(blends), len(points), 1,
    )  # fmt: skip
