extension TableFormat {
  /// The same where physical addresses have so many bits: those above are reserved in present
  /// entries.
  ///
  /// Sources: Intel SDM, volume 3, 5.5.4 (MAXPHYADDR); Arm ARM, D8.2: an address beyond PARange makes
  /// an Address size fault.
  package func limited(toPhysicalBits bits: Int) -> TableFormat {
    guard (1..<64).contains(bits) else { return self }
    let beyond = tableField.entry(for: ~0 << UInt64(bits))
    return TableFormat(
      name: name, levels: levels.map { $0.reserving(beyond) },
      attributes: attributes, tableField: tableField, entrySize: entrySize, byteOrder: byteOrder,
      rootAlignment: rootAlignment, halves: halves, hasOneRoot: hasOneRoot, upperHalf: upperHalf,
      dumpedAccess: dumpedAccess, invertedFrame: invertedFrame, encryption: encryption,
      memoryTypes: memoryTypes)
  }
}
