"""Entries of a design: what each column is, its formula in names of the table's columns, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...provenance import Evidence, Source
from ..design import Feature, Ratio
from ..words import heading, vocabulary
from .offer import Offer
from .plan import Step


def feature_to_dict(feature: Feature) -> dict[str, Any]:
    """A feature as JSON."""
    out = asdict(feature)
    out["depends"] = list(feature.depends)
    if feature.source is not None:
        out["source"] = {k: str(v) for k, v in asdict(feature.source).items()}
    return out


def feature_from_dict(data: Mapping[str, Any]) -> Feature:
    """A feature from JSON."""
    source, program = data["source"], data["program"]
    return Feature(
        name=data["name"], unit=data["unit"], kind=data["kind"], formula=data["formula"],
        source=None if source is None else Source(**{**source, "evidence": Evidence(source["evidence"])}),
        depends=tuple(data["depends"]), monotone=int(data["monotone"]),
        program=None if program is None else Ratio(**program), log=bool(data["log"]),
    )  # fmt: skip


def input_feature(column: str, unit: str) -> Feature:
    """A column of the table as it is."""
    return Feature(column, unit, "input", column, None, (column,), program=Ratio({column: 1.0}))


def level_feature(column: str, level: str) -> Feature:
    """The indicator of one level of a text column."""
    return Feature(f"{column}={level}", "", "category", f"1 where {column} is {level!r}, else 0", None, (column,))


def derived_feature(
    step: Step, text: str, source: Source, unit: str, columns: Mapping[str, bool], offer: Offer
) -> Feature:
    """What a step makes, with the formula in names of columns where it can be written so."""
    program = Ratio(**step.args) if step.how == "ratio" and all(name in columns for name in step.inputs) else None
    depends = tuple(dict.fromkeys(_columns_of(step, columns, offer.helpers)))
    written = _written(Ratio(**step.args)) if step.how == "ratio" else ""
    return Feature(step.name, unit, "derived", written or text, source, depends, program=program)


def _columns_of(step: Step, columns: Mapping[str, bool], helpers: Mapping[str, Step]) -> list[str]:
    out: list[str] = []
    for name in step.inputs:
        out += [name] if name in columns else _columns_of(helpers[name], columns, helpers)
    return out


def property_unit(step: Step) -> str:
    """Unit of a blended property."""
    return vocabulary().properties[step.name.removeprefix("binder ").removesuffix(" (computed)")].units[0]


def _written(program: Ratio) -> str:
    """A ratio in names of columns, where all weights of a form are alike; else empty."""
    sides, scale = [], program.scale
    for form, power in ((program.numerator, 1), (program.denominator, -1)):
        if not form:
            continue
        sizes = {float(f"{abs(w):.9g}") for w in form.values()}
        if len(sizes) > 1:
            return ""
        scale *= sizes.pop() ** power
        text = "".join(f" {'-' if w < 0 else '+'} {heading(c)[0]}" for c, w in form.items()).removeprefix(" + ")
        sides.append(f"({text})" if len(form) > 1 and (program.denominator or abs(scale - 1.0) > 1e-9) else text)
    return ("" if abs(scale - 1.0) < 1e-9 else f"{scale:g} * ") + " / ".join(sides)
