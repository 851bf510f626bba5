/// The one plain value that every source makes and every rule, dump and statistic reads.
package struct AddressSpace: Sendable {
  package let mode: TableFormat
  /// In address order, without overlap, holes included.
  package var runs: [Run]
  /// The bits of `Run.flags` that the source tells; the rest is unknown, not clear.
  package let knownFlags: UInt64
  /// Whether runs carry physical addresses.
  package let hasPhysical: Bool
  /// Whether neighbours that differ in incidental flags alone are runs of their own; where not, a
  /// run has the flags of its first leaf.
  package internal(set) var tellsIncidental = true
  /// What the walk or the parser stumbled over.
  package var anomalies: [Anomaly]
  /// Anomalies that were counted and not kept, so that a hostile image cannot fill the memory.
  package var anomaliesLeftOut = 0
  /// Tables read, each counted once.
  package var tablesRead = 0
  /// The entries that lead to tables, in the order of the walk.
  ///
  /// Those of a table that is reached again stand for its first place alone. Empty for a text
  /// dump, which does not show them.
  package var pointers = TablePointers()

  package init(
    mode: TableFormat, runs: [Run], knownFlags: UInt64 = ~0, hasPhysical: Bool = true,
    anomalies: [Anomaly] = []
  ) {
    self.mode = mode
    self.runs = runs
    self.knownFlags = knownFlags
    self.hasPhysical = hasPhysical
    self.anomalies = anomalies
  }

  /// The run that holds `address`; nil outside all of them (the non-canonical gap, `--range`).
  package func run(at address: UInt64) -> Run? {
    let index = runs.partitioningIndex { $0.last >= address }
    return index < runs.count && runs[index].contains(address) ? runs[index] : nil
  }

  /// The runs inside `[from, through]`, clipped to it.
  package func runs(from: UInt64, through: UInt64) -> ClippedRuns {
    ClippedRuns(self, from: from, through: through)
  }

  /// The part inside `range`, with the anomalies that touch it.
  package func limited(to range: ClosedRange<UInt64>) -> AddressSpace {
    var part = self
    part.runs = Array(runs(from: range.lowerBound, through: range.upperBound))
    part.anomalies = anomalies.filter {
      $0.address <= range.upperBound && $0.address &+ max(1, $0.size) &- 1 >= range.lowerBound
    }
    part.pointers = TablePointers(
      pointers.lazy.filter { $0.address <= range.upperBound && $0.last >= range.lowerBound })
    return part
  }
}

/// Something in the source that is not as it must be, whatever the kernel wants.
package struct Anomaly: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// A present entry with bits set that the processor reserves.
    case reservedBits(UInt64)
    /// A table pointer to a frame that is no memory of the machine.
    case tableOutsideMemory
    /// A table pointer to memory that the image does not hold.
    case tableNotInImage
    /// A table pointer to its own table, or to one on the way to it.
    case tableCycle
    /// The walk was stopped: the tables claim more than the image can warrant.
    case walkLimit
    /// The walk was stopped: its runs fill the memory that they may take.
    case memoryLimit
    /// Text: SIZE differs from END - START.
    case sizeMismatch(printed: UInt64)
    /// Text: lines overlap, or leave a gap.
    case gap
    /// Text: a line that looks like a mapping and cannot be read.
    case unreadableLine
    /// Text: the dump does not go on to the top of the address space, or was elided.
    case truncated
  }

  package let kind: Kind

  /// Whether the source does not tell what is there; the other kinds are defects that it shows.
  package var isUnseen: Bool {
    switch kind {
    case .reservedBits, .tableOutsideMemory, .tableCycle: false
    case .tableNotInImage, .walkLimit, .memoryLimit, .sizeMismatch, .gap, .unreadableLine,
      .truncated:
      true
    }
  }

  package let address: UInt64
  /// Size in bytes of the range that is concerned.
  package let size: UInt64
  package let level: Int?
  package let entry: UInt64?
  /// The line of a text dump, from 1.
  package let line: Int?

  package init(
    _ kind: Kind, address: UInt64, size: UInt64 = 0, level: Int? = nil, entry: UInt64? = nil,
    line: Int? = nil
  ) {
    self.kind = kind
    self.address = address
    self.size = size
    self.level = level
    self.entry = entry
    self.line = line
  }
}
