import KernelText
import PageTables
import Support
import Testing

/// What the kernel's dumper shows of declared runs, and that its text reads back as what it shows.
@Suite struct KernelTextTests {
  private static let directMap: UInt64 = 0xffff_8880_0000_0000
  /// What is left where upper levels take away writing and running.
  private static let readOnly: Access = []

  private func leaf(
    _ start: UInt64, _ size: UInt64, _ flags: UInt64, level: Int = 1, access: Access? = nil
  ) -> Run {
    Run(
      start: start, last: start &+ (size &- 1), kind: .leaf, level: level, flags: flags,
      access: access ?? TableFormat.x86_64.level(1).leafRights.access(flags), physical: 0)
  }

  private func hole(_ start: UInt64, to end: UInt64, level: Int) -> Run {
    Run(start: start, last: end &- 1, kind: .hole, level: level)
  }

  private func show(
    _ runs: [Run], mode: TableFormat = .x86_64, markers: [AddressMarker] = [],
    release: String? = nil
  ) -> KernelText {
    KernelText(
      showing: AddressSpace(mode: mode, runs: runs), markers: markers,
      dialect: KernelText.Dialect(release: release))
  }

  private func lines(_ text: KernelText) -> [String] {
    String(decoding: text.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func attributesLevelsAndHoles() {
    let map = Self.directMap
    let shown = show([
      hole(0, to: 0x8000_0000_0000, level: 4),
      hole(0xffff_8000_0000_0000, to: map, level: 4),
      leaf(map, 0x1000, 0x8000_0000_0000_0163),
      leaf(map + 0x1000, 0x1000, 0x8000_0000_0000_01e3),
      hole(map + 0x2000, to: map + 0x20_0000, level: 1),
      leaf(map + 0x20_0000, 0x20_0000, 0x1e1, level: 2),
      hole(map + 0x40_0000, to: 0, level: 2),
    ])
    #expect(
      lines(shown) == [
        "0x0000000000000000-0xffff888000000000   17179746816G                               pgd",
        "0xffff888000000000-0xffff888000001000           4K     RW                 GLB NX pte",
        "0xffff888000001000-0xffff888000002000           4K     RW             PAT GLB NX pte",
        "0xffff888000002000-0xffff888000200000        2040K                               pte",
        "0xffff888000200000-0xffff888000400000           2M     ro         PSE     GLB x  pmd",
        "0xffff888000400000-0x0000000000000000   125304828M                               pmd",
      ])
  }

  @Test func oneMarkerALine() {
    // The first entry behind two markers stands under the first of them, alone.
    let markers = [
      AddressMarker(start: 0, name: "User Space"),
      AddressMarker(start: 0x8000_0000_0000_0000, name: "Kernel Space"),
      AddressMarker(start: Self.directMap, name: "Low Kernel Mapping"),
    ]
    let shown = show(
      [
        hole(0, to: 0x8000_0000_0000, level: 4),
        leaf(Self.directMap, 0x3000, 0x8000_0000_0000_0163),
      ], markers: markers)
    #expect(
      lines(shown).map { $0.hasPrefix("---") ? $0 : String($0.prefix(37)) } == [
        "---[ User Space ]---", "0x0000000000000000-0xffff888000000000",
        "---[ Kernel Space ]---", "0xffff888000000000-0xffff888000001000",
        "---[ Low Kernel Mapping ]---", "0xffff888000001000-0x0000000000000000",
      ])
  }

  @Test func linesEndAtWhatDoesNotPrint() {
    // A, and what upper levels take away; not the frame.
    let map = Self.directMap
    let rw: UInt64 = 0x8000_0000_0000_0163
    var other = leaf(map + 0x3000, 0x1000, rw)
    other.physical = 0x9_0000
    let shown = show([
      leaf(map, 0x1000, rw), leaf(map + 0x1000, 0x1000, rw & ~0x20),
      leaf(map + 0x2000, 0x1000, rw & ~0x20, access: Self.readOnly),
      leaf(map + 0x3000, 0x1000, rw), other,
    ])
    #expect(shown.space.runs.map(\.start) == [0, map + 0x1000, map + 0x2000, map + 0x3000])
    let old = show(
      [
        leaf(map, 0x1000, rw), leaf(map + 0x1000, 0x1000, rw, access: Self.readOnly),
      ], release: "4.16.0")
    #expect(old.space.runs.count == 1)
  }

  @Test func notPresentEntries() {
    // At the pte level a line of blanks; above it neither large nor present: nothing at all.
    let map = Self.directMap
    func absent(_ start: UInt64, _ size: UInt64, _ flags: UInt64, level: Int) -> Run {
      Run(
        start: start, last: start + size - 1, kind: .notPresent, level: level, flags: flags,
        access: TableFormat.x86_64.level(level).leafRights.access(flags))
    }
    let runs = [
      hole(0, to: 0x8000_0000_0000, level: 4),
      leaf(map, 0x1000, 0x8000_0000_0000_0163), absent(map + 0x1000, 0x1000, 0x62, level: 1),
      leaf(map + 0x2000, 0x1fe000, 0x8000_0000_0000_0163),
      absent(map + 0x20_0000, 0x20_0000, 0x62, level: 2),
      absent(map + 0x40_0000, 0x20_0000, 0xe2, level: 2),
      hole(map + 0x60_0000, to: 0, level: 2),
    ]
    // The pointer that vanishes leaves its addresses to the line before it.
    #expect(
      lines(show(runs)) == [
        "0x0000000000000000-0xffff888000000000   17179746816G                               pgd",
        "0xffff888000000000-0xffff888000001000           4K     RW                 GLB NX pte",
        "0xffff888000001000-0xffff888000002000           4K                               pte",
        "0xffff888000002000-0xffff888000400000        4088K     RW                 GLB NX pte",
        "0xffff888000400000-0xffff888000600000           2M                               pmd",
        "0xffff888000600000-0x0000000000000000   125304826M                               pmd",
      ])
    // Before 4.15 an entry with bits in it printed them, present or not.
    let old = lines(show(runs, release: "4.14.0"))
    #expect(old[2].hasSuffix("4K     RW                     x  pte"))
    #expect(old[4].hasSuffix("2M     RW                     x  pmd"))
    for release in ["4.15.0", "4.16.0", "5.4.0"] {
      let since = lines(show(runs, release: release))
      #expect(since[2].hasSuffix("4K                               pte"), "\(release)")
    }
  }

  @Test func guardHoleIsPassedOver() {
    let shown = show([
      hole(0, to: 0x8000_0000_0000, level: 4),
      leaf(0xffff_8000_0000_0000, 0x20_0000, 0x8000_0000_0000_01e3, level: 2),
      hole(0xffff_8000_0020_0000, to: 0, level: 4),
    ])
    #expect(shown.space.runs.count == 1)
    #expect(shown.space.runs[0].kind == .hole)
  }

  @Test func linesOfESPfixAreCounted() {
    let start: UInt64 = 0xffff_ff00_0000_0000
    let markers = [
      AddressMarker(start: 0, name: "User Space"),
      AddressMarker(start: start, name: "ESPfix Area", maxLines: 2),
      AddressMarker(start: start + 0x10_0000, name: "Next"),
    ]
    var runs: [Run] = [hole(0, to: 0x8000_0000_0000, level: 4)]
    for page in 0..<5 as Range<UInt64> {
      runs.append(leaf(start + page * 0x2000, 0x1000, 0x8000_0000_0000_0161))
      runs.append(
        hole(start + page * 0x2000 + 0x1000, to: start + (page + 1) * 0x2000, level: 1))
    }
    runs.append(leaf(start + 0x10_0000, 0x1000, 0x8000_0000_0000_0161))
    let shown = show(runs, markers: markers)
    #expect(lines(shown).contains("... 8 entries skipped ... "))
    #expect(KernelText.parse(shown.bytes.span).bytes == shown.bytes)
  }

  @Test func paeTakesTheTopEntriesForReadOnly() {
    // Its dumper sees no effective RW, so that only NX from above ends a line.
    let rw: UInt64 = 0x8000_0000_0000_0163
    let shown = show(
      [
        leaf(0xc000_0000, 0x1000, rw), leaf(0xc000_1000, 0x1000, rw, access: Self.readOnly),
      ], mode: .i386PAE)
    #expect(shown.space.runs.count == 1)
    #expect(lines(shown)[0].hasPrefix("0x00000000-0x00000000           4G     RW"))
  }

  @Test func twoLevelsNameHolesByTheRoot() {
    let shown = show(
      [
        hole(0, to: 0xc000_0000, level: 2), leaf(0xc000_0000, 0x40_0000, 0x1e3, level: 2),
        hole(0xc040_0000, to: 0x1_0000_0000, level: 2),
      ], mode: .i386)
    #expect(
      lines(shown) == [
        "0x00000000-0xc0000000           3G                               pgd",
        "0xc0000000-0xc0400000           4M     RW         PSE     GLB x  pmd",
        "0xc0400000-0x00000000        1020M                               pgd",
      ])
  }

  // MARK: - Reading back

  /// Runs of random sizes, kinds and attributes, as the tables of a mode could hold them.
  private func generated(_ mode: TableFormat, _ random: inout SeededGenerator) -> AddressSpace {
    var runs: [Run] = []
    var at: UInt64 = 0
    let lowerEnd: UInt64 = mode.addressBits == 32 ? 1 << 32 : 1 << UInt64(mode.addressBits - 1)
    var isUpper = false
    while runs.count < 400 {
      // From an aligned place on, some entries of a level that fits there.
      let fitting = mode.levels.filter { at & ($0.span - 1) == 0 }
      guard let level = fitting.randomElement(using: &random) else { break }
      let end = isUpper ? 0 : lowerEnd
      let room = (end &- at) / level.span
      guard room > 0 else { break }
      let count = min(UInt64.random(in: 1...8, using: &random), room)
      let kinds: [Run.Kind] =
        level.mayBeLeaf ? [.leaf, .leaf, .leaf, .hole, .notPresent] : [.hole]
      let kind = kinds.randomElement(using: &random) ?? .hole
      let large = level.number > 1 ? mode.large : UInt64.random(in: 0...1, using: &random) << 7
      // NX, two software bits, RW to A and D, G, three software bits; PAT of large pages.
      let choice: UInt64 = 0x8600_0000_0000_0f7e | (level.number > 1 ? 1 << 12 : 0)
      var flags = UInt64.random(in: 0 ... .max, using: &random) & choice & ~mode.large
      if kind != .notPresent || Bool.random(using: &random) { flags |= large }
      if mode.entrySize == 4 { flags &= 0xffff_ffff }
      if kind == .leaf { flags |= mode.present }
      if kind == .notPresent, flags == 0 { flags = 0x40 }
      if kind == .hole { flags = 0 }
      Run.append(
        Run(
          start: at, last: at &+ count &* level.span &- 1, kind: kind, level: level.number,
          flags: flags,
          access: kind == .hole
            ? []
            : level.leafRights.access(flags & UInt64.random(in: 0 ... .max, using: &random))),
        to: &runs, mode: mode)
      at = at &+ count &* level.span
      if !isUpper, mode.addressBits > 32, runs.count > 150 {
        if at < lowerEnd {
          let aligned = (at &+ (mode.root.span - 1)) & ~(mode.root.span - 1)
          for level in mode.levels where at < aligned && at & (level.span - 1) == 0 {
            let next = min(aligned, (at | (level.span * 512 - 1)) &+ 1)
            Run.append(hole(at, to: next, level: level.number), to: &runs, mode: mode)
            at = next
          }
          if at < lowerEnd {
            Run.append(hole(at, to: lowerEnd, level: mode.levels.count), to: &runs, mode: mode)
          }
        }
        at = mode.upperHalf &+ 16 &* mode.root.span
        isUpper = true
      }
      if at == (isUpper ? 0 : lowerEnd) { break }
    }
    return AddressSpace(mode: mode, runs: runs)
  }

  /// A line as a reader can know it: what prints in a dialect, and no more.
  private func known(_ run: Run, _ mode: TableFormat, _ dialect: KernelText.Dialect) -> [UInt64] {
    // PAT is bit 7 of a pte; that of large pages prints in one range of releases only.
    var shown = mode.attributes.filter { $0.printed && $0.levels.contains(Int(run.level)) }
      .reduce(UInt64(0)) { $0 | $1.mask }
    if dialect.alsoCompared == 0 { shown &= ~(1 << 12) }
    let isBlank = run.kind != .leaf && (run.flags == 0 || dialect.blanksNotPresent)
    return [run.start, run.last, UInt64(run.level), isBlank ? 0 : run.flags & shown]
  }

  @Test(
    arguments: [TableFormat.x86_64, .x86_64FiveLevel, .i386, .i386PAE],
    ["6.12.117", "5.4.0", "4.16.0", "4.9.0", "4.1.0", "3.2.0", "2.6.30", "2.6.26"])
  func readsBackWhatItShows(_ mode: TableFormat, _ release: String) {
    var random = SeededGenerator(0x1357_9bdf_2468_ace1)
    let markers = [
      AddressMarker(start: 0, name: "User Space"),
      AddressMarker(start: mode.upperHalf, name: "Kernel Space"),
      AddressMarker(start: mode.upperHalf &+ 20 &* mode.root.span, name: "More", maxLines: 5),
      AddressMarker(start: mode.upperHalf &+ 21 &* mode.root.span, name: "End"),
    ].filter { $0.start <= mode.top }
    for _ in 0..<20 {
      let text = KernelText(
        showing: generated(mode, &random), markers: markers,
        dialect: KernelText.Dialect(release: release))
      let bytes = text.bytes
      let read = KernelText.parse(bytes.span, mode: mode)
      #expect(read.space.runs.count == text.space.runs.count)
      for (mine, theirs) in zip(text.space.runs, read.space.runs) {
        #expect(known(mine, mode, text.dialect) == known(theirs, mode, text.dialect))
      }
      #expect(read.markers.map(\.name) == text.markers.map(\.name))
      #expect(read.markers.map(\.run) == text.markers.map(\.run))
      #expect(read.skips == text.skips)
      #expect(!read.space.anomalies.contains { $0.kind == .gap || $0.kind == .unreadableLine })
      // And the text that was read prints as itself.
      #expect(read.bytes == bytes)
    }
  }

  // MARK: - Reading

  private func parse(_ text: String) -> KernelText { KernelText.parse(Array(text.utf8).span) }

  @Test func oldNarrowColumnsAndNull() {
    let text = parse(
      """
      ---[ User Space ]---
      0x(null)-0xffff810000000000    16777088T                           pgd
      ---[ Low Kernel Mapping ]---
      0xffff810000000000-0xffff810000200000           2M     RW             GLB x  pte
      0xffff810000200000-0xffff810001000000          14M     RW         PSE GLB NX pmd
      0xffff810001000000-0x0000000000000000   130047G                           pgd
      """)
    #expect(text.space.runs.count == 4)
    #expect(text.space.runs[1].flags == 0x103)
    #expect(text.space.runs[2].flags == 0x8000_0000_0000_0183)
    #expect(text.markers.map(\.name) == ["User Space", "Low Kernel Mapping"])
    #expect(
      text.space.anomalies.allSatisfy { if case .sizeMismatch = $0.kind { true } else { false } })
  }

  @Test func stampedAndQuoted() {
    let text = parse(
      """
      > [    0.007562] 0x00000000dba00000-0x00000000df600000          60M     RW         PSE         x  pmd
      > [    0.007576] 0x00000000df600000-0x00000000df800000           2M     RW                     x  pte
      """)
    #expect(text.space.runs.map(\.level) == [2, 1])
    // It neither starts at the bottom of the address space nor ends at its top.
    #expect(text.space.anomalies.map(\.kind) == [.truncated, .truncated])
  }

  /// Lines as the kernel prints them are read at once; with something before or behind, word by word.
  @Test(arguments: Samples.all) func readAtOnceOrNot(sample: String) throws {
    let plain = try Samples.text(sample, "kernel.txt")
    let text = parse(plain)
    for other in [plain.replacing("\n", with: "\r\n"), "> " + plain.replacing("\n", with: "\n> ")] {
      let same = parse(other)
      #expect(same.space.runs == text.space.runs)
      #expect(same.space.anomalies == text.space.anomalies)
      #expect(same.markers == text.markers)
    }
    // A digit, a blank or a word that is wrong makes a line no mapping, wherever it stands.
    let lines = plain.split(separator: "\n").map(String.init)
    for (good, bad) in [("0xffff", "0xfffg"), ("K ", "K!"), ("GLB", "GLA"), (" pte", " ptf")] {
      let index = try #require(lines.lastIndex { $0.contains(good) && $0.contains("pte") })
      var broken = lines
      broken[index] = broken[index].replacing(good, with: bad)
      #expect(
        parse(broken.joined(separator: "\n")).space.runs.count == text.space.runs.count - 1,
        "\(bad)")
    }
  }

  @Test func gapsAndWrongSizesAreSaid() {
    let text = parse(
      """
      0xffff888000000000-0xffff888000001000           8K     RW                 GLB NX pte
      0xffff888000002000-0x0000000000000000     131071G                               pgd
      """)
    #expect(
      text.space.anomalies.contains { $0.kind == .sizeMismatch(printed: 8192) && $0.line == 1 })
    #expect(text.space.anomalies.contains { $0.kind == .gap && $0.line == 2 })
  }

  @Test func sizesPrintAsTheKernelPrintsThem() {
    #expect(UInt64(4096).size == "4K")
    #expect((UInt64(3) << 30).size == "3G")
    #expect((UInt64(1536) << 20).size == "1536M")
  }
}
