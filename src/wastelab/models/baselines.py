"""Predictions that need no model: what every property model has to beat under the same splits.

Each takes the tests to learn from and the tests to predict, as `wastelab.models.validation.cross_predict` gives them,
and uses of the latter only the features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .design import FloatArray
from .table import TrainingData

Baseline = Callable[[TrainingData, TrainingData], FloatArray]
#: Penalty of `ridge_log_age` on standardised columns, as a share of the number of rows. Not tuned.
RIDGE = 0.01


def mean(train: TrainingData, test: TrainingData) -> FloatArray:
    """The mean of all tests.

    Parameters
    ----------
    train, test : TrainingData

    Returns
    -------
    ndarray, shape (len(test),)
    """
    return np.full(len(test), float(np.mean(train.target)))


def mean_by_age(train: TrainingData, test: TrainingData) -> FloatArray:
    """The mean of the tests of the nearest age (by its logarithm); the mean of all where there is no age.

    Parameters
    ----------
    train, test : TrainingData

    Returns
    -------
    ndarray, shape (len(test),)
    """
    if not train.age:
        return mean(train, test)
    ages, code, counts = np.unique(_log_age(train), return_inverse=True, return_counts=True)
    means = np.bincount(code, train.target) / counts
    nearest = np.argmin(np.abs(_log_age(test)[:, None] - ages[None, :]), axis=1)
    return np.asarray(means[nearest], dtype=np.float64)


def ridge_log_age(train: TrainingData, test: TrainingData) -> FloatArray:
    """A line through every quantity and the logarithm of age, with a weak penalty.

    Columns are standardised; a missing number counts as the mean of its column, a text column is one column a level.

    Parameters
    ----------
    train, test : TrainingData

    Returns
    -------
    ndarray, shape (len(test),)
    """
    x, z, _ = encode(train, test, age=True)
    centre = float(np.mean(train.target))
    gram = x.T @ x + RIDGE * len(x) * np.eye(x.shape[1])
    return np.asarray(centre + z @ np.linalg.solve(gram, x.T @ (train.target - centre)), dtype=np.float64)


def nearest_mix(train: TrainingData, test: TrainingData) -> FloatArray:
    """The result of the most similar mix at the nearest age.

    Similar by Euclidean distance of standardised quantities (a missing number counts as the mean of its column);
    equally near rows are averaged.

    Parameters
    ----------
    train, test : TrainingData

    Returns
    -------
    ndarray, shape (len(test),)
    """
    x, z, _ = encode(train, test, age=False)
    out = np.empty(len(test))
    old, new = _log_age(train), _log_age(test)
    for start in range(0, len(z), 512):
        block = z[start : start + 512]
        squared = np.sum(block**2, axis=1)[:, None] - 2.0 * block @ x.T + np.sum(x**2, axis=1)[None, :]
        near = squared <= squared.min(axis=1, keepdims=True) + 1e-9
        for i, candidates in enumerate(near, start=start):
            away = np.where(candidates, np.abs(old - new[i]), np.inf)
            out[i] = float(np.mean(train.target[away <= away.min() + 1e-12]))
    return out


#: By the name that reports show.
BASELINES: Mapping[str, Baseline] = {
    "mean": mean,
    "mean by age": mean_by_age,
    "linear ridge": ridge_log_age,
    "nearest mix": nearest_mix,
}


def baselines(data: TrainingData) -> dict[str, Baseline]:
    """Those that differ on these tests (without an age the mean by age is the mean)."""
    return {name: f for name, f in BASELINES.items() if data.age or f is not mean_by_age}


def encode(train: TrainingData, test: TrainingData, *, age: bool) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Numbers of both tables, standardised by the first.

    Parameters
    ----------
    train, test : TrainingData
    age : bool
        Whether the logarithm of the age is a column.

    Returns
    -------
    x, z : ndarray, shape (n_rows, n_columns)
        Mean 0 and standard deviation 1 in `train`; constant columns are left out; a missing number is 0.
    names : tuple of str
    """
    import pandas as pd

    left: list[FloatArray] = []
    right: list[FloatArray] = []
    names: list[str] = []
    for column in train.features.columns:
        if column == train.age:
            continue
        a, b = train.features[column], test.features[column]
        if pd.api.types.is_float_dtype(a.dtype):
            left.append(a.to_numpy(dtype=np.float64))
            right.append(b.to_numpy(dtype=np.float64))
            names.append(column)
            continue
        for level in sorted(set(a.astype("str"))):
            left.append(np.asarray(a == level, dtype=np.float64))
            right.append(np.asarray(b == level, dtype=np.float64))
            names.append(f"{column}={level}")
    if age and train.age:
        left.append(_log_age(train))
        right.append(_log_age(test))
        names.append(f"ln {train.age}")
    x_out: list[FloatArray] = []
    z_out: list[FloatArray] = []
    kept: list[str] = []
    for name, old, new in zip(names, left, right, strict=True):
        there = ~np.isnan(old)
        centre = float(old[there].mean()) if there.any() else 0.0
        scale = float(old[there].std()) if there.any() else 0.0
        if scale <= 1e-12 * max(1.0, abs(centre)):
            continue
        x_out.append(np.nan_to_num((old - centre) / scale))
        z_out.append(np.nan_to_num((new - centre) / scale))
        kept.append(name)
    if not kept:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0)), ()
    return np.column_stack(x_out), np.column_stack(z_out), tuple(kept)


def _log_age(data: TrainingData) -> FloatArray:
    if not data.age:
        return np.zeros(len(data))
    return np.asarray(np.log(data.features[data.age].to_numpy(dtype=np.float64)))
