"""The command line as a person or a script uses it."""

import json

import pytest

from wastelab.cli import main


def run(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        main(list(args))
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


def test_screen_writes_study_and_report(capsys, tmp_path):
    out = tmp_path / "赤泥 study"
    code, text, err = run(capsys, "screen", "red_mud_bye_clinker", "--step", "5 %", "--out", str(out), "--lang", "en")
    assert code == 0
    assert (out / "study.nc").is_file() and (out / "report.html").is_file()
    assert "Pareto-optimal" in text
    assert "from memory" in text.lower()
    assert "candidates" in err
    code, text, _ = run(capsys, "report", str(out), "--lang", "zh", "--out", str(tmp_path / "zh"))
    assert code == 0
    assert "判定" in (tmp_path / "zh" / "report.html").read_text(encoding="utf-8")


def test_screen_json(capsys):
    code, text, _ = run(capsys, "screen", "red_mud_bye_clinker", "--step", "5 %", "--json")
    data = json.loads(text)
    assert code == 0
    assert data["counts"]["feasible"] + data["counts"]["discarded"] == data["counts"]["candidates"]
    assert data["evidence"] == "memory"


def test_screen_infeasible_exits_1(capsys, tmp_path):
    _, text, _ = run(capsys, "recipes", "red_mud_bye_clinker")
    file = tmp_path / "strict.toml"
    file.write_text(text.replace(">= 20 wt%", ">= 90 wt%"), encoding="utf-8")
    code, text, _ = run(capsys, "screen", str(file), "--step", "5 %", "--lang", "en")
    assert code == 1
    assert "No mix meets every requirement" in text
    assert "C4A3S >= 90" in text


def test_dry_run_counts_and_writes_nothing(capsys, tmp_path):
    code, text, _ = run(capsys, "screen", "red_mud_bye_clinker", "--dry-run", "--json", "--out", str(tmp_path / "o"))
    assert code == 0
    assert json.loads(text)["candidates"] == 55_090_555
    assert not (tmp_path / "o").exists()


def test_judge(capsys):
    assert run(capsys, "judge", "GB 6566-2010/main_structure", "I_Ra=0.8", "I_gamma=1.0")[0] == 0
    code, text, _ = run(capsys, "judge", "GB 6566-2010/main_structure", "I_Ra=0.8", "I_gamma=1.2", "--json")
    assert code == 1
    assert json.loads(text)["status"] == "fail"
    code, text, _ = run(capsys, "judge", "GB 6566-2010/main_structure", "I_Ra=0.8", "--lang", "zh")
    assert code == 1
    assert "未知" in text
    assert "GB 6566-2010" in run(capsys, "judge", "--list")[1]


@pytest.mark.parametrize(
    ("name", "content"),
    [("p.json", '{"I_Ra": 0.8, "I_gamma": "1.0"}'), ("p.csv", "property,value\nI_Ra,0.8\nI_gamma,1.0\n")],
)
def test_judge_from_file(capsys, tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    assert run(capsys, "judge", "GB 6566-2010/main_structure", "--file", str(file))[0] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["judge", "GB 6566-2010/main_structur", "I_Ra=1"], "Did you mean 'main_structure'"),
        (["judge", "GB 6566-2010/main_structure", "I_Ra"], "name=value"),
        (["judge", "GB 6566-2010/main_structure", "I_Ra=x"], "I_Ra"),
        (["judge"], "give a grade"),
        (["blend", "raw/limestone=0.5"], "sum to 0.5"),
        (["blend", "raw/limeston=1"], "Did you mean 'raw/limestone'"),
        (["blend", "raw/limestone"], "material=share"),
        (["datasets", "show", "red_mud/bayer"], "There is no material"),
        (["datasets", "list", "material"], "Did you mean 'materials'"),
        (["screen", "no_such_recipe"], "no recipe file"),
        (["screen", "red_mud_bye_clinker", "--step", "7 %"], "does not divide"),
        (["screen", "red_mud_bye_clinker", "--step", "2"], "no unit"),
        (["screen", "red_mud_bye_clinker", "--out", __file__], "is a file"),
        (["screen", "red_mud_bye_clinker", "--out", f"{__file__}/below"], "is a file"),
        (["report", "nowhere.nc"], "no such study"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_use_exits_2_with_one_message(capsys, args, words):
    code, _, err = run(capsys, *args)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


def test_blend(capsys):
    code, text, _ = run(capsys, "blend", "red_mud/bayer-diasporic=30%", "raw/limestone=70%", "--json")
    data = json.loads(text)
    assert code == 0
    assert data["contents"]["CaO"] == pytest.approx(0.3 * 14 + 0.7 * 52)
    wet = json.loads(run(capsys, "blend", "red_mud/bayer-diasporic=0.5", "raw/limestone=0.5", "--wet", "--json")[1])
    assert wet["dry_fractions"]["red_mud/bayer-diasporic"] == pytest.approx(0.35 / 0.84)
    assert "LSF" in run(capsys, "blend", "raw/limestone=0.8", "raw/shale=0.2")[1]


def test_datasets(capsys):
    counts = json.loads(run(capsys, "datasets", "list", "--json")[1])
    assert counts["materials"] > 30 and counts["standards"] > 40
    assert "red_mud/bayer-diasporic" in run(capsys, "datasets", "list", "materials", "--waste-class", "red_mud")[1]
    card = run(capsys, "datasets", "show", "red_mud/bayer-diasporic", "--lang", "en")[1]
    assert "from memory" in card
    assert "kg CO2/GJ" in run(capsys, "datasets", "show", "fuel")[1]
    assert "main_structure" in run(capsys, "datasets", "show", "GB 6566-2010")[1]
    values = json.loads(run(capsys, "datasets", "show", "raw/limestone", "--json")[1])["values"]
    assert values["CaO"]["evidence"] == "memory"


def test_recipes(capsys):
    assert "red_mud_bye_clinker" in run(capsys, "recipes")[1]


@pytest.mark.parametrize("command", ["screen", "judge", "blend", "report", "recipes", "datasets"])
def test_help_has_an_example(capsys, command):
    code, text, _ = run(capsys, command, "--help")
    assert code == 0
    assert "Example" in text or command == "datasets"
