internal import KernelText
internal import PageTables

extension Rule {
  /// Markers of a text that stand where their area is not.
  static let markerOutOfPlace = Rule(
    id: "PT906", name: "marker-out-of-place", severity: .note,
    summary: "a text's markers contradict its addresses", serves: .x86_64, needs: [.textDump],
    documentation: """
      What: a marker of a text dump above lines that cannot belong to it. An area with a fixed place
      is announced too early. Or the direct map is announced in the guard hole where no memory is
      mapped, or the LDT inside the cpu entry area. 64 bits only.
      Why: whoever reads the names is misled. This program goes by the addresses.
      How Linux should look: a marker stands at the first line of its area, or one line late where
      two markers follow each other. Never early.
      False alarm: EFI's dump at the boot (efi=debug, CONFIG_EFI_PGT_DUMP) is taken before the
      kernel has filled in where its areas lie. Those markers stand at 512 GiB steps from the start
      of the kernel half. The note is right, and the tables are not to blame.
      Fix: nothing; read the addresses. A dump of the running kernel has its markers in place.
      References:
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: address_markers, note_page, pt_dump_init
      """, comparesParts: true
  ) { rule, subject in
    guard let text = subject.looking(at: subject.text) else { return [] }
    let table = subject.kernel
    let fixed: [(name: String, start: UInt64)] = [
      ("cpu entry area", 0xffff_fe00_0000_0000), ("espfix area", 0xffff_ff00_0000_0000),
      ("efi runtime services", 0xffff_ffef_0000_0000),
      ("high kernel mapping", 0xffff_ffff_8000_0000), ("modules", 0xffff_ffff_8000_0000),
      ("end modules", 0xffff_ffff_ff00_0000), ("fixmap area", 0xffff_ffff_ff00_0000),
    ]
    let runs = text.space.runs
    let hole = text.space.mode.upperHalf &+ 16 &* text.space.mode.root.span
    let strays = text.markers.filter { marker in
      guard marker.run < runs.count else { return false }
      let run = runs[marker.run]
      let name = marker.name.lowercased()
      if let place = fixed.first(where: { $0.name == name }) { return run.start < place.start }
      return switch name {
      // Only kernels before 2.6.27 have it there, and then with memory in it.
      case "low kernel mapping": !run.isLeaf && run.start < hole
      case "ldt remap": table.layout.area(of: run.start).kind == .cpuEntryArea
      default: false
      }
    }
    guard let first = strays.first else { return [] }
    return [
      Finding(
        rule,
        "\(strays.count == 1 ? "a marker" : "\(strays.count) markers") of the text out of place",
        in: table, runs: [runs[first.run]],
        evidence: strays.prefix(3).map {
          "line \($0.line ?? 0): \($0.name) above \(runs[$0.run].start.address)"
        }, help: "go by the addresses; the names were printed before the kernel knew its areas")
    ]
  }
}
