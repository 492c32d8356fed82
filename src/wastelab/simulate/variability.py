"""How a heap varies along its tonnage: variogram of a measured series, and the covariance of stretches of it.

Nugget and exponential covariance, fitted after Matheron and Cressie; stationary series only, a trend is warned of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source
from ._indicator import FloatArray, array_within

if TYPE_CHECKING:
    import pandas as pd

_FIT = Source("Matheron's variogram of the user's series, weighted least squares (Cressie's weights)", Evidence.RECIPE)


@dataclass(frozen=True)
class Variability:
    """How a property varies along the tonnage of a heap.

    Attributes
    ----------
    mean : float
        In the unit of the property.
    nugget : float
        Variance without memory between increments of `increment` tonnes (sampling and analysis included).
    sill : float
        Variance that fades over `range_t`: covariance sill exp(-h/range_t).
    range_t : float
        [t]
    increment : float
        Mass of one value of the series [t]; variation inside an increment is not seen.
    analysis : float
        Variance of sampling and analysis, already taken out of `nugget`.
    n : int
        Values it was fitted on, 0 if typed.
    unit : str
        Of the property.
    warnings : tuple of str
    source : Source
    """

    mean: float
    nugget: float
    sill: float
    range_t: float
    increment: float
    analysis: float = 0.0
    n: int = 0
    unit: str = "wt%"
    warnings: tuple[str, ...] = ()
    source: Source = field(default=Source("typed by the user", Evidence.RECIPE))

    def __post_init__(self) -> None:
        for name in ("nugget", "sill", "analysis"):
            array_within(getattr(self, name), 0.0, 1e12, name, "variance")
        for name in ("range_t", "increment"):
            array_within(getattr(self, name), 0.0, 1e12, name, "t", inclusive=False)

    @property
    def sigma(self) -> float:
        """Standard deviation of increments, analysis excluded."""
        return math.sqrt(self.nugget + self.sill)

    def variogram(self, lag: ArrayLike) -> FloatArray:
        """Model semivariance at a lag [t], analysis included."""
        h = np.asarray(lag, dtype=np.float64)
        model = self.nugget + self.analysis + self.sill * -np.expm1(-h / self.range_t)
        return np.asarray(np.where(h > 0, model, 0.0))

    def covariance(self, lag: ArrayLike, length: float, *, fine: str = "white") -> FloatArray:
        """Covariance of the means over two stretches of `length` tonnes whose starts lie `lag` tonnes apart.

        Parameters
        ----------
        lag : array_like
            [t]
        length : float
            [t]
        fine : {"white", "block"}
            What the nugget is inside an increment, where the series does not look: without any memory (most
            variation of small stretches) or constant over an increment's mass (least).
        """
        h, a, s = np.abs(np.asarray(lag, dtype=np.float64)), self.range_t, float(length)
        r = s / a
        # apart: exact product form; overlapping: second difference of the double integral of exp(-x/a)
        apart = np.exp(-(np.maximum(h, s) - s) / a) * (-np.expm1(-r) / r) ** 2

        def integral(x: FloatArray) -> FloatArray:
            y = x / a
            return np.asarray(np.where(y < 1e-3, y * y * (0.5 - y / 6 + y * y / 24), np.expm1(-y) + y))

        overlap = (integral(h + s) - 2 * integral(h) + integral(np.abs(h - s))) / r**2
        slow = self.sill * np.where(h >= s, apart, overlap)
        m = self.increment
        if fine == "white":
            return np.asarray(slow + self.nugget * m * np.maximum(s - h, 0.0) / s**2)
        if fine != "block":
            raise UnknownNameError(f"fine {fine!r} is not one of white, block.{suggest(fine, ('white', 'block'))}")

        def block(x: FloatArray) -> FloatArray:  # double integral of the triangle 1 - x/m
            return np.asarray(np.where(x < m, x * x * (0.5 - x / (6 * m)), m * x / 2 - m * m / 6))

        fast = (block(h + s) - 2 * block(h) + block(np.abs(h - s))) / s**2
        return np.asarray(slow + self.nugget * np.where(h >= s + m, 0.0, fast))


def empirical_variogram(
    position: ArrayLike, values: ArrayLike, *, lag: float, lags: int = 20
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Matheron's semivariance in classes of distance.

    Parameters
    ----------
    position : array_like
        Tonnage at which each value was taken [t].
    values : array_like
    lag : float
        Width of a class [t]; class k gathers pairs nearer to k x lag than to others, k = 1 to `lags`.
    lags : int

    Returns
    -------
    lag, semivariance, pairs : ndarray
        Mean distance [t], half the mean squared difference, number of pairs; classes without pairs are left out.
    """
    x, z = _series(position, values)
    width = float(array_within(lag, 0, 1e12, "lag", "t", inclusive=False))
    order = np.argsort(x, kind="stable")
    x, z = x[order], z[order]
    sums = np.zeros((3, lags + 1))
    for i in range(len(x) - 1):
        end = int(np.searchsorted(x, x[i] + (lags + 0.5) * width, side="left"))
        h = x[i + 1 : end] - x[i]
        k = np.rint(h / width).astype(int)
        ok = (k >= 1) & (k <= lags)
        for row, part in enumerate((h, 0.5 * (z[i + 1 : end] - z[i]) ** 2, np.ones_like(h))):
            sums[row] += np.bincount(k[ok], weights=part[ok], minlength=lags + 1)
    used = sums[2] > 0
    return sums[0, used] / sums[2, used], sums[1, used] / sums[2, used], sums[2, used]


def fit_variability(
    series: ArrayLike | pd.Series,
    *,
    increment: float | None = None,
    position: ArrayLike | None = None,
    analysis_sigma: float = 0.0,
    unit: str = "wt%",
    lags: int | None = None,
) -> Variability:
    """Variability from a measured series along the tonnage.

    Parameters
    ----------
    series : array_like or pandas.Series
        Values in the order in which the heap is dug (one composition component); for a Series with a numeric index
        the index is the position [t].
    increment : float, optional
        Mass each value stands for [t]; spacing of even series. Not needed where positions are given: their median
        spacing then.
    position : array_like, optional
        Tonnage of each value [t].
    analysis_sigma : float
        Standard deviation of sampling and analysis: it is taken out, for no bed blends it.
    unit : str
        Of the property.
    lags : int, optional
        Number of lag classes; a third of the series by default, 40 at most.

    Returns
    -------
    Variability

    Raises
    ------
    MissingDataError
        For fewer than 30 values, or neither increment nor position.
    ValidityError
        If the series does not vary, or varies less than the analysis does.

    Notes
    -----
    Nugget + sill (1 - exp(-h/range)) by least squares, weights pairs/(model semivariance)^2. Warns of a trend (a
    drift over the series is no stationary variation: dig records by bench instead) and of a range beyond the lags.
    """
    from scipy.optimize import least_squares

    if position is None and increment is None and hasattr(series, "index") and hasattr(series, "to_numpy"):
        position = np.asarray(series.index, dtype=np.float64)
    z = np.atleast_1d(np.asarray(series, dtype=np.float64))
    if position is None:
        if increment is None:
            raise MissingDataError("the series has no tonnage: give increment= (t per value) or position= (t).")
        position = np.arange(len(z)) * float(array_within(increment, 0, 1e9, "increment", "t", inclusive=False))
    x, z = _series(position, z)
    if len(z) < 30:
        raise MissingDataError(f"the series has {len(z)} values; at least 30 are needed to see how variation fades.")
    step = float(np.median(np.diff(np.sort(x))))
    if step <= 0:
        raise ValidityError("positions: most values share a position; give the tonnage of each value.")
    mass = step if increment is None else float(increment)
    noise = float(array_within(analysis_sigma, 0.0, 1e6, "analysis_sigma", "of the property")) ** 2
    variance = float(z.var(ddof=1))
    if variance <= 0:
        raise ValidityError("the series does not vary: there is nothing to homogenise.")
    if noise >= variance:
        raise ValidityError(
            f"analysis_sigma = {math.sqrt(noise):.3g} is as large as the spread of the series, "
            f"{math.sqrt(variance):.3g}: the variation of the heap cannot be told from the analysis."
        )
    n_lags = min(max(5, len(z) // 3), 40) if lags is None else int(lags)
    h, gamma, pairs = empirical_variogram(x, z, lag=step, lags=n_lags)
    if len(h) < 4:
        raise MissingDataError(f"only {len(h)} lag classes have pairs; sample at a more even spacing.")

    def model(p: FloatArray) -> FloatArray:
        return np.asarray(p[0] + p[1] * -np.expm1(-h / p[2]))

    def miss(p: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(pairs) * (gamma / np.maximum(model(p), 1e-12 * variance) - 1.0))

    best = None
    for start in (2.0 * step, 0.15 * h[-1], 0.5 * h[-1]):
        found = least_squares(
            miss, (max(noise, 0.3 * variance), 0.7 * variance, start),
            bounds=([noise, 0.0, 0.05 * step], [4 * variance + noise, 20 * variance, 10 * h[-1]]),
            x_scale=(variance, variance, step),
        )  # fmt: skip
        if best is None or found.cost < best.cost:
            best = found
    nugget, sill, reach = (float(v) for v in best.x)  # type: ignore[union-attr]
    warnings = []
    trend = np.polyfit(x - x.mean(), z, 1)[0] * np.ptp(x)
    if abs(trend) > 2.0 * math.sqrt(variance):
        warnings.append(f"the series drifts by {trend:.3g} from end to end: it is not stationary.")
    if reach > h[-1]:
        warnings.append(f"the range ({reach:.3g} t) is beyond the lags seen ({h[-1]:.3g} t): take a longer series.")
    if sill < 0.05 * (nugget + sill):
        warnings.append("no memory is seen between increments: layers blend as independent.")
    return Variability(
        float(z.mean()), max(nugget - noise, 0.0), sill, reach, mass, noise, len(z), unit, tuple(warnings), _FIT
    )


def _series(position: Any, values: Any) -> tuple[FloatArray, FloatArray]:
    x, z = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (position, values))
    if x.shape != z.shape or x.ndim != 1:
        raise ValidityError(f"positions {x.shape} and values {z.shape} do not match; give one position per value.")
    for name, v in (("position", x), ("value", z)):
        bad = np.flatnonzero(~np.isfinite(v))
        if len(bad):
            raise ValidityError(f"series, {name} {bad[0]}: is not a number; leave such rows out and give positions.")
    return x, z


__all__ = ["Variability", "empirical_variogram", "fit_variability"]
