"""What is installed is `physgt` alone, whole, and it hides no other library."""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

import physgt

ROOT = Path(__file__).resolve().parents[1]
MAPPED_FOLDERS = ("datasets", "rollout", "viz")
DATA_FILES = ("datasets/cases/*.toml",)


def run_in(folder: Path, *command: object, **environment: str) -> str:
    """The standard output of a command, which must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def files_that_belong_in_a_wheel() -> set[str]:
    """Every source and data file of the checkout under its installed name."""
    mapped = {ROOT / "physgt" / folder for folder in MAPPED_FOLDERS}
    own = {path for path in (ROOT / "physgt").rglob("*.py") if not mapped & set(path.parents)}
    own |= {path for path in (ROOT / "physgt/pretrained").iterdir() if path.is_file()}
    own |= set((ROOT / "physgt/report/templates").iterdir())
    files = {path.relative_to(ROOT).as_posix() for path in own} | {"physgt/py.typed"}
    for folder in MAPPED_FOLDERS:
        files |= {f"physgt/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*.py")}
    for pattern in DATA_FILES:
        files |= {f"physgt/{path.relative_to(ROOT)}" for path in ROOT.glob(pattern)}
    return files


def build_wheel(folder: Path, *options: str, **environment: str) -> Path:
    """A wheel of this checkout, built in `folder`."""
    checkout = folder / "physgt"
    not_sources = (".*", "demo", "build", "dist", "*.egg-info", "__pycache__", "_kernels_*")
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=shutil.ignore_patterns(*not_sources))
    # Without isolation the build downloads nothing.
    command = (sys.executable, "-m", "build", "--no-isolation", *options)
    run_in(checkout, *command, **environment)
    [wheel] = (checkout / "dist").glob("*.whl")
    return wheel


def files_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def kernels(files: set[str]) -> set[str]:
    return {name for name in files if name.startswith("physgt/ops/_kernels_")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("build")
    # The compiler takes the last of several -O: this one is done in a third of the time.
    quick = folder / "quick-c++"
    quick.write_text('#!/bin/sh\nexec c++ "$@" -O2\n')
    quick.chmod(0o755)
    return build_wheel(folder, CXX=str(quick))


@pytest.fixture(scope="module")
def wheel_files(wheel: Path) -> set[str]:
    return files_in(wheel)


def test_a_wheel_contains_physgt_alone_at_the_top(wheel_files: set[str]) -> None:
    version = installed_version("physgt")
    assert {name.split("/")[0] for name in wheel_files} == {
        "physgt",
        f"physgt-{version}.dist-info",
    }


def test_a_wheel_built_from_the_source_distribution_has_every_module_and_data_file(
    wheel_files: set[str],
) -> None:
    packaged = {name for name in wheel_files if name.startswith("physgt/")}
    assert packaged - kernels(wheel_files) == files_that_belong_in_a_wheel()


@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_a_wheel_has_kernels_for_each_instruction_set(wheel_files: set[str]) -> None:
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    sets = {"baseline", "avx2", "avx512"} if is_x86 else {"baseline"}
    found = {Path(name).name.split(".")[0] for name in kernels(wheel_files)}
    assert found == {f"_kernels_{name}" for name in sets}


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64") or shutil.which("objdump") is None,
    reason="reads x86 machine code with objdump",
)
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_kernels_have_no_instructions_beyond_their_set(wheel: Path, tmp_path: Path) -> None:
    # Registers that came with AVX and with AVX-512: others would stop an older processor.
    beyond = {"baseline": {"ymm", "zmm"}, "avx2": {"zmm"}, "avx512": set()}
    with zipfile.ZipFile(wheel) as archive:
        libraries = [archive.extract(name, tmp_path) for name in kernels(files_in(wheel))]
    found = {}
    for library in libraries:
        code = run_in(tmp_path, "objdump", "--disassemble", "--no-show-raw-insn", library)
        found[Path(library).name.split(".")[0]] = {r for r in ("ymm", "zmm") if f"%{r}" in code}
    for instruction_set, others in beyond.items():
        assert not found[f"_kernels_{instruction_set}"] & others
    assert found["_kernels_avx512"] == {"ymm", "zmm"}


def test_a_wheel_builds_without_a_compiler_and_only_lacks_the_kernels(tmp_path: Path) -> None:
    files = files_in(build_wheel(tmp_path, "--wheel", CC="no-compiler", CXX="no-compiler"))
    assert {name for name in files if name.startswith("physgt/")} == files_that_belong_in_a_wheel()


def test_a_wheel_carries_the_licence_and_the_command_line(wheel_files: set[str]) -> None:
    metadata = f"physgt-{installed_version('physgt')}.dist-info"
    assert f"{metadata}/licenses/LICENSE" in wheel_files
    assert f"{metadata}/entry_points.txt" in wheel_files


def test_the_folders_at_the_top_are_imported_below_physgt(tmp_path: Path) -> None:
    modules = ", ".join(f"physgt.{folder}" for folder in MAPPED_FOLDERS)
    program = f"import {modules}; print(*(m.__file__ for m in ({modules})), sep='\\n')"
    files = run_in(tmp_path, sys.executable, "-c", program).splitlines()
    expected = [ROOT / folder / "__init__.py" for folder in MAPPED_FOLDERS]
    assert [Path(file).resolve() for file in files] == expected


def test_the_version_is_the_installed_one() -> None:
    assert physgt.__version__ == installed_version("physgt")


def test_torch_scatter_is_never_required() -> None:
    required = distribution("physgt").requires or []
    assert [line for line in required if line.startswith("torch-scatter")] == [
        'torch-scatter==2.1.2; extra == "scatter"'
    ]


USES_BOTH_LIBRARIES = """
import datasets, datasets.features
import physgt.datasets
table = datasets.Dataset.from_dict({"pressure": [1.0, 2.0, 4.0]})
assert table.map(lambda row: {"double": 2 * row["pressure"]})["double"] == [2.0, 4.0, 8.0]
assert datasets.features.Value is datasets.Value
assert physgt.datasets.open_trajectory
assert not hasattr(datasets, "open_trajectory")
"""


def test_hugging_faces_datasets_stays_whole_in_the_root_of_a_checkout() -> None:
    run_in(ROOT, sys.executable, "-c", USES_BOTH_LIBRARIES)


def test_hugging_faces_datasets_stays_whole_under_pytest_in_the_root(tmp_path: Path) -> None:
    test_file = tmp_path / "test_both.py"
    body = USES_BOTH_LIBRARIES.strip().replace("\n", "\n    ")
    test_file.write_text(f"def test_both():\n    {body}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    summary = run_in(ROOT, sys.executable, "-m", "pytest", "-q", test_file)
    assert "1 passed" in summary


def test_without_hugging_faces_library_its_name_is_not_found_in_the_root() -> None:
    """Other libraries ask whether `datasets` is there by importing it."""
    program = "try:\n    import datasets\nexcept ModuleNotFoundError as e:\n    print(e.name)"
    # -S leaves out the site-packages, and with them every installed library.
    assert run_in(ROOT, sys.executable, "-S", "-c", program) == "datasets"
