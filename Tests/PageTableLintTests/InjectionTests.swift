import Foundation
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// One thing is broken in a real image: the rule that owns the defect must name the place, and no
/// other rule may speak.
@Suite(.serialized) struct InjectionTests {
  private static let samples = ["healthy", "healthy-pti", "healthy-5level", "5level-pti"]
  /// Those that keep the kernel's lists of vmalloc and its modules.
  private static let listed = ["stock/7.3-modules", "stock/6.1-modules"]
  private static let wanted = 100
  /// Where only some are injected, once in each image.
  private static var injected: Int { Effort.cases(wanted, oneIn: wanted / samples.count) }

  struct Outcome {
    var injections = 0
    var found = 0
    var missed: [String] = []
    /// Others that spoke, and how often.
    var others: [String: Int] = [:]
  }

  @Test func eachDefectHasItsRule() throws {
    let patients = try Self.samples.map { try Patient($0) }
    let listed = try Self.listed.map { try Patient($0) }
    var rows: [String] = []
    for injection in Injection.all.sorted(by: { $0.rule < $1.rule }) {
      let outcome = try Self.inject(injection, injection.needsLists ? listed : patients)
      #expect(outcome.injections == Self.injected, "\(injection.rule): \(outcome.injections)")
      #expect(outcome.missed == [], "\(injection.rule)")
      #expect(outcome.others == [:], "\(injection.rule)")
      let rule = try #require(Rule.named(injection.rule))
      rows.append(
        "| \(rule.id) \(rule.name) | \(injection.what) | \(outcome.injections) | \(outcome.found) "
          + "| \(outcome.missed.count) | \(outcome.others.values.reduce(0, +)) |")
    }
    guard Effort.isFull else { return }
    let flips = try RandomFlipTests.measure()
    try RandomFlipTests.expect(flips)
    try Self.compare(Self.page(rows, flips))
  }

  /// docs/injection.md, written again where RECORD is set.
  private static func compare(_ page: String) throws {
    let file = Samples.root.appending(path: "docs/injection.md")
    if ProcessInfo.processInfo.environment["RECORD"] != nil {
      try page.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == page, "RECORD=1 writes it again")
  }

  private static func page(_ rows: [String], _ flips: RandomFlipTests.Outcome) -> String {
    let injected = Set(Injection.all.map(\.rule))
    let others = Rule.all.filter { !injected.contains($0.id) }.map { "- \($0.id) \($0.name)" }
    return """
      # Faults injected into real images

      `TESTS=all swift test --filter InjectionTests` breaks one thing at a time in four real images (samples
      \(samples.map { "`\($0)`" }.joined(separator: ", "))): a random place, from a fixed seed, among
      those where the change is a defect, \(wanted) times for each rule. The rule that owns the defect
      must name the place, and no other rule may speak. "Others" counts what other rules said at
      whatever severity, the notes left out that the healthy image has too. PT612's defects, and those of module
      text, are made in \(listed.map { "`\($0)`" }.joined(separator: " and ")), which keep the kernel's own lists. What is wrong below a table
      or a pointer that a rule names is that finding's evidence, and no finding of its own.

      | rule | what is changed | injections | found | missed | others |
      |---|---|---|---|---|---|
      \(rows.joined(separator: "\n"))

      The other rules are about texts, logs, counters, configurations or things that these captures do not
      have (EFI's attributes table, struct page). Each is proven by its two inputs in
      [samples/rules](../samples/rules):

      \(others.joined(separator: "\n"))

      ## Random flips

      One bit of one live entry of the kernel's tables is flipped, \(flips.matters.flips) times, from a fixed seed:
      P, RW, NX, PWT, PCD, PAT, PS, frames and reserved bits; US where it changes who may read; G but for 4K
      leaves of the direct map, of which a healthy kernel has some without it. \(flips.matters.found) are found at
      warning or above. Of \(flips.free.flips) flips that change nothing (accessed, dirty, software and ignored bits)
      \(flips.free.found) draw a warning. Where some are not found:

      \(flips.table)

      Why they are not:

      - PWT, PCD and PAT of a 4K leaf of the direct map or of the image's data: drivers set the memory type of single
        pages (`set_memory_uc`, `set_memory_wc`), and nothing but an alias of another type shows that they did not.
      - the frame of a page of vmalloc: any page of memory may be there. Extracts do not hold the kernel's lists of
        its pages.
      - G and RW of a 4K leaf of the image's data: what CPA splits may lack G, and data of the image is written or
        read-only by its section alone.

      """
  }

  private static func inject(_ injection: Injection, _ patients: [Patient]) throws -> Outcome {
    var outcome = Outcome()
    var generator = SeededGenerator(UInt64(injection.rule.dropFirst(2)) ?? 1)
    let places = patients.map { ($0, injection.places($0)) }.filter { !$0.1.isEmpty }
    guard !places.isEmpty else { return outcome }
    var tries = 0
    while outcome.injections < injected, tries < 10 * wanted {
      let (patient, sites) = places[tries % places.count]
      tries += 1
      guard let site = sites.randomElement(using: &generator),
        let place = try injection.change(patient, site, &generator)
      else { continue }
      let report = Linter.run(patient.subject)
      patient.memory.reset()
      outcome.injections += 1
      // A note of the healthy image counts other things then, but it is the same note.
      let before = Set(patient.healthy.findings.map(\.rule.id))
      let new = report.findings.filter { !before.contains($0.rule.id) || $0.severity > .note }
      let named = new.contains { finding in
        finding.rule.id == injection.rule
          && finding.extents.contains { $0.overlaps(place) }
      }
      if named {
        outcome.found += 1
      } else {
        outcome.missed.append(
          "\(patient.name) \(place.lowerBound.address) level \(site.level) \(site.area) "
            + "\(site.entry.entry): \(new.map(\.rule.id))")
      }
      for finding in new where finding.rule.id != injection.rule {
        outcome.others["\(finding.rule.id) \(site.area)", default: 0] += 1
      }
    }
    return outcome
  }
}
