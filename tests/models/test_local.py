"""Local calibration: the posterior against a Gaussian process written out, plans of tests, refusals, real data."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError
from wastelab.models.design import Design, Feature
from wastelab.models.local import LocalEffect, SourceEffect
from wastelab.models.source_covariance import Block, SourceCovariance, blocks_of
from wastelab.models.table import TrainingData, read_table

FEATURES = (
    Feature("cement", "kg/m3", "input"),
    Feature("water", "kg/m3", "input"),
    Feature("age", "ln d", "age", monotone=1),
    Feature("water/binder", "kg/kg", "derived"),
)


def synthetic(
    n_sources: int = 24, n_mixes: int = 6, seed: int = 3, offset: float = 0.25
) -> tuple[Design, TrainingData, np.ndarray]:
    """Made-up strengths of laboratories that differ by a factor and a slope, and predictions that know of neither."""
    rng = np.random.default_rng(seed)
    rows = []
    for source in range(n_sources):
        own, slope = offset * rng.standard_normal(), 0.3 * offset * rng.standard_normal()
        for mix in range(n_mixes):
            cement, water, batch = rng.uniform(200, 500), rng.uniform(140, 200), 0.03 * rng.standard_normal()
            for age in (3.0, 28.0):
                model = 80 * np.exp(-1.4 * (water / cement)) * (age / 28) ** 0.2
                log = np.log(model) + own + slope * (np.log(age) - 2.2) + batch + 0.04 * rng.standard_normal()
                rows.append((source, source * 100 + mix, cement, water, age, model, np.exp(log)))
    table = pd.DataFrame(
        rows, columns=["source", "mix_id", "cement_kg_m3", "water_kg_m3", "age_d", "model", "strength_MPa"]
    )
    data = read_table(table.drop(columns="model"), "strength_MPa", source="source", mix="mix_id")
    values = np.column_stack(
        [table.cement_kg_m3, table.water_kg_m3, np.log(table.age_d), table.water_kg_m3 / table.cement_kg_m3]
    )
    return Design(np.ascontiguousarray(values), FEATURES), data, table.model.to_numpy()


@pytest.fixture(scope="module")
def fitted() -> tuple[SourceEffect, Design, TrainingData, np.ndarray]:
    design, data, model = synthetic()
    return SourceEffect("log").fit(design, data, model), design, data, model


def rows_of(data: TrainingData, source: int) -> np.ndarray:
    assert data.source is not None
    return np.flatnonzero(data.source == source)


def matern(a: np.ndarray, b: np.ndarray, lengths: np.ndarray) -> float:
    r = np.sqrt(3) * np.abs(a - b) / lengths
    return float(np.prod((1 + r) * np.exp(-r)))


def test_twin_posterior_of_the_effect_is_that_of_a_dense_gaussian_process_written_out(fitted):
    effect, design, data, model = fitted
    rows = rows_of(data, 5)
    tests, others = rows[[0, 1, 4]], rows[[5, 6, 9]]  # row 5 is the same mix as row 4 at another age
    local = effect.condition(design.rows(tests), data.target[tests], model[tests])
    mean, sd = local.adjust(design.rows(others), model[others])
    spread = local.spread(design.rows(others), mean)

    m, c = effect.model_, effect.model_.components
    x = m.coordinates(design)
    both = np.concatenate([tests, others])
    shared, total = np.zeros((6, 6)), np.zeros((6, 6))
    for i, a in enumerate(both):
        for j, b in enumerate(both):
            shared[i, j] = c.offset + c.smooth * matern(x[a], x[b], c.lengths)
            shared[i, j] += sum(v * x[a, k] * x[b, k] for k, v in zip(m.coordinates.slopes, c.slopes, strict=True))
            total[i, j] = shared[i, j] + c.mix * (data.mix[a] == data.mix[b])
    kernel = total[:3, :3] + (c.noise + 1e-9) * np.eye(3)
    z = (np.log(data.target[tests]) - np.log(model[tests])) / m.unit
    centre = np.log(model[others]) + m.unit * total[3:, :3] @ np.linalg.solve(kernel, z)
    left = shared[3:, 3:] - shared[3:, :3] @ np.linalg.solve(kernel, shared[:3, 3:])
    new = total[3:, 3:] - total[3:, :3] @ np.linalg.solve(kernel, total[:3, 3:])
    np.testing.assert_allclose(mean, np.exp(centre), rtol=1e-10)
    np.testing.assert_allclose(sd, np.sqrt(np.diag(left)) * m.unit * mean, rtol=1e-8)
    np.testing.assert_allclose(spread, np.sqrt(np.diag(new) + c.noise) * m.unit * mean, rtol=1e-8)


def test_twin_likelihood_is_that_of_scipy_and_its_gradient_that_of_differences():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    blocks = [
        Block(rng.standard_normal((3, n)), rng.standard_normal(n), rng.integers(0, 3, n), np.ones(n)) for n in (5, 1, 8)
    ]
    problem = SourceCovariance(3, (1, 2))
    theta = problem.centre + 0.3 * rng.standard_normal(len(problem.centre))
    value, gradient = problem.value(theta, blocks)
    parts, slow = problem.unpack(theta), 0.5 * np.sum(((theta - problem.centre) / problem.width) ** 2)
    for block in blocks:
        x, n = block.xt.T, len(block.z)
        kernel = np.array([[matern(a, b, parts.lengths) for b in x] for a in x]) * parts.smooth + parts.offset
        kernel += sum(v * np.outer(x[:, k], x[:, k]) for k, v in zip((1, 2), parts.slopes, strict=True))
        kernel += parts.mix * (block.mix[:, None] == block.mix) + (parts.noise + 1e-9) * np.eye(n)
        slow -= multivariate_normal.logpdf(block.z, cov=kernel) + 0.5 * n * np.log(2 * np.pi)
    assert value == pytest.approx(slow, rel=1e-9)
    step = 1e-5
    for i in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[i] += step
        down[i] -= step
        slow = (problem.value(up, blocks)[0] - problem.value(down, blocks)[0]) / (2 * step)
        assert gradient[i] == pytest.approx(slow, rel=1e-4, abs=1e-5), problem.kinds[i]


def test_synthetic_variances_are_found_again(fitted):
    effect, *_ = fitted
    m = effect.model_
    shared = np.sqrt(m.components.offset + m.components.smooth) * m.unit
    assert 0.17 < shared < 0.36  # made with 0.25
    assert 0.02 < np.sqrt(m.components.noise) * m.unit < 0.06  # made with 0.04
    assert m.scale == "log"
    assert sum(effect.shares.values()) == pytest.approx(1.0)


def test_synthetic_scale_on_which_errors_are_alike_is_the_most_likely():
    design, data, model = synthetic(n_sources=16)
    effect = SourceEffect().fit(design, data, model)
    assert effect.model_.scale == "log"
    assert effect.log_density_["log"] > effect.log_density_["identity"]


def test_synthetic_tests_of_a_new_laboratory_bring_predictions_to_its_level():
    design, data, model = synthetic()
    learned = np.flatnonzero(np.asarray(data.source) >= 4)
    effect = SourceEffect("log").fit(design.rows(learned), data.take(learned), model[learned])
    before, after, inside = [], [], []
    for source in range(4):
        rows = rows_of(data, source)
        chosen = rows[effect.first_tests(design.rows(rows), 3, predicted=model[rows]).row]
        rest = np.setdiff1d(rows, chosen)
        local = effect.condition(design.rows(chosen), data.target[chosen], model[chosen])
        mean, _ = local.adjust(design.rows(rest), model[rest])
        before.append(model[rest] - data.target[rest])
        after.append(mean - data.target[rest])
        inside.append(np.abs(after[-1]) < 1.645 * local.spread(design.rows(rest), mean))
    assert np.std(np.concatenate(after)) < 0.5 * np.sqrt(np.mean(np.concatenate(before) ** 2))
    assert np.mean(np.concatenate(inside)) > 0.75


def test_no_test_far_away_changes_a_prediction_less_than_one_near_by_and_uncertainty_only_falls(fitted):
    effect, design, data, model = fitted
    rows = rows_of(data, 7)
    one = effect.condition(design.rows(rows[:1]), data.target[rows[:1]], model[rows[:1]])
    three = effect.condition(design.rows(rows[:3]), data.target[rows[:3]], model[rows[:3]])
    rest = rows[3:]
    sd_one = one.adjust(design.rows(rest), model[rest])[1] / one.adjust(design.rows(rest), model[rest])[0]
    sd_three = three.adjust(design.rows(rest), model[rest])[1] / three.adjust(design.rows(rest), model[rest])[0]
    assert np.all(sd_three <= sd_one + 1e-12)
    assert np.all(three.narrowing(design.rows(rest)) <= one.narrowing(design.rows(rest)) + 1e-12)
    assert np.all(three.narrowing(design.rows(rest)) > 0)


def test_a_mean_of_many_specimens_weighs_more(fitted):
    effect, design, data, model = fitted
    row = rows_of(data, 3)[:1]
    high = 1.5 * model[row]
    plain = effect.condition(design.rows(row), high, model[row]).adjust(design.rows(row), model[row])[0]
    sure = effect.condition(design.rows(row), high, model[row], noise=[1e-6]).adjust(design.rows(row), model[row])[0]
    unsure = effect.condition(design.rows(row), high, model[row], noise=[1e6]).adjust(design.rows(row), model[row])[0]
    unknown = effect.condition(design.rows(row), high, model[row], noise=[np.nan]).adjust(design.rows(row), model[row])[
        0
    ]
    assert unsure < plain < sure <= high
    assert unknown == plain


def test_twin_plan_takes_in_turn_what_lowers_the_mean_variance_most(fitted):
    effect, design, data, model = fitted
    rows = rows_of(data, 9)
    part, p = design.rows(rows), model[rows]
    table = effect.first_tests(part, 3, predicted=p)
    weight = effect.model_.weight(p)
    chosen: list[int] = []
    for _ in range(3):
        value = []
        for j in range(len(rows)):
            at = [*chosen, j]
            local = effect.condition(part.rows(at), p[at], p[at])  # what comes out does not matter for variances
            sd = local.adjust(part, p)[1] / effect.model_.weight(local.adjust(part, p)[0]) * weight
            value.append(np.inf if j in chosen else np.sqrt(np.mean(sd**2)))
        chosen.append(int(np.argmin(value)))
        assert table.attrs["effect_sd"][len(chosen)] == pytest.approx(min(value), rel=1e-6)
    assert table.row.tolist() == chosen
    assert (
        np.all(np.diff(table.sd_after) < 0) and (table.sd_before[1:].to_numpy() == table.sd_after[:-1].to_numpy()).all()
    )


def test_plan_continues_from_what_is_tested_and_ties_go_to_the_first_row(fitted):
    effect, design, data, model = fitted
    rows = rows_of(data, 9)
    part = design.rows(rows)
    all_at_once = effect.first_tests(part, 3, rows=[f"mix {i}" for i in range(len(rows))])
    first = int(all_at_once.row[0])
    then = effect.first_tests(part, 2, tested=part.rows([first]))
    local = effect.condition(part.rows([first]), data.target[rows[[first]]], model[rows[[first]]])
    assert then.row.tolist() == all_at_once.row.tolist()[1:] == local.first_tests(part, 2).row.tolist()
    np.testing.assert_allclose(then.sd_after, all_at_once.sd_after[1:], rtol=1e-9)
    assert all_at_once.name[0] == f"mix {first}" and all(all_at_once.why.str.len() > 0)
    twice = Design(np.vstack([part.values, part.values]), part.features)
    assert effect.first_tests(twice, 1).row[0] < len(rows)


def test_plan_over_thousands_of_candidates_is_that_over_the_few_they_repeat(fitted):
    effect, design, data, _ = fitted
    rows = rows_of(data, 9)
    few = design.rows(rows)
    many = Design(np.tile(few.values, (1000 // 3, 1)), few.features)
    assert len(many) > 3000
    expected, found = effect.first_tests(few, 2), effect.first_tests(many, 2)
    mixes = data.mix[rows]
    assert mixes[found.row % len(rows)].tolist() == mixes[expected.row].tolist()
    np.testing.assert_allclose(found.sd_after, expected.sd_after, rtol=5e-3)


def test_corrected_strength_does_not_fall_with_age():
    design, data, model = synthetic()
    effect = SourceEffect("log").fit(design, data, model)

    def predict(at: Design) -> np.ndarray:
        cement, water, log_age, _ = at.values.T
        return 80 * np.exp(-1.4 * water / cement) * (np.exp(log_age) / 28) ** 0.01

    early = design.rows([0])
    p = predict(early)
    local = effect.condition(early, 1.6 * p, p)  # far above at 3 d: what is left of that at 28 d is less
    ages = np.log([1.0, 3.0, 5.0, 9.0, 28.0, 60.0])
    course = Design(np.repeat(early.values, 6, axis=0), design.features).at_age(ages)
    free, _ = local.adjust(course, predict(course))
    kept, _ = local.adjust(course, predict(course), predict=predict)
    assert np.diff(free).min() < 0
    assert np.diff(kept).min() >= -1e-9
    np.testing.assert_allclose(np.exp(effect.model_.course.knots), [3, 28], rtol=1e-8)


def test_an_odd_local_test_is_named(fitted):
    effect, design, data, model = fitted
    rows = rows_of(data, 2)[:6]
    y = data.target[rows].copy()
    y[3] *= 2.5
    local = effect.condition(design.rows(rows), y, model[rows])
    warnings = local.tests.attrs["warnings"]
    assert any("local test 4" in w for w in warnings) and "Check the entry" in local.report()
    clean = effect.condition(design.rows(rows), data.target[rows], model[rows])
    assert clean.tests.attrs["warnings"] == [] and clean.report().startswith("6 local tests: measured / predicted")


def test_effects_survive_json(fitted):
    effect, design, data, model = fitted
    rows = rows_of(data, 2)
    local = effect.condition(design.rows(rows[:3]), data.target[rows[:3]], model[rows[:3]])
    again = SourceEffect.from_dict(json.loads(json.dumps(effect.to_dict())))
    back = LocalEffect.from_dict(json.loads(json.dumps(local.to_dict())))
    assert again.report() == effect.report()
    for kept in (back, again.condition(design.rows(rows[:3]), data.target[rows[:3]], model[rows[:3]])):
        np.testing.assert_array_equal(kept.adjust(design, model)[0], local.adjust(design, model)[0])


def test_missing_numbers_take_the_median_and_missing_columns_are_named(fitted):
    effect, design, *_ = fitted
    gap = replace(design, values=design.values.copy())
    gap.values[0, 0] = np.nan
    x = effect.model_.coordinates(gap)
    assert x[0, 0] == pytest.approx(
        (np.median(design.values[:, 0]) - design.values[:, 0].mean()) / design.values[:, 0].std()
    )
    with pytest.raises(ModelError, match="lacks the column 'cement'"):
        effect.first_tests(design.take([1, 2, 3]))


def test_what_cannot_be_calibrated_is_refused(fitted):
    effect, design, data, model = fitted
    with pytest.raises(MissingDataError, match="no column names the source"):
        SourceEffect().fit(design, replace(data, source=None), model)
    with pytest.raises(MissingDataError, match="at least two sources"):
        SourceEffect().fit(design, replace(data, source=np.zeros(len(data), dtype=np.int64)), model)
    with pytest.raises(ModelError, match="expected 'auto' or one of"):
        SourceEffect("cube").fit(design, data, model)
    with pytest.raises(ModelError, match="equal the tests exactly"):
        SourceEffect("identity").fit(design, data, data.target)
    one = design.rows([0])
    with pytest.raises(ModelError, match="local test 1: -3 is not above 0"):
        effect.condition(one, [-3.0], [30.0])
    with pytest.raises(ModelError, match="local test 1: the result or its prediction"):
        effect.condition(one, [np.nan], [30.0])
    with pytest.raises(ModelError, match="2 results, 1 predictions, 1 rows"):
        effect.condition(one, [30.0, 31.0], [30.0])
    with pytest.raises(ModelError, match="expected 1 to 1"):
        effect.first_tests(one, 3)


def test_twin_likelihood_with_heaps_that_laboratories_share():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(5)
    source, heap = np.array([0, 0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 1, 1, 2, 5, 5, 6])
    x, z, mix = rng.standard_normal((8, 2)), rng.standard_normal(8), np.array([0, 0, 1, 2, 3, 4, 4, 5])
    blocks = blocks_of(x, z, source, mix, heap=heap, most=80, seed=0)
    assert sorted(len(b.z) for b in blocks) == [1, 2, 5]  # 0 and 1 share heap 1; 2 and 3 stand alone
    problem = SourceCovariance(2, (1,), heap=True)
    theta = problem.centre + 0.3 * rng.standard_normal(len(problem.centre))
    value, gradient = problem.value(theta, blocks)
    parts = problem.unpack(theta)
    own = source[:, None] == source
    kernel = np.array([[matern(a, b, parts.lengths) for b in x] for a in x]) * parts.smooth + parts.offset
    kernel = (kernel + parts.slopes[0] * np.outer(x[:, 1], x[:, 1])) * own + parts.mix * (mix[:, None] == mix)
    kernel += parts.heap * (heap[:, None] == heap) + (parts.noise + 1e-9) * np.eye(8)
    slow = 0.5 * np.sum(((theta - problem.centre) / problem.width) ** 2) - 4 * np.log(2 * np.pi)
    assert value == pytest.approx(slow - multivariate_normal.logpdf(z, cov=kernel), rel=1e-9)
    for i in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        slow = (problem.value(up, blocks)[0] - problem.value(down, blocks)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slow, rel=1e-4, abs=1e-5), problem.kinds[i]


def test_synthetic_heaps_are_told_apart_from_laboratories():
    design, data, model = synthetic(n_sources=30, offset=0.1)
    rng = np.random.default_rng(8)
    heap = rng.integers(0, 40, len(data) // 2).repeat(2)  # both ages of a mix are of one heap; laboratories share heaps
    y = data.target * np.exp(0.3 * rng.standard_normal(40))[heap]
    effect = SourceEffect("log").fit(design, replace(data, target=y), model, heap=heap)
    assert 0.18 < np.sqrt(effect.model_.components.heap) * effect.model_.unit < 0.45  # made with 0.3
    assert "shared by tests of one heap" in effect.report()
    rows = rows_of(data, 0)[:3]
    local = effect.condition(design.rows(rows), 1.5 * model[rows], model[rows], heap=["A", "A", "A"])
    same = local.adjust(design.rows(rows), model[rows], heap=["A", "A", "A"])
    other = local.adjust(design.rows(rows), model[rows], heap=["B", "B", "B"])
    assert np.all(same[0] > other[0]) and np.all(other[0] > model[rows])
    assert np.all(same[1] / same[0] < other[1] / other[0])
    plain = effect.condition(design.rows(rows), 1.5 * model[rows], model[rows]).adjust(design.rows(rows), model[rows])
    np.testing.assert_allclose(plain[0], same[0])
    plan = effect.first_tests(design.rows(rows), 2, heap=["A", "A", "B"])
    assert 2 in plan.row.tolist()  # one of each heap
    again = LocalEffect.from_dict(json.loads(json.dumps(local.to_dict())))
    np.testing.assert_array_equal(again.adjust(design.rows(rows), model[rows], heap=["B"] * 3)[0], other[0])
    with pytest.raises(ModelError, match="1 names of heaps for 3 rows"):
        local.adjust(design.rows(rows), model[rows], heap=["A"])


def test_few_sources_are_said_to_be_few():
    design, data, model = synthetic(n_sources=3)
    assert "Only 3 sources" in SourceEffect("log").fit(design, data, model).report()


@pytest.mark.slow
def test_real_recycled_aggregate_concrete_three_local_tests_buy_back_most_of_a_new_laboratory():
    """Predictions by a plain power law fitted without the source; folds by source (see docs/property_local.md)."""
    path = (
        Path(os.environ.get("WASTELAB_SHARED", Path(__file__).parents[3] / "shared"))
        / "datasets/rac_multinational/concrete.csv"
    )
    if not path.exists():
        pytest.skip(f"{path} is not here: it may not be redistributed")
    table = pd.read_csv(path)
    table["source"] = table.reference + table.year.astype(str)
    names = [c for c in table.columns if c.endswith("kg_m3")]
    data = read_table(
        table, "strength_cyl100x200_MPa", features=[*names, "age_d"], source="source", mix="mix_id", age="age_d"
    )
    q = table[names]
    binder = q.cement_kg_m3 + q.fly_ash_kg_m3 + q.silica_fume_kg_m3 + q.slag_kg_m3
    ratio = (q.effective_water_kg_m3 / binder).to_numpy()
    age = np.log(table.age_d.to_numpy(float))
    values = np.column_stack([q.to_numpy(float), age, ratio])
    features = (*(Feature(n, "kg/m3", "input") for n in names), FEATURES[2], FEATURES[3])
    design = Design(np.ascontiguousarray(values), features)
    rca = q.recycled_coarse_aggregate_kg_m3 / (q.recycled_coarse_aggregate_kg_m3 + q.natural_coarse_aggregate_kg_m3)
    terms = np.column_stack([np.ones(len(q)), np.log(ratio), age, np.exp(-age / 2), rca, q.fly_ash_kg_m3 / binder])
    from wastelab.models.folds import group_folds

    y, p = data.target, np.empty(len(data))
    splits = group_folds(data.source, 10, 11)
    for train, test in splits:
        p[test] = np.exp(terms[test] @ np.linalg.lstsq(terms[train], np.log(y[train]), rcond=None)[0])
    before, after, within = [], [], []
    for train, test in splits[:4]:
        effect = SourceEffect("sqrt").fit(design.rows(train), data.take(train), p[train])
        for source in np.unique(data.source[test]):
            rows = np.flatnonzero(data.source == source)
            if len(rows) < 12:
                continue
            chosen = rows[effect.first_tests(design.rows(rows), 3, predicted=p[rows]).row]
            rest = np.setdiff1d(rows, chosen)
            local = effect.condition(design.rows(chosen), y[chosen], p[chosen])
            mean, _ = local.adjust(design.rows(rest), p[rest])
            before.append(p[rest] - y[rest])
            after.append(mean - y[rest])
            within.append(np.abs(mean - y[rest]) < 1.645 * local.spread(design.rows(rest), mean))
    zero, three = (float(np.sqrt(np.mean(np.concatenate(e) ** 2))) for e in (before, after))
    assert zero > 9 and three < 7.0
    assert 0.84 < np.mean(np.concatenate(within)) < 0.96
