"""Whether VTK can draw without a screen here, and through which library.

VTK ends the whole process where it finds no OpenGL, so another process tries first.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

from physgt.errors import PhysgtError

WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
TRIAL = """
import os
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.Render()
# Where the class that was asked for doesn't work, VTK may take another, with warnings each time.
assert window.GetClassName() == os.environ["VTK_DEFAULT_OPENGL_WINDOW"]
assert window.SupportsOpenGL()
"""


@functools.cache
def prepare_off_screen_rendering() -> None:
    """Make VTK draw through the first of X, EGL and OSMesa that works.

    Raises PhysgtError, naming the Debian packages to install, where none does.
    """
    if sys.platform != "linux":
        return
    load_before_opengl()
    windows = ["vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"]
    if "DISPLAY" in os.environ:
        windows.insert(0, "vtkXOpenGLRenderWindow")
    if WINDOW in os.environ:
        windows = [os.environ[WINDOW]]
    for window in windows:
        if can_render(window):
            os.environ[WINDOW] = window
            return
    raise PhysgtError(
        "drawing a 3-D mesh needs OpenGL, and neither EGL nor OSMesa works here; install them, on "
        "Debian or Ubuntu with `apt-get install libegl1 libgl1-mesa-dri`. Planar meshes need none."
    )


def load_before_opengl() -> None:
    """Import Triton where it is installed, as torch for CUDA brings it.

    It and Mesa's OpenGL each bring an LLVM; where Triton's is loaded second, as the first training
    after a picture would, the process ends with a segmentation fault.
    """
    if find_spec("triton") is not None:
        import_module("triton")


def can_render(window: str) -> bool:
    """Whether another Python process draws through the VTK class `window` and lives."""
    environment = os.environ | {WINDOW: window}
    trial = subprocess.run(
        [sys.executable, "-c", TRIAL], env=environment, capture_output=True, timeout=120
    )
    return trial.returncode == 0
