"""Heat of the change from a mix to its equilibrium: product and gas less what the mix is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import molar_mass
from ...errors import CompositionError, MissingDataError, UnknownNameError, suggest
from ...reference.thermochemistry import T0
from ..charge import ELEMENTS, Charge
from .phases import symbols
from .system import System

FloatArray = NDArray[np.float64]

#: Gas of an open system, as net exchange with the furnace gas.
NET = ("CO2", "H2O", "SO2", "O2")
#: Share of the mass by which reactants may differ from the oxides of the mix [kg/kg].
MISMATCH = 0.02
_METALS = tuple(e for e in ELEMENTS if e not in ("C", "O", "H", "S"))


def net_gas(elements: FloatArray) -> FloatArray:
    """CO2, H2O, SO2 and O2 that amounts of elements make [mol], shape (..., 4); O2 is the balance."""
    c, h, s, o = (elements[..., ELEMENTS.index(e)] for e in ("C", "H", "S", "O"))
    return np.stack([c, h / 2, s, (o - 2 * c - h / 2 - 2 * s) / 2], axis=-1)


def heats(
    charge: Charge, system: System, kelvins: FloatArray, hot: FloatArray, cold: FloatArray, lost: FloatArray,
    reactants: Mapping[str, float] | None,
) -> tuple[dict[str, FloatArray], str]:  # fmt: skip
    """Enthalpies of the solid product and, where the minerals of the mix are known, of the whole change.

    Parameters
    ----------
    charge : Charge
    system : System
    kelvins : ndarray, shape (n_T,)
    hot, cold : ndarray, shape (n_mixes, n_T)
        Enthalpy of the solid at the temperature and at 298.15 K [J/kg].
    lost : ndarray, shape (n_mixes, n_T, 12)
        Elements that left [mol/kg].
    reactants : mapping of str to float or None
        Minerals given by the user [wt%]; those of the mix itself where None.

    Returns
    -------
    (dict of str to ndarray, str)
        [kJ/kg]; and why the heat of reaction is missing though the mix brings minerals, else empty.

    Raises
    ------
    CompositionError, MissingDataError, UnknownNameError
        For minerals given by the user that cannot be used.
    """
    thermo = system.thermo
    out: dict[str, FloatArray] = {"enthalpy": hot / 1e3, "heat_content": (hot - cold) / 1e3}
    if reactants is not None:
        start = _start(system, checked(reactants))
    elif charge.phases and charge.n == 1:
        try:
            start = _start(system, charge.phases)
        except (UnknownNameError, MissingDataError) as exc:
            return out, f"heat of reaction not given: {str(exc).removeprefix('reactants: ')}"
    else:
        return out, ""
    off, text = _mismatch(charge, start @ thermo.matrix(ELEMENTS))
    if off > MISMATCH:
        if reactants is not None:
            raise CompositionError(
                f"reactants: {text} They may differ by {100 * MISMATCH:g} wt% in all; give all minerals in wt% of the "
                "dry mix, or leave reactants out."
            )
        return out, f"heat of reaction not given: {text}"
    gas = net_gas(start @ thermo.matrix(ELEMENTS) - charge.amount[:, None, :] + lost)
    gas_h = np.array([thermo[f"{g}(g)"].enthalpy(kelvins) for g in NET]).T
    gas_h0 = np.array([float(thermo[f"{g}(g)"].enthalpy(T0)) for g in NET])
    before = float(start @ np.nan_to_num(system.enthalpy(T0)))
    out["heat_of_reaction"] = (cold + gas @ gas_h0 - before) / 1e3
    out["heat_required"] = (hot + (gas * gas_h).sum(axis=-1) - before) / 1e3
    return out, ""


def checked(reactants: Any) -> dict[str, float]:
    """Minerals as a person gave them.

    Raises
    ------
    CompositionError, MissingDataError
    """
    if not isinstance(reactants, Mapping):
        raise CompositionError(
            f"reactants = {reactants!r}: expected minerals in wt% of the dry mix, {{'calcite': 80.0, 'quartz': 20.0}}."
        )
    if not reactants:
        raise MissingDataError("reactants is empty; give minerals in wt% of the dry mix, or leave it out.")
    for name, share in reactants.items():
        if isinstance(share, bool) or not isinstance(share, int | float | np.number):
            raise CompositionError(f"reactants: {name} = {share!r} is not a number; give wt% of the dry mix.")
        if not np.isfinite(share) or share < 0:
            raise CompositionError(f"reactants: {name} = {float(share):g} wt% is not a content of 0 or more.")
    return {str(name): float(share) for name, share in reactants.items()}


def _start(system: System, minerals: Mapping[str, float]) -> FloatArray:
    """Phases of the set that minerals [wt%] are [mol/kg]."""
    thermo, known = system.thermo, symbols(system.thermo)
    start = np.zeros(len(thermo))
    for name, share in minerals.items():
        phase = name if name in thermo else known.get(name, ("",))[0]
        if phase not in thermo or thermo[phase].state == "gas":
            raise UnknownNameError(
                f"reactants: there is no phase {name!r} in the set, so its enthalpy is not known."
                f"{suggest(name, known)} Add its data (phases='my_phases.csv') or leave reactants out."
            )
        if share > 0 and not thermo[phase].T_min - 1e-6 <= T0 <= thermo[phase].T_max:
            raise MissingDataError(f"reactants: the data of {phase} do not reach down to 25 degC.")
        start[thermo.names.index(phase)] += share * 10.0 / thermo[phase].molar_mass
    return start


def _mismatch(charge: Charge, elements: FloatArray) -> tuple[float, str]:
    """Largest mass of metals [kg/kg] by which minerals differ from the oxides of a mix, and how."""
    columns = [ELEMENTS.index(e) for e in _METALS]
    mass = np.array([molar_mass(e) for e in _METALS]) / 1e3
    have, need = elements[columns] * mass, charge.amount[:, columns] * mass
    off = np.abs(have - need).sum(axis=1)
    i = int(np.argmax(off))
    worst = np.argsort(-np.abs(have - need[i]))[:3]
    parts = ", ".join(
        f"{_METALS[k]} {100 * have[k]:.3g} against {100 * need[i, k]:.3g} wt%"
        for k in worst
        if abs(have[k] - need[i, k]) > 1e-3
    )
    who = "the mix" if charge.n == 1 else f"mix {charge.labels[i]!r}"
    return float(off[i]), (
        f"the minerals of {who} hold {100 * off[i]:.3g} wt% of metals that differ from its oxides ({parts})."
    )
