internal import KernelImages
internal import PageTables

/// Where an address lies by the layout of the release that a log names, and what it is known as.
///
/// Source: Documentation/arch/x86/x86_64/mm.rst, 4.20 and 6.12, and Documentation/x86/x86_64/mm.txt,
/// 2.6.27 to 4.19.
struct AddressPlace {
  private(set) var area: String?
  private(set) var words: String?

  init(_ fault: Fault, facts: LogFacts, release: String?) {
    guard let address = fault.address else { return }
    let mode = fault.mode
    words = Self.known(address, mode)
    guard fault.isCanonical(address, mode) else { return }
    if address < mode.upperHalf {
      area = Area.Kind.user.name
    } else if mode.addressBits > 32 {
      let numbers = Self.numbers(facts.release ?? release)
      area = Self.area(address, mode, numbers, isFixed: facts.hasFixedLayout)?.name
    }
  }

  private static func numbers(_ release: String?) -> [Int]? {
    guard let parts = release?.split(separator: ".").prefix(3), parts.count > 1 else { return nil }
    let numbers = parts.map { Int($0.prefix { $0.isNumber }) ?? 0 }
    return numbers
  }

  private static func isAtLeast(_ numbers: [Int]?, _ wanted: [Int]) -> Bool {
    guard let numbers else { return true }
    return !numbers.lexicographicallyPrecedes(wanted)
  }

  private static func area(
    _ address: UInt64, _ mode: TableFormat, _ release: [Int]?, isFixed: Bool
  ) -> Area.Kind? {
    let fixed = Layout.x86_64Fixed(mode: mode).area(of: address)
    switch fixed.kind {
    case .image:
      // KERNEL_IMAGE_SIZE was 512 MiB before KASLR, and modules followed it; before 2.6.25 they lay
      // at 0xffffffff88000000.
      if !isAtLeast(release, [2, 6, 25]), address >= 0xffff_ffff_8800_0000 { return .modules }
      return !isAtLeast(release, [3, 14]) && address >= 0xffff_ffff_a000_0000 ? .modules : .image
    case .guardHole where !isAtLeast(release, [2, 6, 27]):
      return address >= 0xffff_8100_0000_0000 ? .directMap : nil
    case .other, .guardHole: break
    default: return fixed.kind
    }
    if fixed.kind == .guardHole { return release == nil ? nil : .guardHole }
    if mode.levels.count == 5 { return fiveLevels(address) }
    // KASLR moves these three since 4.8; where the direct map's first TiB lies by default, it lies
    // there without KASLR alone.
    let base: UInt64 = isAtLeast(release, [4, 20]) ? 0xffff_8880_0000_0000 : 0xffff_8800_0000_0000
    let isSettled = isFixed || !isAtLeast(release, [4, 8])
    if address >= base, address < base &+ (isSettled ? 64 << 40 : 1 << 40) { return .directMap }
    guard isSettled || address >= 0xffff_c900_0000_0000 else { return nil }
    if (0xffff_c900_0000_0000..<0xffff_e900_0000_0000).contains(address), isSettled {
      return .vmalloc
    }
    if (0xffff_ea00_0000_0000..<0xffff_eb00_0000_0000).contains(address), isSettled {
      return .vmemmap
    }
    return nil
  }

  private static func fiveLevels(_ address: UInt64) -> Area.Kind? {
    let base: UInt64 = 0xff11_0000_0000_0000
    return address >= base && address < base &+ (1 << 40) ? .directMap : nil
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
