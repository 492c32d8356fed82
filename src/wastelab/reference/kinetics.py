"""Kinetics of heating: published triplets (A, Ea, model) with their source, and the reactions they belong to.

Triplets stand in ``datasets/kinetics/triplets.csv``, reactions with stoichiometry in ``reactions.toml``, the windows in
which laboratories see a step in ``windows.csv``. Every reaction must balance to be read. Where nobody published a
triplet that predicts what laboratories see, a reaction has none, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chemistry.formulas import atoms
from ..errors import CompositionError, DatasetError, UnknownNameError, suggest
from ..provenance import Evidence, Source
from .files import find_files, read_toml
from .tables import Row, read_rows
from .thermochemistry import thermochemistry

if TYPE_CHECKING:
    import pandas as pd

#: Columns a table of triplets has beside id, source, evidence, licence.
COLUMNS = ("process", "reaction", "A_1_s", "Ea_kJ_mol", "model")
#: What the rate of a reaction may depend on beside temperature and conversion.
APPROACHES = ("equilibrium", "oxygen")
#: Gases that reactions release or take up.
GASES = ("CO2(g)", "CO(g)", "H2O(g)", "O2(g)", "SO2(g)", "SO3(g)", "N2(g)", "H2(g)")
#: In conditions: 1 where liquid water is on the solid while it reacts, 0 where not.
LIQUID = "H2O(l)"
#: Activation energy of a step law [J/mol]: the rate rises e-fold every few kelvin.
STEP_EA = 1.0e6
_GAS_CONSTANT = 8.31446261815324


@dataclass(frozen=True)
class Triplet:
    """A rate law d(alpha)/dt = A exp(-Ea/RT) f(alpha).

    Attributes
    ----------
    id : str
        ``"kaolinite/eskelinen-2015"``: process, then who.
    process : str
        What happens, the key of the window laboratories see it in.
    reaction : str
        As text.
    A : float
        [1/s]
    Ea : float
        [J/mol]
    model : str
        Name for `wastelab.simulate.kinetics.reaction_model`.
    T_low, T_high : float or None
        Range of the measurements [K]; None where the source does not say.
    default : bool
        Whether `reactions` may use it: its predicted peak is where laboratories see one.
    source : Source
    note, conditions : str
    peak_K, peak_rate_K_min : float or None
        Published peak that A was completed from, by the condition of Kissinger; None where A was published.
    """

    id: str
    process: str
    reaction: str
    A: float
    Ea: float
    model: str
    T_low: float | None
    T_high: float | None
    default: bool
    source: Source
    note: str = ""
    conditions: str = ""
    peak_K: float | None = None
    peak_rate_K_min: float | None = None


@dataclass(frozen=True)
class ReportedEnergy:
    """An activation energy published without the rest of its triplet: no rate follows from it.

    Attributes
    ----------
    id, process, reaction, model, conditions, note : str
    Ea, low, high : float or None
        Value and range [J/mol].
    source : Source
    """

    id: str
    process: str
    reaction: str
    Ea: float | None
    low: float | None
    high: float | None
    model: str
    conditions: str
    source: Source
    note: str = ""


@dataclass(frozen=True)
class Window:
    """Where laboratories see the DTG peak of a process at 10 K/min [K]."""

    process: str
    T_low: float
    T_high: float
    conditions: str
    source: Source


@dataclass(frozen=True)
class Condition:
    """The partial pressure of a gas between two limits [bar], lower included, upper not; `LIQUID` counts 0 or 1."""

    gas: str
    low: float
    high: float

    def met(self, pressure: float) -> bool:
        """Whether the reaction runs at this pressure of the gas [bar]."""
        return self.low <= pressure < self.high

    def __str__(self) -> str:
        if self.gas == LIQUID:
            return "liquid water on the solid" if self.low > 0 else "no liquid water on the solid"
        limits = [f"from {self.low:g}"] * (self.low > 0) + [f"below {self.high:g}"] * math.isfinite(self.high)
        return f"p({self.gas}) {' and '.join(limits)} bar"


@dataclass(frozen=True)
class NotModelled:
    """Something known to happen among phases that no reaction describes.

    Attributes
    ----------
    phases : tuple of str
        It takes all of them.
    conditions : tuple of Condition
    above_K : float
        Temperature from which it may be seen [K].
    text, text_zh : str
    source : Source
    """

    phases: tuple[str, ...]
    conditions: tuple[Condition, ...]
    above_K: float
    text: str
    text_zh: str
    source: Source

    def happens(self, pressures: Mapping[str, float]) -> bool:
        """Whether it may happen in a gas of these partial pressures [bar]."""
        return all(c.met(float(pressures.get(c.gas, 0.0))) for c in self.conditions)


@dataclass(frozen=True)
class Reaction:
    """What becomes of a phase.

    Attributes
    ----------
    id, name, name_zh : str
    reactant : str
        Phase whose conversion is meant: extent 1 = all of it is gone.
    consumed, produced : mapping of str to float
        Solids, mol per mol of reactant (the reactant itself is in `consumed`).
    gas : mapping of str to float
        ``{"CO2(g)": 1}``: released (positive) or taken up (negative), mol per mol of reactant.
    triplet : Triplet or None
        Default rate law; None where none is trusted.
    approach : dict or None
        ``{"gas": "CO2", "kind": "equilibrium"}``: the rate times 1 - (Q/K)^(1/n), n the moles of that gas: for one
        gas 1 - p/p_eq. ``{"gas": "O2", "kind": "oxygen", "order": 1.0}``: times (p_O2 / 0.21 bar)^order.
    after : tuple of str
        Reactions whose product it consumes.
    conditions : tuple of Condition
        When it runs at all; among reactions of one reactant they exclude each other.
    validity : str
        Limits, in words.
    source : Source
        Of stoichiometry and path.
    enthalpy : float or None
        Heat taken up at 298 K where the phases have no thermochemical data [J per mol of reactant]; None: unknown.
    enthalpy_source : str
    formulas : mapping of str to str
        Formula of each solid.
    onset : float or None
        Temperature below which laboratories see nothing of it [K]; None where nobody said.
    prompt_above : float or None
        The triplet is no rate law but a step at this temperature [K], see `step_law`.
    """

    id: str
    name: str
    name_zh: str
    reactant: str
    consumed: Mapping[str, float]
    produced: Mapping[str, float]
    gas: Mapping[str, float]
    triplet: Triplet | None
    approach: dict[str, Any] | None
    after: tuple[str, ...]
    conditions: tuple[Condition, ...]
    validity: str
    source: Source
    enthalpy: float | None = None
    enthalpy_source: str = ""
    formulas: Mapping[str, str] = field(default_factory=dict)
    onset: float | None = None
    prompt_above: float | None = None

    @property
    def stoichiometry(self) -> dict[str, float]:
        """All phases and gases, products positive, mol per mol of reactant."""
        out: dict[str, float] = {}
        for part, sign in ((self.consumed, -1.0), (self.produced, 1.0), (self.gas, 1.0)):
            for name, n in part.items():
                out[name] = out.get(name, 0.0) + sign * n
        return out

    def runs(self, pressures: Mapping[str, float]) -> bool:
        """Whether it runs in a gas of these partial pressures [bar] (``{"O2": 0.2}``)."""
        return not self.unmet(pressures)

    def unmet(self, pressures: Mapping[str, float]) -> tuple[Condition, ...]:
        """Its conditions that a gas of these partial pressures [bar] does not meet."""
        return tuple(c for c in self.conditions if not c.met(float(pressures.get(c.gas, 0.0))))


def triplets(*files: Path | str) -> dict[str, Triplet]:
    """Every complete triplet by id, those of named files and of folders in ``WASTELAB_DATA`` first.

    Raises
    ------
    DatasetError
        For a bad row; names file, line, column and value.
    """
    return dict(_triplets(tuple(str(f) for f in files)))


def triplet(name: str) -> Triplet:
    """One triplet by id.

    Raises
    ------
    UnknownNameError
    """
    known = _triplets(())
    if name not in known:
        raise UnknownNameError(f"There is no triplet {name!r}.{suggest(name, known)}")
    return known[name]


def reported_energies(*files: Path | str) -> dict[str, ReportedEnergy]:
    """Activation energies published without A or model: to compare fits with, not to predict."""
    out = {}
    for row in _rows(tuple(str(f) for f in files)):
        if row.number("A_1_s") is None:
            v = row.values
            out[v["id"]] = ReportedEnergy(
                v["id"], v["process"], v["reaction"], _kilo(row, "Ea_kJ_mol"), _kilo(row, "Ea_low_kJ_mol"),
                _kilo(row, "Ea_high_kJ_mol"), v["model"], v.get("conditions", ""), row.source, v.get("note", ""),
            )  # fmt: skip
    return out


@cache
def windows() -> dict[str, Window]:
    """Where laboratories see the peak of each process at 10 K/min."""
    out: dict[str, Window] = {}
    for file in find_files("datasets", "kinetics/windows*.csv"):
        for row in read_rows(file, ("T_low_K", "T_high_K", "conditions")):
            low, high = _need(row, "T_low_K"), _need(row, "T_high_K")
            if not 0 < low < high:
                raise DatasetError(f"{row.file}, line {row.line}, column T_high_K: {high:g} K is not above {low:g} K.")
            name = row.values["id"]
            out.setdefault(name, Window(name, low, high, row.values["conditions"], row.source))
    return out


def reactions(*files: Path | str) -> dict[str, Reaction]:
    """Every reaction by id, checked to balance.

    Parameters
    ----------
    *files : path
        Further files laid out as ``datasets/kinetics/reactions.toml``; a reaction in them replaces the shipped one.
        Files ``kinetics/reactions*.toml`` in a folder of ``WASTELAB_DATA`` are found without being named.

    Raises
    ------
    DatasetError
        For a reaction that does not balance, an unknown phase without formula, an unknown triplet; names file,
        reaction, field.
    """
    return dict(_reactions(tuple(str(f) for f in files)))


def not_modelled(*files: Path | str) -> tuple[NotModelled, ...]:
    """What is known to happen and described by no reaction, of the files that `reactions` reads.

    Raises
    ------
    DatasetError
    """
    return _not_modelled(tuple(str(f) for f in files))


def step_law(reaction: str, temperature_K: float, source: Source) -> Triplet:
    """A step in place of a rate law that nobody knows: nothing below a temperature, over at once above.

    Parameters
    ----------
    reaction : str
        Id.
    temperature_K : float
    source : Source
        Of that temperature.

    Notes
    -----
    First order, 1000 kJ/mol, A from the condition of Kissinger for a peak at that temperature at 10 K/min:
    the step is some 15 K wide at any usual heating rate. The two numbers describe the step, not the reaction.
    """
    k = (10.0 / 60.0) * STEP_EA / (_GAS_CONSTANT * temperature_K**2)
    celsius = temperature_K - 273.15
    return Triplet(
        f"{reaction}/step-at-{celsius:.0f}-degC", reaction, "", k * math.exp(STEP_EA / (_GAS_CONSTANT * temperature_K)),
        STEP_EA, "F1", None, None, False, source, note=f"no rate law: a step at {celsius:.0f} degC",
        conditions="any", peak_K=temperature_K, peak_rate_K_min=10.0,
    )  # fmt: skip


def reaction(name: str) -> Reaction:
    """One reaction by id.

    Raises
    ------
    UnknownNameError
    """
    known = _reactions(())
    if name not in known:
        raise UnknownNameError(f"There is no reaction {name!r}.{suggest(name, known)} Known: {', '.join(known)}.")
    return known[name]


def triplet_table() -> pd.DataFrame:
    """Complete triplets as a table."""
    import pandas as pd

    return pd.DataFrame(
        {
            "id": t.id, "process": t.process, "reaction": t.reaction, "A [1/s]": t.A, "Ea [kJ/mol]": t.Ea / 1e3,
            "model": t.model, "T_low [K]": t.T_low, "T_high [K]": t.T_high, "default": t.default,
            "evidence": str(t.source.evidence), "source": t.source.text, "note": t.note,
        }
        for t in triplets().values()
    ).set_index("id")  # fmt: skip


# ------------------------------------------------------------------------------------------- reading


@cache
def _rows(files: tuple[str, ...]) -> tuple[Row, ...]:
    paths = [Path(f) for f in files]
    for path in paths:
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such file; expected a table of triplets (CSV).")
    out: dict[str, Row] = {}
    for file in [*paths, *find_files("datasets", "kinetics/triplets*.csv")]:
        for row in read_rows(file, COLUMNS):
            out.setdefault(row.values["id"], row)
    return tuple(out.values())


def _need(row: Row, column: str) -> float:
    value = row.number(column)
    if value is None:
        raise DatasetError(f"{row.file}, line {row.line}, column {column}: is empty; expected a number.")
    return value


def _kilo(row: Row, column: str) -> float | None:
    value = row.number(column)
    return None if value is None else value * 1e3


@cache
def _triplets(files: tuple[str, ...]) -> dict[str, Triplet]:
    out: dict[str, Triplet] = {}
    chosen: dict[tuple[str, str], str] = {}
    for row in _rows(files):
        v, where = row.values, f"{row.file}, line {row.line}"
        a = row.number("A_1_s")
        default = v.get("default", "").strip()
        if default not in ("", "yes", "no"):
            raise DatasetError(f"{where}, column default: found {default!r}, expected yes, no or nothing.")
        if a is None:
            if default == "yes":
                raise DatasetError(f"{where}, column A_1_s: is empty; a default needs a complete triplet.")
            continue
        ea = _need(row, "Ea_kJ_mol") * 1e3
        if a <= 0:
            raise DatasetError(f"{where}, column A_1_s: {a:g} is not above zero; expected 1/s (not its logarithm).")
        if not 10e3 <= ea <= 1000e3:
            raise DatasetError(f"{where}, column Ea_kJ_mol: {ea / 1e3:g} is outside 10 to 1000 kJ/mol.")
        if not v["model"].strip():
            raise DatasetError(f"{where}, column model: is empty; A means nothing without its f(alpha).")
        if default == "yes":
            other = chosen.setdefault((str(row.file), v["process"]), v["id"])
            if other != v["id"]:
                raise DatasetError(f"{where}, column default: {v['process']} already has the default {other!r}.")
        out[v["id"]] = Triplet(
            v["id"], v["process"], v["reaction"], a, ea, v["model"].strip(), row.number("T_low_K"),
            row.number("T_high_K"), default == "yes", row.source, v.get("note", ""), v.get("conditions", ""),
            row.number("peak_K"), row.number("peak_rate_K_min"),
        )  # fmt: skip
    return out


def _files(files: tuple[str, ...]) -> list[tuple[Path, dict[str, Any]]]:
    paths = [Path(f) for f in files]
    for path in paths:
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such file; expected reactions (TOML).")
    return [(f, read_toml(f)) for f in [*paths, *find_files("datasets", "kinetics/reactions*.toml")]]


@cache
def _not_modelled(files: tuple[str, ...]) -> tuple[NotModelled, ...]:
    known = {*thermochemistry(), *(p for r in _reactions(files).values() for p in r.formulas)}
    out = []
    for file, data in _files(files):
        for number, entry in enumerate(data.get("not_modelled", []), 1):
            where = f"{file}, not_modelled {number}"
            phases = entry.get("phases")
            if not isinstance(phases, list) or not phases or not all(isinstance(p, str) for p in phases):
                raise DatasetError(f"{where}, phases: found {phases!r}, expected a list of phases.")
            for phase in phases:
                if phase not in known:
                    raise DatasetError(f"{where}, phases: there is no phase {phase!r}.{suggest(phase, known)}")
            source = Source(_text(entry, "source", where), _evidence(entry, "evidence", where))
            out.append(
                NotModelled(
                    tuple(phases), _conditions(entry, where), _number(entry.get("above_K"), f"{where}, above_K"),
                    _text(entry, "text", where), _text(entry, "text_zh", where), source,
                )
            )  # fmt: skip
    return tuple(out)


@cache
def _reactions(files: tuple[str, ...]) -> dict[str, Reaction]:
    read = _files(files)
    own: dict[str, str] = {}
    for file, data in read:
        for name, entry in data.get("phases", {}).items():
            where = f"{file}, phases.{name}"
            for key in ("formula", "evidence", "source"):
                _text(entry, key, where)
            own.setdefault(name, entry["formula"])
            try:
                atoms(entry["formula"])
            except CompositionError as exc:
                raise DatasetError(f"{where}, formula: {exc}") from None
    known = _triplets(())
    out: dict[str, Reaction] = {}
    for file, data in read:
        for number, entry in enumerate(data.get("reaction", []), 1):
            where = f"{file}, reaction {entry.get('id', number)}"
            made = _reaction(entry, where, own, known)
            out.setdefault(made.id, made)
    for r in out.values():
        for earlier in r.after:
            if earlier not in out:
                raise DatasetError(f"reaction {r.id}, after: there is no reaction {earlier!r}.{suggest(earlier, out)}")
            if not set(out[earlier].produced) & set(r.consumed):
                raise DatasetError(f"reaction {r.id}, after: {earlier!r} makes none of the phases it consumes.")
    return out


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DatasetError(f"{where}, {key}: found {value!r}, expected text.")
    return value


def _amounts(entry: Mapping[str, Any], key: str, where: str, negative: bool = False) -> dict[str, float]:
    out = {}
    table = entry.get(key, {})
    if not isinstance(table, dict):
        raise DatasetError(f"{where}, {key}: found {table!r}, expected a table of phase = moles.")
    for name, value in table.items():
        n = _number(value, f"{where}, {key}.{name}")
        if n == 0 or (n < 0 and not negative):
            raise DatasetError(f"{where}, {key}.{name}: {n:g} mol; expected more than zero.")
        out[name] = n
    return out


def _number(value: object, where: str) -> float:
    """A number, or a fraction written as text ("9/7")."""
    if isinstance(value, str):
        top, slash, bottom = value.partition("/")
        try:
            return float(top) / (float(bottom) if slash else 1.0)
        except (ValueError, ZeroDivisionError):
            pass
    elif not isinstance(value, bool) and isinstance(value, int | float):
        return float(value)
    raise DatasetError(f"{where}: found {value!r}, expected a number or a fraction such as '9/7'.")


def _reaction(entry: Mapping[str, Any], where: str, own: Mapping[str, str], known: Mapping[str, Triplet]) -> Reaction:
    keys = {
        "id", "name", "name_zh", "reactant", "consumed", "produced", "gas", "triplet", "approach", "after", "condition",
        "validity", "source", "evidence", "doi", "enthalpy_kJ_mol", "enthalpy_source", "onset_K", "prompt_above_K",
        "prompt_source", "prompt_evidence",
    }  # fmt: skip
    for key in entry:
        if key not in keys:
            raise DatasetError(f"{where}: there is no field {key!r}.{suggest(key, keys)}")
    name, reactant = _text(entry, "id", where), _text(entry, "reactant", where)
    consumed = _amounts(entry, "consumed", where) or {reactant: 1.0}
    produced = _amounts(entry, "produced", where)
    gas = _amounts(entry, "gas", where, negative=True)
    if reactant not in consumed:
        raise DatasetError(f"{where}, consumed: lacks the reactant {reactant!r}.")
    scale = consumed[reactant]
    consumed = {k: v / scale for k, v in consumed.items()}
    produced = {k: v / scale for k, v in produced.items()}
    gas = {k: v / scale for k, v in gas.items()}
    formulas = _balance(consumed, produced, gas, own, where)
    law = entry.get("triplet", "")
    if law and law not in known:
        raise DatasetError(f"{where}, triplet: there is no triplet {law!r}.{suggest(law, known)}")
    if law and not known[law].default:
        raise DatasetError(f"{where}, triplet: {law!r} is no default (column default of its table).")
    approach = entry.get("approach")
    if approach is not None:
        _approach(approach, gas, where)
        approach = dict(approach)
    level = _evidence(entry, "evidence", where)
    rate, prompt = known[law] if law else None, None
    if "prompt_above_K" in entry:
        if law:
            raise DatasetError(f"{where}, prompt_above_K: the reaction has a triplet, {law!r}; give one or the other.")
        prompt = _kelvin(entry, "prompt_above_K", where)
        why = Source(_text(entry, "prompt_source", where), _evidence(entry, "prompt_evidence", where))
        rate = step_law(name, prompt, why)
    onset = _kelvin(entry, "onset_K", where) if "onset_K" in entry else None
    heat = entry.get("enthalpy_kJ_mol")
    if heat is not None:
        _text(entry, "enthalpy_source", where)
    return Reaction(
        name, _text(entry, "name", where), _text(entry, "name_zh", where), reactant, consumed, produced, gas,
        rate, approach, tuple(entry.get("after", ())), _conditions(entry, where),
        entry.get("validity", ""), Source(_text(entry, "source", where), level, doi=entry.get("doi", "")),
        None if heat is None else _number(heat, f"{where}, enthalpy_kJ_mol") * 1e3, entry.get("enthalpy_source", ""),
        formulas, onset, prompt,
    )  # fmt: skip


def _evidence(entry: Mapping[str, Any], key: str, where: str) -> Evidence:
    try:
        return Evidence(_text(entry, key, where))
    except ValueError:
        raise DatasetError(f"{where}, {key}: {entry[key]!r} is not one of {', '.join(Evidence)}.") from None


def _kelvin(entry: Mapping[str, Any], key: str, where: str) -> float:
    value = _number(entry[key], f"{where}, {key}")
    if not 273.0 <= value <= 2273.0:
        raise DatasetError(f"{where}, {key}: {value:g} K is outside 273 to 2273 K.")
    return value


def _conditions(entry: Mapping[str, Any], where: str) -> tuple[Condition, ...]:
    out = []
    for gas, limits in entry.get("condition", {}).items():
        if gas != LIQUID and f"{gas}(g)" not in GASES:
            raise DatasetError(f"{where}, condition: there is no gas {gas!r}.{suggest(gas, GASES)}")
        low = _number(limits.get("from", 0.0), f"{where}, condition.{gas}.from")
        high = _number(limits.get("below", float("inf")), f"{where}, condition.{gas}.below")
        out.append(Condition(gas, low, high))
    return tuple(out)


def _approach(approach: object, gas: Mapping[str, float], where: str) -> None:
    if not isinstance(approach, dict) or approach.get("kind") not in APPROACHES:
        raise DatasetError(f"{where}, approach: found {approach!r}, expected kind {' or '.join(APPROACHES)}.")
    name = f"{approach.get('gas')}(g)"
    if name not in gas:
        raise DatasetError(f"{where}, approach.gas: {approach.get('gas')!r} is no gas of this reaction.")
    if approach["kind"] == "equilibrium" and gas[name] < 0:
        raise DatasetError(f"{where}, approach: {name} is taken up; an approach to equilibrium needs a gas released.")
    if approach["kind"] == "oxygen":
        order = _number(approach.get("order"), f"{where}, approach.order")
        if not 0 <= order <= 2:
            raise DatasetError(f"{where}, approach.order: {order:g} is outside 0 to 2.")


def _balance(
    consumed: Mapping[str, float],
    produced: Mapping[str, float],
    gas: Mapping[str, float],
    own: Mapping[str, str],
    where: str,
) -> dict[str, str]:
    """Formulas of the solids; raises unless every element balances."""
    thermo = thermochemistry()
    formulas: dict[str, str] = {}
    for name in (*consumed, *produced):
        if name in thermo:
            formulas[name] = thermo[name].formula
        elif name in own:
            formulas[name] = own[name]
        else:
            raise DatasetError(
                f"{where}: phase {name!r} is in no thermochemical table and has no formula."
                f"{suggest(name, [*thermo.names, *own])} Add [phases.{name}] with formula, source and evidence."
            )
    for name in gas:
        if name not in GASES:
            raise DatasetError(f"{where}, gas: there is no gas {name!r}.{suggest(name, GASES)}")
    off = imbalance(
        [(formulas[n], -v) for n, v in consumed.items()]
        + [(formulas[n], v) for n, v in produced.items()]
        + [(n[:-3], v) for n, v in gas.items()]
    )
    if off:
        raise DatasetError(
            f"{where}: does not balance, per mole of reactant "
            + ", ".join(f"{e} {v:+.4g}" for e, v in off.items())
            + " too much on the right."
        )
    return formulas


def imbalance(terms: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Elements that a sum of formula x moles does not cancel, with the excess [mol]."""
    total: dict[str, float] = {}
    for formula, n in terms:
        for element, k in atoms(formula).items():
            total[element] = total.get(element, 0.0) + n * k
    return {e: v for e, v in total.items() if abs(v) > 1e-9}
