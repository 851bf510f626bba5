internal import CConfinement
import Glibc

/// Gives up, before the first byte of an input is read, what no command needs: other files, other
/// programs, the network, privileges.
///
/// What the system does not offer is left out.
package enum Confinement {
  /// Confines this process for good.
  ///
  /// - Parameters:
  ///   - reads: the files that it is to read, beside those of the running kernel.
  ///   - writes: the files that it is to make.
  ///   - mayStartConfined: whether it may start processes, which confine themselves further.
  package static func enter(
    reading reads: [String], writing writes: [String], mayStartConfined: Bool = false
  ) {
    guard forbid_new_privileges() == 0 else { return }
    // Of root's rights those to open the running kernel's files, and to run threads sooner.
    _ = keep_capabilities(
      [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_RAWIO, CAP_SYS_NICE, CAP_SYSLOG].reduce(0) {
        $0 | 1 << UInt64($1)
      })
    limitFiles(reading: reads, writing: writes)
    limitCalls(mayStartConfined)
  }

  // MARK: Files

  private static let execute = UInt64(LANDLOCK_ACCESS_FS_EXECUTE)
  private static let write = UInt64(LANDLOCK_ACCESS_FS_WRITE_FILE)
  private static let read = UInt64(LANDLOCK_ACCESS_FS_READ_FILE)
  private static let list = UInt64(LANDLOCK_ACCESS_FS_READ_DIR)
  private static let remove = UInt64(LANDLOCK_ACCESS_FS_REMOVE_FILE)
  private static let make = UInt64(LANDLOCK_ACCESS_FS_MAKE_REG)

  /// What each version of Landlock decides on, from the first one on.
  ///
  /// Source: include/uapi/linux/landlock.h, 6.12: REFER is bit 13, TRUNCATE 14.
  private static let decided: [UInt64] = [(1 << 13) - 1, 1 << 13, 1 << 14]
  private static let truncate: UInt64 = 1 << 14

  /// The running kernel's, and the libraries that may be loaded late.
  ///
  /// Dispatch reads /proc/TID/stat of its threads. Of another process' files below /proc Landlock opens
  /// those alone that any process may read (`hook_ptrace_access_check`, security/landlock, 6.1).
  private static let systemFiles = [
    "/proc", "/sys/devices/system", "/sys/kernel", "/dev/kmsg", "/dev/null", "/usr", "/lib",
    "/lib64", "/etc/ld.so.cache",
  ]

  private static func limitFiles(reading reads: [String], writing writes: [String]) {
    let version = Int(landlock_version())
    guard version > 0 else { return }
    let handled = decided.prefix(version).reduce(0, |)
    let ruleset = landlock_new_ruleset(handled)
    guard ruleset >= 0 else { return }
    defer { close(ruleset) }
    func allow(_ path: String, _ access: UInt64) {
      let place = unsafe open(path, open_path_only | O_CLOEXEC)
      guard place >= 0 else { return }
      defer { close(place) }
      var status = stat()
      guard unsafe fstat(place, &status) == 0 else { return }
      // A rule for what is no folder may name rights of files alone.
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      let ofFiles = read | write | execute | truncate
      _ = landlock_allow_below(ruleset, place, access & handled & (isFolder ? ~0 : ofFiles))
    }
    for path in reads { allow(path, read) }
    for path in systemFiles { allow(path, read | list) }
    allow(environment("TMPDIR") ?? "/tmp", read | write | make | remove | truncate)
    for path in writes { allow(folder(ofOutput: path), write | make | remove | truncate) }
    _ = landlock_restrict(ruleset)
  }

  /// The file that an output replaces: what a link leads to, which stays one; nil where it is written
  /// into, as a pipe or a device is.
  package static func place(ofOutput path: String) -> String? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return path }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    guard let real = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  /// Where an output is made: its folder, or itself where it is a pipe or a device.
  private static func folder(ofOutput path: String) -> String {
    guard let place = place(ofOutput: path) else { return path }
    return place.lastIndex(of: "/").map { String(place[...$0]) } ?? "."
  }

  private static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  // MARK: Calls of the system

  /// The calls that reading, thinking and writing take; docs/security.md says what they are for.
  private static let calls = [
    "access", "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "dup",
    "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "exit", "exit_group",
    "faccessat", "faccessat2", "fcntl", "fstat", "fsync", "ftruncate", "futex", "getcwd",
    "getdents64", "getegid", "geteuid", "getgid", "getpid", "getrandom", "getrlimit", "gettid",
    "gettimeofday", "getuid", "lseek", "lstat", "madvise", "mincore", "mmap", "mprotect", "mremap",
    "munmap", "nanosleep", "newfstatat", "open", "openat", "poll", "pread64", "prlimit64",
    "pwrite64", "read", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2",
    "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_yield", "set_robust_list", "set_tid_address", "setpriority",
    "sigaltstack", "stat", "statx", "sysinfo", "tgkill", "time", "timerfd_create",
    "timerfd_settime", "uname", "unlink", "unlinkat", "write", "writev",
  ]

  /// What a process needs besides that starts others, and what those confine themselves by.
  private static let callsToStartConfined = [
    "capget", "capset", "getppid", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "pipe", "pipe2", "prctl", "seccomp", "wait4",
  ]

  private static func limitCalls(_ mayStartConfined: Bool) {
    guard let filter = unsafe new_filter() else { return }
    defer { unsafe seccomp_release(filter) }
    for name in calls + (mayStartConfined ? callsToStartConfined : []) {
      let call = unsafe seccomp_syscall_resolve_name(name)
      // Not each architecture has all of them.
      if call >= 0 { _ = unsafe allow_call(filter, call) }
    }
    // Threads; processes where they may be started, and none with a view of the system of its own. The
    // newer call hides what it asks for, and the C library has the older.
    _ = unsafe allow_call_with(
      filter, seccomp_syscall_resolve_name("clone"), 0,
      mayStartConfined ? clone_namespaces : clone_thread, mayStartConfined ? 0 : clone_thread)
    _ = unsafe deny_call(filter, seccomp_syscall_resolve_name("clone3"), ENOSYS)
    // Whether a descriptor is a terminal, how wide that is, and a thread's name.
    for request in [TCGETS, TIOCGWINSZ] {
      _ = unsafe allow_call_with(
        filter, seccomp_syscall_resolve_name("ioctl"), 1, ~0, UInt64(request))
    }
    _ = unsafe allow_call_with(
      filter, seccomp_syscall_resolve_name("prctl"), 0, ~0, UInt64(PR_SET_NAME))
    unsafe seccomp_load(filter)
  }
}
