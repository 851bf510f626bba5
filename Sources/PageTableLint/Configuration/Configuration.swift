internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What a project says of its kernels: which rules count and how much, what must be mapped how, and
/// what it accepts.
package struct Configuration: Sendable {
  /// The file's name, without the folders above it.
  package static let fileName = ".ptdump-lint.yml"

  package let path: String
  /// By rule id; nil is off.
  package let severities: [String: Severity?]
  package let expectations: [Expectation]
  package let exceptions: [Exception]

  /// Whether a rule is off.
  package func turnsOff(_ rule: Rule) -> Bool {
    severities[rule.id].map { $0 == nil } ?? false
  }

  /// A part of the tables: all of them where nothing is named.
  package struct Place: Sendable, Equatable {
    var area: Area.Kind?
    /// One symbol, up to the next, or from one to the other.
    var symbol: (start: String, end: String?)?
    /// Addresses; distances from the symbol or the area's start where there is one.
    var range: ClosedRange<UInt64>?
    /// A table's name, a process by its own.
    var table: String?

    package static func == (left: Place, right: Place) -> Bool {
      left.text == right.text
    }

    /// As the file names it.
    var text: String {
      [
        area?.name, symbol.map { $0.start + ($0.end.map { "-" + $0 } ?? "") },
        range.map { "\($0.lowerBound.entry)-\(($0.upperBound &+ 1).entry)" },
        table.map { "\($0) table" },
      ].compactMap { $0 }.joined(separator: ", ")
    }
  }

  /// How a place must be mapped.
  package struct Expectation: Sendable {
    let place: Place
    let attributes: [Attribute]
    /// As the kernel's dumps write it.
    let pageSize: String?
    /// Of the mapped bytes, in per cent.
    let largePages: Double?
    let reason: String
    let line: Int
  }

  /// A finding that is accepted.
  package struct Exception: Sendable {
    let rule: String
    let place: Place
    let reason: String
    /// The last day, as `YYYY-MM-DD`.
    let until: String?
    let isExpired: Bool
    let line: Int
  }

  package enum Attribute: String, Sendable, CaseIterable {
    case rw, ro, nx, x, global, user, kernel
    case writeBack = "wb"
    case writeCombining = "wc"
    case uncachedMinus = "uc-"
    case uncached = "uc"
    case writeProtected = "wp"
    case writeThrough = "wt"

    private enum Kind { case write, execute, global, user, memoryType }
    private var kind: Kind {
      switch self {
      case .rw, .ro: .write
      case .nx, .x: .execute
      case .global: .global
      case .user, .kernel: .user
      case .writeBack, .writeCombining, .uncachedMinus, .uncached, .writeProtected, .writeThrough:
        .memoryType
      }
    }

    /// Whether no page can have both.
    func contradicts(_ other: Attribute) -> Bool { self != other && kind == other.kind }

    /// Whether a leaf has it, as upper levels leave it where they are known.
    func holds(_ run: Run, _ mode: TableFormat) -> Bool {
      switch self {
      case .rw: run.access.isWritable
      case .ro: !run.access.isWritable
      case .nx: !run.access.isExecutable
      case .x: run.access.isExecutable
      case .global: mode.isGlobal(run.flags)
      case .user: run.access.isUser
      case .kernel: !run.access.isUser
      case .writeBack, .writeCombining, .uncachedMinus, .uncached, .writeProtected, .writeThrough:
        mode.memoryType(of: run)?.rawValue.lowercased() == rawValue
      }
    }
  }
}

extension Configuration.Place {
  /// Where the place lies in a table; `reason` where that is not known.
  enum Extent {
    case ranges([ClosedRange<UInt64>])
    case unknown(reason: String)
  }

  func extent(in table: Table, of subject: Subject) -> Extent {
    let top = table.space.mode.top
    var base: UInt64 = 0
    if let symbol {
      guard let symbols = subject.symbols else {
        return .unknown(reason: "needs the kernel's symbols: give --symbols")
      }
      guard let start = symbols[symbol.start] else {
        return .unknown(reason: "the kernel has no symbol \(symbol.start)")
      }
      base = start
      if range == nil {
        guard let end = symbol.end.map({ symbols[$0] }) ?? symbols.next(after: start) else {
          return .unknown(reason: "the kernel has no symbol \(symbol.end ?? "behind it")")
        }
        guard start < end else {
          return .unknown(reason: "\(symbol.end ?? "") does not lie behind \(symbol.start)")
        }
        // Tables protect whole pages.
        let inPage = table.space.mode.granule - 1
        return .ranges([(start & ~inPage)...((end - 1) | inPage)])
      }
    } else if let area {
      let areas = table.layout.areas.filter { $0.kind == area }
      guard let first = areas.first else {
        return .unknown(reason: "not known where the area lies: \(area.name)")
      }
      if range == nil {
        // On 32 bits the image lies inside the direct map, and is no part of it.
        let runs = table.layout.runs(area, in: table.space)
        return .ranges(runs.map { $0.start...$0.last })
      }
      base = first.start
    }
    guard let range else { return .ranges([0...top]) }
    guard range.upperBound <= top - min(base, top) else {
      return .unknown(reason: "the range goes beyond the address space")
    }
    return .ranges([(base + range.lowerBound)...(base + range.upperBound)])
  }
}
