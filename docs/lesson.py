"""The 84 minutes, as a notebook: `marimo edit docs/lesson.py`, or `marimo run` to project it."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="The 84 minutes")


@app.cell
def _():
    import marimo as mo

    import ckptsim as cs

    return cs, mo


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # The 84 minutes

    A long job runs on slots that are lent to it for a while. Each stay on a slot is a *lease*. What
    the job computes counts once it is in a *checkpoint* that has been written and transferred; what
    comes after the last one is lost. HTCondor's manual has an example: checkpoint every 60 minutes,
    and the last 35 minutes of the slot are wasted; every 84 minutes, and only 4 are.

    Each step has a question first. Predict before you look.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## 1. Two intervals

    **Predict.** A lease is over after 6 h. A checkpoint takes 4 min to write and 1 min to transfer.
    How many minutes are lost at the end if the job computes for 60 min between two checkpoints? How
    many, if for 84?
    """)
    return


@app.cell
def _(cs):
    manual = cs.scenario(limit="6h", write="4min", transfer="1min")

    def one_lease(interval):
        """Minutes committed and lost in a lease of 6 h, simulated."""
        ledger = cs.simulate(manual, interval=interval, leases=1).ledger
        return {"committed": ledger["useful_s"] / 60, "lost": ledger["lost_s"] / 60}

    seen = {interval: one_lease(interval) for interval in ("60min", "84min")}
    return manual, one_lease, seen


@app.cell(hide_code=True)
def _(mo, seen):
    _rows = [
        {"interval": interval, **{name: f"{value:g} min" for name, value in lease.items()}}
        for interval, lease in seen.items()
    ]
    mo.accordion({"See": mo.ui.table(_rows, selection=None)})
    return


@app.cell(hide_code=True)
def _(mo, seen):
    mo.md(f"""
    **Explain.** With 60 min, five rounds of 65 min fit into 360, and
    {seen["60min"]["lost"]:g} min are left; with 84 min four rounds of 89 fit, and
    {seen["84min"]["lost"]:g} min are left. That is what the manual says. But checkpoints take time
    too: what counts is what is *committed*, {seen["60min"]["committed"]:g} min against
    {seen["84min"]["committed"]:g}.

    ## 2. Every interval

    **Predict.** Draw the committed share of a lease over the interval, from 10 min to 6 h. Is it a
    hill with one top?
    """)
    return


@app.cell
def _(cs, manual):
    nothing_else = cs.plan(manual, confirm=0)
    evicted = cs.plan(manual, evictions="12h", confirm=0)
    return evicted, nothing_else


@app.cell(hide_code=True)
def _(mo, nothing_else):
    mo.accordion({"See": nothing_else.plot()})
    return


@app.cell(hide_code=True)
def _(mo, nothing_else):
    mo.md(f"""
    **Explain.** It is a saw: wherever one checkpoint fewer fits into the lease, there is a cliff.
    And if nothing but the limit ends a lease, the best is a single checkpoint just before the end,
    after {nothing_else.interval_s / 60:g} min. Would you dare?

    ## 3. Slots that are taken back

    **Predict.** Now a slot is also taken back at any time, on average after 12 h. Which interval is
    best?
    """)
    return


@app.cell(hide_code=True)
def _(evicted, mo):
    mo.accordion({"See": evicted.plot()})
    return


@app.cell(hide_code=True)
def _(evicted, mo):
    _above = next(cliff for cliff in evicted.cliffs if cliff.interval_s == evicted.interval_s)
    mo.md(f"""
    **Explain.** {evicted.interval_s / 60:g} min are best: {100 * evicted.useful_fraction:.1f} % of
    the slot time becomes committed work. But that is the very edge of a cliff: a second more, and
    {_above.checkpoints_fitting_beyond} checkpoints fit instead of
    {evicted.best.checkpoints_fitting}, and {100 * _above.useful_fraction_beyond:.1f} % are useful.
    The manual's 84 min stand one minute before it: that is their merit.

    ## 4. Play

    **Try.** Move one slider at a time, and predict where the best interval goes before you let go.
    """)
    return


@app.cell
def _(mo):
    limit_h = mo.ui.slider(1, 24, value=6, label="limit (h)", show_value=True)
    evictions_h = mo.ui.slider(1, 72, value=12, label="mean between evictions (h)", show_value=True)
    write_min = mo.ui.slider(1, 30, value=4, label="write (min)", show_value=True)
    mo.vstack([limit_h, evictions_h, write_min])
    return evictions_h, limit_h, write_min


@app.cell
def _(cs, evictions_h, limit_h, write_min):
    played = cs.plan(
        limit=f"{limit_h.value}h",
        evictions=f"{evictions_h.value}h",
        write=f"{write_min.value}min",
        transfer="1min",
        confirm=0,
    )
    return (played,)


@app.cell(hide_code=True)
def _(mo, played):
    _said = str(played).splitlines()
    mo.vstack([mo.md(f"**{_said[0]}** {_said[1]}"), played.plot(), played.plot("badput")])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## 5. Exercises

    Work them out first; the answers are computed.
    """)
    return


@app.cell
def _(cs, evicted, manual, one_lease):
    loading = cs.plan(
        manual, evictions="12h", restart_lease="5min", interval="84min", intervals="83.75min"
    )
    by_interval = loading.to_frame().set_index("interval_s")["useful_fraction"]
    answers = {
        "A. How many minutes of a lease do 84 min commit, how many go into checkpoints?": (
            f"{one_lease('84min')['committed']:g} are committed, "
            f"{360 - sum(one_lease('84min').values()):g} go into checkpoints; "
            f"{one_lease('84min')['lost']:g} are lost."
        ),
        "B. Young (1974): the square root of 2 × checkpoint × mean time between losses. Of what "
        "use is it here?": (
            f"It says {evicted.to_dict()['classic']['young_s'] / 60:.1f} min. It knows of no "
            "limit, and that it comes to the left of the cliff is luck: try one of 5 h above."
        ),
        "C. The job takes 5 min to load its checkpoint in a new lease. What becomes of 84 min?": (
            f"Four rounds no longer fit: {100 * by_interval[5040]:.1f} % are useful instead of "
            f"{100 * by_interval[5025]:.1f} % with 83.75 min."
        ),
    }
    return (answers,)


@app.cell(hide_code=True)
def _(answers, mo):
    mo.accordion(answers)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## 6. And your own job?

    What is the limit of a slot, how long is it on average until one is taken back, how long does a
    checkpoint take? Where you do not know: `ckptsim fit` learns from logs how slots are lost, and
    `ckptsim measure job.sub` measures what checkpoints cost.
    """)
    return


@app.cell
def _(mo):
    own = mo.ui.dictionary(
        {
            "limit": mo.ui.text("24h", label="longest lease"),
            "evictions": mo.ui.text("18h", label="mean between evictions"),
            "write": mo.ui.text("10min", label="to write a checkpoint"),
            "transfer": mo.ui.text("2min", label="to transfer it"),
            "restart": mo.ui.text("1min", label="to restart from it"),
            "interval": mo.ui.text("1h", label="computing between two checkpoints, now"),
        }
    )
    own
    return (own,)


@app.cell(hide_code=True)
def _(cs, mo, own):
    try:
        _plan = cs.plan(**{name: text for name, text in own.value.items() if text}, confirm=0)
        _shown = mo.vstack([_plan, _plan.plot()])
    except cs.CkptsimError as mistake:
        _shown = mo.callout(str(mistake), kind="warn")
    _shown
    return


if __name__ == "__main__":
    app.run()
