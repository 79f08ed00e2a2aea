"""Pictures, films and windows of trajectories."""

from physgt.viz.film import FILM_SUFFIXES, animate
from physgt.viz.picture import PICTURE_SUFFIXES, render
from physgt.viz.sheet import picture_sheet
from physgt.viz.window import show

__all__ = ["FILM_SUFFIXES", "PICTURE_SUFFIXES", "animate", "picture_sheet", "render", "show"]
