"""Make the figures of lifelines that test_fitting.py holds, by hand and in a venv of its own.

    python -m venv /tmp/ll && /tmp/ll/bin/pip install lifelines==0.30.3
    python tests/lifelines_figures.py lifetimes DATA FOLDER      (with ckptsim's Python)
    /tmp/ll/bin/python tests/lifelines_figures.py figures FOLDER

The first writes FOLDER/NAME.csv (seconds, observed) of the real traces and logs in DATA, as ckptsim
reads them; the second prints what lifelines makes of them. lifelines wants pandas below 3, which is
why it is not in ckptsim's own environment.
"""

import csv
import sys
from pathlib import Path

SOURCES = {
    "gcp": "traces/gcp-preemptible/lifetimes.csv",
    "titan": "traces/titan/titan_gpu_lifetimes.csv.gz",
    "lanl 8": "traces/lanl/lanl_system_8.csv",
    "lanl 20": "traces/lanl/lanl_system_20.csv",
    "utcs early": "condor-logs/no-licence/utcs_early_condor.log",
    "utcs sepa": "condor-logs/no-licence/utcs_sepa_condor.log",
}


def lifetimes_of(data: Path, name: str):
    """The lifetimes as ckptsim reads them; those of less than a second are left out."""
    from ckptsim.htcondor.leases import End, follow
    from ckptsim.observed import Lifetimes, from_csv, from_leases
    from ckptsim.traces_read import read_trace

    path = data / SOURCES[name]
    if path.suffix == ".log":
        found = from_leases(follow(path).leases, End.EVICTED)
    elif name == "gcp":
        found = from_csv(path, "lifetime_s")
    else:
        found = read_trace(path).lifetimes
    kept = [pair for pair in zip(found.durations_s, found.observed, strict=True) if pair[0] > 0]
    return Lifetimes(*map(tuple, zip(*kept, strict=True)))


def write(data: Path, folder: Path) -> None:
    for name in SOURCES:
        found = lifetimes_of(data, name)
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(
                zip(found.durations_s, map(int, found.observed), strict=True)
            )


def figures(folder: Path) -> None:
    import lifelines

    fitters = {
        "exponential": (lifelines.ExponentialFitter, ("lambda_",)),
        "weibull": (lifelines.WeibullFitter, ("rho_", "lambda_")),
        "lognormal": (lifelines.LogNormalFitter, ("mu_", "sigma_")),
        "loglogistic": (lifelines.LogLogisticFitter, ("alpha_", "beta_")),
    }
    print("lifelines", lifelines.__version__)
    for name in SOURCES:
        rows = list(csv.reader((folder / f"{name}.csv").open()))
        seconds, seen = [float(row[0]) for row in rows], [int(row[1]) for row in rows]
        for family, (fitter, names) in fitters.items():
            fit = fitter().fit(seconds, seen)
            values = ", ".join(f"{getattr(fit, each):.6g}" for each in names)
            print(f'    ("{name}", "{family}", ({values},), {fit.log_likelihood_:.3f}),')


if __name__ == "__main__":
    if sys.argv[1] == "lifetimes":
        write(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        figures(Path(sys.argv[2]))
