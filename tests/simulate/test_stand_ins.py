"""Stand-ins for enthalpies: same composition as what they stand for, and bad files refused by place."""

from __future__ import annotations

import pytest

from wastelab.chemistry.formulas import atoms
from wastelab.errors import DatasetError
from wastelab.reference.thermochemistry import thermochemistry
from wastelab.simulate.kinetics.network import formula_of
from wastelab.simulate.stand_ins import stand_ins


@pytest.mark.parametrize("name", sorted(stand_ins()))
def test_a_stand_in_has_the_composition_of_its_phase(name):
    data, total = thermochemistry(), {}
    for part, n in stand_ins()[name].parts.items():
        for element, k in atoms(data[part].formula).items():
            total[element] = total.get(element, 0.0) + n * k
    wanted = atoms(formula_of(name))
    assert {e: v for e, v in total.items() if abs(v) > 1e-9} == pytest.approx(wanted)


@pytest.mark.parametrize(
    "entry, said",
    [
        ("reason = 'x'", "needs parts"),
        ("parts = { quartz = 1 }", "reason"),
        ("parts = { quartz = 'one' }\nreason = 'x'", "fractions"),
        ("parts = { quartz = 1 }\nreason = 'x'\nevidence = 'hearsay'", "evidence"),
    ],
)
def test_bad_entries_are_refused_by_place(tmp_path, monkeypatch, entry, said):
    file = tmp_path / "datasets" / "equipment" / "stand_ins.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f"[phase.opal]\n{entry}\n", encoding="utf-8")
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    stand_ins.cache_clear()
    try:
        with pytest.raises(DatasetError, match=said) as found:
            stand_ins()
        assert "phase.opal" in str(found.value)
    finally:
        monkeypatch.undo()
        stand_ins.cache_clear()
