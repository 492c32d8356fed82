"""The solids of a kiln as arrays: phases, reactions, enthalpy and equilibrium pressure over temperature.

Reactions and their rates are those of `wastelab.reference.kinetics`; heats follow from the thermochemistry. Above the
range of a phase its heat capacity is held constant. Clinker forms in two stages, to the equilibrium phases below the
alite limit and then to those of the burning zone, because rates of the single clinker reactions are not known well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...errors import CompositionError, DatasetError, MissingDataError, UnknownNameError, ValidityError
from ...provenance import Evidence, Source
from ...reference.files import find_files, read_toml
from ...reference.thermochemistry import GAS_CONSTANT, Phase, Thermochemistry, thermochemistry
from .. import water
from ..kinetics.mineralogy import Mineralogy
from ..kinetics.models import ReactionModel, reaction_model

if TYPE_CHECKING:
    from .clinker import ClinkerStages

FloatArray = NDArray[np.float64]

GASES = ("N2", "O2", "CO2", "H2O", "SO2", "CO", "SO3", "H2")
T_FIRST, T_STEP, T_LAST = 200.0, 5.0, 3300.0
GRID = np.arange(T_FIRST, T_LAST + T_STEP / 2, T_STEP)
T0 = 298.15
WATER, INERT, UNIDENTIFIED = water.NAME, "inert", "unidentified"
#: Heat capacity of what has no data [J/(kg K)].
INERT_CP = 1000.0
INERT_SOURCE = Source("heat capacity of silicates and oxides, about 1 kJ/kg/K, from memory", Evidence.MEMORY)
#: Share of unidentified mass [wt%] that is carried as inert with a warning, and that is refused.
INERT_WARN, INERT_REFUSE = 2.0, 25.0


@dataclass(frozen=True)
class Step:
    """A reaction as the kernels take it, per mole of extent.

    Attributes
    ----------
    id : str
    stoichiometry : mapping of str to float
        Mol of each solid; negative is consumed.
    gas : mapping of str to float
        Mol of each gas given off; negative is taken up.
    A, Ea : float
        [1/s], [J/mol]
    model : ReactionModel
    total : float
        Extent at completion [mol/kg].
    kind : str
        ``"free"``, ``"equilibrium"``, ``"oxygen"`` or ``"ramp"``.
    by_gas : str
        Gas of the approach to equilibrium or of the oxygen term.
    order : float
    ramp : tuple of float
        Temperatures from which it can run and at which all of it can [K]; linear in between.
    source : Source
    """

    id: str
    stoichiometry: Mapping[str, float]
    gas: Mapping[str, float]
    A: float
    Ea: float
    model: ReactionModel
    total: float
    source: Source
    kind: str = "free"
    by_gas: str = "CO2"
    order: float = 1.0
    ramp: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Idle:
    """A known reaction that the model leaves out.

    Attributes
    ----------
    id, reactant, reason : str
    onset_K : float
        Temperature above which it is to be expected [K].
    """

    id: str
    reactant: str
    reason: str
    onset_K: float


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


def at(table: FloatArray, temperature_K: float) -> FloatArray:
    """Row of a table over `GRID` at a temperature, linear between, as the kernels read it."""
    x = (temperature_K - T_FIRST) / T_STEP
    i = min(max(int(x), 0), len(GRID) - 2)
    return np.asarray(table[i] + (x - i) * (table[i + 1] - table[i]))


def on_grid(thermo: Thermochemistry, name: str) -> FloatArray:
    """Enthalpy of a phase over `GRID` [J/mol]; outside its range with the heat capacity of the end."""
    return _phase_table(thermo[name])


@lru_cache(maxsize=512)
def _phase_table(phase: Phase) -> FloatArray:
    clipped = np.clip(GRID, max(phase.T_min, T0), phase.T_max)
    return np.asarray(phase.enthalpy(clipped) + phase.heat_capacity(clipped) * (GRID - clipped))


def gas_table(thermo: Thermochemistry) -> FloatArray:
    """Enthalpy of the gases over `GRID` [J/mol]."""
    return np.stack([on_grid(thermo, f"{g}(g)") for g in GASES], axis=1)


def water_step(moisture: float) -> Step:
    """Drying of free water."""
    from ...reference.kinetics import triplets

    t = triplets()["free_water/eskelinen-2015"]
    return Step(
        "free_water", {WATER: -1.0}, {"H2O": 1.0}, float(t.A or 0.0), float(t.Ea), _model(t.model),
        moisture * 1000.0 / molar_mass("H2O"), t.source, "equilibrium", "H2O",
    )  # fmt: skip


def _model(model: Any) -> ReactionModel:
    return model if isinstance(model, ReactionModel) else reaction_model(str(model))


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
    steps += _reachable(amount, network, thermo, known, assumptions)
    if moisture > 0:
        amount[WATER] = moisture * 1000.0 / molar_mass("H2O")
        known = {**known, WATER: "H2O"}
    idle = _idle(pool, network, {*amount, *(k for s in steps for k in s.stoichiometry)}, thermo, clinker is not None)
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
        _balanced(s, formulas)
    tables: dict[str, FloatArray] = {n: on_grid(thermo, n) for n in names if n in thermo}
    tables[WATER] = water.enthalpy(GRID)
    tables[INERT] = INERT_CP * (GRID - T0)
    gases = gas_table(thermo)
    unnamed: list[str] = []
    for name in names:
        if name not in tables and name in (known := stand_ins()):
            parts, reason = known[name]
            tables[name] = np.asarray(sum(v * on_grid(thermo, p) for p, v in parts.items()))
            warnings.append(f"enthalpy of {name}: {reason}")
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
            lnp[:, i] = _ln_pressure(s.stoichiometry, s.gas, s.by_gas, thermo)
    top = [n for n in names if n in thermo and thermo[n].T_max < 1700.0]
    if top:
        assumptions.append("heat capacity constant above the data of " + ", ".join(top))
    assumptions.append("gases above 1800 K with the heat capacity of 1800 K (enthalpy low by at most 1 % at 2400 K)")
    if moisture > 0:
        assumptions.append(str(water.SOURCE))
    heats = [thermo[n].source for n in names if n in thermo]
    if any(n in stand_ins() and n not in thermo for n in names):
        heats.append(Source("heats of stand-ins, datasets/equipment/stand_ins.toml", Evidence.MEMORY))
    if initial[-1] > 0:
        heats.append(INERT_SOURCE)
    return BedChemistry(
        species, initial, mass, tuple(steps), np.stack([tables[n] for n in species], axis=1), gases, lnp,
        dict(phases), source, moisture, dict(formulas), assumptions, warnings, sources=tuple(dict.fromkeys(heats)),
    )  # fmt: skip


@cache
def stand_ins() -> dict[str, tuple[dict[str, float], str]]:
    """Parts [mol/mol] and reason of each stand-in for a phase without enthalpy."""
    out: dict[str, tuple[dict[str, float], str]] = {}
    for file in find_files("datasets", "equipment/stand_ins.toml"):
        for name, entry in read_toml(file).get("phase", {}).items():
            if not isinstance(entry.get("parts"), Mapping) or not isinstance(entry.get("reason"), str):
                raise DatasetError(f"{file}, phase.{name}: needs parts = {{ phase = mol }} and reason.")
            parts = {k: float(Fraction(v) if isinstance(v, str) else v) for k, v in entry["parts"].items()}
            out.setdefault(name, (parts, entry["reason"]))
    return out


def _shipped() -> list[Any]:
    from ...reference.kinetics import reactions

    return list(reactions().values())


def _formulas(network: Iterable[Any], thermo: Thermochemistry) -> dict[str, str]:
    out = {n: p.formula for n, p in thermo.items() if p.state == "solid"}
    for r in network:
        for name, formula in getattr(r, "formulas", {}).items():
            out.setdefault(name, formula)
    return out


def _balanced(step: Step, formulas: Mapping[str, str]) -> None:
    off: dict[str, float] = {}
    pairs = [(formulas[k], v) for k, v in step.stoichiometry.items() if k != INERT]
    for formula, n in [*pairs, *step.gas.items()]:
        for element, k in atoms(formula).items():
            off[element] = off.get(element, 0.0) + n * k
    wrong = {e: v for e, v in off.items() if abs(v) > 1e-7}
    if wrong:
        raise CompositionError(
            f"reaction {step.id!r} does not balance: " + ", ".join(f"{e} {v:+.3g}" for e, v in wrong.items())
        )


def _reachable(
    amount: Mapping[str, float],
    network: Mapping[str, Any],
    thermo: Thermochemistry,
    formulas: Mapping[str, str],
    assumptions: list[str],
) -> list[Step]:
    """Reactions of the phases present and of what they form, in an order in which supply comes first."""
    supply = dict(amount)
    done: dict[str, Step] = {}
    progress = True
    while progress:
        progress = False
        for r in network.values():
            if r.id in done or r.triplet is None or r.triplet.A is None or supply.get(r.reactant, 0.0) <= 0:
                continue
            waits = [o for o in network.values() if o.id not in done and o.id != r.id and r.reactant in o.produced]
            if any(o.triplet is not None and supply.get(o.reactant, 0.0) > 0 for o in waits):
                continue
            if not all(supply.get(c, 0.0) > 0 for c in r.consumed):
                continue
            stoich = {**{k: -float(v) for k, v in r.consumed.items()}}
            stoich.setdefault(r.reactant, -1.0)
            for k, v in r.produced.items():
                stoich[k] = stoich.get(k, 0.0) + float(v)
            gas = {g.removesuffix("(g)"): float(v) for g, v in r.gas.items()}
            odd = [g for g in gas if g not in GASES]
            if odd:
                raise UnknownNameError(f"reaction {r.id!r} gives off {odd[0]!r}; gases here are {', '.join(GASES)}.")
            extent = min(supply[k] / -v for k, v in stoich.items() if v < 0)
            approach = r.approach or {}
            kind = {"equilibrium": "equilibrium", "oxygen": "oxygen"}.get(approach.get("kind", ""), "free")
            if kind == "equilibrium" and any(k not in thermo for k in stoich):
                kind = "free"
                assumptions.append(f"{r.id}: no equilibrium pressure, because a phase has no Gibbs energy")
            done[r.id] = Step(
                r.id, stoich, gas, float(r.triplet.A), float(r.triplet.Ea), _model(r.triplet.model), extent,
                r.triplet.source, kind,
                str(approach.get("gas", "O2" if kind == "oxygen" else "CO2")).removesuffix("(g)"),
                float(approach.get("order", 1.0)),
            )  # fmt: skip
            for k, v in stoich.items():
                if v > 0:
                    supply[k] = supply.get(k, 0.0) + v * extent
            progress = True
    return list(done.values())


def _idle(
    pool: Iterable[Any], network: Mapping[str, Any], present: set[str], thermo: Thermochemistry, clinker: bool
) -> tuple[Idle, ...]:
    """Reactions of the solids present that have no rate law, or whose gas is not there."""
    from ...reference.kinetics import windows

    out, runs = [], {r.reactant for r in network.values() if r.triplet is not None}
    for r in pool:
        if not set(r.consumed) <= present or (r.reactant in runs and r.triplet is not None):
            continue
        if clinker and (not r.gas or "anhydrite" in r.consumed):
            continue  # the stages of clinker do it
        if r.id in network and r.triplet is None:
            reason = "has no rate law"
        elif r.id not in network and r.reactant not in runs and all(o.reactant != r.reactant for o in network.values()):
            reason = "does not run in this gas (" + ", ".join(
                f"p({c.gas}) from {c.low:g} to {c.high:g} bar" for c in r.conditions
            ) + ")"  # fmt: skip
        else:
            continue
        onset = 573.0 if r.gas else 1073.0
        if r.id in windows():
            onset = windows()[r.id].T_low - 50.0
        elif r.approach and r.approach.get("kind") == "equilibrium" and all(k in thermo for k in r.stoichiometry):
            gas = str(r.approach["gas"]).removesuffix("(g)")
            moles = {g.removesuffix("(g)"): v for g, v in r.gas.items()}
            solids = {k: v for k, v in r.stoichiometry.items() if not k.endswith("(g)")}
            lnp = _ln_pressure(solids, moles, gas, thermo)
            onset = float(np.interp(np.log(1e-3), lnp, GRID))
        out.append(Idle(r.id, r.reactant, reason, onset))
    return tuple(out)


def _ln_pressure(
    solids: Mapping[str, float], gases: Mapping[str, float], gas: str, thermo: Thermochemistry
) -> FloatArray:
    """ln of the pressure of a gas [bar] at which a reaction stands still, over `GRID`; other gases at 1 bar."""
    reaction = {**solids, **{f"{g}(g)": v for g, v in gases.items()}}
    low = max(T0, *(thermo[k].T_min for k in reaction))
    high = min(thermo[k].T_max for k in reaction)
    n = gases[gas]
    inside = np.clip(GRID, low, high)
    ln = -thermo.reaction_gibbs(reaction, inside) / (n * GAS_CONSTANT * inside)
    heat = thermo.reaction_enthalpy(reaction, inside)
    return np.asarray(ln - heat / (n * GAS_CONSTANT) * (1.0 / GRID - 1.0 / inside))
