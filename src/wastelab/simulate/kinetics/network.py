"""Networks of reactions: which of the known reactions run in a mix, in arrays that kernels take.

A reaction belongs to the network if its gas conditions are met and all it consumes is present or made by another one.
Reactions without a rate law do not run, nor do those that a gas excludes or that wait for the product of one without a
rate law; all of these are named, because what they would change stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import MINERALS, atoms, molar_mass
from ...errors import CompositionError, UnknownNameError, ValidityError, suggest
from ...reference.kinetics import GASES, LIQUID, Reaction, Triplet
from ...reference.kinetics import reactions as shipped_reactions
from ...reference.kinetics import triplet as shipped_triplet
from ...reference.thermochemistry import Thermochemistry, thermochemistry
from ..heating import TemperatureProgram
from ..water import saturation_pressure
from .models import ReactionModel, reaction_model

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Names in use for phases that the tables call otherwise.
ALIASES = {
    "carbon": "graphite", "organic_carbon": "graphite", "coal": "graphite", "char": "graphite",
    "bassanite": "bassanite_beta", "hemihydrate": "bassanite_beta", "beta_hemihydrate": "bassanite_beta",
    "alpha_hemihydrate": "bassanite_alpha", "free_lime": "lime", "metakaolin": "metakaolinite",
    "cristobalite": "cristobalite_beta", "mullite": "mullite_3to2", "chlorite": "clinochlore",
    "moisture": "water", "free_water": "water", "glass": "amorphous", "c4a3s": "yeelimite", "ye'elimite": "yeelimite",
    "c2s": "C2S_beta", "belite": "C2S_beta", "c3s": "C3S_M3", "alite": "C3S_M3", "hydroxysodalite": "sodalite",
    "k-feldspar": "microcline", "orthoclase": "microcline",
}  # fmt: skip
#: Temperature from which gypsum turns into alpha-hemihydrate under liquid water within hours, from memory [K].
ALPHA_FROM_K = 383.15
#: Solids without formula: mass that takes no part.
INERT = ("amorphous", "unidentified")


@dataclass(frozen=True)
class Network:
    """Reactions among the phases of a mix.

    Attributes
    ----------
    phases : tuple of str
        Solids (and ``water``), those of the mix first.
    formulas : mapping of str to str
        Of the phases that have one; `INERT` ones have none.
    reactions : tuple of Reaction
        With the triplets in use, ordered so that what feeds a reaction comes before it where that is possible.
    models : tuple of ReactionModel
    unknown : mapping of str to str
        Reactions that could run but have no rate law, with the phase they would take.
    gases : tuple of str
        ``CO2(g)`` and so on.
    excluded : mapping of str to str
        Reactions of phases that are there which the gas does not let run, with what it lacks; none where the gas makes
        the phase react otherwise.
    blocked : mapping of str to str
        Reactions that wait for a product of one without a rate law, with its id.
    pool : mapping of str to Reaction
        All reactions there was a choice of.
    pressures : mapping of str to float
        The gas that conditions were held against [bar]; see `wastelab.reference.kinetics.LIQUID`.
    consumed, produced : ndarray, shape (n_reactions, n_phases)
        [mol per mol of reactant]
    gas : ndarray, shape (n_reactions, n_gases)
        Released, negative where taken up [mol per mol of reactant].
    molar : ndarray, shape (n_phases,)
        Molar mass [kg/mol]; 1 for `INERT` ones, whose amounts are kg.
    """

    phases: tuple[str, ...]
    formulas: Mapping[str, str]
    reactions: tuple[Reaction, ...]
    models: tuple[ReactionModel, ...]
    unknown: Mapping[str, str]
    gases: tuple[str, ...]
    consumed: FloatArray
    produced: FloatArray
    gas: FloatArray
    molar: FloatArray
    excluded: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    pool: Mapping[str, Reaction] = field(default_factory=dict)
    pressures: Mapping[str, float] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the reactions."""
        return tuple(r.id for r in self.reactions)

    @property
    def gas_molar(self) -> FloatArray:
        """Molar masses of the gases [kg/mol]."""
        return np.array([molar_mass(g[:-3]) / 1e3 for g in self.gases])

    def amounts(self, extents: FloatArray, start: FloatArray) -> FloatArray:
        """Solids [mol/kg], shape (..., n_phases), after extents (..., n_reactions) from a start (n_phases,)."""
        return np.asarray(start + extents @ (self.produced - self.consumed))

    def released(self, extents: FloatArray) -> FloatArray:
        """Gas given off [mol/kg], shape (..., n_gases)."""
        return np.asarray(extents @ self.gas)

    def elements(self) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
        """Elements, atoms per phase (n_phases, n_elements) and per gas (n_gases, n_elements)."""
        names = sorted({e for f in (*self.formulas.values(), *(g[:-3] for g in self.gases)) for e in atoms(f)})
        of = [atoms(self.formulas[p]) if p in self.formulas else {} for p in self.phases]
        solids = np.array([[a.get(e, 0.0) for e in names] for a in of])
        gases = np.array([[atoms(g[:-3]).get(e, 0.0) for e in names] for g in self.gases])
        return tuple(names), solids, gases.reshape(len(self.gases), len(names))


def phase_name(name: str, thermo: Thermochemistry | None = None) -> str:
    """The name under which tables and reactions know a phase; a formula names a phase nothing is known of.

    Raises
    ------
    UnknownNameError
        With a near name.
    """
    known = _known_names()
    table = thermo or thermochemistry()
    if name in table or name in known.values():
        return name
    key = _key(name)
    if key in known:
        return known[key]
    try:
        atoms(name)
    except CompositionError:
        near = suggest(key, {*known, *table.names})
        raise UnknownNameError(
            f"There is no phase {name!r}.{near} Phases are named as in the thermochemical table and the reactions "
            "(kaolinite, quartz, calcite, gypsum ...); give one that is in neither by its formula, and glass as "
            "'amorphous'."
        ) from None
    return name


def formula_of(name: str, thermo: Thermochemistry | None = None) -> str:
    """Formula of a phase of the tables, the reactions, or its own name; empty for `INERT` ones."""
    if name in INERT:
        return ""
    table = thermo or thermochemistry()
    if name in table:
        return table[name].formula
    for r in shipped_reactions().values():
        if name in r.formulas:
            return r.formulas[name]
    return MINERALS.get(name, name)


def build(
    phases: Iterable[str],
    reactions: Iterable[str | Reaction] | Mapping[str, Reaction] | None = None,
    *,
    triplets: Mapping[str, Triplet | str | tuple[float, float, str]] | None = None,
    pressures: Mapping[str, float] | None = None,
    program: TemperatureProgram | None = None,
    thermo: Thermochemistry | None = None,
) -> Network:
    """The reactions that run among phases in a gas.

    Parameters
    ----------
    phases : iterable of str
        What is there at the start, under any name `phase_name` knows.
    reactions : iterable of str or Reaction, optional
        Only these (ids, or reactions of your own); all shipped ones by default.
    triplets : mapping of str to Triplet, str or (A, Ea, model), optional
        Rate laws by reaction id in place of the defaults: a `Triplet`, the id of a shipped one, or A [1/s], Ea [J/mol]
        and the name of a model.
    pressures : mapping of str to float, optional
        Partial pressures [bar] (``{"O2": 0.21}``); decides between reactions with conditions. Air by default.
    program : TemperatureProgram, optional
        Decides with them whether there is liquid water on the solid; see `liquid_water`.
    thermo : Thermochemistry, optional

    Returns
    -------
    Network

    Raises
    ------
    UnknownNameError, ValidityError
    """
    pool = _pool(reactions)
    own = own_phases(pool)
    present = list(dict.fromkeys(p if p in own else phase_name(p, thermo) for p in phases))
    for name in triplets or {}:
        if name not in pool:
            raise UnknownNameError(f"triplets: there is no reaction {name!r}.{suggest(name, pool)}")
    laws = {k: _triplet(k, v) for k, v in (triplets or {}).items()}
    pool = {k: replace(r, triplet=laws.get(k, r.triplet)) for k, r in pool.items()}
    gas = {"O2": 0.21, "N2": 0.79} if pressures is None else dict(pressures)
    gas.setdefault(LIQUID, float(liquid_water(gas.get("H2O", 0.0), program)))
    there, chosen = set(present), {}
    unknown: dict[str, str] = {}
    while True:  # products of one reaction let others run
        new = [r for k, r in pool.items() if k not in chosen and r.runs(gas) and set(r.consumed) <= there]
        for r in new:
            if r.triplet is None:
                unknown[r.id] = r.reactant
        new = [r for r in new if r.triplet is not None]
        if not new:
            break
        for r in new:
            chosen[r.id] = r
            there |= set(r.produced)
    busy = {r.reactant for k, r in pool.items() if k in chosen or k in unknown}
    excluded = {
        k: f"needs {' and '.join(map(str, unmet))}"
        for k, r in pool.items()
        if set(r.consumed) <= there and r.reactant not in busy and (unmet := r.unmet(gas))
    }
    blocked = _blocked(pool, there, unknown, chosen, gas)
    ordered = _order(list(chosen.values()))
    names = list(dict.fromkeys([*present, *(p for r in ordered for p in (*r.consumed, *r.produced))]))
    formulas = {n: f for n in names if (f := _formula(n, ordered, thermo))}
    gases = tuple(g for g in GASES if any(g in r.gas for r in ordered))
    shape = (len(ordered), len(names))
    consumed, produced, released = np.zeros(shape), np.zeros(shape), np.zeros((len(ordered), len(gases)))
    for i, r in enumerate(ordered):
        for p, n in r.consumed.items():
            consumed[i, names.index(p)] = n
        for p, n in r.produced.items():
            produced[i, names.index(p)] = n
        for g, n in r.gas.items():
            released[i, gases.index(g)] = n
        if len(r.consumed) > 4:
            raise ValidityError(f"reaction {r.id}: consumes {len(r.consumed)} solids; at most 4 can be computed.")
    molar = np.array([molar_mass(formulas[n]) / 1e3 if n in formulas else 1.0 for n in names])
    models = tuple(reaction_model(r.triplet.model) for r in ordered if r.triplet is not None)
    return Network(
        tuple(names), formulas, tuple(ordered), models, unknown, gases, consumed, produced, released, molar,
        excluded, blocked, pool, gas,
    )  # fmt: skip


def liquid_water(p_H2O: float, program: TemperatureProgram | None = None) -> bool:
    """Whether water vapour of this pressure [bar] is liquid on the solid while gypsum reacts in it.

    True if somewhere from 110 degC upward the saturation pressure is not above it (1.43 bar at the least), and the
    program, where one is given, passes such a temperature: an autoclave. Superheated steam stays vapour.
    """
    if p_H2O < float(saturation_pressure(ALPHA_FROM_K)):
        return False
    if program is None:
        return True
    low, high = min(program.temperature_K), program.peak_K
    return high >= ALPHA_FROM_K and float(saturation_pressure(max(low, ALPHA_FROM_K))) <= p_H2O


def own_phases(reactions: Iterable[str | Reaction] | Mapping[str, Reaction] | None) -> set[str]:
    """Phases that reactions bring with their formula."""
    return {p for r in _pool(reactions).values() for p in r.formulas}


def _blocked(
    pool: Mapping[str, Reaction],
    there: set[str],
    unknown: Mapping[str, str],
    chosen: Mapping[str, Reaction],
    gas: Mapping[str, float],
) -> dict[str, str]:
    """Reactions that would run if those without a rate law did, with the first of these they wait for."""
    made: dict[str, str] = {}
    for k in unknown:
        for p in pool[k].produced:
            if p not in there:
                made.setdefault(p, k)
    out: dict[str, str] = {}
    while True:
        new = [
            r for k, r in pool.items()
            if k not in chosen and k not in unknown and k not in out and r.runs(gas)
            and set(r.consumed) <= there | set(made) and not set(r.consumed) <= there
        ]  # fmt: skip
        if not new:
            return out
        for r in new:
            out[r.id] = next(made[p] for p in r.consumed if p in made)
            for p in r.produced:
                if p not in there:
                    made.setdefault(p, out[r.id])


def _formula(name: str, reactions: list[Reaction], thermo: Thermochemistry | None) -> str:
    for r in reactions:
        if name in r.formulas:
            return r.formulas[name]
    return formula_of(name, thermo)


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


@cache
def _known_names() -> dict[str, str]:
    """Lower-case names in any language to the name of the tables."""
    from ...reference.phase_names import phase_names

    out: dict[str, str] = {}
    own = [p for r in shipped_reactions().values() for p in r.formulas]
    for name in (*own, *thermochemistry().names, *INERT):
        out.setdefault(_key(name), name)
    for alias, name in ALIASES.items():
        out.setdefault(_key(alias), name)
    for phase, entry in phase_names().items():
        for text in (entry.name, entry.name_zh, entry.symbol):
            out.setdefault(_key(text), phase)
    return out


def _pool(reactions: Iterable[str | Reaction] | Mapping[str, Reaction] | None) -> dict[str, Reaction]:
    known = shipped_reactions()
    if reactions is None:
        return dict(known)
    if isinstance(reactions, str | Reaction):
        reactions = [reactions]
    if not isinstance(reactions, Iterable):
        raise ValidityError(f"reactions = {reactions!r}; expected ids of reactions, or reactions.")
    out: dict[str, Reaction] = {}
    for item in reactions.values() if isinstance(reactions, Mapping) else reactions:
        if isinstance(item, Reaction):
            out[item.id] = item
        elif isinstance(item, str) and item in known:
            out[item] = known[item]
        else:
            near = suggest(str(item), known)
            raise UnknownNameError(f"There is no reaction {item!r}.{near} Known: {', '.join(known)}.")
    return out


def _triplet(reaction: str, value: Any) -> Triplet:
    from ...provenance import Evidence, Source

    if isinstance(value, Triplet):
        return value
    if isinstance(value, str):
        return shipped_triplet(value)
    try:
        a, ea, model = value
        a, ea = float(a), float(ea)
    except (TypeError, ValueError):
        raise ValidityError(
            f"triplets[{reaction!r}] = {value!r}; expected a Triplet, the id of one, or (A [1/s], Ea [J/mol], model)."
        ) from None
    if not a > 0 or not 1e3 <= ea <= 2e6:
        raise ValidityError(
            f"triplets[{reaction!r}]: A = {a:g} 1/s, Ea = {ea:g} J/mol; expected A above zero and Ea between 1 and "
            "2000 kJ/mol, in J/mol."
        )
    source = Source("typed by the user", Evidence.RECIPE)
    return Triplet(f"{reaction}/own", reaction, "", a, ea, str(model), None, None, False, source)


def _order(reactions: list[Reaction]) -> list[Reaction]:
    """Feeding reactions first; those of a cycle in the order given."""
    out: list[Reaction] = []
    rest = list(reactions)
    while rest:
        makes = [set(r.produced) for r in rest]
        free = [
            r for i, r in enumerate(rest)
            if not any(m & set(r.consumed) for j, m in enumerate(makes) if j != i)
        ]  # fmt: skip
        free = free or rest[:1]
        out += free
        rest = [r for r in rest if r not in free]
    return out
