internal import PageTables

/// Reads the expressions of ``MappingFilter`` by recursive descent.
struct FilterParser {
  private let text: [Character]
  private var at = 0
  // Of brackets and negations: each takes some of the stack.
  private var depth = 0

  init(_ text: String) { self.text = Array(text) }

  mutating func whole() throws(UsageError) -> MappingFilter.Node {
    let node = try expression()
    skipBlanks()
    guard at == text.count else { throw failure("expected & or | or the end") }
    return node
  }

  private mutating func expression() throws(UsageError) -> MappingFilter.Node {
    var node = try conjunction()
    while take("|") {
      _ = take("|")
      node = .either(node, try conjunction())
    }
    return node
  }

  private mutating func conjunction() throws(UsageError) -> MappingFilter.Node {
    var node = try factor()
    while take("&") {
      _ = take("&")
      node = .both(node, try factor())
    }
    return node
  }

  private mutating func factor() throws(UsageError) -> MappingFilter.Node {
    depth += 1
    defer { depth -= 1 }
    guard depth < 64 else { throw failure("too many brackets") }
    if take("!") { return .not(try factor()) }
    if take("(") {
      let node = try expression()
      guard take(")") else { throw failure("expected )") }
      return node
    }
    skipBlanks()
    let start = at
    let name = word().lowercased()
    guard !name.isEmpty else { throw failure("expected an attribute") }
    if let comparison = comparison() { return try compared(name, comparison, from: start) }
    return try attribute(name, from: start)
  }

  private func attribute(_ name: String, from start: Int) throws(UsageError) -> MappingFilter.Node {
    if let known = MappingFilter.Attribute(rawValue: name) { return .attribute(known) }
    if let (known, isNegated) = MappingFilter.Attribute.synonyms[name] {
      // What is not mapped is neither read-only nor a kernel's.
      return isNegated
        ? .both(.attribute(.leaf), .not(.attribute(known))) : .attribute(known)
    }
    if Self.flags.contains(name) { return .flag(name) }
    throw failure("no attribute is named \(name); known: \(Self.known)", at: start)
  }

  /// The flags of every format, by the kernel's names.
  private static let flags = Set(
    TableFormat.named.flatMap { $0.mode().attributes.map { $0.set.lowercased() } })

  private static let known =
    (MappingFilter.Attribute.allCases.map(\.rawValue) + ["ro", "nx", "kernel"]
    + MappingFilter.Quantity.allCases.map(\.rawValue) + ["area", "level"])
    .joined(separator: ", ") + ", and the flags of a dump"

  private mutating func compared(
    _ name: String, _ comparison: MappingFilter.Comparison, from start: Int
  ) throws(UsageError) -> MappingFilter.Node {
    skipBlanks()
    let place = at
    let value = try self.value()
    if let quantity = MappingFilter.Quantity(rawValue: name) {
      guard let number = UInt64(sizeText: value) ?? number(value, of: quantity) else {
        throw failure("expected a size as 4K or 2M, or a number after 0x", at: place)
      }
      return .number(quantity, comparison, number)
    }
    guard name == "area" || name == "level" else {
      throw failure("nothing to compare is named \(name)", at: start)
    }
    guard comparison == .equal || comparison == .notEqual else {
      throw failure("\(name) takes = or !=", at: start)
    }
    let isEqual = comparison == .equal
    return name == "area"
      ? .area(value.lowercased(), isEqual: isEqual) : .level(value.lowercased(), isEqual: isEqual)
  }

  /// Addresses are hexadecimal everywhere; sizes are decimal without `0x`.
  private func number(_ text: String, of quantity: MappingFilter.Quantity) -> UInt64? {
    switch quantity {
    case .address, .physical: UInt64(hexText: text)
    case .size, .pagesize: text.hasPrefix("0x") ? UInt64(hexText: text) : UInt64(text)
    }
  }

  private mutating func value() throws(UsageError) -> String {
    guard at < text.count, text[at] == "\"" || text[at] == "'" else {
      let value = word()
      guard !value.isEmpty else { throw failure("expected a value") }
      return value
    }
    let quote = text[at]
    guard let end = text[(at + 1)...].firstIndex(of: quote) else {
      throw failure("no end of the quotation")
    }
    defer { at = end + 1 }
    return String(text[(at + 1)..<end])
  }

  private mutating func comparison() -> MappingFilter.Comparison? {
    skipBlanks()
    for comparison in MappingFilter.Comparison.allCases {
      let sign = Array(comparison.rawValue)
      guard text[at...].starts(with: sign) else { continue }
      at += sign.count
      if comparison == .equal, at < text.count, text[at] == "=" { at += 1 }
      return comparison
    }
    return nil
  }

  private mutating func word() -> String {
    let start = at
    while at < text.count, text[at].isLetter || text[at].isNumber || "_.".contains(text[at]) {
      at += 1
    }
    return String(text[start..<at])
  }

  private mutating func take(_ character: Character) -> Bool {
    skipBlanks()
    guard at < text.count, text[at] == character else { return false }
    at += 1
    return true
  }

  private mutating func skipBlanks() {
    while at < text.count, text[at].isWhitespace { at += 1 }
  }

  private func failure(_ what: String, at place: Int? = nil) -> UsageError {
    UsageError("--filter, at character \((place ?? at) + 1) of \"\(String(text))\": \(what)")
  }
}
