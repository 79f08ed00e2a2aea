"""The segment operations against torch-scatter, where it is installed (`make test-scatter`)."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from physgt.ops.segment import segment_mean, segment_softmax, segment_sum

torch_scatter = pytest.importorskip("torch_scatter", reason="needs torch-scatter")
pytestmark = pytest.mark.scatter

NUM_SEGMENTS = 50
OPERATIONS = {
    "sum": (segment_sum, torch_scatter.scatter_sum),
    "mean": (segment_mean, torch_scatter.scatter_mean),
    "softmax": (segment_softmax, torch_scatter.scatter_softmax),
}


@pytest.fixture(params=["ascending", "any order"])
def index(request: pytest.FixtureRequest) -> Tensor:
    """The segments of 400 rows; some of the segments are empty."""
    drawn = torch.randint(0, NUM_SEGMENTS - 10, (400,), generator=torch.Generator().manual_seed(0))
    return drawn.sort().values if request.param == "ascending" else drawn


@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients_agree_with_torch_scatter(name: str, index: Tensor) -> None:
    ours, theirs = OPERATIONS[name]

    def value_and_gradient(operation: Callable[..., Tensor], **size: int) -> tuple[Tensor, Tensor]:
        rows = torch.randn(
            (len(index), 7), generator=torch.Generator().manual_seed(1), dtype=torch.float64
        ).requires_grad_()
        result = operation(rows, index, **size)
        weights = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view_as(result)
        (gradient,) = torch.autograd.grad((weights * result).sum(), rows)
        return result.detach(), gradient

    found = value_and_gradient(ours, num_segments=NUM_SEGMENTS)
    expected = value_and_gradient(theirs, dim=0, dim_size=NUM_SEGMENTS)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
