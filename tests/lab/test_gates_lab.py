"""Gates that look at what the laboratory holds: earlier results, people, instruments, other samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from _gate_drafts import RED_MUD, draft, said, values_of
from sqlalchemy import Connection

from wastelab.lab.drafts import Context, Draft
from wastelab.lab.gates import run
from wastelab.lab.gates.facts import _spans
from wastelab.lab.lab import Lab


@pytest.fixture
def held(new_lab: Callable[..., Lab]) -> Lab:
    """A laboratory with two samples, people, instruments and one synthetic analysis."""
    lab = new_lab()
    lab.add("person", name="Li Wei", name_zh="李伟")
    lab.add("sample", code="RM-XY-03", waste_class="red_mud", collected_at="2026-03-10")
    lab.add("sample", code="RM-XY-030", waste_class="red_mud")
    lab.add("sample", code="FA-7", waste_class="fly_ash")
    for code, state in (("XRF-1", "in_service"), ("XRF-2", "out_of_service"), ("XRF-3", "in_service")):
        lab.add("instrument", code=code, technique="XRF", state=state)
    lab.add("calibration", instrument="XRF-1", calibrated_at="2026-01-05", valid_until="2026-12-31")
    with lab.store.write("synthetic result") as act:
        rows = [{"quantity": k, "unit": "wt%", "value": x, "basis": 2, "flag": 0} for k, x in RED_MUD.items()]
        act.insert("measurement", {"sample": act.uid("sample", "RM-XY-03"), "technique": "XRF", "basis": "dry",
                                   "measured_at": "2026-03-12", "values": rows})  # fmt: skip
    return lab


@pytest.fixture
def conn(held: Lab) -> Iterator[Connection]:
    with held.store.read() as connection:
        yield connection


@pytest.fixture
def of(held: Lab, conn: Connection) -> Callable[..., Draft]:
    """Drafts on the samples of the laboratory."""
    from wastelab.lab.store import find_uid

    def make(
        technique: str = "XRF", numbers: Any = None, code: str = "RM-XY-03", instrument: str = "", **more: Any
    ) -> Draft:
        tool = find_uid(conn, "instrument", instrument) if instrument else None
        return draft(technique, numbers or RED_MUD | {"SiO2": 18.5}, code=code, uid=find_uid(conn, "sample", code),
                     instrument=tool, **more)  # fmt: skip

    return make


def test_a_replicate_of_a_stored_result(of, conn):
    assert said(of(), conn=conn) == {}
    off = of(numbers=RED_MUD | {"SiO2": 19.1})
    found = run([off], Context(conn, [off]))
    assert [(f.gate, f.quantity) for f in found] == [("repeatability", "SiO2")]
    assert "the earlier result 18.4 by 0.7; expected at most 0.2" in found[0].text()
    assert "早" in found[0].text("zh") or "先前结果 18.4" in found[0].text("zh")


def test_another_method_or_basis_is_no_replicate(of, conn):
    assert said(of(numbers=RED_MUD | {"SiO2": 19.1}, method="ISO 29581-2"), conn=conn) == {}
    ignited = of(numbers=values_of(RED_MUD | {"SiO2": 25.9}, basis="ignited"), basis="ignited")
    assert said(ignited, conn=conn) == {}


def test_stored_numbers_handed_in_again(of, conn):
    again = of(numbers=RED_MUD)
    found = run([again], Context(conn, [again]))
    assert [f.gate for f in found] == ["duplicate_data"]
    assert "of 2026-03-12 (replicate 1)" in found[0].text()


def test_oxides_already_stored_stand_beside_new_phases_and_free_lime(of, conn):
    assert said(of("QPA", {"phase:hematite": 45.0, "phase:amorphous": 55.0}), conn=conn) == {"phase_oxide": "warn"}
    assert said(of("QPA", {"phase:hematite": 28.0, "phase:amorphous": 72.0}), conn=conn) == {}
    assert said(of("free_lime", {"free_CaO": 13.5}), conn=conn) == {"free_lime": "refuse"}


@pytest.mark.parametrize(
    ("file", "code", "found"),
    [
        ("FA-7_XRF.xlsx", "RM-XY-03", True),
        ("RM-XY-03.xrdml", "RM-XY-03", False),
        ("RM-XY-030.xrdml", "RM-XY-03", True),
        ("RM-XY-030.xrdml", "RM-XY-030", False),
        ("赤泥rm-xy-03衍射2026.xrdml", "RM-XY-03", False),
        ("赤泥RM-XY-03衍射.xrdml", "FA-7", True),
        ("XRF_2026-03.xlsx", "RM-XY-03", False),
        ("vs FA-7 and RM-XY-03.csv", "RM-XY-03", False),
    ],
)
def test_the_sample_a_file_name_holds(of, conn, file, code, found):
    checked = of("XRD" if file.endswith("xrdml") else "LOI", {"LOI": 7.0}, code=code, file=file)
    assert said(checked, conn=conn) == ({"sample_identity": "warn"} if found else {})


def test_a_sheet_of_several_samples_may_be_named_after_one(of, conn):
    drafts = [of("LOI", {"LOI": 7.0}, code=c, file="FA-7.xlsx") for c in ("RM-XY-03", "FA-7")]
    assert said(*drafts, conn=conn) == {}


def test_codes_are_whole_pieces_of_a_name():
    assert "RM-XY-03" in {t for t, _, _ in _spans("a/b/赤泥RM-XY-03.xrdml")}
    assert not _spans("2026-03-02.csv")
    assert len(_spans("x1-" * 500)) < 200


def test_operators(of, conn, new_lab):
    assert said(of(operator="Li Wei"), conn=conn) == {}
    assert said(of(operator="李伟"), conn=conn) == {}
    assert said(of(operator="Li Wie"), conn=conn) == {"operator_unknown": "warn"}
    with new_lab(name="nobody").store.read() as other:  # nobody registered: any name will do
        assert said(draft("LOI", {"LOI": 7.0}, operator="Li Wie"), conn=other) == {}


@pytest.mark.parametrize(
    ("instrument", "date", "key"),
    [
        ("XRF-1", "2026-03-12", ""),
        ("XRF-1", "2026-12-31T23:00:00", ""),
        ("XRF-1", "2027-01-01", "gate.calibration_expired"),
        ("XRF-1", "2026-01-04", "gate.calibration_expired"),
        ("XRF-2", "2026-03-12", "gate.out_of_service"),
        ("XRF-3", "2026-03-12", "gate.calibration_none"),
    ],
)
def test_calibration(of, conn, instrument, date, key, monkeypatch):
    checked = of(instrument=instrument, measured_at=date)
    found = [f for f in run([checked], Context(conn, [checked])) if f.gate == "calibration"]
    assert [f.key for f in found] == ([key] if key else [])
    assert all(instrument in f.text(lang) for f in found for lang in ("en", "zh"))


def test_measured_before_the_sample_was_collected(of, conn):
    assert said(of(measured_at="2026-03-09"), conn=conn) == {"date": "warn"}
    assert said(of(measured_at="2026-03-10T08:00:00"), conn=conn) == {}
    assert said(of(measured_at="2026-03"), conn=conn) == {}


def test_facts_do_not_outlive_their_context(of, conn):
    import gc
    import weakref

    from wastelab.lab.gates.facts import _FACTS

    checked = of()
    context = Context(conn, [checked])
    run([checked], context)
    gone = weakref.ref(context)
    assert context in _FACTS
    del context
    gc.collect()
    assert gone() is None
