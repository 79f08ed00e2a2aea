"""What the page on moving meshes shows is valid."""

import re
from pathlib import Path

import pytest

from physgt import Field, Simulator
from physgt.case import find_case, read_case
from physgt.task import Quasistatic, SecondOrder

PAGE = Path(__file__).parents[1] / "docs" / "moving_meshes.md"
CASE, NO_MEMORY, SECOND_ORDER = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def test_the_case_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "press.toml").write_text(CASE)
    task = read_case(tmp_path / "press.toml").task()
    assert task.moves
    assert task.motion_columns == [0, 1]
    assert task.contact is not None
    assert task.contact.max_neighbors == 16


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (NO_MEMORY, Quasistatic("points", 2)),
        (SECOND_ORDER, SecondOrder("points", 2, initial_rate="history")),
    ],
)
def test_so_is_what_it_says_of_other_orders(tmp_path: Path, told: str, expected: Field) -> None:
    start, end = CASE.index("[task.targets.points]"), CASE.index("[task.targets.stress]")
    (tmp_path / "other.toml").write_text(CASE[:start] + told + CASE[end:])
    (points, _) = read_case(tmp_path / "other.toml").task().targets
    assert points == expected


@pytest.mark.parametrize("name", ["hyperelastic", "hyperelastic_swing"])
def test_the_cases_that_it_names_come_with_physgt(name: str) -> None:
    case = read_case(find_case(name))
    assert Simulator(case.task(), 2, case.model_name, case.model_options).task.moves
