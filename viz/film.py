"""All times of one field as a film."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from physgt.errors import PhysgtError
from physgt.files import written_whole
from physgt.trajectory import Trajectory
from physgt.viz.canvas import Canvas
from physgt.viz.output import checked_path
from physgt.viz.picture import SIZE
from physgt.viz.scales import make_scales
from physgt.viz.scene import make_scene

Progress = Callable[[int, int], None]
FILM_SUFFIXES = (".mp4", ".gif")


def animate(
    trajectory: Trajectory,
    field: str,
    path: Path | str,
    *,
    reference: Trajectory | None = None,
    component: int | str | None = None,
    colour_map: str | None = None,
    error_limit: float | None = None,
    size: int = SIZE,
    frames_per_second: float = 20,
    every: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Draw each `every`-th time of `field` as render does, with one colour scale throughout.

    With `reference` the times are those that both have. MP4 (H.264) needs ffmpeg, the system's
    or that of the extra `physgt[movie]`; GIF needs nothing. progress(done, all) is called after
    each frame.

    Raises PhysgtError as render does, and where ffmpeg is wanted and missing.
    """
    path = checked_path(path, FILM_SUFFIXES)
    if not 0 < frames_per_second <= 100:
        raise PhysgtError(f"frames_per_second = {frames_per_second}, expected up to 100.")
    ffmpeg = _find_ffmpeg(path) if path.suffix.lower() == ".mp4" else None
    scene = make_scene(trajectory, field, component, reference).every(every)
    canvas = Canvas(scene, make_scales(scene, colour_map, error_limit), size)
    frames = _frames(canvas, len(scene), progress)
    with written_whole(path) as temporary:
        if ffmpeg is None:
            _write_gif(frames, temporary, frames_per_second)
        else:
            _write_mp4(frames, temporary, frames_per_second, ffmpeg)
    return path


def _frames(canvas: Canvas, count: int, progress: Progress | None) -> Iterator[np.ndarray]:
    for k in range(count):
        yield canvas.pixels(k)
        if progress is not None:
            progress(k + 1, count)


def _write_gif(frames: Iterator[np.ndarray], path: Path, frames_per_second: float) -> None:
    # Of a GIF's 256 colours an octree gives rare ones, large errors above all, their share; the
    # usual median cut would merge them into their neighbours.
    images = (
        Image.fromarray(frame).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)
        for frame in frames
    )
    next(images).save(
        path, save_all=True, append_images=images, duration=1000 / frames_per_second, loop=0
    )


def _write_mp4(
    frames: Iterator[np.ndarray], path: Path, frames_per_second: float, ffmpeg: str
) -> None:
    first = next(frames)
    height, width = first.shape[:2]
    source = f"-f rawvideo -pix_fmt rgba -s {width}x{height} -r {frames_per_second} -i -"
    # yuv420p is the one pixel format that every browser and player shows; with faststart a
    # browser begins to play before it has the whole file.
    target = "-c:v libx264 -preset veryfast -crf 18 -pix_fmt yuv420p -movflags +faststart"
    command = [ffmpeg, "-y", "-loglevel", "error", *source.split(), *target.split(), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        try:
            encoder.stdin.write(first.data)
            for frame in frames:
                encoder.stdin.write(frame.data)
        except BrokenPipeError:
            pass  # ffmpeg gave up; what it says is told below.
        complaint = encoder.communicate()[1].decode(errors="replace").strip()
    if encoder.returncode != 0:
        raise PhysgtError(
            f"{path.name}: {ffmpeg} could not write MP4: {complaint.splitlines()[-1:]}. "
            "`pip install 'physgt[movie]'` brings one that can; or write a .gif."
        )


def film_suffix() -> str:
    """.mp4 where there is an ffmpeg to write it, else .gif, which needs none."""
    return ".gif" if _ffmpeg() is None else ".mp4"


def _find_ffmpeg(path: Path) -> str:
    found = _ffmpeg()
    if found is None:
        raise PhysgtError(
            f"{path}: writing MP4 needs ffmpeg: `pip install 'physgt[movie]'`, or install your "
            "system's package ffmpeg. A .gif needs neither."
        )
    return found


def _ffmpeg() -> str | None:
    """The program of the extra `movie` where it is installed, else the system's, if any."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return shutil.which("ffmpeg")
