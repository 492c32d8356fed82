"""Equilibrium, calcination, kilns, kinetics and thermochemistry as a person or a script asks for them."""

import csv
import json
import shlex
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from wastelab.cli import _COMMANDS, main

CLINKER = ["CaO=66.6", "SiO2=21.5", "Al2O3=5.2", "Fe2O3=2.8"]  # Taylor, Cement Chemistry, from memory
MEAL = ["--phases", "calcite=77", "--phases", "kaolinite=10", "--phases", "quartz=10", "--phases", "hematite=3"]
RAMP = "10 K/min to 900 degC"
OURS = (
    "equilibrium",
    "phase-diagram",
    "calcine",
    "kiln",
    "fit-kinetics",
    "triplets",
    "thermo",
    "gypsum-phases",
    "liquid",
)


def run(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in args])
    out = capsys.readouterr()
    return stopped.value.code, out.out, out.err


def answer(capsys, *args, code=0):
    found, out, err = run(capsys, *args, "--json")
    assert found == code, err
    return json.loads(out)


def table_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """TG of an A2 reaction, Ea = 200 kJ/mol, ln A = 28, at four rates: plain tables with units in the headings."""
    from scipy.special import expn

    folder, noise = tmp_path_factory.mktemp("runs"), np.random.default_rng(1)
    files = []
    for rate in (2.5, 5.0, 10.0, 20.0):
        t = np.arange(450.0, 950.0, 1.0)
        g = np.exp(28.0) / (rate / 60) * t * expn(2, 200e3 / (8.314462618 * t))
        mass = 5.0 * (1.0 + 0.44 * np.expm1(-(g**2)) + 0.44 * noise.normal(0.0, 1e-3, t.size))
        rows = [f"{(x - t[0]) / rate:.6f},{x - 273.15:.3f},{m:.6f}" for x, m in zip(t, mass, strict=True)]
        files.append(folder / f"run{rate:g}.csv")
        files[-1].write_text("\n".join(["time_min,temperature_degC,mass_mg", *rows]) + "\n", encoding="utf-8")
    return files


@pytest.mark.parametrize("command", OURS)
def test_help_has_an_example(capsys, command):
    code, text, _ = run(capsys, command, "--help")
    assert code == 0
    assert "Example:" in text


def test_both_languages_have_the_same_words():
    folder = resources.files("wastelab") / "locale"
    en, zh = (tomllib.loads((folder / f"{x}.toml").read_text(encoding="utf-8")) for x in ("en", "zh"))
    for area in ("calcination", "figure", "mineral", "heat_item", "kiln_value"):
        assert set(en[area]) == set(zh[area])


def test_equilibrium_of_a_portland_clinker_is_near_bogue(capsys):
    data = answer(capsys, "equilibrium", *CLINKER, "--at", "1450 degC", "--suppress", "portland")
    minerals = {m: v["wt_percent_of_product"][0] for m, v in data["minerals"].items()}
    total = sum(float(p.split("=")[1]) for p in CLINKER)
    bogue = {"C3S": 68.8, "C2S": 9.75, "C3A": 9.04, "C4AF": 8.52}  # of the oxides as typed
    for name, value in bogue.items():
        assert minerals[name] == pytest.approx(100 * value / total, abs=1.5)
    assert data["minerals"]["C3S"]["name_zh"].startswith("阿利特")
    assert sum(minerals.values()) == pytest.approx(100)
    assert any("melt" in w for w in data["warnings"])
    assert data["evidence"] == "recipe"


def test_equilibrium_over_temperature_writes_what_it_says(capsys, tmp_path):
    parts = ["raw/limestone=60%", "coal_gangue/kaolinitic=40%"]
    options = ["--at", "1000 degC..1300 degC", "--step", "100 K", "--gas", "rotary_kiln, SO2=0.002 bar"]
    out = tmp_path / "平衡"
    code, text, err = run(capsys, "equilibrium", *parts, *options, "--out", out, "--lang", "zh")
    assert code == 0, err
    assert "平衡矿物组成" in text and "钙铝黄长石" in text and "0.002 bar" in text
    assert sorted(p.name for p in out.iterdir()) == ["equilibrium.nc", "minerals.csv", "minerals.png"]
    assert (out / "minerals.png").read_bytes().startswith(b"\x89PNG")
    rows = table_of(out / "minerals.csv")
    assert [float(r["temperature_degC"]) for r in rows] == [1000, 1100, 1200, 1300]
    with xr.open_dataset(out / "equilibrium.nc", engine="h5netcdf") as stored:
        assert stored["mineral_fraction"].sel(temperature=1300, mineral="C2AS").item() == pytest.approx(
            float(rows[-1]["C2AS_wt%"]) / 100
        )
    data = answer(capsys, "equilibrium", *parts, *options)
    assert data["temperature_degC"] == [1000, 1100, 1200, 1300]
    assert data["atmosphere"]["pressures_bar"]["SO2"] == 0.002
    assert data["mix"]["dry_fractions"] == {"raw/limestone": 0.6, "coal_gangue/kaolinitic": 0.4}


def test_equilibrium_uncertainty_repeats(capsys):
    args = ["equilibrium", *CLINKER, "--at", "1400 degC", "--uncertainty", "30", "--seed", "7"]
    first, second = answer(capsys, *args), answer(capsys, *args)
    assert first == second
    assert first["phases"]["C3A"]["sigma_wt_percent_of_product"][0] > 0
    assert "±" in run(capsys, *args, "--lang", "en")[1]


def test_equilibrium_closed_keeps_its_gas(capsys):
    calcite = ["CaO=56.03", "carbonate_CO2=43.97", "organic_C=0", "bound_water=0", "LOI=43.97"]
    data = answer(capsys, "equilibrium", *calcite, "--closed", "--at", "850 degC", "--at", "950 degC")
    assert data["minerals"]["calcite"]["wt_percent_of_product"] == pytest.approx([100, 0], abs=0.1)
    assert data["atmosphere"] is None


def test_equilibrium_takes_a_material_of_the_laboratory_and_a_card(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    oxides = "SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),MgO (%),SO3 (%),Na2O (%),K2O (%),TiO2 (%),P2O5 (%),烧失量 (%)"
    values = "46.13,25.02,7.25,8.02,1.81,0.12,4.74,0.63,4.70,0.42,0.53"
    (tmp_path / "xrf.csv").write_text(
        f"样品编号,固废类别,基准,{oxides}\nFA-01,粉煤灰,干基,{values}\n", encoding="utf-8"
    )
    assert run(capsys, "init", "lab", "--user", "Li Wei")[0] == 0
    assert run(capsys, "upload", "xrf.csv", "--operator", "Li Wei", "--lab", "lab")[0] == 0
    data = answer(capsys, "equilibrium", "lab:FA-01", "--at", "1100 degC", "--lab", "lab")
    assert list(data["mix"]["dry_fractions"].values()) == [1.0]
    assert data["set_aside_wt_percent"]["P2O5"] == pytest.approx(0.42)
    card = Path(str(resources.files("wastelab"))).parents[1] / "datasets/materials/raw/limestone.toml"
    (tmp_path / "my.toml").write_text(card.read_text(encoding="utf-8"), encoding="utf-8")
    mixed = answer(capsys, "equilibrium", "my.toml=20%", "lab:FA-01=80%", "--at", "1100 degC", "--lab", "lab")
    assert mixed["minerals"]["plagioclase"]["wt_percent_of_product"][0] > 10


def test_phase_diagram(capsys, tmp_path):
    args = ["phase-diagram", "CaO", "SiO2", "Al2O3", "--at", "1500 degC", "--step", "5 %"]
    data = answer(capsys, *args)
    assert ["CaO", "C3S", "C3A"] in [f["minerals"] for f in data["fields"]]
    assert data["compounds_wt_percent"]["C3S"] == pytest.approx({"CaO": 73.7, "SiO2": 26.3, "Al2O3": 0}, abs=0.1)
    code, text, _ = run(capsys, *args, "--out", tmp_path / "d", "--mark", "OPC:CaO=66,SiO2=22,Al2O3=6", "--lang", "en")
    assert code == 0 and "CaO + C3S + C3A" in text
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "phase_diagram.csv", "phase_diagram.nc", "phase_diagram.png",
    ]  # fmt: skip
    assert len(table_of(tmp_path / "d" / "phase_diagram.csv")) == 231 == data["points"]


def test_calcine_loses_what_stoichiometry_says(capsys, tmp_path):
    data = answer(capsys, "calcine", "--phases", "calcite=70", "--phases", "quartz=30", "--program", RAMP)
    assert 100 - data["mass_left_percent"] == pytest.approx(0.7 * 43.97, abs=0.01)
    assert data["reactions"][0]["reaction"] == "calcite"
    assert data["gas_released_wt_percent"]["CO2"] == pytest.approx(0.7 * 43.97, abs=0.01)
    out = tmp_path / "o"
    code, text, _ = run(capsys, "calcine", "coal_gangue/kaolinitic", "--program",
                        "以10 ℃/min 升温至 750 ℃,保温 60 分钟", "--out", out, "--lang", "zh")  # fmt: skip
    assert code == 0 and "偏高岭石" in text and "高岭石脱羟基" in text
    assert sorted(p.name for p in out.iterdir()) == ["calcination.csv", "calcination.nc", "tg.png"]
    rows = table_of(out / "calcination.csv")
    assert float(rows[-1]["temperature_degC"]) == pytest.approx(750)
    assert float(rows[-1]["time_min"]) == pytest.approx(72.5 + 60)


def test_calcine_takes_minerals_of_one_material_and_finishes_at_equilibrium(capsys):
    parts = ["red_mud/bayer-diasporic=40%", "raw/limestone=60%"]
    minerals = ["--phases", "red_mud/bayer-diasporic:hematite=11", "--phases", "red_mud/bayer-diasporic:goethite=10"]
    data = answer(capsys, "calcine", *parts, *minerals, "--program", RAMP, "--finish", "equilibrium")
    assert {r["reaction"] for r in data["reactions"]} >= {"calcite", "goethite"}
    assert sum(data["final_phases_wt_percent_of_product"].values()) == pytest.approx(100)


def test_kiln_closes_its_heat_balance(capsys, tmp_path):
    out = tmp_path / "kiln"
    data = answer(capsys, "kiln", *MEAL, "--target", "1450 degC", "--set", "excess_air=0.12", "--out", out)
    values = {k: v["value"] for k, v in data["values"].items()}
    assert 2.5 < values["specific_heat"] < 4.5  # GJ/t of a dry kiln with preheater: 3.0 to 4.0 in practice, from memory
    balance = [v for k, v in data["heat_balance"].items() if k != "unit"]
    assert sum(balance) == pytest.approx(0, abs=5e-3 * max(balance))
    assert values["CO2"] == pytest.approx(values["CO2_process"] + values["CO2_fuel"])
    assert sorted(p.name for p in out.iterdir()) == ["heat_balance.csv", "kiln.nc", "kiln.png", "profile.csv"]
    assert "bed_temperature [degC]" in table_of(out / "profile.csv")[0]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--equipment", "flash_calciner", "--d50", "30 um", "--conversion", "kaolinite=95%"], "入口气体温度"),
        (
            ["--equipment", "muffle_lab", "--program", "10 K/min to 750 degC, hold 2 h", "--set", "bed_depth=5 mm"],
            "剩余质量",
        ),
    ],
)
def test_other_equipment(capsys, tmp_path, options, word):
    code, text, err = run(capsys, "kiln", "coal_gangue/kaolinitic", *options, "--out", tmp_path / "k", "--lang", "zh")
    assert code == 0, err
    assert word in text and "偏高岭石" in text
    assert (tmp_path / "k" / "kiln.png").read_bytes().startswith(b"\x89PNG")
    data = answer(capsys, "kiln", "coal_gangue/kaolinitic", *options)
    assert data["conversion"]["kaolinite"] > 0.9499


def test_kiln_list(capsys):
    found = answer(capsys, "kiln", "--list")["equipment"]
    assert {"rotary_kiln_dry_preheater", "flash_calciner", "muffle_lab"} <= set(found)
    assert all(v["source"] for p in found.values() for v in p["values"].values())
    assert "bed_depth" in run(capsys, "kiln", "--list", "--equipment", "muffle_lab", "--lang", "en")[1]


def test_a_fit_goes_into_calcine_and_lies_over_its_measurement(capsys, runs, tmp_path):
    out = tmp_path / "fit"
    data = answer(
        capsys, "fit-kinetics", *runs, "--reaction", "calcite", "--model", "A2", "--model", "F1", "--out", out
    )
    assert data["triplet"]["Ea_kJ_mol"] == pytest.approx(200, abs=1)
    assert data["triplet"]["model"] == "A2"
    assert data["audit"]["agrees"] is True
    assert data["audit"]["laboratories"] == "implausible"  # made up: calcite goes 250 K higher
    assert {"report.txt", "kinetic_fit.nc", "triplet.csv", "models.csv", "energies.csv", "summary.png"} <= {
        p.name for p in out.iterdir()
    }
    compared = answer(
        capsys, "calcine", "--phases", "calcite=100", "--gas", "nitrogen", "--measured", runs[2],
        "--triplet", f"calcite={out / 'triplet.csv'}", "--out", tmp_path / "o",
    )  # fmt: skip
    assert compared["measured"]["rms"] < 0.2
    assert "measured.csv" in {Path(p).name for p in compared["files"].values()}
    assert compared["program"] == "the program of run10.csv"


def test_triplets_audit(capsys):
    rows = answer(capsys, "triplets", "kaolinite")["triplets"]
    assert {r["verdict"] for r in rows} == {"plausible", "implausible"}
    assert all(r["verdict"] == "plausible" for r in rows if r["default"])
    good = answer(capsys, "triplets", "kaolinite", "--check", "1e7 1/s", "145 kJ/mol", "F1")
    assert good["verdict"] == "plausible" and 467 < good["peak_degC"] < 567
    bad = answer(capsys, "triplets", "kaolinite", "--check", "1e7 1/min", "145 kJ/mol", "F1", code=1)
    assert bad["A_1_s"] == pytest.approx(1e7 / 60) and bad["verdict"] == "implausible"
    assert "不合理" in run(capsys, "triplets", "calcite", "--lang", "zh")[1]


def test_thermo(capsys):
    found = answer(capsys, "thermo", "C2S")["phases"]
    assert {p["phase"] for p in found} == {"C2S_beta", "C2S_gamma", "C2S_alpha_prime", "C2S_alpha"}
    gas = answer(capsys, "thermo", "CO2")["phases"][0]
    assert gas["dHf298_kJ_mol"] == pytest.approx(-393.51, abs=0.05)  # CODATA: -393.51 +- 0.13 kJ/mol
    _, text, _ = run(capsys, "thermo", "C4A3S", "--lang", "zh")
    assert "调整" in text and "硫铝酸钙" in text
    assert len(answer(capsys, "thermo")["phases"]) > 90
    code, out, _ = run(capsys, "thermo", "--check", "--json")
    report = json.loads(out)
    assert code == (0 if report["ok"] == report["all"] else 1)
    assert report["ok"] == sum(c["ok"] for c in report["checks"])


def test_plaster_and_liquid(capsys):
    plaster = answer(capsys, "gypsum-phases", "--first-gain", "0.26 %", "--full-gain", "15.9 %", "--loss", "5.95 %",
                     "--sulfate", "51 %")  # fmt: skip
    content = {p["phase"]: p["content"] for p in plaster["phases"]}
    assert content["hemihydrate"] == pytest.approx(79.8, abs=0.1)
    melt = answer(capsys, "liquid", *CLINKER, "MgO=1", "Na2O=0.2", "K2O=0.6", "SO3=1")
    assert [t["liquid"] for t in melt["temperatures"]] == pytest.approx([18.9, 23.3, 23.7], abs=0.05)
    assert "半水石膏" in run(capsys, "gypsum-phases", "--first-gain", "0.26 %", "--full-gain", "15.9 %", "--loss",
                         "5.95 %", "--lang", "zh")[1]  # fmt: skip


AT = ["--at", "1450 degC"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["equilibrium", *CLINKER, "--at", "1450"], "no unit"),
        (["equilibrium", *CLINKER, "--at", "2450 degC"], "outside"),
        (["equilibrium", "CaO=66.6", *AT], "sum to 66.6"),
        (["equilibrium", "CaO=-10", "SiO2=105", *AT], "negative"),
        (["equilibrium", *CLINKER, "Xx=1", *AT], "neither a material"),
        (["equilibrium", *CLINKER, "CaO=1", *AT], "given twice"),
        (["equilibrium", *CLINKER, *AT, "--gas", "rotary_klin"], "Did you mean 'rotary_kiln'"),
        (["equilibrium", *CLINKER, *AT, "--gas", "CO2=25"], "no unit"),
        (["equilibrium", *CLINKER, *AT, "--gas", "Xe=25 %"], "no gas 'Xe'"),
        (["equilibrium", *CLINKER, *AT, "--gas", "air, CO2"], "GAS=PRESSURE"),
        (["equilibrium", *CLINKER, *AT, "--suppress", "C12A77"], "Did you mean 'C12A7'"),
        (["equilibrium", *CLINKER, *AT, "--uncertainty", "20"], "--seed"),
        (["equilibrium", *CLINKER, *AT, "--phases", "nowhere.csv"], "no such file"),
        (["equilibrium", *CLINKER, "--at", "900 degC..800 degC"], "rising range"),
        (["equilibrium", *CLINKER, "--at", "800 degC..900 degC", "--step", "10"], "no unit"),
        (["equilibrium", "raw/limestone", *AT, "--closed"], "bound water"),
        (["equilibrium", "raw/limestone=50%", *AT], "sum to 50 %"),
        (["equilibrium", "raw/limeston", *AT], "Did you mean 'raw/limestone'"),
        (["equilibrium", "raw/limestone=50%", "CaO=50", *AT], "not both"),
        (["equilibrium", "lab:RM-01", *AT], "--lab DIR"),
        (["equilibrium", "nowhere.toml", *AT], "no file nowhere.toml"),
        (["equilibrium", *AT], "PARTS"),
        (["equilibrium", "", *AT], "NAME=SHARE"),
        (["phase-diagram", "CaO", "SiO2", "Xx"], "not a chemical formula"),
        (["phase-diagram", "CaO", "SiO2", "Al2O3", "--at", "1500"], "no unit"),
        (["calcine", "--program", RAMP], "--phases"),
        (["calcine", "--phases", "calcite=90"], "--program"),
        (["calcine", "red_mud/bayer-diasporic", "--program", RAMP], "--phases MATERIAL:"),
        (["calcine", "CaO=56", "LOI=44", "--program", RAMP], "mineral phases of the mix are not known"),
        (["calcine", "--phases", "calcite=120", "--program", RAMP], "sum to 120"),
        (["calcine", "--phases", "calcit=90", "--program", RAMP], "calcit"),
        (["calcine", "--phases", "calcite", "--program", RAMP], "PHASE=WT%"),
        (["calcine", "--phases", "calcite=90", "--program", "升温到九百度"], "not understood"),
        (["calcine", "--phases", "calcite=90", "--program", "10 K/min to 900"], "not understood"),
        (["calcine", "--phases", "calcite=90", "--program", ""], "empty"),
        (["calcine", "--phases", "calcite=90", "--program", RAMP, "--triplet", "calcite=1e10,190,F1"], "no unit"),
        (["calcine", "--phases", "calcite=90", "--measured", "nowhere.csv"], "nowhere.csv"),
        (["calcine", "raw/limestone", "--phases", "raw/clay:quartz=5", "--program", RAMP], "not in the mix"),
        (["kiln", *MEAL], "--target"),
        (["kiln", "--target", "1450 degC"], "--phases"),
        (["kiln", *MEAL, "--target", "1450"], "no unit"),
        (["kiln", *MEAL, "--target", "1450 degC", "--equipment", "rotary_kil"], "no equipment"),
        (["kiln", *MEAL, "--target", "1450 degC", "--equipment", "muffle_lab"], "for rotary equipment"),
        (["kiln", *MEAL, "--target", "1450 degC", "--set", "lenght=45 m"], "Did you mean 'length'"),
        (["kiln", *MEAL, "--target", "1450 degC", "--fuel", "coal"], "no fuel"),
        (["kiln", *MEAL, "--equipment", "flash_calciner"], "--d50"),
        (["fit-kinetics"], "give FILES"),
        (["fit-kinetics", "nowhere.csv"], "nowhere.csv"),
        (["fit-kinetics", "--sample", "RM-01"], "--lab DIR"),
        (["triplets", "kaolin"], "Did you mean 'kaolinite'"),
        (["triplets", "--check", "1e7", "145 kJ/mol", "F1"], "no unit"),
        (["triplets", "--check", "1e7 1/s", "145 kJ/mol", "Q9"], "no reaction model"),
        (["thermo", "yeelimit"], "Did you mean 'yeelimite'"),
        (["gypsum-phases", "--first-gain", "0.26", "--full-gain", "15.9 %", "--loss", "5.95 %"], "no unit"),
        (["liquid", "CaO=10", "SiO2=80", "Al2O3=5", "Fe2O3=2", "MgO=1", "Na2O=1", "K2O=1"], "outside 58 to 72"),
    ],
)  # fmt: skip
def test_wrong_use_exits_2_with_one_message_and_writes_nothing(capsys, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WASTELAB_LAB", raising=False)
    writes = args[0] in ("equilibrium", "phase-diagram", "calcine", "kiln", "fit-kinetics")
    code, out, err = run(capsys, *args, *(["--out", "o"] if writes else []))
    assert code == 2
    assert words in err
    assert "Traceback" not in err and err.count("Error:") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_single_rate_is_refused(capsys, runs, tmp_path):
    code, _, err = run(capsys, "fit-kinetics", runs[0], "--out", tmp_path / "o")
    assert (code, "single rate" in err) == (2, True)
    code, _, err = run(capsys, "fit-kinetics", *runs, "--window", "350..700", "--out", tmp_path / "o")
    assert (code, "no unit" in err) == (2, True)
    assert not (tmp_path / "o").exists()


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    import click

    from wastelab.cli._results import write_files

    def fails():
        raise OSError(28, "No space left on device")

    with pytest.raises(click.UsageError, match="No space left"):
        write_files(tmp_path / "new" / "o", {"a.txt": "whole", "b.png": fails})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.txt").write_text("old", encoding="utf-8")
    with pytest.raises(click.UsageError):
        write_files(tmp_path, {"a.txt": "new", "b.png": fails})
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def _page():
    return Path(__file__).parents[2] / "docs" / "calcination_commands.md"


def test_the_page_has_every_command_and_its_keys(capsys, tmp_path, monkeypatch, runs):
    """Every example of the page runs, and gives the keys that the page lists."""
    text = _page().read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for file in runs:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    seen = set()
    for section in text.split("\n## ")[1:]:
        name = section.split("\n", 1)[0].strip("`").removeprefix("wastelab ")
        if name not in _COMMANDS:
            continue
        seen.add(name)
        block = section.split("```sh\n")[1].split("```")[0].replace("\\\n", " ")
        keys = {line.split("`")[1] for line in section.split("\n") if line.startswith("| `")}
        for line in block.strip().split("\n"):
            args = shlex.split(line)[1:]
            body = answer(capsys, *args) if "--list" not in args else None
            if body is not None and args[0] == name and keys:
                assert set(body) <= keys | {"files"}, line
    assert seen == set(OURS)
