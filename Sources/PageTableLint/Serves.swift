internal import KernelImages
internal import PageTables

/// The processors whose tables a rule can judge; decided before its needs.
package struct Serves: Sendable, Equatable {
  /// Names as reports print them (`x86-64`); nil for all of them.
  let architectures: [String]?
  /// Whether its kernels of 32 bits are judged, too.
  let includes32Bits: Bool

  static let all = Serves(architectures: nil, includes32Bits: true)
  static let all64 = Serves(architectures: nil, includes32Bits: false)
  static let x86 = Serves(architectures: ["x86-64", "i386"], includes32Bits: true)
  static let x86_64 = Serves(architectures: ["x86-64"], includes32Bits: false)

  /// For lists: `all`, `64-bit`, or the architectures' names.
  package var names: [String] { architectures ?? [includes32Bits ? "all" : "64-bit"] }

  /// For a rule's page: `all architectures`.
  package var inWords: String {
    architectures?.joined(separator: ", ")
      ?? (includes32Bits ? "all architectures" : "all architectures of 64 bits")
  }

  /// Why a rule does not judge these tables; nil where it does.
  func missing(in subject: Subject) -> String? {
    let architecture = subject.mode.architecture.name
    let isServed =
      (includes32Bits || subject.mode.architecture.wordSize > 4)
      && architectures?.contains(architecture) != false
    return isServed ? nil : "does not serve \(architecture): judges \(inWords)"
  }
}
