"""The effect of one source, given its tests: predictions for that source, what is still uncertain, and odd tests.

The posterior of a Gaussian effect with a known covariance, in closed form, on the scale on which errors are alike.
Where a property must not fall with age, the corrected course is kept from falling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .course import Course
from .design import Design, FloatArray
from .first_tests import plan
from .scales import backward, forward, slope
from .source_covariance import Components, Coordinates, effect, effect_variance, same_mix

if TYPE_CHECKING:
    import pandas as pd

#: Standardised leave-one-out error of a local test beyond which it is named.
SUSPECT = 3.0
#: Of the noise that was learned: what the variance of a local mean may stand for.
NOISE_RANGE = (0.25, 4.0)


@dataclass(frozen=True)
class EffectModel:
    """How large the effects of sources are and how they vary.

    Attributes
    ----------
    coordinates : Coordinates
    components : Components
        Shares of ``unit`` squared.
    scale : {"identity", "sqrt", "log"}
        Scale of the target on which effects add.
    unit : float
        Standard deviation that the shares refer to, on that scale.
    smallest : float
        Smallest target that was seen; predictions below a quarter of it are taken as that on scales that need it.
    course : Course
        Ages at which corrected courses are kept from falling, where the property may not fall.
    """

    coordinates: Coordinates
    components: Components
    scale: str
    unit: float
    smallest: float
    course: Course

    def scaled(self, predicted: ArrayLike) -> FloatArray:
        """Predictions on the scale of the effect."""
        p = np.atleast_1d(np.asarray(predicted, dtype=np.float64))
        return forward(p if self.scale == "identity" else np.maximum(p, 0.25 * self.smallest), self.scale)

    def weight(self, predicted: ArrayLike) -> FloatArray:
        """What one unit of the effect is in the unit of the target, shape (n_rows,)."""
        return self.unit * np.maximum(slope(self.scaled(predicted), self.scale), 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "coordinates": self.coordinates.to_dict(), "components": self.components.to_dict(), "scale": self.scale,
            "unit": self.unit, "smallest": self.smallest, "knots": self.course.knots.tolist(),
            "weights": self.course.weights.tolist(),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EffectModel:
        """Inverse of `to_dict`."""
        return cls(
            Coordinates.from_dict(values["coordinates"]), Components.from_dict(values["components"]),
            str(values["scale"]), float(values["unit"]), float(values["smallest"]),
            Course(np.asarray(values["knots"], dtype=np.float64), np.asarray(values["weights"], dtype=np.float64)),
        )  # fmt: skip


def condition(
    model: EffectModel,
    design: Design,
    y: ArrayLike,
    predicted: ArrayLike,
    *,
    mix: ArrayLike | None = None,
    heap: ArrayLike | None = None,
    noise: ArrayLike | None = None,
) -> LocalEffect:
    """The effect of one source, given tests of it. See `SourceEffect.condition`."""
    measured = np.atleast_1d(np.asarray(y, dtype=np.float64))
    p = np.atleast_1d(np.asarray(predicted, dtype=np.float64))
    if not len(measured) or not len(measured) == len(p) == len(design):
        raise ModelError(
            f"local tests: {len(measured)} results, {len(p)} predictions, {len(design)} rows; expected as many of each."
        )
    bad = np.flatnonzero(~np.isfinite(measured) | ~np.isfinite(p))
    if len(bad):
        raise ModelError(f"local test {bad[0] + 1}: the result or its prediction is not a number. Leave the row out.")
    if model.scale != "identity" and measured.min() <= 0:
        raise ModelError(
            f"local test {int(np.argmin(measured)) + 1}: {measured.min():g} is not above 0, as all tests are that the "
            f"model was fitted to. Leave the row out, or correct it."
        )
    z = (forward(measured, model.scale) - model.scaled(p)) / model.unit
    own = np.full(len(z), model.components.noise)
    if noise is not None:
        known = np.asarray(noise, dtype=np.float64) / model.weight(p) ** 2
        low, high = (f * model.components.noise for f in NOISE_RANGE)
        own = np.where(np.isfinite(known) & (known > 0), np.clip(known, low, high), own)
    x = model.coordinates(design, heap)
    return LocalEffect(model, x, z, own, measured, p, None if mix is None else np.asarray(mix))


@dataclass(frozen=True)
class LocalEffect:
    """The effect of one source, given its tests.

    Attributes
    ----------
    model : EffectModel
    x, z : ndarray
        Coordinates of the tests, and their errors on the scale of the effect.
    noise : ndarray
        Noise variance of each test (share).
    measured, predicted : ndarray
        Results, and what the model said without knowing the source.
    mix : ndarray or None
        Mixes of the tests, where given.
    """

    model: EffectModel
    x: FloatArray
    z: FloatArray
    noise: FloatArray
    measured: FloatArray
    predicted: FloatArray
    mix: Any = None
    _cholesky: FloatArray = field(init=False, repr=False, compare=False)
    _alpha: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from scipy.linalg import cho_solve, cholesky

        parts = self.model.components
        kernel = effect(self.x, self.x, parts, self.model.coordinates.slopes) + parts.mix * self._same(self.x, self.mix)
        kernel[np.diag_indices(len(kernel))] += self.noise + 1e-9
        lower = cholesky(kernel, lower=True)
        object.__setattr__(self, "_cholesky", lower)
        object.__setattr__(self, "_alpha", cho_solve((lower, True), self.z))

    def __len__(self) -> int:
        return len(self.z)

    def _same(self, x: FloatArray, mix: Any) -> FloatArray:
        if mix is not None and self.mix is not None:
            equal: FloatArray = (np.asarray(mix)[:, None] == np.asarray(self.mix)[None, :]).astype(np.float64)
            return equal
        mixes = self.model.coordinates.mixes
        return same_mix(mixes(x), mixes(self.x))

    def _cross(self, x: FloatArray, mix: Any) -> tuple[FloatArray, FloatArray]:
        """Covariance of the effect at some rows, and of their results without noise, with the tests."""
        parts = self.model.components
        shared = effect(x, self.x, parts, self.model.coordinates.slopes)
        return shared, shared + parts.mix * self._same(x, mix)

    def adjust(
        self,
        design: Design,
        predicted: ArrayLike,
        *,
        mix: ArrayLike | None = None,
        heap: ArrayLike | None = None,
        predict: Callable[[Design], FloatArray] | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Predictions for this source.

        Parameters
        ----------
        design : Design
        predicted : array_like, shape (n_rows,)
            What the model predicts without knowing the source.
        mix : array_like, optional
            Mix of each row, where the tests came with mixes.
        heap : array_like, optional
            Heap of each row, where the tests came with heaps.
        predict : callable, optional
            The model, ``predict(design) -> (n_rows,)``. With it the corrected course of each mix is kept from falling
            with age where the property may not fall: a correction that fades with age could make it fall.

        Returns
        -------
        mean : ndarray, shape (n_rows,)
            With the effect of the source, and of the mix where it was tested at another age.
        sd : ndarray, shape (n_rows,)
            Standard deviation of the effect that is left [unit of the target].
        """
        centre = self._centre(design, predicted, mix, heap)
        if predict is not None and len(self.model.course.knots) and design.age is not None:
            knots = self.model.course.knots
            table = np.empty((len(design), len(knots)))
            for j, knot in enumerate(knots):
                at = design.at_age(knot)
                table[:, j] = self._centre(at, predict(at), mix, heap)
            age = design.values[:, design.age]
            known = ~np.isnan(age)
            centre = np.where(known, self.model.course.along(table, np.where(known, age, knots[0])), centre)
        mean = backward(centre, self.model.scale)
        left, _ = self._left(design, mix, heap)
        return mean, np.sqrt(left) * self.model.weight(mean)

    def spread(
        self, design: Design, mean: ArrayLike, *, mix: ArrayLike | None = None, heap: ArrayLike | None = None
    ) -> FloatArray:
        """Standard deviation of a new test in this source: what is left of effect and mix, and noise.

        Parameters
        ----------
        design : Design
        mean : array_like, shape (n_rows,)
            As `adjust` gave.
        mix, heap : array_like, optional

        Returns
        -------
        ndarray, shape (n_rows,)
            [unit of the target]
        """
        left, of_mix = self._left(design, mix, heap)
        return np.sqrt(left + of_mix + self.model.components.noise) * self.model.weight(mean)

    def narrowing(self, design: Design, *, mix: ArrayLike | None = None, heap: ArrayLike | None = None) -> FloatArray:
        """What intervals for an unseen source are to be multiplied by, at most 1, shape (n_rows,)."""
        parts = self.model.components
        before = effect_variance(self.model.coordinates(design, heap), parts, self.model.coordinates.slopes)
        left, of_mix = self._left(design, mix, heap)
        after = left + of_mix + parts.noise
        ratio: FloatArray = np.sqrt(np.minimum(after / (before + parts.mix + parts.noise), 1.0))
        return ratio

    def _centre(self, design: Design, predicted: ArrayLike, mix: Any, heap: Any) -> FloatArray:
        p = self.model.scaled(predicted)
        if len(p) != len(design):
            raise ModelError(f"{len(p)} predictions for {len(design)} rows; expected as many.")
        _, cross = self._cross(self.model.coordinates(design, heap), mix)
        centre: FloatArray = p + self.model.unit * (cross @ self._alpha)
        return centre

    def _left(self, design: Design, mix: Any, heap: Any) -> tuple[FloatArray, FloatArray]:
        """Variance of the effect that is left, and of what the mix adds to it (shares)."""
        from scipy.linalg import solve_triangular

        parts = self.model.components
        x = self.model.coordinates(design, heap)
        shared, cross = self._cross(x, mix)
        prior = effect_variance(x, parts, self.model.coordinates.slopes)
        left = prior - np.sum(solve_triangular(self._cholesky, shared.T, lower=True) ** 2, axis=0)
        both = prior + parts.mix - np.sum(solve_triangular(self._cholesky, cross.T, lower=True) ** 2, axis=0)
        left = np.maximum(left, 0.0)
        return left, np.maximum(both - left, 0.0)

    def first_tests(
        self,
        design: Design,
        n: int = 3,
        *,
        predicted: ArrayLike | None = None,
        heap: ArrayLike | None = None,
        rows: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Which candidates to test next, given the tests so far. See `SourceEffect.first_tests`."""
        return plan(self.model, design, n, predicted=predicted, given=self.x, heap=heap, rows=rows)

    @property
    def tests(self) -> pd.DataFrame:
        """Each local test: measured, what the model and what model and other local tests let expect, and how far off.

        ``attrs["warnings"]`` names tests that the others contradict.
        """
        import pandas as pd
        from scipy.linalg import cho_solve

        inverse = np.diag(cho_solve((self._cholesky, True), np.eye(len(self.z))))
        left_out = self.z - self._alpha / inverse
        expected = backward(self.model.scaled(self.predicted) + self.model.unit * left_out, self.model.scale)
        table = pd.DataFrame({
            "measured": self.measured, "model": self.predicted, "expected": expected,
            "standardised": self._alpha / np.sqrt(inverse),
        })  # fmt: skip
        table.attrs["warnings"] = [
            f"local test {i + 1}: {self.measured[i]:.3g} where model and other tests let expect {expected[i]:.3g} "
            f"({table.standardised[i]:+.1f} standard deviations). Check the entry, or test again."
            for i in np.flatnonzero(np.abs(table.standardised.to_numpy()) > SUSPECT)
        ]
        return table

    def report(self) -> str:
        """What the local tests say."""
        ratio = self.measured / np.where(self.predicted > 0, self.predicted, np.nan)
        first = f"{len(self)} local test{'s' if len(self) > 1 else ''}"
        if np.isfinite(ratio).all():
            first += f": measured / predicted {ratio.min():.2f} to {ratio.max():.2f}, mean {ratio.mean():.2f}"
        return "\n".join([first + ".", *self.tests.attrs["warnings"]])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` rebuilds."""
        return {
            "model": self.model.to_dict(), "x": self.x.tolist(), "z": self.z.tolist(), "noise": self.noise.tolist(),
            "measured": self.measured.tolist(), "predicted": self.predicted.tolist(),
            "mix": None if self.mix is None else np.asarray(self.mix).tolist(),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LocalEffect:
        """Inverse of `to_dict`."""
        x, z, noise, measured, predicted = (
            np.asarray(values[key], dtype=np.float64) for key in ("x", "z", "noise", "measured", "predicted")
        )
        mix = None if values["mix"] is None else np.asarray(values["mix"])
        return cls(EffectModel.from_dict(values["model"]), x, z, noise, measured, predicted, mix)
