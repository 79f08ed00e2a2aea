from dataclasses import replace

import numpy as np
import pandas
import pytest
import torch

from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import BoundaryCondition, Forcing, PhysgtError, Simulator, Task, Trajectory
from physgt.datasets import open_trajectory
from physgt.rollout import (
    GuardWarning,
    Member,
    ensemble,
    integrate_members,
    perturbed,
    read_sweep,
    rollout,
    sweep,
)
from physgt.rollout.ensembles import _name


def members_of(simulator: Simulator, heat: Trajectory, count: int) -> list[Member]:
    simulator.state.std.fill_(17.0)
    starts = perturbed(simulator, heat, count, amplitude=0.1)
    return [Member(f"m{k}", simulator, start) for k, start in enumerate(starts)]


def alone(member: Member, num_steps: int) -> np.ndarray:
    return rollout(member.simulator, member.initial, num_steps).fields["temperature"].values


def test_members_together_are_what_each_is_alone(simulator, heat):
    members = members_of(simulator, heat, 5)
    states = list(integrate_members(members, 4, batch_size=2))
    for number, member in enumerate(members):
        together = np.stack([s.values[number, :, 0] for s in states])
        np.testing.assert_allclose(together, alone(member, 4), rtol=1e-5)


def test_noise_leaves_the_boundary_and_the_first_member_as_they_are(simulator, heat):
    starts = perturbed(simulator, heat, 3, amplitude=0.1, seed=5)
    values = np.stack([s.fields["temperature"].values[0] for s in starts])
    rim = heat.mesh.node_sets["rim"]
    np.testing.assert_array_equal(values[0], heat.frame(0)["temperature"])
    np.testing.assert_array_equal(values[:, rim], np.repeat(values[:1, rim], 3, axis=0))
    inside = np.setdiff1d(np.arange(heat.mesh.num_points), rim)
    moved = (values[1:, inside] - values[0, inside]) / (0.1 * float(simulator.state.std))
    assert 0.5 < moved.std() < 1.5
    again = perturbed(simulator, heat, 2, amplitude=0.1, seed=5)[1]
    np.testing.assert_array_equal(again.fields["temperature"].values[0], values[1])


def test_statistics_are_those_of_the_members_alone(simulator, heat, tmp_path):
    members = members_of(simulator, heat, 5)
    found = ensemble(
        members, 6, tmp_path / "spread.vtkhdf", quantiles=[0.05, 0.5], every=3,
        member_folder=tmp_path / "members",
    ).fields  # fmt: skip
    single = np.stack([alone(member, 6)[::3] for member in members]).astype(np.float64)
    np.testing.assert_allclose(found["temperature_mean"], single.mean(axis=0), rtol=1e-5)
    spread = single.std(axis=0, ddof=1)
    np.testing.assert_allclose(found["temperature_spread"], spread, rtol=1e-3, atol=1e-4)
    fifth = np.quantile(single, 0.05, axis=0)
    np.testing.assert_allclose(found["temperature_q05"], fifth, rtol=1e-5)
    np.testing.assert_allclose(found["temperature_q50"], np.median(single, axis=0), rtol=1e-5)
    assert (found["members"] == 5).all()
    kept = open_trajectory(tmp_path / "members" / "m3.vtkhdf").fields["temperature"]
    np.testing.assert_allclose(kept, single[3], rtol=1e-5)


def test_several_models_are_members_of_one_ensemble(heat, tmp_path):
    members = []
    for seed in range(3):
        torch.manual_seed(seed)
        simulator = Simulator(HEAT, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
        simulator.edge_length.fill_(0.2)
        members.append(Member(f"seed{seed}", simulator, heat.initial()))
    found = ensemble(members, 3, tmp_path / "models.vtkhdf")
    expected = np.mean([alone(member, 3) for member in members], axis=0)
    np.testing.assert_allclose(found.fields["temperature_mean"], expected, rtol=1e-5)


def test_a_member_that_diverges_is_named_and_the_others_go_on(heat, tmp_path):
    members = []
    for name, scale in (("calm", 1.0), ("wild", 1e30), ("quiet", 0.5)):
        torch.manual_seed(0)
        simulator = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"]).eval()
        simulator.increment.std.fill_(scale)
        members.append(Member(name, simulator, heat.initial()))
    with pytest.warns(GuardWarning, match=r"'wild' is not finite in step \d+, time .* left out"):
        found = ensemble(members, 12, tmp_path / "out.vtkhdf").fields
    assert found["members"].values.tolist()[0] == 3
    assert found["members"].values.tolist()[-1] == 2
    expected = np.mean([alone(members[0], 12), alone(members[2], 12)], axis=0)
    np.testing.assert_allclose(found["temperature_mean"][-1], expected[-1], rtol=1e-5)


def test_members_on_other_meshes_are_refused(simulator, heat):
    members = [Member("a", simulator, heat), Member("b", simulator, heat_trajectory(1))]
    with pytest.raises(PhysgtError, match="'b' lies on another mesh than 'a'"):
        next(integrate_members(members, 2))
    with pytest.raises(PhysgtError, match="one member or more"):
        next(integrate_members([], 2))


def test_numbers_of_no_ensemble_are_refused(driven, heat, tmp_path):
    start = heat.initial()
    members, path = [Member("a", driven, start)], tmp_path / "out.vtkhdf"
    for options, message in (
        ({"every": 0}, "every = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"num_steps": 0}, "num_steps = 0"),
        ({"members": []}, "members = 0"),
    ):
        with pytest.raises(PhysgtError, match=f"{message}; expected a whole number, 1 or more"):
            ensemble(**{"members": members, "num_steps": 2, "output": path, **options})
    with pytest.raises(PhysgtError, match="members = 0; expected a whole number, 1 or more"):
        perturbed(driven, start, 0, 0.1)
    with pytest.raises(PhysgtError, match="perturbation = nan, expected 0 or more"):
        perturbed(driven, start, 2, np.nan)


@pytest.mark.parametrize(
    ("quantile", "name"),
    [(0, "q00"), (0.05, "q05"), (0.07, "q07"), (0.025, "q02_5"), (0.9999, "q99_99"), (1, "q100")],
)
def test_a_quantile_is_called_by_all_of_its_digits(quantile, name):
    assert _name(quantile) == name


def test_members_with_other_sets_on_the_same_points_are_what_each_is_alone(driven, heat):
    loose = replace(heat.mesh, node_sets={"rim": heat.mesh.node_sets["rim"][:1]})
    fields = heat.fields.assign(power=1.0, gravity=("gravity_component", [0.0, -1.0]))
    members = [
        Member(str(k), driven, Trajectory(m, fields)) for k, m in enumerate((heat.mesh, loose))
    ]
    *_, last = integrate_members(members, 3)
    for values, member in zip(last.values, members, strict=True):
        np.testing.assert_allclose(values[:, 0], alone(member, 3)[-1], rtol=1e-5)


def test_boundary_values_that_end_too_early_are_told_before_anything_is_computed(heat):
    table = {"times": [0.0, 0.2], "values": [20.0, 30.0]}
    task = replace(HEAT, boundary=(BoundaryCondition("rim", "temperature", table),))
    simulator = Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
    with pytest.raises(PhysgtError, match=r"a table covers 0 to 0\.2 s, but 0\.9 s is needed"):
        next(integrate_members([Member("a", simulator, heat.initial())], 9))


DRIVEN = Task(
    HEAT.targets, 0.1, (Forcing("power"), Forcing("gravity", 2)), HEAT.boundary
)  # fmt: skip


@pytest.fixture
def driven() -> Simulator:
    torch.manual_seed(0)
    return Simulator(DRIVEN, 2, "physgto", SMALL_MODELS["physgto"]).eval()


def test_a_sweep_runs_each_row_of_a_table_with_its_forcings(driven, heat, tmp_path):
    start = Trajectory(
        heat.mesh, heat.fields.assign(power=0.0, gravity=("gravity_component", [0.0, -1.0]))
    )
    table = tmp_path / "cases.csv"
    table.write_text("name, power, gravity_y\nweak, 1.0,\nstrong, 5.0, -2\n")
    summary = sweep(read_sweep(table, driven, start), 4, tmp_path / "out")
    for name, power, gravity in (("weak", 1.0, -1.0), ("strong", 5.0, -2.0)):
        own = Trajectory(
            heat.mesh,
            heat.fields.assign(power=power, gravity=("gravity_component", [0.0, gravity])),
        )
        expected = rollout(driven, own.initial(), 4).fields["temperature"].values
        found = open_trajectory(tmp_path / "out" / f"{name}.vtkhdf").fields["temperature"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        row = summary.sel(case=name, field="temperature")
        assert float(row["mean"]) == pytest.approx(expected[-1].mean(), rel=1e-5)
        assert float(row["largest_ever"]) == pytest.approx(expected.max(), rel=1e-5)
        assert int(row["finite_steps"]) == 4
    written = pandas.read_csv(tmp_path / "out" / "summary.csv")
    assert written["case"].tolist() == ["weak", "strong"]


def test_a_sweep_may_start_each_case_from_a_file_of_its_own(simulator, heat, tmp_path):
    from physgt.datasets.vtkhdf import write_vtkhdf

    for seed in (0, 1):
        write_vtkhdf(heat_trajectory(seed), tmp_path / f"start{seed}.vtkhdf")
    (tmp_path / "cases.csv").write_text("start\nstart1.vtkhdf\nstart0.vtkhdf\n")
    members = read_sweep(tmp_path / "cases.csv", simulator, heat)
    summary = sweep(members, 3, tmp_path / "out")
    assert summary["case"].values.tolist() == ["1", "2"]
    expected = rollout(simulator, heat_trajectory(1), 3).fields["temperature"].values
    found = open_trajectory(tmp_path / "out" / "1.vtkhdf").fields["temperature"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_cases_from_other_times_of_one_mesh_are_swept_together(driven, heat, tmp_path):
    fields = heat.fields.assign(power=1.0, gravity=("gravity_component", [0.0, -1.0]))
    starts = [Trajectory(heat.mesh, fields).select(slice(i, i + 1)) for i in (0, 4, 0)]
    members = [Member(str(k), driven, start) for k, start in enumerate(starts)]
    sweep(members, 2, tmp_path, batch_size=2)
    for member in members:
        found = open_trajectory(tmp_path / f"{member.name}.vtkhdf")
        np.testing.assert_allclose(found.fields["temperature"], alone(member, 2), rtol=1e-5)
    with pytest.raises(PhysgtError, match="every = 0; expected a whole number, 1 or more"):
        sweep(members, 2, tmp_path, every=0)


def test_a_stopped_sweep_leaves_what_was_there_and_partial_files(driven, heat, tmp_path):
    fields = heat.fields.assign(power=1.0, gravity=("gravity_component", [0.0, -1.0]))
    members = [Member("a", driven, Trajectory(heat.mesh, fields))]
    sweep(members, 3, tmp_path)

    def stop(done: int, total: int, note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(members, 9, tmp_path, progress=stop)
    assert open_trajectory(tmp_path / "a.vtkhdf").num_steps == 3
    assert open_trajectory(tmp_path / "a.partial.vtkhdf").num_steps == 1


def test_a_table_of_a_spreadsheet_may_have_marks_blanks_and_empty_cells(driven, heat, tmp_path):
    start = Trajectory(heat.mesh, heat.fields.assign(gravity=("gravity_component", [0.0, -1.0])))
    (tmp_path / "cases.csv").write_text("\ufeffname , power\n\nweak , 1.0,\n2,3\n", "utf-8")
    weak, strong = read_sweep(tmp_path / "cases.csv", driven, start)
    assert (weak.name, float(weak.initial.fields["power"])) == ("weak", 1.0)
    assert (strong.name, float(strong.initial.fields["power"])) == ("2", 3.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,power\na,1\nb,2,3\n", r"row 2: 3 values for 2 columns"),
        ("power,power\n1,2\n", r"two columns called 'power'"),
        ("name,power\n../a,1\n", r"row 1: a case can't be called '../a'"),
        ("name,start\na,nowhere.vtkhdf\n", r"row 1: .*nowhere.vtkhdf"),
        ("name,gravity_x,gravity_y\na,1,2\n", r"row 1: the start: no field 'power'"),
        ("name,power\nW\udce4rme,1\n", r"not a CSV table in UTF-8"),
        ("power,wind\n1,2\n", r"no column 'wind' is known.*\['power', 'gravity_x', 'gravity_y'\]"),
        ("power\nmuch\n", r"row 1: power = 'much', expected a finite number"),
        ("power\nnan\n", r"row 1: power = 'nan'"),
        ("gravity_x\n1\n", r"row 1: the forcing 'gravity' needs all of its columns"),
        ("name,power,gravity_x,gravity_y\na,1,0,0\na,2,0,0\n", r"row 2: a second case called 'a'"),
        ("power\n", "no case; expected a line of column names and a line a case"),
    ],
)
def test_a_table_that_cannot_be_run_is_refused_with_row_and_column(
    text, message, driven, heat, tmp_path
):
    (tmp_path / "cases.csv").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(PhysgtError, match=message):
        read_sweep(tmp_path / "cases.csv", driven, heat)
