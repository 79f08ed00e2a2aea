"""`xarray.open_dataset("x.vtkhdf", engine="physgt")`, found through the entry point of xarray."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

from physgt.datasets.vtkhdf import read_vtkhdf


class VTKHDFBackend(BackendEntrypoint):
    """Opens VTKHDF files of a single unstructured grid as Trajectory.to_xarray shows them."""

    description = "Open VTKHDF files (.vtkhdf) of unstructured grids over time"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = ("filename_or_obj", "drop_variables")

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | PathLike[Any],
        *,
        drop_variables: str | Iterable[str] | None = None,
    ) -> xr.Dataset:
        dataset = read_vtkhdf(filename_or_obj).to_xarray()
        dropped = [drop_variables] if isinstance(drop_variables, str) else (drop_variables or [])
        return dataset.drop_vars(dropped, errors="ignore")
