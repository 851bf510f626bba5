internal import PageTables

/// The protections of control registers that the kernel turns on.
extension X86 {
  /// Source: arch/x86/include/uapi/asm/processor-flags.h, 6.12.
  private static let registerBits: [(protection: Protection, register: String, bit: UInt64)] = [
    (.writeProtect, "CR0", 1 << 16), (.userInstructions, "CR4", 1 << 11),
    (.userExecution, "CR4", 1 << 20), (.userAccess, "CR4", 1 << 21),
    (.protectionKeys, "CR4", 1 << 22), (.controlFlow, "CR4", 1 << 23),
    (.noExecute, "EFER", 1 << 11),
  ]

  /// A processor that has paging off does not run the kernel: it waits to be started, or stands in
  /// the firmware.
  private static let paging: UInt64 = 1 << 31

  package func protections(in registers: [String: UInt64]) -> [RegisterState] {
    guard let control = registers["CR0"], control & Self.paging != 0 else { return [] }
    return Self.registerBits.compactMap { protection, register, bit in
      registers[register].map {
        RegisterState(
          protection: protection, isOn: $0 & bit != 0, register: register, value: $0)
      }
    }
  }

  /// Those that the kernel has pinned since 5.3, and write protection, without which no kernel runs.
  ///
  /// Source: `cr4_pinned_bits` and `native_write_cr0`, arch/x86/kernel/cpu/common.c, 6.12.
  package func wantedProtections(_ values: [String: UInt64]) -> [(Protection, source: String)] {
    let pinned = values[Self.pinnedBits] ?? 0
    return [(.writeProtect, "every kernel sets it")]
      + Self.registerBits.compactMap { protection, register, bit in
        register == "CR4" && pinned & bit != 0
          ? (protection, "\(Self.pinnedBits) is \(pinned.entry)") : nil
      }
  }

  static let pinnedBits = "cr4_pinned_bits"

  /// Source: `native_write_cr0` and `native_write_cr4`, arch/x86/kernel/cpu/common.c, 5.3 and later.
  package var lostProtectionMessages: [String] {
    ["CR0 WP bit went missing!?", "pinned CR4 bits changed: "]
  }

  package var registerNames: [String] { ["CR0", "CR4", "EFER"] }
}
