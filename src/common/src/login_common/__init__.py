# SPDX-License-Identifier: Apache-2.0
"""What the producer and the consumer share: settings files, Kafka client options, logging."""
