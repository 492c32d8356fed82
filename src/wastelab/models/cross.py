"""Predictions of tests by models that have not seen them, and the splits that keep them honest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .design import IntArray
from .folds import Split, group_folds, row_folds, time_folds
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Fits to the first, predicts the second: an array of means, or a table with ``mean`` and more (``lower``, ``upper``).
FitPredict = Callable[[TrainingData, TrainingData], "ArrayLike | pd.DataFrame"]
#: Called with folds done, folds in all, and what is being done. May raise KeyboardInterrupt.
Progress = Callable[[int, int, str], None]

#: With fewer mixes there is no score; with fewer than the second each mix is left out once.
LEAST_MIXES, FEW_MIXES = 5, 10


def cross_predict(
    fit_predict: FitPredict,
    data: TrainingData,
    splits: Sequence[Split],
    *,
    progress: Progress | None = None,
    label: str = "validation",
) -> pd.DataFrame:
    """Predictions of each test by a model fitted without its fold.

    Parameters
    ----------
    fit_predict : callable
        ``fit_predict(train, test)`` with two `TrainingData`: an array of means, or a DataFrame with a column ``mean``
        and any others.
    data : TrainingData
    splits : sequence of (train, test)
        Numbers of rows; no row may be tested twice. See `protocol_splits`.
    progress : callable, optional
        ``progress(done, total, label)`` before each fold and after the last.
    label : str

    Returns
    -------
    pandas.DataFrame, shape (n_rows, ...)
        ``observed``, ``fold`` (-1 where a row was not tested), ``mean`` and what else was predicted (NaN there).
        ``attrs["folds"]`` of ``attrs["planned"]`` were run: fewer after a KeyboardInterrupt, which is kept in
        ``attrs["interrupted"]`` and not raised.

    Raises
    ------
    ModelError
        If a row is tested twice or is on both sides, or a prediction has the wrong length or is not finite.
    """
    import pandas as pd

    tested = np.concatenate([np.asarray(test) for _, test in splits]) if len(splits) else np.array([], dtype=np.int64)
    if len(np.unique(tested)) < len(tested):
        raise ModelError("A row is tested in two folds. Give splits in which every row is tested once at most.")
    parts: list[Any] = []
    interrupted = False
    for k, (train, test) in enumerate(splits):
        if len(np.intersect1d(train, test)):
            raise ModelError(f"Fold {k + 1}: a row is both fitted to and tested. Give splits that do not overlap.")
        try:
            if progress is not None:
                progress(k, len(splits), label)
            predicted = fit_predict(data.take(train), data.take(test))
        except KeyboardInterrupt:
            interrupted = True
            break
        parts.append(_part(predicted, np.asarray(test), k))
    if progress is not None and not interrupted:
        try:
            progress(len(splits), len(splits), label)
        except KeyboardInterrupt:
            interrupted = True
    out = pd.DataFrame({"observed": data.target, "fold": np.full(len(data), -1, dtype=np.int64), "mean": np.nan})
    if parts:
        joined = pd.concat(parts).reindex(range(len(data)))
        out["fold"] = joined["fold"].fillna(-1).astype(np.int64)
        for column in joined.columns.drop("fold"):
            out[column] = joined[column]
    out.attrs.update(folds=len(parts), planned=len(splits), interrupted=interrupted)
    return out


def protocol_splits(
    data: TrainingData, protocol: str, *, n_folds: int = 5, seed: int = 0
) -> tuple[list[Split], IntArray]:
    """Splits of one protocol, and the groups whose members err together.

    Parameters
    ----------
    data : TrainingData
    protocol : {"row", "mix", "source", "time"}
        ``source`` and ``time`` take, besides the tested source or later tests, every row of the tested mixes out of
        what is fitted to: a mix that two laboratories report does not leak.
    n_folds, seed : int

    Returns
    -------
    splits : list of (train, test)
        Empty where the data do not allow the protocol.
    groups : ndarray of int, shape (n_rows,)

    Raises
    ------
    ModelError
        If the protocol is not known, or there are fewer than 5 mixes.
    """
    check_mixes(data)
    if protocol == "row":
        return row_folds(len(data), min(n_folds, len(data)), seed), data.mix
    if protocol == "mix":
        return group_folds(data.mix, data.n_mixes if data.n_mixes < FEW_MIXES else n_folds, seed), data.mix
    if protocol == "source":
        if data.source is None or data.n_sources < 2:
            return [], data.mix
        folds = data.n_sources if data.n_sources < FEW_MIXES else n_folds
        return without_tested_mixes(data, group_folds(data.source, folds, seed)), data.source
    if protocol == "time":
        if data.time is None or len(np.unique(data.time)) < 2:
            return [], data.mix
        return without_tested_mixes(data, time_folds(data.time, n_folds)), data.mix
    raise ModelError(f"Protocol '{protocol}' is not known. Expected 'row', 'mix', 'source' or 'time'.")


def check_mixes(data: TrainingData) -> None:
    """Refuse tables of fewer than 5 mixes.

    Raises
    ------
    ModelError
    """
    if data.n_mixes < LEAST_MIXES:
        mixes = "one mix" if data.n_mixes == 1 else f"{data.n_mixes} different mixes"
        raise ModelError(
            f"{data.origin or 'table'}: {data.name} was tested of only {mixes}: no honest score can be had. Test at "
            f"least {LEAST_MIXES - data.n_mixes} more ({FEW_MIXES - data.n_mixes} more for a score that is not rough). "
            f"Mixes were told apart by: {data.mix_from or 'the caller'}."
        )


def without_tested_mixes(data: TrainingData, splits: list[Split]) -> list[Split]:
    """The same splits less what leaks through shared mixes; folds that keep fewer than 5 rows to fit to are dropped."""
    kept = [(train[~np.isin(data.mix[train], data.mix[test])], test) for train, test in splits]
    return [(train, test) for train, test in kept if len(train) >= LEAST_MIXES]


def _part(predicted: Any, test: IntArray, fold: int) -> pd.DataFrame:
    import pandas as pd

    if isinstance(predicted, pd.DataFrame):
        if "mean" not in predicted.columns:
            raise ModelError(
                f"Fold {fold + 1}: the prediction has the columns {', '.join(map(str, predicted.columns))}; expected "
                f"one named 'mean'."
            )
        frame = predicted.drop(columns=["observed", "fold"], errors="ignore").reset_index(drop=True)
    else:
        frame = pd.DataFrame({"mean": np.asarray(predicted, dtype=np.float64).ravel()})
    if len(frame) != len(test):
        raise ModelError(f"Fold {fold + 1}: {len(frame)} predictions for {len(test)} tests.")
    bad = np.flatnonzero(~np.isfinite(frame["mean"].to_numpy(dtype=np.float64)))
    if len(bad):
        raise ModelError(
            f"Fold {fold + 1}: the prediction of row {int(test[bad[0]]) + 1} is {frame['mean'].iloc[bad[0]]}. A model "
            f"that cannot predict a test cannot be scored; let it predict, and mark it as outside its domain."
        )
    frame.index = pd.Index(test)
    frame["fold"] = fold
    return frame
