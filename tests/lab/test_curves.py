"""Curves: the same numbers in the same width out of either form, the same bytes for the same content."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from _synthetic import pattern
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wastelab.errors import IntegrityError
from wastelab.instruments.base import Variable
from wastelab.instruments.container import pack_arrays
from wastelab.lab.curves import decode, to_hdf5

ENCODERS = {"files": to_hdf5, "blob": lambda variables, attrs: pack_arrays(variables, attrs)}
ATTRS = {"technique": "XRD", "sample": "赤泥 RM-1", "empty": ""}


def thermal() -> dict[str, Variable]:
    """Two axes of their own, a grid on both, and a dimension without coordinate."""
    return {
        "time": Variable(("time",), np.linspace(0, 10, 30), "s"),
        "channel": Variable(("channel",), np.arange(3, dtype=np.int16), "1"),
        "temperature": Variable(("time",), np.linspace(20, 1000, 30, dtype=np.float32), "degC", "sample temperature"),
        "flow": Variable(("time", "channel"), np.arange(90, dtype=np.int32).reshape(30, 3), "mL/min"),
        "trace": Variable(("point",), np.array([1.0, np.nan, -np.inf]), "mW"),
    }


@pytest.mark.parametrize("form", ENCODERS)
@pytest.mark.parametrize("variables", [pattern(3), thermal()], ids=["pattern", "thermal"])
def test_round_trip(form: str, variables: dict[str, Variable]) -> None:
    data = ENCODERS[form](variables, ATTRS)
    assert data == ENCODERS[form](variables, ATTRS)
    found, attrs = decode(data)
    assert attrs == ATTRS and set(found) == set(variables)
    for name, var in variables.items():
        got = found[name]
        assert (got.dims, got.units, got.long_name) == (var.dims, var.units, var.long_name)
        assert got.data.dtype == var.data.dtype and got.data.shape == var.data.shape
        np.testing.assert_array_equal(got.data, var.data)


@given(
    hnp.arrays(st.sampled_from([np.int8, np.uint16, np.int32, np.int64, np.float32, np.float64]), st.integers(1, 60))
)
@settings(max_examples=40, deadline=None)
def test_any_numbers_survive(data: np.ndarray) -> None:
    for encode in ENCODERS.values():
        found, _ = decode(encode({"y": Variable(("x",), data, "1")}, {}))
        assert found["y"].data.dtype == data.dtype and found["y"].data.tobytes() == data.tobytes()


@pytest.mark.parametrize("form", ENCODERS)
def test_damage_is_an_error(form: str) -> None:
    data = ENCODERS[form](pattern(1, 2000), ATTRS)
    for cut in (0, 3, 8, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(IntegrityError):
            decode(data[:cut])


@pytest.mark.parametrize("form", ENCODERS)
def test_text_is_refused(form: str) -> None:
    with pytest.raises(TypeError, match="not numbers"):
        ENCODERS[form]({"y": Variable(("x",), np.array(["a", "b"]), "1")}, {})


def test_xarray_opens_the_files(tmp_path: Path) -> None:
    xr = pytest.importorskip("xarray")
    data = to_hdf5(thermal(), ATTRS)
    (tmp_path / "a.h5").write_bytes(data)
    with xr.open_dataset(BytesIO(data), engine="h5netcdf") as ds:
        assert ds.attrs["sample"] == ATTRS["sample"] and ds["temperature"].attrs["units"] == "degC"
        np.testing.assert_array_equal(ds["flow"], thermal()["flow"].data)
        assert ds["flow"].dims == ("time", "channel") and ds["trace"].dims == ("point",)
