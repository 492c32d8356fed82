"""Drafts for tests of the gates: synthetic analyses and curves; nothing here was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import Connection, create_engine

from wastelab.instruments import vocabulary
from wastelab.instruments.base import Reading, Value, Variable
from wastelab.lab import schema as s
from wastelab.lab.drafts import Context, Draft, Finding
from wastelab.lab.gates import run

#: Synthetic, of the kind that the class has [wt%, dry].
RED_MUD = {"SiO2": 18.4, "Al2O3": 20.6, "Fe2O3": 28.3, "CaO": 12.7, "MgO": 1.1, "SO3": 0.5, "Na2O": 6.4, "K2O": 0.6,
           "TiO2": 3.9, "P2O5": 0.2, "MnO": 0.1, "LOI": 6.8}  # fmt: skip
FLY_ASH = {"SiO2": 51.2, "Al2O3": 31.0, "Fe2O3": 5.4, "CaO": 4.1, "MgO": 0.9, "SO3": 0.6, "Na2O": 0.4, "K2O": 1.4,
           "TiO2": 1.3, "LOI": 3.2}  # fmt: skip
GYPSUM = {"SiO2": 1.9, "Al2O3": 0.7, "Fe2O3": 0.4, "CaO": 32.1, "MgO": 0.8, "SO3": 43.4, "LOI": 20.5}
GANGUE = {"SiO2": 48.6, "Al2O3": 21.9, "Fe2O3": 5.1, "CaO": 1.1, "MgO": 1.2, "K2O": 2.4, "TiO2": 0.9, "LOI": 18.6}
STEEL_SLAG = {"SiO2": 14.1, "Al2O3": 4.0, "Fe2O3": 24.8, "CaO": 43.2, "MgO": 6.2, "MnO": 2.9, "P2O5": 1.6, "TiO2": 0.9,
              "LOI": 1.8}  # fmt: skip
TAILINGS = {"SiO2": 68.2, "Al2O3": 9.7, "Fe2O3": 12.6, "CaO": 3.1, "MgO": 2.5, "K2O": 1.6, "Na2O": 0.9, "LOI": 1.1}


@cache
def empty_catalogue() -> Connection:
    """A connection to an empty catalogue in memory (a real SQLite database), which nothing writes to."""
    engine = create_engine("sqlite://")
    s.metadata.create_all(engine)
    return engine.connect()


def values_of(numbers: Mapping[str, float | None], **more: Any) -> list[Value]:
    """Values in the units of the vocabulary."""
    return [Value(k, x, vocabulary.term(k).unit, **{"basis": "dry", **more}) for k, x in numbers.items()]


def draft(
    technique: str,
    numbers: Mapping[str, float | None] | Sequence[Value] = (),
    *,
    curve: Mapping[str, Variable] | None = None,
    cls: str = "red_mud",
    subtype: str = "",
    code: str = "RM-XY-03",
    uid: str = "",
    file: str = "sheet.xlsx",
    where: str = "sheet 'XRF', row 14",
    target: str = "sample",
    is_new: bool = False,
    metadata: Mapping[str, Any] | None = None,
    completeness: Any = "declared",
    fields: Mapping[str, str] | None = None,
    **record: Any,
) -> Draft:
    """A draft as the intake makes it."""
    values = values_of(numbers) if isinstance(numbers, Mapping) else list(numbers)
    reading = Reading(technique, curve or {}, values, sample=code, metadata=metadata or {}, completeness=completeness,
                      fields=fields or {}, where=where)  # fmt: skip
    body = {"technique": technique, "method": "", "measured_at": "", "operator": "", "instrument": None,
            "calibration": None, "age_days": None, "basis": "dry", "replicate": 1}  # fmt: skip
    return Draft(reading, file, target, code, uid or f"uid-{code}", cls, subtype, is_new, values, curve or {},
                 body | record)  # fmt: skip


def findings(*drafts: Draft, conn: Connection | None = None) -> list[Finding]:
    """What all gates say of the drafts of one file."""
    return run(drafts, Context(conn if conn is not None else empty_catalogue(), drafts))


def said(*drafts: Draft, conn: Connection | None = None) -> dict[str, str]:
    """Severity by gate."""
    out: dict[str, str] = {}
    for f in findings(*drafts, conn=conn):
        out[f.gate] = "refuse" if "refuse" in (f.severity, out.get(f.gate)) else "warn"
    return out


def xrd(points: int = 500, seed: int = 0, **changes: Any) -> dict[str, Variable]:
    """A synthetic diffraction pattern; `changes` replace arrays."""
    rng = np.random.default_rng(seed)
    arrays = {"two_theta": 5.0 + 0.02 * np.arange(points), "intensity": rng.integers(50, 9000, points, dtype=np.int32)}
    arrays |= changes
    units = {"two_theta": "degree", "intensity": "counts"}
    return {n: Variable(("two_theta",), np.asarray(a), units[n]) for n, a in arrays.items()}


def tg(mass: Any = None, unit: str = "%", **temperature: Any) -> dict[str, Variable]:
    """A synthetic thermogravimetric run."""
    n = 200
    mass = 100.0 - np.linspace(0.0, 12.0, n) if mass is None else np.asarray(mass, dtype=float)
    n = len(mass)
    name = "mass_percent" if unit == "%" else "mass"
    return {
        "time": Variable(("time",), np.arange(n) * 10.0, "s"),
        "temperature": Variable(("time",), temperature.get("temperature", np.linspace(25, 1000, n)), "degC"),
        name: Variable(("time",), mass, unit),
    }
