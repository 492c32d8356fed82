"""Sintering indicators: hand calculations, windows, stoichiometry, bad input."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from wastelab.chemistry.formulas import molar_mass
from wastelab.chemistry.phases import BOGUE_CEMENT
from wastelab.errors import MissingDataError, UnknownNameError, ValidityError
from wastelab.reference import material
from wastelab.simulate import sintering

CLINKER = {
    "CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8, "MgO": 1.0, "Na2O": 0.2, "K2O": 0.6, "SO3": 1.0,
}  # fmt: skip
SHALE = {"SiO2": 60.0, "Al2O3": 18.0, "Fe2O3": 8.0, "CaO": 3.0, "MgO": 3.0, "Na2O": 1.5, "K2O": 3.5}


def test_lea_parker_by_hand():
    ds = sintering.lea_parker_liquid(CLINKER)
    # A/F = 1.857 >= 1.38; M + R = 1.0 + 0.8
    expected = [6.1 * 2.8 + 1.8, 2.95 * 5.2 + 2.2 * 2.8 + 1.8, 3.00 * 5.2 + 2.25 * 2.8 + 1.8]
    np.testing.assert_allclose(ds["liquid"].values[0], expected, rtol=1e-12)
    assert ds["liquid"].sel(temperature=1450).item() == pytest.approx(23.7)  # within the usual 20-30 %
    assert ds.attrs["evidence"] == "memory"
    assert all("units" in ds[v].attrs for v in ds.variables)


def test_lea_parker_branches_meet_and_magnesia_is_capped():
    def at(ratio, mgo=1.0):
        f = 3.0
        mix = {**CLINKER, "Al2O3": f * ratio, "Fe2O3": f, "MgO": mgo, "CaO": 65.0}
        return sintering.lea_parker_liquid(mix)

    below, above = at(1.38 - 1e-9)["liquid"].values[0, 0], at(1.38 + 1e-9)["liquid"].values[0, 0]
    assert below == pytest.approx(above, abs=0.02)  # 8.2 A - 5.22 F = 6.096 F at A/F = 1.38
    capped = at(1.5, 3.5)
    np.testing.assert_allclose(capped["liquid"].values, at(1.5, 2.0)["liquid"].values)
    assert "MgO above 2" in capped.attrs["warnings"]


@given(st.floats(0.7, 3.0), st.floats(1.5, 5.0))
def test_liquid_grows_with_temperature(ratio, iron):
    if not 2 <= ratio * iron <= 9:
        return
    mix = {"CaO": 65.0, "SiO2": 20.0, "Al2O3": ratio * iron, "Fe2O3": iron, "MgO": 1.0, "Na2O": 0.2, "K2O": 0.5}
    total = sum(mix.values())
    liquid = sintering.lea_parker_liquid({k: v * 97 / total for k, v in mix.items()})["liquid"].values[0]
    assert (np.diff(liquid) > 0).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [({"CaO": 40.0, "SiO2": 45.0}, "CaO"), ({"Fe2O3": 0.3}, "Fe2O3"), ({"Al2O3": 2.0, "Fe2O3": 7.0}, "alumina ratio")],
)
def test_lea_parker_refuses_what_is_no_portland_clinker(change, text):
    with pytest.raises(ValidityError, match=text):
        sintering.lea_parker_liquid({**CLINKER, **change})


def test_missing_oxide_is_not_zero():
    with pytest.raises(MissingDataError, match="K2O"):
        sintering.lea_parker_liquid({k: v for k, v in CLINKER.items() if k != "K2O"})


def test_raw_meal_is_taken_per_ignited_mass():
    factor = 0.65
    meal = {k: v * factor for k, v in CLINKER.items()} | {"LOI": 35.0}
    np.testing.assert_allclose(
        sintering.lea_parker_liquid(meal)["liquid"], sintering.lea_parker_liquid(CLINKER)["liquid"], rtol=1e-12
    )


def test_free_lime_minimum_is_zero_at_saturation_and_agrees_with_bogue():
    m = molar_mass
    ca = (3 * 21.0 / m("SiO2") + 3 * 5.0 / m("Al2O3") + 3.0 / m("Fe2O3")) * m("CaO")
    base = {"SiO2": 21.0, "Al2O3": 5.0, "Fe2O3": 3.0, "SO3": 0.0}
    at = sintering.free_lime_potential({**base, "CaO": ca})
    assert at["free_lime_minimum"].item() == pytest.approx(0.0, abs=1e-9)
    assert at["LSF_stoichiometric"].item() == pytest.approx(100.0)
    over = sintering.free_lime_potential({**base, "CaO": ca + 2.0})
    assert over["free_lime_minimum"].item() == pytest.approx(2.0)
    # At saturation Bogue's C2S is zero.
    value = sum(c * {**base, "CaO": ca}.get(k, 0.0) for k, c in BOGUE_CEMENT["C2S"].numerator.items())
    assert value == pytest.approx(0.0, abs=1e-6)


def test_sulfate_binds_lime_and_iron_rich_mixes_make_ferrite():
    with_sulfate = sintering.free_lime_potential({"CaO": 70, "SiO2": 20, "Al2O3": 5, "Fe2O3": 3, "SO3": 2})
    without = sintering.free_lime_potential({"CaO": 70, "SiO2": 20, "Al2O3": 5, "Fe2O3": 3})
    bound = 2 * molar_mass("CaO") / molar_mass("SO3")
    difference = without["free_lime_minimum"].item() - with_sulfate["free_lime_minimum"].item()
    assert difference == pytest.approx(bound)
    assert "SO3 was not given" in without.attrs["warnings"]
    ferrite = sintering.free_lime_potential({"CaO": 60, "SiO2": 10, "Al2O3": 0, "Fe2O3": 30, "SO3": 0})
    lime = 3 * 10 / molar_mass("SiO2") + 2 * 30 / molar_mass("Fe2O3")
    assert ferrite["combinable_lime"].item() == pytest.approx(lime * molar_mass("CaO"))


def test_degree_of_combination():
    ds = sintering.free_lime_potential(CLINKER, free_lime=[1.5])
    capable = min(66.6 - 1.0 * molar_mass("CaO") / molar_mass("SO3"), ds["combinable_lime"].item())
    bound = 66.6 - 1.0 * molar_mass("CaO") / molar_mass("SO3") - 1.5
    assert ds["degree_of_combination"].item() == pytest.approx(bound / capable)
    with pytest.raises(ValidityError, match="more than its CaO"):
        sintering.free_lime_potential(CLINKER, free_lime=80.0)


def test_riley_by_hand():
    ds = sintering.riley(SHALE)
    assert ds["SiO2"].item() == pytest.approx(100 * 60 / 97)
    assert ds["flux_ratio"].item() == pytest.approx(78 / 19)
    assert ds["inside"].sel(window="riley_ternary").item()
    # nearest limit: Al2O3 18.56 (6.44 below 25), flux 19.59 (6.41 below 26, 6.59 above 13)
    assert ds["margin"].sel(window="riley_ternary").item() == pytest.approx(26 - 100 * 19 / 97)
    assert "does not predict" in ds.attrs["warnings"]


def test_red_mud_is_outside_and_tables_are_read_row_by_row():
    table = xr.DataArray(
        [list(SHALE.values()), [20.0, 22.0, 30.0, 15.0, 1.0, 8.0, 0.5]],
        dims=("mix", "oxide"), coords={"oxide": list(SHALE), "mix": ["shale", "red mud"]},
    )  # fmt: skip
    ds = sintering.riley(table, windows=("riley_ternary",))
    assert ds["inside"].values[:, 0].tolist() == [True, False]
    assert ds["margin"].sel(mix="red mud").item() < -20


@given(st.floats(0.05, 0.45))
def test_riley_does_not_depend_on_loss(loss):
    wet = {k: v * (1 - loss) for k, v in SHALE.items()} | {"LOI": 100 * loss}
    a, b = sintering.riley(wet), sintering.riley(SHALE)
    np.testing.assert_allclose(a["margin"], b["margin"], atol=1e-9)


def test_unknown_window():
    with pytest.raises(UnknownNameError, match="riley_ternary"):
        sintering.riley(SHALE, windows=("riley_ternery",))


def test_own_window_file(tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "indicators"
    folder.mkdir(parents=True)
    (folder / "bloating_own.toml").write_text(
        '[[window]]\nid="own"\nname="own trials"\nbasis="ignited"\nSiO2=[50, 65]\nsource="own kiln"\n'
        'evidence="primary"\nlicence="own"\n'
    )
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    sintering.bloating_windows.cache_clear()
    try:
        ds = sintering.riley(SHALE, windows=("own",))
        assert ds["margin"].item() == pytest.approx(5.0)
    finally:
        sintering.bloating_windows.cache_clear()


def test_gas_potential_of_calcite():
    # CaCO3: 43.97 wt% CO2, 9.99 mol/kg
    mix = {"CaO": 56.03, "carbonate_CO2": 43.97, "LOI": 43.97}
    ds = sintering.gas_potential(mix, 1150.0)
    moles = ds["gas"].sel(origin="carbonate").item()
    assert moles == pytest.approx(9.991, abs=1e-3)
    assert ds["volume"].sel(origin="carbonate").item() == pytest.approx(moles * 8.314462618 * 1423.15 / 1e5)
    assert np.isnan(ds["gas"].sel(origin="carbon").item())
    assert "organic_C" in ds.attrs["warnings"]


def test_refractoriness_of_kaolin_and_its_limits():
    kaolin = {"SiO2": 54.1, "Al2O3": 45.9, "Fe2O3": 0, "CaO": 0, "MgO": 0, "Na2O": 0, "K2O": 0}
    # pure fired kaolin softens near 1770-1790 degC (cone 35)
    assert sintering.refractoriness(kaolin)["refractoriness"].item() == pytest.approx(1780.3, abs=0.1)
    with pytest.raises(ValidityError, match="other oxides"):
        sintering.refractoriness(SHALE)
    with pytest.raises(ValidityError, match="Al2O3"):
        sintering.refractoriness({**kaolin, "Al2O3": 10.0, "SiO2": 89.0})


def test_ash_indices_by_hand():
    ds = sintering.ash_indices({**SHALE, "TiO2": 1.0})
    assert ds["base_acid"].item() == pytest.approx(19 / 79)
    assert ds["silica_ratio"].item() == pytest.approx(100 * 60 / 74)
    assert ds["iron_calcium"].item() == pytest.approx(8 / 3)


def test_shipped_materials_and_netcdf(tmp_path):
    ds = sintering.gas_potential(material("coal_gangue/kaolinitic"))
    ds.to_netcdf(tmp_path / "gas.nc", engine="h5netcdf")
    back = xr.open_dataset(tmp_path / "gas.nc", engine="h5netcdf")
    assert back.attrs["input_sha256"] == ds.attrs["input_sha256"]
    back.close()
