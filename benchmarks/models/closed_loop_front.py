"""Strength against cost and CO2: tests until a share of the true front, beside random and SLAMD's sum.

Played on the 72 tests of the alkali-activated grid, whose cost and CO2 are known before a test. Every method starts
from the same five random tests. SLAMD's utility is the sum of the standardised prediction, the negative standardised
cost and CO2, and the standardised uncertainty of the forest.

    python benchmarks/models/closed_loop_front.py DATASETS_DIR --seeds 0:20 --share 0.95
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from threadpoolctl import threadpool_limits

from wastelab.models.acquisition import hypervolume
from wastelab.models.few_tests import FewTests
from wastelab.models.suggest import suggest

KNOWN = {"cost_per_t": "min", "co2_kg_per_t": "min"}
START = 5


def ours(X: pd.DataFrame, known: pd.DataFrame, y: np.ndarray, done: list[int], seed: int) -> int:
    """Expected hypervolume improvement."""
    belief = FewTests().fit(X.iloc[done], y[done], pool=X)
    table = pd.concat([X, known], axis=1)
    posterior = lambda t: belief(t[X.columns])  # noqa: E731
    out = suggest(
        table, posterior, 1, strategy="front", front=KNOWN, tested=table.iloc[done], measured=y[done], seed=seed
    )
    return int(out.attrs["rows"][0])


def weighted_sum(X: pd.DataFrame, known: pd.DataFrame, y: np.ndarray, done: list[int], seed: int) -> int:
    """SLAMD's utility."""
    forest = RandomForestRegressor(100, random_state=42).fit(X.iloc[done].to_numpy(), y[done])
    trees = np.array([t.predict(X.to_numpy()) for t in forest.estimators_])
    spread = y[done].std(ddof=1) or 1.0
    utility = (trees.mean(axis=0) - y[done].mean()) / spread + trees.std(axis=0) / spread
    utility -= ((known - known.mean()) / known.std()).sum(axis=1).to_numpy()
    utility[done] = -np.inf
    return int(np.argmax(utility))


def random(X: pd.DataFrame, known: pd.DataFrame, y: np.ndarray, done: list[int], seed: int) -> int:
    """Any."""
    return int(np.random.default_rng([seed, len(done)]).choice(np.setdiff1d(np.arange(len(y)), done)))


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("--seeds", default="0:20")
    parser.add_argument("--share", type=float, default=0.95, help="of the hypervolume of the whole table")
    args = parser.parse_args()
    table = pd.read_csv(args.datasets / "alkali_activated_grid" / "mixes.csv")
    table = table[table.at_published_binder_level == 1].reset_index(drop=True)
    y = table["compressive_strength_28d_MPa"].to_numpy()
    known = table[list(KNOWN)]
    X = table.drop(columns=["sample_id", "at_published_binder_level", "compressive_strength_28d_MPa", *KNOWN])
    objectives = np.column_stack([y, -known.to_numpy()])
    low, high = objectives.min(axis=0), objectives.max(axis=0)
    scaled = (objectives - low) / (high - low)
    reference = np.full(3, -0.05)
    whole = hypervolume(scaled, reference)
    first, end = (int(s) for s in args.seeds.split(":"))
    needed: dict[str, list[int]] = {}
    for name, pick in {"random": random, "SLAMD forest": weighted_sum, "wastelab": ours}.items():
        needed[name] = []
        for seed in range(first, end):
            done = [int(i) for i in np.random.default_rng(seed).choice(len(y), START, replace=False)]
            while hypervolume(scaled[done], reference) < args.share * whole:
                done.append(pick(X, known, y, done, seed))
            needed[name].append(len(done))
    runs = pd.DataFrame(needed)
    saved = runs.sub(runs["wastelab"], axis=0)
    print(f"tests until {100 * args.share:.0f} % of the hypervolume; {len(runs)} repetitions, {len(y)} mixes")
    summary = runs.describe(percentiles=[0.1, 0.5, 0.9]).T[["mean", "10%", "50%", "90%"]]
    print(summary.assign(saved=saved.mean(), se=saved.sem()).round(2).to_string())


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
