"""A mix's own first tests correct its course: what 3 and 7 d tell of 28 d.

Errors of a model on mixes it has not seen go together within a mix. Their covariance over ages is that of an effect of
the mix, a part that fades with the ratio of ages, and noise; given tests of a mix the rest of its course follows from
the conditional normal. Widths are calibrated on such conditional errors of mixes that the model had not seen.

References
----------
C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), sect. 2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UnknownNameError, ValidityError, suggest
from ._gp_kernels import not_falling
from .cells import numbers
from .columns import factor, split_unit
from .design import FloatArray
from .mix_effect import MixEffect
from .residual_bond import LIMIT
from .table import MIX_COLUMNS, TrainingData, _usual_age, mix_keys, table_of
from .unseen import Unseen, halves, of_new, still_unknown

if TYPE_CHECKING:
    import pandas as pd

    from .property_model import PropertyModel


def early_tests(
    model: PropertyModel,
    X: Any,
    tests: Any,
    interval: float = 0.9,
    *,
    mix: str = "",
    effect: MixEffect | None = None,
    on_outside: str = "widen",
) -> pd.DataFrame:
    """Predict mixes of which some tests are there already, e.g. 28 d from 3 and 7 d.

    Parameters
    ----------
    model : PropertyModel
        Of tests at several ages; it must not have seen these mixes.
    X : pandas.DataFrame, mapping or path
        Mixes and ages that are asked about, as in `PropertyModel.predict`, and a column that names the mix.
    tests : pandas.DataFrame, mapping or path
        Results: the same column of the mix, the age, and the target; units at the end of names are converted.
    interval : float
        Probability that the result of a new test lies within.
    mix : str, optional
        Column that names the mix; one of a usual name (``mix_id``) by default.
    effect : MixEffect, optional
        ``MixEffect.of(model)``, where it is there already.
    on_outside : {"widen", "refuse", "ignore"}
        As in `PropertyModel.predict`.

    Returns
    -------
    pandas.DataFrame
        ``mean``, ``lower``, ``upper`` [unit of the target], ``in_domain``, ``reasons``, ``tests`` (number used), and
        ``mean_before`` without them; the index of `X`. ``attrs["warnings"]`` names tests that look wrong.

    Raises
    ------
    ValidityError
        If the model was fitted to tests of one of these mixes: its predictions hold them already.
    MissingDataError
        If the model knows nothing of how errors of a mix go together over age.
    ModelError
        If tests are of unknown mixes, a mix has two compositions, or a number is missing or wrong.

    Notes
    -----
    A result equal to its prediction moves nothing. Where the property must not fall with age, the corrected course does
    not: it stays above the early tests as far as these are not noise. What a calibrated model knows of its laboratory
    is taken as known: a test then tells of its mix alone.

    Intervals are conformal given the tests, for later and for earlier ages apart, and never wider than without tests.
    The narrower of two intervals that each hold 90 % can hold less than that.
    """
    known = MixEffect.of(model) if effect is None else effect
    frame, place = table_of(X)
    column = _mix_column(frame, mix, place)
    features = model.read_mixes(frame)
    age = model._table().age
    of_row = frame[column].astype("str").to_numpy()
    first = _compositions(features.drop(columns=[age]), of_row, place)
    _refuse_seen(model, features, first, age)
    tested = _read_tests(model, tests, column, first)
    out: pd.DataFrame = model.predict(frame, interval, on_outside=on_outside)
    out.attrs.setdefault("warnings", [])
    out["tests"], out["mean_before"] = 0, out["mean"]
    centre, below, above = halves(out, model.bounded)
    for name, course in _courses(model, known, features, of_row, first, tested).items():
        rows = np.flatnonzero(of_row == name)
        log_age, values = tested[name]
        for i in np.flatnonzero(np.abs(course.z) > LIMIT * known.size):
            out.attrs["warnings"].append(
                f"mix {name}, {math.exp(log_age[i]):g} d: {values[i]:g} is far from its prediction "
                f"({course.before[i]:.3g}); it counts as three standard deviations. Check the test."
            )
        size = course.scale * (course.stretch if on_outside == "widen" else 1.0)
        held = known.multiplier(interval, np.log(features[age].to_numpy()[rows]), log_age)
        for half in (below, above):
            half[rows] = np.minimum(half[rows], held * np.sqrt(course.variance) * size)
        centre[rows] = np.where(np.isnan(centre[rows]), np.nan, course.mean)
        out.loc[out.index[rows], "tests"] = len(course.z)
    out["mean"] = centre
    out["lower"], out["upper"] = model._bounded(centre - below), model._bounded(centre + above)
    out.index = frame.index
    return out


@dataclass(frozen=True)
class _Course:
    """A mix given its tests: error and prediction of each test; mean, variance, scale and stretch of each row asked."""

    z: FloatArray
    before: FloatArray
    mean: FloatArray
    variance: FloatArray
    scale: FloatArray
    stretch: FloatArray


def _courses(
    model: PropertyModel, effect: MixEffect, features: pd.DataFrame, of_row: Any, first: dict[str, int],
    tested: dict[str, tuple[FloatArray, FloatArray]],
) -> dict[str, _Course]:  # fmt: skip
    """All tested mixes at the ages of their tests, the knots and the ages asked, in one prediction as of new mixes."""
    age = model._table().age
    usual = np.quantile(effect.log_age, np.linspace(0, 1, 13))
    ages: dict[str, tuple[FloatArray, FloatArray, FloatArray]] = {}
    for name, (log_age, _) in tested.items():
        knots = np.unique(np.round(np.concatenate([usual, log_age]), 9))
        ages[name] = log_age, knots, np.log(features[age].to_numpy()[of_row == name])
    grid = {name: np.concatenate(parts) for name, parts in ages.items()}
    at = np.repeat([first[name] for name in grid], [len(a) for a in grid.values()])
    frame = features.iloc[at].reset_index(drop=True)
    frame[age] = np.exp(np.concatenate(list(grid.values())))
    design = model.builder_.design(frame)
    rises = design.age is not None and design.features[design.age].monotone > 0
    new, unknown = of_new(model, frame), still_unknown(model, model._not_before(design))
    out: dict[str, _Course] = {}
    start = 0
    for name, (log_age, knots, asked) in ages.items():
        ends = start + np.cumsum([len(log_age), len(knots), len(asked)])
        young, middle, old = (
            Unseen(new.mean[a:b], new.scale[a:b], new.stretch[a:b])
            for a, b in zip([start, *ends[:2]], ends, strict=True)
        )
        own = effect.left(float(unknown[ends[0] : ends[1]].mean()))
        start = int(ends[2])
        z = (tested[name][1] - young.mean) / (young.scale * young.stretch)
        shift, variance = own.condition(log_age, z, asked)
        mean = model._bounded(old.mean + shift * old.scale * old.stretch)
        if rises:
            shift, _ = own.condition(log_age, z, knots)
            after = np.ascontiguousarray(model._bounded(middle.mean + shift * middle.scale * middle.stretch)[None, :])
            not_falling(after, np.ones(len(knots)))
            mean = _between(knots, middle.mean, after[0], asked, old.mean)
        out[name] = _Course(z, young.mean, mean, variance, old.scale, old.stretch)
    return out


def _between(
    knots: FloatArray, before: FloatArray, after: FloatArray, asked: FloatArray, mean: FloatArray
) -> FloatArray:  # fmt: skip
    """Corrected course between its knots, with the shape that the prediction has there; never falling."""
    out = np.empty(len(asked))
    for i, (at, value) in enumerate(zip(asked, mean, strict=True)):
        if at <= knots[0]:
            out[i] = after[0] * (value / before[0] if before[0] > 0 else 1.0)
        elif at >= knots[-1]:
            out[i] = after[-1] + max(value - before[-1], 0.0)
        else:
            k = int(np.searchsorted(knots, at, side="right")) - 1
            rise = before[k + 1] - before[k]
            share = (value - before[k]) / rise if rise > 0 else (at - knots[k]) / (knots[k + 1] - knots[k])
            out[i] = after[k] + np.clip(share, 0.0, 1.0) * (after[k + 1] - after[k])
    return out


# -- reading
def _mix_column(frame: pd.DataFrame, mix: str, place: str) -> str:
    found = mix or next((c for c in MIX_COLUMNS if c in frame.columns), "")
    if found not in frame.columns:
        raise UnknownNameError(
            f"{place}: no column '{mix or 'mix_id'}' says which mix a row is.{suggest(mix, frame.columns)} Add one, or "
            f"name it: mix='COLUMN'."
        )
    return found


def _compositions(features: pd.DataFrame, of_row: Any, place: str) -> dict[str, int]:
    """First row of each mix; all rows of a mix must have one composition."""
    keys = mix_keys(features)
    first: dict[str, int] = {}
    for i, name in enumerate(of_row):
        at = first.setdefault(name, i)
        if keys[i] != keys[at]:
            raise ModelError(
                f"{place}, row {i + 1}: mix '{name}' has another composition than in row {at + 1}. Give every mix a "
                f"name of its own."
            )
    return first


def _refuse_seen(model: PropertyModel, features: pd.DataFrame, first: dict[str, int], age: str) -> None:
    data: TrainingData | None = model.data_
    if data is None:  # loaded without its tests: nobody can tell
        return
    seen = set(mix_keys(data.features.drop(columns=[age])))
    for name, key in zip(first, mix_keys(features.drop(columns=[age]).iloc[list(first.values())]), strict=True):
        if key in seen:
            raise ValidityError(
                f"mix '{name}' is one of those the model was fitted to: its predictions hold those tests already. Fit "
                f"the model without that mix, or predict it as it is."
            )


def _read_tests(
    model: PropertyModel, tests: Any, column: str, mixes: dict[str, int]
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Ages [ln d] and results [unit of the target] of each mix."""
    frame, place = table_of(tests)
    data = model._table()
    if column not in frame.columns:
        raise UnknownNameError(f"tests ({place}): no column '{column}' says of which mix a test is.")
    age = data.age if data.age in frame.columns else _usual_age(frame)
    result = next((str(c) for c in frame.columns if c == data.name or split_unit(str(c))[0] == data.name), "")
    if not age or not result:
        raise UnknownNameError(
            f"tests ({place}): expected the age ('{data.age}') and the result ('{data.name}'); found "
            f"{', '.join(map(str, frame.columns))}."
        )
    days = numbers(frame, age, place) * factor(split_unit(age)[1] or "d", "d", what=age)
    unit = split_unit(result)[1]
    values = numbers(frame, result, place) * (factor(unit, data.unit, what=result) if unit and data.unit else 1.0)
    out: dict[str, tuple[FloatArray, FloatArray]] = {}
    names = frame[column].astype("str").to_numpy()
    for i, name in enumerate(names):
        if name not in mixes:
            raise UnknownNameError(f"tests, row {i + 1}: mix '{name}' is not asked about.{suggest(name, mixes)}")
        if not days[i] > 0 or np.isnan(values[i]) or (model.bounded and values[i] < 0):
            raise ModelError(
                f"tests, row {i + 1} (mix '{name}'): age {days[i]:g} d, result {values[i]:g}. Expected an age above 0 "
                f"and a result; leave out what was not tested."
            )
    for name in dict.fromkeys(names.tolist()):
        rows = np.flatnonzero(names == name)
        out[name] = np.log(days[rows]), values[rows]
    return out
