"""Phases and gases as functions of temperature: H, S, Cp and G in segments, and a set of them for kernels.

Cp = a + b T + c T^-2 + d T^-0.5 + e T^2 + f T^3 in each segment, so that G and H are linear in eight functions of
temperature (`g_basis`, `h_basis`); kernels take the coefficients. Reference state: elements at 298.15 K and 1 bar.
Reading the tables: `wastelab.reference.thermochemistry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..chemistry.formulas import atoms, molar_mass
from ..errors import CompositionError, UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source, weakest
from .phase_names import name_of

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

T0 = 298.15  #: reference temperature [K]
GAS_CONSTANT = 8.31446261815324  #: [J/(mol K)], exact since 2019
#: A melt of one component is the last segment of its solid.
STATES = ("solid", "gas")


def g_basis(temperature_K: ArrayLike) -> FloatArray:
    """The eight functions that G is linear in: 1, T, T ln T, T^2, 1/T, sqrt T, T^3, T^4; shape (..., 8)."""
    t = np.asarray(temperature_K, dtype=np.float64)
    return np.stack([np.ones_like(t), t, t * np.log(t), t * t, 1.0 / t, np.sqrt(t), t**3, t**4], axis=-1)


def h_basis(temperature_K: ArrayLike) -> FloatArray:
    """The eight functions that H is linear in: 1, T, 0, T^2, 1/T, sqrt T, T^3, T^4; shape (..., 8)."""
    out = g_basis(temperature_K)
    out[..., 2] = 0.0
    return out


@dataclass(frozen=True)
class Segment:
    """One range of temperature of a phase.

    Attributes
    ----------
    T_min, T_max : float
        [K]
    cp : tuple of float
        a to f, see the module.
    g, h : tuple of float
        Coefficients of G [J/mol] on `g_basis` and H [J/mol] on `h_basis`.
    """

    T_min: float
    T_max: float
    cp: tuple[float, ...]
    g: tuple[float, ...]
    h: tuple[float, ...]


@dataclass(frozen=True)
class Adjustment:
    """A change made to a phase so that the set holds together."""

    phase: str
    dH: float  #: added to the enthalpy [kJ/mol]
    dS: float  #: added to the entropy [J/(mol K)]
    reason: str
    source: Source


@dataclass(frozen=True)
class Phase:
    """A pure phase or gas.

    Attributes
    ----------
    name, formula : str
    state : {"solid", "gas"}
    segments : tuple of Segment
    dHf298, S298 : float
        Enthalpy of formation [J/mol] and entropy [J/(mol K)], adjustments included.
    sigma_G : float or None
        Standard uncertainty of G relative to the simple oxides and gases of the set [J/mol]; None where nobody stated
        one. Polymorphs of one `group` go up and down together: draw one deviate per group.
    weak : str
        Why results that rest on this phase are to be doubted; empty if they are not.
    source : Source
        Of the values; its evidence is the weakest of them and of the adjustments.
    adjustments : tuple of Adjustment
    sigma_rule : str
        How `sigma_G` was found, see `wastelab.reference.thermo_report.rule_sigma`.
    """

    name: str
    formula: str
    state: str
    segments: tuple[Segment, ...]
    dHf298: float
    S298: float
    sigma_G: float | None
    weak: str
    source: Source
    adjustments: tuple[Adjustment, ...] = ()
    sigma_rule: str = ""

    @property
    def group(self) -> str:
        """What the polymorphs of this phase are summed under; the phase itself where it stands alone."""
        return name_of(self.name).group

    @property
    def T_min(self) -> float:
        """Lowest temperature [K]."""
        return self.segments[0].T_min

    @property
    def T_max(self) -> float:
        """Highest temperature [K]."""
        return self.segments[-1].T_max

    @property
    def elements(self) -> dict[str, float]:
        """Atoms per formula unit."""
        return atoms(self.formula)

    @property
    def molar_mass(self) -> float:
        """[g/mol]"""
        return molar_mass(self.formula)

    def gibbs(self, temperature_K: ArrayLike) -> FloatArray:
        """Apparent Gibbs energy H(T) - T S(T) [J/mol]; raises `ValidityError` outside the range."""
        return self._sum(temperature_K, g_basis, "g")

    def enthalpy(self, temperature_K: ArrayLike) -> FloatArray:
        """Apparent enthalpy: of formation at 298.15 K plus heat content [J/mol]."""
        return self._sum(temperature_K, h_basis, "h")

    def entropy(self, temperature_K: ArrayLike) -> FloatArray:
        """[J/(mol K)]"""
        t = np.asarray(temperature_K, dtype=np.float64)
        return (self.enthalpy(t) - self.gibbs(t)) / t

    def heat_capacity(self, temperature_K: ArrayLike) -> FloatArray:
        """[J/(mol K)]"""
        t = np.asarray(temperature_K, dtype=np.float64)
        self._check(t)
        index = self._index(t)
        a, b, c, d, e, f = np.array([s.cp for s in self.segments]).T[:, index]
        return np.asarray(a + b * t + c / t**2 + d / np.sqrt(t) + e * t**2 + f * t**3)

    def _sum(self, temperature_K: ArrayLike, basis: Any, which: str) -> FloatArray:
        t = np.asarray(temperature_K, dtype=np.float64)
        self._check(t)
        coefficients = np.array([getattr(s, which) for s in self.segments])
        return np.asarray((basis(t) * coefficients[self._index(t)]).sum(axis=-1))

    def _index(self, t: FloatArray) -> NDArray[np.intp]:
        return np.searchsorted([s.T_min for s in self.segments[1:]], t, side="right")

    def _check(self, t: FloatArray) -> None:
        bad = t[~((t >= self.T_min - 1e-6) & (t <= self.T_max + 1e-6))]
        if bad.size:
            raise ValidityError(
                f"{self.name}: data hold from {self.T_min:g} to {self.T_max:g} K, asked for {bad.flat[0]:g} K "
                f"({self.source.text.split(';')[0]})."
            )


@dataclass(frozen=True)
class ThermoArrays:
    """What kernels take, phases in the order of `Thermochemistry.names`.

    Attributes
    ----------
    t_low : ndarray, shape (n_phases, n_segments)
        Start of each segment [K], +inf where a phase has fewer.
    t_max : ndarray, shape (n_phases,)
    g, h : ndarray, shape (n_phases, n_segments, 8)
        Coefficients on `g_basis` and `h_basis` [J/mol].
    """

    t_low: FloatArray
    t_max: FloatArray
    g: FloatArray
    h: FloatArray


class Thermochemistry(Mapping[str, Phase]):
    """A consistent set of phases, in a fixed order; a mapping of name to `Phase`."""

    def __init__(self, phases: Iterable[Phase]) -> None:
        self._phases = {p.name: p for p in phases}

    def __getitem__(self, name: str) -> Phase:
        try:
            return self._phases[name]
        except KeyError:
            raise UnknownNameError(
                f"There are no thermochemical data for a phase {name!r}.{suggest(name, self._phases)} "
                "Add a table of your own: see docs/thermochemistry.md."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._phases

    def __iter__(self) -> Iterator[str]:
        return iter(self._phases)

    def __len__(self) -> int:
        return len(self._phases)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self._phases)

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of each phase, in order."""
        return tuple(p.group for p in self._phases.values())

    @property
    def evidence(self) -> Evidence:
        """Weakest evidence among the phases."""
        return weakest(p.source.evidence for p in self._phases.values())

    def subset(self, names: Iterable[str]) -> Thermochemistry:
        """Only these phases, in the order given."""
        return Thermochemistry(self[n] for n in names)

    def matrix(self, elements: Sequence[str]) -> FloatArray:
        """Atoms per formula unit, shape (n_phases, n_elements); elements not asked for are left out."""
        return np.array([[p.elements.get(e, 0.0) for e in elements] for p in self.values()], dtype=np.float64)

    def arrays(self) -> ThermoArrays:
        """Coefficient arrays for kernels."""
        n = max((len(p.segments) for p in self.values()), default=1)
        t_low = np.full((len(self), n), np.inf)
        g, h = np.zeros((len(self), n, 8)), np.zeros((len(self), n, 8))
        for i, p in enumerate(self.values()):
            for j, s in enumerate(p.segments):
                t_low[i, j], g[i, j], h[i, j] = s.T_min, s.g, s.h
        return ThermoArrays(t_low, np.array([p.T_max for p in self.values()]), g, h)

    def reaction_enthalpy(self, stoichiometry: Mapping[str, float], temperature_K: ArrayLike) -> FloatArray:
        """Enthalpy of a reaction [J per mole as written]; products positive, reactants negative."""
        self._balanced(stoichiometry)
        return np.asarray(sum(n * self[p].enthalpy(temperature_K) for p, n in stoichiometry.items()))

    def reaction_gibbs(self, stoichiometry: Mapping[str, float], temperature_K: ArrayLike) -> FloatArray:
        """Standard Gibbs energy of a reaction [J per mole as written], gases at 1 bar."""
        self._balanced(stoichiometry)
        return np.asarray(sum(n * self[p].gibbs(temperature_K) for p, n in stoichiometry.items()))

    def _balanced(self, stoichiometry: Mapping[str, float]) -> None:
        total: dict[str, float] = {}
        for phase, n in stoichiometry.items():
            for element, k in self[phase].elements.items():
                total[element] = total.get(element, 0.0) + n * k
        off = {e: v for e, v in total.items() if abs(v) > 1e-6}
        if off:
            raise CompositionError(
                f"The reaction {dict(stoichiometry)} does not balance: "
                + ", ".join(f"{e} {v:+g}" for e, v in off.items())
                + "."
            )

    def table(self) -> pd.DataFrame:
        """Every phase with formula, H, S, range, uncertainty, evidence, source and adjustments."""
        import pandas as pd

        return pd.DataFrame(
            {
                "phase": p.name, "formula": p.formula, "state": p.state, "dHf298 [kJ/mol]": p.dHf298 / 1e3,
                "S298 [J/mol/K]": p.S298, "T_min [K]": p.T_min, "T_max [K]": p.T_max,
                "sigma_G [kJ/mol]": None if p.sigma_G is None else p.sigma_G / 1e3, "weak": p.weak,
                "evidence": str(p.source.evidence), "source": p.source.text,
                "adjusted": "; ".join(f"dH {a.dH:+g} kJ/mol, dS {a.dS:+g} J/mol/K: {a.reason}" for a in p.adjustments),
            }
            for p in self.values()
        ).set_index("phase")  # fmt: skip
