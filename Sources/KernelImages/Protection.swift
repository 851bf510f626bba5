internal import PageTables

/// A protection that a processor has of its own, beside what tables say.
package enum Protection: String, Sendable, CaseIterable, Codable {
  /// The kernel may not write what is read-only.
  case writeProtect = "wp"
  /// Entries can forbid execution.
  case noExecute = "nxe"
  /// The kernel may not run a program's memory.
  case userExecution = "smep"
  /// The kernel may not touch a program's memory unless it says so.
  case userAccess = "smap"
  /// Programs may not ask where the kernel's tables lie.
  case userInstructions = "umip"
  case protectionKeys = "pke"
  /// Shadow stacks and checked branches.
  case controlFlow = "cet"
}

extension Protection {
  /// For a sentence.
  package var name: String {
    switch self {
    case .writeProtect: "write protection (WP)"
    case .noExecute: "the no-execute bit (NXE)"
    default: rawValue.uppercased()
    }
  }
}

/// A protection as a register of one processor has it.
package struct RegisterState: Sendable, Equatable {
  package let protection: Protection
  package let isOn: Bool
  package let register: String
  /// The whole register.
  package let value: UInt64
}

extension KernelFacts {
  /// Takes what processors' registers say: a protection is on where all that run have it.
  package mutating func take(
    _ processors: [[RegisterState]], source: String
  ) {
    for (number, states) in processors.enumerated() {
      for state in states {
        let known = protections[state.protection]
        guard known == nil || known?.value == true && !state.isOn else { continue }
        let place = processors.count > 1 && !state.isOn ? " of processor \(number + 1)" : ""
        protections[state.protection] = Fact(
          state.isOn, "\(state.register)\(place) \(source): \(state.value.entry)")
      }
    }
  }
}
