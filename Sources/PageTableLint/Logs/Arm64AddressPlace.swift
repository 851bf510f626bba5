internal import KernelImages
internal import KernelText
internal import PageTables

extension AddressPlace {
  /// Where an arm64 address lies: in the half of user space, or in the direct map, which has been the
  /// lower half of the kernel's since 5.4 and was the upper one before.
  ///
  /// Source: arch/arm64/include/asm/memory.h, 4.14 and 5.4 (14c127c957c1); KASLR moves what lies in
  /// the direct map, not the map.
  static func arm64(_ fault: Fault, facts: LogFacts, release: String?) -> AddressPlace {
    let mode = fault.mode
    guard let address = fault.address else { return AddressPlace(area: nil, words: nil) }
    let words = known(address, upperHalf: mode.upperHalf)
    guard mode.isCanonical(address) else { return AddressPlace(area: nil, words: words) }
    if address < mode.upperHalf {
      return AddressPlace(area: Area.Kind.user.name, words: words)
    }
    let version = (facts.release ?? release).flatMap { KernelVersion(release: $0) }
    let span = ~mode.upperHalf &+ 1
    // KASAN's shadow takes the upper eighth of the half at most.
    let isDirectMap =
      version.map {
        $0 < KernelVersion(5, 4)
          ? address >= mode.upperHalf &+ span / 2 : address < mode.upperHalf &+ span / 8 * 3
      } ?? false
    return AddressPlace(area: isDirectMap ? Area.Kind.directMap.name : nil, words: words)
  }

  private static func known(_ address: UInt64, upperHalf: UInt64) -> String? {
    if address < 4096 {
      return "a null pointer" + (address == 0 ? "" : " with the offset \(address.entry)")
    }
    let negative = 0 &- address
    if negative <= 4095 {
      return "an error number in place of a pointer (-\(negative)), or what lies just below one"
    }
    if address >> 16 == 0xdfff_8000_0000 {
      return "KASAN's shadow of a null pointer"
    }
    let tag = address >> 56
    if tag != 0, tag != 0xff, address >> 55 & 1 == 1 {
      return "the pointer has a tag (\(tag.entry)) or a failed signature in its upper bits"
    }
    return nil
  }
}
