"""The wrapper that makes a program checkpoint as HTCondor wants it to, and what writes it."""
