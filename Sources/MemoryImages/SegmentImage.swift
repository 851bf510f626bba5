package import PageTables

/// An image whose file holds stretches of memory as they are.
package final class SegmentImage: MemoryImage, Sendable {
  /// A stretch of physical memory and where the file holds it.
  package struct Segment: Sendable, Equatable {
    package let physical: UInt64
    package let size: UInt64
    package let offset: UInt64
    /// What the file really holds, in bytes; less than `size` where it was cut off or left out.
    package let available: UInt64
  }

  private let file: MappedFile
  package let format: String
  package let segments: [Segment]
  package let notes: [ImageNote]
  package let damage: [String]
  package let machine: Machine?
  package let placements: [Placement]
  package let tellsAllMemory: Bool
  package let ranges: [ClosedRange<UInt64>]
  package let ownFrames: [OwnFrames]
  package let heldBytes: UInt64
  package var path: String { file.path }

  /// - Parameter segments: in any order; none may lie above 2^52. Where two overlap, the first in
  ///   order of addresses goes before.
  init(
    _ file: MappedFile, format: String, segments: [Segment], notes: [ImageNote] = [],
    damage: [String] = [], machine: Machine? = nil, placements: [Placement] = [],
    tellsAllMemory: Bool = true, ownFrames: [OwnFrames] = []
  ) {
    self.file = file
    self.format = format
    self.notes = notes
    self.damage = damage
    self.machine = machine
    self.placements = placements
    self.tellsAllMemory = tellsAllMemory
    self.ownFrames = ownFrames
    var disjoint: [Segment] = []
    for segment in segments.sorted(by: { ($0.physical, $0.size) < ($1.physical, $1.size) }) {
      // /proc/vmcore lists the kernel's text twice: by its own address and in RAM.
      if let last = disjoint.last, segment.physical < last.physical + last.size {
        if segment.physical + segment.size <= last.physical + last.size { continue }
        if last.physical >= segment.physical { disjoint.removeLast() }
      }
      disjoint.append(segment)
    }
    self.segments = disjoint
    ranges = disjoint.map { $0.physical...($0.physical + $0.size - 1) }
    // Segments may share what the file holds.
    heldBytes = UInt64(file.size)
  }

  private func segment(of address: UInt64) -> Segment? {
    let index = segments.partitioningIndex { $0.physical + $0.size > address }
    guard index < segments.count, segments[index].physical <= address else { return nil }
    return segments[index]
  }

  private func fileOffset(of address: UInt64, count: UInt64) throws(UnreadableMemory) -> UInt64 {
    guard let segment = segment(of: address) else {
      throw tellsAllMemory ? .outsideMemory : .notInImage
    }
    let offset = address - segment.physical
    guard offset <= segment.available, count <= segment.available - offset else {
      throw .notInImage
    }
    return segment.offset + offset
  }

  package func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    let offset = try fileOffset(of: address, count: UInt64(table.count) * 8)
    guard file.copyWords(at: offset, into: &table) else { throw .notInImage }
  }

  package func mapped(
    at address: UInt64, size: Int
  ) throws(UnreadableMemory) -> UnsafeRawPointer? {
    let offset = try fileOffset(of: address, count: UInt64(size))
    guard let bytes = unsafe file.mapped(at: offset, count: size) else { throw .notInImage }
    return unsafe bytes
  }

  package func willRead(_ tables: [UInt64], size: Int) -> Bool {
    file.willRead(tables) { table in
      (try? fileOffset(of: table, count: UInt64(size))).map { Int($0)..<(Int($0) + size) }
    }
  }

  /// Copies physical memory that lies in one segment.
  package func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    let offset = try fileOffset(of: address, count: UInt64(count))
    guard let bytes = file.bytes(at: offset, count: count) else { throw .notInImage }
    return bytes
  }

  package func checksum(zeroing offset: Int) -> UInt64? {
    file.withBytes { bytes in
      var sum = Checksum()
      var at = 0
      while let part = file.nextData(from: at) {
        sum.add(zeros: part.lowerBound - at)
        let left = (offset..<(offset + 8)).clamped(to: part)
        sum.add(bytes.extracting(part.lowerBound..<left.lowerBound))
        sum.add(zeros: left.count)
        sum.add(bytes.extracting(left.upperBound..<part.upperBound))
        at = part.upperBound
      }
      sum.add(zeros: bytes.count - at)
      return sum.value
    }
  }

  /// Visits what the segments hold, each page of the file once for its first segment and once more
  /// for all others: /proc/vmcore lists the kernel's text twice, a hostile file may list a page for
  /// each of a million segments.
  package func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    file.withBytes { bytes in
      var left = 2 * UInt64(bytes.count)
      for segment in segments where segment.available > 0 && left > 0 {
        let start = Int(segment.offset)
        let end = start + Int(min(segment.available, left))
        left -= UInt64(end - start)
        var next = start
        while let part = file.nextData(from: next), part.lowerBound < end {
          // Pages of memory need not be the file's.
          var at = start + (part.lowerBound - start) & ~4095
          at = max(at, next)
          while at < min(part.upperBound, end) {
            body(segment.physical + UInt64(at - start)) { wanted in
              guard wanted.count <= bytes.count - at else { return false }
              for index in wanted.indices where bytes[at + index] != wanted[index] { return false }
              return true
            }
            at += 4096
          }
          next = at
        }
      }
    }
  }
}
