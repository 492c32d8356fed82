"""Features of mixes by topic, each a plain function of arrays and an entry that says formula, source and unit.

`CATALOGUE` holds all of them; a table gets those whose inputs are among its columns, see
`wastelab.models.builder.MixFeatures`.
"""

from __future__ import annotations

from . import activator, age, aggregate, binder, calcination, chemistry, curing, particles
from .offer import Derived, Offer

#: Every feature that can be derived, in the order of the design.
CATALOGUE: tuple[Derived, ...] = (
    *binder.DERIVED,
    *aggregate.DERIVED,
    *chemistry.DERIVED,
    *activator.DERIVED,
    *particles.DERIVED,
    *curing.DERIVED,
    *calcination.DERIVED,
)

__all__ = ["CATALOGUE", "Derived", "Offer", "age"]
