"""Routes: linear, per ignited mass, and honest about what they cannot compute."""

import numpy as np
import pytest

from wastelab.errors import UnknownNameError
from wastelab.reference import material
from wastelab.routes import get_route, list_routes
from wastelab.routes.geopolymer import activator
from wastelab.screening.program import load_materials, material_components
from wastelab.screening.recipe import parse_recipe
from wastelab.screening.study import evaluate, mix_components
from wastelab.simulate import blend

MATERIALS = ("red_mud/bayer-diasporic", "coal_gangue/kaolinitic", "fgd_gypsum/wet", "raw/limestone")
POINTS = {
    "geopolymer": {"Na2O_dose": 5.0, "modulus": 1.0, "water_binder": 0.35},
    "building_gypsum": {"temperature": 160.0, "hold": 60.0, "heating_rate": 5.0, "pH2O": 0.75},
}


def components(route, names=MATERIALS):
    lines = "\n".join(f'm{i} = {{ use = "{n}", transport = "10 km" }}' for i, n in enumerate(names))
    recipe = parse_recipe(
        f'schema = 1\nname = "test"\nroute = "{route}"\n[materials]\n{lines}\nstep = "5 %"\n[objectives]\nco2 = "min"\n'
    )
    return material_components(recipe, tuple(material(n) for n in names))


@pytest.mark.parametrize("name", list_routes())
def test_route_is_complete(name):
    route = get_route(name)
    assert route.name == name
    assert route.title_zh and route.statements and len(route.statements) == len(route.statements_zh)
    assert route.needs, "a route without a property model must say what it cannot compute"
    for symbol, criterion in route.criteria.items():
        assert criterion.symbol == symbol
        assert criterion.source.text and criterion.name_zh
    assert set(route.implied) <= set(route.criteria)
    assert route.potential <= set(route.criteria)
    for need in route.needs:
        assert need.property not in route.criteria or need.property in route.potential
        assert "unknown" in need.text


@pytest.mark.parametrize("name", list_routes())
def test_product_is_linear_in_the_fractions(name):
    route = get_route(name)
    raw = components(name)
    product = route.product_components(raw, POINTS.get(name, {}), {})
    x = np.array([[0.2, 0.3, 0.1, 0.4], [0.5, 0.0, 0.0, 0.5]])
    whole = mix_components(x, product)
    # blending first and then taking the product gives the same
    for i, row in enumerate(x):
        mixed = {k: np.array([v]) for k, v in {n: m[i] for n, m in mix_components(x, raw).items()}.items()}
        once = route.product_components(mixed, POINTS.get(name, {}), {})
        for key in ("SiO2", "CaO", "Ra226", "mass", "SO3"):
            assert whole[key][i] == pytest.approx(once[key][0], rel=1e-12, nan_ok=True), (key, row)


def test_fired_contents_concentrate_by_the_loss():
    route = get_route("sulfoaluminate_clinker")
    product = route.product_components(components(route.name), {}, {})
    x = np.array([[0.25, 0.15, 0.15, 0.45]])
    mixes = mix_components(x, product)
    ignited = blend(dict(zip(map(material, MATERIALS), x[0], strict=True))).composition.to_basis("ignited")
    for oxide in ("CaO", "SO3", "Na2O"):
        assert evaluate(route.criteria[oxide], mixes)[0] == pytest.approx(ignited[oxide])
    left = mixes["mass"][0] / 100
    radium = sum(f * material(n).quantities["Ra226"].value for f, n in zip(x[0], MATERIALS, strict=True))
    assert evaluate(route.criteria["I_Ra"], mixes)[0] == pytest.approx(radium / left / 200)


def test_volatilised_share_leaves_the_product_and_its_mass():
    route = get_route("sulfoaluminate_clinker")
    raw = components(route.name)
    kept = route.product_components(raw, {}, {})
    lost = route.product_components(raw, {}, {"volatilised": {"SO3": 0.2}})
    np.testing.assert_allclose(lost["SO3"], 0.8 * kept["SO3"])
    np.testing.assert_allclose(lost["mass"], kept["mass"] - 0.2 * kept["SO3"])


def test_activator_by_hand():
    # 5 g Na2O and modulus 1 from water glass of modulus 3.2 and NaOH
    dose = activator(5.0, 1.0, 3.2)
    n = 5.0 / 61.979
    assert dose["SiO2"] == pytest.approx(n * 60.083, rel=1e-4)
    assert dose["naoh"] == pytest.approx(2 * n * (1 - 1 / 3.2) * 39.997, rel=1e-4)
    # sodium balance: NaOH and glass together hold the dose
    glass_na2o = dose["glass_solids"] - dose["SiO2"]
    assert glass_na2o + dose["naoh"] * 61.979 / (2 * 39.997) == pytest.approx(5.0, rel=1e-4)


def test_geopolymer_ratios_include_the_activator():
    route = get_route("geopolymer")
    names = ("fly_ash/pc-class-f",)
    product = route.product_components(components("geopolymer", names), POINTS["geopolymer"], {})
    value = evaluate(route.criteria["Na_Al"], mix_components(np.ones((1, 1)), product))[0]
    ash = material(names[0])
    assert value == pytest.approx(
        ((ash.composition["Na2O"] + 5.0) / 61.979) / (ash.composition["Al2O3"] / 101.961), rel=1e-4
    )


def test_missing_input_makes_only_its_own_criteria_unknown():
    route = get_route("sulfoaluminate_clinker")
    names = ("fly_ash/sample-c005", "raw/limestone")  # the sample has no radionuclides
    product = route.product_components(components(route.name, names), {}, {})
    with_it = mix_components(np.array([[0.5, 0.5]]), product)
    without = mix_components(np.array([[0.0, 1.0]]), product)
    assert np.isnan(evaluate(route.criteria["I_Ra"], with_it)[0])
    assert np.isfinite(evaluate(route.criteria["I_Ra"], without)[0])
    assert np.isfinite(evaluate(route.criteria["SiO2"], with_it)[0])


def test_unknown_route():
    with pytest.raises(UnknownNameError, match="Did you mean 'geopolymer'"):
        get_route("geopolymers")


def test_plaster_by_hand():
    """Gypsum to hemihydrate loses 15.70 % of its mass (molar masses), nothing else changes."""
    route = get_route("building_gypsum")
    raw = components(route.name, ("fgd_gypsum/wet",))
    product = route.product_components(raw, {"temperature": 150.0, "hold": 60.0, "heating_rate": 5.0, "pH2O": 0.75}, {})
    assert product["mass"][0] == pytest.approx(100 - 91 * 0.15696, abs=2e-2)
    hemihydrate = route.criteria["hemihydrate"].evaluate(mix_components(np.array([[1.0]]), product))
    assert hemihydrate[0] == pytest.approx(91 * 0.84304 / (100 - 91 * 0.15696) * 100, rel=2e-3)
    open_pan = {"temperature": 160.0, "hold": 60.0, "heating_rate": 5.0, "pH2O": 0.03}
    product = route.product_components(raw, open_pan, {})
    assert product["mass"][0] == pytest.approx(100 - 91 * 0.20928, abs=2e-2)  # all water gone: soluble anhydrite


def test_gangue_too_cold_right_and_too_hot():
    route = get_route("blended_cement")
    recipe = parse_recipe(
        'schema = 1\nname = "t"\nroute = "blended_cement"\n[materials]\nclinker = "raw/portland-clinker"\n'
        'gangue = { use = "coal_gangue/kaolinitic", calcined = true }\nstep = "5 %"\n[objectives]\nco2 = "min"\n'
    )
    raw = material_components(recipe, load_materials(recipe))
    x = np.array([[0.7, 0.3]])
    fed = 0.3 * 80 / (1 - 0.18)

    def state(temperature):
        point = {"temperature": temperature, "hold": 60.0, "heating_rate": 10.0}
        mixes = mix_components(x, route.product_components(raw, point, {}))
        return [float(route.criteria[s].evaluate(mixes)[0]) for s in ("kaolinite_left", "metakaolinite", "overburnt")]

    cold, right, hot = state(400.0), state(750.0), state(1050.0)
    assert cold[0] > 0.8 * fed and cold[2] == pytest.approx(0, abs=1e-6)
    assert right == pytest.approx([0, fed * 0.86043, 0], abs=1e-3)
    assert hot[1] == pytest.approx(0, abs=1e-3) and hot[2] == pytest.approx(fed * 0.86043, abs=1e-2)


def test_phases_at_equilibrium_take_the_place_of_the_closed_formulas():
    route = get_route("portland_clinker").at_equilibrium()
    assert {"C3S", "potential_C3S", "free_CaO"} <= set(route.criteria) and not route.implied
    assert not [n for n in route.needs if n.property == "free_CaO"]
    assert {"C3S", "potential_C3S"} <= route.potential and len(route.all_statements) == len(route.all_statements_zh)
