"""What the columns of a training table cover: ranges, ages, constants, categories, what was tested together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from . import domain_texts as texts
from .design import FloatArray
from .notices import Notice

if TYPE_CHECKING:
    import pandas as pd

    from .table import TrainingData

#: Share of mixes that must lack a component for it to be one that may be left out.
_OPTIONAL = 0.05
#: Units of columns that may be below 0 though no test is, or of which that is not known.
_SIGNED = frozenset(("", "degC", "°C", "C", "K", "V", "mV"))


@dataclass(frozen=True)
class TableRange:
    """Ranges of a training table.

    Attributes
    ----------
    ranges : dict of str to (low, high)
        Of each numeric column but the age.
    ages : (first, last) or None
        [d]
    age : str
        Column of the age, or empty.
    levels : dict of str to list of str
        Of each text column.
    complete : tuple of str
        Columns without a missing value.
    optional : tuple of str
        Columns at zero in some mixes and above in others: components.
    never : tuple of (part, part)
        Pairs never tested together; a part is a component, or ``column=level``.
    tolerance : float
        Share of a span.
    amounts : tuple of str
        Columns that cannot be below 0: no test is, and their unit is that of an amount.
    """

    ranges: dict[str, tuple[float, float]]
    ages: tuple[float, float] | None
    age: str
    levels: dict[str, list[str]]
    complete: tuple[str, ...]
    optional: tuple[str, ...]
    never: tuple[tuple[str, str], ...]
    tolerance: float
    amounts: tuple[str, ...] = ()

    @classmethod
    def learn(cls, data: TrainingData, tolerance: float) -> TableRange:
        """Of a training table."""
        frame = data.features
        numbers = {c: frame[c].to_numpy() for c in frame.columns if frame[c].dtype.kind == "f"}
        words = {c: frame[c].astype(str).to_numpy() for c in frame.columns if c not in numbers}
        ranges, optional, complete, age = {}, [], [], None
        first = np.unique(data.mix, return_index=True)[1]
        for column, values in numbers.items():
            there = values[np.isfinite(values)]
            if len(there) == len(values):
                complete.append(column)
            if column == data.age:
                age = (float(there.min()), float(there.max()))
            elif len(there):
                ranges[column] = (float(there.min()), float(there.max()))
                of_mix = values[first]
                if there.min() >= 0 and np.mean(of_mix == 0) >= _OPTIONAL and np.any(of_mix > 0):
                    optional.append(column)
        levels = {c: sorted(set(v) - {""}) for c, v in words.items()}
        complete += [c for c, v in words.items() if not np.any(v == "")]
        parts = {c: numbers[c][first] > 0 for c in optional}
        parts |= {f"{c}={level}": words[c][first] == level for c, of in levels.items() for level in of}
        amounts = tuple(c for c, (low, _) in ranges.items() if low >= 0 and data.units.get(c, "") not in _SIGNED)
        return cls(ranges, age, data.age, levels, tuple(complete), tuple(optional), _never(parts, set(optional)),
                   tolerance, amounts)  # fmt: skip

    def reasons(self, frame: pd.DataFrame) -> tuple[list[list[Notice]], FloatArray]:
        """What each row lacks to be inside, and by how many spans it is beyond a range at most."""
        lost = [c for c in (*self.ranges, *self.levels, *([self.age] if self.age else [])) if c not in frame.columns]
        if lost:
            raise ModelError(f"column '{lost[0]}' of the training table is missing; read the mixes with read_features.")
        out: list[list[Notice]] = [[] for _ in range(len(frame))]
        far = np.zeros(len(frame))
        for column, (low, high) in self.ranges.items():
            values = frame[column].to_numpy(dtype=np.float64)
            span = high - low
            below = values < 0 if column in self.amounts else np.zeros(len(values), dtype=bool)
            for row in np.flatnonzero(below):
                out[row].append(texts.impossible(column, float(values[row])))
            if span <= 1e-9 * max(abs(low), abs(high)):
                for row in np.flatnonzero(~below & (np.abs(values - low) > 1e-6 * max(abs(low), abs(high), 1e-300))):
                    out[row].append(texts.constant(column, f"{values[row]:.6g}", f"{low:.6g}"))
                continue
            excess = np.nan_to_num(np.maximum(low - values, values - high) / span, nan=0.0)
            for row in np.flatnonzero(~below & (excess > self.tolerance)):
                out[row].append(texts.beyond_range(column, float(values[row]), low, high))
            far = np.maximum(far, excess)
        self._judge_ages(frame, out, far)
        for column, known in self.levels.items():
            for at, value in enumerate(frame[column].astype(str)):
                if value and value not in known:
                    one = len(known) == 1 and column in self.complete
                    out[at].append(
                        texts.constant(column, value, known[0]) if one
                        else texts.category(column, value, ", ".join(known[:8]) + (", …" if len(known) > 8 else ""))
                    )  # fmt: skip
        for column in self.complete:
            raw = frame[column]
            gone = raw.astype(str).to_numpy() == "" if column in self.levels else ~np.isfinite(raw.to_numpy(np.float64))
            for row in np.flatnonzero(gone):
                out[row].append(texts.missing(column))
        for first, second in self.never:
            for row in np.flatnonzero(_has(frame, first) & _has(frame, second)):
                out[row].append(texts.combination(first.replace("=", " "), second.replace("=", " ")))
        return out, far

    def _judge_ages(self, frame: pd.DataFrame, out: list[list[Notice]], far: FloatArray) -> None:
        if self.ages is None:
            return
        first, last = self.ages
        days = frame[self.age].to_numpy(dtype=np.float64)
        span = max(math.log(last / first), math.log(2.0))
        for row in np.flatnonzero(days > last * (1.0 + self.tolerance)):
            out[row].append(texts.age_after(float(days[row]), last))
            far[row] = max(far[row], math.log(days[row] / last) / span)
        for row in np.flatnonzero(days < first / (1.0 + self.tolerance)):
            out[row].append(texts.age_before(float(days[row]) if days[row] > 1e-6 else 0.0, first))
            far[row] = max(far[row], math.log(first / max(days[row], 1e-9)) / span)

    def summary(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {
            "ranges": {c: list(v) for c, v in self.ranges.items()}, "ages_d": None if self.ages is None
            else list(self.ages), "categories": dict(self.levels), "never_together": [list(p) for p in self.never],
            "tolerance": self.tolerance,
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.summary(), "age": self.age, "complete": list(self.complete), "optional": list(self.optional),
            "amounts": list(self.amounts),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> TableRange:
        """What `to_dict` gave."""
        ages = given["ages_d"]
        return cls(
            {c: (float(v[0]), float(v[1])) for c, v in given["ranges"].items()},
            None if ages is None else (float(ages[0]), float(ages[1])), given["age"],
            {c: list(v) for c, v in given["categories"].items()}, tuple(given["complete"]), tuple(given["optional"]),
            tuple((a, b) for a, b in given["never_together"]), float(given["tolerance"]),
            tuple(given.get("amounts", ())),
        )  # fmt: skip


def _never(parts: Mapping[str, Any], components: set[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of parts in no mix together; with a category only where chance would give at least one mix."""
    out = []
    for (a, has_a), (b, has_b) in combinations(parts.items(), 2):
        if "=" in a and "=" in b and a.split("=")[0] == b.split("=")[0]:
            continue
        expected = float(has_a.sum()) * float(has_b.sum()) / len(has_a)
        if not np.any(has_a & has_b) and ({a, b} <= components or expected >= 1.0):
            out.append((a, b))
    return tuple(out)


def _has(frame: pd.DataFrame, part: str) -> Any:
    column, _, level = part.partition("=")
    if level and column in frame.columns:
        return frame[column].astype(str).to_numpy() == level
    return frame[part].to_numpy(dtype=np.float64) > 0
