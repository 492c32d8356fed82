"""Noise of a curve, Savitzky-Golay smoothing with stated settings, and the DTG steps of a run.

Savitzky & Golay, Anal. Chem. 36 (1964) 1627-1639 (doi:10.1021/ac60214a047).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from .curves import Run

FloatArray = NDArray[np.float64]

#: Below this the numbers are taken as free of noise and a spline runs through all of them [-].
QUIET = 2e-6
ORDER = 3
_MOST = 20_000


def noise(values: FloatArray) -> float:
    """Standard deviation of white noise on a smooth curve, from fourth differences (robust)."""
    if values.size < 12:
        return 0.0
    d = np.diff(values, 4)
    return float(1.4826 * np.median(np.abs(d - np.median(d))) / np.sqrt(70.0))


def uniform(time_s: FloatArray, *columns: FloatArray) -> tuple[FloatArray, ...]:
    """Columns on an even grid of time with as many points (at most 20 000)."""
    t = np.linspace(time_s[0], time_s[-1], min(time_s.size, _MOST))
    return (t, *(np.interp(t, time_s, c) for c in columns))


def savgol(values: FloatArray, points: int, step: float, derivative: int = 0) -> FloatArray:
    """Savitzky-Golay of cubic order over an odd number of points."""
    from scipy.signal import savgol_filter

    points = max(min(points | 1, (values.size - 1) | 1), ORDER + 2)
    if points > values.size:
        points -= 2
    return np.asarray(savgol_filter(values, points, ORDER, deriv=derivative, delta=step))


@dataclass(frozen=True)
class Step:
    """One step of a run, between two minima of its DTG.

    Attributes
    ----------
    low_K, high_K : float
    peak_K : float
    share : float
        Part of the change over the whole run [-].
    """

    low_K: float
    high_K: float
    peak_K: float
    share: float


def find_steps(run: Run, *, prominence: float = 0.08, smoothing_K: float = 15.0) -> list[Step]:
    """Steps of a thermogravimetric run, from the minima of its DTG.

    Parameters
    ----------
    run : Run
        Of mass or conversion.
    prominence : float
        Of the highest DTG peak, that a peak must have to count [-].
    smoothing_K : float
        Width of the Savitzky-Golay window [K].

    Returns
    -------
    list of Step
        In order of temperature. Outer bounds are where the DTG has fallen to 2 % of the neighbouring peak.
    """
    from scipy.signal import find_peaks

    if run.kind == "dsc":
        raise ValidityError(f"{run.name}: steps are found in the DTG; for heat flow give window=.")
    first = int(np.argmin(run.temperature_K[: int(np.argmax(run.temperature_K)) + 1]))
    temperature = np.maximum.accumulate(run.temperature_K[first : int(np.argmax(run.temperature_K)) + 1])
    values = run.signal[first : first + temperature.size]
    keep = np.concatenate([[True], np.diff(temperature) > 0])
    if int(keep.sum()) < 20:
        return []
    grid = np.linspace(temperature[0], temperature[-1], 1200)
    step = float(grid[1] - grid[0])
    dtg = np.abs(savgol(np.interp(grid, temperature[keep], values[keep]), round(smoothing_K / step), step, 1))
    top = float(dtg.max())
    if top <= 0:
        return []
    peaks, _ = find_peaks(dtg, prominence=prominence * top, height=0.05 * top)
    bounds = [int(a + np.argmin(dtg[a:b])) for a, b in itertools.pairwise(peaks)]
    if len(peaks) == 0:
        return []
    left = np.flatnonzero(dtg[: peaks[0]] < 0.02 * dtg[peaks[0]])
    right = np.flatnonzero(dtg[peaks[-1] :] < 0.02 * dtg[peaks[-1]])
    edges = [int(left[-1]) if left.size else 0, *bounds, int(peaks[-1] + right[0]) if right.size else grid.size - 1]
    mass = np.interp(grid, temperature[keep], values[keep])
    whole = abs(float(mass[-1] - mass[0])) or 1.0
    return [
        Step(float(grid[a]), float(grid[b]), float(grid[p]), abs(float(mass[b] - mass[a])) / whole)
        for a, b, p in zip(edges[:-1], edges[1:], peaks, strict=True)
    ]
