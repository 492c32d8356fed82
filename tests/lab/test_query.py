"""Questions to the catalogue: filters, columns and types, visibility, search, history."""

from __future__ import annotations

import random
from typing import Any

import builders as b
import numpy as np
import pytest

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab.lab import Lab
from wastelab.lab.query import history, measurements, samples, search, table, values


@pytest.fixture
def filled(lab: Lab) -> Lab:
    """Two heaps, four samples, one mix with a specimen."""
    lab.add("source", code="H1", name="north heap", name_zh="北堆", waste_class="red_mud")
    lab.add("source", code="H2", waste_class="coal_gangue")
    b.sample(lab, "RM-1", source="H1", collected_at="2026-01-10", name_zh="赤泥", mass_kg=5.5, values=b.RED_MUD)
    b.sample(lab, "RM-1-D", parent="RM-1", process={"step": "dried"}, values={"SiO2": 18.5, "Cl": "<0.01"})
    b.sample(lab, "CG-1", "coal_gangue", source="H2", collected_at="2026-02", note="100% grey_shale \\ wet")
    b.sample(lab, "FA-1", "fly_ash", collected_at="2026-02-28T10:15")
    b.mix(lab, "M-1", {"RM-1": 0.4, "raw/limestone": 0.6})
    b.strengths(lab, "M-1", [31.0, 33.0])
    return lab


def test_samples_have_every_column_and_their_source(filled: Lab) -> None:
    found = samples(filled.store)
    assert found.index.name == "code" and found.index.tolist() == ["RM-1", "RM-1-D", "CG-1", "FA-1"]
    assert found["source"].tolist() == ["H1", "H1", "H2", ""] and found.loc["RM-1-D", "parent"] == "RM-1"
    assert found["n_measurements"].tolist() == [1, 1, 0, 0] and found["techniques"].tolist() == ["XRF", "XRF", "", ""]
    assert found.loc["RM-1", "mass_kg"] == 5.5 and np.isnan(found.loc["CG-1", "mass_kg"])
    for where in ({"codes": []}, {"text": "nowhere"}):
        empty = samples(filled.store, **where)
        assert len(empty) == 0 and (empty.dtypes == found.dtypes).all() and empty.index.name == "code"


@pytest.mark.parametrize(
    ("where", "codes"),
    [
        ({"waste_class": "red_mud"}, ["RM-1", "RM-1-D"]),
        ({"waste_class": "煤矸石"}, ["CG-1"]),
        ({"source": "H1"}, ["RM-1", "RM-1-D"]),
        ({"source": ["H1", "H2"]}, ["RM-1", "RM-1-D", "CG-1"]),
        ({"collected_from": "2026-02"}, ["CG-1", "FA-1"]),
        ({"collected_to": "2026-02-28"}, ["RM-1", "CG-1", "FA-1"]),
        ({"collected_to": "2026-01"}, ["RM-1"]),
        ({"text": "赤泥"}, ["RM-1"]),
        ({"text": "GREY_shale 100%"}, ["CG-1"]),
        ({"text": "greyXshale"}, []),
        ({"text": "1%"}, []),
        ({"text": "\\"}, ["CG-1"]),
        ({"codes": ["FA-1", "RM-1", "FA-1"]}, ["RM-1", "FA-1"]),
        ({"limit": 2}, ["RM-1", "RM-1-D"]),
    ],
)
def test_filters_of_samples(filled: Lab, where: dict[str, Any], codes: list[str]) -> None:
    assert samples(filled.store, **where).index.tolist() == codes


def test_samples_by_filters_equal_a_loop_over_all(new_lab: Any) -> None:
    lab = new_lab()
    rng = random.Random(3)
    lab.add("source", code="H", waste_class="red_mud")
    known = []
    for n in range(40):
        kind, note = rng.choice(["red_mud", "fly_ash"]), rng.choice(["wet", "dry"])
        record = {"code": f"S{n}", "waste_class": kind, "note": note,
                  "collected_at": f"2026-{rng.randint(1, 3):02d}-{rng.randint(1, 28):02d}"}  # fmt: skip
        if known and rng.random() < 0.4:
            record["parent"] = rng.choice(known)["code"]
        elif rng.random() < 0.5:
            record["source"] = "H"
        lab.add("sample", record)
        known.append(record)
    by_code = {r["code"]: r for r in known}

    def from_heap(record: dict[str, Any]) -> bool:
        return bool(record.get("source")) or ("parent" in record and from_heap(by_code[record["parent"]]))

    for _ in range(25):
        start = f"2026-{rng.randint(1, 3):02d}-{rng.randint(1, 28):02d}"
        found = samples(lab.store, waste_class="red_mud", source="H", text="wet", collected_from=start)
        expected = [
            r["code"] for r in known
            if r["waste_class"] == "red_mud" and r["note"] == "wet" and r["collected_at"] >= start and from_heap(r)
        ]  # fmt: skip
        assert found.index.tolist() == expected


def test_measurements_and_their_targets(filled: Lab) -> None:
    found = measurements(filled.store)
    assert found["target_kind"].tolist() == ["sample", "sample", "specimen", "specimen"]
    assert found["target"].tolist() == ["RM-1", "RM-1-D", "M-1-S1", "M-1-S2"]
    assert found["n_values"].tolist() == [7, 2, 1, 1] and found["age_days"].tolist()[2:] == [28.0, 28.0]
    assert measurements(filled.store, technique="抗压")["target"].tolist() == ["M-1-S1", "M-1-S2"]
    assert measurements(filled.store, sample="RM-1", specimen="M-1-S2")["target"].tolist() == ["RM-1", "M-1-S2"]
    assert measurements(filled.store, source="H1", limit=1)["target"].tolist() == ["RM-1"]
    empty = measurements(filled.store, date_from="2027")
    assert len(empty) == 0 and (empty.dtypes == found.dtypes).all()


def test_status_flags_operator_and_method(filled: Lab) -> None:
    uid = b.measure(filled, "FA-1", "XRF", {"SiO2": 50.0}, flags='["oxide_sum"]', operator="Chen", method="GB/T 176")
    filled.set_status(uid, "verified", by="Wang")
    one = measurements(filled.store, verified_only=True)
    assert one.index.tolist() == [uid] and one.loc[uid, "checked_by"] == "Wang"
    for where in ({"flags": "oxide_sum"}, {"operator": "Chen"}, {"method": "GB/T 176"}, {"status": "verified"}):
        assert measurements(filled.store, **where).index.tolist() == [uid]
    filled.set_status(uid, "retracted", by="Wang", reason="wrong sample")
    assert uid not in measurements(filled.store).index
    assert measurements(filled.store, status="retracted").index.tolist() == [uid]
    assert len(measurements(filled.store, status="all")) == 5
    assert samples(filled.store).loc["FA-1", "n_measurements"] == 0


def test_values_say_everything_that_is_stored(filled: Lab) -> None:
    found = values(filled.store)
    below = found[found["flag"] == "below_detection"].iloc[0]
    assert (below["target"], below["quantity"], below["unit"], below["basis"]) == ("RM-1-D", "Cl", "wt%", "dry")
    assert np.isnan(below["value"]) and below["lod"] == 0.01
    loss = values(filled.store, quantity="烧失量")
    assert loss[["target", "value"]].to_numpy().tolist() == [["RM-1", 12.4]]
    assert values(filled.store, mix=["M-1"]).empty  # strengths were measured on specimens
    strength = values(filled.store, quantity="compressive_strength")
    assert strength["value"].tolist() == [31.0, 33.0] and strength["waste_class"].tolist() == ["", ""]
    assert len(values(filled.store, limit=3)) == 3
    empty = values(filled.store, quantity="density")
    assert len(empty) == 0 and (empty.dtypes == found.dtypes).all()


def test_tables_of_what_is_registered(filled: Lab) -> None:
    assert table(filled.store, "source").loc["H1", "name_zh"] == "北堆"
    specimens = table(filled.store, "specimen")
    assert specimens.index.tolist() == ["M-1-S1", "M-1-S2"] and specimens["mix"].tolist() == ["M-1", "M-1"]
    parts = table(filled.store, "component")
    assert parts[["mix", "sample", "material", "fraction"]].to_numpy().tolist() == [
        ["M-1", "RM-1", "", 0.4], ["M-1", "", "raw/limestone", 0.6]
    ]  # fmt: skip
    assert table(filled.store, "measurement")["specimen"].tolist()[2:] == ["M-1-S1", "M-1-S2"]
    empty = table(filled.store, "instrument")
    assert len(empty) == 0 and empty.index.name == "code" and "serial" in empty


def test_search_takes_all_words_and_no_wildcards(filled: Lab) -> None:
    assert search(filled.store, "北堆")[["entity", "code"]].to_numpy().tolist() == [["source", "H1"]]
    assert search(filled.store, "GREY 100%")["code"].tolist() == ["CG-1"]
    assert search(filled.store, "g_ey").empty and search(filled.store, "grey nothing").empty
    both = search(filled.store, "m-1")
    assert both["entity"].tolist() == ["sample", "sample", "mix", "specimen", "specimen"]
    assert len(search(filled.store, "m-1", limit=2)) == 2
    assert search(filled.store, "m-1", entity="mix")["code"].tolist() == ["M-1"]
    assert "grey" in search(filled.store, "grey")["snippet"].iloc[0]
    with pytest.raises(LabError, match="at least one word"):
        search(filled.store, "  ")


def test_history_of_a_record(filled: Lab) -> None:
    filled.change("sample", "RM-1", reason="weighed again", mass_kg=5.6)
    events = history(filled.store, "sample", "RM-1")
    assert events["change"].tolist() == ["insert", "update"] and events["reason"].iloc[-1] == "weighed again"
    assert events["detail"].iloc[-1] == '{"mass_kg":[5.5,5.6]}' and events["hash"].iloc[-1] == filled.head()
    uid = measurements(filled.store).index[0]
    assert history(filled.store, "measurement", uid)["change"].tolist() == ["insert"]
    with pytest.raises(UnknownNameError, match="no measurement with uid"):
        history(filled.store, "measurement", "XRF")


def test_a_person_sees_what_they_may(lab: Lab) -> None:
    for name, group, active in (("Li", "A", 1), ("Chen", "B", 1), ("Old", "A", 0)):
        lab.add("person", name=name, grp=group, active=active)
    for code, group, visibility in (("S-a", "A", "group"), ("S-b", "B", "group"), ("S-i", "A", "institute"),
                                    ("S-p", "A", "public")):  # fmt: skip
        b.sample(lab, code, grp=group, visibility=visibility)
        b.measure(lab, code, values={"SiO2": 1.0}, visibility="public")
    b.measure(lab, "S-p", values={"SiO2": 2.0}, visibility="group", grp="B")
    seen = {"Li": ["S-a", "S-i", "S-p"], "Chen": ["S-b", "S-i", "S-p"], "Old": ["S-p"]}
    for viewer, codes in seen.items():
        assert samples(lab.store, viewer=viewer).index.tolist() == codes
        assert set(measurements(lab.store, viewer=viewer)["target"]) == set(codes)
        assert set(values(lab.store, viewer=viewer)["target"]) == set(codes)
        assert search(lab.store, "s-", viewer=viewer, entity="sample")["code"].tolist() == codes
        assert lab.composition(viewer=viewer)["sample"].values.tolist() == codes
    assert samples(lab.store, viewer="Li").loc["S-p", "n_measurements"] == 1
    assert samples(lab.store, viewer="Chen").loc["S-p", "n_measurements"] == 2
    with pytest.raises(UnknownNameError, match="Did you mean 'Chen'"):
        samples(lab.store, viewer="Chenn")


@pytest.mark.parametrize(
    ("ask", "where", "said"),
    [
        (samples, {"waste_class": "red_mood"}, "red_mud"),
        (samples, {"source": "H3"}, "H2"),
        (samples, {"codes": ["RM-1", "RM-l"]}, "RM-1"),
        (samples, {"collected_from": "March"}, "is no date"),
        (samples, {"collected_to": "2026-02-30"}, "does not exist"),
        (samples, {"limit": 0}, "1 or more"),
        (measurements, {"technique": "XRG"}, "XRF"),
        (measurements, {"status": "draftt"}, "draft"),
        (measurements, {"operator": "Li Wie"}, "Li Wei"),
        (measurements, {"method": "GB"}, "method 'GB'"),
        (measurements, {"specimen": "M-1-S3"}, "M-1-S"),
        (values, {"quantity": "SiO9x"}, "no quantity"),
    ],
)
def test_what_does_not_exist_is_said(filled: Lab, ask: Any, where: dict[str, Any], said: str) -> None:
    with pytest.raises(LabError if "limit" in where or "collected" in str(where) else UnknownNameError, match=said):
        ask(filled.store, **where)


def test_unknown_kinds_are_said(lab: Lab) -> None:
    for ask in (table, lambda store, name: history(store, name, "x"), lambda s, n: search(s, "x", entity=n)):
        with pytest.raises(UnknownNameError, match="Did you mean 'sample'"):
            ask(lab.store, "samples")


def test_search_shows_nothing_of_what_is_hidden(lab: Lab) -> None:
    for name, group in (("Li", "A"), ("Chen", "B")):
        lab.add("person", name=name, grp=group)
    b.sample(lab, "S-1", grp="A", visibility="group", note="secret heap")
    b.measure(lab, "S-1", values={"SiO2": 1.0}, visibility="public", note="secret result")
    b.mix(lab, "M-1", {"raw/limestone": 1.0}, grp="A", visibility="group", note="secret mix")
    lab.add("specimen", code="M-1-a", mix="M-1", note="secret prism")
    b.measure(lab, "M-1-a", "strength", [b.value("compressive_strength", 30.0)], kind="specimen", basis="",
              visibility="public", note="secret strength")  # fmt: skip
    b.measure(lab, "M-1", "strength", [b.value("compressive_strength", 31.0)], kind="mix", basis="",
              visibility="institute", note="secret trial")  # fmt: skip
    seen = search(lab.store, "secret", viewer="Li")["entity"].tolist()
    assert seen == ["sample", "mix", "specimen", "measurement", "measurement", "measurement"]
    assert search(lab.store, "secret", viewer="Chen").empty
    assert measurements(lab.store, viewer="Chen").empty
    assert len(search(lab.store, "secret")) == 6
