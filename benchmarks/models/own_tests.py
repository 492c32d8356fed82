"""10, 20 and 50 own tests of one laboratory: alone, and with the help of a model of the other laboratories.

Each source of a table plays the laboratory; the public model is a Gaussian process fitted without it (folds by source).
Own tests are whole mixes drawn at random; errors are of the source's other mixes [MPa]. The tables may not be
redistributed; DATASETS is a folder that has them.

    python benchmarks/models/own_tests.py DATASETS --seeds 0 1 2
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from new_laboratory import SETS, Parts

from wastelab.models.builder import MixFeatures
from wastelab.models.folds import group_folds
from wastelab.models.table import TrainingData
from wastelab.models.transfer import LEAST_MIXES, WAYS, TransferModel

COUNTS = (10, 20, 50)
LEAST_OTHERS = 8


def draw(mix: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of whole mixes, at least `n` and at least those of the fewest mixes that transfer takes."""
    chosen: list[int] = []
    for count, one in enumerate(rng.permutation(np.unique(mix))):
        if len(chosen) >= n and count >= LEAST_MIXES:
            break
        chosen += np.flatnonzero(mix == one).tolist()
    return np.array(chosen)


def run(data: TrainingData, seed: int) -> pd.DataFrame:
    """Errors of one seed, by source and number of own tests."""
    design = MixFeatures().fit(data.features, age=data.age, units=data.units, property=data.name).design(data.features)
    rng, y, out = np.random.default_rng(seed), data.target, []
    for train, test in group_folds(data.source, 10, seed):
        public = Parts(data, design, train)
        for source in np.unique(data.source[test]):
            rows = np.flatnonzero(data.source == source)
            for n in COUNTS:
                own = rows[draw(data.mix[rows], n, rng)]
                rest = np.setdiff1d(rows, own)
                if len(rest) < LEAST_OTHERS or len(own) > 1.5 * n or len(np.unique(data.mix[own])) < LEAST_MIXES:
                    continue
                model = TransferModel(effect=public.effect.model_)
                model.fit(design.rows(own), y[own], public.predict(own), mix=data.mix[own])
                predicted = model.predict_ways(design.rows(rest), public.predict(rest))
                predicted["public model"] = public.predict(rest)
                squares = ((predicted - y[rest][:, None]) ** 2).mean()
                out.append({"n": n, "source": source, "rows": len(rest), **squares})
    return pd.DataFrame(out)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    for name in args.sets:
        data = SETS[name](args.datasets)
        table = pd.concat([run(data, seed) for seed in args.seeds])
        for n, part in table.groupby("n"):
            weight = part.rows / part.rows.sum()
            rmse = {
                column: float(np.sqrt((part[column] * weight).sum())) for column in ("public model", *WAYS, "blend")
            }
            ratio = np.sqrt(part["blend"] / part[WAYS[0]])
            print(
                f"{name}, {n} own tests, {part.source.nunique()} laboratories: "
                + ", ".join(f"{column} {value:.2f}" for column, value in rmse.items())
                + f"; blend / own alone: median {ratio.median():.2f}, 9th decile {ratio.quantile(0.9):.2f}, "
                f"most {ratio.max():.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
