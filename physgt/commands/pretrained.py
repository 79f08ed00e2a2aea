"""Commands about the pretrained models that come with physgt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from physgt.commands.apps import app, out


@app.command
def models(name: str | None = None, /) -> None:
    """List the pretrained models, or show the card of one.

    Example: physgt models cylinder

    Parameters
    ----------
    name
        The model whose card to show: data, scores, speed, limits.
    """
    from rich.markdown import Markdown
    from rich.table import Table

    from physgt.pretrained import names, read_card, read_record
    from physgt.pretrained.card import headline

    if name is not None:
        out.print(Markdown(read_card(name)))
        return
    listing = Table("model", "what it does")
    for known in names():
        listing.add_row(known, headline(read_record(known)))
    out.print(listing)


@app.command
def demo(
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("physgt-demo"),
    radius: float = 0.05,
    center: str = "0.3,0.2",
    speed: float = 1.5,
    seconds: float = 5.0,
) -> None:
    """Flow past a cylinder of your choice by the pretrained model, beside the solver's: a film.

    The solver makes the start, two seconds of flow from rest; then the model goes on alone, and
    the solver again, to compare with.

    Example: physgt demo --radius 0.04 --center 0.35,0.22 --speed 1.6 -o demo

    Parameters
    ----------
    output
        The folder for start.vtkhdf, prediction.vtkhdf, solver.vtkhdf and the film.
    radius
        Of the cylinder, in m.
    center
        X,Y of the cylinder in m, in a channel of 1.6 m x 0.41 m.
    speed
        The largest of the inlet's parabola, in m/s.
    seconds
        How long the model goes on.
    """
    from physgt.options import pair
    from physgt.pretrained.demo import Geometry, demonstrate

    demonstrate(Geometry(radius, *pair("--center", center), speed), output, seconds, out)
