"""One module a command: it parses, calls and prints; what it prints is in its `told` and `json`."""
