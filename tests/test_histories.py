import numpy as np
import pytest
import xarray as xr

from heat_case import square_mesh
from physgt import Mesh, PhysgtError, Trajectory
from physgt.rollout import (
    compare_histories,
    history,
    oscillation,
    phase_aligned,
    phase_error,
    relative_differences,
    spectrum,
)

TIMES = 0.02 * np.arange(151)


def test_frequency_and_amplitude_of_a_sine_are_found_between_the_samples():
    times = np.arange(0, 2, 0.04)
    found = oscillation(times, 5 + 0.3 * np.sin(2 * np.pi * 2.37 * times + 1))
    assert found.frequency == pytest.approx(2.37, rel=5e-3)
    assert found.amplitude == pytest.approx(0.3, rel=2e-2)


def test_a_signal_without_a_full_period_has_no_frequency():
    times = np.arange(0, 1, 0.01)
    assert oscillation(times, np.exp(-times)).frequency == 0


def test_a_spectrum_has_the_amplitude_of_each_sine_at_its_frequency():
    times = np.arange(200) * 0.01
    signal = 3 + 0.5 * np.sin(2 * np.pi * 5 * times) + 0.2 * np.cos(2 * np.pi * 12 * times)
    frequencies, amplitudes = spectrum(times, signal)
    assert amplitudes[frequencies == 5.0] == pytest.approx(0.5, rel=1e-6)
    assert amplitudes[frequencies == 12.0] == pytest.approx(0.2, rel=1e-6)
    assert amplitudes[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("degrees", [-90.0, -10.0, 0.0, 45.0, 170.0])
def test_a_phase_error_is_that_of_two_sines(degrees):
    reference = np.sin(2 * np.pi * 2.3 * TIMES)
    signal = 1.7 * np.sin(2 * np.pi * 2.3 * TIMES + np.radians(degrees)) + 4
    assert phase_error(TIMES, signal, reference) == pytest.approx(degrees, abs=1.0)


def test_a_signal_that_is_five_percent_too_fast_ends_that_much_ahead():
    reference = np.sin(2 * np.pi * 2.0 * TIMES)
    signal = np.sin(2 * np.pi * 2.1 * TIMES)
    # In the middle of the last two periods, at 2.5 s, a quarter of a period ahead.
    assert phase_error(TIMES, signal, reference) == pytest.approx(90.0, abs=3.0)


def test_a_signal_that_does_not_swing_has_neither_frequency_nor_phase():
    reference = np.sin(2 * np.pi * 2.3 * TIMES)
    rounding = np.random.default_rng(0).normal(size=len(TIMES))
    for still in (0 * TIMES, 0 * TIMES + 0.1, 0.1 * (1 + 1e-7 * rounding)):
        assert np.isnan(phase_error(TIMES, still, reference))
        assert oscillation(TIMES, still).frequency == 0


def test_noise_makes_no_further_periods():
    times = np.linspace(0, 3, 1000)
    noise = 0.05 * np.random.default_rng(0).normal(size=1000)
    found = oscillation(times, np.sin(2 * np.pi * 2 * times) + noise)
    assert found.frequency == pytest.approx(2.0, rel=1e-2)


def test_a_signal_that_is_not_finite_has_no_numbers():
    signal = np.where(TIMES > 1, np.inf, np.sin(9 * TIMES))
    assert np.isnan(
        [oscillation(TIMES, signal).frequency, oscillation(TIMES, signal).amplitude]
    ).all()


def test_without_enough_periods_there_is_no_phase():
    assert np.isnan(phase_error(TIMES, TIMES, TIMES))


def flow(frequency: float) -> Trajectory:
    """A field that swings as one: uniform vertical velocity v, and u = x."""
    mesh = square_mesh(4)
    velocity = np.zeros((len(TIMES), mesh.num_points, 2))
    velocity[:, :, 0] = mesh.points[:, 0]
    velocity[:, :, 1] = np.sin(2 * np.pi * frequency * TIMES)[:, None]
    return Trajectory.from_arrays(mesh, TIMES, {"velocity": velocity}, units={"velocity": "m/s"})


QUANTITIES = {
    "speed": {"kind": "volume_mean", "field": "velocity"},
    "energy": {"kind": "kinetic_energy", "density": 2.0},
    "sources": {"kind": "divergence"},
    "fastest": {"kind": "largest", "field": "velocity"},
    "flow": {"kind": "volume_integral", "field": "velocity"},
}


def test_quantities_over_time_agree_with_their_formulas():
    found = history(flow(2.0), QUANTITIES)
    swing = np.sin(4 * np.pi * TIMES)
    np.testing.assert_allclose(found["speed_x"], 0.5, rtol=1e-12)
    np.testing.assert_allclose(found["speed_y"], swing, atol=1e-12)
    np.testing.assert_allclose(found["flow_y"], swing, atol=1e-12)
    np.testing.assert_allclose(found["sources"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found["fastest"], np.hypot(1, swing), rtol=1e-12)
    # The square of x at the nodes, 1/3 by the trapezoidal rule with steps of 1/4.
    assert found["energy"].values - swing**2 == pytest.approx(1 / 3 + 1 / 96, rel=1e-9)
    assert found["energy"].attrs["units"] == "J/m"


def test_histories_are_compared_by_mean_amplitude_frequency_change_and_phase():
    prediction, reference = history(flow(2.1), QUANTITIES), history(flow(2.0), QUANTITIES)
    found = compare_histories(prediction, reference).sel(quantity="speed_y")
    assert float(found["frequency"].sel(forecast="prediction")) == pytest.approx(2.1, rel=1e-2)
    assert float(found["frequency"].sel(forecast="reference")) == pytest.approx(2.0, rel=1e-2)
    assert float(found["amplitude"].sel(forecast="reference")) == pytest.approx(1.0, rel=1e-2)
    assert float(found["phase_error"]) == pytest.approx(90.0, abs=3.0)


def test_differences_are_relative_where_the_reference_is_not_as_good_as_zero():
    times = xr.DataArray(TIMES, dims="time")
    swing = np.sin(4 * np.pi * times)
    reference = xr.Dataset({"lift": swing + 0.05, "drag": 3 + 0.02 * swing}, {"time": times})
    found = relative_differences(compare_histories(1.1 * reference, reference))
    lift, drag = (found.sel(quantity=name) for name in ("lift", "drag"))
    assert float(lift["amplitude"]) == pytest.approx(0.1)
    assert float(drag["mean"]) == pytest.approx(0.1)
    assert float(drag["amplitude"]) == pytest.approx(0.1)
    assert float(lift["frequency"]) == pytest.approx(0.0, abs=1e-9)
    assert all(np.isnan(value) for value in (lift["mean"], drag["change"], drag["strouhal"]))


def test_what_is_conserved_changes_by_its_drift():
    drifting = history(flow(2.0), QUANTITIES)
    drifting["sources"] = drifting["sources"] + 0.01 * drifting["time"]
    found = compare_histories(drifting, history(flow(2.0), QUANTITIES)).sel(quantity="sources")
    # From the mean of the first tenth to that of the last: 136 steps of 0.02 s.
    change = found["change"].sel(forecast="prediction")
    assert float(change) == pytest.approx(0.01 * 136 * 0.02, rel=1e-6)
    assert float(found["change"].sel(forecast="reference")) == pytest.approx(0.0, abs=1e-12)


def wave(frequency: float) -> Trajectory:
    """A wave that travels along x: no two states of a period are alike."""
    mesh = square_mesh(4)
    phase = frequency * TIMES[:, None] - mesh.points[:, 0]
    return Trajectory.from_arrays(mesh, TIMES, {"height": np.sin(2 * np.pi * phase)})


def test_a_prediction_that_runs_too_fast_is_right_but_for_a_growing_shift():
    prediction, reference = wave(2.1), wave(2.0)
    aligned = phase_aligned(prediction, reference, "height", window=0.25)
    # Between two times of the reference, 0.02 s apart, the error is at most that of 0.01 s.
    assert float(aligned["relative_l2"][:101].max()) < 2 * np.pi * 2.1 * 0.011
    # After t seconds it is 0.05 t ahead of the reference.
    np.testing.assert_allclose(aligned["shift"][:101], 0.05 * TIMES[:101], atol=0.011)
    same = phase_aligned(reference, reference, "height", window=0.25)
    np.testing.assert_array_equal(same["relative_l2"], 0.0)
    with pytest.raises(PhysgtError, match="window = 0 s"):
        phase_aligned(prediction, reference, "height", window=0)


def test_of_points_the_displacement_of_the_nodes_of_a_set_is_aligned():
    """A step of 0.01 m in each 0.1 s, one ahead of time; one node is off and isn't looked at."""
    mesh, times = square_mesh(4), 0.1 * np.arange(6)
    away = np.array([0.01, 0.0]) * np.arange(7)[:, None, None]
    points = mesh.points + 100.0 + away
    off = points[1:].copy()
    off[:, mesh.node_sets["rim"][0]] += 1.0
    here = Mesh.from_blocks(
        mesh.points + 100.0, [("triangle", mesh.connectivity.reshape(-1, 3))],
        node_sets={"inside": np.setdiff1d(np.arange(25), mesh.node_sets["rim"])},
    )  # fmt: skip
    prediction = Trajectory.from_arrays(here, times, {"points": off})
    reference = Trajectory.from_arrays(here, times, {"points": points[:-1]})
    ahead = phase_aligned(prediction, reference, "points", 0.1, on="inside")
    np.testing.assert_allclose(ahead["relative_l2"][:5], 0.0, atol=1e-9)
    narrow = phase_aligned(prediction, reference, "points", 0.01, on="inside")
    # Twice, one and a half times as far as it should be; at rest there is nothing to compare with.
    np.testing.assert_allclose(narrow["relative_l2"][1:3], [1.0, 0.5], rtol=1e-6)
    assert np.isnan(narrow["relative_l2"][0])


def test_a_quantity_of_a_field_that_is_not_there_is_named():
    with pytest.raises(PhysgtError, match=r"no target 'pressure'"):
        history(flow(2.0), {"p": {"kind": "volume_mean", "field": "pressure"}})
    bare = Mesh.from_blocks(np.eye(3)[:, :2], [("triangle", [[0, 1, 2]])])
    on_cells = Trajectory.from_arrays(bare, np.zeros(1), {}, cell_fields={"p": np.zeros((1, 1))})
    with pytest.raises(PhysgtError, match=r"'p' lies on cells, but .* made of fields on nodes"):
        history(on_cells, {"p": {"kind": "probe", "field": "p", "point": [0.1, 0.1]}})
    empty = Trajectory.from_arrays(bare, np.zeros(1), {})
    with pytest.raises(PhysgtError, match="no field over time"):
        history(empty, QUANTITIES)
