"""A waste is judged by its own leachates, the worst sample counting, before it is blended."""

import pytest

import wastelab as wl
from wastelab.instruments import Reading, Value
from wastelab.standards import judge_waste_leaching

OXIDES = {"SiO2": 20.0, "Al2O3": 22.0, "Fe2O3": 27.0, "CaO": 10.0, "Na2O": 6.0, "TiO2": 5.0, "LOI": 9.0}


def leached(code, method="HJ/T 299", **elements):
    values = []
    for name, number in elements.items():
        if isinstance(number, str):
            values.append(Value(f"leachate_{name}", None, "mg/L", lod=float(number[1:]), flag="below_detection"))
        else:
            values.append(Value(f"leachate_{name}", number, "mg/L"))
    return Reading("leaching", values=values, sample=code, method=method, completeness="declared")


@pytest.fixture
def mud_lab(lab):
    for code in ("SYN-A", "SYN-B"):
        lab.add("sample", code=code, waste_class="red_mud")
        values = [Value(o, x, "wt%", basis="dry") for o, x in OXIDES.items()]
        lab.ingest([Reading("XRF", values=values, sample=code, completeness="declared")])
    return lab


def test_the_worst_sample_counts_and_decides(mud_lab):
    mud_lab.ingest([leached("SYN-A", Pb=0.4, As="<0.01"), leached("SYN-B", Pb=7.0, As="<0.02")])
    one, heap = mud_lab.material("SYN-A"), mud_lab.material("red_mud")
    assert one.quantities["leachate_Pb"].value == 0.4
    assert heap.quantities["leachate_Pb"].value == 7.0  # not the mean of 3.7
    assert heap.quantities["leachate_As"].censored
    assert heap.quantities["leachate_As"].lod == 0.02
    verdicts = judge_waste_leaching([one, heap])
    lead = {m: next(v for v in j.verdicts if v.limit.property == "leachate_Pb").status for m, j in verdicts.items()}
    assert lead == {one.id: "pass", heap.id: "fail"}
    assert verdicts[heap.id].status == "fail"


def test_replicates_are_averaged_within_a_sample(mud_lab):
    mud_lab.ingest([leached("SYN-A", Pb=1.0)])
    mud_lab.ingest([leached("SYN-A", Pb=2.0)])
    found = mud_lab.material("SYN-A").quantities["leachate_Pb"]
    assert found.value == 1.5
    assert found.sigma == pytest.approx((0.5 / 2) ** 0.5)  # s^2 = 0.5, of two


def test_other_methods_are_told_but_not_taken(mud_lab):
    mud_lab.ingest([leached("SYN-A", "HJ 557", Pb=9.0)])
    found = mud_lab.material("SYN-A")
    assert "leachate_Pb" not in found.quantities
    assert "HJ 557" in found.note


def test_a_leachate_is_no_component(mud_lab):
    mud_lab.ingest([leached("SYN-A", Pb=0.4)])
    mud = mud_lab.material("SYN-A")
    assert not [n for n in mud.components() if n.startswith("leachate")]
    mix = wl.blend({mud: 0.5, wl.material("raw/limestone"): 0.5})
    assert not [n for n in mix.components() if n.startswith("leachate")]
    assert not [n for n in mud.calcined().quantities if n.startswith("leachate")]
