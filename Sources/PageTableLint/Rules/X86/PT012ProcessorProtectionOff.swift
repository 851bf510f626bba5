internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Protections of the processor that the kernel relies on and that are off.
  static let processorProtectionOff = Rule(
    id: "PT012", name: "processor-protection-off", severity: .error,
    summary: "a processor has a protection off that the kernel relies on", serves: .x86,
    needs: [.registers, .notXen("the registers are the hypervisor's")],
    documentation: """
      What: a processor that runs the kernel without CR0.WP, or without a bit of CR4 that the kernel
      has pinned (cr4_pinned_bits: SMEP, SMAP, UMIP, CET).
      Why: what the tables say no longer holds. Without WP the kernel writes to its own text and
      rodata. Without SMEP and SMAP a wrong pointer runs or reads what a program has put there.
      Rootkits clear WP to patch the kernel, and exploits clear SMEP before they jump.
      How Linux should look: CR0.WP is set from the first page table on, and the kernel does not
      clear it. CR4's bits are pinned once the first processor is known, since 5.3. nosmep, nosmap
      and clearcpuid keep them out of the pinned ones, and nothing is said then. A processor that
      has paging off was never started, and is not judged.
      False alarm: modules that clear WP for a moment to patch something: the finding is then what
      they do. The registers are those of QEMU's note; other dumps have none, and the rule is
      skipped.
      Fix: see who writes the register: the log's "pinned CR4 bits changed" and "CR0 WP bit went
      missing" have a trace.
      References:
      - arch/x86/kernel/cpu/common.c, Linux 6.12: native_write_cr0, native_write_cr4
      - 873d50d58f67 (5.3): pins the sensitive bits of CR4; 8dbec27a242c (5.3): CR0.WP
      """
  ) { rule, subject in
    guard let image = subject.image else { return [] }
    let architecture = subject.architecture
    let processors = subject.looking(at: image.registerStates)
    var lines: [String] = []
    var names: [String] = []
    for (wanted, source) in architecture.wantedProtections(image.values) {
      for (number, states) in processors {
        guard let state = states.first(where: { $0.protection == wanted }), !state.isOn else {
          continue
        }
        if !names.contains(wanted.name) { names.append(wanted.name) }
        lines.append(
          "processor \(number): \(state.register) is \(state.value.entry), without "
            + "\(wanted.name); \(source)")
      }
    }
    guard !names.isEmpty else { return [] }
    let traces = (subject.log?.value ?? "").split(separator: "\n").filter { line in
      architecture.lostProtectionMessages.contains { line.mentions($0) }
    }
    return [
      Finding(
        rule, "\(names.joined(separator: ", ")) \(names.count == 1 ? "is" : "are") off",
        in: subject.kernel, runs: [],
        evidence: lines.prefix(4).map { .words($0) }
          + traces.prefix(2).map { .logReport(String($0).printable) },
        help: "see who writes the register")
    ]
  }
}
