internal import PageTables

/// Memory that is another image's, read in another way: what it does not say itself, that one says.
package protocol WrappedMemory: MemoryImage {
  var wrapped: any MemoryImage { get }
}

extension WrappedMemory {
  package var path: String { wrapped.path }
  package var format: String { wrapped.format }
  package var ranges: [ClosedRange<UInt64>] { wrapped.ranges }
  package var notes: [ImageNote] { wrapped.notes }
  package var damage: [String] { wrapped.damage }
  package var machine: Machine? { wrapped.machine }
  package var placements: [Placement] { wrapped.placements }
  package var isRunning: Bool { wrapped.isRunning }
  package var tellsAllMemory: Bool { wrapped.tellsAllMemory }
  package var heldBytes: UInt64 { wrapped.heldBytes }
  package var dumpLevel: UInt32? { wrapped.dumpLevel }
  package var ownFrames: [OwnFrames] { wrapped.ownFrames }
  package var leavesOutZeros: Bool { wrapped.leavesOutZeros }
  package func isTakenForZero(_ address: UInt64) -> Bool { wrapped.isTakenForZero(address) }
  package func checksum(zeroing offset: Int) -> UInt64? { wrapped.checksum(zeroing: offset) }
}
