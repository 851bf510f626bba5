#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Calls of the system without a function in the C library, or with as many arguments as are wanted, which Swift
// does not import.

// Constants that it does not import.
static const int open_path_only = 010000000;              // O_PATH, include/uapi/asm-generic/fcntl.h, 6.1
static const unsigned long long clone_thread = CLONE_THREAD;
static const unsigned long long clone_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static inline int landlock_version(void) {
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static inline int landlock_new_ruleset(unsigned long long access) {
    struct landlock_ruleset_attr attributes = {.handled_access_fs = access};
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
}

static inline int landlock_allow_below(int ruleset, int descriptor, unsigned long long access) {
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = descriptor};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static inline int landlock_restrict(int ruleset) { return (int)syscall(SYS_landlock_restrict_self, ruleset, 0); }

static inline int forbid_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

// Swift hides fork(), since other threads do not come along: the caller must have none.
static inline int fork_process(void) { return fork(); }

static inline int end_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

static inline int keep_capabilities(unsigned long long kept) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    for (int half = 0; half < 2; half++) {
        data[half].permitted &= (unsigned)(kept >> 32 * half);
        data[half].effective &= (unsigned)(kept >> 32 * half);
        data[half].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &header, data);
}

static inline int allow_call(scmp_filter_ctx filter, int call) { return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0); }

static inline int allow_call_with(scmp_filter_ctx filter, int call, unsigned argument, unsigned long long mask,
                                  unsigned long long value) {
    struct scmp_arg_cmp comparison = {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &comparison);
}

static inline int deny_call(scmp_filter_ctx filter, int call, int reason) {
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(reason), call, 0);
}

static inline scmp_filter_ctx new_filter(void) { return seccomp_init(SCMP_ACT_ERRNO(EPERM)); }
