"""Features of mixes by topic, each a plain function of arrays and an entry that says formula, source and unit.

`CATALOGUE` holds all of them; a table gets those whose inputs are among its columns, see
`wastelab.models.builder.MixFeatures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import activator, aggregate, binder, calcination, chemistry, curing, particles
from .offer import Derived, Offer

if TYPE_CHECKING:
    import pandas as pd

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

__all__ = ["CATALOGUE", "Derived", "Offer", "catalogue"]


def catalogue() -> pd.DataFrame:
    """Every feature that can be derived: name, unit, formula, source, evidence, DOI, Chinese title."""
    import pandas as pd

    rows = [
        (d.name, d.unit, d.formula, d.source.text, str(d.source.evidence), d.source.doi, d.title_zh) for d in CATALOGUE
    ]
    return pd.DataFrame(rows, columns=["name", "unit", "formula", "source", "evidence", "doi", "title_zh"])
