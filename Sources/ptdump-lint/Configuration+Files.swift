import Glibc
import MemoryImages
import PageTableLint

extension Configuration {
  /// The configuration at a path, else the next one from the working directory upward; nil where
  /// there is none.
  ///
  /// - Throws: `ImageError` where it cannot be read, or says what is not known.
  static func find(_ path: String?) throws -> Configuration? {
    guard let path = self.path(path) else { return nil }
    let yaml = try InputReader.text(of: path, limit: limit)
    return try Configuration(yaml: yaml, path: path, today: today)
  }

  /// Where the configuration is: at `path`, else the next one.
  static func path(_ path: String?) -> String? { path ?? next() }

  /// A file that is found from here upward may be anybody's.
  private static let limit = 1 << 20

  private static func next() -> String? {
    guard let start = unsafe realpath(".", nil) else { return nil }
    defer { unsafe free(start) }
    var folder = unsafe String(cString: start)
    while true {
      let path = folder == "/" ? "/\(fileName)" : "\(folder)/\(fileName)"
      if unsafe access(path, F_OK) == 0 { return path }
      guard folder != "/", let slash = folder.lastIndex(of: "/") else { return nil }
      folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
    }
  }

  /// The day by UTC, as `YYYY-MM-DD`.
  private static var today: String {
    var now = time(nil)
    var parts = unsafe tm()
    unsafe gmtime_r(&now, &parts)
    func digits(_ number: Int32, _ count: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return unsafe digits(parts.tm_year + 1900, 4) + "-" + digits(parts.tm_mon + 1, 2) + "-"
      + digits(parts.tm_mday, 2)
  }
}
