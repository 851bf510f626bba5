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
  /// The areas beside the direct map in which frames have an address by design, or rules of their own.
  private static let ruled: Set<Area.Kind> = [.image, .vmemmap, .cpuEntryArea, .efi]

  /// The writable leaves of the kernel's half that map some frames at a second address: in vmalloc,
  /// modules, the fixmap, and wherever nothing is known to lie.
  func writablePages(of frames: RangeSet, _ subject: Subject) -> [Run] {
    parts(of: runsOutsideDirectMap, mapping: frames, subject) { run in
      run.access.isWritable && !Self.ruled.contains(layout.area(of: run.start).kind)
    }
  }

  /// The parts of leaves that map some frames, neighbours together, in the order of addresses.
  ///
  /// - Parameter isMeant: asked of leaves that map some of them.
  func parts(
    of runs: some Sequence<Run>, mapping frames: RangeSet, _ subject: Subject,
    where isMeant: (Run) -> Bool
  ) -> [Run] {
    var found: [Run] = []
    let mode = space.mode
    for run in runs where run.isLeaf {
      guard let physical = run.physical else { continue }
      let span = mode.span(of: run)
      let size = run.repeats ? min(run.size, span) : run.size
      for part in frames.parts(in: physical...(physical &+ (size &- 1))) {
        guard isMeant(run) else { break }
        guard subject.mayLook(Looks.piece),
          let mapping = run.clipped(
            from: run.start &+ (part.lowerBound - physical),
            through: run.start &+ (part.upperBound - physical), span: span)
        else { return found }
        Run.append(mapping, to: &found, mode: mode)
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
