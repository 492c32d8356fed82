"""Out-of-fold predictions of several members under several protocols, folds side by side on the cores there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import numpy as np

from .design import Design, FloatArray
from .folds import Split
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, str], None]
Members = Callable[[], list[tuple[str, Any]]]


def out_of_fold(
    members: Members,
    design: Design,
    data: TrainingData,
    noise: FloatArray | None,
    splits: Mapping[str, Sequence[Split]],
    progress: Progress | None = None,
    threads: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Predictions of every row by members that were fitted without its fold, for each protocol.

    Parameters
    ----------
    members : callable
        Gives new, unfitted (name, learner) pairs.
    design : Design
    data : TrainingData
    noise : ndarray or None
        Variance of each row's mean.
    splits : mapping of str to sequence of (train, test)
    progress : callable, optional
        ``progress(done, total, what)``; may raise KeyboardInterrupt, which ends the work at once.
    threads : int, optional
        Folds fitted at a time; as many as there are cores by default. The results do not depend on it.

    Returns
    -------
    dict of str to pandas.DataFrame
        By protocol: ``observed``, ``fold`` (-1 where not tested), one column for each member, ``spread`` (the first
        member's that has one) and ``disagreement`` (standard deviation among members); ``attrs["planned"]``.
    """
    import pandas as pd
    from threadpoolctl import threadpool_limits

    jobs = [(protocol, k, train, test) for protocol, of in splits.items() for k, (train, test) in enumerate(of)]
    out: dict[str, pd.DataFrame] = {}
    for protocol, of in splits.items():
        frame = pd.DataFrame({"observed": data.target, "fold": np.full(len(data), -1, dtype=np.int64)})
        for name, _ in members():
            frame[name] = np.nan
        frame["spread"] = np.nan
        frame.attrs.update(planned=len(of), folds=len(of), interrupted=False)
        out[protocol] = frame
    workers = threads or min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16
    )

    def run(train: Any, test: Any) -> dict[str, FloatArray]:
        source = None if data.source is None else data.source[train]
        seen, asked = design.rows(train), design.rows(test)
        found: dict[str, FloatArray] = {}
        spread = np.full(len(test), np.nan)
        for name, learner in members():
            learner.fit(
                seen, data.target[train], mix=data.mix[train], source=source,
                noise=None if noise is None else noise[train],
            )  # fmt: skip
            found[name] = learner.predict(asked)
            if np.isnan(spread).all():
                spread = learner.spread(asked)
        return found | {"spread": spread}

    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        waiting: dict[Future[dict[str, FloatArray]], tuple[str, int, Any]] = {
            pool.submit(run, train, test): (protocol, k, test) for protocol, k, train, test in jobs
        }
        try:
            for done, future in enumerate(as_completed(waiting)):
                protocol, k, test = waiting[future]
                if progress is not None:
                    progress(done, len(jobs) + 1, "validation")
                frame = out[protocol]
                for name, values in future.result().items():
                    frame.loc[test, name] = values
                frame.loc[test, "fold"] = k
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for frame in out.values():
        own = frame[[name for name, _ in members()]].to_numpy()
        frame["disagreement"] = own.std(axis=1) if own.shape[1] > 1 else 0.0
    return out
