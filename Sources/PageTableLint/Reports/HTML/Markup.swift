internal import FoundationEssentials
internal import PageTables

/// A piece of a page: what stands in a literal is markup, what is put into it is text and escaped.
///
/// So the compiler keeps names of an input out of the markup, where a template would ask each
/// author to remember it.
struct Markup: Sendable, ExpressibleByStringInterpolation {
  private(set) var source: String

  init(stringLiteral source: String) { self.source = source }
  init(stringInterpolation parts: StringInterpolation) { source = parts.source }

  /// Text that is the program's own and is markup already: the page's style and its script.
  init(own source: String) { self.source = source }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var source = ""

    init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity) }
    mutating func appendLiteral(_ literal: String) { source += literal }
    mutating func appendInterpolation(_ text: String) { source += Markup.escaped(text) }
    mutating func appendInterpolation(_ number: some BinaryInteger) { source += String(number) }
    mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
    mutating func appendInterpolation(_ markup: Markup?) { source += markup?.source ?? "" }
    mutating func appendInterpolation(_ parts: [Markup]) {
      for part in parts { source += part.source }
    }
  }

  static func += (left: inout Markup, right: Markup) { left.source += right.source }
  static func + (left: Markup, right: Markup) -> Markup {
    var both = left
    both += right
    return both
  }

  /// The path of an input.
  static func path(_ path: String) -> Markup { "<code>\(path.shortened())</code>" }

  /// Text as it may stand between tags and in quoted attributes.
  ///
  /// Source: HTML Living Standard, 13.3, "Escaping a string".
  private static func escaped(_ text: String) -> String {
    let text = text.harmless()
    guard text.utf8.contains(where: { [0x22, 0x26, 0x27, 0x3c, 0x3e].contains($0) }) else {
      return text
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count + 16)
    for byte in text.utf8 {
      switch byte {
      case 0x22: bytes += "&quot;".utf8
      case 0x26: bytes += "&amp;".utf8
      case 0x27: bytes += "&#39;".utf8
      case 0x3c: bytes += "&lt;".utf8
      case 0x3e: bytes += "&gt;".utf8
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A value as JSON that may stand in a script element: nothing in it ends the element.
  static func json(_ value: some Encodable) throws -> Markup {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    return Markup(own: text.harmlessJSON.replacing("<", with: "\\u003c"))
  }
}

/// The names of a page's elements: each is given once.
struct ElementNames {
  private var given: [String: Int] = [:]

  /// The name, or that with a number where it is given already.
  mutating func claim(_ wanted: String) -> String {
    let name = String(wanted.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    given[name, default: 0] += 1
    guard let count = given[name], count > 1 else { return name }
    return claim("\(name)-\(count)")
  }
}
