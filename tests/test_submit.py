"""Submit files, judged by what HTCondor's own bindings 24.0.24 made of the same lines.

`htcondor.Submit(text).jobs(clusterid=7)` of the wheel 24.0.24 gave the literals that are marked
"24.0.24"; it is the last one that makes whole ads without a pool.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.htcondor import arguments, jobcommands, submit
from ckptsim.htcondor.submitfile import NO_WHEEL, SubmitError, statements

classad2 = pytest.importorskip("classad2", reason="HTCondor's bindings are for Linux alone")

GOLDEN = sorted(Path(__file__).with_name("golden").glob("*/job.sub"))
# Submitted at 2026-11-22 12:00:00 UTC.
AT = 1795348800
# self-checkpointing-applications.rst of HTCondor's manual, as printed.
MANUAL = """\
    checkpoint_exit_code        = 85
    transfer_output_files       = example.checkpoint
    should_transfer_files       = yes

    executable                  = example.py
    arguments                   =

    output                      = example.out
    error                       = example.err
    log                         = example.log

    queue 1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "example.py").write_text("#!/usr/bin/env python3\n")
    return tmp_path


def read(folder, *lines, queue="queue"):
    text = "\n".join(["executable = example.py", *lines, queue, ""])
    return submit.read(text, folder, 7, AT)


def one(folder, *lines):
    (ad,) = read(folder, *lines)
    return ad


def refused(folder, *lines, queue="queue"):
    with pytest.raises(SubmitError) as error:
        read(folder, *lines, queue=queue)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("submit description")


# --- the whole of it ------------------------------------------------------------------------------


def test_the_example_of_the_manual(folder):
    (ad,) = submit.read(MANUAL, folder, 635, AT)
    assert {name: ad[name] for name in ("ClusterId", "ProcId", "QDate", "Iwd", "Cmd")} == {
        "ClusterId": 635,
        "ProcId": 0,
        "QDate": AT,
        "Iwd": str(folder),
        "Cmd": f"{folder}/example.py",
    }
    assert (ad["Out"], ad["Err"], ad["In"]) == ("example.out", "example.err", "/dev/null")
    assert ad["UserLog"] == f"{folder}/example.log"
    assert (ad["SuccessCheckpointExitCode"], ad["WantFTOnCheckpoint"]) == (85, True)
    assert (ad["ShouldTransferFiles"], ad["WhenToTransferOutput"]) == ("YES", "ON_EXIT")
    assert ad["JobLeaseDuration"] == 2400
    assert submit.names(ad, "TransferOutput") == ["example.checkpoint"]
    assert submit.names(ad, "TransferCheckpoint") is None
    assert submit.argv(ad) == []
    assert submit.environment(ad) == {}
    assert submit.requirements(ad).eval() is True


@pytest.mark.skipif(not GOLDEN, reason="the recorded runs are not here")
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_what_a_real_pool_took_is_taken(path, tmp_path):
    for name in ("example.py", "input.txt", "example.checkpoint"):
        (tmp_path / name).touch()
    if path.parent.name == "o_checkpoint_destination":
        with pytest.raises(SubmitError, match=r"job\.sub:13: `checkpoint_destination` is not supp"):
            submit.read(path, tmp_path, 1, AT)
        return
    submission = submit.read_all(path, tmp_path, 1, AT)
    assert len(submission.ads) == 1
    unread = path.parent.name == "w_timing"  # its job_ad_information_attrs
    assert len(submission.warnings) == unread
    assert all("`job_ad_information_attrs` has no effect" in w for w in submission.warnings)
    wrote = re.search(r"^requirements = (.*)$", path.read_text(), re.MULTILINE)[1]
    assert str(submit.requirements(submission.ads[0])) == str(classad2.ExprTree(wrote))


def test_the_value_of_every_command(folder):
    """24.0.24, but for the requirements, which are the user's own alone here."""
    ad = one(
        folder,
        *("preserve_relative_paths = true", "request_cpus = 2", "request_memory = 1.5GB"),
        *("request_disk = 3 TB", "request_gpus = 1", "rank = Memory", "prio = 3"),
        *("on_exit_hold = ExitCode == 3", 'on_exit_hold_reason = strcat("a","b")'),
        *("on_exit_hold_subcode = 7", "periodic_hold = JobStatus == 2", "periodic_release = true"),
        *("periodic_remove = false", "allowed_job_duration = 100", "allowed_execute_duration = 10"),
        *("kill_sig = 12", "remove_kill_sig = SIGUSR1", "kill_sig_timeout = 13"),
        *("job_max_vacate_time = 33", "job_lease_duration = 1200", "want_io_proxy = true"),
        *("job_ad_information_attrs = A, B", "batch_name = foo", "hold = true", "+Foo = 1"),
        *('MY.Bar = "x$(Process)"', "+Expr = JobStatus + 1", "requirements = Memory > 5"),
    )
    expected = {
        "PreserveRelativePaths": "true",
        "RequestCpus": "2",
        "RequestMemory": "1536",
        "RequestDisk": "3221225472",
        "RequestGPUs": "1",
        "Rank": "Memory",
        "JobPrio": "3",
        "OnExitHold": "ExitCode == 3",
        "OnExitHoldReason": 'strcat("a","b")',
        "OnExitHoldSubCode": "7",
        "PeriodicHold": "JobStatus == 2",
        "PeriodicRelease": "true",
        "PeriodicRemove": "false",
        "AllowedJobDuration": "100",
        "AllowedExecuteDuration": "10",
        "KillSig": '"SIGUSR2"',
        "RemoveKillSig": '"SIGUSR1"',
        "KillSigTimeout": "13",
        "JobMaxVacateTime": "33",
        "JobLeaseDuration": "1200",
        "WantIOProxy": "true",
        "JobAdInformationAttrs": '"A, B"',
        "JobBatchName": '"foo"',
        "JobStatus": "5",
        "HoldReason": '"submitted on hold at user\'s request"',
        "HoldReasonCode": "15",
        "Foo": "1",
        "Bar": '"x0"',
        "Expr": "JobStatus + 1",
        "Requirements": "Memory > 5",
    }
    assert {name: str(ad.lookup(name)) for name in expected} == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [  # 24.0.24, which leaves the brackets out
        (["max_retries = 2"], "ExitCode is 0"),
        (["success_exit_code = 3"], "ExitCode is JobSuccessExitCode"),
        (["retry_until = 4"], "ExitCode is 0 || ExitCode is 4"),
        (["retry_until = ExitCode > 3", "max_retries = 1"], "ExitCode is 0 || (ExitCode > 3)"),
        (["max_retries = 2", "on_exit_remove = ExitCode == 9"], "ExitCode is 0 || (ExitCode == 9)"),
    ],
)
def test_retries_are_an_expression_on_exit(folder, lines, expected):
    ad = one(folder, *lines)
    whole = f"NumJobCompletions > JobMaxRetries || {expected}"
    assert str(ad.lookup("OnExitRemove")) == whole


def test_without_a_number_of_retries_there_are_two(folder):
    assert one(folder, "retry_until = 4")["JobMaxRetries"] == 2


def test_the_memory_asked_for_is_the_size_of_the_executable_at_least(folder):
    ad = one(folder)
    assert ad.lookup("RequestMemory").eval(ad) == 1
    assert ad.lookup("RequestDisk").eval(ad) == 1


# --- arguments and environment --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [  # 24.0.24, in its own way of quoting
        ("\"one 'two words'\"", ["one", "two words"]),
        ("\"one 'two words' \"\"q\"\" 'it''s'\"", ["one", "two words", '"q"', "it's"]),
        ("\"a '' b\"", ["a", "", "b"]),
        ("\"3 pre'  'post\"", ["3", "pre  post"]),
        ("'a b' c", ["'a", "b'", "c"]),
        ('one \\"two\\" c\\d', ["one", '"two"', "c\\d"]),
        ("", []),
        ('""', []),
    ],
)
def test_arguments_in_both_ways_of_writing(folder, value, expected):
    assert submit.argv(one(folder, f"arguments = {value}")) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"A=1 B=\'x y\' C=""q"""', {"A": "1", "B": "x y", "C": '"q"'}),
        ("A=1;B=x y", {"A": "1", "B": "x y"}),
        ('"FOO="', {"FOO": ""}),
    ],
)
def test_environment_in_both_ways_of_writing(folder, value, expected):
    assert submit.environment(one(folder, f"environment = {value}")) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('arguments = one "two', ':2: `arguments = one "two`: a double quote must be written'),
        ('arguments = "one \'two"', ':2: `arguments = "one \'two"`: a single quote is not clos'),
        ('arguments = "a" b', ':2: `arguments = "a" b`: expected "…" with each double quote'),
        ("environment = A=1;B", ":2: `environment = A=1;B`: expected NAME=value, found 'B'"),
    ],
)
def test_quotes_that_do_not_fit(folder, line, message):
    assert message in refused(folder, line)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]))))
def test_any_words_can_be_written_and_read_again(words):
    assert arguments.split(arguments.join(words)) == words


def test_getenv_takes_what_is_named(folder, monkeypatch):
    monkeypatch.setenv("CKPT_ONE", "1")
    monkeypatch.setenv("CKPT_TWO", "it's 2")
    monkeypatch.setenv("OTHER", "3")
    ad = one(folder, "getenv = ckpt_*, !CKPT_ONE", "environment = A=1")
    assert submit.environment(ad) == {"A": "1", "CKPT_TWO": "it's 2"}
    given_wins = one(folder, "getenv = true", "environment = OTHER=mine")
    assert submit.environment(given_wins)["OTHER"] == "mine"
    assert submit.environment(one(folder, "getenv = false")) == {}


# --- macros and the queue statement ---------------------------------------------------------------


def of_each(folder, queue, value):
    return [submit.argv(ad) for ad in read(folder, f"arguments = {value}", queue=queue)]


def test_the_variables_of_each_job(folder):
    """24.0.24 for `queue 2 x in (a, b)`."""
    value = "$(Cluster).$(Process) $(ClusterId).$(ProcId) s$(Step) r$(Row) $(ItemIndex) $(x)"
    assert of_each(folder, "queue 2 x in (a, b)", value) == [
        ["7.0", "7.0", "s0", "r0", "0", "a"],
        ["7.1", "7.1", "s1", "r0", "0", "a"],
        ["7.2", "7.2", "s0", "r1", "1", "b"],
        ["7.3", "7.3", "s1", "r1", "1", "b"],
    ]
    ads = read(folder, "output = out.$(Process)", "log = $(Cluster).$(ProcId).log", queue="queue 2")
    assert [ad["Out"] for ad in ads] == ["out.0", "out.1"]
    assert [ad["UserLog"] for ad in ads] == [f"{folder}/7.0.log", f"{folder}/7.1.log"]


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ("queue in (a b)", ["a|", "b|"]),
        ("Queue x In a b", ["|a", "|b"]),
        ("queue x in [1:] (a, b,c)", ["|b", "|c"]),
        ("queue x in [::2] (a b c)", ["|a", "|c"]),
        ("queue x in [-1:] (a b c)", ["|c"]),
        ("queue x in [1] (a b c)", ["|b"]),
        ("queue x in [-1] (a b c)", ["|c"]),
        ("queue x in (\na\nb b\n)", ["|a", "|b", "|b"]),
        ("queue x from (\n a\n\n # no\n  b\n)", ["|a", "|b"]),
        ("queue x from items.txt", ["|one", "|two,2"]),
        ("queue x from [1:] items.txt", ["|two,2"]),
        ("queue x from cat items.txt |", ["|one", "|two,2"]),
        ("queue x matching *.d*", ["|a.dat", "|b.dir/"]),
        ("queue x matching files *.d* a.*", ["|a.dat"]),
        ("queue x matching dirs *", ["|b.dir/"]),
        ("queue x from $(list)", ["|one", "|two,2"]),
        ("queue 1+1", ["|", "|"]),
        ("queue $(n)", ["|", "|", "|"]),
    ],
)
def test_the_items_of_the_queue(folder, queue, expected):
    (folder / "items.txt").write_text("one\n  two,2\n")
    (folder / "a.dat").touch()
    (folder / ".a.dat").touch()
    (folder / "b.dir").mkdir()
    lines = ["list = items.txt", "n = 3", "arguments = $(Item)|$(x)"]
    ads = read(folder, *lines, queue=queue)
    assert [submit.argv(ad) for ad in ads] == [[text] for text in expected]


def test_an_item_is_split_among_the_variables_as_htcondor_does(folder):
    """24.0.24: the comma after a space stays with the rest."""
    queue = "queue x,y from (\na , b\na,,b\na b c\na\n)"
    value = "\"'$(x)' '$(y)'\""
    assert of_each(folder, queue, value) == [["a", ", b"], ["a", ",b"], ["a", "b c"], ["a", ""]]


def test_macros_are_expanded_by_htcondor(folder, monkeypatch):
    monkeypatch.setenv("CKPT_ONE", "here")
    ad = one(
        folder,
        *("n = 6", "m = $(n) 7", "n = 5", "n = $(n)0", "path = /a/b.c"),
        "arguments = $(m) $(none:deflt) $INT(n) $Fnx(path) $ENV(CKPT_ONE) $(none)",
    )
    assert submit.argv(ad) == ["50", "7", "deflt", "50", "b.c", "here"]


def test_if_include_and_continued_lines(folder):
    (folder / "more.inc").write_text("request_cpus = 4\n")
    ad = one(
        folder,
        *("include : more.inc", "if defined none", "priority = 1", "else", "priority = 2", "endif"),
        "arguments = a \\\n  b",
    )
    assert (ad["RequestCpus"], ad["JobPrio"], submit.argv(ad)) == (4, 2, ["a", "b"])


def test_macros_in_a_circle_are_refused_not_run_for_ever(folder):
    assert ":2: the macro `a` needs its own value" in refused(folder, "a = $(b)", "b = $F(a)")


def test_an_item_that_names_its_own_variable_is_refused(folder):
    queue = "queue x, y from (\n$(y) $(x)\n)"
    assert "needs its own value" in refused(folder, "arguments = $(x)", queue=queue)
    queue = "queue x from (\n$(a)\n)"
    assert "needs its own value" in refused(folder, "a = $(x)", "arguments = $(x)", queue=queue)


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ("queue 1\nqueue 2", ":3: a second `queue` is not supported by ckptsim's pool"),
        ("queue 1\npriority = 3", ":3: a line after `queue` is not supported"),
        ("if true\nqueue 1\nendif", ":4: a line after `queue` is not supported"),
        ("", ": no `queue` statement; expected one as the last line"),
        ("queue banana", ":2: queue: expected a number of jobs, found 'banana'"),
        ("queue 0", ":2: queue: this would be 0 jobs; expected from 1 to 20000 jobs"),
        ("queue -1", ":2: queue: this would be -1 jobs"),
        ("queue 1.5", ":2: queue: expected a number of jobs, found '1.5'"),
        ("queue x from nothing.txt", ":2: queue: nothing.txt: No such file or directory"),
        ("queue x from blank.txt", ":2: queue: line 2 of blank.txt is blank"),
        ("queue x from false |", ":2: queue: false |: Command"),
        ("queue x matching *.nothing", ":2: queue: nothing matches '*.nothing'"),
        ("queue x from (\na\n", ":2: queue: the list of items is not closed by a line `)`"),
    ],
)
def test_queue_statements_that_are_refused(folder, queue, message):
    (folder / "blank.txt").write_text("a\n\nb\n")
    assert message in refused(folder, queue=queue)


def test_a_line_that_cannot_be_read_is_named(folder):
    message = refused(folder, "priority = 1", "this is no statement", "priority = 2")
    assert message.startswith(":3: 'this is no statement' cannot be read; expected `name = value`")


def test_lines_are_counted_over_continued_ones_and_long_values():
    text = "a = 1 \\\n 2\n\n# b\nc @=end\nqueue\n@end\nd = 1\nqueue x from (\nq = 2\n)\n"
    found = [(s.line, s.text.split()[0]) for s in statements(text)]
    assert found == [(1, "a"), (5, "c"), (8, "d"), (9, "queue")]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("universe = docker", "`universe = docker` is not supported by ckptsim's pool; expected v"),
        ("docker_image = x", "`docker_image` is not supported by ckptsim's pool; run the exec"),
        ("Docker_Anything = x", "`docker_anything` is not supported"),
        ("request_quanta = 3", "`request_quanta` is not supported"),
        ("concurrency_limits = a", "`concurrency_limits` is not supported"),
        ("stream_output = true", "`stream_output = true` is not supported by ckptsim's pool; exp"),
        ("should_transfer_files = no", "`should_transfer_files = no` is not supported"),
        ("should_transfer_files = maybe", "`should_transfer_files = maybe` is not supported"),
        ("when_to_transfer_output = never", "expected one of ON_EXIT, ON_EXIT_OR_EVICT, ON_SUCC"),
        ("transfer_input_files = http://a/b", "http://a/b: a URL is not supported"),
        ("transfer_input_files = none.dat", "/none.dat: no such file"),
        ("transfer_output_files = /etc/passwd", "/etc/passwd: expected a name inside the job's"),
        ("transfer_checkpoint_files = a/../../b", "a/../../b: expected a name inside the job's"),
        ('transfer_output_files = "a"', '"a": HTCondor would take the quotes as part of the name'),
        ('transfer_output_remaps = "a=../b"', "outside the submit folder"),
        ('transfer_output_remaps = "a"', 'expected "name = target; …"'),
        ("output = /etc/out", "/etc/out: outside the submit folder"),
        ("error = ../err", "/err: outside the submit folder"),
        ("log = link/job.log", "outside the submit folder"),
        ("output = none/out", "/none: no such directory"),
        ("initialdir = none", "/none: no such directory"),
        ("executable = none.py", "/none.py: no such file; expected the executable"),
        ("arguments = $$(OpSys)", "a value filled in at the match, `$$(…)`, is not supported"),
        ("arguments = $INT(word)", "a macro in '$INT(word)' cannot be expanded"),
        ("arguments = $(dice)", "a macro in '$(dice)' cannot be expanded"),
        ("checkpoint_exit_code = x", "`checkpoint_exit_code = x`: expected a whole number"),
        ("checkpoint_exit_code = 300", "expected an exit code from 0 to 255"),
        ("kill_sig = usr1", "`kill_sig = usr1`: expected a signal such as SIGUSR1 or 10"),
        ("max_retries = x", "`max_retries = x`: expected a whole number"),
        ("want_io_proxy = maybe", "`want_io_proxy = maybe`: expected true or false"),
        ("periodic_hold = foo(", "`periodic_hold = foo(`: expected a ClassAd expression"),
        ("+Foo = a ==", "`my.foo = a ==`: expected a ClassAd expression"),
        ("requirements = (Memory", "`requirements = (Memory`: expected a ClassAd expression"),
    ],
)
def test_what_the_pool_does_not_do_is_refused_by_name_and_line(folder, line, message):
    (folder / "link").symlink_to("/tmp")
    found = refused(folder, "dice = $INT(word)", line)
    assert found.startswith(":3: ")
    assert message in found


def test_if_needed_does_not_go_with_transfer_at_eviction(folder):
    when = "when_to_transfer_output = on_exit_or_evict"
    assert "expected yes" in refused(folder, when, "should_transfer_files = if_needed")
    assert one(folder, when)["ShouldTransferFiles"] == "YES"  # 24.0.24
    assert one(folder)["ShouldTransferFiles"] == "IF_NEEDED"  # 24.0.24


def test_no_command_is_both_honoured_and_refused():
    groups = [set(jobcommands.HONOURED), jobcommands.READ, jobcommands.WITHOUT_EFFECT]
    groups += [set(jobcommands.ONLY), set(jobcommands.SAME) - set(jobcommands.HONOURED)]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert [name for group in groups for name in group if jobcommands.refusal(name)] == []


@pytest.mark.parametrize(
    ("line", "warnings"),
    [
        (
            "CheckpointExitCode = 77",  # as in the manual of 8.9
            ["`checkpointexitcode` is no command and nothing uses it; did you mean 'checkpoint_ex"],
        ),
        (
            "requst_cpus = 3",
            ["`requst_cpus` is no command and nothing uses it; did you mean 'requ"],
        ),
        ("zebra = 3", []),
        ("outputs = a\narguments = $(outputs)", []),
    ],
)
def test_a_macro_that_looks_like_a_misspelt_command_is_told(folder, line, warnings):
    text = f"executable = example.py\n{line}\nqueue\n"
    found = submit.read_all(text, folder, 7, AT).warnings
    assert len(found) == len(warnings)
    for message, expected in zip(found, warnings, strict=True):
        assert message.startswith(f"submit description:2: {expected}")


# --- files ----------------------------------------------------------------------------------------


def test_lists_of_files(folder):
    for name in ("a.txt", "b c"):
        (folder / name).touch()
    (folder / "d").mkdir()
    ad = one(
        folder,
        *("transfer_input_files = a.txt, b c , d/", 'transfer_output_files = ""'),
        *("transfer_checkpoint_files = x , y/z", 'transfer_output_remaps = "x=x.0; y=d/y"'),
    )
    assert ad["TransferInput"] == "a.txt,b c,d/"
    assert submit.names(ad, "TransferOutput") == []
    assert submit.names(ad, "TransferCheckpoint") == ["x", "y/z"]
    assert submit.remaps(ad) == {"x": "x.0", "y": "d/y"}
    assert submit.names(one(folder, "transfer_output_files ="), "TransferOutput") is None


def test_initialdir_is_where_all_but_the_executable_is(folder):
    (folder / "run0").mkdir()
    (folder / "run0" / "in.txt").touch()
    lines = ["initialdir = run$(Process)", "input = in.txt", "output = o", "log = l"]
    ad = one(folder, *lines)
    assert ad["Iwd"] == f"{folder}/run0"
    assert ad["UserLog"] == f"{folder}/run0/l"
    assert ad["Cmd"] == f"{folder}/example.py"
    assert (ad["In"], ad["Out"]) == ("in.txt", "o")


def test_an_absolute_output_inside_the_submit_folder_is_taken(folder):
    assert one(folder, f"output = {folder}/o")["Out"] == f"{folder}/o"
    assert one(folder, "output = /dev/null")["Out"] == "/dev/null"


def test_an_executable_that_is_there_already(folder):
    ad = one(folder, "executable = /bin/sh", "transfer_executable = false")
    assert (ad["Cmd"], ad["TransferExecutable"]) == ("/bin/sh", False)


def test_an_own_attribute_wins_and_asks_for_transfers_too(folder):
    ad = one(folder, "+SuccessCheckpointExitCode = 77", "KillSig = SIGINT")
    assert (ad["SuccessCheckpointExitCode"], ad["WantFTOnCheckpoint"]) == (77, True)
    assert ad["KillSig"] == "SIGINT"


def test_a_submit_file_that_is_not_there(tmp_path):
    with pytest.raises(SubmitError, match=r"none\.sub: No such file or directory; expected a sub"):
        submit.read(tmp_path / "none.sub", tmp_path, 1, AT)


def test_without_the_bindings_one_line_says_what_to_install(folder):
    code = (
        "import sys; sys.modules['htcondor2'] = sys.modules['classad2'] = None\n"
        "from pathlib import Path; from ckptsim.htcondor import submit\n"
        "try: submit.read(sys.argv[1], Path(sys.argv[2]), 1, 0)\n"
        "except submit.SubmitError as error: print(error)\n"
    )
    argv = [sys.executable, "-c", code, MANUAL, str(folder)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == (NO_WHEEL + "\n", "")


def test_the_bindings_complain_of_no_missing_configuration(folder):
    code = (
        "import os, sys; from pathlib import Path; from ckptsim.htcondor import submit\n"
        "ads = submit.read(sys.argv[1], Path(sys.argv[2]), 1, 0)\n"
        "print(len(ads), 'CONDOR_CONFIG' in os.environ)"
    )
    argv = [sys.executable, "-W", "always", "-c", code, MANUAL, str(folder)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, env={})
    assert (ran.stdout, ran.stderr) == ("1 False\n", "")


@pytest.mark.parametrize("command", ["log", "output", "error"])
def test_a_file_that_cannot_be_written_is_refused(tmp_path, monkeypatch, command):
    (tmp_path / "job.sh").touch()
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    text = f"executable = job.sh\n{command} = there\nqueue\n"
    with pytest.raises(SubmitError, match=r"^submit description:2: .*there: cannot be written"):
        submit.read(text, tmp_path, 1, 0)
