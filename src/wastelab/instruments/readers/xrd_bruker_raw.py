"""Bruker DIFFRAC .raw, binary: RAW1.01 (DIFFRACplus) and RAW4.00 (DIFFRAC.SUITE), every range.

The layout was measured on files whose text conversion by the vendor is known. The older ``RAW `` and ``RAW2``
(DIFFRAC-AT) are refused with advice: no file of theirs was at hand to prove a reader. Little endian throughout.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ...errors import UnknownFormatError
from ...i18n import say
from ..base import Array, Completeness, Reader, Reading, Source
from . import _xrd

#: Scan type codes of RAW1.01 whose start and step are those of 2θ.
_TWO_THETA_CODES = {0: "locked coupled", 1: "unlocked coupled", 2: "detector scan"}
_TWO_THETA_TYPES = frozenset(("locked coupled", "unlocked coupled", "detector scan", "2theta"))
_WAVES = ("K_alpha_average", "K_alpha1", "K_alpha2", "K_beta", "ratio")
_STATUS = {1: "done", 2: "active", 3: "aborted", 4: "interrupted"}


def sniff(source: Source) -> int:
    """Certain by the magic number."""
    head = source.data[:8]
    if head.startswith((b"RAW1.01", b"RAW4.00")):
        return 100
    return 90 if head.startswith((b"RAW2", b"RAW ")) and b"\0" in source.head else 0


def read(source: Source) -> list[Reading]:
    """Every range of the file."""
    if source.data.startswith(b"RAW1.01"):
        return _read_v3(source)
    if source.data.startswith(b"RAW4.00"):
        return _read_v4(source)
    raise UnknownFormatError(
        f"{source.name}: is Bruker/Siemens DIFFRAC-AT RAW (version {'2' if source.data[3:4] == b'2' else '1'}), which "
        "is not read. Open it in DIFFRAC.EVA or the file exchange program and save it as .uxd, .xy or .brml."
    )


def _get(source: Source, code: str, at: int, where: str) -> Any:
    size = struct.calcsize("<" + code)
    if at < 0 or at + size > len(source.data):
        raise source.fail(say("sheet.ends_at", size=len(source.data), needed=at + size), where)
    return struct.unpack_from("<" + code, source.data, at)[0]


def _float(source: Source, code: str, at: int, where: str) -> float:
    value = float(_get(source, code, at, where))
    return float(f"{value:.7g}") if code == "f" and np.isfinite(value) else value


def _chars(source: Source, at: int, length: int) -> str:
    return source.data[at : at + length].split(b"\0")[0].decode("latin-1").strip()


def _start_step(source: Source, start: float, step: float, where: str) -> None:
    if not (np.isfinite(start) and np.isfinite(step) and abs(start) < 1e4 and abs(step) < 1e4):
        raise source.fail(f"starts at {start:g} with a step of {step:g}, which no goniometer can do: damaged.", where)


def _records(source: Source, at: int, count: int, dtype: np.dtype[Any], where: str) -> Array:
    need = count * dtype.itemsize
    if at + need > len(source.data):
        raise source.fail(say("sheet.points_cut", points=count, needed=at + need, size=len(source.data)), where)
    return np.frombuffer(source.data, dtype, count, at)


def _read_v3(source: Source) -> list[Reading]:
    ranges = int(_get(source, "I", 12, "file header"))
    _get(source, "B", 711, "file header")
    if not 1 <= ranges <= len(source.data) // 260:
        raise source.fail(f"{ranges} ranges are declared, which {len(source.data)} bytes cannot hold.", "file header")
    status = int(_get(source, "I", 8, ""))
    radius = _float(source, "f", 564, "")
    shared: dict[str, Any] = {
        "format_version": "RAW1.01",
        "file_status": _STATUS.get(status, str(status)),
        **_xrd.known(
            site=_chars(source, 108, 218), comment=_chars(source, 386, 160), anode=_chars(source, 608, 4),
            goniometer_radius=radius if np.isfinite(radius) else None,
        ),
        **_xrd.wavelength(**{key: _wave(source, 616 + 8 * i) for i, key in enumerate(_WAVES)}),
    }  # fmt: skip
    written = f"{_chars(source, 16, 10)} {_chars(source, 26, 10)}"
    out: list[tuple[dict[str, Any], dict[str, Any]]] = []
    at = 712
    for i in range(1, ranges + 1):
        where = f"range {i} of {ranges}"
        size = int(_get(source, "I", at, where))
        if not 260 <= size <= 65536:
            raise source.fail(f"the range header is {size} bytes long, expected 304.", where)
        _get(source, "B", at + size - 1, where)
        points, code = int(_get(source, "I", at + 4, where)), int(_get(source, "I", at + 196, where))
        varying, width = int(_get(source, "I", at + 248, where)), int(_get(source, "I", at + 252, where))
        extra = int(_get(source, "I", at + 256, where))
        if code not in _TWO_THETA_CODES:
            raise source.fail(
                f"its scan type has the code {code}; coupled and detector scans (0, 1, 2) are read. "
                "Convert the file to .uxd or .xy.",
                where,
            )
        fields = [("intensity", "<f4")] + ([("two_theta", "<f8")] if varying & 1 else [])
        dtype = np.dtype(fields)
        if varying not in (0, 1) or width != dtype.itemsize:
            raise source.fail(
                f"a record has {width} bytes with the varying parameters {varying:#x}; only measured 2θ is understood. "
                "Convert the file to .uxd or .xy.",
                where,
            )
        data = _records(source, at + size + extra, points, dtype, where)
        start, step = _float(source, "d", at + 16, where), _float(source, "d", at + 176, where)
        _start_step(source, start, step, where)
        metadata = {
            **shared,
            **_xrd.known(
                start_theta=_finite(_float(source, "d", at + 8, where)),
                step=step,
                scan_axis=_TWO_THETA_CODES[code],
                count_time=_finite(_float(source, "f", at + 192, where)),
                count_time_unit="s",
                kV=float(_get(source, "I", at + 224, where)),
                mA=float(_get(source, "I", at + 228, where)),
                used_wavelength=_finite(_float(source, "d", at + 240, where)),
                detector_code=int(_get(source, "I", at + 96, where)),
                intensity_is="as the counter wrote it",
            ),
        }
        measured = data["two_theta"] if varying & 1 else start + step * np.arange(points)
        out.append((metadata, {"positions": measured, "intensity": _xrd.whole(data["intensity"]), "where": where}))
        at += size + extra + points * width
    warnings = [] if status == 1 else [f"the measurement was not finished: file status {_STATUS.get(status, status)!r}"]
    completeness: Completeness = "partial" if status in (2, 3, 4) else "declared"
    if at != len(source.data):
        completeness = "unverified" if completeness == "declared" else completeness
        warnings.append(f"{len(source.data) - at} bytes follow the last declared range and were not read")
    return [
        _xrd.scan(
            source,
            axis="two_theta",
            unit="counts",
            metadata=metadata,
            warnings=warnings,
            completeness=completeness,
            sample=_chars(source, 326, 60),
            operator=_chars(source, 36, 72),
            measured_at=_xrd.iso(written, "%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S"),
            **{**arrays, "where": arrays["where"].split(" of ")[0] if ranges > 1 else ""},
        )
        for metadata, arrays in out
    ]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _wave(source: Source, at: int) -> float | None:
    value = _float(source, "d", at, "file header")
    return value if 0 < value < 100 else None


def _read_v4(source: Source) -> list[Reading]:
    _get(source, "B", 60, "file header")
    texts: dict[str, str] = {}
    shared: dict[str, Any] = {"format_version": "RAW4.00"}
    scans: list[dict[str, Any]] = []
    at, end = 61, len(source.data)
    while at < end:
        kind = int(_get(source, "I", at, f"record at byte {at}"))
        if kind in (0, 160):
            found = _range_v4(source, at, f"range {len(scans) + 1}")
            scans.append(found)
            at = found.pop("end")
            continue
        length = int(_get(source, "I", at + 4, f"record at byte {at}"))
        if length < 8 or at + length > end:
            raise source.fail(
                f"declares {length} bytes, but {end - at} are left: cut or damaged.", f"record at byte {at}"
            )
        if kind == 10 and length >= 36:
            texts[_chars(source, at + 12, 24)] = _chars(source, at + 36, length - 36)
        elif kind == 30 and length >= 120:
            shared.update(_xrd.wavelength(**{key: _wave(source, at + 72 + 8 * i) for i, key in enumerate(_WAVES)}))
            shared.update(_xrd.known(anode=_chars(source, at + 116, 4)))
        at += length
    if not scans:
        raise source.fail("holds no range: the file was cut before its data, or nothing was measured.")
    shared.update({key: value for key, value in texts.items() if value and key not in ("USER", "SAMPLEID")})
    # Three equal words, 1 in every file of one range; taken as the number of ranges only to doubt, never to stop early.
    declared = {int(_get(source, "I", o, "file header")) for o in (36, 40, 44)}
    completeness: Completeness = "declared" if declared == {len(scans)} else "unverified"
    warnings = (
        []
        if completeness == "declared"
        else [f"{len(scans)} ranges were read; the header words say {sorted(declared)}"]
    )
    written = f"{_chars(source, 12, 12)} {_chars(source, 24, 10)}"
    readings = []
    for i, entry in enumerate(scans, 1):
        entry["metadata"] = {**shared, **entry["metadata"]}
        entry["warnings"] = [*warnings, *entry["warnings"]]
        readings.append(
            _xrd.scan(
                source,
                where=f"range {i}" if len(scans) > 1 else "",
                completeness=completeness,
                sample=texts.get("SAMPLEID", ""),
                operator=texts.get("USER", ""),
                measured_at=_xrd.iso(written, "%m/%d/%Y %H:%M:%S"),
                **entry,
            )
        )
    return readings


def _range_v4(source: Source, at: int, where: str) -> dict[str, Any]:
    _get(source, "B", at + 159, where)
    kind = _chars(source, at + 32, 24)
    start, step = _float(source, "d", at + 72, where), _float(source, "d", at + 80, where)
    _start_step(source, start, step, where)
    points, width, header = (int(_get(source, "I", at + o, where)) for o in (88, 136, 140))
    if width not in (4, 8):
        raise source.fail(f"a point has {width} bytes; 4 or 8 are understood. Save the file as .brml or .xy.", where)
    records, stop = at + 160, at + 160 + header
    if stop > len(source.data):
        raise source.fail(f"its header of {header} bytes ends after the file: it was cut. Copy it again.", where)
    drives: list[tuple[str, int, float]] = []
    details: dict[str, Any] = {}
    while records < stop:
        code, length = int(_get(source, "I", records, where)), int(_get(source, "I", records + 4, where))
        if length < 8 or records + length > stop:
            raise source.fail(f"the record at byte {records} has {length} bytes, which its range cannot hold.", where)
        if code == 50 and length >= 64:
            name, position = _chars(source, records + 12, 24), _float(source, "d", records + 56, where)
            drives.append((name, int(_get(source, "I", records + 8, where)), position))
            if np.isfinite(position):
                details[f"drive/{name}"] = position
        elif code == 10 and length >= 36:
            details[_chars(source, records + 12, 24)] = _chars(source, records + 36, length - 36)
        records += length
    data = _records(source, stop, points, np.dtype([("intensity", "<f4"), ("second", "<i4")][: width // 4]), where)
    moving = [name for name, flag, position in drives if flag and abs(position - start) <= 1e-6 * max(1.0, abs(start))]
    warnings: list[str] = []
    axis, unit = "two_theta", "degree"
    names = {_xrd.axis_name(name) for name in moving}
    if kind.lower() not in _TWO_THETA_TYPES and "two_theta" not in names:
        axis = next(iter(sorted(names)), "scan_position")
        if axis not in ("theta", "omega", "phi", "chi", "psi"):
            unit = "1"
            warnings.append(f"the scan type is {kind!r}; the unit of its axis is not known")
    more: dict[str, tuple[Array, str, str]] = {}
    if width == 8:
        second = data["second"]
        if (second == second[:1]).all():
            details["record_value_2"] = f"{int(second[0])} at every point; meaning not known" if points else ""
        else:
            more["record_value_2"] = (second.copy(), "1", "second word of each point; meaning not known")
            warnings.append("each point has a second number of unknown meaning, kept as record_value_2")
    intensity = _xrd.whole(data["intensity"])
    counted = intensity.dtype.kind == "i"
    details["intensity_is"] = (
        "as stored; the format has no unit, all values are whole numbers"
        if counted
        else "as stored; the format has no unit"
    )
    details.update(
        _xrd.known(
            scan_axis=kind,
            step=step,
            time_per_step_as_written=_finite(_float(source, "f", at + 92, where)),
            kV=_finite(_float(source, "f", at + 100, where)),
            mA=_finite(_float(source, "f", at + 104, where)),
            used_wavelength=_finite(_float(source, "d", at + 112, where)),
        )
    )
    return {
        "axis": axis,
        "axis_unit": unit,
        "positions": start + step * np.arange(points),
        "intensity": intensity,
        "unit": "counts" if counted else "1",
        "more": more,
        "metadata": details,
        "warnings": warnings,
        "end": stop + points * width,
    }


READER = Reader("bruker_raw", "Bruker DIFFRAC RAW (RAW1.01, RAW4.00)", (".raw",), sniff, read, ("XRD",))
