"""What the checks of an audit look at: the table in the forms they need, made once, and how they report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .audit_texts import TEXTS
from .design import FloatArray, IntArray
from .notices import Notice
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Smallest relative scatter (coefficient of variation) that single strength results are taken to have where the table
#: has no replicates: good laboratories report 3 to 5 % within a batch (evidence: memory).
ASSUMED_CV = 0.05
_STRENGTH = ("strength", "强度", "fc", "rc")


@dataclass(frozen=True)
class Finding:
    """One thing an audit found.

    Attributes
    ----------
    check : str
        Name of the check, e.g. ``"repeated_rows"``.
    severity : {"severe", "warn", "info"}
        Severe: a model fitted to this, or its score, is wrong. Warn: look at it before fitting. Info: good to know.
    at : tuple of int
        Rows of the table read (0 the first).
    rows : tuple of str
        The same as a person counts them.
    columns : tuple of str
    message, advice : Notice
        What was found, and what to do.
    """

    check: str
    severity: str
    at: tuple[int, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    message: Notice
    advice: Notice

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "check": self.check, "severity": self.severity, "rows": list(self.rows), "columns": list(self.columns),
            "message": self.message.to_dict(), "advice": self.advice.to_dict(),
        }  # fmt: skip


@dataclass(frozen=True)
class View:
    """A table under audit.

    Attributes
    ----------
    data : TrainingData
    has_target : bool
        False where a table of materials is audited, whose target is a stand-in.
    names : mapping of str to ndarray of str
        Columns that name mixes, as far as the table has them.
    """

    data: TrainingData
    has_target: bool = True
    names: dict[str, Any] = field(default_factory=dict)

    def finding(
        self, key: str, severity: str, at: ArrayLike = (), columns: Sequence[str] = (), **values: str | int | float
    ) -> Finding:
        """A finding of the check that the key begins with (``"repeated_rows"`` or ``"repeated_rows.sources"``)."""
        index = [int(i) for i in np.asarray(at, dtype=np.int64).ravel()]
        values = {"n": len(index), "target": self.data.name, "unit": self.data.unit, **values}
        values["columns"] = ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")
        said, todo = TEXTS[key]
        area = "audit." + key.replace(".", "_")
        return Finding(
            check=key.split(".")[0], severity=severity, at=tuple(index), rows=tuple(self.data.rows[i] for i in index),
            columns=tuple(columns), message=Notice(area, said, values), advice=Notice(area + "_do", todo, values),
        )  # fmt: skip

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.data)

    @property
    def y(self) -> FloatArray:
        """Target."""
        return self.data.target

    @cached_property
    def numeric(self) -> dict[str, FloatArray]:
        """Columns of numbers, the age included."""
        import pandas as pd

        table = self.data.features
        return {
            str(c): table[c].to_numpy(dtype=np.float64)
            for c in table.columns
            if pd.api.types.is_float_dtype(table[c].dtype)
        }

    @cached_property
    def log_age(self) -> FloatArray:
        """Logarithm of the age [ln d]; 0 where there is none."""
        return np.log(self.numeric[self.data.age]) if self.data.age else np.zeros(self.n)

    @cached_property
    def composition(self) -> IntArray:
        """Number of what each row is made of: all features but the age."""
        return signature(self.data.features.drop(columns=[self.data.age] if self.data.age else []))

    @cached_property
    def cell(self) -> IntArray:
        """Number of composition and age together: rows that a model cannot tell apart."""
        return pair(self.composition, np.unique(self.log_age.round(9), return_inverse=True)[1])

    @cached_property
    def is_strength(self) -> bool:
        """Whether the target is a strength, which must not fall with age."""
        name = self.data.name.lower()
        return any(w in name for w in _STRENGTH[:2]) or name.split("_")[0] in _STRENGTH[2:]

    @cached_property
    def resolution(self) -> float:
        """Step that the target is written in."""
        return resolution(self.y)

    @cached_property
    def scatter(self) -> tuple[float, float, int]:
        """Robust standard deviation of results of equal rows, the same relative to their level, degrees of freedom.

        NaN and 0 without such rows. Exact copies do not count (they may be one result listed twice), nor do rows far
        off their group.
        """
        residuals, levels, freedom = [], [], 0
        for rows in groups_of(self.cell, 2):
            values = np.unique(self.y[rows])
            if len(values) > 1:
                centre = float(np.median(values))
                residuals.append((values - centre) * np.sqrt(len(values) / (len(values) - 1)))
                levels.append(np.full(len(values), abs(centre)))
                freedom += len(values) - 1
        if not freedom:
            return float("nan"), float("nan"), 0
        every, level = np.abs(np.concatenate(residuals)), np.concatenate(levels)
        relative = every[level > 0] / level[level > 0]
        return _robust(every), _robust(relative) if len(relative) else 0.0, freedom

    def noise(self, level: ArrayLike, *, assumed: float = ASSUMED_CV, least: int = 3) -> FloatArray:
        """Standard deviation to expect of a result at this level.

        That of the table's equal rows where there are enough of them (proportional to the level, half of the pooled one
        at least), else an assumed coefficient of variation.
        """
        size = np.abs(np.asarray(level, dtype=np.float64))
        absolute, relative, freedom = self.scatter
        return np.maximum(relative * size, 0.5 * absolute) if freedom >= least else assumed * size


def _robust(size: FloatArray) -> float:
    """Standard deviation from absolute residuals, those far off left out."""
    spread = 1.4826 * float(np.median(size))
    for _ in range(5):
        near = size[size <= 4.0 * spread]
        spread = float(np.sqrt(np.mean(near**2))) if len(near) else spread
    return spread


def signature(table: pd.DataFrame, digits: int = 6) -> IntArray:
    """Number of each different row, numbers compared to so many significant digits; missing equals missing."""
    import pandas as pd

    code = np.zeros(len(table), dtype=np.int64)
    for column in table.columns:
        values = table[column]
        if pd.api.types.is_float_dtype(values.dtype):
            x = values.to_numpy(dtype=np.float64)
            size = np.where((x == 0) | np.isnan(x), 1.0, np.abs(x))
            unit = 10.0 ** (np.floor(np.log10(size)) - (digits - 1))
            values = pd.Series(np.round(x / unit) * unit).round(12)
        own = pd.factorize(values, use_na_sentinel=False)[0]
        code = pair(code, own)
    return code


def pair(a: IntArray, b: ArrayLike) -> IntArray:
    """Number of each different pair of numbers."""
    other = np.asarray(b, dtype=np.int64)
    span = int(other.max()) + 2 if len(other) else 1
    return np.asarray(np.unique(a * span + other, return_inverse=True)[1], dtype=np.int64)


def groups_of(code: IntArray, at_least: int = 1) -> list[IntArray]:
    """Rows of each number that occurs so often."""
    order = np.argsort(code, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(code[order])) + 1) if len(code) else []
    return [p for p in parts if len(p) >= at_least]


def at_least(count: int, expected: float) -> float:
    """Probability of at least so many where so many are expected (Poisson)."""
    from scipy.special import gammainc

    return float(gammainc(count, expected)) if count > 0 else 1.0


def at_least_of(count: int, total: int, chance: float) -> float:
    """Probability of at least so many of a total, each with the same chance (binomial)."""
    from scipy.special import betainc

    return float(betainc(count, total - count + 1, min(max(chance, 0.0), 1.0))) if count > 0 else 1.0


def resolution(values: FloatArray) -> float:
    """Step in which at least 99 % of values are written: 0.01, 0.1, 0.5, 1, 5, 10 …"""
    there = values[np.isfinite(values)]
    if not len(there):
        return 0.0
    for step in (100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 1e-3, 1e-4, 1e-5):
        if (
            np.mean(np.abs(there / step - np.round(there / step)) < 1e-6 * np.maximum(1.0, np.abs(there / step)))
            >= 0.99
        ):
            return step
    return 1e-6
