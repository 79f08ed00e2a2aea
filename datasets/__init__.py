"""Files in and out: trajectories read from solvers, written for ParaView, and generated.

Imported as `physgt.datasets`. In the root of a checkout this folder also answers to the name of
Hugging Face's library `datasets`; it then hands over to that library.
"""

if __name__ == "datasets":
    import importlib.util
    import sys
    from importlib.machinery import PathFinder
    from pathlib import Path

    _checkout = Path(__file__).resolve().parent.parent
    _spec = PathFinder.find_spec(
        "datasets", [entry for entry in sys.path if Path(entry).resolve() != _checkout]
    )
    if _spec is None or _spec.loader is None:
        raise ModuleNotFoundError(
            "No module named 'datasets' (physgt's own is imported as physgt.datasets)",
            name="datasets",
        )
    # The import system returns what lies in sys.modules after this file has run.
    sys.modules["datasets"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["datasets"])
else:
    from typing import TYPE_CHECKING, Any

    from physgt.datasets.formats import FORMATS, open_trajectory, write_trajectory

    if TYPE_CHECKING:
        from physgt.datasets.generate import GENERATORS

    __all__ = ["FORMATS", "GENERATORS", "open_trajectory", "write_trajectory"]

    def __getattr__(name: str) -> Any:
        """The generators, with the solvers behind them, are imported when they are asked for."""
        if name == "GENERATORS":
            from physgt.datasets.generate import GENERATORS

            return GENERATORS
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
