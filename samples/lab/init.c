/*
 * The laboratory's /init: prints the kernel's own dump of its page tables on the serial console,
 * and then keeps everything as it was printed until the machine is stopped.
 *
 *   gcc -O2 -Wall -static -o init init.c
 *
 * Nothing may be touched for the first time after the files are read: an accessed or dirty bit
 * that appears breaks a line of the dump in two. So all memory is static, locked and touched at the
 * start, the four files stay open (a file's buffer in the kernel is part of the tables too), and
 * what was printed is read again until two readings agree.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SYSLOG_ACTION_READ_ALL 3
#define SYSLOG_ACTION_CONSOLE_OFF 6

#define MARKER "PTDUMP-LINT-USER-MEMORY-MARKER "
#define PAGE 4096
#define TABLES 4
#define ROUNDS 8

/* `kernel` is read last: what runs before it changes the vmalloc area. */
static const char *const names[TABLES] = { "current_user", "current_kernel", "efi", "kernel" };
static int files[TABLES];
static long sizes[TABLES];
static char printed[TABLES][4 << 20];
static char again[4 << 20];
static char kernel_log[1 << 20];
static char text[64 << 10];
static char marker_page[PAGE] __attribute__((aligned(PAGE)));
static int console = 1;

extern char __executable_start[], end[];

static void put(const char *data, long size)
{
	while (size > 0) {
		long n = write(console, data, size > PAGE ? PAGE : size);
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

/* The number of bytes goes with the name, so that the reader need not guess where the text ends. */
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

/* Writes to every page that can be written, and reads the others. */
static void touch_everything(void)
{
	volatile char stack[128 << 10];
	volatile char sum = 0;

	mlockall(MCL_CURRENT | MCL_FUTURE);
	for (size_t i = 0; i < sizeof stack; i += PAGE)
		stack[i] = 1;
	for (char *p = __executable_start; p < end; p += PAGE)
		sum += *(volatile char *)p;
	memset(printed, 1, sizeof printed);
	memset(again, 1, sizeof again);
	memset(kernel_log, 1, sizeof kernel_log);
	memset(text, 1, sizeof text);
	for (size_t i = 0; i + sizeof MARKER <= sizeof marker_page; i += sizeof MARKER - 1)
		memcpy(marker_page + i, MARKER, sizeof MARKER - 1);
}

/* Waits for the first run of the CPA self-test to end; returns the size of the log. */
static long wait_for_self_test(void)
{
	struct timespec pause = { 0, 100 * 1000 * 1000 };

	for (;;) {
		long size = klogctl(SYSLOG_ACTION_READ_ALL, kernel_log, sizeof kernel_log - 1);
		char *test, *failed;

		kernel_log[size > 0 ? size : 0] = 0;
		test = strstr(kernel_log, "CPA self-test:");
		if (test && strstr(test, "] ok.\n"))
			return size;
		failed = test ? strstr(test, "NOT PASSED") : NULL;
		if (failed && strstr(failed, "---[ end trace"))
			return size;
		nanosleep(&pause, NULL);
	}
}

int main(void)
{
	struct termios mode;
	char path[64], line[64];
	long log_size;
	int round, changed;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	console = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	if (console < 0)
		console = 1;
	if (tcgetattr(console, &mode) == 0) {
		cfmakeraw(&mode);
		cfsetspeed(&mode, B115200);
		tcsetattr(console, TCSANOW, &mode);
	}
	touch_everything();
	for (int i = 0; i < TABLES; i++) {
		snprintf(path, sizeof path, "/sys/kernel/debug/page_tables/%s", names[i]);
		files[i] = open(path, O_RDONLY);
	}

	log_size = wait_for_self_test();
	for (int i = 0; i < TABLES; i++)
		sizes[i] = read_all(files[i], printed[i], sizeof printed[i]);
	klogctl(SYSLOG_ACTION_CONSOLE_OFF, NULL, 0);
	put_block("log", kernel_log, log_size);
	put_file("iomem", "/proc/iomem");
	put_file("meminfo", "/proc/meminfo");

	for (round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < TABLES; i++)
			put_block(names[i], printed[i], sizes[i]);
		changed = 0;
		for (int i = 0; i < TABLES; i++) {
			long size = read_all(files[i], again, sizeof again);

			if (size == sizes[i] && memcmp(again, printed[i], size) == 0)
				continue;
			changed |= 1 << i;
			memcpy(printed[i], again, size);
			sizes[i] = size;
		}
		snprintf(line, sizeof line, "\n=== ROUND %d CHANGED %x ===\n", round, changed);
		say(line);
		if (!changed)
			break;
	}
	say(changed ? "=== UNSETTLED ===\n" : "=== SETTLED ===\n");
	/* A system call each time: the CPU is in the kernel half of the time, as a PTI capture needs. */
	for (;;)
		syscall(SYS_getppid);
}
