"""What a learner sees: a matrix of numbers whose columns say what they are, in which unit, and where they come from.

At most one column is the age (its logarithm); no other column depends on age, so that the course of a property in
time at a fixed mix is one line through the matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..provenance import Source

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Ratio:
    """``scale * (numerator . inputs + offset) / (denominator . inputs)``: a feature that a kernel can compute.

    An empty denominator stands for 1. A missing input makes it missing.
    """

    numerator: Mapping[str, float]
    denominator: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Feature:
    """A column of a `Design`.

    Attributes
    ----------
    name, unit : str
    kind : {"input", "derived", "age", "category"}
        As in the table; computed from it; log of the age [ln d]; one level of a text column (0 or 1).
    formula : str
        What a person reads, e.g. ``"water / (cement + slag + fly_ash)"``.
    source : Source or None
        Where the formula is from; None for what is in the table.
    depends : tuple of str
        Columns of the table it is computed from.
    monotone : int
        1 where the property must not fall when it grows at all else fixed (age of strength), -1 the other way, 0 else.
    program : Ratio or None
        The same as the formula in a form that kernels evaluate, where there is one; of ``log`` features the argument.
    log : bool
        Whether the value is the natural logarithm of the program.
    """

    name: str
    unit: str
    kind: str
    formula: str = ""
    source: Source | None = None
    depends: tuple[str, ...] = ()
    monotone: int = 0
    program: Ratio | None = None
    log: bool = False


@dataclass(frozen=True)
class Design:
    """Numbers for a learner.

    Attributes
    ----------
    values : ndarray, shape (n_rows, n_features)
        float64, C-contiguous; NaN where something is missing.
    features : tuple of Feature
    """

    values: FloatArray
    features: tuple[Feature, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(f.name for f in self.features)

    @property
    def age(self) -> int | None:
        """Number of the age column, or None."""
        return next((j for j, f in enumerate(self.features) if f.kind == "age"), None)

    def of_kind(self, *kinds: str) -> list[int]:
        """Numbers of the columns of these kinds."""
        return [j for j, f in enumerate(self.features) if f.kind in kinds]

    def rows(self, index: ArrayLike) -> Design:
        """Some of the rows (numbers or a mask)."""
        return Design(np.ascontiguousarray(self.values[np.asarray(index)]), self.features)

    def take(self, columns: Sequence[int]) -> Design:
        """Some of the columns."""
        return Design(np.ascontiguousarray(self.values[:, list(columns)]), tuple(self.features[j] for j in columns))

    def at_age(self, log_age: ArrayLike) -> Design:
        """The same mixes at other ages [ln d] (one for all, or one for each row)."""
        if self.age is None:
            return self
        values = self.values.copy()
        values[:, self.age] = log_age
        return Design(values, self.features)


def medians(values: FloatArray) -> tuple[FloatArray, list[int]]:
    """Median of each column without its gaps (0 where there is nothing else), and the columns with gaps."""
    known = ~np.isnan(values)
    median = np.array([np.median(c[k]) if k.any() else 0.0 for c, k in zip(values.T, known.T, strict=True)])
    return median, [j for j in range(values.shape[1]) if not known[:, j].all()]


def filled(values: FloatArray, median: FloatArray, gaps: Sequence[int]) -> FloatArray:
    """Numbers without gaps, and a column of 0 and 1 for each of the columns `gaps` that says where they were."""
    empty = np.isnan(values)
    whole = np.where(empty, median, values)
    return np.ascontiguousarray(np.column_stack([whole, empty[:, list(gaps)]]) if len(gaps) else whole)
