"""The kernels in C++, compiled for each instruction set; all else stands in pyproject.toml.

They are optional: without a compiler the package installs, and computes the same in plain torch.
A kernel library is an ordinary shared library, loaded by physgt/ops/compiled.py, not a Python
module; it is built as an extension because that puts it into wheels and editable installs.
"""

import platform
import sys
from copy import copy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = [f"physgt/ops/{name}.cpp" for name in ("kernels", "full_attention", "rows")]
HEADERS = ["physgt/ops/numbers.h"]
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")

if sys.platform == "win32":
    # The experimental OpenMP is the one that knows `omp simd`.
    FLAGS = ["/O2", "/std:c++17", "/openmp:experimental"]
    LINK_FLAGS = []
    INSTRUCTION_SETS = {"avx2": ["/arch:AVX2"], "avx512": ["/arch:AVX512"]}
else:
    # Apple's compiler has no OpenMP, but knows its vector loops: there, kernels run on one thread.
    LINK_FLAGS = [] if sys.platform == "darwin" else ["-fopenmp"]
    FLAGS = [
        *("-O3", "-std=c++17", "-g0", "-fvisibility=hidden"),
        # Sums in any order and no errno: what vector arithmetic needs. NaN and infinity stay.
        *("-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno"),
        # Python's own flag makes integers wrap, and loops over them several times slower.
        "-fno-wrapv",
        *(LINK_FLAGS or ["-fopenmp-simd"]),
    ]
    AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]
    INSTRUCTION_SETS = {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx2", "-mfma", *AVX512]}


class BuildKernels(build_ext):
    """Builds libraries that export what their source says, and no Python module."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = True

    def build_extension(self, ext: Extension) -> None:
        # Objects of the same sources for several instruction sets, made at the same time.
        own = copy(self)
        own.build_temp = str(Path(self.build_temp) / ext.name)
        super(BuildKernels, own).build_extension(ext)

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return ext.export_symbols


def kernels(instruction_set: str, flags: list[str]) -> Extension:
    return Extension(
        f"physgt.ops._kernels_{instruction_set}",
        SOURCES,
        depends=HEADERS,
        language="c++",
        extra_compile_args=[*FLAGS, *flags],
        extra_link_args=LINK_FLAGS,
        optional=True,
    )


sets = {"baseline": [], **(INSTRUCTION_SETS if IS_X86 else {})}
setup(
    ext_modules=[kernels(name, flags) for name, flags in sets.items()],
    cmdclass={"build_ext": BuildKernels},
)
