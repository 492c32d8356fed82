"""`fit_kinetics`: from thermal curves at several heating rates to energies, triplets and what is doubtful of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UnknownNameError, ValidityError, suggest
from ..heating import kelvin
from . import isoconversional as iso
from .checks import Finding, check_order, check_rates, check_runs, check_shift, distinct_rates
from .conversion import Baseline, Conversion, convert
from .curves import Run, as_list, read_run
from .dtg import Step, find_steps
from .energy_checks import check_energies, check_gas
from .intervals import bootstrap_interval, profile_interval
from .master_plots import compensation, master_plots
from .methods import METHODS, all_energies, peak_energy
from .model_checks import check_models
from .model_fit import ALL, Interval, ModelFit, Problem, fit_models
from .result import KineticFit
from .selection import rank

FloatArray = NDArray[np.float64]

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
    curves = as_list(curves)
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
    energies: dict[str, iso.Energies] = {}
    peak = None
    if several:
        findings += [
            *check_order(levels, temperature, rate, conversions), *check_shift(levels, temperature, conversions),
        ]  # fmt: skip
        energies, said = all_energies(methods, levels, temperature, rate, beta, conversions, confidence)
        peak = peak_energy(conversions, confidence)
        held = check_gas(levels, temperature, energies)
        findings += [*said, *(held or check_energies(levels, temperature, rate, energies, conversions))]
    low, high = float(levels[0]), float(levels[-1])
    master = line = None
    main = next((m for m in METHODS if m in energies), None)
    if main is not None and float(energies[main].Ea.mean()) > 0 and low < 0.5 < high:
        master = master_plots(levels, temperature, rate, float(energies[main].Ea.mean()))
        line = compensation(conversions, energies[main].Ea, max(low, 0.1), min(high, 0.9))
    fits: list[ModelFit] = []
    failed: dict[str, str] = {}
    if models is not None:
        fits, failed, said = _models(conversions, low, high, list(models), interval, confidence, draws, seed)
        if not fits and not energies:
            raise ValidityError(said[0].text)
        findings += said
    settings = {
        "signal": conversions[0].kind, "baseline": conversions[0].baseline,
        "alpha": f"{low:g}-{high:g} ({levels.size})",
        "smoothing_K": [round(c.smoothing_K, 2) for c in conversions], "confidence": confidence, "interval": interval,
        "seed": seed, "draws": draws if interval == "bootstrap" else 0, "force": force,
    }  # fmt: skip
    return KineticFit(
        tuple(conversions), levels, temperature, rate, energies, peak, master, line, tuple(fits), failed,
        tuple(findings), settings, confidence,
    )  # fmt: skip


def _models(
    conversions: list[Conversion], low: float, high: float, families: list[str], interval: Interval, confidence: float,
    draws: int, seed: int,
) -> tuple[list[ModelFit], dict[str, str], list[Finding]]:  # fmt: skip
    """Fits, preferred first, those that failed, and what is to be said of them."""
    fits: list[ModelFit] = []
    failed: dict[str, str] = {}
    try:
        problem = Problem(conversions, low, high)
        fits, failed = fit_models(problem, families, confidence=confidence)
    except ValidityError as error:
        failed = dict.fromkeys(families, str(error))
    if not fits:
        why = "; ".join(dict.fromkeys(failed.values()))
        return [], failed, [Finding("no_model", "severe", f"No model could be fitted: {why}",
                                    f"没有机理函数可以拟合:{why}")]  # fmt: skip
    fits = rank(problem, fits)
    said = check_models(fits, conversions)
    try:
        if interval == "profile":
            fits[0] = profile_interval(problem, fits[0], confidence=confidence)
        elif interval == "bootstrap":
            fits[0] = bootstrap_interval(problem, fits[0], confidence=confidence, draws=draws, seed=seed)
    except ValidityError as error:
        said.append(Finding(
            "interval_failed", "warning", f"{error} The interval given is that of Student's t.",
            f"{fits[0].model.name} 的 {interval} 区间未能求得,所给为 t 分布区间。"))  # fmt: skip
    return fits, failed, said


def steps(curve: Any, *, signal: str = "auto", units: Mapping[str, str] | None = None) -> list[Step]:
    """Steps of one thermogravimetric curve by the minima of its DTG; parameters as `fit_kinetics`."""
    return find_steps(read_run(curve, 0, signal=signal, units=units))


def conversions(
    curves: Sequence[Any], *, signal: str = "auto", units: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None, window: Window | Sequence[Window] | None = None, step: int | str | None = None,
    baseline: Baseline = "auto", smoothing: str | None = None,
) -> list[Conversion]:  # fmt: skip
    """Conversion of each curve over time; parameters as `fit_kinetics`."""
    return _convert_all(as_list(curves), signal, units, names, window, step, baseline, _smoothing(smoothing))[0]


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
