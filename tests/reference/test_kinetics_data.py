"""Shipped kinetic data: sources, balances, defaults that predict what laboratories see, and files of one's own."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import DatasetError, UnknownNameError
from wastelab.provenance import Evidence
from wastelab.reference.kinetics import (
    LIQUID,
    imbalance,
    not_modelled,
    reaction,
    reactions,
    reported_energies,
    triplet,
    triplet_table,
    triplets,
    windows,
)
from wastelab.reference.thermochemistry import thermochemistry
from wastelab.simulate.kinetics.audit import TripletWarning, audit, audit_triplet, load_triplets
from wastelab.simulate.kinetics.separable import conversion_at

DOCS = Path(__file__).resolve().parents[2] / "docs" / "kinetics.md"


def test_every_reaction_balances_and_its_phases_have_formulas() -> None:
    for r in reactions().values():
        terms = [(r.formulas[p], n) for p, n in r.stoichiometry.items() if not p.endswith("(g)")]
        assert not imbalance(terms + [(g[:-3], n) for g, n in r.gas.items()]), r.id
        assert r.consumed[r.reactant] == 1.0
        assert r.name_zh and r.source.text


def test_mass_losses_of_pure_minerals() -> None:
    # from standard atomic weights: kaolinite 13.96, calcite 43.97, gypsum 20.93 (both steps), goethite 10.14 wt%
    def loss(*names: str) -> float:
        chain = [reaction(n) for n in names]
        mol, total = 1.0, 0.0
        for r in chain:
            total += mol * sum(n * molar_mass(g[:-3]) for g, n in r.gas.items())
            mol *= next(iter(r.produced.values())) if len(chain) > 1 else 1.0
        return 100 * total / molar_mass(chain[0].formulas[chain[0].reactant])

    assert loss("kaolinite") == pytest.approx(13.96, abs=0.005)
    assert loss("calcite") == pytest.approx(43.97, abs=0.005)
    assert loss("gypsum_beta", "bassanite_beta") == pytest.approx(20.93, abs=0.005)
    assert loss("goethite") == pytest.approx(10.14, abs=0.005)
    # pyrite gains 2.75 O2 and loses 2 SO2: 33.4 wt% lost
    assert loss("pyrite") == pytest.approx(100 * (1 - 0.5 * molar_mass("Fe2O3") / molar_mass("FeS2")), abs=1e-9)


def test_heats_follow_from_thermochemistry_where_phases_are_known() -> None:
    thermo = thermochemistry()
    r = reaction("calcite")
    assert float(thermo.reaction_enthalpy(r.stoichiometry, 298.15)) / 1e3 == pytest.approx(178.8, abs=1.5)
    assert reaction("free_water").enthalpy == 44.0e3 and "memory" in reaction("free_water").enthalpy_source
    assert reaction("illite").enthalpy is None


@pytest.mark.parametrize("name", [t.id for t in triplets().values() if t.default])
def test_every_default_predicts_a_peak_where_laboratories_see_it(name: str) -> None:
    t = triplet(name)
    result = audit_triplet(t.A, t.Ea, t.model, t.process)
    assert result.verdict == "plausible", str(result)


def test_reactions_use_only_defaults_and_each_default_serves() -> None:
    used = {r.triplet.id for r in reactions().values() if r.triplet and r.prompt_above is None}
    assert used == {t.id for t in triplets().values() if t.default}
    assert reaction("muscovite").triplet is None


def test_a_completed_triplet_gives_back_the_peak_it_was_made_from() -> None:
    completed = [t for t in triplets().values() if t.peak_K is not None]
    assert len(completed) >= 3
    for t in completed:
        assert t.peak_rate_K_min is not None and t.peak_K is not None
        beta = t.peak_rate_K_min / 60.0
        program = f"from 20 degC, {t.peak_rate_K_min} K/min to 1300 degC"
        grid = np.arange(t.peak_K - 60, t.peak_K + 60, 0.1)
        alpha = conversion_at(program, t.A, t.Ea, t.model, (grid - 293.15) / beta)
        peak = grid[np.argmax(np.gradient(alpha, grid))]
        assert peak == pytest.approx(t.peak_K, abs=1.0), t.id
        assert t.source.evidence is Evidence.MEMORY  # the rate or the paper of the peak is not known for sure


# Computed independently with another integrator when the rows were collected [K at 10 K/min].
@pytest.mark.parametrize(
    ("name", "peak", "half"),
    [
        ("kaolinite/ptacek-2010-pt204", 961, 981), ("kaolinite/ptacek-2010-tca-f3", 604, 612),
        ("kaolinite/ptacek-2010-tca-f2", 634, 635), ("kaolinite/ptacek-2010-pt203", 1165, 1192),
        ("calcite/overall-study-r2", 1056, 1033), ("calcite/crystals-2020-r2", 907, 893),
        ("calcite/crystals-2020-r3", 913, 902), ("calcite/crystals-2020-f1", 920, 914),
        ("gypsum/screening-memory", 394, 392), ("gibbsite/zhu-2010", 492, 487), ("boehmite/zhu-2010", 710, 705),
        ("goethite/screening-memory", 533, 528), ("carbon/screening-memory", 858, 841),
        ("free_water/eskelinen-2015", 330, 328), ("kaolinite/eskelinen-2015", 810, 800),
        ("metakaolinite/eskelinen-2015", 1254, 1249),
    ],
)  # fmt: skip
def test_audit_against_the_peaks_of_another_integrator(name: str, peak: float, half: float) -> None:
    t = triplet(name)
    result = audit_triplet(t.A, t.Ea, t.model, t.process)
    assert result.peak_K == pytest.approx(peak, abs=1.0)
    assert result.T50_K is not None
    assert abs(result.T50_K - half) < 2.0


def test_first_order_peak_obeys_the_condition_of_kissinger() -> None:
    # beta Ea / (R Tp^2) = A exp(-Ea/RTp) holds exactly for F1
    a, ea = 4.783e11, 227e3
    peak = audit_triplet(a, ea, "F1").peak_K
    assert peak is not None
    r = 8.31446261815324
    assert (10 / 60) * ea / (r * peak**2) == pytest.approx(a * math.exp(-ea / (r * peak)), rel=3e-5)


def test_what_was_read_about_curves_agrees_with_the_defaults() -> None:
    # gibbsite "completely transformed into boehmite at about 317 degC" at 10 K/min: Zhu et al. 2010, abstract
    t = triplet("gibbsite/zhu-2010-per-minute")
    done = audit_triplet(t.A, t.Ea, t.model, "gibbsite").T90_K
    assert done is not None
    assert abs(done - (317 + 273.15)) < 15
    # trans- and cis-vacant layers part near 600 degC: Derkowski & Kuligiewicz, abstract of the review on smectites
    tv, cv = (triplet(f"illite/ondro-2019-{k}") for k in ("tv", "cv"))
    peaks = [audit_triplet(x.A, x.Ea, x.model, "illite").peak_K for x in (tv, cv)]
    assert peaks[0] is not None and peaks[1] is not None
    assert peaks[0] < 873 < peaks[1]
    # two laboratories, calcite in N2 (five rates, R2) and 0.9 mm limestone (R3): the same step within 50 K at any rate
    for rate in (5, 10, 20, 40):
        program = f"from 25 degC, {rate} K/min to 1200 degC"
        grid = np.arange(800.0, 1400.0, 0.5)
        at = (grid - 298.15) * 60 / rate
        half = []
        for name in ("calcite/overall-study-r2", "calcite/limestone-2016-r3"):
            x = triplet(name)
            half.append(grid[np.argmax(conversion_at(program, x.A, x.Ea, x.model, at) >= 0.5)])
        assert abs(half[0] - half[1]) < 50
    # anhydrite III goes on to II not below about 140 degC, kaolinite from 450 to 650 degC in most laboratories
    k = triplet("kaolinite/eskelinen-2015")
    result = audit_triplet(k.A, k.Ea, k.model, "kaolinite")
    assert result.T10_K is not None and result.T90_K is not None
    assert 450 + 273 - 25 < result.T10_K < result.T90_K < 650 + 273


def test_the_usual_mistakes_are_named() -> None:
    assert "1/min would give 574 K" in audit_triplet(2.93e9, 108.50e3, "F0.96", "gibbsite").hint
    assert "kcal" in audit_triplet(1e7, 145e3 / 4.184, "F1", "kaolinite").hint
    assert "multiplied by 60" in audit_triplet(1e7 / 60, 145e3, "F1", "kaolinite").hint
    assert re.search(r"10\^\+5\.\d times", audit_triplet(2.21e8, 242e3, "F3", "kaolinite").hint)
    assert audit_triplet(1e7, 145e3, "F1").verdict == "no window"
    frozen = audit_triplet(1e-3, 300e3, "F1", "kaolinite")
    assert frozen.peak_K is None and frozen.verdict == "implausible" and "no peak" in str(frozen)
    assert audit_triplet(1e14, 40e3, "F1", "kaolinite").peak_K is None  # gone before it starts


def test_audit_table_covers_every_triplet() -> None:
    table = audit()
    assert set(table.index) == set(triplets()) == set(triplet_table().index)
    assert (table.loc[table["default"], "verdict"] == "plausible").all()
    assert (table["verdict"] == "implausible").sum() >= 10
    assert set(table["window evidence"]) <= {"", "memory"}


def _block() -> str:
    rows = [
        "| triplet | model | Ea kJ/mol | peak °C | seen °C | verdict | default | evidence |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, r in audit().iterrows():
        peak = "none" if r["peak [K]"] is None or math.isnan(r["peak [K]"]) else f"{r['peak [K]'] - 273.15:.0f}"
        seen = (
            "" if math.isnan(r["window low [K]"])
            else f"{r['window low [K]'] - 273.15:.0f}–{r['window high [K]'] - 273.15:.0f}"
        )  # fmt: skip
        hint = f" ({r['hint']})" if r["hint"] else ""
        rows.append(
            f"| {name} | {r['model']} | {r['Ea [kJ/mol]']:g} | {peak} | {seen} | {r['verdict']}{hint} | "
            f"{'yes' if r['default'] else ''} | {r['evidence']} |"
        )
    return "\n".join(rows)


def test_docs_show_the_audit_as_it_is() -> None:
    text = DOCS.read_text(encoding="utf-8")
    found = re.search(r"<!-- audit: begin -->\n(.*?)\n<!-- audit: end -->", text, re.S)
    assert found is not None
    assert found[1] == _block(), "docs/kinetics.md is out of date; put the text of _block() between its markers"


def test_reported_energies_are_kept_apart() -> None:
    energies = reported_energies()
    assert energies["ternesite/materials-2022"].Ea == pytest.approx(239.8e3)
    assert energies["gypsum/lopez-2015"].Ea is None and energies["gypsum/lopez-2015"].high == pytest.approx(118e3)
    assert not set(energies) & set(triplets())


def test_atmosphere_decides_which_reaction_runs() -> None:
    known = reactions()
    air, inert = {"O2": 0.2}, {"O2": 1e-5}
    assert known["siderite_oxidising"].runs(air) and not known["siderite_neutral"].runs(air)
    assert known["siderite_neutral"].runs(inert) and not known["siderite_oxidising"].runs(inert)
    assert known["gypsum_beta"].runs({"H2O": 0.75}) and known["gypsum_beta"].runs({"H2O": 1.0})
    assert known["gypsum_alpha"].runs({LIQUID: 1.0}) and not known["gypsum_beta"].runs({LIQUID: 1.0})
    for reactant in {r.reactant for r in known.values() if r.conditions}:
        rivals = [r for r in known.values() if r.reactant == reactant and r.conditions]
        for p in ({}, {"O2": 0.2, "H2O": 0.5}, {"CO": 0.1}, {"H2O": 1.0, "O2": 2e-3}):
            assert sum(r.runs(p) for r in rivals) <= 1


ROW = "own/kaolin,kaolinite,K -> MK + 2 H2O,{A},{Ea},F1,,own TG at 5-20 K/min,primary,own\n"
HEAD = "id,process,reaction,A_1_s,Ea_kJ_mol,model,default,source,evidence,licence\n"


def test_own_triplets_are_audited_on_the_way_in(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(HEAD + ROW.format(A="1.2e7", Ea=145), encoding="utf-8")
    bad.write_text(HEAD + ROW.format(A="6e8", Ea=145), encoding="utf-8")
    assert list(load_triplets(good)) == ["own/kaolin"]
    with pytest.warns(TripletWarning, match=r"own/kaolin.*1/min"):
        assert load_triplets(bad)["own/kaolin"].A == 6e8


@pytest.mark.parametrize(
    ("a", "ea", "words"),
    [("-3", 145, "A_1_s"), ("1e7", 145000, "outside 10 to 1000"), ("1e7", "", "Ea_kJ_mol"), ("abc", 145, "A_1_s")],
)
def test_bad_triplets_are_refused_by_place(tmp_path: Path, a: str, ea: object, words: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(HEAD + ROW.format(A=a, Ea=ea), encoding="utf-8")
    with pytest.raises(DatasetError, match=words) as found:
        triplets(file)
    assert "line 2" in str(found.value)


def _example(language: str) -> str:
    """The example of that language in the documentation."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


OWN = _example("toml")


def test_the_table_in_the_documentation_is_read(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(_example("text"), encoding="utf-8")
    own = load_triplets(file)["own/kaolin"]
    assert (own.A, own.Ea, own.source.evidence) == (1.2e7, 145e3, Evidence.PRIMARY)


def test_a_reaction_is_added_by_file(tmp_path: Path) -> None:
    file = tmp_path / "reactions_own.toml"
    file.write_text(OWN, encoding="utf-8")
    added = reactions(file)
    assert added["zeolite"].stoichiometry == {"zeolite": -1.0, "zeolite_dry": 1.0, "H2O(g)": 2.0}
    assert set(reactions()) == set(added) - {"zeolite"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"H2O(g)" = 2', '"H2O(g)" = 1', "does not balance"),
        ("zeolite_dry = 1 }", "zeolit = 1 }", "no thermochemical"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\ntriplet = "nobody"', "no triplet"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\ntriplet = "gibbsite/zhu-2010"', "no default"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\napproach = { gas = "CO2", kind = "equilibrium" }', "no gas of"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\nafter = ["calcite"]', "makes none"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\nspeed = 3', "no field"),
        ('name_zh = "沸石脱水"', "", "name_zh"),
        ('formula = "Na2Al2Si3O10"', 'formula = "Nope"', "formula"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\nenthalpy_kJ_mol = 3', "enthalpy_source"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\nonset_K = 20', "onset_K: 20 K is outside"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\nprompt_above_K = 500', "prompt_source"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\nprompt_above_K = 500\ntriplet = "carbon/screening-memory"',
         "one or the other"),
        ('reactant = "zeolite"', 'reactant = "zeolite"\ncondition = { Ar = { from = 1 } }', "no gas 'Ar'"),
    ],
)  # fmt: skip
def test_bad_reactions_are_refused_by_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "reactions_own.toml"
    assert old in OWN
    file.write_text(OWN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DatasetError, match=words):
        reactions(file)


NOT_MODELLED = """
[[not_modelled]]
phases = ["graphite"]
condition = { SO2 = { from = 1e-2 } }
above_K = 900
text = "carbon reduces SO2"
text_zh = "碳还原SO2"
source = "mine"
evidence = "memory"
"""


def test_what_is_not_modelled_is_read_and_refused_by_place(tmp_path: Path) -> None:
    file = tmp_path / "reactions_own.toml"
    file.write_text(NOT_MODELLED, encoding="utf-8")
    first = not_modelled(file)[0]
    assert first.text == "carbon reduces SO2" and first.happens({"SO2": 0.02}) and not first.happens({})
    for i, (old, new, words) in enumerate([
        ('["graphite"]', '["graphit"]', "no phase 'graphit'"), ('["graphite"]', '"graphite"', "list of phases"),
        ("above_K = 900", "", "above_K"), ('evidence = "memory"', 'evidence = "hearsay"', "evidence"),
    ]):  # fmt: skip
        bad = tmp_path / f"bad_{i}.toml"
        bad.write_text(NOT_MODELLED.replace(old, new), encoding="utf-8")
        with pytest.raises(DatasetError, match=words):
            not_modelled(bad)


def test_a_step_law_has_its_peak_at_its_temperature() -> None:
    t = reaction("anhydrite_III").triplet
    assert t is not None
    found = audit_triplet(t.A, t.Ea, t.model)
    assert found.peak_K == pytest.approx(623.0, abs=0.2)
    assert found.T10_K is not None and found.T90_K is not None and found.T90_K - found.T10_K < 15


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="kaolinite"):
        reaction("kaolinit")
    with pytest.raises(UnknownNameError, match="eskelinen"):
        triplet("kaolinite/eskelinen")
    assert windows()["kaolinite"].source.evidence is Evidence.MEMORY
