"""Clinker in the kilns: lumped stages to equilibrium phases, with rates from ``datasets/equipment/clinker.toml``.

Portland clinker forms in two stages, to the equilibrium phases below the alite limit and then to those of the burning
zone; clinker without alite in one. The belite stage can go as far as its temperature lets it, so that its heat comes
over an interval of temperature; alite needs its lower limit. Rates of the single reactions are not known well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ...chemistry.formulas import atoms
from ...errors import DatasetError, MissingDataError
from ...provenance import Evidence, Source
from ...reference.files import find_files, read_toml
from ...reference.phase_names import name_of
from ...reference.thermochemistry import Thermochemistry
from ..kinetics.models import reaction_model
from .steps import Step
from .tables import WATER

#: Names of the stages: to belite, ferrite and aluminate; to alite; to a clinker without alite.
BELITE, ALITE, WHOLE = "clinker_below_alite", "clinker_burning", "clinker_forming"
#: All of a stage can form this much below the burning temperature at the latest [K].
BELOW_BURNING = 30.0
#: What does not form, by whether the clinker has alite.
PORTLAND, OTHER = ("portland", "no_hydrates"), ("no_hydrates",)


@dataclass(frozen=True)
class Law:
    """First-order rate of a lumped stage towards the share that the temperature allows.

    Attributes
    ----------
    A, Ea : float
        [1/s], [J/mol]
    start_K, all_K : float
        Temperatures from which it can run and at which all of it can [K].
    source : Source
    """

    A: float
    Ea: float
    start_K: float
    all_K: float
    source: Source


@dataclass(frozen=True)
class ClinkerStages:
    """How clinker forms from what the decomposition leaves.

    Attributes
    ----------
    burning_K, belite_K : float
        Temperatures of the equilibria of the two stages [K].
    atmosphere : str or mapping
    suppress : tuple of str or None
        Phases that shall not form; by default `PORTLAND` where alite forms, `OTHER` else.
    belite, alite : Law
    """

    burning_K: float
    belite_K: float
    atmosphere: Any
    suppress: tuple[str, ...] | None
    belite: Law
    alite: Law


def stages(burning_K: float, belite_K: float, atmosphere: Any, suppress: tuple[str, ...] | None) -> ClinkerStages:
    """The stages for a burning temperature.

    Raises
    ------
    DatasetError
        If the file of the rates is missing or incomplete.
    """
    belite, alite = _laws()
    return ClinkerStages(burning_K, min(belite_K, burning_K), atmosphere, suppress, belite, alite)


@cache
def _laws() -> tuple[Law, Law]:
    files = find_files("datasets", "equipment/clinker.toml")
    if not files:
        raise DatasetError("datasets/equipment/clinker.toml was not found; install wastelab again.")
    data = read_toml(files[0])
    out = []
    for name in ("belite", "alite"):
        try:
            row = data[name]
            values = [float(row[k]) for k in ("A_1_s", "Ea_kJ_mol", "start_K", "all_K")]
            source = Source(str(row["source"]), Evidence(row["evidence"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise DatasetError(
                f"{files[0]}, {name}: needs A_1_s, Ea_kJ_mol, start_K, all_K, source, evidence ({exc})."
            ) from exc
        if not 0.0 < values[2] < values[3]:
            raise DatasetError(f"{files[0]}, {name}: all_K = {values[3]:g} K is not above start_K = {values[2]:g} K.")
        out.append(Law(values[0], values[1] * 1e3, values[2], values[3], source))
    return out[0], out[1]


def clinker_steps(
    amount: Mapping[str, float],
    steps: list[Step],
    formulas: Mapping[str, str],
    how: ClinkerStages,
    thermo: Thermochemistry,
    assumptions: list[str],
) -> list[Step]:
    """Decomposed feed to clinker: below the alite limit and on to alite, or at once where no alite forms.

    Returns
    -------
    list of Step
        Each of extent 1 mol/kg for all of it; SO2 and oxygen close the element balance.

    Raises
    ------
    MissingDataError
        If no phase holds an element of the feed.
    """
    rest = dict(amount)
    for s in steps:
        for k, v in s.stoichiometry.items():
            rest[k] = rest.get(k, 0.0) + v * s.total
    rest = {k: v for k, v in rest.items() if v > 1e-9 and k != WATER}
    elements = _sum_atoms(rest, formulas)
    product, gas = _equilibrium(elements, how.burning_K, how.atmosphere, how.suppress or PORTLAND, thermo)
    alite = any(name_of(k).group == "C3S" for k in product)
    most = how.burning_K - BELOW_BURNING
    if not alite:
        if how.suppress is None:
            product, gas = _equilibrium(elements, how.burning_K, how.atmosphere, OTHER, thermo)
        assumptions.append(
            f"clinker without alite forms in one stage to the equilibrium phases of {how.burning_K - 273.15:.0f} degC "
            f"(pure phases, no melt): {how.belite.source}"
        )
        return [_step(WHOLE, rest, product, gas, how.belite, most)]
    middle, first = _equilibrium(elements, how.belite_K, how.atmosphere, how.suppress or PORTLAND, thermo)
    second = {g: gas.get(g, 0.0) - first.get(g, 0.0) for g in {*gas, *first}}
    assumptions.append(
        f"clinker forms to the equilibrium phases of {how.belite_K - 273.15:.0f} degC and then of "
        f"{how.burning_K - 273.15:.0f} degC (pure phases, no melt): {how.belite.source}; {how.alite.source}"
    )
    return [
        _step(BELITE, rest, middle, first, how.belite, most),
        _step(ALITE, middle, product, second, how.alite, most),
    ]


def _step(
    name: str, before: Mapping[str, float], after: Mapping[str, float], gas: Mapping[str, float], law: Law, most: float
) -> Step:
    change = {k: after.get(k, 0.0) - before.get(k, 0.0) for k in dict.fromkeys([*before, *after])}
    ramp = (law.start_K, max(min(law.all_K, most), law.start_K + 1.0))
    return Step(
        name, {k: v for k, v in change.items() if abs(v) > 1e-12}, {k: v for k, v in gas.items() if abs(v) > 1e-12},
        law.A, law.Ea, reaction_model("F1"), 1.0, law.source, "ramp", ramp=ramp,
    )  # fmt: skip


def _equilibrium(
    elements: Mapping[str, float], T: float, atmosphere: Any, suppress: tuple[str, ...], thermo: Thermochemistry
) -> tuple[dict[str, float], dict[str, float]]:
    """Solids at equilibrium [mol/kg], and the gas that leaves on the way to them."""
    from ..charge import ELEMENTS
    from ..equilibrium import System

    odd = sorted(set(elements) - set(ELEMENTS))
    if odd:
        raise MissingDataError(f"clinker: no phases with {', '.join(odd)} are known; leave such minerals out.")
    system = System.build(thermo, atmosphere, suppress=suppress, solutions=False)
    columns = system.table(T).column_amounts(np.array([[elements.get(e, 0.0) for e in ELEMENTS]]))[0]
    product: dict[str, float] = {}
    for column, n in zip(system.columns, columns, strict=True):
        if n > 1e-9 and column.kind != "gas":
            for part, share in column.parts.items():
                product[part] = product.get(part, 0.0) + float(n) * share
    left = _sum_atoms(product, {k: thermo[k].formula for k in product})
    gas = {e: elements.get(e, 0.0) - left.get(e, 0.0) for e in {*elements, *left}}
    sulfur, carbon, hydrogen = gas.get("S", 0.0), gas.get("C", 0.0), gas.get("H", 0.0)
    lost = {e: v for e, v in gas.items() if e not in ("S", "C", "H", "O") and abs(v) > 1e-6}
    if lost:
        raise MissingDataError(f"clinker: no phase at {T - 273.15:.0f} degC holds all of {', '.join(lost)}.")
    o2 = (gas.get("O", 0.0) - 2 * sulfur - 2 * carbon - hydrogen / 2) / 2
    return product, {"SO2": sulfur, "CO2": carbon, "H2O": hydrogen / 2, "O2": o2}


def _sum_atoms(amounts: Mapping[str, float], formulas: Mapping[str, str]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, n in amounts.items():
        for e, k in atoms(formulas[name]).items():
            out[e] = out.get(e, 0.0) + n * k
    return out
