"""Rotary kiln as a picture: temperatures, phases and gas along the kiln, and where the heat goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ValidityError
from .style import PALETTE, context, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Phases drawn by name; the rest is one band.
MAX_PHASES = 9
LEAST = 0.02


def kiln_profile(data: xr.Dataset) -> Figure:
    """Temperatures, phases of the bed, gas and heat balance of a rotary kiln.

    Parameters
    ----------
    data : xarray.Dataset
        From `wastelab.simulate.kiln.kiln` with a rotary equipment.

    Raises
    ------
    ValidityError
        For the result of another equipment.
    """
    if "bed_temperature" not in data:
        raise ValidityError(
            f"kiln_profile draws the result of a rotary kiln; this is {data.attrs.get('title', 'something else')!r}. "
            "For furnaces and calciners use wastelab.plotting.calcination.furnace_figure."
        )
    with context():
        figure = new_figure(10.0, 10.2)
        grid = figure.add_gridspec(4, 1, height_ratios=(1.25, 1.25, 0.7, 0.8))
        top = figure.add_subplot(grid[0])
        z = data["z"].values
        for name, label, colour in (
            ("gas_temperature", "gas", PALETTE[3]),
            ("bed_temperature", "bed", PALETTE[0]),
            ("wall_temperature", "inner wall", PALETTE[7]),
            ("shell_temperature", "shell", PALETTE[2]),
        ):
            top.plot(z, data[name], color=colour, label=label, lw=2.0 if name != "wall_temperature" else 1.3)
        top.set_ylabel("temperature (°C)")
        top.set_ylim(0, 1.12 * float(data["gas_temperature"].max()))
        top.legend(loc="upper left", ncols=4, frameon=False)
        title = str(data.attrs.get("title", "rotary kiln")).removeprefix("rotary kiln: ")
        top.set_title(
            f"{title}\n{float(data['specific_heat']):.2f} GJ/t, fuel {float(data['fuel_per_product']):.0f} kg/t, "
            f"CO2 {float(data['CO2_process']):.0f} + {float(data['CO2_fuel']):.0f} kg/t (process + fuel)",
            fontsize=11,
        )
        middle = figure.add_subplot(grid[1], sharex=top)
        _phases(middle, data)
        for ax in (top, middle):
            ax.tick_params(labelbottom=False)
        _gas(figure.add_subplot(grid[2], sharex=top), data)
        _heat(figure.add_subplot(grid[3]), data)
        top.set_xlim(float(z[0]), float(z[-1]))
        return figure


def _phases(ax: Axes, data: xr.Dataset) -> None:
    z, share = data["z"].values, 100.0 * data["phase_fraction"]
    largest = share.max("z").to_series().sort_values(ascending=False)
    shown = [str(n) for n in largest.index if largest[n] >= 100.0 * LEAST][:MAX_PHASES]
    order = sorted(shown, key=lambda n: float((share.sel(phase=n) * share["z"]).sum() / share.sel(phase=n).sum()))
    bands = [share.sel(phase=n).values for n in order]
    rest = 100.0 - np.sum(bands, axis=0)
    ax.stackplot(z, *bands, rest, colors=[*PALETTE[: len(order)], "#DDDDDD"], labels=[*order, "other"], alpha=0.9)
    ax.set_ylim(0, 100)
    ax.set_ylabel("solids (wt%)")
    ax.grid(visible=False)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=9)


def _gas(ax: Axes, data: xr.Dataset) -> None:
    for k, name in enumerate(("CO2", "H2O", "O2")):
        ax.plot(data["z"], 100.0 * data["gas_fraction"].sel(gas=name), color=PALETTE[(0, 5, 3)[k]], lw=2.0, label=name)
    ax.set_ylabel("gas (vol%)")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("distance from the feed end (m)")
    ax.legend(loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=9)


def _heat(ax: Axes, data: xr.Dataset) -> None:
    heat = data["heat_balance"].to_series() / 1e3
    heat = heat[heat.abs() > 0.004].sort_values()
    y = np.arange(len(heat))
    ax.barh(y, heat, color=[PALETTE[2] if v > 0 else PALETTE[3] for v in heat], height=0.72)
    ax.set_yticks(y, [str(i) for i in heat.index], fontsize=9)
    reach = float(heat.abs().max())
    for yi, value in zip(map(float, y), heat, strict=True):
        ax.text(
            value + 0.015 * reach * (1 if value > 0 else -1), yi, f"{value:+.2f}", va="center",
            ha="left" if value > 0 else "right", fontsize=8,
        )  # fmt: skip
    ax.axvline(0.0, color="black", lw=0.8)
    ax.set_xlim(min(float(heat.min()), 0.0) - 0.16 * reach, max(float(heat.max()), 0.0) + 0.16 * reach)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("heat in (+) and out (−), MJ per kg of product, over 25 °C")
