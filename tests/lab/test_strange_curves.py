"""Curves from strangers: nothing but numbers inside the file itself, no more of them than the file can hold."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import builders as b
import numpy as np
import pytest

from wastelab.errors import IntegrityError
from wastelab.instruments.base import Variable
from wastelab.instruments.container import MAGIC, pack_arrays
from wastelab.lab.curves import decode, to_hdf5

h5py = pytest.importorskip("h5py")


def edited(change: Callable[[Any], None], variables: dict[str, Variable] | None = None) -> bytes:
    """A stored curve that another program changed."""
    buffer = BytesIO(to_hdf5(variables or b.pattern(1, 100), {"technique": "XRD", "sample": "A"}))
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def replace_intensity(file: Any, **options: Any) -> None:
    del file["intensity"]
    item = file.create_dataset("intensity", **options)
    item.attrs["units"] = np.bytes_(b"counts")
    item.dims[0].attach_scale(file["two_theta"])


def external(file: Any) -> None:
    replace_intensity(file, shape=(100,), dtype="u1", external=[("/etc/passwd", 0, 100)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(100,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", shape=(100,))
    del file["intensity"]
    file.create_virtual_dataset("intensity", layout)


def huge(file: Any) -> None:
    replace_intensity(file, shape=(10**13,), dtype="f8", chunks=(1000,), compression="gzip")


def unwritten(file: Any) -> None:
    replace_intensity(file, shape=(165_000_000,), dtype="f8", chunks=(10_000,), compression="gzip")


def twice_packed(file: Any) -> None:
    """A gigabyte of zeros in one chunk, which claims to be a hundred numbers."""
    import zlib

    replace_intensity(file, shape=(100,), dtype="f8", chunks=(100,), compression="gzip")
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    file["intensity"].id.write_direct_chunk((0,), body)


def strange_filter(file: Any) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((100,))
    plist.set_deflate(9)
    plist.set_deflate(9)
    del file["intensity"]
    space = h5py.h5s.create_simple((100,))
    h5py.h5d.create(file.id, b"intensity", h5py.h5t.IEEE_F64LE, space, plist).write(
        h5py.h5s.ALL, h5py.h5s.ALL, np.zeros(100)
    )


def soft(file: Any) -> None:
    del file["intensity"]
    file["intensity"] = h5py.SoftLink("/two_theta")


def elsewhere(file: Any) -> None:
    del file["intensity"]
    file["intensity"] = h5py.ExternalLink("/etc/other.h5", "/x")


def folder(file: Any) -> None:
    file.create_group("more")


def texts(file: Any) -> None:
    file["words"] = np.array([b"a", b"b"])


def records(file: Any) -> None:
    file["rows"] = np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])


def references(file: Any) -> None:
    file.create_dataset("refs", (2,), dtype=h5py.ref_dtype)


def strange_scale(file: Any) -> None:
    """An axis of another length than what stands on it."""
    replace_intensity(file, data=np.arange(50.0))


def names(file: Any) -> None:
    for n in range(3000):
        file[f"copy{n}"] = file["intensity"]


def attribute(file: Any) -> None:
    file.attrs.create("words", np.arange(7000.0))


STRANGE = [external, virtual, huge, unwritten, twice_packed, strange_filter, soft, elsewhere, folder, texts, records,
           references, strange_scale, names, attribute]  # fmt: skip


@pytest.mark.parametrize("change", STRANGE, ids=lambda f: f.__name__)
def test_what_is_no_curve_is_refused(change: Callable[[Any], None]) -> None:
    data = edited(change)
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match="a stored curve"):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20 + 4 * len(data)
    finally:
        tracemalloc.stop()


def test_nothing_of_this_machine_is_read(tmp_path: Path) -> None:
    """Whole or not at all: the numbers of a local file never become a curve."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(range(100)))

    def change(file: Any) -> None:
        replace_intensity(file, shape=(100,), dtype="u1", external=[(str(secret), 0, 100)])

    with pytest.raises(IntegrityError, match="outside"):
        decode(edited(change))


def test_what_hdf5_could_not_pack_is_read(tmp_path: Path) -> None:
    """Numbers without any order are stored as they are; so are big-endian ones, and yes and no."""
    rng = np.random.default_rng(0)
    variables = {
        "x": Variable(("x",), np.arange(4000, dtype=">f8"), "s"),
        "noise": Variable(("x",), rng.integers(0, 256, 4000).astype(np.uint8), "1"),
        "on": Variable(("x",), rng.random(4000) > 0.5, "1"),
        "grid": Variable(("x", "k"), rng.random((4000, 3)), "K"),
        "none": Variable(("e",), np.empty(0), "1"),
        "scalar": Variable((), np.array(2.5), "1"),
    }
    found, _ = decode(to_hdf5(variables, {}))
    for name, v in variables.items():
        assert found[name].dims == v.dims and found[name].data.dtype == v.data.dtype
        np.testing.assert_array_equal(found[name].data, v.data)
        assert np.asarray(found[name].data).shape == v.data.shape


def packed(entries: list[Any], body: bytes = b"") -> bytes:
    text = json.dumps({"arrays": entries}).encode()
    return MAGIC + struct.pack("<I", len(text)) + text + body


@pytest.mark.parametrize(
    "data",
    [
        packed([["x", ["x"], "<f8", [2**28 - 1], 0, "s", "", [0.0, 1.0]]]),
        packed([[f"x{n}", ["x"], "<f8", [2**22], 0, "s", "", [0.0, 1.0]] for n in range(60)]),
        packed([["x", ["x"], "<f8", [-3], 0, "s", "", [0.0, 1.0]]]),
        packed([["x", 5, "<f8", [3], 0, "s", "", [0.0, 1.0]]]),
        packed([["x", ["x"], "<f8", [3, 3], 0, "s", "", [0.0, 1.0]]]),
        packed([["x", ["x"], "<f8", [3], 0, None, "", [0.0, 1.0]]]),
        packed([["x", ["x"], "O", [3], 0, "s", "", [0.0, 1.0]]]),
        packed([["x", ["x"], "<f8", ["3" * 5000], 0, "s", "", [0.0, 1.0]]]),
        MAGIC + struct.pack("<I", 200_000) + b"[" * 200_000,
        pack_arrays({"x": Variable(("x",), np.zeros(2**26, np.uint8), "s")})[:-3] + b"abc",
    ],
    ids=["line", "lines", "negative", "dims", "shape", "units", "object", "number", "nested", "zeros"],
)
def test_packed_curves_from_strangers(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match="a stored curve"):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 160 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", [to_hdf5, lambda v, a: pack_arrays(v, a)], ids=["files", "blob"])
def test_no_flipped_bit_gives_anything_but_a_curve_or_an_error(form: Callable[..., bytes]) -> None:
    body = form(b.pattern(1, 60), {"technique": "XRD"})
    rng = np.random.default_rng(3)
    errors = 0
    for _ in range(300):
        data = bytearray(body)
        for at in rng.integers(0, len(data), 2):
            data[at] ^= 1 << int(rng.integers(0, 8))
        try:
            found, _ = decode(bytes(data))
        except IntegrityError:
            errors += 1
        else:
            assert all(np.asarray(v.data).dtype.kind in "iufb" for v in found.values())
    assert errors > 30
