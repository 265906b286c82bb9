# SPDX-License-Identifier: Apache-2.0
# 'make help' lists the commands.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The virtual environment that tools/setup links here
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Build a systemd host in podman, deploy the whole pipeline to it, show live counts
	tools/demo up

.PHONY: demo-down
demo-down: ## Remove the demo host, its data and its secrets
	tools/demo down

.PHONY: deploy
deploy: ## Deploy to INVENTORY=inventory/demo with one line a step, a part of it with TAGS=spark_consumer
	tools/deploy $(or $(INVENTORY),inventory/demo) $(if $(TAGS),--tags $(TAGS))

.PHONY: status
status: ## How all hosts of INVENTORY=inventory/demo are, on one screen; exit code 2 of make if something is wrong
	tools/status $(or $(INVENTORY),inventory/demo)

.PHONY: changes
changes: ## What a run of site.yml would change on the hosts of INVENTORY=inventory/demo, and where; changes nothing
	tools/changes $(or $(INVENTORY),inventory/demo)

.PHONY: summary
summary: ## The demo's status, its URLs and its live counts
	tools/demo summary

.PHONY: check
check: setup-test ## Before each commit: linters, types, unit tests, and what needs no service
	tools/test check

.PHONY: test
test: setup-test ## 'make check', and the pipeline on real services, on one host and on three
	tools/test test

.PHONY: test-all
test-all: setup-test ## All tests: also secrets and CA replaced, a restore, an odd host, upgrades, a Spark cluster, no network
	tools/test all

# Each part of the tests by itself; 'make test-all' runs all of them
.PHONY: lint unit molecule pipeline molecule-cluster molecule-odd molecule-spark test-upgrade test-cluster-upgrade test-bundle
lint: setup-test ## Linters and type checks only
	tools/test lint
unit: setup-test ## Unit tests only
	tools/test unit
molecule: setup-test ## From a bare host to a deployed one and back: check mode, deployment, second run, removal
	tools/test molecule
pipeline: setup-test ## What needs one deployed host; ARGS="..." goes to pytest
	tools/test pipeline $(ARGS)
molecule-cluster: setup-test ## Three hosts, broken, grown and shrunk while events flow
	tools/test cluster-long
molecule-odd: setup-test ## One host that is odd in many ways: Debian 13, IPv6, umask, language, mounts, proxy
	tools/test odd
molecule-spark: setup-test ## The consumer on a Spark cluster of two hosts
	tools/test spark
test-upgrade: setup-test ## From older versions of Kafka and Elasticsearch to the project's own, and back where that is possible
	tools/test upgrade
test-cluster-upgrade: setup-test ## The same on four hosts, in turns, while events flow
	tools/test cluster-upgrade
test-bundle: setup-test ## Make a bundle, then deploy from it to a bare host without any network
	tools/test bundle

.PHONY: soak
soak: setup-test ## Break the demo host at random for MINUTES=10 (SEED=n repeats it), prove that nothing is lost or doubled
	tools/test soak --minutes=$(or $(MINUTES),10) $(if $(SEED),--seed=$(SEED))

.PHONY: exactness
exactness: setup-test ## "Exactly once" in SCHEDULES=200000 random histories from SEED=0 on, without a service
	EXACTNESS_SCHEDULES=$(or $(SCHEDULES),200000) EXACTNESS_SEED=$(or $(SEED),0) \
	  pytest -n 2 tests/unit/spark_consumer/exactness/test_schedules.py

.PHONY: exactness-controls
exactness-controls: setup-test ## Look for histories that miss each guard of "exactly once", and write docs/exactly-once-controls.md
	PYTHONPATH=tests/support:src/common/src:src/formats/src:src/producer/src:src/spark_consumer/src python -m exactness.controls

.PHONY: bench
bench: setup-test ## Measure INVENTORY=inventory/demo beside what people would use instead, sized for 20 minutes: docs/performance.md
	python tests/bench/bench.py --inventory $(or $(INVENTORY),inventory/demo)

.PHONY: bench-quick
bench-quick: setup-test ## The same, sized for 3 minutes, to see that it works: too short for numbers to keep
	python tests/bench/bench.py --inventory $(or $(INVENTORY),inventory/demo) --quick

.PHONY: bench-curves
bench-curves: setup-test ## What an event costs as they grow to 10 million, and with up to 5,000 keys in a window
	python tests/bench/bench.py --inventory $(or $(INVENTORY),inventory/demo) --curves

.PHONY: bench-hour
bench-hour: setup-test ## What memory the services take in an hour of 1,000 events a second
	python tests/bench/bench.py --inventory $(or $(INVENTORY),inventory/demo) --hour

.PHONY: bench-hostile
bench-hostile: setup-test ## What memory the consumer takes of large, packed, deep and many-keyed records, two minutes of each
	python tests/bench/hostile.py --inventory $(or $(INVENTORY),inventory/demo)

.PHONY: bench-deploy
bench-deploy: setup-test ## How long it takes to deploy to a bare host, and how long a second run
	python tests/bench/deploy.py

.PHONY: bench-document
bench-document: setup-test ## Put the results of full runs into docs/performance.md
	python tests/bench/report.py --document

.PHONY: dashboards
dashboards: setup-test ## Build kibana_exports/*.ndjson from the YAML files beside them
	PYTHONPATH=tools python -m dashboard_builder

.PHONY: role-docs
role-docs: setup-test ## Write roles/*/README.md from each role's argument_specs and defaults
	PYTHONPATH=tools python -m role_docs

.PHONY: sbom
sbom: setup-test ## Write docs/sbom.cdx.json, the list of all software that is deployed, from the locked versions
	python tools/sbom.py

.PHONY: bundle
bundle: ## Collect all downloads of INVENTORY in BUNDLE=bundle, for SYSTEMS=bookworm-amd64: docs/offline.md
	tools/setup deploy
	tools/bundle $(or $(INVENTORY),inventory/localhost) $(or $(BUNDLE),bundle) $(or $(SYSTEMS),bookworm-amd64)

.PHONY: setup setup-test
setup: ## Install what deploying needs on this machine (Debian packages, Python environment .venv), or from BUNDLE=folder
	tools/setup deploy $(BUNDLE)
setup-test:
	tools/setup test

.PHONY: lock
lock: setup-test ## Renew the locked versions after a change of a requirements .in file
	tools/lock
