"""How often should a long-running job checkpoint? See README.md; design and words: docs in README."""
