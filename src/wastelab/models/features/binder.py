"""Water and binder: Abrams, Bolomey and Feret, what counts as cement, and shares of supplementary materials."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ...provenance import Evidence, Source
from ..design import FloatArray
from ..words import vocabulary
from .arrays import floats, over
from .offer import Derived, Offer, combine, ratio, total, volumes
from .plan import Step

ABRAMS = Source("D. A. Abrams, Design of Concrete Mixtures, Bulletin 1, Lewis Institute, Chicago 1918", Evidence.MEMORY)
BOLOMEY = Source(
    "J. Bolomey, Granulation et prévision de la résistance probable des bétons, Travaux 19 (1935) 228-232",
    Evidence.MEMORY,
)
FERET = Source(
    "R. Féret, Sur la compacité des mortiers hydrauliques, Annales des Ponts et Chaussées 1892; here without air and "
    "aggregate",
    Evidence.MEMORY,
)
DEFINITION = Source("definition", Evidence.COMPUTED)
K_VALUES = vocabulary().sources["k"]
DENSITIES = vocabulary().sources["density"]


def binder(*amounts: ArrayLike) -> FloatArray:
    """Dry binder: the sum of its parts [unit of the parts]; missing where one is."""
    out = floats(0.0)
    for amount in amounts:
        out = out + floats(amount)
    return out


def water_binder(water: ArrayLike, binder: ArrayLike) -> FloatArray:
    """Water over binder by mass [1]; missing where there is no binder.

    References
    ----------
    D. A. Abrams, Design of Concrete Mixtures, Bulletin 1, Lewis Institute, Chicago 1918.
    """
    return over(water, binder)


def binder_water(binder: ArrayLike, water: ArrayLike) -> FloatArray:
    """Binder over water by mass [1]: strength is nearly linear in it over the usual range.

    References
    ----------
    J. Bolomey, Travaux 19 (1935) 228-232.
    """
    return over(binder, water)


def k_binder_water(water: ArrayLike, **amounts: ArrayLike) -> FloatArray:
    """What counts as cement (``sum k * amount``) over water [1].

    Parameters
    ----------
    water : array_like
    **amounts : array_like
        By role: ``cement=300, fly_ash=80``. The k-values are those of the vocabulary: cement and clinker 1, fly ash
        0.4, granulated slag 0.6, silica fume 2.0, others 0.

    Notes
    -----
    EN 206 limits how much of an addition may count; the limits are not applied, so that the value is a feature and no
    proof of durability.
    """
    roles = vocabulary().roles
    parts = [(roles[name].k or 0.0) * floats(amount) for name, amount in amounts.items()]
    return over(binder(*parts), water)


def share(part: ArrayLike, binder: ArrayLike) -> FloatArray:
    """A part of the binder [kg/kg]."""
    return over(part, binder)


def feret(binder_volume: ArrayLike, water_volume: ArrayLike) -> FloatArray:
    """Volume of binder over volume of paste, air left out [1]; strength goes with its square.

    References
    ----------
    R. Féret, Annales des Ponts et Chaussées 1892.
    """
    return over(binder_volume, floats(binder_volume) + floats(water_volume))


def clinker_binder(cement: ArrayLike, clinker_share: ArrayLike, binder: ArrayLike) -> FloatArray:
    """Clinker in the cement over the whole binder [kg/kg]."""
    return over(floats(cement) * floats(clinker_share), binder)


def undeclared(total: ArrayLike, *parts: ArrayLike) -> FloatArray:
    """What of the stated total of binders is not among the named ones [kg/kg]."""
    return over(floats(total) - binder(*parts), total)


def _supplements(offer: Offer) -> dict[str, dict[str, float]]:
    return {role: form for role, form in offer.binders.items() if role not in ("cement", "clinker")}


def _shares(offer: Offer) -> list[Step]:
    whole = offer.total_binder()
    return [step for role, form in _supplements(offer).items() for step in ratio(f"{role}/binder", form, whole)]


def _scm(offer: Offer) -> list[Step]:
    others = _supplements(offer)
    if len(others) < 2 or not offer.parts_known or len(others) == len(offer.binders):
        return []
    return ratio("SCM/binder", combine(*((1.0, form) for form in others.values())), offer.total_binder())


def _counting(offer: Offer) -> list[Step]:
    roles = vocabulary().roles
    parts = [(roles[role].k or 0.0, form) for role, form in offer.binders.items()]
    if "cement" not in offer.binders and "clinker" not in offer.binders:
        return []
    counted = combine(*((k, form) for k, form in parts if k))
    return ratio("k_binder/water", counted, offer.water()) if len(parts) > 1 else []


def _feret(offer: Offer) -> list[Step]:
    return ratio("feret", volumes(offer, with_water=False), volumes(offer))


def _clinker(offer: Offer) -> list[Step]:
    cement, said, whole = offer.role("cement"), offer.one("clinker_share"), offer.total_binder()
    if len(cement) != 1 or said is None or not whole:
        return []
    ((column, factor),) = cement.items()
    inputs = {"cement": [column, factor, 0.0], "share": [said.column, said.slope, said.offset]}
    key = offer.key("clinker of cement")
    offer.helpers[key] = Step(key, "product", {"inputs": inputs})
    return ratio("clinker/binder", {key: 1.0}, whole) + ratio("clinker/water", {key: 1.0}, offer.water())


def _undeclared(offer: Offer) -> list[Step]:
    whole = offer.role("total_binder")
    if not whole or not offer.parts_known:
        return []
    rest = combine((1.0, whole), *((-1.0, form) for form in offer.binders.values()))
    return ratio("undeclared/binder", rest, whole)


DERIVED = (
    Derived("binder", "", "sum of the binders, or the table's own total", DEFINITION, binder,
            lambda offer: total("binder", offer.total_binder()), "胶凝材料总量"),
    Derived("water/binder", "", "water / binder", ABRAMS, water_binder,
            lambda offer: ratio("water/binder", offer.water(), offer.total_binder()), "水胶比"),
    Derived("effective_water/binder", "", "effective water / binder", ABRAMS, water_binder,
            lambda offer: ratio("effective_water/binder", offer.role("effective_water"), offer.total_binder())
            if offer.role("water") else [], "有效水胶比"),
    Derived("binder/water", "", "binder / water", BOLOMEY, binder_water,
            lambda offer: ratio("binder/water", offer.total_binder(), offer.water()), "胶水比"),
    Derived("water/cement", "", "water / cement", ABRAMS, water_binder,
            lambda offer: ratio("water/cement", offer.water(), offer.role("cement"))
            if len(offer.binders) > 1 else [], "水灰比"),
    Derived("k_binder/water", "", "(cement + 0.4 fly ash + 0.6 slag + 2 silica fume) / water", K_VALUES, k_binder_water,
            _counting, "等效灰水比"),
    Derived("feret", "", "volume of binder / (volume of binder + water)", FERET, feret, _feret, "浆体密实度"),
    Derived("{SCM}/binder", "kg/kg", "each binder but cement and clinker / binder", DEFINITION, share, _shares,
            "各掺合料比例"),
    Derived("SCM/binder", "kg/kg", "all binders but cement and clinker / binder", DEFINITION, share, _scm,
            "掺合料总比例"),
    Derived("clinker/binder", "kg/kg", "cement * share of clinker / binder, and over water", DEFINITION, clinker_binder,
            _clinker, "熟料比例"),
    Derived("undeclared/binder", "kg/kg", "(stated total - sum of the named binders) / stated total", DEFINITION,
            undeclared, _undeclared, "未列出的胶凝材料", 0.01),
)  # fmt: skip
