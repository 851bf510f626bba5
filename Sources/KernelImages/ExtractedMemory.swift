internal import MemoryImages
internal import PageTables

/// The memory of an extract, which holds little of what there was: what it lacks is not known to be
/// outside of the machine's memory, unless its notes say so.
struct ExtractedMemory: WrappedMemory {
  let wrapped: any MemoryImage
  let contents: Extract.Contents

  var ownFrames: [OwnFrames] { contents.ownFrames }

  private func reason(_ error: UnreadableMemory, at address: UInt64) -> UnreadableMemory {
    let wasThere = contents.memory?.contains { $0.contains(address) } ?? true
    return wasThere ? .notInImage : error
  }

  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    do { return try wrapped.read(at: address, count: count) } catch {
      throw reason(error, at: address)
    }
  }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    do { try wrapped.readTable(at: address, into: &table) } catch {
      throw reason(error, at: address)
    }
  }

  func mapped(at address: UInt64, size: Int) throws(UnreadableMemory) -> UnsafeRawPointer? {
    do { return unsafe try wrapped.mapped(at: address, size: size) } catch {
      throw reason(error, at: address)
    }
  }

  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    wrapped.forEachPage(body)
  }
}
