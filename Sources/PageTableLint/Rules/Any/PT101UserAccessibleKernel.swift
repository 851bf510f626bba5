internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Kernel memory that user mode may touch.
  static let userAccessibleKernel = Rule(
    id: "PT101", name: "user-accessible-kernel", severity: .error,
    summary: "user mode can reach kernel memory",
    needs: [.notXen("it owns the user bit of 64-bit guests")],
    documentation: """
      What: a leaf of the kernel half whose US bit is set, on every level in an image; a text dump
      shows the leaf's own bit.
      Why: any program reads that memory, and writes it where RW is set too.
      How Linux should look: none but the vsyscall page (0xffffffffff600000, read-only) in its
      emulate mode. Upper entries may carry US (0x067); the leaf keeps user mode out.
      False alarm: Xen PV guests seen from the host: there the kernel itself runs in user mode. A
      foreign root, such as one of a hypervisor.
      Fix: find who wrote the leaf; a protection made for user space was used for the kernel.
      References:
      - arch/x86/entry/vsyscall/vsyscall_64.c, Linux 6.12: set_vsyscall_pgtable_user_bits
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12: __PAGE_KERNEL_VVAR, _PAGE_TABLE
      """
  ) { rule, subject in
    let architecture = subject.architecture
    return subject.tables.flatMap { table in
      let mode = table.space.mode
      let bad = table.runs.filter {
        $0.isLeaf && $0.start >= mode.upperHalf && $0.access.isUser
          && !architecture.isOpenByDesign(
            $0, in: table.layout.area(of: $0.start).kind, subject.facts)
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of kernel memory open to user mode", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "clear US in the leaves")
      }
    }
  }
}
