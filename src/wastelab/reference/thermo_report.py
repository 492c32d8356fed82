"""What the thermochemical set implies, against what is known: temperatures of reactions, oxygen buffers, heats.

`consistency` is the table of ``docs/thermochemistry.md``: a set that fails a row must not be used for what that row
is about. The uncertainty of a computed temperature follows from `sigma_G` of the phases. `rule_sigma` computes the
uncertainty of a phase from the rule that its row states.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..chemistry.formulas import atoms
from ..errors import CompositionError, DatasetError, ValidityError
from ..provenance import Evidence
from .files import find_files, read_toml
from .thermochemistry import GAS_CONSTANT, T0, Thermochemistry, thermochemistry

if TYPE_CHECKING:
    import pandas as pd

#: Simple oxides that carry the elements: a spread between sources is that of formation from them.
OXIDES = {"Ca": "lime", "Si": "quartz", "Al": "corundum", "Mg": "periclase", "Fe": "hematite", "Ti": "rutile"}
#: What a check computes, and its unit.
QUANTITIES = {"T": "K", "log pO2": "", "H": "kJ/mol", "G": "kJ/mol"}
#: Smallest uncertainty that a spread or a class of phases may give, and an anchor [kJ/mol].
FLOOR, ANCHOR_FLOOR = 1.0, 0.1


@dataclass(frozen=True)
class Absent:
    """A phase that matters and for which the set has no data."""

    formula: str
    name: str
    name_zh: str
    elements: tuple[str, ...]  #: it can only form where all of these are present
    T_low: float  #: it matters above this temperature [K]
    T_high: float  #: and below this one [K]
    why: str
    instead: str  #: what the equilibrium shows in its place


@dataclass(frozen=True)
class Check:
    """One reaction of the consistency report."""

    id: str
    reaction: str
    quantity: (
        str  #: "T" [K] where the reaction is at equilibrium, "log pO2", "H" [kJ/mol] at `at`, "G" [kJ/mol] at `at`
    )
    low: float
    high: float
    source: str
    evidence: str
    pressures: Mapping[str, float] = field(default_factory=dict)  #: [bar], 1 bar for gases not named
    at: float = 0.0  #: temperature of "H", "G" and "log pO2" [K]


def parse_reaction(text: str) -> dict[str, float]:
    """Stoichiometry of ``"A + 2 B -> C"``: products positive, reactants negative."""
    sides = text.split("->")
    if len(sides) != 2:
        raise CompositionError(f"{text!r} is no reaction; expected 'A + 2 B -> C'.")
    out: dict[str, float] = {}
    for side, sign in zip(sides, (-1.0, 1.0), strict=True):
        for term in side.split(" + "):
            words = term.split()
            if len(words) not in (1, 2):
                raise CompositionError(f"{term.strip()!r} in {text!r} is no term; expected 'A' or '2 A'.")
            out[words[-1]] = out.get(words[-1], 0.0) + sign * (float(words[0]) if len(words) == 2 else 1.0)
    return {k: v for k, v in out.items() if abs(v) > 1e-12}


def reaction_gibbs(
    thermo: Thermochemistry, reaction: Mapping[str, float], temperature_K: float, pressures: Mapping[str, float]
) -> float:
    """Gibbs energy of a reaction [J/mol] at partial pressures [bar]; 1 bar for gases not named."""
    gas = sum(n * math.log(pressures[p]) for p, n in reaction.items() if p in pressures)
    return float(thermo.reaction_gibbs(reaction, temperature_K)) + GAS_CONSTANT * temperature_K * gas


def equilibrium_temperature(
    thermo: Thermochemistry,
    reaction: str | Mapping[str, float],
    pressures: Mapping[str, float] | None = None,
    within: tuple[float, float] = (T0, 1800.0),
) -> float:
    """Temperature [K] at which a reaction has no drive, to 1e-6 K.

    Parameters
    ----------
    thermo : Thermochemistry
    reaction : str or mapping
        ``"calcite -> lime + CO2(g)"`` or {phase: mol}.
    pressures : mapping of str to float, optional
        Partial pressures [bar]; 1 bar for gases not named.
    within : tuple of float
        Where to look [K], cut to the range of the phases. The highest crossing is returned.

    Raises
    ------
    ValidityError
        If the reaction has the same sign all over the range.
    """
    stoichiometry = parse_reaction(reaction) if isinstance(reaction, str) else dict(reaction)
    low = max([within[0], *(thermo[p].T_min for p in stoichiometry)])
    high = min([within[1], *(thermo[p].T_max for p in stoichiometry)])
    grid = np.linspace(low, high, 301)
    drive = np.array([reaction_gibbs(thermo, stoichiometry, t, pressures or {}) for t in grid])
    crossing = np.flatnonzero(np.sign(drive[:-1]) != np.sign(drive[1:]))
    if not crossing.size:
        sign = "positive" if drive[0] > 0 else "negative"
        raise ValidityError(f"{reaction}: Gibbs energy is {sign} from {low:g} to {high:g} K; there is no crossing.")
    a, b = float(grid[crossing[-1]]), float(grid[crossing[-1] + 1])
    start = reaction_gibbs(thermo, stoichiometry, a, pressures or {})
    while b - a > 1e-6:
        middle = 0.5 * (a + b)
        if (reaction_gibbs(thermo, stoichiometry, middle, pressures or {}) > 0) == (start > 0):
            a = middle
        else:
            b = middle
    return 0.5 * (a + b)


def reaction_sigma(thermo: Thermochemistry, reaction: Mapping[str, float]) -> float:
    """Standard uncertainty of the Gibbs energy of a reaction [J/mol]: one deviate per group of polymorphs."""
    groups = dict(zip(thermo.names, thermo.groups, strict=True))
    total: dict[str, float] = {}
    for phase, n in reaction.items():
        total[groups[phase]] = total.get(groups[phase], 0.0) + n * (thermo[phase].sigma_G or 0.0)
    return math.sqrt(sum(v * v for v in total.values()))


def rule_sigma(name: str, rule: str, thermo: Thermochemistry | None = None) -> float:
    """Standard uncertainty of a phase [kJ/mol] from the rule that its row states.

    Parameters
    ----------
    name : str
        The phase.
    rule : str
        Parts joined by " and "; the largest counts:
        ``reference`` (0), ``anchor REACTION at T +- dT K`` (slope of its Gibbs energy times dT; ``with GAS BAR ...``
        where gases are not at 1 bar),
        ``spread SET at T K`` (half the difference of formation from the oxides to that set),
        ``slope SET from T1 to T2 K`` (half of what that difference changes by, the two made equal at T1),
        ``class X per O`` (X kJ/mol per oxygen atom), ``stated X`` (a judgement).
    thermo : Thermochemistry, optional

    Raises
    ------
    DatasetError
        If the rule cannot be read.
    """
    thermo = thermo or thermochemistry()
    return max(_rule_part(name, part.strip(), thermo) for part in rule.split(" and "))


def _rule_part(name: str, part: str, thermo: Thermochemistry) -> float:
    if part == "reference":
        return 0.0
    if found := re.fullmatch(r"anchor (.+) at ([\d.]+) \+- ([\d.]+) K(?: with (.+))?", part):
        reaction, at, width = parse_reaction(found[1]), float(found[2]), float(found[3])
        words = (found[4] or "").split()
        pressures = {gas: float(p) for gas, p in zip(words[::2], words[1::2], strict=True)}
        ends = [reaction_gibbs(thermo, reaction, at + step, pressures) for step in (-1.0, 1.0)]
        return max(abs(ends[1] - ends[0]) / 2e3 * width / abs(reaction[name]), ANCHOR_FLOOR)
    if found := re.fullmatch(r"spread (\w+) at ([\d.]+) K", part):
        return max(abs(_difference(name, found[1], float(found[2]), thermo)) / 2e3, FLOOR)
    if found := re.fullmatch(r"slope (\w+) from ([\d.]+) to ([\d.]+) K", part):
        ends = [_difference(name, found[1], float(found[i]), thermo) for i in (2, 3)]
        return max(abs(ends[1] - ends[0]) / 2e3, FLOOR)
    if found := re.fullmatch(r"class ([\d.]+) per O", part):
        return max(float(found[1]) * thermo[name].elements.get("O", 1.0), FLOOR)
    if found := re.fullmatch(r"stated ([\d.]+)", part):
        return float(found[1])
    raise DatasetError(f"phase {name}, sigma_rule: {part!r} is no rule; see wastelab.reference.thermo_report.")


def _difference(name: str, set_name: str, at: float, thermo: Thermochemistry) -> float:
    """Formation from the simple oxides in another set less that in this one [J/mol]."""
    other = thermochemistry(choose={name: set_name})[name]
    total = float(other.gibbs(at)) - float(thermo[name].gibbs(at))
    for element, n in thermo[name].elements.items():
        oxide = OXIDES.get(element)
        if oxide is None or oxide == name or not _in_set(oxide, set_name):
            continue
        per = 1.0 / thermo[oxide].elements[element]
        theirs = thermochemistry(choose={oxide: set_name})[oxide]
        total -= n * per * (float(theirs.gibbs(at)) - float(thermo[oxide].gibbs(at)))
    return total


def _in_set(name: str, set_name: str) -> bool:
    from .tables import read_rows
    from .thermochemistry import COLUMNS

    files = find_files("datasets", "thermochemistry/*.csv")
    return any(r.values["phase"] == name and r.values["set"] == set_name for f in files for r in read_rows(f, COLUMNS))


# ------------------------------------------------------------------------------------------- absent phases


@cache
def absent_phases() -> tuple[Absent, ...]:
    """Phases that matter and have no data, from every ``absent.toml``; a phase that the tables hold is left out.

    Raises
    ------
    DatasetError
        For an entry that lacks a key or has one of the wrong kind.
    """
    out: list[Absent] = []
    for file in find_files("datasets", "thermochemistry/absent.toml"):
        for number, entry in enumerate(read_toml(file).get("absent", []), 1):
            where = f"{file}, absent {number}"
            for key in ("formula", "name", "name_zh", "why", "instead"):
                if not isinstance(entry.get(key), str) or not entry[key].strip():
                    raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected text.")
            for key in ("T_low", "T_high"):
                if isinstance(entry.get(key), bool) or not isinstance(entry.get(key), int | float):
                    raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected a temperature in K.")
            if not entry["T_low"] < entry["T_high"]:
                raise DatasetError(f"{where}, T_high: {entry['T_high']} K is not above T_low {entry['T_low']} K.")
            try:
                elements = tuple(e for e in atoms(entry["formula"]) if e not in ("O", "H"))
            except CompositionError as exc:
                raise DatasetError(f"{where}, formula: {exc}") from None
            out.append(
                Absent(
                    entry["formula"], entry["name"], entry["name_zh"], elements, float(entry["T_low"]),
                    float(entry["T_high"]), entry["why"], entry["instead"],
                )
            )  # fmt: skip
    return tuple(out)


# --------------------------------------------------------------------------------------------- consistency


@cache
def checks() -> tuple[Check, ...]:
    """Rows of the consistency report, from ``checks.toml``.

    Raises
    ------
    DatasetError
        For an entry that lacks a key or has one of the wrong kind.
    """
    out: list[Check] = []
    for file in find_files("datasets", "thermochemistry/checks.toml"):
        for number, entry in enumerate(read_toml(file).get("check", []), 1):
            where = f"{file}, check {number}"
            for key in ("id", "reaction", "quantity", "source", "evidence"):
                if not isinstance(entry.get(key), str) or not entry[key].strip():
                    raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected text.")
            if entry["quantity"] not in QUANTITIES:
                raise DatasetError(f"{where}, quantity: {entry['quantity']!r} is not one of {', '.join(QUANTITIES)}.")
            if entry["evidence"] not in list(Evidence):
                raise DatasetError(f"{where}, evidence: {entry['evidence']!r} is not one of {', '.join(Evidence)}.")
            for key in ("low", "high", *(("at",) if entry["quantity"] != "T" else ())):
                if isinstance(entry.get(key), bool) or not isinstance(entry.get(key), int | float):
                    raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected a number.")
            out.append(
                Check(
                    entry["id"], entry["reaction"], entry["quantity"], float(entry["low"]), float(entry["high"]),
                    entry["source"], entry["evidence"], dict(entry.get("bar", {})), float(entry.get("at", 0.0)),
                )
            )  # fmt: skip
    return tuple(out)


def consistency(thermo: Thermochemistry | None = None) -> pd.DataFrame:
    """What the set implies against what is known.

    Parameters
    ----------
    thermo : Thermochemistry, optional
        The shipped set if not given; rows whose phases it lacks are left out.

    Returns
    -------
    pandas.DataFrame
        One row per check: reaction, condition, unit, computed, sigma (from `sigma_G` of the phases; of a temperature
        that of the Gibbs energy divided by its slope), low and high (what is known), ok, source, evidence.
    """
    import pandas as pd

    thermo = thermo or thermochemistry()
    rows = []
    for check in checks():
        reaction = parse_reaction(check.reaction)
        if not set(reaction) <= set(thermo):
            continue
        value, sigma = _computed(thermo, check, reaction)
        gases = [f"p({p.removesuffix('(g)')}) {v:g} bar" for p, v in check.pressures.items()]
        at = [f"{check.at:g} K"] if check.at else []
        rows.append(
            {
                "id": check.id, "reaction": check.reaction, "condition": ", ".join([*at, *gases]) or "1 bar",
                "quantity": check.quantity, "unit": QUANTITIES[check.quantity], "computed": value, "sigma": sigma,
                "low": check.low, "high": check.high, "ok": check.low <= value <= check.high, "source": check.source,
                "evidence": check.evidence,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("id")


def _computed(thermo: Thermochemistry, check: Check, reaction: Mapping[str, float]) -> tuple[float, float]:
    sigma = reaction_sigma(thermo, reaction)
    if check.quantity == "T":
        try:
            at = equilibrium_temperature(thermo, reaction, check.pressures)
        except ValidityError:
            return math.nan, math.nan
        ends = [reaction_gibbs(thermo, reaction, at + step, check.pressures) for step in (-1.0, 1.0)]
        return at, sigma / abs((ends[1] - ends[0]) / 2.0)
    if check.quantity == "H":
        return float(thermo.reaction_enthalpy(reaction, check.at)) / 1e3, sigma / 1e3
    drive = reaction_gibbs(thermo, reaction, check.at, check.pressures)
    if check.quantity == "G":
        return drive / 1e3, sigma / 1e3
    scale = GAS_CONSTANT * check.at * math.log(10.0) * reaction["O2(g)"]
    return -drive / scale, sigma / abs(scale)


def markdown(table: pd.DataFrame) -> str:
    """The consistency table as it stands in the documentation."""
    lines = [
        "| reaction | condition | computed | known | source (evidence) |",
        "|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        quantity, unit = str(row["quantity"]), str(row["unit"])
        digits = {"T": 0, "log pO2": 2}.get(quantity, 1)
        what = {"T": "", "H": "ΔH ", "G": "ΔG ", "log pO2": "log pO2 "}[quantity]
        value = f"{what}{row['computed']:.{digits}f} ± {row['sigma']:.{digits}f} {unit}".rstrip()
        known = f"{row['low']:g} to {row['high']:g} {unit}".rstrip() + ("" if row["ok"] else " **no**")
        lines.append(
            f"| {row['reaction']} | {row['condition']} | {value} | {known} | {row['source']} ({row['evidence']}) |"
        )
    return "\n".join(lines) + "\n"
