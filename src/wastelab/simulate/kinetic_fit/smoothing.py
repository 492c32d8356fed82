"""Noise of a curve, and Savitzky-Golay smoothing with stated settings.

Savitzky & Golay, Anal. Chem. 36 (1964) 1627-1639 (doi:10.1021/ac60214a047).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
