"""XRF exports of PANalytical, Bruker and Rigaku: the figures of the real files and the traps found in them."""

from __future__ import annotations

import csv
import io

import pytest
from table_samples import (
    PANALYTICAL_ONE,
    PANALYTICAL_TABLE,
    RIGAKU,
    S8,
    numbers,
    real,
    rewritten,
    values,
    workbook,
)

from wastelab.errors import InstrumentError
from wastelab.instruments import read_all, read_bytes


def test_omnian_normalised_from_a_fifth_of_the_sample() -> None:
    (found,) = read_all(real("xrf_panalytical_csv/axios_superq_03.csv"))
    assert (found.reader, found.technique, found.sample) == ("xrf_panalytical", "XRF", "padrão_IPT44")
    assert len(found.values) == 12
    assert numbers(found)["Ca"] == 94.89 and numbers(found)["Si"] == 1.61  # decimal comma
    assert found.metadata["measured_sum"] == 21.3 and found.metadata["normalised_to"] == 100.0
    assert any("normalised to 100 % from a measured sum of 21.3 %" in w for w in found.warnings)
    assert any("add up to 101.43 %" in w for w in found.warnings)
    assert found.measured_at == ""  # the file states only when it was printed
    assert found.completeness == "unverified"


def test_omnian_table_that_promises_more_than_it_holds() -> None:
    (found,) = read_all(real("xrf_panalytical_csv/axios_multi_01.csv"))
    got = numbers(found)
    assert (got["Fe2O3"], got["SiO2"], got["H2O"], got["oxide_sum"]) == (96.803, 0.496, 1.0, 100.0)
    assert not {"Au", "Cl", "MgO", "PtO2", "ZrO2"} & set(got)  # empty: not reported, not zero
    assert found.completeness == "partial"
    assert any("promises 4 results, the file has 1" in w for w in found.warnings)


def test_panalytical_figures_equal_a_naive_reading() -> None:
    file = real("xrf_panalytical_csv/axios_superq_03.csv")
    (found,) = read_all(file)
    rows = [r for r in csv.reader(io.StringIO(file.read_text(encoding="utf-8"))) if len(r) == 3 and r[0].isdigit()]
    assert {r[1]: float(r[2].replace(",", ".")) for r in rows} == numbers(found)


def test_panalytical_table_with_ppm_and_a_sample_twice() -> None:
    first, second = read_bytes(PANALYTICAL_TABLE, "t.csv")
    assert first.completeness == "declared"
    assert [r.fields["replicate"] for r in (first, second)] == ["1", "2"]
    assert numbers(first)["Pb"] == 0.012 and values(first)["Pb"].text == "120 ppm"
    assert "Pb" not in numbers(second)


def test_panalytical_complete_count_but_missing_line_is_refused() -> None:
    data = PANALYTICAL_ONE.replace(b'2,Al2O3,"20,10"\n', b"")
    with pytest.raises(InstrumentError, match="a line is missing"):
        read_bytes(data, "t.csv")


def test_panalytical_mixed_decimal_marks_are_refused() -> None:
    with pytest.raises(InstrumentError, match="mixed"):
        read_bytes(PANALYTICAL_ONE.replace(b'"61,20"', b"61.20"), "t.csv")


def test_bruker_s8_every_trap() -> None:
    (found,) = read_all(real("xrf_bruker_s8tiger/DU-0001.csv"))
    got = values(found)
    assert len(found.values) == 14
    silica = got["SiO2"]
    assert (silica.value, silica.unit, silica.lod, silica.text) == (28.8, "wt%", 0.02119, "28.8 % -")
    assert silica.sigma == pytest.approx(28.8 * 0.0073, abs=1e-12)  # relative per cent to absolute
    terbium = got["Tb4O7"]  # reported as 231 PPM, below its LLD of 296.7 PPM
    assert (terbium.value, terbium.lod, terbium.flag) == (None, 0.02967, "below_detection")
    assert "231 PPM" in terbium.text
    undetected = {q: v for q, v in got.items() if "Not detected" in v.text}
    assert set(undetected) == {"Na2O", "Cl", "K2O", "SrO", "Sb2O3"}
    assert all(v.value is None and v.sigma is None and v.flag == "below_detection" for v in undetected.values())
    assert got["Na2O"].lod == 0.04664  # 466.4 ppm, not a zero
    assert any("more than the whole sample" in w for w in found.warnings)
    assert found.sample == ""


def test_bruker_s8_unit_per_cell() -> None:
    (found,) = read_bytes(S8, "t.csv")
    got = values(found)
    assert got["ZnO"].value == 0.015 and got["ZnO"].lod == 0.002
    assert got["ZnO"].sigma == pytest.approx(0.0012)
    assert got["PbO"].value is None and got["PbO"].lod == 0.0025


def test_bruker_s8_workbook_gives_the_error_as_a_fraction() -> None:
    rows = list(csv.reader(io.StringIO(S8.decode())))
    table = [[float(c[:-1]) / 100 if i and j == 7 and c else c for j, c in enumerate(r)] for i, r in enumerate(rows)]
    (text,), (book,) = read_bytes(S8, "t.csv"), read_bytes(workbook({"Results": table}), "t.xlsx")
    assert book.reader == "xrf_bruker_s8"
    for a, b in zip(text.values, book.values, strict=True):
        assert (a.quantity, a.value, a.lod, a.flag) == (b.quantity, b.value, b.lod, b.flag)
        assert a.sigma == pytest.approx(b.sigma) if a.sigma is not None else b.sigma is None


@pytest.mark.parametrize("cell", ["-28.8 %", "28,8 %", "2e2 %", "28.8", "abc"])
def test_bruker_s8_sign_exponent_and_comma_do_not_vanish(cell: str) -> None:
    data = S8.replace(b"30.2 % -", f'"{cell}"'.encode())
    if cell in ("-28.8 %", "2e2 %"):
        (found,) = read_bytes(data, "t.csv")
        value = values(found)["SiO2"]
        assert value.value == (200.0 if cell == "2e2 %" else None)  # a negative content is below its detection limit
        return
    with pytest.raises(InstrumentError, match="SiO2"):
        read_bytes(data, "t.csv")


def test_rigaku_two_results_of_one_name() -> None:
    first, second = read_all(real("xrf_rigaku_txt/XRF_UIBK_TwoElements.txt"))
    assert values(first)["Cu"].value == 78.470 and values(second)["Cu"].value == 78.501
    assert values(first)["Cu"].unit == "at%" and values(first)["Si"].unit == "wt%"
    assert (values(first)["film_thickness"].value, values(first)["film_thickness"].unit) == (763.0, "nm")
    assert first.sample == second.sample == "TiCu_8"
    assert [r.fields["replicate"] for r in (first, second)] == ["1", "2"]
    assert [r.measured_at for r in (first, second)] == ["2022-03-30T10:19:00", "2022-03-30T10:26:00"]
    assert [r.where for r in (first, second)] == ["result 1", "result 2"]


def test_rigaku_missing_column_is_refused() -> None:
    assert numbers(read_bytes(RIGAKU, "t.txt")[0]) == {"SiO2": 21.5, "CaO": 64.2}
    with pytest.raises(InstrumentError, match="columns are missing"):
        read_bytes(RIGAKU.replace(b"64.20", b"     "), "t.txt")


def test_a_vendor_workbook_with_a_spreadsheet_error_is_refused() -> None:
    rows = list(csv.reader(io.StringIO(S8.decode())))
    data = workbook({"Results": rows})
    broken = rewritten(data, "xl/worksheets/sheet1.xml", lambda x: x.replace(
        b'<c r="B3" t="inlineStr"><is><t>150 PPM</t></is></c>', b'<c r="B3" t="e"><v>#REF!</v></c>'))  # fmt: skip
    assert broken != data
    with pytest.raises(InstrumentError, match=r"#REF!"):
        read_bytes(broken, "t.xlsx", format="xrf_bruker_s8")
