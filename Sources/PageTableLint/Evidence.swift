package import PageTables

/// What speaks for a finding, as data: reports make sentences of it.
package enum Evidence: Sendable, Hashable, Codable {
  /// The first of the runs that have the defect, and how many more are like it.
  case mapping(Mapping)
  /// An entry of the tables.
  case entry(Entry)
  /// A table pointer that leads nowhere good, and where it maps.
  case pointer(UInt64?, address: UInt64)
  /// Who the page table that maps an address belongs to.
  case owner(String, tableOf: UInt64)
  /// Something known of the kernel, and where it is known from.
  case fact(String, source: String)
  /// A line of the log, by its number.
  case logLine(Int, String)
  /// What the kernel's log reports of the same mapping.
  case logReport(String)
  /// Another rule's finding that this one explains.
  case consequence(rule: String, message: String)
  /// What no other case has.
  case words(String)

  package struct Mapping: Sendable, Hashable, Codable {
    package let start: UInt64
    /// Exclusive.
    package let end: UInt64
    package let size: UInt64
    /// In the kernel's spelling.
    package let flags: [String]
    package let level: String
    package let more: Int
  }

  package struct Entry: Sendable, Hashable, Codable {
    package let address: UInt64
    package let level: String
    /// Nil where the source does not tell it.
    package let value: UInt64?
    /// Who the table that holds it belongs to, where the rule asks.
    package var owner: String?
    /// How many more are like it.
    package var more = 0
    /// What more there is to say of it.
    package var remark = ""
  }
}

extension Evidence: ExpressibleByStringInterpolation {
  package init(stringLiteral words: String) { self = .words(words) }
}

extension Evidence {
  /// As a sentence, with addresses as the kernel prints them in a format.
  package func text(_ mode: TableFormat) -> String {
    switch self {
    case .mapping(let run):
      "\(mode.text(run.start))-\(mode.text(run.end)) \(run.size.size) "
        + run.flags.joined(separator: " ") + " " + run.level
        + (run.more > 0 ? ", and \(run.more) more like it" : "")
    case .entry(let entry):
      "\(mode.text(entry.address)): \(entry.level) entry \(entry.value?.entry ?? "?")"
        + (entry.owner.map { ", in \($0)" } ?? "")
        + (entry.more > 0 ? ", and \(entry.more) more" : "") + entry.remark
    case .pointer(let entry, let address):
      "\(mode.text(address)): the table pointer \(entry?.entry ?? "?")"
    case .owner(let owner, let address): "the page table of \(mode.text(address)) is \(owner)"
    case .fact(let fact, let source): "\(fact) (\(source))"
    case .logLine(let number, let line): "log line \(number): \(line)"
    case .logReport(let quote): "the kernel's log names it: \(quote)"
    case .consequence(let rule, let message): "so \(rule), too: \(message)"
    case .words(let words): words
    }
  }
}
