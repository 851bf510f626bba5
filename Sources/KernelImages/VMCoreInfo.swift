internal import MemoryImages
internal import PageTables

/// What a kernel notes of itself for crash dumps: `KEY=VALUE` lines.
///
/// Source: kernel/vmcore_info.c and arch/x86/kernel/vmcore_info_64.c, 6.12.
package struct VMCoreInfo: Sendable {
  /// Where it was found.
  package let source: String
  package let bytes: [UInt8]
  private let values: [String: String]

  init(_ bytes: [UInt8], source: String) {
    self.bytes = bytes
    self.source = source
    var values: [String: String] = [:]
    for line in bytes.split(separator: 10) {
      guard let equals = line.firstIndex(of: 0x3d) else { continue }
      values[String(decoding: line[..<equals], as: UTF8.self)] =
        String(decoding: line[(equals + 1)...].prefix { $0 != 0 }, as: UTF8.self)
    }
    self.values = values
  }

  package subscript(key: String) -> String? { values[key] }

  /// A hexadecimal value, with or without `0x`.
  func hex(_ key: String) -> UInt64? { values[key].flatMap { UInt64(hexText: $0) } }

  /// The address of a symbol.
  package func symbol(_ name: String) -> UInt64? { hex("SYMBOL(\(name))") }

  /// The address of the kernel's top table, by whichever of its names a release notes.
  ///
  /// Source: kernel/kexec.c, 2.6.26 (swapper_pg_dir), and `arch_crash_save_vmcoreinfo`,
  /// arch/x86/kernel/machine_kexec_64.c, 2.6.26 to 4.14.
  package func topTable(_ architecture: any Architecture) -> UInt64? {
    symbol("swapper_pg_dir") ?? architecture.topTableNames.lazy.compactMap(symbol).first
  }

  /// A number, which the kernel writes in signed decimal or in hexadecimal after `0x`.
  package func number(_ name: String) -> UInt64? {
    guard let text = values["NUMBER(\(name))"] else { return nil }
    return text.hasPrefix("0x")
      ? UInt64(hexText: text) : Int64(text).map { UInt64(bitPattern: $0) }
  }

  func offset(_ field: String) -> UInt64? { values["OFFSET(\(field))"].flatMap { UInt64($0) } }
  func size(_ type: String) -> Int? { values["SIZE(\(type))"].flatMap { Int($0) } }

  /// The bit of an entry that says that the memory is encrypted (AMD's SME); nil without.
  var encryptionMask: UInt64? { number("sme_mask").flatMap { $0 == 0 ? nil : $0 } }

  /// Whether some key speaks of `text`.
  func mentions(_ text: String) -> Bool { values.keys.contains { $0.contains(text) } }

  /// What the note lacks that every kernel writes: it was cut off or changed.
  func contradictions(_ architecture: any Architecture) -> [String] {
    var found: [String] = []
    for key in ["OSRELEASE", "SYMBOL(_stext)"] where self[key] == nil {
      found.append("VMCOREINFO lacks \(key): it is cut off or damaged")
    }
    if topTable(architecture) == nil {
      found.append("VMCOREINFO lacks SYMBOL(swapper_pg_dir): it is cut off or damaged")
    }
    return found
  }

  /// The kernel's own note, as the image carries it.
  static func note(in image: any MemoryImage) -> VMCoreInfo? {
    image.notes.first { $0.name == "VMCOREINFO" }.map { VMCoreInfo($0.bytes, source: "VMCOREINFO") }
  }

  /// Each kernel that ran since the memory was cleared leaves one; a hostile image is full of them.
  private static let mostCopies = 256

  /// The kernel's own copies in its memory, where no note brings one: each starts a page.
  ///
  /// Source: `crash_save_vmcoreinfo_init`, kernel/vmcore_info.c, 6.12 (`get_zeroed_page`).
  static func copies(in image: any MemoryImage) -> [VMCoreInfo] {
    let start = Array("OSRELEASE=".utf8)
    var found: [VMCoreInfo] = []
    image.forEachPage { address, isHere in
      guard found.count < mostCopies, isHere(start),
        let page = try? image.read(at: address, count: 4096)
      else { return }
      found.append(
        VMCoreInfo(page, source: "VMCOREINFO in memory at \(address.entry)"))
    }
    return found
  }
}
