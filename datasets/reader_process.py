"""The other side of isolation.py: a process that forks a reader for each source.

Requests come through a socket, each with a socket of its own through which the reader answers.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from physgt.datasets.formats import FORMATS, import_readers
from physgt.datasets.isolation import Opened, Request
from physgt.datasets.snapshots import interpolated_onto
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory


def serve(number: int) -> None:
    """Fork readers until the other end of socket `number` is closed."""
    # Whoever asks ends with Ctrl-C, and then so does this process; its children need no burial.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Once for all that will be forked.
    import_readers()
    with socket.socket(fileno=number) as requests:
        requests.send(b"+")
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
            if not message:
                return
            if os.fork() == 0:
                requests.close()
                try:
                    _answer(Connection(descriptors[0]))
                finally:
                    os._exit(0)
            os.close(descriptors[0])


def _answer(connection: Connection) -> None:
    """Say which process this is, open the trajectory that the first request names, then give the
    frames asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        connection.send(os.getpid())
        request: Request = connection.recv()
        os.chdir(request.folder)
        _limit_memory(request.memory)
        with _kept_to_limits(connection, request):
            read = FORMATS[request.format_name].read
            member = () if request.member is None else (request.member,)
            with interpolated_onto(request.onto):
                trajectory = read(request.path, *member)
            connection.send(("answer", _opened(trajectory)))
        names = [field.name for field in trajectory.declared(over_time=True)]
        while True:
            index = connection.recv()
            with _kept_to_limits(connection, request):
                found = {name: _field(request, trajectory, index, name) for name in names}
                connection.send(("answer", {name: told for name, (told, _) in found.items()}))
                for _, values in found.values():
                    view = values.reshape(-1).view(np.uint8).data
                    while view.nbytes:
                        view = view[os.write(connection.fileno(), view) :]
    except (EOFError, OSError):
        return  # No one asks any more.


@contextmanager
def _kept_to_limits(connection: Connection, request: Request) -> Iterator[None]:
    """Send what goes wrong as an error; SIGPROF kills what computes for too long."""
    signal.setitimer(signal.ITIMER_PROF, request.seconds)
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        connection.send(("error", _in_words(request, error)))
    signal.setitimer(signal.ITIMER_PROF, 0)


def _field(
    request: Request, trajectory: Trajectory, index: int, name: str
) -> tuple[str | tuple[np.dtype, tuple[int, ...]], np.ndarray]:
    """(dtype and shape, values); of a field that can't be read, the error and nothing."""
    try:
        values = np.asarray(trajectory.frame(index, [name])[name], order="C")
    except Exception as error:
        return _in_words(request, error), np.empty(0)
    return (values.dtype, values.shape), values


def _opened(trajectory: Trajectory) -> Opened:
    still = [field.name for field in trajectory.declared(over_time=False)]
    return Opened(
        mesh=trajectory.mesh,
        times=trajectory.times,
        order=[str(name) for name in trajectory.fields.data_vars],
        series=trajectory.declared(over_time=True),
        still={name: trajectory.fields.variables[name].load() for name in still},
        attributes=dict(trajectory.attributes),
    )


def _in_words(request: Request, error: Exception) -> str:
    if isinstance(error, PhysgtError):
        return str(error)
    told = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        told = f"it asks for more than {request.memory / 2**30:.1f} GiB of memory"
    return (
        f"{request.path}: can't be read, it is damaged or not what its name says "
        f"({type(error).__name__}: {told})."
    )


def _limit_memory(more: int) -> None:
    """So many bytes more than this process has already."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return  # Other systems than Linux don't keep to this limit.
    resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.getrlimit(resource.RLIMIT_AS)[1]))
