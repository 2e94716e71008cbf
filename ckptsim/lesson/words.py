"""What the steps of the lesson say; what is in braces is computed."""

from typing import NamedTuple


class Words(NamedTuple):
    """The prose of a step, the commands to try, the first as it is, and an exercise."""

    title: str
    question: str
    explanation: str
    commands: tuple[str, ...]
    exercise: str
    answer: str


CLAIM = Words(
    "What does the manual claim?",
    "A slot is yours for 6 h, and a checkpoint takes 5 min. If the job checkpoints after every "
    "{often} min of computing, how many minutes at the end are wasted? And after every {seldom}?",
    "At {often} min the last {often_tail} min of the slot are wasted, at {seldom} min only "
    "{seldom_tail}: the two numbers in HTCondor's manual. This tail comes after the last "
    "checkpoint that was transferred; what is computed in it is lost when the slot ends. The "
    "manual does not say how long the slot is: that is the next step.",
    ("ckptsim simulate --limit 6h --write 4min --transfer 1min --interval {seldom}min --leases 1",),
    "Of the 6 h, how many minutes are not committed with {often} min, how many with {seldom}? "
    "Where do they go?",
    "{often_rest} and {seldom_rest} min: with {often} min, {often_count} checkpoints take "
    "{often_cost} min and the tail {often_tail}; with {seldom}, {seldom_count} take {seldom_cost} "
    "and the tail {seldom_tail}.",
)
LIMIT = Words(
    "How long is the manual's slot?",
    "Checkpoints take 5 min. For which limits does an interval of {often} min waste the last "
    "{often_tail} min, and for which one of {seldom} min the last {seldom_tail}? Is there a limit "
    "that does both?",
    "A tail of {often_tail} min comes at limits of {often_limits}, … min, every {often_round} min; "
    "one of {seldom_tail} at {seldom_limits}, … min, every {seldom_round}. A limit of {limit} min "
    "is in both lists and no other up to {last}; the next is {next} min. Among whole hours {hours} "
    "h is the only one up to {hours_last} h, which is {days} days, so it must be what the manual "
    "means. Had it counted its intervals from one checkpoint to the next, the checkpoint included, "
    "then no limit at all would do.",
    (
        (
            "ckptsim simulate --limit {next}min --write 4min --transfer 1min "
            "--interval {often}min --leases 1"
        ),
    ),
    "Your pool's limit is 8 h. How long is the tail with {seldom} min? Which interval near it "
    "leaves none?",
    "{eight_tail} min. {eight_fit} rounds fit into 8 h, so {eight_better} min of computing, with 5 "
    "min for each checkpoint, fill it to the end.",
)
SCORE = Words(
    "Is no tail the best there is?",
    "Intervals of {perfect} min leave no tail at all. Are they equally good?",
    "They are not: {least} min commit {least_work} min of the lease, {most} min commit "
    "{most_work}. Checkpoints take time too, so the right score is all that is not committed: the "
    "checkpoints and the tail. By that score {most} min is the best of these. Would you use it?",
    (
        (
            "ckptsim plan --limit 6h --write 4min --transfer 1min "
            "--intervals 84min,85min,115min,175min,355min"
        ),
    ),
    "Let a checkpoint take 10 min instead of 5. Which interval with {perfect_count} checkpoints "
    "leaves no tail now, and how much does it commit?",
    "{dear} min: {perfect_count} rounds of {dear_round} min are the 6 h. It commits {dear_work} "
    "min, {dear_less} less than with checkpoints of 5 min.",
)
RESTARTED = Words(
    "What do five minutes to restart change?",
    "Now the job takes 5 min to load its checkpoint at the start of each lease. An interval of "
    "{seldom} min left {slack} min over. What becomes of it, and of {longest} min?",
    "With {seldom} min, {fit} checkpoints fit a lease instead of {fitted}: {work} min are "
    "committed, not {worked}, and the tail, with the checkpoint that the limit cuts off, is {tail} "
    "min. With {stuck} min a job of 24 h never finishes: once it has a checkpoint to restart from, "
    "no lease is long enough to commit another. The longest interval of which {fitted} fit is now "
    "{kept} min. An interval chosen to leave no tail has no room for a cost that was forgotten.",
    (
        (
            "ckptsim plan --limit 6h --write 4min --transfer 1min --restart-lease 5min --work 24h "
            "--intervals {kept}min,{seldom}min,{longest}min"
        ),
    ),
    "And if the job took 10 min to load its checkpoint? What is then the longest interval of which "
    "{fitted} fit?",
    "{slow} min: 10 min to load, and {fitted} rounds of {slow_round} min. Each minute to load "
    "takes a quarter of a minute from the interval.",
)
SHAKEN = Words(
    "84 or 85 minutes, if checkpoints vary?",
    "Checkpoints do not all take 5 min. Let each take 3 to 7 min at random, still 5 on average "
    "(and restarting no time again). Would you now choose {careful} min or {edge}?",
    "Four times {edge} min leave {edge_room} min of the lease for four checkpoints, which take "
    "that long on average; whenever they take longer the fourth is lost. So {edge} min commit "
    "{edge_after} min instead of {edge_before}, but {careful} min, which leave {careful_room}, "
    "still {careful_after} instead of {careful_before}: the manual's number has its merits after "
    "all. With evictions too, 12 h apart on average, {edge} falls from {edge_evicted_before} to "
    "{edge_evicted_after} and {careful} from {careful_evicted_before} to "
    "{careful_evicted_after}; the best is then near {top} min, below the cliff and not at its "
    "edge. Were all times whole half minutes, four of them could take just {edge_room} min and "
    "fit: {edge} min would commit {edge_halves} with evictions, {careful} min {careful_halves}.",
    (
        (
            "ckptsim plan --limit 6h --evictions 12h --write 'uniform(2min, 6min)' "
            "--transfer 1min --intervals 84min,85min"
        ),
    ),
    "Checkpoints now take 4 to 6 min. Is {careful} min safe, whatever happens to them?",
    "Yes: four of the longest take 24 min, and four times {careful} leave {careful_room}. Without "
    "evictions each lease commits {tight} min, always.",
)
EVICTED = Words(
    "What if the slot can be taken back at any time?",
    "Slots are now taken back at random, 12 h apart on average (and checkpoints always take 5 min "
    "again). Is {longest} min still the best of the six? And should the intervals of a lease be "
    "alike?",
    "Of the six, {best} min is now the best and {worst} min the worst: an eviction takes all since "
    "the last checkpoint, and the longer the interval, the more that is. Intervals of {plan} min "
    "are better than equal ones of {equal}, but only by {gain} min a lease: with exponential "
    "evictions the risk is the same at every age, and all that matters is how many checkpoints "
    "fit. Where the risk falls with age (Weibull, shape 0.5), {falling_plan} min commit "
    "{falling_gain} min more than {falling_equal} each time; where it rises (shape 2), "
    "{rising_plan} commit {rising_gain} min more than {rising_equal}.",
    (
        (
            "ckptsim plan --limit 6h --evictions 'weibull(shape=0.5, mean=12h)' --write 4min "
            "--transfer 1min --intervals 84min"
        ),
    ),
    "Young (1974) says: the square root of 2 × checkpoint × mean time between losses. What is that "
    "here, and what does the formula not know?",
    "{young} min, by the root of 2 × 5 × 720. It knows of no limit: that it is so near the best, "
    "and on the right side of the cliff, is luck. With a limit of 5 h the best would be "
    "{five_best} min.",
)
CLIFFS = Words(
    "What is a hundredth of a minute worth?",
    "Evictions are 12 h apart on average, and {edge} min is the best interval. What do {beyond} "
    "min commit?",
    "{beyond} min commit {drop} less than {edge}, because {fit} checkpoints fit the limit instead "
    "of {fitted}. There is such a cliff wherever one checkpoint fewer fits: at {cliffs} min. A "
    "search that feels its way along the slope never sees it coming, so ckptsim works out where "
    "the cliffs are and looks at both sides of each. Of all intervals {top} min is the best, "
    "{useful} of slot time useful; it stands at the very edge.",
    (
        (
            "ckptsim sweep --limit 6h --evictions 12h --write 4min --transfer 1min "
            "--over job.interval=80min:90min:1min"
        ),
    ),
    "With a limit of 8 h, where are the cliffs of five and of four checkpoints?",
    "At {eight_cliffs} min: 480 / 5 and 480 / 4, less 5 for the checkpoint. By these evictions the "
    "best is then {eight_top} min.",
)
HEDGED = Words(
    "What if you are not sure of your numbers?",
    "Evictions are 12 h apart, a checkpoint takes 5 min and so does a restart, but each of these "
    "may be {band} more or less than you believe. {best} min is the best if all is as you said. "
    "Would you choose it?",
    "{best} min is at the edge of a cliff: anywhere within the {band}, only {kept_average} of slot "
    "time is useful on average, {kept_worst} at worst. With {robust} min it is {average} and "
    "{worst}, and all it costs is {price} of slot time if everything is as you said; if you may be "
    "{wide_band} off, choose {wide_robust} min. The other cure is to decide again after each "
    "checkpoint, by the clock. Where checkpoints take 3 to 7 min a lease then commits {clock} min "
    "on average, against {fixed} with the best fixed interval and {steady} if they always took 5.",
    (
        (
            "ckptsim plan --limit 6h --evictions 12h --write 4min --transfer 1min "
            "--restart-lease 5min --band 20%"
        ),
    ),
    "How long are five costs of 5 min, if each is {band} more? So which is the longest interval of "
    "which four fit whatever is true within the {band}?",
    "{costs} min, one restart and four checkpoints; a quarter of the rest is {edge_band} min. The "
    "robust interval is there.",
)
YOUR_OWN = Words(
    "And your own job?",
    "What must you know of your job and of your slots to answer the question for yourself?",
    "How long a lease may be, how often slots are lost, and what it costs to write, transfer and "
    "restart; job event logs of earlier runs tell some of it. For this lesson's slots, with "
    "evictions and with 5 min to restart, the first command finds {best} min: {best_work} min "
    "committed a lease, against {now_work} at {now}. Put your own times in the second, or give "
    "your logs to the third.",
    (
        (
            "ckptsim plan --limit 6h --evictions 12h --write 4min --transfer 1min "
            "--restart-lease 5min --interval 60min"
        ),
        (
            "ckptsim plan --limit LIMIT --evictions MEAN --write TIME --transfer TIME "
            "--restart-lease TIME --interval PRESENT"
        ),
        "ckptsim plan --log 'my-logs/*.log' --write TIME --restart-lease TIME --interval PRESENT",
    ),
    "How many hours of a week, 168 h, does this slot save with {best} min instead of {now}?",
    "{saved} h: {best_useful} of its time is useful instead of {now_useful}.",
)
