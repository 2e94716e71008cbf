"""What people ask of a pool, over its socket: an access point without machines, in this process."""

import asyncio
import getpass
import json
import os
import stat
import time
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("htcondor2", reason="needs HTCondor's Python bindings")

from ckptsim.drivers.real import settings
from ckptsim.drivers.real.accesspoint import AccessPoint
from ckptsim.drivers.real.desk import UNDER_WAY, Changes
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.life import Stage

AD = '[ Cmd = "/bin/true"; Iwd = "/tmp"; Requirements = true; JobStatus = 1; RequestCpus = 1 ]'
HELD_AD = (
    '[ Cmd = "/bin/true"; Iwd = "/tmp"; Requirements = true; JobStatus = 5; HoldReason = "so" ]'
)


@asynccontextmanager
async def served(state):
    pool = AccessPoint(state, settings.default(), None)
    asyncio.get_running_loop().set_exception_handler(pool.failed)
    server = await pool.desk.listen()
    try:
        yield pool
        await eventually(lambda: others() == 0)
        assert (pool.fault, pool.stopping.is_set()) == ("", False)
    finally:
        server.close()
        pool.matchmaker.stop()
        pool.store.close()


async def connection(state, request):
    text = request if isinstance(request, bytes) else json.dumps(request).encode()
    reader, writer = await asyncio.open_unix_connection(state / "control")
    writer.write(text + b"\n")
    return reader, writer


async def asked(pool, request):
    reader, writer = await connection(pool.state, request)
    try:
        return json.loads(await asyncio.wait_for(reader.readline(), 10))
    finally:
        await closed(writer)


async def closed(writer):
    writer.close()
    await writer.wait_closed()


def others():
    return len(asyncio.all_tasks()) - 1


async def eventually(holds):
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def end(pool, *numbers):
    for number in numbers:
        entry = pool.entries[number]
        pool.apply(entry, lives.remove(entry.life, "enough", time.time_ns()))


def in_pool(check):
    """A test with a pool, in a loop of its own."""

    def test(tmp_path):
        async def run():
            async with served(tmp_path) as pool:
                await check(pool)

        asyncio.run(run())

    test.__name__ = check.__name__
    return test


@in_pool
async def test_the_socket_is_this_users_alone_and_the_umask_as_it_was(pool):
    before = os.umask(0o022)
    os.umask(before)
    assert before != 0o177
    mode = (pool.state / "control").stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)


def test_a_socket_left_behind_is_replaced(tmp_path):
    async def run():
        for _ in range(2):
            async with served(tmp_path) as pool:
                assert (await asked(pool, {"do": "status"}))["jobs"] == {}
            assert (tmp_path / "control").exists()

    asyncio.run(run())


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"[" * 100_000,
        b'{"do": ' + b"7" * 5000 + b"}",
        {"do": "dance"},
        {"do": []},
        {"do": "jobs", "jobs": 7},
        {"do": "jobs", "jobs": [None]},
        {"do": "jobs", "jobs": ["²"]},
        {"do": "wait", "jobs": ["7.0"]},
        {"do": "wait", "timeout_s": "soon"},
        {"do": "wait", "jobs": {"x": 1}, "timeout_s": []},
        {"do": "hold", "job": {}},
        {"do": "drain", "machine": []},
        {"do": "submit", "cluster": {}, "ads": [AD]},
        {"do": "submit", "cluster": 10**30, "ads": [AD]},
        {"do": "submit", "cluster": 1, "ads": 7},
        {"do": "submit", "cluster": 1, "ads": [AD, 7]},
        {"do": "submit", "cluster": 1, "ads": [AD, None]},
        {"do": "submit", "cluster": 1, "ads": [AD, "[ no ad"]},
        {"do": "submit", "cluster": 1, "ads": [AD, AD.replace("1 ]", 'real("INF") ]')]},
        {"do": "submit", "cluster": 1, "ads": [AD, AD.replace("1 ]", 'real("NaN") ]')]},
    ],
)
def test_an_odd_request_gets_an_answer_and_changes_nothing(tmp_path, request_):
    async def run():
        async with served(tmp_path) as pool:
            answer = await asked(pool, request_)
            assert answer.keys() == {"error"}
            assert "\n" not in answer["error"]
            assert pool.entries == {}
            assert pool.store.fact(UNDER_WAY, 0) == 0
            assert list(pool.store.jobs()) == []

    asyncio.run(run())


@in_pool
async def test_a_cluster_is_submitted_once(pool):
    request = {"do": "submit", "cluster": 3, "ads": [AD, HELD_AD]}
    assert await asked(pool, request) == {"jobs": ["3.0", "3.1"]}
    assert [entry.life.stage for entry in pool.entries.values()] == [Stage.IDLE, Stage.HELD]
    assert "error" in await asked(pool, request)
    assert pool.store.fact(UNDER_WAY, 0) == 0


@in_pool
async def test_jobs_are_found_by_number_and_by_cluster(pool):
    for cluster, size in ((1, 2), (12, 3)):
        await asked(pool, {"do": "submit", "cluster": cluster, "ads": size * [AD]})
    named = {
        word: [entry.id for entry in pool.desk.named(word)] for word in ("1", "12", "12.2", "1.0")
    }
    assert named == {
        "1": ["1.0", "1.1"],
        "12": ["12.0", "12.1", "12.2"],
        "12.2": ["12.2"],
        "1.0": ["1.0"],
    }
    for word in ("2", "1.2", "12.3"):
        told = await asked(pool, {"do": "hold", "job": word})
        assert told == {"error": f"{word}: no such job; see `ckptsim q`"}


def test_a_user_without_a_name_has_a_number(tmp_path, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found")

    async def run():
        async with served(tmp_path) as pool:
            await asked(pool, {"do": "submit", "cluster": 1, "ads": [AD]})
            assert pool.entries[1, 0].life.terms.user == str(os.getuid())

    monkeypatch.setattr(getpass, "getuser", nameless)
    asyncio.run(run())


@in_pool
async def test_who_waits_is_told_at_the_end(pool):
    await asked(pool, {"do": "submit", "cluster": 1, "ads": [AD, AD]})
    waiting = [asyncio.ensure_future(asked(pool, {"do": "wait", "jobs": ["1"]})) for _ in range(3)]
    end(pool, (1, 0))
    await asyncio.sleep(0.2)
    assert not any(each.done() for each in waiting)
    end(pool, (1, 1))
    for answer in await asyncio.gather(*waiting):
        assert [job["status"] for job in answer["jobs"]] == ["removed", "removed"]


@in_pool
async def test_waiting_has_an_end(pool):
    await asked(pool, {"do": "submit", "cluster": 1, "ads": [AD]})
    began = time.monotonic()
    answer = await asked(pool, {"do": "wait", "timeout_s": 0.2})
    assert (answer["timeout"], answer["jobs"][0]["status"]) == (True, "idle")
    assert 0.2 <= time.monotonic() - began < 2


@pytest.mark.parametrize("do", ["wait", "watch"])
def test_nothing_is_left_of_who_went_away(tmp_path, do):
    async def run():
        async with served(tmp_path) as pool:
            await asked(pool, {"do": "submit", "cluster": 1, "ads": [AD]})
            await eventually(lambda: others() == 0)
            _, writer = await connection(pool.state, {"do": do})
            await eventually(lambda: others() == 3)  # it, its work and the look-out for its end
            await closed(writer)
            await eventually(lambda: others() == 0)

    asyncio.run(run())


@in_pool
async def test_two_watchers_see_every_change(pool):
    await asked(pool, {"do": "submit", "cluster": 1, "ads": [AD]})
    both = [await connection(pool.state, {"do": "watch"}) for _ in range(2)]

    async def seen():
        lines = [await asyncio.wait_for(reader.readline(), 5) for reader, _ in both]
        return [json.loads(line)["jobs"][0]["status"] for line in lines]

    assert await seen() == ["idle", "idle"]
    await asyncio.sleep(0.5)
    end(pool, (1, 0))
    assert await seen() == ["removed", "removed"]
    for _, writer in both:
        await closed(writer)


def test_a_change_between_a_look_and_the_waiting_is_not_lost():
    async def run():
        changes = Changes()
        mine, other = changes.next, changes.next
        changes.set()
        await asyncio.wait_for(mine.wait(), 1)
        await asyncio.wait_for(other.wait(), 1)
        assert not changes.next.is_set()

    asyncio.run(run())
