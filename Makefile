.DEFAULT_GOAL := help
.PHONY: help build test torture bench openapi darwin release fmt

GO_BUILD := go build -trimpath -buildvcs=false -ldflags=-buildid=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/bluecloud and bin/bluerelay
	$(GO_BUILD) -o bin/ ./cmd/bluecloud ./cmd/bluerelay

test: ## run every check and test; STEPS="vet tests" runs only these
	@scripts/test.sh $(STEPS)

torture: ## kill, cut, swap and judge the product; ARGS="-seed 7 -duration 30m" as docs/reliability.md says
	go run -buildvcs=false ./torture $(ARGS)

bench: ## run the benchmarks of docs/benchmarks.md
	go test -run '^$$' -bench . -benchmem ./...

openapi: ## write each dialect's openapi.json anew from its openapi.yaml
	go test ./cloud/textingblue ./cloud/sendblue -run '^TestDocumentIsUpToDate$$' -update-document

darwin: ## build both programs for macOS into dist; DARWIN_ARCHS="arm64 amd64" for both kinds of Mac
	@scripts/darwin-build.sh dist

release: ## build VERSION=v1.2.3 twice for all systems, compare, and pack it into dist/release
	@scripts/release.sh $(VERSION)

fmt: ## format the code and bring it to the present Go
	gofmt -w .
	go fix ./...
