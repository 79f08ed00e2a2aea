"""Where panels and colour bars lie on the page, chosen so that the panels become large."""

from __future__ import annotations

from dataclasses import dataclass

PAGE = (8.0, 6.0)
MARGIN = 0.18
TITLE = 0.36
LABEL = 0.26
GAP = 0.15
BAR = 0.09
TICKS_BESIDE = 0.55
TICKS_BELOW = 0.24
LEAST_WIDTH = 3.6


@dataclass(frozen=True)
class Box:
    """Inches from the page's lower left corner."""

    left: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Panels in a column have their colour bars beside them, panels in a row below them."""

    width: float
    height: float
    panels: list[Box]
    bars: list[Box]
    stacked: bool


def make_layout(aspect: float, num_panels: int) -> Layout:
    """aspect: width over height of what is drawn. Of three panels the first two share a bar."""
    candidates = [_column(aspect, num_panels), _row(aspect, num_panels)]
    return max(candidates, key=lambda layout: layout.panels[0].width)


def _column(aspect: float, n: int) -> Layout:
    label = LABEL if n > 1 else 0.0
    beside = GAP + BAR + TICKS_BESIDE
    fixed = TITLE + n * label + (n - 1) * GAP + 2 * MARGIN
    width = min(PAGE[0] - 2 * MARGIN - beside, aspect * (PAGE[1] - fixed) / n)
    height = width / aspect
    page = (max(width + beside + 2 * MARGIN, LEAST_WIDTH), n * height + fixed)
    left = (page[0] - width - beside) / 2
    step = height + label + GAP
    bottoms = [MARGIN + (n - 1 - i) * step for i in range(n)]
    panels = [Box(left, bottom, width, height) for bottom in bottoms]
    bar_left = left + width + GAP
    shared = panels[: max(n - 1, 1)]
    spans = [(shared[-1].bottom, shared[0].bottom + height)]
    if n > 1:
        spans.append((bottoms[-1], bottoms[-1] + height))
    bars = [Box(bar_left, low, BAR, high - low) for low, high in spans]
    return Layout(*page, panels, bars, stacked=True)


def _row(aspect: float, n: int) -> Layout:
    label = LABEL if n > 1 else 0.0
    below = GAP + BAR + TICKS_BELOW
    fixed = TITLE + label + below + 2 * MARGIN
    room = PAGE[0] - 2 * MARGIN - (n - 1) * GAP
    width = min(room / n, aspect * (PAGE[1] - fixed))
    height = width / aspect
    page = (max(n * width + (n - 1) * GAP + 2 * MARGIN, LEAST_WIDTH), height + fixed)
    left = (page[0] - n * width - (n - 1) * GAP) / 2
    lefts = [left + i * (width + GAP) for i in range(n)]
    panels = [Box(x, MARGIN + below, width, height) for x in lefts]
    spans = [(lefts[0], lefts[max(n - 2, 0)] + width)]
    if n > 1:
        spans.append((lefts[-1], lefts[-1] + width))
    bars = [Box(low, MARGIN + TICKS_BELOW, high - low, BAR) for low, high in spans]
    return Layout(*page, panels, bars, stacked=False)
