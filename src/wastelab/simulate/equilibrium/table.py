"""A system of phases at one temperature, for many mixes: masses, draws over the data, what to know of a short list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...chemistry.formulas import molar_mass
from ...errors import MissingDataError, ValidityError
from ..charge import ELEMENTS

if TYPE_CHECKING:
    from .cache import AssemblageCache
    from .lp import LPResult
    from .system import System

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Mixes up to which keeping assemblages does not pay.
FEW = 16
#: Largest number of linear programmes for the draws of one call.
MOST_DRAWN = 2_000_000


@dataclass
class PhaseTable:
    """A system at one temperature; keeps the assemblages it has met.

    Attributes
    ----------
    system : System
    temperature_K : float
    cost : ndarray, shape (n_col,)
    """

    system: System
    temperature_K: float
    cost: FloatArray
    mixtures: Any = None  #: solid solutions as numbers; see `closed.mixtures_of`
    _cache: AssemblageCache | None = None

    #: Order of elements in amounts.
    elements = ELEMENTS

    @property
    def phases(self) -> tuple[str, ...]:
        """Order of `phase_mass`."""
        return self.system.phases

    @cached_property
    def usable(self) -> IntArray:
        """Columns whose data hold at this temperature."""
        return np.flatnonzero(np.isfinite(self.cost))

    @cached_property
    def arrays(self) -> tuple[FloatArray, FloatArray, IntArray]:
        """A, cost and start of the usable columns."""
        system = self.system
        missing = [system.columns[j].name for j in system.start if not np.isfinite(self.cost[j])]
        if missing:
            raise ValidityError(
                f"at {self.temperature_K:g} K there are no data for {', '.join(missing)}, which every mix is made of; "
                "choose another temperature."
            )
        start = np.searchsorted(self.usable, system.start)
        return np.ascontiguousarray(system.A[self.usable]), self.cost[self.usable], start

    @property
    def cache(self) -> AssemblageCache:
        """Assemblages met so far."""
        if self._cache is None:
            from .cache import AssemblageCache

            self._cache = AssemblageCache(*self.arrays)
        return self._cache

    def solve(self, amount: ArrayLike, labels: Sequence[Any] | None = None) -> LPResult:
        """Assemblage of each mix; columns are those of `usable`.

        Parameters
        ----------
        amount : array_like, shape (n, 12) or (n, n_row)
            Elements [mol/kg].
        labels : sequence, optional
            Names for errors.

        Raises
        ------
        MissingDataError
            If phases that are left cannot hold an element.
        """
        b = self.system.take(amount)
        if len(b) <= FEW and self._cache is None:
            from .lp import solve

            A, cost, start = self.arrays
            result = solve(A, b, cost, start)
        else:
            result = self.cache.solve(b)
        self._complete(result, labels)
        return result

    def _complete(self, result: LPResult, labels: Sequence[Any] | None) -> None:
        none = [j for j, c in enumerate(self.system.columns) if c.kind == "none"]
        if not none:
            return
        stuck = np.isin(self.usable[result.basis], none) & (result.amount > 1e-9)
        if stuck.any():
            i, k = np.argwhere(stuck)[0]
            element = self.system.columns[self.usable[result.basis[i, k]]].name
            who = f"mix {labels[i]!r}: " if labels is not None else ""
            raise MissingDataError(
                f"{who}no phase is left that can hold all of its {element} at {self.temperature_K:g} K; suppress fewer "
                f"phases, or add data for a phase with {element}."
            )

    def column_amounts(self, amount: ArrayLike, labels: Sequence[Any] | None = None) -> FloatArray:
        """Moles of every column of the system per kg, shape (n, n_col)."""
        from .lp import dense

        out = np.zeros((len(np.atleast_2d(amount)), len(self.system.columns)))
        out[:, self.usable] = dense(self.solve(amount, labels), len(self.usable))
        return out

    def phase_mass(self, amount: ArrayLike) -> FloatArray:
        """Mass of each of `phases` [kg/kg dry mix], shape (n, n_phases).

        Parameters
        ----------
        amount : array_like, shape (n, 12) or (n, n_row)
            Elements [mol/kg dry mix].
        """
        return self._sums(self.solve(amount), np.ascontiguousarray(self.to_phase[self.usable]))

    def perturbed_mass(self, amount: ArrayLike, shift: FloatArray) -> FloatArray:
        """As `phase_mass`, with a change of the Gibbs energy of every column of the system for each mix.

        Parameters
        ----------
        amount : array_like, shape (n, 12) or (n, n_row)
        shift : ndarray, shape (n, n_col)
            [J/mol]; `draw_shift` draws it from the uncertainty of the data.
        """
        return self._perturbed(amount, shift, self.to_phase)

    def draw_shift(self, draws: int, seed: int) -> FloatArray:
        """Changes of the Gibbs energies of the columns, drawn from the uncertainty of the data, shape (draws, n_col).

        Parameters
        ----------
        draws : int
            About 100 for a standard deviation, 1000 for 5 % quantiles.
        seed : int
            The same seed gives the same draws at every temperature.

        Returns
        -------
        ndarray, shape (draws, n_col)
            [J/mol]. Normal, of each solid's `sigma_G`, constant over temperature; one deviate for all polymorphs of a
            phase; gases and phases without a stated uncertainty are exact.
        """
        thermo = self.system.thermo
        sigma = np.array([p.sigma_G or 0.0 if p.state != "gas" else 0.0 for p in thermo.values()])
        names = list(dict.fromkeys(thermo.groups))
        which = [names.index(g) for g in thermo.groups]
        deviates = np.random.default_rng(seed).standard_normal((draws, len(names)))
        return np.asarray((deviates[:, which] * sigma) @ self.system.combination.T)

    def mineral_mass_draws(
        self, amount: ArrayLike, minerals: Sequence[str], *, draws: int, seed: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As `mineral_mass`, for each draw over the uncertainty of the data (see `draw_shift`).

        Parameters
        ----------
        amount : array_like, shape (n, 12) or (n, n_row)
            Elements [mol/kg dry mix] of a short list of mixes: every draw is solved anew, without the cache.
        minerals : sequence of str
        draws, seed : int

        Returns
        -------
        (ndarray of shape (draws, n, n_minerals), ndarray of shape (draws, n), ndarray of shape (draws, n))
            [kg/kg dry mix]. The same draws for every mix, so that differences between mixes keep their sense.

        Raises
        ------
        ValidityError
            For fewer than 2 draws or more than 2 000 000 equilibria.
        """
        b = self.system.take(amount)
        if draws < 2 or draws * len(b) > MOST_DRAWN:
            raise ValidityError(
                f"{draws} draws of {len(b)} mixes: expected 2 draws or more, and at most {MOST_DRAWN:,} equilibria."
            )
        shift = self.draw_shift(draws, seed)
        weight = self.mineral_weights(minerals)
        out = np.array([self._perturbed(np.repeat(row[None, :], draws, axis=0), shift, weight) for row in b])
        out = out.transpose(1, 0, 2)
        return out[..., :-2], out[..., -2], out[..., -1]

    def _perturbed(self, amount: ArrayLike, shift: FloatArray, weight: FloatArray) -> FloatArray:
        from .lp import solve

        A, cost, start = self.arrays
        result = solve(A, self.system.take(amount), cost + shift[:, self.usable], start)
        self._complete(result, None)
        return self._sums(result, np.ascontiguousarray(weight[self.usable]))

    def warnings(self, amount: ArrayLike, labels: Sequence[Any] | None = None) -> list[list[str]]:
        """What to know of each of a short list of mixes: melt, weak data, phases whose data end below, sulfides.

        Parameters
        ----------
        amount : array_like, shape (n, 12) or (n, n_row)
            Elements [mol/kg dry mix].
        labels : sequence, optional
            Names for errors.

        Returns
        -------
        list of list of str
            One list for each mix; empty where there is nothing to say.
        """
        from .notices import beyond_range, melt_fallback, melt_texts, range_text, sulfide_texts, weak_texts

        system, thermo = self.system, self.system.thermo
        b = self.system.take(amount)
        result = self.solve(b, labels)
        mass = self._sums(result, np.ascontiguousarray(self.to_set[self.usable]))
        total = mass.sum(axis=1, keepdims=True)
        mass = mass / np.where(total > 0, total, 1.0)
        t = np.array([self.temperature_K])
        out = []
        for i, row in enumerate(mass):
            here = {name: np.array([[row[k]]]) for k, name in enumerate(thermo.names) if row[k] != 0}
            texts = melt_texts(here, t) + melt_fallback(here, t)
            texts += weak_texts(thermo, system.solutions, here) + sulfide_texts(here)
            for phase in beyond_range(self, b[i : i + 1], result.dual[i : i + 1]):
                texts.append(range_text(system, phase, [self.temperature_K], 1, 1))
            out.append(texts)
        return out

    def mineral_mass(
        self, amount: ArrayLike, minerals: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
        """Mass of minerals by symbol (polymorphs and solutions summed), of all solids, and of SO3 in them.

        Returns
        -------
        (ndarray of shape (n, n_minerals), ndarray of shape (n,), ndarray of shape (n,))
            [kg/kg dry mix]
        """
        weight = np.ascontiguousarray(self.mineral_weights(minerals)[self.usable])
        out = self._sums(self.solve(amount), weight)
        return out[:, :-2], out[:, -2], out[:, -1]

    def mineral_weights(self, minerals: Sequence[str]) -> FloatArray:
        """Mass of minerals, of all solids and of SO3 in them per mole of each column, shape (n_col, n_minerals + 2)."""
        index = {p: i for i, p in enumerate(self.phases)}
        out = np.zeros((len(self.system.columns), len(minerals) + 2))
        for k, mineral in enumerate(minerals):
            out[:, k] = self.to_phase[:, [index[m] for m in self.system.members(mineral)]].sum(axis=1)
        solid = np.array([c.kind in ("phase", "solution") for c in self.system.columns])
        out[:, -2] = self.to_phase.sum(axis=1)
        out[:, -1] = self.system.full[:, ELEMENTS.index("S")] * solid * molar_mass("SO3") / 1e3
        return out

    @staticmethod
    def _sums(result: LPResult, weight: FloatArray) -> FloatArray:
        from ._gather import weighted

        out = np.empty((len(result.basis), weight.shape[1]))
        weighted(result.basis, result.amount, weight, out)
        return out

    def set_mass(self, amount: ArrayLike) -> FloatArray:
        """Mass of each phase of the thermochemical set [kg/kg dry mix], solutions as their end members."""
        return self._sums(self.solve(amount), np.ascontiguousarray(self.to_set[self.usable]))

    @cached_property
    def to_set(self) -> FloatArray:
        """Column [mol] to solid phases of the thermochemical set [kg], shape (n_col, n_phases of the set)."""
        system = self.system
        out = system.combination * np.array([p.molar_mass / 1e3 for p in system.thermo.values()])
        out[[c.kind == "gas" for c in system.columns]] = 0.0
        return np.asarray(out)

    @cached_property
    def to_phase(self) -> FloatArray:
        """Column [mol] to reported phase [kg], shape (n_col, n_phases)."""
        system = self.system
        out = np.zeros((len(system.columns), len(system.phases)))
        index = {p: i for i, p in enumerate(system.phases)}
        for j, column in enumerate(system.columns):
            if column.name in index and column.kind in ("phase", "solution"):
                out[j, index[column.name]] = system.molar_mass[j]
        return out
