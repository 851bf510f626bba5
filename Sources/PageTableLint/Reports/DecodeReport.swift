internal import PageTables

/// What `decode` prints of entries.
package enum DecodeReport {
  /// One entry with its readings, and where it came from.
  package struct Entry {
    package let candidates: EntryCandidates
    /// The place in a text; nil for a value of the command line.
    package let item: EntryText.Item?

    package init(_ candidates: EntryCandidates, _ item: EntryText.Item? = nil) {
      self.candidates = candidates
      self.item = item
    }
  }

  // MARK: - Text

  package static func text(_ entries: [Entry], style: TextStyle) -> String {
    entries.map { entry in
      var head = entry.candidates.entry.entry
      if let item = entry.item {
        let place = item.address?.address ?? item.name
        head = "line \(item.line): " + (place.map { "\($0) " } ?? "") + head
      }
      let isSure = entry.candidates.candidates.count == 1
      let modes = Set(entry.candidates.candidates.map(\.reading.mode.name))
      var lines = [head]
      for (index, candidate) in entry.candidates.candidates.enumerated() {
        lines += self.lines(
          candidate, prefix: isSure || index == 0 ? "" : "or ", namesMode: modes.count > 1,
          isAccessOnly: entry.item?.isAccessOnly == true)
      }
      return lines.asLines
    }.joined()
  }

  private static func lines(
    _ candidate: EntryCandidates.Candidate, prefix: String, namesMode: Bool, isAccessOnly: Bool
  ) -> [String] {
    let reading = candidate.reading
    let isEveryLevel = candidate.levels.count == reading.mode.levels.count
    var place = isEveryLevel ? "any level" : candidate.levels.joined(separator: ", ")
    if namesMode { place += " (\(reading.mode.name))" }
    if isAccessOnly {
      let access = reading.access ?? []
      return [
        "  \(access.isUser ? "user" : "kernel"), \(access.isWritable ? "writable" : "read-only"); "
          + "QEMU shows neither the frame nor NX here"
      ]
    }
    var line = "  \(prefix)\(place): \(reading.sentence)"
    if !reading.flags.isEmpty { line += "  [\(reading.flags.joined(separator: " "))]" }
    return [line] + reading.notes.map { "    note: \($0)" }
  }

  // MARK: - JSON

  private struct Document: Encodable {
    let schemaVersion = JSONReport.version
    let entries: [EntryRecord]
  }
  private struct EntryRecord: Encodable {
    let entry: String
    let line: Int?
    let name, address: String?
    let readings: [ReadingRecord]
  }
  private struct ReadingRecord: Encodable {
    let pagingMode: String
    let levels: [String]
    let kind, hardware: String
    let physical: String?
    let pageSize: UInt64?
    let access: AccessRecord?
    let memoryType: String?
    let flags: [String]
    let reservedBits: String?
    let swap: SwapRecord?
    let explanation: String
    let notes: [String]
  }
  private struct AccessRecord: Encodable { let write, user, execute: Bool }
  private struct SwapRecord: Encodable {
    let type: Int
    let offset: String
    let meanings: [String]
  }

  package static func json(_ entries: [Entry]) throws -> String {
    try JSONReport.encode(Document(entries: entries.map(record)), pretty: true)
  }

  private static func record(_ entry: Entry) -> EntryRecord {
    EntryRecord(
      entry: entry.candidates.entry.entry, line: entry.item?.line, name: entry.item?.name,
      address: entry.item?.address?.address, readings: entry.candidates.candidates.map(record))
  }

  private static func record(_ candidate: EntryCandidates.Candidate) -> ReadingRecord {
    let reading = candidate.reading
    var reserved: UInt64?
    let hardware: String
    switch reading.hardware {
    case .notPresent: hardware = "not-present"
    case .table: hardware = "table"
    case .leaf: hardware = "leaf"
    case .reservedBits(let bits): (hardware, reserved) = ("reserved-bits", bits)
    }
    return ReadingRecord(
      pagingMode: reading.mode.name, levels: candidate.levels, kind: reading.kind.rawValue,
      hardware: hardware, physical: reading.physical?.entry, pageSize: reading.pageSize,
      access: reading.access.map {
        AccessRecord(write: $0.isWritable, user: $0.isUser, execute: $0.isExecutable)
      },
      memoryType: reading.memoryType, flags: reading.flags, reservedBits: reserved?.entry,
      swap: reading.swap.map {
        SwapRecord(
          type: $0.type, offset: $0.offset.entry, meanings: $0.meanings.map(\.rawValue))
      },
      explanation: reading.sentence, notes: reading.notes)
  }
}
