package import MemoryImages
package import PageTables

/// A memory image with what is known of the kernel inside it.
package final class KernelImage: Sendable {
  package let memory: any MemoryImage
  /// What an extract says of itself; nil for an image that is none.
  package let extract: Extract.Contents?
  /// The Xen PV guest that `memory` is of, whose tables are read with its own addresses; nil where it
  /// is none.
  package let guest: XenPV?
  package let mode: TableFormat
  /// The physical address of the kernel's top table.
  package let root: UInt64
  package let facts: KernelFacts
  package let symbols: Symbols?
  package let log: Fact<String>?
  package let info: VMCoreInfo?
  package let cpus: [CPUState]
  /// What could not be read of what the image should hold.
  package let problems: [String]
  /// The kernel's variables that facts come from, as far as they could be read.
  package let values: [String: UInt64]
  /// The names that the kernel's own dumper prints, and where.
  package let markers: Fact<[AddressMarker]>?
  /// What lies where in the physical address space: /proc/iomem.
  package let resources: Fact<[Resource]>?
  /// Where KFENCE keeps its objects between guard pages, in the direct map; nil without.
  package let kfencePool: ClosedRange<UInt64>?
  /// The top tables of other kernels in the same memory: that of a crash kernel that was running.
  package let otherRoots: [UInt64]
  /// What the runs of all walks together may take of memory.
  let budget: RunBudget
  /// Whether walks find leaves that differ in incidental flags alone as runs of their own.
  private let tellsIncidental: Bool
  /// What the kernel image's virtual addresses lie above its physical ones.
  let imageOffset: UInt64
  /// Where the machine has memory.
  private let machineMemory: RangeSet
  private let keptTypes = KernelTypes.Kept()

  /// - Parameters:
  ///   - mode: overrides the mode that the image tells.
  ///   - root: the root, physical, for an image that does not tell it.
  ///   - files: symbols that files beside the image tell, as they were linked or as they run.
  ///   - bytes: what the runs of all walks together may take of memory.
  ///   - tellsIncidental: whether leaves that differ in incidental flags alone are runs of their own.
  /// - Throws: `ImageError` where nothing tells the root, or `files` are of another build.
  package init(
    _ memory: any MemoryImage, mode: TableFormat? = nil, root given: UInt64? = nil,
    symbols files: [Symbols] = [], runBytes bytes: Int = .max, tellsIncidental: Bool = true
  ) throws(ImageError) {
    let extract = Extract.contents(of: memory)
    let (memory, guest, cpus) = Self.opened(memory, extract, mode)
    let found = try RootSearch.found(
      in: memory, cpu: cpus.first, mode: mode, address: given, guestsTop: guest?.top)
    let named = try SymbolSearch(files, found, isGiven: given != nil, memory)
    let symbols = named.symbols
    let root = named.root
    let reader = VirtualReader(root, memory)
    let info = found.info
    let top =
      info?.topTable(root.mode.architecture) ?? symbols?.topTable(root.mode.architecture)?.address
    let variables = Variable.Values(extract, symbols, reader, swapper: top)
    let known = FactSearch(
      FactEvidence(
        info: info, root: root, values: variables.values, symbols: symbols, reader: reader,
        cpus: cpus, guest: guest))
    let wholeReader = reader.finding(memoryFrom: known.facts.directMap?.value)
    let resources = Self.resources(extract, symbols, wholeReader)
    let ring = Self.ring(extract, info, symbols, wholeReader)

    self.memory = memory
    self.extract = extract
    self.guest = guest
    self.cpus = cpus
    self.info = info
    self.symbols = symbols
    let bits = guest == nil ? known.facts.physicalBits : nil
    self.mode = Self.format(root.mode, bits, ring.log?.value)
    self.root = root.address
    problems =
      memory.damage + (extract?.problems ?? []) + found.problems + named.problems
      + variables.problems + known.problems
      + [resources == nil ? known.lostTables : nil].compactMap { $0 } + ring.problems
    otherRoots = found.others.map(\.address)
    imageOffset = root.imageOffset
    values = variables.values
    facts = known.facts
    markers = Self.markers(extract, symbols, reader)
    self.resources = resources
    budget = RunBudget(bytes: bytes, held: memory.heldBytes)
    self.tellsIncidental = tellsIncidental
    machineMemory = RangeSet(
      resources?.memory ?? (guest == nil ? extract?.memory : nil) ?? memory.ranges)
    log = ring.log
    kfencePool = Self.kfencePool(values[Variable.kfencePool], ring.log?.value)
  }

  /// The memory as the kernel knows it, the guest of Xen's that it is of, and the processors; under Xen
  /// their registers are its own.
  private static func opened(
    _ file: any MemoryImage, _ extract: Extract.Contents?, _ mode: TableFormat?
  ) -> (memory: any MemoryImage, guest: XenPV?, cpus: [CPUState]) {
    let stored = extract.map { ExtractedMemory(wrapped: file, contents: $0) } ?? file
    if let guest = XenPV.guest(in: stored, kept: extract?.xenRoot) {
      return (guest.memory, guest, [])
    }
    return (
      stored, nil, (mode?.architecture ?? stored.architecture).processors(in: stored.notes)
    )
  }

  /// The format with what the processor's address bits leave out; unlimited where no log excludes a
  /// guest that shares memory by a bit above them.
  private static func format(
    _ format: TableFormat, _ bits: Fact<UInt64>?, _ log: String?
  ) -> TableFormat {
    guard let bits = bits?.value, let log,
      !format.architecture.sharingMessages.contains(where: log.mentions)
    else { return format }
    return format.limited(toPhysicalBits: Int(clamping: bits))
  }

  /// The kernel's log, where it lies, and what of it could not be read.
  private static func ring(
    _ extract: Extract.Contents?, _ info: VMCoreInfo?, _ symbols: Symbols?, _ reader: VirtualReader
  ) -> (log: Fact<String>?, problems: [String]) {
    if let extract { return (extract.log.map { Fact($0, "the image's printk ring") }, []) }
    let isOld = info?.mentions("prb") != true && PrintkBuffer.isNamed(info, symbols)
    let source = isOld ? "log_buf" : "printk's ring"
    let found =
      isOld
      ? PrintkBuffer.read(info, symbols, reader) : info.flatMap { PrintkRing.read($0, reader) }
    guard let found else {
      let isNamed = isOld || info?.mentions("prb") == true
      return (nil, isNamed ? ["the kernel log (\(source)) could not be read"] : [])
    }
    let lost = "\(found.lost) records of the kernel log (\(source)) could not be read"
    let log = Fact(found.text, isOld ? "the image's log_buf" : "the image's printk ring")
    return (log, found.lost > 0 ? [lost] : [])
  }

  private static func markers(
    _ extract: Extract.Contents?, _ symbols: Symbols?, _ reader: VirtualReader
  ) -> Fact<[AddressMarker]>? {
    extract?.markers.map { Fact($0, "address_markers, kept by the extract") }
      ?? (symbols?["address_markers"]
      ?? symbols?[reader.mode.architecture.markersHolder].flatMap {
        reader.word(at: $0 &+ UInt64(reader.wordSize))
      }).flatMap { reader.markers(at: $0) }.map { Fact($0, "address_markers of the image") }
  }

  private static func resources(
    _ extract: Extract.Contents?, _ symbols: Symbols?, _ reader: VirtualReader
  ) -> Fact<[Resource]>? {
    extract?.resources.map { Fact($0, "/proc/iomem, kept by the extract") }
      ?? symbols?["iomem_resource"].flatMap { reader.resources(at: $0) }.map {
        Fact($0, "iomem_resource of the image")
      }
  }

  /// The types that the kernel carries in its own memory; nil where it carries none.
  var types: KernelTypes? {
    keptTypes.types {
      KernelTypes.btf(symbols, VirtualReader(mode: mode, root: root, memory: memory))
    }
  }

  /// Where its kernel keeps its tables, and what tells it.
  package var architecture: any Architecture { mode.architecture }

  /// The areas, as far as the image tells their bases.
  package var layout: Layout { architecture.layout(of: self) }

  /// The virtual addresses of the kernel image, from _text to _end; nil without symbols.
  var imageAddresses: ClosedRange<UInt64>? {
    guard let start = symbols?["_text"], let end = symbols?["_end"], start < end else {
      return nil
    }
    return start...(end - 1)
  }

  /// The virtual addresses of the kernel's code and of what is read-only after it: as much of the
  /// image as symbols of code alone tell.
  ///
  /// Nil without them.
  ///
  /// No kernel's read-only part is longer than `mostBytes`.
  var readOnlyAddresses: ClosedRange<UInt64>? {
    guard let start = symbols?["_text"] ?? symbols?["_stext"], let end = symbols?["_etext"],
      start < end
    else { return nil }
    var next = end | (mode.granule - 1)
    while next < mode.top, next - start < Self.mostBytes {
      let walk = walk(next + 1)
      guard case .leaf(_, let size) = walk.end, walk.steps.last?.access.isWritable == false else {
        break
      }
      next = (next + 1) | (size - 1)
    }
    return start...next
  }

  private static let mostBytes: UInt64 = 128 << 20

  /// The physical addresses of the kernel image; nil without symbols.
  package var imageFrames: ClosedRange<UInt64>? {
    imageAddresses.flatMap { addresses in
      let first = addresses.lowerBound &- imageOffset
      let last = addresses.upperBound &- imageOffset
      return first <= last ? first...last : nil
    }
  }

  /// Where the image's text and read-only data lie, without what is given back around them.
  package var readOnlyParts: [ClosedRange<UInt64>] {
    architecture.readOnlySections.compactMap { start, end in
      guard let start = symbols?[start], let end = symbols?[end], start < end else { return nil }
      // The last page is given back from its end on.
      let inPage = mode.granule - 1
      return (start & ~inPage)...((end &+ inPage) & ~inPage &- 1)
    }
  }

  /// The root of the tables that EFI's runtime services use; nil where there are none.
  package var efiRoot: UInt64? {
    values[Variable.efiRoot].flatMap { $0 == 0 ? nil : walk($0).physical }
  }

  /// Source: `kfence_init_enable`, mm/kfence/core.c, 6.12: the log tells the size, 2 MiB by default.
  private static func kfencePool(_ start: UInt64?, _ log: String?) -> ClosedRange<UInt64>? {
    guard let start, start != 0 else { return nil }
    let size = log?.number(after: "kfence: initialized - using ") ?? 2 << 20
    return size > 0 && start <= ~0 - size ? start...(start + size - 1) : nil
  }

  /// Whether the image tells if there is such a pool, and where: a kernel without KFENCE has no such
  /// variable among those that its symbols name.
  package var tellsKfencePool: Bool {
    values[Variable.kfencePool] != nil
      || symbols?[Variable.systemState] != nil && symbols?[Variable.kfencePool] == nil
  }

  /// Whether the machine has memory at a physical address.
  package func isMemory(_ physical: UInt64) -> Bool {
    machineMemory.contains(physical)
  }

  /// The root of the user twin under PTI.
  package var userRoot: UInt64? {
    facts.pti?.value == true ? architecture.userTwin(of: root, mode) : nil
  }

  /// The roots that are judged: the kernel's, and its user twin under PTI.
  package var roots: [(name: String, address: UInt64)] {
    [(name: "kernel", address: root)]
      + (userRoot.map { [(name: "user", address: $0)] } ?? [])
  }

  /// Reads the whole of the tables below `root`.
  package func space(
    root: UInt64? = nil, userHalfOnly: Bool = false, progress: (@Sendable (Int) -> Void)? = nil
  ) -> AddressSpace {
    // The user halves of many processes are walked side by side.
    Walker.walk(
      root: root ?? self.root, mode: mode(ofRoot: root ?? self.root), memory: memory,
      userHalfOnly: userHalfOnly, inParallel: !userHalfOnly, tellsIncidental: tellsIncidental,
      budget: budget, progress: progress)
  }

  /// Says that the user halves of some processes are read next.
  package func willRead(_ processes: some Collection<KernelProcess>) {
    guard let first = processes.first else { return }
    Walker.willWalk(
      userHalvesOf: processes.map(\.root), mode: mode(ofRoot: first.root), memory: memory)
  }

  /// The tables as the kernel's own dumper walks them: KASAN's early shadow in one step.
  package func dumpedSpace(root: UInt64) -> AddressSpace? {
    var tables: [Int: UInt64] = [:]
    for (level, name) in architecture.shadowTables {
      tables[level] = symbols?[name].map { $0 &- imageOffset }
    }
    guard let lowest = tables[1], let bytes = try? memory.read(at: lowest, count: 8),
      let entry = bytes.u64(at: 0)
    else { return nil }
    return Walker.walk(
      root: root, mode: mode(ofRoot: root), memory: memory,
      shadow: EarlyShadow(tables: tables, entry: entry),
      budget: RunBudget(bytes: .max, held: memory.heldBytes))
  }
}

extension Fact<[Resource]> {
  /// The machine's memory.
  fileprivate var memory: [ClosedRange<UInt64>] { value.filter(\.isRAM).map(\.range) }
}
