"""Independent parallel reactions fitted to all heating rates at once: alpha = sum of share_i alpha_i.

Starts from the deconvolved DTG peaks and their Kissinger lines; shares add up to one by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ValidityError
from ..heating import TemperatureProgram, as_program
from ..kinetics.models import ReactionModel
from .checks import Finding, check_rates, check_runs, distinct_rates
from .conversion import Baseline
from .deconvolution import deconvolve, peak_energies
from .fit import Window
from .integrals import R, model_alpha
from .isoconversional import student
from .model_fit import FITTED, Parameter, Problem, aicc, effective_points
from .predict import dtg_peak, program_conversion

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Component:
    """One of the parallel reactions.

    Attributes
    ----------
    model : ReactionModel
    parameters : tuple of Parameter
        ``share`` [-], ``Ea`` [kJ/mol], ``ln_A`` [ln 1/s], and n where fitted.
    """

    model: ReactionModel
    parameters: tuple[Parameter, ...]

    def __getitem__(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)

    @property
    def Ea(self) -> float:
        """[J/mol]"""
        return 1e3 * self["Ea"].value

    @property
    def A(self) -> float:
        """[1/s]"""
        return float(np.exp(self["ln_A"].value))

    @property
    def share(self) -> float:
        """[-]"""
        return self["share"].value


@dataclass(frozen=True)
class ParallelFit:
    """Result of `fit_parallel`.

    Attributes
    ----------
    components : tuple of Component
        By the temperature at which they react.
    rmse, aicc : float
    points : int
    effective_points : float
    converged : bool
    warnings : tuple of Finding
    problem : Problem
        The points that were fitted.
    residuals : tuple of ndarray
        Measured less fitted conversion, of each run.
    """

    components: tuple[Component, ...]
    rmse: float
    aicc: float
    points: int
    effective_points: float
    converged: bool
    warnings: tuple[Finding, ...]
    problem: Problem
    residuals: tuple[FloatArray, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each component: model, share, Ea [kJ/mol], ln A, n, errors, its peak at 10 K/min [degC]."""
        import pandas as pd

        rows = []
        for c in self.components:
            row: dict[str, Any] = {"model": c.model.name}
            for p in c.parameters:
                row |= {p.name: p.value, f"{p.name}_se": p.se, f"{p.name}_low": p.low, f"{p.name}_high": p.high}
            row["peak_10_K_min_degC"] = dtg_peak(c.A, c.Ea, c.model) - 273.15
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(range(1, len(rows) + 1), name="component"))

    def predict(
        self, program: TemperatureProgram | str | tuple[ArrayLike, ArrayLike], times: ArrayLike | None = None, *,
        points: int = 400,
    ) -> xr.Dataset:  # fmt: skip
        """Conversion in all and of each component over a temperature program."""
        import xarray as xr

        plan = as_program(program)
        t = np.linspace(0.0, plan.duration_s, points) if times is None else np.asarray(times, dtype=np.float64)
        each = np.array([program_conversion(plan, t, c.A, c.Ea, c.model) for c in self.components])
        shares = np.array([c.share for c in self.components])
        return xr.Dataset(
            {
                "alpha": (("time",), shares @ each, {"units": "1"}),
                "alpha_component": (("component", "time"), each, {"units": "1"}),
                "share": (("component",), shares, {"units": "1"}),
                "temperature": (("time",), plan.at(t), {"units": "K"}),
            },
            {"time": ("time", t, {"units": "s"}), "component": np.arange(1, shares.size + 1)},
            {"program": str(plan), "warnings": "\n".join(map(str, self.warnings))},
        )

    def report(self) -> str:
        """As text."""
        lines = [f"[[Parallel reactions]] {len(self.components)} components, {self.points} points "
                 f"(effective {self.effective_points:.0f}), rms of conversion {self.rmse:.3g}, AICc "
                 f"{self.aicc:.1f}"]  # fmt: skip
        for k, c in enumerate(self.components, 1):
            lines.append(
                f"[[Component {k}]] {c.model.name}, peak at 10 K/min {dtg_peak(c.A, c.Ea, c.model) - 273.15:.0f} degC"
            )
            lines += [
                f"    {p.name + ':':7} {p.value:.6g} +/- {p.se:.2g}  [{p.low:.6g}, {p.high:.6g}] {p.unit}"
                for p in c.parameters
            ]
        lines += [f"  {w}" for w in self.warnings]
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        return self.report()


def fit_parallel(
    curves: Sequence[Any], models: Sequence[str] = ("F1", "F1"), *, peaks: Sequence[str] | None = None,
    signal: str = "auto", units: Mapping[str, str] | None = None, names: Sequence[str] | None = None,
    window: Window | Sequence[Window] | None = None, baseline: Baseline = "auto", smoothing: str | None = None,
    alpha: tuple[float, float] = (0.01, 0.99), confidence: float = 0.95,
) -> ParallelFit:  # fmt: skip
    """Parallel reactions with shares, from several heating rates.

    Parameters
    ----------
    curves, signal, units, names, window, baseline, smoothing
        See `fit_kinetics`.
    models : sequence of str
        One for each reaction, by temperature: closed models, ``"Fn"`` or ``"An"``.
    peaks : sequence of str, optional
        Where the DTG peaks of the first run are, if not found by themselves.
    alpha : (float, float)
        Conversions between which points count [-].
    confidence : float

    Returns
    -------
    ParallelFit

    Raises
    ------
    ValidityError
        For one heating rate, or reactions that the runs do not tell apart.
    """
    from scipy.optimize import least_squares

    if not 1 <= len(models) <= 6 or "SB" in models:
        raise ValidityError(f"models = {tuple(models)}: expected one to six closed models, Fn or An (not SB).")
    apart = deconvolve(
        curves, list(peaks) if peaks is not None else len(models), signal=signal, units=units, names=names,
        window=window, baseline=baseline, smoothing=smoothing,
    )  # fmt: skip
    findings = [*check_rates(apart.runs, force=False), *check_runs(apart.runs)]
    if distinct_rates([r.beta for r in apart.runs]) < 2:
        raise ValidityError("Parallel reactions need runs at two or more heating rates, better three to five.")
    problem = Problem(apart.runs, *alpha)
    n = len(models)
    extra = [FITTED.get(m, ()) for m in models]
    reference = np.array([float(np.mean([p[k, 1] for p in apart.peaks])) for k in range(n)])
    shares = np.clip(apart.shares().mean(axis=0), 0.02, 0.98)
    start: list[float] = []
    lower: list[float] = []
    upper: list[float] = []
    spans: list[slice] = []
    for k, (Ea, _) in enumerate(peak_energies(apart)):
        Ea = float(np.clip(Ea, 3e4, 8e5))
        log_k = float(np.mean([np.log(r.beta * Ea / (R * p[k, 1] ** 2)) - Ea / R * (1 / reference[k] - 1 / p[k, 1])
                               for r, p in zip(apart.runs, apart.peaks, strict=True)]))  # fmt: skip
        begin = len(start)
        start += [log_k, Ea / (R * reference[k]), *(p[1] for p in extra[k])]
        lower += [-60.0, 0.5, *(p[2] for p in extra[k])]
        upper += [60.0, 400.0, *(p[3] for p in extra[k])]
        spans.append(slice(begin, len(start)))
    begin = len(start)
    start += list(np.log(shares[1:] / shares[0]))
    lower += [-12.0] * (n - 1)
    upper += [12.0] * (n - 1)

    def parts(x: FloatArray) -> tuple[list[ReactionModel], FloatArray]:
        made = [problem.model(m, x[s][2:]) for m, s in zip(models, spans, strict=True)]
        logits = np.concatenate([[0.0], x[begin:]])
        weight = np.exp(logits - logits.max())
        return made, weight / weight.sum()

    def residual(x: FloatArray) -> FloatArray:
        made, weight = parts(x)
        total = []
        for run in problem.runs:
            each = np.zeros(run.alpha.size)
            for model, w, s, t in zip(made, weight, spans, reference, strict=True):
                Ea = x[s][1] * R * t
                each += w * model_alpha(model, np.exp(x[s][0]) * run.theta(Ea, float(t)))
            total.append(each)
        return np.asarray(np.concatenate(total) - problem.measured)

    begin_at = np.clip(start, np.array(lower) + 1e-6, np.array(upper) - 1e-6)
    found = least_squares(
        residual, begin_at, jac="3-point", bounds=(lower, upper), x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-14,
        max_nfev=300,
    )  # fmt: skip
    rest = -found.fun
    rss, size, count = float(rest @ rest), rest.size, len(start)
    split = tuple(np.split(rest, problem.splits))
    effective = effective_points(split, size)
    inverse = np.linalg.pinv(found.jac.T @ found.jac)
    covariance = inverse * rss / max(size - count, 1) * size / effective + problem.end_covariance(found.jac, inverse)
    quantile = student(confidence, max(effective - count, 1.0))
    made, weight = parts(found.x)
    components = []
    for k in range(n):
        s, scale = spans[k], R * reference[k] / 1e3
        gradient = np.zeros((2 + s.stop - s.start - 1, count))
        gradient[0, begin:] = [weight[k] * ((j + 1 == k) - weight[j + 1]) for j in range(n - 1)]
        gradient[1, s.start + 1] = scale
        gradient[2, [s.start, s.start + 1]] = 1.0
        for j in range(s.start + 2, s.stop):
            gradient[j - s.start + 1, j] = 1.0
        values = [weight[k], found.x[s.start + 1] * scale, found.x[s.start] + found.x[s.start + 1], *found.x[s][2:]]
        se = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", gradient, covariance, gradient), 0.0))
        labels = [("share", "1"), ("Ea", "kJ/mol"), ("ln_A", "ln(1/s)"), *((p[0], "1") for p in extra[k])]
        components.append(Component(made[k], tuple(
            Parameter(name, float(v), float(e), float(v - quantile * e), float(v + quantile * e), unit)
            for (name, unit), v, e in zip(labels, values, se, strict=True)
        )))  # fmt: skip
    order = np.argsort([dtg_peak(c.A, c.Ea, c.model) for c in components])
    findings += [
        Finding(
            "component_doubtful",
            "warning",
            f"The share of the {c.model.name} component, {c.share:.3f}, is not above zero with {100 * confidence:g} % "
            "confidence; fewer reactions may do.",
            f"{c.model.name} 组分的份额 {c.share:.3f} 与零无显著差别，反应数可能过多。",
            c.share,
        )
        for c in components
        if c["share"].low <= 0
    ]
    return ParallelFit(
        tuple(components[i] for i in order), float(np.sqrt(rss / size)), aicc(rss, size, size, count), size, effective,
        bool(found.status > 0), tuple(findings), problem, split,
    )  # fmt: skip
