"""Ternary phase diagrams: fields of coexisting phases with their compounds, and mixes laid over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .style import PALETTE, context, new_figure
from .ternary import project

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

#: Share of the triangle below which a field gets no number of its own.
SMALLEST = 0.002
#: Most fields that are listed.
LISTED = 24


def phase_diagram_figure(
    diagram: xr.Dataset, *, mixes: Mapping[str, Mapping[str, float]] | None = None, title: str = ""
) -> Figure:
    """Draw a ternary phase diagram.

    Parameters
    ----------
    diagram : xarray.Dataset
        From `wastelab.simulate.equilibrium.phase_diagram`.
    mixes : mapping of str to mapping of str to float, optional
        Mixes to mark: name to oxides [wt%]; only the three corner oxides place them.
    title : str
        Instead of the one the diagram makes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.colors import ListedColormap, to_rgb
    from matplotlib.tri import Triangulation

    corners = [str(c) for c in diagram["corner"].values]
    part = diagram["part"].values
    field = diagram["assemblage"].values
    always = set(json.loads(diagram.attrs["everywhere"]))
    names = [_without(str(f), always) for f in diagram["field"].values]
    n = round(100.0 / float(diagram.attrs["step_percent"]))
    small = _cells(part, n)
    xy = project(part / 100.0)
    # a cell has the field that most of its corners have: interior points are in fields, edges in degenerate ones
    inner = (part > 1e-9).sum(axis=1)
    numbers = _numbers(field, names, inner)
    with context():
        figure = new_figure(10.2, 7.0)
        ax, side = figure.subplots(1, 2, width_ratios=(2.35, 1.0))
        for axes in (ax, side):
            axes.axis("off")
            axes.grid(False)
        ax.set_aspect("equal")
        ax.set_xlim(-0.1, 1.1)
        ax.set_ylim(-0.1, 0.96)
        cell = _cell_field(field[small], inner[small])
        shades = [tuple(0.62 + 0.38 * v for v in to_rgb(PALETTE[k % len(PALETTE)])) for k in range(len(names))]
        exact = _triangles(diagram, always)
        if exact is None:
            ax.tripcolor(
                Triangulation(xy[:, 0], xy[:, 1], small), facecolors=np.array(cell, dtype=float),
                cmap=ListedColormap(shades), vmin=-0.5, vmax=len(names) - 0.5, edgecolors="none", rasterized=True,
            )  # fmt: skip
            _borders(ax, xy, small, cell)
        else:
            for k, shape in exact.items():
                ax.fill(*shape.T, facecolor=shades[k], edgecolor="#444444", linewidth=0.8, zorder=2)
        frame = project(np.eye(3))
        ax.plot(*np.vstack([frame, frame[:1]]).T, color="black", linewidth=1.2, zorder=3)
        _ticks(ax)
        for k, (x, y) in enumerate(frame):
            ax.text(
                x + (0.0, -0.035, 0.035)[(0 if k == 2 else k + 1)],
                y + (0.035 if k == 2 else -0.04),
                corners[k],
                ha="center",
                va="center",
                fontsize=12,
            )
        _compounds(ax, diagram)
        names_at = _label_points(diagram)
        for k, number in numbers.items():
            x, y = _heart(xy[(field == k) & (inner == 3)], np.vstack([xy[(field != k) | (inner < 3)], names_at]))
            ax.text(x, y, str(number), fontsize=9, ha="center", va="center", zorder=6, color="#222222")
        handles = []
        for i, (name, oxides) in enumerate((mixes or {}).items()):
            at = np.array([float(oxides.get(c, 0.0)) for c in corners])
            if at.sum() <= 0:
                continue
            x, y = project(at)[0]
            (mark,) = ax.plot(
                x, y, "D^sPv*"[i % 6], color="white", markeredgecolor="black", markeredgewidth=1.6, markersize=9,
                zorder=7, label=name, linestyle="none",
            )  # fmt: skip
            handles.append(mark)
        if handles:
            ax.legend(handles=handles, loc="upper left", frameon=False)
        _key(side, names, numbers, always, diagram)
        figure.suptitle(title or str(diagram.attrs["title"]), fontsize=12)
        return figure


def _without(label: str, always: set[str]) -> str:
    return " + ".join(p for p in label.split(" + ") if p not in always) or label


def _cells(part: FloatArray, n: int) -> NDArray[np.int64]:
    """Small triangles between the points of the lattice."""
    index = {(round(a * n / 100), round(b * n / 100)): i for i, (a, b, _) in enumerate(part)}
    out = []
    for (a, b), i in index.items():
        if (a + 1, b) in index and (a, b + 1) in index:
            out.append((i, index[a + 1, b], index[a, b + 1]))
        if (a + 1, b + 1) in index:
            out.append((index[a + 1, b], index[a + 1, b + 1], index[a, b + 1]))
    return np.array(out, dtype=np.int64)


def _cell_field(fields: NDArray[np.int64], inner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Field of each small triangle: that of its points inside the big one, by majority."""
    out = np.empty(len(fields), dtype=np.int64)
    for i, (f, k) in enumerate(zip(fields, inner, strict=True)):
        best = f[k == k.max()]
        values, counts = np.unique(best, return_counts=True)
        out[i] = values[np.argmax(counts)]
    return out


def _triangles(diagram: xr.Dataset, always: set[str]) -> dict[int, FloatArray] | None:
    """Exact fields, where each is the triangle between three compounds; None where a solution or a fixed oxide bends
    them."""
    if json.loads(diagram.attrs["fixed"]):
        return None
    place = {str(c): diagram["compound_part"].sel(compound=c).values for c in diagram["compound"].values}
    out = {}
    for k, label in enumerate(diagram["field"].values):
        members = str(label).split(" + ")
        if len(members) == 3:
            if any(m not in place for m in members):
                return None
            out[k] = project(np.array([place[m] for m in members]))
    area = sum(abs(float(np.linalg.det(np.column_stack([v, np.ones(3)])))) / 2 for v in out.values())
    return out if abs(area - np.sqrt(3.0) / 4) < 0.02 * np.sqrt(3.0) / 4 else None


def _numbers(field: NDArray[np.int64], names: list[str], inner: NDArray[np.int64]) -> dict[int, int]:
    """Number of the fields that are listed."""
    area = {k: float(((field == k) & (inner == 3)).sum()) / max(1, int((inner == 3).sum())) for k in range(len(names))}
    listed = [k for k in sorted(area, key=lambda k: -area[k]) if area[k] > SMALLEST][:LISTED]
    return {k: i + 1 for i, k in enumerate(listed)}


def _heart(mine: FloatArray, others: FloatArray) -> tuple[float, float]:
    """Point of a field farthest from what is not in it."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(others).query(mine)
    x, y = mine[int(np.argmax(distance))]
    return float(x), float(y)


def _label_points(diagram: xr.Dataset) -> FloatArray:
    """Points under the names of compounds inside the triangle, which numbers keep away from."""
    part = diagram["compound_part"].values
    inside = part[(part > 0.5).all(axis=1)]
    if len(inside) == 0:
        return np.zeros((0, 2))
    return np.vstack([project(inside) + np.array([dx, dy]) for dx in np.linspace(0.0, 0.14, 8) for dy in (0.01, 0.03)])


def _borders(ax: Axes, xy: FloatArray, small: NDArray[np.int64], cell: NDArray[np.int64]) -> None:
    """Lines between cells of different fields."""
    from matplotlib.collections import LineCollection

    edges: dict[tuple[int, int], list[int]] = {}
    for i, corners in enumerate(small):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            key = (int(min(corners[a], corners[b])), int(max(corners[a], corners[b])))
            edges.setdefault(key, []).append(i)
    lines = [xy[list(e)] for e, c in edges.items() if len(c) == 2 and cell[c[0]] != cell[c[1]]]
    ax.add_collection(LineCollection(lines, colors="#444444", linewidths=0.7, zorder=2))


def _ticks(ax: Axes) -> None:
    for k in range(1, 5):
        t = 0.2 * k
        for a, b, dx, dy, ha in (
            (0, 1, 0.0, -0.062, "center"),
            (1, 2, 0.055, 0.0, "left"),
            (2, 0, -0.085, 0.0, "right"),
        ):
            at = np.zeros(3)
            at[a], at[b] = t, 1 - t
            x, y = project(at)[0]
            ax.text(x + dx, y + dy, f"{100 * t:.0f}", fontsize=8, ha=ha, va="center", color="#666666")


def _compounds(ax: Axes, diagram: xr.Dataset) -> None:
    """Dots and names of the compounds; outside the triangle where they lie on an edge."""
    for compound in diagram["compound"].values:
        at = diagram["compound_part"].sel(compound=compound).values
        if at.max() > 99.999:
            continue
        x, y = project(at)[0]
        ax.plot(x, y, "o", color="black", markersize=4, zorder=5)
        if at[2] < 0.5:
            dx, dy, ha, va = 0.0, -0.016, "center", "top"
        elif at[1] < 0.5:
            dx, dy, ha, va = -0.014, 0.008, "right", "bottom"
        elif at[0] < 0.5:
            dx, dy, ha, va = 0.014, 0.008, "left", "bottom"
        else:
            dx, dy, ha, va = 0.012, 0.012, "left", "bottom"
        ax.text(
            x + dx, y + dy, str(compound), fontsize=9, ha=ha, va=va, zorder=6,
            bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.6, "edgecolor": "none"},
        )  # fmt: skip


def _key(
    side: Axes, names: list[str], numbers: Mapping[int, int], always: set[str], diagram: xr.Dataset
) -> None:  # fmt: skip
    lines = [f"{number:>2}  {names[k]}" for k, number in sorted(numbers.items(), key=lambda item: item[1])]
    if always:
        lines += ["", "everywhere: " + ", ".join(sorted(always))]
    fixed = json.loads(diagram.attrs["fixed"])
    if fixed:
        lines += ["fixed: " + ", ".join(f"{k} {v:g} wt%" for k, v in fixed.items())]
    lines += ["corners in wt%"]
    if diagram.attrs["warnings"]:
        lines += ["no melt modelled"]
    side.text(0.0, 0.98, "\n".join(lines), fontsize=9, va="top", ha="left", linespacing=1.45)
