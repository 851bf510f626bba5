internal import KernelImages
internal import PageTables

/// The control registers that an oops prints, and QEMU's monitor.
///
/// `CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033`, `CR2: … CR3: … CR4: 00000000007506b0`;
/// `CR0=80050033 CR2=… CR4=00750ef0`, `EFER=0000000000000d01`. Source: `__show_regs`,
/// arch/x86/kernel/process_64.c, 6.12, and `x86_cpu_dump_state`, target/i386/cpu-dump.c, QEMU 9.
extension LogFacts {
  mutating func takeRegisters(_ text: String) {
    for name in X86.x86_64.registerNames where text.mentions(name) {
      for sign in [": ", "="] {
        guard let place = text.place(of: name + sign) else { continue }
        let digits = text[place.upperBound...].prefix { $0.isHexDigit }
        if digits.count >= 8, digits.count <= 16, let value = UInt64(hexText: digits) {
          registers[name] = value
        }
      }
    }
  }
}

extension Subject {
  /// What the log's registers say, where no processor's are known.
  mutating func takeRegisters() {
    guard facts.protections.isEmpty else { return }
    facts.take([architecture.protections(in: logFacts.registers)], source: "(the log)")
  }
}
