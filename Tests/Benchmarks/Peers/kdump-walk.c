/* Walks x86-64 page tables through libkdumpfile, a read a table, and merges alike neighbours.
 *
 *     kdump-walk IMAGE ROOT LEVELS
 *
 * Prints the seconds of the walk, without opening the image, then tables and runs. */
#include <fcntl.h>
#include <inttypes.h>
#include <libkdumpfile/kdumpfile.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const uint64_t frame = 0x000ffffffffff000;

struct run { uint64_t start, last, flags, physical; };

static kdump_ctx_t *image;
static struct run *runs;
static size_t count, room, tables;

static void add(uint64_t start, uint64_t size, uint64_t flags, uint64_t physical)
{
	struct run *last = count ? &runs[count - 1] : NULL;

	if (last && last->last + 1 == start && last->flags == flags &&
	    (!(flags & 1) || last->physical + (start - last->start) == physical)) {
		last->last = start + size - 1;
		return;
	}
	if (count == room) {
		room = room ? 2 * room : 1024;
		runs = realloc(runs, room * sizeof(*runs));
		if (!runs)
			exit(1);
	}
	runs[count++] = (struct run){ start, start + size - 1, flags, physical };
}

static void walk(uint64_t at, int level, uint64_t base)
{
	uint64_t table[512], span = 1ull << (12 + 9 * (level - 1));
	size_t length = sizeof(table);

	if (kdump_read(image, KDUMP_MACHPHYSADDR, at, table, &length) != KDUMP_OK) {
		fprintf(stderr, "%s\n", kdump_get_err(image));
		exit(1);
	}
	tables++;
	for (int index = 0; index < 512; index++) {
		uint64_t entry = table[index], start = base + index * span;

		if (!(entry & 1))
			add(start, span, 0, 0);
		else if (level == 1 || (level < 4 && entry & 0x80))
			add(start, span, entry & ~frame, entry & frame);
		else
			walk(entry & frame, level - 1, start);
	}
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	int file;

	if (argc != 4 || (file = open(argv[1], O_RDONLY)) < 0)
		return 2;
	image = kdump_new();
	if (kdump_open_fd(image, file) != KDUMP_OK) {
		fprintf(stderr, "%s\n", kdump_get_err(image));
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	walk(strtoull(argv[2], NULL, 0), atoi(argv[3]), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f s, %zu tables, %zu runs\n",
	       to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9, tables, count);
	return 0;
}
