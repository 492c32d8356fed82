"""What a technician meets at the command line: remedies that work, words in Chinese, sharing, clear endings."""

import io
import json
import os
import subprocess
import sys

import pytest

from wastelab.cli import main

HEAD = (
    "样品编号,固废类别,基准,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),MgO (%),SO3 (%),Na2O (%),K2O (%),TiO2 (%),P2O5 (%),"
    "烧失量 (%)\n"
)
ROW = "46.13,25.02,7.25,8.02,1.81,0.12,4.74,0.63,4.70,0.42,0.53\n"  # doi:10.1016/s0956-053x(00)00105-7
SHEET = HEAD + "FA-01,粉煤灰,干基," + ROW


def run(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in args])
    out = capsys.readouterr()
    return stopped.value.code, out.out, out.err


@pytest.fixture
def lab_dir(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WASTELAB_LANG", "en")
    assert run(capsys, "init", "lab", "--user", "Li Wei")[0] == 0
    monkeypatch.setenv("WASTELAB_LAB", "lab")
    return tmp_path / "lab"


@pytest.fixture
def filled(lab_dir, capsys, tmp_path):
    (tmp_path / "xrf.csv").write_text(SHEET, encoding="utf-8")
    assert run(capsys, "upload", "xrf.csv", "--operator", "Li Wei")[0] == 0
    return lab_dir


def uid_of(capsys, code="FA-01"):
    return json.loads(run(capsys, "show", code, "--json")[1])["measurements"][0]["measurement"]


# -- registering
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_remedy_for_an_unknown_sample_can_be_typed_as_it_is_printed(lab_dir, capsys, tmp_path, lang):
    import re
    import shlex

    (tmp_path / "x.csv").write_text(SHEET.replace("粉煤灰", "").replace("FA-01", "RM-15"), encoding="utf-8")
    code, out, _ = run(capsys, "upload", "x.csv", "--lang", lang)
    assert code == 1
    command = shlex.split(re.search(r"wastelab (add sample [^)]*)\)", out)[1])
    assert run(capsys, *command)[0] == 0
    assert "RM-15" in run(capsys, "samples")[1]
    assert "code=" not in run(capsys, "samples")[1]
    assert run(capsys, "upload", "x.csv")[0] == 0


def test_a_label_is_no_field(lab_dir, capsys):
    code, _, err = run(capsys, "add", "sample", "code=RM-15", "waste_class=red_mud")
    assert (code, "'code=RM-15' is no code" in err) == (2, True)
    code, _, err = run(capsys, "add", "sample", "code=RM-15", "waste_class=red_mud", "--lang", "zh")
    assert (code, "不是编号" in err) == (2, True)


# -- words in Chinese
def test_basis_and_class_are_taken_in_chinese(lab_dir, capsys, tmp_path):
    (tmp_path / "x.csv").write_text(
        SHEET.replace(",基准", "").replace(",干基", "").replace(",固废类别", "").replace(",粉煤灰", ""),
        encoding="utf-8",
    )
    code, _, err = run(capsys, "upload", "x.csv", "--basis", "干基", "--class", "粉煤灰")
    assert (code, err) == (0, "")
    assert "FA-01" in run(capsys, "samples", "--class", "粉煤灰")[1]
    assert "FA-01" not in run(capsys, "samples", "--class", "赤泥")[1]
    shown = json.loads(run(capsys, "show", "FA-01", "--json")[1])
    assert shown["measurements"][0]["basis"] == "dry"
    code, _, err = run(capsys, "upload", "x.csv", "--basis", "湿润")
    assert (code, "as_received" in err) == (2, True)
    assert run(capsys, "bundle", "export", "b.zip", "--class", "粉煤灰", "--visibility", "group")[0] == 0
    listed = run(capsys, "datasets", "list", "materials", "--waste-class", "赤泥")[1]
    assert "red_mud/" in listed
    assert "fly_ash/" not in listed


def test_search_knows_the_chinese_name_of_a_class(filled, capsys):
    for word in ("粉煤灰", "fly_ash", "FA-01", "粉煤灰 fa-01"):
        assert "FA-01" in run(capsys, "search", word)[1], word
    assert "FA-01" not in run(capsys, "search", "赤泥")[1]


# -- what was retracted stays in sight
def test_show_lists_what_was_retracted_and_its_history(filled, capsys):
    uid = uid_of(capsys)
    assert run(capsys, "retract", uid, "--by", "Wang Fang", "--reason", "wrong crucible")[0] == 0
    body = json.loads(run(capsys, "show", "FA-01", "--history", "--json")[1])
    assert [m["status"] for m in body["measurements"]] == ["retracted"]
    events = [(e["entity"], e["change"], e["reason"]) for e in body["history"]]
    assert ("measurement", "retracted", "wrong crucible") in events
    assert ("sample", "insert", "") in events
    assert [e["seq"] for e in body["history"]] == sorted(e["seq"] for e in body["history"])
    _, out, _ = run(capsys, "show", "FA-01", "--history")
    assert "retracted" in out
    assert "wrong crucible" in out


# -- sharing
def test_what_is_shared_at_upload_leaves_in_a_bundle(lab_dir, capsys, tmp_path):
    (tmp_path / "xrf.csv").write_text(SHEET, encoding="utf-8")
    assert run(capsys, "upload", "xrf.csv", "--visibility", "public", "--licence", "CC-BY-4.0")[0] == 0
    code, out, err = run(capsys, "bundle", "export", "b.zip", "--visibility", "public", "--json")
    assert (code, err, json.loads(out)["records"]["measurement"]) == (0, "", 1)
    record = json.loads(run(capsys, "show", "FA-01", "--json")[1])
    assert (record["record"]["licence"], record["record"]["visibility"]) == ("CC-BY-4.0", "public")


def test_an_empty_bundle_says_how_to_share(filled, capsys, tmp_path):
    code, _, err = run(capsys, "bundle", "export", "b.zip")
    assert code == 1
    assert "wastelab change measurement" in err
    code, out, err = run(capsys, "change", "sample", "FA-01", "visibility=public", "--reason", "published")
    assert code == 0
    code, _, err = run(capsys, "bundle", "export", "b2.zip")
    assert (code, "no measurement" in err) == (0, True)
    uid = uid_of(capsys)
    assert run(capsys, "change", "measurement", uid, "visibility=public", "--reason", "published")[0] == 0
    code, out, err = run(capsys, "bundle", "export", "b3.zip")
    assert (code, err) == (0, "")
    assert "{" not in out
    run(capsys, "init", "other")
    assert run(capsys, "bundle", "import", "b3.zip", "--lab", "other")[0] == 0


def test_the_status_of_a_measurement_is_not_changed_by_the_way(filled, capsys):
    uid = uid_of(capsys)
    code, _, err = run(capsys, "change", "measurement", uid, "status=verified", "--reason", "quick")
    assert (code, "wastelab approve" in err) == (2, True)
    code, _, err = run(capsys, "change", "measurement", "nonsense", "visibility=public", "--reason", "x")
    assert (code, "nonsense" in err) == (2, True)


# -- consoles
@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii"])
def test_a_console_that_lacks_characters_gets_what_it_can_show(filled, tmp_path, encoding):
    env = {**os.environ, "PYTHONIOENCODING": encoding, "WASTELAB_LANG": "zh", "PYTHONUTF8": "0"}
    for args in (["show", "FA-01"], ["gates"], ["samples"], ["show", "FA-99"]):
        done = subprocess.run(
            [sys.executable, "-c", "from wastelab.cli import main; main()", *args], env=env, capture_output=True
        )
        assert b"UnicodeEncodeError" not in done.stderr
        assert done.returncode == (2 if args[-1] == "FA-99" else 0)
        assert len(done.stdout + done.stderr) > 10


def test_the_encoding_of_a_console_is_kept(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit):
        main(["gates", "--lang", "zh"])
    out.flush()
    assert (out.encoding, b"oxide_sum" in out.buffer.getvalue()) == ("cp1252", True)


# -- errors in the language asked for
@pytest.mark.parametrize(
    "args, english, chinese",
    [
        (("samples", "--lab", "nowhere"), "There is no laboratory in nowhere", "nowhere 中没有实验室"),
        (("upload", "xrf.csv", "--allow", "oxide_sum"), "give a reason", "须说明理由"),
        (("upload", "xrf.csv", "--allow", "oxide_sun", "--reason", "x"), "you mean 'oxide_sum'", "是否应为“oxide_sum”"),
        (("samples", "--class", "red_mudd"), "There is no waste class 'red_mudd'. Did", "没有固废类别“red_mudd”。是否"),
        (("samples", "--source", "HEAP-9"), "There is no source 'HEAP-9' in", "没有来源“HEAP-9”"),
        (("show", "FA-02"), "'FA-02' in this laboratory. Did you mean 'FA-01'?", "是否应为“FA-01”"),
        (("add", "specimen", "P-1", "mix=M-9"), "There is no mix 'M-9'", "没有配比“M-9”"),
        (("change", "instrument", "X-1", "note=a", "--reason", "b"), "There is no instrument 'X-1'", "没有仪器“X-1”"),
        (("samples", "--from", "2026-13-45"), "does not exist", "没有这一天"),
        (("samples", "--from", "morgen"), "is no date", "不是日期"),
        (("add", "sample", "FA-01", "waste_class=fly_ash"), "sample 'FA-01' exists already", "样品“FA-01”已存在"),
        (("add", "mix", "M-1", "components=FA-01=0.3"), "sum to 0.3, expected 1", "合计为 0.3,应为 1"),
        (("add", "sample", "Z-1"), "sample 'Z-1': the field 'waste_class' is missing", "样品“Z-1”缺少字段"),
        (("retract", "UID", "--by", "Wang", "--reason", " "), "A retraction needs a reason", "撤销须说明理由"),
        (("retract", "UID", "--by", "Wang", "--reason", "x"), "There is no measurement UID", "没有检测 UID"),
    ],
)  # fmt: skip
def test_errors_of_the_laboratory_speak_both_languages(filled, capsys, monkeypatch, args, english, chinese):
    code, out, err = run(capsys, *args)
    assert (code, out, err.startswith("Error: ")) == (2, "", True)
    assert english in err
    code, out, err = run(capsys, *args, "--lang", "zh")
    assert (code, err.startswith("错误:")) == (2, True)
    assert chinese in err
    monkeypatch.setenv("WASTELAB_LANG", "zh_CN.UTF-8")
    assert chinese in run(capsys, *args)[2]


# -- tables
def test_tables_speak_chinese_and_json_does_not(filled, capsys):
    _, out, _ = run(capsys, "samples", "--lang", "zh")
    assert "编号" in out
    assert "粉煤灰" in out
    assert "fly_ash" not in out
    assert "waste_class" not in out
    _, out, _ = run(capsys, "show", "FA-01", "--lang", "zh", "--values", "--history")
    for word in ("样品 FA-01", "草稿", "干基", "状态", "操作", "上传"):
        assert word in out
    for code in ("draft", "insert", "fly_ash", "measured_at"):
        assert code not in out
    _, out, _ = run(capsys, "search", "FA-01", "--lang", "zh")
    assert "类型" in out
    assert "样品" in out
    assert set(json.loads(run(capsys, "search", "FA-01", "--lang", "zh", "--json")[1])["results"][0]) == {
        "entity", "code", "snippet",
    }  # fmt: skip
    listed = json.loads(run(capsys, "samples", "--json", "--lang", "zh")[1])
    assert listed["samples"][0]["waste_class"] == "fly_ash"


def test_the_account_speaks_chinese(lab_dir, capsys):
    run(capsys, "ledger", "yard", "N1", "kind=shed")
    code, _, err = run(capsys, "ledger", "batch", "B-1", "赤泥", "2026/3/2", "--yard", "N1", "--mass", "3 t")
    assert (code, err) == (0, "")
    _, out, _ = run(capsys, "ledger", "entries", "--lang", "zh")
    for word in ("接收", "批次", "2026-03-02"):
        assert word in out
    _, out, _ = run(capsys, "ledger", "balance", "--lang", "zh")
    assert "赤泥" in out
    code, _, err = run(capsys, "ledger", "receive", "B-1", "-2 t", "2026-03-03")
    assert (code, "masses are above zero" in err) == (2, True)
    code, _, err = run(capsys, "ledger", "batch", "B-2", "赤泥", "2026-03-02", "--yard", "N1", "--mass", "-2 t")
    assert (code, "above zero" in err) == (2, True)


def test_every_list_is_one_json_object(filled, capsys):
    for args, key in (
        (("samples",), "samples"),
        (("search", "FA-01"), "results"),
        (("formats",), "formats"),
        (("quality", "calibrations"), "calibrations"),
        (("quality", "repeatability"), "repeatability"),
        (("ledger", "entries"), "entries"),
        (("ledger", "balance"), "balance"),
        (("ledger", "storage"), "storage"),
        (("ledger", "trace", "FA-01"), "trace"),
    ):
        code, out, _ = run(capsys, *args, "--json")
        assert (code, isinstance(json.loads(out)[key], list)) == (0, True), args


def test_flags_are_names(lab_dir, capsys, tmp_path):
    (tmp_path / "x.csv").write_text(SHEET.replace(",基准", "").replace(",干基", ""), encoding="utf-8")
    code, out, _ = run(capsys, "upload", "x.csv", "--allow", "basis", "--reason", "from the report")
    assert code == 0, out
    flags = json.loads(run(capsys, "show", "FA-01", "--json")[1])["measurements"][0]["flags"]
    assert "basis" in flags
    _, out, _ = run(capsys, "show", "FA-01")
    assert '["' not in out
    assert "basis" in out


def test_many_samples_are_cut_on_the_screen_only(lab_dir, capsys):
    from wastelab.lab import open_lab

    with open_lab("lab") as lab:
        for number in range(203):
            lab.add("sample", code=f"RM-{number:03d}", waste_class="red_mud")
    _, out, _ = run(capsys, "samples")
    assert "3 more; --limit 203 shows all" in out
    assert ("RM-199" in out, "RM-200" in out) == (True, False)
    assert "RM-202" in run(capsys, "samples", "--limit", "203")[1]
    assert len(json.loads(run(capsys, "samples", "--json")[1])["samples"]) == 203


# -- nothing there
def test_what_is_not_there_is_said(lab_dir, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    code, out, err = run(capsys, "upload", "empty")
    assert (code, out, "No file was found in empty" in err) == (1, "", True)
    assert "没有文件" in run(capsys, "upload", "empty", "--lang", "zh")[2]
    code, _, err = run(capsys, "upload", "missing.csv")
    assert (code, "There is no missing.csv" in err) == (2, True)
    (tmp_path / "xrf.csv").write_text(SHEET, encoding="utf-8")
    code, out, _ = run(capsys, "upload", "missing.csv", "xrf.csv")
    assert (code, "missing.csv" in out) == (1, True)
    code, out, _ = run(capsys, "quality", "calibrations")
    assert (code, "No instrument is registered" in out) == (0, True)
    code, out, _ = run(capsys, "quality", "repeatability")
    assert (code, "no replicates" in out) == (0, True)


@pytest.mark.parametrize("text", ["2026/3/2", "2026.3.2", "2026年3月2日", "2026-03-02"])
def test_dates_as_people_write_them(lab_dir, capsys, text):
    assert run(capsys, "add", "sample", "S-1", "waste_class=red_mud", f"collected_at={text}")[0] == 0
    assert json.loads(run(capsys, "samples", "--json")[1])["samples"][0]["collected_at"] == "2026-03-02"
    assert "S-1" in run(capsys, "samples", "--from", text, "--to", text)[1]
    assert "S-1" in run(capsys, "samples", "--from", "2026-03")[1]


def test_examples_are_not_wrapped(capsys):
    def commands(group, path=()):
        import click

        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if isinstance(command, click.Group):
                yield from commands(command, (*path, name))
            else:
                yield (*path, name), command

    from wastelab.cli import cli

    for path, command in commands(cli):
        written = [" ".join(line.split()) for line in (command.help or "").splitlines() if "Example:" in line]
        _, out, _ = run(capsys, *path, "--help")
        shown = [" ".join(line.split()) for line in out.splitlines()]
        for example in written:
            assert example in shown, path


def test_short_answers_speak_chinese(lab_dir, capsys, monkeypatch):
    monkeypatch.setenv("WASTELAB_LANG", "zh")
    assert "尚无内容" in run(capsys, "init", "lab")[1]
    assert run(capsys, "add", "sample", "S-1", "waste_class=赤泥")[1].startswith("样品 S-1")
    assert "样品: 1" in run(capsys, "init", "lab")[1]
    run(capsys, "add", "instrument", "X-1", "technique=XRF")
    assert "是" in run(capsys, "quality", "calibrations")[1]
    code, out, err = run(capsys, "bundle", "export", "b.zip", "--visibility", "group")
    assert (code, err, "样品 1" in out) == (0, "", True)  # nothing was withheld
    code, out, err = run(capsys, "bundle", "export", "c.zip")
    assert (code, "未导出任何内容" in err, "未导出:" in out) == (1, True, True)


def test_equal_numbers_without_a_date_are_said_to_have_none(filled, capsys, tmp_path):
    (tmp_path / "copy.csv").write_text(SHEET + "\n\n", encoding="utf-8")
    code, out, _ = run(capsys, "upload", "copy.csv")
    assert code == 0
    assert "no date; replicate 1" in out
    assert "of ?" not in out
