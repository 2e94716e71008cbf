"""Numba's driver: the rules of the reference, compiled, on the same draws."""

import os

# Intel's vector library, which Numba uses where it is installed, differs from the C library, which
# Python uses, in the last bit. Numba looks here when it is first imported.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")
