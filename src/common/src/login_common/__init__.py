# SPDX-License-Identifier: Apache-2.0
"""What the packages share: settings files, options of Kafka and Elasticsearch clients, times, logging."""
