internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// What a rule cannot do without.
  package struct Need: Sendable {
    /// The need in words, for a rule's page.
    package let inWords: String
    /// Whether a kernel log alone has it, without tables.
    let isOfLogs: Bool
    /// Why the rule does not run on a subject; nil where it can.
    let missing: @Sendable (Subject) -> String?
    /// Whether the kernel's symbols would meet it where it is not met.
    private(set) var isToldBySymbols: @Sendable (Subject) -> Bool = { _ in false }

    init(
      _ inWords: String, isOfLogs: Bool = false, missing: @escaping @Sendable (Subject) -> String?
    ) {
      self.inWords = inWords
      self.isOfLogs = isOfLogs
      self.missing = missing
    }

    /// A need that is not met under a condition, always for one reason.
    init(
      _ inWords: String, _ reason: String, isOfLogs: Bool = false,
      unless isMet: @escaping @Sendable (Subject) -> Bool
    ) {
      self.init(inWords, isOfLogs: isOfLogs) { isMet($0) ? nil : reason }
    }

    /// The same, of which the kernel's symbols tell what it asks for.
    ///
    /// - Parameter isUnknown: whether nothing has told it.
    func toldBySymbols(
      where isUnknown: @escaping @Sendable (Subject) -> Bool = { _ in true }
    ) -> Need {
      var need = self
      need.isToldBySymbols = isUnknown
      return need
    }
  }
}

/// What the input is.
extension Rule.Need {
  static let physicalAddresses = Rule.Need(
    "physical addresses (a memory image)", "needs physical addresses: give a memory image"
  ) { $0.tables.allSatisfy { $0.space.hasPhysical } }

  static let memoryImage = Rule.Need(
    "a memory image", "a text dump has no tables that could be missing"
  ) { $0.image != nil }

  static let textDump = Rule.Need("a text dump", "the input is no text dump") { $0.text != nil }

  static let processes = Rule.Need(
    "the processes' tables", "needs processes: give --table all"
  ) { !$0.processes.isEmpty }

  static let userHalf = Rule.Need(
    "tables with a user's half: a process's",
    "no table with a user's half was read: give --table all"
  ) { subject in
    subject.tables.contains { table in
      let half = table.space.mode.upperHalf
      return table.space.runs.prefix { $0.start < half }.contains(where: \.isLeaf)
    }
  }

  static let userTwin = Rule.Need(
    "the user's table of page-table isolation",
    "the user's table was not read: give an image, and no --table"
  ) { $0.userTwin != nil }

  /// Where the user's twin is given by its address, it stands for the kernel's table.
  static let kernelsOwnTable = Rule.Need(
    "the kernel's own table", "the user's table maps little of the kernel's half"
  ) { subject in
    subject.facts.pti?.value != true || subject.kernel.root.map(subject.isKernelsOwn) != false
  }

  static let efiTables = Rule.Need(
    "EFI's tables", "no table with EFI's runtime services was read: give --table efi"
  ) { subject in
    subject.tables.contains { $0.layout.runs(.efi, in: $0.space).contains(where: \.isLeaf) }
  }

  /// What cannot be read may hold the mapping that explains another one.
  static let wholeKernelHalf = Rule.Need(
    "a kernel's half that can be read whole", "a part of the kernel's half could not be read"
  ) { subject in
    let half = subject.mode.upperHalf
    return !subject.kernel.space.runs.contains { $0.kind == .unreadable && $0.start >= half }
  }

  static let selfTest = Rule.Need(
    "a CPA self-test in a log", "no CPA self-test in a log: give --log", isOfLogs: true
  ) { !$0.selfTests.isEmpty }

  static let log = Rule.Need("a kernel log", "needs a kernel log: give --log") { $0.log != nil }

  static let efiMemoryAttributes = Rule.Need(
    "a log that names EFI's memory attributes table",
    "no log that names EFI's memory attributes table (MEMATTR=)"
  ) { subject in subject.log.map { $0.value.mentions(.memoryAttributes) } == true }

  static let memoryMap = Rule.Need(
    "the machine's memory map (/proc/iomem)",
    "needs the machine's memory map (iomem_resource): the image's symbols tell it"
  ) { $0.resources != nil }.toldBySymbols()

  static let structPage = Rule.Need(
    "the kernel's struct page (a whole image with VMCOREINFO, 64 bits)"
  ) { subject in
    subject.image?.extract != nil
      ? "needs struct page: an extract does not hold it"
      : subject.image?.frameUse == nil
        ? "needs struct page: VMCOREINFO of a 64-bit kernel tells where it lies" : nil
  }

  static let expectations = Rule.Need(
    "expectations in the configuration", "no configuration has expectations"
  ) { $0.configuration?.expectations.isEmpty == false }

  static let exceptions = Rule.Need(
    "exceptions in the configuration", "no configuration has exceptions"
  ) { $0.configuration?.exceptions.isEmpty == false }
}
