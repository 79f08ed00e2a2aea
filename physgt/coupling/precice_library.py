"""The library preCICE, imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from physgt.errors import PhysgtError


class LibraryParticipant:
    """precice.Participant with errors told as PhysgtError."""

    def __init__(self, *arguments: Any) -> None:
        try:
            import precice
        except ImportError as error:
            raise PhysgtError(
                f"coupling by preCICE needs its Python bindings ({error}); install the library "
                'preCICE 3, then pip install "physgt[precice]".'
            ) from error
        with _told():
            self._own = precice.Participant(*arguments)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._own, name)

        def call(*arguments: Any) -> Any:
            with _told():
                return method(*arguments)

        return call


@contextmanager
def _told() -> Iterator[None]:
    """preCICE throws RuntimeError for everything, a lost connection to the other side included."""
    try:
        yield
    except RuntimeError as error:
        raise PhysgtError(
            f"preCICE stopped the coupling: {error} "
            "A file being written keeps the time windows that were complete."
        ) from error
