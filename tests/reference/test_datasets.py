"""Every row of every shipped dataset parses, has a source, and is physically possible; broken ones are refused."""

import pytest

from wastelab.chemistry import molar_mass
from wastelab.errors import DatasetError, UnknownNameError
from wastelab.provenance import Evidence
from wastelab.reference import (
    composition_rows,
    compositions,
    data_dir,
    factor,
    factors,
    material,
    material_from_file,
    materials,
    published_recipes,
    read_rows,
)
from wastelab.reference.tables import OTHER_COLUMNS, OXIDE_COLUMNS


@pytest.mark.parametrize("name", materials())
def test_material_cards(name):
    found = material(name)
    assert found.id == name
    assert found.name and found.name_zh
    assert found.waste_class == name.split("/")[0]
    for key in found.components():
        if key == "mass":
            continue
        source = found.source(key)
        assert source is not None and source.text and source.licence
    assert 85.0 <= found.composition.closure().total <= 105.0
    q = found.quantities
    if "carbonate_CO2" in q and "LOI" in found.composition:
        assert q["carbonate_CO2"].value <= found.composition["LOI"] + 1e-9 or found.waste_class in (
            "fly_ash",
            "smelting_slag",
        )
    if "density" in q:
        assert 2.0 <= q["density"].value <= 4.5
    for nuclide in ("Ra226", "Th232", "K40"):
        if nuclide in q:
            assert 0 <= q[nuclide].value <= 2000
    if found.kind == "typical":
        assert found.evidence == Evidence.MEMORY
        assert "memory" in found.note


def test_every_waste_class_has_a_material():
    for cls in ("coal_gangue", "fly_ash", "fgd_gypsum", "smelting_slag", "tailings", "red_mud", "raw"):
        assert materials(cls)
    with pytest.raises(UnknownNameError, match="fly_ash"):
        materials("flyash")


def test_literature_rows():
    rows = composition_rows()
    assert len(rows) > 60
    for row in rows:
        assert row.source.text and row.source.licence
        oxides = [row.number(c) for c in OXIDE_COLUMNS if c != "free_CaO"]
        assert all(x is None or -5 <= x <= 100 for x in oxides)
        total = sum(x for x in oxides if x is not None)
        partial = "main components only" in row.values["note"]
        assert total == 0 or partial or 70 <= total <= 106  # gypsum without its water sums to about 80
        for column in OTHER_COLUMNS:
            value = row.number(column)
            assert value is None or value >= 0
        assert row.values["use"] == "ok" or row.values["use"].startswith("negative: ")
    assert len(compositions()) < len(compositions(usable_only=False))


def test_factors():
    table = factors()
    assert len(table) > 180
    assert (table["low"].isna() | (table["low"] <= table["value"])).all()
    assert (table["high"].isna() | (table["value"] <= table["high"])).all()
    assert set(table["evidence"]) <= {str(e) for e in Evidence}
    for name in table.index:
        assert factor(name).source.text
    with pytest.raises(UnknownNameError, match="fuel"):
        factors("fuels")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("F001", molar_mass("CO2") / molar_mass("CaCO3")),
        ("F002", molar_mass("CO2") / molar_mass("MgCO3")),
        ("F003", 2 * molar_mass("CO2") / molar_mass("CaMg(CO3)2")),
        ("F004", molar_mass("CO2") / molar_mass("CaO")),
        ("F011", 2 * molar_mass("H2O") / molar_mass("Al2Si2O5(OH)4")),
        ("F014", 100 * molar_mass("SO3") / molar_mass("CaSO4.2H2O")),
        ("F020", molar_mass("Na2O") / molar_mass("K2O")),
        ("F151", molar_mass("CO2") / molar_mass("C") / 100),
    ],
)
def test_computed_factors_follow_from_atomic_weights(name, value):
    assert factor(name).value == pytest.approx(value, rel=2e-4)
    assert factor(name).source.evidence == Evidence.COMPUTED


def test_published_recipes():
    table = published_recipes()
    assert len(table) >= 25
    assert all(isinstance(m, dict) for m in table["mix"])


# ------------------------------------------------------------------------------------ broken inputs

CARD = """schema = 1
id = "red_mud/own"
name = "Own"
waste_class = "red_mud"
kind = "sample"
basis = "dry"
licence = "own"
[sources.lab]
text = "own analysis, 2026"
evidence = "primary"
[oxides]
source = "lab"
SiO2 = { value = 20.0, low = 19.0, high = 21.0 }
Al2O3 = 23.0
[loss]
source = "lab"
LOI = 12.0
"""

BROKEN_CARDS = {
    "unknown key": ('kind = "sample"', 'kind = "sample"\ncolour = "red"', "unknown key"),
    "misspelt component": ("LOI = 12.0", "LIO = 12.0", "Did you mean 'LOI'"),
    "no source": ('source = "lab"\nLOI', "LOI", "every value needs one"),
    "unknown source": ('source = "lab"\nLOI', 'source = "lap"\nLOI', "'lap'"),
    "negative": ("Al2O3 = 23.0", "Al2O3 = -23.0", "negative"),
    "above 100": ("Al2O3 = 23.0", "Al2O3 = 123.0", "more than 100"),
    "sum above 106": ("Al2O3 = 23.0", "Al2O3 = 93.0", "shifted column"),
    "unit in number": ("Al2O3 = 23.0", 'Al2O3 = { value = "23 %" }', "not a number"),
    "evidence": ('evidence = "primary"', 'evidence = "sure"', "evidence"),
    "waste class": ('waste_class = "red_mud"', 'waste_class = "redmud"', "waste_class"),
    "basis": ('basis = "dry"', 'basis = "wet"', "dry basis"),
    "value outside its range": ("low = 19.0", "low = 20.5", "not between"),
    "not TOML": ("[oxides]", "[oxides", "not valid TOML"),
}


@pytest.mark.parametrize("case", BROKEN_CARDS)
def test_broken_card(case, tmp_path):
    old, new, words = BROKEN_CARDS[case]
    assert old in CARD
    file = tmp_path / "own.toml"
    file.write_text(CARD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"own\.toml") as caught:
        material_from_file(file)
    assert words in str(caught.value)


def test_good_card_and_its_spread(tmp_path):
    file = tmp_path / "good.toml"
    file.write_text(CARD, encoding="utf-8")
    found = material_from_file(file)
    assert found.sigma()["SiO2"] == pytest.approx(0.5)  # (high - low)/4
    assert found.evidence == Evidence.PRIMARY


def test_card_that_is_not_utf8(tmp_path):
    file = tmp_path / "gbk.toml"
    file.write_bytes(CARD.replace("Own", "自有赤泥").encode("gb18030"))
    with pytest.raises(DatasetError, match=r"gbk\.toml, line 3: byte .* not UTF-8"):
        material_from_file(file)


TABLE = "id,value,unit,source,evidence,licence\nX1,1.5,kg,somebody,secondary,facts\nX2,2.5,kg,somebody,memory,facts\n"


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("X2,2.5,kg,somebody,memory,facts", "X1,2.5,kg,somebody,memory,facts", "line 3, column id.*already"),
        ("somebody,memory", ",memory", "line 3, column source: is empty"),
        ("memory", "certain", "line 3, column evidence"),
        ("memory,facts", "memory,", "line 3, column licence"),
        ("X2,2.5,kg", "X2,2.5", "line 3: 5 fields, expected 6"),
        ("id,value", "id,val", "column 'value' is missing"),
        ("X2,2.5", "X2,two", "line 3, column value: 'two' is not a number"),
        ("X2,2.5", "X2,nan", "line 3, column value: 'nan' is not finite"),
    ],
)
def test_broken_table(old, new, match, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(TABLE.replace(old, new), encoding="utf-8")
    with pytest.raises(DatasetError, match=match):
        for row in read_rows(file, ("value",)):
            row.number("value")


def test_empty_table(tmp_path):
    file = tmp_path / "empty.csv"
    file.write_text("", encoding="utf-8")
    with pytest.raises(DatasetError, match="is empty"):
        read_rows(file, ())


def test_own_data_folder_comes_first(tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "materials" / "red_mud"
    folder.mkdir(parents=True)
    (folder / "own.toml").write_text(CARD, encoding="utf-8")
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    assert "red_mud/own" in materials("red_mud")
    assert material("red_mud/own").composition["Al2O3"] == 23.0


def test_unknown_material_suggests():
    with pytest.raises(UnknownNameError, match="Did you mean 'raw/limestone'"):
        material("raw/limestne")


def test_data_dir_has_the_recipes():
    assert (data_dir("recipes") / "red_mud_bye_clinker.toml").is_file()


def test_no_unverified_row_is_sold_as_primary():
    for row in composition_rows():
        assert row.source.evidence != Evidence.PRIMARY
