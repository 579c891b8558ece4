.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS := $(filter-out Directory.Build.props,$(patsubst %/,%,$(notdir $(patsubst %/,%,$(wildcard jobs/*/))))) migrate
APP := artifacts/app

.PHONY: help demo test bench publish run format

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

publish: ## Publish every job, exactly as in its image, at artifacts/jobs/<job>/<job>
	@docker/app/publish.sh
