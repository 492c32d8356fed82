"""What early tests of a mix tell of later ones: synthetic mixes with a known shared effect; public data if marked."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError, UnitError, UnknownNameError, ValidityError
from wastelab.models.early_tests import early_tests
from wastelab.models.mix_effect import MixEffect
from wastelab.models.property_model import PropertyModel
from wastelab.models.unseen import predict_unseen

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "datasets"
AGES = (3.0, 7.0, 28.0)


def synthetic(n: int = 60, seed: int = 0, ages: tuple[float, ...] = AGES) -> pd.DataFrame:
    """Synthetic: strength by w/c and age, times what all tests of a mix share (10 %), plus noise of 0.8 MPa."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        cement, water = rng.uniform(250, 450), rng.uniform(150, 200)
        own = 1 + 0.1 * rng.normal()
        for age in ages:
            strength = 22 * (cement / water - 0.4) * (0.35 + 0.19 * math.log(age)) * own
            rows.append((f"N{seed}-{i}", cement, water, age, max(strength + 0.8 * rng.normal(), 0.5)))
    return pd.DataFrame(rows, columns=["mix_id", "cement_kg_m3", "water_kg_m3", "age_d", "strength_MPa"])


@pytest.fixture(scope="module")
def model() -> PropertyModel:
    return PropertyModel("strength", learner="gaussian_process", protocols=("mix",)).fit(synthetic())


@pytest.fixture(scope="module")
def effect(model) -> MixEffect:
    return MixEffect.of(model)


@pytest.fixture(scope="module")
def new() -> pd.DataFrame:
    return synthetic(60, seed=5)


def test_most_of_the_error_is_shared_by_a_mix(effect):
    assert (effect.mix + effect.course) / effect.size**2 > 0.7
    assert "shared by all its tests" in str(effect)
    gain = effect.gain([7], 28)
    assert gain["n_mixes"] == 60
    assert gain["RMSE_known"] < 0.6 * gain["RMSE"]
    assert gain["width_known"] < 0.7 * gain["width"]
    assert 0.8 <= gain["coverage_known"] <= 1.0


def test_conditional_normal_by_hand(effect):
    tested, asked = np.log([3.0, 7.0]), np.log([28.0])
    z = np.array([0.8, 1.3])
    mean, variance = effect.condition(tested, z, asked)

    def k(a, b):
        return effect.mix + effect.course * math.exp(-abs(a - b) / effect.length)

    among = np.array([[k(a, b) + effect.noise * (i == j) for j, b in enumerate(tested)] for i, a in enumerate(tested)])
    across = np.array([k(a, asked[0]) for a in tested])
    assert mean[0] == pytest.approx(across @ np.linalg.inv(among) @ z)
    assert variance[0] == pytest.approx(effect.size**2 - across @ np.linalg.inv(among) @ across)
    assert effect.condition(tested, np.array([50.0, 50.0]), asked)[0] == pytest.approx(
        effect.condition(tested, np.array([500.0, 500.0]), asked)[0]
    )


def test_early_tests_sharpen_new_mixes(model, effect, new):
    asked, tests = new[new.age_d == 28], new[new.age_d < 28]
    before = model.predict(asked, 0.9)
    out = early_tests(model, asked, tests, effect=effect)
    y = asked["strength_MPa"].to_numpy()
    rmse = [float(np.sqrt(np.mean((t["mean"].to_numpy() - y) ** 2))) for t in (before, out)]
    assert rmse[1] < 0.6 * rmse[0]
    assert (out["upper"] - out["lower"]).mean() < 0.7 * (before["upper"] - before["lower"]).mean()
    assert 0.8 <= np.mean((y >= out["lower"]) & (y <= out["upper"])) <= 1.0
    assert (out["tests"] == 2).all()
    assert list(out.index) == list(asked.index)
    assert np.allclose(out["mean_before"], before["mean"])
    assert out.attrs["unit"] == "MPa"


def test_results_as_predicted_change_no_mean(model, effect, new):
    mixes = new[new.mix_id.isin(["N5-0", "N5-1"])]
    tests = mixes[mixes.age_d == 7].assign(strength_MPa=lambda t: model.predict(t))
    out = early_tests(model, mixes, tests, effect=effect)
    assert np.allclose(out["mean"], model.predict(mixes), rtol=1e-9)


def test_monotone_in_the_result_never_wider_and_never_falling(model, effect, new):
    ages = np.array([1.0, 3.0, 5.0, 7.0, 10.0, 14.0, 28.0, 56.0])
    course = pd.concat([new.iloc[[0]].drop(columns="strength_MPa")] * len(ages), ignore_index=True).assign(age_d=ages)
    before = model.predict(course, 0.9)
    seven = float(before["mean"].iloc[3])
    last = None
    for step in (-15.0, -5.0, -1.0, 0.0, 1.0, 5.0, 15.0):
        tests = {"mix_id": course["mix_id"].iloc[0], "age_d": 7.0, "strength_MPa": max(seven + step, 0.0)}
        out = early_tests(model, course, tests, effect=effect)
        assert (np.diff(out["mean"]) >= -1e-9).all()
        assert last is None or (out["mean"] >= last - 1e-9).all()
        assert (out["upper"] - out["mean"] <= before["upper"] - before["mean"] + 1e-9).all()
        last = out["mean"]
    # far above its prediction at 7 d: 28 d is not below what 7 d is now believed to be
    assert out["mean"].iloc[6] >= out["mean"].iloc[3] > seven


def test_the_same_row_is_predicted_the_same_whatever_else_is_asked(model, effect, new):
    mixes = new[new.mix_id.isin(["N5-0", "N5-1", "N5-2"])]
    tests = mixes[mixes.age_d == 3]
    whole = early_tests(model, mixes, tests, effect=effect)
    one = early_tests(model, mixes.iloc[[5]], tests[tests.mix_id == mixes["mix_id"].iloc[5]], effect=effect)
    assert one["mean"].iloc[0] == pytest.approx(whole["mean"].iloc[5], rel=1e-9)
    assert one["upper"].iloc[0] == pytest.approx(whole["upper"].iloc[5], rel=1e-9)


def test_mixes_without_tests_are_left_as_they_are(model, effect, new):
    mixes = new[new.mix_id.isin(["N5-0", "N5-1"])]
    out = early_tests(model, mixes, mixes[(mixes.age_d == 3) & (mixes.mix_id == "N5-0")], effect=effect)
    rest = (mixes.mix_id == "N5-1").to_numpy()
    assert (out["tests"].to_numpy() == np.where(rest, 0, 1)).all()
    plain = model.predict(mixes, 0.9)
    for column in ("mean", "lower", "upper"):
        assert np.allclose(out[column].to_numpy()[rest], plain[column].to_numpy()[rest])


def test_units_are_converted_and_far_results_named(model, effect, new):
    asked = new.iloc[[2]]
    name = asked["mix_id"].iloc[0]
    a = early_tests(model, asked, {"mix_id": name, "age_d": 3.0, "strength_MPa": 12.0}, effect=effect)
    b = early_tests(model, asked, {"mix_id": name, "age_h": 72.0, "strength_kPa": 12000.0}, effect=effect)
    assert a["mean"].iloc[0] == pytest.approx(b["mean"].iloc[0])
    far = early_tests(model, asked, {"mix_id": name, "age_d": 3.0, "strength_MPa": 120.0}, effect=effect)
    assert len(far.attrs["warnings"]) == 1
    assert "3 d: 120 is far from its prediction" in far.attrs["warnings"][0]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"mix_id": "other"}, UnknownNameError, "'other' is not asked about"),
        ({"age_d": 0.0}, ModelError, "age 0 d"),
        ({"strength_MPa": np.nan}, ModelError, "result nan"),
        ({"strength_MPa": -1.0}, ModelError, "result -1"),
        ({"age_MPa": 3.0, "age_d": None}, UnitError, "not convertible"),
        ({"strength_MPa": None, "flow_mm": 3.0}, UnknownNameError, "the result \\('strength'\\)"),
        ({"mix_id": None, "batch": "a"}, UnknownNameError, "no column 'mix_id'"),
    ],
)
def test_wrong_tests_are_refused(model, effect, new, change, error, said):
    asked = new.iloc[[2]]
    tests = {"mix_id": asked["mix_id"].iloc[0], "age_d": 3.0, "strength_MPa": 12.0} | change
    with pytest.raises(error, match=said):
        early_tests(model, asked, {k: v for k, v in tests.items() if v is not None}, effect=effect)


def test_mixes_that_were_fitted_to_are_refused(model, effect):
    seen = synthetic()
    with pytest.raises(ValidityError, match="one of those the model was fitted to"):
        early_tests(model, seen.iloc[[2]], seen.iloc[[0]], effect=effect)


def test_one_name_for_two_mixes_is_refused(model, effect, new):
    two = new.iloc[[0, 3]].assign(mix_id="a")
    with pytest.raises(ModelError, match="another composition"):
        early_tests(model, two, two.iloc[[0]], effect=effect)
    with pytest.raises(UnknownNameError, match="says which mix"):
        early_tests(model, two.drop(columns="mix_id"), two, effect=effect)


def test_models_that_cannot_know_say_so(new):
    one_age = PropertyModel("strength", learner="ridge", protocols=("mix",)).fit(
        synthetic(ages=(28.0,)).drop(columns="age_d")
    )
    with pytest.raises(MissingDataError, match="has no age"):
        MixEffect.of(one_age)
    apart = synthetic()
    apart = apart[apart.age_d == np.resize(AGES, 60).repeat(3)]
    few = PropertyModel("strength", learner="ridge", protocols=("mix",)).fit(apart)
    with pytest.raises(MissingDataError, match="Only 0 mixes were tested at two ages"):
        early_tests(few, new.iloc[[2]], new.iloc[[0]])


def test_unseen_predictions_are_out_of_fold_for_the_table(model, new):
    table = synthetic().iloc[:6]
    seen = predict_unseen(model, model.read_mixes(table))
    assert np.allclose(seen.mean, model.oof_["mean"].iloc[:6])
    assert not np.allclose(seen.mean, model.predict(table))
    fresh = predict_unseen(model, model.read_mixes(new.iloc[:6]))
    assert np.allclose(fresh.mean, model.predict(new.iloc[:6]))


def test_sources_are_what_is_counted_where_models_are_judged_by_them():
    table = synthetic().assign(source=lambda t: [f"S{int(m.split('-')[1]) % 12}" for m in t["mix_id"]])
    by_source = PropertyModel("strength", learner="ridge", protocols=("source",)).fit(table)
    effect = MixEffect.of(by_source)
    assert len(np.unique(effect.block)) == 12
    assert len(np.unique(effect.group)) == 60
    assert math.isinf(effect.multiplier(0.95, np.log([28.0]))[0])
    assert math.isfinite(effect.multiplier(0.8, np.log([28.0]))[0])


def by_hand(effect, asked: float, given) -> float:
    """Slow twin: 0.9 conformal rank of errors at an age given the tests that `given` picks from the ages of a mix."""
    errors = []
    for mix in np.unique(effect.group):
        rows = np.flatnonzero(effect.group == mix)
        i = rows[np.argmin(np.abs(effect.log_age[rows] - math.log(asked)))]
        known = [r for r in rows if r != i and given(math.exp(effect.log_age[r]))]
        mean, variance = effect.condition(effect.log_age[known], effect.z[known], effect.log_age[[i]])
        errors.append(abs(effect.z[i] - mean[0]) / math.sqrt(variance[0]))
    return float(np.sort(errors)[math.ceil(0.9 * (len(errors) + 1)) - 1])


def test_widths_are_no_less_than_mixes_tested_at_the_same_ages_show(effect):
    three, seven, late = np.log([3.0]), np.log([7.0]), np.log([28.0])
    same = {(3.0, 28.0): lambda d: d > 20, (28.0, 3.0): lambda d: d < 4}
    all_others = {3.0: lambda d: d > 3.5, 28.0: lambda d: d < 20}
    expected = {k: max(by_hand(effect, k[0], f), by_hand(effect, k[0], all_others[k[0]])) for k, f in same.items()}
    assert effect.multiplier(0.9, three, late)[0] == pytest.approx(expected[3.0, 28.0])
    assert effect.multiplier(0.9, late, three)[0] >= expected[28.0, 3.0]
    both = effect.multiplier(0.9, seven, np.log([28.5, 3.1]))
    assert both[0] >= by_hand(effect, 7.0, lambda d: True)


def test_ages_that_no_mix_has_are_calibrated_by_direction(effect):
    three = np.log([3.0])
    assert effect.multiplier(0.9, three, np.log([180.0]))[0] == pytest.approx(by_hand(effect, 3.0, lambda d: d > 3.5))
    late = np.log([28.0])
    assert effect.multiplier(0.9, late, np.log([0.5])) == effect.multiplier(0.9, late)
    around = effect.multiplier(0.9, np.log([7.0]), np.log([0.5, 180.0]))
    sides = [effect.multiplier(0.9, np.log([7.0]), np.log([age]))[0] for age in (0.5, 180.0)]
    assert around[0] == max(sides)


@pytest.mark.parametrize(("early", "late"), [(3.0, 28.0), (28.0, 3.0)])
def test_intervals_hold_in_either_direction_of_age(model, effect, early, late):
    new = synthetic(300, seed=6)
    asked, tests = new[new.age_d == late], new[new.age_d == early]
    out = early_tests(model, asked, tests, effect=effect)
    y = asked["strength_MPa"].to_numpy()
    assert 0.85 <= np.mean((y >= out["lower"]) & (y <= out["upper"])) <= 0.98


@pytest.fixture(scope="module")
def by_source() -> PropertyModel:
    """Synthetic: laboratories differ by 20 %, mixes of one by 10 %."""
    table = synthetic(96).assign(source=lambda t: [f"S{int(m.split('-')[1]) % 16}" for m in t["mix_id"]])
    level = dict(zip(sorted(table["source"].unique()), 1 + 0.2 * np.random.default_rng(4).normal(size=16), strict=True))
    table["strength_MPa"] *= table["source"].map(level)
    return PropertyModel("strength", learner="ridge", protocols=("mix", "source")).fit(table)


def test_calibrated_models_are_sharpened_from_where_they_stand(by_source):
    laboratory = synthetic(40, seed=9)
    laboratory["strength_MPa"] *= 1.6
    of = laboratory["mix_id"].str.split("-").str[1].astype(int)
    local = by_source.calibrate(laboratory[of < 4])
    effect = MixEffect.of(local)
    rest = laboratory[of >= 4].reset_index(drop=True)
    plain = local.predict(rest, 0.9)
    same = rest[rest.age_d == 3].assign(strength_MPa=lambda t: local.predict(t))
    kept = early_tests(local, rest, same, effect=effect)
    assert np.allclose(kept["mean"], plain["mean"], rtol=1e-9)
    asked = rest[rest.age_d == 28]
    out = early_tests(local, asked, rest[rest.age_d == 3], effect=effect)
    y = asked["strength_MPa"].to_numpy()
    rmse = [float(np.sqrt(np.mean((m - y) ** 2))) for m in (local.predict(asked), out["mean"].to_numpy())]
    assert rmse[1] < 0.9 * rmse[0]
    assert np.mean((y >= out["lower"]) & (y <= out["upper"])) >= 0.85
    # a test moves a calibrated model less: much of what all tests here share is known already
    name = str(asked["mix_id"].iloc[0])
    one = asked.iloc[[0]]
    moved = []
    for model in (by_source, local):
        three = one.assign(age_d=3.0)
        test = three.assign(strength_MPa=model.predict(three) + 2.0)
        found = early_tests(model, one, test, effect=effect)
        moved.append(float((found["mean"] - found["mean_before"]).iloc[0]))
        assert name == str(test["mix_id"].iloc[0])
    assert 0 < moved[1] < moved[0]


def test_age_zero_stays_at_zero(model, effect, new):
    asked = new.iloc[[0, 0]].assign(age_d=[0.0, 28.0])
    out = early_tests(model, asked, new.iloc[[0]], effect=effect)
    assert out["mean"].iloc[0] == pytest.approx(0.0, abs=1e-3) and out["mean"].iloc[1] > 1.0


@pytest.mark.slow
def test_published_early_strengths_sharpen_28_d():
    path = SHARED / "boxcrete" / "strength.csv"
    if not path.is_file():
        pytest.skip(f"NO PUBLISHED DATA: {path} is not there; set WASTELAB_SHARED")
    table = pd.read_csv(path)
    table = table[(table.strength_mean_MPa > 0) & (table.curing_temperature_degC > 0)]
    others = [c for c in table.columns if c.startswith(("strength_1", "strength_2", "strength_3", "strength_sd"))]
    table = table[table.age_d.isin([3, 28])]
    found = PropertyModel("strength_mean", learner="boosting", protocols=("mix",), random_state=11).fit(
        table, drop=[*others, "gwp_kgCO2e_m3", "slump_mm", "n_specimens", "mix_name"]
    )
    gain = MixEffect.of(found).gain([3.0], 28.0)
    assert gain["n_mixes"] > 80
    assert gain["RMSE_known"] < 0.9 * gain["RMSE"]
    assert gain["width_known"] < 0.95 * gain["width"]
    assert gain["coverage_known"] > 0.85
