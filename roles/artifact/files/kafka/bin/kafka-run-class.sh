#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one of Kafka's main classes, for example: kafka-run-class.sh org.apache.kafka.tools.TopicCommand --help
# It has the name of Apache's script, so that notes written for either source of Kafka hold for both.
set -eu
home=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck disable=SC2086  # KAFKA_OPTS and KAFKA_HEAP_OPTS hold several words
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_OPTS:-} -cp "$home/libs/*" "$@"
