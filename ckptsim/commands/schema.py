"""`ckptsim schema`: the JSON Schema of scenario files."""

import click

from ckptsim.scenario import schema
from ckptsim.terminal import print_json


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of scenario files, for editors that complete and check them.

    With Taplo or the Even Better TOML extension, save it and name it in the first line of a
    scenario: `#:schema ./ckptsim.schema.json`.
    """
    print_json(schema())
