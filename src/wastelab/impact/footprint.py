"""The footprint of one mix: CO2, cost and waste share, part by part, each with the factor it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..chemistry.material import Material
from ..errors import FractionSumError, MissingDataError
from ..provenance import Evidence, weakest
from ..reference import factor
from .carbon import FUEL_FACTOR, fuel_co2, process_co2, transport_co2
from .cost import fuel_cost, material_cost


@dataclass(frozen=True)
class Footprint:
    """CO2 [kg], cost [CNY] and loss for one tonne of product.

    Attributes
    ----------
    co2, cost : dict of str to float
        By part: process, materials, transport, fuel; materials, fuel.
    waste_fraction : float
        Waste in the dry mix [kg/kg].
    product_yield : float
        Product per dry mix [kg/kg].
    evidence : Evidence
        Weakest among materials and factors.
    """

    co2: dict[str, float]
    cost: dict[str, float]
    waste_fraction: float
    product_yield: float
    evidence: Evidence

    @property
    def total_co2(self) -> float:
        """CO2 of one tonne of product [kg]."""
        return sum(self.co2.values())

    @property
    def total_cost(self) -> float:
        """Cost of one tonne of product [CNY]."""
        return sum(self.cost.values())


def footprint(
    mix: Mapping[Material, float],
    *,
    fired: bool = True,
    fuel_energy: float = 0.0,
    transport_km: Mapping[str, float] | None = None,
) -> Footprint:
    """CO2, cost and waste share of a mix, per tonne of product.

    Parameters
    ----------
    mix : mapping of Material to float
        Dry mass fractions [kg/kg]; sum to 1.
    fired : bool
        Whether the product is fired (LOI leaves, carbonates and carbon are released) or not.
    fuel_energy : float
        Fuel [GJ per t of product].
    transport_km : mapping of material id to km, optional
        Road distance.

    Returns
    -------
    Footprint

    Raises
    ------
    FractionSumError
    MissingDataError
        If a price, emission factor, LOI, carbonate or carbon content that is needed is not known.
    """
    total = sum(mix.values())
    if abs(total - 1.0) > 1e-9:
        raise FractionSumError(f"The fractions sum to {total:.9g}, expected 1.")
    items = [(m, x) for m, x in mix.items() if x > 0]
    x = np.array([share for _, share in items])

    def need(name: str) -> Any:
        values = []
        for m, _ in items:
            components = m.components()
            if name not in components:
                raise MissingDataError(f"{m.id}: {name} is not known; measure or state it.")
            values.append(components[name])
        return np.array(values)

    moisture = need("moisture")
    km = np.array([(transport_km or {}).get(m.id, 0.0) for m, _ in items])
    left = 1.0 - float(x @ need("LOI")) / 100.0 if fired else 1.0
    extra = np.array([m.components().get("process_CO2", 0.0) for m, _ in items])
    process = extra + (process_co2(need("carbonate_CO2"), need("organic_C")) if fired else 0.0)
    co2 = {
        "process": float(x @ process) / left,
        "materials": float(x @ need("gwp")) / left,
        "transport": float(x @ transport_co2({"road": km}, moisture)) / left,
        "fuel": fuel_co2(fuel_energy),
    }
    cost = {
        "materials": float(x @ material_cost(need("price"), moisture, {"road": km})) / left,
        "fuel": fuel_cost(fuel_energy),
    }
    return Footprint(
        co2,
        cost,
        float(sum(share for m, share in items if m.is_waste)),
        left,
        weakest([*(m.evidence for m, _ in items), factor(FUEL_FACTOR).source.evidence]),
    )
