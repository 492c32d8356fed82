"""Oxides of the dry binder, and the moduli and ratios made of them; glass and phases."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ...chemistry import MODULI
from ...provenance import Evidence, Source
from ..design import FloatArray
from ..words import vocabulary
from .arrays import floats, over
from .binder import DEFINITION
from .offer import Derived, Offer, combine, ratio
from .plan import Step

BLEND = Source("mass balance of the blend", Evidence.COMPUTED)


def blended(amounts: ArrayLike, contents: ArrayLike) -> FloatArray:
    """Content of the dry binder from those of its parts, mean by mass [unit of the contents].

    Parameters
    ----------
    amounts, contents : array_like, shape (..., n_parts)
        A part of amount 0 needs no content.
    """
    mass = floats(amounts)
    part = np.where(mass == 0.0, 0.0, mass * floats(contents))
    return over(part.sum(axis=-1), mass.sum(axis=-1))


def blended_density(amounts: ArrayLike, densities: ArrayLike) -> FloatArray:
    """Density of the dry binder, volumes added [unit of the densities]."""
    mass = floats(amounts)
    part = np.where(mass == 0.0, 0.0, mass / floats(densities))
    return over(mass.sum(axis=-1), part.sum(axis=-1))


def oxide_ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Ratio of two oxides by mass [1]."""
    return over(numerator, denominator)


def basicity(CaO: ArrayLike, MgO: ArrayLike, SiO2: ArrayLike, Al2O3: ArrayLike) -> FloatArray:
    """``(CaO + MgO) / (SiO2 + Al2O3)`` by mass [1]."""
    return over(floats(CaO) + floats(MgO), floats(SiO2) + floats(Al2O3))


def hydraulic_index(CaO: ArrayLike, MgO: ArrayLike, Al2O3: ArrayLike, SiO2: ArrayLike) -> FloatArray:
    """``(CaO + 1.4 MgO + 0.56 Al2O3) / SiO2`` by mass [1]."""
    return over(floats(CaO) + 1.4 * floats(MgO) + 0.56 * floats(Al2O3), SiO2)


def alite_share(C3S: ArrayLike, C2S: ArrayLike) -> FloatArray:
    """Alite of the calcium silicates ``C3S / (C3S + C2S)`` by mass [1]."""
    return over(C3S, floats(C3S) + floats(C2S))


def _blends(offer: Offer) -> list[Step]:
    """Blended contents that are no column of the table: a step each."""
    out: list[Step] = []
    for name in vocabulary().properties:
        if name in ("d10", "d50", "d90"):
            continue
        form = offer.content(name)
        out += [offer.helpers[key] for key in form if key in offer.helpers]
    return out


def _by_mass(over_: str, under: str, offer: Offer) -> list[Step]:
    return ratio(f"{over_}/{under}", offer.content(over_), offer.content(under))


def _modulus(symbol: str, name: str, offer: Offer) -> list[Step]:
    modulus = MODULI[symbol]
    numerator = combine(*((w, offer.content(oxide)) for oxide, w in modulus.numerator.items()))
    denominator = combine(*((w, offer.content(oxide)) for oxide, w in modulus.denominator.items()))
    return ratio(name, numerator, denominator, modulus.scale)


def _alite(offer: Offer) -> list[Step]:
    return ratio(
        "C3S/(C3S+C2S)", offer.content("C3S"), combine((1.0, offer.content("C3S")), (1.0, offer.content("C2S")))
    )


DERIVED = (
    Derived("binder {PROPERTY}", "", "mean by mass over the parts of the binder (density: volumes add)", BLEND, blended,
            _blends, "胶凝材料的氧化物、物相与细度"),
    Derived("CaO/SiO2", "", "CaO / SiO2", DEFINITION, oxide_ratio, partial(_by_mass, "CaO", "SiO2"), "钙硅比"),
    Derived("Al2O3/SiO2", "", "Al2O3 / SiO2", DEFINITION, oxide_ratio, partial(_by_mass, "Al2O3", "SiO2"), "铝硅比"),
    Derived("basicity", "", "(CaO + MgO) / (SiO2 + Al2O3)", MODULI["slag_M0"].source, basicity,
            partial(_modulus, "slag_M0", "basicity"), "碱性系数"),
    Derived("hydraulic index", "", "(CaO + 1.4 MgO + 0.56 Al2O3) / SiO2", MODULI["slag_Hw"].source, hydraulic_index,
            partial(_modulus, "slag_Hw", "hydraulic index"), "水硬性系数"),
    Derived("C3S/(C3S+C2S)", "", "C3S / (C3S + C2S)", DEFINITION, alite_share, _alite, "阿利特占硅酸盐的比例"),
)  # fmt: skip
