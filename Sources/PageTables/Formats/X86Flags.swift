extension TableFormat {
  /// In the order of the columns of the kernel's text, then what the kernel does not print.
  static let x86Flags: [Flag] = [
    flag(2, "USR", "   ", .all),
    flag(1, "RW", "ro", .all),
    flag(3, "PWT", "   "),
    flag(4, "PCD", "   "),
    flag(7, "PSE", "   ", levels: 2...5),
    flag(7, "PAT", "   ", levels: 1...1),
    flag(12, "PAT", "   ", levels: 2...3),
    flag(8, "GLB", "   "),
    flag(63, "NX", "x ", .any),
    flag(0, "P", "", printed: false),
    flag(5, "A", "", printed: false, isIncidental: true),
    flag(6, "D", "", printed: false, isIncidental: true),
    flag(9, "SOFTW1", "", printed: false, isIncidental: true),
    flag(10, "SOFTW2", "", printed: false, isIncidental: true),
    flag(11, "SOFTW3", "", printed: false, isIncidental: true),
    flag(57, "SOFTW4", "", printed: false, isIncidental: true),
    flag(58, "SOFTW5", "", printed: false, isIncidental: true),
  ]

  private static func flag(
    _ bit: UInt64, _ set: String, _ clear: String, _ combination: Combination = .leafOnly,
    levels: ClosedRange<Int> = 1...5, printed: Bool = true,
    isIncidental: Bool = false
  ) -> Flag {
    Flag(
      mask: 1 << bit, set: set, clear: clear, combination: combination, levels: levels,
      printed: printed, isIncidental: isIncidental)
  }
}
