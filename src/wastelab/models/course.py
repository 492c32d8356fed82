"""The course of a property over age at a fixed mix, kept from falling at the tested ages and straight between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._gp_kernels import not_falling
from .design import Design, FloatArray

#: Ages (at most) at which a course is kept from falling.
MAX_KNOTS = 16


@dataclass(frozen=True)
class Course:
    """Ages at which courses are kept from falling.

    Attributes
    ----------
    knots : ndarray, shape (n_knots,)
        ln(age in d), rising; none where the property may fall.
    weights : ndarray, shape (n_knots,)
        Number of tests near each.
    """

    knots: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, design: Design) -> Course:
        """Of the ages of a design, if the property must not fall with age."""
        age = design.age
        if age is None or design.features[age].monotone <= 0:
            return cls(np.zeros(0), np.zeros(0))
        column = design.values[:, age]
        there = column[~np.isnan(column)]
        _, first, counts = np.unique(np.round(there, 9), return_index=True, return_counts=True)
        ages = there[first]
        if len(ages) > MAX_KNOTS:
            wanted = np.quantile(np.repeat(ages, counts), np.linspace(0, 1, MAX_KNOTS - 2))
            grid = np.unique(np.concatenate([wanted, ages[[0, -1]]]))
            near = np.argmin(np.abs(ages[:, None] - grid), axis=1)
            return cls(grid, np.maximum(np.bincount(near, counts, len(grid)), 1.0))
        return cls(ages, counts.astype(np.float64))

    def along(self, table: FloatArray, at: FloatArray) -> FloatArray:
        """Values at some age of courses given at the knots; the nearest courses that do not fall.

        Parameters
        ----------
        table : ndarray, shape (n_rows, n_knots)
            Overwritten with courses that do not fall (pool adjacent violators).
        at : ndarray, shape (n_rows,)
            ln(age in d); constant before the first knot and after the last.

        Returns
        -------
        ndarray, shape (n_rows,)
        """
        not_falling(table, self.weights)
        return interpolate(table, self.knots, at)


def interpolate(table: FloatArray, knots: FloatArray, at: FloatArray) -> FloatArray:
    """Linear between the knots, constant outside; table (n, k), knots (k,) rising, at (n,)."""
    if len(knots) == 1:
        return table[:, 0].copy()
    place = np.clip(at, knots[0], knots[-1])
    right = np.clip(np.searchsorted(knots, place, side="left"), 1, len(knots) - 1)
    rows = np.arange(len(place))
    low, high = table[rows, right - 1], table[rows, right]
    share = (place - knots[right - 1]) / (knots[right] - knots[right - 1])
    return np.where(share >= 1.0, high, low + share * (high - low))
