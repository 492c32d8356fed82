"""Where something came from and what became of it: heaps, samples, mixes, specimens, batches and yards as one graph.

One query a level at most, so that ten thousand descendants are a matter of a moment; a ring of records ends the walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .store import Store

if TYPE_CHECKING:
    import pandas as pd


def lineage(store: Store, code: str, direction: str = "both") -> pd.DataFrame:
    """Ancestors and descendants of a sample, mix, specimen, source, batch or yard."""
    raise NotImplementedError
