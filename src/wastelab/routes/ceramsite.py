"""Sintered lightweight aggregate (ceramsite): Riley's bloating region, contents per ignited mass."""

from __future__ import annotations

from ._common import IMPACT_STATEMENTS, IMPACT_STATEMENTS_ZH, fuel_parameter, impact_criteria, power_parameter
from .base import ModelNeed, Route
from .sintered_brick import CRITERIA, NO_TEMPERATURE, STATEMENTS, STATEMENTS_ZH, transform

ROUTE = Route(
    name="ceramsite",
    title="Sintered lightweight aggregate (ceramsite)",
    title_zh="烧结陶粒",
    product="fired aggregate",
    stages=("fire",),
    product_basis="ignited",
    criteria={**CRITERIA, **impact_criteria("fired aggregate")},
    transform=transform,
    parameters=(fuel_parameter("F164"), power_parameter()),
    needs=(
        ModelNeed(
            "cylinder_strength", "unknown - needs a model fitted to fired trials; pellet strength is another quantity",
            "未知——需要烧成试验拟合的模型;单粒强度不是筒压强度", "GB/T 17431.2",
        ),
        ModelNeed(
            "bulk_density", "unknown - bloating needs gas at the right viscosity: fire trials", "未知——膨胀需烧成试验",
            "GB/T 17431.2",
        ),
        ModelNeed(
            "water_absorption_1h", "unknown - needs a model fitted to fired trials", "未知——需要烧成试验数据",
            "GB/T 17431.2",
        ),
    ),
    statements=(
        *STATEMENTS,
        "Riley's region is a necessary guide for bloating, not a sufficient one: gas former and firing decide.",
        *IMPACT_STATEMENTS,
    ),
    statements_zh=(*STATEMENTS_ZH, "Riley 区域只是膨胀的必要参考,还取决于发气组分与烧成制度。", *IMPACT_STATEMENTS_ZH),
    suggested_standards=("GB 6566-2010/main_structure", "GB/T 17431.1-2010/class_700"),
    forbidden_variables=dict.fromkeys(("temperature", "hold", "time"), NO_TEMPERATURE),
)  # fmt: skip
