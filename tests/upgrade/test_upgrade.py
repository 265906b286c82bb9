# SPDX-License-Identifier: Apache-2.0
"""From older versions of Kafka and Elasticsearch to the project's own ones, and back where that is possible.

The tests build on each other, in this order.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from older import OLDER, WANTED
from playbook import Run
from upgraded_host import RECORDS, UpgradedHost


def check_untouched(upgraded: UpgradedHost, run: Run, *words: str) -> None:
    """The run has failed with these words and has changed nothing of the services."""
    assert run.returncode != 0, run.output
    assert [word for word in words if word not in run.text] == [], run.output


@pytest.fixture
def before(upgraded: UpgradedHost) -> tuple[object, ...]:
    """What a refused run must leave as it was."""
    return state(upgraded)


def state(upgraded: UpgradedHost) -> tuple[object, ...]:
    return upgraded.starts(), upgraded.running(), {product: upgraded.link(product) for product in OLDER}


def data_is_there(upgraded: UpgradedHost) -> bool:
    return upgraded.read() == ({f"record {n}" for n in range(RECORDS)}, sum(range(RECORDS)))


def test_the_older_versions_are_deployed(upgraded: UpgradedHost) -> None:
    run = upgraded.play("site.yml", older=OLDER)
    assert run.returncode == 0, run.output
    assert upgraded.running() == OLDER
    upgraded.write()
    assert data_is_there(upgraded)


def test_a_step_that_no_vendor_allows_is_refused(upgraded: UpgradedHost, before: tuple[object, ...]) -> None:
    run = upgraded.play("site.yml", older={"kafka": "5.0.0", "elasticsearch": "8.16.6"})
    check_untouched(upgraded, run, "kafka 4.3.1 -> 5.0.0 is refused", "Take a version 4.x")
    run = upgraded.play("playbooks/upgrade.yml", older={"kafka": "4.3.1", "elasticsearch": "9.1.0"})
    check_untouched(upgraded, run, "elasticsearch 8.16.6 -> 9.1.0 is refused", "Go to 8.19 first")
    assert run.changed == 0, run.output
    assert state(upgraded) == before


def test_a_corrupt_package_stops_before_anything_is_touched(
    upgraded: UpgradedHost, before: tuple[object, ...], tmp_path: Path
) -> None:
    name = "elasticsearch-8.19.13-linux-x86_64.tar.gz"
    (tmp_path / name).write_bytes(b"not what its publisher has made")
    (tmp_path / f"{name}.sha512").write_text(f"{'0' * 128}  {name}\n")
    run = upgraded.play(
        "playbooks/upgrade.yml", artifact_sources={"elasticsearch": "local"}, artifact_local_dir=str(tmp_path)
    )
    check_untouched(upgraded, run, "wrong sha512, nothing was unpacked")
    assert run.changed == 0, run.output
    assert state(upgraded) == before
    # Kafka's package is good, and was not unpacked either.
    assert upgraded.builds("kafka")["all"] == ["4.3.1"]


def test_a_cluster_that_is_not_well_is_not_upgraded(upgraded: UpgradedHost) -> None:
    upgraded.host.check_output("systemctl stop kafka")
    links = {product: upgraded.link(product) for product in OLDER}
    try:
        run = upgraded.play("playbooks/upgrade.yml", kafka_ready_timeout=5)
        check_untouched(upgraded, run, "Refuse to go on unless all of Kafka is well", "Kafka did not answer")
        assert {product: upgraded.link(product) for product in OLDER} == links
        # The new packages lie there already, beside the old ones.
        assert upgraded.builds("kafka")["all"] == ["4.3.1", "4.4.0"]
    finally:
        upgraded.host.check_output("systemctl start kafka")


def test_the_upgrade(upgraded: UpgradedHost) -> None:
    before = upgraded.starts()
    run = upgraded.play("playbooks/upgrade.yml")
    assert run.returncode == 0, run.output
    for product, version in WANTED.items():
        assert f"{product} {OLDER[product]} -> {version}" in run.text
        assert upgraded.builds(product) == {"all": sorted([OLDER[product], version]), "current": version}
    assert upgraded.running() == WANTED
    assert upgraded.starts() - before == {"kafka.service": 1, "elasticsearch.service": 1}
    assert "metadata.version 30 -> 33" in run.text
    assert data_is_there(upgraded)


def test_a_second_run_changes_nothing(upgraded: UpgradedHost) -> None:
    run = upgraded.play("playbooks/upgrade.yml")
    assert (run.returncode, run.changed) == (0, 0), run.output
    assert "All hosts have the wanted versions." in run.text


def test_an_older_elasticsearch_is_refused(upgraded: UpgradedHost) -> None:
    before = state(upgraded)
    for playbook in ("site.yml", "playbooks/upgrade.yml"):
        run = upgraded.play(playbook, older={"elasticsearch": "8.16.6"})
        words = ("elasticsearch 8.19.13 -> 8.16.6 is refused", "no older Elasticsearch starts on it", "Keep 8.19.13")
        check_untouched(upgraded, run, *words)
        assert run.changed == 0, run.output
    assert state(upgraded) == before


def test_kafka_goes_back_and_forth_while_its_version_is_not_finalized(upgraded: UpgradedHost) -> None:
    before = upgraded.starts()
    run = upgraded.play("playbooks/upgrade.yml", older={"kafka": "4.3.1"})
    assert run.returncode == 0, run.output
    assert upgraded.running() == {**WANTED, "kafka": "4.3.1"}
    assert upgraded.builds("kafka") == {"all": ["4.3.1", "4.4.0"], "current": "4.3.1"}
    assert upgraded.starts() - before == {"kafka.service": 1}
    assert data_is_there(upgraded)


def test_an_interrupted_switch_is_made_up_for(upgraded: UpgradedHost) -> None:
    """The link points to the new version already, and the service still runs the old one."""
    before = upgraded.starts()
    run = upgraded.play("site.yml", "--skip-tags", "configure,run")
    assert run.returncode == 0, run.output
    assert upgraded.builds("kafka")["current"] == "4.4.0"
    assert upgraded.running()["kafka"] == "4.3.1"
    run = upgraded.play("playbooks/upgrade.yml")
    assert run.returncode == 0, run.output
    assert upgraded.running() == WANTED
    assert upgraded.starts() - before == {"kafka.service": 1}


def test_when_its_version_is_finalized_kafka_does_not_go_back(upgraded: UpgradedHost) -> None:
    run = upgraded.play("playbooks/upgrade.yml", upgrade_finalize="yes")
    assert run.returncode == 0 and run.changed == 1, run.output
    again = upgraded.play("playbooks/upgrade.yml", upgrade_finalize="yes")
    assert (again.returncode, again.changed) == (0, 0), again.output
    before = state(upgraded)
    for running in (True, False):
        if not running:
            upgraded.host.check_output("systemctl stop kafka")
        try:
            back = upgraded.play("playbooks/upgrade.yml", older={"kafka": "4.3.1"})
            words = ("kafka 4.4.0 -> 4.3.1 is refused", "metadata.version 33", "knows at most 30", "no way back")
            check_untouched(upgraded, back, *words)
            assert back.changed == 0, back.output
        finally:
            upgraded.host.check_output("systemctl start kafka")
    assert data_is_there(upgraded)
    assert state(upgraded)[1:] == before[1:]
