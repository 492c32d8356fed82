"""Overlapping DTG peaks taken apart: Gaussian, bi-Gaussian or Fraser-Suzuki peaks fitted to the rate of each run.

Fraser & Suzuki, Anal. Chem. 41 (1969) 37-39 (doi:10.1021/ac60270a007); for kinetics Perejon et al., J. Phys. Chem. B
115 (2011) 1780-1791 (doi:10.1021/jp110895z); ICTAC 2020 (doi:10.1016/j.tca.2020.178597).
A peak shape is mathematics, not a mechanism: `fit_parallel` fits the reactions themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import UnknownNameError, ValidityError, suggest
from ..heating import kelvin
from .conversion import Baseline, Conversion, convert
from .curves import Run
from .fit import Window, conversions
from .isoconversional import kissinger
from .smoothing import savgol

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Shape = Literal["fraser_suzuki", "gaussian", "bigaussian"]


def gaussian(T: FloatArray, height: float, position: float, width: float) -> FloatArray:
    """Peak of full width at half maximum `width` [K]."""
    return np.asarray(height * np.exp(-4.0 * np.log(2.0) * ((T - position) / width) ** 2))


def bigaussian(T: FloatArray, height: float, position: float, width: float, asymmetry: float) -> FloatArray:
    """Two half Gaussians; widths width (1 - asymmetry) on the left and width (1 + asymmetry) on the right."""
    side = width * np.where(position > T, 1.0 - asymmetry, 1.0 + asymmetry)
    return np.asarray(height * np.exp(-4.0 * np.log(2.0) * ((T - position) / np.maximum(side, 1e-6)) ** 2))


def fraser_suzuki(T: FloatArray, height: float, position: float, width: float, asymmetry: float) -> FloatArray:
    """Skewed peak; negative asymmetry tails to low temperature, as reactions of constant heating do."""
    if abs(asymmetry) < 1e-4:
        return gaussian(T, height, position, width)
    inner = 1.0 + 2.0 * asymmetry * (T - position) / width
    log = np.log(np.maximum(inner, 1e-12)) / asymmetry
    return np.asarray(np.where(inner > 1e-12, height * np.exp(-np.log(2.0) * log * log), 0.0))


SHAPES: dict[str, tuple[Callable[..., FloatArray], int]] = {
    "fraser_suzuki": (fraser_suzuki, 4),
    "gaussian": (gaussian, 3),
    "bigaussian": (bigaussian, 4),
}


@dataclass(frozen=True)
class Deconvolution:
    """Peaks of several runs, in order of temperature.

    Attributes
    ----------
    runs : tuple of Conversion
    shape : str
    grid_K : tuple of ndarray
        Temperatures that were fitted, of each run [K].
    rate : tuple of ndarray
        d(alpha)/dT there [1/K].
    peaks : tuple of ndarray, shape (n_peaks, parameters)
        Height [1/K], position [K], width [K], asymmetry, of each run.
    se : tuple of ndarray
        Standard errors of the same.
    rms : tuple of float
        Of the rate, relative to its highest value.
    """

    runs: tuple[Conversion, ...]
    shape: str
    grid_K: tuple[FloatArray, ...]
    rate: tuple[FloatArray, ...]
    peaks: tuple[FloatArray, ...]
    se: tuple[FloatArray, ...]
    rms: tuple[float, ...]

    def curve(self, run: int, peak: int | None = None) -> FloatArray:
        """Fitted rate of one peak, or of all together, on the grid of a run [1/K]."""
        function = SHAPES[self.shape][0]
        chosen = self.peaks[run] if peak is None else self.peaks[run][peak - 1 : peak]
        return np.asarray(sum(function(self.grid_K[run], *p) for p in chosen))

    def shares(self) -> FloatArray:
        """Share of each peak in the area, shape (n_runs, n_peaks) [-]."""
        n = len(self.peaks[0])
        areas = np.array([[np.trapezoid(self.curve(i, k + 1), g) for k in range(n)] for i, g in enumerate(self.grid_K)])
        return np.asarray(areas / areas.sum(axis=1, keepdims=True))

    @property
    def table(self) -> pd.DataFrame:
        """One row for each run and peak: position [degC], height [1/K], width [K], asymmetry, share [-], errors."""
        import pandas as pd

        shares = self.shares()
        rows = []
        for i, run in enumerate(self.runs):
            for k, (p, s) in enumerate(zip(self.peaks[i], self.se[i], strict=True)):
                rows.append({
                    "run": run.name, "K_per_min": 60 * run.beta, "peak": k + 1, "position_degC": p[1] - 273.15,
                    "position_se": s[1], "height": p[0], "width_K": p[2], "width_se": s[2],
                    "asymmetry": p[3] if p.size > 3 else 0.0, "share": shares[i, k], "rms": self.rms[i],
                })  # fmt: skip
        return pd.DataFrame(rows)

    def step(self, peak: int) -> list[Conversion]:
        """Conversion of one peak in every run, for `fit_kinetics`.

        Parameters
        ----------
        peak : int
            From 1, by temperature.
        """
        if not 1 <= peak <= len(self.peaks[0]):
            raise ValidityError(f"There is no peak {peak}; there are {len(self.peaks[0])}.")
        out = []
        for i, run in enumerate(self.runs):
            rate = np.maximum(self.curve(i, peak), 0.0)
            area = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(self.grid_K[i]))])
            time = np.interp(self.grid_K[i], np.maximum.accumulate(run.temperature_K), run.time_s)
            keep = np.concatenate([[True], np.diff(time) > 0])
            single = Run(f"{run.name}, peak {peak}", time[keep], self.grid_K[i][keep], area[keep] / area[-1], "alpha",
                         run.initial_mass_mg, sha256=run.sha256)  # fmt: skip
            out.append(convert(single, smoothing_K=0.0))
        return out


def deconvolve(
    curves: Sequence[Any], peaks: int | Sequence[str] = 2, *, shape: Shape = "fraser_suzuki", signal: str = "auto",
    units: Mapping[str, str] | None = None, names: Sequence[str] | None = None,
    window: Window | Sequence[Window] | None = None, baseline: Baseline = "auto", smoothing: str | None = None,
    points: int = 400,
) -> Deconvolution:  # fmt: skip
    """Take the rate of each run apart into peaks.

    Parameters
    ----------
    curves, signal, units, names, window, baseline, smoothing
        See `fit_kinetics`.
    peaks : int or sequence of str
        How many, or where they begin in the first run (``["600 degC", "680 degC"]``).
    shape : {"fraser_suzuki", "gaussian", "bigaussian"}
    points : int
        Of the grid of temperature.

    Returns
    -------
    Deconvolution
        Every run has the same peaks, in order of temperature; later runs start from the first, shifted.
    """
    if shape not in SHAPES:
        raise UnknownNameError(f"There is no peak shape {shape!r}.{suggest(shape, SHAPES)} Known: {', '.join(SHAPES)}.")
    runs = conversions(
        curves, signal=signal, units=units, names=names, window=window, baseline=baseline, smoothing=smoothing
    )
    where = None if isinstance(peaks, int) else [kelvin(p, "peaks") for p in peaks]
    count = peaks if isinstance(peaks, int) else len(peaks)
    if not 1 <= count <= 8:
        raise ValidityError(f"peaks = {peaks!r}: expected 1 to 8.")
    grids: list[FloatArray] = []
    rates: list[FloatArray] = []
    found: list[FloatArray] = []
    errors: list[FloatArray] = []
    rms: list[float] = []
    start: FloatArray | None = None
    for run in runs:
        low, high = run.time_at(0.002), run.time_at(0.998)
        grid = np.linspace(float(run.temperature_at(low)), float(run.temperature_at(high)), points)
        time = np.interp(grid, np.maximum.accumulate(run.temperature_K), run.time_s)
        y = run.rate_at(time) / run.beta
        if start is None:
            guess = _guess(grid, y, count, where, SHAPES[shape][1])
        else:
            guess = start.copy()
            guess[:, 1] += _centre(grid, y) - _centre(grids[0], rates[0])
        p, se, rest = _fit(grid, y, guess, shape)
        order = np.argsort(p[:, 1])
        p, se = p[order], se[order]
        start = p if start is None else start
        for column, value in ((grids, grid), (rates, y), (found, p), (errors, se)):
            column.append(value)
        rms.append(rest)
    return Deconvolution(tuple(runs), shape, tuple(grids), tuple(rates), tuple(found), tuple(errors), tuple(rms))


def peak_energies(result: Deconvolution) -> list[tuple[float, float]]:
    """Ea [J/mol] and ln(A s) of each peak by Kissinger's line through its positions."""
    beta = [r.beta for r in result.runs]
    out = []
    for k in range(len(result.peaks[0])):
        line = kissinger([p[k, 1] for p in result.peaks], beta)
        out.append((line.Ea, line.ln_A))
    return out


def _centre(grid: FloatArray, y: FloatArray) -> float:
    return float(np.sum(grid * y) / np.sum(y))


def _guess(grid: FloatArray, y: FloatArray, count: int, where: Sequence[float] | None, k: int) -> FloatArray:
    """Start: at the strongest bends downward, or where told."""
    from scipy.signal import find_peaks

    step = float(grid[1] - grid[0])
    if where is None:
        bend = -savgol(y, max(grid.size // 25, 7), step, 2)
        at, about = find_peaks(bend, height=0.0)
        best = at[np.argsort(about["peak_heights"])[::-1]][:count]
        where = sorted(float(grid[i]) for i in best)
        area = np.cumsum(y) / np.sum(y)
        missing = count - len(where)
        where = sorted([*where, *(float(np.interp(q, area, grid)) for q in np.linspace(0.2, 0.8, missing))])
    width = 0.6 * float(np.interp(0.85, np.cumsum(y) / y.sum(), grid) - np.interp(0.15, np.cumsum(y) / y.sum(), grid))
    width = max(width / count**0.5, 4 * step)
    rows = [[float(np.interp(p, grid, y)), p, width, -0.2][:k] for p in where]
    return np.array(rows)


def _fit(grid: FloatArray, y: FloatArray, guess: FloatArray, shape: str) -> tuple[FloatArray, FloatArray, float]:
    from scipy.optimize import least_squares

    function, k = SHAPES[shape]
    top, span = float(y.max()), float(np.ptp(grid))
    lower = np.tile([0.0, grid[0] - 0.1 * span, 4.0 * span / grid.size, -0.95][:k], len(guess))
    upper = np.tile([2.0 * top, grid[-1] + 0.1 * span, span, 0.95][:k], len(guess))
    scale = np.tile([top, 0.1 * span, 0.1 * span, 0.3][:k], len(guess))

    def residual(x: FloatArray) -> FloatArray:
        return np.asarray((sum(function(grid, *p) for p in x.reshape(-1, k)) - y) / top)

    x0 = np.clip(guess.ravel(), lower + 1e-9 * scale, upper - 1e-9 * scale)
    found = least_squares(residual, x0, bounds=(lower, upper), x_scale=scale, max_nfev=400)
    variance = 2.0 * found.cost / max(grid.size - x0.size, 1)
    se = np.sqrt(np.maximum(np.diag(np.linalg.pinv(found.jac.T @ found.jac)) * variance, 0.0))
    rms = float(np.sqrt(2.0 * found.cost / grid.size))
    return found.x.reshape(-1, k), se.reshape(-1, k), rms
