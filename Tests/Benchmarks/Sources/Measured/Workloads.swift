import Dispatch
@testable import KernelImages
@testable import KernelText
@testable import MemoryImages
@testable import PageTableLint
@testable import PageTables

/// An image that is open, for what is measured inside one process.
public struct OpenImage: Sendable {
  private let image: KernelImage

  /// Opens a file that `SyntheticImage` wrote, in any format.
  public init(path: String) throws {
    image = try KernelImage(ImageFile.open(path: path))
  }

  /// Walks all tables and keeps the runs.
  ///
  /// - Returns: how many tables were read, and how many runs they make.
  @discardableResult public func walk(inParallel: Bool) -> (tables: Int, runs: Int) {
    let space = Walker.walk(
      root: image.root, mode: image.mode, memory: image.memory, inParallel: inParallel)
    return (space.tablesRead, space.runs.count)
  }

  /// Walks the user halves below several roots, as `--table all` does.
  ///
  /// - Parameter isTold: whether the image is told which are read next.
  public func walkUserHalves(_ roots: [UInt64], isTold: Bool = true) {
    let processes = roots.map { KernelProcess(pid: 1, name: "made", root: $0) }
    for start in stride(from: 0, to: roots.count, by: Subject.walkedTogether) {
      let part = processes[start...].prefix(Subject.walkedTogether)
      if isTold { image.willRead(part) }
      DispatchQueue.concurrentPerform(iterations: part.count) { index in
        _ = image.space(root: part[start + index].root, userHalfOnly: true)
      }
    }
  }

  /// The image and its tables, ready for rules.
  public func judged() -> JudgedTables { JudgedTables(subject: Subject(image: image)) }

  /// The text that a kernel would print of these tables.
  public var text: [UInt8] {
    KernelText(showing: image.space(), markers: [], dialect: KernelText.Dialect()).bytes
  }
}

/// Tables that were read, for the rules alone.
public struct JudgedTables: Sendable {
  let subject: Subject

  /// The rules' ids.
  public static var rules: [String] { Rule.all.map(\.id) }

  /// Runs all rules, or one.
  ///
  /// - Returns: the number of findings.
  @discardableResult public func lint(_ rule: String? = nil) -> Int {
    let rules = rule.flatMap(Rule.named).map { [$0] } ?? Rule.all
    return Linter.run(subject, rules: rules).findings.count
  }
}

/// Findings of a damaged image: half of them only because tables lie in free memory.
public struct ManyFindings: Sendable {
  private let findings: [Finding]

  /// Makes so many.
  public init(_ count: Int) {
    let table = Table(
      id: .kernel, space: AddressSpace(mode: .x86_64, runs: []), layout: Layout(areas: []),
      root: nil)
    findings = [Rule.tableInFreeMemory, .writableExecutable].flatMap { rule in
      (0..<(count / 2)).map { index in
        let start = 0xffff_8880_0000_0000 + UInt64(index) << 21
        let run = Run(start: start, last: start + 0xfff, kind: .leaf, level: 1)
        return Finding(rule, "made for a measurement", in: table, runs: [run], help: "")
      }
    }
  }

  /// Tells causes from consequences.
  ///
  /// - Returns: how many findings are left.
  @discardableResult public func settle() -> Int { findings.withoutConsequences.count }
}

/// Parses a text dump.
///
/// - Returns: the number of lines that map something or nothing.
@discardableResult public func parse(_ text: [UInt8]) -> Int {
  KernelText.parse(text.span).space.runs.count
}
