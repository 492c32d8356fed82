"""The page on kinetic fits runs as printed."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kinetic_fits.md"


def test_examples_of_the_page_run_and_their_claims_hold(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 3
    assert "Vyazovkin" in capsys.readouterr().out
    assert names["both"].rmse < 1e-6


def test_every_finding_is_on_the_page():
    source = PAGE.parents[1] / "src" / "wastelab" / "simulate" / "kinetic_fit"
    text = "".join(p.read_text(encoding="utf-8") for p in source.glob("*.py"))
    codes = set(re.findall(r"Finding\(\s*\"(\w+)\"", text))
    page = PAGE.read_text(encoding="utf-8")
    assert len(codes) > 12
    assert {c for c in codes if f"`{c}`" not in page} == set()
