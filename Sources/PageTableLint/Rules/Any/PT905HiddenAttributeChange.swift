internal import KernelText
internal import PageTables

extension Rule {
  /// Neighbouring lines of a text that look the same.
  static let hiddenAttributeChange = Rule(
    id: "PT905", name: "hidden-attribute-change", severity: .note,
    summary: "neighbouring lines of a text differ in what it does not print", needs: [.textDump],
    documentation: """
      What: two lines of a text dump's kernel half that follow each other under one marker, map
      memory, and are alike in every column.
      Why: the kernel begins a new line where the entries differ. Where the columns are alike, a bit
      differs that they do not show. It may be accessed, dirty, a software bit (the CPA self-test's,
      or those of special pages), a protection key, or the encryption bit. Or an upper level takes
      away what the leaf grants. A memory image shows which.
      How Linux should look: kernel memory is mapped with accessed and dirty set from the start, so
      that neighbours of equal protection are one line.
      False alarm: the pages between rodata and data, given back without the dirty bit, end at a 2M
      boundary, where data starts. The rule leaves out such a boundary in the image's area. EFI's
      memory is mapped without the dirty bit, and the processor sets it: left out, as are user
      memory and lines that map nothing.
      Fix: nothing, or take a memory image and look at the two entries (`ptdump-lint walk`).
      References:
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: note_page
      """, comparesParts: true
  ) { rule, subject in
    guard let text = subject.looking(at: subject.text) else { return [] }
    let table = subject.kernel
    let mode = table.space.mode
    let large = mode.level(2).span
    let marked = Set(text.markers.map(\.run) + text.skips.map(\.run))
    let runs = text.space.runs
    let second = runs.indices.dropFirst().filter { index in
      let run = runs[index]
      let before = runs[index - 1]
      let area = table.layout.area(of: run.start).kind
      return run.isLeaf && before.isLeaf && run.start == before.end && run.level == before.level
        && run.flags == before.flags && !marked.contains(index) && run.start >= mode.upperHalf
        && area != .efi && !(area == .image && run.start & (large - 1) == 0)
        && table.run(at: run.start) != nil
    }
    guard let first = second.first else { return [] }
    let places = second.count == 1 ? "a line differs" : "\(second.count) lines differ"
    return [
      Finding(
        rule, "\(places) from the one before in what the text does not print", in: table,
        runs: second.map { runs[$0] },
        evidence: ["line \(text.lines[first]) looks like the one before it"],
        help: "take a memory image, which shows all bits and all levels")
    ]
  }
}
