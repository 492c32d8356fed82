"""Several properties at once, on synthetic mixes whose errors have a known correlation; public tables where marked."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from wastelab.errors import ModelError, UnitError, UnknownNameError
from wastelab.models.multi import PropertyModels
from wastelab.models.residual_bond import LIMIT, ResidualBond
from wastelab.models.sharing import predicted_name
from wastelab.models.unseen import halves

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "datasets"
OPTIONS = {"learner": "ridge", "protocols": ("mix",)}
CORRELATION = 0.8


def synthetic(n: int = 80, seed: int = 0) -> pd.DataFrame:
    """Synthetic: a law of w/c, errors of 7 and 28 d correlated by 0.8, slump with an error of its own, gaps."""
    rng = np.random.default_rng(seed)
    f = pd.DataFrame({"mix_id": [f"M{i}" for i in range(n)]})
    f["cement_kg_m3"], f["water_kg_m3"] = rng.uniform(250, 450, n), rng.uniform(150, 200, n)
    error = rng.multivariate_normal([0, 0], [[1, CORRELATION], [CORRELATION, 1]], n)
    level = 20 * (f.cement_kg_m3 / f.water_kg_m3 - 0.5)
    f["strength_7d_MPa"] = 10 + 0.7 * level + 1.5 * error[:, 0]
    f["strength_28d_MPa"] = 15 + level + 2.5 * error[:, 1]
    f["slump_mm"] = 1.5 * f.water_kg_m3 - 150 + rng.normal(0, 8, n)
    f.loc[f.index % 4 == 0, "strength_28d_MPa"] = np.nan
    f.loc[f.index % 5 == 0, "slump_mm"] = np.nan
    return f


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return synthetic()


@pytest.fixture(scope="module")
def models(table) -> PropertyModels:
    return PropertyModels(["strength_28d", "strength_7d", "slump"], **OPTIONS).fit(table)


@pytest.fixture(scope="module")
def new() -> pd.DataFrame:
    return synthetic(12, seed=7)


def test_each_property_is_fitted_to_the_rows_that_have_it(models, table):
    for name, column in (
        ("strength_28d", "strength_28d_MPa"),
        ("strength_7d", "strength_7d_MPa"),
        ("slump", "slump_mm"),
    ):
        data = models[name].data_
        assert len(data) == table[column].notna().sum()
        assert np.array_equal(data.target, table[column].dropna())
        others = {"strength_28d_MPa", "strength_7d_MPa", "slump_mm"}
        assert not others & set(data.features.columns)
        assert data.mix_from == "mix_id"
    assert list(models.models_) == ["strength_28d", "strength_7d", "slump"]
    assert models.order_[0] == "strength_7d"
    assert set(models.scores_) == set(models.models_)


def test_mixes_and_sources_are_the_same_for_all(table):
    shuffled = table.assign(study=[f"S{i % 6}" for i in range(len(table))])
    found = PropertyModels(["strength_28d", "slump"], learner="ridge", protocols=("source",), share="never").fit(
        shuffled.rename(columns={"mix_id": "recipe"}), groups="recipe", source="study", drop=["strength_7d_MPa"]
    )
    assert list(found["slump"].data_.features.columns) == ["cement_kg_m3", "water_kg_m3"]
    of = {n: dict(zip(np.asarray(m.data_.mix_names)[m.data_.mix], m.data_.source)) for n, m in found.models_.items()}  # noqa: B905
    names = found["slump"].data_.source_names
    for mix, source in of["slump"].items():
        assert names[source] == f"S{int(mix[1:]) % 6}"
    assert found.bond_.group.max() == 5
    assert "new source" in found.report()


def test_specimens_belong_to_their_property(table):
    more = table.assign(sd_7=1.2, n_7=3.0).drop(columns="strength_28d_MPa")
    found = PropertyModels(["strength_7d", "slump"], **OPTIONS).fit(
        more, sd={"strength_7d": "sd_7"}, n={"strength_7d_MPa": "n_7"}
    )
    assert (found["strength_7d"].data_.y_n == 3).all()
    assert (found["strength_7d"].data_.y_sd == 1.2).all()
    assert np.isnan(found["slump"].data_.y_sd).all()
    assert "sd_7" not in found["slump"].data_.features.columns
    with pytest.raises(UnknownNameError, match="sd: there is no target 'slum'"):
        PropertyModels(["strength_7d", "slump"], **OPTIONS).fit(more, sd={"slum": "sd_7"})


def test_known_correlation_is_found(models):
    b = models.bond_
    at = [b.targets.index(n) for n in ("strength_28d", "strength_7d", "slump")]
    assert b.correlation[at[0], at[1]] == pytest.approx(CORRELATION, abs=0.12)
    assert b.correlation[at[0], at[2]] == 0.0
    assert b.common[at[0], at[1]] == 60
    assert "strength_7d" in b.helps("strength_28d")
    gain = models.gain_.set_index(["target", "known"]).loc[("strength_28d", "strength_7d")]
    assert gain["RMSE_known"] / gain["RMSE"] == pytest.approx(np.sqrt(1 - CORRELATION**2), abs=0.12)
    assert gain["width_known"] < 0.8 * gain["width"]
    assert 0.8 <= gain["coverage_known"] <= 1.0


def test_results_sharpen_new_mixes(models):
    new = synthetic(400, seed=11).dropna()
    before = models.predict(new, 0.9)["strength_28d"]
    after = models.predict(new, 0.9, known={"strength_7d": new["strength_7d_MPa"]})["strength_28d"]
    y = new["strength_28d_MPa"].to_numpy()
    rmse = [float(np.sqrt(np.mean((t["mean"].to_numpy() - y) ** 2))) for t in (before, after)]
    assert rmse[1] < 0.75 * rmse[0]
    covered = np.mean((y >= after["lower"].to_numpy()) & (y <= after["upper"].to_numpy()))
    assert 0.84 <= covered <= 0.97


def test_result_equal_to_its_prediction_changes_no_mean(models, new):
    alone = models.predict(new)
    given = models.predict(new, known={"strength_7d": alone["strength_7d"]})
    pd.testing.assert_frame_equal(alone, given)


def test_monotone_in_the_known_value_and_never_wider(models, new):
    base = models.predict(new, 0.9)["strength_28d"]
    last = None
    for step in np.linspace(-20, 20, 9):
        known = np.maximum(models.predict(new)["strength_7d"] + step, 0)
        out = models.predict(new, 0.9, known={"strength_7d": known})["strength_28d"]
        assert last is None or (out["mean"] >= last - 1e-12).all()
        assert (out["upper"] - out["mean"] <= base["upper"] - base["mean"] + 1e-9).all()
        last = out["mean"]


def test_neither_end_of_a_skew_interval_is_further_than_without_results():
    """Synthetic: two leachates that err by a factor; their intervals are longer above than below."""
    rng = np.random.default_rng(4)
    n = 90
    f = pd.DataFrame({"mix_id": [f"M{i}" for i in range(n)]})
    f["cement_kg_m3"], f["ash_kg_m3"] = rng.uniform(250, 450, n), rng.uniform(0, 200, n)
    shared = rng.normal(0, 0.8, n)
    for name, level in (("leached_lead_mg_L", 0.02), ("leached_zinc_mg_L", 0.5)):
        f[name] = level * np.exp(0.005 * f.ash_kg_m3 + shared + rng.normal(0, 0.4, n))
    models = PropertyModels(["leached_lead", "leached_zinc"], **OPTIONS).fit(f.iloc[:70])
    lead = models["leached_lead"]
    lead.intervals_.fit(lead.builder_.design(lead.data_.features), lead.data_, lead.oof_, scale="log")
    rest = f.iloc[70:].reset_index(drop=True)
    base = models.predict(rest, 0.9)["leached_lead"]
    same = models.predict(rest, 0.9, known={"leached_zinc": models.predict(rest)["leached_zinc"]})["leached_lead"]
    assert np.allclose(same["mean"], base["mean"])
    assert (base["upper"] - base["mean"] > 1.2 * (base["mean"] - base["lower"])).all()
    for ends in (same, models.predict(rest, 0.9, known={"leached_zinc": rest.leached_zinc_mg_L})["leached_lead"]):
        cut = (base["lower"] <= 0) | (ends["lower"] <= 0)
        assert (cut | (ends["mean"] - ends["lower"] <= base["mean"] - base["lower"] + 1e-12)).all()
        assert (ends["upper"] - ends["mean"] <= base["upper"] - base["mean"] + 1e-12).all()


def test_ends_that_were_cut_at_zero_lie_as_far_as_the_others():
    out = pd.DataFrame({"mean": [5.0, 20.0], "lower": [0.0, 12.0], "upper": [14.0, 30.0]})
    mean, below, above = halves(out, bounded=True)
    assert mean.tolist() == [5.0, 20.0] and below.tolist() == [9.0, 8.0] and above.tolist() == [9.0, 10.0]
    assert halves(out, bounded=False)[1].tolist() == [5.0, 8.0]


def test_a_property_is_not_moved_by_itself_nor_by_unrelated_ones(models, new):
    alone = models.predict(new, 0.9)
    out = models.predict(new, 0.9, known={"strength_7d": 30.0})
    pd.testing.assert_frame_equal(out[["strength_7d"]], alone[["strength_7d"]], check_flags=False)
    pd.testing.assert_frame_equal(out[["slump"]], alone[["slump"]], check_flags=False)


def test_conditional_normal_by_hand():
    rng = np.random.default_rng(3)
    covariance = np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.3], [0.5, 0.3, 1.0]])
    z = rng.multivariate_normal(np.zeros(3), covariance, 500)
    b = ResidualBond(("a", "b", "c"), z, np.ones_like(z), np.arange(500), np.arange(500))
    assert np.allclose(b.correlation, covariance, atol=0.08)
    given = np.array([[np.nan, 1.2, -0.4], [np.nan, 0.5, np.nan], [np.nan, np.nan, np.nan]])
    shift, left = b.condition("a", given)
    r = b.correlation
    scaled = given[0, 1:] / b.unit[1:]
    inverse = np.linalg.inv(r[1:, 1:])
    assert shift[0] == pytest.approx(b.unit[0] * r[0, 1:] @ inverse @ scaled)
    assert left[0] == pytest.approx(1 - r[0, 1:] @ inverse @ r[1:, 0])
    assert shift[1] == pytest.approx(b.unit[0] * r[0, 1] * 0.5 / b.unit[1])
    assert left[1] == pytest.approx(1 - r[0, 1] ** 2)
    assert (shift[2], left[2]) == (0.0, 1.0)
    half = b.half_width("a", given, 0.9)
    assert half[0] == pytest.approx(1.645 * b.unit[0] * np.sqrt(left[0]), rel=0.12)  # normal: 90 % in 1.645 sd
    assert np.isinf(half[2])


def test_errors_that_do_not_go_together_tell_nothing():
    rng = np.random.default_rng(5)
    z = rng.normal(size=(40, 2))
    b = ResidualBond(("a", "b"), z, np.ones_like(z), np.arange(40), np.arange(40))
    shift, left = b.condition("a", np.array([[np.nan, 2.0]]))
    assert abs(shift[0]) < 0.25
    assert left[0] > 0.95
    few = ResidualBond(("a", "b"), np.column_stack([z[:9, 0], z[:9, 0]]), np.ones((9, 2)), np.arange(9), np.arange(9))
    assert few.correlation[0, 1] == 0.0
    assert few.condition("a", np.array([[np.nan, 2.0]])) == (0.0, 1.0)


def test_one_source_of_many_mixes_is_one_source():
    """Synthetic: 15 sources of 4 mixes, and the same with a source of 200 more."""
    rng = np.random.default_rng(6)
    shared = rng.normal(size=260)
    z = np.column_stack([shared + 0.4 * rng.normal(size=260) for _ in range(2)])
    source = np.concatenate([np.arange(60) % 15, np.zeros(200, dtype=np.int64)])
    widths = []
    for n in (60, 260):
        bond = ResidualBond(("a", "b"), z[:n], np.ones((n, 2)), np.arange(n), source[:n])
        widths.append(bond.half_width("a", np.array([[np.nan, 0.5]]), 0.9)[0])
    assert np.isfinite(widths).all()
    assert widths[1] == pytest.approx(widths[0], rel=0.4)


def test_properties_tested_on_different_mixes_say_so(table):
    apart = table.copy()
    apart.loc[:39, "slump_mm"] = np.nan
    apart.loc[40:, "strength_7d_MPa"] = np.nan
    found = PropertyModels(["strength_7d", "slump"], **OPTIONS).fit(apart.drop(columns="strength_28d_MPa"))
    assert found.bond_.common[0, 1] == 0
    assert any("tested on only 0 mixes" in str(n) for n in found.notices_)
    assert len(found.gain_) == 0


def test_far_results_are_named_and_limited(models, new):
    out = models.predict(new, known={"strength_7d": 500.0})
    more = models.predict(new, known={"strength_7d": 5000.0})
    pd.testing.assert_frame_equal(out, more)
    assert len(out.attrs["warnings"]) == len(new)
    assert "Check the test" in out.attrs["warnings"][0]
    assert models.predict(new, known={"strength_7d": np.nan}).attrs["warnings"] == []
    shift = (out["strength_28d"] - models.predict(new)["strength_28d"]).to_numpy()
    b = models.bond_
    i, j = b.targets.index("strength_28d"), b.targets.index("strength_7d")
    scale = models["strength_28d"].intervals_.of("mix").scale
    if scale.kind == "constant":
        assert shift == pytest.approx(LIMIT * b.correlation[i, j] * b.unit[i] * scale.own[0], rel=0.05)
    assert (shift > 0).all()


def test_a_mix_of_the_table_is_judged_by_a_model_that_did_not_see_it(models, table):
    row = table.iloc[[4]]  # no 28-d result
    out = models.predict(row, known=True)
    seven = models["strength_7d"]
    unseen = seven.oof_["mean"].iloc[4]
    fitted = float(seven.predict(row)[0])
    assert unseen != fitted
    sign = np.sign(out["strength_28d"].iloc[0] - models.predict(row)["strength_28d"].iloc[0])
    assert sign == np.sign(row["strength_7d_MPa"].iloc[0] - unseen)


def test_looking_at_a_better_tested_property_helps_where_it_is_the_cause(table):
    """Synthetic: flexural strength is a function of a compressive strength that needs many mixes to be learned."""
    rng = np.random.default_rng(4)
    n = 100
    f = pd.DataFrame(rng.uniform(0, 1, (n, 4)), columns=["ash_share", "lime_share", "gypsum_share", "fines_share"])
    law = 30 + 15 * np.sin(5 * f.ash_share) + 12 * np.cos(6 * f.lime_share) + 8 * f.gypsum_share * f.fines_share
    f["compressive_MPa"] = law + rng.normal(0, 0.3, n)
    f["flexural_MPa"] = 0.15 * law + rng.normal(0, 0.1, n)
    f.loc[25:, "flexural_MPa"] = np.nan
    with_others = PropertyModels(["flexural", "compressive"], learner="gaussian_process", protocols=("mix",)).fit(f)
    sharing = with_others.sharing_["flexural"]
    assert sharing.used
    assert sharing.difference.rmse_a < 0.7 * sharing.difference.rmse_b
    assert predicted_name("compressive") in with_others["flexural"].data_.features.columns
    assert "also looks at what is expected of compressive" in with_others.report()
    truth = 0.15 * law.iloc[25:].to_numpy()
    error = np.sqrt(np.mean((with_others.predict(f.iloc[25:])["flexural"].to_numpy() - truth) ** 2))
    assert error < 0.5 * sharing.difference.rmse_b


def test_not_shared_where_it_does_not_help(models):
    assert not any(s.used for s in models.sharing_.values())
    assert any("does not look at other properties" in str(n) for n in models.notices_)


def test_ages_in_a_column():
    """Synthetic: flexural and compressive strength of the same prisms at three ages."""
    rng = np.random.default_rng(8)
    rows = []
    for i in range(30):
        cement, water = rng.uniform(400, 600), 225.0 + rng.uniform(-20, 20)
        for age in (3.0, 7.0, 28.0):
            both = rng.normal()
            level = 25 * (cement / water - 0.8) * (0.4 + 0.18 * np.log(age))
            rows.append(
                (i, cement, water, age, 10 + level + 2 * both, 2 + 0.1 * level + 0.3 * both + 0.1 * rng.normal())
            )
    names = ["mix_id", "cement_kg_m3", "water_kg_m3", "age_d", "compressive_MPa", "flexural_MPa"]
    f = pd.DataFrame(rows, columns=names)
    found = PropertyModels(["compressive", "flexural"], **OPTIONS).fit(f)
    assert found.bond_.correlation[0, 1] > 0.7
    assert any("ages are in one column" in str(n) for n in found.notices_)
    out = found.predict(f.iloc[:3], 0.9, known={"flexural": [9.0, np.nan, np.nan]})["compressive"]
    alone = found.predict(f.iloc[:3], 0.9)["compressive"]
    assert out["mean"].iloc[0] > alone["mean"].iloc[0]
    assert out["mean"].iloc[1:].tolist() == alone["mean"].iloc[1:].tolist()


def test_tables_out(models, new):
    means = models.predict(new)
    assert list(means.columns) == ["strength_28d", "strength_7d", "slump"]
    assert means.attrs["units"] == {"strength_28d": "MPa", "strength_7d": "MPa", "slump": "mm"}
    out = models.predict(new, interval=0.8, known={"strength_7d": 30.0})
    assert list(out["slump"].columns) == ["mean", "lower", "upper", "in_domain", "reasons"]
    assert out.attrs["interval"] == 0.8
    assert out.attrs["known"] == ["strength_7d"]
    assert set(models.card()) == set(models.models_)
    one = models.predict({"cement_kg_m3": 350.0, "water_kg_m3": 175.0}, known={"strength_7d": 30.0})
    assert len(one) == 1
    assert np.allclose(models["slump"].predict(new), means["slump"])


def test_units_of_known_results_are_converted(models, new):
    a = models.predict(new, known={"strength_7d_MPa": 25.0})
    b = models.predict(new, known=pd.DataFrame({"strength_7d_kPa": np.full(len(new), 25000.0)}))
    pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize(
    ("known", "error", "said"),
    [
        ({"strength_14d": 20.0}, UnknownNameError, "none of the properties"),
        ({"strength_7d_mm": 20.0}, UnitError, "not convertible"),
        ({"strength_7d": [1.0, 2.0]}, ModelError, "one for each of 12 rows"),
        ({"strength_7d": np.inf}, ModelError, "infinite"),
        ({"strength_7d": -3.0}, ModelError, "below 0"),
        ({"strength_7d": "high"}, ModelError, "expected numbers"),
        ({"strength_7d": 20.0, "strength_7d_MPa": 20.0}, ModelError, "given twice"),
        ([20.0], ModelError, "expected results by property"),
    ],
)
def test_wrong_known_results_are_refused(models, new, known, error, said):
    with pytest.raises(error, match=said):
        models.predict(new, known=known)


def test_known_columns_must_be_there(models, new):
    with pytest.raises(ModelError, match="no column is named as a target"):
        models.predict(new[["cement_kg_m3", "water_kg_m3"]], known=True)


@pytest.mark.parametrize(
    ("targets", "change", "error", "said"),
    [
        (["strength_28d", "porosity"], {}, UnknownNameError, "no column 'porosity'"),
        (["strength_28d", "slump"], {"slump_mm": np.nan}, ModelError, "no row has a value of 'slump'"),
        (["strength_28d"], {}, ModelError, "at least two"),
        (["strength_28d", "strength_28d_MPa"], {}, ModelError, "two targets are named"),
        (["strength_28d", "slump"], {}, ModelError, "strength_7d_MPa.*cannot be a"),
    ],
)
def test_wrong_tables_are_refused(table, targets, change, error, said):
    with pytest.raises(error, match=said):
        PropertyModels(targets, **OPTIONS).fit(table.assign(**change))


def test_too_few_mixes_of_one_property(table):
    few = table.assign(slump_mm=table["slump_mm"].where(table.index < 5))
    with pytest.raises(ModelError, match="slump was tested of only 4 different mixes"):
        PropertyModels(["strength_28d", "slump"], **OPTIONS).fit(few, drop=["strength_7d_MPa"])


def test_wrong_options(table, models):
    with pytest.raises(ModelError, match="'auto' or 'never'"):
        PropertyModels(["strength_28d", "slump"], share="always").fit(table)
    with pytest.raises(UnknownNameError, match="no target 'slmp'"):
        PropertyModels(["strength_28d", "slump"], unit={"slmp": "mm"}).fit(table)
    with pytest.raises(ModelError, match="not fitted"):
        PropertyModels(["a", "b"]).predict(table)
    with pytest.raises(UnknownNameError, match="no model of 'slmp'"):
        models["slmp"]
    assert clone(models).get_params() == models.get_params()


def test_saved_and_loaded_predict_the_same(models, new, tmp_path):
    path = models.save(tmp_path / "several")
    again = PropertyModels.load(path)
    known = {"strength_7d": new["strength_7d_MPa"]}
    pd.testing.assert_frame_equal(again.predict(new, 0.9, known=known), models.predict(new, 0.9, known=known))
    assert again.report() == models.report()
    assert again.get_params() == {**models.get_params(), "protocols": ["mix"]}
    models.save(path, overwrite=True, with_data=False)
    without = PropertyModels.load(path)
    assert without["slump"].data_ is None
    pd.testing.assert_frame_equal(without.predict(new, 0.9, known=known), models.predict(new, 0.9, known=known))


def test_changed_folders_are_refused(models, tmp_path):
    path = models.save(tmp_path / "several")
    with pytest.raises(ModelError, match="models already"):
        models.save(path)
    with pytest.raises(ModelError, match="expected was abc"):
        PropertyModels.load(path, fingerprint="abc")

    def copy(name: str) -> Path:
        return Path(shutil.copytree(path, tmp_path / name))

    changed = copy("changed")
    text = (changed / "models.json").read_text(encoding="utf-8")
    (changed / "models.json").write_text(text.replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    with pytest.raises(ModelError, match="not as it was saved"):
        PropertyModels.load(changed)
    swapped = copy("swapped")
    shutil.rmtree(swapped / "01")
    shutil.copytree(swapped / "02", swapped / "01")
    with pytest.raises(ModelError, match="fingerprint"):
        PropertyModels.load(swapped)
    more = copy("more")
    (more / "run.py").write_text("", encoding="utf-8")
    with pytest.raises(ModelError, match="does not belong"):
        PropertyModels.load(more)
    with pytest.raises(ModelError, match="other files"):
        models.save(more, overwrite=True)
    with pytest.raises(ModelError, match=r"has no models\.json"):
        PropertyModels.load(tmp_path / "nothing")
    assert sorted(p.name for p in path.iterdir()) == ["01", "02", "03", "models.json", "models.sha256"]
    assert json.loads((path / "models.json").read_text(encoding="utf-8"))["kind"] == "PropertyModels"


def test_published_slump_and_flow_sharpen_each_other():
    path = SHARED / "uci_slump" / "slump.csv"
    if not path.is_file():
        pytest.skip(f"NO PUBLISHED DATA: {path} is not there; set WASTELAB_SHARED")
    table = pd.read_csv(path)
    found = PropertyModels(
        ["slump", "flow"], learner="gaussian_process", protocols=("mix",), share="never", random_state=11
    ).fit(table, drop=["compressive_strength_28d_MPa"])
    gain = found.gain_.set_index("target")
    assert (gain["RMSE_known"] < 0.8 * gain["RMSE"]).all()
    assert (gain["width_known"] < 0.95 * gain["width"]).all()
    assert gain["coverage_known"].between(0.85, 0.96).all()
