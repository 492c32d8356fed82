"""Results of some properties of mixes, as a caller gives them: checked, in the units of the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UnknownNameError, suggest
from .columns import factor, split_unit
from .design import FloatArray

if TYPE_CHECKING:
    import pandas as pd


def read_known(
    known: Any, frame: pd.DataFrame, properties: Mapping[str, tuple[str, bool]], place: str
) -> dict[str, FloatArray]:
    """Known results by property.

    Parameters
    ----------
    known : mapping of str to array_like, DataFrame, bool or None
        ``True``: the columns of `frame` that are named as properties.
    frame : pandas.DataFrame
        Mixes.
    properties : mapping of str to (str, bool)
        Unit of each property, and whether it cannot be below 0.
    place : str
        What to call the table in messages.

    Returns
    -------
    dict of str to ndarray, shape (n_rows,)
        In the unit of the property; NaN where there is no result.

    Raises
    ------
    UnknownNameError, UnitError, ModelError
        As `PropertyModels.predict`.
    """
    if known is None or known is False:
        return {}
    if known is True:
        known = {c: frame[c] for c in frame.columns if c in properties or split_unit(str(c))[0] in properties}
        if not known:
            raise ModelError(f"{place}: known=True, but no column is named as a target ({', '.join(properties)}).")
    if not hasattr(known, "keys"):
        raise ModelError(f"known: expected results by property, e.g. {{'{next(iter(properties))}': [...]}}.")
    out: dict[str, FloatArray] = {}
    for column in known.keys():  # noqa: SIM118  (a DataFrame too)
        name, unit = (str(column), "") if column in properties else split_unit(str(column))
        if name not in properties:
            raise UnknownNameError(
                f"known: '{column}' is none of the properties of this model.{suggest(str(column), properties)} "
                f"Properties: {', '.join(properties)}."
            )
        if name in out:
            raise ModelError(f"known: '{name}' is given twice. Give every result once.")
        values = _numbers(column, known[column], len(frame))
        wanted, bounded = properties[name]
        below = np.flatnonzero(values < 0)
        if bounded and len(below):
            raise ModelError(f"known '{column}', row {below[0] + 1}: {values[below[0]]:g}; it cannot be below 0.")
        out[name] = values * (factor(unit, wanted, what=str(column)) if unit and wanted else 1.0)
    return out


def _numbers(column: Any, given: Any, rows: int) -> FloatArray:
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError(
            f"known '{column}': expected numbers, with NaN where a mix was not tested; found {given!r}."
        ) from None
    if values.shape not in ((), (rows,)):
        raise ModelError(
            f"known '{column}' has shape {values.shape}; expected one result, or one for each of {rows} rows (NaN "
            f"where a mix was not tested)."
        )
    if np.isinf(values).any():
        raise ModelError(f"known '{column}': infinite value. Give a finite number, or NaN where not tested.")
    return np.broadcast_to(values, rows).copy()
