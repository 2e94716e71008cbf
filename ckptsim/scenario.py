"""The door: what a user wrote, in TOML or flags, becomes one frozen Scenario, or a clear refusal.

Every check of input is here (and in units.py and lawtext.py, which read the single values); what
has passed is only asserted further in. Times are whole nanoseconds, laws are in float seconds.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import ErrorDetails, PydanticCustomError

from ckptsim import units
from ckptsim.errors import ScenarioError, nearest
from ckptsim.lawtext import NAMES, PROFILES, Kind, law, parameters, read_text
from ckptsim.lifetimes import Constant, Law, Never
from ckptsim.rules import Mode
from ckptsim.units import quoted

_TOML_BYTES_MAX = 10**7
_STEPS_MAX = 2_000
_TABLES = ("job", "slots")
_MODES = {mode.name.lower().replace("_", " "): mode for mode in Mode}
_KEEPS_ITS_SLOT = (Mode.DELAYED, Mode.DELAYED_SIGNAL, Mode.NONE)
_POOL = ("pool", "slots.pool")
_FLAGS = "flags"


@dataclass(frozen=True)
class _Given:
    """A value as the user gave it, where, and the folder its file names start from.

    A value that comes bare is from Python, not from a user: there times are nanoseconds.
    """

    value: object
    where: str
    folder: Path


def _reader(read: Callable[[object, Path], object]) -> Callable[[object], object]:
    """A validator that reads what users give and lets pass what Python code gives."""

    def checked(value: object) -> object:
        if isinstance(value, str):
            value = _Given(value, "", Path())
        try:
            return read(value.value, value.folder) if isinstance(value, _Given) else value
        except ScenarioError as mistake:
            raise PydanticCustomError("given", "{text}", {"text": str(mistake)}) from None

    return checked


def _duration(value: object, _: Path, *, none: bool, least: int) -> int | None:
    if none and str(value).strip().lower() == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | time):
        raise ScenarioError(f"{quoted(value)}: not a duration; {units.DURATION_EXAMPLE}")
    found = units.duration(str(value))
    if found < least:
        raise ScenarioError(f"{value}: must be longer than 0; {units.DURATION_EXAMPLE}")
    return found


def _steps(value: object, folder: Path) -> tuple[int, ...] | None:
    """A list of times, also written `10min, 25min`."""
    if str(value).strip().lower() == "none":
        return None
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts:
        raise ScenarioError(f"{quoted(value)}: expected a list of times, as in 10min, 25min, 1h")
    return tuple(_duration(part, folder, none=False, least=1) or 0 for part in parts)


def _amount(value: object, _: Path, *, read: Callable[[str], int], example: str) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ScenarioError(f"{quoted(value)}: not an amount; {example}")
    if str(value).strip().lower() == "none":
        return None
    found = read(str(value))
    if found == 0:
        raise ScenarioError(f"{value}: must be more than 0; {example}")
    return found


def _count(value: object, _: Path, *, least: int, most: int) -> int:
    expected = f"expected a whole number from {least} to {most}"
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ScenarioError(f"{quoted(value)}: {expected}")
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most):
        raise ScenarioError(f"{quoted(value)}: {expected}")
    return int(text)


def _yes(value: object, _: Path) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    found = words.get(str(value).strip().lower())
    if found is None or not isinstance(value, str | bool):
        raise ScenarioError(f"{quoted(value)}: expected yes or no")
    return found


def _mode(value: object, _: Path) -> Mode:
    """One of the modes' names, in words."""
    if isinstance(value, Mode):
        return value
    found = str(value).strip().lower().replace("-", " ").replace("_", " ")
    if found not in _MODES:
        known = ", ".join(_MODES)
        raise ScenarioError(f"{quoted(value)}: expected one of {known}{nearest(found, _MODES)}")
    return _MODES[found]


def _word(value: object, _: Path) -> str:
    if not isinstance(value, str):
        raise ScenarioError(f"{quoted(value)}: expected a text")
    return value


def _law(value: object, folder: Path, *, kind: Kind) -> Law:
    return value if isinstance(value, Law) else law(value, kind, folder)


def _law_only(read: Callable[[object], object], value: object) -> object:
    found = read(value)
    assert isinstance(found, Law), f"{found!r} is not a law"
    return found


def _written(found: Law) -> str:
    """A cost as people write it: a constant by its time alone."""
    return units.spelled_seconds(found.value) if isinstance(found, Constant) else found.describe()


_DURATION_TEXT = (
    r"^\s*(?:(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*[A-Za-zµμ]+\s*)+"
    r"|(?:[0-9]+[-+])?[0-9]+:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)\s*$"
)
_NONE_TEXT = {"enum": ["none"]}
_ZERO = {"enum": [0, "0"]}


def _text(pattern: str, *examples: str) -> dict[str, object]:
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


_DURATION_SCHEMA = _text(_DURATION_TEXT, "90min", "1h30min", "2d 3h", "1:30:00")


def _law_schema(example: str) -> dict[str, object]:
    text = _text(rf"^\s*(?:[A-Za-z]+\s*\(.*\)|[nN]one)\s*$|{_DURATION_TEXT}", "5min", example)
    table = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: _form_schema(name) for name in NAMES},
    }
    return {"anyOf": [text, table, _ZERO]}


def _form_schema(name: str) -> dict[str, object]:
    named: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: {"type": ["string", "number"]} for key in parameters(name)},
    }
    alone = [{"type": "string"}, {"type": "array", "minItems": 1}]
    return {"anyOf": [*alone, named] if parameters(name) else alone}


def _optional(spell: Callable[[int], str]) -> PlainSerializer:
    return PlainSerializer(lambda value: None if value is None else spell(value))


_COST_SCHEMA = _law_schema("uniform(3min, 7min)")
_HAZARD_SCHEMA = _law_schema("weibull(shape=0.7, mean=12h)")

Duration = Annotated[
    Annotated[int, Field(ge=0, le=units.LONGEST)],
    BeforeValidator(_reader(partial(_duration, none=False, least=0))),
    PlainSerializer(units.spelled),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, _ZERO]}),
]
DurationOrNone = Annotated[
    Annotated[int, Field(ge=0, le=units.LONGEST)] | None,
    BeforeValidator(_reader(partial(_duration, none=True, least=0))),
    _optional(units.spelled),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, _ZERO, _NONE_TEXT]}),
]
LongerOrNone = Annotated[
    Annotated[int, Field(ge=1, le=units.LONGEST)] | None,
    BeforeValidator(_reader(partial(_duration, none=True, least=1))),
    _optional(units.spelled),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, _NONE_TEXT]}),
]
CostLaw = Annotated[
    Law,
    PlainValidator(partial(_law_only, _reader(partial(_law, kind="cost")))),
    PlainSerializer(_written),
    WithJsonSchema(_COST_SCHEMA),
]
HazardLaw = Annotated[
    Law,
    PlainValidator(partial(_law_only, _reader(partial(_law, kind="hazard")))),
    PlainSerializer(lambda found: found.describe()),
    WithJsonSchema(_HAZARD_SCHEMA),
]
Steps = Annotated[
    tuple[Annotated[int, Field(ge=1, le=units.LONGEST)], ...] | None,
    BeforeValidator(_reader(_steps)),
    PlainSerializer(lambda steps: steps and [units.spelled(step) for step in steps]),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1, "items": {"anyOf": [_DURATION_SCHEMA]}},
                {"type": "string", "examples": ["10min, 25min, 1h"]},
            ]
        }
    ),
]
Size = Annotated[
    Annotated[int, Field(ge=1, le=units.BYTES_MAX)] | None,
    BeforeValidator(_reader(partial(_amount, read=units.size, example=units.SIZE_EXAMPLE))),
    _optional(units.spelled_size),
    WithJsonSchema({"anyOf": [_text(r"^\s*[0-9.]", "2 GB", "500 MiB"), _NONE_TEXT]}),
]
Rate = Annotated[
    Annotated[int, Field(ge=1, le=units.BYTES_MAX)] | None,
    BeforeValidator(_reader(partial(_amount, read=units.rate, example=units.RATE_EXAMPLE))),
    _optional(lambda rate: units.spelled_size(rate) + "/s"),
    WithJsonSchema({"anyOf": [_text(r"^\s*[0-9.]", "10 Gb/s", "1.25 GB/s"), _NONE_TEXT]}),
]
Count = Annotated[
    Annotated[int, Field(ge=1, le=10**9)],
    BeforeValidator(_reader(partial(_count, least=1, most=10**9))),
]
Seed = Annotated[
    Annotated[int, Field(ge=0, le=2**63 - 1)],
    BeforeValidator(_reader(partial(_count, least=0, most=2**63 - 1))),
]
YesNo = Annotated[
    bool,
    BeforeValidator(_reader(_yes)),
    WithJsonSchema({"enum": [True, False, "yes", "no", "true", "false"]}),
]
ModeName = Annotated[
    Mode,
    BeforeValidator(_reader(_mode)),
    PlainSerializer(lambda mode: named(mode)),  # noqa: PLW0108 (defined further down)
    WithJsonSchema({"enum": list(_MODES)}),
]
Word = Annotated[str, BeforeValidator(_reader(_word))]

_NO_COST = Constant(0.0)
_FOLLOWS: Any = None  # filled in from other keys, by the validators


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True
    )


class Job(_Table):
    """The job: how much it computes, how often it checkpoints, and what that costs."""

    count: Count = Field(default=1, description="How many such jobs are queued at the start.")
    mode: ModeName = Field(
        default=Mode.EXIT_CODE,
        description="How the job saves its work: it ends with each checkpoint (exit code, exit "
        "signal, periodic signal: then interval is the time between two signals; early exit), "
        "sends it by itself (manual), or leaves it to be sent when the slot is lost (delayed, "
        "delayed signal); or none.",
    )
    steps: Steps = Field(
        default=None,
        description="The times of the steps that the job is a sequence of, where it can only "
        "checkpoint between two; then work is their sum, and need not be given.",
    )
    work: LongerOrNone = Field(
        default=None, description="Computing time one job needs; none is a job without end."
    )
    interval: LongerOrNone = Field(
        default=None,
        description="Computing time between two checkpoints, without the checkpoint itself; "
        "left out, plan looks for the best.",
    )
    step: LongerOrNone = Field(
        default=None,
        description="The job's natural step, a time: it can only checkpoint after a whole step, "
        "so the interval is rounded up to whole steps.",
    )
    write: CostLaw = Field(default=_NO_COST, description="Wall time to write a checkpoint, a law.")
    size: Size = Field(
        default=None,
        description="Size of a checkpoint in bytes; with bandwidth, instead of transfer.",
    )
    bandwidth: Rate = Field(
        default=None,
        description="Rate at which a checkpoint moves to the access point.",
    )
    transfer: CostLaw = Field(
        default=_FOLLOWS,
        description="Wall time to move a checkpoint to the access point, a law; "
        "or give size and bandwidth.",
    )
    restart: CostLaw = Field(
        default=_NO_COST,
        description="Wall time from starting the executable from a checkpoint to computing, a law; "
        "sets restart_in_place and restart_lease unless they are given.",
    )
    restart_in_place: CostLaw = Field(
        default=_FOLLOWS,
        description="The restart after each checkpoint, in the same sandbox, a law.",
    )
    restart_lease: CostLaw = Field(
        default=_FOLLOWS,
        description="The restart from a checkpoint at the start of a lease, a law.",
    )
    cold_start: CostLaw = Field(
        default=_NO_COST, description="Wall time to start where there is no checkpoint yet, a law."
    )
    input: CostLaw = Field(
        default=_NO_COST,
        description="Wall time to transfer the input at the start of each lease, a law.",
    )
    last_checkpoint: YesNo = Field(
        default=False,
        description="Whether the job also checkpoints after its last block of work, yes/no.",
    )
    leave_early: YesNo = Field(
        default=False,
        description="Whether the job gives the slot back after a checkpoint when no other would "
        "fit into the lease, yes/no.",
    )

    @property
    def computed_interval(self) -> int | None:
        """The interval in nanoseconds, rounded up to whole steps; None where none is given."""
        if self.interval is None or self.step is None:
            return self.interval
        return -(-self.interval // self.step) * self.step

    @field_validator("work")
    @classmethod
    def _work_of_steps(cls, work: int | None, info: ValidationInfo) -> int | None:
        steps = info.data.get("steps")
        if steps is None:
            return work
        if sum(steps) > units.LONGEST or len(steps) > _STEPS_MAX:
            _refuse(f"job.steps: more than {_STEPS_MAX:,} of them, or than a century in all")
        if work is not None and work != sum(steps):
            _refuse(
                f"{units.show(work)}: the steps of job.steps add up to {units.show(sum(steps))}; "
                "leave work out"
            )
        return int(sum(steps))

    @field_validator("work")
    @classmethod
    def _work_without_checkpoints(cls, work: int | None, info: ValidationInfo) -> int | None:
        if work is None and info.data.get("mode") == Mode.NONE:
            _refuse(
                "missing: without checkpoints a job starts over with each lease, so it matters how "
                "long it computes; give a time, for example 24h"
            )
        return work

    @field_validator("steps", "step")
    @classmethod
    def _steps_at_a_signal(cls, found: object, info: ValidationInfo) -> object:
        mode = info.data.get("mode")
        if found is not None and mode in (Mode.PERIODIC_SIGNAL, Mode.DELAYED_SIGNAL):
            _refuse(
                f"given with the mode {named(mode)!r}, in which a job checkpoints whenever it gets "
                "the signal, not after whole steps; expected one or the other"
            )
        return found

    @field_validator("last_checkpoint", "leave_early")
    @classmethod
    def _of_effect(cls, found: bool, info: ValidationInfo) -> bool:
        mode = info.data.get("mode")
        if found and info.field_name == "last_checkpoint" and mode == Mode.NONE:
            _refuse("has no effect with the mode 'none': such a job writes no checkpoint at all")
        if found and info.field_name == "leave_early" and mode in _KEEPS_ITS_SLOT:
            _refuse(
                f"has no effect with the mode {named(mode)!r}: a job has to have a checkpoint "
                "transferred before it can leave by itself"
            )
        return found

    @field_validator("step")
    @classmethod
    def _step_beside_steps(cls, step: int | None, info: ValidationInfo) -> int | None:
        if step is not None and info.data.get("steps"):
            _refuse("given besides job.steps; expected one or the other")
        return step

    @field_validator("step")
    @classmethod
    def _step_within_work(cls, step: int | None, info: ValidationInfo) -> int | None:
        work = info.data.get("work")
        if step is not None and work is not None and step > work:
            _refuse(
                f"{units.show(step)}: longer than the whole work of {units.show(work)}; "
                "expected the time between two moments at which the job can checkpoint"
            )
        return step

    @field_validator("bandwidth")
    @classmethod
    def _bandwidth_with_size(cls, bandwidth: int | None, info: ValidationInfo) -> int | None:
        if "size" not in info.data:
            return bandwidth  # itself a mistake, which is told
        if bandwidth is None and info.data["size"] is not None:
            _refuse(f"missing, and the transfer of a size needs it; {units.RATE_EXAMPLE}")
        if bandwidth is not None and info.data["size"] is None:
            _refuse(f"has no effect without job.size; {units.SIZE_EXAMPLE}")
        return bandwidth

    @field_validator("transfer", mode="before")
    @classmethod
    def _transfer_of_size(cls, transfer: object, info: ValidationInfo) -> object:
        size, bandwidth = info.data.get("size"), info.data.get("bandwidth")
        if transfer is not None and (size or bandwidth):
            _refuse("given besides job.size and job.bandwidth; expected one or the other")
        if transfer is not None:
            return transfer
        return Constant(size / bandwidth) if size and bandwidth else _NO_COST

    @field_validator("restart_in_place", "restart_lease", mode="before")
    @classmethod
    def _as_restart(cls, restart: object, info: ValidationInfo) -> object:
        return info.data.get("restart", _NO_COST) if restart is None else restart


class Slots(_Table):
    """The slots: how many, how leases end, and what lies between them."""

    count: Count = Field(default=1, description="How many slots there are.")
    limit: LongerOrNone = Field(
        default=None, description="The longest lease, a time; none is no limit."
    )
    evictions: HazardLaw = Field(
        default=Never(),
        description="Time from the start of a lease to its eviction, a law, or none.",
    )
    grace: Duration = Field(
        default=0, description="Time from the soft kill of an eviction to the hard kill."
    )
    retirement: Duration = Field(
        default=0,
        description="How old a lease must be before an eviction's hard kill; until then the job "
        "may leave at a checkpoint; HTCondor's MaxJobRetirementTime.",
    )
    power_failures: HazardLaw = Field(
        default=Never(),
        description="Time from the start of a lease until the slot is gone without notice, a law, "
        "or none.",
    )
    contact_lease: Duration = Field(
        default=40 * units.MINUTE,
        description="How long the access point waits for a slot that is gone without notice; "
        "HTCondor's JobLeaseDuration.",
    )
    gap: CostLaw = Field(
        default=_NO_COST,
        description="Time from losing a slot to the start of the next lease, a law.",
    )
    first_gap: YesNo = Field(
        default=False, description="Whether the gap comes before the first lease too, yes/no."
    )
    absence: CostLaw = Field(
        default=_NO_COST, description="How long a slot stays away after it was lost, a law."
    )
    claim_worklife: DurationOrNone = Field(
        default=None,
        description="Age of a claim after which a checkpoint ends the lease, a time, or none; "
        "HTCondor's CLAIM_WORKLIFE.",
    )


class Scenario(_Table):
    """A question to ckptsim: a job, its slots, and how often to draw."""

    name: Word = Field(
        default="scenario", description="What reports call it; default: the file's name."
    )
    seed: Seed = Field(default=1, description="Seed of all random draws.")
    replications: Count = Field(
        default=1000, description="How many times the simulation is repeated; 1000 if not given."
    )
    job: Job = Field(default=Job(), description="The job.")
    slots: Slots = Field(default=Slots(), description="The slots.")


def _refuse(text: str) -> NoReturn:
    raise PydanticCustomError("given", "{text}", {"text": text})


def load(path: Path | None, overrides: Mapping[str, object]) -> Scenario:
    """The scenario of a TOML file, if any, changed by `overrides` such as `job.interval`.

    The profile that the key `pool` names lies under the file's own keys, the overrides on top;
    those that are None are left out. Raises ScenarioError, with one line for each mistake.
    """
    own = _read_toml(path) if path else {}
    flags = {
        key: _Given(value, _FLAGS, Path()) for key, value in _dotted(overrides) if value is not None
    }
    profile = _profile({**own, **flags})
    default = {"name": _Given(path.stem if path else "scenario", "", Path())}
    given = {**default, **profile, **own, **flags}
    return _validated({key: value for key, value in given.items() if key not in _POOL})


def named(mode: Mode) -> str:
    """The mode as people write it."""
    return mode.name.lower().replace("_", " ")


def profiles() -> tuple[str, ...]:
    """The names of the profiles that `pool` may give."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.toml")))


def describe(scenario: Scenario) -> dict[str, object]:
    """The scenario as it may be written in TOML; `load` of it gives an equal scenario.

    Leaves out what is none, and what follows from other keys.
    """
    tables = scenario.model_dump(exclude_none=True)
    job = tables["job"]
    if "size" in job:
        del job["transfer"]
    if "steps" in job:
        del job["work"]
    for key in ("restart_in_place", "restart_lease"):
        if job[key] == job["restart"]:
            del job[key]
    return tables


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, with descriptions and defaults as a user writes them."""
    found = Scenario.model_json_schema(schema_generator=_Schema)
    found["title"] = "ckptsim scenario"
    for table in (found, found["$defs"]["Job"], found["$defs"]["Slots"]):
        for field in table["properties"].values():
            field.pop("default", None)
    written = describe(Scenario())
    _set_defaults(found, {key: written[key] for key in ("name", "seed", "replications")})
    _set_defaults(found["$defs"]["Job"], written["job"])
    _set_defaults(found["$defs"]["Slots"], written["slots"])
    pool = {"enum": list(profiles()), "description": "The profile whose rules lie under these."}
    found["properties"]["pool"] = found["$defs"]["Slots"]["properties"]["pool"] = pool
    return found


class _Schema(GenerateJsonSchema):
    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Laws as defaults are no JSON, which is as meant: schema() writes the defaults itself."""
        if kind != "non-serializable-default":
            super().emit_warning(kind, detail)


def _set_defaults(table: dict[str, Any], written: object) -> None:
    assert isinstance(written, dict)
    for key, value in written.items():
        table["properties"][key]["default"] = value


def _read_toml(path: Path) -> dict[str, _Given]:
    """The keys of a file, dotted, each with its value and where it was."""
    try:
        tables = tomllib.loads(read_text(path, _TOML_BYTES_MAX))
    except (ScenarioError, ValueError) as mistake:
        text = str(mistake) if isinstance(mistake, ScenarioError) else f"not TOML: {mistake}"
        raise ScenarioError(_printable(f"{path}: {text}")) from None
    except RecursionError:
        raise ScenarioError(f"{path}: not a scenario: nested too deeply") from None
    return {key: _Given(value, str(path), path.parent) for key, value in _dotted(tables)}


def _dotted(tables: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in tables.items():
        if key in _TABLES and isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", found) for inner, found in value.items())
        else:
            yield key, value


def _profile(given: Mapping[str, _Given]) -> dict[str, _Given]:
    """The keys of the profile that is asked for, the flags' before the file's."""
    asked = [given[key] for key in _POOL if key in given]
    asked.sort(key=lambda pool: pool.where != _FLAGS)
    if not asked:
        return {}
    name, where = asked[0].value, asked[0].where
    if name not in profiles():
        raise ScenarioError(
            f"{where}: pool: {quoted(name)}: no such profile; known are {', '.join(profiles())}"
            f"{nearest(str(name), profiles())}"
        )
    return _read_toml(PROFILES / f"{name}.toml")


def _validated(given: Mapping[str, _Given]) -> Scenario:
    try:
        return Scenario.model_validate(_nested(given))
    except ValidationError as mistakes:
        lines = [_line(mistake, given) for mistake in mistakes.errors(include_url=False)]
        raise ScenarioError("\n".join(lines)) from None


def _nested(given: Mapping[str, _Given]) -> dict[str, object]:
    tables: dict[str, Any] = {}
    for key, value in given.items():
        table, dot, inner = key.partition(".")
        if not dot or table not in _TABLES:
            tables[key] = value
        elif isinstance(tables.setdefault(table, {}), dict):  # else the table itself is a mistake
            tables[table][inner] = value
    return tables


def _line(mistake: ErrorDetails, given: Mapping[str, _Given]) -> str:
    """One mistake as one line: where, which key, what was found, what is expected."""
    key = ".".join(str(part) for part in mistake["loc"])
    where = given[key].where if key in given else _nearby(key, given)
    return _printable(f"{where}: {key}: {_what(mistake, key)}")


def _printable(text: str) -> str:
    """The text on one line, whatever was in a file's name or a key."""
    return "".join(character if character.isprintable() else " " for character in text)


def _nearby(key: str, given: Mapping[str, _Given]) -> str:
    """Where a key that is missing would have been: beside the others of its table."""
    table = key.partition(".")[0]
    beside = [value.where for other, value in given.items() if other.startswith(table + ".")]
    return beside[-1] if beside else _FLAGS


def _what(mistake: ErrorDetails, key: str) -> str:
    if mistake["type"] == "extra_forbidden":
        return f"unknown key{_right_key(key)}"
    if mistake["type"] in {"model_type", "model_attributes_type"}:
        found = mistake["input"]
        value = found.value if isinstance(found, _Given) else found
        return f"{quoted(value)}: expected a table, [{key}]"
    return mistake["msg"]


def _right_key(key: str) -> str:
    """The nearest key there is: the same word in another table first, then a like one nearby."""
    table, _, word = key.rpartition(".")
    known = _keys()
    elsewhere = [full for full in known if full.rpartition(".")[2] == word]
    if elsewhere:
        return f"; did you mean {elsewhere[0]!r}?"
    beside = [full.rpartition(".")[2] for full in known if full.rpartition(".")[0] == table]
    return nearest(word, beside) or nearest(key, known)


def _keys() -> list[str]:
    tables: dict[str, type[BaseModel]] = {"job": Job, "slots": Slots}
    inner = [f"{name}.{key}" for name, table in tables.items() for key in table.model_fields]
    return [*(key for key in Scenario.model_fields if key not in tables), "pool", *inner]
