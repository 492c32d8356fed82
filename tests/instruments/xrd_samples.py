"""Synthetic diffraction files, written from the documented layouts (no instrument made them).

`SAMPLES` holds one small file per format and variant; the tests cut and damage them.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).parents[2].parent / "shared"))
FILES = SHARED / "instrument_files"


def real(path: str) -> Path:
    """A real instrument file, or a loud skip."""
    file = FILES / path
    if not file.is_file():
        pytest.skip(
            f"real instrument file {path} is not beside the checkout (set WASTELAB_SHARED); nothing was checked"
        )
    return file


def counts(n: int = 12, seed: int = 1) -> list[int]:
    """A small pattern with one line."""
    noise = np.random.default_rng(seed).integers(20, 60, n)
    noise[n // 2] += 900
    return [int(c) for c in noise]


def xrdml(
    scans: Sequence[Sequence[int]] = (counts(),),
    *,
    schema: str = "1.5",
    tag: str = "intensities",
    attenuation: Sequence[float] | None = None,
    times: Sequence[float] | None = None,
    positions: Sequence[float] | None = None,
    status: str = "Completed",
    axis: str = "Gonio",
) -> bytes:
    """PANalytical XRDML."""
    body = []
    for i, values in enumerate(scans):
        where = (
            f"<listPositions>{' '.join(map(str, positions))}</listPositions>"
            if positions is not None
            else f"<startPosition>{10 + i}</startPosition><endPosition>{20 + i}</endPosition>"
        )
        time = (
            f'<countingTimes unit="seconds">{" ".join(map(str, times))}</countingTimes>'
            if times is not None
            else '<commonCountingTime unit="seconds">0.5</commonCountingTime>'
        )
        factors = (
            f"<beamAttenuationFactors>{' '.join(map(str, attenuation))}</beamAttenuationFactors>" if attenuation else ""
        )
        body.append(
            f'<scan appendNumber="{i}" mode="Continuous" scanAxis="{axis}" status="{status}"><header>'
            "<startTimeStamp>2026-03-02T14:05:00+08:00</startTimeStamp><author><name>Li Wei</name></author></header>"
            f'<dataPoints><positions axis="2Theta" unit="deg">{where}</positions>'
            '<positions axis="Omega" unit="deg"><startPosition>5</startPosition>'
            "<endPosition>10</endPosition></positions>"
            '<positions axis="Phi" unit="deg"><commonPosition>0.0</commonPosition></positions>'
            f'{factors}{time}<{tag} unit="counts">{" ".join(map(str, values))}</{tag}></dataPoints></scan>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/{schema}" status="Completed">'
        "<comment><entry>Diffractometer system=EMPYREAN</entry></comment>"
        '<sample type="To be analyzed"><id>RM-01</id><name>赤泥 RM-01</name></sample>'
        '<xrdMeasurement measurementType="Scan" status="Completed"><usedWavelength intended="K-Alpha 1">'
        '<kAlpha1 unit="Angstrom">1.5405980</kAlpha1><kAlpha2 unit="Angstrom">1.5444260</kAlpha2>'
        '<kBeta unit="Angstrom">1.3922500</kBeta><ratioKAlpha2KAlpha1>0.5000</ratioKAlpha2KAlpha1></usedWavelength>'
        '<incidentBeamPath><xRayTube name="tube"><tension unit="kV">45</tension><current unit="mA">40</current>'
        "<anodeMaterial>Cu</anodeMaterial></xRayTube></incidentBeamPath>"
        f"{''.join(body)}</xrdMeasurement></xrdMeasurements>\n"
    ).encode()


def zipped(members: dict[str, str | bytes]) -> bytes:
    """A deflated zip of members, with fixed times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 2, 14, 5, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def brml_members(
    scans: Sequence[Sequence[float]] = (counts(),),
    *,
    factor: float = 1,
    planned: int | None = None,
    channels: int = 1,
    measured: int | None = None,
) -> dict[str, str | bytes]:
    """The members of a Bruker .brml."""
    members: dict[str, str | bytes] = {"experimentCollection.xml": '<?xml version="1.0"?><ExperimentCollection />'}
    names = "".join(f"<string>Experiment0/RawData{i}.xml</string>" for i in range(len(scans)))
    members["Experiment0/DataContainer.xml"] = (
        f'<?xml version="1.0"?><DataContainer RawDataLength="{len(scans)}"><RawDataReferenceList>{names}'
        '</RawDataReferenceList><MeasurementInfo UserName="Li Wei" SampleName="RM-01" /></DataContainer>'
    )
    for i, values in enumerate(scans):
        n = len(values)
        rows = "".join(
            f"<Datum>0.5,{factor},{10 + 0.02 * k:.2f},{5 + 0.01 * k:.2f},{','.join([str(v)] * channels)}</Datum>"
            for k, v in enumerate(values)
        )
        fields = "".join(
            f'<FieldDefinitions FieldName="{a}" AxisId="{a}"><VisibleName>{v}</VisibleName></FieldDefinitions>'
            for a, v in (("TwoTheta", "2Theta"), ("Theta", "Theta"))
        )
        members[f"Experiment0/RawData{i}.xml"] = (
            '<?xml version="1.0"?><RawData xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            "<MeasurementStatus>Measured</MeasurementStatus><TimeStampStarted>2026-03-02T14:05:00+08:00</TimeStampStarted>"
            '<DataRoutes><DataRoute RouteFlag="Measured"><ScanInformation VisibleName="Coupled TwoTheta/Theta">'
            f"<MeasurementPoints>{planned or n}</MeasurementPoints><ScanMode>ContinuousScan</ScanMode><ScanAxes>"
            '<ScanAxisInfo AxisId="TwoTheta" VisibleName="2Theta" Unit="°"><Start>10</Start><Increment>0.02</Increment>'
            '</ScanAxisInfo><ScanAxisInfo AxisId="Theta" VisibleName="Theta" Unit="°"><Start>5</Start>'
            "<Increment>0.01</Increment></ScanAxisInfo></ScanAxes></ScanInformation>"
            f'<SubScans><SubScanInfo Steps="{n}" MeasuredSteps="{measured or n}" /></SubScans>{rows}<DataViews>'
            '<RawDataView xsi:type="FixedRawDataView" Start="0" Length="1" LogicName="MeasuredTime" Unit="s" />'
            '<RawDataView xsi:type="FixedRawDataView" Start="1" Length="1" LogicName="AbsorptionFactor" Unit="" />'
            f'<RawDataView xsi:type="VaryingRawDataView" Start="2" Length="2"><Varying>{fields}</Varying></RawDataView>'
            f'<RawDataView xsi:type="RecordedRawDataView" Start="4" Length="{channels}">'
            '<Recording VisibleName="Lynxeye" Category="Count"><Unit Base="Counts" /></Recording></RawDataView>'
            "</DataViews></DataRoute></DataRoutes><FixedInformation><Tube><TubeMaterial>Cu</TubeMaterial>"
            '<WaveLengthAlpha1 Unit="Å" Value="1.5406" /><Generator><Voltage Unit="kV" Value="40" />'
            '<Current Unit="mA" Value="30" /></Generator></Tube></FixedInformation></RawData>'
        )
    return members


def raw3(
    scans: Sequence[Sequence[float]] = (counts(),),
    *,
    code: int = 0,
    measured: bool = False,
    status: int = 1,
    extra: int = 0,
) -> bytes:
    """Bruker RAW1.01; with `measured`, each record carries its 2θ."""
    head = bytearray(712)
    head[:7] = b"RAW1.01"
    struct.pack_into("<II", head, 8, status, len(scans))
    head[16:24], head[26:34] = b"03/02/26", b"14:05:00"
    head[36:42], head[326:331], head[608:610] = b"Li Wei", b"RM-01", b"Cu"
    struct.pack_into("<5d", head, 616, 1.54184, 1.5406, 1.54439, 1.39222, 0.5)
    out = bytes(head)
    for i, values in enumerate(scans):
        block = bytearray(304)
        struct.pack_into("<II", block, 0, 304, len(values))
        struct.pack_into("<dd", block, 8, 5.0 + i, 10.0 + 2 * i)
        struct.pack_into("<d", block, 176, 0.02)
        struct.pack_into("<f", block, 192, 0.5)
        struct.pack_into("<I", block, 196, code)
        struct.pack_into("<II", block, 224, 40, 30)
        struct.pack_into("<d", block, 240, 1.5406)
        struct.pack_into("<III", block, 248, int(measured), 12 if measured else 4, extra)
        out += bytes(block) + bytes(extra)
        for k, v in enumerate(values):
            out += struct.pack("<fd", v, 10.0 + 2 * i + 0.021 * k) if measured else struct.pack("<f", v)
    return out


def raw4(
    scans: Sequence[Sequence[float]] = (counts(),),
    *,
    kind: bytes = b"Locked Coupled",
    drive: bytes = b"2Theta",
    width: int = 4,
) -> bytes:
    """Bruker RAW4.00."""
    head = bytearray(61)
    head[:7], head[12:22], head[24:32] = b"RAW4.00", b"03/02/2026", b"14:05:00"
    struct.pack_into("<III", head, 36, len(scans), len(scans), len(scans))
    out = bytes(head)
    for name, text in ((b"USER", b"Li Wei"), (b"SAMPLEID", b"RM-01")):
        out += struct.pack("<III", 10, 36 + len(text), 0) + name.ljust(24, b"\0") + text
    tube = bytearray(136)
    struct.pack_into("<II", tube, 0, 30, 136)
    struct.pack_into("<5d", tube, 72, 1.54184, 1.5406, 1.54439, 1.39222, 0.5)
    tube[116:118] = b"Cu"
    out += bytes(tube)
    for i, values in enumerate(scans):
        start = 10.0 + 2 * i
        block = bytearray(160)
        block[32 : 32 + len(kind)] = kind
        struct.pack_into("<ddIf", block, 72, start, 0.02, len(values), 96.0)
        struct.pack_into("<ff", block, 100, 40.0, 30.0)
        struct.pack_into("<d", block, 112, 1.5406)
        struct.pack_into("<II", block, 136, width, 92)
        record = bytearray(92)
        struct.pack_into("<III", record, 0, 50, 92, 2)
        record[12 : 12 + len(drive)] = drive
        struct.pack_into("<d", record, 56, start)
        out += bytes(block) + bytes(record)
        for v in values:
            out += struct.pack("<f", v) + struct.pack("<i", 1) * (width // 4 - 1)
    return out


def uxd(*, block: str = "_COUNTS", ranges: int = 2, count: bool = True) -> bytes:
    """Bruker UXD with counts by row, or with angles."""
    lines = ["; synthetic", "_FILEVERSION=2", "_SAMPLE='RM-01'", "_USER='Li Wei'", "_WL1=1.540600", "_WL2=1.544390",
             "_WL3=1.392220", "_WLRATIO=0.500000", "_ANODE='Cu'", "_DATEMEASURED='02-Mar-2026 14:05:00'"]  # fmt: skip
    for i in range(ranges):
        values = counts(12, i)
        lines += [f"; (Data for Range number {i + 1})", "_DRIVE='COUPLED'", "_STEPTIME=0.500000", "_STEPSIZE=0.020000",
                  "_STEPMODE='C'", f"_START={10 + 2 * i}.000000", "_KV=40", "_MA=30"]  # fmt: skip
        lines += [f"_STEPCOUNT={len(values)}"] if count else []
        lines.append(block)
        if block.startswith("_2THETA"):
            lines += [f"{10 + 2 * i + 0.02 * k:.3f}\t{v}" for k, v in enumerate(values)]
        else:
            lines += ["  ".join(map(str, values[k : k + 5])) for k in range(0, len(values), 5)]
    return ("\n".join(lines) + "\n").encode()


def ras(
    *, scans: int = 2, encoding: str = "cp932", factor: float = 1.0, unit: str = "counts", comment: str = "赤泥の測定"
) -> bytes:
    """Rigaku .ras."""
    lines = ["*RAS_DATA_START"]
    for i in range(scans):
        values = counts(12, i)
        lines += ["*RAS_HEADER_START", f'*FILE_COMMENT "{comment}"', '*FILE_OPERATOR "Li Wei"', '*FILE_SAMPLE "RM-01"',
                  '*HW_GONIOMETER_NAME "SmartLab|SmartLab"', '*HW_XG_TARGET_NAME "Cu"',
                  '*HW_XG_WAVE_LENGTH_ALPHA1 "1.540593"',
                  '*MEAS_COND_XG_VOLTAGE "45.0"', '*MEAS_COND_XG_CURRENT "200.0"',
                  f'*MEAS_DATA_COUNT "{len(values)}.0000000000"', '*MEAS_SCAN_AXIS_X "2-Theta/Omega"',
                  '*MEAS_SCAN_MODE "CONTINUOUS"',
                  '*MEAS_SCAN_START_TIME "03/02/26 14:05:00"', '*MEAS_SCAN_UNIT_X "deg"',
                  f'*MEAS_SCAN_UNIT_Y "{unit}"', "*RAS_HEADER_END", "*RAS_INT_START"]  # fmt: skip
        lines += [f"{10 + 2 * i + 0.02 * k:.4f} {v:.4f} {factor:.4f}" for k, v in enumerate(values)]
        lines.append("*RAS_INT_END")
    return ("\r\n".join([*lines, "*RAS_DATA_END"]) + "\r\n").encode(encoding)


def rasx_members(*, scans: int = 2, declared: int | None = None) -> dict[str, str | bytes]:
    """The members of a Rigaku .rasx."""
    members: dict[str, str | bytes] = {}
    roots = []
    for i in range(scans):
        values = counts(12, i)
        profile = "\ufeff" + "".join(f"{10 + 0.02 * k:.4f}\t{v}\t1\r\n" for k, v in enumerate(values))
        members[f"Data{i}/Profile0.txt"] = profile.encode()
        members[f"Data{i}/MesurementConditions0.xml"] = (
            '<?xml version="1.0" encoding="utf-8"?><MeasurementConditions><GeneralInformation>'
            "<Operator>Li Wei</Operator><SampleName>RM-01</SampleName>"
            "<SystemName>SmartLab</SystemName></GeneralInformation><HWConfigurations>"
            "<XrayGenerator><TargetName>Cu</TargetName><Voltage>45</Voltage><Current>200</Current>"
            "<WavelengthKalpha1>1.540593</WavelengthKalpha1></XrayGenerator></HWConfigurations><Axes>"
            '<Axis Name="TwoTheta" Unit="deg" Position="10" State="Scan" /></Axes><ScanInformation>'
            "<AxisName>TwoTheta</AxisName><Mode>CONTINUOUS</Mode><PositionUnit>deg</PositionUnit>"
            f"<IntensityUnit>cps</IntensityUnit><DataCount>{declared or len(values)}</DataCount>"
            "<StartTime>2026-03-02T14:05:00Z</StartTime></ScanInformation></MeasurementConditions>"
        )
        roots.append(
            f'<Data{i} Type="Profile"><ContentHashList Name="Profile0.txt" />'
            f'<ContentHashList Name="MesurementConditions0.xml" /></Data{i}>'
        )
    members["root.xml"] = f'<?xml version="1.0" encoding="utf-8"?><Root Version="1.1.0.0">{"".join(roots)}</Root>'
    return members


def columns(separator: str = " ", *, decimal: str = ".", head: str = "", n: int = 12, sigma: bool = False) -> bytes:
    """Text columns 2θ, intensity, and with `sigma` a standard error."""
    rows = []
    for k, v in enumerate(counts(n)):
        cells = [f"{10 + 0.02 * k:.3f}", f"{v}.5"] + ([f"{v**0.5:.3f}"] if sigma else [])
        rows.append(separator.join(c.replace(".", decimal) for c in cells))
    return (head + "\n".join(rows) + "\n").encode()


SAMPLES: dict[str, bytes] = {
    "one.xrdml": xrdml(),
    "three.xrdml": xrdml([counts(12, s) for s in range(3)]),
    "counts.xrdml": xrdml(schema="2.1", tag="counts", attenuation=[1.0] * 6 + [188.0] * 6, times=[0.5] * 12),
    "one.brml": zipped(brml_members()),
    "two.brml": zipped(brml_members([counts(12, 1), counts(12, 2)])),
    "one.raw": raw3(),
    "three.raw": raw3([counts(12, s) for s in range(3)], extra=40),
    "measured.raw": raw3(measured=True),
    "v4.raw": raw4(),
    "v4_two.raw": raw4([counts(12, 1), counts(12, 2)]),
    "v4_wide.raw": raw4(width=8),
    "rows.uxd": uxd(),
    "angles.uxd": uxd(block="_2THETACOUNTS", count=False),
    "two.ras": ras(),
    "two.rasx": zipped(rasx_members()),
    "plain.xy": columns(),
    "comma.csv": columns(",", head="Angle,Intensity\n"),
    "tab.txt": columns("\t", decimal=",", head="2Theta\tCounts\n"),
    "sigma.xye": columns(" ", sigma=True, head="# Temp (K) = 300\n"),
}
