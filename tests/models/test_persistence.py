"""Models saved and loaded: the same predictions to the last bit, elsewhere too, and nothing that was tampered with."""

import json
import pickle
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError
from wastelab.models.card import ModelCard, card_of, model_card
from wastelab.models.directory import MANIFEST
from wastelab.models.gp import GaussianProcess
from wastelab.models.learners import Blend, Boosting, ExtraTrees, Mean, Ridge
from wastelab.models.persistence import load_model, read_card, save_model, verify_model
from wastelab.models.property_model import PropertyModel
from wastelab.models.state import PARTS, pack, part, unpack


def synthetic_tests(n_mixes=30, seed=2):
    """Made-up tests of three made-up sources, some values missing, one text column."""
    random = np.random.default_rng(seed)
    mixes = pd.DataFrame(
        {
            "mix_id": [f"S{i + 1}" for i in range(n_mixes)],
            "source": np.array(["甲", "B", "C"])[np.arange(n_mixes) % 3],
            "cement_kg_m3": random.uniform(150, 500, n_mixes),
            "slag_kg_m3": np.where(random.random(n_mixes) < 0.2, np.nan, random.uniform(0, 150, n_mixes)),
            "water_kg_m3": random.uniform(150, 200, n_mixes),
            "sand": np.where(random.random(n_mixes) < 0.5, "river", "crushed"),
        }
    )
    frames = []
    for age in (3.0, 28.0):
        binder = mixes.cement_kg_m3 + 0.7 * mixes.slag_kg_m3.fillna(50)
        strength = 200 / 12 ** (mixes.water_kg_m3 / binder) * (0.5 + 0.15 * np.log(age)) + random.normal(0, 1, n_mixes)
        frames.append(mixes.assign(age_d=age, compressive_strength_MPa=strength))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def fitted():
    learners = ("gaussian_process", "extra_trees", "ridge", "mean")
    model = PropertyModel("compressive_strength", learner=learners, n_folds=3, protocols=("source", "mix"))
    return model.fit(synthetic_tests(), licence="own", origin="synthetic")


@pytest.fixture(scope="module")
def asked():
    """New mixes, some outside, some with gaps."""
    table = synthetic_tests(40, seed=7).drop(columns="compressive_strength_MPa")
    table.loc[3, "cement_kg_m3"] = 900.0
    table.loc[5, "slag_kg_m3"] = np.nan
    table.loc[6, "sand"] = "sea"
    return table


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    place = tmp_path_factory.mktemp("saved") / "model"
    save_model(fitted, place)
    return place


def same(a, b):
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_predictions_are_the_same_to_the_last_bit(fitted, folder, asked):
    loaded = load_model(folder)
    assert type(loaded) is PropertyModel and loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict(asked), fitted.predict(asked))
    for level in (0.8, 0.9):
        same(loaded.predict(asked, interval=level), fitted.predict(asked, interval=level))
    for (name, a), (_, b) in zip(fitted.learner_.members, loaded.learner_.members, strict=True):
        design = fitted.builder_.design(fitted.data_.features)
        np.testing.assert_array_equal(a.predict(design), b.predict(design), err_msg=name)
        np.testing.assert_array_equal(a.spread(design), b.spread(design), err_msg=name)
    assert loaded.data_.sha256 == fitted.data_.sha256
    same(loaded.oof_, fitted.oof_)
    assert loaded.scores_.to_dict() == fitted.scores_.to_dict()
    assert loaded.audit_.to_dict() == fitted.audit_.to_dict()


@pytest.mark.parametrize("learner", [Boosting(max_iter=30), ExtraTrees(20), Ridge(2), Mean(), GaussianProcess(steps=0)])
def test_each_learner_comes_back_through_json_and_arrays(fitted, learner):
    design = fitted.builder_.design(fitted.data_.features)
    blend = Blend([("it", learner)]).fit(design, fitted.data_.target, mix=fitted.data_.mix)
    json_tree, arrays = pack(blend)
    back = unpack(json.loads(json.dumps(json_tree, allow_nan=False)), arrays)
    assert type(back.members[0][1]) is type(learner) and back.members[0][1].get_params() == learner.get_params()
    np.testing.assert_array_equal(back.predict(design), blend.predict(design))
    np.testing.assert_array_equal(back.spread(design), blend.spread(design))


def test_saving_again_gives_the_same_bytes(folder, tmp_path):
    fingerprint = save_model(load_model(folder), tmp_path / "again")
    assert fingerprint == verify_model(folder).fingerprint
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_fresh_process_predicts_the_same(fitted, folder, asked, tmp_path):
    asked.to_pickle(tmp_path / "asked.pickle")
    code = (
        "import sys, pandas as pd; from wastelab.models.persistence import load_model\n"
        "found = load_model(sys.argv[1]).predict(pd.read_pickle(sys.argv[2]), interval=0.9)\n"
        "found.to_pickle(sys.argv[3])\n"
        "print(any(m.startswith('sklearn.ensemble') for m in sys.modules))\n"
    )
    command = [sys.executable, "-c", code, folder, tmp_path / "asked.pickle", tmp_path / "found.pickle"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with (tmp_path / "found.pickle").open("rb") as file:
        same(pickle.load(file), fitted.predict(asked, interval=0.9))
    assert done.stdout.strip() == "False"  # no ensemble of scikit-learn is needed to predict


def test_without_tests_it_predicts_the_same_and_holds_none(fitted, asked, tmp_path):
    save_model(fitted, tmp_path / "m", with_data=False)
    assert not (tmp_path / "m" / "training.csv").exists()
    loaded = load_model(tmp_path / "m")
    same(loaded.predict(asked, interval=0.9), fitted.predict(asked, interval=0.9))
    assert loaded.data_ is None and loaded.oof_ is None
    assert "S17" not in (tmp_path / "m" / "model.json").read_text(encoding="utf-8")
    assert loaded.predict(asked.drop(columns="slag_kg_m3")).shape == (len(asked),)  # had gaps: may be missing
    assert card_of(loaded).to_dict() == card_of(fitted).to_dict()
    with pytest.raises(ModelError, match="without its tests"):
        save_model(loaded, tmp_path / "n")
    with pytest.raises(ModelError, match="not fitted, or was loaded"):
        model_card(loaded)


def test_a_model_for_a_laboratory_keeps_what_its_tests_told(fitted, folder, asked, tmp_path):
    own = synthetic_tests(3, seed=11)
    own = own.assign(compressive_strength_MPa=own.compressive_strength_MPa + 6, source="ours")
    local = fitted.calibrate(own)
    save_model(local, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    same(loaded.predict(asked, interval=0.9), local.predict(asked, interval=0.9))
    assert np.mean(np.asarray(loaded.predict(asked)) - np.asarray(fitted.predict(asked))) > 1
    assert "CALIBRATED to 6 tests" in card_of(loaded).report("en")
    save_model(fitted, tmp_path / "bare", with_data=False)
    save_model(load_model(tmp_path / "bare").calibrate(own), tmp_path / "bare_here")
    bare = load_model(tmp_path / "bare_here")
    same(bare.predict(asked, interval=0.9), local.predict(asked, interval=0.9))
    assert bare.data_ is None and "CALIBRATED to 6 tests" in card_of(bare).report("en")
    assert verify_model(tmp_path / "bare_here").data_sha256 == verify_model(tmp_path / "bare").data_sha256
    calibrated = load_model(folder).calibrate(own)
    np.testing.assert_array_equal(calibrated.predict(asked), local.predict(asked))


def test_verify_says_what_there_is(folder):
    check = verify_model(folder)
    assert check.with_data and check.target == "compressive_strength" and check.unit == "MPa"
    assert check.versions["numpy"] == np.__version__ and check.created == ""
    assert "every file is as it was saved" in check.report()
    assert json.loads(json.dumps(check.to_dict()))["fingerprint"] == check.fingerprint


def test_a_fingerprint_tells_another_model(folder):
    fingerprint = verify_model(folder).fingerprint
    assert load_model(folder, fingerprint=fingerprint.upper()).fingerprint_ == fingerprint
    with pytest.raises(ModelError, match="another one"):
        load_model(folder, fingerprint="0" * 64)


@pytest.mark.parametrize(
    "name", ["model.json", "arrays.npz", "training.csv", "card.json", "card.md", "card.zh.md", MANIFEST]
)
def test_any_changed_file_is_refused_by_all(folder, tmp_path, name):
    shutil.copytree(folder, tmp_path / "m")
    data = bytearray((tmp_path / "m" / name).read_bytes())
    random = np.random.default_rng(4)
    for at in [0, len(data) - 1, *random.integers(0, len(data), 8)]:
        bad = bytearray(data)
        bad[at] ^= 1 << int(random.integers(0, 8))
        (tmp_path / "m" / name).write_bytes(bytes(bad))
        for read in (load_model, verify_model, read_card):
            with pytest.raises(ModelError):
                read(tmp_path / "m")
    (tmp_path / "m" / name).unlink()
    with pytest.raises(ModelError):
        load_model(tmp_path / "m")


def forge(folder, name, change):
    """A file changed by somebody who makes all hashes right again."""
    from wastelab.models.directory import read_folder, write_folder

    content = dict(read_folder(folder).content)
    content[name] = change(content[name])
    write_folder(folder, content, overwrite=True)


FORGED = {
    "another class": ("model.json", lambda b: b.replace(b'"kind": "PropertyModel"', b'"kind": "Popen"'), "loads"),
    "a newer version": ("model.json", lambda b: b.replace(b'"schema": 1,', b'"schema": 9,', 1), "version 9.*reads 1"),
    "a nest without end": (
        "model.json",
        lambda b: b.replace(b'"how":', b'"deep": ' + b"[" * 600 + b"]" * 600 + b', "how":', 1),
        "",
    ),
    "no JSON": ("model.json", lambda b: b[:-20], "cannot be read"),
    "another list": ("model.json", lambda b: b"[]", "does not describe"),
    "a lost array": ("arrays.npz", lambda b: b[:-500], "damaged"),
    "no card": ("card.json", lambda b: b'{"schema": 7}', "card of version 7"),
    "a lost row": ("training.csv", lambda b: b.rsplit(b"\n", 2)[0] + b"\n", "has not the"),
    "a strange part": ("model.json", lambda b: b.replace(b'"GaussianProcess"', b'"GaussianProzess"'), "does not know"),
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_folders_with_right_hashes_are_refused_where_they_make_no_sense(folder, tmp_path, what):
    name, change, says = FORGED[what]
    shutil.copytree(folder, tmp_path / "m")
    forge(tmp_path / "m", name, change)
    with pytest.raises(ModelError, match=f"(?s){name}.*{says}"):
        load_model(tmp_path / "m")


def test_numbers_that_are_none_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")

    def poison(data):
        at = data.rindex(b"NUMPY")
        start = data.index(b"\n", at) + 1
        bad = bytearray(data)
        bad[start : start + 8] = np.array([np.nan]).tobytes()
        return bytes(bad)

    forge(tmp_path / "m", "arrays.npz", poison)
    with pytest.raises(
        ModelError, match="damaged"
    ):  # the sum that ZIP keeps of each array, or NaN where there was none
        load_model(tmp_path / "m")


def test_arrays_are_what_numpy_reads_and_nothing_is_pickled(folder):
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fiub" for name in arrays.files)
    with zipfile.ZipFile(folder / "arrays.npz") as archive:
        assert all(e.compress_type == zipfile.ZIP_STORED for e in archive.infolist())


def test_what_is_not_fitted_or_no_model_is_not_saved(tmp_path):
    for thing in (PropertyModel("compressive_strength"), object(), 3):
        with pytest.raises(ModelError):
            save_model(thing, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_every_known_part_exists():
    for name in PARTS:
        assert part(name).__name__ == name


def test_a_refit_model_gets_a_new_card(fitted, tmp_path):
    model = PropertyModel("compressive_strength", learner="ridge", n_folds=3).fit(synthetic_tests(12), licence="own")
    model.card_ = model_card(model, stated={"method": "first"})
    model.fit(synthetic_tests(13, seed=5), licence="own")
    assert card_of(model).content["stated"]["method"] == ""
    assert isinstance(card_of(fitted), ModelCard)


def test_a_model_worse_than_a_trivial_prediction_is_saved_for_a_reason_only(tmp_path):
    table = synthetic_tests(14)
    table = table[table.age_d == table.age_d.min()].drop(columns="age_d")
    noise = table.assign(compressive_strength_MPa=np.random.default_rng(5).uniform(20, 60, len(table)))
    model = PropertyModel("compressive_strength", learner="quadratic", n_folds=3, protocols=("mix",)).fit(noise)
    assert model.scores_.worse_than_baseline
    for reason in ("", "   ", "ok", "老"):
        with pytest.raises(ModelError, match=r"accepted='REASON'"):
            model.save(tmp_path / "m", accepted=reason)
    assert not (tmp_path / "m").exists()
    model.save(tmp_path / "m", accepted="老板要")
    loaded = load_model(tmp_path / "m")
    assert loaded.card_.content["accepted"] == "老板要" and any("老板要" in label for label in loaded.card_.labels)
    loaded.save(tmp_path / "again")  # the reason goes with the model
    assert load_model(tmp_path / "again").card_.content["accepted"] == "老板要"
