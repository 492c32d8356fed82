"""Figures of a property model: predicted against measured, residuals, learning curve, coverage of its intervals.

Every function takes a result or a plain table and returns a figure, without global state. Words are those of a
language where the installed fonts can draw them, else English. Figures of effects are in `property_effects` and can
be had from here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from ..i18n import DEFAULT
from .property_effects import age_figure, dependence_figure, importance_figure, shap_figure
from .property_words import BLUE, GREEN, GREY, ORANGE, PROTOCOLS, RED, age_axis, language, needs, number_axis, word
from .style import context, new_figure, pick

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..models.residuals import Residuals

__all__ = [
    "age_figure",
    "coverage_figure",
    "dependence_figure",
    "importance_figure",
    "learning_figure",
    "predicted_figure",
    "residual_figure",
    "shap_figure",
]


def predicted_figure(
    predictions: Mapping[str, pd.DataFrame], *, unit: str = "", title: str = "", level: float = 0.9, lang: str = DEFAULT
) -> Figure:
    """Predicted against measured, one panel for each way of splitting, with the interval of each test.

    Parameters
    ----------
    predictions : mapping of str to pandas.DataFrame
        By "mix", "source", "time", "row" or another name: columns ``observed`` and ``mean``, and ``lower`` and
        ``upper`` where there are intervals. Rows that were not tested (NaN) are left out.
    unit, title : str
    level : float
        Of the intervals.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ModelError
        If there is no table or one lacks a column.
    """
    if not predictions:
        raise ModelError("There are no predictions to draw; expected one table for each way of splitting.")
    lang = language(lang)
    with context():
        figure = new_figure(4.6 * len(predictions) + 0.4, 4.7)
        axes = figure.subplots(1, len(predictions), squeeze=False, sharex=True, sharey=True)[0]
        ends: list[float] = []
        for ax, (name, table) in zip(axes, predictions.items(), strict=True):
            needs(table, ("observed", "mean"), "predictions")
            table = table.dropna(subset=["mean"])
            y, p = table["observed"].to_numpy(float), table["mean"].to_numpy(float)
            if {"lower", "upper"} <= set(table.columns) and table["lower"].notna().any():
                low, high = table["lower"].to_numpy(float), table["upper"].to_numpy(float)
                out = (y < low) | (y > high)
                thin = max(0.08, min(0.4, 60.0 / len(y)))
                for at, colour in ((~out, BLUE), (out, RED)):
                    ax.vlines(y[at], low[at], high[at], color=colour, alpha=thin, linewidth=0.8)
                    ax.plot(y[at], p[at], ".", color=colour, markersize=4.5, alpha=0.75, markeredgewidth=0)
                ax.plot([], [], color=BLUE, alpha=0.5, label=word("interval", lang, level=round(100 * level)))
                ax.legend(fontsize=8, frameon=False, loc="lower right")
                said = f"\n{word('coverage', lang)}: {100 * np.mean(~out[np.isfinite(low)]):.0f} %"
            else:
                ax.plot(y, p, ".", color=BLUE, markersize=4.5, alpha=0.6, markeredgewidth=0)
                said = ""
            rmse, mae = float(np.sqrt(np.mean((y - p) ** 2))), float(np.mean(np.abs(y - p)))
            ax.text(0.04, 0.96, f"RMSE {rmse:.2f} {unit}\nMAE {mae:.2f} {unit}{said}", transform=ax.transAxes, va="top",
                    fontsize=9)  # fmt: skip
            ax.set_title(word(PROTOCOLS[name], lang) if name in PROTOCOLS else pick(name, "?"), fontsize=10)
            ax.set_xlabel(f"{word('measured', lang)} ({unit})" if unit else word("measured", lang))
            ends += [float(min(y.min(), p.min())), float(max(y.max(), p.max()))]
        low_end, high_end = min(ends), max(ends)
        pad = 0.05 * (high_end - low_end or 1.0)
        for ax in axes:
            ax.plot([low_end - pad, high_end + pad], [low_end - pad, high_end + pad], color="black", linewidth=0.8)
            ax.set_xlim(low_end - pad, high_end + pad)
            ax.set_ylim(low_end - pad, high_end + 4 * pad)
        axes[0].set_ylabel(f"{word('predicted', lang)} ({unit})" if unit else word("predicted", lang))
        if title:
            figure.suptitle(pick(title, "?"))
    return figure


def residual_figure(residuals: Residuals, *, lang: str = DEFAULT) -> Figure:
    """Four panels: residual over prediction, over age (or by source), its spread, and against a normal distribution.

    Parameters
    ----------
    residuals : Residuals
        Of `wastelab.models.residuals.residual_diagnostics`.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    from scipy.stats import norm

    lang = language(lang)
    t, unit = residuals.table, residuals.unit
    p, r, z = (t[c].to_numpy(float) for c in ("predicted", "residual", "standardised"))
    with context():
        figure = new_figure(10.4, 7.6)
        (a, b), (c, d) = figure.subplots(2, 2)
        for ax, x, y, name in ((a, p, r, "residual"), (c, p, np.abs(r), "spread")):
            ax.plot(x, y, ".", color=BLUE, markersize=4, alpha=0.5, markeredgewidth=0)
            _running(ax, x, y, lang)
            ax.set_xlabel(f"{word('predicted', lang)} ({unit})")
            ax.set_ylabel(f"{word(name, lang)} ({unit})")
        a.axhline(0.0, color="black", linewidth=0.8)
        sd = residuals.noise.noise
        if np.isfinite(sd):
            a.axhspan(-2 * sd, 2 * sd, color=GREEN, alpha=0.13, linewidth=0, label=f"± 2 s, {word('noise', lang)}")
        a.legend(fontsize=8, frameon=False, loc="upper left")
        age = t["age"].to_numpy(float)
        sources = residuals.groups[residuals.groups["by"] == "source"]
        if len(sources) > 1:
            _source_panel(b, sources, unit, lang)
        elif np.isfinite(age).any() and len(np.unique(age)) > 1:
            b.plot(age * np.exp(np.random.default_rng(0).uniform(-0.05, 0.05, len(age))), r, ".", color=BLUE,
                   markersize=4, alpha=0.5, markeredgewidth=0)  # fmt: skip
            age_axis(b, age)
            _running(b, age, r, lang)
            b.axhline(0.0, color="black", linewidth=0.8)
            b.set_xlabel(word("age", lang))
            b.set_ylabel(f"{word('residual', lang)} ({unit})")
        else:
            b.axis("off")
        order = np.sort(z)
        theory = norm.ppf((np.arange(len(z)) + 0.5) / len(z))
        d.plot(theory, order, ".", color=BLUE, markersize=4, markeredgewidth=0)
        d.plot(theory[[0, -1]], theory[[0, -1]], color="black", linewidth=0.8)
        d.set_xlabel(word("normal", lang))
        d.set_ylabel(word("standardised", lang))
    return figure


def learning_figure(
    table: pd.DataFrame, *, unit: str = "", by: str = "mix", noise: float | None = None, lang: str = DEFAULT
) -> Figure:
    """Error on held-out groups against the number of groups fitted to.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``size``, ``RMSE``, ``RMSE_se``, and ``mean_RMSE`` (of predicting the mean) where known.
    unit : str
    by : {"mix", "source"}
    noise : float, optional
        Scatter of repeated tests, drawn as the floor.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    needs(table, ("size", "RMSE", "RMSE_se"), "the learning curve")
    lang = language(lang)
    unit = unit or str(table.attrs.get("unit", ""))
    with context():
        figure = new_figure(6.2, 4.3)
        ax = figure.subplots()
        x = table["size"].to_numpy(float)
        ax.errorbar(
            x, table["RMSE"], yerr=table["RMSE_se"], color=BLUE, marker="o", capsize=3, label=word("model", lang)
        )
        if "mean_RMSE" in table:
            ax.plot(
                x,
                table["mean_RMSE"],
                color=GREY,
                marker="s",
                markersize=4,
                linestyle="--",
                label=word("trivial", lang),
            )
        if noise is not None and np.isfinite(noise):
            ax.axhline(noise, color=GREEN, linewidth=1.3, linestyle=":", label=word("noise", lang))
        number_axis(ax, x)
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel(word("sources" if by == "source" else "mixes", lang))
        ax.set_ylabel(f"RMSE ({unit})" if unit else "RMSE")
        ax.legend(fontsize=8, frameon=False)
    return figure


def coverage_figure(table: pd.DataFrame, *, level: float = 0.9, unit: str = "", lang: str = DEFAULT) -> Figure:
    """Share of tests inside their interval by group, with the range that chance allows, and the mean width.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``group``, ``n`` (tests), ``coverage``, and ``width`` where known.
    level : float
        Asked for.
    unit : str
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Whiskers are Wilson's interval (95 %) of a share of n independent tests; tests of one mix are not, so that chance
    allows somewhat more.
    """
    needs(table, ("group", "n", "coverage"), "coverage")
    lang = language(lang)
    n, share = table["n"].to_numpy(float), table["coverage"].to_numpy(float)
    z = 1.96
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    with context():
        figure = new_figure(max(5.0, 0.85 * len(table) + 1.6), 4.3)
        ax = figure.subplots()
        x = np.arange(len(table))
        low = centre + half < level
        for at, colour in ((~low, BLUE), (low, RED)):
            if at.any():
                error = np.maximum(np.vstack([share - centre + half, centre + half - share])[:, at], 0.0)
                ax.errorbar(x[at], 100 * share[at], yerr=100 * error, fmt="o", color=colour, capsize=3)
        ax.axhline(
            100 * level,
            color="black",
            linewidth=0.9,
            linestyle="--",
            label=f"{word('asked', lang)}: {100 * level:g} %",
        )
        bottom = min(100 * float(np.min(centre - half)) - 8, 100 * level - 15)
        ax.set_ylim(max(bottom, 0), 102)
        if "width" in table:
            for i, w in enumerate(table["width"].to_numpy(float)):
                if np.isfinite(w):
                    at = (i, ax.get_ylim()[0])
                    ax.annotate(f"{w:.1f} {unit}".strip(), at, xytext=(0, 4), fontsize=8, ha="center",
                                textcoords="offset points", color="#555555")  # fmt: skip
        ax.set_xticks(
            x, [f"{pick(str(g), '?')}\n(n = {int(k)})" for g, k in zip(table["group"], n, strict=True)], fontsize=8
        )
        ax.set_xlim(-0.6, len(table) - 0.4)
        ax.set_ylabel(f"{word('coverage', lang)} (%)")
        ax.grid(False, axis="x")
        ax.legend(fontsize=8, frameon=False, loc="upper right", bbox_to_anchor=(1.0, 1.1))
    return figure


def _running(ax: Any, x: Any, y: Any, lang: str) -> None:
    """Mean of y in bins of equal numbers of rows."""
    if len(x) < 30 or np.ptp(x) == 0:
        return
    edges = np.unique(np.quantile(x, np.linspace(0, 1, min(12, len(x) // 15) + 1)))
    if len(edges) < 3:
        return
    code = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    some = [k for k in range(len(edges) - 1) if np.sum(code == k) >= 5]
    ax.plot([np.median(x[code == k]) for k in some], [np.mean(y[code == k]) for k in some], color=ORANGE, linewidth=2.0,
            marker="o", markersize=3.5, label=word("running", lang))  # fmt: skip


def _source_panel(ax: Any, sources: pd.DataFrame, unit: str, lang: str) -> None:
    table = sources.sort_values("bias", kind="stable")
    if len(table) > 24:  # the ends are what matters
        table = table.iloc[[*range(12), *range(len(table) - 12, len(table))]]
    where = np.arange(len(table))
    ax.errorbar(table["bias"], where, xerr=2 * table["se"].fillna(0.0), fmt="o", color=BLUE, markersize=4, capsize=2)
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_yticks(where, [pick(str(g), f"#{i + 1}") for i, g in enumerate(table["group"])], fontsize=7)
    ax.set_xlabel(f"{word('source', lang)} ± 2 s ({unit})")
