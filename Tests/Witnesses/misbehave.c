/* A reader that misbehaves: loaded before zlib, it tries what no reader needs whenever something is unpacked, and
 * says on standard error how that ended. With CRASH set it ends by a signal.
 *
 * gcc -shared -fPIC -o misbehave.so misbehave.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct z_stream_s;

static void say(const char *what, long result) {
    char line[200];
    int size = snprintf(line, sizeof line, "%s: %s\n", what, result < 0 ? strerror(errno) : "done");
    if (write(2, line, size) < 0) _exit(9);
}

int inflate(struct z_stream_s *stream, int flush) {
    static int (*real)(struct z_stream_s *, int);
    if (!real) {
        if (getenv("CRASH")) raise(SIGSEGV);
        real = dlsym(RTLD_NEXT, "inflate");
        /* Version of Landlock: none where it is off. */
        say("landlock", syscall(444, NULL, 0, 1));
        say("read another file", open("/etc/hostname", O_RDONLY));
        say("read beside the input", open("secret", O_RDONLY));
        say("read another input", open("other.txt", O_RDONLY));
        say("write beside the input", open("torso", O_WRONLY | O_CREAT, 0600));
        say("make a socket", socket(AF_INET, SOCK_STREAM, 0));
        pid_t child = syscall(SYS_fork);
        if (child == 0) _exit(0);
        say("make a process", child);
        if (child > 0) waitpid(child, NULL, 0);
        /* It returns where it is forbidden, and where there is no such program. */
        char *none[] = {NULL};
        execve("/none", none, none);
        say("run a program", errno == ENOENT ? 0 : -1);
        /* Last, since a process that is traced stops at each signal. */
        say("trace a process", syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
    }
    return real(stream, flush);
}
