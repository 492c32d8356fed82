"""NETZSCH Proteus binary measurements (.ngb-ss3, .ngb-ds3 …), decoded by openreadout from the extra ``instruments``.

The file is a zip: every member's checksum is verified before anything is decoded. The sensitivity calibration is not
applied, so DSC is the signal in µV, and mass is the change from the start, both as stored. The correction run that
a file may carry is a reading of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...i18n import say
from ..base import Reader, Reading, Source, Value, Variable
from .sorption_workbooks import check_zip
from .thermal_columns import slug, units_of

_NAMES = {
    "sample_temperature": "temperature",
    "mass": "mass_change",
    "purge_flow_1": "gas_flow_purge1",
    "purge_flow_2": "gas_flow_purge2",
    "protective_flow": "gas_flow_protective",
}
_LONG = {
    "mass_change": "change of mass since the start, as stored",
    "dsc_signal": "DSC signal as stored, sensitivity not applied",
    "cooling_power": "cooling power, share of the full output",
    "furnace_power": "furnace power, share of the full output",
}


def _sniff(source: Source) -> int:
    if source.data[:4] != b"PK\x03\x04":
        return 0
    return (
        100 if b"Streams/stream_1.table" in source.data[-(1 << 16) :] or b"Streams/stream_" in source.head[:4096] else 0
    )


def _library(source: Source) -> Any:
    try:
        import openreadout
    except ImportError:
        raise source.fail(say("sheet.needs_extra", format="NETZSCH Proteus", package="openreadout")) from None
    return openreadout


def _narrow(data: np.ndarray) -> np.ndarray:
    single = data.astype(np.float32)
    return single if np.array_equal(single.astype(np.float64), data) else data


def _run(
    source: Source, trace: Mapping[str, Any], matrix: np.ndarray, vendor: Mapping[str, Any], number: int
) -> Reading:
    channels = trace["channels"]
    run = str(trace.get("name") or "sample")
    where = f"{run} run"
    if matrix.shape != (len(channels), int(trace["sample_count"])) or matrix.shape[1] == 0:
        raise source.fail(f"states {len(channels)} × {trace['sample_count']} numbers but gives {matrix.shape}.", where)
    if not np.isfinite(matrix).all():
        raise source.fail(say("sheet.no_finite_numbers"), where)
    names = [_NAMES.get(c["name"], slug(c["name"])) for c in channels]
    if names.count("time") != 1:
        raise source.fail(f"has no single time channel among {names}.", where)
    warnings: list[str] = []
    time = np.ascontiguousarray(matrix[names.index("time")], dtype=np.float64)
    variables = {"time": Variable(("time",), time, "s", "time")}
    for k, (name, channel) in enumerate(zip(names, channels, strict=True)):
        if name == "time":
            continue
        units = units_of(str(channel.get("unit") or "")) or ("%" if name.endswith("_power") else "unknown")
        if units == "unknown":
            warnings.append(f"channel {channel['name']!r} has no known unit")
        variables[name] = Variable(
            ("time",), np.ascontiguousarray(_narrow(matrix[k])), units, _LONG.get(name, channel["name"])
        )
    mass = vendor.get("sample_mass")
    stamp = str(vendor.get("date_performed") or "").replace("Z", "+00:00")
    meta = {k: v for k, v in vendor.items() if isinstance(v, str | int | float | list | dict | bool)}
    meta["run"] = run
    if "mass_change" in variables:
        meta["mass"] = "mass_change is relative to the sample mass at the start"
    return Reading(
        "TG",
        variables,
        [Value("sample_mass", float(mass), "mg", where="sample descriptor")]
        if isinstance(mass, int | float) and number == 0
        else [],
        sample=str(vendor.get("sample_name") or vendor.get("sample_id") or "") if run == "sample" else "",
        measured_at=stamp,
        operator=str(vendor.get("operator") or ""),
        instrument=" ".join(str(vendor[k]) for k in ("instrument_model", "instrument") if vendor.get(k)),
        metadata=json.loads(json.dumps(meta, default=str)),
        warnings=warnings,
        completeness="declared",
        where=where,
    )


def _read(source: Source) -> list[Reading]:
    library = _library(source)
    check_zip(source)
    try:
        with library.File(
            source.data, name=source.name if ".ngb" in source.name.lower() else "measurement.ngb-ss3"
        ) as file:
            info = file.info() if callable(file.info) else file.info
            vendor = file.vendor() if callable(file.vendor) else file.vendor
            matrices = [np.asarray(file.read_trace(int(t["index"]))) for t in info["traces"]]
    except library.OpenReadoutError as exc:
        raise source.fail(
            f"cannot be decoded as a NETZSCH measurement ({exc}). Export it from Proteus again."
        ) from None
    runs = list(zip(info["traces"], matrices, strict=True))
    if not runs:
        raise source.fail("is a NETZSCH Proteus file without a measurement (an analysis or state file).")
    readings = [_run(source, trace, matrix, vendor or {}, k) for k, (trace, matrix) in enumerate(runs)]
    if len(readings) > 1:
        note = "the file also holds a correction run, which is not subtracted"
        readings[0] = replace(readings[0], warnings=[*readings[0].warnings, note])
        return readings
    return [replace(readings[0], where="")]


READER = Reader(
    "netzsch_ngb",
    "NETZSCH Proteus binary measurement",
    (".ngb-ss3", ".ngb-ds3", ".ngb-bs3", ".ngb-sd7", ".ngb-bd7", ".ngb-dla", ".ngb-cla"),
    _sniff,
    _read,
    ("TG",),
    needs="instruments",
)
