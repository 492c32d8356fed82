"""Scales that a target may be fitted on: the unit itself, its square root, its logarithm; and back."""

from __future__ import annotations

import numpy as np

from .design import FloatArray

TRANSFORMS = ("identity", "sqrt", "log")


def allowed_transforms(y: FloatArray) -> list[str]:
    """Scales that a target may be fitted on: roots from 0 up (if most are above), logarithms above 0."""
    if y.min() > 0:
        return list(TRANSFORMS)
    return ["identity", "sqrt"] if y.min() == 0 and np.median(y) > 0 else ["identity"]


def forward(y: FloatArray, transform: str) -> FloatArray:
    """Target on the scale that is fitted."""
    if transform == "sqrt":
        return np.sqrt(y)
    return np.log(y) if transform == "log" else y


def backward(z: FloatArray, transform: str) -> FloatArray:
    """Target from the scale that is fitted (its median)."""
    if transform == "sqrt":
        return np.square(np.maximum(z, 0.0))
    return np.exp(z) if transform == "log" else z


def slope(z: FloatArray, transform: str) -> FloatArray:
    """Derivative of the target by the fitted scale."""
    if transform == "sqrt":
        return 2.0 * np.maximum(z, 0.0)
    return np.exp(z) if transform == "log" else np.ones_like(z)


def log_jacobian(y: FloatArray, transform: str) -> float:
    """Sum of log |dz/dy|: makes likelihoods on different scales comparable."""
    if transform == "sqrt":  # a result of 0 counts as a hundredth of the usual one
        return float(-np.sum(np.log(2.0 * np.sqrt(np.maximum(y, 0.01 * np.median(y))))))
    return float(-np.sum(np.log(y))) if transform == "log" else 0.0
