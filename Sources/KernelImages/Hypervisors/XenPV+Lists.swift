internal import MemoryImages
internal import PageTables

/// What Xen and the guest say of the guest's frames.
extension XenPV {
  /// A frame that the guest and Xen know by different numbers.
  package struct Disagreement: Sendable, Equatable {
    /// The guest's address of the page.
    package let own: UInt64
    /// The machine's.
    package let machine: UInt64
    /// What the other list has instead, a number of a page; nil for none.
    package let listed: UInt64?
  }

  /// Frames on which two lists disagree: their number, and some of them.
  package struct Disagreements: Sendable, Equatable {
    package fileprivate(set) var count = 0
    package fileprivate(set) var first: [Disagreement] = []
    /// Whether the list that has something else is the guest's own; else it is Xen's.
    package let isGuests: Bool
    fileprivate let most: Int

    fileprivate mutating func add(own: UInt64, machine: UInt64, listed: UInt64?) {
      count += 1
      guard first.count < most else { return }
      first.append(Disagreement(own: own << 12, machine: machine << 12, listed: listed))
    }
  }

  /// The frames on which the guest's list and Xen's disagree, the first `most` of them; nil where the
  /// image does not hold both.
  ///
  /// A page that another domain lends the guest has the number that its owner gives it. What
  /// `xl dump-core` writes holds no list of Xen's, but says by itself which frames the guest has.
  package func disagreements(most: Int) -> Disagreements? {
    guard memory.host.ownFrames.isEmpty else { return disagreementsOfGuest(most) }
    var found = Disagreements(isGuests: false, most: most)
    var seen = 0
    var machines = XenMachineList(root, memory.host)
    for stretch in memory.frames.stretches {
      for step in 0..<stretch.count {
        let (own, machine) = (stretch.own + step, stretch.machine + step)
        guard let listed = machines.own(of: machine) else { continue }
        seen += 1
        guard listed != own, !memory.frames.borrowed.contains(own) else { continue }
        found.add(own: own, machine: machine, listed: listed == ~0 ? nil : listed)
      }
    }
    return seen == 0 ? nil : found
  }

  private func disagreementsOfGuest(_ most: Int) -> Disagreements? {
    guard let list = XenPVFrames(at: root, memory.host) else { return nil }
    var found = Disagreements(isGuests: true, most: most)
    for stretch in memory.frames.stretches {
      for step in 0..<stretch.count {
        let (own, machine) = (stretch.own + step, stretch.machine + step)
        let listed = list.machine(of: own)
        if listed != machine { found.add(own: own, machine: machine, listed: listed) }
      }
    }
    return found
  }

  /// Whether the image holds two lists of the guest's frames, as far as the first of them tells.
  package var hasBothLists: Bool {
    guard memory.host.ownFrames.isEmpty, let first = memory.frames.stretches.first else {
      return XenPVFrames(at: root, memory.host) != nil
    }
    var machines = XenMachineList(root, memory.host)
    return machines.own(of: first.machine) != nil
  }

  /// The machine's pages that an extract must hold besides the tables: the lists of the guest's frames,
  /// its own and Xen's, and the way to the latter.
  ///
  /// - Parameter root: the machine's address of the root that the extract will be read by.
  func listPages(through root: UInt64) -> [UInt64] {
    let mode = TableFormat.x86_64
    let frames = XenPVFrames(at: root, memory.host)
    var pages = Set((frames?.listFrames ?? []).map { $0 << 12 })
    for stretch in memory.frames.stretches {
      var at = XenMachineList.address &+ stretch.machine &* 8 & ~4095
      let last = XenMachineList.address &+ (stretch.machine &+ stretch.count &- 1) &* 8
      while at <= last {
        let walk = mode.walk(at, root: root, memory: memory.host)
        for step in walk.steps { pages.insert(step.table) }
        if let place = walk.physical { pages.insert(place) }
        at &+= 4096
      }
    }
    return pages.sorted()
  }
}

/// Xen's list of the machine's frames: by which number its owner knows each (M2P).
struct XenMachineList {
  /// Where all kernel roots have it: a number of 8 bytes for each frame.
  ///
  /// Source: `RDWR_MPT_VIRT_START` and `RO_MPT_VIRT_START`, xen/arch/x86/include/asm/config.h, 4.17.
  static let address: UInt64 = 0xffff_8000_0000_0000

  private let root: UInt64
  private let memory: any MemoryImage
  private var page: UInt64?
  private var isRead = false
  private var entries: [UInt64]

  /// - Parameter root: the machine's address of a kernel root.
  init(_ root: UInt64, _ memory: any MemoryImage) {
    self.root = root
    self.memory = memory
    entries = TableFormat.x86_64.emptyTable(TableFormat.x86_64.level(1))
  }

  /// What the list has for a frame; nil where the image does not hold that part of it.
  mutating func own(of machine: UInt64) -> UInt64? {
    let place = Self.address &+ machine &* 8
    if page != place >> 12 {
      page = place >> 12
      let mode = TableFormat.x86_64
      let physical = mode.walk(place & ~4095, root: root, memory: memory).physical
      isRead =
        physical.map { (try? memory.readTable(at: $0, into: &entries)) != nil } ?? false
    }
    return isRead ? entries[Int(machine & 511)] : nil
  }
}
