"""The scale on which errors are symmetric: the unit itself, its square root, or its logarithm.

A property that is never negative and errs by a share of itself (leaching, activity of radium) has upper errors that are
larger than lower ones; an interval that is symmetric in its unit is then exceeded above far more often than below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from .design import FloatArray

#: By name, simple ones first: they win where errors are symmetric on several.
WARPS = ("identity", "sqrt", "log")


@dataclass(frozen=True)
class Warp:
    """A rising function of a property, and back.

    Attributes
    ----------
    name : str
        One of `WARPS`.
    floor : float
        [unit of the property] What smaller values count as on the logarithmic scale: half of the least result.
    """

    name: str = "identity"
    floor: float = 0.0

    @classmethod
    def of(cls, name: str, observed: FloatArray) -> Warp | None:
        """For these results; None where they do not allow it (below 0, or not above 0)."""
        if name not in WARPS:
            raise ModelError(f"scale = {name!r}: expected 'auto', 'identity', 'sqrt' or 'log'.")
        least = float(observed.min())
        if name == "identity":
            return cls()
        if least < 0.0 or (name == "log" and least == 0.0):
            return None
        return cls(name, 0.5 * least if name == "log" else 0.0)

    def forward(self, values: FloatArray) -> FloatArray:
        """On the scale."""
        if self.name == "identity":
            return values
        held = np.maximum(values, self.floor)
        return np.asarray(np.sqrt(held) if self.name == "sqrt" else np.log(held))

    def slope(self, values: FloatArray) -> FloatArray:
        """Derivative there: what a small standard deviation is multiplied by."""
        if self.name == "identity":
            return np.ones(len(values))
        if self.name == "log":
            return np.asarray(1.0 / np.maximum(values, self.floor))
        return np.asarray(0.5 / np.sqrt(np.maximum(values, 1e-12)))

    def ends(self, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Ends [unit of the property] of intervals that are symmetric on the scale; they hold the middle."""
        if self.name == "identity":
            return middle - half, middle + half
        if self.name == "sqrt":
            root = np.sqrt(np.maximum(middle, 0.0))
            return np.maximum(root - half, 0.0) ** 2, (root + half) ** 2
        with np.errstate(over="ignore"):
            grown = np.exp(half)
            return np.maximum(middle, 0.0) / grown, np.maximum(middle, self.floor) * grown
