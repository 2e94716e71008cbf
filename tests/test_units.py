import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim import units
from ckptsim.errors import ScenarioError

MIN = 60 * 10**9
TIMES = st.integers(0, units.LONGEST)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("84 min", 84 * MIN),
        ("1h24m", 84 * MIN),
        ("90min", 90 * MIN),
        ("90 Minutes", 90 * MIN),
        ("1.5 h", 90 * MIN),
        ("1 hour 30 minutes", 90 * MIN),
        ("2d 3h", 51 * 60 * MIN),
        ("1w", 7 * 24 * 60 * MIN),
        ("500ms", 500_000_000),
        ("30 s", 30_000_000_000),
        (".5s", 500_000_000),
        ("1e3 s", 1_000_000_000_000),
        ("7us", 7_000),
        ("7 µs", 7_000),
        ("3ns", 3),
        ("0.1 ns", 0),
        ("0.3s", 300_000_000),
        ("0", 0),
        ("0.0", 0),
        ("1:30:00", 90 * MIN),
        ("0:00:01.5", 1_500_000_000),
        ("100:00:00", 6000 * MIN),
        ("1-12:00:00", 2160 * MIN),
        ("1+12:00:00", 2160 * MIN),
        ("36525 d", 36525 * 24 * 60 * MIN),
    ],
)
def test_durations_are_exact_nanoseconds(text, ns):
    assert units.duration(text) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("90", "90: no unit; write for example 90min"),
        ("-5 min", "'-5 min': negative"),
        ("", "'': empty"),
        ("soon", "'soon': not a duration"),
        ("5 parsecs", "'5 parsecs': parsecs is no unit of time"),
        ("5 min 3", "'5 min 3': not a duration"),
        ("5 min,", "'5 min,': not a duration"),
        ("1:30", "'1:30': not a duration; with colons it is H:MM:SS or D-HH:MM:SS"),
        ("1:60:00", "'1:60:00': no such time"),
        ("1-24:00:00", "'1-24:00:00': no such time"),
        ("101 years", "'101 years': years is no unit"),
        ("36526 d", "'36526 d': more than 100 years"),
        ("1e999d", "'1e999d': more than 100 years"),
        ("1" * 5000 + "s", "too long for a duration"),
        ("nan s", "'nan s': not a duration"),
        ("١ h", "not a duration"),
    ],
)
def test_what_is_no_duration_is_told_with_an_example(text, message):
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        units.duration(text)
    assert "\n" not in str(caught.value)


def assert_reads_or_refuses(read, text, most):
    message = ""
    try:
        assert 0 <= read(text) <= most
    except ScenarioError as mistake:
        message = str(mistake)
    assert message.isprintable()


@given(st.text(max_size=30) | st.from_regex(r"[-0-9.:eE+ dhmsin]{1,20}", fullmatch=True))
def test_any_text_is_a_duration_or_one_clear_line(text):
    assert_reads_or_refuses(units.duration, text, units.LONGEST)


@given(st.text(max_size=30) | st.from_regex(r"[0-9.]{1,5} ?[kMGTi]{0,2}[bBits/p]{0,4}"))
def test_any_text_is_a_size_and_a_rate_or_one_clear_line(text):
    assert_reads_or_refuses(units.size, text, 10**18)
    assert_reads_or_refuses(units.rate, text, 10**18)


@given(TIMES)
def test_spelled_times_come_back(ns):
    assert units.duration(units.spelled(ns)) == ns


@given(st.floats(0, 3e9))
def test_spelled_seconds_come_back_bit_for_bit(seconds):
    assert units.duration_seconds(units.spelled_seconds(seconds)) == seconds


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (84 * MIN, "1h24min"),
        (40 * MIN, "40min"),
        (24 * 60 * MIN, "24h"),
        (48 * 60 * MIN, "2d"),
        (51 * 60 * MIN, "51h"),
        (90_500_000_000, "1min30.5s"),
        (500_000_000, "500ms"),
        (7_000, "7us"),
        (7_001, "7001ns"),
        (0, "0s"),
    ],
)
def test_spelled(ns, text):
    assert units.spelled(ns) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (1, "1 ns"),
        (50_000_000, "50 ms"),
        (500_000_000, "0.5 s"),
        (12_345_000_000, "12.3 s"),
        (59_940_000_000, "59.9 s"),
        (59_960_000_000, "1 min"),
        (5 * MIN, "5 min"),
        (84 * MIN, "1 h 24 min"),
        (5_025_000_000_000, "1 h 23 min 45 s"),
        (60 * MIN - 1, "1 h"),
        (24 * 60 * MIN - 1, "1 d"),
        (51 * 60 * MIN, "2 d 3 h"),
        (48 * 60 * MIN - 10**9, "2 d"),
        (-5 * MIN, "-5 min"),
    ],
)
def test_show(ns, text):
    assert units.show(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (83, "83 B"), (999, "999 B"), (1_048_576, "1.05 MB"), (30 * 10**9, "30 GB")],
)
def test_show_size(size, text):
    assert units.show_size(size) == text


@given(TIMES)
def test_what_is_shown_is_near_and_short(ns):
    shown = units.show(ns)
    assert len(shown.split()) <= 6
    assert not re.search(r"\b(60 s|60 min|24 h)\b", shown)
    error = abs(units.duration(shown) - ns)
    finest = 10**9 if ns >= MIN else Fraction(ns, 100)
    assert error <= (30 * 10**9 if ns >= units.DAY - 10**9 else finest)


@pytest.mark.parametrize(
    ("ns", "seconds"), [(0, 0), (84 * MIN, 5040), (1_500_000_000, 1.5), (1, 1e-9)]
)
def test_seconds_are_whole_where_they_can_be(ns, seconds):
    assert units.seconds(ns) == seconds
    assert type(units.seconds(ns)) is type(seconds)
    assert units.nanoseconds(seconds) == ns


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GB", 2_000_000_000),
        ("2 GiB", 2_147_483_648),
        ("1.5MB", 1_500_000),
        ("5 kB", 5_000),
        ("5 KiB", 5_120),
        ("1 TB", 10**12),
        ("17 B", 17),
        ("1 EB", None),
        ("2000 PB", None),
        ("2 Gb", None),
        ("2G", None),
        ("2", None),
        ("-2 GB", None),
        ("much", None),
    ],
)
def test_sizes(text, size):
    if size is None:
        with pytest.raises(ScenarioError):
            units.size(text)
    else:
        assert units.size(text) == size
        assert units.size(units.spelled_size(size)) == size


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10 Gb/s", 1_250_000_000),
        ("10Gbps", 1_250_000_000),
        ("10 Gbit/s", 1_250_000_000),
        ("1.25 GB/s", 1_250_000_000),
        ("5 MiB/s", 5_242_880),
        ("8 b/s", 1),
        ("1 b/s", None),
        ("0 GB/s", None),
        ("5 GB", None),
        ("5 GB/h", None),
        ("5", None),
    ],
)
def test_rates(text, rate):
    if rate is None:
        with pytest.raises(ScenarioError):
            units.rate(text)
    else:
        assert units.rate(text) == rate
