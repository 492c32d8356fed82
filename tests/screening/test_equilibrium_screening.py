"""Twin: a recipe whose phases come from equilibrium against brute force over its whole lattice."""

from itertools import product

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import linprog

import wastelab as wl
from wastelab.chemistry.formulas import atoms, molar_mass
from wastelab.errors import RecipeError
from wastelab.screening import _kernels, prepare
from wastelab.screening.assemblage import OXIDES
from wastelab.screening.pareto import nondominated
from wastelab.screening.recipe import parse_recipe
from wastelab.screening.search import search
from wastelab.screening.study import criterion_values, mix_components
from wastelab.simulate.atmosphere import ATMOSPHERES
from wastelab.simulate.charge import ELEMENTS
from wastelab.simulate.equilibrium import System, equilibrium
from wastelab.simulate.equilibrium._gather import weighted

HEAD = """\
schema = 1
name = "equilibrium twin"
route = "sulfoaluminate_clinker"
[materials]
mud = { use = "red_mud/bayer-diasporic", max = "40 %" }
gypsum = { use = "fgd_gypsum/wet", max = "30 %" }
bauxite = { use = "raw/bauxite", max = "40 %" }
limestone = "raw/limestone"
step = "5 %"
[process.calcine]
temperature = ["1200 degC", "1275 degC"]
pSO2 = "0.003 bar"
[require]
Cm = "0.7 .. 1.3"
C4A3S = ">= 15 wt%"
free_CaO = "< 2 wt%"
[objectives]
waste_fraction = "max"
C2S = "max"
co2 = "min"
[top]
by = "C2S"
k = 4
"""


def brute_force(program):
    """Every candidate by HiGHS over the same phases, and the minerals by hand."""
    space = program.space
    ranges = [range(lo, hi + 1) for lo, hi in zip(space.lo, space.hi, strict=True)]
    blends = np.array([b for b in product(*ranges) if sum(b) == space.m])
    rows = []
    for p, point in enumerate(program.points):
        mixes = mix_components(blends / space.m, point.components)
        amounts = np.zeros((len(blends), len(ELEMENTS)))
        for oxide in OXIDES:
            for element, k in atoms(oxide).items():
                amounts[:, ELEMENTS.index(element)] += k * 10 * mixes[oxide] / molar_mass(oxide)
        gas = ATMOSPHERES["rotary_kiln"].having(SO2=space.points[p]["pSO2"], O2=space.points[p]["pO2"])
        table = System.build(atmosphere=gas).table(space.points[p]["temperature"] + 273.15)
        a, cost, _ = table.arrays
        solved = [linprog(cost, A_eq=a.T, b_eq=b, method="highs") for b in table.system.take(amounts)]
        assert all(r.status == 0 for r in solved)
        mass = np.array([r.x for r in solved]) @ table.to_phase[table.usable]
        total = mass.sum(axis=1) + (mixes["mass"] - sum(mixes[o] for o in OXIDES)) / 100  # the rest is inert
        names = {"C4A3S": ["yeelimite"], "C2S": [n for n in table.phases if n.startswith("C2S_")], "free_CaO": ["lime"]}
        shares = {k: 100 * sum(mass[:, table.phases.index(n)] for n in members) / total for k, members in names.items()}
        held = np.zeros(len(blends))
        for j, name in enumerate(table.phases):
            if name in table.system.thermo and "S" in table.system.thermo[name].elements:
                phase = table.system.thermo[name]
                held += mass[:, j] / phase.molar_mass * phase.elements["S"] * molar_mass("SO3")
        rows.append(
            {
                "point": np.full(len(blends), p), "blend": blends, **shares,
                "SO3_loss": 100 * (1 - 100 * held / mixes["SO3"]),
                "Cm": program.route.criteria["Cm"].evaluate(mixes),
                "waste": program.route.criteria["waste_fraction"].evaluate(mixes),
                "co2": mixes["co2"] / total, "I_Ra": mixes["Ra226"] / 200 / total, "SO3": 100 * held / total,
            }
        )  # fmt: skip
    return {k: np.concatenate([r[k] for r in rows]) for k in rows[0]}


@pytest.fixture(scope="module")
def twin():
    return brute_force(prepare(parse_recipe(HEAD)))


def test_every_candidate_by_highs(twin):
    program = prepare(parse_recipe(HEAD))
    found = search(program, threads=2)
    linear = (twin["Cm"] >= 0.7) & (twin["Cm"] <= 1.3)
    feasible = linear & (twin["C4A3S"] >= 15) & (twin["free_CaO"] < 2)
    assert found.complete and found.feasible == feasible.sum() > 20
    assert found.total == len(linear) == found.feasible + found.pruned_by.sum()
    labels = [r.label for r in program.requirements]
    assert labels[-2:] == ["C4A3S >= 15 wt% (equilibrium)", "free_CaO < 2 wt% (equilibrium)"]
    assert found.pruned_by[-2] == (linear & (twin["C4A3S"] < 15)).sum() > 0
    values = np.stack([twin["waste"], twin["C2S"], twin["co2"]], axis=1)[feasible]
    best = nondominated(np.round(values, 7), ["max", "max", "min"])
    want = {(*map(int, b), int(p)) for b, p in zip(twin["blend"][feasible][best], twin["point"][feasible][best],
                                                   strict=True)}  # fmt: skip
    got = {(*map(int, b), int(p)) for b, p in zip(found.blends, found.point, strict=True)}
    assert got == want
    top = np.sort(twin["C2S"][feasible])[::-1][:4]
    study = wl.screen(parse_recipe(HEAD))
    listed = study.short_list
    assert listed[[str(i).startswith("top") for i in listed.index]]["C2S"].to_numpy() == pytest.approx(top)


def test_values_by_highs_and_by_the_public_equilibrium(twin):
    program = prepare(parse_recipe(HEAD))
    values = criterion_values(program, twin["blend"] / program.space.m, twin["point"])
    symbols = list(program.route.criteria)
    for symbol in ("C4A3S", "C2S", "free_CaO", "SO3_loss", "I_Ra", "SO3", "co2"):
        assert values[:, symbols.index(symbol)] == pytest.approx(twin[symbol], abs=2e-7)
    # the public function refines solid solutions, the search takes them as pseudo-phases
    rows = np.flatnonzero(twin["point"] == 1)[::40]
    mixes = mix_components(twin["blend"][rows] / program.space.m, program.points[1].components)
    oxides = [*OXIDES, "P2O5", "MnO"]
    table = np.array([100 * mixes[o] / mixes["mass"] for o in oxides]).T
    array = xr.DataArray(table, dims=("mix", "oxide"), coords={"oxide": oxides})
    public = equilibrium(array, "1275 degC", ATMOSPHERES["rotary_kiln"].having(SO2=0.003, O2=0.03))
    for symbol, mineral in (("C4A3S", "C4A3S"), ("C2S", "C2S"), ("free_CaO", "CaO")):
        share = 100 * public["mineral_fraction"].sel(mineral=mineral).values
        assert share == pytest.approx(values[rows, symbols.index(symbol)], abs=1.0)


def test_study_holds_both_calculations_and_says_which_is_which():
    study = wl.screen(parse_recipe(HEAD))
    assert {"C4A3S", "potential_C4A3S", "SO3_loss"} <= set(study.pareto.columns)
    assert set(study.pareto["temperature"]) <= {1200.0, 1275.0} and set(study.pareto["pSO2"]) == {0.003}
    assert any("EQUILIBRIUM" in s for s in study.info["statements"])
    assert not any("POTENTIAL" in s for s in study.info["statements"])
    assert (study.short_sigma["C4A3S"] > 0).all()
    data = study.dataset["short_data_sigma"].sel(criterion="C4A3S").values
    assert (data > 0).all() and (study.short_sigma["C4A3S"].to_numpy() >= data).all()
    assert (study.dataset["short_data_sigma"].sel(criterion="Cm").values == 0).all()
    warned = study.info["phase_warnings"]
    assert set(warned) == set(study.short_list.index)
    assert any("yeelimite is present and its data are weak" in text for text in next(iter(warned.values())))
    again = wl.screen(parse_recipe(HEAD))
    assert again.dataset.identical(study.dataset)
    assert not [v for v in study.verdicts.to_dict("records") if v.get("property") in ("C4A3S", "C2S")]


def test_report_shows_both_calculations_and_what_to_know(tmp_path):
    study = wl.screen(parse_recipe(HEAD))
    page = study.report(tmp_path / "out", lang="en")["html"].read_text(encoding="utf-8")
    assert "What to know of these phases" in page and "its data are weak" in page
    for symbol in ("C4A3S", "potential_C4A3S", "SO3_loss"):
        assert f"<b>{symbol}</b>" in page
    assert "矿物计算须知" in study.report(tmp_path / "zh", lang="zh")["html"].read_text(encoding="utf-8")


def test_mixes_with_too_much_that_has_no_data_are_kept_out():
    text = HEAD.replace('"raw/bauxite", max', '"raw/bauxite", override = { P2O5 = "20 %" }, max')
    program = prepare(parse_recipe(text))
    found = search(program)
    row = [r.symbol for r in program.requirements].index("set_aside")
    assert "5 wt% oxides without thermochemical data" in program.requirements[row].label
    assert found.pruned_by[row] > 0 and found.feasible + found.pruned_by.sum() == found.total
    mixes = program.mixes(found.blends / program.space.m, 0)
    assert (mixes["P2O5"] + mixes["MnO"] <= 0.05 * mixes["mass"] + 1e-9).all()


def test_a_tolerance_asks_for_the_same_hotter_and_colder():
    def feasible(temperature, extra=""):
        text = HEAD.replace('["1200 degC", "1275 degC"]', f'"{temperature} degC"').replace(
            'pSO2 = "0.003 bar"', f'pSO2 = "0.003 bar"\n{extra}'
        )
        program = prepare(parse_recipe(text))
        listed = _feasible_blends(program)
        assert len(listed) == search(program).feasible
        return listed

    want = feasible(1150) & feasible(1240) & feasible(1330)
    assert feasible(1240, 'temperature_tolerance = "90 K"') == want
    assert want < feasible(1240)
    with pytest.raises(RecipeError, match="process"):
        feasible(1450, 'temperature_tolerance = "100 K"')


def _feasible_blends(program):
    space = program.space
    ranges = [range(lo, hi + 1) for lo, hi in zip(space.lo, space.hi, strict=True)]
    blends = np.array([b for b in product(*ranges) if sum(b) == space.m])
    ok = (blends @ program.points[0].g <= program.points[0].threshold).all(axis=1)
    cut, stop = np.zeros(len(program.requirements), dtype=np.int64), np.zeros(1, dtype=np.int64)
    row = program.points[0]
    kept, _ = program.phase_search.chunk(
        blends[ok], 0, space.m, row.components, row.numerator, row.denominator, row.factor, cut, stop
    )
    return {tuple(map(int, b)) for b in kept}


def test_threads_do_not_matter():
    program = prepare(parse_recipe(HEAD))
    one, four = search(program, threads=1), search(program, threads=4)
    assert (one.blends == four.blends).all() and (one.objectives == four.objectives).all()
    assert (one.pruned_by == four.pruned_by).all() and (one.top_blends == four.top_blends).all()


def test_without_a_temperature_the_closed_formulas_stay():
    text = HEAD.replace('[process.calcine]\ntemperature = ["1200 degC", "1275 degC"]\npSO2 = "0.003 bar"\n', "")
    program = prepare(parse_recipe(text))
    assert program.phase_search is None and "potential_C4A3S" not in program.route.criteria
    assert any("POTENTIAL" in s for s in program.route.all_statements)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('temperature = ["1200 degC", "1275 degC"]\n', "", "'pSO2' does nothing without 'temperature'"),
        ('"1275 degC"', '"1700 degC"', "outside 1000 .. 1450 degC"),
        ('pSO2 = "0.003 bar"', 'pSO2 = "3"', "no unit"),
        ('pSO2 = "0.003 bar"', 'hold = "30 min"', "neither responds to time"),
        ('limestone = "raw/limestone"', 'limestone = "raw/limestone"\nslime = "tailings/iron-quartz"', None),
        ('Cm = "0.7 .. 1.3"\nC4A3S = ">= 15 wt%"\nfree_CaO = "< 2 wt%"', 'Cm = "0.7 .. 1.3"', None),
        ('C4A3S = ">= 15', 'C4A4S = ">= 15', "Did you mean 'C4A3S'"),
    ],
)
def test_recipes_that_cannot_be_run(old, new, words):
    text = HEAD.replace(old, new)
    assert text != HEAD
    if words is None:
        prepare(parse_recipe(text))
        return
    with pytest.raises(RecipeError, match=words):
        prepare(parse_recipe(text))


def test_a_temperature_grid_that_changes_nothing_is_refused():
    text = HEAD.replace('C4A3S = ">= 15 wt%"\nfree_CaO = "< 2 wt%"\n', "").replace('C2S = "max"\n', "")
    text = text.replace('by = "C2S"', 'by = "co2"')
    with pytest.raises(RecipeError, match="no phase is required or wanted"):
        prepare(parse_recipe(text))


def test_weigh_is_a_sum_over_the_assemblage():
    rng = np.random.default_rng(3)
    basis = rng.integers(0, 20, (50, 9)).astype(np.int32)
    amount = rng.random((50, 9)) * (rng.random((50, 9)) > 0.3)
    weights = rng.random((20, 4))
    out = np.empty((50, 4))
    weighted(basis, amount, weights, out)
    assert out == pytest.approx(np.einsum("nr,nrk->nk", amount, weights[basis]))


def test_listed_candidates_are_those_the_search_counts():
    text = HEAD.replace('[process.calcine]\ntemperature = ["1200 degC", "1275 degC"]\npSO2 = "0.003 bar"\n', "")
    program = prepare(parse_recipe(text.replace('"5 %"', '"2 %"').replace('free_CaO = "< 2 wt%"\n', "")))
    found = search(program)
    space, row = program.space, program.points[0]
    lo, hi = np.array(space.lo), np.array([min(h, space.m) for h in space.hi])
    count = _kernels.lattice_counts(lo, hi, space.m)
    table = _kernels.lower_bounds(row.g, lo, hi, space.m)
    for depth in (0, 1, 2):
        prefixes = np.array(
            [p for p in product(*(range(lo[i], hi[i] + 1) for i in range(depth))) if sum(p) <= space.m],
            dtype=np.int64,
        )
        prefixes = prefixes.reshape(len(prefixes) or 1, depth)
        prefixes = prefixes[count[depth, space.m - prefixes.sum(axis=1)] > 0] if depth else prefixes
        cut, out = np.zeros(len(program.requirements), dtype=np.int64), np.empty((found.feasible, 4), dtype=np.int32)
        number = _kernels.list_feasible(
            prefixes, lo, hi, space.m, row.g, row.threshold, table, count, np.arange(4), cut, out
        )
        assert number == found.feasible and cut.sum() + number == found.total
        assert (out.sum(axis=1) == space.m).all() and len(np.unique(out, axis=0)) == number
        assert (out.astype(np.int64) @ row.g <= row.threshold).all()
