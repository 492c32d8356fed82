"""The laboratory: characterization data kept for ever, safe and comparable."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_LAZY = {"Lab": "lab", "open_lab": "lab", "Receipt": "upload", "Finding": "drafts", "Ledger": "ledger"}

__all__ = ["Finding", "Lab", "Ledger", "Receipt", "open_lab"]

if TYPE_CHECKING:
    from .drafts import Finding
    from .lab import Lab, open_lab
    from .ledger import Ledger
    from .upload import Receipt


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
