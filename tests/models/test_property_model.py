"""Property models from table to prediction, on synthetic mixes with a known law; the shipped data only where marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import wastelab as wl
from wastelab.errors import MissingDataError, ModelError, UnknownNameError, ValidityError
from wastelab.models.learners import Blend, Boosting, ExtraTrees, Mean, Ridge, blend_weights
from wastelab.models.replicates import mean_variance
from wastelab.models.table import read_table

AGES = (3.0, 7.0, 28.0, 90.0)


def synthetic(n_mixes: int = 30, n_sources: int = 0, seed: int = 0) -> pd.DataFrame:
    """Synthetic strengths: a Bolomey-like law of cement, ash and water, rising with age; sources differ by a factor."""
    rng = np.random.default_rng(seed)
    cement, ash, water = (rng.uniform(*r, n_mixes).round(1) for r in ((200, 450), (0, 150), (140, 200)))
    level = 22.0 * ((cement + 0.35 * ash) / water - 0.5) * np.exp(rng.normal(0, 0.04, n_mixes))
    source = np.arange(n_mixes) % max(n_sources, 1)
    level *= np.exp(rng.normal(0, 0.2, max(n_sources, 1)))[source] if n_sources else 1.0
    rows = []
    for i in range(n_mixes):
        for age in AGES:
            strength = level[i] * (0.35 + 0.19 * np.log(age)) / (0.35 + 0.19 * np.log(28)) + rng.normal(0, 0.7)
            rows.append((f"M{i:03d}", f"S{source[i]}", cement[i], ash[i], water[i], age, max(strength, 0.5)))
    frame = pd.DataFrame(
        rows, columns=["mix_id", "source", "cement_kg_m3", "fly_ash_kg_m3", "water_kg_m3", "age_d", "strength_MPa"]
    )
    return frame if n_sources else frame.drop(columns="source")


@pytest.fixture(scope="module")
def model() -> wl.PropertyModel:
    return wl.PropertyModel("strength").fit(synthetic(28))


@pytest.fixture(scope="module")
def among_sources() -> wl.PropertyModel:
    return wl.PropertyModel("strength", learner="gaussian_process", protocols=("source",)).fit(
        synthetic(66, 11, seed=3)
    )


def test_beats_the_trivial_and_says_how_it_was_tested(model):
    assert not model.scores_.worse_than_baseline
    assert model.scores_.headline.protocol == "mix"
    assert model.scores_.headline.rmse < 3.0
    assert set(model.scores_.protocols) == {"mix", "row"}
    assert "new mix" in repr(model)
    assert "R2" not in repr(model)


def test_predictions_are_numbers_or_a_table(model):
    new = synthetic(6, seed=9)
    means = model.predict(new)
    table = model.predict(new, interval=0.9)
    assert isinstance(means, np.ndarray)
    np.testing.assert_array_equal(table["mean"], means)
    assert np.all(table["lower"] <= table["mean"])
    assert np.all(table["mean"] <= table["upper"])
    assert table.attrs["holds_for"] == "new mix"
    wider = model.predict(new, interval=0.95)
    assert np.all(wider["upper"] - wider["lower"] >= table["upper"] - table["lower"])
    one = model.predict({"cement_kg_m3": 300.0, "fly_ash_kg_m3": 50.0, "water_kg_m3": 170.0, "age_d": 28.0})
    assert one.shape == (1,)


def test_intervals_hold_on_fresh_mixes_of_the_same_law(model):
    new = synthetic(150, seed=21)
    table = model.predict(new, interval=0.9)
    inside = (new["strength_MPa"] >= table["lower"]) & (new["strength_MPa"] <= table["upper"])
    assert 0.85 <= inside[table["in_domain"]].mean() <= 1.0


def test_strength_never_falls_with_age(model):
    rng = np.random.default_rng(5)
    days = np.geomspace(0.3, 700, 80)
    for _ in range(10):
        mix = {"cement_kg_m3": rng.uniform(150, 500), "fly_ash_kg_m3": rng.uniform(0, 200),
               "water_kg_m3": rng.uniform(120, 230)}  # fmt: skip
        course = model.predict(pd.DataFrame({**mix, "age_d": days}))
        assert np.min(np.diff(course)) >= -1e-12
        assert course[0] < course[10]


def test_early_strength_goes_to_zero_at_zero_age(model):
    mix = {"cement_kg_m3": 350.0, "fly_ash_kg_m3": 0.0, "water_kg_m3": 170.0}
    young = model.predict(pd.DataFrame({**mix, "age_d": [0.01, 3.0]}))
    assert young[0] == pytest.approx(young[1] * np.log1p(0.01) / np.log1p(3.0), rel=1e-9)


def test_outside_the_domain_is_said_and_wider(model):
    far = {"cement_kg_m3": 900.0, "fly_ash_kg_m3": 0.0, "water_kg_m3": 400.0, "age_d": 28.0}
    table = model.predict(far, interval=0.9)
    assert not table["in_domain"].iloc[0]
    assert "cement_kg_m3" in table["reasons"].iloc[0]
    flagged = model.predict(far, interval=0.9, on_outside="ignore")
    assert table["upper"].iloc[0] - table["lower"].iloc[0] > flagged["upper"].iloc[0] - flagged["lower"].iloc[0]
    assert model.predict(far, interval=0.9, on_outside="refuse")[["mean", "lower", "upper"]].isna().all(axis=None)


def test_score_of_trained_mixes_is_refused(model):
    with pytest.raises(ValidityError, match="one of the training tests"):
        model.score(synthetic(28), synthetic(28)["strength_MPa"])
    fresh = synthetic(40, seed=33)
    assert model.score(fresh, fresh["strength_MPa"]) > 0.9


def test_same_table_same_model():
    first, second = (wl.PropertyModel("strength", protocols=()).fit(synthetic(12)) for _ in range(2))
    new = synthetic(4, seed=2)
    pd.testing.assert_frame_equal(first.predict(new, interval=0.8), second.predict(new, interval=0.8))


def test_is_a_scikit_learn_estimator():
    model = wl.PropertyModel("strength", n_folds=4)
    assert clone(model).get_params() == model.get_params()
    frame = synthetic(10)
    x, y = frame.drop(columns=["strength_MPa", "mix_id"]), frame["strength_MPa"]
    fitted = wl.PropertyModel(learner="ridge").fit(x.to_numpy() if False else x, y, groups=frame["mix_id"])
    assert fitted.data_.n_mixes == 10
    assert fitted.data_.name == "strength"


def test_a_new_laboratory_and_its_first_tests(among_sources):
    everything = synthetic(66, 11, seed=3)
    assert among_sources.scores_.headline.protocol == "source"
    local = synthetic(12, seed=40).assign(strength_MPa=lambda f: 1.4 * f["strength_MPa"])  # a stronger cement
    table = among_sources.predict(local, interval=0.9)
    assert table.attrs["holds_for"] == "new source"
    chosen = among_sources.first_tests(local, n=3)
    assert len(chosen) == 3
    tests = local.iloc[chosen["row"]]
    adapted = among_sources.calibrate(tests)
    rest = local.drop(index=tests.index)
    before = np.sqrt(np.mean((among_sources.predict(rest) - rest["strength_MPa"]) ** 2))
    after = np.sqrt(np.mean((adapted.predict(rest) - rest["strength_MPa"]) ** 2))
    assert after < 0.6 * before
    narrow = adapted.predict(rest, interval=0.9)
    assert narrow.attrs["holds_for"] == "this source"
    wide = among_sources.predict(rest, interval=0.9)
    assert (narrow["upper"] - narrow["lower"]).mean() < (wide["upper"] - wide["lower"]).mean()
    assert among_sources.effect_ is None
    known = among_sources.predict(everything, source="S4")
    assert np.sqrt(np.mean((known - everything["strength_MPa"])[everything["source"] == "S4"] ** 2)) < 4.0
    with pytest.raises(UnknownNameError, match="no source 'S99'"):
        among_sources.predict(everything, source="S99")


def test_calibrated_courses_do_not_fall(among_sources):
    tests = synthetic(2, seed=41).assign(strength_MPa=lambda f: f["strength_MPa"] * np.where(f["age_d"] > 28, 0.6, 1.3))
    adapted = among_sources.calibrate(tests)
    days = np.geomspace(1, 200, 50)
    for row in range(0, 8, 4):
        mix = tests.iloc[row][["cement_kg_m3", "fly_ash_kg_m3", "water_kg_m3"]].to_dict()
        assert np.min(np.diff(adapted.predict(pd.DataFrame({**mix, "age_d": days})))) >= -1e-9


def test_without_sources_there_is_no_local_calibration(model):
    with pytest.raises(MissingDataError, match="does not know how laboratories differ"):
        model.calibrate(synthetic(3))
    with pytest.raises(MissingDataError, match="strategy='learn'"):
        model.first_tests(synthetic(3))


def test_views(model):
    assert model.suggest(synthetic(8, seed=50).query("age_d == 28"), n=2).shape[0] == 2
    assert len(model.residuals().report()) > 100
    assert "strength" in str(model.card())
    curve = model.age_curves(synthetic(2, seed=51).iloc[[0]])
    assert len(curve) > 10
    importance = model.importance()
    assert "cement_kg_m3" in importance.report()
    advice = model.advise({"cement_kg_m3": 250.0, "fly_ash_kg_m3": 40.0, "water_kg_m3": 180.0, "age_d": 28.0})
    assert advice.helps


def test_replicates_weigh_and_missing_cells_stay():
    frame = synthetic(16)
    frame["y_n"], frame["y_sd"] = 3, np.where(np.arange(len(frame)) % 5 == 0, 4.0, 0.5)
    frame.loc[frame["mix_id"] == "M003", "fly_ash_kg_m3"] = np.nan
    fitted = wl.PropertyModel("strength", protocols=()).fit(frame)
    assert "fly_ash_kg_m3" in fitted.builder_.get_feature_names_out()
    assert np.isfinite(fitted.predict(frame)).all()


def test_variance_of_means_is_drawn_to_the_pooled_one():
    found = mean_variance(np.array([1.0, 3.0, np.nan]), np.array([3, 3, 1]))
    pooled = (2 * 1 + 2 * 9) / 4
    np.testing.assert_allclose(found[:2], [(4 * pooled + 2 * 1) / 6 / 3, (4 * pooled + 2 * 9) / 6 / 3])
    assert np.isnan(found[2])


def test_too_few_mixes_are_refused_and_few_are_said():
    with pytest.raises(ModelError, match="mixes"):
        wl.PropertyModel("strength").fit(synthetic(4))
    few = wl.PropertyModel("strength", learner="ridge").fit(synthetic(7))
    assert any("FEW MIXES" in str(n) for n in few.scores_.notices)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"learner": "forest"}, "expected one or several of auto"),
        ({"protocols": ("rows",)}, "is not known"),
    ],
)
def test_wrong_options_are_refused(options, word):
    with pytest.raises(ModelError, match=word):
        wl.PropertyModel("strength", **options).fit(synthetic(8))


def test_wrong_questions_are_refused(model):
    with pytest.raises(ModelError, match="not fitted"):
        wl.PropertyModel("strength").predict({"cement_kg_m3": 1.0})
    with pytest.raises(ModelError, match="between 0 and 1"):
        model.predict(synthetic(2), interval=90)
    with pytest.raises(ModelError, match="on_outside"):
        model.predict(synthetic(2), on_outside="hide")
    with pytest.raises(MissingDataError, match="column 'water_kg_m3' is missing"):
        model.predict({"cement_kg_m3": 300.0, "fly_ash_kg_m3": 0.0, "age_d": 28.0})
    with pytest.raises(ModelError, match="infinite"):
        model.predict({"cement_kg_m3": np.inf, "fly_ash_kg_m3": 0.0, "water_kg_m3": 1.0, "age_d": 28.0})


def test_a_constant_target_or_column_does_not_break():
    frame = synthetic(12).assign(air_pct=2.0, note="same")
    fitted = wl.PropertyModel("strength", learner="ridge", protocols=()).fit(frame)
    table = fitted.predict(frame.assign(air_pct=6.0).iloc[:2], interval=0.9)
    assert not table["in_domain"].any()
    assert "air_pct" in table["reasons"].iloc[0]


# -- learners
def design_of(frame: pd.DataFrame):
    from wastelab.models.builder import MixFeatures

    data = read_table(frame, "strength")
    builder = MixFeatures().fit(data.features, age=data.age, units=data.units, property=data.name)
    return builder.design(data.features), data


@pytest.mark.parametrize(
    "learner", [Boosting(max_iter=40), ExtraTrees(n_estimators=20), Ridge(), Ridge(degree=2), Mean()]
)
def test_learners_keep_their_state(learner):
    design, data = design_of(synthetic(20))
    fitted = clone(learner).fit(design, data.target)
    again = type(fitted).from_state(*fitted.to_state())
    np.testing.assert_array_equal(again.predict(design), fitted.predict(design))
    assert np.isnan(fitted.spread(design)).all()


@pytest.mark.parametrize("learner", [Boosting(max_iter=60), ExtraTrees(n_estimators=30)])
def test_trees_do_not_fall_with_age(learner):
    frame = synthetic(25)
    frame.loc[frame["age_d"] == 90, "strength_MPa"] *= 0.7  # synthetic: as if strength fell
    design, data = design_of(frame)
    fitted = clone(learner).fit(design, data.target)
    one = design.rows(np.zeros(40, dtype=int)).at_age(np.log(np.geomspace(1, 300, 40)))
    assert np.min(np.diff(fitted.predict(one))) >= 0


def test_a_quadratic_is_silent_off_its_data():
    design, data = design_of(synthetic(30))
    fitted = Ridge(degree=2).fit(design, data.target)
    far = design.rows([0, 1])
    far.values[0, 0] = 2000.0
    assert np.isnan(fitted.predict(far)).tolist() == [True, False]
    with pytest.raises(ModelError, match="1 or 2"):
        Ridge(degree=3).fit(design, data.target)


def test_weights_find_the_better_member():
    rng = np.random.default_rng(0)
    y = rng.normal(30, 8, 400)
    good, bad = y + rng.normal(0, 1, 400), y + rng.normal(0, 6, 400)
    groups = np.repeat(np.arange(200), 2)
    many = blend_weights(np.column_stack([good, bad]), y, groups)
    assert many[0] > 0.85
    assert many.sum() == pytest.approx(1.0)
    few = blend_weights(np.column_stack([good, bad])[:10], y[:10], groups[:10])
    assert few[0] > 0.7
    assert blend_weights(good[:, None], y, groups) == pytest.approx([1.0])


def test_a_blend_is_the_weighted_mean():
    design, data = design_of(synthetic(15))
    blend = Blend([("ridge", Ridge()), ("mean", Mean())], [0.75, 0.25]).fit(design, data.target)
    parts = blend.predict_members(design)
    np.testing.assert_allclose(blend.predict(design), 0.75 * parts["ridge"] + 0.25 * parts["mean"])


# -- what a table, a laboratory or a reader may do to a model
def test_one_age_only_is_as_good_as_no_age():
    frame = synthetic(40).query("age_d == 28").reset_index(drop=True)
    with_age = wl.PropertyModel("strength", learner="gaussian_process", protocols=()).fit(frame)
    without = wl.PropertyModel("strength", learner="gaussian_process", protocols=()).fit(frame.drop(columns="age_d"))
    predicted = with_age.predict(frame)
    np.testing.assert_allclose(predicted, without.predict(frame), rtol=1e-6)
    assert np.corrcoef(predicted, frame["strength_MPa"])[0, 1] > 0.95


def test_ages_are_needed_and_zero_gives_zero(model):
    mix = {"cement_kg_m3": 350.0, "fly_ash_kg_m3": 0.0, "water_kg_m3": 170.0}
    assert model.predict({**mix, "age_d": 0.0})[0] == pytest.approx(0.0, abs=1e-3)
    for age in (-3.0, np.nan):
        with pytest.raises(ModelError, match="row 1, column 'age_d'"):
            model.predict({**mix, "age_d": age})


def test_a_calibrated_model_is_calibrated_everywhere(among_sources):
    local = synthetic(12, seed=40).assign(strength_MPa=lambda f: 1.4 * f["strength_MPa"])
    first, second = local.iloc[[2, 14]], local.iloc[[26]]
    adapted = among_sources.calibrate(first)
    mix = local.iloc[0][["cement_kg_m3", "fly_ash_kg_m3", "water_kg_m3"]].to_dict()
    young = adapted.predict(pd.DataFrame({**mix, "age_d": [0.001, 3.0]}))
    assert young[0] < 0.01 * young[1]
    with pytest.raises(ModelError, match="calibrated to a laboratory"):
        adapted.compiled()
    assert "calibrated" in repr(adapted)
    both, again = among_sources.calibrate(pd.concat([first, second])), adapted.calibrate(second)
    np.testing.assert_allclose(again.predict(local), both.predict(local), rtol=1e-10)
    wanted = local.query("age_d == 28").iloc[3:]
    suggested = adapted.suggest(wanted, n=1)
    expected = adapted.predict(wanted.loc[[suggested["candidate"].iloc[0]]])[0]
    assert suggested["mean"].iloc[0] == pytest.approx(expected, rel=0.05)


def test_a_known_source_is_predicted_better_by_its_name():
    frame = synthetic(60, 12, seed=8)
    fitted = wl.PropertyModel("strength", learner=("gaussian_process", "ridge"), protocols=("source",)).fit(frame)
    rng = np.random.default_rng(1)
    errors = []
    for source in ("S2", "S5", "S7"):
        seen = frame[frame["source"] == source]
        fresh = seen.assign(water_kg_m3=lambda f: f["water_kg_m3"] + rng.normal(0, 2))  # nearly the same mixes
        truth = seen["strength_MPa"]
        plain, named = fitted.predict(fresh), fitted.predict(fresh, source=source)
        errors.append([np.mean((plain - truth) ** 2), np.mean((named - truth) ** 2)])
        table = fitted.predict(fresh, interval=0.9, source=source)
        assert np.isfinite(table[["lower", "upper"]]).all(axis=None)
    assert np.mean(errors, axis=0)[1] < np.mean(errors, axis=0)[0]


def test_refusing_needs_no_interval(model):
    far = {"cement_kg_m3": 900.0, "fly_ash_kg_m3": 0.0, "water_kg_m3": 400.0, "age_d": 28.0}
    assert np.isnan(model.predict(far, on_outside="refuse")).all()


def test_a_silent_member_leaves_only_its_rows_empty():
    frame = synthetic(30)
    fitted = wl.PropertyModel("strength", learner="quadratic", protocols=()).fit(frame)
    asked = frame.iloc[:3].copy()
    asked.iloc[1, asked.columns.get_loc("cement_kg_m3")] = 3000.0
    table = fitted.predict(asked, interval=0.9)
    assert table["mean"].isna().tolist() == [False, True, False]
    assert table["upper"].isna().tolist() == [False, True, False]


def test_far_out_a_mean_stays_near_what_was_tested(model):
    typed = {"cement_kg_m3": 0.3, "fly_ash_kg_m3": 0.0, "water_kg_m3": 170.0, "age_d": 28.0}  # tonnes, by mistake
    assert model.predict(typed)[0] < 1.5 * model.data_.target.max()


def test_trees_do_not_jump_between_tested_ages():
    design, data = design_of(synthetic(40))
    fitted = Boosting(max_iter=100).fit(design, data.target)
    days = np.linspace(7, 28, 400)
    one = design.rows(np.zeros(len(days), dtype=int)).at_age(np.log(days))
    steps = np.diff(fitted.predict(one))
    assert steps.max() < 0.02 * (fitted.predict(one)[-1] - fitted.predict(one)[0]) + 1e-9


def test_own_tests_are_of_one_laboratory_and_in_the_unit_of_the_model(among_sources):
    local = synthetic(3, seed=40)
    psi = local.assign(strength_psi=lambda f: f["strength_MPa"] * 145.0377).drop(columns="strength_MPa")
    expected = among_sources.calibrate(local).predict(local)
    np.testing.assert_allclose(among_sources.calibrate(psi).predict(local), expected, rtol=1e-4)
    with pytest.raises(ModelError, match="names several sources"):
        among_sources.calibrate(synthetic(6, 3, seed=2))
    with pytest.raises(ModelError, match="row 2"):
        among_sources.calibrate(local, [30.0, np.nan, *[30.0] * (len(local) - 2)])
