# SPDX-License-Identifier: Apache-2.0
"""playbooks/uninstall.yml: refused without a word, thorough with it, the data kept, and a fresh deployment goes on.

It takes the pipeline off the host for good, so it runs last and only with --uninstall.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from account import Account
from deployment import Deployment
from pipeline import UNITS, Pipeline
from playbook import ROOT, Run, run_playbook
from testinfra.host import Host

# The data, and whose they are
KEPT = sorted(
    [
        "/var/lib/elasticsearch",
        "/var/lib/elasticsearch/data",
        "/var/lib/kafka",
        "/var/lib/kafka/data",
        "/var/lib/login-consumer",
        "/var/lib/login-consumer/checkpoint",
        "/var/lib/login-consumer/checkpoint.lock",
        "/var/lib/login-producer",
        "/var/lib/login-producer/counters.json",
        "/var/lib/login-producer/counters.lock",
        "user elasticsearch",
        "user kafka",
        "user login-consumer",
        "user login-producer",
    ]
)
# Each source has a folder of its own; the tests of faults leave checkpoints that were kept aside
MORE_KEPT = re.compile(r"/var/lib/(login-producer-|login-consumer/checkpoint\.2)")
# Where a deployment leaves anything; the lock of runs stays until the next boot
TRACES = r"""
find /etc /opt /usr/local /usr/lib/sysusers.d /var/lib /var/log /var/cache /run \
  '(' -path /run/log -o -path /run/systemd -o -path /run/user -o -path /var/lib/dpkg -o -path '/var/lib/*/data/*' \
  -o -path '/var/lib/login-*/*' -o -path /run/login-pipeline.lock ')' -prune -o '(' -iname '*kafka*' \
  -o -iname '*elasticsearch*' -o -iname '*kibana*' -o -name '*spark*' -o -name '*login-*' ')' -print
find /var/lib/login-* /var/lib/kafka /var/lib/elasticsearch -maxdepth 1 2>/dev/null
systemctl list-units --all --plain --no-legend 'kafka*' 'elasticsearch*' 'kibana*' 'login-*' 'spark*' | cut -d' ' -f1
awk -F: '$5 ~ /^Login pipeline/ {print "user " $1}' /etc/passwd
"""
# What services write while one looks at them
PASSING = re.compile(r"(/opt|/run|/var/log)/.+|/var/lib/(kafka|elasticsearch)/tmp/.+|/var/lib/login-[\w-]+/.+\.new")


@pytest.fixture(scope="module", autouse=True)
def only_if_told(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.config.getoption("--uninstall"):
        pytest.skip("it takes the pipeline off the host: give --uninstall")
    yield


def uninstall(deployment: Deployment, *options: str) -> Run:
    return run_playbook(ROOT / "playbooks/uninstall.yml", deployment.inventory, *options)


def traces(host: Host) -> list[str]:
    return sorted(set(host.check_output(TRACES.replace("%", "%%")).splitlines()))


def lasting(host: Host) -> list[str]:
    return [trace for trace in traces(host) if not PASSING.fullmatch(trace)]


@pytest.mark.parametrize("options", [(), ("-e", "confirm=yes", "--check")], ids=["no word", "check"])
def test_nothing_is_touched(options: tuple[str, ...], deployment: Deployment, host: Host) -> None:
    before = lasting(host)
    run = uninstall(deployment, *options)
    if options:
        assert run.returncode == 0 and run.changed > 0, run.output
    else:
        assert run.returncode != 0 and run.changed == 0, run.output
        assert "Nothing was touched" in run.text and "add -e confirm=yes" in run.text, run.output
    assert lasting(host) == before
    assert [host.service(unit).is_running for unit in UNITS] == [True] * len(UNITS)


@pytest.fixture(scope="module")
def removed(deployment: Deployment, pipeline: Pipeline) -> Account:
    """Take the pipeline off the host; return the account of before."""
    before, _ = pipeline.stand_still()
    run = uninstall(deployment, "-e", "confirm=yes")
    assert run.returncode == 0, run.output
    return before


@pytest.mark.usefixtures("removed")
def test_the_pipeline_goes_and_its_data_stay(deployment: Deployment, host: Host) -> None:
    assert [trace for trace in traces(host) if not MORE_KEPT.match(trace)] == KEPT
    assert not deployment.backup_dir or host.file(deployment.backup_dir).is_directory
    java = host.check_output("keytool -list -cacerts -storepass changeit 2>/dev/null")
    assert "login-pipeline" not in java and "debian:" in java

    again = uninstall(deployment, "-e", "confirm=yes")
    assert (again.returncode, again.changed) == (0, 0), again.output


@pytest.mark.usefixtures("long")
def test_a_fresh_deployment_goes_on_with_the_data(removed: Account, deployment: Deployment, pipeline: Pipeline) -> None:
    run = deployment.deploy()
    assert run.returncode == 0, run.output
    pipeline.ledger.wait_for_flow()
    found = pipeline.audit()
    assert found["balanced"], found
    with pipeline.still() as after:
        assert not after.fault() and after.kafka > removed.kafka and after.stored > removed.stored


def test_the_data_go_if_that_is_said(deployment: Deployment, host: Host) -> None:
    run = uninstall(deployment, "-e", "confirm=yes", "-e", "uninstall_data=yes")
    assert run.returncode == 0, run.output
    assert traces(host) == []
    assert not deployment.backup_dir or not host.file(deployment.backup_dir).exists
    assert not deployment.secrets_file.exists() and not deployment.ca_dir.exists()
    again = uninstall(deployment, "-e", "confirm=yes", "-e", "uninstall_data=yes")
    assert (again.returncode, again.changed) == (0, 0), again.output
