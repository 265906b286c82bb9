# SPDX-License-Identifier: Apache-2.0
"""What the packages share: settings files, options of Kafka and Elasticsearch clients, times, logging."""

from pathlib import Path

# One version for all parts: the file VERSION of the checkout. Each package has a link to it, each wheel a copy.
__version__ = (Path(__file__).parent / "VERSION").read_text(encoding="ascii").strip()
