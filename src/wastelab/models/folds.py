"""Ways to split rows that do not tear apart what belongs together: mixes, sources, and the order of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .design import IntArray

Split = tuple[IntArray, IntArray]


def assign_groups(groups: ArrayLike, n_folds: int, seed: int = 0) -> IntArray:
    """Fold of each row: every group whole in one fold, folds of nearly equal numbers of rows.

    Groups are shuffled by the seed, then put, largest first, where there are fewest rows.

    Parameters
    ----------
    groups : array_like, shape (n_rows,)
    n_folds : int
        At most as many as there are groups are used.
    seed : int

    Returns
    -------
    ndarray of int, shape (n_rows,)
        0 to n_folds - 1.
    """
    _, codes, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    n_folds = min(n_folds, len(counts))
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    load = np.zeros(n_folds)
    fold = np.empty(len(counts), dtype=np.int64)
    for group in order:
        fold[group] = k = int(np.argmin(load))
        load[k] += counts[group]
    return fold[codes]


def splits(fold: ArrayLike) -> list[Split]:
    """(training rows, test rows) of each fold number."""
    numbers = np.asarray(fold, dtype=np.int64)
    return [(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)) for k in range(int(numbers.max()) + 1)]


def group_folds(groups: ArrayLike, n_folds: int = 10, seed: int = 0) -> list[Split]:
    """(training rows, test rows) with every group on one side. See `assign_groups`."""
    return splits(assign_groups(groups, n_folds, seed))


def row_folds(n_rows: int, n_folds: int = 10, seed: int = 0) -> list[Split]:
    """(training rows, test rows) by row, whatever belongs together: flatters every model; only to show by how much."""
    return splits(assign_groups(np.arange(n_rows), n_folds, seed))


def time_folds(time: ArrayLike, n_folds: int = 5) -> list[Split]:
    """Train on what came before, test on the next block of time; equal times are never split.

    Parameters
    ----------
    time : array_like, shape (n_rows,)
        Anything that sorts: dates as numbers or ISO texts.
    n_folds : int
        Blocks to test; the first block is only trained on.

    Returns
    -------
    list of (train, test)
        Fewer than `n_folds` where there are fewer different times.
    """
    _, rank, counts = np.unique(np.asarray(time), return_inverse=True, return_counts=True)
    blocks = min(n_folds + 1, len(counts))
    if blocks < 2:
        return []
    block = np.minimum((np.cumsum(counts) - 1) * blocks // len(rank), blocks - 1)[rank]
    return [
        (np.flatnonzero(block < k), np.flatnonzero(block == k))
        for k in np.unique(block)[1:]
        if np.any(block < k) and np.any(block == k)
    ]
