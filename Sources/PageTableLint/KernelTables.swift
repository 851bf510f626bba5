internal import KernelText
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
    public let ranges: [ClosedRange<UInt64>]
    /// The same for the same defect in another boot of the kernel.
    public let fingerprint: String

    /// Severity, rule and message in a line.
    public var description: String { "\(severity): \(rule): \(message)" }
  }

  /// Why an input cannot be read, or tables do not pass.
  public struct Failure: Error, CustomStringConvertible {
    /// The file, what is wrong with it, and what to do; or what was found, a line each.
    public let description: String
  }

  /// Reads an input of any kind that docs/inputs.md lists; its content tells which.
  ///
  /// - Parameters:
  ///   - path: of a file, packed or not.
  ///   - log: a kernel log of the same boot, for a dump that brings none.
  /// - Throws: ``Failure`` that says what is wrong with the file and what to do.
  public init(path: String, log: String? = nil) throws(Failure) {
    do {
      let file = try ImageFile.content(path: path)
      if let memory = try ImageFile.open([file]) {
        subject = Subject(image: try KernelImage(memory))
      } else {
        let text = try file.withBytes { bytes throws(ImageError) in
          guard KernelText.matches(bytes) else {
            throw ImageError(
              path, "neither a memory image nor an x86 page-table dump",
              advice: "docs/inputs.md tells what is read")
          }
          return KernelText.parse(bytes, mode: nil)
        }
        var read = try Subject(text: text, path: path)
        read.problems += file.damage
        subject = read
      }
    } catch {
      throw Failure(description: "\(error)")
    }
    guard let text = log ?? subject.log?.value else { return }
    if let reason = subject.take(log: text, userRelease: nil) {
      guard log == nil else {
        throw Failure(description: "\(path): the log is of another boot: \(reason)")
      }
      subject.problems.append("its own log contradicts it: \(reason)")
    }
  }

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
  /// - Parameter rules: ids or names; all where none are named.
  /// - Throws: ``Failure`` where no rule has such a name.
  public func issues(rules names: [String] = []) throws(Failure) -> [Issue] {
    var rules: [Rule] = []
    for name in names {
      guard let rule = Rule.named(name) else {
        throw Failure(description: "no rule is named \(name); \(Rule.advice(for: name))")
      }
      rules.append(rule)
    }
    return Linter.run(subject, rules: names.isEmpty ? Rule.all : rules).findings.map(Issue.init)
  }

  /// Holds the tables against all rules, as `ptdump-lint check` does.
  ///
  /// - Throws: ``Failure`` that names what was found of warning or above, or that the input was
  ///   not read whole.
  public func assertClean() throws(Failure) {
    let bad = try issues().filter { $0.severity != .note }
    guard bad.isEmpty else {
      throw Failure(description: bad.map(\.description).joined(separator: "\n"))
    }
    guard isComplete else {
      throw Failure(description: "\(subject.path) was not read whole: what was not seen is unknown")
    }
  }
}

extension KernelTables.Issue {
  fileprivate init(_ finding: Finding) {
    rule = finding.rule.id
    severity =
      switch finding.severity {
      case .note: .note
      case .warning: .warning
      case .error: .error
      }
    message = finding.message
    evidence = finding.evidence
    ranges = finding.extents
    fingerprint = finding.fingerprint
  }
}
