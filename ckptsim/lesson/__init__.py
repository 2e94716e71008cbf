"""The 84 minutes: the HTCondor manual's example, in steps that a class can follow.

Each step has a question to predict an answer to, what is then seen, and why. No number is written
down here that could be computed: what a lease does is simulated, what it does on average is solved,
when the step is built. So a step's sentences follow from its own tables.
"""

from collections.abc import Callable, Iterator

from ckptsim.lesson.on_average import cliffs, evictions, jitter
from ckptsim.lesson.one_lease import claim, implied_limit, restart, score
from ckptsim.lesson.step import Step
from ckptsim.lesson.unsure import hedge, your_own

LESSONS: dict[str, tuple[Callable[[], Step], ...]] = {
    "84-minutes": (
        claim,
        implied_limit,
        score,
        restart,
        jitter,
        evictions,
        cliffs,
        hedge,
        your_own,
    )
}


def steps(lesson: str, only: int | None = None) -> Iterator[tuple[int, Step]]:
    """The numbered steps of a lesson, or one of them, each computed when it is asked for."""
    for number, build in enumerate(LESSONS[lesson], 1):
        if only in (None, number):
            yield number, build()
