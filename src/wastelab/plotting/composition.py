"""Composition bars: what the short-listed mixes are made of, and which requirement discards how much."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .style import PALETTE, context, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def composition_bars(fractions: pd.DataFrame, *, names: Mapping[str, str] | None = None) -> Figure:
    """Horizontal stacked bars of dry mass fractions.

    Parameters
    ----------
    fractions : pandas.DataFrame
        One row per mix (index = name), one column per material [kg/kg].
    names : mapping of str to str, optional
        Names shown for the materials.
    """
    with context():
        figure = new_figure(8.6, 1.5 + 0.42 * max(len(fractions), 1))
        ax = figure.subplots()
        left = np.zeros(len(fractions))
        y = np.arange(len(fractions))[::-1]
        for k, column in enumerate(fractions.columns):
            values = 100.0 * fractions[column].to_numpy(dtype=float)
            colour = PALETTE[k % len(PALETTE)]
            ax.barh(y, values, left=left, color=colour, height=0.72, label=(names or {}).get(column, column))
            for yi, value, start in zip(y, values, left, strict=True):
                if value >= 4.0:
                    dark = colour in (
                        "#0072B2",
                        "#D55E00",
                        "#4B3B8F",
                        "#7F7F7F",
                        "#009E73",
                        "#666666",
                        "#1B9E77",
                    )
                    ax.text(start + value / 2, yi, f"{value:g}", ha="center", va="center", fontsize=9,
                            color="white" if dark else "black")  # fmt: skip
            left = left + values
        ax.set_yticks(y, [str(i) for i in fractions.index])
        ax.set_xlim(0, 100)
        ax.set_xlabel("dry mass %")
        ax.grid(axis="y", visible=False)
        shown = [(names or {}).get(c, c) for c in fractions.columns]
        widest = max((sum(2 if ord(x) > 0x2E80 else 1 for x in str(n)) for n in shown), default=1)
        columns = max(1, min(len(shown), 6, 100 // (widest + 6)))
        figure.legend(loc="outside upper center", ncols=columns, frameon=False)
        return figure


def discard_bars(labels: list[str], counts: list[int]) -> Figure:
    """How many candidates each requirement discarded (log scale)."""
    with context():
        wrapped = [textwrap.fill(label, 52) for label in labels]
        figure = new_figure(9.6, 1.1 + 0.21 * max(sum(w.count("\n") + 2 for w in wrapped), 2))
        ax = figure.subplots()
        y = np.arange(len(labels))[::-1]
        ax.barh(y, np.maximum(counts, 0.8), color=PALETTE[7], height=0.7)
        for yi, count in zip(y, counts, strict=True):
            ax.text(max(count, 1), yi, f" {count:,}", va="center", fontsize=8)
        ax.set_yticks(y, wrapped, fontsize=8)
        ax.set_xscale("log")
        ax.set_xlim(0.8, max([*counts, 10]) * 20)
        ax.set_xlabel("candidates discarded")
        ax.grid(axis="y", visible=False)
        return figure
