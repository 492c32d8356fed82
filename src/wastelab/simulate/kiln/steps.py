"""Reactions of a bed as the kernels take them: those that the solids can reach, and those that are left out.

Reactions and their rates are those of `wastelab.reference.kinetics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...chemistry.formulas import atoms, molar_mass
from ...errors import CompositionError, UnknownNameError
from ...provenance import Source
from ...reference.thermochemistry import Thermochemistry
from ..kinetics.models import ReactionModel, reaction_model
from .tables import GASES, GRID, INERT, WATER, ln_pressure

#: Pressure of its gas at which a decomposition without rate law is to be expected [bar].
SEEN_BAR = 1e-3


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
    """Something known to happen that the model leaves out.

    Attributes
    ----------
    phases : tuple of str
        It takes all of them.
    reason : str
    onset_K : float
        Temperature above which it is to be expected [K].
    """

    phases: tuple[str, ...]
    reason: str
    onset_K: float


def water_step(moisture: float) -> Step:
    """Drying of free water."""
    from ...reference.kinetics import triplets

    t = triplets()["free_water/eskelinen-2015"]
    return Step(
        "free_water", {WATER: -1.0}, {"H2O": 1.0}, float(t.A or 0.0), float(t.Ea), model_of(t.model),
        moisture * 1000.0 / molar_mass("H2O"), t.source, "equilibrium", "H2O",
    )  # fmt: skip


def model_of(model: Any) -> ReactionModel:
    return model if isinstance(model, ReactionModel) else reaction_model(str(model))


def balanced(step: Step, formulas: Mapping[str, str]) -> None:
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


def reachable(
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
                r.id, stoich, gas, float(r.triplet.A), float(r.triplet.Ea), model_of(r.triplet.model), extent,
                r.triplet.source, kind,
                str(approach.get("gas", "O2" if kind == "oxygen" else "CO2")).removesuffix("(g)"),
                float(approach.get("order", 1.0)),
            )  # fmt: skip
            for k, v in stoich.items():
                if v > 0:
                    supply[k] = supply.get(k, 0.0) + v * extent
            progress = True
    return list(done.values())


def idle_reactions(
    pool: Iterable[Any],
    network: Mapping[str, Any],
    present: set[str],
    pressures: Mapping[str, float],
    thermo: Thermochemistry,
    clinker: bool,
) -> tuple[Idle, ...]:
    """Reactions of the solids present that have no rate law, whose gas is not there, or that no model describes."""
    from ...reference.kinetics import not_modelled

    out, runs = [], {r.reactant for r in network.values() if r.triplet is not None}
    for r in pool:
        if not set(r.consumed) <= present or r.reactant in runs:
            continue
        if clinker and (not r.gas or "anhydrite" in r.consumed):
            continue  # the stages of clinker do it
        if r.id in network:
            reason = f"reaction {r.id} has no rate law; its mass loss, gas and heat are missing"
        elif all(o.reactant != r.reactant for o in network.values()):
            reason = f"reaction {r.id} does not run in this gas"
        else:
            continue
        onset = r.onset
        if onset is None and (r.approach or {}).get("kind") == "equilibrium" and set(r.consumed) <= set(thermo):
            moles = {g.removesuffix("(g)"): float(v) for g, v in r.gas.items()}
            solids = {k: v for k, v in r.stoichiometry.items() if not k.endswith("(g)")}
            if all(k in thermo for k in solids):
                lnp = ln_pressure(solids, moles, str(r.approach["gas"]).removesuffix("(g)"), thermo)
                onset = float(np.interp(np.log(SEEN_BAR), lnp, GRID))
        out.append(Idle((r.reactant,), reason, onset or 0.0))
    out.extend(
        Idle(n.phases, f"not modelled: {n.text}", n.above_K) for n in (() if clinker else not_modelled())
        if set(n.phases) <= present and n.happens(pressures)
    )  # fmt: skip
    return tuple(out)
