"""Schema versions: every released one opens, an interrupted upgrade changes nothing, a newer one is refused."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _synthetic import fill
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, event, text

from wastelab.errors import LabError
from wastelab.lab import audit
from wastelab.lab import schema as s
from wastelab.lab.engine import postgres_engine, sqlite_engine
from wastelab.lab.files import FileStore
from wastelab.lab.lab import Lab, open_lab, write_settings
from wastelab.lab.migrate import known_versions, upgrade, version

AT = "2026-03-02T06:05:00.000000Z"
#: Records as the first released schema wrote and hashed them. Frozen: a later schema must read them as they are.
SAMPLE = {
    "uid": "0195533c-0000-7000-8000-000000000001", "code": "RM-1", "waste_class": "red_mud", "name": "red mud",
    "name_zh": "赤泥", "source": None, "parent": None, "reference_material": None, "process": "", "collected_at": "",
    "received_at": "", "collected_by": "", "mass_kg": 2.5, "location": "", "disposed_at": "", "grp": "",
    "visibility": "group", "licence": "", "note": "", "origin": "", "created_at": AT,
}  # fmt: skip
MEASUREMENT = {
    "uid": "0195533c-0000-7000-8000-000000000002", "sample": SAMPLE["uid"], "mix": None, "specimen": None,
    "technique": "XRF", "method": "", "instrument": None, "calibration": None, "operator": "", "checked_by": "",
    "checked_at": "", "measured_at": "", "age_days": None, "replicate": 1, "status": "draft", "supersedes": None,
    "basis": "dry", "raw_sha": None, "place": "", "reader": "", "curve_sha": None, "completeness": "", "conditions": "",
    "flags": "", "upload": None, "grp": "", "visibility": "group", "licence": "", "note": "", "origin": "",
    "created_at": AT,
    "values": [{"value": 21.3, "sigma": 0.1, "k": None, "lod": None, "flag": 0, "basis": 2, "text": None,
                "place": None, "quantity": "SiO2", "unit": "wt%"}],
}  # fmt: skip


def _canonical(data: object) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _sha(text_: str | bytes) -> str:
    return hashlib.sha256(text_ if isinstance(text_, bytes) else text_.encode()).hexdigest()


def old_laboratory(root: Path, engine: Engine, released: str, url: str | None) -> str:
    """A laboratory as a release with schema `released` left it, written without today's code; its head."""
    for folder in ("raw", "curves", "tmp", "cache", "backups"):
        (root / folder).mkdir(parents=True)
    upgrade(engine, released)
    raw = b"kept by an old release"
    FileStore(root / "raw", root / "tmp").put(raw)
    items = [["sample", SAMPLE["uid"], "insert", _sha(_canonical(SAMPLE)), None],
             ["measurement", MEASUREMENT["uid"], "insert", _sha(_canonical(MEASUREMENT)), None],
             ["raw", _sha(raw), "insert", _sha(raw), None]]  # fmt: skip
    head = _sha(_canonical([audit.GENESIS, 1, AT, "old", "upload", "", "0.1.0", items]))
    with engine.connect() as conn:
        found = MetaData()
        found.reflect(conn)
        t = found.tables

        def put(table: str, /, **row: Any) -> None:
            conn.execute(t[table].insert(), row)

        for key, value in (("uid", "lab-uid"), ("name", "old"), ("created_at", AT)):
            put("meta", key=key, value=value)
        put("quantity", id=1, name="SiO2", unit="wt%")
        put("raw", sha256=_sha(raw), size=len(raw), filename="old.txt", received_at=AT, quarantined=0)
        refs = ("source", "parent", "reference_material")
        put("sample", id=1, **{f"{k}_id" if k in refs else k: v for k, v in SAMPLE.items()})
        refs = ("sample", "mix", "specimen", "instrument", "calibration", "supersedes", "upload")
        row = {f"{k}_id" if k in refs else k: v for k, v in MEASUREMENT.items() if k != "values"}
        put("measurement", id=1, **{**row, "sample_id": 1})
        value = {k: v for k, v in MEASUREMENT["values"][0].items() if k not in ("quantity", "unit")}  # type: ignore[index, union-attr]
        put("value", measurement_id=1, ordinal=0, quantity_id=1, **value)
        put("search_text", entity="sample", entity_id=1, text="rm-1\nred mud\n赤泥\nred_mud")
        put("search_text", entity="measurement", entity_id=1, text="xrf")
        put("audit_event", seq=1, at=AT, actor="old", action="upload", reason="", version="0.1.0", prev=audit.GENESIS,
            hash=head)  # fmt: skip
        for n, item in enumerate(items):
            put("audit_item", seq=1, ordinal=n, **dict(zip(("entity", "uid", "change", "digest", "detail"), item,
                                                           strict=True)))  # fmt: skip
        conn.commit()
    write_settings(root, uid="lab-uid", name="old", curves="files", url=url)
    return head


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Engine, str | None]:
    """(folder, engine, url) of a laboratory that is not there yet."""
    root = tmp_path / "lab"
    root.mkdir()
    if request.param == "sqlite":
        engine, url = sqlite_engine(root / "catalogue.sqlite", create=True), None
    else:
        url = request.getfixturevalue("database")
        engine = postgres_engine(url)
    request.addfinalizer(engine.dispose)
    return root, engine, url


@pytest.mark.parametrize("released", known_versions())
def test_a_laboratory_of_every_release_opens(place: tuple[Path, Engine, str | None], released: str) -> None:
    root, engine, url = place
    head = old_laboratory(root, engine, released, url)
    engine.dispose()
    with open_lab(root, user="x") as lab:
        report = lab.verify(expect=head)
        assert report.ok, report.text()
        assert lab.info()["counts"]["measurement"] == 1
        fill(lab, 1, prefix="NEW")
        assert lab.verify(expect=head).ok
    backups = list((root / "backups").iterdir())
    if released == s.HEAD:
        assert not backups
    else:
        assert [b.name.startswith(f"schema-{released}-") for b in backups] == [True]
        kept = sqlite3.connect(backups[0])
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (released,)
        assert kept.execute("SELECT code FROM sample").fetchall() == [("RM-1",)]
        kept.close()


def test_what_migrations_make_is_what_the_schema_declares(place: tuple[Path, Engine, str | None]) -> None:
    _, engine, _ = place
    upgrade(engine)
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, s.metadata) == []
        assert version(conn) == s.HEAD == known_versions()[-1]


def test_upgrading_step_by_step_is_upgrading_at_once(place: tuple[Path, Engine, str | None]) -> None:
    _, engine, _ = place
    before = None
    for step in known_versions():
        assert upgrade(engine, step) == before
        before = step
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), s.metadata) == []


def test_a_newer_schema_is_refused(lab: Lab) -> None:
    with lab.store.engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LabError, match=r"9999, newer than this wastelab knows.*pip install --upgrade"):
        open_lab(lab.store.root)
    assert not list((lab.store.root / "backups").iterdir())


def test_a_migration_that_fails_changes_nothing(
    place: tuple[Path, Engine, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, engine, url = place
    for step in known_versions()[1:]:
        before = known_versions()[known_versions().index(step) - 1]
        if before == known_versions()[0]:
            old_laboratory(root, engine, before, url)
        with engine.connect() as conn:
            tables = sorted(_names(conn))

        def fails(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if "alembic_version" in statement and statement.startswith("UPDATE"):  # the very last thing
                raise RuntimeError("the power is gone")

        event.listen(engine, "before_cursor_execute", fails)
        with pytest.raises(LabError, match="Nothing was changed"):
            upgrade(engine, step)
        event.remove(engine, "before_cursor_execute", fails)
        with engine.connect() as conn:
            assert version(conn) == before and sorted(_names(conn)) == tables
        upgrade(engine, step)
    engine.dispose()
    with open_lab(root) as lab:
        assert lab.verify().ok


def _names(conn: Any) -> list[str]:
    from sqlalchemy import inspect

    inspector = inspect(conn)
    out = []
    for table in inspector.get_table_names():
        out += [table, *(f"{table}.{c['name']}" for c in inspector.get_columns(table))]
        out += [str(i["name"]) for i in inspector.get_indexes(table)]
    return out


SCRIPT = """
import os, signal, sys
from sqlalchemy import Engine, event
from wastelab.lab.lab import open_lab
left = int(sys.argv[2])
def dies(conn, cursor, statement, *rest):
    global left
    if statement.lstrip().upper().startswith(("CREATE", "ALTER", "UPDATE", "DROP", "INSERT")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", dies)
open_lab(sys.argv[1], user="x").close()
"""


@pytest.mark.parametrize("after", [0, 2, 5])
def test_an_upgrade_that_is_killed_is_done_again(place: tuple[Path, Engine, str | None], after: int) -> None:
    root, engine, url = place
    first = known_versions()[0]
    head = old_laboratory(root, engine, first, url)
    engine.dispose()
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(root), str(after)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    with engine.connect() as conn:
        assert version(conn) == first
    engine.dispose()
    with open_lab(root) as lab:
        assert lab.verify(expect=head).ok
        assert lab.info()["schema"] == s.HEAD


def test_two_who_open_an_old_laboratory_at_once(place: tuple[Path, Engine, str | None]) -> None:
    from threading import Thread

    root, engine, url = place
    old_laboratory(root, engine, known_versions()[0], url)
    engine.dispose()
    found: list[object] = []

    def work() -> None:
        try:
            with open_lab(root, user="x") as lab:
                found.append(lab.info()["schema"])
        except Exception as exc:
            found.append(exc)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [s.HEAD] * 3


def test_a_database_that_holds_no_laboratory(new_lab: Callable[..., Lab], database: str) -> None:
    lab = new_lab()
    with pytest.raises(LabError, match="holds no laboratory"):
        open_lab(database, files=lab.store.root)
    other = new_lab("sqlite-files", "other")
    (lab.store.root / "lab.toml").write_bytes((other.store.root / "lab.toml").read_bytes())
    with pytest.raises(LabError, match="belong together"):
        open_lab(lab.store.root)
