internal import KernelImages
internal import PageTables

/// What differs between the tables of two inputs, whatever KASLR did.
///
/// An area that KASLR moves as a whole is compared by the distance from its start, the kernel image
/// from `_text`. Where a boot hands addresses out anew, places say nothing: there it is compared
/// which attributes occur, unless both inputs are of one boot. `notCompared` says what that leaves
/// out.
package struct Difference: Sendable {
  package enum Kind: String, Sendable { case added, removed, changed }
  /// In what a change lies.
  package enum Aspect: String, Sendable, CaseIterable { case attributes, pageSize, frame }

  /// What one of the inputs has at a place.
  package struct Side: Sendable, Equatable {
    /// Nil where the area is compared by content.
    package let range: ClosedRange<UInt64>?
    package let level: String
    /// The flags of the leaves, in the kernel's spelling, without those that come with use.
    package let flags: [String]
    /// Writable, user and executable as upper levels leave it; nil where an input does not tell.
    package let effective: String?
    package let physical: UInt64?
  }

  package struct Change: Sendable, Equatable {
    package let kind: Kind
    package let aspects: [Aspect]
    package let table: String
    package let area: String
    /// The distance from the area's start, or from `_text`; nil where compared by content.
    package let offset: UInt64?
    package let size: UInt64
    package let old: Side?
    package let new: Side?
  }

  package struct NotCompared: Sendable, Equatable {
    package let what: String
    package let reason: String
  }

  package let old: Linter.Report
  package let new: Linter.Report
  /// Whether both are of one boot, so that addresses mean the same in both.
  package let isOneBoot: Bool
  /// Whether the kernels are known to be of different builds.
  package let areOtherBuilds: Bool
  package let changes: [Change]
  package let notCompared: [NotCompared]
  /// Warnings and errors that the old input would show and does not.
  package let newFindings: [Judged]
  /// Those that the new input would show and does not.
  package let goneFindings: [Judged]

  /// Why two inputs cannot be compared; nil where they can.
  package static func refuses(_ old: Subject, _ new: Subject) -> String? {
    old.architecture.isSame(as: new.architecture) && old.mode.entrySize == new.mode.entrySize
      ? nil : "\(old.mode.name) and \(new.mode.name) have nothing in common"
  }

  package init(_ old: Linter.Report, _ new: Linter.Report) {
    self.old = old
    self.new = new
    let comparison = Comparison(old.subject, new.subject)
    isOneBoot = comparison.isOneBoot
    areOtherBuilds = comparison.areOtherBuilds
    changes = comparison.changes
    notCompared = comparison.notCompared
    newFindings = Self.findings(of: new, notIn: old)
    goneFindings = Self.findings(of: old, notIn: new)
  }

  private static func findings(of report: Linter.Report, notIn other: Linter.Report) -> [Judged] {
    let known = Set(other.findings.map(\.fingerprint))
    return report.findings.filter {
      $0.severity > .note && !known.contains($0.fingerprint)
        && other.looked(for: $0.rule.id, in: $0.stableTable)
    }
  }

  /// Whether page sizes differ as a CPA self-test leaves them, of which no log tells.
  var mayBeSelfTests: Bool {
    let areas = [Area.Kind.directMap, .image].map(\.name)
    return !isOneBoot && (old.subject.log == nil || new.subject.log == nil)
      && changes.contains { $0.aspects == [.pageSize] && areas.contains($0.area) }
  }

  package var isIncomplete: Bool { old.isIncomplete || new.isIncomplete }

  /// As diff(1): 0 for no difference, 1 for some; 3 where none was seen in inputs read in part.
  package var status: Int32 {
    !changes.isEmpty || !newFindings.isEmpty || !goneFindings.isEmpty ? 1 : isIncomplete ? 3 : 0
  }
}
