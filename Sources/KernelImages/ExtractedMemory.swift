internal import MemoryImages
internal import PageTables

/// The memory of an extract, which holds little of what there was: what it lacks is not known to be
/// outside of the machine's memory, unless its notes say so.
struct ExtractedMemory: MemoryImage {
  let file: any MemoryImage
  let contents: Extract.Contents

  var path: String { file.path }
  var format: String { file.format }
  var ranges: [ClosedRange<UInt64>] { file.ranges }
  var notes: [ImageNote] { file.notes }
  var damage: [String] { file.damage }
  var machine: Machine? { file.machine }
  var placements: [Placement] { file.placements }
  var tellsAllMemory: Bool { file.tellsAllMemory }
  var heldBytes: UInt64 { file.heldBytes }
  var isRunning: Bool { file.isRunning }

  private func reason(_ error: UnreadableMemory, at address: UInt64) -> UnreadableMemory {
    let wasThere = contents.memory?.contains { $0.contains(address) } ?? true
    return wasThere ? .notInImage : error
  }

  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    do { return try file.read(at: address, count: count) } catch {
      throw reason(error, at: address)
    }
  }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    do { try file.readTable(at: address, into: &table) } catch {
      throw reason(error, at: address)
    }
  }

  func mapped(at address: UInt64, size: Int) throws(UnreadableMemory) -> UnsafeRawPointer? {
    do { return unsafe try file.mapped(at: address, size: size) } catch {
      throw reason(error, at: address)
    }
  }

  func checksum(zeroing offset: Int) -> UInt64? { file.checksum(zeroing: offset) }

  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    file.forEachPage(body)
  }
}
