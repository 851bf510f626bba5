/*
 * The laboratory's /init on arm64: prints the kernel's own dump of its page tables, as init.c does on x86, and then
 * keeps everything as it was printed until the machine is stopped.
 *
 *   aarch64-linux-gnu-gcc -O2 -Wall -static -o init init-arm64.c
 *
 * A kernel without such a file prints its tables when a debugger calls its dumper: this program then does nothing but
 * syslog(2), where capture-arm64 stops it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define SYSLOG_ACTION_READ_ALL 3
#define SYSLOG_ACTION_CONSOLE_OFF 6
#define SYSLOG_ACTION_SIZE_BUFFER 10

#define MARKER "PTDUMP-LINT-USER-MEMORY-MARKER "
#define AREA (64 << 10)
#define ROUNDS 8
/* Source: arch/arm64/include/uapi/asm/mman.h, 6.12. */
#define PROT_GUARDED 0x10
#define PROT_TAGGED 0x20
#define HUGE(shift) (MAP_HUGETLB | (shift) << 26)

static char printed[8 << 20], again[8 << 20], kernel_log[1 << 20], text[256 << 10];
static char marker_page[AREA] __attribute__((aligned(AREA)));
static int console = 1;

static void put(const char *data, long size)
{
	while (size > 0) {
		long n = write(console, data, size > 4096 ? 4096 : size);
		if (n <= 0)
			continue;
		data += n;
		size -= n;
	}
}

static void say(const char *line)
{
	put(line, strlen(line));
}

static void put_block(const char *name, const char *data, long size)
{
	char line[128];

	snprintf(line, sizeof line, "\n=== BEGIN %s %ld ===\n", name, size);
	say(line);
	put(data, size);
	snprintf(line, sizeof line, "\n=== END %s ===\n", name);
	say(line);
}

static long read_all(int file, char *buffer, long room)
{
	long size = 0, n;

	lseek(file, 0, SEEK_SET);
	while (size < room && (n = read(file, buffer + size, room - size)) > 0)
		size += n;
	return size;
}

static void put_file(const char *name, const char *path)
{
	int file = open(path, O_RDONLY);
	long size = file < 0 ? 0 : read_all(file, text, sizeof text);

	if (file >= 0)
		close(file);
	put_block(name, text, size);
}

/* What capture-arm64 asks for: where it stops the kernel, and what it calls. */
static void put_symbols(void)
{
	static const char *const wanted[] = { "_stext", "__arm64_sys_syslog", "ptdump_walk", "ptdump_walk_pgd",
		"ptdump_check_wx", "init_mm", "efi_mm", "swapper_pg_dir", "find_task_by_vpid", "get_task_mm",
		"vzalloc_noprof", "vzalloc", "arm64_use_ng_mappings" };
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[256], letter;
	unsigned long long address;
	long size = 0;

	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "%llx %c %255s", &address, &letter, name) != 3)
			continue;
		for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
			if (strcmp(name, wanted[i]) == 0)
				size += snprintf(text + size, 300, "%llx %c %s\n", address, letter, name);
	}
	if (file)
		fclose(file);
	put_block("symbols", text, size);
}

/* One area of each kind, 256 MiB apart from 4 GiB on; what the kernel or the machine lacks is left out. */
static void map_all_kinds(void)
{
	static const struct { int protection, flags; long size; } kinds[] = {
		{ PROT_READ | PROT_WRITE, HUGE(16), 128 << 10 }, { PROT_READ | PROT_WRITE, HUGE(21), 4 << 20 },
		{ PROT_READ | PROT_WRITE, HUGE(25), 32 << 20 }, { PROT_READ | PROT_WRITE, 0, AREA },
		{ PROT_READ, 0, AREA }, { PROT_READ | PROT_EXEC, 0, AREA },
		{ PROT_READ | PROT_EXEC | PROT_GUARDED, 0, AREA }, { PROT_READ | PROT_WRITE | PROT_TAGGED, 0, AREA },
		{ PROT_READ | PROT_WRITE | PROT_EXEC, 0, AREA }, { PROT_EXEC, 0, AREA }, { PROT_NONE, 0, AREA },
	};
	unsigned long place = 0x100000000;

	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++, place += 0x10000000) {
		char *area = mmap((void *)place, kinds[i].size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | kinds[i].flags, -1, 0);

		if (area == MAP_FAILED)
			continue;
		memset(area, 1, kinds[i].size);
		mprotect(area, kinds[i].size, kinds[i].protection);
	}
}

int main(void)
{
	struct termios mode;
	long size = 0, second;
	int file, round;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	console = open("/dev/ttyAMA0", O_RDWR | O_NOCTTY);
	if (console < 0)
		console = open("/dev/console", O_RDWR | O_NOCTTY);
	if (tcgetattr(console, &mode) == 0) {
		cfmakeraw(&mode);
		tcsetattr(console, TCSANOW, &mode);
	}
	mlockall(MCL_CURRENT | MCL_FUTURE);
	memset(printed, 1, sizeof printed);
	memset(again, 1, sizeof again);
	memset(text, 1, sizeof text);
	for (unsigned long i = 0; i + sizeof MARKER <= sizeof marker_page; i += sizeof MARKER - 1)
		memcpy(marker_page + i, MARKER, sizeof MARKER - 1);
	map_all_kinds();
	sleep(1);
	klogctl(SYSLOG_ACTION_CONSOLE_OFF, NULL, 0);
	size = klogctl(SYSLOG_ACTION_READ_ALL, kernel_log, sizeof kernel_log);
	put_block("log", kernel_log, size > 0 ? size : 0);
	put_file("iomem", "/proc/iomem");
	put_file("meminfo", "/proc/meminfo");
	put_file("efi", "/sys/kernel/debug/efi_page_tables");
	put_file("vmcoreinfo", "/sys/kernel/vmcoreinfo");
	put_symbols();
	file = open("/sys/kernel/debug/kernel_page_tables", O_RDONLY);
	if (file < 0) {
		say("=== GUEST WITHOUT TEXT ===\n");
		for (;;)
			klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
	}
	size = read_all(file, printed, sizeof printed);
	for (round = 0; round < ROUNDS; round++) {
		size = read_all(file, printed, sizeof printed);
		put_block("kernel", printed, size);
		second = read_all(file, again, sizeof again);
		if (second == size && memcmp(again, printed, size) == 0)
			break;
	}
	say(round < ROUNDS ? "=== GUEST SETTLED ===\n" : "=== GUEST UNSETTLED ===\n");
	for (;;)
		klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
}
