"""Readings and curves as bytes: a JSON head and byte-shuffled, zstd-compressed arrays. No pickle.

Used between the process that parses a stranger's file and the one that stores it, and as the compact form of a curve
inside a database. The layout: ``WLC1``, length of the head, head, arrays one after another.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import IntegrityError
from .base import Reading, Value, Variable

MAGIC = b"WLC1"
_LEVEL = 6
#: Most bytes one packed array may unfold to.
_MAX_ARRAY = 2**31


def _shuffled(data: np.ndarray[Any, Any]) -> bytes:
    flat = np.ascontiguousarray(data)
    if flat.itemsize == 1:
        return flat.tobytes()
    return flat.reshape(-1).view(np.uint8).reshape(-1, flat.itemsize).T.tobytes()


def _unshuffled(body: bytes, dtype: np.dtype[Any], shape: Sequence[int]) -> np.ndarray[Any, Any]:
    raw = np.frombuffer(body, dtype=np.uint8)
    if dtype.itemsize > 1:
        raw = np.ascontiguousarray(raw.reshape(dtype.itemsize, -1).T)
    return raw.reshape(-1).view(dtype).reshape(shape).copy() if dtype.itemsize == 1 else raw.view(dtype).reshape(shape)


def _line(data: np.ndarray[Any, Any]) -> list[float] | None:
    """First value and step of an evenly spaced axis, if they give back every bit of it."""
    if data.ndim != 1 or data.dtype != np.float64 or data.size < 16:
        return None
    first, last, n = float(data[0]), float(data[-1]), data.size
    if not (np.isfinite(first) and np.isfinite(last)):
        return None
    mean = (last - first) / (n - 1)
    number = np.arange(n, dtype=np.float64)
    for step in dict.fromkeys((float(f"{mean:.10g}"), mean, float(data[1]) - first)):
        if first + step * (n - 1) == last and np.array_equal(first + step * number, data):
            return [first, step]
    return None


def pack_arrays(variables: Mapping[str, Variable], head: Mapping[str, Any] | None = None) -> bytes:
    """Variables, and anything JSON-able beside them, as bytes that are the same for the same content."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    entries, bodies = [], []
    for name, var in variables.items():
        data = np.asarray(var.data)
        if data.dtype.kind not in "iufb":
            raise TypeError(f"variable {name!r} holds {data.dtype}, not numbers")
        data = data.astype(data.dtype.newbyteorder("<"), copy=False)
        entry = [name, list(var.dims), data.dtype.str, list(data.shape), 0, var.units, var.long_name]
        line = _line(data)
        if line is not None:
            entries.append([*entry, line])
            continue
        body = compressor.compress(_shuffled(data))
        entry[4] = len(body)
        entries.append(entry)
        bodies.append(body)
    text = json.dumps({"arrays": entries, **({"head": head} if head else {})}, ensure_ascii=False, sort_keys=True,
                      separators=(",", ":")).encode()  # fmt: skip
    return b"".join((MAGIC, struct.pack("<I", len(text)), text, *bodies))


def unpack_arrays(data: bytes) -> tuple[dict[str, Variable], dict[str, Any]]:
    """The way back of `pack_arrays`.

    Raises
    ------
    IntegrityError
        If the bytes are cut or not in this layout.
    """
    import zstandard

    try:
        if data[:4] != MAGIC:
            raise ValueError("not a packed curve")
        (length,) = struct.unpack_from("<I", data, 4)
        head = json.loads(data[8 : 8 + length])
        position = 8 + length
        decompressor = zstandard.ZstdDecompressor()
        out: dict[str, Variable] = {}
        for name, dims, dtype, shape, size, units, long_name, *line in head["arrays"]:
            kind = np.dtype(dtype)
            expected = kind.itemsize
            for n in shape:
                expected *= int(n)
            if kind.kind not in "iufb" or not 0 <= expected <= _MAX_ARRAY or position + size > len(data):
                raise ValueError("an array does not fit its size")
            if line:
                first, step = line[0]
                out[name] = Variable(tuple(dims), first + step * np.arange(int(shape[0]), dtype=kind), units, long_name)
                continue
            body = decompressor.decompress(data[position : position + size], max_output_size=max(expected, 1))
            if len(body) != expected:
                raise ValueError("an array is short")
            out[name] = Variable(tuple(dims), _unshuffled(body, kind, shape), units, long_name)
            position += size
        if position != len(data):
            raise ValueError("bytes are left over")
    except (ValueError, KeyError, TypeError, struct.error, zstandard.ZstdError) as exc:
        raise IntegrityError(f"a stored curve is damaged ({exc}).") from None
    return out, head.get("head", {})


_TEXTS = ("technique", "sample", "measured_at", "operator", "instrument", "method", "completeness", "where", "reader",
          "reader_version", "sha256", "file")  # fmt: skip


def pack_readings(readings: Sequence[Reading]) -> bytes:
    """Readings as bytes."""
    parts = []
    for r in readings:
        head = {name: getattr(r, name) for name in _TEXTS}
        head["metadata"] = json.loads(json.dumps(dict(r.metadata), ensure_ascii=False, default=str))
        head["warnings"] = list(r.warnings)
        head["fields"] = dict(r.fields)
        head["values"] = [
            [v.quantity, v.value, v.unit, v.sigma, v.k, v.lod, v.flag, v.basis, v.text, v.where] for v in r.values
        ]
        parts.append(pack_arrays(r.variables, head))
    return b"".join((struct.pack("<I", len(parts)), *(struct.pack("<Q", len(p)) + p for p in parts)))


def unpack_readings(data: bytes) -> list[Reading]:
    """The way back of `pack_readings`.

    Raises
    ------
    IntegrityError
        If the bytes are cut or not in this layout.
    """
    out: list[Reading] = []
    try:
        (count,) = struct.unpack_from("<I", data, 0)
        position = 4
        for _ in range(count):
            (size,) = struct.unpack_from("<Q", data, position)
            position += 8
            variables, head = unpack_arrays(data[position : position + size])
            position += size
            values = [Value(*row) for row in head.pop("values")]
            out.append(Reading(variables=variables, values=values, **head))
    except (struct.error, KeyError, TypeError) as exc:
        raise IntegrityError(f"packed readings are damaged ({exc}).") from None
    return out
