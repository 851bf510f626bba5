/*
 * The laboratory's /init: prints the kernel's own dump of its page tables on the serial console,
 * and then keeps everything as it was printed until the machine is stopped.
 *
 *   gcc -O2 -Wall -static -o init init.c          (with -m32 for a 32-bit kernel)
 *
 * Its last argument, on the kernel's command line after `--`:
 *   notest    read the tables at once, without waiting for the self-test to end: that splits every
 *             1G page of a small machine
 *   crash     crash when the tables are printed; a second kernel, loaded at the start, then runs
 *             this program with the next argument
 *   vmcore    copy /proc/vmcore to the disk
 *   faults    make the kernel fault in each way of `faults` below, before the tables are read
 *
 * Before that it maps one area of each kind that the user's half of a table can hold; what the
 * kernel or the machine does not have is left out.
 *
 * Nothing may be touched for the first time after the files are read: an accessed or dirty bit
 * that appears breaks a line of the dump in two. So all memory is static, locked and touched at the
 * start, the four files stay open (a file's buffer in the kernel is part of the tables too), and
 * what was printed is read again until two readings agree.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <asm/ldt.h>
#include <linux/kexec.h>
#include <linux/mman.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_kexec_file_load
#define SYS_kexec_file_load -1 /* there is none for 32 bits */
#endif

#define SYSLOG_ACTION_READ_ALL 3
#define SYSLOG_ACTION_CONSOLE_OFF 6

#define MARKER "PTDUMP-LINT-USER-MEMORY-MARKER "
#define PAGE 4096
#define AREA (64 << 10)
#define GIGABYTE 0x40000000
#define LARGE (4 << 20) /* two large pages, or one of a 32-bit kernel without PAE */
#define STEP (16 << 20)
#define VGA_HOLE 0xa0000
#define VGA_DEVICE "/sys/bus/pci/devices/0000:00:02.0/"
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

static void write_file(const char *path, const char *data)
{
	int file = open(path, O_WRONLY);
	long size = strlen(data);

	if (file < 0)
		return;
	if (write(file, data, size) != size)
		say("a short write\n");
	close(file);
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

/* Maps an area at the next multiple of 16 MiB; all that can be written there is written. NULL: not to be had. */
static char *map(long size, int protection, int flags, int file)
{
	static char *next = (char *)0x60000000;
	char *area = mmap(next, size, protection, flags | MAP_FIXED, file, 0);

	next += STEP;
	if (area == MAP_FAILED)
		return NULL;
	for (long i = 0; i < size && protection & PROT_WRITE; i += PAGE)
		area[i] = 1;
	return area;
}

static void map_device(const char *path, long offset)
{
	static char *next = (char *)0x50000000;
	int file = open(path, O_RDWR | O_SYNC);

	if (file < 0)
		return;
	mmap(next, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, offset);
	next += STEP;
	close(file);
}

/* Everything is mapped at fixed places, in steps of 16 MiB from 0x60000000, devices from 0x50000000. */
static void map_all_kinds(void)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
	struct user_desc segment = { .entry_number = 0, .limit = 0xfffff, .seg_32bit = 1 };
	char *area;
	int file, key;

	/* The kernel has them off where there is less than 512 MiB. */
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	/* 0x60000000: read and write, read only, no access at all, everything allowed */
	area = map(4 * AREA, rw, anonymous, -1);
	mprotect(area + AREA, AREA, PROT_READ);
	mprotect(area + 2 * AREA, AREA, PROT_NONE);
	mprotect(area + 3 * AREA, AREA, rw | PROT_EXEC);
	/* 0x61000000: never written: the zero page */
	map(AREA, PROT_READ, anonymous, -1);
	/* 0x62000000: shared memory */
	map(AREA, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
	/* 0x63000000: a file's pages: private (the first written, so copied), executable, shared */
	file = open("/file", O_RDWR | O_CREAT, 0600);
	if (ftruncate(file, AREA) != 0)
		say("no file\n");
	area = map(AREA, PROT_READ, MAP_PRIVATE, file);
	mprotect(area, PAGE, rw);
	area[0] = 1;
	map(AREA, PROT_READ | PROT_EXEC, MAP_PRIVATE, file);
	map(AREA, rw, MAP_SHARED, file);
	close(file);
	/* 0x66000000: transparent large pages: read and write, read only, no access at all */
	area = map(4 * LARGE, rw, anonymous, -1);
	mprotect(area + LARGE, LARGE, PROT_READ);
	mprotect(area + 2 * LARGE, LARGE, PROT_NONE);
	/* 0x67000000: the same of hugetlbfs */
	write_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "8");
	write_file("/sys/kernel/mm/hugepages/hugepages-4096kB/nr_hugepages", "4");
	/* A guest of Xen's without the hardware's help has none. */
	area = map(3 * LARGE, rw, anonymous | MAP_HUGETLB, -1);
	if (area) {
		mprotect(area + LARGE, LARGE, PROT_READ);
		mprotect(area + 2 * LARGE, LARGE, PROT_NONE);
	}
	/* 0x68000000: a protection key */
	area = map(AREA, rw, anonymous, -1);
	key = syscall(SYS_pkey_alloc, 0, 0);
	if (key > 0)
		syscall(SYS_pkey_mprotect, area, AREA, rw, key);
	/* 0x80000000: 1G, if the command line has reserved a page of that size */
	if (sizeof(long) == 8)
		mmap((char *)0x80000000, GIGABYTE, rw,
		     anonymous | MAP_FIXED_NOREPLACE | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT, -1, 0);
	/* Above 47 bits where there are 5 levels, else wherever the kernel likes. */
	if (sizeof(long) == 8) {
		area = mmap((void *)(long)(1ULL << 55), AREA, rw, anonymous, -1, 0);
		if (area != MAP_FAILED)
			memset(area, 1, AREA);
	}
	/* A table of segments, which page-table isolation maps in the kernel's half of this process. */
	syscall(SYS_modify_ldt, 1, &segment, sizeof segment);

	map_device("/dev/mem", VGA_HOLE);
	map_device(VGA_DEVICE "resource0", 0);
	/* Other pages: two mappings of one page get one cache type. */
	map_device(VGA_DEVICE "resource0_wc", AREA);

	/* From here on nothing may be collapsed into a large page. */
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "never");
}

static void load_crash_kernel(void)
{
	static const char options[] = "console=ttyS0 panic=-1 nokaslr pti=off -- vmcore";
	int kernel = open("/kernel", O_RDONLY), initramfs = open("/crash.gz", O_RDONLY);

	if (syscall(SYS_kexec_file_load, kernel, initramfs, sizeof options, options, KEXEC_FILE_ON_CRASH) != 0)
		say("no crash kernel\n");
	close(kernel);
	close(initramfs);
}

static void copy_vmcore(void)
{
	int from = open("/proc/vmcore", O_RDONLY), to = open("/dev/vda", O_WRONLY);
	long size;

	while ((size = read(from, text, sizeof text)) > 0)
		if (write(to, text, size) != size)
			break;
	say(size == 0 && fsync(to) == 0 ? "=== COPIED ===\n" : "=== NOT COPIED ===\n");
	sync();
	reboot(RB_AUTOBOOT);
}

/* Each kills the child that asks for it. A child that shares this process' memory, so that none of its pages change. */
static void provoke_faults(void)
{
	static const char *const faults[] = {
		"WRITE_RO", "WRITE_RO_AFTER_INIT", "WRITE_KERN", "EXEC_DATA", "EXEC_RODATA", "EXEC_VMALLOC",
		"EXEC_NULL", "ACCESS_NULL", "EXEC_USERSPACE", "ACCESS_USERSPACE",
	};

	for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
		pid_t child = vfork();

		if (child == 0) {
			write_file("/sys/kernel/debug/provoke-crash/DIRECT", faults[i]);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
}

static long read_log(void)
{
	long size = klogctl(SYSLOG_ACTION_READ_ALL, kernel_log, sizeof kernel_log - 1);

	if (size < 0)
		size = 0;
	kernel_log[size] = 0;
	return size;
}

/* Waits for the first run of the CPA self-test to end. */
static void wait_for_self_test(void)
{
	struct timespec pause = { 0, 100 * 1000 * 1000 };

	for (;;) {
		char *test, *failed;

		read_log();
		test = strstr(kernel_log, "CPA self-test:");
		if (test && strstr(test, "] ok.\n"))
			return;
		failed = test ? strstr(test, "NOT PASSED") : NULL;
		if (failed && strstr(failed, "---[ end trace"))
			return;
		nanosleep(&pause, NULL);
	}
}

int main(int count, char **arguments)
{
	struct termios mode;
	cpu_set_t first;
	char path[64], line[64];
	/* The last one: the kernel passes on options that it does not know, `nokaslr` among them. */
	const char *task = arguments[count - 1];
	int round, changed;

	/* The machine is stopped by the registers of its first CPU. */
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof first, &first);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	/* Under Xen the guest's console, else the serial port. */
	console = open("/dev/hvc0", O_RDWR | O_NOCTTY);
	if (console < 0)
		console = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	if (console < 0)
		console = 1;
	if (tcgetattr(console, &mode) == 0) {
		cfmakeraw(&mode);
		cfsetspeed(&mode, B115200);
		tcsetattr(console, TCSANOW, &mode);
	}
	if (strcmp(task, "vmcore") == 0)
		copy_vmcore();
	if (strcmp(task, "crash") == 0)
		load_crash_kernel();
	touch_everything();
	map_all_kinds();
	for (int i = 0; i < TABLES; i++) {
		snprintf(path, sizeof path, "/sys/kernel/debug/page_tables/%s", names[i]);
		files[i] = open(path, O_RDONLY);
	}

	if (strcmp(task, "notest") != 0)
		wait_for_self_test();
	if (strcmp(task, "faults") == 0)
		provoke_faults();
	for (int i = 0; i < TABLES; i++)
		sizes[i] = read_all(files[i], printed[i], sizeof printed[i]);
	klogctl(SYSLOG_ACTION_CONSOLE_OFF, NULL, 0);
	put_file("iomem", "/proc/iomem");
	put_file("meminfo", "/proc/meminfo");

	for (round = 1; round <= ROUNDS; round++) {
		put_block("log", kernel_log, read_log());
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
	if (strcmp(task, "crash") == 0)
		write_file("/proc/sysrq-trigger", "c");
	/* A system call each time: the CPU is in the kernel half of the time, as a PTI capture needs. */
	for (;;)
		syscall(SYS_getppid);
}
