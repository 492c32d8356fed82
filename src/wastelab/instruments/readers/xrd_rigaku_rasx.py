"""Rigaku SmartLab Studio .rasx: a zip with ``Data*/Profile*.txt`` and its measurement conditions in XML.

Members listed in ``root.xml`` must be there; the number of points is checked. Images are not read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..base import Reader, Reading, Source
from . import _xml, xrd_rigaku_ras
from ._zip import Archive

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_PROFILE = re.compile(r"(?:.*/)?Data(\d+)/Profile(\d+)\.txt")
_MEMBER = re.compile(rb"Data\d+[/\\](?:Profile|MesurementConditions)\d+\.(?:txt|xml)")
#: Keys of a .ras header by the elements that say the same in the XML.
_SAME = {
    "MEAS_DATA_COUNT": "ScanInformation/DataCount",
    "MEAS_SCAN_AXIS_X_INTERNAL": "ScanInformation/AxisName",
    "MEAS_SCAN_MODE": "ScanInformation/Mode",
    "MEAS_SCAN_STEP": "ScanInformation/Step",
    "MEAS_SCAN_SPEED": "ScanInformation/Speed",
    "MEAS_SCAN_SPEED_UNIT": "ScanInformation/SpeedUnit",
    "MEAS_SCAN_UNIT_X": "ScanInformation/PositionUnit",
    "MEAS_SCAN_UNIT_Y": "ScanInformation/IntensityUnit",
    "MEAS_SCAN_START_TIME": "ScanInformation/StartTime",
    "MEAS_SCAN_END_TIME": "ScanInformation/EndTime",
    "MEAS_COND_XG_VOLTAGE": "HWConfigurations/XrayGenerator/Voltage",
    "MEAS_COND_XG_CURRENT": "HWConfigurations/XrayGenerator/Current",
    "HW_XG_TARGET_NAME": "HWConfigurations/XrayGenerator/TargetName",
    "HW_XG_WAVE_LENGTH_ALPHA1": "HWConfigurations/XrayGenerator/WavelengthKalpha1",
    "HW_XG_WAVE_LENGTH_ALPHA2": "HWConfigurations/XrayGenerator/WavelengthKalpha2",
    "HW_XG_WAVE_LENGTH_BETA": "HWConfigurations/XrayGenerator/WavelengthKbeta",
    "FILE_OPERATOR": "GeneralInformation/Operator",
    "FILE_SAMPLE": "GeneralInformation/SampleName",
    "FILE_COMMENT": "GeneralInformation/Comment",
    "FILE_SYSTEM_NAME": "GeneralInformation/SystemName",
}


def sniff(source: Source) -> int:
    """Certain where a zip names a profile with its (misspelt) measurement conditions."""
    if not source.data.startswith(b"PK\x03\x04"):
        return 0
    return 100 if _MEMBER.search(source.head + source.data[-65536:]) else 0


def read(source: Source) -> list[Reading]:
    """Every profile of the archive."""
    archive = Archive(source)
    names = {name.replace("\\", "/"): name for name in archive.names}
    found = sorted((int(m[1]), int(m[2]), name) for name in names if (m := _PROFILE.fullmatch(name)))
    if "root.xml" in names:
        root = _xml.parse(archive.read(names["root.xml"]), source, "root.xml")
        for folder in root:
            for entry in folder.findall("ContentHashList"):
                member = f"{folder.tag}/{entry.get('Name', '')}"
                if member not in names:
                    raise source.fail(f"{member!r} is listed in root.xml but not in the archive; copy the file again.")
        profiles = {name.split("/")[-2] for _, _, name in found}
        for folder in root:
            if folder.get("Type") == "Profile" and folder.tag not in profiles:
                raise source.fail(f"the profile of {folder.tag!r} listed in root.xml is missing; copy the file again.")
    listed = "root.xml" in names
    if not found:
        raise source.fail(
            "holds no Data*/Profile*.txt (images and maps are not read); export the pattern as .ras or .xy."
        )
    out = []
    for i, (_, number, name) in enumerate(found, 1):
        conditions = f"{name.rsplit('/', 1)[0]}/MesurementConditions{number}.xml"
        if conditions not in names:
            raise source.fail(f"{conditions!r} is missing; copy the file again.", name)
        tree = _xml.parse(archive.read(names[conditions]), source, conditions)
        try:
            body = archive.read(names[name]).decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise source.fail(f"is not UTF-8 text ({exc.reason} at byte {exc.start}).", name) from None
        rows = [(k, line) for k, line in enumerate(body.splitlines(), 1) if line.strip()]
        warnings = [] if listed else ["the archive has no root.xml that lists its scans"]
        where = f"scan {i}" if len(found) > 1 else ""
        out.append(xrd_rigaku_ras.profile(source, rows, _header(tree), where, warnings, listed))
    return out


def _header(tree: Element) -> dict[str, str]:
    header = _xml.flatten(tree, ("RASHeader", "Axes"))
    for axis in tree.findall("Axes/Axis"):
        name = axis.get("Name", "?")
        key, again = f"Axes/{name}", 2
        while key in header:
            key, again = f"Axes/{name}[{again}]", again + 1
        header[key] = f"{axis.get('Position', '')} {axis.get('Unit', '')}".strip() + f" ({axis.get('State', '')})"
    for pair in tree.findall("RASHeader/Pair"):
        texts = [(e.text or "").strip() for e in pair.findall("string")]
        if len(texts) == 2:
            header[texts[0].lstrip("*")] = texts[1]
    for key, path in _SAME.items():
        if value := _xml.text(tree, path):
            header[key] = value
    return header


READER = Reader("rigaku_rasx", "Rigaku SmartLab Studio RASX", (".rasx",), sniff, read, ("XRD",))
