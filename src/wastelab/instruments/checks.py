"""Whether a `Reading` is sound in form: what a parser in another process, a plug-in or a program hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from .base import Completeness, Reading, Value, Variable

FLAGS = ("", "below_detection", "above_range", "trace", "estimated", "put_in")
BASES = ("", "as_received", "dry", "ignited")
_COMPLETENESS = get_args(Completeness)


def fault(reading: Reading) -> str:
    """What is wrong with the form of a reading, or an empty string. Says nothing of its numbers."""
    r = reading
    texts = (r.technique, r.sample, r.measured_at, r.operator, r.instrument, r.method, r.where, r.reader,
             r.reader_version)  # fmt: skip
    if not all(isinstance(t, str) for t in texts):
        return "technique, sample, date, operator, instrument, method or place is no text"
    if r.completeness not in _COMPLETENESS:
        return f"completeness is {r.completeness!r}, expected one of {', '.join(_COMPLETENESS)}"
    tables: tuple[object, ...] = (r.metadata, r.fields)
    if not all(isinstance(t, Mapping) for t in tables):
        return "metadata or fields are no mapping"
    if not all(isinstance(t, str) for t in (*r.fields, *r.fields.values(), *r.warnings)):
        return "a field or a warning is no text"
    found = curve_fault(r.variables)
    if found:
        return found
    for value in r.values:
        found = value_fault(value)
        if found:
            return found
    return ""


def storable(text: str) -> bool:
    """Whether every store can hold a text: no NUL, no half of a character."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def cleaned(reading: Reading) -> Reading:
    """A reading whose texts can be stored: NUL bytes, with which instruments fill up their fields, are dropped."""
    r = reading
    texts = [r.technique, r.sample, r.measured_at, r.operator, r.instrument, r.method, r.where, *r.fields,
             *r.fields.values(), *r.warnings]  # fmt: skip
    for v in r.values:
        texts += (v.text, v.where)
    if storable("".join(texts)):
        return reading
    return replace(
        r, technique=_clean(r.technique), sample=_clean(r.sample), measured_at=_clean(r.measured_at),
        operator=_clean(r.operator), instrument=_clean(r.instrument), method=_clean(r.method), where=_clean(r.where),
        fields={_clean(k): _clean(v) for k, v in r.fields.items()}, warnings=[_clean(w) for w in r.warnings],
        values=[replace(v, text=_clean(v.text), where=_clean(v.where)) for v in r.values],
    )  # fmt: skip


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def curve_fault(variables: Mapping[str, Variable]) -> str:
    """What is wrong with the form of a curve."""
    lengths: dict[str, int] = {}
    for name, var in variables.items():
        found = variable_fault(name, var, lengths)
        if found:
            return found
    return ""


def variable_fault(name: str, var: Variable, lengths: dict[str, int]) -> str:
    """What is wrong with the form of one variable; `lengths` collects the length of each dimension."""
    texts = (name, var.units, var.long_name, *var.dims)
    if not all(isinstance(t, str) for t in texts) or not name or "/" in name or "\0" in name or name in (".", ".."):
        return f"a variable is named {name!r}"
    if not storable("".join(texts)):
        return f"the name, units or title of variable {name!r} hold what is no text"
    data = np.asarray(var.data)
    if data.dtype.kind not in "iufb":
        return f"variable {name!r} holds {data.dtype}, not numbers"
    if not var.units:
        return f"variable {name!r} has no units ('1' for a pure number)"
    if len(var.dims) != data.ndim:
        return f"variable {name!r} has {data.ndim} dimensions and {len(var.dims)} names for them"
    for dim, size in zip(var.dims, data.shape, strict=True):
        if not dim or lengths.setdefault(dim, size) != size:
            return f"dimension {dim!r} of variable {name!r} has {size} points, elsewhere {lengths.get(dim)}"
    return ""


def _huge(number: float | np.integer | np.floating) -> bool:
    try:
        return abs(float(number)) > 1e300  # a float32 has no 1e300 to be compared with
    except OverflowError:
        return True


def value_fault(v: Value) -> str:
    """What is wrong with the form of one value."""
    if not all(isinstance(t, str) for t in (v.quantity, v.unit, v.flag, v.basis, v.text, v.where)):
        return f"a value ({v.quantity!r}) has something else than text for a name"
    for number in (v.value, v.sigma, v.k, v.lod):
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float | np.integer | np.floating) or _huge(number):
            return f"a number of {v.quantity!r} is {number!r:.40}"
    if v.flag not in FLAGS or v.basis not in BASES:
        return f"flag {v.flag!r} or basis {v.basis!r} of {v.quantity!r} does not exist"
    return ""
