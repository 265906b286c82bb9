# SPDX-License-Identifier: Apache-2.0
"""What the deployed host tells Prometheus, asked from here."""

from __future__ import annotations

import base64
import ssl
import urllib.request
from dataclasses import dataclass

from deployment import Deployment, Tunnel

USER = "prometheus"

Samples = dict[str, float]
"""By name and labels, as they are told."""


@dataclass(frozen=True)
class Endpoints:
    """Asks the deployed host's endpoints from here, by the names node, kafka and elasticsearch."""

    deployment: Deployment
    tunnel: Tunnel

    def get(self, name: str, password: str | None, scheme: str = "https") -> str:
        """Return what is told. Raises HTTPError, OSError."""
        url = f"{scheme}://localhost:{self.tunnel[self.deployment.metrics_ports[name]]}/metrics"
        request = urllib.request.Request(url)  # noqa: S310
        if password is not None:
            login = base64.b64encode(f"{USER}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        context = ssl.create_default_context(cafile=self.deployment.ca_file)
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:  # noqa: S310
            return str(answer.read().decode())

    def samples(self, name: str) -> Samples:
        text = self.get(name, self.deployment.secrets["metrics_password"])
        lines = (line for line in text.splitlines() if line and not line.startswith("#"))
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines)}
