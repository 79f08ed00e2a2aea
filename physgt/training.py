"""Training: windows of trajectories in, a simulator out, validated by free rollout.

Everything random in step k is drawn from a generator seeded by (seed, k), so a run that was
stopped and resumed goes on exactly as if it had never been stopped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter

from physgt.case import Case, TrainingSettings
from physgt.datasets import open_trajectory
from physgt.errors import DivergedError, PhysgtError
from physgt.files import written_whole
from physgt.fine_tuning import start_from
from physgt.fit_normalizers import fit_normalizers
from physgt.interrupts import interrupts_wait
from physgt.loss import LOSSES, free_noise, unrolled_loss
from physgt.mirror import mirrors_along
from physgt.pretraining import reconstruction_loss
from physgt.provenance import recorded
from physgt.rates import needs_history
from physgt.rollout import rollout, score
from physgt.samples import Samples, Window
from physgt.schedule import horizon, learning_rate, moving_average
from physgt.simulator import Simulator
from physgt.tensor_files import read_safetensors
from physgt.training_checks import check_same_cases, check_settings, check_validation
from physgt.trajectory import Trajectory

STATE_FILE = "training_state.safetensors"


@dataclass(frozen=True)
class Report:
    """What a training says after each step. `validation` is set after a validation."""

    step: int
    num_steps: int
    loss: float
    validation: float | None = None


def train(
    case: Case,
    training: dict[str, Trajectory],
    directory: Path,
    *,
    validation: dict[str, Trajectory] | None = None,
    device: torch.device | str = "cpu",
    start: Simulator | None = None,
    resume: bool = False,
    report: Callable[[Report], None] | None = None,
) -> Simulator:
    """Train the case's model and return the best simulator found.

    `directory` gets best.physgt (lowest validation error, or the last where there is no
    validation), last.physgt, training_state.safetensors to resume from, run.json, see
    physgt.provenance, and TensorBoard events.

    start: a trained simulator, whose weights and scales are the first ones, see
        physgt.fine_tuning; without it weights are drawn by chance and scales are the data's.

    Raises PhysgtError where a trajectory doesn't fit the task, where the loss stops being finite,
    where `directory` holds a run already, and, with resume, where that is of another case or of
    other trajectories.
    """
    settings = case.training
    if not resume and (directory / STATE_FILE).exists():
        raise PhysgtError(
            f"{directory}: holds a run already; go on with --resume (resume=True in Python), "
            "or choose another folder."
        )
    if resume and start is not None:
        raise PhysgtError(
            "a run that is resumed goes on with its own weights: leave out --start-from (start), "
            "or --resume (resume)."
        )
    torch.manual_seed(settings.seed)
    if not training:
        raise PhysgtError("no trajectories to learn from.")
    dimension = next(iter(training.values())).mesh.dimension
    simulator = Simulator(case.task(), dimension, case.model_name, case.model_options).to(device)
    check_settings(case)
    samples = Samples(
        training,
        case.task(),
        simulator.build_graph,
        max(settings.unroll.values()),
        mirrors_along(settings.mirror, case.task(), dimension),
    )
    check_validation(simulator, validation or {})
    run = Run(simulator, settings, directory)
    data = {"training": training, "validation": validation or {}}
    if resume:
        run.restore()
        check_same_cases(directory, data)
    elif start is not None:
        start_from(simulator, start)
    else:
        fit_normalizers(simulator, samples)
    directory.mkdir(parents=True, exist_ok=True)
    with (
        SummaryWriter(str(directory), purge_step=run.step + 1) as events,
        recorded(directory, case, data, simulator.device, start=start, resume=resume),
    ):
        try:
            while run.step < settings.steps:
                with interrupts_wait():
                    result = _advance_and_validate(run, samples, validation or {})
                _log(events, settings, result)
                if report is not None:
                    report(result)
        except KeyboardInterrupt:
            run.save()
            raise
    return Simulator.load(directory / "best.physgt", device)


def open_trajectories(root: Path, pattern: str) -> dict[str, Trajectory]:
    """The trajectories whose files match `pattern` below `root`, by path, in order of name."""
    try:
        paths = sorted(root.glob(pattern))
    except (NotImplementedError, ValueError, IndexError) as error:
        raise PhysgtError(
            f"[data] '{pattern}': expected a pattern of files below {root}, such as "
            "train/*.vtkhdf; --data names another folder."
        ) from error
    if not paths:
        raise PhysgtError(
            f"{root / pattern}: no such files; make them with physgt generate or physgt convert, "
            "or name the folder they are in with --data."
        )
    return {str(path): open_trajectory(path) for path in paths}


def _advance_and_validate(run: Run, samples: Samples, validation: dict[str, Trajectory]) -> Report:
    loss = run.advance(samples)
    error = None
    if run.step % run.settings.validate_every == 0 or run.step == run.settings.steps:
        error = run.validate(validation)
        run.save_best(error)
        run.save()
    return Report(run.step, run.settings.steps, loss, error)


def _log(events: SummaryWriter, settings: TrainingSettings, result: Report) -> None:
    events.add_scalar("loss", result.loss, result.step)
    events.add_scalar("learning_rate", learning_rate(settings, result.step - 1), result.step)
    if result.validation is not None:
        events.add_scalar("validation/relative_l2", result.validation, result.step)


class Run:
    """One training: the simulator, its averaged copy, the optimiser, and how far they are."""

    def __init__(self, simulator: Simulator, settings: TrainingSettings, directory: Path) -> None:
        self.simulator = simulator
        self.settings = settings
        self.directory = directory
        self.averaged = AveragedModel(simulator, multi_avg_fn=moving_average(settings.ema_decay))
        self.optimizer = torch.optim.AdamW(
            simulator.parameters(),
            lr=settings.learning_rate,
            betas=(0.9, 0.95),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.step = 0
        self.best = math.inf

    def advance(self, samples: Samples) -> float:
        """One optimiser step; returns its loss."""
        settings = self.settings
        generator = np.random.default_rng([settings.seed, self.step])
        if samples.unroll != (unroll := horizon(settings, self.step)):
            samples = samples.unrolled(unroll)
        window = samples.draw(generator, settings.batch_size).to(self.simulator.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        device = self.simulator.device.type
        with torch.autocast(device, torch.bfloat16, enabled=settings.bfloat16):
            loss = self._loss(window, generator)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.simulator.parameters(), settings.gradient_clip)
        value = float(loss.detach())
        if not math.isfinite(value + float(norm)):
            raise PhysgtError(
                f"the loss or its gradient is not finite at step {self.step + 1}; lower "
                f"training.learning_rate. What was saved last in {self.directory} is whole."
            )
        self.optimizer.step()
        self.averaged.update_parameters(self.simulator)
        self.step += 1
        return value

    def _loss(self, window: Window, generator: np.random.Generator) -> Tensor:
        settings = self.settings
        if self.step < settings.pretraining_steps:
            return reconstruction_loss(self.simulator, window, generator)
        return unrolled_loss(
            self.simulator,
            window,
            free_noise(self.simulator, window, settings.noise, generator),
            measure=LOSSES[settings.loss],
            discount=settings.step_discount,
            push_forward=settings.push_forward,
            checkpointing=settings.checkpointing,
        )

    def validate(self, trajectories: dict[str, Trajectory]) -> float | None:
        """Mean relative L2 of free rollouts over fields, times and trajectories.

        A trajectory serves as its own prescribed values: read are only those that the task
        declares as prescribed or as forcings over time. One that is 0 throughout doesn't count,
        since nothing is relative to that; None where none counts.
        """
        if not trajectories:
            return None
        simulator = self._averaged_simulator
        errors = []
        for trajectory in trajectories.values():
            stride = trajectory.stride(simulator.task.dt)
            possible = (trajectory.num_times - 1) // stride - needs_history(simulator.task)
            steps = min(self.settings.validation_steps, possible)
            try:
                prediction = rollout(simulator, trajectory, steps, prescribed=trajectory)
            except DivergedError:
                # A rollout that diverges is the worst of models, not the end of the training.
                return math.inf
            targets = [target.name for target in simulator.task.targets]
            scores = score(prediction, trajectory)["relative_l2"]
            errors.append(float(scores.sel(forecast="prediction", field=targets).mean()))
        measured = [error for error in errors if not math.isnan(error)]
        return float(np.mean(measured)) if measured else None

    @property
    def _averaged_simulator(self) -> Simulator:
        return cast(Simulator, self.averaged.module)

    def save(self) -> None:
        """Write last.physgt and what resuming needs."""
        self._averaged_simulator.save(self.directory / "last.physgt")
        tensors = {f"simulator.{k}": v for k, v in self.simulator.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in moments.items()}
        description = {"step": self.step, "best": self.best, **self._identity()}
        with written_whole(self.directory / STATE_FILE) as temporary:
            copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
            temporary.write_bytes(save(copies, {"training": json.dumps(description)}))

    def save_best(self, error: float | None) -> None:
        """Write best.physgt where `error` is the lowest so far, or where nothing measures it."""
        if error is None or error <= self.best:
            self.best = math.inf if error is None else error
            self._averaged_simulator.save(self.directory / "best.physgt")

    def restore(self) -> None:
        """The inverse of save."""
        path = self.directory / STATE_FILE
        description, tensors = read_safetensors(path, "training")
        for key, ours in self._identity().items():
            if description[key] != ours:
                raise PhysgtError(
                    f"{path}: was trained with {key} = {description[key]}, but the case says "
                    f"{ours}; resume with the case it was started with, or train anew."
                )
        self.simulator.load_state_dict(_below("simulator.", tensors))
        self.averaged.load_state_dict(_below("averaged.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer.", tensors).items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step, self.best = description["step"], description["best"]

    def _identity(self) -> dict[str, object]:
        """What must be equal for a run to go on: compared as JSON holds it."""
        identity = {
            "task": self.simulator.task.to_dict(),
            "model": {"name": self.simulator.model_name, **self.simulator.model_options},
            "training": self.settings.model_dump(),
        }
        found: dict[str, object] = json.loads(json.dumps(identity))
        return found


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
