"""All that can be said of a prediction beside its reference: what physgt score prints."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from rich.table import Table

from physgt.case import find_case, read_case
from physgt.errors import PhysgtError
from physgt.quantities import check_outputs, history, stated_numbers, with_fields
from physgt.quantities.settings import Settings
from physgt.rollout.alignment import phase_aligned
from physgt.rollout.histories import compare_histories
from physgt.rollout.scores import score, valid_time
from physgt.rollout.table import alignment_table, histories_table, means_table, score_table
from physgt.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Assessment:
    """prediction, reference: with quantities that lie on all nodes as further fields.
    scores: see score. histories: of the other quantities, of prediction and reference, or empty.
    aligned: by field, see phase_aligned, or empty."""

    prediction: Trajectory
    reference: Trajectory
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

    def plain(self, threshold: float) -> dict[str, Any]:
        """Numbers and texts that JSON can hold: NaN and infinity become null."""
        told: dict[str, Any] = self.scores.to_dict()
        valid = valid_time(self.scores, threshold)
        told["valid_time"] = valid.assign_attrs(valid.attrs, threshold=threshold).to_dict()
        if self.aligned:
            told["phase_aligned"] = {name: data.to_dict() for name, data in self.aligned.items()}
        if self.histories is not None:
            names = "prediction", "reference"
            told["quantities"] = compare_histories(*self.histories).to_dict()
            told["histories"] = {n: h.to_dict() for n, h in zip(names, self.histories, strict=True)}
        plain: dict[str, Any] = json.loads(json.dumps(told), parse_constant=lambda _: None)
        return plain


def assess(
    prediction: Trajectory,
    reference: Trajectory,
    *,
    on: str | None = None,
    settings: Settings | None = None,
    window: float | None = None,
) -> Assessment:
    """Score a prediction against a reference.

    on: see score. settings: quantities, see physgt.quantities.history and with_fields; texts in
    them name numbers of the reference. window: seconds, see phase_aligned.
    """
    numbers = stated_numbers(reference)
    ours, rest = with_fields(prediction, settings or {}, numbers)
    theirs, _ = with_fields(reference, settings or {}, numbers)
    scores = score(ours, theirs, on=on, dynamic_modes=True)
    histories = (history(ours, rest, numbers), history(theirs, rest, numbers)) if rest else None
    fields = [] if window is None else scores["field"].values.tolist()
    aligned = {name: phase_aligned(ours, theirs, name, window or 0.0, on=on) for name in fields}
    return Assessment(ours, theirs, scores, histories, aligned)


def read_quantities(path: Path) -> Settings:
    """The tables [outputs.NAME] of a TOML file that has nothing else, or of a case.

    path: the file, or the name of a case that comes with physgt. Raises PhysgtError where there
    are none, and for a kind or an option that doesn't exist.
    """
    found = find_case(path)
    if not found.is_file():
        raise PhysgtError(f"{path}: no such file of quantities, and no case of that name.")
    try:
        tables = tomllib.loads(found.read_text())
        if "task" in tables:
            tables = {"outputs": read_case(found).outputs}
        outputs = tables.get("outputs", {})
        if set(tables) != {"outputs"} or not outputs or not isinstance(outputs, dict):
            raise PhysgtError(
                f"expected tables [outputs.NAME] and nothing else, found {list(tables)}."
            )
        check_outputs(outputs)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    except PhysgtError as error:
        raise PhysgtError(f"{path}: {error}") from error
    return outputs
