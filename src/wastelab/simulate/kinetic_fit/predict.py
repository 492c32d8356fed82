"""Conversion over a temperature program from a triplet, and the DTG peak that a triplet predicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from ..heating import TemperatureProgram
from ..kinetics.models import ReactionModel
from .integrals import R, gauss_times, log_temperature_integral, model_alpha, model_f

FloatArray = NDArray[np.float64]

#: The heating rate of the audit [K/s].
AUDIT_RATE = 10.0 / 60.0


def program_conversion(
    program: TemperatureProgram, times_s: FloatArray, A: float, Ea: float, model: ReactionModel
) -> FloatArray:
    """Conversion at times of a temperature program.

    Parameters
    ----------
    program : TemperatureProgram
    times_s : ndarray, shape (k,)
        Rising, from 0 on [s].
    A : float
        [1/s]
    Ea : float
        [J/mol]
    model : ReactionModel
        The truncated Sestak-Berggren model starts at a conversion of 1e-6.
    """
    t = np.asarray(times_s, dtype=np.float64)
    if t.ndim != 1 or t.size == 0 or bool((np.diff(t) < 0).any()) or t[0] < 0 or not np.isfinite(t).all():
        raise ValidityError("times: expected rising times from 0 s on.")
    corners = np.asarray(program.time_s)
    fine = np.linspace(0.0, max(float(t[-1]), 1e-9), 2000)
    edges = np.unique(np.concatenate([[0.0], t, fine, corners[corners < t[-1]]]))
    nodes, weights = gauss_times(edges)
    each = A * np.exp(-Ea / (R * program.at(nodes)))
    g = np.concatenate([[0.0], np.cumsum((each * weights).sum(axis=1))])
    return model_alpha(model, g[np.searchsorted(edges, t)])


def dtg_peak(A: float, Ea: float, model: ReactionModel, beta: float = AUDIT_RATE, *, start: float = 1e-6) -> float:
    """Temperature of the highest rate at a constant heating rate, from low temperature on [K].

    Parameters
    ----------
    A : float
        [1/s]
    Ea : float
        [J/mol]
    model : ReactionModel
    beta : float
        [K/s]; 10 K/min by default.
    start : float
        Conversion that a model without a closed form starts at [-].

    Raises
    ------
    ValidityError
        If the reaction is over below 150 K or has not begun at 3000 K.
    """
    low, high, steps = 150.0, 3000.0, 4000
    for _ in range(4):
        t = np.linspace(low, high, steps)
        g = np.exp(np.minimum(np.log(A / beta) + log_temperature_integral(Ea, t), 300.0))
        alpha = model_alpha(model, g, start)
        rate = A / beta * np.exp(-Ea / (R * t)) * np.where(alpha < 1.0 - 1e-9, model_f(model, alpha), 0.0)
        k = int(np.argmax(rate))
        if low == 150.0 and (k == 0 or k == steps - 1 or rate[k] <= 0):
            raise ValidityError(f"A = {A:g} 1/s and Ea = {Ea / 1e3:g} kJ/mol give no peak between 150 and 3000 K.")
        step = float(t[1] - t[0])
        low, high = float(t[max(k - 2, 0)]), float(t[min(k + 2, steps - 1)])
        steps = 400
        if step < 1e-3:
            break
    return float(t[k])
