import Confinement
import ArgumentParser
import Glibc
import MemoryImages
import PageTableLint
import PageTables
import Synchronization

/// The formats of a report that has few.
enum PlainFormat: String, CaseIterable { case text, json }

/// The formats of a report that is a page, too.
enum PageFormat: String, CaseIterable { case text, json, html }

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

  @Flag(
    help: "Keep all rights while hostile inputs are read: where giving them up does not work.")
  var noConfinement = false

  /// The files that reports go into.
  var writes: [String] { format.compactMap(\.path) }

  func validate() throws {
    let places = format.map { $0.path.map(spelling) ?? "-" }
    guard Set(places).count == places.count else {
      throw ValidationError(
        "two reports go to one place: give all --format but one a =PATH, and no PATH twice")
    }
  }

  /// Where a report is written piece by piece: a path's file, or standard output.
  func open(_ path: String?) throws -> ReportOutput { try ReportOutput(path) }

  /// Writes the report that `make` gives for each format, or each of some, to where it belongs.
  func write(
    where isWanted: (Format) -> Bool = { _ in true },
    _ make: (Format, _ style: TextStyle) throws -> String
  ) throws {
    let targets =
      format.isEmpty ? [ReportTarget<Format>(argument: "text")].compactMap { $0 } : format
    for target in targets where isWanted(target.format) {
      let style = style(path: target.path)
      let text = shown(try make(target.format, style), target.format, style)
      if let path = target.path {
        try writeFile(path, Array(text.utf8))
      } else {
        try writeOut(Array(text.utf8))
      }
    }
  }

  /// GitHub's format is commands, and escapes what it quotes itself.
  private func shown(_ text: String, _ format: Format, _ style: TextStyle) -> String {
    switch format.rawValue {
    case "github": text
    case "json", "jsonl", "sarif", "gitlab": text.harmlessJSON
    case "text": style.fitted(text.harmless(keepingColor: style.color))
    default: text.harmless(keepingColor: style.color)
    }
  }

  /// Source: no-color.org: set and not empty.
  private static var noColor: Bool {
    unsafe getenv("NO_COLOR").map { unsafe $0.pointee != 0 } ?? false
  }

  /// How a text looks that goes to a path, or to standard output.
  func style(path: String?) -> TextStyle {
    let width = path == nil ? terminalWidth(of: 1) : nil
    let isColored =
      switch color {
      case .always: true
      case .never: false
      case .auto: width != nil && !Self.noColor
      }
    return TextStyle(color: isColored, width: width)
  }
}

/// The columns of the terminal that standard output (1) or error (2) is; nil where it is none.
private func terminalWidth(of descriptor: Int32) -> Int? {
  guard isatty(descriptor) == 1 else { return nil }
  var size = winsize()
  let isKnown = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col >= 20
  return isKnown ? Int(size.ws_col) : 80
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

/// A report that is written piece by piece.
struct ReportOutput {
  private let file: OutputFile?

  /// - Parameter path: nil for standard output.
  init(_ path: String?) throws { file = try path.map { try OutputFile($0) } }

  func write(_ bytes: [UInt8]) throws {
    if let file { try file.write(bytes) } else { try writeOut(bytes) }
  }

  /// Puts the file where it belongs.
  func finish() throws { try file?.finish() }
}

/// Writes a line to standard error.
func complain(_ text: String) {
  Progress.shared.end()
  let style = TextStyle(color: false, width: terminalWidth(of: 2))
  let line = Array((style.fitted(text.harmless()) + "\n").utf8)
  _ = unsafe line.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
}

/// Writes a whole file, or nothing where writing fails.
///
/// - Throws: `ImageError` where it cannot be written.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
  let file = try OutputFile(path)
  try file.write(bytes)
  try file.finish()
}

/// The inputs of this run, which no output may replace.
enum ProtectedFiles {
  private static let paths = Mutex<Set<String>>([])

  static func add(_ more: [String]) { paths.withLock { $0.formUnion(more) } }

  /// Who may read what is made of them: those who may read all of them, and the owner.
  static var mode: mode_t {
    paths.withLock { $0 }.reduce(0o644) { mode, path in
      var file = stat()
      guard unsafe stat(path, &file) == 0, file.st_mode & S_IFMT == S_IFREG else { return mode }
      return mode & (file.st_mode | 0o600)
    }
  }

  static func contain(_ file: stat) -> Bool {
    paths.withLock { $0 }.contains { path in
      var other = stat()
      return unsafe stat(path, &other) == 0 && other.st_dev == file.st_dev
        && other.st_ino == file.st_ino
    }
  }
}

/// A file that is written beside its place and renamed at the end: what was there stays whole.
final class OutputFile {
  private let path: String
  private let descriptor: Int32
  /// Beside the place; nil where that is a pipe or a device.
  private let temporary: String?
  private var isFinished = false

  init(_ path: String) throws {
    self.path = path
    var status = stat()
    let isThere = unsafe stat(path, &status) == 0
    if isThere, ProtectedFiles.contain(status) {
      throw ImageError(
        path, "is an input, which no output may replace", advice: "name another file")
    }
    let place = Confinement.place(ofOutput: path)
    temporary = place.map { "\($0).\(getpid()).part" }
    target = place ?? path
    let mode = ProtectedFiles.mode & (isThere ? status.st_mode | 0o600 : 0o644)
    // What a run that was killed left there, or somebody's link.
    if let temporary { unsafe unlink(temporary) }
    descriptor =
      unsafe open(
        temporary ?? path,
        O_WRONLY | O_CLOEXEC | (place == nil ? 0 : O_CREAT | O_EXCL | O_NOFOLLOW), mode)
    guard descriptor >= 0 else {
      throw ImageError(path, "cannot be written", advice: "check the folder's permissions")
    }
  }

  private let target: String

  deinit {
    close(descriptor)
    if !isFinished, let temporary { unsafe unlink(temporary) }
  }

  func write(_ bytes: [UInt8]) throws {
    try writeAll(bytes, to: descriptor, name: path)
  }

  func finish() throws {
    if let temporary {
      // A full disk or a quota may show no sooner.
      guard fsync(descriptor) == 0, unsafe rename(temporary, target) == 0 else {
        throw ImageError(path, "cannot be written", advice: "check the folder's permissions")
      }
    }
    isFinished = true
  }
}

/// Writes bytes to standard output, which may be no text.
///
/// - Throws: `ImageError` where writing fails.
func writeOut(_ bytes: [UInt8]) throws { try writeAll(bytes, to: 1, name: "standard output") }

func writeAll(_ bytes: [UInt8], to descriptor: Int32, name: String) throws {
  Progress.shared.end()
  if let code = writeWhole(bytes, to: descriptor) {
    throw ImageError(
      name, "writing failed", advice: "is the disk full?", cause: ImageError.Cause(code))
  }
}
