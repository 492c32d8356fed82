"""Property models: strength, setting, absorption, shrinkage, leaching … from composition, process and age.

Fitted to a laboratory's own tests or to public data, validated by mix and by source, with intervals that are
calibrated the same way and a domain outside which a prediction says so.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "Audit": "audit",
    "CompiledModel": "compiled",
    "ConformalIntervals": "intervals",
    "Design": "design",
    "Domain": "domain",
    "Feature": "design",
    "FewTests": "few_tests",
    "GaussianProcess": "gp",
    "LaboratoryModel": "laboratory_model",
    "MixFeatures": "builder",
    "ModelCard": "card",
    "PropertyModel": "property_model",
    "PropertyModels": "multi",
    "Scores": "scores",
    "SourceEffect": "local",
    "TrainingData": "table",
    "TransferModel": "transfer",
    "Trees": "trees",
    "audit_table": "audit",
    "cross_predict": "validation",
    "early_tests": "early_tests",
    "learning_curve": "validation",
    "load_model": "persistence",
    "model_card": "card",
    "paired_difference": "validation",
    "read_results": "table",
    "read_table": "table",
    "save_model": "persistence",
    "shipped_model": "shipped",
    "shipped_models": "shipped",
    "suggest": "suggest",
    "validate": "validation",
    "verify_model": "persistence",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
