"""What happens when things go wrong: killed writers, a server that stops, a full disk, a clock that goes back, rot.

The big runs are marked slow and print their figures with ``-s``.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _synthetic import fill, store_results
from sqlalchemy import func, select

from wastelab.errors import LabError
from wastelab.lab import audit
from wastelab.lab import schema as s
from wastelab.lab.engine import refuse_network_share
from wastelab.lab.files import sweep
from wastelab.lab.lab import Lab, open_lab

WORKER = Path(__file__).with_name("_fault_worker.py")


class Worker:
    """A process that writes or reads; what it said is kept."""

    def __init__(self, what: str, folder: Path, number: int, acts: int | None = None) -> None:
        self.log = folder.parent / f"{what}-{number}-{time.monotonic_ns()}.log"
        self.what, self.number = what, number
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER), what, str(folder), str(number), *([str(acts)] if acts else [])],
                stdout=out, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    def lines(self) -> list[str]:
        text = self.log.read_text()
        return text[: text.rfind("\n") + 1].splitlines()

    def receipts(self) -> list[tuple[str, str]]:
        return [(x[1], x[2]) for x in (line.split() for line in self.lines() if line.startswith("R "))]

    def errors(self) -> list[str]:
        return [line for line in self.lines() if line.startswith("E ")]

    def wait_for(self, count: int, seconds: float = 30) -> None:
        """Until it has said so many lines."""
        until = time.monotonic() + seconds
        while len(self.lines()) < count:
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{self.what} {self.number}: {self.lines()[-3:]}")
            time.sleep(0.005)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def settled(folder: Path, receipts: list[tuple[str, str]]) -> dict[str, int]:
    """Open, verify and count what is left; every receipt must be there, nothing half."""
    with open_lab(folder, user="judge") as lab:
        report = lab.verify()
        assert report.ok, report.text()
        with lab.store.read() as conn:
            events = {r[0] for r in conn.execute(select(s.audit_event.c.hash))}
            uploads = {r[0] for r in conn.execute(select(s.upload.c.uid))}
            measurements = conn.execute(select(func.count()).select_from(s.measurement)).scalar_one()
        lost = [r for r in receipts if r[0] not in events or r[1] not in uploads]
        assert not lost, f"{len(lost)} of {len(receipts)} receipts are lost"
        assert measurements == 2 * len(uploads)
        found = report.counts["found"]
        return {"uploads": len(uploads), "receipts": len(receipts), "orphans": found.get("orphan", 0),
                "temporary": found.get("temporary", 0)}  # fmt: skip


def killing(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill writers at random moments while others write and two read."""
    rng = random.Random(seed)
    start = time.monotonic()
    writers = [Worker("write", folder, n) for n in range(4)]
    readers = [Worker("read", folder, n) for n in range(2)]
    receipts: list[tuple[str, str]] = []
    died: list[Worker] = []
    try:
        for worker in (*writers, *readers):
            worker.wait_for(1)
        for k in range(kills):
            until = time.monotonic() + 60
            while not (busy := [n for n, w in enumerate(writers) if len(w.lines()) > 1]):  # past its start
                assert time.monotonic() < until
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.06))
            victim = rng.choice(busy)
            writers[victim].kill()
            died.append(writers[victim])
            writers[victim] = Worker("write", folder, 4 + k)
    finally:
        for worker in (*writers, *readers):
            worker.kill()
    for worker in (*died, *writers):
        receipts += worker.receipts()
        assert not worker.errors(), worker.errors()
    for worker in readers:
        assert not worker.errors(), worker.errors()
    return {"kills": kills, **settled(folder, receipts), "seconds": round(time.monotonic() - start, 1)}


@pytest.mark.parametrize("kind", ["sqlite-files", "postgresql"])
def test_ten_kills(new_lab: Callable[..., Lab], kind: str) -> None:
    figures = killing(new_lab(kind).store.root, 10, seed=1)
    print(f"\n{kind}: {figures}")
    assert figures["receipts"] >= 10


@pytest.mark.slow
def test_two_hundred_kills(lab: Lab, lab_kind: str) -> None:
    figures = killing(lab.store.root, 200, seed=2)
    print(f"\n{lab_kind}: {figures}")
    assert figures["receipts"] >= 200


@pytest.mark.slow
def test_the_server_dies_and_comes_back(new_lab: Callable[..., Lab], postgres: Any) -> None:
    """``pg_ctl stop -m immediate`` is a power cut to the database: no checkpoint, recovery at the start."""
    lab = new_lab("postgresql")
    folder = lab.store.root
    receipts: list[tuple[str, str]] = []
    rng = random.Random(3)
    for round_ in range(4):
        writers = [Worker("write", folder, 10 * round_ + n) for n in range(3)]
        try:
            for worker in writers:
                worker.wait_for(2)
            time.sleep(rng.uniform(0.1, 0.5))
            postgres.stop("immediate")
            for worker in writers:
                worker.process.wait(30)
        finally:
            for worker in writers:
                worker.kill()
            postgres.start()
        for worker in writers:
            receipts += worker.receipts()
            assert len(worker.errors()) == 1 and "LabError" in worker.errors()[0], worker.errors()
    lab.store.close()
    print(f"\nserver stopped 4 times: {settled(folder, receipts)}")


@pytest.mark.slow
def test_four_processes_a_hundred_acts_each(lab: Lab, lab_kind: str) -> None:
    folder = lab.store.root
    start = time.monotonic()
    readers = [Worker("read", folder, n) for n in range(2)]
    writers = [Worker("write", folder, n, acts=100) for n in range(4)]
    try:
        for worker in writers:
            assert worker.process.wait(180) == 0, worker.lines()[-2:]
    finally:
        for worker in (*readers, *writers):
            worker.kill()
    receipts = [r for w in writers for r in w.receipts()]
    assert len(receipts) == 400 and not [e for w in (*readers, *writers) for e in w.errors()]
    figures = settled(folder, receipts)
    assert figures["uploads"] == 400 and figures["orphans"] == figures["temporary"] == 0
    print(f"\n{lab_kind}: 4 x 100 acts {figures} in {time.monotonic() - start:.1f} s")


# -- order of durability
def test_files_are_durable_before_the_row(new_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab("sqlite-files")
    lab.add("sample", code="A", waste_class="raw")
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        done.append(("folder" if path.is_dir() else "file", str(path)))
        fsync(handle)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append(("rename", f"{self}>{target}"))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    from sqlalchemy import event

    event.listen(lab.store.engine, "commit", lambda conn: done.append(("commit", "")))
    store_results(lab, "A", seed=1)
    kinds = [k for k, _ in done]
    commit = kinds.index("commit")
    assert kinds.count("commit") == 1 and commit == len(kinds) - 1
    assert kinds.count("rename") == 2  # raw file and curve
    for n, (kind, what) in enumerate(done):
        if kind != "rename":
            continue
        temp, final = what.split(">")
        assert ("file", temp) in done[:n]
        assert ("folder", str(Path(final).parent)) in done[n:commit]
        assert ("folder", str(Path(final).parent.parent)) in done[n:commit]  # the two-letter folder is new


@pytest.mark.parametrize("kind", ["sqlite-files", "sqlite-blob"])
def test_sqlite_is_fully_durable_on_every_connection(new_lab: Callable[..., Lab], kind: str) -> None:
    lab = new_lab(kind)
    with contextlib.ExitStack() as stack:
        for n in range(6):
            conn = stack.enter_context(lab.store.engine.connect().execution_options(wastelab_read=n % 2 == 0))
            assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
            assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_postgresql_waits_for_the_disk_whatever_its_default(new_lab: Callable[..., Lab], postgres: Any) -> None:
    lab = new_lab("postgresql")
    name = lab.store.engine.url.database
    postgres.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    lab.store.close()
    with lab.store.write("x") as act:
        assert act.conn.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    assert lab.store.engine.connect().exec_driver_sql("SHOW synchronous_commit").scalar() == "off"
    lab.store.close()


# -- disks
@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("NOT ROOT: cannot mount a small file system; the full-disk tests did not run")
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(place)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"CANNOT MOUNT a small file system ({done.stderr.strip()}); the full-disk tests did not run")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.parametrize("curves", ["files", "blob"])
def test_a_full_disk(small_disk: Path, curves: str) -> None:
    with open_lab(small_disk / "lab", create=True, user="x", curves=curves) as lab:
        lab.add("sample", code="A", waste_class="raw")
        stored, failed = 0, 0
        for seed in range(1, 400):
            try:
                with lab.store.write("fill") as act:
                    act.put_raw(os.urandom(60_000), f"{seed}.bin")
                    act.put_curves([os.urandom(20_000)])
                    act.insert("sample", {"code": f"S{seed}", "waste_class": "raw", "note": "x" * 5000})
                stored += 1
            except LabError as exc:
                assert "nothing was stored" in str(exc) and ("space" in str(exc).lower() or "disk" in str(exc)), exc
                failed += 1
                if failed == 5:
                    break
        assert stored > 5 and failed == 5
        assert lab.info()["counts"]["sample"] == stored + 1
        report = lab.verify()
        assert report.ok, report.text()
        with pytest.raises(LabError, match="could not be written"):
            lab.backup(small_disk / "backups")
        assert not list((small_disk / "backups").glob("*"))
        # Room again: it goes on.
        for file in (small_disk / "lab" / "raw").rglob("*"):
            if file.is_file() and file.stat().st_size == 60_000:
                with lab.store.read() as conn:
                    named = conn.execute(
                        select(s.raw.c.sha256).where(s.raw.c.sha256 == file.parent.name + file.name)
                    ).first()
                if named is None:
                    file.unlink()
        subprocess.run(["mount", "-o", "remount,size=12m", str(small_disk)], check=True)
        with lab.store.write("goes on") as act:
            act.put_raw(os.urandom(60_000), "more.bin")
        assert lab.verify().ok


def test_folders_that_turned_read_only(small_disk: Path) -> None:
    with open_lab(small_disk / "lab", create=True, user="x") as lab:
        fill(lab, 1)
        head = lab.head()
        for name in ("tmp", "raw"):
            folder = str(small_disk / "lab" / name)
            subprocess.run(["mount", "--bind", folder, folder], check=True)
            try:
                subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
                with pytest.raises(LabError, match=r"Read-only file system.*nothing was stored"):
                    store_results(lab, "RM-001", seed=3)
            finally:
                subprocess.run(["umount", folder], check=True)
            assert lab.head() == head and lab.verify().ok  # reading goes on
        store_results(lab, "RM-001", seed=3)
        assert lab.verify(expect=head).ok


def test_a_disk_that_is_read_only(small_disk: Path) -> None:
    with open_lab(small_disk / "lab", create=True, user="x") as lab:
        fill(lab, 1)
        head = lab.head()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(LabError, match=str(small_disk)), open_lab(small_disk / "lab", user="x") as lab:
        lab.add("sample", code="B", waste_class="raw")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with open_lab(small_disk / "lab", user="x") as lab:
        assert lab.verify(expect=head).ok and lab.head() == head


# -- the clock
def test_a_clock_that_goes_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lab, 1)
    times = iter(["2020-01-01T00:00:00.000000Z", "2020-01-01T00:00:01.000000Z", "1999-12-31T23:59:59.999999Z"])
    monkeypatch.setattr(audit, "now", lambda: next(times))
    for n in range(3):
        lab.add("source", code=f"S{n}")
    with lab.store.read() as conn:
        at = [r[0] for r in conn.execute(select(s.audit_event.c.at).order_by(s.audit_event.c.seq))]
    assert at == sorted(at) and len(set(at)) == len(at) and at[0] > "2026"
    assert lab.verify().ok


# -- rot
def test_a_damaged_catalogue_is_named(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    """Flips of one bit in the catalogue: found, or without effect on anything that is stored."""
    lab = new_lab("sqlite-files")
    fill(lab, 3)
    clean = lab.verify()
    backup = lab.backup(tmp_path / "b")
    lab.close()
    rng = random.Random(4)
    data = (backup / "catalogue.sqlite").read_bytes()
    used = [n for n, byte in enumerate(data) if byte]  # most of a small catalogue are empty pages
    found = 0
    for n in range(25):
        copy = tmp_path / f"c{n}"
        shutil.copytree(backup, copy)
        at = rng.choice(used)
        with (copy / "catalogue.sqlite").open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << rng.randrange(8)]))
        try:
            with open_lab(copy, user="x") as rotten:
                report = rotten.verify()
                found += not report.ok
                if report.ok:  # a flip in a free part of a page
                    assert report.head == clean.head and report.counts == clean.counts
        except LabError:
            found += 1
    print(f"\n{found} of 25 flips in a catalogue of {len(used)} used bytes are named")
    assert found >= 12


def test_a_cut_catalogue(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = new_lab("sqlite-files")
    fill(lab, 2)
    backup = lab.backup(tmp_path / "b")
    file = backup / "catalogue.sqlite"
    whole = file.read_bytes()
    for length in (0, 50, 4096, len(whole) // 2, len(whole) - 4096):
        file.write_bytes(whole[:length])
        for side in ("-wal", "-shm"):
            file.with_name(file.name + side).unlink(missing_ok=True)
        try:
            with open_lab(backup, user="x") as cut:
                assert not cut.verify().ok, length
        except LabError as exc:
            assert str(backup) in str(exc) and ("restore" in str(exc).lower() or "no laboratory" in str(exc)), exc
    file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(LabError, match="damaged"):
        open_lab(backup)
    file.unlink()
    with pytest.raises(LabError, match="missing; restore it from a backup"):
        open_lab(backup)


def test_half_a_file_from_a_killed_writer_is_swept_later(lab: Lab) -> None:
    folder = lab.store.root / "tmp"
    (folder / "old.tmp").write_bytes(b"half")
    (folder / "new.tmp").write_bytes(b"half")
    os.utime(folder / "old.tmp", (0, 0))
    assert [p.name for p in sweep(folder)] == ["old.tmp"]
    assert [p.kind for p in lab.verify().notes] == ["temporary"]


# -- opening what is not right
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"schema = 1\n", "damaged.*uid|damaged.*curves"),
        (b'schema = 2\nuid = "x"\n', "newer"),
        (b"schema = [\n", "damaged"),
        (b'schema = 1\nuid = "x"\nname = "x"\ncurves = "tape"\n[catalogue]\nurl = ""\n', "tape"),
        (b'schema = 1\nuid = "x"\nname = "x"\ncurves = "files"\ncatalogue = "here"\n', "damaged"),
    ],
)
def test_a_damaged_lab_toml(new_lab: Callable[..., Lab], content: bytes, said: str) -> None:
    lab = new_lab()
    (lab.store.root / "lab.toml").write_bytes(content)
    with pytest.raises(LabError, match=said) as caught:
        open_lab(lab.store.root)
    assert "lab.toml" in str(caught.value)


def test_folders_that_are_no_laboratory(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="There is no laboratory"):
        open_lab(tmp_path / "nothing")
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(LabError, match=r"not empty \(thesis.docx\)"):
        open_lab(tmp_path, create=True)
    with pytest.raises(LabError, match="is a file"):
        open_lab(tmp_path / "thesis.docx", create=True)


def test_a_server_that_does_not_answer(new_lab: Callable[..., Lab], postgres: Any, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be reached"):
        open_lab(tmp_path / "a", create=True, url="postgresql://x@localhost:1/x?connect_timeout=2")
    with pytest.raises(LabError, match="createdb"):
        open_lab(tmp_path / "b", create=True, url=postgres.url("not_there"))
    from conftest import PASSWORD, PASSWORD_USER

    name = postgres.new_database()
    postgres.sql(f"ALTER DATABASE {name} OWNER TO {PASSWORD_USER}")
    for password in ("", "wrong"):
        with pytest.raises(LabError, match="password") as caught:
            open_lab(tmp_path / "c", create=True, url=postgres.url(name, PASSWORD_USER, password))
        assert "wrong" not in str(caught.value).replace("user or password is wrong", "")
    url = postgres.url(name, PASSWORD_USER, PASSWORD.replace(" ", "%20"))
    with open_lab(tmp_path / "d", create=True, url=url) as lab:
        assert lab.verify().ok
    assert PASSWORD.split()[0] not in (tmp_path / "d" / "lab.toml").read_text()
    postgres.drop(name)
    for half in ("a", "b", "c"):
        assert not (tmp_path / half / "lab.toml").exists()


# -- network shares
@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone", "lustre"])
def test_network_shares_are_refused(kind: str) -> None:
    mounts = ["/dev/sda1 / ext4 rw 0 0", f"server:/export /mnt/our\\040share {kind} rw 0 0"]
    with pytest.raises(LabError, match=f"network share \\({kind}\\)"):
        refuse_network_share(Path("/mnt/our share/lab"), mounts)
    refuse_network_share(Path("/mnt/other/lab"), mounts)
    refuse_network_share(Path("/mnt/our share2/lab"), mounts)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "apfs", "zfs"])
def test_local_disks_are_accepted(kind: str) -> None:
    mounts = ["server:/root / nfs4 rw 0 0", f"/dev/sdb1 /data {kind} rw 0 0"]
    refuse_network_share(Path("/data/lab"), mounts)
    with pytest.raises(LabError):
        refuse_network_share(Path("/elsewhere"), mounts)


def test_a_share_mounted_over_a_local_disk_counts() -> None:
    mounts = ["/dev/sda1 / ext4 rw 0 0", "/dev/sdb1 /data ext4 rw 0 0", "server:/x /data cifs rw 0 0"]
    with pytest.raises(LabError, match="cifs"):
        refuse_network_share(Path("/data/lab"), mounts)
