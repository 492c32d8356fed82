"""Transfer from a public model: weights beside a slow twin, good and useless public models, refusals, real data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError, UnitError, UnknownNameError
from wastelab.models.course import Course
from wastelab.models.design import Design, Feature
from wastelab.models.gp import GaussianProcess
from wastelab.models.laboratory_model import LaboratoryModel
from wastelab.models.local_effect import EffectModel
from wastelab.models.source_covariance import Components, Coordinates
from wastelab.models.transfer import DRAWS, WAYS, TransferModel, _prior, _simplex, public_columns

FEATURES = (
    Feature("cement", "kg/m3", "input"),
    Feature("water", "kg/m3", "input"),
    Feature("age", "ln d", "age", monotone=1),
    Feature("water/binder", "kg/kg", "derived"),
)


def synthetic(n_mixes: int, seed: int = 0) -> tuple[Design, np.ndarray, np.ndarray, np.ndarray]:
    """Made-up tests at 7 and 28 d of one laboratory, 30 % stronger than a public formula; and that formula."""
    rng = np.random.default_rng(seed)
    cement, water = rng.uniform(220, 480, n_mixes).repeat(2), rng.uniform(150, 200, n_mixes).repeat(2)
    age = np.log(np.tile([7.0, 28.0], n_mixes))
    public = 95 * np.exp(-1.6 * water / cement) * np.exp(0.18 * (age - np.log(28)))
    y = 1.3 * public * np.exp(0.04 * rng.standard_normal(2 * n_mixes))
    values = np.column_stack([cement, water, age, water / cement])
    return Design(np.ascontiguousarray(values), FEATURES), y, public, np.arange(n_mixes).repeat(2)


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.fixture(scope="module")
def small() -> tuple[TransferModel, Design, np.ndarray, np.ndarray, np.ndarray]:
    design, y, public, mix = synthetic(60)
    own = np.flatnonzero(mix < 7)
    model = TransferModel().fit(design.rows(own), y[own], public[own], mix=mix[own])
    return model, design, y, public, mix


def test_synthetic_good_public_model_helps_a_small_laboratory(small):
    model, design, y, public, mix = small
    rest = np.flatnonzero(mix >= 7)
    ways = model.predict_ways(design.rows(rest), public[rest])
    blend = model.predict(design.rows(rest), public[rest])
    np.testing.assert_allclose(blend, ways["blend"], rtol=1e-12)
    assert rmse(blend, y[rest]) < 0.75 * rmse(ways[WAYS[0]].to_numpy(), y[rest])
    assert rmse(blend, y[rest]) < 0.5 * rmse(public[rest], y[rest])
    assert model.weights_[WAYS[1]] > 0.5 and sum(model.weights_.values()) == pytest.approx(1.0)
    assert "draws of mixes" in model.report() and model.n_mixes_ == 7
    assert model.table_.loc["blend", "rmse"] <= model.table_.loc[WAYS[0], "rmse"]


def test_synthetic_useless_public_model_costs_next_to_nothing():
    ratios = []
    for seed in range(2):
        design, y, _, mix = synthetic(45, seed)
        noise = np.random.default_rng(50 + seed).uniform(5, 90, len(y))
        own, rest = np.flatnonzero(mix < 15), np.flatnonzero(mix >= 15)
        model = TransferModel().fit(design.rows(own), y[own], noise[own], mix=mix[own])
        alone = GaussianProcess().fit(design.rows(own), y[own], mix=mix[own]).predict(design.rows(rest))
        ratios.append(rmse(model.predict(design.rows(rest), noise[rest]), y[rest]) / rmse(alone, y[rest]))
        assert model.weights_[WAYS[1]] < 0.2
    assert np.mean(ratios) < 1.1


def test_own_tests_stand_alone_exactly_where_the_blend_is_no_gain():
    design, y, public, mix = synthetic(8)
    model = TransferModel().fit(design, y, public, mix=mix)
    model.oof_ = np.column_stack([y + 0.1, y + 30.0, y - 40.0])
    model._weigh(y, mix)
    assert model.weights_ == {WAYS[0]: 1.0, WAYS[1]: 0.0, WAYS[2]: 0.0}
    assert "does not help" in model.report()


def test_twin_weights_are_those_of_a_slow_search_over_draws_of_mixes(small):
    model, _, y, _, mix = small
    own = mix < 7
    y, mix = y[own], mix[own]
    draws = np.random.default_rng(0).multinomial(7, np.full(7, 1 / 7), DRAWS)
    grid, total = _simplex(3, 10), np.zeros(3)
    squares = np.array([[np.sum((model.oof_[mix == m] @ w - y[mix == m]) ** 2) for w in grid] for m in range(7)])
    for draw in draws:
        total += grid[int(np.argmin(draw @ squares))]
    expected = (total / DRAWS) ** 2
    np.testing.assert_allclose(list(model.weights_.values()), expected / expected.sum(), atol=0.01)


def test_simplex_has_every_weight_once():
    grid = _simplex(3, 10)
    assert len(grid) == 66 and len(np.unique(grid, axis=0)) == 66
    np.testing.assert_allclose(grid.sum(axis=1), 1.0)


def test_what_is_known_of_the_public_model_is_carried_to_the_own_spread_of_columns():
    design, *_ = synthetic(20)
    own = Coordinates.of(design)
    public = Coordinates(own.names, own.mean, 2 * own.sd, own.median, own.age, own.slopes)
    known = Components(0.3, np.array([0.1, 0.2]), 0.4, np.array([1.0, 2.0, 3.0, 4.0]), 0.05, 0.2)
    effect = EffectModel(public, known, "sqrt", 0.7, 10.0, Course(np.zeros(0), np.zeros(0)))
    moved = _prior(own, effect)
    np.testing.assert_allclose(moved.lengths, 2 * known.lengths)
    np.testing.assert_allclose(moved.slopes, known.slopes / 4)
    assert (moved.offset, moved.smooth, moved.mix, moved.noise) == (0.3, 0.4, 0.05, 0.2)
    y, p = np.linspace(20, 60, len(design)), np.full(len(design), 40.0)
    model = TransferModel(effect=effect).fit(design, y, p, mix=np.arange(len(design)))
    assert model.ways_[1].local.model.unit == 0.7


def test_own_table_in_the_columns_of_the_public_model():
    table = pd.DataFrame(
        {"cem_kg_m3": [300.0, 350.0], "sp_g_L": [2.0, 4.0], "sand_kg_m3": [700.0, 650.0], "grit_kg_m3": [100.0, 0.0]}
    )
    out = public_columns(
        table,
        {
            "cement_kg_m3": "cem_kg_m3",
            "superplasticizer_kg_m3": "sp_g_L",
            "fine_kg_m3": ["sand_kg_m3", "grit_kg_m3"],
            "slag_kg_m3": 0,
        },
    )
    np.testing.assert_allclose(out.to_numpy(), [[300, 2, 800, 0], [350, 4, 650, 0]])
    with pytest.raises(UnknownNameError, match="'ash'"):
        public_columns(table, {"fly_ash_kg_m3": "ash"})
    with pytest.raises(UnitError, match="cem_kg_m3"):
        public_columns(table, {"age_d": "cem_kg_m3"})


def test_refusals_name_what_is_wrong():
    design, y, public, mix = synthetic(6)
    with pytest.raises(MissingDataError, match="at least 5"):
        TransferModel().fit(design.rows(np.arange(8)), y[:8], public[:8], mix=mix[:8])
    with pytest.raises(ModelError, match="row 3: the public prediction"):
        TransferModel().fit(design, y, np.where(np.arange(12) == 3, np.nan, public), mix=mix)
    with pytest.raises(ModelError, match="12 results, 11 public predictions"):
        TransferModel().fit(design, y, public[:11], mix=mix)


class Formula:
    """Stands where a public model would: predicts from a table in columns of its own."""

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        ratio = table.water_kg_m3 / table.cement_kg_m3
        return (95 * np.exp(-1.6 * ratio) * np.exp(0.18 * np.log(table.age_d / 28))).to_numpy()


def own_table(n_mixes: int) -> pd.DataFrame:
    design, y, _, mix = synthetic(n_mixes, 4)
    return pd.DataFrame({
        "mix": mix, "cem_t_m3": design.values[:, 0] / 1000, "water_kg_m3": design.values[:, 1],
        "age_d": np.exp(design.values[:, 2]).round(), "strength_MPa": y, "strength_sd": 1.0, "n": 3.0,
    })  # fmt: skip


def test_tables_of_a_laboratory_with_intervals_from_its_own_mixes():
    table = own_table(50)
    table["cem_kg_m3"] = 1000 * table.pop("cem_t_m3")
    few, rest = table[table.mix < 12], table[table.mix >= 12]
    columns = {"cement_kg_m3": "cem_kg_m3", "water_kg_m3": "water_kg_m3", "age_d": "age_d"}
    model = LaboratoryModel(Formula(), columns).fit(few, "strength_MPa", mix="mix", sd="strength_sd", n="n")
    found = model.predict(rest, interval=0.9)
    assert list(found) == ["mean", "lower", "upper", "public", "in_domain", "reasons"] and len(found) == len(rest)
    np.testing.assert_allclose(found["mean"], model.predict(rest))
    np.testing.assert_allclose(found["public"], Formula().predict(rest.rename(columns={"cem_kg_m3": "cement_kg_m3"})))
    inside = (found.lower <= rest.strength_MPa) & (rest.strength_MPa <= found.upper)
    assert inside.mean() > 0.8
    assert rmse(found["mean"].to_numpy(), rest.strength_MPa.to_numpy()) < 4.0
    wide = model.predict(rest, interval=0.99)  # 12 mixes say nothing of one in a hundred: it is assumed, and said
    assert found.attrs["warnings"] == [] and "rests on 12 mixes" in wide.attrs["warnings"][0]
    assert np.isfinite(wide.upper).all() and (wide.upper - wide.lower > 1.1 * (found.upper - found.lower)).all()
    assert "weight" in model.report()


@pytest.fixture(scope="module")
def laboratory() -> tuple[LaboratoryModel, pd.DataFrame]:
    """Made-up: own tests far above the public formula at 3 and 7 d and as it says later, so that the error fades."""
    random = np.random.default_rng(8)
    rows = []
    for mix in range(24):
        cement, water = random.uniform(220, 480), random.uniform(150, 200)
        for age in (3.0, 7.0, 28.0, 90.0):
            strength = Formula().predict(pd.DataFrame({"cement_kg_m3": [cement], "water_kg_m3": water, "age_d": age}))[
                0
            ]
            strength *= (1.9 if age < 10 else 1.0) * np.exp(0.05 * random.standard_normal())
            rows.append((mix, cement, water, age, strength))
    table = pd.DataFrame(rows, columns=["mix", "cement_kg_m3", "water_kg_m3", "age_d", "strength_MPa"])
    return LaboratoryModel(Formula()).fit(table[table.mix < 8], "strength_MPa", mix="mix"), table[table.mix >= 8]


def at_ages(table: pd.DataFrame, ages: np.ndarray) -> pd.DataFrame:
    mixes = table.drop_duplicates("mix").drop(columns=["strength_MPa", "mix"])
    return pd.concat([mixes.assign(age_d=age) for age in ages], ignore_index=True)


def test_blend_never_falls_with_age_and_is_zero_at_zero_age(laboratory):
    model, rest = laboratory
    ages = np.exp(np.linspace(np.log(0.02), np.log(1000.0), 80))
    asked = at_ages(rest, ages)
    found = model.predict(asked).reshape(len(ages), -1)
    assert np.diff(found, axis=0).min() >= -1e-9
    assert np.ptp(found, axis=0).min() > 5.0
    assert found[0].max() < 0.05 * found[-1].max()
    zero = model.predict(at_ages(rest, np.array([0.0])), interval=0.8)
    assert (zero["mean"] == 0.0).all() and not zero.in_domain.any()
    # the same course without the repair falls: what is kept from falling is the blend, not a straight line
    design = model.builder_.design(model.data_.features.iloc[:0].reindex(range(len(asked))).assign(**asked))
    raw = model.transfer_.predict(design, Formula().predict(asked)).reshape(len(ages), -1)
    assert np.diff(raw, axis=0).min() < -0.2


def test_blend_at_tested_ages_is_the_nearest_course_that_does_not_fall(laboratory):
    """Slow twin: isotonic regression of the blend at the knots by scikit-learn."""
    from sklearn.isotonic import IsotonicRegression

    model, rest = laboratory
    transfer = model.transfer_
    mix = rest.iloc[[0]]
    knots = transfer.course_.knots[transfer.course_.knots >= transfer.first_age_ - 1e-9]
    asked = at_ages(mix, np.exp(knots))
    design = model.builder_.design(asked[list(model.data_.features.columns)])
    raw = transfer.predict(design, Formula().predict(asked))
    weights = transfer.course_.weights[transfer.course_.knots >= transfer.first_age_ - 1e-9]
    twin = IsotonicRegression().fit(knots, raw, sample_weight=weights).predict(knots)
    np.testing.assert_allclose(model.predict(asked), twin, rtol=1e-9)


def test_outside_the_own_tests_a_prediction_says_so(laboratory):
    model, rest = laboratory
    one = rest.iloc[[2]]
    inside = model.predict(one, interval=0.8)
    far = model.predict(one.assign(cement_kg_m3=2000.0), interval=0.8)
    assert inside.in_domain.all() and (inside.reasons == "").all()
    assert not far.in_domain.any() and "cement" in far.reasons.iloc[0]
    assert far.attrs["unit"] == "MPa"
    unwidened = model.predict(one.assign(cement_kg_m3=2000.0), interval=0.8, on_outside="ignore")
    assert (far.upper - far["mean"]).iloc[0] > 1.2 * (unwidened.upper - unwidened["mean"]).iloc[0]
    assert model.predict(one.assign(cement_kg_m3=2000.0), interval=0.8, on_outside="refuse")["mean"].isna().all()


@pytest.mark.parametrize("age", [-3.0, np.nan])
def test_ages_that_are_none_are_refused(laboratory, age):
    model, rest = laboratory
    with pytest.raises(ModelError, match="row 2: 'age_d' is"):
        model.predict(rest.iloc[:3].assign(age_d=[3.0, age, 28.0]))


def test_public_model_of_another_unit_is_refused():
    class InPsi(Formula):
        class data_:
            unit, name = "psi", "strength"

    table = own_table(8).rename(columns={"cem_t_m3": "cement_kg_m3"}).drop(columns="strength_sd")
    with pytest.raises(ModelError, match="in psi"):
        LaboratoryModel(InPsi()).fit(table, "strength_MPa", mix="mix")


@pytest.mark.slow
def test_real_mortars_and_concretes_of_another_laboratory_gain_from_a_model_of_public_concretes():
    """Public model: UCI concrete (Yeh 1998); own tests: five mixes of BOxCrete (Baten et al. 2026) at several ages."""
    shared = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).parents[3] / "shared")) / "datasets"
    if not shared.exists():
        pytest.skip(f"{shared} is not here")
    public, own = pd.read_csv(shared / "uci_concrete/concrete.csv"), pd.read_csv(shared / "boxcrete/strength.csv")
    own = own[own.strength_mean_MPa > 0].reset_index(drop=True)
    names = list(public.columns[:8])
    same = {
        "cement_kg_m3": "cement_kg_m3", "blast_furnace_slag_kg_m3": "slag_kg_m3", "fly_ash_kg_m3": "fly_ash_kg_m3",
        "water_kg_m3": "water_kg_m3", "superplasticizer_kg_m3": "hrwr_kg_m3",
        "coarse_aggregate_kg_m3": "coarse_aggregate_kg_m3", "fine_aggregate_kg_m3": "fine_aggregate_kg_m3",
        "age_d": "age_d",
    }  # fmt: skip

    def design(table: pd.DataFrame, *more: str) -> Design:
        q = table[names[:7]].to_numpy(float)
        binder = q[:, :3].sum(axis=1)
        values = np.column_stack([q, np.log(table.age_d), q[:, 3] / binder, binder, *(table[c] for c in more)])
        features = [Feature(n, "kg/m3", "input") for n in names[:7]]
        features += [
            FEATURES[2],
            FEATURES[3],
            Feature("binder", "kg/m3", "derived"),
            *(Feature(c, "", "input") for c in more),
        ]
        return Design(np.ascontiguousarray(values), tuple(features))

    model = GaussianProcess(transform="sqrt")
    model.fit(design(public), public.compressive_strength_MPa.to_numpy(), mix=public.mix_id.to_numpy())
    table = public_columns(own, same)
    p, y, mix = model.predict(design(table)), own.strength_mean_MPa.to_numpy(), own.mix_id.to_numpy()
    table["temperature"], table["concrete"] = own.curing_temperature_degC, own.kind.eq("Concrete").astype(float)
    table["supply"] = own.material_source.astype(float)
    mine = design(table, "temperature", "concrete", "supply")
    alone, blend = [], []
    for seed in range(11, 17):
        order = np.random.default_rng(seed).permutation(np.unique(mix))
        few = np.flatnonzero(np.isin(mix, order[:5]))
        rest = np.setdiff1d(np.arange(len(y)), few)
        transfer = TransferModel().fit(mine.rows(few), y[few], p[few], mix=mix[few])
        ways = transfer.predict_ways(mine.rows(rest), p[rest])
        alone.append(rmse(ways[WAYS[0]].to_numpy(), y[rest]))
        blend.append(rmse(ways["blend"].to_numpy(), y[rest]))
    assert np.mean(blend) < 0.95 * np.mean(alone)
    assert np.max(np.array(blend) / np.array(alone)) < 1.2
