import Foundation
import Glibc

/// A command that has ended.
struct Command {
  let seconds: Double
  /// Seconds of the processor.
  let processorSeconds: Double
  /// The most memory it had at a time, in bytes, the pages of mapped files among it.
  let peakMemory: Int
  let output: String

  struct Failure: Error, CustomStringConvertible { let description: String }

  /// Runs a command to its end.
  ///
  /// - Parameter keepsOutput: whether its standard output is kept, too: this process grows with it.
  /// - Throws: `Failure` where it cannot be started, or ends with another status than `statuses`.
  init(_ words: [String], statuses: Set<Int32> = [0], keepsOutput: Bool = true) throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure(description: "no pipe") }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: Int32 in [1, 2] {
      posix_spawn_file_actions_adddup2(&actions, ends[1], descriptor)
    }
    if !keepsOutput { posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) }
    posix_spawn_file_actions_addclose(&actions, ends[0])
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let start = now()
    guard posix_spawnp(&process, words[0], &actions, nil, &arguments, environ) == 0 else {
      throw Failure(description: "\(words[0]) cannot be started")
    }
    close(ends[1])
    let file = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
    let all = try file.readToEnd() ?? Data()
    var status: Int32 = 0
    var usage = rusage()
    wait4(process, &status, 0, &usage)
    seconds = now() - start
    processorSeconds = [usage.ru_utime, usage.ru_stime].reduce(0) {
      $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
    }
    peakMemory = usage.ru_maxrss * 1024
    output = String(decoding: all, as: UTF8.self)
    guard status & 0x7f == 0, statuses.contains(status >> 8 & 0xff) else {
      throw Failure(description: "\(words.joined(separator: " ")): \(output.prefix(300))")
    }
  }

  /// The number of seconds that stands in the output, the last before ` s`.
  var told: Double? {
    output.matches(of: /([0-9.]+(?:e-[0-9]+)?) s\b/).last.flatMap { Double($0.output.1) }
  }
}

/// Seconds of a clock that only goes forward.
func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The seconds that `body` takes.
func timed(_ body: () throws -> Void) rethrows -> Double {
  let start = now()
  try body()
  return now() - start
}
