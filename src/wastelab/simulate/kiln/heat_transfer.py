"""Heat transfer in furnaces and kilns by published correlations, each a function named after its authors.

Arrays in, arrays out. What a correlation was fitted to stands in its notes; kilns are larger than most of it, which
the kiln models say in their warnings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ValidityError

FloatArray = NDArray[np.float64]

STEFAN_BOLTZMANN = 5.670374419e-8  #: [W/(m2 K4)]
ATM_BAR = 1.01325
PRANDTL = 0.71
#: Smith, Shen, Friedman (1982): ratio pH2O/pCO2 -> (absorption [1/(atm m)], weight polynomials in T).
_SMITH = {
    "CO2": ((0.3966, 15.64, 394.3), ((0.4334, 2.620, -1.560, 2.565), (-0.4814, 2.822, -1.794, 3.274),
                                     (0.5492, 0.1087, -0.3500, 0.9123))),
    "1": ((0.4303, 7.055, 178.1), ((5.150, -2.303, 0.9779, -1.494), (0.7749, 3.399, -2.297, 3.770),
                                   (1.907, -1.824, 0.5608, -0.5122))),
    "2": ((0.4201, 6.516, 131.9), ((6.508, -5.551, 3.029, -5.353), (-0.2504, 6.112, -3.882, 6.528),
                                   (2.718, -3.118, 1.221, -1.612))),
    "H2O": ((0.4098, 6.325, 120.5), ((5.977, -5.119, 3.042, -5.564), (0.5677, 3.333, -1.967, 2.718),
                                     (1.800, -2.334, 1.008, -1.454))),
}  # fmt: skip
_SCALE = np.array([1e-1, 1e-4, 1e-7, 1e-11])
#: Ratios pH2O/(pH2O + pCO2) of the four sets, between which emissivity is interpolated.
_RATIO = np.array([0.0, 0.5, 2.0 / 3.0, 1.0])


def smith_emissivity(temperature_K: ArrayLike, p_co2: ArrayLike, p_h2o: ArrayLike, path_m: ArrayLike) -> FloatArray:
    """Total emissivity of a mixture of CO2, H2O and clear gas by a weighted sum of grey gases.

    Parameters
    ----------
    temperature_K : array_like
        [K]; held at 600 and 2400 K outside of that.
    p_co2, p_h2o : array_like
        Partial pressures [bar].
    path_m : array_like
        Mean beam length [m].

    Returns
    -------
    ndarray
        [-]

    Notes
    -----
    Coefficients for pH2O/pCO2 = 0, 1, 2 and pure water vapour; in between the emissivity is interpolated over
    pH2O/(pH2O + pCO2), which is ours. Fitted for 600 to 2400 K and 0.001 to 10 atm m.

    References
    ----------
    Smith, T. F., Shen, Z. F., Friedman, J. N., J. Heat Transfer 104 (1982) 602-608, doi:10.1115/1.3245174;
    coefficients read in the OpenSMOKE++ sources (secondary).
    """
    t, c, w, s = np.broadcast_arrays(
        np.clip(np.asarray(temperature_K, dtype=np.float64), 600.0, 2400.0), p_co2, p_h2o, path_m
    )
    total = np.asarray(c + w, dtype=np.float64)
    x = total / ATM_BAR * s
    powers = np.stack([np.ones_like(t), t, t**2, t**3], axis=-1) * _SCALE
    sets = np.stack(
        [
            sum((powers @ np.array(b)) * -np.expm1(-k * x) for k, b in zip(*table, strict=True))
            for table in _SMITH.values()
        ],
        axis=-1,
    )
    ratio = np.where(total > 0, w / np.where(total > 0, total, 1.0), 0.0)
    i = np.clip(np.searchsorted(_RATIO, ratio, side="right") - 1, 0, 2)
    f = (ratio - _RATIO[i]) / (_RATIO[i + 1] - _RATIO[i])
    low = np.take_along_axis(sets, i[..., None], -1)[..., 0]
    high = np.take_along_axis(sets, i[..., None] + 1, -1)[..., 0]
    return np.asarray(np.clip(low + f * (high - low), 0.0, 1.0))


def sutherland_viscosity(temperature_K: ArrayLike) -> FloatArray:
    """Viscosity of air [Pa s], taken for kiln gas (Sutherland's formula, constants from memory)."""
    t = np.asarray(temperature_K, dtype=np.float64)
    return np.asarray(1.458e-6 * t**1.5 / (t + 110.4))


def oxygen_diffusivity(temperature_K: ArrayLike) -> FloatArray:
    """Diffusivity of oxygen in nitrogen at 1 bar [m2/s]: 2.0e-5 (T/293 K)^1.75.

    References
    ----------
    Exponent of Fuller, E. N., Schettler, P. D., Giddings, J. C., Ind. Eng. Chem. 58 (1966) 18-27; value at 293 K from
    memory.
    """
    return np.asarray(2.0e-5 * (np.asarray(temperature_K, dtype=np.float64) / 293.0) ** 1.75)


def tscheng_watkinson_gas(
    reynolds: ArrayLike, reynolds_rotation: ArrayLike, filling: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Nusselt numbers gas to bed and gas to exposed wall of a rotary kiln, on the hydraulic diameter.

    Parameters
    ----------
    reynolds : array_like
        Axial, D_e u / nu [-].
    reynolds_rotation : array_like
        D_e^2 omega / nu [-].
    filling : array_like
        Share of the cross-section that the bed takes [-].

    Returns
    -------
    gas_bed, gas_wall : ndarray

    Notes
    -----
    Nu = 0.46 Re^0.535 Re_w^0.104 eta^-0.341 and 1.54 Re^0.575 Re_w^-0.292, measured for 1600 < Re < 7800,
    20 < Re_w < 800 in a kiln of 0.19 m: larger kilns are an extrapolation.

    References
    ----------
    Tscheng, S. H., Watkinson, A. P., Can. J. Chem. Eng. 57 (1979) 433-443, doi:10.1002/cjce.5450570405 (constants from
    memory).
    """
    re, rw = np.asarray(reynolds, dtype=np.float64), np.asarray(reynolds_rotation, dtype=np.float64)
    eta = np.asarray(filling, dtype=np.float64)
    return np.asarray(0.46 * re**0.535 * rw**0.104 * eta**-0.341), np.asarray(1.54 * re**0.575 * rw**-0.292)


def tscheng_watkinson_covered(
    conductivity: ArrayLike, diffusivity: ArrayLike, radius_m: ArrayLike, angle: ArrayLike, omega: ArrayLike
) -> FloatArray:
    """Coefficient of the covered wall to the bed above it [W/(m2 K)].

    Parameters
    ----------
    conductivity : array_like
        Of the bed [W/(m K)].
    diffusivity : array_like
        Of the bed [m2/s].
    radius_m, angle, omega : array_like
        Inner radius [m], central angle of the bed [rad], rotation [rad/s].

    Notes
    -----
    h = 11.6 k / (R angle) (omega R^2 angle / a)^0.3.

    References
    ----------
    Tscheng & Watkinson (1979), as above (constants from memory).
    """
    k, r, g = np.asarray(conductivity), np.asarray(radius_m), np.asarray(angle)
    return np.asarray(11.6 * k / (r * g) * (np.asarray(omega) * r**2 * g / np.asarray(diffusivity)) ** 0.3)


def sullivan_residence(length_m: float, diameter_m: float, rpm: float, slope: float) -> float:
    """Residence time of the solids in a rotary kiln [s].

    Parameters
    ----------
    length_m, diameter_m : float
        Inside the lining [m].
    rpm : float
        [1/min]
    slope : float
        Rise over run [m/m].

    Notes
    -----
    t [min] = 0.19 L / (N D s), free-flowing solids without dams.

    References
    ----------
    Sullivan, J. D., Maier, C. G., Ralston, O. C., U.S. Bureau of Mines Technical Paper 384 (1927); the form with 0.19
    read in secondary sources.
    """
    for name, v in (("length", length_m), ("diameter", diameter_m), ("rpm", rpm), ("slope", slope)):
        if not v > 0:
            raise ValidityError(f"kiln {name} = {v:g} is not above zero.")
    return 60.0 * 0.19 * length_m / (rpm * diameter_m * slope)


def bed_angle(filling: ArrayLike) -> FloatArray:
    """Central angle of a bed that takes a share of the cross-section [rad]; filling = (angle - sin angle) / 2 pi."""
    eta = np.asarray(filling, dtype=np.float64)
    angle = np.clip((12.0 * np.pi * eta) ** (1.0 / 3.0), 1e-4, 2 * np.pi - 1e-4)
    for _ in range(30):
        step = (angle - np.sin(angle) - 2 * np.pi * eta) / np.maximum(1.0 - np.cos(angle), 1e-12)
        angle = np.clip(angle - np.clip(step, -0.5, 0.5), 1e-6, 2 * np.pi - 1e-6)
        if np.abs(step).max() < 1e-13:
            break
    return np.asarray(angle)


def ranz_marshall(reynolds: ArrayLike, prandtl: float = PRANDTL) -> FloatArray:
    """Nusselt (or Sherwood) number of a sphere: 2 + 0.6 Re^1/2 Pr^1/3.

    References
    ----------
    Ranz, W. E., Marshall, W. R., Chem. Eng. Prog. 48 (1952) 141-146, 173-180; Re < 200 [from memory].
    """
    return np.asarray(2.0 + 0.6 * np.sqrt(np.asarray(reynolds, dtype=np.float64)) * prandtl ** (1.0 / 3.0))
