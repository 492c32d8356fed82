"""The page on several properties runs as printed."""

from pathlib import Path

from pages import run_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_several.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks, names = run_blocks(PAGE)
    assert blocks == 2
    out = capsys.readouterr().out
    assert "strength_28d  given strength_7d" in out
    assert "shared by all its tests" in out
    before, after = names["before"]["strength_28d"], names["after"]["strength_28d"]
    assert ((after["upper"] - after["lower"]) < 0.9 * (before["upper"] - before["lower"])).all()
