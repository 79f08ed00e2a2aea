"""The page of `physgt report`: what it says, that it is valid HTML and asks for nothing else."""

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import html5lib
import numpy as np
import pytest
import torch
from PIL import Image

from heat_case import SMALL_MODELS, heat_trajectory, square_mesh
from moving_case import PULL, pulled_plate
from physgt import Field, PhysgtError, Simulator, Task, Trajectory
from physgt.case import read_case
from physgt.cli import main
from physgt.datasets import open_trajectory, write_trajectory
from physgt.provenance import session_of
from physgt.report import data_tables, read_run, tables, write_report
from physgt.report.figures import errors_over_time
from physgt.report.listing import Listing, duration, figure, per_cent, span
from physgt.report.page import render_page
from physgt.report.pictures import worst_moment
from physgt.report.trials import Trial, run_trials, typical, worst
from physgt.rollout import rollout, score
from physgt.rollout.assessment import assess
from physgt.training import train
from physgt.volumes import cell_centres
from test_derived import cube_of_tetrahedra

CASE = """# What is <i>meant</i> & written here stays.
name = "heat"
[data]
train = "train/*.vtkhdf"
test = "test/*.vtkhdf"
[task]
dt = 0.1
[task.targets.temperature]
units = "degC"
[boundary.rim]
temperature = "held"
[model]
name = "physgto"
width = 16
heads = 2
tokens = 4
blocks = 1
mlp_width = 16
[training]
steps = 12
seed = 7
validate_every = 4
[outputs.middle]
kind = "probe"
field = "temperature"
point = [0.5, 0.5]
[outputs.warmth]
kind = "volume_mean"
field = "temperature"
per = "scale"
"""
TEST_SEEDS = (8, 9)
STEPS = 12
NOW = session_of(torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/train, data/test, and the folder of a short run on the former."""
    folder = tmp_path_factory.mktemp("report")
    for part, seeds in (("train", range(3)), ("test", TEST_SEEDS)):
        (folder / "data" / part).mkdir(parents=True)
        for seed in seeds:
            case = heat_trajectory(seed, num_steps=STEPS)
            object.__setattr__(case, "attributes", {"scale": 2.0, "heater": float(seed)})
            write_trajectory(case, folder / "data" / part / f"plate-{seed}.vtkhdf")
    (folder / "heat.toml").write_text(CASE)
    cases = {p: open_trajectory(p) for p in sorted((folder / "data/train").iterdir())}
    named = {str(path): case for path, case in cases.items()}
    train(read_case(folder / "heat.toml"), named, folder / "run", validation=named)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["report", str(folder / "run"), "--data", str(folder / "data")])
    assert stop.value.code == 0
    return (folder / "run/report.html").read_text()


@pytest.fixture(scope="module")
def document(page: str):
    """The page as a parser sees it that accepts valid HTML alone."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def texts(document, tag: str) -> list[str]:
    return [" ".join("".join(found.itertext()).split()) for found in document.iter(tag)]


def test_the_page_asks_for_no_other_file_and_runs_no_script(document):
    names = {
        "src",
        "href",
        "poster",
        "srcset",
        "data",
        "action",
        "{http://www.w3.org/1999/xlink}href",
    }
    linked = [v for e in document.iter() for k, v in e.attrib.items() if k in names]
    assert len(linked) > 10
    assert {value.partition(":")[0] for value in linked if not value.startswith("#")} == {"data"}
    (styles,) = texts(document, "style")
    assert "url(" not in styles
    assert "@import" not in styles
    assert not list(document.iter("script"))


def test_each_link_within_the_page_leads_somewhere_and_names_are_unique(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_pictures_have_a_text_and_tables_a_caption_and_heads(document):
    for tag, name in (("img", "alt"), ("video", "aria-label"), ("svg", "aria-label")):
        found = list(document.iter(tag)) + list(
            document.iter(f"{{http://www.w3.org/2000/svg}}{tag}")
        )
        assert found
        assert all(element.get(name) for element in found)
    for table in document.iter("table"):
        assert table.find("caption") is not None
        assert all(head.get("scope") == "col" for head in table.find("thead").iter("th"))
        assert all(row.find("th") is not None for row in table.find("tbody").iter("tr"))
    assert [e.tag for e in document.iter() if e.tag in ("h1", "h2")].count("h1") == 1


def test_the_errors_are_those_of_free_rollouts_from_the_first_states(folder, document):
    simulator = Simulator.load(folder / "run/best.physgt")
    errors = []
    for seed in TEST_SEEDS:
        reference = open_trajectory(folder / f"data/test/plate-{seed}.vtkhdf")
        found = score(rollout(simulator, reference.initial(), STEPS), reference)
        errors.append(found["relative_l2"].mean("time").values[:, 0])
    ours, still = np.mean(errors, axis=0)
    (card, *_) = texts(document, "strong")
    assert card == figure(ours)
    assert any(f"nothing changes: {figure(still)}" in text for text in texts(document, "dd"))
    worst_first = [seed for _, seed in sorted(zip([e[0] for e in errors], TEST_SEEDS, strict=True))]
    headings = [text for text in texts(document, "h3") if text.startswith(("1.", "2."))]
    assert headings == [f"{k}. plate-{s}" for k, s in enumerate(reversed(worst_first), start=1)]


def test_the_page_says_what_was_trained_on_what_where_and_when(document):
    assert texts(document, "pre") == [" ".join(CASE.split())]
    facts = dict(zip(texts(document, "dt"), texts(document, "dd"), strict=True))
    assert facts["Seed"] == "7"
    assert facts["Model"].startswith("physgto, width = 16")
    assert "torch" in facts["Versions"]
    assert re.match(r"\d{4}-\d\d-\d\dT.* to \d{4}", facts["Training"])
    cells = texts(document, "td") + texts(document, "th")
    assert {"middle", "warmth", "temperature", "plate-8", "heater", "training", "test"} <= set(
        cells
    )


def test_a_number_outside_of_the_training_range_is_marked(document):
    """Training saw heaters of 0 to 2, the tests have 8 and 9."""
    assert {"8.000 *", "9.000 *"} <= set(texts(document, "td"))


def test_a_run_can_be_reported_with_other_cases_quantities_and_steps(folder, tmp_path):
    run = read_run(folder / "run", "last.physgt", "cpu")
    case = open_trajectory(folder / "data/test/plate-8.vtkhdf")
    output = tmp_path / "new/page.html"
    write_report(run, {"here/plate-8.vtkhdf": case}, output, settings={}, steps=3)
    text = output.read_text()
    assert "The case states none" in text
    assert "up to 3 steps, 0.300 s" in text
    with pytest.raises(PhysgtError, match=r"plate-8.vtkhdf: steps = 31, expected 1 to 12"):
        write_report(run, {"plate-8.vtkhdf": case}, output, steps=31)


def test_a_case_that_names_no_test_cases_asks_for_them(folder):
    run = read_run(folder / "run", "best.physgt", "cpu")
    del run.case["data"]["test"]
    with pytest.raises(PhysgtError, match=r"names no test cases; name a pattern with --cases"):
        print(run.test_pattern)


def test_cases_that_served_for_training_are_named_as_such(folder, tmp_path):
    run = read_run(folder / "run", "best.physgt", "cpu")
    path = folder / "data/train/plate-1.vtkhdf"
    write_report(run, {str(path): open_trajectory(path)}, tmp_path / "page.html", steps=2)
    text = (tmp_path / "page.html").read_text()
    assert "1 of them served for training: they say little of new cases." in text
    assert "1 of them served for validation" in text


def test_a_model_that_learned_on_from_another_names_it_and_whose_scales_it_has(folder, tmp_path):
    first = Simulator.load(folder / "run/best.physgt")
    path = folder / "data/train/plate-1.vtkhdf"
    case = read_case(folder / "heat.toml")
    train(case, {str(path): open_trajectory(path)}, tmp_path / "run", start=first)
    run = read_run(tmp_path / "run", "best.physgt", "cpu")
    write_report(
        run, {"a.vtkhdf": heat_trajectory(8)}, tmp_path / "page.html", settings={}, steps=2
    )
    text = (tmp_path / "page.html").read_text()
    original = dict(data_tables.provenance(read_run(folder / "run", "best.physgt", "cpu"), NOW))
    assert f"<dt>Started from the weights</dt><dd>{original['Weights']}</dd>" in text
    assert "Started from the weights" not in original
    assert "It learned on from another model, whose cases this page doesn&#39;t know." in text
    assert "<caption>Fields in the training data of the model it started from</caption>" in text
    assert "12 optimiser steps, on from a trained model" in text


def test_the_command_that_shows_a_case_runs_as_it_stands_and_spares_the_reference(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "data/test/plate-8.vtkhdf", "the plate.vtkhdf")
    before = Path("the plate.vtkhdf").read_bytes()
    run = read_run(folder / "run", "best.physgt", "cpu")
    cases = {"the plate.vtkhdf": open_trajectory("the plate.vtkhdf")}
    write_report(run, cases, tmp_path / "page.html", settings={}, steps=2)
    page = html5lib.parse((tmp_path / "page.html").read_text(), namespaceHTMLElements=False)
    (command,) = [text for text in texts(page, "code") if text.startswith("physgt rollout")]
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(command)[1:])
    assert stop.value.code == 0
    assert open_trajectory("the plate-prediction.vtkhdf").num_times == 3
    assert Path("the plate.vtkhdf").read_bytes() == before


def test_a_run_that_was_stopped_says_how_far_it_came(folder):
    run = read_run(folder / "run", "last.physgt", "cpu")
    assert data_tables.cards(run, [])[-1].note == "12 optimiser steps"
    run.record["case"]["training"]["steps"] = 5000
    run.record["sessions"].append({"started": "2026-01-01", "command": ["physgt"]})
    assert data_tables.cards(run, [])[-1].note == (
        "12 of 5000 optimiser steps; without the time of 1 of 2 sessions, which didn't end"
    )


def test_a_folder_without_tensorboard_events_has_a_page_without_curves(folder, tmp_path):
    for name in ("best.physgt", "run.json"):
        shutil.copy(folder / "run" / name, tmp_path)
    run = read_run(tmp_path, "best.physgt", "cpu")
    write_report(
        run, {"a.vtkhdf": heat_trajectory(8)}, tmp_path / "page.html", settings={}, steps=2
    )
    assert "There are no curves" in (tmp_path / "page.html").read_text()


def test_without_opengl_a_page_on_a_solid_says_why_it_has_no_pictures(
    folder, tmp_path, monkeypatch
):
    def fail() -> None:
        raise PhysgtError("drawing a 3-D mesh needs OpenGL")

    monkeypatch.setattr("physgt.report.build.prepare_off_screen_rendering", fail)
    cube = cube_of_tetrahedra()
    temperature = np.random.default_rng(0).uniform(size=(6, cube.num_points)).astype("f4")
    solid = Trajectory.from_arrays(cube, 0.1 * np.arange(6), {"temperature": temperature})
    task = Task((Field("temperature", units="K"),), dt=0.1)
    simulator = Simulator(task, 3, "physgto", SMALL_MODELS["physgto"]).eval()
    run = replace(read_run(folder / "run", "best.physgt", "cpu"), simulator=simulator)
    write_report(run, {"cube": solid}, tmp_path / "page.html", settings={})
    text = (tmp_path / "page.html").read_text()
    assert text.count("drawing a 3-D mesh needs OpenGL") == 2
    assert "<video" not in text


def plate_simulator(size: float) -> Simulator:
    """A simulator of the pulled plate whose increments are `size` large."""
    simulator = Simulator(PULL, 2, "physgto", SMALL_MODELS["physgto"]).eval()
    simulator.increment.std.fill_(size)
    return simulator


def test_the_trials_of_a_moving_mesh_go_from_the_best_to_the_worst(tmp_path):
    cases = {f"{k}.vtkhdf": pulled_plate(stretch=k / 10) for k in (1, 2, 3)}
    trials = run_trials(plate_simulator(1e-3), cases, {}, tmp_path)
    errors = [trial.error for trial in trials]
    assert errors == sorted(errors)
    assert typical(trials) is trials[1]
    assert worst(trials, 2) == [trials[2], trials[1]]
    assert trials[0].scores["field"].values.tolist() == ["points", "stress"]


def test_cases_whose_files_have_one_name_are_told_apart_by_their_folders(tmp_path):
    cases = {"a/plate.vtkhdf": pulled_plate(0.1), "b/plate.vtkhdf": pulled_plate(0.3)}
    trials = run_trials(plate_simulator(1e-3), cases | {"c.vtkhdf": pulled_plate()}, {}, tmp_path)
    assert {trial.name for trial in trials} == {*cases, "c"}
    # A prediction starts where its own reference does: its right side is driven as far.
    for trial in trials:
        assert np.ptp(trial.shown.prediction.points_at(10)[:, 0]) == pytest.approx(
            np.ptp(trial.reference.points_at(10)[:, 0]), rel=1e-3
        )
    assert errors_over_time(trials, PULL.dt).axes


@pytest.mark.parametrize("location", ["node", "cell"])
def test_the_largest_error_is_told_with_its_place_and_time(location):
    mesh, times = square_mesh(4), 0.1 * np.arange(4)
    values = np.ones((4, mesh.num_points if location == "node" else mesh.num_cells))
    off = values.copy()
    off[2, 7] = 1.5
    made = [
        Trajectory.from_arrays(
            mesh, times, {"heat": v} if location == "node" else {},
            cell_fields={"heat": v} if location == "cell" else None, units={"heat": "K"},
        )
        for v in (off, values)
    ]  # fmt: skip
    trial = Trial("a", "a.vtkhdf", made[1], 3, 0.0, "", assess(*made))
    x, y = (mesh.points if location == "node" else cell_centres(mesh))[7]
    expected = f"error of heat is 0.500 K, at ({figure(x)}, {figure(y)}) m and t = 0.2000 s"
    assert expected in worst_moment(trial).text


def test_a_rollout_that_diverges_is_scored_up_to_there_and_is_the_worst(tmp_path):
    cases = {"still.vtkhdf": pulled_plate(stretch=0.1)}
    growing = plate_simulator(1e30)
    growing.state.std.fill_(1e30)
    (trial,) = run_trials(growing, cases, {}, tmp_path)
    assert trial.diverged
    assert trial.error == np.inf
    assert typical([trial]) is None


def plate_trial(
    name: str, scale: float, num_times: int, diverged: str = "", scored: bool = True
) -> Trial:
    """A prediction `scale` times the reference, which is 1 at first and then 2 everywhere: the
    relative L2 is |scale - 1|, that of nothing changes 1/2."""
    mesh, times = square_mesh(2), 0.1 * np.arange(num_times)
    true = np.full((num_times, mesh.num_points), 2.0)
    true[0] = 1.0
    reference, prediction = (
        Trajectory.from_arrays(mesh, times, {"heat": values}) for values in (true, scale * true)
    )
    found = assess(prediction, reference) if scored else None
    return Trial(name, f"{name}.vtkhdf", reference, 20, 0.0, diverged, found)


LATE = plate_trial("late", 1.0, 3, diverged="'heat' is not finite at step 3.")
LOST = plate_trial("lost", 1.0, 2, diverged="'heat' is not finite at node 4.", scored=False)


def test_each_case_has_one_share_in_a_mean_however_long_it_is():
    trials = [plate_trial("short", 1.3, 3), plate_trial("long", 1.1, 21)]
    (card,) = tables.cards(trials)
    ours = next(row for row in tables.accuracy(trials, 0.2).rows if row[1] == "this model")
    column = tables.accuracy(trials, 0.2).heads.index("mean of all steps")
    assert card.value == ours[column] == "0.200"


def test_a_forecast_is_valid_for_all_only_where_it_never_passes_the_threshold():
    def told(*trials: Trial) -> str:
        return next(r for r in tables.accuracy(trials, 0.2).rows if r[1] == "this model")[-1]

    assert told(plate_trial("good", 1.1, 3), plate_trial("good too", 1.1, 6)) == (
        "all 0.2000 to 0.5000 s"
    )
    # It passes at once, and the one step is the last as well.
    assert told(plate_trial("bad", 1.5, 2)) == "0.100 s"
    assert told(LATE) == "0.200 s"
    assert told(plate_trial("good", 1.1, 3), LOST) == "0 s"


def test_what_diverged_is_not_called_better_and_what_has_no_scores_is_told():
    trials = [plate_trial("good", 1.1, 3), LATE, LOST]
    error, diverged = tables.cards(trials)
    assert error.note == "nothing changes: 0.500; better in 1 of 3 cases"
    assert diverged.value == "2 of 3"
    left_out = "1 diverged in the first step: no scores, and in no mean"
    assert left_out in diverged.note
    assert tables.accuracy(trials, 0.2).caption == f"Errors, means over 2 cases; {left_out}"
    cases = tables.of_cases(trials, {})
    ends = {row[0]: row[cases.heads.index("rolled out")] for row in cases.rows}
    assert ends == {
        "good": "20 steps", "late": "2 of 20 steps: diverged", "lost": "0 of 20 steps: diverged"
    }  # fmt: skip
    assert cases.note.endswith("lost: 'heat' is not finite at node 4.")


def test_a_case_to_which_nothing_is_relative_is_neither_typical_nor_compared(tmp_path):
    plates = {f"{k}.vtkhdf": pulled_plate(stretch=k / 10) for k in (3, 0, 1)}
    trials = run_trials(plate_simulator(1e-3), plates, {}, tmp_path)
    assert trials[0].name == "0"
    assert typical(trials) is trials[1]
    assert all("of 2 cases" in card.note for card in tables.cards(trials))


def test_the_worst_moment_is_one_at_which_there_is_a_reference():
    mesh, times = square_mesh(4), 0.1 * np.arange(4)
    true = np.ones((4, mesh.num_points))
    off = true.copy()
    off[2, 7] = 1.5
    true[3, 5] = np.nan
    zero = np.zeros_like(off)
    made = [
        Trajectory.from_arrays(mesh, times, {"zero": zero, "heat": heat}) for heat in (off, true)
    ]
    trial = Trial("a", "a.vtkhdf", made[1], 3, 0.0, "", assess(*made))
    assert "error of heat is 0.500, at" in worst_moment(trial).text


def test_a_run_whose_every_rollout_diverges_at_once_has_no_page(folder, tmp_path):
    run = read_run(folder / "run", "best.physgt", "cpu")
    run.simulator.increment.std.fill_(np.inf)
    case = open_trajectory(folder / "data/test/plate-8.vtkhdf")
    with pytest.raises(PhysgtError, match=r"every rollout diverged in its first step.*temperature"):
        write_report(run, {"plate-8.vtkhdf": case}, tmp_path / "page.html")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (figure(0.027), "0.0270"),
        (figure(2.0), "2.00"),
        (figure(1234.5), "1234"),
        (figure(999.7), "1000"),
        (figure(9999.7, 4), "10000"),
        (figure(0.0), "0"),
        (figure(-1.5e-7), "-1.50 × 10⁻⁷"),
        (figure(np.nan), "–"),
        (figure(np.inf), "∞"),
        (per_cent(0.0123), "1.2 %"),
        (per_cent(123.0), "> 1000 %"),
        (per_cent(np.nan), "–"),
        (span(301, 301), "301"),
        (span(0.5, 2), "0.5000 to 2"),
        (duration(89.2), "89.2 s"),
        (duration(5400), "90 min"),
        (duration(36000), "10 h"),
    ],
)
def test_numbers_are_written_for_people(written, expected):
    assert written == expected


def test_rows_with_the_same_first_label_are_one_group():
    listing = Listing("", ["", "", ""], [["a", "x", "1"], ["a", "y", "2"], ["b", "x", "3"]], 2)
    assert listing.groups == [("a", [["x", "1"], ["y", "2"]]), ("b", [["x", "3"]])]


def test_a_name_that_the_template_lacks_is_an_error():
    with pytest.raises(Exception, match="'name' is undefined"):
        render_page({})


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: apt-get install chromium)")
def test_chromium_renders_the_page_light_and_dark_without_a_complaint(folder, page, tmp_path):
    grounds = []
    for scheme in (0, 1):
        picture = tmp_path / f"{scheme}.png"
        done = subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--enable-logging=stderr", f"--blink-settings=preferredColorScheme={scheme}",
                "--window-size=1200,3000", f"--user-data-dir={tmp_path / 'profile'}",
                f"--screenshot={picture}", (folder / "run/report.html").as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
        pixels = np.asarray(Image.open(picture).convert("RGB"))
        grounds.append(int(pixels[0, 0].sum()))
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000  # films and pictures are there
    assert grounds[0] < 100 < 600 < grounds[1]
