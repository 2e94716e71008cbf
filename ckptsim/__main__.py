"""`python -m ckptsim`: the same as the command."""

from ckptsim.cli import main

main()
