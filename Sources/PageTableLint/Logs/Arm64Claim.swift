internal import PageTables

extension Claim {
  /// arm64, from 3.15 on, as far as its lines are no other architecture's.
  ///
  /// Source: arch/arm64/mm/fault.c, arch/arm64/kernel/traps.c and arch/arm64/mm/ptdump.c, 4.14 and 6.12.
  static let arm64 = Claim(
    headers: [
      Header(
        "nable to handle kernel execute from non-executable memory at virtual address", .pageFault),
      Header("nable to handle kernel write to read-only memory at virtual address", .pageFault),
      Header("nable to handle kernel read from unreadable memory at virtual address", .pageFault),
      Header(
        "nable to handle kernel access to user memory outside uaccess routines at virtual address",
        .pageFault),
      Header(
        "nable to handle kernel access to user memory with fs=KERNEL_DS at virtual address",
        .pageFault),
      Header(
        "nable to handle kernel execution of user memory at virtual address", .pageFault),
      Header("address size fault at virtual address", .pageFault),
      Header("level 0 translation fault at virtual address", .pageFault),
      Header("alignment fault at virtual address", .pageFault),
      Header("Unhandled fault at", .pageFault),
      Header("SError Interrupt on CPU", .externalAbort, isPadded: false),
      Header("synchronous external abort:", .externalAbort, isPadded: false),
      Header("Synchronous External Abort:", .externalAbort, isPadded: false),
    ],
    entryNames: [],
    instructions: ["PC is at", "pc :"],
    marks: [
      "nable to handle", "abort info", "ESR = ", "pgtable:", "pgd=", "p4d=", "pud=", "pmd=", "pte=",
      "pgd =", "Internal error", "nhandled fault", "SError", "xternal abort", "External Abort",
      "non-UXN", "pc :", "PC is at", "between user and kernel", "active_mm is swapper",
    ],
    starts: [
      "Mem abort", "Data abort", "ESR", "EC =", "Exception class", "SET", "EA =", "FSC", "ISV",
      "CM =",
      "GCS", "swapper pgtable", "user pgtable", "[", "Internal error", "pstate", "pc :", "lr :",
      "sp :", "x2", "x1", "x0", "KASAN:", "SError", "Call trace", "Unhandled",
    ],
    ends: [], rootRegister: "TTBR1_EL1", modeRegister: "TCR_EL1", others: [],
    knowsCommonLines: false)
}

extension Fault {
  /// Takes what a line of an arm64 report tells.
  mutating func completeArm64(_ words: LogWords, from start: Int) {
    let text = String(decoding: words.bytes[min(start, words.bytes.count)...], as: UTF8.self)
    if text.mentions("pagesize,") {
      // RISC-V's, whose entries look alike.
      isOther = true
      return
    }
    guard !isOther else { return }
    takeTables(text)
    takeSyndrome(words, start, text)
    takeArm64Entries(words, text)
  }

  /// `swapper pgtable: 4k pages, 48-bit VAs, pgdp=00000000020b6000`.
  private mutating func takeTables(_ text: String) {
    guard let format = TableFormat.arm64Format(printed: text) else { return }
    arm64Format = arm64Format ?? format
    isArm64 = true
  }

  /// `ESR = 0x96000006`, `Internal error: Oops: 96000006 [#1]`: the latter decides, since a console
  /// may have damaged either.
  private mutating func takeSyndrome(_ words: LogWords, _ start: Int, _ text: String) {
    if text.mentions("abort info") { isArm64 = true }
    for mark in ["Oops:", "ESR =", "xternal abort:", "External Abort:"] {
      guard let end = words.end(of: mark, from: 0) else { continue }
      let number = words.number(at: end)
      guard [8, 16].contains(number.digits.utf8.count),
        let found = number.value.flatMap({ Arm64Syndrome($0) })
      else { continue }
      isArm64 = true
      if syndrome == nil || mark == "Oops:" { syndrome = found }
      if mark == "Oops:" { hasOops = true }
    }
  }

  /// The entries of `[ffff000040241c10] pgd=18000000fbff8003, p4d=…` and of the lines that go on with it.
  ///
  /// Old kernels write `*pgd=00000006962a7003`, and `, *pud=` on lines of their own; their line
  /// `pgd = ffff80065622f000` names the table.
  private mutating func takeArm64Entries(_ words: LogWords, _ text: String) {
    guard kind.isAccess, !text.mentions("pgtable:"), !text.hasPrefix("pgd = ") else { return }
    var found: [(place: Int, entry: Entry)] = []
    for level in ["pgd", "p4d", "pud", "pmd", "pte"] {
      for name in [level, "*" + level] {
        for place in words.places(after: name) where words.has("=", at: place) {
          let number = words.number(at: place)
          guard number.digits.utf8.count == 16, let value = number.value else { continue }
          found.append((place, Entry(level, value)))
        }
      }
    }
    guard !found.isEmpty else { return }
    isArm64 = true
    for (_, entry) in found.sorted(by: { $0.place < $1.place })
    where !entries.contains(where: { $0.name == entry.name }) {
      entries.append(entry)
    }
    // The claim of x86 knows some of the names.
    let order = ["pgd", "p4d", "pud", "pmd", "pte"]
    entries.sort {
      (order.firstIndex(of: $0.name) ?? 0) < (order.firstIndex(of: $1.name) ?? 0)
    }
    // The address stands before them, and may be whole where the first line's is not.
    if let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]"),
      let value = UInt64(hexText: text[text.index(after: open)..<close]),
      address == nil || damaged != nil
    {
      (address, damaged) = (value, nil)
    }
  }
}

extension TableFormat {
  /// The format that a report's line names: `4k pages, 48-bit VAs`; nil where it names none.
  static func arm64Format(printed text: String) -> TableFormat? {
    guard text.mentions("pgtable: "), let pages = text.place(of: "k pages, "),
      let width = text.place(of: "-bit VAs")
    else { return nil }
    let size = text[..<pages.lowerBound].reversed().prefix { $0.isNumber }
    let bits = text[..<width.lowerBound].reversed().prefix { $0.isNumber }
    guard let bits = Int(String(bits.reversed())),
      let granule = Arm64Granule.allCases.first(where: {
        $0.name == String(size.reversed()) + "k"
      }), (36...52).contains(bits)
    else { return nil }
    return .arm64(granule, bits: bits)
  }
}

extension Fault {
  /// A report whose first line is missing, by a syndrome or the line that names its tables.
  init?(arm64Without message: LogMessage, _ words: LogWords) {
    let code = words.end(of: "ESR =").map { words.number(at: $0) }
    let hasSyndrome =
      code.map { [8, 16].contains($0.digits.utf8.count) }
      == true && code?.value.flatMap { Arm64Syndrome($0) } != nil
    guard hasSyndrome || TableFormat.arm64Format(printed: message.text) != nil else { return nil }
    self.init(.pageFault, line: message.line, quote: message.text.quotable())
    isArm64 = true
  }
}
