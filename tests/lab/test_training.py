"""Training tables: every feature by hand, a slow twin of the rows, nothing that leaks."""

from __future__ import annotations

import json
import math
from typing import Any

import builders as b
import numpy as np
import pandas as pd
import pytest

from wastelab import __version__
from wastelab.errors import LabError, UnitError, UnknownNameError
from wastelab.instruments import Reading, Value
from wastelab.lab import mix_features as mf
from wastelab.lab.lab import Lab
from wastelab.lab.training import GROUP_COLUMNS, nominal_age, table_hash
from wastelab.reference import material

ASH = {"SiO2": 52.0, "Al2O3": 28.0, "Fe2O3": 6.0, "CaO": 4.0, "LOI": 3.0}


@pytest.fixture
def filled(lab: Lab) -> Lab:
    """Two heaps, red mud, fly ash, one mix with an activator and six strengths (synthetic)."""
    lab.add("source", code="赤泥堆场", kind="heap", waste_class="red_mud")
    lab.add("source", code="FA-SILO", kind="silo", waste_class="fly_ash")
    b.sample(lab, "RM", source="赤泥堆场", values=b.RED_MUD)
    b.sample(lab, "RM-G", parent="RM", values=b.RED_MUD | {"SiO2": 20.0})
    b.sample(lab, "FA", "fly_ash", source="FA-SILO", values=ASH)
    for code, numbers in (("RM-G", (3.2, 450.0)), ("FA", (2.4, 350.0))):
        b.measure(lab, code, "density", {"density": numbers[0]})
        b.measure(lab, code, "Blaine", {"blaine": numbers[1]})
    b.mix(lab, "M-1", {"RM-G": 0.4, "FA": 0.6}, water_binder=0.45, more=[
        {"material": "raw/naoh", "fraction": 0.1, "role": "activator"},
        {"material": "raw/quartz-sand", "fraction": 1.5, "role": "aggregate"},
    ])  # fmt: skip
    b.strengths(lab, "M-1", [20.0, 22.0, 27.0], method="GB/T 17671")
    b.strengths(lab, "M-1", [10.0], age=7.0, first=4, method="GB/T 17671")
    return lab


def one(frame: pd.DataFrame) -> dict[str, Any]:
    assert len(frame) == 1
    return dict(frame.iloc[0])


def test_one_row_by_hand(filled: Lab) -> None:
    frame = filled.training_table("compressive_strength", age="28 d")
    row = one(frame)
    assert (row["mix"], row["age_days"], row["technique"], row["method"]) == ("M-1", 28.0, "strength", "GB/T 17671")
    assert row["compressive_strength"] == pytest.approx(23.0)
    assert row["y_sd"] == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert row["y_n"] == 3
    assert row["fraction_red_mud"] == pytest.approx(0.4) and row["fraction_fly_ash"] == pytest.approx(0.6)
    assert sum(row[f"fraction_{k}"] for k in ("coal_gangue", "fgd_gypsum", "smelting_slag", "tailings", "raw")) == 0
    assert (row["amount_activator"], row["amount_aggregate"], row["amount_fuel"]) == (0.1, 1.5, 0.0)
    assert row["water_binder"] == 0.45
    assert row["binder_SiO2"] == pytest.approx(0.4 * 20.0 + 0.6 * 52.0)  # of the ground portion, not of its parent
    assert row["binder_LOI"] == pytest.approx(0.4 * 12.4 + 0.6 * 3.0)
    assert np.isnan(row["binder_TiO2"])  # not measured on the ash
    assert row["composition_known"] == pytest.approx(1.0)
    assert row["activator_Na2O"] == pytest.approx(0.1 * material("raw/naoh").composition["Na2O"])
    assert (row["activator_K2O"], row["activator_SiO2"]) == (0.0, 0.0)
    assert row["binder_density"] == pytest.approx(1.0 / (0.4 / 3.2 + 0.6 / 2.4))
    assert row["binder_blaine"] == pytest.approx(0.4 * 450.0 + 0.6 * 350.0)
    assert np.isnan(row["binder_bet"])
    assert (row["curing_temperature"], row["curing_humidity"], row["curing_days"]) == (20.0, 95.0, 27.0)
    assert row["group_mix"] == "M-1" and row["group_source"] == "FA-SILO; 赤泥堆场"
    assert (row["group_operator"], row["group_month"]) == ("Li Wei", "2026-03")
    uids = filled.measurements(technique="strength").query("age_days == 28").index
    assert row["measurements"] == " ".join(sorted(uids))


def test_provenance(filled: Lab) -> None:
    frame = filled.training_table("抗压强度", age=28)
    attrs = frame.attrs
    assert (attrs["target"], attrs["unit"], attrs["age"]) == ("compressive_strength", "MPa", "28 d")
    assert (attrs["wastelab"], attrs["audit_head"]) == (__version__, filled.head())
    assert attrs["sha256"] == table_hash(frame)
    assert set(attrs["features"]) | set(attrs["groups"]) < set(frame.columns)
    assert attrs["groups"] == list(GROUP_COLUMNS)
    assert json.loads(json.dumps(attrs)) == attrs
    again = filled.training_table("compressive_strength", age="4 weeks")
    pd.testing.assert_frame_equal(again, frame)
    assert again.attrs["sha256"] == attrs["sha256"]


def test_ages(filled: Lab) -> None:
    b.strengths(filled, "M-1", [24.0], age=27.8, first=5, method="GB/T 17671")  # 28 d - 5 h: tested in time
    b.strengths(filled, "M-1", [26.0], age=26.5, first=6, method="GB/T 17671")  # 1.5 d early: another age
    frame = filled.training_table("compressive_strength")
    assert frame["age_days"].tolist() == [7.0, 26.5, 28.0]
    assert frame["y_n"].tolist() == [1, 1, 4]
    assert "age_days" in frame.attrs["features"]
    assert np.isnan(frame["y_sd"][0])
    assert len(filled.training_table("compressive_strength", age="24 h")) == 0
    with pytest.raises(UnitError, match="has no unit"):
        filled.training_table("compressive_strength", age="28")


@pytest.mark.parametrize(
    ("days", "nominal"),
    [(28.0, 28.0), (28.33, 28.0), (28.34, 28.34), (7.08, 7.0), (7.09, 7.09), (1.01, 1.0), (0.5, 0.5), (90.3, 90.0)],
)
def test_nominal_ages(days: float, nominal: float) -> None:
    assert nominal_age(days) == nominal


def test_age_in_the_name_or_beside_the_value(lab: Lab) -> None:
    """Stored as compressive_strength_28d or as compressive_strength at 28 d: the same; contradictions are counted."""
    b.sample(lab, "RM", values=b.RED_MUD)
    b.mix(lab, "M", {"RM": 1.0})
    b.strengths(lab, "M", [30.0], method="X")
    b.strengths(lab, "M", [32.0], first=2, age=None, quantity="compressive_strength_28d", method="X")
    b.strengths(lab, "M", [34.0], first=3, age=28.0, quantity="compressive_strength_672h", method="X")
    b.strengths(lab, "M", [99.0], first=4, age=7.0, quantity="compressive_strength_28d", method="X")
    b.strengths(lab, "M", [98.0], first=5, age=None, method="X")
    for target, age in (("compressive_strength", "28 d"), ("compressive_strength_28d", None), ("28d抗压强度", "28天")):
        frame = lab.training_table(target, age=age)
        row = one(frame)
        assert row[frame.attrs["target"]] == pytest.approx(32.0) and row["y_n"] == 3
        assert frame.attrs["excluded"]["contradicting_ages"] == 1
        assert frame.attrs["excluded"]["without_age"] == 1
    everything = lab.training_table("compressive_strength")
    assert everything["age_days"].tolist()[0] == 28.0 and np.isnan(everything["age_days"].tolist()[1])
    with pytest.raises(LabError, match="is a value at 28 d; it has no age of 7 d"):
        lab.training_table("compressive_strength_28d", age="7 d")


def test_what_is_no_replicate_is_another_row(filled: Lab) -> None:
    b.strengths(filled, "M-1", [50.0], first=10, method="pellet")
    b.strengths(filled, "M-1", [60.0], first=11, method="GB/T 17671", geometry="cube")
    steam = [{"temperature": "80 ℃", "humidity": "100 %", "duration": "24 h"}, {"temperature": "20 degC",
             "humidity": "50 %", "duration": "27 d"}]  # fmt: skip
    b.strengths(filled, "M-1", [70.0], first=12, method="GB/T 17671", curing=steam)
    frame = filled.training_table("compressive_strength", age="28 d")
    assert sorted(frame["compressive_strength"]) == pytest.approx([23.0, 50.0, 60.0, 70.0])
    assert set(frame["group_mix"]) == {"M-1"}
    row = one(frame[frame["compressive_strength"] == 70.0])
    assert row["curing_temperature"] == pytest.approx((80.0 * 1 + 20.0 * 27) / 28)
    assert row["curing_temperature_max"] == 80.0
    assert row["curing_humidity"] == pytest.approx((100.0 + 50.0 * 27) / 28)
    assert row["curing_days"] == pytest.approx(28.0)
    only = filled.training_table("compressive_strength", age="28 d", method="pellet")
    assert only["compressive_strength"].tolist() == [50.0]
    assert filled.training_table("compressive_strength", age="28 d", min_replicates=2)["y_n"].tolist() == [3]
    assert filled.training_table("compressive_strength", min_replicates=2).attrs["excluded"][
        "rows_with_few_replicates"
    ] == 4  # fmt: skip
    with pytest.raises(UnknownNameError, match="No measurement has the method 'GB/T 17672'"):
        filled.training_table("compressive_strength", method="GB/T 17672")


def test_what_cannot_be_used_is_counted(filled: Lab) -> None:
    wrong = b.strengths(filled, "M-1", [999.0], first=20, method="GB/T 17671")[0]
    filled.set_status(wrong, "retracted", by="somebody else", reason="press not calibrated")
    b.strengths(filled, "M-1", ["<1.0"], first=21, method="GB/T 17671")  # type: ignore[list-item]
    filled.add("specimen", code="M-1-S22", mix="M-1", geometry="prism")
    b.measure(filled, "M-1-S22", "strength", [b.value("compressive_strength", None, flag="above_range")],
              kind="specimen", age_days=28.0)  # fmt: skip
    frame = filled.training_table("compressive_strength", age="28 d")
    assert one(frame)["y_n"] == 3
    assert wrong not in one(frame)["measurements"]
    assert frame.attrs["excluded"] == {
        "below_detection": 1, "above_range": 1, "without_age": 0, "contradicting_ages": 0, "rows_with_few_replicates": 0
    }  # fmt: skip
    with pytest.raises(LabError, match="no model is trained on retracted results"):
        filled.training_table("compressive_strength", status="all")
    assert len(filled.training_table("compressive_strength", verified_only=True)) == 0


def test_a_retracted_analysis_is_no_feature(filled: Lab) -> None:
    uid = b.measure(filled, "FA", "XRF", ASH | {"SiO2": 30.0})
    assert one(filled.training_table("compressive_strength", age="28 d"))["binder_SiO2"] == pytest.approx(32.6)
    filled.set_status(uid, "retracted", by="somebody else", reason="wrong bead")
    assert one(filled.training_table("compressive_strength", age="28 d"))["binder_SiO2"] == pytest.approx(39.2)


def test_targets_on_the_mix_itself(filled: Lab) -> None:
    b.measure(filled, "M-1", "thermal_conductivity", [b.value("thermal_conductivity", 0.31)], kind="mix", basis="")
    b.measure(filled, "FA", "thermal_conductivity", [b.value("thermal_conductivity", 0.1)])  # a sample is no mix
    frame = filled.training_table("thermal_conductivity")
    row = one(frame)
    assert row["thermal_conductivity"] == 0.31 and np.isnan(row["age_days"]) and np.isnan(row["curing_days"])
    assert row["geometry"] == "" and row["binder_SiO2"] == pytest.approx(39.2)


def test_nothing_of_the_product_is_a_feature(filled: Lab) -> None:
    """Whatever else is measured on the mix and its specimens, and whatever the target's values are: same features."""
    before = filled.training_table("compressive_strength", age="28 d")
    for kind, code in (("mix", "M-1"), ("specimen", "M-1-S1")):
        b.measure(filled, code, "XRF", b.RED_MUD, kind=kind)
        b.measure(filled, code, "density", {"density": 2.0}, kind=kind)
        b.measure(filled, code, "strength", [b.value("flexural_strength", 5.0)], kind=kind, age_days=28.0)
    b.strengths(filled, "M-1", [500.0], first=30, method="GB/T 17671")
    after = filled.training_table("compressive_strength", age="28 d")
    assert after["compressive_strength"][0] != before["compressive_strength"][0]
    for name in before.attrs["features"]:
        assert after[name].equals(before[name]), name
    assert not {"flexural_strength", "density", "SiO2"} & set(after.columns)


def test_a_content_as_target_keeps_its_features_apart(filled: Lab) -> None:
    b.measure(filled, "M-1", "XRF", {"SiO2": 33.0}, kind="mix", basis="dry")
    b.measure(filled, "M-1", "XRF", {"SiO2": 40.0}, kind="mix", basis="ignited")
    frame = filled.training_table("SiO2")
    assert dict(zip(frame["basis"], frame["SiO2"], strict=True)) == {"dry": 33.0, "ignited": 40.0}
    assert frame["binder_SiO2"].tolist() == pytest.approx([39.2, 39.2])


def test_reference_materials_and_unknown_parts(lab: Lab) -> None:
    b.sample(lab, "NEW", "tailings")
    b.mix(lab, "REF", {"raw/limestone": 0.7, "raw/portland-clinker": 0.3}, water_binder=None,
          more=[{"material": "raw/water", "fraction": 0.5, "role": "water"}])  # fmt: skip
    b.mix(lab, "HALF", {"raw/limestone": 0.7, "NEW": 0.3})
    with lab.store.write("as a bundle brings it") as act:  # a card of another laboratory cannot be named here
        act.insert("mix", {"code": "ODD", "water_binder": 0.4, "components": [
            {"material": "raw/limestone", "fraction": 0.5}, {"material": "raw/no-such-card", "fraction": 0.5},
        ]})  # fmt: skip
    for code in ("REF", "HALF", "ODD"):
        b.strengths(lab, code, [5.0])
    frame = lab.training_table("compressive_strength").set_index("mix")
    stone, clinker = material("raw/limestone"), material("raw/portland-clinker")
    for oxide in ("SiO2", "CaO"):
        expected = 0.7 * stone.composition[oxide] + 0.3 * clinker.composition[oxide]
        assert frame.loc["REF", f"binder_{oxide}"] == pytest.approx(expected)
    assert frame.loc["REF", "water_binder"] == 0.5
    assert frame.loc["REF", "fraction_raw"] == pytest.approx(1.0)
    assert frame["composition_known"].tolist() == pytest.approx([0.7, 0.5, 1.0])  # HALF, ODD, REF
    assert np.isnan(frame.loc["HALF", "binder_CaO"]) and frame.loc["HALF", "fraction_tailings"] == pytest.approx(0.3)
    assert np.isnan(frame.loc["ODD", "fraction_raw"])
    assert frame.attrs["unknown_materials"] == ["raw/no-such-card", "raw/water"]
    assert frame["group_source"].tolist() == ["", "", ""]


def test_below_detection_is_half_the_limit(lab: Lab) -> None:
    b.sample(lab, "RM", values=b.RED_MUD | {"MgO": "<0.2"})
    b.mix(lab, "M", {"RM": 1.0})
    b.strengths(lab, "M", [5.0])
    assert one(lab.training_table("compressive_strength"))["binder_MgO"] == pytest.approx(0.1)


def test_some_features(filled: Lab) -> None:
    frame = filled.training_table("compressive_strength", age="28 d", features=["curing", "recipe"])
    assert frame.attrs["features"] == [*mf.COLUMNS["recipe"], *mf.COLUMNS["curing"]]
    assert not any(name.startswith("binder_") for name in frame.columns)
    with pytest.raises(UnknownNameError, match=r"no group of features 'chemistry'.* Groups: recipe"):
        filled.training_table("compressive_strength", features="chemistry")


def test_empty_tables_have_all_columns_and_types(lab: Lab) -> None:
    empty = lab.training_table("compressive_strength", age="28 d")
    assert len(empty) == 0 and empty.attrs["excluded"]["below_detection"] == 0
    b.sample(lab, "RM", values=b.RED_MUD)
    b.mix(lab, "M", {"RM": 1.0})
    b.strengths(lab, "M", [5.0])
    full = lab.training_table("compressive_strength", age="28 d")
    assert empty.dtypes.to_dict() == full.dtypes.to_dict() and list(empty.columns) == list(full.columns)
    with pytest.raises(UnknownNameError, match="Did you mean 'compressive_strength'"):
        lab.training_table("compresive_strength")
    with pytest.raises(LabError, match="min_replicates = 0"):
        lab.training_table("compressive_strength", min_replicates=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, None, None, None, True)),
        ('[{"temperature":"60 degC","humidity":"90 %","duration":"12 h"}]', (60.0, 60.0, 90.0, 0.5, True)),
        ('{"temperature":"333.15 K","duration":"90 min"}', (60.0, 60.0, None, 0.0625, True)),
        ('[{"temperature":"60 degC","duration":"1 d"},{"duration":"27 d"}]', (None, None, None, 28.0, True)),
        ('[{"temperature":60}]', (None, None, None, None, False)),  # 60 of what?
        ("steam, one night", (None, None, None, None, False)),
        ("[]", (None, None, None, None, False)),
        ('["x"]', (None, None, None, None, False)),
    ],
)
def test_curing(text: str, expected: tuple[float | None, ...]) -> None:
    *numbers, sound = mf.read_curing(text)
    assert sound is expected[-1]
    for found, wanted in zip(numbers, expected, strict=False):
        assert np.isnan(found) if wanted is None else found == pytest.approx(wanted)


def test_rows_against_a_slow_twin(lab: Lab) -> None:
    """Random mixes and tests: every row by plain grouping over the long tables."""
    rng = np.random.default_rng(7)
    b.samples(lab, 6)
    for n in range(8):
        chosen = rng.choice(6, 3, replace=False)
        weights = rng.dirichlet(np.ones(3)).round(3)
        weights[-1] = 1.0 - weights[:-1].sum()
        b.mix(lab, f"M{n}", {f"RM-{k + 1:03d}": float(w) for k, w in zip(chosen, weights, strict=True)})
        first = 1
        for age in (3.0, 28.0):
            for method in ("A", "B"):
                numbers = rng.uniform(5, 60, int(rng.integers(0, 4)))
                b.strengths(lab, f"M{n}", numbers, age=age, method=method, first=first)
                first += len(numbers)
    values = lab.values(quantity="compressive_strength")
    values["mix"] = values["target"].str.split("-").str[0]
    expected = values.groupby(["mix", "age_days", "method"])["value"].agg(["mean", "std", "count"])
    frame = lab.training_table("compressive_strength").set_index(["mix", "age_days", "method"])
    assert frame.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(frame["compressive_strength"], expected["mean"])
    np.testing.assert_allclose(frame["y_sd"], expected["std"])
    assert frame["y_n"].tolist() == expected["count"].tolist()
    contents = lab.composition()["composition"]
    parts = lab.table("component")
    for mix, rows in parts.groupby("mix"):
        for oxide in ("SiO2", "LOI"):
            blend = float(sum(contents.sel(sample=r.sample, oxide=oxide) * r.fraction for r in rows.itertuples()))
            found = frame.xs(mix, level="mix", drop_level=False) if mix in frame.index else frame.iloc[:0]
            np.testing.assert_allclose(found[f"binder_{oxide}"], blend)


def test_who_may_see(filled: Lab) -> None:
    filled.add("person", name="Wang", grp="other")
    assert len(filled.training_table("compressive_strength", age="28 d")) == 1
    assert len(filled.training_table("compressive_strength", age="28 d", viewer="Wang")) == 0  # the mix is its group's
    with pytest.raises(UnknownNameError, match="no person 'Zhang'"):
        filled.training_table("compressive_strength", viewer="Zhang")


def test_mixes_of_one_recipe_are_one_group(lab):
    for code in ("SYN-A", "SYN-B"):
        lab.add("sample", code=code, waste_class="red_mud")
    for code, share in (("M-1", 0.3), ("M-1-again", 0.3), ("M-2", 0.4)):
        parts = [{"sample": "SYN-A", "fraction": share}, {"sample": "SYN-B", "fraction": 1 - share}]
        lab.add("mix", code=code, components=parts, water_binder=0.5)
        strength = Value("compressive_strength", 30.0, "MPa")
        fields = {"mix": code, "age": "28 d"}
        lab.ingest(
            [Reading("strength", values=[strength], fields=fields, method="GB/T 17671", completeness="declared")]
        )
    frame = lab.training_table("compressive_strength", age="28 d").set_index("mix")
    assert frame["group_mix"].to_dict() == {"M-1": "M-1", "M-1-again": "M-1", "M-2": "M-2"}
