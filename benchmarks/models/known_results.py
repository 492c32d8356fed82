"""What results of a mix are worth for its other results: whole mixes (or studies) held out of everything.

    python benchmarks/models/known_results.py uci boxcrete rac slump [--seed 11]

Each fifth of the mixes (of the studies for ``rac``) is predicted by models that were fitted, chosen and calibrated
without it, first alone and then with some of its own results. Prints RMSE, mean width and coverage of 90 % intervals.
The tables are not shipped (but UCI): WASTELAB_SHARED names the folder that holds ``datasets``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from wastelab.models.early_tests import early_tests
from wastelab.models.folds import group_folds
from wastelab.models.multi import PropertyModels
from wastelab.models.property_model import PropertyModel

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("WASTELAB_SHARED", ROOT.parent / "shared")) / "datasets"


def uci() -> pd.DataFrame:
    table = pd.read_csv(ROOT / "datasets" / "training" / "uci_concrete" / "concrete.csv")
    table = table[table.age_d.isin([3, 7, 28])]
    amounts = [c for c in table.columns if c.endswith("kg_m3")]
    strength = table.pivot_table(index="mix_id", columns="age_d", values="compressive_strength_MPa")
    strength.columns = [f"strength_{age:g}d_MPa" for age in strength.columns]
    return table.groupby("mix_id")[amounts].first().join(strength).reset_index()


def boxcrete() -> pd.DataFrame:
    table = pd.read_csv(SHARED / "boxcrete" / "strength.csv")
    table = table[table.strength_mean_MPa > 0]
    own = [c for c in table.columns if c.endswith("kg_m3") and not c.startswith(("gwp", "mrwr", "binder"))]
    key = ["mix_id", "curing_temperature_degC"]
    strength = table.pivot_table(index=key, columns="age_d", values="strength_mean_MPa")
    strength = strength[[1, 3, 5, 28]]
    strength.columns = [f"strength_{age:g}d_MPa" for age in strength.columns]
    return table.groupby(key)[["kind", "material_source", *own]].first().join(strength).reset_index()


def rac() -> pd.DataFrame:
    table = pd.read_csv(SHARED / "rac_scm_chemistry" / "concrete.csv")
    amounts = [c for c in table.columns if c.endswith("kg_m3")]
    out = table[amounts].apply(pd.to_numeric, errors="coerce").fillna(0.0)
    for age in (7, 28):
        out[f"strength_{age}d_MPa"] = pd.to_numeric(table[f"fc_cube_{age}d_mpa"], errors="coerce")
    out.loc[out["strength_7d_MPa"] > 200, "strength_7d_MPa"] = np.nan  # one 7-d result reads 628.5 MPa
    return out.assign(study=table["study_number"])


def slump() -> pd.DataFrame:
    return pd.read_csv(SHARED / "uci_slump" / "slump.csv").assign(mix_id=lambda t: np.arange(len(t)))


CASES = {
    "uci": (uci, ["strength_3d", "strength_7d", "strength_28d"], "mix_id",
            [("strength_28d", ["strength_3d"]), ("strength_28d", ["strength_7d"]),
             ("strength_28d", ["strength_3d", "strength_7d"])]),
    "boxcrete": (boxcrete, ["strength_1d", "strength_3d", "strength_5d", "strength_28d"], "mix_id",
                 [("strength_28d", ["strength_1d"]), ("strength_28d", ["strength_3d"]),
                  ("strength_28d", ["strength_1d", "strength_3d", "strength_5d"])]),
    "rac": (rac, ["strength_7d", "strength_28d"], "study", [("strength_28d", ["strength_7d"])]),
    "slump": (slump, ["slump", "flow"], "mix_id", [("slump", ["flow"]), ("flow", ["slump"])]),
}  # fmt: skip


def several(name: str, seed: int) -> None:
    read, targets, group, asked = CASES[name]
    table = read()
    by_study = group == "study"
    if by_study:
        table = table[table[["strength_7d_MPa", "strength_28d_MPa"]].notna().any(axis=1)].reset_index(drop=True)
    columns = {t: next(c for c in table.columns if c.startswith(t)) for t in targets}
    parts = []
    for train, test in group_folds(table[group], 5, seed):
        models = PropertyModels(
            targets, protocols=("source",) if by_study else ("mix",), random_state=seed
        ).fit(table.iloc[train], source="study" if by_study else None)  # fmt: skip
        rest = table.iloc[test].reset_index(drop=True)
        for target, known in asked:
            there = rest[rest[[columns[t] for t in (target, *known)]].notna().all(axis=1)].reset_index(drop=True)
            if len(there):
                before = models.predict(there, 0.9)[target]
                after = models.predict(there, 0.9, known={k: there[columns[k]] for k in known})[target]
                parts.append(
                    pd.DataFrame(
                        {
                            "case": f"{target} given {', '.join(known)}",
                            "y": there[columns[target]],
                            "mean": before["mean"],
                            "half": before["upper"] - before["mean"],
                            "mean_known": after["mean"],
                            "half_known": after["upper"] - after["mean"],
                        }
                    )
                )
    show(name, pd.concat(parts))


def one_model(seed: int) -> None:
    """A single model of the UCI table with its age: 28 d from 3 and 7 d."""
    table = pd.read_csv(ROOT / "datasets" / "training" / "uci_concrete" / "concrete.csv")
    parts = []
    for train, test in group_folds(table["mix_id"], 5, seed):
        model = PropertyModel("compressive_strength", protocols=("mix",), random_state=seed).fit(table.iloc[train])
        rest = table.iloc[test]
        for early in ([3], [7], [3, 7]):
            have = rest.groupby("mix_id")["age_d"].agg(set)
            mixes = have.index[[{*early, 28} <= ages for ages in have]]
            asked = rest[rest.mix_id.isin(mixes) & (rest.age_d == 28)].drop_duplicates("mix_id").reset_index(drop=True)
            tests = rest[rest.mix_id.isin(mixes) & rest.age_d.isin(early)]
            before = model.predict(asked, 0.9)
            after = early_tests(model, asked, tests[["mix_id", "age_d", "compressive_strength_MPa"]])
            parts.append(
                pd.DataFrame(
                    {
                        "case": f"28 d given {early} d",
                        "y": asked["compressive_strength_MPa"],
                        "mean": before["mean"],
                        "half": before["upper"] - before["mean"],
                        "mean_known": after["mean"],
                        "half_known": after["upper"] - after["mean"],
                    }
                )
            )
    show("uci, one model with age", pd.concat(parts))


def show(name: str, found: pd.DataFrame) -> None:
    for case, f in found.groupby("case", sort=False):
        said = [f"{name:24s} {case:52s} {len(f):4d} tests"]
        for end in ("", "_known"):
            error = f["y"] - f[f"mean{end}"]
            said.append(
                f"RMSE {np.sqrt(np.mean(error**2)):6.3f} width {2 * f[f'half{end}'].mean():6.2f} "
                f"covered {np.mean(np.abs(error) <= f[f'half{end}']):.3f}"
            )
        print(" | ".join(said), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*CASES, "age"])
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args()
    for one in given.names:
        one_model(given.seed) if one == "age" else several(one, given.seed)
