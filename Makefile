# Two commands are all a newcomer needs: `make run` and `make test`.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
SEED ?= 1
SEEDS ?= 100

.PHONY: help run build test simulate teeth bench soak nightly format lint clean bootstrap

help:
	@sed -n 's/^## //p' Makefile

## make run      install packages, build the server, start it with a request bin and sample events
run: bootstrap
	@scripts/run

## make build    build/release/eventhorn
build: bootstrap
	@cmake --preset release >/dev/null
	@ninja -C build/release -j$(JOBS) eventhorn

## make test     everything that must pass: unit, contract, fuzz corpora (ASan+UBSan), black box and hostile (release)
test: bootstrap
	@scripts/test

## make simulate the core in a simulated world where everything goes wrong: SEEDS seeds from SEED on, or for MINUTES
simulate: bootstrap
	@cmake --preset release >/dev/null
	@ninja -C build/release -j$(JOBS) eventhorn_simulation
	@build/release/tests/simulation/eventhorn_simulation --seed $(SEED) $(if $(MINUTES),--minutes $(MINUTES),--runs $(SEEDS))

## make teeth    puts known bugs back, one at a time, and sees that the simulation finds each: an hour
teeth: bootstrap
	@tests/simulation/teeth

## make bench    the benchmarks, as ratios in one run (docs/BENCHMARKS.md)
bench: build
	@ninja -C build/release -j$(JOBS) bench_tools
	@bench/run

## make soak     hostile receivers and the kill ledger at full size: hours
soak: build
	@scripts/soak

## make nightly  TSan, an hour of the simulation, ten minutes of libFuzzer for each parser: hours
nightly: bootstrap
	@scripts/nightly

## make format   clang-format on every source file
format:
	@git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

## make lint     layers, format, clang-tidy, links of docs to tests
lint: bootstrap
	@scripts/lint

## make clean    removes build/
clean:
	@rm -rf build

bootstrap:
	@scripts/bootstrap
