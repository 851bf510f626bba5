internal import KernelImages
internal import PageTables

extension Rule {
  /// Memory that the direct map lets the kernel execute.
  static let executableDirectMap = Rule(
    id: "PT004", name: "executable-direct-map", severity: .error,
    summary: "the direct map is executable",
    needs: [
      .noExecute, .settledImage, .area(.directMap), .upperLevels,
      .release(toJudge: .executableDirectMap) { subject in
        subject.tables.compactMap { table in
          table.layout.first(.directMap).map { ($0, executableParts(of: table, $0, subject).bad) }
        }
      },
    ],
    documentation: """
      What: leaves of the direct map without NX, writable or not.
      Why: all of memory lies there at a known offset, so that any data in memory becomes code. A
      page that a program filled is enough to run its content in the kernel.
      How Linux should look: NX throughout, but for the real-mode trampoline, a read-only page below
      1 MiB.
      False alarm: kernels before 3.9 left the first GiB executable, before 4.6 EFI's runtime
      services and, on 32 bits, the image. Such pages are notes there. Where no release is known,
      the rule is skipped. With CONFIG_PCI_BIOS on 32 bits the BIOS area, 640 KiB to 1 MiB, is
      writable and executable by design. The log says "PCI BIOS area is rw and x". It is a note; the
      kernel's own check passes over it. Where kexec or kdump is loaded, a page of its control code
      is executable, read-only on 64 bits (seen since 6.16). It is skipped where kexec_image and
      kexec_crash_image name it, else up to two such pages are a note. On 32 bits the image lies
      inside the direct map, too: in a text dump, which does not tell where, only writable leaves
      count. A Xen PV guest has NX in the pmds of the direct map's first part: its text dump is
      skipped. The rule needs NX in use.
      Fix: find which table the leaves come from: a static table that was made before NX was known,
      or a set_memory_x() without its way back.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: kernel_physical_mapping_init
      - arch/x86/realmode/init.c, Linux 6.12: set_real_mode_permissions
      - arch/x86/pci/pcbios.c, Linux 6.12: set_bios_x
      - arch/x86/kernel/machine_kexec_64.c, Linux 6.16: machine_kexec_prepare
      - b27a43c1e905 (2.6.28): existing entries of the direct map keep their permissions
      - 8170e6bed465 (3.9): early tables are made on demand, and are not the direct map's
      - 67a9108ed431 (4.6): EFI's runtime services have tables of their own; from 3.14 on the
        trampoline's tables mapped them, which share the direct map's (d2f7cbe7b26a)
      - 9ccaf77cf059 (4.6): CONFIG_DEBUG_RODATA is no choice any more
      """
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      guard let area = table.layout.first(.directMap) else { return [] }
      let (bad, inBIOS, kexec) = executableParts(of: table, area, subject)
      func finding(_ runs: [Run], _ severity: Severity?, _ message: String, help: String)
        -> [Finding]
      {
        runs.isEmpty
          ? []
          : [
            Finding(
              rule, severity: severity, message, in: table, runs: runs, area: area,
              evidence: evidence(runs, subject, table), help: help)
          ]
      }
      let judged = byHabit(bad, area, .executableDirectMap, subject).map { habit, runs in
        Finding(
          rule, severity: habit == nil ? nil : .note,
          "\(total(runs)) of the direct map can be executed\(words(habit))", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table) + evidence(habit),
          help: "set NX where the direct map is made (kernel_physical_mapping_init)")
      }
      return judged
        + finding(
          inBIOS, .note,
          "the PCI BIOS area is writable and executable, as CONFIG_PCI_BIOS wants it",
          help: "boot with pci=nobios where nothing needs the BIOS")
        + finding(
          kexec, .note, "single pages are executable, as a loaded kexec image's is",
          help: "nothing, where a kexec or crash kernel is loaded")
    }
  }

  /// What can be executed of a direct map: what should not, the BIOS, and what may be kexec's.
  private static func executableParts(
    of table: Table, _ area: Area, _ subject: Subject
  ) -> (bad: [Run], inBIOS: [Run], kexec: [Run]) {
    let mode = table.space.mode
    let holdsImage = subject.imageLiesInDirectMap
    let mayBeImage = holdsImage && table.layout.first(.image) == nil
    let firmware = subject.architecture.executableFirmware
    let executable = table.runs(area.kind).filter { run in
      let isWritable = run.access.isWritable
      return run.isLeaf && run.access.contains(.executeInKernel)
        && (isWritable || !(mayBeImage || run.last - area.start < 1 << 20))
    }
    let inBIOS = executable.filter {
      firmware?.contains($0.start &- area.start) == true
        && firmware?.contains($0.last &- area.start) == true
    }
    // kexec makes the page of a loaded image's control code executable, where it lies, in a direct
    // map that is not executable otherwise.
    let named = subject.image?.kexecPages
    let single = executable.filter { run in
      let isOne = run.last - run.start == mode.granule - 1
      return isOne && (holdsImage || !run.access.isWritable) && !inBIOS.contains(run)
    }
    let mayBeKexec = single.count <= 2 && single.count + inBIOS.count == executable.count
    let kexec = named == nil && mayBeKexec ? single : []
    let bad = executable.filter { run in
      let isNamed = named?.contains { pages in
        run.physical.map { pages.contains($0) && pages.contains($0 + (run.last - run.start)) }
          ?? false
      }
      return !inBIOS.contains(run) && !kexec.contains(run) && isNamed != true
    }
    return (bad, inBIOS, kexec)
  }
}
