"""What stands beside a model wherever it goes: what it predicts, from which tests, how well, where, and where not.

A card is made from a fitted model and holds plain values, so that a saved model shows the same card as the fitted one.
It is read as text, Markdown or JSON, in English or Chinese. A model that is no better than a trivial prediction says
so in its first line.

References
----------
M. Mitchell et al., "Model Cards for Model Reporting", *FAT* '19* (2019), 220-229, doi:10.1145/3287560.3287596.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

import numpy as np

from ..errors import ModelError, UnknownNameError, suggest
from ..i18n import pick_language
from ..provenance import Evidence, weakest
from . import card_text
from .table import TrainingData

#: Version of what a card holds.
CARD_SCHEMA = 1
#: What only people know of the tests: told to `model_card`, shown as not stated where nobody said it.
STATED = ("method", "citation", "evidence", "years", "note")
#: Groups below which the score for them is rough.
FEW_MIXES = 10
_PACKAGES = ("wastelab", "numpy", "scipy", "pandas", "scikit-learn", "numba", "crepes")


@dataclass(frozen=True)
class ModelCard:
    """A model card.

    Attributes
    ----------
    content : mapping
        Plain values for JSON: ``target``, ``unit``, ``stated``, ``data``, ``labels``, ``accepted``, ``scores``,
        ``intervals``, ``domain``, ``features``, ``learner``, ``local``, ``audit``, ``limits``, ``versions``,
        ``parameters``, ``schema``.
    """

    content: Mapping[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """What must be said first, loud, in English; empty for a model without any."""
        return self.loud("en")

    def loud(self, lang: str | None = None) -> tuple[str, ...]:
        """The same in a language."""
        return tuple(card_text.said(label, pick_language(lang)) for label in self.content["labels"])

    @property
    def do_not_use(self) -> bool:
        """Whether the model is no better than a trivial prediction for what it was not fitted to."""
        return bool(self.content["scores"] and self.content["scores"]["worse_than_baseline"])

    def report(self, lang: str | None = None, width: int | None = None) -> str:
        """As text for a terminal, broken at a width where one is given."""
        return card_text.to_text(card_text.blocks(self.content, pick_language(lang)), width)

    def summary(self, lang: str | None = None, width: int | None = None) -> str:
        """What it predicts and how well, without what it looks at."""
        return card_text.to_text(card_text.blocks(self.content, pick_language(lang), short=True), width)

    def markdown(self, lang: str | None = None) -> str:
        """As Markdown."""
        return card_text.to_markdown(card_text.blocks(self.content, pick_language(lang)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (what is not known is None)."""
        return dict(self.content)

    @classmethod
    def from_dict(cls, values: Any, place: str = "card") -> ModelCard:
        """What `to_dict` gave.

        Raises
        ------
        ModelError
            If it is no card, or one of another version.
        """
        if not isinstance(values, Mapping) or values.get("schema") != CARD_SCHEMA:
            found = values.get("schema") if isinstance(values, Mapping) else None
            raise ModelError(
                f"{place}: a card of version {found!r}; this version of wastelab reads {CARD_SCHEMA}. Read it with the "
                f"version of wastelab that saved it."
            )
        return cls(dict(values))

    def __str__(self) -> str:
        return self.report("en")

    def __repr__(self) -> str:
        loud = " - DO NOT USE" if self.do_not_use else ""
        return f"<ModelCard of {self.content['target']}, {self.content['data']['rows']} tests{loud}>"


def model_card(model: Any, *, accepted: str = "", stated: Mapping[str, str] | None = None) -> ModelCard:
    """Card of a fitted model.

    Parameters
    ----------
    model : PropertyModel
        Fitted.
    accepted : str
        Why somebody keeps a model that is no better than a trivial prediction.
    stated : mapping of str to str, optional
        What the table does not say of its tests: ``method`` (standard, specimen, curing), ``citation``, ``evidence``
        (of `wastelab.provenance.Evidence`), ``years``, ``note``.

    Returns
    -------
    ModelCard

    Raises
    ------
    ModelError
        If the model is not fitted.
    UnknownNameError
        If something else is stated.
    """
    data: TrainingData | None = getattr(model, "data_", None)
    if data is None:
        raise ModelError(
            "This model is not fitted, or was loaded without its tests: there is nothing to make a card of."
        )
    for name in stated or {}:
        if name not in STATED:
            raise UnknownNameError(
                f"A card has no place for {name!r}.{suggest(name, STATED)} Known: {', '.join(STATED)}."
            )
    said = {name: str((stated or {}).get(name, "")) for name in STATED}
    if said["evidence"]:
        said["evidence"] = str(_evidence(said["evidence"]))
    scores = getattr(model, "scores_", None)
    features = [_feature(f) for f in model.builder_.features_]
    audit = getattr(model, "audit_", None)
    content = {
        "schema": CARD_SCHEMA, "kind": type(model).__name__, "target": data.name, "unit": data.unit, "stated": said,
        "data": _data(data, [*data.notices, *model.builder_.notices_]), "accepted": accepted,
        "scores": None if scores is None else scores.to_dict(),
        "intervals": _part(getattr(model, "intervals_", None)), "domain": _part(getattr(model, "domain_", None)),
        "features": features, "learner": _learner(model.learner_), "local": _local(getattr(model, "local_", None)),
        "local_tests": _n_local(model),
        "audit": _findings(audit), "limits": [], "labels": [], "versions": package_versions(),
        "parameters": {k: v for k, v in model.get_params().items() if not hasattr(v, "fit")},
    }  # fmt: skip
    content["labels"] = _labels(data, scores, accepted, content["audit"] or [])
    content["limits"] = _limits(data, scores, features)
    return ModelCard(plain(content))


def card_of(model: Any) -> ModelCard:
    """The card that belongs to a model: the one it was given where its tests are still those, else a new one.

    Parameters
    ----------
    model : PropertyModel

    Returns
    -------
    ModelCard
    """
    own: ModelCard | None = getattr(model, "card_", None)
    data: TrainingData | None = getattr(model, "data_", None)
    if own is None:
        return model_card(model)
    if data is not None and own.content["data"]["sha256"] != data.sha256:  # fitted anew since
        return model_card(model)
    if own.content["local_tests"] != _n_local(model):  # calibrated since
        return ModelCard({**own.content, "local_tests": _n_local(model)})
    return own


def is_reason(text: str) -> bool:
    """Whether a text can be the reason that stands on a card: five letters, or two Chinese characters."""
    letters = [c for c in text if c.isalpha()]
    return len(letters) >= 5 or sum(c > "\u2e7f" for c in letters) >= 2


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a fit depends on; none of them is imported."""
    found = {"python": python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def plain(value: Any) -> Any:
    """A value as JSON can hold it; a number that is none is None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or type(value) in (bool, int, str):
        return value
    return str(value)


# -- parts of a card
def _data(data: TrainingData, notices: list[Any]) -> dict[str, Any]:
    import pandas as pd

    ages: list[float] = []
    if data.age:
        ages = sorted(set(data.features[data.age].dropna().tolist()))
    years = re.findall(r"\b(?:19|20)\d\d\b", " ".join(map(str, np.unique(data.time)))) if data.time is not None else []
    ranges: dict[str, dict[str, Any]] = {}
    for name in data.features.columns:
        column = data.features[name]
        if pd.api.types.is_float_dtype(column.dtype):
            there = column.dropna()
            ranges[name] = {
                "unit": data.units.get(name, ""), "low": float(there.min()) if len(there) else None,
                "high": float(there.max()) if len(there) else None, "missing": int(column.isna().sum()),
            }  # fmt: skip
        else:
            ranges[name] = {
                "levels": sorted({str(v) for v in column} - {""}), "missing": int((column.astype(str) == "").sum())
            }  # fmt: skip
    return {
        "rows": len(data), "mixes": data.n_mixes, "sources": data.n_sources, "mix_from": data.mix_from,
        "ages_d": ages, "years": [min(years), max(years)] if years else [], "sha256": data.sha256,
        "licence": data.licence, "origin": data.origin,
        "target": {"low": float(data.target.min()), "high": float(data.target.max()),
                   "mean": float(data.target.mean())},
        "specimens": float(np.nansum(data.y_n)), "columns": ranges,
        "notices": [n.to_dict() if hasattr(n, "to_dict") else str(n) for n in notices],
    }  # fmt: skip


def _feature(feature: Any) -> dict[str, Any]:
    source = feature.source
    return {
        "name": feature.name, "unit": feature.unit, "kind": feature.kind, "formula": feature.formula,
        "source": "" if source is None else source.text, "doi": "" if source is None else source.doi,
        "evidence": "" if source is None else str(source.evidence), "depends": list(feature.depends),
        "monotone": feature.monotone,
    }  # fmt: skip


def _learner(learner: Any) -> dict[str, Any]:
    members = getattr(learner, "members", None)
    if members is None:
        return {"members": [{"name": type(learner).__name__, "weight": 1.0, "parameters": plain(learner.get_params())}]}
    return {
        "members": [
            {"name": name, "weight": float(weight), "parameters": plain(member.get_params())}
            for (name, member), weight in zip(members, learner.shares, strict=True)
        ]
    }


def _part(value: Any) -> Any:
    """What intervals, domain and the like say of themselves for a card."""
    for name in ("to_card", "summary", "to_dict"):
        how = getattr(value, name, None)
        if callable(how):
            return plain(how())
    return None


def _local(local: Any) -> dict[str, Any] | None:
    """What is known of how sources differ, and which part of it a few local tests can take away."""
    if local is None:
        return None
    shares = dict(local.shares)
    own = sum(shares[name] for name in ("constant", "slopes", "smooth"))
    return {"sources": int(local.n_sources_), "tests": int(local.n_rows_), "shares": shares, "learnable": float(own)}


def _n_local(model: Any) -> int:
    effect = getattr(model, "effect_", None)
    return 0 if effect is None else len(effect)


def _findings(audit: Any) -> list[dict[str, Any]] | None:
    if audit is None:
        return None
    return [f.to_dict() for f in getattr(audit, "found", audit)]


def _labels(data: TrainingData, scores: Any, accepted: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be seen first."""
    out: list[dict[str, Any]] = []
    if scores is None:
        out.append({"key": "model_card.never_validated", "values": {}})
    else:
        if scores.label is not None:
            out.append(scores.label.to_dict())
            if accepted:
                out.append({"key": "model_card.kept_because", "values": {"reason": accepted}})
        few = [n.to_dict() for n in scores.notices if n.key == "validation.few_mixes"]
        out += few
    if (scores is None or not any(n["key"] == "validation.few_mixes" for n in out)) and data.n_mixes < FEW_MIXES:
        out.append({"key": "model_card.few_mixes", "values": {"n": data.n_mixes}})
    if scores is None or "source" not in scores.protocols:
        out.append({"key": "model_card.no_other_laboratory", "values": {}})
    severe = sum(f["severity"] == "severe" for f in found)
    if severe:
        out.append({"key": "model_card.severe_findings", "values": {"n": severe}})
    return out


def _limits(data: TrainingData, scores: Any, features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the model must not be used for."""
    columns = [c for c in data.features.columns if c != data.age]
    out = [
        {"key": "model_card.limit_columns", "values": {"columns": ", ".join(map(str, columns))}},
        {"key": "model_card.limit_domain", "values": {}},
        {"key": "model_card.limit_acceptance", "values": {}},
    ]
    if data.age:
        ages = data.features[data.age].dropna()
        out.append({"key": "model_card.limit_ages", "values": {"low": f"{ages.min():g}", "high": f"{ages.max():g}"}})
    else:
        out.append({"key": "model_card.limit_one_age", "values": {}})
    levels = [Evidence(f["evidence"]) for f in features if f["evidence"]]
    if levels and weakest(levels).rank >= Evidence.MEMORY.rank:
        out.append({"key": "model_card.limit_memory", "values": {}})
    out.append({"key": "model_card.limit_licence" if data.licence else "model_card.limit_no_licence",
                "values": {"licence": data.licence}})  # fmt: skip
    return out


def _evidence(text: str) -> Evidence:
    try:
        return Evidence(text)
    except ValueError:
        known = ", ".join(Evidence)
        raise UnknownNameError(
            f"evidence = {text!r} is not a level.{suggest(text, Evidence)} Levels: {known}."
        ) from None
