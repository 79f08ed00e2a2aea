"""Reading in another process, so that a damaged file can't take this one down.

VTK, HDF5 and meshio are made for good files. A bad one may crash the interpreter, fill the memory
or never end. So a source is read by a process of its own, with limits on memory and time, which
keeps the file open and hands over one frame after the other. These processes are forked from one
that has VTK and meshio imported: only the first source waits for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import CachingFileManager

from physgt.datasets.forkserver import IN_PROCESS, forkserver
from physgt.errors import PhysgtError
from physgt.fields import field_dataset, lazy_variable
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Trajectory

MEMORY, MEMORY_PER_BYTE = 1536 * 2**20, 16
SECONDS, SECONDS_PER_BYTE = 5.0, 5e-7
"""What reading may take: so much, and so much more for each byte of the source. The seconds are of
computing, to open it or to read one frame: neither a slow disk nor a busy machine counts."""

ASLEEP, LOOK = 8.0, 0.5
"""Seconds that a reader may sleep, and between two looks at it. Who waits for a disk or for a busy
processor doesn't sleep; a reader that does waits for what doesn't come."""

WAIT = 20
"""How many times the seconds of computing may pass by the clock, whatever the reader does."""

MOST_FILES = 10_000
"""So many files of a folder are looked at to tell how large a source is."""


@dataclass(frozen=True)
class Request:
    """What a process is to read: `member` of the source, where it holds several trajectories, on
    the mesh `onto`, see snapshots.interpolated_onto."""

    format_name: str
    path: Path
    member: str | None
    onto: Mesh | str | None
    folder: Path
    seconds: float
    memory: int


@dataclass(frozen=True)
class Opened:
    """A trajectory without its frames."""

    mesh: Mesh
    times: np.ndarray
    order: list[str]
    series: list[Field]
    still: dict[str, xr.Variable]
    attributes: dict[str, Any]


def can_isolate() -> bool:
    """Whether this system can fork, and the user wants it."""
    return hasattr(os, "fork") and os.environ.get(IN_PROCESS) != "1"


def read_isolated(
    format_name: str, path: Path, member: str | None = None, onto: Mesh | str | None = None
) -> Trajectory:
    """What the reader of a format makes of `path`, read in a process of its own.

    The trajectory can be pickled; of many that are open, the least used are closed and opened
    again when they are asked for (xarray's cache of files). Raises PhysgtError for what the reader
    raises, and where it crashes or passes its limits.
    """
    size = _size(path)
    request = Request(
        format_name=format_name,
        path=path,
        member=member,
        onto=onto,
        folder=Path.cwd(),
        seconds=SECONDS + SECONDS_PER_BYTE * size,
        memory=MEMORY + MEMORY_PER_BYTE * size,
    )
    files = CachingFileManager(ReaderProcess, request)
    with files.acquire_context() as process:
        found = process.opened
    variables: dict[str, xr.Variable] = dict(found.still)
    for field in found.series:
        shape = field.frame_shape(found.mesh)
        read = _FrameReader(files, field.name)
        variables[field.name] = lazy_variable(field, (len(found.times), *shape), read)
    ordered = {name: variables[name] for name in found.order}
    return Trajectory(found.mesh, field_dataset(ordered, found.times), found.attributes)


@dataclass(frozen=True)
class _FrameReader:
    files: CachingFileManager
    name: str

    def __call__(self, index: int) -> np.ndarray:
        with self.files.acquire_context() as process:
            return process.frame(index, self.name)


class ReaderProcess:
    """The process that reads one source; a fork of this process gets one of its own."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._lock = threading.Lock()
        self._last: int | None = None
        self._ahead: int | None = None
        self._fields: dict[str, str | np.ndarray] = {}
        self._connection: Connection
        self._start()

    def frame(self, index: int, name: str) -> np.ndarray:
        """A field at time number `index`. All fields of a time come together, and the last stays:
        most who ask for one ask for the others next. Who asks for one time after the other gets the
        next read while he deals with this one."""
        with self._lock:
            if os.getpid() != self._owner or self._connection.closed:
                self._start()
            if index != self._last:
                follows = self._last is not None and index == self._last + 1
                self._last = None
                self._fields = self._read(index)
                self._last = index
                if follows and index + 1 < len(self.opened.times):
                    self._send(index + 1)
                    self._ahead = index + 1
            values = self._fields[name]
        if isinstance(values, str):
            raise PhysgtError(values)
        return values

    def close(self) -> None:
        self._connection.close()

    def _read(self, index: int) -> dict[str, str | np.ndarray]:
        """All fields of a time, be it read ahead or not."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead != index:
            with contextlib.suppress(PhysgtError):  # what nobody has asked for after all
                self._received(self._answer())
            if self._connection.closed:
                self._start()
        if ahead != index:
            self._send(index)
        return self._received(self._answer())

    def _start(self) -> None:
        self._owner = os.getpid()
        self._last = self._ahead = None
        self._connection = forkserver(self._owner).connect()
        try:
            self._reader: int = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        self._send(self.request)
        self.opened: Opened = self._answer()

    def _send(self, question: object) -> None:
        try:
            self._connection.send(question)
        except OSError as error:
            raise self._ended() from error

    def _answer(self) -> Any:
        try:
            self._wait()
            kind, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if kind == "error":
            raise PhysgtError(answer)
        return answer

    def _wait(self) -> None:
        """Until there is an answer, or the reader has ended. One that sleeps is killed."""
        looks, asleep, before = 0, 0, ""
        while not self._connection.poll(LOOK):
            looks += 1
            computed = _computed_if_asleep(self._reader)
            asleep = asleep + 1 if computed and computed == before else 0
            before = computed
            if asleep * LOOK >= ASLEEP or looks * LOOK >= WAIT * self.request.seconds:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._reader, signal.SIGKILL)
                raise self._ended()

    def _received(
        self, fields: dict[str, str | tuple[np.dtype, tuple[int, ...]]]
    ) -> dict[str, str | np.ndarray]:
        return {name: self._take(told) for name, told in fields.items()}

    def _take(self, told: str | tuple[np.dtype, tuple[int, ...]]) -> str | np.ndarray:
        """The values of a field of which dtype and shape are told; an error stays as it is."""
        if isinstance(told, str):
            return told
        dtype, shape = told
        values = np.empty(shape, dtype)
        view = values.reshape(-1).view(np.uint8).data
        while view.nbytes:  # straight into the array: Connection would copy twice
            try:
                count = os.readv(self._connection.fileno(), [view])
            except OSError as error:
                raise self._ended() from error
            if count == 0:
                raise self._ended()
            view = view[count:]
        return values

    def _ended(self) -> PhysgtError:
        self._connection.close()
        return PhysgtError(
            f"{self.request.path}: can't be read, it is damaged or not what its name says: the "
            f"reader crashed, or needed more than {self.request.memory / 2**30:.1f} GiB or "
            f"{self.request.seconds:.0f} s of computing, or slept for {ASLEEP:.0f} s. If the file "
            f"is right, read it without these limits: {IN_PROCESS}=1."
        )


def _computed_if_asleep(process: int) -> str:
    """The time that a process has computed for, in the system's units; '' where it doesn't sleep,
    and on other systems than Linux, which don't tell."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    # proc_pid_stat(5): the name in brackets, the state, ten numbers, time in the program and in
    # the kernel. Running is R, waiting for a disk D.
    state, *numbers = told.rpartition(")")[2].split()
    return "" if state in "RD" else " ".join(numbers[10:12])


def _size(path: Path) -> int:
    """Bytes of a source: of its file and those beside it, or of the files of its folder."""
    files = (path if path.is_dir() else path.parent).glob("**/*" if path.is_dir() else "*")
    found = 0
    for number, file in enumerate(files):
        found += file.stat().st_size if file.is_file() else 0
        if number > MOST_FILES:
            break
    return found
