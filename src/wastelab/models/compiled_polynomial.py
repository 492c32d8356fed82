"""Polynomials of degree 0 to 2 as plain arrays: means, ridge regressions, quadratics of designed experiments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from . import _compiled_kernels as kernels
from .tree_grid import check_axis, check_rows, run_parts

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Polynomial:
    """``intercept + linear . z + z . square . z`` of standardised features z.

    Attributes
    ----------
    median : ndarray, shape (d,)
        What takes the place of a missing number.
    gaps : ndarray of int, shape (g,)
        Features whose gaps are told by an indicator each, behind the features.
    mean, sd : ndarray, shape (d + g,)
        Scale of features and indicators.
    low, high : ndarray, shape (d + g,)
        Ranges; outside them a straight line stays at its edge, and a square answers NaN. Infinite where there are none.
    intercept : float
    linear : ndarray, shape (d + g,)
    square : ndarray, shape (d + g, d + g) or (0, 0)
        Upper triangle of the coefficients of the second degree.
    """

    median: FloatArray
    gaps: NDArray[np.int64]
    mean: FloatArray
    sd: FloatArray
    low: FloatArray
    high: FloatArray
    intercept: float
    linear: FloatArray
    square: FloatArray

    @classmethod
    def from_ridge(cls, ridge: Any) -> Polynomial:
        """Of a fitted `learners.Ridge`."""
        width = len(ridge.mean_)
        square, slack = np.zeros((0, 0)), 1e-9 * (ridge.high_ - ridge.low_)
        low, high = ridge.low_, ridge.high_
        if ridge.degree == 2:
            square = np.zeros((width, width))
            square[np.triu_indices(width)] = ridge.coefficient_[width:]
            low, high = ridge.low_ - slack, ridge.high_ + slack
        return cls.from_arrays({
            "median": ridge.median_, "gaps": np.array(ridge.gaps_, dtype=np.int64), "mean": ridge.mean_,
            "sd": ridge.sd_, "low": low, "high": high, "intercept": ridge.intercept_,
            "linear": ridge.coefficient_[:width], "square": square,
        })  # fmt: skip

    @classmethod
    def constant(cls, value: float, n_features: int) -> Polynomial:
        """The same number for every row."""
        zero = np.zeros(n_features)
        wide = np.full(n_features, np.inf)
        none = np.zeros(0, dtype=np.int64)
        return cls(zero, none, zero, np.ones(n_features), -wide, wide, float(value), zero, np.zeros((0, 0)))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Polynomial:
        """From what `arrays` gave, checked.

        Raises
        ------
        ModelError
            If anything is missing, of the wrong kind or size, or not finite; names the field.
        """
        values: dict[str, Any] = {}
        for field in cls.__dataclass_fields__:
            array = np.asarray(arrays.get(field, ""))
            kind = np.int64 if field == "gaps" else np.float64
            if array.dtype.kind not in ("iu" if field == "gaps" else "iuf"):
                raise _damaged(field, "missing or no numbers")
            if np.isnan(array).any() or (field not in ("low", "high") and not np.isfinite(array).all()):
                raise _damaged(field, "a number that is not finite")
            values[field] = np.ascontiguousarray(array, dtype=kind) if array.ndim else float(array)
        d = len(np.atleast_1d(values["median"]))
        width = d + len(np.atleast_1d(values["gaps"]))
        for field, value in values.items():
            shapes: tuple[Any, ...] = ((width,),)
            if field == "square":
                shapes = ((0, 0), (width, width))
            elif field in ("median", "gaps", "intercept"):
                shapes = ((d,),) if field == "median" else ((width - d,),) if field == "gaps" else ((),)
            if np.shape(value) not in shapes:
                raise _damaged(field, f"shape {np.shape(value)}, not {shapes[-1]}")
        if np.any(values["sd"] <= 0) or np.any((values["gaps"] < 0) | (values["gaps"] >= d)) or d < 1:
            raise _damaged("sd, gaps, median", "out of range")
        return cls(**values)

    def __repr__(self) -> str:
        return f"Polynomial(degree {2 if len(self.square) else 1}, {self.n_features} features)"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays of plain numbers, for a file; `from_arrays` is the way back."""
        return {field: np.asarray(getattr(self, field)) for field in self.__dataclass_fields__}

    @property
    def n_features(self) -> int:
        """Columns that `predict` expects."""
        return len(self.median)

    def predict(self, X: ArrayLike, *, threads: int = 1) -> FloatArray:
        """Predictions, shape (n_rows,), of rows of features, shape (n_rows, n_features)."""
        x = check_rows(X, self.n_features)
        out = np.empty(len(x))
        kernel: Any = kernels.predict_polynomial
        run_parts(lambda a, b: kernel(x, a, *self._arguments, out[a:b]), len(x), threads)
        return out

    def predict_grid(self, X: ArrayLike, axes: Mapping[int, ArrayLike], *, threads: int = 1) -> FloatArray:
        """Predictions of mixes at all combinations of the values of some features, shape (n_rows, *lengths of axes)."""
        x = check_rows(X, self.n_features).copy()
        values = {int(f): check_axis(f, v, self.n_features) for f, v in axes.items()}
        shape = tuple(len(v) for v in values.values())
        out = np.empty((math.prod(shape), len(x)))
        for line, at in zip(out, np.ndindex(*shape), strict=True):
            for (f, v), k in zip(values.items(), at, strict=True):
                x[:, f] = v[k]
            line[:] = self.predict(x, threads=threads)
        return np.ascontiguousarray(out.T).reshape(len(x), *shape)

    @property
    def _arguments(self) -> tuple[Any, ...]:
        return (
            self.median, self.gaps, self.mean, self.sd, self.low, self.high, self.intercept, self.linear, self.square,
        )  # fmt: skip


def _damaged(field: str, found: str) -> ModelError:
    return ModelError(
        f"polynomial, field '{field}': {found}. The file is damaged or was changed by hand; export it again from the "
        f"fitted model."
    )
