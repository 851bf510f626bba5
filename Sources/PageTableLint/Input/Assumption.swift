internal import KernelImages

/// A fact that the user gives, where the input does not tell it: `pti=on`.
package struct Assumption: Sendable {
  private let key: FactKey<Bool>
  private let value: Bool

  /// What `--assume` takes.
  package static var names: String {
    FactKey<Bool>.switches.map(\.name).joined(separator: ", ")
  }

  package init(_ text: String) throws(UsageError) {
    let parts = text.split(separator: "=").map(String.init)
    guard parts.count == 2, parts[1] == "on" || parts[1] == "off" else {
      throw UsageError("--assume takes FACT=on or FACT=off, not \(text)")
    }
    guard let key = FactKey<Bool>.switches.first(where: { $0.name == parts[0] }) else {
      throw UsageError("no fact is named \(parts[0]); known: \(Self.names)")
    }
    self.key = key
    value = parts[1] == "on"
  }

  func apply(to facts: inout KernelFacts) { facts[key] = Fact(value, "assumed") }
}
