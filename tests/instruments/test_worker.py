"""The process that parses strangers' files: what it gives, what it survives, and what it does not believe."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wastelab.errors import InstrumentError, UnknownFormatError, UnknownNameError
from wastelab.instruments import read_bytes, worker
from wastelab.instruments.base import Reading, Value, Variable
from wastelab.instruments.container import pack_readings

SHEET = "样品编号,SiO2 (%),Al2O3 (%),CaO (%)\nRM-1,20.1,30.2,10.0\nRM-2,21.5,<0.01,9.9\n".encode("gb18030")
#: A reader that does what a file tells it to: a stand-in for a parser that trips over a damaged file.
PLUGIN = """
    import os, signal, sys, time
    import numpy as np
    from wastelab.errors import InstrumentError
    from wastelab.instruments.base import Reader, Reading, Variable

    def sniff(source):
        return 100 if source.data.startswith(b"SYNTHETIC HOSTILE ") else 0

    def read(source):
        act = source.data.split()[2].decode()
        if act == "hang":
            time.sleep(600)
        if act == "spin":
            while True:
                pass
        if act == "eat":
            kept = [np.ones(2**24) for _ in range(4096)]
        if act == "crash":
            print("about to fall over", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if act == "exit":
            os._exit(7)
        if act == "shout":
            print("x" * 100_000)
            os.write(1, b"R" + bytes(8) * 100)
            print("y" * 100_000, file=sys.stderr)
        if act == "fail":
            raise InstrumentError(f"{source.name}, line 3: told to fail.")
        if act == "bomb":
            return [Reading("XRD", variables={f"v{i}": Variable(("x",), np.arange(2.0**22), "1") for i in range(64)})]
        return [Reading("XRD", variables={"x": Variable(("x",), np.arange(3.0), "1")}, sample=str(os.getpid()))]

    READER = Reader("hostile", "Synthetic hostile", (".hostile",), sniff, read, ("XRD",))
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with the hostile reader, found by the worker through its entry point; a fresh worker."""
    folder = tmp_path / "site"
    info = folder / "hostile_reader-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "hostile_reader.py").write_text(textwrap.dedent(PLUGIN))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-reader\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wastelab.instruments]\nhostile = hostile_reader:READER\n")
    monkeypatch.syspath_prepend(str(folder))
    worker.shutdown()
    yield
    worker.shutdown()


def tell(act: str, **options: float) -> list[Reading]:
    return worker.parse(f"SYNTHETIC HOSTILE {act} ".encode(), f"{act}.hostile", **options)


def test_the_worker_reads_what_the_library_reads() -> None:
    here, there = read_bytes(SHEET, "赤泥.csv"), worker.parse(SHEET, "赤泥.csv")
    assert [r.sample for r in there] == ["RM-1", "RM-2"]
    for a, b in zip(here, there, strict=True):
        assert list(a.values) == list(b.values)
        assert (a.sha256, a.file, a.reader, a.where) == (b.sha256, b.file, b.reader, b.where)
    assert there[1].values[1].flag == "below_detection" and there[1].values[1].value is None


def test_a_path_is_read_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "表.csv"
    file.write_bytes(SHEET)
    assert worker.parse(file)[0].file == "表.csv"


def test_errors_come_back_as_the_class_they_were(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match=r"a\.bin: unknown format"):
        worker.parse(b"\x00\x01\x02", "a.bin")
    with pytest.raises(UnknownNameError, match="no format 'nonsense'"):
        worker.parse(SHEET, "a.csv", format="nonsense")
    with pytest.raises(InstrumentError, match="empty"):
        worker.parse(b"", "a.csv")
    with pytest.raises(InstrumentError, match="cannot be read"):
        worker.parse(tmp_path / "none.csv")


def test_faulty_cells_come_back_one_by_one() -> None:
    from wastelab.instruments.sheets import SheetError

    data = b"sample,SiO2 (%),Al2O3 (%),CaO (%)\nRM-1,abc,30.2,x\n"
    with pytest.raises(SheetError) as caught:
        worker.parse(data, "a.csv")
    assert [p.where for p in caught.value.problems] == ["row 2, column B 'SiO2 (%)'", "row 2, column D 'CaO (%)'"]


@pytest.mark.usefixtures("plugin")
def test_one_worker_serves_many_files() -> None:
    assert len({tell("pid")[0].sample for _ in range(5)}) == 1


@pytest.mark.usefixtures("plugin")
def test_an_old_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_FILES", 2)
    assert len({tell("pid")[0].sample for _ in range(6)}) == 3


@pytest.mark.usefixtures("plugin")
def test_a_parser_that_hangs_is_stopped_and_replaced() -> None:
    first = tell("pid")[0].sample
    start = time.monotonic()
    with pytest.raises(InstrumentError, match=r"hang\.hostile: reading it took longer than 0\.5 s"):
        tell("hang", timeout_s=0.5)
    assert time.monotonic() - start < 5.0
    assert tell("pid")[0].sample not in (first, "")


@pytest.mark.usefixtures("plugin")
@pytest.mark.skipif(sys.platform == "win32", reason="no limit of memory on Windows")
def test_a_parser_that_eats_memory_is_refused() -> None:
    with pytest.raises(InstrumentError, match=r"eat\.hostile: .*more memory"):
        tell("eat", memory_mb=1024)
    assert tell("pid")[0].sample


@pytest.mark.usefixtures("plugin")
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_parser_that_crashes_costs_one_file(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InstrumentError, match=r"crash\.hostile: its parser crashed \(SIGSEGV \(it said: about to fall"):
        tell("crash")
    with pytest.raises(InstrumentError, match=r"exit\.hostile: its parser ended without an answer \(exit code 7\)"):
        tell("exit")
    assert tell("pid")[0].sample
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("plugin")
@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_the_processor_time_of_a_file_is_limited_without_the_parent() -> None:
    """Should the parent die while a parser spins, the parser dies too."""
    one = worker._Worker()
    process = one.process
    data = b"SYNTHETIC HOSTILE spin "
    head = json.dumps({"name": "a", "format": None, "size": len(data), "seconds": 0, "bytes": 2**31}).encode()
    assert process.stdin is not None
    process.stdin.write(struct.pack("<I", len(head)) + head + data)
    process.stdin.flush()
    try:
        assert process.wait(timeout=30) == -24  # SIGXCPU
    finally:
        one.close()


@pytest.mark.usefixtures("plugin")
def test_what_a_parser_prints_neither_garbles_nor_leaks(capfd: pytest.CaptureFixture[str]) -> None:
    assert tell("shout")[0].technique == "XRD"
    assert tell("pid")[0].technique == "XRD"
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "")


@pytest.mark.usefixtures("plugin")
def test_an_error_of_a_parser_keeps_its_text() -> None:
    with pytest.raises(InstrumentError, match=r"^fail\.hostile, line 3: told to fail\.$"):
        tell("fail")


@pytest.mark.usefixtures("plugin")
def test_an_answer_that_unfolds_beyond_the_limit_is_refused() -> None:
    with pytest.raises(InstrumentError, match="memory"):
        tell("bomb", memory_mb=1024)


def test_threads_share_one_worker() -> None:
    found: list[str] = []

    def work(n: int) -> None:
        data = f"sample,SiO2 (%),Al2O3 (%),CaO (%)\nRM-{n},20.1,30.2,{n}\n".encode()
        found.append(worker.parse(data, f"{n}.csv")[0].sample + worker.parse(data, f"{n}.csv")[0].file)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(found) == sorted(f"RM-{n}{n}.csv" for n in range(8))


def packed(**changes: object) -> bytes:
    reading = {"technique": "XRD", "variables": {"x": Variable(("x",), np.arange(3.0), "1")}, **changes}
    return pack_readings([Reading(**reading)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        packed()[:-3],
        packed() + b"more",
        struct.pack("<I", 2**31) + packed()[4:],
        struct.pack("<I", 0),
        packed(technique=5),
        packed(fields={"age": 3}),
        packed(completeness="certain"),
        packed(values=[Value("SiO2", "much", "%")]),  # type: ignore[arg-type]
        packed(values=[Value("SiO2", 1.0, "%", flag="nice")]),
        packed(values=[Value("SiO2", True, "%")]),
        packed(variables={"x": Variable(("x",), np.arange(3.0), "")}),
        packed(variables={"../x": Variable(("../x",), np.arange(3.0), "1")}),
        packed(variables={"x": Variable(("y", "z"), np.arange(3.0), "1")}),
        packed(variables={"x": Variable(("x",), np.arange(3.0), "1"), "y": Variable(("x",), np.arange(4.0), "1")}),
    ],
)
def test_an_answer_that_cannot_be_is_not_believed(body: bytes) -> None:
    source = worker.Source(b"data", "a.xy")
    with pytest.raises(InstrumentError, match=r"a\.xy: its parser gave an answer that cannot be"):
        worker._checked(body, source, 256)


def test_a_small_answer_cannot_claim_a_huge_axis() -> None:
    """An even axis is sent as two numbers: its length must be checked before it is made."""
    body = packed(variables={"x": Variable(("x",), np.arange(64.0), "1")}).replace(b"[64]", b"[9999999999]")
    position = body.index(b"WLC1")
    (size,) = struct.unpack_from("<Q", body, 4)
    (length,) = struct.unpack_from("<I", body, position + 4)
    body = body[:4] + struct.pack("<Q", size + 8) + body[12:16] + struct.pack("<I", length + 8) + body[20:]
    with pytest.raises(InstrumentError, match="more than the memory allowed"):
        worker._checked(body, worker.Source(b"data", "a.xy"), 256)


def test_origin_is_what_was_sent_not_what_is_claimed() -> None:
    body = packed(sha256="0" * 64, file="other.xy")
    source = worker.Source(b"data", "a.xy")
    (reading,) = worker._checked(body, source, 256)
    assert (reading.sha256, reading.file) == (source.sha256, "a.xy")


def test_an_unknown_class_of_error_is_an_instrument_error() -> None:
    error = worker._error(json.dumps({"class": "SystemExit", "message": "a.xy: no"}).encode(), "a.xy", 256)
    assert type(error) is InstrumentError and str(error) == "a.xy: no"
    assert "cannot be" in str(worker._error(b"[]", "a.xy", 256))


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    code = (
        "from wastelab.instruments import worker\n"
        f"worker.parse({SHEET!r}, 'a.csv')\n"
        "print(worker._worker.process.pid)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    pid = int(run.stdout)
    for _ in range(50):
        if not _alive(pid):
            break
        time.sleep(0.05)
    assert not _alive(pid) and run.stderr == ""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_its_own_worker() -> None:
    worker.parse(SHEET, "a.csv")
    assert worker._worker is not None
    mine = worker._worker.process.pid
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            worker.parse(SHEET, "a.csv")
            other = worker._worker.process.pid if worker._worker else 0
            worker.shutdown()
            os.write(write_end, str(other).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    other = int(os.read(read_end, 20))
    os.close(read_end)
    os.close(write_end)
    assert other not in (0, mine)
    assert worker.parse(SHEET, "b.csv")[0].file == "b.csv" and worker._worker.process.pid == mine
