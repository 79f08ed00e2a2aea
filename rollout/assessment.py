"""All that can be said of a prediction beside its reference: what physgt score prints."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from rich.table import Table

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError
from physgt.rollout.alignment import phase_aligned
from physgt.rollout.histories import Settings, compare_histories, history
from physgt.rollout.scores import score, valid_time
from physgt.rollout.table import alignment_table, histories_table, means_table, score_table


@dataclass(frozen=True, eq=False)
class Assessment:
    """scores: see score. histories: of quantities, of prediction and reference, or empty.
    aligned: by field, see phase_aligned, or empty."""

    scores: xr.Dataset
    histories: tuple[xr.Dataset, xr.Dataset] | None
    aligned: dict[str, xr.Dataset]

    def tables(self, threshold: float) -> list[Table]:
        found = [score_table(self.scores), means_table(self.scores, threshold)]
        if self.aligned:
            found.append(alignment_table(self.aligned, self.scores))
        if self.histories is not None:
            found.append(histories_table(compare_histories(*self.histories)))
        return found

    def plain(self) -> dict[str, Any]:
        """Numbers and texts that JSON can hold: NaN and infinity become null."""
        told: dict[str, Any] = self.scores.to_dict()
        told["valid_time"] = valid_time(self.scores).to_dict()
        if self.aligned:
            told["phase_aligned"] = {name: data.to_dict() for name, data in self.aligned.items()}
        if self.histories is not None:
            names = "prediction", "reference"
            told["quantities"] = compare_histories(*self.histories).to_dict()
            told["histories"] = {n: h.to_dict() for n, h in zip(names, self.histories, strict=True)}
        plain: dict[str, Any] = json.loads(json.dumps(told), parse_constant=lambda _: None)
        return plain


def assess(
    prediction: Path,
    reference: Path,
    *,
    on: str | None = None,
    settings: Settings | None = None,
    window: float | None = None,
) -> Assessment:
    """Score the trajectory of one file against that of another.

    on: see score. settings: quantities, see history. window: seconds, see phase_aligned.
    """
    ours, theirs = open_trajectory(prediction), open_trajectory(reference)
    scores = score(ours, theirs, on=on, dynamic_modes=True)
    histories = (history(ours, settings), history(theirs, settings)) if settings else None
    fields = [] if window is None else scores["field"].values.tolist()
    aligned = {name: phase_aligned(ours, theirs, name, window or 0.0) for name in fields}
    return Assessment(scores, histories, aligned)


def read_quantities(path: Path) -> Settings:
    """The tables [outputs.NAME] of a TOML file. Raises PhysgtError where there are none."""
    if not path.is_file():
        raise PhysgtError(f"{path}: no such file of quantities.")
    try:
        found = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    tables = found.get("outputs", {})
    other = [key for key in found if key != "outputs"]
    if other or not tables or not all(isinstance(table, dict) for table in tables.values()):
        raise PhysgtError(
            f"{path}: expected tables [outputs.NAME] and nothing else, found {list(found)}."
        )
    return tables
