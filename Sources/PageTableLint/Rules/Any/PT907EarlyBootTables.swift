internal import MemoryImages
internal import PageTables

extension Rule {
  /// Tables of a kernel that has not protected itself yet.
  static let earlyBootTables = Rule(
    id: "PT907", name: "early-boot-tables", severity: .note,
    summary: "the tables are from before the kernel protects its image", needs: [.area(.image)],
    documentation: """
      What: no page of the kernel's text and rodata is read-only, and text is writable and
      executable. PT001, PT002, PT004 to PT008, PT011 and PT302 are skipped.
      Why: what those rules look for is set up by the last steps of the boot. Before them their
      findings would be many and mean nothing.
      How Linux should look: mark_rodata_ro() runs just before the first program starts, after
      init's memory is freed. EFI's dump in the boot log is earlier than that.
      False alarm: a kernel without CONFIG_STRICT_KERNEL_RWX, or with rodata=off, never comes to
      that step. Where a memory image's log holds "Write protecting the kernel" the protection was
      applied, and its absence is a defect. The rule is silent then, and the others report it. So
      they do of a text of arm64, which only programs read, after that step.
      Fix: take the dump again when the kernel is up.
      References:
      - init/main.c, Linux 6.12: kernel_init, mark_readonly
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/kernel/idt.c, Linux 6.12: idt_setup_apic_and_irq_gates
      """, comparesParts: true
  ) { rule, subject in
    guard !subject.imageIsSettled else { return [] }
    let table = subject.kernel
    let mode = table.space.mode
    let text = table.runs(.image).filter { $0.isWritableExecutable }
    return [
      Finding(
        rule, "no page of the kernel image is read-only yet: taken before mark_rodata_ro()",
        in: table, runs: text, evidence: evidence(text, subject, table),
        help: "take the dump again when the kernel is up")
    ]
  }
}
