"""Validation: no mix or source on both sides, trivial predictions under the same splits, no bare random score."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError, UnknownNameError
from wastelab.models import baselines as simple
from wastelab.models.scores import TEXTS, Scores
from wastelab.models.table import read_table
from wastelab.models.validation import (
    assemble,
    cross_predict,
    learning_curve,
    nested,
    paired_difference,
    protocol_splits,
    score_predictions,
    tune,
    validate,
)


def synthetic(seed=0, n_mixes=40, n_sources=6, noise=1.0, months=True, ages=(3.0, 28.0, 90.0)):
    """Synthetic strengths: growing with cement/water and age, an offset a mix and a source."""
    random = np.random.default_rng(seed)
    rows = []
    offsets = random.normal(0, 4, n_sources)
    for m in range(n_mixes):
        cement, water = random.uniform(200, 450), random.uniform(140, 200)
        own, source = random.normal(0, 2), m % n_sources
        for age in ages:
            y = 10 * (cement / water) ** 2 * age / (age + 8) + own + offsets[source] + noise * random.normal()
            rows.append((f"M{m}", f"lab {source}", f"2024-{1 + m * 12 // n_mixes:02d}", cement, water, age, y + 10))
    columns = ["mix", "source", "time", "cement_kg_m3", "water_kg_m3", "age_d", "strength_MPa"]
    table = pd.DataFrame(rows, columns=columns)
    return read_table(table if months else table.drop(columns="time"), "strength")


def remembers_mixes(train, test):
    """The mean of the same mix if it was seen, else that of all: what a leak rewards."""
    seen = {m: train.target[train.mix == m].mean() for m in np.unique(train.mix)}
    return np.array([seen.get(m, train.target.mean()) for m in test.mix])


def test_no_mix_and_no_source_is_on_both_sides():
    data = synthetic()
    for protocol in ("mix", "source", "time"):
        splits, _ = protocol_splits(data, protocol, n_folds=4)
        assert splits
        for train, test in splits:
            assert not set(data.mix[train]) & set(data.mix[test])
            if protocol == "source":
                assert not set(data.source[train]) & set(data.source[test])
            if protocol == "time":
                assert max(data.time[train]) < min(data.time[test])
    row, _ = protocol_splits(data, "row", n_folds=4)
    assert any(set(data.mix[a]) & set(data.mix[b]) for a, b in row)


def test_mix_reported_by_two_sources_does_not_leak():
    data = synthetic(n_mixes=12, n_sources=3)
    shared = replace(data, mix=np.where(data.mix == 1, 0, data.mix))  # mixes 0 and 1 are one, in two laboratories
    for train, test in protocol_splits(shared, "source")[0]:
        assert not set(shared.mix[train]) & set(shared.mix[test])


def test_pooled_figures_are_those_of_all_predictions():
    data = synthetic()
    scores = validate(simple.ridge_log_age, data, n_folds=4, seed=3)
    frame = scores.predictions["mix"]
    residual = frame["mean"] - frame["observed"]
    assert scores["mix"].rmse == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert scores["mix"].errors.bias == pytest.approx(residual.mean())
    assert scores["mix"].errors.r2 == pytest.approx(
        1 - np.sum(residual**2) / np.sum((data.target - data.target.mean()) ** 2)
    )
    assert sum(e.n_rows for e in scores["mix"].by_age) == sum(e.n_rows for e in scores["mix"].by_level) == len(data)
    by_hand = [np.sqrt(np.mean(residual[frame["fold"] == k] ** 2)) for k in range(4)]
    np.testing.assert_allclose(scores["mix"].fold_rmse, by_hand)


def test_hardest_protocol_is_the_headline_and_random_rows_flatter_memory():
    data = synthetic(ages=(27.0, 28.0, 29.0))
    scores = validate(remembers_mixes, data)
    assert scores.protocols == ("source", "time", "mix", "row")
    assert scores.headline.protocol == "source"
    table = scores.table()
    assert table.loc["random rows", "RMSE"] < 0.5 * table.loc["new mix", "RMSE"]


def test_random_score_cannot_be_had_alone():
    scores = validate(simple.ridge_log_age, synthetic(), protocols=("row",))
    assert scores.protocols == ("mix", "row")  # the harder one was added
    with pytest.raises(ModelError, match="not shown alone"):
        scores["row"]
    with pytest.raises(ModelError, match="random rows alone"):
        replace(scores, every=(scores.every[-1],))
    for text in (str(scores), scores.report(), repr(scores), json.dumps(scores.to_dict())):
        assert "new mix" in text and "random rows" in text
    assert "flatters" in repr(scores.every[-1])
    with pytest.raises(UnknownNameError, match="Available: mix, row"):
        scores["source"]


def test_one_row_a_mix_says_that_row_is_mix():
    scores = validate(simple.nearest_mix, synthetic(ages=(28.0,)))
    assert "row" not in scores.protocols
    assert any(n.key == "validation.one_row_a_mix" for n in scores.notices)


def test_model_no_better_than_trivial_is_labelled_loudly():
    data = synthetic()
    bad = validate(lambda a, b: np.full(len(b), a.target.mean() + 3.0), data)
    assert bad.worse_than_baseline
    assert str(bad.label).startswith("DO NOT USE THIS MODEL")
    assert bad.report().splitlines()[1].startswith("!! DO NOT USE THIS MODEL")
    assert bad.to_dict()["worse_than_baseline"] and "DO NOT USE" in bad.to_dict()["label"] and "NO BETTER" in repr(bad)
    near = validate(lambda a, b: simple.ridge_log_age(a, b) + 2.5, data)
    assert str(near.label).startswith("NO BETTER THAN A TRIVIAL PREDICTION") and near.worse_than_baseline
    good = validate(_true_model, synthetic(n_sources=1))
    assert not good.worse_than_baseline and good.label is None and good["mix"].margin.better == "a"


def _noisy(model, sd, seed=0):
    """A model and noise of its own, the same for each mix."""

    def fit_predict(train, test):
        own = np.random.default_rng(seed).normal(0, sd, int(max(train.mix.max(), test.mix.max())) + 1)
        return model(train, test) + own[test.mix]

    return fit_predict


def test_tie_with_a_trivial_prediction_is_a_notice_and_not_the_label():
    data = synthetic(n_mixes=30, n_sources=1, months=False)
    seen = 0
    for seed in range(8):
        tie = validate(_noisy(simple.nearest_mix, 0.3, seed), data, protocols=("mix",))
        seen += tie["mix"].rmse >= tie["mix"].best_baseline.rmse
        assert tie.label is None and not tie.worse_than_baseline and "NO BETTER" not in repr(tie)
        assert any(n.key == "validation.not_clearly_better" for n in tie.notices)
    assert seen  # some are a little worse, by chance
    worse = validate(_noisy(simple.nearest_mix, 6.0), data, protocols=("mix",))
    assert worse["mix"].margin.better == "b" and worse.label.key == "validation.worse_than_baseline"


@pytest.mark.parametrize("n_mixes", [8, 40])
def test_noise_as_target_always_has_the_loudest_label(n_mixes):
    for seed in range(10):
        random = np.random.default_rng(seed)
        data = replace(
            synthetic(seed, n_mixes=n_mixes, n_sources=1, months=False), target=random.normal(30, 5, 3 * n_mixes)
        )

        def shrunken(train, test):
            return 0.1 * simple.ridge_log_age(train, test) + 0.9 * train.target.mean()

        for model in (shrunken, simple.ridge_log_age, simple.nearest_mix):
            label = validate(model, data, protocols=("mix",)).label
            assert label is not None and label.key == "validation.worse_than_mean"


def test_few_sources_are_judged_by_their_mixes():
    scores = validate(_noisy(simple.ridge_log_age, 0.2), synthetic(n_sources=3, months=False))
    assert scores.headline.protocol == "source" and scores.headline.margin.n_groups == 40
    again = Scores.from_dict(json.loads(json.dumps(scores.to_dict())))
    assert again.headline.over_mean == scores.headline.over_mean and again.label == scores.label
    older = scores.to_dict()
    for s in older["every"]:
        del s["over_mean"]
    assert Scores.from_dict(older).headline.over_mean is None


def _true_model(train, test):
    """Least squares in what the synthetic strengths were made of."""

    def x(d):
        f = d.features
        age = f["age_d"]
        return np.column_stack([(f["cement_kg_m3"] / f["water_kg_m3"]) ** 2 * age / (age + 8), np.ones(len(f))])

    return x(test) @ np.linalg.lstsq(x(train), train.target, rcond=None)[0]


def test_few_mixes():
    with pytest.raises(ModelError, match=r"only 4 different mixes.*at least 1 more"):
        validate(simple.mean, synthetic(n_mixes=4))
    scores = validate(simple.ridge_log_age, synthetic(n_mixes=7))
    assert len(scores["mix"].fold_rmse) == 7
    assert "!! FEW MIXES: only 7" in scores.report() and "at least 3 more" in scores.report()


def test_what_the_data_cannot_tell_is_said():
    data = synthetic(months=False)
    keys = {n.key for n in validate(simple.mean, replace(data, source=None, source_names=())).notices}
    assert {"validation.no_source", "validation.no_time"} <= keys
    assert "validation.one_source" in {n.key for n in validate(simple.mean, synthetic(n_sources=1)).notices}
    two = synthetic(n_sources=2)
    most = validate(simple.mean, two.take(np.r_[0:90][(two.source[:90] == 0) | (np.arange(90) < 40)]))
    assert {"validation.few_sources", "validation.one_source_dominates"} <= {n.key for n in most.notices}


def test_json_round_trip():
    scores = validate(_true_model, synthetic())
    again = Scores.from_dict(json.loads(json.dumps(scores.to_dict(), allow_nan=False)))
    assert again.report() == scores.report()
    assert again.to_dict() == scores.to_dict()


def test_same_seed_same_scores():
    data = synthetic()
    first, second = (validate(simple.ridge_log_age, data, seed=5).to_dict() for _ in range(2))
    assert first == second
    assert first != validate(simple.ridge_log_age, data, seed=6).to_dict()


def test_interruption_keeps_what_is_finished():
    data = synthetic()

    def stop(done, total, label):
        if label == "new mix" and done == 2:
            raise KeyboardInterrupt

    scores = validate(simple.ridge_log_age, data, protocols=("mix", "row"), progress=stop)
    assert scores.protocols == ("mix",) and len(scores["mix"].fold_rmse) == 2 and scores["mix"].n_planned == 5
    assert any(n.key == "validation.interrupted" for n in scores.notices)
    assert scores["mix"].errors.n_rows == scores["mix"].baselines[0].n_rows < len(data)

    def at_once(done, total, label):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validate(simple.ridge_log_age, data, progress=at_once)


def test_progress_counts_folds():
    seen = []
    cross_predict(simple.mean, synthetic(), protocol_splits(synthetic(), "mix")[0], progress=lambda *a: seen.append(a))
    assert seen == [(k, 5, "validation") for k in range(6)]


def test_intervals_are_covered_and_shown():
    data = synthetic()

    def model(train, test):
        centre = _true_model(train, test)
        return pd.DataFrame({"mean": centre, "lower": centre - 12, "upper": centre + 12, "reasons": "none"})

    scores = validate(model, data)
    errors = scores["mix"].errors
    assert errors.width == pytest.approx(24) and 0.9 < errors.coverage <= 1
    assert "width 24" in scores.report()
    assert set(scores.predictions["mix"]["reasons"]) == {"none"}


@pytest.mark.parametrize(
    ("splits", "says"),
    [
        ([([0, 1], [2, 3]), ([4, 5], [3, 6])], "tested in two folds"),
        ([([0, 1, 2], [2, 3])], "both fitted to and tested"),
    ],
)
def test_splits_that_cannot_be(splits, says):
    with pytest.raises(ModelError, match=says):
        cross_predict(simple.mean, synthetic(), [(np.array(a), np.array(b)) for a, b in splits])


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda a, b: np.zeros(3), "3 predictions for"),
        (lambda a, b: np.full(len(b), np.nan), "is nan"),
        (lambda a, b: pd.DataFrame({"y": np.zeros(len(b))}), "expected one named 'mean'"),
    ],
)
def test_predictions_that_cannot_be(model, says):
    with pytest.raises(ModelError, match=says):
        validate(model, synthetic())


def test_unknown_protocol():
    with pytest.raises(ModelError, match="'row', 'mix', 'source' or 'time'"):
        validate(simple.mean, synthetic(), protocols=("laboratory",))


# -- trivial predictions
def test_baselines_by_hand():
    table = pd.DataFrame({
        "mix": ["a", "a", "b", "b"], "cement_kg_m3": [300.0, 300, 400, 400], "age_d": [7.0, 28, 7, 28],
        "strength_MPa": [20.0, 30, 30, 46],
    })  # fmt: skip
    train = read_table(table, "strength")
    new = {"mix": ["c"], "cement_kg_m3": [380.0], "age_d": [25.0], "strength_MPa": [1.0]}
    test = read_table(pd.DataFrame(new), "strength", features=["cement_kg_m3"])
    assert simple.mean(train, test) == pytest.approx([31.5])
    assert simple.mean_by_age(train, test) == pytest.approx([38.0])  # 28 d is nearest
    assert simple.nearest_mix(train, test) == pytest.approx([46.0])  # mix b, 28 d


def test_ridge_finds_a_line_and_takes_text_and_missing():
    random = np.random.default_rng(1)
    n = 200
    kind = random.choice(["A", "B"], n)
    cement = random.uniform(200, 400, n)
    y = 10 + 0.1 * cement + 5 * (kind == "B")
    table = pd.DataFrame({"cement_kg_m3": cement, "kind": kind, "strength_MPa": y})
    table.loc[::20, "cement_kg_m3"] = np.nan
    table["always_kg_m3"] = 7.0
    data = read_table(table, "strength")
    got = simple.ridge_log_age(data, data)
    there = ~table["cement_kg_m3"].isna().to_numpy()
    assert np.abs(got - y)[there].max() < 0.1 * np.std(y)
    assert np.isfinite(got).all()


def test_baselines_of_a_table_without_age():
    data = synthetic(ages=(28.0,))
    table = data.features.drop(columns="age_d").assign(strength_MPa=data.target)
    scores = validate(simple.mean, read_table(table, "strength"))
    assert [b.label for b in scores["mix"].baselines] == ["mean", "linear ridge", "nearest mix"]


# -- comparison
def test_difference_of_equal_and_of_better_models():
    random = np.random.default_rng(3)
    mix = np.repeat(np.arange(50), 3)
    shared = np.repeat(random.normal(0, 3, 50), 3)
    a, b = shared + random.normal(0, 1, 150), shared + random.normal(0, 1, 150)
    alike = paired_difference(a, b, mix)
    assert alike.better == "" and alike.lower < 0 < alike.upper
    better = paired_difference(a, b * 1.5, mix)
    assert better.better == "a" and better.share_a_better > 0.99 and "A is better" in better.report()
    assert paired_difference(b * 1.5, a, mix).better == "b"


def test_rows_of_one_mix_are_not_independent():
    """Ten copies of every row are no more evidence than one."""
    random = np.random.default_rng(2)
    a, b = random.normal(0, 1.0, 30), random.normal(0, 1.1, 30)
    once = paired_difference(a, b, np.arange(30))
    copies = paired_difference(np.repeat(a, 10), np.repeat(b, 10), np.repeat(np.arange(30), 10))
    assert copies.upper - copies.lower == pytest.approx(once.upper - once.lower, rel=1e-6)


def test_interval_of_the_difference_holds():
    """Coverage of the 90 % interval over repeated synthetic tables (true difference 0)."""
    inside = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        a, b = random.normal(0, 1, (2, 120))
        d = paired_difference(a, b, np.repeat(np.arange(60), 2), n_draws=500, seed=seed)
        inside += d.lower <= 0 <= d.upper
    assert inside >= 48  # binomial(60, 0.9): 48 or more with 99.5 %


def test_difference_refuses_other_tests():
    data = synthetic()
    frame = cross_predict(simple.mean, data, protocol_splits(data, "mix")[0])
    with pytest.raises(ModelError, match="fewer than 5"):
        paired_difference(np.zeros(4), np.ones(4), np.arange(4))
    with pytest.raises(ModelError, match="same rows"):
        paired_difference(frame, frame.iloc[:-1], data.mix)
    with pytest.raises(ModelError, match="Row 1 has another observed value"):
        paired_difference(frame, frame.assign(observed=frame["observed"] + 1), data.mix)


# -- learning curve and tuning
def test_learning_curve_is_nested_and_falls():
    data = synthetic(n_mixes=60, n_sources=1)
    fitted = []

    def model(train, test):
        fitted.append((len(np.unique(train.mix)), frozenset(np.unique(train.mix)), frozenset(np.unique(test.mix))))
        return simple.nearest_mix(train, test)

    curve = learning_curve(model, data, [4, 10, 40], n_folds=3, seed=1)
    assert list(curve.table["size"]) == [4, 10, 40]
    assert [f[0] for f in fitted] == [4] * 3 + [10] * 3 + [40] * 3
    for fold in range(3):
        small, middle, large = fitted[fold], fitted[fold + 3], fitted[fold + 6]
        assert small[1] < middle[1] < large[1] and small[2] == large[2] and not large[1] & large[2]
    assert curve.table["RMSE"].iloc[-1] < curve.table["RMSE"].iloc[0]
    assert "From 10 to 40 mixes" in curve.report()
    assert curve.to_dict()["table"][0]["size"] == 4


def test_learning_curve_by_source_and_impossible_sizes():
    data = synthetic()
    assert list(learning_curve(simple.mean, data, by="source").table["size"])[-1] == 5
    with pytest.raises(ModelError, match="ive sizes of 1 to 32"):
        learning_curve(simple.mean, data, [500])
    with pytest.raises(ModelError, match="Expected 'mix' or 'source'"):
        learning_curve(simple.mean, data, by="row")
    with pytest.raises(ModelError, match="tell two sources apart"):
        learning_curve(simple.mean, synthetic(n_sources=1), by="source")


def test_tuning_score_is_not_flattered_by_choosing():
    """Thirty predictions of pure noise: the best one seems good to the choice, not to the outer folds."""
    random = np.random.default_rng(0)
    data = synthetic(n_mixes=20, ages=(28.0,), n_sources=1)
    spread = float(np.std(data.target))

    def guess(offsets):
        return lambda train, test: train.target.mean() + offsets[test.mix]

    candidates = {f"guess {k}": guess(random.normal(0, spread, 20)) for k in range(30)}
    tuned = tune(candidates, data, 5, n_folds=5)
    assert tuned.inner[tuned.best] < np.mean(list(tuned.inner.values()))
    assert tuned.nested.rmse > tuned.inner[tuned.best]
    assert len(tuned.chosen) == 5 and "Quote this one" in tuned.report()
    assert tuned.to_dict()["nested"]["rmse"] == tuned.nested.rmse


def test_nested_choice_never_sees_the_tested_fold():
    data = synthetic(n_mixes=20)
    seen = []

    def spy(train, test):
        seen.append(set(train.mix) | set(test.mix))
        return simple.mean(train, test)

    choose = nested({"spy": spy}, inner_folds=3)
    train, test = protocol_splits(data, "mix")[0][0]
    out = choose(data.take(train), data.take(test))
    assert set(out["chosen"]) == {"spy"}
    assert all(not s & set(data.mix[test]) for s in seen[:-1]) and len(seen) == 4
    with pytest.raises(ModelError, match="no candidate"):
        nested({})


def test_scores_of_predictions_made_elsewhere():
    data = synthetic()
    splits, _ = protocol_splits(data, "mix")
    frame = cross_predict(simple.ridge_log_age, data, splits)
    scores = assemble([score_predictions(frame, data, "mix", splits=splits)], data)
    assert scores["mix"].to_dict() == validate(simple.ridge_log_age, data)["mix"].to_dict()


def test_folds_that_tear_mixes_are_no_score_for_new_mixes():
    data = synthetic()
    frame = cross_predict(simple.mean, data, protocol_splits(data, "row")[0])
    with pytest.raises(ModelError, match="its mix is also in another fold"):
        score_predictions(frame, data, "mix")
    with pytest.raises(ModelError, match="one a row"):
        score_predictions(frame.iloc[:-1], data, "row")


def test_folds_alone_give_the_splits_of_each_protocol():
    data = synthetic()
    for protocol in ("source", "mix"):
        splits, groups = protocol_splits(data, protocol)
        frame = cross_predict(simple.ridge_log_age, data, splits)
        given = score_predictions(frame, data, protocol, splits=splits, groups=groups)
        alone = score_predictions(frame.drop(columns="observed"), data, protocol)
        assert alone.to_dict() == given.to_dict()


def test_laboratories_that_test_the_same_mixes_cannot_be_scored_as_new():
    data = synthetic(n_mixes=8)
    shared = replace(data, source=np.arange(len(data)) % 3, source_names=("A", "B", "C"))
    scores = validate(simple.mean, shared, protocols=("mix", "source"))
    assert scores.protocols == ("mix",)
    assert any(n.key == "validation.shared_mixes" for n in scores.notices)


def test_notices_fall_back_to_english():
    notice = validate(simple.mean, synthetic(n_mixes=7)).notices[0]
    assert notice.text() == str(notice) and notice.message.key == notice.key
    assert replace(notice, key="validation.nothing_of_the_kind").text("zh") == str(notice)


def test_every_text_can_be_said():
    for key, text in TEXTS.items():
        assert key.startswith("validation.") and text.count("{") == text.count("}")
