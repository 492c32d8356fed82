"""A number with its unit, its uncertainty, its detection limit and its source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import CompositionError
from ..provenance import Source


@dataclass(frozen=True, slots=True)
class Quantity:
    """One value as a laboratory or a table gives it.

    Attributes
    ----------
    value : float
        Best value. For a censored value half the detection limit, by convention.
    unit : str
        Unit of `value`, `sigma`, `low`, `high` and `lod`.
    source : Source
    sigma : float or None
        Standard uncertainty (coverage factor 1).
    low, high : float or None
        Range the source states.
    lod : float or None
        Detection limit.
    censored : bool
        True where nothing was detected: the true value lies between 0 and `lod`.
    method : str
        Test method, where it is part of what was measured.
    """

    value: float
    unit: str
    source: Source
    sigma: float | None = None
    low: float | None = None
    high: float | None = None
    lod: float | None = None
    censored: bool = False
    method: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise CompositionError(f"A quantity must be a finite number, got {self.value!r}; leave it out if unknown.")
        if self.sigma is not None and not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise CompositionError(f"A standard uncertainty must be >= 0, got {self.sigma!r}.")
        if self.censored and self.lod is None:
            raise CompositionError("A value below detection needs its detection limit (lod).")

    @classmethod
    def below(cls, lod: float, unit: str, source: Source, method: str = "") -> Quantity:
        """A value that was looked for and not found: reported as ``< lod``."""
        return cls(lod / 2.0, unit, source, sigma=lod / math.sqrt(12.0), lod=lod, censored=True, method=method)

    def __str__(self) -> str:
        if self.censored:
            return f"< {self.lod:g} {self.unit}".strip()
        text = f"{self.value:g}"
        if self.sigma:
            text += f" ± {self.sigma:.2g}"
        return f"{text} {self.unit}".strip()
