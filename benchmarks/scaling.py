"""Which size of a model is best for how much training: a small scaling study.

    python benchmarks/scaling.py FAMILY --budgets 1e11 3e11 1e12 -o DIRECTORY

Each size is trained for each budget of floating-point operations, with a learning rate that falls
to its end within it, and measured by the error of one step over test cases. At a given budget the
error over the number of weights is a valley: its lowest point, by a parabola in logarithms through
the best size and its two neighbours, is the best size. The slope of the best sizes over the budgets
is the exponent that Garnier et al. ("Training Transformers for Mesh-Based Simulations", 2025) give
as 0.75.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from accuracy import NEAR_FAR, changed_case
from accuracy_families import FAMILIES, make_data
from matplotlib.ticker import NullFormatter
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

import physgt.bench  # noqa: F401  (how torch counts the operations of products by oneDNN)
from physgt import Simulator, Trajectory
from physgt.case import Case
from physgt.samples import Samples
from physgt.training import train

matplotlib.use("Agg")
from matplotlib import pyplot as plt

WIDTHS = (16, 24, 32, 48, 64)
PUBLISHED = 0.75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--budgets", type=float, nargs="+", default=[1e11, 3e11, 1e12])
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = make_data(options.family, options.output / "data" / options.family)
    results = []
    for budget in options.budgets:
        for width in options.widths:
            path = options.output / f"scaling-{options.family}-{budget:g}-{width}.json"
            if not path.exists():
                path.write_text(json.dumps(measure(options.family, width, budget, data)))
            results.append(json.loads(path.read_text()))
            Console().print(table(results))
    best = best_sizes(results)
    if len(best) < 2:
        print("No exponent: at fewer than two budgets the best size lies between those tried.")
        return
    exponent = float(np.polyfit(*np.log(np.array(best)).T, 1)[0])
    print(f"best size ~ budget^{exponent:.2f} (published {PUBLISHED})")
    plot(results, best, exponent, options.output / f"scaling-{options.family}.png")


def measure(
    family: str, width: int, budget: float, data: dict[str, dict[str, Trajectory]]
) -> dict[str, Any]:
    """Train a model of one width for one budget."""
    model = {**NEAR_FAR, "rotary": True, "width": width}
    tables = changed_case(family, {"model": model}, seed=0)
    tables["training"]["unroll"] = int(*tables.pop("unroll").values())
    steps = max(round(budget / step_operations(tables, data["train"])), 10)
    tables["training"] |= {"steps": steps, "validate_every": steps}
    began = time.process_time()
    with tempfile.TemporaryDirectory() as run:
        simulator = train(Case.model_validate(tables), data["train"], Path(run))
    return {
        "width": width,
        "weights": sum(weight.numel() for weight in simulator.model.parameters()),
        "budget": budget,
        "steps": steps,
        "cpu_seconds": time.process_time() - began,
        "error": one_step_error(simulator, data["test"]),
    }


def step_operations(tables: dict[str, Any], training: dict[str, Trajectory]) -> float:
    """Operations of an optimiser step: three times those of a time step's matrix products."""
    case = Case.model_validate(tables)
    simulator, samples = _prepared(case, dict(list(training.items())[:1]))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        window = samples.batch([0])
        simulator.predict(window.graph, window.states[0], window.forcings[0])
    return 3.0 * counter.get_total_flops() * case.training.batch_size


def _prepared(case: Case, data: dict[str, Trajectory]) -> tuple[Simulator, Samples]:
    dimension = next(iter(data.values())).mesh.dimension
    simulator = Simulator(case.task(), dimension, case.model_name, case.model_options)
    return simulator, Samples(data, case.task(), simulator.build_graph)


@torch.inference_mode()
def one_step_error(simulator: Simulator, test: dict[str, Trajectory]) -> float:
    """Mean squared error of normalised increments, of 20 steps of each case."""
    samples = Samples(test, simulator.task, simulator.build_graph)
    errors = []
    for number in np.linspace(0, len(samples) - 1, 20 * len(test)).astype(int):
        window = samples.batch([int(number)])
        target = simulator.target(window.graph, window.states[0], window.states[1])
        error = simulator.predict(window.graph, window.states[0], window.forcings[0]) - target
        errors.append(error[window.graph.free].square().mean().item())
    return float(np.mean(errors))


def best_sizes(results: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """(budget, weights) of the lowest point of each valley, if that is between the sizes tried."""
    best = []
    for budget in sorted({result["budget"] for result in results}):
        row = [result for result in results if result["budget"] == budget]
        row = sorted(row, key=lambda result: result["weights"])
        size, error = np.log([(r["weights"], r["error"]) for r in row]).T
        lowest = int(error.argmin())
        if 0 < lowest < len(row) - 1:
            around = slice(lowest - 1, lowest + 2)
            curvature, slope, _ = np.polyfit(size[around], error[around], 2)
            best.append((budget, float(np.exp(-slope / (2 * curvature)))))
    return best


def table(results: list[dict[str, Any]]) -> Table:
    found = Table("operations", "width", "weights", "steps", "CPU-s", "one-step error")
    for r in results:
        found.add_row(
            f"{r['budget']:.1e}", str(r["width"]), f"{r['weights']:,}", str(r["steps"]),
            f"{r['cpu_seconds']:.0f}", f"{r['error']:.4f}",
        )  # fmt: skip
    return found


def plot(
    results: list[dict[str, Any]], best: list[tuple[float, float]], exponent: float, path: Path
) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for budget, _ in best:
        row = [result for result in results if result["budget"] == budget]
        axes[0].loglog(
            *zip(*[(r["weights"], r["error"]) for r in row], strict=True),
            "o-",
            label=f"{budget:.0e}",
        )
    axes[0].legend(title="operations")
    axes[0].set(xlabel="weights", ylabel="squared error of one step")
    budgets, sizes = np.array(best).T
    axes[1].loglog(budgets, sizes, "o", label="best size")
    for power, style, name in ((exponent, "-", "fitted"), (PUBLISHED, "--", "published")):
        line = np.exp(np.log(sizes).mean()) * (budgets / np.exp(np.log(budgets).mean())) ** power
        axes[1].loglog(budgets, line, style, label=f"{name}, exponent {power:.2f}")
    axes[1].legend()
    for ax in axes:
        ax.xaxis.set_minor_formatter(NullFormatter())  # its labels would overlap
    axes[1].set(xlabel="operations of the training", ylabel="weights")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
