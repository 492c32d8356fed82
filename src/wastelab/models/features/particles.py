"""Width of the particle size distribution; fineness of the blend stands with the other properties of the binder."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ...provenance import Evidence, Source
from ..design import FloatArray
from .arrays import floats, over
from .binder import DEFINITION
from .offer import Derived, Offer, combine, ratio
from .plan import Step

SPAN = Source("ISO 9276-2, width of a particle size distribution as commonly reported", Evidence.MEMORY)


def span(d10: ArrayLike, d50: ArrayLike, d90: ArrayLike) -> FloatArray:
    """Width of a particle size distribution ``(d90 - d10) / d50`` [1]: a wider one packs more densely."""
    return over(floats(d90) - floats(d10), d50)


def surface_water(blaine: ArrayLike, binder_water: ArrayLike) -> FloatArray:
    """Surface of the binder that a mass of water has to wet [m2/kg]."""
    return floats(blaine) * floats(binder_water)


def _spans(offer: Offer) -> list[Step]:
    out: list[Step] = []
    for owner in dict.fromkeys(m.role.split(":")[0] for m in offer.meanings if m.role.endswith(":d50")):
        d10, d50, d90 = (
            {m.column: m.slope} if (m := offer.one(f"{owner}:{size}")) else {} for size in ("d10", "d50", "d90")
        )
        out += ratio(f"span of {owner}", combine((1.0, d90), (-1.0, d10)), d50)
    return out


def _surface(offer: Offer) -> list[Step]:
    blaine, water, binder = offer.content("blaine"), offer.water_share(), offer.total_binder()
    if not blaine or not water:
        return []
    return ratio("blaine/water", blaine, water) if binder or offer.one("water_binder") else []


DERIVED = (
    Derived("span of {MATERIAL}", "", "(d90 - d10) / d50", SPAN, span, _spans, "粒度分布宽度"),
    Derived("blaine/water", "m2/kg", "Blaine of the binder * binder / water", DEFINITION, surface_water, _surface,
            "单位水量的比表面积"),
)  # fmt: skip
