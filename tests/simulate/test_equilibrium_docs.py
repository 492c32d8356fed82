"""The page on equilibrium runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "equilibrium.md"


def test_page_runs():
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    scope: dict[str, object] = {}
    for block in code:
        exec(compile(block, str(PAGE), "exec"), scope)
    assert len(code) >= 7
    assert float(scope["u"]["phase_fraction_sigma"].max()) > 0
    assert scope["figure"].axes
    assert scope["mass"].shape == (1, 3)
