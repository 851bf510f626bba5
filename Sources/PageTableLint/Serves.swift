internal import KernelImages
internal import PageTables

/// The processors whose tables a rule can judge; decided before its needs.
package struct Serves: Sendable {
  /// Nil for all of them.
  let architectures: [any Architecture]?
  /// Whether its kernels of 32 bits are judged, too.
  let includes32Bits: Bool

  static let all = Serves(architectures: nil, includes32Bits: true)
  static let all64 = Serves(architectures: nil, includes32Bits: false)
  static let x86 = Serves(architectures: [X86.x86_64, X86.i386], includes32Bits: true)
  static let arm64 = Serves(architectures: [Arm64.arm64], includes32Bits: false)
  static let x86_64 = Serves(architectures: [X86.x86_64], includes32Bits: false)

  /// For lists: `all`, `64-bit`, or the architectures' names.
  package var names: [String] {
    architectures?.map(\.name) ?? [includes32Bits ? "all" : "64-bit"]
  }

  /// For a rule's page: `all architectures`.
  package var inWords: String {
    architectures?.map(\.name).joined(separator: ", ")
      ?? (includes32Bits ? "all architectures" : "all architectures of 64 bits")
  }

  /// Why a rule does not judge these tables; nil where it does.
  func missing(in subject: Subject) -> String? {
    let its = subject.architecture
    let isServed =
      (includes32Bits || its.wordSize > 4)
      && architectures?.contains { $0.isSame(as: its) } != false
    return isServed ? nil : "does not serve \(its.name): judges \(inWords)"
  }
}
