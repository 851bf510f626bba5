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
  var ram: [ClosedRange<UInt64>] {
    Self.joined((resources?.value ?? []).filter(\.isRAM))
  }

  /// Where the memory map has something else than a device: memory, firmware's tables, ROMs, and
  /// what is reserved.
  var notDevices: [ClosedRange<UInt64>] {
    Self.joined((resources?.value ?? []).filter { !$0.isDevice })
  }

  private static func joined(_ resources: [Resource]) -> [ClosedRange<UInt64>] {
    var found: [ClosedRange<UInt64>] = []
    for resource in resources.sorted(by: { $0.start < $1.start }) {
      if let last = found.last, resource.start <= last.upperBound &+ 1 {
        found[found.count - 1] = last.lowerBound...max(last.upperBound, resource.last)
      } else {
        found.append(resource.start...resource.last)
      }
    }
    return found
  }
}

extension [ClosedRange<UInt64>] {
  /// The parts of `range` that none of these ordered ranges holds.
  func gaps(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var found: [ClosedRange<UInt64>] = []
    var from = range.lowerBound
    for part in self where part.upperBound >= from && part.lowerBound <= range.upperBound {
      if part.lowerBound > from { found.append(from...(part.lowerBound - 1)) }
      if part.upperBound >= range.upperBound { return found }
      from = part.upperBound + 1
    }
    found.append(from...range.upperBound)
    return found
  }
}
