"""`fit_kinetics`: from thermal curves at several heating rates to energies, triplets and what is doubtful of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UnknownNameError, ValidityError, suggest
from ..heating import kelvin
from . import isoconversional as iso
from .checks import Finding, check_energies, check_order, check_rates, check_runs, distinct_rates
from .conversion import Baseline, Conversion, convert
from .curves import Run, read_run
from .dtg import Step, find_steps
from .integrals import gauss_times
from .master_plots import compensation, master_plots
from .model_fit import ALL, Interval, ModelFit, Problem, bootstrap_interval, fit_models, profile_interval
from .result import KineticFit

FloatArray = NDArray[np.float64]

#: Isoconversional methods by their keyword.
METHODS = ("friedman", "ofw", "ofw_corrected", "kas", "kas_corrected", "starink", "vyazovkin", "vyazovkin_incremental")
Window = tuple[str, str]


def fit_kinetics(
    curves: Sequence[Any],
    *,
    signal: str = "auto",
    units: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
    window: Window | Sequence[Window] | None = None,
    step: int | str | None = None,
    baseline: Baseline = "auto",
    smoothing: str | None = None,
    alpha: tuple[float, float, float] | ArrayLike = (0.05, 0.95, 0.05),
    methods: Sequence[str] = METHODS,
    models: Sequence[str] | None = ALL,
    confidence: float = 0.95,
    interval: Interval = "t",
    draws: int = 200,
    seed: int = 0,
    force: bool = False,
) -> KineticFit:
    """Kinetics of one reaction from thermal curves at several heating rates.

    Parameters
    ----------
    curves : sequence
        One entry for each run: Dataset of `wastelab.read` or ``lab.curve(code, "TG")``, DataFrame, mapping of columns,
        ``(time, temperature, mass)``, or a `Conversion`. Three or more heating rates.
    signal : {"auto", "mass", "dsc", "alpha"}
        What to take as the measure of conversion.
    units : mapping, optional
        Of columns that do not carry theirs: ``{"time": "min", "temperature": "degC", "mass": "mg"}``.
    names : sequence of str, optional
    window : (str, str) or one for each curve, optional
        First and last temperature of the step, with unit: ``("550 degC", "850 degC")``.
    step : int or "largest", optional
        Instead of a window: which step of each curve (from 1), found between the minima of its DTG.
    baseline : {"auto", "none", "horizontal", "linear", "tangential"}
        See `convert`.
    smoothing : str, optional
        Width of the Savitzky-Golay window (``"12 K"``, ``"0 K"`` for none); by default by the noise.
    alpha : (first, last, step) or array
        Conversions at which energies are given [-], within 0.005 to 0.995.
    methods : sequence of str
        Of `METHODS`.
    models : sequence of str, optional
        Families for model fitting; None for none.
    confidence : float
    interval : {"t", "profile", "bootstrap"}
        Of the best model's parameters.
    draws, seed : int
        Of the bootstrap.
    force : bool
        Fit models to a single heating rate all the same.

    Returns
    -------
    KineticFit

    Raises
    ------
    ValidityError
        For a single heating rate, runs of different reactions, isothermal runs, a window without a step.
    UnitError, MissingDataError, UnknownNameError
    """
    if isinstance(curves, Mapping) or hasattr(curves, "data_vars") or hasattr(curves, "columns"):
        curves = [curves]
    curves = list(curves)
    if not curves:
        raise ValidityError("There are no curves; give a list of runs at three or more heating rates.")
    for method in methods:
        if method not in METHODS:
            raise UnknownNameError(
                f"There is no method {method!r}.{suggest(method, METHODS)} Known: {', '.join(METHODS)}."
            )
    if interval not in ("t", "profile", "bootstrap"):
        raise ValidityError(f"interval = {interval!r} is unknown; give 't', 'profile' or 'bootstrap'.")
    if names is not None and len(names) != len(curves):
        raise ValidityError(f"names has {len(names)} entries for {len(curves)} curves.")
    iso.student(confidence, 1.0)
    levels = _levels(alpha)
    width = _smoothing(smoothing)
    conversions, findings = _convert_all(curves, signal, units, names, window, step, baseline, width)
    conversions = _named_apart(conversions)
    findings = [*check_rates(conversions, force=force), *check_runs(conversions), *findings]
    times = np.column_stack([c.times_at(levels) for c in conversions])
    temperature = np.column_stack([c.temperature_at(times[:, j]) for j, c in enumerate(conversions)])
    rate = np.column_stack([c.rate_at(times[:, j]) for j, c in enumerate(conversions)])
    beta = np.array([c.beta for c in conversions])
    several = distinct_rates(list(beta)) >= 2
    if several:
        check_order(levels, temperature, conversions)
        spread = float(np.ptp(temperature, axis=1).min())
        if spread < 5.0:
            findings.append(Finding(
                "small_shift", "warning",
                f"The runs reach a conversion within {spread:.1f} K of each other; an error of 1 K in "
                f"temperature then counts "
                "much. Spread the heating rates further.",
                f"各次试验同一转化率的温度仅相差 {spread:.1f} K，1 K 的测温误差影响很大；宜加大升温速率差。"
                f"", spread))  # fmt: skip
    energies = _energies(methods, levels, times, temperature, rate, beta, conversions, confidence) if several else {}
    findings += check_energies(levels, {m: e.Ea for m, e in energies.items()})
    peak = iso.kissinger([c.peak_K for c in conversions], beta, confidence=confidence) if several else None
    low, high = float(levels[0]), float(levels[-1])
    master = line = None
    main = next((m for m in METHODS if m in energies), None)
    if main is not None and float(energies[main].Ea.mean()) > 0 and low < 0.5 < high:
        master = master_plots(levels, temperature, rate, float(energies[main].Ea.mean()))
        line = compensation(conversions, energies[main].Ea, max(low, 0.1), min(high, 0.9))
    fits: list[ModelFit] = []
    failed: dict[str, str] = {}
    if models is not None:
        problem = Problem(conversions, low, high)
        fits, failed = fit_models(problem, list(models), confidence=confidence)
        if interval == "profile":
            fits[0] = profile_interval(problem, fits[0], confidence=confidence)
        elif interval == "bootstrap":
            fits[0] = bootstrap_interval(problem, fits[0], confidence=confidence, draws=draws, seed=seed)
        findings += _model_findings(fits)
    settings = {
        "signal": conversions[0].kind, "baseline": conversions[0].baseline,
        "alpha": f"{low:g} to {high:g}, {levels.size} values",
        "smoothing_K": [round(c.smoothing_K, 2) for c in conversions], "confidence": confidence, "interval": interval,
        "seed": seed, "draws": draws if interval == "bootstrap" else 0, "force": force,
    }  # fmt: skip
    return KineticFit(
        tuple(conversions), levels, temperature, rate, energies, peak, master, line, tuple(fits), failed,
        tuple(findings), settings, confidence,
    )  # fmt: skip


def steps(curve: Any, *, signal: str = "auto", units: Mapping[str, str] | None = None) -> list[Step]:
    """Steps of one thermogravimetric curve by the minima of its DTG; parameters as `fit_kinetics`."""
    return find_steps(read_run(curve, 0, signal=signal, units=units))


def conversions(
    curves: Sequence[Any], *, signal: str = "auto", units: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None, window: Window | Sequence[Window] | None = None, step: int | str | None = None,
    baseline: Baseline = "auto", smoothing: str | None = None,
) -> list[Conversion]:  # fmt: skip
    """Conversion of each curve over time; parameters as `fit_kinetics`."""
    return _convert_all(list(curves), signal, units, names, window, step, baseline, _smoothing(smoothing))[0]


def _levels(alpha: Any) -> FloatArray:
    values = np.asarray(alpha, dtype=np.float64).ravel()
    if isinstance(alpha, tuple) and len(alpha) == 3 and values[2] < values[1]:
        first, last, gap = (float(v) for v in values)
        if not 0 < first < last or gap <= 0:
            raise ValidityError(f"alpha = {alpha}: expected (first, last, step), as (0.05, 0.95, 0.05).")
        values = np.linspace(first, last, round((last - first) / gap) + 1)
    if values.size < 3 or not np.isfinite(values).all() or bool((np.diff(values) <= 0).any()):
        raise ValidityError("alpha: expected (first, last, step) or three or more rising conversions.")
    if values[0] < 0.005 or values[-1] > 0.995:
        raise ValidityError(
            f"alpha from {values[0]:g} to {values[-1]:g}: the ends of a curve are decided by its baseline; stay "
            f"within 0.005 "
            "to 0.995 (ICTAC: 0.05 to 0.95)."
        )
    return values


def _smoothing(text: str | None) -> float | None:
    if text is None:
        return None
    from ...units import parse

    plain = text.strip()
    plain = plain[:-1].rstrip() + " kelvin" if plain.endswith("K") else plain
    width = parse(plain, "kelvin", what="smoothing")
    if not 0.0 <= width <= 200.0:
        raise ValidityError(f"smoothing = {text!r}: expected a width of 0 to 200 K.")
    return width


def _windows(window: Any, n: int) -> list[tuple[float, float] | None]:
    if window is None:
        return [None] * n
    pairs = [window] * n if len(window) == 2 and all(isinstance(w, str) for w in window) else list(window)
    if len(pairs) != n or any(len(p) != 2 for p in pairs):
        raise ValidityError(
            f"window: expected ('550 degC', '850 degC') or one such pair for each of the {n} curves, got {window!r}."
        )
    return [(kelvin(low, "window"), kelvin(high, "window")) for low, high in pairs]


def _convert_all(
    curves: Sequence[Any], signal: str, units: Mapping[str, str] | None, names: Sequence[str] | None, window: Any,
    step: int | str | None, baseline: Baseline, width: float | None,
) -> tuple[list[Conversion], list[Finding]]:  # fmt: skip
    if window is not None and step is not None:
        raise ValidityError("Give window= or step=, not both.")
    windows = _windows(window, len(curves))
    out: list[Conversion] = []
    several: list[str] = []
    for k, curve in enumerate(curves):
        if isinstance(curve, Conversion):
            out.append(curve)
            continue
        run = read_run(curve, k, signal=signal, units=units, name=names[k] if names else None)
        bounds = windows[k]
        if step is not None:
            bounds = _step(run, step)
        elif bounds is None and run.kind != "dsc":
            found = [s for s in find_steps(run) if s.share > 0.05]
            if len(found) > 1:
                where = ", ".join(f"{s.peak_K - 273.15:.0f} degC" for s in found)
                several.append(f"{run.name}: {where}")
        out.append(convert(run, window_K=bounds, baseline=baseline, smoothing_K=width))
    if len({c.kind for c in out}) > 1:
        raise ValidityError(
            f"The curves are of different kinds ({', '.join(f'{c.name}: {c.kind}' for c in out)}); choose one "
            f"with signal=."
        )
    if not several:
        return out, []
    listed = "; ".join(several)
    remark = Finding(
        "several_steps",
        "warning",
        f"The DTG of whole runs has several peaks, fitted here as one step ({listed}). Choose one with step= or "
        f"window=, "
        "or use deconvolve or fit_parallel where they overlap.",
        f"全程 DTG 有多个峰，此处按一步拟合（{listed}）；请用 step= 或 window= 选定。",
        float(len(several)),
    )
    return out, [remark]


def _step(run: Run, step: int | str) -> tuple[float, float]:
    found = find_steps(run)
    listed = ", ".join(f"{i}: {s.low_K - 273.15:.0f}-{s.high_K - 273.15:.0f} degC" for i, s in enumerate(found, 1))
    if step == "largest" and found:
        chosen = max(found, key=lambda s: s.share)
    elif isinstance(step, int) and not isinstance(step, bool) and 1 <= step <= len(found):
        chosen = found[step - 1]
    else:
        raise ValidityError(f"{run.name}: step = {step!r} is not there; found {listed or 'no step'}. Or give window=.")
    return chosen.low_K, chosen.high_K


def _named_apart(conversions: list[Conversion]) -> list[Conversion]:
    """Names made different by the heating rate, then by a number."""
    from dataclasses import replace

    names = [c.name for c in conversions]
    if len(set(names)) < len(names):
        names = [f"{c.name}, {60 * c.beta:.3g} K/min" for c in conversions]
    if len(set(names)) < len(names):
        names = [f"{n} ({k})" for k, n in enumerate(names, 1)]
    return [replace(c, name=n) for c, n in zip(conversions, names, strict=True)]


def _energies(
    methods: Sequence[str], levels: FloatArray, times: FloatArray, temperature: FloatArray, rate: FloatArray,
    beta: FloatArray, conversions: Sequence[Conversion], confidence: float,
) -> dict[str, iso.Energies]:  # fmt: skip
    out: dict[str, iso.Energies] = {}
    for method in methods:
        if method == "friedman":
            out[method] = iso.friedman(temperature, rate, confidence=confidence)
        elif method.startswith("ofw"):
            out[method] = iso.ozawa_flynn_wall(temperature, beta, correct="corrected" in method, confidence=confidence)
        elif method.startswith("kas"):
            out[method] = iso.kissinger_akahira_sunose(
                temperature, beta, correct="corrected" in method, confidence=confidence
            )
        elif method == "starink":
            out[method] = iso.starink(temperature, beta, confidence=confidence)
        elif method == "vyazovkin":
            out[method] = iso.vyazovkin(temperature, beta, confidence=confidence)
        else:
            nodes, weights = _increments(levels, conversions)
            out[method] = iso.vyazovkin_incremental(nodes, weights, confidence=confidence)
    return out


def _increments(levels: FloatArray, conversions: Sequence[Conversion]) -> tuple[FloatArray, FloatArray]:
    """Nodes of the time that each run takes over a step of conversion centred on each level."""
    middle = 0.5 * (levels[1:] + levels[:-1])
    first = max(1.5 * levels[0] - 0.5 * levels[1], 0.5 * levels[0])
    last = min(1.5 * levels[-1] - 0.5 * levels[-2], 0.5 + 0.5 * levels[-1])
    bounds = np.concatenate([[first], middle, [last]])
    nodes, weights = [], []
    for c in conversions:
        t, w = gauss_times(c.times_at(bounds))
        nodes.append(c.temperature_at(t))
        weights.append(w)
    return np.stack(nodes, axis=1), np.stack(weights, axis=1)


def _model_findings(fits: Sequence[ModelFit]) -> list[Finding]:
    out: list[Finding] = []
    best = fits[0]
    rivals = [f.family for f in fits[1:] if f.aicc - best.aicc < 4.0 and f.model.name.split(".")[0] != best.model.name]
    if rivals:
        out.append(Finding(
            "models_alike", "note",
            f"{', '.join(rivals)} describe the runs nearly as well as {best.family} (AICc within 4): these data "
            f"do not choose "
            "between them.",
            f"{'、'.join(rivals)} 与 {best.family} 的拟合几乎同样好（AICc 相差小于 4）：数据不足以区分。"
            f"", float(len(rivals))))  # fmt: skip
    if best.rmse > 0.02:
        out.append(Finding(
            "poor_fit", "warning",
            f"The best model ({best.model.name}) misses the conversion by {best.rmse:.3f} (root mean square); no "
            f"single-step model "
            "describes these runs.",
            f"最佳机理函数（{best.model.name}）的转化率均方根偏差为 {best.rmse:.3f}；单步模型不适用。"
            f"", best.rmse))  # fmt: skip
    if best.effective_points < 0.5 * best.points and best.rmse > 1e-5:
        out.append(Finding(
            "residuals_correlated", "note",
            f"Residuals of neighbouring points go together: {best.points} points count as "
            f"{best.effective_points:.0f}, and the "
            "intervals are widened accordingly. Look at the residual plot.",
            f"相邻点残差相关：{best.points} 个点仅相当于 {best.effective_points:.0f} 个，置信区间已相应加宽。",
            best.effective_points))  # fmt: skip
    if best.at_bound:
        listed = ", ".join(best.at_bound)
        out.append(
            Finding(
                "at_bound",
                "severe",
                f"{listed} of {best.model.name} stopped at the edge of what is looked for; the value has no "
                f"meaning, and the "
                "model does not describe these runs.",
                f"{best.model.name} 的 {listed} 停在搜索范围边界，其值无意义，该机理函数不适用。",
                float(len(best.at_bound)),
            )
        )
    if not best.converged:
        out.append(Finding(
            "not_converged", "severe", f"The fit of {best.model.name} did not converge.",
            f"{best.model.name} "
            f"拟合未收敛。"))  # fmt: skip
    return out
