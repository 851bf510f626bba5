internal import PageTables

/// What occurs somewhere in a stretch of addresses: a set, so that stretches may be put together and
/// no fact is averaged away.
struct CellFacts: OptionSet, Hashable {
  let rawValue: UInt32

  init(rawValue: UInt32) { self.rawValue = rawValue }
  private init(bit: Int) { rawValue = 1 << UInt32(bit) }

  static let small = Self(bit: 0)
  static let large = Self(bit: 1)
  static let huge = Self(bit: 2)
  /// A large page's place that small pages fill, and one large page would do.
  static let splitAlike = Self(bit: 3)
  /// The same where the small pages differ.
  static let splitDiffers = Self(bit: 4)
  static let writableExecutable = Self(bit: 5)
  static let userExecutable = Self(bit: 6)
  static let user = Self(bit: 7)
  static let executable = Self(bit: 8)
  static let readOnly = Self(bit: 9)
  static let writable = Self(bit: 10)
  static let global = Self(bit: 11)
  static let notGlobal = Self(bit: 12)
  static let writeBack = Self(bit: 13)
  static let writeCombining = Self(bit: 14)
  static let uncached = Self(bit: 15)
  static let otherType = Self(bit: 16)
  static let unreadable = Self(bit: 17)
  /// An address that the self-test failed on.
  static let failed = Self(bit: 18)
  /// The entry stands in a table of the kernel image.
  static let imageTable = Self(bit: 19)
  /// The entry stands in any other table.
  static let otherTable = Self(bit: 20)

  static let mapped: Self = [.small, .large, .huge]

  /// What a run shows wherever it reaches.
  init(_ run: Run, _ mode: TableFormat) {
    guard run.isLeaf else {
      self = run.kind == .unreadable ? .unreadable : []
      return
    }
    self = run.level <= 1 ? .small : run.level == 2 ? .large : .huge
    insert(Self.protection(run.access))
    if mode.attributes.contains(where: \.isGlobal) {
      insert(mode.isGlobal(run.flags) ? .global : .notGlobal)
    }
    switch mode.memoryType(of: run) {
    case .writeBack: insert(.writeBack)
    case .writeCombining: insert(.writeCombining)
    case .uncached, .uncachedMinus: insert(.uncached)
    case .writeProtected, .writeThrough: insert(.otherType)
    case nil: break
    }
  }

  private static func protection(_ access: Access) -> Self {
    switch (access.isWritable, access.isExecutable, access.isUser) {
    case (true, true, _): .writableExecutable
    case (_, true, true): .userExecutable
    case (_, _, true): .user
    case (false, true, false): .executable
    case (false, false, false): .readOnly
    case (true, false, false): .writable
    }
  }

  /// What is said of each fact, by its bit.
  static func words(_ mode: TableFormat) -> [String] {
    func page(_ level: Int) -> String {
      level <= mode.levels.count ? "\(mode.level(level).span.size) pages" : ""
    }
    return [
      page(1), page(2), page(3), "split without need: the entries are alike",
      "split: the entries differ", "writable and executable", "user, executable", "user",
      "executable, read-only", "read-only", "writable", "global", "not global", "write-back",
      "write-combining", "uncached", "write-protected or write-through", "not readable",
      "an address that the self-test failed on", "in a table of the kernel image",
      "in a table that was allocated",
    ]
  }
}

/// One way to colour cells: its classes, the gravest first.
struct CellLayer: Sendable {
  struct Class: Sendable {
    let fact: CellFacts
    /// The name of its colour in the page's style.
    let style: String
    /// Whether it has a hatch, too, so that colour is not the only sign.
    var isHatched = false
    /// Whether its colour is near that of the page; all others contrast with it, and not among
    /// themselves.
    var isPale = false
  }
  let name: String
  let title: String
  let classes: [Class]

  /// The class of a cell: the gravest that occurs in it; nil for none.
  func index(of facts: CellFacts) -> Int? {
    classes.firstIndex { facts.contains($0.fact) }
  }

  static let size = CellLayer(
    name: "size", title: "Page size",
    classes: [
      Class(fact: .splitDiffers, style: "sd"),
      Class(fact: .splitAlike, style: "sa", isHatched: true), Class(fact: .small, style: "p4"),
      Class(fact: .huge, style: "p1"), Class(fact: .large, style: "p2", isPale: true),
      Class(fact: .unreadable, style: "un"),
    ])
  static let protection = CellLayer(
    name: "perm", title: "Protection",
    classes: [
      Class(fact: .writableExecutable, style: "wx", isHatched: true),
      Class(fact: .userExecutable, style: "ux"), Class(fact: .user, style: "us"),
      Class(fact: .executable, style: "x"), Class(fact: .readOnly, style: "ro"),
      Class(fact: .writable, style: "rw", isPale: true), Class(fact: .unreadable, style: "un"),
    ])
  static let global = CellLayer(
    name: "glob", title: "Global bit",
    classes: [
      Class(fact: .notGlobal, style: "g0"), Class(fact: .global, style: "g1", isPale: true),
      Class(fact: .unreadable, style: "un"),
    ])
  static let memory = CellLayer(
    name: "mem", title: "Memory type",
    classes: [
      Class(fact: .uncached, style: "uc"), Class(fact: .writeCombining, style: "wc"),
      Class(fact: .otherType, style: "us"), Class(fact: .writeBack, style: "wb", isPale: true),
      Class(fact: .unreadable, style: "un"),
    ])
  static let owner = CellLayer(
    name: "own", title: "Whose table",
    classes: [
      Class(fact: .imageTable, style: "p1"), Class(fact: .otherTable, style: "p2", isPale: true),
    ])
  static let all = [size, protection, global, memory, owner]
}
