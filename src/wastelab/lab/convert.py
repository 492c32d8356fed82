"""The numbers of a reading in the units and on the basis of the vocabulary, and everything else it says as conditions.

Conversion is exact in decimal arithmetic. What cannot be converted, is no number or stands twice is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ..errors import LabError, UnitError, UnknownNameError
from ..i18n import said_by
from ..instruments import vocabulary
from ..instruments.base import Reading, Value
from ..instruments.units import factor, times
from .bind import SAMPLE_FIELDS
from .drafts import Draft
from .entities import canonical
from .options import Options
from .register import check_date

#: Most characters of conditions that are kept with a measurement; the raw file holds all.
MOST_CONDITIONS = 65_536
#: Units of contents, which mean something only on a basis.
_ON_BASIS = frozenset(("wt%", "mg/kg", "ug/kg", "g/kg", "Bq/kg"))
#: What follows the time of a clock that knows where it is.
_OFFSET = re.compile(r"([T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:[+-]\d\d:?\d\d|Z)$")
#: Fields that have a place of their own in a record.
_TAKEN = frozenset(("age", "replicate", "note", "basis", "sample"))


@dataclass
class Converted:
    """Values in the vocabulary's units; the basis they share, if they do; the sum that the file prints."""

    values: list[Value] = field(default_factory=list)
    basis: str = ""
    measured_sum: float | None = None


@lru_cache(maxsize=4096)
def _unit(quantity: str, unit: str) -> tuple[str, str, float, str]:
    """Name and unit of the vocabulary, factor to it, and the basis that the quantity is always stated on."""
    term = vocabulary.term(quantity)
    return term.name, term.unit, factor(unit, term.unit), term.basis


@lru_cache(maxsize=256)
def technique_of(name: str) -> str:
    """Code of a technique, or an empty string if there is none of that name."""
    try:
        return vocabulary.technique(name).code
    except UnknownNameError:
        return ""


def convert(draft: Draft, technique: str, options: Options) -> Converted:
    """Values of a draft's reading, converted; what is wrong with them becomes findings of the draft."""
    reading = draft.reading
    out = Converted()
    stated = vocabulary.basis(reading.fields.get("basis", "")) if reading.fields.get("basis") else ""
    default = stated or options.basis
    seen: dict[str, str] = {}
    bases: set[str] = set()
    own_bases: set[str] = set()  # of what is always stated on one basis, such as moisture
    without = 0
    for v in reading.values:
        try:
            name, unit, scale, own = _unit(v.quantity, v.unit)
        except (UnknownNameError, UnitError) as exc:
            said = said_by(exc)
            finding = draft.finding("schema", "refuse", said.key, quantity=v.quantity, where=v.where)
            draft.findings.append(replace(finding, values=said.values))
            continue
        if name in seen:
            draft.findings.append(
                draft.finding(
                    "schema",
                    "refuse",
                    "receipt.twice",
                    "receipt.keep_one",
                    quantity=name,
                    where=v.where,
                    name=name,
                    first=seen[name] or "?",
                )
            )
            continue
        seen[name] = v.where
        numbers = (v.value, v.sigma, v.k, v.lod)
        if not all(n is None or math.isfinite(n) for n in numbers):
            draft.findings.append(
                draft.finding("schema", "refuse", "receipt.not_finite", quantity=name, where=v.where, name=name)
            )
            continue
        if v.flag == "below_detection" and v.value is not None:
            v = _limit(v)
        if scale != 1.0 or name != v.quantity:
            v = replace(
                v, quantity=name, unit=unit, value=_times(v.value, scale), sigma=_times(v.sigma, scale),
                lod=_times(v.lod, scale),
            )  # fmt: skip
        if name == "oxide_sum":
            out.measured_sum = v.value
            continue
        basis = v.basis
        if unit in _ON_BASIS:
            basis = basis or own or default
            (own_bases if own else bases).add(basis)
            without += not basis
        if basis != v.basis or unit != v.unit:
            v = replace(v, basis=basis, unit=unit)
        out.values.append(v)
    bases = bases or own_bases
    if len(bases) == 1:
        out.basis = bases.pop()
    if without and _needs_basis(technique):
        draft.findings.append(
            draft.finding("basis", "warn", "receipt.no_basis", "receipt.give_basis", count=without, technique=technique)
        )
    return out


def _limit(v: Value) -> Value:
    """A value that is below detection with its number as the limit, unless it has one; what was printed is kept."""
    assert v.value is not None
    lod = v.lod if v.lod is not None else v.value if v.value > 0 else None
    error = "" if v.sigma is None else f" ± {v.sigma:.12g}"
    said = f"printed {v.value:.12g}{error} {v.unit}".rstrip()
    text = f"{v.text}; {said}" if v.text else said
    return replace(v, value=None, sigma=None, k=None, lod=lod, text=text)


def _times(number: float | None, scale: float) -> float | None:
    return None if number is None else times(number, scale)


@lru_cache(maxsize=256)
def _needs_basis(technique: str) -> bool:
    """Contents of a solid are compared on one basis only."""
    if technique in ("metals", "radionuclides"):
        return True
    return technique != "" and vocabulary.technique(technique).group in ("composition", "phases")


def date_of(draft: Draft, text: str) -> str:
    """A date as ISO text, the clock of the instrument without its offset; a finding and "" where it is none."""
    if not text:
        return ""
    try:
        return check_date(_OFFSET.sub(r"\1", text), "measured_at")
    except LabError as exc:
        draft.findings.append(draft.finding("schema", "refuse", "receipt.form", problem=str(exc)))
        return ""


def replicate_of(draft: Draft) -> int:
    """Number of the replicate that the file states (``"2"``, ``"平行2"``, ``"R2"``), or 0."""
    text = draft.reading.fields.get("replicate", "").strip()
    if not text:
        return 0
    match = re.fullmatch(r"\D*(\d{1,4})(?:\.0+)?\D*", text)
    if match is None or not 1 <= int(match[1]) <= 9999:
        draft.findings.append(draft.finding("schema", "refuse", "receipt.replicate", found=text))
        return 1
    return int(match[1])


def conditions(
    draft: Draft, found: Converted, options: Options, method: str, measured_at: str, registered: bool
) -> str:
    """All that the file says beyond its numbers, as canonical JSON of at most `MOST_CONDITIONS` characters."""
    reading: Reading = draft.reading
    out: dict[str, Any] = {}
    if found.measured_sum is not None:  # what was measured before it was normalised is another sum
        out["printed_sum" if "measured_sum" in reading.metadata else "measured_sum"] = found.measured_sum
    if reading.instrument and (not registered or options.instrument):
        out["instrument"] = reading.instrument
    said = (
        ("method_in_file", reading.method, method),
        ("measured_at_in_file", reading.measured_at, measured_at),
        ("technique_in_file", reading.technique, options.technique or reading.technique),
        ("sample_in_file", reading.sample, draft.code),
    )
    out |= {name: text for name, text, used in said if text and text != used}
    used_fields = _TAKEN if not (draft.target == "sample" and draft.is_new) else _TAKEN.union(SAMPLE_FIELDS)
    fields = {k: v for k, v in reading.fields.items() if k not in used_fields and v != draft.code}
    if fields:
        out["fields"] = fields
    if reading.warnings:
        out["warnings"] = list(reading.warnings)
    if reading.sha256 and draft.record.get("raw_sha") != reading.sha256 and not reading.file:
        out["source_sha256"] = reading.sha256
    room = MOST_CONDITIONS - len(canonical(out)) - 100
    left = 0
    for key, item in reading.metadata.items():
        plain = _plain(item)
        name = str(key) if str(key) not in out else f"{key} (file)"
        size = len(json.dumps(name, ensure_ascii=False)) + len(canonical(plain)) + 2
        if size > room:
            left += 1
            continue
        room -= size
        out[name] = plain
    if left:
        out["left_out"] = f"{left} of {len(reading.metadata)} entries are only in the raw file"
    return canonical(out).encode("utf-8", "replace").decode() if out else ""


def _plain(item: Any) -> Any:
    """Something as JSON can hold it."""
    if item is None or isinstance(item, str | bool | int):
        return item
    if isinstance(item, float):
        return float(item) if math.isfinite(item) else str(item)
    if isinstance(item, Mapping):
        return {str(k): _plain(v) for k, v in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(v) for v in item]
    if hasattr(item, "item") and getattr(item, "ndim", None) == 0:
        return _plain(item.item())
    return str(item)
