"""The page from its template: one file that asks for nothing else, and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from physgt.files import write_text


def render_page(content: Mapping[str, Any]) -> str:
    """HTML. All texts of `content` are escaped; its SVG isn't, see physgt.viz.svg."""
    environment = Environment(
        loader=PackageLoader("physgt.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(content)


def write_page(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
