internal import KernelImages
package import PageTables

/// What `--filter` takes: an expression over the attributes of a mapping.
///
///     expression = conjunction { "|" conjunction }
///     conjunction = factor { "&" factor }
///     factor = "!" factor | "(" expression ")" | attribute | comparison
///     comparison = ("size" | "area" | "level" | "flag" | "physical" | "address") operator value
///
/// Holes match nothing but `hole` and what negates.
package struct MappingFilter: Sendable, Equatable {
  indirect enum Node: Sendable, Equatable {
    case either(Node, Node)
    case both(Node, Node)
    case not(Node)
    case attribute(Attribute)
    case flag(String)
    case number(Quantity, Comparison, UInt64)
    case area(String, isEqual: Bool)
    case level(String, isEqual: Bool)
  }

  enum Attribute: String, Sendable, CaseIterable {
    case writable = "w"
    case executable = "x"
    case user, global, present, leaf, hole

    static let synonyms: [String: (Attribute, isNegated: Bool)] = [
      "write": (.writable, false), "rw": (.writable, false), "ro": (.writable, true),
      "execute": (.executable, false), "nx": (.executable, true), "u": (.user, false),
      "kernel": (.user, true),
    ]
  }

  enum Quantity: String, Sendable, CaseIterable { case size, address, physical, pagesize }

  enum Comparison: String, Sendable, CaseIterable {
    case atLeast = ">="
    case atMost = "<="
    case notEqual = "!="
    case equal = "="
    case more = ">"
    case less = "<"

    func holds(_ left: UInt64, _ right: UInt64) -> Bool {
      switch self {
      case .atLeast: left >= right
      case .atMost: left <= right
      case .notEqual: left != right
      case .equal: left == right
      case .more: left > right
      case .less: left < right
      }
    }
  }

  /// As it was given.
  package let text: String
  let node: Node

  /// - Throws: ``UsageError`` that names the place.
  package init(_ text: String) throws(UsageError) {
    self.text = text
    var parser = FilterParser(text)
    node = try parser.whole()
  }

  /// The runs of a table that match, in address order.
  package func runs(of table: Table) -> [Run] {
    var matching: [Run] = []
    var stretch: (area: Area, last: UInt64)?
    for run in table.space.runs {
      if stretch.map({ run.start > $0.last }) ?? true {
        stretch = table.layout.stretch(at: run.start)
      }
      guard let area = stretch?.area else { continue }
      if holds(node, run, area.name, table.space.mode) { matching.append(run) }
    }
    return matching
  }

  private func holds(_ node: Node, _ run: Run, _ area: String, _ mode: TableFormat) -> Bool {
    switch node {
    case .either(let left, let right):
      return holds(left, run, area, mode) || holds(right, run, area, mode)
    case .both(let left, let right):
      return holds(left, run, area, mode) && holds(right, run, area, mode)
    case .not(let inner): return !holds(inner, run, area, mode)
    case .attribute(let attribute): return attribute.holds(run, mode)
    case .flag(let name):
      return run.kind != .hole
        && mode.names(run.flags, level: Int(run.level)).contains { $0.lowercased() == name }
    case .number(let quantity, let comparison, let value):
      return quantity.value(of: run, mode).map { comparison.holds($0, value) } ?? false
    case .area(let name, let isEqual): return (area.lowercased() == name) == isEqual
    case .level(let name, let isEqual):
      return (mode.level(Int(max(1, run.level))).name == name) == isEqual
    }
  }
}

extension MappingFilter.Attribute {
  fileprivate func holds(_ run: Run, _ mode: TableFormat) -> Bool {
    switch self {
    case .writable: run.isLeaf && run.access.isWritable
    case .executable: run.isLeaf && run.access.isExecutable
    case .user: run.isLeaf && run.access.isUser
    case .global: run.isLeaf && mode.isGlobal(run.flags)
    case .present, .leaf: run.isLeaf
    case .hole: run.kind == .hole
    }
  }
}

extension MappingFilter.Quantity {
  fileprivate func value(of run: Run, _ mode: TableFormat) -> UInt64? {
    switch self {
    case .size: run.size
    case .pagesize: run.isLeaf ? mode.span(of: run) : nil
    case .address: run.start
    case .physical: run.physical
    }
  }
}
