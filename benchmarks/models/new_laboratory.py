"""A laboratory that no model has seen: before any local test and after 1, 3 and 5; wastelab beside scikit-learn.

Folds by source. The peer is tuned histogram boosting on the same features with the usual correction: one factor a
laboratory, from k random tests of it, shrunk by the variances among and within laboratories. Ours is the Gaussian
process with laboratories in it, and the effect of a source conditioned on the same random tests, or on those that
`first_tests` chooses. All is learned without the tested sources (errors of unseen sources from folds inside the
training part). Errors in MPa: all rows before any test; sources with 12 rows or more, their other rows, after tests.

The two tables may not be redistributed; DATASETS is a folder that has them.

    python benchmarks/models/new_laboratory.py DATASETS --seeds 0 1 2 3 4
    python benchmarks/models/new_laboratory.py DATASETS --whole --sets rac --seeds 0    # PropertyModel, end to end
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from wastelab.models.builder import MixFeatures
from wastelab.models.design import Design
from wastelab.models.folds import group_folds
from wastelab.models.gp import GaussianProcess
from wastelab.models.local import SourceEffect
from wastelab.models.table import TrainingData, read_table

LEAST_ROWS = 12
COUNTS = (1, 3, 5)
Locally = Callable[[np.ndarray, np.ndarray], np.ndarray]


def recycled_aggregate(folder: Path) -> TrainingData:
    """2312 tests of 88 references: recycled-aggregate concrete with ash, slag and silica fume, 1 to 90 d."""
    table = pd.read_csv(folder / "rac_multinational/concrete.csv")
    table["source"] = table.reference + " " + table.year.astype(str)
    quantities = [c for c in table.columns if c.endswith("_kg_m3")]
    target = "strength_cyl100x200_MPa"
    return read_table(table[[*quantities, "age_d", target, "source", "mix_id"]], target, source="source", mix="mix_id")


def supplementary(folder: Path) -> TrainingData:
    """1408 tests of 117 references at 28 d: concrete with ashes, slag, silica fume, pozzolans; many cements."""
    table = pd.read_csv(folder / "scm_concrete_28d/concrete.csv").dropna(subset="strength_28d_cube150_wet_MPa")
    kinds = {
        "fly_ash": ("fly_ash_bituminous_coal", "fly_ash_lignite(brown coal)", "FA"), "slag": ("GGBFS", "III/C"),
        "silica_fume": ("SF",), "calcareous_ash": ("cFA",), "pozzolan": ("natural_pozzolan", "CC"),
    }  # fmt: skip
    out = table[["reference", "clinker_fraction", "cement_kg_m3", "water_kg_m3"]].copy()
    strength = table.cement_strength_class.str.strip()
    out["cement_class"] = pd.to_numeric(strength.str[:4], errors="coerce")
    out["cement_rapid"] = np.where(strength.isna(), np.nan, strength.str.endswith("R").astype(float))
    for name, words in kinds.items():
        out[f"{name}_kg_m3"] = sum(table[f"scm{i}_kg_m3"].fillna(0) * table[f"scm{i}_type"].isin(words) for i in (1, 2))
    plasticizer = [table[f"admixture{i}_type"].fillna("").str.startswith("SP") for i in (1, 2)]
    out["superplasticizer_kg_m3"] = sum(table[f"admixture{i}_kg_m3"].fillna(0) * plasticizer[i - 1] for i in (1, 2))
    out["air_entrained"] = sum(
        table[f"admixture{i}_type"].fillna("").str.contains("air").astype(float) for i in (1, 2)
    )  # fmt: skip
    out["strength_MPa"] = table.strength_28d_cube150_wet_MPa
    return read_table(out, "strength_MPa", source="reference")


SETS = {"rac": recycled_aggregate, "scm": supplementary}


class Peer:
    """Histogram boosting and one shrunk factor for each laboratory."""

    def __init__(self, data: TrainingData, design: Design, train: np.ndarray) -> None:
        self.design, self.y = design, data.target
        self.model = self._fit(train)
        errors = np.full(len(data), np.nan)
        for a, b in group_folds(data.source[train], 5, 0):
            errors[train[b]] = self._log(self._fit(train[a]).predict(design.values[train[b]]), train[b])
        by = pd.Series(errors[train]).groupby(data.source[train])
        self.within = float(by.var().mean())
        self.among = max(float(by.mean().var()) - self.within / float(by.size().mean()), 1e-4)

    def _fit(self, rows: np.ndarray) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            learning_rate=0.05, max_iter=1200, max_leaf_nodes=12, min_samples_leaf=8, l2_regularization=1.0,
            max_features=0.5, random_state=0,
        ).fit(self.design.values[rows], self.y[rows])  # fmt: skip

    def _log(self, predicted: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.log(self.y[rows]) - np.log(np.maximum(predicted, 1.0))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(self.design.values[rows])

    def after(self, tests: np.ndarray, rest: np.ndarray) -> np.ndarray:
        k = len(tests)
        offset = self._log(self.predict(tests), tests).mean() * k * self.among / (k * self.among + self.within)
        return self.predict(rest) * np.exp(offset)


class Parts:
    """Gaussian process with laboratories in it, and the effect of a source."""

    def __init__(self, data: TrainingData, design: Design, train: np.ndarray) -> None:
        self.design, self.data = design, data
        unseen = np.empty(len(train))
        for a, b in group_folds(data.source[train], 5, 0):
            unseen[b] = self._fit(train[a]).predict(design.rows(train[b]))
        self.model = self._fit(train)
        self.effect = SourceEffect().fit(design.rows(train), data.take(train), unseen)

    def _fit(self, rows: np.ndarray) -> GaussianProcess:
        data = self.data
        return GaussianProcess().fit(
            self.design.rows(rows), data.target[rows], mix=data.mix[rows], source=data.source[rows]
        )

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(self.design.rows(rows))

    def first(self, rows: np.ndarray, n: int) -> np.ndarray:
        return rows[self.effect.first_tests(self.design.rows(rows), n, predicted=self.predict(rows)).row.to_numpy()]

    def after(self, tests: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        local = self.effect.condition(self.design.rows(tests), self.data.target[tests], self.predict(tests))
        at = self.design.rows(rest)
        mean, _ = local.adjust(at, self.predict(rest), predict=self.model.predict)
        half = 1.6449 * local.spread(at, mean)
        return mean, np.abs(self.data.target[rest] - mean) <= half


class Whole:
    """`PropertyModel`, end to end."""

    def __init__(self, data: TrainingData, design: Design, train: np.ndarray) -> None:
        from wastelab.models.property_model import PropertyModel

        self.data = data
        self.model = PropertyModel(protocols=("source",)).fit(data.take(train))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict(self.data.features.iloc[rows]))

    def first(self, rows: np.ndarray, n: int) -> np.ndarray:
        return rows[self.model.first_tests(self.data.features.iloc[rows], n).row.to_numpy()]

    def after(self, tests: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = self.model.calibrate(self.data.features.iloc[tests], self.data.target[tests])
        found = own.predict(self.data.features.iloc[rest], interval=0.9)
        y = self.data.target[rest]
        return found["mean"].to_numpy(), ((found.lower <= y) & (y <= found.upper)).to_numpy()


def run(data: TrainingData, seed: int, whole: bool) -> dict[str, float]:
    """Figures of one seed."""
    design = MixFeatures().fit(data.features, age=data.age, units=data.units, property=data.name).design(data.features)
    errors: dict[str, list[np.ndarray]] = {}
    inside: dict[str, list[np.ndarray]] = {}
    seconds = {"peer": 0.0, "ours": 0.0}
    rng = np.random.default_rng(seed)
    y = data.target

    def note(name: str, predicted: np.ndarray, rows: np.ndarray) -> None:
        errors.setdefault(name, []).append(predicted - y[rows])

    for train, test in group_folds(data.source, 10, seed):
        start = time.perf_counter()
        peer = Peer(data, design, train)
        middle = time.perf_counter()
        ours = (Whole if whole else Parts)(data, design, train)
        seconds["peer"] += middle - start
        seconds["ours"] += time.perf_counter() - middle
        note("peer 0", peer.predict(test), test)
        note("ours 0", ours.predict(test), test)
        for source in np.unique(data.source[test]):
            rows = np.flatnonzero(data.source == source)
            if len(rows) < LEAST_ROWS:
                continue
            note("peer 0 of these", peer.predict(rows), rows)
            note("ours 0 of these", ours.predict(rows), rows)
            chosen = ours.first(rows, max(COUNTS))
            for k in COUNTS:
                tests = rng.choice(rows, k, replace=False)
                rest = np.setdiff1d(rows, tests)
                note(f"peer {k}", peer.after(tests, rest), rest)
                for how, these in (("random", tests), ("chosen", chosen[:k])):
                    rest = np.setdiff1d(rows, these)
                    mean, held = ours.after(these, rest)
                    note(f"ours {k} {how}", mean, rest)
                    inside.setdefault(f"{k} {how}", []).append(held)
                    if how == "chosen":
                        other = ~np.isin(data.mix[rest], data.mix[these])
                        note(f"ours {k} chosen, other mixes", mean[other], rest[other])
    out = {name: float(np.sqrt(np.mean(np.concatenate(e) ** 2))) for name, e in errors.items()}
    out |= {f"inside 90 % {name}": float(np.mean(np.concatenate(held))) for name, held in inside.items()}
    return out | {f"seconds a fold, {name}": s / 10 for name, s in seconds.items()}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--whole", action="store_true", help="PropertyModel end to end (some minutes a seed)")
    args = parser.parse_args()
    for name in args.sets:
        data = SETS[name](args.datasets)
        print(f"{name}: {len(data)} tests, {data.n_mixes} mixes, {data.n_sources} sources; 10 folds by source")
        runs = []
        for seed in args.seeds:
            runs.append(run(data, seed, args.whole))
            print(
                f"  seed {seed}: " + ", ".join(f"{k} {v:.2f}" for k, v in runs[-1].items() if k in _SHOWN), flush=True
            )
        table = pd.DataFrame(runs)
        for column in table:
            print(f"  {column:40s} {table[column].mean():7.3f}  (sd {table[column].std(ddof=0):.3f})")
        for k in COUNTS:
            ratio = table[f"ours {k} random"].mean() / table[f"peer {k}"].mean()
            best = table[f"ours {k} chosen"].mean() / table[f"peer {k}"].mean()
            print(f"  after {k}: ours / peer {ratio:.2f} on the same random tests, {best:.2f} with chosen tests")


_SHOWN = ("peer 0", "ours 0", "peer 3", "ours 3 random", "ours 3 chosen")

if __name__ == "__main__":
    main()
