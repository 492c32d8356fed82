"""Alkali-activated binders (geopolymers): molar ratios of precursor plus activator.

The process variables are what a person doses: Na2O, silicate modulus, water. The activator is NaOH plus
water glass; their masses follow by stoichiometry.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..chemistry.criterion import MASS, Criterion
from ..chemistry.formulas import molar_mass
from ..chemistry.moduli import MODULI
from ..chemistry.radioactivity import INDICES
from ..provenance import Evidence, Source
from ..reference import factor
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

_PRACTICE = Source("laboratory practice of alkali activation", Evidence.MEMORY)


def activator(na2o: float, modulus: float, glass_modulus: float) -> dict[str, float]:
    """Activator for 100 g of dry precursor.

    Parameters
    ----------
    na2o : float
        Na2O from the activator [g per 100 g precursor].
    modulus : float
        Molar SiO2/Na2O of the activator.
    glass_modulus : float
        Molar SiO2/Na2O of the water glass it is made from; at least `modulus`.

    Returns
    -------
    dict of str to float
        ``SiO2``, ``Na2O`` [g]; ``naoh``, ``glass_solids`` [g]; ``H2O`` [g] freed when NaOH reacts.
    """
    n_na = na2o / molar_mass("Na2O")
    n_si = modulus * n_na
    n_glass = min(n_si / glass_modulus, n_na)
    n_hydroxide = n_na - n_glass  # as Na2O
    return {
        "Na2O": na2o,
        "SiO2": n_si * molar_mass("SiO2"),
        "naoh": 2.0 * n_hydroxide * molar_mass("NaOH"),
        "glass_solids": n_glass * molar_mass("Na2O") + n_si * molar_mass("SiO2"),
        "H2O": n_hydroxide * molar_mass("H2O"),
    }


def transform(
    components: Components, point: Mapping[str, float], settings: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Contributions per 100 g of dry precursor; the activator is the same for every material."""
    dose = activator(point["Na2O_dose"], point["modulus"], number(settings, "glass_modulus"))
    product = {name: np.array(values, dtype=np.float64) for name, values in components.items()}
    for oxide in ("Na2O", "SiO2"):
        if oxide in product:
            product[oxide] = product[oxide] + dose[oxide]
    solids = dose["glass_solids"] + dose["naoh"] - dose["H2O"]  # anhydrous activator
    product[MASS] = np.full(len(components[MASS]), 100.0 + solids)
    water = point["water_binder"] * (100.0 + solids)
    product["H2O"] = np.full(len(components[MASS]), water)
    naoh_t, glass_t = dose["naoh"] / 100.0, dose["glass_solids"] / 100.0  # t per t of precursor
    liquid = glass_t / (number(settings, "glass_solids") / 100.0)
    cost = naoh_t * factor("F176").value + liquid * factor("F178").value
    co2 = 1000.0 * (naoh_t * factor("F139").value + glass_t * factor("F140").value)
    return add_impact(
        product, components, fired=False, power=number(settings, "electricity"),
        calcination_energy=number(settings, "calcination_energy"), extra_cost=cost, extra_co2=co2,
    )  # fmt: skip


_CALCINING = factor("F160")

ROUTE = Route(
    name="geopolymer",
    title="Alkali-activated binder (geopolymer)",
    title_zh="碱激发胶凝材料(地聚物)",
    product="dry binder (precursor and anhydrous activator)",
    stages=("activate",),
    product_basis="dry",
    criteria={
        **{k: MODULI[k] for k in ("Si_Al", "Na_Al", "Na_Si", "H2O_Na2O", "SAF")},
        "Ca_SiAl": Criterion(
            "Ca_SiAl", "CaO/(SiO2+Al2O3), by mass", "", {"CaO": 1.0}, {"SiO2": 1.0, "Al2O3": 1.0},
            Source("calcium level of the precursor: low-calcium below about 0.3", Evidence.MEMORY),
            name_zh="CaO/(SiO2+Al2O3) 质量比",
        ),
        **contents(),
        **INDICES,
        **shares(),
        **impact_criteria("dry binder"),
    },
    transform=transform,
    variables=(
        ProcessVariable(
            "Na2O_dose", "%", "Na2O from the activator, by mass of dry precursor", "激发剂 Na2O 掺量(占前驱体)",
            0.0, 15.0, None, _PRACTICE,
        ),
        ProcessVariable(
            "modulus", "", "molar SiO2/Na2O of the activator", "激发剂模数", 0.0, 2.4, None, _PRACTICE,
        ),
        ProcessVariable(
            "water_binder", "kg/kg", "all water by mass of dry binder", "水胶比", 0.15, 1.0, None, _PRACTICE,
        ),
    ),
    parameters=(
        ProcessVariable(
            "glass_modulus", "", "molar SiO2/Na2O of the water glass", "水玻璃模数", 2.4, 3.6, 3.2, _PRACTICE,
        ),
        ProcessVariable(
            "glass_solids", "%", "solids of the liquid water glass", "水玻璃固含量", 20.0, 60.0, 38.0, _PRACTICE,
        ),
        ProcessVariable(
            "calcination_energy", "GJ/t", "fuel for materials marked calcined (default F160)", "预煅烧燃料",
            0.0, 6.0, _CALCINING.value, _CALCINING.source,
        ),
        power_parameter(),
    ),
    needs=(
        strength_need(
            "unknown - needs a model fitted to strengths of such binders; reactivity decides, not total oxides",
            "未知——需要此类胶凝材料的强度数据拟合模型;取决于活性组分而非总氧化物", "GB/T 17671",
        ),
        ModelNeed(
            "setting_time", "unknown - needs a model fitted to setting tests", "未知——需凝结时间试验", "GB/T 1346",
        ),
        ModelNeed(
            "efflorescence", "unknown - free alkali leaches and blooms: needs a test",
            "未知——游离碱会泛霜:需试验",
        ),
        ModelNeed(
            "leachate_As", "unknown - high pH mobilises As, V, Cr, Mo: needs leaching of the hardened binder",
            "未知——高 pH 会活化 As、V、Cr、Mo:需对硬化体做浸出试验", "HJ 557",
        ),
    ),
    statements=(
        "Molar ratios are of TOTAL oxides of precursor and activator; only the reactive part dissolves. Crystalline "
        "quartz, mullite and hematite do not take part.",
        "Activator: NaOH plus water glass by stoichiometry; NaOH F176 and F139, water glass F178 and F140.",
        "Contents are per dry binder: precursor plus anhydrous activator. Bound water would dilute them further.",
        *IMPACT_STATEMENTS,
    ),
    statements_zh=(
        "摩尔比按前驱体与激发剂的总氧化物计;只有活性部分溶解,石英、莫来石、赤铁矿不参与反应。",
        "激发剂按 NaOH 加水玻璃化学计量;价格与碳排放用 F176、F139、F178、F140。",
        "含量按干胶凝材料(前驱体加无水激发剂)计;结合水会进一步稀释。",
        *IMPACT_STATEMENTS_ZH,
    ),
    suggested_standards=("GB 6566-2010/main_structure",),
    forbidden_variables={
        "temperature": "curing temperature acts on strength, for which this route has no model yet; a grid over it "
        "would change nothing. Remove the key.",
    },
)  # fmt: skip
