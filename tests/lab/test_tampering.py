"""What somebody writes past wastelab stays visible: no later act may confirm it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import builders as b
import numpy as np
import pytest
from sqlalchemy import text

from wastelab.errors import IntegrityError
from wastelab.instruments.base import Reading, Value
from wastelab.lab import audit
from wastelab.lab.lab import Lab

OXIDES = {"SiO2": 20.0, "Al2O3": 20.0, "Fe2O3": 40.0, "CaO": 5.0, "Na2O": 5.0, "LOI": 9.5}


def tamper(lab: Lab, *statements: str) -> None:
    """Change the catalogue past wastelab, as somebody with a database tool would."""
    with closing(sqlite3.connect(lab.store.root / "catalogue.sqlite")) as conn:
        for statement in statements:
            conn.execute(statement)
        conn.commit()


def reading(code: str) -> Reading:
    return Reading("XRF", values=[Value(k, v, "wt%", basis="dry") for k, v in OXIDES.items()], sample=code,
                   completeness="declared")  # fmt: skip


def kinds(lab: Lab, **options: Any) -> set[str]:
    return {p.kind for p in lab.verify(**options).problems}


@pytest.fixture
def one(new_lab: Callable[..., Lab]) -> tuple[Lab, str]:
    """A laboratory with one analysis; its uid."""
    lab = new_lab()
    b.sample(lab, "A")
    return lab, b.measure(lab, "A", "XRF", OXIDES)


ACTS: dict[str, Callable[[Lab, str], object]] = {
    "verify": lambda lab, uid: lab.set_status(uid, "verified", by="boss"),
    "retract": lambda lab, uid: lab.set_status(uid, "retracted", by="boss", reason="wrong"),
    "note": lambda lab, uid: lab.change("measurement", uid, reason="x", note="seen"),
    "supersede": lambda lab, uid: lab.ingest([reading("A")], supersedes=uid, reason="again"),
}


@pytest.mark.parametrize("act", ACTS)
def test_no_act_confirms_a_changed_result(one: tuple[Lab, str], act: str) -> None:
    lab, uid = one
    tamper(lab, "UPDATE value SET value = 60 WHERE value = 20")
    before = lab.head()
    with pytest.raises(IntegrityError, match=f"{uid}.*not as the audit trail recorded it"):
        ACTS[act](lab, uid)
    assert lab.head() == before and kinds(lab) == {"record_changed"}


def test_no_change_confirms_a_changed_sample(one: tuple[Lab, str]) -> None:
    lab, _ = one
    tamper(lab, "UPDATE sample SET mass_kg = 7")
    with pytest.raises(IntegrityError, match="sample A "):
        lab.change("sample", "A", reason="x", note="dry")
    tamper(lab, "UPDATE sample SET mass_kg = NULL")
    lab.change("sample", "A", reason="x", note="dry")
    assert lab.verify().ok


def test_two_changes_of_one_record_in_one_act(one: tuple[Lab, str]) -> None:
    lab, _ = one
    with lab.store.write("twice") as act:
        key = act.insert("sample", {"code": "B", "waste_class": "raw"})
        act.change("sample", key, {"note": "first"})
        act.change("sample", key, {"note": "second"})
    assert lab.verify().ok


def test_a_confirmed_change_of_the_past_is_named(one: tuple[Lab, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue in which an earlier version confirmed what was edited: the fields do not add up."""
    from wastelab.lab.store import Act

    lab, uid = one
    lab.change("measurement", uid, reason="x", note="first")
    tamper(lab, "UPDATE value SET value = 60 WHERE value = 20")
    with monkeypatch.context() as m:
        m.setattr(Act, "unchanged", lambda *_: None)
        lab.set_status(uid, "verified", by="boss")
    report = lab.verify()
    assert [p.kind for p in report.problems] == ["record_history"]
    assert uid in report.text("en") and uid in report.text("zh")


def test_a_long_honest_history_adds_up(one: tuple[Lab, str]) -> None:
    lab, uid = one
    b.sample(lab, "S")
    lab.add("source", code="HEAP")
    for n in range(4):
        lab.change("sample", "S", reason="x", note=f"{n}", mass_kg=0.1 * n)
    lab.change("sample", "S", reason="x", source="HEAP")
    lab.set_status(uid, "verified", by="boss")
    lab.set_status(uid, "retracted", by="boss", reason="wrong")
    assert lab.verify().ok


# -- what else the trail knows of


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE raw SET filename = 'other.xlsx'", {"raw_changed"}),
        ("UPDATE raw SET received_at = '2020-01-01T00:00:00.000000Z'", {"raw_changed"}),
        ("UPDATE meta SET value = '2020-01-01T00:00:00.000000Z' WHERE key = 'created_at'", {"meta"}),
        ("INSERT INTO meta (key, value) VALUES ('colour', 'red')", {"meta_extra"}),
        ("CREATE TRIGGER t AFTER INSERT ON sample BEGIN DELETE FROM value; END", {"schema"}),
        ("CREATE VIEW v AS SELECT * FROM sample", {"schema"}),
        ("UPDATE measurement SET status = 'hidden'", {"record_changed", "choice"}),
    ],
)
def test_what_was_edited_is_named(one: tuple[Lab, str], statement: str, expected: set[str]) -> None:
    lab, _ = one
    with lab.store.write("raw") as act:
        act.put_raw(b"data", "a.txt")
    assert lab.verify().ok
    tamper(lab, statement)
    assert kinds(lab) == expected


def test_triggers_and_views_of_any_engine_are_named(lab: Lab) -> None:
    with lab.store.engine.connect().execution_options(wastelab_write=True) as conn, conn.begin():
        conn.execute(text("CREATE VIEW shown AS SELECT code FROM sample"))
    assert "shown" in lab.verify().problems[0].what


def test_a_note_of_an_earlier_version_stays_good(one: tuple[Lab, str]) -> None:
    """Earlier versions noted the hash of a raw file's content and nothing else of it."""
    from wastelab.lab.files import sha256

    lab, _ = one
    sha = sha256(b"old")
    lab.store.vault.put(b"old")
    with lab.store.write("as an earlier version did") as act:
        act.conn.execute(text("INSERT INTO raw (sha256, size, filename, received_at, quarantined) "
                              f"VALUES ('{sha}', 3, 'old.txt', '{act.at}', 0)"))  # fmt: skip
        act.note("raw", sha, "insert", sha)
    assert lab.verify().ok
    assert audit.raw_digest(sha256=sha, size=3, filename="old.txt", received_at="t") != sha


# -- the curve cache


def stacked(lab: Lab, count: int = 40) -> None:
    codes = b.samples(lab, count)
    with lab.store.write("synthetic curves") as act:
        act.insert_many("measurement", [
            b.measurement(act, "sample", c, "XRD", basis="",
                          curve=b.pattern(n, points=60) if n < count - 3 else b.pattern(n, 30 + n))
            for n, c in enumerate(codes)
        ])  # fmt: skip


def rewrite(lab: Lab, part: str, change: Callable[[Any], Any]) -> None:
    """Change rows of the stack with another program, checksums and all."""
    import h5py

    (file,) = (lab.store.root / "cache").glob("curves-XRD-*.h5")
    with h5py.File(file, "r+") as f:
        f[part][...] = change(f[part][()])


@pytest.mark.parametrize("part", ["block00000/data/intensity", "block00000/data/two_theta", "loose/bytes"])
def test_an_altered_stack_is_not_believed(new_lab: Callable[..., Lab], part: str) -> None:
    lab = new_lab()
    stacked(lab)
    first = lab.curves("XRD", step=0.02)

    def change(data: Any) -> Any:
        if part == "loose/bytes":
            from wastelab.instruments.container import pack_arrays

            body = bytearray(data.tobytes())
            size = len(pack_arrays(b.pattern(37, 67)))
            other = pack_arrays(b.pattern(37, 67, 6.0))
            body[:size] = other if len(other) == size else body[: size - 1] + bytes([body[size - 1] ^ 1])
            return np.frombuffer(bytes(body), np.uint8)
        return data + 1

    rewrite(lab, part, change)
    assert kinds(lab) == {"cache_changed"}
    assert lab.curves("XRD", step=0.02).identical(first)
    assert lab.verify().ok  # it was made again


def test_a_damaged_stack_is_a_note(new_lab: Callable[..., Lab]) -> None:
    lab = new_lab()
    stacked(lab)
    lab.curves("XRD", step=0.02)
    (file,) = (lab.store.root / "cache").glob("curves-XRD-*.h5")
    file.write_bytes(file.read_bytes()[:1000])
    report = lab.verify()
    assert report.ok and [n.kind for n in report.notes] == ["cache_damaged"]
