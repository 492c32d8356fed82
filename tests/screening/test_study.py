"""Studies and reports: stored, read back, partial, empty, in two languages."""

import csv
import json
import re

import numpy as np
import pytest

from wastelab.errors import RecipeError, StudyError
from wastelab.screening import Study, load_recipe, prepare, screen
from wastelab.screening.recipe import parse_recipe
from wastelab.screening.search import search
from wastelab.screening.study import build_study


@pytest.fixture(scope="module")
def study():
    return screen("red_mud_bye_clinker", step="2.5 %")


def changed(name, old, new):
    text = load_recipe(name).text
    assert old in text
    return parse_recipe(text.replace(old, new))


def test_round_trip(study, tmp_path):
    file = study.save(tmp_path / "study.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["study.nc"]
    again = Study.load(file)
    assert again.dataset.equals(study.dataset)
    assert again.info == study.info
    assert again.dataset.attrs["recipe"] == study.dataset.attrs["recipe"]


def test_the_file_is_plain_netcdf(study, tmp_path):
    import h5py

    with h5py.File(study.save(tmp_path / "s.nc")) as file:
        assert file["fraction"].shape == (len(study.pareto), 5)
        assert file["fraction"].attrs["units"] in ("kg/kg", b"kg/kg")


def test_same_inputs_give_the_same_study(study):
    assert screen("red_mud_bye_clinker", step="2.5 %", threads=1).dataset.identical(study.dataset)


def test_tables(study):
    table = study.pareto
    np.testing.assert_allclose(table[list(study.materials.index)].sum(axis=1), 1.0)
    assert (table["C4A3S"] >= 20 - 1e-9).all()
    assert table["Cm"].between(0.95, 1.10).all()
    counts = study.counts
    assert counts["feasible"] + counts["discarded"] == counts["candidates"]
    assert study.requirements["discarded"].sum() == counts["discarded"]
    assert "Pareto mixes" in repr(study)


def test_verdicts_carry_everything(study):
    row = study.verdicts.iloc[0]
    assert row["standard"] == "GB 6566-2010"
    assert row["nominal"] == "pass"
    # the spread decides: near a limit the verdict is unknown, with the probability
    for _, v in study.verdicts.iterrows():
        p = v["probability"]
        assert v["status"] == ("pass" if p >= 0.95 else "fail" if p <= 0.05 else "unknown")
    assert "unknown" in set(study.verdicts["status"])
    assert row["evidence"] == "secondary"
    assert row["evidence_inputs"] == "memory"
    assert set(study.verdicts["property"]) == {"I_Ra", "I_gamma"}


def test_spread_is_that_of_linear_propagation(study):
    """Twin: the Monte Carlo spread of a ratio of two linear forms against first-order propagation."""
    from wastelab.reference import material

    fractions = study.short_list.iloc[0][list(study.materials.index)]
    radium = {k: material(i).quantities["Ra226"] for k, i in study.materials["id"].items()}
    loss = {k: material(i).composition for k, i in study.materials["id"].items()}
    value = sum(fractions[k] * radium[k].value for k in radium)
    left = 1 - sum(fractions[k] * loss[k]["LOI"] for k in loss) / 100
    s_value = np.sqrt(sum((fractions[k] * radium[k].sigma) ** 2 for k in radium))
    s_left = np.sqrt(sum((fractions[k] * loss[k].sigma.get("LOI", 0) / 100) ** 2 for k in loss))
    linear = value / left / 200 * np.hypot(s_value / value, s_left / left)
    assert study.short_sigma.iloc[0]["I_Ra"] == pytest.approx(linear, rel=0.1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_report(study, tmp_path, lang):
    written = study.report(tmp_path / "out", lang=lang)
    for path in written.values():
        assert path.stat().st_size > 0
    html = written["html"].read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="https?:', html)
    assert html.count("data:image/png;base64,") == 4
    assert "<script" not in html
    if lang == "zh":
        assert "赤泥基高贝利特硫铁铝酸盐水泥熟料" in html and "不是您原料的实测值" in html
    else:
        assert "not measurements of your materials" in html
    with written["pareto_csv"].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(study.pareto)
    assert float(rows[0]["red_mud"]) == study.pareto.iloc[0]["red_mud"]
    assert written["pareto_csv"].read_bytes().startswith(b"\xef\xbb\xbf")  # Excel needs the mark
    assert not list((tmp_path / "out").glob(".*"))


def test_html_is_escaped(tmp_path):
    recipe = changed("red_mud_bye_clinker", "Red-mud belite-ye'elimite-ferrite clinker", "<b>bold</b> & co")
    html = screen(recipe, step="5 %").report(tmp_path, lang="en")["html"].read_text(encoding="utf-8")
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; co" in html
    assert "<b>bold</b>" not in html


def test_no_feasible_mix_still_tells_why(tmp_path):
    recipe = changed("red_mud_bye_clinker", ">= 20 wt%", ">= 90 wt%")
    empty = screen(recipe, step="5 %")
    assert empty.counts["feasible"] == 0
    assert len(empty.pareto) == 0 and len(empty.short_list) == 0
    html = empty.report(tmp_path, lang="en")["html"].read_text(encoding="utf-8")
    assert "No mix meets every requirement" in html
    assert "C4A3S &gt;= 90 wt%" in html
    assert Study.load(empty.save(tmp_path / "s.nc")).counts["feasible"] == 0


@pytest.mark.parametrize(
    "objectives", ['co2 = "min"', 'co2 = "min"\ncost = "min"\nC4A3S = "max"\nI_gamma = "min"\nSO3 = "min"']
)
def test_one_and_many_objectives(objectives, tmp_path):
    text = load_recipe("red_mud_bye_clinker").text
    head = text[: text.index("[objectives]")]
    found = screen(parse_recipe(f"{head}[objectives]\n{objectives}\n"), step="5 %")
    assert len(found.pareto) >= 1
    assert found.report(tmp_path)["pareto"].stat().st_size > 0


def test_one_material_with_a_process_grid():
    recipe = parse_recipe(
        """schema = 1
name = "One precursor"
route = "geopolymer"
[materials]
ash = "fly_ash/pc-class-f"
step = "100 %"
[process.activate]
Na2O_dose = { min = "2 %", max = "8 %", step = "1 %" }
modulus = [0.5, 1.0]
water_binder = "0.35 kg/kg"
[require]
Na_Al = "0.1 .. 0.3"
[objectives]
Na_Al = "max"
cost = "min"
"""
    )
    found = screen(recipe)
    assert found.counts["candidates"] == 14
    assert found.counts["feasible"] + found.counts["discarded"] == 14
    assert (found.pareto["ash"] == 1.0).all()


def test_missing_radionuclides_give_unknown_not_pass(tmp_path):
    recipe = changed("red_mud_bye_clinker", "coal_gangue/kaolinitic", "fly_ash/sample-c005")
    text = recipe.text.replace('co2            = "min"\ncost           = "min"\n', "").replace(
        'use = "fly_ash/sample-c005"', 'use = "fly_ash/sample-c005", override = { TiO2 = "1 %" }'
    )
    found = screen(parse_recipe(text), step="5 %")
    partial = found.requirements[found.requirements["partial"]]
    assert any("I_Ra" in label for label in partial["label"])
    with_ash = found.short_list[found.short_list["gangue"] > 0].index
    rows = found.verdicts[found.verdicts["mix"].isin(with_ash)]
    assert len(rows) and set(rows["status"]) == {"unknown"}
    assert all("measure" in r for r in rows["reason"])


def test_interrupted_search_is_marked(tmp_path):
    program = prepare("red_mud_bye_clinker", step="1 %")
    whole = search(program, threads=1)

    def stop(done, total):
        if done > total // 4:
            raise KeyboardInterrupt

    part = search(program, threads=1, progress=stop)
    assert not part.complete
    assert 0 < part.searched < part.total == whole.total
    assert part.feasible + part.pruned_by.sum() == part.searched
    found = build_study(program, part)
    assert not found.complete
    assert "PARTIAL" in repr(found)
    html = found.report(tmp_path, lang="en")["html"].read_text(encoding="utf-8")
    assert "Partial result" in html
    assert not Study.load(found.save(tmp_path / "s.nc")).complete


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated", "newer"])
def test_damaged_study(study, tmp_path, damage):
    file = tmp_path / "s.nc"
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not a study", encoding="utf-8")
    elif damage == "truncated":
        file.write_bytes(study.save(tmp_path / "whole.nc").read_bytes()[:5000])
    elif damage == "newer":
        ds = study.dataset.copy()
        ds.attrs = {**ds.attrs, "wastelab_study": 99}
        ds.to_netcdf(file, engine="h5netcdf")
    with pytest.raises(StudyError, match=r"s\.nc"):
        Study.load(file)


def test_unwritable_folder(study, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("x", encoding="utf-8")
    with pytest.raises(StudyError, match="file"):
        study.save(blocker / "study.nc")
    with pytest.raises(StudyError):
        study.report(blocker / "out")


def test_info_is_plain_json(study):
    json.dumps(study.info)
    assert study.info["recipe_sha256"]
    assert study.info["versions"]["wastelab"]
    assert all(m["sha256"] for m in study.info["materials"])


def test_a_route_whose_validity_cannot_be_decided_is_refused():
    # without TiO2 the lime balance of the sulfoaluminate phases is unknown: nothing may be called feasible
    recipe = changed("red_mud_bye_clinker", "coal_gangue/kaolinitic", "fly_ash/sample-c005")
    with pytest.raises(RecipeError, match="gangue: TiO2"):
        screen(recipe, step="5 %")


def test_a_limit_that_cannot_be_applied_is_named():
    recipe = changed("red_mud_ceramsite", "fly_ash/pc-class-f", "smelting_slag/sample-c028")  # its LOI is not known
    text = recipe.text.replace('co2           = "min"\ncost          = "min"\n', "")
    found = screen(parse_recipe(text), step="10 %")
    assert any("I_Ra" in x and "fly_ash: LOI" in x for x in found.info["not_computed"])


def test_wastes_are_judged_by_their_own_leachate(study, tmp_path):
    # no shipped material has a leachate: unknown, and the report says what to measure before blending
    assert study.info["waste_leaching"] == {"red_mud": "unknown", "gangue": "unknown", "gypsum": "unknown"}
    html = study.report(tmp_path, lang="en")["html"].read_text(encoding="utf-8")
    assert "stays hazardous when diluted" in html


MAGNESIUM = """schema = 1
name = "Magnesium slag in cement"
route = "blended_cement"
[materials]
clinker = { use = "raw/portland-clinker", min = "50 %" }
ash = "fly_ash/pc-class-f"
mg = { use = "smelting_slag/magnesium", max = "30 %" }
gypsum = { use = "fgd_gypsum/wet", min = "2 %", max = "8 %" }
step = "2 %"
[require]
standards = ["GB 175-2023/P_O"]
[objectives]
cost = "min"
co2 = "min"
"""


def test_a_forbidden_material_is_kept_out_before_any_number():
    found = screen(parse_recipe(MAGNESIUM))
    assert (found.pareto["mg"] == 0).all()
    row = found.requirements.iloc[0]
    assert "forbidden material (mg)" in row["label"] and row["discarded"] > 0
    must = screen(parse_recipe(MAGNESIUM.replace('max = "30 %"', 'min = "4 %", max = "30 %"')))
    assert must.counts["feasible"] == 0
    assert must.requirements.iloc[0]["discarded"] == must.counts["candidates"]


def test_a_limit_for_one_variant_only_discards_nothing():
    text = MAGNESIUM.replace("GB 175-2023/P_O", "GB/T 1596-2017/cement_admixture")
    found = screen(parse_recipe(text))
    assert any("applies to class F only" in x for x in found.info["not_computed"])
    assert not any("SAF" in label for label in found.requirements["label"])
