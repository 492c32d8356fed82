"""Training tables: rows, features, groups; against a slow twin, and that nothing of the target leaks into features."""

from __future__ import annotations

import hashlib
import math
import random
from typing import Any

import builders as b
import numpy as np
import pytest

from wastelab.errors import LabError, MissingDataError, UnknownNameError
from wastelab.lab.lab import Lab
from wastelab.lab.training import FEATURES, training_table
from wastelab.reference import material as reference


@pytest.fixture
def filled(lab: Lab) -> Lab:
    """Two heaps, three samples, two mixes of one recipe and one of another."""
    for heap in ("H1", "H2"):
        lab.add("source", code=heap, waste_class="red_mud")
    b.sample(lab, "RM-1", source="H1", values={"SiO2": 20.0, "CaO": 10.0, "LOI": 12.0})
    b.sample(lab, "RM-2", source="H2", values={"SiO2": 30.0})
    b.sample(lab, "RM-1-D", parent="RM-1", process={"step": "dried"}, values={"SiO2": 20.0, "CaO": 10.0})
    for code, density, blaine in (("RM-1", 3.0, 400.0), ("RM-2", 2.0, 300.0)):
        b.measure(lab, code, "density", [b.value("density", density)])
        b.measure(lab, code, "Blaine", [b.value("blaine", blaine)])
    activator = {"material": "raw/naoh", "role": "activator", "fraction": 0.08}
    b.mix(lab, "M-1", {"RM-1": 0.75, "RM-2": 0.25}, more=[activator], made_at="2026-03-01")
    b.mix(lab, "M-1-again", {"RM-2": 0.25, "RM-1": 0.75}, more=[activator], made_at="2026-04-01")
    b.mix(lab, "M-2", {"RM-1": 0.4, "raw/limestone": 0.6}, water_binder=0.5)
    b.strengths(lab, "M-1", [30.0, 32.0, 34.0], method="GB/T 17671", operator="Li")
    b.strengths(lab, "M-1", [20.0], age=7.0, first=4, method="GB/T 17671")
    b.strengths(lab, "M-1-again", [31.0], method="GB/T 17671", operator="Chen")
    b.strengths(lab, "M-2", [12.0, 14.0], method="pellet")
    return lab


def test_rows_are_mixes_at_an_age_by_a_method(filled: Lab) -> None:
    table = training_table(filled.store, "抗压强度")
    assert table[["mix", "age_days", "method"]].to_numpy().tolist() == [
        ["M-1", 28.0, "GB/T 17671"], ["M-1", 7.0, "GB/T 17671"], ["M-1-again", 28.0, "GB/T 17671"],
        ["M-2", 28.0, "pellet"],
    ]  # fmt: skip
    assert table["y"].tolist() == [32.0, 20.0, 31.0, 13.0] and table["y_n"].tolist() == [3, 1, 1, 2]
    assert table["y_sd"].tolist()[0] == pytest.approx(2.0) and math.isnan(table["y_sd"].iloc[1])
    assert len(training_table(filled.store, "compressive_strength", age="7 d")) == 1
    assert len(training_table(filled.store, "compressive_strength_28d")) == 3
    assert training_table(filled.store, "compressive_strength", method="pellet")["mix"].tolist() == ["M-2"]
    enough = training_table(filled.store, "compressive_strength", min_replicates=2)
    assert enough["mix"].tolist() == ["M-1", "M-2"]
    assert enough.attrs["left_out"] == {"fewer than min_replicates": 2} and enough.attrs["unit"] == "MPa"


def test_features_of_the_recipe_and_the_components(filled: Lab) -> None:
    table = training_table(filled.store, "compressive_strength", age=28).set_index("mix")
    lime = reference("raw/limestone").composition
    one, two = table.loc["M-1"], table.loc["M-2"]
    assert one["fraction:red_mud"] == 1.0 and two["fraction:raw"] == 0.6 and two["fraction:raw/limestone"] == 0.6
    assert one["SiO2"] == pytest.approx(0.75 * 20 + 0.25 * 30)
    assert two["CaO"] == pytest.approx(0.4 * 10 + 0.6 * lime["CaO"])
    assert math.isnan(one["CaO"]) and "CaO: RM-2" in one["missing"] and "LOI: RM-2" in one["missing"]
    assert one["density"] == pytest.approx(1.0 / (0.75 / 3.0 + 0.25 / 2.0)) and one["blaine"] == pytest.approx(375.0)
    assert math.isnan(two["blaine"]) and "blaine: raw/limestone" in two["missing"]
    assert one["activator:raw/naoh"] == 0.08 and one["activator"] == 0.08 and two["activator"] == 0.0
    assert (one["water_binder"], two["water_binder"]) == (0.4, 0.5)
    assert one["curing_temperature"] == 20.0 and one["curing_humidity"] == 95.0 and one["curing_duration"] == 27.0
    assert set(table.attrs["features"]) <= set(table.columns)
    assert table.attrs["not_understood"] == []


def test_groups_keep_a_recipe_and_a_heap_together(filled: Lab) -> None:
    table = training_table(filled.store, "compressive_strength")
    assert table["group_mix"].tolist() == ["M-1", "M-1", "M-1", "M-2"]
    assert table["group"].tolist() == table["group_mix"].tolist()
    assert table["group_source"].tolist() == ["H1"] * 4 and table["sources"].tolist()[0] == "H1+H2"
    assert table["group_operator"].tolist() == ["Li", "Li Wei", "Chen", "Li Wei"]
    assert table["group_campaign"].tolist() == ["2026-03", "2026-03", "2026-04", "2026-03"]
    by_heap = training_table(filled.store, "compressive_strength", group_by="source")
    assert by_heap["group"].tolist() == by_heap["group_source"].tolist()


def test_curing_of_several_steps(lab: Lab) -> None:
    b.mix(lab, "M", {"raw/limestone": 1.0})
    steps = [{"temperature": "60 degC", "humidity": "90 %", "duration": "24 h"},
             {"temperature": "293.15 K", "humidity": "50 %", "duration": "3 d"}]  # fmt: skip
    b.strengths(lab, "M", [10.0], curing=steps)
    b.strengths(lab, "M", [20.0], curing=[{"temperature": "warm", "duration": "3 d"}], first=2)
    b.strengths(lab, "M", [30.0], curing=[], first=3)
    table = training_table(lab.store, "compressive_strength")
    assert table["y"].tolist() == [10.0, 20.0, 30.0]  # other curing, other row
    assert table["curing_temperature"].tolist()[0] == pytest.approx((60 + 3 * 20) / 4)
    assert table["curing_temperature_max"].iloc[0] == 60.0 and table["curing_humidity"].iloc[0] == pytest.approx(60.0)
    assert table["curing_duration"].tolist()[:2] == pytest.approx([4.0, 3.0])
    assert np.isnan(table["curing_temperature"].tolist()[1:]).all() and math.isnan(table["curing_duration"].iloc[2])
    assert table.attrs["not_understood"] == ["curing: temperature = 'warm'"]


def test_age_from_the_name_the_measurement_or_the_dates(lab: Lab) -> None:
    b.mix(lab, "M", {"raw/limestone": 1.0})
    lab.add("specimen", code="S", mix="M", cast_at="2026-02-01")
    for quantity, more in (("compressive_strength_28d", {}), ("compressive_strength", {"age_days": 28.0}),
                           ("compressive_strength", {"measured_at": "2026-03-01T09:00"}),
                           ("compressive_strength_672h", {})):  # fmt: skip
        b.measure(lab, "S", "strength", [b.value(quantity, 40.0)], kind="specimen", **more)
    b.measure(lab, "M", "strength", [b.value("compressive_strength", 5.0)], kind="mix", measured_at="")
    table = training_table(lab.store, "compressive_strength")
    assert table["age_days"].tolist()[0] == 28.0 and table["y_n"].tolist() == [4, 1]
    assert math.isnan(table["age_days"].iloc[1])


def test_values_below_detection_and_retracted_ones_are_not_in_the_mean(lab: Lab) -> None:
    b.mix(lab, "M", {"raw/limestone": 1.0})
    uids = b.strengths(lab, "M", [10.0, 90.0])
    b.strengths(lab, "M", ["<1"], first=3)  # type: ignore[list-item]
    lab.set_status(uids[1], "retracted", by="Wang", reason="press was not zeroed")
    table = training_table(lab.store, "compressive_strength")
    assert table["y"].tolist() == [10.0] and table["y_n"].tolist() == [1] and table["y_below"].tolist() == [1]


def test_features_do_not_see_the_target(filled: Lab) -> None:
    before = training_table(filled.store, "compressive_strength", age=28)
    b.strengths(filled, "M-2", [200.0], first=9, method="pellet")
    b.measure(filled, "M-2", values={"SiO2": 99.0}, kind="mix")  # an analysis of the mix itself
    b.measure(filled, "M-2-S1", "density", [b.value("density", 9.0)], kind="specimen")
    after = training_table(filled.store, "compressive_strength", age=28)
    assert after["y"].tolist() != before["y"].tolist()
    names = before.attrs["features"]
    assert names == after.attrs["features"] and before[names].equals(after[names])
    assert not {"y", "y_sd", "y_n", "y_sigma", "mix"} & set(names)
    assert before.attrs["provenance"]["features_sha256"] == after.attrs["provenance"]["features_sha256"]
    assert before.attrs["provenance"]["target_sha256"] != after.attrs["provenance"]["target_sha256"]


def test_provenance_names_every_measurement(filled: Lab) -> None:
    table = training_table(filled.store, "compressive_strength")
    every = filled.measurements()
    used = {u for cell in table["y_measurements"] for u in cell.split()}
    assert used == set(every.index[every["technique"] == "strength"])
    inside = set(table["feature_measurements"].iloc[0].split())
    assert inside == set(every.index[every["target"].isin(["RM-1", "RM-2"])])
    told = table.attrs["provenance"]
    assert told["audit_head"] == filled.head() and set(told["reference_materials"]) == {"raw/limestone"}
    assert told["target_sha256"] == hashlib.sha256("\n".join(sorted(used)).encode()).hexdigest()


def test_features_can_be_chosen(filled: Lab) -> None:
    whole = training_table(filled.store, "compressive_strength")
    parts = [training_table(filled.store, "compressive_strength", features=[name]) for name in FEATURES]
    assert sorted(n for p in parts for n in p.attrs["features"]) == sorted(whole.attrs["features"])
    water = training_table(filled.store, "compressive_strength", features="water")
    assert water.attrs["features"] == ["water_binder"] and water["missing"].tolist() == [""] * 4


def test_the_table_equals_a_slow_twin(new_lab: Any) -> None:
    rng = random.Random(11)
    lab = new_lab()
    oxides = ("SiO2", "CaO", "Fe2O3")
    analyses: dict[str, list[dict[str, float]]] = {}
    for n in range(5):
        code = f"S{n}"
        b.sample(lab, code, rng.choice(["red_mud", "fly_ash"]))
        analyses[code] = []
        for _ in range(rng.randint(0, 3)):
            values = {o: round(rng.uniform(1, 40), 2) for o in oxides if rng.random() < 0.8} or {"SiO2": 1.0}
            b.measure(lab, code, values=values)
            analyses[code].append(values)
    classes = lab.samples()["waste_class"]
    expected = []
    for n in range(8):
        parts = rng.sample(list(analyses), rng.randint(1, 3))
        cuts = sorted(round(rng.random(), 3) for _ in parts[1:])
        fractions = [z - a for a, z in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]
        b.mix(lab, f"M{n}", dict(zip(parts, fractions, strict=True)))
        numbers = [round(rng.uniform(5, 60), 1) for _ in range(rng.randint(1, 4))]
        b.strengths(lab, f"M{n}", numbers)
        row: dict[str, Any] = {"mix": f"M{n}", "y": sum(numbers) / len(numbers), "y_n": len(numbers)}
        for o in oxides:
            means = {c: [a[o] for a in analyses[c] if o in a] for c in parts}
            held = [c for c, x in zip(parts, fractions, strict=True) if x > 0]
            row[o] = (
                sum(x * sum(means[c]) / len(means[c]) for c, x in zip(parts, fractions, strict=True) if c in held)
                if all(means[c] for c in held) else math.nan
            )  # fmt: skip
        for w in ("red_mud", "fly_ash"):
            row[f"fraction:{w}"] = sum(x for c, x in zip(parts, fractions, strict=True) if classes[c] == w)
        expected.append(row)
    table = training_table(lab.store, "compressive_strength")
    for row, (_, found) in zip(expected, table.iterrows(), strict=True):
        for name, want in row.items():
            if name not in found:
                assert not any(r[name] == r[name] and r[name] for r in expected), name
                continue
            same = isinstance(want, float) and math.isnan(want) and math.isnan(found[name])
            assert same or found[name] == (pytest.approx(want, rel=1e-12) if isinstance(want, float) else want), name


def test_what_is_missing_is_said(filled: Lab) -> None:
    with pytest.raises(MissingDataError, match="No flexural_strength was measured on a mix"):
        training_table(filled.store, "flexural_strength")
    with pytest.raises(MissingDataError, match=r"at 3 d; ages \[d\]: 7, 28; methods: 'GB/T 17671', 'pellet'"):
        training_table(filled.store, "compressive_strength", age="3 d")
    for options, error, said in (
        ({"age": "28"}, LabError, "with its unit"), ({"min_replicates": 0}, LabError, "1 or more"),
        ({"features": ["oxide"]}, UnknownNameError, "oxides"), ({"group_by": "heap"}, UnknownNameError, "source"),
    ):  # fmt: skip
        with pytest.raises(error, match=said):
            training_table(filled.store, "compressive_strength", **options)
    with pytest.raises(UnknownNameError, match="compressive_strength"):
        training_table(filled.store, "compresive_strength")
    with pytest.raises(LabError, match="is at 28 d"):
        training_table(filled.store, "compressive_strength_28d", age="7 d")
