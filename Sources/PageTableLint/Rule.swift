internal import KernelImages
internal import MemoryImages
internal import PageTables

/// One thing that tables can show to be wrong.
package struct Rule: Sendable {
  /// What a rule cannot do without.
  package enum Need: Sendable, Equatable {
    case physicalAddresses, directMapBase, noExecute, ptiOff, ptiOn, globalPages, selfTest,
      processes, kaslrOffset, imageSymbols, settledImage, efiMemoryAttributes, guardHole,
      invertedFrames, memoryMap, directPages, userHalf, structPage, log, encryption,
      expectations, exceptions

    /// The need in words, for a rule's page.
    package var inWords: String {
      switch self {
      case .physicalAddresses: "physical addresses (a memory image)"
      case .directMapBase: "the direct map's base known"
      case .noExecute: "the no-execute bit known to be in use"
      case .ptiOff: "page-table isolation known to be off"
      case .ptiOn: "page-table isolation known to be on"
      case .globalPages: "global pages not known to be out of use, or Xen's"
      case .processes: "the processes' tables"
      case .imageSymbols: "the kernel's symbols"
      case .settledImage: "a kernel that has write-protected its image"
      case .efiMemoryAttributes: "a log that names EFI's memory attributes table"
      case .guardHole: "a 64-bit kernel known to be 2.6.27 or later, and not Xen's"
      case .kaslrOffset: "how far KASLR moved the image"
      case .selfTest: "a CPA self-test in a log"
      case .invertedFrames: "a release from 4.19 on, 64 bits or PAE"
      case .structPage: "the kernel's struct page (a whole image with VMCOREINFO, 64 bits)"
      case .log: "a kernel log"
      case .expectations: "expectations in the configuration"
      case .exceptions: "exceptions in the configuration"
      case .encryption: "memory encryption known to be in use (AMD's SME)"
      case .userHalf: "tables with a user's half: a process's"
      case .directPages: "the kernel's own count of its direct map's pages"
      case .memoryMap: "the machine's memory map (/proc/iomem)"
      }
    }

    /// Why the rule does not run on `subject`; nil where it can.
    func missing(in subject: Subject) -> String? {
      switch self {
      case .physicalAddresses:
        subject.tables.allSatisfy { $0.space.hasPhysical }
          ? nil : "needs physical addresses: give a memory image"
      case .directMapBase:
        subject.facts.directMap == nil
          ? "needs the direct map's base (page_offset_base): the image's symbols tell it" : nil
      case .noExecute:
        switch subject.facts.nx?.value {
        case true: nil
        case false: "the no-execute bit is not in use"
        case nil: "not known whether the no-execute bit is in use: give --assume nx=on or nx=off"
        }
      case .ptiOff:
        switch subject.facts.pti?.value {
        case false: nil
        case true: "page-table isolation is on"
        case nil: "not known whether page-table isolation is on: give --assume pti=on or pti=off"
        }
      case .ptiOn:
        switch subject.facts.pti?.value {
        case true: nil
        case false: "page-table isolation is off"
        case nil: "not known whether page-table isolation is on: give --assume pti=on or pti=off"
        }
      case .globalPages:
        subject.facts.pge?.value == false
          ? "the processor's global pages are not in use"
          : subject.facts.xen?.value == true ? "Xen owns the global bit" : nil
      case .imageSymbols:
        subject.symbols == nil ? "needs the kernel's symbols: give --symbols" : nil
      case .settledImage:
        subject.imageIsSettled
          ? nil : "no page of the kernel image is read-only yet: taken before mark_rodata_ro()"
      case .efiMemoryAttributes:
        subject.log.map { $0.value.mentions("MEMATTR=") } == true
          ? nil : "no log that names EFI's memory attributes table (MEMATTR=)"
      case .guardHole:
        if subject.mode.addressBits == 32 {
          "32-bit kernels have no guard hole"
        } else if subject.facts.xen?.value == true {
          "Xen lives in the guard hole"
        } else {
          switch subject.facts.isAtLeast(2, 6, 27) {
          case true: nil
          case false: "kernels before 2.6.27 have their direct map there"
          case nil: "not known whether the kernel is 2.6.27 or later: give --release"
          }
        }
      case .kaslrOffset:
        subject.facts.kaslrOffset == nil ? "not known how far KASLR moved the image" : nil
      case .invertedFrames:
        subject.mode.invertedFrame == 0
          ? "the paging mode has no inverted frames"
          : subject.mayShareByAddress
            ? "the guest shares memory by an address bit, which shortens inverted frames"
            : subject.facts.isAtLeast(4, 19).map {
              $0 ? nil : "the kernel is older than 4.19"
            } ?? "not known whether the kernel is 4.19 or later: give --release"
      case .encryption:
        subject.mode.encryption == 0 ? "memory encryption is not known to be in use" : nil
      case .expectations:
        subject.configuration?.expectations.isEmpty == false
          ? nil : "no configuration has expectations"
      case .exceptions:
        subject.configuration?.exceptions.isEmpty == false
          ? nil : "no configuration has exceptions"
      case .log: subject.log == nil ? "needs a kernel log: give --log" : nil
      case .structPage:
        subject.image?.extract != nil
          ? "needs struct page: an extract does not hold it"
          : subject.image?.frameUse == nil
            ? "needs struct page: VMCOREINFO of a 64-bit kernel tells where it lies" : nil
      case .userHalf:
        subject.tables.contains { table in
          let half = table.space.mode.upperHalf
          return table.space.runs.prefix { $0.start < half }.contains(where: \.isLeaf)
        } ? nil : "no table with a user's half was read: give --table all"
      case .directPages:
        subject.facts.directPages == nil
          ? "needs the kernel's count (direct_pages_count): the image's symbols tell it" : nil
      case .memoryMap:
        subject.resources == nil
          ? "needs the machine's memory map (iomem_resource): the image's symbols tell it" : nil
      case .processes: subject.processes.isEmpty ? "needs processes: give --table all" : nil
      case .selfTest: subject.selfTests.isEmpty ? "no CPA self-test in a log: give --log" : nil
      }
    }
  }

  package let id: String
  package let name: String
  package let severity: Severity
  package let summary: String
  package let needs: [Need]
  /// Sections in plain text, each from its label on; docs/rules is made from them.
  ///
  /// What, Why, How Linux should look, False alarm, Fix, and References where there are some.
  package let documentation: String
  /// Whether the defect is a table's or a pointer's, so that anything may be wrong below it.
  package var explainsWhatLiesBelow = false
  /// The rules whose findings in the same place explain this one's.
  package var givesWayTo: Set<String> = []
  package let check: @Sendable (Rule, Subject) -> [Finding]

  package static let all: [Rule] = [
    writableExecutable,
    writableAliasOfReadonlyImage,
    writableAliasOfModuleText,
    executableDirectMap,
    executableKernelData,
    initMemoryLeftMapped,
    imageLeftoverMapping,
    writableKernelText,
    executableOutsideKnownAreas,
    efiWritableExecutable,
    userAccessibleKernel,
    userMapsKernelMemory,
    ptiUserHalfExecutable,
    ptiOvermapped,
    kernelHalfOutOfSync,
    l1tfVulnerableEntry,
    tablePageUserMapped,
    globalMixed,
    globalMissing,
    globalUnderPTI,
    globalUserPage,
    globalOnTable,
    globalNotPresent,
    globalDiffersBetweenTables,
    cpaNotShattered,
    largePageStraddlesSections,
    unshatteredAlias,
    overShattered,
    staleAttribute,
    directMapCountersDiffer,
    splitTableAttributes,
    poisonedPageStillMapped,
    permissionRequestNotApplied,
    memoryTypeAliasConflict,
    unexpectedPATBit,
    writeBackDevice,
    reservedBits,
    tableOutsideRAM,
    tableInFreeMemory,
    tableShared,
    tableSelfReference,
    notPresentRemnant,
    swapEntryInKernel,
    leafAtWrongLevel,
    emptyTable,
    directMapOffsetMismatch,
    imageOffsetMismatch,
    directMapOverHole,
    memoryMissingFromDirectMap,
    guardHolePopulated,
    areasOverlap,
    kaslrOff,
    cpuEntryAreaNotRandomised,
    encryptionBitMissing,
    tablePointerNotEncrypted,
    sizeMismatch,
    textGapOrOverlap,
    truncatedDump,
    unreadableTable,
    hiddenAttributeChange,
    markerOutOfPlace,
    earlyBootTables,
    unusedException,
    expiredException,
  ]

  /// The rule of that id or name.
  package static func named(_ text: String) -> Rule? {
    all.first { $0.id.lowercased() == text.lowercased() || $0.name == text }
  }
}
