"""What a property model says, and by how much it errs, of mixes that it has not seen.

For a row of its own table that is the out-of-fold prediction; for any other row the prediction itself. Errors of
several properties can only be compared when no prediction has seen the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .design import Design, FloatArray
from .source_covariance import effect_variance
from .table import TrainingData, mix_keys

if TYPE_CHECKING:
    import pandas as pd

    from .property_model import PropertyModel


@dataclass(frozen=True)
class Unseen:
    """Predictions of rows by models that saw no test of their mix.

    Attributes
    ----------
    mean, scale : ndarray, shape (n_rows,)
        And the expected size of the error, without what the domain adds; NaN where there is no such prediction.
    stretch : ndarray, shape (n_rows,)
        Factor of the error outside the domain, 1 inside.
    """

    mean: FloatArray
    scale: FloatArray
    stretch: FloatArray


def unseen_tests(model: PropertyModel) -> Unseen:
    """Of the rows of the model's own table, by the hardest protocol that its intervals hold for."""
    kind = model._kind()
    rows, held = model.intervals_.rows(kind), model.intervals_.of(kind)
    n = model.intervals_._n_rows
    mean, scale = np.full((2, n), np.nan)
    mean[rows], scale[rows] = held.centre, held.in_unit(held.centre, held.scale.own)
    return Unseen(mean, scale, np.ones(n))


def predict_unseen(model: PropertyModel, features: pd.DataFrame, ignore: Sequence[str] = ()) -> Unseen:
    """Of any rows: out of fold for those that are in the model's table.

    Parameters
    ----------
    model : PropertyModel
    features : pandas.DataFrame
        As `PropertyModel.read_mixes` gives them.
    ignore : sequence of str
        Columns by which rows are not told apart.
    """
    new = of_new(model, features)
    data: TrainingData | None = model.data_
    if data is None:
        return new
    drop = [c for c in ignore if c in features.columns]
    place: dict[str, list[int]] = {}
    for row, key in enumerate(mix_keys(data.features.drop(columns=drop))):
        place.setdefault(key, []).append(row)
    own = unseen_tests(model)
    for i, key in enumerate(mix_keys(features.drop(columns=drop))):
        rows = [r for r in place.get(key, ()) if np.isfinite(own.mean[r])]
        if rows:
            new.mean[i], new.scale[i], new.stretch[i] = own.mean[rows].mean(), own.scale[rows].mean(), 1.0
    return new


def of_new(model: PropertyModel, features: pd.DataFrame) -> Unseen:
    """Of rows that are taken as new mixes, whatever the model has seen; as `PropertyModel.predict` has their mean.

    Of a model that was calibrated to a laboratory the mean is that of the laboratory, the expected error still that of
    the model as it was fitted; see `still_unknown`.
    """
    design = model.builder_.design(features)
    young = model._not_before(design)
    parts = model.learner_.predict_members(young)
    known, kind = model._effect_of(None)
    mean = model._corrected(design, known, kind, parts)
    own = np.column_stack(list(parts.values()))
    among = own.std(axis=1) if own.shape[1] > 1 else np.zeros(len(mean))
    checked, held = model.domain_.check(features, design), model.intervals_.of(kind)
    scale = held.in_unit(mean, held.expected(design, mean, model.learner_.spread(young), among))
    return Unseen(mean.copy(), np.array(scale, dtype=np.float64), checked["stretch"].to_numpy(dtype=np.float64).copy())


def still_unknown(model: PropertyModel, design: Design) -> FloatArray:
    """Share of the variance that tests of a mix have in common which a laboratory's own tests left open, each row.

    1 of a model that was not calibrated.
    """
    known = model.effect_
    if known is None:
        return np.ones(len(design))
    parts, coordinates = known.model.components, known.model.coordinates
    before = effect_variance(coordinates(design), parts, coordinates.slopes) + parts.mix
    after = known.narrowing(design) ** 2 * (before + parts.noise) - parts.noise
    return np.clip(after / np.maximum(before, 1e-12), 0.0, 1.0)


def halves(out: pd.DataFrame, bounded: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean of a table of intervals, and how far the ends lie below and above it.

    Where a property is `bounded` an end that was cut at 0 lies as far as the other: the mean may move away from 0.
    """
    mean, lower, upper = (out[column].to_numpy(dtype=np.float64).copy() for column in ("mean", "lower", "upper"))
    above = upper - mean
    return mean, np.where(bounded & (lower <= 0.0), np.maximum(mean - lower, above), mean - lower), above
