"""Where commands register, and the console that they print to."""

from __future__ import annotations

from cyclopts import App
from rich.console import Console

# Modules that need torch or VTK are imported by the commands that use them: help comes at once.

app = App(
    name="physgt",
    help="Learn the time steps of a simulation on an unstructured mesh, and run it.",
    help_epilogue="Start: physgt info FILE shows what a file holds; physgt COMMAND --help.",
)
couple = App(name="couple", help="Take part in a coupled simulation.")
app.command(couple)
export = App(name="export", help="Write one step of a trained model for other programs.")
app.command(export)
out = Console()
