extension KernelImage {
  /// What a processor's registers say of where its tables are, and of how it reads them.
  package struct CPUState: Sendable, Equatable {
    /// By the architecture's names of the registers.
    package let tableRegisters: [String: UInt64]
    /// What tells them.
    package let source: String

    package init(_ tableRegisters: [String: UInt64], source: String) {
      self.tableRegisters = tableRegisters
      self.source = source
    }
  }
}

extension KernelImage {
  /// The protections of each processor that runs, by its number from 1.
  package var registerStates: [(processor: Int, states: [RegisterState])] {
    cpus.enumerated().compactMap { index, cpu in
      let states = architecture.protections(in: cpu.tableRegisters)
      return states.isEmpty ? nil : (processor: index + 1, states: states)
    }
  }
}
