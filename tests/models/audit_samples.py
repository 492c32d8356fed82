"""Synthetic tables for tests of the audit: clean ones of several kinds, made of formulas and noise."""

import numpy as np
import pandas as pd


def concrete(seed, n_mixes=60, noise=0.06, ages=(3, 7, 28, 90), replicates=1, decimals=1):
    """Strengths of mixes at two or more ages; three tenths of the rows repeated by other batches."""
    random = np.random.default_rng(seed)
    rows = []
    for m in range(n_mixes):
        cement, water = round(random.uniform(180, 450)), round(random.uniform(140, 200))
        slag = round(random.uniform(30, 150)) if random.random() < 0.5 else 0
        ash = round(random.uniform(30, 120)) if random.random() < 0.5 else 0
        coarse, sp = round(random.uniform(900, 1100)), round(random.uniform(0, 10), 1)
        fine = round(2350 - cement - slag - ash - water - coarse - sp)
        for age in random.choice(ages, size=random.integers(2, len(ages) + 1), replace=False):
            level = 25 * ((cement + 0.6 * slag + 0.4 * ash) / water) ** 1.2
            level *= 0.2 + 0.72 * np.exp(0.25 * (1 - np.sqrt(28 / age)))
            for _ in range(replicates if random.random() < 0.3 else 1):
                y = round(level * np.exp(noise * random.standard_normal()), decimals)
                rows.append((f"M{m + 1}", cement, slag, ash, water, sp, coarse, fine, float(age), y))
    names = ["cement", "slag", "fly_ash", "water", "superplasticizer", "coarse_aggregate", "fine_aggregate"]
    columns = ["mix", *(f"{n}_kg_m3" for n in names), "age_d", "compressive_strength_MPa"]
    return pd.DataFrame(rows, columns=columns)


def paste(seed, n=40, noise=0.05):
    """28-d strengths of activated pastes at few levels of each quantity; some levels repeat by chance."""
    random = np.random.default_rng(seed)
    slag = random.choice([0.0, 20, 40, 60, 80, 100], n)
    table = pd.DataFrame({
        "slag_pct": slag, "fly_ash_pct": 100 - slag, "na2o_pct": random.choice([4.0, 5, 6, 7, 8], n),
        "water_binder": random.choice([0.3, 0.35, 0.4, 0.45], n),
        "curing_temperature_degC": random.choice([20.0, 40, 60], n),
    })  # fmt: skip
    y = 20 + 0.4 * slag + 5 * table["na2o_pct"] - 60 * (table["water_binder"] - 0.3)
    y += 0.1 * table["curing_temperature_degC"]
    table["compressive_strength_28d_MPa"] = (y * np.exp(noise * random.standard_normal(n))).round(1)
    return table


def grid(seed, noise=0.04, levels=(360.0, 380, 400, 420, 440)):
    """A full factorial plan with a smooth response and noise."""
    random = np.random.default_rng(seed)
    names = ["binder_kg_m3", "liquid_binder", "slag_fraction", "curing_temperature_degC"]
    plan = pd.MultiIndex.from_product([list(levels), [0.45, 0.5, 0.55], [0.3, 0.4, 0.5], [20.0, 60]], names=names)
    table = plan.to_frame(index=False)
    y = 20 + 0.05 * table["binder_kg_m3"] + 60 * table["slag_fraction"] - 50 * (table["liquid_binder"] - 0.45)
    y += 0.1 * table["curing_temperature_degC"]
    table["compressive_strength_28d_MPa"] = (y * np.exp(noise * random.standard_normal(len(table)))).round(2)
    return table
