"""ckptsim from Python: what the commands do, with their flags as names and their answers as values.

Thin: each function asks what the command asks, of the same functions, and keeps what they found.
"""
