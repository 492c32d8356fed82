"""Every text that models and suggestions say exists in both languages, with the same placeholders."""

import inspect
import re
import string

import numpy as np
import pandas as pd
import pytest

from wastelab.i18n import _catalogue
from wastelab.models import domain_texts, intervals, multi_report, scores, suggest_texts
from wastelab.models.few_tests import FewTests
from wastelab.models.notices import Notice
from wastelab.models.suggest import suggest
from wastelab.models.suggest_texts import TEXTS, in_language, said, words

CHINESE = re.compile(r"[一-鿿]")


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def domain_notices():
    """A notice of every function of the module, of made-up values."""
    out = []
    for function in vars(domain_texts).values():
        if inspect.isfunction(function) and function.__module__ == domain_texts.__name__:
            kinds = [str(p.annotation) for p in inspect.signature(function).parameters.values()]
            found = function(*[1.0 if "float" in k else 1 if "int" in k else "a" for k in kinds])
            out += [found] if isinstance(found, Notice) else []
    return out


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_notices_are_in_every_language_with_the_same_placeholders(lang):
    of_domain = {n.key: n.english for n in domain_notices()}
    assert len(of_domain) >= 10
    of_intervals = {f"intervals.few_{intervals._PLURAL[kind]}": text for kind, text in intervals._FEW.items()}
    for texts in (multi_report.TEXTS, scores.TEXTS, suggest_texts.TEXTS, of_domain, of_intervals):
        for key, english in texts.items():
            area, name = key.split(".", 1)
            text = _catalogue(lang)[area][name]
            assert placeholders(text) == placeholders(english), key
            assert text == english if lang == "en" else CHINESE.search(text) or name in ("and", "beside"), key


def candidates(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"slag": rng.uniform(0, 200, n), "water": rng.uniform(140, 200, n), "cost": rng.uniform(60, 90, n)}
    )


def result(mixes):
    """Made up: strength falls with water, and has a best content of slag."""
    return (60 - 0.25 * (mixes["water"] - 140) + 10 * np.sin(mixes["slag"] / 60)).to_numpy()


@pytest.mark.parametrize(
    ("options", "english", "chinese"),
    [
        ({}, "chance to beat the best so far", "超过目前最好者"),
        ({"objective": (50.0, 55.0)}, "chance to lie within 50 to 55", "落在 50 至 55 之间的概率"),
        ({"strategy": "learn"}, "lowers the mean variance", "使候选配比的平均方差降低"),
        ({"strategy": "fill"}, "farthest from what is tested", "离已试验或已建议的配比最远"),
        ({"of": "cost", "objective": "min", "limit": (50.0, None)}, "chance to keep the limits", "满足限值并超过"),
        ({"strategy": "front", "front": {"cost": "min"}}, "better in everything", "各方面都更好"),
    ],
)
def test_suggestions_say_why_in_both_languages(options, english, chinese):
    pool = candidates()
    tested, measured = pool.iloc[:8], result(pool.iloc[:8])
    belief = FewTests().fit(tested[["slag", "water"]], measured, pool=pool[["slag", "water"]])
    inside = np.arange(len(pool)) % 2 == 0

    def posterior(mixes):
        return belief(mixes[["slag", "water"]])

    out = suggest(
        pool, posterior, 3, tested=tested, measured=measured, in_domain=inside, columns=["slag", "water"], **options
    )
    zh = in_language(out, "zh")
    assert out["why"].str.contains(english, regex=False).all() and zh["why"].str.contains(chinese, regex=False).all()
    assert not zh["why"].str.contains(r"[a-z]{6,}").any()
    assert zh["why"].str.contains("在模型适用域之外").tolist() == (~out["in_domain"]).tolist()
    assert "8 candidates were tested before" in out.attrs["notes"] and "8 个候选配比已试验过" in zh.attrs["notes"]
    assert CHINESE.search(zh.attrs["gain"]) and not CHINESE.search(out.attrs["gain"])
    pd.testing.assert_frame_equal(in_language(out, "en"), out)
    pd.testing.assert_frame_equal(zh.drop(columns="why"), out.drop(columns="why"))


def test_a_table_without_reasons_is_left_as_it_is():
    table = pd.DataFrame({"why": ["because"]})
    assert in_language(table, "zh") is table


def test_reasons_are_plain_values_for_json():
    import json

    out = suggest(candidates(), None, 2)
    told = json.loads(json.dumps(out.attrs["said"]))
    assert told["why"][0] == [["suggest.middle", {}]]
    assert told["notes"][0][0] == ["suggest.no_model", {"strategy": "improve"}]
    assert words(said("beyond", n=3, name="cost") + said("beyond_unknown", n_unknown=1)).endswith(
        "the limits of cost (1 of them because it is not known)"
    )
    assert set(TEXTS) == {f"suggest.{k}" for k in _catalogue("zh")["suggest"]}
