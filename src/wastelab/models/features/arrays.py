"""Plain arrays: float64, and division in which a denominator of zero makes missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..design import FloatArray


def floats(x: ArrayLike) -> FloatArray:
    """As float64."""
    return np.asarray(x, dtype=np.float64)


def over(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """One over the other; NaN where the denominator is zero."""
    under = floats(denominator)
    out: FloatArray = floats(numerator) / np.where(under == 0.0, np.nan, under)
    return out
