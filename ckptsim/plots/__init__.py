"""Pictures for papers and projectors: what the other modules found, laid out, with its units.

The only package that imports matplotlib, and never pyplot, so that no window system is touched.
"""

from ckptsim.plots.audit import timeline_figure
from ckptsim.plots.badput import badput_figure
from ckptsim.plots.gantt import gantt_figure
from ckptsim.plots.lease import lease_figure
from ckptsim.plots.ledger import ledger_figure
from ckptsim.plots.lesson import lesson_figure
from ckptsim.plots.looks import LOOKS
from ckptsim.plots.makespan import makespan_figure, makespan_law_figure
from ckptsim.plots.measured import measured_figure
from ckptsim.plots.plan import plan_figure
from ckptsim.plots.pool import course_figure
from ckptsim.plots.pool_plan import pool_plan_figure
from ckptsim.plots.style import rendered, save
from ckptsim.plots.survival import survival_figure
from ckptsim.plots.sweep import sweep_figure
from ckptsim.plots.traces import Moment, Segment, moments, segments
from ckptsim.plots.trade_off import trade_off_figure

__all__ = [
    "LOOKS",
    "Moment",
    "Segment",
    "badput_figure",
    "course_figure",
    "gantt_figure",
    "lease_figure",
    "ledger_figure",
    "lesson_figure",
    "makespan_figure",
    "makespan_law_figure",
    "measured_figure",
    "moments",
    "plan_figure",
    "pool_plan_figure",
    "rendered",
    "save",
    "segments",
    "survival_figure",
    "sweep_figure",
    "timeline_figure",
    "trade_off_figure",
]
