"""The page on validation and audit runs as printed, and names every check."""

import re
from pathlib import Path

from wastelab.models.audit_texts import TEXTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_validation.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 5
    out = capsys.readouterr().out
    assert "new source (headline)" in out and "DO NOT USE THIS MODEL" in out


def test_every_check_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    assert {k for k in (key.split(".")[0] for key in TEXTS) if f"`{k}`" not in page} == set()
