"""What a furnace gas imposes: chemical potentials of oxygen, carbon, hydrogen and sulfur.

A gas stream that is large against the solid fixes them, whatever the solid gives off. Oxygen comes from O2 where the
gas has it, otherwise from CO/CO2, H2/H2O or the dissociation of CO2 and H2O. CO and H2 given beside O2 are brought
to equilibrium with it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDataError, ValidityError
from ...reference.thermochemistry import GAS_CONSTANT, Thermochemistry
from ..atmosphere import Atmosphere

FloatArray = NDArray[np.float64]

#: What stands for "none" of CO2, H2O and SO2 in a flowing gas [bar]: 1 ppm.
TRACE_BAR = 1e-6
#: Species of the gas phase.
SPECIES = ("O2(g)", "CO2(g)", "CO(g)", "H2O(g)", "H2(g)", "SO2(g)", "SO3(g)", "N2(g)")


@dataclass(frozen=True)
class FurnaceGas:
    """A furnace gas at several temperatures.

    Attributes
    ----------
    potential : mapping of str to ndarray, shape (n_T,)
        Chemical potential of O, C and H [J/mol of atoms], and of S where the gas holds SO2.
    log_p : mapping of str to ndarray, shape (n_T,)
        Natural logarithm of the equilibrium partial pressures of O2, CO2, CO, H2O, H2 [bar].
    notes : tuple of str
        What was assumed.
    """

    potential: Mapping[str, FloatArray]
    log_p: Mapping[str, FloatArray]
    notes: tuple[str, ...]


def furnace_gas(
    thermo: Thermochemistry,
    atmosphere: Atmosphere,
    temperature_K: FloatArray,
    oxygen_potential: float | None = None,
) -> FurnaceGas:
    """Potentials that a furnace gas imposes on what lies in it.

    Parameters
    ----------
    thermo : Thermochemistry
        With O2(g), CO2(g), CO(g), H2O(g), H2(g), SO2(g).
    atmosphere : Atmosphere
    temperature_K : ndarray, shape (n_T,)
    oxygen_potential : float, optional
        RT ln(pO2 / 1 bar) [J/mol of O2]; replaces what the atmosphere says of oxygen.

    Raises
    ------
    MissingDataError
        If nothing fixes the oxygen potential.
    ValidityError
        If the oxygen potential means more oxygen than the total pressure.

    Notes
    -----
    Ideal gas. CO2 and H2O that the atmosphere does not name stand at `TRACE_BAR`: in a stream that never brings any
    they would leave completely at every temperature. So does SO2, see `System.so2_bar`.
    """
    t = np.asarray(temperature_K, dtype=np.float64)
    rt = GAS_CONSTANT * t
    g = {s: thermo[s].gibbs(t) for s in SPECIES if s in thermo}
    given = atmosphere.pressures
    p = {s: float(given.get(s, 0.0)) for s in ("O2", "CO2", "CO", "H2O", "H2", "SO2")}
    # ln(p_CO2 / p_CO) = r0 + u/2, ln(p_H2O / p_H2) = q0 + u/2, u = ln p_O2
    r0 = -(g["CO2(g)"] - g["CO(g)"] - 0.5 * g["O2(g)"]) / rt
    q0 = -(g["H2O(g)"] - g["H2(g)"] - 0.5 * g["O2(g)"]) / rt
    notes: list[str] = []
    carbon, hydrogen = p["CO2"] + p["CO"], p["H2O"] + p["H2"]
    if oxygen_potential is not None:
        u = oxygen_potential / rt
        if not np.isfinite(oxygen_potential) or (u > np.log(atmosphere.total) + 1e-9).any():
            hint = f" Write '{-oxygen_potential / 1e3:g} kJ/mol': RT ln pO2 is negative below 1 bar."
            raise ValidityError(
                f"oxygen_potential = {oxygen_potential / 1e3:g} kJ/mol is a p(O2) of {np.exp(min(u.max(), 700)):.2g} "
                f"bar at {t[np.argmax(u)] - 273.15:.0f} degC, more than the total of {atmosphere.total:g} bar."
                + (hint if oxygen_potential > 0 else "")
            )
        notes.append(f"oxygen potential imposed: RT ln pO2 = {oxygen_potential / 1e3:g} kJ/mol")
    elif p["O2"] > 0 and p["CO"] == 0 and p["H2"] == 0:
        u = np.full_like(t, np.log(p["O2"]))
    else:
        if 2 * p["O2"] + p["CO2"] + p["H2O"] == 0:
            what = [f"{s} = {p[s]:g} bar" for s in ("CO", "H2") if p[s] > 0]
            raise MissingDataError(
                f"atmosphere {atmosphere.name!r} does not say how oxidising it is: no O2, CO2 or H2O"
                + (f" beside {' and '.join(what)}" if what else "")
                + ". Give p(O2), or CO and CO2, or H2 and H2O (for example {'CO': '5 %', 'CO2': '20 %'}), or "
                "oxygen_potential='-300 kJ/mol'."
            )
        u = _oxygen(r0, q0, carbon, hydrogen, 2 * p["O2"] - p["CO"] - p["H2"])
        if p["O2"] > 0:
            notes.append("CO and H2 of the atmosphere brought to equilibrium with its O2 at the temperature")
        else:
            notes.append("no O2 given: oxygen potential from CO/CO2 and H2/H2O at the temperature")
    for name, amount in (("CO2", carbon), ("H2O", hydrogen)):
        if amount == 0:
            notes.append(f"{name} not in the atmosphere: taken as a trace of {TRACE_BAR:g} bar")
    r, q = r0 + 0.5 * u, q0 + 0.5 * u
    ln_c, ln_h = np.log(carbon or TRACE_BAR), np.log(hydrogen or TRACE_BAR)
    log_p = {
        "O2(g)": u,
        "CO2(g)": ln_c - np.logaddexp(0.0, -r),
        "CO(g)": ln_c - np.logaddexp(0.0, r),
        "H2O(g)": ln_h - np.logaddexp(0.0, -q),
        "H2(g)": ln_h - np.logaddexp(0.0, q),
    }
    oxygen = 0.5 * (g["O2(g)"] + rt * u)
    potential = {
        "O": oxygen,
        "C": g["CO2(g)"] + rt * log_p["CO2(g)"] - 2 * oxygen,
        "H": 0.5 * (g["H2O(g)"] + rt * log_p["H2O(g)"] - oxygen),
    }
    if p["SO2"] > 0:
        potential["S"] = g["SO2(g)"] + rt * np.log(p["SO2"]) - 2 * oxygen
    return FurnaceGas(potential, log_p, tuple(notes))


def _oxygen(r0: FloatArray, q0: FloatArray, carbon: float, hydrogen: float, excess: float) -> FloatArray:
    """Solve 2 pO2 = excess + pCO + pH2 for u = ln pO2 by bisection; the left side less the right rises with u."""
    low, high = np.full_like(r0, -700.0), np.full_like(r0, 7.0)
    for _ in range(80):
        u = 0.5 * (low + high)
        balance = 2 * np.exp(u) - carbon / (1 + np.exp(r0 + 0.5 * u)) - hydrogen / (1 + np.exp(q0 + 0.5 * u)) - excess
        low, high = np.where(balance < 0, u, low), np.where(balance < 0, high, u)
    return 0.5 * (low + high)
