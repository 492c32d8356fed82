"""From a run to conversion: window, heating rate as measured, baseline, smoothing, alpha(t) and its rate.

Mass: alpha = (m_start - m) / (m_start - m_end), with horizontal ends, a linear drift (buoyancy) taken off, or both
ends as tangents. Heat flow: baseline proportional to conversion between two tangents, iterated until it stands still.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ValidityError
from .curves import Kind, Run
from .smoothing import QUIET, noise, savgol, uniform

FloatArray = NDArray[np.float64]
Baseline = Literal["auto", "none", "horizontal", "linear", "tangential"]

#: Heating rates that a thermobalance runs at [K/min].
SLOWEST, FASTEST = 0.02, 500.0
#: A fall of the sample temperature that is taken as noise or self-cooling, not as another ramp [K].
FALL_K = 3.0


@dataclass(frozen=True)
class Conversion:
    """Conversion of one step over time.

    Attributes
    ----------
    name : str
    kind : {"mass", "dsc", "alpha"}
    time_s, temperature_K, alpha, rate : ndarray, shape (n,)
        On an even grid of time: smoothed conversion [-] and its rate [1/s].
    raw_time_s, raw_alpha : ndarray
        As measured, after the baseline.
    beta, beta_se : float
        Heating rate by regression of the sample temperature between 5 and 95 % conversion, its standard error [K/s].
    departure_K : float
        Largest distance of the sample temperature from that line [K].
    beta_drift : float
        Change of the heating rate over the step, relative to it [-].
    window_K : (float, float)
    change : float or None
        Mass lost (positive) of the mass at the start [kg/kg]; None where it is not known.
    noise : float
        Standard deviation of the conversion [-].
    end_se : (float, float)
        Standard errors of the levels that stand for 0 and 1; 0 where not known (heat flow, given conversions) [-].
    smoothing_K : float
        Width of the Savitzky-Golay window, 0 where a spline runs through the points [K].
    baseline : str
    initial_mass_mg : float or None
    programme_beta : float or None
        Heating rate of the programme, where recorded [K/s].
    sha256 : str
    notes : tuple of str
    """

    name: str
    kind: Kind
    time_s: FloatArray
    temperature_K: FloatArray
    alpha: FloatArray
    rate: FloatArray
    raw_time_s: FloatArray
    raw_alpha: FloatArray
    beta: float
    beta_se: float
    departure_K: float
    beta_drift: float
    window_K: tuple[float, float]
    change: float | None
    noise: float
    end_se: tuple[float, float]
    smoothing_K: float
    baseline: str
    initial_mass_mg: float | None = None
    programme_beta: float | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()
    _spline: Any = field(default=None, repr=False, compare=False)

    def times_at(self, levels: ArrayLike) -> FloatArray:
        """Time at which each conversion is reached [s]; the mean where noise crosses it several times.

        Raises
        ------
        ValidityError
            If the curve does not pass one of them.
        """
        wanted = np.atleast_1d(np.asarray(levels, dtype=np.float64))
        over = self.alpha[None, :] >= wanted[:, None]
        which, at = np.nonzero(over[:, 1:] != over[:, :-1])
        count = np.bincount(which, minlength=wanted.size)
        if bool((count == 0).any()):
            raise ValidityError(
                f"{self.name}: the conversion does not pass {wanted[int(np.argmin(count))]:g}; it runs from "
                f"{self.alpha[0]:.3g} to {self.alpha[-1]:.3g}. Narrow alpha=, or widen the window."
            )
        lower, upper = self.time_s[at], self.time_s[at + 1]
        rising = over[which, at + 1]
        for _ in range(44):  # bisection within the interval: the spline may bend, but it crosses
            middle = 0.5 * (lower + upper)
            above = (self._spline(middle) >= wanted[which]) == rising
            upper, lower = np.where(above, middle, upper), np.where(above, lower, middle)
        return np.asarray(np.bincount(which, upper, wanted.size) / count)

    def time_at(self, level: float) -> float:
        """Time at which a conversion is reached [s]."""
        return float(self.times_at(level)[0])

    def temperature_at(self, time_s: ArrayLike) -> FloatArray:
        """Sample temperature [K]."""
        return np.asarray(np.interp(np.asarray(time_s, dtype=float), self.time_s, self.temperature_K))

    def rate_at(self, time_s: ArrayLike) -> FloatArray:
        """Rate of conversion [1/s]."""
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(self.time_s, self.rate)(np.asarray(time_s, dtype=float)))

    @property
    def peak_K(self) -> float:
        """Temperature of the highest rate [K], by a parabola through its top; of noisy runs through its upper tenth."""
        k = int(np.argmax(self.rate))
        if self.smoothing_K > 0:
            low = self.rate < 0.9 * self.rate[k]
            first = int(np.flatnonzero(low[:k])[-1]) + 1 if low[:k].any() else 0
            last = k + int(np.argmax(low[k:])) if low[k:].any() else self.rate.size
            t = self.time_s[first:last] - self.time_s[k]
            if t.size >= 7:
                bend, slope, _ = np.polyfit(t, self.rate[first:last], 2)
                if bend < 0 and t[0] <= -0.5 * slope / bend <= t[-1]:
                    return float(self.temperature_at(self.time_s[k] - 0.5 * slope / bend))
        if not 0 < k < self.rate.size - 1:
            return float(self.temperature_K[k])
        y, t = self.rate[k - 1 : k + 2], self.time_s[k - 1 : k + 2]
        bend = y[0] - 2 * y[1] + y[2]
        shift = 0.5 * (y[0] - y[2]) / bend if bend != 0 else 0.0
        return float(self.temperature_at(t[1] + shift * (t[1] - t[0])))


def convert(
    run: Run, *, window_K: tuple[float, float] | None = None, baseline: Baseline = "auto",
    smoothing_K: float | None = None, edge: float = 0.02,
) -> Conversion:  # fmt: skip
    """Conversion of one step of a run.

    Parameters
    ----------
    run : Run
    window_K : (float, float), optional
        First and last temperature [K]; the whole heating by default.
    baseline : {"auto", "none", "horizontal", "linear", "tangential"}
        ``"auto"`` is horizontal for mass, tangential for heat flow and none for conversions.
    smoothing_K : float, optional
        Width of the Savitzky-Golay window [K]; by default two fifths of that between 10 and 90 % if there is noise,
        else none; 0 for none.
    edge : float
        Part of the points at either end that fixes level and tangent [-].

    Raises
    ------
    ValidityError
        If the window is outside the run, the temperature falls in it, the sample is not heated, mass rises, or
        nothing changes.
    """
    t, temp, values = heating_part(run, window_K)
    notes = list(run.notes)
    if baseline == "auto":
        baseline = {"mass": "horizontal", "dsc": "tangential", "alpha": "none"}[run.kind]  # type: ignore[assignment]
    n_edge = max(int(edge * t.size), 2)
    change: float | None = None
    end_se = (0.0, 0.0)
    if run.kind == "alpha":
        alpha = values
    elif run.kind == "mass":
        alpha, change, end_se = _mass_conversion(run, t, temp, values, baseline, n_edge)
        if not run.relative:
            change = None
            notes.append("the mass at the start is unknown; the loss is not given as a fraction")
    else:
        alpha = _heat_conversion(run, t, temp, values, baseline, n_edge)
    sigma = noise(alpha) if run.kind != "dsc" else noise(values) / max(float(np.ptp(values)), 1e-300)
    rough = _averaged(alpha, sigma if run.kind != "dsc" else 0.0)
    beta, beta_se, departure, drift = _rate(run.name, t, temp, rough)
    width = _width(t, rough, beta) if smoothing_K is None else float(smoothing_K)
    if smoothing_K is None and sigma < QUIET:
        width = 0.0
    smooth_t, smooth_temp, smooth, rate = _smooth(t, temp, alpha, width, beta)
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(smooth_t, smooth)
    if width == 0.0:
        rate = np.asarray(spline(smooth_t, 1))
    program = _programme(run, float(t[0]), float(t[-1]))
    return Conversion(
        run.name, run.kind, smooth_t, smooth_temp, smooth, rate, t, alpha, beta, beta_se, departure, drift,
        (float(temp[0]), float(temp[-1])), change, sigma, end_se, width, baseline, run.initial_mass_mg, program,
        run.sha256, tuple(notes), spline,
    )  # fmt: skip


def heating_part(run: Run, window_K: tuple[float, float] | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The points between the last passing of the lower and the first passing of the upper temperature."""
    t, temp, values = run.time_s, run.temperature_K, run.signal
    if window_K is None:
        end = int(np.argmax(temp))
        if float(temp.max() - temp.min()) < 5.0:
            end = t.size - 1
        start = int(np.argmin(temp[: end + 1]))
        before = np.maximum.accumulate(temp[: end + 1]) - temp[: end + 1]
        if float(before.max()) > 20.0 and float(temp[:start].max(initial=temp[start])) > temp[start] + 20.0:
            raise ValidityError(
                f"{run.name} was heated to {temp[:start].max() - 273.15:.0f} degC, cooled, and heated again; "
                f"choose a window "
                "of one heating ramp that only that ramp passes from end to end, or cut the run."
            )
    else:
        low, high = window_K
        if not low < high:
            raise ValidityError(f"{run.name}: the window {low - 273.15:g} to {high - 273.15:g} degC is empty.")
        above = np.flatnonzero(temp >= high)
        end = int(above[0]) if above.size else t.size - 1
        below = np.flatnonzero(temp[: end + 1] <= low)
        start = int(below[-1]) if below.size else 0
        reach = float(temp[end] - temp[start])
        if (not above.size and float(temp.max()) < high - 0.1 * (high - low)) or reach <= 0:
            raise ValidityError(
                f"{run.name} runs from {temp.min() - 273.15:.0f} to {temp.max() - 273.15:.0f} degC; the window "
                f"{low - 273.15:g} to {high - 273.15:g} degC is not in it."
            )
    t, temp, values = t[start : end + 1], temp[start : end + 1], values[start : end + 1]
    if t.size < 20:
        if run.temperature_K.max() - run.temperature_K.min() < 5.0 or window_K is None:
            raise ValidityError(f"{run.name}: isothermal or too short; {t.size} points of heating. Heat at a rate.")
        raise ValidityError(f"{run.name}: {t.size} points in the window; a fit needs 20.")
    fall = np.maximum.accumulate(temp) - temp
    if float(fall.max()) > FALL_K:
        k = int(np.argmax(fall))
        raise ValidityError(
            f"{run.name}: the temperature falls by {fall[k]:.1f} K at {t[k]:.0f} s ({temp[k] - 273.15:.0f} degC) "
            "within the window; choose a window of one heating ramp."
        )
    return t, temp, values


def _rate(name: str, t: FloatArray, temp: FloatArray, alpha: FloatArray) -> tuple[float, float, float, float]:
    """Heating rate [K/s] by regression over the step, its error, largest departure [K], change over the step."""
    inside = (np.maximum.accumulate(alpha) >= 0.05) & (np.maximum.accumulate(alpha) <= 0.95)
    if int(inside.sum()) < 5:
        inside = np.ones(t.size, dtype=bool)
    x, y = t[inside], temp[inside]
    dx = x - x.mean()
    slope = float(dx @ y / (dx @ dx))
    rest = y - y.mean() - slope * dx
    per_minute = 60.0 * slope
    if float(np.ptp(temp)) < 5.0 or per_minute < SLOWEST:
        raise ValidityError(
            f"{name}: isothermal ({temp.mean() - 273.15:.0f} degC, {per_minute:.3g} K/min in the step). These "
            f"methods need "
            "runs heated at constant rates; measure at three or more."
        )
    if per_minute > FASTEST:
        raise ValidityError(
            f"{name}: a heating rate of {per_minute:.0f} K/min cannot be; is the time in minutes given as seconds?"
        )
    se = float(np.sqrt(rest @ rest / max(x.size - 2, 1) / (dx @ dx)))
    bend = float(np.polyfit(dx, rest, 2)[0])
    return slope, se, float(np.abs(rest).max()), 2.0 * bend * float(np.ptp(x)) / slope


def _tangent(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Straight line through points, evaluated elsewhere."""
    slope, level = np.polyfit(x - x.mean(), y, 1) if np.ptp(x) > 0 else (0.0, float(y.mean()))
    return np.asarray(level + slope * (at - x.mean()))


def _end(t: FloatArray, values: FloatArray, n: int) -> tuple[float, float]:
    """Level at the start of `values` and its standard error: the mean of as long a stretch as shows no trend, else the
    end of a straight line over `n` points.

    A trend of one standard error, which passes unseen, shifts the mean by sqrt(3) of its own: it is in the error.
    """
    if n <= 2:
        return float(values[0]), 0.0
    sigma = noise(values)
    best, se = float(_tangent(t[:n], values[:n], t[:1])[0]), 2.0 * sigma / np.sqrt(n)
    for length in (n, 2 * n, 4 * n, 8 * n):
        if length > 0.2 * t.size or sigma == 0.0:
            break
        x = t[:length] - t[:length].mean()
        slope = float(x @ values[:length] / (x @ x))
        if abs(slope) > sigma / np.sqrt(x @ x):
            break
        best, se = float(values[:length].mean()), float(np.sqrt(3.0 / length) * sigma)
    return best, float(se)


def _mass_conversion(
    run: Run, t: FloatArray, temp: FloatArray, mass: FloatArray, baseline: str, n: int
) -> tuple[FloatArray, float, tuple[float, float]]:
    if baseline == "linear":  # buoyancy and drift: what the balance does before the step, over the whole window
        mass = mass - (_tangent(temp[:n], mass[:n], temp) - _tangent(temp[:n], mass[:n], temp[:1])[0])
    first, first_se = _end(t, mass, n)
    last, last_se = _end(t[::-1], mass[::-1], n)
    loss = first - last
    spread = max(noise(mass), 1e-12)
    if abs(loss) < 10.0 * spread or loss == 0.0:
        raise ValidityError(
            f"{run.name}: the mass changes by {loss:.3g} in the window, within ten times its noise "
            f"({spread:.2g}); there "
            "is no step to fit. Choose another window."
        )
    if loss < 0:
        raise ValidityError(
            f"{run.name}: the mass rises by {-loss:.4g} in the window. Mass loss is fitted here; correct the buoyancy "
            "with a blank run, or give the conversion of an oxidation as 'alpha'."
        )
    if baseline == "tangential":
        before, after = _tangent(temp[:n], mass[:n], temp), _tangent(temp[-n:], mass[-n:], temp)
        gap = before - after
        if bool((gap <= 0).any()):
            raise ValidityError(f"{run.name}: the tangents before and after the step cross in the window; widen it.")
        return (before - mass) / gap, loss, (first_se / loss, last_se / loss)
    return (first - mass) / loss, loss, (first_se / loss, last_se / loss)


def _heat_conversion(run: Run, t: FloatArray, temp: FloatArray, flow: FloatArray, baseline: str, n: int) -> FloatArray:
    """Conversion as the share of the area over the baseline."""
    if baseline in ("linear", "horizontal"):
        first, last = float(flow[:n].mean()), float(flow[-n:].mean())
        base = np.interp(temp, [temp[0], temp[-1]], [first, last])
    elif baseline == "none":
        base = np.zeros_like(flow)
    else:
        before, after = _tangent(temp[:n], flow[:n], temp), _tangent(temp[-n:], flow[-n:], temp)
        alpha = np.linspace(0.0, 1.0, t.size)
        base = before
        for _ in range(200):
            base = (1.0 - alpha) * before + alpha * after
            former, alpha = alpha, np.clip(_share(run, t, flow - base), 0.0, 1.0)
            if float(np.abs(alpha - former).max()) < 1e-9:
                break
        else:
            raise ValidityError(f"{run.name}: the baseline proportional to the area does not settle; widen the window.")
    return _share(run, t, flow - base)


def _share(run: Run, t: FloatArray, peak: FloatArray) -> FloatArray:
    area = np.concatenate([[0.0], np.cumsum(0.5 * (peak[1:] + peak[:-1]) * np.diff(t))])
    gross = float(np.abs(0.5 * (peak[1:] + peak[:-1])) @ np.diff(t))
    if gross == 0 or abs(area[-1]) < 0.6 * gross:
        raise ValidityError(
            f"{run.name}: heat is taken up and given off in the window (net {abs(area[-1]):.3g} of {gross:.3g}); there "
            "is more than one event or a wrong baseline. Narrow the window."
        )
    return np.asarray(area / area[-1])


def _averaged(alpha: FloatArray, sigma: float) -> FloatArray:
    """Conversion averaged over so many points that noise does not decide where it passes 5, 10 or 90 %."""
    points = int(min((sigma / 0.005) ** 2, alpha.size / 30)) | 1
    if points < 3:
        return alpha
    return np.convolve(np.pad(alpha, points // 2, mode="edge"), np.full(points, 1.0 / points), mode="valid")


def _width(t: FloatArray, alpha: FloatArray, beta: float) -> float:
    """Two fifths of the width of the step between 10 and 90 % [K]."""
    run = np.maximum.accumulate(alpha)
    t10, t90 = t[int(np.searchsorted(run, 0.1))], t[min(int(np.searchsorted(run, 0.9)), t.size - 1)]
    return float(0.4 * max(t90 - t10, (t[-1] - t[0]) / t.size) * beta)


def _smooth(
    t: FloatArray, temp: FloatArray, alpha: FloatArray, width_K: float, beta: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    if width_K <= 0:
        return t, temp, alpha, np.zeros_like(alpha)
    grid, even_temp, even = uniform(t, temp, alpha)
    step = float(grid[1] - grid[0])
    points = max(round(width_K / beta / step), 5)
    return grid, savgol(even_temp, points, step), savgol(even, points, step), savgol(even, points, step, 1)


def _programme(run: Run, start: float, end: float) -> float | None:
    if run.program_K is None:
        return None
    inside = (run.time_s >= start) & (run.time_s <= end) & np.isfinite(run.program_K)
    if int(inside.sum()) < 5:
        return None
    return float(np.polyfit(run.time_s[inside] - start, run.program_K[inside], 1)[0])
