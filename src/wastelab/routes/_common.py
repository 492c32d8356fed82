"""Pieces that several routes share: impact per tonne of product, contents, needs. Not a route itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..chemistry.criterion import MASS, Criterion
from ..chemistry.moduli import content
from ..impact.carbon import FUEL_FACTOR, POWER_FACTOR, fuel_co2, power_co2, process_co2, transport_co2
from ..impact.cost import fuel_cost, material_cost, power_cost
from ..provenance import Evidence, Source
from ..reference import factor
from .base import Components, FloatArray, ModelNeed, ProcessVariable

#: Metals with limits in clinker [mg/kg].
METALS = ("As", "Pb", "Cd", "Cr", "Cu", "Ni", "Zn", "Mn")
OXIDES = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "SO3", "Na2O", "K2O", "TiO2", "P2O5", "MnO", "Cl", "F")
CLASSES = ("coal_gangue", "fly_ash", "fgd_gypsum", "smelting_slag", "tailings", "red_mud", "raw", "clinker")

_CARBON = Source(
    "process CO2 by stoichiometry; materials, transport, fuel and power by the factors named in the statements",
    Evidence.MEMORY,
)
_PRICES = Source("prices and freight of the factor table (typical, China 2021-2025)", Evidence.MEMORY)
_DEFINITION = Source("definition", Evidence.COMPUTED)


def impact_criteria(product: str) -> dict[str, Criterion]:
    """``cost``, ``co2`` per tonne of product and ``waste_fraction`` of the dry mix."""
    return {
        "waste_fraction": Criterion(
            "waste_fraction", "waste in the dry mix", "kg/kg", {"waste": 1.0}, {"dry": 1.0}, _DEFINITION,
            name_zh="固废掺量(干基)", scale=1.0,
        ),
        "co2": Criterion(
            "co2", f"CO2 per tonne of {product}", "kg/t", {"co2": 1.0}, {MASS: 1.0}, _CARBON,
            name_zh="单位产品 CO2", scale=100.0,
        ),
        "cost": Criterion(
            "cost", f"materials, freight and fuel per tonne of {product}", "CNY/t", {"cost": 1.0}, {MASS: 1.0},
            _PRICES, name_zh="单位产品成本(原料、运费、燃料)", scale=100.0,
        ),
    }  # fmt: skip


def contents(*extra: str) -> dict[str, Criterion]:
    """Contents of oxides and metals per mass of product."""
    table = {name: content(name) for name in (*OXIDES, *extra)}
    for metal in METALS:
        table[f"metal:{metal}"] = content(f"metal:{metal}", f"{metal} content", f"{metal} 含量")
    return table


def shares() -> dict[str, Criterion]:
    """Share of each waste class (and of clinker) in the dry mix [wt%]."""
    return {
        f"{cls}_share": Criterion(
            f"{cls}_share", f"share of {cls.replace('_', ' ')} in the dry mix", "wt%", {f"share:{cls}": 1.0},
            {"dry": 1.0}, _DEFINITION, name_zh=f"{cls} 掺量", scale=1.0,
        )
        for cls in CLASSES
    }  # fmt: skip


def add_impact(
    product: dict[str, FloatArray],
    raw: Components,
    *,
    fired: bool,
    fuel_energy: float = 0.0,
    power: float = 0.0,
    calcination_energy: float = 0.0,
    extra_cost: FloatArray | float = 0.0,
    extra_co2: FloatArray | float = 0.0,
) -> dict[str, FloatArray]:
    """Add ``cost`` [CNY], ``co2`` [kg] per tonne of dry mix, ``waste`` and ``dry`` to product components.

    Parameters
    ----------
    product : dict
        Components of the product with `MASS`; changed and returned.
    raw : mapping
        Components of the dry materials.
    fired : bool
        Whether carbonates and carbon of the mix are released.
    fuel_energy, power : float
        Fuel [GJ] and electric power [kWh] per tonne of product.
    calcination_energy : float
        Fuel [GJ] per tonne of a material that the recipe marks as calcined beforehand.
    extra_cost, extra_co2 : float or ndarray
        Per tonne of dry mix, the same for all materials (activators).
    """
    n = len(raw[MASS])
    missing = np.full(n, np.nan)

    def get(name: str) -> FloatArray:
        return np.asarray(raw.get(name, missing), dtype=np.float64)

    moisture = get("moisture")
    km = {mode: get(f"transport_km:{mode}") for mode in ("road", "rail", "water")}
    process = np.nan_to_num(get("process_CO2"))
    calcined = get("calcined") > 0
    process = np.where(calcined & np.isnan(get("process_CO2")), np.nan, process)
    if fired:
        process = process + process_co2(get("carbonate_CO2"), get("organic_C"))
    calcining = np.where(calcined, calcination_energy, 0.0)
    per_product_co2 = fuel_co2(fuel_energy) + power_co2(power)
    per_product_cost = fuel_cost(fuel_energy) + power_cost(power)
    mass = product[MASS] / 100.0
    product["co2"] = (
        process + get("gwp") + transport_co2(km, moisture) + fuel_co2(1.0) * calcining + extra_co2
        + per_product_co2 * mass
    )  # fmt: skip
    product["cost"] = (
        material_cost(get("price"), moisture, km) + fuel_cost(1.0) * calcining + extra_cost
        + per_product_cost * mass
    )  # fmt: skip
    product["dry"] = np.ones(n)
    product["waste"] = get("waste")
    for name in raw:
        if name.startswith("share:"):
            product[name] = np.asarray(raw[name], dtype=np.float64)
    return product


def fuel_parameter(factor_id: str, high: float = 10.0) -> ProcessVariable:
    """The ``fuel_energy`` parameter with a default from the factor table [GJ/t product]."""
    default = factor(factor_id)
    scale = 1.0  # GJ/t and MJ/kg are the same number
    return ProcessVariable(
        "fuel_energy", "GJ/t", f"fuel per tonne of product (default {factor_id})", "单位产品燃料消耗", 0.0, high,
        default.value * scale, default.source,
    )  # fmt: skip


def power_parameter(default: float = 0.0) -> ProcessVariable:
    """The ``electricity`` parameter [kWh/t product]; zero unless a recipe gives it."""
    return ProcessVariable(
        "electricity", "kWh/t", "electric power per tonne of product", "单位产品电耗", 0.0, 500.0, default
    )


def number(settings: Mapping[str, object], name: str) -> float:
    """A numeric setting (0 if absent)."""
    value = settings.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def strength_need(text: str, text_zh: str, method: str, days: int = 28) -> ModelNeed:
    """The need every binder has."""
    return ModelNeed(f"compressive_strength_{days}d", text, text_zh, method)


IMPACT_STATEMENTS = (
    f"CO2: carbonates and carbon by stoichiometry; fuel {FUEL_FACTOR} (bituminous coal), power {POWER_FACTOR} "
    "(grid Shanxi), road F073, rail F074, water F075; heat of carbon in wastes is not credited; drying of wet "
    "wastes is not counted; power only if the recipe gives it.",
    "Cost: materials, freight F186/F187 and coal F183 only; no labour, capital, or environmental tax saved.",
)
IMPACT_STATEMENTS_ZH = (
    f"CO2:碳酸盐与碳按化学计量;燃料 {FUEL_FACTOR}(烟煤)、电力 {POWER_FACTOR}(山西电网)、公路 F073、铁路 F074、"
    "水运 F075;固废中碳的热值未抵扣燃料;湿固废的干燥未计;电耗仅在配方给出时计入。",
    "成本:仅含原料、运费 F186/F187 与煤 F183;不含人工、折旧及节省的环境税。",
)
