"""The shape of the program (design.md, section 4): who may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ckptsim"
MODULES = sorted(PACKAGE.rglob("*.py"))
PURE = {"rules", "pool", "ledger", "link", "outages", "gauge", "heaps", "minima"}


def imports(path):
    """The modules a file names in its imports, wherever in it they stand but for types alone."""
    return named_in(ast.parse(path.read_text()))


def named_in(node):
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from named_in(child)


def importers(library):
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if any(name.split(".")[0] == library for name in imports(path))
    }


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_pure_modules_import_the_standard_library_and_each_other(name):
    for found in imports(PACKAGE / f"{name}.py"):
        top, _, inner = found.partition(".")
        if top == "ckptsim":
            assert not inner or inner.split(".")[0] in PURE
        else:
            assert top in sys.stdlib_module_names
            assert top not in {
                "time",
                "random",
                "os",
                "subprocess",
                "signal",
            }  # no clock, no chance


def test_what_htcondor_does_with_a_job_has_no_clock_process_or_file():
    own = {"ckptsim", "ckptsim.units", "ckptsim.units.SECOND", "ckptsim.rules", "ckptsim.ledger"}
    found = set(imports(PACKAGE / "htcondor" / "life.py"))
    values = ("ckptsim.htcondor", "ckptsim.rules.", "collections", "enum", "typing")
    assert {name for name in found - own if not name.startswith(values)} == set()


def test_each_heavy_library_has_its_place():
    assert importers("simpy") == {"drivers/virtual.py"}
    assert {str(Path(path).parent) for path in importers("numba")} == {"drivers/compiled"}
    assert {Path(path).parts[0] for path in importers("matplotlib")} == {"plots"}


def test_drivers_do_not_import_each_other():
    for path in (PACKAGE / "drivers").glob("*.py"):
        others = {name for name in imports(path) if name.startswith("ckptsim.drivers.")}
        assert not {name for name in others if name.split(".")[2] != path.stem}


def loaded_by(code):
    """The libraries in memory after a fresh Python ran the code."""
    told = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def test_the_core_does_without_pandas_and_pictures():
    core = "rules pool ledger draws lifetimes scenario world exact classic plan estimate experiment"
    loaded = loaded_by("\n".join(f"import ckptsim.{name}" for name in core.split()))
    assert not loaded & {"simpy", "pandas", "matplotlib", "numba", "pyarrow"}
    assert "simpy" in loaded_by("import ckptsim.drivers.virtual")  # so this test can see


def test_a_plan_does_not_load_the_simulation():
    assert not loaded_by("import ckptsim.plan") & {"simpy", "pandas", "matplotlib"}


@pytest.mark.skipif(not (PACKAGE / "cli.py").exists(), reason="there is no command line yet")
def test_help_comes_at_once():
    loaded = loaded_by(
        "import sys\nfrom ckptsim.cli import main\nsys.argv = ['ckptsim', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print()"
    )
    assert not loaded & {"simpy", "pandas", "matplotlib", "scipy", "numpy", "pyarrow"}
