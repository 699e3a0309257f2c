"""Counts of pairs of lives, against double loops."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm._panel.pairs import count_comparable, count_ordered

ROWS = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 4)), max_size=20)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_counts_equal_double_loops(rows):
    time, event, predicted = (
        np.array([row[k] for row in rows], dtype) for k, dtype in enumerate((float, bool, float))
    )
    comparable = [
        (i, j)
        for i, j in itertools.permutations(range(len(rows)), 2)
        if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j]))
    ]
    assert count_comparable(time, event) == len(comparable)
    ordered = [pair for pair in comparable if predicted[pair[1]] > predicted[pair[0]]]
    assert count_ordered(time, event, predicted) == len(ordered)
