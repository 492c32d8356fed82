"""Training mixes as points in standardised columns: how far a row is from its nearest ones, and its leverage.

Columns that were in the table and indicators of categories; what is derived from them would count them twice, and the
age is judged by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ModelError
from .design import Design, FloatArray, IntArray

_BLOCK = 512


@dataclass(frozen=True, eq=False)
class MixSpace:
    """Where the training mixes are.

    Attributes
    ----------
    names : tuple of str
        Columns of the design that count.
    centre, width : ndarray, shape (n_columns,)
        Mean and standard deviation over the mixes.
    points : ndarray, shape (n_mixes, n_columns)
        Standardised mean of each mix, NaN where it misses a column.
    labels : ndarray of int, shape (n_mixes,)
    precision : ndarray, shape (n_columns + 1, n_columns + 1)
        Inverse of the cross products of (1, points), missing values at the mean.
    neighbours : int
    limit : float
        Percentile of the training mixes' own distances.
    leverage_limit, highest_leverage : float
        Three times the mean leverage, and the highest of a training mix; infinite where mixes are too few to say.
    """

    names: tuple[str, ...]
    centre: FloatArray
    width: FloatArray
    points: FloatArray
    labels: IntArray
    precision: FloatArray
    neighbours: int
    limit: float
    leverage_limit: float
    highest_leverage: float

    @classmethod
    def learn(cls, design: Design, mix: IntArray, neighbours: int, percentile: float) -> MixSpace:
        """Of the rows of a training table."""
        labels, code = np.unique(mix, return_inverse=True)
        if len(labels) < 2:
            raise ModelError(f"a domain needs at least 2 mixes; there are {len(labels)}.")
        chosen = design.of_kind("input", "category") or [
            j for j in range(design.values.shape[1]) if design.features[j].kind != "age"
        ]
        means = _means(design.values[:, chosen], code, len(labels))
        there = np.isfinite(means)
        counts = there.sum(axis=0)
        filled = np.where(there, means, 0.0)
        centre = filled.sum(axis=0) / np.maximum(counts, 1)
        width = np.sqrt((np.where(there, means - centre, 0.0) ** 2).sum(axis=0) / np.maximum(counts, 1))
        kept = width > 1e-9 * np.maximum(np.abs(centre), 1e-300)
        names = tuple(design.names[j] for j, keep in zip(chosen, kept, strict=True) if keep)
        centre, width = centre[kept], width[kept]
        points = (means[:, kept] - centre) / width
        ones = np.column_stack([np.ones(len(points)), np.where(np.isfinite(points), points, 0.0)])
        precision = np.linalg.pinv(ones.T @ ones)
        own = np.einsum("ij,jk,ik->i", ones, precision, ones)
        rank = float(own.sum())
        bound = 3.0 * rank / len(points)
        highest = max(float(own.max()), bound) * (1 + 1e-9)
        if bound >= 1.0:
            bound = highest = np.inf
        part = cls(
            names, centre, width, points, labels.astype(np.int64), precision, neighbours, np.inf, bound, highest
        )  # fmt: skip
        apart = part._nearest(points, labels)
        limit = (
            float(np.quantile(apart[np.isfinite(apart)], percentile / 100.0)) if np.isfinite(apart).any() else np.inf
        )
        return replace(part, limit=limit)

    def distance(self, design: Design) -> FloatArray:
        """Mean distance of each row to its nearest training mixes; infinite where no column is there to compare."""
        return self._nearest(self._standardised(design), None)

    def distance_to_others(self, design: Design, mix: IntArray) -> FloatArray:
        """The same to mixes other than its own, for training rows."""
        return self._nearest(self._standardised(design), mix)

    def leverage(self, design: Design) -> FloatArray:
        """Leverage of each row in a linear model of the columns, missing values at their mean."""
        values = self._standardised(design)
        ones = np.column_stack([np.ones(len(values)), np.where(np.isfinite(values), values, 0.0)])
        return np.asarray(np.einsum("ij,jk,ik->i", ones, self.precision, ones))

    def _standardised(self, design: Design) -> FloatArray:
        number = {name: j for j, name in enumerate(design.names)}
        lost = [name for name in self.names if name not in number]
        if lost:
            raise ModelError(f"the design has no column '{lost[0]}', which the domain was learned with.")
        return np.asarray((design.values[:, [number[name] for name in self.names]] - self.centre) / self.width)

    def _nearest(self, values: FloatArray, mix: IntArray | None) -> FloatArray:
        out = np.empty(len(values))
        if not self.names:
            out[:] = 0.0
            return out
        present = np.isfinite(self.points).astype(np.float64)
        points = np.where(present > 0, self.points, 0.0)
        for start in range(0, len(values), _BLOCK):
            rows = values[start : start + _BLOCK]
            mask = np.isfinite(rows).astype(np.float64)
            block = np.where(mask > 0, rows, 0.0)
            square = block**2 @ present.T + mask @ (points**2).T - 2.0 * block @ points.T
            shared = mask @ present.T
            with np.errstate(divide="ignore", invalid="ignore"):
                apart = np.where(shared > 0, np.sqrt(np.maximum(square, 0.0) / shared), np.inf)
            if mix is not None:
                apart[mix[start : start + _BLOCK, None] == self.labels[None, :]] = np.inf
            count = min(self.neighbours, apart.shape[1] - (mix is not None))
            out[start : start + _BLOCK] = np.partition(apart, count - 1, axis=1)[:, :count].mean(axis=1)
        return out

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays, and plain values."""
        arrays = {n: getattr(self, n) for n in ("centre", "width", "points", "labels", "precision")}
        finite = {n: None if np.isinf(v := getattr(self, n)) else float(v)
                  for n in ("limit", "leverage_limit", "highest_leverage")}  # fmt: skip
        return arrays, {"names": list(self.names), "neighbours": self.neighbours, **finite}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> MixSpace:
        """What `to_arrays` took apart."""
        names = tuple(meta["names"])
        given = {n: np.asarray(arrays[n]) for n in ("centre", "width", "points", "labels", "precision")}
        if given["points"].ndim != 2 or given["points"].shape[1] != len(names):
            raise ModelError(
                f"a saved domain is damaged: points of shape {given['points'].shape}, {len(names)} columns."
            )
        ends = [np.inf if meta[n] is None else float(meta[n]) for n in ("limit", "leverage_limit", "highest_leverage")]
        return cls(names, given["centre"], given["width"], given["points"], given["labels"], given["precision"],
                   int(meta["neighbours"]), *ends)  # fmt: skip


def _means(values: FloatArray, code: IntArray, n: int) -> FloatArray:
    """Mean of each mix over its rows, NaN where it has no value."""
    there = np.isfinite(values)
    total, count = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
    np.add.at(total, code, np.where(there, values, 0.0))
    np.add.at(count, code, there)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)
