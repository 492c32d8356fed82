"""What is heated: every accepted kind gives the same moles, and what cannot be is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import wastelab as wl
from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import CompositionError, MissingDataError
from wastelab.simulate.charge import ELEMENTS, as_charge

MEAL = {"CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8, "MgO": 1.0, "P2O5": 0.4, "SO3": 0.5}


def test_moles_of_elements_by_hand():
    charge = as_charge(MEAL)
    assert charge.single and charge.n == 1 and not charge.loss_split
    assert charge.element("Ca")[0] == pytest.approx(666 / molar_mass("CaO"))
    assert charge.element("Al")[0] == pytest.approx(2 * 52 / molar_mass("Al2O3"))
    oxygen = sum(
        10 * v / molar_mass(o) * n
        for (o, v), n in zip(
            [(o, MEAL[o]) for o in ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "SO3")], (1, 2, 3, 3, 1, 3), strict=True
        )
    )
    assert charge.element("O")[0] == pytest.approx(oxygen)
    assert charge.set_aside["P2O5"] == pytest.approx([0.4])


def test_every_kind_of_mix_is_the_same_charge():
    want = as_charge(MEAL).amount
    table = pd.DataFrame([MEAL, MEAL], index=["a", "b"])
    array = xr.DataArray(table.to_numpy(), dims=("mix", "oxide"), coords={"mix": ["a", "b"], "oxide": list(MEAL)})
    for mix in (wl.Composition(MEAL, "ignited"), table, array, array.transpose("oxide", "mix"), array[0]):
        charge = as_charge(mix)
        assert charge.amount == pytest.approx(np.repeat(want, charge.n, axis=0))
    assert as_charge(array).labels == ("a", "b") and not as_charge(array).single
    assert as_charge(as_charge(MEAL)).amount is not None


def test_a_material_brings_its_loss_and_its_minerals():
    mud = wl.material("red_mud/bayer-diasporic")
    charge = as_charge(mud)
    assert charge.loss[0] == mud.composition["LOI"]
    carbon = mud.quantities["carbonate_CO2"].value * 10 / molar_mass("CO2") + mud.quantities["organic_C"].value * 10 / (
        molar_mass("C")
    )
    assert charge.element("C")[0] == pytest.approx(carbon)
    assert not charge.loss_split  # bound water was not stated
    gangue = as_charge(wl.material("coal_gangue/kaolinitic"))
    assert gangue.phases["kaolinite"] == 80.0 and gangue.sigma["Al2O3"] > 0
    assert set(gangue.set_aside) == {"P2O5", "MnO", "Cl"} and len(charge.elements) == len(ELEMENTS)


@pytest.mark.parametrize(
    ("mix", "error", "words"),
    [
        ({}, MissingDataError, "empty"),
        ({"CaO": 30.0}, CompositionError, "sum to 30 wt%"),
        ({"CaO": 60.0, "SiO2": 60.0}, CompositionError, "sum to 120 wt%"),
        ({"CaO": 60.0, "SiO2": "40"}, CompositionError, "not a number"),
        ({"CaO": 110.0, "SiO2": -10.0}, CompositionError, "negative"),
        ({"CaO": 60.0, "Xx2O3": 40.0}, CompositionError, "not a chemical formula"),
        (pd.DataFrame({"CaO": [60.0, 60.0], "SiO2": [40.0, np.nan]}, index=["a", "b"]), CompositionError, "'b': SiO2"),
        (xr.DataArray(np.ones((2, 2)), dims=("x", "y")), CompositionError, "dims"),
        (3.0, CompositionError, "float is no mix"),
    ],
)
def test_mixes_that_are_refused(mix, error, words):
    with pytest.raises(error, match=words):
        as_charge(mix)
