internal import PageTables

/// How well an entry fits its level, 0 to 100, by what Linux writes on x86.
extension EntryReading {
  var leafLikelihood: Int {
    guard level == 1 else { return 80 - 5 * level }
    return entry & mode.large != 0 ? 30 : 60
  }

  /// Linux writes pointers with A and D, with or without US; NX stands in PTI's user half alone.
  var tableLikelihood: Int {
    if !notes.isEmpty { return 10 }
    guard flags.contains("A") else { return 12 }
    if mode.noExecute != 0, entry & mode.noExecute != 0 {
      return level == mode.levels.count ? 40 : 16
    }
    return flags.contains("D") && flags.contains("RW") ? 65 : 20
  }
}
