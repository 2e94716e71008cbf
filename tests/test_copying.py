"""Copying one file. The judge: the bytes that were written, read by other means."""

import errno
import os
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.drivers.real import copying
from ckptsim.drivers.real.copying import CHUNK, PIECE, Cut, copy


@contextmanager
def opened(path, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def copied(source, folder, name="copy", **options):
    with opened(source) as file, opened(folder) as directory:
        return copy(file, directory, name, **options)


def refusing(number):
    """A kernel that does not copy by itself, for that reason."""

    def copy_file_range(*_):
        raise OSError(number, os.strerror(number))

    return copy_file_range


def never_more(*_):
    """A kernel that says at once that the end is reached, as it did of files of /proc."""
    return 0


KERNELS = [None, never_more, *map(refusing, [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP])]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, CHUNK - 1, CHUNK + 1])
def test_every_byte_is_copied_whether_or_not_the_kernel_does_it(
    tmp_path, monkeypatch, kernel, size
):
    if kernel:
        monkeypatch.setattr(os, "copy_file_range", kernel)
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)
    assert copied(tmp_path / "source", tmp_path) == size
    assert (tmp_path / "copy").read_bytes() == content


@settings(max_examples=30, deadline=None)
@given(
    content=st.binary(max_size=60),
    by_kernel=st.integers(1, 9),
    by_hand=st.integers(1, 9),
    gives_up=st.integers(0, 6),
)
def test_a_kernel_that_copies_little_and_gives_up_loses_nothing(
    tmp_path_factory, content, by_kernel, by_hand, gives_up
):
    folder = tmp_path_factory.mktemp("copy")
    (folder / "source").write_bytes(content)
    whole, calls = os.copy_file_range, []

    def some(source, target, _):
        calls.append(1)
        if len(calls) > gives_up:
            raise OSError(errno.EXDEV, "")
        return whole(source, target, by_kernel)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "copy_file_range", some)
        patch.setattr(copying, "PIECE", by_hand)
        assert copied(folder / "source", folder) == len(content)
    assert (folder / "copy").read_bytes() == content


def test_an_error_in_the_middle_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", refusing(errno.ENOSPC))
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(OSError) as told:
        copied(tmp_path / "source", tmp_path)
    assert told.value.errno == errno.ENOSPC


def test_what_the_kernel_makes_up_is_read(tmp_path):
    assert copied("/proc/version", tmp_path) > 0
    assert (tmp_path / "copy").read_bytes() == Path("/proc/version").read_bytes()


@pytest.mark.parametrize("mode", [0o400, 0o644, 0o755])
def test_the_mode_is_kept(tmp_path, mode):
    (tmp_path / "source").touch()
    (tmp_path / "source").chmod(mode)
    copied(tmp_path / "source", tmp_path)
    assert (tmp_path / "copy").stat().st_mode & 0o7777 == mode


def test_a_set_uid_bit_is_not_kept(tmp_path):
    (tmp_path / "source").touch()
    (tmp_path / "source").chmod(0o4755)
    copied(tmp_path / "source", tmp_path)
    assert (tmp_path / "copy").stat().st_mode & 0o7777 == 0o755


def test_a_longer_file_of_that_name_is_replaced_whole_even_if_it_is_read_only(tmp_path):
    (tmp_path / "source").write_text("new")
    (tmp_path / "copy").write_text("older and longer")
    (tmp_path / "copy").chmod(0o400)
    copied(tmp_path / "source", tmp_path)
    assert (tmp_path / "copy").read_text() == "new"


@pytest.mark.parametrize("to", ["precious", "not there"])
def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path, to):
    (tmp_path / "source").write_text("new")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "copy").symlink_to(tmp_path / to)
    copied(tmp_path / "source", tmp_path)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "not there").exists()
    assert not (tmp_path / "copy").is_symlink()
    assert (tmp_path / "copy").read_text() == "new"


def test_another_name_of_the_file_at_the_target_keeps_its_content(tmp_path):
    (tmp_path / "source").write_text("new")
    (tmp_path / "copy").write_text("old")
    os.link(tmp_path / "copy", tmp_path / "kept")
    copied(tmp_path / "source", tmp_path)
    assert (tmp_path / "kept").read_text() == "old"


def test_a_directory_a_fifo_or_a_socket_at_the_target_is_let_be(tmp_path):
    (tmp_path / "source").touch()
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    with pytest.raises(IsADirectoryError):
        copied(tmp_path / "source", tmp_path, "directory")
    for name in "fifo", "socket":
        with pytest.raises(FileExistsError):
            copied(tmp_path / "source", tmp_path, name)
        assert (tmp_path / name).exists()


@pytest.mark.parametrize("kernel", [None, refusing(errno.EXDEV)])
def test_a_copy_is_cut_off_when_asked_and_leaves_what_had_come(tmp_path, monkeypatch, kernel):
    if kernel:
        monkeypatch.setattr(os, "copy_file_range", kernel)
    (tmp_path / "source").write_bytes(bytes(3 * CHUNK))
    asked = []

    def at_the_third():
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(Cut):
        copied(tmp_path / "source", tmp_path, stop=at_the_third)
    # 2 pieces; where the kernel refuses, its refusal was the first that was asked for
    assert (tmp_path / "copy").stat().st_size == (PIECE if kernel else 2 * CHUNK)


def test_no_file_is_left_open(tmp_path):
    (tmp_path / "source").write_bytes(b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    copied(tmp_path / "source", tmp_path)
    with pytest.raises(Cut):
        copied(tmp_path / "source", tmp_path, stop=lambda: True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
