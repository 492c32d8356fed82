"""A model whose course over age is kept from falling: looked up at all knots of age at once, then pooled.

Of trees equal to predicting the rounded trees at every knot and making the nearest course that does not fall.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from . import _gp_predict_kernels as kernels
from .compiled_gp import places
from .compiled_polynomial import Polynomial
from .tree_grid import check_axis, check_rows, run_parts
from .trees import Trees

FloatArray = NDArray[np.float64]
_BASES: tuple[Any, ...] = (Trees, Polynomial)


@dataclass(frozen=True, eq=False)
class CompiledCourse:
    """A model, and the knots of age along which its predictions do not fall.

    Attributes
    ----------
    base : Trees or Polynomial
    age : int
        Feature that is the age [ln d].
    knots : ndarray, shape (n_knots,)
        Ages [ln d] between which courses are straight, rising; constant outside.
    knot_weights : ndarray, shape (n_knots,)
        Weights of the knots where courses are pooled.
    age_low, age_high : float
        Ages [ln d] outside of which the answer is NaN; infinite where there is no such limit.
    """

    base: Trees | Polynomial
    age: int
    knots: FloatArray
    knot_weights: FloatArray
    age_low: float = -np.inf
    age_high: float = np.inf

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> CompiledCourse:
        """From what `arrays` gave, checked.

        Raises
        ------
        ModelError
            If anything is missing, of the wrong kind, out of range or not finite; names the field.
        """
        given = {f: np.asarray(arrays.get(f, "")) for f in ("base", "age", "knots", "knot_weights", "limits")}
        for field, array in given.items():
            wanted = "iu" if field in ("age", "base") else "iuf"
            if array.dtype.kind not in wanted or array.ndim != (field not in ("age", "base")):
                raise _damaged(field, f"{array.dtype} of shape {array.shape}", "plain numbers")
            if np.isnan(array).any() or (field != "limits" and not np.isfinite(array).all()):
                raise _damaged(field, "a number that is not finite", "finite numbers")
        if int(given["base"]) not in (0, 1) or given["limits"].shape != (2,):
            raise _damaged("base, limits", f"{given['base']}, {given['limits']}", "0 or 1, and two ages")
        base = _BASES[int(given["base"])].from_arrays({
            key.removeprefix("base/"): value for key, value in arrays.items() if key.startswith("base/")
        })  # fmt: skip
        age, knots, weights = int(given["age"]), *(given[f].astype(np.float64) for f in ("knots", "knot_weights"))
        if not 0 <= age < base.n_features:
            raise _damaged("age", str(age), f"0 to {base.n_features - 1}")
        if not len(knots) or knots.shape != weights.shape or np.any(np.diff(knots) <= 0) or np.any(weights <= 0):
            raise _damaged(
                "knots, knot_weights", f"{knots}, {weights}", "ascending ages, and a weight above 0 for each"
            )
        return cls(base, age, knots, weights, *(float(v) for v in given["limits"]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays of plain numbers, for a file; `from_arrays` is the way back."""
        return {
            "base": np.asarray(next(k for k, kind in enumerate(_BASES) if isinstance(self.base, kind))),
            "age": np.asarray(self.age), "knots": self.knots, "knot_weights": self.knot_weights,
            "limits": np.array([self.age_low, self.age_high]),
            **{f"base/{key}": value for key, value in self.base.arrays().items()},
        }  # fmt: skip

    @property
    def n_features(self) -> int:
        """Columns that `predict` expects."""
        return self.base.n_features

    def predict(self, X: ArrayLike, *, threads: int = 1) -> FloatArray:
        """Predictions, shape (n_rows,), of rows of features, shape (n_rows, n_features); NaN where the age is."""
        x = check_rows(X, self.n_features)
        table = self.base.predict_grid(x, {self.age: self.knots}, threads=threads)
        return self._along(table, np.zeros(0), x[:, self.age], threads)[:, 0]

    def predict_grid(self, X: ArrayLike, axes: Mapping[int, ArrayLike], *, threads: int = 1) -> FloatArray:
        """Predictions of mixes at all combinations of the values of some features, shape (n_rows, *lengths of axes)."""
        x = check_rows(X, self.n_features)
        values = {int(f): check_axis(f, v, self.n_features) for f, v in axes.items()}
        others = {f: v for f, v in values.items() if f != self.age}
        table = self.base.predict_grid(x, {**others, self.age: self.knots}, threads=threads)
        shape = tuple(len(v) for v in others.values())
        lines = np.ascontiguousarray(table.reshape(-1, len(self.knots)))
        ages = values.get(self.age, np.zeros(0))
        out = self._along(lines, ages, np.repeat(x[:, self.age], math.prod(shape)), threads)
        if self.age not in values:
            return out.reshape(len(x), *shape)
        return np.moveaxis(out.reshape(len(x), *shape, len(ages)), -1, 1 + list(values).index(self.age))

    def _along(self, table: FloatArray, ages: FloatArray, own: FloatArray, threads: int) -> FloatArray:
        out = np.empty((len(table), max(len(ages), 1)))
        kernel: Any = kernels.along
        ages_of = np.ascontiguousarray(own)
        before, share = places(ages, self.knots)
        run_parts(
            lambda a, b: kernel(table[a:b], self.knots, self.knot_weights, before, share, ages_of[a:b], out[a:b]),
            len(table),
            threads,
        )
        if self.age_low > -np.inf or self.age_high < np.inf:
            at = np.broadcast_to(ages, out.shape) if len(ages) else own[:, None]
            out[(at < self.age_low) | (at > self.age_high)] = np.nan
        return out


def _damaged(field: str, found: str, expected: str) -> ModelError:
    return ModelError(
        f"course over age, field '{field}': {found}; expected {expected}. The file is damaged or was changed by hand; "
        f"export it again from the fitted model."
    )
