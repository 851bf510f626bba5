internal import MemoryImages
internal import PageTables

/// Which of the machine's frames a Xen PV guest has, and by which numbers it knows them.
///
/// Both kinds of numbers count pages. A guest calls its own numbers pseudo-physical.
struct XenPVFrames: Sendable {
  /// In the order of the guest's numbers.
  private(set) var stretches: [OwnFrames] = []
  private var byMachine: [OwnFrames] = []
  /// Whether the guest has frames by the machine's own numbers: devices, which dom0 alone has.
  fileprivate(set) var holdsDevices = false
  /// The machine's frames that hold the guest's list.
  fileprivate(set) var listFrames: [UInt64] = []
  /// The guest's numbers of frames that another domain has lent it.
  fileprivate(set) var borrowed: Set<UInt64> = []

  /// The frames that a file lists by itself; nil where it lists none, or more than it warrants.
  init?(listedBy memory: any MemoryImage) {
    var left = Budget(memory).frames
    let listed = memory.ownFrames.sorted { $0.own < $1.own }
    for part in listed {
      // Of two that have the same number the first counts.
      if let last = stretches.last, last.own + last.count > part.own { continue }
      guard part.count <= left else { return nil }
      left -= part.count
      append(part)
    }
    guard !listed.isEmpty else { return nil }
    finish()
  }

  fileprivate init() {}

  fileprivate mutating func append(_ part: OwnFrames) {
    if let last = stretches.last, last.own + last.count == part.own,
      last.machine + last.count == part.machine
    {
      stretches[stretches.count - 1].count += part.count
    } else {
      stretches.append(part)
    }
  }

  fileprivate mutating func finish() {
    byMachine = stretches.sorted { $0.machine < $1.machine }
  }

  /// How many frames the guest has.
  var count: UInt64 { stretches.reduce(0) { $0 + $1.count } }

  /// The machine's number of a frame of the guest's; nil where it has none.
  func machine(of own: UInt64) -> UInt64? {
    let index = stretches.partitioningIndex { $0.own + $0.count > own }
    guard index < stretches.count, stretches[index].own <= own else { return nil }
    return stretches[index].machine + (own - stretches[index].own)
  }

  /// The guest's number of a frame of the machine; nil where it is not the guest's.
  func own(of machine: UInt64) -> UInt64? {
    let index = byMachine.partitioningIndex { $0.machine + $0.count > machine }
    guard index < byMachine.count, byMachine[index].machine <= machine else { return nil }
    return byMachine[index].own + (machine - byMachine[index].machine)
  }
}

/// The guest's own list.
extension XenPVFrames {
  /// Where every 64-bit kernel has it: `VMALLOC_START`, which KASLR leaves in its place under Xen.
  ///
  /// Source: `xen_vmalloc_p2m_tree`, arch/x86/xen/p2m.c, and `xen_p2m_addr`, 6.12.
  static let listAddress: UInt64 = 0xffff_c900_0000_0000

  /// Reads the list through a kernel root in the machine's memory; nil where there is none.
  init?(at root: UInt64, _ memory: any MemoryImage) {
    var budget = Budget(memory)
    self.init(at: root, memory, &budget)
  }

  /// - Parameter budget: what the lists of all domains together may take.
  init?(at root: UInt64, _ memory: any MemoryImage, _ budget: inout Budget) {
    var list = XenPVList(root, memory, budget)
    list.read()
    budget = list.budget
    guard !list.frames.stretches.isEmpty else { return nil }
    self = list.frames
    finish()
  }
}

extension XenPVFrames {
  /// What a file warrants: each page of a list is one of its own, and each of a guest's frames has 8
  /// bytes there.
  struct Budget {
    fileprivate var pages: UInt64
    fileprivate var frames: UInt64

    init(_ memory: any MemoryImage) {
      // Lists of 2 TiB of memory at most; and of 4 GiB, however little an extract holds.
      pages = min(1 << 20, memory.heldBytes / 4096 + 1)
      frames = max(1 << 20, min(1 << 29, memory.heldBytes / 8))
    }
  }
}

/// A guest's own list of its frames, as it is read.
///
/// It is as long as the guest may ever grow, and most of it is one page that says so; what follows it
/// is other memory of vmalloc's. Its size is a multiple of what one table of the lowest level maps.
private struct XenPVList {
  /// Frames that are another domain's, or a device's; the rest is the machine's number.
  ///
  /// Source: arch/x86/include/asm/xen/page.h, 6.12.
  private static let (foreign, identity): (UInt64, UInt64) = (1 << 63, 1 << 62)
  var frames = XenPVFrames()
  private let root: UInt64
  private let memory: any MemoryImage
  private var machines: XenMachineList
  private let mode = TableFormat.x86_64
  private(set) var budget: XenPVFrames.Budget
  /// Pages and tables that say of no frame where it is.
  private var without: Set<UInt64> = []
  private var entries: [UInt64]
  private var seen: Set<UInt64> = []

  init(_ root: UInt64, _ memory: any MemoryImage, _ budget: XenPVFrames.Budget) {
    self.root = root
    self.memory = memory
    self.budget = budget
    machines = XenMachineList(root, memory)
    entries = TableFormat.x86_64.emptyTable(TableFormat.x86_64.level(1))
  }

  mutating func read() {
    _ = descend(to: root, mode.root, first: Int(XenPVFrames.listAddress >> 39) & 511, page: 0)
  }

  /// Reads what lies below a table; false where the list ends there.
  ///
  /// - Parameters:
  ///   - first: the entry to begin with; no more than that one of the top table.
  ///   - page: the number of the page of the list that the entry leads to.
  private mutating func descend(
    to table: UInt64, _ level: TableFormat.Level, first: Int = 0, page: Int
  ) -> Bool {
    guard !without.contains(table) else { return true }
    var pointers = mode.emptyTable(level)
    guard (try? mode.readTable(at: table, from: memory, into: &pointers)) != nil else {
      return false
    }
    guard level.number > 1 else { return take(pointers, of: table, page: page) }
    let step = Int(level.span >> 12)
    for index in first..<(level.number == mode.root.number ? first + 1 : pointers.count) {
      guard level.classify(pointers[index]) == .table,
        descend(
          to: mode.tableField.address(in: pointers[index]), mode.level(level.number - 1),
          page: page + (index - first) * step)
      else { return false }
    }
    return true
  }

  /// Takes the pages of the list that a table of the lowest level maps; false where they are none.
  private mutating func take(_ pointers: [UInt64], of table: UInt64, page: Int) -> Bool {
    var found: [(own: UInt64, entry: UInt64)] = []
    var pages: [UInt64] = []
    for (index, pointer) in pointers.enumerated() {
      guard mode.level(1).classify(pointer) == .leaf else { return false }
      let place = mode.level(1).leafField.address(in: pointer)
      guard !without.contains(place) else { continue }
      pages.append(place >> 12)
      guard (try? mode.readTable(at: place, from: memory, into: &entries)) != nil else { continue }
      guard budget.pages > 0 else { return false }
      budget.pages -= 1
      let first = UInt64(page + index) * 512
      let told = entries.indices.filter { entries[$0] != ~0 }
      if told.isEmpty { without.insert(place) }
      found += told.map { (own: first + UInt64($0), entry: entries[$0]) }
    }
    if found.isEmpty {
      without.insert(table)
      frames.listFrames += pages
      return true
    }
    guard budget.frames >= UInt64(found.count), isList(found) else { return false }
    budget.frames -= UInt64(found.count)
    frames.listFrames += pages
    for (own, entry) in found {
      guard entry & Self.identity == 0 else {
        frames.holdsDevices = true
        continue
      }
      if entry & Self.foreign != 0 { frames.borrowed.insert(own) }
      let machine = entry & ~Self.foreign
      if machine < 1 << 40 { frames.append(OwnFrames(own: own, machine: machine)) }
    }
    return true
  }

  /// Whether entries are the list's: most of them as Xen lists those frames, where its list is there.
  private mutating func isList(_ found: [(own: UInt64, entry: UInt64)]) -> Bool {
    var (right, wrong) = (0, 0)
    for (own, entry) in found {
      if entry & Self.identity != 0 {
        if entry == own | Self.identity { right += 1 } else { wrong += 1 }
      } else if entry & ~Self.foreign >= 1 << 40 || !seen.insert(entry).inserted {
        wrong += 1
      } else if entry & Self.foreign == 0, let listed = machines.own(of: entry) {
        if listed == own { right += 1 } else { wrong += 1 }
      }
    }
    return right >= wrong
  }
}
