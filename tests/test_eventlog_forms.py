"""The XML and JSON forms of job event logs, read as the text form words them."""

import json
import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_eventlog import LOGS, SHIPPED, stamp

from ckptsim.errors import DataError
from ckptsim.htcondor import eventlog_ads
from ckptsim.htcondor.eventlog import Damage, Event, read

FORMS = Path(__file__).parent / "data" / "condor-forms"
JSON = [
    FORMS / "json" / f"EventLog.json{number}" for number in (".6", ".5", ".4", ".3", ".2", ".1", "")
]
XML = sorted(path for path in (FORMS / "xml").glob("*.log") if path.name != "text.log")
AD_INFORMATION = 28
NOON = 1_769_860_800 * 10**9  # date -u -d '2026-01-31 12:00' +%s

HELD = {
    "MyType": "JobHeldEvent",
    "EventTypeNumber": 12,
    "EventTime": "2026-01-31T12:00:00.250",
    "Cluster": 7,
    "Proc": 1,
    "Subproc": 0,
    "HoldReason": "via condor_hold (by user tester)",
    "HoldReasonCode": 1,
    "HoldReasonSubCode": 0,
}


def held(line=1, **changed):
    reason = {**HELD, **changed}["HoldReason"]
    return Event(
        12,
        7,
        1,
        0,
        NOON + 250_000_000,
        "Job was held.",
        (f"\t{reason}", "\tCode 1 Subcode 0"),
        line,
    )


def xml(ad):
    """The ad as HTCondor writes it, of integers and texts."""
    kinds = {name: "i" if isinstance(value, int) else "s" for name, value in ad.items()}
    attributes = "".join(
        f'    <a n="{name}"><{kinds[name]}>{escape(str(value))}</{kinds[name]}></a>\n'
        for name, value in ad.items()
    )
    return f"<c>\n{attributes}</c>\n"


def written(directory, text):
    path = directory / "job.log"
    path.write_text(text, newline="")
    return path


def by_job(paths):
    """What is told of each job, second by second, but for what ads do not hold (eventlog_ads)."""
    jobs = defaultdict(list)
    for path in paths:
        for event in read(path):
            if event.cluster >= 0 and event.number != AD_INFORMATION:
                jobs[event.job].append(
                    (event.number, stamp(event)[:19], event.text, untabled(event))
                )
    return jobs


def untabled(event):
    tables = [at for at, line in enumerate(event.body) if "Partitionable" in line]
    return event.body[: tables[0]] if event.number == 4 and tables else event.body


def test_real_logs_in_xml_say_what_the_pools_own_log_said_as_text(tmp_path):
    text = tmp_path / "text.log"
    text.write_bytes((FORMS / "xml" / "text.log").read_bytes())
    day = datetime(2026, 12, 1, 23, tzinfo=UTC).timestamp()  # its stamps have no year
    os.utime(text, (day, day))
    told = by_job([text])
    assert by_job(XML) == told
    assert {number for job in told.values() for number, *_ in job} == {
        0, 1, 4, 5, 6, 9, 10, 11, 12, 13, 21, 22, 23, 24, 40,
    }  # fmt: skip


def test_a_real_rotated_log_in_json_says_what_the_jobs_own_logs_said_as_text():
    told = by_job([FORMS / "json" / "text.log"])
    assert by_job(JSON) == told
    assert len(told) == 11
    assert sum(map(len, told.values())) == 154


def test_ad_information_holds_the_same_but_for_its_type():
    (text, ad) = (
        next(event for event in read(path) if event.number == AD_INFORMATION)
        for path in (FORMS / "json" / "text.log", FORMS / "xml" / "notes.log")
    )
    assert [line.split(" = ")[0] for line in ad.body] == [
        line.split(" = ")[0] for line in text.body
    ]
    assert 'MyType = "SubmitEvent"' in text.body
    assert 'MyType = "JobAdInformationEvent"' in ad.body
    assert r'LogNotes = "\"notes <b> & \'c\'\""'.replace(r"\'", "'") in {*text.body} & {*ad.body}


# Those that are laid out otherwise: by their author, by hand, by older versions.
OTHERWISE = {"htcanalyze_gpu_usage.log": {6}, "reconstructed": {0, 21}}
# 004 and 005 as far as the ad goes, and 009 as it is worded since 2012: real logs, above.
WORDED = {0, 1, 6, 7, 8, 10, 11, 12, 13, 16, 21, 22, 23, 24, 40}


@pytest.mark.parametrize("path", LOGS, ids=lambda path: "/".join(path.parts[-2:]))
def test_the_ads_that_htcondor_makes_of_text_are_worded_like_it(path, tmp_path):
    htcondor2 = pytest.importorskip("htcondor2")
    classad2 = pytest.importorskip("classad2")
    otherwise = OTHERWISE.get(path.name, set()) | OTHERWISE.get(path.parent.name, set())
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(
            read(path), htcondor2.JobEventLog(str(path)).events(stop_after=0), strict=True
        )
        if ours.number in WORDED - otherwise
    ]
    log = "\n".join(classad2.ClassAd(dict(ad)).printJson() for _, ad in pairs)
    found = [(event.number, event.text, event.body) for event in read(written(tmp_path, log))]
    assert found == [(event.number, event.text, event.body) for event, _ in pairs]


# --- layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        xml(HELD),
        json.dumps(HELD, indent=2) + "\n",
        json.dumps(HELD) + "\n",
        json.dumps(HELD),
        xml(HELD).replace("\n", "\r\n"),
        xml(HELD).replace("\n", "").replace("    ", "") + "\n",
    ],
    ids=["xml", "json", "json on a line", "without a line end", "CRLF", "xml on a line"],
)
def test_an_ad_is_an_event(tmp_path, text):
    assert list(read(written(tmp_path, text * (2 if text.endswith("\n") else 1)))) == [
        held(1 + at * text.count("\n")) for at in range(2 if text.endswith("\n") else 1)
    ]


def test_what_stands_around_ads_is_no_damage(tmp_path):
    text = (
        '<?xml version="1.0"?>\n<!DOCTYPE classads SYSTEM "classads.dtd">\n<classads>\n'
        f"{xml(HELD)}</classads>\n[\n{json.dumps(HELD)}\n,\n{json.dumps(HELD, indent=1)}\n]\n"
    )
    assert [item.line for item in read(written(tmp_path, text)) if isinstance(item, Event)] == [
        4, 17, 19,
    ]  # fmt: skip


def test_one_file_may_hold_all_forms_and_a_year_in_one_dates_the_others(tmp_path):
    text = (
        "000 (7.001.000) 12/31 10:00:00 Job submitted from host: <192.0.2.1:9618>\n...\n"
        f"{xml({**HELD, 'EventTime': '2021-01-01T00:00:00'})}"
        "013 (7.001.000) 01/01 10:00:00 Job was released.\n...\n"
        f"{json.dumps(HELD)}\n"
    )
    assert [stamp(event)[:19] for event in read(written(tmp_path, text))] == [
        "2020-12-31 10:00:00", "2021-01-01 00:00:00", "2021-01-01 10:00:00", "2026-01-31 12:00:00",
    ]  # fmt: skip


def test_damaged_ads_are_told_and_those_around_them_read(tmp_path):
    whole, lines = json.dumps(HELD, indent=2) + "\n", json.dumps(HELD, indent=2).splitlines()
    assert len(lines) == 11
    text = (
        whole  # 1-11
        + "\n".join(lines[:4]) + "\n"  # 12-15: cut off by
        + whole  # 16-26
        + whole.replace('"Cluster": 7,', '"Cluster": 7')  # 27-37: a comma is lost
        + xml(HELD).replace("</s>", "<s>", 1)  # 38-48
        + '{"EventTypeNumber": 12}\n'  # 49
        + json.dumps({**HELD, "EventTime": "2026-02-30T12:00:00"}) + "\n"  # 50
        + json.dumps({**HELD, "Cluster": "7"}) + "\n"  # 51
        + "[" * 5 + "\n"  # 52
        + "{]\n}\n"  # 53-54
        + '{"a":' * 40_000 + "1" + "}" * 40_000 + "\n"  # 55
        + whole  # 56-66
        + '{\n  "Cluster": 7,'  # 67: cut off by the end
    )  # fmt: skip
    items = list(read(written(tmp_path, text)))
    assert [item.line for item in items if isinstance(item, Event)] == [1, 16, 56]
    assert [str(item) for item in items if isinstance(item, Damage)] == [
        "12-15: event cut off: no line '}' after it",
        "27-37: no ad of an event (not well-formed)",
        "38-48: no ad of an event (not well-formed)",
        "49: no ad of an event (without Cluster)",
        "50: impossible time (day is out of range for month)",
        "51: no ad of an event (without Cluster)",
        "52: no event header, but '[[[[['",
        "53-54: no ad of an event (not well-formed)",
        "55: no ad of an event (nested too deep)",
        "67-68: event cut off: no line '}' after it",
    ]


@pytest.mark.parametrize("form", [xml, lambda ad: json.dumps(ad) + "\n"], ids=["XML", "JSON"])
def test_an_ad_that_may_be_of_two_events_is_none(tmp_path, form):
    whole, twice = form(HELD), form({**HELD, "Twice": 8})
    text = (
        whole
        + twice.replace("Twice", "Proc")
        + form({**HELD, "MyType": "JobReleaseEvent"})
        + form({name: value for name, value in HELD.items() if name != "Proc"})
        + form({**HELD, "EventTime": "noon"})
        + whole
    )
    items = list(read(written(tmp_path, text)))
    assert [isinstance(item, Event) for item in items] == [True, False, False, False, False, True]
    assert [item.reason for item in items if isinstance(item, Damage)] == [
        "no ad of an event ('Proc' twice)",
        "no ad of an event (of two events: 12 and JobReleaseEvent)",
        "no ad of an event (without Proc)",
        "no ad of an event (EventTime 'noon')",
    ]


@pytest.mark.parametrize("text", ["{\n}\n", "<c>\n</c>\n", '{"EventTypeNumber": 5}\n'])
def test_a_file_of_other_ads_is_no_log(tmp_path, text):
    with pytest.raises(DataError, match="no ad of an event"):
        list(read(written(tmp_path, text)))


def test_values_that_no_event_has_do_no_harm(tmp_path):
    odd = [10**400, -1, 1e308, None, True, [1, [2]], {"a": {}}, "a\nb", "/Expr(x + 1)/"]
    ads = [
        {
            **HELD,
            "EventTypeNumber": number,
            "MyType": eventlog_ads.TYPES.get(number, "FutureEvent"),
            name: value,
        }
        for number in range(50)
        for name in ("Type", "SentBytes", "Reason", "HoldReasonCode", "MemoryUsage", "ExecuteProps")
        for value in odd
    ]
    items = list(read(written(tmp_path, "".join(json.dumps(ad) + "\n" for ad in ads))))
    assert len(items) == len(ads)
    assert sum(isinstance(item, Event) for item in items) > len(ads) / 2
    assert all("\n" not in line for item in items if isinstance(item, Event) for line in item.body)


# --- values ---------------------------------------------------------------------------------------

WORDS = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1
)


@given(WORDS, st.integers(-(10**6), 10**6), st.sampled_from([xml, json.dumps]))
def test_what_is_written_into_an_ad_is_read(tmp_path_factory, reason, subcode, form):
    path = tmp_path_factory.getbasetemp() / "job.log"
    path.write_text(form({**HELD, "HoldReason": reason, "HoldReasonSubCode": subcode}), "utf-8")
    (event,) = read(path)
    assert event.body == (f"\t{reason}", f"\tCode 1 Subcode {subcode}")


def test_each_kind_of_value_in_both_forms():
    ad = {"i": 1, "r": 2.5, "s": "a <b>", "t": True, "n": None, "l": [1, "x"], "c": {"a": False}}
    assert eventlog_ads.of_json(json.dumps(ad)) == ad
    assert (
        eventlog_ads.of_xml(
            '<c><a n="i"><i>1</i></a><a n="r"><r>2.5</r></a><a n="s"><s>a &lt;b&gt;</s></a>'
            '<a n="t"><b v="t"/></a><a n="n"><un/></a><a n="l"><l><i>1</i><s>x</s></l></a>'
            '<a n="c"><c><a n="a"><b v="f"/></a></c></a></c>'
        )
        == ad
    )
    expression = eventlog_ads.Expression("x + 1")
    assert eventlog_ads.of_json(r'{"e": "\/Expr(x + 1)\/"}') == {"e": expression}
    assert eventlog_ads.of_xml('<c><a n="e"><e>x + 1</e></a></c>') == {"e": expression}


@pytest.mark.parametrize(
    "inside",
    ['<a n="x"/>', '<a n="x"><i>1</i><i>2</i></a>', "<a><i>1</i></a>", '<a n="x"><i>one</i></a>'],
)
def test_an_element_that_is_no_ad_is_refused(inside):
    with pytest.raises(ValueError, match=r"not well-formed|invalid literal for int"):
        eventlog_ads.of_xml(f"<c>{inside}</c>")


def test_the_logs_are_there():
    assert (len(XML), len(JSON), len(SHIPPED)) == (6, 7, 2)
