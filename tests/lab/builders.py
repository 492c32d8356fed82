"""Laboratories filled with synthetic, plainly named data through the store itself; nothing here was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from wastelab.instruments.base import Variable
from wastelab.instruments.vocabulary import term
from wastelab.lab import schema as s
from wastelab.lab.lab import Lab
from wastelab.lab.store import Act, uuid7

#: A synthetic red mud, wt% dry; it sums to 98.9.
RED_MUD = {"SiO2": 18.0, "Al2O3": 22.0, "Fe2O3": 28.0, "CaO": 8.0, "Na2O": 6.0, "TiO2": 4.5, "LOI": 12.4}


def value(quantity: str, number: float | str | None, **more: Any) -> dict[str, Any]:
    """One stored value; ``"<0.01"`` is below that limit. `flag` and `basis` are words."""
    row: dict[str, Any] = {"quantity": quantity, "unit": more.pop("unit", None) or term(quantity).unit}
    if isinstance(number, str):
        row |= {"value": None, "lod": float(number.removeprefix("<")) if number != "<" else None, "flag": 1}
    else:
        row["value"] = number
    if "flag" in more:
        row["flag"] = s.FLAGS.index(more.pop("flag"))
    row["basis"] = s.BASES.index(more.pop("basis", ""))
    return row | more


def measurement(act: Act, kind: str, code: str, technique: str, **more: Any) -> dict[str, Any]:
    """The record of one measurement on a sample, mix or specimen; ready to insert."""
    values = more.pop("values", {})
    basis, sigma = more.pop("basis", "dry"), more.pop("sigma", {})
    if isinstance(values, Mapping):
        values = [
            value(q, v, basis=basis, **({"sigma": sigma[q]} if q in sigma else {})) for q, v in values.items()
        ]  # fmt: skip
    curve = more.pop("curve", None)
    if curve is not None:
        more["curve_sha"] = act.put_curves([act.store.curves.encode(curve, {"technique": technique, "sample": code})])[
            0
        ]
    return {"uid": uuid7(), kind: act.uid(kind, code), "technique": technique, "basis": basis, "operator": "Li Wei",
            "measured_at": "2026-03-02", "visibility": "institute", "values": values, **more}  # fmt: skip


def measure(
    lab: Lab, code: str, technique: str = "XRF", values: Any = None, *, kind: str = "sample", **more: Any
) -> str:
    """Store one measurement; returns its uid."""
    with lab.store.write("synthetic measurement") as act:
        record = measurement(act, kind, code, technique, values=values or {}, **more)
        act.insert("measurement", record)
    return str(record["uid"])


def sample(lab: Lab, code: str, waste_class: str = "red_mud", values: Any = None, **more: Any) -> str:
    """Register a sample and, if values are given, one XRF analysis of it; returns the code."""
    keys = ("source", "parent", "process", "collected_at", "name", "name_zh", "note", "grp", "mass_kg",
            "reference_material", "visibility", "location")  # fmt: skip
    lab.add("sample", code=code, waste_class=waste_class, **{k: more.pop(k) for k in keys if k in more})
    if values is not None:
        measure(lab, code, "XRF", values, **more)
    return code


def samples(lab: Lab, count: int, *, prefix: str = "RM", waste_class: str = "red_mud", seed: int = 0,
            **more: Any) -> list[str]:  # fmt: skip
    """Samples around `RED_MUD` with one XRF analysis each, stored by one act."""
    rng = np.random.default_rng(seed)
    codes = [f"{prefix}-{n + 1:03d}" for n in range(count)]
    with lab.store.write("synthetic samples") as act:
        act.insert_many(
            "sample",
            [{"code": c, "waste_class": waste_class, "collected_at": "2026-02-01", **more} for c in codes],
        )
        act.insert_many(
            "measurement",
            [
                measurement(act, "sample", c, "XRF", sigma=dict.fromkeys(RED_MUD, 0.1),
                            values={q: round(v * rng.normal(1.0, 0.05), 3) for q, v in RED_MUD.items()})
                for c in codes
            ],
        )  # fmt: skip
    return codes


def pattern(seed: int = 0, points: int = 50, start: float = 5.0, step: float = 0.02) -> dict[str, Variable]:
    """A synthetic diffraction pattern."""
    rng = np.random.default_rng(seed)
    return {
        "two_theta": Variable(("two_theta",), start + step * np.arange(points), "degree", "scattering angle"),
        "intensity": Variable(("two_theta",), rng.integers(0, 20_000, points, dtype=np.int32), "counts", "intensity"),
    }


def mix(lab: Lab, code: str, parts: Mapping[str, float], **more: Any) -> str:
    """Register a mix of binder components: sample codes, or reference materials where the name holds a slash."""
    more.setdefault("water_binder", 0.4)
    components = [{"material" if "/" in c else "sample": c, "fraction": x} for c, x in parts.items()]
    lab.add("mix", code=code, components=[*components, *more.pop("more", ())], **more)
    return code


def strengths(lab: Lab, mix_code: str, numbers: Iterable[float], *, age: float | None = 28.0, first: int = 1,
              quantity: str = "compressive_strength", **more: Any) -> list[str]:  # fmt: skip
    """Specimens of a mix, one strength each; returns the uids of the measurements."""
    curing = more.pop("curing", [{"temperature": "20 degC", "humidity": "95 %", "duration": "27 d"}])
    out = []
    for n, number in enumerate(numbers):
        code = f"{mix_code}-S{first + n}"
        lab.add("specimen", code=code, mix=mix_code, geometry=more.get("geometry", "prism"), curing=curing)
        out.append(
            measure(
                lab,
                code,
                "strength",
                [value(quantity, number)],
                kind="specimen",
                age_days=age,
                basis="",
                **{k: v for k, v in more.items() if k != "geometry"},
            )
        )
    return out
