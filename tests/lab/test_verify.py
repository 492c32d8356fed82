"""verify: clean where it is clean, and every kind of damage is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from _synthetic import fill, store_results
from sqlalchemy import create_engine, delete, func, select, text, update

from wastelab.errors import IntegrityError
from wastelab.i18n import _catalogue
from wastelab.lab import audit, checks
from wastelab.lab import schema as s
from wastelab.lab.lab import Lab
from wastelab.lab.verify import MOST


def tamper(lab: Lab, statement: object) -> None:
    """Change the catalogue past wastelab, as somebody with a database tool would."""
    if lab.store.dialect == "sqlite":
        engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(lab.store.root / "catalogue.sqlite"))
    else:
        engine = create_engine(lab.store.engine.url)
    with engine.begin() as conn:
        if lab.store.dialect == "postgresql":
            conn.exec_driver_sql("SET session_replication_role = replica")  # no foreign keys
        conn.execute(text(statement) if isinstance(statement, str) else statement)  # type: ignore[call-overload]
    engine.dispose()


DAMAGE = [
    ("UPDATE sample SET mass_kg = 3 WHERE code = 'RM-002'", {"record_changed"}),
    ("UPDATE value SET value = 21.4 WHERE value IS NOT NULL", {"record_changed"}),
    ("UPDATE value SET flag = 0 WHERE flag = 1", {"record_changed"}),
    ("DELETE FROM value WHERE ordinal = 1", {"record_changed"}),
    ("UPDATE quantity SET unit = 'mg/kg' WHERE name = 'Cl'", {"record_changed"}),
    ("UPDATE mix_component SET fraction = 0.5", {"record_changed"}),
    ("UPDATE measurement SET status = 'verified' WHERE status = 'retracted'", {"record_changed"}),
    ("DELETE FROM quantity WHERE name = 'Cl'", {"record_changed", "reference"}),
    ("DELETE FROM specimen", {"record_missing", "reference"}),
    ("DELETE FROM source", {"record_missing", "record_changed", "reference"}),
    ("DELETE FROM sample WHERE code = 'RM-003'", {"record_missing", "record_changed", "reference"}),
    ("INSERT INTO person (id, uid, name, name_zh, email, role, grp, active, note) "
     "VALUES (9, 'x', 'x', '', '', 'admin', '', 1, '')", {"record_unaudited"}),
    ("UPDATE search_text SET text = 'nothing' WHERE entity = 'mix'", {"search"}),
    ("DELETE FROM raw", {"record_missing", "reference"}),
    ("UPDATE raw SET quarantined = 1", {"raw_state"}),
    ("UPDATE raw SET size = 1", {"raw_damaged"}),
    ("UPDATE meta SET value = 'other' WHERE key = 'name'", {"settings"}),
    ("UPDATE audit_event SET actor = 'somebody' WHERE seq = 3", {"chain_hash"}),
    ("UPDATE audit_event SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = 3", {"chain_hash", "chain_time"}),
    ("UPDATE audit_event SET reason = 'better' WHERE seq = 5", {"chain_hash"}),
    ("UPDATE audit_item SET digest = 'f' WHERE seq = 2", {"chain_hash", "record_changed"}),
    ("UPDATE audit_item SET detail = 'x' WHERE seq = 2", {"chain_hash"}),
    ("DELETE FROM audit_item WHERE seq = 11 AND ordinal = 0", {"chain_hash", "chain_items", "raw_unaudited"}),
    ("DELETE FROM audit_event WHERE seq = 4", {"chain_gap", "item_lost", "reference"}),
    ("CREATE INDEX ix_sample_note ON sample (note)", {"schema"}),
    ("ALTER TABLE person ADD COLUMN salary INTEGER", {"schema"}),
    ("UPDATE alembic_version SET version_num = '9999'", {"schema_version"}),
]  # fmt: skip


def kinds(lab: Lab, **options: object) -> set[str]:
    report = lab.verify(**options)  # type: ignore[arg-type]
    assert report.ok == (not report.problems)
    return {p.kind for p in report.problems}


def test_an_untouched_laboratory_is_clean(lab: Lab) -> None:
    codes = fill(lab, 3)
    receipt = store_results(lab, codes[0], seed=7)
    lab.change("sample", codes[1], reason="weighed", mass_kg=2.5)
    report = lab.verify(expect=receipt)
    assert report.ok and not report.notes, report.text()
    assert report.counts["events"] == 14 and report.counts["raw"] == 4 and report.counts["curves"] == 4
    assert report.counts["records"] == sum(lab.info()["counts"].values()) == 24
    assert report.head == lab.head() and report.counts["hashed_bytes"] > 1000
    assert receipt != report.head
    assert "Clean" in report.text("en") and "完好" in report.text("zh")


def test_an_empty_laboratory_is_clean(lab: Lab) -> None:
    assert lab.verify().ok


@pytest.mark.parametrize(
    ("kind", "statement", "expected"),
    [("sqlite-files", *d) for d in DAMAGE] + [("postgresql", *d) for d in DAMAGE[::4]],
)
def test_every_change_past_wastelab_is_named(
    new_lab: Callable[..., Lab], kind: str, statement: str, expected: set[str]
) -> None:
    lab = new_lab(kind)
    fill(lab, 3)
    tamper(lab, statement)
    found = kinds(lab, deep=False)
    assert found == expected


def test_a_rewritten_chain_shows_to_who_kept_a_receipt(lab: Lab) -> None:
    """Somebody who changes a record and recomputes every hash after it is found by one hash kept elsewhere."""
    codes = fill(lab, 1)
    receipt = store_results(lab, codes[0], seed=5)
    tamper(lab, update(s.audit_event).where(s.audit_event.c.seq == 2).values(actor="nobody"))
    with lab.store.engine.connect() as conn:
        events = conn.execute(select(s.audit_event).order_by(s.audit_event.c.seq)).mappings().all()
        prev, new = audit.GENESIS, {}
        for e in events:
            rows = conn.execute(
                select(s.audit_item).where(s.audit_item.c.seq == e["seq"]).order_by(s.audit_item.c.ordinal)
            )
            items = [audit.Item(r.entity, r.uid, r.change, r.digest, r.detail) for r in rows]
            new[e["seq"]] = (prev, prev := audit.event_hash(
                prev, e["seq"], e["at"], e["actor"], e["action"], e["reason"], e["version"], items
            ))  # fmt: skip
    for seq, (before, own) in new.items():
        tamper(lab, update(s.audit_event).where(s.audit_event.c.seq == seq).values(prev=before, hash=own))
    assert kinds(lab) == set()  # the chain alone cannot know
    assert kinds(lab, expect=receipt) == {"expect"}
    assert "does not occur" in lab.verify(expect=receipt).problems[0].what


def _flip(file: Path, at: int = 40) -> None:
    data = bytearray(file.read_bytes())
    data[at % len(data)] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(data))


def test_files_missing_damaged_and_foreign(lab: Lab) -> None:
    fill(lab, 3)
    vault = lab.store.vault
    shas = list(vault.hashes())
    vault.path(shas[0]).unlink()
    _flip(vault.path(shas[1]))
    (vault.folder / "notes.txt").write_text("mine")
    (vault.path(shas[2]).parent / "x").write_text("mine")
    orphan = vault.put(b"an upload that died")
    (lab.store.root / "tmp" / "abc.tmp").write_bytes(b"half")
    report = lab.verify()
    assert {p.kind: str(p.values["file"]) for p in report.problems} == {
        "raw_missing": str(vault.path(shas[0])),
        "raw_damaged": str(vault.path(shas[1])),
    }
    assert sorted(p.kind for p in report.notes) == ["foreign", "foreign", "orphan", "temporary"]
    assert any(str(vault.path(orphan)) in p.what for p in report.notes)
    assert kinds(lab, deep=False) == {"raw_missing"}
    with pytest.raises(IntegrityError, match="missing"):
        vault.get(shas[0])
    with pytest.raises(IntegrityError, match="does not match its hash"):
        vault.get(shas[1])
    # Written again, it is whole.
    text_ = report.text("en")
    assert "raw_missing" not in text_ and "backup" in text_
    assert {p["kind"] for p in report.to_dict()["problems"]} == {"raw_missing", "raw_damaged"}


def test_curves_missing_and_damaged(lab: Lab) -> None:
    fill(lab, 3)
    with lab.store.read() as conn:
        shas = sorted(
            r[0] for r in conn.execute(select(s.measurement.c.curve_sha).where(s.measurement.c.curve_sha != ""))
        )
    if lab.store.curves.name == "files":
        lab.store.curve_files.path(shas[0]).unlink()
        _flip(lab.store.curve_files.path(shas[1]), 300)
    else:
        tamper(lab, delete(s.curve_blob).where(s.curve_blob.c.sha256 == shas[0]))
        tamper(lab, update(s.curve_blob).where(s.curve_blob.c.sha256 == shas[1]).values(data=b"WLC1 nonsense"))
    report = lab.verify()
    assert {p.kind: p.values["curve"] for p in report.problems} == {"curve_missing": shas[0], "curve_damaged": shas[1]}
    for sha in shas[:2]:
        with lab.store.read() as conn, pytest.raises(IntegrityError):
            lab.store.curve(conn, sha)
    with lab.store.read() as conn:
        assert list(lab.store.curve(conn, shas[2])[0]) == ["two_theta", "intensity"]


def test_a_curve_that_is_no_curve(lab: Lab) -> None:
    with lab.store.write("x") as act:
        sha = act.put_curves([b"not a curve at all"])[0]
        act.insert("sample", {"code": "A", "waste_class": "raw", "uid": "u1"})
        act.insert("measurement", {"sample": "u1", "technique": "XRD", "curve_sha": sha})
    assert kinds(lab) == {"curve_unreadable"}


def test_many_problems_are_counted_and_not_all_listed(new_lab: Callable[..., Lab]) -> None:
    lab = new_lab("sqlite-files")
    with lab.store.write("bulk") as act:
        act.insert_many("sample", [{"code": f"S{n}", "waste_class": "raw"} for n in range(MOST + 50)])
    tamper(lab, "UPDATE sample SET note = 'x'")
    report = lab.verify()
    assert len(report.problems) == MOST and report.counts["found"]["record_changed"] == MOST + 50
    assert "50 more" in report.text("en") and f"{MOST + 50} problem" in report.text("en")


def test_pages_and_streams_join_without_a_seam(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lab, 5)
    whole = lab.verify()
    monkeypatch.setattr(checks, "_PAGE", 2)
    paged = lab.verify()
    assert paged.ok and paged.counts == whole.counts and paged.head == whole.head


def test_verify_while_others_write(lab: Lab) -> None:
    """Every report is of one state, however busy the laboratory is."""
    from threading import Thread

    codes = fill(lab, 2)
    stop: list[int] = []

    def work() -> None:
        seed = 100
        while not stop:
            store_results(lab, codes[0], seed=(seed := seed + 1))

    thread = Thread(target=work)
    thread.start()
    try:
        reports = [lab.verify() for _ in range(4)]
    finally:
        stop.append(1)
        thread.join()
    assert all(r.ok for r in reports), [r.text() for r in reports if not r.ok]
    with lab.store.read() as conn:
        assert (
            reports[-1].counts["events"] <= conn.execute(select(func.count()).select_from(s.audit_event)).scalar_one()
        )


def test_every_text_is_there_in_both_languages() -> None:
    en, zh = _catalogue("en")["verify"], _catalogue("zh")["verify"]
    assert en.keys() == zh.keys()
    import re

    for key in en:
        assert set(re.findall(r"{(\w+)", en[key])) == set(re.findall(r"{(\w+)", zh[key])), key
    source = Path(checks.__file__).read_text() + Path(checks.__file__).with_name("verify.py").read_text()
    used = set(re.findall(r'\.add\(\s*"(\w+)"', source)) | {"raw_damaged"}
    assert used <= en.keys() and {f"{k}_fix" for k in used} <= en.keys()
