"""Age and maturity: the equivalent age at 20 degC by Freiesleben Hansen and Pedersen, or by Nurse and Saul.

Both are for Portland cement. What is outside their range of temperature is refused by the plain functions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ModelError, ValidityError
from ...provenance import Evidence, Source
from ..design import FloatArray
from .arrays import floats
from .plan import formula

FREIESLEBEN_HANSEN_PEDERSEN = Source(
    "P. Freiesleben Hansen, E. J. Pedersen, Maturity computer for controlled curing and hardening of concrete, Nordisk "
    "Betong 1 (1977) 21-25",
    Evidence.MEMORY,
)
SAUL = Source(
    "A. G. A. Saul, Principles underlying the steam curing of concrete at atmospheric pressure, Magazine of Concrete "
    "Research 2 (6) (1951) 127-140; datum -10 degC",
    Evidence.MEMORY,
    doi="10.1680/macr.1951.2.6.127",
)
#: Temperatures [degC] where an equivalent age is computed: cement hardly reacts below, other phases form above.
VALID = (-10.0, 80.0)
#: Age [d] that stands for 0 in the logarithm: a mix that was just made, younger than any test.
LEAST_AGE = 1e-9
#: Temperature [degC] at and below which nothing matures by Nurse and Saul.
DATUM = -10.0
_GAS_CONSTANT = 8.314462618e-3  # kJ/(mol K)


def freiesleben_hansen_pedersen(age: ArrayLike, temperature: ArrayLike, reference: float = 20.0) -> FloatArray:
    """Equivalent age at a reference temperature, Arrhenius with the activation energy of Portland cement.

    Parameters
    ----------
    age : array_like
        [d].
    temperature : array_like
        Constant temperature of curing [degC].
    reference : float
        [degC].

    Returns
    -------
    ndarray
        Age at which the same mix at the reference temperature is as mature [d].

    Raises
    ------
    ValidityError
        Outside -10 to 80 degC.

    Notes
    -----
    Ea = 33.5 kJ/mol from 20 degC on and 33.5 + 1.47 (20 - T) below. Slag, ash and alkali-activated binders have other
    activation energies; long-term strength falls with temperature, which no equivalent age says.

    References
    ----------
    P. Freiesleben Hansen, E. J. Pedersen, Nordisk Betong 1 (1977) 21-25.
    """
    t = _valid(temperature)
    energy = 33.5 + 1.47 * np.maximum(20.0 - t, 0.0)
    rate = np.exp(energy / _GAS_CONSTANT * (1.0 / (273.15 + reference) - 1.0 / (273.15 + t)))
    out: FloatArray = floats(age) * rate
    return out


def nurse_saul(age: ArrayLike, temperature: ArrayLike, reference: float = 20.0, datum: float = DATUM) -> FloatArray:
    """Equivalent age by temperature above a datum times time.

    Parameters
    ----------
    age : array_like
        [d].
    temperature : array_like
        Constant temperature of curing [degC].
    reference, datum : float
        [degC].

    Returns
    -------
    ndarray
        [d].

    Raises
    ------
    ValidityError
        Outside -10 to 80 degC.

    References
    ----------
    A. G. A. Saul, Magazine of Concrete Research 2 (6) (1951) 127-140, doi:10.1680/macr.1951.2.6.127.
    """
    out: FloatArray = floats(age) * (_valid(temperature) - datum) / (reference - datum)
    return out


def _valid(temperature: ArrayLike) -> FloatArray:
    t = floats(temperature)
    bad = t[(t < VALID[0]) | (t > VALID[1])]
    if bad.size:
        raise ValidityError(
            f"curing at {bad.flat[0]:g} degC: the equivalent age holds from {VALID[0]:g} to {VALID[1]:g} degC. Leave "
            f"such tests out of it, or use the age as it is."
        )
    return t


#: Maturity functions by name.
MATURITY = {"freiesleben_hansen_pedersen": freiesleben_hansen_pedersen, "nurse_saul": nurse_saul}


@formula
def equivalent_age(
    age: ArrayLike, temperature: ArrayLike, duration: ArrayLike = np.inf, maturity: str = "freiesleben_hansen_pedersen"
) -> FloatArray:
    """Age of each row at 20 degC where that is known and holds; the age itself elsewhere.

    Parameters
    ----------
    age : array_like
        [d].
    temperature : array_like
        Of curing [degC]; NaN where not known.
    duration : array_like
        Time of curing at that temperature [h], the rest being at 20 degC; NaN where not known.
    maturity : str
        Name of the function, see `MATURITY`.

    Returns
    -------
    ndarray
        [d].
    """
    days = floats(age)
    t, cured = np.broadcast_to(floats(temperature), days.shape), np.minimum(days, floats(duration) / 24.0)
    known = holds(t, maturity) & ~np.isnan(cured)
    out = days.copy()
    out[known] = MATURITY[maturity](cured[known], t[known]) + (days - cured)[known]
    return out


def holds(temperature: ArrayLike, maturity: str = "freiesleben_hansen_pedersen") -> np.typing.NDArray[np.bool_]:
    """Where an equivalent age can be computed: at a known temperature, by Nurse and Saul above their datum."""
    t = floats(temperature)
    return (t >= VALID[0]) & (t <= VALID[1]) & ((t > DATUM) | (maturity != "nurse_saul"))


def log_age(days: ArrayLike, *, column: str = "age", tested: bool = False) -> FloatArray:
    """Natural logarithm of ages; of age 0 that of `LEAST_AGE`, missing where the age is.

    Parameters
    ----------
    days : array_like
        [d].
    column : str
        For errors.
    tested : bool
        Whether these are ages of tests, which are above 0.

    Returns
    -------
    ndarray
        [ln d].

    Raises
    ------
    ModelError
        If an age is below 0, or that of a test is 0.
    """
    t = floats(days)
    bad = np.flatnonzero((t < 0.0) | (tested & (t == 0.0)))
    if bad.size:
        raise ModelError(
            f"{column} is {t[bad[0]]:g} d in row {bad[0] + 1}"
            + (f" (and in {bad.size - 1} more)" if bad.size > 1 else "")
            + ("; a test has an age above 0 d. Correct the age, leave the row out, or leave out the column of ages for "
               "a property of the fresh mix." if tested else "; an age is 0 d or more. Correct it.")
        )  # fmt: skip
    out: FloatArray = np.log(np.maximum(t, LEAST_AGE))
    return out
