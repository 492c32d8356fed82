"""The page on new laboratories runs as printed."""

from pathlib import Path

from pages import run_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_local.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks, _ = run_blocks(PAGE)
    assert blocks == 4
    out = capsys.readouterr().out
    assert "of the squared error in an unseen source" in out.lower() and "after three tests" in out
    assert "own tests alone" in out
