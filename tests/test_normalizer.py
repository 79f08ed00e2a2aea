import numpy as np
import torch

from physgt.normalizer import Moments, Normalizer


def fitted(batches: list[np.ndarray]) -> Normalizer:
    moments = Moments(batches[0].shape[1])
    for batch in batches:
        moments.update(batch)
    normalizer = Normalizer(batches[0].shape[1])
    normalizer.set(moments)
    return normalizer


def test_moments_of_batches_are_those_of_all_values_together():
    values = np.random.default_rng(0).normal(3.0, 2.0, (1000, 4))
    moments = Moments(4)
    for batch in np.split(values, [1, 10, 400]):
        moments.update(batch)
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(moments.std, values.std(axis=0), rtol=1e-13)


def test_a_large_mean_does_not_swallow_the_standard_deviation():
    values = np.random.default_rng(1).normal(1e5, 1.0, (20_000, 1)).astype(np.float32)
    std = fitted(list(np.array_split(values, 37))).std
    np.testing.assert_allclose(std, values.astype(np.float64).std(axis=0), rtol=1e-6)


def test_nan_marks_values_that_do_not_count_each_column_for_itself():
    values = np.array([[1.0, 5.0], [np.nan, 7.0], [3.0, np.nan], [np.nan, np.nan]])
    moments = Moments(2)
    moments.update(values[:1])
    moments.update(values[1:])
    np.testing.assert_allclose(moments.mean, [2.0, 6.0])
    np.testing.assert_allclose(moments.std, [1.0, 1.0])


def test_a_column_that_never_changed_is_centred_and_not_blown_up():
    normalizer = fitted([np.full((50, 1), 0.1)])
    assert normalizer.normalize(torch.tensor([[1.1]])).item() == torch.tensor(1.1 - 0.1).item()


def test_denormalize_is_the_inverse_of_normalize():
    normalizer = fitted([np.random.default_rng(2).normal(-4.0, 0.3, (100, 3))])
    values = torch.randn(7, 3)
    torch.testing.assert_close(normalizer.denormalize(normalizer.normalize(values)), values)
