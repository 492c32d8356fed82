"""A Gaussian process for mixes tested at several ages.

Covariance = course (mix x age) + level (mix) + course of ratios (per kg of binder x age) + what all tests of one mix
share + laboratory + noise. Each smooth part is a product of Matern-3/2 functions of single columns: separable in age,
and one exponential a pair. What the tests of a mix share beyond its composition (the batch, the operator) is a variance
of its own: without it a mix tested at eight ages counts as eight mixes. Lengths and variances maximise the marginal
likelihood with weak log-normal priors.

References
----------
C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), ch. 2, 4, 5.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from ..errors import ModelError
from . import _gp_kernels as k
from .course import Course
from .design import Design, FloatArray, IntArray, filled, medians
from .gp_likelihood import FORMS, Component, Likelihood, Observations, Part
from .scales import TRANSFORMS, allowed_transforms, backward, forward, log_jacobian, slope

#: Rows on which scales of the target are compared, and rows on which lengths are found.
FIRST_ROWS, SECOND_ROWS = 320, 1100
#: Rows beyond which whole mixes are left out (cost grows with the third power).
MAX_ROWS = 4000
#: Steps of the search after which scales of the target are compared.
FIRST_STEPS = 20
#: Sources from which on laboratories may differ in more than their level, and rows of each that lengths are found on.
WITHIN_SOURCES, WITHIN_ROWS = 8, 14
#: Derived features that a process looks at: what a mix is per kg of binder, whatever the batch; ``*`` is any role.
RATIOS = ("binder", "water/binder", "*/binder")
#: Those of that ending that are sums of others.
_SUMS = ("SCM/binder", "aggregate/binder")


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
        Derived features that are used beside what is in the table; ``"*/binder"`` is any of that ending but sums of
        others.
    priors : bool
        Weak priors on lengths and variances; without them the maximum of the likelihood itself.
    steps : int
        Of the search for lengths and variances, at most.
    random_state : int
        Chooses the rows that lengths are found on.

    Notes
    -----
    Lengths are found on at most `SECOND_ROWS` rows (whole mixes), and the posterior is then that of all rows (at most
    `MAX_ROWS`). Missing numbers take the training median and switch a column of their own.

    With eight sources or more, laboratories differ by a smooth function of their own, not only by a level: predictions
    are of the part they have in common, which no large laboratory bends its way, and lengths are found on few rows of
    each source.
    """

    def __init__(
        self,
        form: str = "product-3/2",
        level: bool = True,
        same_mix: bool = True,
        same_source: bool = True,
        transform: str = "auto",
        derived: tuple[str, ...] = RATIOS,
        priors: bool = True,
        steps: int = 40,
        random_state: int = 0,
    ) -> None:
        self.form = form
        self.level = level
        self.same_mix = same_mix
        self.same_source = same_source
        self.transform = transform
        self.derived = derived
        self.priors = priors
        self.steps = steps
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
        if self.form not in FORMS:
            raise ModelError(f"form = {self.form!r}: expected one of {', '.join(FORMS)}.")
        if self.transform not in ("auto", *TRANSFORMS):
            raise ModelError(f"transform = {self.transform!r}: expected auto, {', '.join(TRANSFORMS)}.")
        if self.transform in ("sqrt", "log") and self.transform not in allowed_transforms(target):
            raise ModelError(f"transform = {self.transform!r}: the target has values of 0 or less; use 'identity'.")
        x = self._standardise(design)
        groups, sources = self._grouped(mix, source, len(target))
        self.parts_ = self._parts(design, x.shape[1], sources)
        self.repeated_ = self.same_mix and len(np.unique(groups)) < len(target)
        rows = _part(groups, MAX_ROWS, self.random_state)
        likelihood = self._likelihood(len(sources) > 0)
        first, second = self._subsets(rows, groups, sources)
        self.transform_ = self.transform
        if self.transform == "auto":
            values = {}
            for choice in allowed_transforms(target):
                z, ratio = self._scaled(target, choice, noise)
                part = Observations(x, z, groups, sources, ratio).take(first)
                size = float(np.std(forward(target, choice))) or 1.0
                values[choice] = likelihood.minimise(part, likelihood.start(), FIRST_STEPS)[1]
                values[choice] -= log_jacobian(target[first], choice) - len(first) * np.log(size)
            self.transform_ = min(values, key=lambda choice: values[choice])
        z, ratio = self._scaled(target, self.transform_, noise)
        tests = Observations(x, z, groups, sources, ratio)
        # from the centre of the priors: the optimum of a part of the rows can lie in the basin of a poorer one of all
        self.theta_, _ = likelihood.minimise(tests.take(second), likelihood.start(), self.steps)
        self.tests_ = tests.take(rows)
        self._settle(likelihood)
        self.__dict__["cholesky_"] = lower = likelihood.factor(self.theta_, self.tests_)
        self.alpha_ = cho_solve((lower, True), self.tests_.z)
        self.course_ = Course.of(design)
        return self

    def _standardise(self, design: Design) -> FloatArray:
        """Choose columns, remember their medians, means and deviations; standardised coordinates."""
        self.columns_ = self._columns(design)
        raw = design.values[:, self.columns_]
        self.median_, self.gaps_ = medians(raw)
        values = self._filled(design)
        self.mean_, sd = values.mean(axis=0), values.std(axis=0)
        self.sd_ = np.where(sd > 1e-9 * (1.0 + np.abs(self.mean_)), sd, 1.0)
        age = design.age
        self.age_ = self.columns_.index(age) if age is not None and age in self.columns_ else None
        x: FloatArray = (values - self.mean_) / self.sd_
        return x

    def _grouped(self, mix: ArrayLike | None, source: ArrayLike | None, n: int) -> tuple[IntArray, IntArray]:
        """Numbers of mixes and of sources; no sources where there are fewer than two."""
        groups = np.arange(n) if mix is None else np.unique(np.asarray(mix), return_inverse=True)[1]
        nothing = np.zeros(0, dtype=np.int64)
        if not self.same_source or source is None:
            return groups, nothing
        codes = np.unique(np.asarray(source), return_inverse=True)[1]
        return groups, codes if 0 < codes.max() < n - 1 else nothing

    def _parts(self, design: Design, n_columns: int, sources: IntArray) -> list[Part]:
        """Smooth parts: over the table's own columns, over ratios, and over mixes alone; see the class."""
        names = [design.features[j].name for j in self.columns_]
        derived = [i for i, j in enumerate(self.columns_) if design.features[j].kind == "derived"]
        if len(derived) < 2 or len(derived) > n_columns - 2:  # no course of ratios of its own: one part over all
            derived = []
        own = tuple(i for i in range(n_columns) if i not in derived)
        if len(sources) and np.sum(np.bincount(sources) >= 4) >= WITHIN_SOURCES:
            both = tuple(i for i in range(n_columns) if i not in derived or names[i] in ("water/binder", "binder"))
            return [Part(both), Part(both, within=True)]
        parts = [Part(own)]
        if self.age_ is not None and self.level and len(own) > 1:
            parts.append(Part(tuple(i for i in own if i != self.age_)))
        if derived:
            parts.append(Part((*derived, *(() if self.age_ is None else (self.age_,)))))
        return parts

    def _subsets(
        self, rows: NDArray[np.int64], groups: IntArray, sources: IntArray
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows that scales of the target are compared on, and those that lengths are found on."""
        if any(part.within for part in self.parts_):  # variances among sources need many sources, few rows of each
            few = rows[_each(sources[rows], WITHIN_ROWS // 3, FIRST_ROWS, self.random_state)]
            return few, rows[_each(sources[rows], WITHIN_ROWS, SECOND_ROWS, self.random_state)]
        first = rows[_part(groups[rows], FIRST_ROWS, self.random_state)]
        return first, rows[_part(groups[rows], SECOND_ROWS, self.random_state + 1)]

    def _columns(self, design: Design) -> list[int]:
        """Inputs, age, categories, and the derived features that are asked for; all columns where there is no other."""
        with np.errstate(invalid="ignore"):
            low, high = np.nanmin(design.values, axis=0), np.nanmax(design.values, axis=0)
        varies = high - low > 1e-9 * (1.0 + np.abs(low))  # a constant column has a spread of rounding errors
        names = [j for j, f in enumerate(design.features) if f.kind != "derived" or self._asked(f.name)]
        return [j for j in names if varies[j]] or names[:1] or [0]

    def _asked(self, name: str) -> bool:
        if name in self.derived:
            return True
        return name not in _SUMS and any(one[:1] == "*" and name.endswith(one[1:]) for one in self.derived)

    def _filled(self, design: Design) -> FloatArray:
        """Numbers without gaps, and a column of 0 and 1 for each column that had gaps in training."""
        return filled(design.values[:, self.columns_], self.median_, self.gaps_)

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

    def _likelihood(self, source: bool) -> Likelihood:
        return Likelihood(self.parts_, self.form, self.repeated_, source, self.priors)

    def _settle(self, likelihood: Likelihood) -> None:
        """Variances and lengths by name, from the logarithms they were found as."""
        self.components_, self.mix_variance_, self.source_variance_, self.noise_ = likelihood.unpack(self.theta_)
        self.constant_ = likelihood.constant

    @cached_property
    def cholesky_(self) -> FloatArray:
        """Lower Cholesky factor of the covariance of the tests (of a process that was loaded: made when asked for)."""
        return self._likelihood(len(self.tests_.source) > 0).factor(self.theta_, self.tests_)

    # -- predicting
    def predict(self, design: Design) -> FloatArray:
        """Expected (median) value of each row, shape (n_rows,); does not fall with age where that was asked for."""
        return backward(self._centre(design) * self.y_sd_ + self.y_mean_, self.transform_)

    def spread(self, design: Design) -> FloatArray:
        """Standard deviation of a new test of a new mix [unit of the target], shape (n_rows,)."""
        centre, variance = self._latent(design)
        within = sum(part.variance for part in self.components_ if part.within)
        total = variance + within + self.mix_variance_ + self.source_variance_ + self.noise_
        return (
            np.sqrt(total) * self.y_sd_ * np.maximum(slope(centre * self.y_sd_ + self.y_mean_, self.transform_), 1e-9)
        )

    def posterior(self, design: Design) -> tuple[FloatArray, FloatArray]:
        """Joint mean and covariance of the smooth part on the fitted scale, shapes (n,) and (n, n)."""
        from scipy.linalg import solve_triangular

        x = self._standard(design)
        cross = self._cross(x)
        half = solve_triangular(self.cholesky_, cross.T, lower=True)
        own = np.full((len(x), len(x)), self.constant_)
        for part in self._everywhere:
            own += part.variance * _between(x, x, part, FORMS[self.form])
        covariance = (own - half.T @ half) * self.y_sd_**2
        return (cross @ self.alpha_) * self.y_sd_ + self.y_mean_, covariance

    def log_likelihood(self) -> float:
        """Log marginal likelihood of the standardised target."""
        return float(
            -0.5 * self.tests_.z @ self.alpha_
            - np.log(np.diag(self.cholesky_)).sum()
            - 0.5 * len(self.alpha_) * np.log(2 * np.pi)
        )

    def _standard(self, design: Design) -> FloatArray:
        return np.ascontiguousarray((self._filled(design) - self.mean_) / self.sd_)

    def _cross(self, x: FloatArray) -> FloatArray:
        out = np.full((len(x), len(self.tests_.x)), self.constant_)
        for part in self._everywhere:
            out += part.variance * _between(x, self.tests_.x, part, FORMS[self.form])
        return out

    @property
    def _everywhere(self) -> list[Component]:
        """Smooth parts that reach beyond one source: what is known of a new one."""
        return [part for part in self.components_ if not part.within]

    def _latent(self, design: Design) -> tuple[FloatArray, FloatArray]:
        from scipy.linalg import solve_triangular

        x = self._standard(design)
        mean, variance = np.empty(len(x)), np.empty(len(x))
        total = self.constant_ + sum(part.variance for part in self._everywhere)
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
        form = FORMS[self.form]
        for lo in range(0, len(x), 2000):
            block = x[lo : lo + 2000]
            if form != k.PRODUCT_32:
                for j, knot in enumerate(knots):
                    at = block.copy()
                    at[:, self.age_] = knot
                    table[lo : lo + 2000, j] = self._cross(at) @ self.alpha_
                continue
            total = np.full((len(block), len(knots)), self.constant_ * float(self.alpha_.sum()))
            for part in self._everywhere:
                if self.age_ not in part.columns:
                    total += ((part.variance * _between(block, self.tests_.x, part, form)) @ self.alpha_)[:, None]
                    continue
                rest, age = _without(part, self.age_)
                near = np.abs(knots[:, None] - self.tests_.x[:, self.age_]) * age
                course = (1.0 + near) * np.exp(-near) * self.alpha_
                total += part.variance * (_between(block, self.tests_.x, rest, form) @ course.T)
            table[lo : lo + 2000] = total
        return table

    # -- keeping
    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What predictions need: plain values and named arrays."""
        meta = {
            "parameters": self.get_params(), "columns": self.columns_, "gaps": self.gaps_, "age": self.age_,
            "y_mean": self.y_mean_, "y_sd": self.y_sd_, "transform": self.transform_, "repeated": self.repeated_,
            "parts": [{"columns": list(part.columns), "within": part.within} for part in self.parts_],
        }  # fmt: skip
        arrays = {name: getattr(self.tests_, name) for name in ("x", "z", "mix", "source", "ratio")} | {
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
        gp.parts_ = [Part(tuple(part["columns"]), bool(part["within"])) for part in meta["parts"]]
        gp.repeated_ = bool(meta["repeated"])
        for name in ("alpha", "mean", "sd", "median", "theta"):
            setattr(gp, f"{name}_", arrays[name])
        gp.tests_ = Observations(*(arrays[name] for name in ("x", "z", "mix", "source", "ratio")))
        gp.course_ = Course(arrays["knots"], arrays["knot_weights"])
        gp._settle(gp._likelihood(len(gp.tests_.source) > 0))
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


def _each(groups: IntArray, n_each: int, n_rows: int, seed: int) -> NDArray[np.int64]:
    """At most `n_each` random rows of every group, and about `n_rows` in all."""
    order = np.random.default_rng(seed).permutation(len(groups))
    _, codes = np.unique(groups, return_inverse=True)
    place = np.empty(len(groups), dtype=np.int64)
    seen = np.zeros(codes.max() + 1, dtype=np.int64)
    for row in order:
        place[row] = seen[codes[row]]
        seen[codes[row]] += 1
    while n_each > 2 and int(np.sum(place < n_each)) > n_rows:
        n_each -= 1
    return np.flatnonzero(place < n_each)
