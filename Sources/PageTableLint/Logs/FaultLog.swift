internal import PageTables

/// What a kernel log reports of single addresses: page faults, bad entries, insecure mappings.
///
/// Source: arch/x86/mm/fault.c, arch/x86/kernel/traps.c, arch/x86/mm/dump_pagetables.c,
/// arch/x86/mm/pat/set_memory.c, mm/memory.c and mm/pgtable-generic.c, 6.12, and older spellings.
package struct FaultLog: Sendable, Equatable {
  /// In the order of the log; of several boots the last one's.
  package private(set) var faults: [Fault] = []
  /// The release that the log itself names.
  package private(set) var release: String?
  /// Why the kernel panicked, as logged; nil where it did not.
  package private(set) var panic: String?
  /// Reports that were counted and not kept.
  package private(set) var leftOut = 0

  private static let kept = 1000
  /// Longer lines are not the kernel's.
  private static let longestLine = 2048

  /// The report that the next lines may belong to.
  private var isOpen = false
  /// A hint goes before the report's first line.
  private var hint: String?

  /// Reads a log, however it is stamped or quoted.
  package init(_ text: String) {
    var text = text
    text.makeContiguousUTF8()
    let bytes = text.utf8.span
    var start = 0
    var number = 0
    while start < bytes.count {
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
      number += 1
      if end - start <= Self.longestLine {
        // A serial console's lines end with a carriage return.
        let hasReturn = end > start && bytes[end - 1] == UInt8(ascii: "\r")
        let line = LogLine(bytes, start, hasReturn ? end - 1 : end)
        if Self.mayMatter(bytes, line.start, line.end) {
          var copy: [UInt8] = []
          for index in line.start..<line.end { copy.append(bytes[index]) }
          take(String(decoding: copy, as: UTF8.self), number)
        }
      }
      start = end + 1
    }
  }

  // MARK: - Which lines

  private static let marks = [
    "BUG:", "nable to ", "#PF:", "PGD ", "*pd", "Oops", "NX-prot", "Corrupted page", " bad p",
    "Bad page", "eneral prot", "RIP:", "IP:", "W+X map", "CPA ", "Linux version", "[#", "addr:",
    "NULL pointer", "end trace", "PID:", "Pid:", "Kernel panic",
  ].map { Array($0.utf8) }
  private static let initials: [Bool] = {
    var initials = [Bool](repeating: false, count: 256)
    for mark in marks { initials[Int(mark[0])] = true }
    return initials
  }()

  private static func mayMatter(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    var position = start
    while position < end {
      if initials[Int(bytes[position])] {
        for mark in marks where LogLine.has(bytes, position, end, mark) { return true }
      }
      position += 1
    }
    return false
  }

  // MARK: - Lines

  private mutating func take(_ text: String, _ number: Int) {
    let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\0" }.map(String.init)
    guard let first = words.first else { return }
    if first == "Linux", words.count > 2, words[1] == "version" {
      faults = []
      (isOpen, hint, leftOut, panic) = (false, nil, 0, nil)
      release = words[2]
    } else if text.mentions("NX-protected page") || text.mentions("to execute userspace code") {
      hint = Self.printable(text)
    } else if text.hasPrefix("Kernel panic - not syncing") {
      panic = panic ?? Self.printable(text)
    } else if text.mentions("end trace") {
      isOpen = false
    } else if let fault = Self.header(text, words, number) {
      add(fault)
    } else if isOpen, !faults.isEmpty {
      Self.complete(&faults[faults.count - 1], text, words)
    }
  }

  private mutating func add(_ fault: Fault) {
    var fault = fault
    if !fault.kind.isOfMapping {
      fault.hint = hint
      hint = nil
    }
    if fault.kind == .protected {
      // A line a page, of the kernel image and of the direct map in turn: one range each.
      isOpen = false
      for index in faults.indices.suffix(2) where faults[index].kind == .protected {
        if faults[index].last.map({ $0 &+ 1 }) == fault.address {
          faults[index].last = fault.last
          return
        }
      }
    }
    guard faults.count < Self.kept else {
      leftOut += 1
      isOpen = false
      return
    }
    faults.append(fault)
    isOpen = true
  }

  /// The line that begins a report.
  private static func header(_ text: String, _ words: [String], _ line: Int) -> Fault? {
    if words.first == "CPA" { return change(text, words, line) }
    func fault(_ kind: Fault.Kind, _ address: UInt64?) -> Fault? {
      guard let address else { return nil }
      var fault = Fault(kind, line: line, quote: printable(text))
      fault.address = address
      return fault
    }
    func after(_ mark: String) -> UInt64? {
      words.firstIndex(of: mark).flatMap { index in
        index + 1 < words.count ? number(words[index + 1]) : nil
      }
    }
    if text.mentions("nable to handle") || text.mentions("kernel NULL pointer dereference") {
      guard text.mentions("page fault") || text.mentions("paging request") || text.mentions("NULL")
      else { return nil }
      return fault(.pageFault, words.last.flatMap(Self.number))
    }
    if text.mentions("general protection fault") {
      return fault(.generalProtection, after("address"))
    }
    if text.mentions("Corrupted page table at address") {
      return fault(.corruptedTable, after("address"))
    }
    if text.mentions("Bad page map in process") {
      var fault = Fault(.badPageMap, line: line, quote: printable(text))
      fault.entries = words.compactMap { word in
        let parts = word.split(separator: ":")
        guard parts.count == 2, ["pte", "pmd"].contains(parts[0]) else { return nil }
        return UInt64(hexText: parts[1]).map { Fault.Entry(String(parts[0]), $0) }
      }
      return fault
    }
    if let bad = words.firstIndex(of: "bad"), bad + 2 < words.count,
      ["pte", "pmd", "pud", "p4d", "pgd"].contains(words[bad + 1])
    {
      // `bad pmd ffff888012345678(00000000deadbeef)`; some versions end it with a dot.
      let parts = words[bad + 2].split { $0 == "(" || $0 == ")" || $0 == "." }
      guard parts.count == 2, let value = UInt64(hexText: parts[1]) else { return nil }
      var found = fault(.badEntry, UInt64(hexText: parts[0]))
      found?.entries = [Fault.Entry(words[bad + 1], value)]
      return found
    }
    if text.mentions("insecure W+X mapping at address") {
      return insecure(text, words, line)
    }
    return nil
  }

  /// `CPA detected W^X violation: …` and `CPA  protect  Rodata RO: …`.
  private static func change(_ text: String, _ words: [String], _ line: Int) -> Fault? {
    func fault(_ kind: Fault.Kind, _ start: UInt64, last: UInt64) -> Fault {
      var fault = Fault(kind, line: line, quote: printable(text))
      fault.address = start
      fault.last = last
      return fault
    }
    let isViolation = text.mentions("W^X violation")
    let isRefused = words.count > 1 && (words[1] == "protect" || words[1] == "conflict")
    guard isViolation || isRefused, let colon = words.lastIndex(where: { $0.hasSuffix(":") }),
      colon + 3 < words.count, words[colon + 2] == "-", let start = Self.number(words[colon + 1]),
      let last = Self.number(words[colon + 3]), start <= last
    else { return nil }
    return fault(isViolation ? .writeExecute : .protected, start, last: last)
  }

  /// `ADDRESS`, `ADDRESS/SYMBOL+0x0/0x1000` (the address may be hashed), `SYMBOL+0x0/0x1000`.
  private static func insecure(_ text: String, _ words: [String], _ line: Int)
    -> Fault?
  {
    // A module's name may stand behind the symbol.
    guard let at = words.lastIndex(of: "address"), at + 1 < words.count else { return nil }
    var place = words[at + 1][...]
    var address: UInt64?
    if let slash = place.firstIndex(of: "/"), let value = UInt64(hexText: place[..<slash]) {
      // %p prints a hash of 32 bits in 16 digits since 4.15.
      let isHash = value >> 32 == 0 && place[..<slash].count == 16
      address = isHash ? nil : value
      place = place[place.index(after: slash)...]
    }
    var fault = Fault(.insecureMapping, line: line, quote: printable(text))
    if let value = UInt64(hexText: place) {
      fault.address = value
    } else {
      fault.address = address
      fault.symbol = String(place)
    }
    return fault
  }

  /// A later line of a report.
  private static func complete(_ fault: inout Fault, _ text: String, _ words: [String]) {
    let first = words[0]
    if first == "#PF:", words.count > 2 {
      if let code = words.first(where: { $0.hasPrefix("error_code(") }) {
        fault.errorCode =
          fault.errorCode ?? UInt64(hexText: code.dropFirst(11).prefix { $0 != ")" })
      } else {
        fault.saidUser = words[1] == "user"
        fault.saidAccess =
          words[2] == "instruction" ? .fetch : Fault.Access(rawValue: words[2])
      }
    } else if first == "PGD" || first.hasPrefix("*pd") {
      // `PGD 3c0f067 P4D 3c0f067`, `*pdpt = 0000000001b2a001 *pde = 0000000000000000`
      let list = words.filter { $0 != "=" }
      for (name, value) in zip(list, list.dropFirst()) {
        let level = name.hasPrefix("*") ? String(name.dropFirst()) : name.lowercased()
        guard ["pgd", "p4d", "pud", "pmd", "pte", "pdpt", "pde"].contains(level),
          let value = UInt64(hexText: value), !fault.entries.contains(where: { $0.name == level })
        else { continue }
        fault.entries.append(Fault.Entry(level, value))
      }
    } else if first.hasPrefix("addr:"), fault.kind == .badPageMap {
      fault.address = fault.address ?? UInt64(hexText: first.dropFirst(5))
    } else if let mark = words.firstIndex(where: { $0 == "PID:" || $0 == "Pid:" }),
      mark + 1 < words.count
    {
      // `CPU: 0 PID: 1 Comm: init`; until 3.10 `Pid: 1, comm: init`.
      fault.pid = fault.pid ?? Int(words[mark + 1].prefix { $0 != "," })
    } else if let count = words.firstIndex(where: { $0.hasPrefix("[#") }), count > 0,
      words[count - 1].count == 4
    {
      // `Oops: 0002 [#1] SMP`, `Oops: Oops: 0011 [#1] PREEMPT`
      fault.errorCode = fault.errorCode ?? UInt64(hexText: words[count - 1])
    } else if let pointer = words.firstIndex(where: { ["RIP:", "EIP:", "IP:"].contains($0) }) {
      guard fault.instruction == nil else { return }
      // `0010:name+0x2b/0x30`, `0010:[<ffffffff8104b27b>]  [<ffffffff8104b27b>] name+0x2b/0x30`
      let place = words[(pointer + 1)...].compactMap { word -> Substring? in
        if word.hasPrefix("[<") { return nil }
        let parts = word.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, parts[0].count == 4 else { return word[...] }
        return parts[1].hasPrefix("[<") ? nil : parts[1]
      }.first
      fault.instruction = place.map { printable(String($0)) }
    }
  }

  // MARK: - Pieces

  /// Hexadecimal with or without `0x`; what `%p` printed for 0; punctuation behind is left out.
  private static func number(_ word: String) -> UInt64? {
    if word == "(null)" || word == "<null>" { return 0 }
    let digits = word.prefix { $0.isHexDigit || $0 == "x" }
    let rest = word.dropFirst(digits.count)
    return rest.allSatisfy { ":,.".contains($0) } ? UInt64(hexText: digits) : nil
  }

  /// A log's words are another's: no control characters, and not for ever.
  private static func printable(_ text: String) -> String {
    String(
      text.unicodeScalars.prefix(160).map {
        $0.value < 32 || (127..<160) ~= $0.value ? "?" : Character($0)
      })
  }
}
