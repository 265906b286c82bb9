# SPDX-License-Identifier: Apache-2.0
"""Builds Kibana's dashboards from the YAML files in kibana_exports, checks them, and tells what they ask."""
