internal import KernelImages
internal import PageTables

/// The pages of vmalloc's areas and of modules held against the kernel's own lists of them.
struct VmallocCheck {
  /// What is not mapped though it is listed.
  private(set) var missing: [Run] = []
  /// What maps another frame than the listed one.
  private(set) var other: [Run] = []
  /// The first of those in words.
  private(set) var firstOther: String?
  /// The listed frames that are not where their list has them.
  private(set) var lostFrames: [ClosedRange<UInt64>] = []

  init(_ subject: Subject, _ table: Table) {
    let mode = table.space.mode
    for piece in subject.vmallocPages()?.pieces ?? [] {
      for run in table.runs(from: piece.start, through: piece.last) {
        guard subject.mayLook(1) else { return }
        let wanted = piece.physical &+ (run.start &- piece.start)
        switch run.kind {
        case .hole, .notPresent: Run.append(run, to: &missing, mode: mode)
        case .leaf where run.physical != wanted || run.repeats:
          firstOther =
            firstOther
            ?? "\(mode.text(run.start)) maps \((run.physical ?? 0).entry), the list has "
            + wanted.entry
          Run.append(run, to: &other, mode: mode)
        case .leaf, .unreadable: continue
        }
        lostFrames.append(wanted...(wanted &+ (run.last &- run.start)))
      }
    }
  }
}
