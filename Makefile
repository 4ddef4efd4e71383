.DEFAULT_GOAL := help
CLAIM ?= examples/claims/postgresql/exoscale-small.yaml
SETTINGS ?= examples/settings.yaml
OBSERVED ?=
VERSION ?= v0.1.0
REGISTRY ?= ghcr.io/gravitek-io
BASE ?=
MIRROR ?=
PYTHON ?= python3
BIN := .venv/bin
KINDS := app postgresql vm
PORT_postgresql := 9501
PORT_vm := 9502
PORT_app := 9503

.PHONY: help render test lint golden functions package context publish notes crds test-package e2e cluster bench lock clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

render: .venv/ready tools ## render CLAIM=file, with OBSERVED=file as the cluster's state and SETTINGS=file as its EnvironmentConfig
	@$(BIN)/python -m tools.render "$(CLAIM)" "$(SETTINGS)" "$(OBSERVED)"

test: .venv/ready tools ## run all tests but those of built packages
	$(BIN)/pytest -n auto --ignore tests/package --ignore tests/e2e

lint: .venv/ready .tools/actionlint ## check style, types, layers and workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.tools/actionlint
	$(BIN)/zizmor --offline --quiet .github/workflows

golden: .venv/ready tools ## write the expected outputs anew; read the diff before you commit it
	$(BIN)/pytest -n auto tests/golden --update

functions: .venv/ready ## run all functions in the foreground, for crossplane render by hand
	@trap 'kill $$pids' INT TERM; \
	$(foreach kind,$(KINDS),$(BIN)/python -m functions.$(kind) --address 127.0.0.1:$(PORT_$(kind)) --insecure & pids="$$pids $$!";) wait

package: .venv/ready tools ## build every package into dist/: VERSION=v0.1.0, with REGISTRY=host/path where they will be published
	@$(BIN)/python -m package.build --version "$(VERSION)" --registry "$(REGISTRY)" --base "$(BASE)"

context: .venv/ready ## lay out dist/context, for building package/Dockerfile with docker or podman: docs/install.md says how
	@$(BIN)/python -m package.context

publish: .venv/ready tools .tools/crane ## push what was built to REGISTRY=host/path, signed where cosign is installed
	@$(BIN)/python -m package.publish --version "$(VERSION)" --registry "$(REGISTRY)"

notes: .venv/ready ## print the notes of VERSION=v0.1.0 out of CHANGELOG.md
	@$(BIN)/python -m package.notes "$(VERSION)"

crds: .venv/ready tools ## fetch the CRDs that tests validate against into .cache/crds, of providers and operators; MIRROR=host of a registry with the providers
	@$(BIN)/python -m tools.crds "$(MIRROR)"

test-package: .venv/ready tools .tools/crane ## test the packages of dist/, as root: their functions are started out of the images
	$(BIN)/pytest tests/package

e2e: .venv/ready control-plane ## test the packages of dist/ end to end, as root: a control plane, every example, faults, 500 claims; REPORT=file
	@tests/e2e/enter $(BIN)/pytest -p no:cacheprovider $(if $(REPORT),--report "$(REPORT)") tests/e2e

cluster: .venv/ready control-plane ## start that control plane with the packages of dist/, as root, and a shell to try claims in
	@tests/e2e/enter $(BIN)/python -m tests.e2e

bench: .venv/ready tools ## measure side by side with other functions; writes docs/bench.md
	$(BIN)/python -m tests.bench

lock: .venv/ready ## pin the dependencies of pyproject.toml anew
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes -o requirements.lock pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --group dev -o requirements-dev.lock pyproject.toml

clean: ## remove everything that was built
	rm -rf .venv .tools .cache/e2e .cache/e2e-failed dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: tools control-plane
tools: .tools/crossplane .tools/crossplane-core .tools/apicheck .tools/psscheck
control-plane: $(addprefix .tools/,crossplane crossplane-core crane helm etcd kubectl kube-apiserver kube-controller-manager)

.tools/crossplane: tools/go.mod tools/go.sum
	@tools/build crossplane github.com/crossplane/cli/v2/cmd/crossplane v2.5.0
.tools/crossplane-core: tools/go.mod tools/go.sum
	@tools/build crossplane-core github.com/crossplane/crossplane/v2/cmd/crossplane
.tools/apicheck: tools/go.mod tools/go.sum tools/apicheck/main.go
	@tools/build apicheck ./apicheck
.tools/actionlint: tools/go.mod tools/go.sum
	@tools/build actionlint github.com/rhysd/actionlint/cmd/actionlint
.tools/crane: tools/go.mod tools/go.sum
	@tools/build crane github.com/google/go-containerregistry/cmd/crane
.tools/helm: tools/go.mod tools/go.sum
	@tools/build helm helm.sh/helm/v3/cmd/helm
.tools/etcd: tools/kubernetes/go.mod tools/kubernetes/go.sum
	@tools/build etcd go.etcd.io/etcd/server/v3
.tools/kube%: tools/kubernetes/go.mod tools/kubernetes/go.sum
	@tools/build kube$* k8s.io/kubernetes/cmd/kube$*
.tools/psscheck: tools/go.mod tools/go.sum tools/psscheck/main.go
	@tools/build psscheck ./psscheck

.venv/ready: requirements-dev.lock
	@echo "installing the Python packages of requirements-dev.lock into .venv/ …" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
