internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Executable memory where no code belongs.
  static let executableOutsideKnownAreas = Rule(
    id: "PT009", name: "executable-outside-known-areas", severity: .warning,
    summary: "memory is executable where the kernel keeps no code",
    needs: [.noExecute, .directMapBase],
    documentation: """
      What: a read-only and executable leaf of the kernel half outside the kernel image, the
      modules, EFI's services and the fixmap, which hold code. The direct map is PT004's. That
      leaves vmalloc, vmemmap, the cpu entry area, ESPfix, the LDT, and what lies between.
      Why: nobody vouches for that code: something was made executable by mistake, or hidden.
      How Linux should look: modules, BPF, ftrace and kprobes all take their memory from the modules
      area. On 32 bits they take it from vmalloc's, and on arm64 BPF's code lies there; the rule
      leaves that area out on both.
      False alarm: guests of Hyper-V run their hypercalls through one page of vmalloc. The rule
      leaves a single page out there unless the log shows that this is no such guest. From 4.15 to
      4.19 the cpu entry area holds the trampoline of system calls. The rule leaves it out there,
      and where the release is not known. What is writable as well is PT001's.
      Fix: find who mapped it: the owner of the table, the log, the caller of set_memory_x().
      References:
      - arch/x86/mm/init.c, Linux 6.12: execmem_arch_setup
      - arch/x86/hyperv/hv_init.c, Linux 6.12: hyperv_init
      - arch/x86/mm/cpu_entry_area.c, Linux 4.19: setup_cpu_entry_area
      """
  ) { rule, subject in
    let isOld = subject.facts.isAtLeast(4, 20) != true
    let mayBeHyperV = subject.mayBeHyperV
    return subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      // Without an area of their own modules lie in vmalloc.
      let hasModulesArea =
        table.layout.first(.modules) != nil && !subject.architecture.makesCodeInVmalloc
      let bad = table.runsOutsideDirectMap.filter { run in
        guard run.isReadOnlyExecutable else { return false }
        switch table.layout.area(of: run.start).kind {
        case .image, .modules, .efi, .fixmap, .user: return false
        case .vmalloc: return hasModulesArea && !(mayBeHyperV && run.size == mode.granule)
        case .cpuEntryArea: return !isOld
        // Where vmalloc's place is not known it lies there.
        case .other where table.layout.first(.vmalloc) == nil:
          return !subject.architecture.makesCodeInVmalloc
            && !(mayBeHyperV && run.size == mode.granule)
        default: return true
        }
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) executable where no code belongs", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "find who made it executable; data is NX")
      }
    }
  }
}
