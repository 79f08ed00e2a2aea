"""Triton's kernels, which run on GPUs: right in Triton's interpreter, and GPUs' code is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton", reason="triton is not installed: there is none here")

CHECKS = Path(__file__).with_name("triton_checks.py")
OLDEST_GPU = 80  # compute capability 8.0: the first that has bfloat16


def test_the_kernels_and_their_gradients_are_right_in_the_interpreter():
    # Triton reads the variable when it is imported, so the kernels run in a process of their own.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(CHECKS)],
        cwd=CHECKS.parent.parent,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def machine_code(tmp_path, monkeypatch):
    """A function that compiles a kernel for a GPU, which this needn't be a machine with."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))

    def compiled(kernel, kinds: dict[str, str], rows: str, **constants: object) -> bytes:
        """kinds: types of arguments; those of others are integers or pointers to `rows`."""
        signature = {}
        for name in kernel.arg_names:
            integer = name.endswith("stride") or name == "num_edges"
            signature[name] = kinds.get(name, "i32" if integer else f"*{rows}")
            if name in constants:
                signature[name] = "constexpr"
        source = ASTSource(kernel, signature=signature, constexprs=constants)
        target = GPUTarget("cuda", OLDEST_GPU, 32)
        return triton.compile(source, target, {"enable_fp_fusion": True}).asm["cubin"]

    return compiled


@pytest.mark.parametrize("rows", ["bf16", "fp32", "fp64"])
def test_attention_compiles_for_gpus(machine_code, rows):
    from physgt.ops import triton_attention

    wide = triton.language.float64 if rows == "fp64" else triton.language.float32
    kinds = dict.fromkeys(("offsets", "senders", "receivers"), "*i32")
    kinds |= dict.fromkeys(("log_sum", "correction"), f"*{wide}")
    sizes = {"HEADS": 4, "CHANNELS": 24, "WIDTH": 32, "SCALE": 24**-0.5, "BLOCK": 16, "WIDE": wide}
    for name in ("_forward", "_query_gradient", "_key_value_gradient"):
        kernel = getattr(triton_attention, name)
        assert machine_code(kernel, kinds, rows, **sizes)


@pytest.mark.parametrize("rows", ["bf16", "fp64"])
@pytest.mark.parametrize("activation", ["relu", "silu", "gelu"])
def test_an_edge_layer_compiles_for_gpus(machine_code, rows, activation):
    from physgt.ops import triton_edges

    kinds = dict.fromkeys(("senders", "receivers"), "*i64")
    wide = triton.language.float64 if rows == "fp64" else triton.language.float32
    sizes = {"CHANNELS": 24, "WIDTH": 32, "BLOCK": 64, "WIDE": wide}
    for kernel, function in zip(
        (triton_edges._activate, triton_edges._differentiate),
        triton_edges.ACTIVATIONS[activation],
        strict=True,
    ):
        assert machine_code(kernel, kinds, rows, **sizes, FUNCTION=function)
