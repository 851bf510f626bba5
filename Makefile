PREFIX ?= /usr/local
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
SAMPLE := samples/cpa-2008/memory.elf

.PHONY: demo test build install packages test-packages

# The main job on a real memory image: the false alarm of 2008.
demo: build
	@.build/release/ptdump-lint cpa $(SAMPLE)

# Format lint and all tests; the damage test runs the release build in processes of its own.
test: build test-packages
	swift format lint --strict --recursive Sources Tests Package.swift
	swift test

build: packages
	swift build -c release --product ptdump-lint

install: build
	install -D .build/release/ptdump-lint $(DESTDIR)$(PREFIX)/bin/ptdump-lint

# The Debian packages that the build needs.
packages:
	@[ -f /usr/include/gelf.h ] && command -v pkg-config > /dev/null && command -v gzip > /dev/null || \
	  { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends libelf-dev pkg-config gzip; }

# What the tests need beside it: a validator of JSON Schema 2020-12.
test-packages:
	@/usr/bin/python3 -c 'from jsonschema import Draft202012Validator' 2> /dev/null || \
	  { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends python3-jsonschema; }
