"""Twin: the search kernel against exhaustive enumeration with NumPy, on random synthetic problems."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from wastelab.screening import _kernels as kernels
from wastelab.screening.space import count_blends


def lattice(lo, hi, m):
    """All integer vectors between lo and hi that sum to m, the obvious way."""
    points = [
        (*head, m - sum(head))
        for head in product(*[range(a, b + 1) for a, b in zip(lo[:-1], hi[:-1], strict=True)])
        if lo[-1] <= m - sum(head) <= hi[-1]
    ]
    return np.array(points, dtype=np.int64).reshape(-1, len(lo))


def dominated(values):
    """Mask of rows that another row strictly dominates, by comparing all pairs."""
    a, b = values[:, None, :], values[None, :, :]
    return ((b <= a).all(axis=2) & (b < a).any(axis=2)).any(axis=1)


def synthetic_problem(seed):
    rng = np.random.default_rng(seed)
    while True:
        d, m = int(rng.integers(2, 6)), int(rng.integers(6, 20))
        lo = rng.integers(0, 3, d)
        hi = np.minimum(m, lo + rng.integers(3, m, d))
        if lo.sum() <= m <= hi.sum():
            break
    rows, n_obj = int(rng.integers(0, 5)), int(rng.integers(1, 5))
    g, thr = rng.integers(-50, 60, (d, rows)), rng.integers(-100, 400, rows)
    num, den = rng.integers(-30, 60, (d, n_obj + 1)), rng.integers(5, 9, (d, n_obj + 1))
    if seed % 3 == 0:
        den[:] = 7  # linear objectives: many exact ties
    factor = np.where(rng.random(n_obj + 1) < 0.5, -1.0, 1.0) * rng.choice([1.0, 10.0, 1e6], n_obj + 1)
    return d, m, lo, hi, g, thr, num, den, factor, n_obj


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("levels", [0, 1, 2])
def test_search_equals_enumeration(seed, levels):
    d, m, lo, hi, g, thr, num, den, factor, n_obj = synthetic_problem(seed)
    levels = min(levels, d - 2)
    everything = lattice(lo, hi, m)
    feasible = everything[(everything @ g <= thr).all(axis=1)]
    values = np.floor(factor * ((feasible @ num) / (feasible @ den)) + 0.5).astype(np.int64)

    count = kernels.lattice_counts(lo, hi, m)
    table = kernels.lower_bounds(g, lo, hi, m)
    heads = [p for p in product(*[range(lo[i], hi[i] + 1) for i in range(levels)]) if sum(p) <= m]
    heads = [p for p in heads if count[levels, m - sum(p)] > 0]
    prefixes = np.array(heads, dtype=np.int64).reshape(len(heads), levels)
    arch, pts, top_v, top_n, sample, pruned, n_feasible, _, done = kernels.search(
        prefixes, lo, hi, m, g, thr, table, count, num, den, factor, n_obj, np.arange(d),
        np.empty((0, n_obj), np.int64), 3, 10_000, np.zeros(1, np.int64),
    )  # fmt: skip

    assert done == 1
    assert count[0, m] == len(everything) == count_blends(lo.tolist(), hi.tolist(), m)
    assert n_feasible == len(feasible)
    assert n_feasible + pruned.sum() == len(everything)
    keep = ~dominated(values[:, :n_obj])
    assert sorted(map(tuple, pts.tolist())) == sorted(map(tuple, feasible[keep].tolist()))
    assert sorted(map(tuple, arch.tolist())) == sorted(map(tuple, values[keep, :n_obj].tolist()))
    assert sorted(map(tuple, sample.tolist())) == sorted(map(tuple, feasible.tolist()))
    best = sorted(zip(values[:, -1].tolist(), feasible.tolist(), strict=True))[:3]
    assert top_v.tolist() == [v for v, _ in best]
    assert top_n.tolist() == [p for _, p in best]


def test_lower_bounds_are_the_exact_minimum():
    rng = np.random.default_rng(5)
    lo, hi, m = np.array([0, 1, 0, 2]), np.array([4, 6, 3, 9]), 12
    g = rng.integers(-20, 20, (4, 3))
    table = kernels.lower_bounds(g, lo, hi, m)
    for rest in range(m + 1):
        points = lattice(lo[1:], hi[1:], rest)
        if len(points):
            np.testing.assert_array_equal(table[1, rest], (points @ g[1:]).min(axis=0))
