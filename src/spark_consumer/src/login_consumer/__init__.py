# SPDX-License-Identifier: Apache-2.0
"""Login events from Kafka into Elasticsearch with Spark: events, exact windows, dead letters, progress."""
