"""The door to whole pools: classes, kinds, domains, a link, a queue, traces, a duration."""

import json
import pickle
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ckptsim import units
from ckptsim.commands.options import FLAGS, descriptions, scenario_from
from ckptsim.commands.options import settings as pairs
from ckptsim.errors import ScenarioError
from ckptsim.lifetimes import Constant, Empirical, Exponential, Never, Uniform, Weibull
from ckptsim.rules import Mode
from ckptsim.scenario import Domain, Job, Link, Queue, Scenario, Slots, describe, load, schema
from ckptsim.sweep import axis, grid

SECOND, MIN, HOUR, DAY = units.SECOND, units.MINUTE, units.HOUR, units.DAY
GB = 10**9
PLATFORM = """
# Three projects share a platform of desktops and servers.
duration = "30d"
warm_up = "5d"
batches = 10
[job]
work = "20h"
interval = "1h"
size = "2 GB"
restart = "2min"
user = "ann"
[classes.eap]
count = 10
[classes.lap]
interval = "2h"
priority = -3
user = "bob.b"
restart_lease = "5min"
stagger = "yes"
arrivals = "exponential(mean=1h)"
[classes.silverton]
mode = "none"
size = "none"
input_size = "500 MB"
[slots]
limit = "12h"
[kinds.desktops]
count = 5
[kinds.servers]
count = 2
limit = "none"
speed = 1.5
[domains.rack]
size = 2
power_failures = "exponential(mean=90d)"
[domains.room]
size = 7
power_failures = "none"
repair = "4h"
kinds = "servers, desktops"
[link]
bandwidth = "1 Gb/s"
at_most = 100
bypass = "100 MiB"
fetch_checkpoint = false
[queue]
order = "fair share"
cycle = "5min"
"""
ENDLESS = "duration: missing: the jobs have no end; give it, for example 30d, or the jobs' work"
NO_END = "no column 'to_s'; it has slot, from_s; expected the columns slot, from_s, to_s"


@pytest.fixture
def platform(tmp_path):
    path = tmp_path / "platform.toml"
    path.write_text(PLATFORM)
    return path


@pytest.fixture
def written(tmp_path):
    """Write a scenario and load it."""

    def write(text, overrides=()):
        path = tmp_path / "pool.toml"
        path.write_text(text)
        return load(path, dict(overrides))

    return write


def refused(load):
    """The lines that a user is told."""
    with pytest.raises(ScenarioError) as caught:
        load()
    return str(caught.value).split("\n")


def test_a_pool_is_read_as_it_says(platform):
    shared = {"work": 20 * HOUR, "interval": HOUR, "restart": Constant(120), "user": "ann"}
    over = {**shared, "size": 2 * GB}
    desktops = Slots(limit=12 * HOUR, count=5)
    servers = Slots(count=2, speed=1.5)
    assert load(platform, {}) == Scenario(
        name="platform",
        duration=30 * DAY,
        warm_up=5 * DAY,
        batches=10,
        job=Job(**shared, size=2 * GB),
        slots=Slots(limit=12 * HOUR),
        classes={
            "eap": Job(**over, count=10),
            "lap": Job(
                **{**over, "interval": 2 * HOUR, "user": "bob.b"},
                priority=-3,
                stagger=True,
                restart_lease=Constant(300),
                arrivals=Exponential(3600),
            ),
            "silverton": Job(**shared, mode=Mode.NONE, input_size=GB // 2),
        },
        kinds={"desktops": desktops, "servers": servers},
        domains={
            "rack": Domain(size=2, power_failures=Exponential(90 * 86400)),
            "room": Domain(
                size=7,
                power_failures=Never(),
                repair=Constant(4 * 3600),
                kinds=("servers", "desktops"),
            ),
        },
        link=Link(bandwidth=125 * 10**6, at_most=100, bypass=100 * 2**20, fetch_checkpoint=False),
        queue=Queue(order="fair share", cycle=5 * MIN, half_life=DAY),
    )


def test_what_the_engine_asks_of_a_pool(platform):
    found = load(platform, {})
    assert list(found.job_classes) == ["eap", "lap", "silverton"]
    assert list(found.slot_kinds) == ["desktops", "servers"]
    assert (found.jobs_count, found.slots_count) == (12, 7)
    assert found.is_pool


def test_a_lone_job_on_slots_is_a_class_and_a_kind_too():
    found = load(None, {"job.count": 3, "slots.count": 2})
    assert found.job_classes == {"job": found.job}
    assert found.slot_kinds == {"slot": found.slots}
    assert (found.jobs_count, found.slots_count) == (3, 2)
    assert (found.classes, found.kinds, found.domains) == ({}, {}, {})
    assert (found.link, found.queue, found.duration, found.warm_up) == (None, Queue(), None, 0)
    assert (found.batches, found.is_pool) == (20, False)


@pytest.mark.parametrize(
    ("overrides", "is_pool"),
    [
        ({}, False),
        ({"job.count": 500, "slots.count": 100}, False),
        ({"job.user": "ann", "job.priority": 5}, False),
        ({"classes.a.count": 2}, False),
        ({"classes.a.count": 2, "classes.b.count": 2}, True),
        ({"kinds.a.count": 2}, False),
        ({"kinds.a.count": 2, "kinds.b.count": 2}, True),
        ({"link.bandwidth": "1Gb/s", "job.size": "1GB"}, True),
        ({"domains.rack.size": 2, "domains.rack.power_failures": "none"}, True),
        ({"slots.availability": [[0, "1h", "2h"]]}, True),
        ({"kinds.a.availability": [[0, "1h", "2h"]]}, True),
        ({"job.arrivals": "1h"}, True),
        ({"job.arrivals": 0}, False),
        ({"classes.a.arrival_times": "0, 5min"}, True),
        ({"duration": "9d"}, True),
        ({"queue.order": "priority"}, True),
        ({"queue.cycle": "5min"}, True),
        ({"queue.order": "submission", "queue.half_life": "1d"}, False),
        ({"slots.speed": 2}, True),
        ({"slots.speed": 1}, False),
        ({"job.stagger": "yes"}, True),
    ],
    ids=str,
)
def test_a_pool_is_what_has_no_exact_answer(overrides, is_pool):
    assert load(None, {"job.work": "20h", **overrides}).is_pool == is_pool


def test_a_lone_class_is_the_job_and_a_lone_kind_the_slots(written):
    found = written("[job]\nwork = '2h'\n[classes.a]\ncount = 4\n[kinds.b]\nlimit = '6h'\n")
    assert found.job == found.classes["a"] == Job(work=2 * HOUR, count=4)
    assert found.slots == found.kinds["b"] == Slots(limit=6 * HOUR)


# What a class inherits


@pytest.mark.parametrize(
    ("job", "own", "found"),
    [
        ("restart = '2min'", "", Job(restart=Constant(120))),
        ("restart = '2min'", "restart = '5min'", Job(restart=Constant(300))),
        (
            "restart = '2min'\nrestart_lease = '9min'",
            "restart = '5min'",
            Job(restart=Constant(300), restart_lease=Constant(540)),
        ),
        (
            "size = '2GB'\nbandwidth = '1Gb/s'",
            "size = '4GB'",
            Job(size=4 * GB, bandwidth=GB // 8),
        ),
        ("size = '2GB'\nbandwidth = '1Gb/s'", "transfer = '9s'", Job(transfer=Constant(9))),
        ("size = '2GB'\nbandwidth = '1Gb/s'", "size = 'none'", Job()),
        (
            "transfer = '9s'",
            "size = '2GB'\nbandwidth = '1Gb/s'",
            Job(size=2 * GB, bandwidth=GB // 8),
        ),
        ("size = '2GB'", "bandwidth = '1Gb/s'", Job(size=2 * GB, bandwidth=GB // 8)),
        ("work = '9h'\nstep = '1h'", "steps = '2h, 3h'", Job(steps=(2 * HOUR, 3 * HOUR))),
        ("work = '9h'", "steps = 'none'", Job(work=9 * HOUR)),
        ("steps = '2h, 3h'", "work = '9h'", Job(work=9 * HOUR)),
        ("steps = '2h, 3h'", "work = 'none'", Job()),
        ("steps = '2h, 3h'", "step = '1h'\nwork = '9h'", Job(step=HOUR, work=9 * HOUR)),
        ("arrivals = '1h'\ncount = 9", "arrival_times = '5s'", Job(arrival_times=(5 * SECOND,))),
        ("arrival_times = '5s, 6s'", "arrivals = '1h'", Job(arrivals=Constant(3600))),
        ("arrival_times = '5s, 6s'", "count = 5", Job(count=5)),
        ("arrival_times = '5s, 6s'", "arrival_times = 'none'", Job()),
        ("arrivals = '1h'", "arrival_times = 'none'", Job(arrivals=Constant(3600))),
    ],
)
def test_a_class_has_its_own_keys_and_inherits_those_they_do_not_contradict(
    written, job, own, found
):
    text = f"duration = '9d'\n[job]\n{job}\n[classes.a]\n{own}\n[classes.b]\nbandwidth = '1GB/s'\n"
    assert written(text + "size = '1GB'\n").classes["a"] == found


def test_input_over_the_link_or_not_is_for_each_class_to_say(written):
    found = written(
        "[job]\nwork = '1h'\nsize = '1GB'\ninput_size = '5GB'\n[link]\nbandwidth = '1GB/s'\n"
        "[classes.a]\ninput = 0\n[classes.b]\n"
    )
    assert (found.classes["a"].input_size, found.classes["b"].input_size) == (None, 5 * GB)


def test_a_kind_may_have_a_profile_of_its_own(written):
    found = written(
        "pool = 'htcondor'\n[slots]\ngrace = '1min'\n[kinds.own]\ncount = 3\n"
        "[kinds.batch]\npool = 'batch'\ngap = '5s'\n[job]\nwork = '2h'\n"
    ).kinds
    htcondor = {"gap": Uniform(30, 110), "claim_worklife": 20 * MIN}
    assert found["own"] == Slots(count=3, grace=MIN, **htcondor)
    assert found["batch"] == Slots(grace=MIN, limit=24 * HOUR, gap=Constant(5))


def test_set_and_sweep_reach_into_classes_kinds_and_domains(platform):
    over = pairs(["classes.eap.interval=2h", "kinds.servers.count=9", "domains.rack.size=3"])
    found = load(platform, over)
    assert found.classes["eap"].interval == 2 * HOUR
    assert found.classes["lap"] == load(platform, {}).classes["lap"]
    assert (found.kinds["servers"].count, found.domains["rack"].size) == (9, 3)
    points = [load(platform, point) for point in grid([axis("classes.lap.interval=1h:3h:1h")])]
    assert [point.classes["lap"].interval for point in points] == [HOUR, 2 * HOUR, 3 * HOUR]


def test_flags_for_all_classes_reach_those_without_their_own(platform):
    found = load(platform, {"job.interval": "3h", "job.work": "5h"}).classes
    assert [job.interval for job in found.values()] == [3 * HOUR, 2 * HOUR, 3 * HOUR]
    assert [job.work for job in found.values()] == [5 * HOUR] * 3


def test_the_flags_of_a_pool():
    given = {"link__bandwidth": "1Gb/s", "duration": "9d", "warm_up": "1d", "settings": ()}
    found = scenario_from(None, {**given, "job__size": "2GB"})
    assert (found.link, found.duration, found.warm_up) == (Link(bandwidth=GB // 8), 9 * DAY, DAY)
    with pytest.raises(ScenarioError, match=r"^--link: 'fast': not a number and a unit"):
        scenario_from(None, {**given, "link__bandwidth": "fast"})
    assert all(descriptions()[FLAGS[flag]] for flag in ("--link", "--duration", "--warm-up"))


# Over a link


def test_the_transfer_over_a_link_is_at_least_that_of_one_alone(written):
    found = written(
        "[job]\nwork = '9h'\nsize = '3GB'\n[link]\nbandwidth = '125MB/s'\n", {"job.mode": "manual"}
    )
    assert found.job.transfer == Constant(24)
    assert describe(found)["job"].keys() & {"size", "bandwidth", "transfer"} == {"size"}
    assert Scenario(job=found.job, link=found.link) == Scenario(
        job=Job(work=9 * HOUR, size=3 * GB, mode=Mode.MANUAL), link=found.link
    )


def test_a_job_may_go_over_another_link(written):
    job = written("[job]\nwork = '9h'\nsize = '3GB'\n[link]\nbandwidth = '125MB/s'\n").job
    faster = Scenario(job=job, link=Link(bandwidth=GB))
    assert (job.transfer, faster.job.transfer) == (Constant(24), Constant(3))


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        (
            {"job.bandwidth": "1GB/s"},
            ["flags: job.bandwidth: given besides a [link], whose bandwidth counts; leave it out"],
        ),
        (
            {"job.size": "none", "job.transfer": "1min"},
            [
                "flags: job.transfer: given besides a [link], over which size moves; leave it out",
            ],
        ),
        (
            {"job.input": "1min"},
            ["flags: job.input: given besides a [link]; give input_size, which moves over it"],
        ),
        (
            {"classes.lap.mode": "delayed"},
            ["flags: classes.lap.mode: 'delayed': its one transfer comes after the slot is lost"],
        ),
        (
            {"job.size": "none"},
            [f"flags: classes.{name}.size (from [job]): missing, and" for name in ("eap", "lap")],
        ),
        (
            {"classes.silverton.mode": "exit code"},
            ["platform.toml: classes.silverton.size: missing, and the [link] moves it"],
        ),
    ],
    ids=str,
)
def test_what_does_not_go_with_a_link(platform, overrides, lines):
    found = refused(lambda: load(platform, overrides))
    assert len(found) == len(lines)
    for got, line in zip(found, lines, strict=True):
        assert line in got


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_that_checkpoints_over_a_link_needs_a_size(mode):
    over = {"link.bandwidth": "1GB/s", "job.work": "9h", "job.mode": mode.name}
    if mode == Mode.NONE:
        assert load(None, over).job.transfer == Constant(0)
        return
    delayed = mode in (Mode.DELAYED, Mode.DELAYED_SIGNAL)
    [line, *more] = refused(lambda: load(None, over))
    assert not more
    assert line.startswith("flags: job.mode" if delayed else "flags: job.size: missing")


# Mistakes


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("classes.eap.intervall", "2h", "unknown key; did you mean 'interval'?"),
        ("classes.eap.limit", "2h", "unknown key; did you mean 'slots.limit'?"),
        ("kinds.servers.graze", "2h", "unknown key; did you mean 'grace'?"),
        ("domains.rack.repairs", "2h", "unknown key; did you mean 'repair'?"),
        ("link.bandwith", "2h", "unknown key; did you mean 'bandwidth'?"),
        ("queue.half_live", "2h", "unknown key; did you mean 'half_life'?"),
        ("queue.at_most", 5, "unknown key; did you mean 'link.at_most'?"),
        ("clases.eap.interval", "2h", "unknown key; did you mean 'classes'?"),
        ("classes.eap.work.x", "2h", "unknown key"),
        ("durations", "2h", "unknown key; did you mean 'duration'?"),
        ("classes", 3, "3: expected a table, [classes.NAME]"),
        ("classes.eap", 3, "3: expected a table, [classes.eap]"),
        ("link", 3, "3: expected a table, [link]"),
        (
            "kinds.servers.pool",
            "bach",
            "'bach': no such profile; known are batch, gcp-preemptible, ",
        ),
        ("kinds.servers.speed", 0, "0: expected a number from 0.001 to 1000"),
        ("kinds.servers.speed", "fast", "'fast': expected a number from 0.001 to 1000"),
        ("kinds.servers.speed", True, "True: expected a number from 0.001 to 1000"),
        (
            "classes.eap.priority",
            1.5,
            "1.5: expected a whole number from -1000000000 to 1000000000",
        ),
        (
            "job.user",
            "ann b",
            "'ann b': expected a name of at most 64 letters, digits, dots, _ and -",
        ),
        ("job.arrivals", "1", "1: no unit; write for example 1min"),
        (
            "queue.order",
            "fare share",
            "'fare share': expected one of submission, priority, fair share; did you",
        ),
        ("queue.half_life", "0s", "0s: must be longer than 0; write for example 90min"),
        ("queue.half_life", "none", "'none': not a duration; write for example 90min"),
        ("link.bandwidth", "none", "'none': not a number and a unit; write for example 1.25 GB/s"),
        ("link.at_most", 0, "0: expected a whole number from 1 to 1000000000, or none"),
        (
            "domains.rack.kinds",
            "servers, desks",
            "'desks': no such kind of slots; known are desktops, servers; did you",
        ),
        ("domains.rack.kinds", 3, "3: expected names, as in desktops, servers"),
        ("domains.rack.power_failures", "0s", "0s: must be longer than 0; write for example 12h"),
        (
            "warm_up",
            "40d",
            "40 d: no shorter than the duration of 30 d, which leaves nothing to measure",
        ),
        (
            "warm_up",
            "30d",
            "30 d: no shorter than the duration of 30 d, which leaves nothing to measure",
        ),
        ("duration", 0, "0: must be longer than 0; write for example 90min"),
        ("batches", 1, "1: expected a whole number from 2 to 1000"),
        ("batches", 1001, "1001: expected a whole number from 2 to 1000"),
        (
            "classes.eap.step",
            "30h",
            "1 d 6 h: longer than the whole work of 20 h; expected the time between",
        ),
        (
            "classes.eap.arrival_times",
            "5min,soon",
            "'soon': not a duration; write for example 90min",
        ),
        (
            "classes.eap.arrival_times",
            "5min,soon",
            "; as times of arrival write for example submitted.csv:time_s, or 0s",
        ),
        (
            "slots.availability",
            [[0, "1h"]],
            "window 1: [0, '1h']: expected a slot and two times; write for example",
        ),
        (
            "slots.availability",
            [[0, "1h", "2h"], [-1, "2h", "3h"]],
            "window 2: '-1': expected a slot, numbered within its kind from 0",
        ),
        (
            "slots.availability",
            [[0, "2h", "1h"]],
            "window 1: from 2h to 1h: expected an end later than the start",
        ),
        ("slots.availability", [[0, "2", "1h"]], "window 1: 2: no unit; write for example 2min"),
        (
            "slots.availability",
            [[0, "1h", "3h"], [0, "2h", "4h"]],
            "window 2: slot 0 is there from 2h, but by window 1 it already is, until 3h; ",
        ),
        ("slots.availability", 7, "7: expected a CSV file; write for example desktops.csv, or"),
        (
            "kinds.servers.availability",
            [[2, "1h", "2h"]],
            "it has a slot 2, but kinds.servers.count is 2; slots count from 0",
        ),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_where_what_and_what_is_right(platform, key, value, what):
    [found] = refused(lambda: load(platform, {key: value}))
    assert found.startswith(f"flags: {key}: ")
    assert what in found


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("classes.epa.work", "classes.epa: the file has no such class; known are eap, lap, silv"),
        ("kinds.severs.limit", "kinds.severs: the file has no such kind; known are desktops, "),
        ("domains.hall.repair", "domains.hall: the file has no such domain; known are rack, room"),
        ("kinds.a b.limit", "kinds: 'a b': expected at most 64 letters, digits, _ and -"),
        ("classes..work", "classes: '': expected at most 64 letters, digits, _ and -"),
    ],
)
def test_a_flag_does_not_make_a_new_class_kind_or_domain_by_a_slip(platform, key, what):
    [found] = refused(lambda: load(platform, {key: "2h"}))
    assert found.startswith(f"flags: {what}")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            {"link.at_most": "none"},
            "platform.toml: link.bypass: has no effect without link.at_most, for then no transfer",
        ),
        (
            {"duration": "none"},
            "platform.toml: warm_up: has no effect without duration; give it too, for example 30d",
        ),
        (
            {"classes.lap.arrival_times": "5min", "classes.lap.arrivals": "1h"},
            "flags: classes.lap.arrivals: given besides classes.lap.arrival_times; expected one",
        ),
        (
            {"classes.eap.arrival_times": "5min, 6min"},
            "platform.toml: classes.eap.count: 10: classes.eap.arrival_times are 2 times; leave",
        ),
        (
            {"duration": "none", "warm_up": 0, "classes.lap.work": "none"},
            "flags: duration: missing: the jobs of the class 'lap' have no end; give it",
        ),
    ],
    ids=str,
)
def test_keys_that_do_not_go_together(platform, overrides, line):
    [found] = refused(lambda: load(platform, overrides))
    assert line in found


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ({"warm_up": "1h"}, "warm_up: has no effect without duration; give it too"),
        ({"slots.speed": 2}, ENDLESS),
        ({"job.stagger": "yes"}, ENDLESS),
        (
            {"job.input_size": "1GB"},
            "job.input_size: has no effect without a [link]; give input, a ",
        ),
        ({"link.bandwidth": "1Gb/s"}, "job.size: missing, and the [link] moves it; write for "),
        ({"link": {}}, 'link.bandwidth: missing; write for example bandwidth = "10 Gb/s"'),
        (
            {"domains.r.power_failures": "9d"},
            "domains.r.size: missing; write for example size = 32",
        ),
        ({"domains.r.size": 3}, "domains.r.power_failures: missing; write for example power_fail"),
        (
            {"job.arrival_times": "1h, 2h", "job.arrivals": "1h"},
            "job.arrivals: given besides job.arrival_times; expected one or the other",
        ),
        (
            {"job.arrival_times": "1h, 2h", "job.count": 3},
            "job.count: 3: job.arrival_times are 2 times; leave count out",
        ),
        (
            {"job.input": "1h", "job.input_size": "3GB"},
            "job.input_size: given besides job.input; expected one or the other",
        ),
    ],
    ids=str,
)
def test_mistakes_without_a_file(overrides, line):
    [found] = refused(lambda: load(None, overrides))
    assert found.startswith(f"flags: {line}")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[classes.'a.b']\n", ["classes: 'a.b': expected at most 64 letters, digits, _ and -"]),
        ("[classes.a.b]\nwork = '1h'\n", ["classes.a.b: unknown key"]),
        ("classes = []\n", ["classes: []: expected a table, [classes.NAME]"]),
        ("[classes]\na = []\n", ["classes.a: []: expected a table, [classes.a]"]),
        ("[link]\n", ['link.bandwidth: missing; write for example bandwidth = "10 Gb/s"']),
        ("[class.a]\n", ["class: unknown key; did you mean 'classes'?"]),
        (
            "[job]\nwork = 'x'\nstep = '2h'\n[classes.a]\nstep = '2'\n[classes.b]\n",
            [
                "classes.a.step: 2: no unit; write for example 2min",
                "job.work: 'x': not a duration; write for example 90min",
            ],
        ),
        (
            "[job]\nstep = '3h'\n[classes.a]\nwork = '1h'\n[classes.b]\n",
            ["classes.a.step (from [job]): 3 h: longer than the whole work of 1 h; expected the"],
        ),
        (
            "[job]\nwork = '9h'\n[classes.a]\nsize = '3GB'\n[classes.b]\n",
            ["classes.a.bandwidth: missing, and the transfer of a size needs it; write for"],
        ),
    ],
)
def test_mistakes_in_a_file(written, tmp_path, text, lines):
    found = refused(lambda: written(text))
    assert len(found) == len(lines)
    for got, line in zip(found, lines, strict=True):
        assert got.startswith(f"{tmp_path / 'pool.toml'}: {line}")


def test_a_flag_for_all_that_would_change_none_is_refused(written):
    text = "[classes.a]\ninterval = '1h'\n[classes.b]\ninterval = '2h'\n[job]\nwork = '9h'\n"
    assert refused(lambda: written(text, {"job.interval": "3h"})) == [
        "flags: job.interval: has no effect, for each class has its own; set classes.NAME.interval"
    ]
    assert (
        written(text, {"job.interval": "3h", "classes.a.interval": "2h"}).job.interval == 3 * HOUR
    )


# Traces


def test_availability_is_read_from_a_file_beside_the_scenario(written, tmp_path):
    (tmp_path / "there.csv").write_text(
        "to_s,slot,who,from_s\n7200,1,ann,3600\n\n3600.5,0,bob,0\n9000,0,bob,7200\n"
    )
    kind = written("[job]\nwork = '1h'\n[kinds.a]\ncount = 2\navailability = 'there.csv'\n").kinds[
        "a"
    ]
    assert kind.availability == (
        (0, 0, 3_600_500_000_000),
        (0, 7200 * SECOND, 9000 * SECOND),
        (1, 3600 * SECOND, 7200 * SECOND),
    )
    assert describe(Scenario(slots=kind, job=Job(work=HOUR)))["slots"]["availability"] == str(
        tmp_path / "there.csv"
    )


@pytest.mark.parametrize(
    ("rows", "mistake"),
    [
        ("", "a header and no rows; expected a row for each time of a slot"),
        ("0,0,5\n0,x,5\n", "line 3: 'x' is not a number"),
        ("0,0\n", "line 2: '' is not a number"),
        ("0,-1,5\n", "line 2: -1 is not a time in seconds, 0 or more"),
        ("0,0,inf\n", "line 2: inf is not a time in seconds, 0 or more"),
        ("0,0,1e11\n", "line 2: later than a century; expected seconds from the start"),
        ("0.5,0,5\n", "line 2: '0.5': expected a slot, numbered within its kind from 0"),
        (",0,5\n", "line 2: '': expected a slot, numbered within its kind from 0"),
        ("0,5,5\n", "line 2: from 5s to 5s: expected an end later than the start"),
        (
            "0,60,120\n1,0,5\n0,0,61\n",
            "line 2: slot 0 is there from 1min, but by line 4 it already is, until 1min1s",
        ),
    ],
)
def test_a_trace_that_cannot_be_is_told_by_its_line(written, tmp_path, rows, mistake):
    trace = tmp_path / "there.csv"
    trace.write_text(f"slot,from_s,to_s\n{rows}")
    [line] = refused(lambda: written("[slots]\navailability = 'there.csv'\n"))
    assert line.startswith(f"{tmp_path / 'pool.toml'}: slots.availability: {trace}: {mistake}")


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ("slot,from_s\n0,0\n", NO_END),
        ("", "empty; expected a header and a row for each time"),
        (None, "no such file"),
    ],
)
def test_what_is_no_trace_at_all(written, tmp_path, content, mistake):
    if content is not None:
        (tmp_path / "there.csv").write_text(content)
    [line] = refused(lambda: written("[slots]\navailability = 'there.csv'\n"))
    assert line.endswith(f"there.csv: {mistake}")
    [line] = refused(lambda: written("[slots]\navailability = ''\n"))
    assert "slots.availability: '': expected a CSV file" in line


def test_stays_that_meet_do_not_overlap():
    windows = [[0, "1h", "2h"], [0, 0, "1h"]]
    found = load(None, {"job.work": "1h", "slots.availability": windows}).slots.availability
    assert found == ((0, 0, HOUR), (0, HOUR, 2 * HOUR))


def test_arrival_times_are_read_from_a_file_the_earliest_first(written, tmp_path):
    (tmp_path / "seen.csv").write_text("id,t_s\na,60\nb,0\nc,60\nd,0.25\n")
    job = written("[job]\nwork = '1h'\narrival_times = 'seen.csv:t_s'\n").job
    assert job.arrival_times == (0, SECOND // 4, MIN, MIN)
    assert job.count == 4
    described = describe(Scenario(job=job))["job"]
    assert described["arrival_times"] == f"{tmp_path / 'seen.csv'}:t_s"
    assert "count" not in described


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ("seen.csv", "which column of seen.csv? It has id, t_s; write for example submitted"),
        ("seen.csv:t", "{}: no column 't'; it has id, t_s; did you mean 't_s'?"),
        ("seen.csv:id", "{}: line 2: 'a' is not a number"),
        ("sen.csv:id", "no such file; did you mean 'seen.csv'?"),
        ("late.csv:t_s", "later than a century; expected seconds from the start"),
    ],
)
def test_arrival_times_that_cannot_be(written, tmp_path, given, mistake):
    (tmp_path / "seen.csv").write_text("id,t_s\na,60\n")
    (tmp_path / "late.csv").write_text("t_s\n1e200\n")
    [line] = refused(lambda: written(f"[job]\narrival_times = '{given}'\n"))
    assert line.startswith(f"{tmp_path / 'pool.toml'}: job.arrival_times: ")
    assert mistake.format(tmp_path / "seen.csv") in line


def test_traces_survive_being_sent_to_other_processes(written, tmp_path):
    (tmp_path / "seen.csv").write_text("t_s\n60\n")
    found = written("[job]\nwork = '1h'\narrival_times = 'seen.csv:t_s'\n")
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert describe(again) == describe(found)


def test_what_python_gives_is_checked_too():
    for wrong in ([], [(1, 0, 5), (0, 0, 5)], [(0, 5, 5)], [(0, -1, 5)], "x"):
        with pytest.raises(ValidationError):
            Slots(availability=tuple(wrong) if isinstance(wrong, list) else wrong)
    for wrong in ((), (5, 3), (-1,)):
        with pytest.raises(ValidationError):
            Job(arrival_times=wrong)
    for wrong in ({"queue": Queue(order="priority")}, {"classes": {"a.b": Job(work=5)}}):
        with pytest.raises(ValidationError):
            Scenario(**wrong)


# Written back, and the schema


VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_a_pool_described_comes_back_equal_and_fits_the_schema(platform):
    found = load(platform, {})
    described = describe(found)
    assert load(None, described) == found
    VALIDATOR.validate(described)
    VALIDATOR.validate(tomllib.loads(PLATFORM))
    assert json.loads(json.dumps(described)) == described


def test_a_class_is_described_by_what_is_its_own(platform):
    described = describe(load(platform, {}))
    assert described["classes"] == {
        "eap": {"count": 10},
        "lap": {
            "interval": "2h",
            "restart_lease": "5min",
            "user": "bob.b",
            "priority": -3,
            "stagger": True,
            "arrivals": "exponential(mean=1h)",
        },
        "silverton": {
            "mode": "none",
            "input_size": "500MB",
            "size": "none",
        },
    }
    assert described["kinds"] == {
        "desktops": {"count": 5},
        "servers": {"count": 2, "limit": "none", "speed": 1.5},
    }
    assert described["queue"] == {"order": "fair share", "cycle": "5min", "half_life": "24h"}


def test_what_is_no_pool_is_described_without_the_words_of_one():
    described = describe(load(None, {}))
    assert list(described) == ["name", "seed", "replications", "job", "slots"]
    assert not {"user", "priority", "arrivals", "stagger", "input_size"} & described["job"].keys()
    assert not {"speed", "availability"} & described["slots"].keys()


def test_the_schema_knows_the_keys_of_pools_and_their_defaults():
    found = schema()
    tables = {name: table["properties"] for name, table in found["$defs"].items()}
    assert found["properties"]["batches"]["default"] == 20
    assert found["properties"]["warm_up"]["default"] == "0s"
    assert tables["Queue"]["order"]["default"] == "submission"
    assert tables["Queue"]["half_life"]["default"] == "24h"
    assert tables["Link"]["fetch_checkpoint"]["default"] is True
    assert tables["Domain"]["repair"]["default"] == "0s"
    assert tables["Slots"]["speed"]["default"] == 1
    assert (tables["Job"]["count"]["default"], tables["Job"]["priority"]["default"]) == (1, 0)
    assert found["$defs"]["Link"]["required"] == ["bandwidth"]
    assert found["$defs"]["Domain"]["required"] == ["size", "power_failures"]


@pytest.mark.parametrize(
    "mistaken",
    [
        {"classes": {"a.b": {}}},
        {"classes": {"a": {"intervall": "1h"}}},
        {"classes": {"a": 3}},
        {"classes": 3},
        {"kinds": {"a": {"speed": 0}}},
        {"kinds": {"a": {"pool": "x"}}},
        {"domains": {"rack": {"size": 3}}},
        {"link": {}},
        {"link": {"bandwidth": "none"}},
        {"link": {"bandwidth": "1Gb/s", "at_most": 0}},
        {"queue": {"order": "fifo"}},
        {"batches": 1},
        {"duration": 0},
        {"job": {"user": "a b"}},
        {"job": {"priority": "high"}},
        {"slots": {"availability": [[0, "1h"]]}},
        {"slots": {"availability": 3}},
        {"job": {"arrival_times": []}},
    ],
    ids=str,
)
def test_the_schema_and_the_door_refuse_alike(mistaken):
    assert not VALIDATOR.is_valid(mistaken)
    with pytest.raises(ScenarioError):
        load(None, mistaken)


@pytest.mark.parametrize(
    "right",
    [
        {"classes": {"a": {}, "b-1": {"count": 3, "priority": -3}}, "job": {"work": "1h"}},
        {"kinds": {"a": {"pool": "batch", "speed": 0.5}}, "duration": "30d", "warm_up": 0},
        {
            "domains": {"r": {"size": 3, "power_failures": "none", "kinds": ["slot"]}},
            "job": {"work": "1h"},
        },
        {"link": {"bandwidth": "1Gb/s", "at_most": "none"}, "job": {"size": "1GB", "work": "1h"}},
        {"job": {"arrival_times": [0, "1h"], "work": "1h"}},
        {"slots": {"availability": [[0, 0, "1h"]]}, "job": {"work": "1h", "arrivals": "1h"}},
    ],
    ids=str,
)
def test_the_schema_and_the_door_accept_alike(right):
    VALIDATOR.validate(right)
    load(None, right)


TIMES = st.integers(1, units.LONGEST // 10)
SECONDS = st.floats(1e-3, 1e8)
COSTS = SECONDS.map(Constant) | st.builds(Uniform, st.just(0.0), SECONDS) | st.just(Constant(0))
HAZARDS = SECONDS.map(Exponential) | st.builds(Weibull, st.floats(0.2, 9), SECONDS)
NAMES = st.from_regex(re.compile("[A-Za-z0-9_-]{1,6}", re.ASCII), fullmatch=True)
USERS = st.sampled_from(["user", "ann", "bob.b"])
FREE = [Mode.EXIT_CODE, Mode.EXIT_SIGNAL, Mode.EARLY_EXIT, Mode.MANUAL]
ARRIVALS = st.lists(st.integers(0, units.LONGEST), min_size=1, max_size=4).map(
    lambda times: {"arrival_times": tuple(sorted(times))}
) | st.fixed_dictionaries({"count": st.integers(1, 10**6), "arrivals": COSTS})
WORK = (
    st.fixed_dictionaries({"work": TIMES})
    | st.fixed_dictionaries({"work": TIMES}).map(lambda given: {**given, "step": given["work"]})
    | st.fixed_dictionaries({"steps": st.lists(TIMES, min_size=1, max_size=3).map(tuple)})
)
RESTARTS = st.fixed_dictionaries(
    {"restart": COSTS}, optional={"restart_in_place": COSTS, "restart_lease": COSTS}
)
SIZES = st.integers(1, 10**12)
OWN_PATH = st.fixed_dictionaries({}, optional={"transfer": COSTS, "input": COSTS}) | (
    st.fixed_dictionaries({"size": SIZES, "bandwidth": SIZES})
)
LINKED = st.fixed_dictionaries({"size": SIZES}, optional={"input_size": SIZES})
OTHER = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(FREE),
        "interval": st.none() | TIMES,
        "user": USERS,
        "priority": st.integers(-5, 5),
        "stagger": st.booleans(),
        "last_checkpoint": st.booleans(),
    }
)


def jobs(path):
    parts = st.tuples(ARRIVALS, WORK, RESTARTS, path, OTHER)
    return parts.map(lambda found: Job(**{key: part[key] for part in found for key in part}))


def windows_of(count):
    cuts = st.lists(st.integers(0, units.LONGEST), min_size=2, max_size=6, unique=True)
    slots = st.dictionaries(st.integers(0, count - 1), cuts.map(sorted), min_size=1, max_size=3)
    return slots.map(
        lambda found: tuple(
            (slot, start, end)
            for slot in sorted(found)
            for start, end in zip(found[slot][::2], found[slot][1::2], strict=False)
        )
    )


@st.composite
def kinds_of_slots(draw):
    count = draw(st.integers(1, 1000))
    return Slots(
        count=count,
        limit=draw(st.none() | TIMES),
        evictions=draw(HAZARDS | st.just(Never())),
        claim_worklife=draw(st.none() | TIMES),
        speed=draw(st.just(1.0) | st.floats(0.001, 1000)),
        availability=draw(st.none() | windows_of(count)),
    )


@st.composite
def pools(draw):
    link = draw(
        st.none()
        | st.builds(
            Link, bandwidth=SIZES, at_most=st.integers(1, 99), bypass=st.none() | SIZES,
            fetch_checkpoint=st.booleans(),
        )
    )  # fmt: skip
    job = jobs(OWN_PATH if link is None else LINKED)
    kinds = draw(st.dictionaries(NAMES, kinds_of_slots(), max_size=3))
    known = st.lists(st.sampled_from(list(kinds) or ["slot"]), min_size=1, unique=True).map(tuple)
    domain = st.builds(
        Domain, size=st.integers(1, 99), power_failures=HAZARDS | st.just(Never()), repair=COSTS,
        kinds=st.none() | known,
    )  # fmt: skip
    duration = draw(st.none() | TIMES)
    return Scenario(
        duration=duration,
        warm_up=draw(st.integers(0, duration - 1)) if duration else 0,
        batches=draw(st.integers(2, 1000)),
        link=link,
        queue=Queue(
            order=draw(st.sampled_from(["submission", "priority", "fair share"])),
            cycle=draw(st.just(0) | TIMES),
            half_life=draw(TIMES),
        ),
        job=draw(job),
        classes=draw(st.dictionaries(NAMES, job, max_size=3)),
        slots=draw(kinds_of_slots()),
        kinds=kinds,
        domains=draw(st.dictionaries(NAMES, domain, max_size=2)),
    )


@settings(deadline=None)  # the first example imports and compiles
@given(pools())
def test_described_pools_come_back_equal_in_their_order_and_fit_the_schema(scenario):
    described = describe(scenario)
    found = load(None, described)
    assert found == scenario
    assert list(found.job_classes) == list(scenario.job_classes)
    assert list(found.slot_kinds) == list(scenario.slot_kinds)
    VALIDATOR.validate(json.loads(json.dumps(described)))


WORDS = st.sampled_from(
    ["none", "1h", "0", "yes", "no", "2 GB", "1 Gb/s", "exponential(mean=1h)", "x.csv:t", "x.csv"]
) | st.sampled_from(
    ["a", "a, b", "priority", "delayed", "batch", "5s, 6s", "", "-1", "é\n", "mixture(1:2h)"]
)
VALUES = WORDS | st.integers(-3, 200) | st.booleans() | st.floats(allow_nan=False, width=32)
NESTED = VALUES | st.lists(VALUES | st.lists(VALUES, max_size=3), max_size=3)
KEYS = st.sampled_from(
    sorted({key for table in (Job, Slots, Link, Queue, Domain) for key in table.model_fields})
) | st.sampled_from(["pool", "x", "a.b"])
HEADS = st.sampled_from(
    ["job", "slots", "link", "queue", "classes.a", "classes.b", "kinds.a", "kinds.b", "domains.a"]
) | st.sampled_from(["classes", "kinds", "domains", "classes.a.b", 'kinds."é.x"', "class.a"])
TOP = st.sampled_from(
    ["duration", "warm_up", "batches", "link", "classes", "pool", "seed", "kinds"]
)


def toml(top, tables):
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    for head, table in tables.items():
        lines += [f"[{head}]", *(f"{json.dumps(key)} = {json.dumps(table[key])}" for key in table)]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "x.csv").write_text("t,slot,from_s,to_s\n5,0,0,7\n")
    return folder / "fuzz.toml"


def read_or_refused(path, overrides=()):
    """It loads and comes back as it is described, or is refused in printable lines."""
    found, message = None, ""
    try:
        found = load(path, dict(overrides))
    except ScenarioError as mistake:
        message = str(mistake)
    assert found is None or load(None, describe(found)) == found
    assert all(line.isprintable() and ": " in line for line in message.split("\n") if message)


@settings(deadline=None, max_examples=400)
@given(
    top=st.dictionaries(TOP, NESTED, max_size=2),
    tables=st.dictionaries(HEADS, st.dictionaries(KEYS, NESTED, max_size=4), max_size=4),
)
def test_any_pool_is_read_or_refused_by_us(fuzzed, top, tables):
    fuzzed.write_text(toml(top, tables))
    read_or_refused(fuzzed)


OF_THE_PLATFORM = {
    "job": Job, "slots": Slots, "link": Link, "queue": Queue, "classes.eap": Job,
    "classes.silverton": Job, "kinds.servers": Slots, "domains.rack": Domain,
}  # fmt: skip
FLAG_KEYS = st.sampled_from(
    [f"{head}.{key}" for head, table in OF_THE_PLATFORM.items() for key in table.model_fields]
)


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(FLAG_KEYS, VALUES.map(str), min_size=1, max_size=2))
def test_any_flags_on_a_pool_are_read_or_refused_by_us(fuzzed, flags):
    fuzzed.write_text(PLATFORM)
    read_or_refused(fuzzed, flags)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*"[].={}'\",\n\0 1", "classes", "job", "a", "link", "kinds", "1h"]))
)
def test_any_text_is_read_or_refused_by_us(fuzzed, pieces):
    fuzzed.write_text("".join(pieces))
    read_or_refused(fuzzed)


def test_measured_times_of_a_class_are_beside_the_file(written, tmp_path):
    (tmp_path / "seen.csv").write_text("t_s\n60\n")
    found = written("[job]\nwork = '1h'\n[classes.a]\nwrite = 'empirical(seen.csv:t_s)'\n")
    assert found.job.write == Empirical((60,))
    assert load(Path(tmp_path / "pool.toml"), {"classes.a.write": "1s"}).job.write == Constant(1)
