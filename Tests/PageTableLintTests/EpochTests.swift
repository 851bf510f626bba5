import KernelImages
import KernelText
import PageTableLint
import PageTables
import Testing

/// One kernel of each epoch, declared: where its areas lie, and what it does in health.
///
/// No kernel before 5.10 can be built any more where these tests are written: what is declared here
/// is read from the sources that `X86Plan` and `X86+Habits` name. The machine has 3.25 GiB.
@Suite struct EpochTests {
  /// A release, and its text dump's shape.
  struct Epoch: Sendable, CustomTestStringConvertible {
    let release: String
    let directMap, vmalloc, vmemmap: UInt64
    /// Where KASLR may put the direct map, vmalloc and vmemmap (4.8 and later).
    var moved: [UInt64] = []
    /// 26 columns, and `pat`.
    var isNarrow = false
    var hasLDTRemap = false
    var hasEntryArea = false
    /// From 5.6 on the guard hole is passed over.
    var skipsHole = false
    /// The habits: level2_ident_pgt is executable, modules and the image's data are written and run.
    var executableGigabyte = false
    var looseModules = false
    var executableData = false
    /// The vsyscall page is run, not emulated.
    var nativeVsyscall = false
    var isLinkedLow = false

    var testDescription: String { release }
  }

  static let epochs: [Epoch] = [
    Epoch(
      release: "2.6.26", directMap: 0xffff_8100_0000_0000, vmalloc: 0xffff_c200_0000_0000,
      vmemmap: 0xffff_e200_0000_0000, isNarrow: true, executableGigabyte: true, looseModules: true,
      executableData: true, nativeVsyscall: true, isLinkedLow: true),
    Epoch(
      release: "2.6.32-754.el6.x86_64", directMap: 0xffff_8800_0000_0000,
      vmalloc: 0xffff_c900_0000_0000, vmemmap: 0xffff_ea00_0000_0000, isNarrow: true,
      executableGigabyte: true, looseModules: true, executableData: true, nativeVsyscall: true),
    Epoch(
      release: "3.10.0-1160.el7.x86_64", directMap: 0xffff_8800_0000_0000,
      vmalloc: 0xffff_c900_0000_0000, vmemmap: 0xffff_ea00_0000_0000, isNarrow: true,
      looseModules: true),
    Epoch(
      release: "4.4.0-210-generic", directMap: 0xffff_8800_0000_0000,
      vmalloc: 0xffff_c900_0000_0000, vmemmap: 0xffff_ea00_0000_0000, looseModules: true),
    Epoch(
      release: "4.14.0", directMap: 0xffff_8800_0000_0000, vmalloc: 0xffff_c900_0000_0000,
      vmemmap: 0xffff_ea00_0000_0000,
      moved: [0xffff_93d6_c000_0000, 0xffff_baaf_c000_0000, 0xffff_f4f0_c000_0000]),
    Epoch(
      release: "4.18.0-0.rc7.git1.1.fc29.x86_64", directMap: 0xffff_8800_0000_0000,
      vmalloc: 0xffff_c900_0000_0000, vmemmap: 0xffff_ea00_0000_0000,
      moved: [0xffff_8843_4000_0000, 0xffff_b51a_8000_0000, 0xffff_e68f_0000_0000],
      hasEntryArea: true),
    Epoch(
      release: "4.20.0", directMap: 0xffff_8880_0000_0000, vmalloc: 0xffff_c900_0000_0000,
      vmemmap: 0xffff_ea00_0000_0000,
      moved: [0xffff_9999_0000_0000, 0xffff_aa0d_0000_0000, 0xffff_e568_8000_0000],
      hasLDTRemap: true, hasEntryArea: true),
    Epoch(
      release: "5.4.0", directMap: 0xffff_8880_0000_0000, vmalloc: 0xffff_c900_0000_0000,
      vmemmap: 0xffff_ea00_0000_0000,
      moved: [0xffff_9999_0000_0000, 0xffff_aa0d_0000_0000, 0xffff_e568_8000_0000],
      hasLDTRemap: true, hasEntryArea: true),
    Epoch(
      release: "5.10.0", directMap: 0xffff_8880_0000_0000, vmalloc: 0xffff_c900_0000_0000,
      vmemmap: 0xffff_ea00_0000_0000,
      moved: [0xffff_9999_0000_0000, 0xffff_aa0d_0000_0000, 0xffff_e568_8000_0000],
      hasLDTRemap: true, hasEntryArea: true, skipsHole: true),
  ]

  /// Those with and without KASLR, where it moves areas.
  static let kernels: [(Epoch, Bool)] = epochs.flatMap { epoch in
    epoch.moved.isEmpty ? [(epoch, false)] : [(epoch, false), (epoch, true)]
  }

  // MARK: - The dump

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func size(_ bytes: UInt64) -> String {
    var (value, unit) = (bytes >> 10, 0)
    while value & 1023 == 0, unit < 5 { (value, unit) = (value >> 10, unit + 1) }
    let text = String(value)
    return String(repeating: " ", count: max(0, 9 - text.count)) + text
      + ["K", "M", "G", "T", "P", "E"][unit]
  }

  /// A dump, written line by line.
  private struct Text {
    let isNarrow: Bool
    var at: UInt64 = 0
    var lines: [String] = []

    mutating func mark(_ name: String) { lines.append("---[ \(name) ]---") }

    /// A line from the end of the one before to `end`; `words` are those of its columns.
    mutating func line(to end: UInt64, _ words: String = "", _ level: String) {
      let has = words.split(separator: " ").map(String.init)
      func column(_ word: String, clear: String = "   ") -> String {
        (has.contains(word)
          ? word + String(repeating: " ", count: clear.count - word.count) : clear)
          + " "
      }
      var columns = [
        column("USR"), has.contains("RW") ? "RW " : "ro ", column("PWT"), column("PCD"),
      ]
      columns += isNarrow ? [column("PSE")] : [column("PSE"), column("PAT")]
      columns += [column("GLB"), has.contains("NX") ? "NX " : "x  "]
      let text =
        words.isEmpty
        ? String(repeating: " ", count: isNarrow ? 26 : 30) : columns.joined()
      lines.append(
        "\(EpochTests.hex(at))-\(EpochTests.hex(end))   \(EpochTests.size(end &- at)) \(text)\(level)"
      )
      at = end
    }

    /// What lies between, as a hole of tables that are not there.
    mutating func hole(to end: UInt64) { if at != end { line(to: end, "", "pgd") } }
  }

  /// - Parameters:
  ///   - lacksG: the defect of 2008: the first GiB of the direct map is not global.
  ///   - hasFirmware: whether EFI's runtime services run in the direct map.
  static func dump(
    _ epoch: Epoch, moved: Bool, lacksG: Bool, hasFirmware: Bool = false
  ) -> String {
    let kibibyte: UInt64 = 1 << 10, mebibyte: UInt64 = 1 << 20, gigabyte: UInt64 = 1 << 30
    let bases = moved ? epoch.moved : [epoch.directMap, epoch.vmalloc, epoch.vmemmap]
    let global = lacksG ? "" : " GLB"
    let run = epoch.executableGigabyte ? "" : " NX"
    var text = Text(isNarrow: epoch.isNarrow)
    text.mark("User Space")
    text.hole(to: epoch.skipsHole ? 0xffff_8800_0000_0000 : 0xffff_8000_0000_0000)
    text.mark("Kernel Space")
    if epoch.hasLDTRemap {
      if !epoch.skipsHole { text.hole(to: 0xffff_8800_0000_0000) }
      text.mark("LDT remap")
      text.hole(to: 0xffff_8880_0000_0000)
    }
    text.hole(to: bases[0])
    text.mark("Low Kernel Mapping")
    text.line(to: bases[0] + 2 * mebibyte, "RW\(global)\(run)", "pte")
    text.line(to: bases[0] + gigabyte, "RW PSE\(global)\(run)", "pmd")
    text.line(to: bases[0] + gigabyte + 2302 * mebibyte, "RW PSE GLB NX", "pmd")
    if hasFirmware {
      text.line(to: bases[0] + gigabyte + 2304 * mebibyte, "RW PSE GLB", "pmd")
    }
    text.hole(to: bases[1])
    text.mark("vmalloc() Area")
    text.line(to: bases[1] + 4 * kibibyte, "RW PCD GLB NX", "pte")
    text.line(to: bases[1] + 2 * mebibyte, "", "pte")
    text.hole(to: bases[2])
    text.mark("Vmemmap")
    text.line(to: bases[2] + 124 * mebibyte, "RW PSE GLB NX", "pmd")
    if epoch.hasEntryArea {
      text.hole(to: 0xffff_fe00_0000_0000)
      text.mark("CPU entry Area")
      text.line(to: 0xffff_fe00_0000_2000, "ro GLB NX", "pte")
    }
    text.hole(to: 0xffff_ffff_8000_0000)
    text.mark("High Kernel Mapping")
    let image: UInt64 = 0xffff_ffff_8000_0000 + (epoch.isLinkedLow ? 2 : 16) * mebibyte
    text.line(to: image, "", "pmd")
    text.line(to: image + 6 * mebibyte, "ro PSE GLB x", "pmd")
    text.line(to: image + 10 * mebibyte, "ro PSE GLB NX", "pmd")
    text.line(
      to: image + 16 * mebibyte, "RW PSE GLB\(epoch.executableData ? "" : " NX")", "pmd")
    let modules: UInt64 = moved ? 0xffff_ffff_c000_0000 : 0xffff_ffff_a000_0000
    text.line(to: modules, "", "pmd")
    text.mark("Modules")
    if epoch.looseModules {
      text.line(to: modules + 64 * kibibyte, "RW GLB", "pte")
    } else {
      text.line(to: modules + 32 * kibibyte, "ro GLB", "pte")
      text.line(to: modules + 64 * kibibyte, "RW GLB NX", "pte")
    }
    text.line(to: modules + 2 * mebibyte, "", "pte")
    text.line(to: 0xffff_ffff_ff00_0000, "", "pmd")
    text.mark("End Modules")
    text.line(to: 0xffff_ffff_ff60_0000, "", "pmd")
    text.line(
      to: 0xffff_ffff_ff60_1000, "USR ro GLB\(epoch.nativeVsyscall ? "" : " NX")", "pte")
    text.line(to: 0xffff_ffff_ff80_0000, "", "pte")
    text.line(to: 0, "", "pmd")
    return text.lines.joined(separator: "\n") + "\n"
  }

  private static func subject(
    _ epoch: Epoch, moved: Bool, lacksG: Bool = false, release: String? = nil,
    without markers: Bool = false
  ) throws -> Subject {
    var text = dump(epoch, moved: moved, lacksG: lacksG)
    if markers {
      text = text.split(separator: "\n").filter { !$0.hasPrefix("---") }.joined(separator: "\n")
    }
    return try Subject(
      text: KernelText.parse(Array(text.utf8).span), path: "declared",
      release: release.map { Fact($0, "declared") })
  }

  // MARK: - What is said of it

  /// The areas are that release's, by markers alone.
  @Test(arguments: kernels) func areasAreOfTheEpoch(_ epoch: Epoch, _ moved: Bool) throws {
    let bases = moved ? epoch.moved : [epoch.directMap, epoch.vmalloc, epoch.vmemmap]
    let subject = try Self.subject(epoch, moved: moved)
    #expect(subject.kernel.space.anomalies == [])
    let layout = subject.kernel.layout
    #expect([.directMap, .vmalloc, .vmemmap].map { layout.first($0)?.start } == bases)
    let modules: UInt64 = moved ? 0xffff_ffff_c000_0000 : 0xffff_ffff_a000_0000
    #expect(layout.first(.modules)?.start == modules)
    let isOld = KernelVersion(release: epoch.release).map { $0 < X86Plan.slotUp } == true
    #expect(layout.first(.ldtRemap) == nil || !isOld || moved)
  }

  /// Where the text has no markers, what lies at an old place decides.
  @Test(arguments: epochs.filter { !$0.hasLDTRemap })
  func areasWithoutMarkers(_ epoch: Epoch) throws {
    let subject = try Self.subject(epoch, moved: false, release: epoch.release, without: true)
    let layout = subject.kernel.layout
    #expect(
      [.directMap, .vmalloc, .vmemmap].map { layout.first($0)?.start }
        == [epoch.directMap, epoch.vmalloc, epoch.vmemmap])
    let source = try #require(subject.facts.directMap?.source)
    #expect(source.contains("in the layout from "))
    #expect(subject.facts.releaseBefore != nil)
  }

  /// A healthy kernel of its time: nothing at warning or above, and its habits are notes that name
  /// the release that ended them.
  @Test(arguments: kernels) func theHealthyOneIsClean(_ epoch: Epoch, _ moved: Bool) throws {
    let report = Linter.run(try Self.subject(epoch, moved: moved, release: epoch.release))
    let grave = report.findings.filter { $0.severity != .note }
    #expect(grave.isEmpty, "\(grave.map { "\($0.rule.id) \($0.message)" })")
    func says(_ rule: String, _ words: String) -> Bool {
      report.findings.contains { $0.rule.id == rule && $0.message.contains(words) }
    }
    #expect(says("PT001", "before 4.11") == epoch.looseModules)
    #expect(says("PT001", "before 2.6.38") == epoch.executableData)
    #expect(says("PT004", "before 3.9") == epoch.executableGigabyte)
  }

  /// The defect of 2008, and nothing else.
  @Test(arguments: kernels) func theDefectOf2008IsFound(_ epoch: Epoch, _ moved: Bool) throws {
    let subject = try Self.subject(epoch, moved: moved, lacksG: true, release: epoch.release)
    let found = Linter.run(subject).findings.filter { $0.severity != .note }
    #expect(found.map(\.rule.id) == ["PT201"], "\(found.map(\.message))")
    #expect(found.first?.message.contains("first GiB of the direct map") == true)
    #expect(found.first?.pages == 262_144)
  }

  /// Where neither a release nor the text tells whether it is a habit, the rule is skipped and says
  /// what to give.
  @Test(arguments: epochs.filter(\.looseModules)) func unknownReleases(_ epoch: Epoch) throws {
    let report = Linter.run(try Self.subject(epoch, moved: false))
    #expect(report.findings.allSatisfy { $0.severity == .note })
    let reason = report.skipped.first { $0.rule.id == "PT001" }?.reason
    // 2.6.26 shows its age by where its direct map lies.
    #expect(epoch.release == "2.6.26" || reason?.contains("give --release") == true)
  }

  /// The same pages in a kernel that has ended the habit.
  @Test func habitsAreDefectsOfNewerKernels() throws {
    let old = Self.epochs[1]
    let found = Linter.run(try Self.subject(old, moved: false, release: "4.14.300")).findings.filter
    {
      $0.severity != .note
    }
    #expect(Set(found.map(\.rule.id)) == ["PT001", "PT004"])
    #expect(found.allSatisfy { $0.severity == .error && !$0.message.contains("before") })
  }

  /// EFI's runtime services had tables of their own from 4.6 on.
  @Test(arguments: [("4.4.0-210-generic", true), ("4.5.7", true), ("4.6.0", false)])
  func firmwareInTheDirectMap(_ release: String, _ isHabit: Bool) throws {
    let text = Self.dump(Self.epochs[3], moved: false, lacksG: false, hasFirmware: true)
    let subject = try Subject(
      text: KernelText.parse(Array(text.utf8).span), path: "declared",
      release: Fact(release, "declared"))
    let found = Linter.run(subject).findings.filter { $0.rule.id == "PT004" }
    #expect(found.map(\.severity) == [isHabit ? .note : .error])
    #expect(found.first?.message.contains("before 4.6") == isHabit)
  }

  // MARK: - Stable kernels and distributions

  /// Numbers of stable kernels and distributions, whose kernels have what a later release brought,
  /// and the place in `epochs` of what their dump looks like.
  static let backports: [(String, Int)] = [
    ("2.6.32-754.35.1.el6.x86_64", 1), ("3.10.0-1160.118.1.el7.x86_64", 2), ("3.16.85", 3),
    ("4.4.302", 3), ("4.4.0-210-generic", 3), ("4.9.337", 4), ("4.12.14-122.124-default", 5),
    ("4.14.336", 4), ("4.14.336", 5), ("4.14.336", 6), ("4.15.0-213-generic", 5),
    ("4.18.0-553.el8_10.x86_64", 5), ("4.18.0-553.el8_10.x86_64", 6), ("4.19.325", 5),
    ("4.19.325", 6), ("5.4.0-216-generic", 7),
  ]

  /// Page-table isolation reached 2.6.32 and all later ones by backports, the newer layout 4.14 and
  /// later ones: a release does not tell, and nothing healthy is a finding.
  @Test(arguments: backports, [false, true])
  func backportsAreNoFindings(_ backport: (String, Int), _ isIsolated: Bool) throws {
    let epoch = Self.epochs[backport.1]
    for moved in epoch.moved.isEmpty ? [false] : [false, true] {
      var text = Self.dump(epoch, moved: moved, lacksG: false)
      if isIsolated {
        // The kernel's own pages lose the bit; what user and kernel share keeps it.
        text = text.split(separator: "\n").map { line in
          line.hasPrefix("0xfffffe0000")
            ? String(line) : String(line.replacing("GLB", with: "   "))
        }.joined(separator: "\n")
      }
      let subject = try Subject(
        text: KernelText.parse(Array(text.utf8).span), path: "declared",
        release: Fact(backport.0, "declared"))
      let grave = Linter.run(subject).findings.filter { $0.severity != .note }
      #expect(grave.isEmpty, "\(grave.map { "\($0.rule.id) \($0.message)" })")
      let bases = moved ? epoch.moved : [epoch.directMap, epoch.vmalloc, epoch.vmemmap]
      #expect(subject.facts.directMap?.value == bases[0])
    }
  }

  // MARK: - 32 bits

  /// A machine of 32 bits with 512 MiB: the marker tells the split, the names are those of the time.
  @Test(
    arguments: [
      (0xc000_0000, "Persisent kmap() Area", "Fixmap Area"),
      (0x8000_0000, "Persistent kmap() Area", "Fixmap area"),
      (0x4000_0000, "Persistent kmap() Area", "Fixmap area"),
    ] as [(UInt64, String, String)])
  func splitsOf32Bits(_ start: UInt64, _ kmap: String, _ fixmap: String) throws {
    func hex(_ value: UInt64) -> String { "0x" + String(Self.hex(value).suffix(8)) }
    var at: UInt64 = 0
    func line(_ end: UInt64, _ columns: String, _ level: String) -> String {
      defer { at = end }
      let padding = String(repeating: " ", count: 30 - columns.count)
      return "\(hex(at))-\(hex(end))   \(Self.size(end - at)) \(columns)\(padding)\(level)\n"
    }
    let memory: UInt64 = 512 << 20
    let vmalloc = start + memory + (8 << 20)
    let text =
      "---[ User Space ]---\n" + line(start, "", "pgd") + "---[ Kernel Mapping ]---\n"
      + line(start + 0x20_0000, "    RW                 GLB NX ", "pte")
      + line(start + memory, "    RW         PSE     GLB NX ", "pmd") + line(vmalloc, "", "pmd")
      + "---[ vmalloc() Area ]---\n"
      + line(vmalloc + 0x1000, "    RW                 GLB NX ", "pte")
      + line(0xff80_0000, "", "pte") + "---[ vmalloc() End ]---\n" + line(0xffa0_0000, "", "pmd")
      + "---[ \(kmap) ]---\n" + line(0xffc0_0000, "", "pte") + "---[ \(fixmap) ]---\n"
      + line(0xffff_f000, "", "pte") + line(1 << 32, "", "pte")
    let parsed = KernelText.parse(Array(text.utf8).span)
    #expect(parsed.space.mode.upperHalf == start && parsed.space.anomalies == [])
    let subject = try Subject(text: parsed, path: "declared")
    let layout = subject.kernel.layout
    #expect(layout.first(.directMap)?.start == start)
    #expect(layout.first(.vmalloc)?.start == vmalloc)
    #expect(layout.first(.persistentKmap)?.start == 0xffa0_0000)
    #expect(layout.first(.fixmap)?.start == 0xffc0_0000)
    #expect(Linter.run(subject).findings.allSatisfy { $0.severity == .note })
  }
}
