PREFIX ?= /usr/local
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
SAMPLE := samples/cpa-2008/memory.elf
# Swift's libraries become part of the program, so that it starts faster and runs where no Swift is, and C++'s,
# which only they need: a folder that has it as an archive alone goes before the others. Those of Debian stay
# shared. What only debuggers read is left out, and the names that nothing looks up in a program.
STATIC := $(CURDIR)/.build/static
SWIFT_BUILD := swift build -c release --product ptdump-lint --static-swift-stdlib \
  -Xlinker -L$(STATIC) -Xswiftc -Xclang-linker -Xswiftc -static-libgcc -Xlinker --no-export-dynamic -Xlinker -s

.PHONY: pictures test-fleet test-mapper mapper-packages fleet-packages demo test test-all tests-built tests-equipped on-library on-machines on-instructions on-mutations test-browser test-live test-live-load test-kernels fuzz mutate test-deb bench bench-fleet build fuzz-address documents docs install deb packages test-packages live-packages arm64-packages lab-packages browser-packages deb-packages test-deb-packages

# The main job on a real memory image: the false alarm of 2008.
demo: build
	@.build/release/ptdump-lint cpa $(SAMPLE)

# The format and the tests, built for release: they take a quarter of the time then, and the program beside
# them is the one that DamageTests, the instructions and the live tests run. test-all takes all cases of the
# tests that repeat one thing many times, and test a few of each: docs/tests.md.
# What only debuggers read is left out: no test reads it. Nor is anything built for @testable, which keeps all
# that no other module uses: tests are of the package.
SWIFT_TEST := -c release -Xswiftc -gnone
# On a terminal Swift shows its progress in one line; elsewhere it would print a line for each file.
QUIET := $(if $(MAKE_TERMOUT),,--quiet)
TWO := $(MAKE) --no-print-directory --jobs=2
test-all: export TESTS := all
test test-all: packages
	$(TWO) tests-built tests-equipped
	$(MAKE) --no-print-directory on-library
	Tests/run --skip-build $(SWIFT_TEST)
	$(TWO) --output-sync on-machines on-instructions on-mutations test-mapper

tests-built:
	swift build $(QUIET) $(SWIFT_TEST) --build-tests

# While the tests are built, which do not keep two processors busy all the time.
tests-equipped: test-packages live-packages mapper-packages
	swift format lint --strict --recursive Sources Tests Package.swift
# In the same folder: all that it needs is built by then.
on-library:
	swift test $(QUIET) $(SWIFT_TEST) --disable-testable-imports --package-path samples/library --scratch-path .build

# What the program beside the tests is tried by.
on-machines:
	Tests/Live/live
	Tests/Live/runner
on-instructions:
	Tests/Instructions/instructions .build/release/ptdump-lint
on-mutations:
	Tests/Fuzz/mutate .build/release/ptdump-lint 500

# The release build inside booted kernels, against their memory images; of arm64's kernels on what they hand out.
test-live: build live-packages arm64-packages
	Tests/Live/live
	Tests/Live/runner
	Tests/Live/arm64

# Twenty checks of the newest kernel from inside, while its tables move: docs/tests.md.
test-live-load: build live-packages lab-packages
	Tests/Live/load

# Debian's stock kernels, one of each series and switch, and what gives false alarms elsewhere: docs/kernels.md.
# Some 40 minutes, and 2 GB of packages below PTDUMP_LAB.
test-kernels: build live-packages lab-packages
	samples/lab/stock-kernels .build/release/ptdump-lint

# The pages of --format html in headless Chromium; SHOTS=FOLDER keeps screenshots and PDFs.
SHOTS ?=
test-browser: build browser-packages
	nice -n 10 .build/browser/bin/python Tests/Browser/pages .build/release/ptdump-lint $(SHOTS)

# The pictures of the documentation; a test says when they are stale.
pictures: build browser-packages
	@command -v pngquant > /dev/null || $(call install,pngquant)
	docs/pictures .build/release/ptdump-lint

# libFuzzer over each reader of input, ten minutes each; what it finds is kept in .build/fuzz. Everything
# is built anew for it, with its counters: Tests/Fuzz is a package of its own.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?=
FUZZ_SANITIZERS := fuzzer
SWIFT_FUZZ = --package-path Tests/Fuzz -c release -Xswiftc -enable-testing -Xswiftc -sanitize=$(FUZZ_SANITIZERS) \
  -Xswiftc -use-ld=lld
fuzz: packages
	swift build $(SWIFT_FUZZ)
	Tests/Fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# The same with AddressSanitizer: reads and writes beside what is theirs, in the C edges and what is unsafe.
FUZZ_ADDRESS := Tests/Fuzz/.build-address
fuzz-address: FUZZ_SANITIZERS := fuzzer,address
fuzz-address: packages
	swift build $(SWIFT_FUZZ) --scratch-path $(FUZZ_ADDRESS)
	FUZZ=$(CURDIR)/$(FUZZ_ADDRESS)/release/fuzz Tests/Fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# Inputs changed piece by piece, each read by the program as users run it: no crash, no silence, two seconds
# and 500 MB. What fails is kept in .build/mutate; make test runs 500.
MUTATIONS ?= 50000
MUTATION_SEED ?= $(shell date +%Y%m%d)
mutate: build
	Tests/Fuzz/mutate .build/release/ptdump-lint $(MUTATIONS) $(MUTATION_SEED)

# The Python package over single inputs: the mapper, without Spark.
FLEET := .build/fleet/bin/python
test-mapper: mapper-packages
	PTDUMP_LINT=.build/release/ptdump-lint $(FLEET) -m pytest -q samples/fleet/tests/test_check.py samples/fleet/tests/test_mapper.py

# The same on Spark: batch and stream, chaos, a driver that is killed, and the questions by both engines.
test-fleet: build fleet-packages
	cd samples/fleet && ../../$(FLEET) -m mypy
	PTDUMP_LINT=.build/release/ptdump-lint $(FLEET) -m pytest -q samples/fleet/tests
	FLEET_MASTER='local-cluster[2,1,1024]' PTDUMP_LINT=.build/release/ptdump-lint $(FLEET) -m pytest -q \
	  samples/fleet/tests/test_spark.py -k chaos

# What docs/performance.md says, measured on this machine beside dd, libkdumpfile and drgn; then each
# part alone. 15 GB of images go into .build/bench and stay there.
BENCH := .build/bench
SWIFT_BENCH := --package-path Tests/Benchmarks -c release -Xswiftc -enable-testing
bench: build test-packages
	@mkdir -p $(BENCH)
	gcc -O2 -o $(BENCH)/kdump-walk Tests/Benchmarks/Peers/kdump-walk.c -lkdumpfile
	gcc -O3 -march=native -Wno-psabi -o $(BENCH)/mapped-walk Tests/Benchmarks/Peers/mapped-walk.c
	gcc -O2 -o $(BENCH)/sorted-walk Tests/Benchmarks/Peers/sorted-walk.c
	gcc -O2 -shared -fPIC -o $(BENCH)/processors.so Tests/Benchmarks/Peers/processors.c
	swift build $(SWIFT_BENCH)
	PYTHON=.build/witnesses/bin/python \
	  Tests/Benchmarks/.build/release/compare .build/release/ptdump-lint $(BENCH) Tests/Benchmarks/Peers
	BENCHMARK_IMAGES=$(CURDIR)/$(BENCH) swift package $(SWIFT_BENCH) --disable-sandbox benchmark --no-progress

# What docs/performance.md says of a fleet: Spark beside xargs, 100 and 1,000 inputs. Needs root for a control
# group, which counts the processor's time, and some 15 minutes.
bench-fleet: build fleet-packages
	rm -rf $(BENCH)/fleet
	PTDUMP_LINT=$(CURDIR)/.build/release/ptdump-lint $(FLEET) samples/fleet/tests/measure.py $(BENCH)/fleet

build: packages
	@# Swift brings the compiler; where it is not to be had C++'s library stays shared.
	@mkdir -p $(STATIC) && for archive in $$(clang -print-file-name=libstdc++.a); do ln -sf $$archive $(STATIC); done
	$(SWIFT_BUILD)

# The man pages, from each command's help, and the shell completions, from the program itself.
DOCUMENTS := .build/documents
documents: build
	@rm -rf $(DOCUMENTS) && mkdir -p $(DOCUMENTS)
	docs/man-pages .build/release/ptdump-lint $(DOCUMENTS)/man
	for shell in bash zsh fish; do \
	  .build/release/ptdump-lint --generate-completion-script $$shell > $(DOCUMENTS)/$$shell || exit 1; done
	@# A script that is only sourced needs no interpreter's line.
	sed -i '1{/^#!/d}' $(DOCUMENTS)/bash

# The documentation as pages with search, in .build/site/html, by PyPI's mkdocs; a dead link fails.
docs: .build/site/requirements.txt
	docs/site .build/site/bin/python .build/site

.build/site/requirements.txt: docs/site-requirements.txt
	@/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || $(call install,python3-venv)
	@/usr/bin/python3 -m venv .build/site
	@echo "installing from PyPI into .build/site: $$(grep -v '^#' $< | xargs)"
	@.build/site/bin/pip install --quiet -r $< && cp $< $@

install: documents
	install -D .build/release/ptdump-lint $(DESTDIR)$(PREFIX)/bin/ptdump-lint
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(DOCUMENTS)/man/*.1
	install -D -m 644 $(DOCUMENTS)/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ptdump-lint
	install -D -m 644 $(DOCUMENTS)/zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_ptdump-lint
	install -D -m 644 $(DOCUMENTS)/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ptdump-lint.fish
	@# Not below share/doc, which small images of Debian leave out. boot-and-lint loads ../lab/capture.
	install -D -t $(DESTDIR)$(PREFIX)/share/ptdump-lint/ci samples/ci/boot-and-lint samples/ci/page-tables.sh
	install -D -t $(DESTDIR)$(PREFIX)/share/ptdump-lint/lab samples/lab/capture
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/ptdump-lint/lab samples/lab/programs.py

# A Debian package, in .build/deb. Not by dpkg-buildpackage, which wants a package of the Swift toolchain, too.
deb: packages deb-packages
	@rm -rf .build/deb && mkdir -p .build/deb
	DEB_BUILD_OPTIONS=noautodbgsym debian/rules clean binary

# The package by lintian, and in a fresh Debian 12: apt installs it there, and it runs on a sample. Needs root.
test-deb: deb test-deb-packages
	Tests/Package/debian .build/deb/ptdump-lint_*_amd64.deb

# The Debian packages that the build needs.
packages:
	@command -v pkg-config > /dev/null && pkg-config --exists libelf libdw libbpf yaml-0.1 zlib lzo2 liblzma libzstd libseccomp \
	  || $(call install,libelf-dev libdw-dev libbpf-dev libyaml-dev zlib1g-dev liblzo2-dev liblzma-dev libzstd-dev libseccomp-dev pkg-config)

# What the tests need beside it: a validator of JSON Schema 2020-12, the packers, makedumpfile, xmllint, other
# programs that walk page tables (libkdumpfile by Debian's package, drgn by PyPI's), and what report formats
# are held against (Tests/Witnesses/get-formats). Where PyPI is out of reach its tests are skipped.
test-packages: .build/witnesses/requirements.txt
	@/usr/bin/python3 -c 'from jsonschema import Draft202012Validator' 2> /dev/null \
	  && command -v xz > /dev/null && command -v zstd > /dev/null && command -v makedumpfile > /dev/null \
	  && command -v xmllint > /dev/null && command -v valgrind > /dev/null && pkg-config --exists libaddrxlat \
	  || $(call install,python3-jsonschema xz-utils zstd makedumpfile libxml2-utils libkdumpfile-dev gcc libc6-dev valgrind binutils)
	@Tests/Witnesses/get-formats .build/formats .build/witnesses/bin/pip

.build/witnesses/requirements.txt: Tests/Witnesses/requirements.txt
	@/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || $(call install,python3-venv)
	@/usr/bin/python3 -m venv .build/witnesses
	@echo "installing from PyPI into .build/witnesses: $$(grep -v '^#' $< | xargs)"
	@.build/witnesses/bin/pip install --quiet -r $< && cp $< $@ || echo "no PyPI: its tests will be skipped"

# A Python with pytest; then with Spark, DuckDB and Arrow, 900 MB, and Java.
mapper-packages: .build/fleet/bin/pytest

.build/fleet/bin/pytest: samples/fleet/requirements-test.txt
	@/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || $(call install,python3-venv)
	@/usr/bin/python3 -m venv .build/fleet
	@echo "installing from PyPI into .build/fleet: $$(grep -v '^#' $< | xargs)"
	.build/fleet/bin/pip install --quiet -r $< && touch $@

fleet-packages: mapper-packages .build/fleet/requirements.txt
	@command -v java > /dev/null || $(call install,openjdk-17-jre-headless)

.build/fleet/requirements.txt: samples/fleet/requirements.txt
	.build/fleet/bin/pip install --quiet -r $< && cp $< $@

# QEMU, and what the machines inside it are made of; Tests/Live/live gets their kernel itself.
live-packages:
	@command -v qemu-system-x86_64 > /dev/null && test -x /bin/busybox && command -v strace > /dev/null \
	  || $(call install,qemu-system-x86 busybox-static strace)

# The same for arm64; Tests/Live/arm64 gets their kernel and their shell itself.
arm64-packages:
	@command -v qemu-system-aarch64 > /dev/null || $(call install,qemu-system-arm)

# What the machines of samples/lab/stock-kernels have besides.
lab-packages:
	@command -v kexec > /dev/null && command -v gcc > /dev/null && command -v xz > /dev/null \
	  && test -f /usr/share/OVMF/OVMF_CODE.fd || $(call install,kexec-tools ovmf gcc libc6-dev xz-utils)

# What opens the pages: Chromium of Debian, and what drives it of PyPI.
browser-packages: .build/browser/requirements.txt
	@command -v chromium > /dev/null && command -v chromedriver > /dev/null || $(call install,chromium chromium-driver)

.build/browser/requirements.txt: Tests/Browser/requirements.txt
	@/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || $(call install,python3-venv)
	@/usr/bin/python3 -m venv .build/browser
	.build/browser/bin/pip install --quiet -r $< && cp $< $@

# What makes the Debian package, and what tries it.
deb-packages:
	@command -v dh > /dev/null || $(call install,debhelper dpkg-dev)

test-deb-packages:
	@command -v lintian > /dev/null && command -v debootstrap > /dev/null || $(call install,lintian debootstrap)

# One at a time, as apt-get wants it.
install = { echo "installing from Debian: $(1)"; \
  flock Makefile $(SUDO) sh -c 'apt-get update -qq && apt-get install -qq --no-install-recommends $(1) > /dev/null'; }
