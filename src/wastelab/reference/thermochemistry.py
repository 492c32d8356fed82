"""Thermochemistry of pure phases and gases: H, S, Cp and G from 298.15 K, with source, uncertainty and limits.

Cp = a + b T + c T^-2 + d T^-0.5 + e T^2 + f T^3 in each segment, so that G and H are linear in eight functions of
temperature (`G_BASIS`, `H_BASIS`); kernels take the coefficients. The values as read stand in
``datasets/thermochemistry/phases.csv``, every change to them in ``adjustments.toml``. Reference state: elements at
298.15 K and 1 bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..chemistry.formulas import atoms, molar_mass
from ..errors import CompositionError, DatasetError, UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source, weakest
from .files import find_files, read_toml
from .phase_names import PhaseName, name_of, phase_groups, phase_names
from .tables import Row, read_rows

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

__all__ = [
    "GAS_CONSTANT", "T0", "Adjustment", "Phase", "PhaseName", "Segment", "ThermoArrays", "Thermochemistry",
    "adjustments", "g_basis", "h_basis", "name_of", "phase_groups", "phase_names", "thermochemistry",
]  # fmt: skip

T0 = 298.15  #: reference temperature [K]
GAS_CONSTANT = 8.31446261815324  #: [J/(mol K)], exact since 2019
STATES = ("solid", "liquid", "gas")
#: Columns every thermochemical table has, beside id, source, evidence, licence.
COLUMNS = (
    "phase", "formula", "state", "set", "segment", "dHf298", "S298", "cp_a", "cp_b", "cp_c", "cp_d", "cp_e", "cp_f",
    "T_min", "T_max", "dHtr", "sigma_G", "weak",
)  # fmt: skip
_CP = ("cp_a", "cp_b", "cp_c", "cp_d", "cp_e", "cp_f")


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
    state : {"solid", "liquid", "gas"}
    segments : tuple of Segment
    dHf298, S298 : float
        Enthalpy of formation [J/mol] and entropy [J/(mol K)], adjustments included.
    sigma_G : float or None
        Standard uncertainty of G relative to the other phases of the set [J/mol]; None where nobody stated one.
    weak : str
        Why results that rest on this phase are to be doubted; empty if they are not.
    source : Source
    adjustments : tuple of Adjustment
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


def thermochemistry(
    *files: Path | str, choose: Mapping[str, str] | None = None, adjusted: bool = True
) -> Thermochemistry:
    """The thermochemical set, with phases of the user's own.

    Parameters
    ----------
    *files : path
        Further tables with the columns of ``datasets/thermochemistry/phases.csv``; a phase in them replaces the
        shipped one. Tables in a folder of ``WASTELAB_DATA`` are found without being named.
    choose : mapping of str to str, optional
        Phase to the set to take it from instead of ``primary``: ``{"yeelimite": "simcem"}``.
    adjusted : bool
        Whether to apply ``adjustments.toml`` (only to phases taken from the primary set).

    Returns
    -------
    Thermochemistry

    Raises
    ------
    DatasetError
        For a bad table; names file, line, field, value and what was expected.
    UnknownNameError
        If `choose` names a set that has no such phase.
    """
    return _load(tuple(str(f) for f in files), tuple(sorted((choose or {}).items())), adjusted)


@cache
def _load(files: tuple[str, ...], choose: tuple[tuple[str, str], ...], adjusted: bool) -> Thermochemistry:
    tables = [Path(f) for f in files]
    for path in tables:
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such file; expected a table of thermochemical data (CSV).")
    groups: dict[tuple[str, str], list[Row]] = {}
    for path in [*tables, *find_files("datasets", "thermochemistry/*.csv")]:
        own: dict[tuple[str, str], list[Row]] = {}
        for row in read_rows(path, COLUMNS):
            own.setdefault((row.values["phase"], row.values["set"]), []).append(row)
        for key, rows in own.items():
            groups.setdefault(key, rows)  # files named first win
    wanted = dict(choose)
    for name, set_name in wanted.items():
        if (name, set_name) not in groups:
            known = [s for n, s in groups if n == name]
            near = suggest(name, {n for n, _ in groups})
            found = f"it is in {', '.join(known)}." if known else f"no set has it.{near}"
            raise UnknownNameError(f"There is no phase {name!r} in set {set_name!r}; {found}")
    changes = adjustments() if adjusted else {}
    phases = []
    for (name, set_name), rows in groups.items():
        if set_name != wanted.get(name, "primary"):
            continue
        own_change = changes.get(name, ()) if set_name == "primary" and str(rows[0].file) not in files else ()
        phases.append(_phase(name, rows, own_change))
    return Thermochemistry(phases)


@cache
def adjustments() -> dict[str, tuple[Adjustment, ...]]:
    """Changes made to the phases, by phase, from ``adjustments.toml``."""
    out: dict[str, list[Adjustment]] = {}
    for file in find_files("datasets", "thermochemistry/adjustments.toml")[:1]:
        data = read_toml(file)
        for number, entry in enumerate(data.get("adjust", []), 1):
            where = f"{file}, adjust {number}"
            for key in ("phase", "reason", "source", "evidence"):
                if not isinstance(entry.get(key), str) or not entry[key].strip():
                    raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected text.")
            numbers = {}
            for key in ("dH_kJ_mol", "dS_J_molK"):
                value = entry.get(key, 0.0)
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise DatasetError(f"{where}, {key}: found {value!r}, expected a number.")
                numbers[key] = float(value)
            out.setdefault(entry["phase"], []).append(
                Adjustment(
                    entry["phase"], numbers["dH_kJ_mol"], numbers["dS_J_molK"], entry["reason"],
                    Source(entry["source"], Evidence(entry["evidence"]), doi=entry.get("doi", "")),
                )
            )  # fmt: skip
    return {k: tuple(v) for k, v in out.items()}


def _phase(name: str, rows: list[Row], changes: tuple[Adjustment, ...]) -> Phase:
    def need(row: Row, column: str) -> float:
        value = row.number(column)
        if value is None:
            raise DatasetError(f"{row.file}, line {row.line}, column {column}: is empty; expected a number ({name}).")
        return value

    rows = sorted(rows, key=lambda r: need(r, "T_min"))
    first = rows[0]
    where = f"{first.file}, line {first.line}"
    if first.values["state"] not in STATES:
        raise DatasetError(f"{where}, column state: {first.values['state']!r} is not one of {', '.join(STATES)}.")
    try:
        atoms(first.values["formula"])
    except CompositionError as exc:
        raise DatasetError(f"{where}, column formula: {exc}") from None
    h0 = need(first, "dHf298") * 1e3 + sum(c.dH for c in changes) * 1e3
    s0 = need(first, "S298") + sum(c.dS for c in changes)
    segments: list[Segment] = []
    h_at, s_at = h0, s0
    for row in rows:
        low, high, jump = need(row, "T_min"), need(row, "T_max"), row.number("dHtr") or 0.0
        if high <= low:
            raise DatasetError(f"{row.file}, line {row.line}, column T_max: {high:g} K is not above T_min {low:g} K.")
        if segments and abs(low - segments[-1].T_max) > 0.1:
            raise DatasetError(
                f"{row.file}, line {row.line}, column T_min: {low:g} K; the segment before ends at "
                f"{segments[-1].T_max:g} K, expected the same."
            )
        if row.values["formula"] != first.values["formula"]:
            raise DatasetError(f"{row.file}, line {row.line}, column formula: differs from the segment before.")
        cp = tuple(need(row, c) for c in _CP)
        start = low if segments else T0
        if segments:
            h_at, s_at = h_at + jump, s_at + jump / low
        segment = _segment(low, high, start, h_at, s_at, cp)
        if segments:
            segments[-1] = replace(segments[-1], T_max=low)
        segments.append(segment)
        end = np.array(high)
        h_at = float(h_basis(end) @ np.array(segment.h))
        s_at = (h_at - float(g_basis(end) @ np.array(segment.g))) / high
    sigma = first.number("sigma_G")
    return Phase(
        name, first.values["formula"], first.values["state"], tuple(segments), h0, s0,
        None if sigma is None else sigma * 1e3, first.values["weak"].strip(), first.source, changes,
    )  # fmt: skip


def _segment(low: float, high: float, start: float, h: float, s: float, cp: tuple[float, ...]) -> Segment:
    """Integrate Cp from `start`, where enthalpy is `h` [J/mol] and entropy `s` [J/(mol K)]."""
    a, b, c, d, e, f = cp
    t = start
    h_rest = h - (a * t + b * t**2 / 2 - c / t + 2 * d * np.sqrt(t) + e * t**3 / 3 + f * t**4 / 4)
    s_rest = s - (a * np.log(t) + b * t - c / (2 * t**2) - 2 * d / np.sqrt(t) + e * t**2 / 2 + f * t**3 / 3)
    # H = h_rest + a T + b T^2/2 - c/T + 2 d sqrt T + e T^3/3 + f T^4/4; G = H - T S term by term
    h_terms = (h_rest, a, 0.0, b / 2, -c, 2 * d, e / 3, f / 4)
    g_terms = (h_rest, a - s_rest, -a, -b / 2, -c / 2, 4 * d, -e / 6, -f / 12)
    return Segment(low, high, cp, tuple(map(float, g_terms)), tuple(map(float, h_terms)))
