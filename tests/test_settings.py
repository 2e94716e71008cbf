"""POOL.toml: what it says, and one clear line for each mistake in it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.drivers.real import settings
from ckptsim.drivers.real.settings import POLICY, PoolFileError

pytest.importorskip("classad2", reason="HTCondor's bindings are for Linux alone")


def read(tmp_path, text):
    (tmp_path / "pool.toml").write_text(text)
    return settings.read(tmp_path / "pool.toml")


def test_the_defaults_are_htcondors():
    """condor's param_info.in of 25.14, by htcondor-rules.md 12; negotiation is more frequent."""
    pool = settings.default()
    (machine,) = pool.machines
    assert machine.policy == {
        "START": "True",
        "PREEMPT": "False",
        "WANT_VACATE": "True",
        "MaxJobRetirementTime": "0",
        "MachineMaxVacateTime": "600",
        "PERIODIC_CHECKPOINT": "time() - LastPeriodicCheckpoint > 10800",
        "CLAIM_WORKLIFE": "1200",
        "CHECK_REACTIVATE_AFTER_CHECKPOINT": "True",
    }
    assert (pool.policy_s, pool.update_s, pool.detection_s) == (5, 300, 385)
    assert (pool.negotiation_s, pool.periodic_s) == (1, 5)
    assert pool.delays
    assert not pool.milliseconds


def test_one_machine_with_this_hosts_processors():
    (machine,) = settings.default().machines
    assert machine[:3] == ("local", os.cpu_count(), 1024 * os.cpu_count())


@pytest.mark.parametrize("text", ["", "# nothing\n", "[policy]\n[intervals]\n"])
def test_an_empty_file_asks_for_the_defaults(tmp_path, text):
    assert read(tmp_path, text) == settings.default()


def test_all_that_a_file_can_say(tmp_path):
    pool = read(
        tmp_path,
        """\
milliseconds = true
[intervals]
negotiation = "2s"
periodic = "1min"
policy = "250ms"
update = "1h"
detection = "10 min"
[policy]
preempt = "TARGET.TestPreemptAfter =!= undefined"
CLAIM_WORKLIFE = -1
CHECK_REACTIVATE_AFTER_CHECKPOINT = false
[[machines]]
name = "ep1"
slots = 16
[machines.policy]
MACHINEMAXVACATETIME = 10
CLAIM_WORKLIFE = 1.5
[[machines]]
name = "gpu-box_2"
slots = 2
memory = "64 GiB"
disk = "1 TB"
gpus = 4
[[machines]]
name = "small"
""",
    )
    assert pool[1:] == (2.0, 60.0, 0.25, 3600.0, 600.0, True, True)
    first, second, third = pool.machines
    assert first[:5] == ("ep1", 16, 16 * 1024, 160 * 1024**2, 0)
    assert second[:5] == ("gpu-box_2", 2, 64 * 1024, 10**12 // 1024, 4)
    assert third[:5] == ("small", 1, 1024, 10 * 1024**2, 0)
    common = {
        **POLICY,
        "PREEMPT": "TARGET.TestPreemptAfter =!= undefined",
        "CLAIM_WORKLIFE": "-1",
        "CHECK_REACTIVATE_AFTER_CHECKPOINT": "false",
    }
    assert second.policy == third.policy == common
    own = {"MachineMaxVacateTime": "10", "CLAIM_WORKLIFE": "1.5"}
    assert first.policy == {**common, **own}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("millisecond = true", "millisecond: no such key; did you mean 'milliseconds'?"),
        ("milliseconds = 1", "milliseconds: 1: expected true or false"),
        ('milliseconds = "yes"', "milliseconds: 'yes': expected true or false"),
        ("intervals = 3", "intervals: expected a table, as in [intervals]"),
        ('[intervals]\nnegotiaton = "1s"', "intervals.negotiaton: no such key"),
        ('[intervals]\nnegotiation = "0s"', "intervals.negotiation: 0s: must be longer than 0"),
        ("[intervals]\nupdate = 5", "intervals.update: "),
        ('[intervals]\nupdate = "-5s"', "intervals.update: "),
        ('[intervals]\nupdate = "soon"', "intervals.update: "),
        ("[intervals]\nupdate = [1]", "intervals.update: "),
        ("policy = true", "policy: expected a table, as in [policy]"),
        ("[policy]\nPREEMT = true", "policy.PREEMT: no such policy; did you mean 'PREEMPT'?"),
        ('[policy]\nPREEMPT = "1 +"', "policy.PREEMPT: '1 +': not a ClassAd expression"),
        ('[policy]\nPREEMPT = ""', "policy.PREEMPT: '': not a ClassAd expression"),
        ("[policy]\nPREEMPT = []", "policy.PREEMPT: []: expected"),
        ("[policy]\nPREEMPT = { a = 1 }", "policy.PREEMPT: {'a': 1}: expected"),
        ("[policy]\nPREEMPT = 2026-11-22", "policy.PREEMPT: "),
        ("[policy]\nCLAIM_WORKLIFE = nan", "policy.CLAIM_WORKLIFE: nan: expected"),
        ("machines = 0", "machines: expected tables, as in [[machines]]"),
        ("machines = []", "machines: expected tables, as in [[machines]]"),
        ('[machines]\nname = "ep1"', "machines: expected tables, as in [[machines]]"),
        ("machines = [1]", "machines[0]: expected a table"),
        ("[[machines]]\nslots = 1", "machines[0].name: None: expected letters, digits, - and _"),
        ('[[machines]]\nname = "a/b"', "machines[0].name: 'a/b': expected letters"),
        ('[[machines]]\nname = ""', "machines[0].name: '': expected letters"),
        ('[[machines]]\nname = "a@b"', "machines[0].name: 'a@b': expected letters"),
        ('[[machines]]\nname = "a\\nb"', "machines[0].name: 'a\\nb': expected letters"),
        ("[[machines]]\nname = 3", "machines[0].name: 3: expected letters"),
        (
            '[[machines]]\nname = "a"\nslot = 3',
            "machines[0].slot: no such key; did you mean 'slots'?",
        ),
        ('[[machines]]\nname = "a"\nslots = 0', "machines[0].slots: 0: expected a whole number"),
        (
            '[[machines]]\nname = "a"\nslots = 1.5',
            "machines[0].slots: 1.5: expected a whole number",
        ),
        ('[[machines]]\nname = "a"\nslots = true', "machines[0].slots: True: expected a whole"),
        ('[[machines]]\nname = "a"\nslots = 10001', "machines[0].slots: 10001: expected a whole"),
        ('[[machines]]\nname = "a"\ngpus = -1', "machines[0].gpus: -1: expected a whole number"),
        ('[[machines]]\nname = "a"\nmemory = "much"', "machines[0].memory: "),
        ('[[machines]]\nname = "a"\nmemory = 4096', "machines[0].memory: 4096: no unit; "),
        ('[[machines]]\nname = "a"\nmemory = "0 GB"', "machines[0].memory: '0 GB': too little"),
        ('[[machines]]\nname = "a"\ndisk = "1 B"', "machines[0].disk: '1 B': too little"),
        ('[[machines]]\nname = "a"\npolicy = 3', "machines[0].policy: expected a table"),
        (
            '[[machines]]\nname = "b"\n[[machines]]\nname = "a"\n[machines.policy]\nSTRT = 1',
            "machines[1].policy.STRT: no such policy; did you mean 'START'?",
        ),
        ('[[machines]]\nname = "a"\n[[machines]]\nname = "a"', "machines: two have the same name"),
        ("= 3", "not a TOML file: "),
        ('"new\\nline" = 3', "'new\\nline': no such key"),
    ],
)
def test_each_mistake_is_one_line_that_says_where(tmp_path, text, told):
    with pytest.raises(PoolFileError) as error:
        read(tmp_path, text)
    line = str(error.value)
    assert line.startswith(f"{tmp_path}/pool.toml: ")
    assert line.removeprefix(f"{tmp_path}/pool.toml: ").startswith(told)
    assert len(line.splitlines()) == 1


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(PoolFileError, match=r"none\.toml: no such file or directory; see `ckptsim"):
        settings.read(tmp_path / "none.toml")
    with pytest.raises(PoolFileError, match="is a directory"):
        settings.read(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(PoolFileError, match=r"latin\.toml: not a TOML file: "):
        settings.read(tmp_path / "latin.toml")


TABLES = ["milliseconds", "intervals", "policy", "machines"]
NAMES = [*TABLES, "negotiation", "update", "name", "slots", "memory", "disk", "gpus", *POLICY]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["1s", "2 GiB", "ep1", "TARGET.X > 3"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(TABLES) | st.text(max_size=4), ANYTHING, max_size=4))
def test_whatever_it_says_it_is_read_or_refused_in_one_line(tables):
    mistake = ""
    try:
        pool = settings.settings_of(tables)
    except PoolFileError as error:
        mistake = str(error)
    if mistake:
        assert len(mistake.splitlines()) == 1
        return
    assert pool.machines
    for machine in pool.machines:
        assert set(machine.policy) == set(POLICY)
        assert all(type(text) is str for text in machine.policy.values())
        assert min(machine.cpus, machine.memory_mb, machine.disk_kb) >= 1
