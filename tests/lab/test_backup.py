"""Backups while the laboratory is in use; a backup is a laboratory."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from _synthetic import fill, store_results
from sqlalchemy import text

from wastelab.errors import IntegrityError, LabError
from wastelab.lab.backup import backup, backup_catalogue, checksums
from wastelab.lab.lab import Lab, open_lab


def test_a_backup_is_the_laboratory(lab: Lab, tmp_path: Path) -> None:
    fill(lab, 3)
    made = lab.backup(tmp_path / "backups")
    with open_lab(made) as copy, lab.store.read() as one, copy.store.read() as two:
        assert checksums(one) == checksums(two)
        report = copy.verify(expect=lab.head())
        assert report.ok and not report.notes, report.text()
        assert copy.store.dialect == "sqlite" and copy.head() == lab.head()
    with open_lab(made, user="other") as copy:  # it goes on as a laboratory of its own
        store_results(copy, "RM-001", seed=50)
        assert copy.verify().ok
    assert lab.verify().ok
    assert not list((tmp_path / "backups").glob(".*"))


def test_the_second_backup_links_what_the_first_has(lab: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    first = lab.backup(tmp_path)
    store_results(lab, "RM-001", seed=60)
    second = lab.backup(tmp_path)
    assert first != second and first.parent == second.parent
    old = {p.relative_to(first) for p in (first / "raw").rglob("*") if p.is_file()}
    new = {p.relative_to(second) for p in (second / "raw").rglob("*") if p.is_file()}
    assert old < new and len(new) == len(old) + 1
    for path in old:
        assert (first / path).samefile(second / path)
        assert not (second / path).samefile(lab.store.root / path)  # never the original: one inode, one fate
    for made in (first, second):
        with open_lab(made) as copy:
            assert copy.verify().ok


def test_a_damaged_file_is_taken_from_an_earlier_backup_or_refused(lab: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    sha = next(lab.store.vault.hashes())
    file = lab.store.vault.path(sha)
    sound = file.read_bytes()
    folder = tmp_path / "b"
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match=str(file)):
        lab.backup(folder)
    assert not list(folder.iterdir())
    made = backup(lab.store, folder, allow_damaged=True)
    with open_lab(made) as copy:
        assert [p.kind for p in copy.verify().problems] == ["raw_damaged"]
    file.write_bytes(sound)
    good = lab.backup(tmp_path / "c")
    file.write_bytes(b"damaged")
    again = lab.backup(tmp_path / "c")
    assert (again / "raw" / sha[:2] / sha[2:]).read_bytes() == sound and again != good


def test_backup_into_a_place_that_cannot_be_written(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = new_lab()
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match="could not be written"):
        lab.backup(tmp_path / "file")


def test_backup_while_four_write(lab: Lab, tmp_path: Path) -> None:
    codes = fill(lab, 4)
    stop: list[int] = []
    failed: list[Exception] = []

    def work(number: int) -> None:
        seed = (number + 1) * 10_000
        try:
            while not stop:
                store_results(lab, codes[number], seed=(seed := seed + 1))
        except Exception as exc:
            failed.append(exc)

    threads = [Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    made = []
    for _ in range(3):
        head, until = lab.head(), time.monotonic() + 20
        while lab.head() == head and time.monotonic() < until:
            time.sleep(0.01)
        made.append(lab.backup(tmp_path / "b"))
    head = lab.head()
    stop.append(1)
    for thread in threads:
        thread.join()
    assert not failed
    events = []
    for folder in made:
        with open_lab(folder) as copy:
            report = copy.verify()
            assert report.ok and not report.notes, report.text()
            assert report.counts["curves"] == report.counts["raw"] == copy.info()["counts"]["upload"]
            events.append(report.counts["events"])
            assert lab.verify(expect=report.head, deep=False).ok
    assert events == sorted(events) and events[0] < events[-1]
    assert lab.verify(expect=head).ok


def test_the_catalogue_alone(lab: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    one = backup_catalogue(lab.store.engine, tmp_path / "b", "schema/0001")
    two = backup_catalogue(lab.store.engine, tmp_path / "b", "schema/0001")
    assert one != two and sorted(p.name for p in (tmp_path / "b").iterdir()) == sorted((one.name, two.name))
    connection = sqlite3.connect(one)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert connection.execute("SELECT count(*) FROM measurement").fetchone()[0] == 3
    connection.close()
    with lab.store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM measurement")).scalar_one() == 3
