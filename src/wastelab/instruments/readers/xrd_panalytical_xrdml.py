"""PANalytical XRDML (schemas 1.0 to 2.x): every scan of every measurement.

``intensities`` are already multiplied by the beam attenuation factors; ``counts`` (schema 2.x) are not. Both end
in `intensity`, and the raw numbers are kept in `counts`. Intensities are never divided by the count time.
Schema: http://www.xrdml.com.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Array, Completeness, Reader, Reading, Source
from . import _xml, _xrd

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def sniff(source: Source) -> int:
    """Certain where the root element is there."""
    head = source.head[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.replace(b"\0", b"")
    return 100 if b"<xrdMeasurements" in head else 0


def read(source: Source) -> list[Reading]:
    """Every scan of the file."""
    root = _xml.parse(source.data, source)
    if root.tag != "xrdMeasurements":
        raise source.fail(f"the root element is <{root.tag}>, expected <xrdMeasurements>.")
    scans = [(m, s) for m in root.findall("xrdMeasurement") for s in m.findall("scan")]
    if not scans:
        raise source.fail("holds no <scan>; the measurement was not done. Export it again.")
    frames = [(m, s, p) for m, s in scans for p in s.findall("dataPoints")]
    if len({id(s) for _, s, _ in frames}) != len(scans):
        raise source.fail("a <scan> has no <dataPoints>; the measurement was not finished.")
    several = len(frames) > 1
    return [
        _scan(source, root, m, s, p, f"scan {i}" if several else "") for i, (m, s, p) in enumerate(frames, 1)
    ]  # fmt: skip


def _scan(source: Source, root: Element, measurement: Element, scan: Element, points: Element, where: str) -> Reading:
    warnings: list[str] = []
    more: dict[str, tuple[Array, str, str]] = {}
    raw, given = points.findall("counts"), points.findall("intensities")
    if len(raw) > 1 or len(given) > 1 or not (raw or given):
        raise source.fail(
            f"<dataPoints> has {len(raw)} <counts> and {len(given)} <intensities>; expected one of them.", where
        )
    counts = _xrd.numbers(raw[0].text or "", source, f"{where} <counts>".strip()) if raw else None
    stored = _xrd.numbers(given[0].text or "", source, f"{where} <intensities>".strip()) if given else None
    unit = _xrd.intensity_unit((raw or given)[0].get("unit", ""))
    n = int((counts if counts is not None else stored).size)  # type: ignore[union-attr]
    metadata: dict[str, Any] = {
        **_xml.flatten(root, ("xrdMeasurement",)),
        **_xml.flatten(measurement, ("scan",), "xrdMeasurement/"),
        **_xml.flatten(scan, ("counts", "intensities", "listPositions", "countingTimes", "beamAttenuationFactors",
                              "divergenceCorrections"), "scan/"),
    }  # fmt: skip
    metadata.update({f"@{key}": value for key, value in root.attrib.items() if key != "schemaLocation"})
    metadata.update({f"xrdMeasurement/@{key}": value for key, value in measurement.attrib.items()})
    metadata.update({f"scan/@{key}": value for key, value in scan.attrib.items()})

    factor = _per_point(source, points, "beamAttenuationFactors", "commonBeamAttenuationFactor", n, where)
    if counts is not None:
        intensity = counts
        more["counts"] = (counts, unit, "counts as detected, not corrected")
        metadata["intensity_is"] = "counts as detected"
        if factor is not None:
            intensity = counts * factor
            metadata["intensity_is"] = "counts times attenuation; the numbers as detected are in counts"
        else:
            del more["counts"]
        if stored is not None:
            intensity = stored
            more["counts"] = (counts, unit, "counts as detected, not corrected")
            metadata["intensity_is"] = "intensities of the file; the numbers as detected are in counts"
    else:
        assert stored is not None
        intensity = stored
        metadata["intensity_is"] = "intensities of the file, which include the attenuation factors"
    if factor is not None:
        more["attenuation"] = (factor, "1", "beam attenuation factor")
    divergence = _per_point(source, points, "divergenceCorrections", "commonDivergenceCorrection", n, where)
    if divergence is not None:
        more["divergence_correction"] = (divergence, "1", "divergence correction factor")
        if counts is not None and stored is None:
            warnings.append("divergence corrections are listed and not applied to the intensity")
    times = points.find("countingTimes")
    if times is not None:
        seconds = _xrd.numbers(times.text or "", source, f"{where} <countingTimes>".strip()).astype(float)
        more["count_time"] = (seconds, _xrd.unit_name(times.get("unit", "seconds")), "counting time per point")
    elif _xml.text(points, "commonCountingTime"):
        metadata["count_time"] = _xrd.number(_xml.text(points, "commonCountingTime"), source, where)
        metadata["count_time_unit"] = _xrd.unit_name(points.find("commonCountingTime").get("unit", "seconds"))  # type: ignore[union-attr]

    moving: dict[str, tuple[Array, str]] = {}
    for entry in points.findall("positions"):
        name = _xrd.axis_name(entry.get("axis", ""))
        values = _positions(source, entry, n, where)
        if values is None:
            continue
        if name in moving:
            raise source.fail(f"positions of axis {entry.get('axis')!r} are given twice.", where)
        moving[name] = (values, _xrd.unit_name(entry.get("unit", "deg")))
    vendor_axis = scan.get("scanAxis", "")
    wanted = _xrd.axis_name(vendor_axis)
    axis = wanted if wanted in moving else "two_theta" if "two_theta" in moving else next(iter(moving), "")
    if not axis:
        raise source.fail(
            f"no axis moves: <positions> with start and end or a list are missing (scan axis {vendor_axis!r}).", where
        )
    if wanted not in (axis, "scan_position"):
        warnings.append(f"the scan axis is {vendor_axis!r}; its positions are not listed, those of {axis} are used")
    for name, (values, axis_unit) in moving.items():
        if name != axis:
            more[name] = (values, axis_unit, "")

    status = scan.get("status", "")
    completeness: Completeness = "declared"
    if status.lower() in ("aborted", "in progress", "not finished", "paused"):
        completeness = "partial"
        warnings.append(f"the scan was not finished: its status is {status!r}")
    elif status and status.lower() != "completed":
        warnings.append(f"the status of the scan is {status!r}")
    positions = moving[axis][0]
    used, tube = measurement.find("usedWavelength"), measurement.find("incidentBeamPath/xRayTube")
    metadata.update(
        _xrd.wavelength(
            K_alpha1=_xrd.maybe(_xml.text(used, "kAlpha1")),
            K_alpha2=_xrd.maybe(_xml.text(used, "kAlpha2")),
            K_beta=_xrd.maybe(_xml.text(used, "kBeta")),
            ratio=_xrd.maybe(_xml.text(used, "ratioKAlpha2KAlpha1")),
        )
    )
    metadata.update(
        _xrd.known(
            anode=_xml.text(tube, "anodeMaterial"),
            kV=_xrd.maybe(_xml.text(tube, "tension")),
            mA=_xrd.maybe(_xml.text(tube, "current")),
            scan_axis=vendor_axis,
            scan_mode=scan.get("mode", ""),
            step=float((positions[-1] - positions[0]) / (n - 1)) if n > 1 else None,
        )
    )
    comments = [e.text or "" for e in root.findall("comment/entry")]
    system = next((c.partition("=")[2] for c in comments if c.startswith("Diffractometer system=")), "")
    serial = _xml.text(scan, "header/source/instrumentID")
    return _xrd.scan(
        source,
        axis=axis,
        positions=positions,
        axis_unit=moving[axis][1],
        intensity=intensity,
        unit=unit,
        where=where,
        more=more,
        metadata=metadata,
        warnings=warnings,
        completeness=completeness,
        sample=_xml.text(root, "sample/name") or _xml.text(root, "sample/id"),
        measured_at=_xml.text(scan, "header/startTimeStamp"),
        operator=_xml.text(scan, "header/author/name"),
        instrument=f"{system} {serial}".strip(),
    )


def _per_point(source: Source, points: Element, many: str, common: str, n: int, where: str) -> Array | None:
    entry = points.find(many)
    if entry is not None:
        values = _xrd.numbers(entry.text or "", source, f"{where} <{many}>".strip()).astype(float)
        if values.size != n:
            raise source.fail(f"has {values.size} values, but {n} points were measured.", f"{where} <{many}>".strip())
        return values
    one = _xml.text(points, common)
    return np.full(n, _xrd.number(one, source, f"{where} <{common}>".strip())) if one else None


def _positions(source: Source, entry: Element, n: int, where: str) -> Array | None:
    place = f"{where} positions of axis {entry.get('axis')!r}".strip()
    if entry.find("commonPosition") is not None:
        return None
    listed = entry.find("listPositions")
    if listed is not None:
        return _xrd.numbers(listed.text or "", source, place).astype(float)
    start, end = _xml.text(entry, "startPosition"), _xml.text(entry, "endPosition")
    if not start or not end:
        raise source.fail("neither a list nor start and end are given.", place)
    return np.linspace(_xrd.number(start, source, place), _xrd.number(end, source, place), n)


READER = Reader("panalytical_xrdml", "PANalytical XRDML", (".xrdml",), sniff, read, ("XRD",))
