"""What a mapping file says: where mesh, times and fields lie in a user's own HDF5 or npz files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationError, model_validator
from pydantic import Field as Setting

from physgt.errors import PhysgtError

LARGEST = 2**20
"""Bytes of a mapping file, at most."""

Dimension = Literal["time", "node", "cell", "component"]


class Section(BaseModel):
    """A table of the mapping file; a key it doesn't know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cells(Section):
    """array: (m, k) node numbers. type: a cell type by name. first: number of the first node."""

    array: str
    type: str
    first: Literal[0, 1] = 0


class MeshMap(Section):
    points: str
    cells: Cells | Annotated[list[Cells], Setting(min_length=1)]
    node_type: str | None = None
    node_sets: dict[str, str] = {}
    cell_sets: dict[str, str] = {}

    @property
    def blocks(self) -> list[Cells]:
        return [self.cells] if isinstance(self.cells, Cells) else self.cells


class TimeMap(Section):
    """The times in an array, or dt and a start. unit: seconds that one unit stands for."""

    array: str | None = None
    dt: PositiveFloat | None = None
    start: float = 0.0
    unit: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _one_of_them(self) -> TimeMap:
        if (self.array is None) == (self.dt is None):
            raise ValueError("give either array or dt")
        return self


class FieldMap(Section):
    """array: its name, or one name a component. dims: what each axis of the array counts."""

    array: str | Annotated[list[str], Setting(min_length=2)]
    dims: list[Dimension] = ["time", "node", "component"]
    units: str = ""

    @property
    def arrays(self) -> list[str]:
        return [self.array] if isinstance(self.array, str) else self.array

    @model_validator(mode="after")
    def _dims_make_sense(self) -> FieldMap:
        if len(set(self.dims)) < len(self.dims) or {"node", "cell"} <= set(self.dims):
            raise ValueError("each of time, node or cell, and component counts one axis")
        return self


class ArrayMap(Section):
    """files: a file, or a pattern for a family of them, from the folder of the mapping file."""

    files: str
    mesh: MeshMap
    time: TimeMap
    fields: Annotated[dict[str, FieldMap], Setting(min_length=1)]

    @model_validator(mode="after")
    def _star_is_a_pattern(self) -> ArrayMap:
        star = self.fields.get("*")
        if star is not None and (not isinstance(star.array, str) or star.array.count("*") != 1):
            raise ValueError('fields."*" needs one array with one *, such as "fields/*"')
        return self


def is_array_map(path: Path) -> bool:
    """A TOML file with the tables [mesh] and [fields], which a case file has not."""
    if path.suffix.lower() != ".toml" or not path.is_file() or path.stat().st_size > LARGEST:
        return False
    try:
        return {"files", "mesh"} <= tomllib.loads(path.read_text()).keys()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def read_array_map(path: Path) -> ArrayMap:
    """Raises PhysgtError naming the file and the key."""
    try:
        return ArrayMap.model_validate(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    except ValidationError as error:
        # An unknown key comes first: where a key is missing too, it is likely that one, misspelt.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"])
        raise PhysgtError(f"{path}: {where}: {first['msg']}.") from error
