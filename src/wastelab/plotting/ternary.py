"""Ternary diagrams: where in a three-part composition the feasible mixes lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pareto import _MARKS, _legend, _mark_colour
from .style import PALETTE, context, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_HEIGHT = np.sqrt(3.0) / 2.0


def project(parts: ArrayLike) -> NDArray[np.float64]:
    """Plane coordinates of three-part compositions: corner 1 left, 2 right, 3 top.

    Parameters
    ----------
    parts : array_like, shape (n, 3)
        Parts of any sum > 0; normalised here.

    Returns
    -------
    ndarray, shape (n, 2)
    """
    p = np.atleast_2d(np.asarray(parts, dtype=np.float64))
    p = p / p.sum(axis=1, keepdims=True)
    return np.column_stack([p[:, 1] + 0.5 * p[:, 2], _HEIGHT * p[:, 2]])


def choose_axes(fractions: ArrayLike, names: Sequence[str]) -> list[int]:
    """Indices of the three materials that vary most (then: are largest) in a set of mixes."""
    x = np.atleast_2d(np.asarray(fractions, dtype=np.float64))
    if len(x) == 0:
        return list(range(min(3, len(names))))
    key = [(-float(np.ptp(x[:, i])), -float(x[:, i].mean()), i) for i in range(len(names))]
    return sorted(i for _, _, i in sorted(key)[:3])


def ternary(
    fractions: ArrayLike,
    names: Sequence[str],
    *,
    short: pd.DataFrame | None = None,
    pareto: ArrayLike | None = None,
    title: str = "",
    subtitle: str = "",
    feasible_label: str = "feasible",
    pareto_label: str = "Pareto",
) -> Figure:
    """Ternary of the feasible region.

    Parameters
    ----------
    fractions : array_like, shape (n, 3)
        Feasible mixes, the three parts drawn.
    names : sequence of str, length 3
        Corner names.
    short : pandas.DataFrame, optional
        Mixes to mark: its first three columns are the parts, its index the names.
    pareto : array_like, shape (k, 3), optional
        Pareto mixes.
    title, subtitle, feasible_label, pareto_label : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    with context():
        figure = new_figure(7.2, 6.9)
        ax = figure.subplots()
        ax.set_aspect("equal")
        ax.axis("off")
        ax.set_xlim(-0.14, 1.14)
        ax.set_ylim(-0.13, 1.0)
        corners = project(np.eye(3))
        ax.plot(*np.vstack([corners, corners[:1]]).T, color="black", linewidth=1.2)
        for k in range(1, 5):
            t = 0.2 * k
            for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                start, end = np.zeros(3), np.zeros(3)
                start[a], start[b] = t, 1 - t
                end[a], end[c] = t, 1 - t
                ax.plot(*project([start, end]).T, color="#BBBBBB", linewidth=0.6, zorder=0)
            for a, (b, dx, dy, ha) in {
                0: (1, 0.0, -0.035, "center"), 1: (2, 0.02, 0.0, "left"), 2: (0, -0.02, 0.0, "right"),
            }.items():  # fmt: skip
                at = np.zeros(3)
                at[a], at[b] = t, 1 - t
                x, y = project(at)[0]
                ax.text(x + dx, y + dy, f"{100 * t:.0f}", fontsize=8, ha=ha, va="center", color="#666666")
        data = np.atleast_2d(np.asarray(fractions, dtype=np.float64)).reshape(-1, 3)
        data = data[data.sum(axis=1) > 0]
        if len(data):
            size = float(np.clip(20000 / len(data), 3, 30))
            xy = project(data)
            ax.scatter(xy[:, 0], xy[:, 1], s=size, color=PALETTE[5], alpha=0.35, linewidths=0, label=feasible_label)
        if pareto is not None and len(np.atleast_2d(pareto)) and np.size(pareto):
            front = np.atleast_2d(np.asarray(pareto, dtype=np.float64))
            front = front[front.sum(axis=1) > 0]
            ax.scatter(
                project(front)[:, 0], project(front)[:, 1], s=12, color=PALETTE[0], linewidths=0, label=pareto_label
            )
        if short is not None:
            for k, (_, row) in enumerate(short.iterrows()):
                parts = row.iloc[:3].to_numpy(dtype=float)
                if parts.sum() > 0:
                    x, y = project(parts)[0]
                    ax.scatter(x, y, s=90, facecolors="none", edgecolors=_mark_colour(k), linewidths=2,
                               marker=_MARKS[k % len(_MARKS)], zorder=4)  # fmt: skip
            _legend(figure, short)
        for k, (x, y) in enumerate(corners):
            ax.text(
                x,
                y + (0.04 if k == 2 else -0.085),
                names[k],
                ha="center",
                va="center",
                fontsize=11,
            )
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="upper right", frameon=False, markerscale=2.5)
        if title:
            figure.suptitle(f"{title}\n{subtitle}" if subtitle else title, fontsize=10)
        return figure
