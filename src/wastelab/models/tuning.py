"""How the error falls with more tests, and choosing among candidates without fooling oneself.

A choice is scored by repeating the whole choice inside each fold (nested): the score of the best candidate, as seen by
the choice itself, is too good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .baselines import mean
from .comparison import draw_rmse
from .cross import LEAST_MIXES, FitPredict, Progress, cross_predict, protocol_splits
from .scores import PROTOCOLS, Errors
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class LearningCurve:
    """Error for new mixes (or sources) against the number that was fitted to.

    Attributes
    ----------
    table : pandas.DataFrame
        A row a size: ``size`` (mixes or sources fitted to), ``n_rows`` (mean number of tests fitted to), ``RMSE``,
        ``RMSE_se``, ``MAE``, ``R2``, ``mean_RMSE`` (of predicting the mean); errors in ``attrs["unit"]``.
    by : {"mix", "source"}
    complete : bool
        False after an interruption: larger sizes are missing.
    """

    table: pd.DataFrame
    by: str
    complete: bool = True

    def report(self) -> str:
        """What a person reads."""
        t, plural = self.table, {"mix": "mixes", "source": "sources"}[self.by]
        unit = t.attrs.get("unit", "")
        lines = [f"Error for a {PROTOCOLS[self.by]} against the {plural} fitted to [{unit}]:"]
        lines += [
            f"  {r['size']:6.0f} {plural} ({r['n_rows']:.0f} tests): "
            f"RMSE {r['RMSE']:.3g} +- {r['RMSE_se']:.2g}, R2 {r['R2']:.3f}"
            for r in t.to_dict("records")
        ]
        if len(t) > 1:
            last, before = t.iloc[-1], t.iloc[-2]
            gain = float(before["RMSE"] - last["RMSE"])
            falls = gain > float(last["RMSE_se"])
            lines.append(
                f"From {int(before['size'])} to {int(last['size'])} {plural} it fell by {gain:.2g}: "
                + ("more tests will still help." if falls else "no more than its uncertainty.")
            )
        if not self.complete:
            lines.append("Interrupted: larger sizes were not run.")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "by": self.by, "complete": self.complete, "unit": self.table.attrs.get("unit", ""),
            "table": [{str(k): float(v) for k, v in r.items()} for r in self.table.to_dict("records")],
        }  # fmt: skip


def learning_curve(
    fit_predict: FitPredict,
    data: TrainingData,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    by: str = "mix",
    *,
    n_folds: int = 5,
    progress: Progress | None = None,
) -> LearningCurve:
    """Error for new mixes (or sources) when fitted to few, more, and all of the others.

    Parameters
    ----------
    fit_predict : callable
        See `wastelab.models.validation.cross_predict`.
    data : TrainingData
    sizes : sequence of int, optional
        Mixes (sources) to fit to; by default five in geometric steps up to all. Larger ones than a fold has are left
        out.
    seed : int
    by : {"mix", "source"}
    n_folds : int
    progress : callable, optional

    Returns
    -------
    LearningCurve

    Raises
    ------
    ModelError
        If the data do not allow the protocol, or no size is possible.

    Notes
    -----
    Every size is tested on the same tests. In each fold groups are put in one order at random, and a size takes the
    first of them, so that a smaller set is part of a larger one.
    """
    import pandas as pd

    splits, groups = _splits(data, by, n_folds, seed)
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    most = min(len(np.unique(groups[train])) for train, _ in splits)
    if sizes is None:
        least = min(LEAST_MIXES if by == "mix" else 1, most)
        sizes = [int(s) for s in np.unique(np.geomspace(least, most, 5).round())]
    wanted = sorted({int(s) for s in sizes if 1 <= int(s) <= most})
    if not wanted:
        raise ModelError(
            f"No size of {list(sizes)} can be had: each fold has {most} to fit to. Give sizes of 1 to {most}."
        )
    rows: list[dict[str, float]] = []
    complete = True
    for size in wanted:
        some = []
        for train, test in splits:
            here = rank[groups[train]]
            limit = np.unique(here)[size - 1]
            some.append((train[here <= limit], test))
        frame = cross_predict(fit_predict, data, some, progress=progress, label=f"learning curve, {size}")
        if frame.attrs["interrupted"]:
            complete = False
            if not rows:
                raise KeyboardInterrupt
            break
        e, trivial = Errors.of("", frame), Errors.of("", cross_predict(mean, data, some))
        tested = frame["mean"].notna().to_numpy()
        residual = (frame["mean"] - frame["observed"]).to_numpy(dtype=np.float64)[tested]
        code = np.unique(groups[tested], return_inverse=True)[1].astype(np.int64)
        rows.append({
            "size": size, "n_rows": float(np.mean([len(t) for t, _ in some])), "RMSE": e.rmse,
            "RMSE_se": float(np.std(draw_rmse(residual[:, None], code, 500, seed))), "MAE": e.mae, "R2": e.r2,
            "mean_RMSE": trivial.rmse,
        })  # fmt: skip
    table = pd.DataFrame(rows)
    table.attrs["unit"] = data.unit
    return LearningCurve(table=table, by=by, complete=complete)


@dataclass(frozen=True)
class Tuned:
    """A choice among candidates, and what the choice is worth.

    Attributes
    ----------
    best : str
        Chosen on all the data by inner folds.
    inner : mapping of str to float
        Root mean square error of every candidate there. That of the best is too good a score for it.
    nested : Errors
        Of the whole procedure, choice included, on folds that the choice has not seen: the score to quote.
    chosen : tuple of str
        In each outer fold. Many different ones: the candidates do not differ much.
    by : {"mix", "source"}
    predictions : pandas.DataFrame
        Of the nested procedure, with the candidate ``chosen``.
    """

    best: str
    inner: Mapping[str, float]
    nested: Errors
    chosen: tuple[str, ...]
    by: str
    predictions: pd.DataFrame = field(compare=False, repr=False)

    def report(self) -> str:
        """What a person reads."""
        lines = [f"Chosen by {PROTOCOLS[self.by]}: {self.best}"]
        lines += [f"  {name}: RMSE {rmse:.3g}" for name, rmse in sorted(self.inner.items(), key=lambda kv: kv[1])]
        times = {name: self.chosen.count(name) for name in self.inner if name in self.chosen}
        lines.append(
            f"Score of the choice, on folds it has not seen: RMSE {self.nested.rmse:.3g}, R2 {self.nested.r2:.3f} "
            f"(chosen there: {', '.join(f'{n} {k}x' for n, k in times.items())}). Quote this one: the smallest of the "
            f"list above is too good."
        )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "best": self.best, "inner": dict(self.inner), "by": self.by, "chosen": list(self.chosen),
            "nested": {k: getattr(self.nested, k) for k in ("n_rows", "rmse", "mae", "bias", "r2")},
        }  # fmt: skip


def tune(
    candidates: Mapping[str, FitPredict],
    data: TrainingData,
    inner_folds: int = 5,
    *,
    n_folds: int = 5,
    seed: int = 0,
    by: str = "mix",
    progress: Progress | None = None,
) -> Tuned:
    """Choose the candidate with the smallest error for new mixes (or sources), and score the choice honestly.

    Parameters
    ----------
    candidates : mapping of str to callable
        See `wastelab.models.validation.cross_predict`.
    data : TrainingData
    inner_folds : int
        To choose by.
    n_folds : int
        To score the choice by; in each of them the choice is made anew without the tested fold.
    seed : int
    by : {"mix", "source"}
    progress : callable, optional

    Returns
    -------
    Tuned

    Raises
    ------
    ModelError
        No candidate, or data that do not allow the protocol.
    """
    splits, _ = _splits(data, by, n_folds, seed)
    choose = nested(candidates, inner_folds=inner_folds, seed=seed, by=by)
    frame = cross_predict(choose, data, splits, progress=progress, label="nested tuning")
    if frame.attrs["interrupted"] and not frame.attrs["folds"]:
        raise KeyboardInterrupt
    inner = _inner(candidates, data, inner_folds, seed, by)
    chosen = frame.loc[frame["fold"] >= 0].groupby("fold")["chosen"].first()
    return Tuned(
        best=min(inner, key=lambda name: inner[name]), inner=inner, nested=Errors.of("nested", frame),
        chosen=tuple(str(c) for c in chosen), by=by, predictions=frame,
    )  # fmt: skip


def nested(candidates: Mapping[str, FitPredict], *, inner_folds: int = 5, seed: int = 0, by: str = "mix") -> FitPredict:
    """One model out of several candidates: chooses by inner folds of what it is fitted to, then predicts by the chosen.

    Parameters
    ----------
    candidates : mapping of str to callable
    inner_folds, seed : int
    by : {"mix", "source"}

    Returns
    -------
    callable
        ``fit_predict(train, test)`` giving a DataFrame with ``mean``, ``chosen`` and what the candidate gives.
    """
    if not candidates:
        raise ModelError("There is no candidate to choose from. Give at least one.")

    def fit_predict(train: TrainingData, test: TrainingData) -> ArrayLike | pd.DataFrame:
        import pandas as pd

        inner = _inner(candidates, train, inner_folds, seed, by)
        best = min(inner, key=lambda name: inner[name])
        predicted = candidates[best](train, test)
        if not isinstance(predicted, pd.DataFrame):
            predicted = pd.DataFrame({"mean": np.asarray(predicted, dtype=np.float64).ravel()})
        return predicted.assign(chosen=best)

    return fit_predict


def _inner(
    candidates: Mapping[str, FitPredict], data: TrainingData, n_folds: int, seed: int, by: str
) -> dict[str, float]:
    """Error of every candidate; new mixes where too few sources are left for new sources."""
    splits, _ = protocol_splits(data, by, n_folds=n_folds, seed=seed + 1)
    if not splits:
        splits, _ = protocol_splits(data, "mix", n_folds=n_folds, seed=seed + 1)
    out = {}
    for name, fit_predict in candidates.items():
        frame = cross_predict(fit_predict, data, splits)
        if frame.attrs["interrupted"]:
            raise KeyboardInterrupt
        out[name] = Errors.of(name, frame).rmse
    return out


def _splits(data: TrainingData, by: str, n_folds: int, seed: int) -> Any:
    if by not in ("mix", "source"):
        raise ModelError(f"by='{by}' is not known. Expected 'mix' or 'source'.")
    splits, _ = protocol_splits(data, by, n_folds=n_folds, seed=seed)
    if not splits:
        raise ModelError("The table does not tell two sources apart: validate by='mix', or name the source column.")
    return splits, data.mix if by == "mix" else data.source
