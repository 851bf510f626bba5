/// The time that printk puts before a line: `[    5.140900] `.
///
/// Source: `print_time`, kernel/printk/printk.c, 6.12.
enum LogStamp {
  /// - Parameter microseconds: since boot.
  static func text(microseconds: UInt64) -> String {
    let seconds = String(microseconds / 1_000_000)
    let fraction = String(microseconds % 1_000_000)
    return "[" + String(repeating: " ", count: max(0, 5 - seconds.count)) + seconds + "."
      + String(repeating: "0", count: 6 - fraction.count) + fraction + "] "
  }
}
