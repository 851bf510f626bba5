internal import PageTables

extension Subject {
  /// The physical addresses of all tables that were read.
  var tablePages: RangeSet {
    RangeSet(
      tables.flatMap { table in
        table.pointers.targets(table.space.mode)
          + (table.root.map { root in
            let offset = table.space.mode.granule - 1
            return [(root & ~offset)...(root | offset)]
          } ?? [])
      })
  }
}

extension Table {
  /// The areas in which frames have an address by design, or rules of their own.
  private static let ruled: Set<Area.Kind> = [.directMap, .image, .vmemmap, .cpuEntryArea, .efi]

  /// The writable leaves of the kernel's half that map some frames at a second address: in vmalloc,
  /// modules, the fixmap, and wherever nothing is known to lie.
  func writablePages(of frames: RangeSet, _ subject: Subject) -> [Run] {
    var found: [Run] = []
    guard !frames.isEmpty else { return [] }
    for run in runs where run.isLeaf && run.access.isWritable && run.start >= space.mode.upperHalf {
      guard let physical = run.physical else { continue }
      let span = space.mode.span(of: run)
      let size = run.repeats ? min(run.size, span) : run.size
      for part in frames.parts(in: physical...(physical &+ (size &- 1))) {
        guard !Self.ruled.contains(layout.area(of: run.start).kind) else { break }
        guard subject.mayLook(Looks.piece),
          let alias = run.clipped(
            from: run.start &+ (part.lowerBound - physical),
            through: run.start &+ (part.upperBound - physical), span: span)
        else { return found }
        Run.append(alias, to: &found, mode: space.mode)
      }
    }
    return found
  }

  /// The addresses of the kernel's half that both this table and another one map: the part of a leaf
  /// in each, in the order of addresses.
  func sharedParts(with twin: Table) -> [(own: Run, other: Run)] {
    let mode = space.mode
    return twin.runs.filter { $0.isLeaf && $0.start >= mode.upperHalf }.flatMap { other in
      runs(from: other.start, through: other.last).compactMap { own -> (own: Run, other: Run)? in
        guard own.isLeaf,
          let part = other.clipped(from: own.start, through: own.last, span: mode.span(of: other)),
          let mine = own.clipped(from: part.start, through: part.last, span: mode.span(of: own))
        else { return nil }
        return (own: mine, other: part)
      }
    }
  }
}
