"""Features of mixes: fractions, blended composition and particles, water, activators, curing; and labels of groups.

What a component lacks is NaN in the mix, and the column ``missing`` says so. Nothing here has seen the target's values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..chemistry import WASTE_CLASSES
from ..errors import UnitError
from ..units import parse
from . import contents as c
from . import frames as fr
from .composition import ORDER
from .store import from_json

if TYPE_CHECKING:
    import pandas as pd

#: Properties of particles, blended by mass (the density by volume).
PARTICLES = ("density", "blaine", "bet", "d50")
ROLES = ("activator", "aggregate", "water", "admixture", "fuel")


@dataclass
class Row:
    """One row that is being collected."""

    mix: int
    age: float
    method: str
    geometry: str
    curing: str
    numbers: list[float] = field(default_factory=list)
    sigmas: list[float] = field(default_factory=list)
    below: int = 0
    uids: list[str] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)
    days: list[str] = field(default_factory=list)


@dataclass
class Component:
    """One component of a mix."""

    name: str
    role: str
    fraction: float
    waste_class: str
    sample: int | None
    source: str


@dataclass
class Known:
    """What is known of components: contents and particles by component, and where from."""

    oxides: dict[str, dict[str, float]]
    particles: dict[str, dict[str, float]]
    uids: dict[str, list[str]]


def feature_table(
    rows: Sequence[Row],
    mixes: Mapping[int, Any],
    parts: Mapping[int, Sequence[Component]],
    known: Known,
    chosen: Sequence[str],
    groups: Sequence[str],
) -> tuple[pd.DataFrame, list[str]]:
    """The table and the names of its feature columns.

    Parameters
    ----------
    rows : sequence of Row
    mixes : mapping of int to mapping
        Record of each mix.
    parts : mapping of int to sequence of Component
        What each mix is made of.
    known : Known
    chosen : sequence of str
        Groups of features.
    groups : sequence of str
        What can be grouped by.
    """
    import pandas as pd

    oxides = {n for p in known.oxides.values() for n in p}
    place = {n: i for i, n in enumerate(ORDER)}
    ordered = sorted(oxides, key=lambda n: (n == c.LOI, place.get(n, len(place)), n))
    used = {p.waste_class for r in rows for p in parts[r.mix] if p.role == "binder"}
    classes = [w for w in WASTE_CLASSES if w in used] + sorted(used - set(WASTE_CLASSES))
    materials = sorted({p.name for r in rows for p in parts[r.mix] if p.role == "binder" and p.sample is None})
    activators = sorted({p.name for r in rows for p in parts[r.mix] if p.role == "activator"})
    recipes: dict[tuple[Any, ...], str] = {}
    body: dict[str, list[Any]] = {}
    unread: dict[str, None] = {}
    names: dict[str, None] = {}

    def put(name: str, value: Any, feature: str = "") -> None:
        if feature:
            if feature not in chosen:
                return
            names.setdefault(name)
        body.setdefault(name, []).append(value)

    for row in rows:
        mix, own = mixes[row.mix], parts[row.mix]
        binder = [p for p in own if p.role == "binder"]
        shares: dict[str, float] = {}
        for p in own:
            if p.source:
                shares[p.source] = shares.get(p.source, 0.0) + p.fraction
        y = np.array(row.numbers)
        put("mix", mix["code"])
        put("age_days", row.age)
        for name in ("method", "geometry", "curing"):
            put(name, getattr(row, name))
        put("y", float(y.mean()) if len(y) else math.nan)
        put("y_sd", float(y.std(ddof=1)) if len(y) > 1 else math.nan)
        put("y_sigma", math.sqrt(sum(u * u for u in row.sigmas) / len(row.sigmas)) if row.sigmas else math.nan)
        put("y_n", len(y))
        put("y_below", row.below)
        put("group_mix", recipes.setdefault(_recipe(mix, own), mix["code"]))
        put("group_source", max(sorted(shares), key=shares.__getitem__) if shares else "")
        put("sources", "+".join(sorted(shares)))
        put("group_operator", "+".join(sorted(o for o in row.operators if o)))
        put("group_campaign", (mix["made_at"] or min(row.days, default=""))[:7])
        lacking: dict[str, list[str]] = {}
        features: list[tuple[str, str, float]] = []
        features += [("fractions", f"fraction:{w}", _total(binder, "waste_class", w)) for w in classes]
        features += [("fractions", f"fraction:{n}", _total(binder, "name", n)) for n in materials]
        features += [("oxides", n, _blend(binder, known.oxides, n, lacking)) for n in ordered]
        water = mix["water_binder"]
        features.append(("water", "water_binder", math.nan if water is None else water))
        features += [("activators", f"activator:{n}", _total(own, "name", n, "activator")) for n in activators]
        features += [("activators", role, _total(own, "role", role)) for role in ROLES]
        features += [("curing", n, x) for n, x in _curing(row.curing, unread).items()]
        features += [("particles", n, _blend(binder, known.particles, n, lacking, n == "density")) for n in PARTICLES]
        put("missing", "; ".join(f"{n}: {', '.join(dict.fromkeys(who))}" for n, who in lacking.items()
                                 if ("oxides" if n in oxides else "particles") in chosen))  # fmt: skip
        put("y_measurements", " ".join(row.uids))
        found = sorted({u for p in binder for u in known.uids.get(p.name, ())})
        put("feature_measurements", " ".join(found))
        for group, name, value in features:
            put(name, value, group)
    frame = pd.DataFrame({n: _column(items) for n, items in body.items() if n not in names}
                         | {n: fr.numbers(body[n]) for n in names})  # fmt: skip
    if not rows:
        frame = pd.DataFrame({"mix": fr.texts(()), "y": fr.numbers(()), **{f"group_{g}": fr.texts(()) for g in groups}})
    frame.attrs["not_understood"] = list(unread)
    return frame, list(names)


def _column(items: list[Any]) -> Any:
    if items and isinstance(items[0], str):
        return fr.texts(items)
    return fr.integers(items) if items and isinstance(items[0], int) else fr.numbers(items)


def _recipe(mix: Any, parts: Sequence[Component]) -> tuple[Any, ...]:
    """What makes two mixes the same recipe."""
    inside = sorted((p.role, p.name, round(p.fraction, 6)) for p in parts)
    return (tuple(inside), mix["water_binder"], mix["process"])


def _total(parts: Sequence[Component], what: str, value: str, role: str = "") -> float:
    return float(sum(p.fraction for p in parts if getattr(p, what) == value and (not role or p.role == role)))


def _blend(
    parts: Sequence[Component],
    known: Mapping[str, Mapping[str, float]],
    name: str,
    lacking: dict[str, list[str]],
    by_volume: bool = False,
) -> float:
    """Mass-weighted mean over the binder; NaN where a component lacks the value."""
    total = 0.0
    for p in parts:
        if p.fraction == 0:
            continue
        value = known.get(p.name, {}).get(name)
        if value is None or (by_volume and value <= 0):
            lacking.setdefault(name, []).append(p.name)
        elif by_volume:
            total += p.fraction / value
        else:
            total += p.fraction * value
    if name in lacking:
        return math.nan
    return 1.0 / total if by_volume else total


def _curing(text: str, unread: dict[str, None]) -> dict[str, float]:
    """Temperature, humidity and duration of curing."""
    steps = from_json(text) or []
    steps = [x for x in (steps if isinstance(steps, list) else [steps]) if isinstance(x, dict)]

    def read(step: Mapping[str, Any], key: str, unit: str) -> float:
        value = step.get(key)
        if value in (None, ""):
            return math.nan
        try:
            return parse(value, unit)
        except UnitError:
            unread.setdefault(f"curing: {key} = {value!r}")
            return math.nan

    days = np.array([read(x, "duration", "d") for x in steps], dtype=float)
    weights = np.ones(1) if len(steps) == 1 else days

    def mean(key: str, unit: str) -> tuple[float, float]:
        values = np.array([read(x, key, unit) for x in steps], dtype=float)
        if not len(values) or np.isnan(values).any():
            return math.nan, float(np.nanmax(values)) if len(values) and not np.isnan(values).all() else math.nan
        whole = float(weights.sum())
        return (float(values @ weights / whole) if whole > 0 else math.nan), float(values.max())

    temperature, hottest = mean("temperature", "degC")
    return {
        "curing_temperature": temperature,
        "curing_temperature_max": hottest,
        "curing_humidity": mean("humidity", "%")[0],
        "curing_duration": float(days.sum()) if len(days) else math.nan,
    }
