"""Curing by heat, in an autoclave, or in CO2: how severe it was. Doses are products, not reaction rates.

Whether a specimen was cured so at all is a column of the table (0 or 1, or a word) and stays one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..design import FloatArray
from .arrays import floats
from .binder import DEFINITION
from .offer import Derived
from .plan import formula


@formula
def heat_dose(temperature: ArrayLike, time: ArrayLike) -> FloatArray:
    """Curing above 20 degC times its duration [K h]; 0 at or below 20 degC.

    Parameters
    ----------
    temperature : array_like
        [degC].
    time : array_like
        [h].
    """
    out: FloatArray = np.maximum(floats(temperature) - 20.0, 0.0) * floats(time)
    return out


@formula
def autoclave_dose(temperature: ArrayLike, time: ArrayLike) -> FloatArray:
    """Steam above 100 degC times the time at it [K h]; 0 at or below 100 degC.

    Parameters
    ----------
    temperature : array_like
        [degC].
    time : array_like
        [h].
    """
    out: FloatArray = np.maximum(floats(temperature) - 100.0, 0.0) * floats(time)
    return out


@formula
def autoclave_pressure_dose(pressure: ArrayLike, time: ArrayLike) -> FloatArray:
    """Steam pressure times the time at it [MPa h].

    Parameters
    ----------
    pressure : array_like
        [MPa], as the table has it (gauge or absolute).
    time : array_like
        [h].
    """
    out: FloatArray = floats(pressure) * floats(time)
    return out


@formula
def co2_dose(concentration: ArrayLike, time: ArrayLike) -> FloatArray:
    """CO2 content of the gas times the time in it [% h].

    Parameters
    ----------
    concentration : array_like
        [vol%].
    time : array_like
        [h].
    """
    out: FloatArray = floats(concentration) * floats(time)
    return out


DERIVED = (
    Derived("heat dose", "K h", "(curing temperature - 20 degC) * curing time, not below 0", DEFINITION, heat_dose,
            lambda o: o.call("heat dose", heat_dose, temperature="curing_temperature", time="curing_time"),
            "热养护剂量"),
    Derived("autoclave dose", "K h", "(autoclave temperature - 100 degC) * time, not below 0", DEFINITION,
            autoclave_dose,
            lambda o: o.call("autoclave dose", autoclave_dose, temperature="autoclave_temperature",
                             time="autoclave_time"), "蒸压剂量"),
    Derived("autoclave pressure dose", "MPa h", "autoclave pressure * time", DEFINITION, autoclave_pressure_dose,
            lambda o: o.call("autoclave pressure dose", autoclave_pressure_dose, pressure="autoclave_pressure",
                             time="autoclave_time"), "蒸压压力剂量"),
    Derived("CO2 dose", "% h", "CO2 content of the gas * time", DEFINITION, co2_dose,
            lambda o: o.call("CO2 dose", co2_dose, concentration="carbonation_co2", time="carbonation_time"),
            "CO2养护剂量"),
)  # fmt: skip
