"""The process from which readers are forked: it has VTK and meshio imported, and reads nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import cache
from multiprocessing.connection import Connection

from physgt.errors import PhysgtError

IN_PROCESS = "PHYSGT_READ_IN_PROCESS"
"""The environment variable by which sources are read in the process itself, where it is 1."""


class Forkserver:
    """It ends when this process does."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        # The child finds the same physgt as this process, however it came to its path.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from physgt.datasets.reader_process import serve; serve({theirs.fileno()})"
        )
        # Threads don't survive a fork, so numpy's libraries must not start any.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **threads},
        )
        theirs.close()
        if not self._socket.recv(1):
            raise PhysgtError(
                f"{sys.executable} can't start a process that reads files; "
                f"read them in this one: {IN_PROCESS}=1."
            )

    def connect(self) -> Connection:
        """A connection to a new reader."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [b"+"], [theirs.fileno()])
        return Connection(ours.detach())


@cache
def forkserver(process: int) -> Forkserver:
    """The one of this process: it doesn't survive a fork."""
    return Forkserver()
