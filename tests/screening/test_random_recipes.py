"""Twin: random recipes (materials, bounds, windows, volatilisation, calcining, grids) against brute force."""

import numpy as np
import pytest
from test_shipped_recipes import brute_force

from wastelab.errors import RecipeError
from wastelab.reference import material, materials
from wastelab.routes import get_route, list_routes
from wastelab.screening import prepare
from wastelab.screening.recipe import parse_recipe
from wastelab.screening.search import search
from wastelab.screening.study import criterion_values

POOL = [
    m
    for m in materials()
    if not m.startswith(("raw/calcite", "raw/gypsum-pure", "raw/quartz", "raw/naoh", "raw/water"))
]


def random_recipe(seed):
    rng = np.random.default_rng(seed)
    route = get_route(list_routes()[seed % len(list_routes())])
    d = int(rng.integers(1, 6))
    names = [str(n) for n in rng.choice(POOL, d, replace=False)]
    m = int(rng.choice([5, 10, 20, 25] if d > 3 else [10, 20, 50]))
    lines = []
    for i, name in enumerate(names):
        entry = [f'use = "{name}"', f'transport = "{int(rng.integers(0, 200))} km"']
        if rng.random() < 0.3:
            entry.append(f'min = "{100 * int(rng.integers(0, max(1, m // (2 * d)))) / m:g} %"')
        if rng.random() < 0.3 and d > 2:
            entry.append(f'max = "{100 * int(rng.integers(m // 2, m + 1)) / m:g} %"')
        if rng.random() < 0.2 and "LOI" in material(name).composition:
            entry.append("calcined = true")
        lines.append(f"m{i} = {{ {', '.join(entry)} }}")
    process = ""
    if route.name == "geopolymer":
        process += "[process.activate]\nNa2O_dose = ['3 %', '6 %']\nmodulus = [0, 1.2]\nwater_binder = '0.35 kg/kg'\n"
    elif route.name == "building_gypsum":
        process += "[process.calcine]\ntemperature = ['120 degC', '160 degC']\n"
    elif route.product_basis == "ignited" and rng.random() < 0.5:
        process += "[process]\nvolatilised = { SO3 = '7 %', K2O = '20 %', 'metal:Pb' = '50 %' }\n"
    head = (
        f'schema = 1\nname = "random {seed}"\nroute = "{route.name}"\n[materials]\n' + "\n".join(lines)
        + f'\nstep = "{100 / m:g} %"\n{process}'
    )  # fmt: skip
    return rng, route, head


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(140))
def test_random_recipe(seed):
    rng, route, head = random_recipe(seed)
    try:
        base = prepare(parse_recipe(f'{head}[objectives]\nwaste_fraction = "max"\n'))
    except RecipeError as exc:
        pytest.skip(f"no lattice, or an input is missing: {exc}")
    # values of random blends tell which criteria exist and where windows make sense
    lo, hi, m = np.array(base.space.lo), np.array(base.space.hi), base.space.m
    blends = []
    for _ in range(200):
        x = lo.copy()
        while x.sum() < m:
            x[rng.choice(np.flatnonzero(x < hi))] += 1
        blends.append(x)
    values = criterion_values(base, np.array(blends) / m, np.zeros(200, dtype=np.int64))
    known = [s for j, s in enumerate(route.criteria) if np.isfinite(values[:, j]).all() and np.ptp(values[:, j]) > 0]
    if not known:
        pytest.skip("nothing varies")
    require, objectives = [], []
    for symbol in rng.choice(known, min(len(known), int(rng.integers(0, 4))), replace=False):
        column = values[:, list(route.criteria).index(symbol)]
        a, b = np.quantile(column, [0.1, 0.9])
        unit = route.criteria[symbol].unit
        require.append(
            f'"{symbol}" = "{a:.6g} .. {b:.6g} {unit}"'.replace(' "', '"')
            if unit
            else f'"{symbol}" = "{a:.6g} .. {b:.6g}"'
        )
    for symbol in rng.choice(known, min(len(known), int(rng.integers(1, 5))), replace=False):
        sense = rng.choice(["min", "max"])
        objectives += [f'"{symbol}" = "{sense}"']
    standards = 'standards = ["GB 6566-2010/main_structure"]\n' if rng.random() < 0.5 else ""
    text = (
        head + "[require]\n" + "\n".join(require) + "\n" + standards + "[objectives]\n" + "\n".join(objectives) + "\n"
    )
    try:
        program = prepare(parse_recipe(text))
    except RecipeError as exc:
        pytest.skip(f"an input is missing: {exc}")
    result = search(program)
    n_feasible, expected = brute_force(program)
    found = {(int(p), *map(int, b)) for p, b in zip(result.point, result.blends, strict=True)}
    assert result.feasible + result.pruned_by.sum() == result.total
    assert result.feasible == n_feasible
    assert found == expected
