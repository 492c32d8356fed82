"""The mean of a fitted Gaussian process as plain arrays, predicted without SciPy, scikit-learn or pandas.

Made from a `gp.GaussianProcess` and equal to its prediction within rounding. What a covariance over several ages (or
other process points) shares, the part of the mix, is computed once for each mix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from . import _gp_predict_kernels as kernels
from .tree_grid import check_axis, check_rows, run_parts

if TYPE_CHECKING:
    from .gp import GaussianProcess

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_FORMS = {"product-3/2": kernels.PRODUCT_32, "matern-3/2": kernels.JOINT_32, "matern-5/2": kernels.JOINT_52}
_TRANSFORMS = {"identity": kernels.IDENTITY, "sqrt": kernels.SQRT, "log": kernels.LOG}
_INTEGERS = ("n_features", "columns", "gaps", "age", "transform", "form", "part_column", "part_start")
_SCALARS = ("n_features", "age", "y_mean", "y_sd", "shift", "transform", "form")
#: Numbers that a table of covariances over a grid may hold.
MAX_TABLE = 1 << 26


@dataclass(frozen=True, eq=False, repr=False)
class GaussianMean:
    """Mean of a Gaussian process with a covariance in parts, each over some columns.

    Attributes
    ----------
    n_features : int
        Columns that `predict` expects.
    columns : ndarray of int, shape (k,)
        Those that are used.
    median : ndarray, shape (k,)
        What takes the place of a missing number.
    gaps : ndarray of int, shape (g,)
        Numbers within `columns` that have an indicator of gaps; the indicators stand behind the columns.
    mean, sd : ndarray, shape (k + g,)
        Scale of columns and indicators.
    age : int
        Number of the age within `columns`, -1 where there is none.
    y_mean, y_sd : float
        Scale of the target after its transform.
    shift : float
        What a constant part of the covariance adds to the standardised mean.
    transform : int
        0 identity, 1 square root, 2 logarithm.
    form : int
        Of a part: 0 product of Matern-3/2 functions, 1 and 2 Matern-3/2 and -5/2 of the joint distance.
    knots, knot_weights : ndarray, shape (n_knots,)
        Ages [ln d] along which courses are kept from falling; empty where they may fall.
    tests : ndarray, shape (n_tests, k + g)
        Standardised tests.
    alpha : ndarray, shape (n_tests,)
        Covariance matrix of the tests, inverted, times their results.
    part_start : ndarray of int, shape (n_parts + 1,)
        Where the columns of a part begin in `part_column` and `part_inverse`.
    part_column, part_inverse : ndarray, shape (m,)
        Columns of the parts, and sqrt(3) (or sqrt(5)) over the length of each.
    part_variance : ndarray, shape (n_parts,)
    """

    n_features: int
    columns: IntArray
    median: FloatArray
    gaps: IntArray
    mean: FloatArray
    sd: FloatArray
    age: int
    y_mean: float
    y_sd: float
    shift: float
    transform: int
    form: int
    knots: FloatArray
    knot_weights: FloatArray
    tests: FloatArray
    alpha: FloatArray
    part_start: IntArray
    part_column: IntArray
    part_inverse: FloatArray
    part_variance: FloatArray

    @classmethod
    def from_process(cls, process: GaussianProcess, n_features: int) -> GaussianMean:
        """Of a fitted Gaussian process.

        Parameters
        ----------
        process : GaussianProcess
        n_features : int
            Columns of the design that it was fitted to.

        Raises
        ------
        ModelError
            If it is not fitted.
        """
        if not hasattr(process, "alpha_"):
            raise ModelError("the Gaussian process is not fitted. Fit it first.")
        parts = [part for part in process.components_ if not part.within]  # what reaches beyond one source
        tests = process.tests_.x
        return cls.from_arrays({
            "n_features": n_features, "columns": np.array(process.columns_, dtype=np.int64), "median": process.median_,
            "gaps": np.array(process.gaps_, dtype=np.int64), "mean": process.mean_, "sd": process.sd_,
            "age": -1 if process.age_ is None else process.age_, "y_mean": process.y_mean_, "y_sd": process.y_sd_,
            "transform": _TRANSFORMS[process.transform_], "form": _FORMS[process.form], "knots": process.course_.knots,
            "knot_weights": process.course_.weights, "tests": tests, "alpha": process.alpha_,
            "shift": process.constant_ * float(process.alpha_.sum()),
            "part_start": np.cumsum([0, *(len(p.columns) for p in parts)]),
            "part_column": np.array([c for p in parts for c in p.columns], dtype=np.int64),
            "part_inverse": np.concatenate([p.inverse for p in parts]),
            "part_variance": np.array([p.variance for p in parts]),
        })  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> GaussianMean:
        """From what `arrays` gave, checked.

        Raises
        ------
        ModelError
            If anything is missing, of the wrong kind or size, or not finite; names the field.
        """
        values: dict[str, Any] = {}
        for field in cls.__dataclass_fields__:
            if field not in arrays:
                raise _damaged(field, "missing", "an array")
            array = np.asarray(arrays[field])
            size = 0 if field in _SCALARS else 2 if field == "tests" else 1
            if array.ndim != size or array.dtype.kind not in ("iu" if field in _INTEGERS else "iuf"):
                raise _damaged(field, f"{array.dtype} of shape {array.shape}", f"{size} dimensions of plain numbers")
            if not np.isfinite(array).all():
                raise _damaged(field, "a number that is not finite", "finite numbers")
            kind = np.int64 if field in _INTEGERS else np.float64
            values[field] = array.item() if size == 0 else np.ascontiguousarray(array, dtype=kind)
        mean = cls(**values)
        _check(mean)
        return mean

    def __repr__(self) -> str:
        parts = f"{len(self.part_variance)} parts, {len(self.knots)} knots of age"
        return f"GaussianMean({len(self.alpha)} tests, {parts}, {self.n_features} features)"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays of plain numbers, for a file; `from_arrays` is the way back."""
        return {field: np.asarray(getattr(self, field)) for field in self.__dataclass_fields__}

    def predict(self, X: ArrayLike, *, threads: int = 1) -> FloatArray:
        """Predictions.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            NaN where something is missing.
        threads : int, default 1
            The result is the same for any number.

        Returns
        -------
        ndarray, shape (n_rows,)

        Raises
        ------
        ModelError
            If `X` is no table of `n_features` columns.
        """
        x = self._rows(X)
        out = np.empty((len(x), 1))
        kernel: Any = kernels.predict_gp
        arguments = self._single
        if threads <= 1:
            kernel(x, 0, *arguments, out)
        else:
            run_parts(lambda a, b: kernel(x, a, *arguments, out[a:b]), len(x), threads)
        return out[:, 0]

    def predict_grid(self, X: ArrayLike, axes: Mapping[int, ArrayLike], *, threads: int = 1) -> FloatArray:
        """Predictions of mixes at all combinations of the values of some features.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            One row for each mix; what stands in the columns of the axes is not looked at.
        axes : mapping of int to array_like
            Values of each feature that is an axis, ascending. No other feature may depend on them.
        threads : int, default 1

        Returns
        -------
        ndarray, shape (n_rows, *lengths of the axes)
        """
        key = tuple((int(f), np.asarray(v, dtype=np.float64).tobytes()) for f, v in axes.items())
        kept = self.__dict__.get("_grid")
        if kept is None or kept[0] != key:
            checked = {int(f): check_axis(f, v, self.n_features) for f, v in axes.items()}
            kept = self.__dict__["_grid"] = (key, checked, self._prepare(checked))
        x, shape = self._rows(X), tuple(len(v) for v in kept[1].values())
        out = np.empty((len(x), math.prod(shape)))
        kernel: Any = kernels.predict_gp
        run_parts(lambda a, b: kernel(x, a, *kept[2], out[a:b]), len(x), threads)
        last = self._course_axis(kept[1])
        if last is None:
            return out.reshape(len(x), *shape)
        order = [*(k for k in range(len(shape)) if k != last), last]
        return np.moveaxis(out.reshape(len(x), *(shape[k] for k in order)), -1, 1 + last)

    @property
    def kernel(self) -> tuple[Any, tuple[Any, ...]]:
        """An `@njit` function and arguments: ``function(x, first row, *arguments, out)``, x (n, d), out (n, 1)."""
        return kernels.predict_gp, self._single

    def _rows(self, X: ArrayLike) -> FloatArray:
        return check_rows(X, self.n_features)

    @cached_property
    def _single(self) -> tuple[Any, ...]:
        return self._prepare({})

    def _course_axis(self, axes: Mapping[int, FloatArray]) -> int | None:
        """Place among the axes of the age, where courses are kept from falling."""
        if not len(self.knots) or self.age < 0:
            return None
        feature = int(self.columns[self.age])
        return list(axes).index(feature) if feature in axes else None

    def _prepare(self, axes: Mapping[int, FloatArray]) -> tuple[Any, ...]:
        """Arguments of the kernel for a grid (none: single points)."""
        place = {int(f): c for c, f in enumerate(self.columns)}
        points: dict[int, FloatArray] = {}  # by number within the columns, standardised; age along its knots last
        course, ages = self._course_axis(axes), np.empty(0)
        for k, (f, values) in enumerate(axes.items()):
            if k == course:
                ages = values
            else:
                c = place.get(f, -1)
                points[c if c >= 0 else -2 - k] = (values - self.mean[c]) / self.sd[c] if c >= 0 else values
        with_knots = len(self.knots) > 0 and self.age >= 0
        if with_knots:
            points[self.age] = (self.knots - self.mean[self.age]) / self.sd[self.age]
        n, n_points = len(self.alpha), math.prod(len(v) for v in points.values())
        if n_points * n * max(len(self.part_variance), 1) > MAX_TABLE:
            raise ModelError(f"grid of {n_points} points for {n} tests: too large to be kept. Cut the grid in parts.")
        grid = np.meshgrid(*points.values(), indexing="ij") if points else []
        at = {c: g.ravel() for c, g in zip(points, grid, strict=True)}
        lines, weights = [], []
        for part in range(len(self.part_variance)):
            own = range(int(self.part_start[part]), int(self.part_start[part + 1]))
            along = [r for r in own if int(self.part_column[r]) in at]
            lines.append([r for r in own if r not in along])
            weight = np.zeros((n_points if along else 1, n))
            product = np.ones_like(weight)
            for r in along:
                c = int(self.part_column[r])
                near = np.abs(at[c][:, None] - self.tests[:, c]) * self.part_inverse[r]
                weight += near if self.form == kernels.PRODUCT_32 else near**2
                product *= 1.0 + near
            weights.append(product * np.exp(-weight) * self.alpha if self.form == kernels.PRODUCT_32 else weight)
        rows = [r for line in lines for r in line]
        column, inverse = self.part_column[rows], self.part_inverse[rows]
        z = np.ascontiguousarray(self.tests[:, column].T * inverse[:, None])
        skip = np.zeros(self.n_features, dtype=np.bool_)
        skip[list(axes)] = True
        empty = np.empty(0)
        return (
            (skip, self.columns, self.median, self.gaps, self.mean, self.sd),
            (self.form, column, inverse, np.cumsum([0, *map(len, lines)])),
            (z, np.concatenate(weights), np.cumsum([0, *map(len, weights)]), self.part_variance, self.alpha),
            (
                self.knots if with_knots else empty,
                self.knot_weights if with_knots else empty,
                self.age,
                *places(ages, self.knots),
            ),
            (self.y_mean, self.y_sd, self.shift, self.transform),
        )


def places(ages: FloatArray, knots: FloatArray) -> tuple[IntArray, FloatArray]:
    """Knot before each age, and share of the way to the next: what the kernels read courses with."""
    found = [kernels.place_of(float(age), knots) for age in ages]
    return np.array([f[0] for f in found], dtype=np.int64), np.array([f[1] for f in found], dtype=np.float64)


def _damaged(field: str, found: str, expected: str) -> ModelError:
    return ModelError(
        f"Gaussian process, field '{field}': {found}; expected {expected}. The file is damaged or was changed by hand; "
        f"export it again from the fitted model."
    )


def _check(m: GaussianMean) -> None:
    """Refuse sizes and indices that do not fit."""
    k, g, n, parts = len(m.columns), len(m.gaps), len(m.alpha), len(m.part_variance)
    sizes = {
        "median": (k,), "mean": (k + g,), "sd": (k + g,), "tests": (n, k + g), "knot_weights": (len(m.knots),),
        "part_start": (parts + 1,), "part_inverse": (len(m.part_column),),
    }  # fmt: skip
    for field, shape in sizes.items():
        if getattr(m, field).shape != shape:
            raise _damaged(field, f"shape {getattr(m, field).shape}", str(shape))
    limits = {
        "columns": (0, m.n_features), "gaps": (0, k), "age": (-1, k), "transform": (0, 3), "form": (0, 3),
        "part_column": (0, k + g), "part_start": (0, len(m.part_column) + 1), "n_features": (1, 2**31),
    }  # fmt: skip
    for field, (low, high) in limits.items():
        values = np.atleast_1d(getattr(m, field))
        if values.size and (values.min() < low or values.max() >= high):
            raise _damaged(field, f"{values.min()} to {values.max()}", f"{low} to {high - 1}")
    if not n or not k or not parts:
        raise _damaged("alpha, columns, part_variance", f"{n}, {k}, {parts} numbers", "at least one of each")
    if m.part_start[0] != 0 or m.part_start[-1] != len(m.part_column) or np.any(np.diff(m.part_start) < 0):
        raise _damaged("part_start", str(m.part_start), f"ascending from 0 to {len(m.part_column)}")
    if np.any(m.sd <= 0) or np.any(m.knot_weights <= 0) or np.any(np.diff(m.knots) <= 0) or np.any(m.part_inverse < 0):
        raise _damaged("sd, knot_weights, knots, part_inverse", "not above 0 or not ascending", "so")
    if len(m.knots) and m.age < 0:
        raise _damaged("knots", "knots of an age that is not there", "an age")
