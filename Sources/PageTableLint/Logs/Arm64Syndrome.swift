internal import PageTables

/// What arm64's syndrome register says of an abort.
///
/// Source: Arm ARM, ESR_EL1 for data and instruction aborts; `fault_info`, arch/arm64/mm/fault.c, 6.12.
package struct Arm64Syndrome: Sendable, Equatable, Codable {
  /// Why the processor gave up.
  enum Reason: Sendable, Equatable {
    case addressSize, translation, accessFlag, permission
    /// The tables did not forbid it: in words.
    case other(String)
  }

  package let value: UInt64

  /// Nil where the exception is no abort of an access.
  init?(_ value: UInt64) {
    let isAbort = [0x20, 0x21, 0x24, 0x25].contains(value >> 26 & 0x3f)
    guard isAbort, value >> 32 <= 0x00ff_ffff else { return nil }
    self.value = value
  }

  private var exception: UInt64 { value >> 26 & 0x3f }
  private var code: UInt64 { value & 0x3f }

  var isFetch: Bool { exception < 0x24 }
  /// Whether the access was made with a user's rights.
  var isUser: Bool { exception & 1 == 0 }
  /// WnR; cache maintenance sets it, too, and needs no right to write.
  var isWrite: Bool { !isFetch && value & 1 << 6 != 0 && value & 1 << 8 == 0 }

  var access: Fault.Access { isFetch ? .fetch : isWrite ? .write : .read }

  var reason: Reason? {
    switch code {
    case 0x00...0x03, 0x29: .addressSize
    case 0x04...0x07, 0x2b: .translation
    case 0x08...0x0b: .accessFlag
    case 0x0c...0x0f: .permission
    case 0x10: .other("a synchronous external abort: memory or a device answered with an error")
    case 0x11: .other("a tag that does not match (MTE)")
    case 0x13...0x17: .other("an external abort while the tables were read")
    case 0x18, 0x1b...0x1f: .other("a parity or ECC error")
    case 0x21: .other("an address that is not aligned")
    case 0x30: .other("a conflict in the TLB: two entries for one address")
    case 0x31: .other("an atomic access that the memory does not support")
    case 0x34, 0x35: .other("an exclusive access or lockdown that the memory does not support")
    default: nil
    }
  }

  /// The number of the level, counted from the leaves: the processor counts down to 3, from -1 on.
  var level: Int? {
    switch code {
    case 0x00...0x0f: 4 - Int(code & 3)
    case 0x29, 0x2b: 5
    default: nil
    }
  }
}
