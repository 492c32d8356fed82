"""What a property model has learned and how far it is to be believed: the public names of its parts in one place.

Importance, Shapley values, partial dependence, advice, residual diagnostics, influence and suspicious tests, for
anything that has ``predict(features)`` and was fitted to a `TrainingData`.
"""

from __future__ import annotations

from .advice import Advice, advise
from .dependence import Dependence, age_curves, partial_dependence
from .importance import Importance, columns_together, permutation_importance
from .influence import Influence, influence, kernel_influence, leave_mixes_out
from .refits import Refits, SeenRegion, refit_folds, refit_halves, seen_region
from .residuals import Residuals, residual_diagnostics
from .shapley import Shapley, shap_values
from .suspicious import Suspicious, suspicious_rows

__all__ = [
    "Advice",
    "Dependence",
    "Importance",
    "Influence",
    "Refits",
    "Residuals",
    "SeenRegion",
    "Shapley",
    "Suspicious",
    "advise",
    "age_curves",
    "columns_together",
    "influence",
    "kernel_influence",
    "leave_mixes_out",
    "partial_dependence",
    "permutation_importance",
    "refit_folds",
    "refit_halves",
    "residual_diagnostics",
    "seen_region",
    "shap_values",
    "suspicious_rows",
]
