"""Carbon: process CO2 by stoichiometry, and materials, transport, fuel and power by factors with source.

Process CO2 is what carbonates and fossil carbon of the raw materials release when fired. Heat from that
carbon is not credited against fuel. Factors are cited by id; see ``wastelab datasets show factors``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..chemistry.formulas import molar_mass
from ..chemistry.quantity import Quantity
from ..reference import factor

FloatArray = NDArray[np.float64]

#: Factors used unless a recipe says otherwise.
FUEL_FACTOR = "F041"  # bituminous coal, kg CO2/GJ
POWER_FACTOR = "F079"  # grid Shanxi, kg CO2/kWh
TRANSPORT_FACTORS = {"road": "F073", "rail": "F074", "water": "F075"}  # kg CO2/(t km)
DRYING_FACTOR = "F159"  # GJ per t dry material from 30 % moisture


def process_co2(carbonate_CO2: FloatArray, organic_C: FloatArray) -> FloatArray:
    """CO2 released by firing [kg per t of dry material].

    Parameters
    ----------
    carbonate_CO2 : ndarray
        CO2 bound in carbonates [wt% dry].
    organic_C : ndarray
        Fossil carbon [wt% dry]; all of it burns.

    Notes
    -----
    Calcite releases 0.4397 kg CO2 per kg: molar masses, IPCC 2006 vol. 3 table 2.1 gives 0.43971.
    """
    return 10.0 * (carbonate_CO2 + organic_C * molar_mass("CO2") / molar_mass("C"))


def as_received_ratio(moisture: FloatArray) -> FloatArray:
    """Mass as delivered per dry mass [kg/kg] from moisture [wt% of as received]."""
    return 1.0 / (1.0 - moisture / 100.0)


def drying_heat(moisture: FloatArray) -> FloatArray:
    """Heat to dry a material [GJ per t dry], from the shipped figure for red mud at 30 % moisture (F159)."""
    water = moisture / (100.0 - moisture)
    return factor(DRYING_FACTOR).value * water / (30.0 / 70.0)


def transport_co2(km: Mapping[str, FloatArray], moisture: FloatArray) -> FloatArray:
    """CO2 of bringing a material in, moisture included [kg per t dry]; `km` by mode road, rail, water."""
    total: FloatArray = np.zeros_like(moisture)
    for mode, distance in km.items():
        total = total + distance * factor(TRANSPORT_FACTORS[mode]).value
    return total * as_received_ratio(moisture)


def fuel_co2(energy: float) -> float:
    """CO2 of fuel [kg] for an energy [GJ], bituminous coal (F041)."""
    return energy * factor(FUEL_FACTOR).value


def power_co2(energy: float) -> float:
    """CO2 of electric power [kg] for an energy [kWh], provincial grid (F079)."""
    return energy * factor(POWER_FACTOR).value


def factors_used() -> dict[str, Quantity]:
    """The factors behind the numbers, with their sources."""
    return {i: factor(i) for i in (FUEL_FACTOR, POWER_FACTOR, DRYING_FACTOR, *TRANSPORT_FACTORS.values())}
