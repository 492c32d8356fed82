"""Compiled predictions beside scikit-learn's, in the same run, on one thread, after a check that both say the same.

One row at a time (a call from Python), a block of independent rows, and blends x process conditions, with the blends at
random and in the order of a lattice. scikit-learn is given as many rows as fit its patience and its time is scaled.
The Gaussian processes of scikit-learn have one Matern-3/2 function of the joint distance; ours have two products of
single columns and keep courses from falling with age, which is more work.

Run: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/models/compiled_vs_sklearn.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from wastelab.models.compiled_gp import GaussianMean
from wastelab.models.design import Design, Feature
from wastelab.models.gp import GaussianProcess
from wastelab.models.trees import Trees

D = 10
TIMES, TEMPERATURES = np.log([1, 2, 3, 5, 7, 14, 21, 28, 56, 90, 180]), np.array([20.0, 40.0, 60.0, 80.0])
TIME, TEMPERATURE = 9, 8


def best(job: Callable[[], Any], seconds: float = 1.0) -> float:
    """Shortest processor time of a call among as many as fit, at least three [s]."""
    end, shortest, n = time.perf_counter() + seconds, np.inf, 0
    while n < 3 or time.perf_counter() < end:
        begin = time.process_time()
        job()
        shortest, n = min(shortest, time.process_time() - begin), n + 1
    return shortest


def mixes(n: int, seed: int) -> np.ndarray:
    """Random mixes at random conditions."""
    r = np.random.default_rng(seed)
    x = r.uniform(-1, 1, (n, D))
    x[:, TEMPERATURE], x[:, TIME] = r.choice(TEMPERATURES, n), r.choice(TIMES, n)
    return x


def lattice(n: int) -> np.ndarray:
    """Mixes in the order of a lattice: neighbours differ in two features."""
    side = int(np.ceil(n ** (1 / 3)))
    steps = np.linspace(-1, 1, side)
    x = np.zeros((side**3, D))
    x[:, :3] = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    x[:, 3] = -x[:, 2]
    return x[:n]


def strength(x: np.ndarray, seed: int) -> np.ndarray:
    """A made-up property of mixes and conditions."""
    noise = np.random.default_rng(seed).normal(size=len(x))
    mix = 1 + 0.4 * x[:, 0] + 0.3 * np.sin(3 * x[:, 1]) * x[:, 2] + 0.2 * x[:, 3] * x[:, 4]
    return np.asarray(np.maximum(30 * mix * (0.3 + 0.2 * x[:, TIME]) + 0.05 * x[:, TEMPERATURE], 1) + noise)


def at_all(x: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mixes at all conditions, one row each."""
    every = np.repeat(x, shape[0] * shape[1], axis=0)
    every[:, TEMPERATURE] = np.tile(np.repeat(TEMPERATURES, shape[1]), len(x))
    every[:, TIME] = np.tile(TIMES, len(x) * shape[0])
    return every


def main() -> None:
    """Print one line for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="independent rows of a block")
    parser.add_argument("--blends", type=int, default=10_000, help="blends of a grid of 44 conditions")
    parser.add_argument("--seconds", type=float, default=1.0, help="time spent on each figure")
    options = parser.parse_args()
    axes = {TEMPERATURE: TEMPERATURES, TIME: TIMES}
    shape = (len(TEMPERATURES), len(TIMES))
    models: dict[str, tuple[Any, Any]] = {}
    x, y = mixes(1000, 1), strength(mixes(1000, 1), 2)
    for name, model in {
        "HistGB 200 x 31": HistGradientBoostingRegressor(max_iter=200, early_stopping=False),
        "HistGB 1200 x 12": HistGradientBoostingRegressor(
            max_iter=1200, max_leaf_nodes=12, learning_rate=0.05, min_samples_leaf=8, early_stopping=False
        ),
        "ExtraTrees 300": ExtraTreesRegressor(300, max_features=0.5, random_state=0, n_jobs=1),
        "ExtraTrees 300, 64 leaves": ExtraTreesRegressor(300, max_leaf_nodes=64, random_state=0, n_jobs=1),
    }.items():
        model.fit(x, y)
        models[name] = (model, (Trees.from_boosting if "Hist" in name else Trees.from_forest)(model))
    features = (*(Feature(f"x{i}", "", "input") for i in range(D - 1)), Feature("age", "ln d", "age", monotone=1))
    for n in (300, 1000):
        kernel = ConstantKernel() * Matern(np.ones(D), nu=1.5) + WhiteKernel(0.05)
        peer = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(x[:n], y[:n])
        own = GaussianProcess(derived=(), steps=0).fit(Design(x[:n], features), y[:n], mix=np.arange(n) // 3)
        models[f"GP {n}"] = (peer, GaussianMean.from_process(own, D))
        new = Design(mixes(500, 5), features)
        assert np.abs(models[f"GP {n}"][1].predict(new.values) - own.predict(new)).max() < 1e-10

    block, blends, ordered = mixes(options.rows, 3), mixes(options.blends, 4), lattice(options.blends)
    one = block[:1].copy()
    print("ratio scikit-learn / compiled (compiled time)")
    head = ("one row, us", "block, ns a row", "grid, ns a point", "lattice, ns a point", "first call, s")
    print(f"{'model':26s}" + "".join(f"{h:>24s}" for h in head))
    for name, (model, compiled) in models.items():
        begin = time.perf_counter()
        compiled.predict(one)
        first = time.perf_counter() - begin
        few = block[: min(len(block), 20_000)]
        if isinstance(compiled, Trees):
            assert np.array_equal(compiled.predict(few), model.predict(few)), name
            sample = compiled.predict_grid(blends[:50], axes)
            assert np.array_equal(sample.ravel(), compiled.rounded().predict(at_all(blends[:50], shape))), name
        compiled.predict_grid(blends[:5], axes)
        own_one = best(lambda c=compiled: [c.predict(one) for _ in range(50)], options.seconds) / 50
        peer_one = best(lambda m=model: m.predict(one), options.seconds)
        own_block = best(lambda c=compiled: c.predict(block), options.seconds) / len(block)
        peer_block = best(lambda m=model, f=few: m.predict(f), options.seconds) / len(few)
        points = len(blends) * shape[0] * shape[1]
        own_grid = best(lambda c=compiled: c.predict_grid(blends, axes), options.seconds) / points
        own_lattice = best(lambda c=compiled: c.predict_grid(ordered, axes), options.seconds) / points
        every = at_all(blends[: max(1, len(few) // 44)], shape)
        peer_grid = best(lambda m=model, e=every: m.predict(e), options.seconds) / len(every)
        near = at_all(ordered[: max(1, len(few) // 44)], shape)
        peer_lattice = best(lambda m=model, e=near: m.predict(e), options.seconds) / len(near)
        pairs = ((peer_one, own_one, 1e6), (peer_block, own_block, 1e9), (peer_grid, own_grid, 1e9))
        cells = [f"{p / o:.1f} x ({o * scale:.1f})" for p, o, scale in (*pairs, (peer_lattice, own_lattice, 1e9))]
        print(f"{name:26s}" + "".join(f"{c:>24s}" for c in cells) + f"{first:18.2f}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
