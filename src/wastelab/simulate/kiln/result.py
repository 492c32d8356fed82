"""What the kiln models share: reading the feed, balances that must close, and the attributes of a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms
from ...errors import MissingDataError, WastelabError
from ...provenance import Source, weakest
from ..kinetics.mineralogy import Mineralogy, mineralogy_of
from .chemistry import GASES, INERT, BedChemistry

FloatArray = NDArray[np.float64]
#: Largest closure error of a heat balance [share of what comes in].
CLOSURE = 0.005
ELEMENT_CLOSURE = 1e-9


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


def mass_fractions(chem: BedChemistry, amounts: FloatArray) -> FloatArray:
    """Phases as shares of the solids present, moisture included [kg/kg]."""
    mass = amounts * chem.mass
    return np.asarray(mass / mass.sum(axis=-1, keepdims=True))


def attributes(
    title: str, chem: BedChemistry, sources: Iterable[Source], inputs: Mapping[str, Any], warnings: Iterable[str]
) -> dict[str, Any]:
    """Attributes of a result: sources, evidence, assumptions, warnings, versions, hash of the inputs."""
    every = [chem.source, *(s.source for s in chem.steps), *sources]
    text = json.dumps(inputs, sort_keys=True, default=str)
    versions = {}
    for package in ("wastelab", "numpy", "numba", "xarray"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return {
        "title": title,
        "evidence": str(weakest(s.evidence for s in every)),
        "sources": "\n".join(dict.fromkeys(str(s) for s in every)),
        "reactions": json.dumps({s.id: str(s.source) for s in chem.steps}),
        "minerals_wt_pct": json.dumps(dict(chem.phases)),
        "assumptions": "\n".join(dict.fromkeys(chem.assumptions)),
        "warnings": "\n".join(dict.fromkeys([*chem.warnings, *warnings])),
        "inputs": text,
        "inputs_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "versions": json.dumps(versions),
    }


def visible(chem: BedChemistry) -> list[str]:
    """Names of the species for a person."""
    return [n if n != INERT else "inert" for n in chem.species]
