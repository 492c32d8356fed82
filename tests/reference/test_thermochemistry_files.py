"""Tables of phases: what a user's file may do, and how a bad one is refused."""

import re
from pathlib import Path

import pytest

from wastelab.errors import DatasetError, ValidityError
from wastelab.provenance import Evidence
from wastelab.reference import thermo_report as report
from wastelab.reference.phase_bounds import enthalpy_fault
from wastelab.reference.thermochemistry import COLUMNS, adjustments, phase_groups, phase_names, sets, thermochemistry

DOCS = Path(__file__).parents[2] / "docs" / "thermochemistry.md"
HEAD = ("id", *COLUMNS, "source", "evidence", "licence")
ROW = {
    "id": "x/0", "phase": "x", "formula": "CaSiO3", "state": "solid", "set": "primary", "segment": "0",
    "dHf298": "-1630", "S298": "80", "cp_a": "100", "cp_b": "0.02", "cp_c": "-2e6", "cp_d": "0", "cp_e": "0",
    "cp_f": "0", "T_min": "298.15", "T_max": "1000", "dHtr": "0", "sigma_G": "1", "weak": "", "source": "own",
    "evidence": "primary", "licence": "own",
}  # fmt: skip
SECOND = {**ROW, "id": "x/1", "segment": "1", "dHf298": "", "S298": "", "T_min": "1000", "T_max": "1500"}


def write(folder, *rows, name="own.csv", head=HEAD):
    file = folder / name
    file.write_text("\n".join([",".join(head), *(",".join(r[c] for c in head) for r in rows)]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def data_root(tmp_path, monkeypatch):
    """An own folder of data with an empty thermochemistry."""
    folder = tmp_path / "datasets" / "thermochemistry"
    folder.mkdir(parents=True)
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    for cached in (phase_names, phase_groups, report.checks, report.absent_phases):
        cached.cache_clear()
    yield folder
    for cached in (phase_names, phase_groups, report.checks, report.absent_phases):
        cached.cache_clear()


def test_the_example_of_the_documentation_runs(tmp_path):
    table = re.search(r"```csv\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[1]
    file = tmp_path / "andalusite.csv"
    file.write_text(table, encoding="utf-8")
    thermo = thermochemistry(file)
    assert len(thermo) == len(thermochemistry()) + 1
    assert thermo["andalusite"].sigma_G == 1250.0 and thermo["andalusite"].group == "andalusite"
    found = report.equilibrium_temperature(thermo, "3 andalusite -> mullite_3to2 + quartz")
    assert 900 < found < 1700


def test_a_phase_of_two_segments(tmp_path):
    phase = thermochemistry(write(tmp_path, ROW, {**SECOND, "dHtr": "500"}))["x"]
    assert (phase.T_min, phase.T_max) == (298.15, 1500.0)
    assert float(phase.enthalpy(1000.001) - phase.enthalpy(999.999)) == pytest.approx(500.0, abs=1.0)
    assert phase.source.evidence == Evidence.PRIMARY and phase.dHf298 == -1630e3


def test_a_user_phase_replaces_the_shipped_one_without_its_adjustments(tmp_path):
    file = write(tmp_path, {**ROW, "phase": "calcite", "formula": "CaCO3", "dHf298": "-1207"})
    phase = thermochemistry(file)["calcite"]
    assert phase.dHf298 == -1207e3 and phase.adjustments == ()
    with pytest.raises(ValidityError, match=r"298\.15 to 1000 K"):
        phase.gibbs(1200.0)


def test_bounds_hold_for_every_shipped_set_and_leave_room():
    """No value of any source is refused; joules in the column of kilojoules and a lost sign nearly always are."""
    refused = 0
    rows = [(name, set_name) for name, found in sets().items() for set_name in found]
    for name, set_name in rows:
        phase = thermochemistry(choose={name: set_name}, adjusted=False)[name]
        assert enthalpy_fault(phase.elements, phase.dHf298 / 1e3) == "", (name, set_name)
        refused += bool(enthalpy_fault(phase.elements, -phase.dHf298 / 1e3))
        refused += bool(enthalpy_fault(phase.elements, phase.dHf298))
    assert len(rows) > 150 and refused > 1.85 * len(rows)


def test_a_phase_of_another_substance_is_refused_in_an_own_folder(data_root):
    write(data_root, {**ROW, "phase": "calcite", "formula": "CaSiO3"}, name="mine.csv")
    with pytest.raises(DatasetError, match=r"mine.csv, line 2, column formula: 'CaSiO3', but calcite is CaCO3"):
        thermochemistry()


def test_the_same_substance_written_another_way_is_taken(tmp_path):
    file = write(tmp_path, {**ROW, "phase": "portlandite", "formula": "CaO2H2", "dHf298": "-985"})
    assert thermochemistry(file)["portlandite"].formula == "CaO2H2"


def test_a_changed_file_is_read_again(tmp_path):
    assert thermochemistry(write(tmp_path, ROW))["x"].S298 == 80.0
    assert thermochemistry(write(tmp_path, {**ROW, "S298": "81.25"}))["x"].S298 == 81.25


def test_a_folder_of_own_data(data_root):
    write(data_root, {**ROW, "phase": "C3S_R", "formula": "Ca3SiO5", "dHf298": "-2930", "cp_a": "180"}, name="mine.csv")
    (data_root / "names.toml").write_text('[phases]\nC3S_R = { name = "own alite", group = "C3S" }\n', encoding="utf-8")
    thermo = thermochemistry()
    assert thermo["C3S_R"].dHf298 == -2930e3 and not thermo["C3S_R"].adjustments  # shipped ones are for shipped rows
    assert thermo["C3S_M3"].adjustments
    assert phase_names()["C3S_R"].name == "own alite" == phase_names()["C3S_R"].name_zh
    (data_root / "adjustments.toml").write_text(
        '[[adjust]]\nphase = "C3S_R"\ndH_kJ_mol = 2\nreason = "own"\nsource = "own"\nevidence = "primary"\n',
        encoding="utf-8",
    )
    assert adjustments()["C3S_R"][0].dH == 2.0
    assert thermochemistry()["C3S_R"].dHf298 == -2928e3


BAD_ROWS = [
    ({"dHf298": "nan"}, r"line 2, column dHf298: 'nan' is not finite"),
    ({"dHf298": ""}, r"line 2, column dHf298: is empty; expected a number \(x\)"),
    ({"cp_a": "ten"}, r"line 2, column cp_a: 'ten' is not a number"),
    ({"S298": "-5"}, r"line 2, column S298: -5 J/\(mol K\) is not positive"),
    ({"cp_a": "-100"}, r"line 2, column cp_a: Cp is .* at 298 K; expected a positive value"),
    ({"sigma_G": "-1"}, r"line 2, column sigma_G: -1 kJ/mol is negative"),
    ({"dHtr": "-3"}, r"line 2, column dHtr: -3 J/mol is negative"),
    ({"state": "glass"}, r"line 2, column state: 'glass' is not one of solid, gas"),
    ({"state": "liquid"}, r"line 2, column state: 'liquid': melts .* last segment, with the heat of melting as dHtr"),
    ({"dHf298": "-1630000"}, r"line 2, column dHf298: -1.63e\+06 kJ/mol is .* fit with .*: J instead of kJ"),
    ({"dHf298": "1630"}, r"line 2, column dHf298: 1630 kJ/mol is .* from the elements.*: the sign"),
    ({"dHf298": "-389.6"}, r"line 2, column dHf298: -389.6 kJ/mol is .*: kcal"),
    ({"dHf298": "-163"}, r"line 2, column dHf298: -163 kJ/mol is \+276.6 kJ per mole of atoms .*, -2296 to -1246"),
    ({"S298": "0.08"}, r"line 2, column S298: 0.08 J/\(mol K\) is outside 20 to 300"),
    ({"S298": "8000"}, r"line 2, column S298: 8000 J/\(mol K\) is outside 20 to 300"),
    ({"cp_a": "0.1", "cp_b": "1e-4", "cp_c": "0"}, r"line 2, column cp_a: Cp is 0.1298 .* expected 20 to 400"),
    ({"cp_e": "1"}, r"line 2, column cp_a: Cp is .* at 298 K; .* the powers of T that they belong to"),
    ({"T_max": "1e5"}, r"line 2, column T_max: 100000 K is above 6000 K"),
    ({"sigma_G": "1250"}, r"line 2, column sigma_G: 1250 kJ/mol is above 200; expected kJ/mol, not J/mol"),
    ({"formula": "Li2SiO3"}, r"line 2, column formula: Li2SiO3 holds Li; the set covers Ca, .* Leave the phase out"),
    ({"formula": "Si3N4"}, r"line 2, column formula: Si3N4 holds N; the set covers"),
    ({"phase": "quartz", "formula": "Al2SiO5"}, r"line 2, column formula: 'Al2SiO5', but quartz is SiO2 in phases.csv"),
    ({"state": "gas"}, r"line 2, column phase: 'x', state 'gas': gases, and only they, end in '\(g\)'"),
    ({"formula": "Ca2(SiO4"}, r"line 2, column formula: 'Ca2\(SiO4' is not a chemical formula"),
    ({"T_min": "200"}, r"line 2, column T_min: 200 K is below the reference temperature"),
    ({"T_max": "250"}, r"line 2, column T_max: 250 K is not above T_min 298.15 K"),
    ({"segment": "1"}, r"line 2, column segment: '1', expected 0"),
    ({"evidence": "sure"}, r"line 2, column evidence: 'sure' is not one of"),
    ({"evidence": ""}, r"line 2, column evidence: is empty"),
    ({"source": ""}, r"line 2, column source: is empty"),
    ({"licence": " "}, r"line 2, column licence: is empty"),
    ({"phase": ""}, r"line 2, column phase: is empty"),
    ({"set": "mine"}, r"line 2, column set: x is in set 'mine', so it would not be used; .*choose=\{'x': 'mine'\}"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ROWS)
def test_a_bad_row_is_refused(tmp_path, change, message):
    with pytest.raises(DatasetError, match=message) as caught:
        thermochemistry(write(tmp_path, {**ROW, **change}))
    assert str(tmp_path / "own.csv") in str(caught.value)


BAD_SEGMENTS = [
    ({"T_min": "1010"}, "line 3, column T_min: 1010 K leaves a gap after the segment before, which ends at 1000 K"),
    ({"T_min": "900"}, "line 3, column T_min: 900 K overlaps the segment before"),
    ({"formula": "CaO"}, "line 3, column formula: 'CaO' differs from the segment before"),
    ({"state": "liquid"}, "line 3, column state: 'liquid' differs from the segment before"),
    ({"segment": "0"}, "line 3, column segment: '0', expected 1"),
    ({"dHf298": "-1000"}, "line 3, column dHf298: -1000 differs from the first segment"),
    ({"id": "x/0"}, "line 3, column id: 'x/0' already stands in line 2"),
]


@pytest.mark.parametrize(("change", "message"), BAD_SEGMENTS)
def test_segments_that_do_not_fit_are_refused(tmp_path, change, message):
    with pytest.raises(DatasetError, match=message):
        thermochemistry(write(tmp_path, ROW, {**SECOND, **change}))


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(DatasetError, match=r"none.csv: there is no such file; expected a table"):
        thermochemistry(tmp_path / "none.csv")
    with pytest.raises(DatasetError, match=r"line 1: column 'T_max' is missing. Did you mean 'T_min'"):
        thermochemistry(write(tmp_path, ROW, head=tuple(c for c in HEAD if c != "T_max")))


ADJUST = {"phase": '"x"', "dH_kJ_mol": "1", "reason": '"r"', "source": '"s"', "evidence": '"memory"'}
BAD_ADJUSTMENTS = [
    ({"phase": '"y"'}, "adjust 1, phase: 'y' is in no primary set of a table in that folder"),
    ({"evidence": '"sure"'}, "adjust 1, evidence: 'sure' is not one of primary, computed"),
    ({"evidence": "3"}, "adjust 1, evidence: found 3, expected text"),
    ({"dH_kJ_mol": '"much"'}, "adjust 1, dH_kJ_mol: found 'much', expected a number"),
    ({"dH_kJ_mol": "nan"}, "adjust 1, dH_kJ_mol: found nan, expected a number"),
    ({"dH_kJ_mol": "0"}, "adjust 1: changes nothing"),
    ({"reason": '" "'}, "adjust 1, reason: found ' ', expected text"),
    ({"dH": "1"}, "adjust 1, dH: is not known"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ADJUSTMENTS)
def test_a_bad_adjustment_is_refused(data_root, change, message):
    write(data_root, ROW)
    text = "[[adjust]]\n" + "".join(f"{k} = {v}\n" for k, v in {**ADJUST, **change}.items())
    (data_root / "adjustments.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        thermochemistry()
    assert thermochemistry(adjusted=False)["x"].dHf298 == -1630e3


BAD_FILES = [
    ("names.toml", "[phases]\nx = 3\n", phase_names, "phases.x: found 3, expected"),
    ("names.toml", '[phases]\nx = { nam = "X" }\n', phase_names, "phases.x, nam: is not known. Did you mean 'name'"),
    ("names.toml", '[phases]\nx = { name = "" }\n', phase_names, "phases.x, name: found '', expected text"),
    ("names.toml", '[phases]\nx = { group = "C2SS" }\n', phase_groups, "'C2SS' is neither this phase nor one of gro"),
    ("names.toml", "names = 1\n", phase_names, "names: is not known; expected schema, phases, groups"),
    ("checks.toml", '[[check]]\nid = "a"\n', report.checks, "check 1, reaction: found None, expected text"),
    (
        "checks.toml",
        '[[check]]\nid = "a"\nreaction = "a -> b"\nquantity = "Q"\nsource = "s"\nevidence = "memory"\n',
        report.checks,
        "check 1, quantity: 'Q' is not one of T, log pO2, H, G",
    ),
    (
        "checks.toml",
        '[[check]]\nid = "a"\nreaction = "a -> b"\nquantity = "H"\nsource = "s"\nevidence = "memory"\nlow=1\nhigh=2\n',
        report.checks,
        "check 1, at: found None, expected a number",
    ),
    ("absent.toml", '[[absent]]\nformula = "CaO"\n', report.absent_phases, "absent 1, name: found None, expected text"),
    (
        "absent.toml",
        '[[absent]]\nformula = "Ca("\nname = "a"\nname_zh = "a"\nwhy = "a"\ninstead = "a"\nT_low = 1\nT_high = 2\n',
        report.absent_phases,
        "absent 1, formula: 'Ca\\(' is not a chemical formula",
    ),
]


@pytest.mark.parametrize(("name", "text", "reader", "message"), BAD_FILES)
def test_bad_files_beside_the_table_are_refused(data_root, name, text, reader, message):
    (data_root / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as caught:
        reader()
    assert name in str(caught.value)


def test_absent_phases_are_absent():
    known = {tuple(sorted(p.elements.items())) for p in thermochemistry().values()}
    from wastelab.chemistry.formulas import atoms

    absent = report.absent_phases()
    assert len(absent) > 12
    for phase in absent:
        assert tuple(sorted(atoms(phase.formula).items())) not in known
        assert phase.T_low < phase.T_high and phase.name_zh


def test_a_table_that_is_no_file():
    with pytest.raises(DatasetError, match="5 is no file"):
        thermochemistry(5)
