"""The laboratory's commands as a technician types them, on real folders and files."""

import json

import pytest

from wastelab.cli import main

# the class F fly ash of doi:10.1016/s0956-053x(00)00105-7, as datasets/compositions/literature.csv has it (C008)
SHEET = (
    "样品编号,固废类别,基准,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),MgO (%),SO3 (%),Na2O (%),K2O (%),TiO2 (%),P2O5 (%),"
    "烧失量 (%)\nFA-01,粉煤灰,干基,46.13,25.02,7.25,8.02,1.81,0.12,4.74,0.63,4.70,0.42,0.53\n"
)


def run(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in args])
    out = capsys.readouterr()
    return stopped.value.code, out.out, out.err


@pytest.fixture
def lab_dir(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "init", "lab", "--name", "测试实验室", "--user", "Li Wei")
    assert (code, "测试实验室" in out) == (0, True)
    monkeypatch.setenv("WASTELAB_LAB", "lab")
    return tmp_path / "lab"


@pytest.fixture
def filled(lab_dir, capsys, tmp_path):
    (tmp_path / "xrf.csv").write_bytes(SHEET.encode("gb18030"))
    assert run(capsys, "upload", "xrf.csv", "--operator", "Li Wei")[0] == 0
    return lab_dir


def test_upload_show_search_and_verify(filled, capsys):
    code, out, _ = run(capsys, "samples", "--json")
    assert code == 0
    assert [s["code"] for s in json.loads(out)["samples"]] == ["FA-01"]
    code, out, _ = run(capsys, "show", "FA-01", "--json", "--values", "--history")
    body = json.loads(out)
    assert (code, body["kind"], body["record"]["waste_class"]) == (0, "sample", "fly_ash")
    assert {v["quantity"]: v["value"] for v in body["values"]}["SiO2"] == 46.13
    assert body["history"][0]["action"] == "upload"
    code, out, _ = run(capsys, "search", "FA-01", "--json")
    assert (code, json.loads(out)["results"][0]["code"]) == (0, "FA-01")
    code, out, _ = run(capsys, "verify", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_a_second_upload_adds_nothing(filled, capsys):
    code, out, _ = run(capsys, "upload", "xrf.csv", "--json")
    assert (code, json.loads(out)["receipts"][0]["outcome"]) == (0, "duplicate")


def test_a_refused_sheet_says_why_and_leaves_nothing(lab_dir, capsys, tmp_path):
    (tmp_path / "bad.csv").write_text(SHEET.replace("25.02", "45.02"), encoding="utf-8")
    code, out, _ = run(capsys, "upload", "bad.csv", "--lang", "zh")
    assert code == 1
    assert "119.37" in out or "119.4" in out
    assert "FA-01" in out
    assert json.loads(run(capsys, "samples", "--json")[1]) == {"samples": []}
    code, out, _ = run(capsys, "upload", "bad.csv", "--allow", "oxide_sum", "--json")
    assert code == 2  # a reason is missing
    code, out, _ = run(capsys, "upload", "bad.csv", "--allow", "nonsense", "--reason", "x")
    assert code == 2


def test_registering_and_lineage(filled, capsys):
    for args in (
        ("add", "source", "PLANT-1", "name_zh=电厂", "kind=plant", "waste_class=fly_ash"),
        ("add", "sample", "FA-01-D", "parent=FA-01", 'process={"step": "dried", "temperature": "105 degC"}'),
        ("add", "mix", "M-1", "components=FA-01-D=30 %, raw/portland-clinker=0.7", "water_binder=0.5"),
        ("add", "specimen", "M-1-a", "mix=M-1", 'curing=[{"temperature": "20 degC", "duration": "27 d"}]'),
        ("change", "sample", "FA-01", "source=PLANT-1", "--reason", "delivery note found"),
    ):
        code, out, err = run(capsys, *args)
        assert code == 0, err
    code, out, _ = run(capsys, "show", "M-1-a", "--json")
    codes = {row["code"] for row in json.loads(out)["lineage"]}
    assert {"M-1", "FA-01-D", "FA-01", "PLANT-1"} <= codes
    code, _, err = run(capsys, "add", "mix", "M-2", "components=FA-01=0.3")
    assert (code, "sum to 0.3" in err) == (2, True)
    code, _, err = run(capsys, "add", "sample", "FA-01", "waste_class=fly_ash")
    assert (code, "exists already" in err) == (2, True)


def test_retracting_needs_a_reason_and_is_final(filled, capsys):
    uid = json.loads(run(capsys, "show", "FA-01", "--json")[1])["measurements"][0]["measurement"]
    assert run(capsys, "approve", uid, "--by", "Wang Fang")[0] == 0
    assert run(capsys, "retract", uid, "--by", "Wang Fang", "--reason", "wrong crucible")[0] == 0
    code, _, err = run(capsys, "approve", uid, "--by", "Wang Fang")
    assert (code, "stays so" in err) == (2, True)
    assert run(capsys, "verify")[0] == 0


def test_backup_bundle_and_export(filled, capsys, tmp_path):
    code, out, _ = run(capsys, "backup", "backups", "--json")
    made = json.loads(out)["backup"]
    assert (code, run(capsys, "verify", "--lab", made)[0]) == (0, 0)
    code, out, _ = run(capsys, "bundle", "export", "all.zip", "--visibility", "group", "--json")
    assert code == 0
    run(capsys, "init", "other")
    assert run(capsys, "bundle", "import", "all.zip", "--lab", "other")[0] == 0
    assert [s["code"] for s in json.loads(run(capsys, "samples", "--lab", "other", "--json")[1])["samples"]] == [
        "FA-01"
    ]
    code, out, _ = run(capsys, "export", "tables", "--format", "csv", "--format", "xlsx", "--json")
    assert code == 0
    assert all((tmp_path / f).is_file() for f in json.loads(out)["files"])


def test_files_without_a_laboratory(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.xy").write_text("# 2theta counts\n" + "".join(f"{5 + 0.02 * i:.2f} {100 + i}\n" for i in range(50)))
    code, out, _ = run(capsys, "read", "p.xy", "--json")
    assert (code, json.loads(out)["readings"][0]["variables"]["two_theta"]["shape"]) == (0, [50])
    assert run(capsys, "read", "p.xy", "--csv", "p.csv")[0] == 0
    assert len((tmp_path / "p.csv").read_text(encoding="utf-8-sig").splitlines()) == 51
    assert run(capsys, "read", "missing.xy")[0] == 2
    assert "panalytical_xrdml" in run(capsys, "formats")[1]
    assert "oxide_sum" in json.loads(run(capsys, "gates", "--json")[1])
    code, out, _ = run(capsys, "template", "xrf", "--lang", "zh")
    assert (code, (tmp_path / out.strip()).is_file()) == (0, True)
    assert run(capsys, "template", "xrf", "--lang", "zh")[0] == 2  # never overwritten unasked


def test_no_laboratory_says_how_to_make_one(capsys, tmp_path):
    code, _, err = run(capsys, "samples", "--lab", tmp_path / "nowhere")
    assert (code, "wastelab init" in err) == (2, True)


def test_screening_takes_a_material_from_the_laboratory(filled, capsys):
    code, out, _ = run(capsys, "screen", "fly_ash_blended_cement", "--use", "ash=lab:FA-01", "--step", "5 %", "--json")
    assert code in (0, 1)
    assert json.loads(out)["counts"]["candidates"] > 0
    code, _, err = run(capsys, "screen", "fly_ash_blended_cement", "--use", "ash=lab:FA-99", "--dry-run")
    assert (code, "FA-99" in err) == (2, True)
    code, _, err = run(capsys, "screen", "fly_ash_blended_cement", "--use", "fly_ash=lab:FA-01", "--dry-run")
    assert (code, "fly_ash" in err) == (2, True)
