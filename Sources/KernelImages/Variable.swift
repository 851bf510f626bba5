internal import MemoryImages
package import PageTables

/// The kernel's variables whose values facts come from, and which an extract keeps as values.
package enum Variable {
  /// The virtual address of the EFI tables' root.
  static let efiRoot = "efi_mm.pgd"

  /// How many leaves of 4K, of the next and of the third size the kernel counts in its direct map:
  /// elements of an array of `long` by `enum pg_level`.
  ///
  /// Source: arch/x86/mm/pat/set_memory.c, 6.12.
  static let directPages = (1...3).map { "direct_pages_count[\($0)]" }
  /// A pointer to the first of KFENCE's pages.
  static let kfencePool = "__kfence_pool"
  /// Pointers to what kexec has loaded: a kernel to boot, and one for a crash.
  static let kexecImages = ["kexec_image", "kexec_crash_image"]
  /// The name that an extract keeps the page of an image's control code by: a pointer to a
  /// `struct page`.
  static func controlPage(of image: String) -> String { "\(image)->control_code_page" }
  /// The last byte that the machine's physical addresses have room for: the second field of the root
  /// of the resource tree.
  ///
  /// Source: `struct resource`, include/linux/ioport.h, 2.6.26 to 7.3.
  static let memoryEnd = "iomem_resource.end"
  /// An `enum system_states`.
  static let systemState = "system_state"

  /// The variables of an image, as far as they could be read.
  struct Values {
    let values: [String: UInt64]
    /// What the symbols name and the image does not hold.
    let problems: [String]

    /// - Parameter swapper: the virtual address of the kernel's top table.
    init(
      _ extract: Extract.Contents?, _ symbols: Symbols?, _ reader: VirtualReader, swapper: UInt64?
    ) {
      var values: [String: UInt64] = extract?.values ?? [:]
      var problems: [String] = []
      if extract == nil, let symbols {
        let architecture = reader.mode.architecture
        for name in architecture.variables {
          guard let (address, size) = Variable.place(of: name, symbols, reader.mode) else {
            continue
          }
          values[name] = reader.word(at: address, size: size)
          // The kernel takes NX, G and the like out of a mask, never the low bits.
          let isMask = values[name].map { $0 & 0x7f == 0x7f }
          if values[name] == nil, architecture.spareVariables.contains(name) { continue }
          if architecture.entryMasks.contains(name) ? isMask != true : values[name] == nil {
            problems.append(
              "\(name) at \(reader.mode.text(address)) "
                + (values[name].map { "holds \($0.entry), no mask" } ?? "is not in the image"))
            values[name] = nil
          }
        }
        values.merge(architecture.furtherValues(symbols) { reader.bytes(at: $0, count: $1) }) { $1 }
        for image in Variable.kexecImages {
          values[Variable.controlPage(of: image)] = Variable.readControlPage(image, symbols, reader)
        }
        values[Variable.efiRoot] = swapper.flatMap {
          Variable.readEFIRoot(symbols, swapper: $0, reader)
        }
      }
      self.values = values
      self.problems = problems
    }
  }

  /// Where a variable lies and the bytes that it has; nil where no symbol tells.
  package static func place(of name: String, _ symbols: Symbols, _ mode: TableFormat)
    -> (address: UInt64, size: Int)?
  {
    let architecture = mode.architecture
    let size =
      architecture.entryMasks.contains(name)
      ? mode.entrySize
      : architecture.flagVariables.contains(name)
        ? 1
        : [systemState, X86.xenDomainType, Arm64.secretUsers].contains(name)
          ? 4 : architecture.wordSize
    if name == memoryEnd {
      let size = mode.entrySize
      return symbols["iomem_resource"].map { ($0 &+ UInt64(size), size) }
    }
    // Some are elements of an array: `name[index]`.
    let parts = name.split(separator: "[")
    guard let index = parts.count == 2 ? UInt64(parts[1].dropLast()) : 0 else { return nil }
    return symbols[String(parts[0])].map { ($0 &+ index &* UInt64(size), size) }
  }

  /// The fifth word of a `struct kimage`; 0 where none is loaded.
  ///
  /// Source: include/linux/kexec.h, 2.6.32 to 7.3.
  fileprivate static func readControlPage(
    _ image: String, _ symbols: Symbols, _ reader: VirtualReader
  ) -> UInt64? {
    guard let place = symbols[image], let loaded = reader.word(at: place) else { return nil }
    return loaded == 0 ? 0 : reader.word(at: loaded &+ 4 * UInt64(reader.wordSize))
  }

  /// `pgd` lies in `efi_mm` where `init_mm` holds the address of the kernel's top table.
  fileprivate static func readEFIRoot(_ symbols: Symbols, swapper: UInt64, _ reader: VirtualReader)
    -> UInt64?
  {
    guard let mine = symbols["init_mm"], let efi = symbols["efi_mm"],
      let bytes = reader.bytes(at: mine, count: 1024)
    else { return nil }
    let size = reader.wordSize
    let place = stride(from: 0, to: 1024, by: size).first {
      bytes.number(at: $0, size: size) == swapper
    }
    return place.flatMap { reader.word(at: efi &+ UInt64($0)) }
  }
}
