internal import MemoryImages
internal import PageTables

extension Rule {
  /// EFI's runtime services, writable and executable though the firmware says how to part them.
  static let efiWritableExecutable = Rule(
    id: "PT011", name: "efi-writable-executable", severity: .warning,
    summary: "EFI's runtime services are writable and executable",
    needs: [.noExecute, .efiMemoryAttributes, .settledImage, .efiTables],
    documentation: """
      What: a leaf of EFI's own tables (`--table efi`) that is writable and executable, in EFI's
      area or where EFI's memory is mapped at its physical address.
      Why: whoever can write there runs code with the firmware's means when the kernel next calls
      it.
      How Linux should look: where the firmware brings a memory attributes table the kernel maps the
      services' code read-only and their data NX. The log names that table, "MEMATTR=".
      False alarm: without such a table the firmware does not tell code from data, and the rule is
      skipped. Memory of the boot services that the kernel could not free stays mapped as it was;
      under OVMF that is the first page. The rule leaves out what lies below 1 MiB. A text dump
      shows no frames, so there it judges what is mapped at its physical address only. In the dump
      that the kernel prints at its boot all of the boot services' memory is still mapped. The rule
      is skipped where the image is not protected yet.
      Fix: look in the log for "efi: memattr:", which says which entries of the table the kernel did
      not accept.
      References:
      - arch/x86/platform/efi/efi_64.c, Linux 6.12: efi_runtime_update_mappings
      - arch/x86/platform/efi/quirks.c, Linux 6.12: efi_free_boot_services, can_free_region
      - drivers/firmware/efi/memattr.c, Linux 6.12: efi_memattr_apply_permissions
      """
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let area = table.runs(.efi).filter(\.isLeaf)
      // Any other table has no leaf there.
      guard !area.isEmpty else { return [] }
      let mebibyte: UInt64 = 1 << 20
      let atPhysical = table.runs(from: mebibyte, through: mode.upperHalf &- 1).filter {
        $0.isLeaf && !$0.access.isUser
      }
      let bad =
        (atPhysical + area).filter {
          $0.isWritableExecutable && ($0.start < mode.upperHalf || $0.physical != nil)
            && $0.physical ?? mebibyte >= mebibyte
        }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of EFI's memory writable and executable", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "see what the log says behind \"efi: memattr:\"")
      }
    }
  }
}
