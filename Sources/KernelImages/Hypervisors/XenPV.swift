internal import MemoryImages
internal import PageTables

/// A guest of Xen's without the hardware's help (PV): dom0, or another domain.
///
/// Its tables hold the machine's frames, and Xen has slots of its own in each top table. Sources:
/// xen/arch/x86/include/asm/config.h, Xen 4.17 (the slots); arch/x86/xen/mmu_pv.c, Linux 6.12.
package struct XenPV: Sendable {
  package let memory: XenPVMemory
  /// What tells that it is one.
  package let source: String
  /// The machine's address of a kernel root.
  let root: UInt64
  /// A table of the guest's that maps no program, as its own memory knows it; nil where none is found.
  let top: UInt64?
  /// The top tables that Xen holds for such, as the guest's memory knows them.
  package let tables: [Table]
  /// Domains in the same memory besides this one.
  package let otherDomains: Int

  /// A top table, by what it maps.
  package struct Table: Sendable, Equatable {
    package let address: UInt64
    /// Whether it maps a program alone: with it programs run.
    package let isUsers: Bool
  }

  /// The part of a top table that is Xen's: 0xffff800000000000 to 0xffff87ffffffffff.
  static let slots = 256..<272
  /// The slot by which each top table leads to itself.
  private static let linear = 258
  /// The slot of the list of machine frames, which kernel roots alone have.
  private static let machineList = 256
  private static let frame: UInt64 = 0x000f_ffff_ffff_f000
  /// Present, writable, not for programs, used: as Xen writes that entry.
  private static let linearFlags: UInt64 = 0x63
  private static let comparedFlags: UInt64 = 0x10_0000_0000_0067

  /// Whether a table that lies at an address of the machine is a top table that Xen has validated.
  static func isTop(_ table: [UInt64], at address: UInt64) -> Bool {
    table.count == 512 && leadsToItself(table[linear], address)
  }

  private static func leadsToItself(_ entry: UInt64, _ address: UInt64) -> Bool {
    entry & frame == address & frame && entry & comparedFlags == linearFlags
  }

  /// Whether the domain is the one that has the machine's devices.
  package var isControlDomain: Bool { memory.frames.holdsDevices }

  /// What kind of domain it is.
  package var kind: String { isControlDomain ? "dom0 (PV)" : "domU (PV)" }
}

/// The search for it.
extension XenPV {
  /// The guest in a memory; nil where there is none, or no list of its frames.
  ///
  /// - Parameter kept: the machine's address of a kernel root, as an extract tells it.
  static func guest(in memory: any MemoryImage, kept: UInt64?) -> XenPV? {
    guard memory.machine ?? .x86_64 == .x86_64 else { return nil }
    let listed = XenPVFrames(listedBy: memory)
    if let kept { return guest(memory, [kept], "the extract's own note", listed) }
    if let listed { return guest(memory, tops(memory), "xl dump-core of a PV guest", listed) }
    return hint(memory).flatMap { guest(memory, tops(memory), $0) }
  }

  /// What lets look for Xen's tables; nil where a note or a register of Linux' own speaks against.
  private static func hint(_ memory: any MemoryImage) -> String? {
    let notes = memory.notes
    if notes.contains(where: { $0.name == "Xen" || $0.name == "VMCOREINFO_XEN" }) {
      return "Xen's notes, and top tables with its slots"
    }
    let cpus = X86.x86_64.processors(in: notes)
    var table = TableFormat.x86_64.emptyTable(TableFormat.x86_64.root)
    for cpu in cpus {
      // Xen's own areas, which it keeps in all tables that a processor uses.
      guard (try? memory.readTable(at: cpu.cr3 & frame, into: &table)) != nil else { continue }
      let own = [260, 261, 262].filter { table[$0] & 0x5 == 0x1 }
      if own.count > 1 { return "the top tables, which have Xen's slots" }
    }
    let isUnknown = cpus.isEmpty && VMCoreInfo.note(in: memory) == nil
    return isUnknown ? "the top tables, which have Xen's slots" : nil
  }

  private static let mostTops = 1 << 16
  private static let mostDomains = 64

  /// The machine's addresses of all top tables that Xen has validated.
  private static func tops(_ memory: any MemoryImage) -> [UInt64] {
    var found: [UInt64] = []
    memory.forEachPage { address, _ in
      guard found.count < mostTops, address & 4095 == 0,
        let bytes = try? memory.read(at: address + 8 * UInt64(linear), count: 8),
        let entry = bytes.u64(at: 0), leadsToItself(entry, address)
      else { return }
      found.append(address)
    }
    return found
  }

  /// A top table with what tells whose it is.
  private struct Candidate {
    let address: UInt64
    /// Where its entry leads for the domain's list of its frames: the same in all its kernel roots.
    let list: UInt64
    let isKernels: Bool
    let mapsNoProgram: Bool

    init(_ address: UInt64, _ entries: [UInt64]) {
      self.address = address
      list = entries[Int(XenPVFrames.listAddress >> 39) & 511] & frame
      isKernels = entries[machineList] & 1 != 0 && list != 0
      mapsNoProgram = entries[..<256].allSatisfy { $0 == 0 }
    }
  }

  private static func guest(
    _ memory: any MemoryImage, _ tops: [UInt64], _ source: String, _ known: XenPVFrames? = nil
  ) -> XenPV? {
    var entries = [UInt64](repeating: 0, count: 512)
    let candidates = tops.compactMap { address in
      (try? memory.readTable(at: address, into: &entries)) == nil
        ? nil : Candidate(address, entries)
    }
    let domains = Dictionary(grouping: candidates.filter(\.isKernels), by: \.list)
      .sorted { $0.value[0].address < $1.value[0].address }
    var budget = XenPVFrames.Budget(memory)
    // A process may come and go: the roots that map no program are the likeliest to be whole.
    let read = domains.prefix(mostDomains).compactMap {
      domain -> (frames: XenPVFrames, roots: [Candidate])? in
      let roots = domain.value.sorted { $0.mapsNoProgram && !$1.mapsNoProgram }
      guard let root = roots.first,
        let frames = known ?? XenPVFrames(at: root.address, memory, &budget),
        frames.own(of: root.address >> 12) != nil
      else { return nil }
      return (frames: frames, roots: roots)
    }
    guard let own = read.first(where: { $0.frames.holdsDevices }) ?? read.first else { return nil }
    let guest = XenPVMemory(memory, own.frames)
    let tables = candidates.filter { own.frames.own(of: $0.address >> 12) != nil }.map {
      Table(address: guest.ownAddress(of: $0.address), isUsers: !$0.isKernels)
    }
    return XenPV(
      memory: guest, source: source, root: own.roots[0].address,
      top: own.roots[0].mapsNoProgram ? guest.ownAddress(of: own.roots[0].address) : nil,
      tables: tables, otherDomains: read.count - 1)
  }
}
