internal import CConfinement
import Glibc

/// A process of its own for one hostile input: it hands over bytes, and nothing else comes back.
package enum ConfinedProcess {
  /// How it ended.
  package enum Ending: Sendable, Equatable {
    case bytes([UInt8])
    /// By a signal: 11 where it read what is not its own.
    case signal(Int32)
    /// By itself, with nothing handed over.
    case status(Int32)
    /// It handed over more than was agreed.
    case tooMuch
    /// It could not be started: an `errno`.
    case notStarted(Int32)
  }

  /// Runs something in a copy of this process, which must have no other threads by then.
  ///
  /// It ends when this one does. Standard error is the same for both.
  ///
  /// - Parameters:
  ///   - most: the bytes that it may hand over.
  ///   - confine: what it does first, with its only thread.
  ///   - body: what it does then, with a thread that inherits what the first one gave up.
  package static func run(most: Int, confine: () -> Void, _ body: () -> [UInt8]) -> Ending {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { return .notStarted(errno) }
    let parent = getpid()
    let child = fork_process()
    guard child >= 0 else {
      let code = errno
      for end in ends { close(end) }
      return .notStarted(code)
    }
    if child == 0 {
      close(ends[0])
      guard end_with_parent() == 0, getppid() == parent else { _exit(2) }
      confine()
      let bytes = withoutActuallyEscaping(body) { withNewThread($0) }
      _exit(bytes.map { writeWhole($0, to: ends[1]) == nil } == true ? 0 : 2)
    }
    close(ends[1])
    let bytes = read(from: ends[0], most: most)
    close(ends[0])
    if bytes == nil { kill(child, SIGKILL) }
    var status: Int32 = 0
    // A thread that asked to be traced is this process's to wait for, too.
    while true {
      let ended = unsafe waitpid(-1, &status, Int32(bitPattern: UInt32(__WALL)))
      if ended == child || ended < 0 && errno != EINTR { break }
    }
    guard let bytes else { return .tooMuch }
    // Source: WTERMSIG and WEXITSTATUS, wait(2).
    if status & 0x7f != 0 { return .signal(status & 0x7f) }
    return status == 0 ? .bytes(bytes) : .status(status >> 8 & 0xff)
  }

  private final class Job {
    let body: () -> [UInt8]
    var bytes: [UInt8] = []

    init(_ body: @escaping () -> [UInt8]) { self.body = body }
  }

  /// Runs something in a new thread to its end; nil where none can be started.
  ///
  /// The first thread is a copy of the parent's, and Swift still takes it for that: a lock of its
  /// runtime that two threads want at once would never open. Source: `ulock_get_tid`,
  /// stdlib/include/swift/Threading/Impl/Linux/ulock.h, Swift 6.3.
  private static func withNewThread(_ body: @escaping () -> [UInt8]) -> [UInt8]? {
    let job = Job(body)
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { context in
        guard let context = unsafe context else { return nil }
        let job = unsafe Unmanaged<Job>.fromOpaque(context).takeUnretainedValue()
        job.bytes = job.body()
        return nil
      }, Unmanaged.passUnretained(job).toOpaque())
    guard code == 0, pthread_join(thread, nil) == 0 else { return nil }
    return job.bytes
  }

  /// All that comes; nil where it is more than `most`.
  private static func read(from descriptor: Int32, most: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe part.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return bytes }
      guard bytes.count + count <= most else { return nil }
      bytes += part[..<count]
    }
  }
}
