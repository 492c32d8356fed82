"""One field of a record at a time: a text, a number, structured data; what is none of it is refused by name.

A record is hashed as it will come back from the catalogue, so nothing of another type may get that far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import LabError
from .entities import canonical


def reason_text(reason: Any) -> str:
    """A reason, which may be missing.

    Raises
    ------
    LabError
    """
    if reason is None:
        return ""
    if not isinstance(reason, str):
        raise LabError(f"reason = {reason!r:.60} is no text.")
    return reason


def plain_text(value: Any, what: str) -> str:
    """A text; a whole number is one too (codes often are).

    Raises
    ------
    LabError
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    raise LabError(f"{what} = {value!r:.60} is no text.")


def finite(value: Any, what: str) -> float:
    """A finite number.

    Raises
    ------
    LabError
    """
    try:
        number = float("x" if isinstance(value, bool | np.bool_) else value)
    except (TypeError, ValueError, OverflowError):
        raise LabError(f"{what} = {value!r:.60} is not a number.") from None
    if not math.isfinite(number):
        raise LabError(f"{what} = {value!r} is not a finite number.")
    return number


def whole(value: Any, what: str) -> int:
    """A whole number.

    Raises
    ------
    LabError
    """
    number = finite(int(value) if isinstance(value, bool) else value, what)
    if number != int(number):
        raise LabError(f"{what} = {value!r:.60} is not a whole number.")
    return int(number)


def without_numpy(value: Any) -> Any:
    """Structured data without the types of numpy."""
    if isinstance(value, Mapping):
        return {k: without_numpy(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_numpy(v) for v in value]
    return without_numpy(value.tolist()) if isinstance(value, np.ndarray | np.generic) else value


def structured(value: Any, what: str) -> str:
    """Structured data as canonical JSON.

    Raises
    ------
    LabError
    """
    try:
        return canonical(value)
    except (TypeError, ValueError, RecursionError):
        raise LabError(f"{what} = {value!r:.120}: expected texts, finite numbers, lists and tables of them.") from None
