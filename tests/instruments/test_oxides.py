"""Which formulas are oxides that an analysis reports: the table of the vocabulary, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wastelab as wl
from wastelab.chemistry.formulas import OXIDE_OF
from wastelab.errors import UnknownNameError
from wastelab.instruments import read_bytes, vocabulary
from wastelab.instruments.readers._sheet_headings import parse
from wastelab.instruments.sheets import SheetError
from wastelab.reference.tables import OXIDE_COLUMNS

OXIDE = re.compile(r"[A-Z][a-z]?\d*O\d*")

#: What exports of XRF and ICP list, rare earths and platinum metals included.
REPORTED = re.findall(
    r"\S+",
    """
    SiO2 Al2O3 Fe2O3 FeO Fe3O4 CaO MgO Na2O K2O TiO2 Ti2O3 P2O5 SO3 SO4 MnO MnO2 Mn2O3 Mn3O4 Cr2O3 CrO3 V2O5 V2O3 CoO
    Co3O4 NiO CuO Cu2O ZnO Ga2O3 GeO2 As2O3 As2O5 SeO2 Rb2O SrO Y2O3 ZrO2 Nb2O5 MoO3 RuO2 RuO4 Rh2O3 PdO Ag2O CdO
    In2O3 SnO SnO2 Sb2O3 Sb2O5 TeO2 Cs2O BaO La2O3 CeO2 Ce2O3 Pr6O11 Pr2O3 Nd2O3 Sm2O3 Eu2O3 Gd2O3 Tb4O7 Tb2O3 Dy2O3
    Ho2O3 Er2O3 Tm2O3 Yb2O3 Lu2O3 HfO2 Ta2O5 WO3 Re2O7 OsO4 IrO2 PtO2 Au2O3 HgO Tl2O3 Tl2O PbO PbO2 Bi2O3 ThO2 UO2
    U3O8 UO3 Li2O BeO B2O3 Sc2O3 CO2 CO3 NO3 PO4 H2O
    """,
)


@pytest.mark.parametrize("name", REPORTED)
def test_what_analyses_report_is_known(name: str) -> None:
    assert vocabulary.term(name).unit == "wt%" and vocabulary.term(name).name == name
    found = vocabulary.find(name.lower()) if name not in ("CO3", "H2O") else vocabulary.find(name)
    assert found is not None and found.unit == "wt%"


@pytest.mark.parametrize("name", ["Cl", "F", "Br", "I", "S", "Pb", "CaSO4", "CaCO3", "NaCl", "FeS2"])
def test_what_is_no_oxide_is_not_asked_for_its_oxygen(name: str) -> None:
    assert vocabulary.term(name).name == name


def test_every_oxide_of_the_shipped_data_is_known() -> None:
    names = set(OXIDE_OF.values()) | {n for n in vocabulary.names() if OXIDE.fullmatch(n)}
    for name in wl.materials():
        names |= {k for k in wl.material(name).composition if OXIDE.fullmatch(k)}
    names |= {k for k in OXIDE_COLUMNS if OXIDE.fullmatch(k)}
    assert len(names) > 20
    assert {vocabulary.term(n).name for n in names} == names


@pytest.mark.parametrize(
    ("name", "near"),
    [("Fe2O4", "Fe[23]O[34]"), ("SiO9", "SiO2"), ("SiO3", "SiO2"), ("Al2O5", "Al2O3"), ("CaO2", "CaO"), ("K2O3", "K2O"),
     ("metal:Fe2O4", "")],
)  # fmt: skip
def test_an_oxide_that_no_analysis_reports_is_no_quantity(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{near}'" if near else "no quantity"):
        vocabulary.term(name)
    assert vocabulary.find(name) is None and vocabulary.find(name.lower()) is None
    assert parse(f"{name} (wt%)").role == "unknown"


def test_the_message_lists_the_oxides_of_the_element() -> None:
    with pytest.raises(UnknownNameError, match=r"Oxides of Fe: FeO, Fe2O3, Fe3O4; .*oxides\.toml"):
        vocabulary.term("Fe2O4")


def test_a_column_of_an_impossible_oxide_is_refused() -> None:
    text = "sample,SiO2 (wt%),Fe2O4 (wt%),CaO (wt%)\nA,50,40,10\n"
    with pytest.raises(SheetError, match=r"'Fe2O4 \(wt%\)'.*Did you mean 'Fe2O3'"):
        read_bytes(text.encode(), "x.csv")


def test_a_laboratory_may_add_an_oxide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "datasets" / "vocabulary"
    folder.mkdir(parents=True)
    (folder / "oxides.toml").write_text('schema = 1\n[oxides]\nFe = ["Fe2O4"]\n', encoding="utf-8")
    caches = (vocabulary.term, vocabulary.oxides)
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    try:
        for cached in caches:
            cached.cache_clear()
        assert vocabulary.term("Fe2O4").unit == "wt%" and vocabulary.term("Fe2O3").unit == "wt%"
        (folder / "oxides.toml").write_text('schema = 1\n[oxides]\nFe = ["SiO2"]\n', encoding="utf-8")
        vocabulary.oxides.cache_clear()
        with pytest.raises(wl.errors.DatasetError, match=r"oxides\.toml, oxides\.Fe: 'SiO2' is no oxide of Fe"):
            vocabulary.oxides()
    finally:
        monkeypatch.undo()
        for cached in caches:
            cached.cache_clear()
