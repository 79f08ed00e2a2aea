"""Node and element sets of an input file of Abaqus or CalculiX.

Source: CalculiX CrunchiX User's Manual, *NSET, *ELSET, *NODE and *ELEMENT.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from physgt.errors import PhysgtError

DEFINE = {"*NSET": "NSET", "*ELSET": "ELSET", "*NODE": "NSET", "*ELEMENT": "ELSET"}
"""Keyword -> its parameter that names the set."""


def read_sets(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(node sets, element sets) by name: the numbers that the file gives them, sorted.

    Names are in capitals, as CalculiX takes them. Raises PhysgtError naming file and line.
    """
    found: dict[str, dict[str, set[int]]] = {
        "NSET": defaultdict(set), "ELSET": defaultdict(set),
    }  # fmt: skip
    for keyword, parameters, lines in _cards(path):
        kind = DEFINE.get(keyword, "")
        name = parameters.get(kind, "")
        if not name:
            continue
        members = found[kind][name]
        for number, words in lines:
            try:
                if keyword in ("*NODE", "*ELEMENT"):
                    # A long list of nodes goes on in the next line, which names no element.
                    members.add(int(words[0]))
                elif "GENERATE" in parameters:
                    first, last, *step = (int(word) for word in words)
                    members.update(range(first, last + 1, *step))
                else:
                    for word in words:
                        members.update([int(word)] if word.isdigit() else found[kind][word])
            except (ValueError, TypeError) as error:
                raise PhysgtError(f"{path}: line {number}: {error}.") from error
    nodes, elements = (
        {name: np.array(sorted(ids)) for name, ids in sets.items() if ids}
        for sets in found.values()
    )
    return nodes, elements


def _cards(
    path: Path,
) -> Iterator[tuple[str, dict[str, str], list[tuple[int, list[str]]]]]:
    """(keyword, parameters, data lines with their numbers), all in capitals.

    A line that ends with a comma and the one after it are one line.
    """
    keyword, parameters, lines = "", dict[str, str](), list[tuple[int, list[str]]]()
    goes_on = False
    with path.open(errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip().upper()
            if not text or text.startswith("**"):
                continue
            if text.startswith("*"):
                yield keyword, parameters, lines
                keyword, *words = (word.strip() for word in text.split(","))
                pairs = (word.partition("=") for word in words)
                parameters = {key.strip(): value.strip() for key, _, value in pairs}
                lines, goes_on = [], False
                continue
            words = [word.strip() for word in text.split(",") if word.strip()]
            if goes_on:
                lines[-1][1].extend(words)
            elif words:
                lines.append((number, words))
            goes_on = text.endswith(",") and bool(lines)
    yield keyword, parameters, lines
