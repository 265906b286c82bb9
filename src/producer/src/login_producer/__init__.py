# SPDX-License-Identifier: Apache-2.0
"""Takes login events from a source and brings each one to Kafka, or counts why it could not."""
