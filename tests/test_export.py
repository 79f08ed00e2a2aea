"""One step as a program without physgt: every model, loaded again, in Python, C++ and C."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._inductor import config as inductor_config

from heat_case import HEAT, heat_trajectory
from physgt import BoundaryCondition, Field, Forcing, Mesh, PhysgtError, Simulator, Task
from physgt.cli import main
from physgt.coupling.export import MeshInputs, StepProgram
from physgt.models import MODELS
from test_models import SMALL, random_mesh

CPP_EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "coupling" / "cpp"
FLOW = Task(
    targets=(Field("velocity", components=2, units="m/s"), Field("pressure", units="Pa")),
    dt=0.04,
    forcings=(Forcing("heating", units="W/m3"), Forcing("wind", components=2, over_time=True)),
    boundary=(BoundaryCondition("inflow", "velocity", "held"),),
)


EVERY_NEIGHBOURHOOD = "masked_transformer with all that it may see"
VARIANTS = {
    **{model: (model, SMALL[model]) for model in MODELS},
    EVERY_NEIGHBOURHOOD: (
        "masked_transformer",
        {
            "width": 16,
            "blocks": 2,
            "laplacian_eigenvectors": 2,
            "boundary_distances": True,
            "k_hop": 2,
            "dilations": [2],
            "global_nodes": 2,
            "virtual_nodes": 2,
            "random_jumpers": 0.2,
            "max_neighbors": 12,
            "rotary": True,
            "gate": True,
        },
    ),
}


@cache
def make_simulator(variant: str) -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(FLOW, 2, *VARIANTS[variant])
    simulator.state.std.fill_(3.0)
    simulator.increment.mean.fill_(0.5)
    simulator.edge_length.fill_(0.2)
    return simulator.eval()


@cache
def any_mesh_program(model: str) -> StepProgram:
    return StepProgram.for_any_mesh(make_simulator(model), random_mesh(40, seed=1))


def random_inputs(mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    state = torch.randn(mesh.num_points, FLOW.state_size, generator=generator)
    return state, torch.randn(mesh.num_points, FLOW.forcing_size, generator=generator)


@torch.no_grad()
def one_step(simulator: Simulator, mesh: Mesh, state, forcing) -> torch.Tensor:
    """What the simulator itself gives, in the order of the mesh."""
    graph = simulator.build_graph(mesh)
    inputs = graph.from_mesh(np.asarray(state)), graph.from_mesh(np.asarray(forcing))
    return torch.as_tensor(graph.to_mesh(simulator.step(graph, *inputs)))


@pytest.mark.parametrize("model", sorted(VARIANTS))
def test_a_program_for_one_mesh_comes_back_and_gives_the_step_of_the_simulator(model, tmp_path):
    simulator, mesh = make_simulator(model), random_mesh(40, seed=2)
    StepProgram.for_mesh(simulator, mesh).save(tmp_path / "step.pt2")
    found = torch.export.load(tmp_path / "step.pt2").module()(*random_inputs(mesh))
    expected = one_step(simulator, mesh, *random_inputs(mesh))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", sorted(VARIANTS))
def test_a_program_for_any_mesh_steps_on_a_mesh_it_was_not_made_with(model, tmp_path):
    simulator, mesh = make_simulator(model), random_mesh(77, seed=4)
    any_mesh_program(model).save(tmp_path / "step.pt2")
    step = torch.export.load(tmp_path / "step.pt2").module()
    found = step(*random_inputs(mesh), *MeshInputs.of(simulator, mesh))
    expected = one_step(simulator, mesh, *random_inputs(mesh))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_program_has_operators_of_torch_alone(model):
    calls = [n for n in any_mesh_program(model).program.graph.nodes if n.op == "call_function"]
    assert calls
    assert {str(call.target).split(".")[0] for call in calls} <= {
        "aten",
        "<built-in function getitem>",
    }


@pytest.mark.parametrize("model", sorted(VARIANTS))
def test_onnx_gives_the_step_of_the_simulator_on_a_mesh_it_was_not_made_with(model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    simulator, mesh = make_simulator(model), random_mesh(77, seed=4)
    any_mesh_program(model).save_onnx(tmp_path / "step.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx")
    *tensors, attention = MeshInputs.of(simulator, mesh)
    values = [*random_inputs(mesh), *tensors, *attention]
    given = {i.name: v.numpy() for i, v in zip(session.get_inputs(), values, strict=True)}
    expected = one_step(simulator, mesh, *random_inputs(mesh))
    np.testing.assert_allclose(session.run(None, given)[0], expected, rtol=1e-5, atol=1e-5)
    description = session.get_modelmeta().custom_metadata_map["physgt"]
    assert json.loads(description)["dt"] == FLOW.dt


def test_a_file_says_what_its_columns_are(tmp_path):
    program = StepProgram.for_mesh(make_simulator("meshgraphnet"), random_mesh(20, seed=2))
    program.save(tmp_path / "step.pt2")
    extra = {"physgt.json": ""}
    torch.export.load(tmp_path / "step.pt2", extra_files=extra)
    assert json.loads(extra["physgt.json"]) == {
        "dt": 0.04,
        "dtype": "float32",
        "inputs": ["state", "forcing"],
        "state": {
            "velocity": {"columns": [0, 2], "units": "m/s"},
            "pressure": {"columns": [2, 3], "units": "Pa"},
        },
        "forcing": {
            "heating": {"columns": [0, 1], "units": "W/m3"},
            "wind": {"columns": [1, 3], "units": ""},
        },
    }


def test_compiling_without_a_compiler_names_what_to_install(tmp_path):
    without = inductor_config.patch({"cpp.cxx": ("no-such-compiler",)})
    with without, pytest.raises(PhysgtError, match=r"C\+\+ compiler.*apt install g\+\+"):
        any_mesh_program("meshgraphnet").compile(tmp_path / "step.pt2")
    assert not list(tmp_path.iterdir())


def test_onnx_without_its_extra_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    program = any_mesh_program("meshgraphnet")
    with pytest.raises(PhysgtError, match=r"pip install 'physgt\[onnx\]'"):
        program.save_onnx(tmp_path / "step.onnx")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(PhysgtError, match=r"step\.onnx: this is written as \.pt2"):
        any_mesh_program("meshgraphnet").save(tmp_path / "step.onnx")


@pytest.fixture(scope="module")
def cpp_programs(tmp_path_factory) -> Path:
    """The folder of the programs of examples/coupling/cpp, built."""
    for tool in ("cmake", "c++"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    folder = tmp_path_factory.mktemp("cpp")
    prefix = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    for command in (
        ["cmake", "-S", CPP_EXAMPLE, "-B", folder, prefix],
        ["cmake", "--build", folder],
    ):
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture(scope="module")
def heat_package(tmp_path_factory) -> tuple[Path, Simulator]:
    """A compiled step of heat and its simulator."""
    torch.manual_seed(0)
    simulator = Simulator(HEAT, 2, "meshgraphnet", {"width": 8, "blocks": 1}).eval()
    path = tmp_path_factory.mktemp("package") / "step.pt2"
    StepProgram.for_mesh(simulator, heat_trajectory(seed=1).mesh).compile(path)
    return path, simulator


def three_heat_steps(simulator: Simulator) -> tuple[np.ndarray, np.ndarray]:
    start = heat_trajectory(seed=1)
    state = first = start.fields["temperature"][0].values[:, None]
    for _ in range(3):
        state = one_step(simulator, start.mesh, state, np.empty((len(state), 0))).numpy()
    return first, state


def test_the_cpp_example_takes_the_steps_that_python_takes(cpp_programs, heat_package, tmp_path):
    package, simulator = heat_package
    first, expected = three_heat_steps(simulator)
    first.tofile(tmp_path / "state.bin")
    (tmp_path / "forcing.bin").touch()
    files = [tmp_path / name for name in ("state.bin", "forcing.bin", "result.bin")]
    command = [cpp_programs / "step", package, str(len(first)), "3", *files]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["state"] == {"temperature": {"columns": [0, 1], "units": "degC"}}
    found = np.fromfile(tmp_path / "result.bin", np.float32)[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert not np.allclose(found, first)


@pytest.mark.parametrize("program", ["step_c", "step_fortran"])
def test_c_and_fortran_take_the_steps_that_python_takes(
    program, cpp_programs, heat_package, tmp_path
):
    if not (cpp_programs / program).exists():
        pytest.skip("needs a Fortran compiler")
    package, simulator = heat_package
    first, expected = three_heat_steps(simulator)
    first.tofile(tmp_path / "state.bin")
    files = [tmp_path / name for name in ("state.bin", "result.bin")]
    command = [cpp_programs / program, package, str(len(first)), "1", "3", *files]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = np.fromfile(tmp_path / "result.bin", np.float32)[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("nodes", "components"), [(18, 2), (18, 1), (72, 1)])
def test_arrays_of_another_size_than_the_packages_are_told(
    nodes, components, cpp_programs, heat_package, tmp_path
):
    """The package itself would read past the end of them."""
    package, _ = heat_package  # of 36 nodes and one component
    state = np.ones(nodes * components, np.float32)
    state.tofile(tmp_path / "state.bin")
    (tmp_path / "forcing.bin").touch()
    files = [tmp_path / name for name in ("state.bin", "result.bin")]
    command = [cpp_programs / "step_c", package, str(nodes), str(components), "1", *files]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "expected: 36" in run.stderr
    command = [cpp_programs / "step", package, str(nodes), "1", files[0], "forcing.bin", files[1]]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 1
    assert "expected: 36" in run.stderr


def test_a_package_that_is_none_is_told_by_the_c_interface(cpp_programs, tmp_path):
    (tmp_path / "step.pt2").write_text("nothing")
    np.zeros(4, np.float32).tofile(tmp_path / "state.bin")
    command = [cpp_programs / "step_c", "step.pt2", "4", "1", "1", "state.bin", "result.bin"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("step_c: ")


@pytest.mark.parametrize(("kind", "name"), [("torch", "step.pt2"), ("onnx", "step.onnx")])
def test_the_command_line_exports_a_model_for_a_mesh(kind, name, heat, tmp_path):
    from physgt.datasets import write_trajectory

    if kind == "onnx":
        pytest.importorskip("onnxscript")
    Simulator(HEAT, 2, "meshgraphnet", {"width": 8, "blocks": 1}).save(tmp_path / "m.physgt")
    write_trajectory(heat, tmp_path / "start.vtkhdf")
    files = str(tmp_path / "m.physgt"), str(tmp_path / "start.vtkhdf")
    with pytest.raises(SystemExit) as end:
        main(["export", kind, *files, "-o", str(tmp_path / name)])
    assert end.value.code == 0
    assert (tmp_path / name).stat().st_size > 0
