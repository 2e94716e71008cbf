"""Laws as people write them: `weibull(shape=0.7, mean=12h)`, or as a TOML table.

A bare time is a constant where it is a cost, the mean of an exponential where it is a hazard.
Every parameter of a law is checked here, and nowhere after.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ckptsim import lifetimes
from ckptsim.errors import ScenarioError, nearest
from ckptsim.lifetimes import Law
from ckptsim.units import duration_seconds, quoted

PROFILES = Path(__file__).parent / "profiles"
COST_EXAMPLE = "write for example 5min or uniform(3min, 7min)"
HAZARD_EXAMPLE = "write for example 12h, weibull(shape=0.7, mean=12h) or none"
Kind = Literal["cost", "hazard"]

_CSV_BYTES_MAX = 2**28
_TIME = "time"  # a parameter that may be 0
_MEAN = "mean"  # a time that may not
_FILE = re.compile(r"\.[A-Za-z]\w*$")  # the end of a file's name, not of 1.5h


@dataclass(frozen=True)
class _Form:
    """How a law is written: its parameters, each with what it may be, and an example."""

    build: Callable[..., Law]
    parameters: Mapping[str, str | tuple[float, float]]
    example: str
    positional: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    either: frozenset[str] = frozenset()  # of these exactly one is given, of the others all


def _weibull(shape: float, scale: float = 0.0, mean: float = 0.0) -> Law:
    return lifetimes.Weibull.of_mean(shape, mean) if mean else lifetimes.Weibull(shape, scale)


def _hyperexponential(p: float, mean1: float, mean2: float) -> Law:
    if p == 1:
        raise ScenarioError("hyperexponential: p: 1: must be less than 1")
    return lifetimes.HyperExponential(p, mean1, mean2)


def _uniform(low: float, high: float) -> Law:
    if not low < high:
        raise ScenarioError("uniform: the first time must be less than the second")
    return lifetimes.Uniform(low, high)


def _triangular(low: float, mode: float, high: float) -> Law:
    if not (low <= mode <= high and low < high):
        raise ScenarioError("triangular: the times must be in order: least, most common, greatest")
    return lifetimes.Triangular(low, mode, high)


# The bounds keep every mean a finite float; no law of the field comes near them.
_FORMS: dict[str, _Form] = {
    "constant": _Form(lifetimes.Constant, {"value": _TIME}, "constant(5min)", positional=True),
    "exponential": _Form(
        lifetimes.Exponential, {"mean": _MEAN}, "exponential(mean=12h)", positional=True
    ),
    "weibull": _Form(
        _weibull,
        {"shape": (0.05, 100.0), "scale": _MEAN, "mean": _MEAN},
        "weibull(shape=0.7, mean=12h)",
        either=frozenset({"scale", "mean"}),
    ),
    "lognormal": _Form(
        lifetimes.LogNormal,
        {"median": _MEAN, "sigma": (0.001, 10.0)},
        "lognormal(median=30min, sigma=0.5)",
    ),
    "loglogistic": _Form(
        lifetimes.LogLogistic,
        {"median": _MEAN, "shape": (1.01, 100.0)},
        "loglogistic(median=30min, shape=1.5)",
    ),
    "gamma": _Form(lifetimes.Gamma, {"mean": _MEAN, "cv": (0.001, 30.0)}, "gamma(mean=2h, cv=0.5)"),
    "hyperexponential": _Form(
        _hyperexponential,
        {"p": (0.0, 1.0), "mean1": _MEAN, "mean2": _MEAN},
        "hyperexponential(p=0.3, mean1=10min, mean2=12h)",
    ),
    "uniform": _Form(
        _uniform,
        {"low": _TIME, "high": _TIME},
        "uniform(3min, 7min)",
        positional=True,
        aliases={"a": "low", "b": "high"},
    ),
    "triangular": _Form(
        _triangular,
        {"low": _TIME, "mode": _TIME, "high": _TIME},
        "triangular(2min, 3min, 7min)",
        positional=True,
        aliases={"a": "low", "b": "high"},
    ),
    "bathtub": _Form(
        lifetimes.Bathtub,
        {"a": (0.001, 1.0), "tau1": _MEAN, "tau2": _MEAN, "b": _MEAN},
        "bathtub(a=0.45, tau1=1h, tau2=0.8h, b=24h)",
    ),
}
_EMPIRICAL_EXAMPLE = "empirical(lifetimes.csv:lifetime_s)"
_MIXTURE_EXAMPLE = "mixture(0.75: exponential(mean=2h), 0.25: constant(24h))"
NAMES = (*_FORMS, "empirical", "mixture")


def parameters(name: str) -> tuple[str, ...]:
    """The names a law's parameters have in a table; none for empirical and mixture."""
    return tuple(_FORMS[name].parameters) if name in _FORMS else ()


def law(value: object, kind: Kind, folder: Path) -> Law:
    """The law that a text or a TOML table means.

    `folder` is where the files of `empirical(FILE.csv:COLUMN)` are looked for, and after it among
    those that come with ckptsim. Raises ScenarioError.
    """
    found = _any_law(value, kind, folder)
    if kind == "hazard" and found.mean <= 0:
        raise ScenarioError(f"{quoted(value)}: must be longer than 0; {HAZARD_EXAMPLE}")
    return found


def _any_law(value: object, kind: Kind, folder: Path) -> Law:
    if isinstance(value, Mapping):
        return _from_table(value, kind, folder)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ScenarioError(f"{quoted(value)}: not a law; {_example(kind)}")
    text = str(value).strip()
    if "(" in text:
        return _from_call(text, kind, folder)
    return _bare(text, kind)


def _example(kind: Kind) -> str:
    return COST_EXAMPLE if kind == "cost" else HAZARD_EXAMPLE


def _bare(text: str, kind: Kind) -> Law:
    if text.lower() == "none":
        return lifetimes.Constant(0.0) if kind == "cost" else lifetimes.Never()
    if re.fullmatch(r"[a-z]+", text.lower()) and nearest(text.lower(), NAMES):
        raise ScenarioError(f"{quoted(text)}: needs its parameters; {_example(kind)}")
    time = duration_seconds(text)
    if kind == "cost":
        return lifetimes.Constant(time)
    if time == 0:
        raise ScenarioError(f"{text}: must be longer than 0; {HAZARD_EXAMPLE}")
    return lifetimes.Exponential(time)


def _from_call(text: str, kind: Kind, folder: Path) -> Law:
    """A law from `name(…)`."""
    call = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text, re.DOTALL)
    if call is None:
        raise ScenarioError(f"{quoted(text)}: not of the form name(…); {_example(kind)}")
    name, inner = call[1].lower(), call[2]
    _refuse_unknown(name)
    if name == "empirical":
        return _empirical(inner, folder)
    if name == "mixture":
        return _mixture([_split_weight(part) for part in split_at_commas(inner)], kind, folder)
    positional, named = _arguments(split_at_commas(inner), name)
    return _build(name, positional, named)


def _from_table(table: Mapping[str, object], kind: Kind, folder: Path) -> Law:
    """A law from `{ name = … }`: a table of parameters, a list, or the one parameter."""
    if len(table) != 1:
        raise ScenarioError(
            f"{quoted(dict(table))}: a law is a table of one name,"
            ' for example { weibull = { shape = 0.7, mean = "12h" } }'
        )
    [(name, inner)] = table.items()
    _refuse_unknown(name)
    if name == "empirical":
        return _empirical(_listed(inner), folder)
    if name == "mixture":
        return _mixture(_weighted_tables(inner), kind, folder)
    if isinstance(inner, Mapping):
        return _build(name, [], dict(inner))
    return _build(name, inner if isinstance(inner, list) else [inner], {})


def _refuse_unknown(name: str) -> None:
    if name not in NAMES:
        raise ScenarioError(
            f"{quoted(name)}: no such law; known are {', '.join(NAMES)}{nearest(name, NAMES)}"
        )


def split_at_commas(inner: str) -> list[str]:
    """The parts between commas that are not inside inner parentheses."""
    parts, depth = [""], 0
    for character in inner:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth != 0:
        raise ScenarioError(f"{quoted(inner)}: the parentheses do not match")
    return [part.strip() for part in parts] if inner.strip() else []


def _arguments(parts: Sequence[str], name: str) -> tuple[list[object], dict[str, object]]:
    positional: list[object] = []
    named: dict[str, object] = {}
    for part in parts:
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            positional.append(part)
        elif key in named:
            raise ScenarioError(f"{name}: {key} is given twice")
        else:
            named[key] = value
    return positional, named


def _build(name: str, positional: Sequence[object], named: Mapping[str, object]) -> Law:
    """The law of these arguments, each checked; what is wrong is told with an example."""
    form = _FORMS[name]
    try:
        given = _by_name(name, form, positional, named)
        _refuse_missing(name, form, set(given))
        return form.build(
            **{key: _parameter(form.parameters[key], value, key) for key, value in given.items()}
        )
    except ScenarioError as mistake:
        raise ScenarioError(f"{mistake}; write for example {form.example}") from None


def _by_name(
    name: str, form: _Form, positional: Sequence[object], named: Mapping[str, object]
) -> dict[str, object]:
    """All arguments by name, aliases resolved."""
    if positional and not form.positional:
        raise ScenarioError(f"{name}: {quoted(positional[0])}: parameters need their names")
    if len(positional) > len(form.parameters):
        raise ScenarioError(f"{name}: too many parameters")
    given = dict(zip(form.parameters, positional, strict=False))
    for word, value in named.items():
        key = form.aliases.get(word, word)
        if key not in form.parameters:
            raise ScenarioError(
                f"{name}: {quoted(word)}: no such parameter{nearest(key, form.parameters)}"
            )
        if key in given:
            raise ScenarioError(f"{name}: {key} is given twice")
        given[key] = value
    return given


def _refuse_missing(name: str, form: _Form, given: set[str]) -> None:
    missing = [key for key in form.parameters if key not in given | form.either]
    if missing:
        raise ScenarioError(f"{name}: {', '.join(missing)} missing")
    if form.either and len(given & form.either) != 1:
        raise ScenarioError(f"{name}: needs either {' or '.join(sorted(form.either))}")


def _parameter(kind: str | tuple[float, float], value: object, key: str) -> float:
    try:
        return _number(value, *kind) if isinstance(kind, tuple) else _time(value, kind)
    except ScenarioError as mistake:
        found = str(mistake).partition("; write for example")[0]  # the law's own example follows
        raise ScenarioError(f"{key}: {found}") from None


def _time(value: object, kind: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ScenarioError(f"{quoted(value)}: not a time")
    found = duration_seconds(str(value))
    if kind == _MEAN and found == 0:
        raise ScenarioError(f"{value}: must be longer than 0")
    return found


def _number(value: object, low: float, high: float) -> float:
    """A number above 0 and within the bounds; of a share (0, 1) neither end is allowed."""
    found = _float(value)
    if not low <= found <= high or found == 0:
        expected = "above 0 and at most 1" if (low, high) == (0, 1) else f"from {low:g} to {high:g}"
        raise ScenarioError(f"{value}: must be {expected}")
    return found


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ScenarioError(f"{quoted(value)}: not a number")
    if not re.fullmatch(r"[-+]?[0-9.]{1,40}([eE][-+]?[0-9]{1,3})?", str(value).strip()):
        raise ScenarioError(f"{quoted(value)}: not a number")
    try:
        return float(value)
    except ValueError:
        raise ScenarioError(f"{quoted(value)}: not a number") from None


def _split_weight(part: str) -> tuple[object, object]:
    weight, colon, inner = (word.strip() for word in part.partition(":"))
    if not colon:
        raise ScenarioError(
            f"{quoted(part)}: no weight before it; write for example {_MIXTURE_EXAMPLE}"
        )
    return weight, inner


def _weighted_tables(inner: object) -> list[tuple[object, object]]:
    keys = {"weight", "law"}
    if not isinstance(inner, list) or any(
        not isinstance(part, Mapping) or set(part) != keys for part in inner
    ):
        raise ScenarioError(
            'mixture: not a list of { weight = 0.75, law = "exponential(mean=2h)" }'
        )
    return [(part["weight"], part["law"]) for part in inner]


def _mixture(parts: Sequence[tuple[object, object]], kind: Kind, folder: Path) -> Law:
    weights = tuple(_weight(weight) for weight, _ in parts)
    if abs(math.fsum(weights) - 1) > 1e-9:
        raise ScenarioError(
            f"mixture: the weights add up to {math.fsum(weights):g}, not 1;"
            f" write for example {_MIXTURE_EXAMPLE}"
        )
    return lifetimes.Mixture(weights, tuple(_part(inner, kind, folder) for _, inner in parts))


def _weight(value: object) -> float:
    try:
        return _number(value, 0.0, 1.0)
    except ScenarioError as mistake:
        raise ScenarioError(f"mixture: weight {mistake}") from None


def _part(value: object, kind: Kind, folder: Path) -> Law:
    """A part of a mixture; not itself one, which bounds the nesting and takes nothing away."""
    found_name = next(iter(value), "") if isinstance(value, Mapping) else str(value)
    if str(found_name).strip().lower().startswith("mixture"):
        raise ScenarioError("mixture: a mixture in a mixture; list all its parts in one")
    return _any_law(value, kind, folder)


def _listed(inner: object) -> str:
    """The inside of empirical(…) from a table: FILE:COLUMN or a list of times."""
    if isinstance(inner, list):
        return ", ".join(map(str, inner))
    if not isinstance(inner, str):
        raise ScenarioError(f"empirical: {quoted(inner)}: write for example {_EMPIRICAL_EXAMPLE}")
    return inner


def _empirical(inner: str, folder: Path) -> Law:
    """Measured times: a column of a CSV file, or the times themselves."""
    file, colon, column = (word.strip() for word in inner.strip().strip("\"'").rpartition(":"))
    if colon and (_FILE.search(file) or not re.fullmatch(r"[0-9.]+", column)):
        path = beside(folder / file, file)
        return lifetimes.Empirical(csv_column(path, column), source=f"{found_again(path)}:{column}")
    if not colon and _FILE.search(column):
        columns = ", ".join(csv_header(csv_rows(beside(folder / column, column))))
        raise ScenarioError(f"empirical: which column of {column}? It has {columns}")
    times = tuple(_time(part, _TIME) for part in split_at_commas(inner))
    if not times:
        raise ScenarioError(f"empirical: empty; write for example {_EMPIRICAL_EXAMPLE}")
    return lifetimes.Empirical(times)


def beside(path: Path, name: str) -> Path:
    """The file itself, or the one of this name that comes with ckptsim."""
    shipped = PROFILES / name
    return shipped if not path.exists() and Path(name).name == name and shipped.exists() else path


def found_again(path: Path) -> str:
    """The path such that it is found again: without the folder, for what comes with ckptsim."""
    return path.name if path.parent == PROFILES else str(path)


def read_text(path: Path, bytes_max: int) -> str:
    """The UTF-8 text of a file; ScenarioError, without its name, where there is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise ScenarioError(f"no such file{_similar(path)}") from None
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScenarioError("not a text file in UTF-8") from None
    except ValueError:  # a null byte in the path
        raise ScenarioError("not a possible file name") from None
    if "\0" in text or len(raw) > bytes_max:
        raise ScenarioError("not a text file" if "\0" in text else "too large")
    return text


def _similar(path: Path) -> str:
    try:
        alike = [other.name for other in path.parent.iterdir() if other.suffix == path.suffix]
    except (OSError, ValueError):
        return ""
    return nearest(path.name, alike)


def csv_column(path: Path, column: str) -> tuple[float, ...]:
    """The times of one column of a CSV file with a header, in seconds."""
    rows = csv_rows(path)
    header = csv_header(rows)
    if column not in header:
        raise ScenarioError(
            f"{path}: no column {quoted(column)}; it has {', '.join(header)}"
            f"{nearest(column, header)}"
        )
    place = header.index(column)
    values = tuple(csv_time(path, line, row, place) for line, row in rows[1:])
    if not values:
        raise ScenarioError(f"{path}: a header and no rows")
    return values


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file that are not blank, each with its line number; never none."""
    try:
        reader = csv.reader(io.StringIO(read_text(path, _CSV_BYTES_MAX), newline=""))
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (ScenarioError, csv.Error) as mistake:
        raise ScenarioError(f"{path}: {mistake}") from None
    if not rows:
        raise ScenarioError(f"{path}: empty; expected a header and a row for each time")
    return rows


def csv_header(rows: Sequence[tuple[int, list[str]]]) -> list[str]:
    return [cell.strip() for cell in rows[0][1]]


def csv_time(path: Path, line: int, row: Sequence[str], place: int) -> float:
    text = row[place].strip() if place < len(row) else ""
    try:
        found = float(text)
    except ValueError:
        raise ScenarioError(f"{path}: line {line}: {quoted(text)} is not a number") from None
    if not 0 <= found < math.inf:
        raise ScenarioError(f"{path}: line {line}: {text} is not a time in seconds, 0 or more")
    return found
