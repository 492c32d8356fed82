"""Blended cement: clinker, gypsum and mineral admixtures (fly ash, slag, gangue), some of them calcined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..chemistry.criterion import MASS, Criterion
from ..chemistry.material import FED
from ..chemistry.moduli import MODULI
from ..chemistry.radioactivity import INDICES
from ..reference import factor
from ._calcining import ASSUMPTIONS, KINETICS, fate, variables
from ._common import (
    IMPACT_STATEMENTS,
    IMPACT_STATEMENTS_ZH,
    add_impact,
    contents,
    impact_criteria,
    number,
    power_parameter,
    shares,
    strength_need,
)
from .base import Components, FloatArray, ModelNeed, ProcessVariable, Route

_CALCINING, _POWER = factor("F160"), factor("F155")


def transform(
    components: Components, point: Mapping[str, float], settings: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Contributions to the cement: mixing of dry powders, some of them calcined at the process point."""
    product = {name: np.array(values, dtype=np.float64) for name, values in components.items()}
    product[MASS] = np.full(len(components[MASS]), 100.0)
    if "temperature" in point:
        became = fate("kaolinite", point["temperature"], point["hold"], point["heating_rate"], "air")
        fed = product.get(f"{FED}kaolinite", np.full(len(components[MASS]), np.nan))
        product["calcined:metakaolinite"] = fed * became.get("metakaolinite", 0.0)
        product["calcined:kaolinite"] = fed * became.get("kaolinite", 0.0)
        product["calcined:overburnt"] = fed * sum(
            v for k, v in became.items() if k not in ("kaolinite", "metakaolinite")
        )
    return add_impact(
        product, components, fired=False, power=number(settings, "electricity"),
        calcination_energy=number(settings, "calcination_energy"),
    )  # fmt: skip


def _calcined(symbol: str, component: str, name: str, name_zh: str) -> Criterion:
    return Criterion(
        symbol, name, "wt%", {f"calcined:{component}": 1.0}, {MASS: 1.0}, KINETICS, 100.0, "dry", name_zh, (),
        (*ASSUMPTIONS, "kaolinite content of the material from its record (XRD), not from its oxides"),
    )  # fmt: skip


#: Needs `temperature` in the recipe, and the kaolinite content of every calcined material.
CALCINED = {
    "metakaolinite": _calcined(
        "metakaolinite", "metakaolinite", "metakaolinite in the cement", "偏高岭石含量(动力学计算)"
    ),
    "kaolinite_left": _calcined(
        "kaolinite_left", "kaolinite", "kaolinite left uncalcined in the cement", "未分解高岭石含量(动力学计算)"
    ),
    "overburnt": _calcined(
        "overburnt", "overburnt", "spinel, mullite and silica from overburnt metakaolinite", "过烧产物含量(动力学计算)"
    ),
}

PARAMETERS = (
    ProcessVariable(
        "calcination_energy", "GJ/t", "fuel for materials marked calcined (default F160)", "预煅烧燃料", 0.0, 6.0,
        _CALCINING.value, _CALCINING.source,
    ),
    power_parameter(_POWER.value),
)  # fmt: skip
NEEDS = (
    strength_need(
        "unknown - needs a model fitted to mortar strength of such cements",
        "未知——需要以此类水泥的胶砂强度拟合的模型", "GB/T 17671",
    ),
    ModelNeed(
        "activity_index_28d", "unknown - needs a model fitted to activity index (glass, fineness, calcination)",
        "未知——需要活性指数数据(玻璃体、细度、煅烧制度)", "GB/T 12957",
    ),
    ModelNeed(
        "initial_setting", "unknown - needs a model fitted to setting tests", "未知——需凝结时间试验", "GB/T 1346",
    ),
)  # fmt: skip
STATEMENTS = (
    "Composition only: contents and shares by mass balance. Reactivity of the admixtures is not in it.",
    "A calcined material counts as LOI-free. Where the recipe gives a temperature, its kaolinite turns to "
    "metakaolinite and on to spinel by published kinetics; how active that is, is not judged.",
    "Grinding power F155 per tonne of cement unless the recipe gives electricity.",
)
STATEMENTS_ZH = (
    "仅为组成:含量与掺量由质量平衡得出,不含混合材活性。",
    "标注 calcined 的原料按无烧失量计;配方给出温度时,高岭石按文献动力学转变为偏高岭石及过烧产物;其活性不作判断。",
    "除配方给出电耗外,粉磨电耗按 F155 计。",
)

ROUTE = Route(
    name="blended_cement",
    title="Blended cement",
    title_zh="混合水泥",
    product="cement",
    stages=("blend", "calcine"),
    product_basis="dry",
    criteria={
        **{k: MODULI[k] for k in ("Na2O_eq", "SAF")},
        **contents("LOI"),
        **INDICES,
        **shares(),
        **CALCINED,
        **impact_criteria("cement"),
    },
    transform=transform,
    variables=variables(400.0, 1150.0, 60.0, 10.0, optional=True),
    potential=frozenset(CALCINED),
    parameters=PARAMETERS,
    needs=NEEDS,
    statements=(*STATEMENTS, *IMPACT_STATEMENTS),
    statements_zh=(*STATEMENTS_ZH, *IMPACT_STATEMENTS_ZH),
    suggested_standards=("GB 6566-2010/main_structure", "GB 175-2023/P_F"),
)  # fmt: skip
