"""Sulfoaluminate clinkers, belite-ye'elimite-ferrite included: Cm, P, phases at equilibrium or by closed formulas."""

from __future__ import annotations

from ..chemistry.moduli import MODULI
from ..chemistry.phases import BYF, S_ALKALI
from ..chemistry.radioactivity import INDICES
from ._clinker import TOLERANCE, assemblage, variables
from ._common import (
    IMPACT_STATEMENTS,
    IMPACT_STATEMENTS_ZH,
    contents,
    fuel_parameter,
    impact_criteria,
    power_parameter,
    strength_need,
)
from .base import ModelNeed, Route
from .portland_clinker import CLOSED_FORM, CLOSED_FORM_ZH, NO_TIME, transform

ROUTE = Route(
    name="sulfoaluminate_clinker",
    title="Sulfoaluminate clinker (belite-ye'elimite-ferrite included)",
    title_zh="硫铝酸盐水泥熟料(含高贝利特硫铁铝酸盐)",
    product="clinker",
    stages=("calcine",),
    product_basis="ignited",
    criteria={
        **{k: MODULI[k] for k in ("Cm", "P", "Na2O_eq", "SM", "AM")},
        **BYF,
        "S_alkali": S_ALKALI,
        **contents(),
        **INDICES,
        **impact_criteria("clinker"),
    },
    transform=transform,
    variables=variables(1000.0, 1450.0),
    closed_form=(*CLOSED_FORM, "Alkalis are not in the closed-form phase calculation."),
    closed_form_zh=(*CLOSED_FORM_ZH, "闭式矿物计算不含碱。"),
    assemblage=assemblage(
        ("C4A3S", "C2S", "C4AF", "CT", "CaSO4", "C3S", "C3A", "C2AS", "C12A7", "ternesite", "periclase", "free_CaO")
    ),
    parameters=(fuel_parameter("F154"), power_parameter(), TOLERANCE),
    implied=("C4A3S", "C2S", "C4AF", "CaSO4", "free_CaO"),
    potential=frozenset(BYF),
    needs=(
        strength_need(
            "unknown - needs a model fitted to strengths of such cements (with their gypsum)",
            "未知——需要以此类水泥(含石膏)的强度拟合的模型", "GB 20472 / GB/T 17671",
        ),
        ModelNeed(
            "setting_time", "unknown - needs a model fitted to setting tests; ye'elimite cements can flash-set",
            "未知——需要凝结时间试验;此类水泥可能速凝", "GB/T 1346",
        ),
        ModelNeed(
            "SO3_loss", "unknown - CaSO4 and ye'elimite lose SO3 above about 1300 degC depending on the gas: needs "
            "equilibrium and a trial burn",
            "未知——高于约 1300 ℃ 时硫的损失取决于气氛:需平衡计算与试烧",
        ),
    ),
    statements=(
        "Red mud brings much Na2O: it binds SO3 as sulfate or enters "
        "ye'elimite, changes setting, and may form rings in a kiln; look at Na2O_eq and S_alkali.",
        "Fuel is taken as that of Portland clinker (F154) unless the recipe gives fuel_energy: an upper estimate.",
        *IMPACT_STATEMENTS,
    ),
    statements_zh=(
        "赤泥带入大量 Na2O:会以硫酸盐固定 SO3 或进入硫铝酸钙,影响凝结,并可能在窑内结圈;"
        "请查看 Na2O_eq 与 S_alkali。",
        "除配方给出 fuel_energy 外,燃料按硅酸盐熟料(F154)计:偏高估计。",
        *IMPACT_STATEMENTS_ZH,
    ),
    suggested_standards=("GB 6566-2010/main_structure", "GB 30760-2014/clinker_content", "GB 20472-2006/R_SAC_42_5"),
    forbidden_variables=dict.fromkeys(("hold", "time", "cooling"), NO_TIME),
)  # fmt: skip
