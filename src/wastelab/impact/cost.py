"""Cost: what materials, freight, fuel and power cost, at factors with source. No labour, no capital."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..reference import factor
from .carbon import as_received_ratio

FloatArray = NDArray[np.float64]

COAL_PRICE = "F183"  # CNY/t, 5500 kcal/kg
POWER_PRICE = "F184"  # CNY/kWh
FREIGHT_PRICES = {
    "road": "F186",
    "rail": "F187",
    "water": "F187",
}  # CNY/(t km); no water price is known: rail
_COAL_GJ_PER_T = 5500 * 4.1868e-3  # thermal coal is sold by 5500 kcal/kg


def material_cost(price: FloatArray, moisture: FloatArray, km: Mapping[str, FloatArray]) -> FloatArray:
    """Cost of a material at the works [CNY per t dry].

    Parameters
    ----------
    price : ndarray
        Price as delivered [CNY/t as received]; negative where the producer pays.
    moisture : ndarray
        [wt% of as received].
    km : mapping of str to ndarray
        Distance by mode ``road``, ``rail``, ``water`` [km].
    """
    freight: FloatArray = np.zeros_like(price)
    for mode, distance in km.items():
        freight = freight + distance * factor(FREIGHT_PRICES[mode]).value
    return (price + freight) * as_received_ratio(moisture)


def fuel_cost(energy: float) -> float:
    """Cost of fuel [CNY] for an energy [GJ], thermal coal."""
    return energy * factor(COAL_PRICE).value / _COAL_GJ_PER_T


def power_cost(energy: float) -> float:
    """Cost of electric power [CNY] for an energy [kWh]."""
    return energy * factor(POWER_PRICE).value
