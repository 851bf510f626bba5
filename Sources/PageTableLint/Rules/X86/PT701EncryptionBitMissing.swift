internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Mappings of one page that disagree on its encryption.
  static let encryptionBitMissing = Rule(
    id: "PT701", name: "encryption-bit-missing", severity: .error,
    summary: "one page of memory is mapped encrypted and not encrypted",
    serves: .x86, needs: [.physicalAddresses, .directMapBase, .encryption, .memoryMap],
    documentation: """
      What: a page that one leaf of the kernel's half maps with the encryption bit and the direct
      map without it, or the other way.
      Why: through the two mappings the processor reads and writes other bytes. What one of them
      wrote is noise to the other, and in a guest it may be open to the host.
      How Linux should look: set_memory_decrypted() and _encrypted() change all mappings of a page.
      False alarm: .bss..decrypted, which is mapped without the bit in the image alone: left out.
      Firmware's data is mapped as firmware left it: the rule looks at System RAM only. TDX has the
      opposite meaning, and no mask in VMCOREINFO: the rule is skipped.
      Fix: see who mapped the page by a protection of its own instead of set_memory_decrypted().
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: __set_memory_enc_pgtable
      - arch/x86/kernel/head64.c, Linux 6.12: sme_postprocess_startup
      """
  ) { rule, subject in
    guard let base = subject.facts.directMap?.value else { return [] }
    let bit = subject.mode.encryption
    let ram = subject.ram
    let leaves = DirectMapLeaves(of: subject.kernel, base: base) { $0.flags & bit == 0 ? 0 : 1 }
    let shared = subject.section("__start_bss_decrypted", "__end_bss_decrypted")
    return subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let bad = table.runs.filter { run in
        guard run.isLeaf, run.start >= mode.upperHalf,
          shared?.overlaps(run.start...run.last) != true,
          table.layout.area(of: run.start).kind != .directMap, let physical = run.physical,
          ram.contains(physical)
        else { return false }
        return leaves?.classes(under: run).contains(run.flags & bit == 0 ? 1 : 0) == true
      }
      return grouped(bad, table).map { area, runs in
        let isEncrypted = runs[0].flags & bit != 0
        return Finding(
          rule,
          "\(total(runs)) mapped \(isEncrypted ? "" : "not ")encrypted, and the direct map "
            + "\(isEncrypted ? "does not" : "does")", in: table, runs: runs, area: area,
          evidence: ["the encryption bit is \(bit.entry)"] + evidence(runs, subject, table),
          help: "change all mappings by set_memory_decrypted() or _encrypted()")
      }
    }
  }
}
