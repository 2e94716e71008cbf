"""The door: what a user wrote, in TOML or flags, becomes one frozen Scenario, or a clear refusal.

keys.py gathers the keys, and every check of input is here or in tables.py, fields.py and traces.py
(and in units.py and lawtext.py, which read the single values); what has passed is only asserted
further in. Times are whole nanoseconds, laws are in float seconds.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import ErrorDetails, PydanticCustomError

from ckptsim import units
from ckptsim.errors import ScenarioError, nearest
from ckptsim.fields import Batches, Count, Duration, Given, LongerOrNone, Seed, Word, named
from ckptsim.keys import (
    DEPTHS,
    GROUPS,
    NAME,
    PARENTS,
    TABLES,
    Tables,
    at,
    gathered,
    parted,
    printable,
    profiles,
    replaced,
)
from ckptsim.lifetimes import Constant
from ckptsim.rules import Mode
from ckptsim.tables import NO_COST, Domain, Job, Link, Queue, Slots, Table, refuse
from ckptsim.units import quoted

__all__ = [
    "Domain",
    "Job",
    "Link",
    "Queue",
    "Scenario",
    "Slots",
    "describe",
    "load",
    "named",
    "profiles",
    "schema",
]

_DELAYED = (Mode.DELAYED, Mode.DELAYED_SIGNAL)
Named = Annotated[str, Field(pattern=f"^{NAME}$")]


class Scenario(Table):
    """A question to ckptsim: a job, its slots, and how often to draw; or a whole pool of them."""

    name: Word = Field(
        default="scenario", description="What reports call it; default: the file's name."
    )
    seed: Seed = Field(default=1, description="Seed of all random draws.")
    replications: Count = Field(
        default=1000, description="How many times the simulation is repeated; 1000 if not given."
    )
    duration: LongerOrNone = Field(
        default=None,
        description="When the run ends, jobs or no jobs, a time; none: when all jobs have ended.",
    )
    warm_up: Duration = Field(
        default=0,
        description="The first part of the duration, which is left out of all that is measured.",
    )
    batches: Batches = Field(
        default=20,
        description="In how many parts the duration after warm_up is cut, for batch means.",
    )
    link: Link | None = Field(
        default=None, description="The path of all transfers, shared; none: each has its own."
    )
    queue: Queue = Field(default=Queue(), description="Which job is matched next, and when.")
    classes: dict[Named, Job] = Field(
        default_factory=dict,
        description="Classes of jobs, [classes.NAME]: any keys of [job], on top of [job]'s.",
    )
    kinds: dict[Named, Slots] = Field(
        default_factory=dict,
        description="Kinds of slots, [kinds.NAME]: any keys of [slots], on top of [slots]'.",
    )
    job: Job = Field(default=Job(), description="The job, or what all classes of jobs share.")
    slots: Slots = Field(default=Slots(), description="The slots, or what all kinds share.")
    domains: dict[Named, Domain] = Field(
        default_factory=dict,
        description="Slots that lose power together, [domains.NAME]: racks, rooms.",
    )

    @property
    def job_classes(self) -> dict[str, Job]:
        """The classes of jobs, in the order of their numbers; the job where none is given."""
        return self.classes or {"job": self.job}

    @property
    def slot_kinds(self) -> dict[str, Slots]:
        """The kinds of slots, in the order of their numbers; the slots where none is given."""
        return self.kinds or {"slot": self.slots}

    @property
    def jobs_count(self) -> int:
        return sum(job.count for job in self.job_classes.values())

    @property
    def slots_count(self) -> int:
        return sum(kind.count for kind in self.slot_kinds.values())

    @property
    def is_pool(self) -> bool:
        """Is there anything in it that has no exact answer, only a simulated one?"""
        several = len(self.classes) > 1 or len(self.kinds) > 1
        steered = self.link or self.domains or self.duration or self.queue != Queue()
        jobs = any(_of_a_pool(job) for job in self.job_classes.values())
        kinds = any(kind.availability or kind.speed != 1 for kind in self.slot_kinds.values())
        return bool(several or steered or jobs or kinds)

    @field_validator("warm_up")
    @classmethod
    def _warm_up_within(cls, warm_up: int, info: ValidationInfo) -> int:
        duration = info.data.get("duration", units.LONGEST + 1)
        if warm_up and duration is None:
            refuse("has no effect without duration; give it too, for example 30d")
        if duration is not None and warm_up >= duration:
            refuse(
                f"{units.show(warm_up)}: no shorter than the duration of {units.show(duration)}, "
                "which leaves nothing to measure"
            )
        return warm_up

    @field_validator("classes")
    @classmethod
    def _classes_over_link(cls, classes: dict[str, Job], info: ValidationInfo) -> dict[str, Job]:
        if "link" not in info.data:
            return classes  # the link is itself a mistake, which is told
        link, keyed = info.data["link"], [(f"classes.{name}", job) for name, job in classes.items()]
        _refuse_all(mistake for key, job in keyed for mistake in _at_odds(key, job, link))
        _refuse_all(mistake for key, job in keyed for mistake in _lacking(key, job, link))
        return {name: _over(link, job) for name, job in classes.items()}

    @field_validator("job")
    @classmethod
    def _job_over_link(cls, job: Job, info: ValidationInfo) -> Job:
        """A lone class is the job; of several, what they share need not be complete."""
        if "link" not in info.data:
            return job
        link = info.data["link"]
        _refuse_all(_at_odds("job", job, link))
        classes = list(info.data.get("classes", {"": job}).values())
        if not classes:
            _refuse_all(_lacking("job", job, link))
        return classes[0] if len(classes) == 1 else _over(link, job)

    @field_validator("slots")
    @classmethod
    def _lone_kind(cls, slots: Slots, info: ValidationInfo) -> Slots:
        kinds = list(info.data.get("kinds", {}).values())
        return kinds[0] if len(kinds) == 1 else slots

    @model_validator(mode="after")
    def _ends_and_domains(self) -> "Scenario":
        _refuse_all([*_endless(self), *_unknown_kinds(self), *_unknown_slots(self)])
        return self


def _of_a_pool(job: Job) -> bool:
    return job.stagger or job.arrival_times is not None or job.arrivals != NO_COST


def _over(link: Link | None, job: Job) -> Job:
    """The job with the least its transfer can take: that of one that has the link to itself."""
    if link is None:
        return job
    alone = Constant(job.size / link.bandwidth) if job.size else NO_COST
    found = job.model_copy(update={"transfer": alone})
    found.model_fields_set.discard("transfer")  # not given: over another link it is another
    return found


Mistakes = Iterable[tuple[str, str]]  # a key, and what is wrong with it


def _refuse_all(mistakes: Mistakes) -> None:
    """Refuse what does not go together."""
    found = list(mistakes)
    if found:
        text = "; ".join(f"{key}: {what}" for key, what in found)
        raise PydanticCustomError("across", "{text}", {"text": text, "mistakes": found})


def _at_odds(key: str, job: Job, link: Link | None) -> Mistakes:
    """What a job says that does not go with the link, or without one."""
    if link is None:
        if job.input_size is not None:
            yield f"{key}.input_size", "has no effect without a [link]; give input, a time"
        return
    if job.bandwidth is not None:
        yield f"{key}.bandwidth", "given besides a [link], whose bandwidth counts; leave it out"
    elif "transfer" in job.model_fields_set and job.transfer != _over(link, job).transfer:
        yield f"{key}.transfer", "given besides a [link], over which size moves; leave it out"
    if job.input != NO_COST:
        yield f"{key}.input", "given besides a [link]; give input_size, which moves over it"
    if job.mode in _DELAYED:
        what = (
            f"{named(job.mode)!r}: its one transfer comes after the slot is lost, which is not "
            "modelled over a [link]; expected another mode, or no [link]"
        )
        yield f"{key}.mode", what


def _lacking(key: str, job: Job, link: Link | None) -> Mistakes:
    """What a job has to say besides, for its checkpoints to be transferred."""
    if link is None and job.size is not None and job.bandwidth is None:
        what = f"missing, and the transfer of a size needs it; {units.RATE_EXAMPLE}"
        yield f"{key}.bandwidth", what
    if link is not None and job.size is None and job.mode != Mode.NONE:
        yield f"{key}.size", f"missing, and the [link] moves it; {units.SIZE_EXAMPLE}"


def _endless(scenario: Scenario) -> Mistakes:
    """A pool of jobs without end has to be told when to stop."""
    if not scenario.is_pool or scenario.duration is not None:
        return
    endless = [name for name, job in scenario.job_classes.items() if job.work is None]
    if endless:
        of = f" of the class {endless[0]!r}" if scenario.classes else ""
        what = f"missing: the jobs{of} have no end; give it, for example 30d, or the jobs' work"
        yield "duration", what


def _unknown_kinds(scenario: Scenario) -> Mistakes:
    """Domains are made of kinds of slots that there are."""
    known = scenario.slot_kinds
    for name, domain in scenario.domains.items():
        for kind in domain.kinds or ():
            if kind not in known:
                what = f"no such kind of slots; known are {', '.join(known)}{nearest(kind, known)}"
                yield f"domains.{name}.kinds", f"{quoted(kind)}: {what}"


def _unknown_slots(scenario: Scenario) -> Mistakes:
    """A trace must not be about slots that a kind does not have."""
    for name, kind in scenario.slot_kinds.items():
        last = kind.availability[-1][0] if kind.availability else 0
        if last >= kind.count:
            table = f"kinds.{name}" if scenario.kinds else "slots"
            what = f"it has a slot {last}, but {table}.count is {kind.count}; slots count from 0"
            yield f"{table}.availability", what


def load(path: Path | None, overrides: Mapping[str, object]) -> Scenario:
    """The scenario of a TOML file, if any, changed by `overrides` such as `job.interval`.

    The profile that the key `pool` names lies under the file's own keys, the overrides on top;
    those that are None are left out. Raises ScenarioError, with one line for each mistake.
    """
    tables = gathered(path, overrides)
    try:
        return Scenario.model_validate(tables)
    except ValidationError as mistakes:
        lines = _lines(mistakes.errors(include_url=False), tables)
        raise ScenarioError("\n".join(lines)) from None


def describe(scenario: Scenario) -> dict[str, object]:
    """The scenario as it may be written in TOML; `load` of it gives an equal scenario.

    Leaves out what is none, what follows from other keys, and of a pool what is as by default.
    """
    dumped, usual = scenario.model_dump(), Scenario().model_dump()
    shown = {key: dumped[key] for key in ("name", "seed", "replications")}
    steering = ("duration", "warm_up", "batches", "queue", "link")
    shown |= {key: _given_in(dumped[key]) for key in steering if dumped[key] != usual[key]}
    job, slots = _job_described(dumped["job"], scenario.link), _slots_described(dumped["slots"])
    groups = {
        "classes": {
            name: _beyond(job, _job_described(each, scenario.link), each)
            for name, each in dumped["classes"].items()
        },
        "kinds": {
            name: _beyond(slots, _slots_described(each), each)
            for name, each in dumped["kinds"].items()
        },
        "domains": {name: _given_in(each) for name, each in dumped["domains"].items()},
    }
    filled = {group: tables for group, tables in groups.items() if tables}
    return {**shown, "job": job, "slots": slots, **filled}


def _given_in(written: Any) -> Any:
    """What is written, of a table without what is none."""
    if not isinstance(written, dict):
        return written
    return {key: value for key, value in written.items() if value is not None}


def _job_described(dumped: Mapping[str, object], link: Link | None) -> dict[str, object]:
    job: dict[str, object] = _given_in(dumped)
    if "size" in job or link:
        del job["transfer"]
    if "steps" in job:
        del job["work"]
    if "arrival_times" in job:
        del job["count"]
    for key in ("restart_in_place", "restart_lease"):
        if job[key] == job["restart"]:
            del job[key]
    return _without_usual(job, Job(), ("user", "priority", "arrivals", "stagger"))


def _slots_described(dumped: Mapping[str, object]) -> dict[str, object]:
    return _without_usual(_given_in(dumped), Slots(), ("speed",))


def _without_usual(
    table: dict[str, object], usual: Table, keys: tuple[str, ...]
) -> dict[str, object]:
    """The table without those of the keys that are as by default."""
    default = usual.model_dump(include=set(keys))
    return {key: value for key, value in table.items() if default.get(key, ...) != value}


def _beyond(
    shared: Mapping[str, object], own: Mapping[str, object], dumped: Mapping[str, object]
) -> dict[str, object]:
    """What a class has to say on top of what it would inherit."""
    said = {key: value for key, value in own.items() if shared.get(key) != value}
    gone = set(shared) - set(own) - replaced(said)
    unsaid = {key: "none" if dumped[key] is None else dumped[key] for key in shared if key in gone}
    return {**said, **unsaid}


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, with descriptions and defaults as a user writes them."""
    found = Scenario.model_json_schema(schema_generator=_Schema)
    found["title"] = "ckptsim scenario"
    tables = found["$defs"]
    for table in (found, *tables.values()):
        for field in table["properties"].values():
            field.pop("default", None)
    written = Scenario().model_dump(exclude_none=True)
    usual = {"Job": _defaults(written["job"]), "Slots": written["slots"], "Queue": written["queue"]}
    usual["Link"] = Link(bandwidth=1).model_dump(exclude={"bandwidth"}, exclude_none=True)
    for name, default in usual.items():
        _set_defaults(tables[name], default)
    plain = ("name", "seed", "replications", "warm_up", "batches")
    _set_defaults(found, {key: written[key] for key in plain})
    tables["Domain"]["properties"]["repair"]["default"] = "0s"
    for group, table in GROUPS.items():
        found["properties"][group] = _group_schema(found["properties"][group], table.__name__)
    pool = {"enum": list(profiles()), "description": "The profile whose rules lie under these."}
    found["properties"]["pool"] = tables["Slots"]["properties"]["pool"] = pool
    return found


def _defaults(job: dict[str, object]) -> dict[str, object]:
    """Those that do not follow from other keys."""
    return {
        key: value for key, value in job.items() if key not in ("restart_in_place", "restart_lease")
    }


def _group_schema(field: Mapping[str, object], table: str) -> dict[str, object]:
    return {
        "type": "object",
        "description": field["description"],
        "propertyNames": {"pattern": f"^{NAME}$"},
        "additionalProperties": {"$ref": f"#/$defs/{table}"},
    }


class _Schema(GenerateJsonSchema):
    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Laws as defaults are no JSON, which is as meant: schema() writes the defaults itself."""
        if kind != "non-serializable-default":
            super().emit_warning(kind, detail)


def _set_defaults(table: dict[str, Any], written: object) -> None:
    assert isinstance(written, dict)
    for key, value in written.items():
        table["properties"][key]["default"] = value


def _lines(mistakes: Iterable[ErrorDetails], tables: Tables) -> list[str]:
    """Each mistake as one line: where, which key, what was found, what is expected."""
    told = [found for mistake in mistakes for found in _told(mistake)]
    shared = {key.partition(".")[0] for key, _ in told}
    own = [(key, what) for key, what in told if not _told_already(key, shared, tables)]
    return [_line(key, what, tables) for key, what in own]


def _told(mistake: ErrorDetails) -> Mistakes:
    """A mistake's key and what is wrong; there are several where tables do not go together."""
    if mistake["type"] == "across":
        yield from mistake["ctx"]["mistakes"]
    else:
        key = ".".join(str(part) for part in mistake["loc"])
        yield key, _what(mistake, key)


def _told_already(key: str, mistaken: set[str], tables: Tables) -> bool:
    """Is it a mistake of what a class or a kind inherits from a table that is itself mistaken?"""
    found = at(key, tables)
    inherited = found is None or (isinstance(found, Given) and found.inherited)
    return PARENTS.get(key.partition(".")[0]) in mistaken and inherited


def _line(key: str, what: str, tables: Tables) -> str:
    found = at(key, tables)
    if not isinstance(found, Given):
        return printable(f"{_nearby(key, tables)}: {key}: {what}")
    source = f" (from [{PARENTS[key.partition('.')[0]]}])" if found.inherited else ""
    return printable(f"{found.where}: {key}{source}: {what}")


def _nearby(key: str, tables: Tables) -> str:
    """Where a key that is missing would have been: beside the others of its table."""
    *path, _ = parted(key)
    given = _last(at(".".join(path), tables)) if path else None
    return (given or tables["name"]).where


def _last(place: Any) -> Given | None:
    """The value that was given last in a table."""
    if not isinstance(place, dict):
        return place if isinstance(place, Given) else None
    return next((found for found in map(_last, reversed(place.values())) if found), None)


def _what(mistake: ErrorDetails, key: str) -> str:
    if mistake["type"] == "extra_forbidden":
        return f"unknown key{_right_key(key)}"
    if mistake["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        found = mistake["input"]
        value = found.value if isinstance(found, Given) else found
        inside = ".NAME" if key in GROUPS else ""
        return f"{quoted(value)}: expected a table, [{key}{inside}]"
    if mistake["type"] == "missing":
        return f"missing; write for example {_example(key)}"
    if mistake["type"] == "refused" and key.partition(".")[0] in PARENTS:
        table = ".".join(parted(key)[:-1])
        return re.sub(r"\bjob\.(?=[a-z])", f"{table}.", mistake["msg"])
    return mistake["msg"]


def _example(key: str) -> str:
    group, *_, name = parted(key)
    found = _model(group).model_fields[name].examples or [""]
    return f"{name} = {json.dumps(found[0])}"


def _model(table: str) -> type[Table]:
    """What a table must look like, or each of a group."""
    return GROUPS[table] if table in GROUPS else TABLES[table]


def _right_key(key: str) -> str:
    """The nearest key there is: the same word in another table first, then a like one nearby."""
    table, _, word = key.rpartition(".")
    head, *deeper = table.split(".")
    if deeper and head not in DEPTHS:
        return nearest(head, DEPTHS)
    inner = [f"{name}.{each}" for name, model in TABLES.items() for each in model.model_fields]
    known = inner if head in DEPTHS else [*Scenario.model_fields, "pool", *inner]
    elsewhere = [full for full in known if full.rpartition(".")[2] == word]
    if elsewhere:
        return f"; did you mean {elsewhere[0]!r}?"
    beside = _model(head).model_fields if head in DEPTHS else ()
    return nearest(word, beside) or nearest(key, known)
