"""A Gaussian process for mixes tested at several ages.

Covariance = course (mix x age) + level (mix) + what all tests of one mix share + laboratory + noise. Each smooth part
is a product of Matern-3/2 functions of single columns: separable in age, and one exponential a pair. What the tests of
a mix share beyond its composition (the batch, the operator) is a variance of its own: without it a mix tested at eight
ages counts as eight mixes. Lengths and variances maximise the marginal likelihood with weak log-normal priors.

References
----------
C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), ch. 2, 4, 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from ..errors import ModelError
from . import _gp_kernels as k
from .course import Course
from .design import Design, FloatArray, IntArray

#: Rows from which lengths are first found, and rows on which they are then refined.
FIRST_ROWS, SECOND_ROWS = 320, 1100
#: Rows beyond which whole mixes are left out (cost grows with the third power).
MAX_ROWS = 4000
_FORMS = {"product-3/2": k.PRODUCT_32, "matern-3/2": k.JOINT_32, "matern-5/2": k.JOINT_52}
_ROOT = {k.PRODUCT_32: np.sqrt(3.0), k.JOINT_32: np.sqrt(3.0), k.JOINT_52: np.sqrt(5.0)}
#: Log-normal priors (mean and sd of the logarithm) of variances, lengths [standard deviations], mix, source and noise.
_PRIOR = {"variance": (0.0, 1.5), "length": (0.0, 1.2), "mix": (-3.0, 1.5), "source": (-2.0, 1.5), "noise": (-3.5, 1.5)}
_BOUNDS = {
    "variance": (-6.0, 6.0),
    "length": (-3.5, 6.0),
    "mix": (-9.0, 3.0),
    "source": (-9.0, 3.0),
    "noise": (-9.0, 1.0),
}
TRANSFORMS = ("identity", "sqrt", "log")


def forward(y: FloatArray, transform: str) -> FloatArray:
    """Target on the scale that is fitted."""
    if transform == "sqrt":
        return np.sqrt(y)
    return np.log(y) if transform == "log" else y


def backward(z: FloatArray, transform: str) -> FloatArray:
    """Target from the scale that is fitted (its median)."""
    if transform == "sqrt":
        return np.square(np.maximum(z, 0.0))
    return np.exp(z) if transform == "log" else z


def slope(z: FloatArray, transform: str) -> FloatArray:
    """Derivative of the target by the fitted scale."""
    if transform == "sqrt":
        return 2.0 * np.maximum(z, 0.0)
    return np.exp(z) if transform == "log" else np.ones_like(z)


def log_jacobian(y: FloatArray, transform: str) -> float:
    """Sum of log |dz/dy|: makes likelihoods on different scales comparable."""
    if transform == "sqrt":
        return float(-np.sum(np.log(2.0 * np.sqrt(y))))
    return float(-np.sum(np.log(y))) if transform == "log" else 0.0


@dataclass(frozen=True)
class Component:
    """A smooth part of the covariance: its columns, variance, and sqrt(3) (or 5) over the length of each."""

    columns: tuple[int, ...]
    variance: float
    inverse: FloatArray


class GaussianProcess(BaseEstimator):  # type: ignore[misc]
    """Gaussian process over a `Design`.

    Parameters
    ----------
    form : {"product-3/2", "matern-3/2", "matern-5/2"}
        Of each smooth part: a product of functions of single columns, or one function of the joint distance.
    level : bool
        Whether mixes have a part that does not depend on age (where there is an age).
    same_mix, same_source : bool
        Whether tests of one mix, and of one source, share an unknown effect.
    transform : {"auto", "identity", "sqrt", "log"}
        Scale of the target; "auto" takes the one of the highest marginal likelihood.
    derived : tuple of str
        Derived features that are used beside what is in the table.
    priors : bool
        Weak priors on lengths and variances; without them the maximum of the likelihood itself.
    random_state : int
        Chooses the rows from which lengths are first found.

    Notes
    -----
    Lengths are found on a part of the mixes, refined on at most `SECOND_ROWS` rows, and the posterior is then that of
    all rows (at most `MAX_ROWS`). Missing numbers take the training median and switch a column of their own.
    """

    def __init__(
        self,
        form: str = "product-3/2",
        level: bool = True,
        same_mix: bool = True,
        same_source: bool = True,
        transform: str = "auto",
        derived: tuple[str, ...] = ("water/binder", "binder"),
        priors: bool = True,
        refine: int = 30,
        random_state: int = 0,
    ) -> None:
        self.form = form
        self.level = level
        self.same_mix = same_mix
        self.same_source = same_source
        self.transform = transform
        self.derived = derived
        self.priors = priors
        self.refine = refine
        self.random_state = random_state

    # -- fitting
    def fit(
        self,
        design: Design,
        y: ArrayLike,
        *,
        mix: ArrayLike | None = None,
        source: ArrayLike | None = None,
        noise: ArrayLike | None = None,
    ) -> GaussianProcess:
        """Find lengths and variances, and the posterior.

        Parameters
        ----------
        design : Design
        y : array_like, shape (n_rows,)
        mix, source : array_like of int, optional
            Mix and source of each row; without mixes every row is one.
        noise : array_like, optional
            Variance of the mean of each row as its replicates show it, NaN where unknown.

        Raises
        ------
        ModelError
            If the target is not above 0 and a scale needs it.
        """
        from scipy.linalg import cho_solve

        target = np.ascontiguousarray(y, dtype=np.float64)
        n = len(target)
        if self.form not in _FORMS:
            raise ModelError(f"form = {self.form!r}: expected one of {', '.join(_FORMS)}.")
        self.columns_ = self._columns(design)
        raw = design.values[:, self.columns_]
        there = ~np.isnan(raw)
        self.median_ = np.array([np.median(c[ok]) if ok.any() else 0.0 for c, ok in zip(raw.T, there.T, strict=True)])
        self.gaps_ = [j for j in range(raw.shape[1]) if not there[:, j].all()]
        values = self._filled(design)
        self.mean_, sd = values.mean(axis=0), values.std(axis=0)
        self.sd_ = np.where(sd > 0, sd, 1.0)
        x = (values - self.mean_) / self.sd_
        age = design.age
        self.age_ = self.columns_.index(age) if age is not None and age in self.columns_ else None
        groups = np.arange(n) if mix is None else np.unique(np.asarray(mix), return_inverse=True)[1]
        repeated = self.same_mix and len(np.unique(groups)) < n
        sources = None
        if self.same_source and source is not None:
            codes = np.unique(np.asarray(source), return_inverse=True)[1]
            sources = codes if codes.max() > 0 and len(np.unique(codes)) < n else None
        rows = _part(groups, MAX_ROWS, self.random_state)
        order = list(range(x.shape[1]))
        self.parts_ = [order]
        if self.level and self.age_ is not None:
            self.parts_.append([c for c in order if c != self.age_])
        problem = _Problem(self.parts_, _FORMS[self.form], repeated, sources is not None, self.priors)

        choices = (
            [self.transform]
            if self.transform != "auto"
            else [t for t in TRANSFORMS if t == "identity" or target.min() > 0]
        )
        if target.min() <= 0 and self.transform in ("sqrt", "log"):
            raise ModelError(f"transform = {self.transform!r}: the target has values of 0 or less; use 'identity'.")
        first = rows[_part(groups[rows], FIRST_ROWS, self.random_state)]
        best: tuple[float, str, FloatArray] | None = None
        for choice in choices:
            z, ratio = self._scaled(target, choice, noise)
            theta, value = problem.minimise(x, z, groups, sources, ratio, first, problem.start(), 60)
            size = float(np.std(forward(target[first], choice))) or 1.0
            value -= log_jacobian(target[first], choice) - len(first) * np.log(size)
            if best is None or value < best[0]:
                best = (value, choice, theta)
        assert best is not None
        self.transform_, theta = best[1], best[2]
        z, ratio = self._scaled(target, self.transform_, noise)
        second = rows[_part(groups[rows], SECOND_ROWS, self.random_state + 1)]
        if len(second) > len(first) and self.refine:
            theta, _ = problem.minimise(x, z, groups, sources, ratio, second, theta, self.refine)
        self.theta_ = theta
        self._posterior(
            problem, x[rows], z[rows], groups[rows], None if sources is None else sources[rows], ratio[rows]
        )
        self.course_ = Course.of(design)
        return self

    def _columns(self, design: Design) -> list[int]:
        wanted = [j for j, f in enumerate(design.features) if f.kind != "derived" or f.name in self.derived]
        return wanted or list(range(len(design.features)))

    def _filled(self, design: Design) -> FloatArray:
        """Numbers without gaps, and a column of 0 and 1 for each column that had gaps in training."""
        raw = design.values[:, self.columns_]
        empty = np.isnan(raw)
        filled = np.where(empty, self.median_, raw)
        return np.ascontiguousarray(np.column_stack([filled, empty[:, self.gaps_]]) if self.gaps_ else filled)

    def _scaled(self, y: FloatArray, transform: str, noise: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
        """Standardised target on the fitted scale, and the relative noise variance of each row."""
        z = forward(y, transform)
        self.y_mean_, self.y_sd_ = float(z.mean()), float(z.std()) or 1.0
        ratio = np.ones(len(y))
        if noise is not None:
            known = np.asarray(noise, dtype=np.float64) / np.maximum(slope(z, transform), 1e-9) ** 2
            ok = np.isfinite(known) & (known > 0)
            if ok.sum() >= 8:  # a sample variance of few specimens is itself uncertain: half way back, on a log scale
                ratio[ok] = np.clip(np.sqrt(known[ok] / np.median(known[ok])), 0.2, 5.0)
        return (z - self.y_mean_) / self.y_sd_, ratio

    def _settle(self, problem: _Problem) -> None:
        """Variances and lengths by name, from the logarithms they were found as."""
        parts, self.mix_variance_, self.source_variance_, self.noise_ = problem.unpack(self.theta_)
        self.components_ = [
            Component(tuple(c), v, inverse) for c, (v, inverse) in zip(problem.parts, parts, strict=True)
        ]

    def _factor(self, problem: _Problem) -> FloatArray:
        kernel, _ = problem.matrix(
            self.theta_,
            problem.coordinates(self.x_),
            self.mix_,
            self.source_ if len(self.source_) else None,
            self.ratio_,
        )
        return problem.factor(kernel)

    @cached_property
    def cholesky_(self) -> FloatArray:
        """Lower Cholesky factor of the covariance of the tests (of a process that was loaded: made when asked for)."""
        return self._factor(self._problem())

    def _problem(self) -> _Problem:
        return _Problem(self.parts_, _FORMS[self.form], self.repeated_, len(self.source_) > 0, self.priors)

    # -- predicting
    def predict(self, design: Design) -> FloatArray:
        """Expected (median) value of each row, shape (n_rows,); does not fall with age where that was asked for."""
        return backward(self._centre(design) * self.y_sd_ + self.y_mean_, self.transform_)

    def spread(self, design: Design) -> FloatArray:
        """Standard deviation of a new test of a new mix [unit of the target], shape (n_rows,)."""
        centre, variance = self._latent(design)
        total = variance + self.mix_variance_ + self.source_variance_ + self.noise_
        return (
            np.sqrt(total) * self.y_sd_ * np.maximum(slope(centre * self.y_sd_ + self.y_mean_, self.transform_), 1e-9)
        )

    def posterior(self, design: Design) -> tuple[FloatArray, FloatArray]:
        """Joint mean and covariance of the smooth part on the fitted scale, shapes (n,) and (n, n)."""
        from scipy.linalg import solve_triangular

        x = self._standard(design)
        cross = self._cross(x)
        half = solve_triangular(self.cholesky_, cross.T, lower=True)
        own = np.zeros((len(x), len(x)))
        for part in self.components_:
            own += part.variance * _between(x, x, part, _FORMS[self.form])
        covariance = (own - half.T @ half) * self.y_sd_**2
        return (cross @ self.alpha_) * self.y_sd_ + self.y_mean_, covariance

    def log_likelihood(self) -> float:
        """Log marginal likelihood of the standardised target."""
        return float(
            -0.5 * self.z_ @ self.alpha_
            - np.log(np.diag(self.cholesky_)).sum()
            - 0.5 * len(self.z_) * np.log(2 * np.pi)
        )

    def _standard(self, design: Design) -> FloatArray:
        return np.ascontiguousarray((self._filled(design) - self.mean_) / self.sd_)

    def _cross(self, x: FloatArray) -> FloatArray:
        out = np.zeros((len(x), len(self.x_)))
        for part in self.components_:
            out += part.variance * _between(x, self.x_, part, _FORMS[self.form])
        return out

    def _latent(self, design: Design) -> tuple[FloatArray, FloatArray]:
        from scipy.linalg import solve_triangular

        x = self._standard(design)
        mean, variance = np.empty(len(x)), np.empty(len(x))
        total = sum(part.variance for part in self.components_)
        for lo in range(0, len(x), 2000):
            cross = self._cross(x[lo : lo + 2000])
            half = solve_triangular(self.cholesky_, cross.T, lower=True)
            mean[lo : lo + 2000] = cross @ self.alpha_
            variance[lo : lo + 2000] = np.maximum(total - np.einsum("ij,ij->j", half, half), 0.0)
        return mean, variance

    def _centre(self, design: Design) -> FloatArray:
        """Standardised mean; along the knots of age it is kept from falling."""
        x = self._standard(design)
        if not len(self.course_.knots) or self.age_ is None:
            out = np.empty(len(x))
            for lo in range(0, len(x), 2000):
                out[lo : lo + 2000] = self._cross(x[lo : lo + 2000]) @ self.alpha_
            return out
        table = self._at_ages(x, (self.course_.knots - self.mean_[self.age_]) / self.sd_[self.age_])
        return self.course_.along(table, x[:, self.age_] * self.sd_[self.age_] + self.mean_[self.age_])

    def _at_ages(self, x: FloatArray, knots: FloatArray) -> FloatArray:
        """Standardised mean of each row at each (standardised) age, shape (n_rows, n_knots)."""
        table = np.empty((len(x), len(knots)))
        form = _FORMS[self.form]
        for lo in range(0, len(x), 2000):
            block = x[lo : lo + 2000]
            if form != k.PRODUCT_32:
                for j, knot in enumerate(knots):
                    at = block.copy()
                    at[:, self.age_] = knot
                    table[lo : lo + 2000, j] = self._cross(at) @ self.alpha_
                continue
            total = np.zeros((len(block), len(knots)))
            for part in self.components_:
                if self.age_ not in part.columns:
                    total += ((part.variance * _between(block, self.x_, part, form)) @ self.alpha_)[:, None]
                    continue
                rest, age = _without(part, self.age_)
                near = np.abs(knots[:, None] - self.x_[:, self.age_]) * age
                course = (1.0 + near) * np.exp(-near) * self.alpha_
                total += part.variance * (_between(block, self.x_, rest, form) @ course.T)
            table[lo : lo + 2000] = total
        return table

    # -- keeping
    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What predictions need: plain values and named arrays."""
        meta = {
            "parameters": self.get_params(), "columns": self.columns_, "gaps": self.gaps_, "age": self.age_,
            "y_mean": self.y_mean_, "y_sd": self.y_sd_, "transform": self.transform_, "parts": self.parts_,
            "repeated": self.repeated_,
        }  # fmt: skip
        arrays = {
            "x": self.x_, "z": self.z_, "ratio": self.ratio_, "mix": self.mix_, "source": self.source_,
            "alpha": self.alpha_, "mean": self.mean_, "sd": self.sd_, "median": self.median_, "theta": self.theta_,
            "knots": self.course_.knots, "knot_weights": self.course_.weights,
        }  # fmt: skip
        return meta, arrays

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: dict[str, Any]) -> GaussianProcess:
        """The same process from what `to_state` gave."""
        gp = cls(**meta["parameters"] | {"derived": tuple(meta["parameters"]["derived"])})
        gp.columns_, gp.gaps_, gp.age_ = list(meta["columns"]), list(meta["gaps"]), meta["age"]
        gp.y_mean_, gp.y_sd_, gp.transform_ = float(meta["y_mean"]), float(meta["y_sd"]), str(meta["transform"])
        gp.parts_, gp.repeated_ = [list(part) for part in meta["parts"]], bool(meta["repeated"])
        for name in ("x", "z", "ratio", "mix", "source", "alpha", "mean", "sd", "median", "theta"):
            setattr(gp, f"{name}_", arrays[name])
        gp.course_ = Course(arrays["knots"], arrays["knot_weights"])
        gp._settle(gp._problem())
        return gp


def _between(x: FloatArray, z: FloatArray, part: Component, form: int) -> FloatArray:
    out = np.empty((len(x), len(z)))
    columns = list(part.columns)
    k.cross_covariance(
        np.ascontiguousarray(x[:, columns].T), np.ascontiguousarray(z[:, columns].T), part.inverse, form, out
    )
    return out


def _without(part: Component, column: int) -> tuple[Component, float]:
    """A product without one of its columns, and sqrt(3) over the length of that one."""
    at = part.columns.index(column)
    rest = Component(part.columns[:at] + part.columns[at + 1 :], 1.0, np.delete(part.inverse, at))
    return rest, float(part.inverse[at])


def _part(groups: IntArray, n_rows: int, seed: int) -> NDArray[np.int64]:
    """Rows of a random part of the groups, whole groups, of about `n_rows` rows; all rows where there are no more."""
    if len(groups) <= n_rows:
        return np.arange(len(groups))
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(counts))
    chosen = order[: int(np.searchsorted(np.cumsum(counts[order]), n_rows, side="right")) or 1]
    return np.flatnonzero(np.isin(codes, chosen))


class _Problem:
    """The likelihood and its gradient in the logarithms of variances and lengths."""

    def __init__(self, parts: Sequence[list[int]], form: int, mix: bool, source: bool, priors: bool) -> None:
        self.parts, self.form, self.mix, self.source, self.priors = list(parts), form, mix, source, priors
        kinds = []
        for part in self.parts:
            kinds += ["variance", *["length"] * len(part)]
        kinds += ["mix"] * mix + ["source"] * source + ["noise"]
        self.centre = np.array([_PRIOR[kind][0] for kind in kinds])
        self.width = np.array([_PRIOR[kind][1] for kind in kinds])
        self.bounds = [_BOUNDS[kind] for kind in kinds]

    def start(self) -> FloatArray:
        """Where every search begins."""
        return self.centre.copy()

    def unpack(self, theta: FloatArray) -> tuple[list[tuple[float, FloatArray]], float, float, float]:
        """(variance, inverse lengths) of each part; variances of mix and source; noise."""
        out, at = [], 0
        for part in self.parts:
            inverse = _ROOT[self.form] * np.exp(-theta[at + 1 : at + 1 + len(part)])
            out.append((float(np.exp(theta[at])), inverse))
            at += 1 + len(part)
        mix = source = 0.0
        if self.mix:
            mix, at = float(np.exp(theta[at])), at + 1
        if self.source:
            source, at = float(np.exp(theta[at])), at + 1
        return out, mix, source, float(np.exp(theta[at]))

    def coordinates(self, x: FloatArray) -> list[FloatArray]:
        """Columns of each part as contiguous rows."""
        return [np.ascontiguousarray(x[:, part].T) for part in self.parts]

    def matrix(
        self, theta: FloatArray, xt: Sequence[FloatArray], mix: IntArray, source: IntArray | None, ratio: FloatArray
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Lower triangle of the covariance of the tests, and that of each smooth part."""
        parts, of_mix, of_source, noise = self.unpack(theta)
        n = len(ratio)
        total, smooth = np.zeros((n, n)), []
        for columns, (variance, inverse) in zip(xt, parts, strict=True):
            own = np.zeros((n, n))
            k.covariance(columns, inverse, self.form, own)
            own *= variance
            smooth.append(own)
            total += own
        if self.mix:
            k.add_group(total, mix, of_mix)
        if self.source and source is not None:
            k.add_group(total, source, of_source)
        total[np.diag_indices(n)] += noise * ratio + 1e-8
        return total, smooth

    @staticmethod
    def factor(kernel: FloatArray) -> FloatArray:
        """Lower Cholesky factor."""
        from scipy.linalg import lapack

        lower, info = lapack.dpotrf(kernel, lower=1, overwrite_a=0)
        if info:
            raise ModelError(
                "the covariance of the tests is not positive definite: a column may hold numbers of wildly different "
                "size. Check the table for wrong units."
            )
        factor: FloatArray = lower
        return factor

    def value(
        self,
        theta: FloatArray,
        xt: Sequence[FloatArray],
        z: FloatArray,
        mix: IntArray,
        source: IntArray | None,
        ratio: FloatArray,
    ) -> tuple[float, FloatArray]:
        """Negative log posterior density (up to a constant) and its gradient."""
        from scipy.linalg import lapack

        kernel, smooth = self.matrix(theta, xt, mix, source, ratio)
        lower, info = lapack.dpotrf(kernel, lower=1, overwrite_a=0)
        if info:
            return 1e10, np.zeros_like(theta)
        half_log_det = float(np.log(np.diag(lower)).sum())
        inverse, _ = lapack.dpotri(lower, lower=1, overwrite_c=1)
        weighted = np.ascontiguousarray(inverse)
        full = np.tril(weighted)
        alpha = full @ z + np.tril(full, -1).T @ z
        k.weights_of(weighted, alpha, weighted)
        f = 0.5 * float(z @ alpha) + half_log_det
        parts, of_mix, of_source, noise = self.unpack(theta)
        gradient, at = np.empty_like(theta), 0
        for columns, (_, lengths), own in zip(xt, parts, smooth, strict=True):
            gradient[at] = k.triangle_product(weighted, own)
            k.length_gradient(columns, lengths, self.form, weighted, own, gradient[at + 1 : at + 1 + len(lengths)])
            at += 1 + len(lengths)
        if self.mix:
            gradient[at] = of_mix * k.group_product(weighted, mix)
            at += 1
        if self.source:
            gradient[at] = of_source * k.group_product(weighted, source)
            at += 1
        gradient[at] = 0.5 * noise * float(np.diag(weighted) @ ratio)
        if self.priors:
            away = (theta - self.centre) / self.width
            f += 0.5 * float(away @ away)
            gradient += away / self.width
        return f, gradient

    def minimise(
        self,
        x: FloatArray,
        z: FloatArray,
        mix: IntArray,
        source: IntArray | None,
        ratio: FloatArray,
        rows: NDArray[np.int64],
        start: FloatArray,
        steps: int,
    ) -> tuple[FloatArray, float]:
        """Lengths and variances at the optimum on some rows, and the negative log density there."""
        from scipy.optimize import minimize

        xt = self.coordinates(x[rows])
        mixes = np.ascontiguousarray(mix[rows])
        sources = None if source is None else np.ascontiguousarray(source[rows])
        found = minimize(
            self.value, start, args=(xt, z[rows], mixes, sources, ratio[rows]), jac=True, method="L-BFGS-B",
            bounds=self.bounds, options={"maxiter": steps, "maxfun": 2 * steps},
        )  # fmt: skip
        theta: FloatArray = found.x
        return theta, float(found.fun)
