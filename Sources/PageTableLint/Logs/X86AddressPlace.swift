internal import KernelImages
internal import KernelText
internal import PageTables

/// Where an address lies by the layout of the release that a log names, and what it is known as.
///
/// The layouts are those of `X86Plan`.
struct AddressPlace {
  private(set) var area: String?
  private(set) var words: String?

  init(area: String?, words: String?) {
    self.area = area
    self.words = words
  }

  init(_ fault: Fault, facts: LogFacts, release: String?) {
    guard let address = fault.address else { return }
    let mode = fault.mode
    words = Self.known(address, mode)
    guard fault.isCanonical(address, mode) else { return }
    if address < mode.upperHalf {
      area = Area.Kind.user.name
    } else if mode.addressBits > 32 {
      let version =
        (facts.release ?? release).flatMap { KernelVersion(release: $0) }
        ?? Self.release(byFolder: fault.quote)
      area = Self.area(address, mode, version, isFixed: facts.hasFixedLayout)?.name
      if area == nil, Self.leadsToItsFrame(address, fault, version) {
        area = Area.Kind.directMap.name
      }
    }
  }

  /// The last release whose lines name the folder that a line names.
  ///
  /// Source: arch/x86_64 became a part of arch/x86 in 2.6.24.
  private static func release(byFolder line: String) -> KernelVersion? {
    line.mentions("arch/x86_64/") ? KernelVersion(2, 6, 23) : nil
  }

  /// Whether a leaf that the report prints has the frame that a direct map has at the address: where
  /// it lies without KASLR, or at a whole GiB, to which KASLR moves it.
  ///
  /// Source: `kernel_randomize_memory`, arch/x86/mm/kaslr.c, 4.8: multiples of PUD_SIZE.
  private static func leadsToItsFrame(
    _ address: UInt64, _ fault: Fault, _ release: KernelVersion?
  ) -> Bool {
    let format = TableFormat.x86_64
    guard fault.mode.addressBits > 32,
      let leaf = fault.entries.first(where: { entry in
        entry.value & format.present != 0
          && (entry.name == "pte" || entry.value & format.large != 0)
      })
    else { return false }
    let level = leaf.name == "pte" ? 1 : leaf.name == "pmd" ? 2 : 3
    let span = format.level(level).span
    let frame = leaf.value & format.tableAddress & ~(span - 1)
    guard frame != 0 else { return false }
    let plans = X86Plan.plans(format, nil)
    if plans.contains(where: {
      address >= $0.directMap && (address - $0.directMap) & ~(span - 1) == frame
    }) {
      return true
    }
    // Of 4K pages elsewhere one in 262,144 has such a frame.
    let base = (address & ~(span - 1)) &- frame
    let mayMove = release.map { $0 >= X86Plan.movesAreas } ?? true
    return level == 1 && mayMove && base & (1 << 30 - 1) == 0 && base <= address
      && X86Plan.movedDirectMaps.contains(base)
  }

  private static func area(
    _ address: UInt64, _ mode: TableFormat, _ release: KernelVersion?, isFixed: Bool
  ) -> Area.Kind? {
    let fixed = Layout.x86_64Fixed(mode: mode).area(of: address)
    if fixed.kind == .image {
      return X86Plan.modules(release).map { address >= $0 } == true ? .modules : .image
    }
    guard [.other, .guardHole].contains(fixed.kind) else { return fixed.kind }
    // What names no release is taken for today's.
    let plans = X86Plan.plans(mode, release).filter { release != nil || $0.before == nil }
    // Where the direct map's first TiB lies by default, it lies there without KASLR alone.
    let isSettled = isFixed || release.map { $0 < X86Plan.movesAreas } == true
    let tebibyte: UInt64 = 1 << 40
    func isIn(_ start: UInt64, _ size: UInt64) -> Bool {
      address >= start && address - start < size
    }
    if plans.contains(where: { isIn($0.directMap, isSettled ? 64 * tebibyte : tebibyte) }) {
      return .directMap
    }
    if fixed.kind == .guardHole { return release == nil ? nil : .guardHole }
    guard isSettled, mode.levels.count == 4 else { return nil }
    if plans.contains(where: { isIn($0.vmalloc, 32 * tebibyte) }) { return .vmalloc }
    if plans.contains(where: { isIn($0.vmemmap, tebibyte) }) { return .vmemmap }
    return nil
  }

  // MARK: - Names

  private static let shadowOffset: UInt64 = 0xdfff_fc00_0000_0000
  private static let leastError: UInt64 = 4095

  /// A null pointer, an error in place of a pointer, KASAN's shadow, a poisoned pointer.
  private static func known(_ address: UInt64, _ mode: TableFormat) -> String? {
    if address < 4096 {
      return "a null pointer" + (address == 0 ? "" : " with the offset \(address.entry)")
    }
    let negative = (0 &- address) & mode.top
    if negative <= leastError {
      return "an error number in place of a pointer (-\(negative)), or what lies just below one"
    }
    guard mode.addressBits > 32 else { return nil }
    if (0xffff_ec00_0000_0000..<0xffff_fc00_0000_0000).contains(address) {
      return "KASAN's shadow of \(((address &- shadowOffset) << 3).address)"
    }
    if address >> 16 == shadowOffset >> 16 {
      return "KASAN's shadow of a null pointer (\(((address &- shadowOffset) << 3).address))"
    }
    if address >> 12 == 0xffff_ffff_ff60_0 { return "the vsyscall page" }
    let poisons: [(UInt64, String)] = [
      (0xdead, "a list entry that was removed"), (0x6b6b, "the poison of freed slab memory"),
      (0x5a5a, "the poison of slab memory in use"),
    ]
    return poisons.first { address >> 48 == $0.0 }.map { "the pointer is \($0.1)" }
      ?? ascii(address)
  }

  private static func ascii(_ address: UInt64) -> String? {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: address >> UInt64(8 * $0)) }
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return nil }
    return "the pointer's bytes are text, \"\(String(decoding: bytes, as: UTF8.self))\""
  }
}
