#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A kselftest: the running kernel's page tables have no finding. Prints KTAP; options go to
# `ptdump-lint check`. Exits 0 (passed), 1 (failed) or 4 (skipped).
#
# A dump that was read in part fails, unless --allow-incomplete is given.

ksft_skip=4

skip() {
	echo "KTAP version 1"
	echo "1..0 # SKIP $1"
	exit $ksft_skip
}

command -v ptdump-lint > /dev/null || skip "ptdump-lint is not installed"
[ "$(id -u)" = 0 ] || skip "only root can read the page tables"
debugfs=/sys/kernel/debug
[ -e $debugfs/page_tables ] || mount -t debugfs none $debugfs 2> /dev/null
[ -e $debugfs/page_tables/kernel ] || skip "no page_tables in debugfs: CONFIG_PTDUMP_DEBUGFS is off"

ptdump-lint check --format ktap "$@" || exit 1
