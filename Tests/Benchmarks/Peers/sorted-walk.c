/*
 * Reads x86-64 page tables in an ELF core level by level, each level in the order of the disk: what
 * tables that lie scattered over a file cost at least, where it is not in the page cache. Requests
 * are asked for ahead, and those that lie close together are one.
 *
 *     sorted-walk IMAGE ROOT LEVELS
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static const uint64_t frame = 0xffffffffff000;
static const long gap = 16 << 10, longest = 128 << 10;
static const Elf64_Phdr *programs;
static int program_count;

static long place_of(uint64_t address)
{
	for (int index = 0; index < program_count; index++) {
		const Elf64_Phdr *program = &programs[index];

		if (program->p_type == PT_LOAD && address - program->p_paddr < program->p_filesz)
			return program->p_offset + (address - program->p_paddr);
	}
	return -1;
}

static int compare(const void *one, const void *other)
{
	long left = *(const long *)one, right = *(const long *)other;

	return left < right ? -1 : left > right;
}

static void ask(int file, const long *places, size_t count)
{
	for (size_t index = 0, next; index < count; index = next) {
		long start = places[index], end = start + 4096;

		for (next = index + 1; next < count && places[next] <= end + gap &&
		     places[next] + 4096 - start <= longest; next++)
			end = places[next] + 4096;
		posix_fadvise(file, start, end - start, POSIX_FADV_WILLNEED);
	}
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	struct stat status;
	size_t tables = 0, count = 1;
	const char *image;
	long *places = malloc(sizeof *places);
	int file;

	if (argc != 4 || (file = open(argv[1], O_RDONLY)) < 0 || fstat(file, &status))
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &from);
	image = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, file, 0);
	madvise((void *)image, status.st_size, MADV_RANDOM);
	programs = (const void *)(image + ((const Elf64_Ehdr *)image)->e_phoff);
	program_count = ((const Elf64_Ehdr *)image)->e_phnum;
	places[0] = place_of(strtoull(argv[2], NULL, 0));
	for (int level = atoi(argv[3]); level > 0; level--) {
		long *below = level > 1 ? malloc(count * 512 * sizeof *below) : NULL;
		size_t found = 0;

		qsort(places, count, sizeof *places, compare);
		ask(file, places, count);
		for (size_t index = 0; index < count; index++) {
			const uint64_t *table = (const void *)(image + places[index]);
			volatile uint64_t first = table[0];

			(void)first;
			for (int entry = 0; below && entry < 512; entry++) {
				long place = place_of(table[entry] & frame);

				if (table[entry] & 1 && !(level < 4 && table[entry] & 0x80) && place >= 0)
					below[found++] = place;
			}
		}
		tables += count;
		free(places);
		places = below;
		count = found;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f s, %zu tables\n",
	       to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9, tables);
	return 0;
}
