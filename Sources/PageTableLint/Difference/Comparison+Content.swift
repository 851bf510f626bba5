internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What areas hold whose places say nothing.
extension Comparison {
  /// The bytes of each kind of leaf in an area, whatever the page size.
  func content(_ kind: Area.Kind, _ table: Table) -> [State: UInt64] {
    var bytes: [State: UInt64] = [:]
    for run in table.layout.runs(kind, in: table.space) where run.isLeaf {
      guard var state = state(run, table.space.mode, frame: nil) else { continue }
      state.level = 0
      bytes[state, default: 0] &+= run.size
    }
    return bytes
  }

  /// Which attributes occur in an area, where its places say nothing.
  mutating func compareContent(_ kind: Area.Kind, _ old: Table, _ new: Table) {
    let was = content(kind, old)
    let now = content(kind, new)
    guard !was.isEmpty || !now.isEmpty else { return }
    let what = old.id == .kernel ? kind.name : "\(kind.name) of the \(old.name) table"
    notCompared.append(
      Difference.NotCompared(
        what: "\(what): places, sizes and numbers",
        reason: kind.placement == .random
          ? "at random in each boot" : "handed out anew in each boot"))
    func changes(_ states: [State: UInt64], _ others: [State: UInt64], _ kind: Difference.Kind)
      -> [Difference.Change]
    {
      states.filter { others[$0.key] == nil }.map { state, size in
        let side = self.side(state, old.space.mode, range: nil)
        return Difference.Change(
          kind: kind, aspects: [], table: old.name, area: what, offset: nil, size: size,
          old: kind == .removed ? side : nil, new: kind == .added ? side : nil)
      }.sorted { ($0.size, "\($0)") < ($1.size, "\($1)") }
    }
    self.changes += changes(was, now, .removed) + changes(now, was, .added)
  }
}
