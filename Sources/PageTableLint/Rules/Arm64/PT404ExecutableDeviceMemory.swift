internal import KernelImages
internal import PageTables

extension Rule {
  /// A device's registers that the kernel may run.
  static let executableDeviceMemory = Rule(
    id: "PT404", name: "executable-device-memory", severity: .error,
    summary: "device memory is executable", serves: .arm64, needs: [],
    documentation: """
      What: a leaf of a device type (DEVICE/nGnRnE, nGnRE, GRE) that the kernel may execute, in the
      kernel's half or among EFI's services. What is writable as well is PT001's, with this as
      evidence.
      Why: the processor may fetch instructions ahead from wherever it may execute. A read of a
      device that nobody asked for acknowledges interrupts, empties queues, or ends in an external
      abort.
      How Linux should look: PXN and UXN in each leaf of PROT_DEVICE_nGnRE and its kin.
      False alarm: none known; an index beyond the types that Linux gives the processor is a
      device's.
      Fix: find who mapped it: ioremap() and pgprot_device() have both bits.
      References:
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: PROT_DEVICE_nGnRnE
      - Arm ARM, D8.4: instruction fetches from Device memory that is not execute-never
      """,
    givesWayTo: ["PT001"]
  ) { rule, subject in
    subject.tables.flatMap { table in
      let mode = table.space.mode
      let bad = table.runs.filter {
        $0.isLeaf && $0.access.contains(.executeInKernel) && !$0.access.isUser
          && mode.memoryType(of: $0) == .uncached
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of device memory executable", in: table, runs: runs, area: area,
          evidence: evidence(runs, subject, table), help: "set PXN and UXN: ioremap() does")
      }
    }
  }
}
