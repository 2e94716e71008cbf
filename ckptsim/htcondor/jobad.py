"""What a job's ad says, read out of HTCondor's attributes."""

from typing import Any

from ckptsim.htcondor import arguments as syntax
from ckptsim.htcondor.jobcommands import expression

# A job's ad: a `classad2.ClassAd`, whose module has no types.
Ad = Any

SUBMIT_FOLDER = "TransferOutputRoot"
"""Our own attribute: besides Iwd, the folder that output may go to. No job can change it."""


def argv(ad: Ad) -> list[str]:
    """The arguments of the job, without the executable's own name."""
    if "Arguments" in ad:
        return syntax.split(ad["Arguments"])
    return str(ad.get("Args", "")).split()


def environment(ad: Ad) -> dict[str, str]:
    """The variables that the submit file gives the job, those of `getenv` among them."""
    return syntax.variables(syntax.split(ad.get("Environment", "")))


def requirements(ad: Ad) -> Any:
    """The expression that a slot has to meet: what the user wrote, else `true`.

    condor_submit adds `TARGET.Arch`, `TARGET.HasFileTransfer`, `TARGET.HasSelfCheckpointTransfers`
    and the like (htcondor-rules.md 1.1). Every machine of this pool is this one and has them all,
    and its ads need not say so: nothing is added, and only the user's own words can fail to match.
    """
    return ad.lookup("Requirements") if "Requirements" in ad else expression("true")


def names(ad: Ad, attribute: str) -> list[str] | None:
    """Entries of a list of files (`TransferInput`, `TransferOutput`, …).

    None where it was not given, or was empty, which HTCondor takes for the same
    (htcondor-observed.md B15); an empty list where the submit file says `""`.
    """
    return entries(str(ad[attribute])) if attribute in ad else None


def remaps(ad: Ad) -> dict[str, str]:
    """Where output files go instead of under their own names: name in the sandbox to path."""
    pairs = str(ad.get("TransferOutputRemaps", "")).split(";")
    split = (pair.partition("=") for pair in pairs if pair.strip())
    return {name.strip(): target.strip() for name, _, target in split}


def entries(text: str) -> list[str]:
    """Entries of a list with commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]
