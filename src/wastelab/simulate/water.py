"""Free water of a moist solid: how a person states it, its heat, and the vapour pressure at which it stays liquid.

One model for whatever is heated. Pure bulk water: no adsorption, no capillaries, no dissolved salts, all of which hold
water back.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnitError, ValidityError
from ..provenance import Evidence, Source
from ..reference.phase import T0, Phase, Segment
from ..reference.thermochemistry import Thermochemistry, thermochemistry
from ..units import parse
from .gypsum import wagner_pruss

FloatArray = NDArray[np.float64]

#: Name of free water among the phases of a charge.
NAME = "water"
#: Enthalpy of formation [J/mol], entropy [J/(mol K)] and heat capacity [J/(mol K)] of the liquid.
ENTHALPY_OF_FORMATION, ENTROPY, HEAT_CAPACITY = -285830.0, 69.95, 75.3
SOURCE = Source(
    "liquid water: enthalpy of formation and entropy of CODATA, heat capacity constant at 75.3 J/(mol K)",
    Evidence.MEMORY,
    note="from memory; with the vapour of the thermochemical set, taken as ideal, 0.997 bar at 100 degC",
)
#: Free water of the moist mass from which a sample is no longer a moist solid [kg/kg].
MOST_MOISTURE = 0.95
_HIGHEST = 643.15  # end of the fit of the saturation pressure [K]


def parse_moisture(moisture: str | None, what: str = "moisture") -> float:
    """Free water as people state it.

    Parameters
    ----------
    moisture : str or None
        ``"8 %"`` of the moist mass (loss at 105 degC over the mass as weighed in); None for a dry solid.
    what : str
        Name of the field, for messages.

    Returns
    -------
    float
        [kg/kg dry]

    Raises
    ------
    UnitError
        If it is no text with a unit.
    ValidityError
        If it is not from 0 to below 95 %.
    """
    if moisture is None:
        return 0.0
    if not isinstance(moisture, str):
        raise UnitError(
            f"{what} = {moisture!r} does not say of what it is a share; write it as text, '8 %', of the moist mass."
        )
    wet = parse(moisture, "kg/kg", what=what)
    if not 0.0 <= wet < MOST_MOISTURE:
        raise ValidityError(
            f"{what} = {moisture!r}; expected 0 to below {100 * MOST_MOISTURE:g} % of the moist mass (loss at 105 degC "
            "over the mass as weighed in)."
        )
    return wet / (1.0 - wet)


def saturation_pressure(temperature_K: ArrayLike) -> FloatArray:
    """Vapour pressure of water [bar], by `wastelab.simulate.gypsum.wagner_pruss` from 0.01 to 370 degC.

    Beyond these ends ln p goes on as a straight line in 1/T; above 374 degC there is no liquid, and the value only
    serves to compare pressures with.
    """
    t = np.asarray(temperature_K, dtype=np.float64)
    low, high = 273.16, _HIGHEST
    inside = np.clip(t, low, high)
    value = np.log(wagner_pruss(inside - 273.15))
    for end, beside in ((low, low + 1.0), (high, high - 1.0)):
        a, b = np.log(wagner_pruss(end - 273.15)), np.log(wagner_pruss(beside - 273.15))
        slope = (b - a) / (1.0 / beside - 1.0 / end)
        value = value + np.where(inside == end, slope * (1.0 / t - 1.0 / end), 0.0)
    return np.asarray(np.exp(value))


def enthalpy(temperature_K: ArrayLike) -> FloatArray:
    """Enthalpy of liquid water: of formation plus heat content [J/mol]."""
    return np.asarray(ENTHALPY_OF_FORMATION + HEAT_CAPACITY * (np.asarray(temperature_K, dtype=np.float64) - T0))


def heat_of_evaporation(temperature_K: ArrayLike, thermo: Thermochemistry | None = None) -> FloatArray:
    """Heat taken up by evaporation [J/mol], against the vapour of the thermochemical set."""
    t = np.asarray(temperature_K, dtype=np.float64)
    return np.asarray((thermo or thermochemistry())["H2O(g)"].enthalpy(t) - enthalpy(t))


@cache
def liquid() -> Phase:
    """Liquid water as a phase beside those of the thermochemical set, 273.15 to 643 K."""
    h0 = ENTHALPY_OF_FORMATION - HEAT_CAPACITY * T0
    slope = HEAT_CAPACITY - ENTROPY + HEAT_CAPACITY * math.log(T0)
    rest = (0.0,) * 5
    part = Segment(
        273.15, _HIGHEST, (HEAT_CAPACITY, *rest), (h0, slope, -HEAT_CAPACITY, *rest), (h0, HEAT_CAPACITY, 0.0, *rest)
    )
    return Phase(NAME, "H2O", "solid", (part,), ENTHALPY_OF_FORMATION, ENTROPY, None, "", SOURCE)


def with_water(thermo: Thermochemistry) -> Thermochemistry:
    """A thermochemical set that knows liquid water, its own where it has one."""
    return thermo if NAME in thermo else Thermochemistry([*thermo.values(), liquid()])
