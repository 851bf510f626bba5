internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Processes whose kernel half is not the kernel's.
  static let kernelHalfOutOfSync = Rule(
    id: "PT105", name: "kernel-half-out-of-sync", severity: .error,
    summary: "a process's kernel half differs from the kernel's",
    needs: [.processes, .sharedKernelHalf],
    documentation: """
      What: an entry of the kernel's half of a process's top table that is not that of init_mm.
      Why: the kernel, running for that process, sees other memory there, or faults. 2025 brought
      crashes from vmemmap and direct-map entries of hot-added memory that processes lacked.
      How Linux should look: all top tables hold the same entries in the kernel's half, but for the
      LDT remap slot, which is a process's own.
      False alarm: 32 bits, and 64-bit kernels before 5.8, fill an entry that is missing when it is
      first touched: reported as a note there. A and D do not count. With PAE and PTI each process
      has a pmd page of its own for the kernel's half: the rule is silent.
      Fix: arch_sync_kernel_mappings() and sync_global_pgds() where the entry was made.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: sync_global_pgds
      - f2d2f9598ebb, 6659d0279980 (6.17): hot-added memory
      """, comparesParts: true,
    givesWayTo: ["PT205", "PT307", "PT501", "PT502", "PT503", "PT504", "PT505", "PT508", "PT605"]
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    var lacking: [Int: [TableID]] = [:]
    var differing: [Int: [TableID]] = [:]
    for own in subject.looking(at: subject.tables) {
      for entry in own.kernelHalf {
        let start = mode.canonical(UInt64(entry.slot) << UInt64(mode.root.shift))
        guard table.layout.area(of: start).kind != .ldtRemap else { continue }
        if entry.own == 0 {
          lacking[entry.slot, default: []].append(own.id)
        } else {
          differing[entry.slot, default: []].append(own.id)
        }
      }
    }
    func finding(_ slot: Int, _ processes: [TableID], _ what: String, isLazy: Bool)
      -> Finding
    {
      let start = mode.canonical(UInt64(slot) << UInt64(mode.root.shift))
      let run = Run(
        start: start, last: start &+ (mode.root.span &- 1), kind: .unreadable,
        level: mode.levels.count)
      let named = processes.prefix(3).map(\.name).joined(separator: ", ")
      let more = processes.count > 3 ? " and \(processes.count - 3) more" : ""
      return Finding(
        rule, severity: isLazy ? .note : nil,
        "\(processes.count) of \(subject.processes.count) processes \(what) entry \(slot) of the "
          + "kernel's top table", in: table, runs: [run], evidence: ["\(named)\(more)"],
        help: isLazy
          ? "nothing: this kernel fills the entry when it is touched"
          : "see which code made the entry without syncing the processes' tables")
    }
    let isLazy = subject.fillsKernelHalfLazily
    return lacking.sorted { $0.key < $1.key }.map {
      finding($0.key, $0.value, "lack", isLazy: isLazy)
    }
      + differing.sorted { $0.key < $1.key }.map {
        finding($0.key, $0.value, "differ in", isLazy: false)
      }
  }
}
