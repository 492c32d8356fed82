"""Importance, Shapley values, dependence, advice and residuals against closed forms, on synthetic tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError, UnitError, UnknownNameError
from wastelab.i18n import tr
from wastelab.models.advice import advise
from wastelab.models.dependence import age_curves, partial_dependence
from wastelab.models.importance import columns_together, permutation_importance
from wastelab.models.refits import Refits, predicted, refit_folds, refit_halves, seen_region
from wastelab.models.replicates import pure_error
from wastelab.models.residuals import residual_diagnostics
from wastelab.models.shapley import shap_values
from wastelab.models.table import TrainingData, read_table

COEF = {"cement_kg_m3": 0.10, "slag_kg_m3": 0.06, "water_kg_m3": -0.20}


def synthetic(n_mixes: int = 60, seed: int = 0, noise: float = 1.0, **more: np.ndarray) -> TrainingData:
    """Synthetic mixes at 7 and 28 d: strength linear in masses and in the logarithm of age, plus noise."""
    rng = np.random.default_rng(seed)
    mixes = pd.DataFrame({
        "cement_kg_m3": rng.uniform(150, 450, n_mixes), "slag_kg_m3": rng.uniform(0, 200, n_mixes),
        "water_kg_m3": rng.uniform(140, 200, n_mixes), **more,
    })  # fmt: skip
    mixes["mix"] = [f"M{i}" for i in range(n_mixes)]
    table = mixes.loc[np.repeat(np.arange(n_mixes), 2)].reset_index(drop=True)
    table["age_d"] = np.tile([7.0, 28.0], n_mixes)
    table["strength_MPa"] = Linear(40.0).predict(table) + noise * rng.normal(size=len(table))
    return read_table(table, "strength")


class Linear:
    """The known law, or what least squares makes of the tests."""

    def __init__(self, base: float = 40.0, coef: dict[str, float] | None = None, age: float = 8.0) -> None:
        self.base, self.coef, self.age = base, coef or COEF, age

    @classmethod
    def fit(cls, data: TrainingData) -> Linear:
        x = np.column_stack([np.ones(len(data)), *(data.features[c] for c in COEF), np.log(data.features["age_d"])])
        b = np.linalg.lstsq(x, data.target, rcond=None)[0]
        return cls(b[0], dict(zip(COEF, b[1:-1], strict=True)), b[-1])

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        out = self.base + self.age * np.log(features["age_d"].to_numpy(float))
        return np.asarray(out + sum(b * features[c].to_numpy(float) for c, b in self.coef.items()))


class Law:
    """Any function of a table."""

    def __init__(self, function) -> None:
        self.function = function

    def predict(self, features):
        return self.function(features)


def everywhere(features: pd.DataFrame) -> np.ndarray:
    return np.ones(len(features), dtype=bool)


# -- refits
def test_jackknife_of_folds_and_halves_gives_the_standard_error_of_a_mean():
    """Synthetic: the fit is the mean of one value a mix; its standard error is s/sqrt(n)."""
    rng = np.random.default_rng(3)
    n = 120
    data = read_table(pd.DataFrame({"x_kg": rng.normal(size=n), "mix": np.arange(n), "y_MPa": rng.normal(size=n)}), "y")
    truth = data.target.std(ddof=1) / np.sqrt(n)
    row = data.features.iloc[[0]]

    def fit(d: TrainingData) -> Law:
        return Law(lambda f: np.full(len(f), d.target.mean()))

    folds = refit_folds(fit, data, n)
    assert folds.sd(folds.predict_all(row))[0] == pytest.approx(truth, rel=1e-9)  # the delete-one jackknife is exact
    halves = refit_halves(fit, data, 400, 1)
    assert halves.sd(halves.predict_all(row))[0] == pytest.approx(truth, rel=0.12)


def test_folds_leave_whole_mixes_out():
    data = synthetic()
    for test in refit_folds(Linear.fit, data, 5).tests:
        assert not set(data.mix[test]) & set(np.delete(data.mix, test))


def test_predictions_that_are_not_one_finite_number_a_row_are_refused():
    data = synthetic()
    with pytest.raises(ModelError, match="one number a row"):
        predicted(Law(lambda f: np.zeros((len(f), 2))), data.features)
    with pytest.raises(ModelError, match="row 1"):
        predicted(Law(lambda f: np.full(len(f), np.nan)), data.features)


def test_region_holds_the_tests_and_not_what_is_far():
    data = synthetic()
    inside = seen_region(data)
    assert inside(data.features).all()
    far = data.features.iloc[[0]].assign(cement_kg_m3=2000.0)
    gap = data.features.iloc[[0]].assign(cement_kg_m3=np.nan)
    assert not inside(far)[0] and not inside(gap)[0]


# -- importance
def test_importance_of_a_linear_law_is_that_of_the_covariance():
    """Shuffling column j adds 2 b^2 var(x) to the squared error: the closed form for independent columns."""
    data = synthetic(400, noise=2.0)
    law = Linear(40.0)
    folds = Refits((law,) * 4, refit_folds(Linear.fit, data, 4).tests, "folds")
    result = permutation_importance(data, folds, n_repeats=8)
    base = np.mean((data.target - law.predict(data.features)) ** 2)
    assert result.baseline == pytest.approx(np.sqrt(base))
    table = result.table.set_index("name")
    for column, b in COEF.items():
        x = data.features[column].to_numpy()
        assert table.loc[column, "rise"] == pytest.approx(np.sqrt(base + 2 * b**2 * x.var()) - np.sqrt(base), rel=0.06)
        assert table.loc[column, "shuffled"] == "mixes"
    assert table.loc["age_d", "shuffled"] == "rows"
    assert "cause" in str(result)


def test_importance_of_a_column_without_effect_is_zero_and_repeats_are_the_same():
    data = synthetic(40, junk_kg_m3=np.random.default_rng(5).uniform(0, 9, 40))
    folds = refit_folds(Linear.fit, data, 4)
    one, two = (permutation_importance(data, folds, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.table, two.table)
    assert one.table.set_index("name").loc["junk_kg_m3", "rise"] == 0.0


def test_columns_that_cannot_move_alone_are_shuffled_together():
    rng = np.random.default_rng(0)
    share = rng.dirichlet([1, 1, 1], 60)
    data = synthetic(
        60, ash_fraction=share[:, 0], mud_fraction=share[:, 1], gypsum_fraction=share[:, 2],
    )  # fmt: skip
    table = data.features.assign(total_kg_m3=data.features["cement_kg_m3"] + data.features["slag_kg_m3"])
    table = table.assign(twin_kg=3.0 * table["water_kg_m3"], mix=data.mix, strength_MPa=data.target)
    units = dict.fromkeys(("ash_fraction", "mud_fraction", "gypsum_fraction"), "kg/kg")
    data = read_table(table, "strength", units=units)
    assert {frozenset(g) for g in columns_together(data)} == {
        frozenset({"ash_fraction", "mud_fraction", "gypsum_fraction"}),
        frozenset({"cement_kg_m3", "slag_kg_m3", "total_kg_m3"}),
        frozenset({"water_kg_m3", "twin_kg"}),
    }
    result = permutation_importance(data, refit_folds(Linear.fit, data, 4), n_repeats=2)
    kinds = result.table.set_index("name")["kind"]
    assert kinds["water_kg_m3 + twin_kg"] == "group" and kinds["twin_kg"] == "member" and kinds["age_d"] == "single"
    lead = list(result.table["name"])
    assert lead.index("twin_kg") > lead.index("water_kg_m3 + twin_kg")


def test_importance_refuses_what_it_cannot_shuffle():
    data = synthetic(8)
    with pytest.raises(ModelError, match="fewer folds"):
        permutation_importance(data, refit_folds(Linear.fit, data, 8))
    with pytest.raises(ModelError, match="folds"):
        permutation_importance(data, refit_halves(Linear.fit, data, 4))
    with pytest.raises(UnknownNameError, match="cement_kg_m3"):
        permutation_importance(data, refit_folds(Linear.fit, data, 2), columns=["cement_kg"])
    with pytest.raises(ModelError, match="4 or more"):
        refit_folds(Linear.fit, data.take(data.mix < 3), 2)


# -- Shapley values
@pytest.mark.parametrize("method", ["exact", "permutation"])
@pytest.mark.slow
def test_shapley_values_of_a_linear_law_are_coefficient_times_distance_from_the_mean(method):
    pytest.importorskip("shap")
    data = synthetic(40)
    rows = data.features.iloc[[0, 7]]
    result = shap_values(Linear(40.0), data, rows, background=40, method=method, n_permutations=2, inside=everywhere)
    again = shap_values(Linear(40.0), data, rows, background=40, method=method, n_permutations=2)
    np.testing.assert_array_equal(result.values, again.values)
    ground = data.features.groupby(data.mix).first()
    for column, b in COEF.items():
        np.testing.assert_allclose(result.values[column], b * (rows[column] - ground[column].mean()), atol=1e-9)
    np.testing.assert_allclose(result.base + result.values.sum(axis=1), result.prediction, atol=1e-9)
    assert result.additivity < 1e-9 and result.outside == 0.0
    assert "masses no longer sum" in result.report()


@pytest.mark.slow
def test_shapley_values_take_text_and_missing_values():
    pytest.importorskip("shap")
    rng = np.random.default_rng(1)
    data = synthetic(
        30, kind=np.where(rng.random(30) < 0.5, "A", "B"), blaine_m2_kg=np.where(rng.random(30) < 0.3, np.nan, 350.0)
    )

    def law(f: pd.DataFrame) -> np.ndarray:
        return 5.0 * (f["kind"] == "B").to_numpy() + 2.0 * f["blaine_m2_kg"].isna().to_numpy()

    b = (data.features["kind"] == "B").to_numpy()
    result = shap_values(Law(law), data, data.features.iloc[[0, 20]], background=30, method="permutation")
    share = pd.Series(b).groupby(data.mix).first().mean()
    np.testing.assert_allclose(result.values["kind"], 5.0 * (b[[0, 20]] - share), atol=1e-9)


@pytest.mark.slow
def test_shapley_values_of_a_model_without_fixed_state_are_refused():
    pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    with pytest.raises(ModelError, match="random state"):
        shap_values(
            Law(lambda f: rng.normal(size=len(f))), synthetic(10), max_rows=2, background=5, method="permutation"
        )


# -- dependence
def test_dependence_of_a_linear_law_is_a_line_even_where_rows_leave_the_domain():
    data = synthetic(80)
    result = partial_dependence(
        Linear(40.0), data, "cement_kg_m3", fixed={"age_d": 28}, refits=refit_folds(Linear.fit, data)
    )
    known = result.table.dropna(subset=["mean"])
    assert np.isnan(result.curves).any() and len(known) > 10
    np.testing.assert_allclose(np.diff(known["mean"]) / np.diff(known["cement_kg_m3"]), 0.10, rtol=1e-8)
    assert (known["lower"] < known["mean"]).all() and (known["upper"] > known["mean"]).all()
    assert (result.table["n_mixes"] == np.isfinite(result.curves).sum(axis=0)).all()


def test_dependence_without_domain_is_the_plain_average():
    data = synthetic(30)
    law = Law(lambda f: np.sin(f["cement_kg_m3"] / 50).to_numpy() * f["slag_kg_m3"].to_numpy())
    result = partial_dependence(law, data, "cement_kg_m3", inside=everywhere)
    np.testing.assert_allclose(result.table["mean"], result.curves.mean(axis=0), rtol=1e-9)


def test_raising_one_binder_at_the_cost_of_another_keeps_their_sum():
    data = synthetic(60)
    seen = []

    def law(f: pd.DataFrame) -> np.ndarray:
        seen.append((f["cement_kg_m3"] + f["slag_kg_m3"]).to_numpy())
        return Linear(40.0).predict(f)

    result = partial_dependence(Law(law), data, "slag_kg_m3", replaces="cement_kg_m3", inside=everywhere)
    sums = (data.features["cement_kg_m3"] + data.features["slag_kg_m3"]).to_numpy()[result.rows]
    there = np.isfinite(result.curves)  # cement cannot fall below zero
    assert not there.all()
    np.testing.assert_allclose(seen[0], np.broadcast_to(sums[:, None], there.shape)[there], rtol=1e-12)
    slope = np.diff(result.table["mean"]) / np.diff(result.table["slag_kg_m3"])
    np.testing.assert_allclose(slope[np.isfinite(slope)], 0.06 - 0.10, rtol=1e-8)


def test_a_map_of_two_columns_is_additive_for_a_linear_law():
    data = synthetic(60)
    result = partial_dependence(Linear(40.0), data, ["cement_kg_m3", "water_kg_m3"], n_points=6, inside=everywhere)
    t = result.table
    fit = np.linalg.lstsq(np.column_stack([np.ones(36), t["cement_kg_m3"], t["water_kg_m3"]]), t["mean"], rcond=None)
    np.testing.assert_allclose(fit[0][1:], [0.10, -0.20], rtol=1e-8)


def test_dependence_refuses_columns_that_do_not_go_together():
    data = synthetic(20, kind=np.array(["A", "B"] * 10), blaine_m2_kg=np.linspace(300, 400, 20))
    law = Linear(40.0)
    with pytest.raises(UnitError, match="one known unit"):
        partial_dependence(law, data, "cement_kg_m3", replaces="blaine_m2_kg")
    with pytest.raises(ModelError, match="to be fixed"):
        partial_dependence(law, data, "cement_kg_m3", fixed={"cement_kg_m3": 300})
    with pytest.raises(ModelError, match="inside the domain"):
        partial_dependence(law, data, "cement_kg_m3", grid=[5000.0])
    levels = partial_dependence(law, data, "kind", inside=everywhere).table
    assert list(levels["kind"]) == ["A", "B"] and levels["mean"].nunique() == 1


def test_course_with_age():
    data = synthetic(20)
    table = age_curves(
        Linear(40.0), data, data.features.iloc[[0]], ages=[7, 28, 900], band=lambda f: np.zeros((len(f), 2))
    )
    assert table["mean"].diff().iloc[1] == pytest.approx(8.0 * np.log(4.0))
    assert list(table["in_domain"]) == [True, True, False]
    plain = read_table(data.features.drop(columns="age_d").iloc[::2].assign(strength_MPa=data.target[::2]), "strength")
    with pytest.raises(MissingDataError, match="no age"):
        age_curves(Linear(40.0), plain, plain.features)


# -- advice
def test_advice_on_a_linear_law_finds_the_known_gains():
    data = synthetic(300, noise=0.5)
    mix = {"cement_kg_m3": 300.0, "slag_kg_m3": 100.0, "water_kg_m3": 170.0, "age_d": 28.0}
    result = advise(Linear(40.0), mix, data, refits=refit_folds(Linear.fit, data, 10), noise=1.0)
    for row in result.table.itertuples():
        moved = sum(COEF[c] * (v - mix[c]) for c, v in zip(row.columns, row.values, strict=True))
        assert row.gain == pytest.approx(moved, abs=1e-9)
        assert row.lower <= row.gain <= row.upper
    exchanges = result.table[result.table["kind"] == "exchange"]
    assert set(exchanges["columns"]) == {("cement_kg_m3", "slag_kg_m3"), ("slag_kg_m3", "cement_kg_m3")}
    order = list(zip(result.table["gain"] > 0, result.table["keeps_mass"], result.table["gain"], strict=True))
    assert order == sorted(order, reverse=True) and result.helps
    assert not any("age_d" in c for c in result.table["columns"])
    assert bool(result.table["sure"].iloc[0]) and "not a cause" in result.report()
    inside = seen_region(data)
    ends = pd.DataFrame([mix | dict(zip(r.columns, r.values, strict=True)) for r in result.table.itertuples()])
    assert inside(ends[list(data.features.columns)]).all()


def test_advice_puts_changes_that_keep_a_cubic_metre_first_and_says_what_the_others_do():
    data = synthetic(300, noise=0.5)
    mix = {"cement_kg_m3": 300.0, "slag_kg_m3": 100.0, "water_kg_m3": 170.0, "age_d": 28.0}
    all_steps = advise(Linear(40.0), mix, data, noise=1.0, every=True)
    for row in all_steps.table.itertuples():
        more = sum(v - mix[c] for c, v in zip(row.columns, row.values, strict=True))
        assert row.keeps_mass == (abs(more) <= 0.02 * 570.0)
    result = advise(Linear(40.0), mix, data, noise=1.0)
    helps = result.table[result.table["gain"] > 0]
    # more cement alone gains most, but makes more than a cubic metre; cement for slag does not
    assert helps["kind"].iloc[0] == "exchange" and helps["columns"].iloc[0] == ("slag_kg_m3", "cement_kg_m3")
    lines = all_steps.report(top=200).splitlines()
    said = next(i for i, line in enumerate(lines) if "more than 2 %" in line)
    alone = next(i for i, line in enumerate(lines) if line.startswith("  +5.00 MPa  cement +50 kg/m3"))
    assert 1 < said < alone
    assert "more than 2 %" not in result.report() and "超过 2 %" in all_steps.report("zh", top=200)
    assert result.to_dict()["table"][0]["keeps_mass"] is True


def test_advice_on_one_test_does_not_call_it_a_proof():
    data = synthetic(300, noise=0.5)
    mix = {"cement_kg_m3": 300.0, "slag_kg_m3": 100.0, "water_kg_m3": 170.0, "age_d": 28.0}
    result = advise(Linear(40.0), mix, data, noise=0.1)
    assert (result.table["tests"] == 1).any()
    assert "one test of either mix shows it 4 times in 5" in result.report() and "1 tests" not in result.report()


def test_advice_says_plainly_that_nothing_helps():
    data = synthetic(100)
    flat = Law(lambda f: np.full(len(f), 30.0))
    result = advise(flat, data.features.iloc[[0]], data)
    assert not result.helps and "Nothing inside the domain raises" in result.report()
    assert "适用域内没有改动能提高" in result.report("zh")
    closed = advise(Linear(40.0), data.features.iloc[[0]], data, fixed=list(COEF))
    assert not len(closed.table) and "No change" in closed.report()


def test_advice_keeps_fixed_columns_and_bounds():
    data = synthetic(200)
    mix = data.features.iloc[[1]]
    top = float(mix["cement_kg_m3"].iloc[0]) + 25
    result = advise(Linear(40.0), mix, data, fixed=["water_kg_m3"], bounds={"cement_kg_m3": (0, top)}, every=True)
    assert not any("water_kg_m3" in c for c in result.table["columns"])
    ends = [
        v for r in result.table.itertuples() for c, v in zip(r.columns, r.values, strict=True) if c == "cement_kg_m3"
    ]
    assert max(ends) <= top
    single = advise(Linear(40.0), mix, data, changes="single").table
    assert set(single["kind"]) == {"single"}


def test_a_gain_that_refits_do_not_agree_on_is_not_sure():
    data = synthetic(100)
    rng = np.random.default_rng(0)
    tests = refit_folds(Linear.fit, data, 5).tests
    wild = tuple(Linear(40.0, {c: b + rng.normal() for c, b in COEF.items()}) for _ in range(5))
    result = advise(Linear(40.0), data.features.iloc[[0]], data, refits=Refits(wild, tests, "folds"))
    assert result.helps and not result.table["sure"].any() and "No interval of a gain" in result.report()


def test_bad_questions_for_advice():
    data = synthetic(20)
    with pytest.raises(ModelError, match="expected one"):
        advise(Linear(40.0), data.features.iloc[:2], data)
    with pytest.raises(ModelError, match="low <= high"):
        advise(Linear(40.0), data.features.iloc[[0]], data, bounds={"water_kg_m3": (5, 1)})
    with pytest.raises(UnknownNameError, match="direction"):
        advise(Linear(40.0), data.features.iloc[[0]], data, direction="up")


# -- residuals
def repeated(n: int = 40, bias: float = 0.0, seed: int = 0) -> tuple[TrainingData, np.ndarray]:
    """Synthetic: every mix tested twice at one age with noise of standard deviation 1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(100, 400, n)
    table = pd.DataFrame({"cement_kg_m3": np.repeat(x, 2), "age_d": 28.0, "mix": np.repeat(np.arange(n), 2)})
    truth = 0.1 * table["cement_kg_m3"].to_numpy()
    table["s_MPa"] = truth + rng.normal(size=2 * n)
    return read_table(table, "s"), truth + bias * np.sin(np.repeat(np.arange(n), 2))


def test_a_perfect_model_is_at_the_noise_floor_and_a_wrong_one_is_not():
    data, truth = repeated()
    good = residual_diagnostics(data, truth)
    assert good.noise.sd == pytest.approx(1.0, rel=0.25) and good.noise.df == 40
    d = data.target.reshape(-1, 2)
    assert good.noise.sd == pytest.approx(np.sqrt(np.mean((d[:, 0] - d[:, 1]) ** 2) / 2))
    r = (data.target - truth).reshape(-1, 2).mean(axis=1)
    assert good.lack_of_fit["F"] == pytest.approx(2 * np.mean(r**2) / good.noise.sd**2)
    assert good.lack_of_fit["p"] > 0.05 and "At the noise floor" in good.report()
    _, wrong = repeated(bias=5.0)
    bad = residual_diagnostics(data, wrong)
    assert bad.lack_of_fit["p"] < 1e-6 and "Not at the noise floor" in bad.report()


def test_findings_name_bias_growing_spread_missed_effect_source_and_drift():
    rng = np.random.default_rng(0)
    data = synthetic(150)
    table = data.features.assign(mix=data.mix, strength_MPa=data.target, source=np.where(data.mix % 5 == 0, "B", "A"))
    data = read_table(table.assign(time=data.mix), "strength")
    x = data.features["slag_kg_m3"].to_numpy()
    p = data.target - 2.0 - rng.normal(size=len(data)) * (0.2 + 0.08 * (data.target - data.target.min()))
    keys = {f.key for f in residual_diagnostics(data, p).findings}
    assert {"understanding.residual_bias", "understanding.residual_spread_grows_prediction"} <= keys
    noise = rng.normal(size=len(data))
    for extra, key in (
        (0.03 * (x - x.mean()), "trend"), (0.0005 * (x - x.mean()) ** 2, "curvature"),
        (4.0 * (data.mix % 5 == 0), "group_source"), (0.03 * data.mix, "drift"),
    ):  # fmt: skip
        found = residual_diagnostics(data, data.target - noise - extra)
        assert f"understanding.residual_{key}" in {f.key for f in found.findings}
        assert all(tr(f.key, "zh", **f.values) != str(tr(f.key, "en", **f.values)) for f in found.findings)


def test_one_wrong_repeat_is_set_aside_from_the_noise():
    data, _ = repeated()
    y = data.target.copy()
    y[6] += 40.0
    table = data.features.assign(mix=data.mix, s_MPa=y)
    error = pure_error(read_table(table, "s"))
    assert error.aside == ((6, 7),) and error.sd > 4 and error.robust_sd == pytest.approx(pure_error(data).sd, rel=0.2)


def test_residuals_refuse_missing_predictions():
    data, truth = repeated()
    with pytest.raises(ModelError, match="finite"):
        residual_diagnostics(data, np.where(np.arange(len(truth)) == 3, np.nan, truth))
    with pytest.raises(ModelError, match="10 rows"):
        residual_diagnostics(data.take(data.mix < 3), truth[data.mix < 3])
