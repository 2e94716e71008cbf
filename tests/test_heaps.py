"""Heaps and trees of minima beside Python's own sorted and min."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim import heaps, minima

MOVES = st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(-50, 50))))


@given(MOVES)
def test_the_least_of_each_heap_comes_first(moves):
    """A move is a number for one of three heaps, or the taking of its least."""
    found, plain = heaps.opened([100, 100, 100]), [[], [], []]
    for which, key in moves:
        if key is not None:
            heaps.push(found, which, key)
            plain[which] = sorted([*plain[which], key])
        elif plain[which]:
            assert heaps.least(found, which) == plain[which][0]
            assert heaps.pop(found, which) == plain[which].pop(0)
        assert found.sizes == [len(each) for each in plain]
    for which, each in enumerate(plain):
        assert [heaps.pop(found, which) for _ in each] == each


def test_each_heap_has_its_own_room():
    found = heaps.opened([2, 0, 1])
    assert (found.starts, found.sizes, len(found.keys)) == ([0, 2, 2], [0, 0, 0], 3)
    for which, key in ((2, 7), (0, 9), (0, 8)):
        heaps.push(found, which, key)
    assert [heaps.pop(found, which) for which in (0, 2, 0)] == [8, 7, 9]


def test_there_is_no_least_of_an_empty_heap():
    with pytest.raises(AssertionError):
        heaps.pop(heaps.opened([3]), 0)


@pytest.mark.parametrize(
    ("leaves", "base"), [(1, 8), (8, 8), (9, 64), (64, 64), (65, 512), (10**6, 8**7)]
)
def test_leaves_begin_at_a_power_of_eight(leaves, base):
    assert minima.base_of(leaves) == base


@settings(max_examples=50)
@given(st.data(), st.sampled_from([1, 7, 8, 9, 63, 64, 65, 200]), st.sampled_from([2**62, inf]))
def test_the_least_leaf_is_found_after_every_change(data, leaves, most):
    tree, base = minima.planted(leaves, most), minima.base_of(leaves)
    plain = [most] * leaves
    assert (minima.least(tree), minima.leaf_of_least(tree, base)) == (most, 0)
    number = st.one_of(st.integers(-5, 5), st.just(most))
    for leaf, value in data.draw(st.lists(st.tuples(st.integers(0, leaves - 1), number))):
        minima.change(tree, base, leaf, value)
        plain[leaf] = value
        assert minima.least(tree) == min(plain)
        assert minima.leaf_of_least(tree, base) == plain.index(min(plain))
