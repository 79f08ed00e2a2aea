"""Trained models that come with physgt: NAME.physgt, its card NAME.md, its record NAME.json.

physgt.pretrained.make writes the three; a model is listed by being in this folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from physgt.errors import PhysgtError

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The pretrained models, in order of name."""
    return sorted(path.stem for path in FOLDER.glob("*.physgt"))


def find_model(name: Path | str, folder: Path | None = None) -> Path:
    """The file `name`, seen from `folder`, or else the pretrained model of that name.

    Raises PhysgtError where there is neither.
    """
    path = (folder or Path()) / name
    if path.is_file():
        return path
    if str(name) in names():
        return FOLDER / f"{name}.physgt"
    raise PhysgtError(
        f"{path}: no such file, and no pretrained model of that name; expected a file that physgt "
        f"train wrote, or one of {', '.join(names())}."
    )


def read_card(name: str) -> str:
    """The model card of a pretrained model, Markdown. Raises PhysgtError for another name."""
    return _beside(name, ".md").read_text()


def read_record(name: str) -> dict[str, Any]:
    """What the card is made of, see physgt.pretrained.make. Raises PhysgtError as read_card."""
    found: dict[str, Any] = json.loads(_beside(name, ".json").read_text())
    return found


def _beside(name: str, suffix: str) -> Path:
    if name not in names():
        raise PhysgtError(
            f"no pretrained model '{name}'; the pretrained models are {', '.join(names())}."
        )
    return FOLDER / f"{name}{suffix}"
