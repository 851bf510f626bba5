/*
 * Preloaded, makes a program believe that the machine has 64 processors, so that it starts as many
 * threads. They begin together, as they do there: Callgrind runs one thread at a time, and the first
 * ones would have done all before the last one is started.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { processors = 64, patience = 1 << 20 };

struct start {
	void *(*routine)(void *);
	void *argument;
};

static atomic_int created, begun;

/* Waits until there is a thread for each processor, but not for ever. Who slept would come last. */
static void wait_for_all(void)
{
	for (int turn = 0; turn < patience && begun < processors - 1; turn++)
		sched_yield();
}

static void *begin(void *argument)
{
	struct start start = *(struct start *)argument;

	free(argument);
	begun++;
	wait_for_all();
	return start.routine(start.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
		   void *argument)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	struct start *start = malloc(sizeof(*start));
	int error;

	if (!real)
		real = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
			RTLD_NEXT, "pthread_create");
	*start = (struct start){ routine, argument };
	error = real(thread, attributes, begin, start);
	if (++created == processors - 1)
		wait_for_all();
	return error;
}

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
