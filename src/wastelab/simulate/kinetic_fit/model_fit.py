"""One triplet to several heating rates at once: every ICTAC model by least squares on alpha(t).

Temperatures are those measured, the integral over them is exact to rounding. Standard errors come from the Jacobian,
widened where residuals of neighbouring points go together (effective number of points) and by the levels that stand for
conversions of 0 and 1; intervals by Student's t, by profile or by a block bootstrap with a seed. Which model to prefer:
`selection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import UnknownNameError, ValidityError, suggest
from ..kinetics.models import CODES, STANDARD, ReactionModel, reaction_model
from .conversion import Conversion
from .integrals import R, gauss_times, model_alpha, model_f
from .isoconversional import student

FloatArray = NDArray[np.float64]
Interval = Literal["t", "profile", "bootstrap"]

#: Models whose parameters are fitted too, with their start and bounds.
FITTED: dict[str, tuple[tuple[str, float, float, float], ...]] = {
    "Fn": (("n", 1.2, 0.0, 6.0),),
    "An": (("n", 1.6, 0.3, 8.0),),
    "SB": (("m", 0.4, -1.0, 3.0), ("n", 1.0, 0.05, 6.0)),
}
ALL = (*STANDARD, *FITTED)
#: Points of each run that enter the fit, at most.
POINTS = 150
#: Misfit of the conversion below which models are not told apart [-].
RESOLUTION = 1e-6


@dataclass(frozen=True)
class RunPoints:
    """Points of one run and the quadrature along its T(t) up to each.

    Attributes
    ----------
    alpha : ndarray, shape (k,)
        As measured [-].
    time_s, temperature_K : ndarray, shape (k,)
    node_K, weight_s : ndarray, shape (q, 4)
        Nodes from the start of the window on [K], [s].
    ends : ndarray of int, shape (k,)
        Number of intervals up to each point.
    """

    alpha: FloatArray
    time_s: FloatArray
    temperature_K: FloatArray
    node_K: FloatArray
    weight_s: FloatArray
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, conversion: Conversion, low: float, high: float, points: int = POINTS) -> RunPoints:
        """Evenly spaced measured points between two conversions (found on the smoothed curve)."""
        t0, t1 = conversion.time_at(low), conversion.time_at(high)
        inside = np.flatnonzero((conversion.raw_time_s >= t0) & (conversion.raw_time_s <= t1))
        if inside.size < 8:
            raise ValidityError(
                f"{conversion.name}: {inside.size} points between conversions {low:g} and {high:g}; a model fit "
                f"needs 8."
            )
        chosen = inside[np.unique(np.linspace(0, inside.size - 1, min(points, inside.size)).round().astype(int))]
        time = conversion.raw_time_s[chosen]
        lead = np.linspace(conversion.time_s[0], time[0], 60)
        edges = np.concatenate([lead[:-1], time]) if time[0] > conversion.time_s[0] else time
        nodes, weights = gauss_times(edges)
        ends = np.arange(time.size) + edges.size - time.size
        temperature = conversion.temperature_at(time)
        return cls(conversion.raw_alpha[chosen], time, temperature, conversion.temperature_at(nodes), weights, ends)

    def theta(self, Ea: float, reference_K: float) -> FloatArray:
        """Integral of exp(-Ea/R (1/T - 1/T_ref)) from the start to each point [s]."""
        each = np.exp(np.clip(-Ea / R * (1.0 / self.node_K - 1.0 / reference_K), -700.0, 700.0))
        total = np.concatenate([[0.0], np.cumsum((each * self.weight_s).sum(axis=1))])
        return total[self.ends]


@dataclass(frozen=True)
class Parameter:
    """A fitted number: value, standard error and interval, in `unit`."""

    name: str
    value: float
    se: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class ModelFit:
    """One model fitted to all runs.

    Attributes
    ----------
    family : str
        As asked for: ``"A2"``, ``"Fn"`` ...
    model : ReactionModel
        With the fitted parameters.
    parameters : tuple of Parameter
        ``Ea`` [kJ/mol], ``ln_A`` [ln 1/s], and n, m where fitted.
    correlation : ndarray
    rss, rmse : float
    points, effective_points : float
    aicc : float
    converged : bool
    interval : str
    residuals : tuple of ndarray
        Measured less fitted conversion, of each run.
    starts : tuple of float
        Optimum as the fit holds it: ln k at the reference temperature, Ea/(R T_ref), exponents.
    at_bound : tuple of str
        Parameters that stopped at the edge of what is looked for.
    jacobian : ndarray, shape (points, parameters)
        Of the conversions by ln k, Ea/(R T_ref) and exponents, at the optimum.
    """

    family: str
    model: ReactionModel
    parameters: tuple[Parameter, ...]
    correlation: FloatArray
    rss: float
    rmse: float
    points: int
    effective_points: float
    aicc: float
    converged: bool
    interval: str
    residuals: tuple[FloatArray, ...]
    starts: tuple[float, ...]
    at_bound: tuple[str, ...] = ()
    jacobian: FloatArray = field(default_factory=lambda: np.empty((0, 0)), repr=False)

    def __getitem__(self, name: str) -> Parameter:
        for p in self.parameters:
            if p.name == name:
                return p
        raise UnknownNameError(
            f"{self.model.name} has no parameter {name!r}; it has {[p.name for p in self.parameters]}."
        )

    @property
    def Ea(self) -> float:
        """[J/mol]"""
        return 1e3 * self["Ea"].value

    @property
    def A(self) -> float:
        """[1/s]"""
        return float(np.exp(self["ln_A"].value))


class Problem:
    """Runs prepared for fitting, and what a fit of one family needs.

    Parameters
    ----------
    conversions : sequence of Conversion
    low, high : float
        Conversions between which points count [-].
    """

    def __init__(self, conversions: Sequence[Conversion], low: float, high: float, points: int = POINTS) -> None:
        self.conversions = tuple(conversions)
        self.runs = tuple(RunPoints.of(c, low, high, points) for c in conversions)
        self.starts = tuple(
            float(np.interp(r.time_s[0], c.time_s, c.alpha)) for r, c in zip(self.runs, conversions, strict=True)
        )
        self.reference_K = float(1.0 / np.mean([np.mean(1.0 / r.temperature_K) for r in self.runs]))
        self.measured = np.concatenate([r.alpha for r in self.runs])
        ends = np.cumsum([0, *(r.alpha.size for r in self.runs)])
        self.slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.splits = np.cumsum([r.alpha.size for r in self.runs])[:-1]

    def end_covariance(self, jac: FloatArray, inverse: NDArray[Any]) -> FloatArray:
        """What the uncertain levels of 0 and 1 of each run add: they shift all of its conversions together."""
        out = np.zeros_like(inverse)
        for part, c in zip(self.slices, self.conversions, strict=True):
            alpha = self.measured[part]
            for shape, se in ((1.0 - alpha, c.end_se[0]), (alpha, c.end_se[1])):
                h = inverse @ (jac[part].T @ shape) * se
                out += np.outer(h, h)
        return out

    def model(self, family: str, values: Sequence[float] | FloatArray) -> ReactionModel:
        """The model of a family with fitted parameters in the order of `FITTED`."""
        if family == "SB":
            m, n = values
            return ReactionModel(f"SB({m:.6g},{n:.6g},0)", CODES["SB"], n, m, 0.0)
        if family in FITTED:
            return ReactionModel(f"{family[0]}{values[0]:.6g}", CODES[family[0]], values[0])
        return reaction_model(family)

    def predict(self, model: ReactionModel, log_k: float, reduced_Ea: float) -> FloatArray:
        """Conversion at all points; parameters at the reference temperature: ln k and Ea/(R T_ref)."""
        Ea = reduced_Ea * R * self.reference_K
        k = float(np.exp(min(log_k, 300.0)))
        out = []
        for run, start in zip(self.runs, self.starts, strict=True):
            g = k * run.theta(Ea, self.reference_K)
            out.append(model_alpha(model, g) if model.closed else model_alpha(model, g - g[0], start))
        return np.concatenate(out)

    def start(self, family: str) -> tuple[FloatArray, float]:
        """Start of a fit from a straight line ln(rate/f) over 1/T, and how far that line is from the points."""
        model = self.model(family, [p[1] for p in FITTED.get(family, ())])
        x, y = [], []
        for run, c in zip(self.runs, self.conversions, strict=True):
            alpha = np.interp(run.time_s, c.time_s, c.alpha)
            rate, f = c.rate_at(run.time_s), model_f(model, alpha)
            good = (rate > 0) & (f > 1e-9) & (alpha > 0.02) & (alpha < 0.98)
            x.append(1.0 / run.temperature_K[good] - 1.0 / self.reference_K)
            y.append(np.log(rate[good] / f[good]))
        xs, ys = np.concatenate(x), np.concatenate(y)
        if xs.size < 4:
            raise ValidityError("The rate of conversion is not above zero at enough points; smooth more.")
        slope, level = np.polyfit(xs, ys, 1)
        reduced = float(np.clip(-slope / self.reference_K, 1.0, 300.0))
        rest = ys - level - slope * xs
        return np.array([float(level), reduced]), float(rest @ rest)


def effective_points(residuals: Sequence[FloatArray], n: int) -> float:
    """Number of independent points, from the correlation of neighbouring residuals."""
    over = sum(float(r[1:] @ r[:-1]) for r in residuals)
    under = sum(float(r @ r) for r in residuals)
    rho = min(max(over / under if under > 0 else 0.0, 0.0), 0.999)
    if rho < 2.0 / np.sqrt(n):  # what white noise itself shows
        return float(n)
    return max(n * (1.0 - rho) / (1.0 + rho), 10.0)


def fit_model(problem: Problem, family: str, *, confidence: float = 0.95, start: FloatArray | None = None) -> ModelFit:
    """Least squares of one family over all runs.

    Parameters
    ----------
    problem : Problem
    family : str
        A name of `STANDARD`, another closed model (``"F1.5"``), ``"Fn"``, ``"An"`` or ``"SB"``.
    confidence : float
    start : ndarray, optional
        ln k at the reference temperature, Ea/(R T_ref), fitted parameters.
    """
    from scipy.optimize import least_squares

    extra = FITTED.get(family, ())
    if family not in FITTED:
        try:
            reaction_model(family)
        except UnknownNameError:
            raise UnknownNameError(
                f"There is no reaction model {family!r}.{suggest(family, ALL)} A fit knows {', '.join(ALL)}, any "
                f"Fn or An "
                "with a number (F1.5), SB(m,n,p)."
            ) from None
    if start is None:
        begin, _ = problem.start(family)
        start = np.concatenate([begin, [p[1] for p in extra]])
    lower = np.array([-300.0, 0.2, *(p[2] for p in extra)])
    upper = np.array([300.0, 400.0, *(p[3] for p in extra)])

    def residual(x: FloatArray) -> FloatArray:
        return np.asarray(problem.predict(problem.model(family, x[2:]), x[0], x[1]) - problem.measured)

    found = least_squares(residual, np.clip(start, lower + 1e-6, upper - 1e-6), jac="3-point", bounds=(lower, upper),
                          x_scale=np.array([1.0, 5.0, *(0.5 for _ in extra)]), xtol=1e-12, ftol=1e-12, gtol=1e-14,
                          max_nfev=120)  # fmt: skip
    near = np.minimum(found.x - lower, upper - found.x) < 1e-3 * np.minimum(upper - lower, 1.0)
    names = ("ln_A", "Ea", *(p[0] for p in extra))
    stopped = tuple(name for name, at in zip(names, near, strict=True) if at)
    fit = _summary(problem, family, found.x, found.jac, -found.fun, bool(found.status > 0), confidence)
    return replace(fit, at_bound=stopped)


def _summary(
    problem: Problem, family: str, x: FloatArray, jac: FloatArray, rest: FloatArray, ok: bool, confidence: float
) -> ModelFit:
    n, k = rest.size, x.size
    rss = float(rest @ rest)
    parts = tuple(np.split(rest, problem.splits))
    effective = effective_points(parts, n)
    freedom = max(effective - k, 1.0)
    # widened as if `effective` points carried the information
    inverse = np.linalg.pinv(jac.T @ jac)
    covariance = inverse * (rss / max(n - k, 1)) * (n / effective) + problem.end_covariance(jac, inverse)
    scale = R * problem.reference_K / 1e3
    turn = np.eye(k)  # (ln k, e, ...) to (Ea, ln A, ...): ln A = ln k + e
    turn[0], turn[1] = np.eye(k)[1] * scale, np.eye(k)[0] + np.eye(k)[1]
    covariance = turn @ covariance @ turn.T
    values = turn @ x
    se = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    half = student(confidence, freedom) * se
    names = [("Ea", "kJ/mol"), ("ln_A", "ln(1/s)"), *((p[0], "1") for p in FITTED.get(family, ()))]
    parameters = tuple(
        Parameter(name, float(v), float(s), float(v - h), float(v + h), unit)
        for (name, unit), v, s, h in zip(names, values, se, half, strict=True)
    )
    safe = np.where(se > 0, se, 1.0)
    correlation = covariance / np.outer(safe, safe)
    return ModelFit(family, problem.model(family, x[2:]), parameters, correlation, rss, float(np.sqrt(rss / n)), n,
                    effective, aicc(rss, n, n, k), ok, "t", parts, tuple(map(float, x)), jacobian=jac)  # fmt: skip


def aicc(rss: float, n: int, effective: float, k: int) -> float:
    """Corrected Akaike criterion of a least-squares fit with k parameters and the variance.

    Residuals below `RESOLUTION` count as that: no balance tells them apart, and there the number of parameters decides.
    """
    p = k + 1
    level = max(rss / n, RESOLUTION**2)
    return float(effective * np.log(level) + 2 * p + 2 * p * (p + 1) / max(effective - p - 1, 1.0))


def fit_models(
    problem: Problem, families: Sequence[str] = ALL, *, confidence: float = 0.95
) -> tuple[list[ModelFit], dict[str, str]]:
    """All families by least squares, in their order, and why others could not be fitted; see `selection.rank`."""
    done: list[ModelFit] = []
    failed: dict[str, str] = {}
    for family in families:
        try:
            done.append(fit_model(problem, family, confidence=confidence))
        except (ValidityError, np.linalg.LinAlgError) as error:
            failed[family] = str(error)
    return done, failed
