"""Free water: moisture as typed, saturation pressure and heats against tables, one model for calcine and kilns."""

from __future__ import annotations

import numpy as np
import pytest

from wastelab.errors import UnitError, ValidityError
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate import water


def test_moisture_is_of_the_moist_mass():
    assert water.parse_moisture("8 %") == pytest.approx(0.08 / 0.92)
    assert water.parse_moisture("8 wt%") == water.parse_moisture("0.08 kg/kg") == water.parse_moisture("8 %")
    assert water.parse_moisture(None) == water.parse_moisture("0 %") == 0.0


@pytest.mark.parametrize("bad", [0.08, 8, "8", True, float("nan"), {"a": 1}, "8 K", "wet"])
def test_moisture_without_unit_is_refused(bad):
    with pytest.raises(UnitError, match=r"moisture|not a number"):
        water.parse_moisture(bad)


@pytest.mark.parametrize("bad", ["-1 %", "95 %", "800 %"])
def test_moisture_out_of_range_is_refused(bad):
    with pytest.raises(ValidityError, match="of the moist mass"):
        water.parse_moisture(bad)


@pytest.mark.parametrize("celsius, bar", [(25, 0.03170), (60, 0.19946), (100, 1.01418), (200, 15.549), (350, 165.29)])
def test_saturation_pressure(celsius, bar):
    """Steam tables (IAPWS), as reprinted in textbooks; from memory."""
    assert float(water.saturation_pressure(celsius + 273.15)) == pytest.approx(bar, rel=2e-3)


def test_saturation_pressure_goes_on_beyond_its_ends():
    t = np.linspace(250.0, 1500.0, 500)
    p = water.saturation_pressure(t)
    assert np.all(np.diff(p) > 0) and np.all(np.diff(np.log(p), 2) < 1e-3)


@pytest.mark.parametrize("celsius, heat", [(25, 43.99), (60, 42.48), (100, 40.65)])
def test_heat_of_evaporation(celsius, heat):
    """Steam tables: 2441.7, 2357.7, 2256.4 kJ/kg; constant Cp of the liquid, ideal vapour."""
    assert float(water.heat_of_evaporation(celsius + 273.15)) / 1e3 == pytest.approx(heat, abs=0.35)


@pytest.mark.parametrize("celsius", [25, 60, 80, 100, 130, 160])
def test_gibbs_energy_of_the_liquid_agrees_with_the_saturation_pressure(celsius):
    """-RT ln f = G(vapour) - G(liquid); the fugacity of real vapour is 1.5 % below p at 1 bar, 4 % at 6 bar."""
    t = celsius + 273.15
    data = water.with_water(thermochemistry())
    p = np.exp(-(float(data["H2O(g)"].gibbs(t)) - float(data["water"].gibbs(t))) / (GAS_CONSTANT * t))
    assert p == pytest.approx(float(water.saturation_pressure(t)), rel=0.02 if celsius <= 100 else 0.06)
