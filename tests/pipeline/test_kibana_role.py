# SPDX-License-Identifier: Apache-2.0
"""The role kibana with an archive. The archive holds a stand-in: this proves the role, and nothing about Kibana."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from deployment import Deployment, Tunnel, elasticsearch_client
from elasticsearch import AuthenticationException
from kibana_archive import REMOVE, make_archive
from playbook import ROOT, Run, run_playbook
from testinfra.host import Host

PATHS = """
/etc/kibana                                   root    kibana  750
/etc/kibana/kibana.yml                        root    kibana  640
/etc/kibana/secrets.yml                       root    kibana  640
/etc/kibana/key.pem                           root    kibana  640
/var/lib/kibana                               kibana  kibana  750
/opt/kibana                                   root    root    755
/opt/kibana/current/bin/kibana                root    root    755
/etc/systemd/system/kibana.service            root    root    644
"""
STATUS = """
import json, ssl, urllib.request
context = ssl.create_default_context(cafile="/etc/login-pipeline/ca.pem")
print(json.dumps(json.load(urllib.request.urlopen("https://{}:5601/api/status", context=context))))
"""

TOO_NEW = "9.0.0"

Deploy = Callable[..., Run]


@pytest.fixture(scope="module")
def deploy(deployment: Deployment, host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    """Return a function that runs the role with the stand-in's archive; what it leaves is removed at the end."""
    if host.file("/etc/systemd/system/kibana.service").exists:
        pytest.skip("the host has a Kibana of its own")
    version = host.check_output("basename $(readlink /opt/elasticsearch/current)").split("-")[0]
    folder = tmp_path_factory.mktemp("archives")
    for each in (version, TOO_NEW):
        make_archive(folder, each)

    def run(*options: str, **settings: object) -> Run:
        given = {"artifact_local_dir": str(folder), "kibana_ready_timeout": 60} | settings
        shared = ("--diff", "-e", json.dumps(given), *options)
        if "rotate" in settings:
            return run_playbook(ROOT / "playbooks/rotate_secrets.yml", deployment.inventory, *shared)
        return deployment.deploy("--tags", "kibana", *shared)

    yield run
    host.check_output(f"sh -c '{REMOVE}'")


@pytest.fixture(scope="module")
def checked(deploy: Deploy, host: Host) -> bool:
    """Run in check mode on the host without Kibana. Return whether there is something afterwards."""
    run = deploy("--check")
    assert run.returncode == 0, run.output
    assert "would install kibana" in run.output
    return host.file("/opt/kibana").exists or host.file("/etc/kibana").exists


@pytest.fixture(scope="module")
def deployed(checked: bool, deploy: Deploy) -> Run:
    run = deploy()
    assert run.returncode == 0, run.output
    return run


def test_check_mode_changes_nothing(checked: bool) -> None:
    assert not checked


def test_all_shipped_objects_are_imported(deployed: Run, host: Host) -> None:
    shipped = sorted(
        [each["type"], each["id"]]
        for file in (ROOT / "kibana_exports").glob("*.ndjson")
        for each in map(json.loads, file.read_text().splitlines())
    )
    assert sorted(json.loads(host.file("/var/lib/kibana/imported.json").content_string)) == shipped
    assert deployed.output.count("imported: it was not there") == len(shipped)


@pytest.mark.usefixtures("deployed")
def test_the_unit_is_enabled_hardened_and_lasts_by_https(deployment: Deployment, host: Host) -> None:
    wanted = {"ActiveState": "active", "UnitFileState": "enabled", "User": "kibana", "NRestarts": "0"}
    wanted |= {"ProtectSystem": "strict", "NoNewPrivileges": "yes", "ReadWritePaths": "/var/lib/kibana"}
    text = host.check_output(f"systemctl show kibana --property={','.join(wanted)}")
    assert dict(line.split("=", 1) for line in text.splitlines()) == wanted
    # V8 asks for memory protection keys, and is killed where it may not.
    assert "pkey_alloc" in host.check_output("systemctl show kibana --property=SystemCallFilter")
    told = deployment.python(STATUS.format(deployment.pipeline_address))
    assert told["status"]["overall"]["level"] == "available"


@pytest.mark.usefixtures("deployed")
def test_owners_and_modes(host: Host) -> None:
    for path, *wanted in map(str.split, PATHS.strip().splitlines()):
        assert host.check_output("stat -c '%%U %%G %%a' %s", path).split() == wanted, path


@pytest.mark.usefixtures("long", "deployed")
def test_a_second_run_changes_nothing_and_shows_no_secret(deployment: Deployment, deploy: Deploy) -> None:
    run = deploy("-vv")
    assert (run.returncode, run.changed) == (0, 0), run.output
    assert [name for name, secret in deployment.secrets.items() if secret in run.output] == []


@pytest.mark.usefixtures("long", "deployed")
def test_the_service_token_is_rotated(deployment: Deployment, tunnel: Tunnel, deploy: Deploy, host: Host) -> None:
    def is_taken(token: str) -> bool:
        try:
            elasticsearch_client(deployment, tunnel, bearer_auth=token).security.authenticate()
        except AuthenticationException:
            return False
        return True

    old = deployment.secrets["kibana_service_token"]
    assert is_taken(old)
    run = deploy(rotate="kibana_service_token")
    assert run.returncode == 0, run.output
    new = deployment.secrets["kibana_service_token"]
    assert new in host.file("/etc/kibana/secrets.yml").content_string
    assert [is_taken(old), is_taken(new)] == [False, True]
    assert old not in run.output and new not in run.output


@pytest.mark.usefixtures("long", "deployed")
def test_a_start_that_fails_is_told_with_the_services_own_words(deploy: Deploy) -> None:
    run = deploy(kibana_extra_config={"no.such.setting": 1})
    assert run.returncode != 0
    assert 'Unknown configuration key(s): "no.such.setting"' in run.text


@pytest.mark.usefixtures("long")
def test_an_archive_newer_than_elasticsearch_is_refused(deploy: Deploy) -> None:
    run = deploy(artifact_versions={"kibana": TOO_NEW})
    assert run.returncode != 0
    assert f"Kibana {TOO_NEW} does not work with Elasticsearch" in run.text
