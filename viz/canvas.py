"""The page: title, panels and colour bars, drawn anew for each time of a film."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from physgt.errors import PhysgtError
from physgt.viz.layout import GAP, MARGIN, TITLE, Box, make_layout
from physgt.viz.planar import PlanarPainter, PlanarView
from physgt.viz.scales import Scale
from physgt.viz.scene import Scene
from physgt.viz.solid import SolidPainter, SolidView
from physgt.viz.surface import seen_surface

INK = "0.15"
FAINT_INK = "0.35"
BLANK = 0.002
"""Free space around the mesh, as a part of its longer side; an outline needs a little."""
MOST_ELONGATED = 12.0
LETTER = 0.08
"""Inches of a digit below a colour bar."""
SMALLEST_LETTERS = 2.0
"""Points."""
NEAR_AN_END = 0.02
"""As a part of a colour bar's length."""


class Canvas:
    """A figure whose longer side has `size` pixels; draw(k) puts the k-th time of a scene on it.

    Raises PhysgtError where there is nothing to draw, where the size is too small to read, and
    for a mesh in three dimensions where VTK finds no OpenGL.
    """

    def __init__(self, scene: Scene, scales: list[Scale], size: int) -> None:
        if size < 300:
            raise PhysgtError(f"size = {size} pixels, expected 300 or more.")
        self.scene = scene
        mesh = scene.trajectory.mesh
        surface = seen_surface(mesh)
        view, painter = (
            (SolidView(), SolidPainter) if mesh.dimension == 3 else (PlanarView(), PlanarPainter)
        )
        low, high = _bounds(scene, view, np.unique(surface.triangles))
        width, height = high - low
        self.layout = make_layout(width / height, len(scales))
        self.figure = _page(self.layout.width, self.layout.height, size)
        self.canvas = FigureCanvasAgg(self.figure)
        self.times = _written_alike(scene.times, scene.trajectory.times)

        self.painters = []
        right = self.layout.width - MARGIN
        ends = [box.left for box in self.layout.panels[1:]] + [right]
        for box, title, scale, end in zip(
            self.layout.panels, scene.titles, scales, ends, strict=True
        ):
            axes = self._axes(box)
            axes.set_axis_off()
            axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
            shown = self._text(box.left, box.bottom + box.height + 0.06, title, 8.5, FAINT_INK)
            self._fit(shown, (right if self.layout.stacked else end) - box.left)
            self.painters.append(painter(axes, surface, scale))
        # Reference and prediction share a bar; `above` may hold for the prediction alone.
        for box, scale in zip(self.layout.bars, scales[-len(self.layout.bars) :], strict=True):
            self._colour_bar(box, scale)
        left = self.layout.panels[0].left
        top = self.layout.height - MARGIN - 0.5 * TITLE
        label = self._text(left, top, scene.quantity.label, 11, INK)
        self.clock = self._text(right, top, f"t = {max(self.times, key=len)} s", 10, INK)
        self.clock.set_horizontalalignment("right")
        self._fit(label, right - self._width(self.clock) - left - GAP)
        self.clock.set_text("")
        self.canvas.draw()
        self.empty_page = self.canvas.copy_from_bbox(self.figure.bbox)

    def draw(self, k: int) -> None:
        """Replaces the time drawn before."""
        on_cells = self.scene.quantity.on_cells
        for painter, panel in zip(self.painters, self.scene.panels(k), strict=True):
            painter.paint(panel, on_cells=on_cells)
        self.clock.set_text(f"t = {self.times[k]} s")

    def pixels(self, k: int) -> np.ndarray:
        """The k-th time as (height, width, 4) uint8, RGBA; twice as fast as a whole new page."""
        self.draw(k)
        self.canvas.restore_region(self.empty_page)
        for artist in [*(a for painter in self.painters for a in painter.artists), self.clock]:
            self.figure.draw_artist(artist)
        return np.array(self.canvas.buffer_rgba())

    def _axes(self, box: Box) -> Axes:
        page = np.array([self.layout.width, self.layout.height] * 2)
        return self.figure.add_axes(tuple([box.left, box.bottom, box.width, box.height] / page))

    def _text(self, x: float, y: float, text: str, size: float, ink: str) -> Text:
        page = self.layout
        # Names are shown as they are: two $ in one are no formula.
        return self.figure.text(
            x / page.width, y / page.height, text, size=size, color=ink, parse_math=False
        )

    def _width(self, text: Text) -> float:
        """Inches."""
        return text.get_window_extent().width / self.figure.dpi

    def _fit(self, text: Text, room: float) -> None:
        """Smaller letters for what is wider than `room` inches: it would run into others."""
        # Step by step, as letters of whole pixels aren't half as wide at half the size.
        size = float(text.get_fontsize())
        while self._width(text) > room and size > SMALLEST_LETTERS:
            size *= 0.95
            text.set_fontsize(size)

    def _colour_bar(self, box: Box, scale: Scale) -> None:
        length = max(box.width, box.height)
        letters = max(
            len(f"{end:.3g}") if abs(end) < 1e3 else len(f"{end:.0f}")
            for end in (scale.low, scale.high)
        )
        room = 0.4 if self.layout.stacked else max(0.4, 0.1 + LETTER * letters)
        bar = self.figure.colorbar(
            ScalarMappable(scale.norm, scale.colours),
            cax=self._axes(box),
            orientation="vertical" if self.layout.stacked else "horizontal",
            extend=scale.extend,
            extendfrac=0.12 / length,
            ticks=MaxNLocator(int(np.clip(length / room, 2, 6)), steps=[1, 2, 2.5, 5, 10]),
        )
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, color=FAINT_INK, labelcolor=INK, length=2.5, width=0.5)
        if self.layout.stacked or len(self.layout.bars) == 1:
            return
        # Where two bars meet, a number of either would read as one: 0.6 and 0.0 as 0.60.0.
        is_first = box is self.layout.bars[0]
        inner = scale.high if is_first else scale.low
        for tick, number in zip(bar.get_ticks(), bar.ax.get_xticklabels(), strict=True):
            if abs(tick - inner) < NEAR_AN_END * (scale.high - scale.low):
                number.set_horizontalalignment("right" if is_first else "left")


def _page(width: float, height: float, size: int) -> Figure:
    """An empty figure of width x height inches and an even number of pixels, as H.264 asks for."""
    dpi = size / max(width, height)
    pixels = [2 * round(side * dpi / 2) for side in (width, height)]
    return Figure((pixels[0] / dpi, pixels[1] / dpi), dpi=dpi, facecolor="white")


def _bounds(
    scene: Scene, view: PlanarView | SolidView, nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner of all that is seen at any drawn time, with a little blank around."""
    moving = scene.trajectory.moving or (scene.reference is not None and scene.reference.moving)
    corners = []
    for k in range(len(scene) if moving else 1):
        for panel in scene.panels(k):
            seen = view.project(panel.points[nodes])
            corners += [np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    sides = high - low
    # A mesh as thin as a needle gets blank beside it, so that its panel can still be laid out.
    sides = np.maximum(sides, sides.max() / MOST_ELONGATED) + 2 * BLANK * sides.max()
    centre = (low + high) / 2
    return centre - sides / 2, centre + sides / 2


def _written_alike(times: np.ndarray, stored: np.ndarray) -> list[str]:
    """With as many decimals as the stored times are apart, so that a clock doesn't flicker."""
    if len(stored) == 1:
        return [f"{stored[0]:.6g}"]
    spacing = Decimal(f"{np.diff(stored).min():.2g}")
    decimals = max(0, -int(spacing.normalize().as_tuple().exponent))
    return [f"{time:.{decimals}f}" for time in times]
