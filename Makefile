# make demo   a served stack on a disposable host, from nothing
# make test   what CI runs, from nothing
# Both set up all they need and leave a machine that can run them again faster.

VENV := .venv/bin
BED := python3 tests/bed
PORT ?= 8080
# The longest first, JOBS at a time: they mostly wait.
LONGEST := release default edge appstack data
SCENARIOS ?= $(LONGEST) $(filter-out $(LONGEST),$(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml))))
JOBS ?= 2

export PATH := $(CURDIR)/$(VENV):$(PATH)
export MOLECULE_GLOB := molecule/*/molecule.yml
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections

.PHONY: help setup bed bed-next demo demo-status demo-down demo-test test test-slow test-faults test-edge test-exposure test-health test-metrics lint unit artefact molecule bench clean

help: ## these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## tools of this checkout into .venv (1 min, once)
	@tests/setup.sh

bed: setup ## engine, images and registry for the disposable hosts (4 min, once)
	@$(BED) engine
	@$(BED) images

bed-next: bed
	@$(BED) images nginx-next

demo: bed ## deploy the demo stack to a disposable host, over ssh, with site.yml
	@$(BED) up demo --publish $(PORT):80
	ansible-playbook site.yml -i inventories/local
	@$(MAKE) --no-print-directory demo-status

demo-status: ## services of the running demo, and every kind of request through its edge
	@echo; ssh -F .bed/ssh_config demo "sudo docker compose -f /opt/stacks/selflink/current/compose.yaml \
	  ps --all --format 'table {{.Service}}\t{{.Status}}\t{{.Ports}}'"
	@echo; python3 tests/apps/selflink_probe.py http://127.0.0.1:$(PORT) \
	  --jwt-secret "$$(cat inventories/local/.secrets/realtime_jwt_secret)"
	@echo; echo "Serving: http://127.0.0.1:$(PORT)/api/docs/"

demo-down: ## remove every trace of the demo: host, volume, passwords, images, registry, network
	@$(BED) down demo --registry --images
	@rm -rf inventories/local/.secrets

demo-test: demo ## the demo, a second run that must change nothing, and its removal
	ansible-playbook site.yml -i inventories/local | tee .bed/demo.log
	@grep -q "^demo .* changed=0 .* failed=0 " .bed/demo.log
	@$(MAKE) --no-print-directory demo-down
	@! docker ps --all --format '{{.Names}}' | grep -x portside-demo

# Alone, `make unit` leaves out what there are no images for.
test: export PORTSIDE_IMAGES_REQUIRED := 1
test: setup ## everything CI runs
# Images are mostly waited for. Unit tests use real programs of them, none of which may be missing here.
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target bed-next lint artefact
	@$(MAKE) --no-print-directory unit molecule demo-test

# ansible-lint prefers a copy of the collection in the home directory to this checkout.
lint: export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
lint: setup ## ansible-lint (production profile), ruff, changelog
	ansible-lint --offline
	ruff check plugins tests
	antsibull-changelog lint

unit: setup ## the pure core and the modules' adapters
	pytest -q -n $(JOBS) --dist loadfile tests/unit

artefact: setup ## the built collection works alone and passes ansible-test sanity (2 min)
	tests/artefact.sh

molecule: bed ## the scenarios, two at a time; SCENARIOS="docker host" picks some, JOBS=1 shows them as they run
	@tests/scenarios.sh $(JOBS) $(SCENARIOS)

test-slow: bed-next ## every scenario with all its tests, also those that make test leaves out (75 min)
	@SLOW=1 tests/scenarios.sh $(JOBS) $(SCENARIOS)

test-faults: bed ## every fault, and every blow at every stage, on one host that is kept (20 min)
	@$(BED) up faults --publish 18083:80
	ansible-playbook site.yml -i tests/faults/inventory
	PYTHONPATH=tests/faults PYTEST_PLUGINS=deploys,faults pytest -q -rP tests/faults

test-edge: bed-next ## the edge with the next nginx, streams silent for five minutes, a busy port and a reboot (15 min)
	@EDGE_NGINX=nginx:1.30 EDGE_QUIET=310 SLOW=1 tests/scenarios.sh 1 edge

test-exposure: bed ## every way in which a service becomes public, set up for real and found, the tables of openmates, and all that befalls the firewall (30 min)
	@SLOW=1 tests/scenarios.sh 1 exposure firewall
	@$(BED) up exposure --publish 18087:80
	@trap 'docker rm --force portside-exposure-neighbour 2>/dev/null; $(BED) down exposure openmates' EXIT INT TERM; \
	  ansible-playbook site.yml -i tests/exposure/inventory && \
	  PYTHONPATH=tests/exposure PYTEST_PLUGINS=judged pytest -q tests/exposure

test-health: bed ## system 3 started, limited, healed and mended; every way to fail, healed or told; every drift, named and mended (25 min)
	@SLOW=1 tests/scenarios.sh 1 appstack
	@trap '$(BED) down drift healing' EXIT INT TERM; \
	  $(BED) up drift --publish 18091:80 && \
	  ansible-playbook site.yml -i tests/drift/inventory && \
	  pytest -q -rP tests/drift && \
	  PYTHONPATH=tests/faults pytest -q -rP tests/healing

test-metrics: bed ## a stack that is watched by Prometheus: all is scraped, what goes wrong is told, nothing is reached from outside (15 min)
	@$(BED) images --set metrics
	@$(BED) up metrics
	@trap '$(BED) down metrics' EXIT INT TERM; \
	  ansible-playbook site.yml -i tests/metrics/inventory && \
	  pytest -q tests/metrics

bench: setup ## what one config_files saves against a loop of copy, and filters loaded once, as ratios (3 min)
	python3 tests/bench/config_files.py
	python3 tests/bench/filters.py

clean: ## remove all that this checkout made: hosts, registry, images, tools (the engine stays)
	@$(BED) down --all --registry --images
	@rm -rf .bed .cache .venv inventories/*/.secrets
