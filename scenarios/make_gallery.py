"""Makes reports/gallery/: every kind of picture, what it shows, and the command that makes it.

Run by `make gallery`. The commands are those that a user would type at the top of the repository;
run again, the same bytes come out, but for what is measured with real processes.
"""

# ruff: noqa: INP001  (a script: nobody imports it)

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ckptsim.report import write_whole
from ckptsim.webpage import webpage

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "reports" / "gallery"
TITLE = "Gallery: every kind of picture"
LEAD = """\
Each picture says in its title what was found, in its axes the units, and in its last line what made
it. Colours are Okabe and Ito's, and hatches, markers and dashes say the same again. For a paper add
`--figures pdf` or `--figures svg`: the same picture as vectors, its letters as letters."""
CASES = ("scenarios", "ckptsim", "tests")  # what the commands read, from the top


@dataclass(frozen=True)
class Exhibit:
    """A picture of a command's report."""

    name: str  # of the command's folder in gallery/
    file: str
    heading: str
    shows: str


COMMANDS = {
    "plan": "plan scenarios/84-minutes-evictions.toml",
    "plan-cloud": "plan scenarios/gcp-preemptible.toml",
    "plan-pool": "plan scenarios/shared-link.toml",
    "simulate": "simulate scenarios/shared-link.toml",
    "sweep": "sweep scenarios/84-minutes-evictions.toml --over job.interval=30min:6h:5min",
    "sweep-two": "sweep scenarios/84-minutes-evictions.toml --over job.interval=30min:6h:15min "
    "--over slots.limit=4h,5h,6h,7h,8h --leases 2000",
    "fit": "fit ckptsim/profiles/gcp-preemptible.csv --column lifetime_s",
    "audit": "audit tests/data/condor-logs/htcanalyze_job_evicted.log",
    "measure": "measure --checkpoints 5",
    "lesson-leases": "lesson 84-minutes --step 3",
    "lesson-curves": "lesson 84-minutes --step 6",
}
PROGRAMS = {"measure": "-- scenarios/real/steady.py 60 1 0.3 0.2 0.1"}
EXHIBITS = (
    Exhibit(
        "plan",
        "plan-curve",
        "How often to checkpoint",
        "Each tooth is one number of checkpoints that fit a lease; the cliff beyond it is where "
        "one fewer does. Green: as good as the best to 1 %.",
    ),
    Exhibit(
        "plan",
        "plan-badput",
        "Where the slot time goes",
        "Too short an interval spends slot time on writing and moving, too long a one loses it.",
    ),
    Exhibit(
        "plan",
        "plan-trade-off",
        "What it costs to move less",
        "Dots: the intervals that no other beats in both, wasted time and checkpoints moved.",
    ),
    Exhibit(
        "plan-cloud",
        "plan-lease",
        "One lease",
        "Above, how many leases are still there at each age; below, what a lease does with equal "
        "and with unequal intervals. Where leases are lost early, checkpoints are early too.",
    ),
    Exhibit(
        "plan-cloud",
        "plan-makespan",
        "How long one job takes",
        "The chance that the job is complete by then, waiting and lost leases included.",
    ),
    Exhibit(
        "plan-pool",
        "plan-curve",
        "How often the jobs of a pool are to checkpoint",
        "Simulated, so each point has its doubt; shaded are the intervals that cannot be told "
        "apart from the best.",
    ),
    Exhibit(
        "simulate",
        "simulate-ledger",
        "Where slot time went, by class of jobs",
        "Left all slot time, right the part that was not useful, enlarged. `run` draws the same "
        "of real processes.",
    ),
    Exhibit(
        "simulate",
        "simulate-course",
        "A pool over time",
        "Jobs that wait, slots in use, transfers, and how full the link is.",
    ),
    Exhibit(
        "simulate",
        "simulate-slots",
        "What each slot did when",
        "One row a slot, in the first replication; white is a slot without a job.",
    ),
    Exhibit(
        "simulate",
        "simulate-makespan",
        "How long the jobs took",
        "Jobs complete by each time since they were queued, and some quantiles.",
    ),
    Exhibit(
        "sweep",
        "sweep-map",
        "One key varied",
        "Simulated, with 99 % confidence: the same saw-tooth as the exact curve's.",
    ),
    Exhibit(
        "sweep-two",
        "sweep-map",
        "Two keys varied",
        "Where the best interval goes as the limit moves.",
    ),
    Exhibit(
        "fit",
        "fit-evictions",
        "How long leases last",
        "Kaplan and Meier's estimate with its band, and the laws that were fitted to it.",
    ),
    Exhibit(
        "audit",
        "audit-timeline",
        "What the jobs of a log did when",
        "From an HTCondor job event log: what was committed and what was lost.",
    ),
    Exhibit(
        "measure",
        "measure-times",
        "What a checkpoint costs",
        "Measured with real processes on the machine that made this page, so it differs each time.",
    ),
    Exhibit(
        "lesson-leases",
        "lesson-score",
        "Leases beside each other",
        "From the lesson: what a lease of 6 h commits with each of six intervals.",
    ),
    Exhibit(
        "lesson-curves",
        "lesson-evictions",
        "Curves of the lesson",
        "From the lesson: two settings on one scale.",
    ),
)


def main() -> None:
    """Make everything, and write it."""
    with TemporaryDirectory() as place:
        top = Path(place)
        for case in CASES:
            (top / case).symlink_to(ROOT / case)
        for name, command in commands().items():
            print(f"$ {shlex.join(command)}", flush=True)
            words = [sys.executable, "-m", *command]
            subprocess.run(words, cwd=top, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
            assert (top / "gallery" / name).is_dir()
        write(top / "gallery")


def commands() -> Mapping[str, list[str]]:
    """What is typed, by the name of the folder that it writes."""
    return {
        name: shlex.split(f"ckptsim {words} --out gallery/{name} {PROGRAMS.get(name, '')}")
        for name, words in COMMANDS.items()
    }


def write(made: Path) -> None:
    """The pictures, and the pages that show them; what is no longer shown goes."""
    PLACE.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    text = "\n\n".join([f"# {TITLE}", LEAD, *shown(made, files)]) + "\n"
    files |= {"gallery.html": webpage(TITLE, text, {}), "gallery.md": text.encode()}
    for name, content in files.items():
        write_whole(PLACE / name, content)
    for path in PLACE.iterdir():
        if path.name not in files:
            path.unlink()


def shown(made: Path, files: dict[str, bytes]) -> Iterator[str]:
    """The paragraphs of all exhibits; their pictures are put into `files`."""
    for number, exhibit in enumerate(EXHIBITS, 1):
        picture = made / exhibit.name / f"{exhibit.file}.png"
        file = f"{exhibit.name}-{picture.name.partition('-')[2]}"
        files[file] = picture.read_bytes()
        page = picture.with_name(f"{picture.name.partition('-')[0]}.md").read_text()
        told = re.search(rf"!\[(.*)\]\({picture.name}\)\n\n\*\*Figure \d+\.\*\* (.*)", page)
        assert told, picture
        yield f"## {exhibit.heading}"
        yield f"![{told[1]}]({file})"
        yield f"**Figure {number}.** {told[2]} {exhibit.shows}"
        yield f"```sh\n{shlex.join(commands()[exhibit.name])}\n```"


if __name__ == "__main__":
    main()
