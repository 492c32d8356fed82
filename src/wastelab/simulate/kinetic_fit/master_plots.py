"""What names a model once the activation energy is known: master plots, and the pre-exponential factor by compensation.

y(alpha) = d(alpha)/dt exp(Ea/RT) has the shape of f(alpha); z(alpha) = d(alpha)/dt T^2 that of f(alpha) g(alpha).
Malek, Thermochim. Acta 200 (1992) 257-269 (doi:10.1016/0040-6031(92)85118-F); ICTAC 2011
(doi:10.1016/j.tca.2011.03.034).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from ..kinetics.models import STANDARD, reaction_model
from .conversion import Conversion
from .integrals import R, model_f, model_g

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MasterPlots:
    """Measured master plots and how far each model is from them.

    Attributes
    ----------
    alpha : ndarray, shape (k,)
    y, z : ndarray, shape (n, k)
        Of each run, 1 at alpha = 0.5.
    distance_y, distance_z : dict of str to float
        Root mean square distance of each model over all runs.
    """

    alpha: FloatArray
    y: FloatArray
    z: FloatArray
    distance_y: dict[str, float]
    distance_z: dict[str, float]

    def best(self) -> list[str]:
        """Models, nearest first by both plots together."""
        return sorted(self.distance_y, key=lambda m: self.distance_y[m] + self.distance_z[m])


def theory(name: str, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """f/f(0.5) and f g/(f g)(0.5) of a model."""
    model = reaction_model(name)
    half = np.array([0.5])
    f, g = model_f(model, alpha), model_g(model, alpha)
    f_half = model_f(model, half)[0]
    return f / f_half, f * g / (f_half * model_g(model, half)[0])


def master_plots(
    alpha: FloatArray, temperature_K: FloatArray, rate: FloatArray, Ea: float, models: Sequence[str] = STANDARD
) -> MasterPlots:
    """Master plots of several runs.

    Parameters
    ----------
    alpha : ndarray, shape (k,)
        Conversions; 0.5 must lie within them.
    temperature_K, rate : ndarray, shape (k, n)
        [K], [1/s]
    Ea : float
        Mean activation energy [J/mol].
    models : sequence of str
        With a closed form.
    """
    if not alpha[0] < 0.5 < alpha[-1]:
        raise ValidityError("Master plots are normalised at a conversion of 0.5; alpha= does not hold it.")
    log_y = np.log(np.maximum(rate, 1e-300)) + Ea / R / temperature_K
    log_z = np.log(np.maximum(rate, 1e-300)) + 2.0 * np.log(temperature_K)
    y, z = ([], [])  # type: tuple[list[FloatArray], list[FloatArray]]
    for j in range(rate.shape[1]):
        for plot, out in ((log_y, y), (log_z, z)):
            out.append(np.exp(plot[:, j] - np.interp(0.5, alpha, plot[:, j])))
    ys, zs = np.array(y), np.array(z)
    near_y, near_z = {}, {}
    for name in models:
        ty, tz = theory(name, alpha)
        near_y[name] = float(np.sqrt(np.mean((ys - ty) ** 2)))
        near_z[name] = float(np.sqrt(np.mean((zs - tz) ** 2)))
    return MasterPlots(alpha, ys, zs, near_y, near_z)


@dataclass(frozen=True)
class Compensation:
    """The line ln A = a + b Ea through the wrong and right models of single runs.

    Attributes
    ----------
    a, b : float
        [ln 1/s], [mol/J]
    r2 : float
    ln_A : ndarray, shape (k,)
        At the isoconversional Ea of each conversion.
    """

    a: float
    b: float
    r2: float
    ln_A: FloatArray


def compensation(
    conversions: Sequence[Conversion], Ea: FloatArray, low: float, high: float, models: Sequence[str] = STANDARD
) -> Compensation:
    """Pre-exponential factor at each conversion by the compensation effect.

    Parameters
    ----------
    conversions : sequence of Conversion
    Ea : ndarray, shape (k,)
        Isoconversional activation energies [J/mol].
    low, high : float
        Conversions between which the single-run fits are made [-].
    models : sequence of str

    Notes
    -----
    The pairs (ln A, Ea) come from ln(rate/f) over 1/T of one run at a time and have no meaning by themselves; that they
    lie on a line is an artefact of the Arrhenius form, and their scatter no measure of quality.
    """
    pairs: list[tuple[float, float]] = []
    for c in conversions:
        t0, t1 = c.time_at(low), c.time_at(high)
        time = np.linspace(t0, t1, 100)
        alpha, rate = np.interp(time, c.time_s, c.alpha), c.rate_at(time)
        x = 1.0 / c.temperature_at(time)
        good = rate > 0
        if int(good.sum()) < 10:
            continue
        for name in models:
            f = model_f(reaction_model(name), alpha[good])
            slope, level = np.polyfit(x[good] - x.mean(), np.log(rate[good] / f), 1)
            pairs.append((-slope * R, float(level + slope * -x.mean())))
    if len(pairs) < 3:
        raise ValidityError("The compensation line needs the rates of at least one run; smooth more.")
    e, ln_a = np.array(pairs).T
    b, a = np.polyfit(e, ln_a, 1)
    r2 = float(np.corrcoef(e, ln_a)[0, 1] ** 2)
    return Compensation(float(a), float(b), r2, a + b * np.asarray(Ea))
