"""Models that come with the package: load, are those of the data beside them, and say what they do not know."""

from __future__ import annotations

import numpy as np
import pytest

import wastelab as wl
from wastelab.errors import DatasetError, UnknownNameError
from wastelab.models.table import read_table

MIX = {
    "cement_kg_m3": 220.0, "blast_furnace_slag_kg_m3": 120.0, "fly_ash_kg_m3": 60.0, "water_kg_m3": 170.0,
    "superplasticizer_kg_m3": 6.0, "coarse_aggregate_kg_m3": 950.0, "fine_aggregate_kg_m3": 800.0, "age_d": 28.0,
}  # fmt: skip


@pytest.mark.parametrize("name", list(wl.shipped_models()))
def test_every_shipped_model_loads_with_its_card(name):
    model = wl.shipped_model(name)
    card = str(model.card())
    assert model.data_ is not None
    assert model.data_.licence in card
    assert "NO OTHER LABORATORY" in card
    assert "row" in model.scores_.protocols
    assert not model.scores_.worse_than_baseline


def test_concrete_strength_is_of_the_shipped_table():
    model = wl.shipped_model("concrete_strength")
    assert model.data_.sha256 == read_table(wl.training_set("uci_concrete")).sha256
    table = model.predict(MIX, interval=0.9)
    assert table["in_domain"].iloc[0]
    assert 30 < table["mean"].iloc[0] < 55
    assert 5 < table["upper"].iloc[0] - table["lower"].iloc[0] < 35
    days = np.geomspace(0.1, 365, 60)
    course = model.predict({**{k: np.full(60, v) for k, v in MIX.items()}, "age_d": days})
    assert np.min(np.diff(course)) >= 0


def test_concrete_strength_covers_unseen_mixes_in_every_part():
    model = wl.shipped_model("concrete_strength")
    table = model.intervals_.coverage_report()
    assert 0.87 < table.loc["all", "coverage"] < 0.93
    assert table["coverage"].min() >= 0.86
    assert model.scores_.headline.rmse < 5.0


@pytest.mark.slow
def test_concrete_strength_is_what_its_script_makes():
    from make_shipped_models import concrete_strength

    again, kept = concrete_strength(), wl.shipped_model("concrete_strength")
    mixes = wl.training_set("uci_concrete")
    np.testing.assert_allclose(again.predict(mixes), kept.predict(mixes), rtol=1e-4)


def test_unknown_names_and_damaged_folders(tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match="concrete_strength"):
        wl.shipped_model("concrete_strenght")
    (tmp_path / "datasets" / "models" / "own").mkdir(parents=True)
    (tmp_path / "datasets" / "models" / "own" / "model.json").write_text("{}")
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="no saved model"):
        wl.shipped_models()


def test_training_sets_say_where_they_are_from(tmp_path, monkeypatch):
    about = wl.training_sets()["uci_concrete"]
    assert about["licence"] == "CC BY 4.0"
    frame = wl.training_set("uci_concrete")
    assert (len(frame), frame["mix_id"].nunique()) == (1030, 427)
    assert "typing" in frame.attrs["traps"]
    with pytest.raises(UnknownNameError, match="uci_concrete"):
        wl.training_set("uci_concret")
    folder = tmp_path / "datasets" / "training" / "own"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text('id = "own"\n')
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="key 'title' is missing"):
        wl.training_sets()
