internal import PageTables

/// The direct map's entries by size, counted as the CPA self-test counts them.
///
/// Source: `print_split`, arch/x86/mm/pat/cpa-test.c, 6.12.
package struct DirectMapStatistics: Sendable, Equatable {
  package var fourK: UInt64 = 0
  package var large: UInt64 = 0
  package var gigabyte: UInt64 = 0
  package var executable: UInt64 = 0
  package var first: UInt64 = 0
  package var last: UInt64 = 0
  /// 4 KiB pages without an entry below the level of holes.
  package var missed: UInt64 = 0

  /// - Parameter pages: `max_pfn_mapped`; nil counts up to the last leaf of the direct map.
  package init(_ table: Table, pages: UInt64?) {
    let mode = table.space.mode
    guard let area = table.layout.first(.directMap) else { return }
    let inside = table.space.runs(from: area.start, through: area.last)
    let bytes = (pages ?? .max).multipliedReportingOverflow(by: 4096)
    let fallback = inside.last(where: \.isLeaf)?.last ?? area.start
    let through =
      bytes.overflow || bytes.partialValue == 0
      ? fallback : min(area.start &+ (bytes.partialValue &- 1), area.last)
    var found = false
    for run in inside where run.start <= through {
      let level = mode.level(Int(max(1, run.level)))
      let span = level.span
      let size = min(run.size, through - run.start + 1)
      // The test steps over whole entries, so the last one may reach past the end.
      let entries = (size + span - 1) / span
      switch (run.kind, run.level) {
      case (.unreadable, _): continue
      case (_, 1): fourK += entries
      case (.hole, _):
        missed += size >> 12
        continue
      case (_, 2): large += entries
      case (_, 3): gigabyte += entries
      default: fourK += size >> 12
      }
      if level.leafRights.access(run.flags).contains(.executeInKernel) {
        executable += entries
        if !found { first = run.start }
        found = true
        last = run.start &+ (entries - 1) &* span
      }
    }
  }

  /// The line as the kernel prints it.
  package var line: String {
    "4k \(fourK) large \(large) gb \(gigabyte) x \(executable)[\(first.hex())-\(last.hex())] "
      + "miss \(missed)"
  }
}
