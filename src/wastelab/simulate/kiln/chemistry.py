"""The solids of a kiln as arrays: phases, reactions, enthalpy and equilibrium pressure over temperature.

Reactions and their rates are those of `wastelab.reference.kinetics`; heats follow from the thermochemistry. Above the
range of a phase its heat capacity is held constant. Clinker forms in two stages, to the equilibrium phases below the
alite limit and then to those of the burning zone, because rates of the single clinker reactions are not known well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...chemistry.formulas import atoms, molar_mass
from ...errors import MissingDataError, ValidityError
from ...provenance import Evidence, Source
from ...reference.thermochemistry import Thermochemistry, thermochemistry
from .. import water
from ..kinetics.mineralogy import Mineralogy
from ..stand_ins import stand_ins
from .steps import Idle, Step, balanced, idle_reactions, reachable, water_step
from .tables import (
    GASES,
    GRID,
    INERT,
    T0,
    T_FIRST,
    T_STEP,
    UNIDENTIFIED,
    WATER,
    FloatArray,
    at,
    gas_table,
    ln_pressure,
    on_grid,
)

if TYPE_CHECKING:
    from .clinker import ClinkerStages

#: Heat capacity of what has no data [J/(kg K)].
INERT_CP = 1000.0
INERT_SOURCE = Source("heat capacity of silicates and oxides, about 1 kJ/kg/K, from memory", Evidence.MEMORY)
#: Share of unidentified mass [wt%] that is carried as inert with a warning, and that is refused.
INERT_WARN, INERT_REFUSE = 2.0, 25.0


@dataclass(frozen=True)
class BedChemistry:
    """A feed with everything that may become of it, per kg of dry feed.

    Attributes
    ----------
    species : tuple of str
    initial : ndarray, shape (n_species,)
        [mol/kg], of ``inert`` [kg/kg].
    mass : ndarray, shape (n_species,)
        Molar mass [kg/mol], 1 for ``inert``.
    steps : tuple of Step
    enthalpy : ndarray, shape (n_grid, n_species)
        [J/mol] over `GRID`.
    gas_enthalpy : ndarray, shape (n_grid, 8)
    lnp : ndarray, shape (n_grid, n_steps)
        ln of the equilibrium pressure [bar].
    phases : mapping of str to float
        Minerals of the feed [wt% dry].
    source : Source
        Of the mineralogy.
    moisture : float
        Free water [kg/kg dry feed].
    formulas : mapping of str to str
    assumptions, warnings : list of str
    idle : tuple of Idle
        Reactions that these solids are known for and that do not run here.
    sources : tuple of Source
        Of the heats.
    stood : mapping of str to str
        Phases whose enthalpy is that of a stand-in, and how far off it may be.
    """

    species: tuple[str, ...]
    initial: FloatArray
    mass: FloatArray
    steps: tuple[Step, ...]
    enthalpy: FloatArray
    gas_enthalpy: FloatArray
    lnp: FloatArray
    phases: Mapping[str, float]
    source: Source
    moisture: float
    formulas: Mapping[str, str]
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    idle: tuple[Idle, ...] = ()
    sources: tuple[Source, ...] = ()
    stood: Mapping[str, str] = field(default_factory=dict)

    @property
    def nu(self) -> FloatArray:
        """Solids, shape (n_steps, n_species)."""
        return np.array([[s.stoichiometry.get(x, 0.0) for x in self.species] for s in self.steps]).reshape(
            len(self.steps), len(self.species)
        )

    @property
    def nu_gas(self) -> FloatArray:
        """Gases, shape (n_steps, 8)."""
        return np.array([[s.gas.get(g, 0.0) for g in GASES] for s in self.steps]).reshape(len(self.steps), len(GASES))

    @property
    def oxygen_need(self) -> float:
        """Oxygen that the reactions of the network take up in all [mol/kg]."""
        return sum(-s.gas.get("O2", 0.0) * s.total for s in self.steps if s.gas.get("O2", 0.0) < 0)

    def kernel(self) -> tuple[Any, ...]:
        """Arrays of the kernels; see `_kernels`."""
        kinds = {"free": 0.0, "equilibrium": 1.0, "oxygen": 2.0, "ramp": 3.0}
        rp = np.zeros((len(self.steps), 11))
        for i, s in enumerate(self.steps):
            rp[i] = (
                s.A, s.Ea, s.model.code, s.model.n, s.model.m, s.model.p, s.total, kinds[s.kind],
                GASES.index(s.by_gas), s.order, abs(s.gas.get(s.by_gas, 0.0)),
            )  # fmt: skip
            if s.kind == "ramp":
                rp[i, 8:10] = s.ramp
        return (
            np.ascontiguousarray(self.initial), np.ascontiguousarray(self.nu), np.ascontiguousarray(self.nu_gas), rp,
            np.ascontiguousarray(self.lnp), np.ascontiguousarray(self.enthalpy),
            np.ascontiguousarray(self.gas_enthalpy), T_FIRST, T_STEP,
        )  # fmt: skip

    def elements(self, amounts: FloatArray) -> dict[str, float]:
        """Moles of each element in amounts of the species [mol/kg]."""
        out: dict[str, float] = {}
        for name, n in zip(self.species, amounts, strict=True):
            for element, k in atoms(self.formulas[name]).items() if name != INERT else ():
                out[element] = out.get(element, 0.0) + float(n) * k
        return out

    def heat(self, amounts: FloatArray, temperature_K: float) -> float:
        """Enthalpy of amounts of the species [J/kg feed]."""
        return float(amounts @ at(self.enthalpy, temperature_K))


def build(
    feed: Mineralogy,
    *,
    reactions: Iterable[Any] | None = None,
    moisture: float = 0.0,
    thermo: Thermochemistry | None = None,
    extra_inert: float = 0.0,
    pressures: Mapping[str, float] | None = None,
    clinker: ClinkerStages | None = None,
) -> BedChemistry:
    """Lay out a feed of minerals with the reactions that they can undergo.

    Parameters
    ----------
    feed : Mineralogy
        Minerals by their thermochemical names [wt% of the dry feed]; what is missing to 100 is inert.
    reactions : iterable of wastelab.reference.kinetics.Reaction, optional
        The shipped network by default.
    moisture : float
        Free water [kg/kg dry feed].
    thermo : Thermochemistry, optional
    extra_inert : float
        Inert mass beside the feed, such as a crucible, as kg of heat capacity 1 kJ/(kg K) per kg feed.
    pressures : mapping of str to float, optional
        Typical gas [bar], which decides between reactions that exclude each other.
    clinker : ClinkerStages, optional
        Let clinker form; see `clinker_steps`.

    Raises
    ------
    MissingDataError, CompositionError, UnknownNameError, ValidityError
    """
    thermo = thermo or thermochemistry()
    gas = dict(pressures or {})
    pool = [r for r in (_shipped() if reactions is None else reactions) if r.reactant != WATER]
    network = {r.id: r for r in pool if r.runs(gas)}
    if clinker is not None:
        network = {k: r for k, r in network.items() if r.gas and "anhydrite" not in r.consumed}
    if not 0 <= moisture < 20:
        raise ValidityError(f"moisture = {moisture:g} kg/kg dry feed is not between 0 and 20.")
    known = _formulas(network.values(), thermo)
    phases = {k: float(v) for k, v in feed.phases.items() if v > 0 and k in known and k != WATER}
    left_out = [k for k, v in feed.phases.items() if v > 0 and k not in phases and k != UNIDENTIFIED]
    total = sum(phases.values())
    rest = max(100.0 - total, 0.0)
    if rest > INERT_REFUSE:
        raise MissingDataError(
            f"Data cover only {total:.3g} wt% of the dry feed; at least {100 - INERT_REFUSE:g} is needed, because the "
            f"rest reacts with nothing in the model. Without data: {', '.join(left_out) or 'what is not identified'}. "
            "Complete the mineralogy, or add data."
        )
    assumptions, warnings = [feed.statement], list(feed.warnings)
    if rest > 1e-6:
        assumptions.append(
            f"{rest:.3g} wt% of the feed ({', '.join([*left_out, 'not identified'])}) is inert with a heat capacity of "
            "1 kJ/(kg K)"
        )
        if rest > INERT_WARN:
            warnings.append(f"{rest:.3g} wt% of the feed is carried as inert")
    if total > 100.0:
        phases = {k: v * 100.0 / total for k, v in phases.items()}
    amount = {k: v * 10.0 / molar_mass(known[k]) for k, v in phases.items() if v > 0}
    steps = [] if moisture <= 0 else [water_step(moisture)]
    steps += reachable(amount, network, thermo, known, assumptions)
    if moisture > 0:
        amount[WATER] = moisture * 1000.0 / molar_mass("H2O")
        known = {**known, WATER: "H2O"}
    idle = idle_reactions(
        pool, network, {*amount, *(k for s in steps for k in s.stoichiometry)}, gas, thermo, clinker is not None
    )
    inert = rest / 100.0 + extra_inert
    if clinker is not None:
        from .clinker import clinker_steps

        steps += clinker_steps(amount, steps, known, clinker, thermo, assumptions)
    chem = assemble(amount, inert, steps, phases, feed.source, moisture, thermo, known, assumptions, warnings, network)
    return replace(chem, idle=idle)


def assemble(
    amount: Mapping[str, float],
    inert: float,
    steps: list[Step],
    phases: Mapping[str, float],
    source: Source,
    moisture: float,
    thermo: Thermochemistry,
    formulas: Mapping[str, str],
    assumptions: list[str],
    warnings: list[str],
    network: Mapping[str, Any] | None = None,
) -> BedChemistry:
    """Arrays of given amounts [mol/kg] and steps."""
    names = list(dict.fromkeys([*amount, *(x for s in steps for x in s.stoichiometry)]))
    species = (*names, INERT)
    initial = np.array([*(amount.get(n, 0.0) for n in names), inert])
    mass = np.array([*(molar_mass(formulas[n]) / 1000.0 for n in names), 1.0])
    for s in steps:
        balanced(s, formulas)
    tables: dict[str, FloatArray] = {n: on_grid(thermo, n) for n in names if n in thermo}
    tables[WATER] = water.enthalpy(GRID)
    tables[INERT] = INERT_CP * (GRID - T0)
    gases = gas_table(thermo)
    unnamed: list[str] = []
    stood: dict[str, str] = {}
    heats = [thermo[n].source for n in names if n in thermo]
    for name in names:
        if name not in tables and name in (known := stand_ins()) and all(p in thermo for p in known[name].parts):
            tables[name] = np.asarray(sum(v * on_grid(thermo, p) for p, v in known[name].parts.items()))
            stood[name] = known[name].reason
            heats.append(known[name].source)
    for s in steps:
        unknown = [x for x in s.stoichiometry if x not in tables]
        if not unknown:
            continue
        heat = getattr((network or {}).get(s.id), "enthalpy", None)
        if heat is None:
            raise MissingDataError(
                f"reaction {s.id!r}: there are no enthalpies of {', '.join(unknown)} and no heat of reaction; add the "
                "phase to a thermochemical table, or leave the phase out of phases (it is then carried as inert)."
            )
        for name in unknown[:-1]:  # only differences count: any zero will do
            tables[name] = INERT_CP * molar_mass(formulas[name]) / 1000.0 * (GRID - T0)
        unnamed.extend(unknown)
        rest = sum(v * tables[x] for x, v in s.stoichiometry.items() if x in tables) + gases @ np.array(
            [s.gas.get(g, 0.0) for g in GASES]
        )
        tables[unknown[-1]] = (float(heat) - rest) / s.stoichiometry[unknown[-1]]
    for name in names:
        if name not in tables:
            tables[name] = INERT_CP * molar_mass(formulas[name]) / 1000.0 * (GRID - T0)
            unnamed.append(name)
    if unnamed:
        assumptions.append(
            "no thermochemical data for " + ", ".join(dict.fromkeys(unnamed)) + ": heat capacity 1 kJ/(kg K), heat of "
            "reaction as published at 298 K and constant"
        )
    lnp = np.zeros((len(GRID), len(steps)))
    for i, s in enumerate(steps):
        if WATER in s.stoichiometry:
            lnp[:, i] = np.log(water.saturation_pressure(GRID))
        elif s.kind == "equilibrium":
            lnp[:, i] = ln_pressure(s.stoichiometry, s.gas, s.by_gas, thermo)
    top = [n for n in names if n in thermo and thermo[n].T_max < 1700.0]
    if top:
        assumptions.append("heat capacity constant above the data of " + ", ".join(top))
    assumptions.append("gases above 1800 K with the heat capacity of 1800 K (enthalpy low by at most 1 % at 2400 K)")
    if moisture > 0:
        assumptions.append(str(water.SOURCE))
    if initial[-1] > 0:
        heats.append(INERT_SOURCE)
    return BedChemistry(
        species, initial, mass, tuple(steps), np.stack([tables[n] for n in species], axis=1), gases, lnp,
        dict(phases), source, moisture, dict(formulas), assumptions, warnings, sources=tuple(dict.fromkeys(heats)),
        stood=stood,
    )  # fmt: skip


def _shipped() -> list[Any]:
    from ...reference.kinetics import reactions

    return list(reactions().values())


def _formulas(network: Iterable[Any], thermo: Thermochemistry) -> dict[str, str]:
    out = {n: p.formula for n, p in thermo.items() if p.state == "solid"}
    for r in network:
        for name, formula in getattr(r, "formulas", {}).items():
            out.setdefault(name, formula)
    return out
