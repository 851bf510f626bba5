internal import PageTables

/// What stands before the pages of a kdump-compressed file, or of one part of a split one.
///
/// Source: diskdump_mod.h of makedumpfile 1.7.2 (`disk_dump_header`, `kdump_sub_header`) and QEMU's
/// include/sysemu/dump.h for the 32-bit layout.
struct KdumpHeader {
  /// Nil where the header names none.
  let machine: Machine?
  /// Whether makedumpfile ran out of space while writing.
  let isIncomplete: Bool
  let dumpLevel: UInt32
  /// How many pages the bitmaps speak of.
  let pageCount: UInt64
  let isPart: Bool
  /// The pages whose content this file is for: all, but for a part of a split dump.
  let pages: Range<UInt64>
  /// Where the bitmap of the machine's memory starts.
  let memoryBitmap: UInt64
  /// Where the bitmap of the pages that were kept starts.
  let keptBitmap: UInt64
  let descriptors: UInt64
  let notes: (offset: UInt64, size: UInt64)
  let vmcoreinfo: (offset: UInt64, size: UInt64)
  /// What all parts of one dump have in common.
  let identity: [UInt8]

  /// The bytes of a page, and of a block of the file.
  let pageSize: UInt64
  /// 2^52 bytes of memory: what x86 can address.
  private static let mostPages: UInt64 = 1 << 40

  /// The machine of a `utsname`; nil for one that is not known.
  ///
  /// Source: `UTS_MACHINE`, Makefile and arch/*/Makefile, 6.12.
  private static func machine(_ name: String) -> Machine? {
    switch name {
    case "x86_64": .x86_64
    case "aarch64", "aarch64_be": .arm64
    case "riscv64": .riscv64
    case "s390x": .s390x
    case "ppc64", "ppc64le": .ppc64
    case "loongarch64": .loongarch64
    case "i386", "i486", "i586", "i686": .i386
    case _ where name.hasPrefix("arm"): .arm
    default: nil
    }
  }

  init(_ file: MappedFile) throws(ImageError) {
    guard let head = file.bytes(at: 0, count: 480), let version = head.u32(at: 8) else {
      throw Self.failure(
        file, UInt64(file.size), "the kdump header ends here, expected 480 bytes")
    }
    var machine = try Self.machine(of: head, file)
    let narrow = machine == .i386
    // 12 bytes of the time and its alignment are what the layouts differ in.
    let fields = narrow ? 412 : 424
    func field(_ index: Int) -> UInt64 { UInt64(head.u32(at: fields + 4 * index) ?? 0) }
    guard (1...6).contains(version) else {
      throw Self.failure(file, 8, "kdump header version \(version), expected 1 to 6")
    }
    pageSize = field(1)
    try Self.check(pageSize: pageSize, machine, file, UInt64(fields + 4))
    let subBlocks = field(2)
    let bitmapBlocks = field(3)
    guard subBlocks > 0, let sub = file.bytes(at: pageSize, count: 104) else {
      throw Self.failure(file, pageSize, "no kdump sub header, expected 104 bytes")
    }
    func number(_ wide: Int, _ narrowAt: Int, wideSize: Int = 8, narrowSize: Int = 8) -> UInt64 {
      (narrow
        ? sub.number(at: narrowAt, size: narrowSize) : sub.number(at: wide, size: wideSize)) ?? 0
    }
    isIncomplete = field(0) & 8 != 0
    dumpLevel = UInt32(truncatingIfNeeded: number(8, 4, wideSize: 4, narrowSize: 4))
    let count = version >= 6 ? number(96, 72) : field(4)
    // Source: `write_kdump_header`, makedumpfile.c, makedumpfile 1.7.2.
    guard field(4) == min(count, UInt64(UInt32.max)) else {
      throw Self.failure(
        file, UInt64(fields + 16), "\(field(4)) pages, and \(count) in the sub header")
    }
    isPart = version >= 2 && number(12, 8, wideSize: 4, narrowSize: 4) != 0
    let start = version >= 6 ? number(80, 56) : number(16, 12, narrowSize: 4)
    let end = version >= 6 ? number(88, 64) : number(24, 16, narrowSize: 4)
    vmcoreinfo = version >= 3 ? (number(32, 20), number(40, 28, narrowSize: 4)) : (0, 0)
    notes = version >= 4 ? (number(48, 32), number(56, 40, narrowSize: 4)) : (0, 0)

    if machine == nil, Self.hasArm64Registers(notes, file) { machine = .arm64 }
    self.machine = machine
    memoryBitmap = (1 + subBlocks) * pageSize
    let bitmapSize = bitmapBlocks / 2 * pageSize
    keptBitmap = memoryBitmap + bitmapSize
    descriptors = memoryBitmap + bitmapBlocks * pageSize
    pageCount = count
    pages = isPart && start <= end ? start..<end : 0..<count
    identity = Self.identity(head, fields, dumpLevel, count, notes, file)
    try check(file, bitmapPages: bitmapSize * 8, part: (start, end), fields: fields)
  }

  /// Arm has other granules than 4K, and QEMU, which then names no machine, takes the largest for all
  /// of its processors.
  private static func check(
    pageSize: UInt64, _ machine: Machine?, _ file: MappedFile, _ offset: UInt64
  ) throws(ImageError) {
    let others: [UInt64] = machine == .arm64 ? [1 << 14, 1 << 16] : machine == nil ? [1 << 16] : []
    guard pageSize == 4096 || others.contains(pageSize) else {
      throw failure(
        file, offset,
        "pages of \(pageSize) bytes, expected "
          + ([4096] + others).map { "\($0)" }.joined(separator: " or "))
    }
  }

  /// Whether the first note is as long as one of an arm64 processor's registers.
  ///
  /// Source: `struct aarch64_elf_prstatus`, target/arm/arch_dump.c, QEMU 7.2: 392 bytes.
  private static func hasArm64Registers(
    _ notes: (offset: UInt64, size: UInt64), _ file: MappedFile
  ) -> Bool {
    guard isHeld(notes, by: file), let head = file.bytes(at: notes.offset, count: 20) else {
      return false
    }
    return head.u32(at: 4) == 392 && head.u32(at: 8) == 1
      && Array(head[12..<17]) == Array("CORE\0".utf8)
  }

  /// Holds the header against the file.
  private func check(
    _ file: MappedFile, bitmapPages: UInt64, part: (start: UInt64, end: UInt64), fields: Int
  ) throws(ImageError) {
    guard pageCount > 0, pageCount <= Self.mostPages, pageCount <= bitmapPages else {
      throw Self.failure(
        file, UInt64(fields + 16), "\(pageCount) pages, and bitmaps of \(bitmapPages) pages each")
    }
    guard descriptors <= UInt64(file.size) else {
      throw Self.failure(
        file, UInt64(file.size),
        "the file ends within its page bitmaps, expected at \(keptBitmap.entry)")
    }
    guard !isPart || part.start <= part.end && part.end <= pageCount else {
      throw Self.failure(
        file, pageSize + 16, "a part from page \(part.start) to \(part.end) of \(pageCount)")
    }
    guard notes.size <= Self.mostNotes, Self.isHeld(notes, by: file) else {
      throw Self.failure(
        file, pageSize + 48,
        "notes of \(notes.size) bytes at \(notes.offset.entry), and the file has \(file.size)")
    }
  }

  /// More than any machine's notes have.
  private static let mostNotes: UInt64 = 64 << 20

  private static func isHeld(_ place: (offset: UInt64, size: UInt64), by file: MappedFile) -> Bool {
    let size = UInt64(file.size)
    return place.size == 0 || place.offset <= size && place.size <= size - place.offset
  }

  private static func failure(_ file: MappedFile, _ offset: UInt64, _ problem: String) -> ImageError
  {
    ImageError(
      file.path, offset: offset, problem,
      advice: "the file is cut off or damaged: copy it again, or take the dump again")
  }

  private static func machine(
    of head: [UInt8], _ file: MappedFile
  ) throws(ImageError) -> Machine? {
    let name = String(decoding: head[272..<337].prefix { $0 != 0 }, as: UTF8.self)
    let machine = machine(name)
    // QEMU knows the names of x86 alone.
    guard name.isEmpty || name == "Unknown" || machine != nil else {
      throw ImageError(
        file.path, offset: 272, "expected a dump of Linux, and its machine is \(name)",
        advice: "give a dump of a Linux kernel")
    }
    if let machine, !machine.isRead { throw machine.refusal(of: file.path, offset: 272) }
    return machine
  }

  private static func identity(
    _ head: [UInt8], _ fields: Int, _ dumpLevel: UInt32, _ count: UInt64,
    _ notes: (offset: UInt64, size: UInt64), _ file: MappedFile
  ) -> [UInt8] {
    var identity = Array(head[8..<402]) + Array(head[(fields + 4)..<(fields + 20)])
    identity.append(UInt64(dumpLevel), size: 4)
    identity.append(count, size: 8)
    if notes.size <= mostNotes, let bytes = file.bytes(at: notes.offset, count: Int(notes.size)) {
      identity += bytes
    }
    return identity
  }
}
