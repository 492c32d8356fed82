"""Supersulfated cement: slag activated by calcium sulfate and a little clinker or lime, unfired."""

from __future__ import annotations

from ..chemistry.moduli import MODULI
from ..chemistry.radioactivity import INDICES
from ._common import IMPACT_STATEMENTS, IMPACT_STATEMENTS_ZH, contents, impact_criteria, shares
from .base import Route
from .blended_cement import NEEDS, PARAMETERS, STATEMENTS, STATEMENTS_ZH, transform

ROUTE = Route(
    name="supersulfated_cement",
    title="Supersulfated cement",
    title_zh="过硫酸盐(石膏矿渣)水泥",
    product="cement",
    stages=("blend",),
    product_basis="dry",
    criteria={
        **{k: MODULI[k] for k in ("slag_K", "slag_M0", "slag_Hw", "Na2O_eq")},
        **contents("LOI"),
        **INDICES,
        **shares(),
        **impact_criteria("cement"),
    },
    transform=transform,
    parameters=PARAMETERS,
    needs=NEEDS,
    statements=(
        *STATEMENTS,
        "Composition windows of EN 15743 (slag >= 75 %, calcium sulfate 5-20 %, clinker <= 5 %) are from memory.",
        "Slag coefficients are those of the whole mix when required here; judge the slag itself by GB/T 203.",
        *IMPACT_STATEMENTS,
    ),
    statements_zh=(
        *STATEMENTS_ZH,
        "EN 15743 的组成范围(矿渣 ≥75 %,硫酸钙 5-20 %,熟料 ≤5 %)凭记忆。",
        "此处的矿渣系数按整个配合料计;矿渣本身请按 GB/T 203 判定。",
        *IMPACT_STATEMENTS_ZH,
    ),
    suggested_standards=("GB 6566-2010/main_structure",),
    forbidden_variables={},
)
