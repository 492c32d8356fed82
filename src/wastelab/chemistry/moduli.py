"""Moduli and coefficients of cement, slag, geopolymer and ceramsite practice, each a `Criterion` with source.

`MODULI` holds them by symbol; `modulus` computes one for a composition, a material or a mapping of arrays,
and refuses what lies outside the formula's validity. `ALIASES` are the names of Chinese practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDataError, UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source
from .composition import Composition
from .criterion import MASS, Condition, Criterion
from .formulas import molar_mass
from .material import Material

_TAYLOR = Source(
    "H. F. W. Taylor, Cement Chemistry, 2nd ed., Thomas Telford 1997, ch. 3", Evidence.MEMORY, edition="1997"
)
_GB203 = Source("GB/T 203-2008, quality coefficient of granulated blastfurnace slag", Evidence.MEMORY, edition="2008")
_SLAG = Source("slag practice: hydraulic and basicity coefficients as in common text-books", Evidence.MEMORY)
_GB20491 = Source("GB/T 20491-2017, basicity of steel slag", Evidence.MEMORY, edition="2017")
_CSA = Source(
    "Chinese sulfoaluminate practice (Wang Yanmou et al.); coefficients follow from the stoichiometry of "
    "C4A3S, C4AF, C2S and CT",
    Evidence.COMPUTED,
)
_RILEY = Source(
    "C. M. Riley, J. Am. Ceram. Soc. 34 (1951) 121-128, region of bloating clays", Evidence.MEMORY,
    doi="10.1111/j.1151-2916.1951.tb11619.x",
)  # fmt: skip
_GB175 = Source("GB 175-2023, Na2O + 0.658 K2O; the factor is the ratio of molar masses", Evidence.COMPUTED, "2023")
_MOLAR = Source("molar ratio from oxide contents and standard atomic weights", Evidence.COMPUTED)
_C618 = Source("ASTM C618, sum of the three oxides", Evidence.SECONDARY, edition="12a")

#: Fluxing oxides of Riley's diagram.
FLUXES = ("Fe2O3", "CaO", "MgO", "Na2O", "K2O")


def _molar(symbol: str, name: str, name_zh: str, over: str, under: str, note: str = "") -> Criterion:
    return Criterion(
        symbol=symbol,
        name=name,
        name_zh=name_zh,
        unit="",
        numerator={over: 1.0 / molar_mass(over)},
        denominator={under: 1.0 / molar_mass(under)},
        source=_MOLAR,
        assumptions=(note,) if note else (),
    )


_TOTAL = "ratio of TOTAL oxides; only the dissolved (reactive) part takes part in geopolymerisation"


def _build() -> dict[str, Criterion]:
    ca_per_al = 4 * molar_mass("CaO") / (3 * molar_mass("Al2O3"))  # 0.733: C4A3S, its sulfate lime included
    ca_per_fe = 4 * molar_mass("CaO") / molar_mass("Fe2O3")  # 1.404: C4AF
    al_per_fe = molar_mass("Al2O3") / molar_mass("Fe2O3")  # 0.638: C4AF
    ca_per_si = 2 * molar_mass("CaO") / molar_mass("SiO2")  # 1.867: C2S
    ca_per_ti = molar_mass("CaO") / molar_mass("TiO2")  # 0.702: CT
    free_alumina = Condition(
        {"Al2O3": 1.0, "Fe2O3": -al_per_fe},
        "Al2O3 < 0.64 Fe2O3: the ferrite takes all alumina, no ye'elimite can form",
        "Al2O3 < 0.64 Fe2O3:铝全部进入铁相,不能生成硫铝酸钙",
    )
    kh_alumina = Condition(
        {"Al2O3": 1.0, "Fe2O3": -0.64},
        "AM < 0.64: KH in this form holds for AM >= 0.64",
        "铝率低于 0.64:此式不适用",
    )
    criteria = [
        Criterion(
            "LSF", "lime saturation factor", "%",
            {"CaO": 100.0}, {"SiO2": 2.8, "Al2O3": 1.18, "Fe2O3": 0.65}, _TAYLOR,
            name_zh="石灰饱和系数", basis="any",
            assumptions=("without MgO and SO3 corrections; in per cent (1.00 = 100 %)",),
        ),
        Criterion(
            "KH", "lime saturation ratio of Chinese practice (KH)", "",
            {"CaO": 1.0, "Al2O3": -1.65, "Fe2O3": -0.35}, {"SiO2": 2.8},
            Source("Chinese cement practice, KH = (CaO - 1.65 Al2O3 - 0.35 Fe2O3)/(2.8 SiO2)", Evidence.MEMORY),
            name_zh="石灰饱和比 KH", validity=(kh_alumina,),
            assumptions=("free lime and SO3 not deducted",),
        ),
        Criterion(
            "SM", "silica modulus (n)", "", {"SiO2": 1.0}, {"Al2O3": 1.0, "Fe2O3": 1.0}, _TAYLOR, name_zh="硅率 n",
        ),
        Criterion(
            "AM", "alumina modulus (p)", "", {"Al2O3": 1.0}, {"Fe2O3": 1.0}, _TAYLOR, name_zh="铝率 p",
        ),
        Criterion(
            "Na2O_eq", "sodium oxide equivalent", "wt%",
            {"Na2O": 1.0, "K2O": molar_mass("Na2O") / molar_mass("K2O")}, {MASS: 1.0}, _GB175,
            scale=100.0, name_zh="碱含量(Na2O 当量)",
        ),
        Criterion(
            "Cm", "alkalinity modulus of sulfoaluminate clinker", "",
            {"CaO": 1.0, "TiO2": -ca_per_ti},
            {"Al2O3": ca_per_al, "Fe2O3": ca_per_fe - ca_per_al * al_per_fe, "SiO2": ca_per_si},
            _CSA, name_zh="碱度系数 Cm", validity=(free_alumina,),
            assumptions=(
                "lime of C4A3S counted with its sulfate lime (0.73 CaO per Al2O3); lime of anhydrite left over is "
                "not, so that Cm exceeds 1 by it",
            ),
        ),
        Criterion(
            "P", "alumina-sulfur ratio of sulfoaluminate clinker", "",
            {"Al2O3": 1.0, "Fe2O3": -al_per_fe}, {"SO3": 1.0}, _CSA,
            name_zh="铝硫比 P", validity=(free_alumina,),
            assumptions=("3.82 is stoichiometric C4A3S; above it sulfate is short",),
        ),
        Criterion(
            "slag_K", "quality coefficient of slag (CaO+MgO+Al2O3)/(SiO2+MnO+TiO2)", "",
            {"CaO": 1.0, "MgO": 1.0, "Al2O3": 1.0}, {"SiO2": 1.0, "MnO": 1.0, "TiO2": 1.0}, _GB203,
            name_zh="矿渣质量系数 K",
        ),
        Criterion(
            "slag_M0", "basicity coefficient of slag (CaO+MgO)/(SiO2+Al2O3)", "",
            {"CaO": 1.0, "MgO": 1.0}, {"SiO2": 1.0, "Al2O3": 1.0}, _SLAG, name_zh="矿渣碱性系数 M0",
        ),
        Criterion(
            "slag_Hw", "hydration coefficient of slag (CaO+1.4 MgO+0.56 Al2O3)/SiO2", "",
            {"CaO": 1.0, "MgO": 1.4, "Al2O3": 0.56}, {"SiO2": 1.0}, _SLAG, name_zh="矿渣水硬性系数",
        ),
        Criterion(
            "steel_slag_R", "basicity of steel slag CaO/(SiO2+P2O5)", "",
            {"CaO": 1.0}, {"SiO2": 1.0, "P2O5": 1.0}, _GB20491, name_zh="钢渣碱度",
        ),
        _molar("Si_Al", "SiO2/Al2O3, molar", "SiO2/Al2O3 摩尔比", "SiO2", "Al2O3", _TOTAL),
        _molar("Na_Al", "Na2O/Al2O3, molar", "Na2O/Al2O3 摩尔比", "Na2O", "Al2O3", _TOTAL),
        _molar("Na_Si", "Na2O/SiO2, molar", "Na2O/SiO2 摩尔比", "Na2O", "SiO2", _TOTAL),
        _molar("H2O_Na2O", "H2O/Na2O, molar", "H2O/Na2O 摩尔比", "H2O", "Na2O", "mixing and activator water"),
        Criterion(
            "SAF", "SiO2 + Al2O3 + Fe2O3", "wt%", {"SiO2": 1.0, "Al2O3": 1.0, "Fe2O3": 1.0}, {MASS: 1.0}, _C618,
            scale=100.0, name_zh="SiO2+Al2O3+Fe2O3",
        ),
        Criterion(
            "Riley_SiO2", "SiO2 in Riley's diagram", "wt%", {"SiO2": 100.0},
            {"SiO2": 1.0, "Al2O3": 1.0, **dict.fromkeys(FLUXES, 1.0)}, _RILEY, name_zh="Riley 图 SiO2",
            assumptions=(
                "SiO2 + Al2O3 + fluxes (Fe2O3, CaO, MgO, Na2O, K2O) = 100 %; bloating region as commonly quoted "
                "53-79 %, in Chinese practice 48-70 %",
            ),
        ),
        Criterion(
            "Riley_Al2O3", "Al2O3 in Riley's diagram", "wt%", {"Al2O3": 100.0},
            {"SiO2": 1.0, "Al2O3": 1.0, **dict.fromkeys(FLUXES, 1.0)}, _RILEY, name_zh="Riley 图 Al2O3",
            assumptions=("bloating region as commonly quoted 10-25 %, in Chinese practice 8-25 %",),
        ),
        Criterion(
            "Riley_flux", "fluxes in Riley's diagram", "wt%", dict.fromkeys(FLUXES, 100.0),
            {"SiO2": 1.0, "Al2O3": 1.0, **dict.fromkeys(FLUXES, 1.0)}, _RILEY, name_zh="Riley 图 熔剂",
            assumptions=("bloating region as commonly quoted 13-26 %, in Chinese practice wider",),
        ),
        Criterion(
            "Riley_ratio", "(SiO2 + Al2O3)/fluxes", "", {"SiO2": 1.0, "Al2O3": 1.0}, dict.fromkeys(FLUXES, 1.0),
            _RILEY, name_zh="(SiO2+Al2O3)/熔剂",
        ),
    ]  # fmt: skip
    return {c.symbol: c for c in criteria}


#: Every modulus by its symbol.
MODULI: dict[str, Criterion] = _build()

#: Names of Chinese practice.
ALIASES = {"n": "SM", "p": "AM", "K": "slag_K", "M0": "slag_M0"}


def content(component: str, name: str = "", name_zh: str = "") -> Criterion:
    """Content of a component per mass of product, as a `Criterion` [wt%, Bq/kg or mg/kg]."""
    from .material import unit_of

    return Criterion(
        symbol=component,
        name=name or f"{component} content",
        name_zh=name_zh or f"{component} 含量",
        unit=unit_of(component),
        numerator={component: 1.0},
        denominator={MASS: 1.0},
        scale=100.0,
        source=Source("mass balance", Evidence.COMPUTED),
    )


def components_of(x: Composition | Material | Mapping[str, Any]) -> dict[str, Any]:
    """Components of whatever a person passes: composition, material, or mapping of numbers or arrays."""
    if isinstance(x, Material):
        return dict(x.components())
    if isinstance(x, Composition):
        return {**x.contents, MASS: 100.0}
    columns = getattr(x, "columns", None)
    if columns is not None:
        return {str(c): np.asarray(x[c], dtype=np.float64) for c in columns}
    return dict(x)


def value_of(criterion: Criterion, x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """Value of any criterion for what a person passes, validity enforced.

    Raises
    ------
    MissingDataError
        If a component is missing; names it.
    ValidityError
        If the formula does not hold for (one of) the compositions, or its denominator is not positive.
    """
    components = components_of(x)
    lacking = criterion.missing({MASS: 100.0, **components})
    if lacking:
        raise MissingDataError(f"{criterion.symbol} needs {', '.join(lacking)}, which was not measured.")
    for condition in criterion.violated(components):
        raise ValidityError(f"{criterion.symbol} cannot be computed: {condition.reason}.")
    value = criterion.evaluate(components)
    if bool(np.isnan(value).any()):
        raise ValidityError(f"{criterion.symbol} cannot be computed: its denominator is not positive.")
    return float(value) if value.ndim == 0 else value


def modulus(symbol: str, x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """One modulus by symbol (or alias) of a composition, material, or mapping of arrays.

    Raises
    ------
    UnknownNameError
        If there is no such modulus.
    MissingDataError, ValidityError
    """
    name = ALIASES.get(symbol, symbol)
    if name not in MODULI:
        raise UnknownNameError(f"There is no modulus {symbol!r}.{suggest(symbol, MODULI)}")
    return value_of(MODULI[name], x)


def moduli(x: Composition | Material | Mapping[str, Any]) -> dict[str, float]:
    """Every modulus that can be computed for one composition; what lacks an input is left out.

    Parameters
    ----------
    x : Composition, Material or mapping of str to float
        Contents in wt%.

    Returns
    -------
    dict of str to float
    """
    out = {}
    for symbol in MODULI:
        try:
            value = value_of(MODULI[symbol], x)
        except (MissingDataError, ValidityError):
            continue
        out[symbol] = float(np.asarray(value))
    return out


def lsf(x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """Lime saturation factor [%]: 100 CaO/(2.8 SiO2 + 1.18 Al2O3 + 0.65 Fe2O3) (Taylor 1997)."""
    return modulus("LSF", x)


def sm(x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """Silica modulus SiO2/(Al2O3 + Fe2O3)."""
    return modulus("SM", x)


def am(x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """Alumina modulus Al2O3/Fe2O3."""
    return modulus("AM", x)
