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

extension Resource {
  /// Whether firmware names a device there: `PNP0103:00`, `MSFT0101:00`.
  fileprivate var isNamedByFirmware: Bool {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, (7...8).contains(parts[0].utf8.count), parts[1].utf8.count == 2
    else { return false }
    return parts[0].utf8.dropLast(4).allSatisfy { (0x41...0x5a).contains($0) }
      && parts[0].suffix(4).allSatisfy { $0.isHexDigit && !$0.isLowercase }
      && parts[1].allSatisfy { $0.isHexDigit && !$0.isUppercase }
  }

  /// Whether memory, or what firmware keeps, lies there, in a device's range, too.
  fileprivate var isMemory: Bool {
    isRAM || name.hasSuffix("ROM")
      || [
        "Kernel", "Persistent Memory", "Soft Reserved", "CXL Window", "region", "dax", "namespace",
        "Reserved", "reserved", "ACPI", "RAM buffer",
      ].contains(where: name.hasPrefix)
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

  /// Devices' registers and memory, and all else of the memory map.
  ///
  /// A device is what the bus calls one, and what a driver has claimed within such a range,
  /// whatever the driver calls it. What firmware names is one where PAT is known to be in use: ACPI
  /// maps the HPET write-back where it is not (seen in 6.1.192).
  var devicesAndOthers: (devices: [Resource], others: [Resource]) {
    let all = resources?.value ?? []
    let trustsFirmware = usesPAT == true
    let known = RangeSet(all.filter { $0.isDevice && !$0.isMemory }.map(\.range))
    func isDevice(_ resource: Resource) -> Bool {
      if resource.isMemory { return false }
      if resource.isNamedByFirmware { return trustsFirmware }
      return resource.isDevice
        || known.contains(resource.start) && known.gaps(in: resource.range).isEmpty
    }
    return (all.filter(isDevice), all.filter { !isDevice($0) })
  }

  /// Whether the processor's page attribute table is in use; nil where no log tells.
  ///
  /// Without it a leaf cannot be more cached than MTRRs say, and the kernel leaves it to them.
  /// Source: `pat_disable` and `memtype_reserve`, arch/x86/mm/pat/memtype.c, 6.12.
  package var usesPAT: Bool? {
    guard let log = log?.value else { return nil }
    if log.mentions(.patDisabled) || log.mentions(.patMissing) { return false }
    // Without PAT the kernel prints what the processor's reset values are: no write-combining.
    if log.mentions(LogMention.patConfiguration.rawValue + " [0-7]: WB  WC") { return true }
    return log.mentions(.patConfiguration) ? false : log.mentions(.patEnabled) ? true : nil
  }
}
