"""Sintered brick: composition windows of the fired body, contents per ignited mass."""

from __future__ import annotations

from collections.abc import Mapping

from ..chemistry.moduli import MODULI
from ..chemistry.radioactivity import INDICES
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
)
from .base import Components, FloatArray, ModelNeed, Route, fired

NO_TEMPERATURE = (
    "this route has no sintering model yet: firing temperature and time would change nothing. Remove the key."
)


def transform(
    components: Components, point: Mapping[str, float], settings: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Contributions to the fired body."""
    product = fired(components, settings)
    product["loss"] = components["LOI"] if "LOI" in components else product["LOI"]
    return add_impact(
        product, components, fired=True,
        fuel_energy=number(settings, "fuel_energy"), power=number(settings, "electricity"),
    )  # fmt: skip


STATEMENTS = (
    "Composition of the fired body only: strength, water absorption and shrinkage are not computed.",
    "Everything limited in the product is per ignited mass; nothing volatilises unless the recipe says so.",
    "Fuel need is a typical figure; the heat of carbon in the wastes is not credited against it.",
)
STATEMENTS_ZH = (
    "仅为烧成体组成:不计算强度、吸水率与收缩。",
    "产品限量均按灼烧基计;除配方注明外,不计挥发。",
    "燃料消耗为典型值;固废中碳的热值未抵扣。",
)
NEEDS = (
    ModelNeed(
        "compressive_strength_mean", "unknown - needs a model fitted to fired trials (composition, temperature, PSD)",
        "未知——需要烧成试验(组成、温度、粒度)拟合的模型", "GB/T 2542",
    ),
    ModelNeed(
        "water_absorption", "unknown - needs a model fitted to fired trials", "未知——需要烧成试验数据", "GB/T 2542",
    ),
)  # fmt: skip
CRITERIA = {
    **{k: MODULI[k] for k in ("SAF", "Riley_SiO2", "Riley_Al2O3", "Riley_flux", "Riley_ratio", "Na2O_eq")},
    **contents(),
    **INDICES,
    **shares(),
}

ROUTE = Route(
    name="sintered_brick",
    title="Sintered brick",
    title_zh="烧结砖",
    product="fired brick",
    stages=("fire",),
    product_basis="ignited",
    criteria={**CRITERIA, **impact_criteria("fired brick")},
    transform=transform,
    parameters=(fuel_parameter("F163"), power_parameter()),
    needs=NEEDS,
    statements=(*STATEMENTS, *IMPACT_STATEMENTS),
    statements_zh=(*STATEMENTS_ZH, *IMPACT_STATEMENTS_ZH),
    suggested_standards=("GB 6566-2010/main_structure", "GB/T 5101-2017/MU15"),
    forbidden_variables=dict.fromkeys(("temperature", "hold", "time"), NO_TEMPERATURE),
)
