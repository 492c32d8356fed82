"""The numbers of the scripts for MATLAB users."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "matlab_free"))

import psd_fit
import raw_mix_linprog as raw_mix

from wastelab.screening import screen
from wastelab.screening.recipe import parse_recipe


def test_linear_program_meets_its_windows_and_bounds_the_lattice():
    found, whole = raw_mix.design(), raw_mix.design_on_lattice(50)
    for symbol, (low, high) in raw_mix.WINDOWS.items():
        assert low - 1e-6 <= found.moduli[symbol] <= high + 1e-6
        assert low - 1e-6 <= whole.moduli[symbol] <= high + 1e-6
    assert sum(found.fractions.values()) == pytest.approx(1.0)
    assert found.objective >= whole.objective - 1e-9


def test_integer_program_equals_enumeration():
    parts = 25
    a, _, _ = raw_mix.rows()
    points = np.array([(*x, parts - sum(x)) for x in product(range(parts + 1), repeat=4) if sum(x) <= parts])
    feasible = points[(points @ a.T <= 1e-7).all(axis=1)]
    best = feasible[:, list(raw_mix.MATERIALS).index("red_mud")].max()
    assert raw_mix.design_on_lattice(parts).objective == pytest.approx(best / parts)


def test_integer_program_is_the_corner_of_the_exact_front():
    materials = "\n".join(f'{k} = "{v}"' for k, v in raw_mix.MATERIALS.items())
    windows = "\n".join(f'{k} = "{a:g} .. {b:g}{" %" if k == "LSF" else ""}"' for k, (a, b) in raw_mix.WINDOWS.items())
    # Bogue's validity is part of the route; sintered_brick has none, but no moduli either: use the clinker route
    recipe = parse_recipe(
        f'schema = 1\nname = "corner"\nroute = "portland_clinker"\n[materials]\n{materials}\nstep = "2 %"\n'
        f'[require]\n{windows}\n[objectives]\nwaste_fraction = "max"\ncost = "min"\n'
    )
    front = screen(recipe).pareto
    # the largest red-mud share on the same lattice, by both ways; the front need not hold it, the top list does
    assert front["waste_fraction"].max() <= 1.0
    only_mud = parse_recipe(recipe.text.replace("waste_fraction", "Na2O"))
    assert screen(only_mud).pareto["red_mud"].max() == pytest.approx(raw_mix.design_on_lattice(50).objective)


def test_shadow_price_predicts_a_wider_window():
    base = raw_mix.design()
    name, price = max(base.shadow_prices.items(), key=lambda item: abs(item[1]))
    symbol, side = name.split(" ")[0], name.split(" ")[1]
    low, high = raw_mix.WINDOWS[symbol]
    step = 1e-3 * high
    wider = {**raw_mix.WINDOWS, symbol: (low - step, high) if side == ">=" else (low, high + step)}
    gained = raw_mix.design(windows=wider).objective - base.objective
    assert gained == pytest.approx(price * step, rel=0.05)


def test_impossible_windows_say_so():
    with pytest.raises(ValueError, match="widen one"):
        raw_mix.design(windows={"LSF": (900.0, 999.0), "SM": (2.2, 2.3)})


def test_raw_mix_script(tmp_path, capsys):
    raw_mix.main(["--out", str(tmp_path)])
    assert (tmp_path / "raw_mix.png").stat().st_size > 5000
    assert "from memory" in capsys.readouterr().out


def test_rosin_rammler_by_hand():
    # at d = d63 the undersize is 100 (1 - 1/e) = 63.21 %
    assert psd_fit.rosin_rammler(20.0, 20.0, 1.1) == pytest.approx(63.2121, abs=1e-4)
    assert psd_fit.log_normal(10.0, 10.0, 2.0) == pytest.approx(50.0)
    assert psd_fit.log_normal(20.0, 10.0, 2.0) == pytest.approx(84.1345, abs=1e-4)


@pytest.mark.parametrize(
    ("model", "values"), [("rosin_rammler", {"d63": 20.0, "n": 1.1}), ("log_normal", {"d50": 12.0, "sigma_g": 2.6})]
)
def test_fit_recovers_exact_synthetic_parameters(model, values):
    d = np.geomspace(0.5, 200, 30)
    q = getattr(psd_fit, model)(d, *values.values())
    q = np.clip(q, 0, 100)
    found = psd_fit.fit(d, q, model)
    for name, value in values.items():
        assert found.parameters[name][0] == pytest.approx(value, rel=1e-4)
    assert found.percentiles["D50"] == pytest.approx(psd_fit.interpolated(d, q)["D50"], rel=0.02)


def test_confidence_limits_hold_the_true_values_of_noisy_synthetic_data():
    found = psd_fit.fit(*psd_fit.demo())
    for name, value in (("d63", 20.0), ("n", 1.1)):
        _, low, high = found.parameters[name]
        assert low <= value <= high
    assert found.aic < psd_fit.fit(*psd_fit.demo(), model="log_normal").aic
    # D50 of RRSB: d63 (ln 2)^(1/n)
    d63, n = found.parameters["d63"][0], found.parameters["n"][0]
    assert found.percentiles["D50"] == pytest.approx(d63 * np.log(2) ** (1 / n), rel=1e-3)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("size,under\n1,10\n2,20\nx,30\n4,40\n5,50\n", "line 4"),
        ("1,10\n2,20\n3,15\n4,40\n", "line 3.*must not fall"),
        ("1,10\n2,20\n", "at least 4"),
        ("1,10\n2,200\n", "line 2"),
    ],
)
def test_broken_psd_files(tmp_path, text, match):
    file = tmp_path / "psd.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        psd_fit.read_psd(file)


def test_psd_script_reads_decimal_commas(tmp_path, capsys):
    file = tmp_path / "粒度.csv"
    d = np.geomspace(1, 100, 12)
    lines = [f"{a:.4f};{b:.4f}".replace(".", ",") for a, b in zip(d, psd_fit.rosin_rammler(d, 15.0, 1.0), strict=True)]
    file.write_text("粒径;累积\n" + "\n".join(lines), encoding="utf-8-sig")
    psd_fit.main([str(file), "--out", str(tmp_path)])
    assert "d63 = 15" in capsys.readouterr().out
    assert (tmp_path / "psd.png").stat().st_size > 5000
