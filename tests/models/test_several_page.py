"""The page on several properties runs as printed."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_several.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 2
    out = capsys.readouterr().out
    assert "strength_28d  given strength_7d" in out
    assert "shared by all its tests" in out
    before, after = names["before"]["strength_28d"], names["after"]["strength_28d"]
    assert ((after["upper"] - after["lower"]) < 0.9 * (before["upper"] - before["lower"])).all()
