"""Numba, and what it needs told: the one way in which functions are compiled here.

Numba keeps what it has compiled on disk, and looks only at the file of the function that was called
to see whether it is still true: after an edit of the rules the old ones would go on being served.
So the folder of the cache is named after the text of all that may be compiled into it.
"""

import atexit
import inspect
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar, cast

import llvmlite  # type: ignore[import-untyped]
import llvmlite.binding  # type: ignore[import-untyped]
import numba
import numpy as np
from numba import njit, types
from numba.extending import get_cython_function_address, overload, register_jitable

from ckptsim import chance

PACKAGE = Path(__file__).parents[2]
PURE = ("rules", "pool", "ledger", "chance", "link", "outages", "gauge", "heaps", "minima")
"""The modules whose functions are compiled; they import each other and none else of ours."""

LENDING = ("units", "draws", "world")
"""Those whose constants and enums compiled functions may hold."""

KEPT = 3  # caches of other texts, for those who go back and forth between versions
IN_USE_S = 3600.0  # a cache used so lately may be in use
SAYING = "compiling the fast engine (first use, some seconds) ..."

Function = TypeVar("Function", bound=Callable[..., object])

Options = Mapping[str, object]
# NRT is Numba's runtime, which counts references; the error model is that of divisions by zero, for
# which the compiled functions then do not look out.
BORROWING: Options = {"_nrt": False, "error_model": "numpy", "forceinline": False}
INLINED: Options = {**BORROWING, "forceinline": True}
INNER: Options = {**BORROWING, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
REGISTERED: set[object] = set()

# Numba names what it has compiled for a record after the record's number in the process. So code
# from two caches, made for different records in two processes, might have one name, and of what has
# one name one is taken for both. Names after the records themselves are right anywhere.
numbered: Any = types.Record
numbered.mangling_args = property(
    lambda record: ("Record", (sha256(record.name.encode()).hexdigest()[:16],))
)

compiler: Any = njit  # BORROWING is not among the options that its types know
type_of: Any = numba.typeof  # it has none
config: Any = numba.config  # made at run time, from the environment


def text_hash(package: Path = PACKAGE) -> str:
    """A name for all that the compiled code is made from and for."""
    found = sha256()
    for path in sources(package):
        found.update(f"{path.name}\n".encode() + path.read_bytes())
    libraries = [each.__version__ for each in (numba, llvmlite, np)]
    found.update(" ".join([*libraries, sys.version, processor()]).encode())
    return found.hexdigest()[:16]


def sources(package: Path) -> Iterator[Path]:
    named = (package / f"{name}.py" for name in (*PURE, *LENDING))
    yield from (path for path in named if path.exists())
    yield from sorted((package / "drivers" / "compiled").glob("*.py"))


def processor() -> str:
    return f"{platform.machine()} {llvmlite.binding.get_host_cpu_name()}"


def home() -> Path:
    """Where the caches are: as Numba or XDG is told, else where caches are kept."""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / "ckptsim"
    caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(caches) / "ckptsim" / "numba"


def folder_for(name: str) -> Path:
    """The folder of the cache of this name; where none can be kept, one for this process alone."""
    try:
        folder = home() / name
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # RuntimeError: nobody knows whose home it is
        return passing_folder()
    with suppress(OSError):  # another process may be removing the same ones
        prune(folder)
    return folder


def passing_folder() -> Path:
    """Removed at the end, and closed to other users: who writes to a cache runs code."""
    folder = tempfile.mkdtemp(prefix="ckptsim-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def prune(folder: Path) -> None:
    """Remove the caches of other texts, but for the latest and what may be in use."""
    used = {each: each.stat().st_mtime for each in folder.parent.iterdir() if each.is_dir()}
    latest = sorted(used.keys() - {folder}, key=lambda each: used[each], reverse=True)
    for each in latest[KEPT - 1 :]:
        if time.time() - used[each] > IN_USE_S:
            shutil.rmtree(each, ignore_errors=True)


FOLDER = folder_for(text_hash())


def compiled(function: Function) -> Function:
    """The function compiled when first called, or taken from the cache; else as it is in Python.

    A decorator. With NUMBA_DISABLE_JIT=1 in the environment it does nothing.
    """
    return cached(function, {})


def borrowing(function: Function) -> Function:
    """The same for a function that neither makes nor returns an array, list or string.

    It does not count who refers to the arrays it is given, which takes longer than a draw.
    """
    return cached(function, BORROWING)


def inner(function: Function) -> Function:
    """The same for a function that only compiled ones call: it has no way in from Python."""
    return cast("Function", compiler(**INNER)(function))


def inlined(function: Function) -> Function:
    """The same for one that becomes part of those, best one that is called in one place."""
    return cast("Function", compiler(**{**INNER, **INLINED})(function))


def cached(function: Function, options: Options) -> Function:
    before, config.CACHE_DIR = config.CACHE_DIR, str(FOLDER)
    try:
        return cast("Function", compiler(cache=True, **options)(function))
    finally:
        config.CACHE_DIR = before  # which is for all users of Numba in the process


def ready_for(function: Function, *arguments: object) -> Function:
    """The function compiled for arguments of these types, which it takes every argument to be of.

    To look at the types of all that a tuple holds, at every call, takes longer than a job's life.
    """
    if config.DISABLE_JIT:
        return function
    dispatcher: Any = function
    types_of_these = tuple(type_of(each) for each in arguments)
    dispatcher.compile(types_of_these)
    return cast("Function", dispatcher.get_overload(types_of_these))


@cache
def announce(function: Callable[..., object] | None = None) -> None:
    """Say, once, that the first use takes time, if this function (or any) is not in the cache."""
    kept = f"*.{function.__qualname__}-*.nbi" if function else "*.nbi"
    if not config.DISABLE_JIT and next(FOLDER.rglob(kept), None) is None:
        print(SAYING, file=sys.stderr, flush=True)


def register(
    module: ModuleType, names: Container[str] | None = None, options: Options | None = None
) -> None:
    """Let compiled functions call those of a pure module, which stay as they are for Python.

    All that the module defines, or those named; each once, however often this is called. Options
    may be BORROWING, where `borrowing` would do for each of the functions; or INLINED: then they
    become part of whoever calls them, which is faster and takes longer to compile.
    """
    jitable = register_jitable(**(options or {}), no_cfunc_wrapper=True)
    for name, function in vars(module).items():
        if is_own(function, module) and (names is None or name in names):
            REGISTERED.add(function)
            jitable(function)


def is_own(found: object, module: ModuleType) -> bool:
    own = isinstance(found, FunctionType) and found.__module__ == module.__name__
    return own and found not in REGISTERED


# SciPy's scalar functions, by the addresses that SciPy gives to other compiled code: the very
# machine code that Python calls. LLVM is told a name for each, which cached code refers to.

SPECIAL: dict[Callable[..., float], str] = {
    chance.ndtri: "ndtri",
    chance.ndtr: "__pyx_fuse_1ndtr",  # of the two, that of real numbers
    chance.gammaincinv: "gammaincinv",
    chance.gammaincc: "gammaincc",
}


def link_special(function: Callable[..., float]) -> None:
    symbol = f"ckptsim_{function.__name__}"
    address = get_cython_function_address("scipy.special.cython_special", SPECIAL[function])
    llvmlite.binding.add_symbol(symbol, address)
    count = len(inspect.signature(function).parameters)
    # The last argument of the addressed function is Cython's own, and 0.
    arguments = (*[types.float64] * count, types.intc)
    external: Any = types.ExternalFunction(symbol, types.float64(*arguments))
    if count == 1:
        overload(function)(lambda x: lambda x: external(x, 0))  # noqa: ARG005
    else:
        overload(function)(lambda shape, x: lambda shape, x: external(shape, x, 0))  # noqa: ARG005


for special in SPECIAL:
    link_special(special)
    REGISTERED.add(special)
register(chance, options=BORROWING)
