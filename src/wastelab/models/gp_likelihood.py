"""The marginal likelihood of a Gaussian process over tests of mixes, and its gradient.

R. 5.8-5.9 of Rasmussen and Williams (2006) with log-normal priors; all parameters are logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from . import _gp_kernels as k
from .design import FloatArray, IntArray

FORMS = {"product-3/2": k.PRODUCT_32, "matern-3/2": k.JOINT_32, "matern-5/2": k.JOINT_52}
_ROOT = {k.PRODUCT_32: np.sqrt(3.0), k.JOINT_32: np.sqrt(3.0), k.JOINT_52: np.sqrt(5.0)}
#: Log-normal priors: mean and sd of the logarithm of variances, lengths [standard deviations], effects and noise.
PRIOR = {"variance": (0.0, 1.5), "length": (0.0, 1.2), "mix": (-3.0, 1.5), "source": (-2.0, 1.5), "noise": (-3.5, 1.5)}
#: The same where laboratories differ in more than their level.
PRIOR_WITHIN = {
    "variance": (-1.0, 1.5), "within": (-2.0, 1.5), "length": (1.3, 1.0), "mix": (-3.0, 1.5), "source": (-1.5, 1.5),
    "noise": (-3.0, 1.5),
}  # fmt: skip
_BOUNDS = {
    "variance": (-6.0, 8.0), "within": (-9.0, 6.0), "length": (-3.5, 8.0), "mix": (-9.0, 3.0), "source": (-9.0, 3.0),
    "noise": (-9.0, 1.0),
}  # fmt: skip
#: Variance of the unknown mean on the standardised scale, where laboratories differ in more than their level.
CONSTANT = 4.0


@dataclass(frozen=True)
class Observations:
    """Tests as the likelihood sees them.

    Attributes
    ----------
    x : ndarray, shape (n, d)
        Standardised coordinates.
    z : ndarray, shape (n,)
        Standardised target.
    mix, source : ndarray of int, shape (n,)
        Source is empty where none is known.
    ratio : ndarray, shape (n,)
        Noise variance of each test relative to a usual one.
    """

    x: FloatArray
    z: FloatArray
    mix: IntArray
    source: IntArray
    ratio: FloatArray

    def take(self, rows: NDArray[np.int64]) -> Observations:
        """Some of the tests."""
        source = self.source[rows] if len(self.source) else self.source
        return Observations(np.ascontiguousarray(self.x[rows]), self.z[rows], self.mix[rows], source, self.ratio[rows])


@dataclass(frozen=True)
class Part:
    """A smooth part of the covariance: over which columns, and whether only among tests of one source."""

    columns: tuple[int, ...]
    within: bool = False


@dataclass(frozen=True)
class Component:
    """A smooth part with its variance, and sqrt(3) (or 5) over the length of each column."""

    columns: tuple[int, ...]
    variance: float
    inverse: FloatArray
    within: bool = False


class Likelihood:
    """Negative log posterior density of the logarithms of variances and lengths.

    Parameters
    ----------
    parts : sequence of Part
    form : str
        Of `FORMS`.
    mix, source : bool
        Whether tests of one mix, and of one source, share an effect.
    priors : bool
    """

    def __init__(self, parts: Sequence[Part], form: str, mix: bool, source: bool, priors: bool) -> None:
        self.parts, self.form, self.mix, self.source, self.priors = list(parts), FORMS[form], mix, source, priors
        within = any(part.within for part in self.parts)
        self.constant = CONSTANT if within else 0.0
        prior = PRIOR_WITHIN if within else PRIOR
        kinds: list[str] = []
        for part in self.parts:
            kinds += ["within" if part.within else "variance", *["length"] * len(part.columns)]
        kinds += ["mix"] * mix + ["source"] * source + ["noise"]
        self.centre = np.array([prior[kind][0] for kind in kinds])
        self.width = np.array([prior[kind][1] for kind in kinds])
        self.bounds = [_BOUNDS[kind] for kind in kinds]

    def start(self) -> FloatArray:
        """Where every search begins: the centre of the priors."""
        return self.centre.copy()

    def unpack(self, theta: FloatArray) -> tuple[list[Component], float, float, float]:
        """Smooth parts; variances of the effects of mix and source; noise."""
        out, at = [], 0
        for part in self.parts:
            inverse = _ROOT[self.form] * np.exp(-theta[at + 1 : at + 1 + len(part.columns)])
            out.append(Component(part.columns, float(np.exp(theta[at])), inverse, part.within))
            at += 1 + len(part.columns)
        mix = source = 0.0
        if self.mix:
            mix, at = float(np.exp(theta[at])), at + 1
        if self.source:
            source, at = float(np.exp(theta[at])), at + 1
        return out, mix, source, float(np.exp(theta[at]))

    def coordinates(self, x: FloatArray) -> list[FloatArray]:
        """Columns of each part as contiguous rows."""
        return [np.ascontiguousarray(x[:, list(part.columns)].T) for part in self.parts]

    def matrix(
        self, theta: FloatArray, tests: Observations, xt: Sequence[FloatArray] | None = None
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Lower triangle of the covariance of the tests, and that of each smooth part."""
        parts, of_mix, of_source, noise = self.unpack(theta)
        n = len(tests.z)
        total, smooth = np.full((n, n), self.constant), []
        for columns, part in zip(xt or self.coordinates(tests.x), parts, strict=True):
            own = np.zeros((n, n))
            k.covariance(columns, part.inverse, self.form, own)
            own *= part.variance
            if part.within:
                k.keep_group(own, tests.source)
            smooth.append(own)
            total += own
        if self.mix:
            k.add_group(total, tests.mix, of_mix)
        if self.source:
            k.add_group(total, tests.source, of_source)
        total[np.diag_indices(n)] += noise * tests.ratio + 1e-8
        return total, smooth

    def factor(self, theta: FloatArray, tests: Observations) -> FloatArray:
        """Lower Cholesky factor of the covariance of the tests.

        Raises
        ------
        ModelError
            If it is not positive definite.
        """
        from scipy.linalg import lapack

        lower, info = lapack.dpotrf(self.matrix(theta, tests)[0], lower=1, overwrite_a=0)
        if info:
            raise ModelError(
                "the covariance of the tests is not positive definite: a column may hold numbers of wildly different "
                "size. Check the table for wrong units."
            )
        factor: FloatArray = lower
        return factor

    def value(self, theta: FloatArray, tests: Observations, xt: Sequence[FloatArray]) -> tuple[float, FloatArray]:
        """Negative log posterior density (up to a constant) and its gradient."""
        from scipy.linalg import lapack

        kernel, smooth = self.matrix(theta, tests, xt)
        lower, info = lapack.dpotrf(kernel, lower=1, overwrite_a=0)
        if info:
            return 1e10, np.zeros_like(theta)
        half_log_det = float(np.log(np.diag(lower)).sum())
        alpha, _ = lapack.dpotrs(lower, tests.z, lower=1)
        inverse, _ = lapack.dpotri(lower, lower=1, overwrite_c=1)
        weighted = np.ascontiguousarray(inverse)
        k.weights_of(weighted, alpha, weighted)
        f = 0.5 * float(tests.z @ alpha) + half_log_det
        parts, of_mix, of_source, noise = self.unpack(theta)
        gradient, at = np.empty_like(theta), 0
        for columns, part, own in zip(xt, parts, smooth, strict=True):
            gradient[at] = k.triangle_product(weighted, own)
            stop = at + 1 + len(part.columns)
            k.length_gradient(columns, part.inverse, self.form, weighted, own, gradient[at + 1 : stop])
            at = stop
        if self.mix:
            gradient[at] = of_mix * k.group_product(weighted, tests.mix)
            at += 1
        if self.source:
            gradient[at] = of_source * k.group_product(weighted, tests.source)
            at += 1
        gradient[at] = 0.5 * noise * float(np.diag(weighted) @ tests.ratio)
        if self.priors:
            away = (theta - self.centre) / self.width
            f += 0.5 * float(away @ away)
            gradient += away / self.width
        return f, gradient

    def minimise(self, tests: Observations, start: FloatArray, steps: int) -> tuple[FloatArray, float]:
        """Parameters at the optimum, and the negative log density there.

        Parameters
        ----------
        tests : Observations
        start : ndarray
        steps : int
            Of L-BFGS at most.
        """
        from scipy.optimize import minimize

        found = minimize(
            self.value, start, args=(tests, self.coordinates(tests.x)), jac=True, method="L-BFGS-B",
            bounds=self.bounds, options={"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-7},
        )  # fmt: skip
        theta: FloatArray = found.x
        return theta, float(found.fun)
