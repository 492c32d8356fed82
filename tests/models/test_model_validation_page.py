"""The page on validation and audit runs as printed, and names every check."""

from pathlib import Path

from pages import run_blocks

from wastelab.models.audit_texts import TEXTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_validation.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks, _ = run_blocks(PAGE)
    assert blocks == 5
    out = capsys.readouterr().out
    assert "new source (headline)" in out and "DO NOT USE THIS MODEL" in out


def test_every_check_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    assert {k for k in (key.split(".")[0] for key in TEXTS) if f"`{k}`" not in page} == set()
