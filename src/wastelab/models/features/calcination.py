"""State of calcined materials: temperature and time in one number, and what is left of the loss on ignition."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ValidityError
from ...provenance import Evidence, Source
from ..design import FloatArray
from .arrays import floats, over
from .binder import DEFINITION
from .offer import Derived, Offer, ratio
from .plan import Step, formula

LARSON_MILLER = Source(
    "F. R. Larson, J. Miller, A time-temperature relationship for rupture and creep stresses, Transactions of the ASME "
    "74 (1952) 765-775; constant 20, borrowed from creep to rank heat treatments",
    Evidence.MEMORY,
)


@formula
def larson_miller(temperature: ArrayLike, time: ArrayLike) -> FloatArray:
    """Severity of a heat treatment ``T (20 + log10 t) / 1000`` [1000 K], T in K, t in h.

    Parameters
    ----------
    temperature : array_like
        [degC].
    time : array_like
        At that temperature [h], above 0; missing where it is 0.

    Returns
    -------
    ndarray

    Raises
    ------
    ValidityError
        If a time is negative, or a temperature below absolute zero.

    Notes
    -----
    It ranks treatments by a thermally activated process with one activation energy. It knows no reaction; for those
    see `wastelab.calcine`.

    References
    ----------
    F. R. Larson, J. Miller, Transactions of the ASME 74 (1952) 765-775.
    """
    kelvin, hours = floats(temperature) + 273.15, floats(time)
    if bool(np.any(hours < 0.0)) or bool(np.any(kelvin <= 0.0)):
        raise ValidityError("calcination for a negative time or below absolute zero; correct the table.")
    out: FloatArray = kelvin * (20.0 + np.log10(np.where(hours > 0.0, hours, np.nan))) / 1000.0
    return out


def loi_left(after: ArrayLike, before: ArrayLike) -> FloatArray:
    """Share of the loss on ignition that calcination left [1]."""
    return over(after, before)


def _left(offer: Offer) -> list[Step]:
    after, before = offer.one("loi_after"), offer.one("loi_before")
    if after is None or before is None:
        return []
    return ratio("LOI left", {after.column: after.slope}, {before.column: before.slope})


DERIVED = (
    Derived("calcination severity", "1000 K", "T (20 + log10 t) / 1000 with T in K, t in h", LARSON_MILLER,
            larson_miller,
            lambda offer: offer.call("calcination severity", larson_miller, temperature="calcination_temperature",
                                     time="calcination_time"), "煅烧强度"),
    Derived("LOI left", "", "LOI after / LOI before calcination", DEFINITION, loi_left, _left, "残余烧失量比例"),
)  # fmt: skip
