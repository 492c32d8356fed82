"""Infrared: real files against naive readings; every JCAMP form gives the same numbers; units as the file says."""

from __future__ import annotations

import numpy as np
import pytest
from thermal_samples import asp, ir_columns, jcamp, real

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes


def test_jcamp_text_equals_a_naive_reading() -> None:
    data, name = real("ftir/FTIRText_020.jdx.txt")
    (got,) = read_bytes(data, name)
    plain = np.loadtxt(data.decode().splitlines()[4:])
    np.testing.assert_array_equal(got.variables["wavenumber"].data, plain[:, 0])
    np.testing.assert_array_equal(got.variables["transmittance"].data, plain[:, 1])
    assert plain[0].tolist() == [399.264912, 81.708257]
    assert got.variables["transmittance"].units == "%"
    assert got.completeness == "partial"  # the last line has no end


def test_asp_equals_a_naive_reading() -> None:
    data, name = real("ftir/2024-10-10_FeSO4_ref.asp")
    (got,) = read_bytes(data, name)
    plain = np.loadtxt(data.decode().splitlines()[6:])
    np.testing.assert_array_equal(got.variables["signal"].data, plain)
    wave = got.variables["wavenumber"].data
    assert (len(wave), round(wave[0], 3), round(wave[-1], 3)) == (1932, 3999.433, 400.689)
    assert got.completeness == "declared"
    assert any("absorbance or transmittance" in w for w in got.warnings)
    with pytest.raises(InstrumentError, match="states 10 points but holds 11"):
        read_bytes(asp() + b"0.5\r\n", "x.asp")


@pytest.mark.parametrize("form", ["affn", "pac", "sqz", "dif"])
def test_every_form_of_ordinates_gives_the_same_numbers(form: str) -> None:
    (got,) = read_bytes(jcamp(form=form), "x.jdx")
    expected = [100, 101, 103, 103, 103, 99, 90, 90, 91, 95, 98, 100]
    np.testing.assert_allclose(got.variables["transmittance"].data, np.array(expected) / 100, rtol=1e-12)
    np.testing.assert_allclose(got.variables["wavenumber"].data, np.arange(400, 424, 2))
    assert got.variables["transmittance"].units == "1"
    assert (got.completeness, got.sample) == ("declared", "SYN-05")


def test_jcamp_refuses_what_does_not_agree() -> None:
    with pytest.raises(InstrumentError, match="check value"):
        read_bytes(jcamp(form="dif").replace(b"\r\n410I9", b"\r\n410I8"), "x.jdx")
    with pytest.raises(InstrumentError, match="abscissa"):
        read_bytes(jcamp().replace(b"\r\n412 ", b"\r\n432 "), "x.jdx")
    with pytest.raises(InstrumentError, match="only spectra over wavenumber"):
        read_bytes(jcamp().replace(b"1/CM", b"MICROMETERS"), "x.jdx")
    with pytest.raises(InstrumentError, match="not measured"):
        read_bytes(jcamp().replace(b" 103 99", b" ? 99"), "x.jdx")
    (short,) = read_bytes(jcamp().replace(b"412 90 90 91 95 98 100\r\n", b""), "x.jdx")
    assert short.completeness == "partial"
    assert any("12 points; 6 are there" in w for w in short.warnings)


@pytest.mark.parametrize(
    ("units", "name", "unit"),
    [("%T", "transmittance", "%"), ("ABSORBANCE", "absorbance", "1"), ("COUNTS", "signal", "1")],
)
def test_ordinate_is_what_the_file_says(units: str, name: str, unit: str) -> None:
    (got,) = read_bytes(jcamp().replace(b"TRANSMITTANCE", units.encode()), "x.jdx")
    assert got.variables[name].units == unit
    assert any("names neither" in w for w in got.warnings) == (name == "signal")


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
def test_chinese_columns(encoding: str) -> None:
    (got,) = read_bytes(ir_columns(encoding), "红外.csv")
    assert got.variables["wavenumber"].data.tolist() == [4000 - 2 * k for k in range(8)]
    assert got.variables["transmittance"].data.tolist() == [95.5 - k for k in range(8)]
    assert got.variables["transmittance"].units == "%"
    assert got.technique == "FTIR"


def test_two_numbers_without_a_heading_are_not_infrared() -> None:
    with pytest.raises(InstrumentError):
        read_bytes(b"wavelength,counts\n400,1\n401,2\n402,3\n", "x.csv", format="ir_columns")
