"""Enthalpies and equilibrium pressures over one grid of temperature, as the kernels read them.

Above the range of a phase its heat capacity is held constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import molar_mass
from ...reference.thermochemistry import GAS_CONSTANT, Phase, Thermochemistry
from .. import water

FloatArray = NDArray[np.float64]

GASES = ("N2", "O2", "CO2", "H2O", "SO2", "CO", "SO3", "H2")
T_FIRST, T_STEP, T_LAST = 200.0, 5.0, 3300.0
GRID = np.arange(T_FIRST, T_LAST + T_STEP / 2, T_STEP)
T0 = 298.15
#: Molar mass of the gases [kg/mol].
GAS_MASS = np.array([molar_mass(g) / 1000.0 for g in GASES])
WATER, INERT, UNIDENTIFIED = water.NAME, "inert", "unidentified"


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


def ln_pressure(
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
