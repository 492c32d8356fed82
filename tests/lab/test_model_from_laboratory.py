"""From the tests in a laboratory to a saved model, on the command line."""

import json

import builders as b
import numpy as np
import pytest

from wastelab.cli import main


def test_a_laboratory_fits_its_own_model(new_lab, tmp_path, capsys):
    lab = new_lab("sqlite-files")
    b.sample(lab, "RM", values=b.RED_MUD)
    random = np.random.default_rng(3)
    for i in range(16):
        share = round(0.05 + 0.04 * i, 3)
        mix = b.mix(lab, f"M-{i + 1}", {"RM": share, "raw/portland-clinker": round(1 - share, 3)}, water_binder=0.4)
        for age, factor, first in ((7.0, 0.7, 1), (28.0, 1.0, 3)):
            made_up = factor * (60 - 80 * share * share) + random.normal(0, 0.3, 2)
            b.strengths(lab, mix, made_up, age=age, first=first)
    place = str(tmp_path / "lab")
    out = tmp_path / "model"
    command = ["fit", "--lab", place, "--target", "抗压强度", "--learner", "gaussian_process", "--licence", "own"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--out", str(out), "--json"])
    text = capsys.readouterr()
    assert stopped.value.code == 0, text.err
    found = json.loads(text.out)
    assert found["target"] == "compressive_strength" and found["unit"] == "MPa"
    assert found["scores"]["n_mixes"] == 16 and found["scores"]["n_rows"] == 32
    card = json.loads((out / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["ages_d"] == [7.0, 28.0] and card["data"]["specimens"] == 64
    assert "binder_SiO2" in card["data"]["columns"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--age", "28 d", "--out", str(tmp_path / "one_age"), "--json"])
    assert json.loads(capsys.readouterr().out)["scores"]["n_rows"] == 16
