internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A kernel at the addresses that everybody knows.
  static let kaslrOff = Rule(
    id: "PT607", name: "kaslr-off", severity: .note,
    summary: "the kernel was not moved",
    needs: [.kaslrOffset, .notXen("a guest's image is never moved")],
    documentation: """
      What: the kernel image lies where it was linked to.
      Why: whoever knows the build knows all its addresses.
      How Linux should look: moved, with CONFIG_RANDOMIZE_BASE and without nokaslr.
      False alarm: nokaslr for debugging; kernels without CONFIG_RANDOMIZE_BASE. One time in some
      hundreds the image is moved by nothing. Where the direct map is not in its usual place, KASLR
      is on, and nothing is said. A Xen PV guest's image is where Xen put it, by its link address.
      Fix: take nokaslr from the command line.
      References:
      - arch/x86/boot/compressed/kaslr.c, Linux 6.12: choose_random_location
      """
  ) { rule, subject in
    guard let offset = subject.looking(at: subject.facts.kaslrOffset), offset.value == 0 else {
      return []
    }
    let usual = subject.architecture.unmovedDirectMaps(subject.mode)
    if !usual.isEmpty, let base = subject.facts.directMap?.value, !usual.contains(base) {
      return []
    }
    return [
      Finding(
        rule, "KASLR is off: the image lies where it was linked to", in: subject.kernel, runs: [],
        evidence: [.fact("KERNELOFFSET is 0", source: offset.source)],
        help: "take nokaslr from the command line, or build with CONFIG_RANDOMIZE_BASE")
    ]
  }
}
