/*
 * Preloaded, makes a program believe that the machine has 64 processors, so that it starts as many
 * threads.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { processors = 64 };

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
	memset(set, 0, size);
	for (int processor = 0; processor < processors; processor++)
		CPU_SET_S(processor, size, set);
	return 0;
}

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
	return sched_getaffinity(0, size, set);
}

long sysconf(int name)
{
	static long (*real)(int);

	if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF)
		return processors;
	if (!real)
		real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}
