"""Ranges of what is derived from a table: a mix whose columns are each in range may have a ratio that nobody tested."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ModelError
from . import domain_texts as texts
from .design import Design, FloatArray
from .notices import Notice

#: Least span of a range, as a share of its larger end: weighing errors alone vary a ratio that much.
_SPAN = 0.05


@dataclass(frozen=True)
class DerivedRange:
    """Ranges of the derived columns of a design.

    Attributes
    ----------
    ranges : dict of str to (low, high)
    tolerance : float
        Share of a span.
    """

    ranges: dict[str, tuple[float, float]]
    tolerance: float

    @classmethod
    def learn(cls, design: Design, tolerance: float) -> DerivedRange:
        """Of the rows of a training table."""
        ranges = {}
        for j in design.of_kind("derived"):
            there = design.values[np.isfinite(design.values[:, j]), j]
            if len(there):
                ranges[design.names[j]] = (float(there.min()), float(there.max()))
        return cls(ranges, tolerance)

    def judge(self, design: Design, reasons: list[list[Notice]], far: FloatArray) -> FloatArray:
        """Add the reasons of each row, and say by how many spans it is beyond a range at most.

        A range is not named where a column that it is computed from is itself named, nor twice for the same columns.
        """
        number = {name: j for j, name in enumerate(design.names)}
        named = [{str(n.values["column"]) for n in of if "column" in n.values} for of in reasons]
        told: list[set[frozenset[str]]] = [set() for _ in reasons]
        out = far.copy()
        for name, (low, high) in self.ranges.items():
            if name not in number:
                raise ModelError(f"the design has no column '{name}', which the domain was learned with.")
            feature, values = design.features[number[name]], design.values[:, number[name]]
            span = max(high - low, _SPAN * max(abs(low), abs(high)), 1e-300)
            excess = np.nan_to_num(np.maximum(low - values, values - high) / span, nan=0.0, posinf=1e6)
            for row in np.flatnonzero(excess > self.tolerance):
                out[row] = max(out[row], _spans(float(values[row]), low, high, float(excess[row]), feature.log))
                inputs = frozenset(feature.depends) or frozenset((name,))
                if not named[row] & inputs and inputs not in told[row]:
                    told[row].add(inputs)
                    reasons[row].append(texts.derived(name, *_shown(feature.log, float(values[row]), low, high)))
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"ranges": {name: list(v) for name, v in self.ranges.items()}, "tolerance": self.tolerance}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> DerivedRange:
        """What `to_dict` gave."""
        return cls({k: (float(v[0]), float(v[1])) for k, v in given["ranges"].items()}, float(given["tolerance"]))


def _spans(value: float, low: float, high: float, excess: float, log: bool) -> float:
    """Excess in spans, of a ratio above 0 by its logarithm where that is less: it has no upper bound."""
    if log or low <= 0 or value <= 0 or not math.isfinite(value):
        return excess
    return min(excess, max(math.log(low / value), math.log(value / high)) / max(math.log(high / low), _SPAN))


def _shown(log: bool, *values: float) -> list[float]:
    """As a person reads them."""
    return [math.exp(min(v, 700.0)) for v in values] if log else list(values)
