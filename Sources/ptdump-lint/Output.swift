import ArgumentParser
import Glibc
import MemoryImages
import PageTableLint

/// The formats of a report that has few.
enum PlainFormat: String, CaseIterable { case text, json }

/// Where a report goes and in which format: `NAME`, or `NAME=PATH`.
struct ReportTarget<Format: CaseIterable & RawRepresentable<String>>: ExpressibleByArgument {
  let format: Format
  /// Nil for standard output.
  let path: String?

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard let name = parts.first, let format = Format(rawValue: name),
      parts.count == (argument.contains("=") ? 2 : 1)
    else { return nil }
    self.format = format
    path = parts.count == 2 ? parts[1] : nil
  }

  static var allValueStrings: [String] { Format.allCases.map(\.rawValue) }
}

enum Color: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

/// What the commands that report share.
struct ReportOptions<Format: CaseIterable & RawRepresentable<String>>: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The report's format, and =PATH for a file; repeatable.", valueName: "name[=path]"))
  var format: [ReportTarget<Format>] = []

  @Option(help: "Colour in text: auto, always or never; NO_COLOR turns auto off.")
  var color = Color.auto

  func validate() throws {
    let places = format.map { $0.path.map(spelling) ?? "-" }
    guard Set(places).count == places.count else {
      throw ValidationError(
        "two reports go to one place: give all --format but one a =PATH, and no PATH twice")
    }
  }

  /// Writes the report that `make` gives for each format to where it belongs.
  func write(_ make: (Format, _ style: TextStyle) throws -> String) throws {
    let targets =
      format.isEmpty ? [ReportTarget<Format>(argument: "text")].compactMap { $0 } : format
    for target in targets {
      let text = try make(target.format, style(for: target))
      if let path = target.path {
        try writeFile(path, Array(text.utf8))
      } else {
        print(text, terminator: "")
      }
    }
  }

  /// Source: no-color.org: set and not empty.
  private static var noColor: Bool {
    unsafe getenv("NO_COLOR").map { unsafe $0.pointee != 0 } ?? false
  }

  private func style(for target: ReportTarget<Format>) -> TextStyle {
    switch color {
    case .always: TextStyle(color: true)
    case .never: TextStyle(color: false)
    case .auto: TextStyle(color: target.path == nil && isatty(1) == 1 && !Self.noColor)
    }
  }
}

/// A path in one spelling; standard output's is `-`.
private func spelling(_ path: String) -> String {
  if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(path) { return "-" }
  let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
  let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
  for (whole, rest) in [(path, ""), (folder, "/\(name)")] {
    if let real = unsafe realpath(whole, nil) {
      defer { unsafe free(real) }
      return unsafe String(cString: real) + rest
    }
  }
  return path
}

/// Writes a line to standard error.
func complain(_ text: String) {
  let line = Array((text + "\n").utf8)
  _ = unsafe line.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
}

/// Writes a whole file.
///
/// - Throws: `ImageError` where it cannot be written.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
  let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else {
    throw ImageError(path, "cannot be written", advice: "check the folder's permissions")
  }
  defer { close(descriptor) }
  try write(bytes, to: descriptor, name: path)
}

/// Writes bytes to standard output, which may be no text.
///
/// - Throws: `ImageError` where writing fails.
func writeOut(_ bytes: [UInt8]) throws { try write(bytes, to: 1, name: "standard output") }

private func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws {
  var at = 0
  while at < bytes.count {
    let written = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: at), $0.count - at)
    }
    guard written > 0 else {
      throw ImageError(name, "writing failed", advice: "is the disk full?")
    }
    at += written
  }
}
