"""Domain of validity: every reason, distances and leverage against the obvious way, wider outside, real clusters."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError, ValidityError
from wastelab.models import read_table
from wastelab.models.design import Design, Feature
from wastelab.models.domain import Domain
from wastelab.models.domain_stretch import Stretch
from wastelab.models.folds import group_folds
from wastelab.models.intervals import ConformalIntervals
from wastelab.models.table import read_features

UCI = Path(__file__).parents[2] / "datasets" / "training" / "uci_concrete"


def mixes_tested(seed=0, n=80):
    """Synthetic table: slag or fly ash but never both, one cement, two wastes, two ages."""
    rng = np.random.default_rng(seed)
    slag = np.where(np.arange(n) % 3 == 0, rng.uniform(50, 150, n), 0.0)
    ash = np.where(np.arange(n) % 3 == 1, rng.uniform(50, 150, n), 0.0)
    one = pd.DataFrame(
        {
            "cement_kg_m3": rng.uniform(200, 400, n),
            "slag_kg_m3": slag,
            "fly_ash_kg_m3": ash,
            "water_kg_m3": rng.uniform(150, 200, n),
            "curing_degC": 20.0,
            "fineness_m2_kg": np.where(np.arange(n) % 5 == 0, np.nan, rng.uniform(300, 400, n)),
            "waste": np.where(np.arange(n) % 2 == 0, "red mud", "tailings"),
            "mix": [f"m{i}" for i in range(n)],
        }
    )
    frame = pd.concat([one.assign(age_d=7.0), one.assign(age_d=28.0)], ignore_index=True)
    frame["strength_MPa"] = 0.1 * frame.cement_kg_m3 + 3 * np.log(frame.age_d) + rng.normal(0, 1, 2 * n)
    return read_table(frame, "strength_MPa")


def design_of(features, age="age_d"):
    names = [c for c in features.columns if features[c].dtype.kind == "f" and c not in (age, "curing_degC")]
    values = [features[c].to_numpy() for c in names] + [(features["waste"] == "tailings").to_numpy(float)]
    kinds = [Feature(c, "", "input") for c in names] + [Feature("waste=tailings", "", "category")]
    if age:
        values.append(np.log(features[age].to_numpy()))
        kinds.append(Feature("ln age", "ln d", "age"))
    return Design(np.column_stack(values), tuple(kinds))


@pytest.fixture(scope="module")
def data():
    return mixes_tested()


@pytest.fixture(scope="module")
def domain(data):
    return Domain().fit(data, design_of(data.features))


def checked(domain, data, **changes):
    row = data.features.iloc[[3]].copy().reset_index(drop=True)
    for column, value in changes.items():
        row[column] = value
    return domain.check(row, design_of(row))


def test_training_rows_are_inside(domain, data):
    found = domain.check(data.features, design_of(data.features))
    assert found["in_domain"].mean() >= 0.97
    assert set(found.loc[found["in_domain"], "reasons"]) == {""}
    assert np.all(found.loc[found["in_domain"], "stretch"] == 1.0)
    assert found.attrs["distance_limit"] == domain.space.limit


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"cement_kg_m3": 900.0}, "domain.beyond_range", "cement_kg_m3 = 900 is outside"),
        ({"age_d": 90.0}, "domain.age_after", "Age 90 d is beyond 28 d"),
        ({"age_d": 1.0}, "domain.age_before", "Age 1 d is before 7 d"),
        ({"curing_degC": 60.0}, "domain.constant", "curing_degC = 60, but all tests have 20"),
        ({"water_kg_m3": np.nan}, "domain.missing", "water_kg_m3 is missing"),
        ({"waste": ""}, "domain.missing", "waste is missing"),
        ({"waste": "phosphogypsum"}, "domain.category", "waste 'phosphogypsum' was never tested"),
        ({"slag_kg_m3": 100.0, "fly_ash_kg_m3": 100.0}, "domain.combination", "were never tested together"),
        ({"cement_kg_m3": 2000.0, "water_kg_m3": 20.0}, "domain.far_from_mixes", "The nearest tested mixes are"),
        ({"cement_kg_m3": 2000.0, "water_kg_m3": 20.0}, "domain.leverage", "exceeds that of every tested mix"),
    ],
)
def test_each_reason_is_named(domain, data, changes, key, words):
    assert checked(domain, data)["in_domain"][0]
    found = checked(domain, data, **changes)
    assert not found["in_domain"][0]
    notices = {n.key: n for n in found["notices"][0]}
    assert key in notices
    assert words in str(notices[key])
    assert words in found["reasons"][0]
    assert found["stretch"][0] >= 1.0
    assert json.loads(json.dumps(notices[key].to_dict()))["key"] == key


def test_a_little_beyond_the_range_is_tolerated(domain, data):
    low, high = domain.table.ranges["water_kg_m3"]
    beyond = "water_kg_m3"
    assert beyond not in checked(domain, data, water_kg_m3=high + 0.04 * (high - low))["reasons"][0]
    assert beyond in checked(domain, data, water_kg_m3=high + 0.06 * (high - low))["reasons"][0]
    assert beyond in checked(Domain(tolerance=0).fit(data, design_of(data.features)), data,
                             water_kg_m3=high + 0.04 * (high - low))["reasons"][0]  # fmt: skip


def test_what_tests_lacked_may_be_missing(domain, data):
    assert "fineness" not in checked(domain, data, fineness_m2_kg=np.nan)["reasons"][0]


def test_a_row_is_judged_alone(domain, data):
    odd = data.features.iloc[:5].copy().reset_index(drop=True)
    odd.loc[0, "cement_kg_m3"] = 5000.0
    together = domain.check(odd, design_of(odd))
    alone = domain.check(odd.iloc[1:].reset_index(drop=True), design_of(odd.iloc[1:]))
    pd.testing.assert_frame_equal(
        together.iloc[1:].reset_index(drop=True).drop(columns="notices"), alone.drop(columns="notices")
    )


# -- twins
def test_distance_is_that_of_the_obvious_way(domain, data):
    design = design_of(data.features)
    columns = [j for j, f in enumerate(design.features) if f.kind != "age"]
    values = design.values[:, columns]
    mixes = np.unique(data.mix)
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        means = np.array([np.nanmean(values[data.mix == m], axis=0) for m in mixes])
    standard = (means - np.nanmean(means, axis=0)) / np.nanstd(means, axis=0)

    def nearest(point, others):
        apart = sorted(math.sqrt(np.nanmean((point - other) ** 2)) for other in others)
        return np.mean(apart[:3])

    own = [nearest(standard[i], np.delete(standard, i, axis=0)) for i in range(len(mixes))]
    assert domain.space.limit == pytest.approx(np.quantile(own, 0.99), rel=1e-9)
    found = domain.space.distance_to_others(design, data.mix)
    np.testing.assert_allclose(found[: len(mixes)], [own[m] for m in data.mix[: len(mixes)]], rtol=1e-9)


def test_leverage_is_the_diagonal_of_the_hat_matrix(domain, data):
    values = np.column_stack([np.ones(len(domain.space.points)), np.nan_to_num(domain.space.points)])
    hat = values @ np.linalg.inv(values.T @ values) @ values.T
    first = np.unique(data.mix, return_index=True)[1]
    design = design_of(data.features).rows(first)
    np.testing.assert_allclose(domain.space.leverage(design), np.diag(hat), rtol=1e-8)
    assert domain.space.leverage_limit == pytest.approx(3 * values.shape[1] / len(values))


# -- what is derived, and what cannot be
def with_ratio(features):
    design = design_of(features)
    ratio = (features["water_kg_m3"] / (features["cement_kg_m3"] + features["slag_kg_m3"])).to_numpy()
    inputs = ("water_kg_m3", "cement_kg_m3", "slag_kg_m3")
    columns = (
        Feature("water/binder", "", "derived", depends=inputs), Feature("binder/water", "", "derived", depends=inputs),
        Feature("ln water/binder", "", "derived", depends=(), log=True),
    )  # fmt: skip
    values = np.column_stack([design.values, ratio, 1 / ratio, np.log(ratio)])
    return Design(values, design.features + columns)


def test_a_ratio_that_nobody_tested_is_outside_though_every_column_is_in_range(data):
    domain = Domain().fit(data, with_ratio(data.features))
    (low, high), row = domain.derived.ranges["water/binder"], data.features.iloc[[3]].copy().reset_index(drop=True)

    def at(**changes):
        asked = row.assign(**changes)
        return domain.check(asked, with_ratio(asked))

    inside = domain.check(data.features, with_ratio(data.features))
    assert inside["in_domain"].mean() >= 0.97
    cement = data.features.cement_kg_m3.max()
    found = at(cement_kg_m3=cement, slag_kg_m3=150.0, water_kg_m3=data.features.water_kg_m3.min())
    keys = [n.key for n in found["notices"][0]]
    assert keys == ["domain.derived", "domain.derived", "domain.far_from_mixes"]  # once for each set of inputs
    assert f"outside {low:.4g} to {high:.4g}" in found["reasons"][0] and "binder/water" not in found["reasons"][0]
    named = at(cement_kg_m3=60.0)
    assert {n.key for n in named["notices"][0]} >= {"domain.beyond_range"}
    assert "domain.derived" not in {n.key for n in named["notices"][0] if n.values.get("name") == "water/binder"}
    widths = [at(cement_kg_m3=c, slag_kg_m3=0.0)["stretch"][0] for c in (100.0, 30.0, 5.0, 0.3)]
    assert widths[0] > 1 and np.all(np.diff(widths) > 0) and widths[-1] < 100
    again = Domain.from_arrays(domain.to_arrays())
    asked = row.assign(cement_kg_m3=5.0)
    pd.testing.assert_frame_equal(again.check(asked, with_ratio(asked)), domain.check(asked, with_ratio(asked)))
    assert domain.summary()["derived_ranges"]["water/binder"] == [low, high]
    with pytest.raises(ModelError, match="no column 'water/binder'"):
        domain.check(row, design_of(row))


@pytest.mark.parametrize("value", [-0.01, -5.0, -200.0])
def test_negative_masses_are_impossible(domain, data, value):
    found = checked(domain, data, slag_kg_m3=value)
    assert not found["in_domain"][0]
    assert str(found["notices"][0][0]) == f"slag_kg_m3 = {value:g} is below 0, which is impossible."
    assert found["stretch"][0] >= 1.0
    again = Domain.from_arrays(domain.to_arrays())
    row = data.features.iloc[[3]].assign(slag_kg_m3=value).reset_index(drop=True)
    assert again.check(row, design_of(row))["reasons"][0] == found["reasons"][0]


def test_degrees_below_zero_are_not_impossible(data):
    warm = data.features.assign(curing_degC=np.where(np.arange(len(data.features)) % 2 == 0, 0.0, 40.0))
    table = read_table(warm.assign(strength_MPa=data.target, mix=data.mix), "strength_MPa", mix="mix")
    found = Domain().fit(table, design_of(table.features))
    near = table.features.iloc[[3]].assign(curing_degC=-1.0)
    far = table.features.iloc[[3]].assign(curing_degC=-9.0)
    assert "curing" not in found.check(near, design_of(near))["reasons"][0]
    assert "curing_degC = -9 is outside 0 to 40" in found.check(far, design_of(far))["reasons"][0]


def test_intervals_widen_with_distance_whatever_the_expected_error_follows(data):
    design = design_of(data.features)
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 3, len(data.target))
    centre = data.target + spread * rng.standard_normal(len(spread))
    held = ConformalIntervals(n_trees=10, n_folds=3).fit(design, data, {"mean": centre, "spread": spread})
    assert held.of("mix").scale.kind in ("spread", "learned")
    domain = Domain().fit(data, design, held)
    factor = domain.stretch.at(np.array([1.0, 2.0, 4.0, 16.0]))
    assert factor[0] >= 1 and np.all(factor[1:] >= factor[0] * np.array([2.0, 4.0, 16.0]) * (1 - 1e-9))


def test_too_few_mixes_say_nothing_of_leverage():
    few = mixes_tested(n=8)
    found = Domain().fit(few, design_of(few.features))
    assert found.space.leverage_limit == math.inf
    far = checked(found, few, cement_kg_m3=2000.0)
    assert {n.key for n in far["notices"][0]} == {"domain.beyond_range", "domain.far_from_mixes"}


# -- wider outside
def test_width_grows_with_distance_and_never_shrinks():
    rng = np.random.default_rng(0)
    far = rng.uniform(0, 1.2, 2000)
    score = np.abs(rng.standard_normal(2000)) * (1 + 2 * np.maximum(far - 0.5, 0))
    learned = Stretch.learn(far, score, np.arange(2000))
    at = learned.at(np.linspace(0, 6, 200))
    assert np.all(np.diff(at) >= -1e-12) and at.min() >= 1.0
    assert at[-1] == pytest.approx(learned.factor[-1] * 6 / learned.far[-1])
    assert learned.factor[-1] > 1.2
    flat = Stretch.learn(far, np.abs(rng.standard_normal(2000)), np.arange(2000), power=0.0)
    assert flat.at(np.array([50.0]))[0] < 1.25
    assert Stretch.learn(far[:30], score[:30], np.arange(30)) == Stretch()
    assert Stretch.from_dict(learned.to_dict()) == learned


def test_further_out_is_wider(domain, data):
    widths = [checked(domain, data, cement_kg_m3=v)["stretch"][0] for v in (300.0, 700.0, 1500.0, 5000.0)]
    assert widths[0] == 1.0
    assert np.all(np.diff(widths) > 0)
    assert checked(domain, data, age_d=365.0)["stretch"][0] > checked(domain, data, age_d=56.0)["stretch"][0] > 1.0


@pytest.mark.slow
def test_real_mixes_outside_are_covered():
    # UCI concrete, mixes in 8 clusters by composition, each left out whole: trees alone, which do not know distance
    from sklearn.cluster import KMeans
    from sklearn.ensemble import ExtraTreesRegressor

    data = read_table(pd.read_csv(UCI / "concrete.csv"), "compressive_strength_MPa", mix="mix_id", age="age_d")
    values = data.features.to_numpy(np.float64)
    names = [str(c) for c in data.features.columns]
    age = names.index("age_d")
    values[:, age] = np.log(values[:, age])
    design = Design(values, tuple(Feature(c, "", "age" if c == "age_d" else "input") for c in names))
    plain = (values - values.mean(axis=0)) / values.std(axis=0)
    cluster = KMeans(8, random_state=0, n_init=3).fit_predict(np.delete(plain, age, axis=1))
    cluster = np.array([np.bincount(cluster[data.mix == m]).argmax() for m in range(data.n_mixes)])[data.mix]
    outside, narrow, wide, shares = [], [], [], []
    for left in range(8):
        train, test = np.flatnonzero(cluster != left), np.flatnonzero(cluster == left)
        seen = data.take(train)

        def fitted(rows):
            return ExtraTreesRegressor(60, random_state=0).fit(values[rows], data.target[rows])

        centre = np.empty(len(train))
        for a, b in group_folds(seen.mix, 5):
            centre[b] = fitted(train[a]).predict(values[train[b]])
        held = ConformalIntervals(n_trees=40, n_folds=5).fit(design.rows(train), seen, {"mean": centre})
        domain = Domain().fit(seen, design.rows(train), held)
        asked = domain.check(data.features.iloc[test].reset_index(drop=True), design.rows(test))
        out = ~asked["in_domain"].to_numpy()
        predicted = fitted(train).predict(values[test])
        for kept, stretch in ((narrow, None), (wide, asked["stretch"])):
            lower, upper = held.interval(design.rows(test), predicted, level=0.9, stretch=stretch)
            kept.append(((data.target[test] >= lower) & (data.target[test] <= upper))[out])
        outside.append(out.sum())
        shares.append(out.mean())
    assert sum(outside) > 150
    assert np.concatenate(wide).mean() >= 0.87
    assert np.concatenate(narrow).mean() < 0.83


# -- refusing, storing, bad input
def test_refusing_names_row_and_reasons(domain, data):
    rows = data.features.iloc[:3].copy().reset_index(drop=True)
    rows.loc[1, "cement_kg_m3"] = 900.0
    with pytest.raises(ValidityError, match=r"row 2 of 3: outside .*cement_kg_m3 = 900"):
        domain.check(rows, design_of(rows), on_outside="refuse")
    inside = rows.drop(index=1).reset_index(drop=True)
    assert domain.check(inside, design_of(inside), on_outside="refuse")["in_domain"].all()


def test_stored_domain_is_equal(domain, data, tmp_path):
    rows = data.features.iloc[:6].copy().reset_index(drop=True)
    rows.loc[0, "cement_kg_m3"] = 900.0
    rows.loc[1, "waste"] = "dust"
    np.savez(tmp_path / "d.npz", **domain.to_arrays())
    with np.load(tmp_path / "d.npz") as file:
        again = Domain.from_arrays(dict(file))
    pd.testing.assert_frame_equal(again.check(rows, design_of(rows)), domain.check(rows, design_of(rows)))
    assert again.summary() == domain.summary()
    assert json.loads(json.dumps(domain.summary()))["ages_d"] == [7.0, 28.0]
    arrays = domain.to_arrays()
    with pytest.raises(ModelError, match="damaged"):
        Domain.from_arrays({k: v for k, v in arrays.items() if k != "points"})
    with pytest.raises(ModelError, match="damaged"):
        Domain.from_arrays({**arrays, "points": arrays["points"][:, 1:]})


def test_read_features_of_new_mixes_fits(domain, data):
    row = {c: data.features[c][3] for c in data.features.columns}
    read = read_features({**row, "cement_kg_m3": 900.0}, data)
    assert "cement_kg_m3" in domain.check(read, design_of(read))["reasons"][0]


def test_bad_input_is_refused(domain, data):
    rows = data.features.iloc[:2]
    with pytest.raises(ModelError, match="on_outside"):
        domain.check(rows, design_of(rows), on_outside="guess")
    with pytest.raises(ModelError, match="must match"):
        domain.check(rows, design_of(data.features.iloc[:3]))
    with pytest.raises(ModelError, match="column 'water_kg_m3' of the training table is missing"):
        domain.check(rows.drop(columns="water_kg_m3"), design_of(rows))
    with pytest.raises(ModelError, match="has no column"):
        domain.check(rows, design_of(rows).take([0, 1]))
    for bad in ({"tolerance": -1}, {"percentile": 10}, {"neighbours": 0}):
        with pytest.raises(ModelError, match=next(iter(bad))):
            Domain(**bad)
    one = data.take(data.mix == 0)
    with pytest.raises(ModelError, match="at least 2 mixes"):
        Domain().fit(one, design_of(one.features))
