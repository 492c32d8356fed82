"""MATLAB files (.mat, version 5 to 7.3) through pymatreader from the extra ``instruments``: numeric arrays only.

Structures are flattened to ``a.b``; texts and single numbers become metadata; objects and functions are refused.
MATLAB states no units. The container is walked, and what is compressed is verified, before anything is decoded; only
version 7.3 states its end, so an older file cut between two variables cannot be told from a whole one.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InstrumentError
from ...i18n import say
from ..base import Reader, Reading, Source, Variable

_MAX_BYTES = 512 * 2**20
_MAX_DENSE = 1_000_000
_HDF = b"\x89HDF\r\n\x1a\n"


def _sniff(source: Source) -> int:
    return 100 if re.match(rb"MATLAB (?:5|7\.\d)\.?\d* MAT-file", source.data[:32]) else 0


def _library(source: Source) -> Any:
    try:
        import pymatreader
    except ImportError:
        raise source.fail(say("sheet.needs_extra", format="MATLAB", package="pymatreader")) from None
    return pymatreader


def _walk(source: Source) -> None:
    """Verify the elements of a version-5 file: each inside the file, each compressed one whole."""
    data = source.data
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise source.fail("is cut within its header. Save it again.")
    order = "<" if data[126:128] == b"IM" else ">"
    at, total, count = 128, 0, 0
    while at < len(data):
        if at + 8 > len(data):
            raise source.fail(say("sheet.cut"), f"byte {at}")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind not in (14, 15):
            raise source.fail(
                f"has an element of the type {kind} where a variable is expected; it is damaged.", f"byte {at}"
            )
        if at + 8 + size > len(data):
            raise source.fail(say("sheet.cut"), f"byte {at}")
        if kind == 15:
            engine = zlib.decompressobj()
            body = engine.unconsumed_tail
            feed = data[at + 8 : at + 8 + size]
            try:
                while feed and not engine.eof:
                    body = engine.decompress(feed, 1 << 20)
                    total += len(body)
                    feed = engine.unconsumed_tail
                    if total > _MAX_BYTES:
                        raise source.fail(f"unpacks to more than {_MAX_BYTES // 2**20} MB, which is not read.")
            except zlib.error as exc:
                raise source.fail(f"holds a damaged variable ({exc}). Save it again.", f"byte {at}") from None
            if not engine.eof:
                raise source.fail(say("sheet.cut"), f"byte {at}")
        at += 8 + size
        count += 1
    if count == 0:
        raise source.fail("holds no variable; it is cut within its header. Save it again.")


def _walk_hdf(source: Source) -> None:
    """Refuse a version-7.3 file that links to other files or whose arrays unpack to more than is read."""
    import h5py

    if source.data[512:520] != _HDF:
        raise source.fail("states version 7.3 but holds no HDF5; it is cut. Save it again.")
    total = 0
    with h5py.File(io.BytesIO(source.data), "r") as file:

        def visit(name: str, node: Any) -> None:
            nonlocal total
            total += int(node.size or 0) * int(node.dtype.itemsize)
            if total > _MAX_BYTES or node.is_virtual or node.external:
                raise source.fail(f"variable {name!r} is too large or lies in another file.")

        groups = [file]
        while groups:
            group = groups.pop()
            for key in group:
                link = group.get(key, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise source.fail(f"variable {key!r} is a link, which is not followed.")
                node = group[key]
                if isinstance(node, h5py.Group):
                    groups.append(node)
                else:
                    visit(key, node)


def _load(source: Source, library: Any) -> dict[str, Any]:
    import tempfile
    import warnings
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="wastelab-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "file.mat"
        path.write_bytes(source.data)
        try:
            return dict(library.read_mat(str(path)))
        except MemoryError:
            raise source.fail("needs more memory than there is.") from None
        except RecursionError:
            raise source.fail("nests its structures too deeply.") from None
        except Exception as exc:  # scipy and h5py raise many unrelated classes
            raise source.fail(
                f"is damaged or of a variant that is not read ({type(exc).__name__}: {str(exc)[:120]})."
            ) from None


class _Collector:
    """Numeric arrays, and texts and single numbers, of a tree of variables."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.variables: dict[str, Variable] = {}
        self.meta: dict[str, Any] = {}
        self.warnings: list[str] = []

    def take(self, name: str, value: Any, depth: int = 0) -> None:
        if depth > 32:
            raise self.source.fail("nests its structures too deeply.", f"variable {name!r}")
        if isinstance(value, Mapping):
            for key, inner in value.items():
                self.take(f"{name}.{key}", inner, depth + 1)
        elif value is None or isinstance(value, str | bool):
            self.meta[name] = value
        elif isinstance(value, bytes):
            self.meta[name] = value.decode("latin-1")
        elif isinstance(value, int | float | complex | np.number | np.bool_):
            self._number(name, value)
        elif isinstance(value, list | tuple):
            self._list(name, list(value), depth)
        elif hasattr(value, "toarray") and hasattr(value, "nnz"):
            rows, columns = value.shape
            if rows * columns > _MAX_DENSE:
                raise self.source.fail(
                    f"is sparse with {rows} × {columns} elements; at most {_MAX_DENSE} are made dense.",
                    f"variable {name!r}",
                )
            self._array(name, np.asarray(value.toarray()))
            self.warnings.append(f"variable {name!r} was sparse ({value.nnz} stored elements) and is given dense")
        elif isinstance(value, np.ndarray):
            self._array(name, value, depth)
        else:
            raise self.source.fail(
                f"is an object or function ({type(value).__name__}), which is not read.", f"variable {name!r}"
            )

    def _number(self, name: str, value: Any) -> None:
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, complex):
            self.take(f"{name}_real", plain.real)
            self.take(f"{name}_imag", plain.imag)
            return
        if isinstance(plain, float) and math.isinf(plain):
            raise self.source.fail(say("sheet.no_finite_numbers"), f"variable {name!r}")
        if isinstance(plain, float) and math.isnan(plain):
            self.warnings.append(f"variable {name!r} is NaN")
            plain = None
        self.meta[name] = plain

    def _list(self, name: str, items: list[Any], depth: int) -> None:
        if all(isinstance(i, str) for i in items):
            self.meta[name] = items
            return
        for k, item in enumerate(items):
            self.take(f"{name}.{k + 1}", item, depth + 1)

    def _array(self, name: str, array: np.ndarray, depth: int = 0) -> None:
        if array.dtype.names or array.dtype.kind in "OV":
            if array.dtype.names or type(array).__name__ in ("MatlabOpaque", "MatlabFunction", "MatlabObject"):
                raise self.source.fail("is an object or function, which is not read.", f"variable {name!r}")
            self._list(name, array.ravel().tolist(), depth)
            return
        if array.dtype.kind in "US":
            self.meta[name] = [str(x) for x in array.ravel()]
            return
        if array.dtype.kind == "c":
            self._array(f"{name}_real", np.ascontiguousarray(array.real))
            self._array(f"{name}_imag", np.ascontiguousarray(array.imag))
            return
        if array.dtype.kind == "b":
            array = array.astype(np.uint8)
        if array.dtype.kind not in "iuf":
            raise self.source.fail(f"has elements of the type {array.dtype}, which are not read.", f"variable {name!r}")
        if array.size == 0:
            self.meta[name] = []
            self.warnings.append(f"variable {name!r} is empty")
            return
        if array.ndim == 0:
            self._number(name, array.item())
            return
        if array.dtype.kind == "f":
            if np.isinf(array).any():
                raise self.source.fail(say("sheet.no_finite_numbers"), f"variable {name!r}")
            missing = int(np.isnan(array).sum())
            if missing:
                self.warnings.append(f"variable {name!r}: {missing} of {array.size} elements are NaN")
        native = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))
        dims = tuple(f"{name}_{k}" for k in range(native.ndim)) if native.ndim > 1 else (f"{name}_index",)
        self.variables[name] = Variable(dims, native, "unknown", "as stored; MATLAB states no unit")


def _read(source: Source) -> list[Reading]:
    library = _library(source)
    new = source.data[:10] == b"MATLAB 7.3" or source.data[512:520] == _HDF
    try:
        if new:
            _walk_hdf(source)
        else:
            _walk(source)
    except InstrumentError:
        raise
    except Exception as exc:
        raise source.fail(f"is damaged or cut ({type(exc).__name__}: {str(exc)[:120]}). Save it again.") from None
    found = _load(source, library)
    collector = _Collector(source)
    header = source.data[:116].decode("latin-1").strip("\0 ")
    for name, value in found.items():
        if name.startswith("__") and name.endswith("__"):
            if name == "__function_workspace__":
                raise source.fail("holds functions or objects, which are not read.")
            continue
        if name.startswith("#"):
            raise source.fail("holds objects, which are not read.", f"variable {name!r}")
        collector.take(name, value)
    if not collector.variables and not collector.meta:
        raise source.fail("holds no variable that is read.")
    warnings = list(collector.warnings)
    if collector.variables:
        warnings.append("MATLAB states no units; name them before the numbers are used")
    meta = {"header": header} | collector.meta
    match = re.search(r"Created on:\s*(.+?)(?:\s+HDF5.*)?$", header)
    if match:
        meta["created"] = match[1].strip()
    return [
        Reading(
            "MAT",
            collector.variables,
            metadata=meta,
            warnings=warnings,
            completeness="declared" if new else "unverified",
        )
    ]


READER = Reader("matlab_mat", "MATLAB file", (".mat",), _sniff, _read, ("MAT",), needs="instruments")
