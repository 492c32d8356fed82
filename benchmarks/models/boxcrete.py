"""Strength of unseen mixes in the BOxCrete table (567 tests, replicates, curing temperature) beside scikit-learn.

The table is not passed on here; give its path. 10 folds by mix, several seeds, root mean square error in MPa.

    python benchmarks/models/boxcrete.py PATH/boxcrete/strength.csv --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import wastelab as wl
from wastelab.models.folds import group_folds

FEATURES = [
    "kind", "material_source", "binder_kg_m3", "cement_kg_m3", "fly_ash_kg_m3", "slag_kg_m3", "water_kg_m3",
    "hrwr_kg_m3", "fine_aggregate_kg_m3", "coarse_aggregate_kg_m3", "curing_temperature_degC", "age_d",
]  # fmt: skip


def matrix(frame: pd.DataFrame) -> np.ndarray:
    """The same columns as numbers, age as its logarithm, with water/binder."""
    x = frame[FEATURES[1:-1]].to_numpy(float)
    ratio = frame["water_kg_m3"] / frame["binder_kg_m3"]
    return np.column_stack([x, frame["kind"] == "Mortar", ratio, np.log(frame["age_d"])])


def main() -> None:
    """Run the folds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    frame = pd.read_csv(given.table).dropna(subset=["strength_mean_MPa"]).reset_index(drop=True)
    x, y = matrix(frame), frame["strength_mean_MPa"].to_numpy(float)
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(np.ones(x.shape[1]), (1e-2, 1e3), nu=1.5)
    peers = {
        "Gaussian process, Matern-3/2 ARD": lambda: make_pipeline(
            StandardScaler(),
            GaussianProcessRegressor(kernel + WhiteKernel(0.05, (1e-4, 1.0)), normalize_y=True, random_state=0),
        ),
        "HistGradientBoosting, tuned": lambda: HistGradientBoostingRegressor(
            learning_rate=0.05, max_iter=600, max_leaf_nodes=12, min_samples_leaf=8, l2_regularization=1.0,
            random_state=0,
        ),
        "ExtraTrees 500": lambda: ExtraTreesRegressor(500, random_state=0),
    }  # fmt: skip
    scores: dict[str, list[float]] = {}
    cover: list[float] = []
    for seed in given.seeds:
        predicted = {name: np.full(len(y), np.nan) for name in ["wastelab", *peers]}
        inside = np.zeros(len(y), dtype=bool)
        for train, test in group_folds(frame["mix_id"], 10, seed):
            model = wl.PropertyModel("strength_mean", protocols=("mix",)).fit(
                frame.iloc[train].reset_index(drop=True), features=FEATURES, mix="mix_id", sd="strength_sd_MPa",
                n="n_specimens",
            )  # fmt: skip
            table = model.predict(frame.iloc[test], interval=0.9)
            predicted["wastelab"][test] = table["mean"]
            inside[test] = (y[test] >= table["lower"]) & (y[test] <= table["upper"])
            for name, make in peers.items():
                predicted[name][test] = make().fit(x[train], y[train]).predict(x[test])
        cover.append(float(inside.mean()))
        for name, values in predicted.items():
            scores.setdefault(name, []).append(float(np.sqrt(np.mean((values - y) ** 2))))
        print(f"seed {seed}: " + "  ".join(f"{name} {v[-1]:.2f}" for name, v in scores.items()), flush=True)
    for name, values in scores.items():
        print(f"{name:36s} RMSE {np.mean(values):.2f} ± {np.std(values):.2f} MPa")
    print(f"90 % intervals of wastelab cover {np.mean(cover):.3f}")


if __name__ == "__main__":
    main()
