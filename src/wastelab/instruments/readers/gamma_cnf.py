"""Canberra Genie-2000 gamma spectra (.CNF): counts per channel, energy calibration, start, real and live time.

The file is a directory of blocks; its stated size and every block's extent are checked. Floats are stored in the
byte order of the PDP-11, times in that of VMS. Activities and peak lists are not read.
"""

from __future__ import annotations

import re
import struct
from datetime import datetime, timedelta

import numpy as np

from ..base import Reader, Reading, Source, Variable

_ACQUISITION, _SAMPLE, _CHANNELS = 0x12000, 0x12001, 0x12005
_DIRECTORY = 112


def _sniff(source: Source) -> int:
    data = source.data
    if (
        len(data) < _DIRECTORY + 48
        or data[:2] != b"\x00\x04"
        or struct.unpack_from("<I", data, _DIRECTORY)[0] >> 16 != 1
    ):
        return 0
    return 100 if struct.unpack_from("<I", data, _DIRECTORY)[0] & 0xFFFFF000 == 0x12000 else 0


def _float(data: bytes, at: int) -> float:
    """A PDP-11 float: 16-bit words swapped, exponent two too high."""
    word = data[at + 2 : at + 4] + data[at : at + 2]
    return float(struct.unpack("<f", word)[0]) / 4.0


def _blocks(source: Source) -> dict[int, tuple[int, int]]:
    data = source.data
    size = struct.unpack_from("<I", data, 10)[0]
    if size != len(data):
        raise source.fail(f"states a size of {size} bytes but has {len(data)}; it is cut or damaged. Copy it again.")
    out: dict[int, tuple[int, int]] = {}
    at = _DIRECTORY
    while at + 48 <= len(data):
        kind, extent, offset = struct.unpack_from("<IxxII", data, at)
        if kind == 0:
            break
        if offset + extent > len(data):
            raise source.fail(f"its block {kind:#x} reaches beyond the end; it is cut or damaged. Copy it again.")
        if kind in (_ACQUISITION, _SAMPLE, _CHANNELS):
            if kind in out:
                raise source.fail(f"holds two blocks {kind:#x}; only files with one spectrum are read.")
            if struct.unpack_from("<I", data, offset)[0] != kind:
                raise source.fail(f"its block {kind:#x} does not begin with its own name; it is damaged.")
            out[kind] = (offset, extent)
        at += 48
    for kind, what in ((_ACQUISITION, "acquisition parameters"), (_CHANNELS, "channels")):
        if kind not in out:
            raise source.fail(f"has no block of {what}.")
    return out


def _text(data: bytes, at: int, length: int) -> str:
    return data[at : at + length].split(b"\0")[0].decode("latin-1").strip()


def _read(source: Source) -> list[Reading]:
    data = source.data
    if _sniff(source) == 0:
        raise source.fail("does not begin with the directory of a Canberra file.")
    blocks = _blocks(source)
    acquisition, extent = blocks[_ACQUISITION]
    calibration = acquisition + 48 + struct.unpack_from("<H", data, acquisition + 34)[0]
    times = acquisition + 48 + struct.unpack_from("<H", data, acquisition + 36)[0] + 1
    if max(calibration + 96, times + 24) > acquisition + extent:
        raise source.fail("its acquisition parameters point beyond their block; it is damaged.")
    start, real, live = struct.unpack_from("<QQQ", data, times)
    real_s, live_s = ((2**64 - t) / 1e7 if t else 0.0 for t in (real, live))
    if not (0 < live_s <= real_s < 1e10):
        raise source.fail(f"states a live time of {live_s:g} s and a real time of {real_s:g} s; it is damaged.")
    try:
        measured = (datetime(1858, 11, 17) + timedelta(microseconds=start // 10)).replace(microsecond=0).isoformat()
    except OverflowError:
        raise source.fail("its start time is impossible; it is damaged.") from None
    offset, extent = blocks[_CHANNELS]
    count = struct.unpack_from("<I", data, acquisition + 48 + 137)[0]
    if count == 0 or 512 + 4 * count != extent:
        raise source.fail(f"states {count} channels, which do not fill its block of {extent} bytes; it is damaged.")
    counts = np.frombuffer(data, "<u4", count, offset + 512)
    if counts.max() > 2**31 - 1:
        raise source.fail("holds a channel with more than 2 147 483 647 counts; it is damaged.")
    coefficients = [_float(data, calibration + 68 + 4 * k) for k in range(4)]
    channel = np.arange(1, count + 1, dtype=np.int32)
    variables = {
        "channel": Variable(("channel",), channel, "1", "channel, from 1"),
        "counts": Variable(("channel",), counts.astype(np.int32), "1", "counts in the live time"),
    }
    unit = _text(data, calibration + 92, 16)
    warnings: list[str] = []
    if not all(np.isfinite(c) and abs(c) < 1e12 for c in coefficients):
        raise source.fail(f"its energy calibration {coefficients} is damaged.")
    if any(coefficients) and unit == "keV":
        n = channel.astype(float)
        energy = coefficients[0] + n * (coefficients[1] + n * (coefficients[2] + n * coefficients[3]))
        if (np.diff(energy) <= 0).any():
            raise source.fail(f"its energy calibration {coefficients} does not rise with the channel; it is damaged.")
        variables["energy"] = Variable(("channel",), energy, "keV", "energy by the stored calibration")
    else:
        warnings.append(f"the file holds no energy calibration in keV (unit {unit!r})")
    meta: dict[str, object] = {
        "real time [s]": real_s,
        "live time [s]": live_s,
        "energy calibration": coefficients,
        "energy unit": unit,
        "detector": _text(data, calibration + 1, 31),
    }
    sample = ""
    if _SAMPLE in blocks:
        at, extent = blocks[_SAMPLE]
        body = data[at + 48 : at + extent]
        meta["sample block texts"] = [
            t.decode("latin-1").strip() for t in re.findall(rb"[\x20-\x7e]{4,}", body) if t.strip()
        ]
    return [
        Reading(
            "radionuclides",
            variables,
            sample=sample,
            measured_at=measured,
            instrument="Canberra Genie-2000",
            metadata=meta,
            warnings=warnings,
            completeness="declared",
        )
    ]


READER = Reader("canberra_cnf", "Canberra Genie-2000 gamma spectrum", (".cnf",), _sniff, _read, ("radionuclides",))
