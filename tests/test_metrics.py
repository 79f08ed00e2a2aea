import numpy as np
import pytest

from heat_case import heat_trajectory, square_mesh
from physgt import PhysgtError, Trajectory
from physgt.rollout import METRICS, over_all_times, score, summarize, valid_time
from physgt.rollout.assessment import assess
from physgt.rollout.table import means_table, score_table

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
    np.testing.assert_allclose(ours["largest_error"], [4.0, 1.0])


def test_a_node_counts_as_much_as_its_volume_in_the_weighted_norm():
    # Of the square's two triangles, nodes 0 and 3 have a third each, 1 and 2 a sixth each.
    values = np.zeros((2, 4))
    values[1] = [3.0, 0.0, 0.0, 0.0]
    prediction = Trajectory.from_arrays(MESH, np.array([0.0, 0.1]), {"heat": values})
    reference = Trajectory.from_arrays(MESH, np.array([0.0, 0.1]), {"heat": values * 0 + 2.0})
    errors = score(prediction, reference).sel(forecast="prediction", field="heat", time=0.1)
    share = np.array([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    expected = np.sqrt((share * (values[1] - 2) ** 2).sum()) / 2
    assert float(errors["weighted_l2"]) == pytest.approx(expected)
    assert float(errors["relative_l2"]) == pytest.approx(np.sqrt(1 + 3 * 4) / 4)


def test_correlation_is_pearsons_and_is_not_moved_by_an_offset(heat):
    shifted = Trajectory(heat.mesh, heat.fields * 2 + 100)
    scores = score(shifted, heat).sel(field="temperature")
    np.testing.assert_allclose(scores["correlation"].sel(forecast="prediction"), 1.0)
    values = heat.fields["temperature"].values.astype(np.float64)
    expected = [np.corrcoef(values[0], later)[0, 1] for later in values[1:]]
    found = scores["correlation"].sel(forecast="persistence")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_only_the_nodes_of_a_named_set_count(heat):
    wrong_at_the_rim = heat.fields.copy(deep=True)
    wrong_at_the_rim["temperature"][:, heat.mesh.node_sets["rim"]] += 5.0
    prediction = Trajectory(heat.mesh, wrong_at_the_rim)
    inside = score(prediction, heat, on="NORMAL").sel(forecast="prediction", field="temperature")
    rim = score(prediction, heat, on="rim").sel(forecast="prediction", field="temperature")
    assert (inside["rmse"] == 0).all()
    np.testing.assert_allclose(rim["rmse"], 5.0, rtol=1e-5)


def test_the_valid_time_is_that_of_the_first_error_beyond_the_threshold():
    reference = trajectory([1.0, 1.1, 1.2, 1.3], [[1, 0]] * 4)
    prediction = trajectory([1.0, 1.1, 1.2, 1.3], [[1, 0], [1.1, 0], [1.5, 0], [1.0, 0]])
    times = valid_time(score(prediction, reference), threshold=0.2).sel(field="velocity")
    assert float(times.sel(forecast="prediction")) == pytest.approx(0.2)
    assert np.isinf(times.sel(forecast="persistence"))


def test_dynamic_modes_go_on_with_what_is_linear_and_have_no_scores_in_their_first_half():
    """Two standing waves of other frequencies, which a linear model of four modes knows exactly."""
    mesh, times = square_mesh(4), 0.05 * np.arange(41)
    waves = np.random.default_rng(0).normal(size=(4, mesh.num_points))
    values = (
        3.0
        + np.outer(np.cos(5 * times), waves[0])
        + np.outer(np.sin(5 * times), waves[1])
        + np.outer(np.cos(9 * times), waves[2])
        + np.outer(np.sin(9 * times), waves[3])
    )
    reference = Trajectory.from_arrays(mesh, times, {"height": values})
    errors = score(reference, reference, dynamic_modes=True)["relative_l2"].sel(field="height")
    modes = errors.sel(forecast="dynamic_modes")
    assert modes[:20].isnull().all()
    assert (modes[20:] < 1e-2).all()
    assert (errors.sel(forecast="persistence")[20:] > 0.1).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_prediction_has_no_error(metric, heat):
    errors = score(heat, heat)[metric].sel(forecast="prediction")
    assert errors.shape == (1, 30)
    np.testing.assert_allclose(errors, 1.0 if metric == "correlation" else 0.0, rtol=1e-12)


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


def test_a_prediction_that_is_not_finite_is_infinitely_off_from_there_on():
    times = [0.0, 0.1, 0.2, 0.3]
    prediction = trajectory(times, [[1, 0], [1.1, 0], [np.nan, 0], [np.inf, 0]])
    scores = score(prediction, trajectory(times, [[1, 0]] * 4))
    ours = scores.sel(forecast="prediction", field="velocity")
    for metric in ("relative_l2", "weighted_l2", "rmse", "largest_error"):
        assert float(ours[metric][0]) == pytest.approx(0.1)
        assert np.isinf(ours[metric][1:]).all()
    assert (ours["correlation"][1:] == 0).all()
    valid = valid_time(scores).sel(forecast="prediction", field="velocity")
    assert float(valid) == pytest.approx(0.2)


def test_what_is_at_rest_first_is_valid_from_when_it_moves():
    times = [0.0, 0.1, 0.2, 0.3]
    reference = trajectory(times, [[0, 0], [0, 0], [1, 0], [2, 0]])
    prediction = trajectory(times, [[0, 0], [0, 0], [1, 0], [3, 0]])
    scores = score(prediction, reference)
    found = valid_time(scores).sel(field="velocity")
    assert float(found.sel(forecast="prediction")) == pytest.approx(0.3)
    assert float(found.sel(forecast="persistence")) == pytest.approx(0.2)


def test_the_error_over_all_times_is_that_of_the_norms_over_all_times():
    """A first time at which there is nothing, one of little, and one of all but all."""
    times, truth, error = [0.0, 0.1, 0.2, 0.3], [0, 0.0, 1e-6, 3.0], [0, 4e-3, 4e-3, 0.3]
    reference = trajectory(times, [[x, 0] for x in truth])
    prediction = trajectory(times, [[x, y] for x, y in zip(truth, error, strict=True)])
    found = over_all_times(score(prediction, reference)).sel(field="velocity")
    expected = np.linalg.norm(error) / np.linalg.norm(truth)
    assert float(found.sel(forecast="prediction")) == pytest.approx(expected)
    assert float(found.sel(forecast="persistence")) == pytest.approx(1.0)


def test_dynamic_modes_need_evenly_spaced_times_and_something_to_go_on():
    even = np.arange(12.0)
    values = np.cos(0.3 * even)[:, None] * np.ones(4)

    def forecasts(times, values):
        reference = Trajectory.from_arrays(MESH, times, {"heat": values})
        return score(reference, reference, dynamic_modes=True)["relative_l2"]

    assert forecasts(even, values).sel(forecast="dynamic_modes").notnull().any()
    uneven = np.cumsum(even)
    assert "dynamic_modes" not in forecasts(uneven, values)["forecast"]
    late = np.where(even[:, None] > 7, values, 0.0)
    hole = np.where(np.arange(4) == 2, np.nan, values)
    for bad in (late, hole):
        assert forecasts(even, bad).sel(forecast="dynamic_modes").isnull().all()


def test_small_errors_are_printed_with_the_digits_that_count():
    times = [0.0, 0.1]
    reference = trajectory(times, [[1e-5, 0]] * 2)
    scores = score(trajectory(times, [[1e-5, 0], [1.1234e-5, 0]]), reference)
    rows = list(score_table(scores).columns[-1].cells)
    assert rows == ["0.1234", "0", "1.234e-06", "0"]
    assert list(means_table(scores).columns[2].cells) == ["0.1234", "0"]


def test_json_has_the_valid_time_of_the_threshold_that_was_asked_for():
    times = [0.0, 0.1, 0.2]
    reference = trajectory(times, [[1, 0]] * 3)
    found = assess(trajectory(times, [[1, 0], [1.1, 0], [1.3, 0]]), reference)
    for threshold, seconds in ((0.05, 0.1), (0.2, 0.2)):
        valid = found.plain(threshold)["valid_time"]
        assert valid["attrs"]["threshold"] == threshold
        assert valid["data"][0][0] == pytest.approx(seconds)


def test_another_mesh_and_another_start_are_refused(heat):
    elsewhere = Trajectory(square_mesh(5, skew=0.1), heat.fields)
    with pytest.raises(PhysgtError, match=r"node \d+ lies at .* in the prediction, at .* in the"):
        score(elsewhere, heat)
    with pytest.raises(PhysgtError, match=r"starts at 0 s, a time that the reference \(0\.5 to"):
        score(heat, heat.select(slice(5, None)))


def test_what_cannot_be_compared_is_refused_with_the_reason(heat):
    with pytest.raises(PhysgtError, match="num_points = 36, the reference's 16"):
        score(heat, heat_trajectory(0, cells=3))
    renamed = Trajectory(heat.mesh, heat.fields.rename(temperature="heat"))
    with pytest.raises(PhysgtError, match=r"no field is in both.*\['heat'\].*\['temperature'\]"):
        score(renamed, heat)
    later = Trajectory(heat.mesh, heat.fields.assign_coords(time=heat.times + 100))
    with pytest.raises(PhysgtError, match="no time is in both"):
        score(later, heat)
