# Larder's commands. `make help` lists them.
PROFILE ?= demo
export PROFILE ONLY NAME CHECKS PACKAGES TOPIC ID DATA FENCES WITHOUT
SEED ?= $(shell date +%s)

.PHONY: help demo up down status logs reset run-job products dlq dlq-list dlq-show dlq-replay build reindex reindex-back reindex-retire audit generate release-contract check check-faults test recovery model prove fidelity check-fidelity check-prover chaos fuzz-api fuzz-go bench-checkout bench-catalogue bench-orders bench-search bench-index search-quality images check-migrations screenshots rebuild import bench-pages bench-telemetry load capacity overload soak drop bench bench-check bench-keep bench-growth check-gke
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PROFILE=test takes other ports and other data than PROFILE=demo, the default."

demo: up ## bring everything up, load the seed, walk through a day of the shop, leave it running
	@eval "$$(local/env.sh $(PROFILE))" && "$$LARDER_STATE/bin/demo"

up: ## start what is not running and wait until all is ready (ONLY=components: no services)
	@local/bin/up.sh

down: ## stop every process; data stays
	@local/bin/down.sh

status: ## show processes; exit 0 only if all are ready
	@local/bin/status.sh

logs: ## follow the log of one process: make logs NAME=checkout
	@local/bin/logs.sh

reset: ## stop, and delete data, logs and programs
	@local/bin/reset.sh

run-job: ## run a scheduled function now and print its report: make run-job NAME=ReconcileStock
	@local/bin/job.sh

dlq: ## look at dead letters, by one command for the three below: make dlq DO=list, DO=show, DO=replay, or DO=replay-all TOPIC=...
	@local/bin/deadletters.sh "$(or $(DO),list)"

dlq-list: ## list what could never be taken in, of all topics or of TOPIC=order-events
	@local/bin/deadletters.sh list

dlq-show: ## show one dead letter: make dlq-show TOPIC=order-events ID=4711
	@local/bin/deadletters.sh show

dlq-replay: ## publish its message again, as it came or with the data of a file: make dlq-replay TOPIC=... ID=... DATA=mended.json
	@local/bin/deadletters.sh replay

reindex: ## build the search index anew beside the live one, and let search read it once it holds what the catalogue holds
	@local/bin/reindex.sh

reindex-back: ## let search read the generation before
	@local/bin/reindex.sh back

reindex-retire: ## delete the generation of the index that isn't live
	@local/bin/reindex.sh retire

audit: ## compare the search index with the catalogue; exit 0 only if nothing differs
	@local/bin/build.sh && eval "$$(local/env.sh $(PROFILE))" && "$$LARDER_STATE/bin/productreindex" audit

products: ## load N further, generated products (SEED=1): make products N=5000
	@local/bin/build.sh && eval "$$(local/env.sh $(PROFILE))" && "$$LARDER_STATE/bin/seed" -generate $(or $(N),1000) -seed $(or $(SEED),1)

rebuild: ## load a store's virtual stock anew from the ledger, and tell how far it is: make rebuild STORE=soho
	@local/bin/operate.sh rebuild "$(STORE)"

import: ## bring a file of products in (.csv, .ndjson), and tell how far it is; with its KEY it goes on: make import FILE=goods.csv
	@local/bin/operate.sh import -key "$(KEY)" "$(FILE)"

build: ## build the programs
	@local/bin/build.sh

generate: ## generate code and docs/events/ from the contract in api/
	@go run ./api/protodeps .larder/proto
	@PATH="$$(tools/build.sh buf protoc):$$PATH" buf generate
	@go run ./internal/openapi api/openapi.yaml api/operations.yaml
	@go run ./internal/clientgen api/operations.yaml api/client/methods.gen.go
	@PATH="$$(tools/build.sh buf):$$PATH" buf build api -o .larder/contract.binpb
	@go run ./internal/eventdocs/generate .larder/contract.binpb api docs/events

release-contract: ## keep the contract as it is released now, which later changes may not break (decision 0280)
	@go run ./api/protodeps .larder/proto
	@PATH="$$(tools/build.sh buf):$$PATH" buf build api --exclude-source-info -o api/released.binpb

check: ## check all that can be checked without running it: format, lint, contract, generated code, import rules
	@local/bin/check.sh

check-faults: ## plant faults in a copy, and see each check catch its own
	@local/bin/check-faults.sh

test: ## run every test on real components, beside a running demo
	@local/bin/test.sh

recovery: up ## kill each part with -9 in turn; see all of them ready within 60 s and the demo pass again
	@eval "$$(local/env.sh $(PROFILE))" && go test -tags recovery -count=1 -timeout 40m -v -run TestRecovery ./test/

model: ## explore the checkout protocol's whole model, and see each mutation caught
	@go run ./internal/checkout/model

prove: DURATION ?= 25m
prove: ## attack the platform for DURATION=25m with SEED=..., then count what was sold and charged (MUTATE=fence: must fail)
	@local/components/install.sh && go run ./load/prove -duration "$(DURATION)" -seed "$(SEED)" -without "$(MUTATE)"

chaos: DURATION ?= 60s
chaos: ## lose packets, delay them, kill and freeze each part while people buy (KINDS="loss delay kills freezes"), then count (needs root)
	@local/components/install.sh iptables:iptables ip:iproute2 && load/prove/chaos.sh -chaos "$(or $(KINDS),all)" -duration "$(DURATION)" -seed "$(SEED)"

fidelity: DURATION ?= 5m
fidelity: ## change the catalogue for DURATION=5m with SEED=.. while the road to the index breaks, then compare (MUTATE=locks or events: must fail)
	@local/components/install.sh && go run ./load/fidelity -duration "$(DURATION)" -seed "$(SEED)" -without "$(MUTATE)"

bench-index: ## measure what the road from PostgreSQL to the index carries a second, and the copy to a new generation
	@local/components/install.sh && go run ./load/fidelity -throughput

fuzz-api: DURATION ?= 60
fuzz-api: ## fuzz the REST API by openapi.yaml, with each role's token, for DURATION=60 (seconds) with SEED=..., on a platform of its own
	@DURATION="$(DURATION)" SEED="$(SEED)" local/bin/fuzz-api.sh

fuzz-go: ## run each of Go's fuzz targets for FUZZTIME=10s
	@FUZZTIME="$(FUZZTIME)" local/bin/fuzz-go.sh

check-fidelity: ## build out what keeps the index faithful, one thing in turn or WITHOUT="locks events", and see it found
	@local/bin/check-fidelity.sh

check-prover: ## build three fences out in turn, or FENCES="a b", and see the prover catch each
	@local/bin/check-prover.sh

bench: ## measure all that is quick, against something plainer in the same run, and print a table; on ports of its own (26000 and up)
	@local/bin/bench.sh table

bench-check: ## the same; fails where a ratio is over 30 % worse than in load/bench/ratios.json, measured twice
	@local/bin/bench.sh check

bench-keep: ## the same; keeps its ratios for bench-check
	@local/bin/bench.sh keep

bench-growth: ## measure how costs grow with products and stores (BENCH_MOST=500000: that many products too), and draw docs/growth.svg
	@local/bin/bench.sh growth

bench-checkout: up ## measure what a checkout costs: reserve against a naive script, round trips, CPU an order, latency
	@eval "$$(local/env.sh $(PROFILE))" && go run ./load/bench

bench-catalogue: ## measure an import of 100,000 products, and what carts and checkout ask of the catalogue
	@local/bin/bench.sh catalogue

bench-orders: up ## read pages of a shopper's list while it grows to BENCH_ORDERS=1000000 orders
	@eval "$$(local/env.sh $(PROFILE))" && go test -tags bench -count=1 -v -timeout 60m -run TestBenchHistory ./internal/order/spanner

bench-pages: up ## measure the shop's pages: the whole, their calls of the API, and what is left for the page itself
	@eval "$$(local/env.sh $(PROFILE))" && go test -tags bench -count=1 -v -timeout 20m -run TestBenchPages ./internal/storefront

bench-telemetry: up ## measure what traces, metrics and logs cost a search and a checkout
	@eval "$$(local/env.sh $(PROFILE))" && go run ./load/bench telemetry

bench-search: export ONLY := components
bench-search: export ES_JAVA_OPTS ?= -Xms1g -Xmx1g # both compilers, as in production; a platform that is up already keeps what it has
bench-search: up ## measure search against the same bodies sent to Elasticsearch, on an index of 50,000 products
	@eval "$$(local/env.sh $(PROFILE))" && go test -tags bench -count=1 -v -timeout 30m ./load/searchbench

search-quality: up ## judge search by its queries, those that ranking was tuned by and those that were held out
	@eval "$$(local/env.sh $(PROFILE))" && go test -count=1 -v -run TestSearchQuality ./internal/search

load: PROFILE = rush
load: RATE ?= 500
load: DURATION ?= 5m
load: ## ask the whole platform RATE=500 times a second for DURATION=5m with SEED=.., then account for every order; on ports of its own (24000 and up)
	@local/bin/rush.sh load -rate "$(RATE)" -duration "$(DURATION)" -seed "$(SEED)" $(if $(MIX),-mix "$(MIX)")

capacity: PROFILE = rush
capacity: RATE ?= 40
capacity: DURATION ?= 40s
capacity: ## find the highest rate of requests that keeps the rush's limits, from RATE=40 on, each for DURATION=40s, and what is in the way of more
	@local/bin/rush.sh capacity -rate "$(RATE)" -duration "$(DURATION)" -warm 15s -seed "$(SEED)" $(if $(MIX),-mix "$(MIX)")

overload: PROFILE = rush
overload: DURATION ?= 20s
overload: ## ask five times the capacity RATE=.. for DURATION=20s, and see what is refused, what is still answered, and how soon all is well again
	@local/bin/rush.sh overload -rate "$(or $(RATE),$(error make overload RATE=..: the rate that make capacity has found))" -duration "$(DURATION)" -seed "$(SEED)"

soak: PROFILE = rush
soak: DURATION ?= 30m
soak: ## ask RATE=.., half of the capacity, for DURATION=30m: nothing may grow, nothing be started anew
	@local/bin/rush.sh soak -rate "$(or $(RATE),$(error make soak RATE=..: half of the rate that make capacity has found))" -duration "$(DURATION)" -seed "$(SEED)" $(if $(MIX),-mix "$(MIX)")

drop: PROFILE = rush
drop: ## have CROWD=10000 want 100 units of a product within 10 s, then once more while the stock's Redis is killed: 100 orders each, and the others notice nothing
	@local/bin/rush.sh drop -seed "$(SEED)" $(if $(CROWD),-crowd "$(CROWD)")

images: ## build every image on a stand-in of its base, start each, and print their sizes (needs root and buildah)
	@delivery/images.sh

check-gke: ## ask a real kube-apiserver and istioctl what they think of the GKE profile's manifests (FAULTS=1: plant faults, and see each found)
	@go run ./gke-legacy/check $(if $(FAULTS),-faults)

check-migrations: ## run the previous release's store tests on the tables of this one (FAULTS=1: plant a dropped column, and see it found)
	@delivery/check-migrations.sh

screenshots: up ## walk through the pages in a browser, at 360 and 1280 px, and print the folder of their pictures; small ones go to docs/screenshots
	@eval "$$(local/env.sh $(PROFILE))" && export AXE="$$(tools/axe.sh)" SCREENSHOTS="$$LARDER_STATE/screenshots" SMALL_SCREENSHOTS="$$LARDER_STATE/screenshots/small" && \
		go test -count=1 -run 'Journey' ./test && mkdir -p docs/screenshots && \
		for name in home search product drawer checkout order; do cp "$$SMALL_SCREENSHOTS/$$name.webp" docs/screenshots/; done && echo "$$SCREENSHOTS"
