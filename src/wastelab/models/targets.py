"""Which columns of a table are the properties that are to be predicted, where there are several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import ModelError, UnknownNameError, suggest
from .columns import split_unit
from .table import _target_column

if TYPE_CHECKING:
    import pandas as pd


def target_columns(targets: Sequence[str], frame: pd.DataFrame, place: str) -> dict[str, str]:
    """Column of each target by its name without unit, in the order asked.

    Raises
    ------
    ModelError
        If there are fewer than two, or two of one name.
    UnknownNameError
        If one is not in the table.
    """
    if isinstance(targets, str) or len(targets) < 2:
        raise ModelError(
            f"targets = {targets!r}: expected the columns of at least two properties. For one property use "
            f"PropertyModel."
        )
    found = [_target_column(frame, t, place) for t in targets]
    names = [split_unit(c)[0] for c in found]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise ModelError(f"{place}: two targets are named '{twice}'. Give every property a name of its own.")
    return dict(zip(names, found, strict=True))


def by_target(what: str, given: Mapping[str, str] | None, columns: Mapping[str, str]) -> dict[str, str]:
    """What is said of targets (named by column, or without unit), by their names without unit.

    Raises
    ------
    UnknownNameError
        If something is said of what is no target.
    """
    of_column = {c: name for name, c in columns.items()}
    out = {of_column.get(key, key): value for key, value in dict(given or {}).items()}
    unknown = set(out) - set(columns)
    if unknown:
        raise UnknownNameError(f"{what}: there is no target '{min(unknown)}'.{suggest(min(unknown), columns)}")
    return out


def check_tested(tested: pd.DataFrame, place: str) -> None:
    """Refuse targets without any value.

    Raises
    ------
    ModelError
    """
    for name in tested.columns:
        if not tested[name].notna().any():
            raise ModelError(
                f"{place}: no row has a value of '{name}'. Take it out of the targets, or give a table with tests."
            )
