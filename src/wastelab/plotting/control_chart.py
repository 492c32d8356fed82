"""Control charts as pictures: results in order of date between their warning and action limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WastelabError
from ..i18n import DEFAULT, tr
from .style import PALETTE, can_draw, context, new_figure, to_png

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_GOOD, _BAD, _WARN, _CERTIFIED = PALETTE[0], PALETTE[3], PALETTE[1], PALETTE[2]


def plot_control_chart(table: pd.DataFrame, path: Path | None = None, lang: str = DEFAULT) -> Figure:
    """Draw a control chart.

    Parameters
    ----------
    table : pandas.DataFrame
        As ``lab.control_chart`` gives it: columns ``date``, ``value``, ``sigma``, ``mean``, ``s``, the four limits and
        ``rules``; attributes ``quantity``, ``reference_material``, ``unit``, ``certified``, ``limits``, ``count``.
    path : Path, optional
        Write it there as PNG.
    lang : str
        ``"en"`` or ``"zh"``; English where no installed font draws Chinese.

    Returns
    -------
    matplotlib.figure.Figure
        Whiskers are ± the stated standard uncertainty; a result that breaks a rule is marked with its numbers.

    Raises
    ------
    WastelabError
        If the file cannot be written.
    """
    if not can_draw(tr("ledger.chart_title", lang)):
        lang = DEFAULT
    info: dict[Any, Any] = table.attrs
    with context():
        figure = new_figure(max(7.5, min(0.34 * len(table) + 4.0, 16.0)), 4.6)
        ax = figure.subplots()
        _lines(ax, table, info, lang)
        _points(ax, table, lang)
        ax.set_title(
            tr("ledger.chart_title", lang, quantity=info["quantity"], reference_material=info["reference_material"])
        )
        ax.set_ylabel(f"{info['quantity']} ({info['unit']})")
        ax.set_xlabel(_caption(info, lang))
        _ticks(ax, table)
        figure.legend(*_unique(ax), loc="outside right center", frameon=False, fontsize=9)
    if path is not None:
        try:
            path.write_bytes(to_png(figure))
        except OSError as exc:
            raise WastelabError(f"{path}: cannot be written to ({exc.strerror or exc}).") from None
    return figure


def _lines(ax: Any, table: pd.DataFrame, info: dict[Any, Any], lang: str) -> None:
    certified = float(info["certified"])
    if certified == certified:
        ax.axhline(certified, color=_CERTIFIED, linewidth=1.4, linestyle="-.", label=tr("ledger.chart_certified", lang))
    if not len(table):
        return
    first = table.iloc[0]
    if first["s"] != first["s"]:
        return
    if info["limits"] == "results":
        ax.axhline(first["mean"], color="black", linewidth=1.2, label=tr("ledger.chart_mean", lang))
    for name, colour, style, key in (("warning", _WARN, "--", "chart_warning"), ("action", _BAD, "-", "chart_action")):
        for side in ("lower", "upper"):
            ax.axhline(
                first[f"{side}_{name}"], color=colour, linestyle=style, linewidth=1.2, label=tr(f"ledger.{key}", lang)
            )


def _points(ax: Any, table: pd.DataFrame, lang: str) -> None:
    x = np.arange(1, len(table) + 1)
    y = table["value"].to_numpy(dtype=float)
    sigma = table["sigma"].to_numpy(dtype=float)
    known = np.isfinite(sigma)
    if known.any():
        ax.errorbar(
            x[known], y[known], yerr=sigma[known], fmt="none", ecolor="#999999", elinewidth=1, capsize=2, zorder=2
        )
    broken = table["rules"].astype(str).to_numpy() != ""
    ax.plot(x, y, color=_GOOD, linewidth=0.8, zorder=2)
    ax.scatter(x[~broken], y[~broken], s=28, color=_GOOD, zorder=3, label=tr("ledger.chart_value", lang))
    if broken.any():
        from matplotlib.patheffects import withStroke

        label = tr("ledger.chart_violation", lang, rules=_rules(table))
        ax.scatter(x[broken], y[broken], s=52, color=_BAD, marker="D", zorder=4, label=label)
        middle = float(table["mean"].iloc[0])
        for xi, yi, rules in zip(x[broken], y[broken], table["rules"][broken], strict=True):
            up = yi >= middle
            text = ax.annotate(rules, (xi, yi), xytext=(8, 4 if up else -4), textcoords="offset points", ha="left",
                               va="bottom" if up else "top", fontsize=8, color=_BAD, zorder=5)  # fmt: skip
            text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    ax.margins(y=0.12)


def _rules(table: pd.DataFrame) -> str:
    return ", ".join(sorted({r for rules in table["rules"] for r in str(rules).split(", ") if r}))


def _caption(info: dict[Any, Any], lang: str) -> str:
    key = {"results": "chart_limits_results", "certificate": "chart_limits_certificate"}.get(
        info["limits"], "chart_limits_none"
    )
    sigma = float(info.get("s", float("nan")))
    count = info["limits_from"] if info["limits"] == "results" else info["count"]
    return f"{tr('ledger.chart_order', lang)}\n{tr(f'ledger.{key}', lang, count=count, s=sigma)}"


def _ticks(ax: Any, table: pd.DataFrame) -> None:
    """Dates under the results, as many as can be read."""
    every = max(1, -(-len(table) // 16))
    places = np.arange(1, len(table) + 1)[::every]
    ax.set_xticks(places, [str(d)[:10] for d in table["date"].iloc[::every]], rotation=50, ha="right", fontsize=8)
    ax.set_xlim(0.4, max(len(table), 1) + 0.6)


def _unique(ax: Any) -> tuple[list[Any], list[str]]:
    handles, labels = ax.get_legend_handles_labels()
    seen = dict(zip(labels, handles, strict=True))
    return list(seen.values()), list(seen)
