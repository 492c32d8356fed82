"""Mean, spread and covariance of what several samples hold, with weights, gaps and values below detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LabError, UnknownNameError, suggest
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


def weighted(
    given: Mapping[str, float] | None, codes: Sequence[str], group: Any, names: list[str]
) -> tuple[Any, list[str], Any, list[str]]:
    """Samples of a weight above zero: group of each code, names of groups, weights that sum to one, who is left out.

    Parameters
    ----------
    given : mapping of str to float or None
        Weight by code; equal ones if None.
    codes : sequence of str
        Every sample.
    group : ndarray of int
        Number of the group that each code counts as; -1 where it counts as none.
    names : list of str
        Of the groups.

    Raises
    ------
    UnknownNameError
        If a weight is of a sample that is not there.
    LabError
        If a weight is no number of 0 or more, belongs to a sample that does not count, or is missing.
    """
    if given is None:
        return group, names, np.full(len(names), 1.0 / len(names)), []
    by_code = dict(zip(codes, (int(n) for n in group), strict=True))
    weights, named = np.zeros(len(names)), np.zeros(len(names), dtype=bool)
    for code, weight in given.items():
        if code not in by_code:
            raise UnknownNameError(f"weights: {code!r} is not among the samples.{suggest(code, by_code)}")
        try:
            number = float(weight)
        except (TypeError, ValueError):
            number = np.nan
        if not (np.isfinite(number) and number >= 0):
            raise LabError(f"weights: {code} = {weight!r}: expected 0 or more.")
        if by_code[code] >= 0:
            weights[by_code[code]] += number
            named[by_code[code]] = True
        elif number > 0:
            raise LabError(f"weights: {code!r} is left out as treated or as reference material; give it none.")
    if not named.all():
        none = [n for n, known in zip(names, named, strict=True) if not known]
        raise LabError(
            f"weights: {len(none)} of {len(names)} samples have none ({some(none)}); give every sample one, 0 to leave "
            "it out."
        )
    if weights.sum() <= 0:
        raise LabError("weights: they are all zero.")
    kept = weights > 0
    place = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # the last one for those that have no place
    left = [n for n, used in zip(names, kept, strict=True) if not used]
    counted = [n for n, used in zip(names, kept, strict=True) if used]
    return place[group], counted, weights[kept] / weights.sum(), left


def some(codes: Sequence[str]) -> str:
    """The first few codes of a list."""
    return ", ".join(codes[:5]) + (" …" if len(codes) > 5 else "")


def component_of(means: c.Means, j: int, weights: Any) -> Component:
    """Mean and spread of one component over the samples that have it; every weight is above zero."""
    value, error, minimum, flag = (
        a[:, j] for a in (means.value, means.error, means.minimum, means.flag)
    )  # fmt: skip
    there = ~np.isnan(value)
    w = weights[there] / weights[there].sum()
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
