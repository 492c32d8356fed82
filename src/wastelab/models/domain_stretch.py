"""How much wider an interval is outside the domain: by how errors of the training table grow with distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .conformal import group_multiplier
from .design import FloatArray, IntArray

#: Rows that one step of the curve is learned from, at least; and steps at most.
_STEP_ROWS, _STEPS = 40, 8
_LEVEL = 0.9


@dataclass(frozen=True)
class Stretch:
    """Factor of an interval's width against distance.

    Attributes
    ----------
    far : tuple of float
        Distances in limits (1 is where the domain ends), rising.
    factor : tuple of float
        Factor at each, at least 1, not falling.
    power : float
        With which the factor grows with distance beyond the last.

    Notes
    -----
    Up to the last learned distance the factor is how much larger than over all rows the 90 % conformal quantile of
    scores is, with its margin for few groups, pooled to be monotone. Beyond, where nothing was tested, it grows in
    proportion to the distance, as the error of a property with bounded slopes does at most. That holds as well where
    the expected error follows a Gaussian process's spread: of what that process does not see it says nothing.
    """

    far: tuple[float, ...] = (1.0,)
    factor: tuple[float, ...] = (1.0,)
    power: float = 1.0

    @classmethod
    def learn(cls, far: FloatArray, score: FloatArray, groups: IntArray, power: float = 1.0) -> Stretch:
        """From out-of-fold scores of rows and their distances to other groups.

        Parameters
        ----------
        far : ndarray, shape (n_rows,)
            In limits.
        score : ndarray, shape (n_rows,)
            Absolute error / expected error.
        groups : ndarray of int, shape (n_rows,)
            Rows of one group at one distance stand together.
        power : float
            Of the growth beyond.
        """
        there = np.isfinite(far)
        far, score, groups = far[there], score[there], groups[there]
        steps = min(len(far) // _STEP_ROWS, _STEPS)
        if steps < 2:
            return cls(power=power)
        order = np.lexsort((groups, far))
        parts = np.array_split(order, steps)
        usual = group_multiplier(score, groups, _LEVEL)
        found = [group_multiplier(score[p], groups[p], _LEVEL) for p in parts]
        if not 0 < usual < np.inf or np.isinf(found).any():
            return cls(power=power)
        rising = _pooled(np.array(found) / usual, np.array([len(p) for p in parts], dtype=float))
        at = [float(far[p].mean()) for p in parts]
        return cls(tuple(at), tuple(float(v) for v in np.maximum(rising, 1.0)), power)

    def at(self, far: FloatArray) -> FloatArray:
        """Factor at each distance [limits], at least 1."""
        last = max(self.far[-1], 1e-12)
        inside = np.interp(far, self.far, self.factor)
        return np.asarray(np.where(far > last, self.factor[-1] * (far / last) ** self.power, inside))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"far": list(self.far), "factor": list(self.factor), "power": self.power}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Stretch:
        """What `to_dict` gave."""
        return cls(
            tuple(float(v) for v in given["far"]), tuple(float(v) for v in given["factor"]), float(given["power"])
        )


def _pooled(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted least squares under the condition of not falling (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append([float(value), float(weight), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            v, w, n = blocks.pop()
            u, t, m = blocks.pop()
            blocks.append([(u * t + v * w) / (t + w), t + w, n + m])
    return np.concatenate([np.full(int(n), v) for v, _, n in blocks])
