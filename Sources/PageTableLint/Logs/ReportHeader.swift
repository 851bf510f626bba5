internal import PageTables

/// Recognises the lines that begin a report.
enum ReportHeader {
  /// The reports that a message begins, and where in it the rest of each lies.
  static func headers(of message: LogMessage, _ words: LogWords, _ claim: Claim)
    -> [(fault: Fault, end: Int)]
  {
    let text = message.text
    if let found = words.header(of: claim) {
      // A user program's own fault: `traps: cat[1] general protection fault ip:43`.
      var fault = fault(found, message, words)
      fault.isArm64 = !claim.knowsCommonLines
      return [(fault: fault, end: found.number.end)]
    }
    guard claim.knowsCommonLines else { return [] }
    let made =
      badEntry(message) ?? insecure(message) ?? change(message, words)
      ?? zeroEntry(message, words) ?? zeroEntryWarning(message) ?? counter(message, words)
    return made.map { [(fault: $0, end: text.utf8.count)] } ?? []
  }

  private static func fault(_ found: LogWords.Found, _ message: LogMessage, _ words: LogWords)
    -> Fault
  {
    let kind = found.header.kind
    var fault = Fault(kind, line: message.line, quote: message.text.quotable())
    guard kind != .badPageMap else {
      fault.takePageMap(words)
      return fault
    }
    // It has none: what follows its first line's words is a processor or a syndrome.
    if kind == .externalAbort { return fault }
    if found.isWhole, !message.isCut || found.number.digits.utf8.count == 16 {
      fault.address = found.number.value
    } else if !found.number.digits.isEmpty {
      fault.damaged = found.number.digits
    }
    return fault
  }

  /// The code of `Oops: 0003 [#1]`, `Oops: 0003 [1]`, `Oops: Oops: 0003 [#1]`.
  static func errorCode(_ words: LogWords, _ end: Int) -> UInt64? {
    let number = words.number(at: end)
    guard [4, 8].contains(number.digits.utf8.count) else { return nil }
    return number.value
  }

  /// `mm/memory.c:116: bad pmd ffff888012345678(00000000deadbeef)`; some versions end it with a dot,
  /// and some print no address.
  private static func badEntry(_ message: LogMessage) -> Fault? {
    guard message.text.mentions(" bad ") else { return nil }
    let words = message.text.split(separator: " ").map(String.init)
    guard let bad = words.firstIndex(of: "bad"), bad > 0, bad + 2 < words.count,
      words[bad - 1].mentions(".c:") || words[bad - 1].mentions(".h:"),
      ["pte", "pmd", "pud", "p4d", "pgd"].contains(words[bad + 1])
    else { return nil }
    let place = words[bad + 2]
    let parts = place.split { $0 == "(" || $0 == ")" || $0 == "." }
    var fault = Fault(.badEntry, line: message.line, quote: message.text.quotable())
    let hasAddress = place.first != "(" && parts.count == 2
    guard let value = parts.last.flatMap({ UInt64(hexText: $0) }), parts.count < 3 else {
      return nil
    }
    fault.entries = [Fault.Entry(words[bad + 1], value)]
    guard hasAddress, let address = UInt64(hexText: parts[0]) else { return fault }
    // %p prints a hash of 32 bits since 4.15; an entry lies at a multiple of its size.
    let isWide = parts[0].count == 16
    fault.isHashed =
      isWide ? address >> 32 == 0 : address & 3 != 0 || address < TableFormat.i386.upperHalf
    fault.address = fault.isHashed ? nil : address
    return fault
  }

  /// Whether a message is a whole line of those that a kernel which checks CPA prints for each page, a
  /// thousand of them: no other report begins or goes on in it.
  ///
  /// `CPA  protect  Rodata RO: 0xffffffff81e00000 - 0xffffffff81e00fff PFN 1e00 req 8000000000000163
  /// prevent 0000000000000002`, `CPA ffff888021200000: bad pte 212000e3`, `… unexpected level 2`.
  static func isOfChange(_ words: LogWords) -> Bool {
    guard words.has("CPA ", at: 0) else { return false }
    let parts = words.bytes.split(separator: 0x20)
    func isNumber(_ index: Int) -> Bool { UInt64(hexBytes: parts[index]) != nil }
    let count = parts.count
    if count == 5, isNumber(4) {
      let isBad = parts[2].elementsEqual("bad".utf8) && parts[3].elementsEqual("pte".utf8)
      return isBad
        || parts[2].elementsEqual("unexpected".utf8) && parts[3].elementsEqual("level".utf8)
    }
    return count > 8 && parts[count - 6].elementsEqual("PFN".utf8) && isNumber(count - 5)
      && parts[count - 4].elementsEqual("req".utf8) && isNumber(count - 3)
      && parts[count - 2].elementsEqual("prevent".utf8) && isNumber(count - 1)
  }

  /// `CPA detected W^X violation: …`, `CPA  protect  Rodata RO: …`, `CPA conflict    Text RO: …`.
  ///
  /// Read as bytes: a kernel that checks CPA prints a thousand such lines.
  static func change(_ message: LogMessage, _ words: LogWords) -> Fault? {
    guard message.text.mentions("CPA ") else { return nil }
    let parts = words.bytes.split(separator: 0x20)
    guard parts.count > 1, parts[0].elementsEqual("CPA".utf8),
      let colon = parts.lastIndex(where: { $0.last == UInt8(ascii: ":") }),
      colon + 3 < parts.count, parts[colon + 2].elementsEqual("-".utf8),
      let start = UInt64(hexBytes: parts[colon + 1]), let last = UInt64(hexBytes: parts[colon + 3]),
      start <= last
    else { return nil }
    let kind: Fault.Kind
    if message.text.mentions("W^X violation") {
      kind = .writeExecute
    } else if parts[1].elementsEqual("protect".utf8) {
      kind = .protected
    } else if parts[1].elementsEqual("conflict".utf8) {
      kind = .conflict
    } else {
      return nil
    }
    var fault = Fault(kind, line: message.line, quote: message.text.quotable())
    fault.address = start
    fault.last = last
    return fault
  }

  /// `WARNING: … at arch/x86/mm/pageattr.c:1211 __cpa_process_fault+0x21e/0x232`, where the line that
  /// says why is missing.
  private static func zeroEntryWarning(_ message: LogMessage) -> Fault? {
    guard message.text.hasPrefix("WARNING: "), message.text.mentions(" __cpa_process_fault+") else {
      return nil
    }
    return Fault(.zeroEntry, line: message.line, quote: message.text.quotable())
  }

  /// `CPA: called for zero pte. vaddr = ffff88007d5b0000 cpa->vaddr = ffff88007d5b0000`.
  private static func zeroEntry(_ message: LogMessage, _ words: LogWords) -> Fault? {
    guard let end = words.end(of: "CPA: called for zero pte. vaddr =") else { return nil }
    var fault = Fault(.zeroEntry, line: message.line, quote: message.text.quotable())
    fault.address = words.number(at: end).value
    return fault
  }

  /// `BUG: Bad page state in process X  pfn:12345`, `BUG: Bad rss-counter state mm:… val:3`.
  private static func counter(_ message: LogMessage, _ words: LogWords) -> Fault? {
    let kinds: [(String, Fault.Kind)] = [
      ("BUG: Bad page state in process", .badPageState),
      ("Bad page state in process '", .badPageState),
      ("BUG: Bad rss-counter state", .badCounter),
    ]
    for (phrase, kind) in kinds where words.end(of: phrase) != nil {
      return Fault(kind, line: message.line, quote: message.text.quotable())
    }
    return nil
  }

  /// `ADDRESS`, `ADDRESS/SYMBOL+0x0/0x1000` (the address may be hashed), `SYMBOL+0x0/0x1000`.
  private static func insecure(_ message: LogMessage) -> Fault? {
    let isOpen = message.text.mentions("non-UXN mapping at address")
    guard isOpen || message.text.mentions("insecure W+X mapping at address") else { return nil }
    let words = message.text.split(separator: " ")
    // A module's name may stand after the symbol.
    guard let at = words.lastIndex(of: "address"), at + 1 < words.count else { return nil }
    var place = words[at + 1]
    var address: UInt64?
    if let slash = place.firstIndex(of: "/"), let value = UInt64(hexText: place[..<slash]) {
      // %p prints a hash of 32 bits in 16 digits since 4.15.
      let isHash = value >> 32 == 0 && place[..<slash].count == 16
      address = isHash ? nil : value
      place = place[place.index(after: slash)...]
    } else if place.hasPrefix("("), let slash = place.firstIndex(of: "/") {
      // What %p prints of a pointer as long as it cannot hash: `(____ptrval____)`.
      place = place[place.index(after: slash)...]
    }
    var fault = Fault(
      isOpen ? .userExecutable : .insecureMapping, line: message.line,
      quote: message.text.quotable())
    fault.isArm64 = message.text.mentions("arm64/mm: ")
    if let value = UInt64(hexText: place) {
      fault.address = value
    } else {
      fault.address = address
      fault.symbol = String(place)
    }
    return fault
  }
}
