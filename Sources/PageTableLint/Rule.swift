internal import KernelImages
internal import MemoryImages
internal import PageTables

/// One thing that tables can show to be wrong.
package struct Rule: Sendable {
  package let id: String
  package let name: String
  package let severity: Severity
  package let summary: String
  /// The architectures and word sizes whose tables it can judge.
  package var serves = Serves.all
  package let needs: [Need]
  /// Sections in plain text, each from its label on; docs/rules is made from them.
  ///
  /// What, Why, How Linux should look, False alarm, Fix, and References where there are some.
  package let documentation: String
  /// Whether the defect is a table's or a pointer's, so that anything may be wrong below it.
  package var explainsWhatLiesBelow = false
  /// Whether it holds mappings against others, counts them, or misses some: no part can show that.
  package var comparesParts = false
  /// Whether it looks at tables and their pointers, not at mappings.
  package var judgesTables = false
  /// Whether it judges what a kernel log reports, and needs no tables.
  var readsLogsAlone: Bool { !needs.isEmpty && needs.allSatisfy(\.isOfLogs) }
  /// The rules whose findings in the same place explain this one's.
  package var givesWayTo: Set<String> = []
  /// Judges the configuration's exceptions instead, when all other rules are done; the last argument
  /// has the indices of those that nothing needed.
  var checkExceptions: (@Sendable (Rule, Subject, [Int]) -> [Finding])?
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
    unusableKernelImage,
    efiWritableExecutable,
    processorProtectionOff,
    writablePageTable,
    writableAliasOfPageTable,
    writableByHardware,
    userAccessibleKernel,
    userMapsKernelMemory,
    ptiUserHalfExecutable,
    ptiOvermapped,
    kernelHalfOutOfSync,
    l1tfVulnerableEntry,
    tablePageUserMapped,
    userTwinDiffers,
    kernelOpenToUserCode,
    userMemoryOpenToKernelCode,
    trampolineTableWrong,
    branchTargetGuardMixed,
    globalMixed,
    globalMissing,
    globalUnderPTI,
    globalUserPage,
    globalOnTable,
    globalNotPresent,
    globalDiffersBetweenTables,
    xenPageUnmarked,
    notGlobalMixed,
    cpaNotShattered,
    largePageStraddlesSections,
    unshatteredAlias,
    overShattered,
    staleAttribute,
    directMapCountersDiffer,
    splitTableAttributes,
    poisonedPageStillMapped,
    permissionRequestNotApplied,
    contiguousGroupBroken,
    tablePointerTakesRights,
    memoryTypeAliasConflict,
    unexpectedPATBit,
    writeBackDevice,
    executableDeviceMemory,
    uncachedDirectMap,
    memoryTagsLost,
    sharingOdd,
    reservedBits,
    tableOutsideRAM,
    tableInFreeMemory,
    tableShared,
    tableSelfReference,
    notPresentRemnant,
    swapEntryInKernel,
    leafAtWrongLevel,
    emptyTable,
    invalidKernelEntry,
    accessFlagMissing,
    directMapOffsetMismatch,
    imageOffsetMismatch,
    directMapOverHole,
    memoryMissingFromDirectMap,
    guardHolePopulated,
    areasOverlap,
    kaslrOff,
    cpuEntryAreaNotRandomised,
    vmemmapLeadsElsewhere,
    frameListsDisagree,
    cpuEntryAreaWrong,
    vmallocLeadsElsewhere,
    encryptionBitMissing,
    tablePointerNotEncrypted,
    kernelFault,
    corruptedEntry,
    badPageMap,
    writeExecuteReport,
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

  /// Why the rule does not run on `subject`; nil where it can.
  func missing(in subject: Subject) -> String? {
    serves.missing(in: subject) ?? unmet(in: subject)?.missing(subject)
  }

  /// The first of its needs that is not met.
  private func unmet(in subject: Subject) -> Need? {
    needs.first { $0.missing(subject) != nil }
  }

  /// Whether it does not run because the kernel's symbols were not found.
  func lacksSymbols(in subject: Subject) -> Bool {
    subject.lacksSymbols && serves.missing(in: subject) == nil
      && unmet(in: subject)?.isToldBySymbols(subject) == true
  }

  /// Said of a check that found nothing that it could look at, though all its needs were met.
  package static let sawNothing = "the input has nothing that it judges"

  /// The rule of that id or name.
  package static func named(_ text: String) -> Rule? {
    all.first { $0.id.lowercased() == text.lowercased() || $0.name == text }
  }
}
