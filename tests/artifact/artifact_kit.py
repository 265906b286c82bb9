# SPDX-License-Identifier: Apache-2.0
"""What the tests of the role artifact share: small archives, a publisher's site, and runs of the role."""

from __future__ import annotations

import datetime
import functools
import http.server
import io
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROLE = Path(__file__).parents[2] / "roles" / "artifact"


@dataclass
class Outcome:
    """One run of ansible-playbook."""

    returncode: int
    text: str
    stats: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return self.stats["changed"]


Play = Callable[..., Outcome]


def run_role(
    tmp_path: Path,
    entry: str,
    *options: str,
    env: dict[str, str] | None = None,
    before: Sequence[dict[str, Any]] = (),
    **variables: Any,
) -> Outcome:
    """Run an entry point of the role on this machine; its cache and all that it makes is below `tmp_path`.

    `before` are variables of earlier calls of the same entry point in the same play. A handler `Told` is there to
    be notified.
    """
    playbook, config = tmp_path / "play.yml", tmp_path / "ansible.cfg"
    # Not the project's own file: its callbacks would mix with the report.
    filters = ROLE.parents[1] / "plugins/filter"
    config.write_text(
        f"[defaults]\nroles_path = {ROLE.parent}\nfilter_plugins = {filters}\n"
        "inject_facts_as_vars = false\npipelining = true\n"
    )
    role = {"name": "artifact", **({"tasks_from": entry} if entry else {})}
    facts = ("available", "archive", "version", "build", "home", "changed")
    template = {name: f"{{{{ artifact_{name} | default('') }}}}" for name in facts}
    tasks = [
        *({"ansible.builtin.include_role": role, "vars": each} for each in [*before, variables]),
        {"name": "facts", "ansible.builtin.debug": {"msg": template}},
    ]
    handlers = [{"name": "Told", "ansible.builtin.debug": {"msg": "the handler was notified"}}]
    playbook.write_text(json.dumps([{"hosts": "box", "gather_facts": False, "tasks": tasks, "handlers": handlers}]))
    inventory = tmp_path / "hosts.json"
    box = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"box": box}}}))
    extra = tmp_path / "extra.json"
    extra.write_text(json.dumps({"artifact_cache_dir": str(tmp_path / "cache")}))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            inventory,
            "-e",
            f"@{extra}",
            *options,
            playbook,
        ],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            **(env or {}),
        },
        capture_output=True,
        text=True,
        umask=0o077,
        check=False,
    )
    if not done.stdout.lstrip().startswith("{"):
        return Outcome(done.returncode, done.stdout + done.stderr)
    report = json.loads(done.stdout)
    results = [task["hosts"].get("box", {}) for task in report["plays"][0]["tasks"]]
    messages = [str(item.get("msg", "")) for result in results for item in [result, *result.get("results", [])]]
    shown = next(
        (task["hosts"]["box"].get("msg") for task in report["plays"][0]["tasks"] if task["task"]["name"] == "facts"),
        None,
    )
    return Outcome(done.returncode, "\n".join(messages), report["stats"]["box"], shown or {})


def archive(path: Path, files: dict[str, str]) -> Path:
    """Write a publisher's archive with unfriendly modes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"top/{name}")
            member.size, member.mode, member.uid = (
                len(content),
                0o700 if name.startswith("bin/") else 0o600,
                4711,
            )
            tar.addfile(member, io.BytesIO(content.encode()))
    return path


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@dataclass
class Site:
    """A publisher's site on loopback; `break_after` is the number of bytes it gives before it breaks off."""

    folder: Path
    url: str = ""
    certificate: str = ""
    requests: list[str] = field(default_factory=list)
    break_after: int | None = None


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the folder; knows Range as the real sites do, which the library's handler does not."""

    def __init__(self, *args: Any, site: Site, **options: Any) -> None:
        self.site = site
        super().__init__(*args, directory=str(site.folder), **options)

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.site.requests.append(f"{self.path} {start}")
        path = self.site.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.site.break_after])

    def log_message(self, *args: Any) -> None:
        """Say nothing: the requests are kept in the site."""


def certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + built.public_bytes(pem))
    return path


def serve(site: Site, pem: Path | None) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, site=site))
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        site.certificate = str(pem)
    site.url = f"{'https' if pem else 'http'}://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
