internal import KernelImages
internal import PageTables

/// What has the same name in two builds of the kernel, whose distances say nothing.
extension Comparison {
  /// The name of the area in changes: it is no stretch of addresses that both share.
  private static let area = "kernel image, by symbols"

  /// A symbol that both have, and what maps it.
  private struct Pair {
    let old, new: UInt64
    let was, now: State
  }

  mutating func compareSymbols(_ old: Table, _ new: Table) {
    let (its, others) = (symbols(of: self.old, old), symbols(of: self.new, new))
    guard !its.isEmpty, !others.isEmpty else {
      notCompared.append(
        Difference.NotCompared(
          what: Area.Kind.image.name,
          reason: "the inputs are of different builds, and one of them tells no symbols"))
      return
    }
    notCompared.append(
      Difference.NotCompared(
        what: "the kernel image's page sizes, its frames, and places without a symbol",
        reason: "the inputs are of different builds: compared by symbols"))
    var pairs: [Pair] = []
    for (name, address) in its.sorted(by: { $0.value < $1.value }) {
      guard let other = others[name], let was = state(at: address, old),
        let now = state(at: other, new)
      else { continue }
      pairs.append(Pair(old: address, new: other, was: was, now: now))
    }
    changes += Self.grouped(pairs).map { first, last in
      change(
        was: first.was, now: first.now, area: Self.area, table: old.name,
        place: (
          offset: first.old &- (self.old.imageStart ?? 0),
          last: last &- (self.old.imageStart ?? 0), old: first.old, new: first.new
        ), old, new)
    }
  }

  /// Neighbours that differ alike: the first of each group, and the last address before the next
  /// symbol, or the end of the last symbol's page.
  private static func grouped(_ pairs: [Pair]) -> [(first: Pair, last: UInt64)] {
    var groups: [(first: Pair, last: UInt64)] = []
    for (index, pair) in pairs.enumerated() where pair.was != pair.now {
      let next = index + 1 < pairs.count ? pairs[index + 1].old : (pair.old | 4095) &+ 1
      let last = max(pair.old, next &- 1)
      if let group = groups.last, group.last &+ 1 == pair.old, group.first.was == pair.was,
        group.first.now == pair.now
      {
        groups[groups.count - 1].last = last
      } else {
        groups.append((pair, last))
      }
    }
    return groups
  }

  /// The addresses of the names that the image's area has once.
  private func symbols(of subject: Subject, _ table: Table) -> [String: UInt64] {
    guard let symbols = subject.symbols, let area = table.layout.first(.image) else { return [:] }
    var found: [String: UInt64] = [:]
    var twice: Set<String> = []
    symbols.forEach(in: area.start...area.last) { name, address in
      if found.updateValue(address, forKey: name) != nil { twice.insert(name) }
    }
    return found.filter { !twice.contains($0.key) }
  }

  /// What maps an address, whatever the page size and the frame.
  private func state(at address: UInt64, _ table: Table) -> State? {
    guard let run = table.space.run(at: address),
      var state = state(run, table.space.mode, frame: nil)
    else { return nil }
    state.level = 0
    return state
  }
}
