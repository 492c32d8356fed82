"""CO2 and cost: stoichiometry, conservation, and what is refused."""

import numpy as np
import pytest

from wastelab.chemistry import molar_mass
from wastelab.errors import FractionSumError, MissingDataError
from wastelab.impact import footprint, process_co2
from wastelab.impact.carbon import drying_heat, transport_co2
from wastelab.impact.cost import material_cost
from wastelab.reference import factor, material


def test_co2_of_calcite():
    # IPCC 2006, vol. 3, table 2.1: 0.43971 t CO2 per t CaCO3
    calcite = material("raw/calcite")
    released = process_co2(np.array(calcite.quantities["carbonate_CO2"].value), np.array(0.0))
    assert float(released) / 1000 == pytest.approx(0.4397, abs=1e-4)


def test_co2_of_carbon():
    assert float(process_co2(np.array(0.0), np.array(1.0))) == pytest.approx(36.64, abs=0.01)


def test_clinker_footprint_by_hand():
    lime, clay = material("raw/limestone"), material("raw/shale")
    out = footprint({lime: 0.8, clay: 0.2}, fuel_energy=3.0)
    left = 1 - (0.8 * 41.8 + 0.2 * 6.5) / 100
    process = 10 * (0.8 * (41.3 + 0.1 * 44.009 / 12.011) + 0.2 * (1.5 + 0.4 * 44.009 / 12.011)) / left
    assert out.product_yield == pytest.approx(left)
    assert out.co2["process"] == pytest.approx(process, rel=1e-3)
    assert out.co2["fuel"] == pytest.approx(3.0 * 94.6)
    assert out.total_co2 == pytest.approx(sum(out.co2.values()))
    assert out.waste_fraction == 0.0
    assert out.evidence == "memory"


def test_transport_counts_the_water():
    out = transport_co2({"road": np.array([100.0])}, np.array([50.0]))
    assert out[0] == pytest.approx(100 * factor("F073").value * 2)


def test_material_cost_per_dry_tonne():
    out = material_cost(np.array([50.0]), np.array([20.0]), {"road": np.array([10.0])})
    assert out[0] == pytest.approx((50 + 10 * 0.4) / 0.8)


def test_drying_heat_reproduces_its_source():
    assert float(drying_heat(np.array(30.0))) == pytest.approx(factor("F159").value)


def test_calcined_material_carries_its_process_co2():
    gangue = material("coal_gangue/kaolinitic")
    burnt = gangue.calcined()
    expected = 10 * (0.3 + 4.0 * molar_mass("CO2") / molar_mass("C")) / (1 - 0.18)
    assert burnt.quantities["process_CO2"].value == pytest.approx(expected)
    assert footprint({burnt: 1.0}, fired=False).co2["process"] == pytest.approx(expected)


def test_unknowns_are_refused():
    with pytest.raises(MissingDataError, match="moisture"):
        footprint({material("fly_ash/sample-c005"): 1.0})
    with pytest.raises(FractionSumError):
        footprint({material("raw/limestone"): 0.9})
