"""Commands that take part in coupled simulations."""

from __future__ import annotations

from pathlib import Path

from physgt.commands.apps import couple, out


@couple.command
def precice(config: Path, /) -> None:
    """Run a trained model as a participant of a coupling by preCICE 3.

    Example: physgt couple precice solid.toml

    Parameters
    ----------
    config
        A TOML file: model, start, preCICE's configuration, meshes; docs/coupling.md describes it.
    """
    from physgt.coupling.precice import couple as take_part

    time = take_part(config)
    out.print(f"coupled until {time:g} s")
