# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format."""

from login_common.exposition import Family, Sample, exposition


def test_each_family_has_its_meaning_once_and_its_samples_together() -> None:
    families = [
        Family("a_total", "counter", "Counts.", [Sample(1), Sample(2, {"x": "1", "y": "2"})]),
        Family("none", "gauge", "Not known.", []),
        Family("b_seconds", "gauge", "Measures.", [Sample(0.25)]),
    ]
    assert exposition(families).splitlines() == [
        "# HELP a_total Counts.",
        "# TYPE a_total counter",
        "a_total 1",
        'a_total{x="1",y="2"} 2',
        "# HELP b_seconds Measures.",
        "# TYPE b_seconds gauge",
        "b_seconds 0.25",
    ]


def test_labels_are_escaped() -> None:
    text = exposition([Family("a", "gauge", "A.", [Sample(1, {"x": 'a"b\\c\nd'})])])
    assert text.splitlines()[-1] == 'a{x="a\\"b\\\\c\\nd"} 1'
