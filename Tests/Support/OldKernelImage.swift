internal import Foundation
package import KernelImages
package import MemoryImages

/// A memory image of a kernel of 64 bits before 5.10, declared: its tables, its note, and what its
/// variables hold.
///
/// The kernel is linked to 0xffffffff81000000. Its first 2M page holds its tables and variables.
package struct OldKernelImage: Sendable {
  /// The virtual addresses of what the image's first page and the next ones hold.
  package enum Place {
    package static let text: UInt64 = 0xffff_ffff_8100_0000
    package static let top = text + 0x1000
    package static let variables = text + 0x6000
    package static let buffer = text + 0x8000
    package static let kallsyms = text + 0x4_0000
  }

  package var release: String
  /// What the note says beside release, text and tables.
  package var lines: [String] = []
  /// The name of the top table.
  package var top: String
  /// What the image lies above its link address.
  package var physBase: UInt64
  package var directMap: UInt64
  /// The defect of 2008: the first GiB of the direct map is not global.
  package var lacksG = false
  /// By address in `Place.variables`: value and bytes.
  package var variables: [UInt64: (value: UInt64, size: Int)] = [:]
  package var buffer: [UInt8] = []
  /// At `Place.kallsyms`.
  package var kallsyms: [UInt8] = []

  package init(
    release: String = "2.6.32-754.el6.x86_64", top: String = "swapper_pg_dir",
    physBase: UInt64 = 0, directMap: UInt64 = 0xffff_8800_0000_0000
  ) {
    self.release = release
    self.top = top
    self.physBase = physBase
    self.directMap = directMap
  }

  private func page(_ entries: [Int: UInt64]) -> [UInt8] {
    (0..<512).flatMap { index in
      (0..<8).map { UInt8(truncatingIfNeeded: (entries[index] ?? 0) >> (8 * $0)) }
    }
  }

  /// By physical address.
  private var tables: [UInt64: [UInt8]] {
    let image = 0x100_0000 &+ physBase
    func at(_ offset: UInt64) -> UInt64 { image + offset }
    let (slot, gigabyte) = (Int(directMap >> 39 & 511), Int(directMap >> 30 & 511))
    let leaf: UInt64 = 0x8000_0000_0000_01e3
    let first = lacksG ? leaf & ~0x100 : leaf
    return [
      at(0): page([:]),
      at(0x1000): page([slot: at(0x2000) | 0x63, 511: at(0x4000) | 0x63]),
      at(0x2000): page([gigabyte: at(0x3000) | 0x63, gigabyte + 1: at(0x7000) | 0x63]),
      // The first two GiB: 2M pages, no-execute, global.
      at(0x3000): page(
        Dictionary(uniqueKeysWithValues: (0..<512).map { ($0, first + UInt64($0) << 21) })),
      at(0x7000): page(
        Dictionary(uniqueKeysWithValues: (0..<512).map { ($0, leaf + UInt64($0 + 512) << 21) })),
      at(0x4000): page([510: at(0x5000) | 0x63]),
      // The image: text read-only, the rest written.
      at(0x5000): page([8: image | 0x1e1, 9: leaf | (image + 0x20_0000)]),
    ]
  }

  package var core: ELFCore {
    let image = 0x100_0000 &+ physBase
    var pages = tables
    var page = [UInt8](repeating: 0, count: 4096)
    for (address, variable) in variables {
      for byte in 0..<variable.size {
        page[Int(address - Place.variables) + byte] = UInt8(
          truncatingIfNeeded: variable.value >> UInt64(8 * byte))
      }
    }
    pages[image + 0x6000] = page
    for (bytes, place) in [(buffer, Place.buffer), (kallsyms, Place.kallsyms)] {
      for start in stride(from: 0, to: bytes.count, by: 4096) {
        let part = Array(bytes[start..<min(start + 4096, bytes.count)])
        pages[image + (place - Place.text) + UInt64(start)] =
          part + [UInt8](repeating: 0, count: 4096 - part.count)
      }
    }
    var core = ELFCore()
    let note =
      [
        "OSRELEASE=\(release)", "PAGESIZE=4096",
        "SYMBOL(\(top))=\(String(Place.top, radix: 16))",
        "SYMBOL(_stext)=\(String(Place.text, radix: 16))",
      ] + lines
    core.notes = [
      ELFCore.Note(name: "VMCOREINFO", bytes: Array((note.joined(separator: "\n") + "\n").utf8))
    ]
    for (address, page) in pages.sorted(by: { $0.key < $1.key }) {
      core.add(page: page, at: address)
    }
    return core
  }

  package func read() throws -> KernelImage { try Self.read(core.encoded()) }

  package static func read(_ bytes: [UInt8]) throws -> KernelImage {
    try Samples.withTemporaryFile { path in
      try Data(bytes).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path))
    }
  }

  /// Says where a variable lies, and what it holds.
  package mutating func set(_ name: String, _ offset: UInt64, _ value: UInt64, size: Int) {
    let address = Place.variables + offset
    variables[address] = (value, size)
    lines.append("SYMBOL(\(name))=\(String(address, radix: 16))")
  }
}

/// The kernel's own symbol table as kernels before 4.6 have it: whole addresses, and longs for the
/// number of symbols and the markers.
///
/// Source: scripts/kallsyms.c, `write_src`, 2.6.26 and 4.5.
package enum OldKallsyms {
  /// The tables, one behind the other, each at a multiple of a long.
  ///
  /// - Parameters:
  ///   - symbols: by rising address.
  ///   - word: the bytes of a long.
  package static func bytes(
    _ symbols: [(name: String, address: UInt64)], word: Int
  ) -> [UInt8] {
    var addresses: [UInt8] = []
    var names: [UInt8] = []
    var markers: [UInt8] = []
    for (number, symbol) in symbols.enumerated() {
      addresses.append(symbol.address, size: word)
      if number & 255 == 0 { markers.append(UInt64(names.count), size: word) }
      names += [UInt8(symbol.name.utf8.count + 1), UInt8(ascii: "T")] + Array(symbol.name.utf8)
    }
    // Each token is the letter of its number; those of no name's letters are empty.
    let letters = Set(symbols.flatMap(\.name.utf8) + "T0123456789".utf8)
    var tokens: [UInt8] = []
    var index: [UInt8] = []
    for token in UInt8.min...UInt8.max {
      index.append(UInt64(tokens.count), size: 2)
      tokens += letters.contains(token) ? [token, 0] : [0]
    }
    var count: [UInt8] = []
    count.append(UInt64(symbols.count), size: word)
    return [addresses, count, names, markers, tokens, index].reduce(into: []) { bytes, table in
      bytes += [UInt8](repeating: 0, count: (word - bytes.count % word) % word) + table
    }
  }
}
