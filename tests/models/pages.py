"""Runs the examples of a page of the documentation, one after the other, as a reader would."""

import re
from pathlib import Path


def run_blocks(page: Path) -> tuple[int, dict[str, object]]:
    """Number of Python blocks of a page, and the names they leave behind."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    return len(blocks), names
