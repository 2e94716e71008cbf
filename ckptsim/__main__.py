"""`python -m ckptsim`: the same as the command."""

from ckptsim.cli import main

if __name__ == "__main__":  # processes that share the work import this too
    main()
