"""Figures of what a property model does with its columns: importance, dependence, course with age, Shapley values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingDataError
from ..i18n import DEFAULT
from .property_words import BLUE, GREY, ORANGE, RED, age_axis, axis_name, language, needs, short_name, word
from .style import PALETTE, context, new_figure, pick

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..models.dependence import Dependence
    from ..models.importance import Importance
    from ..models.shapley import Shapley


def importance_figure(importance: Importance, *, top: int = 20, lang: str = DEFAULT) -> Figure:
    """Bars of the rise of the error with the interval over folds; columns of a group also alone, in grey.

    Parameters
    ----------
    importance : Importance
    top : int
        Most rows.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    lang = language(lang)
    table = importance.table.head(top).iloc[::-1]
    with context():
        figure = new_figure(7.4, 0.36 * len(table) + 1.3)
        ax = figure.subplots()
        where = np.arange(len(table))
        member = (table["kind"] == "member").to_numpy()
        rise = table["rise"].to_numpy(float)
        error = np.abs(np.vstack([rise - np.minimum(table["lower"].to_numpy(float), rise),
                                  np.maximum(table["upper"].to_numpy(float), rise) - rise]))  # fmt: skip
        for at, colour, label in ((~member, BLUE, None), (member, "#B8B8B8", word("alone", lang))):
            if at.any():
                ax.barh(where[at], rise[at], xerr=error[:, at], color=colour, height=0.68, label=label,
                        error_kw={"linewidth": 1.0, "capsize": 2.5})  # fmt: skip
        ax.set_yticks(where, [short_name(n) for n in table["name"]])
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.grid(False, axis="y")
        ax.set_xlabel(word("rise", lang, score=importance.score.upper(), unit=importance.unit))
        if member.any():
            ax.legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def dependence_figure(result: Dependence, *, name: str = "", lang: str = DEFAULT) -> Figure:
    """Partial dependence with the curves of single mixes and intervals; of two columns a map, white outside the domain.

    Parameters
    ----------
    result : Dependence
    name : str
        Of the property, for the axis.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    lang = language(lang)
    said = pick(name, "") or word("predicted", lang)
    axis = f"{said} ({result.unit})" if result.unit else said
    with context():
        if len(result.columns) == 2:
            return _map(result, axis, lang)
        figure = new_figure(6.4, 4.7)
        ax = figure.subplots()
        t, column = result.table, result.columns[0]
        raw = t[column]
        text = raw.dtype != np.float64
        x = np.arange(len(t), dtype=float) if text else raw.to_numpy(float)
        shown = np.random.default_rng(0).permutation(len(result.curves))[:60]
        for row in np.sort(shown):
            ax.plot(
                x, result.curves[row], color=GREY, alpha=0.25, linewidth=0.7, marker="." if text else "", markersize=3
            )
        ax.plot([], [], color=GREY, alpha=0.7, linewidth=1.0, label=word("single", lang))
        percent = round(100 * result.level)
        if t["band_lower"].notna().any():
            ax.fill_between(x, t["band_lower"], t["band_upper"], color=ORANGE, alpha=0.15, linewidth=0,
                            label=word("test_band", lang))  # fmt: skip
        if t["lower"].notna().any():
            ax.fill_between(x, t["lower"], t["upper"], color=BLUE, alpha=0.25, linewidth=0,
                            label=word("effect", lang, level=percent))  # fmt: skip
        ax.plot(x, t["mean"], color=BLUE, linewidth=2.0, marker="o" if text else "", label=word("mean", lang))
        if text:
            ax.set_xticks(x, [pick(str(v), "?") for v in raw])
        elif (raw > 0).all() and raw.max() / raw.min() > 30:
            age_axis(ax, raw.to_numpy(float))
        label = axis_name(column, result.units)
        if result.replaced:
            label = word("at_cost", lang, column=label, other=axis_name(result.replaced, {result.replaced: ""}))
        ax.set_xlabel(label)
        ax.set_ylabel(axis)
        ax.legend(fontsize=8, frameon=False, loc="best")
    return figure


def age_figure(
    curves: pd.DataFrame,
    tests: pd.DataFrame | None = None,
    *,
    unit: str = "",
    name: str = "",
    level: float = 0.9,
    lang: str = DEFAULT,
) -> Figure:
    """Courses with age of some mixes with their interval, and the tests of these mixes.

    Parameters
    ----------
    curves : pandas.DataFrame
        Of `wastelab.models.dependence.age_curves`; dashed outside the domain.
    tests : pandas.DataFrame, optional
        Columns ``mix`` (as in `curves`), ``age`` [d] and ``measured``.
    unit, name : str
    level : float
        Of the intervals.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    needs(curves, ("mix", "age", "mean", "lower", "upper", "in_domain"), "curves")
    lang = language(lang)
    unit = unit or curves.attrs.get("units", {}).get("mean", "")
    with context():
        figure = new_figure(6.8, 4.7)
        ax = figure.subplots()
        for i, (mix, part) in enumerate(curves.groupby("mix", sort=False)):
            colour = PALETTE[i % len(PALETTE)]
            age, inside = part["age"].to_numpy(float), part["in_domain"].to_numpy(bool)
            mean = part["mean"].to_numpy(float)
            if part["lower"].notna().any():
                ax.fill_between(age, part["lower"], part["upper"], color=colour, alpha=0.15, linewidth=0)
            if (~inside).any():
                ax.plot(age, mean, color=colour, linewidth=1.2, linestyle="--")
            ax.plot(age, np.where(inside, mean, np.nan), color=colour, linewidth=1.8)
            ax.plot(
                [],
                [],
                color=colour,
                linewidth=1.8,
                linestyle="-" if inside.any() else "--",
                label=pick(str(mix), f"#{i + 1}"),
            )
            if tests is not None:
                own = tests[tests["mix"] == mix]
                ax.plot(own["age"], own["measured"], "o", color=colour, markersize=5, markeredgecolor="white",
                        markeredgewidth=0.7)  # fmt: skip
        age_axis(ax, curves["age"].to_numpy(float))
        if curves["lower"].notna().any():
            ax.fill_between([], [], color=GREY, alpha=0.25, label=word("interval", lang, level=round(100 * level)))
        if tests is not None:
            ax.plot([], [], "o", color=GREY, label=word("measured", lang))
        if not curves["in_domain"].all():
            ax.plot([], [], "--", color=GREY, label=word("outside", lang))
        ax.set_xlabel(word("age", lang))
        said = pick(name, "") or word("predicted", lang)
        ax.set_ylabel(f"{said} ({unit})" if unit else said)
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
        ax.legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def shap_figure(result: Shapley, *, top: int = 12, lang: str = DEFAULT) -> Figure:
    """Contribution of each column to each prediction, coloured by the value of the column.

    Parameters
    ----------
    result : Shapley
    top : int
        Most columns.
    lang : {"en", "zh"}

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.colors import LinearSegmentedColormap

    lang = language(lang)
    names = list(result.summary()["name"].head(top))[::-1]
    colours = LinearSegmentedColormap.from_list("low_high", [PALETTE[5], BLUE, PALETTE[8], RED])
    rng = np.random.default_rng(0)
    with context():
        figure = new_figure(7.4, 0.42 * len(names) + 1.5)
        ax = figure.subplots()
        for i, name in enumerate(names):
            v = result.values[name].to_numpy(float)
            x = result.features[name]
            value = x.to_numpy(float) if x.dtype == np.float64 else x.astype("category").cat.codes.to_numpy(float)
            rank = np.full(len(v), np.nan)
            there = np.isfinite(value)
            spread = np.ptp(value[there]) if there.any() else 0.0
            if there.any():
                rank[there] = (value[there] - value[there].min()) / spread if spread > 0 else 0.5
            lift = rng.uniform(-0.22, 0.22, len(v))
            ax.scatter(v[~there], i + lift[~there], s=12, color="#BBBBBB", linewidths=0)
            last = ax.scatter(
                v[there], i + lift[there], s=14, c=rank[there], cmap=colours, vmin=0, vmax=1, linewidths=0
            )
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.set_yticks(np.arange(len(names)), [short_name(n) for n in names])
        ax.set_ylim(-0.6, len(names) - 0.4)
        ax.set_xlabel(word("contribution", lang, unit=result.unit))
        bar = figure.colorbar(last, ax=ax, ticks=[0, 1], aspect=30, pad=0.02)
        bar.ax.set_yticklabels([word("low", lang), word("high", lang)])
        bar.set_label(word("value", lang), labelpad=-10)
        bar.outline.set_visible(False)
    return figure


def _map(result: Dependence, axis: str, lang: str) -> Figure:
    a, b = result.columns
    t = result.table
    if t[a].dtype != np.float64 or t[b].dtype != np.float64:
        raise MissingDataError("A map wants two number columns; draw a text column alone.")
    x, y = np.unique(t[a].to_numpy(float)), np.unique(t[b].to_numpy(float))
    z = t["mean"].to_numpy(float).reshape(len(x), len(y)).T
    figure = new_figure(6.6, 4.9)
    ax = figure.subplots()
    ax.grid(False)
    ax.set_facecolor("#F2F2F2")
    mesh = ax.pcolormesh(x, y, np.ma.masked_invalid(z), cmap="viridis", shading="nearest")
    known = np.isfinite(z)
    if known.sum() > 8 and min(z.shape) > 2:
        lines = ax.contour(x, y, np.ma.masked_invalid(z), colors="white", linewidths=0.8)
        ax.clabel(lines, fontsize=8)
    for values, set_scale, setter in ((x, "x", age_axis), (y, "y", None)):
        if setter is not None and values.min() > 0 and values.max() / values.min() > 30 and set_scale == "x":
            setter(ax, values)
    if not known.all():
        ax.plot([], [], "s", color="#F2F2F2", markeredgecolor="#BBBBBB", label=word("outside", lang))
        ax.legend(fontsize=8, frameon=True, loc="upper right")
    label = axis_name(a, result.units)
    ax.set_xlabel(
        word("at_cost", lang, column=label, other=axis_name(result.replaced, {result.replaced: ""}))
        if result.replaced
        else label
    )
    ax.set_ylabel(axis_name(b, result.units))
    figure.colorbar(mesh, ax=ax, label=axis)
    return figure
