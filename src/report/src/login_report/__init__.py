# SPDX-License-Identifier: Apache-2.0
"""Writes one HTML page about the logins of a time range, for people without Kibana."""
