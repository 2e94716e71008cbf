"""The APEX workload on Cielo, simulated, beside the least waste it can have (theory.md, section 5).

Run by make_reports.py; writes reports/apex-cielo/waste.md. Waste is of node time: a job's slot
counts as much as it has nodes. Periods are as the bound or Daly has them at each bandwidth.
"""

# ruff: noqa: INP001  (a script: nobody imports it but its test)

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ckptsim.bound import Bound, BoundClass, exponential_bound, pool_bound
from ckptsim.classic import daly_higher_order
from ckptsim.engine import Engine
from ckptsim.estimate import Estimate, ratio_of
from ckptsim.experiment import replicate
from ckptsim.ledger import Category
from ckptsim.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILION,
    add_legend,
    finish,
    sheet,
    styled,
)
from ckptsim.report import Report
from ckptsim.running import Means
from ckptsim.scenario import Scenario, load
from ckptsim.units import SECOND
from ckptsim.world import World, pool_world

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "scenarios" / "apex-cielo.toml"
MACHINE = 17_784  # nodes
NODES = {"EAP": 1_024, "LAP": 256, "Silverton": 2_048, "VPIC": 1_875}  # of one job
BANDWIDTHS = (10, 20, 40, 80, 160)  # GB/s
MTBFS = (2, 8, 24)  # hours, of the whole machine
REPLICATIONS = 20


class Way(NamedTuple):
    """How the jobs choose their intervals, and how the link serves them."""

    name: str
    by_bound: bool  # the periods of the bound; else Daly's, each job for itself
    in_turn: bool  # one transfer at a time, first come first served; else all share
    staggered: bool = False  # first checkpoints


WAYS = (
    Way("Daly, one transfer at a time", by_bound=False, in_turn=True),
    Way("Daly, transfers share the link", by_bound=False, in_turn=False),
    Way("bound's periods, one at a time", by_bound=True, in_turn=True),
    Way("bound's periods, sharing", by_bound=True, in_turn=False),
    Way("the same, staggered", by_bound=True, in_turn=False, staggered=True),
)


def main() -> None:
    """Simulate all of it and write the page."""
    frame = pd.DataFrame(rows(BANDWIDTHS, MTBFS))
    write(frame, ROOT / "reports" / "apex-cielo")


def rows(
    bandwidths: Sequence[float], mtbfs: Sequence[float], replications: int = REPLICATIONS
) -> Iterator[dict[str, float | str]]:
    """One for each machine and way: the waste, and how many times the bound's it is."""
    for hours in mtbfs:
        for bandwidth in bandwidths:
            least = bounds(bandwidth, hours)
            for way in WAYS:
                waste = wasted(world(bandwidth, hours, way), replications)
                yield {
                    "mtbf_h": hours,
                    "bandwidth_gb_s": bandwidth,
                    "way": way.name,
                    "waste": waste.mean,
                    "waste_half_width": waste.half_width,
                    "bound": least[0].waste,
                    "bound_first_order": least[1].waste,
                    "demand": least[1].demand,
                    "ratio": waste.mean / least[0].waste,
                }


def bounds(bandwidth: float, hours: float) -> tuple[Bound, Bound]:
    """The least waste of exponential losses, and the authors' to first order."""
    classes = bound_classes(scenario_at(bandwidth, hours, WAYS[0]))
    return exponential_bound(classes), pool_bound(classes)


def bound_classes(scenario: Scenario) -> list[BoundClass]:
    """The jobs as the bound has them; a recovery takes as long as a checkpoint."""
    used = sum(job.count * NODES[name] for name, job in scenario.classes.items())
    return [
        BoundClass(
            job.count,
            NODES[name] / used,
            scenario.kinds[name].power_failures.mean,
            job.transfer.mean,
            job.transfer.mean,
        )
        for name, job in scenario.classes.items()
    ]


def world(bandwidth: float, hours: float, way: Way) -> World:
    """The jobs on such a machine, with the way's intervals."""
    scenario = scenario_at(bandwidth, hours, way)
    classes = bound_classes(scenario)
    if way.by_bound:
        periods = exponential_bound(classes).periods
        found = [period - one.checkpoint for period, one in zip(periods, classes, strict=True)]
    else:
        found = [daly_higher_order(one.checkpoint, one.loss_mean) for one in classes]
    return pool_world(scenario, [round(interval * SECOND) for interval in found])


def scenario_at(bandwidth: float, hours: float, way: Way) -> Scenario:
    """The scenario on another machine."""
    losses = {
        f"kinds.{name}.power_failures": f"exponential(mean={hours * MACHINE / nodes!r}h)"
        for name, nodes in NODES.items()
    }
    link = {"link.bandwidth": f"{bandwidth}GB/s", "link.at_most": "1" if way.in_turn else "none"}
    stagger = {f"classes.{name}.stagger": way.staggered for name in NODES}
    return load(SCENARIO, {**losses, **link, **stagger})


def wasted(world: World, replications: int) -> Estimate:
    """The share of node time that came to nothing, after the warm-up."""
    results = replicate(world, replications, means=Means(engine=Engine.COMPILED))
    nodes = np.array([NODES[name] for _ in world.classes for name in world.scenario.kinds])
    useful, held = [], []
    for each in results.replications:
        first, last = (np.array(each.marked_ledgers[n], np.float64) for n in (0, -1))
        spent = (last - first) / SECOND
        useful.append(float(nodes @ spent[:, Category.USEFUL]))
        held.append(float(nodes @ spent.sum(axis=1)))
    found = ratio_of(np.array(useful), np.array(held))
    return Estimate(1 - found.mean, found.half_width)


def write(frame: pd.DataFrame, folder: Path) -> Path:
    """The page with the picture and the table."""
    seed = load(SCENARIO, {}).seed
    title = "APEX on Cielo: the waste against the least there can be"
    report = Report(folder, "waste", title, seed, command="python scenarios/apex_cielo.py")
    low, high = frame["ratio"].min(), frame["ratio"].max()
    report.answer(f"The waste is {low:.3f} to {high:.2f} times the least there can be.")
    report.say(
        "Jobs of four classes (scenarios/apex-cielo.toml) checkpoint over one path. The bound is "
        "that of exponential losses, which no intervals and no order of transfers can beat "
        "(after Herault et al. 2018, doi 10.1109/IPDPSW.2018.00127). Waste is the share of node "
        "time that did not become committed work; ± is the 99 % interval."
    )
    report.picture("ratio", figure(frame), "Waste over the bound, by bandwidth")
    report.data("ratio", frame)
    report.table(table(frame))
    return report.write({"seed": seed, "points": frame.to_dict("records")})


def table(frame: pd.DataFrame) -> list[list[str]]:
    """A row for each machine: the bound, the demand, and the ways."""
    head = ["MTBF", "bandwidth", "demand", "bound", *(way.name for way in WAYS)]
    found = [head]
    for (hours, bandwidth), group in frame.groupby(["mtbf_h", "bandwidth_gb_s"]):
        first = group.iloc[0]
        cells = [f"{hours:g} h", f"{bandwidth:g} GB/s", f"{100 * first['demand']:.0f} %"]
        cells.append(f"{100 * first['bound']:.2f} %")
        for _, row in group.iterrows():
            spread = f"{100 * row['waste']:.2f} % ± {100 * row['waste_half_width']:.2f} %"
            cells.append(f"{spread} ({row['ratio']:.3f})")
        found.append(cells)
    return found


def figure(frame: pd.DataFrame) -> Figure:
    """The ratio to the bound over the bandwidth, one panel for each MTBF."""
    looks = zip(
        (VERMILION, ORANGE, BLUE, GREEN, PURPLE),
        "osDv^",
        ("-", "--", "-", "--", ":"),
        strict=True,
    )
    styles = dict(zip((way.name for way in WAYS), looks, strict=True))
    with styled():
        sheet_, panels = sheet(4.2, [1] * frame["mtbf_h"].nunique())
        for axes, (hours, group) in zip(panels, frame.groupby("mtbf_h"), strict=True):
            for name, line in group.groupby("way", sort=False):
                color, marker, dashes = styles[str(name)]
                spread = line["waste_half_width"] / line["bound"]
                axes.errorbar(
                    line["bandwidth_gb_s"], line["ratio"], spread,
                    color=color, marker=marker, ls=dashes, ms=4, lw=1.3, label=str(name),
                )  # fmt: skip
            axes.axhline(1, color=BLACK, lw=1)
            axes.set_ylim(0.95, 1.05 * float(frame["ratio"].max()))
            axes.set_xscale("log")
            axes.set_xticks(sorted(group["bandwidth_gb_s"]), minor=False)
            axes.set_xticklabels([f"{at:g}" for at in sorted(group["bandwidth_gb_s"])])
            axes.minorticks_off()
            axes.set_xlabel(f"Bandwidth (GB/s), MTBF {hours:g} h")
        panels[0].set_ylabel("Waste / bound")
        handles, _ = panels[0].get_legend_handles_labels()
        add_legend(sheet_, handles)
        return finish(sheet_, finding(frame), "APEX workload on Cielo; bars: 99 % intervals")


def finding(frame: pd.DataFrame) -> str:
    worst = frame.loc[frame["ratio"].idxmax()]
    return (
        f"Jobs that look after themselves waste up to {worst['ratio']:.1f} times the least possible"
    )


if __name__ == "__main__":
    main()
