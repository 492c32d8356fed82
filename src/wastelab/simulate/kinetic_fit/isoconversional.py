"""Activation energy without a model: Friedman, Ozawa-Flynn-Wall, KAS, Starink, Vyazovkin, and Kissinger's peak method.

All take the temperatures at which several runs reach the same conversion. Vyazovkin et al., Thermochim. Acta 520 (2011)
1-19 (doi:10.1016/j.tca.2011.03.034). Energies in J/mol, temperatures in K, heating rates in K/s throughout: no other
unit enters a formula here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ValidityError
from .integrals import R, log_temperature_integral, slope_factor

FloatArray = NDArray[np.float64]

#: Activation energies that are looked for [J/mol].
LOWEST_EA, HIGHEST_EA = 2e3, 2e6


@dataclass(frozen=True)
class Energies:
    """Activation energy at each conversion.

    Attributes
    ----------
    Ea : ndarray, shape (k,)
        [J/mol]
    se : ndarray, shape (k,)
        Standard error; inf with two runs, which leave no degree of freedom [J/mol].
    low, high : ndarray, shape (k,)
        Confidence interval by Student's t with n - 2 degrees of freedom [J/mol].
    intercept : ndarray, shape (k,)
        Of the straight line: for Friedman ln(A f(alpha) s), else in the terms of the method; zero for Vyazovkin.
    """

    Ea: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    intercept: FloatArray


def friedman(temperature_K: ArrayLike, rate: ArrayLike, *, confidence: float = 0.95) -> Energies:
    """Differential method: ln(d(alpha)/dt) = ln(A f(alpha)) - Ea/RT.

    Parameters
    ----------
    temperature_K : array_like, shape (k, n)
        Temperature at which each of n runs reaches each of k conversions [K].
    rate : array_like, shape (k, n)
        Rate of conversion there [1/s].
    confidence : float

    References
    ----------
    Friedman, J. Polym. Sci. C 6 (1964) 183-195 (doi:10.1002/polc.5070060121).
    """
    t, r = _checked(temperature_K), np.asarray(rate, dtype=np.float64)
    if bool((r <= 0).any()):
        raise ValidityError(
            "The rate of conversion is not above zero at every conversion; smooth more or narrow alpha=."
        )
    return _line(1.0 / t, np.log(r), np.full(t.shape[0], R), confidence)


def ozawa_flynn_wall(
    temperature_K: ArrayLike, beta: ArrayLike, *, correct: bool = False, confidence: float = 0.95
) -> Energies:
    """Integral method with Doyle's approximation: ln(beta) = const - 1.052 Ea/RT.

    Parameters
    ----------
    temperature_K : array_like, shape (k, n)
        [K]
    beta : array_like, shape (n,)
        Heating rates [K/s].
    correct : bool
        Replace 1.052 by the exact factor at the Ea found, iterated.
    confidence : float

    Notes
    -----
    Doyle's factor is right for Ea/RT near 30; its bias grows to some percent at 15 and 60. The correction removes it.

    References
    ----------
    Ozawa, Bull. Chem. Soc. Jpn. 38 (1965) 1881-1886 (doi:10.1246/bcsj.38.1881); Flynn & Wall, J. Polym. Sci. B 4
    (1966) 323-328; Doyle, J. Appl. Polym. Sci. 6 (1962) 639-642.
    """
    return _integral(temperature_K, beta, 0.0, 1.052, correct, confidence)


def kissinger_akahira_sunose(
    temperature_K: ArrayLike, beta: ArrayLike, *, correct: bool = False, confidence: float = 0.95
) -> Energies:
    """Integral method with the Coats-Redfern approximation: ln(beta/T^2) = const - Ea/RT.

    Parameters and result as `ozawa_flynn_wall`.

    Notes
    -----
    Underestimates Ea by about 2 (RT/Ea)^2, 0.2 % at Ea/RT = 30; the correction removes it.

    References
    ----------
    Akahira & Sunose, Res. Rep. Chiba Inst. Technol. 16 (1971) 22-31.
    """
    return _integral(temperature_K, beta, 2.0, 1.0, correct, confidence)


def starink(temperature_K: ArrayLike, beta: ArrayLike, *, correct: bool = False, confidence: float = 0.95) -> Energies:
    """Integral method: ln(beta/T^1.92) = const - 1.0008 Ea/RT.

    Parameters and result as `ozawa_flynn_wall`.

    References
    ----------
    Starink, Thermochim. Acta 404 (2003) 163-176 (doi:10.1016/S0040-6031(03)00144-8).
    """
    return _integral(temperature_K, beta, 1.92, 1.0008, correct, confidence)


def vyazovkin(temperature_K: ArrayLike, beta: ArrayLike, *, confidence: float = 0.95) -> Energies:
    """Non-linear method: the Ea that minimises the sum of I(Ea, T_i) beta_j / (I(Ea, T_j) beta_i) over pairs of runs.

    Parameters and result as `ozawa_flynn_wall`, with the exact temperature integral.

    References
    ----------
    Vyazovkin & Dollimore, J. Chem. Inf. Comput. Sci. 36 (1996) 42-45 (doi:10.1021/ci950062m).
    """
    t, log_beta = _checked(temperature_K), np.log(_rates(temperature_K, beta))

    def log_j(Ea: FloatArray) -> FloatArray:
        return log_temperature_integral(Ea[:, None], t) - log_beta

    return _minimise(log_j, t.shape[0], t.shape[1], confidence)


def vyazovkin_incremental(temperature_K: ArrayLike, weight_s: ArrayLike, *, confidence: float = 0.95) -> Energies:
    """Advanced non-linear method: integrals over a small step of conversion, along T(t) as measured.

    Parameters
    ----------
    temperature_K : array_like, shape (k, n, q)
        Temperature at q nodes of the time that each run takes over each step of conversion [K].
    weight_s : array_like, shape (k, n, q)
        Quadrature weights of the nodes [s].
    confidence : float

    Notes
    -----
    Any temperature program; Ea holds for the step of conversion alone, without the averaging of the integral methods.

    References
    ----------
    Vyazovkin, J. Comput. Chem. 22 (2001) 178-183 (doi:10.1002/1096-987X(20010130)22:2<178::AID-JCC5>3.0.CO;2-#).
    """
    t, w = np.asarray(temperature_K, dtype=np.float64), np.asarray(weight_s, dtype=np.float64)
    apart = (1.0 / t - 1.0 / t.mean(axis=(1, 2), keepdims=True)) / R

    def log_j(Ea: FloatArray) -> FloatArray:
        exponent = np.clip(-Ea[:, None, None] * apart, -600.0, 600.0)
        return np.asarray(np.log(np.sum(w * np.exp(exponent), axis=-1)))

    return _minimise(log_j, t.shape[0], t.shape[1], confidence)


@dataclass(frozen=True)
class Kissinger:
    """Result of the peak method: Ea [J/mol] with standard error and interval, ln(A s) for a first-order peak, peaks."""

    Ea: float
    se: float
    low: float
    high: float
    ln_A: float
    peak_K: tuple[float, ...]
    beta: tuple[float, ...]

    def peak_at(self, beta: float) -> float:
        """Temperature of the peak at another heating rate [K/s], by the line itself [K]."""
        from scipy.optimize import brentq

        def gap(t: float) -> float:
            return float(self.ln_A + np.log(R / self.Ea) - self.Ea / (R * t) - np.log(beta / t**2))

        return float(brentq(gap, 150.0, 4000.0))


def kissinger(peak_K: ArrayLike, beta: ArrayLike, *, confidence: float = 0.95) -> Kissinger:
    """Peak method: ln(beta/Tp^2) = ln(A R/Ea) - Ea/(R Tp).

    Parameters
    ----------
    peak_K : array_like, shape (n,)
        Temperature of the highest rate [K].
    beta : array_like, shape (n,)
        [K/s]
    confidence : float

    Notes
    -----
    One Ea for the whole reaction, whatever its steps; A holds for first order.

    References
    ----------
    Kissinger, Anal. Chem. 29 (1957) 1702-1706 (doi:10.1021/ac60131a045).
    """
    t = np.asarray(peak_K, dtype=np.float64)[None, :]
    found = _integral(t, beta, 2.0, 1.0, False, confidence)
    Ea = float(found.Ea[0])
    if Ea <= 0:
        raise ValidityError("The peaks do not rise with the heating rate; Kissinger's line has no activation energy.")
    ln_A = float(found.intercept[0] + np.log(Ea / R))
    return Kissinger(
        Ea, float(found.se[0]), float(found.low[0]), float(found.high[0]), ln_A, tuple(map(float, t[0])),
        tuple(map(float, np.asarray(beta, dtype=float))),
    )  # fmt: skip


def _checked(temperature_K: ArrayLike) -> FloatArray:
    t = np.asarray(temperature_K, dtype=np.float64)
    if t.ndim != 2 or t.shape[1] < 2:
        raise ValidityError(
            f"Isoconversional methods need temperatures of two runs or more, shape (k, n); got {t.shape}."
        )
    if not np.isfinite(t).all() or bool((t < 150.0).any()):
        raise ValidityError(
            f"Temperatures of {float(np.nanmin(t)):g} to {float(np.nanmax(t)):g} K cannot be; they are in K, not degC."
        )
    return t


def _rates(temperature_K: ArrayLike, beta: ArrayLike) -> FloatArray:
    b = np.asarray(beta, dtype=np.float64)
    n = np.asarray(temperature_K).shape[-1]
    if b.shape != (n,) or bool((b <= 0).any()):
        raise ValidityError(f"Heating rates: expected {n} numbers above zero [K/s], got {b}.")
    return b


def student(confidence: float, freedom: float) -> float:
    """Two-sided quantile of Student's t; inf without a degree of freedom."""
    from scipy.stats import t as student_t

    if not 0.5 <= confidence < 1.0:
        raise ValidityError(f"confidence = {confidence!r}: expected a number from 0.5 to below 1, as 0.95.")
    return float(student_t.ppf(0.5 + confidence / 2.0, freedom)) if freedom > 0 else float(np.inf)


def _line(x: FloatArray, y: FloatArray, scale: FloatArray, confidence: float) -> Energies:
    """Ordinary least squares along the last axis; Ea = -slope * scale."""
    n = x.shape[1]
    dx = x - x.mean(axis=1, keepdims=True)
    sxx = (dx * dx).sum(axis=1)
    if bool((sxx <= 0).any()):
        raise ValidityError("The runs reach a conversion at the same temperature; they were heated at the same rate.")
    slope = (dx * y).sum(axis=1) / sxx
    intercept = y.mean(axis=1) - slope * x.mean(axis=1)
    rest = y - intercept[:, None] - slope[:, None] * x
    se = np.sqrt((rest * rest).sum(axis=1) / (n - 2) / sxx) * scale if n > 2 else np.full(x.shape[0], np.inf)
    Ea = -slope * scale
    return _with_interval(Ea, se, n - 2, confidence, intercept)


def _with_interval(Ea: FloatArray, se: FloatArray, freedom: int, confidence: float, intercept: FloatArray) -> Energies:
    quantile = student(confidence, freedom)
    half = quantile * se if np.isfinite(quantile) else np.full(se.shape, np.inf)
    return Energies(Ea, se, Ea - half, Ea + half, intercept)


def _integral(
    temperature_K: ArrayLike, beta: ArrayLike, power: float, factor: float, correct: bool, confidence: float
) -> Energies:
    t = _checked(temperature_K)
    y = np.log(_rates(t, beta)) - power * np.log(t)
    scale = np.full(t.shape[0], R / factor)
    found = _line(1.0 / t, y, scale, confidence)
    if not correct:
        return found
    middle = 1.0 / (1.0 / t).mean(axis=1)
    Ea = found.Ea
    slope = Ea / scale
    for _ in range(100):
        new = slope * R / slope_factor(np.clip(Ea, LOWEST_EA, HIGHEST_EA), middle, power)
        if bool((np.abs(new - Ea) <= 1e-10 * np.abs(new)).all()):
            break
        Ea = new
    ratio = np.divide(Ea, found.Ea, out=np.ones_like(Ea), where=found.Ea != 0)
    return _with_interval(Ea, found.se * np.abs(ratio), t.shape[1] - 2, confidence, found.intercept)


def _minimise(log_j: Callable[[FloatArray], FloatArray], levels: int, n: int, confidence: float) -> Energies:
    """Minimum of Phi(Ea) at all conversions together, with the standard error of its linearised form.

    Phi is a sum of ratios that rise or fall like exponentials, hence convex: its slope changes sign once, and bisection
    of ln(Ea) finds where.
    """

    def slope_of(Ea: FloatArray) -> tuple[FloatArray, FloatArray]:
        """ln J less its mean over the runs, and the derivative of ln J by Ea."""
        h = (1e-4 * Ea)[:, None]
        centre = log_j(Ea)
        slope = (log_j(Ea + h[:, 0]) - log_j(Ea - h[:, 0])) / (2.0 * h)
        return centre - centre.mean(axis=1, keepdims=True), slope - slope.mean(axis=1, keepdims=True)

    low, high = np.full(levels, np.log(LOWEST_EA)), np.full(levels, np.log(HIGHEST_EA))
    for _ in range(48):
        middle = 0.5 * (low + high)
        j, d = slope_of(np.exp(middle))
        j = np.clip(j, -300.0, 300.0)
        up, down = np.exp(j), np.exp(-j)
        # d Phi / d Ea, of Phi = sum exp(j) sum exp(-j)
        rising = (up * d).sum(axis=1) * down.sum(axis=1) > up.sum(axis=1) * (down * d).sum(axis=1)
        high, low = np.where(rising, middle, high), np.where(rising, low, middle)
    Ea = np.exp(0.5 * (low + high))
    outside = (Ea < 1.01 * LOWEST_EA) | (Ea > 0.99 * HIGHEST_EA)
    if bool(outside.any()):
        raise ValidityError(
            f"Vyazovkin's method finds no activation energy between {LOWEST_EA / 1e3:g} and {HIGHEST_EA / 1e3:g} "
            f"kJ/mol at {int(outside.sum())} of {levels} conversions: there the runs lie as close together "
            "as if the heating rate did not matter (noise, a reaction held back by its gas), or in the wrong order."
        )
    # Phi is the spread of ln J over the runs: linear in Ea near its minimum, which gives the standard error.
    rest, slope = slope_of(Ea)
    se = np.full(levels, np.inf)
    if n > 2:
        se = np.sqrt((rest * rest).sum(axis=1) / (n - 2) / (slope * slope).sum(axis=1))
    return _with_interval(Ea, se, n - 2, confidence, np.zeros(levels))
