internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Page tables that a program can reach.
  static let tablePageUserMapped = Rule(
    id: "PT107", name: "table-page-user-mapped", severity: .error,
    summary: "a program has a page table mapped", needs: [.physicalAddresses, .userHalf],
    documentation: """
      What: a leaf of a process's half that is open to user mode and whose frame is a page table of
      the trees that were read.
      Why: the program can read where all memory lies; where the leaf is writable it owns the
      machine. Exploits that use a freed page as a table ("dirty page table") look so.
      How Linux should look: none.
      False alarm: a table page that was freed and given to the program after the image's tables
      were read (live machines): it is looked at twice there.
      Fix: see who freed the table page while it was in use, or which driver mapped it.
      References:
      - Documentation/mm/page_tables.rst, Linux 6.12
      """, comparesParts: true, judgesTables: true
  ) { rule, subject in
    let tablePages = subject.tablePages
    return subject.tables.flatMap { table -> [Finding] in
      let half = table.space.mode.upperHalf
      let bad = table.parts(
        of: table.runs.prefix { $0.start < half }, mapping: tablePages, subject,
        where: \.access.isUser)
      guard let first = bad.first, let frame = first.physical else { return [] }
      let isWritable = bad.contains { $0.access.isWritable }
      let owner = subject.image?.owner(ofTable: frame).map { " (\($0))" } ?? ""
      return [
        Finding(
          rule,
          "\(total(bad)) of page tables open to user mode" + (isWritable ? ", writable" : ""),
          in: table, runs: bad,
          evidence: ["frame \(frame.entry) is a page table\(owner)"]
            + evidence(bad, subject, table),
          help: "see who freed the table page while it was in use")
      ]
    }
  }
}
