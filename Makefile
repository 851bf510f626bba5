PREFIX ?= /usr/local
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
SAMPLE := samples/cpa-2008/memory.elf

.PHONY: demo test test-live build install packages test-packages live-packages

# The main job on a real memory image: the false alarm of 2008.
demo: build
	@.build/release/ptdump-lint cpa $(SAMPLE)

# Format lint and all tests; the damage test runs the release build in processes of its own.
test: build test-packages live-packages
	swift format lint --strict --recursive Sources Tests Package.swift
	swift test
	Tests/Live/live

# The release build inside booted kernels, against their memory images.
test-live: build live-packages
	Tests/Live/live

build: packages
	swift build -c release --product ptdump-lint

install: build
	install -D .build/release/ptdump-lint $(DESTDIR)$(PREFIX)/bin/ptdump-lint

# The Debian packages that the build needs.
packages:
	@command -v pkg-config > /dev/null && pkg-config --exists libelf libdw libbpf libkdumpfile \
	  || $(call install,libelf-dev libdw-dev libbpf-dev libkdumpfile-dev pkg-config)

# What the tests need beside it: a validator of JSON Schema 2020-12, the packers, makedumpfile, xmllint, other
# programs that walk page tables (libkdumpfile by Debian's package, drgn by PyPI's), and what report formats
# are held against (Tests/Witnesses/get-formats). Where PyPI is out of reach its tests are skipped.
test-packages: .build/witnesses/requirements.txt
	@/usr/bin/python3 -c 'from jsonschema import Draft202012Validator' 2> /dev/null \
	  && command -v xz > /dev/null && command -v zstd > /dev/null && command -v makedumpfile > /dev/null \
	  && command -v xmllint > /dev/null && pkg-config --exists libaddrxlat \
	  || $(call install,python3-jsonschema xz-utils zstd makedumpfile libxml2-utils libkdumpfile-dev gcc libc6-dev)
	@Tests/Witnesses/get-formats .build/formats .build/witnesses/bin/pip

.build/witnesses/requirements.txt: Tests/Witnesses/requirements.txt
	@/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || $(call install,python3-venv)
	@/usr/bin/python3 -m venv .build/witnesses
	@.build/witnesses/bin/pip install --quiet -r $< && cp $< $@ || echo "no PyPI: its tests will be skipped"

# QEMU, and what the machines inside it are made of; Tests/Live/live gets their kernel itself.
live-packages:
	@command -v qemu-system-x86_64 > /dev/null && test -x /bin/busybox \
	  || $(call install,qemu-system-x86 busybox-static)

install = { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $(1); }
