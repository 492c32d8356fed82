"""Canberra gamma spectrum: figures of an independent reader (xylib), layout and damage."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from thermal_samples import cnf, real

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes


def test_real_spectrum_has_the_figures_of_a_second_reader() -> None:
    data, name = real("gamma_canberra_cnf/background_8.CNF")
    (got,) = read_bytes(data, name)
    counts = got.variables["counts"].data
    assert (counts.dtype, len(counts), int(counts.sum())) == (np.int32, 8192, 17714)
    np.testing.assert_array_equal(counts, np.frombuffer(data[-4 * 8192 :], "<u4"))
    energy = got.variables["energy"].data
    assert (round(energy[0], 4), round(energy[-1], 1)) == (0.4827, 6512.6)
    assert got.metadata["live time [s]"] == pytest.approx(160.84)
    assert got.metadata["real time [s]"] == pytest.approx(161.1)
    assert (got.measured_at, got.completeness, got.technique) == ("2015-11-20T00:05:36", "declared", "radionuclides")
    dataset = got.to_dataset()
    assert dataset["energy"].dims == ("channel",)


def test_synthetic_spectrum() -> None:
    (got,) = read_bytes(cnf(), "x.cnf")
    np.testing.assert_array_equal(got.variables["counts"].data, np.arange(256) % 7)
    np.testing.assert_allclose(got.variables["energy"].data, 0.5 + 2.0 * np.arange(1, 257))
    assert (got.metadata["live time [s]"], got.metadata["real time [s]"]) == (190.0, 200.0)
    assert got.measured_at == "1994-07-07T00:00:00"


def test_what_does_not_agree_is_refused() -> None:
    data = cnf()
    with pytest.raises(InstrumentError, match="states a size"):
        read_bytes(data + b"\0", "x.cnf")
    wrong = bytearray(data)
    struct.pack_into("<I", wrong, 0x800 + 48 + 137, 512)
    with pytest.raises(InstrumentError, match="states 512 channels"):
        read_bytes(bytes(wrong), "x.cnf")
    huge = np.zeros(256, dtype="<u4")
    huge[3] = 2**31
    with pytest.raises(InstrumentError, match="2 147 483 647"):
        read_bytes(cnf(huge), "x.cnf")
