"""Real diffraction files against published readings, a second reader, and the vendor's own text conversion.

Reference: the figures stated with the files; openreadout (another implementation) point by point; BT86.raw and
BT86_.UXD are the same measurement, converted by the vendor's program.
"""

from __future__ import annotations

import numpy as np
import pytest
from xrd_samples import real

from wastelab.errors import UnknownFormatError
from wastelab.instruments import read, read_all

#: File, scan, points, first and last axis value, first intensities, sum of the intensity.
FIGURES = [
    ("xrd_panalytical_xrdml/210520step1_30min.xrdml", 0, 4489, (5.00835563, 80.0085308), [1719, 1766, 1688], 3375875),
    (
        "xrd_panalytical_xrdml/10_m84325_C_XRR_fast_processed.xrdml",
        0,
        399,
        (0.21, 4.19),
        [97350, 104429, 110720],
        10654243,
    ),
    ("xrd_bruker_brml/23-012-AG_2thomegascan_long.brml", 0, 2001, (44.0, 48.0), [3, 1, 1], 13287743.1),
    ("xrd_bruker_raw/BT86.raw", 0, 2374, (3.0, 40.0002906), [187], 918372),
    ("xrd_bruker_uxd/BT86_.UXD", 0, 2374, (3.0, 40.0), [187], 918372),
    ("xrd_bruker_raw/format1.raw", 0, 101, (10.0, 20.0), [10, 1, 3], 873),
    ("xrd_bruker_raw/format1.raw", 1, 26, (30.0, 35.0), [6, 4, 5], 169),
    ("xrd_bruker_raw/format1.raw", 2, 51, (40.0, 45.0), [4, 5, 3], 390),
    ("xrd_bruker_raw/TiO2.raw", 0, 1647, (10.0, 70.041142), [557], 565823),
    ("xrd_bruker_raw/TwoTheta_scan_scrambled.raw", 0, 7134, (10.0, 85.0412992), [283.769, -164.534], 2107237.938),
    ("xrd_rigaku_rasx/TwoTheta_scan_powder.rasx", 0, 2726, (10.0, 119.0), [170.55354309082], 149926.853359),
    ("xrd_rigaku_rasx/Omega-2Theta_scan_high_temperature.rasx", 0, 1042, (44.0, 48.9968), [2.164240837], 21844.9962359),
    ("xrd_rigaku_ras/inas_layer_radial_002_004.ras", 0, 1501, (26.5, 32.5), [51.4986], 828530065.0941),
    ("xrd_rigaku_ras/inas_layer_radial_002_004.ras", 1, 2501, (56.0, 66.0), [23.9509], 1889010129.5882),
    ("xrd_xy/D8_LynxEye_glass_background.xy", 0, 6206, (4.0, 80.017167), [965], 6017385),
    ("xrd_xy/example_evadiffract.xy", 0, 28, (5.0001, 5.2743), [4.852], 133.477),
    ("xrd_xy/example_ocx.xy", 0, 1876, (5.0, 80.0), [2.732], 1844.998),
    ("xrd_xye/example_bmb.xye", 0, 575, (0.5, 1.073103125), [662.407183], 169493.376844),
    ("xrd_xye/example_mac.xye", 0, 599, (0.0, 0.598), [11.632], 33321.789),
]
SCANS = {"xrd_bruker_raw/format1.raw": 3, "xrd_rigaku_ras/inas_layer_radial_002_004.ras": 2}


@pytest.mark.parametrize(("path", "scan", "points", "ends", "first", "total"), FIGURES)
def test_published_figures(path, scan, points, ends, first, total):
    found = read_all(real(path))
    assert len(found) == SCANS.get(path, 1)
    reading = found[scan]
    axis = next(iter(reading.variables))
    x, y = reading.variables[axis], reading.variables["intensity"]
    assert reading.technique == "XRD"
    assert (x.dims, x.units, y.dims) == ((axis,), "degree", (axis,))
    assert x.data.dtype == np.float64
    assert y.data.shape == x.data.shape == (points,)
    np.testing.assert_allclose((x.data[0], x.data[-1]), ends, rtol=1e-8)
    np.testing.assert_allclose(y.data[: len(first)], first, rtol=5e-6)
    np.testing.assert_allclose(y.data.sum(dtype=float), total, rtol=1e-9)


@pytest.mark.parametrize(
    "path",
    [
        "xrd_panalytical_xrdml/210520step1_30min.xrdml",
        "xrd_panalytical_xrdml/10_m84325_C_XRR_fast_processed.xrdml",
        "xrd_bruker_brml/23-012-AG_2thomegascan_long.brml",
        "xrd_bruker_raw/BT86.raw",
        "xrd_bruker_raw/format1.raw",
        "xrd_bruker_raw/TiO2.raw",
        "xrd_bruker_raw/TwoTheta_scan_scrambled.raw",
        "xrd_rigaku_ras/inas_layer_radial_002_004.ras",
        "xrd_rigaku_rasx/TwoTheta_scan_powder.rasx",
        "xrd_rigaku_rasx/Omega-2Theta_scan_high_temperature.rasx",
    ],
)
def test_every_point_agrees_with_a_second_reader(path):
    openreadout = pytest.importorskip("openreadout")
    file = real(path)
    other = openreadout.open(str(file))
    found = read_all(file)
    assert len(found) == len(other.traces)
    names = {"counting_time": "count_time", "attenuation_factor": "attenuation", "absorption_factor": "attenuation"}
    for i, (mine, theirs) in enumerate(zip(found, other.traces, strict=True)):
        channels = [c["name"] for c in theirs["channels"]]
        table = dict(zip(channels, np.atleast_2d(other.read_trace(i)), strict=True))
        np.testing.assert_allclose(mine.variables["two_theta"].data, other.trace_axis(i), rtol=0, atol=1e-9)
        for name, values in table.items():
            if name == "record_value_2":
                continue
            np.testing.assert_array_equal(mine.variables[names.get(name, name)].data, values, err_msg=name)


def test_binary_and_text_twins_agree():
    binary, text = read_all(real("xrd_bruker_raw/BT86.raw"))[0], read_all(real("xrd_bruker_uxd/BT86_.UXD"))[0]
    np.testing.assert_array_equal(binary.variables["intensity"].data, text.variables["intensity"].data)
    exact, rounded = binary.variables["two_theta"].data, text.variables["two_theta"].data
    printed = np.where(exact < 9.9995, 0.0005, 0.005)  # the text has four digits
    assert np.all(np.abs(exact - rounded) <= printed + 1e-9)
    for name in ("sample", "operator", "measured_at"):
        assert getattr(binary, name) == getattr(text, name) != ""
    for key in ("anode", "kV", "mA", "count_time", "count_time_unit"):
        assert binary.metadata[key] == text.metadata[key]
    for key in ("K_alpha1", "K_alpha2", "K_beta", "ratio"):
        assert binary.metadata["wavelength"][key] == pytest.approx(text.metadata["wavelength"][key], abs=1e-9)
    assert binary.measured_at == "2010-03-04T20:59:14"
    assert (binary.completeness, text.completeness) == ("declared", "unverified")


def test_counts_are_not_divided_by_the_count_time():
    reading = read_all(real("xrd_panalytical_xrdml/210520step1_30min.xrdml"))[0]
    assert reading.variables["intensity"].units == "counts"
    assert reading.variables["intensity"].data.dtype == np.int32
    assert reading.metadata["count_time"] == 50.165
    assert reading.metadata["count_time_unit"] == "s"
    assert reading.measured_at == "2021-05-20T15:55:51+02:00"
    assert (reading.metadata["anode"], reading.metadata["kV"], reading.metadata["mA"]) == ("Cu", 45.0, 40.0)
    assert reading.metadata["wavelength"]["K_alpha1"] == 1.540598
    assert reading.variables["omega"].data[0] == 2.50417782


def test_attenuated_counts_and_intensity_are_both_kept():
    found = read_all(real("xrd_panalytical_xrdml/10_m84325_C_XRR_fast_processed.xrdml"))[0].variables
    assert found["counts"].data.sum() == 2_587_063
    assert found["counts"].data.dtype == np.int32
    assert found["intensity"].data.sum() == 10_654_243
    np.testing.assert_array_equal(found["counts"].data * found["attenuation"].data, found["intensity"].data)
    assert (int(found["counts"].data.argmax()), int(found["intensity"].data.argmax())) == (11, 33)


def test_bruker_absorber_is_named_from_the_numbers():
    reading = read_all(real("xrd_bruker_brml/23-012-AG_2thomegascan_long.brml"))[0]
    factor, value = reading.variables["attenuation"].data, reading.variables["intensity"].data
    weakened = factor != 1
    assert int(weakened.sum()) == 29
    np.testing.assert_allclose(
        value[weakened] / factor[weakened], np.rint(value[weakened] / factor[weakened]), atol=1e-6
    )
    assert "includes them" in reading.metadata["intensity_is"]
    assert reading.variables["count_time"].units == "s"
    assert reading.sample == "Commander Sample ID"


def test_negative_values_are_kept_with_a_warning():
    reading = read_all(real("xrd_bruker_raw/TwoTheta_scan_scrambled.raw"))[0]
    assert int((reading.variables["intensity"].data < 0).sum()) == 2320
    assert any("2320 of 7134" in w for w in reading.warnings)
    assert reading.variables["intensity"].units == "1"
    assert reading.metadata["record_value_2"].startswith("1 at every point")


def test_japanese_header_is_read():
    reading = read_all(real("xrd_rigaku_ras/inas_layer_radial_002_004.ras"))[0]
    assert reading.metadata["HW_R_OPT_NAME-4"] == "標準アッテネータ|Standard Attenuator"
    assert reading.measured_at == "2015-12-05T22:01:01"
    assert reading.variables["intensity"].units == "counts"


def test_theta_heading_is_not_taken_for_two_theta():
    reading = read_all(real("xrd_xy/example_ocx.xy"))[0]
    assert next(iter(reading.variables)) == "theta"
    assert any("not '2theta'" in w for w in reading.warnings)


def test_standard_errors_and_wavelength_of_a_synchrotron_file():
    reading = read_all(real("xrd_xye/example_bmb.xye"))[0]
    assert reading.variables["intensity_standard_error"].data[0] == 37.744249
    assert reading.metadata["wavelength"]["used"] == 0.414581
    assert reading.sample == "eel69B"
    assert reading.completeness == "unverified"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("xrd_stoe_raw/stoe.raw", ["Stoe", "RAW_1.06", "export", ".xy"]),
        ("cif/cod_9004112.cif", ["crystal structure", "not a measurement"]),
    ],
)
def test_other_files_are_refused_with_advice(path, words):
    with pytest.raises(UnknownFormatError) as caught:
        read_all(real(path))
    for word in words:
        assert word in str(caught.value)


def test_dataset_has_units_everywhere():
    dataset = read(real("xrd_rigaku_rasx/TwoTheta_scan_powder.rasx"))
    assert dataset["intensity"].dims == ("two_theta",)
    assert all(dataset[name].attrs["units"] for name in dataset.variables)
    assert dataset.attrs["technique"] == "XRD"
    assert dataset.attrs["measured_at"] == "2021-05-05T10:35:31Z"


@pytest.mark.parametrize(
    "path",
    [
        "xrf_panalytical_csv/axios_superq_03.csv",
        "xrf_panalytical_csv/axios_multi_01.csv",
        "xrf_bruker_s8tiger/DU-0001.csv",
        "xrf_rigaku_txt/XRF_UIBK_TwoElements.txt",
        "icp_perkinelmer/winlab32.csv",
        "strength_press_txt/Compressive_Strength.txt",
        "psd_malvern_csv/malvern_ms2000_example1.csv",
        "tga_netzsch_txt/netzsch_example_file.txt",
        "tga_netzsch_txt/netzsch_example3.txt",
        "tga_perkinelmer_txt/PerkinElmer_example_file.txt",
        "tga_mettler_txt/MettlerToledo_example_head.txt",
        "tga_ta_txt/TAInstruments_example_head.txt",
        "ftir/FTIRText_020.jdx.txt",
        "ftir/2024-10-10_FeSO4_ref.asp",
        "calorimetry_tamair/gen3_calofile.csv",
        "calorimetry_tamair/gen1_calofile2.csv",
    ],
)
def test_other_techniques_are_left_to_their_readers(path):
    from wastelab.instruments.base import Source
    from wastelab.instruments.read import readers

    source = Source.open(real(path))
    scores = {
        name: r.sniff(source) for name, r in readers().items() if r.sniff.__module__.rpartition(".")[2][:4] == "xrd_"
    }
    assert scores and not any(scores.values()), scores
