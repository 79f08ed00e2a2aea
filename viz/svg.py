"""Figures as SVG inside of a page: they take its fonts and colours, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK = "#000001"
FAINT = "#000002"
PREDICTION = "#000003"
PERSISTENCE = "#000004"
DYNAMIC_MODES = "#000005"
"""Colours to draw with that stand for the page's."""

OF_PAGE = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    PREDICTION: "var(--prediction)",
    PERSISTENCE: "var(--persistence)",
    DYNAMIC_MODES: "var(--dynamic-modes)",
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "path.simplify_threshold": 0.2,
}


@contextmanager
def page_style() -> Iterator[None]:
    """What is drawn and written in this block looks as the page does."""
    with matplotlib.rc_context(STYLE):
        yield


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an <svg> element, to be written within page_style.

    name: begins every id in it, so that those of two figures on a page differ. title: what is read
    aloud in place of the picture.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style).*?</\1>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    for stand_in, colour in OF_PAGE.items():
        text = text.replace(stand_in, colour)
    label = f'<svg role="img" aria-label="{escape(title)}"'
    return text.replace("<svg", label, 1).strip()
