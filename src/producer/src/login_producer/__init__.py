# SPDX-License-Identifier: Apache-2.0
"""Takes login events from a source and brings each one to Kafka, or counts why it could not."""

from importlib.metadata import version

__version__ = version("login-producer")
