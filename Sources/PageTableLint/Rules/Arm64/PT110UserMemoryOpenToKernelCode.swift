internal import KernelImages
internal import PageTables

extension Rule {
  /// User memory that the kernel may run.
  static let userMemoryOpenToKernelCode = Rule(
    id: "PT110", name: "user-memory-open-to-kernel-code", severity: .error,
    summary: "the kernel may execute user memory", serves: .arm64, needs: [.userHalf],
    documentation: """
      What: a leaf that user mode may use and that has no PXN, on every level in an image. A text
      dump shows the leaf's own bit.
      Why: whoever brings the kernel to jump there runs code of their own with its rights.
      How Linux should look: PXN in each leaf of a process, whatever its protection is for user
      mode, and PXNTable in its table pointers since 5.12.
      False alarm: a page that user mode may write is never executed by the kernel. There only a
      second line of defence is missing: a warning. EFI's services, which the kernel runs, are no
      user memory and are left out.
      Fix: find the driver or file system that made the protection by itself; vm_get_page_prot() has
      PXN.
      References:
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: _PAGE_SHARED, _PAGE_READONLY_EXEC
      - Arm ARM, D8.4: memory that unprivileged access may write is not executable at EL1
      """
  ) { rule, subject in
    subject.tables.flatMap { table in
      let half = table.space.mode.upperHalf
      let bad = table.runs.filter {
        $0.isLeaf && $0.start < half && $0.access.isSuperset(of: [.user, .executeInKernel])
      }
      return [true, false].compactMap { isWritable -> Finding? in
        let runs = bad.filter { $0.access.isWritable == isWritable }
        guard let first = runs.first else { return nil }
        return Finding(
          rule, severity: isWritable ? .warning : nil,
          "\(total(runs)) of \(isWritable ? "writable " : "")user memory without PXN", in: table,
          runs: runs, area: table.layout.area(of: first.start),
          evidence: evidence(runs, subject, table), help: "set PXN in the leaves")
      }
    }
  }
}
