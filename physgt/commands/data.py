"""Commands about files and data: what is in them, converting and generating them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from physgt.commands.apps import app, out
from physgt.errors import PhysgtError
from physgt.options import assignment, seed_range


@app.command
def info(
    path: Path,
    /,
    *,
    pictures: Path | None = None,
    field: str | None = None,
) -> None:
    """Show what is in a file, a case folder or a data set: mesh, sets, fields, times.

    Of a folder of converted files it tells cases, splits, ranges over all, and what is odd:
    outliers, equal cases, values that aren't finite, files that can't be read.

    Example: physgt info data --pictures sheet.png

    Parameters
    ----------
    path
        Any file that physgt reads (`physgt formats` lists them), or a folder of .vtkhdf files.
    pictures
        Also draw a small picture of each case of a folder to this file.
    field
        The field of the pictures; the first that all cases have, without it.
    """
    from physgt.datasets.data_set import is_data_set, summarise
    from physgt.datasets.data_set_table import data_set_table
    from physgt.datasets.info import describe, table
    from physgt.progress import progress_bar

    if not is_data_set(path):
        if pictures is not None:
            raise PhysgtError(f"{path}: --pictures wants a folder of .vtkhdf files; see render.")
        out.print(table(describe(path)))
        return
    with progress_bar("reading") as update:
        summary = summarise(path, progress=update)
    out.print(data_set_table(summary))
    if pictures is not None:
        from physgt.datasets import open_trajectory
        from physgt.viz import picture_sheet

        cases = {case.name: open_trajectory(path / case.name) for case in summary.readable}
        out.print(f"wrote {picture_sheet(cases, pictures, field=field)}")


@app.command
def formats() -> None:
    """List the formats that physgt reads and writes.

    Example: physgt formats
    """
    from rich.table import Table

    from physgt.datasets import FORMATS

    listing = Table("format", "reads", "writes")
    for entry in FORMATS.values():
        listing.add_row(entry.description, "yes", "yes" if entry.write else "")
    out.print(listing)


@app.command
def convert(
    sources: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    fields: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    node_type: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    to_nodes: bool = False,
    join_points: bool = False,
    start: float | None = None,
    stop: float | None = None,
    time_unit: float = 1.0,
    remap: str | None = None,
) -> None:
    """Convert solver results to a VTKHDF trajectory (or, by the suffix of OUTPUT, export one).

    Example: physgt convert pipe.foam -o pipe.vtkhdf --node-type set:inlet=INFLOW "x>1.6=OUTFLOW"

    Parameters
    ----------
    sources
        A file, case folder, or numbered series ("out/flow_*.vtu") of a solver; several of them, or
        a data set of many trajectories, if OUTPUT is a folder.
    output
        The file to write: .vtkhdf to train on and for ParaView, .pvd for older readers. Or a
        folder, for one .vtkhdf file a trajectory; a pattern is then as many sources as it matches.
    fields
        The fields to take; all without it.
    node_type
        Rules, later ones win: field:NAME, set:NAME=TYPE, or a comparison such as "x<0.01=INFLOW".
    to_nodes
        Fields of cells become fields of nodes, the mean over the cells around each node.
    join_points
        Points at one place become one, with the mean of their values: for solvers that write each
        cell with nodes of its own, as deal.II does.
    start
        The first time to take, in s.
    stop
        The last time to take, in s.
    time_unit
        Seconds that one unit of the source's time stands for; for numbered files, the time step.
    remap
        Where the mesh changes from time to time: interpolate all times onto the mesh of the first
        (--remap first), or onto that of a file (--remap mesh.vtu).
    """
    from math import inf

    from physgt.datasets.convert import convert as convert_file
    from physgt.datasets.convert_many import convert_all, is_folder
    from physgt.progress import progress_bar

    options: dict[str, Any] = {
        "fields": fields,
        "node_type": node_type,
        "to_nodes": to_nodes,
        "join_points": join_points,
        "start": -inf if start is None else start,
        "stop": inf if stop is None else stop,
        "time_unit": time_unit,
        "remap": remap,
    }
    with progress_bar("converting") as update:
        if is_folder(sources, output):
            written = convert_all(sources, output, progress=update, **options)
        else:
            written = [convert_file(sources[0], output, progress=update, **options)]
    out.print(f"wrote {written[0]}" if len(written) == 1 else f"wrote {len(written)} to {output}")


@app.command
def families(name: str | None = None, /) -> None:
    """List the case families that generate simulates, or one family's parameters as TOML.

    Example: physgt families cylinder > cylinder.toml

    Parameters
    ----------
    name
        The family whose parameters to print, with their defaults.
    """
    from rich.table import Table

    from physgt.datasets.case_family import parameters_as_toml
    from physgt.datasets.generate import GENERATORS, make_family

    if name is not None:
        print(parameters_as_toml(make_family(name, {})))
        return
    listing = Table("family", "what it simulates")
    for known, family in GENERATORS.items():
        listing.add_row(known, str(family.__doc__).splitlines()[0])
    out.print(listing)


@app.command
def generate(
    family: str,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    seeds: str = "0:8",
    workers: int | None = None,
    parameters: Path | None = None,
    set_: Annotated[list[str] | None, Parameter("--set", consume_multiple=True)] = None,
) -> None:
    """Simulate cases of a family with a real solver, to train on. Goes on where it was stopped.

    Example: physgt generate cylinder -o data/train --seeds 0:40 --set num_steps=200

    Parameters
    ----------
    family
        The case family; `physgt families` lists them.
    output
        The folder to write one VTKHDF file a seed to.
    seeds
        FIRST:LAST, LAST left out, or one number.
    workers
        Cases simulated at a time; as many as there are cores without it.
    parameters
        A TOML file of family parameters, ranges as [LOW, HIGH]; `physgt families NAME` prints one.
    set_
        NAME=VALUE of a family parameter, ranges as LOW,HIGH; wins over the file.
    """
    import os

    from physgt.datasets.case_family import read_parameters
    from physgt.datasets.generate import generate as generate_cases
    from physgt.progress import progress_bar

    chosen = {} if parameters is None else read_parameters(parameters)
    chosen |= dict(assignment(text) for text in set_ or [])
    with progress_bar(f"simulating {family}") as update:
        paths = generate_cases(
            family,
            output,
            seed_range(seeds),
            workers=workers or os.cpu_count() or 1,
            progress=update,
            **chosen,
        )
    out.print(f"{len(paths)} {'case' if len(paths) == 1 else 'cases'} in {output}")
