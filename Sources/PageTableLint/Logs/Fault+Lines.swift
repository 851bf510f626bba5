internal import PageTables

/// A report's later lines.
extension Fault {
  /// Takes what a later message tells, or the rest of the report's first.
  mutating func complete(_ words: LogWords, from start: Int, _ claim: Claim) {
    let text = String(decoding: words.bytes[min(start, words.bytes.count)...], as: UTF8.self)
    if !claim.knowsCommonLines {
      completeArm64(words, from: start)
      takeInstruction(text, claim)
      return
    }
    if claim.others.contains(where: text.mentions) { isForeign = true }
    if kind.isAccess {
      takeAccess(text)
      // Other architectures have codes of their own there.
      if !text.mentions("Internal error") { takeCode(words, from: start) }
      takeEntries(words, from: start, claim)
      takeRegisters(words, claim)
    } else if kind == .badPageMap {
      takePageMap(words)
    }
    takeTask(text)
    if kind != .badPageMap { takeInstruction(text, claim) }
  }

  /// `#PF: supervisor write access in kernel mode`.
  private mutating func takeAccess(_ text: String) {
    for (user, mark) in [(true, "#PF: user "), (false, "#PF: supervisor ")] {
      guard saidUser == nil, let place = text.place(of: mark) else { continue }
      saidUser = user
      let first = text[place.upperBound...].prefix { $0 != " " }
      saidAccess = first == "instruction" ? .fetch : Access(rawValue: String(first))
    }
  }

  /// `#PF: error_code(0x0003)`, `Oops: 0003 [#1] SMP PTI`, `Bad pagetable: 000d [1] SMP`.
  private mutating func takeCode(_ words: LogWords, from start: Int) {
    if let end = words.end(of: "error_code(", from: start) {
      errorCode = errorCode ?? words.number(at: end).value
    }
    for mark in ["Bad pagetable:", "Oops:"] {
      var end = words.end(of: mark, from: start)
      // 6.8 and later say it twice.
      while let place = end, let again = words.end(of: mark, from: place), again <= place + 6 {
        end = again
      }
      guard let end else { continue }
      guard let code = ReportHeader.errorCode(words, end) else { continue }
      hasOops = true
      errorCode = errorCode ?? code
      let names = words.words(from: end)
      if names.contains("NOPTI") { pti = false } else if names.contains("PTI") { pti = true }
    }
  }

  /// `PGD 3c0f067 P4D 3c0f067`, `*pdpt = 0000000001b2a001 *pde = 0000000000000000`.
  private mutating func takeEntries(_ words: LogWords, from start: Int, _ claim: Claim) {
    var found: [(place: Int, entry: Entry, digits: Int)] = []
    for (printed, level) in claim.entryNames {
      for place in words.places(after: printed) where place > start {
        let number = words.number(at: place)
        guard let value = number.value, number.digits.utf8.count <= 16 else { continue }
        found.append((place, Entry(level, value), number.digits.utf8.count))
      }
    }
    for (_, entry, digits) in found.sorted(by: { $0.place < $1.place })
    where !entries.contains(where: { $0.name == entry.name }) {
      entries.append(entry)
      if digits == 16 || entry.name == "pdpt" { hasWideEntries = true }
    }
  }

  private mutating func takeRegisters(_ words: LogWords, _ claim: Claim) {
    func value(of register: String) -> UInt64? {
      words.places(after: register + ":").first.flatMap { words.number(at: $0).value }
    }
    rootRegister = rootRegister ?? value(of: claim.rootRegister)
    modeRegister = modeRegister ?? value(of: claim.modeRegister)
  }

  /// `CPU: 0 PID: 1 Comm: init Not tainted 6.12.0 #1`; until 3.10 `Pid: 1, comm: init`.
  private mutating func takeTask(_ text: String) {
    guard let mark = text.place(of: "PID: ") ?? text.place(of: "Pid: ") else { return }
    pid = pid ?? Int(text[mark.upperBound...].prefix { $0.isNumber })
    release = release ?? LogFacts.release(in: String(text[mark.upperBound...]))
  }

  /// `0010:name+0x2b/0x30`, `0010:[<ffffffff8104b27b>]  [<ffffffff8104b27b>] name+0x2b/0x30`.
  private mutating func takeInstruction(_ text: String, _ claim: Claim) {
    guard instruction == nil else { return }
    // Between the first line of a report of today and its Oops line only others name a place.
    if saidAccess != nil, !hasOops { return }
    for mark in claim.instructions.reversed() {
      guard let range = text.place(of: mark) else { continue }
      let place = text[range.upperBound...].split(separator: " ").lazy.compactMap {
        word -> Substring? in
        if word.hasPrefix("[<") { return nil }
        let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 4 else { return word }
        return parts[1].hasPrefix("[<") ? nil : parts[1]
      }.first
      // 32 bits: `EIP: 0060:[<c014d9b8>] EFLAGS: 00010016`; the name stands in the next line.
      guard let place, !place.hasSuffix(":"), place != "Not", !place.hasPrefix("*") else {
        continue
      }
      instruction = String(place).quotable()
      return
    }
  }

  /// `pte:9402e1e2b18c8ae9 pmd:10fe4f067`, `pgd:… p4d:… pud:… pmd:…` (6.18), `addr:00007f0000001000`.
  mutating func takePageMap(_ words: LogWords) {
    let found = ["pgd", "p4d", "pud", "pmd", "pte"].flatMap { name in
      words.places(after: name + ":").prefix(1).map { (name: name, place: $0) }
    }
    for (name, place) in found.sorted(by: { $0.place < $1.place })
    where !entries.contains(where: { $0.name == name }) {
      let number = words.number(at: place)
      guard let value = number.value else { continue }
      entries.append(Entry(name, value))
      if number.digits.utf8.count > 8 { hasWideEntries = true }
    }
    if let end = words.places(after: "addr:").first {
      let number = words.number(at: end)
      if number.digits.utf8.count > 8 { hasWideEntries = true }
      address = address ?? number.value
    }
  }

  /// Gives the address that CR2 holds where the report's first line is damaged.
  ///
  /// - Parameter values: CR2 as each line after it prints it.
  mutating func repairAddress(by values: [String]) {
    guard kind.isAccess else { return }
    let is64 = entries.contains { $0.name == "pgd" }
    // A line that ends after eight digits of sixteen.
    if is64, let address, damaged == nil, address >> 32 == 0,
      quote.hasSuffix(address.hex(digits: 8)), !quote.hasSuffix(address.hex(digits: 9))
    {
      damaged = address.hex(digits: 8)
      self.address = nil
    }
    if address == nil, damaged == nil, Set(values).count == 1, let only = values.first {
      address = UInt64(hexText: only)
    }
    guard let damaged, let whole = values.first(where: { $0.hasPrefix(damaged) && $0 != damaged })
    else { return }
    address = UInt64(hexText: whole)
    self.damaged = nil
  }
}
