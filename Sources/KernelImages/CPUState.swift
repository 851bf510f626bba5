extension KernelImage {
  /// What a processor's registers say of where its tables are, and of how it reads them.
  package struct CPUState: Sendable, Equatable {
    /// By the architecture's names of the registers.
    package let tableRegisters: [String: UInt64]

    package init(_ tableRegisters: [String: UInt64]) { self.tableRegisters = tableRegisters }
  }
}
