"""Phases, gas and rows of a linear programme of equilibrium; `table.PhaseTable` is the programme at one temperature.

In an open system the furnace gas fixes the potentials of O, C and H: their rows of the element balance are eliminated
exactly by charging every phase for what it takes from the gas. Sulfur keeps its row and may leave as SO2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...chemistry.formulas import molar_mass
from ...errors import MissingDataError, UnknownNameError, ValidityError, suggest
from ...reference.thermochemistry import GAS_CONSTANT, Thermochemistry, g_basis, h_basis, thermochemistry
from ..atmosphere import Atmosphere, as_atmosphere
from ..charge import ELEMENTS, Charge
from .gas import TRACE_BAR, FurnaceGas, furnace_gas
from .phases import choose_solutions, choose_suppressed, symbol_of, symbols
from .solutions import Solution
from .table import PhaseTable

__all__ = ["SULFUR", "TRACE", "T_HIGH", "T_LOW", "Column", "PhaseTable", "System", "check_temperature"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Temperatures at which equilibria are calculated [K].
T_LOW, T_HIGH = 298.15, 1800.0
#: Cost of a column that only stands for an element nothing can hold [J/mol].
PENALTY = 1e7
_START = {
    "Ca": "lime", "Si": "quartz", "Al": "corundum", "Fe": "hematite", "Mg": "periclase", "Ti": "rutile",
    "Na": "Na2O", "K": "K2O", "S": "SO2(g)",
}  # fmt: skip
#: Share of the most abundant element below which an element is not there.
TRACE = 1e-12
SULFUR = ("leave", "retain", "exchange")


@dataclass(frozen=True)
class Column:
    """A column of the programme.

    Attributes
    ----------
    name : str
        Phase, solution, gas or element it stands for.
    kind : {"phase", "solution", "gas", "none"}
        "none" holds an element for which no phase is left; it must not remain.
    parts : mapping of str to float
        Phases of the set that make it up [mol/mol].
    mixing : float
        Added to G in units of R T.
    x : float
        Composition of a solution (share of its second end member), else NaN.
    """

    name: str
    kind: str
    parts: Mapping[str, float]
    mixing: float = 0.0
    x: float = float("nan")


@dataclass(frozen=True)
class System:
    """What may form, in which gas; build it with `System.build`.

    Attributes
    ----------
    thermo : Thermochemistry
    atmosphere : Atmosphere or None
        None for a closed system.
    columns : tuple of Column
    rows : tuple of str
        Elements with a balance of their own.
    A : ndarray, shape (n_col, n_row)
        Atoms of these elements.
    full : ndarray, shape (n_col, 12)
        Atoms of all elements, in the order of `ELEMENTS`.
    start : ndarray, shape (n_row,)
        Columns of a basis that is feasible for every mix.
    solutions : tuple of Solution
    suppressed : mapping of str to str
        Phases left out, and why.
    sulfur : {"leave", "retain", "exchange"}
    oxygen_potential : float or None
        [J/mol of O2]
    """

    thermo: Thermochemistry
    atmosphere: Atmosphere | None
    columns: tuple[Column, ...]
    rows: tuple[str, ...]
    A: FloatArray
    full: FloatArray
    start: IntArray
    solutions: tuple[Solution, ...]
    suppressed: Mapping[str, str]
    sulfur: str = "leave"
    oxygen_potential: float | None = None

    @classmethod
    def build(
        cls,
        thermo: Thermochemistry | None = None,
        atmosphere: Atmosphere | str | Mapping[str, str | float] | None = None,
        *,
        suppress: Iterable[str] = (),
        allow: Iterable[str] = (),
        solutions: bool | Iterable[str] = True,
        sulfur: str = "leave",
        oxygen_potential: float | None = None,
        closed: bool = False,
    ) -> System:
        """Choose the phases and lay out the programme.

        Parameters
        ----------
        thermo : Thermochemistry, optional
            The shipped set by default.
        atmosphere : Atmosphere, str or mapping, optional
            See `wastelab.simulate.atmosphere`; air by default.
        suppress : iterable of str
            Phases, their symbols or groups (``"C2S"`` leaves out every polymorph), or a key of `PRESETS`.
        allow : iterable of str
            Phases of `METASTABLE` that may form after all.
        solutions : bool or iterable of str
            Solid solutions to admit; True for all of `SOLUTIONS`.
        sulfur : {"leave", "retain", "exchange"}
            Whether SO2 leaves to the gas at the atmosphere's p(SO2) but does not enter from it; stays; or goes both
            ways. Where the atmosphere names no SO2, "leave" takes `TRACE_BAR` (1 ppm), as for CO2 and H2O.
        oxygen_potential : float, optional
            RT ln(pO2 / 1 bar) [J/mol of O2] in place of the oxygen of the atmosphere.
        closed : bool
            Keep every row; gases are added by `wastelab.simulate.equilibrium.closed`.

        Raises
        ------
        UnknownNameError, ValidityError
        """
        data = thermochemistry() if thermo is None else thermo
        if sulfur not in SULFUR:
            raise UnknownNameError(f"sulfur = {sulfur!r} is not one of {', '.join(SULFUR)}.{suggest(sulfur, SULFUR)}")
        gas = None if closed else as_atmosphere(atmosphere)
        if gas is not None and sulfur == "exchange" and not gas.names_so2:
            raise MissingDataError(
                f"sulfur='exchange' needs a partial pressure of SO2, which atmosphere {gas.name!r} does not state; "
                "give one, {..., 'SO2': '0.1 %'}."
            )
        out = choose_suppressed(data, suppress, allow)
        wanted = choose_solutions(data, solutions, out)
        columns: list[Column] = []
        replaced = {p for s in wanted for p in s.replaces}
        for phase in data.values():
            if phase.state == "gas" or phase.name in out or phase.name in replaced:
                continue
            if phase.name == "graphite" and not closed:
                continue  # its only element is at the gas's potential: it burns, or the gas would deposit it for ever
            if set(phase.elements) - set(ELEMENTS):
                out[phase.name] = "contains an element that no mix is read for"
                continue
            columns.append(Column(phase.name, "phase", {phase.name: 1.0}))
        for solution in wanted:
            for x in solution.nodes():
                parts, mixing = solution.at(float(x))
                columns.append(Column(solution.name, "solution", parts, mixing, float(x)))
        rows = tuple(e for e in ELEMENTS if closed or not (e in ("C", "O", "H") or (e == "S" and sulfur == "exchange")))
        if not closed and "S" in rows:
            columns.append(Column("SO2(g)", "gas", {"SO2(g)": 1.0}))
        names = {c.name: j for j, c in reversed(list(enumerate(columns)))}
        start = []
        for element in rows:
            key = None if closed else _START.get(element)
            if key in names:
                start.append(names[key])
            else:
                start.append(len(columns))
                columns.append(Column(element, "none", {}))
        full = np.zeros((len(columns), len(ELEMENTS)))
        for j, column in enumerate(columns):
            if column.kind == "none":
                full[j, ELEMENTS.index(column.name)] = 1.0
            for phase_name, n in column.parts.items():
                for e, k in data[phase_name].elements.items():
                    full[j, ELEMENTS.index(e)] += n * k
        full[np.abs(full) < 1e-12] = 0.0
        A = np.ascontiguousarray(full[:, [ELEMENTS.index(e) for e in rows]])
        return cls(
            data, gas, tuple(columns), rows, A, full, np.array(start, dtype=np.int64), wanted, out, sulfur,
            oxygen_potential,
        )  # fmt: skip

    @property
    def so2_bar(self) -> float:
        """Pressure at which SO2 leaves the solid of an open system [bar]: that of the gas, or all of it if retained."""
        if self.atmosphere is None:
            raise ValidityError("A closed system has no furnace gas.")
        return self.atmosphere.total if self.sulfur == "retain" else self.atmosphere.p("SO2") or TRACE_BAR

    @property
    def closed(self) -> bool:
        """Whether there is no furnace gas."""
        return self.atmosphere is None

    @cached_property
    def phases(self) -> tuple[str, ...]:
        """What amounts are reported of: pure phases and solutions, each once."""
        return tuple(dict.fromkeys(c.name for c in self.columns if c.kind in ("phase", "solution")))

    @cached_property
    def minerals(self) -> dict[str, tuple[str, ...]]:
        """Symbol to the phases it sums."""
        out: dict[str, list[str]] = {}
        by_name = {s.name: s for s in self.solutions}
        for name in self.phases:
            out.setdefault(by_name[name].group if name in by_name else symbol_of(name), []).append(name)
        return {k: tuple(v) for k, v in out.items()}

    def members(self, name: str) -> tuple[str, ...]:
        """Reported phases that a mineral name stands for; none where they are suppressed.

        Parameters
        ----------
        name : str
            A key of `minerals`, a phase, its symbol or group, or a solution.

        Raises
        ------
        UnknownNameError
        """
        if name in self.minerals:
            return self.minerals[name]
        if name in self.phases:
            return (name,)
        known = symbols(self.thermo)
        if name not in known:
            raise UnknownNameError(f"There is no mineral {name!r} in the set.{suggest(name, [*self.minerals, *known])}")
        inside = [s.name for s in self.solutions if set(known[name]) & set(s.replaces)]
        return tuple(dict.fromkeys([*(p for p in known[name] if p in self.phases), *inside]))

    @cached_property
    def molar_mass(self) -> FloatArray:
        """Of each column [kg/mol]."""
        return np.asarray(self.full @ np.array([molar_mass(e) for e in ELEMENTS]) / 1e3)

    @cached_property
    def combination(self) -> FloatArray:
        """Columns as phases of the set, shape (n_col, n_phases of the set) [mol/mol]."""
        index = {n: i for i, n in enumerate(self.thermo.names)}
        out = np.zeros((len(self.columns), len(index)))
        for j, column in enumerate(self.columns):
            for name, n in column.parts.items():
                out[j, index[name]] = n
        return out

    def b(self, charge: Charge) -> FloatArray:
        """Amounts of the rows' elements, shape (n_mixes, n_row) [mol/kg]."""
        return self.take(charge.amount)

    def take(self, amount: ArrayLike) -> FloatArray:
        """The rows' elements of amounts of all `ELEMENTS` (or of the rows already); traces below `TRACE` are none."""
        values = np.atleast_2d(np.asarray(amount, dtype=np.float64))
        if values.shape[1] == len(ELEMENTS):
            values = values[:, [ELEMENTS.index(e) for e in self.rows]]
        values = np.where(values > TRACE * values.max(axis=1, keepdims=True), values, 0.0)
        return np.ascontiguousarray(values)

    def gas(self, temperature_K: ArrayLike) -> FurnaceGas:
        """Potentials that the atmosphere imposes."""
        if self.atmosphere is None:
            raise ValidityError("A closed system has no furnace gas.")
        t = np.atleast_1d(np.asarray(temperature_K, dtype=np.float64))
        key = t.tobytes()
        if key not in self._gases:
            self._gases[key] = furnace_gas(self.thermo, self.atmosphere, t, self.oxygen_potential)
        return self._gases[key]

    @cached_property
    def _gases(self) -> dict[bytes, FurnaceGas]:
        return {}

    def gibbs(self, temperature_K: float) -> FloatArray:
        """Of every phase of the set [J/mol]; +inf outside its range."""
        return self._evaluate(temperature_K, "g")

    def enthalpy(self, temperature_K: float) -> FloatArray:
        """Of every phase of the set [J/mol]; NaN outside its range."""
        h = self._evaluate(temperature_K, "h")
        return np.where(np.isinf(h), np.nan, h)

    def _evaluate(self, temperature_K: float, which: str, beyond: bool = False) -> FloatArray:
        arrays = self._arrays
        t = float(temperature_K)
        segment = np.maximum((arrays.t_low <= t).sum(axis=1) - 1, 0)
        coefficients = (arrays.g if which == "g" else arrays.h)[np.arange(len(segment)), segment]
        value = coefficients @ (g_basis(t) if which == "g" else h_basis(t))
        inside = (t >= arrays.t_low[:, 0] - 1e-6) & (t <= arrays.t_max + 1e-6) | beyond
        return np.where(inside, value, np.inf)

    @cached_property
    def _arrays(self) -> Any:
        return self.thermo.arrays()

    def cost(self, temperature_K: ArrayLike, *, beyond: bool = False) -> FloatArray:
        """Cost of each column [J/mol], shape (n_col,) or (n_T, n_col): its G, less what it takes from the gas.

        +inf for a phase outside the range of its data, unless they are continued `beyond` it.
        """
        t = np.asarray(temperature_K, dtype=np.float64)
        if t.ndim:
            return np.array([self.cost(float(v), beyond=beyond) for v in t])
        check_temperature(float(t))
        g = self._evaluate(float(t), "g", beyond)
        outside = ~np.isfinite(g)
        out = self.combination @ np.where(outside, 0.0, g)
        out += GAS_CONSTANT * float(t) * np.array([c.mixing for c in self.columns])
        out[(np.abs(self.combination) > 0) @ outside] = np.inf
        if self.atmosphere is not None:
            gas = self.gas(t)
            for element, mu in gas.potential.items():
                if element not in self.rows:
                    out -= self.full[:, ELEMENTS.index(element)] * mu[0]
            for j, column in enumerate(self.columns):
                if column.kind == "gas":
                    out[j] += GAS_CONSTANT * float(t) * np.log(self.so2_bar)
        for j, column in enumerate(self.columns):
            if column.kind == "none":
                out[j] = PENALTY
        return out

    def table(self, temperature_K: float) -> PhaseTable:
        """The programme at one temperature, for many mixes."""
        return PhaseTable(self, float(temperature_K), self.cost(float(temperature_K)))


def check_temperature(temperature_K: float) -> None:
    """Refuse temperatures the thermochemical set does not cover."""
    if not T_LOW - 1e-9 <= temperature_K <= T_HIGH + 1e-9:
        raise ValidityError(
            f"{temperature_K - 273.15:.6g} degC is outside {T_LOW - 273.15:g} to {T_HIGH - 273.15:g} degC: the "
            "thermochemical data end there, and above it clinkers and slags are largely molten, which is not modelled."
        )
