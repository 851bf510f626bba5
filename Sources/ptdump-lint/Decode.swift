import ArgumentParser
import PageTableLint
import PageTables

struct Decode: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "decode",
    abstract: "Spell out table entries: bits, frame, what Linux means by it.",
    discussion: """
      VALUE is an entry in hexadecimal. With - it reads text that has entries in it: a report of a \
      kernel log, crash's vtop, QEMU's info tlb and info mem, a walk of this program. Without \
      --mode and --level it prints every reading that makes sense, the likeliest first.

      EXAMPLES:
        ptdump-lint decode 0x800fffffe5feb062
        journalctl -k | ptdump-lint decode -

      EXIT STATUS:
        0  The entries were read.
        2  A value is no entry, or the text has none.
      """)

  @Argument(help: "Entries in hexadecimal, or - for text on standard input.")
  var values: [String]
  @Option(help: "The paging mode: \(InputReader.modes).") var mode: String?
  @Option(help: "The level: pte, pmd, pud, p4d or pgd.") var level: String?
  @Option(help: "The kernel release, which decides how swap entries are read.")
  var release: String?
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>

  var reads: [String] { [] }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    let entries = try values.flatMap(entries)
    try report.write { format, style in
      switch format {
      case .json: try DecodeReport.json(entries)
      case .text: DecodeReport.text(entries, style: style)
      }
    }
  }

  private func entries(_ value: String) throws -> [DecodeReport.Entry] {
    if value == "-" { return try entriesOfText() }
    let mode = try pagingMode()
    guard let entry = UInt64(hexText: value) else {
      throw ValidationError("\(value) is not an entry in hexadecimal")
    }
    if let mode, mode.entrySize == 4, entry > UInt64(UInt32.max) {
      throw ValidationError("\(value) has more than the 32 bits of an entry of \(mode.name)")
    }
    return [DecodeReport.Entry(try candidates(entry, mode, number(of: level, mode)))]
  }

  private func entriesOfText() throws -> [DecodeReport.Entry] {
    let text = EntryText(try InputReader.text(of: "-"))
    guard !text.items.isEmpty else {
      throw ValidationError("standard input has no line with entries in it")
    }
    let mode = try pagingMode() ?? text.mode
    return try text.items.map { item in
      let own = try number(of: level, mode) ?? text.level(of: item, in: mode ?? .x86_64)
      return DecodeReport.Entry(try candidates(item.entry, mode, own), item)
    }
  }

  private func candidates(
    _ entry: UInt64, _ mode: TableFormat?, _ level: Int?
  ) throws -> EntryCandidates {
    let found = EntryCandidates(
      entry, mode: mode, level: level, context: EntryReading.Context(release: release))
    guard !found.candidates.isEmpty else {
      throw ValidationError("no level \(self.level ?? "") for \(entry.entry)")
    }
    return found
  }

  private func pagingMode() throws -> TableFormat? {
    guard let mode else { return nil }
    return try InputReader.mode(named: mode)
  }

  private func number(of level: String?, _ mode: TableFormat?) throws -> Int? {
    guard let level else { return nil }
    // p4d is a level of five; all other names stand for one number in every mode of x86-64.
    let mode = mode ?? (level == "p4d" ? .x86_64FiveLevel : .x86_64)
    guard let known = mode.levels.first(where: { $0.name == level }) else {
      throw ValidationError(
        "\(mode.name) has no level \(level); it has "
          + mode.levels.map(\.name).joined(separator: ", "))
    }
    return known.number
  }
}
