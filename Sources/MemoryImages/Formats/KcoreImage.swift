internal import Glibc
package import PageTables

/// The memory of the machine that this program runs on, as /proc/kcore shows it now.
///
/// The file claims to be as large as the address space, so it is read piece by piece and never
/// mapped. What lies at an address may change from one read to the next.
///
/// Source: fs/proc/kcore.c, 6.12.
package final class KcoreImage: MemoryImage, Sendable {
  package static let file = "/proc/kcore"

  private let descriptor: Int32
  /// In order of addresses, without overlap.
  private let segments: [SegmentImage.Segment]
  package let path: String
  package let notes: [ImageNote]
  package let damage: [String]
  package let placements: [Placement]
  package var format: String { "kcore" }
  package var isRunning: Bool { true }
  package let machine: Machine?
  package let ranges: [ClosedRange<UInt64>]

  /// Opens /proc/kcore, or a file that is laid out like it.
  ///
  /// - Throws: `ImageError` where it cannot be opened, or is no ELF core with memory in it.
  package init(path: String = KcoreImage.file) throws(ImageError) {
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let reason = unsafe String(cString: strerror(errno))
      throw ImageError(path, "cannot open: \(reason)", advice: "read it as root")
    }
    guard let found = Self.contents(descriptor) else {
      close(descriptor)
      throw ImageError(
        path, offset: 0, "expected a 64-bit ELF core that holds memory",
        advice: "is /proc the kernel's own?")
    }
    guard found.machine.isRead else {
      close(descriptor)
      throw found.machine.refusal(of: path, offset: 18)
    }
    self.path = path
    self.descriptor = descriptor
    machine = found.machine
    segments = found.segments
    ranges = found.segments.map { $0.physical...($0.physical + $0.size - 1) }
    notes = found.notes
    damage = found.damage
    placements = found.placements
  }

  deinit { close(descriptor) }

  private struct Contents {
    let machine: Machine
    var segments: [SegmentImage.Segment] = []
    var notes: [ImageNote] = []
    var damage: [String] = []
    var placements: [Placement] = []
  }

  /// The program headers, by hand: libelf trusts the file's size.
  private static func contents(_ file: Int32) -> Contents? {
    guard let header = bytes(of: file, at: 0, count: 64),
      header.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]),
      let table = header.u64(at: 32), header.number(at: 54, size: 2) == 56,
      let count = header.number(at: 56, size: 2),
      let number = header.number(at: 18, size: 2).flatMap(UInt16.init(exactly:)),
      let machine = Machine(rawValue: number),
      let programs = bytes(of: file, at: table, count: Int(count) * 56)
    else { return nil }
    var found = Contents(machine: machine)
    var limits = NoteLimits()
    var stretches: [(placement: Placement, segment: SegmentImage.Segment)] = []
    for at in stride(from: 0, to: programs.count, by: 56) {
      guard let type = programs.u32(at: at), let offset = programs.u64(at: at + 8),
        let virtual = programs.u64(at: at + 16), let physical = programs.u64(at: at + 24),
        let size = programs.u64(at: at + 32)
      else { return nil }
      if type == 4 {
        // The notes are some KiB; 1 MiB bounds what a bad header can ask for.
        let held = size <= 1 << 20 ? bytes(of: file, at: offset, count: Int(size)) : nil
        guard let held else {
          found.damage.append("the notes at \(offset.entry) cannot be read")
          continue
        }
        found.notes += ImageNote.read(
          held, at: offset, within: &limits, damage: &found.damage)
      }
      // vmalloc and vmemmap have no physical address.
      guard type == 1, size > 0, physical <= 1 << 52, size <= 1 << 52 else { continue }
      let placement = Placement(virtual: virtual, physical: physical)
      found.placements.append(placement)
      stretches.append(
        (
          placement,
          SegmentImage.Segment(physical: physical, size: size, offset: offset, available: size)
        ))
    }
    guard let memory = memory(of: stretches) else { return nil }
    found.segments = memory.sorted { $0.physical < $1.physical }
    let overlap = zip(found.segments, found.segments.dropFirst()).contains {
      $0.physical + $0.size > $1.physical
    }
    return found.segments.isEmpty || overlap ? nil : found
  }

  /// The stretches that are memory: all of it lies at one distance from its addresses, that of the
  /// direct map.
  ///
  /// The kernel's text, at another, is a part of memory that is listed too.
  ///
  /// - Returns: nil where the kernel gives no physical addresses: all of them are zero then.
  ///   They are given since 464920104bf7 (4.11).
  private static func memory(
    of stretches: [(placement: Placement, segment: SegmentImage.Segment)]
  ) -> [SegmentImage.Segment]? {
    guard stretches.count(where: { $0.segment.physical == 0 }) < 2 else { return nil }
    func distance(_ placement: Placement) -> UInt64 { placement.virtual &- placement.physical }
    var bytes: [UInt64: UInt64] = [:]
    for (placement, segment) in stretches {
      bytes[distance(placement), default: 0] &+= segment.size
    }
    let directMap = bytes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    return stretches.filter { distance($0.placement) == directMap }.map(\.segment)
  }

  /// Reads all of `count` bytes; nil where the file does not give them.
  private static func bytes(of file: Int32, at offset: UInt64, count: Int) -> [UInt8]? {
    guard let start = Int(exactly: offset), count >= 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let now = unsafe bytes.withUnsafeMutableBytes {
        unsafe pread(file, $0.baseAddress?.advanced(by: done), count - done, start &+ done)
      }
      if now < 0, errno == EINTR { continue }
      guard now > 0 else { return nil }
      done += now
    }
    return bytes
  }

  package func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    guard
      let segment = segments.first(where: {
        address >= $0.physical && address - $0.physical < $0.size
      })
    else { throw .outsideMemory }
    let offset = address - segment.physical
    guard UInt64(count) <= segment.size - offset,
      let bytes = Self.bytes(of: descriptor, at: segment.offset &+ offset, count: count)
    else { throw .notInImage }
    return bytes
  }

  package func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    let bytes = try read(at: address, count: table.count * 8)
    unsafe table.withUnsafeMutableBytes { unsafe $0.copyBytes(from: bytes) }
  }
}
