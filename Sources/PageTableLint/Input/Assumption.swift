internal import KernelImages

/// A fact that the user gives, where the input does not tell it: `pti=on`.
package struct Assumption: Sendable {
  private let name: String
  private let value: Bool

  private typealias Setter = @Sendable (inout KernelFacts, Fact<Bool>) -> Void
  private static let facts: [(name: String, set: Setter)] = [
    ("pti", { $0.pti = $1 }), ("nx", { $0.nx = $1 }), ("pge", { $0.pge = $1 }),
    ("xen", { $0.xen = $1 }),
  ]

  /// What `--assume` takes.
  package static var names: String { facts.map(\.name).joined(separator: ", ") }

  package init(_ text: String) throws(UsageError) {
    let parts = text.split(separator: "=").map(String.init)
    guard parts.count == 2, parts[1] == "on" || parts[1] == "off" else {
      throw UsageError("--assume takes FACT=on or FACT=off, not \(text)")
    }
    guard Self.facts.contains(where: { $0.name == parts[0] }) else {
      throw UsageError(
        "no fact is named \(parts[0]); known: "
          + Self.names)
    }
    name = parts[0]
    value = parts[1] == "on"
  }

  func apply(to facts: inout KernelFacts) {
    Self.facts.first { $0.name == name }?.set(&facts, Fact(value, "assumed"))
  }
}
