import Glibc
import Synchronization

/// A line on the terminal for what takes more than half a second; nothing on a pipe.
final class Progress: Sendable {
  private let isTerminal = isatty(2) == 1
  private let start = Progress.now()
  private let shown = Mutex(false)

  private static func now() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  func report(tables: Int) {
    guard isTerminal, Progress.now() - start > 0.5 else { return }
    let line = Array("\r\(tables) tables read".utf8)
    shown.withLock { shown in
      shown = true
      _ = unsafe line.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    }
  }

  func end() {
    guard shown.withLock({ $0 }) else { return }
    complain("\r\u{1b}[K")
  }
}
