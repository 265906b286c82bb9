# SPDX-License-Identifier: Apache-2.0
"""Certificates are renewed, and the CA is replaced, under running services: all verify all the time, nothing is lost.

The new CA needs four runs of site.yml, and the clients that other tests keep know only the old one: it runs by itself,
with --long.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from account import Account, Ledger
from cryptography import x509
from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options
from pipeline import SENDERS, Pipeline
from playbook import ROOT, Run, run_playbook
from starts import services, starts
from testinfra.host import Host

# Half of the time of a whole run
SOFTWARE_STAYS = ("--tags", "configure,run")
SERVERS = {"kafka.service": 1, "elasticsearch.service": 1}


def certificates(host: Host, *files: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(host.check_output(f"cat {' '.join(files)}").encode())


def leaves(host: Host) -> list[x509.Certificate]:
    return certificates(host, *(f"/etc/login-pipeline/{name}/cert.pem" for name in ("kafka", "elasticsearch")))


def days(leaf: x509.Certificate) -> int:
    # back-dated by a day; signing takes a moment, so the two may be a second short of whole days
    return round((leaf.not_valid_after_utc - leaf.not_valid_before_utc) / timedelta(days=1)) - 1


@pytest.mark.usefixtures("long")
def test_a_certificate_that_ends_soon_is_renewed_alone(deployment: Deployment, host: Host, pipeline: Pipeline) -> None:
    authority = deployment.ca_dir.joinpath("ca.pem").read_text()
    account, acked = pipeline.stand_still()
    pipeline.systemctl("start", *SENDERS)
    host.check_output("rm /etc/login-pipeline/kafka/key.pem /etc/login-pipeline/elasticsearch/cert.pem")
    short = json.dumps({"pki_days": 5, "pki_renew_before_days": 1})
    run = deployment.deploy("--tags", "pki", "--extra-vars", short)
    assert run.returncode == 0, run.output
    assert [days(leaf) for leaf in leaves(host)] == [5, 5]

    before = services(starts(host))
    run = deployment.deploy(*SOFTWARE_STAYS)
    assert run.returncode == 0, run.output
    assert services(starts(host)) - before == SERVERS, run.output
    assert [days(leaf) for leaf in leaves(host)] == [397, 397]
    trusted = host.check_output("cat /etc/login-pipeline/ca.pem")
    assert deployment.ca_dir.joinpath("ca.pem").read_text().strip() == authority.strip() == trusted
    balances(pipeline, account, acked)


class Client:
    """Who trusts these CAs alone, and connects to Kafka and Elasticsearch all the time."""

    def __init__(self, deployment: Deployment, tunnel: Tunnel, authority: str) -> None:
        self._ports = {name: tunnel[getattr(deployment, f"{name}_port")] for name in ("kafka", "elasticsearch")}
        self._context = ssl.create_default_context(cadata=authority)
        self.verified: Counter[str] = Counter()
        self.refused: set[str] = set()

    def look(self) -> None:
        """Shake hands with both once. One that restarts does not answer; one that is not trusted is noted."""
        for name, port in self._ports.items():
            try:
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
                    self._context.wrap_socket(plain, server_hostname="localhost"),
                ):
                    self.verified[name] += 1
            except ssl.SSLCertVerificationError:
                self.refused.add(name)
            except OSError:
                continue

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look again and again; at the end both must have been verified, many times, and never refused."""
        stopped = threading.Event()

        def look_on() -> None:
            while not stopped.wait(0.2):
                self.look()

        thread = threading.Thread(target=look_on)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        assert self.refused == set(), self.refused
        assert min(self.verified[name] for name in self._ports) > 10, self.verified


def rotate(deployment: Deployment, *step: str) -> Run:
    given = [option for name in step for option in ("-e", f"rotate_step={name}")]
    return run_playbook(ROOT / "playbooks/rotate_ca.yml", deployment.inventory, *SOFTWARE_STAYS, *given)


def refused(run: Run, words: str) -> None:
    assert (run.returncode, run.changed) == (2, 0) and "Nothing was changed." in run.text, run.output
    assert words in run.text, run.output


@pytest.mark.usefixtures("long")
def test_a_new_ca_takes_over_while_events_flow(
    deployment: Deployment, pipeline: Pipeline, tunnel: Tunnel, host: Host
) -> None:
    file = deployment.ca_dir / "ca.pem"
    old = file.read_text()
    before, before_acked = pipeline.stand_still()
    pipeline.systemctl("start", *SENDERS)
    refused(rotate(deployment), "it begins with rotate_step=trust")
    refused(rotate(deployment, "issue"), "it begins with rotate_step=trust")
    refused(rotate(deployment, "finish"), "it begins with rotate_step=trust")
    clients = {unit for unit in services(starts(host)) if unit.startswith(("login-consumer", "login-producer"))}
    everybody = {**SERVERS, **dict.fromkeys(clients, 1)}

    def step(name: str, trusted: str) -> Counter[str]:
        """Do a step while a client that trusts these CAs looks on; return which services were started how often."""
        count = services(starts(host))
        with Client(deployment, tunnel, trusted).looking():
            run = rotate(deployment, name)
        assert run.returncode == 0, run.output
        assert host.check_output("cat /etc/login-pipeline/ca.pem") == file.read_text().strip()
        return Counter({unit: n for unit, n in (services(starts(host)) - count).items() if unit in everybody})

    assert step("trust", old) == everybody
    both = file.read_text()
    new = both.removeprefix(old)
    assert both.startswith(old) and len(x509.load_pem_x509_certificates(new.encode())) == 1
    refused(rotate(deployment, "finish"), "rotate_step=issue is next")

    assert step("issue", both) == SERVERS
    assert step("finish", new) == everybody
    assert file.read_text() == new
    for leaf in leaves(host):
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(new.encode()))
    outdated = Client(deployment, tunnel, old)
    outdated.look()
    assert outdated.refused == {"kafka", "elasticsearch"}

    again = deployment.deploy(*SOFTWARE_STAYS)
    assert (again.returncode, again.changed) == (0, 0), again.output
    balances(with_todays_ca(deployment, tunnel, host), before, before_acked)


@pytest.mark.usefixtures("long")
def test_a_lost_ca_is_replaced_in_one_run_without_a_loss(deployment: Deployment, tunnel: Tunnel, host: Host) -> None:
    before, before_acked = with_todays_ca(deployment, tunnel, host).stand_still()
    host.check_output(f"systemctl start {' '.join(SENDERS)}")
    old = (deployment.ca_dir / "ca.pem").read_text()
    deployment.ca_dir.rename(deployment.ca_dir.with_name("ca.lost"))
    run = deployment.deploy()
    assert run.returncode == 0, run.output
    assert (deployment.ca_dir / "ca.pem").read_text() != old
    balances(with_todays_ca(deployment, tunnel, host), before, before_acked)
    again = deployment.deploy(*SOFTWARE_STAYS)
    assert (again.returncode, again.changed) == (0, 0), again.output


def with_todays_ca(deployment: Deployment, tunnel: Tunnel, host: Host) -> Pipeline:
    """Return what the fixture `pipeline` is, whose own clients know the CA of their time only."""
    elastic = elasticsearch_client(deployment, tunnel, basic_auth=("elastic", deployment.secrets["elastic_password"]))
    ledger = Ledger(elastic, deployment.topic, kafka_options(deployment, tunnel, "consumer"))
    return Pipeline(deployment, host, elastic, ledger)


def balances(pipeline: Pipeline, before: Account, before_acked: int) -> None:
    """Demand that events flow, and that each one acknowledged since then is stored once."""
    pipeline.ledger.wait_for_flow()
    assert pipeline.audit()["balanced"]
    after, after_acked = pipeline.stand_still()
    pipeline.systemctl("start", *SENDERS)
    assert [before.fault(), after.fault()] == ["", ""]
    assert after.since(before) == after_acked - before_acked > 0
