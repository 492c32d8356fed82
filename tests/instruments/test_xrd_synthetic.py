"""Synthetic diffraction files, written from the documented layouts: every variant, and every fault named clearly."""

from __future__ import annotations

import numpy as np
import pytest
from xrd_samples import SAMPLES, brml_members, columns, counts, ras, rasx_members, raw3, raw4, uxd, xrdml, zipped

from wastelab.errors import InstrumentError, UnknownFormatError
from wastelab.instruments import read_bytes


def one(data: bytes, name: str):
    found = read_bytes(data, name)
    assert len(found) == 1
    return found[0]


def fails(data: bytes, name: str, *words: str) -> str:
    with pytest.raises(InstrumentError) as caught:
        read_bytes(data, name)
    text = str(caught.value)
    assert text.startswith(name)
    for word in words:
        assert word in text, text
    return text


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_sample_gives_its_counts(name):
    several = {"three.xrdml": 3, "three.raw": 3, "rows.uxd": 2, "angles.uxd": 2}
    scans = several.get(name, 2 if "two" in name else 1)
    found = read_bytes(SAMPLES[name], name)
    assert len(found) == scans
    text = name.endswith((".uxd", ".xy", ".xye", ".csv", ".txt"))
    for reading in found:
        values = reading.variables.get("counts", reading.variables["intensity"]).data
        assert values.shape == (12,)
        assert values[6] > 900
        assert reading.completeness == ("unverified" if text else "declared")
        assert reading.variables["two_theta"].units == "degree"
        assert np.all(np.diff(reading.variables["two_theta"].data) > 0)


@pytest.mark.parametrize(
    "name", [n for n in sorted(SAMPLES) if n.endswith((".xrdml", ".brml", ".raw", ".uxd", ".ras", ".rasx"))]
)
def test_header_of_every_format(name):
    reading = read_bytes(SAMPLES[name], name)[0]
    assert reading.operator == "Li Wei"
    assert reading.sample in ("RM-01", "赤泥 RM-01")
    assert reading.measured_at.startswith("2026-03-02T14:05:00")
    assert reading.metadata["anode"] == "Cu"
    assert reading.metadata["kV"] in (40.0, 45.0)
    assert reading.metadata["wavelength"]["K_alpha1"] == pytest.approx(1.5406, abs=1e-5)
    assert reading.metadata["wavelength"]["units"] == "angstrom"


class TestXrdml:
    def test_schema_1_intensities_are_not_multiplied_again(self):
        values = [v * 10 for v in counts()]
        found = one(xrdml([values], attenuation=[10.0] * 12), "a.xrdml").variables
        assert list(found["intensity"].data) == values
        assert "counts" not in found
        assert found["attenuation"].data[0] == 10.0

    def test_schema_2_counts_are_kept_beside_the_intensity(self):
        reading = one(SAMPLES["counts.xrdml"], "a.xrdml")
        assert list(reading.variables["counts"].data) == counts()
        np.testing.assert_array_equal(reading.variables["intensity"].data[6:], np.array(counts()[6:]) * 188.0)
        assert reading.variables["count_time"].units == "s"
        assert "counts" in reading.metadata["intensity_is"]

    def test_listed_positions(self):
        places = [10 + k**1.1 for k in range(12)]
        np.testing.assert_allclose(one(xrdml(positions=places), "a.xrdml").variables["two_theta"].data, places)

    def test_a_rocking_curve_has_its_own_axis(self):
        found = one(xrdml(axis="Omega"), "a.xrdml").variables
        assert next(iter(found)) == "omega"
        assert found["two_theta"].dims == ("omega",)

    def test_aborted_scan_is_partial(self):
        reading = one(xrdml(status="Aborted"), "a.xrdml")
        assert reading.completeness == "partial"
        assert any("Aborted" in w for w in reading.warnings)

    @pytest.mark.parametrize("value", ["nan", "inf", "1e999", "12_0", "x", "١٢"])
    def test_values_that_are_no_numbers(self, value):
        fails(xrdml([[1, 2, value]]), "a.xrdml", "value 3")

    def test_lengths_that_differ(self):
        fails(xrdml(times=[0.5] * 11), "a.xrdml", "count_time has 11 values", "12")
        fails(xrdml(positions=[10.0, 11.0]), "a.xrdml", "two_theta has 2 values")

    def test_entities_are_refused(self):
        bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + xrdml().split(b"?>", 1)[1]
        fails(bomb, "a.xrdml", "refused")

    def test_deep_nesting_is_refused(self):
        deep = (
            xrdml()
            .replace(b"<comment>", b"<comment>" + b"<e>" * 5000)
            .replace(b"</comment>", b"</e>" * 5000 + b"</comment>")
        )
        fails(deep, "a.xrdml", "nested deeper")

    def test_attenuation_of_another_length(self):
        fails(xrdml(tag="counts", attenuation=[2.0] * 11), "a.xrdml", "beamAttenuationFactors", "11 values")


class TestBrml:
    def test_a_scan_stopped_early_is_partial(self):
        reading = one(zipped(brml_members(planned=500)), "a.brml")
        assert reading.completeness == "partial"
        assert any("12 of 500" in w for w in reading.warnings)

    def test_absorber_factor_is_not_applied(self):
        found = one(zipped(brml_members(factor=8.3)), "a.brml")
        assert list(found.variables["intensity"].data) == counts()
        assert found.variables["attenuation"].data[0] == 8.3
        assert any("does not say" in w for w in found.warnings)

    def test_area_recordings_are_refused(self):
        fails(zipped(brml_members(channels=192)), "a.brml", "192 channels", "export .xy")

    def test_missing_members_and_points(self):
        members = brml_members([counts(12, 1), counts(12, 2)])
        del members["Experiment0/RawData1.xml"]
        fails(zipped(members), "a.brml", "RawData1.xml", "not in the archive")
        fails(zipped(brml_members(measured=13)), "a.brml", "13 steps are declared, 12 are there")


class TestBrukerRaw:
    def test_measured_angles_replace_the_nominal_ones(self):
        np.testing.assert_allclose(
            one(raw3(measured=True), "a.raw").variables["two_theta"].data, 10 + 0.021 * np.arange(12), rtol=1e-12
        )

    def test_aborted_measurement_is_partial(self):
        reading = one(raw3(status=3), "a.raw")
        assert reading.completeness == "partial"
        assert any("aborted" in w for w in reading.warnings)

    def test_other_scan_types_are_refused_by_code(self):
        fails(raw3(code=5), "a.raw", "code 5", "range 1")

    def test_rocking_curve_of_version_4_has_its_own_axis(self):
        assert next(iter(one(raw4(kind=b"Rocking Curve", drive=b"Theta"), "a.raw").variables)) == "theta"

    def test_unknown_scan_type_keeps_the_numbers_and_says_so(self):
        reading = one(raw4(kind=b"Something", drive=b"Z-Drive"), "a.raw")
        assert next(iter(reading.variables)) == "z_drive"
        assert any("Something" in w for w in reading.warnings)

    def test_fractional_values_have_no_unit(self):
        reading = one(raw4([[1.5, 2.5, 3.25]]), "a.raw")
        assert reading.variables["intensity"].units == "1"
        assert reading.variables["intensity"].data.dtype == np.float32
        assert one(raw4(), "a.raw").variables["intensity"].units == "counts"

    def test_time_of_version_4_is_not_called_seconds(self):
        metadata = one(raw4(), "a.raw").metadata
        assert metadata["time_per_step_as_written"] == 96.0
        assert "count_time" not in metadata

    @pytest.mark.parametrize("at", [12, 716])
    def test_huge_counts_are_refused_without_memory(self, at):
        import tracemalloc

        data = bytearray(raw3())
        data[at : at + 4] = b"\xff\xff\xff\x7f"
        tracemalloc.start()
        fails(bytes(data), "a.raw", "declared")
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()

    def test_not_finite(self):
        fails(raw3([[1.0, float("nan"), 3.0]]), "a.raw", "point 2", "not finite")
        fails(raw4([[1.0, float("inf"), 3.0]]), "a.raw", "point 2", "not finite")

    def test_trailing_bytes_are_said(self):
        reading = one(raw3() + b"\0" * 8, "a.raw")
        assert reading.completeness == "unverified"
        assert any("8 bytes follow" in w for w in reading.warnings)

    @pytest.mark.parametrize(("magic", "version"), [(b"RAW ", "1"), (b"RAW2", "2")])
    def test_old_versions_are_refused_with_advice(self, magic, version):
        with pytest.raises(UnknownFormatError, match=rf"version {version}.*\.uxd"):
            read_bytes(magic + bytes(400), "old.raw")


class TestUxd:
    def test_cps_block(self):
        reading = read_bytes(uxd(block="_CPS"), "a.uxd")[1]
        assert reading.variables["intensity"].units == "counts/s"
        np.testing.assert_allclose(reading.variables["two_theta"].data, 12 + 0.02 * np.arange(12))
        assert reading.metadata["count_time"] == 0.5

    def test_count_that_does_not_agree(self):
        reading = read_bytes(uxd().replace(b"_STEPCOUNT=12", b"_STEPCOUNT=40"), "a.uxd")[0]
        assert reading.completeness == "partial"
        assert any("_STEPCOUNT is 40" in w for w in reading.warnings)

    def test_header_without_data(self):
        fails(uxd() + b"_DRIVE='COUPLED'\n_START=50\n", "a.uxd", "range 3", "no data")


class TestRigaku:
    @pytest.mark.parametrize(
        ("encoding", "comment"), [("cp932", "赤泥の測定"), ("gb18030", "赤泥样品，拜耳法"), ("utf-8", "赤泥样品")]
    )
    def test_encodings(self, encoding, comment):
        assert read_bytes(ras(encoding=encoding, comment=comment), "a.ras")[0].metadata["FILE_COMMENT"] == comment

    def test_attenuator_is_not_multiplied_in(self):
        reading = read_bytes(ras(factor=100.0, unit="cps"), "a.ras")[0]
        assert list(reading.variables["intensity"].data) == [float(v) for v in counts(12, 0)]
        assert reading.variables["intensity"].units == "counts/s"
        assert any("other than 1" in w for w in reading.warnings)

    def test_two_scans_stay_apart(self):
        first, second = read_bytes(ras(), "a.ras")
        assert (first.where, second.where) == ("scan 1", "scan 2")
        assert first.variables["two_theta"].data[0] == 10.0
        assert second.variables["two_theta"].data[0] == 12.0

    def test_declared_count(self):
        fails(ras().replace(b'"12.0000000000"', b'"13.0000000000"'), "a.ras", "13 points are declared, 12 are there")
        fails(zipped(rasx_members(declared=13)), "a.rasx", "13 points are declared")

    def test_missing_members(self):
        members = rasx_members()
        del members["Data1/Profile0.txt"]
        fails(zipped(members), "a.rasx", "Data1/Profile0.txt", "not in the archive")


class TestColumns:
    @pytest.mark.parametrize(
        ("separator", "decimal", "head", "name"),
        [
            (" ", ".", "", "a.xy"),
            ("   ", ",", "", "a.xy"),
            ("\t", ",", "2θ\tIntensity\n", "a.txt"),
            (";", ",", "2Theta;Intensity (counts)\n", "a.csv"),
            (",", ".", "Angle,Intensity\n", "a.csv"),
            (", ", ".", "# 2-theta, counts\n", "a.csv"),
            (
                ",",
                ".",
                "[Measurement conditions]\nSample identification,RM-01\n[Scan points]\nAngle,Intensity\n",
                "a.csv",
            ),
        ],
    )
    def test_separators_and_decimal_marks(self, separator, decimal, head, name):
        found = one(columns(separator, decimal=decimal, head=head), name)
        np.testing.assert_allclose(found.variables["two_theta"].data, 10 + 0.02 * np.arange(12), atol=1e-9)
        np.testing.assert_allclose(found.variables["intensity"].data, np.array(counts()) + 0.5)

    @pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "utf-8-sig", "latin-1"])
    def test_encodings_of_the_heading(self, encoding):
        heading = "2Theta [°]\tCounts\n" if encoding == "latin-1" else "衍射角2θ\t强度\n"
        data = columns("\t", head=heading).decode().encode(encoding)
        assert one(data, "a.txt").reader == "xrd_columns"

    def test_standard_error(self):
        found = one(SAMPLES["sigma.xye"], "a.xye").variables["intensity_standard_error"]
        np.testing.assert_allclose(found.data, np.sqrt(counts()), atol=1e-3)

    def test_four_named_columns(self):
        head = "Angle,TimePerStep,Intensity,ESD\n"
        rows = "".join(f"{10 + 0.1 * k:.1f},0.5,{v},{v**0.5:.3f}\n" for k, v in enumerate(counts()))
        found = one((head + rows).encode(), "a.csv").variables
        assert list(found["intensity"].data) == counts()
        assert found["count_time"].units == "s"
        assert found["intensity_standard_error"].data[6] == pytest.approx(counts()[6] ** 0.5, abs=1e-3)

    def test_counts_stay_whole_numbers(self):
        assert one(b"2Theta Counts\n10.0 7\n10.1 8\n10.2 9\n", "a.txt").variables["intensity"].data.dtype == np.int32

    def test_last_line_without_end_is_partial(self):
        reading = one(columns()[:-1], "a.xy")
        assert reading.completeness == "partial"
        assert reading.warnings

    def test_a_bad_line_is_named(self):
        fails(columns().replace(b"10.100", b"10.1o0"), "a.xy", "line 6", "10.1o0")

    def test_a_folded_axis_is_kept_and_said(self):
        reading = one(b"10 5\n11 6\n10.5 7\n12 8\n", "a.xy")
        assert any("does not run one way: see points 2 and 3" in w for w in reading.warnings)

    def test_mixed_decimal_marks(self):
        fails(b"2Theta;Int\n" + b"".join(b"%d,5;3,5\n" % k for k in range(60)) + b"60.5;3.5\n", "a.xy", "mixes")

    @pytest.mark.parametrize(
        "data",
        [
            b"Time,Temperature\n0,20\n1,21\n2,22\n",
            b"wavenumber cm-1,absorbance 2Theta\n400,0.1\n401,0.2\n",
            b"10 5\n11 6\n12 7\n",
            b"oxide,wt%\nSiO2,12\nCaO,60\n",
        ],
    )
    def test_columns_without_a_sign_of_diffraction_are_left_alone(self, data):
        from wastelab.instruments.base import Source
        from wastelab.instruments.readers.xrd_columns import sniff

        assert sniff(Source(data, "a.csv")) == 0


def test_zip_bombs_are_refused():
    members = brml_members()
    members["Experiment0/RawData0.xml"] = b"<RawData>" + b" " * (32 * 2**20) + b"</RawData>"
    fails(zipped(members), "a.brml", "more than is allowed")


def test_structure_file_cut_anywhere_is_never_a_measurement():
    data = b"data_x\n_cell_length_a 5.4\nloop_\n_atom_site_label\n_atom_site_fract_x\nCa 0.5\n"
    with pytest.raises(UnknownFormatError, match="not a measurement"):
        read_bytes(data, "x.cif")
    with pytest.raises(UnknownFormatError, match="powder CIF"):
        read_bytes(b"data_p\n_cell_length_a 5\nloop_\n_pd_meas_2theta_scan\n_pd_meas_counts_total\n10 5\n", "x.cif")
