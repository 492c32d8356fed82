"""Bruker DIFFRAC.SUITE .brml: a zip of XML with one ``RawData*.xml`` per scan.

Columns are taken by the names of the data views, never by position. Counts are as stored; the absorber factor is
its own variable. Recordings with many channels per point (area detectors, fixed PSD) are refused.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Array, Completeness, Reader, Reading, Source
from . import _xml, _xrd
from ._zip import Archive

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_EXPERIMENT = re.compile(rb"Experiment\d+[/\\](?:RawData\d+|DataContainer)\.xml")
_RAW = re.compile(r"(?:.*/)?RawData(\d+)\.xml")


def sniff(source: Source) -> int:
    """Certain where a zip names the members of a DIFFRAC.SUITE experiment."""
    if not source.data.startswith(b"PK\x03\x04"):
        return 0
    ends = source.head + source.data[-65536:]
    return 100 if _EXPERIMENT.search(ends) or b"experimentCollection.xml" in ends else 0


def read(source: Source) -> list[Reading]:
    """Every data route of every raw-data member."""
    archive = Archive(source)
    containers = [name for name in archive.names if posixpath.basename(name) == "DataContainer.xml"]
    listed: list[tuple[str, Element]] = []
    for name in containers:
        container = _xml.parse(archive.read(name), source, name)
        members = [(e.text or "").strip() for e in container.findall("RawDataReferenceList/string")]
        declared = container.get("RawDataLength", "")
        if declared.isdigit() and int(declared) != len(members):
            raise source.fail(f"{declared} scans are declared, {len(members)} are listed.", name)
        listed += [(member.replace("\\", "/"), container) for member in members]
    there = [name for name in archive.names if _RAW.fullmatch(name)]
    missing = [member for member, _ in listed if member not in there]
    if missing:
        raise source.fail(f"the scan {missing[0]!r} is listed but not in the archive; copy the file again.")
    unlisted = [name for name in there if name not in {member for member, _ in listed}]
    if not listed and not unlisted:
        raise source.fail("holds no RawData*.xml: an experiment that was not measured.")
    empty = None
    scans: list[tuple[str, Element, Element | None, Element]] = []
    for member, of in [*listed, *((name, empty) for name in unlisted)]:
        root = _xml.parse(archive.read(member), source, member)
        routes = root.findall("DataRoutes/DataRoute")
        if not routes:
            raise source.fail("has no <DataRoute>: no data was measured.", member)
        scans += [(member, root, of, route) for route in routes]
    several = len(scans) > 1
    readings = []
    for i, (member, root, of, route) in enumerate(scans, 1):
        warnings = [f"{member} is not listed in DataContainer.xml"] if member in unlisted and containers else []
        readings.append(_route(source, member, root, of, route, f"scan {i}" if several else "", warnings))
    return readings


def _route(
    source: Source,
    member: str,
    root: Element,
    container: Element | None,
    route: Element,
    where: str,
    warnings: list[str],
) -> Reading:
    place = where or member
    columns, recorded = _columns(source, route, place)
    rows = [(e.text or "").replace(",", " ") for e in route.findall("Datum")]
    if not rows:
        raise source.fail("has no <Datum>: the counts are missing or stored outside the XML.", place)
    width = len(rows[0].split())
    for i, row in enumerate(rows, 1):
        if len(row.split()) != width:
            raise source.fail(f"<Datum> {i} has {len(row.split())} values, the first has {width}.", place)
    if max(columns.values()) >= width:
        raise source.fail(f"<Datum> has {width} values, the data views name {max(columns.values()) + 1}.", place)
    table = _xrd.numbers("\n".join(rows), source, place).reshape(len(rows), width)
    n = len(rows)

    def column(name: str) -> Array:
        values = table[:, columns[name]]
        texts = [row.split()[columns[name]] for row in rows]
        return values.astype(np.int64) if not any(set(t) & set(".eE") for t in texts) else values.astype(float)

    info = route.find("ScanInformation")
    measured = [e.get("MeasuredSteps", "") for e in route.findall("SubScans/SubScanInfo")]
    completeness: Completeness = "declared"
    if measured and all(m.isdigit() for m in measured) and sum(map(int, measured)) != n:
        raise source.fail(f"{sum(map(int, measured))} steps are declared, {n} are there.", place)
    planned = _xml.text(info, "MeasurementPoints")
    if planned.isdigit() and int(planned) > n:
        completeness = "partial"
        warnings.append(f"the scan was stopped: {n} of {planned} points were measured")
    status = _xml.text(root, "MeasurementStatus")
    if status and status != "Measured":
        warnings.append(f"the status of the measurement is {status!r}")

    axes = {} if info is None else {e.get("AxisId", ""): e for e in info.findall("ScanAxes/ScanAxisInfo")}
    if not axes:
        raise source.fail("names no scan axis.", place)
    main = "TwoTheta" if "TwoTheta" in axes else next(iter(axes))
    more: dict[str, tuple[Array, str, str]] = {}
    positions: dict[str, Array] = {}
    units: dict[str, str] = {}
    for key, entry in axes.items():
        name = _axis(key, entry.get("VisibleName", ""))
        units[name] = _xrd.unit_name(entry.get("Unit", "°"))
        if key in columns:
            positions[name] = column(key).astype(float)
        else:
            start, step = (
                _xrd.number(_xml.text(entry, t), source, f"{place} axis {key}") for t in ("Start", "Increment")
            )
            positions[name] = start + step * np.arange(n)
    axis = _axis(main, axes[main].get("VisibleName", ""))
    for name, values in positions.items():
        if name != axis:
            more[name] = (values, units[name], "")
    metadata: dict[str, Any] = {}
    if container is not None:
        metadata |= _xml.flatten(container, ("Nodes",), "DataContainer/")
    metadata |= _xml.flatten(root, ("DataRoutes", "Identifier"), "RawData/")
    metadata |= _xml.flatten(route, ("Datum", "DataViews"), "DataRoute/")
    metadata |= {f"DataRoute/@{k}": v for k, v in route.attrib.items() if v}
    metadata["member"] = member
    absorber = ""
    for name in columns:
        if name == "MeasuredTime":
            more["count_time"] = (column(name).astype(float), "s", "measured time per point")
        elif name == "AbsorptionFactor":
            factor = column(name).astype(float)
            more["attenuation"] = (factor, "1", "absorber factor")
            if (factor != 1.0).any():
                absorber = _absorber(column(next(iter(recorded))).astype(float), factor)
                warnings.append(f"absorber factors other than 1 are listed; {absorber}")
        elif name not in axes and name not in recorded:
            more[_xrd.axis_name(name)] = (column(name), "1", name)
    unit = _xrd.intensity_unit(recorded[next(iter(recorded))])
    for name in list(recorded)[1:]:
        more[f"recorded_{_xrd.axis_name(name)}"] = (column(name), recorded[name] or "1", name)
    metadata["intensity_is"] = f"as stored, recorded by {next(iter(recorded))}" + (f"; {absorber}" if absorber else "")
    tube = root.find(".//Tube")
    metadata |= _xrd.wavelength(
        K_alpha1=_value(tube, "WaveLengthAlpha1"),
        K_alpha2=_value(tube, "WaveLengthAlpha2"),
        K_beta=_value(tube, "WaveLengthBeta"),
        ratio=_value(tube, "WaveLengthRatio"),
    )
    metadata |= _xrd.known(
        anode=_xml.text(tube, "TubeMaterial"),
        kV=_value(tube, "Generator/Voltage"),
        mA=_value(tube, "Generator/Current"),
        step=_xrd.maybe(_xml.text(axes[main], "Increment")),
        scan_axis=(info.get("VisibleName", "") if info is not None else "").strip(),
        scan_mode=_xml.text(info, "ScanMode"),
        route=route.get("RouteFlag", ""),
    )
    about = container.find("MeasurementInfo") if container is not None else None
    device = container.find("ExperimentInfo/InstrumentDescription") if container is not None else None
    named = " ".join(filter(None, (_xml.text(device, "InstrumentName"), _xml.text(device, "SerialNo"))))
    return _xrd.scan(
        source,
        axis=axis,
        axis_unit=units[axis],
        positions=positions[axis],
        intensity=column(next(iter(recorded))),
        unit=unit,
        where=where,
        more=more,
        metadata=metadata,
        warnings=warnings,
        completeness=completeness,
        sample=about.get("SampleName", "") if about is not None else "",
        operator=about.get("UserName", "") if about is not None else "",
        measured_at=_xml.text(root, "TimeStampStarted"),
        instrument=named,
    )


def _absorber(intensity: Array, factor: Array) -> str:
    """What the numbers themselves say about whether the stored intensity includes the absorber factor."""
    weakened = factor != 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        counts = intensity[weakened] / factor[weakened]
    if (np.abs(counts - np.rint(counts)) < 1e-3).all() and (intensity[weakened] % 1 != 0).any():
        return "the stored intensity includes them (divided by its factor each is a whole number)"
    return "the file does not say whether the stored intensity includes them"


def _axis(key: str, visible: str) -> str:
    if key == "TwoTheta":
        return "two_theta"
    name = _xrd.axis_name(visible or key)
    return _xrd.axis_name(key) if name == "two_theta" else name


def _value(element: Element | None, path: str) -> float | None:
    found = element.find(path) if element is not None else None
    return _xrd.maybe(found.get("Value", "")) if found is not None else None


def _columns(source: Source, route: Element, place: str) -> tuple[dict[str, int], dict[str, str]]:
    """Column of each name, and the units of the recorded ones (by name, in file order)."""
    columns: dict[str, int] = {}
    recorded: dict[str, str] = {}
    for view in route.findall("DataViews/RawDataView"):
        start, length = view.get("Start", ""), view.get("Length", "")
        if not (start.isdigit() and length.isdigit() and len(start) < 9 and len(length) < 9):
            raise source.fail(f"a data view starts at {start!r} with length {length!r}.", place)
        first, size = int(start), int(length)
        kind = view.get("type", "")
        recording = view.find("Recording")
        if recording is not None:
            if size != 1:
                raise source.fail(
                    f"records {size} channels per point (area detector or fixed PSD); "
                    "integrate it to a pattern in DIFFRAC.EVA and export .xy.",
                    place,
                )
            base = recording.find("Unit")
            name = (
                recording.get("VisibleName", "") or recording.get("LogicName", "") or f"recording {len(recorded) + 1}"
            )
            while name in columns:
                name += "'"
            columns[name] = first
            recorded[name] = base.get("Base", "") if base is not None else ""
        elif view.get("LogicName"):
            columns[view.get("LogicName", "")] = first
        else:
            fields = [e.get("AxisId", "") or e.get("FieldName", "") for e in view.iter("FieldDefinitions")]
            if len(fields) != size:
                raise source.fail(f"the data view {kind!r} has {size} columns and {len(fields)} names.", place)
            columns.update({name: first + i for i, name in enumerate(fields)})
    if not recorded:
        raise source.fail("names no recorded counts in its data views: an unknown variant of .brml.", place)
    return columns, recorded


READER = Reader("bruker_brml", "Bruker DIFFRAC.SUITE BRML", (".brml",), sniff, read, ("XRD",))
