"""Pictures and films of a trial as data URIs: the page needs no other file."""

from __future__ import annotations

import base64
import io
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from physgt.report.listing import field_name, figure
from physgt.report.trials import Trial
from physgt.rollout.assessment import Assessment
from physgt.viz import animate, render
from physgt.viz.film import film_suffix
from physgt.viz.scene import make_scene
from physgt.volumes import cell_centres

SIZE = 800
"""Pixels of the longer side."""
MOST_FRAMES = 100
QUALITY = 85
"""Of pictures, in per cent: WebP has a tenth of PNG's size then."""


@dataclass(frozen=True)
class Picture:
    """source: a data URI; width, height in pixels."""

    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Film:
    """source, poster: data URIs. poster: the last frame, for those who don't play and for paper;
    is_video: whether the source is a video, else it is a GIF; width, height in pixels."""

    field: str
    source: str
    poster: str
    is_video: bool
    width: int
    height: int


@dataclass(frozen=True)
class WorstMoment:
    """Where and when a field is farthest from the reference, and a picture of that time."""

    field: str
    text: str
    picture: Picture


def film(trial: Trial, field: str) -> Film:
    """MP4 or, where the machine has no ffmpeg, GIF."""
    prediction, reference = trial.shown.prediction, trial.shown.reference
    every = -(-prediction.num_times // MOST_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film{film_suffix()}"
        animate(prediction, field, path, reference=reference, size=SIZE, every=every)
        is_video = path.suffix == ".mp4"
        source = _data_uri("video/mp4" if is_video else "image/gif", path.read_bytes())
        poster = _picture(trial, field, None)
        return Film(field_name(field), source, poster.source, is_video, poster.width, poster.height)


def worst_moment(trial: Trial) -> WorstMoment:
    """Of the field with the largest mean relative error, at the time of its largest error."""
    errors = trial.scores["relative_l2"].sel(forecast="prediction")
    # NaN: the reference is 0 or not finite; what isn't finite of a prediction is infinitely off.
    means = errors.mean("time").fillna(-np.inf)
    field = str(means["field"].values[means.values.argmax()])
    largest = trial.scores["largest_error"].sel(forecast="prediction", field=field)
    number = int(largest.fillna(-np.inf).values.argmax())
    time = float(largest["time"].values[number])
    point, size, unit = _largest_difference(trial.shown, field, time)
    name = field_name(field)
    place = ", ".join(figure(x) for x in point)
    relative = float(errors.sel(field=field).values[number])
    text = (
        f"The largest error of {name} is {figure(size)}{unit}, at ({place}) m and "
        f"t = {figure(time, 4)} s, where the relative L2 is {figure(relative)}."
    )
    return WorstMoment(name, text, _picture(trial, field, time))


def _picture(trial: Trial, field: str, time: float | None) -> Picture:
    prediction, reference = trial.shown.prediction, trial.shown.reference
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        render(prediction, field, path, time=time, reference=reference, size=SIZE)
        content = io.BytesIO()
        image = Image.open(path).convert("RGB")
        image.save(content, "WEBP", quality=QUALITY)
        return Picture(_data_uri("image/webp", content.getvalue()), *image.size)


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _largest_difference(
    found: Assessment, field: str, time: float
) -> tuple[np.ndarray, float, str]:
    """Where (D,), how large, and in which units, as they follow a number."""
    scene = make_scene(found.prediction, field, None, found.reference).at(time)
    expected, _, error = scene.panels(0)
    index = int(np.nan_to_num(error.values, nan=np.inf).argmax())
    points = expected.points
    if scene.quantity.on_cells:
        points = cell_centres(replace(found.reference.mesh, points=points))
    units = scene.quantity.field.units
    return points[index], float(error.values[index]), f" {units}" if units else ""
