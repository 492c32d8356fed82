"""Shared style of the figures: fonts that can draw Chinese, a colour-blind safe palette, no global state."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..i18n import DEFAULT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Okabe-Ito palette, then greys; distinguishable with colour-vision deficiency.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#7F7F7F", "#4B3B8F", "#A6761D",
    "#1B9E77", "#666666",
)  # fmt: skip
_CJK = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "Noto Sans SC", "Microsoft YaHei", "SimHei",
    "PingFang SC", "WenQuanYi Zen Hei", "Arial Unicode MS",
)  # fmt: skip
#: Parts of the names of their files.
_FILES = ("notosanscjk-regular", "notosanssc-regular", "sourcehansanssc-regular", "msyh.", "simhei", "pingfang",
          "wqy-zenhei", "arialuni")  # fmt: skip


@cache
def cjk_font() -> str | None:
    """Name of an installed font that draws Chinese, or None."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    if not {f.name for f in manager.ttflist} & set(_CJK):  # matplotlib's list may be older than the fonts
        for path in font_manager.findSystemFonts():
            if any(part in path.lower() for part in _FILES):
                manager.addfont(path)
    names = {f.name for f in manager.ttflist}
    return next((name for name in _CJK if name in names), None)


def can_draw(text: str) -> bool:
    """Whether the installed fonts can draw a text."""
    return text.isascii() or all(ord(c) < 0x2E80 for c in text) or cjk_font() is not None


def pick(text: str, fallback: str) -> str:
    """The text if it can be drawn, else the fallback."""
    return text if text and can_draw(text) else fallback


def drawn(lang: str, sample: str) -> str:
    """The language if the installed fonts can draw a text of it, else English."""
    return lang if can_draw(sample) else DEFAULT


def new_figure(width: float, height: float) -> Figure:
    """A figure without pyplot (no global state, no display)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    return figure


def context() -> Any:
    """Context manager with the figure style."""
    import matplotlib as mpl

    families = [f for f in ("DejaVu Sans", cjk_font()) if f]
    return mpl.rc_context(
        {
            "font.family": families,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.unicode_minus": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "font.size": 10,
        }
    )


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes."""
    import io

    buffer = io.BytesIO()
    with context():
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
