"""Points of a gas sorption isotherm, checked: pressures and loadings finite, branches named, monotone or warned of.

Shared by the readers of sorption instruments. Not a reader itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import Source, Variable

Column = NDArray[np.float64]


def isotherm(
    source: Source,
    *,
    loading: Sequence[float] | Column,
    loading_units: str,
    pressure: Sequence[float] | Column | None = None,
    saturation: Sequence[float] | Column | None = None,
    pressure_units: str = "",
    relative: Sequence[float] | Column | None = None,
    branch: Sequence[int] | None = None,
    warnings: list[str],
    meta: dict[str, Any],
) -> dict[str, Variable]:
    """Variables of an isotherm along ``point``.

    Parameters
    ----------
    loading : sequence of float
        Amount adsorbed, gas volume at STP.
    loading_units : str
        ``"cm3/g"`` (per gram of sample) or ``"cm3"`` (of the whole test portion).
    pressure, saturation : sequence of float, optional
        [pressure_units]
    relative : sequence of float, optional
        p/p0 as printed; computed from the two others where it is not.
    branch : sequence of int, optional
        0 adsorption, 1 desorption; by the turning point of pressure where the file does not mark it.
    warnings, meta
        Extended with what a person should know.

    Raises
    ------
    InstrumentError
        If there is no point, a number is not finite or negative, or there is no way to a relative pressure.
    """
    load = np.asarray(loading, dtype=float)
    if load.size == 0:
        raise source.fail("holds no point of an isotherm; the analysis was not finished or the file is cut.")
    p = None if pressure is None else np.asarray(pressure, dtype=float)
    p0 = None if saturation is None else np.asarray(saturation, dtype=float)
    if relative is not None:
        rel, long = np.asarray(relative, dtype=float), "p/p0"
    elif p is not None and p0 is not None and (p0 > 0).all():
        rel, long = p / p0, "p/p0, from the printed pressures"
    else:
        raise source.fail("has neither relative pressures nor saturation pressures.")
    for name, column in (("loading", load), ("pressure", p), ("relative pressure", rel), ("saturation pressure", p0)):
        if column is not None and (column.shape != load.shape or not np.isfinite(column).all()):
            raise source.fail(f"has a {name} that is missing or not finite.")
    for name, column in (("pressure", p), ("relative pressure", rel)):
        if column is not None and (column < 0).any():
            raise source.fail(f"has a negative {name} at point {int(np.flatnonzero(column < 0)[0]) + 1}.")
    if (rel > 1.5).any():
        raise source.fail(f"has a relative pressure of {rel.max():g}; expected at most about 1.")
    if branch is None:
        top = int(np.argmax(rel))
        marks = (np.arange(len(rel)) > top).astype(np.int32)
        meta["branch"] = "by the turning point of pressure; the file does not mark it"
    else:
        marks = np.asarray(branch, dtype=np.int32)
    for value, name, sign in ((0, "adsorption", 1.0), (1, "desorption", -1.0)):
        steps = sign * np.diff(rel[marks == value])
        if (steps < 0).any():
            warnings.append(
                f"{name}: relative pressure turns back at {int((steps < 0).sum())} of {len(steps) + 1} points"
            )
    dims = ("point",)
    out = {
        "point": Variable(dims, np.arange(1, len(load) + 1, dtype=np.int32), "1", "number of the point"),
        "relative_pressure": Variable(dims, rel, "1", long),
        "loading": Variable(
            dims,
            load,
            loading_units,
            "gas adsorbed, volume at STP" + ("" if "/g" in loading_units else ", not per gram"),
        ),
        "branch": Variable(dims, marks, "1", "0 adsorption, 1 desorption"),
    }
    if p is not None:
        out["pressure"] = Variable(dims, p, pressure_units, "equilibrium pressure")
    if p0 is not None:
        out["saturation_pressure"] = Variable(dims, p0, pressure_units, "saturation pressure p0")
    return out
