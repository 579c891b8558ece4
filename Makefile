.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS := $(filter-out Directory.Build.props,$(patsubst %/,%,$(notdir $(patsubst %/,%,$(wildcard jobs/*/))))) migrate
APP := artifacts/app

.PHONY: help demo test bench publish run format

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

publish: ## Publish every job, exactly as in its image, at artifacts/jobs/<job>/<job>
	@docker/app/publish.sh

demo: publish ## One bad morning of a small business: every job at work, with a kill and lost answers
	@dotnet build tests/fake-stripe -c Release --nologo -v quiet
	@dotnet build tests/demo -c Release --nologo -v quiet
	@artifacts/bin/demo/release/demo

bench: publish ## Measure the published jobs against their targets (LINES=startup,expire,autopayment)
	@dotnet build tests/fake-stripe -c Release --nologo -v quiet
	@dotnet build tests/bench -c Release --nologo -v quiet
	@artifacts/bin/bench/release/bench $(if $(LINES),--lines $(LINES)) $(BENCH)
