import Foundation
import KernelText
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support

/// The inputs of samples/rules; its README says what they are.
enum Fixtures {
  static let folder = Samples.root.appending(path: "samples/rules")

  /// The day of the configurations.
  static let today = "2026-02-01"

  /// Reads `fires` or `silent` of a rule, with the log and the configuration beside it if
  /// there are; or a log alone.
  static func subject(_ rule: String, _ name: String) throws -> Subject {
    if !has(rule, "\(name).txt"), !has(rule, "\(name).tables") {
      return Subject(log: LogReports(try text(rule, "\(name).log")), path: "log")
    }
    var subject =
      has(rule, "\(name).txt")
      ? try subject(dump: text(rule, "\(name).txt"))
      : try Fixtures.subject(tables: try DeclaredTables(text(rule, "\(name).tables")))
    if has(rule, "\(name).log"),
      let reason = subject.take(log: try text(rule, "\(name).log"), userRelease: nil)
    {
      throw DeclaredTables.Failure("\(rule)/\(name).log is refused: \(reason)")
    }
    if has(rule, "\(name).yml") {
      subject.configuration = try Configuration(
        yaml: text(rule, "\(name).yml"), path: "\(name).yml", today: today)
    }
    return subject
  }

  static func subject(dump: String) throws -> Subject {
    try Subject(text: KernelText.parse(Array(dump.utf8).span), path: "dump")
  }

  static func subject(tables: DeclaredTables) throws -> Subject {
    try Samples.withTemporaryFile { path in
      try tables.image.write(to: path)
      var subject = Subject(
        image: try KernelImage(ImageFile.open(path: path), symbols: tables.symbols),
        roots: tables.twins.map { [(id: .kernel, address: $0), (id: .user, address: $1)] })
      tables.state(in: &subject.facts)
      if let pages = tables.vmallocPages { subject.vmallocPages = { pages } }
      if !tables.resources.isEmpty { subject.resources = Fact(tables.resources, "declared") }
      subject.add(tables.processes)
      return subject
    }
  }

  static func text(_ rule: String, _ file: String) throws -> String {
    String(decoding: try Data(contentsOf: folder.appending(path: "\(rule)/\(file)")), as: UTF8.self)
  }

  private static func has(_ rule: String, _ file: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: "\(rule)/\(file)").path)
  }
}
