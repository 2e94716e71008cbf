import asyncio
import errno
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.drivers.real import chirp
from ckptsim.drivers.real.chirp import CONFIG_VARIABLE, PROGRAMS, Chirp, words
from ckptsim.drivers.real.chirp_files import Folder

# HTCondor's own client, from its wheel: the judge of the server.
htchirp = pytest.importorskip("htcondor2.htchirp").htchirp
HTChirp = htchirp.HTChirp

CONDOR_CHIRP = PROGRAMS / "condor_chirp"
ERROR = "\tError: {} ({})\n"


class Pool:
    """A server in a thread of its own, with what its callbacks were told."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.ad = {"ProcId": "3", "Owner": '"alice"'}
        self.logged = []
        self.chirp = Chirp(folder, self.ad.get, self.set, self.logged.append, **options)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.config = self.wait(self.chirp.start())

    def set(self, name, expression):
        if name == "Owner":
            raise PermissionError(errno.EACCES, "protected")
        if expression == "][":
            raise ValueError
        self.ad[name] = expression

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    @property
    def client(self):
        host, port, cookie = self.config.split()
        return HTChirp(host, port, cookie=cookie)

    @contextmanager
    def wire(self, *, cookie=True):
        """A bare connection, to be sent what no client sends."""
        host, port, secret = self.config.split()
        with socket.create_connection((host, int(port)), timeout=10) as plain:
            if cookie:
                plain.sendall(b"cookie %b\n" % secret.encode())
                assert plain.recv(10) == b"0\n"
            yield plain

    def close(self):
        self.wait(self.chirp.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        while self.loop.is_running():
            time.sleep(0.001)
        self.loop.close()


@contextmanager
def a_pool(folder, **options):
    pool = Pool(folder, **options)
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def submit(tmp_path):
    folder = tmp_path / "submit"
    folder.mkdir()
    return folder


@pytest.fixture
def pool(submit):
    with a_pool(submit) as pool:
        yield pool


@pytest.fixture
def sandbox(tmp_path, pool, monkeypatch):
    folder = tmp_path / "sandbox"
    folder.mkdir()
    config = folder / chirp.CONFIG
    config.write_text(pool.config)
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=os.pathsep)
    return folder


@pytest.fixture
def run(sandbox):
    def run(*arguments, **options):
        command = ["condor_chirp", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=sandbox, capture_output=True, text=True, check=False, timeout=20, **options
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    return run


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def eventually(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come about")


# HTCondor's own example: 4 steps, a kill, and 4 more.


def test_golden_job_with_manual_transfers(shared, submit, sandbox, pool):
    golden = shared / "golden" / "p_chirp"
    script = (golden / "example.py").read_text()
    script = script.replace("/usr/libexec/condor/condor_chirp", "condor_chirp")
    (sandbox / "example.py").write_text(script.replace("time.sleep(1)", "time.sleep(0.2)"))
    first = subprocess.Popen(
        [sys.executable, "example.py"], cwd=sandbox, stdout=subprocess.PIPE, text=True
    )
    with first:
        for line in first.stdout:
            if "checkpointed 4" in line:
                first.send_signal(signal.SIGKILL)
    (sandbox / "local.ckpt").unlink()
    second = subprocess.run(
        [sys.executable, "example.py"], cwd=sandbox, capture_output=True, check=True
    )
    assert second.stdout == (golden / "example.out").read_bytes()
    for name in ("manual.ckpt", "manual.ckpt.tmp"):
        assert (submit / name).read_bytes() == (golden / name).read_bytes()
        # "mode 755" (htcondor-observed.md H46), of 777 and the umask
        assert stat.S_IMODE((submit / name).stat().st_mode) == 0o777 & ~umask()
    logged = re.findall(r"^008 .*:\d\d (.*)$", (golden / "job.log").read_text(), re.MULTILINE)
    assert pool.logged == logged
    assert "ChirpValue" not in pool.ad
    pool.loop.call_soon_threadsafe(pool.chirp.flush)
    eventually(lambda: pool.ad.get("ChirpValue") == "8")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


# htchirp, HTCondor's own client.


def test_put_and_fetch(pool, submit, tmp_path):
    data = os.urandom(5_000_000)
    (tmp_path / "here").write_bytes(data)
    with pool.client as client:
        assert client.put(str(tmp_path / "here"), "there") == 5_000_000
        assert (submit / "there").read_bytes() == data
        assert client.fetch("there", str(tmp_path / "back")) == 5_000_000
        assert client.put(str(tmp_path / "here"), "private name", mode=0o600) == 5_000_000
    assert (tmp_path / "back").read_bytes() == data
    assert stat.S_IMODE((submit / "private name").stat().st_mode) == 0o600


def test_put_of_an_empty_file_is_answered(pool, submit, tmp_path):
    (tmp_path / "empty").touch()
    (submit / "old").write_text("old")
    with pool.client as client:
        assert client.put(str(tmp_path / "empty"), "old") == 0
        assert client.fetch("old", str(tmp_path / "back")) == 0
    assert (submit / "old").read_bytes() == b""


def test_put_with_flags(pool, submit, tmp_path):
    (tmp_path / "here").write_text("two")
    (submit / "there").write_text("one")
    with pool.client as client:
        assert client.put(str(tmp_path / "here"), "there", flags="wa") == 3
        with pytest.raises(HTChirp.AlreadyExists):
            client.put(str(tmp_path / "here"), "there", flags="wcx")
        with pytest.raises(HTChirp.DoesntExist):
            client.put(str(tmp_path / "here"), "nowhere", flags="w")
    assert (submit / "there").read_text() == "onetwo"


def test_pieces_of_files(pool, submit):
    (submit / "letters").write_text("abcdefghij")
    with pool.client as client:
        assert client.read("letters", 4) == b"abcd"
        assert client.read("letters", 4, offset=8) == b"ij"
        assert client.read("letters", 5, 1, 2, 4) == b"bcfgj"
        assert client.write(b"XYZ", "letters", offset=2) == 3
        assert client.write(b"1234", "letters", offset=1, stride_length=2, stride_skip=5) == 4
    assert (submit / "letters").read_text() == "a12YZf34ij"


def test_an_open_file(pool, submit):
    with pool.client as client:
        file = client._open("file", "rwc", 0o640)
        assert client._write(file, b"hello world", 11) == 11
        assert client._lseek(file, -5, 2) == 6
        assert client._read(file, 3) == b"wor"
        assert client._read(file, 99) == b"ld"
        client._fsync(file)
        client._close(file)
        with pytest.raises(HTChirp.BadFD):
            client._close(file)
        with pytest.raises(HTChirp.BadFD):
            client._write(file, b"lost", 4)
        assert client.whoami() == "CONDOR"  # the data of the refused write was not taken for more
    assert stat.S_IMODE((submit / "file").stat().st_mode) == 0o640


def test_files_and_folders(pool, submit):
    with pool.client as client:
        client.mkdir("a folder", 0o700)
        client.write(b"text", "a folder/f", flags="wc")
        client.rename("a folder/f", "a folder/g")
        client.link("a folder/g", "a folder/hard")
        client.symlink("g", "a folder/soft")
        assert client.readlink("a folder/soft") == b"g"
        assert sorted(client.getdir("a folder")) == ["g", "hard", "soft"]
        assert client.read("a folder/soft", 9) == b"text"
        client.truncate("a folder/soft", 2)
        client.utime("a folder/g", 1_000_000_000, 1_100_000_000)
        client.chmod("a folder/g", 0o400)
        client.chown("a folder/g", os.getuid(), os.getgid())
        client.lchown("a folder/soft", os.getuid(), os.getgid())
        found = client.stat("a folder/soft")
        assert (found["size"], found["atime"], found["mtime"]) == (2, 1_000_000_000, 1_100_000_000)
        assert (found["nlink"], found["mode"]) == (2, 0o100400)
        assert found["inode"] == (submit / "a folder" / "g").stat().st_ino
        assert stat.S_ISLNK(client.lstat("a folder/soft")["mode"])
        assert client.getlongdir("a folder")["hard"] == found
        assert client.statfs(".")["f_blocks"] == os.statvfs(submit).f_blocks
        with pytest.raises(HTChirp.NotEmpty):
            client.rmdir("a folder")
        client.remove("a folder/soft")
        assert (submit / "a folder" / "g").exists()
        client.rmdir("a folder", recursive=True)
        with pytest.raises(HTChirp.DoesntExist):
            client.stat("a folder")
        client.mkdir("empty")
        assert client.getlongdir("empty") == {}
        client.rmdir("empty")
    assert list(submit.iterdir()) == []


def test_access(pool, submit):
    (submit / "f").touch(mode=0o600)
    with pool.client as client:
        client.access("f", "frw")
        with pytest.raises(HTChirp.NotAuthorized):
            client.access("f", "x")
        with pytest.raises(HTChirp.DoesntExist):
            client.access("g", "f")


def test_errors_have_chirp_numbers(pool, submit, tmp_path):
    (submit / "folder").mkdir()
    (submit / "file").touch()
    with pool.client as client:
        with pytest.raises(HTChirp.IsDir):
            client.fetch("folder", str(tmp_path / "back"))
        with pytest.raises(HTChirp.NotDir):
            client.stat("file/below")
        with pytest.raises(HTChirp.AlreadyExists):
            client.mkdir("folder")
        with pytest.raises(HTChirp.InvalidRequest):
            client.truncate("file", -1)
        with pytest.raises(HTChirp.InvalidRequest):
            client.stat("nul\0byte")
        for line in ("fly to the moon\n", "stat\n", "chmod file mode\n", "\n"):
            with pytest.raises(HTChirp.InvalidRequest):
                client._simple_command(line)
        with pytest.raises(HTChirp.UnknownError):
            client.stat("n" * 300)  # ENAMETOOLONG has no number of its own
        assert client._simple_command("version\n") == "2"


def test_too_many_open_files(pool):
    with pool.client as client:
        files = [client._open(str(i), "wc") for i in range(256)]
        with pytest.raises(HTChirp.TooManyOpen):
            client._open("one more", "wc")
        client._close(files[7])
        assert client._open("one more", "wc") == files[7]


def test_job_attributes(pool):
    with pool.client as client:
        assert client.get_job_attr("Owner") == '"alice"'
        assert client.get_job_attr("Missing") == "UNDEFINED"
        client.set_job_attr("Note", '"a b\\c"')
        assert client.get_job_attr("Note") == '"a b\\c"'
        with pytest.raises(HTChirp.NotAuthorized):
            client.set_job_attr("Owner", '"eve"')
        with pytest.raises(HTChirp.InvalidRequest):
            client.set_job_attr("Note", "][")
    assert pool.ad == {"ProcId": "3", "Owner": '"alice"', "Note": '"a b\\c"'}


def test_delayed_updates_wait_for_the_flush(pool):
    with pool.client as client:
        client.set_job_attr_delayed("ChirpStep", "6")
        client.set_job_attr_delayed("chirpstep", "7")
        client.set_job_attr_delayed("ChirpBroken", "][")
        client.set_job_attr_delayed("Step", "8")  # not taken, and not told either: a HTCondor trap
        assert client.get_job_attr_delayed("ChirpStep") == "7"
        assert client.get_job_attr("ChirpStep") == "UNDEFINED"
        assert client.get_job_attr_delayed("ProcId") == "3"
        with pytest.raises(HTChirp.DoesntExist):
            client.get_job_attr_delayed("Step")
        with pytest.raises(HTChirp.UnknownError):
            client.set_job_attr_delayed("ChirpLong", "9" * 994)
        pool.chirp.flush()
        assert pool.ad == {"ProcId": "3", "Owner": '"alice"', "chirpstep": "7"}
        pool.ad["chirpstep"] = "changed"
        pool.chirp.flush()
        assert pool.ad["chirpstep"] == "changed"


def test_no_more_than_100_delayed_attributes(pool):
    assert [pool.chirp.delay(f"Chirp{i}", "1") for i in range(101)] == [True] * 100 + [False]
    pool.chirp.flush()
    assert not pool.chirp.delay("ChirpOneMore", "1")
    assert pool.chirp.delay("CHIRP99", "2")


def test_ulog_keeps_1023_bytes(pool):
    with pool.client as client:
        client.ulog("step 3 of 9 – done")
        client.ulog("ü" * 1000)
    assert pool.logged == ["step 3 of 9 – done", "ü" * 511]


def test_without_io_proxy_only_delayed_updates(submit):
    with a_pool(submit, io_proxy=False) as pool, pool.client as client:
        client.set_job_attr_delayed("ChirpStep", "6")
        assert client.get_job_attr_delayed("ChirpStep") == "6"
        for command in (lambda: client.ulog("x"), lambda: client.getdir(".")):
            with pytest.raises(HTChirp.InvalidRequest):
                command()


# Who may connect.


def test_a_wrong_cookie_is_refused(pool):
    host, port, _ = pool.config.split()
    assert host == "127.0.0.1"
    with pytest.raises(HTChirp.NotAuthenticated):
        HTChirp(host, port, cookie="guess")


def test_nothing_goes_before_the_cookie(pool, submit):
    (submit / "f").touch()
    with pool.wire(cookie=False) as wire:
        wire.sendall(b"unlink f\n")
        assert wire.recv(10) == b"-1\n"
    assert (submit / "f").exists()


def test_each_server_has_a_cookie_of_its_own(tmp_path):
    cookies = {Chirp(tmp_path, str, print, print).cookie for _ in range(10)}
    assert len(cookies) == 10
    assert all(re.fullmatch("[0-9a-f]{32}", cookie) for cookie in cookies)


@pytest.mark.parametrize("length", [5121, 3_000_000])
def test_a_line_too_long_ends_the_connection(pool, length):
    with pool.wire() as wire, wire.makefile("rb") as stream:
        sender = threading.Thread(target=send_what_goes, args=(wire, b"x" * (length - 1) + b"\n"))
        sender.start()
        assert stream.readline() == b"-5\n"
        sender.join(10)
    with pool.client as client:
        assert client.whoami() == "CONDOR"


def send_what_goes(wire, data):
    with suppress(ConnectionError):
        wire.sendall(data)


def test_stop_cuts_off_whoever_is_connected(submit):
    with a_pool(submit) as pool, pool.wire() as wire:
        pool.close()
        assert wire.recv(10) == b""
        with pytest.raises(ConnectionRefusedError), pool.wire():
            pass
        pool.close = lambda: None


def open_files():
    return set(names("/proc/self/fd"))


def test_stop_leaves_no_descriptor_open(submit):
    before = open_files()
    with a_pool(submit) as pool, pool.client as client:
        client._open("f", "wc")
        client.write(b"x", "g", flags="wc")
    client.disconnect()
    assert open_files() == before


# What a kill leaves.


def cut_short(pool, request, data, *, before):
    with pool.wire() as wire:
        wire.sendall(request)
        if before:
            assert wire.recv(10) == b"0\n"
        wire.sendall(data)
    eventually(lambda: not pool.chirp._sessions)


def test_a_put_cut_off_tears_only_the_name_it_was_put_to(pool, submit):
    (submit / "ckpt").write_text("old checkpoint")
    cut_short(pool, b"putfile ckpt.tmp 511 1000\n", b"new", before=True)
    assert (submit / "ckpt").read_text() == "old checkpoint"
    cut_short(pool, b"putfile ckpt 511 1000\n", b"new", before=True)
    assert (submit / "ckpt").read_text() == "new"


def test_a_write_cut_off_writes_nothing(pool, submit):
    (submit / "ckpt").write_text("old checkpoint")
    with pool.wire() as wire, wire.makefile("rb") as stream:
        wire.sendall(b"open ckpt w 0\n")
        number = int(stream.readline())
        stream.readline()
        wire.sendall(b"pwrite %d 1000 0\nnew" % number)
    eventually(lambda: not pool.chirp._sessions)
    assert (submit / "ckpt").read_text() == "old checkpoint"


def test_a_full_disk_is_told_after_the_data(pool, submit, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(chirp, "_write", full)
    (submit / "big").write_bytes(bytes(3_000_000))
    with pool.client as client:
        with pytest.raises(HTChirp.NoSpace):
            client.put(str(submit / "big"), "there")
        assert client.whoami() == "CONDOR"


def test_more_data_than_a_request_may_hold(pool, submit, monkeypatch):
    monkeypatch.setattr(chirp, "_DATA_MAX", 1000)
    (submit / "big").write_bytes(bytes(2000))
    with pool.client as client:
        with pytest.raises(HTChirp.TooBig):
            client.write(bytes(2000), "f", flags="wc")
        assert client.write(bytes(1000), "f", flags="wc") == 1000
        with pytest.raises(HTChirp.TooBig):
            client.read("big", 2000)
        assert client.read("f", 2000) == bytes(1000)


# Nothing outside the folder.

OUTSIDE = [
    "../secret",
    "sub/../../secret",
    "{outside}/secret",
    "/etc/passwd",
    "out/secret",
    "sub/out/secret",
    "to_secret",
    "up/secret",
    "{inside}2/secret",
]


@pytest.fixture
def around(tmp_path, submit):
    """A secret beside the folder, and links to it."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "submit2").mkdir()
    (tmp_path / "submit2" / "secret").write_text("secret")
    (submit / "sub").mkdir()
    (submit / "out").symlink_to(tmp_path)
    (submit / "sub" / "out").symlink_to("../..")
    (submit / "to_secret").symlink_to("../secret")
    (submit / "up").symlink_to("sub/../../")
    (submit / "mine").write_text("mine")
    return tmp_path


def refused(client):
    """Every command that takes a name, as functions of the name."""
    return [
        lambda name: client.fetch(name, "/dev/null"),
        lambda name: client.put("/etc/hostname", name),
        lambda name: client.put("/etc/hostname", name, flags="wca"),
        lambda name: client.read(name, 1),
        client.stat,
        client.statfs,
        lambda name: client.access(name, "f"),
        lambda name: client.chmod(name, 0o777),
        lambda name: client.chown(name, 0, 0),
        lambda name: client.truncate(name, 0),
        lambda name: client.utime(name, 0, 0),
        lambda name: client.getdir(name + "/x"),
        lambda name: client.rename("mine", name + "/x"),
        lambda name: client.link(name + "/x", "stolen"),
        lambda name: client.mkdir(name + "/x"),
        lambda name: client.rmdir(name + "/x"),
        lambda name: client.rmdir(name + "/x", recursive=True),
        lambda name: client.unlink(name + "/x"),
        lambda name: client.lstat(name + "/x"),
        lambda name: client.readlink(name + "/x"),
        lambda name: client.symlink("mine", name + "/x"),
    ]


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_is_refused(pool, around, name):
    name = name.format(outside=around, inside=around / "submit")
    before = (around / "secret").stat()
    with pool.client as client:
        for command in refused(client):
            with pytest.raises(HTChirp.NotAuthorized):
                command(name)
    after = (around / "secret").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert (around / "secret").read_text() == "secret"
    assert names(around) == ["secret", "submit", "submit2"]


@pytest.mark.parametrize("text", ["/etc/passwd", "../secret", "sub/../../secret"])
def test_links_out_are_not_made(pool, around, text):
    with pool.client as client:
        with pytest.raises(HTChirp.NotAuthorized):
            client.symlink(text, "new")
        with pytest.raises(HTChirp.NotAuthorized):
            client.symlink(text, f"{around}/submit/new")
        client.symlink("../mine", "sub/new")
        client.symlink(f"{around}/submit/mine", "sub/whole")
        assert client.read("sub/new", 9) == client.read("sub/whole", 9) == b"mine"


def test_removing_all_stays_inside(pool, around):
    with pool.client as client:
        client.rmdir("out", recursive=True)  # the link itself
        client.rmdir("sub", recursive=True)  # with a link out in it
        for name in (".", "..", str(around / "submit")):
            with pytest.raises(HTChirp.NotAuthorized):
                client.rmdir(name, recursive=True)
    assert names(around) == ["secret", "submit", "submit2"]
    assert names(around / "submit") == ["mine", "to_secret", "up"]


def test_absolute_names_inside_are_the_folders(pool, around):
    with pool.client as client:
        assert client.read(f"{around}/submit/mine", 9) == b"mine"
        assert client.read(f"{around}/submit/sub/..//mine", 9) == b"mine"


def test_a_folder_given_by_a_link(around):
    (around / "alias").symlink_to("submit")
    with a_pool(around / "alias") as pool, pool.client as client:
        assert client.read(f"{around}/alias/mine", 9) == b"mine"
        assert client.read(f"{around}/submit/mine", 9) == b"mine"


@given(st.lists(st.sampled_from(["a", "b", "in", "out", "loop", "file", "gone", "..", ".", ""])))
def test_walking_agrees_with_the_kernel_or_refuses(tmp_path_factory, parts):
    root = tmp_path_factory.getbasetemp() / "walk" / "root"
    if not root.exists():
        (root / "a" / "b").mkdir(parents=True)
        (root / "b").mkdir()
        (root / "a" / "b" / "file").touch()
        (root / "file").touch()
        (root / "a" / "in").symlink_to("../b/../a/b")
        (root / "in").symlink_to(root / "a")
        (root / "a" / "out").symlink_to("../..")
        (root / "out").symlink_to("/")
        (root / "loop").symlink_to("loop")
    name = "./" + "/".join(parts)
    folder = Folder(root)
    try:
        found = folder.stat(name)
    except OSError as error:
        found = error.errno
    finally:
        folder.close()
    try:
        expected = Path(f"{root}/{name}").stat()
    except OSError as error:
        expected = error.errno
    real = Path(os.path.realpath(f"{root}/{name}"))
    if found == errno.EACCES:  # somewhere on the way it was outside
        assert {"..", "out"} & set(parts)
    elif isinstance(found, int):
        assert found == expected
    else:
        assert os.path.samestat(found, expected)
        assert real.is_relative_to(root.resolve())


def test_a_folder_exchanged_for_a_link_leads_nowhere(around):
    folder, inside = Folder(around / "submit"), around / "submit"
    (inside / "d").mkdir()
    (inside / "link").symlink_to(around)
    stop, outcomes = threading.Event(), set()

    def exchange():
        while not stop.is_set():
            (inside / "d").rename(inside / "d2")
            (inside / "link").rename(inside / "d")
            (inside / "d").rename(inside / "link")
            (inside / "d2").rename(inside / "d")

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for attempt in range(1_000_000):
            try:
                outcomes.add(os.close(folder.open("d/secret", os.O_RDONLY)))
            except OSError as error:
                outcomes.add(error.errno)
            if attempt >= 3000 and errno.EACCES in outcomes:  # on a busy machine it takes longer
                break
    finally:
        stop.set()
        thread.join()
        folder.close()
    assert None not in outcomes
    assert errno.EACCES in outcomes
    assert errno.ENOENT in outcomes


def test_what_is_no_file_is_refused_at_once(pool, submit):
    os.mkfifo(submit / "fifo")
    with socket.socket(socket.AF_UNIX) as listener, pool.client as client:
        listener.bind(f"/proc/self/fd/{pool.chirp.folder._root}/socket")  # as it must be short
        with pytest.raises(HTChirp.NotAuthorized):
            client.fetch("fifo", "/dev/null")
        for name in ("fifo", "socket"):
            with pytest.raises(HTChirp.UnknownError):  # ENXIO: nobody reads it
                client.put("/etc/hostname", name)
        assert stat.S_ISFIFO(client.stat("fifo")["mode"])


# The words of a request, as HTCondor's client quotes them.


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\v\f"), min_size=1)))
def test_words_are_those_quoted(texts):
    line = " ".join(map(htchirp.quote, texts))
    assert words(line.encode()) == [text.encode() for text in texts]


def test_words_of_lines_nobody_quotes():
    assert words(b"  stat \t a\\\r\n") == [b"stat", b"a\r"]
    assert words(b"stat a\\") == [b"stat", b"a"]
    assert words(b"\n") == []


# condor_chirp, the program on the job's PATH.


def test_program_puts_and_fetches(run, submit, sandbox):
    data = os.urandom(3_000_000)
    (sandbox / "local").write_bytes(data)
    assert run("put", "local", "remote") == (0, "")
    assert (submit / "remote").read_bytes() == data
    assert run("put", "-perm", "640", "local", "two words\\") == (0, "")
    assert stat.S_IMODE((submit / "two words\\").stat().st_mode) == 0o640
    assert run("fetch", "remote", "back") == (0, "")
    assert (sandbox / "back").read_bytes() == data
    assert run("remove", "remote") == (0, "")
    assert not (submit / "remote").exists()
    assert run("fetch", "remote", "back") == (255, ERROR.format(2, "No such file or directory"))
    assert (sandbox / "back").read_bytes() == data


def test_program_and_standard_streams(run):
    assert run("put", "-mode", "wc", "-", "remote", input="typed") == (0, "")
    assert run("put", "-mode", "wa", "-", "remote", input=" more") == (0, "")
    assert run("fetch", "remote", "-") == (0, "typed more")
    refused = (255, ERROR.format(17, "File exists"))
    assert run("put", "-mode", "wcx", "-", "remote", input="typed") == refused


def test_program_and_attributes(run, pool):
    assert run("get_job_attr", "Owner") == (0, '"alice"\n')
    assert run("set_job_attr", "Note", '"a b"') == (0, "")
    assert run("get_job_attr", "Note") == (0, '"a b"\n')
    assert run("set_job_attr", "Owner", "1") == (255, ERROR.format(13, "Permission denied"))
    assert run("set_job_attr_delayed", "ChirpStep", "6") == (0, "")
    assert run("get_job_attr_delayed", "ChirpStep") == (0, "6\n")
    assert run("set_job_attr_delayed", "Step", "6")[0] == 1
    assert run("get_job_attr_delayed", "Step") == (0, "\n")
    assert run("ulog", "step 6") == (0, "")
    assert pool.logged == ["step 6"]


def test_program_reads_and_writes_pieces(run, submit, sandbox):
    (submit / "letters").write_text("abcdefghij")
    assert run("read", "letters", 4) == (4, "abcd\n")
    assert run("read", "-offset", 8, "letters", 4) == (2, "ij\n")
    assert run("read", "-offset", 1, "-stride", 2, 4, "letters", 5) == (5, "bcfgj\n")
    (sandbox / "local").write_text("1234")
    assert run("write", "-offset", 2, "letters", "local", 3) == (3, "")
    assert (submit / "letters").read_text() == "ab123fghij"
    assert run("write", "-stride", 2, 5, "letters", "local", 4) == (4, "")
    assert (submit / "letters").read_text() == "1212334hij"
    assert run("write", "-stride", 1, 3, "letters", "local") == (4, "")
    assert (submit / "letters").read_text() == "1212333hi4"
    (sandbox / "long").write_bytes(bytes(2000))
    assert run("write", "letters", "long") == (1024 % 256, "")
    assert (submit / "letters").stat().st_size == 1024
    assert run("write", "missing", "long") == (255, ERROR.format(2, "No such file or directory"))


def test_program_and_folders(run, submit):
    (submit / "d").mkdir()
    (submit / "d" / "f").write_text("text")
    assert run("getdir", "d") == (1, "f\n\n")
    assert run("link", "-s", "f", "d/soft") == (0, "")
    assert run("link", "d/f", "d/hard") == (0, "")
    assert run("readlink", "d/soft", 100) == (1, "f\n")
    assert run("access", "d/soft", "rw") == (0, "")
    assert run("chmod", "d/f", "751") == (0, "")
    assert (submit / "d" / "hard").stat().st_mode == 0o100751
    assert run("truncate", "d/f", 2) == (0, "")
    assert run("utime", "d/f", 5, 6) == (0, "")
    assert (submit / "d" / "f").stat().st_mtime == 6
    assert run("chown", "d/f", os.getuid(), os.getgid()) == (0, "")
    assert run("rmdir", "d") == (255, ERROR.format(39, "Directory not empty"))
    assert run("rmdir", "-r", "d") == (0, "")
    assert run("getdir", "d")[0] == 255
    assert list(submit.iterdir()) == []
    assert run("whoami") == (6, "CONDOR\n")
    assert run("whoareyou", "me") == (7, "UNKNOWN\n")


@pytest.mark.parametrize("words", [["stat", "f"], ["lstat", "l"], ["statfs", "f"]])
def test_program_prints_what_htchirps_does(run, submit, capsys, words):
    (submit / "f").write_text("text")
    (submit / "l").symlink_to("f")
    assert htchirp.condor_chirp(words, return_exit_code=True) == 0
    printed = capsys.readouterr().out.replace("f_free:", "f_ffree:")  # a slip of htchirp
    assert drop_free(run(*words)[1]) == drop_free(printed)
    assert printed


def drop_free(text):
    """Other processes use the disk too."""
    return re.sub(r"(f_b?f?(?:free|avail)): \d+", r"\1", text)


def test_program_lists_like_htchirp(run, submit, capsys):
    (submit / "d").mkdir()
    for name in ("one", "two words"):
        (submit / "d" / name).touch()
    htchirp.condor_chirp(["getdir", "-l", "d"], return_exit_code=True)
    assert run("getdir", "-l", "d")[1] == capsys.readouterr().out.replace("\t\t", "\t")


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["fetch", "one"], "condor_chirp fetch remote_file local_file\n"),
        (["chmod", "f", "rwx"], "condor_chirp chmod remotepath mode\n"),
        (["truncate", "f", "all"], "condor_chirp truncate remotepath length\n"),
        (["dance"], None),
        ([], None),
    ],
)
def test_program_used_wrongly(run, words, printed):
    status, output = run(*words)
    assert status == 255
    assert output == printed if printed else "condor_chirp" in output


def test_program_without_a_server(tmp_path):
    done = subprocess.run(
        [sys.executable, str(CONDOR_CHIRP), "fetch", "a", "b"],
        cwd=tmp_path,
        env={"_CONDOR_SCRATCH_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 255
    config = f"Can't open {tmp_path}/.chirp.config file\n"
    assert done.stderr == config + "cannot chirp_connect to shadow\n"


def test_program_can_be_run():
    assert os.access(CONDOR_CHIRP, os.X_OK)
    assert shutil.which("condor_chirp", path=str(PROGRAMS)) == str(CONDOR_CHIRP)


def test_server_imports_nothing_heavy():
    code = "import sys, ckptsim.drivers.real.chirp; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ckptsim.drivers.real.chirp" in done.stdout.split()
    assert not {"numpy", "pydantic", "simpy", "pandas", "scipy"} & set(done.stdout.split())
