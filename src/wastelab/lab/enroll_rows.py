"""What the rows of a sheet say of one sample, mix or specimen, and whether what is registered says the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..instruments.base import Reading

#: Kinds that a reading without values may register, in the order they are made.
REGISTERS = ("sample", "mix", "specimen")
#: Fields of a row of a mix that belong to its component.
COMPONENT = frozenset(("component", "role", "fraction"))
NUMBERS = frozenset(("mass_kg", "water_binder", "fraction"))


def registers(reading: Reading) -> bool:
    """Whether a reading registers something and measures nothing."""
    return reading.technique in REGISTERS and not reading.values and not reading.variables


class Item:
    """One thing to register: what its rows say, and where."""

    def __init__(self, kind: str, code: str, reading: Reading) -> None:
        self.kind = kind
        self.code = code
        self.reading = reading
        self.said: dict[str, tuple[str, str]] = {}
        self.parts: list[tuple[Reading, Mapping[str, str]]] = []

    def get(self, key: str) -> str:
        """What is said of a field, or an empty text."""
        return self.said.get(key, ("", ""))[0]

    def where(self, key: str = "") -> str:
        """Place of a field, or of the row."""
        return self.said.get(key, ("", ""))[1] or self.reading.where


def place_of(reading: Reading, key: str) -> str:
    """Place of a field of a row."""
    places = reading.metadata.get("places")
    return str(places.get(key, reading.where)) if isinstance(places, Mapping) else reading.where


def form_fault(reading: Reading) -> str:
    """What is wrong with the form of a row that a program made, or an empty text."""
    fields = reading.fields
    needed = ("component", "fraction") if reading.technique == "mix" else ()
    for key in needed:
        if not fields.get(key, "").strip():
            return f"{key} is missing"
    for key in NUMBERS & fields.keys():
        try:
            sound = math.isfinite(float(fields[key] or 0))
        except ValueError:
            sound = False
        if not sound:
            return f"{key} = {fields[key]!r} is no number"
    for key, kind in (("dimensions", dict), ("curing", list)):
        try:
            sound = isinstance(json.loads(fields.get(key) or json.dumps(kind())), kind)
        except ValueError:
            sound = False
        if not sound:
            return f"{key} = {fields[key]!r} is not the JSON that a sheet gives"
    return ""


def plain_text(key: str, text: str) -> str:
    """A field as it may be shown: numbers without their decimal zero."""
    return f"{float(text):g}" if key in NUMBERS else text


def same_part(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two components are the same material in the same role."""
    keys = ("sample", "material", "role")
    return all((one.get(k) or None) == (other.get(k) or None) for k in keys)


def equal(key: str, stored: Any, value: Any) -> bool:
    """Whether a stored field is what a sheet says."""
    if key == "components":
        rest = list(stored)
        for part in value:
            same = next((c for c in rest if same_part(part, c) and equal("", c["fraction"], part["fraction"])), None)
            if same is None:
                return False
            rest.remove(same)
        return not rest
    if isinstance(value, float):
        return stored is not None and abs(float(stored) - value) <= 1e-9 * max(1.0, abs(value))
    return bool(stored == value)
