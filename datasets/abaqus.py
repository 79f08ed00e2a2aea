"""Nodes, elements and their sets in an input file of Abaqus or CalculiX.

Source: CalculiX CrunchiX User's Manual, *NSET, *ELSET, *NODE and *ELEMENT.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physgt.errors import PhysgtError

DEFINE = {"*NSET": "NSET", "*ELSET": "ELSET", "*NODE": "NSET", "*ELEMENT": "ELSET"}
"""Keyword -> its parameter that names the set."""

UNREAD = ("*NGEN", "*NFILL", "*NCOPY", "*NMAP", "*ELGEN", "*ELCOPY", "*SYSTEM")
"""Keywords that make or move nodes and elements."""


@dataclass(frozen=True)
class InputMesh:
    """nodes: number, x, y, z of each. elements: by card the type, and number, nodes of each."""

    nodes: list[list[str]]
    elements: list[tuple[str, list[list[str]]]]

    def node_numbers(self) -> np.ndarray:
        return np.array([int(words[0]) for words in self.nodes], dtype=np.int64)

    def element_numbers(self) -> np.ndarray:
        found = [int(words[0]) for _, lines in self.elements for words in lines]
        return np.array(found, dtype=np.int64)


def read_mesh(path: Path) -> InputMesh:
    """The one mesh that the file writes out, in however many cards.

    Raises PhysgtError for several parts or instances, and for nodes that are made or moved.
    """
    nodes: list[list[str]] = []
    elements: list[tuple[str, list[list[str]]]] = []
    num_instances = 0
    for keyword, parameters, lines in _cards(path):
        num_instances += keyword == "*INSTANCE"
        moved = keyword == "*INSTANCE" and (lines or num_instances > 1)
        if moved or keyword in UNREAD or (keyword == "*NODE" and "SYSTEM" in parameters):
            raise PhysgtError(
                f"{path}: {keyword} places or makes nodes or elements, which isn't read; export "
                "the mesh as it is, without parts and assemblies."
            )
        if keyword == "*NODE":
            nodes += [words for _, words in lines]
        if keyword == "*ELEMENT":
            elements.append((parameters.get("TYPE", "").upper(), [words for _, words in lines]))
    if not nodes or not elements:
        raise PhysgtError(f"{path}: has no *NODE or no *ELEMENT; it holds no mesh.")
    found = InputMesh(nodes, elements)
    for what, numbers in (("node", found.node_numbers()), ("element", found.element_numbers())):
        unique, counts = np.unique(numbers, return_counts=True)
        if (counts > 1).any():
            raise PhysgtError(
                f"{path}: {what} {unique[counts > 1][0]} is there twice, in several parts; export "
                "the mesh without parts and assemblies, so that each number is there once."
            )
    return found


def read_sets(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(node sets, element sets) by name: the numbers that the file gives them, sorted.

    A name is one in any case, and spelled as it is first. Raises PhysgtError naming file and line.
    """
    spelled: dict[str, str] = {}
    found: dict[str, dict[str, set[int]]] = {
        "NSET": defaultdict(set), "ELSET": defaultdict(set),
    }  # fmt: skip
    for keyword, parameters, lines in _cards(path):
        kind = DEFINE.get(keyword, "")
        name = parameters.get(kind, "")
        if not name:
            continue
        spelled.setdefault(name.upper(), name)
        members = found[kind][name.upper()]
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
        {spelled[name]: np.array(sorted(ids)) for name, ids in sets.items() if ids}
        for sets in found.values()
    )
    return nodes, elements


def _cards(
    path: Path,
) -> Iterator[tuple[str, dict[str, str], list[tuple[int, list[str]]]]]:
    """(keyword, parameters, data lines with their numbers), in capitals but for parameters' values.

    A line that ends with a comma and the one after it are one line. Included files are read too.
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
                head, *words = (word.strip() for word in line.strip().split(","))
                keyword = head.upper()
                pairs = (word.partition("=") for word in words)
                parameters = {key.strip().upper(): value.strip() for key, _, value in pairs}
                lines, goes_on = [], False
                if keyword == "*INCLUDE":
                    included = path.parent / parameters.get("INPUT", "").strip("\"'")
                    if not included.is_file():
                        raise PhysgtError(
                            f"{path}: includes {included.name}, which isn't there; copy it as well."
                        )
                    yield from _cards(included)
                continue
            words = [word.strip() for word in text.split(",") if word.strip()]
            if goes_on:
                lines[-1][1].extend(words)
            elif words:
                lines.append((number, words))
            goes_on = text.endswith(",") and bool(lines)
    yield keyword, parameters, lines
