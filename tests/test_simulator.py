import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from heat_case import HEAT, SMALL_MODELS, square_mesh
from physgt import Mesh, PhysgtError, Simulator, Trajectory
from physgt.datasets import write_trajectory
from physgt.graph import Graph, batch_graphs, build_graph


def inputs(trajectory: Trajectory, time: int = 0) -> tuple[Graph, torch.Tensor, torch.Tensor]:
    mesh = trajectory.mesh
    state = torch.as_tensor(HEAT.pack_state(trajectory.frame(time)))
    return build_graph(mesh, HEAT.free_mask(mesh)), state, torch.zeros(mesh.num_points, 0)


def test_the_training_target_is_the_inverse_of_a_step(simulator, heat):
    graph, state, forcing = inputs(heat)
    with torch.inference_mode():
        next_state = simulator.step(graph, state, forcing)
        predicted = simulator.predict(graph, state, forcing)
        target = simulator.target(graph, state, next_state)
    free = graph.free
    torch.testing.assert_close(target[free], predicted[free], rtol=1e-4, atol=1e-5)
    assert (target[~free] == 0).all()


def test_held_nodes_never_move(simulator, heat):
    graph, state, forcing = inputs(heat)
    with torch.inference_mode():
        next_state = simulator.step(graph, state, forcing)
    rim = torch.as_tensor(heat.mesh.node_sets["rim"])
    assert torch.equal(next_state[rim], state[rim])
    assert not torch.isclose(next_state, state)[graph.free].any()


def test_renumbering_the_nodes_renumbers_the_prediction(simulator, heat):
    order = np.random.default_rng(3).permutation(heat.mesh.num_points)
    position = np.argsort(order)
    triangles = position[heat.mesh.connectivity].reshape(-1, 3)
    renumbered = Mesh.from_blocks(
        heat.mesh.points[order],
        [("triangle", triangles)],
        node_type=heat.mesh.node_type[order],
        node_sets={"rim": position[heat.mesh.node_sets["rim"]]},
    )
    graph, state, forcing = inputs(heat)
    with torch.inference_mode():
        expected = simulator.step(graph, state, forcing)[order]
        other = build_graph(renumbered, HEAT.free_mask(renumbered))
        found = simulator.step(other, state[order], forcing)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_a_prediction_does_not_depend_on_the_order_of_the_graph(simulator, heat):
    graph, state, forcing = inputs(heat)
    ordered = simulator.build_graph(heat.mesh)
    assert not torch.equal(ordered.order, graph.order)
    with torch.inference_mode():
        expected = simulator.step(graph, state, forcing)
        found = simulator.step(ordered, ordered.from_mesh(state.numpy()), forcing)
    np.testing.assert_allclose(ordered.to_mesh(found), expected, rtol=1e-5, atol=1e-4)


def test_on_a_fixed_mesh_a_step_is_the_same(simulator, heat):
    graph, state, forcing = inputs(heat)
    with torch.inference_mode():
        step = simulator.on_fixed_mesh(graph)
        assert torch.equal(step(state, forcing), simulator.step(graph, state, forcing))


def test_a_mesh_of_another_dimension_is_refused(simulator):
    line = Mesh.from_blocks(np.zeros((2, 1)), [("line", [[0, 1]])])
    with pytest.raises(PhysgtError, match="1 dimensions, but the model was trained in 2"):
        simulator.build_graph(line)


def test_a_mesh_gives_the_same_alone_and_in_any_batch(simulator, heat):
    graph, state, forcing = inputs(heat)
    small = square_mesh(2)
    neighbour = build_graph(small, HEAT.free_mask(small))
    other = torch.full((small.num_points, 1), 70.0)
    with torch.inference_mode():
        alone = simulator.step(graph, state, forcing)
        together = simulator.step(
            batch_graphs([neighbour, graph, neighbour]),
            torch.cat([other, state, other]),
            torch.zeros(2 * small.num_points + len(state), 0),
        )
    found = together[small.num_points : small.num_points + len(state)]
    torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-4)


def test_a_saved_simulator_predicts_the_same_bit_for_bit(simulator, heat, tmp_path):
    simulator.save(tmp_path / "heat.physgt")
    loaded = Simulator.load(tmp_path / "heat.physgt")
    assert loaded.task == simulator.task
    with torch.inference_mode():
        assert torch.equal(loaded.step(*inputs(heat)), simulator.step(*inputs(heat)))
    assert [path.name for path in tmp_path.iterdir()] == ["heat.physgt"]


def test_an_unknown_model_or_option_is_named():
    with pytest.raises(PhysgtError, match=r"no model 'resnet'.*physgto"):
        Simulator(HEAT, 2, "resnet")
    with pytest.raises(PhysgtError, match=r"\[model\] physgto has no option 'widht'; .*width, "):
        Simulator(HEAT, 2, "physgto", {"widht": 3})


def broken_files(folder: Path, simulator: Simulator) -> dict[str, Path]:
    simulator.save(folder / "whole.physgt")
    whole = (folder / "whole.physgt").read_bytes()
    (folder / "truncated.physgt").write_bytes(whole[: len(whole) // 2])
    (folder / "text.physgt").write_text("not a model")
    save_file({"a": torch.zeros(1)}, folder / "foreign.physgt")
    save_file(
        {"a": torch.zeros(1)}, folder / "newer.physgt", {"physgt": json.dumps({"version": 99})}
    )
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("truncated", "not a whole safetensors file"),
        ("text", "not a whole safetensors file"),
        ("foreign", "not what physgt train wrote"),
        ("newer", "file version 99"),
    ],
)
def test_a_file_that_is_no_model_is_named_with_the_reason(kind, message, simulator, tmp_path):
    files = broken_files(tmp_path, simulator)
    path = files.get(kind, tmp_path / "missing.physgt")
    with pytest.raises(PhysgtError, match=message) as error:
        Simulator.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_step_without_gradients_does_not_wait_for_torchs_compiler(heat, tmp_path):
    for name, options in SMALL_MODELS.items():
        Simulator(HEAT, 2, name, options).save(tmp_path / f"{name}.physgt")
    write_trajectory(heat, tmp_path / "heat.vtkhdf")
    program = (
        "import sys; from physgt import Simulator; "
        "from physgt.datasets import open_trajectory; from physgt.rollout import rollout; "
        "start = open_trajectory('heat.vtkhdf'); "
        "steps = [rollout(Simulator.load(path), start, 2) for path in sys.argv[1:]]; "
        "print(len(steps), 'torch._dynamo' in sys.modules)"
    )
    models = [f"{name}.physgt" for name in SMALL_MODELS]
    done = subprocess.run(
        [sys.executable, "-c", program, *models], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == [str(len(SMALL_MODELS)), "False"], done.stderr
