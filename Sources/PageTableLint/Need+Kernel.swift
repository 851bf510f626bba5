internal import KernelImages
internal import KernelText
internal import MemoryImages
internal import PageTables

/// Where things lie.
extension Rule.Need {
  static let directMapBase = Rule.Need(
    "the direct map's base known",
    "needs the direct map's base (page_offset_base): the image's symbols tell it"
  ) { $0.facts.directMap != nil }.toldBySymbols()

  static func area(_ kind: Area.Kind) -> Rule.Need {
    Rule.Need(
      "the place of the area \"\(kind.name)\" known",
      "not known where the area \"\(kind.name)\" lies"
    ) { $0.kernel.layout.first(kind) != nil }
  }

  static let kaslrOffset = Rule.Need(
    "how far KASLR moved the image", "not known how far KASLR moved the image"
  ) { $0.facts.kaslrOffset != nil }

  static let kaslrOn = Rule.Need("KASLR in use", "KASLR is off") {
    $0.facts.kaslrOffset?.value != 0
  }

  static let physBase = Rule.Need(
    "where the kernel image lies in memory (phys_base)",
    "not known where the kernel image lies in memory (phys_base)"
  ) { $0.facts.physBase != nil }

  static let imageFrames = Rule.Need(
    "the kernel image's frames", "not known which frames the kernel image has"
  ) { $0.image?.imageFrames != nil }.toldBySymbols()

  static let readOnlyParts = Rule.Need("the symbols of the kernel's text or rodata") { subject in
    subject.symbols == nil
      ? "needs the kernel's symbols: give --symbols"
      : subject.image?.readOnlyParts.isEmpty != false
        ? "the kernel's symbols do not tell where its text and rodata lie" : nil
  }.toldBySymbols()

  static let largeDirectMap = Rule.Need(
    "a kernel that is not known to want small pages in its direct map",
    "the kernel wants small pages in its direct map (arm64: rodata=full, KFENCE)"
  ) { subject in
    subject.image.map { subject.architecture.wantsSmallDirectMap($0.values) != true } ?? true
  }

  static let protectedAliases = Rule.Need(
    "a kernel known to make code read-only in the direct map, too (arm64: rodata=full)"
  ) { subject in
    switch subject.architecture.protectsAliases(subject.image?.values ?? [:]) {
    case true: nil
    case false: "without rodata=full the direct map's alias of code stays writable"
    case nil: "not known whether the kernel runs with rodata=full (rodata_full)"
    }
  }.toldBySymbols { $0.architecture.protectsAliases($0.image?.values ?? [:]) == nil }

  /// Symbols that a rule cannot do without.
  static func symbols(_ names: String...) -> Rule.Need {
    Rule.Need("the kernel's symbols (\(names.joined(separator: ", ")))") { subject in
      guard let symbols = subject.symbols else {
        return "needs the kernel's symbols: give --symbols"
      }
      let lacking = names.filter { symbols[$0] == nil }
      return lacking.isEmpty ? nil : "the kernel's symbols lack \(lacking.joined(separator: ", "))"
    }.toldBySymbols()
  }

  /// Sections between two symbols each, of a whole page at least.
  static func sections(_ sections: (start: String, end: String)...) -> Rule.Need {
    let words = sections.map { "\($0.start) to \($0.end)" }.joined(separator: ", ")
    return Rule.Need("the kernel's symbols (\(words))") { subject in
      guard subject.symbols != nil else { return "needs the kernel's symbols: give --symbols" }
      let lacking = sections.first { subject.section($0.start, $0.end) == nil }
      return lacking.map { "the kernel's symbols tell no page from \($0.start) to \($0.end)" }
    }.toldBySymbols()
  }

  /// Where the image lies among vmalloc's addresses, its end tells which of them are its own.
  static let imageApart = Rule.Need(
    "the border between the kernel image and vmalloc known",
    "the kernel's symbols do not tell where the image ends among vmalloc's addresses"
  ) { $0.imageSpace != nil || $0.image?.imageFrames != nil }.toldBySymbols()

  static let imageInItsSpace = Rule.Need(
    "the kernel image in the space that is kept for it",
    "the kernel image does not lie in the space that is kept for it"
  ) { subject in
    guard let space = subject.imageSpace, let image = subject.imageMapping else { return false }
    return space.contains(image.lowerBound)
  }.toldBySymbols()
}

/// What the kernel is, and how it runs.
extension Rule.Need {
  static let noExecute = Rule.Need("the no-execute bit known to be in use") { subject in
    switch subject.facts.nx?.value {
    case true: nil
    case false: "the no-execute bit is not in use"
    case nil: "not known whether the no-execute bit is in use: give --assume nx=on or nx=off"
    }
  }.toldBySymbols { $0.facts.nx == nil }

  static let ptiOff = Rule.Need("page-table isolation known to be off") { subject in
    subject.facts.pti?.value == true ? "page-table isolation is on" : isolationUnknown(subject)
  }.toldBySymbols { $0.facts.pti == nil }

  static let ptiOn = Rule.Need("page-table isolation known to be on") { subject in
    subject.facts.pti?.value == false ? "page-table isolation is off" : isolationUnknown(subject)
  }.toldBySymbols { $0.facts.pti == nil }

  private static func isolationUnknown(_ subject: Subject) -> String? {
    subject.facts.pti == nil
      ? "not known whether page-table isolation is on: give --assume pti=on or pti=off" : nil
  }

  static let globalPages = Rule.Need("global pages not known to be out of use, or Xen's") {
    subject in
    subject.facts.pge?.value == false
      ? "the processor's global pages are not in use"
      : subject.facts.xen?.value == true ? "Xen owns the global bit" : nil
  }

  /// No guest of Xen's without hardware's help.
  ///
  /// - Parameter reason: what Xen does that the rule would take for a defect.
  static func notXen(_ reason: String) -> Rule.Need {
    Rule.Need("a kernel that is not known to run under Xen (\(reason))", "under Xen: \(reason)") {
      $0.facts.xen?.value != true
    }
  }

  /// Frames by the kernel's own numbers.
  static let ownFrames = Rule.Need(
    "frames by the kernel's own numbers (under Xen, an image that tells them)",
    "under Xen: frames are the machine's"
  ) { $0.facts.xen?.value != true || $0.image?.guest != nil }

  /// A Xen PV guest's image, whose frames are known by both numbers.
  static let xenGuest = Rule.Need(
    "a Xen PV guest's tables in a memory image", "the kernel is not known to be a Xen PV guest"
  ) { $0.image?.guest != nil }

  static let bothFrameLists = Rule.Need(
    "Xen's own list of frames and the guest's", "the image does not hold Xen's list of frames"
  ) { $0.image?.guest?.hasBothLists == true }

  /// What a leaf alone does not show.
  static let upperLevels = Rule.Need(
    "the levels above the leaves, where Xen PV guests have NX",
    "under Xen: pmds have NX, which a text dump does not show: give a memory image"
  ) { $0.facts.xen?.value != true || $0.text == nil }

  static func release(_ major: Int, _ minor: Int) -> Rule.Need {
    Rule.Need("a release from \(major).\(minor) on") { subject in
      subject.facts.isAtLeast(major, minor).map {
        $0 ? nil : "the kernel is older than \(major).\(minor)"
      } ?? "not known whether the kernel is \(major).\(minor) or later: give --release"
    }.toldBySymbols { $0.facts.version == nil }
  }

  /// As `release`, but one that is not known may be judged.
  static func noReleaseBefore(_ major: Int, _ minor: Int, _ patch: Int = 0) -> Rule.Need {
    let release = KernelVersion(major, minor, patch)
    return Rule.Need(
      "a release that is not known to be before \(release.short)",
      "the kernel is older than \(release.short)"
    ) { $0.facts.isAtLeast(release) != false }
  }

  static let settledImage = Rule.Need(
    "a kernel that has write-protected its image",
    "no page of the kernel image is read-only: taken before mark_rodata_ro(), or a kernel without "
      + "CONFIG_STRICT_KERNEL_RWX (DEBUG_RODATA before 4.11)"
  ) { $0.imageIsSettled }

  static let guardHole = Rule.Need(
    "a 64-bit kernel known to be 2.6.27 or later, and not Xen's"
  ) { subject in
    if subject.facts.xen?.value == true { return "Xen lives in the guard hole" }
    return switch subject.facts.isAtLeast(2, 6, 27) {
    case true: nil
    case false: "kernels before 2.6.27 have their direct map there"
    case nil: "not known whether the kernel is 2.6.27 or later: give --release"
    }
  }

  static let invertedFrames = Rule.Need("a release from 4.19 on, 64 bits or PAE") { subject in
    subject.mode.invertedFrame == 0
      ? "the paging mode has no inverted frames"
      : subject.sharesByAddress == true
        ? "the guest shares memory by an address bit, which shortens inverted frames"
        : release(4, 19).missing(subject)
  }

  static let encryption = Rule.Need(
    "memory encryption known to be in use (AMD's SME)",
    "memory encryption is not known to be in use"
  ) { $0.mode.encryption != 0 }

  static let directPages = Rule.Need("the kernel's own count of its direct map's pages") {
    subject in
    guard let counted = subject.facts.directPages?.value else {
      return "needs the kernel's count (direct_pages_count): the image's symbols tell it"
    }
    return counted[1] > 0 ? nil : "the kernel counted no large pages (direct_pages_count)"
  }.toldBySymbols()

  /// What freed memory of init shows: executable pages, or under isolation any page at all.
  static let initProtection = Rule.Need(
    "the no-execute bit in use, or page-table isolation and a release from 4.19 on",
    "neither the no-execute bit nor page-table isolation from 4.19 on is known to be in use"
  ) { $0.facts.nx?.value == true || $0.initMemoryMustBeGone }

  static let sharedKernelHalf = Rule.Need(
    "processes that share the kernel's half (not PAE with page-table isolation)"
  ) { subject in
    switch subject.processesOwnKernelHalf {
    case true: "with PAE and page-table isolation each process has a kernel half of its own"
    case false: nil
    case nil: isolationUnknown(subject)
    }
  }
}
