"""The steps of treatment a sample went through: what may be stated, and how what is stored is understood.

A step that nobody understands is never taken for none: it is refused where it is registered, and counts as ``other``
where it is read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ..errors import LabError, suggest

Step = dict[str, Any]


def check_process(value: Any, what: str = "process") -> Step | list[Step]:
    """The treatment of a sample as a step or a list of steps, each of a known name.

    Parameters
    ----------
    value : mapping, str, or list of these
        ``{"step": "calcined", "temperature": "800 degC"}``; words (``"calcined 700 degC 2 h"``, ``"烘干"``),
        where those that are no step become ``other`` with a note; or either as JSON.
    what : str
        How to call it in an error.

    Raises
    ------
    LabError
        If it is none of these, has no step or one that does not exist, or holds what cannot be stored.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise LabError(f"{what} = {value!r} is no JSON ({exc}).") from None
    if isinstance(value, list | tuple):
        return [_step(item, f"{what}[{n}]") for n, item in enumerate(value)]
    return {} if isinstance(value, Mapping) and not value else _step(value, what)


def steps_of(process: str) -> set[str]:
    """Names of the steps in the stored treatment of a sample; ``other`` for everything that is not understood."""
    if not process:
        return set()
    try:
        data = json.loads(process)
    except ValueError:
        data = process
    if data is None or data == {}:
        return set()
    return {name for item in (data if isinstance(data, list) else [data]) for name in _names(item)}


def _names(item: Any) -> set[str]:
    """The step of an item, and those that its note speaks of (``"dried, then calcined"``)."""
    from .bind import process_step

    try:
        step = _step(item, "")
    except LabError:
        return {"other"}
    words = re.findall(r"\w+", str(step.get("note", "")))
    return {str(step["step"])} | {found for word in words if (found := process_step(word)["step"]) != "other"}


def _step(item: Any, what: str) -> Step:
    """One step, its name one of `register.PROCESS_STEPS`."""
    from .bind import process_step
    from .register import PROCESS_STEPS

    if isinstance(item, str) and item.strip():
        return dict(process_step(item))
    expected = f'expected a step such as {{"step": "dried"}}. Steps: {", ".join(PROCESS_STEPS)}.'
    if not isinstance(item, Mapping):
        raise LabError(f"{what} = {item!r}: {expected}")
    if "step" not in item:
        raise LabError(f"{what} = {dict(item)!r} has no 'step': {expected}")
    name = item["step"]
    found: Step = dict(process_step(name)) if isinstance(name, str) else {"step": "other"}
    if name not in PROCESS_STEPS and found["step"] == "other":
        near = suggest(name, PROCESS_STEPS) if isinstance(name, str) else ""
        raise LabError(f"{what}: step = {name!r} does not exist.{near} Steps: {', '.join(PROCESS_STEPS)}.")
    return found | {str(k): _plain(v, f"{what}, {k}") for k, v in item.items() if k != "step"}


def _plain(value: Any, what: str) -> Any:
    """Something as JSON holds it; numbers of NumPy as plain ones."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{what}, {k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, what) for v in value]
    raise LabError(f"{what} = {value!r} cannot be stored; give a text, a finite number, a list or a table of these.")
