"""Materials from measurements: one sample, a class, a heap; uncertainty, spread, censoring, and what is said of it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import builders as b
import numpy as np
import pytest

from wastelab.errors import CompositionError, LabError, MissingDataError, UnknownNameError
from wastelab.lab.lab import Lab
from wastelab.lab.material import material, material_spread
from wastelab.provenance import Evidence


def test_one_sample_with_everything_measured(lab: Lab) -> None:
    b.sample(lab, "RM-1", name="red mud", name_zh="赤泥", values={**b.RED_MUD, "Cl": "<0.02"}, sigma={"SiO2": 0.2},
             method="GB/T 176-2017")  # fmt: skip
    b.measure(lab, "RM-1", values={"SiO2": 18.4}, sigma={"SiO2": 0.2}, measured_at="2026-04-01")
    b.measure(lab, "RM-1", "moisture", [b.value("moisture", 30.0, basis="as_received", sigma=0.5)])
    b.measure(lab, "RM-1", "radionuclides", {"Ra226": 200.0, "K40": "<50"})
    b.measure(lab, "RM-1", "metals", [b.value("metal:Pb", 70.0, basis="as_received")], method="HJ 781")
    b.measure(lab, "RM-1", "density", [b.value("density", 2.9)])
    b.measure(lab, "RM-1", "QPA", {"phase:hematite": 20.0})
    b.measure(lab, "RM-1", "leaching", [b.value("leachate_Pb", 0.1)], method="HJ/T 299")
    made = material(lab.store, "RM-1")
    assert (made.id, made.kind, made.waste_class, made.name_zh) == ("lab:RM-1", "sample", "red_mud", "赤泥")
    assert list(made.composition) == ["SiO2", "Al2O3", "Fe2O3", "CaO", "Na2O", "TiO2", "Cl", "LOI"]
    assert made.composition["SiO2"] == pytest.approx(18.2)
    assert made.composition.sigma["SiO2"] == pytest.approx(math.sqrt(0.08 / 2 + 0.04))
    assert made.composition.lod == {"Cl": 0.02} and made.composition["Cl"] == 0.01
    assert made.composition.sigma["Cl"] == pytest.approx(0.02 / math.sqrt(12))
    assert made.composition.moisture == 30.0 and made.composition.moisture_sigma == 0.5
    assert made.quantities["metal:Pb"].value == pytest.approx(100.0) and made.quantities["metal:Pb"].unit == "mg/kg"
    assert made.quantities["metal:Pb"].method == "HJ 781"
    k40 = made.quantities["K40"]
    assert k40.censored and (k40.lod, k40.value, k40.unit) == (50.0, 25.0, "Bq/kg")
    assert made.phases["hematite"].value == 20.0 and made.quantities["density"].unit == "g/cm3"
    lead = made.quantities["leachate_Pb"]
    assert (lead.value, lead.unit, lead.method) == (0.1, "mg/L", "HJ/T 299") and "leachate_Pb" not in made.components()
    assert "leachate_Pb by HJ/T 299" in made.note
    source = made.oxide_sources["SiO2"]
    assert source.evidence is Evidence.PRIMARY and source.note == "not yet verified"
    assert source.text == (
        "laboratory lab: sample RM-1, XRF (GB/T 176-2017), 2 results, 2026-03-02 to 2026-04-01"
    )  # fmt: skip
    assert made.evidence is Evidence.PRIMARY


def test_the_screening_can_use_it(new_lab: Any) -> None:
    import wastelab as wl

    lab = new_lab()
    b.sample(lab, "RM-1", values=b.RED_MUD)
    mud = lab.material("RM-1")
    blend = wl.blend({mud: 0.3, wl.material("raw/limestone"): 0.7})
    assert blend.composition["Fe2O3"] == pytest.approx(
        0.3 * 28.0 + 0.7 * wl.material("raw/limestone").composition["Fe2O3"]
    )
    assert mud.calcined().composition["Fe2O3"] == pytest.approx(28.0 / (1 - 0.124))


def test_a_class_has_the_spread_between_its_samples(lab: Lab) -> None:
    codes = b.samples(lab, 8)
    b.samples(lab, 2, prefix="FA", waste_class="fly_ash")
    found = material_spread(lab.store, "red_mud")
    table = np.array([[lab.composition(codes=c)["composition"].sel(oxide=o).item() for o in b.RED_MUD] for c in codes])
    assert found.n == 8 and found.samples.index.tolist() == codes and found.material.kind == "mean"
    for j, oxide in enumerate(b.RED_MUD):
        assert found.material.composition[oxide] == pytest.approx(table[:, j].mean(), rel=1e-12)
        assert found.material.composition.sigma[oxide] == pytest.approx(table[:, j].std(ddof=1), rel=1e-12)
    expected = np.cov(table.T)
    got = found.covariance.loc[list(b.RED_MUD), list(b.RED_MUD)].to_numpy()
    assert np.allclose(got, expected, rtol=1e-10)
    assert np.linalg.eigvalsh(got).min() > -1e-12
    assert "mean of 8 of 8 samples of red_mud, XRF, 8 results, 2026-03-02" in found.material.oxide_sources["SiO2"].text


def test_weights(lab: Lab) -> None:
    for code, x in (("A", 10.0), ("B", 20.0), ("C", 40.0)):
        b.sample(lab, code, values={"SiO2": x})
    found = material_spread(lab.store, "red_mud", weights={"A": 3.0, "B": 1.0, "C": 0.0})
    assert found.n == 2
    assert found.material.composition["SiO2"] == pytest.approx(12.5)
    spread = (0.75 * 2.5**2 + 0.25 * 7.5**2) / (1 - 0.75**2 - 0.25**2)
    assert found.material.composition.sigma["SiO2"] == pytest.approx(math.sqrt(spread))
    assert found.covariance.loc["SiO2", "SiO2"] == pytest.approx(spread)
    for weights, said in (({"D": 1.0}, "'D' is not among"), ({"A": -1.0}, "0 or more"),
                          (dict.fromkeys("ABC", 0.0), "all zero")):  # fmt: skip
        with pytest.raises((UnknownNameError, LabError), match=said):
            material(lab.store, "red_mud", weights=weights)


def test_gaps_leave_a_covariance_that_can_be_drawn_from(new_lab: Any) -> None:
    rng = np.random.default_rng(2)
    lab = new_lab()
    for n in range(9):
        values = {o: float(20 + rng.normal()) for o in ("SiO2", "Al2O3", "Fe2O3", "CaO") if rng.random() < 0.6}
        b.sample(lab, f"S{n}", values=values or {"SiO2": 20.0})
    found = material_spread(lab.store, waste_class="red_mud")
    matrix = found.covariance.to_numpy()
    assert np.linalg.eigvalsh(matrix).min() > -1e-10 and np.allclose(matrix, matrix.T)
    for oxide in found.covariance.columns:
        column = found.samples[oxide].dropna()
        assert found.covariance.loc[oxide, oxide] == pytest.approx(column.var(ddof=1))
        assert found.material.composition[oxide] == pytest.approx(column.mean())
        assert f"mean of {len(column)} of 9 samples" in found.material.oxide_sources[oxide].text


def test_portions_count_once_and_treated_ones_not_at_all(lab: Lab) -> None:
    lab.add("source", code="H1", waste_class="red_mud")
    lab.add("reference_material", code="CRM", values=[{"quantity": "SiO2", "value": 20.0, "unit": "wt%"}])
    b.sample(lab, "A", source="H1", values={"SiO2": 10.0})
    b.sample(lab, "A-dry", parent="A", process={"step": "dried"}, values={"SiO2": 12.0})
    b.sample(lab, "A-cal", parent="A-dry", process=[{"step": "calcined", "temperature": "800 degC"}],
             values={"SiO2": 50.0})  # fmt: skip
    b.sample(lab, "A-cal-g", parent="A-cal", process={"step": "ground"}, values={"SiO2": 50.0})
    b.sample(lab, "QC", source="H1", reference_material="CRM", values={"SiO2": 99.0})
    b.sample(lab, "B", source="H1", values={"SiO2": 21.0})
    found = material_spread(lab.store, "source:H1")
    assert found.n == 2 and found.samples["SiO2"].tolist() == [11.0, 21.0]
    assert found.material.composition["SiO2"] == pytest.approx(16.0)
    assert "Left out as treated or as reference material: 3 (A-cal, A-cal-g, QC)" in found.material.note
    assert material(lab.store, ["A", "A-cal"]).composition["SiO2"] == 30.0  # named ones are taken as they are
    assert material(lab.store, "A-cal").composition["SiO2"] == 50.0


def test_below_detection_in_all_samples_or_in_some(lab: Lab) -> None:
    for code, cl, mgo in (("A", "<0.02", "<0.1"), ("B", "<0.04", 1.0)):
        b.sample(lab, code, values={"SiO2": 20.0, "Cl": cl, "MgO": mgo, "P2O5": "<"})
    made = material(lab.store, "red_mud")
    assert made.composition.lod == {"Cl": 0.04} and made.composition["Cl"] == 0.02
    assert made.composition["MgO"] == pytest.approx((0.05 + 1.0) / 2)  # half of the limit, by convention
    assert "P2O5" not in made.composition and "P2O5 (not detected, without a detection limit)" in made.note


def test_an_ignited_analysis_needs_its_loss(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 20.0}, basis="ignited")
    with pytest.raises(MissingDataError, match="loss on ignition"):
        material(lab.store, "A")
    b.measure(lab, "A", "LOI", {"LOI": 10.0})
    made = material(lab.store, "A")
    assert made.composition["SiO2"] == pytest.approx(18.0) and made.composition["LOI"] == 10.0


def test_an_unstated_basis_is_not_guessed(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 20.0, "CaO": 5.0}, basis="")
    with pytest.raises(MissingDataError, match='assume_basis="dry"'):
        material(lab.store, "A")
    made = material(lab.store, "A", assume_basis="dry")
    assert made.composition["SiO2"] == 20.0 and "basis dry assumed" in made.oxide_sources["SiO2"].note
    b.measure(lab, "A", values={"SiO2": 21.0})
    half = material(lab.store, "A")
    assert dict(half.composition) == {"SiO2": 21.0}
    assert "CaO (its basis" in half.note and "some results of SiO2 (its basis" in half.note


def test_carbon_dioxide_and_water_do_not_count_beside_the_loss(lab: Lab) -> None:
    b.sample(lab, "A", values={**b.RED_MUD, "CO2": 3.0, "H2O": 5.0, "Fe": 19.6})
    made = material(lab.store, "A")
    assert made.composition.closure().total == pytest.approx(98.9)
    assert made.quantities["carbonate_CO2"].value == 3.0 and made.quantities["bound_water"].value == 5.0
    assert "Fe (an element; its oxide counts)" in made.note


def test_dates_and_status_choose(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 10.0}, measured_at="2025-01-01", collected_at="2025-01-01")
    b.sample(lab, "B", values={"SiO2": 20.0}, measured_at="2026-01-01", collected_at="2026-01-01")
    assert material(lab.store, "red_mud", date_from="2026").composition["SiO2"] == 20.0
    assert material(lab.store, "red_mud", collected_to="2025").composition["SiO2"] == 10.0
    with pytest.raises(MissingDataError, match="no composition was measured"):
        material(lab.store, "red_mud", verified_only=True)
    with pytest.raises(MissingDataError, match=r"no sample of red_mud \(collected_from 2027\)"):
        material(lab.store, "red_mud", collected_from="2027")
    uid = lab.measurements(sample="A").index[0]
    lab.set_status(uid, "verified", by="Wang")
    assert material(lab.store, "A").oxide_sources["SiO2"].note == ""


def test_what_cannot_be_is_said(lab: Lab) -> None:
    b.sample(lab, "RM-1")
    b.sample(lab, "FA-1", "fly_ash", values={"SiO2": 50.0})
    with pytest.raises(MissingDataError, match=r"RM-1: no composition was measured\. Measure it by XRF"):
        material(lab.store, "RM-1")
    for query, said in (("RM-l", "RM-1"), ("source:H9", "no source"), (["RM-1", "RM-l"], "RM-1")):
        with pytest.raises(UnknownNameError, match=said):
            material(lab.store, query)
    b.measure(lab, "RM-1", values={"SiO2": 20.0})
    with pytest.raises(LabError, match=r"several classes \(fly_ash, red_mud\)"):
        material(lab.store, ["RM-1", "FA-1"])
    with pytest.raises(LabError, match="Say what the material is made of"):
        material(lab.store)
    with pytest.raises(LabError, match=r"no option 'wieghts'.*weights"):
        material(lab.store, "RM-1", wieghts={})
    b.measure(lab, "RM-1", values={"SiO2": -60.0})
    with pytest.raises(CompositionError, match=r"lab:RM-1: SiO2 = -20 wt% is negative.*lab\.values"):
        material(lab.store, "RM-1")


def test_the_order_of_upload_does_not_matter(new_lab: Any) -> None:
    results = [{"SiO2": 10.0, "CaO": 5.0}, {"SiO2": 11.0}, {"CaO": "<0.5", "SiO2": 12.5}]
    made = []
    for n, order in enumerate(itertools.permutations(results)):
        lab = new_lab(name=f"lab{n}")
        b.sample(lab, "A")
        for values in order:
            b.measure(lab, "A", values=values)
        made.append(material(lab.store, "A").composition)
    for other in made[1:]:
        assert dict(other) == pytest.approx(dict(made[0]), rel=1e-14)
        assert other.sigma == pytest.approx(made[0].sigma, rel=1e-12)


def test_a_sample_of_weight_zero_does_not_enter(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 10.0})
    b.sample(lab, "B", values={"SiO2": 20.0})
    b.sample(lab, "R", values={"SiO2": 90.0, "TiO2": 5.0})
    found = material_spread(lab.store, "red_mud", weights={"A": 1.0, "B": 1.0, "R": 0.0})
    assert found.n == 2 and found.samples.index.tolist() == ["A", "B"]
    assert found.material.composition["SiO2"] == 15.0 and "TiO2" not in found.material.composition
    assert "Left out by a weight of zero: 1 (R)." in found.material.note
    assert "mean of 2 of 2 samples of red_mud, XRF, 2 results" in found.material.oxide_sources["SiO2"].text


def test_a_weight_names_every_sample_and_no_other(lab: Lab) -> None:
    for code in ("A", "B", "C"):
        b.sample(lab, code, values={"SiO2": 10.0})
    b.sample(lab, "A-cal", parent="A", process={"step": "calcined"}, values={"SiO2": 50.0})
    with pytest.raises(LabError, match=r"weights: 2 of 3 samples have none \(B, C\)"):
        material(lab.store, "red_mud", weights={"A": 1.0})
    with pytest.raises(LabError, match=r"'A-cal' .*treated"):
        material(lab.store, "red_mud", weights={"A": 1.0, "B": 1.0, "C": 1.0, "A-cal": 1.0})
    with pytest.raises(LabError, match=r"weights: A = 'x'"):
        material(lab.store, "red_mud", weights={"A": "x", "B": 1.0, "C": 1.0})  # type: ignore[dict-item]


def test_a_class_may_be_named_in_chinese(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 10.0})
    b.sample(lab, "B", values={"SiO2": 20.0})
    assert material(lab.store, "赤泥").composition["SiO2"] == 15.0
    assert material(lab.store, "red mud").waste_class == "red_mud"
    b.sample(lab, "赤泥", values={"SiO2": 60.0})  # a code goes before a word
    assert material(lab.store, "赤泥").composition["SiO2"] == 60.0
