"""Alkali-activated binders: molar ratios of binder and activator together, modulus and dose of the activator.

Ratios are of total oxides: what does not dissolve takes no part, and no table of mixes says how much that is.
"""

from __future__ import annotations

from functools import partial

from numpy.typing import ArrayLike

from ...chemistry import MODULI, molar_mass
from ..design import FloatArray
from .arrays import floats, over
from .binder import DEFINITION
from .offer import Derived, Form, Offer, combine, ratio
from .plan import Step

MOLAR = MODULI["Si_Al"].source
_M = {name: molar_mass(name) for name in ("SiO2", "Al2O3", "Na2O", "H2O", "CaO")}


def molar_ratio(numerator: ArrayLike, denominator: ArrayLike, formulas: str) -> FloatArray:
    """Ratio of amounts of substance from masses of one basis [mol/mol].

    Parameters
    ----------
    numerator, denominator : array_like
        Masses, binder and activator together.
    formulas : str
        ``"SiO2/Al2O3"``.
    """
    over_, _, under = formulas.partition("/")
    return over(floats(numerator) / molar_mass(over_), floats(denominator) / molar_mass(under))


def activator_modulus(SiO2: ArrayLike, Na2O: ArrayLike) -> FloatArray:
    """Silica modulus of the activator alone [mol/mol], from masses."""
    return molar_ratio(SiO2, Na2O, "SiO2/Na2O")


def alkali_binder(Na2O: ArrayLike, binder: ArrayLike) -> FloatArray:
    """Na2O of the activator per 100 kg of dry binder [%]."""
    return over(100.0 * floats(Na2O), binder)


def _both(offer: Offer, oxide: str) -> Form:
    """An oxide of binder and activator together [kg per 100 kg of dry binder]; empty if not known."""
    binder, activator = offer.content(oxide), offer.activator(oxide)
    if oxide == "Na2O" and not binder:
        return activator
    if activator:
        return combine((1.0, binder), (1.0, activator))
    hydroxide_only = {m.role for m in offer.meanings if m.group == "activator"} == {"sodium_hydroxide"}
    return {} if oxide == "SiO2" and not hydroxide_only else binder


def _molar(numerator: str, denominator: str, offer: Offer) -> list[Step]:
    if not offer.activator("Na2O"):
        return []
    top = combine((1.0 / _M[numerator], _both(offer, numerator)))
    bottom = combine((1.0 / _M[denominator], _both(offer, denominator)))
    return ratio(f"{numerator}/{denominator} molar", top, bottom)


def _modulus(offer: Offer) -> list[Step]:
    if offer.one("activator_modulus"):
        return []
    silica, soda = offer.activator("SiO2"), offer.activator("Na2O")
    return ratio("activator modulus", combine((1.0 / _M["SiO2"], silica)), combine((1.0 / _M["Na2O"], soda)))


def _water(offer: Offer) -> list[Step]:
    water, soda = offer.water_share(), offer.activator("Na2O")
    return ratio("H2O/Na2O molar", combine((100.0 / _M["H2O"], water)), combine((1.0 / _M["Na2O"], soda)))


def _dose(offer: Offer) -> list[Step]:
    form = offer.activator("Na2O")
    return [offer.helpers[key] for key in form if key in offer.helpers]


def _liquid(offer: Offer) -> list[Step]:
    return ratio("activator/binder", offer.group("activator"), offer.total_binder())


DERIVED = (
    Derived("activator Na2O", "%", "100 Na2O of the activator / binder (NaOH counts as 0.775 Na2O)", DEFINITION,
            alkali_binder, _dose, "碱当量"),
    Derived("activator/binder", "kg/kg", "activators / binder", DEFINITION, alkali_binder, _liquid, "激发剂掺量"),
    Derived("activator modulus", "mol/mol", "SiO2 / Na2O of the activator", MOLAR, activator_modulus, _modulus,
            "激发剂模数"),
    Derived("SiO2/Al2O3 molar", "mol/mol", "SiO2 / Al2O3 of binder and activator", MOLAR, molar_ratio,
            partial(_molar, "SiO2", "Al2O3"), "硅铝摩尔比"),
    Derived("Na2O/Al2O3 molar", "mol/mol", "Na2O / Al2O3 of binder and activator", MOLAR, molar_ratio,
            partial(_molar, "Na2O", "Al2O3"), "钠铝摩尔比"),
    Derived("Na2O/SiO2 molar", "mol/mol", "Na2O / SiO2 of binder and activator", MOLAR, molar_ratio,
            partial(_molar, "Na2O", "SiO2"), "钠硅摩尔比"),
    Derived("H2O/Na2O molar", "mol/mol", "mixing water / Na2O of the activator", MOLAR, molar_ratio, _water,
            "水钠摩尔比"),
)  # fmt: skip
