# SPDX-License-Identifier: Apache-2.0
"""Which steps between versions are allowed, and what is said of those that are not."""

import pytest
from ansible.module_utils.artifact_steps import misfit, numbers, step

DATA = "/var/lib/some/data"


@pytest.mark.parametrize(
    ("product", "installed", "wanted", "kind"),
    [
        ("elasticsearch", "", "8.19.13", "first"),
        ("elasticsearch", "8.19.13", "8.19.13", "same"),
        ("elasticsearch", "8.9.2", "8.19.13", "forward"),
        ("elasticsearch", "8.19.4", "8.19.13", "forward"),
        ("elasticsearch", "8.19.4", "9.1.0", "forward"),
        ("elasticsearch", "7.17.28", "8.19.13", "forward"),
        ("kibana", "8.16.6", "8.19.13", "forward"),
        ("kafka", "3.3.2", "4.0.0", "forward"),
        ("kafka", "4.3.1", "4.4.0", "forward"),
        # Its data decide, not its version.
        ("kafka", "4.10.0", "4.9.1", "back"),
        ("spark", "4.1.1", "4.2.0", "forward"),
    ],
)
def test_allowed_steps(product: str, installed: str, wanted: str, kind: str) -> None:
    found = step(product, installed, wanted, DATA, installed)
    assert (found.kind, found.refusal) == (kind, "")


@pytest.mark.parametrize(
    ("product", "installed", "wanted", "words"),
    [
        (
            "elasticsearch",
            "8.19.13",
            "8.9.2",
            [f"{DATA} was written by 8.19.13", "Keep 8.19.13", "a backup from before"],
        ),
        ("elasticsearch", "8.19.13", "8.19.12", ["no older Elasticsearch starts on it"]),
        ("elasticsearch", "8.18.8", "9.1.0", ["reached from 8.19 alone", "Go to 8.19 first"]),
        ("elasticsearch", "7.17.28", "9.1.0", ["reached from 8.19 alone", "Go to 8.19 first"]),
        ("elasticsearch", "7.16.3", "9.1.0", ["Go to 7.17 first"]),
        ("elasticsearch", "7.16.3", "8.19.13", ["Go to 7.17 first"]),
        ("elasticsearch", "8.19.13", "9.0.8", ["9.0 is older than 8.19", "Take 9.1 or newer"]),
        ("elasticsearch", "9.3.1", "10.0.0", ["no rule is known here", "Stay with 9.x"]),
        ("kibana", "8.19.13", "8.19.12", ["its saved objects", "Keep 8.19.13"]),
        ("kafka", "3.2.3", "4.4.0", ["3.3 and newer", "newest 3.9 first"]),
        ("kafka", "4.4.0", "5.0.0", ["no rule is known here for Kafka 5"]),
        ("spark", "4.2.0", "4.1.1", [f"move {DATA} away", "nothing is lost"]),
    ],
)
def test_refused_steps(product: str, installed: str, wanted: str, words: list[str]) -> None:
    refusal = step(product, installed, wanted, DATA, installed).refusal
    assert refusal.startswith(f"{product} {installed} -> {wanted} is refused: ")
    assert [word for word in words if word not in refusal] == []


def test_who_has_written_the_data_decides() -> None:
    """The version that was put in place last may never have started; the data outlive the software."""
    assert step("elasticsearch", "8.19.13", "8.9.2", DATA, "").refusal == ""
    never_started = step("elasticsearch", "8.19.13", "8.9.2", DATA, "8.9.2")
    assert (never_started.kind, never_started.refusal) == ("back", "")
    removed = step("elasticsearch", "", "8.9.2", DATA, "8.19.13")
    assert (removed.kind, "elasticsearch 8.19.13 -> 8.9.2 is refused" in removed.refusal) == ("first", True)


@pytest.mark.parametrize("kibana", ["8.19.13", "8.19.2", "8.16.6"])
def test_kibana_fits_elasticsearch_of_its_major_version_that_is_not_older(kibana: str) -> None:
    assert misfit(kibana, "8.19.13") == ""


@pytest.mark.parametrize("kibana", ["8.19.14", "9.1.0", "7.17.28"])
def test_another_kibana_does_not_fit(kibana: str) -> None:
    assert "Set artifact_versions, as in {kibana: 8.19.13}" in misfit(kibana, "8.19.13")


def test_what_is_no_version_is_told() -> None:
    assert numbers("9.1.0-rc1") == (9, 1, 0)
    with pytest.raises(ValueError, match="'newest' is no version"):
        numbers("newest")
