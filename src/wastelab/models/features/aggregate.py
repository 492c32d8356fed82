"""Aggregate, admixture and paste: how much of them there is for the binder, and how much space."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ..design import FloatArray
from .arrays import floats, over
from .binder import DEFINITION, DENSITIES
from .offer import Derived, Offer, combine, ratio, total, volumes
from .plan import Step


def aggregate_binder(aggregate: ArrayLike, binder: ArrayLike) -> FloatArray:
    """Aggregate over binder by mass [kg/kg]."""
    return over(aggregate, binder)


def sand_ratio(fine: ArrayLike, coarse: ArrayLike) -> FloatArray:
    """Fine over all aggregate by mass [kg/kg]."""
    return over(fine, floats(fine) + floats(coarse))


def recycled_share(recycled: ArrayLike, aggregate: ArrayLike) -> FloatArray:
    """Recycled over all aggregate by mass [kg/kg]."""
    return over(recycled, aggregate)


def admixture_binder(admixture: ArrayLike, binder: ArrayLike) -> FloatArray:
    """An admixture over binder by mass [kg/kg]."""
    return over(admixture, binder)


def paste_volume(masses: ArrayLike, densities: ArrayLike) -> FloatArray:
    """Volume of binders and water in a volume of concrete [m3/m3].

    Parameters
    ----------
    masses : array_like, shape (..., n_parts)
        Of binders and water [kg/m3].
    densities : array_like, shape (n_parts,)
        [g/cm3].

    Notes
    -----
    A feature takes typical densities of the vocabulary, not those of the materials at hand.
    """
    out: FloatArray = (floats(masses) / (1000.0 * floats(densities))).sum(axis=-1)
    return out


def total_mass(*amounts: ArrayLike) -> FloatArray:
    """Mass of all parts of a mix [unit of the parts]: fresh density where they are in kg/m3."""
    out = floats(0.0)
    for amount in amounts:
        out = out + floats(amount)
    return out


def _recycled(offer: Offer) -> list[Step]:
    recycled = offer.role("recycled_coarse_aggregate", "recycled_fine_aggregate")
    return ratio("recycled/aggregate", recycled, offer.aggregate())


def _admixtures(offer: Offer) -> list[Step]:
    out: list[Step] = []
    for role in dict.fromkeys(m.role for m in offer.meanings if m.group == "admixture"):
        out += ratio(f"{role}/binder", offer.role(role), offer.total_binder())
    return out


def _paste(offer: Offer) -> list[Step]:
    return total("paste volume", volumes(offer)) if offer.basis == "kg/m3" else []


def _mass(offer: Offer) -> list[Step]:
    parts = (offer.total_binder(), offer.water(), offer.aggregate())
    if not all(parts) or offer.basis != "kg/m3":
        return []
    others = offer.group("admixture", "activator", "other")
    water = offer.role("added_water")
    others = {column: factor for column, factor in others.items() if column not in water}
    return total("total mass", combine(*((1.0, form) for form in (*parts, others) if form)))


DERIVED = (
    Derived("aggregate/binder", "kg/kg", "aggregate / binder", DEFINITION, aggregate_binder,
            lambda offer: ratio("aggregate/binder", offer.aggregate(), offer.total_binder()), "骨胶比"),
    Derived("fine/aggregate", "kg/kg", "fine / (fine + coarse aggregate)", DEFINITION, sand_ratio,
            lambda offer: ratio("fine/aggregate", offer.fine(), combine((1.0, offer.fine()), (1.0, offer.coarse()))),
            "砂率"),
    Derived("recycled/aggregate", "kg/kg", "recycled / all aggregate", DEFINITION, recycled_share, _recycled,
            "再生骨料比例"),
    Derived("{ADMIXTURE}/binder", "kg/kg", "each admixture / binder", DEFINITION, admixture_binder, _admixtures,
            "外加剂掺量"),
    Derived("paste volume", "m3/m3", "sum of (binder or water) / its typical density", DENSITIES, paste_volume, _paste,
            "浆体体积"),
    Derived("total mass", "kg/m3", "sum of all amounts", DEFINITION, total_mass, _mass, "总质量"),
)  # fmt: skip
