"""The store: acts are whole or nothing, audited, and the same on every engine."""

from __future__ import annotations

import math

import pytest
from _synthetic import fill, pattern, store_results
from sqlalchemy import func, select, text

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab import schema as s
from wastelab.lab.entities import ENTITIES, complete, digest, load
from wastelab.lab.lab import Lab
from wastelab.lab.store import uuid7


def test_an_act_that_fails_leaves_nothing(lab: Lab) -> None:
    fill(lab, 1)
    before = lab.info()["counts"], lab.head()
    with pytest.raises(RuntimeError), lab.store.write("upload") as act:
        act.put_raw(b"never named", "x.txt")
        act.insert("sample", {"code": "GONE", "waste_class": "red_mud"})
        raise RuntimeError
    assert (lab.info()["counts"], lab.head()) == before
    with lab.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(s.raw).where(s.raw.c.filename == "x.txt")).scalar() == 0


def test_records_come_back_as_they_were_hashed(lab: Lab) -> None:
    fill(lab, 3)
    with lab.store.read() as conn:
        seen = 0
        for name, kind in ENTITIES.items():
            for record in load(conn, name).values():
                last = conn.execute(
                    select(s.audit_item.c.digest)
                    .where((s.audit_item.c.uid == record["uid"]) & (s.audit_item.c.entity == name))
                    .order_by(s.audit_item.c.seq.desc(), s.audit_item.c.ordinal.desc())
                ).first()
                assert last is not None and last[0] == digest(record) == digest(complete(kind, record)), name
                seen += 1
    assert seen == 1 + 1 + 1 + 3 + 1 + 1 + 3 + 9


def test_load_of_a_few_equals_load_of_all(lab: Lab) -> None:
    fill(lab, 3)
    with lab.store.read() as conn:
        for name in ENTITIES:
            everything = load(conn, name)
            for key, record in everything.items():
                assert load(conn, name, [key]) == {key: record}
            assert load(conn, name, []) == {}


@pytest.mark.parametrize("number", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 0.0, 1 / 3, 2.0**60])
def test_numbers_survive_to_the_last_bit(lab: Lab, number: float) -> None:
    with lab.store.write("add") as act:
        key = act.insert("sample", {"code": "N", "waste_class": "raw", "mass_kg": number})
    with lab.store.read() as conn:
        record = load(conn, "sample", [key])[key]
        item = conn.execute(select(s.audit_item.c.digest).where(s.audit_item.c.uid == record["uid"])).scalar()
    assert record["mass_kg"] == number
    assert math.copysign(1, record["mass_kg"]) == 1  # minus zero is stored as zero on every engine
    assert item == digest(record)


@pytest.mark.parametrize("bad", ["a\x00b", "lone \ud800 surrogate"])
def test_text_that_no_catalogue_can_hold_is_refused(lab: Lab, bad: str) -> None:
    with pytest.raises(LabError, match="note"), lab.store.write("add") as act:
        act.insert("sample", {"code": "T", "waste_class": "raw", "note": bad})
    assert lab.info()["counts"]["sample"] == 0


def test_text_with_a_backslash_that_looks_like_an_escape_is_kept(lab: Lab) -> None:
    lab.add("sample", code="T", waste_class="raw", note="C:\\u0000 \\ud800")
    with lab.store.read() as conn:
        assert next(iter(load(conn, "sample").values()))["note"] == "C:\\u0000 \\ud800"


def test_nan_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match="mass_kg"), lab.store.write("add") as act:
        act.insert("sample", {"code": "T", "waste_class": "raw", "mass_kg": math.nan})


def test_change_notes_old_and_new(lab: Lab) -> None:
    fill(lab, 1)
    lab.change("sample", "RM-001", reason="typo", note="wet")
    with lab.store.read() as conn:
        item = conn.execute(select(s.audit_item).order_by(s.audit_item.c.seq.desc())).mappings().first()
    assert item is not None and item["detail"] == '{"note":["","wet"]}' and item["change"] == "update"
    head = lab.head()
    lab.change("sample", "RM-001", reason="again", note="wet")  # nothing changes: no event
    assert lab.head() == head
    with pytest.raises(LabError, match="cannot be changed in place"):
        lab.change("sample", "RM-001", reason="no", code="RM-002")


def test_a_reference_into_nowhere_is_refused(lab: Lab) -> None:
    with pytest.raises(UnknownNameError, match="no source"), lab.store.write("add") as act:
        act.insert("sample", {"code": "T", "waste_class": "raw", "source": uuid7()})
    assert lab.info()["counts"]["sample"] == 0


def test_the_same_raw_file_is_kept_once_and_released(lab: Lab) -> None:
    with lab.store.write("refused") as act:
        sha = act.put_raw(b"data", "a.txt", quarantined=True)
    with lab.store.write("stored") as act:
        assert act.put_raw(b"data", "b.txt") == sha
    with lab.store.write("again") as act:
        act.put_raw(b"data", "c.txt", quarantined=True)  # a stored file does not go back
    assert act.event == ""
    with lab.store.read() as conn:
        assert [tuple(r) for r in conn.execute(select(s.raw.c.filename, s.raw.c.quarantined))] == [("a.txt", 0)]
    assert lab.store.vault.get(sha) == b"data"


def test_a_reader_sees_one_state(lab: Lab) -> None:
    fill(lab, 1)
    with lab.store.read() as conn:
        first = conn.execute(select(func.count()).select_from(s.measurement)).scalar()
        store_results(lab, "RM-001", seed=99)
        assert conn.execute(select(func.count()).select_from(s.measurement)).scalar() == first
    with lab.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(s.measurement)).scalar() == first + 3


def test_a_reader_cannot_write(lab: Lab) -> None:
    with pytest.raises(LabError), lab.store.read() as conn:
        conn.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))


def test_curves_of_either_store_are_found(lab: Lab) -> None:
    from wastelab.lab.curves import BlobCurves, FileCurves

    variables = pattern(1)
    files, blob = FileCurves(lab.store.curve_files), BlobCurves()
    with lab.store.write("two forms") as act:
        shas = [c.put(act.conn, [c.encode(variables, {"a": "b"})])[0] for c in (files, blob)]
        act.note("test", "curves", "insert", shas)
    assert shas[0] != shas[1]
    with lab.store.read() as conn:
        for sha in shas:
            found, attrs = lab.store.curve(conn, sha)
            assert attrs == {"a": "b"} and list(found) == list(variables)
            for name, var in variables.items():
                assert (found[name].data == var.data).all() and found[name].data.dtype == var.data.dtype


def test_uids_are_ordered_in_time() -> None:
    uids = [uuid7() for _ in range(1000)]
    assert len(set(uids)) == 1000 and all(u[14] == "7" and u[19] in "89ab" for u in uids)
    assert [u[:13] for u in uids] == sorted(u[:13] for u in uids)
