internal import KernelImages
internal import MemoryImages
public import PageTables

/// A Linux kernel's own page tables, out of a memory image or a text dump.
///
/// ```swift
/// let tables = try KernelTables(path: "memory.elf")
/// let text = tables.lookup(0xffff_ffff_8100_0000)
/// try tables.assertClean()
/// ```
public struct KernelTables: Sendable {
  private var subject: Subject

  /// What one address has to show.
  public enum Lookup: Sendable, Equatable {
    case mapped(Mapping)
    /// Nothing is mapped there.
    case hole
    /// The input does not tell.
    case unknown
  }

  /// Something that a rule found.
  public struct Issue: Sendable, Equatable, CustomStringConvertible {
    /// How bad it is.
    public enum Severity: String, Sendable { case note, warning, error }

    /// The rule's id (`PT201`), which is never given to another rule.
    public let rule: String
    /// How bad this one is.
    public let severity: Severity
    /// What is wrong, in a line.
    public let message: String
    /// What shows it, a line each.
    public let evidence: [String]
    /// The addresses that it is about, in ascending order; none where it is about the input.
    public let ranges: [AddressRange]
    /// The same for the same defect in another boot of the kernel.
    public let fingerprint: String
    /// The same for the same kind of defect on any machine.
    public let causeKey: String

    /// Severity, rule and message in a line.
    public var description: String { "\(severity): \(rule): \(message)" }
  }

  /// Why an input cannot be read, or tables do not pass.
  public struct Failure: Error, CustomStringConvertible {
    /// What kind of failure it is, as the program's exit statuses distinguish them.
    public enum Code: String, Sendable {
      /// Rules found something of warning or above (1).
      case findings
      /// An option or a rule's name is wrong, or what was asked for is not there (2).
      case usage
      /// The input cannot be read: it is missing, damaged or of no known kind (2).
      case unreadable
      /// The input was read in part (3).
      case incomplete
    }

    /// The kind of failure.
    public let code: Code
    /// The file, what is wrong with it, and what to do; or what was found, a line each.
    public let description: String
  }

  /// What an input may not tell of itself.
  public struct Options: Sendable {
    /// The text of a kernel log of the same boot.
    public var log: String?
    /// Files of symbols: a vmlinux, System.map or kallsyms text.
    public var symbols: [String] = []
    /// The kernel release.
    public var release: String?
    /// The paging mode, by the names of `--mode`.
    public var mode: String?
    /// The table to read, as `--table` takes it.
    public var table = "kernel"
    /// Facts as `--assume` takes them: `pti=on`.
    public var assumptions: [String] = []

    /// All of it as the input tells it.
    public init() {}

    func reader() throws(UsageError) -> InputReader {
      var reader = InputReader()
      if let mode { reader.mode = try InputReader.mode(named: mode) }
      reader.table = try TableChoice(table)
      for text in assumptions { reader.assumptions.append(try Assumption(text)) }
      reader.symbols = symbols
      reader.release = release
      reader.log = log.map { .text($0) }
      return reader
    }
  }

  /// Reads an input of any kind that docs/inputs.md lists; its content tells which.
  ///
  /// - Parameters:
  ///   - path: of a file, packed or not.
  ///   - log: a kernel log of the same boot, for a dump that brings none.
  /// - Throws: ``Failure`` that says what is wrong with the file and what to do.
  public init(path: String, log: String? = nil) throws(Failure) {
    var options = Options()
    options.log = log
    try self.init(paths: [path], options: options)
  }

  /// Reads an input of any kind, or the running kernel, as the program's commands do.
  ///
  /// - Parameters:
  ///   - paths: of one file, or of the parts of a split dump; of none for the running kernel.
  ///   - options: what the input does not tell.
  /// - Throws: ``Failure`` that says what is wrong and what to do.
  public init(paths: [String], options: Options = Options()) throws(Failure) {
    do {
      let reader = try options.reader()
      let inputs = try InputReader.inputs(paths)
      guard inputs.count == 1, let input = inputs.first else {
        throw UsageError("\(paths.joined(separator: ", ")) are \(inputs.count) inputs, not one")
      }
      subject = try reader.read(input)
      try reader.takeLog(&subject)
    } catch {
      throw Failure(code: error is UsageError ? .usage : .unreadable, description: "\(error)")
    }
  }

  /// Why the log that was given is not used: it is of another boot; nil where it is, or none was
  /// given.
  public var logRefusal: String? { subject.logRefusal?.reason }

  /// Whether the input was read whole; where it was not, addresses may be ``Lookup/unknown``.
  public var isComplete: Bool { subject.isComplete }

  /// The release of the kernel, where the input tells it.
  public var release: String? { subject.facts.release?.value }

  /// What is mapped, in ascending order, without the holes.
  public var mappings: [Mapping] {
    subject.kernel.space.runs.compactMap(subject.kernel.space.mapping)
  }

  /// What lies at `address`.
  public func lookup(_ address: UInt64) -> Lookup {
    let space = subject.kernel.space
    guard let run = space.run(at: address), run.kind != .unreadable else { return .unknown }
    return space.mapping(run).map(Lookup.mapped) ?? .hole
  }

  /// The address of a symbol, as far as the input tells symbols.
  public func address(of symbol: String) -> UInt64? { subject.symbols?[symbol] }

  /// What the rules find, the worst first.
  ///
  /// - Parameter rules: ids, names or families; all where none are named.
  /// - Throws: ``Failure`` where no rule has such a name.
  public func issues(rules names: [String] = []) throws(Failure) -> [Issue] {
    do {
      let rules = try RuleChoice.rules(only: names, skip: [])
      return Linter.run(subject, rules: rules).findings.map {
        Issue($0, subject.mode)
      }
    } catch {
      throw Failure(code: .usage, description: "\(error)")
    }
  }

  /// Holds the tables against all rules, as `ptdump-lint check` does.
  ///
  /// - Throws: ``Failure`` that names what was found of warning or above, or that the input was
  ///   not read whole.
  public func assertClean() throws(Failure) {
    let bad = try issues().filter { $0.severity != .note }
    guard bad.isEmpty else {
      throw Failure(
        code: .findings, description: bad.map(\.description).joined(separator: "\n"))
    }
    guard isComplete else {
      throw Failure(
        code: .incomplete,
        description: "\(subject.path) was not read whole: what was not seen is unknown")
    }
  }
}

extension KernelTables.Issue {
  fileprivate init(_ finding: Judged, _ mode: TableFormat) {
    rule = finding.rule.id
    severity =
      switch finding.severity {
      case .note: .note
      case .warning: .warning
      case .error: .error
      }
    message = finding.message
    evidence = finding.evidence.map { $0.text(mode) }
    ranges = finding.extents.map(AddressRange.init)
    fingerprint = finding.fingerprint
    causeKey = finding.causeKey
  }
}
