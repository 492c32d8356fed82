"""What all readers of diffraction patterns share: names of axes, numbers, dates, and the checks of a scan.

An intensity is never corrected here: counts, count times and attenuation factors stay separate variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from ...i18n import say
from ..base import Array, Completeness, Reading, Source, Variable

_COUPLED = frozenset(
    ("2theta", "twotheta", "gonio", "2thetaomega", "twothetaomega", "2thetatheta", "twothetatheta", "omega2theta",
     "omegatwotheta", "theta2theta", "thetatwotheta", "coupled", "lockedcoupled", "unlockedcoupled", "2th", "2θ", "2θθ",
     "2θω", "ω2θ", "θ2θ", "°2theta", "°2th", "2thetascan", "detectorscan")
)  # fmt: skip
_NAMES = {"omega": "omega", "ω": "omega", "theta": "theta", "θ": "theta", "thetas": "theta_s", "thetad": "theta_d",
          "phi": "phi", "φ": "phi", "chi": "chi", "χ": "chi", "khi": "chi", "psi": "psi", "q": "q",
          "2thetachi": "two_theta_chi", "twothetachi": "two_theta_chi", "2thetachiphi": "two_theta_chi_phi",
          "twothetachiphi": "two_theta_chi_phi"}  # fmt: skip
_UNITS = {"deg": "degree", "°": "degree", "degree": "degree", "degrees": "degree", "": "1", "seconds": "s", "sec": "s"}
_LONG = {"two_theta": "scattering angle 2θ", "theta": "angle θ", "omega": "incidence angle ω", "q": "scattering vector"}
_NUMERIC = re.compile(r"[0-9eE+\-.\s]*\Z")
_INTEGER = re.compile(r"[0-9+\-\s]*\Z")


def axis_name(vendor: str) -> str:
    """Name of an axis: ``two_theta`` for 2θ and the coupled scans, else the vendor's own in plain letters."""
    folded = re.sub(r"[\s\-_/()]+", "", vendor.strip().lower())
    if folded in _COUPLED:
        return "two_theta"
    if folded in _NAMES:
        return _NAMES[folded]
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", vendor.strip())
    plain = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").lower()
    if not plain:
        return "scan_position"
    return plain if plain[0].isalpha() else f"axis_{plain}"


def unit_name(vendor: str) -> str:
    """Unit as this library writes it (``"deg"`` gives ``"degree"``); unknown ones stay."""
    return _UNITS.get(vendor.strip().lower(), vendor.strip() or "1")


def intensity_unit(vendor: str) -> str:
    """``"counts"``, ``"counts/s"`` or ``"1"`` where it is neither."""
    folded = re.sub(r"[\s.()\[\]]+", "", vendor.lower())
    if folded in ("counts", "count", "cts", "计数"):
        return "counts"
    if folded in ("cps", "counts/s", "counts/sec", "countspersecond", "cts/s", "count/s"):
        return "counts/s"
    return "1"


def numbers(text: str, source: Source, where: str) -> Array:
    """Blank-separated finite numbers; int64 if none has a point or exponent.

    Raises
    ------
    InstrumentError
        If one is not a plain finite number; names it.
    """
    items = text.split()
    try:
        if not _NUMERIC.match(text):
            raise ValueError
        if _INTEGER.match(text):
            return np.array(items, dtype=np.int64)
        values = np.array(items, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError
        return values
    except (ValueError, OverflowError):
        bad = next((i for i, item in enumerate(items) if not _is_number(item)), None)
        if bad is None:  # whole numbers that no int64 holds
            return np.array(items, dtype=np.float64)
        raise source.fail(say("sheet.value_number", index=bad + 1, cell=items[bad][:40]), where) from None


def _is_number(item: str) -> bool:
    try:
        return bool(_NUMERIC.match(item)) and bool(np.isfinite(float(item)))
    except ValueError:
        return False


def number(text: str, source: Source, where: str) -> float:
    """One finite number.

    Raises
    ------
    InstrumentError
    """
    found = numbers(text, source, where)
    if found.size != 1:
        raise source.fail(say("sheet.one_number", cell=text[:40]), where)
    return float(found[0])


def maybe(text: str) -> float | None:
    """A number of a header, or None where it is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in text else None


def narrow(values: Array) -> Array:
    """Whole numbers in int32 where they fit."""
    if values.dtype.kind == "i" and values.size and np.abs(values).max() < 2**31:
        return values.astype(np.int32)
    return values


def whole(values: Array) -> Array:
    """Floats that are all whole numbers as int32 (what a counter writes into a float field)."""
    if values.size and np.isfinite(values).all() and np.abs(values).max() < 2**24 and (values == np.rint(values)).all():
        return values.astype(np.int32)
    return values


def iso(text: str, *patterns: str) -> str:
    """A date and time in ISO 8601 by the first `strptime` pattern that fits, or an empty string."""
    for pattern in patterns:
        try:
            return datetime.strptime(text.strip(), pattern).isoformat()
        except ValueError:
            continue
    return ""


def wavelength(**given: float | None) -> dict[str, Any]:
    """Wavelengths [angstrom] that are known, as the entry ``metadata["wavelength"]``."""
    known: dict[str, Any] = {
        key: value
        for key, value in given.items()
        if value is not None and (value > 0 or (key == "ratio" and value == 0))
    }
    return {"wavelength": {**known, "units": "angstrom"}} if known else {}


def known(**given: Any) -> dict[str, Any]:
    """Entries that have a value."""
    return {key: value for key, value in given.items() if value not in (None, "")}


def scan(
    source: Source,
    *,
    axis: str,
    positions: Array,
    intensity: Array,
    unit: str,
    where: str = "",
    axis_unit: str = "degree",
    more: Mapping[str, tuple[Array, str, str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    completeness: Completeness = "unverified",
    **origin: str,
) -> Reading:
    """A `Reading` of one scan after the checks every scan must pass.

    Parameters
    ----------
    axis : str
        Name of the axis and of its dimension.
    positions, intensity : ndarray, shape (n,)
    unit : {"counts", "counts/s", "1"}
        Unit of the intensity; ``"1"`` adds a warning.
    more : mapping of str to (ndarray, unit, long name)
        Further variables along the axis, shape (n,).
    **origin : str
        ``sample``, ``measured_at``, ``operator``, ``instrument``, ``method``.

    Raises
    ------
    InstrumentError
        If there is no point, the lengths differ, or a position or value is not finite.
    """
    notes = list(warnings)
    n = int(intensity.shape[0])
    if n == 0:
        raise source.fail(say("sheet.no_point"), where)
    arrays = {axis: (positions, axis_unit, _LONG.get(axis, ""))}
    arrays["intensity"] = (intensity, unit, "diffracted intensity")
    for name, entry in (more or {}).items():
        if name not in arrays:
            arrays[name] = entry
    variables: dict[str, Variable] = {}
    for name, (values, units, long_name) in arrays.items():
        if values.shape != (n,):
            raise source.fail(f"{name} has {values.shape[0]} values, but the intensity has {n}.", where)
        bad = ~np.isfinite(values)
        if bad.any():
            raise source.fail(f"{name} of point {int(np.argmax(bad)) + 1} is {values[bad][0]}, not finite.", where)
        data = values.astype(np.float64) if name == axis else narrow(values)
        variables[name] = Variable((axis,), np.ascontiguousarray(data), units, long_name)
    steps = np.diff(variables[axis].data)
    if n > 1 and not ((steps > 0).all() or (steps < 0).all()):
        wrong = int(np.argmax(np.sign(steps) != np.sign(steps[0]) if steps[0] else steps == 0)) + 1
        notes.append(f"the axis {axis} does not run one way: see points {wrong} and {wrong + 1}")
    notes.extend(
        f"{negative} of {n} values of {name} are negative; kept as the file has them"
        for name in ("intensity", "counts")
        if name in variables and (negative := int((variables[name].data < 0).sum()))
    )
    if unit == "1":
        notes.append("the file does not say the unit of the intensity (counts or counts per second)")
    return Reading(
        "XRD",
        variables,
        metadata=dict(metadata or {}),
        warnings=tuple(notes),
        completeness=completeness,
        where=where,
        **origin,  # type: ignore[arg-type]
    )
