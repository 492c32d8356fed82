"""Building gypsum (calcined FGD or other gypsum): hemihydrate, anhydrite and dihydrate by kinetics."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..chemistry.criterion import MASS, Criterion
from ..chemistry.formulas import molar_mass
from ..chemistry.radioactivity import INDICES
from ..simulate.atmosphere import ATMOSPHERES
from ._calcining import ASSUMPTIONS, KINETICS, fate, variables
from ._common import (
    IMPACT_STATEMENTS,
    IMPACT_STATEMENTS_ZH,
    add_impact,
    contents,
    fuel_parameter,
    impact_criteria,
    number,
    power_parameter,
    shares,
    strength_need,
)
from .base import Components, FloatArray, ModelNeed, ProcessVariable, Route

#: Gas over the bed: that of a kettle full of its own steam, unless the recipe says otherwise.
ATMOSPHERE = "gypsum_kettle"
_STATES = {
    "hemihydrate": ("bassanite_alpha", "bassanite_beta", "bassanite"),
    "dihydrate": ("gypsum",),
    "anhydrite_III": ("anhydrite_III",),
}
#: Mass of hemihydrate from soluble anhydrite, and of the water it takes up, per mass of it.
_REHYDRATED = molar_mass("CaSO4(H2O)0.5") / molar_mass("CaSO4")
_GAS = ATMOSPHERES[ATMOSPHERE]


def transform(
    components: Components, point: Mapping[str, float], settings: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Contributions to the plaster: gypsum loses water at the process point, the rest stays as it is."""
    product = {name: np.array(values, dtype=np.float64) for name, values in components.items()}
    n = len(components[MASS])
    gypsum = product.get("phase:gypsum", np.full(n, np.nan))
    became = fate("gypsum", point["temperature"], point["hold"], point["heating_rate"], ATMOSPHERE, point["pH2O"])
    for state, names in _STATES.items():
        product[f"calcined:{state}"] = gypsum * sum(became.get(p, 0.0) for p in names)
    known = {p for names in _STATES.values() for p in names}
    product["calcined:anhydrite"] = gypsum * sum(v for p, v in became.items() if p not in known)
    product["calcined:water"] = gypsum * (1.0 - sum(became.values()))
    product[MASS] = 100.0 - product["calcined:water"]
    product["LOI"] = product.get("LOI", np.full(n, np.nan)) - product["calcined:water"]
    return add_impact(
        product, components, fired=False, fuel_energy=number(settings, "fuel_energy"),
        power=number(settings, "electricity"),
    )  # fmt: skip


def _state(symbol: str, component: str, name: str, name_zh: str) -> Criterion:
    return Criterion(
        symbol, name, "wt%", {f"calcined:{component}": 1.0}, {MASS: 1.0}, KINETICS, 100.0, "dry", name_zh, (),
        (*ASSUMPTIONS, "gypsum content of the material from its record (XRD or crystal water)"),
    )  # fmt: skip


STATES = {
    "hemihydrate": _state("hemihydrate", "hemihydrate", "calcium sulfate hemihydrate", "半水石膏(动力学计算)"),
    "anhydrite_III": _state(
        "anhydrite_III", "anhydrite_III", "soluble anhydrite (anhydrite III)", "可溶性无水石膏 AIII(动力学计算)"
    ),
    "anhydrite": _state("anhydrite", "anhydrite", "insoluble anhydrite (anhydrite II)", "难溶无水石膏 AII(动力学计算)"),
    "hemihydrate_aged": Criterion(
        "hemihydrate_aged",
        "hemihydrate once soluble anhydrite has taken up water from the air",
        "wt%",
        {"calcined:hemihydrate": 1.0, "calcined:anhydrite_III": _REHYDRATED},
        {MASS: 1.0, "calcined:anhydrite_III": _REHYDRATED - 1.0},
        KINETICS,
        100.0,
        "dry",
        "陈化后半水石膏(动力学计算)",
        (),
        (*ASSUMPTIONS, "ageing in moist air turns all soluble anhydrite to hemihydrate and nothing else"),
    ),
    "dihydrate": _state("dihydrate", "dihydrate", "gypsum left uncalcined", "残余二水石膏(动力学计算)"),
}

ROUTE = Route(
    name="building_gypsum",
    title="Building gypsum (calcined gypsum)",
    title_zh="建筑石膏",
    product="plaster",
    stages=("calcine",),
    product_basis="dry",
    criteria={**STATES, **contents("LOI"), **INDICES, **shares(), **impact_criteria("plaster")},
    transform=transform,
    variables=(
        *variables(110.0, 250.0, 60.0, 5.0, optional=False),
        ProcessVariable(
            "pH2O", "bar", "partial pressure of water over the bed: near 1 in a kettle, 0.03 in the open",
            "料层上方水蒸气分压(炒锅近 1,敞开约 0.03)", 1e-3, 0.95, _GAS.p("H2O"), _GAS.source,
        ),
    ),
    parameters=(fuel_parameter("F161"), power_parameter()),
    potential=frozenset(STATES),
    needs=(
        strength_need(
            "unknown - needs a model fitted to strengths of such plasters at their normal consistency",
            "未知——需以此类石膏标准稠度下的强度拟合的模型", "GB/T 17669.3", 2,
        ),
        ModelNeed(
            "initial_setting", "unknown - needs a model fitted to setting tests (additives, fineness, ageing)",
            "未知——需凝结时间试验(外加剂、细度、陈化)", "GB/T 17669.4",
        ),
    ),
    statements=(
        "Phases of calcium sulfate by published kinetics at the process point and vapour pressure; soluble anhydrite "
        "takes up water again in moist air, which ageing uses. The phase analysis of a trial decides.",
        "Only gypsum loses mass; other loss (carbonate, clay water) does not happen at these temperatures.",
        *IMPACT_STATEMENTS,
    ),
    statements_zh=(
        "硫酸钙物相按文献动力学在给定温度、时间与水蒸气分压下计算;可溶性无水石膏在湿空气中(陈化)会再吸水;须以试生产的三相分析为准。",
        "仅石膏失水;碳酸盐、粘土水等在此温度下不失重。",
        *IMPACT_STATEMENTS_ZH,
    ),
    suggested_standards=("GB/T 9776-2022", "GB 6566-2010/main_structure"),
)  # fmt: skip
