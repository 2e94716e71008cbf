"""The explorer: a page to play with, that solves a question exactly and needs no network."""
