import Foundation

/// A memory image of nothing but page tables: a direct map by 4K pages.
///
/// It is an ELF core as QEMU's `dump-guest-memory` writes it, CR3 in a note, with VMCOREINFO.
public struct SyntheticImage: Sendable {
  /// How the entries look.
  public enum Shape: String, CaseIterable, Sendable {
    /// All alike: one run.
    case uniform
    /// Accessed, dirty and software bits that change at random, after 1 to 64 entries.
    case random
    /// One page in each 2 MiB.
    case sparse
    /// As `random`, in the bits that permit: write and no-execute.
    case permissions
    /// A fifth level above.
    case fiveLevel
    /// The direct map uniform, and 16 TiB more that lead to one table a level, as KASAN's shadow.
    case shared
    /// The direct map uniform, and the tables of processes that share it.
    case processes
  }

  /// Where the tables lie in the file.
  public enum Spread: String, Sendable {
    /// One behind the other.
    case together
    /// Apart, over as much memory as they map; the file has holes between them.
    case scattered
    /// The same, and zeros are written between them.
    case dense
  }

  /// How many tables each process has for itself.
  public static let tablesOfProcess = 19

  /// How the entries look.
  public let shape: Shape
  /// Size of the direct map in GiB; a power of two where the tables lie apart.
  public let gibibytes: Int
  /// Where the tables lie.
  public let spread: Spread
  /// How many processes there are; none but in the shape of that name.
  public let processes: Int

  /// An image that is not yet written.
  public init(
    _ shape: Shape, gibibytes: Int = 64, spread: Spread = .together, processes: Int = 400
  ) {
    self.shape = shape
    self.gibibytes = gibibytes
    self.spread = spread
    self.processes = shape == .processes ? processes : 0
  }

  /// The file's name, without an extension.
  public var name: String {
    "\(shape.rawValue)-\(processes > 0 ? "\(processes)-" : "")\(gibibytes)"
      + (spread == .together ? "" : "-\(spread.rawValue)")
  }

  /// The tables of the direct map and above.
  public var tableCount: Int {
    let puds = (gibibytes + 511) / 512
    let uppers = 3 + (shape == .fiveLevel ? 2 : 0) + (shape == .shared ? 3 : 0)
    return uppers + puds + gibibytes * 513 + processes * Self.tablesOfProcess
  }

  /// The physical addresses of the processes' top tables.
  public var processRoots: [UInt64] { processTables.map(address(of:)) }

  /// The processes' top tables by their number in the order of the walk.
  private var processTables: [Int] {
    let first = tableCount - processes * Self.tablesOfProcess
    return (0..<processes).map { first + $0 * Self.tablesOfProcess }
  }

  /// The pages of memory from the top table on that the file holds.
  private var heldPages: Int { spread == .together ? tableCount : gibibytes << 18 }

  /// How many pages after the top table a table lies: an odd factor gives each a place of its own.
  private func place(of table: Int) -> Int {
    spread == .together ? table : table &* 0x9e37_79b1 & (heldPages - 1)
  }

  /// The physical address of a table.
  private func address(of table: Int) -> UInt64 { Self.root + UInt64(place(of: table)) << 12 }

  /// The physical address of the top table: the tables lie from here on.
  public static let root: UInt64 = 1 << 30
  /// The virtual address of the top table, through the kernel image's only page.
  private static let swapper: UInt64 = 0xffff_ffff_8100_0000
  /// The direct map's start.
  public var directMap: UInt64 {
    shape == .fiveLevel ? 0xff11_0000_0000_0000 : 0xffff_8880_0000_0000
  }

  private static let pointer: UInt64 = 0x063
  /// Present, write, accessed, dirty, global, no-execute: the direct map's.
  private static let leaf: UInt64 = 0x8000_0000_0000_0163

  private static let user: UInt64 = 0x004

  /// Writes the image, unless the file is there already.
  ///
  /// - Returns: the file's path.
  public func write(into folder: String) throws -> String {
    let path = "\(folder)/\(name).elf"
    if FileManager.default.fileExists(atPath: path) { return path }
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    let partial = path + ".partial"
    _ = FileManager.default.createFile(atPath: partial, contents: nil)
    guard let file = FileHandle(forWritingAtPath: partial) else {
      throw CocoaError(.fileWriteUnknown)
    }
    try file.write(contentsOf: Data(header()))
    if spread == .together { try writeTogether(to: file) } else { try writeApart(to: file) }
    try file.close()
    try FileManager.default.moveItem(atPath: partial, toPath: path)
    return path
  }

  private func writeTogether(to file: FileHandle) throws {
    var pending: [UInt64] = []
    var random = SplitMix(state: 2008)
    try forEachTable(&random) { table in
      pending += table
      if pending.count >= 1 << 18 {
        try file.write(contentsOf: pending.withUnsafeBytes { Data($0) })
        pending.removeAll(keepingCapacity: true)
      }
    }
    try file.write(contentsOf: pending.withUnsafeBytes { Data($0) })
  }

  private func writeApart(to file: FileHandle) throws {
    let start = try file.offset()
    if spread == .dense {
      let zeros = Data(count: 1 << 20)
      for _ in 0..<(heldPages >> 8) { try file.write(contentsOf: zeros) }
    } else {
      try file.truncate(atOffset: start + UInt64(heldPages) << 12)
    }
    var index = 0
    var random = SplitMix(state: 2008)
    try forEachTable(&random) { table in
      try file.seek(toOffset: start + UInt64(place(of: index)) << 12)
      try file.write(contentsOf: table.withUnsafeBytes { Data($0) })
      index += 1
    }
  }

  /// Visits the tables in the order of the walk.
  private func forEachTable(
    _ random: inout SplitMix, _ body: ([UInt64]) throws -> Void
  ) throws {
    /// A table whose entries from `first` on lead to `count` tables, `stride` tables apart.
    func pointers(from first: Int, _ count: Int = 1, to table: Int, stride: Int = 1) -> [UInt64] {
      var entries = [UInt64](repeating: 0, count: 512)
      for index in 0..<count {
        entries[first + index] = address(of: table + index * stride) | Self.pointer
      }
      return entries
    }
    let puds = (gibibytes + 511) / 512
    // A pud table with 512 pmd tables of 512 pte tables each.
    let wholePUD = 1 + 512 * 513
    // Above the direct map's pud tables: roots, the kernel image's tables, shared ones.
    let uppers = tableCount - puds - gibibytes * 513 - processes * Self.tablesOfProcess
    let slot = Int(directMap >> 39) & 511
    let isFive = shape == .fiveLevel
    let imagePUD = isFive ? 3 : 1
    var top = pointers(from: slot, puds, to: uppers, stride: wholePUD)
    if isFive {
      var root = pointers(from: Int(directMap >> 48) & 511, to: 1)
      root[511] = address(of: 2) | Self.pointer
      try body(root)
      try body(top)
      try body(pointers(from: 511, to: imagePUD))
    } else {
      top[511] = address(of: imagePUD) | Self.pointer
      if shape == .shared {
        for index in 0..<32 { top[slot + 64 + index] = address(of: imagePUD + 2) | Self.pointer }
      }
      try body(top)
    }
    try body(pointers(from: 510, to: imagePUD + 1))
    var image = [UInt64](repeating: 0, count: 512)
    image[Int(Self.swapper >> 21) & 511] = Self.root | Self.leaf | 0x80
    try body(image)
    if shape == .shared {
      for level in 1...2 {
        let next = address(of: imagePUD + 2 + level)
        try body([UInt64](repeating: next | Self.pointer, count: 512))
      }
      try body([UInt64](repeating: Self.root | Self.leaf, count: 512))
    }
    var next = uppers
    var frame: UInt64 = 0
    var flags = Self.leaf
    var left = 0
    for pud in 0..<puds {
      let pmds = min(512, gibibytes - 512 * pud)
      next += 1
      try body(pointers(from: 0, pmds, to: next, stride: 513))
      for _ in 0..<pmds {
        next += 1
        try body(pointers(from: 0, 512, to: next))
        next += 512
        for _ in 0..<512 {
          var table = [UInt64](repeating: 0, count: 512)
          switch shape {
          case .sparse: table[Int(frame >> 12) % 509] = Self.leaf | frame
          case .random, .permissions:
            for index in 0..<512 {
              if left == 0 {
                left = 1 + Int(random.next() & 63)
                flags = Self.leaf ^ (shape == .random ? random.next() & 0xe60 : random.permissions)
              }
              left -= 1
              table[index] = (frame + UInt64(index) << 12) | flags
            }
          case .uniform, .fiveLevel, .shared, .processes:
            for index in 0..<512 { table[index] = (frame + UInt64(index) << 12) | Self.leaf }
          }
          frame += 1 << 21
          try body(table)
        }
      }
    }
    for index in processTables {
      var own = top
      own[0] = address(of: index + 1) | Self.pointer | Self.user
      try body(own)
      for (count, next) in [(1, index + 2), (16, index + 3)] {
        try body(pointers(from: 0, count, to: next).map { $0 == 0 ? 0 : $0 | Self.user })
      }
      for _ in 0..<16 {
        try body((0..<512).map { frame in Self.leaf & ~0x100 | Self.user | UInt64(frame) << 12 })
      }
    }
  }

  /// ELF header, program headers (a note, memory, the tables, memory) and the note.
  private func header() -> [UInt8] {
    let tables = UInt64(heldPages) << 12
    let memory = max(UInt64(gibibytes) << 30, Self.root + tables)
    // QEMU's note: 440 bytes, CR3 at 416, CR4 at 424 (PAE, PGE, with five levels LA57).
    var cpu = [UInt8](repeating: 0, count: 440)
    cpu.replaceSubrange(416..<424, with: Self.bytes(Self.root, 8))
    cpu.replaceSubrange(424..<432, with: Self.bytes(shape == .fiveLevel ? 0x10a0 : 0xa0, 8))
    func note(_ name: String, _ content: [UInt8]) -> [UInt8] {
      func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: -bytes.count & 3)
      }
      return [name.utf8.count + 1, content.count, 0].flatMap { Self.bytes(UInt64($0), 4) }
        + padded(Array(name.utf8) + [0]) + padded(content)
    }
    let swapper = String(Self.swapper, radix: 16)
    let information = """
      OSRELEASE=6.12.0
      PAGESIZE=4096
      SYMBOL(swapper_pg_dir)=\(swapper)
      SYMBOL(_stext)=\(swapper)
      NUMBER(phys_base)=\(Self.root &- (Self.swapper &- 0xffff_ffff_8000_0000))
      NUMBER(pgtable_l5_enabled)=\(shape == .fiveLevel ? 1 : 0)

      """
    let notes = note("QEMU", cpu) + note("VMCOREINFO", Array(information.utf8))
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    let fields: [(UInt64, Int)] = [
      (4, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (4, 2), (0, 2),
      (0, 2), (0, 2),
    ]
    for (value, size) in fields { file += Self.bytes(value, size) }
    func program(_ type: UInt64, _ offset: UInt64, _ at: UInt64, held: UInt64, size: UInt64) {
      file += Self.bytes(type, 4) + Self.bytes(0, 4)
      for value in [offset, 0, at, held, size, 0] { file += Self.bytes(value, 8) }
    }
    let held = UInt64(notes.count)
    program(4, 64 + 4 * 56, 0, held: held, size: held)
    program(1, 4096, 0, held: 0, size: Self.root)
    program(1, 4096, Self.root, held: tables, size: tables)
    program(1, 4096 + tables, Self.root + tables, held: 0, size: memory - Self.root - tables)
    file += notes
    return file + [UInt8](repeating: 0, count: 4096 - file.count)
  }

  private static func bytes(_ value: UInt64, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }
}

/// Numbers that are the same in each run.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Write and no-execute, at random.
  var permissions: UInt64 {
    mutating get { next() & 0x8000_0000_0000_0002 }
  }
}
