"""What a caller brings to a model: mixes to predict and own results, in the columns and units of the training table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingDataError, ModelError, UnitError, UnknownNameError, nearest
from .cells import measured, row_of
from .columns import convert, split_unit
from .design import FloatArray
from .frames import as_table, folded, frame_of, table_of, target_column
from .results import check_results, check_unit
from .words import meaning

if TYPE_CHECKING:
    import pandas as pd

    from .table import TrainingData


def read_features(data: Any, like: TrainingData) -> pd.DataFrame:
    """The features of mixes that are to be predicted, in the columns and units of the training table.

    Parameters
    ----------
    data : pandas.DataFrame, xarray.Dataset, mapping, or path
        Columns by their names in the training table; another unit at the end of a name is converted. Other columns
        are not looked at. A mapping of single values is one mix.
    like : TrainingData

    Returns
    -------
    pandas.DataFrame
        The same columns as `like.features`; NaN where a value is missing.

    Raises
    ------
    ModelError
        If a number is infinite or unreadable.
    MissingDataError
        If columns that every training row had are not there.
    UnknownNameError
        If several columns could be one of the training table.
    UnitError
        If a unit is not convertible, or that of the training table is not known.
    """
    import pandas as pd

    frame, place = table_of(data)
    found = {column: _like_column(column, frame, place) for column in like.features.columns}
    texts = {c for c in found if not pd.api.types.is_float_dtype(like.features[c].dtype)}
    missing = [c for c, h in found.items() if not h and c not in texts and not like.features[c].isna().any()]
    if missing:
        raise MissingDataError(_missing(missing, [str(c) for c in frame.columns if c not in found.values()], place))
    out: dict[str, Any] = {}
    for column, here in found.items():
        text = column in texts
        if not here:
            out[column] = np.full(len(frame), "" if text else np.nan)
        elif text:
            out[column] = frame[here].fillna("").astype(str).str.strip().array
        else:
            values, got = measured(frame, here, place)
            wanted = like.units.get(column, "")
            if got and not wanted and got != split_unit(column)[1]:
                raise UnitError(
                    f"{place}: column '{here}' is in {got}, but the unit of '{column}' in the training table is not "
                    f"known. Give it as it is there, or fit the model to a table whose heading names the unit."
                )
            out[column] = convert(values, got, wanted, what=here) if wanted and got else values
    result = pd.DataFrame(out, columns=list(like.features.columns))
    for column in result.columns:
        if column in like.features and not pd.api.types.is_float_dtype(like.features[column].dtype):
            result[column] = result[column].astype("str")
    return result


def _like_column(column: str, frame: pd.DataFrame, place: str) -> str:
    """The column of a table that is one of the training table; "" if there is none."""
    if column in frame.columns:
        return column
    stem, name = split_unit(column)[0], folded(column)
    for near in (
        [str(c) for c in frame.columns if split_unit(str(c))[0] == stem],
        [str(c) for c in frame.columns if folded(str(c)) == name],
    ):
        if len(near) > 1:
            raise UnknownNameError(
                f"{place}: several columns could be '{column}': {', '.join(near)}. Keep one of them."
            )
        if near:
            return near[0]
    return ""


def _missing(missing: Sequence[str], left: Sequence[str], place: str) -> str:
    """What to say of columns that are not there, with those that may be meant."""
    meant = []
    for column in missing:
        other = next((c for c in left if _role(c) and _role(c) == _role(column)), "") or nearest(column, left)
        meant += [f"'{other}' for '{column}'"] if other else []
    more = f" So are {', '.join(repr(c) for c in missing[1:])}." if len(missing) > 1 else ""
    hint = f" Did you mean {', '.join(meant)}? Then rename the column." if meant else ""
    return (
        f"{place}: column '{missing[0]}' is missing; every test this model was fitted to has it.{more}{hint} Add "
        f"what is missing; where it was not measured leave the cell empty and the row is marked as outside."
    )


def _role(column: str) -> str:
    try:
        said = meaning(column)
    except UnitError:
        return ""
    return said.role if said else ""


def read_results(data: Any, like: TrainingData, column: str | None = None) -> FloatArray:
    """Own results of the property of a training table, in its unit.

    Parameters
    ----------
    data : pandas.DataFrame, xarray.Dataset, mapping, or path
        Tests, with a column named as the target of `like`, or `column`.
    like : TrainingData
    column : str, optional
        Where the results stand, if under another name.

    Returns
    -------
    ndarray, shape (n_tests,)
        In ``like.unit``: what another unit in the heading (or in the cells) says is converted. Numbers without any
        unit are taken to be in it.

    Raises
    ------
    UnknownNameError
        If no column holds the results, or several do.
    ModelError
        If a row has no result, one that is no number, or one below zero where the property cannot be.
    UnitError
        If the unit is not one of the property.
    """
    frame, place, attrs = frame_of(as_table(data))
    try:
        name = target_column(frame, column or like.name, place)
    except UnknownNameError as exc:
        raise UnknownNameError(f"{exc} The results of own tests are needed. Give y.") from None
    said = str(attrs.get("unit", "")) if attrs.get("target") == name else ""
    values, unit = measured(frame, name, place, said)
    empty = np.flatnonzero(np.isnan(values))
    if len(empty):
        raise ModelError(
            f"{place}, row {row_of(frame, empty[0])}, column '{name}': no result. Every test needs one; fill it in or "
            f"leave the row out."
        )
    check_unit(like.name, unit, name)
    check_results(values, like.name, name, [f"{place}, row {row_of(frame, i)}" for i in range(len(frame))])
    if not unit or unit == like.unit:
        return values
    if not like.unit:
        raise UnitError(
            f"{place}: column '{name}' is in {unit}, but the unit of the training table is not known. Fit the model to "
            f"a table whose heading names the unit of '{like.name}'."
        )
    return convert(values, unit, like.unit, what=name)
