"""The docs site: pages in Markdown, and reference made from the code that they are about.

`make docs` builds it with warnings as errors. The built pages need no network: formulas are drawn
by _ext/mathtext.py, and fonts and scripts are the theme's own.
"""

# ruff: noqa: INP001 (Sphinx reads this file where it is)

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent / "_ext")]

project = "ckptsim"
author = "the ckptsim authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
extensions += ["mathtext", "made", "play", "reach"]  # of _ext
exclude_patterns = ["_build", "_ext"]

html_theme = "furo"
html_title = "ckptsim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}

# Headings are link targets, `page.md#a-heading`, as they are where the Markdown is read.
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
# `[x](../scenarios/x.toml)` becomes a download, so that the site has what its pages name.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_copy_empty_lines = False
pygments_style = "default"
pygments_dark_style = "github-dark"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
nitpicky = False

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_workers = 4
