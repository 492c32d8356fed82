"""Strength of concrete mixes that were never seen: wastelab beside scikit-learn, XGBoost, MAPIE; same folds and run.

The data shipped here (1030 tests of 427 mixes), 10 folds by mix, several seeds: root mean square error; and 90 %
intervals: coverage, in each third of predicted strength and each band of age, width, interval score. Then one fit with
grouped validation and intervals by the clock, and one Gaussian process to scikit-learn's own optimum.

    pip install -e ".[peers]"
    python benchmarks/models/strength_vs_peers.py --seeds 0 1 2 3 4
    python benchmarks/models/strength_vs_peers.py --only fit gp
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import wastelab as wl
from wastelab.models.folds import group_folds

LEVEL = 0.9
TARGET = "compressive_strength_MPa"
Matrix = np.ndarray


def with_log_age(x: Matrix) -> Matrix:
    """The eight columns of the table, age as its logarithm."""
    return np.column_stack([x[:, :7], np.log(x[:, 7])])


def with_ratios(x: Matrix) -> Matrix:
    """What a practitioner adds: binder, water/binder, water/cement, shares, aggregate ratios, log age."""
    cement, slag, ash, water, plasticizer, coarse, fine, age = x.T
    binder, aggregate = cement + slag + ash, coarse + fine
    return np.column_stack([
        x[:, :7], np.log(age), binder, water / binder, water / cement, slag / binder, ash / binder,
        plasticizer / binder, fine / aggregate, aggregate / binder, binder / water, cement / water * np.log(age),
        x[:, :7].sum(axis=1), np.sqrt(28.0 / age),
    ])  # fmt: skip


def peers() -> dict[str, Callable[[], object]]:
    """Unfitted estimators by name."""
    ratios = FunctionTransformer(with_ratios)
    out: dict[str, Callable[[], object]] = {
        "HistGradientBoosting, default, raw": lambda: HistGradientBoostingRegressor(random_state=0),
        "HistGradientBoosting, tuned, ratios": lambda: make_pipeline(
            ratios,
            HistGradientBoostingRegressor(
                learning_rate=0.05,
                max_iter=1200,
                max_leaf_nodes=12,
                min_samples_leaf=8,
                l2_regularization=1.0,
                max_features=0.5,
                random_state=0,
            ),
        ),
        "ExtraTrees 500, ratios": lambda: make_pipeline(ratios, ExtraTreesRegressor(500, n_jobs=-1, random_state=0)),
        "Gaussian process, Matern-3/2 ARD, log age": lambda: make_pipeline(
            FunctionTransformer(with_log_age), StandardScaler(), sklearn_gp(1.5, 8)
        ),
    }
    try:
        from xgboost import XGBRegressor

        out["XGBoost 1500, ratios"] = lambda: make_pipeline(
            ratios,
            XGBRegressor(
                n_estimators=1500, learning_rate=0.03, max_depth=5, min_child_weight=3, subsample=0.7,
                colsample_bytree=0.5, reg_lambda=1.0, random_state=0,
            ),
        )  # fmt: skip
    except ImportError:
        pass
    return out


def sklearn_gp(nu: float, n_columns: int) -> GaussianProcessRegressor:
    """scikit-learn's process with one length a column and noise."""
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(np.ones(n_columns), (1e-2, 1e3), nu=nu)
    return GaussianProcessRegressor(kernel + WhiteKernel(0.05, (1e-4, 1.0)), normalize_y=True, random_state=0)


def judge_intervals(y: Matrix, centre: Matrix, lower: Matrix, upper: Matrix, age: Matrix) -> dict[str, float]:
    """Coverage overall, in the worst third and age band; mean width; interval score (lower is better)."""
    inside = (y >= lower) & (y <= upper)
    third = np.digitize(centre, np.quantile(centre, [1 / 3, 2 / 3]))
    bands = {"<= 3 d": age <= 3, "7-28 d": (age > 3) & (age <= 28), "> 28 d": age > 28}
    score = (upper - lower) + 2 / (1 - LEVEL) * (np.maximum(lower - y, 0) + np.maximum(y - upper, 0))
    return {
        "coverage": inside.mean(), "worst third": min(inside[third == i].mean() for i in range(3)),
        **{name: inside[at].mean() for name, at in bands.items()}, "width": (upper - lower).mean(),
        "interval score": score.mean(),
    }  # fmt: skip


def mapie_interval(
    x: Matrix, y: Matrix, mix: Matrix, new: Matrix, seed: int, by_mix: bool
) -> tuple[Matrix, Matrix, Matrix]:
    """Split conformal of MAPIE around tuned boosting, calibrated on a quarter of the mixes or of the rows."""
    from mapie.regression import SplitConformalRegressor

    split = GroupShuffleSplit if by_mix else ShuffleSplit
    fit, rest = next(split(1, test_size=0.25, random_state=seed).split(x, y, mix))
    model = peers()["HistGradientBoosting, tuned, ratios"]().fit(x[fit], y[fit])
    conformal = SplitConformalRegressor(model, confidence_level=LEVEL, prefit=True).conformalize(x[rest], y[rest])
    centre, interval = conformal.predict_interval(new)
    return centre, interval[:, 0, 0], interval[:, 1, 0]


def new_mixes(frame: pd.DataFrame, seeds: list[int], names: set[str]) -> dict[str, dict[str, list[float]]]:
    """Errors and intervals on folds by mix, for each seed."""
    x, y = frame.iloc[:, :8].to_numpy(float), frame[TARGET].to_numpy(float)
    mix, age = frame["mix_id"].to_numpy(), x[:, 7]
    found: dict[str, dict[str, list[float]]] = {}

    def note(name: str, **figures: float) -> None:
        for key, value in figures.items():
            found.setdefault(name, {}).setdefault(key, []).append(float(value))

    for seed in seeds:
        folds = group_folds(mix, 10, seed)
        rows: dict[str, Matrix] = {}
        if "wastelab" in names:
            table, clock = np.full((len(y), 3), np.nan), time.perf_counter()
            for train, test in folds:
                model = wl.PropertyModel("compressive_strength", protocols=("mix",))
                model.fit(frame.iloc[train].reset_index(drop=True))
                table[test] = model.predict(frame.iloc[test], interval=LEVEL)[["mean", "lower", "upper"]]
            rows["wastelab"] = table[:, 0]
            note("wastelab", seconds=(time.perf_counter() - clock) / 10)
            note("wastelab", **judge_intervals(y, table[:, 0], table[:, 1], table[:, 2], age))
        if "peers" in names:
            for name, make in peers().items():
                clock = time.perf_counter()
                rows[name] = np.full(len(y), np.nan)
                for train, test in folds:
                    rows[name][test] = make().fit(x[train], y[train]).predict(x[test])
                note(name, seconds=(time.perf_counter() - clock) / 10)
            blend = [n for n in rows if n not in ("wastelab", "HistGradientBoosting, default, raw")]
            rows[f"mean of {len(blend)} peers"] = np.mean([rows[n] for n in blend], axis=0)
            for name, by_mix in (("MAPIE, split by mix", True), ("MAPIE, split by row", False)):
                table = np.full((len(y), 3), np.nan)
                for k, (train, test) in enumerate(folds):
                    table[test] = np.column_stack(mapie_interval(x[train], y[train], mix[train], x[test], k, by_mix))
                note(name, **judge_intervals(y, *table.T, age))
        for name, predicted in rows.items():
            error = predicted - y
            note(name, RMSE=np.sqrt(np.mean(error**2)), MAE=np.mean(np.abs(error)))
        print(f"seed {seed} done", flush=True)
        show(found)
    return found


def show(found: dict[str, dict[str, list[float]]]) -> None:
    """Mean and spread over the seeds."""
    for name, figures in sorted(found.items(), key=lambda item: np.mean(item[1].get("RMSE", [99.0]))):
        text = "  ".join(
            f"{key} {np.mean(v):.3f}" + (f" ± {np.std(v, ddof=1):.3f}" if len(v) > 1 else "")
            for key, v in figures.items()
        )
        print(f"{name:42s} {text}", flush=True)


def one_fit(frame: pd.DataFrame) -> None:
    """Seconds of a fit with validation by row and by mix, and intervals."""
    for what in ("first (kernels from cache or compiled)", "second"):
        clock = time.perf_counter()
        model = wl.PropertyModel("compressive_strength").fit(frame)
        print(f"fit, scores by row and by mix, intervals, {what}: {time.perf_counter() - clock:.1f} s")
    print(model.scores_)


def one_process(frame: pd.DataFrame) -> None:
    """A Gaussian process to scikit-learn's optimum: same covariance, no priors, no effects."""
    from wastelab.models.design import Design, Feature
    from wastelab.models.gp import GaussianProcess

    x, y = with_log_age(frame.iloc[:, :8].to_numpy(float)), frame[TARGET].to_numpy(float)
    z = StandardScaler().fit_transform(x)
    clock, cpu = time.perf_counter(), time.process_time()
    theirs = sklearn_gp(2.5, 8).fit(z, y)
    peer, peer_cpu = time.perf_counter() - clock, time.process_time() - cpu
    design = Design(np.ascontiguousarray(x), tuple(Feature(f"x{j}", "", "input") for j in range(8)))
    plain = {"form": "matern-5/2", "level": False, "same_mix": False, "transform": "identity", "priors": False}
    GaussianProcess(**plain, steps=1).fit(design.rows(np.arange(400)), y[:400])  # kernels compiled or loaded
    clock, cpu = time.perf_counter(), time.process_time()
    ours = GaussianProcess(**plain, steps=200).fit(design, y)
    own, own_cpu = time.perf_counter() - clock, time.process_time() - cpu
    print(
        f"Gaussian process, n = {len(y)}, d = 8: scikit-learn {peer:.2f} s ({peer_cpu:.2f} s CPU), log likelihood "
        f"{theirs.log_marginal_likelihood_value_:.4f}; wastelab {own:.2f} s ({own_cpu:.2f} s CPU), "
        f"{ours.log_likelihood():.4f}: {peer / own:.1f} times faster ({peer_cpu / own_cpu:.1f} in CPU time)"
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", nargs="+", default=["wastelab", "peers", "fit", "gp"],
                        choices=["wastelab", "peers", "fit", "gp"])  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures of each seed there")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    warnings.filterwarnings("ignore", message="The groups parameter is ignored")
    if find_spec("xgboost") is None:
        print("xgboost is not installed: left out")
    frame = wl.training_set("uci_concrete")
    print(f"{os.cpu_count()} cores; scores are means over seeds {given.seeds}, 10 folds by mix, unit MPa")
    if "fit" in given.only:
        one_fit(frame)
    if "gp" in given.only:
        one_process(frame)
    if {"wastelab", "peers"} & set(given.only):
        found = new_mixes(frame, given.seeds, set(given.only))
        if given.json:
            given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
