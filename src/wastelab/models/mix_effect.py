"""How errors of one mix go together over age, estimated from predictions of mixes that a model had not seen.

An effect of the mix, a part that fades with the ratio of ages, and noise of single tests; variances and length are
those of the highest posterior density with weak log-normal priors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingDataError
from .conformal import BAND_GROUPS, _edges, group_multiplier
from .coverage import age_band
from .design import FloatArray, IntArray
from .residual_bond import LEAST_COMMON, LIMIT, rms, size_of
from .unseen import unseen_tests

if TYPE_CHECKING:
    from .property_model import PropertyModel

#: Difference of ln(age) up to which tests count as of one age.
NEAR = 0.2
#: Prior of the logarithms of (effect of the mix, fading part, noise) relative to the whole, and of the length [ln d].
_PRIOR = (np.log([0.4, 0.3, 0.3, 1.0]), np.array([1.0, 1.0, 1.0, 0.7]))


@dataclass(frozen=True)
class MixEffect:
    """How errors of one mix go together over age, in expected errors.

    Attributes
    ----------
    mix, course, noise : float
        Variances of what all tests of a mix share, of what fades with age, and of single tests.
    length : float
        Difference of ln(age) over which the second fades to 1/e.
    z : ndarray, shape (n_rows,)
        Error / expected error of each test, none of whose mix the model had seen.
    scale : ndarray, shape (n_rows,)
        Expected error [unit of the target].
    log_age : ndarray, shape (n_rows,)
    group : ndarray of int, shape (n_rows,)
        Mix.
    block : ndarray of int, shape (n_rows,)
        What errs together: the source where the model is judged by sources, else the mix.
    """

    mix: float
    course: float
    noise: float
    length: float
    z: FloatArray = field(repr=False)
    scale: FloatArray = field(repr=False)
    log_age: FloatArray = field(repr=False)
    group: IntArray = field(repr=False)
    block: IntArray = field(repr=False)

    @classmethod
    def of(cls, model: PropertyModel) -> MixEffect:
        """Of a fitted model of tests at several ages.

        Raises
        ------
        MissingDataError
            If fewer than 10 mixes were tested at two ages, or the model has no age or was loaded without its tests.
        """
        data = model._needs_tests()
        if not data.age:
            raise MissingDataError(
                f"The model of {data.name} has no age: tests at one age tell nothing of another. Fit it to a table "
                f"with an age column; for ages in columns of their own use PropertyModels."
            )
        own = unseen_tests(model)
        at = np.flatnonzero(np.isfinite(own.mean))
        z = (data.target[at] - own.mean[at]) / own.scale[at]
        log_age = np.log(data.features[data.age].to_numpy()[at])
        group = data.mix[at]
        block = data.source[at] if model._kind() == "source" and data.source is not None else group
        several = _mixes_of_several_ages(group, log_age)
        if several < LEAST_COMMON:
            raise MissingDataError(
                f"Only {several} mixes were tested at two ages or more; {LEAST_COMMON} are needed to know what an "
                f"early test of {data.name} tells of a later one."
            )
        return cls(*_likely(np.clip(z, -LIMIT * size_of(z), LIMIT * size_of(z)), log_age, group), z, own.scale[at],
                   log_age, group, block)  # fmt: skip

    @property
    def size(self) -> float:
        """Standard deviation of an error, in expected errors."""
        return math.sqrt(self.mix + self.course + self.noise)

    def covariance(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Of errors of one mix at ages a and b [ln d], without noise, shape (len(a), len(b))."""
        apart = np.abs(np.subtract.outer(a, b))
        out: FloatArray = self.mix + self.course * np.exp(-apart / self.length)
        return out

    def condition(self, tested: FloatArray, z: FloatArray, asked: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expected error and its variance (noise of a new test included) at other ages, given those at some.

        Parameters
        ----------
        tested : ndarray, shape (n_tests,)
            ln(age in d).
        z : ndarray, shape (n_tests,)
            Error / expected error; beyond three standard deviations it counts as three.
        asked : ndarray, shape (n,)
        """
        among = self.covariance(tested, tested) + self.noise * np.eye(len(tested))
        weights = np.linalg.solve(among, self.covariance(tested, asked))
        mean = np.clip(z, -LIMIT * self.size, LIMIT * self.size) @ weights
        variance = self.size**2 - np.einsum("ij,ij->j", self.covariance(tested, asked), weights)
        return mean, np.maximum(variance, self.noise)

    def left(self, share: float) -> MixEffect:
        """The same where a part of what tests of a mix share is known already, e.g. what is common to a laboratory.

        Parameters
        ----------
        share : float
            Of the variance of `mix` and `course`, what is still unknown.
        """
        return replace(self, mix=self.mix * share, course=self.course * share)

    def multiplier(self, level: float, log_age: FloatArray, tested: FloatArray | None = None) -> FloatArray:
        """Half-width of intervals at ages [ln d] in conditional standard deviations; infinite with too few mixes.

        Earlier ages given older ones and later ages given younger ones are calibrated apart, by bands of age where
        there are mixes enough; with tests at both sides of an age, what is wider. Where mixes enough were tested at
        the very ages (28 d from 7 d is harder than 90 d from 28 d), no less than what those show.

        Parameters
        ----------
        level : float
        log_age : ndarray, shape (n,)
        tested : ndarray, shape (n_tests,), optional
            Ages [ln d] of the tests that are there; all before the ages asked about by default.
        """
        if tested is None or not len(tested):
            return self._held(level, log_age, later=True)
        after, before = tested.min() <= log_age + 1e-9, tested.max() > log_age + 1e-9
        out = np.full(len(log_age), -math.inf)
        for asked, later in ((after, True), (before, False)):
            if asked.any():
                out[asked] = np.maximum(out[asked], self._held(level, log_age[asked], later=later))
        for k, age in enumerate(log_age):
            error, block = self._like(tested, float(age))
            if len(np.unique(block)) >= BAND_GROUPS:
                out[k] = max(out[k], group_multiplier(np.abs(error), block, level))
        return out

    def _like(self, tested: FloatArray, asked: float) -> tuple[FloatArray, IntArray]:
        """Errors at an age given tests of the same mix at some others, of all mixes that have them; block."""
        key = (*np.round(np.sort(tested), 6).tolist(), round(asked, 6))
        if key not in self._known:
            errors, blocks = [], []
            for rows in _rows_of(self.group):
                age = self.log_age[rows]
                i = int(np.argmin(np.abs(age - asked)))
                others = np.delete(np.arange(len(rows)), i)
                if abs(age[i] - asked) > NEAR or not len(others):
                    continue
                apart = np.abs(np.subtract.outer(tested, age[others]))
                if (apart.min(axis=1) <= NEAR).all():
                    given = others[np.unique(np.argmin(apart, axis=1))]
                    mean, variance = self.condition(age[given], self.z[rows[given]], age[i : i + 1])
                    errors.append((self.z[rows[i]] - mean[0]) / math.sqrt(variance[0]))
                    blocks.append(self.block[rows[i]])
            self._known[key] = np.array(errors), np.array(blocks, dtype=np.int64)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[float, ...], tuple[FloatArray, IntArray]]:
        return {}

    def _held(self, level: float, log_age: FloatArray, *, later: bool) -> FloatArray:
        error, own, block = self._later if later else self._earlier
        edges = _edges(np.exp(own), block)
        band, asked = (age_band(np.exp(a), edges) if edges else np.zeros(len(a)) for a in (own, log_age))
        out = np.full(len(log_age), math.inf)
        for k in np.unique(asked):
            out[asked == k] = group_multiplier(np.abs(error[band == k]), block[band == k], level)
        return out

    @cached_property
    def _later(self) -> tuple[FloatArray, FloatArray, IntArray]:
        return self._conditional(later=True)

    @cached_property
    def _earlier(self) -> tuple[FloatArray, FloatArray, IntArray]:
        return self._conditional(later=False)

    def _conditional(self, *, later: bool) -> tuple[FloatArray, FloatArray, IntArray]:
        """Errors of tests given younger (older) ones of their mix, in conditional standard deviations; age; block."""
        errors, ages, blocks = [], [], []
        for rows in _rows_of(self.group):
            age = self.log_age[rows]
            for i, row in enumerate(rows):
                given = age < age[i] - 1e-9 if later else age > age[i] + 1e-9
                if given.any():
                    mean, variance = self.condition(age[given], self.z[rows[given]], age[i : i + 1])
                    errors.append((self.z[row] - mean[0]) / math.sqrt(variance[0]))
                    ages.append(age[i])
                    blocks.append(self.block[row])
        return np.array(errors), np.array(ages), np.array(blocks, dtype=np.int64)

    def gain(self, early: Sequence[float], late: float, level: float = 0.9) -> dict[str, float]:
        """What tests at early ages are worth for a later one, on the mixes that have them all.

        Parameters
        ----------
        early : sequence of float
            Ages [d].
        late : float
            Age [d].
        level : float

        Returns
        -------
        dict
            ``n_mixes``; ``RMSE`` and ``RMSE_known``, ``width`` and ``width_known``, ``coverage`` and
            ``coverage_known`` without and with them; each half of the mixes (sources) is calibrated by the other.

        Raises
        ------
        MissingDataError
            If fewer than 10 mixes have all these tests.
        """
        asked = np.log([late])
        found: list[tuple[float, float, float, float, int]] = []
        for rows in _rows_of(self.group):
            age = self.log_age[rows]
            at = [np.flatnonzero(np.abs(age - math.log(a)) < 1e-6) for a in (*early, late)]
            if all(len(a) for a in at):
                young = np.concatenate(at[:-1])
                mean, variance = self.condition(age[young], self.z[rows[young]], asked)
                row = rows[at[-1][0]]
                found.append((self.z[row], mean[0], math.sqrt(variance[0]), self.scale[row], int(self.block[row])))
        if len(found) < LEAST_COMMON:
            raise MissingDataError(
                f"Only {len(found)} mixes were tested at {', '.join(f'{a:g}' for a in (*early, late))} d; "
                f"{LEAST_COMMON} are needed."
            )
        z, mean, sd, scale, block = np.array(found).T
        side = np.unique(block, return_inverse=True)[1] % 2
        half = np.empty((2, len(z)))
        for k in (0, 1):
            test = side == k
            for error, size, out in ((z, np.ones_like(z), half[0]), (z - mean, sd, half[1])):
                out[test] = group_multiplier(np.abs(error / size)[~test], block[~test], level) * size[test]
        half[1] = np.minimum(half[1], half[0])
        return {
            "n_mixes": len(z), "RMSE": rms(z * scale), "RMSE_known": rms((z - mean) * scale),
            "width": float(np.mean(2 * half[0] * scale)), "width_known": float(np.mean(2 * half[1] * scale)),
            "coverage": float(np.mean(np.abs(z) <= half[0])),
            "coverage_known": float(np.mean(np.abs(z - mean) <= half[1])),
        }  # fmt: skip

    def report(self) -> str:
        """What a person reads."""
        total = self.size**2
        return (
            f"Of the squared error on an unseen mix, {self.mix / total:.0%} is shared by all its tests, "
            f"{self.course / total:.0%} fades over a factor of {math.exp(self.length):.1f} in age, "
            f"{self.noise / total:.0%} is of single tests ({len(np.unique(self.group))} mixes)."
        )

    def __str__(self) -> str:
        return self.report()


# -- the covariance of errors
def _rows_of(group: IntArray) -> list[IntArray]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _mixes_of_several_ages(group: IntArray, log_age: FloatArray) -> int:
    return sum(bool(np.ptp(log_age[rows]) > 1e-9) for rows in _rows_of(group))


def _likely(z: FloatArray, log_age: FloatArray, group: IntArray) -> tuple[float, float, float, float]:
    """Variances and length of the highest posterior density; mixes of the same ages are computed together."""
    from scipy.optimize import minimize

    whole = float(np.mean(z**2)) or 1.0
    patterns: dict[tuple[float, ...], list[FloatArray]] = {}
    for rows in _rows_of(group):
        rows = rows[np.argsort(log_age[rows], kind="stable")]
        patterns.setdefault(tuple(np.round(log_age[rows], 9)), []).append(z[rows])
    blocks = [
        (np.abs(np.subtract.outer(np.array(p), np.array(p))), np.array(v).T @ np.array(v), len(v))
        for p, v in patterns.items()
    ]

    def cost(theta: FloatArray) -> float:
        mix, course, noise, length = np.exp(theta)
        total = 0.5 * float(np.sum(((theta - _PRIOR[0]) / _PRIOR[1]) ** 2))
        for apart, squares, times in blocks:
            kernel = whole * (mix + course * np.exp(-apart / length) + noise * np.eye(len(apart)))
            log_det = np.linalg.slogdet(kernel)[1]
            total += 0.5 * (times * float(log_det) + float(np.trace(np.linalg.solve(kernel, squares))))
        return total

    bounds = [(-7.0, 2.0), (-7.0, 2.0), (-4.0, 2.0), (-2.5, 2.5)]
    found = minimize(cost, _PRIOR[0], method="L-BFGS-B", bounds=bounds)
    mix, course, noise, length = np.exp(found.x)
    return float(mix * whole), float(course * whole), float(noise * whole), float(length)
