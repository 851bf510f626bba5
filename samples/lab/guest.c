/*
 * What the machines of stock-kernels and of Tests/Live/load do besides booting: guest TASK [NUMBER]
 *
 *   gcc -O2 -Wall -static -o guest guest.c
 *
 *   secret     a memfd_secret of 2 MiB: the kernel takes its pages out of the direct map
 *   thp        transparent large pages, some of them split again
 *   hugetlb    16 pages of hugetlbfs
 *   bpf        NUMBER programs, which the kernel compiles
 *   bpf-load   the same again and again, in other sizes
 *   fork-load  processes that come and go, with memory of their own
 *   map-load   memory that comes and goes, in small and in large pages
 *
 * The task runs in a child that keeps what it made, or goes on and counts its rounds in /tmp/TASK. guest ends
 * when that is there, or after the first round: with status 0 and a line `=== TASK ===`, or with 1 and the reason.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define PAGE 4096
#define LARGE (2 << 20)
#define LONGEST 4000

static int ready;

static void fail(const char *what)
{
	printf("guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Lets the parent end, once. */
static void say_ready(void)
{
	char byte = 1;

	if (ready >= 0 && write(ready, &byte, 1) != 1)
		exit(1);
	close(ready);
	ready = -1;
}

/* Counts the rounds of a load in /tmp/TASK, and lets the parent end after the first. */
static void end_round(const char *task)
{
	static int file = -1, rounds;
	char text[32];
	int size;

	if (file < 0) {
		snprintf(text, sizeof text, "/tmp/%s", task);
		file = open(text, O_WRONLY | O_CREAT, 0600);
	}
	size = snprintf(text, sizeof text, "%d\n", ++rounds);
	if (pwrite(file, text, size, 0) != size)
		fail("count");
	say_ready();
}

static void keep(void)
{
	say_ready();
	for (;;)
		pause();
}

static char *map(size_t size, int protection, int flags, int file)
{
	char *area = mmap(NULL, size, protection, flags, file, 0);

	if (area == MAP_FAILED)
		fail("mmap");
	return area;
}

static void secret(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int file = syscall(SYS_memfd_secret, 0);

	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (file < 0 || ftruncate(file, LARGE) != 0)
		fail("memfd_secret");
	memset(map(LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, file), 1, LARGE);
	keep();
}

/* Eight large pages: one written through, one read only, one with a hole, one half read only. */
static void use_large_pages(void)
{
	char *area = map(10 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *first = (char *)(((unsigned long)area + LARGE - 1) & -(unsigned long)LARGE);

	if (madvise(area, 10 * LARGE, MADV_HUGEPAGE) != 0)
		fail("MADV_HUGEPAGE");
	memset(first, 1, 8 * LARGE);
	mprotect(first + LARGE, LARGE, PROT_READ);
	munmap(first + 2 * LARGE + LARGE / 2, PAGE);
	mprotect(first + 3 * LARGE, LARGE / 2, PROT_READ);
}

static void thp(void)
{
	char line[128];
	int large = 0;
	FILE *maps;

	use_large_pages();
	maps = fopen("/proc/self/smaps", "r");
	while (maps && fgets(line, sizeof line, maps)) {
		int size;

		if (sscanf(line, "AnonHugePages: %d", &size) == 1)
			large += size;
	}
	if (large == 0) {
		errno = ENOMEM;
		fail("no large page came");
	}
	keep();
}

static void hugetlb(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;

	memset(map(16 * LARGE, PROT_READ | PROT_WRITE, flags, -1), 1, 16 * LARGE);
	keep();
}

/* A program of LENGTH instructions; the kernel's compiler puts it into a page of programs. */
static int load_program(int length)
{
	static struct bpf_insn code[LONGEST];
	static const char license[] = "GPL";
	union bpf_attr attributes = { 0 };

	for (int i = 0; i < length - 1; i++)
		code[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = i };
	code[length - 1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attributes.insn_cnt = length;
	attributes.insns = (unsigned long)code;
	attributes.license = (unsigned long)license;
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

static void bpf(int count, int again)
{
	int files[1024];

	if (count > 1024)
		count = 1024;
	for (int round = 0;; round++) {
		for (int i = 0; i < count; i++) {
			files[i] = load_program(2 + (i * 97 + round * 31) % (LONGEST - 2));
			if (files[i] < 0)
				fail("bpf");
		}
		if (!again)
			keep();
		end_round("bpf-load");
		/* Every second one first, so that pages of programs have holes. */
		for (int i = 0; i < count; i += 2)
			close(files[i]);
		for (int i = 1; i < count; i += 2)
			close(files[i]);
	}
}

static void fork_load(int count)
{
	for (;;) {
		for (int i = 0; i < count; i++) {
			if (fork() == 0) {
				size_t size = (1 + i % 8) * 16 * PAGE;

				memset(map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), 1, size);
				_exit(0);
			}
		}
		while (wait(NULL) > 0)
			;
		end_round("fork-load");
	}
}

static void map_load(int count)
{
	for (;;) {
		for (int i = 0; i < count; i++) {
			if (fork() == 0) {
				use_large_pages();
				_exit(0);
			}
			wait(NULL);
			size_t size = (1 + i % 64) * PAGE;
			char *area = map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);

			memset(area, 1, size);
			mprotect(area, PAGE, PROT_READ);
			munmap(area, size);
		}
		end_round("map-load");
	}
}

static void run(const char *task, int number)
{
	if (strcmp(task, "secret") == 0)
		secret();
	if (strcmp(task, "thp") == 0)
		thp();
	if (strcmp(task, "hugetlb") == 0)
		hugetlb();
	if (strcmp(task, "bpf") == 0 || strcmp(task, "bpf-load") == 0)
		bpf(number, strcmp(task, "bpf") != 0);
	if (strcmp(task, "fork-load") == 0)
		fork_load(number);
	if (strcmp(task, "map-load") == 0)
		map_load(number);
	errno = EINVAL;
	fail(task);
}

int main(int count, char **arguments)
{
	int ends[2];
	char byte;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (count < 2 || pipe(ends) != 0)
		return 1;
	if (fork() == 0) {
		close(ends[0]);
		ready = ends[1];
		/* What runs on is to leave a processor to others. */
		if (nice(10) < 0)
			fail("nice");
		run(arguments[1], count > 2 ? atoi(arguments[2]) : 8);
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		return 1;
	printf("=== %s ===\n", arguments[1]);
	return 0;
}
