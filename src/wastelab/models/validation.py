"""Validation that a reviewer would accept, of anything that fits and predicts.

The same mix is never on both sides of a split, nor the same source where sources are known; trivial predictions run
under the same splits; the hardest score that the data allow is the headline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .baselines import baselines
from .comparison import Difference, draw_rmse, paired_difference
from .cross import (
    FEW_MIXES,
    FitPredict,
    Progress,
    check_mixes,
    cross_predict,
    protocol_splits,
    without_tested_mixes,
)
from .design import IntArray
from .folds import Split
from .notices import Notice
from .scores import LOUD, PROTOCOLS, Errors, ProtocolScore, Scores, notice
from .table import TrainingData
from .tuning import LearningCurve, Tuned, learning_curve, nested, tune

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Difference", "Errors", "FitPredict", "LearningCurve", "Progress", "ProtocolScore", "Scores", "Tuned",
    "assemble", "cross_predict", "learning_curve", "nested", "paired_difference", "protocol_splits",
    "score_predictions", "tune", "validate",
]  # fmt: skip

#: Bands of age [d] that errors are shown by: up to and with.
AGE_BANDS = (3.0, 14.0, 35.0, 100.0, np.inf)
#: Share of the rows from one source beyond which a notice says so.
DOMINANT = 0.5
#: Fewer sources than this: a notice.
LEAST_SOURCES = 5
#: Level of the interval by which a model is surely better or worse than a trivial prediction: 99 % one-sided, since the
#: best of four is chosen after looking.
SURE = 0.98


def validate(
    fit_predict: FitPredict,
    data: TrainingData,
    *,
    n_folds: int = 5,
    seed: int = 0,
    protocols: Sequence[str] = ("row", "mix", "source", "time"),
    progress: Progress | None = None,
) -> Scores:
    """Scores for random rows, new mixes, new sources and later times, together.

    Parameters
    ----------
    fit_predict : callable
        See `cross_predict`. Must not keep anything between calls.
    data : TrainingData
    n_folds, seed : int
        Fewer than 10 mixes are each left out once, whatever `n_folds` says; so are fewer than 10 sources.
    protocols : sequence of str
        Those wanted. ``"mix"`` is always run; those that the data do not allow are left out and a notice says why.
    progress : callable, optional
        See `cross_predict`.

    Returns
    -------
    Scores
        The hardest first. After a KeyboardInterrupt with what is finished, unless that is nothing but random rows.

    Raises
    ------
    ModelError
        Fewer than 5 mixes (says how many to test), unknown protocol, or a prediction that is not finite.
    KeyboardInterrupt
        If no fold of a protocol that can stand alone was finished.

    Notes
    -----
    Hardest first is: new source, later in time, new mix, random rows; a fixed order, so that two models of one table
    have the same headline. Figures are of all tested rows together. The standard error of the root mean square error
    is that of 1000 draws of whole groups with replacement (sources for new sources, else mixes).
    """
    check_mixes(data)
    one_row = data.n_mixes == len(data)
    wanted = set(protocols) | {"mix"}
    for protocol in wanted - set(PROTOCOLS):
        protocol_splits(data, protocol)
    notices: list[Notice] = []
    scores: list[ProtocolScore] = []
    predictions: dict[str, pd.DataFrame] = {}
    stopped = False
    for protocol in PROTOCOLS:
        if protocol not in wanted or stopped or (protocol == "row" and one_row):
            continue
        splits, groups = protocol_splits(data, protocol, n_folds=n_folds, seed=seed)
        if not splits:
            if len(np.unique(getattr(data, protocol) if getattr(data, protocol) is not None else [0])) > 1:
                notices.append(notice("validation.shared_mixes", protocol=PROTOCOLS[protocol]))
            continue
        frame = cross_predict(fit_predict, data, splits, progress=progress, label=PROTOCOLS[protocol])
        stopped = frame.attrs["interrupted"]
        if stopped:
            if not frame.attrs["folds"] and not scores:
                raise KeyboardInterrupt
            notices.append(
                notice("validation.interrupted", protocol=PROTOCOLS[protocol], done=frame.attrs["folds"],
                       planned=frame.attrs["planned"])
            )  # fmt: skip
            if not frame.attrs["folds"]:
                break
        trivial = {name: cross_predict(f, data, splits[: frame.attrs["folds"]]) for name, f in baselines(data).items()}
        scores.append(_score(protocol, data, frame, trivial, groups, seed))
        predictions[protocol] = frame
    if one_row and "row" in wanted and "mix" in predictions:
        notices.append(notice("validation.one_row_a_mix"))
    notices = [*_judged(scores, data), *_unknown(data, wanted), *notices]
    return Scores(
        target=data.name, unit=data.unit, n_rows=len(data), n_mixes=data.n_mixes, n_sources=data.n_sources,
        every=tuple(scores), notices=tuple(notices), predictions=predictions,
    )  # fmt: skip


def score_predictions(
    predictions: pd.DataFrame,
    data: TrainingData,
    protocol: str,
    *,
    splits: Sequence[Split] | None = None,
    groups: IntArray | None = None,
    seed: int = 0,
) -> ProtocolScore:
    """Score of predictions that were made elsewhere (a model's own out-of-fold predictions).

    Parameters
    ----------
    predictions : pandas.DataFrame
        Rows as in `data`: ``fold`` (-1 where a row was not tested), ``mean`` (and ``lower``, ``upper``).
    data : TrainingData
    protocol : {"source", "time", "mix", "row"}
    splits : sequence of (train, test), optional
        That they were made with; by default all other folds are what a fold was fitted to (less the tested mixes, for
        new sources; the folds before it, for later times). The trivial predictions are made with them too.
    groups : ndarray of int, optional
        What errs together; by default sources for new sources, else mixes.
    seed : int

    Returns
    -------
    ProtocolScore

    Raises
    ------
    ModelError
        If the predictions are not of these rows, or a mix (source) is in two folds of a protocol that forbids it.
    """
    if len(predictions) != len(data):
        raise ModelError(f"There are {len(predictions)} predictions for {len(data)} tests. Give one a row, in order.")
    frame = predictions.assign(observed=data.target)
    fold = frame["fold"].to_numpy(dtype=np.int64)
    if splits is None:
        later = protocol == "time"
        numbers = [k for k in np.unique(fold) if k >= 0]
        splits = [(np.flatnonzero(fold < k if later else fold != k), np.flatnonzero(fold == k)) for k in numbers]
        if protocol in ("source", "time"):
            splits = without_tested_mixes(data, splits)
    kept_apart = {"mix": data.mix, "source": data.source}.get(protocol)
    if kept_apart is not None:
        for train, test in splits:
            both = np.intersect1d(kept_apart[train], kept_apart[test])
            if len(both):
                row = data.rows[int(test[np.isin(kept_apart[test], both)][0])]
                raise ModelError(
                    f"{row}: its {protocol} is also in another fold; this is no score for a new {protocol}."
                )
    if groups is None:
        groups = data.source if protocol == "source" and data.source is not None else data.mix
    frame.attrs["planned"] = len(splits)
    trivial = {name: cross_predict(f, data, splits) for name, f in baselines(data).items()}
    return _score(protocol, data, frame, trivial, groups, seed)


def assemble(scores: Sequence[ProtocolScore], data: TrainingData) -> Scores:
    """`Scores` of protocol scores that were had one by one, with the notices that belong to them.

    Parameters
    ----------
    scores : sequence of ProtocolScore
        In any order; one of them must be harder than random rows.
    data : TrainingData

    Returns
    -------
    Scores
    """
    order = list(PROTOCOLS)
    ranked = sorted(scores, key=lambda s: order.index(s.protocol))
    return Scores(
        target=data.name, unit=data.unit, n_rows=len(data), n_mixes=data.n_mixes, n_sources=data.n_sources,
        every=tuple(ranked), notices=(*_judged(ranked, data), *_unknown(data, set(PROTOCOLS))),
    )  # fmt: skip


def _score(
    protocol: str,
    data: TrainingData,
    frame: pd.DataFrame,
    trivial: dict[str, pd.DataFrame],
    groups: IntArray,
    seed: int,
) -> ProtocolScore:
    tested = frame["mean"].notna().to_numpy()
    residual = (frame["mean"] - frame["observed"]).to_numpy(dtype=np.float64)[tested]
    code = np.unique(groups[tested], return_inverse=True)[1].astype(np.int64)
    several = code.max() > 0
    draws = draw_rmse(residual[:, None], code, 1000, seed) if several else np.full((1, 1), np.nan)
    folds = frame["fold"].to_numpy()[tested]
    simple = tuple(Errors.of(name, f) for name, f in trivial.items())
    best = min(simple, key=lambda b: b.rmse)
    mean = min((b for b in simple if b.label.startswith("mean")), key=lambda b: b.rmse)
    drawn = groups if code.max() >= 4 else data.mix
    judged = len(np.unique(drawn[tested])) >= 5
    return ProtocolScore(
        protocol=protocol, errors=Errors.of(PROTOCOLS[protocol], frame), rmse_se=float(np.std(draws)),
        n_mixes=len(np.unique(data.mix[tested])),
        n_sources=0 if data.source is None else len(np.unique(data.source[tested])),
        fold_rmse=tuple(float(np.sqrt(np.mean(residual[folds == k] ** 2))) for k in np.unique(folds)),
        n_planned=int(frame.attrs["planned"]), by_age=_by_age(data, frame, tested), by_level=_by_level(frame, tested),
        baselines=simple,
        margin=paired_difference(frame, trivial[best.label], drawn, level=SURE, seed=seed) if judged else None,
        over_mean=paired_difference(frame, trivial[mean.label], drawn, level=SURE, seed=seed) if judged else None,
    )  # fmt: skip


def _by_age(data: TrainingData, frame: pd.DataFrame, tested: NDArray[np.bool_]) -> tuple[Errors, ...]:
    if not data.age:
        return ()
    age = data.features[data.age].to_numpy(dtype=np.float64)
    out, low = [], 0.0
    for high in AGE_BANDS:
        inside = tested & (age > low) & (age <= high)
        name = f"age {low:g}-{high:g} d" if low else f"age <= {high:g} d"
        name = name if np.isfinite(high) else f"age > {low:g} d"
        if inside.any():
            out.append(Errors.of(name, frame.loc[inside]))
        low = high
    return tuple(out) if len(out) > 1 else ()


def _by_level(frame: pd.DataFrame, tested: NDArray[np.bool_]) -> tuple[Errors, ...]:
    y = frame["observed"].to_numpy(dtype=np.float64)
    low, high = np.quantile(y[tested], [1 / 3, 2 / 3])
    parts = {
        f"lowest third (<= {low:.3g})": y <= low,
        "middle third": (y > low) & (y <= high),
        f"highest third (> {high:.3g})": y > high,
    }
    return tuple(Errors.of(name, frame.loc[tested & part]) for name, part in parts.items() if (tested & part).any())


def _judged(scores: Sequence[ProtocolScore], data: TrainingData) -> list[Notice]:
    """What the scores say against the model, loudest first."""
    out: list[Notice] = []
    for s in scores:
        if s.protocol == "row":
            continue
        best = s.best_baseline
        said = {"protocol": s.label, "rmse": f"{s.rmse:.3g}", "unit": data.unit, "baseline": best.label,
                "baseline_rmse": f"{best.rmse:.3g}"}  # fmt: skip
        if s.no_better_than_mean:
            mean = s.best_mean
            said |= {"baseline": mean.label, "baseline_rmse": f"{mean.rmse:.3g}"}
            out.append(notice("validation.worse_than_mean", **said))
        elif s.worse_than_baseline:
            out.append(notice("validation.worse_than_baseline", **said))
        elif s.margin is not None and s.margin.better != "a":
            edges = {"lower": f"{s.margin.lower:+.2g}", "upper": f"{s.margin.upper:+.2g}"}
            out.append(notice("validation.not_clearly_better", **said, **edges))
    out.sort(key=lambda n: LOUD.index(n.key) if n.key in LOUD else len(LOUD))
    if data.n_mixes < FEW_MIXES:
        mix = next((s for s in scores if s.protocol == "mix"), scores[0])
        few = notice(
            "validation.few_mixes", n_mixes=data.n_mixes, rmse_se=f"{mix.rmse_se:.2g}", unit=data.unit,
            more=FEW_MIXES - data.n_mixes,
        )  # fmt: skip
        out.insert(sum(n.key in LOUD for n in out), few)
    head = scores[0]
    out += [
        notice("validation.harder_than_headline", protocol=s.label, rmse=f"{s.rmse:.3g}", unit=data.unit)
        for s in scores[1:]
        if s.rmse > head.rmse
    ]
    return out


def _unknown(data: TrainingData, wanted: set[str]) -> list[Notice]:
    """What the data cannot tell."""
    out: list[Notice] = []
    if data.source is None:
        out.append(notice("validation.no_source"))
    elif data.n_sources < 2:
        out.append(notice("validation.one_source"))
    elif "source" in wanted:
        if data.n_sources < LEAST_SOURCES:
            out.append(notice("validation.few_sources", n_sources=data.n_sources))
        counts = np.bincount(data.source)
        if counts.max() > DOMINANT * len(data):
            name = data.source_names[int(np.argmax(counts))] if data.source_names else str(int(np.argmax(counts)))
            share = f"{counts.max() / len(data):.0%}"
            out.append(notice("validation.one_source_dominates", source=name, share=share))
    if "time" in wanted and (data.time is None or len(np.unique(data.time)) < 2):
        out.append(notice("validation.no_time"))
    return out
