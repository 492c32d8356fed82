"""Material cards that point to factors, factors by name, and cards of every wrong shape."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wastelab.chemistry import molar_mass
from wastelab.chemistry.material import Material
from wastelab.errors import DatasetError, UnknownNameError
from wastelab.reference import (
    composition_rows,
    data_dir,
    factor,
    factors,
    find_factor,
    material,
    material_from_file,
    materials,
    read_rows,
)

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
Al2O3 = 23.0
[economy]
source = "lab"
price = 1.0
gwp = 2.0
"""


def card(folder: Path, text: str) -> Path:
    file = folder / "own.toml"
    file.write_text(text, encoding="utf-8")
    return file


# ------------------------------------------------------------------------------- cards and factors


def test_card_printed_in_the_readme_can_be_read(tmp_path):
    readme = (data_dir("datasets") / "README.md").read_text(encoding="utf-8")
    found = material_from_file(card(tmp_path, readme.split("```toml\n")[1].split("```")[0]))
    assert found.composition["Cr2O3"] == pytest.approx(0.005)  # half the detection limit, reported as "< 0.01"
    assert found.sigma()["Fe2O3"] == pytest.approx(1.0)
    assert found.quantities["price"].value == factor("F173").value


def test_price_of_a_card_is_the_row_of_the_factor_table():
    price = material("red_mud/bayer-diasporic").quantities["price"]
    row = factor("F173")
    assert (price.value, price.low, price.high) == (row.value, row.low, row.high)
    assert price.unit == "CNY/t"
    assert price.source.text.startswith("F173 ")
    assert price.source.evidence == row.source.evidence


def test_gwp_per_kg_becomes_per_tonne():
    gwp = material("raw/portland-clinker").quantities["gwp"]
    assert (gwp.value, gwp.low, gwp.high) == (860.0, 800.0, 950.0)
    assert gwp.sigma == pytest.approx(37.5)
    assert gwp.unit == "kg/t"


def test_lower_price_in_the_users_own_factor_table(tmp_path, monkeypatch):
    from wastelab.reference.tables import factor_rows

    folder = tmp_path / "datasets" / "factors"
    folder.mkdir(parents=True)
    (folder / "own.csv").write_text(
        "id,category,item,quantity,value,low,high,unit,region,year,source,evidence,licence,note\n"
        "OWN1,price,red mud,price,-5,,,CNY/t,,2026,our contract,primary,own,\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    factor_rows.cache_clear()
    factor.cache_clear()
    try:
        text = CARD.replace("price = 1.0", 'price = { factor = "OWN1" }')
        price = material_from_file(card(tmp_path, text)).quantities["price"]
    finally:
        monkeypatch.undo()
        factor_rows.cache_clear()
        factor.cache_clear()
    assert (price.value, price.sigma, price.source.evidence) == (-5.0, None, "primary")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("price = 1.0", 'price = { factor = "F999" }', "no factor 'F999'"),
        ("price = 1.0", 'price = { factor = "F041" }', "is in kg CO2/GJ; expected CNY/t"),
        ("price = 1.0", 'price = { factor = "F173", value = 3 }', "brings its own value"),
        ("Al2O3 = 23.0", 'Al2O3 = { factor = "F173" }', "unknown key 'factor'"),
        ("Al2O3 = 23.0", "Al2O3 = nan", "finite"),
        ("Al2O3 = 23.0", "Al2O3 = { value = 23.0, sigma = -1 }", "uncertainty"),
        ("Al2O3 = 23.0", "Unobtainium = 23.0", "Unobtainium"),
        ('name = "Own"', "name = 5", "expected text"),
        ("[oxides]", "[oxydes]", "Did you mean 'oxides'"),
        ('[sources.lab]\ntext = "own analysis, 2026"\nevidence = "primary"\n', "sources = 3\n", "expected a table"),
        ('text = "own analysis, 2026"', "text = 2026", "is not text"),
        ('[oxides]\nsource = "lab"', '[oxides]\nsource = ["lab"]', "every value needs one"),
    ],
)
def test_card_of_a_wrong_shape(old, new, words, tmp_path):
    assert old in CARD
    with pytest.raises(DatasetError, match=r"own\.toml") as caught:
        material_from_file(card(tmp_path, CARD.replace(old, new, 1)))
    assert words in str(caught.value)


def test_card_whose_id_is_not_its_place(tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "materials" / "red_mud"
    folder.mkdir(parents=True)
    (folder / "other.toml").write_text(CARD, encoding="utf-8")
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match=r"found 'red_mud/own', expected 'red_mud/other'"):
        material("red_mud/other")


VALUES = st.sampled_from(
    ["3", "-3", "true", '"x"', "[]", "{}", "inf", "{ value = 1 }", "{ lod = -1 }", "{ lod = 0.1 }", "1979-05-27"]
)
LINES = [line for line in CARD.splitlines() if "=" in line]


@settings(max_examples=60, deadline=None)
@given(line=st.sampled_from(LINES), value=VALUES)
def test_any_value_gives_a_material_or_one_clear_error(line, value, tmp_path_factory):
    text = CARD.replace(line, f"{line.split(' = ')[0]} = {value}", 1)
    file = card(tmp_path_factory.mktemp("card"), text)
    try:
        found = material_from_file(file)
    except DatasetError as error:
        assert str(error).startswith(str(file))
    else:
        assert isinstance(found, Material)


@pytest.mark.parametrize("name", [n for n in materials() if not n.startswith("raw/") and "sample" not in n])
def test_typical_wastes_are_computable_when_fired(name):
    known = material(name).components()
    for key in (
        "SiO2",
        "Al2O3",
        "Fe2O3",
        "CaO",
        "MgO",
        "LOI",
        "carbonate_CO2",
        "organic_C",
        "moisture",
        "price",
        "gwp",
    ):
        assert key in known, key


FLAGSHIP = ("red_mud/bayer-diasporic", "coal_gangue/kaolinitic", "fgd_gypsum/wet", "raw/limestone", "raw/bauxite")


@pytest.mark.parametrize("name", FLAGSHIP)
def test_clinker_materials_are_complete(name):
    known = material(name).components()
    for key in ("SO3", "Na2O", "K2O", "TiO2", "Cl", "LOI", "carbonate_CO2", "organic_C", "Ra226", "Th232", "K40"):
        assert key in known, key


@pytest.mark.parametrize(
    ("name", "formula", "oxide", "atoms"),
    [
        ("raw/calcite", "CaCO3", "CaO", 1.0),
        ("raw/gypsum-pure", "CaSO4.2H2O", "SO3", 1.0),
        ("raw/hydrated-lime", "Ca(OH)2", "CaO", 1.0),
        ("raw/naoh", "NaOH", "Na2O", 0.5),
    ],
)
def test_pure_compounds_follow_from_atomic_weights(name, formula, oxide, atoms):
    found = material(name)
    expected = 100.0 * atoms * molar_mass(oxide) / molar_mass(formula)
    assert found.composition[oxide] == pytest.approx(expected, abs=1e-3)
    assert found.composition.closure().total == pytest.approx(100.0, abs=1e-3)


def test_water_glass_modulus():
    found = material("raw/water-glass").composition
    modulus = found["SiO2"] / molar_mass("SiO2") / (found["Na2O"] / molar_mass("Na2O"))
    assert modulus == pytest.approx(3.3, abs=0.05)


# ---------------------------------------------------------------------------------- factors by name


def test_factors_by_name():
    assert find_factor("electricity", "Shanxi").value == 0.6634
    assert find_factor("electricity", "grid shanxi") == find_factor("electricity", "CN-SX")
    assert find_factor("fuel", "Anthracite", "net calorific value").unit == "GJ/t"
    assert find_factor("transport", "rail") == factor("F074")
    assert find_factor("electricity", "grid China national average (MEE)", year=2022) == factor("F108")


def test_province_is_not_its_longer_namesake():
    assert find_factor("electricity", "Shaanxi").value != find_factor("electricity", "Shanxi").value


def test_every_factor_is_found_by_its_words():
    for name, row in factors().iterrows():
        found = find_factor(row["category"], row["item"], row["quantity"], year=row["year"])
        assert found == factor(name)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        (("feul", "anthracite"), UnknownNameError, "Did you mean 'fuel'"),
        (("fuel", "antracite"), UnknownNameError, "Did you mean 'anthracite'"),
        (("fuel", "anthracite", "colour"), UnknownNameError, "carbon content"),
        (("fuel", "anthracite"), DatasetError, r"F042 .*F043 .*F044"),
        (("electricity", "grid China national average (MEE)"), DatasetError, "F107 .*F108"),
    ],
)
def test_factor_name_that_fits_none_or_several(args, error, match):
    with pytest.raises(error, match=match):
        find_factor(*args)


# ------------------------------------------------------------------------------------- literature


def test_sand_card_agrees_with_published_radionuclides():
    """The remembered range of quartz sand overlaps that of three published means (rows C133-C135)."""
    sand = material("raw/quartz-sand")
    rows = [r for r in composition_rows() if "cross-check of raw/quartz-sand" in r.values["note"]]
    assert len(rows) == 3
    for nuclide in ("Ra226", "Th232", "K40"):
        card_value = sand.quantities[nuclide]
        published = [r.number(nuclide) for r in rows]
        assert card_value.low is not None and card_value.high is not None
        assert max(card_value.low, min(published)) <= min(card_value.high, max(published))


def test_csv_with_an_endless_field(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text('id,source,evidence,licence\nX1,"' + "a" * 200_000 + '",memory,facts\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"table\.csv, line 2: not a CSV table"):
        read_rows(file, ())
