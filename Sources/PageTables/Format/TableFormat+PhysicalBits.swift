extension TableFormat {
  /// The same where physical addresses have so many bits: those above are reserved in present
  /// entries.
  ///
  /// Source: Intel SDM, volume 3, 5.5.4 (MAXPHYADDR). Only of formats whose addresses stand in the
  /// entry as they are.
  package func limited(toPhysicalBits bits: Int) -> TableFormat {
    guard (1..<64).contains(bits), tableField.isPlain else { return self }
    let beyond: UInt64 = ~0 << UInt64(bits)
    return TableFormat(
      name: name, levels: levels.map { $0.reserving(beyond & tableField.mask) },
      attributes: attributes, tableField: tableField, entrySize: entrySize, byteOrder: byteOrder,
      rootAlignment: rootAlignment, halves: halves, hasOneRoot: hasOneRoot, upperHalf: upperHalf,
      dumpedAccess: dumpedAccess, invertedFrame: invertedFrame, encryption: encryption,
      memoryTypes: memoryTypes)
  }
}
