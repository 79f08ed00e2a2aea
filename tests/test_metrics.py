import numpy as np
import pytest

from heat_case import heat_trajectory, square_mesh
from physgt import PhysgtError, Trajectory
from physgt.rollout import METRICS, oscillation, score, summarize

MESH = square_mesh(1)


def trajectory(times: list[float], velocity: list[list[float]]) -> Trajectory:
    """One velocity for all four nodes at each time."""
    values = np.repeat(np.array(velocity)[:, None, :], 4, axis=1)
    return Trajectory.from_arrays(MESH, np.array(times), {"velocity": values})


def test_scores_agree_with_a_calculation_by_hand():
    reference = trajectory([0.0, 0.1, 0.2], [[3, 4], [6, 8], [3, 4]])
    prediction = trajectory([0.0, 0.1, 0.2], [[3, 4], [6, 4], [3, 5]])
    scores = score(prediction, reference).sel(field="velocity")
    ours, nothing = scores.sel(forecast="prediction"), scores.sel(forecast="persistence")
    np.testing.assert_allclose(ours["rmse"], [4.0, 1.0])
    np.testing.assert_allclose(ours["relative_l2"], [4 / 10, 1 / 5])
    np.testing.assert_allclose(nothing["rmse"], [5.0, 0.0])
    np.testing.assert_allclose(nothing["relative_l2"], [5 / 10, 0.0])


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_prediction_has_no_error(metric, heat):
    errors = score(heat, heat)[metric].sel(forecast="prediction")
    assert errors.shape == (1, 30)
    assert (errors == 0).all()


def test_a_prediction_is_compared_at_its_own_times_of_a_finer_reference(heat):
    coarse = heat.select(slice(None, None, 3))
    scores = score(coarse, heat)
    assert (scores["relative_l2"].sel(forecast="prediction") == 0).all()
    np.testing.assert_allclose(scores["time"], 0.3 * np.arange(1, 11))
    np.testing.assert_array_equal(scores["step"], np.arange(1, 11))


def test_a_global_value_over_time_is_an_input_and_is_not_scored(heat):
    driven = Trajectory(heat.mesh, heat.fields.assign(power=("time", np.arange(31.0))))
    assert score(driven, driven)["field"].values.tolist() == ["temperature"]


def test_a_summary_has_the_steps_that_there_are_and_the_mean_of_all():
    reference = trajectory([0.0, 0.1, 0.2], [[1, 0], [1, 0], [1, 0]])
    prediction = trajectory([0.0, 0.1, 0.2], [[1, 0], [1.2, 0], [1.4, 0]])
    table = summarize(score(prediction, reference), steps=(1, 2, 10))
    assert table["horizon"].values.tolist() == ["1", "2", "all"]
    found = table["relative_l2"].sel(forecast="prediction", field="velocity")
    np.testing.assert_allclose(found, [0.2, 0.4, 0.3])


def test_what_cannot_be_compared_is_refused_with_the_reason(heat):
    with pytest.raises(PhysgtError, match="num_points = 36, the reference's 16"):
        score(heat, heat_trajectory(0, cells=3))
    renamed = Trajectory(heat.mesh, heat.fields.rename(temperature="heat"))
    with pytest.raises(PhysgtError, match=r"no field is in both.*\['heat'\].*\['temperature'\]"):
        score(renamed, heat)
    later = Trajectory(heat.mesh, heat.fields.assign_coords(time=heat.times + 100))
    with pytest.raises(PhysgtError, match="no time is in both"):
        score(later, heat)


def test_frequency_and_amplitude_of_a_sine_are_found_between_the_samples():
    times = np.arange(0, 2, 0.04)
    found = oscillation(times, 5 + 0.3 * np.sin(2 * np.pi * 2.37 * times + 1))
    assert found.frequency == pytest.approx(2.37, rel=5e-3)
    assert found.amplitude == pytest.approx(0.3, rel=2e-2)


def test_a_signal_without_a_full_period_has_no_frequency():
    times = np.arange(0, 1, 0.01)
    assert oscillation(times, np.exp(-times)).frequency == 0
