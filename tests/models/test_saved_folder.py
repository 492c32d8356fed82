"""Folders of saved models: whole or not there, refused when anything in them is not as it was saved."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError
from wastelab.models import read_table
from wastelab.models.design import Feature, Ratio
from wastelab.models.directory import LIMITS, MANIFEST, from_json, read_folder, to_json, write_folder
from wastelab.models.persistence import _from_npz, _to_npz, columns_only
from wastelab.models.state import pack, unpack
from wastelab.models.table import read_features
from wastelab.models.training_file import describe, read_training, write_training
from wastelab.provenance import Evidence, Source

CONTENT = {
    "model.json": b'{"a": 1}\n',
    "arrays.npz": b"numbers",
    "card.json": b"{}\n",
    "card.md": b"# card\n",
    "card.zh.md": "# 卡\n".encode(),
}


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "model", CONTENT)
    return tmp_path / "model"


def rewrite_manifest(folder, change):
    """The manifest as somebody would forge it: changed, with its own hash made right again."""
    body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(body)
    listed = {"format": body["format"], "schema": body["schema"], "files": body["files"]}
    body["fingerprint"] = hashlib.sha256(to_json(listed, sort=True)).hexdigest()
    (folder / MANIFEST).write_bytes(to_json(body, sort=True))


# -- the folder
def test_what_is_written_is_read(folder):
    files = read_folder(folder)
    assert dict(files.content) == CONTENT
    assert files.sha256["model.json"] == hashlib.sha256(CONTENT["model.json"]).hexdigest()
    assert [p.name for p in folder.parent.iterdir()] == ["model"]  # nothing is left beside it


def test_same_content_same_bytes_and_fingerprint(folder, tmp_path):
    fingerprint = write_folder(tmp_path / "elsewhere" / "other", CONTENT)
    assert fingerprint == read_folder(folder).fingerprint
    assert (tmp_path / "elsewhere" / "other" / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()


@pytest.mark.parametrize("name", [*CONTENT, MANIFEST])
def test_one_flipped_bit_anywhere_is_refused(folder, name):
    good = (folder / name).read_bytes()
    for at in range(0, len(good), max(1, len(good) // 97)):
        bad = bytearray(good)
        bad[at] ^= 1
        (folder / name).write_bytes(bytes(bad))
        with pytest.raises(ModelError, match=name.split(".")[0]):
            read_folder(folder)
    (folder / name).write_bytes(good)
    assert dict(read_folder(folder).content) == CONTENT


@pytest.mark.parametrize("name", [*CONTENT, MANIFEST])
def test_cut_short_lengthened_or_missing_files_are_refused(folder, name):
    good = (folder / name).read_bytes()
    for bad in (good[:-1], b"", good + b" "):
        (folder / name).write_bytes(bad)
        with pytest.raises(ModelError):
            read_folder(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=r"missing|not a saved model"):
        read_folder(folder)


def test_an_added_file_is_refused(folder):
    (folder / "hook.py").write_text("print('run')", encoding="utf-8")
    with pytest.raises(ModelError, match=r"hook\.py.*no part of the model"):
        read_folder(folder)


def test_files_put_in_each_others_place_are_refused(folder):
    (folder / "card.md").write_bytes(CONTENT["card.json"])
    (folder / "card.json").write_bytes(CONTENT["card.md"])
    with pytest.raises(ModelError, match="card"):
        read_folder(folder)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_pipes_and_folders_in_place_of_files_are_refused(folder, tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_bytes(CONTENT["model.json"])
    (folder / "model.json").unlink()
    (folder / "model.json").symlink_to(outside)
    with pytest.raises(ModelError, match=r"model\.json.*link"):
        read_folder(folder)
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")
    with pytest.raises(ModelError, match=r"model\.json.*no file"):
        read_folder(folder)
    (folder / "model.json").unlink()
    (folder / "model.json").mkdir()
    with pytest.raises(ModelError, match=r"model\.json.*no file"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "sub/model.json", "C:\\x", "model.json\x00"])
def test_a_manifest_that_names_other_files_is_refused(folder, name):
    rewrite_manifest(folder, lambda b: b["files"].__setitem__(name, {"bytes": 1, "sha256": "0" * 64}))
    with pytest.raises(ModelError, match="damaged or names"):
        read_folder(folder)


def test_declared_sizes_are_looked_at_before_reading(folder):
    with (folder / "arrays.npz").open("r+b") as file:  # a file with a hole: 5 GB long, no disk behind it
        file.truncate(5 << 30)
    with pytest.raises(ModelError, match=r"arrays\.npz.*5368709120 bytes"):
        read_folder(folder)
    rewrite_manifest(folder, lambda b: b["files"]["arrays.npz"].__setitem__("bytes", 5 << 30))
    with pytest.raises(ModelError, match="the most is"):
        read_folder(folder)


def test_a_manifest_without_end_is_refused(folder):
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(ModelError, match="too many for a manifest"):
        read_folder(folder)


@pytest.mark.parametrize("schema", [0, 2, "1", None, True])
def test_another_layout_says_what_to_do(folder, schema):
    rewrite_manifest(folder, lambda b: b.__setitem__("schema", schema))
    with pytest.raises(ModelError, match=r"version.*reads 1.*saved it"):
        read_folder(folder)


@pytest.mark.parametrize(
    "text", ["[,]", "{", '{"a": NaN}', '{"a": 1, "a": 2}', pytest.param("[" * 100000, id="deep"), "\xff"]
)
def test_json_that_is_none_is_refused(text):
    with pytest.raises(ModelError, match=r"here: cannot be read"):
        from_json(text.encode("latin-1"), "here")


def test_a_model_is_replaced_only_when_asked(folder):
    with pytest.raises(ModelError, match="already"):
        write_folder(folder, {**CONTENT, "card.md": b"new\n"})
    assert dict(read_folder(folder).content) == CONTENT
    write_folder(folder, {**CONTENT, "card.md": b"new\n"}, overwrite=True)
    assert read_folder(folder).content["card.md"] == b"new\n"
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_other_peoples_folders_and_files_are_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("work of years", encoding="utf-8")
    (tmp_path / "note").write_text("a file", encoding="utf-8")
    for name in ("thesis", "note"):
        with pytest.raises(ModelError):
            write_folder(tmp_path / name, CONTENT, overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text(encoding="utf-8") == "work of years"
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "empty", CONTENT)
    assert dict(read_folder(tmp_path / "empty").content) == CONTENT


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_leaves_the_old_model(folder, tmp_path):
    """The limit on the size of files fails the writing as a full disk does, in the middle of a file."""
    big = tmp_path / "big.bin"
    big.write_bytes(b"x" * 200_000)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from wastelab.models.directory import write_folder, read_folder\n"
        "folder, big = map(Path, sys.argv[1:])\n"
        "content = {**read_folder(folder).content, 'arrays.npz': big.read_bytes()}\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "write_folder(folder, content, overwrite=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder, big], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ModelError" in done.stderr and "cannot be written" in done.stderr
    assert dict(read_folder(folder).content) == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["big.bin", "model"]


WRITER = """
import sys; from pathlib import Path
from wastelab.models.directory import write_folder, read_folder
folder, overwrite = Path(sys.argv[1]), sys.argv[3] == "yes"
content = {n: (sys.argv[2] * 50_000).encode() for n in ("model.json", "arrays.npz", "card.json", "card.md")}
for _ in range(10):
    try:
        write_folder(folder, content, overwrite=overwrite)
        print("written")
    except Exception as exc:
        print(type(exc).__name__, exc)
"""


@pytest.mark.parametrize("overwrite", ["yes", "no"])
def test_several_processes_save_at_once(tmp_path, overwrite):
    folder = tmp_path / "model"
    runs = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, letter, overwrite], stdout=subprocess.PIPE, text=True)
        for letter in "ABC"
    ]
    said = [run.communicate()[0].splitlines() for run in runs]
    content = read_folder(folder).content
    assert len({data[:1] for data in content.values()}) == 1  # all of one writer
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    written = sum(lines.count("written") for lines in said)
    assert written == 1 if overwrite == "no" else written >= 3
    assert all(line == "written" or line.startswith("ModelError") for lines in said for line in lines)


def test_a_version_set_aside_is_pointed_out(folder):
    folder.rename(folder.parent / ".model.77-ab.previous")
    with pytest.raises(ModelError, match=r"\.previous: rename it to model"):
        read_folder(folder)


# -- arrays
def declared(arrays):
    return {
        n: {"dtype": a.dtype.str, "shape": list(a.shape), "finite": bool(np.isfinite(a).all())}
        for n, a in arrays.items()
    }


ARRAYS = {
    "a/x": np.array([[1.0, np.nextafter(1.0, 2.0)], [-0.0, 1e-310]]),
    "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "n": np.array([np.nan, 1.0]),
    "i": np.array([2**62, -1]),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(3.5),
    "b": np.array([True, False]),
}


def test_arrays_come_back_to_the_last_bit_and_numpy_reads_them():
    data = _to_npz(ARRAYS)
    assert data == _to_npz(dict(reversed(ARRAYS.items())))
    back = _from_npz(data, declared(ARRAYS), "arrays.npz")
    with np.load(io.BytesIO(data), allow_pickle=False) as plain:
        for name, array in ARRAYS.items():
            assert back[name].tobytes("A") == array.tobytes("A") == plain[name].tobytes("A")
            assert back[name].flags.f_contiguous == array.flags.f_contiguous
            assert back[name].flags.writeable


def npz(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def npy(array):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=(1, 0))
    return out.getvalue()


def test_packed_claimed_renamed_and_pickled_arrays_are_refused():
    x = np.zeros(1000)
    good = declared({"x": x})
    bomb = npz([("x.npy", npy(np.zeros(4_000_000)))], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 60_000
    huge = {"x": {"dtype": "<f8", "shape": [4_000_000], "finite": True}}
    with pytest.raises(ModelError, match="claim more bytes"):
        _from_npz(bomb, huge, "arrays.npz")
    half = npz([("x.npy", npy(x))], zipfile.ZIP_DEFLATED) + b"0" * 20_000
    with pytest.raises(ModelError, match=r"packed|damaged"):
        _from_npz(half, good, "arrays.npz")
    with pytest.raises(ModelError, match="not those that"):
        _from_npz(npz([("x.npy", npy(x)), ("y.npy", npy(x))]), good, "arrays.npz")
    with pytest.raises(ModelError, match="is none of an array"):
        _from_npz(npz([("../x.npy", npy(x))]), {"../x": good["x"]}, "arrays.npz")
    with pytest.raises(ModelError, match=r"not as model\.json says"):
        _from_npz(npz([("x.npy", npy(np.zeros(999)))]), good, "arrays.npz")
    pickled = io.BytesIO()
    np.save(pickled, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match=r"not as model\.json says"):
        _from_npz(npz([("x.npy", pickled.getvalue())]), {"x": {**good["x"], "dtype": "|O", "shape": [1]}}, "arrays.npz")
    header = npy(x)[:-8]
    with pytest.raises(ModelError, match="another number of bytes"):
        _from_npz(npz([("x.npy", header)]), good, "arrays.npz")
    with pytest.raises(ModelError, match="NaN or infinite"):
        _from_npz(npz([("x.npy", npy(np.full(1000, np.nan)))]), good, "arrays.npz")
    for junk in (b"", b"PK\x03\x04", b"junk" * 100, npz([("x.npy", b"\x93NUMPY\x01\x00\xff\xff{")])):
        with pytest.raises(ModelError, match="damaged"):
            _from_npz(junk, good, "arrays.npz")


def test_a_shape_without_end_takes_no_memory():
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000), }"
    raw = b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text.encode() + b"\n" + b"\0" * 8
    says = {"x": {"dtype": "<f8", "shape": [10**12, 10**6], "finite": True}}
    with pytest.raises(ModelError, match="another number of bytes"):
        _from_npz(npz([("x.npy", raw)]), says, "arrays.npz")


# -- trees of state
def test_state_comes_back_as_it_was():
    shared = np.arange(4.0)
    feature = Feature(
        "water_binder", "", "derived", "water / binder", Source("text", Evidence.PRIMARY), ("water",), -1,
        Ratio({"water_kg_m3": 1.0}, {"cement_kg_m3": 1.0}), True,
    )  # fmt: skip
    frame = pd.DataFrame({"mean": [1.0, np.nan], "fold": [0, 1], "why": ["", "too wet"]})
    frame.attrs["unit"] = "MPa"
    tree = {
        "n": None, "yes": True, "i": 2**60, "x": 0.1 + 0.2, "bad": [float("nan"), float("inf"), -float("inf")],
        "t": (1, (2.5, "β")), "s": frozenset({"a", "b"}), "d": {1: "one", "$array": 2, (1, 2): [3]},
        "a": shared, "again": {"a": shared}, "np": np.float64(1.5), "texts": np.array(["水", "b"]),
        "feature": feature, "frame": frame, "nothing": {}, "none": [],
    }  # fmt: skip
    json_tree, arrays = pack(tree)
    text = json.dumps(json_tree, allow_nan=False)
    assert sum(a is shared for a in arrays.values()) == 1
    back = unpack(json.loads(text), arrays)
    assert back["a"] is back["again"]["a"]
    assert back["feature"] == feature and isinstance(back["feature"].source.evidence, Evidence)
    pd.testing.assert_frame_equal(back["frame"], frame)
    assert back["frame"].attrs == {"unit": "MPa"}
    assert np.isnan(back["bad"][0]) and back["bad"][1:] == [np.inf, -np.inf]
    assert back["texts"].tolist() == ["水", "b"]
    same = ("n", "yes", "i", "x", "t", "s", "d", "np", "nothing", "none")
    assert {k: back[k] for k in same} == {k: tree[k] for k in same}


def test_order_is_kept_where_sums_depend_on_it():
    tree = {"numerator": {"z": 0.1, "a": 0.2, "m": 0.3}}
    json_tree, arrays = pack(tree)
    back = unpack(from_json(to_json(json_tree), "here"), arrays)
    assert list(back["numerator"]) == ["z", "a", "m"]


def test_objects_kept_elsewhere_are_named_only():
    rows = pd.DataFrame({"secret": [1.0]})
    json_tree, arrays = pack({"a": [rows]}, {"rows": rows})
    assert not arrays and json_tree == {"a": [{"$given": "rows"}]}
    assert unpack(json_tree, arrays, {"rows": None}) == {"a": [None]}


@pytest.mark.parametrize("thing", [print, object(), Path("x"), 1j, np.array([object()]), lambda: 0, b"bytes"])
def test_what_would_need_code_to_load_is_not_stored(thing):
    with pytest.raises(ModelError, match=r"stored|saved"):
        pack({"deep": [thing]})


@pytest.mark.parametrize(
    "stored",
    [
        {"$part": ["Popen", "fields", {"args": "true"}]},
        {"$part": ["subprocess.Popen", "fields", {}]},
        {"$part": ["Feature", "fields", {"nothing": 1}]},
        {"$part": ["Feature", "call", {}]},
        {"$part": ["Evidence", "value", "gospel"]},
        {"$array": "missing"},
        {"$tuple": 3},
        {"$given": "unknown"},
    ],
)
def test_a_forged_state_makes_nothing(stored):
    with pytest.raises(ModelError):
        unpack({"a": [stored]}, {})


# -- tests
@pytest.fixture
def data():
    frame = pd.DataFrame(
        {
            "mix_id": ["M1", "M1", 'M"2, wet', "M3", "M3", "M4"],
            "laboratory": ["甲", "甲", "B", "B", "甲", "C"],
            "date": ["2026-01-02", "2026-01-30", "2026-02-01", "2026-02-02", "2026-03-01", "2026-03-02"],
            "cement_kg_m3": [300.1, 300.1, 0.1 + 0.2, 250.0, 250.0, np.nan],
            "kind": ["=1+1", "=1+1", "line\nbreak", "", "", "a;b"],
            "age_d": [7.0, 28.0, 28.0, 7.0, 28.0, 28.0],
            "compressive_strength_MPa": [21.7, 33.333333333333336, 40.0, 11.0, 17.0, 25.0],
            "y_sd": [np.nan, 1.5, np.nan, np.nan, 0.0, 2.0],
        }
    )
    return read_table(frame, "compressive_strength", licence="own", origin="six tests, synthetic")


def test_tests_come_back_from_csv_to_the_last_bit(data):
    content = write_training(data)
    back = read_training(content, json.loads(json.dumps(describe(data))), "training.csv")
    pd.testing.assert_frame_equal(back.features, data.features)
    for name in ("target", "mix", "source", "y_sd", "y_n"):
        np.testing.assert_array_equal(getattr(back, name), getattr(data, name))
    for name in ("name", "unit", "mix_names", "source_names", "age", "units", "rows", "mix_from", "licence", "origin"):
        assert getattr(back, name) == getattr(data, name), name
    assert list(back.time) == list(data.time)
    assert back.sha256 == data.sha256
    plain = pd.read_csv(io.BytesIO(content))
    assert plain["cement_kg_m3"].iloc[0] == 300.1 and plain["[mix]"].iloc[2] == 'M"2, wet'


def test_part_of_a_table_comes_back_too(data):
    some = data.take([2, 5])
    back = read_training(write_training(some), describe(some), "training.csv")
    assert back.sha256 == some.sha256 and back.mix.tolist() == some.mix.tolist()


@pytest.mark.parametrize(
    "change", [lambda t: t[:-30], lambda t: t.replace(b"21.7", b"x"), lambda t: t.replace(b"M1", b"M9")]
)
def test_a_table_that_does_not_fit_its_description_is_refused(data, change):
    with pytest.raises(ModelError, match=r"training\.csv"):
        read_training(change(write_training(data)), describe(data), "training.csv")


def test_columns_without_rows_read_other_tables(data):
    columns = columns_only(data)
    other = pd.DataFrame({"cement_kg_m3": [1.0], "kind": ["x"], "age_d": [3.0]})
    pd.testing.assert_frame_equal(read_features(other, columns), read_features(other, data))
    assert read_features(other.drop(columns="cement_kg_m3"), columns)["cement_kg_m3"].isna().all()
    assert not np.isfinite(columns.target).any() and columns.mix_names == ("",)


def test_limits_name_every_file_that_is_written():
    assert set(CONTENT) <= set(LIMITS)
