"""What goes into a sandbox and out of it. The judge: golden runs; a secret that must not leak."""

import errno
import os
import re
import socket
import stat
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.drivers.real.copying import Cut
from ckptsim.drivers.real.sandbox import (
    Missing,
    Refused,
    TransferError,
    clear,
    outgoing,
    send,
    stage,
)
from ckptsim.htcondor.spool import MARKER, Spool

GOLDEN = Path(os.environ.get("CKPTSIM_SHARED", Path(__file__).parents[2] / "shared")) / "golden"
STDIO = ("_condor_stdout", "_condor_stderr")
SECRET = "secret of someone else"


def put(folder, tree):
    """Write {name: text or tree} into a folder, made if need be."""
    folder.mkdir(exist_ok=True)
    for name, content in tree.items():
        if isinstance(content, dict):
            put(folder / name, content)
        else:
            (folder / name).write_text(content)


def tree(folder):
    """What is in a folder, as `put` takes it."""
    return {
        path.name: tree(path) if path.is_dir() else path.read_text() for path in folder.iterdir()
    }


@pytest.fixture
def box(tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def to(box):
    return box.parent / "to"


@pytest.fixture
def outside(box):
    put(box.parent / "outside", {"secret": SECRET, "directory": {"secret": SECRET}})
    return box.parent / "outside"


# In.


def test_a_sandbox_gets_the_inputs_and_the_small_texts(tmp_path):
    put(tmp_path / "submit", {"example.py": "run", "input.txt": "input", "data": {"a": {"b": "1"}}})
    (tmp_path / "submit/example.py").chmod(0o755)
    items = [
        (f"{tmp_path}/submit/example.py", "example.py"),
        (f"{tmp_path}/submit/input.txt", "input.txt"),
        (f"{tmp_path}/submit/data", "data"),
    ]
    box = tmp_path / "execute/ep1/dir_3/scratch"
    staged = stage(box, items, None, {".job.ad": "[ ]"})
    assert tree(box) == {
        "example.py": "run",
        "input.txt": "input",
        "data": {"a": {"b": "1"}},
        ".job.ad": "[ ]",
    }
    assert staged.bytes == 3 + 5 + 1  # not the ad: golden/z3 counts 468 for its executable of 468
    assert os.access(box / "example.py", os.X_OK)
    assert stat.S_IMODE(box.stat().st_mode) == 0o700


def test_a_directory_with_a_slash_gives_its_contents(tmp_path):
    put(tmp_path / "submit", {"data": {"a": {"b": "1"}, "c": "2"}})
    stage(tmp_path / "box", [(f"{tmp_path}/submit/data/", "")])
    assert tree(tmp_path / "box") == {"a": {"b": "1"}, "c": "2"}
    stage(tmp_path / "inner", [(f"{tmp_path}/submit/data/", "x/y")])
    assert tree(tmp_path / "inner") == {"x": {"y": {"a": {"b": "1"}, "c": "2"}}}


def test_a_preserved_path_gets_its_directories(tmp_path):
    put(tmp_path / "submit", {"a": {"b": {"c": "1"}}})
    stage(tmp_path / "box", [(f"{tmp_path}/submit/a/b/c", "a/b/c")])
    assert tree(tmp_path / "box") == {"a": {"b": {"c": "1"}}}


def test_the_spool_wins_over_an_input_of_the_same_name_as_in_golden_z1(tmp_path):
    put(tmp_path / "submit", {"example.checkpoint": "1", "example.py": "run"})
    put(tmp_path / "spool", {"example.checkpoint": "30", "_condor_stdout": "step\n"})
    items = [(f"{tmp_path}/submit/{name}", name) for name in ("example.checkpoint", "example.py")]
    staged = stage(tmp_path / "box", items, tmp_path / "spool")
    assert tree(tmp_path / "box") == {
        "example.checkpoint": "30",
        "_condor_stdout": "step\n",
        "example.py": "run",
    }
    assert staged.bytes == 1 + 3 + 2 + 5  # both copies were transferred


def test_what_the_spool_has_wins_whatever_kind_it_is(tmp_path):
    put(tmp_path / "submit", {"a": "file", "b": {"x": "1"}, "c": {"x": "1", "y": "1"}})
    put(tmp_path / "spool", {"a": {"x": "2"}, "b": "file", "c": {"x": "2"}})
    stage(tmp_path / "box", [(f"{tmp_path}/submit/", "")], tmp_path / "spool")
    assert tree(tmp_path / "box") == {"a": {"x": "2"}, "b": "file", "c": {"x": "2", "y": "1"}}


def test_a_spool_that_is_not_there_is_empty(tmp_path):
    assert stage(tmp_path / "box", [], tmp_path / "none") == (0, {})


def test_a_missing_input_is_told_by_its_path(tmp_path):
    with pytest.raises(Missing) as told:
        stage(tmp_path / "box", [(f"{tmp_path}/nothing", "nothing")])
    assert told.value.path == f"{tmp_path}/nothing"
    assert told.value.errno == errno.ENOENT
    assert told.value.reason == "No such file or directory"


def test_inputs_may_be_links_and_lie_behind_links(tmp_path):
    put(tmp_path / "real", {"file": "1", "d": {"x": "2"}})
    (tmp_path / "submit").symlink_to("real")
    (tmp_path / "real/d/absolute").symlink_to(tmp_path / "submit/file")
    (tmp_path / "real/relative").symlink_to("../submit/d/../file")
    items = [(f"{tmp_path}/submit/{name}", name) for name in ("relative", "d")]
    stage(tmp_path / "box", items)
    assert tree(tmp_path / "box") == {"relative": "1", "d": {"x": "2", "absolute": "1"}}
    assert not any(path.is_symlink() for path in (tmp_path / "box").rglob("*"))


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped", "a\0b"])
def test_an_input_cannot_be_named_to_lie_outside(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(Refused):
        stage(tmp_path / "box", [(f"{tmp_path}/file", name)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box", "file"]


def test_an_input_transfer_can_be_cut_off(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Cut):
        stage(tmp_path / "box", [(f"{tmp_path}/file", "file")], stop=lambda: True)


def test_a_file_without_a_name_is_an_error_of_transfer(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TransferError):
        stage(tmp_path / "box", [(f"{tmp_path}/file", "")])


# Out: which.


@pytest.mark.parametrize(
    ("wanted", "preserve", "entries"),
    [
        (["example.checkpoint"], False, [("example.checkpoint", "example.checkpoint")]),
        (["a/b/c"], False, [("a/b/c", "c")]),  # golden/z3
        (["a/b/c"], True, [("a/b/c", "a/b/c")]),
        (["./a//b"], True, [("a/b", "a/b")]),
        (["d/"], False, [("d/", "")]),
        (["d/"], True, [("d", "d")]),
        (["d"], False, [("d", "d")]),
        (["a/d/"], False, [("a/d/", "")]),
        (["b", "a", "b"], False, [("b", "b"), ("a", "a")]),
        (["_condor_stdout", "a"], False, [("a", "a")]),
        ([], False, []),
    ],
)
def test_the_listed_files_come_first_and_then_the_standard_streams(box, wanted, preserve, entries):
    assert outgoing(box, wanted, {}, preserve=preserve, stdio=STDIO) == [
        *entries,
        ("_condor_stdout", "_condor_stdout"),
        ("_condor_stderr", "_condor_stderr"),
    ]


@pytest.mark.parametrize("preserve", [False, True])
@pytest.mark.parametrize("name", ["/etc/passwd", "..", "../x", "a/../../x", "a/..", "x\0y"])
def test_a_name_that_leads_outside_is_refused(box, name, preserve):
    with pytest.raises(Refused):
        outgoing(box, [name], {}, preserve=preserve)


def staged_box(tmp_path):
    put(tmp_path / "submit", {"example.py": "run", "input": "old", "other": "old", "kept": "old"})
    catalogue = stage(
        tmp_path / "scratch",
        [(f"{tmp_path}/submit/", "")],
        None,
        {".job.ad": "", ".machine.ad": ""},
    ).catalogue
    return tmp_path / "scratch", catalogue


def test_without_a_list_what_is_new_or_changed_at_the_top_is_taken(tmp_path):
    box, catalogue = staged_box(tmp_path)
    assert outgoing(box, None, catalogue) == []
    put(box, {"new": "1", "input": "longer", "directory": {"file": "1"}, ".hidden": "1"})
    (box / "other").write_text("new")  # as long as before
    put(box, {"_condor_stdout": "", "_condor_stderr": "", ".job.ad": "x", ".update.ad": "x"})
    put(box, {".ckptsim.marks": "x", ".chirp.config": "x", MARKER: "", "example.py": "changed"})
    os.mkfifo(box / "fifo")
    (box / "to directory").symlink_to("directory")
    (box / "to nothing").symlink_to("nothing")
    (box / "to itself").symlink_to("to itself")
    (box / "to file").symlink_to("directory/file")
    names = [
        name for _, name in outgoing(box, None, catalogue, stdio=STDIO, executable="example.py")
    ]
    assert names == [".hidden", "input", "new", "other", "to file", *STDIO]


def test_a_file_replaced_by_one_like_it_is_changed(tmp_path):
    box, catalogue = staged_box(tmp_path)
    seen = (box / "input").stat()
    (box / "replacement").write_text("new")
    os.utime(box / "replacement", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    (box / "replacement").rename(box / "input")
    assert outgoing(box, None, catalogue) == [("input", "input")]


# Out: copied.


def test_files_are_sent_in_order_and_named(box, to):
    put(box, {"a": "1", "b": {"c": "22"}, "_condor_stdout": "out", "_condor_stderr": ""})
    assert send(box, ["b", "a"], {}, to, stdio=STDIO) == (6, ["b", "a", *STDIO])
    assert tree(to) == {"a": "1", "b": {"c": "22"}, "_condor_stdout": "out", "_condor_stderr": ""}


def test_a_directory_is_sent_with_all_that_is_in_it_or_only_that(box, to):
    put(box, {"d": {"e": {"f": {"g": "1"}}, "h": "2", "empty": {}}})
    send(box, ["d"], {}, to)
    assert tree(to) == {"d": {"e": {"f": {"g": "1"}}, "h": "2", "empty": {}}}
    clear(to / "d")
    assert send(box, ["d/"], {}, to).files == ["e", "empty", "h"]
    assert tree(to) == {"e": {"f": {"g": "1"}}, "h": "2", "empty": {}}


def test_the_contents_of_the_sandbox_are_sent_without_our_own_files(box, to):
    put(box, {"a": "1", ".job.ad": "", ".ckptsim.marks": "", "_condor_stdout": "out"})
    assert send(box, ["./"], {}, to, stdio=["_condor_stdout"]).files == ["a", "_condor_stdout"]
    assert tree(to) == {"a": "1", "_condor_stdout": "out"}


def test_preserved_paths_are_made_below_the_target(box, to):
    put(box, {"d1": {"d2": {"a": "1", "b": "2"}}})
    send(box, ["d1/d2/a"], {}, to, preserve=True)
    assert tree(to) == {"d1": {"d2": {"a": "1"}}}


def test_an_output_may_be_renamed_also_to_another_folder(box, to, tmp_path):
    put(box, {"_condor_stdout": "out", "a": "1", "d": {"b": "2", "c": "3"}})
    (tmp_path / "results").mkdir()
    rename = {"_condor_stdout": "example.out", "a": "x/y", "b": f"{tmp_path}/results/b.dat"}
    send(box, ["a", "d/"], {}, to, stdio=["_condor_stdout"], rename=rename)
    assert tree(to) == {"example.out": "out", "x": {"y": "1"}, "c": "3"}
    assert tree(tmp_path / "results") == {"b.dat": "2"}


def test_modes_are_kept_and_read_only_directories_can_be_filled(box, to):
    put(box, {"d": {"run": "1"}})
    (box / "d/run").chmod(0o555)
    (box / "d").chmod(0o555)
    send(box, ["d"], {}, to)
    assert stat.S_IMODE((to / "d/run").stat().st_mode) == 0o555
    assert stat.S_IMODE((to / "d").stat().st_mode) == 0o755


def test_fifos_and_sockets_are_passed_over(box, to):
    put(box, {"d": {"file": "1"}})
    os.mkfifo(box / "fifo")
    os.mkfifo(box / "d/fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(box / "d/socket"))
    assert send(box, ["fifo", "d"], {}, to).files == ["d"]
    assert tree(to) == {"d": {"file": "1"}}


def test_what_is_missing_is_told_when_all_the_rest_is_there_as_in_golden_l1(box, to):
    put(box, {"example.checkpoint": "3", "_condor_stdout": "step\n", "_condor_stderr": ""})
    with pytest.raises(Missing) as told:
        send(box, ["nothing", "example.checkpoint", "neither"], {}, to, stdio=STDIO)
    assert told.value.path == str(box / "nothing")
    assert told.value.errno == errno.ENOENT
    assert told.value.bytes == 1 + 5
    assert tree(to) == {"example.checkpoint": "3", "_condor_stdout": "step\n", "_condor_stderr": ""}


@pytest.mark.parametrize("name", ["nothing", "nothing/", "d/nothing", "file/x", "dangling"])
def test_a_missing_file_is_missing_wherever_it_should_be(box, to, name):
    put(box, {"d": {}, "file": ""})
    (box / "dangling").symlink_to("nothing")
    with pytest.raises(Missing):
        send(box, [name], {}, to)


def test_a_target_that_is_not_there_is_not_a_missing_output(box, to, tmp_path):
    put(box, {"a": "1"})
    with pytest.raises(TransferError) as told:
        send(box, ["a"], {}, to, rename={"a": f"{tmp_path}/nowhere/a"})
    assert not isinstance(told.value, Missing)
    with pytest.raises(TransferError) as told:
        send(box, ["a"], {}, tmp_path / "nowhere")
    assert not isinstance(told.value, Missing)


def test_a_file_that_cannot_be_written_does_not_keep_back_the_others(box, to):
    put(box, {"a": "1", "b": "2"})
    (to / "a").mkdir()
    with pytest.raises(TransferError) as told:
        send(box, ["a", "b"], {}, to)
    assert (told.value.path, told.value.errno) == (str(box / "a"), errno.EISDIR)
    assert tree(to) == {"a": {}, "b": "2"}


def test_a_transfer_is_cut_off_at_once(box, to):
    put(box, {"a": "1", "b": "2"})
    with pytest.raises(Cut):
        send(box, ["a", "b"], {}, to, stop=lambda: True)
    assert tree(to) == {"a": ""}


@pytest.mark.parametrize("wanted", [[MARKER], ["d/"], [f"d/{MARKER}"]])
def test_a_job_cannot_make_the_spool_believe_in_half_a_checkpoint(box, to, wanted):
    put(box, {MARKER: "", "d": {MARKER: "", "a": "1"}, "stay": "1"})
    with pytest.raises(Refused):
        send(box, wanted, {}, to)
    assert not (to / MARKER).exists()
    send(box, ["d"], {}, to)  # where it means nothing it may be
    assert (to / "d" / MARKER).exists()


# Out: links.


def test_a_link_within_the_sandbox_is_sent_as_what_it_points_to(box, to):
    put(box, {"d": {"real": "1"}, "e": {}})
    (box / "relative").symlink_to("d/real")
    (box / "absolute").symlink_to(box / "d/real")
    (box / "e/up").symlink_to("../d/../relative")
    send(box, ["relative", "absolute", "e"], {}, to)
    assert tree(to) == {"relative": "1", "absolute": "1", "e": {"up": "1"}}
    assert not any(path.is_symlink() for path in to.rglob("*"))


def test_a_sandbox_may_itself_lie_behind_a_link(box, to):
    put(box, {"real": "1"})
    (box.parent / "other").symlink_to(box)
    (box / "one").symlink_to(box.parent / "other/real")
    (box / "two").symlink_to(box / "real")
    assert send(box.parent / "other", ["one", "two"], {}, to).files == ["one", "two"]


@pytest.mark.parametrize("wanted", [["link"], ["e"]])
def test_a_link_to_a_directory_is_an_error(box, to, wanted):
    put(box, {"d": {"a": "1"}, "e": {}})
    (box / "link").symlink_to("d")
    (box / "e/link").symlink_to("../d")
    with pytest.raises(TransferError) as told:
        send(box, wanted, {}, to)
    assert told.value.errno == errno.EISDIR
    assert [path.name for path in to.rglob("*")] in ([], ["e"])


def test_the_contents_behind_a_link_to_a_directory_may_be_sent(box, to):
    put(box, {"d": {"a": "1"}})
    (box / "link").symlink_to("d")
    send(box, ["link/"], {}, to)
    assert tree(to) == {"a": "1"}


def test_links_in_a_circle_are_an_error(box, to):
    (box / "a").symlink_to("b")
    (box / "b").symlink_to("a")
    with pytest.raises(TransferError) as told:
        send(box, ["a"], {}, to)
    assert told.value.errno == errno.ELOOP


LEAKS = {
    "absolute": lambda box, outside: (box / "x").symlink_to(outside / "secret"),
    "up": lambda box, _: (box / "x").symlink_to("../outside/secret"),
    "through the sandbox": lambda box, _: (box / "x").symlink_to(f"{box}/../outside/secret"),
    "by two": lambda box, outside: [
        (box / "x").symlink_to("y"),
        (box / "y").symlink_to(outside / "secret"),
    ],
    "like the sandbox": lambda box, _: (box / "x").symlink_to(f"{box}-neighbour/secret"),
    "root": lambda box, _: (box / "x").symlink_to("/"),
    "proc": lambda box, _: (box / "x").symlink_to("/proc/self/environ"),
}


@pytest.mark.parametrize("name", ["x", "d/", "d"])
@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
@pytest.mark.usefixtures("outside")
def test_a_link_that_leads_outside_is_refused(box, to, outside, leak, name):
    put(Path(f"{box}-neighbour"), {"secret": SECRET})
    leak(box, outside)
    (box / "d").mkdir()
    (box / "d/inner").symlink_to("../x")
    with pytest.raises(Refused) as told:
        send(box, [name], {}, to)
    assert told.value.path in (str(box / "x"), str(box / "d/inner"))
    assert not any(path.is_file() for path in to.rglob("*"))


@pytest.mark.parametrize("name", ["x/secret", "x/", "x/directory", "x/directory/secret", "x"])
@pytest.mark.parametrize("preserve", [False, True])
def test_a_directory_that_is_a_link_to_elsewhere_is_not_entered(box, to, outside, name, preserve):
    (box / "x").symlink_to(outside)
    with pytest.raises(Refused):
        send(box, [name], {}, to, preserve=preserve)
    assert tree(to) == {}


def test_without_a_list_a_link_that_leads_outside_is_refused_too(box, to, outside):
    (box / "x").symlink_to(outside / "secret")
    with pytest.raises(Refused):
        send(box, None, {}, to)
    assert tree(to) == {}


def test_no_link_at_the_target_is_followed(box, to, outside):
    put(box, {"secret": "forged", "directory": {"secret": "forged"}, "new": "forged"})
    (to / "secret").symlink_to(outside / "secret")
    (to / "directory").symlink_to(outside / "directory")
    (to / "new").symlink_to(outside / "new")
    with pytest.raises(TransferError):
        send(box, ["secret", "directory", "new"], {}, to)
    with pytest.raises(TransferError):
        send(box, ["directory/secret"], {}, to, preserve=True)
    assert tree(outside) == {"secret": SECRET, "directory": {"secret": SECRET}}


def test_no_link_in_a_sandbox_is_followed_by_what_goes_in(box, outside, tmp_path):
    put(tmp_path / "submit", {"f": "forged", "d": {"secret": "forged"}})
    put(tmp_path / "spool", {"g": "forged"})
    for name in "f", "g", ".job.ad":
        (box / name).symlink_to(outside / "secret")
    stage(box, [(f"{tmp_path}/submit/f", "f")], tmp_path / "spool", {".job.ad": "forged"})
    (box / "d").symlink_to(outside / "directory")
    with pytest.raises(TransferError):
        stage(box, [(f"{tmp_path}/submit/d", "d")])
    assert tree(outside) == {"secret": SECRET, "directory": {"secret": SECRET}}


# Out: while a process of the job still works in the sandbox.

pending = []


def meddle(event, _):
    """Python's own audit hook: it comes before each file is opened."""
    if event == "open" and pending:
        pending[0][0] -= 1
        if pending[0][0] == 0:
            pending.pop()[1]()


sys.addaudithook(meddle)


def each_opening(meddling, sending):
    """Do `sending` once for each file it opens, with `meddling` just before that one is opened.

    Both get the number of the turn; yields what came of it: "sent" or the kind of error.
    """
    turn, left = 0, False
    while not left:
        turn += 1
        pending[:] = [[turn, lambda turn=turn: meddling(turn)]]
        try:
            sending(turn)
            outcome = "sent"
        except TransferError as error:
            outcome = type(error).__name__
        left = bool(pending)  # it opened fewer files than that
        pending.clear()
        yield turn, outcome


def leaked(folder):
    return any(SECRET in path.read_text() for path in folder.rglob("*") if path.is_file())


def turn_into_link(path, to):
    path.rename(path.with_name("was"))
    path.symlink_to(to)


@pytest.mark.parametrize(
    ("inner", "elsewhere"), [("d", "directory"), ("d/secret", "secret"), ("d/e", "directory")]
)
def test_a_link_put_in_between_look_and_copy_leaks_nothing(tmp_path, inner, elsewhere):
    put(tmp_path / "outside", {"secret": SECRET, "directory": {"secret": SECRET}})
    for turn in range(1, 200):
        put(tmp_path / f"box{turn}", {"d": {"secret": "own", "e": {"secret": "own"}}})
        put(tmp_path / f"to{turn}", {})

    def meddling(turn):
        turn_into_link(tmp_path / f"box{turn}" / inner, tmp_path / "outside" / elsewhere)

    def sending(turn):
        send(tmp_path / f"box{turn}", ["d"], {}, tmp_path / f"to{turn}")

    outcomes = set()
    for turn, outcome in each_opening(meddling, sending):
        assert not leaked(tmp_path / f"to{turn}")
        outcomes.add(outcome)
    assert {"sent", "Refused"} <= outcomes
    assert turn > 8


def replace_by_link(path, to):
    path.unlink(missing_ok=True)
    path.symlink_to(to)


@pytest.mark.parametrize(
    ("link", "inner", "elsewhere"),
    [(turn_into_link, "d/e", ""), (replace_by_link, "d/e/secret", "secret")],
)
def test_a_link_at_the_target_put_in_between_look_and_copy_is_not_followed(
    tmp_path, link, inner, elsewhere
):
    put(tmp_path / "box", {"d": {"e": {"secret": "forged"}}})
    for turn in range(1, 200):
        put(tmp_path / f"outside{turn}", {"secret": SECRET})
        put(tmp_path / f"to{turn}", {"d": {"e": {}}})

    def meddling(turn):
        link(tmp_path / f"to{turn}" / inner, tmp_path / f"outside{turn}" / elsewhere)

    def sending(turn):
        send(tmp_path / "box", ["d"], {}, tmp_path / f"to{turn}")

    outcomes = set()
    for turn, outcome in each_opening(meddling, sending):
        assert tree(tmp_path / f"outside{turn}") == {"secret": SECRET}
        outcomes.add(outcome)
    assert outcomes == {"sent", "TransferError"}
    assert turn > 8


def test_a_job_that_keeps_swapping_leaks_nothing(box, to, outside):
    put(box, {"d": {"secret": "own"}, "own": {"secret": "own"}})
    (box / "link").symlink_to(outside / "directory")
    over = threading.Event()

    def swapping():
        while not over.is_set():
            for name in "own", "link":
                (box / "d").rename(box / "aside")
                (box / name).rename(box / "d")
                (box / "d").rename(box / name)
                (box / "aside").rename(box / "d")

    thread = threading.Thread(target=swapping)
    thread.start()
    outcomes = set()
    try:
        for _ in range(500):
            try:
                send(box, ["d", "d/secret", "d/"], {}, to)
                outcomes.add("sent")
            except TransferError as error:
                outcomes.add(type(error).__name__)
            assert not leaked(to)
    finally:
        over.set()
        thread.join()
    assert len(outcomes) > 1


@settings(max_examples=150, deadline=None)
@given(
    name=st.lists(st.sampled_from(["..", ".", "", "d", "up", "root", "x"]), max_size=6),
    slash=st.booleans(),
    preserve=st.booleans(),
)
def test_no_path_whatever_leads_outside(tmp_path_factory, name, slash, preserve):
    above = tmp_path_factory.mktemp("above")
    put(above, {"x": SECRET, "scratch": {"x": "own", "d": {"x": "own"}}, "to": {}})
    (above / "scratch/up").symlink_to("..")
    (above / "scratch/d/up").symlink_to("..")
    (above / "scratch/d/root").symlink_to("/")
    wanted = ["/".join(name) + "/" * slash]
    with suppress(TransferError):
        send(above / "scratch", wanted, {}, above / "to", preserve=preserve)
    assert not leaked(above / "to")
    assert (above / "x").read_text() == SECRET
    assert sorted(path.name for path in above.iterdir()) == ["scratch", "to", "x"]


def test_no_file_is_left_open(box, to, outside):
    put(box, {"d": {"a": "1"}})
    (box / "x").symlink_to(outside / "secret")
    (box / "circle").symlink_to("circle")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for wanted in ["d", "d/"], ["x"], ["nothing"], ["circle"], ["d/a/b"]:
        with suppress(TransferError):
            send(box, wanted, {}, to)
    stage(box, [("/proc/version", "v")], to)
    clear(box)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# Through the spool and back, as HTCondor was seen to do.


def dumped(run, listing):
    """The members of a golden spool and its .tmp: {ending: {path: content}}."""
    text = (GOLDEN / run / listing).read_text()
    member = re.compile(
        r"^== 0/cluster\d+\.proc0\.subproc0(\.tmp)?/(\S+) size=\d*\n(.*?)(?=^== |\Z)"
    )
    member = re.compile(member.pattern, re.MULTILINE | re.DOTALL)
    seen = {"": {}, ".tmp": {}}
    for ending, path, content in member.findall(text):
        seen[ending][path] = content.rstrip("\n")  # the listing adds one where there is none
    return seen


def members(folder):
    return {
        f"{path.relative_to(folder)}{'/' * path.is_dir()}": ""
        if path.is_dir()
        else path.read_text().rstrip("\n")
        for path in folder.rglob("*")
    }


GOLDEN_RUNS = [
    # run, listing, what is listed, sandboxes at the exits, the last being complete
    (
        "z3_subdir_checkpoint",
        "spool_after_two.txt",
        ["a/b/c"],
        [{"a": {"b": {"c": "1"}}}, {"a": {"b": {"c": "2"}}}],
    ),
    (
        "t_rotating_dir",
        "spool_after_two.txt",
        ["ckpt"],
        [{"ckpt": {"0002": "2"}}, {"ckpt": {"0004": "4"}}],
    ),
    (
        "z1_input_is_checkpoint",
        "spool_after_evict.txt",
        ["example.checkpoint"],
        [{"example.checkpoint": "3"}],
    ),
    ("z5_stdout_only", "spool_after_first_checkpoint.txt", [], [{"example.checkpoint": "3"}]),
    (
        "l4_missing_then_there",
        "spool_held.txt",
        ["example.checkpoint"],
        [{"example.checkpoint": "3"}, {}],
    ),
    (
        "l1_missing_at_checkpoint",
        "spool_held.txt",
        ["example.checkpoint", "not_there"],
        [{"example.checkpoint": "3"}],
    ),
]


@pytest.mark.skipif(not GOLDEN.exists(), reason="the golden runs are not at hand")
@pytest.mark.parametrize(("run", "listing", "wanted", "exits"), GOLDEN_RUNS)
def test_the_spool_comes_to_hold_what_htcondors_held(tmp_path, run, listing, wanted, exits):
    seen = dumped(run, listing)
    outputs = [seen[""].get("_condor_stdout", ""), seen[".tmp"].get("_condor_stdout", "")]
    spool = Spool(tmp_path / "spool")
    for number, made in enumerate(exits):
        whole = number < len(exits) - 1 or not seen[".tmp"]
        box = tmp_path / f"scratch{number}"
        put(box, {**made, "_condor_stdout": outputs[not whole], "_condor_stderr": ""})
        try:
            send(box, wanted, {}, spool.incoming(63, 0), stdio=STDIO)
            spool.commit(63, 0)
            assert whole
        except Missing:
            assert not whole
    folder = spool.folder(63, 0)
    assert members(folder) == seen[""]
    assert members(folder.with_name(f"{folder.name}.tmp")) == seen[".tmp"]


def test_a_path_that_was_flattened_comes_back_flat_as_in_golden_z3(tmp_path):
    spool = Spool(tmp_path / "spool")
    put(tmp_path / "first", {"a": {"b": {"c": "2"}}})
    send(tmp_path / "first", ["a/b/c"], {}, spool.incoming(7, 0))
    spool.commit(7, 0)
    stage(tmp_path / "second", [], spool.folder(7, 0))
    assert tree(tmp_path / "second") == {"c": "2"}


def test_a_preserved_path_comes_back_where_it_was_as_in_run_z4(tmp_path):
    spool = Spool(tmp_path / "spool")
    put(tmp_path / "first", {"a": {"b": {"c": "2"}}})
    send(tmp_path / "first", ["a/b/c"], {}, spool.incoming(7, 0), preserve=True)
    spool.commit(7, 0)
    stage(tmp_path / "second", [], spool.folder(7, 0))
    assert tree(tmp_path / "second") == {"a": {"b": {"c": "2"}}}


def test_stale_files_come_back_too_as_in_run_t2(tmp_path):
    spool = Spool(tmp_path / "spool")
    for value in "2", "4":
        put(tmp_path / value, {f"ck.000{value}": value})
        send(tmp_path / value, None, {}, spool.incoming(7, 0))
        spool.commit(7, 0)
    stage(tmp_path / "after", [], spool.folder(7, 0))
    assert tree(tmp_path / "after") == {"ck.0002": "2", "ck.0004": "4"}


# The end of a sandbox.


def as_nobody(act):
    """Do it in a process without root's right to pass over modes; 0 if all went well."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            act()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


def test_a_sandbox_is_deleted_whatever_the_modes():
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o777)
        box = Path(top) / "scratch"

        def locked():
            put(box, {"d": {"e": {"f": "1"}, "h": {}}, "g": "1"})
            for path in box / "d/e", box / "d/h", box / "d", box:
                path.chmod(0)
            with pytest.raises(PermissionError):
                list(box.iterdir())
            clear(box)

        assert as_nobody(locked) == 0
        assert not box.exists()


def test_links_in_a_sandbox_are_deleted_and_not_what_they_point_to(box, outside):
    put(box, {"d": {}})
    (box / "link").symlink_to(outside)
    (box / "d/link").symlink_to(outside / "secret")
    os.mkfifo(box / "fifo")
    clear(box)
    clear(box)
    assert not box.exists()
    assert tree(outside) == {"secret": SECRET, "directory": {"secret": SECRET}}


def test_directories_deeper_than_any_path_can_be_long_are_deleted_but_not_sent(box, to):
    folder = os.open(box, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("directory", dir_fd=folder)
        inner = os.open("directory", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    with pytest.raises(TransferError) as told:
        send(box, ["directory"], {}, to)
    assert told.value.reason == "directories too deep"
    clear(box)
    assert not box.exists()


def test_a_link_is_not_taken_for_a_sandbox(box, outside):
    (box / "link").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        clear(box / "link")
    assert tree(outside) == {"secret": SECRET, "directory": {"secret": SECRET}}
