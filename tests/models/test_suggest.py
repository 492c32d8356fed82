"""Suggestions: strategies, few and no tests, exhaustion, limits, odd candidates (synthetic numbers throughout)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from wastelab.errors import MissingDataError, ModelError, UnknownNameError
from wastelab.models.acquisition import expected_improvement
from wastelab.models.belief import Rescaled
from wastelab.models.few_tests import FewTests
from wastelab.models.suggest import suggest


def pool(n: int = 80, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"slag": rng.uniform(0, 200, n), "water": rng.uniform(140, 200, n)})
    table["cost"] = 60.0 + 0.2 * table["slag"]
    return table.set_index(pd.Index([f"M{i}" for i in range(n)]))


def strength(table: pd.DataFrame) -> np.ndarray:
    return (60.0 - 0.25 * (table.water - 140.0) + 10.0 * np.sin(table.slag / 60.0)).to_numpy()


TABLE = pool()
TESTED = TABLE.iloc[:6]
Y = strength(TESTED)
MODEL = FewTests().fit(TESTED, Y, pool=TABLE)


class Given:
    """A belief written down in the table: columns mean and sd, independent."""

    inverse = None

    def __init__(self, column: str = "mean") -> None:
        self.column = column

    def __call__(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return table[self.column].to_numpy(dtype=float), np.diag(table["sd"].to_numpy(dtype=float) ** 2)


def given(means: list[float], sds: list[float], **columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(len(means), dtype=float), "mean": means, "sd": sds, **columns})


def told(best: float) -> tuple[pd.DataFrame, list[float]]:
    """Three tests, of which the best is this."""
    tested = given([best, best - 5, best - 6], [1e-6] * 3).assign(x=[-1.0, -2.0, -3.0])
    return tested, [best, best - 5, best - 6]


def test_improve_takes_the_largest_expected_improvement_and_says_why() -> None:
    out = suggest(TABLE, MODEL, 1, tested=TESTED, measured=Y)
    rest = TABLE.iloc[6:]
    mean, cov = MODEL(rest)
    ei = expected_improvement(mean, np.sqrt(np.diag(cov)), Y.max())
    assert out.candidate[0] == rest.index[int(np.argmax(ei))]
    assert out.gain[0] == pytest.approx(ei.max())
    assert out.lower[0] < out["mean"][0] < out.upper[0]
    assert f"{100 * out.chance[0]:.0f} % chance to beat the best so far ({Y.max():.4g})" in out.why[0]
    assert out.attrs["rows"] == [TABLE.index.get_loc(out.candidate[0])]
    assert out.attrs["best"] == pytest.approx(Y.max())


def test_a_batch_is_spread_where_single_gains_are_not() -> None:
    twins = pd.concat([TABLE, TABLE.iloc[6:].assign(water=lambda t: t.water + 1e-3).rename(index=lambda i: f"{i}b")])
    out = suggest(twins, MODEL, 4, tested=TESTED, measured=Y)
    stems = [str(c).removesuffix("b") for c in out.candidate]
    assert len(set(stems)) == 4
    assert (np.diff(out.gain) <= 1e-9).all()


@pytest.mark.parametrize("batch", ["joint", "believer", "diverse"])
def test_every_way_to_choose_a_batch_is_deterministic_and_starts_with_the_best_single(batch: str) -> None:
    first = suggest(TABLE, MODEL, 4, tested=TESTED, measured=Y, batch=batch)
    again = suggest(TABLE, MODEL, 4, tested=TESTED, measured=Y, batch=batch)
    pd.testing.assert_frame_equal(first, again)
    assert first.candidate.is_unique and len(first) == 4


def test_min_is_max_of_the_negative() -> None:
    table = given([30.0, 20.0, 25.0], [1.0, 1.0, 6.0])
    tested, y = told(22.0)
    low = suggest(table, Given(), 3, objective="min", tested=tested.assign(mean=-1.0 * tested["mean"]), measured=y)
    turned = suggest(
        table.assign(mean=-table["mean"]), Given(), 3, tested=tested, measured=[-v for v in y], objective="max"
    )
    assert low.candidate.tolist() == turned.candidate.tolist()


def test_a_window_prefers_what_lies_inside() -> None:
    table = given([30.0, 42.0, 60.0], [1.0, 1.0, 1.0])
    tested, y = told(55.0)
    out = suggest(table, Given(), 2, objective=(40.0, 45.0), tested=tested, measured=y)
    assert out.candidate[0] == 1 and out.gain[0] == pytest.approx(4.0, abs=0.1)  # from 49 to 45 is 4 away
    assert "chance to lie within 40 to 45" in out.why[0]


def test_a_window_that_a_test_met_already_ranks_by_the_chance_to_meet_it_too() -> None:
    table = given([43.0, 42.0, 60.0], [1.0, 3.0, 2.0])
    tested = given([42.5], [0.5]).assign(x=[-1.0])
    out = suggest(table, Given(), 2, objective=(40.0, 45.0), tested=tested, measured=[42.5], min_tests=1)
    assert out.candidate.tolist() == [0, 1] and (out.gain == 0.0).all()
    inside = [ndtr(2.0) - ndtr(-3.0), ndtr(1.0) - ndtr(-2 / 3)]
    assert out.chance.tolist() == pytest.approx(inside, abs=1e-6)
    assert all(f"{100 * p:.0f} % chance to lie within 40 to 45" in w for p, w in zip(inside, out.why, strict=True))
    assert "a test so far is within the window already" in out.attrs["notes"][-1]


def test_a_lucky_result_is_not_taken_at_its_word_if_asked() -> None:
    table = given([50.0, 45.0], [3.0, 3.0])
    tested = given([48.0, 40.0, 39.0], [0.5, 0.5, 0.5]).assign(x=[-1.0, -2.0, -3.0])
    lucky = [58.0, 40.0, 39.0]
    measured = suggest(table, Given(), 1, tested=tested, measured=lucky)
    believed = suggest(table, Given(), 1, tested=tested, measured=lucky, compare="believed")
    assert measured.attrs["best"] == 58.0 and believed.attrs["best"] == pytest.approx(48.0, abs=0.1)
    assert believed.chance[0] > 0.6 > 0.01 > measured.chance[0]


def test_posterior_on_another_scale_is_shown_as_the_property() -> None:
    model = FewTests("log").fit(TESTED, Y, pool=TABLE)
    out = suggest(TABLE, model, 3, tested=TESTED, measured=Y)
    mean, cov = model(TABLE.loc[out.candidate])
    sd = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(out["mean"], np.exp(mean + sd**2 / 2), rtol=2e-3)
    np.testing.assert_allclose(out.upper, np.exp(mean + 1.6448536 * sd), rtol=1e-6)


def test_the_cheapest_mix_that_is_strong_enough() -> None:
    table = given([50.0, 50.0, 30.0], [1.0, 1.0, 1.0], cost=[90.0, 70.0, 40.0])
    tested, y = told(50.0)
    tested["cost"] = [80.0, 60.0, 60.0]
    out = suggest(table, Given(), 3, objective="min", of="cost", limit=(45.5, None), tested=tested, measured=y)
    assert out.candidate[0] == 1 and out.gain[0] == pytest.approx(10.0, rel=1e-3)
    assert out.feasible.tolist() == pytest.approx([1.0, 1.0, 0.0], abs=1e-4) or out.feasible[0] > 0.99
    assert "at cost 70" in out.why[0]


def test_nothing_tested_keeps_the_limit_yet() -> None:
    table = given([50.0, 20.0], [1.0, 1.0], cost=[90.0, 40.0])
    tested, y = told(30.0)
    out = suggest(
        table, Given(), 1, objective="min", of="cost", limit=(45.0, None), tested=tested.assign(cost=50.0), measured=y
    )
    assert out.candidate[0] == 0 and out.chance[0] == pytest.approx(1.0)


def test_limits_on_known_columns_leave_out_and_on_other_properties_weigh() -> None:
    table = given([60.0, 58.0, 55.0], [2.0, 2.0, 2.0], cost=[90.0, 70.0, np.nan], flow=[700.0, 500.0, 700.0])
    tested, y = told(50.0)
    out = suggest(table, Given(), 3, tested=tested, measured=y, constraints={"cost": (None, 80.0)})
    assert out.candidate.tolist() == [1]
    assert any(
        "2 candidates are beyond the limits of cost (1 of them because it is not known)" in n
        for n in out.attrs["notes"]
    )
    weighed = suggest(
        table,
        Given(),
        2,
        tested=tested,
        measured=y,
        constraints={"flow": (650.0, None)},
        others={"flow": Given("flow")},
    )
    assert set(weighed.candidate) == {0, 2} and (weighed.feasible > 0.999).all()


def test_gain_per_cost_of_the_test() -> None:
    table = given([60.0, 59.0], [1.0, 1.0], effort=[10.0, 1.0])
    tested, y = told(50.0)
    assert suggest(table, Given(), 1, tested=tested, measured=y).candidate[0] == 0
    out = suggest(table, Given(), 1, tested=tested, measured=y, cost="effort")
    assert out.candidate[0] == 1 and "per unit of effort" in out.attrs["gain"]


def test_learn_goes_where_least_is_known() -> None:
    out = suggest(TABLE, MODEL, 3, strategy="learn", tested=TESTED, measured=Y, noise_variance=MODEL.noise_variance)
    assert 0 < out.gain.sum() < 1 and (np.diff(out.gain) < 0).all()
    assert out.chance.isna().all()
    after = FewTests().fit(
        pd.concat([TESTED, TABLE.loc[out.candidate]]), np.append(Y, strength(TABLE.loc[out.candidate]))
    )
    assert np.trace(after(TABLE)[1]) < np.trace(MODEL(TABLE)[1])


def test_front_with_known_cost_is_the_exact_growth_of_the_hypervolume() -> None:
    table = given([55.0, 70.0, 40.0], [1e-9] * 3, cost=[60.0, 95.0, 90.0])
    tested, y = told(60.0)
    tested["cost"] = [80.0, 60.0, 100.0]
    out = suggest(table, Given(), 3, strategy="front", front={"cost": "min"}, tested=tested, measured=y)
    # the box: strength 40-70, cost 60-100, with 5 % on either side; front so far (60, 80) and (55, 60).
    # row 1 (70, 95) adds (70 - 60) / 30 x (100 + 2 - 95) / 40, row 0 repeats (55, 60), row 2 is beaten
    assert out.candidate[0] == 1
    assert out.gain[0] == pytest.approx(10 / 30 * 7 / 40, rel=1e-6)
    assert out.gain[1:].tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert "at cost 95" in out.why[0] and out.chance[0] == 1.0


def test_front_of_three_and_of_another_model() -> None:
    rng = np.random.default_rng(0)
    table = TABLE.assign(co2=rng.uniform(50, 100, 80), flow=strength(TABLE) * 10, sd=5.0)
    out = suggest(
        table,
        FewTests().fit(table.iloc[:6], Y, pool=table),
        3,
        strategy="front",
        front={"cost": "min", "co2": "min", "flow": "max"},
        others={"flow": Given("flow")},
        tested=table.iloc[:6],
        measured=Y,
    )
    assert out.candidate.is_unique and (out.gain > 0).all()


@pytest.mark.parametrize("known", [0, 1, 2])
def test_too_few_results_cover_the_candidates_and_say_so(known: int) -> None:
    tested = TABLE.iloc[:known]
    out = suggest(TABLE, MODEL, 4, tested=tested, measured=strength(tested))
    assert out.attrs["strategy"] == "fill"
    assert f"{known} results are too few" in out.attrs["notes"][-1]
    assert out["mean"].isna().all() and not set(out.candidate) & set(tested.index)


def test_without_a_model_the_middle_first() -> None:
    grid = pd.DataFrame([(a, b) for a in range(5) for b in range(5)], columns=["a", "b"])
    out = suggest(grid, None, 5)
    assert out.candidate.tolist()[0] == 12 and out.why[0] == "nearest to the middle of the candidates"
    assert "there is no model yet" in out.attrs["notes"][0]


def test_a_loop_to_the_end_finds_the_best_and_then_has_nothing_left() -> None:
    table = pool(25, seed=3)
    y = strength(table)
    done = [int(i) for i in np.random.default_rng(0).choice(25, 5, replace=False)]
    found_at = 0
    while len(done) < 25:
        model = FewTests().fit(table.iloc[done], y[done], pool=table)
        rows = suggest(table, model, 4, tested=table.iloc[done], measured=y[done]).attrs["rows"]
        assert not set(rows) & set(done)
        done += rows
        found_at = found_at or (len(done) if y[done].max() == y.max() else 0)
    assert found_at <= 13
    assert sorted(done) == list(range(25))
    with pytest.raises(ModelError, match="no candidate is left to suggest out of 25: 25 candidates were tested before"):
        suggest(table, model, 1, tested=table.iloc[done], measured=y[done])


def test_more_than_there_are_and_duplicates() -> None:
    table = pd.concat([TABLE.iloc[6:9], TABLE.iloc[6:9].rename(index=lambda i: f"{i}copy")])
    out = suggest(table, MODEL, 10, tested=TESTED, measured=Y)
    assert sorted(out.candidate) == ["M6", "M7", "M8"]
    assert any("3 candidates repeat an earlier one" in n for n in out.attrs["notes"])
    assert any("10 tests were asked for, 3 candidates are left" in n for n in out.attrs["notes"])


def test_a_running_test_is_not_suggested_again() -> None:
    best = suggest(TABLE, MODEL, 1, tested=TESTED, measured=Y).candidate[0]
    tested = pd.concat([TESTED, TABLE.loc[[best]]])
    out = suggest(TABLE, MODEL, 3, tested=tested, measured=np.append(Y, np.nan))
    assert best not in set(out.candidate) and out.attrs["strategy"] == "improve"


def test_rounding_in_a_file_does_not_make_a_new_mix() -> None:
    out = suggest(TABLE.iloc[:8], MODEL, 8, tested=TESTED * (1 + 1e-13), measured=Y)
    assert sorted(out.candidate) == ["M6", "M7"]


def test_outside_the_domain_is_said_or_left_out() -> None:
    nowhere = np.zeros(80, dtype=bool)
    out = suggest(TABLE, MODEL, 2, tested=TESTED, measured=Y, in_domain=nowhere)
    assert not out.in_domain.any() and out.why.str.endswith("outside the domain of the model").all()
    assert any("all candidates are outside" in n for n in out.attrs["notes"])
    with pytest.raises(ModelError, match="74 candidates are outside the domain"):
        suggest(TABLE, MODEL, 2, tested=TESTED, measured=Y, in_domain=nowhere, outside="refuse")
    some = np.arange(80) >= 70
    refused = suggest(TABLE, MODEL, 2, tested=TESTED, measured=Y, in_domain=some, outside="refuse")
    assert all(r >= 70 for r in refused.attrs["rows"])


def test_texts_and_gaps_among_candidates() -> None:
    table = TABLE.assign(kiln=np.where(np.arange(80) % 2, "rotary", "shaft"))
    table.loc["M20", "slag"] = np.nan
    model = FewTests().fit(table.iloc[:6], Y, pool=table)
    assert len(suggest(table, model, 80, tested=table.iloc[:6], measured=Y)) == 74
    assert len(suggest(table, None, 80)) == 80
    with pytest.raises(MissingDataError, match="no prediction for mix 1; its mean is missing"):
        suggest(given([1.0, np.nan], [1.0, 1.0]), Given(), 1, tested=told(1.0)[0], measured=told(1.0)[1])


def test_nothing_can_improve_still_gives_the_nearest_in_order() -> None:
    table = given([10.0, 20.0, 15.0], [0.1, 0.1, 0.1])
    tested, y = told(100.0)
    out = suggest(table, Given(), 2, tested=tested, measured=y)
    assert out.candidate.tolist() == [1, 2] and (out.gain == 0).all()
    assert any("no candidate is expected to improve" in n for n in out.attrs["notes"])


@pytest.mark.slow
def test_a_hundred_thousand_candidates() -> None:
    rng = np.random.default_rng(1)
    many = pd.DataFrame({"slag": rng.uniform(0, 200, 100_000), "water": rng.uniform(140, 200, 100_000)})
    few = TESTED[["slag", "water"]]
    model = FewTests().fit(few, Y, pool=many)
    out = suggest(many, model, 5, tested=few, measured=Y)
    ei = expected_improvement(*_marginals(model, many.iloc[:20_000]), Y.max())
    assert out.candidate.is_unique and len(out) == 5
    assert out.gain[0] >= ei.max()
    assert (out.upper > Y.max()).all()


def test_at_an_age_compares_with_tests_of_that_age_only() -> None:
    line = pd.DataFrame({"water": np.linspace(140, 200, 7)})
    tested = pd.concat([line.iloc[:4].assign(age_d=28.0), line.iloc[:5].assign(age_d=90.0)], ignore_index=True)
    y = np.array([40.0, 45.0, 44.0, 39.0, 60.0, 61.0, 59.0, 55.0, 50.0])
    model = FewTests().fit(tested, y, pool=pd.concat([line.assign(age_d=a) for a in (28.0, 90.0)]))
    out = suggest(line, model, 7, at={"age_d": 28}, tested=tested, measured=y)
    assert out.attrs["best"] == 45.0 and sorted(out.candidate) == [4, 5, 6]
    assert "5 of 9 tests were not made at age_d = 28" in out.attrs["notes"][0]
    with pytest.raises(UnknownNameError, match="Did you mean 'age_d'"):
        suggest(line, model, 1, at={"age": 28}, tested=tested, measured=y)


def test_rescaled_keeps_correlations_and_takes_centre_and_spread_of_another() -> None:
    belief = Rescaled(MODEL, lambda t: t["slag"].to_numpy(), lambda t: np.full(len(t), 2.0))
    mean, cov = belief(TABLE)
    _, own = MODEL(TABLE)
    np.testing.assert_array_equal(mean, TABLE["slag"])
    np.testing.assert_allclose(np.sqrt(np.diag(cov)), 2.0)
    sd = np.sqrt(np.diag(own))
    np.testing.assert_allclose(cov / 4.0, own / np.outer(sd, sd), atol=1e-12)


def _marginals(model: FewTests, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    parts = [model(table.iloc[lo : lo + 500]) for lo in range(0, len(table), 500)]
    return np.concatenate([m for m, _ in parts]), np.concatenate([np.sqrt(np.diag(c)) for _, c in parts])


def test_tests_with_more_columns_than_candidates_and_the_other_way() -> None:
    tested = TESTED.assign(operator="Li Wei")
    assert len(suggest(TABLE, MODEL, 2, tested=tested, measured=Y)) == 2
    with pytest.raises(ModelError, match="tested lacks columns of the candidates: cost"):
        suggest(TABLE, MODEL, 1, tested=TESTED[["slag", "water"]], measured=Y, columns=["slag", "cost"])


BAD = [
    ({"n": 0}, "whole number of tests"),
    ({"n": True}, "whole number of tests"),
    ({"strategy": "imrove"}, "Did you mean 'improve'"),
    ({"objective": "high"}, "'max', 'min' or a window"),
    ({"objective": (5.0, 1.0)}, "lower <= upper"),
    ({"interval": 90}, "between 0 and 1"),
    ({"measured": None}, "belong together"),
    ({"measured": Y[:3]}, "one result for each of 6 tests"),
    ({"measured": [*Y[:5], np.inf]}, "infinite result"),
    ({"constraints": {"costs": (None, 80.0)}}, "Did you mean 'cost'"),
    ({"constraints": {"cost": (90.0, 80.0)}}, "is above upper"),
    ({"constraints": {"cost": (900.0, None)}}, "beyond the limits of cost"),
    ({"strategy": "front"}, "needs front="),
    ({"strategy": "front", "front": {"cost": "down"}}, "'max' or 'min'"),
    ({"strategy": "front", "front": {"cost": "min"}, "objective": (1.0, 2.0)}, "not a window"),
    ({"of": "cost"}, "belong together"),
    ({"limit": (40.0, None)}, "belong together"),
    ({"cost": "slag", "candidates": TABLE.assign(slag=0.0)}, "above 0 for every candidate"),
    ({"in_domain": [True]}, "one truth value for each of 80"),
    ({"candidates": TABLE.iloc[:0]}, "at least one row"),
    ({"candidates": TABLE.assign(water=np.inf)}, "column 'water': infinite"),
    ({"posterior": lambda t: (np.zeros(2), np.eye(2))}, "shape"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[m for _, m in BAD])
def test_what_cannot_be_asked(change: dict[str, object], message: str) -> None:
    asked: dict[str, object] = {
        "candidates": TABLE,
        "posterior": MODEL,
        "n": 2,
        "tested": TESTED,
        "measured": Y,
        **change,
    }
    with pytest.raises((ModelError, UnknownNameError), match=message):
        suggest(**asked)  # type: ignore[arg-type]
