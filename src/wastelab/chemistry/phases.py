"""Potential phases of clinkers, by closed formulas: Bogue (Portland) and C4A3S-C2S-C4AF (sulfoaluminate).

They say what would form if every reaction of an assumed scheme ran to its end and nothing else took part: no
solid solution, no melt, no temperature. Each criterion carries these assumptions and the conditions outside
which it is refused. Coefficients follow from molar masses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ValidityError
from ..provenance import Evidence, Source
from .composition import Composition
from .criterion import MASS, Condition, Criterion
from .formulas import molar_mass
from .material import Material
from .moduli import value_of

Form = dict[str, float]

_BOGUE = Source(
    "R. H. Bogue, Ind. Eng. Chem. Anal. Ed. 1 (1929) 192-197; coefficients as in ASTM C150 from molar masses",
    Evidence.COMPUTED, edition="1929", doi="10.1021/ac50068a006",
)  # fmt: skip
_BYF = Source(
    "modified Bogue calculation for ye'elimite clinkers (C4AF from Fe2O3, C4A3S from the remaining Al2O3, C2S from "
    "SiO2, CT from TiO2, CaSO4 from the remaining SO3); coefficients from molar masses",
    Evidence.COMPUTED,
)


def _m(formula: str) -> float:
    return molar_mass(formula)


def _add(*parts: tuple[float, Mapping[str, float]]) -> Form:
    out: Form = {}
    for factor, form in parts:
        for name, coefficient in form.items():
            out[name] = out.get(name, 0.0) + factor * coefficient
    return {k: v for k, v in out.items() if abs(v) > 1e-15}


def _phase(
    symbol: str, form: Form, source: Source, name: str, name_zh: str, validity: tuple[Condition, ...],
    assumptions: tuple[str, ...],
) -> Criterion:  # fmt: skip
    return Criterion(
        symbol=symbol,
        name=name,
        name_zh=name_zh,
        unit="wt%",
        numerator=form,
        denominator={MASS: 1.0},
        scale=100.0,
        basis="ignited",
        source=source,
        validity=validity,
        assumptions=assumptions,
    )


def _bogue_forms(sulfate: str) -> dict[str, Form]:
    al_fe = _m("Al2O3") / _m("Fe2O3")
    c4af: Form = {"Fe2O3": _m("C4AF") / _m("Fe2O3")}
    c3a = _add((_m("C3A") / _m("Al2O3"), {"Al2O3": 1.0, "Fe2O3": -al_fe}))
    lime: Form = _add(
        (1.0, {"CaO": 1.0}),
        (-4 * _m("CaO") / _m("Fe2O3"), {"Fe2O3": 1.0}),
        (-3 * _m("CaO") / _m("Al2O3"), {"Al2O3": 1.0, "Fe2O3": -al_fe}),
        (-2 * _m("CaO") / _m("SiO2"), {"SiO2": 1.0}),
    )
    if sulfate == "anhydrite":
        lime = _add((1.0, lime), (-_m("CaO") / _m("SO3"), {"SO3": 1.0}))
    c3s = _add((_m("C3S") / _m("CaO"), lime))
    c2s = _add((_m("C2S") / _m("SiO2"), {"SiO2": 1.0}), (-_m("C2S") / _m("C3S"), c3s))
    return {"C3S": c3s, "C2S": c2s, "C3A": c3a, "C4AF": c4af}


def _build_bogue(sulfate: str) -> dict[str, Criterion]:
    forms = _bogue_forms(sulfate)
    validity = (
        Condition(
            forms["C3A"],
            "Bogue: Al2O3/Fe2O3 < 0.64, the ferrite is then not C4AF",
            "Bogue:Al2O3/Fe2O3 < 0.64,铁相不再是 C4AF",
        ),
        Condition(forms["C3S"], "Bogue: too little lime, C3S would be negative", "Bogue:石灰不足,C3S 为负"),
        Condition(
            forms["C2S"],
            "Bogue: more lime than SiO2 can bind, C2S would be negative",
            "Bogue:石灰过量,C2S 为负",
        ),
    )
    lime = (
        "SO3 sits in alkali sulfates and takes no lime"
        if sulfate == "alkali"
        else "all SO3 is CaSO4 and takes its lime (as ASTM C150 assumes for cement)"
    )
    assumptions = (
        "potential phases: complete reaction, pure compounds, no melt, no temperature",
        lime,
        "no free lime; MgO, alkalis, TiO2 and P2O5 take no part",
    )
    names = {
        "C3S": ("potential alite", "C3S(潜在)"),
        "C2S": ("potential belite", "C2S(潜在)"),
        "C3A": ("potential tricalcium aluminate", "C3A(潜在)"),
        "C4AF": ("potential ferrite", "C4AF(潜在)"),
    }
    return {s: _phase(s, f, _BOGUE, *names[s], validity, assumptions) for s, f in forms.items()}


def _build_byf() -> dict[str, Criterion]:
    al_fe = _m("Al2O3") / _m("Fe2O3")
    alumina: Form = {"Al2O3": 1.0, "Fe2O3": -al_fe}  # alumina left by the ferrite
    c4af: Form = {"Fe2O3": _m("C4AF") / _m("Fe2O3")}
    yeelimite = _add((_m("C4A3S") / (3 * _m("Al2O3")), alumina))
    c2s: Form = {"SiO2": _m("C2S") / _m("SiO2")}
    ct: Form = {"TiO2": _m("CT") / _m("TiO2")}
    sulfur = _add((1.0, {"SO3": 1.0}), (-_m("SO3") / (3 * _m("Al2O3")), alumina))  # SO3 left by ye'elimite
    anhydrite = _add((_m("CaSO4") / _m("SO3"), sulfur))
    lime = _add(
        (1.0, {"CaO": 1.0}),
        (-4 * _m("CaO") / _m("Fe2O3"), {"Fe2O3": 1.0}),
        (-4 * _m("CaO") / (3 * _m("Al2O3")), alumina),
        (-2 * _m("CaO") / _m("SiO2"), {"SiO2": 1.0}),
        (-_m("CaO") / _m("TiO2"), {"TiO2": 1.0}),
        (-_m("CaO") / _m("SO3"), sulfur),
    )
    validity = (
        Condition(
            alumina,
            "sulfoaluminate phases: Al2O3 < 0.64 Fe2O3, no alumina is left for ye'elimite",
            "硫铝酸盐矿物计算:Al2O3 < 0.64 Fe2O3,无铝可成硫铝酸钙",
        ),
        Condition(
            sulfur,
            "sulfoaluminate phases: too little SO3 for the alumina, aluminates other than ye'elimite would form",
            "硫铝酸盐矿物计算:SO3 不足,会生成其他铝酸盐",
        ),
        Condition(
            lime,
            "sulfoaluminate phases: too little lime, gehlenite and other lime-poor phases would form",
            "硫铝酸盐矿物计算:石灰不足,会生成钙铝黄长石等",
        ),
    )
    assumptions = (
        "potential phases: complete reaction in the order C4AF, C4A3S, C2S, CT, CaSO4, rest free lime",
        "pure compounds, no melt, no temperature, no loss of SO3",
        "MgO, alkalis and P2O5 take no part; in fact alkalis bind SO3 as sulfates or enter ye'elimite",
    )
    table = {
        "C4A3S": (yeelimite, "potential ye'elimite", "C4A3S(潜在)"),
        "C2S": (c2s, "potential belite", "C2S(潜在)"),
        "C4AF": (c4af, "potential ferrite", "C4AF(潜在)"),
        "CT": (ct, "potential perovskite", "CT(潜在)"),
        "CaSO4": (anhydrite, "potential anhydrite left over", "剩余 CaSO4(潜在)"),
        "free_CaO": (lime, "lime left over (potential, not measured free lime)", "剩余 CaO(潜在)"),
    }
    return {s: _phase(s, f, _BYF, n, z, validity, assumptions) for s, (f, n, z) in table.items()}


def _build_s_alkali() -> Criterion:
    al_fe = _m("Al2O3") / _m("Fe2O3")
    left = _add((1.0, {"SO3": 1.0}), (-_m("SO3") / (3 * _m("Al2O3")), {"Al2O3": 1.0, "Fe2O3": -al_fe}))
    return Criterion(
        symbol="S_alkali",
        name="sulfate left by ye'elimite per alkali, molar SO3/(Na2O + K2O)",
        name_zh="硫铝酸钙以外的 SO3 与碱的摩尔比",
        unit="",
        numerator={k: v / _m("SO3") for k, v in left.items()},
        denominator={"Na2O": 1.0 / _m("Na2O"), "K2O": 1.0 / _m("K2O")},
        basis="ignited",
        source=Source("stoichiometry of alkali sulfates against ye'elimite", Evidence.COMPUTED),
        assumptions=("below 1 the alkalis can claim all sulfate left over, and then compete with ye'elimite",),
    )


#: Sulfate left for the alkalis in sulfoaluminate clinker.
S_ALKALI: Criterion = _build_s_alkali()
#: Potential phases of Portland clinker, SO3 in alkali sulfates.
BOGUE: dict[str, Criterion] = _build_bogue("alkali")
#: The same with all SO3 as CaSO4 (cement analysis, ASTM C150).
BOGUE_CEMENT: dict[str, Criterion] = _build_bogue("anhydrite")
#: Potential phases of sulfoaluminate (belite-ye'elimite-ferrite) clinker.
BYF: dict[str, Criterion] = _build_byf()


def _ignited(x: Composition | Material | Mapping[str, Any]) -> Composition | Mapping[str, Any]:
    if isinstance(x, Material):
        x = x.composition
    if isinstance(x, Composition):
        return x.to_basis("ignited") if x.basis != "ignited" else x
    return x


def bogue(
    x: Composition | Material | Mapping[str, Any], *, sulfate: str = "alkali", free_CaO: float = 0.0
) -> dict[str, float]:
    """Potential phases of Portland clinker or cement (Bogue 1929).

    Parameters
    ----------
    x : Composition, Material or mapping
        Oxides [wt%]; a composition is brought to the ignited basis first.
    sulfate : {"alkali", "anhydrite"}
        Whether SO3 takes lime: in clinker it mostly sits in alkali sulfates, in cement in CaSO4.
    free_CaO : float
        Measured free lime [wt%], deducted from CaO.

    Returns
    -------
    dict of str to float
        C3S, C2S, C3A, C4AF [wt%].

    Raises
    ------
    MissingDataError
        If an oxide is missing.
    ValidityError
        If the composition lies outside the calculation (A/F < 0.64, or a phase would be negative).
    """
    if sulfate not in ("alkali", "anhydrite"):
        raise ValidityError(f"sulfate = {sulfate!r}; expected 'alkali' or 'anhydrite'.")
    given = dict(_ignited(x))
    if "CaO" in given:
        given["CaO"] = given["CaO"] - free_CaO
    table = BOGUE if sulfate == "alkali" else BOGUE_CEMENT
    return {s: float(np.asarray(value_of(c, given))) for s, c in table.items()}


def sulfoaluminate(x: Composition | Material | Mapping[str, Any]) -> dict[str, float]:
    """Potential phases of sulfoaluminate clinker: C4A3S, C2S, C4AF, CT, CaSO4 and lime left over [wt%].

    Raises
    ------
    MissingDataError
        If an oxide is missing.
    ValidityError
        If alumina, sulfate or lime do not suffice for the assumed phases.
    """
    given = _ignited(x)
    return {s: float(np.asarray(value_of(c, given))) for s, c in BYF.items()}
