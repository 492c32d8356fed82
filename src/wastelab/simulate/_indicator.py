"""What all indicators share: reading a mix as ignited oxides, and results that carry units, source and warnings.

Every result is an `xarray.Dataset` that netCDF can hold: texts as attributes, lists joined by line breaks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import MissingDataError, ValidityError
from ..provenance import Source, weakest
from .charge import as_charge

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Variable of a result: dims, values, units, text.
Entry = tuple[tuple[str, ...], ArrayLike, str, str]


def dataset(
    title: str,
    variables: Mapping[str, Entry],
    sources: Iterable[Source],
    *,
    coords: Mapping[str, Any] | None = None,
    assumptions: Sequence[str] = (),
    warnings: Sequence[str] = (),
    inputs: Sequence[Any] = (),
) -> xr.Dataset:
    """A result with units on every variable, sources, the weakest evidence, and a hash of its inputs."""
    import xarray as xr

    from .. import __version__

    sources = tuple(sources)
    out = xr.Dataset(
        {
            name: (dims, np.asarray(values), {"units": units, "long_name": text})
            for name, (dims, values, units, text) in variables.items()
        },
        coords=dict(coords or {}),
    )
    for name in out.coords:
        out[name].attrs.setdefault("units", "1")
    out.attrs = {
        "title": title,
        "source": "\n".join(dict.fromkeys(str(s) for s in sources)),
        "evidence": str(weakest(s.evidence for s in sources)),
        "assumptions": "\n".join(assumptions),
        "warnings": "\n".join(warnings),
        "wastelab_version": __version__,
        "input_sha256": digest(inputs),
    }
    return out


def digest(inputs: Sequence[Any]) -> str:
    """SHA-256 of numbers, arrays and texts."""
    h = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            h.update(item.encode())
        elif isinstance(item, Mapping):
            for key in sorted(item):
                h.update(str(key).encode())
                h.update(np.ascontiguousarray(item[key], dtype=np.float64).tobytes())
        else:
            h.update(np.ascontiguousarray(item, dtype=np.float64).tobytes())
    return h.hexdigest()


def ignited_oxides(mix: Any, needed: Sequence[str], what: str) -> tuple[dict[str, FloatArray], tuple[Any, ...]]:
    """Oxides of a mix per ignited mass [wt%], and the labels of the mixes.

    Raises
    ------
    MissingDataError
        If an oxide that is needed was not given: what is not measured is not zero.
    """
    charge = as_charge(mix)
    lacking = [o for o in needed if o not in charge.oxides]
    if lacking:
        raise MissingDataError(
            f"{what} needs {', '.join(lacking)}, which the mix does not give; measure it (XRF), or give 0 if it is "
            "known to be absent."
        )
    loss = np.where(np.isfinite(charge.loss), charge.loss, 0.0)
    factor = 1.0 / (1.0 - loss / 100.0)
    return {o: np.asarray(charge.oxides[o], dtype=np.float64) * factor for o in needed}, charge.labels


def oxide(mix: Any, name: str) -> FloatArray | None:
    """One oxide per ignited mass [wt%], or None where it was not given."""
    if name not in as_charge(mix).oxides:
        return None
    return ignited_oxides(mix, (name,), name)[0][name]


def array_within(
    values: ArrayLike, low: float, high: float, name: str, units: str, *, inclusive: bool = True
) -> FloatArray:
    """Values as float64, all finite and between the limits.

    Raises
    ------
    ValidityError
        Names the first value outside.
    """
    try:
        out = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValidityError(f"{name} = {values!r} is not a number or an array of numbers [{units}].") from None
    ok = (out >= low) & (out <= high) if inclusive else (out > low) & (out < high)
    if out.size == 0 or not ok.all():
        first = "nothing" if out.size == 0 else f"{out[~ok].flat[0]:g}"
        edge = "" if inclusive else " (limits excluded)"
        raise ValidityError(f"{name}: found {first}, expected {low:g} to {high:g} {units}{edge}.")
    return out


__all__ = ["array_within", "dataset", "digest", "ignited_oxides", "oxide"]
