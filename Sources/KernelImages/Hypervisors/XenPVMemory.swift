package import MemoryImages
package import PageTables

/// The memory of a Xen PV guest as its kernel knows it: by pseudo-physical addresses, and with such
/// addresses in its tables, which hold the machine's.
///
/// An entry whose frame is not the guest's keeps the machine's number where the guest has no frame of
/// that number, as devices do; else bit 51 is set in its address, and the machine's memory is found
/// there.
package struct XenPVMemory: WrappedMemory {
  /// The machine's memory, or as much of it as the file holds.
  let host: any MemoryImage
  let frames: XenPVFrames
  package let ranges: [ClosedRange<UInt64>]

  init(_ host: any MemoryImage, _ frames: XenPVFrames) {
    self.host = host
    self.frames = frames
    var ranges: [ClosedRange<UInt64>] = []
    for stretch in frames.stretches {
      let range = stretch.own << 12...((stretch.own + stretch.count) << 12 - 1)
      if let last = ranges.last, last.upperBound + 1 == range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound...range.upperBound
      } else {
        ranges.append(range)
      }
    }
    self.ranges = ranges
  }

  package var wrapped: any MemoryImage { host }
  package var tellsAllMemory: Bool { true }
  /// What the file tells by the machine's numbers is none of the guest's.
  package var placements: [Placement] { [] }
  package var ownFrames: [OwnFrames] { [] }

  package func isTakenForZero(_ address: UInt64) -> Bool {
    machineAddress(of: address).map(host.isTakenForZero) ?? false
  }

  private static let foreign: UInt64 = 1 << 51
  private static let address: UInt64 = 0x000f_ffff_ffff_f000

  /// Where the machine has what the guest knows by an address; nil where it is not the guest's.
  package func machineAddress(of address: UInt64) -> UInt64? {
    if address & Self.foreign != 0 { return address & ~Self.foreign }
    return frames.machine(of: address >> 12).map { $0 << 12 | address & 4095 }
  }

  /// By which address the guest knows what the machine has at one.
  package func ownAddress(of machine: UInt64) -> UInt64 {
    if let own = frames.own(of: machine >> 12) { return own << 12 | machine & 4095 }
    return frames.machine(of: machine >> 12) == nil ? machine : machine | Self.foreign
  }

  package func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    guard let place = machineAddress(of: address) else { throw .outsideMemory }
    do { try host.readTable(at: place, into: &table) } catch {
      // The guest has that memory, whatever the file holds.
      throw .notInImage
    }
    if XenPV.isTop(table, at: place) {
      for slot in XenPV.slots where slot < table.count { table[slot] = 0 }
    }
    for index in table.indices where table[index] & 1 != 0 {
      let entry = table[index]
      table[index] = entry & ~Self.address | ownAddress(of: entry & Self.address)
    }
  }

  package func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    var bytes: [UInt8] = []
    var at = address
    while bytes.count < count {
      // What is not the guest's by its number is a device's, or Xen's, by the machine's.
      let place = machineAddress(of: at) ?? at
      let part = min(count - bytes.count, Int(4096 - at & 4095))
      do { bytes += try host.read(at: place, count: part) } catch {
        throw frames.machine(of: at >> 12) == nil ? error : .notInImage
      }
      at &+= UInt64(part)
    }
    return bytes
  }
}
