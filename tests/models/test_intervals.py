"""Intervals: the conformal step against the definition and crepes, coverage of new groups, honesty with few of them."""

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError
from wastelab.models.conformal import (
    GroupConformal,
    group_multiplier,
    student_multiplier,
)
from wastelab.models.coverage import coverage_table, interval_score
from wastelab.models.design import Design, Feature
from wastelab.models.folds import group_folds, row_folds
from wastelab.models.interval_scale import ResidualScale
from wastelab.models.intervals import ConformalIntervals

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "datasets"
FEATURES = (Feature("x", "", "input"), Feature("z", "", "input"), Feature("ln age", "ln d", "age"))


def synthetic(seed, n_mixes=90, within=0.7):
    """Synthetic: mixes at one to six ages, errors shared within a mix, wider where x is large and at early ages."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, n_mixes)
    mix = np.repeat(np.arange(n_mixes), sizes)
    of_mix = rng.uniform(0, 1, (n_mixes, 2))
    age = rng.choice([1.0, 3.0, 7.0, 28.0, 56.0, 90.0], len(mix))
    sd = (0.5 + 5 * of_mix[mix, 0] ** 2) * np.where(age <= 3, 1.6, 1.0)
    shared, own = rng.standard_normal(n_mixes)[mix], rng.standard_normal(len(mix))
    centre = 20 + 30 * of_mix[mix, 1]
    design = Design(np.column_stack([of_mix[mix], np.log(age)]), FEATURES)
    return design, centre, centre + sd * (math.sqrt(within) * shared + math.sqrt(1 - within) * own), mix, sd, age


def table(y, mix, source=None):
    return SimpleNamespace(target=y, mix=mix, source=source)


def fitted(seed=0, n_mixes=90, **options):
    design, centre, y, mix, sd, _ = synthetic(seed, n_mixes)
    rng = np.random.default_rng(seed + 1000)
    given = {"mean": centre, "spread": sd * rng.uniform(0.7, 1.4, len(y)), "disagreement": np.full(len(y), 0.5)}
    return ConformalIntervals(n_trees=30, n_folds=4, **options).fit(design, table(y, mix), given), design, given


# -- the conformal step, by its definition
def rank_from_below(scores, level):
    """The usual conformal quantile of rows that are groups of their own."""
    rank = math.ceil(level * (len(scores) + 1) - 1e-9)
    return math.inf if rank > len(scores) else sorted(scores)[rank - 1]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_rows_of_their_own_give_the_intervals_of_crepes(level):
    from crepes import ConformalRegressor

    rng = np.random.default_rng(3)
    residual, sigma, new = rng.standard_normal(119), rng.uniform(0.5, 2, 119), rng.uniform(0.5, 2, 7)
    centre = np.linspace(10, 40, 7)
    theirs = ConformalRegressor().fit(residual, sigmas=sigma).predict_int(
        centre, sigmas=new, confidence=level - 1e-12
    )  # fmt: skip
    half = group_multiplier(np.abs(residual) / sigma, np.arange(119), level) * new
    np.testing.assert_allclose(np.column_stack([centre - half, centre + half]), theirs, rtol=1e-12)


def test_quantile_by_hand():
    scores = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 1])
    groups = np.arange(9)
    assert group_multiplier(scores, groups, 0.9) == 9.0  # ceil(0.9 * 10) = 9th from below
    assert group_multiplier(scores, groups, 0.8) == 8.0
    assert group_multiplier(scores, groups, 0.5) == 5.0
    assert group_multiplier(scores[:8], groups[:8], 0.9) == math.inf
    assert group_multiplier(scores, [0, 1, 2, 3, 4, 5, 6, 7, 7], 0.9) == math.inf
    assert group_multiplier(scores[:0], groups[:0], 0.5) == math.inf


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_equal_groups_give_the_quantile_of_hierarchical_conformal_prediction(level):
    # every score weighs 1 / (K + 1) / size, infinity the last 1 / (K + 1): Lee, Barber, Willett, arXiv:2306.06342
    rng = np.random.default_rng(0)
    groups, size = 13, 4
    scores = rng.exponential(size=groups * size)
    weight = 1.0 / (groups + 1) / size
    reached, expected = 0.0, math.inf
    for value in sorted(scores):
        reached += weight
        if reached >= level - 1e-9:
            expected = value
            break
    assert group_multiplier(scores, np.repeat(np.arange(groups), size), level) == expected


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_groups_count_alike_whatever_their_sizes(level):
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), np.r_[60, np.full(9, 1), rng.integers(2, 9, 20)])
    scores = rng.exponential(size=len(groups))
    reached, expected = 0.0, math.inf
    for value, of in sorted(zip(scores, groups, strict=True)):
        reached += 1.0 / 31 / np.sum(groups == of)
        if reached >= level:
            expected = value
            break
    assert group_multiplier(scores, groups, level) == expected
    assert group_multiplier(scores, np.arange(len(scores)), level) == rank_from_below(scores, level)


def test_nine_groups_allow_ninety_percent_and_one_control_mix_takes_nothing_away():
    groups = np.repeat(np.arange(9), np.r_[100, np.full(8, 1)])
    scores = np.r_[np.full(100, 0.5), np.arange(1.0, 9.0)]
    assert group_multiplier(scores, groups, 0.9) == 8.0
    assert group_multiplier(scores, groups, 0.8) == 7.0
    assert group_multiplier(scores[:-1], groups[:-1], 0.9) == math.inf


def test_normal_errors_of_few_groups_by_hand():
    from scipy.stats import t

    scores, groups = np.array([1.0, 3.0, -2.0, -2.0, 0.5]), np.array([0, 0, 1, 1, 2])
    between = math.sqrt((4 + 4 + 0.25) / 3 * (1 + 1 / 3))
    total = math.sqrt((5 + 4 + 0.25) / 3 * (1 + 1 / 3))
    assert student_multiplier(scores, groups, 0.9, between=True) == pytest.approx(t.ppf(0.95, 2) * between)
    assert student_multiplier(scores, groups, 0.9) == pytest.approx(t.ppf(0.95, 2) * total)
    assert student_multiplier(scores[:2], groups[:2], 0.9) == math.inf


# -- coverage of groups that were not seen
def test_synthetic_new_mixes_are_covered_in_every_part():
    held = {0.5: [], 0.8: [], 0.9: []}
    parts = []
    for seed in range(10):
        intervals, *_ = fitted(seed, n_mixes=120)
        design, centre, y, _, sd, age = synthetic(seed + 500, 150)
        spread = sd * np.random.default_rng(seed).uniform(0.7, 1.4, len(y))
        for level, found in held.items():
            lower, upper = intervals.interval(design, centre, spread, np.full(len(y), 0.5), level)
            found.append(np.mean((y >= lower) & (y <= upper)))
            if level == 0.9:
                third = np.digitize(sd, np.quantile(sd, [1 / 3, 2 / 3]))
                ok = (y >= lower) & (y <= upper)
                parts.append([*(ok[third == k].mean() for k in range(3)), ok[age <= 3].mean(), ok[age > 28].mean()])
    for level, found in held.items():
        assert level - 0.02 <= np.mean(found) <= level + 0.045, level
    assert np.min(np.mean(parts, axis=0)) >= 0.86


def test_calibrated_by_row_misses_new_mixes_and_by_mix_holds():
    from sklearn.neighbors import KNeighborsRegressor

    def nearest(x, y, at):
        return KNeighborsRegressor(2).fit(x[:, :2], y).predict(at[:, :2])

    by_row, by_mix = [], []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        n = 120
        mix = np.repeat(np.arange(n), 4)
        of_mix, effect = rng.uniform(0, 1, (n, 2)), 4 * rng.standard_normal(n)
        values = np.column_stack([of_mix[mix], np.tile(np.log([3.0, 7, 28, 90]), n)])
        y = 10 + 20 * of_mix[mix, 0] + effect[mix] + 0.5 * rng.standard_normal(len(mix))
        train, test = mix < 80, mix >= 80
        design = Design(values, FEATURES)

        def predicted(folds, groups, values=values, y=y, train=train, test=test, design=design):
            seen, centre = np.flatnonzero(train), np.empty(int(train.sum()))
            for a, b in folds:
                centre[b] = nearest(values[seen[a]], y[seen[a]], values[seen[b]])
            final = nearest(values[seen], y[seen], values[test])
            held = GroupConformal(n_trees=30, n_folds=4).fit(design.rows(train), centre, y[train], groups)
            return np.mean(np.abs(y[test] - final) <= held.half_width(design.rows(test), final))

        by_row.append(predicted(row_folds(320, 5), np.arange(320)))
        by_mix.append(predicted(group_folds(mix[train], 5), mix[train]))
    assert np.mean(by_row) < 0.6
    assert np.mean(by_mix) >= 0.86


def test_a_learned_scale_is_sharper_than_a_constant_one():
    intervals, *_ = fitted(2, n_mixes=150)
    scale = intervals.of("mix").scale
    assert scale.kind in ("spread", "learned")
    assert scale.tried["learned"] < 0.85 * scale.tried["constant"]
    report = intervals.coverage_report("mix", 0.9)
    assert 0.85 <= report.loc["all", "coverage"] <= 0.97
    assert set(report.index) == {"all", "weak", "middle", "strong", "age <= 3 d", "age 3-28 d", "age > 28 d"}
    assert report.loc["all", "rows"] == len(intervals.of("mix").centre)


def test_scale_of_a_mix_does_not_know_its_own_error():
    design, centre, y, mix, *_ = synthetic(5)
    error = np.abs(y - centre)
    none = np.full(len(y), np.nan)
    held = ResidualScale(n_trees=10, n_folds=4).fit(design, centre, error, mix, none, none)
    odd = error.copy()
    odd[mix == 3] *= 50
    moved = ResidualScale(n_trees=10, n_folds=4).fit(design, centre, odd, mix, none, none)
    assert held.tried.keys() == {"constant", "property", "learned"}
    assert held.kind == moved.kind == "learned"
    np.testing.assert_array_equal(moved.own[mix == 3], held.own[mix == 3])
    assert not np.array_equal(moved.own, held.own)
    np.testing.assert_array_equal(moved.fold, held.fold)
    for k in np.unique(held.fold):
        assert not set(mix[held.fold == k]) & set(mix[held.fold != k])


def lognormal(seed, n):
    """Synthetic: a leached concentration [mg/L], four tests a mix, errors in proportion and shared by a mix."""
    rng = np.random.default_rng(seed)
    x, effect = rng.uniform(0, 1, (n, 2)), 0.6 * rng.standard_normal(n)
    mix = np.repeat(np.arange(n), 4)
    centre = np.exp(1 + 2 * x[mix, 0])
    design = Design(np.column_stack([x[mix], np.full(len(mix), np.log(28.0))]), FEATURES)
    return design, centre, centre * np.exp(effect[mix] + 0.5 * rng.standard_normal(len(mix))), mix


def test_errors_by_a_share_of_the_property_get_limits_that_hold_on_both_sides():
    above = {"auto": [], "identity": []}
    below = {"auto": [], "identity": []}
    taken = {"auto": [], "identity": []}
    for seed in range(8):
        design, centre, y, mix = lognormal(seed, 60)
        new, middle, truth, _ = lognormal(seed + 100, 200)
        for scale in above:
            held = ConformalIntervals(n_trees=20, n_folds=4, non_negative=True).fit(
                design, table(y, mix), {"mean": centre}, scale=scale
            )
            lower, upper = held.interval(new, middle, level=0.9)
            above[scale].append(np.mean(truth > upper))
            below[scale].append(np.mean(truth < lower))
            taken[scale].append(held.warp.name)
    assert set(taken["identity"]) == {"identity"} and taken["auto"].count("log") >= 6
    assert np.mean(above["identity"]) > 0.07 and np.mean(below["identity"]) < 0.02
    assert 0.025 <= np.mean(above["auto"]) <= 0.065 and 0.025 <= np.mean(below["auto"]) <= 0.065


def test_other_scales_keep_order_and_ends_and_are_only_taken_where_the_results_allow_it():
    design, centre, y, mix = lognormal(3, 60)
    for scale in ("sqrt", "log"):
        held = ConformalIntervals(n_trees=10, n_folds=3, non_negative=True).fit(
            design, table(y, mix), {"mean": centre, "spread": 0.7 * centre}, scale=scale
        )
        asked = np.where(np.arange(len(y)) % 7 == 0, 0.0, centre)
        last = None
        for level in (0.5, 0.9, 0.97):
            lower, upper = held.interval(design, asked, 0.7 * centre, None, level, stretch=1.3)
            assert np.all(lower <= asked) and np.all(upper > asked) and np.all(lower >= 0)
            if last is not None:
                assert np.all(lower <= last[0]) and np.all(upper >= last[1])
            last = lower, upper
        again = ConformalIntervals.from_arrays(held.to_arrays())
        np.testing.assert_array_equal(again.interval(design, asked, 0.7 * centre)[1],
                                      held.interval(design, asked, 0.7 * centre)[1])  # fmt: skip
    symmetric, *_ = fitted(0, non_negative=True)
    assert symmetric.warp.name == "identity"
    with pytest.raises(ModelError, match="the least result is 0"):
        ConformalIntervals().fit(design, table(np.where(mix == 0, 0.0, y), mix), {"mean": centre}, scale="log")
    with pytest.raises(ModelError, match="expected 'auto', 'identity', 'sqrt' or 'log'"):
        ConformalIntervals().fit(design, table(y, mix), {"mean": centre}, scale="cube")


# -- nested, bounded, by source
def test_levels_are_nested_and_end_at_zero():
    intervals, design, given = fitted(1, non_negative=True)
    centre = given["mean"] * 0.05
    last = None
    for level in (0.5, 0.8, 0.9, 0.95):
        lower, upper = intervals.interval(design, centre, given["spread"], given["disagreement"], level)
        assert np.all(lower >= 0) and np.any(lower == 0) and np.all(upper >= centre)
        if last is not None:
            assert np.all(lower <= last[0]) and np.all(upper >= last[1])
        last = lower, upper
    free, *_ = fitted(1)
    assert np.any(free.interval(design, centre, given["spread"], given["disagreement"], 0.95)[0] < 0)


def test_a_new_source_is_never_surer_than_a_known_one():
    design, centre, y, mix, sd, _ = synthetic(4, 200)
    source = mix % 25
    offset = 4 * np.random.default_rng(0).standard_normal(25)[source]
    given = {"mean": centre, "spread": sd}
    far = {"mean": centre - offset, "spread": sd}
    held = ConformalIntervals(n_trees=20, n_folds=4).fit(design, table(y, mix, source), given, far)
    kind = np.where(np.arange(len(y)) % 2 == 0, "source", "mix")
    lower, upper = held.interval(design, centre, sd, None, 0.8, kind=kind)
    known = held.interval(design, centre, sd, None, 0.8)
    new = held.interval(design, centre, sd, None, 0.8, kind="source")
    np.testing.assert_array_equal(lower, np.where(kind == "source", new[0], known[0]))
    np.testing.assert_array_equal(upper, np.where(kind == "source", new[1], known[1]))
    assert np.all(new[1] >= known[1])
    assert np.median(new[1] - new[0]) > 1.2 * np.median(known[1] - known[0])
    assert held.of("source").n_groups < 26
    with pytest.raises(MissingDataError, match="at least two sources"):
        fitted(1)[0].interval(design, centre, sd, np.full(len(y), 0.5), kind="source")


@pytest.mark.slow
def test_real_new_sources_are_covered_only_when_calibrated_on_sources():
    # recycled-aggregate concrete of 88 references, each left out with its fold
    path = SHARED / "rac_multinational" / "concrete.csv"
    if not path.exists():
        pytest.skip(f"NO RECYCLED-AGGREGATE DATA: {path} is not there; set WASTELAB_SHARED")
    from sklearn.ensemble import ExtraTreesRegressor

    frame = pd.read_csv(path)
    names = [c for c in frame.columns if c.endswith("_kg_m3")]
    values = np.column_stack([frame[names], np.log(frame["age_d"])])
    design = Design(values, tuple([Feature(n, "kg/m3", "input") for n in names] + [Feature("ln age", "", "age")]))
    y = frame["strength_cyl100x200_MPa"].to_numpy(np.float64)
    source = pd.factorize(frame["reference"].astype(str) + frame["year"].astype(str))[0]
    mix = pd.factorize(frame["mix_id"])[0]

    def predicted(train, test):
        return ExtraTreesRegressor(30, min_samples_leaf=2, random_state=0).fit(values[train], y[train]).predict(
            values[test]
        )  # fmt: skip

    held = {"mix": [], "source": []}
    for train, test in group_folds(source, 4, 11):
        given = {}
        for kind, groups in (("mix", mix), ("source", source)):
            centre = np.empty(len(train))
            for a, b in group_folds(groups[train], 4):
                centre[b] = predicted(train[a], train[b])
            given[kind] = {"mean": centre}
        intervals = ConformalIntervals(n_trees=40, n_folds=5, non_negative=True).fit(
            design.rows(train), table(y[train], mix[train], source[train]), given["mix"], given["source"]
        )
        for kind, found in held.items():
            lower, upper = intervals.interval(design.rows(test), predicted(train, test), level=0.9, kind=kind)
            found.append((y[test] >= lower) & (y[test] <= upper))
    assert np.concatenate(held["mix"]).mean() < 0.75
    assert np.concatenate(held["source"]).mean() >= 0.87


def test_stretch_multiplies_the_width():
    intervals, design, given = fitted(1)
    args = (design, given["mean"], given["spread"], given["disagreement"], 0.8)
    lower, upper = intervals.interval(*args)
    wide = intervals.interval(*args, stretch=2.0)
    np.testing.assert_allclose(wide[1] - wide[0], 2 * (upper - lower), rtol=1e-12)
    for bad in ({"stretch": 0.9}, {"narrowing": 0.0}, {"narrowing": 1.1}, {"stretch": np.nan}):
        with pytest.raises(ModelError, match=next(iter(bad))):
            intervals.interval(*args, **bad)


def test_own_tests_narrow_a_new_source_down_to_a_known_one():
    design, centre, y, mix, sd, _ = synthetic(4, 200)
    source = mix % 25
    offset = 4 * np.random.default_rng(0).standard_normal(25)[source]
    held = ConformalIntervals(n_trees=20, n_folds=4).fit(
        design, table(y, mix, source), {"mean": centre, "spread": sd}, {"mean": centre - offset, "spread": sd}
    )

    def half(**how):
        lower, upper = held.interval(design, centre, sd, None, 0.8, **how)
        return (upper - lower) / 2

    known, new = half(), half(kind="source")
    np.testing.assert_allclose(half(kind="source", narrowing=0.7), np.maximum(0.7 * new, known), rtol=1e-9)
    np.testing.assert_allclose(half(kind="source", narrowing=1e-6), known, rtol=1e-9)
    np.testing.assert_allclose(half(narrowing=0.5), known, rtol=1e-12)


# -- few data
def test_few_mixes_widen_to_infinity_or_refuse_and_say_what_to_test():
    rng = np.random.default_rng(0)
    design = Design(np.column_stack([rng.uniform(size=(8, 2)), np.full(8, np.log(28))]), FEATURES)
    y, mix = rng.normal(30, 3, 8), np.arange(8)
    given = {"mean": np.full(8, 30.0)}
    held = ConformalIntervals(non_negative=True, few_groups="widen").fit(design, table(y, mix), given)
    assert held.of("mix").scale.kind == "constant"
    lower, upper = held.interval(design, given["mean"], level=0.9)
    assert np.all(lower == 0) and np.all(np.isinf(upper))
    assert held.widest_level() == pytest.approx(8 / 9)
    lower, upper = held.interval(design, given["mean"], level=0.8)
    half = np.sort(np.abs(y - 30))[::-1][0]  # ceil(0.8 * 9) = 8th of 8
    np.testing.assert_allclose(upper - 30.0, half, rtol=1e-12)
    assert held.to_dict()["mix"]["coverage_90"] is None
    strict = ConformalIntervals(few_groups="refuse").fit(design, table(y, mix), given)
    with pytest.raises(MissingDataError, match=r"at least 9 mixes; there are 8 .* at most 88 %"):
        strict.interval(design, given["mean"], level=0.9)


def of_sources(seed, n_sources, between=4.0):
    """Synthetic: mixes of sources that differ by a normal distribution; predictions by mix know the source."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(n_sources), 20)
    mix = np.arange(len(source))
    offset, own = between * rng.standard_normal(n_sources)[source], 2 * rng.standard_normal(len(mix))
    centre = rng.uniform(20, 50, len(mix))
    design = Design(np.column_stack([centre, rng.uniform(size=len(mix)), np.full(len(mix), np.log(28.0))]), FEATURES)
    return design, centre, offset, centre + offset + own, mix, source


def test_few_sources_get_a_finite_interval_from_a_stated_assumption():
    held_by, width = {3: [], 6: []}, {3: [], 6: []}
    for n_sources, found in held_by.items():
        for seed in range(60):
            design, centre, offset, y, mix, source = of_sources(seed, n_sources)
            held = ConformalIntervals(n_trees=5, n_folds=3).fit(
                design, table(y, mix, source), {"mean": centre + offset}, {"mean": centre}
            )
            new, middle, _, truth, *_ = of_sources(seed + 1000, 5)
            lower, upper = held.interval(new, middle, kind="source")
            known = held.interval(new, middle)
            assert np.all(np.isfinite(upper)) and np.all(upper >= known[1]) and np.all(lower <= known[0])
            found.append(np.mean((truth >= lower) & (truth <= upper)))
            width[n_sources].append(np.mean(upper - lower))
        assert np.mean(found) >= 0.88, n_sources
    assert np.mean(width[6]) < np.mean(width[3])
    last = None
    for level in (0.5, 0.6, 0.8, 0.86, 0.9, 0.99):
        lower, upper = held.interval(new, middle, level=level, kind="source")
        if last is not None:
            assert np.all(lower <= last[0]) and np.all(upper >= last[1])
        last = lower, upper
    said = held.notices(0.9)
    assert [n.key for n in said] == ["intervals.few_sources"]
    assert "rests on 6 sources; 9 are needed" in str(said[0]) and "assumes" in str(said[0])
    assert held.notices(0.8) == ()
    assert held.to_dict()["source"]["notices"][0]["key"] == "intervals.few_sources"
    assert held.to_dict()["mix"]["notices"] == []
    again = ConformalIntervals.from_arrays(held.to_arrays())
    np.testing.assert_array_equal(again.interval(new, middle, kind="source"), held.interval(new, middle, kind="source"))
    narrow = held.interval(new, middle, kind="source", narrowing=0.5)
    assert np.all(narrow[1] - narrow[0] < last[1] - last[0])


def test_one_source_with_most_rows_takes_nothing_away():
    sizes = np.r_[100, np.full(11, 5)]
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(12), sizes)
    mix, centre = np.arange(len(source)), rng.uniform(20, 50, len(source))
    y = centre + 4 * rng.standard_normal(12)[source] + rng.standard_normal(len(source))
    design = Design(np.column_stack([centre, centre, np.full(len(source), np.log(28.0))]), FEATURES)
    held = ConformalIntervals(n_trees=5, n_folds=3, few_groups="refuse").fit(
        design, table(y, mix, source), {"mean": centre}, {"mean": centre}
    )
    assert held.of("source").n_groups == 12
    assert np.all(np.isfinite(held.interval(design, centre, kind="source")[1]))
    assert held.notices(0.9) == ()


def test_few_mixes_get_a_finite_interval_by_default():
    rng = np.random.default_rng(0)
    held_by = []
    for _ in range(200):
        centre, error = rng.uniform(20, 40, 6), 3 * rng.standard_normal(7)
        design = Design(np.column_stack([centre, centre, np.full(6, np.log(28))]), FEATURES)
        held = ConformalIntervals().fit(design, table(centre + error[:6], np.arange(6)), {"mean": centre})
        lower, upper = held.interval(design, centre)
        held_by.append(abs(error[6]) <= (upper - lower)[0] / 2)
        assert [n.key for n in held.notices()] == ["intervals.few_mixes"]
    assert 0.87 <= np.mean(held_by) <= 0.99


def test_little_data_get_a_simple_scale():
    for n_mixes, kinds in ((9, {"constant"}), (20, {"constant", "property", "spread"})):
        intervals, *_ = fitted(0, n_mixes=n_mixes)
        scale = intervals.of("mix").scale
        assert set(scale.tried) == kinds, len(scale.own)
        assert intervals.of("mix").edges == ()


def test_perfect_predictions_and_one_repeated_error():
    design, centre, *_, mix, _, _ = synthetic(0, 60)
    exact = ConformalIntervals(n_trees=10, n_folds=3).fit(design, table(centre, mix), {"mean": centre})
    lower, upper = exact.interval(design, centre)
    np.testing.assert_allclose(upper - lower, 0, atol=1e-9)


def test_rows_without_a_prediction_are_left_out():
    design, centre, y, mix, sd, _ = synthetic(0, 60)
    gone = centre.copy()
    gone[mix == 5] = np.nan
    held = ConformalIntervals(n_trees=10, n_folds=3).fit(design, table(y, mix), {"mean": gone, "spread": sd})
    lower, upper = held.cross_interval("mix", 0.8)
    np.testing.assert_array_equal(np.isnan(lower), mix == 5)
    np.testing.assert_array_equal(np.isnan(upper), mix == 5)
    assert len(held.rows("mix")) == np.sum(mix != 5)


def test_missing_features_are_allowed():
    design, centre, y, mix, sd, _ = synthetic(6, 80)
    values = design.values.copy()
    values[::3, 0] = np.nan
    values[::5, 2] = np.nan
    gaps = Design(values, FEATURES)
    held = ConformalIntervals(n_trees=20, n_folds=4).fit(gaps, table(y, mix), {"mean": centre, "spread": sd})
    lower, upper = held.interval(gaps, centre, sd)
    assert np.all(np.isfinite(lower)) and np.all(upper > lower)


# -- stored
def test_stored_intervals_are_equal_and_need_no_scikit_learn(tmp_path):
    intervals, design, given = fitted(7, non_negative=True)
    arrays = intervals.to_arrays()
    assert all(isinstance(v, np.ndarray | str) for v in arrays.values())
    np.savez(tmp_path / "a.npz", **arrays)
    rows = np.column_stack([given["mean"], given["spread"], given["disagreement"]])
    np.savez(tmp_path / "rows.npz", values=design.values, rows=rows)
    code = f"""
import sys
import numpy as np
from wastelab.models.design import Design, Feature
from wastelab.models.intervals import ConformalIntervals
with np.load(r"{tmp_path / "a.npz"}") as file:
    held = ConformalIntervals.from_arrays(dict(file))
with np.load(r"{tmp_path / "rows.npz"}") as file:
    values, rows = file["values"], file["rows"]
names = (("x", "input"), ("z", "input"), ("ln age", "age"))
design = Design(values, tuple(Feature(n, "", k) for n, k in names))
np.save(r"{tmp_path / "out.npy"}", np.stack(held.interval(design, *rows.T, level=0.9)))
assert not {{"sklearn", "crepes", "pandas"}} & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = np.stack(intervals.interval(design, *rows.T, level=0.9))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    again = ConformalIntervals.from_arrays(arrays)
    pd.testing.assert_frame_equal(again.coverage_report(), intervals.coverage_report())
    assert again.to_dict() == intervals.to_dict()
    for name in ("mix.scores_0", "mix.rows", "meta"):
        with pytest.raises(ModelError, match="damaged"):
            ConformalIntervals.from_arrays({k: v for k, v in arrays.items() if k != name})


# -- tables
def test_coverage_table_and_interval_score_by_hand():
    y, lower, upper = np.array([1.0, 5, 9]), np.array([0.0, 6, 5]), np.array([2.0, 8, 7])
    np.testing.assert_allclose(interval_score(y, lower, upper, 0.9), [2, 2 + 20 * 1, 2 + 20 * 2])
    found = coverage_table(y, lower, upper, level=0.9, centre=[1, 7, 6], age=[3, 28, 29])
    assert found.loc["all", "coverage"] == pytest.approx(1 / 3)
    assert found.loc["weak", "coverage"] == 1.0 and found.loc["strong", "interval_score"] == pytest.approx(22)
    assert found.loc["age 3-28 d", "rows"] == 1 and found.loc["age > 28 d", "interval_score"] == pytest.approx(42)
    with pytest.raises(ModelError, match="nothing to compare"):
        coverage_table([np.nan], [0], [1], level=0.9, centre=[0])


# -- bad input
def test_bad_input_is_refused():
    intervals, design, given = fitted(0)
    centre, spread, among = given["mean"], given["spread"], given["disagreement"]
    for level in (0, 1, 1.2, -0.1, "0.9", True, float("nan")):
        with pytest.raises(ModelError, match=r"level = .*between 0 and 1"):
            intervals.interval(design, centre, spread, among, level)
    with pytest.raises(ModelError, match="centre has shape"):
        intervals.interval(design, centre[:-1], spread, among)
    with pytest.raises(ModelError, match="row 2: nan is not a finite number"):
        intervals.interval(design, np.where(np.arange(len(centre)) == 2, np.nan, centre), spread, among)
    with pytest.raises(ModelError, match="not a standard deviation"):
        intervals.interval(design, centre, -spread, among)
    with pytest.raises(ModelError, match="states no spread"):
        intervals.interval(design, centre, None, among)
    with pytest.raises(ModelError, match="expected 'mix' or 'source'"):
        intervals.interval(design, centre, spread, among, kind="row")
    with pytest.raises(ModelError, match="few_groups"):
        ConformalIntervals(few_groups="guess")
    mix = np.zeros(len(design), dtype=int)
    with pytest.raises(ModelError, match="at least 2 groups"):
        ConformalIntervals().fit(design, table(centre, mix), given)
    with pytest.raises(ModelError, match="have no 'mean'"):
        ConformalIntervals().fit(design, table(centre, mix), {"spread": spread})
    with pytest.raises(ModelError, match="names no sources"):
        ConformalIntervals(n_trees=5, n_folds=2).fit(design, table(centre, np.arange(len(mix))), given, given)
    with pytest.raises(ModelError, match="'mean' has shape"):
        ConformalIntervals().fit(design, table(centre, mix), {"mean": centre[1:]})
