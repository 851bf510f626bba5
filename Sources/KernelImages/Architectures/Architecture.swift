package import KernelText
package import MemoryImages
package import PageTables

/// Where the kernel of one kind of machine keeps its tables, and what tells it.
///
/// Each architecture is one value, and nothing outside of it asks for a machine or a word size by
/// name: what differs has a word here. A new one is added to `architectures`.
package protocol Architecture: Sendable {
  /// As reports name it: `x86-64`.
  var name: String { get }
  var machine: Machine { get }
  /// The formats that its kernels may run.
  var formats: [TableFormat] { get }
  /// The bytes of a pointer and of a `long`.
  var wordSize: Int { get }

  /// The bits of an entry that the processor sets by itself when it uses the memory.
  var usageBits: UInt64 { get }

  // MARK: The kernel image

  /// The addresses that only the image may have; nil where there are none.
  var imageSpace: ClosedRange<UInt64>? { get }
  /// Whether the kernel image is mapped nowhere but in the direct map.
  var imageIsInDirectMap: Bool { get }
  /// KASLR moves the image by multiples of this.
  var imageAlignment: UInt64 { get }
  /// The symbols of the kernel's own top table, the newest first.
  var topTableNames: [String] { get }
  /// The symbol from which the image is executable, up to `_etext`.
  var codeStart: String { get }
  /// What is given back of the image when init ends, from one symbol to another.
  var freedSections: [(start: String, end: String)] { get }
  /// What stays read-only of the image, from one symbol to another.
  var readOnlySections: [(start: String, end: String)] { get }
  /// The symbols of the tables of KASAN's early shadow, by level.
  var shadowTables: [(level: Int, name: String)] { get }
  /// The variables that facts come from, in the order in which an extract lists them.
  var variables: [String] { get }
  /// Those of them that an image may lack without being damaged for that.
  var spareVariables: Set<String> { get }
  /// Those of them that have the size of an entry.
  var entryMasks: Set<String> { get }
  /// Those of them that are a `bool`.
  var flagVariables: Set<String> { get }

  /// Whether the kernel is past the step that protects its image, by its variables; nil where they do not
  /// tell.
  func hasProtectedImage(_ values: [String: UInt64], _ facts: KernelFacts) -> Bool?
  /// The symbols of the pages that are read-only before the rest of the image is.
  var earlyReadOnlySymbols: [String] { get }
  /// What the kernel logs when it write-protects its image; nil where it says nothing.
  var protectionMessage: String? { get }

  // MARK: Roots

  /// The processors' registers in an image's notes.
  func processors(in notes: [ImageNote]) -> [KernelImage.CPUState]
  /// The parts of a processor's note that an extract keeps, since the rest may hold a program's data; nil
  /// for another note.
  func keptRegisters(in note: ImageNote) -> [Range<Int>]?
  /// The formats that the kernel may run, the likeliest first.
  func likelyFormats(_ cpu: KernelImage.CPUState?, _ info: VMCoreInfo?) -> [TableFormat]
  /// What the image's virtual addresses may lie above its physical ones, the likeliest first.
  func imageOffsets(_ info: VMCoreInfo, _ memory: any MemoryImage) -> [UInt64]
  /// All that they may be where nothing tells, and the image is to be looked for.
  func possibleImageOffsets(_ info: VMCoreInfo, _ memory: any MemoryImage) -> [UInt64]
  /// A format as a kernel with that offset uses it.
  func format(_ format: TableFormat, imageOffset: UInt64, _ info: VMCoreInfo) -> TableFormat
  /// The tables that a processor may have used as the kernel's, the likeliest first.
  func roots(of cpu: KernelImage.CPUState, _ format: TableFormat) -> [(
    address: UInt64, source: String
  )]
  /// The kernel's top table by what memory holds, where neither a note nor a register tells; nil where
  /// that cannot be known.
  func rootByContent(in memory: any MemoryImage) -> (format: TableFormat, address: UInt64)?
  /// Whether nothing but the kernel's own note tells where its areas lie.
  var areasNeedNote: Bool { get }
  /// Where a processor's tables begin in the kernel's top table, which may be longer.
  func root(inTopTable address: UInt64, _ format: TableFormat, _ info: VMCoreInfo) -> UInt64
  /// The top table of the user's half beside a top table, under isolation.
  func userTwin(of root: UInt64, _ format: TableFormat) -> UInt64
  /// Whether a root is of the kernel's half, where each half has one of its own.
  func isOfKernelHalf(_ root: UInt64, beside own: UInt64, _ format: TableFormat) -> Bool
  /// How the tables of the other half are read, where each half has a root of its own.
  func lowerHalf(_ format: TableFormat) -> TableFormat
  /// The protections that a processor's registers turn on or off; none of one that does not run.
  func protections(in registers: [String: UInt64]) -> [RegisterState]
  /// The protections that a kernel relies on, by its variables, and what tells it.
  func wantedProtections(_ values: [String: UInt64]) -> [(Protection, source: String)]
  /// What the kernel logs when such a protection is lost.
  var lostProtectionMessages: [String] { get }
  /// The registers of protections, as logs name them.
  var registerNames: [String] { get }
  /// What a note says against itself, beyond what is wrong on every machine.
  func contradictions(in info: VMCoreInfo) -> [String]

  /// The bits of a physical address, by the last address of the kernel's resource tree; nil where it
  /// is none that processors have.
  func physicalBits(memoryEnd: UInt64) -> Int?
  /// What the log of a guest says that shares memory by an address bit, which may lie above those.
  var sharingMessages: [String] { get }

  // MARK: Layout, facts, text

  /// The areas, as far as an image tells their bases.
  func layout(of image: KernelImage) -> Layout
  /// The areas, as far as a text dump's markers, its leaves and the kernel's release tell them, in
  /// this order.
  func layout(of text: KernelText, release: String?) -> Layout
  /// What a text dump shows of its kernel.
  func facts(of text: KernelText, _ layout: Layout) -> KernelFacts
  /// Where each fact of an image's kernel comes from.
  var factSources: [FactSource] { get }
  /// What an image's sources say against each other, beyond what is wrong on every machine.
  func contradictions(in evidence: FactEvidence) -> [String]
  /// The areas of a kernel of which nothing is known.
  func unknownLayout(_ format: TableFormat) -> Layout
  /// The format of a text dump, as reports name it: `x86-text`.
  var textFormat: String { get }
  /// Whether only programs make dumps, so that the kernel has protected its image by then, as far as
  /// it does.
  var dumpsAfterItsStart: Bool { get }
  /// How a release writes its dump.
  func dialect(release: String?) -> KernelText.Dialect
  /// The markers that a kernel of the usual configuration prints.
  func usualMarkers(_ layout: Layout) -> [AddressMarker]?
  /// The markers of tables that have a root of their own beside the kernel's: EFI's, or a process's.
  func lowerMarkers(_ format: TableFormat, isEFI: Bool) -> [AddressMarker]?
  /// What holds a pointer to the kernel's array of markers in its second word, where no symbol names the
  /// array.
  var markersHolder: String { get }
  /// The words of an element of the kernel's array of markers.
  var markerWords: Int { get }

  // MARK: What kernels do

  /// Where the direct map starts as long as KASLR leaves it; none where KASLR moves no area.
  func unmovedDirectMaps(_ format: TableFormat) -> [UInt64]
  /// The areas that lie in this order, and their starts as far as they are known.
  func orderedAreas(_ facts: KernelFacts) -> [(name: String, start: Fact<UInt64>)]
  /// The addresses that the image may have in one kernel; nil where it lies in the direct map.
  ///
  /// - Parameter end: where the image ends, as far as symbols tell.
  func imageSpace(_ facts: KernelFacts, end: UInt64?) -> ClosedRange<UInt64>?
  /// Whether a process's kernel half is filled when it is touched, not when the kernel's changes.
  func fillsKernelHalfLazily(_ facts: KernelFacts) -> Bool
  /// Whether each process has tables of its own for the kernel's half; nil where it is not known.
  func processesOwnKernelHalf(_ format: TableFormat, _ facts: KernelFacts) -> Bool?
  /// Whether code that the kernel makes itself lies among vmalloc's addresses, beside an area of modules.
  var makesCodeInVmalloc: Bool { get }
  /// Whether the kernel maps the direct map in small pages on purpose; nil where that is not known.
  func wantsSmallDirectMap(_ values: [String: UInt64]) -> Bool?
  /// Whether code that is made read-only is so in the direct map, too; nil where that is not known.
  func protectsAliases(_ values: [String: UInt64]) -> Bool?
  /// Variables of its own that take more than a look at a symbol, by the names in `variables`.
  ///
  /// - Parameter bytes: so many bytes of the kernel's memory at an address.
  func furtherValues(_ symbols: Symbols, bytes: (UInt64, Int) -> [UInt8]?) -> [String: UInt64]
  /// The bytes before vmalloc that are neither memory nor vmalloc's.
  var vmallocGuard: UInt64 { get }
  /// The physical addresses of firmware that the direct map has writable and executable.
  var executableFirmware: ClosedRange<UInt64>? { get }
  /// What excuses a defect of a run where the kernel is old enough; nil where nothing ever did.
  func habit(_ defect: Habit.Defect, of run: Run, in area: Area) -> Habit?
  /// Whether the kernel opens a run of its half to user mode on purpose.
  func isOpenByDesign(_ run: Run, in area: Area.Kind, _ facts: KernelFacts) -> Bool
}

extension Architecture {
  package var imageIsInDirectMap: Bool { imageSpace == nil }
  package func hasProtectedImage(_ values: [String: UInt64], _ facts: KernelFacts) -> Bool? { nil }
  package var codeStart: String { "_text" }
  package var makesCodeInVmalloc: Bool { false }
  package func wantsSmallDirectMap(_ values: [String: UInt64]) -> Bool? { nil }
  package func protectsAliases(_ values: [String: UInt64]) -> Bool? { true }
  package func furtherValues(
    _ symbols: Symbols, bytes: (UInt64, Int) -> [UInt8]?
  ) -> [String: UInt64] { [:] }
  package var flagVariables: Set<String> { [] }
  package var areasNeedNote: Bool { false }
  package func rootByContent(
    in memory: any MemoryImage
  ) -> (format: TableFormat, address: UInt64)? { nil }
  package func root(
    inTopTable address: UInt64, _ format: TableFormat, _ info: VMCoreInfo
  ) -> UInt64 { address }
  package func isOfKernelHalf(
    _ root: UInt64, beside own: UInt64, _ format: TableFormat
  ) -> Bool { true }
  package func lowerHalf(_ format: TableFormat) -> TableFormat { format }
  package func lowerMarkers(_ format: TableFormat, isEFI: Bool) -> [AddressMarker]? { nil }
  package var markersHolder: String { "" }
  package var markerWords: Int { 3 }
  package var dumpsAfterItsStart: Bool { false }

  package func isSame(as other: any Architecture) -> Bool { machine == other.machine }
}

/// Those that the program knows; the first is taken where nothing tells.
package let architectures: [any Architecture] = [X86.x86_64, X86.i386, Arm64.arm64]

extension TableFormat {
  /// The architecture whose processors read tables of this format.
  package var architecture: any Architecture {
    architectures.first { $0.formats.contains { $0.name == name } } ?? architectures[0]
  }
}

extension MemoryImage {
  /// The architecture of the machine, as far as the file tells it.
  var architecture: any Architecture {
    architectures.first { $0.machine == machine } ?? architectures[0]
  }

  /// Those that the machine may have: all where the file tells none.
  var possibleArchitectures: [any Architecture] {
    machine == nil ? architectures : [architecture]
  }
}
