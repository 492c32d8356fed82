"""The page on intervals and domain runs as printed, and names every reason."""

import inspect
import re
from pathlib import Path

from pages import run_blocks

from wastelab.models import domain_texts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_intervals.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks, _ = run_blocks(PAGE)
    assert blocks == 4
    out = capsys.readouterr().out
    assert "age <= 3 d" in out and "Age 730 d is beyond 365 d" in out


def test_every_reason_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    keys = set(re.findall(r'"(domain\.\w+)"', inspect.getsource(domain_texts)))
    assert len(keys) == 12
    assert {k for k in keys if f"`{k}`" not in page} == set()
