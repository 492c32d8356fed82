"""Simulated thermogravimetric runs for tests: closed forms by SciPy, independent of the fitting code."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.special import expn

from wastelab.simulate.kinetics import reaction_model

R = 8.31446261815324
RATES = (2.5, 5.0, 10.0, 20.0)


def theta(Ea, temperature_K):
    """Integral of exp(-Ea/RT) from 0 K [K], with SciPy's exponential integral."""
    return temperature_K * expn(2, Ea / (R * temperature_K))


def conversion(model, Ea, ln_A, beta, temperature_K):
    """Conversion at a constant heating rate [K/s]."""
    if model.startswith("SB"):
        return _sestak_berggren(reaction_model(model), Ea, ln_A, beta, temperature_K)
    g = np.exp(ln_A) / beta * (theta(Ea, temperature_K) - theta(Ea, temperature_K[0]))
    return reaction_model(model).alpha(g)


def _sestak_berggren(model, Ea, ln_A, beta, temperature_K):
    """For m < 1: the integral of 1/f by quadrature, inverted by interpolation on a fine grid."""
    u = np.linspace(-16.0, 16.0, 1200)
    alpha = 1.0 / (1.0 + np.exp(-u))
    pieces = [quad(lambda x: x**-model.m * (1 - x) ** -model.n, a, b, epsrel=1e-12)[0]
              for a, b in pairwise(alpha)]  # fmt: skip
    first = alpha[0] ** (1 - model.m) / (1 - model.m)
    g = np.exp(ln_A) / beta * (theta(Ea, temperature_K) - theta(Ea, temperature_K[0]))
    from scipy.interpolate import CubicSpline

    total = first + np.concatenate([[0.0], np.cumsum(pieces)])
    inner = CubicSpline(np.log(total), u)(np.log(np.clip(g, total[0], total[-1])))
    return np.where(g < total[0], 0.0, 1.0 / (1.0 + np.exp(-inner)))


def runs(parts, rates=RATES, *, noise=0.0, seed=0, low=300.0, high=1100.0, step=0.5, loss=0.44, mass_mg=5.0):
    """Runs as mappings with units; `parts` are (share, model, Ea [J/mol], ln A). Noise relative to the step."""
    rng = np.random.default_rng(seed)
    out = []
    for rate in rates:
        temperature = np.arange(low, high, step)
        alpha = sum(share * conversion(model, Ea, ln_A, rate / 60, temperature) for share, model, Ea, ln_A in parts)
        alpha = alpha + rng.normal(0.0, noise, temperature.size)
        out.append({
            "time_s": (temperature - low) / (rate / 60), "temperature_K": temperature,
            "mass_mg": mass_mg * (1.0 - loss * alpha), "name": f"{rate:g} K/min",
        })  # fmt: skip
    return out


SINGLE = {
    "F1": (150e3, 23.0),
    "A2": (150e3, 22.0),
    "R3": (200e3, 28.0),
    "D4": (250e3, 30.0),
}
