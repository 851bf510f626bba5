internal import KernelText
internal import PageTables

/// What arm64's lines about mappings are known to come from.
extension KnownCause {
  static let arm64Table: [KnownCause] = [
    KnownCause(
      kind: .insecureMapping, until: KernelVersion(5, 0, 0),
      sentence:
        "kprobes' page, which these kernels allocate writable and executable and never protect",
      source: "966866892cf8 (arm64: kprobes: make page to RO mode when allocate it), 5.0")
  ]
}
