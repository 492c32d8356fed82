"""Uploads of real files into real laboratories: whole or not at all, once, in order, and said in two languages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, func, select

from wastelab.errors import IntegrityError, LabError
from wastelab.instruments import worker
from wastelab.lab import schema as s
from wastelab.lab.drafts import Finding
from wastelab.lab.entities import load
from wastelab.lab.lab import CATALOGUE, Lab, open_lab
from wastelab.lab.receipts import Receipt, finding_of, finding_record

HEAD = (
    "样品编号,固废类别,基准,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),Na2O (%),TiO2 (%),Cl (mg/kg),烧失量 (%),检测日期,"
    "检测人\n"
)
ROWS = (
    "RM-01,赤泥,干基,20.10,24.50,22.30,11.90,8.60,3.10,<50,9.40,2026-03-02,李伟\n"
    "RM-02,赤泥,干基,19.20,25.10,23.10,11.20,9.10,3.20,120,9.00,2026-03-02,李伟\n"
)
TABLES = (
    "sample",
    "measurement",
    "value",
    "upload",
    "raw",
    "audit_event",
    "audit_item",
    "curve_blob",
    "quantity",
    "search_text",
)


@pytest.fixture
def here(new_lab: Callable[..., Lab]) -> Lab:
    """An empty laboratory in SQLite with curve files."""
    return new_lab("sqlite-files")


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A synthetic sheet as a Chinese office program saves it: GB18030, two samples."""
    file = tmp_path / "赤泥-XRF-2026年3月.csv"
    file.write_bytes((HEAD + ROWS).encode("gb18030"))
    return file


def pattern(folder: Path, name: str = "scan.xy", seed: int = 0, points: int = 600) -> Path:
    """A synthetic diffraction pattern in two columns."""
    rng = np.random.default_rng(seed)
    angle = 5.0 + 12.0 / points * np.arange(points)
    counts = rng.poisson(100 + 2000 * np.exp(-(((angle - 11.0) / 0.1) ** 2)))
    file = folder / name
    file.write_text("".join(f"{a:.5f} {c}\n" for a, c in zip(angle, counts, strict=True)))
    return file


def one(lab: Lab, file: Path, **options: Any) -> Receipt:
    (receipt,) = lab.upload(file, **options)
    return receipt


def rows(lab: Lab, name: str = "measurement") -> list[dict[str, Any]]:
    with lab.store.read() as conn:
        return list(load(conn, name).values())


def counts(lab: Lab) -> dict[str, int]:
    with lab.store.read() as conn:
        return {
            name: int(conn.execute(select(func.count()).select_from(s.metadata.tables[name])).scalar_one())
            for name in TABLES
        }


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a laboratory but those SQLite keeps beside an open catalogue."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.startswith(CATALOGUE)
    }


def quarantined(lab: Lab) -> dict[str, int]:
    with lab.store.read() as conn:
        return {row[0]: row[1] for row in conn.execute(select(s.raw.c.filename, s.raw.c.quarantined))}


# -- one file, one transaction


def test_a_sheet_is_stored_with_its_samples_values_and_raw_file(lab: Lab, sheet: Path) -> None:
    receipt = one(lab, sheet)
    assert receipt.ok and receipt.outcome == "stored", receipt.text()
    assert list(receipt.new_samples) == ["RM-01", "RM-02"] and receipt.reader.startswith("sheet ")
    assert lab.store.vault.get(receipt.sha256) == sheet.read_bytes()
    first, second = rows(lab)
    assert [m["operator"] for m in (first, second)] == ["李伟", "李伟"]
    assert (first["technique"], first["basis"], first["measured_at"], first["status"]) == (
        "XRF",
        "dry",
        "2026-03-02",
        "draft",
    )
    assert first["raw_sha"] == receipt.sha256 and first["place"] == "row 2"
    values = {v["quantity"]: v for v in first["values"]}
    assert values["SiO2"]["value"] == 20.1 and values["SiO2"]["unit"] == "wt%"
    assert (values["Cl"]["value"], values["Cl"]["lod"]) == (None, 0.005)
    assert s.FLAGS[values["Cl"]["flag"]] == "below_detection"
    assert {v["quantity"]: v["value"] for v in second["values"]}["Cl"] == 0.012
    with lab.store.read() as conn:
        events = conn.execute(select(s.audit_event.c.action, s.audit_event.c.hash).order_by(s.audit_event.c.seq)).all()
    assert [e[0] for e in events] == ["init", "upload"] and events[-1][1] == receipt.event == lab.head()


def test_the_same_numbers_from_a_workbook(here: Lab, sheet: Path, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is needed to write a workbook")
    book = openpyxl.Workbook()
    page = book.active
    page.title = "XRF"
    for line in (HEAD + ROWS).splitlines():
        page.append([float(c) if c.replace(".", "").isdigit() else c for c in line.split(",")])
    file = tmp_path / "赤泥.xlsx"
    book.save(file)
    receipt = one(here, file)
    assert receipt.outcome == "stored", receipt.text()
    stored = [{v["quantity"]: (v["value"], v["lod"]) for v in m["values"]} for m in rows(here)]
    assert stored[0]["SiO2"] == (20.1, None) and stored[0]["Cl"] == (None, 0.005) and stored[1]["Cl"] == (0.012, None)
    assert rows(here)[0]["place"] == "sheet 'XRF', row 2"


def test_a_decimal_comma_is_read_as_one(here: Lab, tmp_path: Path) -> None:
    file = tmp_path / "komma.csv"
    file.write_text("sample;class;basis;SiO2 (kg/kg);CaO (kg/kg)\nS-1;slag;dry;0,21;0,405\n", encoding="utf-8")
    assert one(here, file).outcome == "stored"
    assert [v["value"] for v in rows(here)[0]["values"]] == [21.0, 40.5]


def test_a_curve_is_stored_and_comes_back(lab: Lab, tmp_path: Path) -> None:
    lab.add("sample", code="RM-01", waste_class="red_mud")
    receipt = one(lab, pattern(tmp_path), sample="RM-01")
    assert receipt.outcome == "stored", receipt.text()
    assert receipt.measurements[0]["n_points"] == 600 and receipt.measurements[0]["technique"] == "XRD"
    (m,) = rows(lab)
    with lab.store.read() as conn:
        variables, attrs = lab.store.curve(conn, m["curve_sha"])
    assert attrs["sample"] == "RM-01" and attrs["Conventions"] == "CF-1.11" and attrs["title"] == "XRD of RM-01"
    assert variables["two_theta"].data[0] == pytest.approx(5.0) and variables["two_theta"].data.size == 600


def test_parsing_here_and_in_a_process_of_its_own_gives_the_same(new_lab: Callable[..., Lab], sheet: Path) -> None:
    a, b = new_lab(name="a"), new_lab(name="b")
    one(a, sheet)
    one(b, sheet, in_process=True)
    strip = ("uid", "created_at", "sample", "upload")
    assert [{k: v for k, v in m.items() if k not in strip} for m in rows(a)] == [
        {k: v for k, v in m.items() if k not in strip} for m in rows(b)
    ]


# -- once


def test_the_same_file_is_stored_once(lab: Lab, sheet: Path, tmp_path: Path) -> None:
    first = one(lab, sheet)
    before = counts(lab)
    copy = tmp_path / "copy of it.csv"
    copy.write_bytes(sheet.read_bytes())
    second = one(lab, copy)
    assert second.outcome == "duplicate" and second.ok
    assert (second.earlier, second.event, second.upload) == (first.upload, first.event, "")
    assert [m["uid"] for m in second.measurements] == [m["uid"] for m in first.measurements]
    assert [f.text("zh") for f in second.findings] == [f.text("zh") for f in first.findings]
    assert counts(lab) == before


def test_the_same_file_for_another_sample_is_another_upload(here: Lab, tmp_path: Path) -> None:
    for code in ("RM-01", "RM-02"):
        here.add("sample", code=code, waste_class="red_mud")
    file = pattern(tmp_path)
    assert one(here, file, sample="RM-01").outcome == "stored"
    assert one(here, file, sample="RM-02").outcome in ("stored", "refused")  # a gate may find that the data is not new
    assert one(here, file, sample="RM-01").outcome == "duplicate"


def test_a_retracted_result_does_not_come_back_by_uploading_again(here: Lab, sheet: Path) -> None:
    first = one(here, sheet)
    for m in first.measurements:
        here.set_status(m["uid"], "retracted", by="王芳", reason="wrong crucible")
    second = one(here, sheet)
    assert second.outcome == "duplicate" and {m["status"] for m in second.measurements} == {"retracted"}
    assert "--again" in second.text("en") and "--again" in second.text("zh")


def test_again_supersedes_what_the_file_gave_before(lab: Lab, sheet: Path) -> None:
    first = one(lab, sheet)
    receipt = one(lab, sheet, again=True)
    assert receipt.outcome == "stored", receipt.text()
    old, new = rows(lab)[:2], rows(lab)[2:]
    assert [m["status"] for m in old] == ["retracted"] * 2 and [m["status"] for m in new] == ["draft"] * 2
    assert [m["supersedes"] for m in new] == [m["uid"] for m in old] == [m["uid"] for m in first.measurements]
    assert [m["replicate"] for m in new] == [1, 1]
    assert not {"duplicate_data", "repeatability"} & {f.gate for f in receipt.findings}
    third = one(lab, sheet)
    assert third.outcome == "duplicate" and third.earlier == receipt.upload
    assert lab.upload(sheet, again=True)[0].outcome == "stored" and len(rows(lab)) == 6
    assert sum(m["status"] != "retracted" for m in rows(lab)) == 2
    assert not lab.verify(expect=first.event).problems


def test_again_says_where_a_person_had_retracted(here: Lab, sheet: Path) -> None:
    first = one(here, sheet)
    here.set_status(first.measurements[1]["uid"], "retracted", by="王芳", reason="wrong crucible")
    receipt = one(here, sheet, again=True)
    (finding,) = [f for f in receipt.findings if f.gate == "superseded"]
    assert finding.severity == "warn" and finding.where == "row 3" and first.measurements[1]["uid"] in finding.text()
    assert "superseded" in receipt.measurements[1]["flags"] and "superseded" not in receipt.measurements[0]["flags"]


def test_again_does_not_replace_verified_results_without_reason_and_right(here: Lab, sheet: Path) -> None:
    first = one(here, sheet)
    here.set_status(first.measurements[1]["uid"], "verified", by="王芳")
    receipt = one(here, sheet, again=True)
    assert receipt.outcome == "refused" and [m["status"] for m in rows(here)] == ["draft", "verified"]
    (finding,) = [f for f in receipt.findings if f.severity == "refuse"]
    assert finding.key == "receipt.supersedes_reason" and first.measurements[1]["uid"] in finding.text()
    here.add("person", name="王芳", role="reviewer")
    receipt = one(here, sheet, again=True, reason="newer reader")
    assert receipt.outcome == "refused" and "王芳" in receipt.text("zh")
    here.store.user = "王芳"
    assert one(here, sheet, again=True, reason="newer reader").outcome == "stored"
    assert [m["status"] for m in rows(here)] == ["retracted"] * 2 + ["draft"] * 2
    assert not here.verify().problems


@pytest.mark.parametrize("files", [5, None, [5], b"sheet.csv", ["a.csv", None]])
def test_what_is_no_path_is_said(here: Lab, files: Any) -> None:
    before = counts(here)
    with pytest.raises(LabError, match=r"files.* = .*: expected a path, or several"):
        here.upload(files)
    assert counts(here) == before


# -- refused


def test_a_refused_file_leaves_nothing_but_the_raw_file_in_quarantine(lab: Lab, sheet: Path, tmp_path: Path) -> None:
    one(lab, sheet)
    before = counts(lab)
    bad = tmp_path / "bad.csv"
    bad.write_bytes((HEAD + ROWS.replace("RM-02,赤泥", "RM-20,").replace("RM-01", "RM-03")).encode("gb18030"))
    receipt = one(lab, bad)
    assert not receipt.ok and receipt.outcome == "refused" and receipt.measurements == ()
    after = counts(lab)
    assert {k: after[k] - before[k] for k in TABLES if after[k] != before[k]} == {
        "upload": 1, "raw": 1, "audit_event": 1, "audit_item": 2,
    }  # fmt: skip
    assert quarantined(lab) == {sheet.name: 0, "bad.csv": 1}
    assert lab.store.vault.get(receipt.sha256) == bad.read_bytes()
    kept = rows(lab, "upload")[-1]
    assert kept["outcome"] == "refused" and kept["uid"] == receipt.upload
    (refusal,) = [f for f in json.loads(kept["receipt"])["findings"] if f["severity"] == "refuse"]
    assert refusal["key"] == "receipt.unknown_sample" and refusal["sample"] == "RM-20" and refusal["where"] == "row 3"
    assert receipt.event == lab.head()
    assert not lab.verify(expect=receipt.event).problems


def test_a_quarantined_file_that_can_be_stored_later_is_released(here: Lab, tmp_path: Path) -> None:
    file = pattern(tmp_path)
    first = one(here, file, sample="RM-01")
    assert first.outcome == "refused" and quarantined(here) == {"scan.xy": 1}
    here.add("sample", code="RM-01", waste_class="red_mud")
    assert one(here, file, sample="RM-01").outcome == "stored"
    assert quarantined(here) == {"scan.xy": 0}
    with here.store.read() as conn:
        changes = conn.execute(select(s.audit_item.c.change).where(s.audit_item.c.uid == first.sha256)).scalars().all()
    assert changes == ["quarantine", "release"]


def test_one_bad_file_does_not_stop_the_others(here: Lab, sheet: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "noise.dat"
    unknown.write_bytes(bytes(range(256)) * 20)
    empty = tmp_path / "empty.csv"
    empty.touch()
    other = tmp_path / "more.csv"
    other.write_bytes((HEAD + "RM-03,赤泥,干基,21.0,24.0,22.0,12.0,8.5,3.0,,9.5,2026-03-03,李伟\n").encode())
    seen: list[tuple[int, int, str]] = []
    receipts = here.upload([unknown, sheet, tmp_path / "missing.csv", empty, other], progress=lambda *a: seen.append(a))
    assert [r.outcome for r in receipts] == ["refused", "stored", "refused", "refused", "stored"]
    assert [r.findings[0].gate for r in receipts if not r.ok] == ["format"] * 3
    assert "unknown format" in receipts[0].text() and "cannot be read" in receipts[2].text()
    assert "empty (0 bytes)" in receipts[3].text() and receipts[3].sha256 == ""
    assert quarantined(here) == {"noise.dat": 1, sheet.name: 0, "more.csv": 0}
    assert [name for _, _, name in seen] == ["noise.dat", sheet.name, "missing.csv", "empty.csv", "more.csv", ""]
    assert seen[-1][:2] == (5, 5)


def test_every_faulty_cell_is_a_finding_with_its_place(here: Lab, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("sample,SiO2 (%),Al2O3 (%),CaO (%)\nRM-1,abc,30.2,x\n")
    receipt = one(here, file)
    assert [(f.gate, f.where) for f in receipt.findings] == [
        ("format", "row 2, column B 'SiO2 (%)'"),
        ("format", "row 2, column D 'CaO (%)'"),
    ]
    assert "bad.csv, row 2, column B 'SiO2 (%)': 'abc' is not a number" in receipt.text()
    assert "is not a number" not in receipt.text("zh") and "abc" in receipt.text("zh")
    assert one(here, file).findings == receipt.findings


def test_a_gate_may_be_let_pass_with_a_reason_that_is_kept(here: Lab, tmp_path: Path) -> None:
    file = tmp_path / "high.csv"
    file.write_text(
        "sample,class,basis,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),Na2O (%),LOI (%)\nRM-1,red mud,dry,40,30,22,12,8,9\n"
    )
    assert one(here, file).outcome == "refused"
    receipt = one(here, file, allow=["oxide-sum"], reason="spiked on purpose")
    assert receipt.outcome == "stored", receipt.text()
    (m,) = rows(here)
    assert "oxide_sum" in json.loads(m["flags"])
    upload = rows(here, "upload")[-1]
    assert upload["reason"] == "spiked on purpose" and json.loads(upload["options"])["allow"] == ["oxide_sum"]
    with here.store.read() as conn:
        assert conn.execute(select(s.audit_event.c.reason).where(s.audit_event.c.hash == receipt.event)).scalar() == (
            "spiked on purpose"
        )


# -- folders


def test_a_folder_gives_the_files_directly_in_it(here: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    (folder / "inner").mkdir(parents=True)
    for name in ("~$more.xlsx", ".DS_Store", "Thumbs.db", ".hidden.csv", "half.csv.part"):
        (folder / name).write_bytes(b"x")
    (folder / "inner" / "deep.csv").write_text("x")
    (folder / "b.csv").write_bytes((HEAD + ROWS).encode())
    here.add("sample", code="RM-09", waste_class="red_mud")
    receipts = here.upload(folder)
    assert {r.file: r.outcome for r in receipts if r.outcome != "skipped"} == {"b.csv": "stored"}
    passed_over = {r.file: r.text("en") for r in receipts if r.outcome == "skipped"}
    assert set(passed_over) == {"~$more.xlsx", ".DS_Store", "Thumbs.db", ".hidden.csv", "half.csv.part", "inner"}
    assert "folder inside" in passed_over["inner"] and all(r.ok for r in receipts)
    assert list(quarantined(here)) == ["b.csv"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
def test_a_file_name_in_another_encoding_is_read_as_chinese(here: Lab, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode("赤泥.csv".encode("gb18030"))
    file.write_bytes((HEAD + ROWS).encode("gb18030"))
    receipt = one(here, file)
    assert (receipt.outcome, receipt.file) == ("stored", "赤泥.csv")
    assert list(quarantined(here)) == ["赤泥.csv"]


# -- dry run


@pytest.mark.parametrize("again", [False, True])
def test_a_dry_run_writes_nothing_at_all(lab: Lab, sheet: Path, tmp_path: Path, again: bool) -> None:
    if again:
        one(lab, sheet)
    noise = tmp_path / "noise.dat"
    noise.write_bytes(bytes(range(256)) * 20)
    bad = tmp_path / "bad.csv"
    bad.write_text("sample,SiO2 (%),CaO (%),MgO (%)\nZZ-77,20,40,1\n")
    before, files = counts(lab), tree(lab.store.root)
    receipts = lab.upload([sheet, noise, bad], dry_run=True, again=again)
    assert [(r.outcome, r.ok) for r in receipts] == [("dry_run", True), ("dry_run", False), ("dry_run", False)]
    assert len(receipts[0].measurements) == 2 and receipts[0].upload == ""
    assert (counts(lab), tree(lab.store.root)) == (before, files)
    real = lab.upload([sheet, noise, bad], again=again)
    assert [[f.text() for f in r.findings] for r in real] == [[f.text() for f in r.findings] for r in receipts]


def test_a_dry_run_says_that_a_file_is_stored_already(here: Lab, sheet: Path) -> None:
    first = one(here, sheet)
    receipt = one(here, sheet, dry_run=True)
    assert receipt.ok and receipt.earlier == first.upload and first.upload in receipt.text("zh")


# -- at the same time


def test_two_threads_with_the_same_file_end_with_one_stored(lab: Lab, sheet: Path) -> None:
    gate = threading.Barrier(4)
    found: list[Receipt] = []

    def work() -> None:
        gate.wait()
        found.extend(lab.upload(sheet, in_process=True))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(r.outcome for r in found) == ["duplicate"] * 3 + ["stored"]
    (stored,) = [r for r in found if r.outcome == "stored"]
    assert {r.earlier for r in found if r.outcome == "duplicate"} == {stored.upload}
    assert len(rows(lab)) == 2 and len(rows(lab, "sample")) == 2
    assert not lab.verify(expect=stored.event).problems


def test_two_processes_with_the_same_and_with_other_files(here: Lab, sheet: Path, tmp_path: Path) -> None:
    own = [tmp_path / f"own-{n}.csv" for n in range(2)]
    for n, file in enumerate(own):
        file.write_bytes((HEAD + ROWS.replace("RM-", f"P{n}-")).encode())
    code = textwrap.dedent(
        """
        import json, sys
        from wastelab.lab import open_lab
        with open_lab(sys.argv[1], user=sys.argv[2]) as lab:
            sys.stdin.readline()
            print(json.dumps([r.outcome for r in lab.upload(sys.argv[3:])]))
        """
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(here.store.root), f"person {n}", str(sheet), str(own[n])],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for n in range(2)
    ]  # fmt: skip
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0 and err == ""
        outcomes.append(json.loads(out))
    assert sorted(o[0] for o in outcomes) == ["duplicate", "stored"] and [o[1] for o in outcomes] == [
        "stored",
        "stored",
    ]
    assert len(rows(here)) == 6
    with here.store.read() as conn:
        seqs = conn.execute(select(s.audit_event.c.seq).order_by(s.audit_event.c.seq)).scalars().all()
    assert seqs == list(range(1, len(seqs) + 1))


def test_an_interrupt_keeps_the_files_that_are_done(here: Lab, sheet: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, name: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here.upload([sheet, pattern(tmp_path)], progress=stop)
    assert len(rows(here)) == 2 and one(here, sheet).outcome == "duplicate"


# -- what a bad file can do


def test_a_file_that_takes_too_long_is_refused_and_kept(here: Lab, tmp_path: Path) -> None:
    worker.shutdown()
    file = pattern(tmp_path, points=200_000)
    receipt = one(here, file, sample="RM-01", timeout_s=1e-4)
    assert receipt.outcome == "refused" and "took longer than 0.0001 s" in receipt.text()
    assert "读取超过 0.0001 s" in receipt.text("zh")
    assert quarantined(here) == {"scan.xy": 1}
    here.add("sample", code="RM-01", waste_class="red_mud")
    assert one(here, file, sample="RM-01").outcome == "stored"


def test_every_real_file_is_stored_or_refused_with_a_reason(here: Lab) -> None:
    shared = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).parents[2].parent / "shared")) / "instrument_files"
    if not shared.is_dir():
        pytest.skip(f"NO REAL INSTRUMENT FILES: {shared} is not there; set WASTELAB_SHARED")
    here.add("sample", code="S-1", waste_class="red_mud")
    files = [p for p in sorted(shared.glob("*/*")) if p.is_file() and not p.name.startswith("README")]
    receipts = here.upload(files, sample="S-1")
    outcomes = {str(f.relative_to(shared)): r.outcome for f, r in zip(files, receipts, strict=True)}
    assert len(files) > 40 and set(outcomes.values()) == {"stored", "refused"}
    for receipt in receipts:
        assert receipt.ok == bool(receipt.measurements) and receipt.event
        assert receipt.ok or any(f.severity == "refuse" for f in receipt.findings)
        assert receipt.text("en") and receipt.text("zh")
    assert sum(o == "stored" for o in outcomes.values()) > 35, outcomes
    assert outcomes["xrd_panalytical_xrdml/210520step1_30min.xrdml"] == "stored"
    assert outcomes["xrd_stoe_raw/stoe.raw"] == "refused"
    assert not here.verify(expect=receipts[0].event).problems
    assert {
        r.outcome for r in here.upload([f for f, r in zip(files, receipts, strict=True) if r.ok], sample="S-1")
    } == {"duplicate"}


# -- the order on disk


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be synced on Windows")
def test_raw_files_and_curves_are_durable_before_the_rows_that_name_them(
    here: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add("sample", code="RM-01", waste_class="red_mud")
    file = pattern(tmp_path)
    log: list[str] = []
    handles: dict[int, str] = {}
    root = here.store.root
    real_open, real_fsync, real_replace, path_open = os.open, os.fsync, Path.replace, Path.open

    def name_of(path: object) -> str:
        parts = Path(str(path)).relative_to(root).parts
        return "/".join(p if len(p) < 12 else "…" for p in parts)

    def spy_open(path: Any, flags: int, *a: Any, **k: Any) -> int:
        handle = real_open(path, flags, *a, **k)
        handles[handle] = str(path)
        return handle

    def spy_path_open(self: Path, *a: Any, **k: Any) -> Any:
        stream = path_open(self, *a, **k)
        handles[stream.fileno()] = str(self)
        return stream

    def spy_fsync(handle: int) -> None:
        real_fsync(handle)
        if handles.get(handle, "").startswith(str(root)):
            log.append(f"fsync {name_of(handles[handle])}")

    def spy_replace(self: Path, target: Any) -> Path:
        out = real_replace(self, target)
        log.append(f"rename {name_of(target)}")
        return out

    monkeypatch.setattr(os, "open", spy_open)
    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "open", spy_path_open)
    monkeypatch.setattr(Path, "replace", spy_replace)
    event.listen(here.store.engine, "commit", lambda conn: log.append("commit" if _writes(conn) else "end of read"))
    parse = worker.parse

    def spy_parse(*a: Any, **k: Any) -> Any:
        log.append("parse")
        return parse(*a, **k)

    monkeypatch.setattr(worker, "parse", spy_parse)
    receipt = one(here, file, sample="RM-01")
    assert receipt.outcome == "stored", receipt.text()
    sha = receipt.sha256
    curve = str(rows(here)[0]["curve_sha"])
    first = log[: log.index("parse")]
    assert [e for e in first if e != "end of read"] == [
        "fsync tmp/…", f"rename raw/{sha[:2]}/…", *sorted({f"fsync raw/{sha[:2]}", "fsync raw"}, key=first.index),
    ]  # fmt: skip
    after = log[log.index("parse") : log.index("commit")]
    order = [after.index(e) for e in ("fsync tmp/…", f"rename curves/{curve[:2]}/…", f"fsync curves/{curve[:2]}")]
    assert order == sorted(order)
    assert log.count("commit") == 1 and "rename" not in " ".join(log[log.index("commit") :])


def _writes(conn: Any) -> bool:
    return bool(conn.get_execution_options().get("wastelab_write", False))


def test_a_crash_before_the_commit_leaves_the_raw_file_and_no_row(
    here: Lab, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wastelab.lab import upload as module

    def dies(*_: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(module, "commit", dies)
    before = counts(here)
    with pytest.raises(RuntimeError, match="power cut"):
        here.upload(sheet)
    assert counts(here) == before and len(list(here.store.vault.hashes())) == 1
    monkeypatch.undo()
    assert one(here, sheet).outcome == "stored"


def test_a_killed_upload_leaves_all_of_a_file_or_nothing(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    """Twelve uploads, each killed a little later: what is acknowledged is there, and nothing is half there."""
    lab = new_lab("sqlite-files", name="killed")
    files = []
    for n in range(60):
        file = tmp_path / f"{n:02d}.csv"
        file.write_bytes((HEAD + ROWS.replace("RM-", f"K{n}-")).encode())
        files.append(str(file))
    code = textwrap.dedent(
        """
        import sys
        from wastelab.lab import open_lab
        lab = open_lab(sys.argv[1], user="killed")
        for file in sys.argv[2:]:
            for r in lab.upload(file, in_process=True):
                print(r.outcome, r.event, flush=True)
        """
    )
    acknowledged = 0
    for turn in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(lab.store.root), *files], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("stored") and sum(x.startswith("stored") for x in lines) > 4 + 5 * turn:
                process.kill()
                break
        rest = process.stdout.read()
        process.stdout.close()
        process.wait()
        acknowledged += sum(x.startswith("stored") for x in (*lines, *rest.splitlines()))
    assert acknowledged > 20
    found = rows(lab)
    uploads = [u for u in rows(lab, "upload") if u["outcome"] == "stored"]
    assert acknowledged <= len(uploads) <= acknowledged + 3
    assert len(found) == 2 * len(uploads) == len(rows(lab, "sample"))
    with lab.store.read() as conn:
        named = set(conn.execute(select(s.raw.c.sha256)).scalars())
    for sha in named:
        lab.store.vault.get(sha)
    assert len(set(lab.store.vault.hashes()) - named) <= 3
    assert not lab.verify().problems


def test_a_raw_file_that_was_damaged_is_healed_by_uploading_it_again(here: Lab, sheet: Path) -> None:
    receipt = one(here, sheet)
    kept = here.store.vault.path(receipt.sha256)
    kept.chmod(0o644)
    kept.write_bytes(b"damaged")
    with pytest.raises(IntegrityError):
        here.store.vault.get(receipt.sha256)
    assert one(here, sheet).outcome == "duplicate"
    assert here.store.vault.get(receipt.sha256) == sheet.read_bytes()


# -- options and receipts


def test_a_wrong_option_stops_before_the_first_file(here: Lab, sheet: Path) -> None:
    with pytest.raises(LabError, match="Did you mean 'operator'"):
        here.upload(sheet, operater="Li Wei")
    assert list(here.store.vault.hashes()) == []


def test_receipts_speak_both_languages_and_json(here: Lab, sheet: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("sample,SiO2 (%),CaO (%),MgO (%)\nRM-10,20,40,1\n")
    stored, refused = here.upload([sheet, bad])
    english, chinese = stored.text("en"), stored.text("zh")
    assert english.startswith(f"{sheet.name}: stored (2 measurements on 2 samples)")
    assert chinese.startswith(f"{sheet.name}:已入库(2条测量,2个样品)")
    assert "new samples (2): RM-01, RM-02" in english and "新样品(2个):RM-01, RM-02" in chinese
    assert f"event {stored.event}" in english and "8 values" in english and "8个数值" in chinese
    assert "near: RM-0" in refused.text("en") and "相近的有:" in refused.text("zh")
    assert "quarantine" in refused.text("en") and "隔离" in refused.text("zh")
    data = json.loads(json.dumps(refused.to_dict()))
    assert (data["outcome"], data["ok"], data["sha256"]) == ("refused", False, refused.sha256)
    finding = next(f for f in data["findings"] if f["severity"] == "refuse")
    assert finding["gate"] == "sample_identity" and "RM-10" in finding["message"] and "未登记" in finding["message_zh"]
    assert [finding_of(json.loads(json.dumps(finding_record(f)))).text("zh") for f in refused.findings] == [
        f.text("zh") for f in refused.findings
    ]


def test_a_receipt_of_an_older_version_is_still_told() -> None:
    record = finding_record(
        Finding("gone", "warn", "receipt.bad_code", values={"most": 5}, file="a.csv", where="row 2")
    )
    old = {**record, "key": "gate.a_text_that_was_dropped"}
    assert finding_of(old).text("zh").endswith("a sample code has at most 5 printable characters.")


def test_alike_findings_are_told_once(here: Lab, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    lines = "".join(f"N-{n},20.1,24.5,22.3,11.9,8.6,3.1,9.4\n" for n in range(40))
    file.write_text("sample,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),Na2O (%),TiO2 (%),LOI (%)\n" + lines)
    receipt = one(here, file, waste_class="red_mud", create_samples=True, dry_run=True)
    text = receipt.text("en")
    assert sum(f.gate == "basis" for f in receipt.findings) == 40
    assert text.count("have no basis") == 1 and "(and 39 more places)" in text


def test_every_text_of_a_receipt_is_there_in_both_languages() -> None:
    import string

    from wastelab import i18n

    english, chinese = i18n._catalogue("en")["receipt"], i18n._catalogue("zh")["receipt"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        fields = {f for _, f, _, _ in string.Formatter().parse(text) if f}
        assert fields == {f for _, f, _, _ in string.Formatter().parse(chinese[key]) if f}, key


def test_the_laboratory_can_be_opened_again_and_knows_the_file(here: Lab, sheet: Path) -> None:
    first = one(here, sheet)
    here.close()
    with open_lab(here.store.root) as lab:
        assert one(lab, sheet).earlier == first.upload


def test_a_leaching_method_is_kept_as_the_vocabulary_writes_it(lab, tmp_path):
    lab.add("sample", code="SYN-1", waste_class="red_mud")
    file = tmp_path / "浸出.csv"
    file.write_text("样品编号,浸出方法,Cu (mg/L)\nSYN-1,HJT299-2007,0.05\n", encoding="utf-8")
    (receipt,) = lab.upload(file, in_process=True)
    assert receipt.outcome == "stored", receipt.text("en")
    (row,) = lab.values(quantity="leachate_Cu", method="HJ/T 299").to_dict("records")
    assert row["value"] == 0.05
    conditions = lab.table("measurement")["conditions"].iloc[0]
    assert "HJT299-2007" in str(conditions)


def test_a_sheet_that_names_another_sample_is_not_stored_on_the_one_asked_for(lab, tmp_path):
    lab.add("sample", code="SYN-1", waste_class="red_mud")
    file = tmp_path / "mud.csv"
    file.write_text("样品编号,基准,SiO2 (%),Al2O3 (%),LOI (%)\nOTHER-9,干基,60,30,9\n", encoding="utf-8")
    (receipt,) = lab.upload(file, in_process=True, sample="SYN-1")
    assert receipt.outcome == "refused"
    assert "OTHER-9" in receipt.text("en")
    assert "OTHER-9" in receipt.text("zh")
    assert len(lab.measurements()) == 0
