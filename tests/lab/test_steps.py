"""Treatments of samples: what may be stated, how it is understood, and that nothing treated counts as its parent."""

from __future__ import annotations

import json
from typing import Any

import builders as b
import numpy as np
import pytest
from sqlalchemy import text

from wastelab.errors import LabError
from wastelab.lab.lab import Lab
from wastelab.lab.material import material_spread
from wastelab.lab.steps import check_process, steps_of


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"step": "calcined", "temperature": "800 degC"}, {"step": "calcined", "temperature": "800 degC"}),
        ([{"step": "dried"}, {"step": "ground", "note": "< 80 um"}],
         [{"step": "dried"}, {"step": "ground", "note": "< 80 um"}]),
        ("calcined 700 degC 2 h", {"step": "calcined", "temperature": "700 degC", "duration": "2 h"}),
        ("煅烧 700℃", {"step": "calcined", "temperature": "700 degC"}),
        (["calcined", "研磨"], [{"step": "calcined"}, {"step": "ground"}]),
        ({"step": "煅烧", "temperature": "700 degC"}, {"step": "calcined", "temperature": "700 degC"}),
        ({"step": "Calcined"}, {"step": "calcined"}),
        ('{"step": "dried"}', {"step": "dried"}),
        ("torrefied in argon", {"step": "other", "note": "torrefied in argon"}),
        ({"step": "calcined", "T": np.int64(800), "rates": (1.5, np.float32(2.0))},
         {"step": "calcined", "T": 800, "rates": [1.5, 2.0]}),
        ([], []), ({}, {}),
    ],
)  # fmt: skip
def test_a_process_is_brought_to_known_steps(given: Any, stored: Any) -> None:
    assert check_process(given) == stored
    assert check_process(json.dumps(check_process(given))) == stored  # what is stored stays as it is


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"step": "calcinated"}], r"process\[0\]: step = 'calcinated' .*Did you mean 'calcined'"),
        ({"steps": ["calcined"]}, "has no 'step'"),
        ({"step": ["calcined"]}, "step = "),
        ({"step": "calcined", "T": object()}, "cannot be stored"),
        ({"step": "calcined", "T": float("nan")}, "cannot be stored"),
        (5, "expected a step"),
        ([5], r"process\[0\] = 5: expected a step"),
        ("[{", "is no JSON"),
    ],
)
def test_a_process_that_nobody_understands_is_refused(given: Any, said: str) -> None:
    with pytest.raises(LabError, match=said):
        check_process(given)


@pytest.mark.parametrize(
    ("stored", "steps"),
    [
        ("", set()), ("[]", set()), ("{}", set()), ("null", set()),
        ('{"step": "dried"}', {"dried"}),
        ('[{"step": "dried"}, {"step": "calcined"}]', {"dried", "calcined"}),
        ('["calcined"]', {"calcined"}), ('"calcined"', {"calcined"}), ("calcined 800 degC", {"calcined"}),
        ('[{"step": "calcinated"}]', {"other"}), ('{"steps": ["calcined"]}', {"other"}), ("5", {"other"}),
        ('[{"step": "dried"}, 7]', {"dried", "other"}), ('{"step": 4}', {"other"}), ("boiled", {"other"}),
        ("dried 105 degC, then calcined 700 degC", {"dried", "calcined"}), ("烘干后 煅烧", {"dried", "calcined"}),
        ('{"step": "ground", "note": "a calcinated one"}', {"ground"}),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_another_material(stored: str, steps: set[str]) -> None:
    assert steps_of(stored) == steps


@pytest.mark.parametrize("process", [["calcined"], "calcined 800 degC", [{"step": "煅烧"}], "boiled in acid"])
def test_a_treated_sample_is_not_averaged_into_its_heap(new_lab: Any, process: Any) -> None:
    lab = new_lab()
    lab.add("source", code="H1")
    b.sample(lab, "A", source="H1", values={"SiO2": 20.0})
    b.sample(lab, "A-T", parent="A", process=process, values={"SiO2": 60.0})
    found = material_spread(lab.store, "source:H1")
    assert found.n == 1 and found.material.composition["SiO2"] == 20.0
    assert "Left out as treated" in found.material.note


def test_an_unknown_step_cannot_be_registered(new_lab: Any) -> None:
    lab: Lab = new_lab()
    b.sample(lab, "A")
    for process in ([{"step": "calcinated"}], {"steps": ["calcined"]}):
        with pytest.raises(LabError, match=r"sample 'A-T': process.*as_received, split, dried"):
            lab.add("sample", code="A-T", parent="A", process=process)
    assert len(lab.samples()) == 1


def test_a_process_of_an_older_catalogue_counts_as_treated(new_lab: Any) -> None:
    lab: Lab = new_lab()
    b.sample(lab, "A", values={"SiO2": 20.0})
    b.sample(lab, "A-T", parent="A", process="dried", values={"SiO2": 60.0})
    with lab.store.engine.begin() as conn:  # as it could be written before steps were checked
        conn.execute(text("UPDATE sample SET process = :stored WHERE code = 'A-T'"), {"stored": '["calcinated"]'})
    assert material_spread(lab.store, "red_mud").n == 1
