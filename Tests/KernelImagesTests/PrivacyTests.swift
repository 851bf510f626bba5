import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// What an extract of a whole machine's memory leaves out: marks in memory of each kind, none of which
/// it may hold.
@Suite struct PrivacyTests {
  /// Whole captures: of the laboratory, whose init has a page of marks of its own, and of
  /// `samples/lab/stock-kernels --whole`, which has modules.
  private static let captures: [Capture] = {
    let lab = ProcessInfo.processInfo.environment["PTDUMP_LAB"] ?? "/var/tmp/ptdump-lab"
    let kinds = ["healthy": "USER", "new-73-pti": "USER", "new-73-5level": "USER"]
      .merging(["7.3-modules": "MODULE", "6.1-modules": "MODULE"]) { $1 }
    let found = kinds.sorted { $0.key < $1.key }
      .map { Capture(path: "\(lab)/captures/\($0.key)/memory.elf", ownKind: $0.value) }
      .filter { FileManager.default.fileExists(atPath: $0.path) }
    // One of each.
    return ["USER", "MODULE"].compactMap { kind in found.first { $0.ownKind == kind } }
  }()

  struct Capture: Sendable {
    let path: String
    /// The kind of memory that it has and the other has not.
    let ownKind: String
  }

  private static func mark(_ kind: String) -> [UInt8] { Array("PRIVATE-\(kind)-PRIVATE".utf8) }

  /// Some frames of each kind of memory that holds somebody's data.
  private static func frames(_ image: KernelImage) throws -> [String: [UInt64]] {
    let use = try #require(image.frameUse)
    let layout = image.layout
    var found: [String: [UInt64]] = [:]
    func add(_ kind: String, _ frame: UInt64) {
      if found[kind, default: []].count < 64 { found[kind, default: []].append(frame) }
    }
    for run in image.space().runs where run.isLeaf {
      guard let physical = run.physical, image.isMemory(physical) else { continue }
      switch layout.area(of: run.start).kind.role {
      case .allocations: add("VMALLOC", physical)
      case .code: add("MODULE", physical)
      default: break
      }
    }
    for range in image.memory.ranges {
      for frame in stride(from: range.lowerBound, to: range.upperBound, by: 4096)
      where use(frame) == .slab { add("SLAB", frame) }
    }
    return found
  }

  /// Writes marks into a copy of a capture, registers too; the kinds that were marked.
  private static func plant(_ image: KernelImage, in file: inout Data) throws -> Set<String> {
    func number(_ at: Int, _ size: Int) -> UInt64 {
      (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(file[at + $1]) }
    }
    let headers = (0..<Int(number(56, 2))).map { Int(number(32, 8)) + 56 * $0 }
    var kinds: Set<String> = []
    for (kind, frames) in try frames(image) {
      for frame in frames {
        for header in headers where number(header, 4) == 1 {
          let start = number(header + 24, 8)
          guard frame >= start, frame - start < number(header + 32, 8) else { continue }
          let at = Int(number(header + 8, 8) + frame - start) + 256
          file.replaceSubrange(at..<(at + mark(kind).count), with: mark(kind))
          kinds.insert(kind)
        }
      }
    }
    // The ring's text, wherever the kernel has it; the general registers in QEMU's note.
    while let place = file.range(of: Data("BIOS-provided physical RAM map".utf8)) {
      file.replaceSubrange(
        place.lowerBound..<(place.lowerBound + mark("RING").count), with: mark("RING"))
      kinds.insert("RING")
    }
    // The laboratory's init fills a page of its own with this.
    while let place = file.range(of: Data("PTDUMP-LINT-USER-MEMORY-MARKER".utf8)) {
      file.replaceSubrange(
        place.lowerBound..<(place.lowerBound + mark("USER").count), with: mark("USER"))
      kinds.insert("USER")
    }
    if let note = file.range(of: Data("QEMU\0".utf8)) {
      let at = note.lowerBound + 8 + 8
      file.replaceSubrange(at..<(at + mark("REGISTER").count), with: mark("REGISTER"))
      kinds.insert("REGISTER")
    }
    return kinds
  }

  @Test(
    .enabled(if: !captures.isEmpty, "needs the laboratory's captures"), arguments: captures)
  func nothingPrivateIsKept(_ capture: Capture) throws {
    var file = try Data(contentsOf: URL(filePath: capture.path))
    let image = try KernelImage(ImageFile.open(path: capture.path))
    let kinds = try Self.plant(image, in: &file)
    #expect(kinds.isSuperset(of: ["VMALLOC", "SLAB", "RING", "REGISTER", capture.ownKind]))
    try Samples.withTemporaryFile { marked in
      try file.write(to: URL(filePath: marked))
      file = Data()
      let image = try KernelImage(ImageFile.open(path: marked))
      for keepsLog in [false, true] {
        let small = Data(Extract.make(image, keepLog: keepsLog))
        for kind in kinds {
          let isKept = small.range(of: Data(Self.mark(kind))) != nil
          #expect(isKept == (keepsLog && kind == "RING"), "\(kind)")
        }
      }
    }
  }
}
