"""Triton's kernels, which run on GPUs, in Triton's interpreter on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_triton_attention_and_its_gradients_are_those_of_plain_torch():
    pytest.importorskip("triton", reason="triton is not installed: there is none for this system")
    # Triton reads the variable when it is imported, so the kernels run in a process of their own.
    checks = Path(__file__).with_name("triton_checks.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, str(checks)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
