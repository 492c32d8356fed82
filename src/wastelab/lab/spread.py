"""Mean, spread and covariance of what several samples hold, with weights, gaps and values below detection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import contents as c

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Component:
    """One component over all samples."""

    value: float
    sigma: float | None
    lod: float | None
    measurements: list[int] = field(default_factory=list)
    samples: int = 0


def component_of(means: c.Means, j: int, weights: Any) -> Component:
    """Mean and spread of one component over the samples that have it."""
    value, error, minimum, flag = (
        a[:, j] for a in (means.value, means.error, means.minimum, means.flag)
    )  # fmt: skip
    there = ~np.isnan(value) & (weights > 0)
    if not there.any():
        there = ~np.isnan(value)
    w = weights[there] if weights[there].sum() > 0 else np.ones(int(there.sum()))
    w = w / w.sum()
    x = value[there]
    mean = float(w @ x)
    below = c.FLAGS.index("below_detection")
    if (flag[there] == below).all():
        lod = float(np.nanmax(minimum[there]))
        return Component(lod / 2.0, lod / np.sqrt(12.0), lod, samples=len(x))
    if len(x) == 1:
        sigma = None if np.isnan(error[there][0]) else float(error[there][0])
    else:
        sigma = float(np.sqrt(w @ (x - mean) ** 2 / (1.0 - w @ w)))
    return Component(mean, sigma, None, samples=len(x))


def covariance_of(frame: pd.DataFrame, weights: Any) -> pd.DataFrame:
    """Covariance between columns over rows that have both; made positive semidefinite where gaps have spoilt it."""
    import pandas as pd

    x = frame.to_numpy(dtype=float)
    size = x.shape[1]
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(i, size):
            both = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            w = weights[both]
            if both.sum() < 2 or w.sum() <= 0:
                continue
            w = w / w.sum()
            a, b = x[both, i], x[both, j]
            rest = 1.0 - w @ w
            if rest > 0:
                out[i, j] = out[j, i] = (w * (a - w @ a)) @ (b - w @ b) / rest
    if size and np.isnan(x).any():
        spread = np.sqrt(np.diag(out))
        scale = np.where(spread > 0, spread, 1.0)
        values, vectors = np.linalg.eigh(out / np.outer(scale, scale))
        if values.min() < 0:
            fixed = vectors @ np.diag(np.maximum(values, 0.0)) @ vectors.T
            diagonal = np.sqrt(np.where(np.diag(fixed) > 0, np.diag(fixed), 1.0))
            out = fixed / np.outer(diagonal, diagonal) * np.outer(spread, spread)
    return pd.DataFrame(out, index=frame.columns, columns=frame.columns)
