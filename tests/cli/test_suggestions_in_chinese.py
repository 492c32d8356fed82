"""``suggest-tests`` and ``first-tests`` give their reasons in the language asked for, in files and as JSON too."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from wastelab.cli import main
from wastelab.models import PropertyModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of made-up tests of eight made-up laboratories, and candidates."""
    place = tmp_path_factory.mktemp("chinese")
    rng = np.random.default_rng(5)
    mixes = pd.DataFrame({"水泥(kg/m3)": rng.uniform(200, 450, 32), "用水量(kg/m3)": rng.uniform(150, 200, 32)})
    table = mixes.assign(mix_id=np.arange(32), laboratory=[f"L{i % 8}" for i in range(32)], age_d=28.0)
    off = np.repeat([rng.normal(0, 3, 8)], 4, axis=0).ravel()
    table["抗压强度(MPa)"] = 60 - 40 * mixes["用水量(kg/m3)"] / mixes["水泥(kg/m3)"] + off + rng.normal(0, 0.5, 32)
    model = PropertyModel("抗压强度", learner="gaussian_process", protocols=("source", "mix"))
    model.fit(table, mix="mix_id", source="laboratory").save(place / "model")
    mixes.sample(12, random_state=1).mul(1.01).assign(age_d=28.0).to_csv(place / "c.csv", index=False)
    return place


@pytest.mark.parametrize(
    ("command", "chinese", "english"),
    [("suggest-tests", "超过目前最好者", "beat the best so far"), ("first-tests", "与", "than")],
)
def test_reasons_in_the_language_that_is_asked_for(capsys, folder, tmp_path, command, chinese, english):
    texts = {}
    for lang in ("zh", "en"):
        out = tmp_path / f"{lang}.csv"
        args = [command, folder / "model", folder / "c.csv", "--n", "3", "--lang", lang, "--json", "--out", out]
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in args])
        found = json.loads(capsys.readouterr().out)
        assert stopped.value.code == 0
        texts[lang] = [row["why"] for row in found[command.replace("-", "_")]]
        assert pd.read_csv(out, encoding="utf-8-sig")["why"].tolist()[:3] == texts[lang]
        said = [*texts[lang], *found["notes"]]
        assert not any(re.search("[一-鿿]", re.sub("水泥|用水量", "", t)) for t in said) or lang == "zh"
    assert any(chinese in t for t in texts["zh"]) and any(english in t for t in texts["en"])
    assert not any(re.search(r"[a-z]{5,}", re.sub(r"water|cement|binder", "", t)) for t in texts["zh"])
