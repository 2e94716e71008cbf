"""docs/evidence.md says what the code finds in real data."""

from pathlib import Path

import wrong_ways

PAGE = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text()


def test_the_wrong_ways_cost_what_the_page_says(shared):
    assert shared == wrong_ways.SHARED
    assert "\n".join(wrong_ways.rows()) in PAGE


def test_every_wrong_way_costs_hours():
    hours = [float(line.split("|")[-2].split()[0]) for line in PAGE.splitlines() if " h |" in line]
    assert len(hours) == 4
    assert min(hours) > 5
