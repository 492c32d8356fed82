"""Curves behind two methods, `put` and `get`: small immutable HDF5 files, or blobs in the database.

*files* (default): one HDF5 file per measurement with netCDF-4 dimension scales; xarray and any HDF5 tool open it.
Files are built in memory and appear whole, so the compact format of HDF5 1.10 is safe (what a killed writer ruins
is a file that it holds open). *blob*: byte-shuffled zstd in the catalogue, the fastest. Each reads the other's.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select

from ..errors import IntegrityError
from ..instruments.base import Variable
from ..instruments.checks import curve_fault
from ..instruments.container import MAGIC, pack_arrays, unpack_arrays
from . import schema as s
from .files import FileStore, sha256

_BLOB = select(s.curve_blob.c.data).where(s.curve_blob.c.sha256 == bindparam("sha"))

BACKENDS = ("files", "blob")
#: The numbers of a curve may take so many bytes, and so many times what they are stored in (deflate reaches 1032).
_FREE_BYTES, _RATIO, _MOST_BYTES = 128 * 2**20, 1100, 2**31
#: Most variables or attributes, and bytes of an attribute.
_MOST_NAMES, _MOST_TEXT = 1000, 2**16
_SCALES = {"DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates"}
_SCALE = "DIMENSION_SCALE"
_DEFLATE, _SHUFFLE = 1, 2
_FILTERS = ([_SHUFFLE, _DEFLATE], [_DEFLATE])
_DAMAGE = (OSError, KeyError, IndexError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError,
           OverflowError, zlib.error)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"


class CurveStore(Protocol):
    """Where the bytes of curves are."""

    name: str

    def encode(self, variables: Mapping[str, Variable], attrs: Mapping[str, str]) -> bytes:
        """A curve as bytes in this store's own form."""
        ...

    def put(self, conn: Connection, items: Sequence[bytes]) -> list[str]:
        """Keep bytes durably; with *blob*, as part of the transaction of `conn`."""
        ...

    def get(self, conn: Connection, sha: str) -> bytes:
        """Bytes by their hash, checked against it."""
        ...

    def hashes(self, conn: Connection) -> set[str]:
        """Every hash there is."""
        ...


class FileCurves:
    """One immutable HDF5 file per measurement."""

    name = "files"

    def __init__(self, files: FileStore) -> None:
        self.files = files

    def encode(self, variables: Mapping[str, Variable], attrs: Mapping[str, str]) -> bytes:
        """See `CurveStore.encode`."""
        return to_hdf5(variables, attrs)

    def put(self, conn: Connection, items: Sequence[bytes]) -> list[str]:
        """See `CurveStore.put`."""
        return self.files.put_many(items)

    def get(self, conn: Connection, sha: str) -> bytes:
        """See `CurveStore.get`."""
        return self.files.get(sha)

    def hashes(self, conn: Connection) -> set[str]:
        """See `CurveStore.hashes`."""
        return set(self.files.hashes())


class BlobCurves:
    """Curves as rows of the catalogue."""

    name = "blob"

    def encode(self, variables: Mapping[str, Variable], attrs: Mapping[str, str]) -> bytes:
        """See `CurveStore.encode`."""
        return pack_arrays(variables, dict(attrs))

    def put(self, conn: Connection, items: Sequence[bytes]) -> list[str]:
        """See `CurveStore.put`."""
        hashes = [sha256(data) for data in items]
        wanted = dict(zip(hashes, items, strict=True))
        table = s.curve_blob
        there = {row[0] for row in conn.execute(select(table.c.sha256).where(table.c.sha256.in_(list(wanted))))}
        rows = [{"sha256": sha, "data": data} for sha, data in wanted.items() if sha not in there]
        if rows:
            conn.execute(insert(table), rows)
        return hashes

    def get(self, conn: Connection, sha: str) -> bytes:
        """See `CurveStore.get`."""
        data = self.find(conn, sha)
        if data is None:
            raise IntegrityError(f"curve {sha[:12]}… is missing from the catalogue; restore it from a backup.")
        return data

    @staticmethod
    def find(conn: Connection, sha: str) -> bytes | None:
        """As `get`, but None where there is none."""
        row = conn.execute(_BLOB, {"sha": sha}).first()
        if row is None:
            return None
        data = bytes(row[0])
        if sha256(data) != sha:
            raise IntegrityError(
                f"curve {sha[:12]}… does not match its hash: it was changed or the disk damaged it; restore a backup."
            )
        return data

    def hashes(self, conn: Connection) -> set[str]:
        """See `CurveStore.hashes`."""
        return {row[0] for row in conn.execute(select(s.curve_blob.c.sha256))}


def to_hdf5(variables: Mapping[str, Variable], attrs: Mapping[str, str]) -> bytes:
    """Variables as the bytes of a netCDF-4 compatible HDF5 file, the same bytes for the same content."""
    import h5py

    buffer = BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        for key, text in attrs.items():
            _set_text(file.attrs, key, text)
        lengths: dict[str, int] = {}
        for var in variables.values():
            for dim, size in zip(var.dims, np.shape(var.data), strict=True):
                lengths.setdefault(dim, size)
        handles = {name: _dataset(file, name, var) for name, var in variables.items()}
        for dim, size in lengths.items():
            if dim not in handles:  # a dimension without a coordinate of its own, as netCDF-4 writes it
                handles[dim] = file.create_dataset(dim, shape=(size,), dtype=">f4", track_times=False)
                handles[dim].make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:>10}")
            elif variables[dim].dims == (dim,):
                handles[dim].make_scale(dim)
        for name, var in variables.items():
            for number, dim in enumerate(var.dims):
                if name != dim:
                    handles[name].dims[number].attach_scale(handles[dim])
    return buffer.getvalue()


def _dataset(file: Any, name: str, var: Variable) -> Any:
    data = np.asarray(var.data)
    if data.dtype.kind not in "iufb":
        raise TypeError(f"variable {name!r} holds {data.dtype}, not numbers")
    options: dict[str, Any] = {"track_times": False}
    if data.size > 16:
        options |= {"chunks": data.shape, "compression": "gzip", "compression_opts": 4, "shuffle": True}
    out = file.create_dataset(name, data=data, **options)
    _set_text(out.attrs, "units", var.units)
    if var.long_name:
        _set_text(out.attrs, "long_name", var.long_name)
    return out


def _set_text(attrs: Any, key: str, text: str) -> None:
    """A text attribute, marked as UTF-8 where it is not plain ASCII, so that other tools read it right."""
    import h5py

    data = text.encode()
    if text.isascii():
        attrs[key] = np.bytes_(data)
    else:
        attrs.create(key, np.bytes_(data), dtype=h5py.string_dtype("utf-8", len(data)))


def from_hdf5(data: bytes) -> tuple[dict[str, Variable], dict[str, str]]:
    """The way back of `to_hdf5`, without xarray: four to eleven times as fast.

    The bytes may be a stranger's: nothing outside them is opened, and no more memory is taken than they can fill.

    Raises
    ------
    IntegrityError
        If it is not an HDF5 file that `to_hdf5` wrote.
    """
    import h5py

    try:
        with h5py.File(BytesIO(data), "r") as file:
            attrs = _texts(file)
            names = list(file)
            if len(names) > _MOST_NAMES:
                raise ValueError(f"{len(names)} variables")
            items = {name: _member(file, name) for name in names}
            left = _most(len(data))
            out: dict[str, Variable] = {}
            texts = {name: _texts(item) for name, item in items.items()}
            axes = _axes(items, [name for name, about in texts.items() if about.get("CLASS") == _SCALE])
            for name, item in items.items():
                about = texts[name]
                if about.get("NAME", "").startswith("This is a netCDF dimension"):
                    continue
                dims = (name,) if about.get("CLASS") == _SCALE else tuple(axes[name])
                left -= item.size * item.dtype.itemsize
                if left < 0:
                    raise ValueError(f"variable {name!r} is larger than the file can hold")
                out[name] = Variable(dims, _numbers(item), about.get("units", "1"), about.get("long_name", ""))
    except _DAMAGE as exc:
        raise IntegrityError(f"a stored curve is damaged ({str(exc) or type(exc).__name__:.200}).") from None
    return _sound(_ordered(out)), attrs


def _axes(items: Mapping[str, Any], scales: Sequence[str]) -> dict[str, list[str]]:
    """Names of the dimensions of each data set, from what its scales say that they stand on.

    A data set names its scales too, but through a heap without checksums: where that is damaged, HDF5 may never end.
    """
    from h5py import h5a, h5r

    names = {item.id: name for name, item in items.items()}
    out = {name: [""] * item.ndim for name, item in items.items()}
    for scale in scales:
        owner = items[scale].id
        if not h5a.exists(owner, b"REFERENCE_LIST"):
            continue
        found = h5a.open(owner, b"REFERENCE_LIST")
        if found.dtype.names != ("dataset", "dimension") or math.prod(found.shape) > _MOST_NAMES:
            raise ValueError(f"axis {scale!r} does not say what it stands on")
        rows = np.empty(found.shape, found.dtype)
        found.read(rows)
        for reference, number in rows.ravel():
            out[names[h5r.dereference(reference, owner)]][int(number)] = scale
    return out


def _most(size: int) -> int:
    """Most bytes that the numbers of a curve stored in so many bytes may take."""
    return min(_FREE_BYTES + _RATIO * size, _MOST_BYTES)


def _sound(variables: dict[str, Variable]) -> dict[str, Variable]:
    fault = curve_fault(variables)
    if fault:
        raise IntegrityError(f"a stored curve is damaged ({fault}).")
    return variables


def _member(file: Any, name: str) -> Any:
    """A data set of the file itself: no link, no group, no numbers that are kept elsewhere."""
    import h5py

    if type(file.get(name, getlink=True)) is not h5py.HardLink:
        raise ValueError(f"{name!r} is a link to outside")
    if file.get(name, getclass=True) is not h5py.Dataset:
        raise ValueError(f"{name!r} is no data set")
    item = file[name]
    if item.external or item.is_virtual:
        raise ValueError(f"the numbers of {name!r} are kept outside")
    if item.dtype.kind not in "iufb":
        raise ValueError(f"variable {name!r} holds {item.dtype}, not numbers")
    return item


def _texts(owner: Any) -> dict[str, str]:
    """Text attributes; those of the dimension scales, which are references, are left out."""
    from h5py import h5a

    out: dict[str, str] = {}
    count = h5a.get_num_attrs(owner.id)
    if count > _MOST_NAMES:
        raise ValueError(f"{count} attributes")
    for number in range(count):
        found = h5a.open(owner.id, index=number)
        key = found.name.decode()
        if key in _SCALES:
            continue
        if found.shape != () or found.dtype.kind != "S" or found.dtype.itemsize > _MOST_TEXT:
            raise ValueError(f"attribute {key!r} is no short text")
        body = np.empty((), found.dtype)
        found.read(body)
        out[key] = bytes(body[()]).decode()
    return out


def _numbers(item: Any) -> Any:
    """Numbers of a data set: as they stand, or one packed chunk, which is unpacked here up to its size and no further.

    HDF5 itself unpacks whatever a chunk holds, however small the data set says that it is.
    """
    plan = item.id.get_create_plist()
    filters = [plan.get_filter(n)[0] for n in range(plan.get_nfilters())]
    size = item.size * item.dtype.itemsize
    if not filters and item.chunks is None:
        if item.id.get_storage_size() < size:
            raise ValueError(f"the numbers of {item.name!r} were never written")
        return item[()]
    if filters not in _FILTERS or item.chunks != item.shape or item.id.get_num_chunks() != 1:
        raise ValueError(f"variable {item.name!r} is not stored as wastelab stores curves")
    mask, body = item.id.read_direct_chunk((0,) * item.ndim)
    for number, kind in reversed(list(enumerate(filters))):
        if mask >> number & 1:  # packing made it longer, so it was left out
            continue
        if kind == _DEFLATE:
            unpacker = zlib.decompressobj()
            body = unpacker.decompress(body, size + 1)
            if not unpacker.eof:
                raise ValueError(f"the numbers of {item.name!r} do not fit its size")
        elif item.dtype.itemsize > 1 and len(body) == size:
            body = np.frombuffer(body, np.uint8).reshape(item.dtype.itemsize, -1).T.tobytes()
    if len(body) != size:
        raise ValueError(f"the numbers of {item.name!r} do not fit its size")
    if item.dtype.kind == "b":
        return (np.frombuffer(body, np.uint8) != 0).reshape(item.shape)
    return np.frombuffer(bytearray(body), item.dtype).reshape(item.shape)


def _from_packed(data: bytes) -> tuple[dict[str, Variable], dict[str, str]]:
    """The way back of `pack_arrays`; what the head announces is added up before anything is unpacked."""
    try:
        (length,) = struct.unpack_from("<I", data, 4)
        left = _most(len(data))
        entries = json.loads(data[8 : 8 + length])["arrays"]
        for entry in entries:
            left -= math.prod(int(n) for n in entry[3]) * np.dtype(entry[2]).itemsize
            if left < 0:
                raise ValueError("its arrays are larger than the file can hold")
        variables, head = unpack_arrays(data)
        attrs = {k: str(v) for k, v in head.items()}
        if len(variables) != len(entries) or any(list(variables[e[0]].data.shape) != e[3] for e in entries):
            raise ValueError("its arrays are not those that its head names")
    except (*_DAMAGE, struct.error) as exc:
        raise IntegrityError(f"a stored curve is damaged ({str(exc) or type(exc).__name__:.200}).") from None
    return _sound(variables), attrs


def _ordered(variables: dict[str, Variable]) -> dict[str, Variable]:
    """Axes first."""
    axes = {k: v for k, v in variables.items() if v.dims == (k,)}
    return axes | {k: v for k, v in variables.items() if k not in axes}


def decode(data: bytes) -> tuple[dict[str, Variable], dict[str, str]]:
    """Variables and attributes of a stored curve, whichever store wrote it.

    Raises
    ------
    IntegrityError
        If it is damaged, no curve, or larger than its bytes can hold.
    """
    if data.startswith(_HDF5):
        return from_hdf5(data)
    if data.startswith(MAGIC):
        return _from_packed(data)
    raise IntegrityError("a stored curve is in no known form; was it written by a newer version of wastelab?")
