"""Memory that tensors leave goes to the next ones, as the system counts a process's page faults."""

import resource
import sys

import pytest
import torch

from physgt.ops import memory


@pytest.mark.skipif(memory.gnu_libc() is None, reason="only the GNU C library can be told")
def test_a_tensor_takes_the_memory_of_the_one_before_without_page_faults():
    def faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(1 << 24)  # 64 MiB: 16,384 pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    # What lies between the tensors decides after how many the first fits.
    assert min(faults() for _ in range(8)) < 100
    memory.return_free_memory()
    assert faults() > 1000


def test_other_systems_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    memory.keep_free_memory()
    memory.return_free_memory()
