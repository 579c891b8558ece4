.DEFAULT_GOAL := help
SHELL := /bin/bash
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

.PHONY: help demo test test-times proof-sample proof bench publish run render format image images images-size images-test compose-test push

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A part of the tests needs no machine code: the processes that it starts are then the built ones.
test: $(if $(ARGS),,publish) ## Test every rule, and kill the published jobs in a smoke part: make test ARGS="-class Jobs.Tests.Runs.LeaseTests"
	@dotnet build tests/jobs-tests -c Release -v quiet -clp:NoSummary
	@$(if $(ARGS),JOBS_PROGRAMS=built) tests/run.sh -trait- Category=Proof $(ARGS)

test-times: ## Where the time of the last tests went: seconds and cases by subject
	@tests/times.sh

proof-sample: publish ## A part of the proof that has each kind of step and fault in it (some 20 minutes); prints one table
	@dotnet build tests/jobs-tests -c Release -v quiet -clp:NoSummary
	@tests/run.sh -trait Category=Proof $(ARGS)

proof: publish ## Killed at every step, every fault, any two at once (two or three hours); prints one table
	@dotnet build tests/jobs-tests -c Release -v quiet -clp:NoSummary
	@JOBS_PROOF=$${JOBS_PROOF:-full} tests/run.sh -trait Category=Proof $(ARGS)

publish: ## Publish every job, exactly as in its image, at artifacts/jobs/<job>/<job>
	@docker/app/publish.sh

image: ## Build the image of one job: make image JOB=autopayment [TAG=...] [IMAGE_PREFIX=jobs]
	@docker/images.sh build "$(JOB)"

images: ## Build the images of all jobs
	@docker/images.sh build

images-size: ## What the images weigh, one and all together; fails above the limits
	@docker/images.sh size

images-test: ## Build every image and run every job in it: as nobody, read-only, in 128 MB
	@docker/images-test.sh

compose-test: ## Try Compose as README shows it: seeded, charged once, a payment recorded, mails sent
	@docker/compose-test.sh

push: ## Push the images: make push REGISTRY=registry.example.org [TAG=...]
	@docker/images.sh push

run: ## Run one job from its sources, reading .env: make run JOB=autopayment ARGS="--dry-run"
	@test -n "$(JOB)" || { echo 'say which: make run JOB=autopayment ARGS="--dry-run"'; exit 1; }
	@project=jobs/$(JOB); [ "$(JOB)" != migrate ] || project=migrations; \
	test -d "$$project" || { echo "there is no job '$(JOB)'; the jobs: migrate $(notdir $(patsubst %/,%,$(wildcard jobs/*/)))"; exit 1; }; \
	dotnet run --project "$$project" -- $(ARGS)

render: ## Write crontab, systemd units, Kubernetes manifests and Compose from the catalogue: make render ARGS=--check
	@dotnet run -c Release -v quiet --project jobs/jobctl -- render $(ARGS)

format: ## Format the sources as CI expects them
	@dotnet format Jobs.sln

demo: publish ## One bad morning of a small business: every job at work, a kill, lost answers
	@dotnet build tests/fake-stripe -c Release -v quiet -clp:NoSummary
	@dotnet build tests/fake-sumup -c Release -v quiet -clp:NoSummary
	@dotnet build tests/demo -c Release -v quiet -clp:NoSummary
	@artifacts/bin/demo/release/demo

bench: publish ## Measure the published jobs against their targets: make bench LINES=startup,expire
	@dotnet build tests/fake-stripe -c Release -v quiet -clp:NoSummary
	@dotnet build tests/bench -c Release -v quiet -clp:NoSummary
	@artifacts/bin/bench/release/bench $(if $(LINES),--lines $(LINES)) $(ARGS)
