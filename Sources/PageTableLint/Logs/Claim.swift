internal import PageTables

/// How one architecture's kernels report faults and entries of page tables, as data.
struct Claim: Sendable {
  /// A string that begins a report.
  struct Header: Sendable {
    /// Without blanks, which wrapping adds and takes away.
    let phrase: [UInt8]
    let kind: Fault.Kind
    /// Whether the address is printed with leading zeros, so that one with fewer digits is damaged.
    let isPadded: Bool

    init(_ phrase: String, _ kind: Fault.Kind, isPadded: Bool = true) {
      self.phrase = phrase.utf8.filter { $0 != 0x20 }
      self.kind = kind
      self.isPadded = isPadded
    }
  }

  /// The longest first, where one begins another.
  let headers: [Header]
  /// The names of entries as printed, each with its level's name.
  let entryNames: [(printed: String, level: String)]
  /// What stands before an instruction's place, the most telling last.
  let instructions: [String]
  /// Strings of which a line of a report holds one.
  let marks: [String]
  /// Strings that begin a line of its own wherever lines are wrapped.
  let starts: [String]
  /// Strings after which lines belong to no report before them.
  let ends: [String]
  /// The names of the registers that hold the root, and that tell the number of levels.
  let rootRegister: String
  let modeRegister: String
  /// Strings that show a report to be of another architecture.
  let others: [String]
  /// Whether lines that all architectures have in common are read with it, once.
  private(set) var knowsCommonLines = true
}

/// What the reader needs to know of the claims: which lines matter, and which continue others.
struct LogMarks: Sendable {
  private let marks: ByteMarks
  private let claims: [Claim]

  init(_ claims: [Claim]) {
    self.claims = claims
    marks = ByteMarks(claims.flatMap(\.marks))
  }

  func mayMatter(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    marks.place(in: bytes, from: start, to: end) != nil
  }

  func mayMatter(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return mayMatter(bytes.span, 0, bytes.count)
  }

  // MARK: - Wrapped lines

  /// Whether a line that no stamp begins is one of its own all the same.
  func begins(_ text: String, after before: String) -> Bool {
    claims.contains { claim in claim.starts.contains { text.hasPrefix($0) } }
  }

  /// Whether a message that carries no stamp goes on in `text`.
  func wants(_ before: String, _ text: String) -> Bool {
    let words = LogWords(before)
    for claim in claims {
      if let header = words.header(of: claim) {
        guard header.header.kind == .badPageMap else { return !header.isWhole }
        return ["pte:", "pmd:"].contains { text.hasPrefix($0) }
      }
      if words.hasPart(of: claim) { return true }
      if words.hasEntry(of: claim) {
        guard let first = text.split(separator: " ").first else { return false }
        return claim.entryNames.contains { first == $0.printed }
          || isHexWord(first) || isCutName(before, String(first), claim)
      }
      if claim.instructions.contains(where: before.mentions), !before.mentions("+0x") {
        return text.mentions("+0x")
      }
    }
    if before.mentions(" bad p"), before.hasPrefix("mm/") || before.hasPrefix("arch/") {
      return !before.hasSuffix(")") && !before.hasSuffix(".") && text.mentions(")")
    }
    return before.mentions("omm: ") && !before.mentions(" #")
  }

  /// Whether two pieces of a message are one word.
  func isCutWord(_ before: String, _ next: String, atColumn: Bool) -> Bool {
    let words = before.split(separator: " ").suffix(2)
    guard let left = words.last, let right = next.split(separator: " ").first else { return false }
    if isHexWord(left), isHexWord(right), left.utf8.count + right.utf8.count <= 16,
      words.count == 2, let name = words.first
    {
      if name.hasSuffix(":") || name == "at" || name == "address" || name == "=" { return true }
      for claim in claims where claim.entryNames.contains(where: { name == $0.printed }) {
        return true
      }
    }
    // `pmd:10fe4f067`
    if right.dropFirst(3).first == ":" || right.hasPrefix("addr:") { return false }
    // An address is whole, whatever follows.
    if isHexWord(left), left.utf8.count >= 16 { return false }
    for claim in claims where isCutName(before, String(right), claim) { return true }
    if left.contains("("), !left.contains(")"), right.contains(")") { return true }
    return atColumn
  }

  private func isCutName(_ before: String, _ right: String, _ claim: Claim) -> Bool {
    guard let left = before.split(separator: " ").last else { return false }
    let names = claim.entryNames.map(\.printed)
    return !names.contains(String(left)) && names.contains(left + right)
  }

  /// Digits as the kernel prints them, in small letters.
  private func isHexWord(_ word: Substring) -> Bool {
    !word.isEmpty && word.utf8.allSatisfy(LogWords.isHexDigit)
  }
}
