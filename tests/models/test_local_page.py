"""The page on new laboratories runs as printed."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_local.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 4
    out = capsys.readouterr().out
    assert "of the squared error in an unseen source" in out.lower() and "after three tests" in out
    assert "own tests alone" in out
