internal import KernelImages
internal import PageTables

/// Which leaves of the direct map stand in tables of the kernel image.
///
/// The kernel writes the entries of its static tables before it knows what its own look like.
struct TableOwners: Sendable {
  /// Alike neighbours in one such table.
  struct Part {
    let owner: String
    let first: UInt64
    /// Inclusive.
    let last: UInt64
  }

  /// What one owner's tables map.
  struct Share: Sendable, Codable {
    /// The symbol of the kernel image; nil for all tables outside of it.
    let owner: String?
    let bytes: UInt64
  }

  let parts: [Part]

  /// Nil where nothing tells what lies in the kernel image, or no direct map.
  init?(_ subject: Subject) {
    let table = subject.kernel
    guard let image = subject.image, image.symbols != nil,
      let area = table.layout.first(.directMap)
    else { return nil }
    let mode = table.space.mode
    var parts: [Part] = []
    /// Takes what stands in a table of a level, which maps a stretch.
    func take(_ physical: UInt64, level: Int, _ first: UInt64, _ last: UInt64) {
      guard let owner = image.owner(ofTable: physical) else { return }
      let runs = table.space.runs(from: max(first, area.start), through: min(last, area.last))
      for run in runs where run.isLeaf && Int(run.level) == level {
        parts.append(Part(owner: owner, first: run.start, last: run.last))
      }
    }
    if let root = table.root { take(root, level: mode.levels.count, area.start, area.last) }
    for pointer in table.space.pointers
    where pointer.last >= area.start && pointer.address <= area.last {
      take(
        mode.tableField.address(in: pointer.entry), level: pointer.level - 1, pointer.address,
        pointer.last)
    }
    self.parts = parts
  }

  /// The bytes of the direct map by owner, the largest first; what no owner has is last.
  ///
  /// - Parameter mapped: all that the direct map maps, in bytes.
  func shares(of mapped: UInt64) -> [Share] {
    var bytes: [String: UInt64] = [:]
    for part in parts { bytes[part.owner, default: 0] &+= part.last &- part.first &+ 1 }
    let named = bytes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let rest = mapped &- named.reduce(0) { $0 &+ $1.value }
    return named.map { Share(owner: $0.key, bytes: $0.value) }
      + (rest == 0 ? [] : [Share(owner: nil, bytes: rest)])
  }
}
