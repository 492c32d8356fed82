"""Bundles between laboratories: whole, equal, nothing that may not leave, nothing from strangers that is not right."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _synthetic import fill, store_results
from sqlalchemy import func, select

from wastelab.errors import IntegrityError, LabError, UnknownNameError
from wastelab.lab import schema as s
from wastelab.lab.entities import ENTITIES, canonical, digest, load
from wastelab.lab.lab import Lab


def records(lab: Lab) -> dict[str, dict[str, dict[str, Any]]]:
    with lab.store.read() as conn:
        return {n: {r["uid"]: r for r in load(conn, n).values()} for n in ENTITIES}


def lines(file: Path, member: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file) as archive:
        return [json.loads(line) for line in archive.read(member).splitlines()]


@pytest.fixture
def other(new_lab: Callable[..., Lab]) -> Lab:
    """A second laboratory, empty."""
    return new_lab("sqlite-files", "other")


def test_export_import_export_is_the_same(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 3)
    lab.attach("sample", "RM-001", Path(__file__), note="photo")
    made = lab.export_bundle(tmp_path / "a.zip")
    assert made["records"] == {"instrument": 1, "calibration": 0, "reference_material": 0, "source": 1, "sample": 3,
                               "mix": 1, "specimen": 1, "upload": 3, "measurement": 9, "attachment": 1}  # fmt: skip
    assert made["raw"] == 4 and made["curves"] == 3 and made["sha256"] == hashlib.sha256(
        (tmp_path / "a.zip").read_bytes()).hexdigest()  # fmt: skip
    assert made["withheld"] == {"sample": 0, "mix": 0, "measurement": 0}
    got = other.import_bundle(tmp_path / "a.zip")
    assert {k: v for k, v in got["new"].items() if v} == {k: v for k, v in made["records"].items() if v}
    report = other.verify(expect=got["event"])
    assert report.ok and not report.notes, report.text()
    uid = lab.info()["uid"]
    ours, theirs = records(lab), records(other)
    for name in made["records"]:
        if name != "calibration":
            assert theirs[name] == {u: {**r, "origin": uid} if "origin" in r else r for u, r in ours[name].items()}
    again = other.export_bundle(tmp_path / "b.zip")
    assert again["records"] == made["records"]
    for name in made["records"]:
        member = f"records/{name}.jsonl"
        assert lines(tmp_path / "a.zip", member) == lines(tmp_path / "b.zip", member)
    # Home again: everything is there already.
    head = lab.head()
    back = lab.import_bundle(tmp_path / "b.zip")
    assert back["event"] == "" and lab.head() == head and back["there"] == made["records"]


def test_importing_twice_adds_nothing(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    lab.export_bundle(tmp_path / "a.zip")
    other.import_bundle(tmp_path / "a.zip")
    before = other.head(), other.info()["counts"]
    again = other.import_bundle(tmp_path / "a.zip")
    assert not any(again["new"].values()) and again["event"] == ""
    assert (other.head(), other.info()["counts"]) == before
    store_results(lab, "RM-001", seed=9)
    lab.export_bundle(tmp_path / "b.zip")
    more = other.import_bundle(tmp_path / "b.zip")
    assert more["new"]["measurement"] == 3 and more["new"]["sample"] == 0 and other.verify().ok


def test_the_same_state_gives_the_same_bytes(lab: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    one = lab.export_bundle(tmp_path / "a.zip")
    two = lab.export_bundle(tmp_path / "b.zip")
    assert one["sha256"] == two["sha256"]


def test_dry_run_stores_nothing(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    lab.export_bundle(tmp_path / "a.zip")
    head = other.head()
    assert other.import_bundle(tmp_path / "a.zip", dry_run=True)["new"]["sample"] == 2
    assert other.head() == head and not other.verify().notes and other.info()["counts"]["sample"] == 0


def test_what_may_not_leave_does_not(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2, prefix="PUB")
    fill(lab, 2, prefix="OWN", visibility="group")
    store_results(lab, "PUB-001", seed=5, visibility="group")  # own results on a public sample
    lab.add("sample", code="PUB-OF-OWN", waste_class="red_mud", parent="OWN-001", visibility="public")
    lab.add("mix", code="BOTH", visibility="public", components=[{"sample": "OWN-001", "fraction": 1.0}])
    made = lab.export_bundle(tmp_path / "a.zip")
    assert made["withheld"] == {"sample": 3, "mix": 2, "measurement": 3}
    text = (tmp_path / "a.zip").read_bytes()
    for word in (b"OWN-", b"BOTH"):
        assert word not in text
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
    kept = {u for u, r in records(lab)["measurement"].items() if r["visibility"] == "group"}
    assert not any(r["uid"] in kept for r in lines(tmp_path / "a.zip", "records/measurement.jsonl"))
    assert sum(n.startswith("raw/") for n in names) == 2 == sum(n.startswith("curves/") for n in names)
    other.import_bundle(tmp_path / "a.zip")
    assert other.verify().ok
    assert {r["licence"] for r in records(other)["sample"].values()} == {"CC-BY-4.0"}
    assert {r["visibility"] for r in records(other)["sample"].values()} == {"public"}
    everything = lab.export_bundle(tmp_path / "b.zip", visibility=("group", "institute", "public"))
    assert everything["records"]["sample"] == 5 and not any(everything["withheld"].values())


def test_a_raw_file_with_others_results_stays(lab: Lab, other: Lab, tmp_path: Path) -> None:
    """One sheet with a public and a group sample: the file and the receipt stay, the public result goes."""
    lab.add("sample", code="OPEN", waste_class="raw", visibility="public")
    lab.add("sample", code="CLOSED", waste_class="raw")
    with lab.store.write("upload") as act:
        sha = act.put_raw(b"OPEN;1\nCLOSED;2\n", "CLOSED list.csv")
        upload = {"raw_sha": sha, "filename": "CLOSED list.csv", "at": act.at, "actor": "x", "outcome": "stored",
                  "receipt": '["CLOSED"]', "uid": "0195533c-0000-7000-8000-00000000000a"}  # fmt: skip
        act.insert("upload", upload)
        for code, seen in (("OPEN", "public"), ("CLOSED", "group")):
            act.insert("measurement", {
                "sample": act.uid("sample", code), "technique": "XRF", "raw_sha": sha, "upload": upload["uid"],
                "visibility": seen, "values": [{"quantity": "SiO2", "unit": "wt%", "value": 1.0}],
            })  # fmt: skip
    made = lab.export_bundle(tmp_path / "a.zip")
    assert made["raw"] == 0 and made["raw_withheld"] == 1 and made["withheld"]["measurement"] == 0
    found = lines(tmp_path / "a.zip", "records/upload.jsonl")[0]
    assert (found["outcome"], found["receipt"], found["filename"]) == ("withheld", "", "")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert not any(b"CLOSED" in archive.read(n) for n in archive.namelist())
    other.import_bundle(tmp_path / "a.zip")
    report = other.verify()
    assert report.ok and report.counts["raw_elsewhere"] == 1
    other.export_bundle(tmp_path / "b.zip")
    lab.import_bundle(tmp_path / "b.zip")  # the stub does not replace the upload
    assert records(lab)["upload"][upload["uid"]]["outcome"] == "stored"
    with other.store.write("now it is here") as act:
        act.put_raw(b"OPEN;1\nCLOSED;2\n", "list.csv")
    assert other.verify().ok and other.store.vault.get(sha)


def test_without_raw_files(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    made = lab.export_bundle(tmp_path / "a.zip", include_raw=False)
    assert made["raw"] == 0
    other.import_bundle(tmp_path / "a.zip")
    report = other.verify()
    assert report.ok and report.counts["raw_elsewhere"] == 2
    other.backup(tmp_path / "backup")


def test_choosing_samples_brings_what_they_need(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 3)
    made = lab.export_bundle(tmp_path / "a.zip", samples=["RM-003"])
    assert made["records"]["sample"] == 2 and made["records"]["measurement"] == 3  # RM-003 and its parent
    assert made["records"]["source"] == 1 and made["records"]["mix"] == 0
    other.import_bundle(tmp_path / "a.zip")
    assert other.verify().ok
    assert lab.export_bundle(tmp_path / "b.zip", samples=["RM-001"])["records"]["mix"] == 1
    assert lab.export_bundle(tmp_path / "c.zip", waste_class="fly_ash")["records"]["measurement"] == 0
    with pytest.raises(UnknownNameError, match="Did you mean 'RM-001'"):
        lab.export_bundle(tmp_path / "d.zip", samples=["RM-OO1"])
    with pytest.raises(LabError, match="visibility"):
        lab.export_bundle(tmp_path / "d.zip", visibility=("everybody",))
    assert not (tmp_path / "d.zip").exists()


def test_since(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    # The newest event so far is of three results of RM-002; three more follow.
    with lab.store.read() as conn:
        at = conn.execute(select(func.max(s.audit_event.c.at))).scalar_one()
    store_results(lab, "RM-002", seed=8)
    made = lab.export_bundle(tmp_path / "a.zip", since=at)
    assert made["records"]["measurement"] == 6 and made["records"]["sample"] == 2
    other.import_bundle(tmp_path / "a.zip")
    assert other.verify().ok
    with pytest.raises(LabError, match="since"):
        lab.export_bundle(tmp_path / "b.zip", since="yesterday")


def test_conflicts_are_listed_and_codes_need_a_prefix(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    lab.export_bundle(tmp_path / "a.zip")
    other.add("sample", code="RM-001", waste_class="fly_ash")
    head = other.head()
    with pytest.raises(LabError, match=r"1 code\(s\) belong to other records here: sample RM-001.*--prefix lab"):
        other.import_bundle(tmp_path / "a.zip")
    assert other.head() == head
    got = other.import_bundle(tmp_path / "a.zip", prefix="A")
    assert got["renamed"] == {"RM-001": "A-RM-001"} and other.verify().ok
    codes = {r["code"]: r for r in records(other)["sample"].values()}
    assert set(codes) == {"RM-001", "A-RM-001", "RM-002"}
    assert codes["RM-002"]["parent"] == codes["A-RM-001"]["uid"]
    assert not any(other.import_bundle(tmp_path / "a.zip", prefix="A")["new"].values())
    assert not any(other.import_bundle(tmp_path / "a.zip")["new"].values())
    other.change("sample", "RM-002", reason="typo", note="changed here")
    with pytest.raises(LabError, match=r"1 record\(s\) are here already with other content: sample RM-002"):
        other.import_bundle(tmp_path / "a.zip")
    with pytest.raises(LabError, match="prefix"):
        other.import_bundle(tmp_path / "a.zip", prefix="no blanks")


def test_a_retracted_result_keeps_its_flags_to_itself(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    lab.export_bundle(tmp_path / "a.zip")
    other.import_bundle(tmp_path / "a.zip")
    found = records(other)["measurement"].values()
    old = next(r for r in found if r["status"] == "retracted")
    new = next(r for r in found if r["supersedes"] == old["uid"])
    assert old["flags"] == '["below_detection"]' and old["values"][0]["flag"] == 1 and old["values"][0]["value"] is None
    assert new["flags"] == "" and new["values"][0]["flag"] == 0 and new["values"][0]["value"] == 21.3
    assert new["status"] == "draft"


def test_the_other_audit_trail_is_kept(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    lab.export_bundle(tmp_path / "a.zip")
    other.import_bundle(tmp_path / "a.zip")
    with other.store.read() as conn:
        sha = conn.execute(select(s.raw.c.sha256).where(s.raw.c.filename == "audit of lab.jsonl")).scalar_one()
    kept = [json.loads(line) for line in other.store.vault.get(sha).splitlines()]
    assert kept[0]["head"]["hash"] == lab.head() and {e["action"] for e in kept[1:]} >= {
        "add sample",
        "synthetic upload",
    }
    assert all(e["whole"] for e in kept[1:])


# -- strangers
def rewrite(file: Path, out: Path, edit: Callable[[dict[str, bytes]], None], *, fix: bool = True) -> Path:
    """A bundle with changed members; `fix` makes the manifest agree again, as a careful forger would."""
    with zipfile.ZipFile(file) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    edit(members)
    if fix and "manifest.json" in members:
        manifest = json.loads(members.pop("manifest.json"))
        manifest["members"] = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in members.items()}
        members["manifest.json"] = canonical(manifest).encode()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out


def row_edit(kind: str, **changes: Any) -> Callable[[dict[str, bytes]], None]:
    """Change the last record of a kind, and its digest in the audit trail with it."""

    def edit(members: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in members[f"records/{kind}.jsonl"].splitlines()]
        lab = json.loads(members["manifest.json"])["lab"]["uid"]

        def own(row: dict[str, Any]) -> str:
            return digest({**row, "origin": ""} if row.get("origin") == lab else row)

        before = own(rows[-1])
        rows[-1] |= changes
        rows[-1] = {k: v for k, v in rows[-1].items() if v is not ...}
        members[f"records/{kind}.jsonl"] = b"".join(canonical(r).encode() + b"\n" for r in rows)
        events = [json.loads(line) for line in members["audit.jsonl"].splitlines()]
        for e in events:
            for item in e["items"]:
                if item[3] == before:
                    item[3] = own(rows[-1])
                    e["whole"] = False
        members["audit.jsonl"] = b"".join(canonical(e).encode() + b"\n" for e in events)

    return edit


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({name: data})


def drop(prefix: str) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.pop(next(n for n in members if n.startswith(prefix))) and None


def swap(member: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        assert old in members[member]
        members[member] = members[member].replace(old, new, 1)

    return edit


NOWHERE = "0195533c-0000-7000-8000-0000000000ff"
HOSTILE: list[tuple[str, Callable[[dict[str, bytes]], None], bool, str]] = [
    ("zip slip", put("../evil.txt", b"x"), True, "does not belong"),
    ("absolute path", put("/etc/cron.d/x", b"x"), True, "does not belong"),
    ("backslashes", put("raw\\..\\x", b"x"), True, "does not belong"),
    ("unknown kind", put("records/person.jsonl", b""), True, "unknown kind of record"),
    ("extra member", put("raw/" + "0" * 64, b"x"), False, "do not agree"),
    ("wrong name", put("raw/" + "0" * 64, b"x"), True, "does not match its name"),
    ("raw file nobody names", put("raw/" + hashlib.sha256(b"x").hexdigest(), b"x"), True, "raw files are not those"),
    ("curve nobody names", put("curves/" + hashlib.sha256(b"x").hexdigest(), b"x"), True, "curves are not those"),
    ("missing curve", drop("curves/"), True, "curves are not those"),
    ("missing member", drop("curves/"), False, "do not agree"),
    ("no manifest", drop("manifest"), True, "no manifest.json"),
    ("changed value", swap("records/measurement.jsonl", b"21.3", b"31.3"), False, "does not match its hash"),
    ("changed value, fixed manifest", swap("records/measurement.jsonl", b"21.3", b"31.3"), True, "audit trail"),
    ("changed audit", swap("audit.jsonl", b'"actor":"tester"', b'"actor":"nobody"'), True, "does not match its hash"),
    ("audit is text", put("audit.jsonl", b'"x"\n'), True, "no table"),
    ("audit of nothing", put("audit.jsonl", b"{}\n"), True, "not an audit event"),
    ("no audit", put("audit.jsonl", b""), True, "audit trail"),
    ("NaN", swap("records/measurement.jsonl", b"21.3", b"NaN"), True, "NaN"),
    ("huge number", swap("records/measurement.jsonl", b"21.3", b"1e999"), True, "cannot be read"),
    ("deep nesting", put("records/mix.jsonl", b"[" * 200_000 + b"]" * 200_000 + b"\n"), True, "cannot be read"),
    ("duplicate keys", swap("records/source.jsonl", b'"note"', b'"kind":"heap","note"'), True, "canonical"),
    ("cut line", swap("records/source.jsonl", b"}\n", b"}"), True, "is cut"),
    ("not UTF-8", put("records/source.jsonl", b"\xff\xfe\n"), True, "cannot be read"),
    ("newer format", swap("manifest.json", b'"version":1', b'"version":2'), True, "newer wastelab"),
    ("newer schema", swap("manifest.json", b'"schema":"', b'"schema":"9'), True, "newer wastelab"),
    ("other format", swap("manifest.json", b"wastelab-bundle", b"something-else"), True, "not of a wastelab bundle"),
    ("manifest without a lab", swap("manifest.json", b'"lab":', b'"bal":'), True, "lacks a key|canonical"),
    ("extra column", row_edit("sample", owner="me"), True, "missing or too many"),
    ("missing column", row_edit("sample", note=...), True, "missing or too many"),
    ("code is a list", row_edit("sample", code=["x"]), True, "code"),
    ("code is empty", row_edit("sample", code=""), True, "empty or occurs twice"),
    ("NUL", row_edit("sample", note="a\0b"), True, "note"),
    ("mass as text", row_edit("sample", mass_kg="heavy"), True, "mass_kg"),
    ("mass as bool", row_edit("sample", mass_kg=True), True, "mass_kg"),
    ("null where needed", row_edit("sample", created_at=None), True, "created_at"),
    ("unknown class", row_edit("sample", waste_class="gold"), True, "waste_class"),
    ("unknown visibility", row_edit("sample", visibility="secret"), True, "visibility"),
    ("unknown status", row_edit("measurement", status="approved"), True, "status"),
    ("flags no list", row_edit("measurement", flags="{"), True, "flags"),
    ("replicate too large", row_edit("measurement", replicate=40_000), True, "replicate"),
    ("technique too long", row_edit("measurement", technique="x" * 25), True, "technique"),
    ("values no list", row_edit("measurement", values={}), True, "values"),
    ("value no table", row_edit("measurement", values=[1]), True, "no table"),
    ("no uid", row_edit("sample", uid="RM"), True, "uid"),
    ("no origin", row_edit("sample", origin=""), True, "origin"),
    ("parent nowhere", row_edit("sample", parent=NOWHERE), True, "neither in it nor here"),
    ("hash as path", row_edit("measurement", raw_sha="../../etc/passwd"), True, "raw_sha"),
    ("fraction infinite", row_edit("mix", components=[{"sample": None, "material": "raw/x", "role": "binder",
                                                       "fraction": "1", "mass_kg": None}]), True, "fraction"),
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle of two samples."""
    from wastelab.lab.lab import open_lab

    folder = tmp_path_factory.mktemp("sound")
    with open_lab(folder / "lab", create=True, user="tester") as made:
        fill(made, 2)
        made.export_bundle(folder / "a.zip")
    return folder / "a.zip"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from wastelab.lab.lab import open_lab

    with open_lab(tmp_path_factory.mktemp("receiver") / "lab", create=True, user="tester") as made:
        made.add("sample", code="MINE", waste_class="raw")
        yield made


@pytest.mark.parametrize(("edit", "fix", "said"), [pytest.param(*h[1:], id=h[0]) for h in HOSTILE])
def test_hostile_bundles_store_nothing(
    sound: Path, receiver: Lab, tmp_path: Path, edit: Callable[[dict[str, bytes]], None], fix: bool, said: str
) -> None:
    file = rewrite(sound, tmp_path / "bad.zip", edit, fix=fix)
    before = (
        receiver.head(),
        sorted(p for p in receiver.store.root.rglob("*") if p.is_file() and "sqlite" not in p.name),
    )
    with pytest.raises(LabError, match=said) as caught:
        receiver.import_bundle(file)
    assert "bad.zip" in str(caught.value) and len(str(caught.value)) < 600
    after = receiver.head(), sorted(p for p in receiver.store.root.rglob("*") if p.is_file() and "sqlite" not in p.name)
    assert after == before


def test_the_forger_of_these_tests_makes_sound_bundles(
    sound: Path, new_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Otherwise the tests above would prove nothing."""
    lab = new_lab()
    lab.import_bundle(rewrite(sound, tmp_path / "same.zip", row_edit("sample", note="ordinary")))
    assert lab.verify().ok and lab.info()["counts"]["sample"] == 2


def test_circles_bombs_and_no_archives(sound: Path, receiver: Lab, tmp_path: Path) -> None:
    uid = lines(sound, "records/sample.jsonl")[-1]["uid"]
    with pytest.raises(IntegrityError, match="circle"):
        receiver.import_bundle(rewrite(sound, tmp_path / "circle.zip", row_edit("sample", parent=uid)))
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(sound) as a, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as b:
        for name in a.namelist():
            b.writestr(name, a.read(name))
        b.writestr("raw/" + "0" * 64, b"\0" * 50_000_000)
    assert packed.stat().st_size < 1_000_000
    with pytest.raises(IntegrityError, match="compressed"):
        receiver.import_bundle(packed)
    twice = tmp_path / "twice.zip"
    with zipfile.ZipFile(sound) as a, zipfile.ZipFile(twice, "w") as b, pytest.warns(UserWarning, match="Duplicate"):
        for name in a.namelist():
            b.writestr(name, a.read(name))
        b.writestr("manifest.json", a.read("manifest.json"))
    with pytest.raises(IntegrityError, match="one name"):
        receiver.import_bundle(twice)
    data = sound.read_bytes()
    for cut in (0, 10, len(data) // 2, len(data) - 5):
        (tmp_path / "cut.zip").write_bytes(data[:cut])
        with pytest.raises(LabError, match=r"cut\.zip"):
            receiver.import_bundle(tmp_path / "cut.zip")
    with pytest.raises(LabError, match="cannot be read"):
        receiver.import_bundle(tmp_path / "nothing.zip")


def test_every_flipped_byte_is_noticed_or_harmless(sound: Path, receiver: Lab, tmp_path: Path) -> None:
    import random

    data = sound.read_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(60):
        at = rng.randrange(len(data))
        (tmp_path / "flip.zip").write_bytes(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
        try:
            receiver.import_bundle(tmp_path / "flip.zip", dry_run=True)
        except LabError:
            refused += 1
    assert refused >= 55  # what is left are bytes of the archive that carry no content (times, attributes)


# -- what happens to shared records later
def hand_over(giver: Lab, taker: Lab, file: Path, **how: Any) -> dict[str, Any]:
    """Export everything, import it, import it again (adds nothing); both laboratories stay whole."""
    giver.export_bundle(file)
    got = taker.import_bundle(file, **how)
    head = taker.head()
    again = taker.import_bundle(file, **how)
    assert again["event"] == "" and taker.head() == head and not any(again["updated"].values())
    for one in (giver, taker):
        report = one.verify()
        assert report.ok, report.text()
    return got


def live(lab: Lab) -> dict[str, Any]:
    """The draft XRF result of the first sample."""
    found = records(lab)["measurement"].values()
    return next(r for r in found if r["technique"] == "XRF" and r["status"] != "retracted")


def trail(lab: Lab, uid: str) -> list[tuple[str, Any]]:
    """Changes and details that the audit trail has of a record."""
    with lab.store.read() as conn:
        rows = conn.execute(
            select(s.audit_item.c.change, s.audit_item.c.detail)
            .where(s.audit_item.c.uid == uid)
            .order_by(s.audit_item.c.seq)
        )
        return [(r[0], json.loads(r[1]) if r[1] else None) for r in rows]


def replace_result(lab: Lab, old: dict[str, Any]) -> str:
    """A result that supersedes another; the old one is retracted by the same act."""
    with lab.store.write("correct", reason="wrong dilution") as act:
        record = {k: old[k] for k in ("sample", "technique", "visibility", "values", "operator", "replicate")}
        (key,) = act.insert_many("measurement", [{**record, "supersedes": old["uid"]}])
        old_key = act.conn.execute(select(s.measurement.c.id).where(s.measurement.c.uid == old["uid"])).scalar_one()
        act.change("measurement", old_key, {"status": "retracted"}, change="superseded")
        return str(act.conn.execute(select(s.measurement.c.uid).where(s.measurement.c.id == key)).scalar_one())


def test_what_a_laboratory_does_to_its_records_reaches_its_partner(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    hand_over(lab, other, tmp_path / "a.zip")
    uid = live(lab)["uid"]
    lab.set_status(uid, "verified", by="Wang Fang")
    lab.change("sample", "RM-001", reason="moved", location="hall 3", visibility="institute")
    lab.change("instrument", "RM-XRD", reason="moved", location="room 4")
    got = hand_over(lab, other, tmp_path / "b.zip")
    assert {k: n for k, n in got["updated"].items() if n} == {"sample": 1, "instrument": 1, "measurement": 1}
    assert not any(got["new"].values()) and got["event"] == other.head() and got["retracted"] == []
    home = lab.info()["uid"]
    for name in ("sample", "measurement", "instrument", "mix", "specimen", "source"):
        ours, theirs = records(lab)[name], records(other)[name]
        assert theirs == {u: {**r, "origin": home} if "origin" in r else r for u, r in ours.items()}
    assert trail(other, uid)[-1][0] == "import-update"
    assert trail(other, uid)[-1][1]["status"] == ["draft", "verified"]
    # Retracted after it was verified; a retraction that comes with a successor.
    lab.set_status(uid, "retracted", by="Wang Fang", reason="wrong crucible")
    got = hand_over(lab, other, tmp_path / "c.zip")
    assert got["retracted"] == [uid] and records(other)["measurement"][uid]["status"] == "retracted"
    again = live(lab)
    new = replace_result(lab, again)
    got = hand_over(lab, other, tmp_path / "d.zip")
    assert got["retracted"] == [again["uid"]] and got["new"]["measurement"] == 1
    assert records(other)["measurement"][new]["supersedes"] == again["uid"]
    # Old bundles, and the other laboratory's, bring nothing back.
    for file in ("a.zip", "b.zip", "c.zip"):
        assert other.import_bundle(tmp_path / file)["event"] == ""
    back = hand_over(other, lab, tmp_path / "home.zip")
    assert back["event"] == "" and not any(back["updated"].values())


def test_versions_that_were_missed_and_values_that_return(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    notes = ["one", "two", "one", "three"]
    hand_over(lab, other, tmp_path / "0.zip")
    for n, note in enumerate(notes, 1):
        lab.change("sample", "RM-001", reason="said", note=note)
        lab.export_bundle(tmp_path / f"{n}.zip")

    def note() -> str:
        return str(next(iter(records(other)["sample"].values()))["note"])

    for n in (1, 2, 3):
        assert other.import_bundle(tmp_path / f"{n}.zip")["updated"]["sample"] == 1
        assert note() == notes[n - 1]
    for n in (0, 1, 2, 3):
        assert other.import_bundle(tmp_path / f"{n}.zip")["event"] == "" and note() == "one"
    other.import_bundle(tmp_path / "4.zip")
    assert note() == "three" and other.verify().ok


def test_a_retraction_wins_over_a_verification_here(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    hand_over(lab, other, tmp_path / "a.zip")
    uid = live(lab)["uid"]
    other.set_status(uid, "verified", by="Chen Lei")
    # The source annotates and verifies: the verification here stays, the note arrives.
    lab.set_status(uid, "verified", by="Wang Fang")
    lab.change("measurement", uid, reason="said", note="bead B")
    got = hand_over(lab, other, tmp_path / "b.zip")
    mine = records(other)["measurement"][uid]
    assert (mine["checked_by"], mine["note"], got["updated"]["measurement"]) == ("Chen Lei", "bead B", 1)
    lab.set_status(uid, "retracted", by="Wang Fang", reason="wrong crucible")
    got = hand_over(lab, other, tmp_path / "c.zip")
    mine = records(other)["measurement"][uid]
    assert mine["status"] == "retracted" and got["retracted"] == [uid]
    assert trail(other, uid)[-1][1]["status"] == ["verified", "retracted"]
    # Retracted here although the source keeps it: stays retracted, stops nothing.
    fresh = store_results(lab, "RM-001", seed=3) and next(
        r for r in records(lab)["measurement"].values() if r["status"] == "draft" and r["technique"] == "XRF"
    )
    hand_over(lab, other, tmp_path / "d.zip")
    other.set_status(fresh["uid"], "retracted", by="Chen Lei", reason="contaminated here")
    lab.set_status(fresh["uid"], "verified", by="Wang Fang")
    assert hand_over(lab, other, tmp_path / "e.zip")["event"] == ""
    assert records(other)["measurement"][fresh["uid"]]["status"] == "retracted"


def test_a_partner_does_not_retract_what_is_ours(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    hand_over(lab, other, tmp_path / "a.zip")
    uid = live(lab)["uid"]
    other.set_status(uid, "retracted", by="Chen Lei", reason="not our experience")
    got = hand_over(other, lab, tmp_path / "b.zip")
    assert got["objections"] == [uid] and got["event"] == "" and got["retracted"] == []
    assert records(lab)["measurement"][uid]["status"] == "draft"
    lab.set_status(uid, "retracted", by="Wang Fang", reason="they are right")
    assert hand_over(other, lab, tmp_path / "b.zip")["objections"] == []
    # A successor of theirs beside a living result of ours would count twice.
    store_results(lab, "RM-001", seed=4)
    hand_over(lab, other, tmp_path / "c.zip")
    ours = live(lab)["uid"]
    new = replace_result(other, records(other)["measurement"][ours])
    other.export_bundle(tmp_path / "d.zip")
    head = lab.head()
    with pytest.raises(LabError, match=rf"(?s){ours}.*superseded there by {new}.*retract"):
        lab.import_bundle(tmp_path / "d.zip")
    assert lab.head() == head
    lab.set_status(ours, "retracted", by="Wang Fang", reason="they are right")
    assert hand_over(other, lab, tmp_path / "d.zip")["new"]["measurement"] == 1


def test_a_change_on_both_sides_is_a_conflict_that_says_what_to_do(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 2)
    hand_over(lab, other, tmp_path / "a.zip")
    lab.change("sample", "RM-001", reason="seen", note="grey")
    other.change("sample", "RM-001", reason="seen", note="red")
    lab.set_status(live(lab)["uid"], "retracted", by="Wang Fang", reason="wrong")
    lab.export_bundle(tmp_path / "b.zip")
    head = other.head()
    with pytest.raises(LabError, match=r"(?s)sample RM-001.*note = 'red' here, 'grey' in the bundle.*change") as caught:
        other.import_bundle(tmp_path / "b.zip")
    assert "lab.change('sample', 'RM-001', note='grey'" in str(caught.value)
    assert other.head() == head and live(other)["status"] == "draft"
    other.change("sample", "RM-001", reason="they looked again", note="grey")
    got = hand_over(lab, other, tmp_path / "b.zip")
    assert len(got["retracted"]) == 1
    # Once agreed on, the source may go on.
    lab.change("sample", "RM-001", reason="seen", note="grey, dry")
    assert hand_over(lab, other, tmp_path / "c.zip")["updated"]["sample"] == 1
    # Our own record, changed at a partner, is not overwritten.
    other.change("sample", "RM-002", reason="seen", note="wet")
    other.export_bundle(tmp_path / "d.zip")
    with pytest.raises(LabError, match=r"sample RM-002.*note = '' here, 'wet' in the bundle"):
        lab.import_bundle(tmp_path / "d.zip")


def test_visibility_narrowed_here_is_not_widened_from_there(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    lab.change("sample", "RM-001", reason="x", visibility="institute")
    lab.change("sample", "RM-001", reason="x", visibility="public")
    hand_over(lab, other, tmp_path / "a.zip")
    other.change("sample", "RM-001", reason="not here", visibility="institute")
    lab.change("sample", "RM-001", reason="x", note="more")
    lab.export_bundle(tmp_path / "b.zip")
    with pytest.raises(LabError, match=r"visibility = 'institute' here, 'public' in the bundle"):
        other.import_bundle(tmp_path / "b.zip")


def test_records_that_a_third_laboratory_passes_on(
    lab: Lab, other: Lab, new_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    third = new_lab("sqlite-files", "third")
    fill(lab, 2)
    hand_over(lab, other, tmp_path / "a.zip")
    hand_over(other, third, tmp_path / "a2.zip")
    uid, home = live(lab)["uid"], lab.info()["uid"]
    lab.set_status(uid, "verified", by="Wang Fang")
    lab.change("sample", "RM-001", reason="seen", note="grey")
    hand_over(lab, other, tmp_path / "b.zip")
    got = hand_over(other, third, tmp_path / "b2.zip")
    assert got["updated"]["measurement"] == 1 == got["updated"]["sample"]
    assert records(third)["measurement"] == records(other)["measurement"]
    assert {r["origin"] for r in records(third)["sample"].values()} == {home}
    # The source goes on, straight to the third; the second is behind and brings nothing back.
    lab.set_status(uid, "retracted", by="Wang Fang", reason="wrong")
    got = hand_over(lab, third, tmp_path / "c.zip")
    assert got["retracted"] == [uid]
    assert hand_over(other, third, tmp_path / "c2.zip")["event"] == ""
    # And the third tells the second.
    assert hand_over(third, other, tmp_path / "d.zip")["retracted"] == [uid]
    assert hand_over(third, lab, tmp_path / "e.zip")["event"] == ""


def test_measured_content_that_differs_is_never_merged(
    sound: Path, new_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = new_lab()
    lab.import_bundle(sound)
    head = lab.head()
    forged = rewrite(sound, tmp_path / "forged.zip", row_edit("measurement", status="retracted", method="other"))
    with pytest.raises(LabError, match=r"(?s)method = '' here, 'other' in the bundle.*verify"):
        lab.import_bundle(forged)
    assert lab.head() == head
    # A trail that is no trail proves nothing: the value is neither newer nor older.
    bad = rewrite(sound, tmp_path / "bad.zip", row_edit("sample", note="forged"))
    with pytest.raises(LabError, match=r"note = '' here, 'forged' in the bundle"):
        lab.import_bundle(bad)
    assert lab.head() == head and lab.verify().ok


def test_a_renamed_record_follows_its_source_and_goes_home(lab: Lab, other: Lab, tmp_path: Path) -> None:
    fill(lab, 1)
    other.add("sample", code="RM-001", waste_class="fly_ash")
    lab.export_bundle(tmp_path / "a.zip")
    other.import_bundle(tmp_path / "a.zip", prefix="A")
    lab.change("sample", "RM-001", reason="seen", note="grey")
    assert hand_over(lab, other, tmp_path / "b.zip", prefix="A")["updated"]["sample"] == 1
    codes = {r["code"]: r["note"] for r in records(other)["sample"].values()}
    assert codes == {"RM-001": "", "A-RM-001": "grey"}
    other.export_bundle(tmp_path / "c.zip", samples=["A-RM-001"])
    assert lab.import_bundle(tmp_path / "c.zip")["event"] == ""


def test_a_prefix_may_collide_inside_the_bundle(lab: Lab, other: Lab, tmp_path: Path) -> None:
    for code in ("S1", "B-S1"):
        lab.add("sample", code=code, waste_class="raw", visibility="public")
    other.add("sample", code="S1", waste_class="fly_ash")
    lab.export_bundle(tmp_path / "a.zip")
    head = other.head()
    with pytest.raises(LabError, match=r"1 code\(s\) belong to other records.*sample S1.*another prefix than 'B'"):
        other.import_bundle(tmp_path / "a.zip", prefix="B")
    assert other.head() == head
    assert other.import_bundle(tmp_path / "a.zip", prefix="C")["renamed"] == {"S1": "C-S1"}
    assert other.verify().ok
