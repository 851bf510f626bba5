internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Resource {
  /// Whether registers or memory of a device lie there, and no firmware's tables.
  var isDevice: Bool {
    let isPCIFunction =
      name.count >= 12 && name.dropFirst(4).first == ":" && name.dropFirst(7).first == ":"
    return isPCIFunction
      || ["PCI Bus", "PCI MMCONFIG", "IOAPIC", "Local APIC", "HPET"].contains(where: name.hasPrefix)
  }
}

extension Subject {
  /// Where the machine's memory lies, in order of addresses; neighbours are one range.
  var ram: RangeSet {
    RangeSet((resources?.value ?? []).filter(\.isRAM).map(\.range))
  }

  /// Where the memory map has something else than a device: memory, firmware's tables, ROMs, and
  /// what is reserved.
  var notDevices: RangeSet {
    RangeSet((resources?.value ?? []).filter { !$0.isDevice }.map(\.range))
  }
}
