"""Portland clinker from wastes: moduli, phases at equilibrium or by Bogue, contents per ignited mass."""

from __future__ import annotations

from collections.abc import Mapping

from ..chemistry.moduli import MODULI
from ..chemistry.phases import BOGUE
from ..chemistry.radioactivity import INDICES
from ._clinker import TOLERANCE, assemblage, variables
from ._common import (
    IMPACT_STATEMENTS,
    IMPACT_STATEMENTS_ZH,
    add_impact,
    contents,
    fuel_parameter,
    impact_criteria,
    number,
    power_parameter,
    strength_need,
)
from .base import Components, FloatArray, ModelNeed, Route, fired

NO_TIME = (
    "phases come from equilibrium at the burning temperature, or from closed formulas: neither responds to time, so a "
    "grid over it would change nothing. Remove the key; the kinetics of clinkering are not in this route."
)


def transform(
    components: Components, point: Mapping[str, float], settings: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Contributions to one product: clinker after firing."""
    return add_impact(
        fired(components, settings), components, fired=True,
        fuel_energy=number(settings, "fuel_energy"), power=number(settings, "electricity"),
    )  # fmt: skip


CLOSED_FORM = (
    "Phases are closed-form POTENTIAL phases: no kinetics, no equilibrium, no melt, no temperature. They say what "
    "could form at best, not what a kiln gives.",
    "Everything limited in the clinker is per ignited mass; nothing volatilises unless the recipe says so.",
    "Fuel ash is not counted.",
    "Limits of the product are judged on the clinker itself; gypsum and aggregate dilute it further in use.",
)
CLOSED_FORM_ZH = (
    "矿物为闭式计算的潜在矿物:不含动力学、平衡、液相与温度,只说明理想上限,不代表窑内结果。",
    "熟料中的限量均按灼烧基计;除配方注明外,不计挥发。",
    "未计燃料灰分。",
    "产品限值按熟料本身判定;使用时石膏与骨料会进一步稀释。",
)

ROUTE = Route(
    name="portland_clinker",
    title="Portland clinker",
    title_zh="硅酸盐水泥熟料",
    product="clinker",
    stages=("calcine",),
    product_basis="ignited",
    criteria={
        **{k: MODULI[k] for k in ("LSF", "KH", "SM", "AM", "Na2O_eq")},
        **BOGUE,
        **contents(),
        **INDICES,
        **impact_criteria("clinker"),
    },
    transform=transform,
    parameters=(fuel_parameter("F154"), power_parameter(), TOLERANCE),
    implied=("C3S", "C2S", "C3A", "C4AF"),
    potential=frozenset({"C3S", "C2S", "C3A", "C4AF"}),
    needs=(
        strength_need(
            "unknown - needs a model fitted to mortar strength of cements from such clinkers",
            "未知——需要以此类熟料水泥的胶砂强度拟合的模型", "GB/T 17671",
        ),
        ModelNeed(
            "free_CaO", "unknown - burnability decides free lime: burn the meal, or use kinetics",
            "未知——由易烧性决定:需做易烧性试验或动力学计算", "GB/T 176",
        ),
    ),
    statements=IMPACT_STATEMENTS,
    statements_zh=IMPACT_STATEMENTS_ZH,
    closed_form=CLOSED_FORM,
    closed_form_zh=CLOSED_FORM_ZH,
    variables=variables(1100.0, 1520.0),
    assemblage=assemblage(("C3S", "C2S", "C3A", "C4AF", "C12A7", "CaSO4", "periclase", "free_CaO")),
    suggested_standards=("GB 6566-2010/main_structure", "GB 30760-2014/clinker_content"),
    forbidden_variables=dict.fromkeys(("hold", "time", "cooling"), NO_TIME),
)  # fmt: skip
