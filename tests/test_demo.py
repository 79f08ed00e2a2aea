import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from physgt.case import read_case
from physgt.datasets import open_trajectory


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demonstration on coarse meshes and few steps: all of its line, none of its quality."""
    path = Path(__file__).parents[1] / "examples" / "demo.py"
    spec = util.spec_from_file_location("demo", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FAMILY", {"refinement": 0.6, "spin_up": 0.1})
    monkeypatch.setattr(module, "TRAINING_CASES", 2)
    monkeypatch.setattr(module, "TRAINING_SECONDS", 0.2)
    monkeypatch.setattr(module, "TEST_SECONDS", 0.6)
    return module


def test_the_demonstration_leaves_a_prediction_a_picture_and_a_film(demo, tmp_path, capsys):
    case = read_case(Path(demo.__file__).with_name("demo.toml"))
    short = case.training.model_copy(update={"steps": 3, "validation_steps": 2})
    demo.main(tmp_path / "demo", case.model_copy(update={"training": short}))
    printed = capsys.readouterr().out
    for words in ("relative_l2", "persistence", "ParaView 5.12"):
        assert words in printed
    steps = round(0.6 / case.task().dt)
    assert open_trajectory(tmp_path / "demo" / "prediction.vtkhdf").num_steps == steps
    for name in ("velocity.png", "velocity.mp4", "run/best.physgt"):
        assert (tmp_path / "demo" / name).stat().st_size > 10_000
