"""Model cards: what stands first, what is said of data, scores, intervals, domain and features, in two languages."""

import inspect
import json
import re
import string
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError, UnknownNameError
from wastelab.models import domain_texts
from wastelab.models.audit_texts import TEXTS as AUDIT
from wastelab.models.card import ModelCard, card_of, model_card
from wastelab.models.card_text import _safe, _width, said, to_markdown, to_text, word
from wastelab.models.directory import LIMITS, MANIFEST
from wastelab.models.property_model import PropertyModel
from wastelab.models.scores import TEXTS as VALIDATION

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def made_up(n=30, *, noise=0.4, seed=1, **more):
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "mix_id": np.arange(n),
            "cement_kg_m3": random.uniform(150, 500, n),
            "slag_kg_m3": random.uniform(0, 150, n),
            "water_kg_m3": random.uniform(150, 200, n),
            **more,
        }
    )
    full = 200 / 12 ** (table.water_kg_m3 / (table.cement_kg_m3 + 0.7 * table.slag_kg_m3))
    frames = [
        table.assign(
            age_d=age,
            compressive_strength_MPa=np.maximum(full * (0.5 + 0.15 * np.log(age)) + random.normal(0, noise, n), 0.5),
        )
        for age in (7.0, 28.0)
    ]
    return pd.concat(frames, ignore_index=True)


def fit(table, learner="gaussian_process", **options):
    return PropertyModel("compressive_strength", learner=learner, n_folds=4).fit(table, **options)


@pytest.fixture(scope="module")
def model():
    table = made_up(date=["2024-05-01"] * 10 + ["2025-06-01"] * 10 + ["2026-02-03"] * 10, fly_ash_kind=["F", "C"] * 15)
    return fit(table, licence="CC BY 4.0", origin="made up | <b>bold</b> [x](http://x)")


@pytest.fixture(scope="module")
def card(model):
    return model_card(
        model, stated={"method": "cube 100 mm", "citation": "Nobody, 2026", "evidence": "primary", "note": "a note"}
    )


def test_everything_that_a_card_must_say_is_there(card, model):
    text = card.report("en")
    for expected in (
        "compressive strength [MPa]", "cube 100 mm", "60 rows, 30 mixes", "7–28 d", "2024–2026", "Nobody, 2026",
        "measured or read in the original", "CC BY 4.0", model.data_.sha256, "Gaussian process 100 %",
        "later in time (headline)", "new mix", "random rows", "trivial", "cement_kg_m3", "C, F", "ln(age_d)", "Abrams",
        "numpy", "random_state=0", "a note",
    ):  # fmt: skip
        assert expected in text, expected
    scores = text[text.index("How well") :]
    assert scores.index("later in time") < scores.index("new mix") < scores.index("random rows")


def test_json_is_enough_to_make_the_card_again(card):
    back = ModelCard.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False)))
    for lang in ("en", "zh"):
        assert back.report(lang) == card.report(lang)
        assert back.markdown(lang) == card.markdown(lang)
    for wrong in ({}, {"schema": 99}, [], None):
        with pytest.raises(ModelError, match="version"):
            ModelCard.from_dict(wrong)


def test_both_languages_say_the_same_numbers(card):
    english, chinese = card.report("en"), card.report("zh")
    assert not CHINESE.search(english)
    numbers = [sorted(re.findall(r"\d+\.\d+", t.split("numpy")[0])) for t in (english, chinese)]
    assert numbers[0] == numbers[1]
    for line in chinese.splitlines()[:3]:
        assert CHINESE.search(line) or set(line) == {"="}


def test_markdown_takes_nothing_of_the_data_for_markup(card):
    text = card.markdown("en")
    assert "made up \\| \\<b\\>bold\\</b\\> [x]\\(http://x)" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) >= 3


def test_no_other_laboratory_is_said_first(card):
    assert card.report("en").splitlines()[2].startswith("!!! NO OTHER LABORATORY WAS EVER TESTED")
    assert card.markdown("zh").splitlines()[2].startswith("> **从未在其他实验室检验")


def test_a_useless_model_says_so_first_with_the_reason(model):
    noise = made_up(14, noise=80.0, seed=3)
    useless = fit(noise.assign(compressive_strength_MPa=noise.compressive_strength_MPa.abs()), learner="ridge")
    assert useless.scores_.worse_than_baseline
    card = model_card(useless, accepted="to show how it fails")
    assert card.do_not_use and "DO NOT USE" in repr(card)
    first, second = card.report("en").splitlines()[2:4]
    assert "DO NOT USE" in first or "NO BETTER THAN A TRIVIAL PREDICTION" in first
    assert "to show how it fails" in second
    assert not model_card(model).do_not_use and "to show" not in model_card(model).report()


def test_few_mixes_are_said_loudly():
    few = fit(made_up(7), learner="ridge")
    assert any("FEW MIXES" in label for label in model_card(few).labels)


def test_what_nobody_stated_is_not_stated(model):
    text = fit(made_up(12), learner="ridge")
    report = card_of(text).report("en")
    assert report.count("NOT STATED") >= 4 and "do not pass the model on" in report
    for wrong, says in (({"methods": "x"}, "method"), ({"evidence": "rumour"}, "level")):
        with pytest.raises(UnknownNameError, match=says):
            model_card(model, stated=wrong)
    with pytest.raises(ModelError, match="not fitted"):
        model_card(PropertyModel("compressive_strength"))


def test_severe_findings_are_said_loudly():
    table = made_up(20)
    table = pd.concat([table, table.iloc[:6], table.iloc[:6], table.iloc[:1].assign(compressive_strength_MPa=150.0)])
    labels = model_card(fit(table, learner="ridge")).labels
    assert any("SUSPICIOUS TESTS" in label for label in labels)


def test_the_score_of_random_rows_is_never_alone(card):
    assert [s["protocol"] for s in card.content["scores"]["every"]][-1] == "row"
    assert "not for quoting" in card.report("en") and "不得引用" in card.report("zh")


def test_every_notice_has_a_text_in_every_language_with_the_same_placeholders():
    folder = resources.files("wastelab") / "locale"
    english, chinese = (tomllib.loads((folder / f"{x}.toml").read_text(encoding="utf-8")) for x in ("en", "zh"))
    texts = {key.partition(".")[2]: ("validation", text) for key, text in VALIDATION.items()}
    for key, (found, todo) in AUDIT.items():
        name = key.replace(".", "_")
        texts |= {name: ("audit", found), f"{name}_do": ("audit", todo)}
    for make in (f for f in vars(domain_texts).values() if inspect.isfunction(f)):
        given = ["x" if p.annotation == "str" else 1.0 for p in inspect.signature(make).parameters.values()]
        area, _, name = make(*given).key.partition(".")
        texts[name] = (area, make(*given).english)
    for name, (area, text) in texts.items():
        assert english[area][name] == text, f"{area}.{name}: the locale file is behind the module"
        assert placeholders(chinese[area][name]) <= placeholders(text), f"{area}.{name}"
        assert CHINESE.search(chinese[area][name]), f"{area}.{name}"


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_words_keep_their_numbers_and_names_stay():
    assert word("age 3-28 d", "zh") == "龄期 3-28 d"
    assert word("lowest third (<= 21.5)", "zh") == "最低三分之一 (<= 21.5)"
    assert word("Li Wei's cement", "zh") == "Li Wei's cement" and word("", "zh") == ""
    assert said({"key": "nothing.known", "values": {"a": 1}, "text": "as it was"}, "zh") == "as it was"


def test_columns_of_chinese_text_line_up():
    text = to_text([("facts", [("配比", "a"), ("mixes", "b")]), ("table", (["x", "y"], [["赤泥", "1"], ["ab", "2"]]))])
    assert text.splitlines() == ["  配比   a", "  mixes  b", "  x     y", "  赤泥  1", "  ab    2"]
    assert to_markdown([("facts", [("a|b", "c")])]).splitlines()[2] == "| a\\|b | c |"
    assert _safe("a\nb") == "a b"


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "property_cards.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(compile(code, "property_cards.md", "exec"), {})
    assert "模型卡" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "strength").iterdir()) == sorted([*LIMITS, MANIFEST])


def test_a_card_fits_a_terminal_and_loses_nothing(model):
    for lang in ("en", "zh"):
        whole, narrow = card_of(model).report(lang), card_of(model).report(lang, 80)
        too_wide = [line for line in narrow.splitlines() if _width(line) > 80]
        assert all(len(line.split()[-1]) > 50 for line in too_wide), too_wide  # a hash is not broken
        assert lang == "zh" or {w.strip(";") for w in whole.split()} <= {w.strip(";") for w in narrow.split()}
        assert not re.search(r"\n *[\uff0c\u3002\uff1b\uff1a\u3001\uff09]", narrow)
        assert narrow.count("\u3002") >= whole.count("\u3002")
    assert card_of(model).report("en", 10_000) == card_of(model).report("en")
