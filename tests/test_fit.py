import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.conclude import conclude, limit_seen
from ckptsim.errors import DataError
from ckptsim.families import LOGNORMAL, WEIBULL
from ckptsim.fit import learn
from ckptsim.fitting import exponential, fits, fitted
from ckptsim.htcondor.leases import End, Lease
from ckptsim.lifetimes import Exponential, LogNormal, Weibull
from ckptsim.observed import Lifetimes, from_csv, from_leases
from ckptsim.survival import kaplan_meier

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("CKPTSIM_SHARED", HERE.parents[1] / "shared"))
LOGS = sorted((HERE / "data" / "condor-logs").glob("*.log")) + sorted(
    path
    for pattern in ("data/condor-logs/*/*.log", "data/condor-logs/*/*.txt", "golden/*/*.log")
    for path in SHARED.glob(pattern)
)
HOUR = 3600

# Weeks of remission of 21 leukaemia patients (6-MP), 12 of them censored: Freireich et al., Blood
# 21 (1963) 699. The survival is the textbooks' (Lawless, example 3.2.1); band and Weibull law are
# those of R's survfit(conf.type = "log-log") and survreg.
REMISSION = Lifetimes(
    (6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35),
    tuple(mark == "1" for mark in "111010100110001100000"),
)


def all_observed(*durations):
    return Lifetimes(tuple(map(float, durations)), (True,) * len(durations))


def leases(*told, log="a.log"):
    """Leases of a job each: (seconds, end) or (seconds, end, code)."""
    return [
        Lease(log, f"{job}.0", 0, int(seconds * 1e9), end, *code)
        for job, (seconds, end, *code) in enumerate(told)
    ]


# --- estimates ------------------------------------------------------------------------------------


def test_kaplan_meier_of_a_table_worked_by_hand():
    # 5 at risk: 4/5; one censored at 2; 3 at risk: 2/3 of that; 2 at risk, both end: 0.
    found = kaplan_meier(Lifetimes((1, 2, 3, 4, 4), (True, False, True, True, True)))
    assert found.times_s.tolist() == [1, 2, 3, 4]
    assert found.survival == pytest.approx([0.8, 0.8, 0.8 * 2 / 3, 0])


def test_kaplan_meier_of_published_data():
    found = kaplan_meier(REMISSION)
    steps = dict(zip(found.times_s, found.survival, strict=True))
    assert [round(steps[week], 3) for week in (6, 7, 10, 13, 16, 22, 23)] == [
        0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448,
    ]  # fmt: skip
    assert (found.low[0], found.high[0]) == pytest.approx((0.6197, 0.9516), abs=1e-4)


def test_the_band_stays_sound_where_the_formula_has_none():
    found = kaplan_meier(Lifetimes((1, 2, 3), (False, True, True)))
    assert np.all((found.low <= found.survival) & (found.survival <= found.high))


def test_the_exponential_is_total_time_over_ends():
    found = exponential(REMISSION)
    assert found.law == Exponential(359 / 9)
    # 2T/χ²: the table's values at 20 and 18 degrees of freedom.
    assert found.mean_interval_s == pytest.approx((2 * 359 / 34.170, 2 * 359 / 8.231), rel=1e-4)


@given(
    st.lists(st.tuples(st.floats(0.001, 1e6), st.booleans()), min_size=1, max_size=40).filter(
        lambda pairs: any(observed for _, observed in pairs)
    )
)
def test_the_exponential_is_exact_for_any_lifetimes(pairs):
    durations, observed = zip(*pairs, strict=True)
    found = exponential(Lifetimes(durations, observed))
    assert found.law.mean == math.fsum(durations) / sum(observed)
    low, high = found.mean_interval_s
    assert low < found.law.mean < high


def test_the_weibull_of_published_data():
    found = fitted(WEIBULL, REMISSION)
    assert (found.law.shape, found.law.scale) == pytest.approx((1.354, 33.77), rel=1e-3)


def test_the_lognormal_of_uncensored_data_is_mean_and_spread_of_the_logs():
    logs = np.array([1.0, 2.0, 4.0, 5.0, 9.0])
    found = fitted(LOGNORMAL, all_observed(*np.exp(logs)))
    assert math.log(found.law.median) == pytest.approx(4.2, rel=1e-3)
    assert found.law.sigma == pytest.approx(np.std(logs), rel=1e-3)


def test_to_drop_the_censored_lifetimes_is_the_classic_error():
    # theory.md, section 6. Over other seeds the scale has standard deviation 0.37 h, and 0.065 h
    # where the censored are dropped: the bounds are four of them.
    lifetimes = 8 * HOUR * np.random.default_rng(7).weibull(0.7, 2000)
    whole = Lifetimes(tuple(np.minimum(lifetimes, 6 * HOUR)), tuple(lifetimes < 6 * HOUR))
    found = fitted(WEIBULL, whole)
    assert found.law.scale / HOUR == pytest.approx(8, abs=4 * 0.37)
    assert found.law.shape == pytest.approx(0.7, abs=4 * 0.019)
    dropped = fitted(WEIBULL, all_observed(*lifetimes[lifetimes < 6 * HOUR]))
    assert dropped.law.scale / HOUR == pytest.approx(2.04, abs=4 * 0.065)
    assert conclude(whole).chosen.law == found.law


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda rng: rng.exponential(HOUR, 2000), Exponential),
        (lambda rng: HOUR * rng.weibull(2.0, 2000), Weibull),
        (lambda rng: HOUR * rng.lognormal(0, 1.5, 2000), LogNormal),
    ],
)
def test_the_law_that_made_the_lifetimes_is_chosen(draw, kind):
    found = conclude(all_observed(*draw(np.random.default_rng(3))))
    assert isinstance(found.chosen.law, kind)
    assert found.chosen.misfit < 1.63 / math.sqrt(2000)  # Kolmogorov's bound at 1 %


def test_lifetimes_all_alike_leave_only_the_exponential():
    assert [found.law for found in fits(all_observed(*[60] * 12))] == [Exponential(60)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 3), st.floats(0.001, 1e9)),
            st.sampled_from([True, True, False]),
        ),
        max_size=40,
    )
)
def test_any_lifetimes_are_concluded_on(pairs):
    lifetimes = Lifetimes(
        tuple(float(duration) for duration, _ in pairs), tuple(observed for _, observed in pairs)
    )
    found = conclude(lifetimes)
    if found is None:
        assert lifetimes.exposure_s == 0
    else:
        assert all(0 < each.law.mean < math.inf and 0 <= each.misfit <= 1 for each in found.tried)


def test_ends_within_the_first_second_are_kept_and_told():
    found = conclude(all_observed(*[0] * 5, *range(1, 60)), "eviction")
    assert found.chosen.ends == 64
    assert "5 ends within the first second: taken as less than 1 s." in found.sentences


# --- too little, a limit, competing risks ---------------------------------------------------------


def test_no_end_at_all_gives_the_rule_of_three():
    found = conclude(Lifetimes((1000 * HOUR, 2000 * HOUR), (False, False)), "eviction")
    assert found.chosen.law.mean / HOUR == pytest.approx(3000 / -math.log(0.05))
    assert found.chosen.mean_interval_s[1] == math.inf
    (sentence,) = found.sentences
    assert sentence == (
        "No eviction in 3,000 h: with 95 % confidence the mean time to one is more than 1,001 h, "
        "and that is what is used."
    )


def test_few_ends_give_an_exponential_and_its_interval():
    found = conclude(
        Lifetimes((1000.0 * HOUR, 927.0 * HOUR, 1000.0 * HOUR), (True,) * 3), "eviction"
    )
    assert found.tried == (found.chosen,)
    (sentence,) = found.sentences
    assert sentence == (
        "3 evictions in 2,927 h: the mean time to one lies between 334 h and 4,731 h (95 % "
        "confidence; too few to tell the shape of the law); an exponential law with mean 976 h is "
        "used."
    )


def test_nothing_can_be_said_of_no_time_at_all():
    assert conclude(Lifetimes((0, 0), (True, False))) is None
    assert conclude(Lifetimes((), ())) is None


def test_ends_that_crowd_at_a_limit_are_taken_as_cut_off_by_it():
    rng = np.random.default_rng(11)
    lifetimes = np.minimum(rng.exponential(4 * HOUR, 500), 6 * HOUR)
    found = conclude(all_observed(*lifetimes), "eviction")
    assert found.limit_s == 6 * HOUR
    assert found.sentences[0].endswith(
        "within 1 % of the longest stay, 6 h: that looks like a runtime limit, "
        "and they are taken as cut off by it."
    )
    # d ends were before the limit, so the mean is known to 1/√d of itself.
    assert found.chosen.law.mean == pytest.approx(4 * HOUR, rel=4 / math.sqrt(found.chosen.ends))


@pytest.mark.parametrize("seed", range(5))
def test_no_limit_is_seen_where_there_is_none(seed):
    assert limit_seen(all_observed(*np.random.default_rng(seed).exponential(1, 500))) is None


def test_evictions_and_power_failures_censor_each_other():
    # Of the first of two exponential risks, means 2 h and 6 h: 3 of 4 are evictions.
    rng = np.random.default_rng(5)
    eviction, failure = rng.exponential(2 * HOUR, 4000), rng.exponential(6 * HOUR, 4000)
    told = leases(
        *(
            (min(pair), End.EVICTED if pair[0] < pair[1] else End.POWER_FAILURE)
            for pair in zip(eviction, failure, strict=True)
        )
    )
    for end, mean in ((End.EVICTED, 2), (End.POWER_FAILURE, 6)):
        found = conclude(from_leases(told, end)).chosen
        assert found.law.mean / HOUR == pytest.approx(mean, rel=4 / math.sqrt(found.ends))


# --- tables ---------------------------------------------------------------------------------------


def table(tmp_path, text):
    path = tmp_path / "lifetimes.csv"
    path.write_text(text, newline="")
    return path


@pytest.mark.parametrize(
    ("text", "asked", "durations", "observed"),
    [
        ("zone,lifetime_s,cpus\na,10,1\nb,2.5,2\n", {}, (10, 2.5), (True, True)),
        ("zone,hours_up\na,10\nb,20\n", {}, (10, 20), (True, True)),
        ("a,b\n1,2\n3,4\n", {"column": "b"}, (2, 4), (True, True)),
        ("t,dead\n1,1\n2,0\n", {"column": "t", "observed": "dead"}, (1, 2), (True, False)),
        ("t,cut\n1,true\n2,no\n", {"column": "t", "censored": "cut"}, (1, 2), (False, True)),
        ("t,observed\n1,1\n2,0\n", {}, (1, 2), (True, False)),
        ("t,censored\n1,1\n2,0\n", {}, (1, 2), (False, True)),
        ("\ufefft;cut\r\n1;0\r\n\r\n2;1\r\n", {"column": "t"}, (1, 2), (True, True)),
        ("5\n6\n", {}, (5, 6), (True, True)),
    ],
)
def test_a_table_of_lifetimes(tmp_path, text, asked, durations, observed):
    assert from_csv(table(tmp_path, text), **asked) == Lifetimes(durations, observed)


def test_a_gzipped_table(tmp_path):
    path = tmp_path / "lifetimes.csv.gz"
    path.write_bytes(gzip.compress(b"lifetime_s\n5\n"))
    assert from_csv(path) == all_observed(5)


@pytest.mark.parametrize(
    ("text", "asked", "told"),
    [
        ("", {}, ": no rows in it; expected a CSV table with a column of durations in seconds"),
        ("lifetime_s\n", {}, ": no rows in it; expected"),
        (
            "lifetime_s\n5\n",
            {"column": "lifetime"},
            ":1: no column 'lifetime'; there are: lifetime_s; did you mean 'lifetime_s'?",
        ),
        ("t\n5\n", {"observed": "u"}, ":1: no column 'u'; there are: t"),
        ("t\n5\n", {"observed": "t", "censored": "t"}, ": give a column that tells observed or "),
        ("a,b\n1,2\n", {}, ":1: columns of numbers: a, b; name the one that holds durations"),
        ("a,b\nx,y\n", {}, ":1: no column of numbers; name the one that holds durations"),
        ("t\n5\nabc\n", {}, ":3: t is 'abc'; expected seconds, 0 or more"),
        ("t\n5\n\n-1\n", {}, ":4: t is '-1'; expected seconds, 0 or more"),
        ("t\n5\nnan\n", {}, ":3: t is 'nan'; expected seconds, 0 or more"),
        ("t\n5\ninf\n", {}, ":3: t is 'inf'; expected seconds, 0 or more"),
        ("t,u\n5,1\n,2\n", {"column": "t"}, ":3: t is nothing; expected seconds, 0 or more"),
        ("u,t\n5,1\n2\n", {"column": "t"}, ":3: t is nothing; expected seconds, 0 or more"),
        ("t,observed\n5,maybe\n", {}, ":2: observed is 'maybe'; expected 1 or 0"),
    ],
)
def test_a_mistake_in_a_table_is_told_in_one_line(tmp_path, text, asked, told):
    path = table(tmp_path, text)
    with pytest.raises(DataError) as error:
        from_csv(path, **asked)
    assert str(error.value).startswith(f"{path}{told}")
    assert "\n" not in str(error.value)


def test_a_table_that_is_a_directory_or_absent(tmp_path):
    with pytest.raises(DataError, match="is a directory; expected a CSV table"):
        from_csv(tmp_path)
    with pytest.raises(DataError, match=r"absent\.csv: No such file or directory; expected a CSV"):
        from_csv(tmp_path / "absent.csv")


@given(st.binary(max_size=200))
def test_any_file_is_a_table_or_a_clear_mistake(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        assert from_csv(path).durations_s
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017


# --- logs -----------------------------------------------------------------------------------------


def log_text(job, *told):
    return "".join(f"{number:03} ({job}.000) 2026-01-31 {at} x\n...\n" for number, at in told)


def test_learning_from_a_log(tmp_path):
    path = tmp_path / "job.log"
    path.write_text(
        log_text("7.0", (1, "00:00:00"), (4, "03:00:00"), (1, "03:10:00"), (5, "06:10:00"))
        + "junk\n...\n"
    )
    found = learn([path])
    assert found.evictions.law == Exponential(6 * HOUR)
    assert found.power_failures is None
    assert [gap.duration_s for gap in found.gaps] == [600]
    assert found.sentences[0] == "2 leases of 1 job, 6 h on slots: 1 finished, 1 evicted."
    assert found.warnings == (f"{path}:9: no event header, but 'junk'; skipped",)


def test_a_lease_in_two_logs_counts_once_and_a_file_that_is_none_is_left_out(tmp_path):
    one, two, three = (tmp_path / name for name in ("a.log", "b.log", "c.txt"))
    shared = log_text("7.0", (1, "00:00:00"), (4, "03:00:00"))
    one.write_text(shared + log_text("9.0", (0, "05:00:00")))
    two.write_text(shared + log_text("8.0", (1, "00:00:00"), (4, "03:00:00")))
    three.write_text("not a log\n")
    found = learn([one, two, three])
    assert len(found.leases) == 2
    assert len(found.warnings) == 2
    assert found.warnings[0].startswith(f"{three}:1: no event header, but 'not a log'")
    assert found.warnings[1] == "1 lease found in more than one log: counted once"


def test_limits_of_leases_are_told(tmp_path):
    path = tmp_path / "job.log"
    path.write_text(
        "001 (7.0.000) 2026-01-31 00:00:00 x\n...\n"
        "012 (7.0.000) 2026-01-31 06:00:00 Job was held.\n\tx\n\tCode 46 Subcode 0\n...\n"
    )
    found = learn([path])
    assert found.limit_s == 6 * HOUR
    assert "1 lease ended at a runtime limit, after 6 h." in found.sentences


def test_leaving_at_a_checkpoint_is_told(tmp_path):
    path = tmp_path / "job.log"
    path.write_text(
        "001 (7.0.000) 2026-01-31 00:00:00 x\n...\n"
        "004 (7.0.000) 2026-01-31 06:00:00 Job was evicted. Code 1025 Subcode 0\n...\n"
    )
    assert (
        "1 lease ended at a checkpoint, without loss: the claim could not be used again (code "
        "1025; see --claim-worklife)."
    ) in learn([path]).sentences


def test_evictions_that_do_not_speak_for_the_pool_are_questioned(tmp_path):
    path = tmp_path / "job.log"
    text = "".join(
        log_text(f"1.{job}", (1, "00:00:00"), (5, "01:00:00")) for job in range(1, 10)
    ) + "".join(log_text("1.0", (1, f"{h:02}:00:00"), (4, f"{h:02}:30:00")) for h in range(12))
    path.write_text(text.replace("11:30:00 x", "11:30:00 Job was evicted. Code 1022 Subcode 0"))
    told = " ".join(learn([path]).sentences)
    assert "1 of 12 evictions by condor_vacate_job: asked for by hand" in told
    assert "1 of 10 jobs had 100 % of the evictions: one law for all jobs may" in told


@pytest.mark.parametrize(
    "told",
    [[(0, "00:00:00")], [(1, "00:00:00"), (5, "00:00:00")]],
    ids=["no lease", "no time"],
)
def test_a_log_with_nothing_to_learn_is_told_in_one_line(tmp_path, told):
    path = tmp_path / "job.log"
    path.write_text(log_text("7.0", *told))
    with pytest.raises(
        DataError, match="none as long as a second; expected a log of jobs"
    ) as error:
        learn([path])
    assert "\n" not in str(error.value)


def test_no_log_at_all(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        learn([tmp_path / "absent.log"])
    with pytest.raises(DataError, match="0 logs"):
        learn([])


@pytest.mark.parametrize("path", LOGS, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_real_log_teaches_something_or_is_told_in_one_line(path):
    try:
        found = learn([path])
    except DataError as error:
        assert "none as long as a second" in str(error)  # noqa: PT017
        return
    assert 0 < found.evictions.law.mean < math.inf
    assert found.evictions.ends == sum(lease.end is End.EVICTED for lease in found.leases)
    assert all(sentence.endswith(".") for sentence in found.sentences)
