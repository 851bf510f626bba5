import Dispatch
import Glibc
import Synchronization

/// A line on the terminal for what takes more than half a second; nothing on a pipe.
///
/// It lasts until the command has something to say: while inputs are unpacked, opened, walked and judged.
final class Progress: Sendable {
  static let shared = Progress()

  private let tables = Mutex(0)
  private let line = Mutex(Line())

  private struct Line {
    var timer: (any DispatchSourceTimer)?
    var isShown = false
  }

  /// Starts to count the time.
  func start() {
    guard isatty(2) == 1 else { return }
    let start = DispatchTime.now()
    line.withLock { line in
      let timer = DispatchSource.makeTimerSource(queue: .global(qos: .userInteractive))
      timer.schedule(deadline: start + 0.5, repeating: 0.25)
      timer.setEventHandler { [self] in show(since: start) }
      timer.activate()
      line.timer = timer
    }
  }

  /// Says how many tables were read up to now.
  func report(tables count: Int) { tables.withLock { $0 = count } }

  /// Takes the line away.
  func end() {
    line.withLock { line in
      line.timer?.cancel()
      line.timer = nil
      if line.isShown { Self.write("\r\u{1b}[K") }
      line.isShown = false
    }
  }

  private func show(since start: DispatchTime) {
    let passed = DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds
    let seconds = passed / 1_000_000_000 + 1
    let count = tables.withLock { $0 }
    let what = count == 0 ? "reading" : "\(count) tables read"
    line.withLock { line in
      guard line.timer != nil else { return }
      line.isShown = true
      Self.write("\r\(what), \(seconds) s")
    }
  }

  private static func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
  }
}
