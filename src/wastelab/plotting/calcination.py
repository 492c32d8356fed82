"""Figures of calcination: minerals over temperature, a simulated TG beside a measured one, batch and flash runs.

Every function takes the Dataset of a simulation and returns a figure, without global state. Words are those of a
language where the installed fonts can draw them, else English.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..i18n import DEFAULT, tr
from .style import PALETTE, can_draw, context, drawn, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

#: Minerals with a colour of their own in a figure; what is less goes into one grey band.
MOST = 10
#: A mineral that never reaches this is not drawn on its own [wt%].
LEAST = 0.5
_GREY = "#C8C8C8"


def _word(key: str, lang: str) -> str:
    return tr(f"figure.{key}", lang)


def assemblage_figure(data: xr.Dataset, *, lang: str = DEFAULT, title: str = "") -> Figure:
    """Minerals of the product, stacked over temperature, and the gas given off.

    Parameters
    ----------
    data : xarray.Dataset
        From `wastelab.equilibrium` over several temperatures, of one mix.
    lang : str
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    lang = drawn(lang, _word("temperature", lang))
    t = data["temperature"].values
    share = 100.0 * data["mineral_fraction"].transpose("temperature", "mineral").values
    names = [str(m) for m in data["mineral"].values]
    order = [j for j in np.argsort(-share.mean(axis=0), kind="stable") if share[:, j].max() > LEAST][:MOST]
    rest = 100.0 - share[:, order].sum(axis=1)
    with context():
        figure = new_figure(9.6, 6.4)
        top, low = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1.0))
        top.stackplot(
            t, *(share[:, j] for j in order), rest, colors=[*(PALETTE[k] for k in range(len(order))), _GREY],
            edgecolor="white", linewidth=0.6, alpha=0.85,
        )  # fmt: skip
        _names_inside(top, t, share[:, order], [names[j] for j in order], rest, _word("others", lang))
        top.set_ylim(0, 100)
        top.set_xlim(t[0], t[-1])
        top.set_ylabel(_word("product_wt", lang))
        top.grid(False)
        for k, gas in enumerate(data["gas"].values):
            values = 100.0 * data["gas_released"].sel(gas=gas).values
            if np.abs(values).max() > 0.01:
                low.plot(t, values, color=PALETTE[k], marker="o" if len(t) < 12 else "", markersize=3, label=str(gas))
        low.set_xlabel(_word("temperature", lang))
        low.set_ylabel(_word("released_wt", lang))
        if low.lines:
            low.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        if title and can_draw(title):
            figure.suptitle(title)
    return figure


def _names_inside(ax: Axes, t: FloatArray, share: FloatArray, names: list[str], rest: FloatArray, others: str) -> None:
    """Names in the bands where they are wide, at the right edge or in a legend where they are not."""
    from matplotlib.patches import Patch

    floor = np.concatenate([np.zeros((len(t), 1)), np.cumsum(share, axis=1)], axis=1)
    handles = []
    for j, name in enumerate(names):
        room = _room(t, share[:, j])
        wide = np.flatnonzero(room >= 0.8 * room.max())
        k = int(wide[np.argmin(np.abs(t[wide] - t[wide].mean()))])
        if room[k] > 5.0:
            ax.text(t[k], floor[k, j] + share[k, j] / 2, name, ha=_side(t, k), va="center", fontsize=9)
        handles.append(Patch(color=PALETTE[j], alpha=0.85, label=name))
    if rest.max() > 0.05:
        handles.append(Patch(color=_GREY, label=others))
    ax.legend(handles=handles[::-1], fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _room(t: FloatArray, values: FloatArray) -> FloatArray:
    """Least height of a band near each temperature, so that a name sits where the band stays wide."""
    width = 0.05 * (t[-1] - t[0])
    return np.array([values[np.abs(t - x) <= width].min() for x in t])


def _side(t: FloatArray, k: int) -> str:
    return "left" if k == 0 else "right" if k == len(t) - 1 else "center"


def tg_figure(
    data: xr.Dataset, *, measured: tuple[FloatArray, FloatArray] | None = None, over: str = "temperature",
    lang: str = DEFAULT, title: str = "",
) -> Figure:  # fmt: skip
    """Mass (TG), its rate (DTG) and heat flow of a simulated calcination.

    Parameters
    ----------
    data : xarray.Dataset
        From `wastelab.calcine`.
    measured : (time [s], mass [%]), optional
        A measured curve, on the clock of the program.
    over : {"temperature", "time"}
        Time is the better axis for programs with holds.
    lang : str
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    lang = drawn(lang, _word("temperature", lang))
    clock = data["time"].values
    celsius = data["temperature"].values
    x = celsius if over == "temperature" else clock / 60.0
    reactions = [(str(r), float(data["loss"].sel(reaction=r).values[-1])) for r in data["reaction"].values]
    with context():
        figure = new_figure(9.0, 8.0)
        tg, dtg, heat = figure.subplots(3, 1, sharex=True, height_ratios=(1.5, 1.0, 1.0))
        tg.plot(x, data["mass"].values, color=PALETTE[0], linewidth=1.8, label=_word("simulated", lang))
        tg.set_ylabel(_word("mass", lang))
        dtg.plot(x, data["dtg"].values, color=PALETTE[0], linewidth=1.5)
        dtg.set_ylabel(_word("dtg", lang))
        if measured is not None:
            when, mass = measured
            at = np.interp(when, clock, celsius) if over == "temperature" else when / 60.0
            tg.plot(at, mass, color=PALETTE[3], linewidth=1.2, linestyle="--", label=_word("measured", lang))
            dtg.plot(at, _rate(when, mass), color=PALETTE[3], linewidth=1.0, linestyle="--")
        tg.legend(frameon=False, loc="lower left")
        heat.plot(x, data["heat_flow"].values, color=PALETTE[2], linewidth=1.5, label=_word("heat_flow_all", lang))
        heat.plot(x, data["heat_flow_reaction"].values, color=PALETTE[1], linewidth=1.2,
                  label=_word("heat_flow_reaction", lang))  # fmt: skip
        heat.axhline(0.0, color="black", linewidth=0.6)
        heat.set_ylabel(_word("heat_flow", lang))
        heat.legend(frameon=False, fontsize=8, loc="best")
        heat.set_xlabel(_word("temperature" if over == "temperature" else "time", lang))
        if over == "time":
            _program(tg, x, celsius, lang)
        _steps(dtg, data, x, [r for r, loss in reactions if abs(loss) > 0.2])
        if title and can_draw(title):
            figure.suptitle(title)
    return figure


def _rate(when: FloatArray, mass: FloatArray) -> FloatArray:
    """DTG of a measurement [%/min], over a window of about 1 % of the run against its noise."""
    grid = np.linspace(when[0], when[-1], 200)
    smooth = np.interp(grid, when, np.convolve(np.pad(mass, 5, mode="edge"), np.ones(11) / 11.0, mode="valid"))
    return np.asarray(np.interp(when, grid, np.gradient(smooth, grid)) * 60.0)


def _program(ax: Axes, x: FloatArray, celsius: FloatArray, lang: str) -> None:
    twin = ax.twinx()
    twin.plot(x, celsius, color="#888888", linewidth=1.0, linestyle=":")
    twin.set_ylabel(_word("temperature", lang), color="#666666")
    twin.spines["right"].set_visible(True)
    twin.grid(False)


def _steps(ax: Axes, data: xr.Dataset, x: FloatArray, names: list[str]) -> None:
    """Name each reaction at the place where it loses mass fastest; neighbours on different heights."""
    peaks = []
    for name in names:
        rate = np.gradient(data["loss"].sel(reaction=name).values, data["time"].values)
        peaks.append((float(x[int(np.argmax(np.abs(rate)))]), name))
    low, high = float(data["dtg"].min()), max(float(data["dtg"].max()), 0.0)
    span = max(high - low, 1e-9)
    level = top = 0
    for number, (at, name) in enumerate(sorted(peaks)):
        near = number > 0 and at - sorted(peaks)[number - 1][0] < 0.14 * (x[-1] - x[0])
        level = level + 1 if near else 0
        top = max(top, level)
        height = high + (0.12 + 0.15 * level) * span
        ax.plot([at, at], [low, height - 0.06 * span], color="#999999", linewidth=0.7, linestyle=":", zorder=1)
        ax.text(at, height, name, ha="center", va="center", fontsize=8, color="#333333")
    ax.set_ylim(low - 0.06 * span, high + (0.24 + 0.15 * top) * span)


def furnace_figure(data: xr.Dataset, *, lang: str = DEFAULT, title: str = "") -> Figure:
    """Temperatures, solids and heat balance of a batch furnace or of a flight through a flash calciner.

    Parameters
    ----------
    data : xarray.Dataset
        From `wastelab.kiln` with a muffle or flash equipment; of a rotary kiln see `wastelab.plotting.kiln`.
    lang : str
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    lang = drawn(lang, _word("temperature", lang))
    flight = "size" in data.dims
    x, label = data["time"].values, _word("flight" if flight else "time", lang)
    with context():
        figure = new_figure(9.6, 8.4)
        hot, solids, bars = figure.subplots(3, 1, height_ratios=(1.2, 1.2, 1.0))
        if flight:
            hot.plot(x, data["gas_temperature"].values, color=PALETTE[3], linewidth=1.8, label=_word("gas", lang))
            for k, size in enumerate(data["size"].values):
                hot.plot(x, data["particle_temperature"].values[:, k], color=PALETTE[0], linewidth=1.0,
                         alpha=1.0 - 0.7 * k / max(data.sizes["size"] - 1, 1), label=f"{size:.3g} µm")  # fmt: skip
        else:
            for k, word in enumerate(("furnace", "sample")):
                hot.plot(x, data[f"{word}_temperature"].values, color=PALETTE[(3, 0)[k]], linewidth=1.6,
                         label=_word(word, lang))  # fmt: skip
        hot.set_ylabel(_word("temperature", lang))
        hot.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        hot.sharex(solids)
        hot.tick_params(labelbottom=False)
        if flight:
            _lines(solids, x, data["mean_conversion"].values, data["reaction"].values, 0.0)
            solids.set_ylabel(_word("conversion", lang))
        else:
            _lines(solids, x, 100.0 * data["phase_fraction"].values, data["phase"].values, LEAST)
            solids.set_ylabel(_word("solids_wt", lang))
        solids.set_xlabel(label)
        if flight:  # grains are hot within the first hundredth of a second
            solids.set_xscale("log")
            solids.set_xlim(x[x > 0][0], x[-1])
        _balance(bars, data, lang)
        if title and can_draw(title):
            figure.suptitle(title)
    return figure


def _lines(ax: Axes, x: FloatArray, values: FloatArray, names: NDArray[Any], least: float) -> None:
    """One line for each phase or reaction that matters."""
    order = [j for j in np.argsort(-values.max(axis=0), kind="stable") if values[:, j].max() > least][:MOST]
    for k, j in enumerate(order):
        ax.plot(x, values[:, j], color=PALETTE[k % len(PALETTE)], linewidth=1.5, label=str(names[j]))
    ax.set_ylim(bottom=0.0)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _balance(ax: Axes, data: xr.Dataset, lang: str) -> None:
    values: Any = data["heat_balance"].values
    names = [str(i) for i in data["item"].values]
    keep = [k for k in range(len(names)) if abs(values[k]) > 1e-3 * np.abs(values).max()]
    y = np.arange(len(keep))[::-1]
    ax.barh(y, values[keep], color=[PALETTE[2] if values[k] > 0 else PALETTE[3] for k in keep], height=0.7)
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_yticks(y, [_item(names[k], lang) for k in keep], fontsize=8)
    for at, k in zip(y, keep, strict=True):
        ax.annotate(f"{values[k]:.0f}", (values[k], at), (3 if values[k] > 0 else -3, 0), textcoords="offset points",
                    ha="left" if values[k] > 0 else "right", va="center", fontsize=8)  # fmt: skip
    ax.margins(x=0.12)
    ax.grid(False)
    ax.set_xlabel(f"{_word('balance', lang)} [{data['heat_balance'].attrs['units']}]")


def _item(name: str, lang: str) -> str:
    try:
        return tr(f"heat_item.{name}", lang)
    except KeyError:
        return name
