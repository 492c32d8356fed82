"""Figures of a kinetic fit: conversion with the model over it, Ea over conversion, residuals, master plots.

A fit is the result of `wastelab.simulate.kinetic_fit.fit_kinetics`; every function returns a figure, without
global state. Words are those of a language where the installed fonts can draw them, else English.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingDataError, UnknownNameError, suggest
from ..i18n import DEFAULT
from ..simulate.kinetic_fit.integrals import model_alpha
from ..simulate.kinetic_fit.master_plots import theory
from ..simulate.kinetic_fit.model_fit import RunPoints
from ..simulate.kinetic_fit.words import method_name, word
from .style import PALETTE, context, drawn, new_figure, pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..simulate.kinetic_fit import Deconvolution, KineticFit, ModelFit

_MARKS = "osD^vP*X"


def kinetic_figure(
    fit: KineticFit, kind: str = "summary", *, model: str | None = None, title: str = "", lang: str = DEFAULT
) -> Figure:
    """One figure of a fit.

    Parameters
    ----------
    fit : KineticFit
    kind : {"summary", "curves", "energies", "residuals", "master"}
        ``"summary"`` holds the other four.
    model : str, optional
        Family whose fit is drawn; the best by default.
    title : str
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels: dict[str, Callable[..., None]] = {
        "curves": _curves, "energies": _energies, "residuals": _residuals, "master": _master,
    }  # fmt: skip
    if kind != "summary" and kind not in panels:
        raise UnknownNameError(f"There is no figure {kind!r}.{suggest(kind, ['summary', *panels])}")
    lang = drawn(lang, word("figure_temperature", lang))
    with context():
        if kind == "summary":
            figure = new_figure(11.5, 8.2)
            for ax, (name, panel) in zip(figure.subplots(2, 2).ravel(), panels.items(), strict=True):
                try:
                    panel(ax, fit, model, lang)
                except MissingDataError as error:
                    ax.axis("off")
                    said = f"{word(f'figure_{name}', lang)}: {error}"
                    ax.text(0.5, 0.5, said, ha="center", va="center", wrap=True, color="#666666")
        else:
            figure = new_figure(6.4, 4.6)
            panels[kind](figure.subplots(), fit, model, lang)
        if title:
            figure.suptitle(pick(title, word("figure_title")))
    return figure


def deconvolution_figure(result: Deconvolution, *, lang: str = DEFAULT) -> Figure:
    """Rate of each run with the peaks it was taken apart into."""
    lang = drawn(lang, word("figure_temperature", lang))
    with context():
        n = len(result.runs)
        columns = min(n, 2)
        rows = -(-n // columns)
        figure = new_figure(5.6 * columns, 3.6 * rows)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for i, run in enumerate(result.runs):
            ax, celsius = axes[i], result.grid_K[i] - 273.15
            ax.plot(celsius, 100 * result.rate[i], color="black", linewidth=1.4, label=word("measured", lang))
            ax.plot(celsius, 100 * result.curve(i), color=PALETTE[3], linewidth=1.2, linestyle="--",
                    label=word("figure_sum", lang))  # fmt: skip
            for k in range(len(result.peaks[i])):
                ax.fill_between(celsius, 100 * result.curve(i, k + 1), alpha=0.3, color=PALETTE[k % len(PALETTE)],
                                label=word("figure_peak", lang, number=k + 1), linewidth=0)  # fmt: skip
            ax.set_title(pick(run.name, word("figure_run", lang, number=i + 1)), fontsize=10)
            ax.set_xlabel(word("figure_temperature", lang))
            ax.set_ylabel(word("figure_rate", lang))
            ax.legend(fontsize=8, frameon=False)
        for ax in axes[n:]:
            ax.axis("off")
    return figure


def _label(chosen: ModelFit) -> str:
    extra = ", ".join(f"{p.name} = {p.value:.3g}" for p in chosen.parameters[2:])
    return chosen.family + (f" ({extra})" if extra else "")


def _curves(ax: Any, fit: KineticFit, model: str | None, lang: str) -> None:
    chosen = fit.fit_of(model) if fit.fits else None
    for i, run in enumerate(fit.conversions):
        colour = PALETTE[i % len(PALETTE)]
        keep = np.unique(np.linspace(0, run.raw_alpha.size - 1, 400).astype(int))
        inside = keep[(run.raw_alpha[keep] > -0.05) & (run.raw_alpha[keep] < 1.05)]
        celsius = run.temperature_at(run.raw_time_s[inside]) - 273.15
        ax.plot(celsius, run.raw_alpha[inside], ".", markersize=3.5, color=colour, alpha=0.55,
                label=f"{60 * run.beta:.3g} K/min")  # fmt: skip
    if chosen is not None:
        for i, run in enumerate(fit.conversions):
            points = RunPoints.of(run, float(fit.alpha[0]), float(fit.alpha[-1]))
            g = chosen.A * points.theta(chosen.Ea, 1e12)
            if chosen.model.closed:
                fitted = model_alpha(chosen.model, g)
            else:
                fitted = model_alpha(chosen.model, g - g[0], float(np.interp(points.time_s[0], run.time_s, run.alpha)))
            label = _label(chosen) if i == 0 else None
            ax.plot(points.temperature_K - 273.15, fitted, color="black", linewidth=1.0, label=label)
    low, high = float(fit.temperature_K.min()) - 273.15, float(fit.temperature_K.max()) - 273.15
    margin = 0.15 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    ax.set_ylim(-0.04, 1.06)
    ax.set_xlabel(word("figure_temperature", lang))
    ax.set_ylabel(word("figure_conversion", lang))
    ax.legend(fontsize=8, frameon=False, loc="upper left")


def _energies(ax: Any, fit: KineticFit, model: str | None, lang: str) -> None:
    if not fit.energies:
        failed = any(w.code == "method_failed" for w in fit.warnings)
        raise MissingDataError(word("figure_method_failed" if failed else "figure_no_energy", lang))
    limits: list[float] = []
    for i, (method, e) in enumerate(fit.energies.items()):
        values, colour = e.Ea / 1e3, PALETTE[i % len(PALETTE)]
        ax.plot(fit.alpha, values, marker=_MARKS[i % len(_MARKS)], markersize=4, linewidth=1.0, color=colour,
                label=method_name(method, lang))  # fmt: skip
        limits += [float(values.min()), float(values.max())]
        if method in ("friedman", "vyazovkin") and np.isfinite(e.low).all():
            ax.fill_between(fit.alpha, e.low / 1e3, e.high / 1e3, color=colour, alpha=0.12, linewidth=0)
    if fit.fits:
        chosen = fit.fit_of(model)
        ax.axhline(chosen["Ea"].value, color="black", linewidth=0.9, linestyle="--",
                   label=word("figure_model", lang, name=_label(chosen)))  # fmt: skip
        limits.append(chosen["Ea"].value)
    middle, half = 0.5 * (min(limits) + max(limits)), 0.5 * (max(limits) - min(limits))
    half = max(1.6 * half, 0.08 * middle)
    ax.set_ylim(middle - half, middle + 1.6 * half)
    ax.set_xlabel(word("figure_conversion", lang))
    ax.set_ylabel(word("figure_energy", lang))
    ax.legend(fontsize=7.5, frameon=False, ncols=2, loc="upper center")


def _residuals(ax: Any, fit: KineticFit, model: str | None, lang: str) -> None:
    if not fit.fits:
        raise MissingDataError(word("figure_no_model", lang))
    chosen = fit.fit_of(model)
    for i, (run, rest) in enumerate(zip(fit.conversions, chosen.residuals, strict=True)):
        points = RunPoints.of(run, float(fit.alpha[0]), float(fit.alpha[-1]))
        ax.plot(points.temperature_K - 273.15, rest, ".-", markersize=3, linewidth=0.6, color=PALETTE[i % len(PALETTE)],
                label=f"{60 * run.beta:.3g} K/min")  # fmt: skip
    ax.axhline(0.0, color="black", linewidth=0.8)
    top = max(float(np.max(np.abs(r))) for r in chosen.residuals)
    ax.set_ylim(-1.15 * max(top, 1e-12), 1.55 * max(top, 1e-12))
    ax.set_xlabel(word("figure_temperature", lang))
    ax.set_ylabel(word("figure_residual", lang, name=_label(chosen)))
    ax.legend(fontsize=8, frameon=False, ncols=4, loc="upper center")


def _master(ax: Any, fit: KineticFit, model: str | None, lang: str) -> None:
    if fit.master is None:
        raise MissingDataError(word("figure_no_master", lang))
    grid = np.linspace(0.02, 0.98, 97)
    near = fit.master.best()[:3]
    for i, name in enumerate(near):
        ax.plot(grid, theory(name, grid)[0], color=PALETTE[(i + 3) % len(PALETTE)], linewidth=1.5, label=name)
    for i, run in enumerate(fit.conversions):
        ax.plot(fit.master.alpha, fit.master.y[i], _MARKS[i % len(_MARKS)], markersize=4, color="black", alpha=0.6,
                markerfacecolor="none", label=f"{60 * run.beta:.3g} K/min")  # fmt: skip
    top = max(float(fit.master.y.max()), 1.0)
    ax.set_ylim(0.0, 1.25 * top)
    ax.set_xlabel(word("figure_conversion", lang))
    ax.set_ylabel("y(α)/y(0.5)")
    ax.legend(fontsize=8, frameon=False, ncols=2, loc="upper right")
