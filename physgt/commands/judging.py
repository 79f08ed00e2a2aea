"""Commands that compare and draw trajectories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from physgt.commands.apps import app, out
from physgt.errors import PhysgtError


@app.command
def score(
    prediction: Path,
    reference: Path,
    /,
    *,
    on: str | None = None,
    threshold: float = 0.2,
    quantities: Path | None = None,
    align: float | None = None,
    json_: Annotated[Path | None, Parameter("--json")] = None,
    plot: Path | None = None,
) -> None:
    """Print the errors of a prediction against a reference, beside those of simple forecasts.

    persistence: nothing changes. dynamic_modes: a linear model fitted to the first half of the
    reference itself, scored in the second.

    Example: physgt score prediction.vtkhdf reference.vtkhdf --quantities cylinder

    Parameters
    ----------
    prediction
        A trajectory that rollout wrote.
    reference
        The solver's trajectory on the same mesh; it may have more times.
    on
        A node set or node type whose nodes alone count: NORMAL are those inside.
    threshold
        The relative error up to which a prediction counts as valid.
    quantities
        A TOML file with tables [outputs.NAME] of forces, fluxes, stresses, energies, probes, or a
        case that has them, by its file or name: cylinder. Their means, amplitudes, frequencies,
        drifts and phase errors are printed as well.
    align
        Seconds, best half a period: also print the errors to the closest state of the reference
        within that time, and by how much time it is apart.
    json_
        Also write every score at every time to this file.
    plot
        Also draw errors and quantities over time to this file: .png, .pdf or .svg.
    """
    from physgt.datasets import open_trajectory
    from physgt.files import write_text
    from physgt.rollout.assessment import assess, read_quantities
    from physgt.viz.scores import plot_scores

    settings = {} if quantities is None else read_quantities(quantities)
    ours, theirs = open_trajectory(prediction), open_trajectory(reference)
    found = assess(ours, theirs, on=on, settings=settings, window=align)
    for table in found.tables(threshold):
        out.print(table)
    if json_ is not None:
        write_text(json_, json.dumps(found.plain(threshold), indent=1))
        out.print(f"wrote {json_}")
    if plot is not None:
        plot_scores(found, plot)
        out.print(f"wrote {plot}")


@app.command
def report(
    run: Path,
    /,
    *,
    data: Path,
    cases: str | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    quantities: Path | None = None,
    steps: int | None = None,
    threshold: float = 0.2,
    checkpoint: str = "best.physgt",
    device: str = "cpu",
) -> None:
    """Write one HTML page on a training run: errors, films, worst cases, curves, provenance.

    The test cases are rolled out freely from their first states and scored.

    Example: physgt report runs/cylinder --data data -o cylinder.html

    Parameters
    ----------
    run
        The folder that train wrote.
    data
        The folder that the patterns of the case start from.
    cases
        A pattern of test cases below it; without it what the case says of [data] test.
    output
        The page; report.html in the run's folder without it. It needs no other file.
    quantities
        A file of quantities, or a case that has them, see physgt score; the run's own case
        without it.
    steps
        Steps of each rollout; as many as a test case has without it.
    threshold
        The relative error up to which a prediction counts as valid.
    checkpoint
        Which model of the run: best.physgt or last.physgt.
    device
        cpu, or cuda where there is one.
    """
    from physgt.device import find_device
    from physgt.progress import progress_bar
    from physgt.report import read_run, write_report
    from physgt.rollout.assessment import read_quantities
    from physgt.training import open_trajectories

    found = read_run(run, checkpoint, find_device(device))
    references = open_trajectories(data, cases or found.test_pattern)
    page = output or run / "report.html"
    with progress_bar("rolling out") as update:
        write_report(
            found,
            references,
            page,
            settings=None if quantities is None else read_quantities(quantities),
            steps=steps,
            threshold=threshold,
            progress=update,
        )
    out.print(f"wrote {page}")


@app.command
def render(
    path: Path,
    field: str,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    reference: Path | None = None,
    component: str | None = None,
    time: float | None = None,
    every: int = 1,
    error_limit: float | None = None,
) -> None:
    """Draw a field: a picture (PNG, PDF, SVG) of one time or a film (MP4, GIF) of all.

    Example: physgt render prediction.vtkhdf velocity -o velocity.mp4 --reference reference.vtkhdf

    Parameters
    ----------
    path
        The trajectory.
    field
        The field; a vector is drawn by its length unless --component names one of x, y, z.
    output
        The file to write: .png, .pdf, .svg, .mp4 or .gif.
    reference
        A trajectory on the same mesh: draws reference, prediction and error together.
    component
        One component of a vector: x, y or z.
    time
        The time of a picture in s; the last without it.
    every
        A film takes each EVERY-th time.
    error_limit
        Where the colours of the error end; as wide as the field's own range without it.
    """
    from physgt.datasets import open_trajectory
    from physgt.progress import progress_bar
    from physgt.viz import FILM_SUFFIXES, PICTURE_SUFFIXES, animate
    from physgt.viz import render as draw

    is_picture = output.suffix.lower() in PICTURE_SUFFIXES
    if is_picture and every != 1:
        raise PhysgtError("--every is for films; of a picture --time says which time it shows.")
    if output.suffix.lower() in FILM_SUFFIXES and time is not None:
        raise PhysgtError("--time is for pictures; a film shows all times, or each --every-th.")
    if reference is None and error_limit is not None:
        raise PhysgtError("--error-limit is for the error, which needs a --reference.")
    trajectory = open_trajectory(path)
    shared: dict[str, Any] = {
        "reference": None if reference is None else open_trajectory(reference),
        "component": component,
        "error_limit": error_limit,
    }
    if is_picture:
        draw(trajectory, field, output, time=time, **shared)
    else:
        with progress_bar("drawing") as update:
            animate(trajectory, field, output, every=every, progress=update, **shared)
    out.print(f"wrote {output}")
