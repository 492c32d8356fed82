"""Tables to fit property models to: one row a mix, age and method, with what was known before the mix was made.

Features come from the components alone; nothing measured on the mix or its specimens but the target is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import filters as f
from .store import Store

if TYPE_CHECKING:
    import pandas as pd


def training_table(
    store: Store,
    target: str,
    *,
    age: str | float | None = None,
    method: f.Codes = None,
    technique: f.Codes = None,
    min_replicates: int = 1,
    features: str | Sequence[str] = "default",
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    viewer: str | None = None,
) -> pd.DataFrame:
    """Mixes and features for a property model, with group labels and provenance."""
    raise NotImplementedError
