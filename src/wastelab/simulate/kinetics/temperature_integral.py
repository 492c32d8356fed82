"""The temperature integral of kinetics in closed form, to 1e-12 relative.

I(T) = integral of exp(-Ea/RT') dT' from 0 to T = T E2(Ea/RT), E2 the exponential integral of order two; no
approximation of Doyle, Coats-Redfern or Senum-Yang is made. See `separable` for whole programs.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ValidityError
from ..heating import TemperatureProgram, as_program
from ._integral_kernels import GAS_CONSTANT, SCALE, integrals, segment, smooth_part

FloatArray = NDArray[np.float64]

#: Range in which the stated error holds, outside of which a value is refused: Ea [J/mol], temperature [K].
EA_RANGE = (10e3, 1000e3)
T_RANGE = (273.0, 2273.15)
#: Stated relative error of every integral in that range.
RELATIVE_ERROR = 1e-12
_CELLS, _ORDER = 512, 6
_X_RANGE = (0.5, 460.0)  # of Ea/RT, a little wider than the ranges above give


@cache
def table() -> tuple[FloatArray, float, float]:
    """Quintics of x exp(x) E2(x) in w = 8/(8 + x), the first w, and cells per unit of w; for kernels."""
    from scipy.special import expn

    low, high = SCALE / (SCALE + _X_RANGE[1]), SCALE / (SCALE + _X_RANGE[0])
    step = (high - low) / _CELLS
    nodes = 0.5 - 0.5 * np.cos((2 * np.arange(_ORDER) + 1) * np.pi / (2 * _ORDER))
    w = low + step * (np.arange(_CELLS)[:, None] + nodes)
    x = SCALE / w - SCALE
    values = x * np.exp(x) * expn(2, x)
    cells = np.linalg.solve(np.vander(nodes, _ORDER, increasing=True), values.T).T
    cells = np.ascontiguousarray(cells)
    cells.setflags(write=False)
    return cells, low, 1.0 / step


def temperature_integral(Ea: ArrayLike, temperature_K: ArrayLike, lower_K: ArrayLike | None = None) -> FloatArray:
    """Integral of exp(-Ea/RT) dT.

    Parameters
    ----------
    Ea : array_like
        Activation energy [J/mol], 10 to 1000 kJ/mol.
    temperature_K : array_like
        Upper limit [K], 273 to 2273 K.
    lower_K : array_like, optional
        Lower limit [K]; 0 K if not given.

    Returns
    -------
    ndarray
        [K], of the shape the arguments broadcast to; relative error at most 1e-12.

    Raises
    ------
    ValidityError
        Outside the ranges.
    """
    upper = np.asarray(temperature_K, dtype=np.float64)
    energy, lower, upper = np.broadcast_arrays(
        check_range("Ea", Ea, EA_RANGE, "J/mol") / GAS_CONSTANT,
        check_range("temperature", upper if lower_K is None else lower_K, T_RANGE, "K"),
        check_range("temperature", upper, T_RANGE, "K"),
    )
    out = np.empty(energy.shape)
    flat = (
        np.ascontiguousarray(energy).ravel(),
        np.ascontiguousarray(lower).ravel(),
        np.ascontiguousarray(upper).ravel(),
    )
    integrals(*flat, lower_K is None, *table(), out.reshape(-1))
    return out


def p_function(x: ArrayLike) -> FloatArray:
    """p(x) = integral of exp(-u)/u^2 du from x to infinity = E2(x)/x; x = Ea/RT from 0.53 to 440 [-]."""
    values = check_range("Ea/RT", x, (0.529, 441.0), "")
    cells = table()
    smooth = np.array([smooth_part(v, *cells) for v in values.ravel()]).reshape(values.shape)
    return np.asarray(np.exp(-values) / values**2 * smooth)


def program_integral(program: TemperatureProgram | str, Ea: float) -> FloatArray:
    """Integral of exp(-Ea/RT) dt from the start to each corner of a temperature program [s]; holds exact."""
    p = as_program(program)
    check_range("temperature", p.temperature_K, T_RANGE, "K")
    energy = float(check_range("Ea", Ea, EA_RANGE, "J/mol")) / GAS_CONSTANT
    parts = [
        segment(energy, p.temperature_K[i], p.temperature_K[i + 1], p.time_s[i + 1] - p.time_s[i], *table())
        for i in range(len(p.time_s) - 1)
    ]
    return np.concatenate([[0.0], np.cumsum(parts)])


def check_range(name: str, value: ArrayLike, limits: tuple[float, float], unit: str) -> FloatArray:
    """The values as floats.

    Raises
    ------
    ValidityError
        If one is not a number or outside the limits.
    """
    x = np.asarray(value, dtype=np.float64)
    bad = ~((x >= limits[0]) & (x <= limits[1]))
    if bad.any():
        raise ValidityError(
            f"{name} = {x[bad].flat[0]:g} {unit}".rstrip()
            + f" is outside {limits[0]:g} to {limits[1]:g} {unit}".rstrip()
            + ", where the temperature integral holds to 1e-12."
        )
    return x
