"""Submit files with some commands set anew; judged by HTCondor's own parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.htcondor.submitedit import difference, edited

FILE = """\
# my job
Executable   = prog   # not a comment: HTCondor has none at the end of a line
arguments    = a \\
               b
+JobFlavour = "long"
arguments    = $(interval)

  queue 3
"""


def test_a_command_is_set_where_it_stands_last_and_in_its_spelling():
    assert edited(FILE, {"executable": "other", "arguments": "x", "my.jobflavour": '"short"'}) == (
        """\
# my job
Executable   = other
arguments    = a \\
               b
+JobFlavour = "short"
arguments    = x

  queue 3
"""
    )


def test_one_that_is_not_there_comes_before_the_queue():
    assert edited("a = 1\n\nqueue\n", {"log": "job.log"}) == "a = 1\n\nlog = job.log\nqueue\n"


def test_one_that_is_to_go_is_gone_wherever_it_stood():
    assert edited(FILE, {"arguments": None}) == (
        """\
# my job
Executable   = prog   # not a comment: HTCondor has none at the end of a line
+JobFlavour = "long"

  queue 3
"""
    )


def test_what_is_not_there_cannot_go():
    assert edited("queue\n", {"log": None}) == "queue\n"


def test_another_name_for_a_command_is_that_command():
    assert edited("stdout = a\nqueue\n", {"output": "b"}) == "stdout = b\nqueue\n"
    assert edited("KillSig = a\nqueue\n", {"kill_sig": "b"}) == "KillSig = b\nqueue\n"


def test_the_items_of_a_queue_are_no_commands():
    text = "log = a\nqueue name from (\nlog = 1\n)\n"
    assert edited(text, {"log": "b"}) == "log = b\nqueue name from (\nlog = 1\n)\n"


def test_a_value_over_many_lines_is_one_command():
    text = "arguments @=end\na\nb\n@end\nqueue\n"
    assert edited(text, {"arguments": "c"}) == "arguments = c\nqueue\n"


def test_the_difference_is_that_of_diff():
    assert difference("a = 1\nqueue\n", "a = 2\nqueue\n", "old.sub", "new.sub") == (
        "--- old.sub\n+++ new.sub\n@@ -1,2 +1,2 @@\n-a = 1\n+a = 2\n queue\n"
    )


NAMES = st.sampled_from(["executable", "arguments", "output", "log", "my_own", "+Mine", "My.Other"])
VALUES = st.text("abcXYZ019 ._-$()/", min_size=1, max_size=12).map(str.strip).filter(bool)
LINES = st.one_of(
    st.builds("{} = {}".format, NAMES, VALUES),
    st.builds("{}={} \\\n  {}".format, NAMES, VALUES, VALUES),
    st.sampled_from(["", "# a comment", "   # log = none"]),
)


@given(st.lists(LINES, max_size=8), st.dictionaries(NAMES, VALUES, max_size=4))
def test_htcondor_reads_the_old_values_and_the_new(lines, values):
    submit = pytest.importorskip("htcondor2").Submit
    text = "\n".join([*lines, "queue"]) + "\n"
    expected = {name.casefold(): value for name, value in submit(text).items()}
    for name, value in values.items():
        bare = name.casefold().replace("+", "my.")
        expected[bare] = value
    found = submit(edited(text, values))
    assert {name.casefold(): value for name, value in found.items()} == expected
