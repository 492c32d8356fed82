"""Binding readings to samples, converting values, replicates and supersession; every number here is synthetic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from wastelab.errors import LabError, UploadError
from wastelab.instruments.base import Reading, Value, Variable
from wastelab.lab import schema as s
from wastelab.lab.entities import load
from wastelab.lab.intake import Options, Plan, plan
from wastelab.lab.lab import Lab
from wastelab.lab.options import age_days


@pytest.fixture
def here(new_lab: Callable[..., Lab]) -> Lab:
    """A laboratory with two samples, a mix, a specimen and an instrument."""
    lab = new_lab("sqlite-files")
    lab.add("source", code="HEAP-1", name_zh="东堆场")
    lab.add("sample", code="RM-01", waste_class="red_mud", name="Bayer red mud")
    lab.add("sample", code="FA-01", waste_class="fly_ash")
    lab.add("mix", code="M-1", components=[{"sample": "RM-01", "fraction": 1.0}])
    lab.add("specimen", code="M-1-a", mix="M-1")
    lab.add("instrument", code="XRF-1", technique="XRF")
    lab.add("calibration", instrument="XRF-1", calibrated_at="2025-01-01", valid_until="2025-12-31", certificate="old")
    lab.add("calibration", instrument="XRF-1", calibrated_at="2026-01-01", valid_until="2026-12-31", certificate="new")
    return lab


def xrf(sample: str = "RM-01", *values: Value, **more: Any) -> Reading:
    """Contents that add up to 100."""
    found = values or (
        Value("SiO2", 22.0, "wt%"), Value("Al2O3", 25.0, "wt%"), Value("Fe2O3", 20.0, "wt%"), Value("CaO", 12.0, "wt%"),
        Value("Na2O", 9.0, "wt%"), Value("TiO2", 3.0, "wt%"), Value("LOI", 9.0, "wt%"),
    )  # fmt: skip
    return Reading("XRF", values=found, sample=sample, where=more.pop("where", "row 2"), **more)


def planned(lab: Lab, *readings: Reading, **options: Any) -> Plan:
    with lab.store.read() as conn:
        return plan(lab.store, conn, readings, "file.csv", Options.of(options))


def refusals(made: Plan) -> list[str]:
    return [f.key.removeprefix("receipt.") for f in made.findings if f.severity == "refuse"]


def records(lab: Lab, name: str = "measurement") -> list[dict[str, Any]]:
    with lab.store.read() as conn:
        return list(load(conn, name).values())


# -- which sample


@pytest.mark.parametrize("name", ["RM-01", "rm-01", "ＲＭ－01", " RM-01 "])
def test_a_name_is_found_in_another_case_and_width(here: Lab, name: str) -> None:
    made = planned(here, xrf(name))
    assert not refusals(made)
    assert (made.drafts[0].code, made.drafts[0].waste_class, made.drafts[0].is_new) == ("RM-01", "red_mud", False)
    assert "Bayer" in made.drafts[0].subtype


def test_another_case_is_refused_where_two_codes_fit(here: Lab) -> None:
    here.add("sample", code="rm-01", waste_class="red_mud")
    made = planned(here, xrf("Rm-01"))
    assert "ambiguous_sample" in refusals(made)
    assert any("RM-01, rm-01" in f.text() for f in made.findings)
    assert planned(here, xrf("rm-01")).drafts[0].code == "rm-01"


def test_what_a_person_says_goes_before_the_file(here: Lab) -> None:
    assert planned(here, xrf("scan 1"), sample="FA-01").drafts[0].code == "FA-01"
    made = planned(here, xrf("scan 1", fields={"mix": "M-1"}), specimen="M-1-a")
    assert (made.drafts[0].target, made.drafts[0].code) == ("specimen", "M-1-a")


def test_a_specimen_or_mix_column_goes_before_the_sample_name(here: Lab) -> None:
    made = planned(here, xrf("RM-01", fields={"mix": "M-1"}), xrf("x", fields={"specimen": "M-1-a", "mix": "M-1"}))
    assert [(d.target, d.code) for d in made.drafts] == [("mix", "M-1"), ("specimen", "M-1-a")]


def test_an_unregistered_number_on_a_cube_goes_to_its_mix_and_is_kept(here: Lab) -> None:
    made = planned(here, xrf("3", fields={"specimen": "cube 3", "mix": "M-1"}))
    assert (made.drafts[0].target, made.drafts[0].code) == ("mix", "M-1")
    assert json.loads(made.drafts[0].record["conditions"])["fields"]["specimen"] == "cube 3"


def test_a_sample_column_may_name_a_mix_or_specimen(here: Lab) -> None:
    made = planned(here, xrf("M-1"), xrf("m-1-A"))
    assert [(d.target, d.code) for d in made.drafts] == [("mix", "M-1"), ("specimen", "M-1-a")]


def test_an_unknown_sample_is_refused_with_near_codes_and_remedies(here: Lab) -> None:
    made = planned(here, xrf("RM-O1"))
    (finding,) = [f for f in made.findings if f.severity == "refuse" and f.key == "receipt.unknown_sample"]
    assert finding.gate == "sample_identity"
    said = finding.text("en")
    assert "file.csv, row 2 (sample RM-O1)" in said and "near: RM-01" in said
    assert "wastelab add sample 'RM-O1'" in said and "--class" in said
    assert "相近的有:RM-01" in finding.text("zh")
    assert made.samples == []


def test_a_reading_without_any_name_is_refused(here: Lab) -> None:
    assert "no_sample" in refusals(planned(here, xrf("")))


def test_one_sample_given_for_a_file_of_several_is_refused(here: Lab) -> None:
    made = planned(here, xrf("RM-01"), xrf("FA-01", where="row 3"), sample="RM-01")
    assert "several_samples" in refusals(made)


def test_a_file_that_names_another_registered_sample_warns(here: Lab) -> None:
    made = planned(here, xrf("FA-01"), sample="RM-01")
    assert not refusals(made)
    assert any(f.key == "receipt.other_sample" and f.severity == "warn" for f in made.findings)


def test_an_instrument_file_never_makes_a_sample(here: Lab) -> None:
    assert "unknown_sample" in refusals(planned(here, xrf("NEW-1"), waste_class="red_mud"))
    made = planned(here, xrf("NEW-1"), waste_class="赤泥", create_samples=True, source="HEAP-1")
    assert not refusals(made)
    assert [(r["code"], r["waste_class"]) for r in made.samples] == [("NEW-1", "red_mud")]
    assert made.samples[0]["source"] is not None


def test_a_class_column_makes_the_sample_once_with_all_that_is_said(here: Lab) -> None:
    fields = {
        "waste_class": "赤泥",
        "source": "东堆场",
        "process": "烘干",
        "parent": "RM-01",
        "collected_at": "2026-02-01",
    }
    here.ingest([xrf("NEW-1", fields=fields), xrf("NEW-1", Value("SiO2", 1.0, "wt%"), where="row 3")])
    (new,) = [r for r in records(here, "sample") if r["code"] == "NEW-1"]
    (heap,) = records(here, "source")
    assert (new["source"], new["collected_at"]) == (heap["uid"], "2026-02-01")
    assert json.loads(new["process"]) == {"step": "dried"}
    assert new["parent"] == next(r["uid"] for r in records(here, "sample") if r["code"] == "RM-01")
    assert sum(m["sample"] == new["uid"] for m in records(here)) == 2


def test_a_parent_may_stand_in_the_same_file_below_its_child(here: Lab) -> None:
    made = planned(
        here, xrf("C", fields={"waste_class": "red_mud", "parent": "P"}), xrf("P", fields={"waste_class": "red_mud"})
    )
    assert not refusals(made)
    assert [r["code"] for r in made.samples] == ["P", "C"]
    assert made.samples[1]["parent"] == made.samples[0]["uid"]


def test_ancestors_in_a_circle_are_refused(here: Lab) -> None:
    made = planned(
        here,
        xrf("A", fields={"waste_class": "red_mud", "parent": "B"}),
        xrf("B", fields={"waste_class": "red_mud", "parent": "A"}),
    )
    assert refusals(made)
    assert "unknown_parent" in refusals(planned(here, xrf("A", fields={"waste_class": "red_mud", "parent": "A"})))


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"waste_class": "mud"}, "unknown_class"),
        ({"waste_class": "red_mud", "source": "HEAP-2"}, "unknown_source"),
        ({"waste_class": "red_mud", "parent": "RM-09"}, "unknown_parent"),
        ({"waste_class": "red_mud", "collected_at": "2026-02-31"}, "form"),
    ],
)
def test_what_describes_a_new_sample_must_exist(here: Lab, fields: dict[str, str], key: str) -> None:
    assert key in refusals(planned(here, xrf("NEW-1", fields=fields)))


def test_a_sample_described_in_two_ways_is_refused(here: Lab) -> None:
    made = planned(
        here, xrf("N", fields={"waste_class": "red_mud"}), xrf("N", fields={"waste_class": "fly_ash"}, where="row 9")
    )
    assert "two_ways" in refusals(made)


def test_the_class_of_a_registered_sample_may_not_be_contradicted(here: Lab) -> None:
    assert "other_class" in refusals(planned(here, xrf("RM-01", fields={"waste_class": "粉煤灰"})))
    assert not refusals(planned(here, xrf("RM-01", fields={"waste_class": "赤泥"})))


# -- values


def test_units_are_converted_exactly(here: Lab) -> None:
    made = planned(
        here,
        xrf(
            "RM-01", Value("SiO2", 0.21, "kg/kg", sigma=0.001, k=2.0), Value("Cl", None, "mg/kg", lod=50.0,
            flag="below_detection"), Value("Al2O3", 70.0, "%"),
        ),
    )  # fmt: skip
    values = {v.quantity: v for v in made.drafts[0].values}
    assert (values["SiO2"].value, values["SiO2"].sigma, values["SiO2"].unit, values["SiO2"].k) == (
        21.0,
        0.1,
        "wt%",
        2.0,
    )
    assert (values["Cl"].value, values["Cl"].lod, values["Cl"].flag) == (None, 0.005, "below_detection")


def test_values_are_stored_as_they_were_planned(here: Lab) -> None:
    here.ingest(
        [xrf("RM-01", Value("SiO2", 0.21, "kg/kg", sigma=0.001, k=2.0, basis="dry", text="0.21±0.002", where="B2"),
             Value("Cl", None, "mg/kg", lod=50.0, flag="below_detection"), Value("CaO", 70.0, "%"))],
        basis="干基",
    )  # fmt: skip
    (m,) = records(here)
    assert m["values"][0] == {
        "quantity": "SiO2", "unit": "wt%", "value": 21.0, "sigma": 0.1, "k": 2.0, "lod": None, "flag": 0,
        "basis": s.BASES.index("dry"), "text": "0.21±0.002", "place": "B2",
    }  # fmt: skip
    assert m["values"][1]["value"] is None and m["values"][1]["lod"] == 0.005
    assert m["values"][1]["flag"] == s.FLAGS.index("below_detection")
    assert m["values"][1]["basis"] == s.BASES.index("dry")
    assert m["basis"] == "dry"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (Value("SiO2", 1.0, "MPa"), "sheet.unit_kind"),
        (Value("nonsense quantity", 1.0, "wt%"), "sheet.quoted"),
        (Value("SiO2", float("nan"), "wt%"), "not_finite"),
        (Value("SiO2", 1.0, "wt%", sigma=float("inf")), "not_finite"),
        (Value("Al2O3", 2.0, "wt%"), "twice"),
    ],
)
def test_what_is_no_value_is_refused(here: Lab, value: Value, key: str) -> None:
    found = planned(here, xrf("RM-01", Value("Al2O3", 30.0, "wt%", where="B2"), value))
    if key == "not_finite" and value.sigma:
        assert refusals(found)  # infinite numbers are refused by form already
    else:
        assert key in refusals(found)


def test_the_printed_sum_is_kept_and_is_no_oxide(here: Lab) -> None:
    made = planned(here, xrf("RM-01", Value("SiO2", 100.0, "wt%"), Value("oxide_sum", 21.3, "%")))
    assert [v.quantity for v in made.drafts[0].values] == ["SiO2"]
    assert json.loads(made.drafts[0].record["conditions"])["measured_sum"] == 21.3


def test_the_basis_of_a_value_goes_before_the_file_before_the_option(here: Lab) -> None:
    reading = xrf(
        "RM-01", Value("SiO2", 50.0, "%", basis="ignited"), Value("CaO", 50.0, "%"), fields={"basis": "收到基"}
    )
    assert [v.basis for v in planned(here, reading, basis="dry").drafts[0].values] == ["ignited", "as_received"]
    assert {v.basis for v in planned(here, xrf(), basis="dry").drafts[0].values} == {"dry"}
    made = planned(here, xrf())
    assert {v.basis for v in made.drafts[0].values if v.quantity != "LOI"} == {""}
    assert any(f.gate == "basis" and f.severity == "warn" for f in made.findings)
    assert "basis" in json.loads(made.drafts[0].record["flags"])


def test_a_basis_means_nothing_for_a_strength(here: Lab) -> None:
    reading = Reading("strength", values=[Value("compressive_strength", 42.5, "MPa")], sample="M-1")
    assert planned(here, reading, basis="dry").drafts[0].values[0].basis == ""


# -- the measurement


@pytest.mark.parametrize(
    ("text", "days"),
    [("28 d", 28.0), ("28天", 28.0), ("28d", 28.0), ("24 h", 1.0), ("12小时", 0.5), ("4 weeks", 28.0), ("0,5 d", 0.5),
     ("28", None), ("", None), ("two days", None), ("1 month", None)],
)  # fmt: skip
def test_ages_have_a_unit(text: str, days: float | None) -> None:
    assert age_days(text) == days


def test_an_age_without_a_unit_is_refused(here: Lab) -> None:
    assert "age" in refusals(planned(here, xrf(fields={"age": "28"})))
    assert planned(here, xrf(fields={"age": "7 d"}), age="28 d").drafts[0].record["age_days"] == 28.0


def test_the_calibration_is_the_one_valid_on_the_day(here: Lab) -> None:
    certificates = {c["uid"]: c["certificate"] for c in records(here, "calibration")}

    def certificate(at: str) -> str | None:
        record = planned(here, xrf(measured_at=at, instrument="XRF-1")).drafts[0].record
        assert record["instrument"] is not None
        return certificates.get(record["calibration"])

    assert certificate("2025-06-01T10:00:00") == "old"
    assert certificate("2026-12-31") == "new"
    assert certificate("2027-01-01") is None
    assert certificate("") is None


def test_an_instrument_that_is_not_registered_is_kept_as_text(here: Lab) -> None:
    made = planned(here, xrf(instrument="Axios mAX"))
    assert made.drafts[0].record["instrument"] is None
    assert json.loads(made.drafts[0].record["conditions"])["instrument"] == "Axios mAX"
    assert "unknown_instrument" in refusals(planned(here, xrf(), instrument="XRF-2"))


def test_what_a_person_says_replaces_what_the_file_says_and_both_are_kept(here: Lab) -> None:
    reading = xrf(measured_at="2026-03-02", method="quick", operator="User")
    made = planned(here, reading, measured_at="2026-03-03", method="GB/T 176-2017", operator="Li Wei", technique="xrf")
    record = made.drafts[0].record
    assert (record["measured_at"], record["method"], record["operator"]) == ("2026-03-03", "GB/T 176-2017", "User")
    kept = json.loads(record["conditions"])
    assert (kept["measured_at_in_file"], kept["method_in_file"]) == ("2026-03-02", "quick")
    assert planned(here, xrf(), operator="Li Wei").drafts[0].record["operator"] == "Li Wei"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-06-23T16:09:43+02:00", "2026-06-23T16:09:43"),
        ("2023-01-26T15:23:09.837152-0100", "2023-01-26T15:23:09.837152"),
        ("2026-03-02T06:05Z", "2026-03-02T06:05"),
        ("2026-03-02 06:05", "2026-03-02T06:05"),
        ("2026-03-02", "2026-03-02"),
    ],
)
def test_the_clock_of_the_instrument_is_kept_and_its_offset_beside_it(here: Lab, text: str, kept: str) -> None:
    record = planned(here, xrf(measured_at=text)).drafts[0].record
    assert record["measured_at"] == kept
    assert json.loads(record["conditions"] or "{}").get("measured_at_in_file", kept) == (text if text != kept else kept)


def test_a_date_that_is_none_is_refused(here: Lab) -> None:
    assert "form" in refusals(planned(here, xrf(measured_at="02.03.2026")))


def test_a_technique_for_a_file_of_several_is_refused(here: Lab) -> None:
    other = Reading("LOI", values=[Value("LOI", 9.0, "wt%")], sample="RM-01")
    assert "several_techniques" in refusals(planned(here, xrf(), other, technique="XRF"))
    assert "no_technique" in refusals(planned(here, Reading("", values=xrf().values, sample="RM-01")))


def test_metadata_is_bounded_and_says_what_is_missing(here: Lab) -> None:
    metadata = {"first": "x", **{f"key {n}": "y" * 1000 for n in range(100)}, "nan": float("nan"), "n": np.int32(3)}
    text = planned(here, xrf(metadata=metadata)).drafts[0].record["conditions"]
    kept = json.loads(text)
    assert len(text) <= 65_536
    assert kept["first"] == "x" and kept["nan"] == "nan" and kept["n"] == 3
    left = sum(k not in kept for k in metadata)
    assert left > 0 and kept["left_out"].startswith(f"{left} of {len(metadata)} ")


def test_warnings_and_other_columns_of_the_file_are_kept(here: Lab) -> None:
    kept = json.loads(
        planned(here, xrf(warnings=("row hidden",), fields={"note": "wet", "shift": "B"}))
        .drafts[0]
        .record["conditions"]
    )
    assert kept["warnings"] == ["row hidden"] and kept["fields"] == {"shift": "B"}


# -- replicates and supersession


def numbers(lab: Lab) -> list[int]:
    return [m["replicate"] for m in records(lab)]


def test_replicates_count_per_target_technique_method_and_age(here: Lab) -> None:
    def strength(age: str, value: float = 40.0, **fields: str) -> Reading:
        return Reading(
            "strength", values=[Value("compressive_strength", value, "MPa")], sample="M-1",
            fields={"age": age, **fields}, where=f"row {value}",
        )  # fmt: skip

    here.ingest([strength("7 d", 30.0), strength("7 d", 31.0), strength("28 d", 42.0)])
    here.ingest([strength("28 d", 43.0), strength("7 d", 32.0)])
    here.ingest([strength("7 d", 33.0, replicate="平行9"), strength("7 d", 34.0)])
    assert numbers(here) == [1, 2, 1, 2, 3, 9, 10]


def test_a_replicate_that_is_no_number_is_refused(here: Lab) -> None:
    assert "replicate" in refusals(planned(here, xrf(fields={"replicate": "first"})))


def test_nothing_of_a_superseded_result_leaks_into_its_successor(here: Lab) -> None:
    here.ingest(
        [xrf("RM-01", Value("SiO2", 99.0, "wt%"), Value("Cl", None, "wt%", lod=0.01, flag="below_detection",
             text="<0.01"), operator="Li Wei", method="old", metadata={"tube": "Rh"}, warnings=("strange",))],
        basis="dry", licence="CC-BY-4.0", visibility="public",
    )  # fmt: skip
    (old,) = records(here)
    here.ingest(
        [xrf("RM-01", Value("SiO2", 98.0, "wt%"), Value("Cl", 1.5, "wt%"))],
        supersedes=old["uid"],
        reason="shifted column",
    )
    before, after = records(here)
    assert (before["status"], after["status"]) == ("retracted", "draft")
    assert (after["supersedes"], after["replicate"]) == (old["uid"], old["replicate"])
    chloride = after["values"][1]
    assert (chloride["value"], chloride["flag"], chloride["lod"], chloride["text"], chloride["basis"]) == (
        1.5,
        0,
        None,
        None,
        0,
    )
    assert (after["operator"], after["method"], after["licence"], after["visibility"]) == ("", "", "", "group")
    assert "strange" not in after["conditions"] and "tube" not in after["conditions"]
    assert before["values"] == old["values"]
    with here.store.read() as conn:
        items = conn.execute(
            select(s.audit_item.c.change, s.audit_item.c.uid, s.audit_item.c.seq).where(
                s.audit_item.c.entity == "measurement"
            )
        ).all()
    assert [(i[0], i[1]) for i in items] == [
        ("insert", old["uid"]),
        ("superseded", old["uid"]),
        ("insert", after["uid"]),
    ]
    assert items[1][2] == items[2][2]  # one act


def test_only_one_living_result_of_the_same_technique_is_superseded(here: Lab) -> None:
    here.ingest([xrf()], basis="dry")
    (old,) = records(here)
    assert "supersedes_unknown" in refusals(planned(here, xrf(), supersedes="nothing"))
    assert "supersedes_several" in refusals(planned(here, xrf(), xrf("FA-01"), supersedes=old["uid"]))
    loi = Reading("LOI", values=[Value("LOI", 9.0, "wt%")], sample="RM-01")
    assert "supersedes_technique" in refusals(planned(here, loi, supersedes=old["uid"]))
    here.set_status(old["uid"], "retracted", by="Wang Fang", reason="wrong")
    assert "supersedes_retracted" in refusals(planned(here, xrf(), supersedes=old["uid"]))


def test_only_a_result_of_the_same_sample_is_superseded(here: Lab) -> None:
    here.ingest([xrf()], basis="dry")
    (old,) = records(here)
    made = planned(here, xrf("FA-01"), supersedes=old["uid"], reason="wrong bead", basis="dry")
    (finding,) = [f for f in made.findings if f.severity == "refuse"]
    assert finding.key == "receipt.supersedes_target" and made.superseded == []
    assert "RM-01" in finding.text("en") and "FA-01" in finding.text("en") and "RM-01" in finding.text("zh")
    with pytest.raises(UploadError, match="RM-01"):
        here.ingest([xrf("FA-01")], supersedes=old["uid"], reason="wrong bead", basis="dry")
    assert [m["status"] for m in records(here)] == ["draft"]
    on_mix = Reading("XRF", values=xrf().values, sample="x", fields={"mix": "M-1"})
    assert "supersedes_target" in refusals(planned(here, on_mix, supersedes=old["uid"], basis="dry"))
    assert not refusals(planned(here, xrf("rm-01"), supersedes=old["uid"], basis="dry"))


def test_a_verified_result_is_superseded_with_a_reason_and_by_those_who_may(here: Lab) -> None:
    here.ingest([xrf()], basis="dry")
    (old,) = records(here)
    here.set_status(old["uid"], "verified", by="Wang Fang")
    how: dict[str, Any] = {"supersedes": old["uid"], "basis": "dry"}
    assert refusals(planned(here, xrf(), **how)) == ["supersedes_reason"]
    assert not refusals(planned(here, xrf(), **how, reason="wrong dilution"))
    here.add("person", name="Wang Fang", role="reviewer")
    here.add("person", name="tester", role="technician")
    made = planned(here, xrf(), **how, reason="wrong dilution")
    (finding,) = [f for f in made.findings if f.severity == "refuse"]
    assert finding.key == "receipt.supersedes_role" and "Wang Fang" in finding.text("en")
    assert "tester" in finding.text("en") and "Wang Fang" in finding.text("zh")
    with pytest.raises(UploadError, match="reviewer"):
        here.ingest([xrf()], **how, reason="wrong dilution")
    assert [m["status"] for m in records(here)] == ["verified"]
    here.store.user = "Wang Fang"
    here.ingest([xrf()], **how, reason="wrong dilution")
    assert [m["status"] for m in records(here)] == ["retracted", "draft"]
    # A draft is the technician's own to correct.
    here.store.user = "tester"
    here.ingest([xrf()], supersedes=records(here)[1]["uid"], basis="dry")
    assert [m["status"] for m in records(here)] == ["retracted", "retracted", "draft"]


def test_the_same_replicate_number_twice_is_remarked(here: Lab) -> None:
    def remarked(*readings: Reading, **options: Any) -> list[str]:
        found = planned(here, *readings, basis="dry", **options).findings
        return [f.text() for f in found if f.key in ("receipt.replicate_taken", "receipt.replicate_twice")]

    one = xrf(fields={"replicate": "1"}, where="row 2", measured_at="2026-03-02")
    two = xrf(fields={"replicate": "平行1"}, where="row 3", measured_at="2026-03-02T10:00")
    (said,) = remarked(one, two)
    assert "row 3" in said and "row 2" in said and "replicate 1" in said
    assert not remarked(one, xrf(fields={"replicate": "2"}, where="row 3"), xrf(where="row 4"))
    assert here.ingest([one], basis="dry").ok
    (old,) = records(here)
    (said,) = remarked(two)
    assert old["uid"] in said and "2026-03-02" in said
    made = planned(here, two, basis="dry")
    assert not refusals(made) and "replicate_number" in made.drafts[0].record["flags"]
    # Another day, method, age or sample is another series; so is another part of the analysis, and a successor.
    day = xrf(fields={"replicate": "1"}, measured_at="2026-03-09")
    part = xrf("RM-01", Value("Cl", 0.1, "wt%"), fields={"replicate": "1"}, measured_at="2026-03-02")
    for other in (day, part, xrf("FA-01", fields={"replicate": "1"}), xrf(fields={"replicate": "1"}, method="quick")):
        assert not remarked(other)
    assert not remarked(two, supersedes=old["uid"])
    assert remarked(xrf(fields={"replicate": "1"}))  # no date: may well be the same
    here.set_status(old["uid"], "retracted", by="Wang Fang", reason="wrong")
    assert not remarked(two)


# -- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"smple": "RM-01"}, "Did you mean 'sample'"),
        ({"allow": ["oxide_summ"], "reason": "x"}, "Did you mean 'oxide_sum'"),
        ({"allow": ["oxide-sum"]}, "give a reason"),
        ({"allow": ["schema"], "reason": "x"}, "never lets anything pass"),
        ({"allow": "basis", "reason": "  "}, "give a reason"),
        ({"sample": "A", "mix": "B"}, r"sample \+ mix are all given"),
        ({"visibility": "everybody"}, "visibility = 'everybody'"),
        ({"basis": "wettish"}, "basis = 'wettish'"),
        ({"waste_class": "mud"}, "waste_class = 'mud'"),
        ({"technique": "XRFF"}, "no technique 'XRFF'"),
        ({"measured_at": "2026-02-30"}, "does not exist"),
        ({"age": "28"}, "with its unit"),
        ({"operator": 5}, "expected text"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_done(here: Lab, options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(LabError, match=said):
        here.ingest([xrf()], **options)
    assert records(here) == []


# -- readings of programs


def test_readings_of_one_sample_in_one_batch_make_it_once(here: Lab) -> None:
    fields = {"waste_class": "red_mud"}
    curve = {
        "two_theta": Variable(("two_theta",), 5.0 + 0.02 * np.arange(50), "degree"),
        "intensity": Variable(("two_theta",), np.arange(50, dtype=np.int32), "counts"),
    }
    readings = [
        r
        for n in range(5)
        for r in (xrf(f"N-{n}", fields=fields), Reading("XRD", variables=curve, sample=f"N-{n}", fields=fields))
    ]
    seen: list[tuple[int, int, str]] = []
    receipt = here.ingest(iter(readings), batch=2, basis="dry", progress=lambda *a: seen.append(a))
    assert receipt.ok and receipt.outcome == "stored" and len(receipt.measurements) == 10
    assert list(receipt.new_samples) == [f"N-{n}" for n in range(5)]
    assert [done for done, _, _ in seen] == [4, 8, 10]
    assert receipt.event == here.head()
    with here.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(s.upload)).scalar_one() == 3
        sha = (
            conn.execute(select(s.measurement.c.curve_sha).where(s.measurement.c.technique == "XRD")).scalars().first()
        )
        variables, attrs = here.store.curve(conn, sha)
    assert variables["intensity"].data.dtype == np.int32 and variables["two_theta"].data.dtype == np.float64
    assert attrs == {"Conventions": "CF-1.11", "title": "XRD of N-0", "technique": "XRD", "sample": "N-0"}


def test_a_curve_carries_the_code_of_its_sample_not_the_spelling_of_the_file(here: Lab) -> None:
    curve = {"x": Variable(("x",), np.arange(20.0), "1")}
    here.ingest([Reading("XRD", variables=curve, sample="rm-01")])
    (m,) = records(here)
    with here.store.read() as conn:
        assert here.store.curve(conn, m["curve_sha"])[1]["sample"] == "RM-01"


def test_a_refused_batch_leaves_nothing_and_those_before_it_stay(here: Lab) -> None:
    good = [xrf("RM-01"), xrf("FA-01")]
    with pytest.raises(
        UploadError, match=r"(?s)readings 3 to 4 were refused.*2 before them are.*'NEW-9' is not registered"
    ) as caught:
        here.ingest([*good, xrf("RM-01"), xrf("NEW-9"), xrf("RM-01")], batch=2, basis="dry")
    assert "near:" in str(caught.value).replace("\n", " ")
    assert len(records(here)) == 2 and len(records(here, "upload")) == 1
    assert "NEW-9" not in {r["code"] for r in records(here, "sample")}


def test_one_reading_may_be_given_alone(here: Lab) -> None:
    receipt = here.ingest(xrf(), basis="dry")
    assert receipt.ok and len(receipt.measurements) == 1 == len(records(here))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, r"readings = 5: expected a Reading, or several"),
        ("XRF", r"readings = 'XRF': expected a Reading"),
        ([xrf(), {"SiO2": 3}], r"reading 2 = \{'SiO2': 3\}: expected a Reading.*0 readings"),
        ([xrf(), [xrf()]], r"reading 2 = \[.*: expected a Reading"),
        ([xrf(), None], r"reading 2 = None: expected a Reading"),
        (None, r"readings = None: expected a Reading"),
    ],
)
def test_what_is_no_reading_is_said(here: Lab, given: Any, said: str) -> None:
    with pytest.raises(LabError, match=said):
        here.ingest(given, basis="dry")
    assert records(here) == []


def test_a_source_of_readings_that_fails_says_what_is_stored(here: Lab) -> None:
    def readings() -> Any:
        for n in range(7):
            yield xrf(f"N-{n}", fields={"waste_class": "red_mud"})
        raise OSError("instrument unplugged")

    with pytest.raises(
        UploadError, match=r"after 7 readings.*instrument unplugged.*(\d) readings in (\d) batches before are stored"
    ) as caught:
        here.ingest(readings(), batch=2, basis="dry")
    assert isinstance(caught.value.__cause__, OSError)
    assert f"{len(records(here))} readings in {len(records(here, 'upload'))} batches" in str(caught.value)
    assert len(records(here)) == 6  # all whole batches that came before
    with pytest.raises(UploadError, match=r"reading 3 = 5.*1 reading in 1 batch before are stored"):
        here.ingest([xrf("N-0", where="a"), xrf("N-1", where="b"), 5], batch=1, basis="dry")  # type: ignore[list-item]


@pytest.mark.parametrize(
    "reading",
    [
        Reading("XRD", variables={"x": Variable(("x",), np.array(["a"]), "1")}, sample="RM-01"),
        Reading("XRD", variables={"a/b": Variable(("a/b",), np.arange(3.0), "1")}, sample="RM-01"),
        Reading("XRD", variables={"x": Variable(("x",), np.arange(3.0), "")}, sample="RM-01"),
        Reading("XRD", variables={"x": Variable(("x", "y"), np.arange(3.0), "1")}, sample="RM-01"),
        Reading("XRF", values=[Value("SiO2", "21", "wt%")], sample="RM-01"),  # type: ignore[arg-type]
        Reading("XRF", values=[Value("SiO2", 21.0, "wt%", flag="fine")], sample="RM-01"),
        Reading("XRF", fields={"age": 28}, sample="RM-01"),  # type: ignore[dict-item]
        Reading("XRF", sample=None),  # type: ignore[arg-type]
    ],
)
def test_a_reading_that_is_none_is_refused_not_a_crash(here: Lab, reading: Reading) -> None:
    with pytest.raises(UploadError):
        here.ingest([reading])
    assert records(here) == []


# -- what must not break a store


def test_texts_that_a_store_cannot_hold_are_cleaned(new_lab: Callable[..., Lab], lab_kind: str) -> None:
    lab = new_lab(lab_kind)
    lab.add("sample", code="RM-01", waste_class="red_mud")
    reading = xrf(
        "RM-01\0\0", Value("SiO2", 21.0, "wt%", text="21\0", where="B2"), operator="Li\0", method="quick\ud800",
        metadata={"tube\0": "Rh\0", "half": "\ud800"}, fields={"note": "wet\0"}, warnings=("strange\0",),
    )  # fmt: skip
    assert lab.ingest([reading], basis="dry").ok
    (m,) = records(lab)
    assert (m["operator"], m["method"], m["note"], m["values"][0]["text"]) == ("Li", "quick?", "wet", "21")
    assert json.loads(m["conditions"])["half"] == "?"
    assert not lab.verify().problems


@pytest.mark.parametrize("code", ["x" * 101, "two\nlines", "tab\there"])
def test_a_new_code_is_short_and_printable(here: Lab, code: str) -> None:
    assert "bad_code" in refusals(planned(here, xrf(code, fields={"waste_class": "red_mud"})))


def test_many_unknown_names_are_refused_without_delay(here: Lab) -> None:
    here.ingest([xrf(f"known sample {n:05d}", fields={"waste_class": "red_mud"}) for n in range(1000)], batch=1000)
    made = planned(here, *(xrf(f"unknown samples {n:05d}", where=f"row {n}") for n in range(1000)))
    unknown = [f for f in made.findings if f.key == "receipt.unknown_sample"]
    assert len(unknown) == 1000
    assert sum(f.values["near"] != "-" for f in unknown) == 20


def test_two_spellings_of_a_new_code_are_one_sample(here: Lab) -> None:
    made = planned(here, xrf("New-1", fields={"waste_class": "red_mud"}), xrf("NEW-1", where="row 3"))
    assert [r["code"] for r in made.samples] == ["New-1"] and not refusals(made)
    assert {d.code for d in made.drafts} == {"New-1"}


def test_a_moisture_is_of_the_wet_material_whatever_the_basis_of_the_contents(here: Lab) -> None:
    for how in ({"basis": "dry"}, {}):
        reading = xrf(
            "RM-01", Value("SiO2", 100.0, "wt%"), Value("moisture", 25.0, "wt%"),
            fields={} if how else {"basis": "干基"},
        )  # fmt: skip
        found = {v.quantity: v.basis for v in planned(here, reading, **how).drafts[0].values}
        assert found == {"SiO2": "dry", "moisture": "as_received"}
        assert planned(here, reading, **how).drafts[0].record["basis"] == "dry"
    stated = xrf("RM-01", Value("moisture", 25.0, "wt%", basis="dry"))
    assert planned(here, stated, basis="dry").drafts[0].values[0].basis == "dry"
    here.ingest([xrf("RM-01", *xrf().values, Value("moisture", 25.0, "wt%"))], basis="dry")
    assert here.material("RM-01").composition.moisture == 25.0


def test_a_number_below_detection_is_its_limit(here: Lab) -> None:
    made = planned(
        here,
        xrf(
            "RM-01", Value("MgO", 0.5, "wt%", sigma=0.1, k=2.0, flag="below_detection"),
            Value("Cl", 30.0, "mg/kg", flag="below_detection", lod=50.0, text="30 <LOD"),
            Value("P2O5", -0.002, "wt%", flag="below_detection"),
        ),
    )  # fmt: skip
    found = {v.quantity: (v.value, v.sigma, v.k, v.lod, v.flag, v.text) for v in made.drafts[0].values}
    assert found == {
        "MgO": (None, None, None, 0.5, "below_detection", "printed 0.5 ± 0.1 wt%"),
        "Cl": (None, None, None, 0.005, "below_detection", "30 <LOD; printed 30 mg/kg"),
        "P2O5": (None, None, None, None, "below_detection", "printed -0.002 wt%"),
    }


def test_an_impossible_oxide_is_refused(here: Lab) -> None:
    made = planned(here, xrf("RM-01", Value("SiO2", 60.0, "wt%"), Value("Fe2O4", 40.0, "wt%", where="C2")))
    (finding,) = [f for f in made.findings if f.severity == "refuse"]
    assert "Fe2O3" in finding.text() and "C2" in finding.text()
