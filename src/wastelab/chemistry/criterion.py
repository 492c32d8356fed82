"""A criterion: a published quantity that is a ratio of two linear forms of the composition.

Moduli (LSF, SM, Cm …), contents per product mass, potential phases, radionuclide indices and molar
ratios all have this shape; written once as data they serve a single analysis, a table of analyses and
the screening kernels (where a limit on a ratio becomes an exact half-space). A formula that is not of
this shape does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..provenance import Source

#: Component standing for the mass of the basis itself: 100 for an analysis in wt% of its own basis.
MASS = "mass"


@dataclass(frozen=True)
class Condition:
    """A validity condition of a criterion: a linear form that must be >= 0 (or > 0 when `strict`).

    Attributes
    ----------
    form : mapping of str to float
        Component name to coefficient.
    reason, reason_zh : str
        What it means when the condition does not hold.
    strict : bool
        Whether zero itself is outside.
    """

    form: Mapping[str, float]
    reason: str
    reason_zh: str = ""
    strict: bool = False


@dataclass(frozen=True)
class Criterion:
    """``value = scale * (numerator . composition) / (denominator . composition)``.

    Components are oxides, elements and phases in wt%, nuclides (``Ra226`` …) in Bq/kg, trace elements
    (``metal:As`` …) in mg/kg, all of one basis, and `MASS` (100 on an analysis' own basis). A content per
    mass of product has denominator ``{"mass": 1}`` and scale 100.

    Attributes
    ----------
    symbol : str
        The field's name of the quantity: ``"LSF"``, ``"Cm"``, ``"C4A3S"``, ``"I_Ra"``.
    name, name_zh : str
        What a person reads.
    unit : str
        ``""`` for a pure number.
    numerator, denominator : mapping of str to float
        Coefficients by component. The denominator must be positive for the value to exist.
    scale : float
        Factor in front.
    basis : str
        ``"ignited"``, ``"dry"`` or ``"any"``: which basis the formula is published for.
    source : Source
    validity : tuple of Condition
        Where the formula holds; outside, the value is refused.
    assumptions : tuple of str
        What the formula takes for granted; shown with every result.
    """

    symbol: str
    name: str
    unit: str
    numerator: Mapping[str, float]
    denominator: Mapping[str, float]
    source: Source
    scale: float = 1.0
    basis: str = "any"
    name_zh: str = ""
    validity: tuple[Condition, ...] = ()
    assumptions: tuple[str, ...] = field(default=())

    @property
    def components(self) -> tuple[str, ...]:
        """Every component that must be known to compute the value (not those of the validity conditions)."""
        return tuple(dict.fromkeys([*self.numerator, *self.denominator]))

    def evaluate(self, components: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Value for each composition; NaN where an input is missing or the denominator is not positive.

        Validity conditions are *not* applied here; see `violated`.
        """
        num = form_value(self.numerator, components)
        den = form_value(self.denominator, components)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self.scale * num / den
        return np.where(den > 0, value, np.nan)

    def missing(self, components: Mapping[str, ArrayLike]) -> list[str]:
        """Names of the components that are absent, or NaN in any of the compositions."""
        return [c for c in self.components if c not in components or bool(np.any(np.isnan(_arr(components[c]))))]

    def violated(self, components: Mapping[str, ArrayLike]) -> list[Condition]:
        """Validity conditions that at least one of the compositions breaks."""
        broken = []
        for condition in self.validity:
            value = form_value(condition.form, components)
            bad = (value <= 0) if condition.strict else (value < -1e-9)
            if bool(np.any(bad)):
                broken.append(condition)
        return broken


def _arr(x: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(x, dtype=np.float64)


def form_value(form: Mapping[str, float], components: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Value of a linear form; NaN where one of its components is missing. `MASS` defaults to 100."""
    total: NDArray[np.float64] = np.zeros(())
    for name, coefficient in form.items():
        if name in components:
            total = total + coefficient * _arr(components[name])
        elif name == MASS:
            total = total + coefficient * 100.0
        else:
            total = total + np.nan
    return total
