"""How many tests until the strongest mix is found: wastelab's loop beside random choice, GP-EI loops and a forest.

The loop is played on published tables in which every candidate has a result: a choice is "tested" by looking it up.
Each repetition starts from five random tests, the same for every method (paired), and ends when the strongest mix of
the table is tested, or at the cap.

- random: untested mixes in random order.
- plain GP-EI: scikit-learn's GaussianProcessRegressor, isotropic RBF and white noise, inputs scaled to unit variance,
  expected improvement (of the largest values for a batch).
- SLAMD GP: the kernel that BAM's SLAMD uses, constant times RBF(10) without noise on inputs as they are, 9 restarts,
  with expected improvement.
- SLAMD forest: SLAMD's utility (standardised prediction + curiosity 1 times standardised uncertainty) on scikit-learn's
  random forest of 100 trees with the spread between trees (SLAMD itself takes lolo's forest, which needs Java).
- wastelab, raw: `FewTests` and `suggest` on the same columns as the peers; wastelab: with binder, water/binder and
  share of other binders beside them, as `MixFeatures` derives them.

    python benchmarks/models/closed_loop.py DATASETS_DIR --seeds 0:20 --batches 1,3 --out closed_loop.csv
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from threadpoolctl import threadpool_limits

from wastelab.models.acquisition import log_expected_improvement
from wastelab.models.builder import MixFeatures
from wastelab.models.few_tests import FewTests
from wastelab.models.suggest import suggest

START = 5
CAP = 150
USED = ("binder", "water/binder", "SCM/binder")
NOT_INPUTS = ("sample_id", "mix_id", "cost_per_t", "co2_kg_per_t", "at_published_binder_level")

Pick = Callable[[pd.DataFrame, np.ndarray, list[int], int, int], list[int]]


def tables(folder: Path) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Candidates and 28-day strength [MPa] of each set; results of one mix are averaged."""
    grid = pd.read_csv(folder / "alkali_activated_grid" / "mixes.csv")
    box = pd.read_csv(folder / "boxcrete" / "strength.csv")
    box = box[(box.age_d == 28) & box.strength_mean_MPa.notna()]
    inputs = ["mortar", "material_source", "cement_kg_m3", "fly_ash_kg_m3", "slag_kg_m3", "water_kg_m3", "hrwr_kg_m3"]
    inputs += ["vma_oz_cwt", "ae_oz_cwt", "fine_aggregate_kg_m3", "coarse_aggregate_kg_m3", "curing_temperature_degC"]
    box = box.assign(mortar=(box.kind == "Mortar").astype(float))[[*inputs, "strength_mean_MPa"]]
    uci = pd.read_csv(folder / "uci_concrete" / "concrete.csv")
    uci = uci[uci.age_d == 28].groupby("mix_id").mean().drop(columns=["age_d"])
    scc = pd.read_csv(folder / "scc_ternary" / "concrete.csv")
    scc = scc[[c for c in scc.columns if c.endswith("kg_m3")] + ["strength_28d_MPa"]]
    sets = {
        "alkali-activated, 72 tests": (grid[grid.at_published_binder_level == 1], "compressive_strength_28d_MPa"),
        "alkali-activated, 240 rows (168 interpolated)": (grid, "compressive_strength_28d_MPa"),
        "BOxCrete, 28 d": (box, "strength_mean_MPa"),
        "UCI concrete, 28 d": (uci, "compressive_strength_MPa"),
        "SCC ternary": (scc, "strength_28d_MPa"),
    }
    out = {}
    for name, (table, target) in sets.items():
        columns = [c for c in table.columns if c != target and c not in NOT_INPUTS]
        mixes = table.groupby(columns, sort=False, as_index=False)[target].mean()
        out[name] = mixes[columns], mixes[target].to_numpy()
    return out


def largest(rest: np.ndarray, score: np.ndarray, n: int) -> list[int]:
    """Untested rows of the largest scores."""
    return [int(i) for i in rest[np.argsort(-score, kind="stable")[:n]]]


def untested(y: np.ndarray, done: list[int]) -> np.ndarray:
    """Rows that were not tested."""
    return np.setdiff1d(np.arange(len(y)), done)


def plain_gp(X: pd.DataFrame, y: np.ndarray, done: list[int], n: int, seed: int) -> list[int]:
    """GP-EI with scaled inputs."""
    values = X.to_numpy(dtype=float)
    scaled = (values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0)
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(1.0, (1e-2, 1e2)) + WhiteKernel(1e-2, (1e-5, 1e1))
    gp = GaussianProcessRegressor(kernel, n_restarts_optimizer=2, normalize_y=True, random_state=seed)
    gp.fit(scaled[done], y[done])
    rest = untested(y, done)
    mean, sd = gp.predict(scaled[rest], return_std=True)
    return largest(rest, log_expected_improvement(mean, sd, y[done].max()), n)


def slamd_gp(X: pd.DataFrame, y: np.ndarray, done: list[int], n: int, seed: int) -> list[int]:
    """GP-EI with SLAMD's kernel on inputs as they are."""
    values = X.to_numpy(dtype=float)
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(10.0, (1e-2, 1e2))
    gp = GaussianProcessRegressor(kernel, n_restarts_optimizer=9, random_state=42).fit(values[done], y[done])
    rest = untested(y, done)
    mean, sd = gp.predict(values[rest], return_std=True)
    return largest(rest, log_expected_improvement(mean, sd, y[done].max()), n)


def slamd_forest(X: pd.DataFrame, y: np.ndarray, done: list[int], n: int, seed: int) -> list[int]:
    """SLAMD's utility with a random forest."""
    values = X.to_numpy(dtype=float)
    forest = RandomForestRegressor(100, random_state=42).fit(values[done], y[done])
    rest = untested(y, done)
    trees = np.array([t.predict(values[rest]) for t in forest.estimators_])
    spread = y[done].std(ddof=1) or 1.0
    return largest(rest, (trees.mean(axis=0) - y[done].mean()) / spread + trees.std(axis=0) / spread, n)


def random(X: pd.DataFrame, y: np.ndarray, done: list[int], n: int, seed: int) -> list[int]:
    """Any."""
    rng = np.random.default_rng([seed, len(done)])
    return [int(i) for i in rng.choice(untested(y, done), n, replace=False)]


def ours(X: pd.DataFrame, y: np.ndarray, done: list[int], n: int, seed: int) -> list[int]:
    """`suggest` with the belief of `FewTests`."""
    tested = X.iloc[done]
    belief = FewTests().fit(tested, y[done], pool=X)
    return list(suggest(X, belief, n, tested=tested, measured=y[done], seed=seed).attrs["rows"])


def with_features(X: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table and those of `USED` that follow from them."""
    derived = MixFeatures().fit(X, property="compressive_strength").transform(X)
    new = [c for c in USED if c in derived.columns and c not in X.columns]
    return pd.concat([X.reset_index(drop=True), derived[new].reset_index(drop=True)], axis=1)


METHODS: dict[str, tuple[Pick, bool]] = {
    "random": (random, False),
    "plain GP-EI": (plain_gp, False),
    "SLAMD GP": (slamd_gp, False),
    "SLAMD forest": (slamd_forest, False),
    "wastelab, raw": (ours, False),
    "wastelab": (ours, True),
}


def play(pick: Pick, X: pd.DataFrame, y: np.ndarray, batch: int, seed: int) -> dict[str, int]:
    """Tests until the goals, 0 where not reached."""
    done = [int(i) for i in np.random.default_rng(seed).choice(len(y), START, replace=False)]
    cap = min(CAP, len(y))
    while len(done) < cap and y[done].max() < y.max():
        done += pick(X, y, done, min(batch, len(y) - len(done)), seed)
    results = y[done[:cap]]
    top = np.sort(y)[-max(1, int(np.ceil(0.05 * len(y))))]
    goals = {"best": y.max(), "within 2 %": 0.98 * y.max(), "top 5 %": top}
    return {k: int(np.argmax(results >= goal)) + 1 if (results >= goal).any() else 0 for k, goal in goals.items()}


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean, median and deciles of the tests needed, and wastelab's saving beside each method."""
    rows = []
    for (name, batch), part in runs.groupby(["set", "batch"], sort=False):
        ours = part[part.method == "wastelab"].set_index("seed")["best"]
        for method, own in part.groupby("method", sort=False):
            own = own.set_index("seed")
            saved = own["best"] - ours
            rows.append(
                {
                    "set": name,
                    "batch": batch,
                    "method": method,
                    "mean": own["best"].mean(),
                    "median": own["best"].median(),
                    "10-90 %": f"{own['best'].quantile(0.1):.0f}-{own['best'].quantile(0.9):.0f}",
                    "not found": int((own["found"] == 0).sum()),
                    "within 2 %": own["within 2 %"].mean(),
                    "top 5 %": own["top 5 %"].mean(),
                    "saved": saved.mean(),
                    "se": saved.std(ddof=1) / np.sqrt(len(saved)),
                    "s a choice": own["seconds"].sum() / max(own["choices"].sum(), 1),
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Play, print, and keep every repetition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, help="folder with alkali_activated_grid, boxcrete, uci_concrete, ...")
    parser.add_argument("--seeds", default="0:20", help="first:end of the repetitions (0 to 19 are for reporting)")
    parser.add_argument("--batches", default="1,3")
    parser.add_argument("--methods", default=";".join(METHODS))
    parser.add_argument("--sets", default="", help="parts of the names of sets, separated by ;")
    parser.add_argument("--out", type=Path, default=None, help="CSV of every repetition")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    first, end = (int(s) for s in args.seeds.split(":"))
    rows = []
    for name, (raw, y) in tables(args.datasets).items():
        if args.sets and not any(part in name for part in args.sets.split(";")):
            continue
        featured = with_features(raw)
        for batch in (int(b) for b in args.batches.split(",")):
            for method in args.methods.split(";"):
                pick, features = METHODS[method]
                for seed in range(first, end):
                    start = time.perf_counter()
                    goals = play(pick, featured if features else raw, y, batch, seed)
                    seconds = time.perf_counter() - start
                    cap = min(CAP, len(y))
                    used = {k: v or cap for k, v in goals.items()}
                    choices = max(used["best"] - START, 0) / batch
                    row = {"set": name, "batch": batch, "method": method, "seed": seed, **used}
                    rows.append({**row, "found": goals["best"], "seconds": seconds, "choices": choices})
        done = pd.DataFrame(rows)
        with pd.option_context("display.width", 200, "display.max_columns", 20, "display.max_rows", 500):
            print(f"{name}: {len(y)} mixes, best {y.max():.2f} MPa", flush=True)
            print(summary(done[done.set == name]).drop(columns="set").round(2).to_string(index=False), flush=True)
    if args.out is not None:
        pd.DataFrame(rows).to_csv(args.out, index=False)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
