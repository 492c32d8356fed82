"""Pareto sets: every pair of objectives as a scatter, with the mixes one would look at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import PALETTE, context, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def pareto_scatter(
    table: pd.DataFrame,
    objectives: Mapping[str, str],
    *,
    short: pd.DataFrame | None = None,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Scatter of a Pareto set.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per mix, one column per objective.
    objectives : mapping of str to {"min", "max"}
    short : pandas.DataFrame, optional
        Mixes to mark; the index names them.
    labels : mapping of str to str, optional
        Axis labels with units.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for two objectives, one per pair for more, a strip for one.
    """
    names = list(objectives)
    text = {n: (labels or {}).get(n, n) for n in names}
    with context():
        if len(names) == 1:
            return _strip(table, names[0], text[names[0]], short)
        pairs = [(i, j) for j in range(1, len(names)) for i in range(j)]
        columns = min(3, len(pairs))
        rows = -(-len(pairs) // columns)
        figure = new_figure(max(5.4 * columns, 6.5), 4.4 * rows + 0.6)
        axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for ax in axes[len(pairs) :]:
            ax.set_visible(False)
        colour = names[2] if len(names) > 2 else None
        for ax, (i, j) in zip(axes, pairs, strict=False):
            third = next((n for k, n in enumerate(names) if k not in (i, j)), None) if colour else None
            _panel(figure, ax, table, names[i], names[j], objectives, text, third, short)
        _legend(figure, short)
        return figure


def _panel(
    figure: Figure,
    ax: Any,
    table: pd.DataFrame,
    x: str,
    y: str,
    objectives: Mapping[str, str],
    text: Mapping[str, str],
    third: str | None,
    short: pd.DataFrame | None,
) -> None:
    size = float(np.clip(4000 / max(len(table), 1), 6, 40))
    drawn = ax.scatter(
        table[x], table[y], s=size, c=table[third] if third else PALETTE[0], cmap="viridis", alpha=0.85, linewidths=0,
        rasterized=len(table) > 5000,
    )  # fmt: skip
    if third and len(table):
        figure.colorbar(drawn, ax=ax, label=text[third], shrink=0.9)
    if short is not None:
        for k, (_, row) in enumerate(short.iterrows()):
            ax.scatter(
                row[x], row[y], s=90, facecolors="none", edgecolors=_mark_colour(k), linewidths=2.0,
                marker=_MARKS[k % len(_MARKS)], zorder=3,
            )  # fmt: skip
    ax.set_xlabel(_better(text[x], objectives[x], horizontal=True))
    ax.set_ylabel(_better(text[y], objectives[y], horizontal=False))


_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def _mark_colour(k: int) -> str:
    return ("#D55E00", "#000000", "#CC79A7", "#0072B2", "#009E73", "#E69F00", "#7F7F7F", "#4B3B8F")[k % 8]


def _better(label: str, direction: str, *, horizontal: bool) -> str:
    if horizontal:
        return f"← {label}" if direction == "min" else f"{label} →"
    return f"{label} ↓" if direction == "min" else f"{label} ↑"


def _legend(figure: Figure, short: pd.DataFrame | None) -> None:
    if short is None or not len(short):
        return
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="none", marker=_MARKS[k % len(_MARKS)], markerfacecolor="none",
               markeredgecolor=_mark_colour(k), markeredgewidth=2, markersize=9, label=str(name))
        for k, name in enumerate(short.index)
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)), frameon=False)


def _strip(table: pd.DataFrame, name: str, label: str, short: pd.DataFrame | None) -> Figure:
    figure = new_figure(7.0, 2.4)
    ax = figure.subplots()
    ax.scatter(table[name], np.zeros(len(table)), s=20, color=PALETTE[0], alpha=0.6)
    if short is not None:
        for k, (_, row) in enumerate(short.iterrows()):
            ax.scatter(row[name], 0, s=90, facecolors="none", edgecolors=_mark_colour(k), linewidths=2,
                       marker=_MARKS[k % len(_MARKS)])  # fmt: skip
        _legend(figure, short)
    ax.set_yticks([])
    ax.set_xlabel(label)
    return figure
