"""Curves behind two methods, `put` and `get`: small immutable HDF5 files, or blobs in the database.

*files* (default): one HDF5 file per measurement with netCDF-4 dimension scales; xarray and any HDF5 tool open it.
Files are built in memory and appear whole, so the compact format of HDF5 1.10 is safe (what a killed writer ruins
is a file that it holds open). *blob*: byte-shuffled zstd in the catalogue, the fastest. Each reads the other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select

from ..errors import IntegrityError
from ..instruments.base import Variable
from ..instruments.container import MAGIC, pack_arrays, unpack_arrays
from . import schema as s
from .files import FileStore, sha256

_BLOB = select(s.curve_blob.c.data).where(s.curve_blob.c.sha256 == bindparam("sha"))

BACKENDS = ("files", "blob")
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

    Raises
    ------
    IntegrityError
        If it is not an HDF5 file that `to_hdf5` wrote.
    """
    import h5py

    try:
        with h5py.File(BytesIO(data), "r") as file:
            attrs = {key: _text(value) for key, value in file.attrs.items()}
            out: dict[str, Variable] = {}
            for name in file:
                item = file[name]
                label = _text(item.attrs.get("NAME", b""))
                if label.startswith("This is a netCDF dimension"):
                    continue
                if item.attrs.get("CLASS", b"") == b"DIMENSION_SCALE":
                    dims: tuple[str, ...] = (name,)
                else:
                    dims = tuple(d[0].name.lstrip("/") if len(d) else "" for d in item.dims)
                out[name] = Variable(
                    dims, item[()], _text(item.attrs.get("units", b"1")), _text(item.attrs.get("long_name", b""))
                )
    except (OSError, KeyError, RuntimeError) as exc:
        raise IntegrityError(f"a stored curve is damaged ({exc}).") from None
    return _ordered(out), attrs


def _ordered(variables: dict[str, Variable]) -> dict[str, Variable]:
    """Axes first."""
    axes = {k: v for k, v in variables.items() if v.dims == (k,)}
    return axes | {k: v for k, v in variables.items() if k not in axes}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def decode(data: bytes) -> tuple[dict[str, Variable], dict[str, str]]:
    """Variables and attributes of a stored curve, whichever store wrote it."""
    if data.startswith(_HDF5):
        return from_hdf5(data)
    if data.startswith(MAGIC):
        variables, head = unpack_arrays(data)
        return variables, {k: str(v) for k, v in head.items()}
    raise IntegrityError("a stored curve is in no known form; was it written by a newer version of wastelab?")
