"""Steps of a thermogravimetric run, by the minima of its DTG."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...errors import ValidityError
from .conversion import heating_part
from .curves import Run
from .smoothing import ORDER, noise, savgol


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
        Of the highest DTG peak, that a peak must have to count [-]; a peak must also stand out of the noise.
    smoothing_K : float
        Width of the Savitzky-Golay window [K]; doubled up to twice where the noise asks for it.

    Returns
    -------
    list of Step
        In order of temperature. Outer bounds are where the DTG has fallen to 2 % of the neighbouring peak.
    """
    from scipy.signal import find_peaks, savgol_coeffs

    if run.kind == "dsc":
        raise ValidityError(f"{run.name}: steps are found in the DTG; for heat flow give window=.")
    _, temperature, values = heating_part(run, None)
    temperature = np.maximum.accumulate(temperature)
    keep = np.concatenate([[True], np.diff(temperature) > 0])
    if int(keep.sum()) < 20:
        return []
    grid = np.linspace(temperature[0], temperature[-1], 1200)
    step = float(grid[1] - grid[0])
    even = np.interp(grid, temperature[keep], values[keep])
    white = noise(values[keep])
    for width in (smoothing_K, 2.0 * smoothing_K, 4.0 * smoothing_K):
        points = max(round(width / step), 5) | 1
        dtg = np.abs(savgol(even, points, step, 1))
        top = float(dtg.max())
        # six standard deviations of the derivative of white noise
        least = 6.0 * white * float(np.linalg.norm(savgol_coeffs(points, ORDER, deriv=1, delta=step)))
        if least < 0.3 * top:
            break
    if top <= 0:
        return []
    peaks, _ = find_peaks(dtg, prominence=max(prominence * top, least), height=0.05 * top)
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
