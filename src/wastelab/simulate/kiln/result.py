"""What the kiln models share: reading the feed, balances that must close, and the attributes of a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms
from ...errors import MissingDataError, UnknownNameError, ValidityError, WastelabError, suggest
from ...provenance import Evidence, Source, weakest
from ...reference.phase_names import name_of
from ..kinetics.mineralogy import Mineralogy, mineralogy_of
from .chemistry import BedChemistry
from .tables import GASES

FloatArray = NDArray[np.float64]
#: Largest closure error of a heat balance [share of what comes in].
CLOSURE = 0.005
ELEMENT_CLOSURE = 1e-9
#: Mass of a phase from which it is worth a word [kg/kg dry feed].
NOTICED = 1e-3
#: Groups whose polymorphs are shown as one.
SUMMED = ("C2S", "C3S", "wollastonite")
COORDINATES = {
    "phase": "solid phase", "reaction": "reaction", "gas": "gas", "item": "item of the heat balance",
}  # fmt: skip


class ConvergenceError(WastelabError, ArithmeticError):
    """A kiln whose steady state was not found; says how far it came and what to change."""


class BalanceError(WastelabError, ArithmeticError):
    """A heat or element balance that does not close: the result is not to be used."""


def minerals(mix: Any, phases: Mapping[str, float] | None) -> Mineralogy:
    """Minerals of the feed: given, measured or a norm; see `wastelab.simulate.kinetics.mineralogy_of`.

    Raises
    ------
    MissingDataError
        If neither `phases` nor the mix tells them.
    """
    if mix is None and phases is None:
        raise MissingDataError(
            "There is no feed: give a mix with known minerals, or phases={'calcite': 76, 'kaolinite': 12, ...} in wt% "
            "of the dry feed (XRD/Rietveld). Oxides alone do not say what reacts at which temperature."
        )
    return mineralogy_of(mix, phases)


def closed(balance: Mapping[str, float], what: str) -> float:
    """Closure error of a heat balance of signed terms (in positive, out negative), as a share of what comes in.

    Raises
    ------
    BalanceError
        If it is above 0.5 %.
    """
    come = sum(v for v in balance.values() if v > 0)
    error = sum(balance.values()) / come if come > 0 else 0.0
    if not abs(error) < CLOSURE:
        rows = "; ".join(f"{k} {v / 1e3:.1f} kJ" for k, v in balance.items())
        raise BalanceError(
            f"{what}: the heat balance is open by {100 * error:.2f} % ({rows}). Use more cells or steps."
        )
    return float(error)


def element_error(chem: BedChemistry, solids: FloatArray, released: FloatArray) -> float:
    """Largest imbalance of an element between feed and products, relative to the feed.

    Raises
    ------
    BalanceError
    """
    before, after = chem.elements(chem.initial), chem.elements(solids)
    for gas, n in zip(GASES, released, strict=True):
        for e, k in atoms(gas).items():
            after[e] = after.get(e, 0.0) + float(n) * k
    scale = max([*before.values(), 1e-30])
    worst = max((abs(after.get(e, 0.0) - before.get(e, 0.0)) / scale for e in {*before, *after}), default=0.0)
    if worst > ELEMENT_CLOSURE:
        raise BalanceError(f"an element balance is open by {worst:.2e} of the feed.")
    return worst


def whole(value: Any, what: str, least: int, most: int) -> int:
    """A whole number a person gave.

    Raises
    ------
    ValidityError
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise ValidityError(f"{what} = {value!r}; expected a whole number from {least} to {most}.")
    return int(value)


def wanted(conversion: Any, ids: Sequence[str]) -> tuple[int, float]:
    """Index of a reaction and the conversion asked of it.

    Raises
    ------
    ValidityError, UnknownNameError
    """
    example = "conversion=('calcite', 0.95)"
    if isinstance(conversion, str) or not isinstance(conversion, Sequence) or len(conversion) != 2:
        raise ValidityError(f"conversion = {conversion!r}; expected a reaction and a share, {example}.")
    name, share = conversion
    if name not in ids:
        raise UnknownNameError(
            f"conversion: there is no reaction {name!r} in this feed.{suggest(str(name), ids)} "
            f"Reactions: {', '.join(ids)}."
        )
    if isinstance(share, bool) or not isinstance(share, (int, float, np.floating)) or not 0 < share < 1:
        raise ValidityError(f"conversion = {conversion!r}: {share!r} is not between 0 and 1; expected {example}.")
    return list(ids).index(name), float(share)


def summed(chem: BedChemistry) -> tuple[list[str], FloatArray]:
    """Names of what is shown and the matrix (species, names) that sums the species into it: polymorphs of C2S and C3S
    are one phase, as in an equilibrium."""
    shown = [name_of(n).group if name_of(n).group in SUMMED else n for n in chem.species]
    names = list(dict.fromkeys(shown))
    return names, np.array([[1.0 if a == b else 0.0 for b in names] for a in shown])


def mass_fractions(chem: BedChemistry, amounts: FloatArray) -> FloatArray:
    """Phases of `summed` as shares of the solids present, moisture included [kg/kg]."""
    mass = (amounts * chem.mass) @ summed(chem)[1]
    return np.asarray(mass / mass.sum(axis=-1, keepdims=True))


def notices(chem: BedChemistry, extent: FloatArray, final: FloatArray, peak_K: float) -> list[str]:
    """What a person should know of the reactions: those left out, incomplete, or with rates from memory.

    Parameters
    ----------
    chem : BedChemistry
    extent : ndarray, shape (n_steps,)
        At the end [mol/kg].
    final : ndarray, shape (n_species,)
        Amounts at the end [mol/kg].
    peak_K : float
        Highest temperature of the solid [K].
    """
    out = []
    mass = dict(zip(chem.species, final * chem.mass, strict=True))
    for idle in chem.idle:
        left = min(mass.get(x, 0.0) for x in idle.phases)
        if left > NOTICED and peak_K > idle.onset_K:
            phases = " and ".join(idle.phases)
            verb = "stays as it is" if len(idle.phases) == 1 else "stay as they are"
            out.append(f"{phases} {verb} ({100 * left:.2g} kg per 100 kg of dry feed): {idle.reason}")
    for name, reason in chem.stood.items():
        initial = chem.initial[chem.species.index(name)] * chem.mass[chem.species.index(name)]
        if max(mass[name], initial) > NOTICED:
            out.append(f"enthalpy of {name}: {reason}")
    for step, x in zip(chem.steps, extent, strict=True):
        moved = sum(-v * chem.mass[chem.species.index(k)] for k, v in step.stoichiometry.items() if v < 0)
        share = float(x) / step.total if step.total > 0 else 1.0
        if moved * step.total < NOTICED:
            continue
        if step.id == "metakaolinite":
            if share > 0.02:
                out.append(f"over-calcined: {100 * share:.1f} % of the metakaolinite is lost to spinel")
        elif step.id == "free_water":
            if share < 0.98:
                out.append(f"the solid is still moist: {100 * (1.0 - share):.0f} % of its free water is left")
        elif 1e-3 < share < 0.98:
            out.append(f"{step.id} is incomplete at the end ({100 * share:.0f} %)")
        if moved * float(x) > NOTICED and str(step.source.evidence) == "memory":
            out.append(f"the rate of {step.id} is from memory")
    return out


def name_coordinates(ds: Any) -> None:
    """Give every coordinate of names a unit (none) and a title."""
    for name, text in COORDINATES.items():
        if name in ds.coords:
            ds[name].attrs.update({"units": "", "long_name": text})


def attributes(
    title: str, chem: BedChemistry, sources: Iterable[Source], inputs: Mapping[str, Any], warnings: Iterable[str]
) -> dict[str, Any]:
    """Attributes of a result: sources, assumptions, warnings, versions, hash of the inputs; ``data_evidence`` of rates,
    heats and equipment, ``input_evidence`` of what was typed or measured, ``evidence`` the weaker of both."""
    data = [*(s.source for s in chem.steps), *chem.sources, *sources]
    every = [chem.source, *data]
    typed = [s for s in data if s.evidence == Evidence.RECIPE]
    data_level = weakest(s.evidence for s in data if s.evidence != Evidence.RECIPE)
    input_level = weakest(s.evidence for s in (chem.source, *typed))
    text = json.dumps(inputs, sort_keys=True, default=str)
    versions = {}
    for package in ("wastelab", "numpy", "numba", "xarray"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return {
        "title": title,
        "evidence": str(weakest([data_level, input_level])),
        "data_evidence": str(data_level),
        "input_evidence": str(input_level),
        "sources": "\n".join(dict.fromkeys(str(s) for s in every)),
        "reactions": json.dumps({s.id: str(s.source) for s in chem.steps}),
        "minerals_wt_pct": json.dumps(dict(chem.phases)),
        "assumptions": "\n".join(dict.fromkeys(chem.assumptions)),
        "warnings": "\n".join(dict.fromkeys([*chem.warnings, *warnings])),
        "inputs": text,
        "inputs_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "versions": json.dumps(versions),
    }
