internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Devices mapped as if they were memory.
  static let writeBackDevice = Rule(
    id: "PT403", name: "write-back-device", severity: .warning,
    summary: "a device's registers are mapped write-back",
    needs: [.physicalAddresses, .memoryMap],
    documentation: """
      What: a write-back leaf outside the direct map whose frame is a device's by the machine's
      memory map. The device is a PCI function or bus, an APIC, or the HPET. What a driver claims in
      such a range (`nvme`) is a device, too. So is what firmware names (`PNP0103:00`), where the
      log says that PAT is in use. Memory, ROMs and what is reserved are none.
      Why: the processor may keep and reorder accesses, and read ahead from registers.
      How Linux should look: ioremap() maps UC-, ioremap_wc() write-combining. Asked for write-back
      where an MTRR says uncached, x86 maps UC-. Where PAT is off it leaves that to the MTRRs: ACPI
      then maps what firmware names write-back, and that is healthy.
      False alarm: memory that a device carries and that is coherent (CXL, some accelerators):
      drivers map it write-back on purpose.
      Fix: ioremap() instead of ioremap_cache() or memremap(MEMREMAP_WB).
      References:
      - arch/x86/mm/ioremap.c, Linux 6.12
      - arch/x86/mm/pat/memtype.c, Linux 6.12: pat_x_mtrr_type, memtype_reserve
      """, givesWayTo: ["PT501", "PT609"]
  ) { rule, subject in
    let (devices, rest) = subject.devicesAndOthers
    let deviceMemory = RangeSet(devices.map(\.range))
    let others = RangeSet(rest.map(\.range))
    return subject.tables.flatMap { table in
      let bad = table.runsOutsideDirectMap.filter { run in
        guard run.isLeaf, let physical = run.physical,
          table.space.mode.memoryType(of: run) == .writeBack
        else { return false }
        return deviceMemory.contains(physical) && !others.contains(physical)
      }
      return grouped(bad, table).map { area, runs in
        let name = runs.first?.physical.flatMap { physical in
          devices.last { $0.start <= physical && physical <= $0.last }
        }
        return Finding(
          rule, "\(total(runs)) of a device mapped write-back", in: table, runs: runs, area: area,
          evidence: (name.map { ["the memory map has \"\($0.name)\" there"] } ?? [])
            + evidence(runs, subject, table),
          help: "map registers by ioremap()")
      }
    }
  }
}
