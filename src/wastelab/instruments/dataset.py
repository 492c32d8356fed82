"""A `Reading` as an `xarray.Dataset` with named dimensions, units, and everything the vendor wrote."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from .base import Reading


def to_dataset(reading: Reading) -> xr.Dataset:
    """See `Reading.to_dataset`."""
    coords: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, var in reading.variables.items():
        attrs = {"units": var.units} | ({"long_name": var.long_name} if var.long_name else {})
        target = coords if var.dims == (name,) else data
        target[name] = (var.dims, var.data, attrs)
    if reading.values:
        values = list(reading.values)
        nan = float("nan")
        coords["analyte"] = (
            "analyte",
            np.array([v.quantity for v in values], dtype=object).astype(str),
            {"units": "1"},
        )

        def column(items: list[float | None], long_name: str) -> Any:
            numbers = np.array([nan if x is None else x for x in items], dtype=float)
            return ("analyte", numbers, {"units": "as in variable 'unit'", "long_name": long_name})

        data["value"] = column([v.value for v in values], "measured value; nan where not detected")
        data["value"][2]["ancillary_variables"] = "standard_error detection_minimum flag"
        data["standard_error"] = column([v.sigma for v in values], "standard uncertainty, coverage factor 1")
        data["detection_minimum"] = column([v.lod for v in values], "detection limit")
        data["unit"] = ("analyte", np.array([v.unit for v in values], dtype=object).astype(str), {"units": "1"})
        data["flag"] = ("analyte", np.array([v.flag for v in values], dtype=object).astype(str), {"units": "1"})
    attrs = {
        "technique": reading.technique,
        "sample": reading.sample,
        "measured_at": reading.measured_at,
        "operator": reading.operator,
        "instrument": reading.instrument,
        "method": reading.method,
        "completeness": reading.completeness,
        "warnings": "; ".join(reading.warnings),
        "where": reading.where,
        "file": reading.file,
        "sha256": reading.sha256,
        "reader": f"{reading.reader} {reading.reader_version}".strip(),
        "metadata": json.dumps(dict(reading.metadata), ensure_ascii=False, default=str),
    }
    if reading.fields:
        attrs["fields"] = json.dumps(dict(reading.fields), ensure_ascii=False)
    return xr.Dataset(data, coords, attrs)
