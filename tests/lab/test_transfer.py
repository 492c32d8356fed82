"""Moving a laboratory to PostgreSQL and back, and dying on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _synthetic import fill, store_results
from sqlalchemy import select

from wastelab.errors import LabError
from wastelab.lab import schema as s
from wastelab.lab import transfer as module
from wastelab.lab.backup import checksums
from wastelab.lab.lab import Lab, open_lab, read_settings
from wastelab.lab.transfer import transfer


@pytest.mark.parametrize("kind", ["sqlite-files", "sqlite-blob"])
def test_there_and_back(new_lab: Callable[..., Lab], database: str, kind: str) -> None:
    lab = new_lab(kind)
    fill(lab, 3)
    head, root = lab.head(), lab.store.root
    with lab.store.read() as conn:
        before = checksums(conn)
    said: list[str] = []
    result = transfer(lab.store, database, progress=said.append)
    assert result["head"] == head and result["rows"]["measurement"] == 9 and "verify" in said
    assert not (root / "catalogue.sqlite").exists()
    assert Path(result["kept"]).name.startswith("catalogue.sqlite.moved-") and Path(result["kept"]).is_file()
    assert read_settings(root)["url"].startswith("postgresql://")
    with open_lab(root, user="x") as moved:
        assert moved.store.dialect == "postgresql" and moved.verify(expect=head).ok
        with moved.store.read() as conn:
            assert checksums(conn) == before
        store_results(moved, "RM-001", seed=77)
        after = moved.head()
        back = transfer(moved.store, "sqlite")
        assert back["head"] == after
    with open_lab(root) as home:
        assert home.store.dialect == "sqlite" and home.verify(expect=after).ok
        store_results(home, "RM-001", seed=78)
        assert home.verify().ok
    with pytest.raises(LabError, match="moved to"), open_lab(database, files=root) as left:
        left.info()


def test_who_still_has_the_old_catalogue_open_is_refused(new_lab: Callable[..., Lab], database: str) -> None:
    lab = new_lab("sqlite-files")
    fill(lab, 1)
    other = open_lab(lab.store.root, user="other")
    transfer(lab.store, database)
    with pytest.raises(LabError, match="moved to postgresql://"):
        other.add("source", code="LATE")
    with pytest.raises(LabError, match="moved to postgresql://"):
        other.info()
    other.close()
    with open_lab(lab.store.root) as moved:
        assert moved.info()["counts"]["source"] == 1


def test_a_target_that_is_not_empty_is_refused(new_lab: Callable[..., Lab], postgres: Any, database: str) -> None:
    lab = new_lab("sqlite-files")
    fill(lab, 1)
    name = database.split("/")[3].split("?")[0]
    postgres.sql("CREATE TABLE their_own (a int)", name)
    with pytest.raises(LabError, match="other tables \\(their_own\\)"):
        transfer(lab.store, database)
    postgres.sql("DROP TABLE their_own", name)
    with open_lab(lab.store.root.parent / "second", create=True, url=database) as second:
        with pytest.raises(LabError, match="holds a laboratory already"):
            transfer(lab.store, database, restart=True)
        with pytest.raises(LabError, match="in postgresql already"):
            transfer(second.store, database)
        assert second.verify().ok
    assert lab.verify().ok and read_settings(lab.store.root)["url"] == ""
    lab.add("source", code="STILL")


def test_a_copy_that_differs_is_not_switched_to(
    new_lab: Callable[..., Lab], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab("sqlite-files")
    fill(lab, 1)
    real = module.copy_tables

    def lossy(source: Any, target: Any, progress: Any = None) -> Any:
        copied = real(source, target, progress)
        target.exec_driver_sql("UPDATE value SET sigma = 0.2 WHERE sigma IS NOT NULL")
        return copied

    monkeypatch.setattr(module, "copy_tables", lossy)
    with pytest.raises(LabError, match="value: the copy differs"):
        transfer(lab.store, database)
    assert lab.verify().ok
    lab.add("source", code="STILL")
    monkeypatch.undo()
    with pytest.raises(LabError, match="--restart"):
        transfer(lab.store, database)
    assert transfer(lab.store, database, restart=True)["rows"]["source"] == 2


def test_lab_toml_cannot_be_written(
    new_lab: Callable[..., Lab], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the last step: the old catalogue is open again at once."""
    lab = new_lab("sqlite-files")
    fill(lab, 1)
    real = os.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == "lab.toml":
            raise OSError(28, "No space left on device")
        real(self, target)
        return Path(target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(LabError, match="No space left"):
        transfer(lab.store, database)
    monkeypatch.undo()
    lab.add("source", code="STILL")
    assert lab.verify().ok


POINTS = ("_copy", "_prove", "_switch", "write_settings", "put_away")
QUICK = (("_copy", "after"), ("write_settings", "before"), ("write_settings", "after"))
SCRIPT = """
import os, signal, sys
from wastelab.lab import lab as face, transfer
point, when, root, url = sys.argv[1:5]
place = face if point == "write_settings" else transfer
real = getattr(place, point)
def dies(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, point, dies)
with face.open_lab(root, user="mover") as lab:
    transfer.transfer(lab.store, url)
"""


@pytest.mark.parametrize(("point", "when"), [
    pytest.param(p, w, marks=() if (p, w) in QUICK else pytest.mark.slow) for p in POINTS for w in ("before", "after")
])  # fmt: skip
def test_killed_on_the_way(new_lab: Callable[..., Lab], database: str, point: str, when: str) -> None:
    lab = new_lab("sqlite-files")
    fill(lab, 1)
    head, root = lab.head(), lab.store.root
    done = subprocess.run([sys.executable, "-c", SCRIPT, point, when, str(root), database], timeout=60)
    assert done.returncode == -signal.SIGKILL
    switched = (point, when) in (("_switch", "after"), ("write_settings", "after"), ("put_away", "before"),
                                 ("put_away", "after"))  # fmt: skip
    with open_lab(root, user="x") as again:
        assert again.store.dialect == ("postgresql" if switched else "sqlite")
        report = again.verify(expect=head)
        assert report.ok, report.text()
        again.add("source", code="GOES-ON")
        assert again.verify(expect=head).ok
        with again.store.read() as conn:
            assert {r[0] for r in conn.execute(select(s.meta.c.key))} == {"uid", "name", "created_at"}
        if not switched:
            if (point, when) == ("_copy", "before"):
                transfer(again.store, database)
            else:
                with pytest.raises(LabError, match="--restart"):
                    transfer(again.store, database)
                transfer(again.store, database, restart=True)
    if switched:
        assert not (root / "catalogue.sqlite").exists()
        with pytest.raises(LabError):
            lab.add("source", code="LATE")
    else:
        with open_lab(root) as moved:
            assert moved.store.dialect == "postgresql" and moved.info()["counts"]["source"] == 2 and moved.verify().ok
